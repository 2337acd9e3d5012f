#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/crypto/digest.h"
#include "common/util/bytes.h"
#include "common/util/mem.h"
#include "storage/client/body.h"

/* Bytes that compress (text) or do not (noise), always the same. */
static void
make_raw(struct buf *b, size_t n, bool noise)
{
	uint64_t x = 88172645463325252u;

	buf_clear(b);
	while (b->len < n) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		if (noise)
			put_u64(b, x);
		else
			buf_addf(b, "line %u of a message\r\n", (unsigned)(x % 1000));
	}
	buf_cut(b, n);
}

static void
store(struct span prefix, struct span raw, size_t step, uint64_t known, struct buf *out)
{
	struct body_writer *w = body_writer_new(prefix, known);
	unsigned char sum[SHA256_LEN], want[SHA256_LEN];
	struct digest *d = digest_new(DIGEST_SHA256);

	for (size_t at = 0; at < raw.len; at += step) {
		struct span part = span_sub(raw, at, step);

		body_writer_feed(w, part.p, part.len, out);
	}
	body_writer_finish(w, out);
	assert_int_equal(body_writer_size(w), prefix.len + raw.len);
	body_writer_sha256(w, sum);
	digest_add(d, prefix.p, prefix.len);
	digest_add(d, raw.p, raw.len);
	digest_done(d, want);
	assert_memory_equal(sum, want, sizeof(want));
	digest_free(&d);
	body_writer_free(&w);
}

static enum status
load(struct span stored, size_t step, uint64_t from, uint64_t length, struct buf *out)
{
	struct body_reader *r = body_reader_new(from, length);
	enum status st = ST_OK;

	for (size_t at = 0; st == ST_OK && at < stored.len; at += step) {
		struct span part = span_sub(stored, at, step);
		char *exact = mem_dup(part.p, part.len);

		st = body_reader_feed(r, span(exact, part.len), out);
		mem_free(&exact);
	}
	if (st == ST_OK && !body_reader_done(r))
		st = ST_UNAVAILABLE;	/* more was expected */
	body_reader_free(&r);
	return st;
}

/* The other two ways to read say the same. */
static void
check_at_once(struct span stored, struct span want)
{
	struct body_reader *r = body_reader_new(0, 0);
	struct buf back = { 0 };
	struct span rest = stored;

	assert_int_equal(body_unpack(stored, want.len, &back), ST_OK);
	assert_true(span_eq(buf_span(&back), want));
	buf_clear(&back);
	if (want.len > 0)
		assert_int_equal(body_unpack(stored, want.len - 1, &back), ST_CORRUPT);
	buf_clear(&back);
	for (size_t had = 0; rest.len > 0; had = back.len) {
		assert_int_equal(body_reader_take(r, &rest, 1000, &back), ST_OK);
		assert_true(back.len - had <= 1000 + BODY_FRAME_RAW);
	}
	assert_true(body_reader_done(r));
	assert_true(span_eq(buf_span(&back), want));
	body_reader_free(&r);
	buf_fini(&back);
}

static void
check_message(size_t prefix_len, size_t len, bool noise, uint64_t known)
{
	struct buf prefix = { 0 }, raw = { 0 }, stored = { 0 }, back = { 0 };

	make_raw(&prefix, prefix_len, false);
	make_raw(&raw, len, noise);
	store(buf_span(&prefix), buf_span(&raw), 5000, known, &stored);
	assert_int_equal(load(buf_span(&stored), 1 + stored.len / 7, 0, 0, &back), ST_OK);
	assert_int_equal(back.len, prefix_len + len);
	if (prefix_len > 0)
		assert_memory_equal(back.data, prefix.data, prefix_len);
	check_at_once(buf_span(&stored), buf_span(&back));
	if (len > 0)
		assert_memory_equal(back.data + prefix_len, raw.data, len);
	if (!noise && len > 1000)
		assert_true(stored.len < len / 2);
	assert_true(stored.len < prefix_len + len + 64 + len / 4096);
	buf_fini(&prefix);
	buf_fini(&raw);
	buf_fini(&stored);
	buf_fini(&back);
}

static void
a_body_comes_back_whole_of_every_size(void **state)
{
	static const size_t sizes[] = { 0, 1, 100, BODY_FRAME_RAW - 1, BODY_FRAME_RAW,
		BODY_FRAME_RAW + 1, 2 * BODY_FRAME_RAW, 700000 };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		check_message(0, sizes[i], false, 0);
		check_message(300, sizes[i], true, 0);
		check_message(7, sizes[i], false, sizes[i]);
	}
}

static void
any_split_gives_the_same_bytes(void **state)
{
	struct buf raw = { 0 }, stored = { 0 }, back = { 0 };

	make_raw(&raw, 600, false);
	store(SPAN_LIT("Return-Path: <>\r\n"), buf_span(&raw), 1, 0, &stored);
	for (size_t step = 1; step <= stored.len; step++) {
		buf_clear(&back);
		assert_int_equal(load(buf_span(&stored), step, 0, 0, &back), ST_OK);
		assert_int_equal(back.len, 617);
		assert_memory_equal(back.data + 17, raw.data, raw.len);
	}
	buf_fini(&raw);
	buf_fini(&stored);
	buf_fini(&back);
}

static void
a_range_is_what_stands_there(void **state)
{
	static const uint64_t from[] = { 0, 3, 9, 10, 11, 5000, BODY_FRAME_RAW + 9,
		BODY_FRAME_RAW + 10, 2 * BODY_FRAME_RAW, 699999, 700009, 700010, 999999 };
	static const uint64_t lengths[] = { 1, 7, 10, 300000, 700010, UINT64_MAX };
	struct buf raw = { 0 }, all = { 0 }, stored = { 0 }, back = { 0 };

	make_raw(&raw, 700000, false);
	buf_add_str(&all, "0123456789");
	buf_add_span(&all, buf_span(&raw));
	store(SPAN_LIT("0123456789"), buf_span(&raw), 4096, 0, &stored);
	for (size_t i = 0; i < ARRAY_LEN(from); i++) {
		for (size_t k = 0; k < ARRAY_LEN(lengths); k++) {
			uint64_t n = from[i] >= all.len ? 0 : all.len - from[i];

			if (n > lengths[k])
				n = lengths[k];
			buf_clear(&back);
			assert_int_equal(load(buf_span(&stored), 30000, from[i], lengths[k],
			    &back), ST_OK);
			assert_int_equal(back.len, n);
			if (n > 0)
				assert_memory_equal(back.data, all.data + from[i], n);
		}
	}
	buf_fini(&raw);
	buf_fini(&all);
	buf_fini(&stored);
	buf_fini(&back);
}

static void
a_cut_body_is_never_done_and_a_longer_one_is_corrupt(void **state)
{
	struct buf raw = { 0 }, stored = { 0 }, back = { 0 };

	make_raw(&raw, 2000, true);
	store(SPAN_LIT("P: 1\r\n"), buf_span(&raw), 999, 0, &stored);
	for (size_t n = 0; n < stored.len; n++)
		assert_int_not_equal(load(span(stored.data, n), 64, 0, 0, &back), ST_OK);
	buf_add_c(&stored, 0);
	assert_int_equal(load(buf_span(&stored), stored.len, 0, 0, &back), ST_CORRUPT);
	buf_fini(&raw);
	buf_fini(&stored);
	buf_fini(&back);
}

static void
mail_is_packed_with_a_dictionary_that_its_frame_names(void **state)
{
	const struct span mail = SPAN_LIT("Received: from localhost (localhost [127.0.0.1])\r\n"
	    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=\"UTF-8\"\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\nThanks,\r\n");
	struct buf stored = { 0 }, back = { 0 };
	size_t at = 0;

	store(SPAN_NONE, mail, mail.len, 0, &stored);
	assert_true(stored.len < mail.len / 2);
	assert_int_equal(load(buf_span(&stored), 7, 0, 0, &back), ST_OK);
	assert_true(span_eq(buf_span(&back), mail));
	buf_clear(&back);
	assert_int_equal(body_unpack(buf_span(&stored), mail.len, &back), ST_OK);
	assert_true(span_eq(buf_span(&back), mail));

	/* the number behind magic and descriptor */
	while (memcmp(stored.data + at, "\x28\xb5\x2f\xfd", 4) != 0)
		at++;
	assert_int_equal((unsigned char)stored.data[at + 5] | (unsigned char)stored.data[at + 6] << 8,
	    40001);
	stored.data[at + 5] ^= 1;	/* none of ours */
	assert_int_equal(load(buf_span(&stored), stored.len, 0, 0, &back), ST_CORRUPT);
	buf_fini(&stored);
	buf_fini(&back);
}

static void
damaged_heads_are_corrupt(void **state)
{
	static const struct span bad[] = {
		SPAN_LIT("\x02\x00\x00\x00"),			/* version */
		SPAN_LIT("\x01\x81\x80\x04"),			/* prefix too long */
		SPAN_LIT("\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),	/* endless number */
		SPAN_LIT("\x01\x00\x01\x02\x04" "ab"),		/* frame longer than the rest */
		SPAN_LIT("\x01\x00\x01\x00"),			/* ends before the rest does */
		SPAN_LIT("\x01\x00\x02\x02\x02" "ab"),		/* plain, other length */
		SPAN_LIT("\x01\x00\x02\x02\x05" "ab"),		/* packed, but longer */
		SPAN_LIT("\x01\x00\x05\x05\x07" "abc"),		/* packed, but not zstd */
		SPAN_LIT("\x01\x00\x00\x81\x80\x10"),		/* frame too long */
	};
	struct buf back = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (load(bad[i], 1, 0, 0, &back) != ST_CORRUPT)
			fail_msg("case %zu", i);
	}
	buf_fini(&back);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_body_comes_back_whole_of_every_size),
		cmocka_unit_test(any_split_gives_the_same_bytes),
		cmocka_unit_test(a_range_is_what_stands_there),
		cmocka_unit_test(a_cut_body_is_never_done_and_a_longer_one_is_corrupt),
		cmocka_unit_test(mail_is_packed_with_a_dictionary_that_its_frame_names),
		cmocka_unit_test(damaged_heads_are_corrupt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
