/* Annotations of mailboxes and of an account as a whole (RFC 5464): a row for each entry,
 * by mailbox (0: the account), reader (0: shared, else who sees it) and name.  They are no
 * change of a mailbox that clients synchronise; the history tells which ones changed. */
#include "storage/state/state_priv.h"

static const char *const roots[] = { "/shared/", "/private/" };

/* Lower case, so that names which differ in case alone are one. */
bool
metadata_name_valid(struct span name)
{
	bool rooted = false;

	if (name.len == 0 || name.len > STORE_METADATA_NAME_MAX || name.p[name.len - 1] == '/')
		return false;
	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++)
		rooted |= span_has_prefix(name, roots[i]);
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.p[i];

		if (c <= ' ' || c >= 0x7f || c == '*' || c == '%' || (c >= 'A' && c <= 'Z') ||
		    (c == '/' && i > 0 && name.p[i - 1] == '/'))
			return false;
	}
	return rooted;
}

bool
metadata_private(struct span name)
{
	return span_has_prefix(name, roots[1]);
}

static void
key_of(struct key *k, uint64_t account, uint64_t mailbox, uint64_t who, struct span name)
{
	key_3(k, account, mailbox, metadata_private(name) ? who : 0);
	key_add(k, name);
}

/* What an operation comes to, before anything is written. */
struct sums {
	uint64_t	there[2], more[2], less[2];	/* entries: shared, private */
	uint64_t	add, take;			/* bytes */
};

static enum status
count(struct apply *ap, uint64_t mailbox, uint64_t reader, uint64_t *n)
{
	struct engine_cursor *c = NULL;
	struct key prefix;
	enum status st;

	key_3(&prefix, ap->a->id, mailbox, reader);
	TRY(engine_cursor_open(ap->s->e, ap->s->txn, TAB_METADATA, key_span(&prefix), &c));
	while ((st = engine_cursor_next(c, NULL, NULL)) == ST_OK)
		++*n;
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status
add_up(struct apply *ap, const struct store_metadata *e, struct sums *s)
{
	uint64_t who = ap->op->head.who;
	unsigned side = metadata_private(e->name) ? 1 : 0;
	struct span old;
	struct key k;
	enum status st;

	key_of(&k, ap->a->id, ap->op->u.metadata.mailbox, who, e->name);
	st = st_get(ap->s, ap->s->txn, TAB_METADATA, &k, &ap->s->value, &old);
	if (st != ST_OK && st != ST_NOT_FOUND)
		return st;
	if (st == ST_OK) {
		s->take += e->name.len + old.len;
		s->less[side]++;
	}
	if (e->given) {
		s->add += e->name.len + e->value.len;
		s->more[side]++;
	}
	return ST_OK;
}

static enum status
judge(struct apply *ap, struct sums *s)
{
	const struct op_metadata *p = &ap->op->u.metadata;
	struct store_metadata e, other;
	struct reader r, again;
	unsigned n = 0;

	reader_init(&r, p->entries.p, p->entries.len);
	while (get_store_metadata(&r, &e)) {
		if (++n > STORE_METADATA_ENTRIES_MAX)
			return refuse(ap, ST_LIMIT);
		if (!metadata_name_valid(e.name) || e.value.len > STORE_METADATA_VALUE_MAX)
			return refuse(ap, ST_SYNTAX);
		for (again = r; get_store_metadata(&again, &other);)
			if (span_eq(other.name, e.name))
				return refuse(ap, ST_SYNTAX);
		TRY(add_up(ap, &e, s));
	}
	if (!reader_done(&r) || n == 0)
		return refuse(ap, ST_SYNTAX);
	TRY(count(ap, p->mailbox, 0, &s->there[0]));
	TRY(count(ap, p->mailbox, ap->op->head.who, &s->there[1]));
	for (unsigned side = 0; side < 2; side++)
		if (s->more[side] > s->less[side] &&
		    s->there[side] + s->more[side] - s->less[side] > STORE_METADATA_MAX)
			return refuse(ap, ST_LIMIT);
	if (s->add > s->take &&
	    ap->a->rec.metadata_bytes + s->add - s->take > STORE_METADATA_BYTES_MAX)
		return refuse(ap, ST_OVER_QUOTA);
	return ST_OK;
}

static enum status
put(struct apply *ap, uint64_t mailbox, const struct store_metadata *e)
{
	struct key k;

	key_of(&k, ap->a->id, mailbox, ap->op->head.who, e->name);
	if (!e->given)
		return st_del_any(ap->s, TAB_METADATA, &k);
	buf_add_span(st_put_start(ap->s), e->value);
	return st_put(ap->s, TAB_METADATA, &k);
}

/* Of another's mailbox: what all see needs w, what one sees alone r (RFC 5464 §3.3 asks for l as well). */
static enum status
judge_rights(struct apply *ap)
{
	const struct op_metadata *p = &ap->op->u.metadata;
	uint32_t need = RIGHT_LOOKUP | RIGHT_READ;
	struct store_metadata e;
	struct reader r;

	if (!ap_foreign(ap))
		return ST_OK;
	if (p->mailbox == 0)
		return refuse(ap, ST_DENIED);
	reader_init(&r, p->entries.p, p->entries.len);
	while (get_store_metadata(&r, &e))
		if (!metadata_private(e.name))
			need |= RIGHT_WRITE;
	return ap_need(ap, p->mailbox, need);
}

enum status
apply_metadata(struct apply *ap)
{
	const struct op_metadata *p = &ap->op->u.metadata;
	struct sums s = { 0 };
	struct store_metadata e;
	struct mbox *m;
	struct reader r;

	if (p->mailbox != 0) {
		TRY(ap_mbox(ap, p->mailbox, &m));
		if (m == NULL)
			return ST_OK;
	}
	TRY(judge_rights(ap));
	if (ap->r->status != ST_OK)
		return ST_OK;
	TRY(judge(ap, &s));
	if (ap->r->status != ST_OK)
		return ST_OK;
	reader_init(&r, p->entries.p, p->entries.len);
	while (get_store_metadata(&r, &e))
		TRY(put(ap, p->mailbox, &e));
	ap->a->rec.metadata_bytes = ap->a->rec.metadata_bytes + s.add - s.take;
	ap->a->dirty = true;
	return ST_OK;
}

void
metadata_names(const struct op_metadata *p, struct buf *out)
{
	struct store_metadata e;
	struct reader r;

	reader_init(&r, p->entries.p, p->entries.len);
	while (get_store_metadata(&r, &e))
		put_span(out, e.name);
}

/* The same, with a modseq and a row of history for those who want to hear of it. */
enum status
apply_metadata_noted(struct apply *ap)
{
	const struct op_metadata *p = &ap->op->u.metadata;
	struct store_metadata e;
	struct reader r;

	TRY(apply_metadata(ap));
	if (ap->r->status != ST_OK)
		return ST_OK;
	(void)ap_modseq(ap);
	ap->r->mailbox = p->mailbox;
	reader_init(&r, p->entries.p, p->entries.len);
	while (get_store_metadata(&r, &e)) {
		if (metadata_private(e.name))
			ap->reader_changed = true;
		else
			ap->shared_changed = true;
	}
	return ST_OK;
}

/* All rows of a mailbox: taken away, or copied to another one as long as there is room. */
static enum status
each_row(struct apply *ap, uint64_t mailbox, uint64_t to, bool drop)
{
	struct engine_cursor *c = NULL;
	struct buf rows = { 0 };
	struct span key, payload;
	struct key prefix, k;
	struct reader r;
	uint64_t total = 0;
	enum status st;

	key_2(&prefix, ap->a->id, mailbox);
	TRY(engine_cursor_open(ap->s->e, ap->s->txn, TAB_METADATA, key_span(&prefix), &c));
	while ((st = st_next(ap->s, TAB_METADATA, c, &key, &payload)) == ST_OK) {
		put_span(&rows, span_sub(key, 16, key.len));
		put_span(&rows, payload);
		total += key.len - 24 + payload.len;
	}
	engine_cursor_close(&c);
	st = st == ST_NOT_FOUND ? ST_OK : st;
	if (!drop && ap->a->rec.metadata_bytes + total > STORE_METADATA_BYTES_MAX)
		buf_clear(&rows);
	reader_init(&r, rows.data, rows.len);
	while (st == ST_OK && r.p < r.end) {
		uint64_t bytes;

		key = get_span(&r);
		payload = get_span(&r);
		bytes = key.len - 8 + payload.len;
		key_2(&k, ap->a->id, drop ? mailbox : to);
		key_add(&k, key);
		if (drop) {
			st = st_del(ap->s, TAB_METADATA, &k);
			ap->a->rec.metadata_bytes -= bytes;
		} else {
			buf_add_span(st_put_start(ap->s), payload);
			st = st_put(ap->s, TAB_METADATA, &k);
			ap->a->rec.metadata_bytes += bytes;
		}
		ap->a->dirty = true;
	}
	buf_fini(&rows);
	return st;
}

enum status
metadata_drop(struct apply *ap, uint64_t mailbox)
{
	return each_row(ap, mailbox, 0, true);
}

enum status
metadata_copy(struct apply *ap, uint64_t from, uint64_t to)
{
	return each_row(ap, from, to, false);
}

/* ---- reading ---- */

/* "/a/b/c" is two below "/a"; UINT_MAX: not below at all. */
static unsigned
steps_below(struct span name, struct span top)
{
	unsigned n = 0;

	if (name.len < top.len || !span_eq(span_sub(name, 0, top.len), top) ||
	    (name.len > top.len && name.p[top.len] != '/'))
		return UINT32_MAX;
	for (size_t i = top.len; i < name.len; i++)
		n += name.p[i] == '/';
	return n;
}

static bool
wanted(struct span name, const struct store_metadata_get *rq)
{
	struct reader r;

	reader_init(&r, rq->names.p, rq->names.len);
	while (r.p < r.end && !r.bad) {
		unsigned n = steps_below(name, get_span(&r));

		if (n != UINT32_MAX && n <= rq->depth)
			return true;
	}
	return false;
}

/* *row counts what is wanted; those before rq->from were told.  ST_LIMIT: the budget is over. */
static enum status
read_side(struct state *s, const struct key *prefix, const struct store_metadata_get *rq,
    size_t budget, uint32_t *row, struct buf *out)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	enum status st;

	TRY(engine_cursor_open(s->e, NULL, TAB_METADATA, key_span(prefix), &c));
	while ((st = st_next(s, TAB_METADATA, c, &key, &payload)) == ST_OK) {
		struct store_metadata e = { .name = span_sub(key, 24, key.len),
			.size = (uint32_t)payload.len, .given = payload.len <= rq->max_size,
			.value = payload };

		if (!wanted(e.name, rq) || (*row)++ < rq->from)
			continue;
		if (out->len > 0 && out->len + payload.len > budget) {
			--*row;
			st = ST_LIMIT;
			break;
		}
		if (!e.given)
			e.value = SPAN_NONE;
		put_store_metadata(out, &e);
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status
state_metadata(struct state *s, uint64_t account, uint64_t reader,
    const struct store_metadata_get *rq, size_t budget, uint32_t *resume, struct buf *out)
{
	struct rec_account a;
	struct rec_mailbox m;
	struct buf value = { 0 };
	uint32_t row = 0;
	struct key prefix;
	enum status st;

	*resume = 0;
	TRY(st_read_account(s, NULL, account, &a));
	if (a.deleted_ms != 0)
		return ST_NOT_FOUND;
	if (rq->mailbox != 0) {
		st = st_read_mailbox(s, NULL, account, rq->mailbox, &m, &value);
		buf_fini(&value);
		TRY(st);
		if (m.deleted_ms != 0)
			return ST_NOT_FOUND;
	}
	key_3(&prefix, account, rq->mailbox, 0);
	st = read_side(s, &prefix, rq, budget, &row, out);
	if (st == ST_OK) {
		key_3(&prefix, account, rq->mailbox, reader);
		st = read_side(s, &prefix, rq, budget, &row, out);
	}
	if (st == ST_LIMIT) {
		*resume = row;
		st = ST_OK;
	}
	return st;
}
