/* jmapd: the JMAP worker. */
#include <time.h>

#include "common/mime/charset.h"
#include "common/worker/worker.h"
#include "filter/filter.h"
#include "jmapd/server.h"

struct jmapd {
	struct jmap_server	srv;
	struct worker		*worker;
};

static void
on_conn_closed(void *arg, const struct net_ip *peer)
{
	struct jmapd *d = arg;

	worker_conn_closed(d->worker, peer);
}

/* Sockets may come before the configuration, or behind it. */
static void
begin(struct jmapd *d, struct worker *w)
{
	if (d->worker != NULL)
		return;
	d->worker = w;
	d->srv.loop = worker_loop(w);
	d->srv.auth = worker_auth(w);
	d->srv.closed = on_conn_closed;
	d->srv.arg = d;
	d->srv.stores = store_pool_new(d->srv.loop);
	jmap_server_init(&d->srv);
	d->srv.host.filter = filter_new();
}

static void
on_prepare(struct worker *w, void *arg)
{
	mime_charset_preload();
	tzset();		/* scripts see local time, whose rules are in a file */
}

static void
on_rules(struct worker *w, char *blob, size_t len, void *arg)
{
	struct jmapd *d = arg;

	begin(d, w);
	filter_take_rules(d->srv.host.filter, blob, len);
}

static void
on_configured(struct worker *w, void *arg)
{
	struct jmapd *d = arg;

	begin(d, w);
	filter_configure(d->srv.host.filter, worker_conf(w));
	jmap_server_configure(&d->srv, &worker_conf(w)->jmap, worker_tls(w));
	d->srv.host.push_key = worker_push_key(w);
}

static void
on_accept(struct worker *w, const struct worker_listener *l, int fd, const char *peer, void *arg)
{
	struct jmapd *d = arg;
	char id[24];

	worker_conn_id(w, id);
	worker_conn_opened(w);
	jmap_server_accept(&d->srv, fd, id, l->conf);
}

static void
on_store(struct worker *w, uint32_t shard, int fd, void *arg)
{
	struct jmapd *d = arg;

	begin(d, w);
	store_pool_set(d->srv.stores, shard, fd);
}

static void
on_drain(struct worker *w, uint32_t more_s, void *arg)
{
	jmap_server_drain(&((struct jmapd *)arg)->srv);
}

static void
on_revoked(struct worker *w, const struct auth_revoked *r, void *arg)
{
	jmap_server_revoked(&((struct jmapd *)arg)->srv, r);
}

static void
on_auth_anew(struct worker *w, void *arg)
{
	jmap_server_renew(&((struct jmapd *)arg)->srv);
}

static void
on_stopped(struct worker *w, void *arg)
{
	struct jmapd *d = arg;

	jmap_server_fini(&d->srv);
	store_pool_free(&d->srv.stores);
	filter_free(&d->srv.host.filter);
}

int
main(void)
{
	static struct jmapd d;
	const struct worker_ops ops = {
		.program = "jmapd", .alpn = "h2 http/1.1",
		.too_many = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n"
		    "Retry-After: 30\r\nContent-Type: text/plain\r\nContent-Length: 44\r\n\r\n"
		    "Too many connections come from your address\n",
		.accept = on_accept, .prepare = on_prepare, .configured = on_configured, .rules = on_rules,
		.store = on_store, .drain = on_drain, .revoked = on_revoked, .auth_anew = on_auth_anew,
		.stopped = on_stopped, .arg = &d
	};

	return worker_main(&ops);
}
