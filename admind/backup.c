/* Shards as a backup reads them, piece by piece:
 *   backup-shards                 shards: [{shard}]
 *   backup-open    shard          goes on as account-open does; its `store` messages are
 *                                 backup-begin, backup-read and backup-end of the store
 * What was begun ends with the command, however that ends. */
#include "admind/commands.h"

#include <stdalign.h>
#include <stdio.h>

#include "common/json/writer.h"
#include "common/util/mem.h"

#define SHARDS_MAX	256u
#define PROGRESS_MS	5000

struct backup {
	struct request		*rq;
	uint32_t		shard, copy;	/* copy 0: nothing was begun */
	struct ipc_head		head;
	uint16_t		no;		/* of the answer under way; 0: none */
	struct store_ask	*ask;
	struct loop_timer	*timer;		/* a copy takes as long as it takes */
};

static void
name_of(uint32_t shard, char name[16])
{
	if (shard == CONTROL_SHARD_SYSTEM)
		snprintf(name, 16, "system");
	else
		snprintf(name, 16, "%u", (unsigned)shard);
}

static void
shards(struct request *rq)
{
	uint32_t numbers[SHARDS_MAX];
	size_t n = store_pool_shards(rq->admind->pool, numbers, SHARDS_MAX);
	struct buf out = { 0 };
	struct json_writer w;

	json_writer_init(&w, &out);
	json_begin_object(&w);
	json_key(&w, "shards");
	json_begin_array(&w);
	for (size_t i = 0; i < n; i++) {
		char name[16];

		name_of(numbers[i], name);
		json_begin_object(&w);
		json_kv_str(&w, "shard", name);
		json_end_object(&w);
	}
	json_end_array(&w);
	json_end_object(&w);
	request_done(rq, ST_OK, buf_span(&out));
	buf_fini(&out);
}

static void
forget(void *arg, enum status st, bool more, const void *msg)
{
}

static void
stop(struct request *rq)
{
	struct backup *b = rq->state;
	const struct store_backup_end end = { b->copy };

	store_ask_cancel(&b->ask);
	if (b->copy != 0)
		(void)store_ask_backup_end(rq->admind->pool, b->shard, &end, forget, NULL);
	loop_timer_free(&b->timer);
	mem_free(&b);
}

static void
on_time(void *arg)
{
	struct backup *b = arg;

	request_progress(b->rq, 0, 0);
	loop_timer_set(b->timer, PROGRESS_MS);
}

static void
on_answer(void *arg, enum status st, bool more, const void *msg)
{
	struct backup *b = arg;
	struct admin_store_is is = { b->no, SPAN_NONE };
	struct buf body = { 0 };

	b->ask = NULL;
	loop_timer_clear(b->timer);
	request_patient(b->rq);
	if (st == ST_OK && b->no == STORE_BACKUP_IS)
		b->copy = ((const struct store_backup_is *)msg)->copy;
	if (msg != NULL) {
		ipc_encode(ipc_find(&store_protocol, b->no), msg, &body);
		is.body = buf_span(&body);
	}
	request_relayed(b->rq, &b->head, st, false, msg != NULL ? &is : NULL);
	buf_fini(&body);
}

static void
relay(struct request *rq, const struct ipc_head *head, const struct admin_store *ask)
{
	alignas(max_align_t) char msg[IPC_STRUCT_MAX];
	struct store_pool *pool = rq->admind->pool;
	struct backup *b = rq->state;
	bool begin = ask->no == STORE_BACKUP_BEGIN;

	if ((!begin && ask->no != STORE_BACKUP_READ) || b->ask != NULL ||
	    (begin && b->copy != 0) ||
	    ipc_decode(ipc_find(&store_protocol, (uint16_t)ask->no), ask->body, msg) != ST_OK) {
		request_relayed(rq, head, ST_SYNTAX, false, NULL);
		return;
	}
	request_touch(rq);
	b->head = *head;
	b->no = begin ? STORE_BACKUP_IS : STORE_BACKUP_DATA;
	if (begin) {
		loop_timer_set(b->timer, PROGRESS_MS);
		b->ask = store_ask_backup_begin(pool, b->shard, (const void *)msg, on_answer, b);
	} else {
		b->ask = store_ask_backup_read(pool, b->shard, (const void *)msg, on_answer, b);
	}
}

static void
take(struct request *rq, struct span data, bool last)
{
	if (last && data.len == 0)
		request_done(rq, ST_OK, SPAN_LIT("{}"));
	else
		request_fail(rq, ST_SYNTAX, "a backup takes no file");
}

static void
backup_open(struct request *rq)
{
	uint32_t numbers[SHARDS_MAX];
	size_t n = store_pool_shards(rq->admind->pool, numbers, SHARDS_MAX);
	struct backup *b;
	struct span shard;

	if (!json_get_string(rq->args, "shard", &shard)) {
		request_fail(rq, ST_SYNTAX, "a shard is needed");
		return;
	}
	for (size_t i = 0; i < n; i++) {
		char name[16];

		name_of(numbers[i], name);
		if (!span_eq_str(shard, name))
			continue;
		b = mem_zalloc(sizeof(*b));
		b->rq = rq;
		b->shard = numbers[i];
		b->timer = loop_timer_new(rq->admind->loop, on_time, b);
		rq->state = b;
		rq->stop = stop;
		rq->relay = relay;
		request_progress(rq, 0, 0);
		request_patient(rq);
		return;
	}
	request_fail(rq, ST_NOT_FOUND, "there is no such shard");
}

const struct admin_command admin_cmds_backup[] = {
	{ "backup-shards", shards, NULL },
	{ "backup-open", backup_open, take },
	{ NULL, NULL, NULL }
};
