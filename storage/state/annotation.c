/* Annotations of messages (RFC 5257): a row for each entry, by membership (mailbox, uid),
 * reader (0: shared, else who sees it) and name.  They are part of a membership as its
 * flags are: they come along when it is copied or moved, go with it, and a change of them
 * is one of the message, with its modseq.
 *
 *	annotation  account, mailbox, uid, reader, entry            the value
 *	annlog      account, mailbox, modseq, uid, reader, entry    what it was before: u8 OLD_...,
 *	                                                            the value
 *
 * The log has a row for each entry that was changed, or that went with its message; it tells
 * sessions what changed, and keeps old values as long as the change rows of the same modseq.
 * Beyond STORE_ANNOTATION_OLD_MAX bytes of them it keeps names alone.
 *
 * A mailbox that has none says so in its record, and nobody looks into the table. */
#include "storage/state/state_priv.h"

#include "common/mail/annotation.h"

enum { OLD_NONE = 0, OLD_VALUE = 1, OLD_NOT_KEPT = 2 };

#define UID_KEY 20u		/* bytes before the reader in a key of annotation */
#define NAME_KEY 28u		/* before the entry */
#define LOG_NAME_KEY 36u	/* the same in annlog */

static uint64_t
reader_of(const struct apply *ap, bool shared)
{
	uint64_t who = ap->op->head.who;

	return shared ? 0 : who != 0 ? who : ap->a->id;
}

static void
key_side(struct key *k, uint64_t account, uint64_t mailbox, uint32_t uid, uint64_t reader)
{
	key_uid(k, account, mailbox, uid);
	key_add64(k, reader);
}

/* Rows and bytes come or go. */
static void
count(struct apply *ap, struct mbox *m, uint64_t reader, int64_t rows, int64_t bytes)
{
	struct rec_account *a = &ap->a->rec;

	m->rec.annotations += (uint64_t)rows;
	m->dirty = true;
	a->annotation_bytes += (uint64_t)bytes;
	if (reader != 0 && reader != ap->a->id)
		a->annotation_others += (uint64_t)bytes;
	ap->a->dirty = true;
}

/* old.p NULL: there was none. */
static enum status
log_old(struct apply *ap, struct mbox *m, uint64_t modseq, struct span row_key, struct span old)
{
	struct rec_account *a = &ap->a->rec;
	struct buf *out = st_put_start(ap->s);
	uint8_t how = old.p != NULL ? OLD_VALUE : OLD_NONE;
	struct key k;

	if (how == OLD_VALUE && a->annlog_bytes + old.len > STORE_ANNOTATION_OLD_MAX)
		how = OLD_NOT_KEPT;
	put_u8(out, how);
	if (how == OLD_VALUE) {
		buf_add_span(out, old);
		a->annlog_bytes += old.len;
	}
	a->annlog_rows++;
	ap->a->dirty = true;
	key_3(&k, ap->a->id, m->id, modseq);
	key_add(&k, span_sub(row_key, 16, row_key.len));
	return st_put(ap->s, TAB_ANNLOG, &k);
}

bool
annotation_old_good(struct span payload, uint64_t *bytes)
{
	*bytes = payload.len > 0 ? payload.len - 1 : 0;
	return payload.len > 0 && (payload.p[0] == OLD_VALUE ||
	    (payload.len == 1 && (payload.p[0] == OLD_NONE || payload.p[0] == OLD_NOT_KEPT)));
}

/* ---- setting ---- */

/* What a message's side holds, and what is done to it. */
struct side {
	uint64_t	rows, bytes;		/* there are */
	uint64_t	new_rows, gone_rows;
	uint64_t	new_bytes, gone_bytes;
};

static enum status
add_side(struct apply *ap, struct mbox *m, uint32_t uid, uint64_t reader, struct side *s)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct key prefix;
	enum status st;

	key_side(&prefix, ap->a->id, m->id, uid, reader);
	TRY(engine_cursor_open(ap->s->e, ap->s->txn, TAB_ANNOTATION, key_span(&prefix), &c));
	while ((st = st_next(ap->s, TAB_ANNOTATION, c, &key, &payload)) == ST_OK) {
		s->rows++;
		s->bytes += key.len - NAME_KEY + payload.len;
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* *old.p NULL: there is none; it lies in the state's value otherwise. */
static enum status
get_one(struct apply *ap, struct mbox *m, uint32_t uid, const struct store_annotation *e,
    struct key *k, struct span *old)
{
	enum status st;

	key_side(k, ap->a->id, m->id, uid, reader_of(ap, e->shared));
	key_add(k, e->entry);
	*old = SPAN_NONE;
	if (m->rec.annotations == 0)
		return ST_OK;
	st = st_get(ap->s, ap->s->txn, TAB_ANNOTATION, k, &ap->s->value, old);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static void
add_change(struct side *s, const struct store_annotation *e, struct span old)
{
	if (old.p != NULL) {
		s->gone_rows++;
		s->gone_bytes += e->entry.len + old.len;
	}
	if (e->given) {
		s->new_rows++;
		s->new_bytes += e->entry.len + e->value.len;
	}
}

static bool
side_fits(const struct side *s)
{
	return (s->new_rows <= s->gone_rows ||
	    s->rows + s->new_rows - s->gone_rows <= STORE_ANNOTATIONS_MAX) &&
	    (s->new_bytes <= s->gone_bytes ||
	    s->bytes + s->new_bytes - s->gone_bytes <= STORE_ANNOTATION_SIDE_BYTES);
}

/* Bytes that come and go in all messages: shared, private. */
struct totals {
	uint64_t	more[2], less[2];
};

static bool
totals_fit(const struct apply *ap, const struct totals *t)
{
	const struct rec_account *a = &ap->a->rec;
	uint64_t more = t->more[0] + t->more[1], less = t->less[0] + t->less[1];

	if (more > less && a->annotation_bytes + more - less > STORE_ANNOTATION_BYTES_MAX)
		return false;
	return !ap_foreign(ap) || t->more[1] <= t->less[1] ||
	    a->annotation_others + t->more[1] - t->less[1] <= STORE_ANNOTATION_OTHERS_MAX;
}

static enum status
judge_one(struct apply *ap, struct mbox *m, uint32_t uid, struct span entries, struct totals *t)
{
	struct side sides[2] = { { 0 } };	/* shared, private */
	struct store_annotation e;
	struct span old;
	struct reader r;
	struct key k;

	reader_init(&r, entries.p, entries.len);
	while (get_store_annotation(&r, &e)) {
		TRY(get_one(ap, m, uid, &e, &k, &old));
		add_change(&sides[!e.shared], &e, old);
	}
	for (unsigned i = 0; i < 2; i++) {
		struct side *s = &sides[i];

		if (m->rec.annotations > 0 && s->new_rows > 0)
			TRY(add_side(ap, m, uid, reader_of(ap, i == 0), s));
		if (!side_fits(s))
			return refuse(ap, ST_LIMIT);
		t->more[i] += s->new_bytes;
		t->less[i] += s->gone_bytes;
	}
	return ST_OK;
}

/* ST_OK: well formed; *shared: one of them is. */
static enum status
judge_entries(struct span entries, bool *shared, size_t *n)
{
	struct store_annotation e, other;
	struct reader r, again;

	*shared = false;
	*n = 0;
	reader_init(&r, entries.p, entries.len);
	while (get_store_annotation(&r, &e)) {
		if (!annotation_entry_valid(e.entry) || ++*n > STORE_ANNOTATION_SET_MAX)
			return ST_SYNTAX;
		for (again = r; get_store_annotation(&again, &other);)
			if (other.uid == e.uid && other.shared == e.shared &&
			    span_eq(other.entry, e.entry))
				return ST_SYNTAX;
		*shared |= e.shared;
	}
	return reader_done(&r) ? ST_OK : ST_SYNTAX;
}

/* *changed, *own: the message did for all, or for who asks alone. */
static enum status
set_one(struct apply *ap, struct mbox *m, uint32_t uid, const struct store_annotation *e,
    bool log, bool *changed, bool *own)
{
	int64_t len = (int64_t)(e->entry.len + e->value.len);
	uint64_t reader = reader_of(ap, e->shared);
	struct span old;
	struct key k;

	TRY(get_one(ap, m, uid, e, &k, &old));
	if (e->given ? old.p != NULL && span_eq(old, e->value) : old.p == NULL)
		return ST_OK;
	if (old.p != NULL)
		count(ap, m, reader, -1, -(int64_t)(e->entry.len + old.len));
	if (log)
		TRY(log_old(ap, m, ap_modseq(ap), key_span(&k), old));
	*(ap_foreign(ap) && !e->shared ? own : changed) = true;
	if (!e->given)
		return st_del(ap->s, TAB_ANNOTATION, &k);
	count(ap, m, reader, 1, len);
	buf_add_span(st_put_start(ap->s), e->value);
	return st_put(ap->s, TAB_ANNOTATION, &k);
}

/* ---- STORE ---- */

struct storing {
	uint64_t	unchanged_since;
	struct span	entries;
	bool		foreign, keywords;
	struct buf	rows;
	struct uidset	modified;
};

static struct flags
with_seen(struct flags f, bool seen)
{
	f = flags_without(f, flags_system(FLAG_SEEN));
	return seen ? flags_or(f, flags_system(FLAG_SEEN)) : f;
}

/* The message as who asks is shown it: *modseq is the later of both. */
static enum status
load_shown(struct apply *ap, struct mbox *m, uint32_t uid, bool foreign, struct rec_index *x,
    struct flags *shown, uint64_t *modseq)
{
	uint64_t own = 0;
	bool seen = false;

	TRY(index_load(ap->s, ap->a, m, uid, x));
	*shown = x->flags;
	if (foreign) {
		TRY(reader_get(ap, m->id, uid, &seen, &own));
		*shown = with_seen(x->flags, seen);
	}
	*modseq = own > x->modseq ? own : x->modseq;
	return ST_OK;
}

static enum status
store_one(struct apply *ap, struct mbox *m, uint32_t uid, struct storing *q)
{
	struct store_row row = { .uid = uid };
	bool changed = false, own = false;
	struct store_annotation e;
	struct rec_change log;
	struct rec_index x;
	struct reader r;

	TRY(load_shown(ap, m, uid, q->foreign, &x, &row.flags, &row.modseq));
	if (row.modseq > q->unchanged_since) {
		uidset_add(&q->modified, uid);
		return ST_OK;
	}
	reader_init(&r, q->entries.p, q->entries.len);
	while (get_store_annotation(&r, &e))
		TRY(set_one(ap, m, uid, &e, true, &changed, &own));
	if (changed) {
		log = (struct rec_change){ .kind = CHANGE_UPDATED, .message = x.message,
			.thread = x.thread, .old_modseq = x.modseq, .old_flags = x.flags,
			.flags = x.flags };
		row.modseq = x.modseq = ap_modseq(ap);
		TRY(index_save(ap->s, ap->a, m, uid, &x));
		TRY(change_add(ap, m, uid, &log));
	}
	if (own) {
		history_touch(ap, m->id);
		TRY(reader_touch(ap, m->id, uid));
		row.modseq = ap_modseq(ap);
	}
	put_store_row(&q->rows, &row, ROW_FLAGS);
	q->keywords |= flags_has_keywords(x.flags);
	return ST_OK;
}

/* Verdicts before anything is written: what a message and the account may hold. */
static enum status
judge_store(struct apply *ap, struct mbox *m, const struct uidset *uids, const struct storing *q)
{
	struct totals t = { { 0 }, { 0 } };
	struct rec_index x;
	struct flags shown;
	uint64_t modseq;

	for (uint32_t u = 0; (u = uidset_next(uids, u)) != 0;) {
		TRY(load_shown(ap, m, u, q->foreign, &x, &shown, &modseq));
		if (modseq > q->unchanged_since)
			continue;
		TRY(judge_one(ap, m, u, q->entries, &t));
		if (ap->r->status != ST_OK)
			return ST_OK;
	}
	return totals_fit(ap, &t) ? ST_OK : refuse(ap, ST_OVER_QUOTA);
}

static enum status
store_all(struct apply *ap, struct mbox *m, const struct uidset *uids, struct storing *q)
{
	ap->r->mailbox = m->id;
	for (uint32_t u = 0; (u = uidset_next(uids, u)) != 0;)
		TRY(store_one(ap, m, u, q));
	if (q->keywords)
		TRY(keywords_load(ap->s, ap->a));
	chain_answer(ap, &q->rows, &q->modified, q->keywords ? buf_span(&ap->a->keywords) : SPAN_NONE);
	return ST_OK;
}

static enum status
store(struct apply *ap, struct mbox *m, const struct uidset *uids, bool shared)
{
	const struct op_annotate *p = &ap->op->u.annotate;
	struct storing q = { .unchanged_since = p->unchanged_since, .entries = p->entries,
		.foreign = ap_foreign(ap) };
	enum status st;

	TRY(ap_need(ap, m->id, RIGHT_READ | (shared ? RIGHT_ANNOTATE : 0)));
	if (ap->r->status != ST_OK)
		return ST_OK;
	st = judge_store(ap, m, uids, &q);
	if (st == ST_OK && ap->r->status == ST_OK)
		st = store_all(ap, m, uids, &q);
	buf_fini(&q.rows);
	uidset_fini(&q.modified);
	return st;
}

enum status
apply_annotate(struct apply *ap)
{
	const struct op_annotate *p = &ap->op->u.annotate;
	struct uidset asked = { 0 }, uids = { 0 };
	struct mbox *m = NULL;
	bool shared = false;
	size_t n;
	enum status st;

	if (!chain_part_fits(ap))
		st = refuse(ap, ST_UNAVAILABLE);
	else if (judge_entries(p->entries, &shared, &n) != ST_OK || n == 0 ||
	    !chain_named(ap, p->uids, &asked))
		st = refuse(ap, ST_SYNTAX);
	else
		st = ap_mbox(ap, p->mailbox, &m);
	if (m != NULL) {
		st = uidmap_among(ap->s, ap->a, m, STATE_ALL, &asked, OP_ROWS, &uids);
		if (st == ST_OK && (uidset_count(&uids) > OP_ROWS || !chain_memo_fits(ap, &uids)))
			st = refuse(ap, ST_LIMIT);
		else if (st == ST_OK)
			st = store(ap, m, &uids, shared);
	}
	uidset_fini(&asked);
	uidset_fini(&uids);
	return st;
}

/* ---- APPEND ---- */

/* The rights of who asks in what he appends to; another's mailbox is there already. */
static enum status
append_rights(struct apply *ap, uint64_t mailbox, uint32_t *rights)
{
	*rights = RIGHT_ALL;
	return mailbox != 0 ? ap_rights(ap, mailbox, rights) : ST_OK;
}

static bool
allowed(uint32_t rights, const struct store_annotation *e)
{
	return (rights & (e->shared ? RIGHT_ANNOTATE : RIGHT_READ)) != 0;
}

enum status
annotations_judge(struct apply *ap, uint64_t mailbox, uint64_t items)
{
	const struct op_append *p = &ap->op->u.append;
	struct side sides[2] = { { 0 } };
	struct totals t = { { 0 }, { 0 } };
	struct store_annotation e, other;
	struct reader r, again;
	uint32_t rights, item = 0;

	if (p->annotations.len == 0)
		return ST_OK;
	TRY(append_rights(ap, mailbox, &rights));
	reader_init(&r, p->annotations.p, p->annotations.len);
	while (get_store_annotation(&r, &e)) {
		if (e.uid < item || e.uid == 0 || e.uid > items || !e.given ||
		    !annotation_entry_valid(e.entry))
			return refuse(ap, ST_SYNTAX);
		for (again = r; get_store_annotation(&again, &other) && other.uid == e.uid;)
			if (other.shared == e.shared && span_eq(other.entry, e.entry))
				return refuse(ap, ST_SYNTAX);
		if (e.uid != item)
			sides[0] = sides[1] = (struct side){ 0 };
		item = e.uid;
		if (!allowed(rights, &e) && !p->carried)
			return refuse(ap, ST_DENIED);
		add_change(&sides[!e.shared], &e, SPAN_NONE);
		t.more[!e.shared] += e.entry.len + e.value.len;
		if (!side_fits(&sides[!e.shared]))
			return refuse(ap, ST_LIMIT);
	}
	if (!reader_done(&r))
		return refuse(ap, ST_SYNTAX);
	return totals_fit(ap, &t) ? ST_OK : refuse(ap, ST_OVER_QUOTA);
}

enum status
annotations_append(struct apply *ap, struct mbox *m, struct reader *r, uint32_t item,
    uint32_t uid)
{
	struct store_annotation e;
	struct reader next = *r;
	bool changed = false, own = false;
	uint32_t rights;

	if (reader_left(r) == 0)
		return ST_OK;
	TRY(append_rights(ap, m->id, &rights));
	while (get_store_annotation(&next, &e) && e.uid == item) {
		*r = next;
		if (allowed(rights, &e))
			TRY(set_one(ap, m, uid, &e, false, &changed, &own));
	}
	return ST_OK;
}

/* ---- COPY, MOVE, EXPUNGE ---- */

/* The rows of a membership: put_span of key and value. */
static enum status
rows_of(struct apply *ap, struct mbox *m, uint32_t uid, struct buf *rows)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct key prefix;
	enum status st;

	key_uid(&prefix, ap->a->id, m->id, uid);
	TRY(engine_cursor_open(ap->s->e, ap->s->txn, TAB_ANNOTATION, key_span(&prefix), &c));
	while ((st = st_next(ap->s, TAB_ANNOTATION, c, &key, &payload)) == ST_OK) {
		put_span(rows, key);
		put_span(rows, payload);
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* Does a row go along into a mailbox in which who asks has these rights (RFC 5257 §4.6)? */
static bool
goes_along(const struct apply *ap, struct span key, uint32_t rights)
{
	uint64_t reader = get_be64(key.p + UID_KEY);

	if (reader == 0)
		return (rights & RIGHT_ANNOTATE) != 0;
	return reader == reader_of(ap, false) && (rights & RIGHT_READ) != 0;
}

enum status
annotations_copy(struct apply *ap, struct mbox *from, uint32_t uid, struct mbox *to,
    uint32_t made, uint32_t rights)
{
	struct buf rows = { 0 };
	struct span key, value;
	struct reader r;
	struct key k;
	enum status st;

	if (from->rec.annotations == 0)
		return ST_OK;
	st = rows_of(ap, from, uid, &rows);
	reader_init(&r, rows.data, rows.len);
	while (st == ST_OK && reader_left(&r) > 0) {
		key = get_span(&r);
		value = get_span(&r);
		if (!goes_along(ap, key, rights))
			continue;
		key_uid(&k, ap->a->id, to->id, made);
		key_add(&k, span_sub(key, UID_KEY, key.len));
		buf_add_span(st_put_start(ap->s), value);
		st = st_put(ap->s, TAB_ANNOTATION, &k);
		count(ap, to, get_be64(key.p + UID_KEY), 1,
		    (int64_t)(key.len - NAME_KEY + value.len));
	}
	buf_fini(&rows);
	return st;
}

enum status
annotations_judge_copy(struct apply *ap, struct mbox *from, const struct uidset *uids,
    uint32_t copies, uint32_t rights)
{
	struct totals t = { { 0 }, { 0 } };
	struct buf rows = { 0 };
	struct span key, value;
	struct reader r;
	enum status st = ST_OK;

	if (from->rec.annotations == 0)
		return ST_OK;
	for (uint32_t u = 0; st == ST_OK && (u = uidset_next(uids, u)) != 0;) {
		buf_clear(&rows);
		st = rows_of(ap, from, u, &rows);
		reader_init(&r, rows.data, rows.len);
		while (reader_left(&r) > 0) {
			key = get_span(&r);
			value = get_span(&r);
			if (goes_along(ap, key, rights))
				t.more[get_be64(key.p + UID_KEY) != 0] +=
				    copies * (key.len - NAME_KEY + value.len);
		}
	}
	buf_fini(&rows);
	if (st == ST_OK && !totals_fit(ap, &t))
		return refuse(ap, ST_OVER_QUOTA);
	return st;
}

enum status
annotations_drop(struct apply *ap, struct mbox *m, uint32_t uid, uint64_t modseq)
{
	struct buf rows = { 0 };
	struct span key, value;
	struct reader r;
	enum status st;

	if (m->rec.annotations == 0)
		return ST_OK;
	st = rows_of(ap, m, uid, &rows);
	reader_init(&r, rows.data, rows.len);
	while (st == ST_OK && reader_left(&r) > 0) {
		key = get_span(&r);
		value = get_span(&r);
		if (value.p == NULL)
			value = SPAN_LIT("");
		st = st_del_row(ap->s, TAB_ANNOTATION, key);
		count(ap, m, get_be64(key.p + UID_KEY), -1,
		    -(int64_t)(key.len - NAME_KEY + value.len));
		if (st == ST_OK && modseq != 0)
			st = log_old(ap, m, modseq, key, value);
	}
	buf_fini(&rows);
	return st;
}

/* ---- brought back ---- */

static enum status
put_back(struct apply *ap, struct mbox *to, uint32_t made, struct span key, struct span old)
{
	struct key k;

	/* The log's key has the modseq before the uid. */
	if (ap->a->rec.annotation_bytes + (key.len - LOG_NAME_KEY) + old.len >
	    STORE_ANNOTATION_BYTES_MAX)
		return ST_OK;
	key_uid(&k, ap->a->id, to->id, made);
	key_add(&k, span_sub(key, LOG_NAME_KEY - 8, key.len));
	count(ap, to, get_be64(key.p + LOG_NAME_KEY - 8), 1,
	    (int64_t)(key.len - LOG_NAME_KEY + old.len));
	buf_add_span(st_put_start(ap->s), old);
	return st_put(ap->s, TAB_ANNOTATION, &k);
}

enum status
annotations_back(struct apply *ap, uint64_t mailbox, uint64_t modseq, uint32_t uid,
    struct mbox *to, uint32_t made)
{
	struct engine_cursor *c = NULL;
	struct buf rows = { 0 };
	struct span key, payload;
	struct reader r;
	struct key prefix;
	enum status st;

	if (ap->a->rec.annlog_rows == 0)
		return ST_OK;
	key_change(&prefix, ap->a->id, mailbox, modseq, uid);
	TRY(engine_cursor_open(ap->s->e, ap->s->txn, TAB_ANNLOG, key_span(&prefix), &c));
	while ((st = st_next(ap->s, TAB_ANNLOG, c, &key, &payload)) == ST_OK) {
		if (payload.len == 0 || payload.p[0] != OLD_VALUE)
			continue;
		put_span(&rows, key);
		put_span(&rows, span_sub(payload, 1, payload.len));
	}
	engine_cursor_close(&c);
	reader_init(&r, rows.data, rows.len);
	st = st == ST_NOT_FOUND ? ST_OK : st;
	while (st == ST_OK && reader_left(&r) > 0) {
		key = get_span(&r);
		st = put_back(ap, to, made, key, get_span(&r));
	}
	buf_fini(&rows);
	return st;
}

/* ---- the log's end ---- */

enum status
annotations_forget(struct apply *ap, uint64_t mailbox, uint64_t modseq, uint32_t *left)
{
	struct engine_cursor *c = NULL;
	struct buf keys = { 0 };
	struct span key, payload;
	struct key prefix;
	struct reader r;
	uint64_t bytes;
	enum status st;

	if (ap->a->rec.annlog_rows == 0)
		return ST_NOT_FOUND;
	key_3(&prefix, ap->a->id, mailbox, modseq);
	TRY(engine_cursor_open(ap->s->e, ap->s->txn, TAB_ANNLOG, key_span(&prefix), &c));
	for (st = ST_OK; *left > 0; --*left) {
		st = st_next(ap->s, TAB_ANNLOG, c, &key, &payload);
		if (st == ST_OK && !annotation_old_good(payload, &bytes))
			st = st_damaged(ap->s, TAB_ANNLOG, key);
		if (st != ST_OK)
			break;
		put_span(&keys, key);
		ap->a->rec.annlog_rows--;
		ap->a->rec.annlog_bytes -= bytes;
		ap->a->dirty = true;
	}
	engine_cursor_close(&c);
	reader_init(&r, keys.data, keys.len);
	while (reader_left(&r) > 0 && (st == ST_OK || st == ST_NOT_FOUND)) {
		enum status gone = st_del_row(ap->s, TAB_ANNLOG, get_span(&r));

		st = gone != ST_OK ? gone == ST_NOT_FOUND ? ST_CORRUPT : gone : st;
	}
	buf_fini(&keys);
	return st;
}
