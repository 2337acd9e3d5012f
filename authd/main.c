/* authd: the auth helper.  Everything it has comes through its control socket: its
 * configuration, the ticket keys, the socket to the directory's store, and one socket for
 * each process that asks.  It ends when its parent does. */
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "authd/authd.h"
#include "authd/dovecot.h"
#include "common/util/buf.h"
#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "common/worker/helper.h"
#include "common/worker/sandbox.h"

#define DEGRADED_MS 3000	/* without a directory it serves all the same: "unavailable" */

struct control {
	struct helper		helper;
	struct loop		*loop;
	struct mansio_conf	*conf;		/* until it is given to authd */
	struct ticket_keys	keys;		/* that came before authd was made */
	uint64_t		epoch;
	struct authd		*a;
	struct loop_timer	*patience;
	bool			started, ready;
};

static void
say_ready(void *arg)
{
	struct control *c = arg;

	if (!c->started || c->ready)
		return;
	c->ready = true;
	loop_timer_clear(c->patience);
	helper_ready(&c->helper);
	LOG(NULL, INFO, "auth.ready");
}

static void
without_directory(void *arg)
{
	struct control *c = arg;

	if (!c->ready)
		LOG(NULL, WARN, "auth.degraded", KV_STR("why", "the directory does not answer"));
	say_ready(c);
}

static void
on_configured(void *arg, struct mansio_conf *conf)
{
	struct control *c = arg;

	if (c->a != NULL) {
		authd_configure(c->a, conf);
		return;
	}
	conf_free(&c->conf);
	c->conf = conf;
}

static void
take_key(struct control *c, const struct control_ticket_key *k)
{
	struct ticket_key fresh = { .number = k->number };

	memcpy(fresh.key, k->key.p, TICKET_KEY_LEN);
	ticket_keys_rotate(c->a != NULL ? &c->a->keys : &c->keys, &fresh);
	mem_wipe(&fresh, sizeof(fresh));
}

/* With pam { as-root } the monitor starts this program as root; the spawner stays so. */
static bool
drop_rights(const struct mansio_conf *conf)
{
	const struct passwd *pw;

	if (geteuid() != 0 || !conf_has_backend(conf, CONF_BACKEND_PAM) || !conf->pam.as_root)
		return true;
	pw = getpwnam(conf->users.auth);
	if (pw == NULL || setgroups(1, &pw->pw_gid) != 0 ||
	    setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) != 0 ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) != 0)
		return false;
	/* the kernel forgets both when the user changes */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_DUMPABLE, 0);
	return true;
}

/* The pools' children inherit it, but for PAM's. */
static bool
confine(struct control *c, struct spawner **s)
{
	static const char *const writable[] = { "/dev/null" };

	*s = NULL;
	if (conf_has_backend(c->conf, CONF_BACKEND_PAM) && (*s = spawner_start(true)) == NULL)
		return false;
	return drop_rights(c->conf) && sandbox_apply(SANDBOX_HELPER, writable, ARRAY_LEN(writable));
}

/* A configuration is the one thing that cannot come later. */
static bool
make(struct control *c)
{
	struct spawner *spawner;

	if (c->a != NULL)
		return true;
	if (c->conf == NULL)
		return false;
	if (!confine(c, &spawner)) {
		LOG(NULL, FATAL, "auth.sandbox");
		exit(1);
	}
	c->a = authd_new(c->loop, c->conf, c->epoch, true, spawner);
	c->conf = NULL;
	c->a->keys = c->keys;
	mem_wipe(&c->keys, sizeof(c->keys));
	c->a->ready = say_ready;
	c->a->ready_arg = c;
	return true;
}

static void
on_start(void *arg)
{
	struct control *c = arg;

	if (!make(c)) {
		LOG(NULL, FATAL, "auth.config", KV_STR("why", "none came before start"));
		helper_end(&c->helper, 1);
		return;
	}
	c->started = true;
	loop_timer_set(c->patience, DEGRADED_MS);
	if (directory_is_up(c->a->dir))
		say_ready(c);
}

static void
on_status(void *arg, struct buf *lines)
{
	const struct authd *a = ((const struct control *)arg)->a;

	if (a == NULL)
		return;
	buf_addf(lines, "directory=%s\n", directory_is_up(a->dir) ? "up" : "away");
	buf_addf(lines, "logins=%zu\n", tickets_count(a->tickets));
	buf_addf(lines, "granted=%llu\n", (unsigned long long)a->count.granted);
	buf_addf(lines, "failed=%llu\n", (unsigned long long)a->count.failed);
}

/* Sockets, once there is a configuration. */
static bool
take_socket(struct control *c, uint16_t no, const void *msg, int fd)
{
	const struct control_server *server = msg;

	if (no == CONTROL_LISTENER)
		dovecot_add(c->a, ((const struct control_listener *)msg)->name, fd);
	else if (no == CONTROL_PEER)
		authd_add_peer(c->a, msg, fd);
	else if (server->program == PROGRAM_STORED)
		directory_set(c->a->dir, fd);
	else if (server->program == PROGRAM_OUTD)
		bearer_connect(c->a->bearer, fd);
	else
		return false;
	return true;
}

static bool
on_message(void *arg, uint16_t no, const void *msg, int fd)
{
	struct control *c = arg;

	switch (no) {
	case CONTROL_HELLO:
		c->epoch = ((const struct control_hello *)msg)->generation;
		break;
	case CONTROL_TICKET_KEY:
		take_key(c, msg);
		break;
	case CONTROL_LISTENER_GONE:
		if (c->a != NULL)
			dovecot_drop(c->a, ((const struct control_listener_gone *)msg)->name);
		break;
	case CONTROL_SERVER:
	case CONTROL_LISTENER:
	case CONTROL_PEER:
		return make(c) && take_socket(c, no, msg, fd);
	}
	return false;
}

static const struct helper_ops ops = {
	.configured = on_configured, .message = on_message, .start = on_start, .status = on_status
};

static void
on_term(void *arg)
{
	loop_stop(((struct control *)arg)->loop);
}

int
main(int argc, char **argv)
{
	struct control c = { 0 };
	struct loop_signal *term;
	int rc;

	log_init("authd");
	if (argc == 2 && strcmp(argv[1], POOL_CHILD_ARG) == 0) {
		pool_child(CONTROL_FD);
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], SPAWNER_ARG) == 0) {
		spawner_main(CONTROL_FD);
		return 0;
	}
	if ((rc = control_child_begin("authd")) != 0)
		return rc;
	c.loop = loop_new();
	c.patience = loop_timer_new(c.loop, without_directory, &c);
	term = loop_signal_new(c.loop, SIGTERM, on_term, &c);
	helper_open(&c.helper, c.loop, &ops, &c);
	loop_run(c.loop);
	authd_free(&c.a);
	conf_free(&c.conf);
	helper_close(&c.helper);
	loop_signal_free(&term);
	loop_timer_free(&c.patience);
	loop_free(&c.loop);
	mem_wipe(&c.keys, sizeof(c.keys));
	return c.helper.code;
}
