#include "common/ipc/ipc.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdalign.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/util/bytes.h"
#include "common/util/clock.h"
#include "common/util/fd.h"
#include "common/util/list.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "common/util/table.h"

#define HEAD_LEN	16
#define F_REPLY		1
#define F_MORE		2
#define NO_GREETING	0
#define NO_CANCEL	0xffff
#define READ_AT_ONCE	(256u << 10)	/* bytes read from one peer in one round */
#define READ_STEP	(32u << 10)
#define OUT_LIMIT	(1u << 20)
#define OUT_STOP	(16u << 20)	/* who may ask is not listened to while it lets this lie */
#define KEEP_MAX	(64u << 10)	/* an emptied buffer above this is freed */
#define FDS_QUEUED	64		/* descriptors received and not yet claimed */
#define CANCEL_MAX	1024
#define LATER_MS	20		/* ipc_request_later() at most */

struct frame {
	uint32_t	len;
	uint16_t	no;
	uint8_t		flags;
	uint8_t		status;
	uint32_t	req, chan;
};

struct pending {
	uint32_t			req;
	ipc_reply_fn			fn;
	void				*arg;
};

/* A descriptor to be sent with the byte at `at` of the outgoing stream. */
struct out_fd {
	struct list	in;
	uint64_t	at;
	int		fd;
};

struct ipc {
	struct ipc_config	cf;
	int			fd;
	bool			open, greeted, paused, was_full, in_dispatch, freed;
	bool			clogged;	/* see OUT_STOP */
	struct loop_io		*io;
	struct loop_task	*flush;
	struct loop_timer	*later;		/* NULL: never needed */
	struct buf		in, out;
	uint64_t		out_base;	/* stream position of out.data[0] */
	struct list		out_fds;
	int			in_fds[FDS_QUEUED];
	size_t			n_in_fds;
	struct table		pending;	/* req -> struct pending */
	struct table		cancelled;	/* the peer's request ids */
	uint32_t		next_req;
};

static void ipc_read(struct ipc *ipc);
static void ipc_write(struct ipc *ipc);
static void ipc_go_on(struct ipc *ipc);

/* A peer that asks and does not read its answers.  The side that only asks reads
 * always, so the two never wait for each other. */
static bool
is_clogged(struct ipc *ipc)
{
	ipc->clogged = ipc->cf.allowed != 0 && ipc->out.len >= OUT_STOP;
	return ipc->clogged;
}

static void
watch(struct ipc *ipc)
{
	unsigned ev = 0;

	if (!ipc->open)
		return;
	if (!ipc->paused && !ipc->clogged)
		ev |= LOOP_READ;
	if (ipc->out.len > 0)
		ev |= LOOP_WRITE;
	loop_io_set(ipc->io, ev);
}

static void
on_io(int fd, unsigned events, void *arg)
{
	struct ipc *ipc = arg;

	if ((events & LOOP_WRITE) != 0)
		ipc_write(ipc);
	if (ipc->open && (events & LOOP_READ) != 0)
		ipc_read(ipc);	/* may free ipc: nothing after it */
}

static void
on_flush(void *arg)
{
	struct ipc *ipc = arg;
	bool was = ipc->clogged;

	ipc_write(ipc);
	if (was && ipc->open && !is_clogged(ipc)) {
		watch(ipc);
		ipc_go_on(ipc);		/* may free ipc: nothing after it */
	}
}

static void
add_frame(struct ipc *ipc, const struct frame *f)
{
	char h[HEAD_LEN];

	put_be32(h, f->len);
	put_be16(h + 4, f->no);
	h[6] = (char)f->flags;
	h[7] = (char)f->status;
	put_be32(h + 8, f->req);
	put_be32(h + 12, f->chan);
	buf_add(&ipc->out, h, sizeof(h));
}

static void
greet(struct ipc *ipc)
{
	const struct ipc_protocol *p = ipc->cf.protocol;
	struct frame f = { .no = NO_GREETING };

	f.len = (uint32_t)(4 + strlen(p->name));
	add_frame(ipc, &f);
	put_u16(&ipc->out, p->major);
	put_u16(&ipc->out, p->minor);
	buf_add_str(&ipc->out, p->name);
}

struct ipc *
ipc_new(const struct ipc_config *cf, int fd)
{
	struct ipc *ipc = mem_zalloc(sizeof(*ipc));

	ipc->cf = *cf;
	ipc->fd = fd;
	ipc->open = true;
	list_init(&ipc->out_fds);
	(void)fd_nonblock(fd);
	ipc->io = loop_io_new(cf->loop, fd, LOOP_READ, on_io, ipc);
	ipc->flush = loop_task_new(cf->loop, on_flush, ipc);
	greet(ipc);
	loop_task_post(ipc->flush);
	return ipc;
}

static void
drop_fds(struct ipc *ipc)
{
	struct list *n, *tmp;

	for (size_t i = 0; i < ipc->n_in_fds; i++)
		fd_close(&ipc->in_fds[i]);
	ipc->n_in_fds = 0;
	list_each(n, tmp, &ipc->out_fds) {
		struct out_fd *o = list_entry(n, struct out_fd, in);

		fd_close(&o->fd);
		list_remove(n);
		mem_free(&o);
	}
}

static void
free_pending(void *value, void *arg)
{
	struct pending *p = value;

	mem_free(&p);
}

static void
destroy(struct ipc *ipc)
{
	table_fini(&ipc->pending, free_pending, NULL);
	table_fini(&ipc->cancelled, NULL, NULL);
	buf_fini_secret(&ipc->in);
	buf_fini_secret(&ipc->out);
	mem_free(&ipc);
}

/* Stops all I/O; the struct stays. */
static void
shut(struct ipc *ipc)
{
	ipc->open = false;
	loop_io_free(&ipc->io);
	loop_task_free(&ipc->flush);
	loop_timer_free(&ipc->later);
	drop_fds(ipc);
	fd_close(&ipc->fd);
}

void
ipc_free(struct ipc **ipcp)
{
	struct ipc *ipc = *ipcp;

	*ipcp = NULL;
	if (ipc == NULL || ipc->freed)
		return;
	if (ipc->open)
		shut(ipc);
	ipc->freed = true;
	if (!ipc->in_dispatch)
		destroy(ipc);
}

/* The connection ended: every waiting caller hears it, then the owner. */
static void
close_by_peer(struct ipc *ipc)
{
	struct buf reqs = { 0 };
	bool outer = ipc->in_dispatch;
	size_t pos = 0;
	void *v;

	shut(ipc);
	ipc->in_dispatch = true;
	/* the callbacks may ask again or cancel others: a list of its own is walked */
	while (table_next(&ipc->pending, &pos, NULL, &v))
		put_u32(&reqs, ((struct pending *)v)->req);
	for (size_t at = 0; at < reqs.len && !ipc->freed; at += 4) {
		struct ipc_head h = { .req = get_be32(reqs.data + at), .status = ST_UNAVAILABLE,
		    .fd = -1 };
		struct pending *p = table_del_u64(&ipc->pending, h.req);

		if (p == NULL)
			continue;
		p->fn(p->arg, &h, NULL, NULL);
		mem_free(&p);
	}
	buf_fini(&reqs);
	if (!ipc->freed && ipc->cf.closed != NULL)
		ipc->cf.closed(ipc, ipc->cf.arg);
	ipc->in_dispatch = outer;
	if (ipc->freed && !outer)
		destroy(ipc);
}

static void
malformed(struct ipc *ipc, const char *why, uint16_t no)
{
	LOG(NULL, ERROR, "ipc.malformed", KV_STR("protocol", ipc->cf.protocol->name),
	    KV_STR("peer", ipc->cf.peer), KV_STR("why", why), KV_UINT("message", no));
	close_by_peer(ipc);
}

bool
ipc_is_open(const struct ipc *ipc)
{
	return ipc->open;
}

void
ipc_set_allowed(struct ipc *ipc, uint32_t allowed)
{
	ipc->cf.allowed = allowed;
}

/* Reading ------------------------------------------------------------------- */

static bool
take_greeting(struct ipc *ipc, struct span body)
{
	const struct ipc_protocol *p = ipc->cf.protocol;

	if (body.len < 4 || !span_eq_str(span_sub(body, 4, body.len), p->name))
		return false;
	ipc->greeted = get_be16(body.p) == p->major;
	return ipc->greeted;
}

static void
dispatch_reply(struct ipc *ipc, const struct frame *f, const struct ipc_message *m,
    struct ipc_head *h, const void *msg)
{
	struct pending *p = table_get_u64(&ipc->pending, f->req);
	ipc_reply_fn fn;
	void *arg;

	if (p == NULL) {	/* cancelled */
		fd_close(&h->fd);
		return;
	}
	fn = p->fn;
	arg = p->arg;
	if (!h->more) {
		table_del_u64(&ipc->pending, f->req);
		mem_free(&p);
	}
	fn(arg, h, m, msg);
}

/* false: the connection is at fault and was closed. */
static bool
dispatch(struct ipc *ipc, const struct frame *f, struct span body)
{
	alignas(max_align_t) char msg[IPC_STRUCT_MAX];
	struct ipc_head h = { f->req, f->chan, (enum status)f->status, (f->flags & F_MORE) != 0, -1 };
	const struct ipc_message *m = NULL;
	bool reply = (f->flags & F_REPLY) != 0;

	if (f->no == NO_CANCEL && !reply) {
		/* those that were answered before stay in it: forgetting all costs work,
		 * never an answer */
		if (ipc->cancelled.count >= CANCEL_MAX)
			table_fini(&ipc->cancelled, NULL, NULL);
		table_put_u64(&ipc->cancelled, f->req, ipc);
		return true;
	}
	if (f->no != 0) {
		m = ipc_find(ipc->cf.protocol, f->no);
		if (m == NULL) {
			malformed(ipc, "unknown message", f->no);
			return false;
		}
		assert(m->size <= IPC_STRUCT_MAX);
		if (ipc_decode(m, body, msg) != ST_OK) {
			malformed(ipc, "bad field", f->no);
			return false;
		}
	} else if (!reply) {
		malformed(ipc, "second greeting", 0);
		return false;
	}
	if (m != NULL && (m->flags & IPC_MSG_FD) != 0) {
		if (ipc->n_in_fds == 0) {
			malformed(ipc, "descriptor missing", f->no);
			return false;
		}
		h.fd = ipc->in_fds[0];
		memmove(ipc->in_fds, ipc->in_fds + 1, --ipc->n_in_fds * sizeof(int));
	}
	if (reply) {
		if (f->status > ST_MAX || (m != NULL && (m->flags & IPC_MSG_REPLY) == 0)) {
			fd_close(&h.fd);
			malformed(ipc, "not a reply", f->no);
			return false;
		}
		dispatch_reply(ipc, f, m, &h, m != NULL ? msg : NULL);
	} else {
		bool note = (m->flags & IPC_MSG_NOTE) != 0;

		/* a note needs no right of its own when its table entry asks none */
		if ((m->flags & IPC_MSG_REPLY) != 0 || note != (f->req == 0) ||
		    ipc->cf.request == NULL ||
		    (m->allowed != 0 && (m->allowed & ipc->cf.allowed) == 0) ||
		    (m->allowed == 0 && !note)) {
			fd_close(&h.fd);
			malformed(ipc, "not allowed", f->no);
			return false;
		}
		ipc->cf.request(ipc, m, &h, msg, ipc->cf.arg);
	}
	if (m != NULL && (m->flags & IPC_MSG_SECRET) != 0)
		mem_wipe((void *)(uintptr_t)body.p, body.len);
	return true;
}

/* Takes whole frames off the input.  Returns false when ipc was closed or freed. */
static bool
take_frames(struct ipc *ipc)
{
	size_t used = 0;

	while (!ipc->freed && ipc->open && !ipc->paused && !is_clogged(ipc) &&
	    ipc->in.len - used >= HEAD_LEN) {
		const char *h = ipc->in.data + used;
		struct frame f = { get_be32(h), get_be16(h + 4), (uint8_t)h[6], (uint8_t)h[7],
		    get_be32(h + 8), get_be32(h + 12) };
		struct span body;

		if (f.len > IPC_SIZE_MAX) {
			malformed(ipc, "too long", f.no);
			return false;
		}
		if (ipc->in.len - used - HEAD_LEN < f.len)
			break;
		body = span(h + HEAD_LEN, f.len);
		used += HEAD_LEN + f.len;
		if (!ipc->greeted) {
			if (f.no != NO_GREETING || !take_greeting(ipc, body)) {
				malformed(ipc, "bad greeting", f.no);
				return false;
			}
			continue;
		}
		if (!dispatch(ipc, &f, body))
			return false;
	}
	if (ipc->freed || !ipc->open)
		return false;
	buf_drop(&ipc->in, used);
	if (ipc->in.len == 0 && ipc->in.room > KEEP_MAX)
		buf_fini(&ipc->in);
	return true;
}

static ssize_t
receive(struct ipc *ipc, char *p, size_t n)
{
	union {
		char		space[CMSG_SPACE(sizeof(int) * 16)];
		struct cmsghdr	align;
	} ctl;
	struct iovec iov = { p, n };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl.space,
	    .msg_controllen = sizeof(ctl.space) };
	ssize_t r;

	if (!ipc->cf.fds)
		return read(ipc->fd, p, n);
	r = recvmsg(ipc->fd, &mh, MSG_CMSG_CLOEXEC);
	if (r < 0)
		return r;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&mh); c != NULL; c = CMSG_NXTHDR(&mh, c)) {
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (ipc->n_in_fds < FDS_QUEUED)
				ipc->in_fds[ipc->n_in_fds++] = fd;
			else
				close(fd);
		}
	}
	return r;
}

static void
ipc_read(struct ipc *ipc)
{
	size_t total = 0;
	bool eof = false;

	assert(!ipc->in_dispatch);
	ipc->in_dispatch = true;
	while (!eof && !ipc->paused && !ipc->clogged && total < READ_AT_ONCE) {
		size_t want = READ_STEP;
		ssize_t r;

		if (ipc->in.len >= HEAD_LEN) {
			size_t need = HEAD_LEN + (size_t)get_be32(ipc->in.data);

			if (need <= HEAD_LEN + (size_t)IPC_SIZE_MAX && need > ipc->in.len + want)
				want = need - ipc->in.len;
		}
		r = receive(ipc, buf_reserve(&ipc->in, want), want);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (r <= 0) {
			eof = true;
			break;
		}
		buf_added(&ipc->in, (size_t)r);
		total += (size_t)r;
		if (!take_frames(ipc))
			break;
		if ((size_t)r < want)
			break;
	}
	if (!ipc->freed && ipc->open && ipc->in.len == 0)
		buf_fini(&ipc->in);
	if (eof && !ipc->freed && ipc->open)
		close_by_peer(ipc);
	ipc->in_dispatch = false;
	if (ipc->freed)
		destroy(ipc);
}

/* With what was read before it had to wait. */
static void
ipc_go_on(struct ipc *ipc)
{
	if (ipc->in.len < HEAD_LEN || ipc->in_dispatch)
		return;
	ipc->in_dispatch = true;
	take_frames(ipc);
	ipc->in_dispatch = false;
	if (ipc->freed)
		destroy(ipc);
}

void
ipc_pause(struct ipc *ipc, bool pause)
{
	if (ipc->paused == pause || !ipc->open)
		return;
	ipc->paused = pause;
	watch(ipc);
	if (!pause)
		ipc_go_on(ipc);
}

/* Writing ------------------------------------------------------------------- */

static ssize_t
transmit(struct ipc *ipc)
{
	union {
		char		space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr	align;
	} ctl;
	struct iovec iov = { ipc->out.data, ipc->out.len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct out_fd *o = NULL;
	struct cmsghdr *c;
	ssize_t r;

	if (!list_empty(&ipc->out_fds)) {
		o = list_entry(ipc->out_fds.next, struct out_fd, in);
		if (o->at > ipc->out_base) {
			/* what stands before the frame that carries it */
			if (o->at - ipc->out_base < iov.iov_len)
				iov.iov_len = (size_t)(o->at - ipc->out_base);
			o = NULL;
		} else {
			struct list *next = o->in.next;

			if (next != &ipc->out_fds) {
				uint64_t end = list_entry(next, struct out_fd, in)->at;

				if (end - ipc->out_base < iov.iov_len)
					iov.iov_len = (size_t)(end - ipc->out_base);
			}
			memset(&ctl, 0, sizeof(ctl));
			mh.msg_control = ctl.space;
			mh.msg_controllen = sizeof(ctl.space);
			c = CMSG_FIRSTHDR(&mh);
			c->cmsg_level = SOL_SOCKET;
			c->cmsg_type = SCM_RIGHTS;
			c->cmsg_len = CMSG_LEN(sizeof(int));
			memcpy(CMSG_DATA(c), &o->fd, sizeof(int));
		}
	}
	r = sendmsg(ipc->fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (r > 0 && o != NULL) {
		list_remove(&o->in);
		fd_close(&o->fd);
		mem_free(&o);
	}
	return r;
}

static void
ipc_write(struct ipc *ipc)
{
	while (ipc->open && ipc->out.len > 0) {
		ssize_t r = transmit(ipc);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (r < 0) {
			/* the reading side meets the end and tells everybody; what the peer
			 * sent before it went is still to be read */
			ipc->out_base += ipc->out.len;
			buf_clear(&ipc->out);
			break;
		}
		ipc->out_base += (size_t)r;
		buf_drop(&ipc->out, (size_t)r);
	}
	if (!ipc->open)
		return;
	if (ipc->out.len == 0)
		buf_fini(&ipc->out);
	if (ipc->clogged && ipc->out.len < OUT_STOP)
		loop_task_post(ipc->flush);
	watch(ipc);
	if (ipc->was_full && ipc->out.len < OUT_LIMIT / 2) {
		ipc->was_full = false;
		if (ipc->cf.drained != NULL)
			ipc->cf.drained(ipc, ipc->cf.arg);
	}
}

static void
add_message(struct ipc *ipc, struct frame *f, const void *msg, int fd)
{
	const struct ipc_message *m = f->no != 0 && f->no != NO_CANCEL ?
	    ipc_find(ipc->cf.protocol, f->no) : NULL;
	size_t at = ipc->out.len;

	assert(f->no == 0 || f->no == NO_CANCEL || m != NULL);
	assert((fd >= 0) == (m != NULL && (m->flags & IPC_MSG_FD) != 0));
	if (fd >= 0) {
		struct out_fd *o = mem_zalloc(sizeof(*o));

		assert(ipc->cf.fds);
		o->at = ipc->out_base + at;
		o->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (o->fd < 0) {
			LOG(NULL, ERROR, "ipc.dup", KV_ERRNO(errno));
			mem_free(&o);
			return;
		}
		list_push_back(&ipc->out_fds, &o->in);
	}
	add_frame(ipc, f);
	if (m != NULL && m->size > 0 && msg != NULL)
		ipc_encode(m, msg, &ipc->out);
	put_be32(ipc->out.data + at, (uint32_t)(ipc->out.len - at - HEAD_LEN));
	if (ipc->out.len >= OUT_LIMIT)
		ipc->was_full = true;
}

static void
send_frame(struct ipc *ipc, struct frame *f, const void *msg, int fd)
{
	if (!ipc->open)
		return;
	add_message(ipc, f, msg, fd);
	loop_task_post(ipc->flush);
}

static void
send_later(struct ipc *ipc, struct frame *f, const void *msg)
{
	if (!ipc->open)
		return;
	add_message(ipc, f, msg, -1);
	if (ipc->later == NULL)
		ipc->later = loop_timer_new(ipc->cf.loop, on_flush, ipc);
	if (!loop_timer_is_set(ipc->later))
		loop_timer_set(ipc->later, LATER_MS);
}

static uint32_t
add_pending(struct ipc *ipc, ipc_reply_fn reply, void *arg)
{
	struct pending *p = mem_zalloc(sizeof(*p));

	do {
		p->req = ++ipc->next_req;
	} while (p->req == 0 || table_get_u64(&ipc->pending, p->req) != NULL);
	p->fn = reply;
	p->arg = arg;
	table_put_u64(&ipc->pending, p->req, p);
	return p->req;
}

uint32_t
ipc_request_fd(struct ipc *ipc, uint32_t chan, uint16_t no, const void *msg, int fd,
    ipc_reply_fn reply, void *arg)
{
	struct frame f = { .no = no, .chan = chan, .req = add_pending(ipc, reply, arg) };

	send_frame(ipc, &f, msg, fd);
	return f.req;
}

uint32_t
ipc_request_later(struct ipc *ipc, uint32_t chan, uint16_t no, const void *msg,
    ipc_reply_fn reply, void *arg)
{
	struct frame f = { .no = no, .chan = chan, .req = add_pending(ipc, reply, arg) };

	send_later(ipc, &f, msg);
	return f.req;
}

uint32_t
ipc_request(struct ipc *ipc, uint32_t chan, uint16_t no, const void *msg,
    ipc_reply_fn reply, void *arg)
{
	return ipc_request_fd(ipc, chan, no, msg, -1, reply, arg);
}

void
ipc_cancel(struct ipc *ipc, uint32_t req)
{
	struct pending *p = table_del_u64(&ipc->pending, req);
	struct frame f = { .no = NO_CANCEL, .req = req };

	if (p == NULL)
		return;
	mem_free(&p);
	send_frame(ipc, &f, NULL, -1);
}

void
ipc_note_fd(struct ipc *ipc, uint32_t chan, uint16_t no, const void *msg, int fd)
{
	struct frame f = { .no = no, .chan = chan };

	send_frame(ipc, &f, msg, fd);
}

void
ipc_note(struct ipc *ipc, uint32_t chan, uint16_t no, const void *msg)
{
	ipc_note_fd(ipc, chan, no, msg, -1);
}

static struct frame
answer_to(struct ipc *ipc, const struct ipc_head *head, enum status st, uint16_t no)
{
	table_del_u64(&ipc->cancelled, head->req);
	return (struct frame){ .no = no, .flags = F_REPLY, .status = (uint8_t)st,
	    .req = head->req, .chan = head->chan };
}

void
ipc_reply(struct ipc *ipc, const struct ipc_head *head, enum status st, uint16_t no,
    const void *msg)
{
	struct frame f = answer_to(ipc, head, st, no);

	send_frame(ipc, &f, msg, -1);
}

void
ipc_reply_later(struct ipc *ipc, const struct ipc_head *head, enum status st, uint16_t no,
    const void *msg)
{
	struct frame f = answer_to(ipc, head, st, no);

	send_later(ipc, &f, msg);
}

void
ipc_refuse(struct ipc *ipc, const struct ipc_head *head, enum status st)
{
	int fd = head->fd;

	fd_close(&fd);
	if (head->req != 0)
		ipc_reply(ipc, head, st, 0, NULL);
}

void
ipc_reply_more(struct ipc *ipc, const struct ipc_head *head, uint16_t no, const void *msg)
{
	struct frame f = { .no = no, .flags = F_REPLY | F_MORE, .req = head->req,
	    .chan = head->chan };

	send_frame(ipc, &f, msg, -1);
}

bool
ipc_is_cancelled(const struct ipc *ipc, uint32_t req)
{
	return table_get_u64(&ipc->cancelled, req) != NULL;
}

size_t
ipc_out_pending(const struct ipc *ipc)
{
	return ipc->out.len;
}

bool
ipc_out_full(const struct ipc *ipc)
{
	return ipc->out.len >= OUT_LIMIT;
}

void
ipc_flush(struct ipc *ipc, unsigned timeout_ms)
{
	uint64_t end = clock_mono_ms() + timeout_ms;

	ipc_write(ipc);
	while (ipc->open && ipc->out.len > 0) {
		uint64_t now = clock_mono_ms();
		struct pollfd p = { ipc->fd, POLLOUT, 0 };

		if (now >= end || poll(&p, 1, (int)(end - now)) <= 0)
			return;
		ipc_write(ipc);
	}
}
