/* Mailboxes made, renamed, deleted; subscriptions. */
#include "storage/state/state_priv.h"

enum status
role_holder(struct apply *ap, uint8_t role, uint64_t *mailbox)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct rec_mailbox rec;
	struct list *n, *tmp;
	struct key prefix;
	enum status st;

	*mailbox = 0;
	if (role == MAILBOX_ROLE_NONE)
		return ST_OK;
	list_each(n, tmp, &ap->a->list) {
		struct mbox *m = list_entry(n, struct mbox, in_acct);

		if (m->rec.role == role && m->rec.deleted_ms == 0)
			*mailbox = m->id;
	}
	key_1(&prefix, ap->a->id);
	TRY(engine_cursor_open(ap->s->e, ap->s->txn, TAB_MAILBOX, key_span(&prefix), &c));
	while ((st = st_next(ap->s, TAB_MAILBOX, c, &key, &payload)) == ST_OK) {
		if (!rec_mailbox_get(payload, &rec)) {
			st = st_damaged(ap->s, TAB_MAILBOX, key);
			break;
		}
		/* One that is kept decoded was judged above, as it is now. */
		if (table_get_u64(&ap->a->mboxes, get_be64(key.p + 8)) == NULL &&
		    rec.role == role && rec.deleted_ms == 0)
			*mailbox = get_be64(key.p + 8);
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* A role belongs to one mailbox of an account (RFC 8621 §2). */
enum status
role_taken(struct apply *ap, uint8_t role, bool *taken)
{
	uint64_t mailbox;

	TRY(role_holder(ap, role, &mailbox));
	*taken = mailbox != 0;
	return ST_OK;
}

static enum status
create(struct apply *ap, struct span path)
{
	const struct op_mailbox_create *p = &ap->op->u.mailbox_create;
	struct store_created reply = { 0 };
	struct mbox *m = NULL;
	struct path_at at;
	bool taken;

	TRY(path_find(ap->s, ap->s->txn, ap->a->id, path, &at));
	TRY(ap_need_above(ap, &at));
	if (ap->r->status != ST_OK)
		return ST_OK;
	if (at.id != 0)
		return refuse(ap, ST_EXISTS);
	if (p->role > MAILBOX_ROLE_MAX)
		return refuse(ap, ST_SYNTAX);
	if (p->role != MAILBOX_ROLE_NONE && ap_foreign(ap))
		return refuse(ap, ST_DENIED);
	if (!mailboxes_fit(ap, path_parts(at.rest)))
		return refuse(ap, ST_LIMIT);
	TRY(role_taken(ap, p->role, &taken));
	if (taken)
		return refuse(ap, ST_CONFLICT);
	TRY(mailbox_make(ap, &at, p->role, &m));
	ap->r->mailbox = reply.mailbox = m->id;
	reply.uidvalidity = m->rec.uidvalidity;
	reply.modseq = ap->modseq;
	ap_reply(ap, STORE_CREATED, &reply);
	return ST_OK;
}

enum status
apply_mailbox_create(struct apply *ap)
{
	struct buf path = { 0 };
	enum status st = path_clean(ap->op->u.mailbox_create.path, &path) ?
	    create(ap, buf_span(&path)) : refuse(ap, ST_SYNTAX);

	buf_fini(&path);
	return st;
}

enum status
has_children(struct apply *ap, uint64_t mailbox, bool *yes)
{
	struct engine_cursor *c = NULL;
	struct key prefix;
	enum status st;

	key_2(&prefix, ap->a->id, mailbox);
	TRY(engine_cursor_open(ap->s->e, ap->s->txn, TAB_MBOXNAME, key_span(&prefix), &c));
	st = engine_cursor_next(c, NULL, NULL);
	engine_cursor_close(&c);
	*yes = st == ST_OK;
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* Empties what is possible at once; the work row tells that more is to do. */
static enum status
purge_step(struct apply *ap, struct mbox *m, bool has_work)
{
	struct key k;
	bool empty;

	TRY(mbox_purge_rows(ap, m, &empty));
	if (empty)
		TRY(reader_purge(ap, m->id, &empty));
	ap->r->more = !empty;
	key_2(&k, ap->a->id, m->id);
	if (empty)
		TRY(metadata_drop(ap, m->id));
	if (empty)
		TRY(urlkey_drop(ap, m->id));
	if (empty)
		return has_work ? st_del(ap->s, TAB_WORK, &k) : ST_OK;
	if (has_work)
		return ST_OK;
	st_put_start(ap->s);
	return st_put(ap->s, TAB_WORK, &k);
}

enum status
mailbox_end(struct apply *ap, struct mbox *m)
{
	const struct rec_mchange c = { .kind = CHANGE_DESTROYED, .old_parent = m->rec.parent,
		.old_role = m->rec.role, .old_order = m->rec.order, .old_name = m->rec.name };
	struct rec_account *a = &ap->a->rec;
	struct key k;

	TRY(mchange_add(ap, m->id, &c));
	key_name(&k, ap->a->id, m->rec.parent, m->rec.name);
	TRY(st_del(ap->s, TAB_MBOXNAME, &k));
	TRY(acl_unindex(ap->s, ap->a->id, m->id));
	/* 0 would mean that it is there. */
	m->rec.deleted_ms = ap->op->head.time_ms != 0 ? ap->op->head.time_ms : 1;
	m->dirty = true;
	a->mailboxes--;
	a->bytes -= m->rec.bytes;
	a->messages -= m->rec.messages;
	ap->r->mailbox = m->id;
	return purge_step(ap, m, false);
}

static enum status
delete(struct apply *ap, struct span path)
{
	struct path_at at;
	struct mbox *m;
	bool children;

	TRY(path_find(ap->s, ap->s->txn, ap->a->id, path, &at));
	if (at.id == 0)
		return refuse(ap, ST_NOT_FOUND);
	TRY(ap_need(ap, at.id, RIGHT_DELETE_MAILBOX));
	if (ap->r->status != ST_OK)
		return ST_OK;
	if (span_eq_str(path, "INBOX"))
		return refuse(ap, ST_DENIED);
	TRY(has_children(ap, at.id, &children));
	if (children)
		return refuse(ap, ST_CONFLICT);
	TRY(st_mbox(ap->s, ap->a, at.id, &m));
	return mailbox_end(ap, m);
}

enum status
apply_mailbox_delete(struct apply *ap)
{
	struct buf path = { 0 };
	enum status st = path_clean(ap->op->u.mailbox_delete.path, &path) ?
	    delete(ap, buf_span(&path)) : refuse(ap, ST_SYNTAX);

	buf_fini(&path);
	return st;
}

enum status
apply_mailbox_purge(struct apply *ap)
{
	struct span payload;
	struct mbox *m;
	struct key k;
	enum status st;

	key_2(&k, ap->a->id, ap->op->u.mailbox_purge.mailbox);
	st = st_get(ap->s, ap->s->txn, TAB_WORK, &k, &ap->s->value, &payload);
	if (st == ST_NOT_FOUND)
		return ST_OK;
	TRY(st);
	TRY(st_mbox(ap->s, ap->a, ap->op->u.mailbox_purge.mailbox, &m));
	return purge_step(ap, m, true);
}

/* ---- rename ---- */

enum status
mailbox_measure(struct apply *ap, uint64_t mailbox, unsigned above, unsigned *parts, size_t *bytes)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct key prefix;
	enum status st;

	*parts = 0;
	*bytes = 0;
	if (above > STORE_DEPTH_MAX)
		return ST_OK;
	key_2(&prefix, ap->a->id, mailbox);
	TRY(engine_cursor_open(ap->s->e, ap->s->txn, TAB_MBOXNAME, key_span(&prefix), &c));
	while ((st = st_next(ap->s, TAB_MBOXNAME, c, &key, &payload)) == ST_OK) {
		size_t name = key.len - prefix.len, below;
		unsigned n;

		if (payload.len != 8) {
			st = st_damaged(ap->s, TAB_MBOXNAME, key);
			break;
		}
		st = mailbox_measure(ap, get_be64(payload.p), above + 1, &n, &below);
		if (st != ST_OK)
			break;
		if (n + 1 > *parts)
			*parts = n + 1;
		if (below + name + 1 > *bytes)
			*bytes = below + name + 1;
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* Makes the superiors that a path lacks; *parent: its direct one; *name: its last part. */
enum status
make_superiors(struct apply *ap, const struct path_at *at, uint64_t *parent, struct span *name)
{
	struct path_at up = *at;
	struct mbox *m = NULL;
	size_t cut = at->rest.len;

	while (cut > 0 && at->rest.p[cut - 1] != '/')
		cut--;
	*name = span_sub(at->rest, cut, at->rest.len);
	*parent = at->above;
	if (cut == 0)
		return ST_OK;
	up.rest = span_sub(at->rest, 0, cut - 1);
	TRY(mailbox_make(ap, &up, MAILBOX_ROLE_NONE, &m));
	*parent = m->id;
	return ST_OK;
}

static enum status
relink(struct apply *ap, struct mbox *m, const struct path_at *at)
{
	const struct rec_mchange c = { .kind = CHANGE_UPDATED, .old_parent = m->rec.parent,
		.old_role = m->rec.role, .old_order = m->rec.order,
		.old_name = m->rec.name };
	struct span name;
	uint64_t parent;
	struct key k;

	TRY(make_superiors(ap, at, &parent, &name));
	TRY(mchange_add(ap, m->id, &c));
	key_name(&k, ap->a->id, m->rec.parent, m->rec.name);
	TRY(st_del(ap->s, TAB_MBOXNAME, &k));
	key_name(&k, ap->a->id, parent, name);
	put_u64(st_put_start(ap->s), m->id);
	TRY(st_put(ap->s, TAB_MBOXNAME, &k));
	m->rec.parent = parent;
	st_mbox_name(m, name);
	return ST_OK;
}

/* RFC 3501 §6.3.5: INBOX stays, its messages go to the new mailbox. */
static enum status
rename_inbox(struct apply *ap, struct mbox *inbox, const struct path_at *at)
{
	struct uidrange every = { 1, UINT32_MAX };
	const struct uidset all = { &every, 1, 1 };
	struct uidset uids = { 0 }, made = { 0 };
	struct mbox *to = NULL;
	enum status st;

	if (inbox->rec.messages > OP_ROWS_WHOLE)
		return refuse(ap, ST_LIMIT);
	st = uidmap_among(ap->s, ap->a, inbox, STATE_ALL, &all, UINT64_MAX, &uids);
	if (st == ST_OK)
		st = mailbox_make(ap, at, MAILBOX_ROLE_NONE, &to);
	if (st == ST_OK)
		st = copy_rows(ap, inbox, to, &uids, true, &made);
	if (st == ST_OK)
		st = metadata_copy(ap, inbox->id, to->id);
	if (st == ST_OK)
		ap->r->mailbox = to->id;
	uidset_fini(&uids);
	uidset_fini(&made);
	return st;
}

static bool
is_below(struct span path, struct span top)
{
	return path.len > top.len && path.p[top.len] == '/' &&
	    span_eq(span_sub(path, 0, top.len), top);
}

/* Another than the owner needs x in what moves, and k above where it goes (RFC 4314 §4). */
static enum status
judge_rename(struct apply *ap, bool inbox, const struct path_at *a, const struct path_at *b)
{
	if (!ap_foreign(ap))
		return ST_OK;
	if (a->id == 0)
		return refuse(ap, ST_NOT_FOUND);
	TRY(ap_need(ap, a->id, RIGHT_DELETE_MAILBOX));
	if (ap->r->status != ST_OK)
		return ST_OK;
	if (inbox)
		return refuse(ap, ST_DENIED);
	return ap_need_above(ap, b);
}

static enum status
rename_it(struct apply *ap, struct span from, struct span to)
{
	bool inbox = span_eq_str(from, "INBOX");
	struct path_at a, b;
	struct mbox *m;
	unsigned parts = 0;
	size_t bytes = 0;

	TRY(path_find(ap->s, ap->s->txn, ap->a->id, from, &a));
	TRY(path_find(ap->s, ap->s->txn, ap->a->id, to, &b));
	TRY(judge_rename(ap, inbox, &a, &b));
	if (ap->r->status != ST_OK)
		return ST_OK;
	if (a.id == 0)
		return refuse(ap, ST_NOT_FOUND);
	if (b.id != 0)
		return refuse(ap, ST_EXISTS);
	if (!inbox && is_below(to, from))
		return refuse(ap, ST_CONFLICT);
	if (!mailboxes_fit(ap, path_parts(b.rest) - (inbox ? 0 : 1)))
		return refuse(ap, ST_LIMIT);
	TRY(st_mbox(ap->s, ap->a, a.id, &m));
	if (inbox)
		return rename_inbox(ap, m, &b);
	TRY(mailbox_measure(ap, a.id, 1, &parts, &bytes));
	if (path_parts(to) + parts > STORE_DEPTH_MAX || to.len + bytes > STORE_PATH_MAX)
		return refuse(ap, ST_LIMIT);
	ap->r->mailbox = m->id;
	return relink(ap, m, &b);
}

enum status
apply_mailbox_rename(struct apply *ap)
{
	const struct op_mailbox_rename *p = &ap->op->u.mailbox_rename;
	struct buf from = { 0 }, to = { 0 };
	enum status st = path_clean(p->from, &from) && path_clean(p->to, &to) ?
	    rename_it(ap, buf_span(&from), buf_span(&to)) : refuse(ap, ST_SYNTAX);

	buf_fini(&from);
	buf_fini(&to);
	return st;
}

/* ---- subscriptions: of names, whether there is a mailbox or not (RFC 3501 §6.3.6) ---- */

#define SUBSCRIPTIONS_MAX (2 * STORE_MAILBOX_MAX)

enum status
subscription_set(struct apply *ap, struct span path, bool on)
{
	struct span payload;
	struct key k;
	enum status st;

	key_subscription(&k, ap->a->id, path);
	st = st_get(ap->s, ap->s->txn, TAB_SUBSCR, &k, &ap->s->value, &payload);
	if (st != ST_OK && st != ST_NOT_FOUND)
		return st;
	if ((st == ST_OK) == on)
		return ST_OK;
	ap->a->rec.mailbox_modseq = ap_modseq(ap);
	if (ap->op->kind == OP_SUBSCRIBE) {
		ap->noted = !on;
		buf_add_span(&ap->old, path);
	} else if (ap->op->kind == OP_MAILBOX_SET) {
		put_u8(&ap->old, !on);
		put_span(&ap->old, path);
	}
	if (!on)
		return st_del(ap->s, TAB_SUBSCR, &k);
	buf_add_span(st_put_start(ap->s), path);
	return st_put(ap->s, TAB_SUBSCR, &k);
}

static enum status
count_subscriptions(struct apply *ap, uint32_t *n)
{
	struct engine_cursor *c = NULL;
	struct key prefix;
	enum status st;

	key_1(&prefix, ap->a->id);
	TRY(engine_cursor_open(ap->s->e, ap->s->txn, TAB_SUBSCR, key_span(&prefix), &c));
	for (*n = 0; (st = engine_cursor_next(c, NULL, NULL)) == ST_OK; ++*n)
		;
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status
subscription_fits(struct apply *ap, bool *fits)
{
	uint32_t n = 0;

	TRY(count_subscriptions(ap, &n));
	*fits = n < SUBSCRIPTIONS_MAX;
	return ST_OK;
}

enum status
apply_subscribe(struct apply *ap)
{
	const struct op_subscribe *p = &ap->op->u.subscribe;
	struct buf path = { 0 };
	bool fits = true;
	enum status st = ST_OK;

	if (!path_clean(p->path, &path))
		st = refuse(ap, ST_SYNTAX);
	else if (p->on && (st = subscription_fits(ap, &fits)) == ST_OK && !fits)
		st = refuse(ap, ST_LIMIT);
	if (st == ST_OK && ap->r->status == ST_OK)
		st = subscription_set(ap, buf_span(&path), p->on);
	buf_fini(&path);
	return st;
}

enum status
apply_recent(struct apply *ap)
{
	const struct op_recent *p = &ap->op->u.recent;
	struct mbox *m;

	TRY(ap_mbox(ap, p->mailbox, &m));
	if (m == NULL || p->below <= m->rec.recent_from)
		return ST_OK;
	m->rec.recent_from = p->below < m->rec.uidnext ? p->below : m->rec.uidnext;
	m->dirty = true;
	return ST_OK;
}
