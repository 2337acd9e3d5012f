#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/crypto/random.h"
#include "common/proto/sasl.h"
#include "common/util/clock.h"
#include "common/util/fd.h"
#include "common/util/mem.h"

#define PATIENCE_MS 30000

struct mansio_conf *
world_conf(void)
{
	struct mansio_conf *c = conf_new_default();

	c->auth.hash_memory_bytes = 64 << 10;
	c->auth.hash_passes = 1;
	c->auth.scram_iterations = 4096;
	c->auth.workers = 1;
	c->throttle.delay_ms = 0;
	c->pam.fail_time_ms = 0;
	c->store.shards = 4;
	return c;
}

static void
on_revoked(void *arg, const struct auth_revoked *r)
{
	((struct world *)arg)->revoked++;
}

static void
stored_note(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *h,
    const void *msg, void *arg)
{
	struct world *w = arg;
	const struct auth_ticket_void *v = msg;

	assert_int_equal(m->no, AUTH_TICKET_VOID);
	if (v->id.len == 0) {
		assert_true(v->account != 0);
		w->gone++;
		return;
	}
	assert_int_equal(v->id.len, TICKET_ID_LEN);
	memcpy(w->last_void, v->id.p, TICKET_ID_LEN);
	w->voided++;
}

static int
peer(struct world *w, uint8_t program, uint32_t slot)
{
	struct control_peer who = { program, slot, 1000 + slot };
	int sv[2];

	assert_true(fd_socketpair(sv));
	authd_add_peer(w->a, &who, sv[0]);
	return sv[1];
}

static void
on_ready(void *arg)
{
	((struct world *)arg)->answered = true;
}

void
world_start(struct world *w, struct mansio_conf *conf)
{
	world_start_with(w, conf, NULL);
}

static void
on_lmtp_changed(void *arg)
{
	((struct world *)arg)->lmtp_changed++;
}

void
world_start_with(struct world *w, struct mansio_conf *conf, struct spawner *s)
{
	struct ticket_key key = { .number = 1 };
	struct ipc_config cf = { .protocol = &auth_protocol, .peer = "authd", .arg = w };

	memset(w, 0, sizeof(*w));
	w->loop = loop_new();
	w->store = mem_zalloc(sizeof(*w->store));
	w->store->loop = w->loop;
	w->a = authd_new(w->loop, conf, 5, false, s);
	random_bytes(key.key, sizeof(key.key));
	ticket_keys_rotate(&w->a->keys, &key);
	w->a->ready = on_ready;
	w->a->ready_arg = w;
	directory_set(w->a->dir, fake_store_connect(w->store));
	world_wait(w, &w->answered);
	w->a->ready = NULL;
	w->imap = auth_client_new(w->loop, on_revoked, w);
	auth_client_set(w->imap, peer(w, PROGRAM_IMAPD, 1));
	w->lmtp = auth_client_new(w->loop, NULL, w);
	auth_client_on_changed(w->lmtp, on_lmtp_changed);
	auth_client_set(w->lmtp, peer(w, PROGRAM_LMTPD, 2));
	cf.loop = w->loop;
	w->admin = ipc_new(&cf, peer(w, PROGRAM_ADMIND, 0));
	cf.request = stored_note;
	w->stored = ipc_new(&cf, peer(w, PROGRAM_STORED, 0));
	/* the hash that nobody has */
	for (uint64_t end = clock_mono_ms() + PATIENCE_MS; w->a->dummy.len == 0;) {
		assert_true(clock_mono_ms() < end);
		loop_once(w->loop, true);
	}
}

void
world_stop(struct world *w)
{
	auth_exchange_cancel(&w->x);
	auth_client_free(&w->imap);
	auth_client_free(&w->lmtp);
	buf_fini(&w->spares);
	ipc_free(&w->stored);
	ipc_free(&w->admin);
	authd_free(&w->a);
	fake_store_fini(w->store);
	mem_free(&w->store);
	loop_free(&w->loop);
	buf_fini(&w->data);
	buf_fini(&w->user);
	buf_fini(&w->result);
	buf_fini(&w->detail);
	buf_fini(&w->ticket);
	buf_fini(&w->names);
}

static void
on_late(void *arg)
{
	fail_msg("no answer in time");
}

void
world_wait(struct world *w, bool *what)
{
	struct loop_timer *t = loop_timer_new(w->loop, on_late, NULL);

	loop_timer_set(t, PATIENCE_MS);
	while (!*what)
		loop_once(w->loop, true);
	loop_timer_free(&t);
	*what = false;
}

void
world_spin(struct world *w)
{
	for (int i = 0; i < 30; i++)
		loop_once(w->loop, false);
}

static void
on_admin(void *arg, const struct ipc_head *h, const struct ipc_message *m, const void *msg)
{
	struct world *w = arg;

	w->st = h->status;
	buf_clear(&w->result);
	if (m != NULL)
		buf_add_span(&w->result, ((const struct auth_admin_is *)msg)->result);
	buf_cstr(&w->result);
	w->answered = true;
}

enum status
world_admin(struct world *w, const char *command, const char *args)
{
	struct auth_admin rq = { span_str(command), span_str(args) };

	ipc_request(w->admin, 0, AUTH_ADMIN, &rq, on_admin, w);
	world_wait(w, &w->answered);
	return w->st;
}

static void
set(struct buf *b, struct span s)
{
	buf_clear(b);
	buf_add_span(b, s);
	buf_cstr(b);
}

static void
on_auth(void *arg, const struct auth_result *r)
{
	struct world *w = arg;

	w->st = r->st;
	w->reason = r->failure != NULL ? r->failure->reason : 0;
	set(&w->data, r->challenge != NULL ? r->challenge->data : r->granted != NULL ?
	    r->granted->data : r->failure != NULL ? r->failure->data : SPAN_NONE);
	if (r->granted != NULL) {
		set(&w->user, r->granted->user);
		set(&w->ticket, r->granted->ticket);
		w->account = r->granted->account;
	}
	if (r->challenge == NULL)
		w->x = NULL;
	w->answered = true;
}

enum status
world_start_exchange(struct world *w, const char *mech, const char *initial, unsigned flags,
    struct span binding)
{
	struct auth_start s = { .mechanism = span_str(mech), .initial = span_str(initial),
	    .flags = (uint8_t)flags, .service = AUTH_IMAP, .conn = SPAN_LIT("c1"),
	    .peer = SPAN_LIT("192.0.2.7"), .binding = binding, .identities = w->identities };

	auth_exchange_cancel(&w->x);
	w->x = auth_exchange_start(w->imap, &s, on_auth, w);
	world_wait(w, &w->answered);
	return w->st;
}

enum status
world_step(struct world *w, struct span data)
{
	auth_exchange_step(w->x, data);
	world_wait(w, &w->answered);
	return w->st;
}

enum status
world_plain(struct world *w, const char *authzid, const char *user, const char *password)
{
	struct auth_start s = { .mechanism = SPAN_LIT("PLAIN"), .flags = AUTH_TLS | AUTH_IR,
	    .service = AUTH_IMAP, .conn = SPAN_LIT("c1"), .peer = SPAN_LIT("192.0.2.7") };
	struct buf b = { 0 };

	sasl_plain_put(&b, &(struct sasl_plain){ span_str(authzid), span_str(user),
	    span_str(password) });
	s.initial = buf_span(&b);
	w->x = auth_exchange_start(w->imap, &s, on_auth, w);
	buf_fini(&b);
	world_wait(w, &w->answered);
	return w->st;
}

static void
on_rcpt(void *arg, enum status st, const struct auth_rcpt_is *is)
{
	struct world *w = arg;

	w->st = st;
	if (is != NULL) {
		set(&w->user, is->user);
		set(&w->detail, is->detail);
		set(&w->ticket, is->ticket);
		set(&w->spares, is->spares);
		w->account = is->account;
	}
	w->answered = true;
}

enum status
world_rcpt(struct world *w, const char *address, bool probe)
{
	struct auth_rcpt rq = { span_str(address), SPAN_LIT("c2"), probe };

	(void)auth_rcpt(w->lmtp, &rq, on_rcpt, w);
	world_wait(w, &w->answered);
	return w->st;
}

enum status
world_rcpt_spares(struct world *w, const char *address, uint8_t n)
{
	struct auth_rcpt rq = { .address = span_str(address), .spares = n };

	(void)auth_rcpt(w->lmtp, &rq, on_rcpt, w);
	world_wait(w, &w->answered);
	return w->st;
}

static void
on_renew(void *arg, enum status st, const struct auth_renewed *r)
{
	struct world *w = arg;

	w->st = st;
	if (r != NULL)
		set(&w->ticket, r->ticket);
	w->answered = true;
}

enum status
world_renew(struct world *w, struct span ticket)
{
	(void)auth_renew(w->imap, ticket, on_renew, w);
	world_wait(w, &w->answered);
	return w->st;
}
