/* What the store does by itself, one operation at a time behind everybody's requests:
 * emptying deleted mailboxes, purging accounts after their undelete time, forgetting
 * history and remembered outcomes that are too old. */
#include "storage/service/service_priv.h"

#include <string.h>

#include "common/util/clock.h"
#include "common/util/mem.h"

#define SOON_MS		1000u
#define HOUR_MS		3600000u
#define ROWS		1000u
#define ONCE_KEPT_MS	(7 * 86400 * (int64_t)1000)

enum { AT_REST, AT_WORK, AT_ACCOUNTS, AT_ONCE };

static void next_chore(struct service *svc);

static void
chore_done(struct request *rq, const struct state_result *res)
{
	struct service *svc = rq->svc;

	if (svc->closing || svc->dead)
		return;
	if (rq->op.kind == OP_ONCE_PURGE) {
		if (res->status != ST_OK || !res->more)
			svc->chore = AT_REST;
		memcpy(svc->chore_from, res->next, OP_TICKET_LEN);
	} else if (res->status != ST_OK || !res->more) {
		/* Done with this one, or it will not go now: on to the next. */
		if (svc->chore == AT_WORK)
			svc->chore_work = (struct state_work){ rq->op.head.account,
			    rq->op.u.mailbox_purge.mailbox };
		else
			svc->chore_account = rq->op.head.account;
	}
	next_chore(svc);
}

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

static bool
chore_work(struct service *svc, struct op *op)
{
	struct state_work w;

	if (state_work_next(svc->state, &svc->chore_work, &w) != ST_OK)
		return false;
	op->kind = OP_MAILBOX_PURGE;
	op->head.account = w.account;
	op->u.mailbox_purge.mailbox = w.mailbox;
	return true;
}

/* The next account that has something to forget. */
static bool
chore_accounts(struct service *svc, struct op *op)
{
	int64_t now = clock_wall_ms(), oldest;
	int64_t history = now - (int64_t)svc->cf.history_s * 1000;
	int64_t undelete = now - (int64_t)svc->cf.undelete_s * 1000;
	struct state_account a;

	while (state_account_next(svc->state, svc->chore_account, &a) == ST_OK) {
		op->head.account = a.id;
		if (a.deleted_ms != 0 && a.deleted_ms < undelete && !a.purged) {
			op->kind = OP_ACCOUNT_PURGE;
			return true;
		}
		if (!a.purged && state_history_oldest(svc->state, a.id, &oldest) == ST_OK &&
		    (oldest < history || oldest > now)) {
			op->kind = OP_HISTORY_PURGE;
			op->u.history_purge = (struct op_history_purge){ history, ROWS };
			return true;
		}
		svc->chore_account = a.id;
	}
	return false;
}

static void
chore_once(struct service *svc, struct op *op)
{
	op->kind = OP_ONCE_PURGE;
	op->u.once_purge.before_ms = clock_wall_ms() - ONCE_KEPT_MS;
	op->u.once_purge.rows = ROWS;
	memcpy(op->u.once_purge.from, svc->chore_from, OP_TICKET_LEN);
}

static void
next_chore(struct service *svc)
{
	struct op op = { 0 };

	if (svc->chore == AT_WORK && !chore_work(svc, &op)) {
		svc->chore = AT_ACCOUNTS;
		svc->chore_account = 0;
	}
	if (svc->chore == AT_ACCOUNTS && !chore_accounts(svc, &op)) {
		svc->chore = AT_ONCE;
		memset(svc->chore_from, 0, sizeof(svc->chore_from));
	}
	if (svc->chore == AT_ONCE)
		chore_once(svc, &op);
	if (svc->chore != AT_REST) {
		tick_own(svc, &op, chore_done);
		return;
	}
	loop_timer_set(svc->chores_timer, svc->chore_again ? SOON_MS : HOUR_MS);
	svc->chore_again = false;
}

static void
on_timer(void *arg)
{
	struct service *svc = arg;

	tickets_age(svc);
	end_stages(svc);
	svc->chore = AT_WORK;
	svc->chore_work = (struct state_work){ 0 };
	next_chore(svc);
}

void
chores_start(struct service *svc)
{
	svc->chores_timer = loop_timer_new(svc->loop, on_timer, svc);
	/* Of a process that ended in the middle: before anybody asks for anything. */
	end_stages(svc);
	loop_timer_set(svc->chores_timer, SOON_MS);
}

/* Something to do came up. */
void
chores_wanted(struct service *svc)
{
	if (svc->chore == AT_REST)
		loop_timer_set(svc->chores_timer, SOON_MS);
	else
		svc->chore_again = true;
}

void
chores_stop(struct service *svc)
{
	loop_timer_free(&svc->chores_timer);
}
