/* The requests on a channel: each is made, and sent or waits. */
#include "storage/client/store_priv.h"

#include "common/util/mem.h"

static struct store_call *
call(struct store *s, uint16_t no, uint16_t reply_no, bool change, const void *rq,
    store_done_fn fn, void *arg)
{
	struct store_call *c = mem_zalloc(sizeof(*c));

	c->store = s;
	c->m = ipc_find(&store_protocol, no);
	c->reply_no = reply_no;
	c->fn = fn;
	c->arg = arg;
	if (c->m->size > 0)
		ipc_encode(c->m, rq, &c->body);
	if (change)
		c->seq = ++s->last_seq;
	list_push_back(&s->calls, &c->node);
	return c;
}

/* The first change of an idle channel: one wake-up of the service instead of two. */
static void
begin_early(struct store_call *c)
{
	struct store *s = c->store;

	store_send_attach(s, true);
	c->early = true;
	store_send_call(c);
}

/* Sends it, or lets it wait. */
static struct store_call *
begin(struct store_call *c)
{
	struct store *s = c->store;
	bool first = s->idle;

	s->idle = false;
	if (s->attach == ATTACH_REFUSED) {
		store_call_fail(c, s->refused);
	} else if (s->attach == ATTACH_OK) {
		store_send_call(c);
	} else {
		c->deadline_ms = loop_now_ms(s->shard->pool->loop) + STORE_RETRY_MS;
		if (first && c->seq != 0 && s->shard->ipc != NULL)
			begin_early(c);
		store_shard_go(s->shard);
	}
	return c;
}

void
store_cancel(struct store_call **cp)
{
	struct store_call *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	if (c->req != 0 && c->store->shard->ipc != NULL)
		ipc_cancel(c->store->shard->ipc, c->req);
	store_call_free(c);
}

#define READ(name, type, no, reply)						\
struct store_call *								\
store_do_##name(struct store *s, const struct type *rq, store_done_fn fn, void *arg) \
{										\
	return begin(call(s, no, reply, false, rq, fn, arg));			\
}
#define CHANGE(name, type, no, reply)						\
struct store_call *								\
store_do_##name(struct store *s, const struct type *rq, store_done_fn fn, void *arg) \
{										\
	return begin(call(s, no, reply, true, rq, fn, arg));			\
}

READ(list, store_list, STORE_LIST, STORE_MAILBOXES)
READ(open, store_open, STORE_OPEN, STORE_OPENED)
READ(rows, store_rows, STORE_ROWS, STORE_ROWS_ARE)
READ(cache, store_cache_get, STORE_CACHE, STORE_CACHE_IS)
READ(columns, store_columns, STORE_COLUMNS, STORE_COLUMNS_ARE)
READ(marks, store_marks, STORE_MARKS, STORE_MARKS_ARE)
READ(body, store_body, STORE_BODY, STORE_BODY_IS)
READ(changes, store_changes, STORE_CHANGES, STORE_CHANGES_ARE)
READ(touched, store_touched, STORE_TOUCHED, STORE_TOUCHED_ARE)
CHANGE(create, store_create, STORE_CREATE, STORE_CREATED)
CHANGE(delete, store_delete, STORE_DELETE, 0)
CHANGE(rename, store_rename, STORE_RENAME, 0)
CHANGE(subscribe, store_subscribe, STORE_SUBSCRIBE, 0)
CHANGE(append, store_append, STORE_APPEND, STORE_APPENDED)
CHANGE(flags, store_flags, STORE_FLAGS, STORE_FLAGS_ARE)
CHANGE(expunge, store_expunge, STORE_EXPUNGE, STORE_EXPUNGED)
READ(annotations, store_annotations, STORE_ANNOTATIONS, STORE_ANNOTATIONS_ARE)
READ(annotated, store_annotated_get, STORE_ANNOTATED, STORE_ANNOTATED_ARE)
READ(text_find, store_text_find, STORE_TEXT_FIND, STORE_TEXT_FOUND)
CHANGE(annotate, store_annotate, STORE_ANNOTATE, STORE_FLAGS_ARE)
READ(lease, store_lease, STORE_LEASE, 0)
CHANGE(place, store_place, STORE_PLACE, STORE_APPENDED)
CHANGE(uidvalidity, store_uidvalidity, STORE_UIDVALIDITY, 0)
READ(sums, store_sums, STORE_SUMS, STORE_SUMS_ARE)
READ(uidls, store_uidls, STORE_UIDLS, STORE_UIDLS_ARE)
CHANGE(remove, store_remove, STORE_REMOVE, STORE_REMOVED)
READ(metadata_get, store_metadata_get, STORE_METADATA_GET, STORE_METADATA_IS)
CHANGE(quota_set, store_quota_set, STORE_QUOTA_SET, 0)
CHANGE(metadata_set, store_metadata_set, STORE_METADATA_SET, 0)
CHANGE(uidl_put, store_uidl_put, STORE_UIDL_PUT, 0)
CHANGE(copy, store_copy, STORE_COPY, STORE_COPIED)

CHANGE(url_key_make, store_url_key_make, STORE_URL_KEY_MAKE, STORE_URL_KEYED)
READ(url_sign, store_url_sign, STORE_URL_SIGN, STORE_URL_SIGNED)
READ(url_find, store_url_find, STORE_URL_FIND, STORE_URL_FOUND)
READ(url_body, store_url_body, STORE_URL_BODY, STORE_BODY_IS)

READ(restore, store_restore, STORE_RESTORE, STORE_RESTORING)
CHANGE(undelete, store_undelete, STORE_UNDELETE, STORE_RESTORED)

READ(acl, store_acl_get, STORE_ACL, STORE_ACL_IS)
CHANGE(acl_set, store_acl_set, STORE_ACL_SET, 0)
READ(shared, store_shared, STORE_SHARED, STORE_SHARED_ARE)

READ(emails, store_emails, STORE_EMAILS, STORE_EMAILS_ARE)
READ(email_changes, store_email_changes, STORE_EMAIL_CHANGES, STORE_EMAIL_CHANGES_ARE)
READ(mailbox_changes, store_mailbox_changes, STORE_MAILBOX_CHANGES, STORE_MAILBOX_CHANGES_ARE)
CHANGE(email_set, store_email_set, STORE_EMAIL_SET, STORE_EMAIL_SET_IS)
CHANGE(mailbox_set, store_mailbox_set, STORE_MAILBOX_SET, STORE_MAILBOX_SET_IS)
CHANGE(blob_put, store_blob_put, STORE_BLOB_PUT, STORE_BLOB_IS)
READ(blob_read, store_blob_read, STORE_BLOB_READ, STORE_BODY_IS)
READ(blobs, store_blobs, STORE_BLOBS, STORE_BLOBS_ARE)
CHANGE(push_set, store_push_set, STORE_PUSH_SET, STORE_PUSH_IS)
READ(script, store_script_get, STORE_SCRIPT, STORE_SCRIPT_IS)
CHANGE(script_set, store_script_set, STORE_SCRIPT_SET, STORE_SCRIPT_SET_IS)
READ(script_room, store_script_room, STORE_SCRIPT_ROOM, 0)
READ(sieve_keys, store_sieve_keys, STORE_SIEVE_KEYS, STORE_SIEVE_KEYS_ARE)
CHANGE(deliver, store_deliver, STORE_DELIVER, STORE_DELIVERED)
READ(event, store_event_get, STORE_EVENT, STORE_EVENT_ARE)

struct store_call *
store_do_scripts(struct store *s, store_done_fn fn, void *arg)
{
	return begin(call(s, STORE_SCRIPTS, STORE_SCRIPTS_ARE, false, NULL, fn, arg));
}

struct store_call *
store_do_states(struct store *s, store_done_fn fn, void *arg)
{
	return begin(call(s, STORE_STATES, STORE_STATES_ARE, false, NULL, fn, arg));
}

struct store_call *
store_do_pushes(struct store *s, store_done_fn fn, void *arg)
{
	return begin(call(s, STORE_PUSHES, STORE_PUSHES_ARE, false, NULL, fn, arg));
}

struct store_call *
store_do_quota(struct store *s, store_done_fn fn, void *arg)
{
	return begin(call(s, STORE_QUOTA, STORE_QUOTA_IS, false, NULL, fn, arg));
}

struct store_call *
store_do_watch(struct store *s, const struct store_watch *rq, store_done_fn fn, void *arg)
{
	s->watching = rq->on;
	return begin(call(s, STORE_WATCH, 0, false, rq, fn, arg));
}

struct store_call *
store_do_stage(struct store *s, const struct store_stage *rq, store_done_fn fn, void *arg)
{
	struct store_call *c = call(s, STORE_STAGE, 0, false, rq, fn, arg);
	struct stage *st = table_get_u64(&s->stages, rq->stage);

	if (st == NULL) {
		st = mem_zalloc(sizeof(*st));
		/* The first chunk may wait for the service; it begins there then. */
		st->epoch = s->shard->epoch + (s->shard->ipc == NULL);
		table_put_u64(&s->stages, rq->stage, st);
	}
	c->stage_epoch = st->epoch;
	return begin(c);
}

void
store_stage_free(struct store *s, uint32_t stage)
{
	const struct store_stage_drop rq = { stage };
	struct stage *st = table_del_u64(&s->stages, stage);

	if (st != NULL && st->epoch == s->shard->epoch && s->attach == ATTACH_OK)
		ipc_request(s->shard->ipc, s->chan, STORE_STAGE_DROP, &rq, store_ignore, NULL);
	mem_free(&st);
}
