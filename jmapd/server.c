#include "jmapd/server.h"

#include <time.h>

#include "common/crypto/random.h"
#include "common/json/writer.h"
#include "common/mime/charset.h"
#include "common/util/mem.h"
#include "filter/filter.h"
#include "jmapd/core/request.h"
#include "jmapd/core/session.h"
#include "jmapd/methods.h"
#include "jmapd/mirror/mirror.h"

/* ---- exchanges ---- */

void
jmap_exchange_forget(struct jmap_exchange *x)
{
	void (*ended)(struct jmap_exchange *x) = x->ended;

	x->ended = NULL;
	if (ended != NULL)
		ended(x);
	if (x->session != NULL) {
		struct jmap_account *a = x->session->account;

		/* the session goes with its account */
		list_remove(&x->in_session);
		x->session = NULL;
		jmap_account_release(&a);
	}
}

static void
release(struct jmap_exchange *x)
{
	jmap_exchange_forget(x);
	mem_free(&x);
}

void
jmap_exchange_done(struct jmap_exchange *x)
{
	release(x);
}

static void
on_gone(struct http_request *rq, void *arg)
{
	struct jmap_exchange *x = arg;

	if (x->session == NULL)
		jmap_login_cancel(&x->wait);
	release(x);
}

void
jmap_exchange_cut(struct jmap_exchange *x)
{
	if (x->cut != NULL) {
		x->cut(x);
		return;
	}
	if (http_reply_begun(x->rq))
		http_reply_abort(x->rq);
	else
		http_reply_text(x->rq, 401, "The login was taken back");
	jmap_exchange_done(x);
}

static void
problem(struct jmap_exchange *x, unsigned code, const char *limit, const char *title,
    const char *detail)
{
	struct buf out = { 0 };
	struct json_writer w;

	if (limit != NULL) {
		jmap_problem(&out, code, "limit", limit, detail);
	} else {
		json_writer_init(&w, &out);
		json_begin_object(&w);
		json_kv_str(&w, "type", "about:blank");
		json_kv_uint(&w, "status", code);
		json_kv_str(&w, "title", title);
		json_kv_str(&w, "detail", detail);
		json_end_object(&w);
	}
	http_reply_take(x->rq, code, "application/problem+json", &out);
	jmap_exchange_done(x);
}

void
jmap_exchange_problem(struct jmap_exchange *x, unsigned code, const char *title,
    const char *detail)
{
	problem(x, code, NULL, title, detail);
}

void
jmap_exchange_limit(struct jmap_exchange *x, unsigned code, const char *limit, const char *detail)
{
	problem(x, code, limit, NULL, detail);
}

bool
jmap_exchange_account(struct jmap_exchange *x, struct span *rest)
{
	struct span step = x->rest;

	*rest = step;
	step = span_cut(rest, '/');
	if (span_eq(step, x->session->account->id))
		return true;
	jmap_exchange_problem(x, 404, "Not Found", "There is no such account, or it is not yours.");
	return false;
}

/* ---- the way of a request ---- */

static void
on_login(void *arg, struct jmap_session *s)
{
	struct jmap_exchange *x = arg;

	if (s == NULL) {
		jmap_exchange_done(x);
		return;
	}
	x->session = s;
	s->served++;
	list_push_back(&s->exchanges, &x->in_session);
	http_set_user(x->rq, s->account->user);
	x->resource->run(x);
}

/* "/jmap/api/" is found without its end, too. */
static bool
is_path(const struct jmap_resource *r, struct span path, struct span *rest)
{
	struct span want = span_str(r->path);

	*rest = SPAN_NONE;
	if (want.len > 1 && want.p[want.len - 1] == '/') {
		if (span_has_prefix(path, r->path)) {
			*rest = span_sub(path, want.len, path.len);
			return true;
		}
		want.len--;
	}
	return span_eq(path, want);
}

static bool
allows(const struct jmap_resource *r, struct span method)
{
	struct span list = span_str(r->methods);

	while (list.len > 0)
		if (span_eq(span_trim(span_cut(&list, ',')), method))
			return true;
	return false;
}

static void
on_request(struct http_request *rq, void *arg)
{
	struct jmap_server *srv = arg;
	const struct jmap_resource *r = jmap_resources;
	struct jmap_exchange *x;
	struct span rest;

	while (r->path != NULL && !is_path(r, http_path(rq), &rest))
		r++;
	if (r->path == NULL) {
		http_reply_text(rq, 404, "There is nothing here.  The way in is /.well-known/jmap");
		return;
	}
	if (!allows(r, http_method(rq))) {
		http_field_add_str(rq, "Allow", r->methods);
		http_reply_text(rq, 405, "Allowed here: %s", r->methods);
		return;
	}
	x = mem_zalloc(sizeof(*x));
	x->srv = srv;
	x->rq = rq;
	x->resource = r;
	x->rest = rest;
	x->wait.done = on_login;
	x->wait.arg = x;
	http_on_gone(rq, on_gone, x);
	if (r->login)
		jmap_login(srv, rq, &x->wait);
	else
		r->run(x);
}

/* ---- resources without a folder of their own ---- */

static void
home(struct jmap_exchange *x)
{
	struct buf base = { 0 };

	http_base(x->rq, &base);
	http_field_add_str(x->rq, "Cache-Control", "max-age=3600");
	http_reply_text(x->rq, 200, "This is Mansio, a mail server.\n\nMail programs that speak JMAP "
	    "(RFC 8620, RFC 8621) find what they need at\n%s/.well-known/jmap\nand log in there with "
	    "a user's name and password.  There are no pages for a browser", buf_cstr(&base));
	buf_fini(&base);
	jmap_exchange_done(x);
}

const struct jmap_resource jmap_resources[] = {
	{ "/",			"GET, HEAD, OPTIONS",	false,	home },
	{ "/.well-known/jmap",	"GET, HEAD, OPTIONS",	true,	jmap_session_resource },
	{ JMAP_PATH_SESSION,	"GET, HEAD, OPTIONS",	true,	jmap_session_resource },
	{ JMAP_PATH_API,	"POST, OPTIONS",	true,	jmap_api },
	{ JMAP_PATH_UPLOAD,	"POST, OPTIONS",	true,	jmap_upload },
	{ JMAP_PATH_DOWNLOAD,	"GET, HEAD, OPTIONS",	true,	jmap_download },
	{ JMAP_PATH_EVENTS,	"GET, HEAD, OPTIONS",	true,	jmap_events },
	{ JMAP_PATH_WEBSOCKET,	"GET, OPTIONS",		true,	jmap_websocket },
	{ 0 }
};

/* ---- the server ---- */

static void
on_conn_closed(struct http_conn *c, void *arg)
{
	struct jmap_server *srv = arg;
	struct jmap_conn *jc = http_conn_data(c);

	mem_free(&jc);
	if (srv->closed != NULL)
		srv->closed(srv->arg, conn_peer(http_conn_net(c)));
}

static const struct http_ops http_ops = { .request = on_request, .closed = on_conn_closed };

static void
on_init(struct front *f)
{
	struct jmap_server *srv = list_entry(f, struct jmap_server, front);

	list_init(&srv->all_sessions);
	list_init(&srv->http.conns);
	srv->http.loop = srv->loop;
	srv->http.conf = &srv->http_conf;
	srv->http.ops = &http_ops;
	srv->http.arg = srv;
	srv->host = (struct jmap_host){ .loop = srv->loop, .methods = jmap_all_methods,
		.limits = &srv->limits, .websocket = true,
		.mirrors = mirror_pool_new(srv->loop, SIZE_MAX) };
	srv->host.filter = filter_new();
	random_bytes(srv->key, sizeof(srv->key));
}

static void
prepare(void)
{
	mime_charset_preload();
	tzset();		/* scripts see local time, whose rules are in a file */
}

static void
on_rules(struct front *f, char *blob, size_t len)
{
	filter_take_rules(list_entry(f, struct jmap_server, front)->host.filter, blob, len);
}

static void
on_configured(struct front *f, const struct mansio_conf *conf)
{
	struct jmap_server *srv = list_entry(f, struct jmap_server, front);
	const struct conf_jmap *c = &conf->jmap;

	filter_configure(srv->host.filter, conf);
	srv->conf = c;
	srv->http_conf = (struct http_conf){
		.idle_s = c->idle_timeout_s, .head_s = c->head_timeout_s, .body_s = c->body_timeout_s,
		.max_requests = c->max_requests, .max_streams = c->max_streams, .hsts_s = c->hsts_s,
		.compress = c->compress, .origins = c->origins.v, .n_origins = c->origins.n,
		.proxies = c->trusted_proxies.v, .n_proxies = c->trusted_proxies.n
	};
	srv->limits = (struct jmap_limits){
		.max_size_upload = c->max_size_upload_bytes,
		.max_concurrent_upload = c->max_concurrent_upload,
		.max_size_request = c->max_size_request_bytes,
		.max_concurrent_requests = c->max_concurrent_requests,
		.max_calls_in_request = c->max_calls_in_request,
		.max_objects_in_get = c->max_objects_in_get,
		.max_objects_in_set = c->max_objects_in_set,
		.max_size_answer = c->max_size_answer_bytes
	};
	mirror_pool_set_limit(srv->host.mirrors, (size_t)c->mirror_memory_bytes);
	srv->host.push_key = worker_push_key(srv->worker);
}

static void
on_accept(struct front *f, int fd, const char *id, const char *peer,
    const struct conf_listener *listener)
{
	struct jmap_server *srv = list_entry(f, struct jmap_server, front);
	struct jmap_conn *jc = mem_zalloc(sizeof(*jc));
	struct http_conn *c = http_conn_new(&srv->http, fd,
	    listener->tls == CONF_TLS_IMPLICIT ? srv->tls : NULL, id);

	jc->clear_ok = listener->cleartext_login;
	http_conn_set_data(c, jc);
}

static void
on_drain(struct front *f)
{
	http_server_drain(&list_entry(f, struct jmap_server, front)->http);
}

static void
on_revoked(struct front *f, const struct auth_revoked *r)
{
	jmap_sessions_revoked(list_entry(f, struct jmap_server, front), r);
}

static void
on_renew(struct front *f)
{
	jmap_sessions_renew(list_entry(f, struct jmap_server, front));
}

static void
on_fini(struct front *f)
{
	struct jmap_server *srv = list_entry(f, struct jmap_server, front);

	http_server_fini(&srv->http);
	jmap_sessions_fini(srv);
	mirror_pool_free(&srv->host.mirrors);
	filter_free(&srv->host.filter);
	mem_wipe(srv->key, sizeof(srv->key));
}

const struct front_ops jmap_front = {
	.program = "jmapd", .alpn = "h2 http/1.1",
	.too_many = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n"
	    "Retry-After: 30\r\nContent-Type: text/plain\r\nContent-Length: 44\r\n\r\n"
	    "Too many connections come from your address\n",
	.prepare = prepare, .init = on_init, .configured = on_configured, .rules = on_rules,
	.accept = on_accept, .drain = on_drain,
	.revoked = on_revoked, .renew = on_renew, .fini = on_fini
};
