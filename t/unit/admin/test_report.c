/* What the processes tell of themselves, as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "admind/report.h"

static const char whole[] =
    "version=1.2\npid=7\nready=1\n"
    "process.stored-0=pid=8 ready=1 restarts=2\n"
    "process.master=pid=9 ready=1 restarts=0\n"
    "listener.imap=127.0.0.1:143\nlistener.imap=[::1]:143\n"
    "worker.3=imapd pid=10 ready=1 connections=5 served=60 restarts=0\n";

static bool
processes(const char *lines, struct buf *out)
{
	struct json_writer w;
	bool ready;

	buf_clear(out);
	json_writer_init(&w, out);
	json_begin_object(&w);
	ready = report_processes(&w, span_str(lines));
	json_end_object(&w);
	return ready;
}

static void
processes_workers_and_listeners_become_lists(void **state)
{
	struct buf out = { 0 };

	assert_true(processes(whole, &out));
	assert_string_equal(buf_cstr(&out), "{\"version\":\"1.2\",\"pid\":7,\"processes\":["
	    "{\"name\":\"stored-0\",\"pid\":8,\"ready\":true,\"restarts\":2},"
	    "{\"name\":\"master\",\"pid\":9,\"ready\":true,\"restarts\":0}],\"workers\":["
	    "{\"slot\":\"3\",\"program\":\"imapd\",\"pid\":10,\"ready\":true,\"connections\":5,"
	    "\"served\":60,\"restarts\":0}],\"listeners\":["
	    "{\"name\":\"imap\",\"address\":\"127.0.0.1:143\"},"
	    "{\"name\":\"imap\",\"address\":\"[::1]:143\"}]}");
	buf_fini(&out);
}

static void
one_that_is_not_ready_is_enough(void **state)
{
	struct buf out = { 0 };

	assert_false(processes("", &out));
	assert_false(processes("ready=1\n", &out));
	assert_false(processes("ready=0\nprocess.a=ready=1\n", &out));
	assert_true(processes("ready=1\nprocess.a=ready=1\n", &out));
	assert_false(processes("ready=1\nprocess.a=ready=1\nprocess.b=ready=0\n", &out));
	assert_false(processes("ready=1\nprocess.a=ready=1\nworker.1=imapd ready=0\n", &out));
	assert_false(processes("ready=1\nprocess.a=pid=1\n", &out));
	buf_fini(&out);
}

static void
only_numbers_become_numbers(void **state)
{
	struct buf out = { 0 };
	struct json_writer w;

	json_writer_init(&w, &out);
	report_lines(&w, SPAN_LIT("a=1\nb=007\nc=-1\nd=\nno line\ne=x=y\nf=0\nlast=2"));
	assert_string_equal(buf_cstr(&out), "{\"a\":1,\"b\":\"007\",\"c\":\"-1\",\"d\":\"\","
	    "\"e\":\"x=y\",\"f\":0,\"last\":2}");
	buf_fini(&out);
}

static void
a_shard_that_does_not_answer_is_told(void **state)
{
	const struct report_shard shards[] = {
		{ "0", true, SPAN_LIT("ticks=3\nmail_bytes=1000\nbody_bytes=300\ntext_bytes=20\n"), 100, 40 }, { "system", false, SPAN_NONE, 0, 0 }
	};
	struct buf out = { 0 };
	struct json_writer w;

	json_writer_init(&w, &out);
	json_begin_object(&w);
	assert_false(report_shards(&w, shards, 2));
	json_end_object(&w);
	assert_string_equal(buf_cstr(&out), "{\"shards\":[{\"shard\":\"0\",\"available\":true,"
	    "\"disk_total\":100,\"disk_free\":40,\"stats\":{\"ticks\":3,\"mail_bytes\":1000,"
	    "\"body_bytes\":300,\"text_bytes\":20}},"
	    "{\"shard\":\"system\",\"available\":false,\"stats\":{}}],"
	    "\"total\":{\"mail_messages\":0,\"mail_bytes\":1000,\"body_bytes\":300,\"records_bytes\":0,"
	    "\"text_bytes\":20,\"retained_body_bytes\":0,\"journal_allocated_bytes\":0,"
	    "\"journal_used_bytes\":0,\"db_table_files_bytes\":0,\"db_log_files_bytes\":0,"
	    "\"copies_bytes\":0,\"bodies_of_1000\":300,\"live_of_1000\":320}}");
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(processes_workers_and_listeners_become_lists),
		cmocka_unit_test(one_that_is_not_ready_is_enough),
		cmocka_unit_test(only_numbers_become_numbers),
		cmocka_unit_test(a_shard_that_does_not_answer_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
