/* The worker around the sessions. */
#include "front/front.h"

static void
on_session_closed(void *arg, const struct net_ip *peer)
{
	worker_conn_closed(arg, peer);
}

static void
on_prepare(struct worker *w, void *arg)
{
	const struct front *f = arg;

	if (f->ops->prepare != NULL)
		f->ops->prepare();
}

/* Sockets may come before the configuration, or behind it; so may news. */
static void
begin(struct front *f, struct worker *w)
{
	if (f->loop != NULL)
		return;
	f->worker = w;
	f->closed = on_session_closed;
	f->arg = w;
	front_init(f, f->ops, worker_loop(w), worker_auth(w));
}

static void
on_configured(struct worker *w, void *arg)
{
	begin(arg, w);
	front_configured(arg, worker_conf(w), worker_tls(w));
}

static void
on_rules(struct worker *w, char *blob, size_t len, void *arg)
{
	struct front *f = arg;

	begin(f, w);
	f->ops->rules(f, blob, len);
}

static void
on_accept(struct worker *w, const struct worker_listener *l, int fd, const char *peer, void *arg)
{
	struct front *f = arg;
	char id[24];

	worker_conn_id(w, id);
	worker_conn_opened(w);
	f->ops->accept(f, fd, id, peer, l->conf);
}

static void
on_store(struct worker *w, uint32_t shard, int fd, void *arg)
{
	struct front *f = arg;

	begin(f, w);
	store_pool_set(f->stores, shard, fd);
}

static void
on_drain(struct worker *w, uint32_t more_s, void *arg)
{
	begin(arg, w);
	front_drain(arg);
}

static void
on_revoked(struct worker *w, const struct auth_revoked *r, void *arg)
{
	begin(arg, w);
	front_revoked(arg, r);
}

static void
on_auth_anew(struct worker *w, void *arg)
{
	begin(arg, w);
	front_renew(arg);
}

static void
on_stopped(struct worker *w, void *arg)
{
	front_fini(arg);
}

int
front_main(const struct front_ops *ops, struct front *f)
{
	const struct worker_ops worker = {
		.program = ops->program, .alpn = ops->alpn, .too_many = ops->too_many,
		.accept = on_accept, .prepare = on_prepare, .configured = on_configured,
		.rules = ops->rules != NULL ? on_rules : NULL, .store = on_store,
		.drain = on_drain, .revoked = on_revoked, .auth_anew = on_auth_anew,
		.stopped = on_stopped, .arg = f
	};

	f->ops = ops;
	return worker_main(&worker);
}
