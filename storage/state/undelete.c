/* What is kept for undelete: a row for each message without memberships, under the mailbox that
 * it was in last, numbered in the order in which messages went.  The rows of a mailbox can be
 * read as those of one (see STATE_UNDELETED): the numbers are its uids, which never return.
 *
 * A row comes and goes with the state of its message, so it costs operations nothing but
 * itself, and changes no verdict of theirs. */
#include "storage/state/state_priv.h"

#include "common/util/mem.h"

static void
key_undel(struct key *k, uint64_t account, uint64_t mailbox, uint32_t no)
{
	key_uid(k, account, mailbox, no);
}

enum status
undel_add(struct apply *ap, struct mbox *m, uint32_t uid, const struct rec_index *x,
    struct message *msg)
{
	struct rec_undel row = { .x = *x, .uid = uid };
	struct key k;

	if (m->rec.undel_next == UINT32_MAX)
		return ST_OK;
	if (m->rec.undel_next == 0)
		m->rec.undel_next = 1;
	/* Expunged is not deleted once more. */
	row.x.flags = flags_without(x->flags, flags_system(FLAG_DELETED));
	row.x.modseq = ap->modseq;
	row.x.saved_s = ap->op->head.time_ms / 1000;
	msg->rec.kept_mailbox = m->id;
	msg->rec.kept_no = m->rec.undel_next++;
	m->dirty = true;
	key_undel(&k, ap->a->id, m->id, msg->rec.kept_no);
	rec_undel_put(st_put_start(ap->s), &row);
	return st_put(ap->s, TAB_UNDEL, &k);
}

enum status
undel_drop(struct apply *ap, struct message *msg)
{
	struct key k;

	if (msg->rec.kept_mailbox == 0)
		return ST_OK;
	key_undel(&k, ap->a->id, msg->rec.kept_mailbox, msg->rec.kept_no);
	msg->rec.kept_mailbox = 0;
	msg->rec.kept_no = 0;
	return st_del(ap->s, TAB_UNDEL, &k);
}

enum status
bring_back(struct apply *ap, struct mbox *to, const struct was *w, uint32_t *made)
{
	struct message *msg = &ap->s->msg;
	struct rec_index x;
	enum status st = message_load(ap->s, ap->a, w->message, msg);

	*made = 0;
	if (st == ST_NOT_FOUND || (st == ST_OK &&
	    (msg->members.len / MEMBER_BYTES >= MEMBERS_MAX || to->rec.uidnext >= UINT32_MAX - 1)))
		return ST_OK;
	TRY(st);
	x = (struct rec_index){ .message = w->message, .thread = msg->rec.thread,
		.flags = w->flags, .size = (uint32_t)msg->rec.size,
		.received_s = w->dated ? w->received_s : msg->rec.received_s,
		.received_zone = w->dated ? w->received_zone : msg->rec.received_zone };
	TRY(member_add(ap, to, msg, &x, made));
	TRY(annotations_back(ap, w->mailbox, w->modseq, w->uid, to, *made));
	return message_save(ap->s, ap->a, msg);
}

/* ---- single messages ---- */

/* ST_NOT_FOUND. */
static enum status
row_load(struct apply *ap, uint64_t mailbox, uint32_t no, struct was *w)
{
	struct rec_undel row;
	struct span payload;
	struct key k;

	key_undel(&k, ap->a->id, mailbox, no);
	TRY(st_get(ap->s, ap->s->txn, TAB_UNDEL, &k, &ap->s->value, &payload));
	if (!rec_undel_get(payload, &row))
		return st_damaged(ap->s, TAB_UNDEL, key_span(&k));
	*w = (struct was){ .message = row.x.message, .mailbox = mailbox, .modseq = row.x.modseq,
		.uid = row.uid, .flags = row.x.flags, .dated = true,
		.received_s = row.x.received_s, .received_zone = row.x.received_zone };
	return ST_OK;
}

/* What is asked for, as far as it is there. */
struct wanted {
	struct was	*was;
	uint32_t	*no;
	size_t		n;
	uint64_t	bytes;
};

static enum status
want(struct apply *ap, struct wanted *l, uint64_t mailbox, uint32_t no)
{
	enum status st = row_load(ap, mailbox, no, &l->was[l->n]);

	if (st == ST_NOT_FOUND)
		return ST_OK;
	TRY(st);
	TRY(message_load(ap->s, ap->a, l->was[l->n].message, &ap->s->msg));
	l->bytes += ap->s->msg.rec.size;
	l->no[l->n++] = no;
	return ST_OK;
}

static enum status
want_ids(struct apply *ap, struct wanted *l, struct span ids)
{
	for (size_t i = 0; i + 8 <= ids.len; i += 8) {
		struct message *msg = &ap->s->msg;
		enum status st = message_load(ap->s, ap->a, get_be64(ids.p + i), msg);

		if (st == ST_NOT_FOUND || (st == ST_OK && msg->rec.kept_mailbox == 0))
			continue;
		TRY(st);
		for (size_t j = 0; j < l->n && st == ST_OK; j++)
			if (l->was[j].message == msg->id)
				st = ST_EXISTS;
		if (st == ST_OK)
			TRY(want(ap, l, msg->rec.kept_mailbox, msg->rec.kept_no));
	}
	return ST_OK;
}

static enum status
want_all(struct apply *ap, struct wanted *l)
{
	const struct op_undelete *p = &ap->op->u.undelete;
	struct uidset set = { 0 };
	struct reader r;
	enum status st = ST_OK;

	reader_init(&r, p->uids.p, p->uids.len);
	if ((p->uids.len > 0 && (!uidset_decode(&set, &r, STORE_RANGES_MAX) || !reader_done(&r))) ||
	    p->ids.len % 8 != 0 || (p->mailbox == 0 && p->uids.len > 0))
		st = refuse(ap, ST_SYNTAX);
	else if (uidset_count(&set) > OP_ROWS || p->ids.len / 8 > OP_ROWS - uidset_count(&set))
		st = refuse(ap, ST_LIMIT);
	for (uint32_t u = 0; st == ST_OK && ap->r->status == ST_OK &&
	    (u = uidset_next(&set, u)) != 0;)
		st = want(ap, l, p->mailbox, u);
	if (st == ST_OK && ap->r->status == ST_OK)
		st = want_ids(ap, l, p->ids);
	uidset_fini(&set);
	return st;
}

enum status
path_of(struct apply *ap, uint64_t id, struct buf *path)
{
	struct buf below = { 0 };
	struct mbox *m;
	enum status st = ST_OK;

	for (unsigned depth = 0; st == ST_OK && id != 0 && depth < STORE_DEPTH_MAX; depth++) {
		st = st_mbox(ap->s, ap->a, id, &m);
		if (st != ST_OK)
			break;
		buf_clear(&below);
		buf_add_span(&below, buf_span(path));
		buf_clear(path);
		buf_add_span(path, m->rec.name);
		if (below.len > 0)
			buf_add_c(path, '/');
		buf_add_span(path, buf_span(&below));
		id = m->rec.parent;
	}
	buf_fini(&below);
	return st;
}

/* The mailbox of a path, made if need be; *to NULL: refused. */
static enum status
target(struct apply *ap, struct span path, bool make, struct mbox **to)
{
	struct buf clean = { 0 };
	struct path_at at;
	enum status st = ST_OK;

	*to = NULL;
	if (!path_clean(path, &clean))
		st = refuse(ap, ST_SYNTAX);
	else
		st = path_find(ap->s, ap->s->txn, ap->a->id, buf_span(&clean), &at);
	if (st == ST_OK && ap->r->status == ST_OK) {
		if (at.id != 0)
			st = ap_mbox(ap, at.id, to);
		else if (!make)
			st = refuse(ap, ST_NOT_FOUND);
		else if (!mailboxes_fit(ap, path_parts(at.rest)))
			st = refuse(ap, ST_LIMIT);
		else
			st = mailbox_make(ap, &at, MAILBOX_ROLE_NONE, to);
	}
	buf_fini(&clean);
	return st;
}

/* The mailbox that it was in last, or what stands in its place; INBOX when nobody knows. */
static enum status
own_target(struct apply *ap, uint64_t mailbox, struct mbox **to)
{
	struct buf path = { 0 };
	enum status st = path_of(ap, mailbox, &path);

	if (st == ST_OK)
		st = target(ap, buf_span(&path), true, to);
	buf_fini(&path);
	if (st != ST_NOT_FOUND && ap->r->status == ST_OK)
		return st;
	ap->r->status = ST_OK;
	return target(ap, SPAN_LIT("INBOX"), false, to);
}

static enum status
bring_all(struct apply *ap, const struct wanted *l)
{
	const struct op_undelete *p = &ap->op->u.undelete;
	struct store_restored done = { 0 };
	struct store_copied reply = { 0 };
	struct uidset from = { 0 }, made = { 0 };
	struct buf a = { 0 }, b = { 0 };
	struct mbox *to = NULL;
	enum status st = ST_OK;
	uint32_t uid;

	if (p->to.len > 0)
		st = target(ap, p->to, p->make, &to);
	for (size_t i = 0; st == ST_OK && ap->r->status == ST_OK && i < l->n; i++) {
		if (p->to.len == 0)
			st = own_target(ap, l->was[i].mailbox, &to);
		if (st != ST_OK || to == NULL)
			break;
		st = bring_back(ap, to, &l->was[i], &uid);
		if (uid == 0)
			continue;
		if (ap->r->uid == 0)
			ap->r->uid = uid;
		done.done++;
		uidset_add(&from, l->no[i]);
		uidset_add(&made, uid);
	}
	if (to != NULL)
		ap->r->mailbox = to->id;
	if (st == ST_OK && ap->r->status == ST_OK && p->mailbox == 0) {
		done.skipped = (uint32_t)(p->ids.len / 8) - done.done;
		ap_reply(ap, STORE_RESTORED, &done);
	} else if (st == ST_OK && ap->r->status == ST_OK && to != NULL) {
		uidset_encode(&from, &a);
		uidset_encode(&made, &b);
		reply = (struct store_copied){ .target = to->id, .uidvalidity = to->rec.uidvalidity,
			.from = buf_span(&a), .to = buf_span(&b), .modseq = ap->a->rec.modseq };
		ap_reply(ap, STORE_COPIED, &reply);
	}
	uidset_fini(&from);
	uidset_fini(&made);
	buf_fini(&a);
	buf_fini(&b);
	return st;
}

/* All targets can be had?  A refusal must come before the first write. */
static enum status
judge(struct apply *ap, const struct wanted *l)
{
	const struct op_undelete *p = &ap->op->u.undelete;
	struct buf path = { 0 };
	struct path_at at = { .id = 0 };

	if (p->to.len == 0 && p->mailbox != 0)
		return refuse(ap, ST_SYNTAX);
	if (p->to.len > 0 && !path_clean(p->to, &path))
		return refuse(ap, ST_SYNTAX);
	if (p->to.len > 0) {
		enum status st = path_find(ap->s, ap->s->txn, ap->a->id, buf_span(&path), &at);
		unsigned parts = path_parts(at.rest);

		buf_fini(&path);
		TRY(st);
		if (at.id == 0 && !p->make)
			return refuse(ap, ST_NOT_FOUND);
		if (at.id == 0 && !mailboxes_fit(ap, parts))
			return refuse(ap, ST_LIMIT);
	}
	if (l->n == 0 && p->mailbox == 0)
		return refuse(ap, ST_NOT_FOUND);
	return quota_fits(ap, l->bytes, l->n) ? ST_OK : refuse(ap, ST_OVER_QUOTA);
}

enum status
apply_undelete(struct apply *ap)
{
	struct wanted l = { .was = mem_array(OP_ROWS + 1, sizeof(*l.was)),
		.no = mem_array(OP_ROWS + 1, sizeof(*l.no)) };
	enum status st = want_all(ap, &l);

	if (st == ST_OK && ap->r->status == ST_OK)
		st = judge(ap, &l);
	if (st == ST_OK && ap->r->status == ST_OK)
		st = bring_all(ap, &l);
	mem_free(&l.was);
	mem_free(&l.no);
	return st;
}

/* ---- given up ---- */

/* The oldest row of a mailbox. */
struct head {
	uint64_t	mailbox, modseq, message;
	int64_t		time_s;
};

/* The first row at or behind (mailbox, no).  ST_NOT_FOUND. */
static enum status
head_at(struct apply *ap, uint64_t mailbox, uint32_t no, struct head *h)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct rec_undel row;
	struct key k;
	enum status st;

	key_1(&k, ap->a->id);
	TRY(engine_cursor_open(ap->s->e, ap->s->txn, TAB_UNDEL, key_span(&k), &c));
	key_undel(&k, ap->a->id, mailbox, no);
	engine_cursor_seek(c, key_span(&k));
	st = st_next(ap->s, TAB_UNDEL, c, &key, &payload);
	if (st == ST_OK && !rec_undel_get(payload, &row))
		st = st_damaged(ap->s, TAB_UNDEL, key);
	if (st == ST_OK)
		*h = (struct head){ get_be64(key.p + 8), row.x.modseq, row.x.message,
			row.x.saved_s };
	engine_cursor_close(&c);
	return st;
}

/* Each mailbox's oldest. */
static enum status
heads(struct apply *ap, struct buf *out)
{
	struct head h;
	uint64_t from = 0;
	enum status st;

	while ((st = head_at(ap, from, 0, &h)) == ST_OK) {
		buf_add(out, &h, sizeof(h));
		if (h.mailbox == UINT64_MAX)
			return ST_OK;
		from = h.mailbox + 1;
	}
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static struct head *
oldest(struct buf *list)
{
	struct head *h = (void *)list->data, *low = NULL;

	for (size_t i = 0; i < list->len / sizeof(*h); i++)
		if (h[i].modseq != 0 && (low == NULL || h[i].modseq < low->modseq))
			low = &h[i];
	return low;
}

static enum status
give_up(struct apply *ap, struct head *h)
{
	uint64_t mailbox = h->mailbox;
	enum status st;

	TRY(message_load(ap->s, ap->a, h->message, &ap->s->msg));
	TRY(message_purge(ap, &ap->s->msg));
	st = head_at(ap, mailbox, 0, h);
	if (st == ST_NOT_FOUND || (st == ST_OK && h->mailbox != mailbox)) {
		h->modseq = 0;		/* none left there */
		return ST_OK;
	}
	return st;
}

enum status
apply_kept_purge(struct apply *ap)
{
	const struct op_kept_purge *p = &ap->op->u.kept_purge;
	uint32_t rows = p->rows > OP_ROWS || p->rows == 0 ? OP_ROWS : p->rows;
	struct buf list = { 0 };
	struct head *h = NULL;
	enum status st = heads(ap, &list);

	for (uint32_t n = 0; st == ST_OK && (h = oldest(&list)) != NULL; n++) {
		if (ap->a->rec.kept_bytes <= p->bytes &&
		    h->time_s >= p->before_ms / 1000)
			break;
		if (n == rows) {
			ap->r->more = true;
			break;
		}
		st = give_up(ap, h);
	}
	buf_fini(&list);
	return st;
}
