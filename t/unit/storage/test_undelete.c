/* Going back: what was deleted and changed can be had again, as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/util/mem.h"
#include "storage/state/restore.h"
#include "storage/state/undelete.h"
#include "t/unit/storage/statekit.h"

static struct kit *const k = &kit_one;

#define STEPS_MAX 2000

static struct buf shots[STEPS_MAX];	/* what there was after each step */
static int64_t times[STEPS_MAX];
static uint64_t rnd_state;

static uint32_t
rnd(uint32_t below)
{
	rnd_state = rnd_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(rnd_state >> 33) % below;
}

/* ---- what there is, as sorted lines ---- */

static int
by_line(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
sort_lines(const struct buf *in, struct buf *out)
{
	char *text = mem_zalloc(in->len + 1), **line, *at;
	size_t n = 0;

	memcpy(text, in->data, in->len);
	line = mem_array(in->len + 1, sizeof(*line));
	for (at = strtok(text, "\n"); at != NULL; at = strtok(NULL, "\n"))
		line[n++] = at;
	qsort(line, n, sizeof(*line), by_line);
	for (size_t i = 0; i < n; i++)
		buf_addf(out, "%s\n", line[i]);
	mem_free(&line);
	mem_free(&text);
}

static void
put_messages(const struct store_mailbox *m, struct buf *out)
{
	struct uidset all = { 0 };
	struct buf rows = { 0 };
	struct store_row row;
	struct reader r;
	uint32_t resume = 0;

	uidset_add_range(&all, 1, UINT32_MAX);
	OK(state_rows(k->s, 7, m->id, &all, ROW_ALL, SIZE_MAX, &resume, &rows));
	reader_init(&r, rows.data, rows.len);
	while (get_store_row(&r, &row, ROW_ALL))
		buf_addf(out, "%.*s: %llx flags %llx %llx date %lld %d\n", (int)m->path.len,
		    m->path.p, (unsigned long long)row.message,
		    (unsigned long long)row.flags.w[0], (unsigned long long)row.flags.w[1],
		    (long long)row.received_s, row.received_zone);
	buf_fini(&rows);
	uidset_fini(&all);
}

static void
put_acl(const struct store_mailbox *m, struct buf *out)
{
	struct buf list = { 0 };
	struct store_acl e;
	struct reader r;

	OK(state_acl(k->s, 7, m->id, &list));
	reader_init(&r, list.data, list.len);
	while (get_store_acl(&r, &e))
		buf_addf(out, "%.*s acl %u %llu %x %x\n", (int)m->path.len, m->path.p, e.kind,
		    (unsigned long long)e.id, e.rights, e.minus);
	buf_fini(&list);
}

static void
shoot(struct buf *out)
{
	struct buf list = { 0 }, lines = { 0 };
	struct store_mailbox m;
	struct reader r;
	uint32_t resume = 0;

	OK(state_mailboxes(k->s, 7, SPAN_NONE, SIZE_MAX, &resume, &list));
	reader_init(&r, list.data, list.len);
	while (get_store_mailbox(&r, &m)) {
		if (m.subscribed)
			buf_addf(&lines, "%.*s subscribed\n", (int)m.path.len, m.path.p);
		if (m.id == 0)
			continue;
		buf_addf(&lines, "%.*s is there\n", (int)m.path.len, m.path.p);
		put_messages(&m, &lines);
		put_acl(&m, &lines);
	}
	buf_clear(out);
	sort_lines(&lines, out);
	buf_fini(&list);
	buf_fini(&lines);
}

/* ---- going back ---- */

static enum status
plan(int64_t at_ms, const char *path, bool exact, struct restore_plan *p)
{
	const struct state_restore q = { .account = 7, .at_ms = at_ms, .path = span_str(path),
		.exact = exact };

	*p = (struct restore_plan){ .n = 0 };
	return state_restore_plan(k->s, &q, p);
}

/* Applies parts until `stop` of them are done; returns how many there were. */
static size_t
run_some(int64_t at_ms, const char *path, bool exact, size_t stop)
{
	struct restore_plan p;
	struct reader r;
	struct op op;
	size_t n;

	OK(plan(at_ms, path, exact, &p));
	reader_init(&r, p.parts.data, p.parts.len);
	for (n = 0; n < p.n && n < stop; n++) {
		struct span bytes = get_span(&r);
		struct op_head head = kit_op(k, OP_RESTORE).head;

		(void)get_span(&r);
		assert_true(op_decode(&op, bytes));
		head.who = 0;
		op.head = head;
		OK(kit_apply(k, &op));
	}
	n = p.n;
	restore_plan_fini(&p);
	return n;
}

/* Nothing is left to do. */
static void
is_done(int64_t at_ms, bool exact)
{
	struct store_restore_line l;
	struct restore_plan p;
	struct reader r, line;

	OK(plan(at_ms, "", exact, &p));
	reader_init(&r, p.parts.data, p.parts.len);
	while (p.n > 0 && reader_left(&r) > 0) {
		(void)get_span(&r);
		struct span s = get_span(&r);
		reader_init(&line, s.p, s.len);
		assert_true(get_store_restore_line(&line, &l));
		fprintf(stderr, "left: %s %.*s %.*s (%u)\n", restore_does_name(l.does),
		    (int)l.path.len, l.path.p, (int)l.to.len, l.to.p, l.messages);
	}
	assert_int_equal(p.n, 0);
	restore_plan_fini(&p);
}

static size_t
run(int64_t at_ms, bool exact)
{
	return run_some(at_ms, "", exact, SIZE_MAX);
}

static void
is_as(const struct buf *then)
{
	struct buf now = { 0 };

	shoot(&now);
	if (!span_eq(buf_span(&now), buf_span(then))) {
		fprintf(stderr, "--- then\n%.*s--- now\n%.*s", (int)then->len, then->data,
		    (int)now.len, now.data);
		fail_msg("it is not as it was");
	}
	buf_fini(&now);
}

/* Every line of then is there. */
static void
has_all(const struct buf *then)
{
	struct span rest = buf_span(then), now;
	struct buf b = { 0 };

	shoot(&b);
	now = buf_span(&b);
	while (rest.len > 0) {
		struct span line = span_cut(&rest, '\n'), left = now;
		bool found = false;

		while (!found && left.len > 0)
			found = span_eq(span_cut(&left, '\n'), line);
		if (!found)
			fail_msg("missing: %.*s", (int)line.len, line.p);
	}
	buf_fini(&b);
}

/* ---- a random script ---- */

static const char *const paths[] = { "INBOX", "Work", "Work/A", "Work/B", "Old", "Old/Deep/er",
	"Trash", "New" };
#define PATHS (sizeof(paths) / sizeof(paths[0]))

static void
some_uids(uint64_t mailbox, char *text, size_t size)
{
	struct uidset all = { 0 };
	uint32_t lo, hi;

	OK(state_uids(k->s, 7, mailbox, STATE_ALL, &all));
	lo = uidset_empty(&all) ? 1 : uidset_at(&all, rnd((uint32_t)uidset_count(&all)));
	hi = lo + rnd(4);
	snprintf(text, size, "%u:%u", lo, hi);
	uidset_fini(&all);
}

static void
purge_work(void)
{
	struct state_work w, after = { 0 };

	while (state_work_next(k->s, &after, &w) == ST_OK) {
		struct op op = kit_op(k, OP_MAILBOX_PURGE);

		op.u.mailbox_purge.mailbox = w.mailbox;
		OK(kit_apply(k, &op));
	}
}

static void
step(void)
{
	const char *path = paths[rnd(PATHS)], *other = paths[rnd(PATHS)];
	static const char *const keywords[] = { NULL, "$One", "$Two" };
	uint64_t id = kit_mailbox(k, path);
	char uids[32] = "1";

	if (id != 0)
		some_uids(id, uids, sizeof(uids));
	switch (rnd(12)) {
	case 0: case 1: case 2:
		(void)kit_append(k, path, 1 + rnd(3), 100 + rnd(100), rnd(32), keywords[rnd(3)],
		    rnd(20));
		break;
	case 3: case 4:
		if (id != 0)
			OK(kit_flags(k, id, uids, (uint8_t)(FLAGS_ADD + rnd(3)), rnd(32),
			    keywords[rnd(3)], UINT64_MAX));
		break;
	case 5:
		if (id != 0) {
			OK(kit_flags(k, id, uids, FLAGS_ADD, FLAG_DELETED, NULL, UINT64_MAX));
			OK(kit_expunge(k, id, uids));
		}
		break;
	case 6: case 7:
		if (id != 0)
			(void)kit_copy(k, id, uids, other, rnd(3) > 0);
		break;
	case 8:
		(void)kit_create(k, path);
		break;
	case 9:
		(void)kit_delete(k, path);
		purge_work();
		break;
	case 10:
		(void)kit_rename(k, path, other);
		break;
	default:
		if (rnd(2) > 0)
			(void)kit_subscribe(k, path, rnd(2) > 0);
		else if (id != 0)
			(void)kit_share(k, path, 8 + rnd(3), rnd(64));
		break;
	}
}

static unsigned
script(unsigned steps)
{
	assert_true(steps <= STEPS_MAX);
	OK(kit_account(k, 7));
	for (unsigned i = 0; i < steps; i++) {
		step();
		times[i] = k->time_ms;
		shoot(&shots[i]);
	}
	return steps;
}

static unsigned
steps_wanted(unsigned usual)
{
	return getenv("MANSIO_FULL") != NULL ? STEPS_MAX : usual;
}

static void
forget_shots(void)
{
	for (unsigned i = 0; i < STEPS_MAX; i++)
		buf_fini(&shots[i]);
}

static uint64_t
seed(void)
{
	const char *s = getenv("MANSIO_SEED");
	uint64_t n = s != NULL ? strtoull(s, NULL, 10) : 4711;

	print_message("MANSIO_SEED=%llu\n", (unsigned long long)n);
	return n;
}

static void
restored_exactly_everything_is_as_after_any_step(void **state)
{
	unsigned n;

	(void)state;
	rnd_state = seed();
	kit_open(k);
	n = script(steps_wanted(250));
	for (unsigned i = 0; i < 60; i++) {
		unsigned to = rnd(n);

		run(times[to], true);
		is_as(&shots[to]);
		is_done(times[to], true);
		if (i % 8 == 0)
			kit_check(k);
	}
	kit_end(k);
	forget_shots();
}

static void
restored_everything_of_then_is_there_and_nothing_that_came_since_goes(void **state)
{
	struct buf before = { 0 };
	unsigned n;

	(void)state;
	rnd_state = seed() + 1;
	for (unsigned round = 0; round < 6; round++) {
		struct store_mailbox m;
		struct buf list = { 0 };
		struct reader r;
		uint32_t resume = 0;
		unsigned to;

		kit_open(k);
		n = script(80);
		OK(kit_create(k, "Since"));
		OK(kit_append(k, "Since", 3, 100, 0, NULL, 0));
		OK(kit_append(k, "INBOX", 2, 100, 0, NULL, 0));
		to = rnd(n);
		run(times[to], false);
		/* Under another name where it was renamed: messages alone are looked for. */
		has_all(&shots[to]);
		is_done(times[to], false);
		OK(state_mailboxes(k->s, 7, SPAN_LIT("Since"), SIZE_MAX, &resume, &list));
		reader_init(&r, list.data, list.len);
		assert_true(get_store_mailbox(&r, &m));
		assert_int_equal(m.messages, 3);
		buf_fini(&list);
		kit_end(k);
		forget_shots();
	}
	buf_fini(&before);
}

static void
a_restore_that_is_stopped_anywhere_and_run_again_ends_in_the_same(void **state)
{
	(void)state;
	rnd_state = seed() + 2;
	for (unsigned round = 0; round < 4; round++) {
		unsigned n, to;
		size_t parts;

		kit_open(k);
		n = script(100);
		to = rnd(n);
		while ((parts = run_some(times[to], "", true, 1 + rnd(3))) > 3)
			;
		run(times[to], true);
		is_as(&shots[to]);
		kit_end(k);
		forget_shots();
	}
}

/* ---- what was deleted, as mailboxes ---- */

static void
expunge(const char *path, const char *uids)
{
	uint64_t id = kit_mailbox(k, path);

	OK(kit_flags(k, id, uids, FLAGS_ADD, FLAG_DELETED, NULL, UINT64_MAX));
	OK(kit_expunge(k, id, uids));
}

/* "path messages uidnext" of each. */
static void
undeleted_is(const char *want)
{
	struct buf list = { 0 }, text = { 0 };
	struct store_mailbox m;
	struct reader r;

	OK(state_undeleted_list(k->s, 7, SPAN_NONE, &list));
	reader_init(&r, list.data, list.len);
	while (list.len > 0 && get_store_mailbox(&r, &m)) {
		if (m.id == 0)
			buf_addf(&text, "%.*s;", (int)m.path.len, m.path.p);
		else
			buf_addf(&text, "%.*s %u %u;", (int)m.path.len, m.path.p, m.messages,
			    m.uidnext);
	}
	assert_string_equal(buf_cstr(&text), want);
	buf_fini(&list);
	buf_fini(&text);
}

static uint64_t
undeleted(const char *path)
{
	uint64_t id;

	OK(state_undeleted_find(k->s, 7, span_str(path), &id));
	return id;
}

static struct store_row
undeleted_row(const char *path, uint32_t uid)
{
	struct uidset one = { 0 };
	struct store_row row = { 0 };
	struct buf rows = { 0 };
	struct reader r;
	uint32_t resume = 0;

	uidset_add(&one, uid);
	OK(state_rows(k->s, 7, undeleted(path), &one, ROW_ALL, SIZE_MAX, &resume, &rows));
	reader_init(&r, rows.data, rows.len);
	assert_true(get_store_row(&r, &row, ROW_ALL));
	buf_fini(&rows);
	uidset_fini(&one);
	return row;
}

static enum status
bring(const char *from, const char *uids, const char *to)
{
	struct op op = kit_op(k, OP_UNDELETE);
	struct uidset set = { 0 };
	struct buf b = { 0 };
	enum status st;

	assert_true(uidset_parse(&set, span_str(uids), 0, 100));
	uidset_encode(&set, &b);
	op.u.undelete = (struct op_undelete){ .mailbox = undeleted(from) & ~STATE_UNDELETED,
		.uids = buf_span(&b), .to = span_str(to) };
	st = kit_apply(k, &op);
	uidset_fini(&set);
	buf_fini(&b);
	return st;
}

static enum status
bring_id(uint64_t message, const char *to)
{
	struct op op = kit_op(k, OP_UNDELETE);
	unsigned char id[8];

	put_be64(id, message);
	op.u.undelete = (struct op_undelete){ .ids = span(id, 8), .to = span_str(to),
		.make = true };
	return kit_apply(k, &op);
}

static void
deleted_messages_are_read_by_the_mailbox_they_were_in_and_brought_back(void **state)
{
	struct store_copied copied;
	struct store_opened o;
	struct store_row row;
	struct buf uids = { 0 }, keywords = { 0 };

	(void)state;
	kit_open(k);
	OK(kit_account(k, 7));
	OK(kit_create(k, "Work/Sub"));
	OK(kit_append(k, "INBOX", 5, 100, FLAG_SEEN, "$One", 0));
	OK(kit_append(k, "Work/Sub", 3, 100, 0, NULL, 0));
	undeleted_is("");
	/* Numbered as they go, whatever their uids. */
	expunge("INBOX", "4");
	expunge("INBOX", "2:3");
	OK(kit_delete(k, "Work/Sub"));
	OK(kit_create(k, "Work/Sub"));
	OK(kit_append(k, "Work/Sub", 1, 100, 0, NULL, 0));
	undeleted_is("INBOX 3 4;Work;Work/Sub 3 4;");
	expunge("Work/Sub", "1");
	row = undeleted_row("INBOX", 1);
	assert_int_equal(flags_get_system(row.flags), FLAG_SEEN);
	assert_int_equal(row.received_s, 1600000003);
	OK(state_undeleted_open(k->s, 7, undeleted("INBOX"), &o, &uids, &keywords));
	assert_int_equal(o.uidnext, 4);
	assert_int_equal(o.rights, RIGHT_LOOKUP | RIGHT_READ);
	/* Back in another mailbox, then where it was. */
	OK(bring("INBOX", "1,3,99", "Trash"));
	kit_reply(k, STORE_COPIED, &copied);
	assert_true(copied.target == kit_mailbox(k, "Trash"));
	assert_int_equal(bring("INBOX", "2", "Nowhere"), ST_NOT_FOUND);
	OK(bring("INBOX", "1,3", "Trash"));
	row = undeleted_row("INBOX", 2);
	OK(bring_id(row.message, ""));
	assert_int_equal(bring_id(row.message, ""), ST_NOT_FOUND);
	expunge("Trash", "1");
	undeleted_is("Trash 1 2;Work;Work/Sub 1 2;Work/Sub (1700000007) 3 4;");
	buf_fini(&uids);
	buf_fini(&keywords);
	kit_end(k);
}

static void
what_is_kept_is_given_up_oldest_first(void **state)
{
	struct state_account a;
	struct op op;

	(void)state;
	kit_open(k);
	OK(kit_account(k, 7));
	OK(kit_create(k, "Work"));
	OK(kit_append(k, "INBOX", 4, 100, 0, NULL, 0));
	OK(kit_append(k, "Work", 4, 100, 0, NULL, 0));
	expunge("INBOX", "1");
	expunge("Work", "1:2");
	expunge("INBOX", "2:3");
	op = kit_op(k, OP_KEPT_PURGE);
	op.u.kept_purge = (struct op_kept_purge){ .bytes = 300, .before_ms = 0, .rows = 1 };
	OK(kit_apply(k, &op));
	assert_true(k->r.more);
	undeleted_is("INBOX 2 4;Work 2 3;");
	OK(kit_apply(k, &op));
	assert_false(k->r.more);
	undeleted_is("INBOX 2 4;Work 1 3;");
	OK(state_account(k->s, 7, &a));
	assert_int_equal(a.kept_bytes, 300);
	op.u.kept_purge = (struct op_kept_purge){ .bytes = UINT64_MAX,
		.before_ms = k->time_ms + 5000, .rows = 100 };
	OK(kit_apply(k, &op));
	undeleted_is("");
	kit_end(k);
}

static void
a_time_before_what_is_kept_is_refused_with_the_earliest(void **state)
{
	struct restore_plan p;
	struct op op;
	int64_t early;

	(void)state;
	kit_open(k);
	OK(kit_account(k, 7));
	assert_int_equal(plan(1, "", false, &p), ST_EXPIRED);
	restore_plan_fini(&p);
	OK(kit_append(k, "INBOX", 4, 100, 0, NULL, 0));
	early = k->time_ms;
	expunge("INBOX", "1");
	op = kit_op(k, OP_HISTORY_PURGE);
	op.u.history_purge = (struct op_history_purge){ early + 1, 100 };
	OK(kit_apply(k, &op));
	assert_int_equal(plan(early, "", false, &p), ST_EXPIRED);
	assert_true(p.earliest_ms > early);
	restore_plan_fini(&p);
	OK(plan(p.earliest_ms, "", false, &p));
	restore_plan_fini(&p);
	assert_int_equal(plan(k->time_ms, "Nowhere", false, &p), ST_NOT_FOUND);
	restore_plan_fini(&p);
	kit_end(k);
}

static void
one_mailbox_comes_back_alone(void **state)
{
	struct buf then = { 0 };
	int64_t at;
	uint64_t work;

	(void)state;
	kit_open(k);
	OK(kit_account(k, 7));
	OK(kit_create(k, "Work"));
	OK(kit_append(k, "Work", 5, 100, FLAG_SEEN, "$One", 0));
	OK(kit_append(k, "INBOX", 5, 100, 0, NULL, 0));
	at = k->time_ms;
	work = kit_mailbox(k, "Work");
	expunge("INBOX", "1:3");
	shoot(&then);
	OK(kit_copy(k, work, "1", "Trash", true));
	OK(kit_delete(k, "Work"));
	/* Into the one of its name, then as itself. */
	OK(kit_create(k, "Work"));
	run_some(at, "Work", false, SIZE_MAX);
	OK(kit_delete(k, "Work"));
	run_some(at, "Work", false, SIZE_MAX);
	assert_true(kit_mailbox(k, "Work") == work);
	has_all(&then);
	assert_int_equal(run_some(at, "Work", false, SIZE_MAX), 0);
	buf_fini(&then);
	kit_end(k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(restored_exactly_everything_is_as_after_any_step),
		cmocka_unit_test(restored_everything_of_then_is_there_and_nothing_that_came_since_goes),
		cmocka_unit_test(a_restore_that_is_stopped_anywhere_and_run_again_ends_in_the_same),
		cmocka_unit_test(deleted_messages_are_read_by_the_mailbox_they_were_in_and_brought_back),
		cmocka_unit_test(what_is_kept_is_given_up_oldest_first),
		cmocka_unit_test(a_time_before_what_is_kept_is_refused_with_the_earliest),
		cmocka_unit_test(one_mailbox_comes_back_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
