/* Frames, fields, requests, replies, descriptors between two ends in one loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/auth/auth_proto.h"
#include "common/out/out_proto.h"
#include "common/ipc/ipc.h"
#include "common/util/bytes.h"
#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "common/worker/admin_proto.h"
#include "common/worker/control_proto.h"
#include "storage/api/index_proto.h"
#include "storage/api/store_proto.h"

struct t_ask { uint32_t n; struct span text; bool flag; };
struct t_say { uint64_t v; struct span text; };
struct t_fd { uint8_t x; };
static const struct ipc_field ask[] = {
	IPC_U32(t_ask, n), IPC_STR(t_ask, text, 1, 100000), IPC_BOOL(t_ask, flag), IPC_END };
static const struct ipc_field say[] = {
	IPC_U64(t_say, v), IPC_STR(t_say, text, 0, 100000), IPC_END };
static const struct ipc_field with_fd[] = { IPC_U8(t_fd, x, 3, 5), IPC_END };
static const struct ipc_message messages[] = {
	{ 1, "ask", 1, 0, 200000, sizeof(struct t_ask), ask },
	{ 2, "say", 0, IPC_MSG_REPLY, 200000, sizeof(struct t_say), say },
	{ 3, "fd", 1, IPC_MSG_FD | IPC_MSG_NOTE, 10, sizeof(struct t_fd), with_fd },
	{ 4, "forbidden", 2, 0, 0, 0, NULL },
	{ 0 }
};
static const struct ipc_protocol proto = { "test", 1, 0, messages };

struct side {
	struct loop	*loop;
	struct ipc	*a, *b;		/* a asks, b serves */
	int		replies, parts, asked, fds, closed;
	enum status	last;
	uint64_t	sum;
	bool		free_in_handler;
};

static void
serve(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *h,
    const void *msg, void *arg)
{
	struct side *s = arg;
	const struct t_ask *q = msg;
	struct t_say r;

	if (m->no == 3) {
		char c;

		assert_true(h->fd >= 0);
		assert_int_equal(pread(h->fd, &c, 1, 0), 1);
		assert_int_equal(c, '0' + ((const struct t_fd *)msg)->x);
		close(h->fd);
		s->fds++;
		return;
	}
	assert_int_equal(h->chan, 7);
	s->asked++;
	if (s->free_in_handler) {
		ipc_free(&s->b);
		return;
	}
	r = (struct t_say){ q->n * 2ull, q->text };
	if (q->flag)
		for (int i = 0; i < 3; i++)
			ipc_reply_more(ipc, h, 2, &r);
	ipc_reply(ipc, h, ST_OK, 2, &r);
}

static void
on_closed(struct ipc *ipc, void *arg)
{
	((struct side *)arg)->closed++;
}

static void
on_reply(void *arg, const struct ipc_head *h, const struct ipc_message *m, const void *msg)
{
	struct side *s = arg;

	s->last = h->status;
	if (h->more) {
		s->parts++;
		return;
	}
	s->replies++;
	if (m != NULL)
		s->sum += ((const struct t_say *)msg)->v;
}

static void
start(struct side *s, int sv[2])
{
	struct ipc_config ca, cb;

	memset(s, 0, sizeof(*s));
	s->loop = loop_new();
	assert_true(fd_socketpair(sv));
	ca = (struct ipc_config){ .loop = s->loop, .protocol = &proto, .peer = "b", .fds = true,
	    .closed = on_closed, .arg = s };
	cb = (struct ipc_config){ .loop = s->loop, .protocol = &proto, .peer = "a", .allowed = 1,
	    .fds = true, .request = serve, .closed = on_closed, .arg = s };
	s->a = ipc_new(&ca, sv[0]);
	s->b = ipc_new(&cb, sv[1]);
}

static void
spin(struct side *s)
{
	for (int i = 0; i < 50; i++)
		loop_once(s->loop, false);
}

static void
stop(struct side *s)
{
	ipc_free(&s->a);
	ipc_free(&s->b);
	loop_free(&s->loop);
}

static void
many_pipelined_requests_are_each_answered_once(void **state)
{
	struct side s;
	int sv[2];

	start(&s, sv);
	for (uint32_t i = 1; i <= 2000; i++)
		ipc_request(s.a, 7, 1, &(struct t_ask){ i, SPAN_LIT("hello"), i % 2 }, on_reply, &s);
	spin(&s);
	assert_int_equal(s.replies, 2000);
	assert_int_equal(s.parts, 3000);
	assert_int_equal(s.sum, 2000ull * 2001);
	stop(&s);
}

static void
large_bodies_arrive_whole(void **state)
{
	struct side s;
	int sv[2];
	char *big = mem_zalloc(100000);

	start(&s, sv);
	for (int i = 0; i < 60; i++)
		ipc_request(s.a, 7, 1, &(struct t_ask){ 1, span(big, 100000), true }, on_reply, &s);
	assert_true(ipc_out_full(s.a));
	for (int i = 0; i < 5000 && s.replies < 60; i++)
		loop_once(s.loop, false);
	assert_int_equal(s.replies, 60);
	assert_int_equal(s.parts, 180);
	mem_free(&big);
	stop(&s);
}

static void
who_asks_and_reads_no_answers_is_not_listened_to(void **state)
{
	struct side s;
	int sv[2];
	char *big = mem_zalloc(100000);

	start(&s, sv);
	spin(&s);
	ipc_pause(s.a, true);
	for (int i = 0; i < 100; i++)
		ipc_request(s.a, 7, 1, &(struct t_ask){ 1, span(big, 100000), true }, on_reply, &s);
	for (int i = 0; i < 3000; i++)
		loop_once(s.loop, false);
	assert_true(ipc_out_pending(s.b) < 18u << 20);
	assert_true(s.asked < 60);
	ipc_pause(s.a, false);
	for (int i = 0; i < 50000 && s.replies < 100; i++)
		loop_once(s.loop, false);
	assert_int_equal(s.replies, 100);
	mem_free(&big);
	stop(&s);
}

static void
a_descriptor_comes_with_its_own_message(void **state)
{
	struct side s;
	int sv[2];

	start(&s, sv);
	for (uint8_t x = 3; x <= 5; x++) {
		char c = (char)('0' + x);
		int fd = fd_sealed("t", &c, 1);

		ipc_request(s.a, 7, 1, &(struct t_ask){ 1, SPAN_LIT("x"), false }, on_reply, &s);
		ipc_note_fd(s.a, 7, 3, &(struct t_fd){ x }, fd);
		close(fd);
	}
	spin(&s);
	assert_int_equal(s.fds, 3);
	assert_int_equal(s.replies, 3);
	stop(&s);
}

static void
waiting_callers_hear_unavailable_when_the_peer_goes(void **state)
{
	struct side s;
	int sv[2];

	start(&s, sv);
	spin(&s);
	s.free_in_handler = true;
	ipc_request(s.a, 7, 1, &(struct t_ask){ 1, SPAN_LIT("x"), false }, on_reply, &s);
	ipc_request(s.a, 7, 1, &(struct t_ask){ 1, SPAN_LIT("x"), false }, on_reply, &s);
	spin(&s);
	assert_int_equal(s.asked, 1);
	assert_int_equal(s.replies, 2);
	assert_int_equal(s.last, ST_UNAVAILABLE);
	assert_int_equal(s.closed, 1);
	assert_false(ipc_is_open(s.a));
	stop(&s);
}

static void
ask_again(void *arg, const struct ipc_head *h, const struct ipc_message *m, const void *msg)
{
	struct side *s = arg;

	s->replies++;
	for (int i = 0; i < 20 && s->replies < 100; i++)
		ipc_request(s->a, 7, 1, &(struct t_ask){ 1, SPAN_LIT("x"), false }, on_reply, s);
}

static void
who_asks_again_when_the_peer_goes_disturbs_nobody(void **state)
{
	struct side s;
	int sv[2];

	start(&s, sv);
	spin(&s);
	s.free_in_handler = true;
	for (int i = 0; i < 50; i++)
		ipc_request(s.a, 7, 1, &(struct t_ask){ 1, SPAN_LIT("x"), false }, ask_again, &s);
	spin(&s);
	assert_int_equal(s.replies, 50);
	assert_int_equal(s.closed, 1);
	stop(&s);
}

static void
a_cancelled_request_is_never_answered(void **state)
{
	struct side s;
	int sv[2];
	uint32_t id;

	start(&s, sv);
	id = ipc_request(s.a, 7, 1, &(struct t_ask){ 1, SPAN_LIT("x"), false }, on_reply, &s);
	ipc_cancel(s.a, id);
	spin(&s);
	assert_int_equal(s.asked, 1);
	assert_int_equal(s.replies, 0);
	stop(&s);
}

/* Sends raw bytes to b instead of a's frames. */
static void
raw(const void *p, size_t n, int want_closed)
{
	struct side s;
	int sv[2];
	struct ipc_config cb;

	memset(&s, 0, sizeof(s));
	s.loop = loop_new();
	assert_true(fd_socketpair(sv));
	cb = (struct ipc_config){ .loop = s.loop, .protocol = &proto, .peer = "a", .allowed = 1,
	    .request = serve, .closed = on_closed, .arg = &s };
	s.b = ipc_new(&cb, sv[1]);
	if (n > 0)
		assert_true(fd_write_full(sv[0], p, n));
	spin(&s);
	assert_int_equal(s.closed, want_closed);
	ipc_free(&s.b);
	close(sv[0]);
	loop_free(&s.loop);
}

static void
add_raw(struct buf *b, uint16_t no, unsigned flags, uint32_t req, struct span body)
{
	put_u32(b, (uint32_t)body.len);
	put_u16(b, no);
	put_u8(b, (uint8_t)flags);
	put_u8(b, 0);
	put_u32(b, req);
	put_u32(b, 7);
	buf_add_span(b, body);
}

static void
malformed_or_forbidden_frames_cost_the_peer_its_connection(void **state)
{
	static const char greeting[] = "\0\1\0\0test";
	struct { uint16_t no; unsigned flags; uint32_t req; struct span body; } bad[] = {
		{ 99, 0, 1, { "", 0 } },			/* unknown */
		{ 4, 0, 1, { "", 0 } },				/* no right */
		{ 1, 0, 1, { "\0\0\0\1\0\0\0\0\0", 9 } },	/* text too short */
		{ 1, 0, 1, { "\0\0\0\1\0\0\0\1", 8 } },		/* cut */
		{ 1, 0, 1, { "\0\0\0\1\0\0\0\1x\2", 10 } },	/* no bool */
		{ 1, 0, 0, { "\0\0\0\1\0\0\0\1x\1", 10 } },	/* request without id */
		{ 2, 0, 1, { "\0\0\0\0\0\0\0\0\0\0\0\0", 12 } },	/* a reply as request */
		{ 3, 0, 0, { "\3", 1 } },			/* descriptor missing */
		{ 0, 0, 1, { "", 0 } },				/* greeting again */
		{ 1, 1, 1, { "\0\0\0\1\0\0\0\1x\1", 10 } },	/* a request as reply */
	};
	struct buf b = { 0 };

	raw("", 0, 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		add_raw(&b, 0, 0, 0, span(greeting, 8));
		add_raw(&b, bad[i].no, bad[i].flags, bad[i].req, bad[i].body);
		raw(b.data, b.len, 1);
		buf_clear(&b);
	}
	add_raw(&b, 0, 0, 0, span("\0\2\0\0test", 8));
	raw(b.data, b.len, 1);
	buf_clear(&b);
	add_raw(&b, 0, 0, 0, span("\0\1\0\0tesu", 8));
	raw(b.data, b.len, 1);
	buf_clear(&b);
	add_raw(&b, 0, 0, 0, span(greeting, 8));
	buf_add(&b, "\xff\xff\xff\xff\0\1\0\0\0\0\0\1\0\0\0\7", 16);
	raw(b.data, b.len, 1);
	buf_fini(&b);
}

/* Fills every field of a message with its largest allowed short value and sends it
 * through encode and decode. */
static void
round_trip(const struct ipc_message *m)
{
	_Alignas(16) char in[IPC_STRUCT_MAX] = { 0 }, out[IPC_STRUCT_MAX];
	char *text = mem_zalloc(1024);
	struct buf b = { 0 };

	assert_true(m->size <= IPC_STRUCT_MAX);
	for (const struct ipc_field *f = m->fields; f != NULL && f->kind != IPC_K_END; f++) {
		char *at = in + f->offset;

		assert_true(f->offset < m->size);
		switch (f->kind) {
		case IPC_K_STR: {
			size_t n = f->max < 200 ? (size_t)f->max : f->min > 200 ? (size_t)f->min : 200;
			struct span sp = span(text, n);

			memcpy(at, &sp, sizeof(sp));
			break;
		}
		case IPC_K_BOOL:
			*(bool *)at = true;
			break;
		case IPC_K_U8:
			*(uint8_t *)at = (uint8_t)f->max;
			break;
		case IPC_K_U32:
			*(uint32_t *)(void *)at = f->max < 0xfedcba98 ? (uint32_t)f->max : 0xfedcba98;
			break;
		default:
			*(uint64_t *)(void *)at = f->max < 0xfedcba9876543210ull ? f->max :
			    0xfedcba9876543210ull;
		}
	}
	ipc_encode(m, in, &b);
	assert_int_equal(ipc_decode(m, buf_span(&b), out), ST_OK);
	for (const struct ipc_field *f = m->fields; f != NULL && f->kind != IPC_K_END; f++) {
		struct span x, y;

		if (f->kind != IPC_K_STR)
			continue;
		memcpy(&x, in + f->offset, sizeof(x));
		memcpy(&y, out + f->offset, sizeof(y));
		assert_true(span_eq(x, y));
	}
	for (size_t n = 0; n < b.len; n++)
		assert_int_equal(ipc_decode(m, span(b.data, n), out), ST_SYNTAX);
	buf_fini(&b);
	mem_free(&text);
}

static void
every_message_of_every_protocol_survives_the_wire(void **state)
{
	const struct ipc_protocol *all[] = { &store_protocol, &auth_protocol, &control_protocol,
	    &admin_protocol, &out_protocol, &index_protocol };

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		for (const struct ipc_message *m = all[i]->messages; m->no != 0; m++) {
			assert_ptr_equal(ipc_find(all[i], m->no), m);	/* numbers are unique */
			round_trip(m);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_pipelined_requests_are_each_answered_once),
		cmocka_unit_test(large_bodies_arrive_whole),
		cmocka_unit_test(who_asks_and_reads_no_answers_is_not_listened_to),
		cmocka_unit_test(a_descriptor_comes_with_its_own_message),
		cmocka_unit_test(waiting_callers_hear_unavailable_when_the_peer_goes),
		cmocka_unit_test(who_asks_again_when_the_peer_goes_disturbs_nobody),
		cmocka_unit_test(a_cancelled_request_is_never_answered),
		cmocka_unit_test(malformed_or_forbidden_frames_cost_the_peer_its_connection),
		cmocka_unit_test(every_message_of_every_protocol_survives_the_wire),
	};

	log_set_level(LOG_LEVEL_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
