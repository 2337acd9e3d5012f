/* Every table damaged on purpose: named, and mended where it follows from other rows; and a walk
 * among changes, which finds nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/util/mem.h"
#include "storage/state/fsck.h"
#include "storage/state/schema.h"
#include "t/unit/storage/sievekit.h"

#define OWNER 7
#define READER 8
#define STAGER 9

static struct kit kit, *k = &kit;

/* ---- an account with a row in every table ---- */

static void
annotate(uint64_t mailbox, const char *uid, const char *value)
{
	struct op op = kit_op(k, OP_ANNOTATE);
	struct buf list = { 0 }, set = { 0 };
	struct uidset s = { 0 };

	assert_true(uidset_parse(&s, span_str(uid), 0, 10));
	uidset_encode(&s, &set);
	put_store_annotation(&list, &(struct store_annotation){ .shared = true, .given = true,
	    .entry = SPAN_LIT("/comment"), .value = span_str(value) });
	op.u.annotate = (struct op_annotate){ mailbox, buf_span(&set), buf_span(&list), UINT64_MAX };
	OK(kit_apply(k, &op));
	uidset_fini(&s);
	buf_fini(&set);
	buf_fini(&list);
}

static void
rows_of_lists(uint64_t mailbox)
{
	struct op op = kit_op(k, OP_METADATA_NOTED);
	struct buf b = { 0 };
	unsigned char key[STORE_URL_KEY] = { 1 };

	put_store_metadata(&b, &(struct store_metadata){ .name = SPAN_LIT("/shared/comment"),
	    .given = true, .value = SPAN_LIT("mine") });
	op.u.metadata = (struct op_metadata){ mailbox, buf_span(&b) };
	OK(kit_apply(k, &op));
	buf_clear(&b);
	op = kit_op(k, OP_UIDL_PUT);
	put_store_uidl(&b, &(struct store_uidl){ 2, SPAN_LIT("unique") });
	op.u.uidl_put = (struct op_uidl_put){ mailbox, buf_span(&b) };
	OK(kit_apply(k, &op));
	buf_clear(&b);
	op = kit_op(k, OP_URL_KEY);
	op.u.url_key = (struct op_url_key){ SPAN_LIT("Box"), false, span(key, sizeof(key)) };
	OK(kit_apply(k, &op));
	op = kit_op(k, OP_PUSH);
	put_store_push(&b, &(struct store_push){ .url = SPAN_LIT("https://a.test/"),
	    .code = SPAN_LIT("0123456789abcdef0123456789abcdef"), .expires_s = INT64_MAX });
	op.u.push = (struct op_push){ PUSH_CREATE, 0, 0, 9, buf_span(&b) };
	OK(kit_apply(k, &op));
	buf_clear(&b);
	op = kit_op(k, OP_DIR_WRITE);
	op.head.account = 0;
	put_store_dir_step(&b, &(struct store_dir_step){ .check = DIR_ABSENT, .change = 1,
	    .key = SPAN_LIT("domain"), .value = SPAN_LIT("value") });
	op.u.dir_write.steps = buf_span(&b);
	OK(kit_apply(k, &op));
	buf_fini(&b);
}

static void
rows_of_a_reader(uint64_t mailbox)
{
	struct op op = kit_op(k, OP_FLAGS);
	struct uidset s = { 0 };
	struct buf set = { 0 };

	OK(kit_share(k, "Box", READER, RIGHT_LOOKUP | RIGHT_READ | RIGHT_SEEN));
	uidset_add(&s, 1);
	uidset_encode(&s, &set);
	op.head.who = READER;
	op.u.flags = (struct op_flags){ mailbox, buf_span(&set), FLAGS_ADD, FLAG_SEEN, SPAN_NONE,
		UINT64_MAX };
	OK(kit_apply(k, &op));
	uidset_fini(&s);
	buf_fini(&set);
}

static void
row_of_a_uidvalidity(uint64_t mailbox)
{
	struct op op = kit_op(k, OP_UIDVALIDITY);
	struct store_opened o;
	struct state_known known = { 0 };
	struct buf uids = { 0 }, keywords = { 0 };

	OK(state_open_mailbox(k->s, k->account, mailbox, &known, &o, &uids, &keywords));
	op.u.uidvalidity = (struct op_uidvalidity){ mailbox, o.highestmodseq, 5, 1 };
	OK(kit_apply(k, &op));
	state_known_fini(&known);
	buf_fini(&uids);
	buf_fini(&keywords);
}

/* A mailbox that is deleted and not empty yet. */
static void
row_of_work(void)
{
	OK(kit_create(k, "Gone"));
	OK(kit_append(k, "Gone", 900, 10, 0, NULL, 0));
	OK(kit_append(k, "Gone", 300, 10, 0, NULL, 0));
	OK(kit_delete(k, "Gone"));
}

static void
row_of_quarantine(void)
{
	struct op op = kit_op(k, OP_REPAIR);
	struct buf rows = { 0 };

	state_fsck_mark_body(OWNER, 1, 1, &rows);
	op.head.account = 0;
	op.u.repair.rows = buf_span(&rows);
	OK(kit_apply(k, &op));
	buf_fini(&rows);
}

static void
row_of_a_stage(void)
{
	OK(kit_account(k, STAGER));
	OK(kit_append(k, "INBOX", 3, 10, 0, NULL, 0));
	k->stages = true;
	k->head.part = 1;
	OK(kit_copy(k, kit_mailbox(k, "INBOX"), "1:3", "Sent", false));
	k->stages = false;
	k->head.part = 0;
}

static void
row_of_an_upload(void)
{
	struct op op = kit_op(k, OP_BLOB_PUT);
	unsigned char sha[32] = { 3 };

	op.u.blob_put = (struct op_blob_put){ 10, span(sha, sizeof(sha)), 1, 0, 0,
		1000000000, 1000 };
	OK(kit_apply(k, &op));
}

static void
rows_of_sieve(void)
{
	struct delivery d = { 0 };

	OK(script_put(k, "one", "keep;", true));
	delivery_body(&d, 50, 'q');
	delivery_at(&d, "Box", false);
	delivery_queue(&d, QUEUE_REDIRECT, "you@there.test");
	delivery_queue(&d, QUEUE_NOTIFY, "you@there.test");
	delivery_key(&d, SIEVE_KEY_DUPLICATE, 'd', false, 1000);
	OK(delivery_run(k, &d));
	OK(queue_set(k, QUEUE_TAKE, delivered_entry(k, 1), 0, 0, NULL));
	/* One whose body is a message's that is there. */
	d = (struct delivery){ .of_mailbox = kit_mailbox(k, "Box"), .of_uid = 1,
		.flags_add = flags_system(FLAG_FLAGGED) };
	delivery_at(&d, "Sent", false);
	delivery_queue(&d, QUEUE_REDIRECT, "you@there.test");
	OK(delivery_run(k, &d));
}

static int
set_up(void **state)
{
	uint64_t box;

	kit_open(k);
	k->seq = 1;
	OK(kit_account(k, OWNER));
	OK(kit_create(k, "Box"));
	box = kit_mailbox(k, "Box");
	OK(kit_append(k, "INBOX", 3, 100, 0, "word", 5));
	OK(kit_append(k, "Box", 4, 200, FLAG_SEEN, NULL, 6));
	OK(kit_copy(k, box, "2", "INBOX", false));
	OK(kit_copy(k, box, "3", "Sent", true));
	OK(kit_expunge(k, kit_mailbox(k, "INBOX"), "1"));
	annotate(box, "1", "first");
	annotate(box, "1", "second");
	rows_of_lists(box);
	rows_of_a_reader(box);
	row_of_a_uidvalidity(kit_mailbox(k, "Drafts"));
	row_of_work();
	row_of_quarantine();
	for (unsigned i = 0; i < 3; i++)
		row_of_an_upload();
	rows_of_sieve();
	return 0;
}

static int
tear_down(void **state)
{
	kit_close(k);
	return 0;
}

/* ---- fsck ---- */

struct found {
	unsigned	n, mended, notes;
	struct buf	tables;		/* "message mindex " */
	bool		has_root;
	unsigned char	root[32];
};

static void
on_found(void *arg, const struct fsck_finding *x)
{
	struct found *f = arg;

	buf_addf(&f->tables, "%s ", x->table);
	if (x->cure == CURE_NOTE)
		f->notes++;
	else
		f->n++;
	f->mended += x->mended;
	if (getenv("VERBOSE") != NULL)
		print_message("  %s: %s (cure %d, mended %d)\n", x->table, x->text, x->cure, x->mended);
}

static void
on_root(void *arg, uint64_t account, const unsigned char *hash)
{
	struct found *f = arg;

	if (account != OWNER || hash == NULL)
		return;
	f->has_root = true;
	memcpy(f->root, hash, 32);
}

static void
mend(struct state_fsck *f)
{
	struct op op = kit_op(k, OP_REPAIR);
	struct buf rows = { 0 };

	buf_add_span(&rows, state_fsck_mend(f));
	op.head.account = 0;
	op.head.seq = 0;
	op.u.repair.rows = buf_span(&rows);
	OK(kit_apply(k, &op));
	buf_fini(&rows);
}

static void
run(struct found *r, bool repair)
{
	const struct fsck_opts o = { .check = true, .roots = true, .repair = repair,
		.found = on_found, .root = on_root, .arg = r };
	struct state_fsck *f = state_fsck_new(k->s, &o);
	enum fsck_step step;

	buf_fini(&r->tables);
	*r = (struct found){ .n = 0 };
	while ((step = state_fsck_step(f, 0, true)) != FSCK_DONE) {
		assert_int_not_equal(step, FSCK_FAILED);
		assert_int_not_equal(step, FSCK_HOLD);
		if (step == FSCK_MEND)
			mend(f);
	}
	state_fsck_free(&f);
}

/* ---- damage ---- */

enum kind { BAD_CRC, MISSING, WRONG_VALUE, KINDS };
static const char *const kind_names[] = { "a bad CRC", "missing", "a wrong value" };

enum then {
	SAME = 1,	/* named, mended, and the root is what it was */
	CLEAN,		/* named, taken away or its counters mended: the rest is whole */
	NAMED,		/* named; only the journal has it */
	NOTED,		/* made again when it is asked for */
	ROOT,		/* nothing else tells; the root does */
	SILENT		/* nothing tells: it is nobody's mail, or made again anyhow */
};

struct test_case {
	const char	*table;
	enum then	then[KINDS];
	int		byte;		/* of the payload; negative: from its end; APPEND: one more */
	int		to;		/* its value; -1: with one bit changed, -2: another bit */
	const char	*named;		/* instead of the table */
	const char	*key;		/* of the row, where any will not do */
};
#define APPEND 1000

static const struct test_case cases[] = {
	{ "meta", { SAME, SAME, SAME }, -1, -1, NULL, "shard" },
	{ "account", { NAMED, NAMED, SAME }, 53, -1, NULL, NULL },
	{ "keyword", { NAMED, NAMED, ROOT }, 0, -1, NULL, NULL },
	{ "mailbox", { NAMED, NAMED, SAME }, 24, -1, NULL, NULL },
	{ "mboxname", { SAME, SAME, SAME }, 7, -1, NULL, NULL },
	{ "mindex", { NAMED, NAMED, SAME }, 43, -1, NULL, NULL },
	{ "uidmap", { SAME, SAME, SAME }, 6, -1, NULL, NULL },
	{ "message", { NAMED, NAMED, NAMED }, 3, -1, "extent", NULL },
	{ "msort", { CLEAN, SILENT, SILENT }, -1, -1, NULL, NULL },
	{ "mtext", { CLEAN, SILENT, SILENT }, -1, -1, NULL, NULL },
	{ "menv", { CLEAN, SILENT, SILENT }, -1, -1, NULL, NULL },
	{ "mhead", { CLEAN, SILENT, SILENT }, -1, -1, NULL, NULL },
	{ "mheadmore", { CLEAN, SILENT, SILENT }, -1, -1, NULL, NULL },
	{ "mbody", { CLEAN, SILENT, SILENT }, -1, -1, NULL, NULL },
	{ "mlist", { CLEAN, SILENT, SILENT }, -1, -1, NULL, NULL },
	{ "mstruct", { CLEAN, SILENT, SILENT }, -1, -1, NULL, NULL },
	{ "mthread", { CLEAN, SILENT, SILENT }, -1, -1, NULL, NULL },
	{ "fresh", { CLEAN, NOTED, SILENT }, -1, -1, NULL, NULL },
	{ "pack", { CLEAN, SILENT, CLEAN }, 0, 9, NULL, NULL },
	{ "extent", { NAMED, NAMED, SAME }, 3, -2, NULL, NULL },
	{ "threadkey", { SAME, SAME, SAME }, 11, -2, NULL, NULL },
	{ "thread", { SAME, SAME, SAME }, APPEND, 1, NULL, NULL },
	{ "change", { NAMED, NAMED, NAMED }, 0, 9, NULL, "second" },
	{ "mchange", { NAMED, NAMED, NAMED }, 0, 9, NULL, "last" },
	{ "history", { NAMED, NAMED, NAMED }, -1, -1, "change", "last" },
	{ "subscr", { CLEAN, ROOT, CLEAN }, 0, -1, NULL, NULL },
	{ "once", { CLEAN, SILENT, SILENT }, 0, -1, NULL, NULL },
	{ "dir", { NAMED, SILENT, NAMED }, 0, -1, NULL, NULL },
	{ "work", { SAME, SAME, SAME }, APPEND, 1, NULL, NULL },
	{ "uidl", { CLEAN, CLEAN, ROOT }, 0, -1, NULL, NULL },
	{ "metadata", { CLEAN, CLEAN, ROOT }, 0, -1, NULL, NULL },
	{ "acl", { CLEAN, CLEAN, CLEAN }, -2, -1, NULL, NULL },
	{ "aclby", { SAME, SAME, SAME }, 3, -1, NULL, NULL },
	{ "rseen", { CLEAN, ROOT, CLEAN }, -1, 0x7f, NULL, NULL },
	{ "reader", { SAME, SAME, SAME }, 0, -1, NULL, NULL },
	{ "urlkey", { CLEAN, ROOT, ROOT }, -1, -1, NULL, NULL },
	{ "annotation", { CLEAN, CLEAN, ROOT }, 0, -1, NULL, NULL },
	{ "annlog", { CLEAN, CLEAN, SILENT }, -1, -1, NULL, NULL },
	{ "push", { CLEAN, SILENT, CLEAN }, 0, -1, NULL, NULL },
	{ "placed", { NAMED, SILENT, SILENT }, 0, -1, NULL, NULL },
	{ "undel", { CLEAN, CLEAN, CLEAN }, 7, -1, "message", NULL },
	{ "uidhigh", { SAME, SAME, SAME }, 3, 0, NULL, NULL },
	{ "blob", { CLEAN, CLEAN, CLEAN }, 7, -1, "extent", NULL },
	{ "quarantine", { NAMED, SILENT, SILENT }, 0, -1, NULL, NULL },
	{ "script", { CLEAN, CLEAN, CLEAN }, -1, -1, NULL, NULL },
	{ "scripttext", { CLEAN, CLEAN, CLEAN }, 0, -1, "script", NULL },
	{ "sievekey", { CLEAN, CLEAN, ROOT }, 7, -1, NULL, NULL },
	{ "queue", { NAMED, CLEAN, NAMED }, 0, -1, NULL, NULL },
	{ "queuemsg", { SAME, SAME, SAME }, APPEND, 1, NULL, NULL },
	{ "queuedue", { SAME, SAME, SAME }, APPEND, 1, NULL, NULL },
};

static enum tab
table_no(const char *name)
{
	for (unsigned t = 0; t < TAB_COUNT; t++)
		if (strcmp(state_tables[t], name) == 0)
			return (enum tab)t;
	fail_msg("no table %s", name);
	return TAB_COUNT;
}

/* The first row of a table, the second, the last, or one by its key. */
static void
pick(const struct test_case *c, enum tab t, struct buf *key, struct buf *value)
{
	struct engine_cursor *cur;
	struct span a, b;
	bool last = c->key != NULL && strcmp(c->key, "last") == 0;
	bool second = c->key != NULL && strcmp(c->key, "second") == 0;

	buf_clear(key);
	OK(engine_cursor_open(k->e, NULL, t, SPAN_NONE, &cur));
	while (engine_cursor_next(cur, &a, &b) == ST_OK) {
		if (second) {
			second = false;
			continue;
		}
		if (c->key != NULL && !last && strcmp(c->key, "second") != 0 &&
		    !span_eq_str(a, c->key))
			continue;
		buf_clear(key);
		buf_add_span(key, a);
		buf_clear(value);
		buf_add_span(value, b);
		if (!last)
			break;
	}
	engine_cursor_close(&cur);
	if (key->len == 0)
		fail_msg("table %s has no row to damage", c->table);
}

static void
write_row(enum tab t, const struct buf *key, const struct buf *value)
{
	struct engine_txn *txn;

	OK(engine_begin(k->e, &txn));
	if (value == NULL)
		OK(engine_del(txn, t, buf_span(key)));
	else
		OK(engine_put(txn, t, buf_span(key), buf_span(value)));
	OK(engine_commit(&txn));
}

static void
spoil_value(const struct test_case *c, enum tab t, const struct buf *key, const struct buf *good,
    struct buf *out)
{
	size_t payload = good->len - 5;
	struct span body = span(good->data + 1, payload);
	struct buf p = { 0 };
	struct key id;
	size_t at;

	buf_add_span(&p, body);
	if (c->byte == APPEND) {
		buf_add_c(&p, 'x');
	} else {
		at = c->byte < 0 ? payload - (size_t)-c->byte : (size_t)c->byte;
		p.data[at] = (char)(c->to >= 0 ? c->to : p.data[at] ^ -c->to);
	}
	key_text(&id, buf_span(key));
	buf_clear(out);
	put_u8(out, (uint8_t)good->data[0]);
	buf_add_span(out, buf_span(&p));
	put_u32(out, crc32c(crc32c(0, key->data, key->len), out->data, out->len));
	buf_fini(&p);
}

static void
spoil(const struct test_case *c, enum kind kind, enum tab t, const struct buf *key,
    const struct buf *good)
{
	struct buf bad = { 0 };

	if (kind == MISSING) {
		write_row(t, key, NULL);
		return;
	}
	if (kind == BAD_CRC) {
		buf_add_span(&bad, buf_span(good));
		bad.data[bad.len - 1] ^= 1;
	} else {
		spoil_value(c, t, key, good, &bad);
	}
	write_row(t, key, &bad);
	buf_fini(&bad);
}

static bool
names(const struct found *r, const struct test_case *c, enum kind kind)
{
	struct buf tables = { 0 };
	bool yes;

	buf_add_span(&tables, buf_span(&r->tables));
	yes = strstr(buf_cstr(&tables), c->table) != NULL ||
	    (c->named != NULL && strstr(buf_cstr(&tables), c->named) != NULL) ||
	    (kind == MISSING && tables.len > 0);
	buf_fini(&tables);
	return yes;
}

static unsigned unmet;

static void
expect(bool good, const struct test_case *c, enum kind kind, const char *what)
{
	if (good)
		return;
	print_message("%s: %s: %s\n", c->table, kind_names[kind], what);
	unmet++;
}

static void
try_case(const struct test_case *c, enum kind kind, const unsigned char before[32])
{
	enum tab t = table_no(c->table);
	enum then then = c->then[kind];
	struct buf key = { 0 }, good = { 0 };
	struct found r = { .n = 0 };

	pick(c, t, &key, &good);
	spoil(c, kind, t, &key, &good);
	run(&r, false);
	if (then == SILENT || then == ROOT) {
		expect(r.n == 0, c, kind, "a finding that was not expected");
		expect(then == SILENT || !r.has_root || memcmp(r.root, before, 32) != 0, c, kind,
		    "the root is as it was");
	} else if (then == NOTED) {
		expect(r.n == 0 && r.notes > 0, c, kind, "not noted");
	} else {
		expect(r.n > 0 && names(&r, c, kind), c, kind, "not named");
	}
	if (then == SAME || then == CLEAN) {
		run(&r, true);
		expect(r.mended > 0, c, kind, "nothing was mended");
		run(&r, false);
		expect(r.n == 0, c, kind, "it is not whole behind the repair");
		if (then == SAME)
			expect(r.has_root && memcmp(r.root, before, 32) == 0, c, kind,
			    "the root is another one behind the repair");
	}
	buf_fini(&r.tables);
	buf_fini(&key);
	buf_fini(&good);
}

static void
every_table_has_a_case(void **state)
{
	for (unsigned t = 0; t < TAB_COUNT; t++) {
		bool found = strcmp(state_tables[t], "stage") == 0;	/* below */

		for (size_t i = 0; i < ARRAY_LEN(cases); i++)
			found |= strcmp(cases[i].table, state_tables[t]) == 0;
		if (!found)
			fail_msg("nobody damages table %s", state_tables[t]);
	}
}

/* As an earlier release wrote them, and packs, which no operation makes. */
static void
derived_rows(void)
{
	static const enum tab old[] = { TAB_MSORT, TAB_MTEXT, TAB_MENV, TAB_MHEAD, TAB_MHEADMORE,
		TAB_MBODY, TAB_MLIST, TAB_MSTRUCT, TAB_MTHREAD };
	struct state_packing at = { 0 };
	struct buf key = { 0 }, value = { 0 };
	struct key k2;
	bool more = true;

	key_uid(&k2, OWNER, kit_mailbox(k, "INBOX"), 2);
	buf_add_span(&key, key_span(&k2));
	write_row(TAB_FRESH, &key, NULL);
	for (size_t i = 0; i < ARRAY_LEN(old); i++) {
		rec_start(&value);
		buf_add_str(&value, "a column");
		rec_end(&value, old[i], key_span(&k2));
		write_row(old[i], &key, &value);
	}
	OK(kit_append(k, "Box", 80, 20, 0, NULL, 0));
	while (more)
		OK(state_pack(k->s, &at, 1u << 20, &more));
	buf_fini(&key);
	buf_fini(&value);
}

/* A script and its text go together. */
static void
scripts_back(struct buf row[4], bool keep)
{
	static const struct test_case of[] = { { .table = "script" }, { .table = "scripttext" } };

	for (unsigned i = 0; i < 2; i++) {
		if (keep)
			pick(&of[i], table_no(of[i].table), &row[2 * i], &row[2 * i + 1]);
		else
			write_row(table_no(of[i].table), &row[2 * i], &row[2 * i + 1]);
	}
}

static void
damage_of_every_table_is_named_and_mended(void **state)
{
	unsigned char before[32];
	struct buf scripts[4] = { { 0 } };
	struct found r = { .n = 0 };

	derived_rows();
	run(&r, false);
	assert_int_equal(r.n, 0);
	OK(state_hash(k->s, OWNER, before));
	assert_memory_equal(r.root, before, 32);
	buf_fini(&r.tables);
	scripts_back(scripts, true);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (enum kind kind = 0; kind < KINDS; kind++) {
			enum tab t = table_no(cases[i].table);
			struct buf key = { 0 }, good = { 0 };

			pick(&cases[i], t, &key, &good);
			try_case(&cases[i], kind, before);
			write_row(t, &key, &good);
			if (t == TAB_SCRIPT || t == TAB_SCRIPTTEXT)
				scripts_back(scripts, false);
			if (cases[i].then[kind] == CLEAN) {	/* what was counted without it */
				run(&r, true);
				buf_fini(&r.tables);
			}
			buf_fini(&key);
			buf_fini(&good);
		}
	for (unsigned i = 0; i < 4; i++)
		buf_fini(&scripts[i]);
	assert_int_equal(unmet, 0);
	run(&r, true);
	run(&r, false);
	assert_int_equal(r.n, 0);
	assert_memory_equal(r.root, before, 32);
	buf_fini(&r.tables);
}

static void
a_stage_that_is_lost_or_damaged_is_named(void **state)
{
	static const struct test_case c = { "stage", { NAMED, NAMED, NAMED }, 0, 9, NULL, NULL };
	unsigned char before[32];
	struct buf key = { 0 }, good = { 0 };
	struct found r = { .n = 0 };

	row_of_a_stage();
	run(&r, false);
	assert_int_equal(r.n, 0);
	OK(state_hash(k->s, OWNER, before));
	pick(&c, TAB_STAGE, &key, &good);
	for (enum kind kind = 0; kind < WRONG_VALUE; kind++) {
		try_case(&c, kind, before);
		write_row(TAB_STAGE, &key, &good);
	}
	assert_int_equal(unmet, 0);
	buf_fini(&key);
	buf_fini(&good);
	buf_fini(&r.tables);
}

/* What was mended is the same when the journal is replayed into a state that was never damaged. */
static void
repairs_replay_to_the_same_rows(void **state)
{
	unsigned char before[32];

	OK(state_hash(k->s, OWNER, before));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (enum kind kind = 0; kind < KINDS; kind++)
			if (cases[i].then[kind] == SAME)
				try_case(&cases[i], kind, before);
	assert_int_equal(unmet, 0);
	kit_end(k);
}

/* ---- among changes ---- */

static unsigned
dice(unsigned sides)
{
	static uint32_t x = 12345;

	x = x * 1664525 + 1013904223;
	return (x >> 8) % sides;
}

static void
change(void)
{
	static const char *const boxes[] = { "INBOX", "Box", "Sent", "Trash" };
	const char *path = boxes[dice(4)], *to = boxes[dice(4)];
	uint64_t id = kit_mailbox(k, path);
	char uids[32];

	snprintf(uids, sizeof(uids), "%u:%u", 1 + dice(6), 4 + dice(40));
	switch (dice(8)) {
	case 0: case 1: OK(kit_append(k, path, 1 + dice(3), 50, 0, "word", dice(4))); break;
	case 2: kit_flags(k, id, uids, FLAGS_ADD, FLAG_SEEN, NULL, UINT64_MAX); break;
	case 3: kit_flags(k, id, uids, FLAGS_REMOVE, FLAG_SEEN, NULL, UINT64_MAX); break;
	case 4: kit_copy(k, id, uids, to, strcmp(path, to) != 0); break;
	case 5: kit_copy(k, id, uids, to, false); break;
	case 6: kit_expunge(k, id, uids); break;
	case 7: kit_flags(k, id, uids, FLAGS_ADD, FLAG_DELETED, "other", UINT64_MAX); break;
	}
}

static void
a_walk_among_changes_finds_nothing(void **state)
{
	struct found r = { .n = 0 };
	const struct fsck_opts o = { .check = true, .roots = true, .found = on_found,
		.root = on_root, .arg = &r };

	for (unsigned round = 0; round < 3; round++) {
		struct state_fsck *f = state_fsck_new(k->s, &o);
		unsigned steps = 0;

		k->seq = 0;
		while (state_fsck_step(f, 1, false) != FSCK_DONE)
			if (steps++ % 4 == 0 && steps < 2000)
				change();
		state_fsck_free(&f);
		assert_int_equal(r.n, 0);
		kit_check(k);
	}
	buf_fini(&r.tables);
}

static void
a_root_is_as_of_one_moment(void **state)
{
	struct found r = { .n = 0 };
	const struct fsck_opts o = { .roots = true, .account = OWNER, .found = on_found,
		.root = on_root, .arg = &r };
	unsigned char now[32];

	for (unsigned round = 0; round < 20; round++) {
		struct state_fsck *f = state_fsck_new(k->s, &o);

		k->seq = 0;
		r.has_root = false;
		for (;;) {
			enum fsck_step step = state_fsck_step(f, 1, false);

			if (r.has_root) {
				OK(state_hash(k->s, OWNER, now));
				assert_memory_equal(r.root, now, 32);
				r.has_root = false;
			}
			if (step == FSCK_DONE)
				break;
			if (dice(3) == 0)
				change();
		}
		state_fsck_free(&f);
	}
	buf_fini(&r.tables);
}

static void
one_runs_at_a_time_and_asks_before_it_mends(void **state)
{
	struct found r = { .n = 0 };
	const struct fsck_opts o = { .check = true, .repair = true, .found = on_found, .arg = &r };
	const struct test_case c = { .table = "thread" };
	struct buf key = { 0 }, good = { 0 };
	struct state_fsck *f = state_fsck_new(k->s, &o);
	enum fsck_step step;

	assert_null(state_fsck_new(k->s, &o));
	pick(&c, TAB_THREAD, &key, &good);
	write_row(TAB_THREAD, &key, NULL);
	do
		step = state_fsck_step(f, 0, false);
	while (step == FSCK_MORE);
	assert_int_equal(step, FSCK_HOLD);
	assert_int_equal(r.n, 0);
	assert_int_equal(state_fsck_step(f, 0, true), FSCK_MEND);
	assert_int_equal(r.n, 1);
	mend(f);
	assert_int_equal(state_fsck_step(f, 0, false), FSCK_DONE);
	state_fsck_free(&f);
	kit_check(k);
	buf_fini(&key);
	buf_fini(&good);
	buf_fini(&r.tables);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(every_table_has_a_case),
		T(damage_of_every_table_is_named_and_mended),
		T(a_stage_that_is_lost_or_damaged_is_named),
		T(repairs_replay_to_the_same_rows),
		T(a_walk_among_changes_finds_nothing),
		T(a_root_is_as_of_one_moment),
		T(one_runs_at_a_time_and_asks_before_it_mends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
