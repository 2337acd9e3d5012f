/* Email/query and Email/queryChanges (RFC 8621 §4.4, §4.5). */
#include <string.h>

#include "common/util/mem.h"
#include "jmapd/core/ids.h"
#include "jmapd/core/query.h"
#include "jmapd/methods.h"
#include "jmapd/mirror_changes.h"
#include "jmapd/query/diff.h"
#include "jmapd/query/methods_priv.h"
#include "jmapd/query/results.h"

struct query_call {
	struct jmap_call		*c;
	struct jmap_query		args;
	struct jmap_query_changes	changes;
	bool				of_changes;
	struct query			q;
	struct mirror			*m;
	struct mirror_call		*wait;
	struct query_run		*run;
	struct type_state		since, state;
	uint64_t			*ids;		/* found, while the history is asked for again */
	size_t				n_ids;
	uint64_t			version;
	struct diff			diff;
};

static void
on_ended(struct jmap_call *c)
{
	struct query_call *x = c->state;

	mirror_cancel(&x->wait);
	query_run_free(&x->run);
	query_fini(&x->q);
	diff_fini(&x->diff);
	mem_free(&x->ids);
}

static struct query_call *
call_begin(struct jmap_call *c)
{
	struct query_call *x = arena_zalloc(c->arena, sizeof(*x));

	x->c = c;
	c->state = x;
	c->ended = on_ended;
	return x;
}

bool
query_filter(struct jmap_call *c, const struct json *json, struct filter *f)
{
	struct buf why = { 0 };
	const char *type = NULL;
	bool ok;

	if (!jmap_filter_check(c, json))
		return false;
	ok = filter_compile(f, json, c->arena, &type, &why);
	if (!ok)
		jmap_call_error(c, type, "%s", buf_cstr(&why));
	buf_fini(&why);
	return ok;
}

/* Filter and sort become a query; false: the call is over. */
static bool
compile(struct query_call *x, const struct json *filter, const struct json *sort)
{
	struct jmap_call *c = x->c;
	struct jmap_comparator cmp;
	struct buf why = { 0 };
	const char *type = NULL;
	bool ok = true;

	if (!query_filter(c, filter, &x->q.filter))
		return false;
	for (size_t i = 0; ok && i < json_count(sort); i++) {
		if (!jmap_comparator(c, sort, i, &cmp))
			return false;
		ok = sort_add(&x->q.sort, &cmp, c->arena, &type, &why);
	}
	if (ok)
		query_end(&x->q);
	else
		jmap_call_error(c, type, "%s", buf_cstr(&why));
	buf_fini(&why);
	return ok;
}

void
query_refuse(struct jmap_call *c, enum status st)
{
	if (st == ST_LIMIT)
		jmap_call_error(c, "serverFail", "the account has more messages than fit into "
		    "jmap { mirror-memory }, or more text than can be sorted");
	else
		jmap_call_status(c, st, "finding the messages");
}

static struct span
state_text(struct type_state s, struct jmap_call *c)
{
	struct buf text = { 0 };
	struct span copy;

	type_state_put(s, &text);
	copy = arena_span(c->arena, buf_span(&text));
	buf_fini(&text);
	return copy;
}

static void
put_email(struct json_writer *w, uint64_t id)
{
	char text[JMAP_ID_MAX];

	json_string(w, jmap_id(text, OBJECT_EMAIL, id));
}

static size_t
index_of(struct span text, const uint64_t *ids, size_t n)
{
	uint64_t id;

	if (text.p == NULL || !object_id_parse(text, OBJECT_EMAIL, &id))
		return SIZE_MAX;
	for (size_t i = 0; i < n; i++) {
		if (ids[i] == id)
			return i;
	}
	return SIZE_MAX;
}

/* ---- Email/query ---- */

static void
answer_query(struct query_call *x, const uint64_t *ids, size_t n)
{
	struct jmap_call *c = x->c;
	size_t from, count;

	if (!jmap_query_window(c, &x->args, n, index_of(x->args.anchor, ids, n), &from, &count))
		return;
	jmap_query_begin(c, &x->args, state_text(x->state, c), true, from, n, 0);
	for (size_t i = 0; i < count; i++) {
		put_email(c->out, ids[from + i]);
		if (i % 1024 == 1023 && jmap_call_full(c)) {
			jmap_call_too_large(c);
			return;
		}
	}
	jmap_query_end(c);
}

/* ---- Email/queryChanges ---- */

static void
answer_changes(struct query_call *x, const uint64_t *ids, size_t n)
{
	struct jmap_call *c = x->c;
	struct diff *d = &x->diff;
	size_t last = SIZE_MAX;

	if (query_depends(&x->q) == 0)
		last = index_of(x->changes.up_to, ids, n);
	diff_end(d, ids, n, last);
	if (d->n_removed + d->n_added > x->changes.max) {
		jmap_call_error(c, "tooManyChanges", "%zu changes are more than maxChanges",
		    d->n_removed + d->n_added);
		return;
	}
	json_begin_object(c->out);
	json_kv_string(c->out, "accountId", c->account->id);
	json_kv_string(c->out, "oldQueryState", x->changes.since);
	json_kv_string(c->out, "newQueryState", state_text(x->state, c));
	if (x->changes.calculate_total)
		json_kv_uint(c->out, "total", n);
	json_key(c->out, "removed");
	json_begin_array(c->out);
	for (size_t i = 0; i < d->n_removed; i++)
		put_email(c->out, d->removed[i]);
	json_end_array(c->out);
	json_key(c->out, "added");
	json_begin_array(c->out);
	for (size_t i = 0; i < d->n_added; i++) {
		json_begin_object(c->out);
		json_key(c->out, "id");
		put_email(c->out, d->added[i].id);
		json_kv_uint(c->out, "index", d->added[i].index);
		json_end_object(c->out);
	}
	json_end_array(c->out);
	json_end_object(c->out);
	jmap_call_done(c);
}

/* ---- both ---- */

static void
answer(struct query_call *x, const uint64_t *ids, size_t n)
{
	if (x->of_changes)
		answer_changes(x, ids, n);
	else
		answer_query(x, ids, n);
}

static void
history_failed(struct query_call *x, enum status st)
{
	if (st == ST_EXPIRED)
		jmap_call_error(x->c, "cannotCalculateChanges",
		    "sinceQueryState is too old, or no state of this account");
	else
		query_refuse(x->c, st);
}

static void
on_history_again(void *arg, enum status st, const struct mirror_history *h)
{
	struct query_call *x = arg;

	x->wait = NULL;
	if (st != ST_OK) {
		history_failed(x, st);
		return;
	}
	diff_fini(&x->diff);
	x->diff = (struct diff){ .n_removed = 0 };
	diff_begin(&x->diff, x->m, h, query_depends(&x->q));
	answer(x, x->ids, x->n_ids);
}

/* While things were looked up others changed: what is told as removed must be all that the ids lack
 * that the client has, or the places of the added ones are wrong. */
static void
ask_history_again(struct query_call *x, const uint64_t *ids, size_t n)
{
	x->ids = mem_array(n + 1, sizeof(*ids));
	if (n > 0)
		memcpy(x->ids, ids, n * sizeof(*ids));
	x->n_ids = n;
	x->wait = mirror_history(x->m, x->since, on_history_again, x);
}

static void
on_results(void *arg, enum status st, const uint64_t *ids, size_t n)
{
	struct query_call *x = arg;

	if (st != ST_OK) {
		query_refuse(x->c, st);
		return;
	}
	results_keep(x->m, &x->q, x->version, ids, n);
	if (x->of_changes && (x->q.sort.reads || x->q.filter.n_lookups > 0))
		ask_history_again(x, ids, n);
	else
		answer(x, ids, n);
}

/* The mirror is fresh.  What is found later than this still belongs to this state. */
static void
find(struct query_call *x)
{
	const struct query_job job = { x->c->host->loop, x->c->account->store, x->m, &x->q };
	struct query_run *run;
	const uint64_t *ids;
	size_t n;

	x->state = mirror_state(x->m, MIRROR_EMAIL);
	if (results_find(x->m, &x->q, &ids, &n)) {
		answer(x, ids, n);
		return;
	}
	x->version = results_version(x->m);
	run = query_run_start(&job, on_results, x);
	if (run != NULL)	/* or x is gone */
		x->run = run;
}

static void
on_fresh(void *arg, enum status st)
{
	struct query_call *x = arg;

	x->wait = NULL;
	if (st != ST_OK)
		query_refuse(x->c, st);
	else
		find(x);
}

static void
run_query(struct jmap_call *c)
{
	struct query_call *x = call_begin(c);

	jmap_query_args(c, &x->args);
	x->q.collapse = jmap_arg_bool(c, "collapseThreads", false);
	if (!jmap_args_end(c) || !compile(x, x->args.filter, x->args.sort))
		return;
	x->m = jmap_call_mirror(c);
	x->wait = mirror_fresh(x->m, on_fresh, x);
}

static void
on_history(void *arg, enum status st, const struct mirror_history *h)
{
	struct query_call *x = arg;

	x->wait = NULL;
	if (st != ST_OK) {
		history_failed(x, st);
		return;
	}
	diff_begin(&x->diff, x->m, h, query_depends(&x->q));
	if (x->diff.n_removed == 0 && x->diff.again.count == 0 && !x->changes.calculate_total) {
		x->state = mirror_state(x->m, MIRROR_EMAIL);
		answer(x, NULL, 0);
		return;
	}
	find(x);
}

static void
run_query_changes(struct jmap_call *c)
{
	struct query_call *x = call_begin(c);

	x->of_changes = true;
	jmap_query_changes_args(c, &x->changes);
	x->q.collapse = jmap_arg_bool(c, "collapseThreads", false);
	if (!jmap_args_end(c) || !compile(x, x->changes.filter, x->changes.sort))
		return;
	if (!type_state_parse(x->changes.since, &x->since)) {
		jmap_call_error(c, "cannotCalculateChanges",
		    "sinceQueryState is no state of this server");
		return;
	}
	x->m = jmap_call_mirror(c);
	x->wait = mirror_history(x->m, x->since, on_history, x);
}

static void
email_changes(struct jmap_call *c)
{
	static const struct jmap_mirror_type emails = { OBJECT_EMAIL, mirror_email_changes,
	    "sinceState is too old, or no state of this account", "reading what changed" };

	jmap_mirror_changes(c, &emails);
}

const struct jmap_method jmap_query_methods[] = {
	{ "Email/query", JMAP_MAIL, run_query, 0 },
	{ "Email/queryChanges", JMAP_MAIL, run_query_changes, 0 },
	{ "Email/changes", JMAP_MAIL, email_changes, 0 },
	{ "SearchSnippet/get", JMAP_MAIL, jmap_snippet_get, 0 },
	{ NULL, NULL, NULL, 0 }
};
