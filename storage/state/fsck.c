/* The walk: tables of an account one after the other, row by row, then what belongs to no
 * account.  A unit is one row; a piece is as many as its time allows. */
#include "storage/state/fsck_judges.h"

#include "common/util/clock.h"
#include "common/util/mem.h"

#define BULK		(16u << 10)	/* what a piece fetches ahead is mostly what it looks at */
#define CLOCK_UNITS	8u
#define WAITS_MAX	500u

enum unit { UNIT_NEXT, UNIT_WAIT, UNIT_HOLD, UNIT_MEND, UNIT_END };

/* ---- what was found ---- */

/* Tells what was found of the row; true: it was asked to be mended as well. */
static void
tell(struct state_fsck *f)
{
	struct reader r;

	reader_init(&r, f->findings.data, f->findings.len);
	while (reader_left(&r) > 0) {
		struct fsck_finding x = { .account = f->account };
		struct buf text = { 0 }, table = { 0 };

		x.cure = (enum fsck_cure)get_u8(&r);
		buf_add_span(&table, get_span(&r));
		x.key = get_span(&r);
		buf_add_span(&text, get_span(&r));
		x.table = buf_cstr(&table);
		x.text = buf_cstr(&text);
		x.mended = f->o.repair && f->n_rows > 0 && x.cure <= CURE_QUARANTINE;
		f->o.found(f->o.arg, &x);
		buf_fini(&text);
		buf_fini(&table);
	}
	buf_clear(&f->findings);
}

/* Of a row that was judged.  UNIT_HOLD: nothing was told, it is judged again. */
static enum unit
settle(struct state_fsck *f)
{
	if (f->o.repair && f->n_rows > 0 && !f->quiet) {
		buf_clear(&f->findings);
		buf_clear(&f->rows);
		f->n_rows = 0;
		return UNIT_HOLD;
	}
	tell(f);
	if (f->o.repair && f->n_rows > 0)
		return UNIT_MEND;
	buf_clear(&f->rows);
	f->n_rows = 0;
	return UNIT_NEXT;
}

/* ---- what changes behind the walk ---- */

static int
table_step(enum tab t)
{
	for (size_t i = 0; i < fsck_n_account_tables; i++)
		if (fsck_account_tables[i].t == t)
			return (int)i;
	return -1;
}

static bool
behind(const struct state_fsck *f, unsigned step, struct span key)
{
	if (f->at > AT_ROWS)
		return true;
	if (f->at < AT_ROWS || step > f->step)
		return false;
	return step < f->step || (f->begun && span_cmp(key, buf_span(&f->last)) <= 0);
}

/* While something is named: who refers is walked anew, then who counts them. */
static const enum tab names_keys[] = { TAB_MESSAGE, TAB_THREADKEY };
static const enum tab names_extents[] = { TAB_MESSAGE, TAB_BLOB, TAB_QUEUE, TAB_EXTENT };

/* Do its rows refer to bodies? */
static bool
names_extent(enum tab t)
{
	return t == TAB_MESSAGE || t == TAB_BLOB || t == TAB_QUEUE;
}

static bool
behind_naming(const struct state_fsck *f, enum tab t, struct span key)
{
	const enum tab *tables = f->at == AT_KEYS ? names_keys : names_extents;
	unsigned step = 0;

	while (tables[step] != t)
		step++;

	if (f->step != step)
		return f->step > step;
	return f->begun && span_cmp(key, buf_span(&f->last)) <= 0;
}

static void
sum_change(struct state_fsck *f, enum tab t, struct span key, struct span payload, int sign)
{
	int step = table_step(t);
	uint64_t account = step >= 0 ? get_be64(key.p) : 0;
	bool seen = step >= 0 && account == f->account && behind(f, (unsigned)step, key);

	if (f->at == AT_KEYS && (t == TAB_MESSAGE || t == TAB_THREADKEY))
		seen = account == f->account && behind_naming(f, t, key);
	if (f->at >= AT_ROWS && f->at < AT_SHARD && seen && !f->plain)
		fsck_sum(f, t, key, payload, sign);
	if (f->at == AT_EXTENTS && (names_extent(t) || t == TAB_EXTENT))
		seen = behind_naming(f, t, key);
	else if (names_extent(t))
		seen = f->at >= AT_SHARD || account < f->account ||
		    (account == f->account && behind(f, (unsigned)step, key));
	else if (t == TAB_EXTENT)	/* the first of the shard's tables */
		seen = f->at == AT_SHARD && (f->step > 0 ||
		    (f->begun && span_cmp(key, buf_span(&f->last)) <= 0));
	if (seen)
		fsck_sum_shard(f, t, key, payload, sign);
}

void
fsck_row(struct state_fsck *f, enum tab t, struct span key, struct span value)
{
	struct span payload;
	struct buf was = { 0 };

	if (f->tree != NULL && key.len >= 8 && get_be64(key.p) == f->account)
		fsck_tree_row(f->tree, t, key);
	if (f->o.check && engine_get(f->s->e, f->s->txn, (unsigned)t, key, &was) == ST_OK &&
	    rec_open(t, key, buf_span(&was), &payload))
		sum_change(f, t, key, payload, -1);
	if (f->o.check && value.len > 0 && rec_open(t, key, value, &payload))
		sum_change(f, t, key, payload, 1);
	buf_fini(&was);
}

void
fsck_undone(struct state_fsck *f)
{
	f->undone = true;
}

/* ---- rows ---- */

static void
forget_piece(struct state_fsck *f)
{
	engine_cursor_close(&f->c);
	f->box.id = 0;
	f->hist_modseq = 0;
}

static void
next_step(struct state_fsck *f)
{
	engine_cursor_close(&f->c);
	buf_clear(&f->last);
	f->begun = false;
	f->step++;
	f->prev_modseq = f->told_missing = 0;
}

static void
go_to(struct state_fsck *f, int at)
{
	next_step(f);
	f->at = at;
	f->step = 0;
}

/* The next row of the table below the prefix; ST_NOT_FOUND. */
static enum status
next_row(struct state_fsck *f, enum tab t, struct span prefix, struct span *key,
    struct span *value)
{
	enum status st;

	if (f->c == NULL) {
		TRY(engine_cursor_open(f->s->e, NULL, (unsigned)t, prefix, &f->c));
		engine_cursor_bulk(f->c, BULK);
		if (f->begun)
			engine_cursor_seek(f->c, buf_span(&f->last));
	}
	st = engine_cursor_next(f->c, key, value);
	if (st == ST_OK && f->begun && span_eq(*key, buf_span(&f->last)))
		st = engine_cursor_next(f->c, key, value);
	return st;
}

static void
bad_row(struct state_fsck *f, const struct fsck_table *t, struct span key)
{
	static const char why[] = "cannot be read: its CRC or its form is wrong";

	if (t->bad == CURE_REBUILD) {
		f->lost = true;
		if (key.len >= 16 && (t->t == TAB_MINDEX || t->t == TAB_MAILBOX))
			fsck_lose_box(f, get_be64(key.p + 8));
	}
	fsck_found(f, t->t, key, t->bad, "%s", why);
	if (t->bad == CURE_ROWS || t->bad == CURE_QUARANTINE)
		fsck_del(f, t->t, key, t->bad == CURE_QUARANTINE, why);
}

/* Judges a row, and says where the walk stands then. */
static enum unit
judge(struct state_fsck *f, const struct fsck_table *t, struct span key, struct span value)
{
	struct span payload = SPAN_NONE;
	bool good = rec_open(t->t, key, value, &payload);
	struct key at;
	enum unit u;

	f->no_room = false;
	if (!good)
		bad_row(f, t, key);
	else if (!f->plain || f->at != AT_ROWS)
		t->row(f, t->t, key, payload);
	if (f->no_room) {
		buf_clear(&f->findings);
		buf_clear(&f->rows);
		f->n_rows = 0;
		engine_cursor_close(&f->c);
		return UNIT_WAIT;
	}
	u = settle(f);
	if (u == UNIT_HOLD) {
		engine_cursor_close(&f->c);
		return u;
	}
	if (good && f->at == AT_ROWS && !f->plain)
		fsck_sum(f, t->t, key, payload, 1);
	if (good && (names_extent(t->t) || t->t == TAB_EXTENT))
		fsck_sum_shard(f, t->t, key, payload, 1);
	if (t->t == TAB_MESSAGE || t->t == TAB_MINDEX)
		f->done++;
	key_text(&at, key);
	buf_clear(&f->last);
	buf_add_span(&f->last, key_span(&at));
	f->begun = true;
	return u;
}

static enum unit
row_unit(struct state_fsck *f, const struct fsck_table *t, struct span prefix)
{
	struct span key, value;
	enum status st = next_row(f, t->t, prefix, &key, &value);

	if (st == ST_NOT_FOUND) {
		next_step(f);
		return UNIT_NEXT;
	}
	if (st != ST_OK) {
		f->st = st;
		return UNIT_END;
	}
	return judge(f, t, key, value);
}

/* ---- an account ---- */

static void
load_account(struct state_fsck *f)
{
	struct span payload;
	struct key k;

	key_1(&k, f->account);
	f->acct_seen = fsck_look(f, TAB_ACCOUNT, &k, &f->v1, &payload);
	if (f->acct_seen == ROW_GOOD && !rec_account_get(payload, &f->acct))
		f->acct_seen = ROW_BAD;
	if (f->acct_seen != ROW_GOOD)
		f->acct = (struct rec_account){ .modseq = 0 };
	f->plain |= f->acct_seen != ROW_GOOD || f->acct.deleted_ms != 0 || f->acct.purged;
}

static void
begin_account(struct state_fsck *f, uint64_t id)
{
	f->account = id;
	go_to(f, AT_ROWS);
	f->lost = f->undone = f->plain = false;
	f->waits = 0;
	fsck_sums_clear(f);
	load_account(f);
	if (!f->o.check)
		go_to(f, AT_ROOT);
}

/* The next account, or the end of them. */
static enum unit
account_unit(struct state_fsck *f)
{
	struct span key, value, payload;
	struct rec_account a;
	struct engine_cursor *c = NULL;
	struct key k;
	bool all = f->o.account == 0;
	enum status st = ST_NOT_FOUND;

	if (!all && f->account != 0) {
		go_to(f, AT_END);
		return UNIT_NEXT;
	}
	key_1(&k, all ? f->account + 1 : f->o.account);
	st = engine_cursor_open(f->s->e, NULL, TAB_ACCOUNT, all ? SPAN_NONE : key_span(&k), &c);
	if (st == ST_OK) {
		engine_cursor_bulk(c, 4096);
		engine_cursor_seek(c, key_span(&k));
		st = engine_cursor_next(c, &key, &value);
	}
	if (st == ST_OK && !(rec_open(TAB_ACCOUNT, key, value, &payload) &&
	    rec_account_get(payload, &a))) {
		f->account = get_be64(key.p);
		fsck_found(f, TAB_ACCOUNT, key, CURE_REBUILD,
		    "cannot be read: its CRC or its form is wrong");
		settle(f);
	}
	if (st == ST_OK)
		begin_account(f, get_be64(key.p));
	engine_cursor_close(&c);
	if (st == ST_NOT_FOUND && !all)
		f->st = st;
	else if (st == ST_NOT_FOUND)
		go_to(f, f->o.check ? AT_SHARD : AT_END);
	else if (st != ST_OK)
		f->st = st;
	return f->st != ST_OK ? UNIT_END : UNIT_NEXT;
}

static void
end_account(struct state_fsck *f)
{
	fsck_tree_free(&f->tree);
	go_to(f, f->o.roots && f->acct_seen == ROW_GOOD && !f->acct.purged &&
	    f->at != AT_ROOT ? AT_ROOT : AT_ACCOUNT);
}

/* Behind the rows: the mailboxes' counters, then the account's. */
static enum unit
compare_unit(struct state_fsck *f, struct span prefix)
{
	struct span key, value, payload;
	enum unit u;
	enum status st;

	if (f->acct.stage && f->waits == 0 &&
	    engine_get(f->s->e, NULL, TAB_STAGE, prefix, NULL) == ST_NOT_FOUND) {
		f->lost = true;
		fsck_found(f, TAB_STAGE, prefix, CURE_REBUILD,
		    "is missing: nothing tells what is under way");
		settle(f);
	}
	if (f->acct.stage && f->waits < WAITS_MAX) {
		f->waits++;
		return UNIT_WAIT;
	}
	if (f->acct.stage)	/* it never rests: told by nobody, judged the next time */
		return f->step = fsck_n_account_tables + 2, UNIT_NEXT;
	if (f->step > fsck_n_account_tables) {
		fsck_compare_account(f);
		u = settle(f);
		if (u != UNIT_HOLD)
			next_step(f);
		return u;
	}
	st = next_row(f, TAB_MAILBOX, prefix, &key, &value);
	if (st == ST_NOT_FOUND) {
		next_step(f);
		return UNIT_NEXT;
	}
	if (st != ST_OK) {
		f->st = st;
		return UNIT_END;
	}
	if (rec_open(TAB_MAILBOX, key, value, &payload))
		fsck_compare_mailbox(f, key, payload);
	u = settle(f);
	if (u == UNIT_HOLD) {
		engine_cursor_close(&f->c);
		return u;
	}
	buf_clear(&f->last);
	buf_add_span(&f->last, key);
	f->begun = true;
	return u;
}

/* A table of references whose sum does not come out: who refers is counted again, exactly, in
 * the buckets concerned. */
static enum unit
naming_unit(struct state_fsck *f, const enum tab *tables, unsigned n, struct span prefix,
    bool (*name)(struct state_fsck *))
{
	struct span key, value, payload;
	enum status st;
	enum unit u;
	enum tab t;

	if (f->step >= n) {
		if (!name(f))
			return UNIT_END;
		u = settle(f);
		f->named->told = u != UNIT_HOLD;
		return u;
	}
	t = tables[f->step];
	st = next_row(f, t, prefix, &key, &value);
	if (st == ST_NOT_FOUND) {
		next_step(f);
		return UNIT_NEXT;
	}
	if (st != ST_OK) {
		f->st = st;
		return UNIT_END;
	}
	if (rec_open(t, key, value, &payload))
		f->at == AT_KEYS ? fsck_sum(f, t, key, payload, 1) :
		    fsck_sum_shard(f, t, key, payload, 1);
	buf_clear(&f->last);
	buf_add_span(&f->last, key);
	f->begun = true;
	return UNIT_NEXT;
}

static void
rows_done(struct state_fsck *f)
{
	if (!f->plain && !f->lost && fsck_keys_differ(f))
		go_to(f, AT_KEYS);
	else
		end_account(f);
}

static enum unit
rows_unit(struct state_fsck *f)
{
	struct key k;

	key_1(&k, f->account);
	if (f->undone) {	/* a transaction was taken back: what it changed in the sums was not */
		begin_account(f, f->account);
		return UNIT_NEXT;
	}
	if (f->step < fsck_n_account_tables)
		return row_unit(f, &fsck_account_tables[f->step], key_span(&k));
	if (!f->plain && f->step < fsck_n_account_tables + 2)
		return compare_unit(f, key_span(&k));
	rows_done(f);
	return UNIT_NEXT;
}

static enum unit
keys_unit(struct state_fsck *f)
{
	struct key k;
	enum unit u;

	key_1(&k, f->account);
	u = naming_unit(f, names_keys, ARRAY_LEN(names_keys), key_span(&k), fsck_name_key);
	if (u == UNIT_END && f->st == ST_OK) {
		end_account(f);
		return UNIT_NEXT;
	}
	return u;
}

static enum unit
root_unit(struct state_fsck *f)
{
	bool done = false;
	enum status st = f->acct_seen == ROW_GOOD && !f->acct.purged ?
	    fsck_tree_step(f, &done) : ST_NOT_FOUND;

	if (engine_failed(f->s->e)) {
		f->st = ST_CORRUPT;
		return UNIT_END;
	}
	if (st != ST_OK && st != ST_NOT_FOUND)
		f->o.root(f->o.arg, f->account, NULL);
	if (done || st != ST_OK) {
		fsck_tree_free(&f->tree);
		f->at = AT_ROOT;
		end_account(f);
	}
	return UNIT_NEXT;
}

/* ---- what belongs to no account ---- */

/* Do the rows of a table belong to accounts that are there?  One account is a unit. */
static enum unit
owners_unit(struct state_fsck *f, enum tab t)
{
	struct engine_cursor *c = NULL;
	uint64_t after = f->begun ? get_be64(f->last.data) : 0;
	struct span key;
	struct key k;
	enum status st = after == UINT64_MAX ? ST_NOT_FOUND :
	    engine_cursor_open(f->s->e, NULL, (unsigned)t, SPAN_NONE, &c);

	if (st == ST_OK) {
		engine_cursor_bulk(c, 4096);
		key_1(&k, after + 1);
		engine_cursor_seek(c, key_span(&k));
		st = engine_cursor_next(c, &key, NULL);
	}
	if (st == ST_OK) {
		buf_clear(&f->last);
		buf_add_span(&f->last, span_sub(key, 0, 8));
		f->begun = true;
		if (engine_get(f->s->e, NULL, TAB_ACCOUNT, buf_span(&f->last), NULL) ==
		    ST_NOT_FOUND) {
			f->lost = true;
			fsck_found(f, TAB_ACCOUNT, buf_span(&f->last), CURE_REBUILD,
			    "is missing: table %s has rows of it", state_tables[t]);
		}
	}
	engine_cursor_close(&c);
	if (st != ST_OK && st != ST_NOT_FOUND) {
		f->st = st;
		return UNIT_END;
	}
	if (st == ST_NOT_FOUND)
		next_step(f);
	return settle(f);
}

static enum unit
shard_unit(struct state_fsck *f)
{
	unsigned owners = (unsigned)fsck_n_shard_tables + 1;
	enum unit u;

	f->account = 0;
	f->plain = false;
	if (f->step < fsck_n_shard_tables)
		return row_unit(f, &fsck_shard_tables[f->step], SPAN_NONE);
	if (f->step < owners) {
		fsck_meta_rows(f);
		u = settle(f);
		if (u != UNIT_HOLD)
			next_step(f);
		return u;
	}
	if (f->step < owners + fsck_n_account_tables)
		return owners_unit(f, fsck_account_tables[f->step - owners].t);
	go_to(f, fsck_extents_differ(f) && !f->lost ? AT_EXTENTS : AT_END);
	return UNIT_NEXT;
}

static enum unit
extents_unit(struct state_fsck *f)
{
	enum unit u = naming_unit(f, names_extents, ARRAY_LEN(names_extents), SPAN_NONE,
	    fsck_name_extent);

	if (u == UNIT_END && f->st == ST_OK) {
		go_to(f, AT_END);
		return UNIT_NEXT;
	}
	return u;
}

/* ---- pieces ---- */

/* How much there is to do, for who watches. */
static enum unit
count_unit(struct state_fsck *f)
{
	struct state_account a = { 0 };
	enum status st = f->o.account != 0 ? state_account(f->s, f->o.account, &a) :
	    state_account_next(f->s, f->account, &a);

	if (st == ST_OK)
		f->total += a.messages * 2;
	f->account = a.id;
	if (st == ST_OK && f->o.account == 0)
		return UNIT_NEXT;
	f->account = 0;
	go_to(f, AT_ACCOUNT);
	return UNIT_NEXT;
}

static enum unit
unit(struct state_fsck *f)
{
	switch (f->at) {
	case AT_COUNT: return count_unit(f);
	case AT_ACCOUNT: return account_unit(f);
	case AT_ROWS: return rows_unit(f);
	case AT_KEYS: return keys_unit(f);
	case AT_ROOT: return root_unit(f);
	case AT_SHARD: return shard_unit(f);
	case AT_EXTENTS: return extents_unit(f);
	case AT_END: break;
	}
	return UNIT_END;
}

enum fsck_step
state_fsck_step(struct state_fsck *f, uint64_t budget_us, bool quiet)
{
	uint64_t until = clock_mono_us() + budget_us;
	enum unit u = UNIT_NEXT;

	f->quiet = quiet;
	buf_clear(&f->rows);
	f->n_rows = 0;
	if (f->at == AT_ROWS || f->at == AT_KEYS)
		load_account(f);
	for (unsigned n = 1; u == UNIT_NEXT; n++) {
		if (budget_us > 0 && n % CLOCK_UNITS == 0 && clock_mono_us() >= until)
			break;
		u = unit(f);
	}
	forget_piece(f);
	if (f->st != ST_OK)
		return FSCK_FAILED;
	switch (u) {
	case UNIT_NEXT: return FSCK_MORE;
	case UNIT_WAIT: return FSCK_WAIT;
	case UNIT_HOLD: return FSCK_HOLD;
	case UNIT_MEND: return FSCK_MEND;
	case UNIT_END: break;
	}
	return FSCK_DONE;
}

struct state_fsck *
state_fsck_new(struct state *s, const struct fsck_opts *o)
{
	struct state_fsck *f;

	if (s->fsck != NULL)
		return NULL;
	f = mem_zalloc(sizeof(*f));
	f->s = s;
	f->o = *o;
	s->fsck = f;
	return f;
}

void
state_fsck_free(struct state_fsck **fp)
{
	struct state_fsck *f = *fp;

	if (f == NULL)
		return;
	f->s->fsck = NULL;
	forget_piece(f);
	fsck_tree_free(&f->tree);
	fsck_sums_clear(f);
	buf_fini(&f->last);
	buf_fini(&f->box.value);
	buf_fini(&f->hist_value);
	buf_fini(&f->block_value);
	buf_fini(&f->v1);
	buf_fini(&f->v2);
	buf_fini(&f->v3);
	buf_fini(&f->findings);
	buf_fini(&f->rows);
	mem_free(fp);
}

enum status
state_fsck_status(const struct state_fsck *f)
{
	return f->st;
}

struct span
state_fsck_mend(const struct state_fsck *f)
{
	return buf_span(&f->rows);
}

void
state_fsck_progress(const struct state_fsck *f, uint64_t *done, uint64_t *total)
{
	*done = f->done < f->total ? f->done : f->total;
	*total = f->total;
}
