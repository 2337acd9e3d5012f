/* The request engine with methods made for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "common/json/put.h"
#include "common/util/mem.h"
#include "jmapd/core/args.h"
#include "jmapd/core/get.h"
#include "jmapd/core/query.h"
#include "jmapd/core/request.h"
#include "jmapd/core/session.h"
#include "jmapd/core/set.h"
#include "jmapd/methods.h"
#include "jmapd/mirror/mirror.h"

/* ---- methods ---- */

static int ended, running;

static void
list_run(struct jmap_call *c)
{
	json_begin_object(c->out);
	json_key(c->out, "list");
	json_raw(c->out, SPAN_LIT("[{\"id\":\"a\",\"ids\":[\"1\",\"2\"]},{\"id\":\"b\",\"ids\":[]},"
	    "{\"id\":\"c\",\"ids\":[\"3\"],\"we/ird~\\\"\":{\"x\":7}}]"));
	json_end_object(c->out);
	jmap_call_done(c);
}

static void
fail_run(struct jmap_call *c)
{
	json_begin_object(c->out);
	json_key(c->out, "half");
	json_begin_array(c->out);
	jmap_call_error(c, "forbidden", "not on a %s", "Saturday");
}

static void
on_ended(struct jmap_call *c)
{
	struct loop_timer *t = c->state;

	ended++;
	loop_timer_free(&t);
}

static void
later(void *arg)
{
	struct jmap_call *c = arg;

	json_begin_object(c->out);
	json_kv_str(c->out, "later", "yes");
	json_end_object(c->out);
	running--;
	jmap_call_done(c);
}

static void
later_run(struct jmap_call *c)
{
	struct loop_timer *t = loop_timer_new(c->host->loop, later, c);

	assert_int_equal(running, 0);
	running++;
	c->state = t;
	c->ended = on_ended;
	loop_timer_set(t, c->args != NULL && json_find(c->args, "never", NULL) ? 3600000 : 1);
}

static void
args_run(struct jmap_call *c)
{
	bool flag = jmap_arg_bool(c, "flag", true);
	uint64_t count = jmap_arg_uint(c, "count", 5);
	struct span id = jmap_arg_id(c, "id");

	jmap_arg_array(c, "list");
	jmap_arg_object(c, "object");
	if (!jmap_args_end(c))
		return;
	json_begin_object(c->out);
	json_kv_bool(c->out, "flag", flag);
	json_kv_uint(c->out, "count", count);
	json_kv_string(c->out, "id", id);
	json_end_object(c->out);
	jmap_call_done(c);
}

static void
create_run(struct jmap_call *c)
{
	struct span name = jmap_arg_string(c, "name");

	if (!jmap_args_end(c))
		return;
	jmap_call_created(c, name, SPAN_LIT("made1"));
	jmap_call_then(c, "Core/echo", SPAN_LIT("{\"accountId\":\"u7\",\"implied\":1}"));
	json_begin_object(c->out);
	json_end_object(c->out);
	jmap_call_done(c);
}

static void
big_run(struct jmap_call *c)
{
	json_begin_array(c->out);
	while (!jmap_call_full(c))
		json_str(c->out, "0123456789012345678901234567890123456789");
	json_end_array(c->out);
	jmap_call_done(c);
}

static void
get_run(struct jmap_call *c)
{
	static const char *const names[] = { "id", "name" };
	struct jmap_get g;
	uint64_t mask;

	if (!jmap_get_ids(c, &g, false))
		return;
	mask = jmap_get_properties(c, names, ARRAY_LEN(names));
	if (!jmap_args_end(c))
		return;
	jmap_get_begin(c, &g, SPAN_LIT("s1"));
	for (size_t i = 0; i < g.count; i++) {
		if (span_eq_str(g.ids[i], "none")) {
			jmap_get_missing(&g, g.ids[i]);
			continue;
		}
		json_begin_object(c->out);
		json_kv_string(c->out, "id", g.ids[i]);
		if (mask & 2)
			json_kv_str(c->out, "name", "N");
		json_end_object(c->out);
	}
	jmap_get_end(c, &g);
}

static void
set_ended(struct jmap_call *c)
{
	jmap_set_fini(c->state);
}

static void
set_run(struct jmap_call *c)
{
	struct jmap_set *s = arena_zalloc(c->arena, sizeof(*s));
	const struct json *v;
	const char *why;
	struct span key;
	void *pos = NULL;

	c->state = s;
	c->ended = set_ended;
	if (!jmap_set_args(c, s) || !jmap_args_end(c))
		return;
	while (json_next(s->create, &pos, &key, &v)) {
		struct json_writer *w = jmap_set_created(s, key);

		json_begin_object(w);
		json_kv_str(w, "id", "n1");
		json_end_object(w);
		jmap_call_created(c, key, SPAN_LIT("n1"));
	}
	for (pos = NULL; json_next(s->update, &pos, &key, &v); ) {
		if (!jmap_patch_check(v, c->arena, &why))
			jmap_set_failed(s, JMAP_UPDATE, key, "invalidPatch", "a b", "%s", why);
		else
			json_null(jmap_set_updated(s, key));
	}
	for (size_t i = 0; i < s->destroy_count; i++) {
		if (span_eq_str(s->destroy[i], "none"))
			jmap_set_failed_status(s, JMAP_DESTROY, s->destroy[i], ST_NOT_FOUND);
		else
			jmap_set_destroyed(s, s->destroy[i]);
	}
	jmap_set_end(c, s, SPAN_NONE, SPAN_LIT("s2"));
}

static void
query_run(struct jmap_call *c)
{
	struct jmap_query q;
	size_t from, count, anchor = SIZE_MAX;

	jmap_query_args(c, &q);
	if (!jmap_args_end(c) || !jmap_filter_check(c, q.filter))
		return;
	if (q.anchor.len == 1 && ascii_isdigit(*q.anchor.p))
		anchor = (size_t)(*q.anchor.p - '0');
	if (!jmap_query_window(c, &q, 10, anchor, &from, &count))
		return;
	jmap_query_begin(c, &q, SPAN_LIT("q1"), true, from, 10, 0);
	for (size_t i = from; i < from + count; i++)
		json_string(c->out, span(&"0123456789"[i], 1));
	jmap_query_end(c);
}

static const struct jmap_method methods[] = {
	{ "Test/list", JMAP_CORE, list_run, JMAP_NO_ACCOUNT },
	{ "Test/fail", JMAP_CORE, fail_run, JMAP_NO_ACCOUNT },
	{ "Test/later", JMAP_CORE, later_run, JMAP_NO_ACCOUNT },
	{ "Test/args", JMAP_CORE, args_run, 0 },
	{ "Test/create", JMAP_CORE, create_run, 0 },
	{ "Test/copy", JMAP_CORE, create_run, JMAP_FROM_ACCOUNT },
	{ "Test/big", JMAP_CORE, big_run, JMAP_NO_ACCOUNT },
	{ "Test/bigWrite", JMAP_CORE, big_run, JMAP_NO_ACCOUNT | JMAP_WRITES },
	{ "Test/get", JMAP_CORE, get_run, 0 },
	{ "Test/set", JMAP_CORE, set_run, JMAP_WRITES },
	{ "Test/query", JMAP_CORE, query_run, 0 },
	{ "Mail/none", JMAP_MAIL, list_run, JMAP_NO_ACCOUNT },
	{ 0 }
};
static const struct jmap_method *const tables[] = { jmap_core_methods, methods, NULL };

/* ---- a world ---- */

struct world {
	struct loop		*loop;
	struct jmap_limits	limits;
	struct jmap_host	host;
	struct jmap_account	*account;
	struct buf		answer;
	unsigned		status;
	bool			done;
};

static void
on_done(void *arg, struct jmap_answer *a)
{
	struct world *w = arg;

	w->done = true;
	w->status = a->status;
	buf_clear(&w->answer);
	buf_add_span(&w->answer, buf_span(a->body));
	assert_string_equal(a->type, a->status == 200 ? "application/json" :
	    "application/problem+json");
}

static int
set_up(void **state)
{
	struct world *w = mem_zalloc(sizeof(*w));

	w->loop = loop_new();
	w->limits = (struct jmap_limits)JMAP_LIMITS_DEFAULT;
	w->limits.max_calls_in_request = 4;
	w->limits.max_objects_in_get = w->limits.max_objects_in_set = 3;
	w->limits.max_size_request = 4000;
	w->limits.max_size_answer = 4000;
	w->host = (struct jmap_host){ .loop = w->loop, .methods = tables, .limits = &w->limits };
	w->account = jmap_account_bare(w->loop, NULL, 7, SPAN_LIT("u@example.org"));
	ended = running = 0;
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	jmap_account_end(w->account);
	jmap_account_release(&w->account);
	loop_once(w->loop, true);
	loop_free(&w->loop);
	buf_fini(&w->answer);
	mem_free(state);
	return 0;
}

static const char *
ask_as(struct world *w, struct span text, unsigned flags)
{
	w->done = false;
	jmap_request_start(&w->host, w->account, text, SPAN_LIT("S"), flags, on_done, w);
	assert_false(w->done);
	while (!w->done)
		loop_once(w->loop, true);
	return buf_cstr(&w->answer);
}

static const char *
ask(struct world *w, const char *text)
{
	return ask_as(w, span_str(text), 0);
}

/* The responses to these calls, which use the core alone. */
static void
calls_give(struct world *w, const char *calls, const char *want)
{
	struct buf b = { 0 };

	buf_addf(&b, "{\"using\":[\"urn:ietf:params:jmap:core\"],\"methodCalls\":[%s]}", calls);
	ask_as(w, buf_span(&b), 0);
	assert_int_equal(w->status, 200);
	buf_clear(&b);
	buf_addf(&b, "{\"methodResponses\":[%s],\"sessionState\":\"S\"}", want);
	assert_string_equal(buf_cstr(&w->answer), buf_cstr(&b));
	buf_fini(&b);
}

static void
calls_fail(struct world *w, const char *calls, const char *type)
{
	char text[80];
	struct buf b = { 0 };

	buf_addf(&b, "{\"using\":[\"urn:ietf:params:jmap:core\"],\"methodCalls\":[%s]}", calls);
	ask_as(w, buf_span(&b), 0);
	assert_int_equal(w->status, 200);
	snprintf(text, sizeof(text), "[\"error\",{\"type\":\"%s\",\"description\":\"", type);
	if (strstr(buf_cstr(&w->answer), text) == NULL)
		print_message("%s gave %s, not %s\n", calls, buf_cstr(&w->answer), type);
	assert_non_null(strstr(buf_cstr(&w->answer), text));
	buf_fini(&b);
}

static void
refused(struct world *w, const char *text, const char *type, const char *limit)
{
	char want[120];

	ask(w, text);
	assert_int_equal(w->status, 400);
	snprintf(want, sizeof(want), "{\"type\":\"urn:ietf:params:jmap:error:%s\",\"status\":400,%s%s%s",
	    type, limit != NULL ? "\"limit\":\"" : "\"detail\"", limit != NULL ? limit : "",
	    limit != NULL ? "\",\"detail\"" : "");
	if (strncmp(buf_cstr(&w->answer), want, strlen(want)) != 0)
		print_message("%s\ngave %s\nnot %s\n", text, buf_cstr(&w->answer), want);
	assert_memory_equal(buf_cstr(&w->answer), want, strlen(want));
}

/* ---- tests ---- */

static void
echo_gives_back_what_it_got(void **state)
{
	calls_give(*state, "[\"Core/echo\",{\"a\":[1,2.50,-3e5,null,true,{}],\"\\u00fc\":\"\\u0000\"},"
	    "\"c1\"]", "[\"Core/echo\",{\"a\":[1,2.50,-3e5,null,true,{}],\"\xc3\xbc\":"
	    "\"\\u0000\"},\"c1\"]");
	calls_give(*state, "", "");
}

static void
calls_run_one_after_the_other_and_a_failed_one_stops_none(void **state)
{
	calls_give(*state, "[\"Test/later\",{},\"a\"],[\"Test/fail\",{},\"b\"],"
	    "[\"Test/later\",{},\"b\"],[\"Core/echo\",{},\"\"]",
	    "[\"Test/later\",{\"later\":\"yes\"},\"a\"],"
	    "[\"error\",{\"type\":\"forbidden\",\"description\":\"not on a Saturday\"},\"b\"],"
	    "[\"Test/later\",{\"later\":\"yes\"},\"b\"],[\"Core/echo\",{},\"\"]");
	assert_int_equal(ended, 2);
}

static void
what_is_no_request_is_refused_as_a_whole(void **state)
{
	struct world *w = *state;

	refused(w, "", "notJSON", NULL);
	refused(w, "{\"using\":[]", "notJSON", NULL);
	refused(w, "{\"using\":[],\"methodCalls\":[],\"using\":[]}", "notJSON", NULL);
	refused(w, "{\"using\":[],\"methodCalls\":[[\"Core/echo\",{\"a\":{\"x\":1,\"x\":1}},\"\"]]}",
	    "notJSON", NULL);
	refused(w, "{\"using\":[],\"methodCalls\":[[\"Core/echo\",{\"a\":\"\\ud800\"},\"\"]]}",
	    "notJSON", NULL);
	refused(w, "{\"using\":[],\"methodCalls\":[[\"Core/echo\",{\"a\":\"\xff\"},\"\"]]}",
	    "notJSON", NULL);
	refused(w, "[]", "notRequest", NULL);
	refused(w, "{}", "notRequest", NULL);
	refused(w, "{\"using\":\"x\",\"methodCalls\":[]}", "notRequest", NULL);
	refused(w, "{\"using\":[1],\"methodCalls\":[]}", "notRequest", NULL);
	refused(w, "{\"using\":[],\"methodCalls\":{}}", "notRequest", NULL);
	refused(w, "{\"using\":[],\"methodCalls\":[[\"a\",{}]]}", "notRequest", NULL);
	refused(w, "{\"using\":[],\"methodCalls\":[[\"a\",{},1]]}", "notRequest", NULL);
	refused(w, "{\"using\":[],\"methodCalls\":[[\"a\",[],\"c\"]]}", "notRequest", NULL);
	refused(w, "{\"using\":[],\"methodCalls\":[],\"createdIds\":[]}", "notRequest", NULL);
	refused(w, "{\"using\":[],\"methodCalls\":[],\"createdIds\":{\"a\":1}}", "notRequest", NULL);
	refused(w, "{\"using\":[\"urn:x\"],\"methodCalls\":[]}", "unknownCapability", NULL);
	assert_non_null(strstr(buf_cstr(&w->answer), "urn:x"));
	refused(w, "{\"using\":[\"urn:ietf:params:jmap:websocket\"],\"methodCalls\":[]}",
	    "unknownCapability", NULL);
	refused(w, "{\"using\":[\"urn:ietf:params:jmap:quota\"],\"methodCalls\":[]}",
	    "unknownCapability", NULL);
}

static void
each_limit_of_a_request_has_its_own_name(void **state)
{
	struct world *w = *state;
	struct buf b = { 0 };

	refused(w, "{\"using\":[],\"methodCalls\":[[\"a\",{},\"\"],[\"a\",{},\"\"],[\"a\",{},\"\"],"
	    "[\"a\",{},\"\"],[\"a\",{},\"\"]]}", "limit", "maxCallsInRequest");
	buf_addf(&b, "{\"using\":[],\"methodCalls\":[]%*s}", 4000, "");
	refused(w, buf_cstr(&b), "limit", "maxSizeRequest");
	buf_fini(&b);
}

static void
unknown_members_of_a_request_do_not_matter(void **state)
{
	assert_string_equal(ask(*state, "{\"using\":[],\"methodCalls\":[],\"more\":1}"),
	    "{\"methodResponses\":[],\"sessionState\":\"S\"}");
}

static void
a_method_is_unknown_without_its_capability(void **state)
{
	calls_fail(*state, "[\"No/such\",{},\"a\"]", "unknownMethod");
	calls_fail(*state, "[\"Mail/none\",{},\"a\"]", "unknownMethod");
	assert_non_null(strstr(ask(*state, "{\"using\":[\"urn:ietf:params:jmap:mail\"],\"methodCalls\":"
	    "[[\"Mail/none\",{},\"a\"],[\"Core/echo\",{},\"b\"]]}"), "[\"Mail/none\",{\"list\""));
	assert_non_null(strstr(buf_cstr(&((struct world *)*state)->answer), "unknownMethod"));
}

static void
accounts_are_judged_before_the_method(void **state)
{
	calls_give(*state, "[\"Test/args\",{\"accountId\":\"u7\",\"flag\":false,\"count\":1.0,"
	    "\"id\":\"x\"},\"a\"]", "[\"Test/args\",{\"flag\":false,\"count\":1,\"id\":\"x\"},\"a\"]");
	calls_fail(*state, "[\"Test/args\",{\"accountId\":\"u8\"},\"a\"]", "accountNotFound");
	calls_fail(*state, "[\"Test/args\",{\"accountId\":\"U7\"},\"a\"]", "accountNotFound");
	calls_fail(*state, "[\"Test/args\",{\"accountId\":7},\"a\"]", "invalidArguments");
	calls_fail(*state, "[\"Test/args\",{},\"a\"]", "invalidArguments");
	calls_fail(*state, "[\"Test/copy\",{\"accountId\":\"u7\",\"fromAccountId\":\"u8\",\"name\":"
	    "\"x\"},\"a\"]", "fromAccountNotFound");
	calls_fail(*state, "[\"Test/copy\",{\"accountId\":\"u7\",\"name\":\"x\"},\"a\"]",
	    "invalidArguments");
}

static void
a_wrong_argument_is_named(void **state)
{
	static const char *const wrong[][2] = {
		{ "\"flag\":1", "flag: " }, { "\"count\":-1", "count: " }, { "\"count\":1.5", "count: " },
		{ "\"count\":9007199254740992", "count: " }, { "\"count\":1e30", "count: " },
		{ "\"id\":\"\"", "id: " }, { "\"id\":\"a b\"", "id: " }, { "\"id\":\"#k\"", "id: " },
		{ "\"list\":{}", "list: " }, { "\"object\":[]", "object: " },
		{ "\"other\":null", "other: " },
	};
	char call[200];

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		snprintf(call, sizeof(call), "[\"Test/args\",{\"accountId\":\"u7\",%s},\"a\"]",
		    wrong[i][0]);
		calls_fail(*state, call, "invalidArguments");
		assert_non_null(strstr(buf_cstr(&((struct world *)*state)->answer), wrong[i][1]));
	}
}

#define REF(path) "{\"resultOf\":\"t\",\"name\":\"Test/list\",\"path\":\"" path "\"}"

static void
references_take_values_out_of_earlier_answers(void **state)
{
	static const struct {
		const char	*path, *want;
	} cases[] = {
		{ REF("/list/0/id"), "\"a\"" },
		{ REF("/list/*/id"), "[\"a\",\"b\",\"c\"]" },
		{ REF("/list/*/ids"), "[\"1\",\"2\",\"3\"]" },
		{ REF("/list/*/ids/*"), "[\"1\",\"2\",\"3\"]" },
		{ REF("/list/1/ids"), "[]" },
		{ REF("/list/1/ids/*"), "[]" },
		{ REF("/list/2/we~1ird~0\\\"/x"), "7" },
	};
	char call[300], want[300];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world *w = *state;

		snprintf(call, sizeof(call), "{\"using\":[\"urn:ietf:params:jmap:core\"],\"methodCalls\":"
		    "[[\"Test/list\",{},\"t\"],[\"Core/echo\",{\"b\":1,\"#a\":%s},\"u\"]]}",
		    cases[i].path);
		ask(w, call);
		snprintf(want, sizeof(want), "[\"Core/echo\",{\"b\":1,\"a\":%s},\"u\"]", cases[i].want);
		if (strstr(buf_cstr(&w->answer), want) == NULL)
			print_message("%s\n%s\n", call, buf_cstr(&w->answer));
		assert_non_null(strstr(buf_cstr(&w->answer), want));
	}
}

static void
references_that_lead_nowhere_fail_their_call_alone(void **state)
{
	static const char *const bad[] = {
		REF("/none"), REF("list"), REF("/list/3"), REF("/list/01"), REF("/list/-"),
		REF("/list/*/none"), REF("/list/0/id/x"), REF("/list/0/id/*"), REF("/list/~2"),
		REF("/*"), "5", "null", "{}",
		"{\"resultOf\":\"x\",\"name\":\"Test/list\",\"path\":\"/list\"}",
		"{\"resultOf\":\"t\",\"name\":\"Test/lust\",\"path\":\"/list\"}",
		"{\"resultOf\":\"u\",\"name\":\"Core/echo\",\"path\":\"\"}",
	};
	char call[300];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(call, sizeof(call), "[\"Test/list\",{},\"t\"],[\"Core/echo\",{\"#a\":%s},\"u\"],"
		    "[\"Core/echo\",{},\"v\"]", bad[i]);
		calls_fail(*state, call, "invalidResultReference");
		assert_non_null(strstr(buf_cstr(&((struct world *)*state)->answer),
		    "[\"Core/echo\",{},\"v\"]"));
	}
	calls_fail(*state, "[\"Test/list\",{},\"t\"],[\"Core/echo\",{\"a\":1,\"#a\":" REF("/list")
	    "},\"u\"]", "invalidArguments");
	calls_fail(*state, "[\"Test/fail\",{},\"t\"],[\"Core/echo\",{\"#a\":" REF("/list") "},\"u\"]",
	    "invalidResultReference");
}

static void
creation_ids_last_for_the_request_and_go_in_and_out(void **state)
{
	assert_string_equal(ask(*state, "{\"using\":[\"urn:ietf:params:jmap:core\"],\"createdIds\":"
	    "{\"k\":\"old\"},\"methodCalls\":[[\"Test/args\",{\"accountId\":\"u7\",\"id\":\"#k\"},\"0\"],"
	    "[\"Test/create\",{\"accountId\":\"u7\",\"name\":\"k\"},\"1\"],"
	    "[\"Test/args\",{\"accountId\":\"u7\",\"id\":\"#k\"},\"2\"]]}"),
	    "{\"methodResponses\":[[\"Test/args\",{\"flag\":true,\"count\":5,\"id\":\"old\"},\"0\"],"
	    "[\"Test/create\",{},\"1\"],[\"Core/echo\",{\"accountId\":\"u7\",\"implied\":1},\"1\"],"
	    "[\"Test/args\",{\"flag\":true,\"count\":5,\"id\":\"made1\"},\"2\"]],"
	    "\"createdIds\":{\"k\":\"made1\"},\"sessionState\":\"S\"}");
}

static void
an_answer_that_outgrows_its_limit_says_so_unless_it_tells_of_a_change(void **state)
{
	struct world *w = *state;

	calls_fail(w, "[\"Test/big\",{},\"a\"],[\"Core/echo\",{},\"b\"]", "requestTooLarge");
	assert_non_null(strstr(buf_cstr(&w->answer), "[\"Core/echo\",{},\"b\"]"));
	ask(w, "{\"using\":[\"urn:ietf:params:jmap:core\"],\"methodCalls\":"
	    "[[\"Test/bigWrite\",{},\"a\"]]}");
	assert_null(strstr(buf_cstr(&w->answer), "error"));
}

static void
get_tells_each_id_once_and_names_what_is_missing(void **state)
{
	calls_give(*state, "[\"Test/get\",{\"accountId\":\"u7\",\"ids\":[\"a\",\"none\",\"a\"],"
	    "\"properties\":[\"name\"]},\"0\"]", "[\"Test/get\",{\"accountId\":\"u7\",\"state\":"
	    "\"s1\",\"list\":[{\"id\":\"a\",\"name\":\"N\"}],\"notFound\":[\"none\"]},\"0\"]");
	calls_give(*state, "[\"Test/get\",{\"accountId\":\"u7\",\"ids\":[\"a\"],\"properties\":[]},"
	    "\"0\"]", "[\"Test/get\",{\"accountId\":\"u7\",\"state\":\"s1\",\"list\":[{\"id\":\"a\"}],"
	    "\"notFound\":[]},\"0\"]");
	calls_fail(*state, "[\"Test/get\",{\"accountId\":\"u7\",\"ids\":null},\"0\"]",
	    "requestTooLarge");
	calls_fail(*state, "[\"Test/get\",{\"accountId\":\"u7\",\"ids\":[\"1\",\"2\",\"3\",\"4\"]},"
	    "\"0\"]", "requestTooLarge");
	calls_fail(*state, "[\"Test/get\",{\"accountId\":\"u7\",\"ids\":[1]},\"0\"]",
	    "invalidArguments");
	calls_fail(*state, "[\"Test/get\",{\"accountId\":\"u7\",\"ids\":[],\"properties\":[\"x\"]},"
	    "\"0\"]", "invalidArguments");
}

static void
set_tells_every_outcome_in_its_place(void **state)
{
	calls_give(*state, "[\"Test/set\",{\"accountId\":\"u7\",\"create\":{\"k\":{}},\"update\":"
	    "{\"x\":{\"a\":1}},\"destroy\":[\"d\"]},\"0\"]",
	    "[\"Test/set\",{\"accountId\":\"u7\",\"oldState\":null,\"newState\":\"s2\","
	    "\"created\":{\"k\":{\"id\":\"n1\"}},\"updated\":{\"x\":null},\"destroyed\":[\"d\"],"
	    "\"notCreated\":null,\"notUpdated\":null,\"notDestroyed\":null},\"0\"]");
	calls_give(*state, "[\"Test/set\",{\"accountId\":\"u7\",\"destroy\":[\"none\",\"none\"]},\"0\"]",
	    "[\"Test/set\",{\"accountId\":\"u7\",\"oldState\":null,\"newState\":\"s2\","
	    "\"created\":null,\"updated\":null,\"destroyed\":null,"
	    "\"notCreated\":null,\"notUpdated\":null,\"notDestroyed\":{\"none\":{\"type\":"
	    "\"notFound\",\"description\":\"it is not there (any more)\"}}},\"0\"]");
	calls_fail(*state, "[\"Test/set\",{\"accountId\":\"u7\",\"create\":{\"1\":{},\"2\":{}},"
	    "\"destroy\":[\"1\",\"2\"]},\"0\"]", "requestTooLarge");
	calls_fail(*state, "[\"Test/set\",{\"accountId\":\"u7\",\"create\":{\"1\":5}},\"0\"]",
	    "invalidArguments");
	calls_fail(*state, "[\"Test/set\",{\"accountId\":\"u7\",\"update\":[]},\"0\"]",
	    "invalidArguments");
}

static void
patches_with_a_path_inside_of_another_are_invalid(void **state)
{
	static const struct {
		const char	*patch;
		bool		good;
	} cases[] = {
		{ "{\"a\":1,\"b/c\":2,\"b/d\":null}", true }, { "{}", true },
		{ "{\"a\":1,\"a/b\":2}", false }, { "{\"a/b\":1,\"a\":2}", false },
		{ "{\"a\":1,\"a!\":2,\"a/b\":2}", false }, { "{\"a~1\":1,\"a~0\":2}", true },
		{ "{\"a~\":1}", false }, { "{\"a/~2\":1}", false }, { "{\"ab\":1,\"a\":2}", true },
	};
	char call[200];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world *w = *state;

		snprintf(call, sizeof(call), "{\"using\":[\"urn:ietf:params:jmap:core\"],\"methodCalls\":"
		    "[[\"Test/set\",{\"accountId\":\"u7\",\"update\":{\"x\":%s}},\"0\"]]}",
		    cases[i].patch);
		ask(w, call);
		assert_int_equal(strstr(buf_cstr(&w->answer), "invalidPatch") == NULL, cases[i].good);
	}
}

static void
a_query_gives_the_part_that_was_asked_for(void **state)
{
	static const struct {
		const char	*args;
		unsigned	from;
		const char	*ids;
	} cases[] = {
		{ "\"limit\":2", 0, "\"0\",\"1\"" },
		{ "\"position\":8", 8, "\"8\",\"9\"" },
		{ "\"position\":-2", 8, "\"8\",\"9\"" },
		{ "\"position\":-20,\"limit\":1", 0, "\"0\"" },
		{ "\"position\":20", 10, "" },
		{ "\"limit\":0", 0, "" },
		{ "\"anchor\":\"5\",\"limit\":1,\"position\":3", 5, "\"5\"" },
		{ "\"anchor\":\"5\",\"anchorOffset\":-1,\"limit\":2", 4, "\"4\",\"5\"" },
		{ "\"anchor\":\"1\",\"anchorOffset\":-4,\"limit\":1", 0, "\"0\"" },
		{ "\"anchor\":\"9\",\"anchorOffset\":4", 10, "" },
	};
	char call[200], want[300];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(call, sizeof(call), "[\"Test/query\",{\"accountId\":\"u7\",%s},\"0\"]",
		    cases[i].args);
		snprintf(want, sizeof(want), "[\"Test/query\",{\"accountId\":\"u7\",\"queryState\":\"q1\","
		    "\"canCalculateChanges\":true,\"position\":%u,\"ids\":[%s]},\"0\"]", cases[i].from,
		    cases[i].ids);
		calls_give(*state, call, want);
	}
	calls_fail(*state, "[\"Test/query\",{\"accountId\":\"u7\",\"anchor\":\"x\"},\"0\"]",
	    "anchorNotFound");
	calls_fail(*state, "[\"Test/query\",{\"accountId\":\"u7\",\"limit\":-1},\"0\"]",
	    "invalidArguments");
	calls_fail(*state, "[\"Test/query\",{\"accountId\":\"u7\",\"filter\":{\"operator\":\"XOR\","
	    "\"conditions\":[]}},\"0\"]", "invalidArguments");
	calls_fail(*state, "[\"Test/query\",{\"accountId\":\"u7\",\"filter\":{\"operator\":\"AND\","
	    "\"conditions\":[5]}},\"0\"]", "invalidArguments");
}

static void
a_cancelled_request_ends_its_call_and_answers_nothing(void **state)
{
	struct world *w = *state;
	struct jmap_request *r = jmap_request_start(&w->host, w->account, SPAN_LIT("{\"using\":["
	    "\"urn:ietf:params:jmap:core\"],\"methodCalls\":[[\"Test/later\",{\"never\":1},\"a\"]]}"),
	    SPAN_LIT("S"), 0, on_done, w);

	loop_once(w->loop, false);
	assert_int_equal(running, 1);
	jmap_request_cancel(&r);
	assert_null(r);
	assert_int_equal(ended, 1);
	assert_false(w->done);
	jmap_request_cancel(&r);
}

static void
when_the_login_ends_its_requests_end_with_errors(void **state)
{
	struct world *w = *state;

	jmap_request_start(&w->host, w->account, SPAN_LIT("{\"using\":[\"urn:ietf:params:jmap:core\"],"
	    "\"methodCalls\":[[\"Test/later\",{\"never\":1},\"a\"],[\"Core/echo\",{},\"b\"]]}"),
	    SPAN_LIT("S"), 0, on_done, w);
	loop_once(w->loop, false);
	jmap_account_end(w->account);
	while (!w->done)
		loop_once(w->loop, true);
	assert_string_equal(buf_cstr(&w->answer), "{\"methodResponses\":[[\"error\",{\"type\":"
	    "\"serverUnavailable\",\"description\":\"this login has ended\"},\"a\"],[\"error\",{\"type\":"
	    "\"serverUnavailable\",\"description\":\"this login has ended\"},\"b\"]],"
	    "\"sessionState\":\"S\"}");
	assert_int_equal(ended, 1);
}

static void
over_a_websocket_requests_and_problems_carry_their_id(void **state)
{
	struct world *w = *state;

	w->host.websocket = true;
	assert_string_equal(ask_as(w, SPAN_LIT("{\"@type\":\"Request\",\"id\":\"R1\",\"using\":["
	    "\"urn:ietf:params:jmap:websocket\"],\"methodCalls\":[]}"), JMAP_OVER_WEBSOCKET),
	    "{\"@type\":\"Response\",\"requestId\":\"R1\",\"methodResponses\":[],"
	    "\"sessionState\":\"S\"}");
	assert_non_null(strstr(ask_as(w, SPAN_LIT("{\"@type\":\"Request\",\"id\":\"R1\"}"),
	    JMAP_OVER_WEBSOCKET), "{\"@type\":\"RequestError\",\"requestId\":\"R1\",\"type\":"
	    "\"urn:ietf:params:jmap:error:notRequest\""));
	assert_non_null(strstr(ask_as(w, SPAN_LIT("{"), JMAP_OVER_WEBSOCKET),
	    "{\"@type\":\"RequestError\",\"requestId\":null,"));
	assert_non_null(strstr(ask_as(w, SPAN_LIT("{\"using\":[],\"methodCalls\":[]}"),
	    JMAP_OVER_WEBSOCKET), "notRequest"));
}

static void
the_session_tells_what_is_there_and_its_limits(void **state)
{
	struct world *w = *state;
	struct jmap_urls urls = { SPAN_LIT("https://m.example"), SPAN_NONE };
	char before[JMAP_SESSION_STATE_MAX], after[JMAP_SESSION_STATE_MAX];
	struct buf b = { 0 };
	const char *s;

	jmap_session_put(&b, &w->host, w->account, &urls);
	s = buf_cstr(&b);
	assert_non_null(strstr(s, "\"capabilities\":{\"urn:ietf:params:jmap:core\":{\"maxSizeUpload\":"
	    "50000000,\"maxConcurrentUpload\":4,\"maxSizeRequest\":4000,\"maxConcurrentRequests\":8,"
	    "\"maxCallsInRequest\":4,\"maxObjectsInGet\":3,\"maxObjectsInSet\":3,"
	    "\"collationAlgorithms\":["));
	assert_non_null(strstr(s, "\"urn:ietf:params:jmap:mail\":{}"));
	assert_non_null(strstr(s, "\"accounts\":{\"u7\":{\"name\":\"u@example.org\",\"isPersonal\":true,"
	    "\"isReadOnly\":false,"));
	assert_non_null(strstr(s, "\"primaryAccounts\":{\"urn:ietf:params:jmap:core\":\"u7\","
	    "\"urn:ietf:params:jmap:mail\":\"u7\"}"));
	assert_non_null(strstr(s, "\"downloadUrl\":\"https://m.example/jmap/download/{accountId}/{blobId}/"
	    "{name}?type={type}\""));
	assert_null(strstr(s, "quota"));
	assert_null(strstr(s, "websocket"));
	jmap_session_state(before, &w->host, w->account);
	assert_non_null(strstr(s, before));
	w->limits.max_objects_in_get++;
	jmap_session_state(after, &w->host, w->account);
	assert_string_not_equal(before, after);
	buf_fini(&b);
}

struct told {
	struct jmap_watch	w;
	struct jmap_watch	*other;
	int			times;
};

static void
on_told(void *arg, enum jmap_account_event ev, uint64_t modseq)
{
	struct told *t = arg;

	t->times++;
	if (t->other != NULL)
		jmap_account_unwatch(t->other);
	jmap_account_unwatch(&t->w);
}

static void
watchers_may_go_while_they_are_told(void **state)
{
	struct world *w = *state;
	struct told a = { .w = { .event = on_told, .arg = &a } };
	struct told b = { .w = { .event = on_told, .arg = &b }, .other = &a.w };
	struct told c = { .w = { .event = on_told, .arg = &c } };

	jmap_account_watch(w->account, &b.w);
	jmap_account_watch(w->account, &a.w);
	jmap_account_watch(w->account, &c.w);
	jmap_account_end(w->account);
	assert_int_equal(a.times, 0);
	assert_int_equal(b.times, 1);
	assert_int_equal(c.times, 1);
}

static void
on_nothing(void *arg, enum status st)
{
}

static void
a_mirror_made_behind_the_end_goes_with_its_account(void **state)
{
	struct world *w = *state;
	struct mirror_call *call;

	w->host.mirrors = mirror_pool_new(w->loop, SIZE_MAX);
	jmap_account_end(w->account);
	call = mirror_fresh(jmap_host_mirror(&w->host, w->account), on_nothing, w);
	jmap_account_end(w->account);
	assert_null(w->account->mirror);
	mirror_cancel(&call);
	mirror_pool_free(&w->host.mirrors);
	/* tear_down() frees the loop, which must have nothing to do */
}

static void
dates_are_read_and_written_by_the_second(void **state)
{
	static const struct {
		const char	*text;
		int64_t		ms;
	} cases[] = {
		{ "1970-01-01T00:00:00Z", 0 }, { "2014-10-30T06:12:00Z", INT64_C(1414649520000) },
		{ "2000-02-29T23:59:59Z", INT64_C(951868799000) },
		{ "1969-12-31T23:59:59Z", -1000 }, { "2026-11-21T20:00:00.250Z", INT64_C(1795291200250) },
	};
	static const char *const bad[] = {
		"", "2014-10-30", "2014-10-30T06:12:00", "2014-10-30T06:12:00+01:00",
		"2014-10-30t06:12:00z", "2014-13-01T00:00:00Z", "2013-02-29T00:00:00Z",
		"2014-10-30T24:00:00Z", "2014-10-30T06:12:00.Z", "2014-10-30T06:12:00Z ",
	};
	struct json_writer w;
	struct buf b = { 0 };
	int64_t ms;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_true(jmap_date_parse(span_str(cases[i].text), &ms));
		assert_int_equal(ms, cases[i].ms);
		buf_clear(&b);
		json_writer_init(&w, &b);
		jmap_date_put(&w, ms);
		assert_memory_equal(buf_cstr(&b) + 1, cases[i].text, strlen(cases[i].text));
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(jmap_date_parse(span_str(bad[i]), &ms));
	buf_fini(&b);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(echo_gives_back_what_it_got),
		T(calls_run_one_after_the_other_and_a_failed_one_stops_none),
		T(what_is_no_request_is_refused_as_a_whole),
		T(each_limit_of_a_request_has_its_own_name),
		T(unknown_members_of_a_request_do_not_matter),
		T(a_method_is_unknown_without_its_capability),
		T(accounts_are_judged_before_the_method),
		T(a_wrong_argument_is_named),
		T(references_take_values_out_of_earlier_answers),
		T(references_that_lead_nowhere_fail_their_call_alone),
		T(creation_ids_last_for_the_request_and_go_in_and_out),
		T(an_answer_that_outgrows_its_limit_says_so_unless_it_tells_of_a_change),
		T(get_tells_each_id_once_and_names_what_is_missing),
		T(set_tells_every_outcome_in_its_place),
		T(patches_with_a_path_inside_of_another_are_invalid),
		T(a_query_gives_the_part_that_was_asked_for),
		T(a_cancelled_request_ends_its_call_and_answers_nothing),
		T(when_the_login_ends_its_requests_end_with_errors),
		T(over_a_websocket_requests_and_problems_carry_their_id),
		T(the_session_tells_what_is_there_and_its_limits),
		T(watchers_may_go_while_they_are_told),
		T(a_mirror_made_behind_the_end_goes_with_its_account),
		T(dates_are_read_and_written_by_the_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
