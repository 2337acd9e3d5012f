/* lmtpd: the delivery worker. */
#include <time.h>

#include "common/mime/charset.h"
#include "lmtpd/session.h"

static struct lmtpd lmtpd;

static void
on_accept(struct worker *w, const struct worker_listener *l, int fd, const char *peer, void *arg)
{
	session_start(arg, l, fd, peer);
}

static void
on_prepare(struct worker *w, void *arg)
{
	struct lmtpd *d = arg;

	d->worker = w;
	d->known = known_new();
	tzset();		/* scripts see local time, whose rules are in a file */
	mime_charset_preload();	/* iconv loads its tables from files */
}

static void
on_store(struct worker *w, uint32_t shard, int fd, void *arg)
{
	struct lmtpd *d = arg;

	if (d->pool == NULL)
		d->pool = store_pool_new(worker_loop(w));
	store_pool_set(d->pool, shard, fd);
}

/* What authd said holds no longer. */
static void
on_news(struct worker *w, void *arg)
{
	known_forget(((struct lmtpd *)arg)->known);
}

static void
on_configured(struct worker *w, void *arg)
{
	on_news(w, arg);
	filter_configure(((struct lmtpd *)arg)->filter, worker_conf(w));
}

static void
on_rules(struct worker *w, char *blob, size_t len, void *arg)
{
	filter_take_rules(((struct lmtpd *)arg)->filter, blob, len);
}

static void
on_drain(struct worker *w, uint32_t more_s, void *arg)
{
	session_drain_all(arg);
}

static void
on_stopped(struct worker *w, void *arg)
{
	struct lmtpd *d = arg;

	session_free_all(d);
	store_pool_free(&d->pool);
	known_free(&d->known);
	filter_free(&d->filter);
}

int
main(void)
{
	static const struct worker_ops ops = {
		.program = "lmtpd",
		.too_many = "421 4.7.0 Too many connections from your address\r\n",
		.accept = on_accept, .prepare = on_prepare,
		.configured = on_configured, .auth_anew = on_news, .rules = on_rules,
		.store = on_store, .drain = on_drain, .stopped = on_stopped, .arg = &lmtpd
	};

	list_init(&lmtpd.sessions);
	lmtpd.filter = filter_new();
	return worker_main(&ops);
}
