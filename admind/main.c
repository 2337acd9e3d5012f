/* admind/main.c
 * The process behind the admin socket, see mansio-admind(8): takes what it needs from
 * the monitor, sandboxes itself, serves until it is told to stop or the monitor is gone. */
#include <unistd.h>

#include "admind/client.h"
#include "common/util/fd.h"
#include "common/util/mem.h"
#include "common/worker/sandbox.h"

#define TICK_MS 1000

static void
on_accept(int fd, const struct net_ip *peer, uint16_t port, void *arg)
{
	client_start(arg, fd);
}

static void
on_tick(void *arg)
{
	struct admind *a = arg;

	client_tick_all(a);
	loop_timer_set(a->tick, TICK_MS);
}

static void
on_configured(void *arg, struct mansio_conf *conf)
{
	struct admind *a = arg;

	conf_free(&a->conf);
	a->conf = conf;
}

static bool
take_server(struct admind *a, const struct control_server *s, int fd)
{
	if (s->program == PROGRAM_AUTHD)
		auth_client_set(a->auth, fd);
	else if (s->program == PROGRAM_STORED)
		store_pool_set(a->pool, s->shard, fd);
	else
		return false;
	return true;
}

static void
on_start(void *arg)
{
	struct admind *a = arg;

	if (a->started)
		return;
	if (a->conf == NULL || a->admin_fd < 0) {
		LOG(NULL, FATAL, "admind.start", KV_STR("why", a->conf == NULL ?
		    "no configuration came" : "no socket came"));
		helper_end(&a->helper, 1);
		return;
	}
	if (!sandbox_apply(SANDBOX_HELPER, NULL, 0)) {
		helper_end(&a->helper, 1);
		return;
	}
	a->started = true;
	a->listener = listener_new(a->loop, a->admin_fd, on_accept, a);
	loop_timer_set(a->tick, TICK_MS);
	helper_ready(&a->helper);
}

static bool
on_message(void *arg, uint16_t no, const void *msg, int fd)
{
	struct admind *a = arg;

	if (no == CONTROL_HELLO)
		a->hello = *(const struct control_hello *)msg;
	if (no == CONTROL_SERVER)
		return take_server(a, msg, fd);
	if (no != CONTROL_LISTENER || a->admin_fd >= 0 ||
	    !span_eq_str(((const struct control_listener *)msg)->name, ADMIN_LISTENER))
		return false;
	a->admin_fd = fd;
	return true;
}

static const struct helper_ops ops = {
	.configured = on_configured, .message = on_message, .start = on_start
};

int
main(void)
{
	struct admind a = { .admin_fd = -1 };

	log_init("admind");
	control_child_signals();
	list_init(&a.clients);
	a.loop = loop_new();
	a.tick = loop_timer_new(a.loop, on_tick, &a);
	a.auth = auth_client_new(a.loop, NULL, NULL);
	a.pool = store_pool_new(a.loop);
	helper_open(&a.helper, a.loop, &ops, &a);
	loop_run(a.loop);

	client_free_all(&a);
	listener_free(&a.listener);
	fd_close(&a.admin_fd);
	helper_close(&a.helper);
	store_pool_free(&a.pool);
	auth_client_free(&a.auth);
	loop_timer_free(&a.tick);
	conf_free(&a.conf);
	loop_free(&a.loop);
	return a.helper.code;
}
