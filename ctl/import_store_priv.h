/* ctl/import_store_priv.h
 * What the files of an import share: import_store.c takes messages and tells how it went,
 * import_folder.c begins and ends folders, import_batch.c brings what came to the store. */
#ifndef CTL_IMPORT_STORE_PRIV_H
#define CTL_IMPORT_STORE_PRIV_H

#include <inttypes.h>

#include "common/crypto/digest.h"
#include "common/json/writer.h"
#include "common/util/mem.h"
#include "common/util/table.h"
#include "ctl/import_store.h"
#include "ctl/output.h"

#define BATCH		64u
#define BATCH_BYTES	(512u << 10)

struct import_one {				/* a message of the batch */
	size_t		from, to;	/* its item */
	size_t		notes_from, notes_to;
	uint32_t	uid;		/* that it had; 0: not known */
	uint32_t	stage;
	uint64_t	owed, same;	/* its keys */
	struct buf	uidl;
	char		*name;
};

/* A folder that came, for the report. */
struct import_done {
	char			*path;
	uint64_t		n, passed, dropped, mailbox, modseq;
	uint32_t		uidvalidity, uidnext;		/* that it has */
	uint32_t		was_validity, was_next;		/* that it had; 0: not to be taken */
	struct buf		uids;		/* as text */
	uint64_t		messages;
	bool			uids_kept, kept;
};

struct import_store {
	struct ctl		*ctl;
	const struct import_opts *o;
	struct ctl_mail		*mail;
	int			rc;
	unsigned char		salt[16];
	struct json_writer	w;
	struct buf		report;
	uint64_t		messages, passed, dropped;
	struct import_done		*list;
	size_t			n_list, room;
	/* of the folder */
	bool			open, wanted, there;	/* there: the mailbox is */
	struct transfer_folder	folder;
	struct buf		path;
	struct store_opened	now;		/* without its spans */
	struct uidset		uids;		/* of the mailbox, as read last */
	struct table		have;		/* key_of() -> how many there are */
	uint64_t		owed, same;
	bool			place, exact;
	uint32_t		last_uid;
	uint64_t		n, n_passed, n_dropped;
	struct buf		keywords;
	unsigned		n_keywords;
	/* the batch */
	struct import_one		one[BATCH];
	unsigned		n_one;
	struct buf		items, notes;
	struct uidset		given;		/* uids that the last append gave */
	/* the message */
	struct buf		stored;
	uint32_t		stage, stages;
};

/* ---- import_store.c ---- */

enum status import_ask(struct import_store *s, uint16_t no, const void *rq, ctl_mail_fn fn);
/* Says so, and the import ends. */
void import_failed(struct import_store *s, enum status st, const char *what);
/* The message at hand is not to come. */
void import_forget(struct import_store *s);

/* ---- import_folder.c ---- */

/* What is counted of a message. */
enum import_count {
	THERE,		/* it was there before, and no message of the source stands for it yet */
	OWED,		/* it was brought */
	SAME		/* of the source, under its uid */
};
uint64_t import_key(const struct import_store *s, enum import_count what, struct span sha,
    uint32_t uid);
uint64_t import_have(const struct import_store *s, uint64_t key);
void import_set_have(struct import_store *s, uint64_t key, uint64_t n);
/* 1 when there was one. */
unsigned import_take_one(struct import_store *s, uint64_t key);
/* The folder under way, if one is. */
void import_finish_folder(struct import_store *s);

/* ---- import_batch.c ---- */

void import_flush(struct import_store *s);
void import_drop_stage(struct import_store *s, uint32_t stage);

#endif
