/* Answers: the fields they all have, their coding, and how they are handed to the engine. */
#include "common/http/priv.h"

#include <assert.h>
#include <stdarg.h>

#include "common/compress/deflate.h"
#include "common/compress/zstd.h"
#include "common/util/clock.h"
#include "common/util/mem.h"

#define CODE_MIN	1024u		/* shorter answers are not worth a coding */
#define CODE_MAX	(1u << 20)	/* longer ones would hold up others */
#define ZSTD_LEVEL	3

static bool
is_field_text(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	return true;
}

void
http_field_add(struct http_request *rq, const char *name, struct span value)
{
	/* A value that would end its line is our own mistake; it may be made of a client's. */
	if (!is_field_text(value))
		return;
	buf_add_str(&rq->fields_out, name);
	buf_add_str(&rq->fields_out, ": ");
	buf_add_span(&rq->fields_out, value);
	buf_add_str(&rq->fields_out, "\r\n");
}

void
http_field_add_str(struct http_request *rq, const char *name, const char *value)
{
	http_field_add(rq, name, span_str(value));
}

/* ---- the head ---- */

static void
add_number(struct http_request *rq, const char *name, uint64_t n)
{
	buf_addf(&rq->fields_out, "%s: %llu\r\n", name, (unsigned long long)n);
}

static void
add_common(struct http_request *rq, const char *type)
{
	const struct http_conf *conf = rq->c->srv->conf;
	struct buf date = { 0 };

	http_date(clock_wall_s(), &date);
	http_field_add(rq, "Date", buf_span(&date));
	buf_fini(&date);
	if (type != NULL)
		http_field_add_str(rq, "Content-Type", type);
	if (conf->hsts_s > 0 && rq->encrypted) {
		buf_addf(&rq->fields_out, "Strict-Transport-Security: max-age=%u\r\n",
		    (unsigned)conf->hsts_s);
	}
}

static void
start(struct http_request *rq, unsigned code, const char *type, int64_t length)
{
	assert(!rq->began);
	rq->began = true;
	rq->code = code;
	rq->out_length = length;
	rq->body_less = rq->head_only || code == 204 || code == 304 || code < 200;
	add_common(rq, type);
	if (length >= 0 && code != 204 && code != 304)
		add_number(rq, "Content-Length", (uint64_t)length);
	rq->c->engine->head(rq);
	buf_fini(&rq->fields_out);
}

/* The request is not its owner's any more. */
static void
finish(struct http_request *rq)
{
	rq->answered = true;
	rq->ended = true;
	rq->drained = NULL;
	rq->c->engine->pump(rq);
}

/* ---- coding ---- */

static bool
is_text(const char *type)
{
	struct span t = span_str(type);

	return span_has_prefix(t, "text/") || span_has_prefix(t, "application/json") ||
	    span_has_prefix(t, "application/problem+json");
}

/* true: *coded is smaller, and is what the client asked for. */
static bool
encode(struct http_request *rq, struct span body, const char **name, struct buf *coded)
{
	if (http_accepts_coding(rq->fields, rq->n_fields, "zstd")) {
		*name = "zstd";
		zstd_compress(body, ZSTD_LEVEL, NULL, coded);
	} else if (http_accepts_coding(rq->fields, rq->n_fields, "gzip")) {
		*name = "gzip";
		gzip_compress(body, coded);
	}
	return coded->len > 0 && coded->len < body.len - body.len / 8;
}

/* Takes the body. */
static void
reply_with(struct http_request *rq, unsigned code, const char *type, struct buf *body)
{
	struct buf coded = { 0 };
	const char *name = NULL;

	if (rq->c->srv->conf->compress && type != NULL && is_text(type) &&
	    body->len >= CODE_MIN && body->len <= CODE_MAX) {
		http_field_add_str(rq, "Vary", "Accept-Encoding");
		if (encode(rq, buf_span(body), &name, &coded)) {
			http_field_add_str(rq, "Content-Encoding", name);
			buf_fini(body);
			*body = coded;
			coded = (struct buf){ 0 };
		}
	}
	buf_fini(&coded);
	start(rq, code, type, (int64_t)body->len);
	if (rq->body_less)
		buf_fini(body);
	rq->out = *body;
	*body = (struct buf){ 0 };
	finish(rq);
}

void
http_reply_take(struct http_request *rq, unsigned code, const char *type, struct buf *body)
{
	reply_with(rq, code, type, body);
}

void
http_reply(struct http_request *rq, unsigned code, const char *type, struct span body)
{
	struct buf copy = { 0 };

	buf_add_span(&copy, body);
	reply_with(rq, code, type, &copy);
}

void
http_reply_text(struct http_request *rq, unsigned code, const char *fmt, ...)
{
	struct buf text = { 0 };
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(&text, fmt, ap);
	va_end(ap);
	if (text.len == 0)
		buf_add_str(&text, http_reason(code));
	buf_add_str(&text, ".\n");
	http_field_add_str(rq, "X-Content-Type-Options", "nosniff");
	reply_with(rq, code, "text/plain; charset=utf-8", &text);
}

/* ---- in pieces ---- */

void
http_reply_begin(struct http_request *rq, unsigned code, const char *type, int64_t length)
{
	start(rq, code, type, length);
}

void
http_reply_write(struct http_request *rq, struct span piece)
{
	if (rq->body_less || piece.len == 0)
		return;
	if (rq->out_length >= 0) {
		uint64_t left = (uint64_t)rq->out_length - rq->sent - rq->out.len;

		assert(piece.len <= left);
	}
	if (rq->c->engine->direct != NULL && rq->out.len == 0)
		piece = span_sub(piece, rq->c->engine->direct(rq, piece), piece.len);
	buf_add_span(&rq->out, piece);
	rq->c->engine->pump(rq);
	rq->was_full |= http_reply_full(rq);
}

bool
http_reply_begun(const struct http_request *rq)
{
	return rq->began;
}

bool
http_reply_full(const struct http_request *rq)
{
	return rq->out.len >= HTTP_OUT_HIGH || (rq->stream == 0 && conn_full(rq->c->net));
}

void
http_on_drained(struct http_request *rq, http_drained_fn drained, void *arg)
{
	rq->drained = drained;
	rq->drained_arg = arg;
}

void
http_reply_end(struct http_request *rq)
{
	if (!rq->body_less && rq->out_length >= 0 &&
	    rq->sent + rq->out.len < (uint64_t)rq->out_length) {
		http_reply_abort(rq);
		return;
	}
	finish(rq);
}

void
http_reply_abort(struct http_request *rq)
{
	rq->answered = true;
	rq->c->engine->abort(rq);
}

void
http_reply_endless(struct http_request *rq)
{
	rq->endless = true;
}
