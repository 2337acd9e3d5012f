#include "master/master.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/conf/settings.h"
#include "common/util/buf.h"
#include "common/util/fd.h"
#include "common/util/list.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "common/worker/sandbox.h"
#include "master/child.h"

#define STOP_GRACE_S	10		/* for workers to finish with their clients */

/* The protocols there are pools for. */
static const enum program pool_programs[] = { PROGRAM_IMAPD, PROGRAM_LMTPD, PROGRAM_POP3D,
	PROGRAM_JMAPD, PROGRAM_SIEVED };
#define POOLS ARRAY_LEN(pool_programs)

struct master;

struct worker {
	struct list		in;
	struct master		*m;
	struct child		*child;
	bool			leaving;	/* drained, not to be started again */
	uint32_t		connections;	/* as it last said */
	uint64_t		served;
};

struct pool {
	enum program	program;
	struct list	workers;
	uint32_t	size;			/* without those that leave */
};

/* A listening socket. */
struct door {
	struct list	in;
	char		*name, *address;
	int		fd;
};

struct master {
	const char		*libexec;
	struct loop		*loop;
	struct ipc		*monitor;
	struct loop_signal	*chld;
	struct loop_timer	*end;
	struct mansio_conf	*conf;
	int			config_fd, certs_fd, rules_fd, log_fd;
	struct control_log	log;
	struct list		doors;
	struct pool		pools[POOLS];
	uint64_t		generation;	/* of the worker started next */
	uint32_t		slots;
	bool			started, said_ready, stopping;
	int			code;
};

static void
finish(struct master *m, int code)
{
	m->code = code;
	loop_stop(m->loop);
}

/* Sockets between workers and servers --------------------------------------- */

/* A fresh socket from this worker to that server: one end to each. */
static void
connect_to(struct worker *w, enum program server, uint32_t shard)
{
	const struct child_spec *s = child_get_spec(w->child);
	struct control_server here = { (uint8_t)server, shard };
	struct control_relay there = { .to = (uint8_t)server, .shard = shard,
	    .program = (uint8_t)s->program, .slot = s->slot,
	    .generation = child_generation(w->child) };
	int sv[2];

	if (child_ipc(w->child) == NULL)
		return;
	if (!fd_socketpair(sv)) {
		LOG(NULL, ERROR, "master.socket", KV_ERRNO(errno));
		return;
	}
	ipc_note_fd(w->m->monitor, 0, CONTROL_RELAY, &there, sv[1]);
	child_send_fd(w->child, CONTROL_SERVER, &here, sv[0]);
	close(sv[0]);
	close(sv[1]);
}

typedef void (*worker_fn)(struct worker *w, const void *arg);

static void
each_worker(struct master *m, worker_fn fn, const void *arg)
{
	for (size_t i = 0; i < POOLS; i++) {
		struct list *n, *tmp;

		list_each(n, tmp, &m->pools[i].workers)
			fn(list_entry(n, struct worker, in), arg);
	}
}

static void
reconnect(struct worker *w, const void *arg)
{
	const struct control_restarted *r = arg;

	/* The directory is authd's business: no worker has a socket to it. */
	if (r->program != PROGRAM_STORED || r->shard != CONTROL_SHARD_SYSTEM)
		connect_to(w, r->program, r->shard);
}

/* Workers ------------------------------------------------------------------- */

static enum program
door_program(struct master *m, const struct door *d)
{
	static const enum program programs[] = {
		[CONF_IMAP] = PROGRAM_IMAPD, [CONF_LMTP] = PROGRAM_LMTPD, [CONF_POP3] = PROGRAM_POP3D,
		[CONF_DOVECOT_AUTH] = PROGRAM_AUTHD, [CONF_JMAP] = PROGRAM_JMAPD,
		[CONF_MANAGESIEVE] = PROGRAM_SIEVED
	};
	const struct conf_listener *l = conf_listener_find(m->conf, d->name);

	return l != NULL ? programs[l->protocol] : 0;
}

static void
give_door(struct worker *w, const void *arg)
{
	const struct door *d = arg;
	struct control_listener l = { span_str(d->name), span_str(d->address) };

	if (!w->leaving && door_program(w->m, d) == child_get_spec(w->child)->program)
		child_send_fd(w->child, CONTROL_LISTENER, &l, d->fd);
}

static void
close_door(struct worker *w, const void *arg)
{
	child_send(w->child, CONTROL_LISTENER_GONE, arg);
}

static void
give_config(struct worker *w, const void *arg)
{
	struct control_config none = { 0 };

	child_send_fd(w->child, CONTROL_CONFIG, &none, w->m->config_fd);
}

static void
give_certs(struct worker *w, const void *arg)
{
	struct control_config none = { 0 };

	child_send_fd(w->child, CONTROL_CERTS, &none, w->m->certs_fd);
}

static void
give_rules(struct worker *w, const void *arg)
{
	struct control_config none = { 0 };

	child_send_fd(w->child, CONTROL_RULES, &none, w->m->rules_fd);
}

static void
give_log(struct worker *w, const void *arg)
{
	child_send_fd(w->child, CONTROL_LOG, &w->m->log, w->m->log_fd);
}

static void
worker_started(struct child *c, void *arg)
{
	struct worker *w = child_data(c);
	struct master *m = w->m;
	const struct child_spec *s = child_get_spec(c);
	struct control_hello h = { (uint8_t)s->program, s->slot, m->generation++, 0 };
	struct list *n, *tmp;

	child_set_generation(c, h.generation);
	w->connections = 0;
	child_send(c, CONTROL_HELLO, &h);
	give_log(w, NULL);
	give_config(w, NULL);
	give_certs(w, NULL);
	give_rules(w, NULL);
	connect_to(w, PROGRAM_AUTHD, 0);
	for (uint32_t shard = 0; shard < m->conf->store.shards; shard++)
		connect_to(w, PROGRAM_STORED, shard);
	list_each(n, tmp, &m->doors)
		give_door(w, list_entry(n, struct door, in));
	child_send(c, CONTROL_START, NULL);
}

static void
worker_message(struct child *c, const struct ipc_message *msg, const struct ipc_head *h,
    const void *body, void *arg)
{
	struct worker *w = child_data(c);

	if (msg->no == CONTROL_LOAD) {
		const struct control_load *l = body;

		w->connections = l->connections;
		w->served = l->served;
		return;
	}
	ipc_refuse(child_ipc(c), h, ST_DENIED);
}

static void
say_ready(struct master *m)
{
	if (m->said_ready || !m->started)
		return;
	for (size_t i = 0; i < POOLS; i++) {
		struct list *n, *tmp;

		list_each(n, tmp, &m->pools[i].workers)
			if (!child_is_ready(list_entry(n, struct worker, in)->child))
				return;
	}
	m->said_ready = true;
	ipc_note(m->monitor, 0, CONTROL_READY, NULL);
}

static void
worker_ready(struct child *c, void *arg)
{
	say_ready(((struct worker *)child_data(c))->m);
}

static void
worker_free(struct worker *w)
{
	list_remove(&w->in);
	child_free(&w->child);
	mem_free(&w);
}

static bool
no_worker_runs(struct master *m)
{
	for (size_t i = 0; i < POOLS; i++) {
		struct list *n, *tmp;

		list_each(n, tmp, &m->pools[i].workers)
			if (child_pid(list_entry(n, struct worker, in)->child) != 0)
				return false;
	}
	return true;
}

static const struct child_ops worker_ops = {
	.started = worker_started, .ready = worker_ready, .message = worker_message
};

static void
add_worker(struct master *m, struct pool *p)
{
	struct worker *w = mem_zalloc(sizeof(*w));
	struct buf exe = { 0 };
	struct child_spec s = { .program = p->program, .slot = ++m->slots };

	s.limits.memory_bytes = conf_pool_find(m->conf, program_name(p->program))->memory_bytes;
	buf_addf(&exe, "%s/%s", m->libexec, program_name(p->program));
	s.exe = buf_cstr(&exe);
	w->m = m;
	w->child = child_new(m->loop, &s, &worker_ops);
	child_set_data(w->child, w);
	list_push_back(&p->workers, &w->in);
	p->size++;
	buf_fini(&exe);
}

static void
let_go(struct worker *w, uint32_t seconds)
{
	struct control_drain d = { seconds };

	if (w->leaving)
		return;
	w->leaving = true;
	child_retire(w->child);
	child_send(w->child, CONTROL_DRAIN, &d);
}

static void
shrink(struct pool *p)
{
	for (struct list *n = p->workers.prev; n != &p->workers; n = n->prev) {
		struct worker *w = list_entry(n, struct worker, in);

		if (w->leaving)
			continue;
		let_go(w, conf_pool_find(w->m->conf, program_name(p->program))->drain_time_s);
		p->size--;
		return;
	}
}

/* No listener of its protocol: no workers. */
static uint32_t
pool_size(struct master *m, const struct pool *p)
{
	const struct conf_pool *c = conf_pool_find(m->conf, program_name(p->program));

	for (size_t i = 0; i < m->conf->n_listeners && c != NULL; i++)
		if (strcmp(conf_protocol_program(m->conf->listeners[i].protocol),
		    program_name(p->program)) == 0)
			return conf_workers(c->workers);
	return 0;
}

static void
fit_pools(struct master *m)
{
	for (size_t i = 0; i < POOLS; i++) {
		struct pool *p = &m->pools[i];
		uint32_t want = pool_size(m, p);

		if (p->size != want)
			LOG(NULL, INFO, "pool.size", KV_STR("program", program_name(p->program)),
			    KV_UINT("workers", want));
		while (p->size < want)
			add_worker(m, p);
		while (p->size > want)
			shrink(p);
	}
}

static void
on_chld(void *arg)
{
	struct master *m = arg;
	int ws;
	pid_t pid;

	while ((pid = waitpid(-1, &ws, WNOHANG)) > 0) {
		for (size_t i = 0; i < POOLS; i++) {
			struct list *n, *tmp;

			list_each(n, tmp, &m->pools[i].workers) {
				struct worker *w = list_entry(n, struct worker, in);

				if (child_reaped(w->child, pid, ws) && w->leaving && !m->stopping)
					worker_free(w);
			}
		}
	}
	if (m->stopping && no_worker_runs(m))
		finish(m, 0);
}

/* The monitor --------------------------------------------------------------- */

static void
replace_fd(int *fd, int fresh)
{
	fd_close(fd);
	*fd = fresh;
}

static void
take_config(struct master *m, int fd)
{
	struct mansio_conf *fresh = control_read_config(fd);

	if (fresh == NULL) {
		close(fd);
		return;
	}
	conf_free(&m->conf);
	m->conf = fresh;
	replace_fd(&m->config_fd, fd);
	if (m->started) {
		each_worker(m, give_config, NULL);
		fit_pools(m);
	}
}

static void
take_door(struct master *m, const struct control_listener *l, int fd)
{
	struct door *d = mem_zalloc(sizeof(*d));

	d->name = span_dup(l->name);
	d->address = span_dup(l->address);
	d->fd = fd;
	list_push_back(&m->doors, &d->in);
	if (m->started)
		each_worker(m, give_door, d);
}

static void
drop_doors(struct master *m, const struct control_listener_gone *g)
{
	struct list *n, *tmp;

	list_each(n, tmp, &m->doors) {
		struct door *d = list_entry(n, struct door, in);

		if (g != NULL && !span_eq_str(g->name, d->name))
			continue;
		list_remove(n);
		fd_close(&d->fd);
		mem_free(&d->name);
		mem_free(&d->address);
		mem_free(&d);
	}
	if (g != NULL)
		each_worker(m, close_door, g);
}

static void
start(struct master *m)
{
	static const char *const paths[] = { "/dev/null" };	/* workers' standard input */

	if (m->started)
		return;
	if (m->conf == NULL || !sandbox_apply(SANDBOX_HELPER, paths, ARRAY_LEN(paths))) {
		finish(m, 1);
		return;
	}
	m->started = true;
	fit_pools(m);
	say_ready(m);
}

static void
leave(struct worker *w, const void *arg)
{
	let_go(w, STOP_GRACE_S);
}

static void
on_end(void *arg)
{
	finish(arg, 0);
}

static void
stop(struct master *m)
{
	if (m->stopping)
		return;
	m->stopping = true;
	drop_doors(m, NULL);
	each_worker(m, leave, NULL);
	loop_timer_set(m->end, (STOP_GRACE_S + 2) * 1000);
	if (no_worker_runs(m))
		finish(m, 0);
}

static void
add_status(struct worker *w, const void *arg)
{
	struct buf *out = (struct buf *)(uintptr_t)arg;
	const struct child_spec *s = child_get_spec(w->child);

	buf_addf(out, "worker.%u=%s pid=%d ready=%d connections=%u served=%llu restarts=%u\n",
	    s->slot, program_name(s->program), (int)child_pid(w->child),
	    child_is_ready(w->child), w->connections, (unsigned long long)w->served,
	    child_restarts(w->child));
}

static void
on_monitor(struct ipc *ipc, const struct ipc_message *msg, const struct ipc_head *h,
    const void *body, void *arg)
{
	struct master *m = arg;
	struct control_status_is st;
	struct buf text = { 0 };

	switch (msg->no) {
	case CONTROL_HELLO:
		m->generation = ((const struct control_hello *)body)->generation + 1;
		break;
	case CONTROL_CONFIG:
		take_config(m, h->fd);
		break;
	case CONTROL_CERTS:
		replace_fd(&m->certs_fd, h->fd);
		if (m->started)
			each_worker(m, give_certs, NULL);
		break;
	case CONTROL_RULES:
		replace_fd(&m->rules_fd, h->fd);
		if (m->started)
			each_worker(m, give_rules, NULL);
		break;
	case CONTROL_LOG:
		m->log = *(const struct control_log *)body;
		replace_fd(&m->log_fd, fcntl(h->fd, F_DUPFD_CLOEXEC, 3));
		control_take_log(body, h->fd);
		if (m->started)
			each_worker(m, give_log, NULL);
		break;
	case CONTROL_LISTENER:
		take_door(m, body, h->fd);
		break;
	case CONTROL_LISTENER_GONE:
		drop_doors(m, body);
		break;
	case CONTROL_RESTARTED:
		each_worker(m, reconnect, body);
		break;
	case CONTROL_START:
		start(m);
		break;
	case CONTROL_STOP:
		stop(m);
		break;
	case CONTROL_STATUS:
		each_worker(m, add_status, &text);
		buf_cut(&text, 65536);
		st.text = buf_span(&text);
		ipc_reply(ipc, h, ST_OK, CONTROL_STATUS_IS, &st);
		buf_fini(&text);
		break;
	default:
		ipc_refuse(ipc, h, ST_UNSUPPORTED);
	}
}

static void
on_monitor_gone(struct ipc *ipc, void *arg)
{
	finish(arg, 1);
}

int
master_main(const char *libexec)
{
	struct master m = { .libexec = libexec, .config_fd = -1, .certs_fd = -1,
	    .rules_fd = -1, .log_fd = -1 };
	struct ipc_config cf = { .protocol = &control_protocol, .peer = "monitor",
	    .allowed = CONTROL_PARENT, .fds = true, .request = on_monitor,
	    .closed = on_monitor_gone, .arg = &m };

	log_init("master");
	control_child_signals();
	list_init(&m.doors);
	m.loop = cf.loop = loop_new();
	for (size_t i = 0; i < POOLS; i++) {
		m.pools[i].program = pool_programs[i];
		list_init(&m.pools[i].workers);
	}
	m.chld = loop_signal_new(m.loop, SIGCHLD, on_chld, &m);
	m.end = loop_timer_new(m.loop, on_end, &m);
	m.monitor = ipc_new(&cf, CONTROL_FD);
	loop_run(m.loop);

	for (size_t i = 0; i < POOLS; i++) {
		struct list *n, *tmp;

		list_each(n, tmp, &m.pools[i].workers)
			worker_free(list_entry(n, struct worker, in));
	}
	drop_doors(&m, NULL);
	ipc_free(&m.monitor);
	loop_signal_free(&m.chld);
	loop_timer_free(&m.end);
	fd_close(&m.config_fd);
	fd_close(&m.certs_fd);
	fd_close(&m.rules_fd);
	fd_close(&m.log_fd);
	conf_free(&m.conf);
	loop_free(&m.loop);
	return m.code;
}
