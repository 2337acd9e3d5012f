/* The request engine: whatever comes, the answer is one JSON text, and a problem or a Response.  The
 * methods read their arguments with all that the real ones use, and write them back. */
#include <assert.h>
#include <stdint.h>

#include "common/json/put.h"
#include "jmapd/core/args.h"
#include "jmapd/core/get.h"
#include "jmapd/core/query.h"
#include "jmapd/core/request.h"
#include "jmapd/core/set.h"
#include "jmapd/methods.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
get_run(struct jmap_call *c)
{
	static const char *const names[] = { "id", "name" };
	struct jmap_get g;

	if (!jmap_get_ids(c, &g, true))
		return;
	jmap_get_properties(c, names, 2);
	if (!jmap_args_end(c))
		return;
	jmap_get_begin(c, &g, SPAN_LIT("1"));
	for (size_t i = 0; i < g.count; i++) {
		if (i % 2 == 1)
			jmap_get_missing(&g, g.ids[i]);
		else
			json_string(c->out, g.ids[i]);
	}
	jmap_get_end(c, &g);
}

static void
set_ended(struct jmap_call *c)
{
	jmap_set_fini(c->state);
}

static void
patch_one(struct jmap_call *c, struct jmap_set *s, struct span id, const struct json *patch)
{
	const struct json *v;
	struct span path, step;
	const char *why;
	void *pos = NULL;

	if (!jmap_patch_check(patch, c->arena, &why)) {
		jmap_set_failed(s, JMAP_UPDATE, id, "invalidPatch", NULL, "%s", why);
		return;
	}
	while (json_next(patch, &pos, &path, &v))
		do
			assert(jmap_path_step(path, c->arena, &step, &path));
		while (path.p != NULL);
	json_put(jmap_set_updated(s, id), patch);
}

static void
set_run(struct jmap_call *c)
{
	struct jmap_set *s = arena_zalloc(c->arena, sizeof(*s));
	const struct json *v;
	struct span key;
	void *pos = NULL;

	c->state = s;
	c->ended = set_ended;
	if (!jmap_set_args(c, s) || !jmap_args_end(c))
		return;
	while (json_next(s->create, &pos, &key, &v)) {
		json_put(jmap_set_created(s, key), v);
		jmap_call_created(c, key, SPAN_LIT("new"));
	}
	for (pos = NULL; json_next(s->update, &pos, &key, &v); )
		patch_one(c, s, key, v);
	for (size_t i = 0; i < s->destroy_count; i++)
		jmap_set_failed_status(s, JMAP_DESTROY, s->destroy[i], (enum status)(i % 16));
	jmap_set_end(c, s, s->if_in_state, SPAN_LIT("2"));
}

static void
query_run(struct jmap_call *c)
{
	struct jmap_comparator cmp;
	struct jmap_query q;
	size_t from, count;

	jmap_query_args(c, &q);
	if (!jmap_args_end(c) || !jmap_filter_check(c, q.filter))
		return;
	for (size_t i = 0; i < json_count(q.sort); i++)
		if (!jmap_comparator(c, q.sort, i, &cmp))
			return;
	if (!jmap_query_window(c, &q, 100, q.anchor.len < 100 ? q.anchor.len : SIZE_MAX, &from,
	    &count))
		return;
	assert(from <= 100 && count <= 100 - from);
	jmap_query_begin(c, &q, SPAN_LIT("1"), true, from, 100, 0);
	jmap_query_end(c);
}

static const struct jmap_method methods[] = {
	{ "T/get", JMAP_MAIL, get_run, 0 }, { "T/set", JMAP_MAIL, set_run, JMAP_WRITES },
	{ "T/query", JMAP_MAIL, query_run, 0 }, { 0 }
};
static const struct jmap_method *const tables[] = { jmap_core_methods, methods, NULL };

static bool done;

static void
on_done(void *arg, struct jmap_answer *a)
{
	struct json_doc *doc;

	done = true;
	assert(json_parse(buf_span(a->body), SIZE_MAX, &doc) == ST_OK);
	assert((a->status == 200) == json_find(json_root(doc), "methodResponses", NULL));
	assert((a->status == 400) == json_find(json_root(doc), "detail", NULL));
	json_free(&doc);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct jmap_limits limits = { .max_size_request = 20000,
		.max_calls_in_request = 16, .max_objects_in_get = 20, .max_objects_in_set = 20,
		.max_size_answer = 20000 };
	static struct loop *loop;
	struct jmap_host host = { .methods = tables, .limits = &limits, .websocket = true };
	struct jmap_account *account;

	if (loop == NULL)
		loop = loop_new();
	host.loop = loop;
	account = jmap_account_bare(loop, NULL, 1, SPAN_LIT("u@example.org"));
	for (unsigned flags = 0; flags <= JMAP_OVER_WEBSOCKET; flags++) {
		done = false;
		jmap_request_start(&host, account, span(data, size), SPAN_LIT("S"), flags, on_done,
		    NULL);
		while (!done)
			loop_once(loop, false);
	}
	jmap_account_end(account);
	jmap_account_release(&account);
	loop_once(loop, true);
	return 0;
}
