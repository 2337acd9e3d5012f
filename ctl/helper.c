/* The side of mansioctl: starts the process and keeps its pipes from filling up both ways. */
#include "ctl/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/mime/charset.h"
#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "common/worker/sandbox.h"
#include "ctl/ctl.h"
#include "ctl/helper_priv.h"

#define MEMORY_MAX	(1024ul << 20)
#define NOBODY		65534

struct helper {
	pid_t		pid;
	int		in, out;	/* of ours: in is written, out is read */
	helper_fn	fn;
	void		*arg;
	struct buf	got;
	bool		done, lost;
};

/* The process ------------------------------------------------------------------- */

bool
helper_drop_rights(const char *user)
{
	struct passwd *pw = geteuid() == 0 ? getpwnam(user) : NULL;
	uid_t uid = pw != NULL ? pw->pw_uid : NOBODY;
	gid_t gid = pw != NULL ? pw->pw_gid : NOBODY;

	if (geteuid() != 0)
		return true;
	return uid != 0 && setgroups(0, NULL) == 0 && setresgid(gid, gid, gid) == 0 &&
	    setresuid(uid, uid, uid) == 0;
}

/* Nothing but the two pipes and the place to complain. */
static bool
keep_pipes(int in, int out)
{
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
		return false;
	for (int fd = STDERR_FILENO + 1; fd < 1024; fd++)
		close(fd);
	return true;
}

static _Noreturn void
be_helper(enum helper_mode mode, const char *user, pid_t parent, int in, int out)
{
	const struct sandbox_limits limits = { .memory_bytes = MEMORY_MAX };

	log_init("mansioctl-helper");
	log_set_level(LOG_LEVEL_ERROR);
	mime_charset_preload();
	if (!keep_pipes(in, out) || !helper_drop_rights(user) || chdir("/") != 0 ||
	    !sandbox_prepare_child(parent, &limits) || !sandbox_apply(SANDBOX_WORKER, NULL, 0))
		_exit(1);
	_exit(helper_run(mode, STDIN_FILENO, STDOUT_FILENO));
}

/* Our side ------------------------------------------------------------------------ */

struct helper *
helper_start(enum helper_mode mode, const char *user, helper_fn fn, void *arg)
{
	struct helper *h = mem_zalloc(sizeof(*h));
	int to[2] = { -1, -1 }, from[2] = { -1, -1 };
	pid_t self = getpid();

	h->in = h->out = -1;
	h->fn = fn;
	h->arg = arg;
	signal(SIGPIPE, SIG_IGN);
	fflush(NULL);
	if (pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0)
		h->pid = fork();
	else
		h->pid = -1;
	if (h->pid == 0)
		be_helper(mode, user, self, to[0], from[1]);
	h->in = to[1];
	h->out = from[0];
	fd_close(&to[0]);
	fd_close(&from[1]);
	if (h->pid < 0 || !fd_nonblock(h->in) || !fd_nonblock(h->out)) {
		ctl_error("the helper process cannot be started: %s", strerror(errno));
		helper_stop(&h);
	}
	return h;
}

void
helper_stop(struct helper **hp)
{
	struct helper *h = *hp;

	if (h == NULL)
		return;
	fd_close(&h->in);
	fd_close(&h->out);
	if (h->pid > 0)
		while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
			;
	buf_fini(&h->got);
	mem_free(hp);
}

static bool
lost(struct helper *h)
{
	if (!h->lost)
		ctl_error("the helper process ended unexpectedly");
	h->lost = true;
	return false;
}

/* Whole records of what came. */
static bool
hand_on(struct helper *h)
{
	while (h->got.len >= HELPER_HEAD) {
		size_t n = get_be32(h->got.data + 1);
		enum helper_kind kind = (enum helper_kind)(unsigned char)h->got.data[0];

		if (n > HELPER_RECORD_MAX)
			return lost(h);
		if (h->got.len - HELPER_HEAD < n)
			break;
		if (kind == HELPER_DONE)
			h->done = true;
		h->fn(h->arg, kind, span(h->got.data + HELPER_HEAD, n));
		buf_drop(&h->got, HELPER_HEAD + n);
	}
	return true;
}

static bool
take_some(struct helper *h)
{
	ssize_t n = read(h->out, buf_reserve(&h->got, 65536), 65536);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		return lost(h);
	if (n > 0)
		buf_added(&h->got, (size_t)n);
	return hand_on(h);
}

/* Sends all of b, taking what comes; with b empty: until DONE. */
static bool
talk(struct helper *h, struct buf *b)
{
	bool until_done = b->len == 0;

	while (!h->lost && (until_done ? !h->done : b->len > 0)) {
		struct pollfd p[2] = { { h->out, POLLIN, 0 }, { h->in, POLLOUT, 0 } };
		ssize_t n;

		if (poll(p, b->len > 0 ? 2 : 1, -1) < 0 && errno != EINTR)
			return lost(h);
		if (p[0].revents != 0 && !take_some(h))
			return false;
		if (b->len == 0 || p[1].revents == 0)
			continue;
		n = write(h->in, b->data, b->len);
		if (n > 0)
			buf_drop(b, (size_t)n);
		else if (n < 0 && errno != EAGAIN && errno != EINTR)
			return lost(h);
	}
	return !h->lost;
}

static bool
send_record(struct helper *h, char kind, struct span data)
{
	struct buf b = { 0 };
	bool ok;

	helper_put(&b, kind, data);
	ok = talk(h, &b);
	buf_fini(&b);
	return ok;
}

bool
helper_send(struct helper *h, struct span data)
{
	while (data.len > 0) {
		struct span some = span_sub(data, 0, HELPER_PIECE);

		if (!send_record(h, HELPER_IN_DATA, some))
			return false;
		data = span_sub(data, some.len, data.len);
	}
	return true;
}

bool
helper_end(struct helper *h)
{
	struct buf none = { 0 };

	h->done = false;
	return send_record(h, HELPER_IN_END, SPAN_NONE) && talk(h, &none);
}
