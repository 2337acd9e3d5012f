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
finish(struct admind *a, int code)
{
	a->code = code;
	loop_stop(a->loop);
}

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
take_config(struct admind *a, int fd)
{
	struct mansio_conf *fresh = control_read_config(fd);

	close(fd);
	if (fresh == NULL)
		return;
	conf_free(&a->conf);
	a->conf = fresh;
}

static void
take_server(struct admind *a, const struct control_server *s, int fd)
{
	if (s->program == PROGRAM_AUTHD)
		auth_client_set(a->auth, fd);
	else if (s->program == PROGRAM_STORED)
		store_pool_set(a->pool, s->shard, fd);
	else
		close(fd);
}

static void
start(struct admind *a)
{
	if (a->started)
		return;
	if (a->conf == NULL || a->admin_fd < 0) {
		LOG(NULL, FATAL, "admind.start", KV_STR("why", a->conf == NULL ?
		    "no configuration came" : "no socket came"));
		finish(a, 1);
		return;
	}
	if (!sandbox_apply(SANDBOX_HELPER, NULL, 0)) {
		finish(a, 1);
		return;
	}
	a->started = true;
	a->listener = listener_new(a->loop, a->admin_fd, on_accept, a);
	loop_timer_set(a->tick, TICK_MS);
	ipc_note(a->control, 0, CONTROL_READY, NULL);
}

static void
on_control(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *h,
    const void *msg, void *arg)
{
	struct admind *a = arg;
	const struct control_listener *l = msg;

	switch (m->no) {
	case CONTROL_HELLO:
		a->hello = *(const struct control_hello *)msg;
		break;
	case CONTROL_CONFIG:
		take_config(a, h->fd);
		break;
	case CONTROL_LOG:
		control_take_log(msg, h->fd);
		break;
	case CONTROL_LISTENER:
		if (a->admin_fd < 0 && span_eq_str(l->name, ADMIN_LISTENER))
			a->admin_fd = h->fd;
		else
			close(h->fd);
		break;
	case CONTROL_SERVER:
		take_server(a, msg, h->fd);
		break;
	case CONTROL_START:
		start(a);
		break;
	case CONTROL_DRAIN:
	case CONTROL_STOP:
		finish(a, 0);
		break;
	default:
		ipc_refuse(ipc, h, ST_UNSUPPORTED);
	}
}

static void
on_control_closed(struct ipc *ipc, void *arg)
{
	finish(arg, 1);
}

int
main(void)
{
	struct admind a = { .admin_fd = -1 };
	struct ipc_config cf = { .protocol = &control_protocol, .peer = "monitor",
	    .allowed = CONTROL_PARENT, .fds = true, .request = on_control,
	    .closed = on_control_closed, .arg = &a };

	log_init("admind");
	control_child_signals();
	list_init(&a.clients);
	a.loop = cf.loop = loop_new();
	a.tick = loop_timer_new(a.loop, on_tick, &a);
	a.auth = auth_client_new(a.loop, NULL, NULL);
	a.pool = store_pool_new(a.loop);
	a.control = ipc_new(&cf, CONTROL_FD);
	loop_run(a.loop);

	client_free_all(&a);
	listener_free(&a.listener);
	fd_close(&a.admin_fd);
	ipc_free(&a.control);
	store_pool_free(&a.pool);
	auth_client_free(&a.auth);
	loop_timer_free(&a.tick);
	conf_free(&a.conf);
	loop_free(&a.loop);
	return a.code;
}
