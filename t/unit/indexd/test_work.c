#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/crypto/digest.h"
#include "common/crypto/random.h"
#include "common/mime/digest.h"
#include "common/proto/imap_columns.h"
#include "common/util/mem.h"
#include "indexd/work.h"
#include "storage/client/body.h"

#define MESSAGE \
	"Message-ID: <one@x>\r\nReferences: <zero@x>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n" \
	"Content-Type: multipart/mixed; boundary=b\r\n\r\n" \
	"--b\r\n\r\nplain words\r\n" \
	"--b\r\nContent-Type: text/html\r\nContent-Disposition: attachment\r\n\r\n" \
	"<p>Marked &amp; <b>bold</b></p><script>hidden()</script>\r\n" \
	"--b\r\nContent-Type: text/x-log; charset=iso-8859-1\r\nContent-Disposition: attachment;\r\n" \
	" filename=a.log\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nlogged =E4\r\n" \
	"--b\r\nContent-Type: application/pdf\r\n\r\nbinary words\r\n--b--\r\n"

struct stored {
	struct buf	bytes;
	uint64_t	size;
	unsigned char	sum[32];
};

static void
store(struct span prefix, struct span text, struct stored *s)
{
	struct body_writer *w = body_writer_new(prefix, 0);

	body_writer_feed(w, text.p, text.len, &s->bytes);
	body_writer_finish(w, &s->bytes);
	body_writer_sha256(w, s->sum);
	s->size = body_writer_size(w);
	body_writer_free(&w);
}

static enum status
work(const struct index_job_rq *rq, struct span stored, size_t step, struct work **w,
    struct index_hash_is *h, struct index_digest_is *d)
{
	*w = work_new(rq, NULL);
	for (size_t at = 0; at < stored.len; at += step)
		(void)work_feed(*w, span_sub(stored, at, step));
	return work_finish(*w, h, d);
}

static void
a_hash_is_the_writers_however_the_body_is_cut(void **state)
{
	static const size_t sizes[] = { 1, 100, 70000, 256u << 10, 900000 };
	const struct index_job_rq rq = { .kind = INDEX_HASH };
	char *text = mem_alloc(900000);

	random_bytes(text, 450000);
	memset(text + 450000, 'x', 450000);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct stored s = { 0 };

		store(SPAN_LIT("Received: here\r\n"), span(text + 900000 - sizes[i], sizes[i]), &s);
		for (size_t step = sizes[i] < 1000 ? 1 : 997; step < 1u << 20; step *= 19) {
			struct index_hash_is h;
			struct index_digest_is d;
			struct work *w;

			assert_int_equal(work(&rq, buf_span(&s.bytes), step, &w, &h, &d), ST_OK);
			assert_true(h.size == s.size);
			assert_memory_equal(h.sha256.p, s.sum, 32);
			assert_int_equal(d.sha256.len, 0);
			work_free(&w);
		}
		buf_fini(&s.bytes);
	}
	mem_free(&text);
}

static void
what_is_no_stored_body_or_ends_early_is_damaged(void **state)
{
	const struct index_job_rq rq = { .kind = INDEX_HASH };
	struct index_hash_is h;
	struct index_digest_is d;
	struct stored s = { 0 };
	struct work *w;

	store(SPAN_NONE, SPAN_LIT(MESSAGE), &s);
	for (size_t n = 1; n < s.bytes.len; n++) {
		assert_int_equal(work(&rq, span(s.bytes.data, n), 7, &w, &h, &d), ST_CORRUPT);
		work_free(&w);
	}
	s.bytes.data[0]++;
	assert_int_equal(work(&rq, buf_span(&s.bytes), 7, &w, &h, &d), ST_CORRUPT);
	work_free(&w);
	s.bytes.data[0]--;
	buf_add_c(&s.bytes, 'x');
	assert_int_equal(work(&rq, buf_span(&s.bytes), 7, &w, &h, &d), ST_CORRUPT);
	work_free(&w);
	buf_fini(&s.bytes);
}

static void
a_digest_is_what_a_worker_makes_of_the_message(void **state)
{
	const struct index_job_rq rq = { .kind = INDEX_DIGEST, .text_max = 100000 };
	struct buf columns = { 0 }, keys = { 0 }, text = { 0 };
	struct mime_digest *m = mime_digest_new(100000);
	struct mime_digest_result r;
	struct index_hash_is h;
	struct index_digest_is d;
	struct index_text t;
	struct stored s = { 0 };
	struct work *w;

	mime_digest_feed(m, MESSAGE, sizeof(MESSAGE) - 1);
	mime_digest_finish(m, &r);
	imap_columns_make(&r, &columns);
	mime_digest_keys(&r, &keys);
	store(SPAN_NONE, SPAN_LIT(MESSAGE), &s);
	assert_int_equal(work(&rq, buf_span(&s.bytes), 11, &w, &h, &d), ST_OK);
	assert_memory_equal(d.sha256.p, s.sum, 32);
	assert_true(d.size == s.size && d.subject_hash == r.subject_hash && d.subject_hash != 0);
	assert_true(span_eq(d.list, r.list) && span_eq(d.structure, r.structure));
	assert_true(span_eq(d.columns, buf_span(&columns)));
	assert_true(span_eq(d.thread_keys, buf_span(&keys)));
	assert_int_equal(d.thread_keys.len, 16);
	assert_int_equal(d.text_version, MIME_TEXT_VERSION);
	while (work_text(w, &t)) {
		assert_int_equal(t.of, INDEX_TEXT_CANONICAL);
		buf_add_span(&text, t.data);
	}
	assert_true(span_eq(buf_span(&text), r.text));
	work_free(&w);
	mime_digest_free(&m);
	buf_fini(&columns);
	buf_fini(&keys);
	buf_fini(&text);
	buf_fini(&s.bytes);
}

static bool
has(struct span text, const char *word)
{
	return memmem(text.p, text.len, word, strlen(word)) != NULL;
}

static void
text_and_html_attachments_are_in_the_text_and_other_types_are_not(void **state)
{
	const struct index_job_rq rq = { .kind = INDEX_DIGEST, .text_max = 100000 };
	struct index_hash_is h;
	struct index_digest_is d;
	struct index_text t;
	struct stored s = { 0 };
	struct work *w;

	store(SPAN_NONE, SPAN_LIT(MESSAGE), &s);
	assert_int_equal(work(&rq, buf_span(&s.bytes), 100, &w, &h, &d), ST_OK);
	assert_true(work_text(w, &t));
	assert_true(has(t.data, "PLAIN WORDS"));
	assert_true(has(t.data, "MARKED & BOLD"));
	assert_true(has(t.data, "LOGGED A\xcc\x88"));
	assert_false(has(t.data, "HIDDEN"));
	assert_false(has(t.data, "<P>"));
	assert_false(has(t.data, "BINARY WORDS"));
	work_free(&w);
	buf_fini(&s.bytes);
}

static void
a_limit_cuts_the_text_and_says_so(void **state)
{
	const struct index_job_rq rq = { .kind = INDEX_DIGEST, .text_max = 50 };
	struct index_hash_is h;
	struct index_digest_is d;
	struct index_text t;
	struct stored s = { 0 };
	struct work *w;

	store(SPAN_NONE, SPAN_LIT(MESSAGE), &s);
	assert_int_equal(work(&rq, buf_span(&s.bytes), 100, &w, &h, &d), ST_OK);
	assert_true(d.text_cut && work_text(w, &t));
	assert_true(t.data.len <= 50);
	assert_false(work_text(w, &t));
	work_free(&w);
	buf_fini(&s.bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hash_is_the_writers_however_the_body_is_cut),
		cmocka_unit_test(what_is_no_stored_body_or_ends_early_is_damaged),
		cmocka_unit_test(a_digest_is_what_a_worker_makes_of_the_message),
		cmocka_unit_test(text_and_html_attachments_are_in_the_text_and_other_types_are_not),
		cmocka_unit_test(a_limit_cuts_the_text_and_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
