/* Scripts, what deliveries remember, and what events of IMAP ask. */
#include "storage/service/service_priv.h"

#include "common/util/clock.h"
#include "storage/state/sieve.h"

#define EVENT_PART	8192u		/* bytes of rows: some hundreds, each with its changes */

void
script_limits(const struct service_conf *cf, struct op_script_set *to)
{
	to->count_max = cf->scripts;
	to->size_max = cf->script_bytes;
	to->bytes_max = cf->scripts_bytes;
}

static enum read_step
read_scripts(struct request *rq)
{
	const struct service_conf *cf = &rq->svc->cf;
	struct store_scripts_are are = { .bytes_limit = cf->scripts_bytes,
		.count_limit = cf->scripts, .size_limit = cf->script_bytes };
	struct buf out = { 0 };
	enum status st = state_scripts(rq->svc->state, rq->account->id, &out, &are.state,
	    &are.bytes);
	enum read_step step;

	are.scripts = buf_span(&out);
	step = st != ST_OK ? read_fail(rq, st) : read_part(rq, false, STORE_SCRIPTS_ARE, &are);
	buf_fini(&out);
	return step;
}

static enum read_step
read_script(struct request *rq, const struct store_script_get *msg)
{
	struct store_script_is is = { .same = false };
	struct buf script = { 0 }, text = { 0 };
	enum status st = state_script(rq->svc->state, rq->account->id, msg, &script, &text,
	    &is.same);
	enum read_step step;

	is.script = buf_span(&script);
	is.text = buf_span(&text);
	step = st != ST_OK ? read_fail(rq, st) : read_part(rq, false, STORE_SCRIPT_IS, &is);
	buf_fini(&script);
	buf_fini(&text);
	return step;
}

static enum read_step
read_room(struct request *rq, const struct store_script_room *msg)
{
	struct op_script_set limits = { .how = SCRIPT_PUT };
	enum status st;

	script_limits(&rq->svc->cf, &limits);
	st = state_script_room(rq->svc->state, rq->account->id, msg->name, msg->size, &limits);
	return read_fail(rq, st);
}

static enum read_step
read_keys(struct request *rq, const struct store_sieve_keys *msg)
{
	struct store_sieve_keys_are are;
	struct buf out = { 0 };
	enum status st = state_sieve_keys(rq->svc->state, rq->account->id, msg->keys,
	    clock_wall_ms(), &out);
	enum read_step step;

	are.known = buf_span(&out);
	step = st != ST_OK ? read_fail(rq, st) : read_part(rq, false, STORE_SIEVE_KEYS_ARE, &are);
	buf_fini(&out);
	return step;
}

/* Every part says all of the mailbox. */
static enum read_step
read_event(struct request *rq, const struct store_event_get *msg)
{
	struct state *s = rq->svc->state;
	uint64_t account = rq->account->id;
	struct store_event_are are = { .entry = false };
	struct buf script = { 0 }, rows = { 0 }, keywords = { 0 };
	enum read_step step;
	enum status st;

	if (!read_uids(rq, msg->uids))
		return read_fail(rq, ST_SYNTAX);
	st = state_event_script(s, account, msg->mailbox, &are.entry, &script);
	if (st == ST_OK)
		st = state_event_rows(s, account, msg->mailbox, &rq->set, msg->modseq, EVENT_PART,
		    &rq->resume, &rows);
	if (st == ST_OK)
		st = state_keywords(s, account, 0, &keywords);
	are.script = buf_span(&script);
	are.rows = buf_span(&rows);
	are.keywords = buf_span(&keywords);
	step = st != ST_OK ? read_fail(rq, st) :
	    read_part(rq, rq->resume != 0, STORE_EVENT_ARE, &are);
	buf_fini(&script);
	buf_fini(&rows);
	buf_fini(&keywords);
	return step;
}

enum read_step
read_sieve(struct request *rq, const void *msg)
{
	switch (rq->m->no) {
	case STORE_SCRIPTS: return read_scripts(rq);
	case STORE_SCRIPT: return read_script(rq, msg);
	case STORE_SCRIPT_ROOM: return read_room(rq, msg);
	case STORE_EVENT: return read_event(rq, msg);
	default: return read_keys(rq, msg);
	}
}
