/* Who may do what in a mailbox (RFC 4314).  An ACL is one row, entries sorted by kind and
 * id; a second table names the mailboxes by whom they are shared with.  The owner has all
 * rights and stands in no entry, so nothing locks him out. */
#include "storage/state/state_priv.h"

#include <string.h>

#include "common/util/mem.h"

struct entries {
	struct store_acl	e[STORE_ACL_MAX + 1];
	size_t			n;
};

static bool
in_groups(struct span groups, uint64_t id)
{
	for (size_t i = 0; i + 8 <= groups.len; i += 8)
		if (get_be64(groups.p + i) == id)
			return true;
	return false;
}

static bool
is_about(const struct store_acl *e, const struct state_asker *by)
{
	switch (e->kind) {
	case ACL_USER:
		return e->id == by->account;
	case ACL_GROUP:
		return in_groups(by->groups, e->id);
	default:
		return true;
	}
}

/* *rights: what the list gives, without what it takes away. */
static bool
evaluate(struct span list, const struct state_asker *by, uint32_t *rights)
{
	struct store_acl e;
	uint32_t plus = 0, minus = 0;
	struct reader r;

	reader_init(&r, list.p, list.len);
	while (get_store_acl(&r, &e)) {
		if (!is_about(&e, by))
			continue;
		plus |= e.rights;
		minus |= e.minus;
	}
	*rights = plus & ~minus;
	return reader_done(&r);
}

static enum status
read_rights(struct state *s, struct engine_txn *txn, uint64_t account, uint64_t mailbox,
    const struct state_asker *by, uint32_t *rights)
{
	struct buf value = { 0 };
	struct span payload;
	struct key k;
	enum status st;

	*rights = 0;
	key_2(&k, account, mailbox);
	st = st_get(s, txn, TAB_ACL, &k, &value, &payload);
	if (st == ST_OK && !evaluate(payload, by, rights))
		st = st_damaged(s, TAB_ACL, key_span(&k));
	buf_fini(&value);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status
state_rights(struct state *s, uint64_t owner, uint64_t mailbox, const struct state_asker *by,
    uint32_t *rights)
{
	if (by->account == owner) {
		*rights = RIGHT_ALL;
		return ST_OK;
	}
	return read_rights(s, NULL, owner, mailbox, by, rights);
}

enum status
state_verdict(uint32_t rights, uint32_t need)
{
	if ((rights & need) == need)
		return ST_OK;
	return rights & RIGHT_LOOKUP ? ST_DENIED : ST_NOT_FOUND;
}

unsigned
rights_flags(uint32_t rights)
{
	return (rights & RIGHT_WRITE ? FLAG_SYSTEM_ALL & ~(unsigned)(FLAG_SEEN | FLAG_DELETED) : 0) |
	    (rights & RIGHT_DELETE_MSG ? FLAG_DELETED : 0);
}

/* ---- for operations ---- */

bool
ap_foreign(const struct apply *ap)
{
	const struct op_head *h = &ap->op->head;

	return h->account != 0 && h->who != 0 && h->who != h->account;
}

enum status
ap_rights(struct apply *ap, uint64_t mailbox, uint32_t *rights)
{
	const struct state_asker by = { ap->op->head.who, ap->op->head.groups };

	*rights = RIGHT_ALL;
	if (!ap_foreign(ap))
		return ST_OK;
	return read_rights(ap->s, ap->s->txn, ap->a->id, mailbox, &by, rights);
}

enum status
ap_need(struct apply *ap, uint64_t mailbox, uint32_t need)
{
	uint32_t rights;

	TRY(ap_rights(ap, mailbox, &rights));
	if (state_verdict(rights, need) != ST_OK)
		return refuse(ap, state_verdict(rights, need));
	return ST_OK;
}

enum status
ap_need_above(struct apply *ap, const struct path_at *at)
{
	if (!ap_foreign(ap))
		return ST_OK;
	/* Nobody but the owner makes mailboxes at the top. */
	if (at->above == 0)
		return refuse(ap, ST_NOT_FOUND);
	return ap_need(ap, at->above, RIGHT_CREATE);
}

/* ---- records ---- */

static void
key_by(struct key *k, const struct store_acl *e, uint64_t account, uint64_t mailbox)
{
	k->len = 0;
	k->b[k->len++] = e->kind;
	key_add64(k, e->id);
	key_add64(k, account);
	key_add64(k, mailbox);
}

static enum status
index_entries(struct state *s, uint64_t account, uint64_t mailbox, const struct entries *l,
    bool there)
{
	struct key k;

	for (size_t i = 0; i < l->n; i++) {
		if (l->e[i].rights == 0)
			continue;
		key_by(&k, &l->e[i], account, mailbox);
		if (there) {
			put_u32(st_put_start(s), l->e[i].rights);
			TRY(st_put(s, TAB_ACLBY, &k));
		} else {
			TRY(st_del_any(s, TAB_ACLBY, &k));
		}
	}
	return ST_OK;
}

static enum status
load(struct state *s, uint64_t account, uint64_t mailbox, struct entries *l)
{
	struct span payload;
	struct reader r;
	struct key k;
	enum status st;

	l->n = 0;
	key_2(&k, account, mailbox);
	st = st_get(s, s->txn, TAB_ACL, &k, &s->value, &payload);
	if (st == ST_NOT_FOUND)
		return ST_OK;
	TRY(st);
	reader_init(&r, payload.p, payload.len);
	while (l->n < STORE_ACL_MAX && get_store_acl(&r, &l->e[l->n]))
		l->n++;
	return reader_done(&r) ? ST_OK : st_damaged(s, TAB_ACL, key_span(&k));
}

static enum status
save(struct state *s, uint64_t account, uint64_t mailbox, const struct entries *l)
{
	struct key k;
	struct buf *b;

	key_2(&k, account, mailbox);
	if (l->n == 0)
		return st_del_any(s, TAB_ACL, &k);
	b = st_put_start(s);
	for (size_t i = 0; i < l->n; i++)
		put_store_acl(b, &l->e[i]);
	return st_put(s, TAB_ACL, &k);
}

enum status
acl_inherit(struct apply *ap, uint64_t parent, uint64_t child)
{
	struct entries *l;
	enum status st;

	if (parent == 0)
		return ST_OK;
	l = mem_zalloc(sizeof(*l));
	st = load(ap->s, ap->a->id, parent, l);
	if (st == ST_OK && l->n > 0)
		st = save(ap->s, ap->a->id, child, l);
	if (st == ST_OK)
		st = index_entries(ap->s, ap->a->id, child, l, true);
	mem_free(&l);
	return st;
}

enum status
acl_unindex(struct state *s, uint64_t account, uint64_t mailbox)
{
	struct entries *l = mem_zalloc(sizeof(*l));
	enum status st = load(s, account, mailbox, l);

	if (st == ST_OK)
		st = index_entries(s, account, mailbox, l, false);
	mem_free(&l);
	return st;
}

enum status
acl_reindex(struct state *s, uint64_t account, uint64_t mailbox)
{
	struct entries *l = mem_zalloc(sizeof(*l));
	enum status st = load(s, account, mailbox, l);

	if (st == ST_OK)
		st = index_entries(s, account, mailbox, l, true);
	mem_free(&l);
	return st;
}

enum status
acl_drop(struct state *s, uint64_t account, uint64_t mailbox)
{
	struct key k;

	TRY(acl_unindex(s, account, mailbox));
	key_2(&k, account, mailbox);
	return st_del_any(s, TAB_ACL, &k);
}

/* ---- changing ---- */

static uint32_t
changed_rights(uint32_t old, uint8_t how, uint32_t rights)
{
	switch (how) {
	case ACL_ADD:
		return old | rights;
	case ACL_REMOVE:
		return old & ~rights;
	case ACL_DELETE:
		return 0;
	default:
		return rights;
	}
}

static int
by_identity(const struct store_acl *a, const struct op_acl_set *p)
{
	if (a->kind != p->kind)
		return a->kind < p->kind ? -1 : 1;
	return a->id < p->id ? -1 : a->id > p->id;
}

/* ST_LIMIT; *changed: the list is another one now. */
static enum status
change_list(struct entries *l, const struct op_acl_set *p, bool *changed)
{
	struct store_acl *e, old = { 0 };
	size_t i = 0;

	while (i < l->n && by_identity(&l->e[i], p) < 0)
		i++;
	e = &l->e[i];
	if (i == l->n || by_identity(e, p) != 0) {
		memmove(e + 1, e, (l->n - i) * sizeof(*e));
		*e = (struct store_acl){ .kind = p->kind, .id = p->id };
		l->n++;
	}
	old = *e;
	if (p->negative)
		e->minus = changed_rights(e->minus, p->how, p->rights);
	else
		e->rights = changed_rights(e->rights, p->how, p->rights);
	*changed = e->rights != old.rights || e->minus != old.minus;
	if ((e->rights | e->minus) == 0) {
		l->n--;
		memmove(e, e + 1, (l->n - i) * sizeof(*e));
	}
	return l->n <= STORE_ACL_MAX ? ST_OK : ST_LIMIT;
}

/* For the history row. */
static void
note_old(struct apply *ap, uint64_t mailbox, const struct entries *l)
{
	ap->noted = mailbox;
	buf_reserve(&ap->old, 1);
	for (size_t i = 0; i < l->n; i++)
		put_store_acl(&ap->old, &l->e[i]);
}

static enum status
set(struct apply *ap, struct mbox *m, struct entries *l)
{
	const struct rec_mchange c = { .kind = CHANGE_UPDATED, .old_parent = m->rec.parent,
		.old_role = m->rec.role, .old_order = m->rec.order,
		.old_name = m->rec.name };
	struct entries *old = mem_zalloc(sizeof(*old));
	bool changed = false;
	enum status st = load(ap->s, ap->a->id, m->id, l);

	*old = *l;
	if (st == ST_OK)
		ap->r->status = change_list(l, &ap->op->u.acl_set, &changed);
	if (st == ST_OK && ap->r->status == ST_OK && changed) {
		note_old(ap, m->id, old);
		st = index_entries(ap->s, ap->a->id, m->id, old, false);
		if (st == ST_OK)
			st = save(ap->s, ap->a->id, m->id, l);
		if (st == ST_OK)
			st = index_entries(ap->s, ap->a->id, m->id, l, true);
		if (st == ST_OK)
			st = mchange_add(ap, m->id, &c);
	}
	mem_free(&old);
	return st;
}

static enum status
set_at(struct apply *ap, struct span path)
{
	struct entries *l;
	struct path_at at;
	struct mbox *m;
	enum status st;

	TRY(path_find(ap->s, ap->s->txn, ap->a->id, path, &at));
	if (at.id == 0)
		return refuse(ap, ST_NOT_FOUND);
	TRY(ap_need(ap, at.id, RIGHT_ADMIN));
	if (ap->r->status != ST_OK)
		return ST_OK;
	TRY(ap_mbox(ap, at.id, &m));
	if (m == NULL)
		return ST_OK;
	ap->r->mailbox = m->id;
	l = mem_zalloc(sizeof(*l));
	st = set(ap, m, l);
	mem_free(&l);
	return st;
}

enum status
apply_acl_set(struct apply *ap)
{
	const struct op_acl_set *p = &ap->op->u.acl_set;
	struct buf path = { 0 };
	enum status st;

	if (p->kind < ACL_USER || p->kind > ACL_ANYONE || (p->id == 0) != (p->kind == ACL_ANYONE) ||
	    p->how < ACL_REPLACE || p->how > ACL_DELETE ||
	    (p->rights & ~(uint32_t)RIGHT_ALL) != 0 || !path_clean(p->path, &path))
		return refuse(ap, ST_SYNTAX);
	if (p->kind == ACL_USER && p->id == ap->op->head.account)
		st = refuse(ap, ST_CONFLICT);
	else
		st = set_at(ap, buf_span(&path));
	buf_fini(&path);
	return st;
}

/* ---- reading ---- */

enum status
state_acl(struct state *s, uint64_t owner, uint64_t mailbox, struct buf *out)
{
	struct buf value = { 0 };
	struct span payload;
	struct key k;
	enum status st;

	key_2(&k, owner, mailbox);
	st = st_get(s, NULL, TAB_ACL, &k, &value, &payload);
	if (st == ST_OK)
		buf_add_span(out, payload);
	buf_fini(&value);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* The lowest owner above `after` in the rows of one identity; 0: none. */
static enum status
next_owner(struct state *s, const struct store_acl *who, uint64_t after, uint64_t *owner)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct key prefix, from;
	enum status st;

	*owner = 0;
	if (after == UINT64_MAX)
		return ST_OK;
	key_by(&from, who, after + 1, 0);
	prefix = from;
	prefix.len = 9;
	TRY(engine_cursor_open(s->e, NULL, TAB_ACLBY, key_span(&prefix), &c));
	engine_cursor_seek(c, key_span(&from));
	st = st_next(s, TAB_ACLBY, c, &key, &payload);
	if (st == ST_OK)
		*owner = get_be64(key.p + 9);
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static size_t
identities(const struct state_asker *by, struct store_acl *who)
{
	size_t n = 0;

	who[n++] = (struct store_acl){ .kind = ACL_USER, .id = by->account };
	for (size_t i = 0; i + 8 <= by->groups.len && n <= STORE_GROUPS_MAX; i += 8)
		who[n++] = (struct store_acl){ .kind = ACL_GROUP,
			.id = get_be64(by->groups.p + i) };
	who[n++] = (struct store_acl){ .kind = ACL_ANYONE };
	return n;
}

/* Has the asker one of the rights in some mailbox that an entry of his names? */
static enum status
has_somewhere(struct state *s, const struct store_acl *who, uint64_t owner,
    const struct state_asker *by, uint32_t any, bool *yes)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct key prefix;
	uint32_t rights;
	enum status st;

	key_by(&prefix, who, owner, 0);
	prefix.len = 17;
	TRY(engine_cursor_open(s->e, NULL, TAB_ACLBY, key_span(&prefix), &c));
	while (!*yes && (st = st_next(s, TAB_ACLBY, c, &key, &payload)) == ST_OK) {
		st = read_rights(s, NULL, owner, get_be64(key.p + 17), by, &rights);
		if (st != ST_OK)
			break;
		*yes = (rights & any) != 0;
	}
	engine_cursor_close(&c);
	return *yes || st == ST_NOT_FOUND ? ST_OK : st;
}

enum status
state_shares(struct state *s, uint64_t owner, const struct state_asker *by, uint32_t any,
    bool *yes)
{
	struct store_acl who[STORE_GROUPS_MAX + 2];
	size_t n = identities(by, who);

	*yes = by->account == owner;
	for (size_t i = 0; !*yes && i < n; i++)
		TRY(has_somewhere(s, &who[i], owner, by, any, yes));
	return ST_OK;
}

enum status
state_shared(struct state *s, const struct state_asker *by, uint64_t *after, size_t max,
    struct buf *out)
{
	struct store_acl who[STORE_GROUPS_MAX + 2];
	size_t n = identities(by, who), looked = 0;
	struct rec_account a;
	bool yes;

	for (;;) {
		uint64_t low = 0, owner;

		for (size_t i = 0; i < n; i++) {
			TRY(next_owner(s, &who[i], *after, &owner));
			if (owner != 0 && (low == 0 || owner < low))
				low = owner;
		}
		if (low == 0) {
			*after = 0;
			return ST_OK;
		}
		if (looked++ == max)
			return ST_OK;
		*after = low;
		TRY(state_shares(s, low, by, RIGHT_LOOKUP, &yes));
		if (!yes || low == by->account)
			continue;
		TRY(st_read_account(s, NULL, low, &a));
		if (a.deleted_ms == 0)
			put_u64(out, low);
	}
}
