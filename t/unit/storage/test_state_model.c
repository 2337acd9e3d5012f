/* Random operations beside a model that is too simple to be wrong.  MANSIO_SEED sets
 * another seed, MANSIO_OPS another number of operations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/util/mem.h"
#include "t/unit/storage/engines.h"
#include "t/unit/storage/statekit.h"

static struct kit *const k = &kit_one;

#define MAILBOXES 5
#define ROWS_MAX 4000		/* uids of a mailbox */

static const char *const names[MAILBOXES] = { "INBOX", "Trash", "Work", "Work/Sub", "Old" };
static const char *const keywords[3] = { "$One", "$Two", "$Three" };

struct row {
	bool		here;
	unsigned	system, keyword;	/* bits */
	uint64_t	modseq, message;
	uint32_t	size;
};

struct box {
	bool		here;
	uint64_t	id;
	uint32_t	uidvalidity, uidnext;
	uint64_t	highestmodseq;
	struct row	rows[ROWS_MAX];
	/* As it was seen at some time. */
	uint64_t	seen_modseq;
	bool		seen[ROWS_MAX];
};

static struct box boxes[MAILBOXES];
static struct state_known known[MAILBOXES];	/* also of one that is gone by now */
static uint64_t modseq;
static uint64_t rnd_state;

static uint32_t
rnd(uint32_t below)
{
	rnd_state = rnd_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(rnd_state >> 33) % below;
}

static unsigned
table_bit(const char *name)
{
	struct buf b = { 0 };
	struct span have;
	struct reader r;
	unsigned bit = 0;

	OK(state_keywords(k->s, 7, 0, &b));
	reader_init(&r, b.data, b.len);
	while (get_store_keyword(&r, &have) && !span_eq_str(have, name))
		bit++;
	buf_fini(&b);
	return bit;
}

/* A random set of existing and missing uids, as text. */
static void
pick(const struct box *b, bool *in, char *text, size_t size)
{
	uint32_t lo = 1 + rnd(b->uidnext), hi = lo + rnd(30), more = 1 + rnd(b->uidnext);

	memset(in, 0, ROWS_MAX);
	for (uint32_t u = lo; u <= hi && u < ROWS_MAX; u++)
		in[u] = true;
	in[more] = true;
	snprintf(text, size, "%u:%u,%u", lo, hi, more);
}

static void
do_append(struct box *b, const char *name)
{
	unsigned n = 1 + rnd(4), sys = rnd(32), kw = rnd(6);
	uint32_t size = rnd(5000);

	if (b->here && b->uidnext + n >= ROWS_MAX - 40)
		return;
	assert_int_equal(kit_append(k, name, n, size, sys, kw < 3 ? keywords[kw] : NULL, rnd(40)),
	    b->here ? ST_OK : ST_NOT_FOUND);
	if (!b->here)
		return;
	modseq++;
	assert_int_equal(k->r.uid, b->uidnext);
	for (unsigned i = 0; i < n; i++)
		b->rows[b->uidnext++] = (struct row){ true, sys, kw < 3 ? 1u << kw : 0, modseq, 0,
			size };
	b->highestmodseq = modseq;
}

static void
do_flags(struct box *b)
{
	bool in[ROWS_MAX];
	char text[64];
	unsigned sys = rnd(32), kw = rnd(6), how = FLAGS_ADD + rnd(3);
	unsigned kwbit = kw < 3 ? 1u << kw : 0;
	uint64_t since = rnd(3) == 0 ? modseq - rnd(20) : UINT64_MAX;
	bool changed = false;

	if (!b->here)
		return;
	pick(b, in, text, sizeof(text));
	OK(kit_flags(k, b->id, text, (uint8_t)how, sys, kw < 3 ? keywords[kw] : NULL, since));
	for (uint32_t u = 1; u < b->uidnext; u++) {
		struct row *r = &b->rows[u], new = *r;

		if (!in[u] || !r->here || r->modseq > since)
			continue;
		new.system = how == FLAGS_ADD ? r->system | sys :
		    how == FLAGS_REMOVE ? r->system & ~sys : sys;
		new.keyword = how == FLAGS_ADD ? r->keyword | kwbit :
		    how == FLAGS_REMOVE ? r->keyword & ~kwbit : kwbit;
		if (new.system == r->system && new.keyword == r->keyword)
			continue;
		new.modseq = modseq + 1;
		*r = new;
		changed = true;
	}
	assert_int_equal(k->r.changed, changed);
	if (changed)
		b->highestmodseq = ++modseq;
}

static void
do_expunge(struct box *b)
{
	bool in[ROWS_MAX], changed = false;
	char text[64];

	if (!b->here)
		return;
	pick(b, in, text, sizeof(text));
	OK(kit_expunge(k, b->id, text));
	for (uint32_t u = 1; u < b->uidnext; u++) {
		struct row *r = &b->rows[u];

		if (!in[u] || !r->here || !(r->system & FLAG_DELETED))
			continue;
		r->here = false;
		changed = true;
	}
	if (changed)
		b->highestmodseq = ++modseq;
}

static void
do_copy(struct box *b, struct box *to, const char *name, bool move)
{
	bool in[ROWS_MAX], changed = false;
	char text[64];
	uint32_t end = b->uidnext;

	if (!b->here || to->uidnext > ROWS_MAX - 80)
		return;
	pick(b, in, text, sizeof(text));
	assert_int_equal(kit_copy(k, b->id, text, name, move), to->here ? ST_OK : ST_NOT_FOUND);
	if (!to->here)
		return;
	for (uint32_t u = 1; u < end; u++) {
		struct row *r = &b->rows[u];

		if (!in[u] || !r->here)
			continue;
		to->rows[to->uidnext] = *r;
		to->rows[to->uidnext++].modseq = modseq + 1;
		if (move)
			r->here = false;
		changed = true;
	}
	if (!changed)
		return;
	to->highestmodseq = ++modseq;
	if (move)
		b->highestmodseq = modseq;
}

static void
do_create(struct box *b, const char *name)
{
	struct store_created c;
	bool sub = strcmp(name, "Work/Sub") == 0;

	assert_int_equal(kit_create(k, name), b->here ? ST_EXISTS : ST_OK);
	if (b->here)
		return;
	modseq++;
	kit_reply(k, STORE_CREATED, &c);
	memset(b, 0, sizeof(*b));
	b->here = true;
	b->id = c.mailbox;
	b->uidvalidity = c.uidvalidity;
	b->uidnext = 1;
	b->highestmodseq = b->seen_modseq = modseq;
	if (sub && !boxes[2].here) {
		memset(&boxes[2], 0, sizeof(boxes[2]));
		boxes[2].here = true;
		boxes[2].id = kit_mailbox(k, "Work");
		boxes[2].uidvalidity = c.uidvalidity - 1;
		boxes[2].uidnext = 1;
		boxes[2].highestmodseq = boxes[2].seen_modseq = modseq;
	}
}

static void
do_delete(struct box *b, const char *name)
{
	enum status want = b == &boxes[0] ? ST_DENIED : !b->here ? ST_NOT_FOUND :
	    b == &boxes[2] && boxes[3].here ? ST_CONFLICT : ST_OK;

	assert_int_equal(kit_delete(k, name), want);
	if (want != ST_OK)
		return;
	assert_false(k->r.more);
	b->here = false;
	modseq++;
}

/* ---- comparing ---- */

static void
compare_counters(const struct box *b, const char *name)
{
	struct store_mailbox m = { 0 };
	struct buf out = { 0 };
	uint32_t resume = 0, messages = 0, unseen = 0, deleted = 0;
	uint64_t bytes = 0;
	struct reader r;

	OK(state_mailboxes(k->s, 7, span_str(name), 1000, &resume, &out));
	reader_init(&r, out.data, out.len);
	get_store_mailbox(&r, &m);
	assert_int_equal(m.id != 0, b->here);
	for (uint32_t u = 1; b->here && u < b->uidnext; u++) {
		if (!b->rows[u].here)
			continue;
		messages++;
		unseen += !(b->rows[u].system & FLAG_SEEN);
		deleted += (b->rows[u].system & FLAG_DELETED) != 0;
		bytes += b->rows[u].size;
	}
	if (b->here) {
		assert_int_equal(m.messages, messages);
		assert_int_equal(m.unseen, unseen);
		assert_int_equal(m.deleted, deleted);
		assert_true(m.bytes == bytes);
		assert_int_equal(m.uidnext, b->uidnext);
		assert_int_equal(m.uidvalidity, b->uidvalidity);
		assert_true(m.highestmodseq == b->highestmodseq);
	}
	buf_fini(&out);
}

static void
compare_rows(const struct box *b)
{
	struct uidrange every = { 1, UINT32_MAX };
	const struct uidset all = { &every, 1, 1 };
	unsigned bits[3];
	struct buf out = { 0 };
	uint32_t resume = 0, u = 0;
	struct store_row row;
	struct reader r;

	for (int i = 0; i < 3; i++)
		bits[i] = table_bit(keywords[i]);
	do
		OK(state_rows(k->s, 7, b->id, &all, ROW_FLAGS | ROW_SIZE, 500, &resume, &out));
	while (resume != 0);
	reader_init(&r, out.data, out.len);
	while (get_store_row(&r, &row, ROW_FLAGS | ROW_SIZE)) {
		for (u++; u < row.uid; u++)
			assert_false(b->rows[u].here);
		assert_true(b->rows[u].here);
		assert_true(b->rows[u].modseq == row.modseq);
		assert_int_equal(b->rows[u].system, flags_get_system(row.flags));
		assert_int_equal(b->rows[u].size, row.size);
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(b->rows[u].keyword >> i & 1,
			    flags_has_keyword(row.flags, bits[i]));
	}
	assert_true(reader_done(&r));
	for (u++; u < b->uidnext; u++)
		assert_false(b->rows[u].here);
	buf_fini(&out);
}

static void
compare_changes(struct box *b)
{
	struct uidset changed = { 0 }, vanished = { 0 };
	struct state_changes c = { 0 };
	uint64_t since = b->seen_modseq;

	do {
		OK(state_changes(k->s, 7, b->id, since, 5, &c));
		assert_true(!c.full && !c.gone && (!c.more || c.highestmodseq > since));
		uidset_remove_set(&changed, &c.vanished);
		uidset_add_set(&changed, &c.changed);
		uidset_add_set(&vanished, &c.vanished);
		since = c.highestmodseq;
	} while (c.more);
	assert_true(since == b->highestmodseq);
	for (uint32_t u = 1; u < b->uidnext; u++) {
		const struct row *r = &b->rows[u];

		assert_int_equal(uidset_has(&changed, u), r->here && r->modseq > b->seen_modseq);
		assert_false(r->here && uidset_has(&vanished, u));
		assert_false(b->seen[u] && !r->here && !uidset_has(&vanished, u));
		b->seen[u] = r->here;
	}
	b->seen_modseq = b->highestmodseq;
	uidset_fini(&changed);
	uidset_fini(&vanished);
	state_changes_fini(&c);
}

/* What is known of the uids and brought up to date, now and then. */
static void
compare_known(const struct box *b, struct state_known *kn)
{
	struct store_opened o;
	struct buf uids = { 0 }, words = { 0 };
	uint32_t unseen = 0;

	OK(state_open_mailbox(k->s, 7, b->id, kn, &o, &uids, &words));
	assert_true(o.highestmodseq == b->highestmodseq && o.uidnext == b->uidnext);
	for (uint32_t u = 1; u < b->uidnext; u++) {
		assert_int_equal(uidset_has(&kn->uids, u), b->rows[u].here);
		if (unseen == 0 && b->rows[u].here && !(b->rows[u].system & FLAG_SEEN))
			unseen = u;
	}
	assert_int_equal(o.unseen_first, unseen);
	buf_fini(&uids);
	buf_fini(&words);
}

static void
step(void)
{
	uint32_t what = rnd(100), i = rnd(MAILBOXES), j = rnd(MAILBOXES);
	struct box *b = &boxes[i], *to = &boxes[j];

	if (what < 30)
		do_append(b, names[i]);
	else if (what < 65)
		do_flags(b);
	else if (what < 75)
		do_expunge(b);
	else if (what < 83)
		do_copy(b, to, names[j], false);
	else if (what < 94)
		do_copy(b, to, names[j], true);
	else if (what < 97)
		do_create(b, names[i]);
	else
		do_delete(b, names[i]);
	assert_true(k->r.modseq == modseq);
	compare_counters(b, names[i]);
	compare_counters(to, names[j]);
	if (b->here && rnd(10) == 0)
		compare_rows(b);
	if (b->here && rnd(10) == 0)
		compare_changes(b);
	if (b->here && rnd(5) == 0)
		compare_known(b, &known[i]);
}

static uint64_t
from_env(const char *name, uint64_t otherwise)
{
	const char *v = getenv(name);

	return v != NULL ? strtoull(v, NULL, 10) : otherwise;
}

static void
random_operations_agree_with_a_model_and_with_their_replay(void **state)
{
	uint64_t n = from_env("MANSIO_OPS", 5000);
	struct kit other;

	rnd_state = from_env("MANSIO_SEED", 1);
	memset(boxes, 0, sizeof(boxes));
	kit_open(k);
	OK(kit_account(k, 7));
	modseq = k->r.modseq;
	for (int i = 0; i < 2; i++) {
		struct store_mailbox m;
		struct buf out = { 0 };
		uint32_t resume = 0;
		struct reader r;

		OK(state_mailboxes(k->s, 7, span_str(names[i]), 1000, &resume, &out));
		reader_init(&r, out.data, out.len);
		assert_true(get_store_mailbox(&r, &m));
		boxes[i] = (struct box){ .here = true, .id = m.id, .uidvalidity = m.uidvalidity,
			.uidnext = 1, .highestmodseq = modseq, .seen_modseq = modseq };
		buf_fini(&out);
	}
	memset(k->head.ticket, 9, OP_TICKET_LEN);
	k->seq = 1;
	for (uint64_t i = 0; i < n; i++) {
		k->head.acked = k->seq - 1;
		step();
	}
	for (int i = 0; i < MAILBOXES; i++)
		state_known_fini(&known[i]);
	kit_check(k);
	kit_open(&other);
	kit_replay(&other, k, 37);
	kit_check(&other);
	kit_same(k, &other);
	kit_close(&other);
	kit_close(k);
}

static int
run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations_agree_with_a_model_and_with_their_replay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int
main(void)
{
	return engines_each(run);
}
