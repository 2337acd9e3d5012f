/* Keys that a delivery remembers for a time: which messages came already, who got an answer.  A row
 * for each; the account's record counts them. */
#include <stdlib.h>
#include <string.h>

#include "common/util/mem.h"
#include "storage/state/sieve.h"
#include "storage/state/state_priv.h"

#define KEY_AT 8u			/* kind and key in the key of a row */
#define ROW_KEY (KEY_AT + 1 + STORE_SIEVE_KEY)

static void
row_key(struct key *k, uint64_t account, uint8_t kind, struct span key)
{
	key_1(k, account);
	k->b[k->len++] = kind;
	key_add(k, key);
}

/* What a row says; false: damaged. */
static bool
row_get(struct span payload, int64_t *set_ms, int64_t *expires_ms)
{
	struct reader r;

	reader_init(&r, payload.p, payload.len);
	*set_ms = (int64_t)get_u64(&r);
	*expires_ms = (int64_t)get_u64(&r);
	return reader_done(&r);
}

/* *known: at now_ms; *there: its row is. */
static enum status
look(struct state *s, struct engine_txn *txn, const struct key *k, int64_t now_ms,
    struct buf *value, bool *known, bool *there)
{
	int64_t set_ms, expires_ms;
	struct span payload;
	enum status st = st_get(s, txn, TAB_SIEVEKEY, k, value, &payload);

	*known = *there = false;
	if (st == ST_NOT_FOUND)
		return ST_OK;
	TRY(st);
	if (!row_get(payload, &set_ms, &expires_ms))
		return st_damaged(s, TAB_SIEVEKEY, key_span(k));
	*there = true;
	*known = expires_ms > now_ms;
	return ST_OK;
}

/* ---- applying ---- */

enum status
sieve_keys_judge(struct apply *ap, struct span keys)
{
	struct store_deliver_key x;
	struct reader r;
	bool known, there;
	unsigned n = 0;
	struct key k;

	reader_init(&r, keys.p, keys.len);
	while (get_store_deliver_key(&r, &x)) {
		if (++n > STORE_SIEVE_KEYS_ASKED)
			return refuse(ap, ST_LIMIT);
		if (x.kind == SIEVE_KEY_SCRIPT) {
			TRY(script_is_active(ap, x.key, &known));
		} else {
			row_key(&k, ap->a->id, x.kind, x.key);
			TRY(look(ap->s, ap->s->txn, &k, ap->op->head.time_ms, &ap->s->value, &known,
			    &there));
		}
		if (known != x.known)
			refuse(ap, ST_CONFLICT);
	}
	return reader_done(&r) ? ST_OK : refuse(ap, ST_SYNTAX);
}

struct aged {
	int64_t		set_ms;
	bool		over;			/* its time is */
	unsigned char	key[ROW_KEY];
};

/* Those that are over first, then by age. */
static int
by_age(const void *x, const void *y)
{
	const struct aged *a = x, *b = y;

	if (a->over != b->over)
		return a->over ? -1 : 1;
	if (a->set_ms != b->set_ms)
		return a->set_ms < b->set_ms ? -1 : 1;
	return memcmp(a->key, b->key, sizeof(a->key));
}

static enum status
load_all(struct apply *ap, struct aged **out, size_t *n)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	int64_t expires_ms;
	size_t room = 0;
	struct key k;
	enum status st;

	*out = NULL;
	*n = 0;
	key_1(&k, ap->a->id);
	TRY(engine_cursor_open(ap->s->e, ap->s->txn, TAB_SIEVEKEY, key_span(&k), &c));
	while ((st = st_next(ap->s, TAB_SIEVEKEY, c, &key, &payload)) == ST_OK) {
		struct aged *a;

		if (*n == room) {
			room = room == 0 ? 64 : 2 * room;
			*out = mem_realloc_array(*out, room, sizeof(**out));
		}
		a = &(*out)[*n];
		if (key.len != ROW_KEY || !row_get(payload, &a->set_ms, &expires_ms)) {
			st = st_damaged(ap->s, TAB_SIEVEKEY, key);
			break;
		}
		a->over = expires_ms <= ap->op->head.time_ms;
		memcpy(a->key, key.p, ROW_KEY);
		++*n;
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status
drop(struct apply *ap, const struct aged *a)
{
	ap->a->rec.sieve_keys--;
	ap->a->dirty = true;
	return st_del_row(ap->s, TAB_SIEVEKEY, span(a->key, sizeof(a->key)));
}

/* More than there may be: some go, so that the next ones need not look. */
static enum status
make_room(struct apply *ap, uint64_t max)
{
	uint64_t over = ap->a->rec.sieve_keys - max + max / 16;
	struct aged *all = NULL;
	size_t n = 0;
	enum status st = load_all(ap, &all, &n);

	if (st == ST_OK && n > 0)
		qsort(all, n, sizeof(*all), by_age);
	if (over > OP_ROWS)
		over = OP_ROWS;
	for (size_t i = 0; st == ST_OK && i < n && i < over; i++)
		st = drop(ap, &all[i]);
	mem_free(&all);
	return st;
}

enum status
sieve_keys_remember(struct apply *ap, struct span keys, uint64_t max)
{
	int64_t now = ap->op->head.time_ms;
	struct store_deliver_key x;
	struct reader r;
	bool known, there;
	struct key k;

	reader_init(&r, keys.p, keys.len);
	while (get_store_deliver_key(&r, &x)) {
		struct buf *b;

		if (x.remember_s == 0)
			continue;
		row_key(&k, ap->a->id, x.kind, x.key);
		TRY(look(ap->s, ap->s->txn, &k, now, &ap->s->value, &known, &there));
		if (!there) {
			ap->a->rec.sieve_keys++;
			ap->a->dirty = true;
		}
		b = st_put_start(ap->s);
		put_u64(b, (uint64_t)now);
		put_u64(b, (uint64_t)now + x.remember_s * 1000);
		TRY(st_put(ap->s, TAB_SIEVEKEY, &k));
	}
	return max != 0 && ap->a->rec.sieve_keys > max ? make_room(ap, max) : ST_OK;
}

enum status
apply_sieve_keys_purge(struct apply *ap)
{
	uint32_t rows = ap->op->u.sieve_keys_purge.rows, done = 0;
	struct aged *all = NULL;
	size_t n = 0;
	enum status st = load_all(ap, &all, &n);

	if (rows == 0 || rows > OP_ROWS)
		rows = OP_ROWS;
	for (size_t i = 0; st == ST_OK && i < n; i++) {
		if (!all[i].over)
			continue;
		if (done++ == rows) {
			ap->r->more = true;
			break;
		}
		st = drop(ap, &all[i]);
	}
	mem_free(&all);
	return st;
}

/* ---- reading ---- */

enum status
state_sieve_keys(struct state *s, uint64_t account, struct span keys, int64_t now_ms,
    struct buf *out)
{
	struct buf value = { 0 };
	struct store_sieve_key x;
	struct rec_account a;
	struct reader r;
	bool known, there;
	struct key k;
	enum status st = st_read_account(s, NULL, account, &a);

	if (st == ST_OK && (a.deleted_ms != 0 || a.purged))
		st = ST_NOT_FOUND;
	reader_init(&r, keys.p, keys.len);
	while (st == ST_OK && get_store_sieve_key(&r, &x)) {
		row_key(&k, account, x.kind, x.key);
		st = look(s, NULL, &k, now_ms, &value, &known, &there);
		put_u8(out, known);
	}
	if (st == ST_OK && !reader_done(&r))
		st = ST_SYNTAX;
	buf_fini(&value);
	return st;
}

enum status
state_sieve_keys_expired(struct state *s, uint64_t account, int64_t now_ms, bool *yes)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	int64_t set_ms, expires_ms;
	struct key k;
	enum status st;

	*yes = false;
	key_1(&k, account);
	TRY(engine_cursor_open(s->e, NULL, TAB_SIEVEKEY, key_span(&k), &c));
	while (!*yes && (st = st_next(s, TAB_SIEVEKEY, c, &key, &payload)) == ST_OK) {
		if (!row_get(payload, &set_ms, &expires_ms)) {
			st = st_damaged(s, TAB_SIEVEKEY, key);
			break;
		}
		*yes = expires_ms <= now_ms;
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}
