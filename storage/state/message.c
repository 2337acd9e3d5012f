/* Messages, their memberships in mailboxes, and APPEND. */
#include "storage/state/state_priv.h"

#include <string.h>

void
message_fini(struct message *m)
{
	buf_fini(&m->keys);
	buf_fini(&m->members);
}

static void
message_take(struct message *m, uint64_t id)
{
	m->id = id;
	buf_clear(&m->keys);
	buf_add_span(&m->keys, m->rec.thread_keys);
	buf_clear(&m->members);
	buf_add_span(&m->members, m->rec.members);
	m->rec.thread_keys = buf_span(&m->keys);
	m->rec.members = buf_span(&m->members);
}

enum status
message_load(struct state *s, struct acct *a, uint64_t id, struct message *m)
{
	struct span payload;
	struct key k;

	key_2(&k, a->id, id);
	TRY(st_get(s, s->txn, TAB_MESSAGE, &k, &s->value, &payload));
	if (!rec_message_get(payload, &m->rec))
		return st_damaged(s, TAB_MESSAGE, key_span(&k));
	message_take(m, id);
	return ST_OK;
}

enum status
message_save(struct state *s, struct acct *a, struct message *m)
{
	struct key k;

	key_2(&k, a->id, m->id);
	m->rec.members = buf_span(&m->members);
	rec_message_put(st_put_start(s), &m->rec);
	return st_put(s, TAB_MESSAGE, &k);
}

enum status
index_load(struct state *s, struct acct *a, struct mbox *m, uint32_t uid, struct rec_index *x)
{
	struct span payload;
	struct key k;
	enum status st;

	key_uid(&k, a->id, m->id, uid);
	st = st_get(s, s->txn, TAB_MINDEX, &k, &s->value, &payload);
	if (st == ST_NOT_FOUND || (st == ST_OK && !rec_index_get(payload, x)))
		return st_damaged(s, TAB_MINDEX, key_span(&k));
	return st;
}

enum status
index_save(struct state *s, struct acct *a, struct mbox *m, uint32_t uid,
    const struct rec_index *x)
{
	struct key k;

	key_uid(&k, a->id, m->id, uid);
	rec_index_put(st_put_start(s), x);
	return st_put(s, TAB_MINDEX, &k);
}

enum status
member_add(struct apply *ap, struct mbox *m, struct message *msg, struct rec_index *x,
    uint32_t *uid)
{
	const struct rec_change c = { .kind = CHANGE_CREATED, .message = msg->id,
		.thread = msg->rec.thread, .flags = x->flags };
	bool alone = msg->members.len == 0;

	*uid = m->rec.uidnext++;
	x->modseq = ap_modseq(ap);
	x->saved_s = ap->op->head.time_ms / 1000;
	TRY(index_save(ap->s, ap->a, m, *uid, x));
	TRY(uidmap_set(ap->s, ap->a, m, *uid, &x->flags));
	m->rec.bytes += x->size;
	ap->a->rec.bytes += x->size;
	ap->a->rec.messages++;
	put_rec_member(&msg->members, (struct rec_member){ m->id, *uid });
	if (msg->rec.gone_modseq != 0) {
		TRY(undel_drop(ap, msg));
		ap->a->rec.kept_bytes -= msg->rec.size;
		msg->rec.gone_modseq = 0;
	}
	return alone ? change_add_alone(ap, m, *uid, &c) : change_add(ap, m, *uid, &c);
}

enum status
member_flags(struct apply *ap, struct mbox *m, uint32_t uid, struct rec_index *x,
    struct flags flags)
{
	const struct rec_change log = { .kind = CHANGE_UPDATED, .message = x->message,
		.thread = x->thread, .old_modseq = x->modseq, .old_flags = x->flags,
		.flags = flags };

	if (flags_eq(flags, log.old_flags))
		return ST_OK;
	x->flags = flags;
	x->modseq = ap_modseq(ap);
	TRY(index_save(ap->s, ap->a, m, uid, x));
	if (((flags.w[0] ^ log.old_flags.w[0]) & (FLAG_SEEN | FLAG_DELETED)) != 0)
		TRY(uidmap_set(ap->s, ap->a, m, uid, &x->flags));
	return change_add(ap, m, uid, &log);
}

bool
message_drop_member(struct message *m, uint64_t mailbox, uint32_t uid)
{
	struct buf *members = &m->members;

	for (size_t i = 0; i < members->len / MEMBER_BYTES; i++) {
		struct rec_member x = rec_member(buf_span(members), i);
		char *at = members->data + i * MEMBER_BYTES;

		if (x.mailbox != mailbox || x.uid != uid)
			continue;
		memmove(at, at + MEMBER_BYTES, members->len - (i + 1) * MEMBER_BYTES);
		buf_cut(members, members->len - MEMBER_BYTES);
		return true;
	}
	return false;
}

enum status
member_remove(struct apply *ap, struct mbox *m, uint32_t uid, const struct rec_index *x,
    struct message *msg)
{
	const struct rec_change c = { .kind = CHANGE_DESTROYED, .message = x->message,
		.thread = x->thread, .old_modseq = x->modseq, .old_flags = x->flags,
		.dated = x->received_s != msg->rec.received_s ||
		    x->received_zone != msg->rec.received_zone,
		.old_received_s = x->received_s, .old_received_zone = x->received_zone };
	struct key k;

	key_uid(&k, ap->a->id, m->id, uid);
	if (!message_drop_member(msg, m->id, uid))
		return st_damaged(ap->s, TAB_MINDEX, key_span(&k));
	TRY(uidmap_set(ap->s, ap->a, m, uid, NULL));
	TRY(st_del(ap->s, TAB_MINDEX, &k));
	TRY(uidl_drop(ap, m, uid));
	TRY(annotations_drop(ap, m, uid, ap_modseq(ap)));
	m->rec.bytes -= x->size;
	if (m->rec.deleted_ms == 0) {	/* else it left the quota as a whole */
		ap->a->rec.bytes -= x->size;
		ap->a->rec.messages--;
	}
	TRY(change_add(ap, m, uid, &c));
	if (msg->members.len == 0) {
		msg->rec.gone_modseq = ap->modseq;
		ap->a->rec.kept_bytes += msg->rec.size;
		TRY(undel_add(ap, m, uid, x, msg));
	}
	return ST_OK;
}

enum status
expunge_one(struct apply *ap, struct mbox *m, uint32_t uid)
{
	struct message *msg = &ap->s->msg;
	struct rec_index x;

	TRY(index_load(ap->s, ap->a, m, uid, &x));
	TRY(message_load(ap->s, ap->a, x.message, msg));
	TRY(member_remove(ap, m, uid, &x, msg));
	return message_save(ap->s, ap->a, msg);
}

/* locs: e's, once they are no longer in the shared buffer. */
static enum status
extent_load(struct state *s, uint64_t extent, struct rec_extent *e, struct buf *locs)
{
	struct span payload;
	struct key k;

	key_1(&k, extent);
	TRY(st_get(s, s->txn, TAB_EXTENT, &k, &s->value, &payload));
	if (!rec_extent_get(payload, e) || e->refs == 0)
		return st_damaged(s, TAB_EXTENT, key_span(&k));
	buf_add_span(locs, e->locs);
	e->locs = buf_span(locs);
	return ST_OK;
}

static enum status
extent_save(struct state *s, uint64_t extent, const struct rec_extent *e)
{
	struct key k;

	key_1(&k, extent);
	if (e->refs == 0)
		return st_del(s, TAB_EXTENT, &k);
	rec_extent_put(st_put_start(s), e);
	return st_put(s, TAB_EXTENT, &k);
}

enum status
extent_unref(struct state *s, uint64_t extent)
{
	struct rec_extent e;
	struct buf locs = { 0 };
	enum status st = extent_load(s, extent, &e, &locs);

	if (st == ST_OK) {
		e.refs--;
		st = extent_save(s, extent, &e);
	}
	buf_fini(&locs);
	return st;
}

enum status
extent_ref(struct state *s, uint64_t extent, uint32_t more, uint32_t *pieces)
{
	struct rec_extent e;
	struct buf locs = { 0 };
	enum status st = extent_load(s, extent, &e, &locs);

	if (st == ST_OK) {
		e.refs += more;
		*pieces = (uint32_t)(locs.len / LOC_BYTES);
		st = extent_save(s, extent, &e);
	}
	buf_fini(&locs);
	return st;
}

enum status
message_purge(struct apply *ap, struct message *msg)
{
	struct key k;

	ap->a->rec.kept_bytes -= msg->rec.size;
	ap->a->dirty = true;
	TRY(undel_drop(ap, msg));
	TRY(thread_leave(ap, msg));
	TRY(extent_unref(ap->s, msg->rec.extent));
	key_uid(&k, ap->a->id, msg->rec.home_mailbox, msg->rec.home_uid);
	TRY(cold_del(ap->s, &k));
	key_2(&k, ap->a->id, msg->id);
	return st_del(ap->s, TAB_MESSAGE, &k);
}

enum status
mbox_purge_rows(struct apply *ap, struct mbox *m, bool *empty)
{
	const struct uidrange every = { 1, UINT32_MAX };
	const struct uidset all = { (struct uidrange *)(uintptr_t)&every, 1, 1 };
	struct uidset uids = { 0 };
	uint32_t n = 0;
	enum status st;

	st = uidmap_among(ap->s, ap->a, m, STATE_ALL, &all, OP_ROWS, &uids);
	for (uint32_t u = 0; st == ST_OK && n < OP_ROWS && (u = uidset_next(&uids, u)) != 0; n++)
		st = expunge_one(ap, m, u);
	*empty = m->rec.messages == 0;
	uidset_fini(&uids);
	return st;
}

/* ---- append ---- */

enum status
extent_put(struct apply *ap, uint64_t id, const struct journal_loc *locs, uint32_t n, uint32_t refs)
{
	struct rec_extent e = { .refs = refs };
	struct buf list = { 0 };
	struct key k;
	enum status st;

	for (uint32_t i = 0; i < n; i++) {
		e.stored += locs[i].length;
		put_u32(&list, locs[i].segment);
		put_u32(&list, locs[i].offset);
		put_u32(&list, locs[i].length);
	}
	e.locs = buf_span(&list);
	key_1(&k, id);
	rec_extent_put(st_put_start(ap->s), &e);
	st = st_put(ap->s, TAB_EXTENT, &k);
	buf_fini(&list);
	return st;
}

struct flags
append_flags(struct flags f, const unsigned *bits, size_t n)
{
	struct flags out = flags_system(flags_get_system(f));

	for (size_t i = 0; i < n; i++)
		if (flags_has_keyword(f, (unsigned)i) && bits[i] < KEYWORD_MAX)
			flags_set_keyword(&out, bits[i]);
	return out;
}

/* Its rows are shown at once; what is staged may be taken back. */
static bool
in_the_open(const struct apply *ap)
{
	return ap->op->kind == OP_APPEND || ap->op->kind == OP_APPEND_ANNOTATED ||
	    ap->op->kind == OP_APPEND_PLACED;
}

/* May an id that came along stand for a message here?  One of this shard must have been
 * given out, or it would be given out again. */
static bool
id_good(const struct state *s, uint64_t id)
{
	return id >> 48 != s->meta.shard || (id & (((uint64_t)1 << 48) - 1)) < s->meta.next_id;
}

/* *here: the account has the message that an item names.  *id: the one it may have, 0: a new
 * one. */
static enum status
find_brought(struct apply *ap, const struct op_append_item *it, uint64_t *id, bool *here)
{
	struct message *msg = &ap->s->msg;
	enum status st;

	*here = false;
	*id = 0;
	if (it->message == 0 || !id_good(ap->s, it->message) ||
	    !id_good(ap->s, it->thread))
		return ST_OK;
	st = message_load(ap->s, ap->a, it->message, msg);
	if (st == ST_NOT_FOUND) {
		*id = it->message;
		return ST_OK;
	}
	TRY(st);
	*here = in_the_open(ap) && msg->rec.size == it->size && msg->members.len / MEMBER_BYTES < MEMBERS_MAX &&
	    memcmp(msg->rec.sha256, it->sha256.p, sizeof(msg->rec.sha256)) == 0;
	return ST_OK;
}

/* A membership more of a message that is here; the body that came is not needed. */
static enum status
append_again(struct apply *ap, struct mbox *m, const struct op_append_item *it,
    struct flags flags, uint32_t *uid)
{
	struct message *msg = &ap->s->msg;
	struct rec_index x = { .message = msg->id, .thread = msg->rec.thread, .flags = flags,
		.size = (uint32_t)it->size, .received_s = it->received_s,
		.received_zone = it->received_zone };

	if (it->received_s == INT64_MIN)
		x.received_s = ap->op->head.time_ms / 1000;
	TRY(member_add(ap, m, msg, &x, uid));
	return message_save(ap->s, ap->a, msg);
}

enum status
message_make(struct apply *ap, struct mbox *m, const struct op_append_item *it, uint64_t extent,
    uint64_t id, struct flags flags, uint32_t *uid)
{
	struct message *msg = &ap->s->msg;
	struct rec_message *rec = &msg->rec;
	struct rec_index x;
	struct key k;

	*rec = (struct rec_message){ .extent = extent, .size = it->size,
		.subject_hash = it->subject_hash, .received_s = it->received_s,
		.received_zone = it->received_zone, .saved_s = ap->op->head.time_ms / 1000,
		.home_mailbox = m->id, .home_uid = m->rec.uidnext,
		.thread_keys = it->thread_keys };
	if (it->received_s == INT64_MIN)
		rec->received_s = rec->saved_s;
	memcpy(rec->sha256, it->sha256.p, sizeof(rec->sha256));
	if (id != 0)
		rec->thread = it->thread;
	message_take(msg, id != 0 ? id : st_new_id(ap->s));
	TRY(thread_join(ap, it->thread_keys, it->subject_hash, msg->id, &rec->thread));
	x = (struct rec_index){ .message = msg->id, .thread = rec->thread, .flags = flags,
		.size = (uint32_t)it->size, .received_s = rec->received_s,
		.received_zone = rec->received_zone };
	TRY(member_add(ap, m, msg, &x, uid));
	TRY(message_save(ap->s, ap->a, msg));
	key_uid(&k, ap->a->id, m->id, *uid);
	return cold_put(ap->s, &k, it->columns, it->list, it->structure);
}

static enum status
append_one(struct apply *ap, struct mbox *m, const struct op_append_item *it,
    const struct journal_loc *locs, struct flags flags, uint32_t *uid)
{
	uint64_t id, extent;
	bool here;

	TRY(find_brought(ap, it, &id, &here));
	if (here)
		return append_again(ap, m, it, flags, uid);
	extent = st_new_id(ap->s);
	TRY(extent_put(ap, extent, locs, it->pieces, 1));
	return message_make(ap, m, it, extent, id, flags, uid);
}

/* Who is not the owner sets what his rights let him, and \Seen for himself (RFC 4314 §4). */
static enum status
append_judged(struct apply *ap, struct mbox *m, const struct op_append_item *it,
    const struct journal_loc *locs, struct flags flags, uint32_t *uid)
{
	unsigned system = flags_get_system(flags);
	uint32_t rights;

	if (!ap_foreign(ap))
		return append_one(ap, m, it, locs, flags, uid);
	TRY(ap_rights(ap, m->id, &rights));
	if (rights & RIGHT_WRITE)
		flags = flags_without(flags, flags_system(FLAG_SYSTEM_ALL));
	else
		flags = flags_system(0);
	flags = flags_or(flags, flags_system(system & rights_flags(rights)));
	TRY(append_one(ap, m, it, locs, flags, uid));
	if ((system & FLAG_SEEN) && (rights & RIGHT_SEEN) && in_the_open(ap))
		return reader_set(ap, m->id, *uid, true);
	return ST_OK;
}

struct append_totals
append_totals(struct span items)
{
	struct append_totals t = { 0 };
	struct op_append_item it;
	struct reader r;

	reader_init(&r, items.p, items.len);
	while (get_op_append_item(&r, &it)) {
		t.items++;
		t.bytes += it.size;
		t.pieces += it.pieces;
	}
	t.good = reader_done(&r) && t.items > 0;
	return t;
}

enum status
append_rows(struct apply *ap, struct mbox *m, const unsigned *bits, size_t n_bits,
    const struct uidset *at, struct uidset *uids)
{
	const struct op_append *p = &ap->op->u.append;
	const struct journal_loc *loc = ap->locs;
	struct op_append_item it;
	struct reader r, notes;
	uint32_t uid = 0, item = 0;
	enum status st = ST_OK;

	ap->r->mailbox = m->id;
	ap->r->uid = at != NULL ? uidset_next(at, 0) : m->rec.uidnext;
	reader_init(&r, p->items.p, p->items.len);
	reader_init(&notes, p->annotations.p, p->annotations.len);
	while (st == ST_OK && get_op_append_item(&r, &it)) {
		if (at != NULL)
			m->rec.uidnext = uidset_next(at, uid);
		st = append_judged(ap, m, &it, loc, append_flags(it.flags, bits, n_bits), &uid);
		if (st == ST_OK)
			st = annotations_append(ap, m, &notes, ++item, uid);
		loc += it.pieces;
		uidset_add(uids, uid);
		put_u64(&ap->r->messages, ap->s->msg.id);
	}
	return st;
}

static enum status
append_all(struct apply *ap, struct mbox *m, const unsigned *bits, size_t n_bits,
    const struct uidset *at)
{
	struct store_appended reply = { .mailbox = m->id, .uidvalidity = m->rec.uidvalidity };
	struct uidset uids = { 0 };
	struct buf b = { 0 };
	enum status st;

	place_begin(ap);
	st = append_rows(ap, m, bits, n_bits, uidset_empty(at) ? NULL : at, &uids);

	uidset_encode(&uids, &b);
	reply.uids = buf_span(&b);
	reply.modseq = ap->modseq;
	if (st == ST_OK)
		ap_reply(ap, STORE_APPENDED, &reply);
	buf_fini(&b);
	uidset_fini(&uids);
	return st;
}

/* The message that goes: its mailbox, and its row for the quota. */
static enum status
find_replaced(struct apply *ap, struct mbox **from, struct rec_index *x)
{
	const struct op_append *p = &ap->op->u.append;
	struct uidset named = { 0 }, there = { 0 };
	enum status st;

	*from = NULL;
	*x = (struct rec_index){ 0 };
	if (p->replace_uid == 0)
		return ST_OK;
	TRY(ap_mbox(ap, p->replace_mailbox, from));
	if (*from == NULL)
		return refuse(ap, ST_CONFLICT);
	TRY(ap_need(ap, (*from)->id, RIGHT_DELETE_MSG | RIGHT_EXPUNGE));
	if (ap->r->status == ST_NOT_FOUND)
		return refuse(ap, ST_CONFLICT);	/* as one that is not there */
	if (ap->r->status != ST_OK)
		return ST_OK;
	uidset_add(&named, p->replace_uid);
	st = uidmap_among(ap->s, ap->a, *from, STATE_ALL, &named, 1, &there);
	if (st == ST_OK && uidset_empty(&there))
		st = refuse(ap, ST_CONFLICT);
	else if (st == ST_OK)
		st = index_load(ap->s, ap->a, *from, p->replace_uid, x);
	uidset_fini(&named);
	uidset_fini(&there);
	return st;
}

/* All verdicts that do not depend on the mailbox's own record. */
static enum status
judge(struct apply *ap, const struct append_totals *t, const struct path_at *at,
    const struct rec_index *gone)
{
	uint64_t bytes = t->bytes > gone->size ? t->bytes - gone->size : 0;
	uint64_t messages = t->items - (gone->message != 0 && t->items > 0 ? 1 : 0);

	if (!t->good)
		return ST_SYNTAX;
	if (t->pieces != ap->n_locs)
		return ST_BUG;
	if (at->id == 0 && !ap->op->u.append.make)
		return ST_NOT_FOUND;
	if (t->items > OP_ROWS_WHOLE)
		return ST_LIMIT;
	if (at->id == 0 && !mailboxes_fit(ap, path_parts(at->rest)))
		return ST_LIMIT;
	/* What takes no more room than it gives back fits, even above a lowered limit. */
	if (bytes == 0 && messages == 0)
		return ST_OK;
	return quota_fits(ap, bytes, messages) ? ST_OK : ST_OVER_QUOTA;
}

enum status
apply_append(struct apply *ap)
{
	const struct op_append *p = &ap->op->u.append;
	const struct append_totals t = append_totals(p->items);
	unsigned bits[KEYWORD_MAX + 1];
	struct buf path = { 0 };
	struct path_at at;
	struct mbox *m = NULL, *from = NULL;
	struct uidset placed = { 0 };
	struct rec_index gone;
	enum status st, verdict;
	size_t n;

	if (!path_clean(p->path.len > 0 ? p->path : SPAN_LIT("INBOX"), &path))
		st = refuse(ap, ST_SYNTAX);
	else
		st = find_replaced(ap, &from, &gone);
	if (st == ST_OK && ap->r->status == ST_OK)
		st = path_find_kept(ap, buf_span(&path), &at);
	if (st == ST_OK && ap->r->status == ST_OK && at.id != 0)
		st = ap_need(ap, at.id, RIGHT_INSERT);
	else if (st == ST_OK && ap->r->status == ST_OK && p->make)
		st = ap_need_above(ap, &at);
	if (st == ST_OK && ap->r->status == ST_OK)
		ap->r->status = judge(ap, &t, &at, &gone);
	if (st == ST_OK && ap->r->status == ST_OK)
		st = annotations_judge(ap, at.id, t.items);
	if (st == ST_OK && ap->r->status == ST_OK && at.id != 0) {
		st = ap_mbox(ap, at.id, &m);
		if (m != NULL && t.items > UINT32_MAX - 1 - m->rec.uidnext)
			ap->r->status = ST_LIMIT;
	}
	if (st == ST_OK && ap->r->status == ST_OK)
		ap->r->status = place_judge(ap, m, t.items, &placed);
	if (st == ST_OK && ap->r->status == ST_OK) {
		st = keywords_bits(ap, p->keywords, true, bits, &n, &verdict);
		if (st == ST_OK)
			ap->r->status = verdict;
	}
	if (st == ST_OK && ap->r->status == ST_OK && m == NULL)
		st = mailbox_make(ap, &at, MAILBOX_ROLE_NONE, &m);
	if (st == ST_OK && ap->r->status == ST_OK)
		st = append_all(ap, m, bits, n, &placed);
	if (st == ST_OK && ap->r->status == ST_OK && from != NULL)
		st = expunge_one(ap, from, p->replace_uid);
	uidset_fini(&placed);
	buf_fini(&path);
	return st;
}
