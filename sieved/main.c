/* sieved: the ManageSieve worker. */
#include "sieved/session.h"

#include "common/worker/worker.h"

struct sieved {
	struct sieved_server	srv;
	struct worker		*worker;
};

static void
on_session_closed(void *arg, const struct net_ip *peer)
{
	struct sieved *d = arg;

	worker_conn_closed(d->worker, peer);
}

/* Sockets may come before the configuration, or behind it. */
static void
begin(struct sieved *d, struct worker *w)
{
	if (d->worker != NULL)
		return;
	d->worker = w;
	d->srv.loop = worker_loop(w);
	d->srv.auth = worker_auth(w);
	d->srv.closed = on_session_closed;
	d->srv.arg = d;
	sieved_server_init(&d->srv);
}

static void
on_configured(struct worker *w, void *arg)
{
	struct sieved *d = arg;

	begin(d, w);
	sieved_server_configured(&d->srv, worker_conf(w), worker_tls(w));
}

static void
on_accept(struct worker *w, const struct worker_listener *l, int fd, const char *peer, void *arg)
{
	struct sieved *d = arg;
	char id[24];

	worker_conn_id(w, id);
	worker_conn_opened(w);
	sieved_session_new(&d->srv, fd, id, peer, l->conf);
}

static void
on_store(struct worker *w, uint32_t shard, int fd, void *arg)
{
	struct sieved *d = arg;

	begin(d, w);
	store_pool_set(d->srv.stores, shard, fd);
}

static void
on_drain(struct worker *w, uint32_t more_s, void *arg)
{
	struct sieved *d = arg;

	sieved_server_drain(&d->srv);
}

static void
on_revoked(struct worker *w, const struct auth_revoked *r, void *arg)
{
	struct sieved *d = arg;

	sieved_server_revoked(&d->srv, r);
}

static void
on_auth_anew(struct worker *w, void *arg)
{
	sieved_server_renew(&((struct sieved *)arg)->srv);
}

static void
on_stopped(struct worker *w, void *arg)
{
	struct sieved *d = arg;

	sieved_server_fini(&d->srv);
}

int
main(void)
{
	static struct sieved d;
	const struct worker_ops ops = {
		.program = "sieved",
		.too_many = "BYE (TRYLATER) \"Too many connections from your address\"\r\n",
		.accept = on_accept, .configured = on_configured,
		.store = on_store, .drain = on_drain, .revoked = on_revoked, .auth_anew = on_auth_anew,
		.stopped = on_stopped, .arg = &d
	};

	return worker_main(&ops);
}
