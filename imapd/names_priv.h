/* imapd/names_priv.h
 * What the files of the names share. */
#ifndef IMAPD_NAMES_PRIV_H
#define IMAPD_NAMES_PRIV_H

#include "imapd/names.h"

#define OWNERS_MAX	500u		/* of a session */
#define NOBODY		IMAP_NOBODY

struct imap_owner {
	struct list		node;
	struct imap_session	*s;
	struct buf		name;
	uint64_t		id;
	struct store		*store;
	bool			shared;		/* belongs to nobody */
	bool			listed;		/* shares something that may be looked up */
	bool			visited;	/* for one URL: has no name */
};

enum space { SPACE_OWN, SPACE_OTHERS, SPACE_SHARED, SPACE_GONE };

/* names.c */
struct imap_owner *imap_owner_by_name(struct imap_session *s, struct span name);
struct imap_owner *imap_owner_by_id(struct imap_session *s, uint64_t id);
void imap_owner_add(struct imap_session *s, uint64_t id, uint32_t shard, struct span name);
enum space imap_space_of(const struct imap_session *s, struct span path);
/* The channel on which one's own deleted messages are read. */
struct store *imap_undeleted(struct imap_session *s);

#endif
