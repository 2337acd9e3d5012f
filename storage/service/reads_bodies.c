/* Reads of bodies, uploads, and what URLs that authorize name: planned, fetched, sent. */
#include "storage/service/reads_priv.h"

#include "common/util/clock.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/state/emails.h"

#define BODY_PART	(512u << 10)
#define BODY_PIECE	(256u << 10)
#define BODY_PIECES	256
#define BODY_GAP	2048		/* bytes between two bodies that are read with them */
#define BODY_RUN	(256u << 10)	/* read at once, if it is more than one piece */

/* Where this read stands in the body at hand. */
struct body_at {
	uint64_t	from, to;		/* of the stored body, to exclusive */
};

/* Bytes that the job's data has so far. */
static size_t
job_bytes(const struct reader_job *job)
{
	const struct reader_run *last;

	if (job->n_runs == 0)
		return 0;
	last = &job->runs[job->n_runs - 1];
	return last->at + last->loc.length;
}

/* Where a piece will lie in the job's data.  It goes with the last run when it lies right
 * behind it: one read costs more than the bytes between. */
static size_t
add_run(struct reader_job *job, struct journal_loc loc)
{
	struct reader_run *last = job->n_runs > 0 ? &job->runs[job->n_runs - 1] : NULL;
	size_t bytes = job_bytes(job);

	if (last != NULL && last->loc.segment == loc.segment) {
		uint32_t end = last->loc.offset + last->loc.length;

		if (loc.offset >= end && loc.offset - end <= BODY_GAP &&
		    loc.offset - last->loc.offset + loc.length <= BODY_RUN) {
			last->loc.length = loc.offset - last->loc.offset + loc.length;
			return bytes + loc.offset - end;
		}
	}
	job->runs[job->n_runs++] = (struct reader_run){ loc, bytes };
	return bytes;
}

static void
add_piece(struct reader_job *job, const struct state_body *b, uint64_t offset,
    struct journal_loc loc, size_t *bytes)
{
	size_t at = loc.length > 0 ? add_run(job, loc) : 0;

	job->pieces[job->n++] = (struct reader_piece){ b->uid, b->stored_size, offset, at,
	    loc.length };
	*bytes += loc.length;
}

/* Pieces of at->from..to, as far as the part goes; returns the offset reached. */
static uint64_t
plan_body(struct reader_job *job, const struct state_body *b, const struct journal_loc *locs,
    const struct body_at *at, size_t budget, size_t *bytes)
{
	uint64_t pos = at->from, base = 0;

	for (size_t i = 0; i < b->n_locs && pos < at->to; base += locs[i++].length) {
		while (pos < at->to && pos < base + locs[i].length) {
			uint64_t n = base + locs[i].length - pos;
			struct journal_loc loc = locs[i];

			if (job->n == BODY_PIECES || (*bytes > 0 && *bytes >= budget))
				return pos;
			if (n > at->to - pos)
				n = at->to - pos;
			if (n > BODY_PIECE)
				n = BODY_PIECE;
			loc.offset += (uint32_t)(pos - base);
			loc.length = (uint32_t)n;
			add_piece(job, b, pos, loc, bytes);
			pos += n;
		}
	}
	if (at->from >= at->to && job->n < BODY_PIECES)
		add_piece(job, b, at->from, (struct journal_loc){ 0 }, bytes);
	return pos;
}

/* Fills job; rq->resume and offset are where the next part begins, resume 0: nowhere. */
static enum status
plan(struct request *rq, const struct store_body *msg, struct reader_job *job, size_t *bytes)
{
	size_t budget = BODY_PART;
	uint32_t first = uidset_next(&rq->set, 0);
	struct state_bodies *bodies;
	struct buf locs = { 0 };
	enum status st;

	st = state_bodies_open(rq->svc->state, rq->account->id, msg->mailbox, &rq->set,
	    rq->resume, &bodies);
	if (msg->budget < budget + rq->sent)
		budget = msg->budget > rq->sent ? (size_t)(msg->budget - rq->sent) : 1;
	while (st == ST_OK && job->n < BODY_PIECES && *bytes < budget) {
		struct state_body b;
		struct body_at at;
		uint64_t start, end;

		st = state_bodies_next(bodies, &b, &locs);
		if (st != ST_OK)
			break;
		if (b.uid != rq->resume)
			rq->offset = b.uid == first ? msg->offset : 0;
		start = b.uid == first ? msg->offset : 0;
		end = b.stored_size;
		if (msg->length > 0 && start < end && msg->length < end - start)
			end = start + msg->length;
		at = (struct body_at){ rq->offset < end ? rq->offset : end, end };
		rq->offset = plan_body(job, &b, (const void *)locs.data, &at, budget, bytes);
		rq->resume = b.uid;
		if (rq->offset >= end) {
			rq->offset = 0;
			if (b.uid == UINT32_MAX || uidset_next(&rq->set, b.uid) == 0) {
				rq->resume = 0;
				break;
			}
			rq->resume = b.uid + 1;
		}
	}
	state_bodies_close(&bodies);
	buf_fini(&locs);
	if (st != ST_NOT_FOUND)
		return st;
	/* None left.  (That of a mailbox that is not there was told with the first one.) */
	if (job->n == 0 && rq->sent == 0 && rq->resume == 0)
		return st;
	rq->resume = 0;
	return ST_OK;
}

static bool
body_budget(const struct request *rq, uint32_t *budget)
{
	union read_any msg;

	if (ipc_decode(rq->m, buf_span(&rq->body), &msg) != ST_OK)
		return false;
	*budget = rq->m->no == STORE_URL_BODY ? msg.url_body.budget :
	    rq->m->no == STORE_BLOB_READ ? msg.blob.budget : msg.body.budget;
	return true;
}

static enum read_step
send_bodies(struct request *rq, const struct reader_job *job)
{
	struct store_body_is is = { 0 };
	struct buf out = { 0 };
	uint64_t bytes = 0;
	uint32_t budget;
	enum read_step step;
	bool more;

	if (job->status != ST_OK) {
		LOG(NULL, ERROR, "body.read", KV_UINT("account", rq->account->id),
		    KV_UINT("segment", job->n_runs > 0 ? job->runs[0].loc.segment : 0),
		    KV_STATUS(job->status));
		request_answer(rq, job->status == ST_NOT_FOUND ? ST_CORRUPT : job->status, 0, NULL);
		return READ_DONE;
	}
	if (!body_budget(rq, &budget))
		return read_fail(rq, ST_BUG);
	for (size_t i = 0; i < job->n; i++) {
		const struct reader_piece *p = &job->pieces[i];
		const struct store_body_piece piece = { p->uid, p->stored_size, p->offset,
		    span(job->data + p->at, p->len) };

		put_store_body_piece(&out, &piece);
		bytes += p->len;
	}
	rq->sent += bytes;
	more = rq->resume != 0 && rq->sent < budget;
	is.pieces = buf_span(&out);
	if (!more) {
		is.resume_uid = rq->resume;
		is.resume_offset = rq->offset;
	}
	step = read_part(rq, more, STORE_BODY_IS, &is);
	buf_fini(&out);
	return step;
}

static void
bodies_came(struct reader_job *job, void *arg)
{
	struct request *rq = arg;

	rq->busy = false;
	if (rq->chan == NULL || send_bodies(rq, job) == READ_DONE)
		request_free(rq);
	else
		read_begin(rq);
	reader_job_free(&job);
}

/* false: some are not in memory. */
static bool
read_now(struct service *svc, struct reader_job *job)
{
	for (size_t i = 0; i < job->n_runs; i++) {
		bool block = false;

		job->status = journal_read_nowait(svc->journal, job->runs[i].loc,
		    job->data + job->runs[i].at, &block);
		if (job->status != ST_OK)
			return !block;
	}
	return true;
}

/* Fetches what was planned and sends it. */
static enum read_step
run_job(struct request *rq, struct reader_job *job, enum status st)
{
	enum read_step step;

	if (st != ST_OK) {
		reader_job_free(&job);
		return read_fail(rq, st);
	}
	job->data = mem_alloc(job_bytes(job) + 1);
	if (!read_now(rq->svc, job)) {
		job->done = bodies_came;
		job->arg = rq;
		rq->busy = true;
		readers_submit(rq->svc->readers, job);
		return READ_BUSY;
	}
	step = send_bodies(rq, job);
	reader_job_free(&job);
	return step;
}

static struct reader_job *
job_new(void)
{
	struct reader_job *job = mem_zalloc(sizeof(*job));

	job->pieces = mem_array(BODY_PIECES, sizeof(*job->pieces));
	job->runs = mem_array(BODY_PIECES, sizeof(*job->runs));
	return job;
}

enum read_step
read_body(struct request *rq, const struct store_body *msg)
{
	struct reader_job *job;
	size_t bytes = 0;

	if (!read_uids(rq, msg->uids))
		return read_fail(rq, ST_SYNTAX);
	job = job_new();
	return run_job(rq, job, plan(rq, msg, job, &bytes));
}

/* An upload, as a body of uid 1. */
enum read_step
read_blob(struct request *rq, const struct store_blob_read *msg)
{
	struct reader_job *job = job_new();
	struct buf locs = { 0 };
	struct state_body b;
	struct body_at at;
	size_t budget = BODY_PART, bytes = 0;
	enum status st = state_blob_body(rq->svc->state, rq->account->id, msg->id, &b, &locs);

	if (st == ST_OK) {
		at.to = b.stored_size;
		if (msg->length > 0 && msg->offset < at.to && msg->length < at.to - msg->offset)
			at.to = msg->offset + msg->length;
		at.from = rq->begun ? rq->offset : msg->offset < at.to ? msg->offset : at.to;
		if (msg->budget < budget + rq->sent)
			budget = msg->budget > rq->sent ? (size_t)(msg->budget - rq->sent) : 1;
		rq->begun = true;
		rq->offset = plan_body(job, &b, (const void *)locs.data, &at, budget, &bytes);
		rq->resume = rq->offset < at.to;
		if (rq->resume == 0)
			rq->offset = 0;
	}
	buf_fini(&locs);
	return run_job(rq, job, st);
}

/* URLs that authorize --------------------------------------------------------------------- */

enum read_step
read_url_sign(struct request *rq, const struct store_url_sign *msg)
{
	struct store_url_signed is;
	struct buf token = { 0 };
	enum status st = state_url_sign(rq->svc->state, rq->account->id, msg->rump, msg->who, &token);
	enum read_step step;

	is.token = buf_span(&token);
	step = st != ST_OK ? read_fail(rq, st) : read_part(rq, false, STORE_URL_SIGNED, &is);
	buf_fini_secret(&token);
	return step;
}

/* What the URL lets be read; rq->set is that message. */
static enum status
judge_url(struct request *rq, struct span url, uint64_t *mailbox)
{
	const struct ticket *t = &rq->chan->ticket;
	const struct state_url_asker by = { t->account, (t->rights & RIGHT_SUBMIT) != 0,
	    clock_wall_s() };
	struct state_url u;
	enum status st = state_url_judge(rq->svc->state, rq->account->id, url, &by, &u);

	if (st == ST_OK) {
		*mailbox = u.mailbox;
		uidset_clear(&rq->set);
		uidset_add(&rq->set, u.uid);
		rq->begun = true;
	}
	return st;
}

static enum status
url_row(struct request *rq, uint64_t mailbox, uint64_t *size)
{
	struct store_row row;
	struct buf out = { 0 };
	struct reader r;
	uint32_t resume = 0;
	enum status st = state_rows(rq->svc->state, rq->account->id, mailbox, &rq->set, ROW_SIZE,
	    PART_BYTES, &resume, &out);

	reader_init(&r, out.data, out.len);
	if (st == ST_OK && !get_store_row(&r, &row, ROW_SIZE))
		st = ST_NOT_FOUND;
	if (st == ST_OK)
		*size = row.size;
	buf_fini(&out);
	return st;
}

enum read_step
read_url_find(struct request *rq, const struct store_url_find *msg)
{
	struct store_url_found found = { 0 };
	struct store_cache cache = { 0 };
	struct buf out = { 0 };
	struct reader r;
	uint64_t mailbox = 0;
	uint32_t resume = 0;
	enum status st = judge_url(rq, msg->url, &mailbox);
	enum read_step step;

	if (st == ST_OK)
		st = url_row(rq, mailbox, &found.size);
	if (st == ST_OK)
		st = state_caches(rq->svc->state, rq->account->id, mailbox, &rq->set,
		    CACHE_STRUCTURE, PART_BYTES, &resume, &out);
	reader_init(&r, out.data, out.len);
	if (st == ST_OK && get_store_cache(&r, &cache))
		found.structure = cache.structure;
	step = st != ST_OK ? read_fail(rq, st) : read_part(rq, false, STORE_URL_FOUND, &found);
	buf_fini(&out);
	return step;
}

enum read_step
read_url_body(struct request *rq, const struct store_url_body *msg)
{
	struct store_body body = { .offset = msg->offset, .budget = msg->budget };
	enum status st = judge_url(rq, msg->url, &body.mailbox);

	return st != ST_OK ? read_fail(rq, st) : read_body(rq, &body);
}
