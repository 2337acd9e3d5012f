/* COPY and MOVE into another account.  Its messages are read here and appended there, all in
 * one operation; a MOVE takes the old ones away afterwards, so that nothing is lost whatever
 * happens in between. */
#include "imapd/appending.h"

#include "imapd/names.h"
#include "imapd/sync.h"
#include "storage/client/body.h"

#define FIELDS (ROW_FLAGS | ROW_SIZE | ROW_IDS)

struct across {
	struct appending	to;
	struct buf		rows;
	struct buf		notes;		/* store_annotation... of all of them */
	struct reader		left;		/* of rows */
	struct store_row	row;		/* of the message that comes */
	struct body_reader	*reader;
	struct uidset		uids;		/* that came */
	uint64_t		offset;
	struct span		names[KEYWORD_MAX];	/* of its keywords */
	bool			move, waits;
};

static void
release(struct imap_cmd *cmd)
{
	struct across *x = cmd->data;

	body_reader_free(&x->reader);
	buf_fini(&x->rows);
	buf_fini(&x->notes);
	uidset_fini(&x->uids);
	appending_free(&x->to);
}

static void next_message(struct imap_cmd *cmd);
static void read_message(struct imap_cmd *cmd);

/* Those of the message that came: all that are shared, and the client's own. */
static void
take_notes(struct across *x)
{
	struct store_annotation a;
	struct reader r;

	reader_init(&r, x->notes.data, x->notes.len);
	while (x->notes.len > 0 && get_store_annotation(&r, &a)) {
		if (a.uid != x->row.uid)
			continue;
		a.uid = x->to.n_items + 1;
		put_store_annotation(&x->to.annotations, &a);
	}
}

static void
on_body(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct across *x = cmd->data;
	struct appending *q = &x->to;
	const struct store_body_is *is = msg;
	struct store_body_piece p;
	struct buf raw = { 0 };
	uint32_t resume = 0;
	struct reader r;

	if (st == ST_OK && is != NULL) {
		reader_init(&r, is->pieces.p, is->pieces.len);
		while (st == ST_OK && is->pieces.len > 0 && get_store_body_piece(&r, &p)) {
			buf_clear(&raw);
			st = body_reader_feed(x->reader, p.data, &raw);
			if (!appending_refused(q))
				appending_message_feed(cmd, buf_span(&raw));
		}
		resume = is->resume_uid;
		x->offset = is->resume_offset;
	}
	buf_fini(&raw);
	if (st != ST_OK && q->failed == ST_OK)
		q->failed = st;
	if (more)
		return;
	if (q->failed == ST_OK && resume == x->row.uid) {
		read_message(cmd);
		return;
	}
	if (q->failed == ST_OK && !body_reader_done(x->reader))
		q->refused = "NO [EXPUNGEISSUED] Some of the messages are gone";
	body_reader_free(&x->reader);
	take_notes(x);
	appending_message_end(cmd);
	uidset_add(&x->uids, x->row.uid);
	x->waits = true;
	next_message(cmd);
}

static void
read_message(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct across *x = cmd->data;
	struct store_body rq = { .mailbox = s->view->mailbox, .offset = x->offset,
		.budget = APPENDING_AHEAD * STORE_CHUNK_MAX };
	struct uidset one = { 0 };
	struct buf uids = { 0 };

	uidset_add(&one, x->row.uid);
	uidset_encode(&one, &uids);
	rq.uids = buf_span(&uids);
	store_do_body(s->store, &rq, on_body, cmd);
	uidset_fini(&one);
	buf_fini(&uids);
}

/* The keywords of the selected mailbox, by name. */
static void
take_keywords(struct imap_cmd *cmd, struct across *x, struct flags f)
{
	struct appending *q = &x->to;
	struct reader r;
	struct span name;
	unsigned bit = 0;

	q->flags.n_keywords = 0;
	q->flags.keywords = x->names;
	reader_init(&r, cmd->session->view->keywords.data, cmd->session->view->keywords.len);
	while (q->flags.n_keywords < KEYWORD_MAX && get_store_keyword(&r, &name))
		if (flags_has_keyword(f, bit++))
			q->flags.keywords[q->flags.n_keywords++] = arena_span(&cmd->arena, name);
}

static void
next_message(struct imap_cmd *cmd)
{
	struct across *x = cmd->data;
	struct appending *q = &x->to;

	if (!x->waits || appending_full(q))
		return;
	x->waits = false;
	if (appending_refused(q) || x->rows.len == 0 || !get_store_row(&x->left, &x->row, FIELDS)) {
		q->whole = true;
		if (q->n_items == 0 && !appending_refused(q))
			imap_cmd_done(cmd, ST_OK);
		else
			appending_commit(cmd);
		return;
	}
	appending_message_begin(q, x->row.size);
	q->flags = (struct imap_flags){ .system = flags_get_system(x->row.flags) };
	take_keywords(cmd, x, x->row.flags);
	q->received_s = x->row.received_s;
	q->received_zone = x->row.received_zone;
	q->message = x->row.message;
	q->thread = x->row.thread;
	x->reader = body_reader_new(0, 0);
	x->offset = 0;
	read_message(cmd);
}

#define NOTES_MAX (3u << 20)	/* what an append may bring */

static void
on_notes(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct across *x = cmd->data;
	const struct store_annotations_are *are = msg;

	if (st == ST_OK && are != NULL && x->notes.len <= NOTES_MAX)
		buf_add_span(&x->notes, are->entries);
	if (more)
		return;
	if (st != ST_OK && x->to.failed == ST_OK)
		x->to.failed = st;
	if (x->notes.len > NOTES_MAX)
		x->to.refused = "NO [LIMIT] Too many annotations at once";
	x->waits = true;
	next_message(cmd);
}

static void
ask_notes(struct imap_cmd *cmd)
{
	struct across *x = cmd->data;
	struct store_annotations rq = { .mailbox = cmd->session->view->mailbox,
		.which = ANNOTATIONS_PRIVATE | ANNOTATIONS_SHARED, .max_size = UINT32_MAX };
	struct buf set = { 0 }, names = { 0 };
	struct uidset uids = { 0 };
	struct store_row row;
	struct reader r = x->left;

	while (x->rows.len > 0 && get_store_row(&r, &row, FIELDS))
		uidset_add(&uids, row.uid);
	uidset_encode(&uids, &set);
	put_span(&names, SPAN_LIT("*"));
	rq.uids = buf_span(&set);
	rq.names = buf_span(&names);
	store_do_annotations(cmd->session->store, &rq, on_notes, cmd);
	uidset_fini(&uids);
	buf_fini(&set);
	buf_fini(&names);
}

static void
on_rows(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct across *x = cmd->data;
	const struct store_rows_are *are = msg;

	if (st == ST_OK && are != NULL) {
		imap_view_learn(cmd->session->view, are->keywords, imap_out(cmd->session));
		buf_add_span(&x->rows, are->rows);
	}
	if (more)
		return;
	x->to.failed = st;
	reader_init(&x->left, x->rows.data, x->rows.len);
	ask_notes(cmd);
}

static void
on_removed(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct imap_session *s = cmd->session;

	if (more)
		return;
	if (st != ST_OK) {
		imap_cmd_done(cmd, st);
		return;
	}
	/* RFC 6851 §4.3: before the EXPUNGEs. */
	buf_add_str(imap_out(s), "* ");
	buf_add_span(imap_out(s), buf_span(&cmd->result));
	buf_add_str(imap_out(s), "Moved\r\n");
	imap_tell_expunged(s, &((struct across *)cmd->data)->uids);
	imap_cmd_done(cmd, ST_OK);
}

static void
copied(struct imap_cmd *cmd, const struct store_appended *a, const struct uidset *made)
{
	struct imap_session *s = cmd->session;
	struct across *x = cmd->data;
	struct store_remove rq = { .how = REMOVE_EXPUNGE };
	struct buf uids = { 0 }, what = { 0 };

	buf_clear(&cmd->result);
	buf_addf(&cmd->result, "OK [COPYUID %u ", a->uidvalidity);
	uidset_print(&x->uids, &cmd->result);
	buf_add_c(&cmd->result, ' ');
	uidset_print(made, &cmd->result);
	buf_add_str(&cmd->result, "] ");
	if (!x->move) {
		buf_add_str(&cmd->result, "COPY completed");
		imap_cmd_end_result(cmd);
		return;
	}
	uidset_encode(&x->uids, &uids);
	put_store_uids(&what, &(struct store_uids){ s->view->mailbox, buf_span(&uids) });
	rq.what = buf_span(&what);
	store_do_remove(s->store, &rq, on_removed, cmd);
	buf_fini(&uids);
	buf_fini(&what);
}

void
imap_append_across(struct imap_cmd *cmd, const struct uidset *uids, struct span to, bool move)
{
	struct imap_session *s = cmd->session;
	struct across *x;
	struct store_rows rq = { .mailbox = s->view->mailbox, .fields = FIELDS };
	struct buf set = { 0 };

	if (uidset_count(uids) >= APPENDING_MAX) {
		imap_cmd_end(cmd, "NO [LIMIT] Too many messages at once");
		return;
	}
	if (move && (~s->view->rights & (RIGHT_DELETE_MSG | RIGHT_EXPUNGE))) {
		imap_cmd_done(cmd, ST_DENIED);
		return;
	}
	x = arena_zalloc(&cmd->arena, sizeof(*x));
	x->move = move;
	x->to.path = arena_span(&cmd->arena, to);
	x->to.go_on = next_message;
	x->to.carried = x->to.copies = true;
	x->to.done = copied;
	cmd->data = x;
	cmd->release = release;
	uidset_encode(uids, &set);
	rq.uids = buf_span(&set);
	store_do_rows(s->store, &rq, on_rows, cmd);
	buf_fini(&set);
}
