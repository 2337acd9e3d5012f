/* Downloads (RFC 8620 §6.2): /jmap/download/{accountId}/{blobId}/{name}?type=...
 *
 * A blob never changes, so its id is its entity tag and caches keep it.  What a browser would run
 * (HTML, SVG, anything it may take for them) leaves as an attachment, and in a sandbox should it
 * be shown all the same: a mail must not act in the name of the web application beside it. */
#include "common/proto/http.h"
#include "common/util/mem.h"
#include "jmapd/blob/blob_reader.h"
#include "jmapd/server.h"

struct download {
	struct jmap_exchange	*x;
	struct blob_reader	*reader;
	struct buf		name, type;	/* safe to be sent */
	struct blob_id		id;
	struct buf		id_text;
	struct span		range;		/* of the request; empty: all of it */
	uint64_t		size;		/* of the blob, once it began */
};

static void
download_ended(struct jmap_exchange *x)
{
	struct download *d = x->state;

	blob_reader_free(&d->reader);
	buf_fini(&d->name);
	buf_fini(&d->type);
	buf_fini(&d->id_text);
	mem_free(&d);
}

/* ---- what the answer says ---- */

static bool
is_token_char(char c)
{
	return ascii_isalnum(c) || (c != '\0' && strchr("!#$&^_.+-", c) != NULL);
}

/* type/subtype, and parameters of plain text: nothing else may stand in the field. */
static bool
good_type(struct span t)
{
	struct span rest = t, full = span_cut(&rest, ';'), sub = full;
	struct span main_type = span_cut(&sub, '/');

	if (t.len > 255 || main_type.len == 0 || sub.len == 0)
		return false;
	for (size_t i = 0; i < main_type.len; i++)
		if (!is_token_char(main_type.p[i]))
			return false;
	for (size_t i = 0; i < sub.len; i++)
		if (!is_token_char(sub.p[i]) && !(sub.p[i] == ' ' && i + 1 == sub.len))
			return false;
	for (size_t i = 0; i < rest.len; i++)
		if ((unsigned char)rest.p[i] < ' ' || (unsigned char)rest.p[i] >= 0x7f)
			return false;
	return true;
}

/* A browser may read text in another charset as something else. */
static bool
is_safe_charset(struct span parameters)
{
	struct span value = span_trim(parameters), name;

	if (value.len == 0)
		return true;
	name = span_trim(span_cut(&value, '='));
	value = span_trim(value);
	return span_caseeq_str(name, "charset") && (span_caseeq_str(value, "utf-8") ||
	    span_caseeq_str(value, "us-ascii") || span_caseeq_str(value, "iso-8859-1") ||
	    span_caseeq_str(value, "windows-1252"));
}

/* Shown by a browser without running anything of it. */
static bool
is_safe_inline(struct span type)
{
	static const char *const safe[] = {
		"text/plain", "image/png", "image/jpeg", "image/gif", "image/webp", "image/avif",
		"image/bmp", "audio/mpeg", "audio/ogg", "audio/wav", "video/mp4", "video/webm",
		"application/pdf"
	};
	struct span full = span_trim(span_cut(&type, ';'));

	for (size_t i = 0; i < ARRAY_LEN(safe); i++)
		if (span_caseeq_str(full, safe[i]))
			return is_safe_charset(type);
	return false;
}

/* RFC 6266: an ASCII name for old clients, and the whole one (RFC 8187). */
static void
put_disposition(struct download *d)
{
	struct buf v = { 0 };
	bool plain = true;

	buf_add_str(&v, is_safe_inline(buf_span(&d->type)) ? "inline" : "attachment");
	if (d->name.len > 0) {
		buf_add_str(&v, "; filename=\"");
		for (size_t i = 0; i < d->name.len; i++) {
			unsigned char c = (unsigned char)d->name.data[i];
			bool fine = c >= ' ' && c < 0x7f && strchr("\"\\/%:", c) == NULL;

			plain &= fine;
			buf_add_c(&v, fine ? (char)c : '_');
		}
		buf_add_c(&v, '"');
	}
	if (!plain) {
		buf_add_str(&v, "; filename*=UTF-8''");
		http_escape(buf_span(&d->name), &v);
	}
	http_field_add(d->x->rq, "Content-Disposition", buf_span(&v));
	buf_fini(&v);
}

static void
put_fields(struct download *d)
{
	struct http_request *rq = d->x->rq;
	struct buf etag = { 0 };

	buf_addf(&etag, "\"%s\"", buf_cstr(&d->id_text));
	http_field_add(rq, "ETag", buf_span(&etag));
	http_field_add_str(rq, "Cache-Control", "private, immutable, max-age=31536000");
	http_field_add_str(rq, "X-Content-Type-Options", "nosniff");
	http_field_add_str(rq, "Content-Security-Policy", "default-src 'none'; sandbox");
	http_field_add_str(rq, "Cross-Origin-Resource-Policy", "same-site");
	http_field_add_str(rq, "Accept-Ranges", "bytes");
	put_disposition(d);
	buf_fini(&etag);
}

/* ---- the bytes ---- */

static void on_begin(void *arg, uint64_t size);
static void on_data(void *arg, struct span piece);
static void on_done(void *arg, enum status st);

static const struct blob_reader_ops reader_ops = {
	.begin = on_begin, .data = on_data, .done = on_done
};

static void
on_drained(struct http_request *rq, void *arg)
{
	struct download *d = arg;

	blob_reader_resume(d->reader);
}

static void
start_reply(struct download *d, unsigned code, int64_t length)
{
	put_fields(d);
	http_on_drained(d->x->rq, on_drained, d);
	http_reply_begin(d->x->rq, code, buf_cstr(&d->type), length);
}

/* A range of what has a size: the reader begins anew, where the range does. */
static void
start_range(struct download *d, uint64_t size, uint64_t from, uint64_t length)
{
	struct buf v = { 0 };

	buf_addf(&v, "bytes %llu-%llu/%llu", (unsigned long long)from,
	    (unsigned long long)(from + length - 1), (unsigned long long)size);
	http_field_add(d->x->rq, "Content-Range", buf_span(&v));
	buf_fini(&v);
	start_reply(d, 206, (int64_t)length);
	blob_reader_free(&d->reader);
	d->reader = blob_reader_start(&d->x->srv->host, d->x->session->account, &d->id, from, length,
	    &reader_ops, d);
}

static void
refuse_range(struct download *d, uint64_t size)
{
	struct jmap_exchange *x = d->x;
	struct buf v = { 0 };

	buf_addf(&v, "bytes */%llu", (unsigned long long)size);
	http_field_add(x->rq, "Content-Range", buf_span(&v));
	buf_fini(&v);
	jmap_exchange_problem(x, 416, "Range Not Satisfiable", "The blob has no such bytes.");
}

/* Where the first bytes came, or the end: a reader must not be freed while it begins. */
static void
on_begin(void *arg, uint64_t size)
{
	struct download *d = arg;

	d->size = size;
}

/* Begins the answer.  false: what this reader has to give is not for it; d may be gone. */
static bool
begin(struct download *d)
{
	struct jmap_exchange *x = d->x;
	uint64_t from, length;
	enum status st = ST_NOT_FOUND;

	if (d->size != BLOB_SIZE_UNKNOWN && d->range.len > 0 && !http_head_only(x->rq))
		st = http_range(d->range, d->size, &from, &length);
	if (st == ST_OK) {
		start_range(d, d->size, from, length);
		return false;
	}
	if (st == ST_LIMIT) {
		refuse_range(d, d->size);
		return false;
	}
	start_reply(d, 200, d->size == BLOB_SIZE_UNKNOWN ? HTTP_UNKNOWN : (int64_t)d->size);
	if (!http_head_only(x->rq))
		return true;
	http_reply_end(x->rq);
	jmap_exchange_done(x);
	return false;
}

static void
on_data(void *arg, struct span piece)
{
	struct download *d = arg;

	if (!http_reply_begun(d->x->rq) && !begin(d))
		return;
	http_reply_write(d->x->rq, piece);
	if (http_reply_full(d->x->rq))
		blob_reader_pause(d->reader);
}

static void
on_done(void *arg, enum status st)
{
	struct download *d = arg;
	struct jmap_exchange *x = d->x;

	if (st == ST_OK) {
		if (!http_reply_begun(x->rq) && !begin(d))
			return;
		http_reply_end(x->rq);
		jmap_exchange_done(x);
	} else if (http_reply_begun(x->rq)) {
		http_reply_abort(x->rq);
		jmap_exchange_done(x);
	} else if (st == ST_NOT_FOUND) {
		jmap_exchange_problem(x, 404, "Not Found", "There is no such blob.");
	} else if (st == ST_UNAVAILABLE || st == ST_EXPIRED) {
		http_field_add_str(x->rq, "Retry-After", "5");
		jmap_exchange_problem(x, 503, "Service Unavailable",
		    "The mail store is away for a moment, try again.");
	} else {
		LOG(http_request_log(x->rq), ERROR, "jmap.download", KV_STATUS(st));
		jmap_exchange_problem(x, 500, "Internal Server Error", "The blob cannot be read.");
	}
}

/* ---- the request ---- */

static bool
is_known(struct download *d)
{
	struct span value;
	struct buf etag = { 0 };
	bool known;

	if (!http_header(d->x->rq, "If-None-Match", &value))
		return false;
	buf_addf(&etag, "\"%s\"", buf_cstr(&d->id_text));
	known = http_etag_matches(value, buf_span(&etag));
	buf_fini(&etag);
	return known;
}

/* A range counts when what is held of it is this (RFC 9110 §13.1.5). */
static void
take_range(struct download *d)
{
	struct span if_range;
	struct buf etag = { 0 };

	if (!http_header(d->x->rq, "Range", &d->range) ||
	    !http_header(d->x->rq, "If-Range", &if_range))
		return;
	buf_addf(&etag, "\"%s\"", buf_cstr(&d->id_text));
	if (!span_eq(if_range, buf_span(&etag)))
		d->range = SPAN_NONE;
	buf_fini(&etag);
}

static void
read_request(struct download *d, struct span rest)
{
	struct span step = span_cut(&rest, '/'), type;

	http_unescape(step, &d->id_text);
	if (rest.p != NULL && !http_unescape(rest, &d->name))
		buf_clear(&d->name);
	if (http_query_get(http_query(d->x->rq), "type", &type))
		http_unescape(type, &d->type);
	if (!good_type(buf_span(&d->type))) {
		buf_clear(&d->type);
		buf_add_str(&d->type, "application/octet-stream");
	}
	take_range(d);
}

void
jmap_download(struct jmap_exchange *x)
{
	struct download *d;
	struct span rest;

	if (!jmap_exchange_account(x, &rest))
		return;
	d = mem_zalloc(sizeof(*d));
	d->x = x;
	x->state = d;
	x->ended = download_ended;
	read_request(d, rest);
	if (!blob_id_parse(buf_span(&d->id_text), &d->id)) {
		jmap_exchange_problem(x, 404, "Not Found", "There is no such blob.");
	} else if (is_known(d)) {
		put_fields(d);
		http_reply(x->rq, 304, NULL, SPAN_NONE);
		jmap_exchange_done(x);
	} else {
		d->reader = blob_reader_start(&x->srv->host, x->session->account, &d->id, 0, 0,
		    &reader_ops, d);
	}
}
