/* One mailbox made, changed or destroyed by id, as JMAP does.  The rules are those of mailbox.c; what
 * is not as they want it is told by the verdict in the answer. */
#include "storage/state/state_priv.h"

#include <string.h>

#define SUBSCRIPTIONS_MOVED OP_ROWS

/* What is asked for, and what was found. */
struct wish {
	const struct op_mailbox_set *p;
	struct mbox	*m;			/* NULL: to be made */
	uint64_t	parent;
	struct buf	name, old_path, path;	/* as it will be; path: of all of it */
	uint8_t		verdict;
};

static enum status
verdict(struct wish *w, enum mailbox_set_verdict v)
{
	w->verdict = (uint8_t)v;
	return ST_OK;
}

static bool
fine(const struct wish *w)
{
	return w->verdict == MAILBOX_SET_DONE;
}

static bool
wants(const struct wish *w, unsigned field)
{
	return w->m == NULL || (w->p->fields & field) != 0;
}

static bool
is_inbox(const struct mbox *m)
{
	return m->rec.parent == 0 && span_eq_str(m->rec.name, "INBOX");
}

static enum status
live(struct apply *ap, uint64_t id, struct mbox **m)
{
	enum status st = st_mbox(ap->s, ap->a, id, m);

	if (st == ST_NOT_FOUND || (st == ST_OK && (*m)->rec.deleted_ms != 0)) {
		*m = NULL;
		return ST_OK;
	}
	return st;
}

/* ---- where it will be ---- */

/* The parent is there, and not below the mailbox. */
static enum status
judge_parent(struct apply *ap, struct wish *w)
{
	uint64_t up = w->parent;
	struct mbox *m;

	for (unsigned depth = 0; up != 0; depth++) {
		TRY(live(ap, up, &m));
		if (m == NULL || (w->m != NULL && up == w->m->id) || depth > STORE_DEPTH_MAX)
			return verdict(w, MAILBOX_SET_PARENT);
		up = m->rec.parent;
	}
	return ST_OK;
}

/* A name alone, clean; at the top INBOX has one spelling. */
static bool
take_name(struct wish *w, struct span name)
{
	if (memchr(name.p != NULL ? name.p : "", '/', name.len) != NULL)
		return false;
	buf_clear(&w->name);
	if (w->parent == 0)
		return path_clean(name, &w->name);
	/* behind a letter, so that it is no INBOX */
	buf_add_str(&w->path, "x/");
	buf_add_span(&w->path, name);
	if (name.len > 0 && path_clean(buf_span(&w->path), &w->name))
		buf_drop(&w->name, 2);
	buf_clear(&w->path);
	return w->name.len > 0;
}

static enum status
make_path(struct apply *ap, uint64_t parent, struct span name, struct buf *path)
{
	buf_clear(path);
	if (parent != 0) {
		TRY(path_of(ap, parent, path));
		buf_add_c(path, '/');
	}
	buf_add_span(path, name);
	return ST_OK;
}

static enum status
judge_place(struct apply *ap, struct wish *w)
{
	unsigned parts = 0;
	size_t bytes = 0;
	struct span payload;
	struct key k;
	enum status st;

	TRY(judge_parent(ap, w));
	if (!fine(w))
		return ST_OK;
	if (!take_name(w, wants(w, MAILBOX_CHANGED_NAME) ? w->p->name : w->m->rec.name))
		return verdict(w, MAILBOX_SET_NAME);
	key_name(&k, ap->a->id, w->parent, buf_span(&w->name));
	st = st_get(ap->s, ap->s->txn, TAB_MBOXNAME, &k, &ap->s->value, &payload);
	if (st == ST_OK && (payload.len != 8 || w->m == NULL || get_be64(payload.p) != w->m->id))
		return verdict(w, MAILBOX_SET_EXISTS);
	if (st != ST_OK && st != ST_NOT_FOUND)
		return st;
	TRY(make_path(ap, w->parent, buf_span(&w->name), &w->path));
	if (w->m != NULL)
		TRY(mailbox_measure(ap, w->m->id, 1, &parts, &bytes));
	if (path_parts(buf_span(&w->path)) + parts > STORE_DEPTH_MAX ||
	    w->path.len + bytes > STORE_PATH_MAX)
		return verdict(w, MAILBOX_SET_LIMIT);
	return ST_OK;
}

static enum status
judge_role(struct apply *ap, struct wish *w)
{
	uint8_t old = w->m != NULL ? w->m->rec.role : MAILBOX_ROLE_NONE, role = w->p->role;
	bool taken;

	if (!wants(w, MAILBOX_CHANGED_ROLE) || role == old)
		return ST_OK;
	if (role > MAILBOX_ROLE_MAX || role == MAILBOX_ROLE_INBOX || old == MAILBOX_ROLE_INBOX)
		return verdict(w, MAILBOX_SET_ROLE);
	TRY(role_taken(ap, role, &taken));
	return taken ? verdict(w, MAILBOX_SET_ROLE) : ST_OK;
}

static enum status
judge_subscription(struct apply *ap, struct wish *w)
{
	bool fits = true;

	if (wants(w, MAILBOX_CHANGED_SUBSCRIBED) && w->p->subscribed)
		TRY(subscription_fits(ap, &fits));
	return fits ? ST_OK : verdict(w, MAILBOX_SET_LIMIT);
}

/* ---- subscriptions that move along ---- */

/* put_span() of the subscribed names at or below a path. */
static enum status
subscribed_below(struct apply *ap, struct span top, struct buf *out, size_t *n)
{
	struct engine_cursor *c = NULL;
	struct span key, path;
	struct key k;
	enum status st;

	*n = 0;
	key_1(&k, ap->a->id);
	TRY(engine_cursor_open(ap->s->e, ap->s->txn, TAB_SUBSCR, key_span(&k), &c));
	while ((st = st_next(ap->s, TAB_SUBSCR, c, &key, &path)) == ST_OK) {
		if (!span_eq(path, top) && !(path.len > top.len && path.p[top.len] == '/' &&
		    span_eq(span_sub(path, 0, top.len), top)))
			continue;
		put_span(out, path);
		++*n;
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status
move_subscriptions(struct apply *ap, struct wish *w, struct span names)
{
	struct buf to = { 0 };
	struct reader r;
	enum status st = ST_OK;

	reader_init(&r, names.p, names.len);
	while (st == ST_OK && reader_left(&r) > 0) {
		struct span path = get_span(&r);

		buf_clear(&to);
		buf_add_span(&to, buf_span(&w->path));
		buf_add_span(&to, span_sub(path, w->old_path.len, path.len));
		if (to.len > STORE_PATH_MAX || path_parts(buf_span(&to)) > STORE_DEPTH_MAX)
			continue;	/* a name without a mailbox */
		st = subscription_set(ap, path, false);
		if (st == ST_OK)
			st = subscription_set(ap, buf_span(&to), true);
	}
	buf_fini(&to);
	return st;
}

/* ---- done ---- */

static enum status
create(struct apply *ap, struct wish *w)
{
	struct path_at at = { 0 };

	w->parent = w->p->parent;
	TRY(judge_place(ap, w));
	if (fine(w))
		TRY(judge_role(ap, w));
	if (fine(w))
		TRY(judge_subscription(ap, w));
	if (fine(w) && !mailboxes_fit(ap, 1))
		return verdict(w, MAILBOX_SET_LIMIT);
	if (!fine(w))
		return ST_OK;
	at.above = w->parent;
	at.rest = buf_span(&w->name);
	TRY(mailbox_make(ap, &at, w->p->role, &w->m));
	w->m->rec.order = w->p->order;
	w->m->dirty = true;
	return w->p->subscribed ? subscription_set(ap, buf_span(&w->path), true) : ST_OK;
}

static enum status
relink(struct apply *ap, struct wish *w)
{
	struct mbox *m = w->m;
	struct key k;

	key_name(&k, ap->a->id, m->rec.parent, m->rec.name);
	TRY(st_del(ap->s, TAB_MBOXNAME, &k));
	key_name(&k, ap->a->id, w->parent, buf_span(&w->name));
	put_u64(st_put_start(ap->s), m->id);
	TRY(st_put(ap->s, TAB_MBOXNAME, &k));
	m->rec.parent = w->parent;
	st_mbox_name(m, buf_span(&w->name));
	return ST_OK;
}

/* names: subscriptions that move along. */
static enum status
change(struct apply *ap, struct wish *w, struct span names)
{
	struct mbox *m = w->m;
	const struct rec_mchange c = { .kind = CHANGE_UPDATED, .old_parent = m->rec.parent,
		.old_role = m->rec.role, .old_order = m->rec.order, .old_name = m->rec.name };
	bool moves = m->rec.parent != w->parent || !span_eq(m->rec.name, buf_span(&w->name));
	uint8_t role = wants(w, MAILBOX_CHANGED_ROLE) ? w->p->role : m->rec.role;
	uint32_t order = wants(w, MAILBOX_CHANGED_ORDER) ? w->p->order : m->rec.order;

	if (moves || role != m->rec.role || order != m->rec.order) {
		TRY(mchange_add(ap, m->id, &c));
		if (moves)
			TRY(relink(ap, w));
		m->rec.role = role;
		m->rec.order = order;
		m->dirty = true;
	}
	if (moves)
		TRY(move_subscriptions(ap, w, names));
	return wants(w, MAILBOX_CHANGED_SUBSCRIBED) ?
	    subscription_set(ap, buf_span(&w->path), w->p->subscribed) : ST_OK;
}

static enum status
judge_update(struct apply *ap, struct wish *w)
{
	struct mbox *m = w->m;

	w->parent = wants(w, MAILBOX_CHANGED_PARENT) ? w->p->parent : m->rec.parent;
	TRY(make_path(ap, m->rec.parent, m->rec.name, &w->old_path));
	TRY(judge_place(ap, w));
	if (fine(w) && is_inbox(m) && !span_eq(buf_span(&w->path), buf_span(&w->old_path)))
		return verdict(w, MAILBOX_SET_DENIED);
	if (fine(w))
		TRY(judge_role(ap, w));
	return fine(w) ? judge_subscription(ap, w) : ST_OK;
}

static enum status
update(struct apply *ap, struct wish *w)
{
	struct buf names = { 0 };
	size_t n = 0;
	enum status st = judge_update(ap, w);

	if (st == ST_OK && fine(w) && !span_eq(buf_span(&w->path), buf_span(&w->old_path)))
		st = subscribed_below(ap, buf_span(&w->old_path), &names, &n);
	if (st == ST_OK && n > SUBSCRIPTIONS_MOVED)
		st = verdict(w, MAILBOX_SET_LIMIT);
	if (st == ST_OK && fine(w))
		st = change(ap, w, buf_span(&names));
	buf_fini(&names);
	return st;
}

static enum status
destroy(struct apply *ap, struct wish *w)
{
	struct mbox *m = w->m;
	bool children;

	if (is_inbox(m))
		return verdict(w, MAILBOX_SET_DENIED);
	TRY(has_children(ap, m->id, &children));
	if (children)
		return verdict(w, MAILBOX_SET_CHILDREN);
	if (m->rec.messages > m->rec.deleted && !w->p->remove_emails)
		return verdict(w, MAILBOX_SET_EMAILS);
	TRY(make_path(ap, m->rec.parent, m->rec.name, &w->path));
	TRY(subscription_set(ap, buf_span(&w->path), false));
	return mailbox_end(ap, m);
}

static enum status
set(struct apply *ap, struct wish *w)
{
	if (w->p->if_mailbox != 0 && w->p->if_mailbox != ap->a->rec.mailbox_modseq)
		return verdict(w, MAILBOX_SET_STATE);
	if (w->p->how == MAILBOX_SET_CREATE)
		return create(ap, w);
	TRY(live(ap, w->p->mailbox, &w->m));
	if (w->m == NULL)
		return verdict(w, MAILBOX_SET_NOT_FOUND);
	return w->p->how == MAILBOX_SET_UPDATE ? update(ap, w) : destroy(ap, w);
}

enum status
apply_mailbox_set(struct apply *ap)
{
	struct wish w = { .p = &ap->op->u.mailbox_set };
	struct store_mailbox_set_is is = { .old_mailbox = ap->a->rec.mailbox_modseq };
	enum status st;

	if (w.p->how < MAILBOX_SET_CREATE || w.p->how > MAILBOX_SET_DESTROY ||
	    w.p->fields >= MAILBOX_CHANGED_COUNTS)
		return refuse(ap, ST_SYNTAX);
	st = set(ap, &w);
	is.verdict = w.verdict;
	is.mailbox = ap->r->mailbox = w.m != NULL ? w.m->id : w.p->mailbox;
	is.state = ap->a->rec.mailbox_modseq;
	is.modseq = ap->a->rec.modseq;
	if (st == ST_OK)
		ap_reply(ap, STORE_MAILBOX_SET_IS, &is);
	buf_fini(&w.name);
	buf_fini(&w.old_path);
	buf_fini(&w.path);
	return st;
}
