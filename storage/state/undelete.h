/* storage/state/undelete.h
 * What was deleted and is kept for undelete, read as mailboxes: each has the messages that
 * were in it last.  The id of such a mailbox is the one it had with STATE_UNDELETED set; its
 * uids are numbers of their own, rising as messages go and never given twice, and its
 * UIDVALIDITY is that of the mailbox.  state_rows(), state_caches(), state_columns_open(),
 * state_bodies_open(), state_uids(), state_first_uids(), state_marks() and state_changes()
 * take such ids; a row's modseq is that of the change by which the message went, saved_s the
 * time.  Nothing else takes them. */
#ifndef STORAGE_STATE_UNDELETE_H
#define STORAGE_STATE_UNDELETE_H

#include "storage/state/state.h"

#define STATE_UNDELETED STORE_UNDELETED

/* put_store_mailbox() by path, of those from which something was deleted, and their superiors (id 0).  Two of one name:
 * the deleted one has its UIDVALIDITY behind it.  only: not empty: that path alone. */
enum status state_undeleted_list(struct state *s, uint64_t account, struct span only,
    struct buf *out);
enum status state_undeleted_find(struct state *s, uint64_t account, struct span path,
    uint64_t *mailbox);
/* As state_open_mailbox(). */
enum status state_undeleted_open(struct state *s, uint64_t account, uint64_t mailbox,
    struct store_opened *o, struct buf *uids, struct buf *keywords);

/* Those of a mailbox that went after this modseq. */
enum status state_undeleted_since(struct state *s, uint64_t account, uint64_t mailbox,
    uint64_t since, struct uidset *out);
/* When the oldest message that is kept went.  ST_NOT_FOUND: none is. */
enum status state_undeleted_oldest(struct state *s, uint64_t account, int64_t *time_s);

#endif
