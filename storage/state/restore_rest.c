/* Subscriptions and ACLs as they were then. */
#include "storage/state/restore_plan.h"

#include "common/util/mem.h"

static enum status
subscription_back(struct plan *p, struct span path, bool was)
{
	struct op op = { .kind = OP_SUBSCRIBE, .u.subscribe = { path, was } };
	const struct store_restore_line line = {
		.does = was ? RESTORE_DOES_SUBSCRIBE : RESTORE_DOES_UNSUBSCRIBE, .path = path };
	struct key k;
	enum status st;

	key_subscription(&k, p->q->account, path);
	st = engine_get(p->s->e, NULL, TAB_SUBSCR, key_span(&k), NULL);
	if (st != ST_OK && st != ST_NOT_FOUND)
		return st;
	if ((st == ST_OK) != was)
		restore_put_part(p, &op, &line);
	return ST_OK;
}

/* Those that one OP_MAILBOX_SET changed. */
static enum status
subscriptions_back(struct plan *p, struct span list, struct table *seen)
{
	struct buf what = { 0 };
	struct reader r;
	enum status st = ST_OK;

	reader_init(&r, list.p, list.len);
	while (st == ST_OK && reader_left(&r) > 0) {
		bool was = get_u8(&r) != 0;
		struct span path = get_span(&r);

		buf_clear(&what);
		put_u8(&what, OP_SUBSCRIBE);
		buf_add_span(&what, path);
		if (!r.bad && table_put(seen, buf_span(&what), p) == NULL)
			st = subscription_back(p, path, was);
	}
	buf_fini(&what);
	return st;
}

static void
put_acl(struct plan *p, struct span path, const struct store_acl *e, bool negative,
    uint32_t rights)
{
	struct op op = { .kind = OP_ACL_SET };
	const struct store_restore_line line = { .does = RESTORE_DOES_ACL, .path = path };

	op.u.acl_set = (struct op_acl_set){ path, e->kind, e->id, negative, ACL_REPLACE, rights };
	restore_put_part(p, &op, &line);
}

static struct store_acl
acl_entry(struct span list, const struct store_acl *about)
{
	struct store_acl e;
	struct reader r;

	reader_init(&r, list.p, list.len);
	while (get_store_acl(&r, &e))
		if (e.kind == about->kind && e.id == about->id)
			return e;
	return (struct store_acl){ .kind = about->kind, .id = about->id };
}

static void
acl_entries(struct plan *p, struct span path, struct span list, struct span was, struct span is)
{
	struct store_acl e, old, now;
	struct reader r;

	reader_init(&r, list.p, list.len);
	while (get_store_acl(&r, &e)) {
		old = acl_entry(was, &e);
		now = acl_entry(is, &e);
		/* Those of then are seen to with the first list. */
		if (list.p != was.p && (old.rights | old.minus) != 0)
			continue;
		if (old.rights != now.rights)
			put_acl(p, path, &e, false, old.rights);
		if (old.minus != now.minus)
			put_acl(p, path, &e, true, old.minus);
	}
}

static enum status
acl_back(struct plan *p, uint64_t mailbox, struct span was)
{
	const struct folder *f = restore_folder(p, mailbox);
	struct buf is = { 0 };
	struct span path;
	enum status st;

	if (f == NULL || f->into == NULL)
		return ST_OK;
	st = state_acl(p->s, p->q->account, f->into->id, &is);
	path = restore_path_now(p, f->into);
	if (st == ST_OK) {
		acl_entries(p, path, was, was, buf_span(&is));
		acl_entries(p, path, buf_span(&is), was, buf_span(&is));
	}
	buf_fini(&is);
	return st;
}

/* Whose place another has taken, and nobody changed it since: it lies with the tombstone. */
static enum status
acls_handed_on(struct plan *p, const struct table *seen)
{
	struct buf what = { 0 }, was = { 0 };
	enum status st = ST_OK;

	for (size_t i = 0; st == ST_OK && i < p->n; i++) {
		const struct folder *f = p->folders[i];

		if (f->into == NULL || f->into == f)
			continue;
		buf_clear(&what);
		put_u8(&what, OP_ACL_SET);
		put_u64(&what, f->id);
		if (table_get(seen, buf_span(&what)) != NULL)
			continue;
		buf_clear(&was);
		st = state_acl(p->s, p->q->account, f->id, &was);
		if (st == ST_OK)
			st = acl_back(p, f->id, buf_span(&was));
	}
	buf_fini(&what);
	buf_fini(&was);
	return st;
}

/* The first change since of each path, and of each mailbox's ACL. */
enum status
restore_rest(struct plan *p)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct table seen = { 0 };
	struct buf what = { 0 };
	struct rec_history h;
	struct key k;
	enum status st;

	key_1(&k, p->q->account);
	TRY(engine_cursor_open(p->s->e, NULL, TAB_HISTORY, key_span(&k), &c));
	key_2(&k, p->q->account, p->then + 1);
	engine_cursor_seek(c, key_span(&k));
	while ((st = st_next(p->s, TAB_HISTORY, c, &key, &payload)) == ST_OK) {
		if (!rec_history_get(payload, &h)) {
			st = st_damaged(p->s, TAB_HISTORY, key);
			break;
		}
		if (h.kind == OP_MAILBOX_SET && h.names.p != NULL)
			st = subscriptions_back(p, h.names, &seen);
		if (st != ST_OK)
			break;
		if ((h.kind != OP_SUBSCRIBE && h.kind != OP_ACL_SET) || h.names.p == NULL)
			continue;
		buf_clear(&what);
		put_u8(&what, h.kind);
		if (h.kind == OP_SUBSCRIBE)
			buf_add_span(&what, h.names);
		else
			put_u64(&what, h.noted);
		if (table_put(&seen, buf_span(&what), p) != NULL)
			continue;
		st = h.kind == OP_SUBSCRIBE ? subscription_back(p, h.names, h.noted != 0) :
		    acl_back(p, h.noted, h.names);
		if (st != ST_OK)
			break;
	}
	engine_cursor_close(&c);
	if (st == ST_NOT_FOUND)
		st = acls_handed_on(p, &seen);
	table_fini(&seen, NULL, NULL);
	buf_fini(&what);
	return st;
}
