#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/util/mem.h"
#include "t/unit/storage/sieverig.h"

struct rig rig;
struct store *user, *lmtp;

/* What a call came to; the message is kept encoded. */
static struct {
	bool		over;
	enum status	st;
	uint16_t	no;
	struct buf	body;
	unsigned	found, missing;		/* by a search for text, in all parts */
} got;

static unsigned
count(struct span uids)
{
	struct uidset set = { 0 };
	struct reader r;
	unsigned n;

	reader_init(&r, uids.p, uids.len);
	assert_true(uids.len == 0 || uidset_decode(&set, &r, 10));
	n = (unsigned)uidset_count(&set);
	uidset_fini(&set);
	return n;
}

void
on_done(void *arg, enum status st, bool more, const void *msg)
{
	const struct store_text_found *found = msg;

	got.over = !more;
	got.st = st;
	if (st == ST_OK && msg != NULL && got.no == STORE_TEXT_FOUND) {
		got.found += count(found->body);
		got.missing += count(found->missing);
	}
	buf_clear(&got.body);
	if (st == ST_OK && msg != NULL && got.no != 0)
		ipc_encode(ipc_find(&store_protocol, got.no), msg, &got.body);
}

static void
on_event(void *arg, enum store_event ev, uint64_t modseq)
{
}

enum status
wait_for(void)
{
	while (!got.over)
		loop_once(rig.loop, true);
	return got.st;
}

void
expect(uint16_t no)
{
	got.over = false;
	got.no = no;
	got.found = got.missing = 0;
}

void
reply(void *msg)
{
	OK(ipc_decode(ipc_find(&store_protocol, got.no), buf_span(&got.body), msg));
}

struct store *
channel_with(uint8_t role, uint32_t rights)
{
	unsigned char bytes[TICKET_LEN];
	struct ticket t = rig_ticket(&rig, 17);

	t.role = role;
	t.rights = rights;
	return store_open_channel(rig.pool, RIG_SHARD, rig_sign(&rig, &t, bytes), on_event, NULL);
}

struct store *
channel(uint8_t role)
{
	return channel_with(role, RIGHT_ALL);
}

struct store *
stranger(uint64_t account)
{
	unsigned char bytes[TICKET_LEN];
	const struct ticket t = rig_ticket(&rig, account);

	return store_open_shared(rig.pool, RIG_SHARD, rig_sign(&rig, &t, bytes), 17, on_event,
	    NULL);
}

int
set_up_here(void **state)
{
	rig_init(&rig);
	rig_start(&rig);
	user = channel(STORE_ROLE_ACCESS);
	lmtp = channel(STORE_ROLE_DELIVER);
	return 0;
}

int
set_up_apart(void **state)
{
	rig_init(&rig);
	rig_fork(&rig);			/* its socket has the role of a login */
	user = channel(STORE_ROLE_ACCESS);
	return 0;
}

int
tear_down(void **state)
{
	store_close(&user);
	store_close(&lmtp);
	rig_fini(&rig);
	buf_fini(&got.body);
	return 0;
}

bool
known(struct store *s, char letter)
{
	char key[STORE_SIEVE_KEY];
	struct store_sieve_keys_are are;
	struct store_sieve_keys rq;
	struct buf b = { 0 };

	memset(key, letter, sizeof(key));
	put_store_sieve_key(&b, &(struct store_sieve_key){ SIEVE_KEY_VACATION,
		span(key, sizeof(key)) });
	rq.keys = buf_span(&b);
	expect(STORE_SIEVE_KEYS_ARE);
	store_do_sieve_keys(s, &rq, on_done, NULL);
	OK(wait_for());
	reply(&are);
	assert_int_equal(are.known.len, 1);
	buf_fini(&b);
	return are.known.p[0] == 1;
}

void
order_place(struct order *o, uint8_t body, const char *path)
{
	put_store_deliver_place(&o->places, &(struct store_deliver_place){ .body = body,
		.path = span_str(path), .create = true });
}

void
order_answer(struct order *o, uint8_t body, char letter)
{
	char key[STORE_SIEVE_KEY];
	struct buf rcpts = { 0 };

	memset(key, letter, sizeof(key));
	put_store_deliver_key(&o->keys, &(struct store_deliver_key){ SIEVE_KEY_VACATION,
		span(key, sizeof(key)), false, 3600 });
	put_store_queue_rcpt(&rcpts, &(struct store_queue_rcpt){ .address =
		SPAN_LIT("you@there.test") });
	put_store_queue_new(&o->queue, &(struct store_queue_new){ .kind = QUEUE_VACATION,
		.body = body, .env.rcpts = buf_span(&rcpts) });
	buf_fini(&rcpts);
}

void
order_send(struct store *s, struct order *o)
{
	const struct store_deliver rq = { .bodies = buf_span(&o->bodies),
		.places = buf_span(&o->places), .keys = buf_span(&o->keys),
		.queue = buf_span(&o->queue), .of_mailbox = o->of_mailbox, .of_uid = o->of_uid,
		.flags_add = o->flags_add };

	expect(STORE_DELIVERED);
	store_do_deliver(s, &rq, on_done, NULL);
	buf_fini(&o->bodies);
	buf_fini(&o->places);
	buf_fini(&o->keys);
	buf_fini(&o->queue);
	*o = (struct order){ 0 };
}

unsigned
messages_in(const char *path)
{
	struct answer a = { 0 };
	unsigned n;

	OK(rig_open(&rig, user, path, &a));
	n = (unsigned)uidset_count(&a.uids);
	answer_fini(&a);
	return n;
}

void
stage(struct store *s, uint32_t no, char letter, size_t bytes)
{
	char *text = mem_alloc(bytes);

	memset(text, letter, bytes);
	store_do_stage(s, &(struct store_stage){ no, 0, span(text, bytes) }, NULL, NULL);
	mem_free(&text);
}

void
order_through_a_kill(struct order *o, unsigned rounds, char letter, const char *path,
    unsigned messages)
{
	order_send(user, o);
	rig_run(&rig, rounds);
	rig_kill(&rig);
	rig_fork(&rig);
	OK(wait_for());
	assert_true(known(user, letter));
	assert_int_equal(messages_in(path), messages);
}

void
put_with_text(struct buf *bodies, const char *word)
{
	struct store_text text = { .version = 1, .header = SPAN_LIT("subject"),
		.body = span_str(word) };
	struct store_append_item it;
	struct buf one = { 0 }, t = { 0 };
	struct reader r;

	rig_item(&one, span_str(word), 0, flags_system(0));
	reader_init(&r, one.data, one.len);
	assert_true(get_store_append_item(&r, &it));
	put_store_text(&t, &text);
	it.text = buf_span(&t);
	put_store_append_item(bodies, &it);
	buf_fini(&one);
	buf_fini(&t);
}

void
expect_found(uint64_t mailbox, const char *word, bool is_there)
{
	struct store_text_find rq = { .mailbox = mailbox, .version = 1 };
	struct buf needles = { 0 }, uids = { 0 };
	struct uidset one = { 0 };

	put_store_needle(&needles, &(struct store_needle){ false, span_str(word) });
	uidset_add(&one, 1);
	uidset_encode(&one, &uids);
	rq.needles = buf_span(&needles);
	rq.uids = buf_span(&uids);
	expect(STORE_TEXT_FOUND);
	store_do_text_find(user, &rq, on_done, NULL);
	OK(wait_for());
	assert_int_equal(got.found, is_there);
	assert_int_equal(got.missing, 0);
	uidset_fini(&one);
	buf_fini(&needles);
	buf_fini(&uids);
}
