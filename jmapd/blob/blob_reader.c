#include "jmapd/blob/blob_reader.h"

#include "common/net/loop.h"
#include "common/util/mem.h"
#include "jmapd/account.h"
#include "jmapd/core/method.h"
#include "jmapd/mirror/mirror.h"
#include "storage/client/body.h"

#define BUDGET	(48u << 10)	/* stored bytes asked for at a time */
#define PIECE	(16u << 10)	/* raw bytes worked on at a time; a frame may be more */

/* A place within the one before: what of its bytes counts, and how they are decoded. */
struct stage {
	uint64_t		skip, left;
	struct mime_decoder	decoder;
};

struct blob_reader {
	struct jmap_account	*account;
	struct blob_id		id;
	uint64_t		from, length;
	const struct blob_reader_ops *ops;
	void			*arg;

	struct mirror_call	*fresh;
	struct store_call	*call;
	struct loop_task	*task;		/* works on what came */
	uint64_t		mailbox;
	struct buf		uids;
	uint64_t		size;		/* of the message or upload */
	struct body_reader	*body;
	struct buf		stored;		/* what came and was not worked on */
	uint64_t		offset;		/* of the next stored byte to ask for */
	bool			more;		/* there are such */
	struct stage		stage[BLOB_PLACES_MAX];
	uint64_t		skip, left;	/* of the blob itself: what is asked for */
	enum status		status;		/* how it ends */
	bool			ending, paused, busy, dead;
};

static void
destroy(struct blob_reader *r)
{
	mirror_cancel(&r->fresh);
	if (r->account->store != NULL)
		store_cancel(&r->call);
	loop_task_free(&r->task);
	body_reader_free(&r->body);
	for (size_t i = 0; i < r->id.n_places; i++)
		mime_decoder_fini(&r->stage[i].decoder);
	buf_fini(&r->uids);
	buf_fini(&r->stored);
	jmap_account_release(&r->account);
	mem_free(&r);
}

void
blob_reader_free(struct blob_reader **rp)
{
	struct blob_reader *r = *rp;

	*rp = NULL;
	if (r == NULL)
		return;
	if (r->busy)
		r->dead = true;
	else
		destroy(r);
}

static void
end_later(struct blob_reader *r, enum status st)
{
	r->ending = true;
	r->status = st;
	loop_task_post(r->task);
}

/* --- what came --- */

static void
hand_out(struct blob_reader *r, struct span s)
{
	uint64_t skip = r->skip < s.len ? r->skip : s.len;

	r->skip -= skip;
	s = span_sub(s, (size_t)skip, s.len);
	if (s.len > r->left)
		s.len = (size_t)r->left;
	r->left -= s.len;
	if (s.len > 0 && !r->dead)
		r->ops->data(r->arg, s);
}

/* last: nothing follows. */
static void
through(struct blob_reader *r, size_t i, struct span s, bool last)
{
	struct stage *g = &r->stage[i];
	struct buf out = { 0 };
	uint64_t skip;

	if (i == r->id.n_places) {
		hand_out(r, s);
		return;
	}
	skip = g->skip < s.len ? g->skip : s.len;
	g->skip -= skip;
	s = span_sub(s, (size_t)skip, s.len);
	if (s.len > g->left)
		s.len = (size_t)g->left;
	g->left -= s.len;
	if (r->id.place[i].coding == MIME_CODING_7BIT) {
		through(r, i + 1, s, last);
		return;
	}
	mime_decoder_feed(&g->decoder, s, &out);
	if (last)
		mime_decoder_done(&g->decoder, &out);
	through(r, i + 1, buf_span(&out), last);
	buf_fini(&out);
}

static void ask(struct blob_reader *r);

/* One piece; false: no more now. */
static bool
work(struct blob_reader *r)
{
	struct span rest = buf_span(&r->stored);
	struct buf raw = { 0 };
	bool last;

	r->status = body_reader_take(r->body, &rest, PIECE, &raw);
	buf_drop(&r->stored, r->stored.len - rest.len);
	last = body_reader_done(r->body) || (r->stored.len == 0 && !r->more);
	if (r->status == ST_OK)
		through(r, 0, buf_span(&raw), last);
	buf_fini(&raw);
	r->ending = r->status != ST_OK || last || r->left == 0;
	if (!r->ending && r->stored.len == 0 && !r->dead)
		ask(r);
	return !r->ending && !r->dead && r->stored.len > 0;
}

static void
run(void *arg)
{
	struct blob_reader *r = arg;

	r->busy = true;
	while (!r->ending && !r->dead && !r->paused && r->stored.len > 0 && work(r))
		;
	if (r->ending && !r->dead && !r->paused)
		r->ops->done(r->arg, r->status);
	r->busy = false;
	if (r->dead)
		destroy(r);
}

static void
on_body(void *arg, enum status st, bool more, const void *msg)
{
	struct blob_reader *r = arg;
	const struct store_body_is *is = msg;
	struct store_body_piece p;
	struct reader in;

	if (st == ST_OK && is != NULL) {
		reader_init(&in, is->pieces.p, is->pieces.len);
		while (is->pieces.len > 0 && get_store_body_piece(&in, &p)) {
			buf_add_span(&r->stored, p.data);
			r->offset = p.offset + p.data.len;
		}
		r->more = is->resume_uid != 0;
	}
	if (more)
		return;
	r->call = NULL;
	if (st != ST_OK)
		end_later(r, st);
	else if (r->stored.len == 0)
		end_later(r, r->offset == 0 ? ST_NOT_FOUND : ST_CORRUPT);
	else
		loop_task_post(r->task);
}

static void
ask(struct blob_reader *r)
{
	struct store *s = r->account->store;
	struct store_body rq = { .mailbox = r->mailbox, .uids = buf_span(&r->uids),
		.offset = r->offset, .budget = BUDGET };
	struct store_blob_read up = { .id = r->id.number, .offset = r->offset, .budget = BUDGET };

	r->more = false;
	if (s == NULL)
		end_later(r, ST_UNAVAILABLE);
	else if (r->id.kind == BLOB_EMAIL)
		r->call = store_do_body(s, &rq, on_body, r);
	else
		r->call = store_do_blob_read(s, &up, on_body, r);
}

/* --- the start --- */

/* Its size, when it can be told; false: it lies outside of the message. */
static bool
size_of(const struct blob_reader *r, uint64_t *size)
{
	const struct blob_place *p = &r->id.place[0];

	*size = r->size;
	if (r->id.n_places == 0)
		return true;
	*size = r->id.n_places == 1 && p->coding == MIME_CODING_7BIT ? p->len : BLOB_SIZE_UNKNOWN;
	return p->start <= r->size && p->len <= r->size - p->start;
}

/* The message is found, and r->size with it. */
static void
begin(struct blob_reader *r)
{
	uint64_t size, from = 0, len = r->size;

	if (!size_of(r, &size)) {
		end_later(r, ST_NOT_FOUND);
		return;
	}
	for (size_t i = 0; i < r->id.n_places; i++) {
		r->stage[i] = (struct stage){ .skip = r->id.place[i].start,
		    .left = r->id.place[i].len };
		mime_decoder_init(&r->stage[i].decoder, r->id.place[i].coding);
	}
	r->skip = r->from;
	r->left = r->length > 0 ? r->length : UINT64_MAX;
	if (r->id.n_places > 0) {
		from = r->id.place[0].start;
		len = r->id.place[0].len;
		r->stage[0].skip = 0;
	}
	/* Where nothing is decoded first, what is skipped need not be unpacked. */
	if (size != BLOB_SIZE_UNKNOWN) {
		uint64_t skip = r->from < len ? r->from : len;

		from += skip;
		len -= skip;
		r->skip = 0;
		if (r->length > 0 && r->length < len)
			len = r->length;
	}
	r->body = body_reader_new(from, len);
	if (r->ops->begin != NULL)
		r->ops->begin(r->arg, size);
	if (len == 0)
		end_later(r, ST_OK);
	else
		ask(r);
}

static void
on_fresh(void *arg, enum status st)
{
	struct blob_reader *r = arg;
	struct mirror *m = r->account->mirror;
	struct uidset set = { 0 };
	struct mirror_email e;
	uint32_t uid;

	r->fresh = NULL;
	if (st != ST_OK || !mirror_get(m, r->id.number, &e)) {
		end_later(r, st != ST_OK ? st : ST_NOT_FOUND);
		return;
	}
	mirror_place(m, r->id.number, 0, &r->mailbox, &uid);
	uidset_add(&set, uid);
	uidset_encode(&set, &r->uids);
	uidset_fini(&set);
	r->size = e.size;
	begin(r);
}

static void
on_upload(void *arg, enum status st, bool more, const void *msg)
{
	struct blob_reader *r = arg;
	const struct store_blobs_are *are = msg;
	struct store_blob b;
	struct reader in;

	if (st == ST_OK && are != NULL && are->blobs.len > 0) {
		reader_init(&in, are->blobs.p, are->blobs.len);
		if (get_store_blob(&in, &b) && b.id == r->id.number) {
			r->size = b.size;
			r->mailbox = 1;		/* it is there */
		}
	}
	if (more)
		return;
	r->call = NULL;
	if (st != ST_OK || r->mailbox == 0)
		end_later(r, st != ST_OK ? st : ST_NOT_FOUND);
	else
		begin(r);
}

struct blob_reader *
blob_reader_start(const struct jmap_host *h, struct jmap_account *a, const struct blob_id *id,
    uint64_t from, uint64_t length, const struct blob_reader_ops *ops, void *arg)
{
	struct blob_reader *r = mem_zalloc(sizeof(*r));
	struct store_blobs rq;
	char number[8];

	r->account = jmap_account_hold(a);
	r->id = *id;
	r->from = from;
	r->length = length;
	r->ops = ops;
	r->arg = arg;
	r->task = loop_task_new(a->loop, run, r);
	put_be64(number, id->number);
	rq = (struct store_blobs){ .ids = span(number, sizeof(number)) };
	if (a->store == NULL)
		end_later(r, ST_UNAVAILABLE);
	else if (id->kind == BLOB_EMAIL)
		r->fresh = mirror_fresh(jmap_host_mirror(h, a), on_fresh, r);
	else
		r->call = store_do_blobs(a->store, &rq, on_upload, r);
	return r;
}

void
blob_reader_pause(struct blob_reader *r)
{
	r->paused = true;
}

void
blob_reader_resume(struct blob_reader *r)
{
	r->paused = false;
	loop_task_post(r->task);
}
