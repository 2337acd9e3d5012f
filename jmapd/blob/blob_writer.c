#include "jmapd/blob/blob_writer.h"

#include "common/util/mem.h"
#include "jmapd/account.h"
#include "storage/client/body.h"

#define UNANSWERED_MAX	2u
#define FRAME		(32u << 10)	/* what a writer holds is a few of them */

struct blob_writer {
	struct jmap_account	*account;
	const struct blob_writer_ops *ops;
	void			*arg;
	struct body_writer	*body;
	struct buf		out;
	uint32_t		stage;		/* 0: nothing was staged */
	unsigned		unanswered;
	struct store_call	*calls[UNANSWERED_MAX], *put;
	bool			was_full, finished;
};

struct blob_writer *
blob_writer_new(struct jmap_account *a, uint64_t size, const struct blob_writer_ops *ops,
    void *arg)
{
	struct blob_writer *w = mem_zalloc(sizeof(*w));

	w->account = jmap_account_hold(a);
	w->ops = ops;
	w->arg = arg;
	w->body = body_writer_new(SPAN_NONE, size);
	body_writer_set_frame(w->body, FRAME);
	return w;
}

void
blob_writer_free(struct blob_writer **wp)
{
	struct blob_writer *w = *wp;
	struct store *store;

	*wp = NULL;
	if (w == NULL)
		return;
	store = w->account->store;
	for (unsigned i = 0; store != NULL && i < UNANSWERED_MAX; i++)
		if (w->calls[i] != NULL)
			store_cancel(&w->calls[i]);
	if (store != NULL && w->put != NULL)
		store_cancel(&w->put);
	if (store != NULL && w->stage != 0)
		store_stage_free(store, w->stage);
	body_writer_free(&w->body);
	buf_fini(&w->out);
	jmap_account_release(&w->account);
	mem_free(&w);
}

bool
blob_writer_full(const struct blob_writer *w)
{
	return w->out.len > FRAME;
}

uint64_t
blob_writer_size(const struct blob_writer *w)
{
	return body_writer_size(w->body);
}

static void
on_put(void *arg, enum status st, bool more, const void *msg)
{
	struct blob_writer *w = arg;
	const struct store_blob_is *is = msg;

	w->put = NULL;
	w->ops->done(w->arg, st, st == ST_OK && is != NULL ? is->id : 0);
}

static void
put(struct blob_writer *w)
{
	struct store_blob_put rq = { .size = blob_writer_size(w), .stage = w->stage };
	unsigned char sum[32];

	body_writer_sha256(w->body, sum);
	rq.sha256 = span(sum, sizeof(sum));
	if (w->stage == 0)
		rq.body = buf_span(&w->out);
	w->put = store_do_blob_put(w->account->store, &rq, on_put, w);
}

static void send_some(struct blob_writer *w);

static void
on_staged(void *arg, enum status st, bool more, const void *msg)
{
	struct blob_writer *w = arg;

	/* Answers come in order, and the oldest call is the first. */
	w->calls[0] = w->calls[1];
	w->calls[1] = NULL;
	w->unanswered--;
	if (st != ST_OK) {
		w->ops->done(w->arg, st, 0);
		return;
	}
	send_some(w);
	if (w->was_full && !w->finished && !blob_writer_full(w)) {
		w->was_full = false;
		w->ops->drained(w->arg);
	}
}

static void
send_some(struct blob_writer *w)
{
	const bool small = w->finished && w->stage == 0 && w->out.len <= STORE_INLINE_MAX;

	while (!small && w->unanswered < UNANSWERED_MAX &&
	    w->out.len > (w->finished ? 0 : FRAME)) {
		size_t n = w->out.len < STORE_INLINE_MAX ? w->out.len : STORE_INLINE_MAX;
		struct store_stage rq = { .data = span(w->out.data, n), .upload = true };

		if (w->stage == 0)
			w->stage = jmap_account_stage(w->account);
		rq.stage = w->stage;
		w->calls[w->unanswered++] = store_do_stage(w->account->store, &rq, on_staged, w);
		buf_drop(&w->out, n);
	}
	buf_trim(&w->out);
	if (w->finished && w->unanswered == 0 && w->put == NULL)
		put(w);
}

void
blob_writer_feed(struct blob_writer *w, struct span raw)
{
	body_writer_feed(w->body, raw.p, raw.len, &w->out);
	send_some(w);
	w->was_full |= blob_writer_full(w);
}

void
blob_writer_finish(struct blob_writer *w)
{
	body_writer_finish(w->body, &w->out);
	w->finished = true;
	send_some(w);
}
