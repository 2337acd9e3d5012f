/* JMAP over WebSocket (RFC 8887): requests are answered as they are ready, changes are pushed when
 * the client has asked for it. */
#include "common/proto/websocket.h"

#include "common/util/mem.h"
#include "jmapd/core/request.h"
#include "jmapd/core/session.h"
#include "jmapd/states.h"

#define PUSH_TEXT_MAX	4096u	/* of a WebSocketPush... object */

struct socket {
	struct jmap_exchange	*x;		/* without a request any more; NULL: it is over */
	struct ws		*ws;
	struct jmap_sub		sub;
	struct list		running;
};
/* A request under way, or whose answer the client did not take yet. */
struct running {
	struct list		in;
	struct socket		*socket;
	struct jmap_session	*session;
	struct jmap_request	*request;
};

static void
running_free(struct running *r)
{
	r->session->requests--;
	list_remove(&r->in);
	jmap_request_cancel(&r->request);
	mem_free(&r);
}

static void
socket_ended(struct jmap_exchange *x)
{
	struct socket *so = x->state;

	so->x = NULL;
	jmap_sub_end(&so->sub);
	while (!list_empty(&so->running))
		running_free(list_entry(so->running.next, struct running, in));
	x->session->pushes--;
}

/* The socket outlives the exchange, until it has closed. */
static void
socket_cut(struct jmap_exchange *x)
{
	struct socket *so = x->state;

	ws_close(so->ws, WS_POLICY, "the login was taken back");
	jmap_exchange_done(x);
}

/* ---- requests ---- */

static void
refuse(struct socket *so, const char *limit, struct span id, const char *detail)
{
	struct buf out = { 0 };
	struct json_writer w;

	json_writer_init(&w, &out);
	json_begin_object(&w);
	json_kv_str(&w, "@type", "RequestError");
	if (id.p != NULL)
		json_kv_string(&w, "requestId", id);
	json_kv_str(&w, "type", "urn:ietf:params:jmap:error:limit");
	json_kv_str(&w, "limit", limit);
	json_kv_uint(&w, "status", 400);
	json_kv_str(&w, "detail", detail);
	json_end_object(&w);
	ws_send(so->ws, buf_span(&out));
	buf_fini(&out);
}

static void
on_answer(void *arg, struct jmap_answer *a)
{
	struct running *r = arg;
	struct socket *so = r->socket;

	r->request = NULL;
	ws_send(so->ws, buf_span(a->body));
	/* what waits for a client that does not read counts */
	if (!ws_full(so->ws))
		running_free(r);
}

static void
start(struct socket *so, struct span text)
{
	struct jmap_exchange *x = so->x;
	struct running *r = mem_zalloc(sizeof(*r));
	char state[JMAP_SESSION_STATE_MAX];

	r->socket = so;
	r->session = x->session;
	list_push_back(&so->running, &r->in);
	x->session->requests++;
	x->session->served++;
	r->request = jmap_request_start(&x->srv->host, x->session->account, text,
	    jmap_session_state(state, &x->srv->host, x->session->account), JMAP_OVER_WEBSOCKET,
	    on_answer, r);
}

static void
too_many(struct socket *so, struct span text)
{
	struct json_doc *doc = NULL;
	struct span id = SPAN_NONE;

	if (json_parse(text, text.len, &doc) == ST_OK)
		(void)json_get_string(json_root(doc), "id", &id);
	refuse(so, "maxConcurrentRequests", id, "Too many requests at a time: wait for their answers.");
	json_free(&doc);
}

/* ---- push ---- */

static void
on_news(struct jmap_sub *sub)
{
	struct socket *so = list_entry(sub, struct socket, sub);
	struct buf out = { 0 };

	if (!ws_full(so->ws) && jmap_sub_put(sub, true, &out))
		ws_send(so->ws, buf_span(&out));
	buf_fini(&out);
}

static void
on_drained(struct ws *w, void *arg)
{
	struct socket *so = arg;
	struct list *n, *tmp;

	list_each(n, tmp, &so->running) {
		struct running *r = list_entry(n, struct running, in);

		if (r->request == NULL)
			running_free(r);
	}
	if (so->sub.began)
		on_news(&so->sub);
}

static void
enable(struct socket *so, const struct json *v)
{
	const struct json *list = json_member(v, "dataTypes");
	struct span text;

	jmap_sub_end(&so->sub);
	so->sub = (struct jmap_sub){ .types = list == NULL ? PUSH_ALL : 0, .news = on_news };
	for (size_t i = 0; i < json_count(list); i++)
		if (json_as_string(json_item(list, i), &text))
			so->sub.types |= push_type_bit(text);
	if (json_get_string(v, "pushState", &text))
		so->sub.resumes = jmap_known_parse(text, &so->sub.known);
	jmap_sub_begin(so->x->session, &so->sub);
}

/* true: the text was about push. */
static bool
take_push(struct socket *so, struct span text)
{
	struct json_doc *doc = NULL;
	struct span type = SPAN_NONE;
	bool about = false;

	if (text.len > PUSH_TEXT_MAX || json_parse(text, PUSH_TEXT_MAX, &doc) != ST_OK)
		return false;
	(void)json_get_string(json_root(doc), "@type", &type);
	if (span_eq_str(type, "WebSocketPushEnable")) {
		enable(so, json_root(doc));
		about = true;
	} else if (span_eq_str(type, "WebSocketPushDisable")) {
		jmap_sub_end(&so->sub);
		so->sub.began = false;
		about = true;
	}
	json_free(&doc);
	return about;
}

/* ---- the socket ---- */

static void
on_message(struct ws *w, struct span text, void *arg)
{
	struct socket *so = arg;

	if (take_push(so, text))
		return;
	if (so->x->session->requests >= so->x->srv->limits.max_concurrent_requests)
		too_many(so, text);
	else
		start(so, text);
}

static void
on_too_long(struct ws *w, void *arg)
{
	refuse(arg, "maxSizeRequest", SPAN_NONE, "The request is too long.");
}

static void
on_closed(struct ws *w, enum ws_end why, void *arg)
{
	static const char *const ends[] = {
		[WS_END_CLIENT] = "client", [WS_END_LOST] = "lost", [WS_END_ERROR] = "error",
		[WS_END_SERVER] = "server"
	};
	struct socket *so = arg;

	if (so->x != NULL) {
		LOG(&so->x->session->log, DEBUG, "jmap.websocket.end", KV_STR("by", ends[why]));
		jmap_exchange_done(so->x);
	}
	mem_free(&so);
}

static const struct ws_ops ws_ops = {
	.message = on_message, .too_long = on_too_long, .drained = on_drained, .closed = on_closed
};

static void
begin(struct jmap_exchange *x)
{
	struct ws_conf conf = { .message_max = (size_t)x->srv->limits.max_size_request,
		.ping_s = x->srv->conf->websocket_ping_s, .deflate = x->srv->conf->compress };
	struct socket *so = mem_zalloc(sizeof(*so));

	so->x = x;
	list_init(&so->running);
	x->state = so;
	x->ended = socket_ended;
	x->cut = socket_cut;
	x->session->pushes++;
	so->ws = http_websocket(x->rq, http_has_subprotocol(x->rq, "jmap") ? "jmap" : NULL, &conf,
	    &ws_ops, so);
	x->rq = NULL;
}

void
jmap_websocket(struct jmap_exchange *x)
{
	if (!http_wants_websocket(x->rq)) {
		http_field_add_str(x->rq, "Sec-WebSocket-Version", "13");
		jmap_exchange_problem(x, 400, "Bad Request",
		    "This is a WebSocket for JMAP (RFC 8887), version 13, over HTTP/1.1.");
	} else if (!http_origin_allowed(x->rq)) {
		/* a browser adds credentials that it knows, whatever page asks for it */
		jmap_exchange_problem(x, 403, "Forbidden", "Pages of this origin may not connect.");
	} else if (!http_has_subprotocol(x->rq, "jmap")) {
		jmap_exchange_problem(x, 400, "Bad Request", "The subprotocol to be offered is \"jmap\".");
	} else if (jmap_push_allowed(x)) {
		begin(x);
	}
}
