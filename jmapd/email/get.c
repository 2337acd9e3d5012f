/* Email/get (RFC 8621 §4.2).  What the mirror knows is taken from it at once; the rest comes in chunks
 * of Emails, which one request for each of their mailboxes fetches the blobs for, and another the
 * bytes where they are needed.  Emails whose blobs are of no use are loaded one by one. */
#include <stdlib.h>

#include "common/util/mem.h"
#include "jmapd/core/get.h"
#include "jmapd/core/ids.h"
#include "jmapd/email/bodies.h"
#include "jmapd/email/load.h"
#include "jmapd/email/methods.h"
#include "jmapd/mirror/mirror.h"

#define CHUNK	256u

struct get_row {
	struct mirror_email	e;
	uint64_t		mailbox;	/* a place where it is */
	uint32_t		uid;
	struct span		id, mailboxes, keywords;	/* JSON but for id; the arena's */
	size_t			list, list_len, structure, structure_len;	/* in blobs */
	bool			blobs, bytes, gone;	/* bytes: they are needed */
	struct email_object	*object;	/* of one with bytes */
	struct email_load	*load;		/* of one without blobs */
	struct get		*get;
};

/* Emails of a chunk in one mailbox. */
struct get_group {
	struct get		*get;
	uint64_t		mailbox;
	size_t			from, to, at;	/* in order[] */
	struct store_call	*call;
};

struct get {
	struct jmap_call	*c;
	struct jmap_get		ids;
	struct email_want	want;
	struct mirror_call	*fresh;
	struct get_row		*rows;
	size_t			n, chunk, chunk_end;	/* rows from chunk up to chunk_end are at hand */
	struct get_row		*order[CHUNK];	/* of the chunk, by place */
	struct get_group	groups[CHUNK];
	size_t			n_groups, pending, group;
	struct buf		blobs;
	struct bodies		*bodies;
	size_t			loading;	/* the row whose load runs */
	struct arena		work;
	enum status		failed;
};

size_t
email_room(const struct jmap_call *c)
{
	uint64_t max = c->host->limits->max_size_answer;

	return c->out->out->len < max ? (size_t)(max - c->out->out->len) : 0;
}

void
email_want_args(struct jmap_call *c, struct email_want *w, bool parse)
{
	const struct json *properties = jmap_arg_array(c, "properties");
	const struct json *parts = jmap_arg_array(c, "bodyProperties");
	const char *argument;
	struct span why;

	w->text_values = jmap_arg_bool(c, "fetchTextBodyValues", false);
	w->html_values = jmap_arg_bool(c, "fetchHTMLBodyValues", false);
	w->all_values = jmap_arg_bool(c, "fetchAllBodyValues", false);
	w->max_value_bytes = jmap_arg_uint(c, "maxBodyValueBytes", 0);
	if (!email_want_read(c->arena, properties, parts, parse, w, &argument, &why))
		jmap_arg_bad(c, argument, "%.*s", (int)why.len, why.p);
	else
		email_want_needs(w);
}

static void
close_row(struct get_row *row)
{
	if (row->object != NULL)
		email_close(row->object);
	mem_free(&row->object);
	email_load_free(&row->load);
}

static void
ended(struct jmap_call *c)
{
	struct get *g = c->state;

	mirror_cancel(&g->fresh);
	for (size_t i = 0; i < g->n_groups && c->account->store != NULL; i++)
		store_cancel(&g->groups[i].call);
	bodies_free(&g->bodies);
	for (size_t i = g->chunk; i < g->chunk_end; i++)
		close_row(&g->rows[i]);
	buf_fini(&g->blobs);
	arena_fini(&g->work);
	mem_free(&c->state);
}

/* --- what the mirror knows --- */

static void
put_own(void *arg, struct json_writer *w, enum email_property p)
{
	const struct get_row *row = arg;
	char id[JMAP_ID_MAX];

	switch (p) {
	case EMAIL_ID:
		json_string(w, row->id);
		break;
	case EMAIL_THREAD_ID:
		json_string(w, jmap_id(id, OBJECT_THREAD, row->e.thread));
		break;
	case EMAIL_MAILBOX_IDS:
		json_raw(w, row->mailboxes);
		break;
	case EMAIL_KEYWORDS_:
		json_raw(w, row->keywords);
		break;
	case EMAIL_SIZE:
		json_uint(w, row->e.size);
		break;
	default:
		header_put_date(w, row->e.received_s, 0);
		break;
	}
}

static struct span
mailboxes_of(struct get *g, const struct mirror *m, uint64_t id, unsigned n)
{
	struct buf out = { 0 };
	struct json_writer w;
	uint64_t mailbox, before;
	struct span text;
	char name[JMAP_ID_MAX];
	uint32_t uid;

	json_writer_init(&w, &out);
	json_begin_object(&w);
	for (unsigned i = 0; i < n; i++) {
		bool again = false;

		mirror_place(m, id, i, &mailbox, &uid);
		for (unsigned k = 0; k < i && !again; k++) {
			mirror_place(m, id, k, &before, &uid);
			again = before == mailbox;
		}
		if (again)
			continue;
		json_key_span(&w, jmap_id(name, OBJECT_MAILBOX, mailbox));
		json_bool(&w, true);
	}
	json_end_object(&w);
	text = arena_span(g->c->arena, buf_span(&out));
	buf_fini(&out);
	return text;
}

static struct span
keywords_of(struct get *g, const struct mirror *m, struct flags f)
{
	struct buf out = { 0 };
	struct json_writer w;
	struct span text, name;
	unsigned at = 0;

	json_writer_init(&w, &out);
	json_begin_object(&w);
	while (mirror_keyword_next(m, f, &at, &name)) {
		json_key_span(&w, name);
		json_bool(&w, true);
	}
	json_end_object(&w);
	text = arena_span(g->c->arena, buf_span(&out));
	buf_fini(&out);
	return text;
}

static void
add_row(struct get *g, const struct mirror *m, struct span id)
{
	struct get_row *row = &g->rows[g->n];
	uint64_t number;

	if (!object_id_parse(id, OBJECT_EMAIL, &number) || !mirror_get(m, number, &row->e)) {
		jmap_get_missing(&g->ids, id);
		return;
	}
	row->get = g;
	row->id = id;
	mirror_place(m, number, 0, &row->mailbox, &row->uid);
	if (email_wants(&g->want, EMAIL_MAILBOX_IDS))
		row->mailboxes = mailboxes_of(g, m, number, row->e.memberships);
	if (email_wants(&g->want, EMAIL_KEYWORDS_))
		row->keywords = keywords_of(g, m, row->e.flags);
	g->n++;
}

/* --- printing --- */

static struct email_object
object_of(struct get *g, struct get_row *row)
{
	return (struct email_object){ .want = &g->want, .put_own = put_own, .arg = row,
	    .blob = { .kind = BLOB_EMAIL, .number = row->e.id } };
}

static void
put_object(struct get *g, const struct email_object *o)
{
	email_put(o, g->c->out, &g->work);
	arena_reset(&g->work);
}

static struct span
of_blobs(const struct get *g, size_t at, size_t len)
{
	return len > 0 ? span(g->blobs.data + at, len) : SPAN_NONE;
}

static bool
open_row(struct get *g, const struct get_row *row, struct email_object *o)
{
	email_object_init(o, email_room(g->c));
	return email_open(o, of_blobs(g, row->list, row->list_len),
	    of_blobs(g, row->structure, row->structure_len));
}

static void next_chunk(struct get *g);
static void print(struct get *g);

static void
on_loaded(void *arg, enum status st, const struct email_object *o)
{
	struct get_row *row = arg;
	struct get *g = row->get;

	if (st == ST_OK)
		put_object(g, o);
	else if (st == ST_NOT_FOUND)
		jmap_get_missing(&g->ids, row->id);
	else
		g->failed = st;
	g->loading++;
	print(g);
}

/* Rows of the chunk from `loading` on. */
static void
print(struct get *g)
{
	for (; g->loading < g->chunk_end && g->failed == ST_OK && !jmap_call_full(g->c);
	    g->loading++) {
		struct get_row *row = &g->rows[g->loading];
		struct email_object o = object_of(g, row);

		if (row->gone) {
			jmap_get_missing(&g->ids, row->id);
		} else if (row->object != NULL) {
			put_object(g, row->object);
		} else if (row->blobs || g->want.needs == 0) {
			if (row->blobs) {
				open_row(g, row, &o);
				email_plan(&o);
			}
			put_object(g, &o);
			email_close(&o);
		} else {
			row->load = email_load_start(g->c, &o.blob, &g->want,
			    email_room(g->c), put_own, row, on_loaded, row);
			return;
		}
	}
	for (size_t i = g->chunk; i < g->chunk_end; i++)
		close_row(&g->rows[i]);
	g->chunk = g->chunk_end;
	next_chunk(g);
}

/* --- bytes --- */

static struct get_row *
row_of(const struct get_group *group, uint32_t uid)
{
	size_t lo = group->from, hi = group->to;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (group->get->order[mid]->uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < group->to && group->get->order[lo]->uid == uid ? group->get->order[lo] : NULL;
}

static uint64_t
body_wanted(void *arg, uint32_t uid)
{
	const struct get_row *row = row_of(arg, uid);
	uint64_t end = row != NULL ? pass_end(&row->object->pass) : 0;

	return end > 0 ? end : 1;
}

static void
body_data(void *arg, uint32_t uid, struct span piece)
{
	struct get_group *group = arg;
	struct get_row *row = row_of(group, uid);

	if (row == NULL)
		return;
	pass_feed(&row->object->pass, piece);
	if (row->object->pass.full)
		group->get->failed = ST_LIMIT;
}

static void
body_end(void *arg, uint32_t uid)
{
	struct get_row *row = row_of(arg, uid);

	if (row == NULL)
		return;
	pass_finish(&row->object->pass);
	row->bytes = false;
}

static void next_bodies(struct get *g);

static void
bodies_done(void *arg, enum status st)
{
	struct get_group *group = arg;
	struct get *g = group->get;

	bodies_free(&g->bodies);
	for (size_t i = group->from; i < group->to; i++)
		g->order[i]->gone |= g->order[i]->bytes;
	if (st != ST_OK)
		g->failed = st;
	g->group++;
	next_bodies(g);
}

static const struct bodies_ops bodies_ops = { body_wanted, body_data, body_end, bodies_done };

static void
next_bodies(struct get *g)
{
	struct uidset uids = { 0 };

	for (; g->group < g->n_groups && g->failed == ST_OK; g->group++) {
		struct get_group *group = &g->groups[g->group];

		for (size_t i = group->from; i < group->to; i++)
			if (g->order[i]->bytes)
				uidset_add(&uids, g->order[i]->uid);
		if (uidset_empty(&uids))
			continue;
		if (g->c->account->store != NULL)
			g->bodies = bodies_start(g->c->account->store, group->mailbox, &uids,
			    &bodies_ops, group);
		uidset_fini(&uids);
		if (g->bodies != NULL)
			return;
		g->failed = ST_UNAVAILABLE;
	}
	g->loading = g->chunk;
	print(g);
}

/* --- blobs --- */

/* Those whose bytes are needed keep their object open. */
static void
plan(struct get *g)
{
	g->pending = 0;
	for (size_t i = g->chunk; i < g->chunk_end; i++) {
		struct get_row *row = &g->rows[i];
		struct email_object o = object_of(g, row);

		row->blobs = open_row(g, row, &o);
		row->bytes = row->blobs && email_plan(&o);
		if (row->bytes) {
			row->object = mem_alloc(sizeof(o));
			*row->object = o;
			/* small ones lie in the structure itself */
			if (o.structure.offsets == o.structure.offset_small)
				row->object->structure.offsets = row->object->structure.offset_small;
		} else
			email_close(&o);
	}
	g->group = 0;
	next_bodies(g);
}

static void
take_entries(struct get_group *group, struct span entries)
{
	struct get *g = group->get;
	struct store_cache e;
	struct reader r;

	reader_init(&r, entries.p, entries.len);
	while (entries.len > 0 && get_store_cache(&r, &e)) {
		struct get_row *row;

		while (group->at < group->to && g->order[group->at]->uid < e.uid)
			group->at++;
		row = group->at < group->to ? g->order[group->at] : NULL;
		if (row == NULL || row->uid != e.uid)
			continue;
		row->list = g->blobs.len;
		row->list_len = e.list.len;
		buf_add_span(&g->blobs, e.list);
		row->structure = g->blobs.len;
		row->structure_len = e.structure.len;
		buf_add_span(&g->blobs, e.structure);
	}
}

static void
on_cache(void *arg, enum status st, bool more, const void *msg)
{
	struct get_group *group = arg;
	struct get *g = group->get;
	const struct store_cache_is *is = msg;

	if (st == ST_OK && is != NULL)
		take_entries(group, is->entries);
	if (more)
		return;
	group->call = NULL;
	/* A mailbox that is gone: its messages are looked for again, one by one. */
	if (st != ST_OK && st != ST_NOT_FOUND)
		g->failed = st;
	if (--g->pending == 0)
		plan(g);
}

static int
by_place(const void *a, const void *b)
{
	const struct get_row *x = *(struct get_row *const *)a, *y = *(struct get_row *const *)b;

	if (x->mailbox != y->mailbox)
		return x->mailbox < y->mailbox ? -1 : 1;
	return x->uid == y->uid ? 0 : x->uid < y->uid ? -1 : 1;
}

static void
make_groups(struct get *g)
{
	size_t n = g->chunk_end - g->chunk;

	for (size_t i = 0; i < n; i++)
		g->order[i] = &g->rows[g->chunk + i];
	qsort(g->order, n, sizeof(g->order[0]), by_place);
	g->n_groups = 0;
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || g->order[i]->mailbox != g->order[i - 1]->mailbox)
			g->groups[g->n_groups++] = (struct get_group){ .get = g, .from = i, .at = i,
			    .mailbox = g->order[i]->mailbox };
		g->groups[g->n_groups - 1].to = i + 1;
	}
}

static void
ask_blobs(struct get *g, struct get_group *group)
{
	struct store_cache_get rq = { .mailbox = group->mailbox };
	struct uidset uids = { 0 };
	struct buf set = { 0 };

	if (g->want.needs & WANT_LIST)
		rq.want |= CACHE_LIST;
	if (g->want.needs & WANT_STRUCTURE)
		rq.want |= CACHE_STRUCTURE;
	for (size_t i = group->from; i < group->to; i++)
		uidset_add(&uids, g->order[i]->uid);
	uidset_encode(&uids, &set);
	rq.uids = buf_span(&set);
	group->call = store_do_cache(g->c->account->store, &rq, on_cache, group);
	buf_fini(&set);
	uidset_fini(&uids);
}

static void
next_chunk(struct get *g)
{
	if (jmap_call_full(g->c) || g->failed == ST_LIMIT) {
		jmap_call_too_large(g->c);
		return;
	}
	if (g->failed == ST_OK && g->chunk < g->n && g->want.needs != 0 &&
	    g->c->account->store == NULL)
		g->failed = ST_UNAVAILABLE;
	if (g->failed != ST_OK) {
		jmap_call_status(g->c, g->failed, "reading the messages");
		return;
	}
	if (g->chunk == g->n) {
		jmap_get_end(g->c, &g->ids);
		return;
	}
	g->chunk_end = g->n - g->chunk < CHUNK ? g->n : g->chunk + CHUNK;
	if (g->want.needs == 0) {
		g->loading = g->chunk;
		print(g);
		return;
	}
	buf_clear(&g->blobs);
	make_groups(g);
	g->pending = g->n_groups;
	for (size_t i = 0; i < g->n_groups; i++)
		ask_blobs(g, &g->groups[i]);
}

static void
on_fresh(void *arg, enum status st)
{
	struct get *g = arg;
	const struct mirror *m = jmap_call_mirror(g->c);
	struct buf state = { 0 };

	g->fresh = NULL;
	if (st != ST_OK) {
		jmap_call_status(g->c, st, "reading the account");
		return;
	}
	type_state_put(mirror_state(m, MIRROR_EMAIL), &state);
	jmap_get_begin(g->c, &g->ids, buf_span(&state));
	buf_fini(&state);
	g->rows = arena_array(g->c->arena, g->ids.count + 1, sizeof(*g->rows));
	for (size_t i = 0; i < g->ids.count; i++)
		add_row(g, m, g->ids.ids[i]);
	next_chunk(g);
}

void
email_get(struct jmap_call *c)
{
	struct get *g = mem_zalloc(sizeof(*g));

	g->c = c;
	c->state = g;
	c->ended = ended;
	email_want_args(c, &g->want, false);
	if (!jmap_get_ids(c, &g->ids, false) || !jmap_args_end(c))
		return;
	g->fresh = mirror_fresh(jmap_call_mirror(c), on_fresh, g);
}
