/* Requests: what their heads say, and how their bodies are handed out. */
#include "common/http/priv.h"

#include <stdio.h>

#include "common/util/mem.h"

/* ---- beginning and end ---- */

struct http_request *
http_request_new(struct http_conn *c)
{
	struct http_request *rq = mem_zalloc(sizeof(*rq));

	rq->c = c;
	rq->length = HTTP_UNKNOWN;
	rq->began_ms = loop_now_ms(c->srv->loop);
	snprintf(rq->peer, sizeof(rq->peer), "%s", c->peer);
	rq->log = (struct log_ctx){ .conn = c->id, .peer = rq->peer };
	list_push_back(&c->requests, &rq->in);
	return rq;
}

void
http_on_sent(struct http_request *rq, http_sent_fn sent, void *arg)
{
	rq->on_sent = sent;
	rq->sent_arg = arg;
}

static void
release(struct http_request *rq)
{
	list_remove(&rq->in);
	if (rq->on_sent != NULL && rq->answered)
		rq->on_sent(rq->sent_arg);
	buf_fini_secret(&rq->text);		/* it may hold a password */
	mem_free(&rq->fields);
	mem_free(&rq->user);
	buf_fini(&rq->held);
	buf_fini(&rq->incoming);
	buf_fini(&rq->fields_out);
	buf_fini(&rq->out);
	mem_free(&rq);
}

static void
tell(const struct http_request *rq, const char *end)
{
	LOG(&rq->log, DEBUG, "http.request", KV_SPAN("method", rq->method),
	    KV_SPAN("path", rq->path), KV_STR("version", rq->stream > 0 ? "2" : "1"),
	    KV_UINT("code", rq->code), KV_UINT("in", rq->taken), KV_UINT("out", rq->sent),
	    KV_UINT("ms", loop_now_ms(rq->c->srv->loop) - rq->began_ms), KV_STR("end", end));
}

void
http_request_kill(struct http_request *rq)
{
	http_gone_fn fn = rq->answered ? NULL : rq->on_gone;

	list_remove(&rq->in);
	if (rq->shown)
		tell(rq, "gone");
	if (fn != NULL)
		fn(rq, rq->gone_arg);
	release(rq);
}

/* The server does not go on: it ends as if it had been said whole. */
void
http_request_cut(struct http_request *rq)
{
	http_gone_fn fn = rq->on_gone;

	rq->on_gone = NULL;
	if (fn != NULL)
		fn(rq, rq->gone_arg);
	rq->answered = rq->ended = true;
	rq->drained = NULL;
	rq->c->engine->pump(rq);
}

void
http_request_done(struct http_request *rq)
{
	tell(rq, "whole");
	release(rq);
}

/* ---- the head ---- */

void
http_request_ready(struct http_request *rq)
{
	rq->encrypted = conn_tls(rq->c->net) != NULL;
	rq->head_only = span_eq_str(rq->method, "HEAD");
	http_target(rq->target, &rq->path, &rq->query);
	http_forwarded(rq);
}

static bool
origin_allowed(const struct http_conf *conf, struct span origin)
{
	for (size_t i = 0; i < conf->n_origins; i++)
		if (span_eq_str(SPAN_LIT("*"), conf->origins[i]) ||
		    span_caseeq_str(origin, conf->origins[i]))
			return true;
	return false;
}

/* CORS (the Fetch standard): what pages of other origins may see.  Credentials of the browser's own
 * are never allowed: a page sends Authorization itself. */
static void
cors(struct http_request *rq, bool preflight)
{
	const struct http_conf *conf = rq->c->srv->conf;
	struct span origin;

	if (conf->n_origins == 0)
		return;
	http_field_add_str(rq, "Vary", "Origin");
	if (!http_header(rq, "Origin", &origin) || !origin_allowed(conf, origin))
		return;
	http_field_add(rq, "Access-Control-Allow-Origin", origin);
	if (!preflight) {
		http_field_add_str(rq, "Access-Control-Expose-Headers",
		    "Accept-Ranges, Content-Range, ETag, Location, Retry-After, WWW-Authenticate");
		return;
	}
	http_field_add_str(rq, "Access-Control-Allow-Methods", "GET, HEAD, POST, OPTIONS");
	http_field_add_str(rq, "Access-Control-Allow-Headers",
	    "Accept, Authorization, Content-Type, If-None-Match, Last-Event-ID, Range");
	http_field_add_str(rq, "Access-Control-Max-Age", "86400");
}

void
http_request_show(struct http_request *rq)
{
	struct http_conn *c = rq->c;
	struct span method;

	rq->shown = true;
	c->phase = PHASE_NONE;
	c->n_requests++;
	if (c->n_requests >= c->srv->conf->max_requests)
		c->last = true;
	if (rq->too_big) {
		http_reply_text(rq, 431, "The fields of the request are too many or too long");
		return;
	}
	if (span_eq_str(rq->method, "OPTIONS")) {
		cors(rq, http_header(rq, "Access-Control-Request-Method", &method));
		http_field_add_str(rq, "Allow", "GET, HEAD, POST, OPTIONS");
		http_reply(rq, 204, NULL, SPAN_NONE);
		return;
	}
	cors(rq, false);
	c->srv->ops->request(rq, c->srv->arg);
}

struct http_conn *
http_request_conn(const struct http_request *rq)
{
	return rq->c;
}

const struct log_ctx *
http_request_log(const struct http_request *rq)
{
	return &rq->log;
}

struct span
http_method(const struct http_request *rq)
{
	return rq->head_only ? SPAN_LIT("GET") : rq->method;
}

bool
http_method_is(const struct http_request *rq, const char *method)
{
	return span_eq_str(http_method(rq), method);
}

bool
http_head_only(const struct http_request *rq)
{
	return rq->head_only;
}

struct span
http_path(const struct http_request *rq)
{
	return rq->path;
}

struct span
http_query(const struct http_request *rq)
{
	return rq->query;
}

bool
http_header(const struct http_request *rq, const char *name, struct span *value)
{
	return http_field(rq->fields, rq->n_fields, name, value);
}

void
http_base(const struct http_request *rq, struct buf *out)
{
	if (rq->host.len == 0)
		return;
	buf_add_str(out, rq->encrypted ? "https://" : "http://");
	buf_add_span(out, rq->host);
}

bool
http_encrypted(const struct http_request *rq)
{
	return rq->encrypted;
}

const char *
http_peer(const struct http_request *rq)
{
	return rq->peer;
}

void
http_on_gone(struct http_request *rq, http_gone_fn gone, void *arg)
{
	rq->on_gone = gone;
	rq->gone_arg = arg;
}

void
http_set_user(struct http_request *rq, const char *user)
{
	mem_free(&rq->user);
	rq->user = mem_strdup(user);
	rq->log.user = rq->user;
}

bool
http_origin_allowed(const struct http_request *rq)
{
	struct span origin, rest;

	if (!http_header(rq, "Origin", &origin))
		return true;
	rest = origin;
	if (span_has_caseprefix(rest, "http://") || span_has_caseprefix(rest, "https://")) {
		rest = span_sub(rest, span_find(rest, ':') + 3, rest.len);
		if (rest.len > 0 && span_caseeq(rest, rq->host))
			return true;
	}
	return origin_allowed(rq->c->srv->conf, origin);
}

/* ---- the body ---- */

int64_t
http_body_length(const struct http_request *rq)
{
	return rq->length;
}

bool
http_body_wanted(const struct http_request *rq)
{
	return !rq->paused && (rq->mode != BODY_UNASKED) && !rq->body_told;
}

static void
ask(struct http_request *rq, enum http_body_mode mode, void *arg)
{
	rq->mode = (uint8_t)mode;
	rq->body_arg = arg;
	rq->c->engine->wanted(rq);
	http_kick(rq->c);
}

void
http_body_whole(struct http_request *rq, size_t max, http_body_fn done, void *arg)
{
	rq->max = max;
	rq->whole = done;
	ask(rq, BODY_WHOLE, arg);
}

void
http_body_stream(struct http_request *rq, http_piece_fn piece, void *arg)
{
	rq->piece = piece;
	ask(rq, BODY_STREAM, arg);
}

void
http_body_pause(struct http_request *rq)
{
	rq->paused = true;
}

void
http_body_resume(struct http_request *rq)
{
	rq->paused = false;
	http_kick(rq->c);
}

static void
too_long(struct http_request *rq)
{
	rq->mode = BODY_UNASKED;
	rq->body_told = true;
	buf_fini(&rq->held);
	rq->whole(rq, ST_LIMIT, SPAN_NONE, rq->body_arg);
}

/* One that is gathered. */
static void
gather(struct http_request *rq, struct span piece, bool last)
{
	struct buf held;

	if (rq->held.len + piece.len > rq->max ||
	    (rq->length > 0 && (uint64_t)rq->length > rq->max)) {
		too_long(rq);
		return;
	}
	if (last && rq->held.len == 0) {
		rq->body_told = true;
		rq->whole(rq, ST_OK, piece, rq->body_arg);
		return;
	}
	buf_add_span(&rq->held, piece);
	if (!last)
		return;
	held = rq->held;			/* it outlives the request */
	rq->held = (struct buf){ 0 };
	rq->body_told = true;
	rq->whole(rq, ST_OK, buf_span(&held), rq->body_arg);
	buf_fini(&held);
}

void
http_body_feed(struct http_request *rq, struct span piece, bool last)
{
	rq->taken += piece.len;
	if (rq->mode == BODY_WHOLE) {
		gather(rq, piece, last);
	} else if (rq->mode == BODY_STREAM) {
		rq->body_told = last;
		rq->piece(rq, piece, last, rq->body_arg);
	} else if (last) {
		rq->body_told = true;
	}
}
