/* The table of what changed, and the walk that renews old records.  A walk reads the rows
 * of the tables concerned in the order of their keys; what has the newest version is left
 * alone.  Where it stands is written in the transaction that renewed the rows before. */
#include "storage/state/upgrade.h"

#include "common/util/mem.h"
#include "storage/state/state_priv.h"

#define RENEW_MAX	1000u	/* records of one transaction */

/* Puts the payload's newest form; false: damaged. */
typedef bool (*renew_fn)(struct span payload, struct buf *out);

static bool
renew_message(struct span payload, struct buf *out)
{
	struct rec_message m;

	if (!rec_message_get(payload, &m))
		return false;
	rec_message_put(out, &m);
	return true;
}

static bool
renew_mailbox(struct span payload, struct buf *out)
{
	struct rec_mailbox m;

	if (!rec_mailbox_get(payload, &m))
		return false;
	rec_mailbox_put(out, &m);
	return true;
}

static bool
renew_change(struct span payload, struct buf *out)
{
	struct rec_change c;

	if (!rec_change_get(payload, &c))
		return false;
	rec_change_put(out, &c);
	return true;
}

static bool
renew_mchange(struct span payload, struct buf *out)
{
	struct rec_mchange c;

	if (!rec_mchange_get(payload, &c))
		return false;
	rec_mchange_put(out, &c);
	return true;
}

/* In the order of the schemas.  For ever: a database of any of them can come. */
static const struct schema_change {
	uint16_t	schema;		/* the first with this form */
	enum tab	table;
	renew_fn	renew;
} schema_changes[] = {
	{ 2, TAB_MESSAGE, renew_message },	/* smaller: ids and times as differences */
	{ 2, TAB_MAILBOX, renew_mailbox },	/* sort order */
	{ 2, TAB_CHANGE, renew_change },	/* whether the Email was there */
	{ 2, TAB_MCHANGE, renew_mchange },	/* sort order */
};

/* ---- the record ---- */

static const char meta_schema[] = "schema";

static void
at(struct state *s, struct span table, struct span key)
{
	struct upgrade *u = &s->upgrade;

	buf_clear(&u->table);
	buf_add_span(&u->table, table);
	buf_clear(&u->key);
	buf_add_span(&u->key, key);
	u->rec.table = buf_span(&u->table);
	u->rec.key = buf_span(&u->key);
}

static bool
concerned(const struct state *s, const struct schema_change *c)
{
	return c->schema > s->upgrade.rec.complete;
}

/* The change whose table is being walked; *key: the rows up to it are done. */
static const struct schema_change *
current(const struct state *s, struct span *key)
{
	const struct upgrade *u = &s->upgrade;

	*key = SPAN_NONE;
	for (size_t i = 0; i < ARRAY_LEN(schema_changes) && u->rec.table.len > 0; i++)
		if (concerned(s, &schema_changes[i]) &&
		    span_eq_str(u->rec.table, state_tables[schema_changes[i].table])) {
			*key = u->rec.key;
			return &schema_changes[i];
		}
	for (size_t i = 0; i < ARRAY_LEN(schema_changes); i++)
		if (concerned(s, &schema_changes[i]))
			return &schema_changes[i];
	return NULL;
}

static void
complete(struct state *s)
{
	s->upgrade.rec.complete = s->upgrade.rec.written;
	at(s, SPAN_NONE, SPAN_NONE);
}

enum status
upgrade_load(struct state *s, bool fresh)
{
	struct rec_schema *r = &s->upgrade.rec;
	struct span payload;
	struct key k;
	enum status st = ST_NOT_FOUND;

	*r = (struct rec_schema){ .written = SCHEMA_VERSION, .complete = SCHEMA_VERSION };
	s->upgrade.dirty = true;
	key_text(&k, SPAN_LIT(meta_schema));
	if (!fresh)
		st = st_get(s, NULL, TAB_META, &k, &s->value, &payload);
	if (st == ST_NOT_FOUND) {
		r->complete = fresh ? SCHEMA_VERSION : 1;
		return ST_OK;
	}
	TRY(st);
	if (!rec_schema_get(payload, r))
		return st_damaged(s, TAB_META, key_span(&k));
	if (r->written > SCHEMA_VERSION)
		return ST_UNSUPPORTED;
	s->upgrade.dirty = r->written < SCHEMA_VERSION;
	at(s, r->table, r->key);
	/* A walk that an older program did not end is begun again: it went for less. */
	if (s->upgrade.dirty) {
		r->written = SCHEMA_VERSION;
		at(s, SPAN_NONE, SPAN_NONE);
	}
	return ST_OK;
}

enum status
upgrade_write(struct state *s)
{
	struct key k;

	key_text(&k, SPAN_LIT(meta_schema));
	rec_schema_put(st_put_start(s), &s->upgrade.rec);
	return st_put(s, TAB_META, &k);
}

void
upgrade_fini(struct state *s)
{
	buf_fini(&s->upgrade.table);
	buf_fini(&s->upgrade.key);
}

void
state_schema(const struct state *s, struct state_schema *out)
{
	out->written = s->upgrade.rec.written;
	out->complete = s->upgrade.rec.complete;
	out->renewed = s->upgrade.renewed;
}

/* ---- the walk ---- */

/* What one piece found, read outside of a transaction: a reader within one would fetch
 * anew behind each change. */
struct piece {
	struct buf	rows;		/* put_span() of the key, of the new record */
	struct buf	last;		/* key read last */
	unsigned	n;
	bool		end;		/* of the table */
};

static void
renew(struct state *s, const struct schema_change *c, struct span key, struct span value,
    struct piece *p)
{
	struct span payload;

	if (!rec_open(c->table, key, value, &payload)) {
		st_damaged(s, c->table, key);
		return;
	}
	if (rec_version(payload) == rec_versions[c->table])
		return;
	rec_start(&s->out);
	if (!c->renew(payload, &s->out)) {
		st_damaged(s, c->table, key);
		return;
	}
	rec_end(&s->out, c->table, key);
	put_span(&p->rows, key);
	put_span(&p->rows, buf_span(&s->out));
	p->n++;
}

static enum status
read_piece(struct state *s, const struct schema_change *c, struct span from, size_t bytes,
    struct piece *p)
{
	struct engine_cursor *cur;
	struct span key, value;
	size_t seen = 0;
	enum status st;

	TRY(engine_cursor_open(s->e, NULL, (unsigned)c->table, SPAN_NONE, &cur));
	engine_cursor_seek(cur, from);
	do {
		st = engine_cursor_next(cur, &key, &value);
		if (st != ST_OK)
			break;
		if (span_eq(key, from))
			continue;
		renew(s, c, key, value, p);
		buf_clear(&p->last);
		buf_add_span(&p->last, key);
		seen += key.len + value.len;
	} while (seen < bytes && p->n < RENEW_MAX);
	engine_cursor_close(&cur);
	p->end = st == ST_NOT_FOUND;
	return p->end ? ST_OK : st;
}

static enum status
write_piece(struct state *s, const struct schema_change *c, const struct piece *p)
{
	struct reader r;

	reader_init(&r, p->rows.data, p->rows.len);
	for (unsigned i = 0; i < p->n; i++) {
		struct span key = get_span(&r), value = get_span(&r);

		TRY(engine_put(s->txn, (unsigned)c->table, key, value));
	}
	return upgrade_write(s);
}

/* Where the next piece begins.  c NULL: new tables are all that this schema brought. */
static void
advance(struct state *s, const struct schema_change *c, const struct piece *p)
{
	if (c != NULL && !p->end) {
		at(s, span_str(state_tables[c->table]), buf_span(&p->last));
		return;
	}
	while (c != NULL && ++c < schema_changes + ARRAY_LEN(schema_changes))
		if (concerned(s, c)) {
			at(s, span_str(state_tables[c->table]), SPAN_NONE);
			return;
		}
	complete(s);
}

static enum status
commit_piece(struct state *s, const struct schema_change *c, const struct piece *p)
{
	uint16_t complete_before = s->upgrade.rec.complete;
	enum status st = engine_begin(s->e, &s->txn);

	if (st != ST_OK)
		return st;
	advance(s, c, p);
	st = write_piece(s, c, p);
	if (st == ST_OK)
		st = engine_commit(&s->txn);
	else
		engine_abort(&s->txn);
	/* What was not written is not done: from the start again. */
	if (st != ST_OK) {
		s->upgrade.rec.complete = complete_before;
		at(s, SPAN_NONE, SPAN_NONE);
	}
	return st;
}

enum status
state_upgrade(struct state *s, size_t bytes, bool *more)
{
	const struct upgrade *u = &s->upgrade;
	const struct schema_change *c;
	struct piece p = { .n = 0 };
	struct span from;
	enum status st;

	*more = false;
	if (u->rec.complete == u->rec.written)
		return ST_OK;
	c = current(s, &from);
	st = c != NULL ? read_piece(s, c, from, bytes, &p) : ST_OK;
	if (st == ST_OK)
		st = commit_piece(s, c, &p);
	if (st == ST_OK) {
		s->upgrade.dirty = false;
		s->upgrade.renewed += p.n;
		*more = u->rec.complete < u->rec.written;
	}
	buf_fini(&p.rows);
	buf_fini(&p.last);
	return st;
}
