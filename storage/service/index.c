/* One job at a time goes through x->now; all others wait in the list of their account, and
 * accounts in one of two rings.  Pieces and reads belong to the socket, not to the job: what
 * comes back for a job that is over counts as credit and is nothing else. */
#include "storage/service/index.h"

#include <string.h>

#include "common/ipc/ipc.h"
#include "common/util/list.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/service/service_priv.h"

#define TRIES_MAX	2u	/* that indexd did not survive */
#define MOVES_MAX	3u	/* times that a body was found to lie elsewhere by now */

struct indexing {
	struct service		*svc;
	struct ipc		*ipc;		/* NULL: none */
	void			(*replace)(void *arg);
	void			*replace_arg;
	struct loop_task	*task;		/* starts the next job */
	struct loop_timer	*timer;		/* indexd is waited for */
	struct list		ring[2];	/* struct turn, in turn; [1]: urgent */
	size_t			queued;
	struct index_job	*now;
	unsigned		unanswered;	/* pieces */
	struct reader_job	*reading;	/* NULL: none */
	bool			reading_last;
	struct index_job	*read_for;	/* NULL: that job is over */
	bool			stopped;
	uint64_t		n_done, n_damaged, n_given_up, n_lost;
};

/* An account with jobs. */
struct turn {
	struct list	node;
	uint64_t	account;
	struct list	jobs;
};

struct index_job {
	struct list		node;
	struct indexing		*x;
	struct turn		*turn;		/* NULL: in flight */
	struct index_what	what;
	struct index_job_rq	rq;
	index_hash_fn		hash_done;
	index_digest_fn		digest_done;
	void			*arg;
	unsigned		tries, moves;
	struct buf		locs;		/* struct journal_loc... */
	size_t			loc;		/* where the next piece begins */
	uint32_t		offset;
	bool			sent;		/* the last piece too */
	uint32_t		req;
	struct buf		text, extracted;
};

static size_t
n_locs(const struct index_job *j)
{
	return j->locs.len / sizeof(struct journal_loc);
}

/* The queue ------------------------------------------------------------------------- */

static void
enqueue(struct index_job *j, bool first)
{
	struct list *ring = &j->x->ring[j->what.urgent], *n, *tmp;
	struct turn *t = NULL;

	list_each(n, tmp, ring)
		if (list_entry(n, struct turn, node)->account == j->what.account)
			t = list_entry(n, struct turn, node);
	if (t == NULL) {
		t = mem_zalloc(sizeof(*t));
		t->account = j->what.account;
		list_init(&t->jobs);
		list_push_back(ring, &t->node);
	}
	j->turn = t;
	if (first)
		list_push_front(&t->jobs, &j->node);
	else
		list_push_back(&t->jobs, &j->node);
	j->x->queued++;
}

static void
dequeue(struct index_job *j)
{
	struct turn *t = j->turn;

	list_remove(&j->node);
	j->turn = NULL;
	j->x->queued--;
	list_remove(&t->node);
	if (!list_empty(&t->jobs))
		list_push_back(&j->x->ring[j->what.urgent], &t->node);
	else
		mem_free(&t);
}

static struct index_job *
first_job(struct indexing *x)
{
	for (int urgent = 1; urgent >= 0; urgent--)
		if (!list_empty(&x->ring[urgent])) {
			struct turn *t = list_entry(x->ring[urgent].next, struct turn, node);

			return list_entry(t->jobs.next, struct index_job, node);
		}
	return NULL;
}

static void
job_free(struct index_job **jp)
{
	struct index_job *j = *jp;

	*jp = NULL;
	if (j->turn != NULL)
		dequeue(j);
	buf_fini(&j->locs);
	buf_fini(&j->text);
	buf_fini(&j->extracted);
	mem_free(&j);
}

/* How a job ends -------------------------------------------------------------------- */

/* indexd may go on with it: its next words about it are not heard. */
static void
leave(struct indexing *x)
{
	if (x->ipc != NULL && x->now != NULL && x->now->req != 0)
		ipc_cancel(x->ipc, x->now->req);
	x->now = NULL;
	x->read_for = NULL;
	loop_timer_clear(x->timer);
	if (x->task != NULL)
		loop_task_post(x->task);
}

static void
tell(struct index_job *j, enum status st, const void *msg)
{
	struct index_hash_result h = { .st = st };
	struct index_digest_result d = { .st = st };

	if (j->rq.kind == INDEX_HASH) {
		const struct index_hash_is *is = msg;

		if (is != NULL) {
			h.size = is->size;
			memcpy(h.sha256, is->sha256.p, sizeof(h.sha256));
		}
		j->hash_done(j->arg, &h);
		return;
	}
	if (msg != NULL) {
		d.is = *(const struct index_digest_is *)msg;
		d.text = buf_span(&j->text);
		d.extracted = buf_span(&j->extracted);
	}
	j->digest_done(j->arg, &d);
}

static void
finish(struct index_job *j, enum status st, const void *msg)
{
	struct indexing *x = j->x;

	x->n_done++;
	x->n_damaged += st == ST_CORRUPT;
	if (j->turn != NULL)
		dequeue(j);
	else if (x->now == j)
		leave(x);
	tell(j, st, msg);
	job_free(&j);
}

static void
give_up(struct index_job *j)
{
	j->x->n_given_up++;
	LOG(NULL, ERROR, "index.given_up", KV_UINT("shard", j->x->svc->cf.shard),
	    KV_UINT("account", j->what.account), KV_UINT("mailbox", j->what.mailbox),
	    KV_UINT("uid", j->what.uid), KV_UINT("segment", n_locs(j) > 0 ?
	    ((const struct journal_loc *)(const void *)j->locs.data)->segment : 0),
	    KV_UINT("tries", j->tries));
	finish(j, ST_LIMIT, NULL);
}

/* indexd did not survive it, or was lost while it was at it. */
static void
job_lost(struct indexing *x)
{
	struct index_job *j = x->now;

	x->n_lost++;
	x->unanswered = 0;
	if (j == NULL)
		return;
	j->req = 0;
	leave(x);
	if (++j->tries >= TRIES_MAX)
		give_up(j);
	else
		enqueue(j, true);
}

static void
hang_up(struct indexing *x, const char *why)
{
	if (why != NULL)
		LOG(NULL, WARN, "index.lost", KV_UINT("shard", x->svc->cf.shard), KV_STR("why", why));
	ipc_free(&x->ipc);
	job_lost(x);
}

/* Its work is wrong or late: it is not trusted any more. */
static void
replace(struct indexing *x, const char *why)
{
	hang_up(x, why);
	if (x->replace != NULL)
		x->replace(x->replace_arg);
}

static void
wait_for_it(struct indexing *x)
{
	loop_timer_set(x->timer, (uint64_t)x->svc->cf.index_wait_s * 1000);
}

static void
on_timer(void *arg)
{
	struct indexing *x = arg;
	struct index_job *j;

	if (x->ipc != NULL) {
		if (x->now != NULL)
			replace(x, "no answer in time");
		return;
	}
	LOG(NULL, ERROR, "index.none", KV_UINT("shard", x->svc->cf.shard),
	    KV_UINT("jobs", x->queued));
	for (size_t n = x->queued; n > 0 && (j = first_job(x)) != NULL; n--)
		finish(j, ST_UNAVAILABLE, NULL);
}

/* Where the body lies ----------------------------------------------------------------- */

/* The places of a message's body as they are now. */
static enum status
look_up(struct index_job *j, struct buf *locs)
{
	struct state_bodies *bodies;
	struct state_body b;
	struct uidset one = { 0 };
	enum status st;

	uidset_add(&one, j->what.uid);
	st = state_bodies_open(j->x->svc->state, j->what.account, j->what.mailbox, &one, 0,
	    &bodies);
	if (st == ST_OK) {
		st = state_bodies_next(bodies, &b, locs);
		state_bodies_close(&bodies);
	}
	uidset_fini(&one);
	return st;
}

/* The bytes there are not the body's: it was moved to another place meanwhile, or is damaged. */
static void
judge_damage(struct index_job *j)
{
	struct indexing *x = j->x;
	struct buf locs = { 0 };
	bool moved = j->what.locs == NULL && j->moves < MOVES_MAX && look_up(j, &locs) == ST_OK &&
	    !span_eq(buf_span(&locs), buf_span(&j->locs));

	buf_fini(&locs);
	if (!moved) {
		finish(j, ST_CORRUPT, NULL);
		return;
	}
	j->moves++;
	leave(x);
	enqueue(j, true);
}

/* Pieces ------------------------------------------------------------------------------- */

static void send_pieces(struct indexing *x);

static void
on_piece(void *arg, const struct ipc_head *head, const struct ipc_message *m, const void *msg)
{
	struct indexing *x = arg;

	if (head->status != ST_OK)	/* the socket closed, on_closed() sees to it */
		return;
	x->unanswered--;
	if (x->now == NULL)
		return;
	if (x->unanswered > 0 || x->now->sent)
		wait_for_it(x);
	else
		loop_timer_clear(x->timer);
	send_pieces(x);
}

static void
send_piece(struct indexing *x, struct span data, bool last)
{
	const struct index_piece p = { data, last };

	x->unanswered++;
	wait_for_it(x);
	x->now->sent = last;
	ipc_request(x->ipc, 0, INDEX_PIECE, &p, on_piece, x);
}

static void
on_read(struct reader_job *job, void *arg)
{
	struct indexing *x = arg;
	struct index_job *j = x->read_for;

	x->reading = NULL;
	x->read_for = NULL;
	if (j == NULL || x->ipc == NULL)
		;	/* for a job that is over */
	else if (job->status != ST_OK)
		judge_damage(j);
	else
		send_piece(x, span(job->data, job->runs[0].loc.length), x->reading_last);
	reader_job_free(&job);
	if (!x->stopped)
		send_pieces(x);
}

/* The next piece's place; *last: none follows. */
static struct journal_loc
next_place(struct index_job *j, bool *last)
{
	const struct journal_loc *all = (const void *)j->locs.data;
	struct journal_loc l = all[j->loc];

	l.offset += j->offset;
	l.length -= j->offset;
	if (l.length > INDEX_PIECE_BYTES)
		l.length = INDEX_PIECE_BYTES;
	j->offset += l.length;
	if (j->offset == all[j->loc].length) {
		j->loc++;
		j->offset = 0;
	}
	while (j->loc < n_locs(j) && all[j->loc].length == 0)
		j->loc++;
	*last = j->loc == n_locs(j);
	return l;
}

static void
read_piece(struct indexing *x, struct index_job *j)
{
	struct reader_job *job = mem_zalloc(sizeof(*job));
	struct journal_loc l = next_place(j, &x->reading_last);
	bool block = false;

	job->runs = mem_array(1, sizeof(*job->runs));
	job->runs[0] = (struct reader_run){ l, 0 };
	job->n_runs = 1;
	job->data = mem_alloc((size_t)l.length + 1);
	job->done = on_read;
	job->arg = x;
	x->reading = job;
	x->read_for = j;
	job->status = journal_read_nowait(x->svc->journal, l, job->data, &block);
	if (block)
		readers_submit(x->svc->readers, job);
	else
		on_read(job, x);
}

static void
send_pieces(struct indexing *x)
{
	if (x->now != NULL && x->ipc != NULL && x->reading == NULL && !x->now->sent &&
	    x->unanswered < INDEX_PIECES_MAX)
		read_piece(x, x->now);	/* which comes here again */
}

/* Answers ------------------------------------------------------------------------------ */

/* false: more than there may be. */
static bool
take_text(struct index_job *j, const struct index_text *t)
{
	bool canonical = t->of == INDEX_TEXT_CANONICAL;
	struct buf *to = canonical ? &j->text : &j->extracted;

	if (t->data.len > (canonical ? j->rq.text_max : INDEX_TEXT_MAX) - to->len)
		return false;
	buf_add_span(to, t->data);
	return true;
}

static void
on_answer(void *arg, const struct ipc_head *head, const struct ipc_message *m, const void *msg)
{
	struct indexing *x = arg;
	struct index_job *j = x->now;
	bool hash;

	if (j == NULL || head->status == ST_UNAVAILABLE)	/* the socket closed */
		return;
	if (head->more) {
		wait_for_it(x);
		if (j->rq.kind != INDEX_DIGEST || m == NULL || m->no != INDEX_TEXT ||
		    !take_text(j, msg))
			replace(x, "a wrong answer");
		return;
	}
	j->req = 0;
	hash = j->rq.kind == INDEX_HASH;
	if (head->status == ST_CORRUPT)
		judge_damage(j);
	else if (head->status != ST_OK || m == NULL || !j->sent ||
	    m->no != (hash ? INDEX_HASH_IS : INDEX_DIGEST_IS))
		replace(x, "a wrong answer");
	else
		finish(j, ST_OK, msg);
}

static void
begin(struct indexing *x, struct index_job *j)
{
	j->loc = 0;
	j->offset = 0;
	j->sent = false;
	buf_clear(&j->text);
	buf_clear(&j->extracted);
	x->now = j;
	while (j->loc < n_locs(j) &&
	    ((const struct journal_loc *)(const void *)j->locs.data)[j->loc].length == 0)
		j->loc++;
	if (j->loc == n_locs(j)) {
		finish(j, ST_CORRUPT, NULL);	/* no body is empty */
		return;
	}
	j->req = ipc_request(x->ipc, 0, INDEX_JOB, &j->rq, on_answer, x);
	send_pieces(x);
}

static void
run(void *arg)
{
	struct indexing *x = arg;
	struct index_job *j = first_job(x);
	enum status st = ST_OK;

	if (x->now != NULL || j == NULL)
		return;
	if (x->ipc == NULL) {
		if (!loop_timer_is_set(x->timer))
			wait_for_it(x);
		return;
	}
	dequeue(j);
	if (j->what.locs == NULL) {
		buf_clear(&j->locs);
		st = look_up(j, &j->locs);
	}
	if (st == ST_OK) {
		begin(x, j);
		return;
	}
	finish(j, service_judge(x->svc, st, "index"), NULL);
	loop_task_post(x->task);
}

/* The outside -------------------------------------------------------------------------- */

static struct index_job *
job_new(struct service *svc, const struct index_what *what, enum index_kind kind)
{
	struct indexing *x = svc->indexing;
	struct index_job *j;

	if (x == NULL || x->stopped || index_room(svc) == 0)
		return NULL;
	j = mem_zalloc(sizeof(*j));
	j->x = x;
	j->what = *what;
	if (what->locs != NULL)
		buf_add(&j->locs, what->locs, what->n_locs * sizeof(*what->locs));
	j->rq.kind = (uint8_t)kind;
	enqueue(j, false);
	loop_task_post(x->task);
	return j;
}

struct index_job *
index_hash(struct service *svc, const struct index_what *what, index_hash_fn done, void *arg)
{
	struct index_job *j = job_new(svc, what, INDEX_HASH);

	if (j != NULL) {
		j->hash_done = done;
		j->arg = arg;
	}
	return j;
}

struct index_job *
index_digest(struct service *svc, const struct index_what *what, uint32_t text_max, bool extract,
    index_digest_fn done, void *arg)
{
	struct index_job *j = job_new(svc, what, INDEX_DIGEST);

	if (j != NULL) {
		j->rq.text_max = text_max < INDEX_TEXT_MAX ? text_max : INDEX_TEXT_MAX;
		j->rq.extract = extract;
		j->digest_done = done;
		j->arg = arg;
	}
	return j;
}

void
index_cancel(struct index_job **jp)
{
	struct index_job *j = *jp;

	*jp = NULL;
	if (j == NULL)
		return;
	if (j->x->now == j)
		leave(j->x);
	job_free(&j);
}

size_t
index_room(const struct service *svc)
{
	return svc->indexing->queued < INDEX_QUEUE_MAX ?
	    INDEX_QUEUE_MAX - svc->indexing->queued : 0;
}

static void
on_closed(struct ipc *ipc, void *arg)
{
	hang_up(arg, NULL);
}

void
service_indexd(struct service *svc, int fd, void (*fn)(void *arg), void *arg)
{
	struct indexing *x = svc->indexing;
	struct ipc_config cf = { .loop = svc->loop, .protocol = &index_protocol,
	    .peer = "indexd", .closed = on_closed, .arg = x };

	if (x->ipc != NULL)
		hang_up(x, NULL);
	x->replace = fn;
	x->replace_arg = arg;
	loop_timer_clear(x->timer);
	x->ipc = ipc_new(&cf, fd);
	loop_task_post(x->task);
}

void
index_start(struct service *svc)
{
	struct indexing *x = mem_zalloc(sizeof(*x));

	x->svc = svc;
	x->task = loop_task_new(svc->loop, run, x);
	x->timer = loop_timer_new(svc->loop, on_timer, x);
	list_init(&x->ring[0]);
	list_init(&x->ring[1]);
	svc->indexing = x;
}

void
index_stop(struct service *svc)
{
	struct indexing *x = svc->indexing;
	struct index_job *j;

	if (x == NULL)
		return;
	x->stopped = true;
	if (x->now != NULL)
		finish(x->now, ST_UNAVAILABLE, NULL);
	while ((j = first_job(x)) != NULL)
		finish(j, ST_UNAVAILABLE, NULL);
	ipc_free(&x->ipc);
}

void
index_free(struct service *svc)
{
	struct indexing *x = svc->indexing;

	svc->indexing = NULL;
	if (x == NULL)
		return;
	loop_task_free(&x->task);
	loop_timer_free(&x->timer);
	mem_free(&x);
}

void
index_stats(const struct service *svc, struct buf *out)
{
	const struct indexing *x = svc->indexing;

	buf_addf(out, "index_queued=%zu\nindex_done=%llu\nindex_damaged=%llu\n"
	    "index_given_up=%llu\nindex_lost=%llu\n", x->queued, (unsigned long long)x->n_done,
	    (unsigned long long)x->n_damaged, (unsigned long long)x->n_given_up,
	    (unsigned long long)x->n_lost);
}
