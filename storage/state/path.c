/* Mailbox paths: what may be stored, and the walk along the parent links. */
#include "common/mail/unicode.h"
#include "storage/state/state_priv.h"

#define KEPT_LOOK 4u

unsigned
path_parts(struct span path)
{
	unsigned n = path.len > 0;

	for (size_t i = 0; i < path.len; i++)
		n += path.p[i] == '/';
	return n;
}

bool
path_clean(struct span path, struct buf *out)
{
	struct span rest = path;
	size_t before = out->len;
	bool good = path.len > 0 && path.len <= STORE_PATH_MAX &&
	    path_parts(path) <= STORE_DEPTH_MAX && path.p[path.len - 1] != '/' &&
	    unicode_is_clean(path, true);

	while (good && rest.len > 0) {
		struct span part = span_cut(&rest, '/');

		if (part.len == 0 || part.len > STORE_NAME_MAX) {
			good = false;
			break;
		}
		if (out->len > before)
			buf_add_c(out, '/');
		else if (span_caseeq_str(part, "INBOX"))
			part = SPAN_LIT("INBOX");
		buf_add_span(out, part);
	}
	if (!good)
		buf_cut(out, before);
	return good;
}

enum status
path_find(struct state *s, struct engine_txn *txn, uint64_t account, struct span path,
    struct path_at *at)
{
	struct buf value = { 0 };
	struct span payload, rest = path;
	struct key k;
	enum status st = ST_OK;

	*at = (struct path_at){ .rest = path };
	while (rest.len > 0) {
		struct span part = span_cut(&rest, '/');

		at->above = at->id;
		at->id = 0;
		key_name(&k, account, at->above, part);
		st = st_get(s, txn, TAB_MBOXNAME, &k, &value, &payload);
		if (st == ST_OK && payload.len != 8)
			st = st_damaged(s, TAB_MBOXNAME, key_span(&k));
		if (st != ST_OK)
			break;
		at->id = get_be64(payload.p);
		at->rest = rest;
	}
	buf_fini(&value);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status
path_find_kept(struct apply *ap, struct span path, struct path_at *at)
{
	const struct list *n = ap->a->list.prev;

	for (unsigned i = 0; i < KEPT_LOOK && n != &ap->a->list; i++, n = n->prev) {
		const struct mbox *m = list_entry(n, const struct mbox, in_acct);

		if (m->rec.parent == 0 && m->rec.deleted_ms == 0 && span_eq(m->rec.name, path)) {
			*at = (struct path_at){ .id = m->id };
			return ST_OK;
		}
	}
	return path_find(ap->s, ap->s->txn, ap->a->id, path, at);
}

/* Makes the missing parts from the top down; the last one is *m. */
enum status
mailbox_make(struct apply *ap, const struct path_at *at, uint8_t role, struct mbox **m)
{
	const struct rec_mchange c = { .kind = CHANGE_CREATED };
	struct rec_account *acct = &ap->a->rec;
	struct span rest = at->rest;
	uint64_t parent = at->above;
	struct key k;

	while (rest.len > 0) {
		struct span part = span_cut(&rest, '/');
		struct mbox *x = st_mbox_new(ap->s, ap->a, st_new_id(ap->s));

		x->rec = (struct rec_mailbox){ .parent = parent, .role = rest.len == 0 ? role : 0,
			.uidvalidity = ++acct->uidvalidity, .uidnext = 1, .recent_from = 1,
			.created_ms = ap->op->head.time_ms };
		x->rec.highestmodseq = ap_modseq(ap);
		st_mbox_name(x, part);
		acct->mailboxes++;
		key_name(&k, ap->a->id, parent, part);
		put_u64(st_put_start(ap->s), x->id);
		TRY(st_put(ap->s, TAB_MBOXNAME, &k));
		TRY(mchange_add(ap, x->id, &c));
		TRY(acl_inherit(ap, parent, x->id));
		parent = x->id;
		*m = x;
	}
	return ST_OK;
}

static uint64_t
limit(uint64_t own, uint64_t configured)
{
	uint64_t l = own != 0 ? own : configured;

	return l != 0 ? l : UINT64_MAX;
}

bool
mailboxes_fit(const struct apply *ap, uint64_t more)
{
	uint64_t max = limit(ap->a->rec.mailboxes_limit, ap->op->head.mailboxes_max);

	if (max > STORE_MAILBOX_MAX)
		max = STORE_MAILBOX_MAX;
	return ap->a->rec.mailboxes + more <= max;
}

bool
quota_fits(const struct apply *ap, uint64_t bytes, uint64_t messages)
{
	const struct rec_account *a = &ap->a->rec;
	const struct op_head *h = &ap->op->head;
	uint64_t max_bytes = limit(a->bytes_limit, h->bytes_max);
	uint64_t max_messages = limit(a->messages_limit, h->messages_max);

	return a->bytes <= max_bytes && bytes <= max_bytes - a->bytes &&
	    a->messages <= max_messages && messages <= max_messages - a->messages;
}

static unsigned
percent(uint64_t used, uint64_t max)
{
	if (max == UINT64_MAX || max == 0)
		return 0;
	if (used / 3 >= max)
		return 255;
	/* Sizes are below 2^50: nothing is lost of them that would show. */
	return (unsigned)(used > UINT64_MAX / 100 ? used / (max / 100 + 1) : used * 100 / max);
}

uint8_t
quota_used(const struct apply *ap)
{
	const struct rec_account *a = &ap->a->rec;
	unsigned bytes = percent(a->bytes, limit(a->bytes_limit, ap->op->head.bytes_max));
	unsigned messages = percent(a->messages, limit(a->messages_limit,
	    ap->op->head.messages_max));
	unsigned most = bytes > messages ? bytes : messages;

	return (uint8_t)(most > 255 ? 255 : most);
}
