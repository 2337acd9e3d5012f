/* The outgoing queue.  An entry's id here is "SHARD.ACCOUNT.ENTRY", the latter two in hexadecimal digits.
 *   queue-list  [address] [after]   entries: [...], more: what `after` is of the next page, or null
 *   queue-show  id                  entry
 *   queue-set   id how              how: retry (now), delete, return (into the INBOX)
 * entry: {id account kind sending created next attempts size from first_to to: [...] answer}; times in seconds. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "admind/commands.h"
#include "common/json/writer.h"
#include "common/util/mem.h"

struct place {
	uint32_t	shard;
	uint64_t	account, id;
};

struct look {
	struct place	at;
	bool		only;		/* one account */
	bool		one;		/* one entry */
};

static void
stop(struct request *rq)
{
	struct look *k = rq->state;

	mem_free(&k);
}

static bool
hex(struct span s, uint64_t *v)
{
	*v = 0;
	for (size_t i = 0; i < s.len; i++) {
		int n = ascii_hex(s.p[i]);

		if (n < 0)
			return false;
		*v = *v << 4 | (unsigned)n;
	}
	return s.len > 0 && s.len <= 16;
}

static bool
read_place(const struct request *rq, const char *key, struct place *at)
{
	struct span s, shard, account;
	uint32_t shards = rq->admind->conf->store.shards;

	if (!json_get_string(rq->args, key, &s))
		return false;
	shard = span_cut(&s, '.');
	account = span_cut(&s, '.');
	return span_u32(shard, &at->shard) && at->shard < shards && hex(account, &at->account) &&
	    hex(s, &at->id);
}

static void
put_place(struct json_writer *w, const char *key, struct place at)
{
	char text[64];

	snprintf(text, sizeof(text), "%" PRIu32 ".%" PRIx64 ".%" PRIx64, at.shard, at.account, at.id);
	json_kv_str(w, key, text);
}

/* Entries ------------------------------------------------------------------------- */

static void
put_entry(struct json_writer *w, uint32_t shard, const struct store_queue_entry *e)
{
	struct store_queue_rcpt to;
	struct reader r;
	char account[17];

	snprintf(account, sizeof(account), "%016" PRIx64, e->account);
	json_begin_object(w);
	put_place(w, "id", (struct place){ shard, e->account, e->id });
	json_kv_str(w, "account", account);
	json_kv_str(w, "kind", queue_kind_name(e->kind));
	json_kv_bool(w, "sending", e->taken_ms != 0);
	json_kv_int(w, "created", e->created_ms / 1000);
	json_kv_int(w, "next", e->next_ms / 1000);
	json_kv_uint(w, "attempts", e->attempts);
	json_kv_uint(w, "size", e->size);
	json_kv_string(w, "from", e->env.from);
	reader_init(&r, e->env.rcpts.p, e->env.rcpts.len);
	if (get_store_queue_rcpt(&r, &to))
		json_kv_string(w, "first_to", to.address);
	json_key(w, "to");
	json_begin_array(w);
	reader_init(&r, e->env.rcpts.p, e->env.rcpts.len);
	while (get_store_queue_rcpt(&r, &to))
		json_string(w, to.address);
	json_end_array(w);
	json_kv_string(w, "answer", e->answer);
	json_end_object(w);
}

/* NULL: there are none. */
static void
read_entries(const struct store_queue_are *are, struct reader *r)
{
	struct span entries = are != NULL ? are->entries : SPAN_NONE;

	reader_init(r, entries.p, entries.len);
}

static void
put_page(struct json_writer *w, const struct request *rq, const struct store_queue_are *are)
{
	const struct look *k = rq->state;
	struct place next = { k->at.shard + 1, 0, 0 };
	struct store_queue_entry e;
	struct reader r;

	json_key(w, "entries");
	json_begin_array(w);
	read_entries(are, &r);
	while (get_store_queue_entry(&r, &e))
		put_entry(w, k->at.shard, &e);
	json_end_array(w);
	if (are != NULL)
		next = (struct place){ k->at.shard, are->account, are->id };
	if (are != NULL || (!k->only && next.shard < rq->admind->conf->store.shards)) {
		put_place(w, "more", next);
	} else {
		json_key(w, "more");
		json_null(w);
	}
}

/* false: it is not there. */
static bool
put_one(struct json_writer *w, const struct request *rq, const struct store_queue_are *are)
{
	const struct look *k = rq->state;
	struct store_queue_entry e;
	struct reader r;

	read_entries(are, &r);
	if (!get_store_queue_entry(&r, &e) || e.id != k->at.id + 1)
		return false;
	json_key(w, "entry");
	put_entry(w, k->at.shard, &e);
	return true;
}

static void
fail_gone(struct request *rq)
{
	request_fail(rq, ST_NOT_FOUND, "there is no such entry, or it has left");
}

static void
answer(struct request *rq, const struct store_queue_are *are)
{
	const struct look *k = rq->state;
	struct buf out = { 0 };
	struct json_writer w;
	bool found = true;

	json_writer_init(&w, &out);
	json_begin_object(&w);
	if (k->one)
		found = put_one(&w, rq, are);
	else
		put_page(&w, rq, are);
	json_end_object(&w);
	if (found)
		request_done(rq, ST_OK, buf_span(&out));
	else
		fail_gone(rq);
	buf_fini(&out);
}

static void
on_page(void *arg, enum status st, bool more, const void *msg)
{
	struct request *rq = arg;

	rq->ask = NULL;
	if (st != ST_OK && st != ST_NOT_FOUND)
		fail_as_store(rq, st);
	else
		answer(rq, st == ST_OK ? msg : NULL);
}

static void
ask_page(struct request *rq)
{
	const struct look *k = rq->state;
	const struct store_queue q = { k->at.account, k->at.id, k->only };

	rq->ask = store_ask_queue(rq->admind->pool, k->at.shard, &q, on_page, rq);
}

static void
on_account(void *arg, enum status st, struct span result)
{
	struct request *rq = arg;
	struct look *k = rq->state;
	struct place at = { 0 };

	if (!take_account(rq, st, result, &at.account, &at.shard))
		return;
	k->only = true;
	if (!read_place(rq, "after", &k->at))
		k->at = at;
	ask_page(rq);
}

static struct look *
begin(struct request *rq)
{
	struct look *k = mem_zalloc(sizeof(*k));

	rq->state = k;
	rq->stop = stop;
	return k;
}

static void
queue_list(struct request *rq)
{
	struct look *k = begin(rq);
	struct span address;

	if (json_get_string(rq->args, "address", &address)) {
		ask_account(rq, address, on_account);
		return;
	}
	(void)read_place(rq, "after", &k->at);
	ask_page(rq);
}

static bool
need_id(struct request *rq, struct place *at)
{
	if (read_place(rq, "id", at) && at->id > 0)
		return true;
	request_fail(rq, ST_SYNTAX, "an entry's id is needed, as the list shows it");
	return false;
}

static void
queue_show(struct request *rq)
{
	struct look *k = begin(rq);

	if (!need_id(rq, &k->at))
		return;
	k->only = k->one = true;
	k->at.id--;		/* the one behind it */
	ask_page(rq);
}

/* Verdicts -------------------------------------------------------------------------- */

static void
on_set(void *arg, enum status st, bool more, const void *msg)
{
	struct request *rq = arg;

	rq->ask = NULL;
	if (st == ST_OK)
		request_done(rq, ST_OK, SPAN_LIT("{}"));
	else if (st == ST_NOT_FOUND)
		fail_gone(rq);
	else if (st == ST_CONFLICT)
		request_fail(rq, st, "it is being sent at this moment");
	else
		fail_as_store(rq, st);
}

static void
queue_set(struct request *rq)
{
	struct store_queue_set q = { 0 };
	struct span how = SPAN_NONE;
	struct place at = { 0 };

	if (!need_id(rq, &at))
		return;
	(void)json_get_string(rq->args, "how", &how);
	q.account = at.account;
	q.id = at.id;
	if (span_eq_str(how, "retry"))
		q.how = QUEUE_LATER;
	else if (span_eq_str(how, "delete"))
		q.how = QUEUE_DONE;
	else if (span_eq_str(how, "return"))
		q.how = QUEUE_RETURN;
	if (q.how == 0)
		request_fail(rq, ST_SYNTAX, "how is none of retry, delete, return");
	else
		rq->ask = store_ask_queue_set(rq->admind->pool, at.shard, &q, on_set, rq);
}

const struct admin_command admin_cmds_queue[] = {
	{ "queue-list", queue_list, NULL },
	{ "queue-show", queue_show, NULL },
	{ "queue-set", queue_set, NULL },
	{ NULL, NULL, NULL }
};
