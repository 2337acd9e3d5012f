#include "authd/lookup.h"

#include <string.h>

#include "common/util/bytes.h"
#include "common/util/clock.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/api/store_types.h"

#define INHERIT_S	30	/* a stored that lived on has told by then what it knows */
#define WHO_WORKER_BURST 5000	/* names and ids a worker may ask about at once ... */
#define WHO_WORKER_RATE	25	/* ... and in each second */

struct lookup {
	struct authd	*a;
	uint64_t	peer;
	struct ipc_head	head;
	struct buf	address, detail, ids;
	bool		probe;
	uint8_t		spares;
	struct ticket	shown;
	struct found	found;
};

static struct lookup *
lookup_new(struct peer *p, const struct ipc_head *head)
{
	struct lookup *q = mem_zalloc(sizeof(*q));

	q->a = p->a;
	q->peer = p->id;
	q->head = *head;
	return q;
}

static void
lookup_free(struct lookup *q)
{
	buf_fini(&q->address);
	buf_fini(&q->detail);
	buf_fini(&q->ids);
	found_fini(&q->found);
	mem_free(&q);
}

static enum status
run_rcpt(struct dir_job *job, void *arg)
{
	struct lookup *q = arg;
	struct resolve_rules rules = authd_rules(q->a);
	struct resolved res;
	enum status st = dir_resolve(job, &rules, RESOLVE_MAIL, buf_span(&q->address), &res);

	if (st == ST_OK && !dir_waits(job)) {
		found_take(&q->found, &res.account);
		buf_clear(&q->detail);
		buf_add_span(&q->detail, res.detail);
	}
	return st;
}

static void
give_spares(struct lookup *q, struct peer *p, struct buf *out)
{
	struct ticket_made made;

	for (uint8_t i = 0; i < q->spares; i++) {
		tickets_deliver(q->a->tickets, &p->holder, q->found.id, q->found.shard,
		    clock_wall_s(), &made);
		buf_add(out, made.bytes, sizeof(made.bytes));
	}
	p->spares |= q->spares > 0;
}

static void
end_rcpt(void *arg, enum status st)
{
	struct lookup *q = arg;
	struct peer *p = authd_peer_by_id(q->a, q->peer);
	struct auth_rcpt_is is = { .user = buf_span(&q->found.address),
	    .detail = buf_span(&q->detail), .account = q->found.id, .shard = q->found.shard };
	struct ticket_made made;
	struct buf spares = { 0 };

	if (p != NULL && st != ST_OK)
		ipc_reply(p->ipc, &q->head, st == ST_SYNTAX ? ST_NOT_FOUND : st, 0, NULL);
	if (p != NULL && st == ST_OK) {
		q->a->count.recipients++;
		if (!q->probe) {
			tickets_deliver(q->a->tickets, &p->holder, q->found.id, q->found.shard,
			    clock_wall_s(), &made);
			is.ticket = span(made.bytes, sizeof(made.bytes));
			give_spares(q, p, &spares);
			is.spares = buf_span(&spares);
		}
		ipc_reply(p->ipc, &q->head, ST_OK, AUTH_RCPT_IS, &is);
	}
	buf_fini_secret(&spares);
	lookup_free(q);
}

void
lookup_rcpt(struct peer *p, const struct ipc_head *head, const struct auth_rcpt *rq)
{
	struct lookup *q = lookup_new(p, head);

	buf_add_span(&q->address, rq->address);
	q->probe = rq->probe;
	q->spares = rq->spares;
	(void)dir_job_start(p->a->dir, run_rcpt, end_rcpt, q);
}

static void
put_who(struct buf *out, uint64_t id, uint32_t shard, const char *kind, struct span name)
{
	struct buf whole = { 0 };

	buf_add_str(&whole, kind);
	buf_add_span(&whole, name);
	put_u64(out, id);
	put_u32(out, shard);
	put_span(out, id != 0 ? buf_span(&whole) : SPAN_NONE);
	buf_fini(&whole);
}

static void
put_account(struct buf *out, bool found, const struct dir_account *a)
{
	uint32_t shard = !found ? 0 : a->shared ? a->shard | AUTH_WHO_SHARED : a->shard;

	put_who(out, found ? a->id : 0, shard, "", found ? a->address : SPAN_NONE);
}

/* false: a record is not here yet. */
static bool
who_by_name(struct dir_job *job, struct lookup *q, struct span name)
{
	struct resolve_rules rules = authd_rules(q->a);
	struct buf folded = { 0 };
	struct dir_group g;
	struct resolved res;
	enum status st;
	bool found = false, here = true;

	if (!span_has_prefix(name, AUTH_WHO_GROUP)) {
		st = dir_resolve(job, &rules, RESOLVE_WHO, name, &res);
		put_account(&q->detail, st == ST_OK, &res.account);
		return !dir_waits(job);
	}
	if (dir_fold_group(span_sub(name, strlen(AUTH_WHO_GROUP), name.len), &folded))
		here = dir_get_group(job, buf_span(&folded), &g, &found);
	if (here)
		put_who(&q->detail, found ? g.id : 0, 0, AUTH_WHO_GROUP,
		    found ? g.name : SPAN_NONE);
	buf_fini(&folded);
	return here;
}

static bool
who_by_id(struct dir_job *job, struct lookup *q, uint64_t id)
{
	struct dir_account a;
	struct span name;
	bool found;

	if (!dir_get_account(job, id, &a, &found))
		return false;
	if (found) {
		put_account(&q->detail, a.deleted_s == 0, &a);
		return true;
	}
	if (!dir_get_group_name(job, id, &name, &found))
		return false;
	put_who(&q->detail, found ? id : 0, 0, AUTH_WHO_GROUP, name);
	return true;
}

/* Whoever a name or an id leads to, none for the others. */
static enum status
run_who(struct dir_job *job, void *arg)
{
	struct lookup *q = arg;
	struct reader r;

	buf_clear(&q->detail);
	reader_init(&r, q->address.data, q->address.len);
	while (r.p < r.end && !r.bad)
		if (!who_by_name(job, q, get_span(&r)))
			return ST_UNAVAILABLE;
	reader_init(&r, q->ids.data, q->ids.len);
	while (r.p < r.end && !r.bad)
		if (!who_by_id(job, q, get_u64(&r)))
			return ST_UNAVAILABLE;
	return ST_OK;
}

static void
end_who(void *arg, enum status st)
{
	struct lookup *q = arg;
	struct peer *p = authd_peer_by_id(q->a, q->peer);
	const struct auth_who_is is = { buf_span(&q->detail) };

	if (p != NULL)
		ipc_reply(p->ipc, &q->head, st, st == ST_OK ? AUTH_WHO_IS : 0,
		    st == ST_OK ? &is : NULL);
	lookup_free(q);
}

/* A worker that was taken over must not read out who is there: what it asks is asked for a login
 * of its own, and both are paced. */
static enum status
judge_who(struct peer *p, const struct auth_who *rq)
{
	uint32_t n = (uint32_t)(rq->ids.len / 8);
	enum status st;
	struct reader r;

	if (p->kind == AUTH_PEER_ADMIN)
		return ST_OK;
	reader_init(&r, rq->names.p, rq->names.len);
	for (; r.p < r.end && !r.bad; n++)
		get_span(&r);
	st = tickets_ask(p->a->tickets, &p->holder, rq->ticket, clock_wall_s(), clock_mono_ms(), n);
	if (st == ST_OK && !ask_paced(&p->asked_until_ms, clock_mono_ms(), n, WHO_WORKER_BURST,
	    WHO_WORKER_RATE))
		st = ST_LIMIT;
	if (st != ST_OK)
		LOG(NULL, WARN, "auth.who.refused", KV_STR("peer", p->name), KV_STATUS(st));
	return st;
}

void
lookup_who(struct peer *p, const struct ipc_head *head, const struct auth_who *rq)
{
	enum status st = judge_who(p, rq);
	struct lookup *q;

	if (st != ST_OK) {
		ipc_reply(p->ipc, head, st, 0, NULL);
		return;
	}
	q = lookup_new(p, head);
	buf_add_span(&q->address, rq->names);
	buf_add_span(&q->ids, rq->ids);
	(void)dir_job_start(p->a->dir, run_who, end_who, q);
}

static enum status
run_renew(struct dir_job *job, void *arg)
{
	struct lookup *q = arg;
	struct dir_account acc;
	bool found;

	if (!dir_get_account(job, q->shown.account, &acc, &found))
		return ST_UNAVAILABLE;
	if (found && !dir_apply_referral(job, &acc))
		return ST_UNAVAILABLE;
	if (!found || acc.disabled || acc.deleted_s != 0 ||
	    (acc.referral.len > 0 && !acc.referral_stays))
		return ST_DENIED;
	found_take(&q->found, &acc);
	return ST_OK;
}

static void
reply_renewed(struct peer *p, const struct ipc_head *head, const struct ticket_made *made)
{
	struct auth_renewed r = { span(made->bytes, sizeof(made->bytes)), made->expires_s };

	p->a->count.renewed++;
	ipc_reply(p->ipc, head, ST_OK, AUTH_RENEWED, &r);
}

/* A login that another authd before this one gave. */
static void
end_renew(void *arg, enum status st)
{
	struct lookup *q = arg;
	struct peer *p = authd_peer_by_id(q->a, q->peer);
	struct login like = { .account = q->found.id, .shard = q->found.shard, .peer = "",
	    .conn = "", .inherited = true, .master = (q->shown.rights & RIGHT_QUOTA) != 0,
	    .submits = (q->shown.rights & RIGHT_SUBMIT) != 0 };
	struct ticket_made made;

	if (p != NULL && st != ST_OK)
		ipc_reply(p->ipc, &q->head, st, 0, NULL);
	if (p != NULL && st == ST_OK) {
		like.user = span_dup(buf_span(&q->found.address));
		login_set_groups(&like, buf_span(&q->found.groups));
		if (tickets_login(q->a->tickets, &p->holder, &like, clock_wall_s(), &made))
			reply_renewed(p, &q->head, &made);
		else
			ipc_reply(p->ipc, &q->head, ST_LIMIT, 0, NULL);
		mem_free(&like.user);
	}
	lookup_free(q);
}

void
lookup_renew(struct peer *p, const struct ipc_head *head, const struct auth_renew *rq)
{
	struct ticket_made made;
	struct ticket shown;
	enum status st = tickets_renew(p->a->tickets, &p->holder, rq->ticket, clock_wall_s(),
	    &made, &shown);
	struct lookup *q;

	if (st == ST_NOT_FOUND) {
		q = lookup_new(p, head);
		q->shown = shown;
		(void)dir_job_start(p->a->dir, run_renew, end_renew, q);
		return;
	}
	/* a stored that knows may not have told yet */
	if (st == ST_CONFLICT)
		st = clock_wall_s() - p->a->started_s < INHERIT_S ? ST_UNAVAILABLE : ST_EXPIRED;
	if (st == ST_DENIED)
		LOG(NULL, WARN, "auth.ticket.denied", KV_STR("peer", p->name));
	if (st == ST_OK)
		reply_renewed(p, head, &made);
	else
		ipc_reply(p->ipc, head, st, 0, NULL);
}
