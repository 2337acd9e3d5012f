#include "ctl/client.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/ipc/ipc.h"
#include "common/util/fd.h"
#include "common/util/mem.h"
#include "common/worker/admin_proto.h"
#include "ctl/output.h"

#define CONNECT_S 5

struct ctl_client {
	struct loop		*loop;
	struct ipc		*ipc;
	struct loop_timer	*patience;
	unsigned		under_way;
	unsigned		answers;	/* since the last look */
	bool			gone, late;
};

struct question {
	struct ctl_client	*c;
	ctl_answer_fn		fn;
	ctl_part_fn		part;
	void			*arg;
};

/* Connecting ------------------------------------------------------------------- */

static int
dial(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct timeval limit = { CONNECT_S, 0 };
	int fd;

	if (strlen(path) >= sizeof(un.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(un.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0 ||
	    connect(fd, (void *)&un, sizeof(un)) != 0))
		fd_close(&fd);
	return fd;
}

static int
say_unreachable(const char *path)
{
	if (errno == EACCES || errno == EPERM)
		return ctl_error("%s: no right to ask the server: be root or in the group of "
		    "admin.group", path);
	if (errno == ENOENT || errno == ECONNREFUSED)
		ctl_error("%s: the server does not run", path);
	else
		ctl_error("%s: the server cannot be reached: %s", path, strerror(errno));
	return CTL_UNREACHABLE;
}

static void
on_closed(struct ipc *ipc, void *arg)
{
	struct ctl_client *c = arg;

	c->gone = true;
}

static void
on_patience(void *arg)
{
	struct ctl_client *c = arg;

	c->late = true;
}

struct ctl_client *
ctl_connect(struct ctl *ctl, int *rc)
{
	struct ipc_config cf = { .protocol = &admin_protocol, .peer = "admind",
	    .closed = on_closed };
	struct buf path = { 0 };
	struct ctl_client *c = NULL;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	ctl_socket(ctl, &path);
	fd = dial(buf_cstr(&path));
	if (fd < 0) {
		*rc = say_unreachable(buf_cstr(&path));
	} else {
		c = mem_zalloc(sizeof(*c));
		c->loop = cf.loop = loop_new();
		c->patience = loop_timer_new(c->loop, on_patience, c);
		cf.arg = c;
		c->ipc = ipc_new(&cf, fd);
	}
	buf_fini(&path);
	return c;
}

void
ctl_disconnect(struct ctl_client **cp)
{
	struct ctl_client *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	ipc_free(&c->ipc);
	loop_timer_free(&c->patience);
	loop_free(&c->loop);
	mem_free(&c);
}

/* Asking ----------------------------------------------------------------------- */

static void
on_answer(void *arg, const struct ipc_head *h, const struct ipc_message *m, const void *msg)
{
	struct question *q = arg;
	struct span text = SPAN_NONE;

	q->c->answers++;
	if (h->more)
		return;
	if (m != NULL && m->no == ADMIN_RESULT)
		text = ((const struct admin_result *)msg)->json;
	q->c->under_way--;
	q->fn(q->arg, h->status, text);
	mem_free(&q);
}

static struct question *
question(struct ctl_client *c, ctl_answer_fn fn, void *arg)
{
	struct question *q = mem_zalloc(sizeof(*q));

	*q = (struct question){ c, fn, NULL, arg };
	c->under_way++;
	return q;
}

void
ctl_ask(struct ctl_client *c, uint32_t chan, const char *command, struct span args,
    ctl_answer_fn fn, void *arg)
{
	struct admin_run run = { span_str(command), args };

	ipc_request(c->ipc, chan, ADMIN_RUN, &run, on_answer, question(c, fn, arg));
}

void
ctl_send_data(struct ctl_client *c, uint32_t chan, struct span data, bool last,
    ctl_answer_fn fn, void *arg)
{
	struct admin_data d = { data, last };

	ipc_request(c->ipc, chan, ADMIN_DATA, &d, on_answer, question(c, fn, arg));
}

static void
on_part(void *arg, const struct ipc_head *h, const struct ipc_message *m, const void *msg)
{
	struct question *q = arg;

	q->c->answers++;
	if (!h->more)
		q->c->under_way--;
	q->part(q->arg, h->status, h->more, m, msg);
	if (!h->more)
		mem_free(&q);
}

void
ctl_request(struct ctl_client *c, uint32_t chan, uint16_t no, const void *msg,
    ctl_part_fn fn, void *arg)
{
	struct question *q = question(c, NULL, arg);

	q->part = fn;
	ipc_request(c->ipc, chan, no, msg, on_part, q);
}

static bool
say_lost(struct ctl_client *c)
{
	if (c->gone)
		ctl_error("the server closed the connection");
	else if (c->late)
		ctl_error("the server does not answer");
	return !c->gone && !c->late;
}

bool
ctl_step(struct ctl_client *c, unsigned seconds)
{
	c->late = false;
	c->answers = 0;
	loop_timer_set(c->patience, (uint64_t)seconds * 1000);
	while (c->answers == 0 && !c->gone && !c->late)
		loop_once(c->loop, true);
	loop_timer_clear(c->patience);
	return say_lost(c);
}

bool
ctl_wait(struct ctl_client *c, unsigned under_way, unsigned seconds)
{
	while (c->under_way > under_way)
		if (!ctl_step(c, seconds))
			return false;
	return true;
}

struct one_answer {
	enum status	st;
	struct buf	*out;
};

static void
on_one(void *arg, enum status st, struct span text)
{
	struct one_answer *a = arg;

	a->st = st;
	buf_add_span(a->out, text);
}

bool
ctl_call(struct ctl_client *c, const char *command, struct span args, unsigned seconds,
    enum status *st, struct buf *out)
{
	struct one_answer a = { ST_UNAVAILABLE, out };

	ctl_ask(c, 0, command, args, on_one, &a);
	if (!ctl_wait(c, 0, seconds))
		return false;
	*st = a.st;
	return true;
}

int
ctl_failed(struct ctl *ctl, enum status st, struct span text)
{
	struct json_doc *doc = NULL;
	struct span why = span_str(status_name(st));

	if (json_parse(text, text.len, &doc) == ST_OK)
		(void)json_get_string(json_root(doc), "error", &why);
	ctl_error("%.*s", (int)why.len, why.p);
	if (ctl->json)
		printf("{\"error\":\"%s\",\"detail\":%.*s}\n", status_name(st),
		    doc != NULL ? (int)text.len : 4, doc != NULL ? text.p : "null");
	json_free(&doc);
	return st == ST_UNAVAILABLE ? CTL_UNREACHABLE : CTL_FAILED;
}

int
ctl_run(struct ctl *ctl, const char *command, struct span args, struct buf *out)
{
	int rc = CTL_OK;
	struct ctl_client *c = ctl_connect(ctl, &rc);
	enum status st;

	if (c == NULL)
		return rc;
	if (!ctl_call(c, command, args, CTL_PATIENCE_S, &st, out))
		rc = CTL_UNREACHABLE;
	else if (st != ST_OK)
		rc = ctl_failed(ctl, st, buf_span(out));
	ctl_disconnect(&c);
	return rc;
}

struct in_parts {
	const struct ctl_parts	*parts;
	enum status		st;
	struct buf		*out;
};

static void
on_run_part(void *arg, enum status st, bool more, const struct ipc_message *m, const void *msg)
{
	struct in_parts *a = arg;
	const struct admin_progress *at = msg;
	struct span json = SPAN_NONE;

	if (m != NULL && m->no == ADMIN_RESULT)
		json = ((const struct admin_result *)msg)->json;
	if (!more) {
		a->st = st;
		buf_add_span(a->out, json);
	} else if (json.len > 0) {
		a->parts->part(a->parts->arg, json);
	} else if (m != NULL && m->no == ADMIN_PROGRESS) {
		a->parts->progress(a->parts->arg, at->done, at->total);
	}
}

int
ctl_run_parts(struct ctl *ctl, const char *command, struct span args,
    const struct ctl_parts *parts, struct buf *out)
{
	int rc = CTL_OK;
	struct ctl_client *c = ctl_connect(ctl, &rc);
	const struct admin_run run = { span_str(command), args };
	struct in_parts a = { parts, ST_UNAVAILABLE, out };

	if (c == NULL)
		return rc;
	ctl_request(c, 0, ADMIN_RUN, &run, on_run_part, &a);
	if (!ctl_wait(c, 0, CTL_PATIENCE_S))
		rc = CTL_UNREACHABLE;
	else if (a.st != ST_OK)
		rc = ctl_failed(ctl, a.st, buf_span(out));
	ctl_disconnect(&c);
	return rc;
}

int
ctl_run_line(struct ctl *ctl, const char *command, const struct buf *args, struct buf *line)
{
	struct buf answer = { 0 };
	int rc = ctl_run(ctl, command, buf_span(args), &answer);

	if (rc == CTL_OK)
		rc = ctl->json ? ctl_print_json(buf_span(&answer)) : ctl_print(line);
	buf_fini(&answer);
	buf_fini(line);
	return rc;
}

int
ctl_run_show(struct ctl *ctl, const char *command, struct span args,
    void (*show)(struct buf *out, const struct json *answer))
{
	struct buf answer = { 0 }, out = { 0 };
	struct json_doc *doc = NULL;
	int rc = ctl_run(ctl, command, args, &answer);

	if (rc == CTL_OK && ctl->json) {
		rc = ctl_print_json(buf_span(&answer));
	} else if (rc == CTL_OK && json_parse(buf_span(&answer), ADMIN_RESULT_MAX, &doc) != ST_OK) {
		rc = ctl_error("the answer is not understood");
	} else if (rc == CTL_OK) {
		show(&out, json_root(doc));
		rc = ctl_print(&out);
	}
	json_free(&doc);
	buf_fini(&answer);
	buf_fini(&out);
	return rc;
}

void
ctl_args(struct buf *out, const char *key, ...)
{
	struct json_writer w;
	va_list ap;

	json_writer_init(&w, out);
	json_begin_object(&w);
	va_start(ap, key);
	while (key != NULL) {
		const char *value = va_arg(ap, const char *);

		if (value != NULL)
			json_kv_str(&w, key, value);
		key = va_arg(ap, const char *);
	}
	va_end(ap);
	json_end_object(&w);
}
