#include "t/unit/storage/rig.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/util/clock.h"
#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/client/body.h"
#include "t/unit/storage/engines.h"

static uint16_t expected;

/* So that who waits for what never comes looks at his watch. */
static void
on_clock(void *arg)
{
	loop_timer_set(((struct rig *)arg)->clock, 200);
}

void
rig_init(struct rig *r)
{
	struct ticket_key key = { .number = 7, .key = "a key of the tests" };

	memset(r, 0, sizeof(*r));
	snprintf(r->dir, sizeof(r->dir), "%s/mansio-service-XXXXXX",
	    getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
	assert_non_null(mkdtemp(r->dir));
	service_conf_init(&r->cf);
	r->cf.shard = RIG_SHARD;
	r->cf.engine = engines_kind();
	r->cf.small = true;
	r->cf.segment_bytes = 4u << 20;
	r->cf.readers = 1;
	ticket_keys_rotate(&r->keys, &key);
	r->loop = loop_new();
	r->pool = store_pool_new(r->loop);
	r->clock = loop_timer_new(r->loop, on_clock, r);
	loop_timer_set(r->clock, 200);
}

void
rig_fini(struct rig *r)
{
	char cmd[256];

	rig_stop(r);
	rig_kill(r);
	store_pool_free(&r->pool);
	loop_timer_free(&r->clock);
	loop_free(&r->loop);
	service_conf_fini(&r->cf);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", r->dir);
	assert_int_equal(system(cmd), 0);
}

static void
on_fatal(void *arg)
{
	((struct rig *)arg)->fatal = true;
}

enum status
rig_try_start(struct rig *r)
{
	enum status st = service_open(r->loop, &r->cf, r->dir, on_fatal, r, &r->svc);

	if (st != ST_OK)
		return st;
	service_ticket_key(r->svc, &r->keys.now);
	service_revocations(r->svc, 1);
	store_pool_set(r->pool, RIG_SHARD, rig_socket(r, STORE_ROLE_ACCESS | STORE_ROLE_DELIVER |
	    r->more_roles, 1, 1));
	return ST_OK;
}

void
rig_start(struct rig *r)
{
	assert_int_equal(rig_try_start(r), ST_OK);
}

void
rig_stop(struct rig *r)
{
	service_close(&r->svc);
}

int
rig_socket(struct rig *r, unsigned roles, uint32_t slot, uint64_t generation)
{
	int sv[2];

	assert_true(fd_socketpair(sv));
	service_peer(r->svc, sv[0], roles, "test", slot, generation);
	return sv[1];
}

static void
serve(struct rig *r, int fd)
{
	struct loop *l = loop_new();
	struct service *svc;

	if (service_open(l, &r->cf, r->dir, on_fatal, r, &svc) != ST_OK)
		_exit(9);
	service_ticket_key(svc, &r->keys.now);
	service_revocations(svc, 1);
	service_peer(svc, fd, STORE_ROLE_ACCESS, "test", 1, 1);
	while (!r->fatal)
		loop_once(l, true);
	_exit(8);
}

void
rig_fork(struct rig *r)
{
	int sv[2];

	assert_true(fd_socketpair(sv));
	r->pid = fork();
	assert_true(r->pid >= 0);
	if (r->pid == 0) {
		close(sv[1]);
		serve(r, sv[0]);
	}
	close(sv[0]);
	store_pool_set(r->pool, RIG_SHARD, sv[1]);
}

void
rig_kill(struct rig *r)
{
	int how;

	if (r->pid <= 0)
		return;
	kill(r->pid, SIGKILL);
	waitpid(r->pid, &how, 0);
	r->pid = 0;
	assert_true(WIFSIGNALED(how));
}

struct ticket
rig_ticket(struct rig *r, uint64_t account)
{
	struct ticket t = { .account = account, .shard = RIG_SHARD, .role = STORE_ROLE_ACCESS,
		.rights = RIGHT_ALL, .slot = 1, .generation = 1, .epoch = 1,
		.expires_s = clock_wall_s() + 86400 };	/* a long run too */

	r->last_ticket++;
	memcpy(t.id, &r->last_ticket, sizeof(r->last_ticket));
	t.id[15] = 1;
	return t;
}

struct span
rig_sign(struct rig *r, const struct ticket *t, unsigned char out[TICKET_LEN])
{
	ticket_sign(&r->keys, t, out);
	return span(out, TICKET_LEN);
}

static void
ignore_event(void *arg, enum store_event ev, uint64_t modseq)
{
}

struct store *
rig_channel(struct rig *r, uint64_t account, store_event_fn event, void *arg)
{
	struct ticket t = rig_ticket(r, account);
	unsigned char bytes[TICKET_LEN];

	return store_open_channel(r->pool, RIG_SHARD, rig_sign(r, &t, bytes),
	    event != NULL ? event : ignore_event, arg);
}

void
answer_fini(struct answer *a)
{
	buf_fini(&a->body);
	buf_fini(&a->parts);
	uidset_fini(&a->uids);
}

void
rig_expect(uint16_t no)
{
	expected = no;
}

static void
take_uids(struct answer *a, struct span s)
{
	struct reader r;

	reader_init(&r, s.p, s.len);
	assert_true(uidset_decode(&a->uids, &r, SIZE_MAX));
}

void
rig_done(void *arg, enum status st, bool more, const void *msg)
{
	const struct ipc_message *m = expected != 0 ? ipc_find(&store_protocol, expected) : NULL;
	struct answer *a = arg;

	if (!more) {
		a->st = st;
		if (st != ST_OK)
			a->bad = st;
		a->n++;
	}
	if (msg == NULL || m == NULL)
		return;
	buf_clear(&a->body);
	ipc_encode(m, msg, &a->body);
	if (m->size <= sizeof(a->u))
		memcpy(&a->u, msg, m->size);
	switch (m->no) {
	case STORE_MAILBOXES: buf_add_span(&a->parts, ((const struct store_mailboxes *)msg)->list); break;
	case STORE_ROWS_ARE: buf_add_span(&a->parts, ((const struct store_rows_are *)msg)->rows); break;
	case STORE_COLUMNS_ARE:
		buf_add_span(&a->parts, ((const struct store_columns_are *)msg)->rows);
		break;
	case STORE_BODY_IS: buf_add_span(&a->parts, ((const struct store_body_is *)msg)->pieces); break;
	case STORE_FLAGS_ARE: buf_add_span(&a->parts, ((const struct store_flags_are *)msg)->rows); break;
	case STORE_CHANGES_ARE:
		buf_add_span(&a->parts, ((const struct store_changes_are *)msg)->rows);
		break;
	case STORE_OPENED: take_uids(a, ((const struct store_opened *)msg)->uids); break;
	case STORE_APPENDED: take_uids(a, ((const struct store_appended *)msg)->uids); break;
	case STORE_EXPUNGED: take_uids(a, ((const struct store_expunged *)msg)->uids); break;
	default: break;
	}
}

void
rig_wait(struct rig *r, struct answer *a, unsigned n)
{
	uint64_t end = clock_mono_ms() + 20000;

	while (a->n < n) {
		if (clock_mono_ms() > end)
			fail_msg("no answer: %u of %u", a->n, n);
		loop_once(r->loop, true);
	}
}

void
rig_run(struct rig *r, unsigned ms)
{
	uint64_t end = clock_mono_ms() + ms;

	do {
		loop_once(r->loop, false);
		usleep(200);
	} while (clock_mono_ms() < end);
}

void
rig_item(struct buf *items, struct span text, uint32_t stage, struct flags flags)
{
	struct body_writer *w = body_writer_new(SPAN_NONE, 0);
	struct buf stored = { 0 };
	unsigned char sum[32];
	struct store_append_item it = { .flags = flags, .received_s = INT64_MIN, .stage = stage,
		.list = SPAN_LIT("list"), .structure = SPAN_LIT("structure"),
		.columns = SPAN_LIT("columns"), .thread_keys = span("12345678", 8) };

	body_writer_feed(w, text.p, text.len, &stored);
	body_writer_finish(w, &stored);
	body_writer_sha256(w, sum);
	it.size = body_writer_size(w);
	it.sha256 = span(sum, sizeof(sum));
	if (stage == 0)
		it.body = buf_span(&stored);
	put_store_append_item(items, &it);
	body_writer_free(&w);
	buf_fini(&stored);
}

enum status
rig_append(struct rig *r, struct store *s, const char *path, struct span text, struct answer *a)
{
	struct buf items = { 0 };
	struct store_append rq = { .path = span_str(path) };
	unsigned n = a->n;

	rig_item(&items, text, 0, flags_system(0));
	rq.items = buf_span(&items);
	rig_expect(STORE_APPENDED);
	store_do_append(s, &rq, rig_done, a);
	buf_fini(&items);
	rig_wait(r, a, n + 1);
	return a->st;
}

enum status
rig_open(struct rig *r, struct store *s, const char *path, struct answer *a)
{
	const struct store_open rq = { .path = span_str(path) };
	unsigned n = a->n;

	rig_expect(STORE_OPENED);
	store_do_open(s, &rq, rig_done, a);
	rig_wait(r, a, n + 1);
	return a->st;
}
