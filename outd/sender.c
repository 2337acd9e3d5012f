#include "outd/sender.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/util/fd.h"
#include "common/util/fd_pass.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "outd/launcher.h"

#define WINDOW		(128u << 10)	/* bytes of a body that may wait here */
#define SAID_MAX	512u		/* of what the program writes */

struct sender {
	struct loop		*loop;
	char			*name;		/* "sendmail" */
	uint32_t		 at_a_time, time_s;
	int			 fd;		/* to the launcher */
	struct loop_io		*io;
	struct list		 runs, waiting;	/* struct run; letters */
	unsigned		 n_runs;
	uint32_t		 last_id;
};

struct run {
	struct list		 in;
	struct sender		*x;
	uint32_t		 id;
	struct letter		*letter;	/* NULL: nobody waits for it any more */
	int			 input, output;
	struct loop_io		*input_io, *output_io;
	struct buf		 out, said;
	uint32_t		 wanted;
	bool			 cr;		/* the last byte was CR, and was not written yet */
	bool			 whole;		/* all of the body came */
	bool			 ended;		/* and was written: the input is over */
	bool			 bad;		/* it may not end */
};

static void run_next(struct sender *x);

/* Orders ------------------------------------------------------------------------- */

static bool
order(struct sender *x, const struct launch_order *o, struct span args, const int fds[3])
{
	struct iovec iov[2] = { { (void *)o, sizeof(*o) }, { (void *)args.p, args.len } };

	return fd_send(x->fd, iov, args.len > 0 ? 2 : 1, fds, fds != NULL ? 3 : 0, 0);
}

static void
order_for(struct run *r, uint32_t what)
{
	const struct launch_order o = { what, r->id, 0 };

	/* few orders are ever under way: a full socket is a launcher that is stuck */
	if (!order(r->x, &o, SPAN_NONE, NULL)) {
		LOG(NULL, FATAL, "sender.launcher", KV_ERRNO(errno));
		exit(1);
	}
}

/* A run -------------------------------------------------------------------------- */

static void
run_free(struct run *r)
{
	list_remove(&r->in);
	r->x->n_runs--;
	loop_io_free(&r->input_io);
	loop_io_free(&r->output_io);
	fd_close(&r->input);
	fd_close(&r->output);
	buf_fini_secret(&r->out);
	buf_fini(&r->said);
	mem_free(&r);
}

/* The last line that the program wrote, in printable ASCII. */
static void
last_words(const struct run *r, char *out, size_t size)
{
	struct span rest = span_trim(buf_span(&r->said)), line = SPAN_NONE;
	size_t n = 0;

	while (rest.p != NULL)
		line = span_cut(&rest, '\n');
	for (size_t i = 0; i < line.len && n + 1 < size; i++)
		out[n++] = line.p[i] >= ' ' && line.p[i] < 0x7f ? line.p[i] : '?';
	out[n] = '\0';
}

enum out_how
sender_how(uint32_t code)
{
	switch (code) {
	case EX_OK:
		return OUT_SENT;
	case EX_USAGE:
	case EX_DATAERR:
	case EX_NOUSER:
	case EX_NOHOST:
	case EX_UNAVAILABLE:
	case EX_NOPERM:
		return OUT_REFUSED;
	default:
		return OUT_LATER;
	}
}

static void
read_output(struct run *r)
{
	char some[1024];
	ssize_t n;

	while (r->output >= 0 && (n = read(r->output, some, sizeof(some))) != 0) {
		if (n < 0)
			return;
		if (r->said.len > SAID_MAX)	/* the end is what counts */
			buf_drop(&r->said, r->said.len - SAID_MAX);
		buf_add(&r->said, some, (size_t)n);
	}
	loop_io_free(&r->output_io);
}

/* The launcher says that the program has ended. */
static void
on_ended(struct run *r, const struct launch_answer *a)
{
	struct sender *x = r->x;
	struct letter *l = r->letter;
	enum out_how how = a->how == LAUNCH_EXITED ? sender_how(a->code) : OUT_LATER;
	bool unsent = a->how == LAUNCH_EXITED || !r->ended;
	char why[OUT_WHY_MAX + 1], words[160];

	read_output(r);
	last_words(r, words, sizeof(words));
	if (a->how == LAUNCH_LATE)
		snprintf(why, sizeof(why), "%.60s did not end in time", x->name);
	else if (r->bad)
		snprintf(why, sizeof(why), "its text could not be read whole");
	else if (a->how == LAUNCH_KILLED)
		snprintf(why, sizeof(why), "%.60s was killed", x->name);
	else if (how == OUT_SENT && !r->ended)
		snprintf(why, sizeof(why), "%.60s ended before the message did", x->name);
	else
		snprintf(why, sizeof(why), "%.60s: exit code %u%s%s", x->name, a->code,
		    words[0] != '\0' ? ": " : "", words);
	if (how == OUT_SENT && !r->ended)
		how = OUT_LATER;
	run_free(r);
	if (l != NULL)
		letter_end(l, how, unsent && how != OUT_SENT, why);
	run_next(x);
}

static void
kill_run(struct run *r)
{
	if (!r->bad)
		order_for(r, LAUNCH_KILL);
	r->bad = true;
	buf_fini_secret(&r->out);
	loop_io_free(&r->input_io);	/* its end stays open: it must not look like the text's */
}

static void
want(struct run *r)
{
	if (r->letter == NULL || r->whole || r->bad || r->wanted > 0 || r->out.len > WINDOW / 2)
		return;
	r->wanted = WINDOW / 2;
	r->letter->wants(r->letter, r->wanted);
}

static void
write_input(struct run *r)
{
	while (r->out.len > 0) {
		ssize_t n = write(r->input, r->out.data, r->out.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {		/* it reads no more: its exit code will tell */
			loop_io_free(&r->input_io);
			buf_fini_secret(&r->out);
			return;
		}
		buf_drop(&r->out, (size_t)n);
	}
	loop_io_set(r->input_io, r->out.len > 0 ? LOOP_WRITE : 0);
	if (r->out.len == 0 && r->whole) {
		r->ended = true;
		order_for(r, LAUNCH_END_INPUT);
		loop_io_free(&r->input_io);
		fd_close(&r->input);
		return;
	}
	want(r);
}

static void
on_input(int fd, unsigned events, void *arg)
{
	write_input(arg);
}

static void
on_output(int fd, unsigned events, void *arg)
{
	read_output(arg);
}

/* CRLF becomes LF. */
static void
add_body(struct run *r, struct span s)
{
	size_t from = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (r->cr && s.p[i] != '\n')
			buf_add_c(&r->out, '\r');
		r->cr = s.p[i] == '\r';
		if (!r->cr)
			continue;
		buf_add(&r->out, s.p + from, i - from);
		from = i + 1;
	}
	if (from < s.len)
		buf_add(&r->out, s.p + from, s.len - from);
}

static void
body(struct letter *l, struct span bytes, bool last, bool bad)
{
	struct run *r = l->vehicle;

	if (bad || r->whole || bytes.len > r->wanted) {
		kill_run(r);
		return;
	}
	r->wanted -= (uint32_t)bytes.len;
	if (r->input_io == NULL)	/* it is being killed, or reads no more */
		return;
	add_body(r, bytes);
	if (last && r->cr)
		buf_add_c(&r->out, '\r');
	r->whole = last;
	write_input(r);
}

static void
drop(struct letter *l)
{
	struct run *r = l->vehicle;

	r->letter = NULL;
	if (!r->ended)
		kill_run(r);
}

static const struct carrier carrier = { body, drop };

/* Beginning ------------------------------------------------------------------------ */

static void
put_arg(struct buf *b, struct span s)
{
	buf_add_span(b, s);
	buf_add_c(b, '\0');
}

static void
put_args(const struct letter *l, struct buf *b)
{
	put_arg(b, SPAN_LIT("-oi"));
	put_arg(b, SPAN_LIT("-f"));
	put_arg(b, l->m.from.len > 0 ? l->m.from : SPAN_LIT("<>"));
	put_arg(b, SPAN_LIT("--"));
	for (size_t i = 0; i < l->n_rcpts; i++)
		put_arg(b, l->rcpts[i].to.address);
}

/* Ends of pipes: input to read and to write, the same of output; all of them open or none. */
static bool
make_pipes(int p[4])
{
	int fds[2];

	for (int i = 0; i < 4; i++)
		p[i] = -1;
	if (pipe2(fds, O_CLOEXEC) == 0) {
		p[0] = fds[0];
		p[1] = fds[1];
	}
	if (p[0] >= 0 && pipe2(fds, O_CLOEXEC) == 0) {
		p[2] = fds[0];
		p[3] = fds[1];
	}
	if (p[2] >= 0 && fd_nonblock(p[1]) && fd_nonblock(p[2]))
		return true;
	for (int i = 0; i < 4; i++)
		fd_close(&p[i]);
	return false;
}

static void
begin(struct sender *x, struct letter *l)
{
	const struct launch_order o = { LAUNCH_RUN, ++x->last_id, x->time_s };
	struct buf args = { 0 };
	struct run *r;
	int p[4], theirs[3];

	if (l->m.by == OUT_BY_RETURN || !make_pipes(p)) {
		bool by = l->m.by == OUT_BY_RETURN;

		letter_end(l, by ? OUT_REFUSED : OUT_LATER, true,
		    by ? "the program knows no time of delivery (DELIVERBY)" : "no pipe can be made");
		return;
	}
	theirs[0] = p[0];
	theirs[1] = p[1];
	theirs[2] = p[3];
	put_args(l, &args);
	if (args.len > LAUNCH_BYTES || !order(x, &o, buf_span(&args), theirs)) {
		for (int i = 0; i < 4; i++)
			fd_close(&p[i]);
		buf_fini(&args);
		letter_end(l, OUT_LATER, true, "the program cannot be started");
		return;
	}
	buf_fini(&args);
	fd_close(&p[0]);
	fd_close(&p[3]);
	r = mem_zalloc(sizeof(*r));
	r->x = x;
	r->id = o.id;
	r->letter = l;
	r->input = p[1];
	r->output = p[2];
	r->input_io = loop_io_new(x->loop, p[1], 0, on_input, r);
	r->output_io = loop_io_new(x->loop, p[2], LOOP_READ, on_output, r);
	list_push_back(&x->runs, &r->in);
	x->n_runs++;
	l->carrier = &carrier;
	l->vehicle = r;
	want(r);
}

static void
waiting_drop(struct letter *l)
{
	list_remove(&l->in);
}

static const struct carrier waiting_carrier = { NULL, waiting_drop };

static void
run_next(struct sender *x)
{
	while (x->n_runs < x->at_a_time && !list_empty(&x->waiting)) {
		struct letter *l = list_entry(x->waiting.next, struct letter, in);

		list_remove(&l->in);
		begin(x, l);
	}
}

void
sender_send(struct sender *x, struct letter *l)
{
	l->carrier = &waiting_carrier;
	list_push_back(&x->waiting, &l->in);
	run_next(x);
}

/* The launcher --------------------------------------------------------------------- */

static void
on_answer(int fd, unsigned events, void *arg)
{
	struct sender *x = arg;
	struct launch_answer a;
	ssize_t n = recv(fd, &a, sizeof(a), 0);
	struct list *e, *tmp;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != sizeof(a)) {
		LOG(NULL, FATAL, "sender.launcher", KV_STR("why", "it is gone"));
		exit(1);
	}
	list_each(e, tmp, &x->runs)
		if (list_entry(e, struct run, in)->id == a.id) {
			on_ended(list_entry(e, struct run, in), &a);
			return;
		}
}

void
sender_configure(struct sender *x, const struct conf_outgoing *c)
{
	x->at_a_time = c->connections < LAUNCH_RUNS_MAX ? c->connections : LAUNCH_RUNS_MAX;
	x->time_s = c->program_time_s;
}

struct sender *
sender_new(struct loop *l, const struct conf_outgoing *c)
{
	struct sender *x = mem_zalloc(sizeof(*x));
	const char *slash = strrchr(c->program, '/');

	x->loop = l;
	x->name = mem_strdup(slash != NULL ? slash + 1 : c->program);
	list_init(&x->runs);
	list_init(&x->waiting);
	sender_configure(x, c);
	x->fd = launcher_start(c->program);
	if (x->fd < 0) {
		LOG(NULL, ERROR, "sender.launcher", KV_ERRNO(errno));
		sender_free(&x);
		return NULL;
	}
	x->io = loop_io_new(l, x->fd, LOOP_READ, on_answer, x);
	return x;
}

void
sender_free(struct sender **xp)
{
	struct sender *x = *xp;

	*xp = NULL;
	if (x == NULL)
		return;
	while (!list_empty(&x->runs))
		run_free(list_entry(x->runs.next, struct run, in));
	loop_io_free(&x->io);
	fd_close(&x->fd);
	mem_free(&x->name);
	mem_free(&x);
}
