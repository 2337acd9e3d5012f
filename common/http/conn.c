/* The life of a connection: which engine serves it, and what it may take its time with. */
#include "common/http/priv.h"

#include <stdio.h>

#include "common/proto/websocket.h"
#include "common/util/mem.h"

void
http_enter(struct http_conn *c)
{
	c->depth++;
}

void
http_leave(struct http_conn *c)
{
	if (--c->depth == 0 && c->gone)
		mem_free(&c);
}

void
http_kick(struct http_conn *c)
{
	if (!c->gone)
		loop_task_post(c->task);
}

static void
kill_all(struct http_conn *c)
{
	while (!list_empty(&c->requests))
		http_request_kill(list_entry(c->requests.next, struct http_request, in));
}

void
http_conn_free(struct http_conn **cp)
{
	struct http_conn *c = *cp;

	*cp = NULL;
	if (c == NULL || c->gone)
		return;
	c->gone = c->ending = true;
	http_enter(c);
	if (c->ws != NULL)
		ws_free_with(c, WS_END_SERVER);
	kill_all(c);
	if (c->engine != NULL)
		c->engine->fini(c);
	list_remove(&c->in);
	c->srv->ops->closed(c, c->srv->arg);
	loop_task_free(&c->task);
	loop_timer_free(&c->timer);
	conn_free(&c->net);
	http_leave(c);
}

void
http_end(struct http_conn *c)
{
	if (c->ending)
		return;
	c->ending = c->last = true;
	http_enter(c);
	kill_all(c);
	loop_timer_clear(c->timer);
	conn_finish(c->net);
	http_leave(c);
}

/* ---- time ---- */

static enum http_phase
phase_of(struct http_conn *c)
{
	bool body = false, out = conn_full(c->net), any = false;
	struct list *n, *tmp;

	list_each(n, tmp, &c->requests) {
		struct http_request *rq = list_entry(n, struct http_request, in);

		if (!rq->shown)
			return PHASE_HEAD;
		any = true;
		body |= http_body_wanted(rq) && !rq->body_ended;
		out |= rq->out.len > 0;
	}
	if (out)
		return PHASE_OUT;
	if (any)
		return body ? PHASE_BODY : PHASE_NONE;
	return c->engine != &http_engine_2 && conn_in(c->net)->len > 0 ? PHASE_HEAD : PHASE_IDLE;
}

static uint64_t
moved(const struct http_conn *c)
{
	return c->phase == PHASE_OUT ? conn_bytes_out(c->net) : conn_bytes_in(c->net);
}

static void
set_clock(struct http_conn *c)
{
	const struct http_conf *conf = c->srv->conf;
	uint32_t s = c->phase == PHASE_IDLE ? conf->idle_s : c->phase == PHASE_HEAD ?
	    conf->head_s : conf->body_s;

	c->mark = moved(c);
	if (c->phase == PHASE_NONE)
		loop_timer_clear(c->timer);
	else
		loop_timer_set(c->timer, (uint64_t)s * 1000);
}

void
http_arm(struct http_conn *c)
{
	enum http_phase now;

	if (c->ending || c->ws != NULL)
		return;
	now = phase_of(c);
	if (now == c->phase)
		return;
	c->phase = (uint8_t)now;
	set_clock(c);
}

static void
on_timer(void *arg)
{
	static const char *const names[] = { "", "idle", "head", "body", "answer" };
	struct http_conn *c = arg;
	bool slow = c->phase == PHASE_HEAD || c->phase == PHASE_BODY;

	if (c->ending)
		return;
	if (c->phase >= PHASE_BODY && moved(c) - c->mark >= HTTP_BODY_STEP) {
		set_clock(c);
		return;
	}
	LOG(&c->log, DEBUG, "http.timeout", KV_STR("of", names[c->phase]));
	http_enter(c);
	if (c->phase == PHASE_OUT) {
		struct http_conn *copy = c;

		http_conn_free(&copy);
	} else {
		if (c->engine != NULL)
			c->engine->goodbye(c, slow ? 408 : 0);
		http_end(c);
	}
	http_leave(c);
}

/* ---- from the loop ---- */

/* By what was agreed on in TLS, or by the first bytes: "PRI" is no method of HTTP/1.1 (RFC 9113
 * §3.4).  false: more is needed. */
static bool
choose(struct http_conn *c)
{
	size_t len = 0;
	const char *alpn = conn_tls(c->net) != NULL ? tls_alpn(conn_tls(c->net), &len) : NULL;
	struct span in = buf_span(conn_in(c->net));

	if (c->engine != NULL)
		return true;
	if (alpn != NULL)
		c->engine = span_eq_str(span(alpn, len), "h2") ? &http_engine_2 : &http_engine_1;
	else if (in.len >= 3)
		c->engine = span_has_prefix(in, "PRI") ? &http_engine_2 : &http_engine_1;
	return c->engine != NULL;
}

static void
run(struct http_conn *c)
{
	http_enter(c);
	if (!c->ending && c->ws == NULL && choose(c))
		c->engine->run(c);
	if (!c->gone)
		http_arm(c);
	http_leave(c);
}

static void
on_task(void *arg)
{
	struct http_conn *c = arg;

	if (c->ending || c->ws != NULL || (conn_tls(c->net) != NULL && !conn_is_secure(c->net)))
		return;
	run(c);
}

static void
on_data(struct conn *net, void *arg)
{
	run(arg);
}

static void
on_drained(struct conn *net, void *arg)
{
	struct http_conn *c = arg;

	http_enter(c);
	if (!c->ending && c->engine != NULL)
		c->engine->drained(c);
	if (!c->gone)
		http_arm(c);
	http_leave(c);
}

static void
on_secured(struct conn *net, void *arg)
{
	struct http_conn *c = arg;

	LOG(&c->log, DEBUG, "http.tls", KV_STR("version", tls_version_name(conn_tls(net))),
	    KV_STR("cipher", tls_cipher_name(conn_tls(net))));
	run(c);
}

/* It sends no more: what is under way is still answered, but for what waits for its bytes and what
 * has no end. */
static void
on_eof(struct conn *net, void *arg)
{
	struct http_conn *c = arg;
	struct list *n, *tmp;

	c->eof = c->last = true;
	if (c->engine == &http_engine_2 || list_empty(&c->requests)) {
		http_end(c);
		return;
	}
	list_each(n, tmp, &c->requests) {
		struct http_request *rq = list_entry(n, struct http_request, in);

		if (rq->endless || !rq->body_ended) {
			http_end(c);
			return;
		}
	}
}

static void
on_closed(struct conn *net, enum conn_end why, void *arg)
{
	struct http_conn *c = arg;

	if (why == CONN_TLS_FAILED)
		LOG(&c->log, INFO, "http.tls-failed", KV_STR("error", conn_tls_error(net)));
	http_conn_free(&c);
}

static const struct conn_ops net_ops = {
	.data = on_data, .eof = on_eof, .drained = on_drained, .secured = on_secured,
	.closed = on_closed
};

struct http_conn *
http_conn_new(struct http_server *srv, int fd, struct tls_ctx *tls, const char *id)
{
	struct http_conn *c = mem_zalloc(sizeof(*c));

	c->srv = srv;
	snprintf(c->id, sizeof(c->id), "%s", id);
	list_init(&c->requests);
	list_push_back(&srv->conns, &c->in);
	c->net = conn_new(srv->loop, fd, tls, &net_ops, c);
	conn_set_water(c->net, HTTP_OUT_HIGH / 4, HTTP_OUT_HIGH);
	c->ip = *conn_peer(c->net);
	net_ip_print(&c->ip, c->peer);
	c->log = (struct log_ctx){ .conn = c->id, .peer = c->peer };
	c->task = loop_task_new(srv->loop, on_task, c);
	c->timer = loop_timer_new(srv->loop, on_timer, c);
	/* The first head comes at once, whoever sends it. */
	c->phase = PHASE_IDLE;
	loop_timer_set(c->timer, (uint64_t)srv->conf->head_s * 1000);
	return c;
}

void
http_server_drain(struct http_server *srv)
{
	struct list *n, *tmp;

	list_each(n, tmp, &srv->conns) {
		struct http_conn *c = list_entry(n, struct http_conn, in);
		struct list *m, *tmp2;

		c->last = true;
		if (c->ws != NULL) {
			ws_close(c->ws, WS_GOING_AWAY, "the server ends");
			continue;
		}
		http_enter(c);
		list_each(m, tmp2, &c->requests) {
			struct http_request *rq = list_entry(m, struct http_request, in);

			if (rq->endless && !rq->answered)
				http_request_cut(rq);
		}
		if (!c->ending && c->engine != NULL)
			c->engine->goodbye(c, 0);
		if (!c->ending && list_empty(&c->requests))
			http_end(c);
		http_leave(c);
	}
}

void
http_server_fini(struct http_server *srv)
{
	while (srv->conns.next != NULL && !list_empty(&srv->conns)) {
		struct http_conn *c = list_entry(srv->conns.next, struct http_conn, in);

		http_conn_free(&c);
	}
}

void
http_conn_last(struct http_conn *c)
{
	c->last = true;
}

void
http_conn_set_data(struct http_conn *c, void *data)
{
	c->data = data;
}

void *
http_conn_data(const struct http_conn *c)
{
	return c->data;
}

struct conn *
http_conn_net(const struct http_conn *c)
{
	return c->net;
}
