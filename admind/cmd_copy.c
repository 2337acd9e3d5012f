/* Hot copies of the shards (storage/service/copies.h):
 *   copy-now    [shard]    copies: [{shard copy}], when all are made and verified
 *   copy-list   [shard]    copies: [{shard copy made lsn incarnation bytes pinned}]
 * shard: "system" or a number; without it all of them. */
#include <stdio.h>

#include "admind/commands.h"
#include "common/json/writer.h"
#include "common/util/mem.h"

#define PROGRESS_MS 5000

struct work;

struct one {
	struct work		*k;
	struct store_ask	*ask;
	uint32_t		 no;
	uint32_t		 number;	/* that was made */
	struct buf		 list;
};

struct work {
	struct request		*rq;
	struct loop_timer	*timer;
	size_t			 n, waiting;
	struct one		 shards[];
};

static void
stop(struct request *rq)
{
	struct work *k = rq->state;

	loop_timer_free(&k->timer);
	for (size_t i = 0; i < k->n; i++) {
		store_ask_cancel(&k->shards[i].ask);
		buf_fini(&k->shards[i].list);
	}
	mem_free(&k);
}

static void
put_name(struct json_writer *w, uint32_t no)
{
	char name[16] = "system";

	if (no != CONTROL_SHARD_SYSTEM)
		snprintf(name, sizeof(name), "%u", no);
	json_kv_str(w, "shard", name);
}

static void
put_list(struct json_writer *w, const struct one *o)
{
	struct store_copy_entry c;
	struct reader r;

	reader_init(&r, o->list.data, o->list.len);
	while (get_store_copy_entry(&r, &c)) {
		json_begin_object(w);
		put_name(w, o->no);
		json_kv_uint(w, "copy", c.number);
		json_kv_int(w, "made", c.made_ms / 1000);
		json_kv_uint(w, "lsn", c.lsn);
		json_kv_uint(w, "incarnation", c.incarnation);
		json_kv_uint(w, "bytes", c.bytes);
		json_kv_bool(w, "pinned", c.pins > 0);
		json_end_object(w);
	}
}

static void
answer(struct work *k)
{
	struct buf out = { 0 };
	struct json_writer w;

	json_writer_init(&w, &out);
	json_begin_object(&w);
	json_key(&w, "copies");
	json_begin_array(&w);
	for (size_t i = 0; i < k->n; i++) {
		if (k->shards[i].number == 0) {
			put_list(&w, &k->shards[i]);
			continue;
		}
		json_begin_object(&w);
		put_name(&w, k->shards[i].no);
		json_kv_uint(&w, "copy", k->shards[i].number);
		json_end_object(&w);
	}
	json_end_array(&w);
	json_end_object(&w);
	request_done(k->rq, ST_OK, buf_span(&out));
	buf_fini(&out);
}

static void
failed(struct one *o, enum status st)
{
	char name[16] = "system";

	if (o->no != CONTROL_SHARD_SYSTEM)
		snprintf(name, sizeof(name), "%u", o->no);
	if (st == ST_UNAVAILABLE)
		request_fail(o->k->rq, st, "shard %s does not answer", name);
	else if (st == ST_CORRUPT)
		request_fail(o->k->rq, st, "the copy of shard %s is damaged, or the shard is: its "
		    "log tells which", name);
	else
		request_fail(o->k->rq, st, "shard %s says: %s", name, status_name(st));
}

static void
came(struct one *o, enum status st)
{
	struct work *k = o->k;

	o->ask = NULL;
	if (st != ST_OK)
		failed(o, st);
	else if (--k->waiting == 0)
		answer(k);
}

static void
on_list(void *arg, enum status st, bool more, const void *msg)
{
	struct one *o = arg;

	if (msg != NULL)
		buf_add_span(&o->list, ((const struct store_copies_are *)msg)->list);
	came(o, st);
}

static void
on_made(void *arg, enum status st, bool more, const void *msg)
{
	struct one *o = arg;

	if (msg != NULL)
		o->number = ((const struct store_copy_made *)msg)->number;
	came(o, st);
}

/* A copy takes as long as it takes. */
static void
on_time(void *arg)
{
	struct work *k = arg;

	request_progress(k->rq, k->n - k->waiting, k->n);
	loop_timer_set(k->timer, PROGRESS_MS);
}

/* false: there is no such shard. */
static bool
wanted(struct request *rq, uint32_t no)
{
	struct span name;
	char is[16] = "system";

	if (!json_get_string(rq->args, "shard", &name))
		return true;
	if (no != CONTROL_SHARD_SYSTEM)
		snprintf(is, sizeof(is), "%u", no);
	return span_eq_str(name, is);
}

static void
begin(struct request *rq, bool make)
{
	struct admind *a = rq->admind;
	size_t n = a->conf->store.shards + 1;
	struct work *k = mem_zalloc(sizeof(*k) + n * sizeof(k->shards[0]));

	rq->state = k;
	rq->stop = stop;
	k->rq = rq;
	for (size_t i = 0; i < n; i++) {
		uint32_t no = i + 1 < n ? (uint32_t)i : CONTROL_SHARD_SYSTEM;

		if (wanted(rq, no))
			k->shards[k->n++] = (struct one){ .k = k, .no = no };
	}
	if (k->n == 0) {
		request_fail(rq, ST_NOT_FOUND, "there is no such shard");
		return;
	}
	k->waiting = k->n;
	k->timer = loop_timer_new(a->loop, on_time, k);
	loop_timer_set(k->timer, PROGRESS_MS);
	for (size_t i = 0; i < k->n; i++) {
		struct one *o = &k->shards[i];

		o->ask = make ? store_ask_copy_make(a->pool, o->no, on_made, o) :
		    store_ask_copies(a->pool, o->no, on_list, o);
	}
}

static void
copy_now(struct request *rq)
{
	begin(rq, true);
}

static void
copy_list(struct request *rq)
{
	begin(rq, false);
}

const struct admin_command admin_cmds_copy[] = {
	{ "copy-now", copy_now, NULL },
	{ "copy-list", copy_list, NULL },
	{ NULL, NULL, NULL }
};
