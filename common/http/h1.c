/* HTTP/1.1 (RFC 9112): one request after the other, in the order in which they came. */
#include "common/http/priv.h"

#include "common/util/clock.h"
#include "common/util/mem.h"

static struct http_request *
current(struct http_conn *c)
{
	return list_empty(&c->requests) ? NULL :
	    list_entry(c->requests.next, struct http_request, in);
}

/* ---- heads ---- */

static struct span
moved(struct span s, const char *from, const char *to)
{
	return s.p != NULL ? span(to + (s.p - from), s.len) : s;
}

static struct http_request *
make(struct http_conn *c, const struct http_head *h, struct span text)
{
	struct http_request *rq = http_request_new(c);
	const char *from = text.p, *to;

	buf_add_span(&rq->text, text);
	to = rq->text.data;
	rq->method = moved(h->method, from, to);
	rq->target = moved(h->target, from, to);
	rq->host = moved(h->host, from, to);
	rq->n_fields = h->n_fields;
	rq->fields = mem_array(h->n_fields > 0 ? h->n_fields : 1, sizeof(*rq->fields));
	for (size_t i = 0; i < h->n_fields; i++) {
		rq->fields[i].name = moved(h->fields[i].name, from, to);
		rq->fields[i].value = moved(h->fields[i].value, from, to);
	}
	rq->in_chunks = h->body == HTTP_CHUNKED;
	rq->length = h->body == HTTP_CHUNKED ? HTTP_UNKNOWN : (int64_t)h->length;
	rq->left = h->length;
	rq->body_ended = h->body == HTTP_NO_BODY;
	rq->expects = h->expects;
	rq->upgrades = h->upgrades;
	rq->minor_0 = h->minor == 0;
	c->keep = h->keep && !rq->upgrades;
	c->chunks = (struct http_chunks){ 0 };
	return rq;
}

/* What is no request, or ended none in time, is answered, and the connection is over. */
static void
refuse(struct http_conn *c, unsigned code)
{
	struct http_request *rq = current(c);
	struct buf *out = conn_out(c->net);

	LOG(&c->log, DEBUG, "http.refused", KV_UINT("code", code));
	if (rq != NULL && rq->began) {
		http_end(c);
		return;
	}
	buf_addf(out, "HTTP/1.1 %u %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
	    "Content-Length: %zu\r\nConnection: close\r\nDate: ", code, http_reason(code),
	    strlen(http_reason(code)) + 2);
	http_date(clock_wall_s(), out);
	buf_addf(out, "\r\n\r\n%s.\n", http_reason(code));
	http_end(c);
}

/* false: no more heads for now. */
static bool
take_head(struct http_conn *c)
{
	struct buf *in = conn_in(c->net);
	struct http_head h;
	struct http_request *rq;
	size_t used;
	unsigned code;
	enum status st;

	if (c->last)
		return false;
	st = http_head_parse(buf_span(in), &c->scanned, &h, &used, &code);
	if (st == ST_UNAVAILABLE)
		return false;
	if (st == ST_OK && h.length > INT64_MAX) {
		st = ST_LIMIT;
		code = 413;
	}
	if (st != ST_OK) {
		refuse(c, code);
		return false;
	}
	rq = make(c, &h, span_sub(buf_span(in), 0, used));
	mem_wipe(in->data, used);		/* it may hold a password */
	buf_drop(in, used);
	http_request_ready(rq);
	http_request_show(rq);
	return true;
}

/* ---- bodies ---- */

/* false: wait. */
static bool
take_chunks(struct http_request *rq)
{
	struct http_conn *c = rq->c;
	struct buf *in = conn_in(c->net);
	struct span rest = buf_span(in), data;
	enum status st = http_chunks_next(&c->chunks, &rest, &data);

	buf_drop(in, in->len - rest.len);
	if (st != ST_OK) {
		refuse(c, st == ST_LIMIT ? 431 : 400);
		return false;
	}
	rq->body_ended = c->chunks.done;
	if (data.len == 0 && !rq->body_ended)
		return false;
	http_body_feed(rq, data, rq->body_ended);
	return true;
}

static bool
take_body(struct http_request *rq)
{
	struct buf *in = conn_in(rq->c->net);
	struct span piece;

	if (rq->mode == BODY_WHOLE && rq->length > 0 && (uint64_t)rq->length > rq->max) {
		http_body_feed(rq, SPAN_NONE, false);
		return true;
	}
	if (rq->body_ended) {
		http_body_feed(rq, SPAN_NONE, true);
		return true;
	}
	if (in->len == 0)
		return false;
	if (rq->in_chunks)
		return take_chunks(rq);
	piece = span_sub(buf_span(in), 0, rq->left < HTTP_PIECE_MAX ? (size_t)rq->left :
	    HTTP_PIECE_MAX);
	buf_drop(in, piece.len);
	rq->left -= piece.len;
	rq->body_ended = rq->left == 0;
	http_body_feed(rq, piece, rq->body_ended);
	return true;
}

/* What was left of an answered request's body is passed over. */
static bool
pass_over(struct http_conn *c)
{
	struct http_request *rq = current(c);

	if (rq == NULL || rq->mode != BODY_DISCARD)
		return false;
	if (!rq->body_told)
		return take_body(rq);
	http_request_done(rq);
	return true;
}

static bool
step(struct http_conn *c)
{
	struct http_request *rq = current(c);

	if (rq == NULL)
		return take_head(c);
	if (rq->mode == BODY_DISCARD)
		return pass_over(c);
	return http_body_wanted(rq) && take_body(rq);
}

static void
h1_run(struct http_conn *c)
{
	if (conn_paused(c->net))
		conn_resume(c->net);
	while (!c->ending && c->ws == NULL && !conn_full(c->net) && step(c))
		;
	if (c->ending || c->ws != NULL)
		return;
	if (list_empty(&c->requests) && (c->eof || c->last)) {
		http_end(c);
		return;
	}
	/* Who asks while he is served waits; who is not served may send the rest of a head. */
	if (conn_in(c->net)->len > 0 && (current(c) != NULL || conn_full(c->net)))
		conn_pause(c->net);
}

static void
h1_wanted(struct http_request *rq)
{
	bool refused = rq->mode == BODY_WHOLE && rq->length > 0 && (uint64_t)rq->length > rq->max;

	if (!rq->expects || rq->began || refused)
		return;
	rq->expects = false;
	if (conn_in(rq->c->net)->len == 0)
		buf_add_str(conn_out(rq->c->net), "HTTP/1.1 100 Continue\r\n\r\n");
}

/* ---- answers ---- */

static void
h1_head(struct http_request *rq)
{
	struct http_conn *c = rq->c;
	struct buf *out = conn_out(c->net);
	bool unknown = rq->out_length == HTTP_UNKNOWN && !rq->body_less;
	/* The rest of a body nobody wants is passed over when it is short. */
	bool rest = !rq->body_ended && (rq->expects || rq->length == HTTP_UNKNOWN ||
	    rq->left > HTTP_DISCARD_MAX || rq->body_told);

	rq->chunked = unknown && !rq->minor_0;
	if (c->last || rest || (unknown && rq->minor_0))
		c->keep = false;
	buf_addf(out, "HTTP/1.1 %u %s\r\n", rq->code, http_reason(rq->code));
	buf_add_span(out, buf_span(&rq->fields_out));
	if (rq->chunked)
		buf_add_str(out, "Transfer-Encoding: chunked\r\n");
	if (!c->keep)
		buf_add_str(out, "Connection: close\r\n");
	else if (rq->minor_0)
		buf_add_str(out, "Connection: keep-alive\r\n");
	buf_add_str(out, "\r\n");
}

static void
over(struct http_request *rq)
{
	struct http_conn *c = rq->c;

	if (!c->keep) {
		c->last = true;
		http_request_done(rq);
		http_end(c);
		return;
	}
	if (!rq->body_ended) {
		rq->mode = BODY_DISCARD;
		rq->paused = false;
	} else {
		http_request_done(rq);
	}
	http_kick(c);
}

static size_t
h1_direct(struct http_request *rq, struct span piece)
{
	struct buf *out = conn_out(rq->c->net);
	size_t all = 0;

	while (all < piece.len && !conn_full(rq->c->net)) {
		size_t n = piece.len - all < HTTP_OUT_HIGH ? piece.len - all : HTTP_OUT_HIGH;

		if (rq->chunked)
			buf_addf(out, "%zx\r\n", n);
		buf_add(out, piece.p + all, n);
		if (rq->chunked)
			buf_add_str(out, "\r\n");
		all += n;
	}
	rq->sent += all;
	return all;
}

static void
h1_pump(struct http_request *rq)
{
	struct http_conn *c = rq->c;
	struct buf *out = conn_out(c->net);

	buf_drop(&rq->out, h1_direct(rq, buf_span(&rq->out)));
	if (rq->out.len == 0)
		buf_fini(&rq->out);
	if (!rq->ended || rq->out.len > 0) {
		http_kick(c);			/* the clock */
		return;
	}
	if (rq->chunked)
		buf_add_str(out, "0\r\n\r\n");
	over(rq);
}

static void
h1_abort(struct http_request *rq)
{
	struct http_conn *c = rq->c;

	http_request_kill(rq);
	http_end(c);
}

static void
h1_drained(struct http_conn *c)
{
	struct http_request *rq = current(c);

	if (rq != NULL && rq->began && rq->mode != BODY_DISCARD) {
		if (rq->out.len > 0)
			h1_pump(rq);
		else if (rq->drained != NULL)
			rq->drained(rq, rq->drained_arg);
	}
	if (!c->gone)
		http_kick(c);
}

static void
h1_goodbye(struct http_conn *c, unsigned code)
{
	struct http_request *rq = current(c);

	if (code != 0 && (rq == NULL || !rq->began))
		refuse(c, code);
}

static void
h1_fini(struct http_conn *c)
{
}

const struct http_engine http_engine_1 = {
	.head = h1_head, .direct = h1_direct, .pump = h1_pump, .abort = h1_abort, .wanted = h1_wanted, .run = h1_run,
	.drained = h1_drained, .goodbye = h1_goodbye, .fini = h1_fini
};
