/* storage/client/store.h
 * A login's view of the store service: the library that workers link.  Asks the
 * service, never opens a file, never blocks.
 *
 * struct store_pool is a worker's sockets to the shards; struct store a channel on
 * one of them for one ticket.  Every call returns at once; its callback runs later,
 * exactly once (parts: any number of times before, with more = true), never before
 * the call returned, and never after store_close() or store_cancel().
 *
 * When stored is away: reads that were under way fail with ST_UNAVAILABLE.  Changes
 * that were under way are asked again, with the same sequence number, once the
 * service is back (it remembers what it did), for at most STORE_RETRY_MS; then
 * they fail with ST_UNAVAILABLE.  New calls while it is away wait likewise.
 * The channel attaches itself again; `lost` tells the owner that notifications may
 * have been missed (compare modseqs). */
#ifndef STORAGE_CLIENT_STORE_H
#define STORAGE_CLIENT_STORE_H

#include "common/ipc/ipc.h"
#include "storage/api/store_proto.h"

#define STORE_RETRY_MS 5000

struct store_pool;
struct store;
struct store_call;			/* one call under way */

struct store_pool *store_pool_new(struct loop *l);
void store_pool_free(struct store_pool **p);
/* A (new) socket to a shard; takes fd over.  Replaces a dead one. */
void store_pool_set(struct store_pool *p, uint32_t shard, int fd);

/* The numbers of the shards there are, at most max of them; returns how many. */
size_t store_pool_shards(const struct store_pool *p, uint32_t *numbers, size_t max);

/* dirty: something in the account changed (ask store_changes); lost: see above;
 * revoked: the ticket was taken back: end the session; quota: the account came near its
 * limit, with the per cent in the place of modseq. */
enum store_event { STORE_EV_DIRTY, STORE_EV_LOST, STORE_EV_REVOKED, STORE_EV_QUOTA };
typedef void (*store_event_fn)(void *arg, enum store_event ev, uint64_t modseq);

/* Opens a channel; calls may follow at once (they queue behind the attach). */
struct store *store_open_channel(struct store_pool *p, uint32_t shard, struct span ticket,
    store_event_fn event, void *arg);
/* A channel that asks the service nothing before its first call; a change that is the first
 * goes together with the attaching and waits for no answer to it. */
struct store *store_open_idle(struct store_pool *p, uint32_t shard, struct span ticket,
    store_event_fn event, void *arg);
/* What the answer to attaching told of the account's use (role deliver); NULL: nothing yet. */
const struct store_quota_is *store_told_use(const struct store *s);
/* Another account's mailboxes, as far as they are shared with who holds the ticket; the shard
 * is the owner's.  At most one a ticket and owner.  The ticket's own account with
 * STORE_UNDELETED: what was deleted in it. */
struct store *store_open_shared(struct store_pool *p, uint32_t shard, struct span ticket,
    uint64_t owner, store_event_fn event, void *arg);
/* Detaches; calls under way are cancelled; staged bodies are dropped. */
void store_close(struct store **s);
void store_renew(struct store *s, struct span ticket);
/* What the last note said (STORE_EV_DIRTY): the states of JMAP's types; all 0: none came yet. */
const struct store_dirty *store_noted(const struct store *s);

/* May one of the account's mailboxes have a script for its events?  Said from the moment that the
 * channel is attached, and not taken back; true before the answer of a change comes that was
 * applied after the annotation was set.  See the note `events` in store_proto.h. */
bool store_has_events(const struct store *s);

/* head->status says how it ended; msg is the reply struct named in storage/api for the
 * request (store_opened for open ...), borrowed, NULL when the status is not ST_OK. */
typedef void (*store_done_fn)(void *arg, enum status st, bool more, const void *msg);

/* One function per request, named after it; the structs are those of store_proto.h
 * (seq and acked are filled in here).  Spans are copied before the call returns. */
struct store_call *store_do_list(struct store *s, const struct store_list *rq, store_done_fn fn, void *arg);
struct store_call *store_do_create(struct store *s, const struct store_create *rq, store_done_fn fn, void *arg);
struct store_call *store_do_delete(struct store *s, const struct store_delete *rq, store_done_fn fn, void *arg);
struct store_call *store_do_rename(struct store *s, const struct store_rename *rq, store_done_fn fn, void *arg);
struct store_call *store_do_subscribe(struct store *s, const struct store_subscribe *rq, store_done_fn fn, void *arg);
struct store_call *store_do_open(struct store *s, const struct store_open *rq, store_done_fn fn, void *arg);
struct store_call *store_do_rows(struct store *s, const struct store_rows *rq, store_done_fn fn, void *arg);
struct store_call *store_do_cache(struct store *s, const struct store_cache_get *rq, store_done_fn fn, void *arg);
struct store_call *store_do_columns(struct store *s, const struct store_columns *rq, store_done_fn fn, void *arg);
struct store_call *store_do_marks(struct store *s, const struct store_marks *rq, store_done_fn fn, void *arg);
struct store_call *store_do_body(struct store *s, const struct store_body *rq, store_done_fn fn, void *arg);
struct store_call *store_do_changes(struct store *s, const struct store_changes *rq, store_done_fn fn, void *arg);
struct store_call *store_do_touched(struct store *s, const struct store_touched *rq, store_done_fn fn, void *arg);
struct store_call *store_do_watch(struct store *s, const struct store_watch *rq, store_done_fn fn, void *arg);
struct store_call *store_do_stage(struct store *s, const struct store_stage *rq, store_done_fn fn, void *arg);
struct store_call *store_do_append(struct store *s, const struct store_append *rq, store_done_fn fn, void *arg);
struct store_call *store_do_flags(struct store *s, const struct store_flags *rq, store_done_fn fn, void *arg);
struct store_call *store_do_expunge(struct store *s, const struct store_expunge *rq, store_done_fn fn, void *arg);
struct store_call *store_do_annotations(struct store *s, const struct store_annotations *rq, store_done_fn fn, void *arg);
struct store_call *store_do_annotated(struct store *s, const struct store_annotated_get *rq, store_done_fn fn, void *arg);
struct store_call *store_do_annotate(struct store *s, const struct store_annotate *rq, store_done_fn fn, void *arg);
struct store_call *store_do_copy(struct store *s, const struct store_copy *rq, store_done_fn fn, void *arg);
struct store_call *store_do_lease(struct store *s, const struct store_lease *rq, store_done_fn fn, void *arg);
struct store_call *store_do_remove(struct store *s, const struct store_remove *rq, store_done_fn fn, void *arg);
struct store_call *store_do_place(struct store *s, const struct store_place *rq, store_done_fn fn, void *arg);
struct store_call *store_do_uidvalidity(struct store *s, const struct store_uidvalidity *rq, store_done_fn fn, void *arg);
struct store_call *store_do_sums(struct store *s, const struct store_sums *rq, store_done_fn fn, void *arg);
struct store_call *store_do_uidls(struct store *s, const struct store_uidls *rq, store_done_fn fn, void *arg);
struct store_call *store_do_uidl_put(struct store *s, const struct store_uidl_put *rq, store_done_fn fn, void *arg);
struct store_call *store_do_restore(struct store *s, const struct store_restore *rq, store_done_fn fn, void *arg);
struct store_call *store_do_undelete(struct store *s, const struct store_undelete *rq, store_done_fn fn, void *arg);
struct store_call *store_do_acl(struct store *s, const struct store_acl_get *rq, store_done_fn fn, void *arg);
struct store_call *store_do_acl_set(struct store *s, const struct store_acl_set *rq, store_done_fn fn, void *arg);
struct store_call *store_do_shared(struct store *s, const struct store_shared *rq, store_done_fn fn, void *arg);
struct store_call *store_do_metadata_get(struct store *s, const struct store_metadata_get *rq, store_done_fn fn, void *arg);
struct store_call *store_do_metadata_set(struct store *s, const struct store_metadata_set *rq, store_done_fn fn, void *arg);
struct store_call *store_do_url_key_make(struct store *s, const struct store_url_key_make *rq, store_done_fn fn, void *arg);
struct store_call *store_do_url_sign(struct store *s, const struct store_url_sign *rq, store_done_fn fn, void *arg);
struct store_call *store_do_url_find(struct store *s, const struct store_url_find *rq, store_done_fn fn, void *arg);
struct store_call *store_do_url_body(struct store *s, const struct store_url_body *rq, store_done_fn fn, void *arg);
struct store_call *store_do_quota_set(struct store *s, const struct store_quota_set *rq, store_done_fn fn, void *arg);
struct store_call *store_do_text_find(struct store *s, const struct store_text_find *rq, store_done_fn fn, void *arg);
struct store_call *store_do_quota(struct store *s, store_done_fn fn, void *arg);
/* JMAP: see the end of store_proto.h. */
struct store_call *store_do_states(struct store *s, store_done_fn fn, void *arg);
struct store_call *store_do_emails(struct store *s, const struct store_emails *rq, store_done_fn fn, void *arg);
struct store_call *store_do_email_changes(struct store *s, const struct store_email_changes *rq, store_done_fn fn, void *arg);
struct store_call *store_do_mailbox_changes(struct store *s, const struct store_mailbox_changes *rq, store_done_fn fn, void *arg);
struct store_call *store_do_email_set(struct store *s, const struct store_email_set *rq, store_done_fn fn, void *arg);
struct store_call *store_do_mailbox_set(struct store *s, const struct store_mailbox_set *rq, store_done_fn fn, void *arg);
struct store_call *store_do_blob_put(struct store *s, const struct store_blob_put *rq, store_done_fn fn, void *arg);
struct store_call *store_do_blob_read(struct store *s, const struct store_blob_read *rq, store_done_fn fn, void *arg);
struct store_call *store_do_blobs(struct store *s, const struct store_blobs *rq, store_done_fn fn, void *arg);
struct store_call *store_do_pushes(struct store *s, store_done_fn fn, void *arg);
struct store_call *store_do_push_set(struct store *s, const struct store_push_set *rq, store_done_fn fn, void *arg);
/* Sieve: see the end of store_proto.h, and store_sieve.h. */
struct store_call *store_do_scripts(struct store *s, store_done_fn fn, void *arg);
struct store_call *store_do_script(struct store *s, const struct store_script_get *rq, store_done_fn fn, void *arg);
struct store_call *store_do_script_set(struct store *s, const struct store_script_set *rq, store_done_fn fn, void *arg);
struct store_call *store_do_script_room(struct store *s, const struct store_script_room *rq, store_done_fn fn, void *arg);
struct store_call *store_do_sieve_keys(struct store *s, const struct store_sieve_keys *rq, store_done_fn fn, void *arg);
struct store_call *store_do_deliver(struct store *s, const struct store_deliver *rq, store_done_fn fn, void *arg);
struct store_call *store_do_event(struct store *s, const struct store_event_get *rq, store_done_fn fn, void *arg);
/* A staged body that is not wanted any more, or was adopted by an append: its number may
 * be used again then.  A body whose chunks were taken by a stored that ended since
 * cannot be completed: its next chunk, and the append, fail with ST_UNAVAILABLE. */
void store_stage_free(struct store *s, uint32_t stage);
/* The callback will not run; a change may still happen. */
void store_cancel(struct store_call **c);

/* Requests of the role admin, which need no channel.  They do not wait for a stored that is
 * away: ST_UNAVAILABLE then.  msg: store_stats_are, store_copy_made, store_copies_are, or
 * NULL. */
struct store_ask;
struct store_ask *store_ask_stats(struct store_pool *p, uint32_t shard, store_done_fn fn, void *arg);
struct store_ask *store_ask_copy_make(struct store_pool *p, uint32_t shard, store_done_fn fn,
    void *arg);
struct store_ask *store_ask_copies(struct store_pool *p, uint32_t shard, store_done_fn fn,
    void *arg);
/* fn is called for each part, with more. */
struct store_ask *store_ask_fsck(struct store_pool *p, uint32_t shard,
    const struct store_fsck *rq, store_done_fn fn, void *arg);
struct store_ask *store_ask_delete(struct store_pool *p, uint32_t shard, uint64_t account,
    store_done_fn fn, void *arg);
struct store_ask *store_ask_undelete(struct store_pool *p, uint32_t shard, uint64_t account,
    store_done_fn fn, void *arg);
struct store_ask *store_ask_limits(struct store_pool *p, uint32_t shard,
    const struct store_account_limits *rq, store_done_fn fn, void *arg);
struct store_ask *store_ask_queue(struct store_pool *p, uint32_t shard, const struct store_queue *rq,
    store_done_fn fn, void *arg);
struct store_ask *store_ask_queue_set(struct store_pool *p, uint32_t shard,
    const struct store_queue_set *rq, store_done_fn fn, void *arg);
struct store_ask *store_ask_backup_begin(struct store_pool *p, uint32_t shard,
    const struct store_backup_begin *rq, store_done_fn fn, void *arg);
struct store_ask *store_ask_backup_read(struct store_pool *p, uint32_t shard,
    const struct store_backup_read *rq, store_done_fn fn, void *arg);
struct store_ask *store_ask_backup_end(struct store_pool *p, uint32_t shard,
    const struct store_backup_end *rq, store_done_fn fn, void *arg);
/* The callback will not run; a change may still happen. */
void store_ask_cancel(struct store_ask **a);

#endif
