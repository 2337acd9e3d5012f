/* Questions about accounts and messages: committed rows, from any thread. */
#include "storage/state/read_priv.h"

#include <string.h>

#include "common/util/mem.h"

/* An account that is there, for readers. */
static enum status
live_account(struct state *s, uint64_t account, struct rec_account *rec)
{
	TRY(st_read_account(s, NULL, account, rec));
	return rec->deleted_ms != 0 || rec->purged ? ST_NOT_FOUND : ST_OK;
}

enum status
read_live_mailbox(struct state *s, uint64_t account, uint64_t mailbox, uint32_t *last)
{
	struct rec_account a;
	struct rec_mailbox m;
	struct buf value = { 0 };
	bool undeleted = (mailbox & STATE_UNDELETED) != 0;
	enum status st;

	TRY(live_account(s, account, &a));
	st = st_read_mailbox(s, NULL, account, mailbox & ~STATE_UNDELETED, &m, &value);
	if (st == ST_OK && m.deleted_ms != 0 && !undeleted)
		st = ST_NOT_FOUND;
	if (st == ST_OK)
		*last = !undeleted ? m.uidnext - 1 : m.undel_next > 0 ? m.undel_next - 1 : 0;
	buf_fini(&value);
	return st;
}

static void
fill(struct state_account *a, uint64_t id, const struct state *s, const struct rec_account *r)
{
	*a = (struct state_account){ .id = id, .modseq = r->modseq,
		.incarnation = st_meta(s).incarnation, .bytes = r->bytes, .messages = r->messages,
		.mailboxes = r->mailboxes, .bytes_limit = r->bytes_limit,
		.messages_limit = r->messages_limit, .mailboxes_limit = r->mailboxes_limit,
		.kept_bytes = r->kept_bytes, .horizon = r->horizon, .sieve_keys = r->sieve_keys,
		.created_ms = r->created_ms, .deleted_ms = r->deleted_ms, .purged = r->purged };
}

enum status
state_account(struct state *s, uint64_t account, struct state_account *a)
{
	struct rec_account rec;

	TRY(st_read_account(s, NULL, account, &rec));
	fill(a, account, s, &rec);
	return ST_OK;
}

enum status
state_account_next(struct state *s, uint64_t after, struct state_account *a)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct rec_account rec;
	struct key k;
	enum status st;

	if (after == UINT64_MAX)
		return ST_NOT_FOUND;
	TRY(engine_cursor_open(s->e, NULL, TAB_ACCOUNT, SPAN_NONE, &c));
	key_1(&k, after + 1);
	engine_cursor_seek(c, key_span(&k));
	st = st_next(s, TAB_ACCOUNT, c, &key, &payload);
	if (st == ST_OK && !rec_account_get(payload, &rec))
		st = st_damaged(s, TAB_ACCOUNT, key);
	if (st == ST_OK)
		fill(a, get_be64(key.p), s, &rec);
	engine_cursor_close(&c);
	return st;
}

enum status
state_quota(struct state *s, uint64_t account, const struct op_head *head,
    struct store_quota_is *q)
{
	struct rec_account r;

	TRY(live_account(s, account, &r));
	*q = (struct store_quota_is){ .bytes = r.bytes, .messages = r.messages,
		.mailboxes = r.mailboxes,
		.bytes_limit = r.bytes_limit != 0 ? r.bytes_limit : head->bytes_max,
		.messages_limit = r.messages_limit != 0 ? r.messages_limit : head->messages_max,
		.mailboxes_limit = r.mailboxes_limit != 0 ? r.mailboxes_limit :
		    head->mailboxes_max };
	return ST_OK;
}

enum status
state_keywords(struct state *s, uint64_t account, unsigned from, struct buf *out)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct key prefix;
	enum status st;

	key_1(&prefix, account);
	TRY(engine_cursor_open(s->e, NULL, TAB_KEYWORD, key_span(&prefix), &c));
	while ((st = st_next(s, TAB_KEYWORD, c, &key, &payload)) == ST_OK)
		if ((unsigned char)key.p[8] >= from)
			put_store_keyword(out, payload);
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* ---- uids ---- */

enum status
state_uids(struct state *s, uint64_t account, uint64_t mailbox, enum state_which which,
    struct uidset *out)
{
	return state_first_uids(s, account, mailbox, which, NULL, UINT32_MAX, out);
}

/* Keeps the lowest max members. */
static void
cut(struct uidset *s, uint64_t max)
{
	uint32_t last = max > 0 ? uidset_at(s, max - 1) : 0;

	if (uidset_count(s) > max)
		uidset_remove_range(s, last + 1, UINT32_MAX);
}

enum status
state_first_uids(struct state *s, uint64_t account, uint64_t mailbox, enum state_which which,
    const struct uidset *among, uint32_t max, struct uidset *out)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct uidset here = { 0 };
	struct rec_block b;
	uint32_t last;
	struct key k;
	enum status st;

	uidset_clear(out);
	TRY(read_live_mailbox(s, account, mailbox, &last));
	if (among != NULL && among->n == 0)
		return ST_OK;
	if (mailbox & STATE_UNDELETED) {
		TRY(undel_uids(s, account, mailbox, which, out));
		if (among != NULL)
			uidset_intersect(out, among);
		cut(out, max);
		return ST_OK;
	}
	key_2(&k, account, mailbox);
	TRY(engine_cursor_open(s->e, NULL, TAB_UIDMAP, key_span(&k), &c));
	if (among != NULL) {
		key_uid(&k, account, mailbox, among->r[0].lo / BLOCK_UIDS);
		engine_cursor_seek(c, key_span(&k));
	}
	while ((st = st_next(s, TAB_UIDMAP, c, &key, &payload)) == ST_OK) {
		uint32_t no = get_be32(key.p + 16);

		if (!rec_block_get(payload, &b)) {
			st = st_damaged(s, TAB_UIDMAP, key);
			break;
		}
		if (no > last / BLOCK_UIDS ||
		    (among != NULL && among->r[among->n - 1].hi / BLOCK_UIDS < no))
			break;
		uidset_clear(&here);
		uidmap_bits(b.bits[which], no, 1, last, &here);
		if (among != NULL)
			uidset_intersect(&here, among);
		uidset_add_set(out, &here);
		if (max < UINT32_MAX && uidset_count(out) >= max)
			break;
	}
	engine_cursor_close(&c);
	uidset_fini(&here);
	cut(out, max);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status
state_marks(struct state *s, uint64_t account, uint64_t mailbox,
    struct uidset sets[STATE_DELETED + 1])
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct rec_block b;
	uint32_t last, no;
	struct key k;
	enum status st;

	TRY(read_live_mailbox(s, account, mailbox, &last));
	if (mailbox & STATE_UNDELETED)
		return undel_marks(s, account, mailbox, sets);
	key_2(&k, account, mailbox);
	TRY(engine_cursor_open(s->e, NULL, TAB_UIDMAP, key_span(&k), &c));
	while ((st = st_next(s, TAB_UIDMAP, c, &key, &payload)) == ST_OK) {
		no = get_be32(key.p + 16);
		if (no > last / BLOCK_UIDS)
			break;
		if (!rec_block_get(payload, &b)) {
			st = st_damaged(s, TAB_UIDMAP, key);
			break;
		}
		for (unsigned i = STATE_ALL; i <= STATE_DELETED; i++)
			uidmap_bits(b.bits[i], no, 1, last, &sets[i]);
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* ---- rows ---- */

static enum tab
walk_table(const struct walk *w)
{
	return w->mailbox & STATE_UNDELETED ? TAB_UNDEL : TAB_MINDEX;
}

static bool
walk_row(const struct walk *w, struct span payload, struct rec_index *x)
{
	struct rec_undel row;

	if (!(w->mailbox & STATE_UNDELETED))
		return rec_index_get(payload, x);
	if (!rec_undel_get(payload, &row))
		return false;
	*x = row.x;
	return true;
}

static void
walk_seek(struct walk *w, uint32_t uid)
{
	struct key k;

	key_uid(&k, w->account, w->mailbox & ~STATE_UNDELETED, uid);
	engine_cursor_seek(w->c, key_span(&k));
}

enum status
walk_open(struct walk *w, uint32_t from)
{
	struct key k;

	key_2(&k, w->account, w->mailbox & ~STATE_UNDELETED);
	TRY(engine_cursor_open(w->s->e, NULL, walk_table(w), key_span(&k), &w->c));
	while (w->range < w->uids->n && w->uids->r[w->range].hi < from)
		w->range++;
	if (w->range < w->uids->n)
		walk_seek(w, w->uids->r[w->range].lo > from ? w->uids->r[w->range].lo : from);
	w->at = from > 0 ? from - 1 : 0;
	return ST_OK;
}

enum status
walk_next(struct walk *w, uint32_t *uid, struct rec_index *x)
{
	struct span key, payload;

	while (w->range < w->uids->n) {
		const struct uidrange *r = &w->uids->r[w->range];

		if (w->at >= r->hi) {
			w->range++;
			continue;
		}
		if (r->lo > w->at && r->lo - w->at > SEEK_GAP)
			walk_seek(w, r->lo);
		TRY(st_next(w->s, walk_table(w), w->c, &key, &payload));
		w->at = get_be32(key.p + 16);
		if (w->at > w->last)
			break;
		while (w->range < w->uids->n && w->uids->r[w->range].hi < w->at)
			w->range++;
		if (w->range == w->uids->n || w->uids->r[w->range].lo > w->at)
			continue;
		if (!walk_row(w, payload, x))
			return st_damaged(w->s, walk_table(w), key);
		*uid = w->at;
		return ST_OK;
	}
	return ST_NOT_FOUND;
}

/* Appends one entry of a reader's kind. */
typedef enum status (*entry_fn)(struct walk *w, uint32_t uid, const struct rec_index *x,
    unsigned what, struct buf *out);

static enum status
row_entry(struct walk *w, uint32_t uid, const struct rec_index *x, unsigned fields,
    struct buf *out)
{
	struct store_row row = { .uid = uid, .modseq = x->modseq, .flags = x->flags,
		.size = x->size, .received_s = x->received_s, .received_zone = x->received_zone,
		.message = x->message, .thread = x->thread, .saved_s = x->saved_s };

	put_store_row(out, &row, fields);
	return ST_OK;
}

static enum status
cache_entry(struct walk *w, uint32_t uid, const struct rec_index *x, unsigned want,
    struct buf *out)
{
	struct store_cache e = { .uid = uid };

	if (want & CACHE_LIST)
		TRY(cold_find(&w->list, w->mailbox, uid, x->message, true, &e.list));
	if (want & CACHE_STRUCTURE)
		TRY(cold_find(&w->structure, w->mailbox, uid, x->message, true, &e.structure));
	put_store_cache(out, &e);
	return ST_OK;
}

static enum status
entries(struct walk *w, entry_fn fn, unsigned what, size_t budget, uint32_t *resume_uid,
    struct buf *out)
{
	struct rec_index x;
	size_t start = out->len;
	uint32_t uid;
	enum status st;

	w->list = (struct cold){ .s = w->s, .account = w->account, .kind = COLD_LIST };
	w->structure = (struct cold){ .s = w->s, .account = w->account,
		.kind = COLD_STRUCTURE };
	st = walk_open(w, *resume_uid);
	*resume_uid = 0;
	while (st == ST_OK && (st = walk_next(w, &uid, &x)) == ST_OK) {
		size_t before = out->len;

		st = fn(w, uid, &x, what, out);
		if (st == ST_OK && out->len - start > budget && before > start) {
			buf_cut(out, before);
			*resume_uid = uid;
			break;
		}
	}
	engine_cursor_close(&w->c);
	cold_fini(&w->list);
	cold_fini(&w->structure);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status
state_rows(struct state *s, uint64_t account, uint64_t mailbox, const struct uidset *uids,
    unsigned fields, size_t budget, uint32_t *resume_uid, struct buf *out)
{
	struct walk w = { .s = s, .account = account, .mailbox = mailbox, .uids = uids };

	TRY(read_live_mailbox(s, account, mailbox, &w.last));
	return entries(&w, row_entry, fields, budget, resume_uid, out);
}

enum status
state_message_there(struct state *s, uint64_t account, uint64_t message)
{
	struct key k;

	key_2(&k, account, message);
	return engine_get(s->e, NULL, TAB_MESSAGE, key_span(&k), NULL);
}

enum status
state_caches(struct state *s, uint64_t account, uint64_t mailbox, const struct uidset *uids,
    unsigned want, size_t budget, uint32_t *resume_uid, struct buf *out)
{
	struct walk w = { .s = s, .account = account, .mailbox = mailbox, .uids = uids };

	TRY(read_live_mailbox(s, account, mailbox, &w.last));
	return entries(&w, cache_entry, want, budget, resume_uid, out);
}

/* Rows of one table, wanted in the order in which most of them lie: the row behind the last
 * one is looked at before the tree is searched. */
#define CHASE_STEPS	8u		/* rows passed over in search of one */
#define CHASE_LOST	4u		/* so often in vain: they lie in another order */

struct chase {
	enum tab		tab;
	struct engine_cursor	*c;
	struct span		key, row;	/* where c stands; key.p NULL: nowhere */
	unsigned		asked, lost;
	struct buf		value;
};

/* The cursor goes to k, or to where it would be.  false: there is no row so far. */
static bool
chase_to(struct state *s, struct chase *f, const struct key *k)
{
	if (f->c == NULL) {
		if (engine_cursor_open(s->e, NULL, f->tab, SPAN_NONE, &f->c) != ST_OK)
			return false;
		engine_cursor_seek(f->c, key_span(k));
	}
	for (unsigned i = 0; i < CHASE_STEPS; i++) {
		if (f->key.p != NULL && span_cmp(f->key, key_span(k)) >= 0)
			return true;
		if (engine_cursor_next(f->c, &f->key, &f->row) != ST_OK)
			break;
	}
	f->key = SPAN_NONE;
	engine_cursor_seek(f->c, key_span(k));
	return false;
}

/* As st_get(), which has the last word on what is missing or damaged. */
static enum status
chase_get(struct state *s, struct chase *f, const struct key *k, struct span *payload)
{
	if (f->asked++ > 0 && f->lost < CHASE_LOST) {
		if (chase_to(s, f, k) && span_eq(f->key, key_span(k)) &&
		    rec_open(f->tab, f->key, f->row, payload))
			return ST_OK;
		f->lost++;
	}
	return st_get(s, NULL, f->tab, k, &f->value, payload);
}

static void
chase_end(struct chase *f)
{
	engine_cursor_close(&f->c);
	buf_fini(&f->value);
}

struct state_bodies {
	struct walk	walk;
	struct chase	messages, extents;
};

static enum status
locations(struct state_bodies *b, uint64_t message, struct state_body *body, struct buf *locs)
{
	struct state *s = b->walk.s;
	struct rec_message m;
	struct rec_extent e;
	struct span payload;
	enum status st;
	struct key k;

	key_2(&k, b->walk.account, message);
	TRY(chase_get(s, &b->messages, &k, &payload));
	if (!rec_message_get(payload, &m))
		return st_damaged(s, TAB_MESSAGE, key_span(&k));
	key_1(&k, m.extent);
	st = chase_get(s, &b->extents, &k, &payload);
	/* a message that is there has its body: both go in one transaction */
	if (st == ST_NOT_FOUND || (st == ST_OK && !rec_extent_get(payload, &e)))
		return st_damaged(s, TAB_EXTENT, key_span(&k));
	TRY(st);
	body->stored_size = e.stored;
	body->n_locs = e.locs.len / LOC_BYTES;
	buf_clear(locs);
	for (size_t i = 0; i < e.locs.len; i += LOC_BYTES) {
		struct journal_loc l = { get_be32(e.locs.p + i), get_be32(e.locs.p + i + 4),
			get_be32(e.locs.p + i + 8) };

		buf_add(locs, &l, sizeof(l));
	}
	return ST_OK;
}

enum status
state_bodies_open(struct state *s, uint64_t account, uint64_t mailbox,
    const struct uidset *uids, uint32_t from, struct state_bodies **b)
{
	enum status st;
	uint32_t last;

	*b = NULL;
	TRY(read_live_mailbox(s, account, mailbox, &last));
	*b = mem_zalloc(sizeof(**b));
	(*b)->walk = (struct walk){ .s = s, .account = account, .mailbox = mailbox,
		.uids = uids, .last = last };
	(*b)->messages.tab = TAB_MESSAGE;
	(*b)->extents.tab = TAB_EXTENT;
	st = walk_open(&(*b)->walk, from);
	if (st != ST_OK)
		state_bodies_close(b);
	return st;
}

enum status
state_bodies_next(struct state_bodies *b, struct state_body *body, struct buf *locs)
{
	struct rec_index x;
	enum status st;

	/* A row read ahead may be of a message that is gone by now. */
	do {
		TRY(walk_next(&b->walk, &body->uid, &x));
		st = locations(b, x.message, body, locs);
	} while (st == ST_NOT_FOUND);
	return st;
}

void
state_bodies_close(struct state_bodies **bp)
{
	if (*bp == NULL)
		return;
	engine_cursor_close(&(*bp)->walk.c);
	chase_end(&(*bp)->messages);
	chase_end(&(*bp)->extents);
	mem_free(bp);
}

/* ---- work ---- */

enum status
state_work_next(struct state *s, const struct state_work *after, struct state_work *w)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct key k;
	enum status st;

	TRY(engine_cursor_open(s->e, NULL, TAB_WORK, SPAN_NONE, &c));
	if (after != NULL) {
		key_2(&k, after->account, after->mailbox);
		k.b[k.len++] = 0;	/* right behind it */
		engine_cursor_seek(c, key_span(&k));
	}
	st = st_next(s, TAB_WORK, c, &key, &payload);
	if (st == ST_OK)
		*w = (struct state_work){ get_be64(key.p), get_be64(key.p + 8) };
	engine_cursor_close(&c);
	return st;
}

enum status
state_history_oldest(struct state *s, uint64_t account, int64_t *time_ms)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct rec_history h;
	struct key k;
	enum status st;

	key_1(&k, account);
	TRY(engine_cursor_open(s->e, NULL, TAB_HISTORY, key_span(&k), &c));
	st = st_next(s, TAB_HISTORY, c, &key, &payload);
	if (st == ST_OK && !rec_history_get(payload, &h))
		st = st_damaged(s, TAB_HISTORY, key);
	if (st == ST_OK)
		*time_ms = h.time_ms;
	engine_cursor_close(&c);
	return st;
}

/* ---- changes since ---- */

void
state_changes_fini(struct state_changes *c)
{
	uidset_fini(&c->changed);
	uidset_fini(&c->vanished);
}

static enum status
collect(struct state *s, uint64_t account, uint64_t mailbox, uint64_t since, uint32_t rows,
    struct state_changes *out)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct rec_change change;
	uint64_t modseq = since;
	struct key k;
	enum status st;

	key_2(&k, account, mailbox);
	TRY(engine_cursor_open(s->e, NULL, TAB_CHANGE, key_span(&k), &c));
	key_change(&k, account, mailbox, since + 1, 0);
	engine_cursor_seek(c, key_span(&k));
	for (uint32_t n = 0; (st = st_next(s, TAB_CHANGE, c, &key, &payload)) == ST_OK; n++) {
		uint64_t at = get_be64(key.p + 16);
		uint32_t uid = get_be32(key.p + 24);

		if (at > out->highestmodseq)
			break;			/* staged */
		if (!rec_change_get(payload, &change)) {
			st = st_damaged(s, TAB_CHANGE, key);
			break;
		}
		if (at != modseq && n >= rows) {
			out->more = true;
			out->highestmodseq = modseq;
			break;
		}
		modseq = at;
		if (change.kind == CHANGE_DESTROYED) {
			uidset_remove_range(&out->changed, uid, uid);
			uidset_add(&out->vanished, uid);
		} else {
			uidset_add(&out->changed, uid);
		}
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status
state_changes(struct state *s, uint64_t account, uint64_t mailbox, uint64_t since,
    uint32_t rows, struct state_changes *c)
{
	struct rec_account a;
	struct rec_mailbox m;
	struct buf value = { 0 };
	enum status st;

	uidset_clear(&c->changed);
	uidset_clear(&c->vanished);
	c->full = c->gone = c->more = false;
	TRY(live_account(s, account, &a));
	if (mailbox & STATE_UNDELETED)
		return undel_changes(s, account, mailbox, since, c);
	st = st_read_mailbox(s, NULL, account, mailbox, &m, &value);
	buf_fini(&value);
	TRY(st);
	c->highestmodseq = m.highestmodseq;
	c->uidnext = m.uidnext;
	c->recent_from = m.recent_from;
	c->urls_told = a.urls_told;
	c->gone = m.deleted_ms != 0;
	if (c->gone || since >= m.highestmodseq)
		return ST_OK;
	if (since < a.horizon) {
		c->full = true;
		return state_uids(s, account, mailbox, STATE_ALL, &c->changed);
	}
	return collect(s, account, mailbox, since, rows, c);
}
