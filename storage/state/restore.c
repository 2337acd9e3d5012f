/* What was then, made anew by ordinary changes: memberships come back and go, flags are as they
 * were, deleted mailboxes are there again.  What to do is decided outside (restore_plan.c) and
 * named by change rows, from which everything else is read here. */
#include "storage/state/state_priv.h"

/* The row that a step names.  ST_NOT_FOUND. */
static enum status
log_row(struct apply *ap, const struct op_restore_step *s, struct rec_change *c)
{
	struct span payload;
	struct key k;

	key_change(&k, ap->a->id, s->log_mailbox, s->log_modseq, s->log_uid);
	TRY(st_get(ap->s, ap->s->txn, TAB_CHANGE, &k, &ap->s->value, &payload));
	if (!rec_change_get(payload, c))
		return st_damaged(ap->s, TAB_CHANGE, key_span(&k));
	return c->kind != CHANGE_CREATED ? ST_OK : ST_NOT_FOUND;
}

/* A mailbox that is there; *m NULL: passed over. */
static enum status
step_mbox(struct apply *ap, uint64_t id, struct mbox **m)
{
	enum status st = st_mbox(ap->s, ap->a, id, m);

	if (st == ST_NOT_FOUND || (st == ST_OK && (*m)->rec.deleted_ms != 0)) {
		*m = NULL;
		return ST_OK;
	}
	return st;
}

/* The membership that a step is about, unless it changed since. */
static enum status
step_row(struct apply *ap, struct mbox *m, const struct op_restore_step *s, struct rec_index *x,
    bool *here)
{
	struct uidset one = { 0 }, there = { 0 };
	enum status st;

	uidset_add(&one, s->uid);
	st = uidmap_among(ap->s, ap->a, m, STATE_ALL, &one, 1, &there);
	*here = st == ST_OK && uidset_has(&there, s->uid);
	uidset_fini(&one);
	uidset_fini(&there);
	if (*here)
		st = index_load(ap->s, ap->a, m, s->uid, x);
	*here = *here && st == ST_OK && x->modseq == s->modseq;
	return st;
}

static enum status
add(struct apply *ap, struct mbox *m, const struct op_restore_step *s, bool *done)
{
	struct rec_change c;
	uint32_t made;
	enum status st = log_row(ap, s, &c);

	if (st == ST_NOT_FOUND)
		return ST_OK;
	TRY(st);
	const struct was w = { .message = c.message, .mailbox = s->log_mailbox,
		.modseq = s->log_modseq, .uid = s->log_uid, .flags = c.old_flags,
		.dated = c.dated, .received_s = c.old_received_s,
		.received_zone = c.old_received_zone };

	TRY(bring_back(ap, m, &w, &made));
	if (made != 0 && ap->r->uid == 0)
		ap->r->uid = made;
	*done = made != 0;
	return ST_OK;
}

static enum status
set_flags(struct apply *ap, struct mbox *m, const struct op_restore_step *s, bool *done)
{
	struct rec_change c;
	struct rec_index x;
	bool here;
	enum status st;

	TRY(step_row(ap, m, s, &x, &here));
	if (!here)
		return ST_OK;
	st = log_row(ap, s, &c);
	if (st == ST_NOT_FOUND || (st == ST_OK && c.message != x.message))
		return ST_OK;
	TRY(st);
	*done = true;
	return member_flags(ap, m, s->uid, &x, c.old_flags);
}

static enum status
take_away(struct apply *ap, struct mbox *m, const struct op_restore_step *s, bool *done)
{
	struct rec_index x;
	bool here;

	TRY(step_row(ap, m, s, &x, &here));
	if (!here)
		return ST_OK;
	TRY(message_load(ap->s, ap->a, x.message, &ap->s->msg));
	if (!ap->op->u.restore.exact && ap->s->msg.members.len <= MEMBER_BYTES)
		return ST_OK;
	*done = true;
	return expunge_one(ap, m, s->uid);
}

static enum status
step(struct apply *ap, const struct op_restore_step *s, bool *done)
{
	struct mbox *m;

	*done = false;
	TRY(step_mbox(ap, s->mailbox, &m));
	if (m == NULL)
		return ST_OK;
	ap->r->mailbox = m->id;
	switch (s->kind) {
	case RESTORE_ADD:
		return add(ap, m, s, done);
	case RESTORE_FLAGS:
		return set_flags(ap, m, s, done);
	default:
		return take_away(ap, m, s, done);
	}
}

enum status
apply_restore(struct apply *ap)
{
	struct span steps = ap->op->u.restore.steps;
	struct store_restored reply = { 0 };
	struct op_restore_step s;
	struct reader r;
	size_t n = 0;
	bool done;

	reader_init(&r, steps.p, steps.len);
	while (get_op_restore_step(&r, &s))
		n++;
	if (!reader_done(&r))
		return refuse(ap, ST_SYNTAX);
	if (n > OP_ROWS)
		return refuse(ap, ST_LIMIT);
	reader_init(&r, steps.p, steps.len);
	while (get_op_restore_step(&r, &s)) {
		TRY(step(ap, &s, &done));
		reply.done += done;
		reply.skipped += !done;
	}
	ap_reply(ap, STORE_RESTORED, &reply);
	return ST_OK;
}

/* ---- mailboxes ---- */

static enum status
has_work(struct apply *ap, uint64_t mailbox, bool *yes)
{
	struct span payload;
	struct key k;
	enum status st;

	key_2(&k, ap->a->id, mailbox);
	st = st_get(ap->s, ap->s->txn, TAB_WORK, &k, &ap->s->value, &payload);
	*yes = st == ST_OK;
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* Its uids go on where they ended, so that its UIDVALIDITY still holds. */
static enum status
revive(struct apply *ap, struct mbox *m, const struct path_at *at)
{
	const struct rec_mchange c = { .kind = CHANGE_CREATED };
	struct store_created reply = { .mailbox = m->id, .uidvalidity = m->rec.uidvalidity };
	struct span name;
	uint64_t parent;
	struct key k;
	bool taken;

	TRY(role_taken(ap, m->rec.role, &taken));
	if (taken)
		m->rec.role = MAILBOX_ROLE_NONE;
	TRY(make_superiors(ap, at, &parent, &name));
	m->rec.parent = parent;
	st_mbox_name(m, name);
	m->rec.deleted_ms = 0;
	m->rec.highestmodseq = ap_modseq(ap);
	ap->a->rec.mailboxes++;
	key_name(&k, ap->a->id, parent, name);
	put_u64(st_put_start(ap->s), m->id);
	TRY(st_put(ap->s, TAB_MBOXNAME, &k));
	TRY(acl_reindex(ap->s, ap->a->id, m->id));
	TRY(mchange_add(ap, m->id, &c));
	ap->r->mailbox = m->id;
	reply.modseq = ap->modseq;
	ap_reply(ap, STORE_CREATED, &reply);
	return ST_OK;
}

static enum status
revive_at(struct apply *ap, uint64_t mailbox, struct span path)
{
	struct path_at at;
	struct mbox *m;
	bool work;
	enum status st = st_mbox(ap->s, ap->a, mailbox, &m);

	if (st == ST_NOT_FOUND || (st == ST_OK && m->rec.deleted_ms == 0))
		return refuse(ap, ST_NOT_FOUND);
	TRY(st);
	TRY(has_work(ap, mailbox, &work));
	if (work || m->rec.messages > 0)
		return refuse(ap, ST_UNAVAILABLE);
	TRY(path_find(ap->s, ap->s->txn, ap->a->id, path, &at));
	if (at.id != 0)
		return refuse(ap, ST_EXISTS);
	if (!mailboxes_fit(ap, path_parts(at.rest)))
		return refuse(ap, ST_LIMIT);
	return revive(ap, m, &at);
}

enum status
apply_mailbox_revive(struct apply *ap)
{
	const struct op_mailbox_revive *p = &ap->op->u.mailbox_revive;
	struct buf path = { 0 };
	enum status st = path_clean(p->path, &path) ?
	    revive_at(ap, p->mailbox, buf_span(&path)) : refuse(ap, ST_SYNTAX);

	buf_fini(&path);
	return st;
}
