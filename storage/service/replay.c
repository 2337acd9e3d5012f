/* Records become state.  The outcome records in between say what the same operations
 * came to when they were applied first: a difference means that the state or this
 * program is not what it was, and going on would hand out other uids than clients
 * were told. */
#include <stdio.h>

#include "common/util/log.h"
#include "common/util/mem.h"
#include "common/util/table.h"
#include "storage/service/record.h"
#include "storage/service/service.h"

#define BATCH 256		/* operations in one transaction */

struct replay {
	struct state		*state;
	struct state_result	 res;
	struct buf		 locs;
	struct table		 facts;		/* lsn -> what it came to here */
	unsigned		 open;		/* operations in the open transaction */
	struct journal_pos	 pos;
	char			*what;
	uint64_t		 count;
};

static void
fact_free(void *value, void *arg)
{
	mem_free(&value);
}

static enum status
wrong(struct replay *rp, const struct journal_record *r, const char *why)
{
	snprintf(rp->what, 160, "%s at lsn %llu, segment %u, offset %u", why,
	    (unsigned long long)r->lsn, r->loc.segment, r->loc.offset);
	return ST_CORRUPT;
}

static enum status
commit(struct replay *rp)
{
	if (rp->open == 0)
		return ST_OK;
	rp->open = 0;
	return state_commit(rp->state, &rp->pos);
}

static enum status
apply(struct replay *rp, const struct journal_record *r)
{
	struct outcome *o;
	struct op op;
	size_t n;
	enum status st = ST_OK;

	if (!record_op_get(r->payload, &op, &rp->locs, &n))
		return wrong(rp, r, "an operation of an unknown kind or version");
	if (rp->open == 0)
		st = state_begin(rp->state);
	if (st != ST_OK)
		return st;
	rp->open++;
	st = state_apply(rp->state, &op, (const void *)rp->locs.data, n, &rp->res);
	if (st != ST_OK)
		return st;
	rp->count++;
	o = mem_zalloc(sizeof(*o));
	*o = outcome_of(r->lsn, &rp->res);
	o = table_put_u64(&rp->facts, r->lsn, o);
	mem_free(&o);
	return ST_OK;
}

static enum status
compare(struct replay *rp, const struct journal_record *r)
{
	struct reader in;
	struct outcome was;

	reader_init(&in, r->payload.p, r->payload.len);
	while (outcome_get(&in, &was)) {
		struct outcome *is = table_del_u64(&rp->facts, was.lsn);
		bool same = is == NULL || outcome_eq(is, &was);

		if (!same)
			LOG(NULL, ERROR, "replay.differs", KV_UINT("lsn", was.lsn),
			    KV_STR("was", status_name(was.status)),
			    KV_STR("is", status_name(is->status)),
			    KV_UINT("was_modseq", was.modseq), KV_UINT("is_modseq", is->modseq),
			    KV_UINT("was_uid", was.uid), KV_UINT("is_uid", is->uid));
		mem_free(&is);
		if (!same)
			return wrong(rp, r, "replay comes to another outcome");
	}
	return in.bad ? wrong(rp, r, "an unreadable outcome record") : ST_OK;
}

static enum status
on_record(const struct journal_record *r, void *arg)
{
	struct replay *rp = arg;
	enum status st = ST_OK;

	if (r->type == JOURNAL_OP)
		st = apply(rp, r);
	else if (r->type == JOURNAL_OUTCOME)
		st = compare(rp, r);
	rp->pos = r->pos;
	if (st == ST_OK && r->last && rp->open >= BATCH)
		st = commit(rp);
	return st;
}

enum status
service_replay(struct journal *j, struct state *st, char damage_what[160])
{
	struct replay rp = { .state = st, .what = damage_what };
	struct journal_damage damage = { 0 };
	struct journal_pos from;
	enum status result;

	damage_what[0] = '\0';
	state_position(st, &from);
	result = journal_replay(j, &from, on_record, &rp, &damage);
	if (result == ST_OK)
		result = commit(&rp);
	else if (rp.open > 0)
		state_abort(st);
	if (result != ST_OK && damage_what[0] == '\0')
		snprintf(damage_what, 160, "%s", damage.what);
	if (rp.count > 0)
		LOG(NULL, INFO, "replay", KV_UINT("operations", rp.count), KV_STATUS(result));
	table_fini(&rp.facts, fact_free, NULL);
	state_result_fini(&rp.res);
	buf_fini(&rp.locs);
	return result;
}
