/* What the store does by itself, behind everybody's requests: emptying deleted mailboxes, forgetting
 * history that is too old or too much, purging accounts after their undelete time, taking
 * messages away that their mailbox keeps no longer, giving up uploads, counting anew, forgetting remembered outcomes.
 *
 * One chore at a time, in rounds.  A chore goes in steps: it reads for about STEP_US, or has one
 * operation done, which changes some hundreds of rows, a thousand when a mailbox is purged; then it
 * rests DUTY times as long as that took, or DUTY_ALONE times when nobody asked for anything
 * meanwhile, so that less than one request in a hundred meets a step. */
#include "storage/service/service_priv.h"

#include <string.h>

#include "common/util/clock.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/state/emails.h"
#include "storage/state/housekeeping.h"
#include "storage/state/sieve.h"
#include "storage/state/undelete.h"

#define SOON_MS		1000u
#define HOUR_MS		3600000u
#define STEP_US		1000u
#define DUTY		200u
#define DUTY_ALONE	10u
#define REST_MAX_MS	5000u
#define ROWS		250u
#define LOOK_ROWS	16u		/* of a mailbox, to see whether anything there is old */
#define RECOUNT_ROWS	300u
#define MAILBOXES	64u		/* looked at in one go */
#define FORGET_OPS	64u		/* forgotten at once when too many bytes are kept */
#define ONCE_KEPT_MS	(7 * 86400 * (int64_t)1000)

enum step { STEP_DONE, STEP_MORE, STEP_OP };
enum { PURGE, KEPT, HISTORY, RETENTION, UPLOADS, SIEVE_KEYS, RECOUNT, OUTCOMES, CHORES };	/* CHORES: at rest */

struct chore_stats {
	int64_t		last_s;		/* when it began last */
	uint64_t	took_ms;	/* from then to its end, rests included */
	uint64_t	busy_us, ops, items;	/* since the process began */
};

struct chores {
	struct service		*svc;
	struct loop_timer	*timer;
	unsigned		at;
	bool			again, hurry;
	uint64_t		squeezed;	/* rounds of HISTORY after chores_squeeze() */
	uint64_t		begun_ms, since_us;	/* the chore; the step or operation */
	uint64_t		asked;			/* service_asked() */
	struct chore_stats	stats[CHORES];
	/* where the walk is */
	struct state_work	work;
	uint64_t		account, mailbox, horizon;
	bool			in_account;
	struct buf		by_path;	/* u64 mailbox, u32 seconds each */
	struct buf		uids;		/* of the operation under way */
	uint64_t		named;		/* how many */
	int64_t			recount_from_s, recount_to_s;
	struct state_recount	recount;
	unsigned char		from[OP_TICKET_LEN];
	uint64_t		n_differences, n_expired;
};

struct kind {
	const char	*name;
	enum step	(*step)(struct chores *c, struct op *op);
	void		(*done)(struct chores *c, const struct op *op, const struct state_result *res);
};

static bool
step_over(const struct chores *c)
{
	return clock_mono_us() - c->since_us > STEP_US;
}

/* The next account of the walk; false: that was the last, or it cannot be read. */
static bool
next_account(struct chores *c, struct state_account *a)
{
	if (service_judge(c->svc, state_account_next(c->svc->state, c->account, a), "chores") !=
	    ST_OK)
		return false;
	c->account = a->id;
	return true;
}

/* Deleted mailboxes ------------------------------------------------------------------- */

static enum step
purge_step(struct chores *c, struct op *op)
{
	struct state_work w;

	if (state_work_next(c->svc->state, &c->work, &w) != ST_OK)
		return STEP_DONE;
	op->kind = OP_MAILBOX_PURGE;
	op->head.account = w.account;
	op->u.mailbox_purge.mailbox = w.mailbox;
	return STEP_OP;
}

static void
purge_done(struct chores *c, const struct op *op, const struct state_result *res)
{
	if (res->status == ST_OK && res->more)
		return;
	/* Done with this one, or it will not go now: on to the next. */
	c->work = (struct state_work){ op->head.account, op->u.mailbox_purge.mailbox };
	c->stats[PURGE].items++;
}

/* What is kept for undelete, too long or too much ---------------------------------------- */

static enum step
kept_step(struct chores *c, struct op *op)
{
	const struct service_conf *cf = &c->svc->cf;
	int64_t before = clock_wall_ms() - (int64_t)cf->undelete_s * 1000, oldest;
	struct state_account a;

	while (!step_over(c)) {
		if (!next_account(c, &a))
			return STEP_DONE;
		if (a.kept_bytes > 0 && a.deleted_ms == 0 && !a.purged &&
		    state_undeleted_oldest(c->svc->state, a.id, &oldest) == ST_OK &&
		    (a.kept_bytes > cf->undelete_max_bytes || oldest < before / 1000)) {
			op->kind = OP_KEPT_PURGE;
			op->head.account = a.id;
			op->u.kept_purge = (struct op_kept_purge){ cf->undelete_max_bytes, before,
			    ROWS };
			return STEP_OP;
		}
	}
	return STEP_MORE;
}

static void
kept_done(struct chores *c, const struct op *op, const struct state_result *res)
{
	c->stats[KEPT].items++;
	if (res->status == ST_OK && res->more)
		c->account--;		/* the same one once more */
}

/* History, and accounts that nobody wants back ----------------------------------------- */

/* History older than this goes: by age, by number, by the bytes that only it keeps. */
static int64_t
forget_before(struct chores *c, const struct state_account *a, int64_t oldest)
{
	const struct service_conf *cf = &c->svc->cf;
	uint32_t kept_s = cf->history_s > cf->undelete_s ? cf->history_s : cf->undelete_s;
	int64_t before = clock_wall_ms() - (int64_t)kept_s * 1000, at;

	/* For want of space. */
	if (before < c->svc->squeeze_ms)
		before = c->svc->squeeze_ms;
	if (cf->history_max > 0 && a->modseq - a->horizon > cf->history_max &&
	    state_history_at(c->svc->state, a->id, a->modseq - cf->history_max, &at) == ST_OK &&
	    at > before)
		before = at;
	if (a->kept_bytes <= cf->undelete_max_bytes)
		return before;
	if (state_history_at(c->svc->state, a->id, a->horizon + FORGET_OPS, &at) != ST_OK ||
	    at <= oldest)
		at = oldest + 1;	/* few are left: one by one */
	return at > before ? at : before;
}

/* The next account that has something to forget. */
static enum step
history_step(struct chores *c, struct op *op)
{
	int64_t now = clock_wall_ms(), oldest, before;
	int64_t undelete = now - (int64_t)c->svc->cf.undelete_s * 1000;
	struct state_account a;

	if (undelete < c->svc->squeeze_ms)
		undelete = c->svc->squeeze_ms;
	while (!step_over(c)) {
		if (!next_account(c, &a))
			return STEP_DONE;
		op->head.account = a.id;
		if (a.deleted_ms != 0 && a.deleted_ms < undelete && !a.purged) {
			op->kind = OP_ACCOUNT_PURGE;
			return STEP_OP;
		}
		if (a.purged || state_history_oldest(c->svc->state, a.id, &oldest) != ST_OK)
			continue;
		before = forget_before(c, &a, oldest);
		c->horizon = a.horizon;
		if (oldest < before || oldest > now) {
			op->kind = OP_HISTORY_PURGE;
			op->u.history_purge = (struct op_history_purge){ before, ROWS };
			return STEP_OP;
		}
	}
	return STEP_MORE;
}

static void
history_done(struct chores *c, const struct op *op, const struct state_result *res)
{
	struct state_account a;

	c->stats[HISTORY].items++;
	if (res->status != ST_OK)
		return;
	if (op->kind == OP_ACCOUNT_PURGE && !res->more)
		texts_drop(c->svc->texts, op->head.account);
	/* Once more the same one: there is more, or still too many bytes. */
	if (res->more || (op->kind == OP_HISTORY_PURGE &&
	    state_account(c->svc->state, c->account, &a) == ST_OK &&
	    a.kept_bytes > c->svc->cf.undelete_max_bytes && a.horizon > c->horizon))
		c->account--;
}

/* Retention ----------------------------------------------------------------------------- */

/* The account's mailboxes that a rule names by path. */
static void
find_paths(struct chores *c)
{
	struct reader r;

	buf_clear(&c->by_path);
	reader_init(&r, c->svc->cf.retention_paths.data, c->svc->cf.retention_paths.len);
	while (r.p < r.end && !r.bad) {
		uint32_t seconds = get_u32(&r);
		struct span path = get_span(&r);
		uint64_t mailbox;

		if (!r.bad && state_find_mailbox(c->svc->state, c->account, path, &mailbox) == ST_OK) {
			put_u64(&c->by_path, mailbox);
			put_u32(&c->by_path, seconds);
		}
	}
}

/* Seconds that messages stay there, 0: for ever; *role: what that rests on. */
static uint32_t
rule_of(const struct chores *c, const struct state_mailbox_brief *m, uint8_t *role)
{
	const unsigned char *p = (const unsigned char *)c->by_path.data;

	*role = MAILBOX_ROLE_NONE;
	for (size_t i = 0; i + 12 <= c->by_path.len; i += 12)
		if (get_be64(p + i) == m->id)
			return get_be32(p + i + 8);
	if (m->role == MAILBOX_ROLE_NONE || m->role > MAILBOX_ROLE_MAX)
		return 0;
	*role = m->role;
	return c->svc->cf.retention_s[m->role];
}

/* true: op takes old messages of the mailbox away. */
static bool
retain(struct chores *c, const struct state_mailbox_brief *m, struct op *op)
{
	struct service *svc = c->svc;
	struct uidset uids = { 0 };
	uint8_t role;
	uint32_t seconds = rule_of(c, m, &role);
	int64_t before_s = clock_wall_s() - seconds;
	bool some = seconds > 0 && m->messages > 0 && state_saved_before(svc->state, c->account,
	    m->id, before_s, LOOK_ROWS, &uids) == ST_OK && uids.n > 0;

	uidset_clear(&uids);
	if (some && state_saved_before(svc->state, c->account, m->id, before_s, ROWS, &uids) ==
	    ST_OK && uids.n > 0) {
		buf_clear(&c->uids);
		uidset_encode(&uids, &c->uids);
		c->named = uidset_count(&uids);
		op->kind = OP_RETENTION;
		op->head.account = c->account;
		op->u.retention = (struct op_retention){ m->id, before_s, role,
		    buf_span(&c->uids) };
	}
	uidset_fini(&uids);
	return op->kind == OP_RETENTION;
}

static bool
has_rules(const struct service_conf *cf)
{
	for (size_t i = 0; i <= MAILBOX_ROLE_MAX; i++)
		if (cf->retention_s[i] > 0)
			return true;
	return cf->retention_paths.len > 0;
}

static enum step
retention_step(struct chores *c, struct op *op)
{
	struct state_mailbox_brief m;
	struct state_account a;
	enum status st;

	while (has_rules(&c->svc->cf) && !step_over(c)) {
		if (!c->in_account) {
			if (!next_account(c, &a))
				return STEP_DONE;
			c->in_account = a.deleted_ms == 0 && !a.purged;
			c->mailbox = 0;
			find_paths(c);
			continue;
		}
		st = state_mailbox_next(c->svc->state, c->account, c->mailbox, MAILBOXES, &m);
		c->mailbox = m.id;
		if (st == ST_OK && retain(c, &m, op))
			return STEP_OP;
		if (st != ST_OK && st != ST_LIMIT)
			c->in_account = false;
	}
	return has_rules(&c->svc->cf) ? STEP_MORE : STEP_DONE;
}

static void
retention_done(struct chores *c, const struct op *op, const struct state_result *res)
{
	if (res->status != ST_OK || !res->changed)
		return;
	c->stats[RETENTION].items += c->named;
	LOG(NULL, INFO, "retention", KV_UINT("account", op->head.account),
	    KV_UINT("mailbox", op->u.retention.mailbox), KV_UINT("messages", c->named));
	if (c->named == ROWS)
		c->mailbox--;		/* the same one again */
}

/* Uploads whose time is over ----------------------------------------------------------------- */

static enum step
uploads_step(struct chores *c, struct op *op)
{
	enum status st = state_blob_expired(c->svc->state, &c->account, &c->mailbox,
	    clock_wall_ms(), LOOK_ROWS * LOOK_ROWS);

	if (st == ST_LIMIT)
		return STEP_MORE;
	if (service_judge(c->svc, st, "uploads") != ST_OK)
		return STEP_DONE;
	op->kind = OP_BLOB_PURGE;
	op->head.account = c->account;
	op->u.blob_purge.rows = ROWS;
	return STEP_OP;
}

static void
uploads_done(struct chores *c, const struct op *op, const struct state_result *res)
{
	c->stats[UPLOADS].items++;
	if (res->status != ST_OK || !res->more)
		c->mailbox = UINT64_MAX;	/* on to the next account */
	else
		c->mailbox = 0;
}

/* What Sieve remembered for a time ------------------------------------------------------------ */

static enum step
keys_step(struct chores *c, struct op *op)
{
	struct state_account a;
	bool some;

	while (!step_over(c)) {
		if (!next_account(c, &a))
			return STEP_DONE;
		if (a.sieve_keys == 0 || a.deleted_ms != 0 || a.purged ||
		    state_sieve_keys_expired(c->svc->state, a.id, clock_wall_ms(), &some) != ST_OK ||
		    !some)
			continue;
		op->kind = OP_SIEVE_KEYS_PURGE;
		op->head.account = a.id;
		op->u.sieve_keys_purge.rows = ROWS;
		return STEP_OP;
	}
	return STEP_MORE;
}

static void
keys_done(struct chores *c, const struct op *op, const struct state_result *res)
{
	c->stats[SIEVE_KEYS].items++;
	if (res->status == ST_OK && res->more)
		c->account--;		/* the same one once more */
}

/* Counting anew ------------------------------------------------------------------------- */

/* Each account has its moment in recount_s; did it pass since the last round? */
static bool
recount_due(const struct chores *c, uint64_t account)
{
	uint64_t all = c->svc->cf.recount_s, slot = account * 0x9e3779b97f4a7c15u >> 16;
	int64_t passed = c->recount_to_s - c->recount_from_s;

	if (passed <= 0)
		return false;
	if ((uint64_t)passed >= all)
		return true;
	return (slot % all + all - (uint64_t)c->recount_from_s % all - 1) % all < (uint64_t)passed;
}

static void
recount_end(struct chores *c)
{
	struct span rest = buf_span(&c->recount.report);

	c->n_differences += c->recount.wrong;
	c->stats[RECOUNT].items++;
	while (rest.len > 0)
		LOG(NULL, WARN, "recount.differs", KV_UINT("shard", c->svc->cf.shard),
		    KV_UINT("account", c->recount.account), KV_SPAN("what", span_cut(&rest, '\n')));
	state_recount_fini(&c->recount);
	c->recount = (struct state_recount){ 0 };
}

static enum step
recount_step(struct chores *c, struct op *op)
{
	struct state_account a;
	enum status st;

	if (c->svc->cf.recount_s == 0)
		return STEP_DONE;
	while (!step_over(c)) {
		if (c->recount.account != 0) {
			st = service_judge(c->svc, state_recount(c->svc->state, &c->recount,
			    RECOUNT_ROWS), "recount");
			if (st != ST_OK || !c->recount.more)
				recount_end(c);
		} else if (!next_account(c, &a)) {
			return STEP_DONE;
		} else if (a.deleted_ms == 0 && !a.purged && recount_due(c, a.id)) {
			c->recount.account = a.id;
		}
	}
	return STEP_MORE;
}

/* Remembered outcomes --------------------------------------------------------------------- */

static enum step
outcomes_step(struct chores *c, struct op *op)
{
	if (c->from[0] == 0xff && memcmp(c->from, c->from + 1, sizeof(c->from) - 1) == 0)
		return STEP_DONE;
	op->kind = OP_ONCE_PURGE;
	op->u.once_purge.before_ms = clock_wall_ms() - ONCE_KEPT_MS;
	op->u.once_purge.rows = ROWS;
	memcpy(op->u.once_purge.from, c->from, OP_TICKET_LEN);
	return STEP_OP;
}

static void
outcomes_done(struct chores *c, const struct op *op, const struct state_result *res)
{
	memcpy(c->from, res->next, OP_TICKET_LEN);
	if (res->status != ST_OK || !res->more)
		memset(c->from, 0xff, OP_TICKET_LEN);
}

/* Rounds ------------------------------------------------------------------------------------ */

static const struct kind kinds[CHORES] = {
	[PURGE] = { "purge", purge_step, purge_done },
	[KEPT] = { "kept", kept_step, kept_done },
	[HISTORY] = { "history", history_step, history_done },
	[RETENTION] = { "retention", retention_step, retention_done },
	[UPLOADS] = { "uploads", uploads_step, uploads_done },
	[SIEVE_KEYS] = { "sieve_keys", keys_step, keys_done },
	[RECOUNT] = { "recount", recount_step, NULL },
	[OUTCOMES] = { "outcomes", outcomes_step, outcomes_done },
};

static void
end_stages(struct service *svc)
{
	uint64_t id = 0;

	while (state_stage_next(svc->state, id, &id) == ST_OK) {
		const struct account *a = table_get_u64(&svc->accounts, id);

		if (a == NULL || !a->staging)
			tick_stage_end(svc, id);
	}
}

/* From the end of a round to the next one: an hour, not the same for all shards; less where a
 * rule counts in less. */
static uint64_t
pause_ms(const struct service *svc)
{
	uint64_t ms = HOUR_MS / 100 * (90 + svc->cf.shard % 20);
	struct reader r;

	for (size_t i = 0; i <= MAILBOX_ROLE_MAX; i++)
		if (svc->cf.retention_s[i] > 0 && svc->cf.retention_s[i] * 250ull < ms)
			ms = svc->cf.retention_s[i] * 250ull;
	reader_init(&r, svc->cf.retention_paths.data, svc->cf.retention_paths.len);
	while (r.p < r.end && !r.bad) {
		uint32_t s = get_u32(&r);

		if (s > 0 && s * 250ull < ms)
			ms = s * 250ull;
		(void)get_span(&r);
	}
	if (svc->cf.recount_s > 0 && svc->cf.recount_s * 1000ull < ms)
		ms = svc->cf.recount_s * 1000ull;
	if (svc->cf.staged_s * 1000ull < ms)
		ms = svc->cf.staged_s * 1000ull;
	return ms > SOON_MS ? ms : SOON_MS;
}

static void
begin(struct chores *c, unsigned chore)
{
	c->at = chore;
	c->account = c->mailbox = 0;
	c->in_account = false;
	c->work = (struct state_work){ 0 };
	memset(c->from, 0, sizeof(c->from));
	if (chore == CHORES) {
		loop_timer_set(c->timer, c->again ? SOON_MS : pause_ms(c->svc));
		c->again = false;
		return;
	}
	c->begun_ms = clock_mono_ms();
	c->stats[chore].last_s = clock_wall_s();
	if (chore == RECOUNT) {
		c->recount_from_s = c->recount_to_s;
		c->recount_to_s = clock_wall_s();
	}
	loop_timer_set(c->timer, 1);
}

/* So many times as long as the step took. */
static void
rest(struct chores *c)
{
	uint64_t us = clock_mono_us() - c->since_us;
	uint64_t ms = us * (service_asked(c->svc, &c->asked) ? DUTY : DUTY_ALONE) / 1000;

	c->stats[c->at].busy_us += us;
	loop_timer_set(c->timer, ms < 1 ? 1 : ms < REST_MAX_MS ? ms : REST_MAX_MS);
}

static void
chore_done(struct request *rq, const struct state_result *res)
{
	struct chores *c = rq->svc->chores;

	if (rq->svc->closing || rq->svc->dead || c->at == CHORES)
		return;
	c->stats[c->at].ops++;
	kinds[c->at].done(c, &rq->op, res);
	rest(c);
}

static void
on_timer(void *arg)
{
	struct chores *c = arg;
	struct op op = { 0 };

	if (c->svc->dead)
		return;
	if (c->at == CHORES) {
		tickets_age(c->svc);
		end_stages(c->svc);
		c->n_expired += stages_expire(c->svc);
		begin(c, 0);
		return;
	}
	if (c->hurry) {
		c->hurry = false;
		begin(c, HISTORY);
		return;
	}
	c->since_us = clock_mono_us();
	switch (kinds[c->at].step(c, &op)) {
	case STEP_OP:
		tick_own(c->svc, &op, chore_done);
		break;
	case STEP_MORE:
		rest(c);
		break;
	case STEP_DONE:
		c->stats[c->at].busy_us += clock_mono_us() - c->since_us;
		c->stats[c->at].took_ms = clock_mono_ms() - c->begun_ms;
		c->squeezed += c->at == HISTORY && !c->hurry;
		begin(c, c->at + 1);
		break;
	}
}

void
chores_start(struct service *svc)
{
	struct chores *c = mem_zalloc(sizeof(*c));

	c->svc = svc;
	c->at = CHORES;
	c->recount_to_s = clock_wall_s();
	c->timer = loop_timer_new(svc->loop, on_timer, c);
	svc->chores = c;
	/* Of a process that ended in the middle: before anybody asks for anything. */
	end_stages(svc);
	loop_timer_set(c->timer, SOON_MS);
}

/* Something to do came up. */
void
chores_wanted(struct service *svc)
{
	if (svc->chores->at == CHORES)
		loop_timer_set(svc->chores->timer, SOON_MS);
	else
		svc->chores->again = true;
}

uint64_t
chores_squeeze(struct service *svc)
{
	struct chores *c = svc->chores;

	c->hurry = true;
	if (c->at == CHORES)
		loop_timer_set(c->timer, 1);
	return c->squeezed + 1;
}

bool
chores_squeezed(const struct service *svc, uint64_t round)
{
	return svc->chores->squeezed >= round;
}

void
chores_stop(struct service *svc)
{
	loop_timer_free(&svc->chores->timer);
}

void
chores_free(struct service *svc)
{
	struct chores *c = svc->chores;

	svc->chores = NULL;
	if (c == NULL)
		return;
	loop_timer_free(&c->timer);
	state_recount_fini(&c->recount);
	buf_fini(&c->by_path);
	buf_fini(&c->uids);
	mem_free(&c);
}

void
chores_stats(const struct service *svc, struct buf *out)
{
	const struct chores *c = svc->chores;

	buf_addf(out, "chore_now=%s\n", c->at == CHORES ? "none" : kinds[c->at].name);
	for (unsigned i = 0; i < CHORES; i++) {
		const struct chore_stats *s = &c->stats[i];
		const char *name = kinds[i].name;

		buf_addf(out, "chore_%s_last_s=%lld\nchore_%s_took_ms=%llu\nchore_%s_busy_ms=%llu\n"
		    "chore_%s_operations=%llu\nchore_%s_items=%llu\n", name, (long long)s->last_s, name,
		    (unsigned long long)s->took_ms, name, (unsigned long long)s->busy_us / 1000, name,
		    (unsigned long long)s->ops, name, (unsigned long long)s->items);
	}
	buf_addf(out, "recount_differences=%llu\nstages_expired=%llu\n",
	    (unsigned long long)c->n_differences, (unsigned long long)c->n_expired);
}
