#include "admind/client.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/json/writer.h"
#include "common/util/mem.h"

#define FILES_MAX 4		/* commands of one client that take a file */

struct client {
	struct list		in;
	struct admind		*admind;
	struct ipc		*ipc;
	struct loop_task	*resume;
	struct list		requests;
	size_t			n_requests, n_files;
	uint64_t		idle_ms;	/* when it has had nothing to do for too long */
	uint32_t		uid;
	int32_t			pid;
};

/* Commands ------------------------------------------------------------------ */

/* What the audit line names: the first of these that is there. */
static void
find_target(struct request *rq)
{
	static const char *const keys[] = { "address", "alias", "domain", "group", "user", "conn",
	    "peer" };
	struct span s;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (json_get_string(rq->args, keys[i], &s)) {
			s = span_sub(s, 0, sizeof(rq->target) - 1);
			memcpy(rq->target, s.p, s.len);
			return;
		}
}

void
request_changed(struct request *rq, const char *change, const char *of, enum status st)
{
	LOG(NULL, INFO, "admin.change", KV_UINT("uid", rq->client->uid),
	    KV_INT("pid", rq->client->pid), KV_STR("change", change), KV_STR("of", of),
	    KV_STR("target", rq->target), KV_STR("id", rq->id), KV_STATUS(st));
}

static void
request_free(struct request *rq, enum status st)
{
	struct client *c = rq->client;

	LOG(NULL, INFO, "admin.command", KV_UINT("uid", c->uid), KV_INT("pid", c->pid),
	    KV_STR("command", rq->command->name), KV_STR("target", rq->target),
	    KV_STR("id", rq->id), KV_STATUS(st));
	if (rq->stop != NULL)
		rq->stop(rq);
	auth_lookup_cancel(&rq->lookup);
	store_ask_cancel(&rq->ask);
	list_remove(&rq->in);
	c->n_requests--;
	if (rq->command->data != NULL)
		c->n_files--;
	json_free(&rq->doc);
	buf_fini_secret(&rq->text);
	mem_free(&rq);
}

void
request_done(struct request *rq, enum status st, struct span json)
{
	struct client *c = rq->client;
	struct admin_result is = { json };

	if (rq->data_head.req != 0)
		ipc_reply(c->ipc, &rq->data_head, ST_CANCELLED, 0, NULL);
	ipc_reply(c->ipc, &rq->head, st, ADMIN_RESULT, &is);
	request_free(rq, st);
	c->idle_ms = loop_now_ms(c->admind->loop) + CLIENT_IDLE_MS;
	loop_task_post(c->resume);
}

static void put_error(struct buf *out, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

static void
put_error(struct buf *out, const char *fmt, va_list ap)
{
	struct buf line = { 0 };
	struct json_writer w;

	buf_vaddf(&line, fmt, ap);
	json_writer_init(&w, out);
	json_begin_object(&w);
	json_kv_string(&w, "error", buf_span(&line));
	json_end_object(&w);
	buf_fini(&line);
}

void
request_fail(struct request *rq, enum status st, const char *fmt, ...)
{
	struct buf out = { 0 };
	va_list ap;

	va_start(ap, fmt);
	put_error(&out, fmt, ap);
	va_end(ap);
	request_done(rq, st, buf_span(&out));
	buf_fini(&out);
}

void
request_touch(struct request *rq)
{
	rq->deadline_ms = loop_now_ms(rq->admind->loop) + REQUEST_TIME_MS;
}

void
request_patient(struct request *rq)
{
	rq->deadline_ms = UINT64_MAX;
}

void
request_relayed(struct request *rq, const struct ipc_head *head, enum status st, bool more,
    const struct admin_store_is *is)
{
	struct ipc *ipc = rq->client->ipc;

	if (more)
		ipc_reply_more(ipc, head, ADMIN_STORE_IS, is);
	else
		ipc_reply(ipc, head, st, is != NULL ? ADMIN_STORE_IS : 0, is);
}

void
request_part(struct request *rq, struct span json)
{
	struct admin_result r = { json };

	request_touch(rq);
	ipc_reply_more(rq->client->ipc, &rq->head, ADMIN_RESULT, &r);
}

void
request_progress(struct request *rq, uint64_t done, uint64_t total)
{
	struct admin_progress p = { done, total };

	request_touch(rq);
	ipc_reply_more(rq->client->ipc, &rq->head, ADMIN_PROGRESS, &p);
}

void
request_took(struct request *rq)
{
	struct ipc_head h = rq->data_head;

	if (h.req == 0)
		return;
	rq->data_head.req = 0;
	ipc_reply(rq->client->ipc, &h, ST_OK, 0, NULL);
	loop_task_post(rq->client->resume);
}

/* The client -----------------------------------------------------------------*/

static void
client_free(struct client *c)
{
	struct admind *a = c->admind;
	struct list *n, *tmp;

	list_each(n, tmp, &c->requests)
		request_free(list_entry(n, struct request, in), ST_CANCELLED);
	list_remove(&c->in);
	loop_task_free(&c->resume);
	ipc_free(&c->ipc);
	mem_free(&c);
	a->n_clients--;
	if (a->listener != NULL && a->n_clients < CLIENTS_MAX)
		listener_resume(a->listener);
}

static void
on_closed(struct ipc *ipc, void *arg)
{
	client_free(arg);
}

static void
refuse(struct client *c, const struct ipc_head *head, enum status st, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static void
refuse(struct client *c, const struct ipc_head *head, enum status st, const char *fmt, ...)
{
	struct admin_result is;
	struct buf out = { 0 };
	va_list ap;

	va_start(ap, fmt);
	put_error(&out, fmt, ap);
	va_end(ap);
	is.json = buf_span(&out);
	ipc_reply(c->ipc, head, st, ADMIN_RESULT, &is);
	buf_fini(&out);
}

/* The request whose file comes on this channel. */
static struct request *
find_file(struct client *c, uint32_t chan)
{
	struct list *n, *tmp;

	list_each(n, tmp, &c->requests) {
		struct request *rq = list_entry(n, struct request, in);

		if (rq->command->data != NULL && rq->head.chan == chan)
			return rq;
	}
	return NULL;
}

static void
run(struct client *c, const struct ipc_head *head, const struct admin_run *run)
{
	const struct admin_command *cmd = command_find(run->command);
	struct request *rq;

	if (cmd == NULL) {
		refuse(c, head, ST_UNSUPPORTED, "there is no command \"%.*s\"",
		    (int)run->command.len, run->command.p);
		return;
	}
	if (cmd->data != NULL && (head->chan == 0 || find_file(c, head->chan) != NULL)) {
		refuse(c, head, ST_SYNTAX, "%s needs a channel of its own", cmd->name);
		return;
	}
	if (cmd->data != NULL && c->n_files >= FILES_MAX) {
		refuse(c, head, ST_LIMIT, "too many files at a time");
		return;
	}
	rq = mem_zalloc(sizeof(*rq));
	rq->client = c;
	rq->admind = c->admind;
	rq->command = cmd;
	rq->head = *head;
	snprintf(rq->id, sizeof(rq->id), "%llx-%llx",
	    (unsigned long long)(c->admind->hello.generation & 0xffffffffff),
	    (unsigned long long)(++c->admind->ids & 0xffffffff));
	list_push_back(&c->requests, &rq->in);
	c->n_files += cmd->data != NULL;
	if (++c->n_requests >= ADMIN_REQUESTS_MAX)
		ipc_pause(c->ipc, true);
	request_touch(rq);
	if (run->args.len > 0)
		buf_add_span(&rq->text, run->args);
	else
		buf_add_str(&rq->text, "{}");
	if (json_parse(buf_span(&rq->text), ADMIN_ARGS_MAX, &rq->doc) != ST_OK ||
	    !json_is_object(json_root(rq->doc))) {
		request_fail(rq, ST_SYNTAX, "the arguments are no JSON object");
		return;
	}
	rq->args = json_root(rq->doc);
	find_target(rq);
	cmd->run(rq);
}

static void
take_data(struct client *c, const struct ipc_head *head, const struct admin_data *d)
{
	struct request *rq = find_file(c, head->chan);

	if (rq == NULL) {		/* it ended while this was on its way */
		ipc_reply(c->ipc, head, ST_CANCELLED, 0, NULL);
		return;
	}
	/* a second piece before the first was taken: memory stays one piece */
	if (rq->data_head.req != 0) {
		ipc_reply(c->ipc, head, ST_LIMIT, 0, NULL);
		request_fail(rq, ST_LIMIT, "the file comes faster than it is taken");
		return;
	}
	rq->data_head = *head;
	request_touch(rq);
	rq->command->data(rq, d->data, d->last);
}

static void
take_store(struct client *c, const struct ipc_head *head, const struct admin_store *ask)
{
	struct request *rq = find_file(c, head->chan);

	if (rq == NULL || rq->relay == NULL)
		ipc_reply(c->ipc, head, ST_CANCELLED, 0, NULL);
	else
		rq->relay(rq, head, ask);
}

static void
on_request(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *head,
    const void *msg, void *arg)
{
	struct client *c = arg;

	if (m->no == ADMIN_RUN)
		run(c, head, msg);
	else if (m->no == ADMIN_STORE)
		take_store(c, head, msg);
	else
		take_data(c, head, msg);
}

/* From the loop and not from request_done(): reading on may end the client. */
static void
on_resume(void *arg)
{
	struct client *c = arg;

	if (c->n_requests < ADMIN_REQUESTS_MAX)
		ipc_pause(c->ipc, false);
}

void
client_start(struct admind *a, int fd)
{
	struct client *c = mem_zalloc(sizeof(*c));
	const struct ipc_config cf = { .loop = a->loop, .protocol = &admin_protocol,
	    .peer = "mansioctl", .allowed = ADMIN_CLIENT, .request = on_request,
	    .closed = on_closed, .arg = c };
	struct ucred cred = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0) {
		LOG(NULL, ERROR, "admin.peer", KV_ERRNO(errno));
		close(fd);
		mem_free(&c);
		return;
	}
	c->admind = a;
	c->uid = cred.uid;
	c->pid = cred.pid;
	c->idle_ms = loop_now_ms(a->loop) + CLIENT_IDLE_MS;
	list_init(&c->requests);
	c->resume = loop_task_new(a->loop, on_resume, c);
	c->ipc = ipc_new(&cf, fd);
	list_push_back(&a->clients, &c->in);
	if (++a->n_clients >= CLIENTS_MAX)
		listener_pause(a->listener);
}

void
client_tick_all(struct admind *a)
{
	uint64_t now = loop_now_ms(a->loop);
	struct list *n, *tmp, *k, *ktmp;

	list_each(n, tmp, &a->clients) {
		struct client *c = list_entry(n, struct client, in);

		list_each(k, ktmp, &c->requests) {
			struct request *rq = list_entry(k, struct request, in);

			if (rq->deadline_ms <= now)
				request_fail(rq, ST_UNAVAILABLE, "no answer within %u seconds",
				    REQUEST_TIME_MS / 1000);
		}
		if (c->n_requests == 0 && c->idle_ms <= now)
			client_free(c);
	}
}

void
client_free_all(struct admind *a)
{
	struct list *n, *tmp;

	list_each(n, tmp, &a->clients)
		client_free(list_entry(n, struct client, in));
}
