/* Uploads (RFC 8620 §6.1): the bytes pass through, packed as bodies are, into a staged body of the
 * store, which becomes a blob when all of them are there.  The client is read no faster than the
 * store takes them. */
#include "common/mail/blob_id.h"
#include "common/util/mem.h"
#include "jmapd/server.h"
#include "storage/client/body.h"

#define FRAME		(32u << 10)	/* what one upload holds is a few of them */
#define UNANSWERED_MAX	2u
#define STAGES		0x40000000u	/* numbers of uploads; appends have lower ones */
#define TYPE_MAX	255u

struct chunk {
	struct upload		*up;
	struct store_call	*call;		/* NULL: free */
};
struct upload {
	struct jmap_exchange	*x;
	struct body_writer	*writer;
	struct buf		out;		/* stored bytes not sent yet */
	struct chunk		chunks[UNANSWERED_MAX];
	struct store_call	*put;
	uint32_t		stage;		/* 0: nothing was staged yet */
	bool			last;		/* all came */
};

static void
upload_ended(struct jmap_exchange *x)
{
	struct upload *up = x->state;
	struct store *store = x->session->account->store;

	/* The calls of a store that is gone are gone with it. */
	for (size_t i = 0; store != NULL && i < UNANSWERED_MAX; i++)
		store_cancel(&up->chunks[i].call);
	if (store != NULL)
		store_cancel(&up->put);
	if (store != NULL && up->stage != 0)
		store_stage_free(store, up->stage);
	body_writer_free(&up->writer);
	buf_fini(&up->out);
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

/* ---- into the store ---- */

static unsigned
unanswered(const struct upload *up)
{
	unsigned n = 0;

	for (size_t i = 0; i < UNANSWERED_MAX; i++)
		n += up->chunks[i].call != NULL;
	return n;
}

static void on_chunk(void *arg, enum status st, bool more, const void *msg);

/* Sends while more than `keep` bytes wait. */
static void
send_chunks(struct upload *up, size_t keep)
{
	struct jmap_server *srv = up->x->srv;

	for (size_t i = 0; i < UNANSWERED_MAX && up->out.len > keep; i++) {
		struct chunk *k = &up->chunks[i];
		size_t n = up->out.len < STORE_INLINE_MAX ? up->out.len : STORE_INLINE_MAX;
		struct store_stage rq = { .data = span(up->out.data, n) };

		if (k->call != NULL)
			continue;
		if (up->stage == 0)
			up->stage = STAGES + srv->uploads++ % STAGES;
		rq.stage = up->stage;
		k->up = up;
		k->call = store_do_stage(up->x->session->account->store, &rq, on_chunk, k);
		buf_drop(&up->out, n);
	}
	buf_trim(&up->out);
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
	json_kv_uint(&w, "size", body_writer_size(up->writer));
	json_end_object(&w);
	http_reply_take(x->rq, 201, "application/json", &out);
	buf_fini(&text);
	jmap_exchange_done(x);
}

static void
on_put(void *arg, enum status st, bool more, const void *msg)
{
	struct upload *up = arg;
	const struct store_blob_is *is = msg;

	up->put = NULL;
	if (st != ST_OK)
		fail(up, st);
	else
		answer(up, is->id);
}

/* All stored bytes are there, or go along. */
static void
put(struct upload *up)
{
	unsigned char sum[32];
	struct store_blob_put rq = { .size = body_writer_size(up->writer), .stage = up->stage };

	body_writer_sha256(up->writer, sum);
	rq.sha256 = span(sum, sizeof(sum));
	if (up->stage == 0)
		rq.body = buf_span(&up->out);
	up->put = store_do_blob_put(up->x->session->account->store, &rq, on_put, up);
}

static void
go_on(struct upload *up)
{
	bool small = up->last && up->stage == 0 && up->out.len <= STORE_INLINE_MAX;

	if (!small)
		send_chunks(up, up->last ? 0 : FRAME);
	if (!up->last && up->out.len <= FRAME)
		http_body_resume(up->x->rq);
	else if (up->last && unanswered(up) == 0 && (small || up->out.len == 0))
		put(up);
}

static void
on_chunk(void *arg, enum status st, bool more, const void *msg)
{
	struct chunk *k = arg;
	struct upload *up = k->up;

	k->call = NULL;
	if (st != ST_OK)
		fail(up, st);
	else
		go_on(up);
}

static void
on_piece(struct http_request *rq, struct span piece, bool last, void *arg)
{
	struct upload *up = arg;

	if (body_writer_size(up->writer) + piece.len > up->x->srv->limits.max_size_upload) {
		fail(up, ST_LIMIT);
		return;
	}
	body_writer_feed(up->writer, piece.p, piece.len, &up->out);
	up->last = last;
	if (last)
		body_writer_finish(up->writer, &up->out);
	else if (up->out.len > FRAME)
		http_body_pause(rq);
	go_on(up);
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
	up->writer = body_writer_new(SPAN_NONE, length > 0 ? (uint64_t)length : 0);
	body_writer_set_frame(up->writer, FRAME);
	x->state = up;
	x->ended = upload_ended;
	x->session->uploads++;
	http_body_stream(x->rq, on_piece, up);
}
