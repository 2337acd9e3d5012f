/* The columns of messages, read side by side: of each group that is asked for the packs of the
 * mailbox, one after the other, and the fresh rows of what is not packed yet (cold.h). */
#include "storage/state/read_priv.h"

#include <assert.h>
#include <string.h>

#include "common/util/mem.h"

#define BULK		(64u << 10)
#define BULK_SMALL	(16u << 10)
#define BULK_UIDS	100u		/* from so many messages on */

static unsigned
group_size(unsigned g)
{
	return (unsigned)(store_column_groups[g + 1] - store_column_groups[g]);
}

/* A group beside the others. */
struct group {
	struct engine_cursor	*c;		/* of its packs in the mailbox */
	unsigned		kind;
	unsigned		n;		/* columns in it */
	uint32_t		want;		/* of them, by bit */
	uint32_t		at;		/* block of the pack stood on */
	bool			stands, end;
	struct pack		pack;
	struct span		payload;	/* of the message looked at; empty: not found yet */
	struct cold		cold;		/* for what is not there */
};

/* The fresh rows, beside them all. */
struct fresh {
	struct engine_cursor	*c;
	uint32_t		at;		/* uid of the row stood on; 0: none yet */
	bool			end;
	struct span		payload;
};

struct state_columns {
	struct walk		walk;
	unsigned		fields;
	struct reader_view	*reader;	/* NULL: the owner */
	uint8_t			version;
	struct uidset		here;		/* without fields: the members that are there */
	uint32_t		last;		/* uid looked at last */
	struct fresh		fresh;
	struct group		groups[STORE_COLUMN_GROUPS];
	size_t			n_groups;
	uint32_t		pending;	/* uid that did not fit; 0: none */
	struct rec_index	pending_index;
	struct buf		scratch;
};

static enum status
open_fresh(struct state_columns *c, uint32_t from)
{
	struct walk *w = &c->walk;
	struct key k;

	key_2(&k, w->account, w->mailbox);
	TRY(engine_cursor_open(w->s->e, NULL, TAB_FRESH, key_span(&k), &c->fresh.c));
	key_uid(&k, w->account, w->mailbox, from);
	engine_cursor_seek(c->fresh.c, key_span(&k));
	return ST_OK;
}

static enum status
open_groups(struct state_columns *c, uint32_t want, uint32_t from)
{
	struct walk *w = &c->walk;
	size_t bulk = uidset_count(w->uids) >= BULK_UIDS ? BULK : BULK_SMALL;
	struct key k;

	for (unsigned i = 0; i < STORE_COLUMN_GROUPS; i++) {
		uint32_t mine = want >> store_column_groups[i] & ((1u << group_size(i)) - 1);
		struct group *g = &c->groups[c->n_groups];

		if (mine == 0)
			continue;
		*g = (struct group){ .kind = i, .n = group_size(i), .want = mine,
			.cold = { .s = w->s, .account = w->account, .kind = i } };
		key_2(&k, w->account, w->mailbox);
		key_add(&k, span(&(uint8_t){ (uint8_t)i }, 1));
		TRY(engine_cursor_open(w->s->e, NULL, TAB_PACK, key_span(&k), &g->c));
		c->n_groups++;
		engine_cursor_bulk(g->c, bulk);
		key_pack(&k, w->account, w->mailbox, (uint8_t)i, from / PACK_UIDS);
		engine_cursor_seek(g->c, key_span(&k));
	}
	return open_fresh(c, from);
}

enum status
state_columns_open(struct state *s, uint64_t account, uint64_t mailbox,
    const struct uidset *uids, uint32_t want, uint8_t version, unsigned fields,
    uint64_t reader, struct state_columns **out)
{
	struct state_columns *c = mem_zalloc(sizeof(*c));
	uint32_t from = uids->n > 0 ? uids->r[0].lo : 0;
	enum status st;

	c->walk = (struct walk){ .s = s, .account = account, .mailbox = mailbox, .uids = uids };
	c->fields = fields;
	c->version = version;
	if (reader != 0 && (fields & ROW_FLAGS)) {
		c->reader = mem_zalloc(sizeof(*c->reader));
		*c->reader = (struct reader_view){ .account = account, .mailbox = mailbox,
			.reader = reader };
	}
	if (fields != 0) {
		st = read_live_mailbox(s, account, mailbox, &c->walk.last);
		if (st == ST_OK)
			st = walk_open(&c->walk, from);
	} else {
		st = state_first_uids(s, account, mailbox, STATE_ALL, uids, UINT32_MAX, &c->here);
	}
	if (st == ST_OK)
		st = open_groups(c, want, from);
	if (st != ST_OK)
		state_columns_close(&c);
	*out = c;
	return st;
}

void
state_columns_close(struct state_columns **cp)
{
	struct state_columns *c = *cp;

	if (c == NULL)
		return;
	engine_cursor_close(&c->walk.c);
	engine_cursor_close(&c->fresh.c);
	for (size_t i = 0; i < c->n_groups; i++) {
		engine_cursor_close(&c->groups[i].c);
		pack_fini(&c->groups[i].pack);
		cold_fini(&c->groups[i].cold);
	}
	uidset_fini(&c->here);
	buf_fini(&c->scratch);
	mem_free(&c->reader);
	mem_free(cp);
}

/* The next message; x is filled when fields are asked for. */
static enum status
next_uid(struct state_columns *c, uint32_t *uid, struct rec_index *x)
{
	if (c->pending != 0) {
		*uid = c->pending;
		*x = c->pending_index;
		c->pending = 0;
		return ST_OK;
	}
	if (c->fields != 0)
		return walk_next(&c->walk, uid, x);
	*uid = uidset_next(&c->here, c->last);
	c->last = *uid;
	return *uid != 0 ? ST_OK : ST_NOT_FOUND;
}

/* Moves g to the block's pack, or to where it would be. */
static enum status
advance(struct state_columns *c, struct group *g, uint32_t block)
{
	const struct walk *w = &c->walk;
	struct span key, payload;
	struct key k;
	enum status st;

	if (!g->end && g->stands && g->at < block && block - g->at > SEEK_GAP / PACK_UIDS) {
		key_pack(&k, w->account, w->mailbox, (uint8_t)g->kind, block);
		engine_cursor_seek(g->c, key_span(&k));
	}
	while (!g->end && (!g->stands || g->at < block)) {
		st = st_next(w->s, TAB_PACK, g->c, &key, &payload);
		if (st == ST_NOT_FOUND) {
			g->end = true;
			return ST_OK;
		}
		TRY(st);
		g->at = get_be32(key.p + 17);
		g->stands = true;
		if (g->at >= block && !pack_open(&g->pack, payload, SPAN_NONE))
			return st_damaged(w->s, TAB_PACK, key);
	}
	return ST_OK;
}

static enum status
advance_fresh(struct state_columns *c, uint32_t uid)
{
	const struct walk *w = &c->walk;
	struct fresh *f = &c->fresh;
	struct span key;
	struct key k;
	enum status st;

	if (!f->end && f->at != 0 && f->at < uid && uid - f->at > SEEK_GAP) {
		key_uid(&k, w->account, w->mailbox, uid);
		engine_cursor_seek(f->c, key_span(&k));
	}
	while (!f->end && f->at < uid) {
		st = st_next(w->s, TAB_FRESH, f->c, &key, &f->payload);
		if (st == ST_NOT_FOUND)
			f->end = true;
		else if (st != ST_OK)
			return st;
		else
			f->at = get_be32(key.p + 16);
	}
	return ST_OK;
}

/* A message whose home is elsewhere, or whose rows were packed a moment ago. */
static enum status
elsewhere(struct state_columns *c, struct group *g, uint32_t uid, const struct rec_index *x)
{
	struct walk *w = &c->walk;
	struct rec_index found;
	struct span payload;
	struct key k;
	enum status st;

	if (c->fields == 0 && (w->mailbox & STATE_UNDELETED)) {
		struct rec_undel row;

		st = undel_row(w->s, w->account, w->mailbox, uid, &c->scratch, &row);
		if (st == ST_NOT_FOUND)
			return ST_OK;
		TRY(st);
		found = row.x;
		x = &found;
	} else if (c->fields == 0) {
		key_uid(&k, w->account, w->mailbox, uid);
		st = st_get(w->s, NULL, TAB_MINDEX, &k, &c->scratch, &payload);
		if (st == ST_NOT_FOUND)
			return ST_OK;
		TRY(st);
		if (!rec_index_get(payload, &found))
			return st_damaged(w->s, TAB_MINDEX, key_span(&k));
		x = &found;
	}
	return cold_find(&g->cold, w->mailbox, uid, x->message, false, &g->payload);
}

static enum status
find_row(struct state_columns *c, struct group *g, uint32_t uid, const struct rec_index *x)
{
	struct fresh *f = &c->fresh;

	if (!f->end && f->at == uid) {
		if (!cold_in_fresh(f->payload, g->kind, &g->payload))
			g->payload = SPAN_NONE;
		return ST_OK;
	}
	TRY(advance(c, g, uid / PACK_UIDS));
	g->payload = SPAN_NONE;
	if (!g->end && g->at == uid / PACK_UIDS)
		g->payload = g->pack.rows[uid % PACK_UIDS];
	return g->payload.len > 0 ? ST_OK : elsewhere(c, g, uid, x);
}

/* Appends the columns of g that are asked for; false: they are not known. */
static bool
put_columns(const struct group *g, uint8_t version, struct span payload, struct buf *out)
{
	const char *len, *p;
	size_t at = 0, room = payload.len;
	char *to, *start;

	if (payload.len < 2 + 2 * (size_t)g->n || (uint8_t)payload.p[0] != version ||
	    (uint8_t)payload.p[1] != g->n)
		return false;
	len = payload.p + 2;
	p = len + 2 * (size_t)g->n;
	room -= (size_t)(p - payload.p);
	start = to = buf_reserve(out, 2 * (size_t)g->n + room);
	for (unsigned i = 0; i < g->n; i++) {
		size_t n = get_be16(len + 2 * i);

		if (n > room - at)
			return false;
		if (g->want >> i & 1) {
			put_be16(to, (uint16_t)n);
			memcpy(to + 2, p + at, n);
			to += 2 + n;
		}
		at += n;
	}
	buf_added(out, (size_t)(to - start));
	return true;
}

static enum status
put_groups(struct state_columns *c, uint32_t uid, const struct rec_index *x, bool *known,
    struct buf *out)
{
	TRY(advance_fresh(c, uid));
	for (size_t i = 0; i < c->n_groups; i++) {
		struct group *g = &c->groups[i];

		TRY(find_row(c, g, uid, x));
		if (!put_columns(g, c->version, g->payload, out)) {
			*known = false;
			return ST_OK;
		}
	}
	return ST_OK;
}

static enum status
put_entry(struct state_columns *c, uint32_t uid, const struct rec_index *x, struct buf *out)
{
	bool known = true;
	size_t at;

	put_u32(out, uid);
	if (c->fields != 0) {
		struct store_row row = { .uid = uid, .modseq = x->modseq, .flags = x->flags,
			.size = x->size, .received_s = x->received_s,
			.received_zone = x->received_zone, .message = x->message,
			.thread = x->thread, .saved_s = x->saved_s };

		if (c->reader != NULL)
			TRY(reader_row(c->walk.s, c->reader, &row));
		put_store_row(out, &row, c->fields);
	}
	at = out->len;
	put_u8(out, 1);
	TRY(put_groups(c, uid, x, &known, out));
	if (!known) {
		buf_cut(out, at + 1);
		out->data[at] = 0;
	}
	return ST_OK;
}

enum status
state_columns_next(struct state_columns *c, size_t budget, bool first, struct buf *out,
    uint32_t *resume_uid)
{
	struct rec_index x = { .message = 0 };
	size_t start = out->len;
	uint32_t uid;
	enum status st;

	*resume_uid = 0;
	if (c->reader != NULL)		/* his marks may be other ones since the last part */
		c->reader->no = UINT32_MAX;
	while ((st = next_uid(c, &uid, &x)) == ST_OK) {
		size_t before = out->len;

		TRY(put_entry(c, uid, &x, out));
		if (out->len - start > budget && (!first || before > start)) {
			buf_cut(out, before);
			c->pending = uid;
			c->pending_index = x;
			*resume_uid = uid;
			return ST_OK;
		}
	}
	return st == ST_NOT_FOUND ? ST_OK : st;
}
