#include "storage/state/cold.h"

#include <string.h>

#include "common/util/mem.h"

/* Rows of before, a table for each kind. */
static const enum tab single[COLD_KINDS] = {
	TAB_MTHREAD, TAB_MSORT, TAB_MTEXT, TAB_MENV, TAB_MHEAD, TAB_MHEADMORE, TAB_MBODY,
	TAB_MLIST, TAB_MSTRUCT
};
/* LIST says in other words what these say. */
static const uint8_t before_list[] = { 2, 3, 4 };

static const uint8_t hows[COLD_KINDS] = {
	PACK_PLAIN, PACK_PLAIN, PACK_QUICK, PACK_QUICK, PACK_QUICK, PACK_DENSE, PACK_DENSE,
	PACK_BEHIND, PACK_DENSE
};

void
key_pack(struct key *k, uint64_t account, uint64_t mailbox, uint8_t kind, uint32_t block)
{
	key_2(k, account, mailbox);
	key_add(k, span(&kind, 1));
	key_add32(k, block);
}

/* ---- fresh rows ---- */

static void
put_group(struct buf *b, unsigned g, uint8_t version, const struct span *col)
{
	unsigned n = (unsigned)(store_column_groups[g + 1] - store_column_groups[g]);
	size_t bytes = 0;

	for (unsigned i = 0; i < n; i++)
		bytes += col[i].len;
	if (bytes == 0) {		/* nothing known */
		put_varint(b, 0);
		return;
	}
	put_varint(b, 2 + 2 * (size_t)n + bytes);
	put_u8(b, version);
	put_u8(b, (uint8_t)n);
	for (unsigned i = 0; i < n; i++)
		put_u16(b, (uint16_t)col[i].len);
	for (unsigned i = 0; i < n; i++)
		buf_add_span(b, col[i]);
}

enum status
cold_put(struct state *s, const struct key *k, struct span columns, struct span list,
    struct span structure)
{
	struct span col[STORE_COLUMNS_MAX] = { { 0 } };
	struct buf *b = st_put_start(s);
	uint8_t version = 0;

	/* They are derived: what is of no use is none. */
	if (store_columns_cut(columns, store_column_groups[STORE_COLUMN_GROUPS], col))
		version = (uint8_t)columns.p[0];
	else
		memset(col, 0, sizeof(col));
	for (unsigned g = 0; g < STORE_COLUMN_GROUPS; g++)
		put_group(b, g, version, col + store_column_groups[g]);
	put_span(b, list);
	put_span(b, structure);
	return st_put(s, TAB_FRESH, k);
}

bool
cold_in_fresh(struct span payload, unsigned kind, struct span *row)
{
	struct reader r;

	reader_init(&r, payload.p, payload.len);
	for (unsigned i = 0; i <= kind; i++)
		*row = get_span(&r);
	return !r.bad;
}

/* ---- packs ---- */

static enum status
open_pack(struct state *s, struct engine_txn *txn, const struct key *k, struct span before,
    struct buf *packed, struct pack *p)
{
	struct span payload;

	TRY(st_get(s, txn, TAB_PACK, k, packed, &payload));
	return pack_open(p, payload, before) ? ST_OK : st_damaged(s, TAB_PACK, key_span(k));
}

enum status
cold_before(struct state *s, struct engine_txn *txn, uint64_t account, uint64_t mailbox,
    uint32_t block, struct buf *out)
{
	struct buf packed = { 0 };
	struct pack p = { .all = SPAN_NONE };
	enum status st = ST_OK;
	struct key k;

	for (size_t i = 0; st == ST_OK && i < ARRAY_LEN(before_list); i++) {
		key_pack(&k, account, mailbox, before_list[i], block);
		st = open_pack(s, txn, &k, SPAN_NONE, &packed, &p);
		if (st == ST_OK)
			buf_add_span(out, p.all);
		else if (st == ST_NOT_FOUND)
			st = ST_OK;
	}
	pack_fini(&p);
	buf_fini(&packed);
	return st;
}

static enum status
load_pack(struct state *s, struct engine_txn *txn, uint64_t account, uint64_t mailbox,
    unsigned kind, uint32_t block, struct buf *packed, struct pack *p)
{
	struct buf before = { 0 };
	struct span payload;
	enum status st;
	struct key k;

	key_pack(&k, account, mailbox, (uint8_t)kind, block);
	TRY(st_get(s, txn, TAB_PACK, &k, packed, &payload));
	st = pack_needs_before(payload) ?
	    cold_before(s, txn, account, mailbox, block, &before) : ST_OK;
	/* One whose packs in front are gone is gone with them: it is derived. */
	if (st == ST_OK && !pack_open(p, payload, buf_span(&before)))
		st = pack_needs_before(payload) ? ST_NOT_FOUND :
		    st_damaged(s, TAB_PACK, key_span(&k));
	buf_fini(&before);
	return st;
}

/* ---- one row ---- */

static bool
is_open(const struct cold_slot *o, uint64_t mailbox, uint32_t uid)
{
	return o->known && o->mailbox == mailbox && o->block == uid / PACK_UIDS;
}

static enum status
open_slot(struct cold *c, struct cold_slot *o, uint64_t mailbox, uint32_t uid)
{
	uint32_t block = uid / PACK_UIDS;
	enum status st;

	if (is_open(o, mailbox, uid))
		return ST_OK;
	o->known = false;
	st = load_pack(c->s, NULL, c->account, mailbox, c->kind, block, &o->packed, &o->pack);
	if (st != ST_OK && st != ST_NOT_FOUND)
		return st;
	o->known = true;
	o->there = st == ST_OK;
	o->mailbox = mailbox;
	o->block = block;
	return ST_OK;
}

/* Fresh before a pack that is not open: what is packed meanwhile is found there then. */
static enum status
at_home(struct cold *c, struct cold_slot *o, uint64_t mailbox, uint32_t uid,
    struct span *payload)
{
	struct span all;
	struct key k;
	enum status st;

	*payload = is_open(o, mailbox, uid) && o->there ? o->pack.rows[uid % PACK_UIDS] :
	    SPAN_NONE;
	if (payload->len > 0)
		return ST_OK;
	key_uid(&k, c->account, mailbox, uid);
	st = st_get(c->s, NULL, TAB_FRESH, &k, &c->value, &all);
	if (st == ST_OK)
		return cold_in_fresh(all, c->kind, payload) ? ST_OK :
		    st_damaged(c->s, TAB_FRESH, key_span(&k));
	if (st != ST_NOT_FOUND)
		return st;
	TRY(open_slot(c, o, mailbox, uid));
	if (o->there)
		*payload = o->pack.rows[uid % PACK_UIDS];
	if (payload->len > 0 || !c->s->singles)
		return ST_OK;
	st = st_get(c->s, NULL, single[c->kind], &k, &c->value, payload);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status
cold_find(struct cold *c, uint64_t mailbox, uint32_t uid, uint64_t message, bool maybe_home,
    struct span *payload)
{
	struct rec_message m;
	struct span row;
	struct key k;
	enum status st;

	*payload = SPAN_NONE;
	if (maybe_home)
		TRY(at_home(c, &c->here, mailbox, uid, payload));
	if (payload->len > 0)
		return ST_OK;
	key_2(&k, c->account, message);
	st = st_get(c->s, NULL, TAB_MESSAGE, &k, &c->value, &row);
	if (st == ST_NOT_FOUND)
		return ST_OK;
	TRY(st);
	if (!rec_message_get(row, &m))
		return st_damaged(c->s, TAB_MESSAGE, key_span(&k));
	return at_home(c, &c->away, m.home_mailbox, m.home_uid, payload);
}

static void
close_slot(struct cold_slot *o)
{
	pack_fini(&o->pack);
	buf_fini(&o->packed);
	o->known = false;
}

void
cold_fini(struct cold *c)
{
	close_slot(&c->here);
	close_slot(&c->away);
	buf_fini(&c->value);
}

/* ---- a block is packed ---- */

/* What lies in a block, by kind and message. */
struct block {
	uint64_t	account, mailbox;
	uint32_t	no;
	struct buf	rows[COLD_KINDS][PACK_UIDS];
	uint32_t	live;		/* messages with any */
};

static void
block_free(struct block **bp)
{
	struct block *b = *bp;

	for (unsigned i = 0; i < COLD_KINDS; i++)
		for (unsigned j = 0; j < PACK_UIDS; j++)
			buf_fini(&b->rows[i][j]);
	mem_free(bp);
}

static struct block *
block_new(uint64_t account, uint64_t mailbox, uint32_t no)
{
	struct block *b = mem_zalloc(sizeof(*b));

	b->account = account;
	b->mailbox = mailbox;
	b->no = no;
	return b;
}

static void
set_row(struct block *b, unsigned kind, unsigned i, struct span row)
{
	buf_clear(&b->rows[kind][i]);
	buf_add_span(&b->rows[kind][i], row);
}

/* live, packed: as the head says; 0 where there is none. */
static enum status
read_head(struct state *s, struct engine_txn *txn, const struct block *b, uint32_t *live,
    uint32_t *packed)
{
	struct buf value = { 0 };
	struct span payload;
	enum status st;
	struct key k;

	*live = *packed = 0;
	key_pack(&k, b->account, b->mailbox, COLD_HEAD, b->no);
	st = st_get(s, txn, TAB_PACK, &k, &value, &payload);
	if (st == ST_OK && payload.len == 8) {
		*live = get_be32(payload.p);
		*packed = get_be32(payload.p + 4);
	} else if (st == ST_OK) {
		st = st_damaged(s, TAB_PACK, key_span(&k));
	}
	buf_fini(&value);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status
write_head(struct state *s, const struct block *b, uint32_t live, uint32_t packed)
{
	struct key k;

	key_pack(&k, b->account, b->mailbox, COLD_HEAD, b->no);
	put_u32(st_put_start(s), live);
	put_u32(&s->out, packed);
	return st_put(s, TAB_PACK, &k);
}

/* What the packs of the block hold of messages that are there still. */
static enum status
take_packs(struct state *s, struct engine_txn *txn, struct block *b, uint32_t live)
{
	struct buf packed = { 0 };
	struct pack p = { .all = SPAN_NONE };
	enum status st = ST_OK;

	for (unsigned kind = 0; st == ST_OK && live != 0 && kind < COLD_KINDS; kind++) {
		st = load_pack(s, txn, b->account, b->mailbox, kind, b->no, &packed, &p);
		if (st == ST_NOT_FOUND) {
			st = ST_OK;
			continue;
		}
		for (unsigned i = 0; st == ST_OK && i < PACK_UIDS; i++)
			if ((live >> i & 1) && p.rows[i].len > 0)
				set_row(b, kind, i, p.rows[i]);
	}
	b->live |= live;
	pack_fini(&p);
	buf_fini(&packed);
	return st;
}

/* In an open transaction: the packs are what b holds. */
static enum status
write_packs(struct state *s, struct block *b)
{
	struct buf before = { 0 }, one = { 0 };
	enum status st = ST_OK;
	struct key k;

	for (size_t g = 0; g < ARRAY_LEN(before_list); g++)
		for (unsigned i = 0; i < PACK_UIDS; i++)
			buf_add_span(&before, buf_span(&b->rows[before_list[g]][i]));
	for (unsigned kind = 0; st == ST_OK && kind < COLD_KINDS; kind++) {
		struct span rows[PACK_UIDS];
		bool any = false;

		for (unsigned i = 0; i < PACK_UIDS; i++) {
			rows[i] = buf_span(&b->rows[kind][i]);
			if (rows[i].len == 0)
				rows[i] = SPAN_NONE;
			any |= rows[i].len > 0;
		}
		key_pack(&k, b->account, b->mailbox, (uint8_t)kind, b->no);
		if (any) {
			buf_clear(&one);
			pack_put(&one, rows, (enum pack_how)hows[kind], buf_span(&before));
			buf_add_span(st_put_start(s), buf_span(&one));
			st = st_put(s, TAB_PACK, &k);
		} else {
			st = st_del_any(s, TAB_PACK, &k);
		}
	}
	buf_fini(&before);
	buf_fini(&one);
	return st != ST_OK ? st : write_head(s, b, b->live, b->live);
}

static enum status
drop_packs(struct state *s, const struct block *b)
{
	struct key k;

	for (unsigned kind = 0; kind < COLD_KINDS; kind++) {
		key_pack(&k, b->account, b->mailbox, (uint8_t)kind, b->no);
		TRY(st_del_any(s, TAB_PACK, &k));
	}
	key_pack(&k, b->account, b->mailbox, COLD_HEAD, b->no);
	return st_del_any(s, TAB_PACK, &k);
}

/* The fresh rows of the block; they win over what is packed. */
static enum status
take_fresh(struct state *s, struct block *b, size_t *bytes)
{
	struct engine_cursor *c;
	struct span key, payload, row;
	struct key k;
	enum status st;

	key_2(&k, b->account, b->mailbox);
	TRY(engine_cursor_open(s->e, NULL, TAB_FRESH, key_span(&k), &c));
	key_uid(&k, b->account, b->mailbox, b->no * PACK_UIDS);
	engine_cursor_seek(c, key_span(&k));
	while ((st = st_next(s, TAB_FRESH, c, &key, &payload)) == ST_OK) {
		uint32_t uid = get_be32(key.p + 16);

		if (uid / PACK_UIDS != b->no)
			break;
		for (unsigned kind = 0; kind < COLD_KINDS; kind++) {
			/* It is derived: what cannot be kept is made anew when it is asked for. */
			if (payload.len > PACK_BYTES_MAX / PACK_UIDS ||
			    !cold_in_fresh(payload, kind, &row))
				row = SPAN_NONE;
			set_row(b, kind, uid % PACK_UIDS, row);
		}
		*bytes += payload.len;
		b->live |= (uint32_t)1 << uid % PACK_UIDS;
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status
commit_block(struct state *s, struct block *b, uint32_t fresh)
{
	enum status st = engine_begin(s->e, &s->txn);
	struct key k;

	if (st != ST_OK)
		return st;
	st = write_packs(s, b);
	for (unsigned i = 0; st == ST_OK && i < PACK_UIDS; i++) {
		if (!(fresh >> i & 1))
			continue;
		key_uid(&k, b->account, b->mailbox, b->no * PACK_UIDS + i);
		st = st_del_any(s, TAB_FRESH, &k);
	}
	if (st == ST_OK)
		st = engine_commit(&s->txn);
	else
		engine_abort(&s->txn);
	return st;
}

static enum status
pack_block(struct state *s, uint64_t account, uint64_t mailbox, uint32_t no, size_t *bytes)
{
	struct block *b = block_new(account, mailbox, no);
	uint32_t live, packed, fresh;
	enum status st = read_head(s, NULL, b, &live, &packed);

	if (st == ST_OK)
		st = take_packs(s, NULL, b, live);
	if (st == ST_OK) {
		b->live = 0;
		st = take_fresh(s, b, bytes);
	}
	fresh = b->live;
	b->live |= live;
	if (st == ST_OK)
		st = commit_block(s, b, fresh);
	block_free(&b);
	return st;
}

/* ---- the walk ---- */

#define PACK_LOOKS	64u	/* mailboxes looked at in one piece */

/* The first mailbox at or behind *at that has fresh rows. */
static enum status
next_fresh(struct state *s, const struct state_packing *at, uint64_t *account,
    uint64_t *mailbox, uint32_t *uid)
{
	struct engine_cursor *c;
	struct span key;
	struct key k;
	enum status st;

	TRY(engine_cursor_open(s->e, NULL, TAB_FRESH, SPAN_NONE, &c));
	engine_cursor_bulk(c, 4096);
	key_2(&k, at->account, at->mailbox);
	engine_cursor_seek(c, key_span(&k));
	st = engine_cursor_next(c, &key, NULL);
	if (st == ST_OK) {
		*account = get_be64(key.p);
		*mailbox = get_be64(key.p + 8);
		*uid = get_be32(key.p + 16);
	}
	engine_cursor_close(&c);
	return st;
}

enum status
state_pack(struct state *s, struct state_packing *at, size_t bytes, bool *more)
{
	size_t done = 0;

	*more = true;
	for (unsigned looked = 0; done < bytes && looked < PACK_LOOKS; looked++) {
		struct rec_mailbox m;
		struct buf name = { 0 };
		uint64_t account, mailbox;
		uint32_t uid, block;
		enum status st = next_fresh(s, at, &account, &mailbox, &uid);

		if (st == ST_NOT_FOUND) {
			*more = false;
			return ST_OK;
		}
		TRY(st);
		block = uid / PACK_UIDS;
		st = st_read_mailbox(s, NULL, account, mailbox, &m, &name);
		buf_fini(&name);
		if (st != ST_OK && st != ST_NOT_FOUND)
			return st;
		*at = (struct state_packing){ account, mailbox, at->blocks };
		if (st == ST_NOT_FOUND || block < m.uidnext / PACK_UIDS) {
			TRY(pack_block(s, account, mailbox, block, &done));
			at->blocks++;
		} else {
			at->mailbox++;		/* it is still being filled */
		}
	}
	return ST_OK;
}

/* ---- a message is gone ---- */

static enum status
forget_packed(struct state *s, struct block *b, unsigned i)
{
	uint32_t live, packed;

	TRY(read_head(s, s->txn, b, &live, &packed));
	if (!(live >> i & 1))
		return ST_OK;
	live &= ~((uint32_t)1 << i);
	if (live == 0)
		return drop_packs(s, b);
	if (2 * __builtin_popcount(live) > __builtin_popcount(packed))
		return write_head(s, b, live, packed);
	TRY(take_packs(s, s->txn, b, live));
	return write_packs(s, b);
}

enum status
cold_del(struct state *s, const struct key *k)
{
	uint32_t uid = get_be32(k->b + 16);
	struct block *b;
	enum status st;

	TRY(st_del_any(s, TAB_FRESH, k));
	for (unsigned kind = 0; s->singles && kind < COLD_KINDS; kind++)
		TRY(st_del_any(s, single[kind], k));
	b = block_new(get_be64(k->b), get_be64(k->b + 8), uid / PACK_UIDS);
	st = forget_packed(s, b, uid % PACK_UIDS);
	block_free(&b);
	return st;
}

enum status
cold_load(struct state *s)
{
	s->singles = false;
	for (unsigned kind = 0; !s->singles && kind < COLD_KINDS; kind++) {
		struct engine_cursor *c;
		enum status st;

		TRY(engine_cursor_open(s->e, NULL, single[kind], SPAN_NONE, &c));
		st = engine_cursor_next(c, NULL, NULL);
		engine_cursor_close(&c);
		if (st != ST_OK && st != ST_NOT_FOUND)
			return st;
		s->singles = st == ST_OK;
	}
	return ST_OK;
}
