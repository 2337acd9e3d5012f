/* Puts the rows together that growth and deletion left in half empty pages (storage/state/compact.h).
 *
 * A walk begins once in compact-time.  It goes in pieces of PIECE_US between everybody's
 * requests, in the thread that applies operations and so never beside one, and rests as many times as long as
 * compact-share says.  Then, at a quiet moment, tables that are empty to a good part are made
 * smaller by the thread of low priority. */
#include "storage/service/service_priv.h"

#include "common/util/clock.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/state/compact.h"

#define PIECE_US	1000u
#define REST_MAX_MS	5000u
#define ALONE		10u		/* times compact-share, when nobody asks for anything */
#define LOOK_MS		60000u		/* is one due? */
#define SAVE_MS		10000u		/* where it is, for the next process */
#define QUIET_MS	1000u		/* looked at, for a quiet moment */
#define QUIET_OPS	20u		/* in so long: nobody is busy */
#define QUIET_LOOKS	3600u		/* then the tables stay as they are */

enum phase { RESTING, WALKING, WAITING, SHRINKING };

struct compact {
	struct service		*svc;
	struct loop_timer	*timer;
	enum phase		phase;
	int64_t			begun_s;	/* the last walk */
	uint64_t		saved_ms, waited, ops;	/* WAITING: looks; n_ops at the last */
	struct state_compact	walk;
	uint64_t		asked;		/* service_asked() */
	enum status		shrunk;		/* what the thread came to */
	uint64_t		pages_back;	/* by it */
	struct engine_compacted did;		/* of earlier walks */
	uint64_t		accounts, pieces, busy_us, piece_us_max, walks, back;
};

static void
rest(struct compact *c, uint64_t us)
{
	unsigned share = c->svc->cf.compact_share > 0 ? c->svc->cf.compact_share : 1;
	uint64_t ms;

	if (!service_asked(c->svc, &c->asked))
		share = share < 100 / ALONE ? share * ALONE : 100;
	ms = us * (100 - share) / share / 1000;

	loop_timer_set(c->timer, ms < 1 ? 1 : ms < REST_MAX_MS ? ms : REST_MAX_MS);
}

/* How long until somebody looks whether one is due. */
static void
sleep_on(struct compact *c)
{
	uint64_t ms = (uint64_t)c->svc->cf.compact_s * 1000;

	c->phase = RESTING;
	loop_timer_set(c->timer, ms > 0 && ms < LOOK_MS ? ms : LOOK_MS);
}

static void
save(struct compact *c)
{
	c->saved_ms = clock_mono_ms();
	(void)service_judge(c->svc, state_compact_save(c->svc->state, c->begun_s, &c->walk),
	    "compact");
}

static void
on_look(struct compact *c)
{
	int64_t age = clock_wall_s() - c->begun_s;

	if (c->svc->cf.compact_s == 0 || (age >= 0 && age < c->svc->cf.compact_s)) {
		sleep_on(c);
		return;
	}
	state_compact_fini(&c->walk);
	c->walk = (struct state_compact){ 0 };
	c->begun_s = clock_wall_s();
	c->phase = WALKING;
	c->walks++;
	loop_timer_set(c->timer, 1);
}

static void
walk_over(struct compact *c)
{
	struct engine_compacted *d = &c->walk.did;

	LOG(NULL, INFO, "compact", KV_UINT("shard", c->svc->cf.shard),
	    KV_UINT("accounts", c->walk.accounts), KV_UINT("pages", d->pages),
	    KV_UINT("freed", d->freed));
	c->did.windows += d->windows;
	c->did.closed += d->closed;
	c->did.pages += d->pages;
	c->did.freed += d->freed;
	c->accounts += c->walk.accounts;
	*d = (struct engine_compacted){ 0 };
	c->walk.accounts = 0;
	c->waited = 0;
	c->ops = c->svc->n_ops;
	c->phase = WAITING;
	loop_timer_set(c->timer, QUIET_MS);
}

static void
on_walk(struct compact *c)
{
	uint64_t us = clock_mono_us();
	bool more = false;
	enum status st = service_judge(c->svc, state_compact(c->svc->state, &c->walk, PIECE_US,
	    &more), "compact");

	us = clock_mono_us() - us;
	c->pieces++;
	c->busy_us += us;
	c->piece_us_max = us > c->piece_us_max ? us : c->piece_us_max;
	if (c->svc->dead)
		return;
	if (!more || clock_mono_ms() - c->saved_ms >= SAVE_MS)
		save(c);
	if (c->svc->dead)
		return;
	if (st != ST_OK)		/* the disk is full: another day */
		sleep_on(c);
	else if (more)
		rest(c, us);
	else
		walk_over(c);
}

/* In the thread. */
static void
shrink(void *arg)
{
	struct compact *c = arg;
	struct service *svc = c->svc;

	c->shrunk = ST_OK;
	c->pages_back = 0;
	for (size_t t = 0; t < state_n_tables && c->shrunk == ST_OK; t++) {
		uint64_t n = 0;

		if (background_stopping(svc->background))
			return;
		c->shrunk = engine_shrink(svc->engine, (unsigned)t, &n);
		c->pages_back += n;
		background_pace(svc->background);
	}
}

static void
on_shrunk(void *arg, bool ran)
{
	struct compact *c = arg;

	if (!ran || c->svc->closing || c->svc->dead)
		return;
	(void)service_judge(c->svc, c->shrunk, "shrink");
	c->back += c->pages_back;
	if (!c->svc->dead)
		sleep_on(c);
}

static void
on_wait(struct compact *c)
{
	uint64_t ops = c->svc->n_ops - c->ops;

	c->ops = c->svc->n_ops;
	if (++c->waited > QUIET_LOOKS) {
		sleep_on(c);
	} else if (ops >= QUIET_OPS || copies_making(c->svc)) {
		loop_timer_set(c->timer, QUIET_MS);
	} else {
		c->phase = SHRINKING;
		background_submit(c->svc->background, shrink, on_shrunk, c);
	}
}

static void
on_timer(void *arg)
{
	struct compact *c = arg;

	if (c->svc->dead || c->svc->closing)
		return;
	switch (c->phase) {
	case RESTING:
		on_look(c);
		break;
	case WALKING:
		on_walk(c);
		break;
	case WAITING:
		on_wait(c);
		break;
	case SHRINKING:
		break;
	}
}

void
compact_start(struct service *svc)
{
	struct compact *c = mem_zalloc(sizeof(*c));

	c->svc = svc;
	c->saved_ms = clock_mono_ms();
	c->timer = loop_timer_new(svc->loop, on_timer, c);
	svc->compact = c;
	(void)service_judge(svc, state_compact_load(svc->state, &c->begun_s, &c->walk), "compact");
	sleep_on(c);
	/* One that a process left in the middle goes on. */
	if (c->begun_s > 0 && c->walk.account != UINT64_MAX && svc->cf.compact_s > 0)
		c->phase = WALKING;
}

void
compact_wanted(struct service *svc)
{
	if (svc->compact->phase == RESTING)
		sleep_on(svc->compact);
}

void
compact_stop(struct service *svc)
{
	struct compact *c = svc->compact;

	loop_timer_free(&c->timer);
	if (c->phase == WALKING && !svc->dead)
		save(c);
}

void
compact_free(struct service *svc)
{
	struct compact *c = svc->compact;

	svc->compact = NULL;
	if (c == NULL)
		return;
	loop_timer_free(&c->timer);
	state_compact_fini(&c->walk);
	mem_free(&c);
}

void
compact_stats(const struct service *svc, struct buf *out)
{
	static const char *const phases[] = { "none", "walk", "wait", "shrink" };
	const struct compact *c = svc->compact;
	const struct engine_compacted *d = &c->walk.did;

	buf_addf(out, "compact_now=%s\ncompact_last_s=%lld\n", phases[c->phase],
	    (long long)c->begun_s);
#define COUNT(name, v) buf_addf(out, "compact_" name "=%llu\n", (unsigned long long)(v))
	COUNT("walks", c->walks);
	COUNT("accounts", c->accounts + c->walk.accounts);
	COUNT("pieces", c->pieces);
	COUNT("busy_ms", c->busy_us / 1000);
	COUNT("piece_us_max", c->piece_us_max);
	COUNT("windows", c->did.windows + d->windows);
	COUNT("windows_closed", c->did.closed + d->closed);
	COUNT("pages", c->did.pages + d->pages);
	COUNT("pages_freed", c->did.freed + d->freed);
	COUNT("pages_given_back", c->back);
#undef COUNT
}
