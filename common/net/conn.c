/* Every entry from the loop is enclosed in enter() and leave(): a callback may free
 * the connection, whose memory goes when the outermost entry is left.  After each
 * callback gone() is asked before anything else is touched. */
#include "common/net/conn.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/compress/deflate.h"
#include "common/util/fd.h"
#include "common/util/mem.h"

#define READ_CHUNK	32768
#define SEAL_CHUNK	65536		/* plaintext encrypted or compressed at a time */
#define WRITES_A_ROUND	4
#define DISCARD_MAX	(1024 * 1024)	/* input ignored while lingering */

struct conn {
	struct loop		*loop;
	struct loop_io		*io;
	struct loop_timer	*timer;
	struct loop_task	*task;
	const struct conn_ops	*ops;
	void			*arg;
	struct tls		*tls;
	struct buf		 in, out;		/* plain text */
	struct buf		 raw_in, raw_out;	/* as on the wire, when TLS */
	struct inflater		*inflater;	/* NULL: input is not compressed */
	struct buf		 packed;	/* input to be unpacked */
	size_t			 in_max, low, high;
	uint64_t		 idle_ms, active_ms, deadline_ms, linger_ms;
	uint64_t		 bytes_in, bytes_out;
	size_t			 discarded;
	int			 fd;
	unsigned		 depth;
	struct net_ip		 peer;
	uint16_t		 port;
	bool			 freed, over;
	bool			 fresh;		/* input that data() has not seen */
	bool			 eof_seen, eof_told, paused;
	bool			 stuffed;	/* paused, and more has come */
	bool			 secure, tls_ready;
	bool			 deflating, unpack_ends;
	bool			 blocked;	/* the kernel takes no more output */
	bool			 was_full, finishing, tls_ended, fin_sent;
};

static void
release(struct conn *c)
{
	loop_io_free(&c->io);
	loop_timer_free(&c->timer);
	loop_task_free(&c->task);
	fd_close(&c->fd);
	buf_fini(&c->in);
	buf_fini(&c->out);
	buf_fini(&c->raw_in);
	buf_fini(&c->raw_out);
	buf_fini(&c->packed);
	inflater_free(&c->inflater);
}

static void
enter(struct conn *c)
{
	c->depth++;
}

static void
leave(struct conn *c)
{
	if (--c->depth > 0 || !c->freed)
		return;
	tls_free(&c->tls);
	mem_free(&c);
}

static bool
gone(const struct conn *c)
{
	return c->freed || c->over;
}

void
conn_free(struct conn **cp)
{
	struct conn *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	release(c);
	c->freed = true;
	enter(c);
	leave(c);
}

/* The end.  What was learnt about the TLS session can still be asked. */
static void
end(struct conn *c, enum conn_end why)
{
	if (gone(c))
		return;
	c->over = true;
	release(c);
	c->ops->closed(c, why, c->arg);
}

/* ---- time ---- */

static void
sooner(uint64_t *next, uint64_t at)
{
	if (at != 0 && at < *next)
		*next = at;
}

static void
arm(struct conn *c)
{
	uint64_t now = loop_now_ms(c->loop), next = UINT64_MAX;

	if (c->idle_ms > 0 && !c->finishing)
		sooner(&next, c->active_ms + c->idle_ms);
	sooner(&next, c->deadline_ms);
	sooner(&next, c->linger_ms);
	if (next == UINT64_MAX)
		loop_timer_clear(c->timer);
	else
		loop_timer_set(c->timer, next > now ? next - now : 0);
}

static void
on_timer(void *arg)
{
	struct conn *c = arg;
	uint64_t now = loop_now_ms(c->loop);

	enter(c);
	if (c->linger_ms != 0 && now >= c->linger_ms)
		end(c, c->fin_sent ? CONN_FINISHED : CONN_LOST);
	else if (c->deadline_ms != 0 && now >= c->deadline_ms)
		end(c, CONN_DEADLINE);
	else if (c->idle_ms > 0 && !c->finishing && now >= c->active_ms + c->idle_ms)
		end(c, CONN_IDLE);
	else
		arm(c);
	leave(c);
}

/* Costs nothing: the timer looks when it fires. */
static void
touch(struct conn *c)
{
	c->active_ms = loop_now_ms(c->loop);
	if (c->finishing && !c->fin_sent)
		c->linger_ms = c->active_ms + CONN_LINGER_MS;
}

/* ---- interest ---- */

static bool
tls_busy(const struct conn *c)
{
	return c->tls != NULL && tls_state(c->tls) == TLS_WAITING;
}

/* Most clients wait while they are paused, and the kernel need not be told: the socket is left
 * alone when more comes. */
static void
update(struct conn *c)
{
	unsigned events = 0;

	if (gone(c))
		return;
	if (!c->eof_seen && (c->finishing ||
	    (!c->stuffed && !tls_busy(c) && c->in.len < c->in_max)))
		events |= LOOP_READ;
	if (c->blocked)
		events |= LOOP_WRITE;
	loop_io_set(c->io, events);
	if (c->in.len == 0 || c->finishing)
		buf_fini(&c->in);
	if (c->raw_in.len == 0 || c->finishing)
		buf_fini(&c->raw_in);
	if (c->packed.len == 0 || c->finishing)
		buf_fini(&c->packed);
	if (c->inflater != NULL && c->packed.len == 0)
		inflater_rest(c->inflater);
}

/* ---- input ---- */

/* Where the bytes of the peer go, and how many of them may lie there. */
static struct buf *
arriving(struct conn *c, size_t *max)
{
	*max = c->inflater != NULL ? READ_CHUNK : c->in_max;
	return c->inflater != NULL ? &c->packed : &c->in;
}

static bool
packed_more(const struct conn *c)
{
	return c->inflater != NULL && (c->packed.len > 0 || inflater_more(c->inflater));
}

/* Unpacks up to the end of a block, for what follows may be plain (conn_end_compress()).
 * false: nothing changed. */
static bool
unpack(struct conn *c)
{
	struct span packed = buf_span(&c->packed);
	size_t had = c->in.len, lay = c->packed.len;
	bool done = false;
	enum status st;

	if (c->unpack_ends)
		st = inflater_end(c->inflater, &packed, &done);
	else
		st = inflater_read(c->inflater, &packed, c->in_max - had, &c->in);
	buf_drop(&c->packed, c->packed.len - packed.len);
	if (st != ST_OK) {
		end(c, CONN_GARBLED);
		return false;
	}
	if (done) {
		buf_add_span(&c->in, buf_span(&c->packed));
		buf_fini(&c->packed);
		inflater_free(&c->inflater);
		c->unpack_ends = false;
	}
	c->fresh |= c->in.len > had;
	return done || c->fresh || c->packed.len < lay;
}

/* Lets TLS work on what came.  A handshake that ends is told before any data is. */
static void
tls_step(struct conn *c)
{
	enum tls_state before = tls_state(c->tls), now;
	size_t max;
	struct buf *to = arriving(c, &max);
	size_t had = to->len;

	if (c->finishing || had >= max)
		return;
	now = tls_read(c->tls, &c->raw_in, to, max - had, &c->raw_out);
	if (c->raw_out.len > 0)
		loop_task_post(c->task);
	if (c->in.len > had && to == &c->in)
		c->fresh = true;
	if (now == TLS_OPEN && before != TLS_OPEN) {
		c->secure = true;
		loop_task_post(c->task);	/* for output that waited */
		if (c->ops->secured != NULL)
			c->ops->secured(c, c->arg);
	} else if (now == TLS_CLOSED) {
		c->eof_seen = true;
	} else if (now == TLS_FAILED) {
		/* The alert, if it goes at once. */
		if (c->raw_out.len > 0)
			(void)!send(c->fd, c->raw_out.data, c->raw_out.len, MSG_NOSIGNAL);
		end(c, CONN_TLS_FAILED);
	}
}

/* More can be had from TLS without reading the socket. */
static bool
tls_has_more(const struct conn *c)
{
	return c->tls != NULL && c->raw_in.len > 0 && c->in.len < c->in_max &&
	    !c->paused && (tls_state(c->tls) == TLS_OPEN || tls_state(c->tls) == TLS_HANDSHAKE);
}

static void
tell_data(struct conn *c)
{
	c->fresh = false;
	c->ops->data(c, c->arg);
	if (!gone(c) && !c->finishing && !c->paused && c->in.len >= c->in_max)
		end(c, CONN_OVERFULL);
}

static void
deliver(struct conn *c)
{
	while (!gone(c) && !c->finishing && !c->paused) {
		if (c->fresh) {
			tell_data(c);
		} else if (packed_more(c)) {
			if (!unpack(c))
				break;
		} else if (tls_has_more(c)) {
			size_t had = c->raw_in.len;

			tls_step(c);
			if (!gone(c) && !c->fresh && c->raw_in.len == had)
				break;
		} else {
			break;
		}
	}
	if (gone(c) || c->finishing || c->paused || !c->eof_seen || c->eof_told)
		return;
	c->eof_told = true;
	c->ops->eof(c, c->arg);
}

static void
took(struct conn *c, const char *p, size_t n)
{
	c->bytes_in += n;
	if (c->finishing) {
		c->discarded += n;
		if (c->discarded > DISCARD_MAX)
			end(c, c->fin_sent ? CONN_FINISHED : CONN_LOST);
		return;
	}
	touch(c);
	if (c->tls != NULL) {
		buf_add(&c->raw_in, p, n);
		return;
	}
	buf_add(c->inflater != NULL ? &c->packed : &c->in, p, n);
	if (c->inflater == NULL)
		c->fresh = true;
}

static void
read_some(struct conn *c)
{
	char chunk[READ_CHUNK];
	size_t room = sizeof(chunk);
	ssize_t n;

	if (c->tls == NULL && !c->finishing) {
		size_t max, had = arriving(c, &max)->len;

		if (had >= max)
			return;
		if (max - had < room)
			room = max - had;
	}
	n = recv(c->fd, chunk, room, 0);
	if (n > 0) {
		took(c, chunk, (size_t)n);
		return;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		end(c, CONN_LOST);
		return;
	}
	c->eof_seen = true;
	if (c->tls != NULL && !c->secure && !c->finishing)
		end(c, CONN_LOST);
	else if (c->fin_sent)
		end(c, CONN_FINISHED);
}

/* ---- output ---- */

static size_t
unsent(const struct conn *c)
{
	return c->out.len + c->raw_out.len;
}

/* Brings n bytes of the output into the form in which they leave; last: of the compressed
 * stream. */
static void
seal(struct conn *c, size_t n, bool last)
{
	struct span plain = span(c->out.data, n);
	struct buf packed = { 0 };

	if (n == 0)
		return;
	if (c->deflating && c->tls == NULL) {
		deflate_add(plain, last, &c->raw_out);
	} else if (c->deflating) {
		deflate_add(plain, last, &packed);
		tls_write(c->tls, buf_span(&packed), &c->raw_out);
		buf_fini(&packed);
	} else if (c->tls != NULL) {
		tls_write(c->tls, plain, &c->raw_out);
	} else {
		buf_add_span(&c->raw_out, plain);
	}
	buf_drop(&c->out, n);
}

/* The buffer that goes to the socket next. */
static struct buf *
wire(struct conn *c)
{
	if (c->tls == NULL && !c->deflating)
		return c->raw_out.len > 0 ? &c->raw_out : &c->out;
	if ((c->tls == NULL || c->secure) && c->out.len > 0 && c->raw_out.len < SEAL_CHUNK)
		seal(c, c->out.len < SEAL_CHUNK ? c->out.len : SEAL_CHUNK, false);
	return &c->raw_out;
}

static void
send_some(struct conn *c)
{
	bool waited = c->blocked;

	c->blocked = false;
	for (int i = 0; i < WRITES_A_ROUND; i++) {
		struct buf *b = wire(c);
		ssize_t n;

		if (b->len == 0)
			break;
		n = send(c->fd, b->data, b->len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			c->blocked = true;
			return;
		}
		if (n < 0) {
			end(c, CONN_LOST);
			return;
		}
		if (waited || c->finishing)
			touch(c);
		c->bytes_out += (uint64_t)n;
		buf_drop(b, (size_t)n);
	}
	/* What is left goes with the next round. */
	c->blocked = unsent(c) > 0 && (c->tls == NULL || c->secure || c->raw_out.len > 0);
}

/* All was sent: say so, and wait for the peer's end. */
static void
send_end(struct conn *c)
{
	if (c->fin_sent)
		return;
	c->fin_sent = true;
	shutdown(c->fd, SHUT_WR);
	c->linger_ms = loop_now_ms(c->loop) + CONN_LINGER_MS;
	arm(c);
	if (c->eof_seen)
		end(c, CONN_FINISHED);
}

static void
flush_last(struct conn *c)
{
	if (unsent(c) == 0 && c->secure && !c->tls_ended) {
		c->tls_ended = true;
		tls_shutdown(c->tls, &c->raw_out);
		send_some(c);
	}
	if (!gone(c) && unsent(c) == 0)
		send_end(c);
}

static void
flush(struct conn *c)
{
	if (gone(c) || c->fin_sent)
		return;
	if (unsent(c) >= c->high)
		c->was_full = true;
	send_some(c);
	if (gone(c))
		return;
	if (c->out.len == 0)
		buf_fini(&c->out);
	if (c->raw_out.len == 0)
		buf_fini(&c->raw_out);
	if (c->finishing) {
		flush_last(c);
	} else if (c->was_full && unsent(c) <= c->low) {
		c->was_full = false;
		if (c->ops->drained != NULL)
			c->ops->drained(c, c->arg);
	}
}

static void
on_io(int fd, unsigned events, void *arg)
{
	struct conn *c = arg;

	enter(c);
	if ((events & LOOP_READ) && c->paused && !c->finishing) {
		c->stuffed = true;
	} else if (events & LOOP_READ) {
		read_some(c);
		deliver(c);
	}
	if ((events & LOOP_WRITE) && !gone(c))
		flush(c);
	update(c);
	leave(c);
}

static void
on_task(void *arg)
{
	struct conn *c = arg;

	enter(c);
	if (c->tls_ready) {
		c->tls_ready = false;
		tls_step(c);
	}
	deliver(c);
	if (!c->blocked)
		flush(c);
	update(c);
	leave(c);
}

static void
on_tls_resume(void *arg)
{
	struct conn *c = arg;

	if (gone(c))
		return;
	c->tls_ready = true;
	loop_task_post(c->task);
}

static void
begin_tls(struct conn *c, struct tls_ctx *tls)
{
	c->tls = tls_new(tls, on_tls_resume, c);
	if (tls_speaks_first(c->tls))
		on_tls_resume(c);
}

/* ---- interface ---- */

struct conn *
conn_new(struct loop *l, int fd, struct tls_ctx *tls, const struct conn_ops *ops, void *arg)
{
	struct conn *c = mem_zalloc(sizeof(*c));
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);

	c->loop = l;
	c->fd = fd;
	c->ops = ops;
	c->arg = arg;
	c->in_max = 65536;
	c->low = 32768;
	c->high = 131072;
	if (getpeername(fd, (struct sockaddr *)&ss, &len) == 0)
		c->peer = net_ip_of((struct sockaddr *)&ss, &c->port);
	c->active_ms = loop_now_ms(l);
	c->timer = loop_timer_new(l, on_timer, c);
	c->task = loop_task_new(l, on_task, c);
	if (tls != NULL)
		begin_tls(c, tls);
	c->io = loop_io_new(l, fd, LOOP_READ, on_io, c);
	return c;
}

void
conn_set_ops(struct conn *c, const struct conn_ops *ops, void *arg)
{
	c->ops = ops;
	c->arg = arg;
	if (c->in.len > 0 && !gone(c) && !c->finishing) {
		c->fresh = true;
		loop_task_post(c->task);
	}
}

struct buf *
conn_in(struct conn *c)
{
	return &c->in;
}

void
conn_set_in_max(struct conn *c, size_t in_max)
{
	assert(in_max > 0);
	c->in_max = in_max;
	if (!gone(c))
		loop_task_post(c->task);
}

void
conn_pause(struct conn *c)
{
	c->paused = true;
	if (!gone(c) && c->depth == 0)
		loop_task_post(c->task);
}

void
conn_resume(struct conn *c)
{
	if (!c->paused)
		return;
	c->paused = c->stuffed = false;
	if (c->in.len > 0)
		c->fresh = true;
	if (!gone(c))
		loop_task_post(c->task);
}

bool
conn_paused(const struct conn *c)
{
	return c->paused;
}

struct buf *
conn_out(struct conn *c)
{
	/* Ciphertext is not looked at any more: its buffer takes what goes nowhere. */
	if (gone(c) || c->finishing) {
		buf_fini(&c->raw_in);
		return &c->raw_in;
	}
	loop_task_post(c->task);
	return &c->out;
}

bool
conn_full(const struct conn *c)
{
	return unsent(c) >= c->high;
}

void
conn_set_water(struct conn *c, size_t low, size_t high)
{
	assert(low < high);
	c->low = low;
	c->high = high;
}

void
conn_finish(struct conn *c)
{
	if (gone(c) || c->finishing)
		return;
	if (c->tls != NULL && !c->secure)
		buf_fini(&c->out);
	c->finishing = true;
	buf_clear(&c->in);	/* the memory stays until the caller has returned */
	c->deadline_ms = 0;
	c->linger_ms = loop_now_ms(c->loop) + CONN_LINGER_MS;
	arm(c);
	loop_task_post(c->task);
}

void
conn_set_idle(struct conn *c, uint64_t idle_ms)
{
	c->idle_ms = idle_ms;
	c->active_ms = loop_now_ms(c->loop);
	if (!gone(c))
		arm(c);
}

void
conn_set_deadline(struct conn *c, uint64_t after_ms)
{
	c->deadline_ms = after_ms > 0 ? loop_now_ms(c->loop) + after_ms : 0;
	if (!gone(c))
		arm(c);
}

bool
conn_start_tls(struct conn *c, struct tls_ctx *tls)
{
	if (gone(c) || c->tls != NULL || c->in.len > 0 || c->inflater != NULL)
		return false;
	/* The answer to STARTTLS goes out as it is, before the first handshake byte. */
	seal(c, c->out.len, false);
	buf_fini(&c->in);
	begin_tls(c, tls);
	loop_task_post(c->task);
	return true;
}

void
conn_start_compress(struct conn *c)
{
	if (gone(c) || c->finishing || c->inflater != NULL)
		return;
	seal(c, c->out.len, false);
	c->deflating = true;
	c->inflater = inflater_new();
	buf_add_span(&c->packed, buf_span(&c->in));
	buf_clear(&c->in);
	loop_task_post(c->task);
}

bool
conn_end_compress(struct conn *c)
{
	if (gone(c) || c->finishing || !c->deflating)
		return false;
	seal(c, c->out.len, true);
	c->deflating = false;
	c->unpack_ends = true;
	loop_task_post(c->task);
	return c->in.len == 0;
}

bool
conn_compressed(const struct conn *c)
{
	return c->deflating;
}

bool
conn_is_secure(const struct conn *c)
{
	return c->secure;
}

const struct tls *
conn_tls(const struct conn *c)
{
	return c->tls;
}

const char *
conn_tls_error(const struct conn *c)
{
	return c->tls != NULL ? tls_error(c->tls) : "";
}

const struct net_ip *
conn_peer(const struct conn *c)
{
	return &c->peer;
}

uint16_t
conn_peer_port(const struct conn *c)
{
	return c->port;
}

void
conn_ack_now(struct conn *c)
{
	int on = 1;

	if (!gone(c))
		(void)setsockopt(c->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}

int
conn_fd(const struct conn *c)
{
	return c->fd;
}

uint64_t
conn_bytes_in(const struct conn *c)
{
	return c->bytes_in;
}

uint64_t
conn_bytes_out(const struct conn *c)
{
	return c->bytes_out;
}
