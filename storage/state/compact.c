#include "storage/state/compact.h"

#include <string.h>

#include "common/util/clock.h"
#include "storage/state/state_priv.h"

#define CHANGES_LEAST	256u	/* fewer gaps than that are left as they are */
#define CHANGES_SHARE	16u	/* or less than that part of what is there */
#define REST		UINT64_MAX

static const char meta_walk[] = "compact", meta_mark[] = "compacted";

/* Tables whose keys begin with an account, and those that do not. */
static bool
of_accounts(enum tab t)
{
	switch (t) {
	case TAB_META: case TAB_ACCOUNT: case TAB_EXTENT: case TAB_ONCE: case TAB_DIR:
	case TAB_ACLBY: case TAB_QUEUEDUE:
		return false;
	default:
		return t < TAB_COUNT;
	}
}

/* A row that is damaged is written anew, like one that is not there. */
static enum status
none(struct state *s, enum status st)
{
	return st == ST_NOT_FOUND || (st == ST_CORRUPT && !engine_failed(s->e)) ? ST_OK : st;
}

static void
mark_key(struct key *k, uint64_t account)
{
	key_text(k, SPAN_LIT(meta_mark));
	key_add64(k, account);
}

static enum status
mark_read(struct state *s, uint64_t account, struct state_compact_mark *m)
{
	struct buf value = { 0 };
	struct span p;
	struct reader r;
	struct key k;
	enum status st;

	*m = (struct state_compact_mark){ 0 };
	mark_key(&k, account);
	st = st_get(s, NULL, TAB_META, &k, &value, &p);
	if (st == ST_OK) {
		reader_init(&r, p.p, p.len);
		m->modseq = get_u64(&r);
		m->horizon = get_u64(&r);
		m->messages = get_u64(&r);
	}
	buf_fini(&value);
	return none(s, st);
}

/* One row in a transaction of its own. */
static enum status
put_row(struct state *s, const struct key *k)
{
	enum status st = engine_begin(s->e, &s->txn);

	if (st != ST_OK)
		return st;
	st = st_put(s, TAB_META, k);
	if (st == ST_OK)
		return engine_commit(&s->txn);
	engine_abort(&s->txn);
	return st;
}

static enum status
mark_write(struct state *s, uint64_t account, const struct state_compact_mark *m)
{
	struct buf *b = st_put_start(s);
	struct key k;

	put_u64(b, m->modseq);
	put_u64(b, m->horizon);
	put_u64(b, m->messages);
	mark_key(&k, account);
	return put_row(s, &k);
}

static uint64_t
difference(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

static bool
is_due(const struct state_compact_mark *now, const struct state_compact_mark *then)
{
	uint64_t changes = difference(now->modseq, then->modseq) +
	    difference(now->horizon, then->horizon) + difference(now->messages, then->messages);

	return changes >= CHANGES_LEAST && changes >= now->messages / CHANGES_SHARE;
}

/* What is not of an account grows with every operation; of ids there were as many as there may be
 * rows. */
static enum status
mark_now(struct state *s, uint64_t account, struct state_compact_mark *m)
{
	struct state_account a;

	*m = (struct state_compact_mark){ s->pos.lsn, 0, s->meta.next_id };
	if (account == REST)
		return ST_OK;
	TRY(state_account(s, account, &a));
	*m = (struct state_compact_mark){ a.modseq, a.horizon, a.messages };
	return ST_OK;
}

/* ST_NOT_FOUND: that was the last one. */
static enum status
next_account(struct state *s, struct state_compact *c)
{
	struct state_compact_mark then;
	struct state_account a;
	enum status st;

	if (c->account == REST)
		return ST_NOT_FOUND;
	st = state_account_next(s, c->account, &a);
	if (st != ST_OK && st != ST_NOT_FOUND)
		return st;
	c->account = st == ST_OK ? a.id : REST;
	TRY(mark_now(s, c->account, &c->mark));
	TRY(mark_read(s, c->account, &then));
	c->in_account = is_due(&c->mark, &then);
	c->accounts += c->in_account;
	c->table = 0;
	buf_clear(&c->at);
	return ST_OK;
}

static enum status
account_done(struct state *s, struct state_compact *c)
{
	c->in_account = false;
	return mark_write(s, c->account, &c->mark);
}

/* A piece of the account's next table. */
static enum status
piece(struct state *s, struct state_compact *c)
{
	bool rest = c->account == REST;
	struct span prefix = SPAN_NONE;
	enum status st;
	struct key k;

	while (c->table < TAB_COUNT && of_accounts((enum tab)c->table) == rest)
		c->table++;
	if (c->table == TAB_COUNT)
		return account_done(s, c);
	key_1(&k, c->account);
	if (!rest)
		prefix = key_span(&k);
	st = engine_compact(s->e, c->table, prefix, &c->at, &c->did);
	if (st != ST_NOT_FOUND)
		return st;
	c->table++;
	buf_clear(&c->at);
	return ST_OK;
}

enum status
state_compact(struct state *s, struct state_compact *c, uint64_t us, bool *more)
{
	uint64_t since = clock_mono_us();
	enum status st;

	*more = true;
	do {
		st = c->in_account ? piece(s, c) : next_account(s, c);
	} while (st == ST_OK && clock_mono_us() - since < us);
	*more = st == ST_OK || st == ST_UNAVAILABLE;
	return st == ST_NOT_FOUND || st == ST_UNAVAILABLE ? ST_OK : st;
}

void
state_compact_fini(struct state_compact *c)
{
	buf_fini(&c->at);
}

enum status
state_compact_load(struct state *s, int64_t *begun_s, struct state_compact *c)
{
	struct buf value = { 0 };
	struct span p;
	struct reader r;
	struct key k;
	enum status st;

	*begun_s = 0;
	*c = (struct state_compact){ 0 };
	key_text(&k, SPAN_LIT(meta_walk));
	st = st_get(s, NULL, TAB_META, &k, &value, &p);
	if (st == ST_OK) {
		reader_init(&r, p.p, p.len);
		*begun_s = (int64_t)get_u64(&r);
		c->account = get_u64(&r);
	}
	buf_fini(&value);
	return none(s, st);
}

/* The account at hand is gone through once more. */
enum status
state_compact_save(struct state *s, int64_t begun_s, const struct state_compact *c)
{
	struct buf *b = st_put_start(s);
	struct key k;

	put_u64(b, (uint64_t)begun_s);
	put_u64(b, c->in_account && c->account != 0 ? c->account - 1 : c->account);
	key_text(&k, SPAN_LIT(meta_walk));
	return put_row(s, &k);
}
