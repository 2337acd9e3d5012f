/* The calls run one after the other, each to its end; the answer's text grows in one buffer, and an
 * error takes back what its call had written. */
#include "jmapd/core/request.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "common/util/mem.h"
#include "jmapd/core/args.h"
#include "jmapd/core/capability.h"
#include "jmapd/core/request_priv.h"

/* The place of what stands in the table, and behind it the WebSocket's; -1: not known. */
static int
capability_bit(struct span name)
{
	int i = 0;

	for (; jmap_capability_table[i].name != NULL; i++)
		if (span_eq_str(name, jmap_capability_table[i].name))
			return i;
	return span_eq_str(name, JMAP_WEBSOCKET) ? i : span_eq_str(name, JMAP_VAPID) ? i + 1 : -1;
}

static bool
capability_usable(const struct jmap_host *h, struct span name, int bit)
{
	if (span_eq_str(name, JMAP_WEBSOCKET))
		return h->websocket;
	if (span_eq_str(name, JMAP_VAPID))
		return jmap_host_signs(h);
	return jmap_capability_there(h->methods, jmap_capability_table[bit].name);
}

const struct jmap_method *
jmap_method_find(const struct jmap_method *const *tables, struct span name)
{
	for (; *tables != NULL; tables++)
		for (const struct jmap_method *m = *tables; m->name != NULL; m++)
			if (span_eq_str(name, m->name))
				return m;
	return NULL;
}

bool
jmap_capability_there(const struct jmap_method *const *tables, const char *capability)
{
	for (; *tables != NULL; tables++)
		for (const struct jmap_method *m = *tables; m->name != NULL; m++)
			if (strcmp(m->capability, capability) == 0)
				return true;
	return false;
}

/* ---- problems ---- */

static void
put_problem(struct buf *out, unsigned status, const char *type, const char *limit,
    const char *detail, bool websocket, struct span ws_id)
{
	struct json_writer w;
	char urn[96];

	snprintf(urn, sizeof(urn), "urn:ietf:params:jmap:error:%s", type);
	json_writer_init(&w, out);
	json_begin_object(&w);
	if (websocket) {
		json_kv_str(&w, "@type", "RequestError");
		json_key(&w, "requestId");
		if (ws_id.p != NULL)
			json_string(&w, ws_id);
		else
			json_null(&w);
	}
	json_kv_str(&w, "type", urn);
	json_kv_uint(&w, "status", status);
	if (limit != NULL)
		json_kv_str(&w, "limit", limit);
	json_kv_str(&w, "detail", detail);
	json_end_object(&w);
}

void
jmap_problem(struct buf *out, unsigned status, const char *type, const char *limit,
    const char *detail)
{
	put_problem(out, status, type, limit, detail, false, SPAN_NONE);
}

static void
refuse(struct jmap_request *rq, const char *type, const char *limit, const char *detail)
{
	buf_clear(&rq->out);
	put_problem(&rq->out, 400, type, limit, detail, rq->flags & JMAP_OVER_WEBSOCKET, rq->ws_id);
	rq->calls = NULL;
}

/* ---- reading the Request object ---- */

static bool
read_using(struct jmap_request *rq, const struct json *using)
{
	char detail[300];

	if (!json_is_array(using) || json_count(using) > JMAP_USING_MAX) {
		refuse(rq, "notRequest", NULL, "`using` is not an array of capabilities");
		return false;
	}
	for (size_t i = 0; i < json_count(using); i++) {
		struct span name;
		int bit;

		if (!json_as_string(json_item(using, i), &name)) {
			refuse(rq, "notRequest", NULL, "`using` holds something else than strings");
			return false;
		}
		bit = capability_bit(name);
		if (bit < 0 || !capability_usable(rq->host, name, bit)) {
			snprintf(detail, sizeof(detail), "this server does not have the "
			    "capability \"%.*s\"", (int)(name.len < 200 ? name.len : 200), name.p);
			refuse(rq, "unknownCapability", NULL, detail);
			return false;
		}
		rq->using |= UINT64_C(1) << bit;
	}
	return true;
}

static bool
read_calls(struct jmap_request *rq, const struct json *calls)
{
	if (!json_is_array(calls)) {
		refuse(rq, "notRequest", NULL, "`methodCalls` is not an array");
		return false;
	}
	if (json_count(calls) > rq->host->limits->max_calls_in_request) {
		refuse(rq, "limit", "maxCallsInRequest", "the request has too many method calls");
		return false;
	}
	for (size_t i = 0; i < json_count(calls); i++) {
		const struct json *call = json_item(calls, i);
		struct span id;

		if (json_count(call) != 3 || !json_is_string(json_item(call, 0)) ||
		    !json_is_object(json_item(call, 1)) ||
		    !json_as_string(json_item(call, 2), &id) || id.len > JMAP_CALL_ID_MAX) {
			refuse(rq, "notRequest", NULL, "a method call is an array of a name, an "
			    "object of arguments, and a call id");
			return false;
		}
	}
	rq->calls = calls;
	return true;
}

static void
add_created(struct jmap_request *rq, struct span creation_id, struct span id)
{
	char *copy = mem_strndup(id.p, id.len), *old = table_put(&rq->created, creation_id, copy);

	mem_free(&old);
}

static bool
read_created(struct jmap_request *rq, const struct json *created)
{
	const struct json *v;
	struct span key, id;
	void *pos = NULL;

	if (created == NULL)
		return true;
	if (!json_is_object(created)) {
		refuse(rq, "notRequest", NULL, "`createdIds` is not an object");
		return false;
	}
	if (json_members(created) > JMAP_CREATED_IDS_MAX) {
		refuse(rq, "limit", "maxSizeRequest", "`createdIds` has too many ids");
		return false;
	}
	rq->tells_created = true;
	while (json_next(created, &pos, &key, &v)) {
		if (!json_as_string(v, &id) || !jmap_id_syntax(id) || !jmap_id_syntax(key)) {
			refuse(rq, "notRequest", NULL, "`createdIds` holds something else than ids");
			return false;
		}
		add_created(rq, key, id);
	}
	return true;
}

/* false: refused. */
static bool
read_request(struct jmap_request *rq, struct span text)
{
	const struct json *root;
	const char *why;
	char detail[160];
	struct span type;
	enum status st = json_parse_interop(text, rq->host->limits->max_size_request, &rq->doc,
	    &why);

	if (st == ST_LIMIT) {
		refuse(rq, "limit", "maxSizeRequest", "the request is too long");
		return false;
	}
	if (st != ST_OK) {
		snprintf(detail, sizeof(detail), "the request is no I-JSON: %s", why);
		refuse(rq, "notJSON", NULL, detail);
		return false;
	}
	root = json_root(rq->doc);
	if (rq->flags & JMAP_OVER_WEBSOCKET) {
		json_get_string(root, "id", &rq->ws_id);
		if (!json_get_string(root, "@type", &type) || !span_eq_str(type, "Request")) {
			refuse(rq, "notRequest", NULL, "\"@type\" is not \"Request\"");
			return false;
		}
	}
	if (!json_is_object(root)) {
		refuse(rq, "notRequest", NULL, "the request is not an object");
		return false;
	}
	return read_using(rq, json_member(root, "using")) &&
	    read_created(rq, json_member(root, "createdIds")) &&
	    read_calls(rq, json_member(root, "methodCalls"));
}

/* ---- a call and its end ---- */

/* What both ends of a call share; the answer to it is written. */
static void
close_call(struct jmap_request *rq, struct span name)
{
	struct jmap_call *c = &rq->call;
	struct jmap_response *r;

	if (rq->response_count == rq->responses_room) {
		rq->responses_room = rq->responses_room * 2 + 4;
		rq->responses = mem_realloc_array(rq->responses, rq->responses_room, sizeof(*r));
	}
	r = &rq->responses[rq->response_count++];
	*r = (struct jmap_response){ name, rq->call_id, rq->args_from, rq->out.len };
	json_string(&rq->writer, rq->call_id);
	json_end_array(&rq->writer);
	rq->open = false;
	if (c->ended != NULL)
		c->ended(c);
	if (c->method != NULL && (c->method->flags & JMAP_WRITES))
		jmap_account_changed(rq->account);
	jmap_account_release(&c->from_account);
	arena_reset(&rq->arena);
	json_free(&rq->resolved);
	json_free(&rq->running.doc);
	if (!rq->driving)
		loop_task_post(rq->task);
}

bool
jmap_call_full(const struct jmap_call *c)
{
	return c->request->out.len > c->host->limits->max_size_answer;
}

void
jmap_call_too_large(struct jmap_call *c)
{
	jmap_call_error(c, "requestTooLarge", "with this call the request's answer would be longer "
	    "than %llu bytes: ask for less at a time",
	    (unsigned long long)c->host->limits->max_size_answer);
}

void
jmap_call_done(struct jmap_call *c)
{
	struct jmap_request *rq = c->request;

	assert(rq->open && rq->out.len > rq->args_from && rq->writer.depth == rq->before.depth + 1);
	if (!(c->method->flags & JMAP_WRITES) && jmap_call_full(c))
		jmap_call_too_large(c);
	else
		close_call(rq, span_str(c->method->name));
}

/* Begins the answer to a call: its name, and where its arguments will stand. */
static void
begin_answer(struct jmap_request *rq, const char *name)
{
	json_begin_array(&rq->writer);
	json_str(&rq->writer, name);
	rq->args_from = rq->out.len + 1;	/* the comma */
}

void
jmap_call_error(struct jmap_call *c, const char *type, const char *fmt, ...)
{
	struct jmap_request *rq = c->request;
	struct buf why = { 0 };
	va_list ap;

	assert(rq->open);
	va_start(ap, fmt);
	buf_vaddf(&why, fmt, ap);
	va_end(ap);
	buf_cut(&rq->out, rq->call_from);
	rq->writer = rq->before;
	rq->errors++;
	json_free(&rq->then.doc);
	begin_answer(rq, "error");
	json_begin_object(&rq->writer);
	json_kv_str(&rq->writer, "type", type);
	json_kv_string(&rq->writer, "description", buf_span(&why));
	json_end_object(&rq->writer);
	buf_fini(&why);
	close_call(rq, SPAN_LIT("error"));
}

void
jmap_call_status(struct jmap_call *c, enum status st, const char *what)
{
	bool writes = c->method->flags & JMAP_WRITES;

	switch (st) {
	case ST_UNAVAILABLE:
	case ST_EXPIRED:
	case ST_CANCELLED:
		jmap_call_error(c, "serverUnavailable", "%s: the store does not answer at the moment, "
		    "try again", what);
		break;
	case ST_DENIED:
		jmap_call_error(c, writes ? "accountReadOnly" : "forbidden", "%s: not allowed", what);
		break;
	case ST_LIMIT:
		jmap_call_error(c, "requestTooLarge", "%s: too much at once", what);
		break;
	default:
		jmap_call_error(c, "serverFail", "%s: %s", what, status_name(st));
	}
}

struct jmap_account *
jmap_call_login(const struct jmap_call *c)
{
	return c->request->account;
}

/* ---- starting calls ---- */

static bool
find_account(struct jmap_call *c, const char *arg, const char *error, struct jmap_account **found)
{
	struct jmap_request *rq = c->request;
	struct span id = jmap_arg_string(c, arg);

	if (id.p == NULL)
		jmap_arg_bad(c, arg, "an account id is required");
	if (c->seen.bad)
		return jmap_args_end(c);
	if (!span_eq(id, rq->account->id)) {
		jmap_call_error(c, error, "%s: there is no such account", arg);
		return false;
	}
	*found = rq->account;
	return true;
}

static bool
find_accounts(struct jmap_call *c)
{
	if (c->method->flags & JMAP_NO_ACCOUNT)
		return true;
	if (!find_account(c, "accountId", "accountNotFound", &c->account))
		return false;
	if (!(c->method->flags & JMAP_FROM_ACCOUNT))
		return true;
	if (!find_account(c, "fromAccountId", "fromAccountNotFound", &c->from_account))
		return false;
	jmap_account_hold(c->from_account);
	return true;
}

static void
run(struct jmap_request *rq, const struct jmap_method *m, const struct json *args)
{
	struct jmap_call *c = &rq->call;

	c->method = m;
	c->args = args;
	if (jmap_has_references(args) && !jmap_resolve(rq, args, &c->args))
		return;
	begin_answer(rq, m->name);
	if (rq->account->over) {
		jmap_call_error(c, "serverUnavailable", "this login has ended");
		return;
	}
	if (find_accounts(c))
		m->run(c);
}

static void
open_call(struct jmap_request *rq)
{
	rq->open = true;
	rq->before = rq->writer;
	rq->call_from = rq->out.len;
	memset(&rq->call, 0, sizeof(rq->call));
	rq->call.arena = &rq->arena;
	rq->call.out = &rq->writer;
	rq->call.host = rq->host;
	rq->call.request = rq;
}

bool
jmap_call_uses(const struct jmap_call *c, const char *capability)
{
	return (c->request->using >> capability_bit(span_str(capability)) & 1) != 0;
}

static void
next_call(struct jmap_request *rq)
{
	const struct json *call = json_item(rq->calls, rq->next++);
	const struct jmap_method *m;
	struct span name = SPAN_NONE;

	json_as_string(json_item(call, 0), &name);
	json_as_string(json_item(call, 2), &rq->call_id);
	open_call(rq);
	m = jmap_method_find(rq->host->methods, name);
	if (m == NULL) {
		jmap_call_error(&rq->call, "unknownMethod", "this server has no such method");
		return;
	}
	if (!jmap_call_uses(&rq->call, m->capability)) {
		jmap_call_error(&rq->call, "unknownMethod",
		    "`using` does not name the capability of this method, %s", m->capability);
		return;
	}
	run(rq, m, json_item(call, 1));
}

static void
then_call(struct jmap_request *rq)
{
	rq->running = rq->then;
	rq->then.doc = NULL;
	open_call(rq);
	run(rq, rq->running.method, json_root(rq->running.doc));
}

void
jmap_call_then(struct jmap_call *c, const char *method, struct span args)
{
	struct jmap_request *rq = c->request;

	json_free(&rq->then.doc);
	rq->then.method = jmap_method_find(rq->host->methods, span_str(method));
	assert(rq->then.method != NULL);
	if (json_parse(args, SIZE_MAX, &rq->then.doc) != ST_OK)
		abort();
}

/* ---- creation ids ---- */

void
jmap_call_created(struct jmap_call *c, struct span creation_id, struct span id)
{
	if (c->request->created.count < 2 * JMAP_CREATED_IDS_MAX)
		add_created(c->request, creation_id, id);
}

struct span
jmap_call_resolve(struct jmap_call *c, struct span text)
{
	const char *id;

	if (text.len == 0 || text.p[0] != '#')
		return text;
	id = table_get(&c->request->created, span_sub(text, 1, text.len));
	return id != NULL ? span_str(id) : SPAN_NONE;
}

/* ---- the whole ---- */

static void
free_id(void *value, void *arg)
{
	mem_free(&value);
}

static void
request_free(struct jmap_request *rq)
{
	jmap_account_unwatch(&rq->watch);
	jmap_account_release(&rq->account);
	loop_task_free(&rq->task);
	json_free(&rq->resolved);
	json_free(&rq->then.doc);
	json_free(&rq->running.doc);
	json_free(&rq->doc);
	table_fini(&rq->created, free_id, NULL);
	arena_fini(&rq->arena);
	buf_fini(&rq->out);
	mem_free(&rq->responses);
	mem_free(&rq->session_state);
	mem_free(&rq);
}

static void
put_created(struct jmap_request *rq)
{
	struct span key;
	size_t pos = 0;
	void *id;

	json_key(&rq->writer, "createdIds");
	json_begin_object(&rq->writer);
	while (table_next(&rq->created, &pos, &key, &id)) {
		json_key_span(&rq->writer, key);
		json_str(&rq->writer, id);
	}
	json_end_object(&rq->writer);
}

static void
finish(struct jmap_request *rq)
{
	struct jmap_answer a = { 200, "application/json", &rq->out, (unsigned)rq->response_count,
	    rq->errors };

	if (rq->calls != NULL) {
		json_end_array(&rq->writer);
		if (rq->tells_created)
			put_created(rq);
		json_kv_str(&rq->writer, "sessionState", rq->session_state);
		json_end_object(&rq->writer);
	} else {
		a.status = 400;
		a.type = "application/problem+json";
		a.errors = 1;
	}
	rq->done(rq->arg, &a);
	request_free(rq);
}

static void
drive(void *arg)
{
	struct jmap_request *rq = arg;

	if (rq->open)
		return;
	rq->driving = true;
	while (!rq->open) {
		if (rq->then.doc != NULL)
			then_call(rq);
		else if (rq->calls != NULL && rq->next < json_count(rq->calls))
			next_call(rq);
		else
			break;
	}
	rq->driving = false;
	if (!rq->open)
		finish(rq);
}

static void
on_account(void *arg, enum jmap_account_event ev, uint64_t modseq)
{
	struct jmap_request *rq = arg;

	if (ev == JMAP_ACCOUNT_OVER && rq->open)
		jmap_call_error(&rq->call, "serverUnavailable", "this login has ended");
}

static void
begin_response(struct jmap_request *rq)
{
	json_writer_init(&rq->writer, &rq->out);
	json_begin_object(&rq->writer);
	if (rq->flags & JMAP_OVER_WEBSOCKET) {
		json_kv_str(&rq->writer, "@type", "Response");
		if (rq->ws_id.p != NULL)
			json_kv_string(&rq->writer, "requestId", rq->ws_id);
	}
	json_key(&rq->writer, "methodResponses");
	json_begin_array(&rq->writer);
}

struct jmap_request *
jmap_request_start(const struct jmap_host *h, struct jmap_account *account, struct span text,
    struct span session_state, unsigned flags, jmap_request_done_fn done, void *arg)
{
	struct jmap_request *rq = mem_zalloc(sizeof(*rq));

	rq->host = h;
	rq->account = jmap_account_hold(account);
	rq->watch.event = on_account;
	rq->watch.arg = rq;
	jmap_account_watch(account, &rq->watch);
	rq->flags = flags;
	rq->session_state = mem_strndup(session_state.p, session_state.len);
	rq->done = done;
	rq->arg = arg;
	rq->task = loop_task_new(h->loop, drive, rq);
	if (read_request(rq, text))
		begin_response(rq);
	loop_task_post(rq->task);
	return rq;
}

void
jmap_request_cancel(struct jmap_request **r)
{
	struct jmap_request *rq = *r;

	if (rq == NULL)
		return;
	*r = NULL;
	if (rq->open) {
		rq->open = false;
		if (rq->call.ended != NULL)
			rq->call.ended(&rq->call);
		jmap_account_release(&rq->call.from_account);
	}
	request_free(rq);
}
