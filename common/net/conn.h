/* common/net/conn.h
 * A connection, a client's to us or ours to a server (tls_ctx_new_client()): buffered, plain or TLS, over the loop.
 *
 * Output gathers in a buffer and leaves in one write at the end of the loop's round.
 * An idle connection holds no buffers.  All callbacks run from the loop, never from
 * inside a function called here, and each of them may call conn_free(). */
#ifndef COMMON_NET_CONN_H
#define COMMON_NET_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/net/addr.h"
#include "common/net/loop.h"
#include "common/net/tls.h"
#include "common/util/buf.h"

struct conn;

enum conn_end {
	CONN_FINISHED,		/* after conn_finish(): all was sent */
	CONN_LOST,		/* reset, or the peer did not take our last bytes */
	CONN_IDLE,		/* idle time-out */
	CONN_DEADLINE,		/* the time of conn_set_deadline() */
	CONN_TLS_FAILED,	/* conn_tls_error() tells */
	CONN_GARBLED,		/* what the peer compressed makes no sense */
	CONN_OVERFULL		/* data() left in_max bytes lying without pausing */
};

struct conn_ops {
	/* There is input: take what is complete from conn_in() with buf_drop().  Called
	 * again when more has come, not for what was left. */
	void (*data)(struct conn *c, void *arg);
	/* The peer sends no more; what it sent was shown to data().  Output still goes
	 * out: answer, then conn_finish(). */
	void (*eof)(struct conn *c, void *arg);
	/* Output fell to low water after conn_full() was true.  May be NULL. */
	void (*drained)(struct conn *c, void *arg);
	/* The TLS handshake is done (implicit or STARTTLS).  May be NULL. */
	void (*secured)(struct conn *c, void *arg);
	/* It is over; nothing more is sent or reported.  conn_free() here or later. */
	void (*closed)(struct conn *c, enum conn_end why, void *arg);
};

/* fd: a connected stream socket, non-blocking; becomes the connection's.  ops is
 * borrowed.  tls: not NULL for implicit TLS (a reference is taken); output given
 * before the handshake is done waits for it.  Nothing is read before the first
 * round.  Defaults: in_max 64 KiB, high 128 KiB, low 32 KiB, no time-outs. */
struct conn *conn_new(struct loop *l, int fd, struct tls_ctx *tls,
    const struct conn_ops *ops, void *arg);
/* At once: unsent output is lost.  No callback follows. */
void conn_free(struct conn **c);
/* Hands the connection to another owner, as after login; input that lies there is
 * shown to it in the next round. */
void conn_set_ops(struct conn *c, const struct conn_ops *ops, void *arg);

/* ---- input ---- */
/* The bytes to be taken.  At in_max reading stops until some are taken. */
struct buf *conn_in(struct conn *c);
void conn_set_in_max(struct conn *c, size_t in_max);
/* Paused: no data() and no eof(), and after what is underway nothing is read: the
 * peer's TCP window fills.  Resuming shows what lies there in the next round. */
void conn_pause(struct conn *c);
void conn_resume(struct conn *c);
bool conn_paused(const struct conn *c);

/* ---- output ---- */
/* Append to it; it is sent at the end of the round.  Appending after conn_finish()
 * is harmless and lost. */
struct buf *conn_out(struct conn *c);
/* Bytes not yet taken by the kernel reach high water: stop producing, drained()
 * tells when to go on. */
bool conn_full(const struct conn *c);
void conn_set_water(struct conn *c, size_t low, size_t high);
/* Sends what is there and closes: close_notify, FIN, then waits at most linger_ms
 * for the peer's FIN (input is discarded), so that no reset destroys what was
 * sent.  Then closed(CONN_FINISHED).  data() is not called any more; conn_in() is
 * empty from now on. */
void conn_finish(struct conn *c);
#define CONN_LINGER_MS 5000

/* ---- time ---- */
/* Idle: no byte received, and no byte taken by a peer that let output pile up.
 * 0: none.  When time is up, closed(CONN_IDLE) follows. */
void conn_set_idle(struct conn *c, uint64_t idle_ms);
/* From now on, whatever happens; for logins.  0: none. */
void conn_set_deadline(struct conn *c, uint64_t after_ms);

/* ---- TLS ---- */
/* STARTTLS: call it from data() after taking the command's line and writing the
 * positive answer, which still leaves in clear text.  false: bytes were pipelined
 * behind the command; they are not trusted after the handshake (CVE-2011-0411), nor
 * does the handshake begin: answer and conn_finish().  Nothing is kept from before. */
/* As a client: after taking the positive answer, nothing being left to be sent. */
bool conn_start_tls(struct conn *c, struct tls_ctx *tls);
/* The handshake is done. */
bool conn_is_secure(const struct conn *c);
/* NULL on a plain connection. */
const struct tls *conn_tls(const struct conn *c);
const char *conn_tls_error(const struct conn *c);

/* ---- compression: raw DEFLATE, below it TLS ---- */
/* Call it from data() after taking the command's line and writing the positive answer,
 * which still leaves as it is.  What lies behind the line is taken as compressed.  Input
 * never grows past in_max for it, and is shown block by block.  Output is compressed and
 * flushed as it leaves.  A resting connection keeps at most 32 KiB of what the peer sent. */
void conn_start_compress(struct conn *c);
/* Call it from data() after the positive answer, the last that is compressed.  The peer
 * ends its stream, or flushes it, behind the command's line; then plain bytes follow.
 * false: there was more in the stream. */
bool conn_end_compress(struct conn *c);
bool conn_compressed(const struct conn *c);

/* ---- the peer ---- */
const struct net_ip *conn_peer(const struct conn *c);
uint16_t conn_peer_port(const struct conn *c);
int conn_fd(const struct conn *c);
/* Acknowledges at once what came, where the protocol has no answer yet: a client that
 * writes the rest of its request separately may wait for that (Nagle), 40 ms else. */
void conn_ack_now(struct conn *c);
uint64_t conn_bytes_in(const struct conn *c);	/* on the wire */
uint64_t conn_bytes_out(const struct conn *c);

#endif
