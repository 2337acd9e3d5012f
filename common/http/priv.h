/* common/http/priv.h
 * What the files of this folder share.  A connection has an engine, HTTP/1.1 or HTTP/2, which turns
 * bytes into requests and answers into bytes; all else is common to both. */
#ifndef COMMON_HTTP_PRIV_H
#define COMMON_HTTP_PRIV_H

#include "common/http/http.h"
#include "common/net/loop.h"
#include "common/proto/http.h"

#define HTTP_OUT_HIGH		(64u << 10)	/* of an answer's body that waits */
#define HTTP_OUT_LOW		(16u << 10)
#define HTTP_PIECE_MAX		(64u << 10)
#define HTTP_DISCARD_MAX	(64u << 10)	/* of a body that nobody asked for */

enum http_phase {			/* what the clock is about */
	PHASE_NONE, PHASE_IDLE, PHASE_HEAD, PHASE_BODY, PHASE_OUT
};
enum http_body_mode { BODY_UNASKED, BODY_WHOLE, BODY_STREAM, BODY_DISCARD };

struct http_engine {
	/* Sends the head: rq->code, rq->fields_out. */
	void (*head)(struct http_request *rq);
	/* How much of a piece went out at once; NULL: nothing does. */
	size_t (*direct)(struct http_request *rq, struct span piece);
	/* There is more in rq->out, or rq->ended.  May free rq when all is gone. */
	void (*pump)(struct http_request *rq);
	/* The answer cannot be finished; frees rq. */
	void (*abort)(struct http_request *rq);
	/* Its body was asked for. */
	void (*wanted)(struct http_request *rq);
	/* From the loop: takes input, runs callbacks. */
	void (*run)(struct http_conn *c);
	/* The kernel took output. */
	void (*drained)(struct http_conn *c);
	/* A last word before the end (GOAWAY, 408); code: of an answer to what is unfinished. */
	void (*goodbye)(struct http_conn *c, unsigned code);
	void (*fini)(struct http_conn *c);
};
extern const struct http_engine http_engine_1, http_engine_2;

struct http_conn {
	struct list		in;
	struct http_server	*srv;
	struct conn		*net;
	const struct http_engine *engine;
	struct loop_task	*task;
	struct loop_timer	*timer;
	void			*data;
	struct list		requests;
	struct log_ctx		log;
	struct net_ip		ip;
	uint64_t		mark;		/* of the phase: bytes that had moved */
	uint32_t		n_requests;
	unsigned		depth;
	uint8_t			phase;
	bool			ending;		/* conn_finish() was called */
	bool			gone;		/* to be freed */
	bool			last;		/* no further request is taken */
	bool			eof;
	struct ws		*ws;		/* serves it instead of an engine */
	/* HTTP/1 */
	bool			keep;		/* behind the request under way */
	size_t			scanned;
	struct http_chunks	chunks;
	struct h2		*h2;
	char			id[24];
	char			peer[NET_IP_STR];
};

struct http_request {
	struct list		in;
	struct http_conn	*c;
	int32_t			stream;		/* of HTTP/2 */
	/* the head; spans point into text */
	struct buf		text;
	struct http_field	*fields;
	size_t			n_fields;
	struct span		method, target, path, query, host;
	struct log_ctx		log;
	char			*user;
	char			peer[NET_IP_STR];
	uint64_t		began_ms;
	bool			head_only, encrypted, upgrades, minor_0;
	bool			head_whole;	/* of HTTP/2 */
	bool			shown;		/* request() was called */
	bool			too_big;	/* 431 */
	/* its body */
	uint8_t			mode;		/* enum http_body_mode */
	bool			paused, expects, in_chunks, body_ended, body_told;
	int64_t			length;		/* HTTP_UNKNOWN, or as announced */
	uint64_t		left, taken;
	struct buf		held;
	struct buf		incoming;	/* of HTTP/2: not handed out yet */
	size_t			max;
	http_body_fn		whole;
	http_piece_fn		piece;
	void			*body_arg;
	http_gone_fn		on_gone;
	void			*gone_arg;
	/* the answer */
	struct buf		fields_out;	/* "Name: value CRLF" */
	struct buf		out;
	unsigned		code;
	bool			began, ended, chunked, endless, was_full, answered, body_less;
	int64_t			out_length;
	uint64_t		sent;
	http_sent_fn		on_sent;
	void			*sent_arg;
	http_drained_fn		drained;
	void			*drained_arg;
};

/* conn.c */
void http_enter(struct http_conn *c);
void http_leave(struct http_conn *c);		/* c may be gone then */
/* All requests are gone, the output goes out, and it closes. */
void http_end(struct http_conn *c);
/* Something may go on: in the loop's next round. */
void http_kick(struct http_conn *c);
void http_arm(struct http_conn *c);

/* request.c */
struct http_request *http_request_new(struct http_conn *c);
/* The head is whole: what stands in it for all resources. */
void http_request_ready(struct http_request *rq);
/* Answers by itself what need not be asked (OPTIONS, heads that are too big), else calls request(). */
void http_request_show(struct http_request *rq);
/* Hands out what came of the body, from the loop; rq may be gone then. */
void http_body_feed(struct http_request *rq, struct span piece, bool last);
bool http_body_wanted(const struct http_request *rq);
/* The client went away. */
void http_request_kill(struct http_request *rq);
/* One without an end is ended. */
void http_request_cut(struct http_request *rq);
/* It was answered to the last byte. */
void http_request_done(struct http_request *rq);

/* forwarded.c: what a trusted proxy says about its client. */
void http_forwarded(struct http_request *rq);

/* ws.c */
void ws_free_with(struct http_conn *c, enum ws_end why);

#endif
