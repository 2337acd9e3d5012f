/* Bodies that come in chunks, before an operation adopts them. */
#include "storage/service/service_priv.h"

#include "common/util/mem.h"

void
stage_uncount(struct account *a, struct stage *sg)
{
	a->staged[sg->upload] -= sg->counted;
	sg->peer->stage_bytes -= sg->counted;
	sg->counted = 0;
}

void
stage_free(void *value, void *arg)
{
	struct stage *sg = value;

	stage_uncount(arg, sg);
	sg->peer->stages--;
	buf_fini(&sg->locs);
	mem_free(&sg);
}

size_t
stages_expire(struct service *svc)
{
	uint64_t now = loop_now_ms(svc->loop), kept = (uint64_t)svc->cf.staged_s * 1000;
	struct list *n, *tmp;
	size_t gone = 0;

	list_each(n, tmp, &svc->peers) {
		struct peer *p = list_entry(n, struct peer, node);
		size_t at = 0;
		void *v;

		while (table_next(&p->channels, &at, NULL, &v)) {
			struct channel *c = v;
			size_t i = 0;

			while (table_next(&c->stages, &i, NULL, &v)) {
				struct stage *sg = v;

				if (sg->status != ST_OK || sg->used_ms + kept > now)
					continue;
				sg->status = ST_EXPIRED;
				stage_uncount(c->account, sg);
				buf_fini(&sg->locs);
				gone++;
			}
		}
	}
	return gone;
}

/* What all channels have staged counts: many bodies could fill the disk, each of which alone would
 * fit.  Of uploads only the older ones make room at the end. */
static enum status
stage_room_upload(struct channel *c, uint64_t more)
{
	uint64_t max = c->peer->svc->cf.upload_bytes;

	return max > 0 && c->account->staged[true] + more > max ? ST_OVER_QUOTA : ST_OK;
}

/* more: bytes that are still to come, as far as was announced. */
static enum status
stage_room(struct channel *c, bool upload, uint64_t more)
{
	struct service *svc = c->peer->svc;
	struct op_head limits = { 0 };
	struct store_quota_is q;
	enum status st;

	if (more > STORE_BODY_MAX)
		return ST_LIMIT;
	if (!journal_has_room(svc->journal, STORE_CHUNK_MAX + more))
		return ST_NO_SPACE;
	if (upload)
		return stage_room_upload(c, more);
	service_limits(svc, &limits);
	st = state_quota(svc->state, c->account->id, &limits, &q);
	if (st != ST_OK)
		return service_judge(svc, st, "quota");
	/* Stored bytes are never more than the raw ones that quota counts, but for heads. */
	if (q.bytes_limit > 0 && q.bytes + c->account->staged[false] + more > q.bytes_limit + 4096)
		return ST_OVER_QUOTA;
	return ST_OK;
}

static enum status
stage_take(struct channel *c, const struct store_stage *msg, struct stage **out)
{
	struct stage *sg = table_get_u64(&c->stages, msg->stage);
	uint64_t more = 0;

	if (msg->stage == 0)
		return ST_SYNTAX;
	if (sg == NULL) {
		if (c->stages.count >= 1024 || c->peer->stages >= STAGES_MAX)
			return ST_LIMIT;
		sg = mem_zalloc(sizeof(*sg));
		sg->peer = c->peer;
		c->peer->stages++;
		sg->no = msg->stage;
		sg->total = msg->total;
		sg->upload = msg->upload;
		if (msg->total > msg->data.len)
			more = msg->total - msg->data.len;
		table_put_u64(&c->stages, sg->no, sg);
	}
	*out = sg;
	sg->used_ms = loop_now_ms(c->peer->svc->loop);
	if (sg->status == ST_OK) {
		sg->bytes += msg->data.len;
		sg->counted += msg->data.len;
		c->account->staged[sg->upload] += msg->data.len;
		c->peer->stage_bytes += msg->data.len;
		sg->status = stage_room(c, sg->upload, more);
	}
	if (sg->status == ST_OK && (sg->bytes > STORE_BODY_MAX ||
	    c->peer->stage_bytes > STAGED_MAX || ++sg->chunks > OP_PIECES_MAX ||
	    (sg->total > 0 && sg->bytes > sg->total)))
		sg->status = ST_LIMIT;
	if (sg->status != ST_OK)
		stage_uncount(c->account, sg);
	return sg->status;
}

void
stage_chunk(struct channel *c, const struct ipc_message *m, const struct ipc_head *h,
    const struct store_stage *msg)
{
	struct stage *sg = NULL;
	enum status st = stage_take(c, msg, &sg);
	struct request *rq;

	if (st != ST_OK) {
		ipc_reply(c->peer->ipc, h, st, 0, NULL);
		return;
	}
	rq = request_new(c, m, h, msg);
	rq->change = true;
	rq->is_chunk = true;
	rq->last = true;
	rq->stage = sg;
	rq->after = ++c->made;
	tick_queue(rq);
}

void
stage_drop(struct channel *c, const struct store_stage_drop *msg)
{
	struct stage *sg = table_del_u64(&c->stages, msg->stage);
	struct list *n, *tmp;

	if (sg == NULL)
		return;
	list_each(n, tmp, &c->requests) {
		struct request *rq = list_entry(n, struct request, chan_node);

		if (rq->stage == sg)
			rq->stage = NULL;
	}
	stage_free(sg, c->account);
}
