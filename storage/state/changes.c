/* The change log: what happened by modseq, with the old values, and its end of life. */
#include "storage/state/state_priv.h"

#include "common/util/mem.h"

static bool
touched(const struct buf *b, uint64_t mailbox)
{
	for (size_t i = 0; i < b->len; i += 8)
		if (get_be64(b->data + i) == mailbox)
			return true;
	return false;
}

void
history_touch(struct apply *ap, uint64_t mailbox)
{
	if (!touched(&ap->touched, mailbox))
		put_u64(&ap->touched, mailbox);
}

static bool
in_sight(struct flags f)
{
	return (flags_get_system(f) & FLAG_DELETED) == 0;
}

/* Is this membership in sight, and not of this operation's making? */
static enum status
member_was(struct apply *ap, struct rec_member at, struct buf *value, bool *was)
{
	struct span payload;
	struct rec_index x;
	struct mbox *m;
	struct key k;
	enum status st = st_mbox(ap->s, ap->a, at.mailbox, &m);

	*was = false;
	if (st == ST_NOT_FOUND || (st == ST_OK && m->rec.deleted_ms != 0))
		return ST_OK;
	TRY(st);
	key_uid(&k, ap->a->id, at.mailbox, at.uid);
	st = st_get(ap->s, ap->s->txn, TAB_MINDEX, &k, value, &payload);
	if (st == ST_NOT_FOUND)
		return ST_OK;	/* this operation took it away */
	TRY(st);
	if (!rec_index_get(payload, &x))
		return st_damaged(ap->s, TAB_MINDEX, key_span(&k));
	*was = in_sight(x.flags) && x.modseq != ap->modseq;
	return ST_OK;
}

/* As struct rec_change has it, where the membership's own flags do not say so. */
static enum status
others_were(struct apply *ap, const struct mbox *m, uint32_t uid, uint64_t message, bool *was)
{
	struct buf record = { 0 }, value = { 0 };
	struct rec_message msg;
	struct span payload;
	struct key k;
	enum status st;

	*was = false;
	key_2(&k, ap->a->id, message);
	st = st_get(ap->s, ap->s->txn, TAB_MESSAGE, &k, &record, &payload);
	if (st == ST_OK && !rec_message_get(payload, &msg))
		st = st_damaged(ap->s, TAB_MESSAGE, key_span(&k));
	for (size_t i = 0; st == ST_OK && !*was && i < msg.members.len / MEMBER_BYTES; i++) {
		struct rec_member at = rec_member(msg.members, i);

		if (at.mailbox != m->id || at.uid != uid)
			st = member_was(ap, at, &value, was);
	}
	buf_fini(&record);
	buf_fini(&value);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* The types whose objects are others by this change (RFC 8621 §2: drafts are never unread). */
static void
types_changed(struct rec_account *a, const struct rec_change *c, uint64_t modseq)
{
	unsigned changed = FLAG_SYSTEM_ALL;

	if (c->kind == CHANGE_UPDATED)
		changed = flags_get_system(c->flags) ^ flags_get_system(c->old_flags);
	a->mail_modseq = modseq;
	if (changed & FLAG_DELETED)
		a->thread_modseq = modseq;
	if (changed & (FLAG_DELETED | FLAG_SEEN | FLAG_DRAFT))
		a->mailbox_modseq = modseq;
}

/* An Email comes to light that the operation did not find there (RFC 8621 §1.5).  The changes of a
 * message follow each other. */
static void
delivered(struct apply *ap, const struct rec_change *c)
{
	if (c->was)
		ap->seen_message = c->message;
	else if (c->kind != CHANGE_DESTROYED && in_sight(c->flags) &&
	    ap->seen_message != c->message)
		ap->a->rec.delivery_modseq = ap->modseq;
}

enum status
change_add_alone(struct apply *ap, struct mbox *m, uint32_t uid, const struct rec_change *c)
{
	struct state_result *r = ap->r;
	uint64_t modseq = ap_modseq(ap);
	struct key k;

	ap->shared_changed = true;
	if (!touched(&ap->touched, m->id)) {
		put_u64(&ap->touched, m->id);
		if (r->n_touched < STATE_TOUCHED_MAX)
			r->touched[r->n_touched++] = m->id;
	}
	m->rec.highestmodseq = modseq;
	m->dirty = true;
	types_changed(&ap->a->rec, c, modseq);
	delivered(ap, c);
	key_change(&k, ap->a->id, m->id, modseq, uid);
	rec_change_put(st_put_start(ap->s), c);
	return st_put(ap->s, TAB_CHANGE, &k);
}

enum status
change_add(struct apply *ap, struct mbox *m, uint32_t uid, const struct rec_change *c)
{
	struct rec_change log = *c;

	ap_modseq(ap);
	log.was = c->kind != CHANGE_CREATED && in_sight(c->old_flags);
	if (!log.was)
		TRY(others_were(ap, m, uid, c->message, &log.was));
	return change_add_alone(ap, m, uid, &log);
}

enum status
mchange_add(struct apply *ap, uint64_t mailbox, const struct rec_mchange *c)
{
	uint64_t modseq = ap_modseq(ap);
	struct key k;

	ap->shared_changed = true;
	ap->a->rec.mailbox_modseq = modseq;
	key_3(&k, ap->a->id, modseq, mailbox);
	rec_mchange_put(st_put_start(ap->s), c);
	return st_put(ap->s, TAB_MCHANGE, &k);
}

enum status
history_add(struct apply *ap)
{
	struct rec_history h = { .kind = (uint8_t)ap->op->kind, .time_ms = ap->op->head.time_ms,
		.who = ap->op->head.who, .mailboxes = buf_span(&ap->touched) };
	struct buf names = { 0 };
	struct key k;
	enum status st;

	if (ap->op->kind == OP_METADATA_NOTED) {
		h.noted = ap->op->u.metadata.mailbox;
		metadata_names(&ap->op->u.metadata, &names);
		h.names = buf_span(&names);
	} else if (ap->old.data != NULL) {
		h.noted = ap->noted;
		h.names = buf_span(&ap->old);
	}
	key_2(&k, ap->a->id, ap->modseq);
	rec_history_put(st_put_start(ap->s), &h);
	st = st_put(ap->s, TAB_HISTORY, &k);
	buf_fini(&names);
	return st;
}

/* ---- forgetting ---- */

/* Takes the first row at or behind the prefix; *key and *payload are copies in the buffers. */
static enum status
first_row(struct state *s, enum tab t, struct span prefix, struct buf *key, struct buf *value)
{
	struct engine_cursor *c = NULL;
	struct span k, p;
	enum status st;

	TRY(engine_cursor_open(s->e, s->txn, t, prefix, &c));
	st = st_next(s, t, c, &k, &p);
	if (st == ST_OK) {
		buf_clear(key);
		buf_add_span(key, k);
		buf_clear(value);
		buf_add_span(value, p);
	}
	engine_cursor_close(&c);
	return st;
}

/* A destroyed membership is forgotten: was it the last trace of its message? */
static enum status
forget_destroyed(struct apply *ap, const struct rec_change *c, uint64_t modseq)
{
	struct message *msg = &ap->s->msg;
	enum status st = message_load(ap->s, ap->a, c->message, msg);

	if (st == ST_NOT_FOUND)
		return ST_OK;
	TRY(st);
	return msg->rec.gone_modseq == modseq ? message_purge(ap, msg) : ST_OK;
}

/* The change rows of one modseq in one mailbox; *left counts down. */
static enum status
forget_changes(struct apply *ap, uint64_t mailbox, uint64_t modseq, uint32_t *left)
{
	struct buf key = { 0 }, value = { 0 };
	struct rec_change c;
	struct key prefix, k;
	enum status st = ST_OK;

	key_3(&prefix, ap->a->id, mailbox, modseq);
	for (; st == ST_OK && *left > 0; --*left) {
		st = first_row(ap->s, TAB_CHANGE, key_span(&prefix), &key, &value);
		if (st != ST_OK)
			break;
		key_text(&k, buf_span(&key));
		if (!rec_change_get(buf_span(&value), &c))
			st = st_damaged(ap->s, TAB_CHANGE, buf_span(&key));
		if (st == ST_OK && c.kind == CHANGE_DESTROYED)
			st = forget_destroyed(ap, &c, modseq);
		if (st == ST_OK)
			st = st_del(ap->s, TAB_CHANGE, &k);
	}
	buf_fini(&key);
	buf_fini(&value);
	return st;
}

/* A tombstone goes with the row that tells of it, unless it was brought back since.
 * ST_CONFLICT: rows are still under it, the mailbox's purge comes first. */
static enum status
forget_mailbox(struct apply *ap, uint64_t mailbox, int64_t time_ms)
{
	struct mbox *m;
	struct key k;
	enum status st = st_mbox(ap->s, ap->a, mailbox, &m);

	if (st == ST_NOT_FOUND)
		return ST_OK;
	TRY(st);
	if (m->rec.deleted_ms != (time_ms != 0 ? time_ms : 1))
		return ST_OK;
	if (m->rec.messages > 0)
		return ST_CONFLICT;
	TRY(uidmap_flush(ap->s, ap->a, m));
	table_del_u64(&ap->a->mboxes, mailbox);
	list_remove(&m->in_acct);
	buf_fini(&m->name);
	mem_free(&m);
	TRY(acl_drop(ap->s, ap->a->id, mailbox));
	key_2(&k, ap->a->id, mailbox);
	TRY(st_del_any(ap->s, TAB_UIDHIGH, &k));
	return st_del_any(ap->s, TAB_MAILBOX, &k);
}

static enum status
forget_mchanges(struct apply *ap, uint64_t modseq, int64_t time_ms)
{
	struct buf key = { 0 }, value = { 0 };
	struct rec_mchange c;
	struct key prefix, k;
	enum status st = ST_OK;

	key_2(&prefix, ap->a->id, modseq);
	while (st == ST_OK) {
		st = first_row(ap->s, TAB_MCHANGE, key_span(&prefix), &key, &value);
		if (st != ST_OK)
			break;
		key_text(&k, buf_span(&key));
		if (!rec_mchange_get(buf_span(&value), &c))
			st = st_damaged(ap->s, TAB_MCHANGE, buf_span(&key));
		if (st == ST_OK && c.kind == CHANGE_DESTROYED)
			st = forget_mailbox(ap, get_be64(key.data + 16), time_ms);
		if (st == ST_OK)
			st = st_del(ap->s, TAB_MCHANGE, &k);
	}
	buf_fini(&key);
	buf_fini(&value);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* One history row with all under it.  *left 0: not finished. */
static enum status
forget_operation(struct apply *ap, uint64_t modseq, const struct rec_history *h, uint32_t *left)
{
	struct key k;

	for (size_t i = 0; i < h->mailboxes.len; i += 8) {
		uint64_t mailbox = get_be64(h->mailboxes.p + i);
		enum status st = forget_changes(ap, mailbox, modseq, left);

		if (st == ST_NOT_FOUND)
			st = annotations_forget(ap, mailbox, modseq, left);
		if (st != ST_NOT_FOUND)
			return st;		/* failed, or no rows left to spend */
	}
	TRY(forget_mchanges(ap, modseq, h->time_ms));
	key_2(&k, ap->a->id, modseq);
	TRY(st_del(ap->s, TAB_HISTORY, &k));
	ap->a->rec.horizon = modseq;
	ap->a->dirty = true;
	if (*left > 0)
		--*left;
	return ST_OK;
}

/* A row stamped by a clock that was ahead of today's tells nothing of its age: it is as old as
 * the next one that does.  *old false: none of the next rows is old enough. */
static enum status
old_by_next(struct apply *ap, uint64_t modseq, bool *old)
{
	const struct op_history_purge *p = &ap->op->u.history_purge;
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct rec_history h;
	struct key k;
	enum status st;

	*old = false;
	key_1(&k, ap->a->id);
	TRY(engine_cursor_open(ap->s->e, ap->s->txn, TAB_HISTORY, key_span(&k), &c));
	key_2(&k, ap->a->id, modseq + 1);
	engine_cursor_seek(c, key_span(&k));
	for (unsigned n = 0; n < OP_ROWS; n++) {
		st = st_next(ap->s, TAB_HISTORY, c, &key, &payload);
		if (st == ST_OK && !rec_history_get(payload, &h))
			st = st_damaged(ap->s, TAB_HISTORY, key);
		if (st != ST_OK || h.time_ms <= ap->op->head.time_ms) {
			*old = st == ST_OK && h.time_ms < p->before_ms;
			break;
		}
		/* a thousand of them: there will not be many such days */
		*old = n + 1 == OP_ROWS;
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status
apply_history_purge(struct apply *ap)
{
	const struct op_history_purge *p = &ap->op->u.history_purge;
	uint32_t left = p->rows > OP_ROWS || p->rows == 0 ? OP_ROWS : p->rows;
	struct buf key = { 0 }, value = { 0 };
	struct rec_history h;
	struct key prefix;
	enum status st = ST_OK;
	bool old;

	key_1(&prefix, ap->a->id);
	while (st == ST_OK) {
		st = first_row(ap->s, TAB_HISTORY, key_span(&prefix), &key, &value);
		if (st != ST_OK)
			break;
		if (!rec_history_get(buf_span(&value), &h)) {
			st = st_damaged(ap->s, TAB_HISTORY, buf_span(&key));
			break;
		}
		old = h.time_ms < p->before_ms;
		if (h.time_ms > ap->op->head.time_ms)
			st = old_by_next(ap, get_be64(key.data + 8), &old);
		if (st != ST_OK || !old)
			break;
		if (left == 0) {
			ap->r->more = true;
			break;
		}
		st = forget_operation(ap, get_be64(key.data + 8), &h, &left);
	}
	buf_fini(&key);
	buf_fini(&value);
	return st == ST_NOT_FOUND || st == ST_CONFLICT ? ST_OK : st;
}
