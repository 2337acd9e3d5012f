/* Sessions on a socketpair, their maildrop made up, with a store of our own where bodies are
 * wanted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/util/fd.h"
#include "common/util/mem.h"
#include "pop3d/session.h"
#include "t/unit/storage/rig.h"

#define OUTPUT		(64u << 10)
#define READ_AHEAD	(32u << 10)

static struct rig rig;
static struct answer a;
static struct pop3_server srv;
static struct conf_pop3 conf;
static struct pop3_session *s;
static int client;
static struct buf got;

static int
setup(void **state)
{
	const struct conf_listener listener = { .head.name = "pop3", .cleartext_login = true };
	int fds[2];

	rig_init(&rig);
	rig_start(&rig);
	conf = (struct conf_pop3){ .login_timeout_s = 60, .idle_timeout_s = 600,
		.max_line_bytes = 255, .max_bad_commands = 10, .max_output_bytes = OUTPUT,
		.read_ahead_bytes = READ_AHEAD, .read_ahead_total_bytes = 1u << 20,
		.uidl_format = "%v.%u", .utf8_headers = CONF_POP3_UTF8_SURROGATE };
	srv = (struct pop3_server){ .conf = &conf };
	front_init(&srv.front, &pop3_front, rig.loop, auth_client_new(rig.loop, NULL, NULL));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	client = fds[1];
	s = pop3_session_new(&srv, fds[0], "1", "test", &listener);
	return 0;
}

static int
teardown(void **state)
{
	front_fini(&srv.front);
	assert_true(srv.ahead_bytes == 0);
	auth_client_free(&srv.auth);
	fd_close(&client);
	buf_fini(&got);
	answer_fini(&a);
	a = (struct answer){ 0 };
	rig_run(&rig, 1);
	rig_fini(&rig);
	return 0;
}

/* What a session has behind its login. */
static void
log_in(uint32_t n, uint64_t mailbox)
{
	struct maildrop *d = &s->drop;

	d->boxes = mem_array(1, sizeof(*d->boxes));
	d->n_boxes = 1;
	d->boxes[0] = (struct drop_box){ .mailbox = mailbox, .uidvalidity = 77, .n = n,
		.uidnext = n + 1, .no_uidls = true };
	d->n = d->room = n;
	d->uid = mem_array(n, sizeof(*d->uid));
	d->size = mem_array(n, sizeof(*d->size));
	d->marks = mem_array(n, sizeof(*d->marks));
	for (uint32_t i = 0; i < n; i++)
		d->uid[i] = i + 1;
	uidls_init(&s->uidls, d, s->store, conf.uidl_format);
	s->ahead.drop = d;
	s->ahead.store = s->store;
	s->state = POP3_IN_TRANS;
}

static void
say(const char *text)
{
	assert_int_equal(send(client, text, strlen(text), MSG_NOSIGNAL), (int)strlen(text));
}

/* At most max bytes more; how many. */
static size_t
hear(size_t max)
{
	ssize_t n;

	loop_once(rig.loop, false);
	n = recv(client, buf_reserve(&got, max), max, 0);
	if (n < 0 && errno == EAGAIN)
		return 0;
	assert_true(n > 0);
	buf_added(&got, (size_t)n);
	return (size_t)n;
}

/* An answer of many lines, of which `expect` tells each (NULL: anything). */
static void
listing(uint32_t n, void (*expect)(uint32_t i, char *line, size_t room))
{
	char want[80], *nl;
	uint32_t lines = 0;
	bool first = true, over = false;

	while (!over) {
		hear(20000);
		/* bounded by what may wait for the client, and one step more */
		assert_true(conn_out(s->conn)->room <= 4 * OUTPUT);
		while (!over && got.len > 0 &&
		    (nl = memchr(got.data, '\n', got.len)) != NULL) {
			size_t len = (size_t)(nl - got.data) + 1;

			if (first)
				assert_memory_equal(got.data, "+OK ", 4);
			else if (len == 3 && got.data[0] == '.')
				over = true;
			else {
				expect(lines++, want, sizeof(want));
				assert_int_equal(len, strlen(want));
				assert_memory_equal(got.data, want, len);
			}
			first = false;
			buf_drop(&got, len);
		}
	}
	assert_int_equal(lines, n);
	assert_int_equal(got.len, 0);
}

static void
list_line(uint32_t i, char *line, size_t room)
{
	snprintf(line, room, "%u %u\r\n", (unsigned)i + 1, 1000 + (unsigned)i % 9000);
}

static void
uidl_line(uint32_t i, char *line, size_t room)
{
	snprintf(line, room, "%u 77.%u\r\n", (unsigned)i + 1, (unsigned)i + 1);
}

static void
a_million_messages_are_listed_in_bounded_memory(void **state)
{
	const uint32_t n = 1000000;

	log_in(n, 1);
	for (uint32_t i = 0; i < n; i++)
		s->drop.bytes += s->drop.size[i] = 1000 + i % 9000;
	hear(100);
	buf_clear(&got);
	say("LIST\r\n");
	listing(n, list_line);
	say("UIDL\r\n");
	listing(n, uidl_line);
}

/* ---- with bodies ---- */

static void
on_event(void *arg, enum store_event ev, uint64_t modseq)
{
	pop3_retr_stale(s);
}

static size_t
text_of(uint32_t i, size_t size, struct buf *out)
{
	buf_clear(out);
	buf_addf(out, "Subject: %u\r\n\r\n", (unsigned)i);
	/* such that it does not become small when packed */
	for (uint32_t x = i * 2654435761u + 1; out->len < size; x = x * 1664525u + 1013904223u)
		buf_addf(out, "%08x%s", (unsigned)x, x >> 29 == 0 ? "\r\n." : "");
	buf_add_str(out, "\r\n");
	return out->len;
}

static size_t
size_of(uint32_t i)
{
	return i == 20 || i == 21 ? 60000 : 500 + i * 7 % 900;
}

static void
fill(uint32_t n)
{
	struct buf text = { 0 };
	struct store *own = rig_channel(&rig, 17, NULL, NULL);

	for (uint32_t i = 0; i < n; i++) {
		text_of(i, size_of(i), &text);
		assert_int_equal(rig_append(&rig, own, "INBOX", buf_span(&text), &a), ST_OK);
	}
	assert_int_equal(rig_open(&rig, own, "INBOX", &a), ST_OK);
	s->store = rig_channel(&rig, 17, on_event, NULL);
	log_in(n, a.u.opened.mailbox);
	for (uint32_t i = 0; i < n; i++)
		s->drop.size[i] = (uint32_t)text_of(i, size_of(i), &text);
	store_close(&own);
	buf_fini(&text);
	while (hear(100) > 0)
		;
	buf_clear(&got);
}

/* The whole answer to a RETR lies in got. */
static bool
is_whole(void)
{
	return got.len > 5 && (got.data[0] == '-' ? got.data[got.len - 1] == '\n' :
	    memcmp(got.data + got.len - 5, "\r\n.\r\n", 5) == 0);
}

static void
retr(uint32_t i)
{
	struct pop3_stuffer stuffer = { 0 };
	struct buf want = { 0 }, text = { 0 };
	char cmd[32];
	size_t from;

	snprintf(cmd, sizeof(cmd), "RETR %u\r\n", (unsigned)i + 1);
	buf_clear(&got);
	say(cmd);
	while (!is_whole()) {
		hear(30000);
		/* both batches, each with the message that went over its end, and the one that
		 * is ready */
		assert_true(srv.ahead_bytes <= 4 * READ_AHEAD + 3 * 65536);
	}
	text_of(i, size_of(i), &text);
	buf_addf(&want, "+OK %u octets\r\n", (unsigned)text.len);
	from = want.len;
	buf_add_span(&want, buf_span(&text));
	pop3_stuff(&stuffer, &want, from);
	pop3_stuff_end(&stuffer, &want);
	assert_int_equal(got.len, want.len);
	assert_memory_equal(got.data, want.data, want.len);
	buf_fini(&want);
	buf_fini(&text);
}

static void
what_is_read_ahead_is_bounded_and_forgotten_when_the_client_rests(void **state)
{
	bool ready = false;

	fill(120);
	for (uint32_t i = 0; i < 120; i++) {
		retr(i);
		loop_once(rig.loop, false);
		ready |= s->ready.answer.len > 0;
	}
	assert_true(ready);
	for (uint32_t i = 0; i < 240; i++)
		retr(i * 47 % 120);
	for (uint32_t i = 119; i > 0; i--)
		retr(i);
	for (uint32_t i = 0; i < 10; i++)
		retr(i);
	assert_true(srv.ahead_bytes > 0 && loop_timer_is_set(s->rest));
	loop_timer_set(s->rest, 1);
	while (srv.ahead_bytes > 0)
		loop_once(rig.loop, true);
	assert_true(s->ready.answer.len == 0);
	for (uint32_t i = 10; i < 20; i++)
		retr(i);
}

static void
what_was_read_ahead_before_a_change_is_not_sent(void **state)
{
	struct store *other;
	struct uidset gone = { 0 };
	struct buf uids = { 0 };
	struct store_flags deleted = { .how = FLAGS_ADD, .system = FLAG_DELETED,
		.unchanged_since = UINT64_MAX };
	struct store_expunge expunge = { 0 };

	fill(40);
	for (uint32_t i = 0; i < 6; i++)
		retr(i);
	loop_once(rig.loop, false);
	assert_true(s->ready.answer.len > 0 && s->ready.index == 6);
	other = rig_channel(&rig, 17, NULL, NULL);
	uidset_add_range(&gone, 7, 12);		/* indexes 6 to 11 */
	uidset_encode(&gone, &uids);
	deleted.mailbox = expunge.mailbox = s->drop.boxes[0].mailbox;
	deleted.uids = expunge.uids = buf_span(&uids);
	rig_expect(STORE_FLAGS_ARE);
	store_do_flags(other, &deleted, rig_done, &a);
	rig_wait(&rig, &a, a.n + 1);
	assert_int_equal(a.st, ST_OK);
	rig_expect(STORE_EXPUNGED);
	store_do_expunge(other, &expunge, rig_done, &a);
	rig_wait(&rig, &a, a.n + 1);
	assert_int_equal(a.st, ST_OK);
	while (s->ready.answer.len > 0)
		loop_once(rig.loop, true);
	for (uint32_t i = 6; i < 12; i++) {
		char cmd[32];

		snprintf(cmd, sizeof(cmd), "RETR %u\r\n", (unsigned)i + 1);
		buf_clear(&got);
		say(cmd);
		while (!is_whole())
			hear(30000);
		assert_true(span_has_prefix(buf_span(&got), "-ERR No such message any more"));
	}
	for (uint32_t i = 12; i < 40; i++)
		retr(i);
	store_close(&other);
	uidset_fini(&gone);
	buf_fini(&uids);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_million_messages_are_listed_in_bounded_memory),
		T(what_is_read_ahead_is_bounded_and_forgotten_when_the_client_rests),
		T(what_was_read_ahead_before_a_change_is_not_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
