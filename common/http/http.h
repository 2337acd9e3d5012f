/* common/http/http.h
 * The server's side of HTTP over common/net/conn: one request object and one way to answer it,
 * whether HTTP/1.1 (RFC 9112) or HTTP/2 (RFC 9113) carries it.  It knows the fields of RFC 9110 that
 * concern every resource; what a target means is its user's.
 *
 * ops->request() is called when a request's head is whole.  It is answered then or later, exactly
 * once: http_reply...(), or http_reply_begin() ... http_reply_end().  A request lives until it was
 * answered, or until gone() was called: its client went away, and nothing is to be answered any
 * more.  After either of them it must not be touched; what was borrowed from it ends then too.
 *
 * No callback runs from inside a function called here, but ops->closed() and gone() from
 * http_conn_free(). */
#ifndef COMMON_HTTP_HTTP_H
#define COMMON_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/net/cidr.h"
#include "common/net/conn.h"
#include "common/util/buf.h"
#include "common/util/list.h"
#include "common/util/log.h"
#include "common/util/span.h"
#include "common/util/status.h"

struct http_conn;
struct http_request;

/* ---- servers ---- */

struct http_conf {			/* borrowed; may be another one from one round to the next */
	uint32_t	idle_s;		/* between two requests */
	uint32_t	head_s;		/* in which a head has to come */
	uint32_t	body_s;		/* in which HTTP_BODY_STEP bytes of a body have to move, either way */
	uint32_t	max_requests;	/* of one connection */
	uint32_t	max_streams;	/* of one connection of HTTP/2, at the same time */
	uint32_t	hsts_s;		/* Strict-Transport-Security where it is encrypted; 0: not sent */
	bool		compress;	/* answers, for clients that ask */
	const char *const *origins;	/* that pages may come from which call us (CORS); "*": any */
	size_t		n_origins;
	const struct cidr *proxies;	/* whose word is taken about who the client is */
	size_t		n_proxies;
};
#define HTTP_BODY_STEP	4096u

struct http_ops {
	void (*request)(struct http_request *rq, void *arg);
	/* A connection ended; its requests went before. */
	void (*closed)(struct http_conn *c, void *arg);
};

struct http_server {
	struct loop		*loop;
	const struct http_conf	*conf;
	const struct http_ops	*ops;
	void			*arg;
	struct list		conns;		/* list_init() it */
};

/* Takes fd over; tls: NULL for plain text.  id is copied; the log names it and the peer. */
struct http_conn *http_conn_new(struct http_server *srv, int fd, struct tls_ctx *tls,
    const char *id);
/* At once: its requests are told that they are gone, then closed() is called. */
void http_conn_free(struct http_conn **c);
/* Idle ones end; others when what is under way was answered. */
void http_server_drain(struct http_server *srv);
/* Frees all of them. */
void http_server_fini(struct http_server *srv);
/* No request behind those that are here; then it closes. */
void http_conn_last(struct http_conn *c);
/* What belongs to a connection; NULL at first.  Freed by closed(). */
void http_conn_set_data(struct http_conn *c, void *data);
void *http_conn_data(const struct http_conn *c);
struct conn *http_conn_net(const struct http_conn *c);

/* ---- requests ---- */

struct http_conn *http_request_conn(const struct http_request *rq);
const struct log_ctx *http_request_log(const struct http_request *rq);
/* "GET"; a HEAD is shown as GET: its answer leaves without a body. */
struct span http_method(const struct http_request *rq);
bool http_method_is(const struct http_request *rq, const char *method);
/* A HEAD: what is written of the body goes nowhere. */
bool http_head_only(const struct http_request *rq);
/* Not unescaped; query without "?", which may be empty. */
struct span http_path(const struct http_request *rq);
struct span http_query(const struct http_request *rq);
/* The first field of a name, any case; false: none. */
bool http_header(const struct http_request *rq, const char *name, struct span *value);
/* "https://mail.example:8443", as the client named us; "" in HTTP/1.0 without Host. */
void http_base(const struct http_request *rq, struct buf *out);
/* Between client and us, or the trusted proxy. */
bool http_encrypted(const struct http_request *rq);
/* The client's address as text: the peer's, or what a trusted proxy says. */
const char *http_peer(const struct http_request *rq);
/* May a page of its origin call us?  true also when no page calls (no Origin), or one of ours. */
bool http_origin_allowed(const struct http_request *rq);
/* For the log; copied. */
void http_set_user(struct http_request *rq, const char *user);
/* gone: see above.  To be called from request() on. */
typedef void (*http_gone_fn)(struct http_request *rq, void *arg);
void http_on_gone(struct http_request *rq, http_gone_fn gone, void *arg);

/* ---- the body of a request ---- */

enum { HTTP_UNKNOWN = -1 };
/* 0: there is none; HTTP_UNKNOWN: it is not told. */
int64_t http_body_length(const struct http_request *rq);
/* Whole, in memory that is borrowed while done() runs.  ST_LIMIT: it is longer than max; nothing of
 * it is kept, and the answer (413) is still to be given. */
typedef void (*http_body_fn)(struct http_request *rq, enum status st, struct span body, void *arg);
void http_body_whole(struct http_request *rq, size_t max, http_body_fn done, void *arg);
/* As it comes: pieces of at most 64 KiB, borrowed; last: with the last one, which may be empty.  A
 * body that nobody asked for is not read: the answer ends the connection, or the stream. */
typedef void (*http_piece_fn)(struct http_request *rq, struct span piece, bool last, void *arg);
void http_body_stream(struct http_request *rq, http_piece_fn piece, void *arg);
/* No piece until it is resumed; at most 64 KiB are held meanwhile, the client waits. */
void http_body_pause(struct http_request *rq);
void http_body_resume(struct http_request *rq);

/* ---- answers ---- */

/* A field of the answer to come; text is copied.  Date, Content-Length, Content-Type, those of CORS and
 * of the connection are put by this module. */
void http_field_add(struct http_request *rq, const char *name, struct span value);
void http_field_add_str(struct http_request *rq, const char *name, const char *value);

/* The whole answer.  type may be NULL when the body is empty.  _take empties *body and sends it
 * as the client takes it; it is compressed where the client asks for it and it pays. */
void http_reply(struct http_request *rq, unsigned code, const char *type, struct span body);
void http_reply_take(struct http_request *rq, unsigned code, const char *type, struct buf *body);
/* Called once when an answer, once it is given, has left to its last byte, or its client went: what
 * it takes until then counts.  Not when gone() was called.  Runs also from inside of the function that answers. */
typedef void (*http_sent_fn)(void *arg);
void http_on_sent(struct http_request *rq, http_sent_fn sent, void *arg);
/* In plain words, as text/plain; "" says what the code means. */
void http_reply_text(struct http_request *rq, unsigned code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* In pieces.  length: of the body, or HTTP_UNKNOWN. */
void http_reply_begin(struct http_request *rq, unsigned code, const char *type, int64_t length);
void http_reply_write(struct http_request *rq, struct span piece);
/* So much waits for the client that no more should be made; drained() tells when to go on. */
bool http_reply_full(const struct http_request *rq);
typedef void (*http_drained_fn)(struct http_request *rq, void *arg);
void http_on_drained(struct http_request *rq, http_drained_fn drained, void *arg);
bool http_reply_begun(const struct http_request *rq);
void http_reply_end(struct http_request *rq);
/* What was announced cannot be given: the client sees that the answer is not whole. */
void http_reply_abort(struct http_request *rq);
/* Nobody waits for this one to end: it is a stream of events.  Without a time limit; ended when the
 * server drains. */
void http_reply_endless(struct http_request *rq);

/* ---- WebSocket (RFC 6455), on HTTP/1.1 ---- */

struct ws;
/* May this request be answered by http_websocket()?  false: it asks for no WebSocket, or wrongly. */
bool http_wants_websocket(const struct http_request *rq);
/* Offers it the subprotocol? */
bool http_has_subprotocol(const struct http_request *rq, const char *name);

enum ws_end {
	WS_END_CLIENT,		/* it said so */
	WS_END_LOST,		/* without a word, or silent for too long */
	WS_END_ERROR,		/* it did what is not allowed */
	WS_END_SERVER		/* ws_close(), or the server drains */
};
struct ws_ops {
	/* A message of text, whole, borrowed; it is valid UTF-8. */
	void (*message)(struct ws *w, struct span text, void *arg);
	/* One came that is longer than message_max; it was passed over. */
	void (*too_long)(struct ws *w, void *arg);
	/* Output fell after ws_full().  May be NULL. */
	void (*drained)(struct ws *w, void *arg);
	/* It is over, and w is gone when this returns. */
	void (*closed)(struct ws *w, enum ws_end why, void *arg);
};
struct ws_conf {
	size_t		message_max;	/* of a message, unpacked */
	uint32_t	ping_s;		/* a client that is silent so long is pinged, then lost; 0: never */
	bool		deflate;	/* permessage-deflate (RFC 7692) for those who offer it */
};
/* Answers 101 and takes the connection over: the request is gone when this returns.  subprotocol
 * may be NULL. */
struct ws *http_websocket(struct http_request *rq, const char *subprotocol,
    const struct ws_conf *conf, const struct ws_ops *ops, void *arg);
/* One message. */
void ws_send(struct ws *w, struct span text);
bool ws_full(const struct ws *w);
/* No message() until resumed. */
void ws_pause(struct ws *w);
void ws_resume(struct ws *w);
/* Says so and ends; closed() is still called, later.  code: WS_NORMAL ... (common/proto/websocket.h) */
void ws_close(struct ws *w, unsigned code, const char *reason);

#endif
