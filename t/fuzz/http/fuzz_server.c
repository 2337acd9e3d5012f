/* A connection of common/http, whole: HTTP/1.1, HTTP/2 (what begins with its preface) and WebSocket
 * behind an upgrade.  Byte 0 says how the rest is cut.  Nobody may be called twice for one
 * request, and every request ends. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/http/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static unsigned under_way;
static uint64_t body_max;

static void
need(bool good)
{
	if (!good)
		abort();
}

static void
on_gone(struct http_request *rq, void *arg)
{
	under_way--;
}

static void
on_whole(struct http_request *rq, enum status st, struct span body, void *arg)
{
	need(st == ST_LIMIT || body.len <= 1000);
	under_way--;
	http_reply(rq, st == ST_OK ? 200 : 413, "application/json", body);
}

static void
on_piece(struct http_request *rq, struct span piece, bool last, void *arg)
{
	need(piece.len <= 65536);
	body_max += piece.len;
	if (body_max % 3 == 0) {
		http_body_pause(rq);
		http_body_resume(rq);
	}
	if (last) {
		under_way--;
		http_reply_text(rq, 201, "%s", "taken");
	}
}

static void
on_message(struct ws *w, struct span text, void *arg)
{
	need(text.len <= 2000);
	ws_send(w, text);
}

static void
on_too_long(struct ws *w, void *arg)
{
	ws_send(w, SPAN_LIT("too long"));
}

static void
on_ws_closed(struct ws *w, enum ws_end why, void *arg)
{
	need(why <= WS_END_SERVER);
}

static const struct ws_ops ws_ops = {
	.message = on_message, .too_long = on_too_long, .closed = on_ws_closed
};

static void
on_request(struct http_request *rq, void *arg)
{
	static const struct ws_conf conf = { .message_max = 2000, .deflate = true };
	struct span v;
	struct buf base = { 0 };

	under_way++;
	http_on_gone(rq, on_gone, NULL);
	http_base(rq, &base);
	buf_fini(&base);
	(void)http_origin_allowed(rq);
	if (http_wants_websocket(rq)) {
		under_way--;
		http_websocket(rq, "jmap", &conf, &ws_ops, NULL);
	} else if (http_method_is(rq, "POST") && span_has_prefix(http_path(rq), "/s")) {
		http_body_stream(rq, on_piece, NULL);
	} else if (http_method_is(rq, "POST")) {
		http_body_whole(rq, 1000, on_whole, NULL);
	} else if (http_header(rq, "X-Hold", &v)) {
		http_reply_begin(rq, 200, "text/event-stream", HTTP_UNKNOWN);
		http_reply_endless(rq);
		http_reply_write(rq, v);
	} else {
		under_way--;
		http_reply_text(rq, 404, "%s", "");
	}
}

static void
on_closed(struct http_conn *c, void *arg)
{
	*(bool *)arg = true;
}

static const struct http_ops ops = { .request = on_request, .closed = on_closed };

static void
turn(struct loop *l, int fd)
{
	char block[65536];

	for (int i = 0; i < 3; i++) {
		loop_once(l, false);
		while (read(fd, block, sizeof(block)) > 0)
			;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct http_conf conf = { .idle_s = 60, .head_s = 60, .body_s = 60,
		.max_requests = 100, .max_streams = 8, .compress = true };
	struct loop *l;
	struct http_server srv = { .conf = &conf, .ops = &ops };
	bool closed = false;
	int fd[2];
	size_t cut;

	if (len < 2)
		return 0;
	cut = data[0] == 0 ? len : data[0];
	under_way = 0;
	l = loop_new();
	srv.loop = l;
	srv.arg = &closed;
	list_init(&srv.conns);
	need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == 0);
	http_conn_new(&srv, fd[0], NULL, "fuzz");
	for (size_t at = 1; at < len && !closed; at += cut) {
		size_t n = len - at < cut ? len - at : cut;

		if (write(fd[1], data + at, n) < (ssize_t)n)
			break;
		turn(l, fd[1]);
	}
	http_server_drain(&srv);
	turn(l, fd[1]);
	close(fd[1]);
	http_server_fini(&srv);
	need(closed && under_way == 0);
	loop_free(&l);
	return 0;
}
