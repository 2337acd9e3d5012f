#include "outd/server.h"

#include <string.h>
#include <unistd.h>

#include "common/crypto/encode.h"
#include "common/ipc/ipc.h"
#include "common/out/out_proto.h"
#include "common/util/list.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "outd/fetch.h"

struct outd {
	struct loop		*loop;
	struct mansio_conf	*conf;
	struct buf		ca, secret;
	bool			has_secrets;	/* those that belong to conf */
	struct fetcher		*fetcher;
	struct ipc		*authd;		/* NULL: none */
	struct list		asks;
	uint64_t		fetched, failed;
};

struct ask {
	struct list		in;
	struct outd		*o;
	struct ipc_head		head;
	struct fetch		*fetch;
	const char		*what;
};

void
outd_form_encode(struct span s, struct buf *out)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (ascii_isalnum(c) || (c != '\0' && strchr("*-._", c) != NULL))
			buf_add_c(out, (char)c);
		else
			buf_addf(out, "%%%02X", c);
	}
}

void
outd_authorization(const struct conf_oauth *c, struct span secret, struct buf *out)
{
	struct buf pair = { 0 };

	if (c->introspection_auth == CONF_INTROSPECT_BEARER) {
		buf_add_str(out, "Bearer ");
		buf_add_span(out, secret);
	} else if (c->introspection_auth == CONF_INTROSPECT_BASIC) {
		outd_form_encode(span_str(c->client_id), &pair);
		buf_add_c(&pair, ':');
		outd_form_encode(secret, &pair);
		buf_add_str(out, "Basic ");
		base64_encode(buf_span(&pair), out);
	}
	buf_fini_secret(&pair);
}

/* Answers ---------------------------------------------------------------------- */

static void
ask_free(struct ask *q)
{
	list_remove(&q->in);
	fetch_cancel(&q->fetch);
	mem_free(&q);
}

static void
refuse(struct outd *o, const struct ipc_head *head, enum status st, const char *why)
{
	struct out_failed f = { span_sub(span_str(why), 0, 256) };

	ipc_reply(o->authd, head, st, OUT_FAILED, &f);
}

static void
on_fetched(void *arg, const struct fetch_result *r)
{
	struct ask *q = arg;
	struct outd *o = q->o;
	struct out_fetched is = { r->body, r->max_age_s };

	q->fetch = NULL;
	if (r->st == ST_OK) {
		o->fetched++;
		LOG(NULL, DEBUG, "out.fetched", KV_STR("what", q->what), KV_UINT("bytes", r->body.len));
		ipc_reply(o->authd, &q->head, ST_OK, OUT_FETCHED, &is);
	} else {
		o->failed++;
		LOG(NULL, WARN, "out.failed", KV_STR("what", q->what), KV_STR("why", r->why));
		refuse(o, &q->head, r->st, r->why);
	}
	ask_free(q);
}

static void
drop_asks(struct outd *o, const char *why)
{
	while (!list_empty(&o->asks)) {
		struct ask *q = list_entry(o->asks.next, struct ask, in);

		if (why != NULL && o->authd != NULL)
			refuse(o, &q->head, ST_UNAVAILABLE, why);
		ask_free(q);
	}
}

/* Requests --------------------------------------------------------------------- */

static void
ask(struct outd *o, const struct ipc_head *head, const char *what, const struct fetch_rq *rq)
{
	struct ask *q = mem_zalloc(sizeof(*q));

	q->o = o;
	q->head = *head;
	q->what = what;
	list_push_back(&o->asks, &q->in);
	q->fetch = fetch_start(o->fetcher, rq, on_fetched, q);
	if (q->fetch == NULL) {
		refuse(o, head, ST_UNAVAILABLE, "too many requests at a time");
		ask_free(q);
	}
}

/* false: refused. */
static bool
is_ours(struct outd *o, const struct ipc_head *head, struct span url, const char *configured)
{
	bool ours = o->conf != NULL && configured[0] != '\0' && span_eq_str(url, configured);

	if (!ours)
		refuse(o, head, ST_CONFLICT, "another URL is configured");
	else if (!o->has_secrets)
		refuse(o, head, ST_UNAVAILABLE, "the configuration is changing");
	return ours && o->has_secrets;
}

static void
fetch_keys(struct outd *o, const struct ipc_head *head, const struct out_keys *m)
{
	struct fetch_rq rq = { 0 };

	if (!is_ours(o, head, m->url, o->conf != NULL ? o->conf->oauth.jwks_url : ""))
		return;
	rq.url = o->conf->oauth.jwks_url;
	ask(o, head, "keys", &rq);
}

static void
introspect(struct outd *o, const struct ipc_head *head, const struct out_introspect *m)
{
	struct buf form = { 0 }, authorization = { 0 };
	struct fetch_rq rq = { 0 };

	if (!is_ours(o, head, m->url, o->conf != NULL ? o->conf->oauth.introspection_url : ""))
		return;
	outd_authorization(&o->conf->oauth, buf_span(&o->secret), &authorization);
	buf_add_str(&form, "token=");
	outd_form_encode(m->token, &form);
	buf_add_str(&form, "&token_type_hint=access_token");
	rq.url = o->conf->oauth.introspection_url;
	rq.form = buf_span(&form);
	rq.authorization = buf_span(&authorization);
	ask(o, head, "introspection", &rq);
	buf_fini_secret(&form);
	buf_fini_secret(&authorization);
}

static void
on_request(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *h,
    const void *msg, void *arg)
{
	if (m->no == OUT_KEYS)
		fetch_keys(arg, h, msg);
	else if (m->no == OUT_INTROSPECT)
		introspect(arg, h, msg);
	else
		ipc_refuse(ipc, h, ST_UNSUPPORTED);
}

static void
hang_up(struct outd *o)
{
	drop_asks(o, NULL);
	ipc_free(&o->authd);
}

static void
on_closed(struct ipc *ipc, void *arg)
{
	hang_up(arg);
}

void
outd_connect(struct outd *o, int fd)
{
	struct ipc_config cf = { .loop = o->loop, .protocol = &out_protocol, .peer = "authd",
	    .allowed = OUT_PEER_AUTHD, .request = on_request, .closed = on_closed, .arg = o };

	hang_up(o);
	o->authd = ipc_new(&cf, fd);
}

/* The whole -------------------------------------------------------------------- */

static void
remake(struct outd *o)
{
	drop_asks(o, "the configuration changed");
	fetcher_free(&o->fetcher);
	if (o->conf != NULL)
		o->fetcher = fetcher_new(o->loop, &o->conf->outd, buf_span(&o->ca));
}

/* "oauth.jwks-url\n" ... */
static bool
concerns_us(const struct mansio_conf *a, const struct mansio_conf *b)
{
	struct buf changed = { 0 };
	struct span rest;
	bool found = false;

	(void)conf_changed(a, b, 0, &changed);
	rest = buf_span(&changed);
	while (rest.len > 0 && !found) {
		struct span line = span_cut(&rest, '\n');

		found = span_has_prefix(line, "oauth") || span_has_prefix(line, "outd");
	}
	buf_fini(&changed);
	return found;
}

void
outd_configure(struct outd *o, struct mansio_conf *conf)
{
	struct mansio_conf *old = o->conf;

	if (old != NULL && !concerns_us(old, conf)) {
		conf_free(&conf);
		return;
	}
	drop_asks(o, "the configuration changed");
	fetcher_free(&o->fetcher);
	o->conf = conf;
	o->has_secrets = false;		/* the old ones are for another server, perhaps */
	remake(o);
	conf_free(&old);
}

void
outd_secrets(struct outd *o, struct span ca, struct span secret)
{
	bool same = span_eq(ca, buf_span(&o->ca)) && span_eq(secret, buf_span(&o->secret));

	o->has_secrets = true;
	if (same)
		return;
	buf_fini_secret(&o->secret);
	buf_add_span(&o->secret, secret);
	buf_clear(&o->ca);
	buf_add_span(&o->ca, ca);
	remake(o);
}

void
outd_status(const struct outd *o, struct buf *out)
{
	buf_addf(out, "fetched=%llu\nfailed=%llu\n", (unsigned long long)o->fetched,
	    (unsigned long long)o->failed);
}

struct outd *
outd_new(struct loop *l)
{
	struct outd *o = mem_zalloc(sizeof(*o));

	o->loop = l;
	list_init(&o->asks);
	return o;
}

void
outd_free(struct outd **op)
{
	struct outd *o = *op;

	*op = NULL;
	if (o == NULL)
		return;
	hang_up(o);
	fetcher_free(&o->fetcher);
	conf_free(&o->conf);
	buf_fini(&o->ca);
	buf_fini_secret(&o->secret);
	mem_free(&o);
}
