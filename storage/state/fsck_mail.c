/* Judges of mailboxes, messages, their memberships, threads and caches. */
#include "storage/state/cold.h"
#include "storage/state/fsck_priv.h"

#include <inttypes.h>
#include <string.h>

#include "common/util/mem.h"
#include "storage/state/fsck_judges.h"

/* Rows of the account are under way to where nobody looks, or from there. */
static bool
staged(const struct state_fsck *f)
{
	return f->acct.stage;
}

static bool
unreadable(struct state_fsck *f, enum tab t, struct span key)
{
	fsck_found(f, t, key, CURE_REBUILD, "its form is wrong");
	f->lost = true;
	return true;
}

/* ---- mailboxes ---- */

void
fsck_mboxname(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	const struct fsck_box *b;
	uint64_t id;
	struct key k;

	if (payload.len != 8) {
		fsck_found(f, TAB_MBOXNAME, key, CURE_ROWS, "its form is wrong");
		fsck_del(f, TAB_MBOXNAME, key, false, "its form is wrong");
		return;
	}
	id = get_be64(payload.p);
	b = fsck_box(f, id);
	key_2(&k, f->account, id);
	if (b->seen == ROW_BAD)
		return;
	if (b->seen == ROW_NONE && fsck_any(f, TAB_UIDHIGH, &k)) {
		fsck_no_mailbox(f, TAB_MAILBOX, key_span(&k), id);
		return;
	}
	if (b->seen == ROW_GOOD && b->rec.deleted_ms == 0 && b->rec.parent == get_be64(key.p + 8) &&
	    span_eq(b->rec.name, span_sub(key, 16, key.len)))
		return;
	fsck_found(f, TAB_MBOXNAME, key, CURE_ROWS, "names mailbox %" PRIx64
	    ", which is called otherwise or is not there", id);
	fsck_del(f, TAB_MBOXNAME, key, false, "names nothing");
}

static void
judge_name(struct state_fsck *f, uint64_t id, const struct rec_mailbox *m)
{
	struct span payload;
	struct key k;
	enum seen seen;

	key_name(&k, f->account, m->parent, m->name);
	seen = fsck_look(f, TAB_MBOXNAME, &k, &f->v1, &payload);
	if (seen == ROW_GOOD && payload.len == 8 && get_be64(payload.p) == id)
		return;
	if (seen == ROW_BAD)
		return;
	if (seen == ROW_GOOD) {
		fsck_found(f, TAB_MBOXNAME, key_span(&k), CURE_REBUILD,
		    "mailbox %" PRIx64 " is called as another one is", id);
		return;
	}
	fsck_found(f, TAB_MBOXNAME, key_span(&k), CURE_ROWS, "the name of mailbox %" PRIx64
	    " is missing", id);
	put_u64(fsck_put_start(f), id);
	fsck_put(f, TAB_MBOXNAME, &k);
}

/* The higher of both is safe. */
static void
judge_uidhigh(struct state_fsck *f, uint64_t id, struct rec_mailbox *m, bool *changed)
{
	struct span p;
	struct key k;
	enum seen seen;
	uint32_t high;

	key_2(&k, f->account, id);
	seen = fsck_look(f, TAB_UIDHIGH, &k, &f->v1, &p);
	high = seen == ROW_GOOD && p.len == 4 ? get_be32(p.p) : 0;
	if (high == m->uidnext)
		return;
	if (high > m->uidnext) {
		if (staged(f))
			return;
		fsck_found(f, TAB_MAILBOX, key_span(&k), CURE_ROWS,
		    "UIDNEXT is %u, and uids up to %u were given out", m->uidnext, high - 1);
		m->uidnext = high;
		*changed = true;
		return;
	}
	if (seen == ROW_BAD)	/* told in its own turn, and made again then */
		return;
	fsck_found(f, TAB_UIDHIGH, key_span(&k), CURE_ROWS, "uids are known up to %u, UIDNEXT is %u",
	    high, m->uidnext);
	put_u32(fsck_put_start(f), m->uidnext);
	fsck_put(f, TAB_UIDHIGH, &k);
}

static void
judge_work(struct state_fsck *f, uint64_t id, const struct rec_mailbox *m)
{
	struct key k;

	key_2(&k, f->account, id);
	if (m->deleted_ms == 0 || m->messages == 0 || fsck_any(f, TAB_WORK, &k))
		return;
	fsck_found(f, TAB_WORK, key_span(&k), CURE_ROWS, "mailbox %" PRIx64
	    " is deleted and not empty, and nobody is to empty it", id);
	fsck_put_start(f);
	fsck_put(f, TAB_WORK, &k);
}

void
fsck_mailbox(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	uint64_t id = get_be64(key.p + 8);
	struct rec_mailbox m;
	struct buf name = { 0 };
	bool changed = false;

	if (!rec_mailbox_get(payload, &m)) {
		unreadable(f, TAB_MAILBOX, key);
		fsck_lose_box(f, id);
		return;
	}
	buf_add_span(&name, m.name);
	m.name = buf_span(&name);
	if (m.deleted_ms == 0) {
		judge_name(f, id, &m);
		if (m.parent != 0 && fsck_box(f, m.parent)->seen == ROW_NONE)
			fsck_no_mailbox(f, TAB_MAILBOX, key, m.parent);
	}
	judge_uidhigh(f, id, &m, &changed);
	judge_work(f, id, &m);
	if (m.uidvalidity > f->acct.uidvalidity || m.highestmodseq > f->acct.modseq +
	    staged(f))
		fsck_found(f, TAB_MAILBOX, key, CURE_REBUILD, "UIDVALIDITY %u or modseq %" PRIu64
		    " above the account's", m.uidvalidity, m.highestmodseq);
	if (changed)
		fsck_put_mailbox(f, id, &m);
	buf_fini(&name);
}

void
fsck_uidhigh(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	uint64_t id = get_be64(key.p + 8);
	struct key k;

	if (payload.len != 4)
		fsck_found(f, TAB_UIDHIGH, key, CURE_NONE, "its form is wrong");
	if (fsck_box(f, id)->seen != ROW_NONE || fsck_lost_box(f, id))
		return;
	key_2(&k, f->account, id);
	if (fsck_any(f, TAB_MINDEX, &k))
		fsck_no_mailbox(f, TAB_MAILBOX, key, id);
	else
		fsck_orphan(f, TAB_UIDHIGH, key, "of no mailbox");
}

void
fsck_work(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	const struct fsck_box *b = fsck_box(f, get_be64(key.p + 8));

	struct key k;

	if (payload.len != 0) {
		fsck_found(f, TAB_WORK, key, CURE_ROWS, "holds what it does not need");
		key_text(&k, key);
		fsck_put_start(f);
		fsck_put(f, TAB_WORK, &k);
	}
	if (b->seen == ROW_BAD || (b->seen == ROW_GOOD && b->rec.deleted_ms != 0) ||
	    fsck_lost_box(f, b->id))
		return;
	fsck_found(f, TAB_WORK, key, CURE_ROWS, "wants a mailbox emptied that is not deleted");
	fsck_del(f, TAB_WORK, key, false, "wants a mailbox emptied that is not deleted");
}

/* ---- messages ---- */

static void
judge_member(struct state_fsck *f, struct span key, struct rec_member m)
{
	struct rec_index x;
	struct span payload;
	struct key k;
	enum seen seen;

	key_uid(&k, f->account, m.mailbox, m.uid);
	seen = fsck_look(f, TAB_MINDEX, &k, &f->v2, &payload);
	if (seen == ROW_BAD) {
		fsck_lose_box(f, m.mailbox);
	} else if (seen == ROW_NONE) {
		fsck_lose_box(f, m.mailbox);
		fsck_found(f, TAB_MINDEX, key_span(&k), CURE_REBUILD,
		    "is missing: message %" PRIx64 " is in mailbox %" PRIx64 " as uid %u",
		    get_be64(key.p + 8), m.mailbox, m.uid);
	} else if (rec_index_get(payload, &x) && x.message != get_be64(key.p + 8)) {
		fsck_lose_box(f, m.mailbox);
		fsck_found(f, TAB_MINDEX, key_span(&k), CURE_REBUILD,
		    "is of message %" PRIx64 ", and message %" PRIx64 " says it is its own",
		    x.message, get_be64(key.p + 8));
	}
}

static void
judge_members(struct state_fsck *f, struct span key, const struct rec_message *m)
{
	size_t n = m->members.len / MEMBER_BYTES;

	for (size_t i = 0; i < n; i++) {
		struct rec_member x = rec_member(m->members, i);

		judge_member(f, key, x);
		for (size_t j = 0; j < i && n <= 64; j++)
			if (rec_member(m->members, j).mailbox == x.mailbox &&
			    rec_member(m->members, j).uid == x.uid)
				fsck_found(f, TAB_MESSAGE, key, CURE_REBUILD,
				    "is in mailbox %" PRIx64 " twice as uid %u", x.mailbox, x.uid);
	}
	if ((n == 0) != (m->gone_modseq != 0) || m->gone_modseq > f->acct.modseq + staged(f))
		fsck_found(f, TAB_MESSAGE, key, CURE_REBUILD, "is in %zu mailboxes, gone with modseq "
		    "%" PRIu64, n, m->gone_modseq);
	else if (n == 0 && !staged(f) && fsck_history(f, m->gone_modseq) == ROW_NONE)
		fsck_found(f, TAB_MESSAGE, key, CURE_REBUILD,
		    "is kept for a history that is not there");
}

/* Where undelete finds it. */
static void
judge_kept(struct state_fsck *f, struct span key, struct rec_message *m)
{
	struct key k;

	key_uid(&k, f->account, m->kept_mailbox, m->kept_no);
	if (m->kept_mailbox == 0 || fsck_any(f, TAB_UNDEL, &k))
		return;
	fsck_found(f, TAB_MESSAGE, key, CURE_ROWS, "is kept as number %u of mailbox %" PRIx64
	    ", which is not there", m->kept_no, m->kept_mailbox);
	m->kept_mailbox = 0;
	m->kept_no = 0;
	rec_message_put(fsck_put_start(f), m);
	key_text(&k, key);
	fsck_put(f, TAB_MESSAGE, &k);
}

static bool
good_place(struct state_fsck *f, struct span locs, size_t i, struct journal_loc *l)
{
	const char *p = locs.p + i * LOC_BYTES;

	*l = (struct journal_loc){ get_be32(p), get_be32(p + 4), get_be32(p + 8) };
	return f->o.place == NULL || f->o.place(f->o.arg, *l);
}

static void
want_body(struct state_fsck *f, struct span key, const struct rec_message *m, struct span locs)
{
	struct buf list = { 0 };
	struct journal_loc l;
	size_t n = locs.len / LOC_BYTES;

	for (size_t i = 0; i < n; i++) {
		const char *p = locs.p + i * LOC_BYTES;

		l = (struct journal_loc){ get_be32(p), get_be32(p + 4), get_be32(p + 8) };
		buf_add(&list, &l, sizeof(l));
	}
	if (!f->o.body(f->o.arg, f->account, get_be64(key.p + 8), m->sha256, m->size,
	    (const void *)list.data, n))
		f->no_room = true;
	buf_fini(&list);
}

static void
judge_extent(struct state_fsck *f, struct span key, const struct rec_message *m)
{
	struct rec_extent e;
	struct journal_loc l;
	struct span payload;
	struct key k;
	enum seen seen;
	bool good = true;

	key_1(&k, m->extent);
	seen = fsck_look(f, TAB_EXTENT, &k, &f->v1, &payload);
	if (seen == ROW_NONE)
		fsck_found(f, TAB_EXTENT, key_span(&k), CURE_REBUILD,
		    "is missing: the body of message %" PRIx64, get_be64(key.p + 8));
	if (seen == ROW_BAD || (seen == ROW_GOOD && !rec_extent_get(payload, &e)))
		f->lost = true;
	else if (seen == ROW_GOOD) {
		for (size_t i = 0; i < e.locs.len / LOC_BYTES && good; i++)
			good = good_place(f, e.locs, i, &l);
		if (!good)
			fsck_found(f, TAB_EXTENT, key_span(&k), CURE_REBUILD,
			    "lies where nothing is: segment %u, offset %u", l.segment, l.offset);
		if (good && f->o.body != NULL)
			want_body(f, key, m, e.locs);
	}
	f->lost |= seen == ROW_NONE;
}

static void
judge_thread(struct state_fsck *f, struct span key, const struct rec_message *m)
{
	struct span payload;
	struct key k;
	enum seen seen;

	key_3(&k, f->account, m->thread, get_be64(key.p + 8));
	seen = fsck_look(f, TAB_THREAD, &k, &f->v1, &payload);
	if (seen != ROW_NONE)
		return;
	fsck_found(f, TAB_THREAD, key_span(&k), CURE_ROWS, "message %" PRIx64
	    " is missing in its thread", get_be64(key.p + 8));
	fsck_put_start(f);
	fsck_put(f, TAB_THREAD, &k);
}

void
fsck_message(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	struct rec_message m;

	if (!rec_message_get(payload, &m)) {
		unreadable(f, TAB_MESSAGE, key);
		return;
	}
	judge_members(f, key, &m);
	judge_thread(f, key, &m);
	judge_extent(f, key, &m);
	judge_kept(f, key, &m);
}

void
fsck_thread(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	struct rec_message m;
	struct span p;
	struct key k;
	enum seen seen;

	if (key.len != 24) {
		fsck_orphan(f, TAB_THREAD, key, "its key is wrong");
		return;
	}
	key_2(&k, f->account, get_be64(key.p + 16));
	seen = fsck_look(f, TAB_MESSAGE, &k, &f->v1, &p);
	if (seen == ROW_BAD || (seen == ROW_NONE && f->lost))
		return;
	if (seen == ROW_GOOD && (!rec_message_get(p, &m) || (m.thread == get_be64(key.p + 8) &&
	    payload.len == 0)))
		return;
	if (seen == ROW_GOOD && m.thread == get_be64(key.p + 8)) {
		fsck_found(f, TAB_THREAD, key, CURE_ROWS, "holds what it does not need");
		key_text(&k, key);
		fsck_put_start(f);
		fsck_put(f, TAB_THREAD, &k);
		return;
	}
	fsck_found(f, TAB_THREAD, key, CURE_ROWS, "message %" PRIx64
	    " is not in this thread", get_be64(key.p + 16));
	fsck_del(f, TAB_THREAD, key, false, "a message that is not in this thread");
}

/* Its count is compared with all who name it. */
void
fsck_threadkey(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	struct key k;

	if (payload.len == 12 && key.len == 24) {
		key_2(&k, f->account, get_be64(payload.p));
		if (get_be32(payload.p + 8) > 0 && (get_be64(payload.p) != 0))
			return;
	}
	fsck_found(f, TAB_THREADKEY, key, CURE_ROWS, "its form is wrong");
	fsck_del(f, TAB_THREADKEY, key, false, "its form is wrong");
}

/* ---- memberships ---- */

static bool
has_member(const struct rec_message *m, uint64_t mailbox, uint32_t uid)
{
	for (size_t i = 0; i < m->members.len / MEMBER_BYTES; i++) {
		struct rec_member x = rec_member(m->members, i);

		if (x.mailbox == mailbox && x.uid == uid)
			return true;
	}
	return false;
}

/* x as its message has it. */
static void
judge_index_message(struct state_fsck *f, struct span key, struct rec_index *x, bool *changed)
{
	uint64_t mailbox = get_be64(key.p + 8);
	uint32_t uid = get_be32(key.p + 16);
	struct rec_message m;
	struct span payload;
	struct key k;
	enum seen seen;

	key_2(&k, f->account, x->message);
	seen = fsck_look(f, TAB_MESSAGE, &k, &f->v1, &payload);
	if (seen == ROW_NONE) {
		f->lost = true;
		fsck_found(f, TAB_MESSAGE, key_span(&k), CURE_REBUILD,
		    "is missing: mailbox %" PRIx64 " has it as uid %u", mailbox, uid);
	}
	if (seen != ROW_GOOD || !rec_message_get(payload, &m))
		return;
	if (!has_member(&m, mailbox, uid) && !staged(f)) {
		fsck_lose_box(f, mailbox);
		fsck_found(f, TAB_MINDEX, key, CURE_REBUILD, "message %" PRIx64
		    " does not know that it is in mailbox %" PRIx64 " as uid %u", x->message,
		    mailbox, uid);
	} else if (m.thread != x->thread || m.size != x->size) {
		fsck_found(f, TAB_MINDEX, key, CURE_ROWS, "thread %" PRIx64 ", size %u; its message "
		    "says %" PRIx64 ", %" PRIu64, x->thread, x->size, m.thread, m.size);
		x->thread = m.thread;
		x->size = (uint32_t)m.size;
		*changed = true;
	}
}

static void
judge_index_change(struct state_fsck *f, struct span key, const struct rec_index *x)
{
	struct rec_change c;
	struct span payload;
	struct key k;
	enum seen seen;

	/* The oldest operation may be half forgotten. */
	if (x->modseq <= f->acct.horizon + 1 || staged(f))
		return;
	key_change(&k, f->account, get_be64(key.p + 8), x->modseq, get_be32(key.p + 16));
	seen = fsck_look(f, TAB_CHANGE, &k, &f->v1, &payload);
	if (seen == ROW_NONE)
		fsck_found(f, TAB_CHANGE, key_span(&k), CURE_REBUILD,
		    "is missing: uid %u changed then", get_be32(key.p + 16));
	else if (seen == ROW_GOOD && rec_change_get(payload, &c) && c.kind == CHANGE_DESTROYED)
		fsck_found(f, TAB_CHANGE, key_span(&k), CURE_REBUILD,
		    "says that uid %u went, which is there", get_be32(key.p + 16));
}

static bool
keywords_known(const struct state_fsck *f, const struct rec_index *x)
{
	for (unsigned bit = f->acct.keywords; bit < KEYWORD_MAX; bit++)
		if (flags_has_keyword(x->flags, bit))
			return false;
	return true;
}

static void
judge_index_box(struct state_fsck *f, struct span key, const struct rec_index *x)
{
	uint32_t uid = get_be32(key.p + 16);
	struct fsck_box *b = fsck_box(f, get_be64(key.p + 8));
	struct rec_mailbox m;
	struct span p;
	struct key k;

	if (b->seen == ROW_NONE) {
		key_2(&k, f->account, b->id);
		fsck_no_mailbox(f, TAB_MAILBOX, key_span(&k), b->id);
	}
	if (b->seen != ROW_GOOD || staged(f))
		return;
	m = b->rec;
	if (uid >= m.uidnext) {
		fsck_found(f, TAB_MAILBOX, span_sub(key, 0, 16), CURE_ROWS,
		    "UIDNEXT is %u, and uid %u is there", m.uidnext, uid);
		m.uidnext = uid + 1;
	}
	if (x->modseq > m.highestmodseq) {
		fsck_found(f, TAB_MAILBOX, span_sub(key, 0, 16), x->modseq <= f->acct.modseq ?
		    CURE_ROWS : CURE_REBUILD, "modseq is %" PRIu64 ", uid %u has %" PRIu64,
		    m.highestmodseq, uid, x->modseq);
		if (x->modseq <= f->acct.modseq)
			m.highestmodseq = x->modseq;
	}
	if (m.uidnext != b->rec.uidnext || m.highestmodseq != b->rec.highestmodseq)
		fsck_put_mailbox(f, b->id, &m);
	if (m.uidnext != b->rec.uidnext) {
		key_2(&k, f->account, b->id);
		if (fsck_look(f, TAB_UIDHIGH, &k, &f->v1, &p) != ROW_GOOD || p.len != 4 ||
		    get_be32(p.p) < m.uidnext) {
			put_u32(fsck_put_start(f), m.uidnext);
			fsck_put(f, TAB_UIDHIGH, &k);
		}
	}
}

/* ---- uid maps ---- */

/* What the map of a block has to be.  *lowest: key of its first row, for the message. */
static bool
block_of(struct state_fsck *f, uint64_t mailbox, uint32_t no, struct rec_block *b)
{
	struct engine_cursor *c = NULL;
	struct span key, value, payload;
	struct rec_index x;
	struct key k;
	enum status st;

	memset(b, 0, sizeof(*b));
	key_2(&k, f->account, mailbox);
	st = engine_cursor_open(f->s->e, NULL, TAB_MINDEX, key_span(&k), &c);
	if (st == ST_OK) {
		engine_cursor_bulk(c, 24u << 10);
		key_uid(&k, f->account, mailbox, no * BLOCK_UIDS);
		engine_cursor_seek(c, key_span(&k));
	}
	while (st == ST_OK && (st = engine_cursor_next(c, &key, &value)) == ST_OK) {
		uint32_t uid = get_be32(key.p + 16), i = uid % BLOCK_UIDS;
		unsigned char bit = (unsigned char)(1u << i % 8);

		if (uid / BLOCK_UIDS != no)
			break;
		if (!rec_open(TAB_MINDEX, key, value, &payload) || !rec_index_get(payload, &x)) {
			engine_cursor_close(&c);
			return false;
		}
		b->bits[0][i / 8] |= bit;
		b->present++;
		if (!(x.flags.w[0] & FLAG_SEEN)) {
			b->bits[1][i / 8] |= bit;
			b->unseen++;
		}
		if (x.flags.w[0] & FLAG_DELETED) {
			b->bits[2][i / 8] |= bit;
			b->deleted++;
		}
	}
	engine_cursor_close(&c);
	if (st != ST_OK && st != ST_NOT_FOUND)
		f->st = st;
	return st == ST_OK || st == ST_NOT_FOUND;
}

static void
mend_block(struct state_fsck *f, struct span key, uint64_t mailbox, const struct rec_block *b,
    const char *what)
{
	bool lost = fsck_lost_box(f, mailbox);
	struct key k;

	fsck_found(f, TAB_UIDMAP, key, lost ? CURE_REBUILD : CURE_ROWS, "%s", what);
	if (lost)
		return;
	if (b->present == 0) {
		fsck_del(f, TAB_UIDMAP, key, false, what);
		return;
	}
	key_text(&k, key);
	rec_block_put(fsck_put_start(f), b);
	fsck_put(f, TAB_UIDMAP, &k);
}

void
fsck_uidmap(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	uint64_t mailbox = get_be64(key.p + 8);
	struct rec_block is, due;

	if (key.len != 20) {
		fsck_orphan(f, TAB_UIDMAP, key, "its key is wrong");
		return;
	}
	if (staged(f) || !block_of(f, mailbox, get_be32(key.p + 16), &due))
		return;
	if (!rec_block_get(payload, &is))
		mend_block(f, key, mailbox, &due, "its form is wrong");
	else if (memcmp(is.bits, due.bits, sizeof(is.bits)) != 0 || is.present != due.present ||
	    is.unseen != due.unseen || is.deleted != due.deleted)
		mend_block(f, key, mailbox, &due, "does not agree with the messages there are");
}

static void
judge_index_map(struct state_fsck *f, struct span key)
{
	uint64_t mailbox = get_be64(key.p + 8);
	uint32_t no = get_be32(key.p + 16) / BLOCK_UIDS;
	struct rec_block due;
	struct span payload;
	struct key k;

	/* once for each block, and again when the walk came back in the middle of one */
	if (f->begun && f->last.len == 20 && memcmp(f->last.data, key.p, 16) == 0 &&
	    get_be32(f->last.data + 16) / BLOCK_UIDS == no)
		return;
	key_uid(&k, f->account, mailbox, no);
	if (staged(f) || fsck_look(f, TAB_UIDMAP, &k, &f->block_value, &payload) != ROW_NONE)
		return;
	if (block_of(f, mailbox, no, &due))
		mend_block(f, key_span(&k), mailbox, &due, "is missing");
}

void
fsck_index(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	struct rec_index x;
	struct key k;
	bool changed = false;

	if (key.len != 20 || !rec_index_get(payload, &x)) {
		unreadable(f, TAB_MINDEX, key);
		return;
	}
	judge_index_box(f, key, &x);
	judge_index_message(f, key, &x, &changed);
	judge_index_change(f, key, &x);
	judge_index_map(f, key);
	if (!keywords_known(f, &x))
		fsck_found(f, TAB_MINDEX, key, CURE_REBUILD, "uid %u has a keyword without a name",
		    get_be32(key.p + 16));
	if (changed) {
		key_text(&k, key);
		rec_index_put(fsck_put_start(f), &x);
		fsck_put(f, TAB_MINDEX, &k);
	}
}

/* ---- caches, under the home of their message ---- */

void
fsck_cold(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	if (key.len == 20 && fsck_has_home(f, get_be64(key.p + 8), get_be32(key.p + 16)))
		return;
	if (!f->lost)	/* else of a message that is missing, maybe */
		fsck_orphan(f, t, key, "of no message");
}

/* Rows of many messages: one that is of no use is derived anew, like those above. */
void
fsck_pack(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	struct pack p = { .all = SPAN_NONE };
	uint32_t live = payload.len == 8 ? get_be32(payload.p) : 0;
	bool good;

	if (key.len != 21) {
		fsck_orphan(f, t, key, "of no block");
		return;
	}
	if ((uint8_t)key.p[16] == COLD_HEAD) {
		for (unsigned i = 0; i < PACK_UIDS && !f->lost; i++)
			if ((live >> i & 1) && !fsck_has_home(f, get_be64(key.p + 8),
			    get_be32(key.p + 17) * PACK_UIDS + i))
				fsck_found(f, t, key, CURE_NOTE, "rows of no message");
		return;
	}
	/* What was made behind other packs can be tried with them alone. */
	good = pack_needs_before(payload) || pack_open(&p, payload, SPAN_NONE);
	pack_fini(&p);
	if (!good)
		fsck_orphan(f, t, key, "not to be unpacked");
}
