/* pop3d: the POP3 worker. */
#include "pop3d/session.h"

#include "common/worker/worker.h"

struct pop3d {
	struct pop3_server	srv;
	struct worker		*worker;
};

static void
on_session_closed(void *arg, const struct net_ip *peer)
{
	struct pop3d *d = arg;

	worker_conn_closed(d->worker, peer);
}

/* Sockets may come before the configuration, or behind it. */
static void
begin(struct pop3d *d, struct worker *w)
{
	if (d->worker != NULL)
		return;
	d->worker = w;
	d->srv.loop = worker_loop(w);
	d->srv.auth = worker_auth(w);
	d->srv.closed = on_session_closed;
	d->srv.arg = d;
	list_init(&d->srv.sessions);
	d->srv.stores = store_pool_new(d->srv.loop);
}

static void
on_configured(struct worker *w, void *arg)
{
	struct pop3d *d = arg;

	begin(d, w);
	d->srv.conf = &worker_conf(w)->pop3;
	d->srv.tls = worker_tls(w);
	login_mechanisms_renew(&d->srv.mechanisms, d->srv.auth);
}

static void
on_accept(struct worker *w, const struct worker_listener *l, int fd, const char *peer, void *arg)
{
	struct pop3d *d = arg;
	char id[24];

	worker_conn_id(w, id);
	worker_conn_opened(w);
	pop3_session_new(&d->srv, fd, id, peer, l->conf);
}

static void
on_store(struct worker *w, uint32_t shard, int fd, void *arg)
{
	struct pop3d *d = arg;

	begin(d, w);
	store_pool_set(d->srv.stores, shard, fd);
}

static void
on_drain(struct worker *w, uint32_t more_s, void *arg)
{
	struct pop3d *d = arg;

	pop3_server_drain(&d->srv);
}

static void
on_revoked(struct worker *w, const struct auth_revoked *r, void *arg)
{
	struct pop3d *d = arg;

	pop3_server_revoked(&d->srv, r);
}

static void
on_auth_anew(struct worker *w, void *arg)
{
	pop3_server_renew(&((struct pop3d *)arg)->srv);
}

static void
on_stopped(struct worker *w, void *arg)
{
	struct pop3d *d = arg;

	pop3_server_fini(&d->srv);
	store_pool_free(&d->srv.stores);
}

int
main(void)
{
	static struct pop3d d;
	const struct worker_ops ops = {
		.program = "pop3d",
		.too_many = "-ERR [SYS/TEMP] Too many connections from your address\r\n",
		.accept = on_accept, .configured = on_configured,
		.store = on_store, .drain = on_drain, .revoked = on_revoked, .auth_anew = on_auth_anew,
		.stopped = on_stopped, .arg = &d
	};

	return worker_main(&ops);
}
