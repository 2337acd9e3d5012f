/* Uploads (RFC 8620 §6.1): the bytes pass through a blob writer, and the client is read no faster than
 * the store takes them. */
#include "common/mail/blob_id.h"
#include "common/util/mem.h"
#include "jmapd/blob/blob_writer.h"
#include "jmapd/server.h"

#define TYPE_MAX	255u

struct upload {
	struct jmap_exchange	*x;
	struct blob_writer	*writer;
};

static void
upload_ended(struct jmap_exchange *x)
{
	struct upload *up = x->state;

	blob_writer_free(&up->writer);
	mem_free(&up);
	x->session->uploads--;
}

static void
fail(struct upload *up, enum status st)
{
	struct jmap_exchange *x = up->x;

	switch (st) {
	case ST_OVER_QUOTA:
		jmap_exchange_problem(x, 507, "Insufficient Storage",
		    "There is no room for more uploads: those of the last hour fill it.");
		break;
	case ST_LIMIT:
		jmap_exchange_limit(x, 413, "maxSizeUpload", "The file is too large.");
		break;
	case ST_NO_SPACE:
		jmap_exchange_problem(x, 507, "Insufficient Storage", "The server has no room.");
		break;
	case ST_UNAVAILABLE: case ST_CONFLICT: case ST_EXPIRED:
		http_field_add_str(x->rq, "Retry-After", "5");
		jmap_exchange_problem(x, 503, "Service Unavailable",
		    "The mail store is away for a moment, try again.");
		break;
	default:
		LOG(http_request_log(x->rq), ERROR, "jmap.upload", KV_STATUS(st));
		jmap_exchange_problem(x, 500, "Internal Server Error",
		    "The upload could not be stored.");
	}
}

static void
answer(struct upload *up, uint64_t number)
{
	struct jmap_exchange *x = up->x;
	struct blob_id id = { .kind = BLOB_UPLOAD, .number = number };
	struct buf out = { 0 }, text = { 0 };
	struct span type;
	struct json_writer w;

	if (!http_header(x->rq, "Content-Type", &type) || type.len == 0 || type.len > TYPE_MAX)
		type = SPAN_LIT("application/octet-stream");
	blob_id_put(&text, &id);
	json_writer_init(&w, &out);
	json_begin_object(&w);
	json_kv_string(&w, "accountId", x->session->account->id);
	json_kv_string(&w, "blobId", buf_span(&text));
	json_kv_string(&w, "type", type);
	json_kv_uint(&w, "size", blob_writer_size(up->writer));
	json_end_object(&w);
	http_reply_take(x->rq, 201, "application/json", &out);
	buf_fini(&text);
	jmap_exchange_done(x);
}

static void
on_drained(void *arg)
{
	struct upload *up = arg;

	http_body_resume(up->x->rq);
}

static void
on_done(void *arg, enum status st, uint64_t id)
{
	struct upload *up = arg;

	if (st != ST_OK)
		fail(up, st);
	else
		answer(up, id);
}

static const struct blob_writer_ops WRITER_OPS = { on_drained, on_done };

static void
on_piece(struct http_request *rq, struct span piece, bool last, void *arg)
{
	struct upload *up = arg;

	if (blob_writer_size(up->writer) + piece.len > up->x->srv->limits.max_size_upload) {
		fail(up, ST_LIMIT);
		return;
	}
	blob_writer_feed(up->writer, piece);
	if (last)
		blob_writer_finish(up->writer);
	else if (blob_writer_full(up->writer))
		http_body_pause(rq);
}

void
jmap_upload(struct jmap_exchange *x)
{
	const struct jmap_limits *l = &x->srv->limits;
	int64_t length = http_body_length(x->rq);
	struct upload *up;
	struct span rest;

	if (!jmap_exchange_account(x, &rest))
		return;
	if (rest.len > 0) {
		jmap_exchange_problem(x, 404, "Not Found", "There is nothing behind the account's id.");
		return;
	}
	if (x->session->uploads >= l->max_concurrent_upload) {
		jmap_exchange_limit(x, 429, "maxConcurrentUpload",
		    "Too many uploads at a time: wait for one to end.");
		return;
	}
	if (length > 0 && (uint64_t)length > l->max_size_upload) {
		jmap_exchange_limit(x, 413, "maxSizeUpload", "The file is too large.");
		return;
	}
	up = mem_zalloc(sizeof(*up));
	up->x = x;
	up->writer = blob_writer_new(x->session->account, length > 0 ? (uint64_t)length : 0,
	    &WRITER_OPS, up);
	x->state = up;
	x->ended = upload_ended;
	x->session->uploads++;
	http_body_stream(x->rq, on_piece, up);
}
