/* WebSocket (RFC 6455) on a connection of HTTP/1.1, with permessage-deflate (RFC 7692) where no side
 * keeps anything from one message to the next: a connection that rests costs nothing for it. */
#include "common/http/priv.h"

#include "common/compress/deflate.h"
#include "common/mail/unicode.h"
#include "common/proto/websocket.h"
#include "common/util/mem.h"

#define DEFLATE_MIN	256u		/* shorter messages are sent as they are */
#define DEFLATE_MAX	(1u << 20)	/* longer ones would hold up others */

struct ws {
	struct http_conn	*c;
	const struct ws_ops	*ops;
	void			*arg;
	struct ws_conf		conf;
	struct ws_reader	reader;
	struct inflater		*inflater;	/* of a message under way */
	struct buf		message;
	struct loop_timer	*timer;
	uint64_t		seen;		/* bytes that had come when the timer was set */
	enum ws_end		why;
	bool			deflate, paused, pinged, closing, was_full;
	bool			skipping;	/* the rest of a message that is too long */
};

static const char DEFLATE_TAIL[4] = { 0, 0, (char)0xff, (char)0xff };

/* ---- the handshake ---- */

bool
http_wants_websocket(const struct http_request *rq)
{
	struct buf accept = { 0 };
	struct span key, version;
	bool good = rq->stream == 0 && rq->upgrades && !rq->head_only &&
	    span_eq_str(rq->method, "GET") && rq->body_ended &&
	    http_has_token(rq->fields, rq->n_fields, "Upgrade", "websocket") &&
	    http_count(rq->fields, rq->n_fields, "Sec-WebSocket-Key") == 1 &&
	    http_header(rq, "Sec-WebSocket-Key", &key) && ws_accept(key, &accept) &&
	    http_count(rq->fields, rq->n_fields, "Sec-WebSocket-Version") == 1 &&
	    http_header(rq, "Sec-WebSocket-Version", &version) && span_eq_str(version, "13");

	buf_fini(&accept);
	return good;
}

bool
http_has_subprotocol(const struct http_request *rq, const char *name)
{
	return http_has_token(rq->fields, rq->n_fields, "Sec-WebSocket-Protocol", name);
}

/* One offer: is there anything in it that we do not do? */
static bool
acceptable(struct span offer)
{
	struct span name = span_trim(span_cut(&offer, ';'));

	if (!span_caseeq_str(name, "permessage-deflate"))
		return false;
	while (offer.p != NULL && offer.len > 0) {
		struct span value = span_trim(span_cut(&offer, ';')), key = span_trim(span_cut(&value, '='));

		if (span_caseeq_str(key, "server_no_context_takeover") ||
		    span_caseeq_str(key, "client_no_context_takeover") ||
		    span_caseeq_str(key, "client_max_window_bits"))
			continue;
		value = span_trim(value);
		if (!span_caseeq_str(key, "server_max_window_bits") ||
		    !(span_eq_str(value, "15") || span_eq_str(value, "\"15\"")))
			return false;
	}
	return true;
}

static bool
offers_deflate(const struct http_request *rq)
{
	for (size_t i = 0; i < rq->n_fields; i++) {
		struct span list = rq->fields[i].value, one;

		if (!span_caseeq_str(rq->fields[i].name, "Sec-WebSocket-Extensions"))
			continue;
		while (http_list_next(&list, &one))
			if (acceptable(one))
				return true;
	}
	return false;
}

static void
put_answer(struct ws *w, const struct http_request *rq, const char *subprotocol)
{
	struct buf *out = conn_out(w->c->net);
	struct span key = SPAN_NONE;

	(void)http_header(rq, "Sec-WebSocket-Key", &key);
	buf_add_str(out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
	    "Connection: Upgrade\r\nSec-WebSocket-Accept: ");
	ws_accept(key, out);
	if (subprotocol != NULL)
		buf_addf(out, "\r\nSec-WebSocket-Protocol: %s", subprotocol);
	if (w->deflate)
		buf_add_str(out, "\r\nSec-WebSocket-Extensions: permessage-deflate; "
		    "server_no_context_takeover; client_no_context_takeover");
	buf_add_str(out, "\r\n\r\n");
}

/* ---- the end ---- */

void
ws_free_with(struct http_conn *c, enum ws_end why)
{
	struct ws *w = c->ws;

	c->ws = NULL;
	w->ops->closed(w, w->closing ? w->why : why, w->arg);
	loop_timer_free(&w->timer);
	inflater_free(&w->inflater);
	buf_fini(&w->message);
	mem_free(&w);
}

static void
over(struct ws *w, enum ws_end why)
{
	if (w->closing)
		return;
	w->closing = true;
	w->why = why;
	buf_fini(&w->message);
	inflater_free(&w->inflater);
}

static void
end(struct ws *w, enum ws_end why, unsigned code, const char *reason)
{
	if (w->closing)
		return;
	ws_put_close(conn_out(w->c->net), code, span_str(reason));
	over(w, why);
	loop_timer_clear(w->timer);
	conn_finish(w->c->net);
}

void
ws_close(struct ws *w, unsigned code, const char *reason)
{
	end(w, WS_END_SERVER, code, reason);
}

/* ---- messages in ---- */

/* false: it is over. */
static bool
inflate_some(struct ws *w, struct span in)
{
	while (in.len > 0 || inflater_more(w->inflater)) {
		size_t room = w->conf.message_max - w->message.len, had = in.len;

		if (room == 0) {
			w->skipping = true;
			return true;
		}
		if (inflater_read(w->inflater, &in, room, &w->message) != ST_OK) {
			end(w, WS_END_ERROR, WS_NOT_UTF8, "the message is not compressed rightly");
			return false;
		}
		if (in.len == had && !inflater_more(w->inflater))
			break;
	}
	return true;
}

static bool
take_deflated(struct ws *w, const struct ws_piece *p)
{
	if (p->first)
		w->inflater = inflater_new();
	if (!inflate_some(w, p->data))
		return false;
	if (p->last && !w->skipping && !inflate_some(w, span(DEFLATE_TAIL, sizeof(DEFLATE_TAIL))))
		return false;
	if (p->last)
		inflater_free(&w->inflater);
	return true;
}

static void
take_text(struct ws *w, const struct ws_piece *p)
{
	struct buf whole;

	if (!w->skipping && p->deflated) {
		if (!take_deflated(w, p))
			return;
	} else if (!w->skipping && p->data.len > w->conf.message_max - w->message.len) {
		w->skipping = true;
	} else if (!w->skipping) {
		buf_add_span(&w->message, p->data);
	}
	if (w->skipping) {
		buf_fini(&w->message);
		inflater_free(&w->inflater);
	}
	if (!p->last)
		return;
	if (w->skipping) {
		w->skipping = false;
		w->ops->too_long(w, w->arg);
		return;
	}
	if (!unicode_is_utf8(buf_span(&w->message))) {
		end(w, WS_END_ERROR, WS_NOT_UTF8, "the message is not UTF-8");
		return;
	}
	whole = w->message;
	w->message = (struct buf){ 0 };
	w->ops->message(w, buf_span(&whole), w->arg);
	buf_fini(&whole);
}

static void
take_close(struct ws *w, struct span data)
{
	unsigned code;

	if (!ws_close_code(data, &code))
		end(w, WS_END_ERROR, WS_PROTOCOL, "");
	else
		end(w, WS_END_CLIENT, code == WS_NO_REASON ? WS_NORMAL : code, "");
}

static void
take(struct ws *w, const struct ws_piece *p)
{
	switch (p->op) {
	case WS_TEXT:
		take_text(w, p);
		break;
	case WS_PING:
		ws_put_head(conn_out(w->c->net), WS_PONG, false, p->data.len);
		buf_add_span(conn_out(w->c->net), p->data);
		break;
	case WS_PONG:
		break;
	case WS_CLOSE:
		take_close(w, p->data);
		break;
	default:
		end(w, WS_END_ERROR, WS_UNACCEPTABLE, "messages are text");
	}
}

/* Output that nobody reads stops the input. */
static bool
may_read(const struct ws *w)
{
	return !w->closing && !w->paused && !conn_full(w->c->net);
}

static void
run(struct ws *w)
{
	struct http_conn *c = w->c;
	struct buf *in = conn_in(c->net);
	struct ws_piece piece;
	size_t used;

	http_enter(c);
	if (conn_paused(c->net))
		conn_resume(c->net);
	while (c->ws == w && may_read(w) && in->len > 0) {
		enum status st = ws_read(&w->reader, in->data, in->len, &used, &piece);

		if (st == ST_OK)
			take(w, &piece);
		else if (st != ST_UNAVAILABLE)
			end(w, WS_END_ERROR, st == ST_LIMIT ? WS_TOO_BIG : WS_PROTOCOL, "");
		if (c->ws != w || w->closing)
			break;
		buf_drop(in, used);
		if (st != ST_OK)
			break;
	}
	if (c->ws == w && !w->closing && !may_read(w) && in->len > 0)
		conn_pause(c->net);
	http_leave(c);
}

static void
on_data(struct conn *net, void *arg)
{
	run(arg);
}

static void
on_drained(struct conn *net, void *arg)
{
	struct ws *w = arg;
	struct http_conn *c = w->c;

	http_enter(c);
	if (!w->closing && w->was_full && w->ops->drained != NULL) {
		w->was_full = false;
		w->ops->drained(w, w->arg);
	}
	if (c->ws == w)
		run(w);
	http_leave(c);
}

static void
on_eof(struct conn *net, void *arg)
{
	struct ws *w = arg;

	over(w, WS_END_LOST);
	conn_finish(net);
}

static void
on_closed(struct conn *net, enum conn_end why, void *arg)
{
	struct ws *w = arg;
	struct http_conn *c = w->c;

	http_enter(c);
	ws_free_with(c, WS_END_LOST);
	http_leave(c);
	http_conn_free(&c);
}

static const struct conn_ops net_ops = {
	.data = on_data, .eof = on_eof, .drained = on_drained, .closed = on_closed
};

/* ---- a client that says nothing ---- */

static void
set_timer(struct ws *w)
{
	w->seen = conn_bytes_in(w->c->net);
	if (w->conf.ping_s > 0)
		loop_timer_set(w->timer, (uint64_t)w->conf.ping_s * 1000);
}

static void
on_timer(void *arg)
{
	struct ws *w = arg;
	struct http_conn *c = w->c;

	if (w->closing)
		return;
	if (conn_bytes_in(c->net) != w->seen) {
		w->pinged = false;
	} else if (w->pinged) {
		over(w, WS_END_LOST);
		http_conn_free(&c);
		return;
	} else {
		w->pinged = true;
		ws_put_head(conn_out(c->net), WS_PING, false, 0);
	}
	set_timer(w);
}

/* ---- what its user does ---- */

struct ws *
http_websocket(struct http_request *rq, const char *subprotocol, const struct ws_conf *conf,
    const struct ws_ops *ops, void *arg)
{
	struct http_conn *c = rq->c;
	struct ws *w = mem_zalloc(sizeof(*w));

	w->c = c;
	w->ops = ops;
	w->arg = arg;
	w->conf = *conf;
	w->deflate = conf->deflate && offers_deflate(rq);
	w->reader.message_max = UINT64_MAX;	/* counted here */
	w->reader.deflate = w->deflate;
	put_answer(w, rq, subprotocol);
	rq->code = 101;
	http_request_done(rq);
	c->ws = w;
	loop_timer_clear(c->timer);
	w->timer = loop_timer_new(c->srv->loop, on_timer, w);
	set_timer(w);
	conn_set_ops(c->net, &net_ops, w);
	return w;
}

void
ws_send(struct ws *w, struct span text)
{
	struct buf *out, packed = { 0 };

	if (w->closing)
		return;
	out = conn_out(w->c->net);
	if (w->deflate && text.len >= DEFLATE_MIN && text.len <= DEFLATE_MAX) {
		deflate_add(text, false, &packed);
		buf_cut(&packed, packed.len - sizeof(DEFLATE_TAIL));
		text = buf_span(&packed);
	}
	ws_put_head(out, WS_TEXT, packed.len > 0, text.len);
	buf_add_span(out, text);
	buf_fini(&packed);
	w->was_full |= conn_full(w->c->net);
}

bool
ws_full(const struct ws *w)
{
	return conn_full(w->c->net);
}

void
ws_pause(struct ws *w)
{
	w->paused = true;
}

void
ws_resume(struct ws *w)
{
	if (!w->paused || w->closing)
		return;
	w->paused = false;
	/* shows what lies there in the next round */
	conn_pause(w->c->net);
	conn_resume(w->c->net);
}
