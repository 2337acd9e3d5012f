#include "jmapd/core/get.h"

#include "common/util/mem.h"

bool
jmap_get_ids(struct jmap_call *c, struct jmap_get *g, bool all_allowed)
{
	const struct json *ids = jmap_arg_array(c, "ids");
	size_t n = json_count(ids);

	*g = (struct jmap_get){ .all = ids == NULL && !c->seen.bad };
	if (g->all && !all_allowed) {
		jmap_call_error(c, "requestTooLarge",
		    "ids: null would name all there are: ask for them by their ids");
		return false;
	}
	if (n > c->host->limits->max_objects_in_get) {
		jmap_call_error(c, "requestTooLarge", "ids: more than maxObjectsInGet, which is %llu",
		    (unsigned long long)c->host->limits->max_objects_in_get);
		return false;
	}
	g->ids = arena_array(c->arena, n + 1, sizeof(*g->ids));
	g->missing = arena_array(c->arena, n + 1, sizeof(*g->missing));
	jmap_ids_once(c, "ids", ids, g->ids, &g->count);
	return true;
}

uint64_t
jmap_get_properties(struct jmap_call *c, const char *const *names, size_t count)
{
	const struct json *list = jmap_arg_array(c, "properties");
	uint64_t mask = 1;
	struct span name;
	size_t k;

	if (list == NULL)
		return UINT64_MAX;
	for (size_t i = 0; i < json_count(list); i++) {
		if (!json_as_string(json_item(list, i), &name)) {
			jmap_arg_bad(c, "properties", "must be an array of strings");
			break;
		}
		for (k = 0; k < count && !span_eq_str(name, names[k]); k++)
			;
		if (k == count) {
			jmap_arg_bad(c, "properties", "there is no property \"%.*s\"",
			    (int)(name.len < 100 ? name.len : 100), name.p);
			break;
		}
		mask |= UINT64_C(1) << k;
	}
	return mask;
}

void
jmap_get_begin(struct jmap_call *c, struct jmap_get *g, struct span state)
{
	json_begin_object(c->out);
	if (c->account != NULL) {
		json_kv_string(c->out, "accountId", c->account->id);
		json_kv_string(c->out, "state", state);
	}
	json_key(c->out, "list");
	json_begin_array(c->out);
}

void
jmap_get_missing(struct jmap_get *g, struct span id)
{
	g->missing[g->missing_count++] = id;
}

void
jmap_get_end(struct jmap_call *c, struct jmap_get *g)
{
	json_end_array(c->out);
	json_key(c->out, "notFound");
	json_begin_array(c->out);
	for (size_t i = 0; i < g->missing_count; i++)
		json_string(c->out, g->missing[i]);
	json_end_array(c->out);
	json_end_object(c->out);
	jmap_call_done(c);
}
