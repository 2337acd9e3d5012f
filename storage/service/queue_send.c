/* One entry on its way: its envelope, then its body as it is asked for, then what outd says. */
#include <string.h>

#include "common/ipc/ipc.h"
#include "common/util/clock.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/service/queue_priv.h"

#define MOVES_MAX 3u		/* times that a body was found to lie elsewhere by now */

/* The body ------------------------------------------------------------------------- */

static enum status
look_up(struct flight *f)
{
	const struct journal_loc *locs;
	struct state_body body;
	enum status st = state_queue_body(f->x->svc->state, f->account, f->id, &body, &f->locs);

	f->stored = 0;
	locs = (const void *)f->locs.data;
	for (size_t i = 0; st == ST_OK && i < f->locs.len / sizeof(*locs); i++)
		f->stored += locs[i].length;
	return st == ST_OK && f->stored == 0 ? ST_NOT_FOUND : st;
}

/* Where the byte f->at lies, and how many of them from there on are to be read. */
static struct journal_loc
next_place(const struct flight *f)
{
	const struct journal_loc *l = (const void *)f->locs.data;
	uint64_t at = f->at, most = f->credit < OUT_SUBMIT_PART ? f->credit : OUT_SUBMIT_PART;
	struct journal_loc place;

	while (at >= l->length) {
		at -= l->length;
		l++;
	}
	place = *l;
	place.offset += (uint32_t)at;
	place.length -= (uint32_t)at;
	if (place.length > most)
		place.length = (uint32_t)most;
	return place;
}

static void give(struct flight *f);

static void
send_part(struct flight *f, struct span bytes, bool bad)
{
	const struct out_submit_body part = { bytes, bad || f->at + bytes.len == f->stored, bad };

	f->at += bytes.len;
	f->credit -= bytes.len;
	f->given = part.last && !bad;
	ipc_note(f->x->outd, f->chan, OUT_SUBMIT_BODY, &part);
	if (bad)
		f->credit = 0;
}

static void
on_read(struct reader_job *job, void *arg)
{
	struct flight *f = arg;
	struct buf before = { 0 };
	bool moved = false;

	if (f == NULL) {		/* it was over meanwhile */
		reader_job_free(&job);
		return;
	}
	f->reading = NULL;
	if (job->status == ST_OK && f->req != 0) {
		send_part(f, span(job->data, job->runs[0].loc.length), false);
	} else if (f->req != 0) {
		buf_add_span(&before, buf_span(&f->locs));
		moved = ++f->moves <= MOVES_MAX && look_up(f) == ST_OK &&
		    !span_eq(buf_span(&before), buf_span(&f->locs));
		buf_fini(&before);
		if (!moved)
			send_part(f, SPAN_NONE, true);
	}
	reader_job_free(&job);
	give(f);
}

/* The next piece, when there is room for one. */
static void
give(struct flight *f)
{
	struct reader_job *job;
	bool block = false;

	if (f->req == 0 || f->credit == 0 || f->reading != NULL || f->at >= f->stored ||
	    f->x->outd == NULL)
		return;
	job = mem_zalloc(sizeof(*job));
	job->runs = mem_array(1, sizeof(*job->runs));
	job->runs[0] = (struct reader_run){ next_place(f), 0 };
	job->n_runs = 1;
	job->data = mem_alloc((size_t)job->runs[0].loc.length + 1);
	job->done = on_read;
	job->arg = f;
	f->reading = job;
	job->status = journal_read_nowait(f->x->svc->journal, job->runs[0].loc, job->data, &block);
	if (block)
		readers_submit(f->x->svc->readers, job);
	else
		on_read(job, f);
}

/* Answers -------------------------------------------------------------------------- */

/* Whoever got it needs it no more; refused: how many will never take it; later: who may. */
static void
sort_out(const struct flight *f, struct span results, struct buf *left, unsigned *later,
    unsigned *refused)
{
	struct store_queue_rcpt to;
	struct out_result is;
	struct reader r, s;

	reader_init(&r, f->rcpts.data, f->rcpts.len);
	reader_init(&s, results.p, results.len);
	while (get_store_queue_rcpt(&r, &to) && get_out_result(&s, &is)) {
		*later += is.how == OUT_LATER;
		*refused += is.how == OUT_REFUSED;
		/* what is sent at most once is of no use to who refused it */
		if (is.how == OUT_LATER || (is.how == OUT_REFUSED && !queue_once(f->kind)))
			put_store_queue_rcpt(left, &to);
	}
}

static void
on_submitted(struct flight *f, const struct out_submitted *is)
{
	struct queueing *x = f->x;
	struct buf left = { 0 };
	unsigned later = 0, refused = 0;

	sort_out(f, is->results, &left, &later, &refused);
	x->n_sent += is->how == OUT_SENT;
	x->n_later += is->how == OUT_LATER;
	if (is->how != OUT_SENT && !is->unsent && queue_once(f->kind)) {
		x->n_unknown++;
		LOG(NULL, WARN, "queue.unknown", KV_UINT("account", f->account), KV_UINT("entry", f->id),
		    KV_STR("kind", queue_kind_name(f->kind)), KV_SPAN("why", is->why));
		flight_settle(f, QUEUE_DONE, 0, SPAN_NONE, is->why);
	} else if (later > 0) {
		flight_later(f, buf_span(&left), is->why);
	} else if (refused > 0) {
		flight_give_up(f, "queue.refused", is->why);
	} else {
		flight_settle(f, QUEUE_DONE, 0, SPAN_NONE, is->why);
	}
	buf_fini(&left);
}

void
flight_lost(struct flight *f)
{
	f->req = 0;
	/* the last byte of a text leaves behind the last one that came */
	if (f->given && queue_once(f->kind)) {
		f->x->n_unknown++;
		LOG(NULL, WARN, "queue.unknown", KV_UINT("account", f->account), KV_UINT("entry", f->id),
		    KV_STR("kind", queue_kind_name(f->kind)), KV_STR("why", "outd is gone"));
		flight_settle(f, QUEUE_DONE, 0, SPAN_NONE, SPAN_LIT("outd was gone before it answered"));
	} else {
		flight_later(f, SPAN_NONE, SPAN_LIT("outd was gone before it answered"));
	}
}

static void
on_answer(void *arg, const struct ipc_head *h, const struct ipc_message *m, const void *msg)
{
	struct flight *f = arg;

	if (h->more) {
		if (m != NULL && m->no == OUT_SUBMIT_WANTS)
			f->credit += ((const struct out_submit_wants *)msg)->bytes;
		give(f);
		return;
	}
	f->req = 0;
	if (h->status == ST_OK && m != NULL && m->no == OUT_SUBMITTED)
		on_submitted(f, msg);
	else if (m == NULL || m->no != OUT_FAILED)
		flight_lost(f);
	else if (h->status == ST_SYNTAX)
		flight_give_up(f, "queue.refused", ((const struct out_failed *)msg)->why);
	else
		flight_later(f, SPAN_NONE, ((const struct out_failed *)msg)->why);
}

/* The envelope ---------------------------------------------------------------------- */

static void
put_recipients(struct flight *f, struct span rcpts, struct buf *out)
{
	struct store_queue_rcpt to;
	struct reader r;

	buf_add_span(&f->rcpts, rcpts);
	reader_init(&r, rcpts.p, rcpts.len);
	while (get_store_queue_rcpt(&r, &to)) {
		const struct out_recipient o = { to.address, to.orcpt, to.notify };

		put_out_recipient(out, &o);
	}
}

static void
submit(struct flight *f, const struct store_queue_entry *e)
{
	const struct store_envelope *env = &e->env;
	struct buf recipients = { 0 };
	struct out_submit rq = { .account = e->account, .entry = e->id, .from = env->from,
	    .envid = env->envid, .ret = env->ret, .by_trace = (env->by & QUEUE_BY_TRACE) != 0,
	    .size = e->size, .sha256 = e->sha256, .utf8 = env->utf8, .eight_bit = env->eight_bit };

	if ((env->by & QUEUE_BY_RETURN) != 0)
		rq.by = OUT_BY_RETURN;
	else if ((env->by & QUEUE_BY_NOTIFY) != 0)
		rq.by = OUT_BY_NOTIFY;
	if (rq.by != OUT_BY_NONE)
		rq.by_s = (env->by_ms - clock_wall_ms()) / 1000;
	put_recipients(f, env->rcpts, &recipients);
	rq.recipients = buf_span(&recipients);
	f->chan = ++f->x->last_chan;
	if (f->chan == 0)
		f->chan = ++f->x->last_chan;
	f->req = ipc_request(f->x->outd, f->chan, OUT_SUBMIT, &rq, on_answer, f);
	buf_fini(&recipients);
}

void
flight_send(struct flight *f)
{
	struct service *svc = f->x->svc;
	struct store_queue_entry e;
	struct buf row = { 0 };
	enum status st = state_queue_entry(svc->state, f->account, f->id, &row, &e);

	if (st == ST_OK)
		st = look_up(f);
	if (service_judge(svc, st, "queue") != ST_OK)
		flight_later(f, SPAN_NONE, SPAN_LIT("it cannot be read"));
	else if (f->x->outd == NULL)
		flight_later(f, SPAN_NONE, SPAN_LIT("outd is not there"));
	else
		submit(f, &e);
	buf_fini(&row);
}
