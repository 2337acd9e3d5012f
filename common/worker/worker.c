#include "common/worker/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/net/listener.h"
#include "common/util/clock.h"
#include "common/util/fd.h"
#include "common/util/list.h"
#include "common/util/mem.h"
#include "common/worker/certs.h"
#include "common/worker/counts.h"
#include "common/worker/rules.h"
#include "common/worker/sandbox.h"

#define LOAD_EVERY_MS	1000
#define DRAIN_STEP_MS	200

/* A listening socket and what the configuration says of it. */
struct source {
	struct list			in;
	struct worker			*w;
	char				*name, *address;
	int				fd;
	struct listener			*listener;
	struct worker_listener		seen;
};

struct worker {
	const struct worker_ops	*ops;
	struct loop		*loop;
	struct ipc		*control;
	struct loop_timer	*load, *drain;
	struct control_hello	hello;
	struct mansio_conf	*conf;
	struct tls_ctx		*tls;
	struct buf		push_key;
	struct auth_client	*auth;
	struct list		sources;
	uint32_t		connections, limit;
	struct counts		counts;
	uint64_t		served, ids;
	bool			started, draining, full, load_due;
	uint64_t		drain_end_ms;
	int			code;
};

static void
finish(struct worker *w, int code)
{
	w->code = code;
	loop_stop(w->loop);
}

/* Accepting ----------------------------------------------------------------- */

static bool
has_room(struct worker *w, const struct net_ip *peer)
{
	const struct conf_pool *p = conf_pool_find(w->conf, w->ops->program);
	bool exempt = p == NULL || cidr_match_any(p->exempt.v, p->exempt.n, peer);

	/* counted all the same: who is exempt may change while they are here */
	return counts_enter_address(&w->counts, peer,
	    exempt ? UINT32_MAX : p->address_connections);
}

static void
refuse(struct source *s, int fd, const struct net_ip *peer)
{
	const char *why = s->w->ops->too_many;
	char text[NET_IP_STR];

	if (counts_is_news(&s->w->counts, peer))
		LOG(NULL, WARN, "worker.address-full", KV_STR("peer", net_ip_print(peer, text)),
		    KV_STR("listener", s->name));
	if (s->seen.conf->tls != CONF_TLS_IMPLICIT)
		(void)!send(fd, why, strlen(why), MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

static void
on_accept(int fd, const struct net_ip *peer, uint16_t port, void *arg)
{
	struct source *s = arg;
	char text[NET_IP_STR];

	if (!has_room(s->w, peer)) {
		refuse(s, fd, peer);
		return;
	}
	s->w->ops->accept(s->w, &s->seen, fd, net_ip_print(peer, text), s->w->ops->arg);
}

static void
source_listen(struct source *s)
{
	if (s->w->started && !s->w->draining && s->listener == NULL && s->seen.conf != NULL) {
		s->listener = listener_new(s->w->loop, s->fd, on_accept, s);
		if (s->w->full)
			listener_pause(s->listener);
	}
}

static void
source_free(struct source *s)
{
	list_remove(&s->in);
	listener_free(&s->listener);
	fd_close(&s->fd);
	mem_free(&s->name);
	mem_free(&s->address);
	mem_free(&s);
}

/* After a new configuration each socket finds its section again. */
static void
source_bind(struct source *s)
{
	s->seen.conf = s->w->conf != NULL ? conf_listener_find(s->w->conf, s->name) : NULL;
	s->seen.address = s->address;
	if (s->seen.conf == NULL)
		listener_free(&s->listener);
}

static void
set_full(struct worker *w, bool full)
{
	struct list *n, *tmp;

	if (w->full == full)
		return;
	w->full = full;
	if (full)
		LOG(NULL, WARN, "worker.full", KV_UINT("connections", w->connections));
	list_each(n, tmp, &w->sources) {
		struct source *s = list_entry(n, struct source, in);

		if (s->listener == NULL)
			continue;
		if (full)
			listener_pause(s->listener);
		else
			listener_resume(s->listener);
	}
}

static void
report_load(struct worker *w)
{
	if (w->load_due || w->control == NULL)
		return;
	w->load_due = true;
	loop_timer_set(w->load, LOAD_EVERY_MS);
}

static void
on_load(void *arg)
{
	struct worker *w = arg;
	struct control_load l = { w->connections, w->served };

	w->load_due = false;
	ipc_note(w->control, 0, CONTROL_LOAD, &l);
}

void
worker_conn_opened(struct worker *w)
{
	w->connections++;
	w->served++;
	if (w->limit > 0 && w->connections >= w->limit)
		set_full(w, true);
	report_load(w);
}

void
worker_conn_closed(struct worker *w, const struct net_ip *peer)
{
	counts_leave_address(&w->counts, peer);
	w->connections--;
	/* some room first, so that a full worker does not flap */
	if (w->full && w->connections < w->limit - w->limit / 16)
		set_full(w, false);
	report_load(w);
	if (w->draining && w->connections == 0)
		finish(w, 0);
}

/* Control ------------------------------------------------------------------- */

/* Takes fd over. */
static bool
slurp(int fd, size_t max, char **data, size_t *len)
{
	bool ok = fd_slurp(fd, max, data, len);

	close(fd);
	return ok;
}

static void
take_config(struct worker *w, int fd)
{
	struct mansio_conf *fresh = control_read_config(fd);
	struct list *n, *tmp;

	close(fd);
	if (fresh == NULL)
		return;
	conf_free(&w->conf);
	w->conf = fresh;
	w->limit = conf_pool_connections(fresh, w->ops->program);
	list_each(n, tmp, &w->sources)
		source_bind(list_entry(n, struct source, in));
	if (w->started && w->ops->configured != NULL)
		w->ops->configured(w, w->ops->arg);
	list_each(n, tmp, &w->sources)
		source_listen(list_entry(n, struct source, in));
}

static void
take_certs(struct worker *w, int fd)
{
	struct tls_conf tc = { 0 };
	char err[TLS_ERROR_MAX], *blob;
	struct cert_pem c;
	struct reader r;
	struct tls_ctx *fresh;
	size_t len, count = 0;

	if (!slurp(fd, CERTS_BLOB_MAX, &blob, &len))
		return;
	tc.alpn = w->ops->alpn;
	if (w->conf != NULL)
		tc.min_version = conf_tls_min_version(w->conf) >= 13 ? TLS_1_3 : TLS_1_2;
	fresh = tls_ctx_new(&tc, err);
	reader_init(&r, blob, len);
	buf_clear(&w->push_key);
	while (fresh != NULL && cert_pem_get(&r, &c)) {
		if (c.key.len == 0 && span_eq_str(c.name, CERTS_PUSH_KEY)) {
			buf_add_span(&w->push_key, c.chain);
			continue;
		}
		if (c.key.len == 0 && tls_ctx_client_ca(fresh, c.chain, err) == ST_OK)
			continue;
		if (c.key.len == 0 || tls_ctx_add(fresh, c.chain, c.key, err) != ST_OK)
			LOG(NULL, ERROR, "tls.certificate", KV_SPAN("certificate", c.name),
			    KV_STR("why", err));
		else
			count++;
	}
	mem_wipe(blob, len);
	mem_free(&blob);
	if (fresh == NULL)
		LOG(NULL, ERROR, "tls.context", KV_STR("why", err));
	if (count == 0)
		tls_ctx_free(&fresh);
	tls_ctx_free(&w->tls);
	w->tls = fresh;
	if (w->started && w->ops->configured != NULL)
		w->ops->configured(w, w->ops->arg);
}

const char *
worker_push_key(struct worker *w)
{
	return buf_cstr(&w->push_key);
}

static void
take_rules(struct worker *w, int fd)
{
	char *blob;
	size_t len;

	if (w->ops->rules == NULL) {
		close(fd);
		return;
	}
	if (!slurp(fd, RULES_BLOB_MAX, &blob, &len)) {
		LOG(NULL, ERROR, "rules.unreadable");
		return;
	}
	w->ops->rules(w, blob, len, w->ops->arg);
	if (w->started && w->ops->configured != NULL)
		w->ops->configured(w, w->ops->arg);
}

static void
take_listener(struct worker *w, const struct control_listener *l, int fd)
{
	struct source *s = mem_zalloc(sizeof(*s));

	s->w = w;
	s->fd = fd;
	s->name = span_dup(l->name);
	s->address = span_dup(l->address);
	list_push_back(&w->sources, &s->in);
	source_bind(s);
	source_listen(s);
}

static void
drop_listener(struct worker *w, struct span name)
{
	struct list *n, *tmp;

	list_each(n, tmp, &w->sources) {
		struct source *s = list_entry(n, struct source, in);

		if (span_eq_str(name, s->name))
			source_free(s);
	}
}

static void
start(struct worker *w)
{
	struct control_hello *h = &w->hello;
	struct list *n, *tmp;

	if (w->started)
		return;
	if (w->conf == NULL) {
		LOG(NULL, FATAL, "worker.start", KV_STR("why", "no configuration came"));
		finish(w, 1);
		return;
	}
	if (w->ops->prepare != NULL)
		w->ops->prepare(w, w->ops->arg);
	if (!sandbox_apply(SANDBOX_WORKER, NULL, 0)) {
		finish(w, 1);
		return;
	}
	w->started = true;
	if (w->ops->configured != NULL)
		w->ops->configured(w, w->ops->arg);
	list_each(n, tmp, &w->sources)
		source_listen(list_entry(n, struct source, in));
	ipc_note(w->control, 0, CONTROL_READY, NULL);
	LOG(NULL, DEBUG, "worker.ready", KV_UINT("slot", h->slot),
	    KV_UINT("generation", h->generation));
}

static void
on_drain_step(void *arg)
{
	struct worker *w = arg;

	if (w->connections == 0 || loop_now_ms(w->loop) >= w->drain_end_ms) {
		finish(w, 0);
		return;
	}
	loop_timer_set(w->drain, DRAIN_STEP_MS);
}

static void
drain(struct worker *w, uint32_t seconds)
{
	struct list *n, *tmp;

	if (w->draining)
		return;
	w->draining = true;
	list_each(n, tmp, &w->sources)
		source_free(list_entry(n, struct source, in));
	w->drain_end_ms = loop_now_ms(w->loop) + (uint64_t)seconds * 1000;
	if (w->ops->drain != NULL)
		w->ops->drain(w, seconds, w->ops->arg);
	on_drain_step(w);
}

static void
take_server(struct worker *w, const struct control_server *s, int fd)
{
	if (s->program == PROGRAM_AUTHD) {
		auth_client_set(w->auth, fd);
		if (w->started && w->ops->auth_anew != NULL)
			w->ops->auth_anew(w, w->ops->arg);
	} else if (s->program == PROGRAM_STORED && w->ops->store != NULL) {
		w->ops->store(w, s->shard, fd, w->ops->arg);
	} else {
		close(fd);
	}
}

static void
on_control(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *h,
    const void *msg, void *arg)
{
	struct worker *w = arg;
	const struct control_log *l = msg;

	switch (m->no) {
	case CONTROL_HELLO:
		w->hello = *(const struct control_hello *)msg;
		break;
	case CONTROL_CONFIG:
		take_config(w, h->fd);
		break;
	case CONTROL_CERTS:
		take_certs(w, h->fd);
		break;
	case CONTROL_RULES:
		take_rules(w, h->fd);
		break;
	case CONTROL_LOG:
		control_take_log(l, h->fd);
		break;
	case CONTROL_LISTENER:
		take_listener(w, msg, h->fd);
		break;
	case CONTROL_LISTENER_GONE:
		drop_listener(w, ((const struct control_listener_gone *)msg)->name);
		break;
	case CONTROL_SERVER:
		take_server(w, msg, h->fd);
		break;
	case CONTROL_START:
		start(w);
		break;
	case CONTROL_DRAIN:
		drain(w, ((const struct control_drain *)msg)->seconds);
		break;
	case CONTROL_STOP:
		finish(w, 0);
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

/* It took up a new configuration later than we did. */
static void
on_auth_changed(void *arg)
{
	struct worker *w = arg;

	if (w->started && w->ops->configured != NULL)
		w->ops->configured(w, w->ops->arg);
}

static void
on_revoked(void *arg, const struct auth_revoked *r)
{
	struct worker *w = arg;

	if (w->ops->revoked != NULL)
		w->ops->revoked(w, r, w->ops->arg);
}

int
worker_main(const struct worker_ops *ops)
{
	struct worker w = { .ops = ops };
	struct ipc_config cf = { .protocol = &control_protocol, .peer = "master",
	    .allowed = CONTROL_PARENT, .fds = true, .request = on_control,
	    .closed = on_control_closed, .arg = &w };
	struct list *n, *tmp;

	log_init(ops->program);
	mem_keep_blocks();
	control_child_signals();
	list_init(&w.sources);
	w.loop = loop_new();
	cf.loop = w.loop;
	w.load = loop_timer_new(w.loop, on_load, &w);
	w.drain = loop_timer_new(w.loop, on_drain_step, &w);
	w.auth = auth_client_new(w.loop, on_revoked, &w);
	auth_client_on_changed(w.auth, on_auth_changed);
	w.control = ipc_new(&cf, CONTROL_FD);
	loop_run(w.loop);

	if (ops->stopped != NULL)
		ops->stopped(&w, ops->arg);
	list_each(n, tmp, &w.sources)
		source_free(list_entry(n, struct source, in));
	auth_client_free(&w.auth);
	ipc_free(&w.control);
	tls_ctx_free(&w.tls);
	conf_free(&w.conf);
	counts_fini(&w.counts);
	loop_timer_free(&w.load);
	loop_timer_free(&w.drain);
	loop_free(&w.loop);
	return w.code;
}

struct loop *
worker_loop(struct worker *w)
{
	return w->loop;
}

const struct mansio_conf *
worker_conf(struct worker *w)
{
	return w->conf;
}

struct auth_client *
worker_auth(struct worker *w)
{
	return w->auth;
}

struct tls_ctx *
worker_tls(struct worker *w)
{
	return w->tls;
}

void
worker_conn_id(struct worker *w, char id[24])
{
	snprintf(id, 24, "%llx-%llx", (unsigned long long)(w->hello.generation & 0xffffffffff),
	    (unsigned long long)(++w->ids & 0xffffffff));
}

uint64_t
worker_generation(const struct worker *w)
{
	return w->hello.generation;
}
