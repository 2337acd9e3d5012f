/* Uploads: bodies that belong to an account and to no message, for a time.  What there is no room
 * for makes the oldest go, as long as they were kept for the time promised. */
#include "storage/state/emails.h"
#include "storage/state/state_priv.h"

#include <string.h>

#include "common/util/mem.h"

void
rec_blob_put(struct buf *b, const struct rec_blob *r)
{
	put_u64(b, r->extent);
	put_varint(b, r->size);
	put_varint(b, r->stored);
	buf_add(b, r->sha256, sizeof(r->sha256));
	put_u64(b, (uint64_t)r->created_ms);
	put_u64(b, (uint64_t)r->expires_ms);
}

bool
rec_blob_get(struct span p, struct rec_blob *x)
{
	struct span sha;
	struct reader r;

	reader_init(&r, p.p, p.len);
	x->extent = get_u64(&r);
	x->size = get_varint(&r);
	x->stored = get_varint(&r);
	sha = get_raw(&r, sizeof(x->sha256));
	x->created_ms = (int64_t)get_u64(&r);
	x->expires_ms = (int64_t)get_u64(&r);
	if (!reader_done(&r))
		return false;
	memcpy(x->sha256, sha.p, sizeof(x->sha256));
	return true;
}

/* What it counts for: who uploads says how large it is, what it takes is known. */
static uint64_t
weight(uint64_t size, uint64_t stored)
{
	return size > stored ? size : stored;
}

/* ---- applying ---- */

enum status
blob_drop(struct apply *ap, struct span key, const struct rec_blob *x)
{
	struct key k;

	key_text(&k, key);
	TRY(extent_unref(ap->s, x->extent));
	return st_del(ap->s, TAB_BLOB, &k);
}

struct held {
	struct key	key;
	struct rec_blob	rec;
	bool		goes;
};

/* All of the account, the oldest first. */
static enum status
load_all(struct apply *ap, struct held **out, size_t *n)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	size_t room = 0;
	struct key k;
	enum status st;

	*out = NULL;
	*n = 0;
	key_1(&k, ap->a->id);
	TRY(engine_cursor_open(ap->s->e, ap->s->txn, TAB_BLOB, key_span(&k), &c));
	while ((st = st_next(ap->s, TAB_BLOB, c, &key, &payload)) == ST_OK) {
		if (*n == room) {
			room = room == 0 ? 16 : 2 * room;
			*out = mem_realloc_array(*out, room, sizeof(**out));
		}
		if (!rec_blob_get(payload, &(*out)[*n].rec)) {
			st = st_damaged(ap->s, TAB_BLOB, key);
			break;
		}
		key_text(&(*out)[*n].key, key);
		(*out)[(*n)++].goes = false;
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* Which ones go, so that one of this weight fits; false: it does not. */
static bool
make_room(struct apply *ap, uint64_t more, struct held *h, size_t n)
{
	const struct op_blob_put *p = &ap->op->u.blob_put;
	int64_t now = ap->op->head.time_ms;
	uint64_t bytes = more, count = 1;

	if (p->bytes_max > 0 && more > p->bytes_max)
		return false;
	for (size_t i = 0; i < n; i++) {
		h[i].goes = h[i].rec.expires_ms <= now;
		bytes += h[i].goes ? 0 : weight(h[i].rec.size, h[i].rec.stored);
		count += !h[i].goes;
	}
	for (size_t i = 0; i < n && ((p->bytes_max > 0 && bytes > p->bytes_max) ||
	    (p->count_max > 0 && count > p->count_max)); i++) {
		if (h[i].goes)
			continue;
		if (h[i].rec.created_ms + p->hold_ms > now)
			return false;
		h[i].goes = true;
		bytes -= weight(h[i].rec.size, h[i].rec.stored);
		count--;
	}
	return (p->bytes_max == 0 || bytes <= p->bytes_max) &&
	    (p->count_max == 0 || count <= p->count_max);
}

static enum status
put(struct apply *ap, uint64_t stored)
{
	const struct op_blob_put *p = &ap->op->u.blob_put;
	struct rec_blob x = { .extent = st_new_id(ap->s), .size = p->size, .stored = stored,
		.created_ms = ap->op->head.time_ms,
		.expires_ms = ap->op->head.time_ms + p->life_ms };
	struct store_blob_is is = { .id = st_new_id(ap->s), .expires_ms = x.expires_ms };
	struct key k;

	memcpy(x.sha256, p->sha256.p, sizeof(x.sha256));
	TRY(extent_put(ap, x.extent, ap->locs, (uint32_t)ap->n_locs, 1));
	key_2(&k, ap->a->id, is.id);
	rec_blob_put(st_put_start(ap->s), &x);
	TRY(st_put(ap->s, TAB_BLOB, &k));
	ap_reply(ap, STORE_BLOB_IS, &is);
	return ST_OK;
}

enum status
apply_blob_put(struct apply *ap)
{
	const struct op_blob_put *p = &ap->op->u.blob_put;
	struct held *h = NULL;
	uint64_t stored = 0;
	size_t n = 0;
	enum status st;

	if (p->sha256.len != 32 || p->pieces == 0 || p->size > STORE_SIZE_MAX || p->life_ms < 0 ||
	    p->hold_ms < 0)
		return refuse(ap, ST_SYNTAX);
	if (p->pieces != ap->n_locs)
		return refuse(ap, ST_BUG);
	for (size_t i = 0; i < ap->n_locs; i++)
		stored += ap->locs[i].length;
	st = load_all(ap, &h, &n);
	if (st == ST_OK && !make_room(ap, weight(p->size, stored), h, n))
		st = refuse(ap, ST_OVER_QUOTA);
	for (size_t i = 0; st == ST_OK && ap->r->status == ST_OK && i < n; i++)
		if (h[i].goes)
			st = blob_drop(ap, key_span(&h[i].key), &h[i].rec);
	if (st == ST_OK && ap->r->status == ST_OK)
		st = put(ap, stored);
	mem_free(&h);
	return st;
}

/* Those whose time is over. */
enum status
apply_blob_purge(struct apply *ap)
{
	uint32_t rows = ap->op->u.blob_purge.rows, done = 0;
	struct held *h = NULL;
	size_t n = 0;
	enum status st = load_all(ap, &h, &n);

	if (rows == 0 || rows > OP_ROWS)
		rows = OP_ROWS;
	for (size_t i = 0; st == ST_OK && i < n; i++) {
		if (h[i].rec.expires_ms > ap->op->head.time_ms)
			continue;
		if (done++ == rows) {
			ap->r->more = true;
			break;
		}
		st = blob_drop(ap, key_span(&h[i].key), &h[i].rec);
	}
	mem_free(&h);
	return st;
}

/* ---- reading ---- */

static enum status
get(struct state *s, uint64_t account, uint64_t id, struct rec_blob *x)
{
	struct buf value = { 0 };
	struct span payload;
	struct key k;
	enum status st;

	key_2(&k, account, id);
	st = st_get(s, NULL, TAB_BLOB, &k, &value, &payload);
	if (st == ST_OK && !rec_blob_get(payload, x))
		st = st_damaged(s, TAB_BLOB, key_span(&k));
	buf_fini(&value);
	return st;
}

static void
tell(struct buf *out, uint64_t id, const struct rec_blob *x)
{
	put_store_blob(out, &(struct store_blob){ id, x->size, span(x->sha256, 32),
	    x->created_ms, x->expires_ms });
}

static enum status
tell_all(struct state *s, uint64_t account, size_t budget, struct buf *out)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct rec_blob x;
	struct key k;
	enum status st = ST_OK;

	key_1(&k, account);
	TRY(engine_cursor_open(s->e, NULL, TAB_BLOB, key_span(&k), &c));
	while (out->len < budget && (st = st_next(s, TAB_BLOB, c, &key, &payload)) == ST_OK) {
		if (!rec_blob_get(payload, &x)) {
			st = st_damaged(s, TAB_BLOB, key);
			break;
		}
		tell(out, get_be64(key.p + 8), &x);
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status
state_blobs(struct state *s, uint64_t account, struct span ids, size_t budget, struct buf *out)
{
	struct store_states_are live;
	struct rec_blob x;

	TRY(state_states(s, account, &live));
	if (ids.len == 0)
		return tell_all(s, account, budget, out);
	for (size_t i = 0; i + 8 <= ids.len && out->len < budget; i += 8) {
		uint64_t id = get_be64(ids.p + i);
		enum status st = get(s, account, id, &x);

		if (st == ST_OK)
			tell(out, id, &x);
		else if (st != ST_NOT_FOUND)
			return st;
	}
	return ST_OK;
}

enum status
state_blob_body(struct state *s, uint64_t account, uint64_t id, struct state_body *body,
    struct buf *locs)
{
	struct store_states_are live;
	struct rec_blob x;

	TRY(state_states(s, account, &live));
	TRY(get(s, account, id, &x));
	return extent_body(s, x.extent, body, locs);
}

enum status
extent_body(struct state *s, uint64_t extent, struct state_body *body, struct buf *locs)
{
	struct buf value = { 0 };
	struct rec_extent e;
	struct span payload;
	struct key k;
	enum status st;

	key_1(&k, extent);
	st = st_get(s, NULL, TAB_EXTENT, &k, &value, &payload);
	if (st == ST_NOT_FOUND || (st == ST_OK && !rec_extent_get(payload, &e)))
		st = st_damaged(s, TAB_EXTENT, key_span(&k));
	buf_clear(locs);
	if (st == ST_OK) {
		*body = (struct state_body){ 1, e.stored, e.locs.len / LOC_BYTES };
		for (size_t i = 0; i < e.locs.len; i += LOC_BYTES) {
			struct journal_loc l = { get_be32(e.locs.p + i), get_be32(e.locs.p + i + 4),
				get_be32(e.locs.p + i + 8) };

			buf_add(locs, &l, sizeof(l));
		}
	}
	buf_fini(&value);
	return st;
}

enum status
state_blob_expired(struct state *s, uint64_t *account, uint64_t *id, int64_t now_ms,
    uint32_t rows)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct rec_blob x;
	struct key k;
	enum status st;

	TRY(engine_cursor_open(s->e, NULL, TAB_BLOB, SPAN_NONE, &c));
	key_2(&k, *account, *id);
	k.b[k.len++] = 0;		/* right behind it */
	engine_cursor_seek(c, key_span(&k));
	while ((st = st_next(s, TAB_BLOB, c, &key, &payload)) == ST_OK) {
		*account = get_be64(key.p);
		*id = get_be64(key.p + 8);
		if (!rec_blob_get(payload, &x))
			st = st_damaged(s, TAB_BLOB, key);
		else if (x.expires_ms > now_ms && --rows > 0)
			continue;
		else if (x.expires_ms > now_ms)
			st = ST_LIMIT;
		break;
	}
	engine_cursor_close(&c);
	return st;
}
