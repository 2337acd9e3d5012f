/* The session object, and requests by POST (RFC 8620 §2, §3). */
#include "jmapd/core/request.h"
#include "jmapd/core/session.h"
#include "jmapd/server.h"

static void
urls_of(struct jmap_exchange *x, struct buf *base, struct buf *websocket, struct jmap_urls *urls)
{
	if (*x->srv->conf->url != '\0')
		buf_add_str(base, x->srv->conf->url);
	else
		http_base(x->rq, base);
	if (span_has_prefix(buf_span(base), "http")) {
		buf_add_str(websocket, "ws");
		buf_add_span(websocket, span_sub(buf_span(base), 4, base->len));
		buf_add_str(websocket, JMAP_PATH_WEBSOCKET);
	}
	*urls = (struct jmap_urls){ .base = buf_span(base), .websocket = buf_span(websocket) };
}

void
jmap_session_resource(struct jmap_exchange *x)
{
	struct buf out = { 0 }, base = { 0 }, websocket = { 0 };
	struct jmap_urls urls;

	urls_of(x, &base, &websocket, &urls);
	jmap_session_put(&out, &x->srv->host, x->session->account, &urls);
	http_field_add_str(x->rq, "Cache-Control", "no-cache, no-store, must-revalidate");
	http_reply_take(x->rq, 200, "application/json", &out);
	buf_fini(&base);
	buf_fini(&websocket);
	jmap_exchange_done(x);
}

/* ---- requests ---- */

static void
api_ended(struct jmap_exchange *x)
{
	struct jmap_request *r = x->state;

	jmap_request_cancel(&r);
	x->session->requests--;
}

static void
on_sent(void *arg)
{
	jmap_exchange_done(arg);
}

/* Its login was taken back: an answer that is on its way may arrive. */
static void
api_cut(struct jmap_exchange *x)
{
	struct http_request *rq = x->rq;

	if (rq == NULL) {
		jmap_exchange_forget(x);
		return;
	}
	x->cut = NULL;
	jmap_exchange_cut(x);
}

static void
on_answer(void *arg, struct jmap_answer *a)
{
	struct jmap_exchange *x = arg;

	struct http_request *rq = x->rq;

	/* A long answer that its client does not take counts as a request until it has. */
	x->state = NULL;
	x->rq = NULL;
	http_on_sent(rq, on_sent, x);
	http_reply_take(rq, a->status, a->type, a->body);
}

static void
on_body(struct http_request *rq, enum status st, struct span body, void *arg)
{
	struct jmap_exchange *x = arg;
	char state[JMAP_SESSION_STATE_MAX];

	if (st != ST_OK) {
		jmap_exchange_limit(x, 400, "maxSizeRequest", "The request is too long.");
		return;
	}
	x->state = jmap_request_start(&x->srv->host, x->session->account, body,
	    jmap_session_state(state, &x->srv->host, x->session->account), 0, on_answer, x);
}

static bool
is_json(struct http_request *rq)
{
	struct span type;

	return http_header(rq, "Content-Type", &type) &&
	    span_caseeq_str(span_trim(span_cut(&type, ';')), "application/json");
}

void
jmap_api(struct jmap_exchange *x)
{
	const struct jmap_limits *l = &x->srv->limits;
	struct buf out = { 0 };

	if (!is_json(x->rq)) {
		jmap_problem(&out, 400, "notJSON", NULL,
		    "The Content-Type of a request is application/json.");
		http_reply_take(x->rq, 400, "application/problem+json", &out);
		jmap_exchange_done(x);
		return;
	}
	if (x->session->requests >= l->max_concurrent_requests) {
		jmap_exchange_limit(x, 429, "maxConcurrentRequests",
		    "Too many requests at a time: wait for their answers.");
		return;
	}
	x->session->requests++;
	x->ended = api_ended;
	x->cut = api_cut;
	http_body_whole(x->rq, l->max_size_request, on_body, x);
}
