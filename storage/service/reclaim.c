#include "storage/service/reclaim.h"

#include <stdlib.h>

#include "common/util/clock.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/service/live.h"
#include "storage/service/record.h"
#include "storage/service/service_priv.h"

#define LOOK_MS		5000u		/* is there room? */
#define TIRED_MS	(10 * 60000u)	/* after a squeeze that freed nothing */
#define VICTIMS		16u		/* segments emptied in one round */
#define MOVES		65536u		/* pieces moved in one round */
#define BATCH_BYTES	(256u << 10)
#define BATCH_PIECES	64u
#define REST_PIECES	256u		/* the walk pauses after so many */
#define SQUEEZE_STEPS	8		/* in which what is kept for undelete goes */

enum { IDLE, COUNTING, COLLECTING, MOVING };

struct reclaim {
	struct loop_timer	*look, *pace;
	unsigned		stage;
	bool			again;		/* a round was asked for meanwhile */
	bool			tight;		/* this round was begun for want of space */
	bool			blocked;	/* what could go waits for a copy */
	struct live		live;		/* as counted last */
	uint32_t		trusted;	/* nothing new can refer to segments below */
	uint64_t		lsn;		/* the applied state is safe up to it */
	uint32_t		victims[VICTIMS];
	size_t			n_victims;
	struct buf		moves;		/* struct op_move... */
	size_t			at;		/* of them, the next one */
	uint64_t		round_freed, round_moved;
	struct table		times;		/* segment -> when its last operation was made, + 1 */
	int64_t			oldest_ms;	/* of what the squeeze began with */
	unsigned		squeezed;	/* steps of it */
	uint64_t		squeeze_round;
	bool			asked;		/* for a copy, since the last step */
	bool			looked;		/* a round was made since the last one */
	uint64_t		tired_until_ms;
	struct reclaim_counts	counts;
};

/* ---- walking, in the thread ---- */

struct walk {
	struct service	*svc;
	uint32_t	victims[VICTIMS];
	size_t		n_victims;
	uint32_t	trusted;
	uint64_t	lsn, pieces;
	struct live	live;
	struct buf	moves;
	enum status	st;
};

static enum status
see_piece(void *arg, uint64_t extent, uint32_t index, const struct journal_loc *loc)
{
	const struct op_move m = { extent, index, loc->segment, loc->offset, loc->length };
	struct walk *w = arg;

	live_add(&w->live, loc->segment, loc->length);
	for (size_t i = 0; i < w->n_victims; i++)
		if (w->victims[i] == loc->segment && w->moves.len < MOVES * sizeof(m))
			buf_add(&w->moves, &m, sizeof(m));
	if (++w->pieces % REST_PIECES == 0)
		background_pace(w->svc->background);
	return background_stopping(w->svc->background) ? ST_CANCELLED : ST_OK;
}

/* The state's place on the disk is made as late as what is seen, so that a crash does not take
 * it back to where a released segment was needed. */
static void
run_walk(void *arg)
{
	struct walk *w = arg;

	w->st = engine_checkpoint(w->svc->engine);
	if (w->st == ST_OK)
		w->st = state_pieces(w->svc->state, see_piece, w);
	live_sort(&w->live);
}

/* The lowest segment with a piece that no extent has yet, but may come to have. */
static uint32_t
lowest_pending(struct service *svc)
{
	uint32_t low = UINT32_MAX;
	struct journal_pos end;
	struct list *n, *tmp;

	journal_end(svc->journal, &end);
	list_each(n, tmp, &svc->peers) {
		struct peer *p = list_entry(n, struct peer, node);
		size_t at = 0, pos = 0;
		void *c, *v;

		while (table_next(&p->channels, &at, NULL, &c))
			for (pos = 0; table_next(&((struct channel *)c)->stages, &pos, NULL, &v);) {
				const struct stage *sg = v;
				const struct journal_loc *l = (const void *)sg->locs.data;

				for (size_t i = 0; i < sg->locs.len / sizeof(*l); i++)
					low = l[i].segment < low ? l[i].segment : low;
			}
	}
	list_each(n, tmp, &svc->tick) {
		const struct request *rq = list_entry(n, struct request, node);
		const struct journal_loc *l = (const void *)rq->locs.data;

		for (size_t i = 0; i < rq->locs.len / sizeof(*l); i++)
			low = l[i].segment < low ? l[i].segment : low;
	}
	return end.segment < low ? end.segment : low;
}

static void on_counted(void *arg, bool ran);
static void on_collected(void *arg, bool ran);

static void
start_walk(struct service *svc, unsigned stage)
{
	struct reclaim *r = svc->reclaim;
	struct walk *w = mem_zalloc(sizeof(*w));
	struct journal_pos at;

	state_position(svc->state, &at);
	w->svc = svc;
	w->lsn = at.lsn;
	w->trusted = lowest_pending(svc);
	w->n_victims = stage == COLLECTING ? r->n_victims : 0;
	memcpy(w->victims, r->victims, sizeof(w->victims));
	r->stage = stage;
	background_submit(svc->background, run_walk, stage == COLLECTING ? on_collected :
	    on_counted, w);
}

/* Takes the result over; false: there is none. */
static bool
end_walk(struct walk *w, bool ran)
{
	struct reclaim *r = w->svc->reclaim;
	bool good = ran && w->st == ST_OK && !w->svc->closing && !w->svc->dead;

	if (good) {
		live_fini(&r->live);
		r->live = w->live;
		w->live = (struct live){ 0 };
		r->trusted = w->trusted;
		r->lsn = w->lsn;
		r->counts.live_bytes = live_bytes(&r->live);
		buf_fini(&r->moves);
		r->moves = w->moves;
		w->moves = (struct buf){ 0 };
		r->at = 0;
	} else if (ran && !w->svc->closing) {
		(void)service_judge(w->svc, w->st, "extents");
	}
	live_fini(&w->live);
	buf_fini(&w->moves);
	mem_free(&w);
	return good;
}

/* ---- how old ---- */

static enum status
first_op(const struct journal_record *rec, void *arg)
{
	struct buf locs = { 0 };
	struct op op;
	size_t n;

	if (rec->type != JOURNAL_OP || !record_op_get(rec->payload, &op, &locs, &n)) {
		buf_fini(&locs);
		return ST_OK;
	}
	*(int64_t *)arg = op.head.time_ms;
	buf_fini(&locs);
	return ST_CANCELLED;
}

/* When the first operation behind this segment was made: all of its own are older.  0: there is
 * none yet. */
static int64_t
ended_ms(struct service *svc, const struct journal_segment *next)
{
	struct reclaim *r = svc->reclaim;
	const struct journal_pos from = { .lsn = next->first_lsn - 1,
		.tick_lsn = next->first_lsn, .segment = next->segment, .offset = 4096 };
	void *known = table_get_u64(&r->times, next->segment);
	int64_t ms = 0;

	if (known != NULL)
		return (int64_t)(intptr_t)known;
	(void)journal_replay(svc->journal, &from, first_op, &ms, NULL);
	if (ms > 0)
		(void)table_put_u64(&r->times, next->segment, (void *)(intptr_t)ms);
	return ms;
}

static bool
old_enough(struct service *svc, const struct journal_segment *next)
{
	int64_t ms = svc->reclaim->tight ? 1 : ended_ms(svc, next);

	return ms > 0 && (svc->reclaim->tight ||
	    ms < clock_wall_ms() - (int64_t)svc->cf.undelete_s * 1000);
}

/* ---- letting go ---- */

static size_t
copies_needed(const struct service *svc)
{
	return svc->reclaim->tight ? 1 : svc->cf.copies;
}

static void
release(struct service *svc, const struct journal_segment *s)
{
	struct reclaim *r = svc->reclaim;
	enum status st;

	if (readers_use(svc->readers, s->segment))
		return;
	if (svc->cf.step != NULL && !svc->cf.step(svc->cf.step_arg))
		return;
	st = journal_segment_release(svc->journal, s->segment);
	if (st == ST_OK) {
		r->counts.released++;
		r->round_freed++;
		LOG(NULL, INFO, "segment.released", KV_UINT("shard", svc->cf.shard),
		    KV_UINT("segment", s->segment), KV_UINT("bytes", s->bytes));
	} else if (st != ST_CONFLICT) {
		LOG(NULL, ERROR, "segment.release", KV_UINT("shard", svc->cf.shard),
		    KV_UINT("segment", s->segment), KV_STATUS(st));
	}
}

/* Could the segment go, if nothing lived in it? */
static bool
is_over(struct service *svc, const struct journal_segment *s)
{
	const struct reclaim *r = svc->reclaim;

	return !s->writing && s->segment < r->trusted && s[1].first_lsn - 1 <= r->lsn &&
	    old_enough(svc, &s[1]);
}

/* Lets go what may; the rest that is worth it becomes the victims. */
static void
sort_out(struct service *svc)
{
	struct reclaim *r = svc->reclaim;
	struct journal_segment *all;
	uint64_t least[VICTIMS];
	size_t n;

	journal_segments(svc->journal, &all, &n);
	r->n_victims = 0;
	r->blocked = false;
	for (size_t i = 0; i + 1 < n; i++) {
		const struct live_segment *live = live_get(&r->live, all[i].segment);
		uint64_t last = all[i + 1].first_lsn - 1;
		size_t at = r->n_victims;

		if (!is_over(svc, &all[i]))
			continue;
		if (live == NULL && copies_spare(svc, all[i].segment, last, copies_needed(svc))) {
			release(svc, &all[i]);
			continue;
		}
		r->blocked |= live == NULL;
		/* What is moved before its segment can go takes room twice. */
		if (live == NULL || live->bytes * 100 >=
		    (uint64_t)all[i].bytes * svc->cf.reclaim_share ||
		    (!r->tight && !copies_hold(svc, last, copies_needed(svc))))
			continue;
		/* The deadest first. */
		for (; at > 0 && least[at - 1] > live->bytes; at--)
			if (at < VICTIMS) {
				least[at] = least[at - 1];
				r->victims[at] = r->victims[at - 1];
			}
		if (at < VICTIMS) {
			least[at] = live->bytes;
			r->victims[at] = all[i].segment;
			r->n_victims += r->n_victims < VICTIMS;
		}
	}
	mem_free(&all);
}

static void
end_round(struct service *svc)
{
	struct reclaim *r = svc->reclaim;

	r->stage = IDLE;
	buf_fini(&r->moves);
	if (svc->closing || svc->dead)
		return;
	/* What was moved, and what is dead already, can go when a copy does not need it. */
	if (r->tight && !r->asked && (r->round_moved > 0 || r->blocked)) {
		r->asked = true;
		copies_shrink(svc);
		copies_make(svc, NULL, NULL);
	}
	if (r->again)
		reclaim_round(svc);
}

static void
on_counted(void *arg, bool ran)
{
	struct walk *w = arg;
	struct service *svc = w->svc;

	if (!end_walk(w, ran)) {
		end_round(svc);
		return;
	}
	sort_out(svc);
	if (svc->reclaim->n_victims > 0)
		start_walk(svc, COLLECTING);
	else
		end_round(svc);
}

/* ---- moving ---- */

struct batch {
	struct service	*svc;
	struct buf	moves, bodies;	/* encoded */
	const struct op_move *v;
	size_t		n;
	uint64_t	bytes;
	unsigned	bad;
};

static void move_on(struct service *svc);

static void
run_batch(void *arg)
{
	struct batch *b = arg;
	struct buf body = { 0 };

	for (size_t i = 0; i < b->n; i++) {
		const struct op_move *m = &b->v[i];
		const struct journal_loc loc = { m->segment, m->offset, m->length };

		buf_clear(&body);
		if (journal_read_checked(b->svc->journal, loc, buf_reserve(&body, m->length)) !=
		    ST_OK) {
			b->bad++;
			LOG(NULL, ERROR, "reclaim.damaged", KV_UINT("shard", b->svc->cf.shard),
			    KV_HEX("extent", m->extent), KV_UINT("segment", m->segment),
			    KV_UINT("offset", m->offset));
			continue;
		}
		buf_added(&body, m->length);
		put_op_move(&b->moves, m);
		put_span(&b->bodies, buf_span(&body));
		b->bytes += m->length;
	}
	buf_fini(&body);
}

static void
on_moved(struct request *rq, const struct state_result *res)
{
	struct service *svc = rq->svc;
	struct reclaim *r = svc->reclaim;

	if (svc->closing || svc->dead)
		return;
	if (res->status != ST_OK) {
		LOG(NULL, WARN, "reclaim.stopped", KV_UINT("shard", svc->cf.shard),
		    KV_STATUS(res->status));
		end_round(svc);
		return;
	}
	r->counts.moved_pieces += res->uid;
	r->counts.moved_bytes += rq->body.len;
	r->round_moved += res->uid;
	loop_timer_set(r->pace, (uint64_t)rq->body.len * 1000 / (svc->cf.reclaim_rate > 0 ?
	    svc->cf.reclaim_rate : 1));
}

static void
on_batch(void *arg, bool ran)
{
	struct batch *b = arg;
	struct service *svc = b->svc;
	struct op op = { .kind = OP_RELOCATE };

	svc->reclaim->counts.damaged += b->bad;
	if (!ran || svc->closing || svc->dead)
		end_round(svc);
	else if (b->moves.len == 0)
		move_on(svc);
	else
		tick_own_bodies(svc, &op, &b->moves, &b->bodies, on_moved);
	buf_fini(&b->moves);
	buf_fini(&b->bodies);
	mem_free(&b);
}

/* The next few pieces; below the line, only while the segment at hand takes them. */
static void
move_on(struct service *svc)
{
	struct reclaim *r = svc->reclaim;
	const struct op_move *all = (const void *)r->moves.data;
	size_t n = r->moves.len / sizeof(*all), to = r->at;
	struct batch *b;
	uint64_t bytes = 0;

	while (to < n && to - r->at < BATCH_PIECES && (to == r->at ||
	    bytes + all[to].length <= BATCH_BYTES))
		bytes += all[to++].length;
	if (to == r->at || (!r->tight && !journal_has_room(svc->journal, bytes)) ||
	    !journal_can_change(svc->journal)) {
		end_round(svc);
		return;
	}
	b = mem_zalloc(sizeof(*b));
	b->svc = svc;
	b->v = all + r->at;
	b->n = to - r->at;
	r->at = to;
	background_submit(svc->background, run_batch, on_batch, b);
}

static void
on_collected(void *arg, bool ran)
{
	struct walk *w = arg;
	struct service *svc = w->svc;

	if (!end_walk(w, ran)) {
		end_round(svc);
		return;
	}
	svc->reclaim->stage = MOVING;
	move_on(svc);
}

static void
on_pace(void *arg)
{
	move_on(arg);
}

/* ---- rounds ---- */

void
reclaim_round(struct service *svc)
{
	struct reclaim *r = svc->reclaim;

	if (r == NULL || svc->closing || svc->dead)
		return;
	r->again = r->stage != IDLE;
	if (r->again)
		return;
	r->tight = !journal_has_room(svc->journal, 0);
	r->round_freed = r->round_moved = 0;
	r->counts.rounds++;
	start_walk(svc, COUNTING);
}

/* Where what is kept for undelete begins. */
static int64_t
find_oldest(struct service *svc)
{
	struct state_account a = { 0 };
	int64_t least = clock_wall_ms(), ms;

	while (state_account_next(svc->state, a.id, &a) == ST_OK) {
		if (a.purged)
			continue;
		if (a.deleted_ms != 0 && a.deleted_ms < least)
			least = a.deleted_ms;
		if (state_history_oldest(svc->state, a.id, &ms) == ST_OK && ms < least)
			least = ms;
	}
	return least;
}

static void
drop_aside(struct service *svc)
{
	struct buf db = { 0 };

	buf_addf(&db, "%s/db", svc->dir);
	(void)engine_drop_aside(buf_cstr(&db));
	buf_fini(&db);
}

/* A step further; false: nothing is left. */
static bool
squeeze(struct service *svc)
{
	struct reclaim *r = svc->reclaim;
	int64_t now = clock_wall_ms();

	if (r->squeezed == 0) {
		r->oldest_ms = find_oldest(svc);
		drop_aside(svc);
		journal_drop_free(svc->journal);
	}
	if (r->squeezed >= SQUEEZE_STEPS)
		return false;
	r->squeezed++;
	r->asked = false;
	svc->squeeze_ms = r->oldest_ms + (now - r->oldest_ms) / SQUEEZE_STEPS * r->squeezed + 1;
	if (r->squeezed == SQUEEZE_STEPS)
		svc->squeeze_ms = now;
	LOG(NULL, WARN, "store.squeeze", KV_UINT("shard", svc->cf.shard),
	    KV_INT("undelete_from", svc->squeeze_ms / 1000), KV_UINT("step", r->squeezed));
	r->squeeze_round = chores_squeeze(svc);
	return true;
}

static void
on_look(void *arg)
{
	struct service *svc = arg;
	struct reclaim *r = svc->reclaim;

	loop_timer_set(r->look, LOOK_MS);
	if (svc->dead || r->stage != IDLE || copies_making(svc) ||
	    (r->squeezed > 0 && !chores_squeezed(svc, r->squeeze_round)))
		return;
	if (journal_has_room(svc->journal, 0)) {
		r->squeezed = 0;
		svc->squeeze_ms = 0;
		r->tired_until_ms = 0;
		return;
	}
	if (clock_mono_ms() < r->tired_until_ms)
		return;
	/* What the last step made dead is looked at before the next one. */
	if (r->squeezed > 0 && !r->looked) {
		r->looked = true;
		reclaim_round(svc);
		return;
	}
	r->looked = false;
	if (!squeeze(svc)) {
		r->squeezed = 0;
		r->tired_until_ms = clock_mono_ms() + TIRED_MS;
	}
}

void
reclaim_start(struct service *svc)
{
	struct reclaim *r = mem_zalloc(sizeof(*r));

	svc->reclaim = r;
	r->look = loop_timer_new(svc->loop, on_look, svc);
	r->pace = loop_timer_new(svc->loop, on_pace, svc);
	loop_timer_set(r->look, LOOK_MS);
}

void
reclaim_stop(struct service *svc)
{
	struct reclaim *r = svc->reclaim;

	if (r == NULL)
		return;
	loop_timer_free(&r->look);
	loop_timer_free(&r->pace);
	live_fini(&r->live);
	buf_fini(&r->moves);
	table_fini(&r->times, NULL, NULL);
	mem_free(&svc->reclaim);
}

/* ---- asking ---- */

void
reclaim_counts(struct service *svc, struct reclaim_counts *c)
{
	*c = svc->reclaim->counts;
	c->busy = svc->reclaim->stage != IDLE;
}

void
reclaim_stats(struct service *svc, struct buf *out)
{
	const struct reclaim_counts *c = &svc->reclaim->counts;
	struct journal_segment *all;
	uint64_t bytes = 0;
	size_t n;

	journal_segments(svc->journal, &all, &n);
	for (size_t i = 0; i < n; i++)
		bytes += all[i].used;
	mem_free(&all);
#define COUNT(name, v) buf_addf(out, name "=%llu\n", (unsigned long long)(v))
	COUNT("segments", n);
	COUNT("segments_bytes", bytes);
	COUNT("bodies_live_bytes", c->live_bytes);
	COUNT("reclaim_rounds", c->rounds);
	COUNT("reclaim_moved_bytes", c->moved_bytes);
	COUNT("reclaim_moved_pieces", c->moved_pieces);
	COUNT("reclaim_released", c->released);
	COUNT("reclaim_damaged", c->damaged);
#undef COUNT
}
