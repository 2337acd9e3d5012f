/* t/unit/http/kit.h
 * A server of common/http over a pair of sockets, and its client's side. */
#ifndef T_UNIT_HTTP_KIT_H
#define T_UNIT_HTTP_KIT_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/compress/zstd.h"
#include "common/http/http.h"
#include "common/util/mem.h"

struct kit {
	struct loop		*loop;
	struct http_conf	conf;
	struct http_server	srv;
	struct http_conn	*conn;
	int			fd;
	struct buf		got;
	bool			eof;
	unsigned		requests, closed, gone, pieces;
	struct http_request	*held;
	uint64_t		left;
	struct buf		seen;		/* of a body */
};

static void
on_whole(struct http_request *rq, enum status st, struct span body, void *arg)
{
	if (st != ST_OK)
		http_reply_text(rq, 413, "too long");
	else
		http_reply(rq, 200, "text/plain", body);
}

static void
on_piece(struct http_request *rq, struct span piece, bool last, void *arg)
{
	struct kit *k = arg;

	k->pieces++;
	assert_true(piece.len <= 65536);
	buf_add_span(&k->seen, piece);
	if (last)
		http_reply(rq, 201, "text/plain", buf_span(&k->seen));
}

static void
more(struct http_request *rq, void *arg)
{
	static const char block[4096];
	struct kit *k = arg;

	while (k->left > 0 && !http_reply_full(rq)) {
		size_t n = k->left < sizeof(block) ? (size_t)k->left : sizeof(block);

		http_reply_write(rq, span(block, n));
		k->left -= n;
	}
	if (k->left == 0)
		http_reply_end(rq);
}

static void
on_gone(struct http_request *rq, void *arg)
{
	struct kit *k = arg;

	k->gone++;
	k->held = NULL;
}

static void
big(struct http_request *rq, struct kit *k, int64_t length)
{
	k->left = 300000;
	http_on_drained(rq, more, k);
	http_reply_begin(rq, 200, "application/octet-stream", length);
	more(rq, k);
}

static void
on_request(struct http_request *rq, void *arg)
{
	struct kit *k = arg;
	struct span path = http_path(rq);

	k->requests++;
	http_on_gone(rq, on_gone, k);
	if (span_eq_str(path, "/echo"))
		http_body_whole(rq, 100, on_whole, k);
	else if (span_eq_str(path, "/stream"))
		http_body_stream(rq, on_piece, k);
	else if (span_eq_str(path, "/big"))
		big(rq, k, 300000);
	else if (span_eq_str(path, "/chunks"))
		big(rq, k, HTTP_UNKNOWN);
	else if (span_eq_str(path, "/hold"))
		k->held = rq;
	else if (span_eq_str(path, "/peer"))
		http_reply_text(rq, 200, "%s %s", http_peer(rq), http_encrypted(rq) ? "tls" : "clear");
	else if (span_eq_str(path, "/json")) {
		struct buf b = { 0 };

		for (int i = 0; i < 500; i++)
			buf_add_str(&b, "{\"name\": \"value\"}");
		http_reply_take(rq, 200, "application/json", &b);
	} else {
		http_reply_text(rq, 404, "%s", "");
	}
}

static void
on_closed(struct http_conn *c, void *arg)
{
	struct kit *k = arg;

	k->closed++;
	k->conn = NULL;
}

static const struct http_ops ops = { .request = on_request, .closed = on_closed };

static void
kit_connect(struct kit *k)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	k->fd = fd[1];
	k->conn = http_conn_new(&k->srv, fd[0], NULL, "c1");
}

static void
kit_init(struct kit *k)
{
	memset(k, 0, sizeof(*k));
	k->loop = loop_new();
	k->conf = (struct http_conf){ .idle_s = 60, .head_s = 60, .body_s = 60,
		.max_requests = 1000, .max_streams = 16, .compress = true };
	k->srv = (struct http_server){ .loop = k->loop, .conf = &k->conf, .ops = &ops, .arg = k };
	list_init(&k->srv.conns);
	kit_connect(k);
}

static void
kit_fini(struct kit *k)
{
	http_server_fini(&k->srv);
	if (k->fd >= 0)
		close(k->fd);
	buf_fini(&k->got);
	buf_fini(&k->seen);
	loop_free(&k->loop);
}

static void
turn(struct kit *k)
{
	char block[65536];
	ssize_t n = -1;

	for (int quiet = 0; quiet < 4; quiet++) {
		loop_once(k->loop, false);
		while (k->fd >= 0 && (n = read(k->fd, block, sizeof(block))) > 0) {
			buf_add(&k->got, block, (size_t)n);
			quiet = 0;
		}
		k->eof |= k->fd >= 0 && n == 0;
	}
}

static __attribute__((unused)) void
say(struct kit *k, struct span s, size_t at_once)
{
	while (s.len > 0) {
		size_t n = at_once < s.len ? at_once : s.len;
		ssize_t did = write(k->fd, s.p, n);

		if (did < 0 && errno != EAGAIN)
			break;			/* it has closed */
		s = span_sub(s, did > 0 ? (size_t)did : 0, s.len);
		turn(k);
	}
	turn(k);
}

static __attribute__((unused)) bool
has(struct kit *k, const char *text)
{
	return memmem(k->got.data, k->got.len, text, strlen(text)) != NULL;
}

static __attribute__((unused)) size_t
count(struct kit *k, const char *text)
{
	size_t n = 0;
	const char *p = k->got.data, *end = p + k->got.len;

	while (p != NULL && (p = memmem(p, (size_t)(end - p), text, strlen(text))) != NULL) {
		p++;
		n++;
	}
	return n;
}

#define SAY(k, text) say((k), SPAN_LIT(text), SIZE_MAX)

#endif
