#include "outd/server.h"

#include <string.h>
#include <unistd.h>

#include "common/crypto/encode.h"
#include "common/crypto/webpush.h"
#include "common/ipc/ipc.h"
#include "common/out/out_proto.h"
#include "common/util/list.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "outd/fetch.h"
#include "outd/push.h"
#include "outd/taken.h"

struct outd {
	struct loop		*loop;
	struct mansio_conf	*conf;
	struct buf		ca, secret, vapid_pem;
	struct vapid		*vapid;		/* NULL: pushes are not signed */
	bool			has_secrets;	/* those that belong to conf */
	struct fetcher		*fetcher;
	struct list		peers;
	uint64_t		fetched, pushed, failed;
};

struct peer {
	struct list		in;
	struct outd		*o;
	enum program		program;
	uint32_t		shard;
	struct ipc		*ipc;
	struct list		asks;
};

struct ask {
	struct list		in;
	struct peer		*peer;
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
refuse(struct peer *p, const struct ipc_head *head, enum status st, const char *why)
{
	struct out_failed f = { span_sub(span_str(why), 0, 256) };

	ipc_reply(p->ipc, head, st, OUT_FAILED, &f);
}

static void
fail(struct ask *q, const struct fetch_result *r, enum status st)
{
	q->peer->o->failed++;
	LOG(NULL, WARN, "out.failed", KV_STR("what", q->what), KV_STR("why", r->why));
	refuse(q->peer, &q->head, st, r->why);
}

static void
on_fetched(void *arg, const struct fetch_result *r)
{
	struct ask *q = arg;
	struct out_fetched is = { r->body, r->max_age_s };

	q->fetch = NULL;
	if (r->st == ST_OK) {
		q->peer->o->fetched++;
		LOG(NULL, DEBUG, "out.fetched", KV_STR("what", q->what), KV_UINT("bytes", r->body.len));
		ipc_reply(q->peer->ipc, &q->head, ST_OK, OUT_FETCHED, &is);
	} else {
		fail(q, r, r->st);
	}
	ask_free(q);
}

static void
on_pushed(void *arg, const struct fetch_result *r)
{
	struct ask *q = arg;
	struct out_pushed is = { r->http, r->retry_after_s };

	q->fetch = NULL;
	if (r->http != 0) {
		q->peer->o->pushed++;
		LOG(NULL, DEBUG, "out.pushed", KV_UINT("status", r->http));
		ipc_reply(q->peer->ipc, &q->head, ST_OK, OUT_PUSHED, &is);
	} else {
		fail(q, r, r->refused ? ST_DENIED : ST_UNAVAILABLE);
	}
	ask_free(q);
}

static void
drop_peer_asks(struct peer *p, const char *why)
{
	while (!list_empty(&p->asks)) {
		struct ask *q = list_entry(p->asks.next, struct ask, in);

		if (why != NULL)
			refuse(p, &q->head, ST_UNAVAILABLE, why);
		ask_free(q);
	}
}

static void
drop_asks(struct outd *o, const char *why)
{
	for (struct list *n = o->peers.next; n != &o->peers; n = n->next)
		drop_peer_asks(list_entry(n, struct peer, in), why);
}

/* Requests --------------------------------------------------------------------- */

static void
ask(struct peer *p, const struct ipc_head *head, const char *what, const struct fetch_rq *rq,
    fetch_done_fn done)
{
	struct ask *q = mem_zalloc(sizeof(*q));

	q->peer = p;
	q->head = *head;
	q->what = what;
	list_push_back(&p->asks, &q->in);
	q->fetch = fetch_start(p->o->fetcher, rq, done, q);
	if (q->fetch == NULL) {
		refuse(p, head, ST_UNAVAILABLE, "too many requests at a time");
		ask_free(q);
	}
}

/* false: refused. */
static bool
is_ours(struct peer *p, const struct ipc_head *head, struct span url, const char *configured)
{
	struct outd *o = p->o;
	bool ours = o->conf != NULL && configured[0] != '\0' && span_eq_str(url, configured);

	if (!ours)
		refuse(p, head, ST_CONFLICT, "another URL is configured");
	else if (!o->has_secrets)
		refuse(p, head, ST_UNAVAILABLE, "the configuration is changing");
	return ours && o->has_secrets;
}

static void
fetch_keys(struct peer *p, const struct ipc_head *head, const struct out_keys *m)
{
	const struct mansio_conf *conf = p->o->conf;
	struct fetch_rq rq = { 0 };

	if (!is_ours(p, head, m->url, conf != NULL ? conf->oauth.jwks_url : ""))
		return;
	rq.url = conf->oauth.jwks_url;
	ask(p, head, "keys", &rq, on_fetched);
}

static void
introspect(struct peer *p, const struct ipc_head *head, const struct out_introspect *m)
{
	const struct mansio_conf *conf = p->o->conf;
	struct buf form = { 0 }, authorization = { 0 };
	struct fetch_rq rq = { 0 };

	if (!is_ours(p, head, m->url, conf != NULL ? conf->oauth.introspection_url : ""))
		return;
	outd_authorization(&conf->oauth, buf_span(&p->o->secret), &authorization);
	buf_add_str(&form, "token=");
	outd_form_encode(m->token, &form);
	buf_add_str(&form, "&token_type_hint=access_token");
	rq.url = conf->oauth.introspection_url;
	rq.body = buf_span(&form);
	rq.authorization = buf_span(&authorization);
	ask(p, head, "introspection", &rq, on_fetched);
	buf_fini_secret(&form);
	buf_fini_secret(&authorization);
}

static void
push(struct peer *p, const struct ipc_head *head, const struct out_push *m)
{
	struct outd *o = p->o;
	struct push_rq rq = { 0 };

	if (o->conf == NULL || !o->has_secrets) {
		refuse(p, head, ST_UNAVAILABLE, "the configuration is changing");
	} else if (!push_request(m, o->vapid, o->conf, &rq)) {
		refuse(p, head, ST_SYNTAX, "its URL or its keys are none that can be used");
	} else {
		ask(p, head, "push", &rq.fetch, on_pushed);
	}
	push_request_fini(&rq);
}

static void
on_request(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *h,
    const void *msg, void *arg)
{
	if (m->no == OUT_KEYS)
		fetch_keys(arg, h, msg);
	else if (m->no == OUT_INTROSPECT)
		introspect(arg, h, msg);
	else if (m->no == OUT_PUSH)
		push(arg, h, msg);
	else
		ipc_refuse(ipc, h, ST_UNSUPPORTED);
}

/* Peers ------------------------------------------------------------------------ */

static void
peer_free(struct peer *p)
{
	drop_peer_asks(p, NULL);
	ipc_free(&p->ipc);
	list_remove(&p->in);
	mem_free(&p);
}

static void
on_closed(struct ipc *ipc, void *arg)
{
	peer_free(arg);
}

void
outd_connect(struct outd *o, enum program who, uint32_t shard, int fd)
{
	struct ipc_config cf = { .loop = o->loop, .protocol = &out_protocol,
	    .peer = program_name(who), .allowed = who == PROGRAM_AUTHD ? OUT_PEER_AUTHD :
	    OUT_PEER_STORED, .request = on_request, .closed = on_closed };
	struct peer *p = mem_zalloc(sizeof(*p));

	for (struct list *n = o->peers.next, *next; n != &o->peers; n = next) {
		struct peer *old = list_entry(n, struct peer, in);

		next = n->next;
		if (old->program == who && old->shard == shard)
			peer_free(old);
	}
	p->o = o;
	p->program = who;
	p->shard = shard;
	list_init(&p->asks);
	list_push_back(&o->peers, &p->in);
	cf.arg = p;
	p->ipc = ipc_new(&cf, fd);
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
static const char *const our_settings[] = { "oauth", "outd", "push", NULL };

void
outd_configure(struct outd *o, struct mansio_conf *conf)
{
	struct mansio_conf *old = o->conf;

	if (old != NULL && !taken_differs(old, conf, our_settings)) {
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
outd_secrets(struct outd *o, const struct outd_secrets *s)
{
	bool ca = taken_keep(&o->ca, s->ca), client = taken_keep(&o->secret, s->client);
	bool vapid = taken_keep(&o->vapid_pem, s->vapid);

	o->has_secrets = true;
	if (vapid) {
		vapid_free(&o->vapid);
		o->vapid = vapid_read(s->vapid);
	}
	if (ca || client || vapid)
		remake(o);
}

void
outd_status(const struct outd *o, struct buf *out)
{
	buf_addf(out, "fetched=%llu\npushed=%llu\nfailed=%llu\n", (unsigned long long)o->fetched,
	    (unsigned long long)o->pushed, (unsigned long long)o->failed);
}

struct outd *
outd_new(struct loop *l)
{
	struct outd *o = mem_zalloc(sizeof(*o));

	o->loop = l;
	list_init(&o->peers);
	return o;
}

void
outd_free(struct outd **op)
{
	struct outd *o = *op;

	*op = NULL;
	if (o == NULL)
		return;
	while (!list_empty(&o->peers))
		peer_free(list_entry(o->peers.next, struct peer, in));
	fetcher_free(&o->fetcher);
	conf_free(&o->conf);
	buf_fini(&o->ca);
	buf_fini_secret(&o->secret);
	buf_fini_secret(&o->vapid_pem);
	vapid_free(&o->vapid);
	mem_free(&o);
}
