/* Letters of a store through a relay that plays scripts (relaykit.h), and through programs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/ipc/ipc.h"
#include "common/out/out_proto.h"
#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "outd/sender.h"
#include "outd/submit.h"
#include "storage/client/body.h"
#include "t/unit/outd/relaykit.h"

static struct {
	struct loop	*loop;
	struct submit	*submit;
	struct ipc	*stored;
	uint32_t	last_chan;
} w;

/* What a store knows of a letter. */
struct mail {
	const char	*text;
	struct buf	stored;		/* the text in the store's form */
	bool		wrong;		/* that is another one */
	size_t		at, part;	/* part: bytes in one note; 0: all that is wanted */
	bool		bad;		/* its second half cannot be read */
	bool		never;		/* nothing of it comes */
	uint32_t	chan, wanted;
	bool		done;
	enum status	st;
	uint8_t		how, each[4];
	bool		unsent;
	char		why[300], first[300];
};

static void
on_closed(struct ipc *ipc, void *arg)
{
	fail();
}

static int
set_up(void **state)
{
	struct ipc_config cf = { .protocol = &out_protocol, .peer = "outd", .closed = on_closed };
	int sv[2];

	memset(&w, 0, sizeof(w));
	w.loop = cf.loop = loop_new();
	w.submit = submit_new(w.loop);
	assert_true(fd_socketpair(sv));
	w.stored = ipc_new(&cf, sv[0]);
	submit_connect(w.submit, 0, sv[1]);
	return 0;
}

static int
tear_down(void **state)
{
	submit_free(&w.submit);
	ipc_free(&w.stored);
	loop_free(&w.loop);
	return 0;
}

static void
configure(const char *settings)
{
	struct mansio_conf *conf = NULL;
	struct conf_errors e = { 0 };
	char text[600];

	snprintf(text, sizeof(text), "hostname = here\noutgoing { %s }\n", settings);
	if (!conf_parse(span_str(text), "test", &conf, &e))
		fail_msg("%s", buf_cstr(&e.text));
	conf_errors_fini(&e);
	submit_configure(w.submit, conf);
}

static void
relay_at(uint16_t port, const char *more)
{
	char text[300];

	snprintf(text, sizeof(text), "relay = \"127.0.0.1:%u\"\ntls = none\n%s", port, more);
	configure(text);
	submit_secrets(w.submit, SPAN_NONE, SPAN_NONE);
}

/* Letters ---------------------------------------------------------------------- */

static void
give(struct mail *m)
{
	size_t len = m->stored.len;

	while (m->wanted > 0 && !m->never && m->at < len) {
		size_t left = len - m->at, n = m->part > 0 ? m->part : left;
		struct out_submit_body b;

		if (n > left)
			n = left;
		if (n > m->wanted)
			n = m->wanted;
		if (n > OUT_SUBMIT_PART)
			n = OUT_SUBMIT_PART;
		b = (struct out_submit_body){ span(m->stored.data + m->at, n), m->at + n == len, false };
		if (m->bad && m->at > 0)
			b = (struct out_submit_body){ SPAN_NONE, true, true };
		m->at += n;
		m->wanted -= (uint32_t)n;
		ipc_note(w.stored, m->chan, OUT_SUBMIT_BODY, &b);
		if (b.bad)
			return;
	}
}

static void
take_answer(struct mail *m, const struct out_submitted *is)
{
	struct out_result r;
	struct reader in;

	m->how = is->how;
	m->unsent = is->unsent;
	snprintf(m->why, sizeof(m->why), "%.*s", (int)is->why.len, is->why.p);
	reader_init(&in, is->results.p, is->results.len);
	for (size_t i = 0; i < ARRAY_LEN(m->each) && get_out_result(&in, &r); i++) {
		m->each[i] = r.how;
		if (i == 0)
			snprintf(m->first, sizeof(m->first), "%.*s", (int)r.why.len, r.why.p);
	}
}

static void
on_reply(void *arg, const struct ipc_head *h, const struct ipc_message *m, const void *msg)
{
	struct mail *mail = arg;

	if (h->more && m->no == OUT_SUBMIT_WANTS) {
		mail->wanted += ((const struct out_submit_wants *)msg)->bytes;
		give(mail);
		return;
	}
	mail->done = true;
	buf_fini(&mail->stored);
	mail->st = h->status;
	if (m != NULL && m->no == OUT_SUBMITTED)
		take_answer(mail, msg);
	else if (m != NULL)
		snprintf(mail->why, sizeof(mail->why), "%.*s",
		    (int)((const struct out_failed *)msg)->why.len, ((const struct out_failed *)msg)->why.p);
}

static void
store_form(struct mail *m, unsigned char sum[32])
{
	struct body_writer *b = body_writer_new(SPAN_NONE, 0);

	body_writer_feed(b, m->text, strlen(m->text), &m->stored);
	body_writer_finish(b, &m->stored);
	body_writer_sha256(b, sum);
	sum[0] ^= m->wrong;
	body_writer_free(&b);
}

/* to: up to four addresses with commas. */
static void
send_like(struct mail *m, const char *to, struct out_submit rq)
{
	struct buf list = { 0 };
	struct span rest = span_str(to);
	unsigned char sum[32];

	m->chan = ++w.last_chan;
	while (rest.p != NULL) {
		const struct out_recipient r = { .address = span_cut(&rest, ',') };

		put_out_recipient(&list, &r);
	}
	store_form(m, sum);
	rq.recipients = buf_span(&list);
	rq.size = strlen(m->text);
	rq.sha256 = span(sum, sizeof(sum));
	ipc_request(w.stored, m->chan, OUT_SUBMIT, &rq, on_reply, m);
	buf_fini(&list);
}

static void
send_to(struct mail *m, const char *to)
{
	send_like(m, to, (struct out_submit){ .account = 1, .entry = 2, .from = SPAN_LIT("a@x.test") });
}

static void
wait_for(const struct mail *m)
{
	while (!m->done)
		loop_once(w.loop, true);
	assert_int_equal(m->st, ST_OK);
}

static void
assert_kit_well(void)
{
	const char *wrong = relaykit_end();

	if (wrong != NULL)
		fail_msg("%s", wrong);
}

#define TEXT "Subject: x\r\n\r\n.\r\nbody\r\n"
#define ENVELOPE "C:MAIL FROM:<a@x.test> SIZE=23 BODY=8BITMIME\r\n", "C:RCPT TO:<b@y.test>\r\n"

/* Sent, and not ------------------------------------------------------------------- */

static void
a_letter_arrives_as_it_is(void **state)
{
	static const char *const steps[] = { KIT_HELLO, ENVELOPE, "S:250 ok|250 ok", "C:DATA", "S:354 go",
	    "T", "S:250 2.0.0 queued as 7", "C:QUIT", NULL };
	struct mail m = { .text = TEXT, .part = 3 };

	relay_at(relaykit_play(steps), "");
	send_to(&m, "b@y.test");
	wait_for(&m);
	assert_int_equal(m.how, OUT_SENT);
	assert_false(m.unsent);
	assert_string_equal(m.why, "127.0.0.1: 250 2.0.0 queued as 7");
	configure("relay = elsewhere.test");		/* done with it: it takes its leave */
	for (int i = 0; i < 20; i++)
		loop_once(w.loop, false);
	assert_kit_well();
	assert_string_equal(relaykit_text(), "Subject: x\r\n\r\n..\r\nbody\r\n");
}

static void
a_large_letter_arrives_whole(void **state)
{
	static const char *const steps[] = { "S:220 kit", "C:EHLO", "S:250 kit", "C:MAIL", "S:250 ok",
	    "C:RCPT", "S:250 ok", "C:DATA", "S:354 go", "T", "S:250 ok", NULL };
	struct buf text = { 0 };
	struct mail m;

	for (int i = 0; text.len < 900000; i++)
		buf_addf(&text, "line %d of a message that is larger than every window\r\n", i * 7919);
	m = (struct mail){ .text = buf_cstr(&text) };
	relay_at(relaykit_play(steps), "");
	send_to(&m, "b@y.test");
	wait_for(&m);
	assert_kit_well();
	assert_int_equal(m.how, OUT_SENT);
	assert_string_equal(relaykit_text(), m.text);
	buf_fini(&text);
}

static void
a_relay_of_old_is_talked_to_step_by_step(void **state)
{
	static const char *const steps[] = { "S:220 old", "C:EHLO here", "S:502 what?", "C:HELO here",
	    "S:250 old", "C:MAIL FROM:<a@x.test>\r\n", "S:250 ok", "C:RCPT TO:<b@y.test>\r\n", "S:250 ok",
	    "C:RCPT TO:<c@y.test>\r\n", "S:550 no", "C:DATA", "S:354 go", "T", "S:250 ok", NULL };
	struct mail m = { .text = TEXT };

	relay_at(relaykit_play(steps), "");
	send_to(&m, "b@y.test,c@y.test");
	wait_for(&m);
	assert_kit_well();
	assert_int_equal(m.how, OUT_SENT);
	assert_int_equal(m.each[0], OUT_SENT);
	assert_int_equal(m.each[1], OUT_REFUSED);
}

static void
each_recipient_has_its_own_answer(void **state)
{
	static const char *const steps[] = { KIT_HELLO, "C:MAIL", "C:RCPT", "C:RCPT", "C:RCPT",
	    "S:250 ok|550 5.1.1 no such user|452 later|552 too many", "S:", NULL };
	struct mail m = { .text = TEXT };

	relay_at(relaykit_play(steps), "");
	send_to(&m, "b@y.test,c@y.test,d@y.test");
	wait_for(&m);
	(void)relaykit_end();
	assert_int_equal(m.how, OUT_LATER);
	assert_true(m.unsent);
	assert_int_equal(m.each[0], OUT_REFUSED);
	assert_int_equal(m.each[1], OUT_LATER);
	assert_int_equal(m.each[2], OUT_LATER);
	assert_string_equal(m.first, "127.0.0.1: 550 5.1.1 no such user");
}

struct answers {
	const char	*steps[24];
	uint8_t		how;
	bool		unsent;
	const char	*why;
};

#define TO_DATA KIT_HELLO, ENVELOPE, "S:250 ok|250 ok", "C:DATA"

static const struct answers table[] = {
	{ { "S:554 no service" }, OUT_LATER, true, "127.0.0.1: 554 no service" },
	{ { "S:421 busy" }, OUT_LATER, true, "127.0.0.1: 421 busy" },
	{ { "S:what is this" }, OUT_LATER, true, "127.0.0.1: its reply is none" },
	{ { "X" }, OUT_LATER, true, NULL },
	{ { "S:220 hi", "C:EHLO", "X" }, OUT_LATER, true, NULL },
	{ { "S:220 hi", "C:EHLO", "S:550 no", "C:HELO", "S:550 never" }, OUT_LATER, true,
	    "127.0.0.1: 550 never" },
	{ { KIT_HELLO, ENVELOPE, "S:550 you not|503 bad" }, OUT_REFUSED, true, "127.0.0.1: 550 you not" },
	{ { KIT_HELLO, ENVELOPE, "S:530 log in first|503 bad" }, OUT_LATER, true,
	    "127.0.0.1: 530 log in first" },
	{ { KIT_HELLO, ENVELOPE, "S:451 not now|503 bad" }, OUT_LATER, true, "127.0.0.1: 451 not now" },
	{ { KIT_HELLO, ENVELOPE, "S:250 ok|550 no such user" }, OUT_REFUSED, true,
	    "127.0.0.1: 550 no such user" },
	{ { KIT_HELLO, ENVELOPE, "S:250 ok", "X" }, OUT_LATER, true, NULL },
	{ { TO_DATA, "S:451 no room" }, OUT_LATER, true, "127.0.0.1: 451 no room" },
	{ { TO_DATA, "S:554 no" }, OUT_REFUSED, true, "127.0.0.1: 554 no" },
	{ { TO_DATA, "X" }, OUT_LATER, true, NULL },
	{ { TO_DATA, "S:354 go", "T", "S:552 too large" }, OUT_REFUSED, true, "127.0.0.1: 552 too large" },
	{ { TO_DATA, "S:354 go", "T", "S:451 later" }, OUT_LATER, true, "127.0.0.1: 451 later" },
	{ { TO_DATA, "S:354 go", "T", "S:421 going down" }, OUT_LATER, true,
	    "127.0.0.1: 421 going down" },
	/* nobody knows */
	{ { TO_DATA, "S:354 go", "T", "X" }, OUT_LATER, false, NULL },
	{ { TO_DATA, "S:354 go", "T", "S:gone" }, OUT_LATER, false, "127.0.0.1: its reply is none" },
};

static void
every_answer_and_every_end_is_understood(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const struct answers *a = &table[i];
		struct mail m = { .text = TEXT };

		relay_at(relaykit_play(a->steps), "");
		send_to(&m, "b@y.test");
		wait_for(&m);
		if (m.how != a->how || m.unsent != a->unsent ||
		    (a->why != NULL && strcmp(m.why, a->why) != 0))
			fail_msg("case %zu: %u %d %s", i, m.how, m.unsent, m.why);
		assert_kit_well();
	}
}

static void
a_relay_that_does_not_answer_is_given_up(void **state)
{
	static const char *const greeting[] = { "C:nothing", NULL };
	static const char *const final[] = { TO_DATA, "S:354 go", "T", "C:nothing", NULL };
	struct mail m = { .text = TEXT }, m2 = { .text = TEXT };

	relay_at(relaykit_play(greeting), "reply-time = 1s");
	send_to(&m, "b@y.test");
	wait_for(&m);
	(void)relaykit_end();
	assert_int_equal(m.how, OUT_LATER);
	assert_true(m.unsent);
	assert_string_equal(m.why, "127.0.0.1: it does not answer in time");
	relay_at(relaykit_play(final), "final-time = 1s");
	send_to(&m2, "b@y.test");
	wait_for(&m2);
	(void)relaykit_end();
	assert_int_equal(m2.how, OUT_LATER);
	assert_false(m2.unsent);
}

static void
half_a_text_never_looks_whole(void **state)
{
	static const char *const steps[] = { TO_DATA, "S:354 go", "E", NULL };
	struct mail bad = { .text = TEXT, .part = 10, .bad = true },
	    wrong = { .text = TEXT, .wrong = true }, never = { .text = TEXT, .never = true };

	relay_at(relaykit_play(steps), "");
	send_to(&bad, "b@y.test");
	wait_for(&bad);
	assert_kit_well();
	assert_int_equal(bad.how, OUT_LATER);
	assert_true(bad.unsent);

	relay_at(relaykit_play(steps), "");
	send_to(&wrong, "b@y.test");
	wait_for(&wrong);
	assert_kit_well();
	assert_int_equal(wrong.how, OUT_LATER);
	assert_true(wrong.unsent);

	relay_at(relaykit_play(steps), "");
	send_to(&never, "b@y.test");
	while (never.wanted == 0)
		loop_once(w.loop, true);
	submit_free(&w.submit);				/* and so when this side is gone */
	w.submit = submit_new(w.loop);
	assert_kit_well();
	ipc_free(&w.stored);
	buf_fini(&never.stored);
}

static void
a_connection_serves_many_letters(void **state)
{
	static const char *const steps[] = { KIT_HELLO,
	    "C:MAIL", "C:RCPT", "S:250 ok|550 no", "C:RSET", "C:MAIL", "C:RCPT", "S:250 ok|250 ok|250 ok",
	    "C:DATA", "S:354 go", "T", "S:250 one", "C:MAIL", "C:RCPT", "S:250 ok|250 ok", "C:DATA", "S:354 go",
	    "T", "S:250 two",
	    /* then it closes: the next letter goes by another one, and nobody is told */
	    "C:MAIL", "X", "N", KIT_HELLO, "C:MAIL", "C:RCPT", "S:250 ok|250 ok", "C:DATA", "S:354 go", "T",
	    "S:250 three", NULL };
	struct mail m[4] = { { .text = TEXT }, { .text = TEXT }, { .text = TEXT }, { .text = TEXT } };
	static const char *const why[] = { "550 no", "250 one", "250 two", "250 three" };

	relay_at(relaykit_play(steps), "connections = 1");
	for (size_t i = 0; i < 3; i++)
		send_to(&m[i], "b@y.test");
	for (size_t i = 0; i < 4; i++) {
		if (i == 3)
			send_to(&m[i], "b@y.test");
		wait_for(&m[i]);
		assert_string_equal(m[i].why + strlen("127.0.0.1: "), why[i]);
	}
	assert_kit_well();
}

static void
what_the_relay_cannot_take_is_refused(void **state)
{
	static const char *const plain[] = { "S:220 hi", "C:EHLO", "S:250-kit|250 SIZE 20",
	    "C:MAIL FROM:<a@x.test> SIZE=15\r\n", "S:250 ok", "C:RCPT", "S:250 ok", "C:DATA", "S:354 go", "E", NULL };
	const struct out_submit rq[] = {
		{ .from = SPAN_LIT("a@x.test"), .eight_bit = true },
		{ .from = SPAN_LIT("a@x.test"), .utf8 = true },
		{ .from = SPAN_LIT("\xc3\xa9@x.test") },
		{ .from = SPAN_LIT("a@x.test"), .by = OUT_BY_RETURN, .by_s = 60 },
	};
	struct mail m = { .text = TEXT }, late = { .text = "Subject: \xc3\xa9\r\n\r\n" };

	relay_at(relaykit_play(plain), "");
	for (size_t i = 0; i < ARRAY_LEN(rq); i++) {
		struct mail one = { .text = "x\r\n" };

		send_like(&one, "b@y.test", rq[i]);
		wait_for(&one);
		assert_int_equal(one.how, OUT_REFUSED);
		assert_true(one.unsent);
	}
	send_to(&m, "b@y.test");
	wait_for(&m);
	assert_int_equal(m.how, OUT_REFUSED);
	assert_string_equal(m.why, "too large: the relay takes 20 bytes");
	/* nobody said that it is 8-bit: it is seen on the way, and not ended */
	send_to(&late, "b@y.test");
	wait_for(&late);
	assert_int_equal(late.how, OUT_REFUSED);
	assert_true(late.unsent);
	assert_kit_well();
}

static void
what_cannot_stand_in_a_command_is_not_begun(void **state)
{
	const struct out_submit envid = { .from = SPAN_LIT("a@x.test"), .envid = SPAN_LIT("a b") };
	const struct out_submit from = { .from = SPAN_LIT("a@x.test>\r\nDATA") };
	struct mail m[4] = { { .text = "x" }, { .text = "x" }, { .text = "x" }, { .text = "x" } };

	relay_at(1, "");
	send_to(&m[0], "b@y.test>\r\nRSET");
	send_to(&m[1], "no address");
	send_like(&m[2], "b@y.test", envid);
	send_like(&m[3], "b@y.test", from);
	for (size_t i = 0; i < ARRAY_LEN(m); i++) {
		while (!m[i].done)
			loop_once(w.loop, true);
		assert_int_equal(m[i].st, ST_SYNTAX);
	}
}

static void
nothing_is_taken_without_a_relay_or_its_secrets(void **state)
{
	struct mail m[3] = { { .text = "x" }, { .text = "x" }, { .text = "x" } };

	for (size_t i = 0; i < ARRAY_LEN(m); i++) {
		if (i == 1)
			configure("relay = \"127.0.0.1:1\"");
		if (i == 2) {
			configure("relay = \"\"");
			submit_secrets(w.submit, SPAN_NONE, SPAN_NONE);
		}
		send_to(&m[i], "b@y.test");
		while (!m[i].done)
			loop_once(w.loop, true);
		assert_int_equal(m[i].st, ST_UNAVAILABLE);
	}
}

static void
a_relay_that_is_not_there_is_told_at_once(void **state)
{
	struct mail m[3] = { { .text = "x" }, { .text = "x" }, { .text = "x" } };

	relay_at(1, "");
	for (size_t i = 0; i < ARRAY_LEN(m); i++)
		send_to(&m[i], "b@y.test");
	for (size_t i = 0; i < ARRAY_LEN(m); i++) {
		wait_for(&m[i]);
		assert_int_equal(m[i].how, OUT_LATER);
		assert_true(m[i].unsent);
		assert_string_equal(m[i].why, "127.0.0.1: cannot connect: Connection refused");
	}
	configure("relay = \"no-such-host.invalid\"  tls = none  connect-time = 10s");
	submit_secrets(w.submit, SPAN_NONE, SPAN_NONE);
	m[0].done = false;
	send_to(&m[0], "b@y.test");
	wait_for(&m[0]);
	assert_int_equal(m[0].how, OUT_LATER);
	assert_true(m[0].unsent);
}

/* Programs ------------------------------------------------------------------------- */

static char dir[] = "/tmp/mansio-submit-XXXXXX";

/* A shell script; what it is given is kept beside it. */
static void
program(const char *body, const char *more)
{
	char path[100], text[400];
	FILE *f;

	snprintf(path, sizeof(path), "%s/send", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "#!/bin/sh\necho \"$@\" >%s/args\n%s\n", dir, body);
	fclose(f);
	assert_int_equal(chmod(path, 0755), 0);
	snprintf(text, sizeof(text), "program = \"%s\"\n%s", path, more);
	configure(text);
	submit_secrets(w.submit, SPAN_NONE, SPAN_NONE);
	assert_true(submit_has_program(w.submit) && submit_start_program(w.submit));
}

static void
assert_file(const char *name, const char *want)
{
	char path[100], *text;
	size_t len;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_true(fd_slurp_path(path, 1 << 20, &text, &len));
	assert_string_equal(text, want);
	mem_free(&text);
}

static void
a_program_gets_arguments_and_text(void **state)
{
	struct mail m = { .text = "Subject: x\r\n\r\n.\r\na\rb\r\n", .part = 1 };
	char body[200];

	snprintf(body, sizeof(body), "cat >%s/text", dir);
	program(body, "");
	send_to(&m, "b@y.test,c@y.test");
	wait_for(&m);
	assert_int_equal(m.how, OUT_SENT);
	assert_file("args", "-oi -f a@x.test -- b@y.test c@y.test\n");
	assert_file("text", "Subject: x\n\n.\na\rb\n");
}

static void
exit_codes_are_answers(void **state)
{
	static const struct { const char *body; uint8_t how; bool unsent; const char *why; } cases[] = {
		{ "cat >/dev/null; echo first; echo 'no such user' >&2; exit 67", OUT_REFUSED, true,
		    "send: exit code 67: no such user" },
		{ "cat >/dev/null; exit 75", OUT_LATER, true, "send: exit code 75" },
		{ "exit 0", OUT_LATER, true, "send ended before the message did" },
		{ "cat >/dev/null; kill -9 $$", OUT_LATER, false, "send was killed" },
		{ "cat >/dev/null; sleep 100", OUT_LATER, false, "send did not end in time" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf large = { 0 };
		struct mail m;

		/* more than a pipe holds, so that a program that reads nothing is seen */
		while (large.len < 200000)
			buf_add_str(&large, "0123456789\r\n");
		m = (struct mail){ .text = buf_cstr(&large) };
		program(cases[i].body, "program-time = 2s");
		send_to(&m, "b@y.test");
		wait_for(&m);
		if (m.how != cases[i].how || m.unsent != cases[i].unsent || strcmp(m.why, cases[i].why) != 0)
			fail_msg("case %zu: %u %d %s", i, m.how, m.unsent, m.why);
		buf_fini(&large);
		tear_down(NULL);
		set_up(NULL);
	}
	assert_int_equal(sender_how(0), OUT_SENT);
	assert_int_equal(sender_how(77), OUT_REFUSED);
	assert_int_equal(sender_how(127), OUT_LATER);
}

static void
half_a_text_is_never_given_to_a_program_as_a_whole(void **state)
{
	struct mail m = { .text = "Subject: x\r\n\r\nbody\r\n", .part = 10, .bad = true };
	char body[200], path[100];

	snprintf(body, sizeof(body), "cat >%s/half; echo whole >%s/whole", dir, dir);
	program(body, "");
	send_to(&m, "b@y.test");
	wait_for(&m);
	assert_int_equal(m.how, OUT_LATER);
	assert_true(m.unsent);
	snprintf(path, sizeof(path), "%s/whole", dir);
	assert_int_not_equal(access(path, F_OK), 0);
}

static int
make_dir(void **state)
{
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static int
remove_dir(void **state)
{
	static const char *const names[] = { "send", "args", "text", "half", "whole" };
	char path[100];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	return rmdir(dir);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_letter_arrives_as_it_is),
		TEST(a_large_letter_arrives_whole),
		TEST(a_relay_of_old_is_talked_to_step_by_step),
		TEST(each_recipient_has_its_own_answer),
		TEST(every_answer_and_every_end_is_understood),
		TEST(a_relay_that_does_not_answer_is_given_up),
		TEST(half_a_text_never_looks_whole),
		TEST(a_connection_serves_many_letters),
		TEST(what_the_relay_cannot_take_is_refused),
		TEST(what_cannot_stand_in_a_command_is_not_begun),
		TEST(nothing_is_taken_without_a_relay_or_its_secrets),
		TEST(a_relay_that_is_not_there_is_told_at_once),
		TEST(a_program_gets_arguments_and_text),
		TEST(exit_codes_are_answers),
		TEST(half_a_text_is_never_given_to_a_program_as_a_whole),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	log_set_level(LOG_LEVEL_FATAL);
	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
