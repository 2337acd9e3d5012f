#include "t/unit/storage/sievekit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

void
delivery_body(struct delivery *d, uint64_t size, char letter)
{
	char sha[32];
	const struct op_append_item it = { .received_s = INT64_MIN, .size = size,
		.sha256 = span(sha, sizeof(sha)), .list = SPAN_LIT("list"),
		.structure = SPAN_LIT("structure"), .pieces = 1 };

	memset(sha, letter, sizeof(sha));
	put_op_append_item(&d->bodies, &it);
	d->n_bodies++;
}

void
delivery_at(struct delivery *d, const char *path, bool create)
{
	put_store_deliver_place(&d->places, &(struct store_deliver_place){
		.path = span_str(path), .create = create });
}

void
delivery_key(struct delivery *d, uint8_t kind, char letter, bool known, uint64_t remember_s)
{
	char key[STORE_SIEVE_KEY];

	memset(key, letter, sizeof(key));
	put_store_deliver_key(&d->keys, &(struct store_deliver_key){ kind,
		span(key, sizeof(key)), known, remember_s });
}

static void
put_rcpt(struct buf *b, const char *address)
{
	put_store_queue_rcpt(b, &(struct store_queue_rcpt){ .address = span_str(address) });
}

void
delivery_queue(struct delivery *d, uint8_t kind, const char *to)
{
	struct buf rcpts = { 0 };

	put_rcpt(&rcpts, to);
	put_store_queue_new(&d->queue, &(struct store_queue_new){ .kind = kind,
		.env = { .from = SPAN_LIT("me@here.test"), .rcpts = buf_span(&rcpts) } });
	buf_fini(&rcpts);
}

enum status
delivery_run(struct kit *k, struct delivery *d)
{
	struct op op = kit_op(k, d->of_uid != 0 ? OP_DELIVER_OF : OP_DELIVER);
	enum status st;

	if (d->who != 0)
		op.head.who = d->who;
	op.u.deliver = (struct op_deliver){ buf_span(&d->keywords), buf_span(&d->bodies),
		buf_span(&d->places), buf_span(&d->keys), buf_span(&d->queue), d->keys_max,
		d->queue_max, d->queue_bytes, d->of_mailbox, d->of_uid, d->flags_add,
		d->flags_remove };
	st = kit_apply(k, &op);
	buf_fini(&d->keywords);
	buf_fini(&d->bodies);
	buf_fini(&d->places);
	buf_fini(&d->keys);
	buf_fini(&d->queue);
	*d = (struct delivery){ .n_bodies = 0 };
	return st;
}

struct store_delivered_place
delivered(struct kit *k, unsigned n)
{
	struct store_delivered_place p;
	struct store_delivered is;
	struct reader r;

	kit_reply(k, STORE_DELIVERED, &is);
	reader_init(&r, is.places.p, is.places.len);
	for (unsigned i = 0; i <= n; i++)
		assert_true(get_store_delivered_place(&r, &p));
	return p;
}

unsigned
delivered_places(struct kit *k)
{
	struct store_delivered_place p;
	struct store_delivered is;
	struct reader r;
	unsigned n = 0;

	kit_reply(k, STORE_DELIVERED, &is);
	reader_init(&r, is.places.p, is.places.len);
	while (get_store_delivered_place(&r, &p))
		n++;
	assert_true(reader_done(&r));
	return n;
}

uint64_t
delivered_entry(struct kit *k, unsigned n)
{
	struct store_delivered is;

	kit_reply(k, STORE_DELIVERED, &is);
	assert_true(is.queued.len >= (n + 1) * 8);
	return get_be64(is.queued.p + (size_t)n * 8);
}

bool
key_known(struct kit *k, uint8_t kind, char letter)
{
	char key[STORE_SIEVE_KEY];
	struct buf keys = { 0 }, out = { 0 };
	bool known;

	memset(key, letter, sizeof(key));
	put_store_sieve_key(&keys, &(struct store_sieve_key){ kind, span(key, sizeof(key)) });
	OK(state_sieve_keys(k->s, k->account, buf_span(&keys), k->time_ms, &out));
	assert_int_equal(out.len, 1);
	known = out.data[0] == 1;
	buf_fini(&keys);
	buf_fini(&out);
	return known;
}

enum status
script_put(struct kit *k, const char *name, const char *text, bool activate)
{
	struct op op = kit_op(k, OP_SCRIPT_SET);

	op.u.script_set = (struct op_script_set){ .how = SCRIPT_PUT, .name = span_str(name),
		.text = span_str(text), .activate = activate, .count_max = 3, .size_max = 20,
		.bytes_max = 50 };
	return kit_apply(k, &op);
}

enum status
script_set(struct kit *k, uint8_t how, const char *name, const char *to)
{
	struct op op = kit_op(k, OP_SCRIPT_SET);

	op.u.script_set = (struct op_script_set){ .how = how, .name = span_str(name),
		.to = span_str(to) };
	return kit_apply(k, &op);
}

const char *
script_text(struct kit *k, const char *name)
{
	static char out[128];
	const struct store_script_get rq = { .name = span_str(name) };
	struct buf script = { 0 }, text = { 0 };
	bool same;
	enum status st = state_script(k->s, k->account, &rq, &script, &text, &same);

	if (st == ST_OK)
		snprintf(out, sizeof(out), "%.*s", (int)text.len, text.data);
	else
		assert_int_equal(st, ST_NOT_FOUND);
	buf_fini(&script);
	buf_fini(&text);
	return st == ST_OK ? out : NULL;
}

enum status
queue_set(struct kit *k, uint8_t how, uint64_t id, uint32_t attempt, int64_t next_ms,
    const char *rcpt)
{
	struct op op = kit_op(k, OP_QUEUE);
	struct buf rcpts = { 0 };
	enum status st;

	if (rcpt != NULL)
		put_rcpt(&rcpts, rcpt);
	op.u.queue = (struct op_queue){ how, id, attempt, next_ms, buf_span(&rcpts),
		SPAN_LIT("451 not now") };
	st = kit_apply(k, &op);
	buf_fini(&rcpts);
	return st;
}

unsigned
kit_rows(struct kit *k, const char *table)
{
	struct engine_cursor *c;
	unsigned n = 0, t = 0;

	while (strcmp(state_tables[t], table) != 0)
		t++;
	OK(engine_cursor_open(k->e, NULL, t, SPAN_NONE, &c));
	while (engine_cursor_next(c, NULL, NULL) == ST_OK)
		n++;
	engine_cursor_close(&c);
	return n;
}
