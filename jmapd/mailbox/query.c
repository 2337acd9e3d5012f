/* Mailbox/query and /queryChanges (RFC 8621 §2.3, §2.4): over the list of mailboxes, which is short.
 *
 * A query's state is the type's: what changed since is known by id, and with the tree options
 * whatever lies below it now may have moved or come and gone with it. */
#include <stdlib.h>

#include "common/mail/unicode.h"
#include "common/util/mem.h"
#include "jmapd/core/ids.h"
#include "jmapd/core/query.h"
#include "jmapd/mailbox/mailbox.h"
#include "jmapd/mailbox/mailboxes.h"

enum { BY_ORDER, BY_NAME, BY_PARENT };
static const char *const sort_properties[] = { "sortOrder", "name", "parentId" };

struct line {			/* a mailbox with what it is sorted by */
	const struct mailbox_row	*row;
	struct span			name;		/* folded */
	struct span			parent_name;
	struct line			*up;
	unsigned			depth;
	bool				matches, changed, created;
};

struct query {
	struct mailboxes	boxes;
	struct jmap_query	args;
	struct jmap_query_changes changes;
	bool			of_changes;
	struct type_state	since;
	const struct json	*filter;
	bool			sort_as_tree, filter_as_tree;
	struct jmap_sort	sort[JMAP_SORT_MAX];
	size_t			sorts;
	struct line		*lines, **found;
	size_t			count;			/* found */
	struct store_call	*asking;
	struct table		changed, created;	/* ids; the second is part of the first */
	uint64_t		*gone;
	size_t			n_gone;
};

static void
on_ended(struct jmap_call *c)
{
	struct query *q = c->state;

	if (q->asking != NULL)
		store_cancel(&q->asking);
	table_fini(&q->changed, NULL, NULL);
	table_fini(&q->created, NULL, NULL);
	mailboxes_fini(&q->boxes);
}

/* ---- arguments ---- */

static const char *
check_condition(const struct json *f)
{
	const struct json *v;
	struct span key, text;
	void *pos = NULL;
	bool b;

	while (json_next(f, &pos, &key, &v)) {
		if (span_eq_str(key, "parentId") || span_eq_str(key, "role")) {
			if (v != NULL && !json_as_string(v, &text))
				return "parentId and role are strings or null";
		} else if (span_eq_str(key, "name")) {
			if (!json_as_string(v, &text))
				return "name is a string";
		} else if (span_eq_str(key, "hasAnyRole") || span_eq_str(key, "isSubscribed")) {
			if (!json_as_bool(v, &b))
				return "hasAnyRole and isSubscribed are true or false";
		} else {
			return "";
		}
	}
	return NULL;
}

/* What both methods read; false: the call is over. */
static bool
read_args(struct jmap_call *c, struct query *q, const struct json *filter,
    const struct json *sort)
{
	q->sort_as_tree = jmap_arg_bool(c, "sortAsTree", false);
	q->filter_as_tree = jmap_arg_bool(c, "filterAsTree", false);
	q->filter = filter;
	return jmap_args_end(c) &&
	    jmap_filter_check_all(c, filter, check_condition,
	    "mailboxes has parentId, name, role, hasAnyRole and isSubscribed") &&
	    jmap_sort_read(c, sort, sort_properties, ARRAY_LEN(sort_properties),
	    "mailboxes are sorted by sortOrder, name and parentId", q->sort, &q->sorts);
}

/* ---- the filter ---- */

static struct span
folded(struct arena *arena, struct span text)
{
	struct buf b = { 0 };
	struct span s = text;

	if (unicode_nfc(text, true, &b))
		s = arena_span(arena, buf_span(&b));
	buf_fini(&b);
	return s;
}

static bool
contains(struct span s, struct span part)
{
	return part.len == 0 || (part.len <= s.len && memmem(s.p, s.len, part.p, part.len) != NULL);
}

static bool
is_parent(struct jmap_call *c, const struct mailbox_row *r, const struct json *v)
{
	struct span id;
	uint64_t number;

	if (!json_as_string(v, &id))
		return r->parent == 0;
	return object_id_parse(jmap_call_resolve(c, id), OBJECT_MAILBOX, &number) &&
	    number == r->parent;
}

struct candidate {
	struct jmap_call	*c;
	const struct line	*l;
};

static bool
condition_matches(const struct json *f, void *arg)
{
	const struct candidate *k = arg;
	struct jmap_call *c = k->c;
	const struct line *l = k->l;
	const char *role = mailbox_role_name(l->row->role);
	const struct json *v;
	struct span text = SPAN_NONE;
	bool b;

	if (json_find(f, "parentId", &v) && !is_parent(c, l->row, v))
		return false;
	if (json_get_string(f, "name", &text) && !contains(l->name, folded(c->arena, text)))
		return false;
	if (json_find(f, "role", &v)) {
		text = SPAN_NONE;
		if (json_as_string(v, &text) ? !span_eq_str(text, role) || *role == '\0' :
		    *role != '\0')
			return false;
	}
	if (json_get_bool(f, "hasAnyRole", &b) && b != (*role != '\0'))
		return false;
	return !json_get_bool(f, "isSubscribed", &b) || b == l->row->subscribed;
}

/* ---- the order ---- */

static int
compare(const struct query *q, const struct line *a, const struct line *b)
{
	for (size_t i = 0; i < q->sorts; i++) {
		const struct jmap_sort *s = &q->sort[i];
		int d = 0;

		if (s->by == BY_ORDER)
			d = (a->row->order > b->row->order) - (a->row->order < b->row->order);
		else if (s->by == BY_NAME)
			d = span_cmp(a->name, b->name);
		else
			d = span_cmp(a->parent_name, b->parent_name);
		if (d != 0)
			return s->descending ? -d : d;
	}
	return (a->row->id > b->row->id) - (a->row->id < b->row->id);
}

static int
compare_lines(const void *x, const void *y, void *arg)
{
	const struct query *q = arg;
	const struct line *a = *(struct line *const *)x, *b = *(struct line *const *)y;
	bool a_deeper = a->depth > b->depth;

	if (a == b)
		return 0;
	if (!q->sort_as_tree)
		return compare(q, a, b);
	while (a->depth > b->depth)
		a = a->up;
	while (b->depth > a->depth)
		b = b->up;
	if (a == b)			/* one lies above the other */
		return a_deeper ? 1 : -1;
	while (a->up != b->up) {
		a = a->up;
		b = b->up;
	}
	return compare(q, a, b);
}

static struct line *
line_of(struct query *q, uint64_t id)
{
	const struct mailbox_row *r = mailboxes_get(&q->boxes, id);

	return r != NULL ? &q->lines[r - q->boxes.rows] : NULL;
}

/* Rows come by path, so that what is above comes before. */
static void
find_all(struct jmap_call *c, struct query *q)
{
	size_t n = q->boxes.count;

	q->lines = arena_array(c->arena, n + 1, sizeof(*q->lines));
	q->found = arena_array(c->arena, n + 1, sizeof(struct line *));
	for (size_t i = 0; i < n; i++) {
		struct line *l = &q->lines[i];

		l->row = &q->boxes.rows[i];
		l->name = folded(c->arena, l->row->name);
		l->up = l->row->parent != 0 ? line_of(q, l->row->parent) : NULL;
	}
	for (size_t i = 0; i < n; i++) {
		struct line *l = &q->lines[i];

		for (struct line *up = l->up; up != NULL; up = up->up)
			l->depth++;
		l->parent_name = l->up != NULL ? l->up->name : SPAN_NONE;
		l->matches = jmap_filter_matches(q->filter, condition_matches,
		    &(struct candidate){ c, l });
	}
	for (size_t i = 0; i < n; i++) {
		struct line *l = &q->lines[i], *up = l;

		while (q->filter_as_tree && up != NULL && up->matches)
			up = up->up;
		if (q->filter_as_tree ? up == NULL : l->matches)
			q->found[q->count++] = l;
	}
	qsort_r(q->found, q->count, sizeof(struct line *), compare_lines, q);
}

/* ---- Mailbox/query ---- */

static void
query_ready(struct jmap_call *c)
{
	struct query *q = c->state;
	size_t from, count, anchor = SIZE_MAX;
	struct buf state = { 0 };
	char id[JMAP_ID_MAX];

	find_all(c, q);
	for (size_t i = 0; q->args.anchor.p != NULL && i < q->count; i++)
		if (span_eq(jmap_id(id, OBJECT_MAILBOX, q->found[i]->row->id), q->args.anchor))
			anchor = i;
	if (!jmap_query_window(c, &q->args, q->count, anchor, &from, &count))
		return;
	type_state_put(q->boxes.state, &state);
	jmap_query_begin(c, &q->args, buf_span(&state), true, from, q->count, 0);
	buf_fini(&state);
	for (size_t i = from; i < from + count; i++)
		json_string(c->out, jmap_id(id, OBJECT_MAILBOX, q->found[i]->row->id));
	jmap_query_end(c);
}

void
mailbox_query(struct jmap_call *c)
{
	struct query *q = arena_zalloc(c->arena, sizeof(*q));

	jmap_query_args(c, &q->args);
	if (!read_args(c, q, q->args.filter, q->args.sort))
		return;
	c->state = q;
	c->ended = on_ended;
	mailboxes_load(&q->boxes, c, false, query_ready);
}

/* ---- Mailbox/queryChanges ---- */

static void
put_removed(struct jmap_call *c, struct query *q)
{
	char id[JMAP_ID_MAX];

	json_key(c->out, "removed");
	json_begin_array(c->out);
	for (size_t i = 0; i < q->boxes.count; i++)
		if (q->lines[i].changed && !q->lines[i].created)
			json_string(c->out, jmap_id(id, OBJECT_MAILBOX, q->lines[i].row->id));
	for (size_t i = 0; i < q->n_gone; i++)
		json_string(c->out, jmap_id(id, OBJECT_MAILBOX, q->gone[i]));
	json_end_array(c->out);
}

static void
put_added(struct jmap_call *c, struct query *q)
{
	char id[JMAP_ID_MAX];

	json_key(c->out, "added");
	json_begin_array(c->out);
	for (size_t i = 0; i < q->count; i++) {
		if (!q->found[i]->changed)
			continue;
		json_begin_object(c->out);
		json_kv_string(c->out, "id", jmap_id(id, OBJECT_MAILBOX, q->found[i]->row->id));
		json_kv_uint(c->out, "index", i);
		json_end_object(c->out);
	}
	json_end_array(c->out);
}

/* Marks what changed; how many ids the answer would have. */
static size_t
mark_changed(struct query *q)
{
	size_t n = q->n_gone;

	for (size_t i = 0; i < q->boxes.count; i++) {
		struct line *up = &q->lines[i];
		bool tree = q->sort_as_tree || q->filter_as_tree;

		while (up != NULL && table_get_u64(&q->changed, up->row->id) == NULL)
			up = tree ? up->up : NULL;
		q->lines[i].changed = up != NULL;
		q->lines[i].created = table_get_u64(&q->created, q->lines[i].row->id) != NULL;
		n += q->lines[i].changed && !q->lines[i].created;
	}
	for (size_t i = 0; i < q->count; i++)
		n += q->found[i]->changed;
	return n;
}

static void
changes_ready(struct jmap_call *c)
{
	struct query *q = c->state;
	struct buf state = { 0 };

	find_all(c, q);
	if (mark_changed(q) > q->changes.max) {
		jmap_call_error(c, "tooManyChanges", "more changed than maxChanges allows");
		return;
	}
	type_state_put(q->boxes.state, &state);
	json_begin_object(c->out);
	json_kv_string(c->out, "accountId", c->account->id);
	json_kv_string(c->out, "oldQueryState", q->changes.since);
	json_kv_string(c->out, "newQueryState", buf_span(&state));
	if (q->changes.calculate_total)
		json_kv_uint(c->out, "total", q->count);
	put_removed(c, q);
	put_added(c, q);
	json_end_object(c->out);
	buf_fini(&state);
	jmap_call_done(c);
}

static void
on_changes(void *arg, enum status st, bool more, const void *msg)
{
	struct jmap_call *c = arg;
	struct query *q = c->state;
	const struct store_mailbox_changes_are *is = msg;
	struct store_mailbox_change one;
	struct reader r;

	if (!more)
		q->asking = NULL;
	if (st == ST_EXPIRED || st == ST_NOT_FOUND) {
		jmap_call_error(c, "cannotCalculateChanges",
		    "sinceQueryState is too old, or none of this account: query again");
		return;
	}
	if (st != ST_OK || is == NULL) {
		jmap_call_status(c, st, "finding what changed");
		return;
	}
	reader_init(&r, is->changes.p, is->changes.len);
	q->gone = arena_array(c->arena, is->changes.len + 1, sizeof(*q->gone));
	while (reader_left(&r) > 0 && get_store_mailbox_change(&r, &one)) {
		if (one.was && !one.is)
			q->gone[q->n_gone++] = one.mailbox;
		else if (one.is && (!one.was || (one.what & ~MAILBOX_CHANGED_COUNTS)))
			table_put_u64(&q->changed, one.mailbox, q);
		if (one.is && !one.was)
			table_put_u64(&q->created, one.mailbox, q);
	}
	/* Read after what changed: what changes in between comes again. */
	if (!more)
		mailboxes_load(&q->boxes, c, false, changes_ready);
}

void
mailbox_query_changes(struct jmap_call *c)
{
	struct query *q = arena_zalloc(c->arena, sizeof(*q));
	struct store_mailbox_changes rq = { 0 };

	jmap_query_changes_args(c, &q->changes);
	if (!read_args(c, q, q->changes.filter, q->changes.sort))
		return;
	if (!type_state_parse(q->changes.since, &q->since) || q->since.after != 0) {
		jmap_call_error(c, "cannotCalculateChanges",
		    "sinceQueryState is no state of this server: query again");
		return;
	}
	c->state = q;
	c->ended = on_ended;
	rq.since = q->since.modseq;
	rq.incarnation = q->since.incarnation;
	q->asking = store_do_mailbox_changes(c->account->store, &rq, on_changes, c);
}
