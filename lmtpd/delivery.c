#include "lmtpd/delivery.h"

#include <stdio.h>

#include "common/util/mem.h"
#include "lmtpd/judged.h"
#include "storage/client/copy.h"

struct delivery {
	struct lmtpd			*lmtpd;
	const struct log_ctx		*log;
	const struct delivery_ops	*ops;
	void				*arg;
	char				conn[24];
	char				*address;	/* as the client wrote it */
	char				*user;		/* canonical, for Delivered-To */
	uint64_t			account, wanted;
	struct auth_lookup		*lookup;
	struct copy			*copy;
	struct buf			prefix;		/* what is put in front of the text */
	struct judged			*judged;	/* the recipient's mail rules at work */
	struct dsn			dsn;
	char				*orcpt;		/* of dsn */
	bool				checking;	/* the copy is asked for room */
	bool				holding;	/* it waits for what they say */
	enum status			st;
};

static uint64_t
now_ms(const struct delivery *d)
{
	return loop_now_ms(worker_loop(d->lmtpd->worker));
}

static const struct conf_lmtp *
conf_of(const struct delivery *d)
{
	return &worker_conf(d->lmtpd->worker)->lmtp;
}

struct delivery *
delivery_new(struct lmtpd *l, struct span address, const char *conn, const struct log_ctx *log,
    const struct delivery_ops *ops, void *arg)
{
	struct delivery *d = mem_zalloc(sizeof(*d));

	d->lmtpd = l;
	d->log = log;
	d->ops = ops;
	d->arg = arg;
	d->address = span_dup(address);
	snprintf(d->conn, sizeof(d->conn), "%s", conn);
	return d;
}

void
delivery_free(struct delivery **dp)
{
	struct delivery *d = *dp;

	*dp = NULL;
	if (d == NULL)
		return;
	auth_lookup_cancel(&d->lookup);
	judged_free(&d->judged);
	buf_fini(&d->prefix);
	copy_free(&d->copy);
	mem_free(&d->address);
	mem_free(&d->orcpt);
	mem_free(&d->user);
	mem_free(&d);
}

void
delivery_wishes(struct delivery *d, uint8_t notify, struct span orcpt)
{
	d->dsn.notify = notify;
	d->orcpt = span_dup(orcpt);
}

bool
delivery_reports(const struct delivery *d)
{
	return (d->dsn.notify & QUEUE_NOTIFY_SUCCESS) != 0;
}

/* Who it is, and room ------------------------------------------------------- */

static void
end(struct delivery *d, enum status st)
{
	d->st = st;
	known_use(d->lmtpd->known, d->account, copy_use(d->copy), copy_size(d->copy), now_ms(d));
	d->ops->done(d, d->arg);
}

static void
on_copy_done(void *arg, enum status st)
{
	struct delivery *d = arg;

	if (d->checking) {
		d->checking = false;
		d->st = st;
		known_use(d->lmtpd->known, d->account, copy_use(d->copy), 0, now_ms(d));
		d->ops->checked(d, d->arg);
	} else if (d->holding) {
		d->holding = false;
		judged_held(d->judged, st);
	} else {
		end(d, st);
	}
}

static void
on_copy_room(void *arg)
{
	struct delivery *d = arg;

	d->ops->room(d->arg);
}

/* Its channel, which asks the store nothing where the account's use is known: true then. */
static bool
take_account(struct delivery *d, const struct auth_rcpt_is *is)
{
	struct copy_to to = { .pool = d->lmtpd->pool, .loop = worker_loop(d->lmtpd->worker),
	    .ticket = is->ticket, .shard = is->shard, .done = on_copy_done,
	    .room = on_copy_room, .arg = d };

	d->user = span_dup(is->user);
	d->account = is->account;
	d->copy = copy_new(&to);
	if (known_has_room(d->lmtpd->known, d->account, d->wanted, now_ms(d)))
		return true;
	d->checking = true;
	copy_check(d->copy, d->wanted);
	return false;
}

static void
on_rcpt(void *arg, enum status st, const struct auth_rcpt_is *is)
{
	struct delivery *d = arg;

	d->lookup = NULL;
	d->st = st == ST_DENIED ? ST_NOT_FOUND : st;
	if (st == ST_OK) {
		known_add(d->lmtpd->known, span_str(d->address), is, now_ms(d));
		if (!take_account(d, is))
			return;
	}
	d->ops->checked(d, d->arg);
}

bool
delivery_check(struct delivery *d, uint64_t size)
{
	struct auth_rcpt rq = { .address = span_str(d->address), .conn = span_str(d->conn) };
	unsigned char ticket[TICKET_LEN];
	struct auth_rcpt_is is;
	bool known;

	d->wanted = size;
	if (known_take(d->lmtpd->known, rq.address, now_ms(d), ticket, &is)) {
		known = take_account(d, &is);
		mem_wipe(ticket, sizeof(ticket));
		return known;
	}
	rq.spares = known_wants(d->lmtpd->known, rq.address, now_ms(d));
	d->lookup = auth_rcpt(worker_auth(d->lmtpd->worker), &rq, on_rcpt, d);
	return false;
}

/* Text ---------------------------------------------------------------------- */

void
delivery_begin(struct delivery *d, const char *from, uint64_t size)
{
	buf_clear(&d->prefix);
	if (conf_of(d)->add_return_path)
		buf_addf(&d->prefix, "Return-Path: <%s>\r\n", from);
	if (conf_of(d)->add_delivered_to)
		buf_addf(&d->prefix, "Delivered-To: %s\r\n", d->user);
	copy_begin(d->copy, buf_span(&d->prefix), size);
}

void
delivery_feed(struct delivery *d, struct span text)
{
	copy_feed(d->copy, text);
}

bool
delivery_busy(const struct delivery *d)
{
	return copy_busy(d->copy);
}

static const struct mansio_conf *
conf_now(void *arg)
{
	return worker_conf(((struct delivery *)arg)->lmtpd->worker);
}

static void
on_judged(void *arg, enum status st)
{
	end(arg, st);
}

static void
take_wishes(struct delivery *d, const struct letter *l)
{
	uint8_t notify = d->dsn.notify;

	d->dsn = l->dsn;
	d->dsn.notify = notify;
	d->dsn.orcpt = d->orcpt != NULL ? span_str(d->orcpt) : SPAN_NONE;
}

void
delivery_finish(struct delivery *d, const struct letter *l)
{
	struct judged_of of = { .conf = conf_now, .conf_arg = d, .dsn = &d->dsn,
	    .envelope_auth = l->auth, .auth = worker_auth(d->lmtpd->worker), .conn = d->conn,
	    .loop = worker_loop(d->lmtpd->worker), .log = d->log, .copy = d->copy,
	    .kept = l->kept, .prefix = buf_span(&d->prefix), .user = d->user,
	    .address = d->address, .from = l->from, .account = d->account, .utf8 = l->utf8 };

	if (l->kept == NULL) {
		copy_finish(d->copy);
		return;
	}
	if (filter_is_on(d->lmtpd->filter))
		of.filter = d->lmtpd->filter;
	take_wishes(d, l);
	d->holding = true;
	copy_hold(d->copy);
	judged_free(&d->judged);
	d->judged = judged_new(&of, on_judged, d);
}

void
delivery_give_up(struct delivery *d, enum status st)
{
	d->st = st;
}

enum status
delivery_status(const struct delivery *d)
{
	return d->st;
}

const char *
delivery_refusal(const struct delivery *d)
{
	return d->judged != NULL ? judged_refusal(d->judged) : NULL;
}

const char *
delivery_address(const struct delivery *d)
{
	return d->address;
}

void
delivery_log(const struct delivery *d, const char *from)
{
	const char *rules = d->judged != NULL ? judged_words(d->judged) : "";
	const char *event = d->st != ST_OK ? "lmtp.fail" :
	    delivery_refusal(d) != NULL ? "lmtp.reject" : "lmtp.deliver";

	if (rules[0] == '\0') {
		LOG(d->log, INFO, event, KV_STR("from", from), KV_STR("to", d->address),
		    KV_STR("user", d->user), KV_UINT("bytes", copy_size(d->copy)),
		    KV_STATUS(d->st));
		return;
	}
	LOG(d->log, INFO, event, KV_STR("from", from), KV_STR("to", d->address),
	    KV_STR("user", d->user), KV_UINT("bytes", copy_size(d->copy)), KV_STATUS(d->st),
	    KV_STR("rules", rules));
}
