/* Starts all, reads the files again when it is told to, and ends all in the right order. */
#include "master/monitor_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/crypto/random.h"
#include "common/util/clock.h"
#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "master/logsink.h"
#include "master/notify.h"
#include "master/rules.h"
#include "master/sealed.h"

#define KEY_ROTATE_MS	(3600u * 1000)
#define STOP_LIMIT_MS	(30u * 1000)

static void
finish(struct monitor *m, int code)
{
	m->code = code;
	loop_stop(m->loop);
}

/* Files --------------------------------------------------------------------- */

bool
monitor_find_user(const char *name, const char *extra_group, struct child_user *u)
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
	return monitor_find_user(u->worker, NULL, &m->worker_user) &&
	    monitor_find_user(u->store, NULL, &m->store_user) &&
	    monitor_find_user(u->auth, NULL, &m->auth_user) &&
	    monitor_find_user(u->admin, m->conf->admin.group, &m->admin_user) &&
	    monitor_find_user(u->index, NULL, &m->index_user) &&
	    ((!conf_needs_outd(m->conf) && !conf_sends(m->conf)) ||
	    monitor_find_user(u->out, NULL, &m->out_user));
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

/* Signals ------------------------------------------------------------------- */

static void
on_rotate(void *arg)
{
	struct monitor *m = arg;

	m->key.number++;
	random_bytes(m->key.key, sizeof(m->key.key));
	for (size_t i = 0; i < m->n_helpers; i++)
		monitor_send_key(&m->helpers[i]);
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
	    !monitor_find_user(m->started->users.out, NULL, &m->out_user)) ||
	    (log_fd = logsink_open(fresh, m->o->log_stderr, &sink)) < 0 ||
	    !monitor_bind_doors(m, fresh)) {	/* the last: what it bound stays bound */
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
	monitor_replace_submit(m, fresh);
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
	monitor_keep_outd(m);
	for (size_t i = 0; i < m->n_helpers; i++) {
		child_send_fd(m->helpers[i].child, CONTROL_LOG, &m->log, m->log_fd);
		monitor_send_config(&m->helpers[i]);
	}
	monitor_send_door_changes(m);
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
bool
monitor_reload(struct monitor *m, struct buf *why)
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
		monitor_reload(m, &why);
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
		monitor_door_free(list_entry(n, struct door, in));
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
	    !sealed_submit(m.conf, &m.submit_fd) || !monitor_bind_doors(&m, m.conf) || !monitor_bind_admin(&m)) {
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
	monitor_start_all(&m);
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
