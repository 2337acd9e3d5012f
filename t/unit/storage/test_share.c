/* Sharing: rights by the state alone, three users beside a model of them; a reader's own
 * \Seen; channels to another account.  MANSIO_SEED sets another seed, MANSIO_OPS another
 * number of operations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/util/mem.h"
#include "t/unit/storage/rig.h"
#include "t/unit/storage/statekit.h"

static struct kit *const k = &kit_one;

#define OWNER 7u

/* libdb forgets its buffers when it panics. */
const char *__lsan_default_suppressions(void);
const char *
__lsan_default_suppressions(void)
{
	return "leak:__os_malloc\n";
}

static uint64_t rnd_state;

static uint32_t
rnd(uint32_t below)
{
	rnd_state = rnd_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(rnd_state >> 33) % below;
}

static int
kit_setup(void **state)
{
	memset(k, 0, sizeof(*k));
	k->account = OWNER;
	kit_open(k);
	OK(kit_account(k, OWNER));
	return 0;
}

static int
kit_teardown(void **state)
{
	kit_check(k);
	kit_close(k);
	return 0;
}

/* The next operations are asked for by another. */
static enum status
as(uint64_t who, struct op *op)
{
	static unsigned char groups[8];

	op->head.who = who;
	if (who != OWNER) {
		put_be64(groups, 100 + who % 2);	/* of two groups each is in one */
		op->head.groups = span(groups, 8);
	}
	return kit_apply(k, op);
}

static enum status
set_acl(uint64_t who, const char *path, struct store_acl e, bool negative)
{
	struct op op = kit_op(k, OP_ACL_SET);

	op.u.acl_set = (struct op_acl_set){ .path = span_str(path), .kind = e.kind, .id = e.id,
		.how = ACL_REPLACE, .negative = negative, .rights = negative ? e.minus : e.rights };
	return as(who, &op);
}

static enum status
flag(uint64_t who, uint64_t mailbox, uint32_t uid, uint8_t how, unsigned system)
{
	struct op op = kit_op(k, OP_FLAGS);
	struct uidset set = { 0 };
	struct buf b = { 0 };
	enum status st;

	uidset_add(&set, uid);
	uidset_encode(&set, &b);
	op.u.flags = (struct op_flags){ .mailbox = mailbox, .uids = buf_span(&b), .how = how,
		.system = (uint8_t)system, .unchanged_since = UINT64_MAX };
	st = as(who, &op);
	uidset_fini(&set);
	buf_fini(&b);
	return st;
}

/* One message's row as somebody is shown it. */
static struct store_row
row_of(uint64_t who, uint64_t mailbox, uint32_t uid)
{
	struct store_row row = { 0 };
	struct uidset set = { 0 };
	struct buf rows = { 0 }, own = { 0 };
	uint32_t resume = 0;
	struct reader r;

	uidset_add(&set, uid);
	OK(state_rows(k->s, OWNER, mailbox, &set, ROW_FLAGS, 10000, &resume, &rows));
	if (who != OWNER)
		OK(state_reader_rows(k->s, OWNER, mailbox, who, ROW_FLAGS, buf_span(&rows), &own));
	reader_init(&r, who != OWNER ? own.data : rows.data, who != OWNER ? own.len : rows.len);
	assert_true(get_store_row(&r, &row, ROW_FLAGS));
	buf_fini(&rows);
	buf_fini(&own);
	uidset_fini(&set);
	return row;
}

static void
each_operation_asks_for_its_right(void **state)
{
	uint64_t in;
	struct op op;
	struct buf uids = { 0 };
	struct uidset one = { 0 };

	OK(kit_create(k, "Team"));
	OK(kit_append(k, "Team", 3, 100, FLAG_DELETED, NULL, 0));
	in = kit_mailbox(k, "Team");
	uidset_add(&one, 1);
	uidset_encode(&one, &uids);
#define TRY_AS_8(kind, setup) (op = kit_op(k, kind), setup, as(8, &op))
#define MAKE (op.u.mailbox_create = (struct op_mailbox_create){ SPAN_LIT("Team/x"), 0 })
#define DROP (op.u.mailbox_delete = (struct op_mailbox_delete){ SPAN_LIT("Team/x") })
#define EXPUNGE (op.u.expunge = (struct op_expunge){ in, buf_span(&uids) })
#define COPY (op.u.copy = (struct op_copy){ in, buf_span(&uids), SPAN_LIT("Team"), false })
#define MOVE (op.u.copy = (struct op_copy){ in, buf_span(&uids), SPAN_LIT("Team"), true })
#define SUBSCRIBE (op.u.subscribe = (struct op_subscribe){ SPAN_LIT("Team"), true })
#define ADMIN (op.u.acl_set = (struct op_acl_set){ SPAN_LIT("Team"), ACL_ANYONE, 0, false, \
    ACL_REPLACE, RIGHT_ALL })
	/* nothing is known of it, nor of what is not there */
	IS(TRY_AS_8(OP_MAILBOX_CREATE, MAKE), ST_NOT_FOUND);
	IS(TRY_AS_8(OP_EXPUNGE, EXPUNGE), ST_NOT_FOUND);
	IS(TRY_AS_8(OP_COPY, COPY), ST_NOT_FOUND);
	IS(TRY_AS_8(OP_ACL_SET, ADMIN), ST_NOT_FOUND);
	IS(flag(8, in, 1, FLAGS_ADD, FLAG_SEEN), ST_NOT_FOUND);
	OK(kit_share(k, "Team", 8, RIGHT_LOOKUP));
	IS(TRY_AS_8(OP_MAILBOX_CREATE, MAKE), ST_DENIED);
	IS(TRY_AS_8(OP_EXPUNGE, EXPUNGE), ST_DENIED);
	IS(TRY_AS_8(OP_COPY, COPY), ST_DENIED);
	IS(TRY_AS_8(OP_ACL_SET, ADMIN), ST_DENIED);
	IS(TRY_AS_8(OP_SUBSCRIBE, SUBSCRIBE), ST_DENIED);
	IS(flag(8, in, 1, FLAGS_ADD, FLAG_SEEN), ST_DENIED);
	OK(kit_share(k, "Team", 8, RIGHT_LOOKUP | RIGHT_CREATE));
	OK(TRY_AS_8(OP_MAILBOX_CREATE, MAKE));
	IS(TRY_AS_8(OP_MAILBOX_DELETE, DROP), ST_DENIED);
	/* the new one took the rights of the one above it over */
	OK(kit_share(k, "Team/x", 8, RIGHT_DELETE_MAILBOX));
	OK(TRY_AS_8(OP_MAILBOX_DELETE, DROP));
	OK(kit_share(k, "Team", 8, RIGHT_LOOKUP | RIGHT_READ));
	IS(TRY_AS_8(OP_COPY, COPY), ST_DENIED);
	OK(kit_share(k, "Team", 8, RIGHT_LOOKUP | RIGHT_READ | RIGHT_INSERT));
	OK(TRY_AS_8(OP_COPY, COPY));
	IS(TRY_AS_8(OP_COPY, MOVE), ST_DENIED);
	OK(kit_share(k, "Team", 8, RIGHT_EXPUNGE));
	OK(TRY_AS_8(OP_EXPUNGE, EXPUNGE));
	OK(kit_share(k, "Team", 8, RIGHT_ADMIN));
	OK(TRY_AS_8(OP_ACL_SET, ADMIN));
	IS(kit_share(k, "Team", OWNER, RIGHT_LOOKUP), ST_CONFLICT);
	OK(kit_delete(k, "Team"));
	buf_fini(&uids);
	uidset_fini(&one);
}

static void
a_reader_marks_what_he_has_seen_for_himself(void **state)
{
	uint64_t in = kit_mailbox(k, "INBOX");
	struct state_changes c = { 0 };
	struct store_opened o = { .mailbox = in };
	uint64_t shared;

	OK(kit_append(k, "INBOX", 3, 100, 0, NULL, 0));
	OK(kit_share(k, "INBOX", 8, RIGHT_LOOKUP | RIGHT_READ | RIGHT_SEEN));
	OK(kit_share(k, "INBOX", 9, RIGHT_LOOKUP | RIGHT_READ | RIGHT_SEEN | RIGHT_WRITE));
	shared = row_of(OWNER, in, 2).modseq;
	OK(flag(8, in, 2, FLAGS_ADD, FLAG_SEEN | FLAG_FLAGGED));
	assert_true(k->r.own_only);
	IS(flags_get_system(row_of(8, in, 2).flags), FLAG_SEEN);
	IS(flags_get_system(row_of(9, in, 2).flags), 0);
	IS(flags_get_system(row_of(OWNER, in, 2).flags), 0);
	IS(row_of(OWNER, in, 2).modseq, shared);
	assert_true(row_of(8, in, 2).modseq > shared);
	OK(state_changes(k->s, OWNER, in, shared, 100, &c));
	assert_true(uidset_empty(&c.changed));
	OK(state_reader_changes(k->s, OWNER, in, 9, shared, &c));
	assert_true(uidset_empty(&c.changed));
	OK(state_reader_changes(k->s, OWNER, in, 8, shared, &c));
	IS(uidset_count(&c.changed), 1);
	assert_true(uidset_has(&c.changed, 2));
	IS(c.highestmodseq, row_of(8, in, 2).modseq);
	/* the owner's \Seen is nobody else's, other flags are shared */
	OK(flag(OWNER, in, 3, FLAGS_ADD, FLAG_SEEN));
	OK(flag(9, in, 1, FLAGS_REPLACE, FLAG_SEEN | FLAG_ANSWERED));
	assert_false(k->r.own_only);
	IS(flags_get_system(row_of(9, in, 1).flags), FLAG_SEEN | FLAG_ANSWERED);
	IS(flags_get_system(row_of(8, in, 1).flags), FLAG_ANSWERED);
	IS(flags_get_system(row_of(8, in, 3).flags), 0);
	OK(state_reader_open(k->s, OWNER, 8, &o));
	IS(o.unseen_first, 1);
	OK(state_reader_open(k->s, OWNER, 9, &o));
	IS(o.unseen_first, 2);
	/* RFC 4314 §4: none of what is named may be changed */
	IS(flag(8, in, 1, FLAGS_ADD, FLAG_FLAGGED), ST_DENIED);
	state_changes_fini(&c);
}

/* ---- the model: rights of three users by the words of RFC 4314 ---- */

#define BOXES 4
static const char *const box_names[BOXES] = { "A", "A/B", "A/B/C", "D" };
static struct {
	bool		here;
	/* user 8, 9, 10, group 100, group 101, anyone */
	uint32_t	plus[6], minus[6];
} boxes[BOXES];

static struct store_acl
identity(unsigned i)
{
	if (i < 3)
		return (struct store_acl){ .kind = ACL_USER, .id = 8 + i };
	if (i < 5)
		return (struct store_acl){ .kind = ACL_GROUP, .id = 100 + i - 3 };
	return (struct store_acl){ .kind = ACL_ANYONE };
}

static uint32_t
model_rights(unsigned box, uint64_t who)
{
	unsigned user = (unsigned)who - 8, group = 3 + who % 2;
	uint32_t plus, minus;

	if (who == OWNER)
		return RIGHT_ALL;
	if (!boxes[box].here)
		return 0;
	plus = boxes[box].plus[user] | boxes[box].plus[group] | boxes[box].plus[5];
	minus = boxes[box].minus[user] | boxes[box].minus[group] | boxes[box].minus[5];
	return plus & ~minus;
}

static enum status
model_need(unsigned box, uint64_t who, uint32_t need)
{
	uint32_t have = model_rights(box, who);

	if (!boxes[box].here)
		return ST_NOT_FOUND;
	if ((have & need) == need)
		return ST_OK;
	return have & RIGHT_LOOKUP ? ST_DENIED : ST_NOT_FOUND;
}

static void
random_acl(uint64_t who, unsigned box)
{
	unsigned i = rnd(6);
	struct store_acl e = identity(i);
	bool negative = rnd(4) == 0;
	enum status want = model_need(box, who, RIGHT_ADMIN);

	e.rights = e.minus = rnd(3) == 0 ? 0 : (rnd(2) == 0 ? RIGHT_ALL : rnd(RIGHT_ALL + 1) & RIGHT_ALL);
	IS(set_acl(who, box_names[box], e, negative), want);
	if (want == ST_OK)
		*(negative ? &boxes[box].minus[i] : &boxes[box].plus[i]) = e.rights;
}

static int
above(unsigned box)
{
	return box == 1 || box == 2 ? (int)box - 1 : -1;
}

static void
random_create(uint64_t who, unsigned box)
{
	struct op op = kit_op(k, OP_MAILBOX_CREATE);
	int up = above(box);
	enum status want = ST_OK;

	if (up >= 0 && !boxes[up].here)
		return;
	if (who != OWNER)
		want = up < 0 ? ST_NOT_FOUND : model_need((unsigned)up, who, RIGHT_CREATE);
	if (want == ST_OK && boxes[box].here)
		want = ST_EXISTS;
	op.u.mailbox_create.path = span_str(box_names[box]);
	IS(as(who, &op), want);
	if (want != ST_OK)
		return;
	memset(&boxes[box], 0, sizeof(boxes[box]));
	if (up >= 0)
		boxes[box] = boxes[up];
	boxes[box].here = true;
	if (who == OWNER)
		OK(kit_append(k, box_names[box], 2, 10, 0, NULL, 0));
}

static void
random_delete(uint64_t who, unsigned box)
{
	struct op op = kit_op(k, OP_MAILBOX_DELETE);
	enum status want = model_need(box, who, RIGHT_DELETE_MAILBOX);

	if (want == ST_OK && box < 2 && boxes[box + 1].here)
		want = ST_CONFLICT;
	op.u.mailbox_delete.path = span_str(box_names[box]);
	IS(as(who, &op), want);
	if (want == ST_OK)
		boxes[box].here = false;
}

static void
random_append(uint64_t who, unsigned box)
{
	enum status want = model_need(box, who, RIGHT_INSERT);
	struct op_head head = k->head;
	struct op op = kit_op(k, OP_APPEND);
	unsigned char sum[32] = { 1 };
	struct op_append_item it = { .received_s = 1, .size = 10, .sha256 = span(sum, 32),
		.pieces = 1 };
	struct buf items = { 0 };

	/* without a body: a refusal for the right comes before that for the pieces */
	put_op_append_item(&items, &it);
	op.u.append = (struct op_append){ .path = span_str(box_names[box]),
		.items = buf_span(&items) };
	k->head = head;
	if (want != ST_OK)
		IS(as(who, &op), want);
	buf_fini(&items);
}

static void
compare(void)
{
	for (uint64_t who = 8; who <= 10; who++) {
		unsigned char g[8];
		const struct state_asker by = { who, span(g, 8) };
		struct buf list = { 0 };
		struct store_mailbox m;
		struct reader r;
		unsigned seen = 0, want = 0;
		uint32_t rights;

		put_be64(g, 100 + who % 2);
		for (unsigned b = 0; b < BOXES; b++) {
			uint64_t id = boxes[b].here ? kit_mailbox(k, box_names[b]) : 0;

			want += (model_rights(b, who) & RIGHT_LOOKUP) != 0;
			if (id == 0)
				continue;
			OK(state_rights(k->s, OWNER, id, &by, &rights));
			IS(rights, model_rights(b, who));
		}
		OK(state_reader_list(k->s, OWNER, &by, SPAN_NONE, &list));
		reader_init(&r, list.data, list.len);
		while (get_store_mailbox(&r, &m))
			seen += m.id != 0;
		IS(seen, want);
		buf_clear(&list);
		{
			uint64_t after = 0;

			OK(state_shared(k->s, &by, &after, 100, &list));
			IS(list.len, want > 0 ? 8 : 0);
		}
		buf_fini(&list);
	}
}

static void
rights_are_those_of_the_model(void **state)
{
	const char *seed = getenv("MANSIO_SEED"), *ops = getenv("MANSIO_OPS");
	unsigned n = ops != NULL ? (unsigned)atoi(ops) : 600;
	struct kit second = { .account = OWNER };

	rnd_state = seed != NULL ? strtoull(seed, NULL, 10) : 4314;
	memset(boxes, 0, sizeof(boxes));
	for (unsigned i = 0; i < n; i++) {
		uint64_t who = rnd(3) == 0 ? OWNER : 8 + rnd(3);
		unsigned box = rnd(BOXES);

		switch (rnd(8)) {
		case 0: case 1: random_create(who, box); break;
		case 2: random_delete(who, box); break;
		case 3: random_append(who, box); break;
		default: random_acl(who, box); break;
		}
		if (i % 20 == 0)
			compare();
	}
	compare();
	kit_check(k);
	/* and a replay comes to the same rows */
	kit_open(&second);
	kit_replay(&second, k, 7);
	kit_same(k, &second);
	kit_close(&second);
}

/* ---- channels ---- */

static struct rig rig;
static struct answer a, b;

static int
rig_setup(void **state)
{
	rig_init(&rig);
	rig_start(&rig);
	a = b = (struct answer){ 0 };
	return 0;
}

static int
rig_teardown(void **state)
{
	rig_run(&rig, 1);
	rig_fini(&rig);
	answer_fini(&a);
	answer_fini(&b);
	return 0;
}

static void
on_event(void *arg, enum store_event ev, uint64_t modseq)
{
	unsigned *events = arg;

	events[ev]++;
}

static struct store *
shared_channel(uint64_t who, uint64_t owner, uint32_t shard, unsigned *events)
{
	struct ticket t = rig_ticket(&rig, who);
	unsigned char bytes[TICKET_LEN];

	t.shard = shard;
	return store_open_shared(rig.pool, RIG_SHARD, rig_sign(&rig, &t, bytes), owner, on_event,
	    events);
}

static enum status
share(struct store *s, const char *path, uint64_t with, uint32_t rights)
{
	const struct store_acl_set rq = { .path = span_str(path), .kind = ACL_USER, .id = with,
		.how = ACL_REPLACE, .rights = rights };
	unsigned n = a.n;

	rig_expect(0);
	store_do_acl_set(s, &rq, rig_done, &a);
	rig_wait(&rig, &a, n + 1);
	return a.st;
}

static unsigned
owners_for(struct store *s)
{
	const struct store_shared rq = { 0 };
	unsigned n = b.n;

	rig_expect(STORE_SHARED_ARE);
	store_do_shared(s, &rq, rig_done, &b);
	rig_wait(&rig, &b, n + 1);
	IS(b.st, ST_OK);
	return b.body.len > 10 ? 1 : 0;
}

static void
a_stranger_learns_nothing_of_another_account(void **state)
{
	unsigned events[3] = { 0 };
	struct store *owner = rig_channel(&rig, 17, NULL, NULL);
	/* his own account lies on another shard, and is not made here */
	struct store *there = shared_channel(18, 17, 9, events);
	struct store *nowhere = shared_channel(18, 4711, 9, events);
	struct store *all[2] = { there, nowhere };
	const struct store_watch watch = { true };
	struct state_account sa;

	IS(rig_append(&rig, owner, "INBOX", SPAN_LIT("x"), &a), ST_OK);
	IS(rig_open(&rig, owner, "INBOX", &a), ST_OK);
	for (unsigned i = 0; i < 2; i++) {
		struct store_rows rows = { .mailbox = a.u.opened.mailbox, .fields = ROW_FLAGS };
		struct store_expunge ex = { .mailbox = a.u.opened.mailbox };
		struct store_list list = { SPAN_NONE };
		struct store_subscribe sub = { .path = SPAN_LIT("INBOX"), .on = true };
		struct store_stage stage = { .stage = 1, .data = SPAN_LIT("x") };

		IS(rig_open(&rig, all[i], "INBOX", &b), ST_NOT_FOUND);
		IS(rig_open(&rig, all[i], "Nothing", &b), ST_NOT_FOUND);
		IS(rig_append(&rig, all[i], "INBOX", SPAN_LIT("x"), &b), ST_NOT_FOUND);
#define ASK(call, want) do {							\
	unsigned n_ = b.n;							\
	rig_expect(0);								\
	call;									\
	rig_wait(&rig, &b, n_ + 1);						\
	IS(b.st, want);								\
} while (0)
		ASK(store_do_rows(all[i], &rows, rig_done, &b), ST_NOT_FOUND);
		ASK(store_do_expunge(all[i], &ex, rig_done, &b), ST_NOT_FOUND);
		ASK(store_do_stage(all[i], &stage, rig_done, &b), ST_NOT_FOUND);
		ASK(store_do_quota(all[i], rig_done, &b), ST_DENIED);
		ASK(store_do_subscribe(all[i], &sub, rig_done, &b), ST_DENIED);
		ASK(store_do_watch(all[i], &watch, rig_done, &b), ST_OK);
		buf_clear(&b.parts);
		rig_expect(STORE_MAILBOXES);
		store_do_list(all[i], &list, rig_done, &b);
		rig_wait(&rig, &b, b.n + 1);
		IS(b.st, ST_OK);
		IS(b.parts.len, 0);
		IS(owners_for(all[i]), 0);
	}
	IS(rig_append(&rig, owner, "INBOX", SPAN_LIT("x"), &b), ST_OK);
	rig_run(&rig, 5);
	IS(events[STORE_EV_DIRTY], 0);
	IS(state_account(service_state(rig.svc), 18, &sa), ST_NOT_FOUND);
	IS(state_account(service_state(rig.svc), 4711, &sa), ST_NOT_FOUND);
	store_close(&owner);
	store_close(&there);
	store_close(&nowhere);
}

/* The marks of the first messages, as columns tell them. */
static unsigned
seen_in_columns(struct store *s, uint64_t mailbox)
{
	struct store_columns rq = { .mailbox = mailbox, .fields = ROW_FLAGS };
	struct store_columns_row row;
	struct answer got = { 0 };
	struct uidset set = { 0 };
	struct buf uids = { 0 };
	struct reader r;
	unsigned seen = 0;

	uidset_add_range(&set, 1, 8);
	uidset_encode(&set, &uids);
	rq.uids = buf_span(&uids);
	rig_expect(STORE_COLUMNS_ARE);
	store_do_columns(s, &rq, rig_done, &got);
	rig_wait(&rig, &got, 1);
	IS(got.st, ST_OK);
	reader_init(&r, got.parts.data, got.parts.len);
	while (get_store_columns_row(&r, &row, ROW_FLAGS, 0))
		if (flags_get_system(row.row.flags) & FLAG_SEEN)
			seen |= 1u << row.uid;
	uidset_fini(&set);
	buf_fini(&uids);
	answer_fini(&got);
	return seen;
}

static void
both_sides_see_each_others_changes(void **state)
{
	unsigned mine[3] = { 0 }, his[3] = { 0 };
	struct store *owner = rig_channel(&rig, 17, on_event, mine);
	struct store *reader = shared_channel(18, 17, RIG_SHARD, his);
	const struct store_watch watch = { true };
	struct store_flags fl = { .how = FLAGS_ADD, .system = FLAG_SEEN,
		.unchanged_since = UINT64_MAX };
	struct uidset one = { 0 };
	struct buf uids = { 0 };

	IS(rig_append(&rig, owner, "INBOX", SPAN_LIT("x"), &a), ST_OK);
	IS(share(owner, "INBOX", 18, RIGHT_LOOKUP | RIGHT_READ | RIGHT_SEEN | RIGHT_INSERT), ST_OK);
	IS(owners_for(reader), 1);
	IS(rig_open(&rig, reader, "INBOX", &b), ST_OK);
	IS(b.u.opened.rights, RIGHT_LOOKUP | RIGHT_READ | RIGHT_SEEN | RIGHT_INSERT);
	fl.mailbox = b.u.opened.mailbox;
	ASK(store_do_watch(owner, &watch, rig_done, &b), ST_OK);
	ASK(store_do_watch(reader, &watch, rig_done, &b), ST_OK);
	IS(rig_append(&rig, reader, "INBOX", SPAN_LIT("y"), &b), ST_OK);
	rig_run(&rig, 5);
	IS(mine[STORE_EV_DIRTY], 1);
	IS(his[STORE_EV_DIRTY], 0);
	IS(rig_append(&rig, owner, "Drafts", SPAN_LIT("y"), &b), ST_OK);
	rig_run(&rig, 5);
	IS(his[STORE_EV_DIRTY], 0);		/* that is not shared */
	IS(rig_append(&rig, owner, "INBOX", SPAN_LIT("y"), &b), ST_OK);
	rig_run(&rig, 5);
	IS(his[STORE_EV_DIRTY], 1);
	/* what he has seen is news for nobody else */
	uidset_add(&one, 1);
	uidset_encode(&one, &uids);
	fl.uids = buf_span(&uids);
	ASK(store_do_flags(reader, &fl, rig_done, &b), ST_OK);
	rig_run(&rig, 5);
	IS(mine[STORE_EV_DIRTY], 1);
	IS(seen_in_columns(reader, fl.mailbox), 1u << 1);
	IS(seen_in_columns(owner, fl.mailbox), 0);
	/* not shared any more: told once, then it is gone for him */
	IS(share(owner, "INBOX", 18, 0), ST_OK);
	rig_run(&rig, 5);
	IS(his[STORE_EV_DIRTY], 2);
	IS(rig_open(&rig, reader, "INBOX", &b), ST_NOT_FOUND);
	IS(rig_append(&rig, reader, "INBOX", SPAN_LIT("z"), &b), ST_NOT_FOUND);
	uidset_fini(&one);
	buf_fini(&uids);
	store_close(&owner);
	store_close(&reader);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_operation_asks_for_its_right, kit_setup,
		    kit_teardown),
		cmocka_unit_test_setup_teardown(a_reader_marks_what_he_has_seen_for_himself,
		    kit_setup, kit_teardown),
		cmocka_unit_test_setup_teardown(rights_are_those_of_the_model, kit_setup,
		    kit_teardown),
		cmocka_unit_test_setup_teardown(a_stranger_learns_nothing_of_another_account,
		    rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(both_sides_see_each_others_changes, rig_setup,
		    rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
