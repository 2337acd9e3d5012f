#include "imapd/appending.h"

#include "common/util/bytes.h"
#include "imapd/events.h"
#include "imapd/limits.h"
#include "imapd/names.h"
#include "imapd/notify.h"
#include "storage/client/packer.h"

#define INLINE_ALL_MAX		(1u << 20)	/* bodies of one command inside the request */
#define ITEMS_BYTES_MAX		(3u << 20)	/* of the request's list, without texts */
#define TEXT_BYTES_MAX		(768u << 10)	/* of the messages' texts in it */

static void
message_free(struct appending *q)
{
	packer_free(&q->packer);
	buf_fini(&q->stored);
}

void
appending_free(struct appending *q)
{
	for (unsigned i = 0; i < q->n_stages && q->store != NULL; i++)
		store_stage_free(q->store, q->stages[i]);
	message_free(q);
	buf_fini(&q->keywords);
	buf_fini(&q->items);
	buf_fini(&q->annotations);
}

/* Ends a command whose bytes are all here, or that need not be read to the end. */
static void
refuse(struct imap_cmd *cmd)
{
	struct appending *q = cmd->data;

	if (q->refused != NULL)
		imap_cmd_end(cmd, q->refused);
	else if (q->failed == ST_NOT_FOUND)
		imap_cmd_end(cmd, "NO [TRYCREATE] No such mailbox");
	else if (q->failed == ST_CONFLICT && q->replace_uid != 0)
		imap_cmd_end(cmd, "NO [EXPUNGEISSUED] The message to be replaced is gone");
	else
		imap_cmd_done(cmd, q->failed);
}

static unsigned
keyword_bit(struct imap_cmd *cmd, struct appending *q, struct span name)
{
	unsigned i;

	for (i = 0; i < q->n_keywords; i++) {
		if (span_caseeq(q->names[i], name))
			return i;
	}
	if (i == KEYWORD_MAX)
		return i;
	q->names[i] = arena_span(&cmd->arena, name);
	put_store_keyword(&q->keywords, q->names[i]);
	return q->n_keywords++;
}

/* The store of the mailbox that is named. */
struct store *
appending_target(struct imap_cmd *cmd)
{
	struct appending *q = cmd->data;

	if (q->store == NULL) {
		q->path_there = q->path;
		q->store = imap_route(cmd->session, &q->path_there);
	}
	return q->store;
}

/* ---- staging ---- */

static void go_on(struct imap_cmd *cmd);

static void
on_staged(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct appending *q = cmd->data;

	if (more)
		return;
	q->pending--;
	if (st != ST_OK && q->failed == ST_OK)
		q->failed = st;
	go_on(cmd);
}

/* Gives the store what has gathered: full chunks, or all. */
static void
stage_some(struct imap_cmd *cmd, bool all)
{
	struct imap_session *s = cmd->session;
	struct appending *q = cmd->data;

	if (q->stage == 0) {
		if (q->n_stages == APPENDING_MAX) {
			q->refused = "NO [LIMIT] Too many messages at once";
			return;
		}
		q->stage = ++s->next_stage;
		q->stages[q->n_stages++] = q->stage;
	}
	while (q->stored.len >= STORE_CHUNK_MAX || (all && q->stored.len > 0)) {
		struct store_stage rq = { .stage = q->stage };

		rq.data = span_sub(buf_span(&q->stored), 0, STORE_CHUNK_MAX);
		store_do_stage(appending_target(cmd), &rq, on_staged, cmd);
		q->pending++;
		buf_drop(&q->stored, rq.data.len);
	}
}

/* ---- one message ---- */

void
appending_message_begin(struct appending *q, uint64_t size_hint)
{
	message_free(q);
	q->packer = packer_new(size_hint);
	q->stage = 0;
}

void
appending_message_feed(struct imap_cmd *cmd, struct span bytes)
{
	struct appending *q = cmd->data;

	packer_feed(q->packer, bytes, &q->stored);
	if (q->stored.len > STORE_INLINE_MAX)
		stage_some(cmd, false);
}

static void
put_item(struct imap_cmd *cmd, struct store_append_item it)
{
	struct appending *q = cmd->data;

	it.flags = flags_system(q->flags.system);
	it.received_s = q->received_s;
	it.received_zone = q->received_zone;
	it.stage = q->stage;
	it.message = q->message;
	it.thread = q->thread;
	for (size_t i = 0; i < q->flags.n_keywords; i++) {
		unsigned bit = keyword_bit(cmd, q, q->flags.keywords[i]);

		if (bit == KEYWORD_MAX)
			q->refused = "NO [LIMIT] Too many keywords";
		else
			flags_set_keyword(&it.flags, bit);
	}
	if (it.list.len > STORE_CACHE_MAX)
		it.list = SPAN_NONE;
	if (it.structure.len > STORE_CACHE_MAX)
		it.structure = SPAN_NONE;
	if (q->stage == 0)
		it.body = buf_span(&q->stored);
	if (q->text_bytes + it.text.len > TEXT_BYTES_MAX)
		it.text = SPAN_NONE;
	q->text_bytes += it.text.len;
	put_store_append_item(&q->items, &it);
}

static void
put_notes(struct appending *q, struct span structure)
{
	q->refused = imap_annotations_refusal(&q->notes);
	if (q->refused == NULL && !imap_annotations_parts_there(&q->notes, structure))
		q->refused = "BAD The message has no such part";
	if (q->refused == NULL)
		imap_annotations_put(&q->notes, q->n_items + 1, true, &q->annotations);
}

void
appending_message_end(struct imap_cmd *cmd)
{
	struct appending *q = cmd->data;
	struct store_append_item it;

	if (!appending_refused(q) && packer_size(q->packer) == 0)
		q->refused = "NO [CANNOT] A message must not be empty";
	if (!appending_refused(q) && q->replace_uid != 0 && q->n_items == 1)
		q->refused = "BAD One message is replaced by one";
	if (!appending_refused(q)) {
		packer_finish(q->packer, &q->stored, &it);
		q->inline_bytes += q->stored.len;
		if (q->stage != 0 || q->stored.len > STORE_INLINE_MAX ||
		    q->inline_bytes > INLINE_ALL_MAX)
			stage_some(cmd, true);
		if (!appending_refused(q))
			put_item(cmd, it);
		if (!appending_refused(q))
			put_notes(q, it.structure);
		if (q->items.len - q->text_bytes + q->annotations.len > ITEMS_BYTES_MAX || ++q->n_items == APPENDING_MAX)
			q->refused = "NO [LIMIT] Too many messages at once";
	}
	message_free(q);
}

/* ---- the end ---- */

static void
on_appended(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct imap_session *s = cmd->session;
	struct appending *q = cmd->data;
	const struct store_appended *a = msg;
	struct uidset uids = { 0 };
	struct reader r;

	if (more)
		return;
	if (st != ST_OK || a == NULL) {
		q->failed = st != ST_OK ? st : ST_BUG;
		refuse(cmd);
		return;
	}
	s->n_appended += q->n_items;
	if (s->view != NULL && s->view->mailbox == a->mailbox)
		s->view->dirty = true;
	reader_init(&r, a->uids.p, a->uids.len);
	if (a->uids.len > 0 && uidset_decode(&uids, &r, SIZE_MAX))
		imap_notify_own(s, a->mailbox, &uids);
	imap_event(cmd, q->store, q->copies ? EVENT_COPY : EVENT_APPEND, a->mailbox, 0, &uids);
	q->done(cmd, a, &uids);
	uidset_fini(&uids);
}

void
appending_commit(struct imap_cmd *cmd)
{
	struct appending *q = cmd->data;
	struct store *to = appending_target(cmd);
	struct store_append rq = {
		.path = q->path_there, .keywords = buf_span(&q->keywords), .items = buf_span(&q->items),
		.replace_mailbox = q->replace_uid != 0 ? q->replace_mailbox : 0,
		.replace_uid = q->replace_uid, .annotations = buf_span(&q->annotations),
		.carried = q->carried
	};

	if (q->pending > 0)
		return;
	if (appending_refused(q) || q->n_items == 0) {
		if (!appending_refused(q))
			q->refused = "BAD A message is missing";
		refuse(cmd);
		return;
	}
	if (imap_limit_refuse(cmd, q->limited ? q->n_items : 0, imap_save_limit(cmd->session), NULL))
		return;
	store_do_append(to, &rq, on_appended, cmd);
	buf_fini(&q->items);
}

static void
go_on(struct imap_cmd *cmd)
{
	struct appending *q = cmd->data;

	if (q->whole)
		appending_commit(cmd);
	else
		q->go_on(cmd);
}
