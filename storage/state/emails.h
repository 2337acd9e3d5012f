/* storage/state/emails.h
 * What JMAP asks of the applied state: Emails and Mailboxes by id, what became of them, uploads.
 * Questions as those of state.h are; see store_proto.h for what each means. */
#ifndef STORAGE_STATE_EMAILS_H
#define STORAGE_STATE_EMAILS_H

#include "storage/state/state.h"

enum status state_states(struct state *s, uint64_t account, struct store_states_are *out);

/* store_member... of all memberships from (*mailbox, *uid) on, at most `budget` bytes but one.
 * Afterwards the next one; both 0: none. */
enum status state_emails(struct state *s, uint64_t account, uint64_t *mailbox, uint32_t *uid,
    size_t budget, struct buf *out, uint64_t *modseq);

/* How many memberships a message has; 0: there is none. */
enum status state_email_rows(struct state *s, uint64_t account, uint64_t message, uint32_t *rows);

/* A part of what became of Emails, or of Mailboxes, after the point (since, after): at most about
 * `rows` rows of the change log are read, but those of one operation, at most `limit` objects told
 * that were or are (0: no matter), at most `budget` bytes put but one object.  The point is
 * moved to how far it was told; *more: there is more to tell.  ST_EXPIRED. */
struct state_since {
	uint64_t	since, after;
	uint32_t	limit, rows;
	size_t		budget;
	uint32_t	told;		/* of the limit */
	bool		more;
};
enum status state_email_changes(struct state *s, uint64_t account, struct state_since *q,
    struct buf *out);
enum status state_mailbox_changes(struct state *s, uint64_t account, struct state_since *q,
    struct buf *out);

/* store_blob... of uploads of the account: of ids (u64 each), or of all; about `budget` bytes. */
enum status state_blobs(struct state *s, uint64_t account, struct span ids, size_t budget,
    struct buf *out);
/* Where an upload's body lies, as state_bodies_next() tells it, with uid 1. */
enum status state_blob_body(struct state *s, uint64_t account, uint64_t id,
    struct state_body *body, struct buf *locs);
/* The next upload behind (*account, *id) whose time is over; ST_LIMIT: none among so many rows,
 * go on from there; ST_NOT_FOUND: none. */
enum status state_blob_expired(struct state *s, uint64_t *account, uint64_t *id, int64_t now_ms,
    uint32_t rows);

#endif
