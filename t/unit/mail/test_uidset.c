#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/mail/flags.h"
#include "common/mail/uidset.h"
#include "common/util/mem.h"

#define SPACE 200

static uint64_t seed;

static uint32_t
rnd(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % below;
}

static void
parse(struct uidset *s, const char *text)
{
	assert_true(uidset_parse(s, span_str(text), 0, 100));
}

static void
expect(const struct uidset *s, const char *text)
{
	struct buf b = { 0 };

	uidset_print(s, &b);
	assert_string_equal(buf_cstr(&b), text);
	buf_fini(&b);
}

static void
texts_become_sorted_joined_ranges(void **state)
{
	static const struct { const char *in, *out; } t[] = {
		{ "1", "1" }, { "3,1,2", "1:3" }, { "5:2", "2:5" }, { "7,9,8:8,1:2", "1:2,7:9" },
		{ "4294967295", "4294967295" }, { "1:4294967295,5", "1:4294967295" },
		{ "1:10,3:4,20", "1:10,20" },
	};
	struct uidset s = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		parse(&s, t[i].in);
		expect(&s, t[i].out);
	}
	assert_true(uidset_parse(&s, SPAN_LIT("3:*"), 9, 10));
	expect(&s, "3:9");
	assert_true(uidset_parse(&s, SPAN_LIT("12:*,*"), 9, 10));
	expect(&s, "9:12");
	uidset_fini(&s);
}

static void
malformed_texts_are_refused(void **state)
{
	static const char *const t[] = { "", ",", "1,", ",1", "0", "01", "1:", ":1", "1:2:3", "a",
		"-1", "+1", "4294967296", "1 2", "*", "1:*", "1,,2", "1, 2" };
	struct uidset s = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		assert_false(uidset_parse(&s, span_str(t[i]), 0, 100));
		assert_true(uidset_empty(&s));
	}
	assert_true(uidset_parse(&s, SPAN_LIT("1,3,5"), 0, 3));
	assert_false(uidset_parse(&s, SPAN_LIT("1,3,5,7"), 0, 3));
	uidset_fini(&s);
}

static void
check_equal(const struct uidset *s, const bool *m)
{
	uint32_t last = 0;
	uint64_t n = 0;

	for (uint32_t u = 1; u < SPACE; u++) {
		assert_int_equal(uidset_has(s, u), m[u]);
		if (!m[u]) {
			assert_true(uidset_index(s, u) == UINT64_MAX);
			continue;
		}
		assert_int_equal(uidset_next(s, last), u);
		assert_int_equal(uidset_at(s, n), u);
		assert_true(uidset_index(s, u) == n);
		last = u;
		n++;
	}
	assert_int_equal(uidset_next(s, last), 0);
	assert_int_equal(uidset_at(s, n), 0);
	assert_true(uidset_count(s) == n);
	for (size_t i = 1; i < s->n; i++)
		assert_true(s->r[i].lo > s->r[i - 1].hi + 1);
}

static void
sets_behave_as_arrays_of_truth_do(void **state)
{
	struct uidset s[2] = { { 0 } }, back = { 0 };
	bool m[2][SPACE] = { { false } };

	seed = 7;
	for (int round = 0; round < 6000; round++) {
		unsigned w = rnd(2), o = 1 - w, what = rnd(12);
		uint32_t a = 1 + rnd(SPACE - 1), b = a + rnd(SPACE - a < 12 ? SPACE - a : 12);

		switch (what) {
		case 0: case 1: case 2: case 3:
			uidset_add_range(&s[w], a, b);
			memset(m[w] + a, true, b - a + 1);
			break;
		case 4: case 5: case 6: case 7:
			uidset_remove_range(&s[w], a, b);
			memset(m[w] + a, false, b - a + 1);
			break;
		case 8:
			uidset_add_set(&s[w], &s[o]);
			for (int i = 0; i < SPACE; i++)
				m[w][i] |= m[o][i];
			break;
		case 9:
			uidset_remove_set(&s[w], &s[o]);
			for (int i = 0; i < SPACE; i++)
				m[w][i] = m[w][i] && !m[o][i];
			break;
		case 10:
			uidset_intersect(&s[w], &s[o]);
			for (int i = 0; i < SPACE; i++)
				m[w][i] = m[w][i] && m[o][i];
			break;
		default: {
			struct buf b1 = { 0 };
			struct reader r;

			uidset_encode(&s[w], &b1);
			reader_init(&r, b1.data, b1.len);
			assert_true(uidset_decode(&back, &r, SPACE));
			assert_true(reader_done(&r));
			assert_true(uidset_eq(&back, &s[w]));
			uidset_copy(&back, &s[o]);
			assert_true(uidset_eq(&back, &s[o]));
			buf_fini(&b1);
		}
		}
		check_equal(&s[w], m[w]);
	}
	uidset_fini(&s[0]);
	uidset_fini(&s[1]);
	uidset_fini(&back);
}

static void
malformed_bytes_are_refused(void **state)
{
	static const unsigned char zero_gap[] = { 1, 0, 0 }, touching[] = { 2, 1, 0, 1, 0 },
	    cut[] = { 2, 1, 0 }, high[] = { 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 1 },
	    good[] = { 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0 };
	static const struct { const unsigned char *p; size_t n; bool ok; } t[] = {
		{ zero_gap, sizeof(zero_gap), false }, { touching, sizeof(touching), false },
		{ cut, sizeof(cut), false }, { high, sizeof(high), false },
		{ good, sizeof(good), true }, { good, 0, false },
	};
	struct uidset s = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct reader r;

		reader_init(&r, t[i].p, t[i].n);
		assert_int_equal(uidset_decode(&s, &r, 10), t[i].ok);
		assert_int_equal(r.bad, !t[i].ok);
	}
	uidset_fini(&s);
}

static void
the_highest_uid_does_not_overflow(void **state)
{
	struct uidset s = { 0 }, t = { 0 };

	uidset_add_range(&s, 1, UINT32_MAX);
	uidset_add(&s, UINT32_MAX);
	uidset_add(&s, 5);
	expect(&s, "1:4294967295");
	assert_true(uidset_count(&s) == UINT32_MAX);
	assert_int_equal(uidset_next(&s, UINT32_MAX), 0);
	uidset_remove_range(&s, UINT32_MAX, UINT32_MAX);
	expect(&s, "1:4294967294");
	parse(&t, "4294967295,7");
	uidset_add_set(&s, &t);
	expect(&s, "1:4294967295");
	uidset_remove_set(&s, &t);
	expect(&s, "1:6,8:4294967294");
	uidset_fini(&s);
	uidset_fini(&t);
}

static void
flags_have_names_and_keywords_are_atoms(void **state)
{
	struct flags f = flags_system(FLAG_SEEN);

	assert_int_equal(flag_system_parse(SPAN_LIT("\\sEEN")), FLAG_SEEN);
	assert_int_equal(flag_system_parse(SPAN_LIT("\\Recent")), 0);
	assert_string_equal(flag_system_name(FLAG_DRAFT), "\\Draft");
	assert_string_equal(flag_system_name(64), "");
	assert_true(keyword_valid(SPAN_LIT("$Forwarded")));
	assert_false(keyword_valid(SPAN_LIT("")));
	assert_false(keyword_valid(SPAN_LIT("a b")));
	assert_false(keyword_valid(SPAN_LIT("\\Seen")));
	assert_false(keyword_valid(SPAN_LIT("a]")));
	assert_false(keyword_valid(SPAN_LIT("\xc3\xa4")));
	flags_set_keyword(&f, 0);
	flags_set_keyword(&f, KEYWORD_MAX - 1);
	assert_true(flags_has_keyword(f, 0) && flags_has_keyword(f, KEYWORD_MAX - 1));
	assert_false(flags_has_keyword(f, 56));
	assert_int_equal(flags_get_system(f), FLAG_SEEN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_become_sorted_joined_ranges),
		cmocka_unit_test(malformed_texts_are_refused),
		cmocka_unit_test(sets_behave_as_arrays_of_truth_do),
		cmocka_unit_test(malformed_bytes_are_refused),
		cmocka_unit_test(the_highest_uid_does_not_overflow),
		cmocka_unit_test(flags_have_names_and_keywords_are_atoms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
