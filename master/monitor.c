#include "master/monitor.h"

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/auth/ticket.h"
#include "common/conf/settings.h"
#include "common/crypto/random.h"
#include "common/net/listener.h"
#include "common/util/clock.h"
#include "common/util/fd.h"
#include "common/util/list.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "common/worker/admin_proto.h"
#include "master/child.h"
#include "master/logsink.h"
#include "master/notify.h"
#include "master/rules.h"
#include "master/sealed.h"

#define KEY_ROTATE_MS	(3600u * 1000)
#define STOP_LIMIT_MS	(30u * 1000)
#define OUTD_FDS	256
#define OUTD_MEMORY	(256u << 20)
#define INDEXD_FDS	64
#define SHARDS_MAX	64

/* One bound address of a listener. */
struct door {
	struct list	in;
	char		*name;			/* of its section */
	char		address[NET_ADDR_STR];
	int		fd;
	bool		fresh;			/* bound by the reload under way */
};

/* A process of ours that is not a worker. */
struct helper {
	struct monitor	*m;
	struct child	*child;
	enum program	program;
	uint32_t	shard;
	bool		done;			/* stopped for good */
};

struct monitor {
	const struct monitor_opts *o;
	struct loop		*loop;
	struct loop_signal	*sigs[4];
	struct loop_timer	*rotate, *limit;
	struct mansio_conf	*conf;
	struct mansio_conf	*started;	/* what needs a restart is as it says; may be conf */
	int			config_fd, certs_fd, rules_fd, log_fd;
	int			secrets_fd, submit_fd;	/* of outd, of its role submit; -1: it is not needed */
	struct control_log	log;
	bool			root;
	struct child_user	worker_user, store_user, auth_user, admin_user, out_user,
				index_user;
	struct list		doors;
	int			admin_fd;	/* the admin socket, kept for every admind */
	struct net_addr		admin_addr;
	/* stored ..., indexd ..., authd, admind, master, outd in two roles */
	struct helper		helpers[2 * SHARDS_MAX + 6];
	size_t			n_helpers;
	struct helper		*authd, *admind, *master;
	struct helper		*outd, *submit;	/* NULL: it was never needed */
	struct ticket_key	key;
	uint64_t		generation;
	bool			stopping, ready;
	int			code;
};

static void
finish(struct monitor *m, int code)
{
	m->code = code;
	loop_stop(m->loop);
}

/* Files --------------------------------------------------------------------- */

static bool
find_user(const char *name, const char *extra_group, struct child_user *u)
{
	struct passwd *pw = getpwnam(name);
	struct group *gr = NULL;

	if (pw == NULL) {
		LOG(NULL, FATAL, "user.missing", KV_STR("user", name));
		return false;
	}
	u->drop = true;
	u->uid = pw->pw_uid;
	u->gid = pw->pw_gid;
	u->extra = (gid_t)-1;
	if (extra_group != NULL && (gr = getgrnam(extra_group)) != NULL)
		u->extra = gr->gr_gid;
	return true;
}

static bool
find_users(struct monitor *m)
{
	const struct conf_users *u = &m->conf->users;

	m->root = geteuid() == 0;
	if (!m->root)
		return true;
	return find_user(u->worker, NULL, &m->worker_user) &&
	    find_user(u->store, NULL, &m->store_user) &&
	    find_user(u->auth, NULL, &m->auth_user) &&
	    find_user(u->admin, m->conf->admin.group, &m->admin_user) &&
	    find_user(u->index, NULL, &m->index_user) &&
	    ((!conf_needs_outd(m->conf) && !conf_sends(m->conf)) ||
	    find_user(u->out, NULL, &m->out_user));
}

/* Makes a folder that is this user's alone; an existing one is left as it is but for
 * its owner. */
static bool
make_dir(const char *path, const struct child_user *u, mode_t mode)
{
	struct stat st;

	if (mkdir(path, mode) != 0 && errno != EEXIST) {
		LOG(NULL, FATAL, "directory", KV_STR("path", path), KV_ERRNO(errno));
		return false;
	}
	if (lstat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
		LOG(NULL, FATAL, "directory", KV_STR("path", path), KV_STR("error", "not a directory"));
		return false;
	}
	if (u != NULL && u->drop && st.st_uid != u->uid &&
	    (lchown(path, u->uid, u->gid) != 0 || chmod(path, mode) != 0)) {
		LOG(NULL, FATAL, "directory", KV_STR("path", path), KV_ERRNO(errno));
		return false;
	}
	return true;
}

static bool
make_dirs(struct monitor *m)
{
	const struct conf_global *g = &m->conf->global;
	struct buf path = { 0 };
	bool ok = make_dir(g->state_dir, NULL, 0755) && make_dir(g->run_dir, NULL, 0755);

	for (uint32_t i = 0; ok && i <= m->conf->store.shards; i++) {
		buf_clear(&path);
		conf_shard_path(m->conf, i < m->conf->store.shards ? i : CONTROL_SHARD_SYSTEM, &path);
		ok = make_dir(buf_cstr(&path), &m->store_user, 0700);
	}
	/* where workers start, and their root where there is no Landlock */
	buf_clear(&path);
	buf_addf(&path, "%s/empty", g->run_dir);
	ok = ok && make_dir(buf_cstr(&path), NULL, 0555) && chdir(buf_cstr(&path)) == 0;
	buf_fini(&path);
	return ok;
}

/* Listening sockets --------------------------------------------------------- */

static void
door_free(struct door *d)
{
	list_remove(&d->in);
	fd_close(&d->fd);
	mem_free(&d->name);
	mem_free(&d);
}

static struct door *
find_door(struct monitor *m, const char *name, const char *address)
{
	struct list *n, *tmp;

	list_each(n, tmp, &m->doors) {
		struct door *d = list_entry(n, struct door, in);

		if (strcmp(d->name, name) == 0 && strcmp(d->address, address) == 0)
			return d;
	}
	return NULL;
}

static void
socket_owner(const struct conf_listener *l, struct listener_opts *lo)
{
	struct passwd *pw = l->owner[0] != '\0' ? getpwnam(l->owner) : NULL;
	struct group *gr = l->group[0] != '\0' ? getgrnam(l->group) : NULL;

	lo->mode = (mode_t)l->mode;
	lo->uid = pw != NULL ? pw->pw_uid : (uid_t)-1;
	lo->gid = gr != NULL ? gr->gr_gid : (gid_t)-1;
}

/* Binds what conf lists and is not bound yet.  All or nothing. */
static bool
bind_doors(struct monitor *m, const struct mansio_conf *conf)
{
	struct list *n, *tmp;
	bool ok = true;

	for (size_t i = 0; i < conf->n_listeners && ok; i++) {
		const struct conf_listener *l = &conf->listeners[i];

		for (size_t k = 0; k < l->bind.n && ok; k++) {
			struct listener_opts lo = { 0 };
			char address[NET_ADDR_STR];
			struct door *d;
			int fd;

			net_addr_print(&l->bind.v[k], address);
			if (find_door(m, l->head.name, address) != NULL)
				continue;
			socket_owner(l, &lo);
			ok = listener_bind(&l->bind.v[k], &lo, &fd);
			if (!ok) {
				LOG(NULL, ERROR, "listener.bind", KV_STR("listener", l->head.name),
				    KV_STR("address", address), KV_ERRNO(errno));
				break;
			}
			d = mem_zalloc(sizeof(*d));
			d->name = mem_strdup(l->head.name);
			memcpy(d->address, address, sizeof(address));
			d->fd = fd;
			d->fresh = true;
			list_push_back(&m->doors, &d->in);
		}
	}
	list_each(n, tmp, &m->doors) {
		struct door *d = list_entry(n, struct door, in);

		if (d->fresh && !ok)
			door_free(d);
	}
	return ok;
}

static bool
is_listed(const struct mansio_conf *conf, const struct door *d)
{
	const struct conf_listener *l = conf_listener_find(conf, d->name);

	for (size_t i = 0; l != NULL && i < l->bind.n; i++) {
		char address[NET_ADDR_STR];

		if (strcmp(net_addr_print(&l->bind.v[i], address), d->address) == 0)
			return true;
	}
	return false;
}

/* Who accepts from it, or hands it to those who do. */
static struct helper *
door_helper(const struct monitor *m, const struct door *d)
{
	const struct conf_listener *l = conf_listener_find(m->conf, d->name);

	return l != NULL && l->protocol == CONF_DOVECOT_AUTH ? m->authd : m->master;
}

static void
send_door(struct monitor *m, const struct door *d)
{
	struct control_listener l = { span_str(d->name), span_str(d->address) };

	child_send_fd(door_helper(m, d)->child, CONTROL_LISTENER, &l, d->fd);
}

/* Tells the master about new sockets and those that are gone.  A section with one
 * address gone is closed whole and the rest of it sent again. */
static void
send_door_changes(struct monitor *m)
{
	struct list *n, *tmp, *k, *ktmp;

	list_each(n, tmp, &m->doors) {
		struct door *d = list_entry(n, struct door, in);
		struct control_listener_gone g = { span_str(d->name) };

		if (is_listed(m->conf, d))
			continue;
		child_send(m->master->child, CONTROL_LISTENER_GONE, &g);
		child_send(m->authd->child, CONTROL_LISTENER_GONE, &g);
		list_each(k, ktmp, &m->doors) {
			struct door *e = list_entry(k, struct door, in);

			if (strcmp(e->name, d->name) == 0)
				e->fresh = true;
		}
		d->fresh = false;
	}
	list_each(n, tmp, &m->doors) {
		struct door *d = list_entry(n, struct door, in);

		if (!is_listed(m->conf, d)) {
			LOG(NULL, INFO, "listener.closed", KV_STR("listener", d->name),
			    KV_STR("address", d->address));
			door_free(d);
		} else if (d->fresh) {
			d->fresh = false;
			send_door(m, d);
		}
	}
}

/* The socket of mansioctl: for root and the group alone.  Bound here, because admind's
 * user may not write in run-dir. */
static bool
bind_admin(struct monitor *m)
{
	const struct conf_admin *a = &m->conf->admin;
	struct listener_opts lo = { .mode = 0660, .uid = (uid_t)-1, .gid = (gid_t)-1 };
	struct net_addr *addr = &m->admin_addr;
	struct group *gr = NULL;

	if (m->root && (gr = getgrnam(a->group)) == NULL)
		LOG(NULL, WARN, "group.missing", KV_STR("group", a->group),
		    KV_STR("effect", "only root can use mansioctl"));
	else if (m->root)
		lo.gid = gr->gr_gid;
	errno = ENAMETOOLONG;
	addr->ip.family = NET_UNIX;
	if (strlen(a->socket) < sizeof(addr->path)) {
		memcpy(addr->path, a->socket, strlen(a->socket));
		if (listener_bind(addr, &lo, &m->admin_fd))
			return true;
	}
	LOG(NULL, FATAL, "admin.bind", KV_STR("path", a->socket), KV_ERRNO(errno));
	return false;
}

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

static void
send_config(struct helper *h)
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

static void
send_key(struct helper *h)
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
	struct list *n, *tmp;

	/* a master numbers its workers from the block that follows its own number */
	m->generation += h->program == PROGRAM_MASTER ? 1u << 16 : 1;
	child_set_generation(c, hello.generation);
	child_send(c, CONTROL_HELLO, &hello);
	child_send_fd(c, CONTROL_LOG, &m->log, m->log_fd);
	send_config(h);
	send_key(h);
	list_each(n, tmp, &m->doors) {
		struct door *d = list_entry(n, struct door, in);

		if (door_helper(m, d) == h)
			send_door(m, d);
	}
	if (h->program == PROGRAM_ADMIND) {
		struct control_listener l = { SPAN_LIT(ADMIN_LISTENER),
		    span_str(m->admin_addr.path) };

		child_send_fd(c, CONTROL_LISTENER, &l, m->admin_fd);
	}
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

static bool reload(struct monitor *m, struct buf *why);

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
	bool ok = reload(from->m, &why);

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

static void
keep_outd(struct monitor *m)
{
	keep_role(m, &m->outd, PROGRAM_OUTD, conf_needs_outd(m->conf));
	keep_role(m, &m->submit, PROGRAM_OUTD_SUBMIT, conf_sends(m->conf));
}

/* What runs a program does not connect, and the other way round: it starts anew. */
static void
replace_submit(struct monitor *m, const struct mansio_conf *fresh)
{
	if (m->submit != NULL && !m->submit->done &&
	    strcmp(m->conf->outgoing.program, fresh->outgoing.program) != 0)
		child_send(m->submit->child, CONTROL_STOP, NULL);
}

static void
start_all(struct monitor *m)
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
	keep_outd(m);
}

/* Signals ------------------------------------------------------------------- */

static void
on_rotate(void *arg)
{
	struct monitor *m = arg;

	m->key.number++;
	random_bytes(m->key.key, sizeof(m->key.key));
	for (size_t i = 0; i < m->n_helpers; i++)
		send_key(&m->helpers[i]);
	loop_timer_set(m->rotate, KEY_ROTATE_MS);
}

static void
log_errors(const struct conf_errors *e, const char *event)
{
	struct span rest = span(e->text.data, e->text.len);

	while (rest.len > 0) {
		struct span line = span_cut(&rest, '\n');

		if (line.len > 0)
			LOG(NULL, ERROR, event, KV_SPAN("why", line));
	}
}

static void
take_log(struct monitor *m, const struct mansio_conf *conf, int fd, enum log_sink sink)
{
	fd_close(&m->log_fd);
	m->log_fd = fd;
	m->log.sink = (uint8_t)sink;
	m->log.level = (uint8_t)conf_log_level(conf);
	log_set_sink(sink, fd);
	log_set_level(conf_log_level(conf));
}

static bool
open_log(struct monitor *m, const struct mansio_conf *conf)
{
	enum log_sink sink;
	int fd = logsink_open(conf, m->o->log_stderr, &sink);

	if (fd >= 0)
		take_log(m, conf, fd, sink);
	return fd >= 0;
}

/* Everything new is made first; what cannot be made leaves the old in force. */
static bool
take_fresh(struct monitor *m, struct buf *why)
{
	struct conf_errors e = { 0 };
	struct mansio_conf *fresh = NULL;
	struct buf restart = { 0 };
	int config_fd = -1, certs_fd = -1, rules_fd = -1, log_fd = -1, secrets_fd = -1,
	    submit_fd = -1;
	enum log_sink sink = LOG_SINK_STDERR;
	bool ok = false;

	if (!conf_load(m->o->config, &fresh, &e)) {
		log_errors(&e, "reload.refused");
		buf_add_span(why, buf_span(&e.text));
		goto out;
	}
	if ((rules_fd = rules_seal(fresh, &e)) < 0) {
		log_errors(&e, "reload.refused");
		buf_add_span(why, buf_span(&e.text));
		goto out;
	}
	if ((config_fd = sealed_config(fresh)) < 0 || (certs_fd = sealed_certs(fresh)) < 0 ||
	    !sealed_secrets(fresh, &secrets_fd) || !sealed_submit(fresh, &submit_fd) ||
	    (m->root && (conf_needs_outd(fresh) || conf_sends(fresh)) &&
	    !find_user(m->started->users.out, NULL, &m->out_user)) ||
	    (log_fd = logsink_open(fresh, m->o->log_stderr, &sink)) < 0 ||
	    !bind_doors(m, fresh)) {	/* the last: what it bound stays bound */
		LOG(NULL, ERROR, "reload.refused", KV_STR("why", "see above"));
		buf_add_str(why, "a certificate, a secret, a socket or the log cannot be opened; "
		    "the log tells which\n");
		goto out;
	}
	ok = true;
	take_log(m, fresh, log_fd, sink);
	log_fd = -1;
	if (conf_changed(m->started, fresh, CONF_RESTART, &restart) > 0) {
		LOG(NULL, WARN, "reload.restart-needed", KV_SPAN("settings", buf_span(&restart)));
		buf_add_span(why, buf_span(&restart));
	}
	/* the number of shards is what runs */
	fresh->store.shards = m->conf->store.shards;
	replace_submit(m, fresh);
	if (m->conf != m->started)
		conf_free(&m->conf);
	m->conf = fresh;
	fresh = NULL;
	fd_close(&m->config_fd);
	fd_close(&m->certs_fd);
	fd_close(&m->rules_fd);
	fd_close(&m->secrets_fd);
	fd_close(&m->submit_fd);
	m->config_fd = config_fd;
	m->certs_fd = certs_fd;
	m->rules_fd = rules_fd;
	m->secrets_fd = secrets_fd;
	m->submit_fd = submit_fd;
	config_fd = certs_fd = rules_fd = secrets_fd = submit_fd = -1;
	keep_outd(m);
	for (size_t i = 0; i < m->n_helpers; i++) {
		child_send_fd(m->helpers[i].child, CONTROL_LOG, &m->log, m->log_fd);
		send_config(&m->helpers[i]);
	}
	send_door_changes(m);
	LOG(NULL, INFO, "reload.done");
out:
	fd_close(&config_fd);
	fd_close(&certs_fd);
	fd_close(&rules_fd);
	fd_close(&secrets_fd);
	fd_close(&submit_fd);
	fd_close(&log_fd);
	conf_free(&fresh);
	conf_errors_fini(&e);
	buf_fini(&restart);
	return ok;
}

/* why: lines for the one who asked. */
static bool
reload(struct monitor *m, struct buf *why)
{
	bool ok;

	notify_reloading();
	ok = take_fresh(m, why);
	notify_send("READY=1");
	return ok;
}

static void
on_hup(void *arg)
{
	struct monitor *m = arg;
	struct buf why = { 0 };

	if (!m->stopping)
		reload(m, &why);
	buf_fini(&why);
}

/* The order of the end: first who speaks with clients, then who serves them. */
static void
stop_next(struct monitor *m)
{
	if (child_pid(m->master->child) != 0)
		return;
	for (size_t i = 0; i < m->n_helpers; i++) {
		struct helper *h = &m->helpers[i];

		if (!h->done) {
			h->done = true;
			child_send(h->child, CONTROL_STOP, NULL);
		}
	}
	for (size_t i = 0; i < m->n_helpers; i++)
		if (child_pid(m->helpers[i].child) != 0)
			return;
	finish(m, m->code);
}

static void
on_term(void *arg)
{
	struct monitor *m = arg;

	if (m->stopping)
		return;
	m->stopping = true;
	LOG(NULL, INFO, "server.stopping");
	notify_send("STOPPING=1");
	for (size_t i = 0; i < m->n_helpers; i++)
		child_retire(m->helpers[i].child);
	m->master->done = true;
	child_send(m->master->child, CONTROL_STOP, NULL);
	loop_timer_set(m->limit, STOP_LIMIT_MS);
	stop_next(m);
}

static void
on_limit(void *arg)
{
	struct monitor *m = arg;

	LOG(NULL, ERROR, "server.stop-limit");
	finish(m, 1);
}

static void
on_chld(void *arg)
{
	struct monitor *m = arg;
	int ws;
	pid_t pid;

	while ((pid = waitpid(-1, &ws, WNOHANG)) > 0)
		for (size_t i = 0; i < m->n_helpers; i++)
			child_reaped(m->helpers[i].child, pid, ws);
	if (m->stopping)
		stop_next(m);
}

static void
write_pid(const char *path)
{
	char text[32];
	int fd;

	if (path == NULL)
		return;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (fd < 0 || !fd_write_full(fd, text, strlen(text)))
		LOG(NULL, WARN, "pid-file", KV_STR("path", path), KV_ERRNO(errno));
	fd_close(&fd);
}

static void
raise_fd_limit(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur < rl.rlim_max) {
		rl.rlim_cur = rl.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &rl);
	}
}

bool
monitor_check(const struct monitor_opts *opts)
{
	struct conf_errors e = { 0 };
	struct mansio_conf *conf = NULL;
	bool ok = conf_load(opts->config, &conf, &e);
	int rules = ok ? rules_seal(conf, &e) : -1;

	ok = ok && rules >= 0;
	fd_close(&rules);
	if (!ok)
		fprintf(stderr, "%s", buf_cstr(&e.text));
	conf_errors_fini(&e);
	conf_free(&conf);
	return ok;
}

static void
monitor_free(struct monitor *m)
{
	struct list *n, *tmp;

	for (size_t i = 0; i < m->n_helpers; i++)
		child_free(&m->helpers[i].child);
	list_each(n, tmp, &m->doors)
		door_free(list_entry(n, struct door, in));
	for (size_t i = 0; i < ARRAY_LEN(m->sigs); i++)
		loop_signal_free(&m->sigs[i]);
	loop_timer_free(&m->rotate);
	loop_timer_free(&m->limit);
	mem_wipe(&m->key, sizeof(m->key));
	if (m->started != m->conf)
		conf_free(&m->started);
	conf_free(&m->conf);
	loop_free(&m->loop);
	fd_close(&m->config_fd);
	fd_close(&m->certs_fd);
	fd_close(&m->rules_fd);
	fd_close(&m->secrets_fd);
	fd_close(&m->submit_fd);
	fd_close(&m->admin_fd);
}

int
monitor_main(const struct monitor_opts *opts)
{
	struct monitor m = { .o = opts, .config_fd = -1, .certs_fd = -1, .rules_fd = -1, .log_fd = -1,
	    .secrets_fd = -1, .submit_fd = -1, .admin_fd = -1 };
	struct conf_errors e = { 0 };

	log_init("mansiod");
	list_init(&m.doors);
	signal(SIGPIPE, SIG_IGN);
	umask(022);
	if (!conf_load(opts->config, &m.conf, &e) || (m.rules_fd = rules_seal(m.conf, &e)) < 0) {
		conf_free(&m.conf);
		fprintf(stderr, "%s", buf_cstr(&e.text));
		conf_errors_fini(&e);
		return 1;
	}
	if (!open_log(&m, m.conf) || !find_users(&m) || !make_dirs(&m) ||
	    (m.config_fd = sealed_config(m.conf)) < 0 || (m.certs_fd = sealed_certs(m.conf)) < 0 ||
	    !sealed_secrets(m.conf, &m.secrets_fd) ||
	    !sealed_submit(m.conf, &m.submit_fd) || !bind_doors(&m, m.conf) || !bind_admin(&m)) {
		LOG(NULL, FATAL, "server.start", KV_STR("why", "see above"));
		conf_free(&m.conf);
		return 1;
	}
	m.started = m.conf;
	raise_fd_limit();
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	/* above those of all earlier starts, as long as a start takes a second */
	m.generation = (uint64_t)clock_wall_s() << 20;
	m.key.number = (uint32_t)clock_wall_s();
	random_bytes(m.key.key, sizeof(m.key.key));
	m.loop = loop_new();
	m.sigs[0] = loop_signal_new(m.loop, SIGCHLD, on_chld, &m);
	m.sigs[1] = loop_signal_new(m.loop, SIGTERM, on_term, &m);
	m.sigs[2] = loop_signal_new(m.loop, SIGINT, on_term, &m);
	m.sigs[3] = loop_signal_new(m.loop, SIGHUP, on_hup, &m);
	m.rotate = loop_timer_new(m.loop, on_rotate, &m);
	m.limit = loop_timer_new(m.loop, on_limit, &m);
	loop_timer_set(m.rotate, KEY_ROTATE_MS);
	write_pid(opts->pid_file);
	start_all(&m);
	for (struct list *n = m.doors.next; n != &m.doors; n = n->next)
		list_entry(n, struct door, in)->fresh = false;
	loop_run(m.loop);
	LOG(NULL, INFO, "server.stopped");
	(void)unlink(m.admin_addr.path);
	if (opts->pid_file != NULL)
		(void)unlink(opts->pid_file);
	monitor_free(&m);
	return m.code;
}
