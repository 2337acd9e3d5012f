/* What is planned for a message, in a delivery and in an event, and what becomes of it in a store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/util/clock.h"
#include "common/util/mem.h"
#include "filter/event.h"
#include "filter/view.h"
#include "t/unit/storage/sieverig.h"

#define EVENT_NEEDS "require [\"imapsieve\", \"imap4flags\", \"fileinto\", \"copy\", \"duplicate\"];\n"
static const char mail[] = "From: a@example.org\r\nTo: b@example.com\r\nSubject: x\r\n"
    "Message-ID: <m@example.org>\r\n\r\nText\r\n";
static char address[] = "b@example.com";

static struct mansio_conf *conf;
static struct filter *filter;

/* --- a script with a message that is delivered ------------------------------------------------- */

static struct {
	struct sieve_script	*script;
	struct sieve_result	result;
	struct sieve_env	env;
	struct kept		*kept;
	struct filter_view	*view;
	struct copy		*copy;
	struct plan		*plan;
	uint64_t		used;
	unsigned		answers;
	enum status		st;
} d;

static void
on_answer(void *arg, enum status st)
{
	d.st = st;
	d.answers++;
}

static void
on_room(void *arg)
{
}

static void
wait_answers(unsigned n)
{
	uint64_t end = clock_mono_ms() + 20000;

	while (d.answers < n) {
		assert_true(clock_mono_ms() < end);
		loop_once(rig.loop, true);
	}
}

static enum sieve_answer
never_seen(void *arg, const struct sieve_question *q, struct sieve_reply *reply)
{
	reply->yes = q->ask == SIEVE_ASK_MAILBOX;
	return SIEVE_KNOWN;
}

static struct copy *
new_copy(void)
{
	unsigned char bytes[TICKET_LEN];
	struct ticket t = rig_ticket(&rig, 17);
	struct copy_to to = { .pool = rig.pool, .loop = rig.loop, .shard = RIG_SHARD,
		.done = on_answer, .room = on_room };

	t.role = STORE_ROLE_DELIVER;
	to.ticket = rig_sign(&rig, &t, bytes);
	return copy_new(&to);
}

/* Everything up to the plan. */
static void
plan_for(const char *script, bool utf8)
{
	static const struct log_ctx log = { 0 };
	const struct sieve_options options = { .offers = SIEVE_OFFER_DELIVERY };
	const struct kept_limits limits = { 1 << 20, 1 << 20, &d.used };
	struct sieve_problems problems = { 0 };
	struct plan_of of = { .conf = conf, .loop = rig.loop, .log = &log, .user = address,
		.from = "a@example.org", .address = address, .utf8 = utf8,
		.first_stage = PLAN_COPY_STAGE };

	memset(&d, 0, sizeof(d));
	d.script = sieve_compile(span_str(script), &options, &problems);
	assert_non_null(d.script);
	sieve_problems_fini(&problems);
	d.kept = kept_new(&limits);
	kept_feed(d.kept, span_str(mail));
	d.view = filter_view_new(d.kept, SPAN_NONE);
	d.copy = new_copy();
	copy_begin(d.copy, SPAN_NONE, 0);
	copy_feed(d.copy, span_str(mail));
	copy_hold(d.copy);
	wait_answers(1);
	d.env = (struct sieve_env){ .now = clock_wall_s(), .ask = never_seen,
		.addresses = { span_str(address) }, .n_addresses = 1 };
	d.env.envelope.from = SPAN_LIT("a@example.org");
	assert_int_equal(sieve_run((const struct sieve_script *const *)&d.script, 1,
	    filter_view_message(d.view), &d.env, &d.result), SIEVE_DONE);
	of.copy = d.copy;
	of.kept = d.kept;
	of.message = filter_view_message(d.view);
	d.plan = plan_new(&of);
	plan_result(d.plan, &d.result, &d.env);
}

static enum status
send_plan(void)
{
	unsigned n = d.answers;

	plan_send(d.plan, on_answer, NULL);
	wait_answers(n + 1);
	return d.st;
}

static void
forget(void)
{
	plan_free(&d.plan);
	copy_free(&d.copy);
	filter_view_free(&d.view);
	kept_free(&d.kept);
	sieve_result_fini(&d.result);
	sieve_script_free(&d.script);
	assert_int_equal(d.used, 0);
}

static void
a_delivery_is_one_request(void **state)
{
	plan_for("require [\"fileinto\", \"copy\", \"editheader\"]; fileinto \"A\"; "
	    "addheader \"X-B\" \"c\"; fileinto \"B\"; keep;", false);
	OK(send_plan());
	assert_string_equal(plan_words(d.plan), "store=3 redirect=0 send=0");
	assert_int_equal(messages_in("A"), 1);
	assert_int_equal(messages_in("B"), 1);
	assert_int_equal(messages_in("INBOX"), 1);
	forget();
}

static void
a_refusal_is_told_and_nothing_is_kept(void **state)
{
	plan_for("require \"ereject\"; ereject \"Go away\";", false);
	OK(send_plan());
	assert_string_equal(plan_refusal(d.plan), "Go away");
	forget();
	plan_for("require \"ereject\"; ereject \"Gr\u00fc\u00dfe\";", false);
	OK(send_plan());
	assert_string_equal(plan_refusal(d.plan), "The recipient's mail rules refuse this message");
	forget();
	plan_for("require \"ereject\"; ereject \"Gr\u00fc\u00dfe\";", true);
	OK(send_plan());
	assert_string_equal(plan_refusal(d.plan), "Gr\u00fc\u00dfe");
	forget();
	assert_int_equal(messages_in("INBOX"), 0);
}

static void
what_was_believed_is_judged_by_the_store(void **state)
{
	for (unsigned i = 0; i < 2; i++) {
		plan_for("require \"duplicate\"; if duplicate { discard; }", false);
		IS(send_plan(), i == 0 ? ST_OK : ST_CONFLICT);
		forget();
	}
	assert_int_equal(messages_in("INBOX"), 1);
}

static void
more_than_a_request_may_hold_is_no_request(void **state)
{
	struct buf script = { 0 };

	buf_add_str(&script, "require \"duplicate\";\n");
	for (unsigned i = 0; i < STORE_SIEVE_KEYS_ASKED; i++)
		buf_addf(&script, "if duplicate :uniqueid \"%u\" { discard; }\n", i);
	plan_for(buf_cstr(&script), false);
	IS(send_plan(), ST_LIMIT);
	forget();
	assert_int_equal(messages_in("INBOX"), 0);
	buf_fini(&script);
}

static void
without_a_relay_a_redirected_message_is_kept(void **state)
{
	plan_for("redirect \"c@example.net\";", false);
	OK(send_plan());
	assert_int_equal(messages_in("INBOX"), 1);
	forget();
}

/* --- events ------------------------------------------------------------------------------------ */

static uint64_t
make_mailbox(const char *path)
{
	const struct store_create rq = { .path = span_str(path) };
	struct store_created made;

	expect(STORE_CREATED);
	store_do_create(user, &rq, on_done, NULL);
	OK(wait_for());
	reply(&made);
	return made.mailbox;
}

/* The mailbox has this script. */
static void
put_script(uint64_t mailbox, const char *text)
{
	const struct store_script_set rq = { .how = SCRIPT_PUT, .name = SPAN_LIT("ev"),
		.text = span_str(text) };
	struct store_metadata_set named = { .mailbox = mailbox };
	struct buf b = { 0 };

	expect(STORE_SCRIPT_SET_IS);
	store_do_script_set(user, &rq, on_done, NULL);
	OK(wait_for());
	put_store_metadata(&b, &(struct store_metadata){ .name = SPAN_LIT(STORE_EVENT_ENTRY),
	    .given = true, .value = SPAN_LIT("ev") });
	named.entries = buf_span(&b);
	expect(0);
	store_do_metadata_set(user, &named, on_done, NULL);
	OK(wait_for());
	buf_fini(&b);
}

static void
append(const char *path, unsigned n)
{
	struct answer a = { 0 };

	for (unsigned i = 0; i < n; i++)
		OK(rig_append(&rig, user, path, span_str(mail), &a));
	answer_fini(&a);
}

/* "Seen(\Seen) ..." of the flags of each message: names of system flags and keywords. */
static const char *
flags_in(uint64_t mailbox, uint32_t last)
{
	static char text[512];
	struct store_rows rq = { .mailbox = mailbox, .fields = ROW_FLAGS };
	struct store_rows_are are;
	struct uidset uids = { 0 };
	struct buf set = { 0 }, out = { 0 };
	struct store_row row;
	struct span name;
	struct reader r, names;

	uidset_add_range(&uids, 1, last);
	uidset_encode(&uids, &set);
	rq.uids = buf_span(&set);
	expect(STORE_ROWS_ARE);
	store_do_rows(user, &rq, on_done, NULL);
	OK(wait_for());
	reply(&are);
	reader_init(&r, are.rows.p, are.rows.len);
	while (get_store_row(&r, &row, ROW_FLAGS)) {
		buf_addf(&out, "%u:", row.uid);
		for (unsigned bit = 1; bit <= FLAG_SYSTEM_ALL; bit <<= 1)
			if (flags_get_system(row.flags) & bit)
				buf_addf(&out, "%s ", flag_system_name(bit));
		reader_init(&names, are.keywords.p, are.keywords.len);
		for (unsigned k = 0; get_store_keyword(&names, &name); k++)
			if (flags_has_keyword(row.flags, k))
				buf_addf(&out, "%.*s ", (int)name.len, name.p);
	}
	strncpy(text, buf_cstr(&out), sizeof(text) - 1);
	buf_fini(&out);
	buf_fini(&set);
	uidset_fini(&uids);
	return text;
}

static void
on_events(void *arg)
{
	d.answers++;
}

static void
run_events(uint64_t mailbox, uint32_t first, uint32_t last)
{
	const struct events_of of = { .filter = filter, .loop = rig.loop, .store = user,
		.account = 17, .user = address, .first_stage = 1000 };
	struct events *e = events_new(&of, on_events, NULL);
	struct uidset uids = { 0 };
	unsigned n = d.answers;

	assert_true(events_wanted(filter, user));
	uidset_add_range(&uids, first, last);
	events_add(e, EVENT_COPY, mailbox, 0, &uids);
	events_start(e);
	wait_answers(n + 1);
	events_free(&e);
	uidset_fini(&uids);
}

static void
a_message_in_the_store_is_filed_flagged_and_marked(void **state)
{
	uint64_t box = make_mailbox("Box");

	put_script(box, EVENT_NEEDS "fileinto \"A\"; addflag \"Work\";");
	append("Box", 2);
	run_events(box, 1, 2);
	assert_string_equal(flags_in(box, 9), "1:\\Deleted Work 2:\\Deleted Work ");
	assert_int_equal(messages_in("A"), 2);
	put_script(box, EVENT_NEEDS "if hasflag \"Work\" { removeflag [\"Work\", \"\\\\Deleted\"]; }");
	run_events(box, 1, 1);
	assert_string_equal(flags_in(box, 9), "1:2:\\Deleted Work ");
}

static void
messages_that_are_gone_are_passed_over(void **state)
{
	uint64_t box = make_mailbox("Box");

	put_script(box, EVENT_NEEDS "addflag \"Work\";");
	append("Box", 1);
	run_events(box, 1, 5000);
	run_events(box + 1000, 1, 3);
	assert_string_equal(flags_in(box, 9), "1:Work ");
}

/* Four runs at once believe the same; each time one of them is right.  The last one is not run a fourth
 * time, and its message stays. */
static void
a_run_is_tried_three_times(void **state)
{
	uint64_t box = make_mailbox("Box");

	put_script(box, EVENT_NEEDS
	    "if not duplicate :uniqueid \"1\" { addflag \"One\"; stop; }\n"
	    "if not duplicate :uniqueid \"2\" { addflag \"Two\"; stop; }\n"
	    "if not duplicate :uniqueid \"3\" { addflag \"Three\"; stop; }\n"
	    "if not duplicate :uniqueid \"4\" { addflag \"Four\"; stop; }\n");
	append("Box", 4);
	run_events(box, 1, 4);
	assert_string_equal(flags_in(box, 9), "1:One 2:Two 3:Three 4:");
}

static void
a_long_edited_form_is_staged(void **state)
{
	struct answer a = { 0 };
	struct buf text = { 0 };
	uint32_t x = 1;

	OK(rig_open(&rig, user, "INBOX", &a));
	put_script(a.u.opened.mailbox, "require [\"imapsieve\", \"editheader\", \"fileinto\", \"copy\"];"
	    "addheader \"X-A\" \"b\"; fileinto :copy \"A\"; addheader \"X-B\" \"c\"; fileinto :copy \"B\";");
	buf_add_str(&text, "Subject: long\r\n\r\n");
	while (text.len < 300000) {
		x = x * 1664525 + 1013904223;
		buf_addf(&text, "%08x%s", x, text.len % 64 < 8 ? "\r\n" : "");
	}
	d.copy = new_copy();
	copy_begin(d.copy, SPAN_NONE, 0);
	copy_feed(d.copy, buf_span(&text));
	copy_finish(d.copy);
	wait_answers(1);
	OK(d.st);
	run_events(a.u.opened.mailbox, 1, 1);
	assert_int_equal(messages_in("A"), 1);
	assert_int_equal(messages_in("B"), 1);
	assert_int_equal(messages_in("INBOX"), 1);
	copy_free(&d.copy);
	answer_fini(&a);
	buf_fini(&text);
}

static void
events_that_are_given_up_leave_nothing(void **state)
{
	const struct events_of of = { .filter = filter, .loop = rig.loop, .store = user,
		.account = 17, .user = address, .first_stage = 1000 };
	uint64_t box = make_mailbox("Box");
	struct uidset uids = { 0 };

	put_script(box, EVENT_NEEDS "fileinto \"A\";");
	append("Box", 20);
	uidset_add_range(&uids, 1, 20);
	for (unsigned rounds = 0; rounds < 40; rounds++) {
		struct events *e = events_new(&of, on_events, NULL);

		events_add(e, EVENT_COPY, box, 0, &uids);
		events_start(e);
		for (unsigned i = 0; i < rounds; i++)
			loop_once(rig.loop, false);
		events_free(&e);
	}
	uidset_fini(&uids);
}

/* --- ------------------------------------------------------------------------------------------- */

static int
set_up(void **state)
{
	conf = conf_new_default();
	filter = filter_new();
	filter_configure(filter, conf);
	memset(&d, 0, sizeof(d));
	return set_up_here(state);
}

static int
take_down(void **state)
{
	filter_free(&filter);
	conf_free(&conf);
	return tear_down(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, take_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_delivery_is_one_request),
		TEST(a_refusal_is_told_and_nothing_is_kept),
		TEST(what_was_believed_is_judged_by_the_store),
		TEST(more_than_a_request_may_hold_is_no_request),
		TEST(without_a_relay_a_redirected_message_is_kept),
		TEST(a_message_in_the_store_is_filed_flagged_and_marked),
		TEST(messages_that_are_gone_are_passed_over),
		TEST(a_run_is_tried_three_times),
		TEST(a_long_edited_form_is_staged),
		TEST(events_that_are_given_up_leave_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
