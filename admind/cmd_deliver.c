/* A message into an account, as lmtpd would bring it:
 *   deliver   address size?   address bytes
 * The text follows as data.  It goes through the rules of lmtpd: bare LF becomes CRLF, NUL
 * becomes 0x80, and so does its trace header. */
#include "admind/commands.h"

#include "common/json/writer.h"
#include "common/proto/smtp.h"
#include "common/util/mem.h"
#include "storage/client/copy.h"

enum step { STEP_RCPT, STEP_CHECK, STEP_TEXT, STEP_APPEND };

struct delivery {
	struct request	*rq;
	enum step	step;
	struct copy	*copy;
	struct buf	user;		/* canonical address */
	struct buf	clean;		/* text that waits: one piece at most */
	bool		cr, last;
	uint64_t	size, told;
};

static void
stop(struct request *rq)
{
	struct delivery *d = rq->state;

	copy_free(&d->copy);
	buf_fini(&d->user);
	buf_fini(&d->clean);
	mem_free(&d);
}

static void
fail(struct request *rq, enum status st)
{
	static const char *const texts[ST_MAX + 1] = {
		[ST_NOT_FOUND] = "there is no such address", [ST_OVER_QUOTA] = "the account is full",
		[ST_NO_SPACE] = "the disk is full", [ST_UNAVAILABLE] = "the store or authd is away: "
		    "whether the message arrived is not known"
	};

	request_fail(rq, st, "%s", st <= ST_MAX && texts[st] != NULL ? texts[st] : status_name(st));
}

static void
delivered(struct delivery *d)
{
	struct buf out = { 0 };
	struct json_writer w;

	json_writer_init(&w, &out);
	json_begin_object(&w);
	json_kv_string(&w, "address", buf_span(&d->user));
	json_kv_uint(&w, "bytes", copy_size(d->copy));
	json_end_object(&w);
	request_done(d->rq, ST_OK, buf_span(&out));
	buf_fini(&out);
}

/* The piece that waits goes on its way; the next one is asked for when there is room. */
static void
feed(struct delivery *d)
{
	copy_feed(d->copy, buf_span(&d->clean));
	buf_clear(&d->clean);
	if (d->last) {
		d->step = STEP_APPEND;
		request_took(d->rq);
		copy_finish(d->copy);
	} else if (!copy_busy(d->copy)) {
		request_took(d->rq);
	}
}

static void
begin(struct delivery *d)
{
	struct buf prefix = { 0 };

	if (d->rq->admind->conf->lmtp.add_delivered_to)
		buf_addf(&prefix, "Delivered-To: %s\r\n", buf_cstr(&d->user));
	copy_begin(d->copy, buf_span(&prefix), d->told);
	buf_fini(&prefix);
	d->step = STEP_TEXT;
	if (d->rq->data_head.req != 0)
		feed(d);
}

static void
on_copy_done(void *arg, enum status st)
{
	struct delivery *d = arg;

	if (st != ST_OK)
		fail(d->rq, st);
	else if (d->step == STEP_CHECK)
		begin(d);
	else
		delivered(d);
}

static void
on_copy_room(void *arg)
{
	struct delivery *d = arg;

	request_touch(d->rq);
	if (d->step == STEP_TEXT && !copy_busy(d->copy))
		request_took(d->rq);
}

static void
on_rcpt(void *arg, enum status st, const struct auth_rcpt_is *is)
{
	struct request *rq = arg;
	struct delivery *d = rq->state;
	struct copy_to to = { .pool = rq->admind->pool, .loop = rq->admind->loop,
	    .done = on_copy_done, .room = on_copy_room, .arg = d };

	rq->lookup = NULL;
	if (st != ST_OK) {
		fail(rq, st == ST_DENIED ? ST_NOT_FOUND : st);
		return;
	}
	buf_add_span(&d->user, is->user);
	to.ticket = is->ticket;
	to.shard = is->shard;
	d->copy = copy_new(&to);
	d->step = STEP_CHECK;
	copy_check(d->copy, d->told);
}

static void
take(struct request *rq, struct span data, bool last)
{
	struct delivery *d = rq->state;

	if (d->last || (data.len == 0 && !last)) {
		request_fail(rq, ST_SYNTAX, "text behind the end, or an empty piece of it");
		return;
	}
	smtp_chunk_feed(&d->cr, data, &d->clean);
	d->size += d->clean.len;
	d->last = last;
	if (d->size > rq->admind->conf->lmtp.max_message_bytes)
		request_fail(rq, ST_LIMIT, "the message is larger than lmtp.max-message");
	else if (last && d->size == 0)
		request_fail(rq, ST_SYNTAX, "the message is empty");
	else if (d->step == STEP_TEXT)
		feed(d);
}

static void
deliver(struct request *rq)
{
	struct auth_rcpt ask = { .conn = span_str(rq->id) };
	struct delivery *d = mem_zalloc(sizeof(*d));

	d->rq = rq;
	rq->state = d;
	rq->stop = stop;
	if (!need_address(rq, &ask.address))
		return;
	if (ask.address.len == 0 || ask.address.len > AUTH_NAME_MAX) {
		fail(rq, ST_NOT_FOUND);
		return;
	}
	(void)json_get_uint(rq->args, "size", &d->told);
	if (d->told > rq->admind->conf->lmtp.max_message_bytes)
		request_fail(rq, ST_LIMIT, "the message is larger than lmtp.max-message");
	else
		rq->lookup = auth_rcpt(rq->admind->auth, &ask, on_rcpt, rq);
}

const struct admin_command admin_cmds_deliver[] = {
	{ "deliver", deliver, take },
	{ NULL, NULL, NULL }
};
