/* What pop3d makes of bytes and numbers, without sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/proto/pop3.h"
#include "common/util/mem.h"
#include "common/worker/counts.h"
#include "pop3d/session.h"

static void
a_line_is_a_word_and_a_rest(void **state)
{
	struct pop3_line l;

	assert_true(pop3_line_parse(SPAN_LIT("PASS  a b "), &l));
	assert_true(span_eq_str(l.word, "PASS"));
	assert_true(span_eq_str(l.rest, " a b "));
	assert_true(pop3_line_parse(SPAN_LIT("NOOP"), &l));
	assert_null(l.rest.p);
	assert_true(pop3_line_parse(SPAN_LIT("STAT "), &l) && pop3_end(l.rest));
	assert_false(pop3_line_parse(SPAN_LIT(""), &l));
	assert_false(pop3_line_parse(SPAN_LIT(" STAT"), &l));
	assert_false(pop3_line_parse(SPAN_LIT("STAT\t1"), &l));
	assert_false(pop3_line_parse(SPAN_LIT("NOOP a\0b"), &l));
}

static void
numbers_have_bounds(void **state)
{
	struct span rest = SPAN_LIT(" 7  4294967295 4294967296 -1 00000000001");
	uint32_t n;

	assert_true(pop3_number(&rest, &n) && n == 7);
	assert_true(pop3_number(&rest, &n) && n == UINT32_MAX);
	assert_false(pop3_number(&rest, &n));
	assert_false(pop3_number(&rest, &n));
	assert_false(pop3_number(&rest, &n));
	assert_false(pop3_number(&rest, &n));
}

/* All bytes in pieces of `step`. */
static void
stuff(struct span raw, size_t step, struct buf *out)
{
	struct pop3_stuffer s = { 0 };

	buf_clear(out);
	for (size_t at = 0; at < raw.len; at += step) {
		size_t from = out->len;

		buf_add_span(out, span_sub(raw, at, step));
		pop3_stuff(&s, out, from);
	}
	pop3_stuff_end(&s, out);
}

static void
dots_are_doubled_on_every_split(void **state)
{
	static const struct { const char *raw, *sent; } cases[] = {
		{ "", ".\r\n" },
		{ ".", "..\r\n.\r\n" },
		{ "a\r\n", "a\r\n.\r\n" },
		{ "a", "a\r\n.\r\n" },
		{ "a\r", "a\r\n.\r\n" },
		{ ".\r\n..\r\n.a.\r\n", "..\r\n...\r\n..a.\r\n.\r\n" },
		{ "a.\r\n.\r\n\r\n.\r\n", "a.\r\n..\r\n\r\n..\r\n.\r\n" },
		{ "bare\n.\nlf", "bare\n..\nlf\r\n.\r\n" },
	};
	struct buf out = { 0 }, big = { 0 }, want = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t step = 1; step <= 16; step++) {
			stuff(span_str(cases[i].raw), step, &out);
			assert_string_equal(buf_cstr(&out), cases[i].sent);
		}
	/* over the blocks that are looked at as one */
	for (size_t n = 0; n < 200; n++) {
		for (size_t k = 0; k < n; k++) {
			buf_add_c(&big, 'x');
			buf_add_c(&want, 'x');
		}
		buf_add_str(&big, "\r\n.\r\n");
		buf_add_str(&want, "\r\n..\r\n");
	}
	buf_add_str(&want, ".\r\n");
	for (size_t step = 1; step < big.len; step = step * 2 + 1) {
		stuff(buf_span(&big), step, &out);
		assert_string_equal(buf_cstr(&out), buf_cstr(&want));
	}
	buf_fini(&out);
	buf_fini(&big);
	buf_fini(&want);
}

static void
top_is_exact_on_every_split(void **state)
{
	static const char raw[] = "A: b\r\nC:\r\n\r\none\r\n\r\nthree\r\nfour";
	static const size_t want[] = { 12, 17, 19, 26, 30, 30 };

	for (uint32_t lines = 0; lines < ARRAY_LEN(want); lines++)
		for (size_t step = 1; step < sizeof(raw); step++) {
			struct pop3_top t = { .lines = lines };
			size_t sum = 0;

			for (size_t at = 0; at < sizeof(raw) - 1 && !t.done; at += step)
				sum += pop3_top_take(&t, span_sub(SPAN_LIT(raw), at, step));
			assert_int_equal(sum, want[lines]);
			assert_int_equal(t.done, lines < 4);
		}
}

static void
only_the_header_is_made_ascii(void **state)
{
	static const char raw[] = "S: gr\xc3\xbc\xc3\x9f" "e\r\n\r\n\xc3\xbc";
	struct pop3_header h = { 0 };
	char copy[sizeof(raw)];

	assert_int_equal(pop3_header_take(&h, span_sub(SPAN_LIT(raw), 0, 5)), 5);
	assert_int_equal(pop3_header_take(&h, span_sub(SPAN_LIT(raw), 5, 100)), 9);
	assert_true(h.over);
	memcpy(copy, raw, sizeof(raw));
	pop3_make_ascii(copy, 14);
	assert_string_equal(copy, "S: gr????e\r\n\r\n\xc3\xbc");
	assert_true(pop3_is_utf8(SPAN_LIT("a\xc3\xbc")));
	assert_false(pop3_is_utf8(SPAN_LIT("ascii")));
	assert_false(pop3_is_utf8(SPAN_LIT("latin \xfc")));
	assert_false(pop3_is_utf8(SPAN_LIT("\xc3")));
	assert_false(pop3_is_utf8(SPAN_LIT("\xc0\x80")));
	assert_false(pop3_is_utf8(SPAN_LIT("\xed\xa0\x80")));
	assert_true(pop3_is_utf8(SPAN_LIT("\xf0\x9f\x93\xa7")));
}

static void
one_byte_above_ascii_is_seen_wherever_it_stands(void **state)
{
	char text[200];

	memset(text, 0x7f, sizeof(text));
	for (size_t n = 0; n <= sizeof(text); n++)
		assert_true(pop3_is_ascii(span(text, n)));
	for (size_t i = 0; i < sizeof(text); i++) {
		text[i] = (char)0x80;
		for (size_t n = 0; n <= sizeof(text); n++)
			assert_true(pop3_is_ascii(span(text, n)) == (n <= i));
		text[i] = 0;
	}
}

static void
unique_ids_follow_the_format(void **state)
{
	const struct uidl_numbers n = { .mailbox = 0x1000000000005, .email = 77,
		.uidvalidity = 1700000000, .uid = 42 };
	const struct uidl_numbers most = { UINT64_MAX, UINT64_MAX, UINT32_MAX, UINT32_MAX };
	struct buf b = { 0 };

	uidl_format("%v.%u", &n, &b);
	assert_string_equal(buf_cstr(&b), "1700000000.42");
	buf_clear(&b);
	uidl_format("%08Xu%08Xv", &n, &b);
	assert_string_equal(buf_cstr(&b), "0000002A6553F100");
	buf_clear(&b);
	uidl_format("a%xm-%e-%05u", &n, &b);
	assert_string_equal(buf_cstr(&b), "a1000000000005-77-00042");
	buf_clear(&b);
	uidl_format("%m%e%v%u", &most, &b);
	assert_int_equal(b.len, 60);
	buf_fini(&b);
}

static void
a_folder_is_cut_out_of_the_login(void **state)
{
	struct conf_pop3 conf = { .folder_logins = true, .folder_delimiter = "+" };
	struct buf user = { 0 }, folder = { 0 };
	static const struct { const char *login, *user, *folder; } cases[] = {
		{ "ann@example.org", "ann@example.org", "" },
		{ "ann+Work/old@example.org", "ann@example.org", "Work/old" },
		{ "ann+a+b@example.org", "ann@example.org", "a+b" },
		{ "ann+@example.org", "ann+@example.org", "" },
		{ "+x@example.org", "+x@example.org", "" },
		{ "ann+x", "ann", "x" },
		{ "ann@a+b.org", "ann@a+b.org", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		pop3_split_login(&conf, span_str(cases[i].login), &user, &folder);
		assert_string_equal(buf_cstr(&user), cases[i].user);
		assert_string_equal(buf_cstr(&folder), cases[i].folder);
	}
	conf.folder_logins = false;
	pop3_split_login(&conf, SPAN_LIT("ann+x@example.org"), &user, &folder);
	assert_string_equal(buf_cstr(&user), "ann+x@example.org");
	assert_int_equal(folder.len, 0);
	buf_fini(&user);
	buf_fini(&folder);
}

static void
marked_messages_are_named_by_mailbox_and_in_parts(void **state)
{
	struct drop_box boxes[] = { { .mailbox = 5, .first = 0, .n = 3 },
		{ .mailbox = 6, .first = 3, .n = 0 }, { .mailbox = 7, .first = 3, .n = 2 } };
	uint32_t uid[] = { 1, 4, 9, 2, 3 }, size[] = { 10, 20, 30, 40, 50 };
	uint8_t marks[5] = { 0 };
	struct maildrop d = { .boxes = boxes, .n_boxes = 3, .n = 5, .uid = uid, .size = size,
		.marks = marks, .bytes = 150 };
	struct buf out = { 0 };
	struct store_uids u;
	struct reader r;
	uint32_t at = 0;

	assert_true(maildrop_box(&d, 2) == &boxes[0] && maildrop_box(&d, 3) == &boxes[2]);
	maildrop_delete(&d, 0);
	maildrop_delete(&d, 2);
	maildrop_delete(&d, 4);
	assert_int_equal(d.deleted_bytes, 90);
	assert_int_equal(maildrop_marked(&d, DROP_DELETED, 0, 2, &at, &out), 2);
	reader_init(&r, out.data, out.len);
	assert_true(get_store_uids(&r, &u) && u.mailbox == 5 && reader_done(&r));
	buf_clear(&out);
	assert_int_equal(maildrop_marked(&d, DROP_DELETED, 0, 2, &at, &out), 1);
	reader_init(&r, out.data, out.len);
	assert_true(get_store_uids(&r, &u) && u.mailbox == 7 && reader_done(&r));
	maildrop_undelete_all(&d);
	at = 0;
	buf_clear(&out);
	assert_int_equal(maildrop_marked(&d, DROP_DELETED, 0, 10, &at, &out), 0);
	assert_int_equal(out.len, 0);
	buf_fini(&out);
}

static void
connections_are_counted_by_customer(void **state)
{
	struct counts c = { 0 };
	struct net_ip a, b, v4;

	assert_true(net_ip_parse(SPAN_LIT("2001:db8::1"), &a));
	assert_true(net_ip_parse(SPAN_LIT("2001:db8::ffff"), &b));
	assert_true(net_ip_parse(SPAN_LIT("192.0.2.1"), &v4));
	assert_true(counts_enter_address(&c, &a, 2));
	assert_true(counts_enter_address(&c, &b, 2));
	assert_false(counts_enter_address(&c, &a, 2));
	assert_true(counts_is_news(&c, &a));
	assert_false(counts_is_news(&c, &b));		/* the same /64 */
	assert_true(counts_enter_address(&c, &v4, 2));
	counts_leave_address(&c, &b);
	assert_true(counts_enter_address(&c, &a, 2));
	assert_true(counts_enter_account(&c, 7, 1));
	assert_false(counts_enter_account(&c, 7, 1));
	counts_leave_account(&c, 7);
	assert_true(counts_enter_account(&c, 7, 1));
	counts_fini(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_a_word_and_a_rest),
		cmocka_unit_test(numbers_have_bounds),
		cmocka_unit_test(dots_are_doubled_on_every_split),
		cmocka_unit_test(top_is_exact_on_every_split),
		cmocka_unit_test(only_the_header_is_made_ascii),
		cmocka_unit_test(one_byte_above_ascii_is_seen_wherever_it_stands),
		cmocka_unit_test(unique_ids_follow_the_format),
		cmocka_unit_test(a_folder_is_cut_out_of_the_login),
		cmocka_unit_test(marked_messages_are_named_by_mailbox_and_in_parts),
		cmocka_unit_test(connections_are_counted_by_customer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
