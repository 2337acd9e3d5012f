#include "t/unit/storage/statekit.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/util/mem.h"
#include "t/unit/storage/engines.h"

struct kit kit_one;

static void
open_engine(struct kit *k)
{
	const struct engine_opts o = { .kind = engines_kind(), .tables = state_tables, .n_tables = state_n_tables,
		.page_bytes = state_page_bytes,
		.small = true, .manual = true };

	OK(engine_open(k->dir, &o, &k->e));
	OK(state_open(k->e, 3, &k->s));
}

void
kit_folder(struct kit *k)
{
	memset(k, 0, sizeof(*k));
	strcpy(k->dir, "/tmp/mansio-state-XXXXXX");
	assert_non_null(mkdtemp(k->dir));
	k->account = 7;
	k->time_ms = 1700000000000;
	k->body = 4096;
}

void
kit_start(struct kit *k)
{
	open_engine(k);
}

void
kit_open(struct kit *k)
{
	kit_folder(k);
	kit_start(k);
}

void
kit_shut(struct kit *k)
{
	state_close(&k->s);
	OK(engine_close(&k->e));
}

void
kit_reopen(struct kit *k)
{
	kit_shut(k);
	open_engine(k);
}

static int
remove_one(const char *path, const struct stat *sb, int type, struct FTW *ftw)
{
	(void)sb;
	(void)type;
	(void)ftw;
	return remove(path);
}

void
kit_close(struct kit *k)
{
	kit_shut(k);
	state_result_fini(&k->r);
	buf_fini(&k->log);
	nftw(k->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

struct op
kit_op(struct kit *k, enum op_kind kind)
{
	struct op op = { .kind = kind, .head = k->head };

	op.head.account = op.head.who = k->account;
	op.head.time_ms = k->time_ms += 1000;
	if (k->seq != 0)
		op.head.seq = k->seq++;
	return op;
}

static void
apply_bytes(struct kit *k, struct span bytes, struct span locs)
{
	struct op op;

	assert_true(op_decode(&op, bytes));
	OK(state_apply(k->s, &op, (const struct journal_loc *)(const void *)locs.p,
	    locs.len / sizeof(struct journal_loc), &k->r));
	k->lsn++;
}

static void
commit(struct kit *k)
{
	const struct journal_pos pos = { .lsn = k->lsn, .segment = 1 };

	OK(state_commit(k->s, &pos));
}

enum status
kit_apply(struct kit *k, struct op *op)
{
	struct buf bytes = { 0 }, locs = { 0 };
	uint64_t pieces;

	assert_true(op_pieces(op, &pieces));
	for (uint64_t i = 0; i < pieces; i++) {
		struct journal_loc l = { 1, k->body, 100 };

		k->body += 128;
		buf_add(&locs, &l, sizeof(l));
	}
	op_encode(op, &bytes);
	put_span(&k->log, buf_span(&bytes));
	put_span(&k->log, buf_span(&locs));
	OK(state_begin(k->s));
	apply_bytes(k, buf_span(&bytes), buf_span(&locs));
	commit(k);
	buf_fini(&bytes);
	buf_fini(&locs);
	return k->r.status;
}

/* Locations are copied out, because inside the log they are not aligned. */
void
kit_replay(struct kit *k, const struct kit *from, unsigned batch)
{
	struct reader r;
	unsigned n = 0;

	reader_init(&r, from->log.data, from->log.len);
	while (r.p < r.end) {
		struct span op = get_span(&r), locs = get_span(&r);
		void *aligned = mem_dup(locs.p, locs.len);

		if (n == 0)
			OK(state_begin(k->s));
		apply_bytes(k, op, span(aligned, locs.len));
		mem_free(&aligned);
		if (++n == batch || r.p == r.end) {
			commit(k);
			n = 0;
		}
	}
}

enum status
kit_account(struct kit *k, uint64_t account)
{
	static const struct { const char *path; uint8_t role; } defaults[] = {
		{ "Drafts", MAILBOX_ROLE_DRAFTS }, { "Sent", MAILBOX_ROLE_SENT },
		{ "Trash", MAILBOX_ROLE_TRASH },
	};
	struct buf b = { 0 };
	struct op op;
	enum status st;

	k->account = account;
	op = kit_op(k, OP_ACCOUNT_CREATE);
	for (size_t i = 0; i < ARRAY_LEN(defaults); i++)
		put_op_default_mailbox(&b, &(struct op_default_mailbox){
		    span_str(defaults[i].path), defaults[i].role, true });
	op.u.account_create.mailboxes = buf_span(&b);
	st = kit_apply(k, &op);
	buf_fini(&b);
	return st;
}

enum status
kit_create(struct kit *k, const char *path)
{
	struct op op = kit_op(k, OP_MAILBOX_CREATE);

	op.u.mailbox_create.path = span_str(path);
	return kit_apply(k, &op);
}

enum status
kit_share(struct kit *k, const char *path, uint64_t with, uint32_t rights)
{
	struct op op = kit_op(k, OP_ACL_SET);

	op.u.acl_set = (struct op_acl_set){ .path = span_str(path), .how = ACL_REPLACE,
		.kind = with != 0 ? ACL_USER : ACL_ANYONE, .id = with, .rights = rights };
	return kit_apply(k, &op);
}

enum status
kit_delete(struct kit *k, const char *path)
{
	struct op op = kit_op(k, OP_MAILBOX_DELETE);

	op.u.mailbox_delete.path = span_str(path);
	return kit_apply(k, &op);
}

enum status
kit_rename(struct kit *k, const char *from, const char *to)
{
	struct op op = kit_op(k, OP_MAILBOX_RENAME);

	op.u.mailbox_rename.from = span_str(from);
	op.u.mailbox_rename.to = span_str(to);
	return kit_apply(k, &op);
}

enum status
kit_subscribe(struct kit *k, const char *path, bool on)
{
	struct op op = kit_op(k, OP_SUBSCRIBE);

	op.u.subscribe.path = span_str(path);
	op.u.subscribe.on = on;
	return kit_apply(k, &op);
}

static void
encode_uids(const char *text, struct buf *out)
{
	struct uidset s = { 0 };

	if (text[0] != '\0')
		assert_true(uidset_parse(&s, span_str(text), 0, 10000));
	uidset_encode(&s, out);
	uidset_fini(&s);
}

enum status
kit_append(struct kit *k, const char *path, unsigned n, uint32_t size, unsigned system,
    const char *keyword, uint64_t thread)
{
	struct op op = kit_op(k, k->stages ? OP_STAGE_APPEND : k->place != NULL ?
	    OP_APPEND_PLACED : OP_APPEND);
	struct buf items = { 0 }, keywords = { 0 }, at = { 0 };
	unsigned char sha[32], keys[8];
	struct buf columns = { 0 };
	enum status st;

	put_be64(keys, thread);
	for (unsigned i = 0; i < n; i++) {
		struct op_append_item it = { .flags = flags_system(system),
			.received_s = 1600000000 + i, .received_zone = 60, .size = size,
			.sha256 = span(sha, 32), .list = SPAN_LIT("list"),
			.structure = SPAN_LIT("structure"),
			.thread_keys = span(keys, thread != 0 ? 8 : 0), .pieces = 1 };

		/* each column is its number and a letter of the message */
		buf_clear(&columns);
		put_u8(&columns, 2);
		put_u8(&columns, store_column_groups[STORE_COLUMN_GROUPS]);
		for (unsigned c = 0; c < store_column_groups[STORE_COLUMN_GROUPS]; c++)
			put_u16(&columns, 2);
		for (unsigned c = 0; c < store_column_groups[STORE_COLUMN_GROUPS]; c++) {
			put_u8(&columns, (uint8_t)c);
			buf_add_c(&columns, (char)('a' + i));
		}
		it.columns = buf_span(&columns);
		memset(sha, (int)(k->body + i), sizeof(sha));
		if (keyword != NULL)
			flags_set_keyword(&it.flags, 0);
		put_op_append_item(&items, &it);
	}
	if (keyword != NULL)
		put_store_keyword(&keywords, span_str(keyword));
	op.u.append = (struct op_append){ span_str(path), false, buf_span(&keywords),
		buf_span(&items), k->replace_mailbox, k->replace_uid };
	if (k->place != NULL)
		encode_uids(k->place, &at);
	op.u.append.uids = buf_span(&at);
	op.u.append.modseq = k->place_modseq;
	st = kit_apply(k, &op);
	buf_fini(&at);
	buf_fini(&items);
	buf_fini(&columns);
	buf_fini(&keywords);
	return st;
}

enum status
kit_flags(struct kit *k, uint64_t mailbox, const char *uids, uint8_t how, unsigned system,
    const char *keyword, uint64_t unchanged_since)
{
	struct op op = kit_op(k, OP_FLAGS);
	struct buf set = { 0 }, keywords = { 0 };
	enum status st;

	encode_uids(uids, &set);
	if (keyword != NULL)
		put_store_keyword(&keywords, span_str(keyword));
	op.u.flags = (struct op_flags){ mailbox, buf_span(&set), how, (uint8_t)system,
		buf_span(&keywords), unchanged_since };
	st = kit_apply(k, &op);
	buf_fini(&set);
	buf_fini(&keywords);
	return st;
}

enum status
kit_expunge(struct kit *k, uint64_t mailbox, const char *uids)
{
	struct op op = kit_op(k, OP_EXPUNGE);
	struct buf set = { 0 };
	enum status st;

	encode_uids(uids, &set);
	op.u.expunge = (struct op_expunge){ mailbox, buf_span(&set) };
	st = kit_apply(k, &op);
	buf_fini(&set);
	return st;
}

enum status
kit_copy(struct kit *k, uint64_t mailbox, const char *uids, const char *to, bool move)
{
	struct op op = kit_op(k, k->stages ? OP_STAGE_COPY : OP_COPY);
	struct buf set = { 0 };
	enum status st;

	encode_uids(uids, &set);
	op.u.copy = (struct op_copy){ mailbox, buf_span(&set), span_str(to), move };
	st = kit_apply(k, &op);
	buf_fini(&set);
	return st;
}

uint64_t
kit_mailbox(struct kit *k, const char *path)
{
	uint64_t id = 0;

	return state_find_mailbox(k->s, k->account, span_str(path), &id) == ST_OK ? id : 0;
}

struct store_mailbox
kit_line(struct kit *k, const char *path)
{
	struct store_mailbox m = { 0 };
	struct buf b = { 0 };
	uint32_t resume = 0;
	struct reader r;

	OK(state_mailboxes(k->s, k->account, span_str(path), 10000, &resume, &b));
	reader_init(&r, b.data, b.len);
	get_store_mailbox(&r, &m);
	m.path = SPAN_NONE;
	buf_fini(&b);
	return m;
}

struct store_row
kit_row(struct kit *k, uint64_t mailbox, uint32_t uid)
{
	struct uidrange range = { uid, uid };
	const struct uidset s = { &range, 1, 1 };
	struct store_row x = { 0 };
	struct buf b = { 0 };
	uint32_t resume = 0;
	struct reader r;

	OK(state_rows(k->s, k->account, mailbox, &s, ROW_ALL, 10000, &resume, &b));
	reader_init(&r, b.data, b.len);
	get_store_row(&r, &x, ROW_ALL);
	buf_fini(&b);
	return x;
}

void
kit_check(struct kit *k)
{
	struct buf report = { 0 };
	uint64_t wrong = 0;
	enum status st = state_check(k->s, &report, &wrong);

	if (st != ST_OK || wrong != 0) {
		state_damage(k->s, &report);
		print_message("%s\n", buf_cstr(&report));
	}
	buf_fini(&report);
	OK(st);
	assert_true(wrong == 0);
}

void
kit_reply(struct kit *k, uint16_t no, void *msg)
{
	assert_int_equal(k->r.reply_no, no);
	OK(ipc_decode(ipc_find(&store_protocol, no), buf_span(&k->r.reply), msg));
}

void
kit_same(struct kit *a, struct kit *b)
{
	unsigned char ha[32], hb[32];

	if (state_hash(a->s, a->account, ha) == ST_OK) {
		OK(state_hash(b->s, a->account, hb));
		assert_memory_equal(ha, hb, 32);
	}
	for (unsigned t = 0; t < state_n_tables; t++) {
		struct engine_cursor *x, *y;
		struct span kx, ky, vx, vy;

		OK(engine_cursor_open(a->e, NULL, t, SPAN_NONE, &x));
		OK(engine_cursor_open(b->e, NULL, t, SPAN_NONE, &y));
		while (engine_cursor_next(x, &kx, &vx) == ST_OK) {
			if (engine_cursor_next(y, &ky, &vy) != ST_OK || !span_eq(kx, ky) ||
			    !span_eq(vx, vy))
				fail_msg("table %s differs", state_tables[t]);
		}
		if (engine_cursor_next(y, &ky, &vy) != ST_NOT_FOUND)
			fail_msg("table %s holds more", state_tables[t]);
		engine_cursor_close(&x);
		engine_cursor_close(&y);
	}
}

void
kit_end(struct kit *k)
{
	struct kit all;

	kit_check(k);
	kit_open(&all);
	kit_replay(&all, k, UINT32_MAX);
	kit_check(&all);
	kit_same(k, &all);
	kit_close(&all);
	kit_close(k);
}

int
kit_one_setup(void **state)
{
	kit_open(&kit_one);
	return kit_account(&kit_one, 7) == ST_OK ? 0 : -1;
}

int
kit_one_teardown(void **state)
{
	kit_end(&kit_one);
	return 0;
}
