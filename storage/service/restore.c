/* Restoring: a reader thread plans what is to be done, then its operations go one after the
 * other, behind everybody's requests.  It lasts as long as who asked is there; what was done by
 * then stays, and the rest is what the next plan says. */
#include "storage/service/service_priv.h"

#include "common/util/clock.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/state/restore.h"

struct restoring {
	struct list		node;		/* of svc->restores */
	struct request		*rq;
	struct state		*state;
	struct state_restore	q;
	bool			dry;
	struct buf		path;
	struct restore_plan	plan;
	struct reader		at;
	enum status		status;
};

static void
end(struct restoring *g)
{
	list_remove(&g->node);
	request_free(g->rq);
	restore_plan_fini(&g->plan);
	buf_fini(&g->path);
	mem_free(&g);
}

void
restores_fini(struct service *svc)
{
	while (!list_empty(&svc->restores))
		end(list_entry(svc->restores.next, struct restoring, node));
}

static void
send(struct restoring *g, struct span lines, bool more)
{
	const struct store_restoring is = { lines, g->plan.earliest_ms, g->plan.lost,
		(uint8_t)g->status };

	if (g->rq->chan == NULL)
		return;
	if (more && !g->rq->chan->revoked)
		ipc_reply_more(g->rq->chan->peer->ipc, &g->rq->head, STORE_RESTORING, &is);
	else if (!more)
		request_answer(g->rq, ST_OK, STORE_RESTORING, &is);
}

static void
finish(struct restoring *g, enum status st)
{
	g->status = st;
	LOG(NULL, INFO, "restore.end", KV_UINT("account", g->q.account),
	    KV_UINT("parts", g->plan.n), KV_UINT("lost", g->plan.lost), KV_STATUS(st));
	send(g, SPAN_NONE, false);
	end(g);
}

/* What would be done, in parts of the answer. */
static void
tell_all(struct restoring *g)
{
	struct buf lines = { 0 };

	while (reader_left(&g->at) > 0) {
		(void)get_span(&g->at);
		buf_add_span(&lines, get_span(&g->at));
		if (lines.len > PART_BYTES) {
			send(g, buf_span(&lines), true);
			buf_clear(&lines);
		}
	}
	send(g, buf_span(&lines), true);
	buf_fini(&lines);
	finish(g, ST_OK);
}

static void next(struct restoring *g);

static void
part_done(struct request *rq, const struct state_result *res)
{
	struct restoring *g = rq->own;
	struct span line = get_span(&g->at);

	if (rq->svc->closing || rq->svc->dead)
		return;
	if (res->status == ST_OK)
		send(g, line, true);
	if (res->status != ST_OK)
		finish(g, res->status);
	else
		next(g);
}

static void
next(struct restoring *g)
{
	struct service *svc = g->rq->svc;
	struct op op;

	if (g->rq->chan == NULL)
		finish(g, ST_CANCELLED);
	else if (channel_judge(g->rq->chan) != ST_OK)
		finish(g, ST_DENIED);
	else if (reader_left(&g->at) == 0)
		finish(g, ST_OK);
	else if (!op_decode(&op, get_span(&g->at)))
		finish(g, ST_BUG);
	else
		tick_own_for(svc, &op, part_done, g);
}

static void
planned(struct reader_job *job, void *arg)
{
	struct restoring *g = arg;
	struct service *svc = g->rq->svc;
	enum status st = job->status;

	reader_job_free(&job);
	if (svc->closing || svc->dead)
		return;
	(void)service_judge(svc, st == ST_CORRUPT ? st : ST_OK, "restore");
	reader_init(&g->at, g->plan.parts.data, g->plan.parts.len);
	if (st != ST_OK)
		finish(g, st);
	else if (g->dry)
		tell_all(g);
	else
		next(g);
}

static void
plan(struct reader_job *job, void *arg)
{
	struct restoring *g = arg;

	job->status = state_restore_plan(g->state, &g->q, &g->plan);
}

void
restore_begin(struct request *rq, const struct store_restore *msg)
{
	struct service *svc = rq->svc;
	struct restoring *g = mem_zalloc(sizeof(*g));
	struct reader_job *job = mem_zalloc(sizeof(*job));

	g->rq = rq;
	g->state = svc->state;
	g->dry = (msg->how & RESTORE_DRY) != 0;
	buf_add_span(&g->path, msg->path);
	g->q = (struct state_restore){ .account = rq->account->id, .at_ms = msg->at_ms,
		.floor_ms = clock_wall_ms() - (int64_t)svc->cf.undelete_s * 1000,
		.path = buf_span(&g->path), .exact = (msg->how & RESTORE_EXACT) != 0 };
	list_push_back(&svc->restores, &g->node);
	rq->busy = true;
	job->work = plan;
	job->done = planned;
	job->arg = g;
	readers_submit(svc->readers, job);
}
