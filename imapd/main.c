/* imapd: the IMAP worker. */
#include "imapd/session.h"

#include "common/mime/charset.h"
#include "common/util/mem.h"
#include "common/worker/worker.h"
#include "imapd/notify.h"

struct imapd {
	struct imap_server	srv;
	struct worker		*worker;
};

static void
on_session_closed(void *arg, const struct net_ip *peer)
{
	struct imapd *d = arg;

	worker_conn_closed(d->worker, peer);
}

static void
on_prepare(struct worker *w, void *arg)
{
	mime_charset_preload();
}

/* Sockets may come before the configuration, or behind it. */
static void
begin(struct imapd *d, struct worker *w)
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
	struct imapd *d = arg;

	begin(d, w);
	d->srv.conf = &worker_conf(w)->imap;
	d->srv.jmap_url = worker_conf(w)->jmap.url;
	imap_caps_check(d->srv.conf);
	imap_notify_configured(&d->srv);
	d->srv.tls = worker_tls(w);
	login_mechanisms_renew(&d->srv.mechanisms, d->srv.auth);
}

static void
on_accept(struct worker *w, const struct worker_listener *l, int fd, const char *peer, void *arg)
{
	struct imapd *d = arg;
	char id[24];

	worker_conn_opened(w);
	worker_conn_id(w, id);
	imap_session_new(&d->srv, fd, id, peer, l->conf);
}

static void
on_store(struct worker *w, uint32_t shard, int fd, void *arg)
{
	struct imapd *d = arg;

	begin(d, w);
	store_pool_set(d->srv.stores, shard, fd);
}

static void
on_drain(struct worker *w, uint32_t more_s, void *arg)
{
	struct imapd *d = arg;

	imap_server_drain(&d->srv);
}

static void
on_revoked(struct worker *w, const struct auth_revoked *r, void *arg)
{
	struct imapd *d = arg;

	imap_server_revoked(&d->srv, r);
}

static void
on_auth_anew(struct worker *w, void *arg)
{
	imap_server_renew(&((struct imapd *)arg)->srv);
}

static void
on_stopped(struct worker *w, void *arg)
{
	struct imapd *d = arg;

	imap_server_fini(&d->srv);
	store_pool_free(&d->srv.stores);
}

int
main(void)
{
	static struct imapd d;
	const struct worker_ops ops = {
		.program = "imapd",
		.too_many = "* BYE [LIMIT] Too many connections from your address\r\n",
		.accept = on_accept, .prepare = on_prepare,
		.configured = on_configured, .store = on_store, .drain = on_drain,
		.revoked = on_revoked, .auth_anew = on_auth_anew, .stopped = on_stopped, .arg = &d
	};

	return worker_main(&ops);
}
