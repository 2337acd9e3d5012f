#include "jmapd/core/query.h"

#include "common/util/mem.h"

void
jmap_query_args(struct jmap_call *c, struct jmap_query *q)
{
	q->filter = jmap_arg_object(c, "filter");
	q->sort = jmap_arg_array(c, "sort");
	q->position = jmap_arg_int(c, "position", 0);
	q->anchor = jmap_arg_string(c, "anchor");
	q->anchor_offset = jmap_arg_int(c, "anchorOffset", 0);
	q->limit = jmap_arg_uint(c, "limit", UINT64_MAX);
	q->calculate_total = jmap_arg_bool(c, "calculateTotal", false);
	if (q->anchor.p != NULL && jmap_call_resolve(c, q->anchor).p != NULL)
		q->anchor = jmap_call_resolve(c, q->anchor);
	if (json_count(q->sort) > JMAP_SORT_MAX)
		jmap_arg_bad(c, "sort", "more than %u comparators", JMAP_SORT_MAX);
}

bool
jmap_query_window(struct jmap_call *c, const struct jmap_query *q, size_t total,
    size_t anchor_at, size_t *from, size_t *count)
{
	int64_t at = q->position;

	if (q->anchor.p != NULL) {
		if (anchor_at == SIZE_MAX) {
			jmap_call_error(c, "anchorNotFound",
			    "anchor: it is not among the results of this query");
			return false;
		}
		at = (int64_t)anchor_at + q->anchor_offset;
	} else if (at < 0) {
		at += (int64_t)total;
	}
	*from = at < 0 ? 0 : (uint64_t)at > total ? total : (size_t)at;
	*count = total - *from;
	if (q->limit < *count)
		*count = (size_t)q->limit;
	return true;
}

void
jmap_query_begin(struct jmap_call *c, const struct jmap_query *q, struct span state,
    bool can_calculate_changes, size_t from, size_t total, uint64_t max)
{
	json_begin_object(c->out);
	json_kv_string(c->out, "accountId", c->account->id);
	json_kv_string(c->out, "queryState", state);
	json_kv_bool(c->out, "canCalculateChanges", can_calculate_changes);
	json_kv_uint(c->out, "position", from);
	if (q->calculate_total)
		json_kv_uint(c->out, "total", total);
	if (max > 0)
		json_kv_uint(c->out, "limit", max);
	json_key(c->out, "ids");
	json_begin_array(c->out);
}

void
jmap_query_end(struct jmap_call *c)
{
	json_end_array(c->out);
	json_end_object(c->out);
	jmap_call_done(c);
}

void
jmap_query_changes_args(struct jmap_call *c, struct jmap_query_changes *q)
{
	q->filter = jmap_arg_object(c, "filter");
	q->sort = jmap_arg_array(c, "sort");
	q->since = jmap_arg_string(c, "sinceQueryState");
	q->max = jmap_arg_uint(c, "maxChanges", UINT64_MAX);
	q->up_to = jmap_arg_string(c, "upToId");
	q->calculate_total = jmap_arg_bool(c, "calculateTotal", false);
	if (q->since.p == NULL)
		jmap_arg_bad(c, "sinceQueryState", "a state is required");
	if (q->max == 0)
		jmap_arg_bad(c, "maxChanges", "must be above 0");
	if (json_count(q->sort) > JMAP_SORT_MAX)
		jmap_arg_bad(c, "sort", "more than %u comparators", JMAP_SORT_MAX);
}

/* ---- filters ---- */

enum jmap_operator
jmap_filter_operator(const struct json *filter, const struct json **conditions)
{
	struct span op;

	*conditions = NULL;
	if (!json_get_string(filter, "operator", &op))
		return JMAP_CONDITION;
	*conditions = json_member(filter, "conditions");
	return span_eq_str(op, "AND") ? JMAP_AND : span_eq_str(op, "OR") ? JMAP_OR : JMAP_NOT;
}

static const char *
check_filter(const struct json *f, unsigned depth, unsigned *terms)
{
	const struct json *list;
	struct span op;
	const char *why;

	if (!json_is_object(f))
		return "a filter is an object";
	if (depth > JMAP_FILTER_DEPTH || ++*terms > JMAP_FILTER_TERMS)
		return "";
	if (!json_find(f, "operator", NULL))
		return NULL;
	list = json_member(f, "conditions");
	if (!json_get_string(f, "operator", &op) || !(span_eq_str(op, "AND") ||
	    span_eq_str(op, "OR") || span_eq_str(op, "NOT")))
		return "an operator is AND, OR or NOT";
	if (!json_is_array(list) || json_members(f) != 2)
		return "an operator has an array of conditions and nothing else";
	for (size_t i = 0; i < json_count(list); i++) {
		why = check_filter(json_item(list, i), depth + 1, terms);
		if (why != NULL)
			return why;
	}
	return NULL;
}

bool
jmap_filter_check(struct jmap_call *c, const struct json *filter)
{
	unsigned terms = 0;
	const char *why = filter != NULL ? check_filter(filter, 1, &terms) : NULL;

	if (why == NULL)
		return true;
	if (*why == '\0')
		jmap_call_error(c, "unsupportedFilter", "filter: more than %u levels or %u terms",
		    JMAP_FILTER_DEPTH, JMAP_FILTER_TERMS);
	else
		jmap_call_error(c, "invalidArguments", "filter: %s", why);
	return false;
}

static const char *
check_conditions(const struct json *f, jmap_condition_check_fn check)
{
	const struct json *list;
	const char *why = NULL;

	if (jmap_filter_operator(f, &list) == JMAP_CONDITION)
		return check(f);
	for (size_t i = 0; why == NULL && i < json_count(list); i++)
		why = check_conditions(json_item(list, i), check);
	return why;
}

bool
jmap_filter_check_all(struct jmap_call *c, const struct json *filter,
    jmap_condition_check_fn check, const char *has)
{
	const char *why;

	if (!jmap_filter_check(c, filter))
		return false;
	why = filter != NULL ? check_conditions(filter, check) : NULL;
	if (why == NULL)
		return true;
	if (*why == '\0')
		jmap_call_error(c, "unsupportedFilter", "filter: a condition of %s, and nothing else",
		    has);
	else
		jmap_call_error(c, "invalidArguments", "filter: %s", why);
	return false;
}

bool
jmap_filter_matches(const struct json *filter, jmap_condition_fn fn, void *arg)
{
	const struct json *list;
	enum jmap_operator op;
	bool any = false, all = true;

	if (filter == NULL)
		return true;
	op = jmap_filter_operator(filter, &list);
	if (op == JMAP_CONDITION)
		return fn(filter, arg);
	for (size_t i = 0; i < json_count(list); i++) {
		bool one = jmap_filter_matches(json_item(list, i), fn, arg);

		any |= one;
		all &= one;
	}
	return op == JMAP_AND ? all : op == JMAP_OR ? any : !any;
}

/* ---- sorting ---- */

bool
jmap_comparator(struct jmap_call *c, const struct json *sort, size_t i,
    struct jmap_comparator *cmp)
{
	const struct json *v = json_item(sort, i), *ascending, *collation;
	bool up = true;

	*cmp = (struct jmap_comparator){ .more = v };
	ascending = json_member(v, "isAscending");
	collation = json_member(v, "collation");
	if (!json_is_object(v) || !json_get_string(v, "property", &cmp->property) ||
	    (ascending != NULL && !json_as_bool(ascending, &up)) ||
	    (collation != NULL && !json_as_string(collation, &cmp->collation))) {
		jmap_call_error(c, "invalidArguments", "sort: a comparator has a property, and may "
		    "have isAscending and collation");
		return false;
	}
	cmp->descending = !up;
	return true;
}

bool
jmap_sort_read(struct jmap_call *c, const struct json *sort, const char *const properties[],
    size_t n, const char *what, struct jmap_sort out[JMAP_SORT_MAX], size_t *count)
{
	struct jmap_comparator cmp;

	*count = 0;
	for (size_t i = 0; i < json_count(sort); i++) {
		size_t by = 0;

		if (!jmap_comparator(c, sort, i, &cmp))
			return false;
		while (by < n && !span_eq_str(cmp.property, properties[by]))
			by++;
		if (by == n || i == JMAP_SORT_MAX) {
			jmap_call_error(c, "unsupportedSort", "sort: %s", what);
			return false;
		}
		if (cmp.collation.p != NULL && !span_eq_str(cmp.collation, "i;unicode-casemap")) {
			jmap_call_error(c, "unsupportedSort", "sort: the collation is none of "
			    "collationAlgorithms");
			return false;
		}
		out[i] = (struct jmap_sort){ by, cmp.descending };
		*count = i + 1;
	}
	return true;
}
