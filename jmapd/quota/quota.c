/* Quota/get, /changes, /query and /queryChanges (RFC 9425).
 *
 * There are at most three of them, those that have a limit.  A state says what each of them was, so
 * that what changed since any state is known exactly, for ever, and nothing is kept for it. */
#include <stdlib.h>
#include <string.h>

#include "common/util/mem.h"
#include "jmapd/core/get.h"
#include "jmapd/core/query.h"
#include "jmapd/methods.h"
#include "storage/api/store_quota.h"

enum { QUOTAS = 3 };

static const struct kind {
	const char	*id, *resource, *name, *type, *description;
} kinds[QUOTAS] = {
	{ "Qoctets", "octets", "Storage", "Email", "Octets of all messages" },
	{ "Qmessages", "count", "Messages", "Email", "Number of messages in all mailboxes" },
	{ "Qmailboxes", "count", "Mailboxes", "Mailbox", "Number of mailboxes" },
};

struct usage {
	uint64_t	used[QUOTAS], limit[QUOTAS];	/* limit 0: there is no such quota */
};

enum { BY_NAME, BY_USED };
static const char *const sort_properties[] = { "name", "used" };

struct quota_call {
	void			(*ready)(struct jmap_call *c);
	struct store_call	*asking;
	struct usage		now, old;
	struct jmap_get		get;
	uint64_t		properties;
	struct span		since;
	uint64_t		max;
	struct jmap_query	query;
	struct jmap_query_changes changes;
	const struct json	*filter;
	struct jmap_sort	sort[JMAP_SORT_MAX];
	size_t			sorts;
};

/* ---- what there is ---- */

static void
on_ended(struct jmap_call *c)
{
	struct quota_call *q = c->state;

	if (q->asking != NULL)
		store_cancel(&q->asking);
}

static struct quota_call *
begin(struct jmap_call *c)
{
	struct quota_call *q = arena_zalloc(c->arena, sizeof(*q));

	c->state = q;
	c->ended = on_ended;
	return q;
}

static struct usage
usage_of(const struct store_quota_is *is)
{
	return (struct usage){ { is->bytes, is->messages, is->mailboxes },
		{ is->bytes_limit, is->messages_limit, is->mailboxes_limit } };
}

static void
on_quota(void *arg, enum status st, bool more, const void *msg)
{
	struct jmap_call *c = arg;
	struct quota_call *q = c->state;
	const struct store_quota_is *is = msg;

	q->asking = NULL;
	if (st != ST_OK || is == NULL) {
		jmap_call_status(c, st, "reading the quotas");
		return;
	}
	q->now = usage_of(is);
	/* All types here are those of mail (RFC 9425 §4.1). */
	if (!jmap_call_uses(c, JMAP_MAIL))
		memset(q->now.limit, 0, sizeof(q->now.limit));
	q->ready(c);
}

static void
load(struct jmap_call *c, void (*ready)(struct jmap_call *c))
{
	struct quota_call *q = c->state;

	q->ready = ready;
	q->asking = store_do_quota(c->account->store, on_quota, c);
}

static void
state_put(const struct usage *u, struct buf *out)
{
	const struct store_quota_is is = { u->used[0], u->limit[0], u->used[1], u->limit[1],
		u->used[2], u->limit[2] };

	store_quota_state(&is, out);
}

static bool
state_parse(struct span text, struct usage *u)
{
	struct store_quota_is is;

	if (!store_quota_parse(text, &is))
		return false;
	*u = usage_of(&is);
	return true;
}

/* ---- Quota/get ---- */

static const char *const properties[] = {
	"id", "resourceType", "used", "hardLimit", "scope", "name", "types", "warnLimit",
	"softLimit", "description"
};

static void
put_quota(struct json_writer *w, const struct usage *u, int i, uint64_t want)
{
	const char *text[] = { kinds[i].id, kinds[i].resource, NULL, NULL, "account",
		kinds[i].name, NULL, NULL, NULL, kinds[i].description };

	json_begin_object(w);
	for (size_t k = 0; k < ARRAY_LEN(properties); k++) {
		if (!(want >> k & 1))
			continue;
		json_key(w, properties[k]);
		if (k == 2 || k == 3) {
			json_uint(w, k == 2 ? u->used[i] : u->limit[i]);
		} else if (k == 6) {
			json_begin_array(w);
			json_str(w, kinds[i].type);
			json_end_array(w);
		} else {
			json_str(w, text[k]);
		}
	}
	json_end_object(w);
}

static int
find(const struct usage *u, struct span id)
{
	for (int i = 0; i < QUOTAS; i++)
		if (u->limit[i] > 0 && span_eq_str(id, kinds[i].id))
			return i;
	return -1;
}

static void
get_ready(struct jmap_call *c)
{
	struct quota_call *q = c->state;
	struct buf state = { 0 };

	state_put(&q->now, &state);
	jmap_get_begin(c, &q->get, buf_span(&state));
	buf_fini(&state);
	for (int i = 0; q->get.all && i < QUOTAS; i++)
		if (q->now.limit[i] > 0)
			put_quota(c->out, &q->now, i, q->properties);
	for (size_t k = 0; k < q->get.count; k++) {
		int i = find(&q->now, q->get.ids[k]);

		if (i >= 0)
			put_quota(c->out, &q->now, i, q->properties);
		else
			jmap_get_missing(&q->get, q->get.ids[k]);
	}
	jmap_get_end(c, &q->get);
}

static void
quota_get(struct jmap_call *c)
{
	struct quota_call *q = begin(c);

	if (!jmap_get_ids(c, &q->get, true))
		return;
	q->properties = jmap_get_properties(c, properties, ARRAY_LEN(properties));
	if (jmap_args_end(c))
		load(c, get_ready);
}

/* ---- Quota/changes ---- */

static int
became(const struct quota_call *q, int i)
{
	bool was = q->old.limit[i] > 0, is = q->now.limit[i] > 0;

	if (was != is)
		return is ? 1 : -1;
	return is && (q->old.used[i] != q->now.used[i] || q->old.limit[i] != q->now.limit[i]) ?
	    2 : 0;
}

static void
put_those(struct jmap_call *c, const char *name, int what)
{
	const struct quota_call *q = c->state;

	json_key(c->out, name);
	json_begin_array(c->out);
	for (int i = 0; i < QUOTAS; i++)
		if (became(q, i) == what)
			json_str(c->out, kinds[i].id);
	json_end_array(c->out);
}

static void
changes_ready(struct jmap_call *c)
{
	const struct quota_call *q = c->state;
	struct buf state = { 0 };
	size_t changes = 0;
	bool only_used = true;

	for (int i = 0; i < QUOTAS; i++) {
		changes += became(q, i) != 0;
		only_used &= became(q, i) != 2 || q->old.limit[i] == q->now.limit[i];
	}
	if (changes > q->max) {
		jmap_call_error(c, "cannotCalculateChanges",
		    "more changed than maxChanges allows, and there is no state in between");
		return;
	}
	state_put(&q->now, &state);
	json_begin_object(c->out);
	json_kv_string(c->out, "accountId", c->account->id);
	json_kv_string(c->out, "oldState", q->since);
	json_kv_string(c->out, "newState", buf_span(&state));
	buf_fini(&state);
	json_kv_bool(c->out, "hasMoreChanges", false);
	put_those(c, "created", 1);
	put_those(c, "updated", 2);
	put_those(c, "destroyed", -1);
	json_key(c->out, "updatedProperties");
	if (only_used) {
		json_begin_array(c->out);
		json_str(c->out, "used");
		json_end_array(c->out);
	} else {
		json_null(c->out);
	}
	json_end_object(c->out);
	jmap_call_done(c);
}

static void
quota_changes(struct jmap_call *c)
{
	struct quota_call *q = begin(c);

	q->since = jmap_arg_string(c, "sinceState");
	q->max = jmap_arg_uint(c, "maxChanges", UINT64_MAX);
	if (q->since.p == NULL)
		jmap_arg_bad(c, "sinceState", "a state is required");
	if (q->max == 0)
		jmap_arg_bad(c, "maxChanges", "must be above 0");
	if (!jmap_args_end(c))
		return;
	if (state_parse(q->since, &q->old))
		load(c, changes_ready);
	else
		jmap_call_error(c, "cannotCalculateChanges", "sinceState is no state of quotas");
}

/* ---- Quota/query ---- */

static bool
condition_matches(const struct json *f, void *arg)
{
	const struct kind *kind = arg;
	const struct json *v;
	struct span key, text = SPAN_NONE;
	void *pos = NULL;

	while (json_next(f, &pos, &key, &v)) {
		json_as_string(v, &text);
		if (span_eq_str(key, "name") && text.len > 0 &&
		    memmem(kind->name, strlen(kind->name), text.p, text.len) == NULL)
			return false;
		if ((span_eq_str(key, "scope") && !span_eq_str(text, "account")) ||
		    (span_eq_str(key, "resourceType") && !span_eq_str(text, kind->resource)) ||
		    (span_eq_str(key, "type") && !span_eq_str(text, kind->type)))
			return false;
	}
	return true;
}

static const char *
check_condition(const struct json *f)
{
	const struct json *v;
	struct span key;
	void *pos = NULL;

	while (json_next(f, &pos, &key, &v)) {
		if (!span_eq_str(key, "name") && !span_eq_str(key, "scope") &&
		    !span_eq_str(key, "resourceType") && !span_eq_str(key, "type"))
			return "";
		if (!json_is_string(v))
			return "name, scope, resourceType and type are strings";
	}
	return NULL;
}

static bool
read_query(struct jmap_call *c, const struct json *filter, const struct json *sort)
{
	struct quota_call *q = c->state;

	q->filter = filter;
	return jmap_args_end(c) &&
	    jmap_filter_check_all(c, filter, check_condition,
	    "quotas has name, scope, resourceType and type") &&
	    jmap_sort_read(c, sort, sort_properties, ARRAY_LEN(sort_properties),
	    "quotas are sorted by name and used", q->sort, &q->sorts);
}

static bool
comes_before(const struct quota_call *q, const struct usage *u, int a, int b)
{
	for (size_t i = 0; i < q->sorts; i++) {
		int d = q->sort[i].by == BY_NAME ? strcmp(kinds[a].name, kinds[b].name) :
		    (u->used[a] > u->used[b]) - (u->used[a] < u->used[b]);

		if (d != 0)
			return q->sort[i].descending ? d > 0 : d < 0;
	}
	return a < b;
}

/* The places in kinds[], in order; returns how many. */
static size_t
find_all(const struct quota_call *q, const struct usage *u, int found[QUOTAS])
{
	size_t n = 0, k;

	for (int i = 0; i < QUOTAS; i++) {
		if (u->limit[i] == 0 ||
		    !jmap_filter_matches(q->filter, condition_matches, (void *)&kinds[i]))
			continue;
		for (k = n++; k > 0 && comes_before(q, u, i, found[k - 1]); k--)
			found[k] = found[k - 1];
		found[k] = i;
	}
	return n;
}

static void
query_ready(struct jmap_call *c)
{
	struct quota_call *q = c->state;
	int found[QUOTAS];
	size_t n = find_all(q, &q->now, found), from, count, anchor = SIZE_MAX;
	struct buf state = { 0 };

	for (size_t i = 0; i < n; i++)
		if (q->query.anchor.p != NULL && span_eq_str(q->query.anchor, kinds[found[i]].id))
			anchor = i;
	if (!jmap_query_window(c, &q->query, n, anchor, &from, &count))
		return;
	state_put(&q->now, &state);
	jmap_query_begin(c, &q->query, buf_span(&state), true, from, n, 0);
	buf_fini(&state);
	for (size_t i = from; i < from + count; i++)
		json_str(c->out, kinds[found[i]].id);
	jmap_query_end(c);
}

static void
quota_query(struct jmap_call *c)
{
	struct quota_call *q = begin(c);

	jmap_query_args(c, &q->query);
	if (read_query(c, q->query.filter, q->query.sort))
		load(c, query_ready);
}

/* ---- Quota/queryChanges ---- */

static void
query_changes_ready(struct jmap_call *c)
{
	struct quota_call *q = c->state;
	int was[QUOTAS], is[QUOTAS];
	size_t n_was = find_all(q, &q->old, was), n_is = find_all(q, &q->now, is);
	bool same = n_was == n_is && memcmp(was, is, n_is * sizeof(*is)) == 0;
	struct buf state = { 0 };

	if (!same && n_was + n_is > q->changes.max) {
		jmap_call_error(c, "tooManyChanges", "more changed than maxChanges allows");
		return;
	}
	state_put(&q->now, &state);
	json_begin_object(c->out);
	json_kv_string(c->out, "accountId", c->account->id);
	json_kv_string(c->out, "oldQueryState", q->changes.since);
	json_kv_string(c->out, "newQueryState", buf_span(&state));
	buf_fini(&state);
	if (q->changes.calculate_total)
		json_kv_uint(c->out, "total", n_is);
	json_key(c->out, "removed");
	json_begin_array(c->out);
	for (size_t i = 0; !same && i < n_was; i++)
		json_str(c->out, kinds[was[i]].id);
	json_end_array(c->out);
	json_key(c->out, "added");
	json_begin_array(c->out);
	for (size_t i = 0; !same && i < n_is; i++) {
		json_begin_object(c->out);
		json_kv_str(c->out, "id", kinds[is[i]].id);
		json_kv_uint(c->out, "index", i);
		json_end_object(c->out);
	}
	json_end_array(c->out);
	json_end_object(c->out);
	jmap_call_done(c);
}

static void
quota_query_changes(struct jmap_call *c)
{
	struct quota_call *q = begin(c);

	jmap_query_changes_args(c, &q->changes);
	if (!read_query(c, q->changes.filter, q->changes.sort))
		return;
	if (state_parse(q->changes.since, &q->old))
		load(c, query_changes_ready);
	else
		jmap_call_error(c, "cannotCalculateChanges",
		    "sinceQueryState is no state of quotas");
}

const struct jmap_method jmap_quota_methods[] = {
	{ "Quota/get", JMAP_QUOTA, quota_get, 0 },
	{ "Quota/changes", JMAP_QUOTA, quota_changes, 0 },
	{ "Quota/query", JMAP_QUOTA, quota_query, 0 },
	{ "Quota/queryChanges", JMAP_QUOTA, quota_query_changes, 0 },
	{ 0 }
};
