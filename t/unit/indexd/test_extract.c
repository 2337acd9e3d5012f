/* Programs that make text of attachments, and such as pretend to. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/util/clock.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "indexd/work.h"
#include "storage/client/body.h"

#define HOSTILE "t/unit/indexd/hostile"

static struct extract *x;
static char *entries[16];

static int
setup(void **state)
{
	static const char *const modes[] = { "copy", "processes", "sockets", "files", "memory",
	    "bytes", "fail", "flood", "silent", "busy" };
	struct conf_indexd conf = { .extractor_time_s = 2, .extractor_memory_bytes = 256u << 20,
	    .extractor_output_bytes = 100000 };
	char *path = realpath(HOSTILE, NULL);
	size_t n = 0;

	if (path == NULL)
		return -1;
	signal(SIGPIPE, SIG_IGN);	/* as indexd does */
	for (; n < ARRAY_LEN(modes); n++) {
		entries[n] = mem_alloc(512);
		snprintf(entries[n], 512, "test/%s %s %s", modes[n], path, modes[n]);
	}
	entries[n] = mem_strdup("application/nothing /nonexistent/program");
	conf.extractors.v = (const char *const *)entries;
	conf.extractors.n = n + 1;
	setenv("MANSIO_HOSTILE", "yes", 1);
	x = extract_new(&conf);
	free(path);
	return 0;
}

static int
teardown(void **state)
{
	extract_free(&x);
	for (size_t i = 0; i < ARRAY_LEN(entries); i++)
		mem_free(&entries[i]);
	return 0;
}

/* What the program of that name says of this content; false: nothing. */
static bool
extract(const char *name, struct span content, struct buf *text)
{
	buf_clear(text);
	extract_next(x);
	assert_true(extract_begin(x, SPAN_LIT("TEST"), span_str(name)));
	extract_feed(x, content);
	return extract_end(x, text);
}

static void
what_a_program_writes_becomes_text(void **state)
{
	struct buf text = { 0 };
	char *much = mem_alloc(90000);

	if (x == NULL)
		skip();		/* a kernel without Landlock */
	assert_true(extract("copy", SPAN_LIT("Some gr\xc3\xbcn words\n"), &text));
	assert_string_equal(buf_cstr(&text), "SOME GRU\xcc\x88N WORDS\n\n");
	assert_true(extract("bytes", SPAN_NONE, &text));
	assert_string_equal(buf_cstr(&text), "AY\xcc\x88" "A\xcc\x88" "A\xcc\x83\n");
	/* more than pipes hold, both ways at once */
	memset(much, 'X', 90000);
	assert_true(extract("copy", span(much, 90000), &text));
	assert_int_equal(text.len, 90001);
	assert_false(extract_begin(x, SPAN_LIT("text"), SPAN_LIT("copy")));
	assert_false(extract_begin(x, SPAN_LIT("test"), SPAN_LIT("other")));
	mem_free(&much);
	buf_fini(&text);
}

static void
what_it_says_before_it_fails_is_nothing(void **state)
{
	struct buf text = { 0 };

	if (x == NULL)
		skip();
	assert_false(extract("fail", SPAN_NONE, &text));
	assert_int_equal(text.len, 0);
	assert_true(extract_begin(x, SPAN_LIT("application"), SPAN_LIT("nothing")));
	extract_feed(x, SPAN_LIT("bytes"));
	assert_false(extract_end(x, &text));
	assert_int_equal(text.len, 0);
	buf_fini(&text);
}

static void
could_nothing(const char *name)
{
	struct buf text = { 0 };

	assert_true(extract(name, SPAN_NONE, &text));
	if (strstr(buf_cstr(&text), "COULD") != NULL || strstr(buf_cstr(&text), "REFUSED") == NULL)
		fail_msg("%s: %s", name, buf_cstr(&text));
	buf_fini(&text);
}

static void
it_starts_no_process_opens_no_socket_and_no_file_and_has_bounded_memory(void **state)
{
	if (x == NULL)
		skip();
	could_nothing("processes");
	could_nothing("sockets");
	could_nothing("files");
	could_nothing("memory");
}

static void
one_that_never_ends_is_killed_in_time(void **state)
{
	struct buf text = { 0 };
	uint64_t from = clock_mono_ms();
	char *much = mem_zalloc(1u << 20);

	if (x == NULL)
		skip();
	assert_false(extract("silent", span(much, 1u << 20), &text));
	assert_false(extract("busy", SPAN_NONE, &text));
	assert_true(clock_mono_ms() - from >= 2000);
	assert_int_equal(text.len, 0);
	/* and the next one is served as if nothing had happened */
	assert_true(extract("copy", SPAN_LIT("alive"), &text));
	assert_string_equal(buf_cstr(&text), "ALIVE\n");
	mem_free(&much);
	buf_fini(&text);
}

static void
one_that_never_stops_writing_is_cut(void **state)
{
	struct buf text = { 0 };

	if (x == NULL)
		skip();
	assert_true(extract("flood", SPAN_NONE, &text));
	assert_int_equal(text.len, 100001);
	buf_fini(&text);
}

static void
the_time_of_a_message_is_limited_as_a_whole(void **state)
{
	struct buf text = { 0 };

	if (x == NULL)
		skip();
	assert_false(extract("silent", SPAN_NONE, &text));
	assert_false(extract_begin(x, SPAN_LIT("test"), SPAN_LIT("copy")));
	extract_next(x);
	assert_true(extract_begin(x, SPAN_LIT("test"), SPAN_LIT("copy")));
	extract_abort(x);
	assert_true(extract("copy", SPAN_LIT("alive"), &text));
	buf_fini(&text);
}

#define MESSAGE \
	"Subject: two\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" \
	"--b\r\n\r\nplain words\r\n" \
	"--b\r\nContent-Type: test/copy\r\nContent-Transfer-Encoding: base64\r\n\r\n" \
	"aW5zaWRlIHRoZSBmaXJzdA==\r\n" \
	"--b\r\nContent-Type: test/fail\r\n\r\nbad\r\n" \
	"--b\r\nContent-Type: test/copy\r\n\r\ninside the second\r\n--b--\r\n"

static void
attachments_of_a_message_are_read_and_their_text_stays_apart(void **state)
{
	struct index_job_rq rq = { .kind = INDEX_DIGEST, .text_max = 1000, .extract = true };
	struct body_writer *b = body_writer_new(SPAN_NONE, 0);
	struct buf stored = { 0 }, text[3] = { 0 };
	struct index_hash_is h;
	struct index_digest_is d;
	struct index_text t;
	struct work *w;

	if (x == NULL)
		skip();
	body_writer_feed(b, MESSAGE, sizeof(MESSAGE) - 1, &stored);
	body_writer_finish(b, &stored);
	body_writer_free(&b);
	w = work_new(&rq, x);
	assert_int_equal(work_feed(w, buf_span(&stored)), ST_OK);
	assert_int_equal(work_finish(w, &h, &d), ST_OK);
	while (work_text(w, &t))
		buf_add_span(&text[t.of], t.data);
	assert_int_equal(d.extracted, 3);
	assert_int_equal(d.failed, 1);
	assert_string_equal(buf_cstr(&text[INDEX_TEXT_EXTRACTED]),
	    "INSIDE THE FIRST\nINSIDE THE SECOND\n");
	assert_non_null(strstr(buf_cstr(&text[INDEX_TEXT_CANONICAL]), "PLAIN WORDS"));
	assert_null(strstr(buf_cstr(&text[INDEX_TEXT_CANONICAL]), "INSIDE"));
	work_free(&w);
	/* one that ends in the middle leaves nothing behind */
	w = work_new(&rq, x);
	work_feed(w, span(stored.data, stored.len - 1));
	work_free(&w);
	rq.extract = false;
	w = work_new(&rq, x);
	work_feed(w, buf_span(&stored));
	assert_int_equal(work_finish(w, &h, &d), ST_OK);
	assert_int_equal(d.extracted, 0);
	work_free(&w);
	for (size_t i = 0; i < 3; i++)
		buf_fini(&text[i]);
	buf_fini(&stored);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_program_writes_becomes_text),
		cmocka_unit_test(what_it_says_before_it_fails_is_nothing),
		cmocka_unit_test(it_starts_no_process_opens_no_socket_and_no_file_and_has_bounded_memory),
		cmocka_unit_test(one_that_never_ends_is_killed_in_time),
		cmocka_unit_test(one_that_never_stops_writing_is_cut),
		cmocka_unit_test(the_time_of_a_message_is_limited_as_a_whole),
		cmocka_unit_test(attachments_of_a_message_are_read_and_their_text_stays_apart),
	};

	log_set_level(LOG_LEVEL_FATAL);
	return cmocka_run_group_tests(tests, setup, teardown);
}
