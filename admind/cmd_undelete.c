/* What was deleted or changed, had back:
 *   restore            address at mailbox? dry? exact?    lines: [{does path to messages uids}],
 *                                                         hidden, lost
 *   undelete-list      address mailbox? since? from?      messages: [{id mailbox uid deleted
 *                                                         received bytes from subject}], more
 *   undelete-message   address ids: [ID ...] to?          done, missing
 * at: Unix milliseconds; since, deleted, received: seconds.  hidden: lines that the answer had
 * no room for. */
#include "admind/commands.h"

#include <stdio.h>
#include <string.h>

#include "common/json/writer.h"
#include "common/mail/object_id.h"
#include "common/mime/field.h"
#include "common/mime/summary.h"
#include "common/util/mem.h"

#define ANSWER_MAX	(ADMIN_RESULT_MAX - 65536)
#define LIST_PAGE	200u
#define IDS_MAX		1000u
#define SUBJECT_MAX	400u

/* Restore ---------------------------------------------------------------------------- */

struct restoring {
	struct access		access;
	struct store_restore	rq;
	struct buf		path, out;
	struct json_writer	w;
	uint64_t		parts, hidden;
};

static void
restore_stop(struct request *rq)
{
	struct restoring *g = rq->state;

	access_end(&g->access);
	buf_fini(&g->path);
	buf_fini(&g->out);
	mem_free(&g);
}

static void
put_line(struct restoring *g, const struct store_restore_line *l)
{
	struct json_writer *w = &g->w;
	struct uidset set = { 0 };
	struct buf uids = { 0 };
	struct reader r;

	g->parts++;
	if (g->out.len > ANSWER_MAX) {
		g->hidden++;
		return;
	}
	reader_init(&r, l->uids.p, l->uids.len);
	if (l->uids.len > 0 && uidset_decode(&set, &r, IDS_MAX))
		uidset_print(&set, &uids);
	json_begin_object(w);
	json_kv_str(w, "does", restore_does_name(l->does));
	json_kv_string(w, "path", l->path);
	if (l->to.len > 0)
		json_kv_string(w, "to", l->to);
	if (l->messages > 0) {
		json_kv_uint(w, "messages", l->messages);
		json_kv_string(w, "uids", buf_span(&uids));
	}
	json_end_object(w);
	uidset_fini(&set);
	buf_fini(&uids);
}

static void
restore_over(struct restoring *g, const struct store_restoring *is)
{
	struct request *rq = g->access.rq;
	enum status st = (enum status)is->status;

	json_end_array(&g->w);
	json_kv_uint(&g->w, "hidden", g->hidden);
	json_kv_uint(&g->w, "lost", is->lost);
	json_end_object(&g->w);
	if (st == ST_OK)
		request_done(rq, ST_OK, buf_span(&g->out));
	else if (st == ST_EXPIRED)
		request_fail(rq, st, "history does not go back so far: the earliest time is @%lld",
		    (long long)(is->earliest_ms / 1000 + 1));
	else if (st == ST_NOT_FOUND && g->parts == 0)
		request_fail(rq, st, g->path.len > 0 ? "there was no such mailbox then" :
		    "there is no mail of this account");
	else if (st == ST_UNAVAILABLE)
		request_fail(rq, st, "a change of the account is still under way: ask again in a "
		    "moment");
	else
		request_fail(rq, st, "%llu parts were done, then the store said: %s; asked again "
		    "it goes on", (unsigned long long)g->parts, status_name(st));
}

static void
on_restoring(void *arg, enum status st, bool more, const void *msg)
{
	struct restoring *g = arg;
	struct request *rq = g->access.rq;
	const struct store_restoring *is = msg;
	struct store_restore_line l;
	struct reader r;

	if (!more)
		g->access.call = NULL;
	if (st != ST_OK || is == NULL) {
		fail_as_store(rq, st);
		return;
	}
	reader_init(&r, is->lines.p, is->lines.len);
	while (get_store_restore_line(&r, &l))
		put_line(g, &l);
	if (more)
		request_progress(rq, g->parts, 0);
	else
		restore_over(g, is);
}

static void
restore_go(struct access *x)
{
	struct restoring *g = x->rq->state;

	g->rq.path = buf_span(&g->path);
	x->call = store_do_restore(x->store, &g->rq, on_restoring, g);
}

static void
restore(struct request *rq)
{
	struct span address, path = SPAN_NONE;
	bool dry = false, exact = false;
	struct restoring *g;

	if (!need_address(rq, &address))
		return;
	g = mem_zalloc(sizeof(*g));
	rq->state = g;
	rq->stop = restore_stop;
	(void)json_get_string(rq->args, "mailbox", &path);
	(void)json_get_bool(rq->args, "dry", &dry);
	(void)json_get_bool(rq->args, "exact", &exact);
	if (!json_get_int(rq->args, "at", &g->rq.at_ms) || path.len > STORE_PATH_MAX) {
		request_fail(rq, ST_SYNTAX, "a time is needed");
		return;
	}
	g->rq.how = (uint8_t)((dry ? RESTORE_DRY : 0) | (exact ? RESTORE_EXACT : 0));
	buf_add_span(&g->path, path);
	json_writer_init(&g->w, &g->out);
	json_begin_object(&g->w);
	json_key(&g->w, "lines");
	json_begin_array(&g->w);
	access_start(&g->access, rq, address, restore_go);
}

/* List ------------------------------------------------------------------------------- */

struct place {
	uint64_t	id;
	size_t		path, len;	/* in listing->paths */
};

struct listing {
	struct access		access;
	struct store		*gone;		/* the channel on which it is read */
	struct store_call	*call;
	struct buf		out, paths, places;
	struct json_writer	w;
	struct buf		mailbox, cache, rows;
	uint64_t		from_mailbox;
	uint32_t		from_uid;
	int64_t			since;
	size_t			at;		/* in places */
	struct uidset		uids;		/* of the mailbox at hand, that are still to come */
	uint64_t		left;
};

static void
list_stop(struct request *rq)
{
	struct listing *l = rq->state;

	store_cancel(&l->call);
	store_close(&l->gone);
	access_end(&l->access);
	buf_fini(&l->out);
	buf_fini(&l->paths);
	buf_fini(&l->places);
	buf_fini(&l->mailbox);
	buf_fini(&l->cache);
	buf_fini(&l->rows);
	uidset_fini(&l->uids);
	mem_free(&l);
}

static void
list_end(struct listing *l, uint64_t mailbox, uint32_t uid)
{
	char more[48];

	json_end_array(&l->w);
	json_key(&l->w, "more");
	if (mailbox != 0) {
		snprintf(more, sizeof(more), "%llx:%u", (unsigned long long)mailbox, uid);
		json_string(&l->w, span_str(more));
	} else {
		json_null(&l->w);
	}
	json_end_object(&l->w);
	request_done(l->access.rq, ST_OK, buf_span(&l->out));
}

static void
list_failed(struct listing *l, enum status st)
{
	fail_as_store(l->access.rq, st);
}

static const struct place *
place(const struct listing *l)
{
	const struct place *p = (const void *)l->places.data;

	return l->at < l->places.len / sizeof(*p) ? &p[l->at] : NULL;
}

static void
put_who(struct json_writer *w, const struct mime_list *m)
{
	struct mime_seq from = mime_envelope_list(&m->env, MIME_FROM);
	struct mime_addr a;
	struct buf who = { 0 };

	if (mime_seq_addr(&from, &a) && a.kind == MIME_ADDR_MAILBOX)
		buf_addf(&who, "%.*s@%.*s", (int)a.local.len, a.local.p, (int)a.domain.len,
		    a.domain.p);
	json_kv_string(w, "from", buf_span(&who));
	buf_fini(&who);
}

static void
put_seen_in_list(struct json_writer *w, struct span blob)
{
	struct mime_list m;
	struct buf subject = { 0 };

	if (mime_list_read(blob, &m) != ST_OK)
		return;
	put_who(w, &m);
	mime_words_decode(span_sub(m.env.subject, 0, SUBJECT_MAX), &subject);
	json_kv_string(w, "subject", buf_span(&subject));
	buf_fini(&subject);
}

static void
put_message(struct listing *l, const struct place *p, const struct store_row *row,
    struct span blob)
{
	struct json_writer *w = &l->w;
	struct buf id = { 0 };

	object_id_put(&id, OBJECT_EMAIL, row->message);
	json_begin_object(w);
	json_kv_string(w, "id", buf_span(&id));
	json_kv_string(w, "mailbox", span(l->paths.data + p->path, p->len));
	json_kv_uint(w, "uid", row->uid);
	json_kv_int(w, "deleted", row->saved_s);
	json_kv_int(w, "received", row->received_s);
	json_kv_uint(w, "bytes", row->size);
	put_seen_in_list(w, blob);
	json_end_object(w);
	buf_fini(&id);
}

static struct span
cache_of(const struct listing *l, uint32_t uid)
{
	struct store_cache c;
	struct reader r;

	reader_init(&r, l->cache.data, l->cache.len);
	while (get_store_cache(&r, &c))
		if (c.uid == uid)
			return c.list;
	return SPAN_NONE;
}

static void next_place(struct listing *l);
static void some_rows(struct listing *l);

static void
show_rows(struct listing *l)
{
	const struct place *p = place(l);
	struct store_row row;
	struct reader r;

	reader_init(&r, l->rows.data, l->rows.len);
	while (get_store_row(&r, &row, ROW_ALL)) {
		uidset_remove_range(&l->uids, 1, row.uid);
		if (row.saved_s < l->since)
			continue;
		put_message(l, p, &row, cache_of(l, row.uid));
		l->left -= l->left > 0;
		if ((l->left == 0 || l->out.len > ANSWER_MAX / 2) && row.uid < UINT32_MAX) {
			list_end(l, p->id, row.uid + 1);
			return;
		}
	}
	some_rows(l);
}

static void
on_cache(void *arg, enum status st, bool more, const void *msg)
{
	struct listing *l = arg;
	const struct store_cache_is *is = msg;

	if (!more)
		l->call = NULL;
	if (is != NULL)
		buf_add_span(&l->cache, is->entries);
	if (more)
		return;
	if (st == ST_OK)
		show_rows(l);
	else
		list_failed(l, st);
}

static void
on_rows(void *arg, enum status st, bool more, const void *msg)
{
	struct listing *l = arg;
	const struct store_rows_are *are = msg;
	struct store_cache_get get = { place(l)->id, SPAN_NONE, CACHE_LIST };
	struct uidset some = { 0 };
	struct store_row row;
	struct buf uids = { 0 };
	struct reader r;

	if (!more)
		l->call = NULL;
	if (are != NULL)
		buf_add_span(&l->rows, are->rows);
	if (more)
		return;
	if (st != ST_OK) {
		list_failed(l, st);
		return;
	}
	request_touch(l->access.rq);
	reader_init(&r, l->rows.data, l->rows.len);
	while (get_store_row(&r, &row, ROW_ALL))
		uidset_add(&some, row.uid);
	uidset_encode(&some, &uids);
	get.uids = buf_span(&uids);
	l->call = store_do_cache(l->gone, &get, on_cache, l);
	uidset_fini(&some);
	buf_fini(&uids);
}

/* The next ones of the mailbox at hand, or those of the next one. */
static void
some_rows(struct listing *l)
{
	struct store_rows rq = { place(l)->id, SPAN_NONE, ROW_ALL };
	struct uidset some = { 0 };
	struct buf uids = { 0 };

	if (uidset_empty(&l->uids)) {
		l->at++;
		next_place(l);
		return;
	}
	uidset_add_set(&some, &l->uids);
	if (uidset_count(&some) > LIST_PAGE)
		uidset_remove_range(&some, uidset_at(&some, LIST_PAGE), UINT32_MAX);
	/* Whatever is not there any more is done as well. */
	uidset_remove_set(&l->uids, &some);
	uidset_encode(&some, &uids);
	rq.uids = buf_span(&uids);
	buf_clear(&l->rows);
	buf_clear(&l->cache);
	l->call = store_do_rows(l->gone, &rq, on_rows, l);
	uidset_fini(&some);
	buf_fini(&uids);
}

static void
on_opened(void *arg, enum status st, bool more, const void *msg)
{
	struct listing *l = arg;
	const struct store_opened *o = msg;
	struct reader r;

	l->call = NULL;
	uidset_clear(&l->uids);
	if (st != ST_OK && st != ST_NOT_FOUND) {
		list_failed(l, st);
		return;
	}
	if (o != NULL) {
		reader_init(&r, o->uids.p, o->uids.len);
		(void)uidset_decode(&l->uids, &r, SIZE_MAX);
		if (o->mailbox == l->from_mailbox && l->from_uid > 1)
			uidset_remove_range(&l->uids, 1, l->from_uid - 1);
	}
	some_rows(l);
}

static void
next_place(struct listing *l)
{
	const struct place *p = place(l);
	struct store_open open = { .claim_recent = false };

	if (p == NULL) {
		list_end(l, 0, 0);
		return;
	}
	open.path = span(l->paths.data + p->path, p->len);
	l->call = store_do_open(l->gone, &open, on_opened, l);
}

static void
on_places(void *arg, enum status st, bool more, const void *msg)
{
	struct listing *l = arg;
	const struct store_mailboxes *are = msg;
	struct store_mailbox m;
	struct reader r;

	if (!more)
		l->call = NULL;
	reader_init(&r, NULL, 0);
	if (are != NULL)
		reader_init(&r, are->list.p, are->list.len);
	while (get_store_mailbox(&r, &m)) {
		const struct place p = { m.id, l->paths.len, m.path.len };

		if (m.id == 0)
			continue;
		buf_add_span(&l->paths, m.path);
		buf_add(&l->places, &p, sizeof(p));
	}
	if (more)
		return;
	if (st != ST_OK) {
		list_failed(l, st);
		return;
	}
	while (l->from_mailbox != 0 && place(l) != NULL && place(l)->id != l->from_mailbox)
		l->at++;
	next_place(l);
}

static void
ignore_event(void *arg, enum store_event ev, uint64_t modseq)
{
}

static void
list_go(struct access *x)
{
	struct listing *l = x->rq->state;
	const struct store_list rq = { buf_span(&l->mailbox) };

	l->gone = store_open_shared(x->rq->admind->pool, x->shard, buf_span(&x->ticket),
	    x->account | STORE_UNDELETED, ignore_event, NULL);
	l->call = store_do_list(l->gone, &rq, on_places, l);
}

static bool
take_from(struct listing *l, struct span from)
{
	char text[48];
	unsigned long long mailbox;

	if (from.len == 0 || from.len >= sizeof(text))
		return from.len == 0;
	memcpy(text, from.p, from.len);
	text[from.len] = '\0';
	if (sscanf(text, "%llx:%u", &mailbox, &l->from_uid) != 2)
		return false;
	l->from_mailbox = mailbox;
	return true;
}

static void
undelete_list(struct request *rq)
{
	struct span address, mailbox = SPAN_NONE, from = SPAN_NONE;
	struct listing *l;

	if (!need_address(rq, &address))
		return;
	l = mem_zalloc(sizeof(*l));
	rq->state = l;
	rq->stop = list_stop;
	l->left = LIST_PAGE;
	l->since = INT64_MIN;
	(void)json_get_int(rq->args, "since", &l->since);
	(void)json_get_string(rq->args, "mailbox", &mailbox);
	(void)json_get_string(rq->args, "from", &from);
	if (mailbox.len > STORE_PATH_MAX || !take_from(l, from)) {
		request_fail(rq, ST_SYNTAX, "the mailbox or the place to go on cannot be");
		return;
	}
	buf_add_span(&l->mailbox, mailbox);
	json_writer_init(&l->w, &l->out);
	json_begin_object(&l->w);
	json_key(&l->w, "messages");
	json_begin_array(&l->w);
	access_start(&l->access, rq, address, list_go);
}

/* Messages --------------------------------------------------------------------------- */

struct bringing {
	struct access	access;
	struct buf	ids, to;
};

static void
bring_stop(struct request *rq)
{
	struct bringing *b = rq->state;

	access_end(&b->access);
	buf_fini(&b->ids);
	buf_fini(&b->to);
	mem_free(&b);
}

static void
on_restored(void *arg, enum status st, bool more, const void *msg)
{
	struct bringing *b = arg;
	struct request *rq = b->access.rq;
	const struct store_restored *is = msg;
	struct buf out = { 0 };
	struct json_writer w;

	b->access.call = NULL;
	if (st == ST_NOT_FOUND) {
		request_fail(rq, st, "none of these messages is kept");
		return;
	}
	if (st != ST_OK || is == NULL) {
		fail_as_store(rq, st);
		return;
	}
	json_writer_init(&w, &out);
	json_begin_object(&w);
	json_kv_uint(&w, "done", is->done);
	json_kv_uint(&w, "missing", is->skipped);
	json_end_object(&w);
	request_done(rq, ST_OK, buf_span(&out));
	buf_fini(&out);
}

static void
bring_go(struct access *x)
{
	struct bringing *b = x->rq->state;
	const struct store_undelete rq = { .ids = buf_span(&b->ids), .to = buf_span(&b->to) };

	x->call = store_do_undelete(x->store, &rq, on_restored, b);
}

static bool
take_ids(struct bringing *b, const struct json *ids)
{
	size_t n = json_count(ids);

	for (size_t i = 0; i < n; i++) {
		struct span text;
		uint64_t id;

		if (!json_as_string(json_item(ids, i), &text) ||
		    !object_id_parse(text, OBJECT_EMAIL, &id))
			return false;
		put_u64(&b->ids, id);
	}
	return n > 0 && n <= IDS_MAX;
}

static void
undelete_message(struct request *rq)
{
	struct span address, to = SPAN_NONE;
	struct bringing *b;

	if (!need_address(rq, &address))
		return;
	b = mem_zalloc(sizeof(*b));
	rq->state = b;
	rq->stop = bring_stop;
	(void)json_get_string(rq->args, "to", &to);
	if (to.len > STORE_PATH_MAX || !take_ids(b, json_member(rq->args, "ids"))) {
		request_fail(rq, ST_SYNTAX, "1 to %u ids of messages are needed, as undelete list "
		    "shows them", IDS_MAX);
		return;
	}
	buf_add_span(&b->to, to);
	access_start(&b->access, rq, address, bring_go);
}

const struct admin_command admin_cmds_undelete[] = {
	{ "restore", restore, NULL },
	{ "undelete-list", undelete_list, NULL },
	{ "undelete-message", undelete_message, NULL },
	{ NULL, NULL, NULL }
};
