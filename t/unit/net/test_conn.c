#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

#include "common/compress/deflate.h"
#include "common/net/conn.h"
#include "common/util/clock.h"
#include "common/util/fd.h"
#include "common/util/mem.h"
#include "config.h"
#include "t/unit/net/tlskit.h"

static struct kit_cert cert;

static int
make_cert(void **state)
{
	kit_cert_make(&cert, "EC", "DNS:mail.example.org", 10);
	return 0;
}

static int
free_cert(void **state)
{
	kit_cert_free(&cert);
	return 0;
}

/* A server that answers each line "x" with "<x>"; some lines are orders. */
struct server {
	struct loop	*loop;
	struct conn	*conn;
	struct tls_ctx	*tls;
	int		 peer;			/* the client's end */
	int		 lines, eofs, drained, secured, closed;
	enum conn_end	 why;
	size_t		 to_stream;		/* bytes to be produced when there is room */
	bool		 refused_tls;
	bool		 keep_input;
};

static void
stream(struct server *s)
{
	static const char zeros[4096];

	while (s->to_stream > 0 && !conn_full(s->conn)) {
		size_t n = s->to_stream < sizeof(zeros) ? s->to_stream : sizeof(zeros);

		buf_add(conn_out(s->conn), zeros, n);
		s->to_stream -= n;
	}
}

static void
on_line(struct server *s, struct span line)
{
	s->lines++;
	if (span_eq_str(line, "quit")) {
		buf_add_str(conn_out(s->conn), "bye\n");
		conn_finish(s->conn);
	} else if (span_eq_str(line, "die")) {
		conn_free(&s->conn);
	} else if (span_eq_str(line, "pause")) {
		conn_pause(s->conn);
	} else if (span_eq_str(line, "starttls")) {
		buf_drop(conn_in(s->conn), strlen("starttls\n"));
		buf_add_str(conn_out(s->conn), "go\n");
		if (!conn_start_tls(s->conn, s->tls)) {
			s->refused_tls = true;
			conn_finish(s->conn);
		}
	} else if (span_eq_str(line, "compress")) {
		buf_drop(conn_in(s->conn), strlen("compress\n"));
		buf_add_str(conn_out(s->conn), "go\n");
		conn_start_compress(s->conn);
	} else if (span_eq_str(line, "plain")) {
		buf_drop(conn_in(s->conn), strlen("plain\n"));
		buf_add_str(conn_out(s->conn), "gone\n");
		s->refused_tls = !conn_end_compress(s->conn);
	} else if (span_eq_str(line, "stream")) {
		s->to_stream = 4 << 20;
		stream(s);
	} else {
		buf_addf(conn_out(s->conn), "<%.*s>\n", (int)line.len, line.p);
	}
}

static void
on_data(struct conn *c, void *arg)
{
	struct server *s = arg;

	while (!s->keep_input && s->conn != NULL && !conn_paused(c) && !s->refused_tls) {
		struct span in = buf_span(conn_in(c));
		size_t nl = span_find(in, '\n');
		bool taken = span_has_prefix(in, "starttls\n") ||
		    span_has_prefix(in, "compress\n") || span_has_prefix(in, "plain\n");

		if (nl == in.len)
			break;
		on_line(s, span_sub(in, 0, nl));
		if (s->conn != NULL && !taken)
			buf_drop(conn_in(c), nl + 1);
	}
}

static void
on_eof(struct conn *c, void *arg)
{
	struct server *s = arg;

	s->eofs++;
	conn_finish(c);
}

static void
on_drained(struct conn *c, void *arg)
{
	struct server *s = arg;

	s->drained++;
	stream(s);
}

static void
on_secured(struct conn *c, void *arg)
{
	struct server *s = arg;

	assert_int_equal(s->lines == 0 || conn_in(c)->len == 0, 1);
	s->secured++;
}

static void
on_closed(struct conn *c, enum conn_end why, void *arg)
{
	struct server *s = arg;

	s->closed++;
	s->why = why;
}

static const struct conn_ops ops = { on_data, on_eof, on_drained, on_secured, on_closed };

static void
begin(struct server *s, bool implicit_tls)
{
	int sv[2];

	memset(s, 0, sizeof(*s));
	s->loop = loop_new();
	s->tls = kit_ctx(&cert, NULL);
	assert_true(fd_socketpair(sv));
	s->peer = sv[1];
	s->conn = conn_new(s->loop, sv[0], implicit_tls ? s->tls : NULL, &ops, s);
}

static void
finish(struct server *s)
{
	conn_free(&s->conn);
	fd_close(&s->peer);
	tls_ctx_free(&s->tls);
	loop_free(&s->loop);
}

static void
rounds(struct server *s, int n)
{
	while (n-- > 0)
		loop_once(s->loop, false);
}

static void
say(struct server *s, const char *text)
{
	assert_int_equal(write(s->peer, text, strlen(text)), strlen(text));
	rounds(s, 4);
}

static void
assert_hears(struct server *s, const char *want)
{
	char got[512];
	ssize_t n = recv(s->peer, got, sizeof(got) - 1, 0);

	got[n > 0 ? n : 0] = '\0';
	assert_string_equal(got, want);
}

static void
lines_are_answered_in_one_write_however_they_arrive(void **state)
{
	struct server s;

	begin(&s, false);
	say(&s, "a\nb");
	assert_hears(&s, "<a>\n");
	for (const char *p = "\nccc\nd\n"; *p != '\0'; p++)
		say(&s, (char[]){ *p, '\0' });
	assert_hears(&s, "<b>\n<ccc>\n<d>\n");
	assert_int_equal(conn_bytes_in(s.conn), 10);
	assert_int_equal(conn_bytes_out(s.conn), 18);
	assert_int_equal(conn_peer(s.conn)->family, NET_UNIX);
	finish(&s);
}

static void
a_connection_may_be_freed_by_its_own_callback(void **state)
{
	struct server s;
	char c;

	begin(&s, false);
	say(&s, "a\ndie\nb\n");
	assert_null(s.conn);
	assert_int_equal(s.lines, 2);
	assert_int_equal(recv(s.peer, &c, 1, 0), 0);
	finish(&s);
}

static void
finishing_sends_all_and_waits_for_the_peer(void **state)
{
	struct server s;

	begin(&s, false);
	say(&s, "quit\nignored\n");
	assert_int_equal(s.lines, 1);
	assert_int_equal(s.closed, 0);
	buf_add_str(conn_out(s.conn), "lost");
	say(&s, "more\n");
	assert_hears(&s, "bye\n");
	assert_hears(&s, "");
	fd_close(&s.peer);
	rounds(&s, 2);
	assert_int_equal(s.closed, 1);
	assert_int_equal(s.why, CONN_FINISHED);
	assert_int_equal(s.lines, 1);
	buf_add_str(conn_out(s.conn), "lost");
	finish(&s);
}

static void
half_closed_clients_get_their_answers(void **state)
{
	struct server s;

	begin(&s, false);
	assert_int_equal(write(s.peer, "a\nb\n", 4), 4);
	shutdown(s.peer, SHUT_WR);
	rounds(&s, 4);
	assert_hears(&s, "<a>\n<b>\n");
	assert_int_equal(s.eofs, 1);
	assert_int_equal(s.closed, 1);
	assert_int_equal(s.why, CONN_FINISHED);
	finish(&s);
}

static void
paused_input_waits_and_fills_the_socket(void **state)
{
	static char junk[1 << 16];
	struct server s;
	ssize_t n;
	size_t sent = 0;

	begin(&s, false);
	say(&s, "pause\nx\ny\n");
	assert_int_equal(s.lines, 1);
	memset(junk, '\n', sizeof(junk));
	while ((n = write(s.peer, junk, sizeof(junk))) > 0) {
		sent += (size_t)n;
		rounds(&s, 1);
		assert_true(sent < 4 << 20);
	}
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(conn_in(s.conn)->len, 4);
	conn_resume(s.conn);
	assert_int_equal(s.lines, 1);	/* not from inside */
	rounds(&s, 1);
	assert_true(s.lines >= 3);
	finish(&s);
}

static void
input_that_is_left_lying_is_bounded(void **state)
{
	char big[5000];
	struct server s;

	begin(&s, false);
	conn_set_in_max(s.conn, 1000);
	memset(big, 'a', sizeof(big));
	assert_int_equal(write(s.peer, big, 999), 999);
	rounds(&s, 2);
	assert_int_equal(s.closed, 0);
	assert_int_equal(write(s.peer, big, 999), 999);
	rounds(&s, 2);
	assert_int_equal(s.closed, 1);
	assert_int_equal(s.why, CONN_OVERFULL);
	finish(&s);
}

static void
a_slow_reader_stops_the_producer(void **state)
{
	static char sink[1 << 16];
	struct server s;
	size_t got = 0;

	begin(&s, false);
	say(&s, "stream\n");
	rounds(&s, 100);
	assert_true(s.to_stream > 1 << 20);
	assert_true(conn_full(s.conn));
	assert_true(conn_out(s.conn)->len < 131072 + 8192);
	while (got < 4 << 20) {
		ssize_t n = recv(s.peer, sink, sizeof(sink), 0);

		if (n > 0)
			got += (size_t)n;
		rounds(&s, 1);
		assert_int_equal(s.closed, 0);
	}
	assert_int_equal(got, 4 << 20);
	assert_true(s.drained > 3);
	finish(&s);
}

/* Unpacks what the server sent. */
static void
assert_hears_packed(struct server *s, struct inflater *z, const char *want)
{
	char got[4096];
	ssize_t n = recv(s->peer, got, sizeof(got), 0);
	struct span in = span(got, n > 0 ? (size_t)n : 0);
	struct buf out = { 0 };

	while (in.len > 0)
		assert_int_equal(inflater_read(z, &in, 1 << 20, &out), ST_OK);
	assert_string_equal(buf_cstr(&out), want);
	buf_fini(&out);
}

/* Cut in two at every byte: the answers are the same, each leaves once, and what stands
 * before and behind the stream is plain. */
static void
compressed_lines_may_be_cut_anywhere(void **state)
{
	struct buf in = { 0 };

	buf_add_str(&in, "a\ncompress\n");
	deflate_add(SPAN_LIT("b\nc\n"), false, &in);
	deflate_add(SPAN_LIT("d\n"), false, &in);
	for (size_t cut = 0; cut <= in.len; cut++) {
		struct inflater *z = inflater_new();
		struct server s;
		char got[16];

		begin(&s, false);
		if (cut > 0)
			assert_int_equal(write(s.peer, in.data, cut), cut);
		rounds(&s, 4);
		if (cut < in.len)
			assert_int_equal(write(s.peer, in.data + cut, in.len - cut), in.len - cut);
		rounds(&s, 4);
		assert_true(conn_compressed(s.conn));
		assert_int_equal(recv(s.peer, got, 7, 0), 7);
		assert_memory_equal(got, "<a>\ngo\n", 7);
		assert_hears_packed(&s, z, "<b>\n<c>\n<d>\n");
		assert_int_equal(s.closed, 0);
		assert_int_equal(s.lines, 5);
		inflater_free(&z);
		finish(&s);
	}
	buf_fini(&in);
}

static void
compression_ends_where_both_sides_say(void **state)
{
	for (int last = 0; last < 2; last++) {
		struct buf in = { 0 };

		buf_add_str(&in, "compress\n");
		deflate_add(SPAN_LIT("b\nplain\n"), last, &in);
		buf_add_str(&in, "c\n");
		for (size_t cut = 9; cut <= in.len; cut++) {
			struct buf got = { 0 }, out = { 0 };
			struct inflater *z = inflater_new();
			struct server s;
			struct span rest;
			bool done;
			ssize_t n;

			begin(&s, false);
			assert_int_equal(write(s.peer, in.data, cut), cut);
			rounds(&s, 4);
			if (cut < in.len)
				assert_int_equal(write(s.peer, in.data + cut, in.len - cut),
				    in.len - cut);
			rounds(&s, 4);
			assert_false(conn_compressed(s.conn));
			assert_false(s.refused_tls);
			n = recv(s.peer, buf_reserve(&got, 4096), 4096, 0);
			assert_true(n > 3);
			buf_added(&got, (size_t)n);
			rest = span_sub(buf_span(&got), 3, got.len);
			while (out.len < strlen("<b>\ngone\n"))
				assert_int_equal(inflater_read(z, &rest, 1000, &out), ST_OK);
			assert_string_equal(buf_cstr(&out), "<b>\ngone\n");
			assert_int_equal(inflater_end(z, &rest, &done), ST_OK);
			assert_true(done);
			assert_true(span_eq_str(rest, "<c>\n"));
			inflater_free(&z);
			buf_fini(&got);
			buf_fini(&out);
			finish(&s);
		}
		buf_fini(&in);
	}
}

static void
what_is_no_stream_ends_the_connection(void **state)
{
	struct server s;

	begin(&s, false);
	say(&s, "compress\n\x07\x07\x07\x07");
	assert_int_equal(s.closed, 1);
	assert_int_equal(s.why, CONN_GARBLED);
	finish(&s);
}

/* 8 MiB that stand in 8 KiB: what is not taken is not unpacked either. */
static void
a_bomb_waits_like_any_input(void **state)
{
	struct buf big = { 0 }, in = { 0 };
	struct server s;
	int lines;

	buf_add_str(&in, "compress\n");
	for (int i = 0; i < 1 << 20; i++)
		buf_add_str(&big, "xxxxxxx\n");
	deflate_add(SPAN_LIT("pause\n"), false, &in);
	deflate_add(buf_span(&big), false, &in);
	begin(&s, false);
	assert_int_equal(write(s.peer, in.data, in.len), in.len);
	rounds(&s, 4);
	assert_int_equal(s.lines, 2);
	assert_true(conn_in(s.conn)->len <= 65536);
	lines = s.lines;
	s.keep_input = true;
	conn_resume(s.conn);
	rounds(&s, 4);
	assert_int_equal(s.lines, lines);
	assert_int_equal(s.closed, 1);
	assert_int_equal(s.why, CONN_OVERFULL);
	finish(&s);
	buf_fini(&big);
	buf_fini(&in);
}

static void
a_slow_reader_stops_a_compressed_stream_too(void **state)
{
	static char sink[1 << 16];
	struct inflater *z = inflater_new();
	struct buf in = { 0 }, out = { 0 };
	struct server s;
	size_t total = 0;

	buf_add_str(&in, "compress\n");
	deflate_add(SPAN_LIT("stream\n"), false, &in);
	begin(&s, false);
	assert_int_equal(write(s.peer, in.data, in.len), in.len);
	rounds(&s, 1);
	assert_true(s.to_stream > 1 << 20);
	assert_int_equal(recv(s.peer, sink, 3, 0), 3);
	while (total < 4 << 20) {
		ssize_t n = recv(s.peer, sink, sizeof(sink), 0);
		struct span got = span(sink, n > 0 ? (size_t)n : 0);

		while (got.len > 0 || inflater_more(z)) {
			assert_int_equal(inflater_read(z, &got, 1 << 20, &out), ST_OK);
			total += out.len;
			buf_clear(&out);
		}
		rounds(&s, 1);
		assert_int_equal(s.closed, 0);
		assert_true(conn_out(s.conn)->len < 131072 + 8192);
	}
	assert_int_equal(total, 4 << 20);
	assert_true(s.drained > 3);
	inflater_free(&z);
	buf_fini(&in);
	buf_fini(&out);
	finish(&s);
}

static void
time_outs_end_the_connection(void **state)
{
	struct server s;

	begin(&s, false);
	conn_set_idle(s.conn, 60);
	for (int i = 0; i < 4; i++) {
		usleep(30000);
		say(&s, "x\n");
		assert_int_equal(s.closed, 0);
	}
	while (s.closed == 0)
		loop_once(s.loop, true);
	assert_int_equal(s.why, CONN_IDLE);
	finish(&s);

	begin(&s, false);
	conn_set_idle(s.conn, 10000);
	conn_set_deadline(s.conn, 20);
	while (s.closed == 0) {
		assert_int_equal(write(s.peer, "x\n", 2), 2);
		loop_once(s.loop, true);
	}
	assert_int_equal(s.why, CONN_DEADLINE);
	finish(&s);
}

/* ---- TLS ---- */

/* Moves bytes between the client's memory and the socket, step bytes a time. */
static void
pump(struct server *s, struct kit_client *c, size_t step)
{
	char some[16384];

	for (int quiet = 0; quiet < 3;) {
		size_t n;
		ssize_t r;
		bool moved = false;

		while ((n = kit_client_out(c, some, step)) > 0) {
			if (write(s->peer, some, n) != (ssize_t)n)
				return;
			loop_once(s->loop, false);
			moved = true;
		}
		loop_once(s->loop, false);
		while ((r = recv(s->peer, some, step, 0)) > 0) {
			kit_client_in(c, some, (size_t)r);
			if (!SSL_is_init_finished(c->ssl))
				SSL_do_handshake(c->ssl);
			moved = true;
		}
		quiet = moved ? 0 : quiet + 1;
	}
	ERR_clear_error();
}

static void
assert_hears_tls(struct kit_client *c, const char *want)
{
	char got[512];
	int n = SSL_read(c->ssl, got, sizeof(got) - 1);

	got[n > 0 ? n : 0] = '\0';
	assert_string_equal(got, want);
	ERR_clear_error();
}

static void
implicit_tls_works_in_pieces_of_one_byte(void **state)
{
	static const size_t steps[] = { 1, 16384 };

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		unsigned char mine[32], theirs[32];
		struct kit_client c;
		struct server s;

		begin(&s, true);
		buf_add_str(conn_out(s.conn), "welcome\n");
		kit_client_init(&c, "mail.example.org", 0);
		SSL_do_handshake(c.ssl);
		pump(&s, &c, steps[i]);
		assert_int_equal(s.secured, 1);
		assert_true(conn_is_secure(s.conn));
		assert_hears_tls(&c, "welcome\n");
		assert_true(tls_exporter(conn_tls(s.conn), TLS_CB_EXPORTER_LABEL, mine, 32));
		SSL_export_keying_material(c.ssl, theirs, 32, TLS_CB_EXPORTER_LABEL,
		    strlen(TLS_CB_EXPORTER_LABEL), NULL, 0, 0);
		assert_memory_equal(mine, theirs, 32);
		SSL_write(c.ssl, "a\nquit\n", 7);
		pump(&s, &c, steps[i]);
		assert_hears_tls(&c, "<a>\nbye\n");
		assert_int_equal(SSL_get_shutdown(c.ssl), 0);
		assert_hears_tls(&c, "");
		assert_int_equal(SSL_get_shutdown(c.ssl), SSL_RECEIVED_SHUTDOWN);
		fd_close(&s.peer);
		rounds(&s, 2);
		assert_int_equal(s.why, CONN_FINISHED);
		kit_client_fini(&c);
		finish(&s);
	}
}

static void
starttls_begins_after_the_answer_in_clear_text(void **state)
{
	struct kit_client c;
	struct server s;

	begin(&s, false);
	say(&s, "starttls\n");
	assert_hears(&s, "go\n");
	kit_client_init(&c, NULL, 0);
	SSL_do_handshake(c.ssl);
	pump(&s, &c, 100);
	assert_int_equal(s.secured, 1);
	SSL_write(c.ssl, "x\n", 2);
	pump(&s, &c, 100);
	assert_hears_tls(&c, "<x>\n");
	/* Not twice. */
	SSL_write(c.ssl, "starttls\n", 9);
	pump(&s, &c, 100);
	assert_true(s.refused_tls);
	kit_client_fini(&c);
	finish(&s);
}

static void
bytes_behind_starttls_are_never_taken_for_protected_ones(void **state)
{
	struct server s;

	/* In one packet: refused before the handshake. */
	begin(&s, false);
	say(&s, "starttls\ninjected\n");
	assert_true(s.refused_tls);
	assert_int_equal(s.lines, 1);
	assert_int_equal(s.secured, 0);
	finish(&s);

	/* In two: taken for a handshake, which fails. */
	begin(&s, false);
	say(&s, "starttls\n");
	say(&s, "injected\n");
	assert_int_equal(s.closed, 1);
	assert_int_equal(s.why, CONN_TLS_FAILED);
	assert_true(strlen(conn_tls_error(s.conn)) > 0);
	assert_int_equal(s.lines, 1);
	finish(&s);
}

static void
tls_streams_stop_for_a_slow_reader_too(void **state)
{
	static char sink[1 << 16];
	struct kit_client c;
	struct server s;
	size_t got = 0, n;

	begin(&s, true);
	kit_client_init(&c, NULL, 0);
	SSL_do_handshake(c.ssl);
	pump(&s, &c, 16384);
	SSL_write(c.ssl, "stream\n", 7);
	n = kit_client_out(&c, sink, sizeof(sink));
	assert_int_equal(write(s.peer, sink, n), n);
	rounds(&s, 100);
	assert_true(s.to_stream > 1 << 20);
	while (got < 4 << 20) {
		pump(&s, &c, 16384);
		while (SSL_read_ex(c.ssl, sink, sizeof(sink), &n) == 1)
			got += n;
	}
	assert_int_equal(got, 4 << 20);
	kit_client_fini(&c);
	finish(&s);
}

static void
tls_input_waits_while_paused(void **state)
{
	struct kit_client c;
	struct server s;

	begin(&s, true);
	kit_client_init(&c, NULL, 0);
	SSL_do_handshake(c.ssl);
	pump(&s, &c, 16384);
	SSL_write(c.ssl, "pause\n", 6);
	SSL_write(c.ssl, "x\n", 2);
	SSL_write(c.ssl, "y\n", 2);
	pump(&s, &c, 16384);
	assert_int_equal(s.lines, 1);
	conn_resume(s.conn);
	pump(&s, &c, 16384);
	assert_int_equal(s.lines, 3);
	assert_hears_tls(&c, "<x>\n<y>\n");
	kit_client_fini(&c);
	finish(&s);
}

/* ---- a key elsewhere ---- */

struct keyd {
	struct loop_timer	*timer;
	struct tls_sign		*asked;
	struct buf		 tbs;
	char			 digest[32];
	int			 questions, answers, cancelled;
};

static void
keyd_ask(struct tls_sign *s, const struct tls_sign_what *what, void *arg)
{
	struct keyd *k = arg;

	k->questions++;
	k->asked = s;
	snprintf(k->digest, sizeof(k->digest), "%s", what->digest);
	buf_clear(&k->tbs);
	buf_add_span(&k->tbs, what->tbs);
	/* answered when the test lets it */
}

static void
keyd_cancel(struct tls_sign *s, void *arg)
{
	struct keyd *k = arg;

	k->cancelled++;
	loop_timer_clear(k->timer);
}

static void
keyd_answer(void *arg)
{
	struct keyd *k = arg;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char sig[256];
	size_t len = sizeof(sig);

	EVP_DigestSignInit_ex(ctx, NULL, k->digest, NULL, NULL, cert.key, NULL);
	EVP_DigestSign(ctx, sig, &len, (unsigned char *)k->tbs.data, k->tbs.len);
	EVP_MD_CTX_free(ctx);
	k->answers++;
	tls_sign_done(k->asked, span(sig, len));
}

static void
others_are_served_while_a_signature_is_awaited(void **state)
{
	static const struct tls_conf none;
	struct kit_client waiting, busy;
	struct server s, other;
	struct keyd k = { 0 };
	char err[TLS_ERROR_MAX];
	int sv[2];

	begin(&s, false);
	k.timer = loop_timer_new(s.loop, keyd_answer, &k);
	tls_ctx_free(&s.tls);
	s.tls = tls_ctx_new(&none, err);
	assert_int_equal(tls_ctx_add_remote(s.tls, span_str(cert.pem), keyd_ask, keyd_cancel, &k,
	    err), ST_OK);
	say(&s, "starttls\n");
	assert_hears(&s, "go\n");

	other = (struct server){ .loop = s.loop, .tls = kit_ctx(&cert, NULL) };
	assert_true(fd_socketpair(sv));
	other.peer = sv[1];
	other.conn = conn_new(other.loop, sv[0], other.tls, &ops, &other);

	kit_client_init(&waiting, NULL, 0);
	SSL_do_handshake(waiting.ssl);
	pump(&s, &waiting, 16384);
	assert_int_equal(k.questions, 1);
	assert_int_equal(s.secured, 0);

	kit_client_init(&busy, NULL, 0);
	SSL_do_handshake(busy.ssl);
	pump(&other, &busy, 16384);
	for (int served = 0; served < 3; served++) {
		SSL_write(busy.ssl, "x\n", 2);
		pump(&other, &busy, 16384);
		assert_hears_tls(&busy, "<x>\n");
	}
	assert_int_equal(k.answers, 0);
	loop_timer_set(k.timer, 1);
	while (k.answers == 0)
		loop_once(s.loop, true);
	pump(&s, &waiting, 16384);
	assert_int_equal(s.secured, 1);
	SSL_write(waiting.ssl, "y\n", 2);
	pump(&s, &waiting, 16384);
	assert_hears_tls(&waiting, "<y>\n");
	kit_client_fini(&waiting);
	conn_free(&s.conn);
	fd_close(&s.peer);

	/* And once more, with a client that goes away. */
	assert_true(fd_socketpair(sv));
	s.peer = sv[1];
	s.conn = conn_new(s.loop, sv[0], s.tls, &ops, &s);
	kit_client_init(&waiting, NULL, 0);
	SSL_do_handshake(waiting.ssl);
	pump(&s, &waiting, 16384);
	assert_int_equal(k.questions, 2);
	conn_set_deadline(s.conn, 5);
	while (s.closed == 0)
		loop_once(s.loop, true);
	assert_int_equal(s.why, CONN_DEADLINE);
	conn_free(&s.conn);
	assert_int_equal(k.cancelled, 1);

	kit_client_fini(&waiting);
	kit_client_fini(&busy);
	conn_free(&other.conn);
	fd_close(&other.peer);
	tls_ctx_free(&other.tls);
	loop_timer_free(&k.timer);
	buf_fini(&k.tbs);
	finish(&s);
}

#ifndef MANSIO_SANITIZERS
/* A connection that said something and sleeps now; its client's memory is gone. */
static void
make_idle(struct server *s, struct loop *loop, struct tls_ctx *tls, bool compress)
{
	struct buf packed = { 0 };
	struct kit_client c;
	int sv[2];

	s->loop = loop;
	assert_true(fd_socketpair(sv));
	s->peer = sv[1];
	s->conn = conn_new(loop, sv[0], tls, &ops, s);
	conn_set_idle(s->conn, 1800000);
	if (tls == NULL) {
		say(s, "x\n");
		assert_hears(s, "<x>\n");
		if (!compress)
			return;
		say(s, "compress\n");
		assert_hears(s, "go\n");
		for (int i = 0; i < 20; i++)
			deflate_add(SPAN_LIT("a17 UID FETCH 1:* (FLAGS)\n"), false, &packed);
		assert_int_equal(write(s->peer, packed.data, packed.len), packed.len);
		rounds(s, 4);
		buf_fini(&packed);
		return;
	}
	kit_client_init(&c, NULL, 0);
	SSL_do_handshake(c.ssl);
	pump(s, &c, 16384);
	SSL_write(c.ssl, "x\n", 2);
	pump(s, &c, 16384);
	assert_hears_tls(&c, "<x>\n");
	kit_client_fini(&c);
}
#endif

static void
idle_connections_hold_no_buffers(void **state)
{
#ifdef MANSIO_SANITIZERS
	skip();
#else
	enum { N = 50 };
	static struct server s[N];
	struct loop *loop = loop_new();
	struct tls_ctx *tls = kit_ctx(&cert, NULL);

	for (int kind = 0; kind < 3; kind++) {
		static const char *const names[] = { "plain", "TLS", "compressed" };
		static const size_t most[] = { 1500, 20000, 3000 };
		size_t before = 0, after;

		memset(s, 0, sizeof(s));
		for (int i = -1; i < N; i++) {		/* the first one warms up */
			struct server *one = &s[i < 0 ? 0 : i];

			if (i == 0) {
				conn_free(&one->conn);
				fd_close(&one->peer);
				memset(one, 0, sizeof(*one));
				before = mallinfo2().uordblks;
			}
			make_idle(one, loop, kind == 1 ? tls : NULL, kind == 2);
		}
		after = mallinfo2().uordblks;
		print_message("%s: %zu bytes of heap each\n", names[kind],
		    (after - before) / N);
		assert_true((after - before) / N < most[kind]);
		for (int i = 0; i < N; i++) {
			conn_free(&s[i].conn);
			fd_close(&s[i].peer);
		}
	}
	tls_ctx_free(&tls);
	loop_free(&loop);
#endif
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_answered_in_one_write_however_they_arrive),
		cmocka_unit_test(a_connection_may_be_freed_by_its_own_callback),
		cmocka_unit_test(finishing_sends_all_and_waits_for_the_peer),
		cmocka_unit_test(half_closed_clients_get_their_answers),
		cmocka_unit_test(paused_input_waits_and_fills_the_socket),
		cmocka_unit_test(input_that_is_left_lying_is_bounded),
		cmocka_unit_test(a_slow_reader_stops_the_producer),
		cmocka_unit_test(compressed_lines_may_be_cut_anywhere),
		cmocka_unit_test(compression_ends_where_both_sides_say),
		cmocka_unit_test(what_is_no_stream_ends_the_connection),
		cmocka_unit_test(a_bomb_waits_like_any_input),
		cmocka_unit_test(a_slow_reader_stops_a_compressed_stream_too),
		cmocka_unit_test(time_outs_end_the_connection),
		cmocka_unit_test(implicit_tls_works_in_pieces_of_one_byte),
		cmocka_unit_test(starttls_begins_after_the_answer_in_clear_text),
		cmocka_unit_test(bytes_behind_starttls_are_never_taken_for_protected_ones),
		cmocka_unit_test(tls_streams_stop_for_a_slow_reader_too),
		cmocka_unit_test(tls_input_waits_while_paused),
		cmocka_unit_test(others_are_served_while_a_signature_is_awaited),
		cmocka_unit_test(idle_connections_hold_no_buffers),
	};

	return cmocka_run_group_tests(tests, make_cert, free_cert);
}
