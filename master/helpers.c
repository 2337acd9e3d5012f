/* The processes that are no workers: who runs, what each is given, and who asks whom. */
#include "master/monitor_priv.h"

#include "config.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "master/notify.h"

#define OUTD_FDS	256
#define OUTD_MEMORY	(256u << 20)
#define INDEXD_FDS	64

/* Sockets between processes ------------------------------------------------- */

static struct helper *
find_helper(struct monitor *m, enum program p, uint32_t shard)
{
	for (size_t i = 0; i < m->n_helpers; i++)
		if (m->helpers[i].program == p &&
		    ((p != PROGRAM_STORED && p != PROGRAM_INDEXD) ||
		    m->helpers[i].shard == shard))
			return &m->helpers[i];
	return NULL;
}

/* A fresh socket from client to server, when both run. */
static void
connect_pair(struct helper *client, struct helper *server)
{
	struct control_server here = { (uint8_t)server->program, server->shard };
	struct control_peer there = { (uint8_t)client->program, client->shard, 0 };
	int sv[2];

	if (child_ipc(client->child) == NULL || child_ipc(server->child) == NULL)
		return;
	if (!fd_socketpair(sv)) {
		LOG(NULL, ERROR, "monitor.socket", KV_ERRNO(errno));
		return;
	}
	there.generation = child_generation(client->child);
	child_send_fd(server->child, CONTROL_PEER, &there, sv[1]);
	child_send_fd(client->child, CONTROL_SERVER, &here, sv[0]);
	close(sv[0]);
	close(sv[1]);
}

/* Who asks whom: authd the directory and outd, stored authd, outd and the indexd of its shard,
 * admind all stores and authd. */
static bool
asks(const struct helper *client, const struct helper *server)
{
	if (client == server)
		return false;
	switch (client->program) {
	case PROGRAM_AUTHD:
		return server->program == PROGRAM_OUTD ||
		    (server->program == PROGRAM_STORED && server->shard == CONTROL_SHARD_SYSTEM);
	case PROGRAM_STORED:
		return client->shard != CONTROL_SHARD_SYSTEM && (server->program == PROGRAM_AUTHD ||
		    server->program == PROGRAM_OUTD || server->program == PROGRAM_OUTD_SUBMIT ||
		    (server->program == PROGRAM_INDEXD && server->shard == client->shard));
	case PROGRAM_ADMIND:
		return server->program == PROGRAM_STORED || server->program == PROGRAM_AUTHD;
	default:
		return false;
	}
}

static void
connect_all(struct helper *h)
{
	for (size_t i = 0; i < h->m->n_helpers; i++) {
		struct helper *o = &h->m->helpers[i];

		if (asks(h, o))
			connect_pair(h, o);
		if (asks(o, h))
			connect_pair(o, h);
	}
}

static void
relay(struct monitor *m, const struct control_relay *r, int fd)
{
	struct helper *to = find_helper(m, r->to, r->shard);
	struct control_peer p = { r->program, r->slot, r->generation };

	/* not running: the worker sees its end close, and gets another when it runs */
	if (to != NULL && (to->program == PROGRAM_AUTHD || (to->program == PROGRAM_STORED &&
	    to->shard != CONTROL_SHARD_SYSTEM)) &&
	    (r->program == PROGRAM_IMAPD || r->program == PROGRAM_LMTPD ||
	    r->program == PROGRAM_POP3D || r->program == PROGRAM_JMAPD ||
	    r->program == PROGRAM_SIEVED))
		child_send_fd(to->child, CONTROL_PEER, &p, fd);
	close(fd);
}

/* Helpers ------------------------------------------------------------------- */

void
monitor_send_config(struct helper *h)
{
	struct control_config none = { 0 };

	child_send_fd(h->child, CONTROL_CONFIG, &none, h->m->config_fd);
	if (h->program == PROGRAM_MASTER)
		child_send_fd(h->child, CONTROL_CERTS, &none, h->m->certs_fd);
	if (h->program == PROGRAM_MASTER)
		child_send_fd(h->child, CONTROL_RULES, &none, h->m->rules_fd);
	if (h->program == PROGRAM_OUTD)
		child_send_fd(h->child, CONTROL_CERTS, &none, h->m->secrets_fd);
	if (h->program == PROGRAM_OUTD_SUBMIT)
		child_send_fd(h->child, CONTROL_CERTS, &none, h->m->submit_fd);
}

void
monitor_send_key(struct helper *h)
{
	struct control_ticket_key k = { h->m->key.number, span(h->m->key.key, TICKET_KEY_LEN) };

	if (h->program == PROGRAM_AUTHD ||
	    (h->program == PROGRAM_STORED && h->shard != CONTROL_SHARD_SYSTEM))
		child_send(h->child, CONTROL_TICKET_KEY, &k);
}

static void
helper_started(struct child *c, void *arg)
{
	struct helper *h = child_data(c);
	struct monitor *m = h->m;
	struct control_hello hello = { (uint8_t)h->program, 0, m->generation, h->shard };
	struct control_restarted r = { (uint8_t)h->program, h->shard };

	/* a master numbers its workers from the block that follows its own number */
	m->generation += h->program == PROGRAM_MASTER ? 1u << 16 : 1;
	child_set_generation(c, hello.generation);
	child_send(c, CONTROL_HELLO, &hello);
	child_send_fd(c, CONTROL_LOG, &m->log, m->log_fd);
	monitor_send_config(h);
	monitor_send_key(h);
	monitor_send_doors(h);
	connect_all(h);
	child_send(c, CONTROL_START, NULL);
	if (h->program == PROGRAM_STORED || h->program == PROGRAM_AUTHD)
		child_send(m->master->child, CONTROL_RESTARTED, &r);
}

static void
helper_ready(struct child *c, void *arg)
{
	struct helper *h = child_data(c);
	struct monitor *m = h->m;

	for (size_t i = 0; i < m->n_helpers; i++)
		if (!m->helpers[i].done && !child_is_ready(m->helpers[i].child))
			return;
	LOG(NULL, INFO, m->ready ? "server.whole" : "server.ready",
	    KV_STR("version", PACKAGE_VERSION));
	if (!m->ready)
		notify_send("READY=1");
	m->ready = true;
}

/* status: our own lines, then the master's. */
struct status_query {
	struct helper		*from;
	uint64_t		generation;	/* of the asking process */
	struct ipc_head		head;
	struct buf		text;
};

static void
own_status(struct monitor *m, struct buf *out)
{
	struct list *n, *tmp;

	buf_addf(out, "version=%s\npid=%d\nready=%d\n", PACKAGE_VERSION, (int)getpid(), m->ready);
	for (size_t i = 0; i < m->n_helpers; i++) {
		struct helper *h = &m->helpers[i];

		if (h->done)
			continue;
		buf_addf(out, "process.%s", program_name(h->program));
		if (h->program == PROGRAM_STORED && h->shard == CONTROL_SHARD_SYSTEM)
			buf_add_str(out, "-system");
		else if (h->program == PROGRAM_STORED || h->program == PROGRAM_INDEXD)
			buf_addf(out, "-%u", h->shard);
		buf_addf(out, "=pid=%d ready=%d restarts=%u\n", (int)child_pid(h->child),
		    child_is_ready(h->child), child_restarts(h->child));
	}
	list_each(n, tmp, &m->doors) {
		struct door *d = list_entry(n, struct door, in);

		buf_addf(out, "listener.%s=%s\n", d->name, d->address);
	}
}

static void
on_master_status(void *arg, const struct ipc_head *head, const struct ipc_message *msg,
    const void *body)
{
	struct status_query *q = arg;
	struct control_status_is st;

	if (body != NULL)
		buf_add_span(&q->text, ((const struct control_status_is *)body)->text);
	buf_cut(&q->text, 65536);
	st.text = buf_span(&q->text);
	if (child_ipc(q->from->child) != NULL &&
	    child_generation(q->from->child) == q->generation)
		ipc_reply(child_ipc(q->from->child), &q->head, ST_OK, CONTROL_STATUS_IS, &st);
	buf_fini(&q->text);
	mem_free(&q);
}

static void
answer_status(struct helper *from, const struct ipc_head *head)
{
	struct status_query *q = mem_zalloc(sizeof(*q));
	struct ipc_head gone = { .status = ST_UNAVAILABLE, .fd = -1 };
	struct ipc *master = child_ipc(from->m->master->child);

	q->from = from;
	q->generation = child_generation(from->child);
	q->head = *head;
	own_status(from->m, &q->text);
	if (master != NULL)
		ipc_request(master, 0, CONTROL_STATUS, NULL, on_master_status, q);
	else
		on_master_status(q, &gone, NULL, NULL);
}

static void
answer_reload(struct helper *from, const struct ipc_head *head)
{
	struct control_reload_is is;
	struct buf why = { 0 };
	bool ok = monitor_reload(from->m, &why);

	buf_cut(&why, 65536);
	is.text = buf_span(&why);
	ipc_reply(child_ipc(from->child), head, ok ? ST_OK : ST_SYNTAX, CONTROL_RELOAD_IS, &is);
	buf_fini(&why);
}

/* It may have been taken over by what it read, so it is not asked. */
static void
replace_indexd(struct helper *stored)
{
	struct helper *h = find_helper(stored->m, PROGRAM_INDEXD, stored->shard);

	if (h != NULL && !h->done && child_pid(h->child) != 0)
		(void)kill(child_pid(h->child), SIGKILL);
}

static void
helper_message(struct child *c, const struct ipc_message *msg, const struct ipc_head *head,
    const void *body, void *arg)
{
	struct helper *h = child_data(c);

	if (msg->no == CONTROL_RELAY && h->program == PROGRAM_MASTER) {
		relay(h->m, body, head->fd);
		return;
	}
	if (msg->no == CONTROL_STATUS && h->program == PROGRAM_ADMIND) {
		answer_status(h, head);
		return;
	}
	if (msg->no == CONTROL_RELOAD && h->program == PROGRAM_ADMIND && !h->m->stopping) {
		answer_reload(h, head);
		return;
	}
	if (msg->no == CONTROL_REPLACE_INDEXD && h->program == PROGRAM_STORED) {
		replace_indexd(h);
		return;
	}
	ipc_refuse(child_ipc(c), head, ST_DENIED);
}

static const struct child_ops helper_ops = {
	.started = helper_started, .ready = helper_ready, .message = helper_message
};

static void
start_helper(struct monitor *m, struct helper *h, enum program p, uint32_t shard,
    struct child_user user)
{
	struct buf exe = { 0 }, mode = { 0 };
	struct child_spec s = { .program = p, .shard = shard, .user = user };

	if (p == PROGRAM_INDEXD)
		s.limits = (struct sandbox_limits){ INDEXD_FDS, m->started->indexd.memory_bytes };
	if (p == PROGRAM_OUTD || p == PROGRAM_OUTD_SUBMIT)
		s.limits = (struct sandbox_limits){ OUTD_FDS, OUTD_MEMORY };
	if (p == PROGRAM_MASTER) {
		buf_add_str(&exe, m->o->self);
		buf_addf(&mode, "--master=%s", m->o->libexec);
		s.mode = buf_cstr(&mode);
	} else if (p == PROGRAM_OUTD_SUBMIT) {
		buf_addf(&exe, "%s/%s", m->o->libexec, program_name(PROGRAM_OUTD));
		s.mode = CONTROL_MODE_SUBMIT;
	} else {
		buf_addf(&exe, "%s/%s", m->o->libexec, program_name(p));
	}
	s.exe = buf_cstr(&exe);
	*h = (struct helper){ .m = m, .program = p, .shard = shard };
	h->child = child_new(m->loop, &s, &helper_ops);
	child_set_data(h->child, h);
	buf_fini(&exe);
	buf_fini(&mode);
}

static struct helper *
add_helper(struct monitor *m, enum program p, uint32_t shard, struct child_user user)
{
	struct helper *h = &m->helpers[m->n_helpers++];

	start_helper(m, h, p, shard, user);
	return h;
}

/* A role of outd: it runs while the configuration needs it. */
static void
keep_role(struct monitor *m, struct helper **at, enum program p, bool needed)
{
	struct helper *h = *at;

	if (needed && h == NULL) {
		*at = add_helper(m, p, 0, m->out_user);
	} else if (needed && h->done) {
		child_free(&h->child);
		start_helper(m, h, p, 0, m->out_user);
	} else if (!needed && h != NULL && !h->done) {
		h->done = true;
		child_retire(h->child);
		child_send(h->child, CONTROL_STOP, NULL);
	}
}

void
monitor_keep_outd(struct monitor *m)
{
	keep_role(m, &m->outd, PROGRAM_OUTD, conf_needs_outd(m->conf));
	keep_role(m, &m->submit, PROGRAM_OUTD_SUBMIT, conf_sends(m->conf));
}

/* What runs a program does not connect, and the other way round: it starts anew. */
void
monitor_replace_submit(struct monitor *m, const struct mansio_conf *fresh)
{
	if (m->submit != NULL && !m->submit->done &&
	    strcmp(m->conf->outgoing.program, fresh->outgoing.program) != 0)
		child_send(m->submit->child, CONTROL_STOP, NULL);
}

void
monitor_start_all(struct monitor *m)
{
	struct child_user auth = m->auth_user;

	for (uint32_t i = 0; i < m->conf->store.shards && i < SHARDS_MAX; i++)
		add_helper(m, PROGRAM_STORED, i, m->store_user);
	add_helper(m, PROGRAM_STORED, CONTROL_SHARD_SYSTEM, m->store_user);
	for (uint32_t i = 0; i < m->conf->store.shards && i < SHARDS_MAX; i++)
		add_helper(m, PROGRAM_INDEXD, i, m->index_user);
	if (conf_has_backend(m->conf, CONF_BACKEND_PAM) && m->conf->pam.as_root)
		auth.drop = false;
	m->authd = add_helper(m, PROGRAM_AUTHD, 0, auth);
	m->admind = add_helper(m, PROGRAM_ADMIND, 0, m->admin_user);
	m->master = add_helper(m, PROGRAM_MASTER, 0, m->worker_user);
	monitor_keep_outd(m);
}
