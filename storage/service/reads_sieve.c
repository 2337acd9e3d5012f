/* Scripts, and what deliveries remember. */
#include "storage/service/service_priv.h"

#include "common/util/clock.h"
#include "storage/state/sieve.h"

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

enum read_step
read_sieve(struct request *rq, const void *msg)
{
	switch (rq->m->no) {
	case STORE_SCRIPTS: return read_scripts(rq);
	case STORE_SCRIPT: return read_script(rq, msg);
	case STORE_SCRIPT_ROOM: return read_room(rq, msg);
	default: return read_keys(rq, msg);
	}
}
