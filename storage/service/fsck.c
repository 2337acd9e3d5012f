/* mansioctl fsck, on a shard that serves: pieces of the check between everybody's requests, a
 * share of the time, and less of it while there are some; bodies read by reader threads and hashed by indexd; what is to be mended
 * as operations, made while nothing else is under way. */
#include "storage/service/service_priv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/util/bytes.h"
#include "common/util/clock.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/service/fsck_texts.h"
#include "storage/service/index.h"
#include "storage/state/fsck.h"

#define PIECE_US	500u
#define BUSY_PART	4u		/* of the share, while others ask for something */
#define PART_MS		200u		/* between two parts of the answer */
#define FOUND_MAX	(128u << 10)	/* bytes of findings that make a part at once */
#define BODIES_MAX	32u		/* under way; a piece of each is in memory */
#define WAIT_MS		5u
#define BODY_WAIT_MS	1u
#define TRIES_MAX	3u		/* of a body that moves while it is read */

struct fsck_run {
	struct service		*svc;
	struct peer		*peer;		/* NULL: gone */
	struct ipc_head		 head;
	struct store_fsck	 rq;
	struct state_fsck	*f;
	struct loop_timer	*timer;
	struct journal_segment	*segments;
	size_t			 n_segments;
	struct buf		 found, roots;
	uint64_t		 wrong, mended, notes, bodies, begun_ms, told_ms;
	struct list		 jobs;		/* struct body */
	struct fsck_texts	*texts;		/* being read; NULL: they were, or are not to be */
	unsigned		 n_jobs;
	uint64_t		 asked;		/* service_asked() */
	uint64_t		 body_bytes;	/* read so far, of who was begun */
	bool			 mending, walked, over;
	enum status		 st;
};

struct body {
	struct list		 node;
	struct fsck_run		*run;		/* NULL: it ended */
	uint64_t		 account, message, size;
	unsigned char		 sha256[32];
	struct journal_loc	*locs;
	size_t			 n, at;
	unsigned		 tries;
	struct reader_job	*reading;
	struct index_job	*hashing;
	bool			 waiting;	/* for room in indexd's queue */
};

static void step(struct fsck_run *run);

/* ---- telling ---- */

static void
fill(struct fsck_run *run, struct store_fsck_is *is)
{
	*is = (struct store_fsck_is){ .wrong = run->wrong, .mended = run->mended,
		.notes = run->notes, .bodies = run->bodies, .found = buf_span(&run->found),
		.roots = buf_span(&run->roots) };
	state_fsck_progress(run->f, &is->done, &is->total);
}

static void
tell(struct fsck_run *run, bool now)
{
	uint64_t ms = clock_mono_ms();
	struct store_fsck_is is;

	if (run->peer == NULL || (!now && ms < run->told_ms + PART_MS &&
	    run->found.len + run->roots.len < FOUND_MAX))
		return;
	run->told_ms = ms;
	fill(run, &is);
	ipc_reply_more(run->peer->ipc, &run->head, STORE_FSCK_IS, &is);
	buf_clear(&run->found);
	buf_clear(&run->roots);
}

static void
on_found(void *arg, const struct fsck_finding *x)
{
	struct fsck_run *run = arg;
	const struct store_fsck_found is = { .account = x->account, .cure = (uint8_t)x->cure,
		.mended = x->mended, .table = span_str(x->table), .key = x->key,
		.text = span_str(x->text) };

	if (x->cure == CURE_NOTE)
		run->notes++;
	else
		run->wrong++;
	run->mended += x->mended;
	if (x->cure != CURE_NOTE)
		LOG(NULL, WARN, "fsck.wrong", KV_UINT("shard", run->svc->cf.shard),
		    KV_UINT("account", x->account), KV_STR("table", x->table),
		    KV_STR("what", x->text));
	put_store_fsck_found(&run->found, &is);
	tell(run, false);
}

static void
on_root(void *arg, uint64_t account, const unsigned char *hash)
{
	struct fsck_run *run = arg;
	const struct store_fsck_root is = { account, span(hash, hash != NULL ? 32 : 0) };

	put_store_fsck_root(&run->roots, &is);
	tell(run, false);
}

/* A text that is damaged is made anew by who asks for it. */
static void
on_texts(void *arg, uint64_t account, struct span lines)
{
	struct fsck_run *run = arg;
	unsigned char key[8];

	if (account == 0)
		run->texts = NULL;
	put_be64(key, account);
	while (lines.len > 0) {
		struct span line = span_cut(&lines, '\n');
		char *text = span_dup(line);

		if (line.len > 0)
			on_found(run, &(struct fsck_finding){ .account = account, .table = "text",
			    .key = span(key, sizeof(key)), .cure = CURE_NOTE, .text = text });
		mem_free(&text);
	}
}

/* ---- places ---- */

static bool
find_place(const struct fsck_run *run, struct journal_loc loc)
{
	size_t lo = 0, hi = run->n_segments;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		const struct journal_segment *g = &run->segments[mid];

		if (g->segment == loc.segment)
			return loc.offset < g->used && loc.length <= g->used - loc.offset;
		if (g->segment < loc.segment)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

static bool
on_place(void *arg, struct journal_loc loc)
{
	struct fsck_run *run = arg;

	if (find_place(run, loc))
		return true;
	mem_free(&run->segments);
	journal_segments(run->svc->journal, &run->segments, &run->n_segments);
	return find_place(run, loc);
}

/* ---- bodies ---- */

static void
body_free(struct body *b)
{
	if (b->run != NULL) {
		list_remove(&b->node);
		b->run->n_jobs--;
	}
	index_cancel(&b->hashing);
	mem_free(&b->locs);
	mem_free(&b);
}

static void
again_soon(struct fsck_run *run)
{
	if (!loop_timer_is_set(run->timer))
		loop_timer_set(run->timer, BODY_WAIT_MS);
}

static void
body_over(struct body *b)
{
	struct fsck_run *run = b->run;

	body_free(b);
	if (run != NULL)
		again_soon(run);
}

static void
body_damaged(struct body *b, const char *how)
{
	struct fsck_run *run = b->run;
	struct buf rows = { 0 }, text = { 0 };
	unsigned char key[16];
	struct fsck_finding x = { .account = b->account, .table = "message",
		.key = span(key, sizeof(key)), .cure = CURE_NONE };
	size_t at = b->at < b->n ? b->at : 0;

	put_be64(key, b->account);
	put_be64(key + 8, b->message);
	buf_addf(&text, "its body %s: segment %u, offset %u", how, b->locs[at].segment,
	    b->locs[at].offset);
	x.text = buf_cstr(&text);
	on_found(run, &x);
	if (run->rq.flags & FSCK_REPAIR) {
		state_fsck_mark_body(b->account, b->message, service_stamp(run->svc), &rows);
		tick_repair(run->svc, b->account, buf_span(&rows), NULL);
	}
	buf_fini(&rows);
	buf_fini(&text);
}

static void body_begin(struct body *b);

/* What is read may have been moved, or be gone, meanwhile. */
static void
body_failed(struct body *b, const char *how)
{
	struct buf locs = { 0 };
	enum status st = state_message_places(b->run->svc->state, b->account, b->message, &locs);
	bool same = st == ST_OK && locs.len == b->n * sizeof(*b->locs) &&
	    memcmp(locs.data, b->locs, locs.len) == 0;

	if (st == ST_OK && !same && b->tries++ < TRIES_MAX) {
		mem_free(&b->locs);
		b->n = locs.len / sizeof(*b->locs);
		b->locs = (void *)buf_take(&locs);
		body_begin(b);
		return;
	}
	buf_fini(&locs);
	if (same && state_fsck_still(b->run->svc->state, b->account, b->message, b->sha256))
		body_damaged(b, how);
	body_over(b);
}

static void
on_hashed(void *arg, const struct index_hash_result *r)
{
	struct body *b = arg;

	b->hashing = NULL;
	if (r->st == ST_OK && r->size == b->size && memcmp(r->sha256, b->sha256, 32) == 0) {
		b->run->bodies++;
		body_over(b);
	} else if (r->st == ST_OK) {
		body_failed(b, "has another hash than it had");
	} else if (r->st == ST_CORRUPT) {
		body_failed(b, "cannot be unpacked");
	} else {
		body_over(b);
	}
}

static void
body_hash(struct body *b)
{
	const struct index_what what = { .account = b->account, .locs = b->locs, .n_locs = b->n };

	b->hashing = index_hash(b->run->svc, &what, on_hashed, b);
	b->waiting = b->hashing == NULL;
}

static void
on_read(struct reader_job *job, void *arg)
{
	struct body *b = arg;
	enum status st = job->status;

	reader_job_free(&b->reading);
	if (b->run == NULL || b->run->svc->closing || b->run->svc->dead) {
		body_free(b);
	} else if (st != ST_OK) {
		body_failed(b, "cannot be read");
	} else if (++b->at < b->n) {
		body_begin(b);
	} else {
		b->at = 0;
		body_hash(b);
	}
}

/* Reads the next piece; its record's CRC tells whether it is what was written. */
static void
body_begin(struct body *b)
{
	struct reader_job *job = mem_zalloc(sizeof(*job));

	if (b->at >= b->n)
		b->at = 0;
	job->runs = mem_array(1, sizeof(*job->runs));
	job->n_runs = 1;
	job->runs[0].loc = b->locs[b->at];
	job->data = mem_alloc(b->locs[b->at].length > 0 ? b->locs[b->at].length : 1);
	job->checked = true;
	job->done = on_read;
	job->arg = b;
	b->reading = job;
	readers_submit(b->run->svc->readers, job);
}

static bool
on_body(void *arg, uint64_t account, uint64_t message, const unsigned char sha256[32],
    uint64_t size, const struct journal_loc *locs, size_t n)
{
	struct fsck_run *run = arg;
	uint64_t rate = run->rq.body_rate > 0 ? run->rq.body_rate : run->svc->cf.fsck_body_bytes;
	uint64_t ms = clock_mono_ms() - run->begun_ms;
	struct body *b;

	if (run->n_jobs >= BODIES_MAX || run->body_bytes / rate > ms / 1000)
		return false;
	if (n == 0)
		return true;
	b = mem_zalloc(sizeof(*b));
	*b = (struct body){ .run = run, .account = account, .message = message, .size = size,
		.n = n };
	memcpy(b->sha256, sha256, sizeof(b->sha256));
	b->locs = mem_array(n, sizeof(*b->locs));
	memcpy(b->locs, locs, n * sizeof(*b->locs));
	for (size_t i = 0; i < n; i++)
		run->body_bytes += locs[i].length;
	list_push_back(&run->jobs, &b->node);
	run->n_jobs++;
	body_begin(b);
	return true;
}

static void
bodies_go_on(struct fsck_run *run)
{
	struct list *n, *tmp;

	list_each(n, tmp, &run->jobs) {
		struct body *b = list_entry(n, struct body, node);

		if (b->waiting)
			body_hash(b);
	}
}

/* ---- its end ---- */

static void
release(struct service *svc)
{
	if (!svc->hold)
		return;
	svc->hold = false;
	loop_task_post(svc->tick_task);
}

static void
run_free(struct fsck_run *run)
{
	struct service *svc = run->svc;
	struct list *n, *tmp;

	release(svc);
	svc->fsck = NULL;
	fsck_texts_cancel(&run->texts);
	list_each(n, tmp, &run->jobs) {
		struct body *b = list_entry(n, struct body, node);

		if (b->reading == NULL) {
			body_free(b);
			continue;
		}
		list_remove(&b->node);
		b->run = NULL;		/* freed when it was read */
	}
	state_fsck_free(&run->f);
	loop_timer_free(&run->timer);
	mem_free(&run->segments);
	buf_fini(&run->found);
	buf_fini(&run->roots);
	mem_free(&run);
}

static void
end(struct fsck_run *run, enum status st)
{
	struct service *svc = run->svc;
	struct store_fsck_is is;
	bool rebuild = (run->rq.flags & FSCK_REBUILD) && st == ST_OK;

	fill(run, &is);
	LOG(NULL, INFO, "fsck.end", KV_UINT("shard", svc->cf.shard), KV_UINT("wrong", run->wrong),
	    KV_UINT("mended", run->mended), KV_UINT("bodies", run->bodies), KV_STATUS(st));
	if (run->peer != NULL)
		ipc_reply(run->peer->ipc, &run->head, st, st == ST_OK ? STORE_FSCK_IS : 0,
		    st == ST_OK ? &is : NULL);
	if (rebuild && run->peer != NULL)
		ipc_flush(run->peer->ipc, 200);
	run_free(run);
	if (rebuild) {
		svc->set_aside = true;
		service_die(svc, "an administrator wants the applied state made anew", ST_OK);
	}
}

void
fsck_peer_gone(struct peer *p)
{
	struct fsck_run *run = p->svc->fsck;

	if (run == NULL || run->peer != p)
		return;
	run->peer = NULL;
	end(run, ST_CANCELLED);
}

void
fsck_stop(struct service *svc)
{
	if (svc->fsck != NULL)
		run_free(svc->fsck);
}

/* ---- pieces ---- */

static void
on_mended(struct request *rq, const struct state_result *res)
{
	struct service *svc = rq->svc;
	struct fsck_run *run = svc->fsck;

	if (run == NULL || svc->closing || svc->dead)
		return;
	run->mending = false;
	if (res->status != ST_OK)
		run->st = res->status;
	opened_fini(svc);		/* lists of uids that are kept may have come from what was wrong */
	loop_timer_set(run->timer, 0);
}

static void
rest(struct fsck_run *run, uint64_t us)
{
	uint32_t share = run->rq.share > 0 ? run->rq.share : run->svc->cf.fsck_share;
	uint64_t ms;

	if (service_asked(run->svc, &run->asked))
		share = share / BUSY_PART > 0 ? share / BUSY_PART : 1;
	ms = us * (100 - share) / share / 1000;
	loop_timer_set(run->timer, ms);
}

static void
hold(struct fsck_run *run)
{
	run->svc->hold = true;
	loop_timer_set(run->timer, journal_flush_running(run->svc->journal) ? 1 : 0);
}

static void
mend(struct fsck_run *run)
{
	struct service *svc = run->svc;

	run->mending = true;
	svc->hold = false;
	tick_repair(svc, 0, state_fsck_mend(run->f), on_mended);
}

static void
walked(struct fsck_run *run)
{
	run->walked = true;
	if (run->n_jobs == 0 && run->texts == NULL)
		end(run, run->st);
	else
		loop_timer_set(run->timer, WAIT_MS);
}

static void
step(struct fsck_run *run)
{
	struct service *svc = run->svc;
	uint64_t begun = clock_mono_us();
	bool quiet = svc->hold && !journal_flush_running(svc->journal);
	enum fsck_step what;

	if (svc->hold && !quiet) {
		hold(run);
		return;
	}
	what = state_fsck_step(run->f, PIECE_US, quiet);
	if (what != FSCK_MEND && what != FSCK_HOLD)
		release(svc);
	tell(run, false);
	switch (what) {
	case FSCK_MORE:
		rest(run, clock_mono_us() - begun);
		break;
	case FSCK_WAIT:
		loop_timer_set(run->timer, run->n_jobs > 0 ? BODY_WAIT_MS : WAIT_MS);
		break;
	case FSCK_HOLD:
		hold(run);
		break;
	case FSCK_MEND:
		mend(run);
		break;
	case FSCK_DONE:
		walked(run);
		break;
	case FSCK_FAILED:
		end(run, service_judge(svc, state_fsck_status(run->f), "fsck"));
		break;
	}
}

static void
on_timer(void *arg)
{
	struct fsck_run *run = arg;
	struct service *svc = run->svc;

	if (svc->dead || svc->closing || run->mending)
		return;
	if (ipc_is_cancelled(run->peer->ipc, run->head.req)) {
		end(run, ST_CANCELLED);
		return;
	}
	if (run->st != ST_OK) {
		end(run, run->st);
		return;
	}
	bodies_go_on(run);
	tell(run, false);
	if (ipc_out_full(run->peer->ipc))
		loop_timer_set(run->timer, WAIT_MS * 10);
	else if (run->walked)
		walked(run);
	else
		step(run);
}

void
fsck_start(struct peer *p, const struct ipc_head *h, const struct store_fsck *msg)
{
	struct service *svc = p->svc;
	struct fsck_run *run;
	struct fsck_opts o = { .account = msg->account, .check = msg->flags & FSCK_CHECK,
		.roots = msg->flags & FSCK_ROOTS, .repair = msg->flags & FSCK_REPAIR,
		.place = on_place, .found = on_found, .root = on_root };

	if (svc->fsck != NULL) {
		ipc_reply(p->ipc, h, ST_CONFLICT, 0, NULL);
		return;
	}
	run = mem_zalloc(sizeof(*run));
	run->svc = svc;
	run->peer = p;
	run->head = *h;
	run->rq = *msg;
	run->begun_ms = run->told_ms = clock_mono_ms();
	list_init(&run->jobs);
	o.body = msg->flags & FSCK_BODIES ? on_body : NULL;
	o.arg = run;
	run->f = state_fsck_new(svc->state, &o);
	run->timer = loop_timer_new(svc->loop, on_timer, run);
	svc->fsck = run;
	if (msg->flags & FSCK_BODIES)
		run->texts = fsck_texts_start(svc, msg->account, on_texts, run);
	loop_timer_set(run->timer, 0);
}
