/* storage/state/sieve.h
 * What a shard keeps of Sieve, as the service reads it; see storage/api/store_sieve.h. */
#ifndef STORAGE_STATE_SIEVE_H
#define STORAGE_STATE_SIEVE_H

#include "storage/api/store_sieve.h"
#include "storage/state/state.h"

/* put_store_script() of all of an account's, by name. */
enum status state_scripts(struct state *s, uint64_t account, struct buf *out, uint64_t *state,
    uint64_t *bytes);
/* One by name (empty: the active one), and its text unless that is the one known.  script: one
 * store_script, appended.  ST_NOT_FOUND. */
enum status state_script(struct state *s, uint64_t account, const struct store_script_get *rq,
    struct buf *script, struct buf *text, bool *same);
/* Would OP_SCRIPT_SET put so many bytes under this name?  limits: its three. */
enum status state_script_room(struct state *s, uint64_t account, struct span name, uint64_t size,
    const struct op_script_set *limits);
/* A byte for each of store_sieve_key...: 1: it is known. */
enum status state_sieve_keys(struct state *s, uint64_t account, struct span keys, int64_t now_ms,
    struct buf *out);
/* Of events: may a mailbox of the account have the entry (STORE_EVENT_ENTRY)?  Which script it names,
 * appended.  Rows of the uids that are there: store_event_row..., see state_rows(). */
enum status state_event_any(struct state *s, uint64_t account, bool *any);
enum status state_event_script(struct state *s, uint64_t account, uint64_t mailbox, bool *entry,
    struct buf *script);
enum status state_event_rows(struct state *s, uint64_t account, uint64_t mailbox,
    const struct uidset *uids, uint64_t modseq, size_t budget, uint32_t *resume_uid,
    struct buf *out);
/* Has the account keys whose time is over? */
enum status state_sieve_keys_expired(struct state *s, uint64_t account, int64_t now_ms, bool *yes);

#endif
