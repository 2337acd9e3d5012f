/* One pipe to the program, one from it, both without blocking: what it has written is taken
 * away while it is fed, so that neither waits for the other. */
#include "indexd/extract.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/mime/charset.h"
#include "common/util/arena.h"
#include "common/util/clock.h"
#include "common/util/fd.h"
#include "common/util/fd_pass.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "indexd/runner.h"

#define GRACE_MS 5000u		/* the runner's, to end a program that is late */

struct extract {
	struct arena		mem;
	struct conf_extractor	*v;
	size_t			n, output_max;
	uint32_t		time_s;
	int			runner;
	/* the program that runs */
	bool			runs;
	int			in, out;	/* -1: closed */
	uint64_t		begun_ms, end_ms;
	uint64_t		spent_ms;	/* for this message */
	struct buf		raw;
};

struct extract *
extract_new(const struct conf_indexd *conf)
{
	struct extract *x;
	struct runner_limits limits = { conf->extractor_time_s, conf->extractor_memory_bytes };

	if (conf->extractors.n == 0)
		return NULL;
	x = mem_zalloc(sizeof(*x));
	x->v = mem_array(conf->extractors.n, sizeof(*x->v));
	x->in = x->out = -1;
	x->output_max = conf->extractor_output_bytes;
	x->time_s = conf->extractor_time_s;
	for (size_t i = 0; i < conf->extractors.n; i++) {
		if (!conf_extractor(conf->extractors.v[i], &x->mem, &x->v[x->n]))
			continue;	/* refused when it was read */
		if (access(x->v[x->n].argv[0], X_OK) != 0)
			LOG(NULL, WARN, "index.extractor", KV_STR("program", x->v[x->n].argv[0]),
			    KV_ERRNO(errno));
		x->n++;
	}
	x->runner = runner_start(x->v, x->n, &limits);
	if (x->runner < 0) {
		LOG(NULL, ERROR, "index.extractors", KV_STR("why", "their sandbox cannot be made"));
		extract_free(&x);
	}
	return x;
}

void
extract_free(struct extract **xp)
{
	struct extract *x = *xp;

	*xp = NULL;
	if (x == NULL)
		return;
	fd_close(&x->in);
	fd_close(&x->out);
	fd_close(&x->runner);
	buf_fini(&x->raw);
	mem_free(&x->v);
	arena_fini(&x->mem);
	mem_free(&x);
}

/* The runner ------------------------------------------------------------------------ */

static void
runner_lost(void)
{
	LOG(NULL, FATAL, "index.runner", KV_STR("why", "it ended"));
	exit(1);		/* its rights are gone with it: the monitor starts all anew */
}

static void
send_order(struct extract *x, uint32_t what, size_t index, int in, int out)
{
	struct runner_order o = { what, (uint32_t)index };
	const struct iovec iov = { &o, sizeof(o) };
	const int fds[2] = { in, out };

	if (!fd_send(x->runner, &iov, 1, fds, in >= 0 ? 2 : 0, 0))
		runner_lost();
}

/* How the program ended; it is ended when that takes too long. */
static uint32_t
outcome(struct extract *x)
{
	struct pollfd p = { x->runner, POLLIN, 0 };
	struct runner_answer a;
	uint64_t now = clock_mono_ms(), end = x->end_ms + GRACE_MS;
	ssize_t n;

	while (now < end && poll(&p, 1, (int)(end - now)) <= 0)
		now = clock_mono_ms();
	if (p.revents == 0)
		send_order(x, RUNNER_STOP, 0, -1, -1);
	do {
		n = recv(x->runner, &a, sizeof(a), 0);
	} while (n < 0 && errno == EINTR);
	if (n != sizeof(a))
		runner_lost();
	return a.how;
}

/* The program ------------------------------------------------------------------------ */

static bool
matches(const struct conf_extractor *e, struct span type, struct span subtype)
{
	size_t slash = span_find(e->type, '/');
	struct span sub = span_sub(e->type, slash + 1, e->type.len);

	return span_caseeq(span_sub(e->type, 0, slash), type) &&
	    (span_eq_str(sub, "*") || span_caseeq(sub, subtype));
}

void
extract_next(struct extract *x)
{
	x->spent_ms = 0;
}

static bool
unblock(int fd)
{
	return fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
}

bool
extract_begin(struct extract *x, struct span type, struct span subtype)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 };
	size_t i = 0;

	if (x->spent_ms >= (uint64_t)x->time_s * 1000)
		return false;
	while (i < x->n && !matches(&x->v[i], type, subtype))
		i++;
	if (i == x->n)
		return false;
	if (x->runs)
		extract_abort(x);
	if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || !unblock(in[1]) ||
	    !unblock(out[0])) {
		LOG(NULL, ERROR, "index.extractor", KV_ERRNO(errno));
		fd_close(&in[0]);
		fd_close(&in[1]);
		return false;
	}
	send_order(x, RUNNER_RUN, i, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	x->in = in[1];
	x->out = out[0];
	x->runs = true;
	x->begun_ms = clock_mono_ms();
	x->end_ms = x->begun_ms + (uint64_t)x->time_s * 1000;
	buf_clear(&x->raw);
	return true;
}

static void
take_output(struct extract *x)
{
	char bytes[16384];
	ssize_t n = read(x->out, bytes, sizeof(bytes));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		buf_add(&x->raw, bytes, (size_t)n < x->output_max - x->raw.len ? (size_t)n :
		    x->output_max - x->raw.len);
	if (n <= 0 || x->raw.len == x->output_max)
		fd_close(&x->out);	/* it need write no more */
}

static void
give_input(struct extract *x, struct span *content)
{
	ssize_t n = write(x->in, content->p, content->len);

	if (n > 0)
		*content = span_sub(*content, (size_t)n, content->len);
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		fd_close(&x->in);	/* it reads no more */
}

/* Waits for either pipe; false: the time is over. */
static bool
turn(struct extract *x, struct span *content)
{
	struct pollfd p[2] = { { content->len > 0 ? x->in : -1, POLLOUT, 0 },
	    { x->out, POLLIN, 0 } };
	uint64_t now = clock_mono_ms();

	if (now >= x->end_ms)
		return false;
	if (poll(p, 2, (int)(x->end_ms - now)) <= 0)
		return true;
	if (p[1].revents != 0)
		take_output(x);
	if (p[0].revents != 0)
		give_input(x, content);
	return true;
}

void
extract_feed(struct extract *x, struct span content)
{
	while (x->runs && content.len > 0 && x->in >= 0 && turn(x, &content))
		;
}

void
extract_abort(struct extract *x)
{
	if (!x->runs)
		return;
	x->runs = false;
	fd_close(&x->in);
	fd_close(&x->out);
	send_order(x, RUNNER_STOP, 0, -1, -1);
	(void)outcome(x);
	buf_clear(&x->raw);
}

bool
extract_end(struct extract *x, struct buf *text)
{
	struct span none = SPAN_NONE;
	struct buf utf8 = { 0 };
	uint32_t how;

	fd_close(&x->in);
	while (x->out >= 0 && turn(x, &none))
		;
	fd_close(&x->out);
	how = outcome(x);
	x->runs = false;
	x->spent_ms += clock_mono_ms() - x->begun_ms;
	/* one that had more to write than is wanted died of that, and was of use */
	if (how == RUN_WELL || (how == RUN_FAILED && x->raw.len == x->output_max)) {
		mime_charset_utf8(SPAN_LIT("utf-8"), buf_span(&x->raw), &utf8);
		mime_casemap(buf_span(&utf8), text);
		buf_add_c(text, '\n');
		how = RUN_WELL;
	}
	buf_fini(&utf8);
	buf_fini(&x->raw);
	return how == RUN_WELL;
}
