#include "ctl/mail.h"

#include <stdalign.h>
#include <stdio.h>

#include "common/util/clock.h"
#include "common/util/mem.h"
#include "common/worker/admin_proto.h"

#define FRESH_S 240		/* tickets live longer */

struct ctl_mail {
	struct ctl		*ctl;
	struct ctl_client	*client;
	const char		*command, *key;
	char			*address;
	uint32_t		chan;
	uint64_t		opened_s;
	bool			keep;
	bool			lost;		/* the connection */
	bool			ready, over;	/* account-open: began, was answered */
	enum status		st;
	struct buf		why;
	/* the question under way */
	enum status		asked;
	ctl_mail_fn		fn;
	void			*arg;
};

static void
on_open(void *arg, enum status st, bool more, const struct ipc_message *im, const void *msg)
{
	struct ctl_mail *m = arg;

	if (more) {
		m->ready = true;
		return;
	}
	m->over = true;
	m->st = st;
	buf_clear(&m->why);
	if (im != NULL && im->no == ADMIN_RESULT)
		buf_add_span(&m->why, ((const struct admin_result *)msg)->json);
}

/* A part counts as an answer, not as the end: waits for either. */
static bool
wait_ready(struct ctl_mail *m)
{
	while (!m->ready && !m->over && !m->lost)
		if (!ctl_step(m->client, CTL_PATIENCE_S))
			m->lost = true;
	return !m->lost;
}

static bool
open_account(struct ctl_mail *m)
{
	struct buf args = { 0 };
	struct admin_run run = { span_str(m->command), SPAN_NONE };

	ctl_args(&args, m->key, m->address, NULL);
	run.args = buf_span(&args);
	m->chan++;
	m->ready = m->over = false;
	m->opened_s = clock_mono_ms() / 1000;
	ctl_request(m->client, m->chan, ADMIN_RUN, &run, on_open, m);
	buf_fini(&args);
	return wait_ready(m);
}

static void
on_taken(void *arg, enum status st, struct span text)
{
}

static bool
close_account(struct ctl_mail *m)
{
	if (!m->ready || m->over)
		return true;
	ctl_send_data(m->client, m->chan, SPAN_NONE, true, on_taken, NULL);
	m->lost = !ctl_wait(m->client, 0, CTL_PATIENCE_S);
	return !m->lost;
}

static struct ctl_mail *
open_as(struct ctl *ctl, const char *command, const char *key, const char *address, int *rc)
{
	struct ctl_mail *m = mem_zalloc(sizeof(*m));

	m->ctl = ctl;
	m->command = command;
	m->key = key;
	m->address = span_dup(span_str(address));
	if ((m->client = ctl_connect(ctl, rc)) == NULL) {
		ctl_mail_close(&m);
	} else if (!open_account(m)) {
		*rc = CTL_UNREACHABLE;
		ctl_mail_close(&m);
	} else if (m->over) {
		*rc = ctl_failed(ctl, m->st, buf_span(&m->why));
		ctl_mail_close(&m);
	}
	return m;
}

struct ctl_mail *
ctl_mail_open(struct ctl *ctl, const char *address, int *rc)
{
	return open_as(ctl, "account-open", "address", address, rc);
}

struct ctl_mail *
ctl_mail_open_shard(struct ctl *ctl, const char *shard, int *rc)
{
	struct ctl_mail *m = open_as(ctl, "backup-open", "shard", shard, rc);

	if (m != NULL)
		m->keep = true;
	return m;
}

void
ctl_mail_close(struct ctl_mail **mp)
{
	struct ctl_mail *m = *mp;

	if (m == NULL)
		return;
	if (m->client != NULL && !m->lost)
		(void)close_account(m);
	ctl_disconnect(&m->client);
	mem_free(&m->address);
	buf_fini(&m->why);
	mem_free(mp);
}

const char *
ctl_mail_address(const struct ctl_mail *m)
{
	return m->address;
}

struct ctl_client *
ctl_mail_client(struct ctl_mail *m)
{
	return m->client;
}

void
ctl_mail_keep(struct ctl_mail *m, bool keep)
{
	m->keep = keep;
}

static void
on_part(void *arg, enum status st, bool more, const struct ipc_message *im, const void *msg)
{
	alignas(max_align_t) char out[IPC_STRUCT_MAX];
	const struct admin_store_is *is = msg;
	const struct ipc_message *want;
	struct ctl_mail *m = arg;

	if (!more)
		m->asked = st;
	if (im == NULL || im->no != ADMIN_STORE_IS || m->fn == NULL)
		return;
	want = ipc_find(&store_protocol, (uint16_t)is->no);
	if (want == NULL || ipc_decode(want, is->body, out) != ST_OK)
		m->asked = ST_BUG;
	else
		m->fn(m->arg, out);
}

enum status
ctl_mail_ask(struct ctl_mail *m, uint16_t no, const void *rq, ctl_mail_fn fn, void *arg)
{
	struct admin_store ask = { no, SPAN_NONE };
	struct buf body = { 0 };

	if (m->lost)
		return ST_UNAVAILABLE;
	if (!m->keep && clock_mono_ms() / 1000 > m->opened_s + FRESH_S &&
	    (!close_account(m) || !open_account(m)))
		return ST_UNAVAILABLE;
	if (m->over) {
		ctl_failed(m->ctl, m->st, buf_span(&m->why));
		return ST_UNAVAILABLE;
	}
	ipc_encode(ipc_find(&store_protocol, no), rq, &body);
	ask.body = buf_span(&body);
	m->fn = fn;
	m->arg = arg;
	m->asked = ST_OK;
	ctl_request(m->client, m->chan, ADMIN_STORE, &ask, on_part, m);
	buf_fini(&body);
	m->lost = !ctl_wait(m->client, 1, CTL_PATIENCE_S);
	if (m->lost)
		return ST_UNAVAILABLE;
	if (m->over) {			/* it ended instead of the question */
		ctl_failed(m->ctl, m->st, buf_span(&m->why));
		return ST_UNAVAILABLE;
	}
	return m->asked;
}
