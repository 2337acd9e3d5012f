/* pop3d/maildrop.h
 * What a session sees: the messages that were there when it logged in, of one mailbox or
 * several, numbered from 1 (here: from 0).  It does not change while the session lasts;
 * what is expunged elsewhere meanwhile cannot be retrieved any more.
 *
 * Nine bytes a message, or 17 where unique-ids need more. */
#ifndef POP3D_MAILDROP_H
#define POP3D_MAILDROP_H

#include "common/conf/settings.h"
#include "storage/client/store.h"

enum { DROP_DELETED = 1, DROP_RETRIEVED = 2 };

/* Messages of one mailbox stand together, in the order of their uids. */
struct drop_box {
	uint64_t	mailbox;
	uint32_t	uidvalidity, uidnext;
	uint32_t	first, n;
	bool		no_uidls;	/* none of its unique-ids was brought along */
};

struct maildrop {			/* zeroed: empty */
	struct drop_box	*boxes;
	size_t		n_boxes;
	uint32_t	n, room;
	uint32_t	*uid, *size;
	uint64_t	*email;		/* NULL: not needed */
	uint8_t		*marks;
	uint32_t	n_deleted, n_retrieved;
	uint64_t	bytes, deleted_bytes;
};

/* ST_OK, or why not: ST_NOT_FOUND no such folder; ST_EXISTS, ST_LIMIT: of the lease.  Runs
 * once, never from inside maildrop_load(), and not after store_close(). */
typedef void (*drop_done_fn)(void *arg, enum status st);
struct drop_load {
	struct maildrop		*drop;
	struct store		*store;
	uint64_t		lease;		/* out: what was leased */
	drop_done_fn		done;
	void			*arg;
	/* private: what the configuration said when it began */
	bool			one_folder, email;
	unsigned		fields;
	uint32_t		apart_s, max;
	struct buf		paths, flag;
	size_t			at;
	uint32_t		flag_bit;	/* of the keyword that hides; KEYWORD_MAX: none */
};

/* Takes the lease, then the snapshot, of the mailboxes that are configured or of one
 * folder (folder not empty).  l and what it points to stay until done or store_close(),
 * then drop_load_fini(). */
void maildrop_load(struct drop_load *l, const struct conf_pop3 *conf, struct span folder);
void drop_load_fini(struct drop_load *l);
void maildrop_fini(struct maildrop *d);
/* Which mailbox a message is in. */
struct drop_box *maildrop_box(const struct maildrop *d, uint32_t i);

static inline bool
maildrop_is_deleted(const struct maildrop *d, uint32_t i)
{
	return (d->marks[i] & DROP_DELETED) != 0;
}

void maildrop_delete(struct maildrop *d, uint32_t i);
void maildrop_undelete_all(struct maildrop *d);
/* put_store_uids() of up to `max` messages with all of `have` and none of `not`, from *at
 * on; *at goes behind them.  How many they are. */
uint32_t maildrop_marked(const struct maildrop *d, uint8_t have, uint8_t not, uint32_t max,
    uint32_t *at, struct buf *out);

#endif
