/* A frame each way: u32 length, then the body.  Request: u8 what, its arguments; reply:
 * u8 status, bytes. */
#include "authd/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "authd/pam.h"
#include "common/crypto/random.h"
#include "common/util/buf.h"
#include "common/util/bytes.h"
#include "common/util/fd.h"
#include "common/util/list.h"
#include "common/util/log.h"
#include "common/util/mem.h"

#define FRAME_MAX	8192u
#define RESTART_MS	200

enum what { WHAT_VERIFY = 1, WHAT_MAKE = 2, WHAT_PAM = 3 };

struct child {
	struct pool		*pool;
	pid_t			pid;		/* 0: none; forked anew when one is needed */
	uint32_t		no;		/* with a spawner its number there instead; 0: none */
	int			fd;
	struct loop_io		*io;
	struct loop_timer	*timer;
	struct pool_job		*job;
	bool			busy;		/* also while a cancelled job runs on */
	struct buf		in, out;
};

struct pool_job {
	struct list	in;
	struct pool	*pool;
	struct child	*child;
	struct buf	request;
	pool_done_fn	fn;
	void		*arg;
};

struct pool {
	struct pool_config	cf;
	struct child		*children;
	struct list		queue;
	uint32_t		waiting;
	struct loop_task	*task;
	struct loop_timer	*again;
	pid_t			*dead;		/* killed, not yet reaped */
	size_t			n_dead;
};

/* The child -------------------------------------------------------------------- */

static void
reply_scram(enum digest_alg alg, struct span password, uint32_t iterations, struct buf *out)
{
	unsigned char salt[SCRAM_SALT_LEN], stored[DIGEST_MAX], server[DIGEST_MAX];
	size_t n = digest_len(alg);

	random_bytes(salt, sizeof(salt));
	scram_keys(alg, password, span(salt, sizeof(salt)), iterations, stored, server);
	put_span(out, span(salt, sizeof(salt)));
	put_span(out, span(stored, n));
	put_span(out, span(server, n));
	mem_wipe(stored, sizeof(stored));
	mem_wipe(server, sizeof(server));
}

static enum status
serve_make(struct reader *r, struct buf *out)
{
	struct hash_params p = { 0 };
	struct span password;
	struct buf hash = { 0 };

	p.kind = get_u8(r);
	p.memory_kib = get_u32(r);
	p.passes = get_u32(r);
	p.cost = get_u32(r);
	p.scram_iterations = get_u32(r);
	password = get_span(r);
	if (!reader_done(r))
		return ST_BUG;
	if (!scheme_make(&p, password, &hash))
		return ST_UNSUPPORTED;
	put_span(out, buf_span(&hash));
	buf_fini_secret(&hash);
	if (p.scram_iterations > 0) {
		reply_scram(DIGEST_SHA1, password, p.scram_iterations, out);
		reply_scram(DIGEST_SHA256, password, p.scram_iterations, out);
	}
	return ST_OK;
}

static enum status
serve_one(struct span in, struct buf *out)
{
	struct reader r;
	struct span a, b, c, d;

	reader_init(&r, in.p, in.len);
	switch (get_u8(&r)) {
	case WHAT_VERIFY:
		a = get_span(&r);
		b = get_span(&r);
		return reader_done(&r) ? scheme_verify(a, b) : ST_BUG;
	case WHAT_MAKE:
		return serve_make(&r, out);
	case WHAT_PAM:
		a = get_span(&r);
		b = get_span(&r);
		c = get_span(&r);
		d = get_span(&r);
		return reader_done(&r) ? pam_check(a, b, c, d) : ST_BUG;
	default:
		return ST_BUG;
	}
}

void
pool_child(int fd)
{
	struct rlimit none = { 0, 0 };
	unsigned char head[4];
	int fl = fcntl(fd, F_GETFL);

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)fcntl(fd, F_SETFL, fl & ~O_NONBLOCK);
	while (fd_read_full(fd, head, sizeof(head))) {
		uint32_t n = get_be32(head);
		char in[FRAME_MAX];
		struct buf out = { 0 };

		if (n > sizeof(in) || !fd_read_full(fd, in, n))
			return;
		put_u32(&out, 0);
		put_u8(&out, ST_OK);
		out.data[4] = (char)serve_one(span(in, n), &out);
		put_be32(out.data, (uint32_t)out.len - 4);
		mem_wipe(in, n);
		if (!fd_write_full(fd, out.data, out.len))
			return;
		buf_fini_secret(&out);
	}
}

/* The parent ------------------------------------------------------------------- */

static void child_io(int fd, unsigned events, void *arg);
static void child_late(void *arg);

/* Everything that only the main process may hold is closed, but the log's stderr. */
static void
child_main(struct pool *p, int fd)
{
	sigset_t none;

	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	for (int s = 1; s < 32; s++)
		(void)signal(s, SIG_DFL);
	if (p->cf.exec) {
		/* 3 is where the child looks for its socket */
		if (fd != 3 && dup2(fd, 3) < 0)
			_exit(1);
		(void)fd_cloexec(3, false);
		(void)close_range(4, ~0u, 0);
		execl("/proc/self/exe", "authd", POOL_CHILD_ARG, (char *)NULL);
		_exit(127);
	}
	if (fd > 3)
		(void)close_range(3, (unsigned)fd - 1, 0);
	(void)close_range((unsigned)fd + 1, ~0u, 0);
	pool_child(fd);
	_exit(0);
}

static bool
child_is_there(const struct child *c)
{
	return c->pid != 0 || c->no != 0;
}

static void
child_listen(struct child *c, int fd)
{
	c->fd = fd;
	c->io = loop_io_new(c->pool->cf.loop, fd, LOOP_READ, child_io, c);
}

static bool
child_start(struct child *c)
{
	int sv[2];
	pid_t pid;

	if (!fd_socketpair(sv))
		return false;
	if (c->pool->cf.spawner != NULL) {
		c->no = spawner_child(c->pool->cf.spawner, sv[1]);
		fd_close(&sv[1]);
		if (c->no == 0) {
			fd_close(&sv[0]);
			return false;
		}
		child_listen(c, sv[0]);
		return true;
	}
	pid = fork();
	if (pid == 0)
		child_main(c->pool, sv[1]);
	fd_close(&sv[1]);
	if (pid < 0) {
		LOG(NULL, ERROR, "auth.pool.fork", KV_STR("pool", c->pool->cf.name), KV_ERRNO(errno));
		fd_close(&sv[0]);
		return false;
	}
	c->pid = pid;
	child_listen(c, sv[0]);
	return true;
}

static void
reap(struct pool *p)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->n_dead; i++)
		if (waitpid(p->dead[i], NULL, WNOHANG) == 0)
			p->dead[kept++] = p->dead[i];
	p->n_dead = kept;
}

static void
child_stop(struct child *c)
{
	struct pool *p = c->pool;

	if (!child_is_there(c))
		return;
	loop_io_free(&c->io);
	loop_timer_clear(c->timer);
	fd_close(&c->fd);
	if (c->no != 0) {
		spawner_stop(p->cf.spawner, c->no);
	} else {
		(void)kill(c->pid, SIGKILL);
		p->dead = mem_realloc_array(p->dead, p->n_dead + 1, sizeof(*p->dead));
		p->dead[p->n_dead++] = c->pid;
	}
	c->pid = 0;
	c->no = 0;
	buf_fini_secret(&c->in);
	buf_fini_secret(&c->out);
	reap(p);
}

static void
job_free(struct pool_job *j)
{
	buf_fini_secret(&j->request);
	mem_free(&j);
}

static void
job_cancelled(struct pool_job *j)
{
	j->fn(j->arg, ST_CANCELLED, SPAN_NONE);
	job_free(j);
}

/* The child is free again; its job hears what came of it. */
static void
child_finished(struct child *c, enum status st, struct span reply)
{
	struct pool_job *j = c->job;

	c->job = NULL;
	c->busy = false;
	loop_timer_clear(c->timer);
	loop_task_post(c->pool->task);
	if (j != NULL) {
		j->fn(j->arg, st, reply);
		job_free(j);
	}
}

static void
child_died(struct child *c)
{
	child_stop(c);
	child_finished(c, ST_UNAVAILABLE, SPAN_NONE);
}

static void
child_late(void *arg)
{
	struct child *c = arg;

	LOG(NULL, WARN, "auth.pool.timeout", KV_STR("pool", c->pool->cf.name));
	child_died(c);
}

static void
child_write(struct child *c)
{
	while (c->out.len > 0) {
		ssize_t r = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			break;		/* full: later; gone: the reading side sees it */
		mem_wipe(c->out.data, (size_t)r);
		buf_drop(&c->out, (size_t)r);
	}
	if (c->out.len == 0)
		buf_fini_secret(&c->out);
	loop_io_set(c->io, LOOP_READ | (c->out.len > 0 ? LOOP_WRITE : 0));
}

static void
child_io(int fd, unsigned events, void *arg)
{
	struct child *c = arg;
	size_t n;
	ssize_t r;

	if ((events & LOOP_WRITE) != 0)
		child_write(c);
	if ((events & LOOP_READ) == 0)
		return;
	r = read(fd, buf_reserve(&c->in, FRAME_MAX), FRAME_MAX);
	if (r < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (r <= 0) {
		LOG(NULL, WARN, "auth.pool.died", KV_STR("pool", c->pool->cf.name));
		child_died(c);
		return;
	}
	buf_added(&c->in, (size_t)r);
	if (c->in.len < 5)
		return;
	n = get_be32(c->in.data);
	if (n < 1 || n > FRAME_MAX || c->in.len > n + 4) {
		child_died(c);
	} else if (c->in.len == n + 4) {
		struct buf got = c->in;		/* the callback may end the pool's use of c */

		c->in = (struct buf){ 0 };
		child_finished(c, (enum status)(uint8_t)got.data[4], span(got.data + 5, n - 1));
		buf_fini_secret(&got);
	}
}

static bool
child_give(struct child *c, struct pool_job *j)
{
	if (!child_is_there(c) && !child_start(c))
		return false;
	list_remove(&j->in);
	c->pool->waiting--;
	j->child = c;
	c->job = j;
	c->busy = true;
	put_u32(&c->out, (uint32_t)j->request.len);
	buf_add_span(&c->out, buf_span(&j->request));
	buf_fini_secret(&j->request);
	loop_timer_set(c->timer, c->pool->cf.timeout_ms);
	child_write(c);
	return true;
}

static void
on_task(void *arg)
{
	struct pool *p = arg;

	reap(p);
	for (uint32_t i = 0; i < p->cf.workers && !list_empty(&p->queue); i++) {
		struct child *c = &p->children[i];

		if (!c->busy && !child_give(c, list_entry(p->queue.next, struct pool_job, in))) {
			loop_timer_set(p->again, RESTART_MS);
			return;
		}
	}
}

struct pool *
pool_new(const struct pool_config *cf)
{
	struct pool *p = mem_zalloc(sizeof(*p));

	p->cf = *cf;
	if (p->cf.workers == 0)
		p->cf.workers = 1;
	list_init(&p->queue);
	p->task = loop_task_new(cf->loop, on_task, p);
	p->again = loop_timer_new(cf->loop, on_task, p);
	p->children = mem_array(p->cf.workers, sizeof(*p->children));
	for (uint32_t i = 0; i < p->cf.workers; i++) {
		struct child *c = &p->children[i];

		c->pool = p;
		c->fd = -1;
		c->timer = loop_timer_new(cf->loop, child_late, c);
		(void)child_start(c);
	}
	return p;
}

void
pool_free(struct pool **pp)
{
	struct pool *p = *pp;
	struct list *n, *tmp;

	*pp = NULL;
	if (p == NULL)
		return;
	for (uint32_t i = 0; i < p->cf.workers; i++) {
		struct child *c = &p->children[i];

		child_stop(c);
		loop_timer_free(&c->timer);
		if (c->job != NULL)
			job_cancelled(c->job);
	}
	for (size_t i = 0; i < p->n_dead; i++)
		(void)waitpid(p->dead[i], NULL, 0);
	list_each(n, tmp, &p->queue)
		job_cancelled(list_entry(n, struct pool_job, in));
	loop_task_free(&p->task);
	loop_timer_free(&p->again);
	mem_free(&p->children);
	mem_free(&p->dead);
	mem_free(&p);
}

static struct pool_job *
submit(struct pool *p, struct buf *request, pool_done_fn fn, void *arg)
{
	struct pool_job *j;

	if (p->waiting >= p->cf.queue || request->len > FRAME_MAX) {
		buf_fini_secret(request);
		return NULL;
	}
	j = mem_zalloc(sizeof(*j));
	j->pool = p;
	j->request = *request;
	j->fn = fn;
	j->arg = arg;
	list_push_back(&p->queue, &j->in);
	p->waiting++;
	loop_task_post(p->task);
	return j;
}

struct pool_job *
pool_verify(struct pool *p, struct span hash, struct span password, pool_done_fn fn, void *arg)
{
	struct buf b = { 0 };

	put_u8(&b, WHAT_VERIFY);
	put_span(&b, hash);
	put_span(&b, password);
	return submit(p, &b, fn, arg);
}

struct pool_job *
pool_make(struct pool *p, const struct hash_params *hp, struct span password, pool_done_fn fn,
    void *arg)
{
	struct buf b = { 0 };

	put_u8(&b, WHAT_MAKE);
	put_u8(&b, hp->kind);
	put_u32(&b, hp->memory_kib);
	put_u32(&b, hp->passes);
	put_u32(&b, hp->cost);
	put_u32(&b, hp->scram_iterations);
	put_span(&b, password);
	return submit(p, &b, fn, arg);
}

struct pool_job *
pool_pam(struct pool *p, const char *service, struct span user, struct span password,
    struct span peer, pool_done_fn fn, void *arg)
{
	struct buf b = { 0 };

	put_u8(&b, WHAT_PAM);
	put_span(&b, span_str(service));
	put_span(&b, user);
	put_span(&b, password);
	put_span(&b, peer);
	return submit(p, &b, fn, arg);
}

void
pool_cancel(struct pool_job **jp)
{
	struct pool_job *j = *jp;

	*jp = NULL;
	if (j == NULL)
		return;
	if (j->child != NULL) {
		j->child->job = NULL;	/* its child ends the work and is free then */
	} else {
		list_remove(&j->in);
		j->pool->waiting--;
	}
	job_free(j);
}

void
pool_set_queue(struct pool *p, uint32_t queue)
{
	p->cf.queue = queue;
}

uint32_t
pool_waiting(const struct pool *p)
{
	return p->waiting;
}

static void
get_scram(struct reader *r, struct pool_scram *s)
{
	s->salt = get_span(r);
	s->stored_key = get_span(r);
	s->server_key = get_span(r);
}

bool
pool_made_decode(struct span reply, struct pool_made *made)
{
	struct reader r;

	*made = (struct pool_made){ 0 };
	reader_init(&r, reply.p, reply.len);
	made->hash = get_span(&r);
	if (reader_left(&r) > 0) {
		get_scram(&r, &made->sha1);
		get_scram(&r, &made->sha256);
	}
	return reader_done(&r);
}
