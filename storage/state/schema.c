#include "storage/state/schema.h"

#include <assert.h>
#include <string.h>

#include "common/crypto/digest.h"
#include "storage/state/state.h"

#define COLUMN_PAGE	8192u
#define PACK_PAGE	32768u	/* what is more than a quarter of it has pages of its own */

const char *const state_tables[] = {
	[TAB_META] = "meta", [TAB_ACCOUNT] = "account", [TAB_KEYWORD] = "keyword",
	[TAB_MAILBOX] = "mailbox", [TAB_MBOXNAME] = "mboxname", [TAB_MINDEX] = "mindex",
	[TAB_UIDMAP] = "uidmap", [TAB_MESSAGE] = "message", [TAB_MSORT] = "msort",
	[TAB_MTEXT] = "mtext", [TAB_MENV] = "menv", [TAB_MHEAD] = "mhead",
	[TAB_MHEADMORE] = "mheadmore", [TAB_MBODY] = "mbody",
	[TAB_MLIST] = "mlist", [TAB_MSTRUCT] = "mstruct", [TAB_EXTENT] = "extent",
	[TAB_THREADKEY] = "threadkey", [TAB_THREAD] = "thread", [TAB_CHANGE] = "change",
	[TAB_MCHANGE] = "mchange", [TAB_HISTORY] = "history", [TAB_SUBSCR] = "subscr",
	[TAB_ONCE] = "once", [TAB_DIR] = "dir", [TAB_WORK] = "work",
	[TAB_UIDL] = "uidl", [TAB_METADATA] = "metadata", [TAB_STAGE] = "stage",
	[TAB_ACL] = "acl", [TAB_ACLBY] = "aclby", [TAB_RSEEN] = "rseen",
	[TAB_READER] = "reader", [TAB_MTHREAD] = "mthread", [TAB_URLKEY] = "urlkey",
	[TAB_ANNOTATION] = "annotation", [TAB_ANNLOG] = "annlog",
	[TAB_PLACED] = "placed",
	[TAB_UIDHIGH] = "uidhigh", [TAB_QUARANTINE] = "quarantine",
	[TAB_FRESH] = "fresh", [TAB_PACK] = "pack",
	[TAB_UNDEL] = "undel",
	[TAB_PUSH] = "push", [TAB_BLOB] = "blob",
	[TAB_SCRIPT] = "script", [TAB_SCRIPTTEXT] = "scripttext", [TAB_SIEVEKEY] = "sievekey",
	[TAB_QUEUE] = "queue", [TAB_QUEUEMSG] = "queuemsg", [TAB_QUEUEDUE] = "queuedue",
};
const size_t state_n_tables = TAB_COUNT;

/* Columns are written once and read by the thousand.  What flags change keeps pages that a disk
 * writes whole or not at all; pages of 16 KiB read no faster than these.  So do fresh rows, which
 * are not there for long: most get a page of their own, and no large one is split and logged. */
const uint32_t state_page_bytes[TAB_COUNT] = {
	[TAB_MTHREAD] = COLUMN_PAGE, [TAB_MSORT] = COLUMN_PAGE, [TAB_MTEXT] = COLUMN_PAGE,
	[TAB_MENV] = COLUMN_PAGE, [TAB_MHEAD] = COLUMN_PAGE, [TAB_MHEADMORE] = COLUMN_PAGE,
	[TAB_MBODY] = COLUMN_PAGE,
	[TAB_PACK] = PACK_PAGE,
};

/* Those that are not here: 1. */
const uint8_t rec_versions[TAB_COUNT] = {
	[TAB_MESSAGE] = 2, [TAB_MAILBOX] = 2, [TAB_CHANGE] = 2, [TAB_MCHANGE] = 2,
};

static uint8_t
newest(enum tab t)
{
	return rec_versions[t] != 0 ? rec_versions[t] : 1;
}

void
key_add(struct key *k, struct span s)
{
	assert(s.len <= KEY_MAX - k->len);
	if (s.len > 0)
		memcpy(k->b + k->len, s.p, s.len);
	k->len += s.len;
}

void
key_text(struct key *k, struct span s)
{
	k->len = 0;
	key_add(k, s);
}

void
key_1(struct key *k, uint64_t a)
{
	k->len = 0;
	key_add64(k, a);
}

void
key_2(struct key *k, uint64_t a, uint64_t b)
{
	key_1(k, a);
	key_add64(k, b);
}

void
key_3(struct key *k, uint64_t a, uint64_t b, uint64_t c)
{
	key_2(k, a, b);
	key_add64(k, c);
}

void
key_uid(struct key *k, uint64_t account, uint64_t mailbox, uint32_t uid)
{
	key_2(k, account, mailbox);
	key_add32(k, uid);
}

void
key_name(struct key *k, uint64_t account, uint64_t parent, struct span name)
{
	key_2(k, account, parent);
	key_add(k, name);
}

void
key_change(struct key *k, uint64_t account, uint64_t mailbox, uint64_t modseq, uint32_t uid)
{
	key_3(k, account, mailbox, modseq);
	key_add32(k, uid);
}

void
key_subscription(struct key *k, uint64_t account, struct span path)
{
	key_1(k, account);
	sha256(path, k->b + k->len);
	k->len += SHA256_LEN;
}

void
key_quarantine(struct key *k, uint64_t account, enum tab t, struct span key)
{
	struct buf b = { 0 };

	buf_add_str(&b, state_tables[t]);
	put_u8(&b, 0);
	buf_add_span(&b, key);
	key_1(k, account);
	sha256(buf_span(&b), k->b + k->len);
	k->len += SHA256_LEN;
	buf_fini(&b);
}

void
rec_start(struct buf *b)
{
	buf_clear(b);
	put_u8(b, 0);
}

void
rec_end(struct buf *b, enum tab t, struct span key)
{
	b->data[0] = (char)newest(t);
	put_u32(b, crc32c(crc32c(0, key.p, key.len), b->data, b->len));
}

bool
rec_open(enum tab t, struct span key, struct span value, struct span *payload)
{
	if (value.len < 5 || value.p[0] < 1 || (unsigned char)value.p[0] > newest(t))
		return false;
	if (crc32c(crc32c(0, key.p, key.len), value.p, value.len - 4) !=
	    get_be32(value.p + value.len - 4))
		return false;
	*payload = span(value.p + 1, value.len - 5);
	return true;
}

static void
start(struct reader *r, struct span p)
{
	reader_init(r, p.p, p.len);
}

static void
put_flags(struct buf *b, struct flags f)
{
	put_u64(b, f.w[0]);
	put_u64(b, f.w[1]);
}

void
rec_meta_put(struct buf *b, const struct rec_meta *r)
{
	put_u16(b, r->shard);
	put_u64(b, r->incarnation);
	put_u64(b, r->next_id);
	put_u64(b, r->dir_modseq);
}

bool
rec_meta_get(struct span p, struct rec_meta *m)
{
	struct reader r;

	start(&r, p);
	m->shard = get_u16(&r);
	m->incarnation = get_u64(&r);
	m->next_id = get_u64(&r);
	m->dir_modseq = get_u64(&r);
	return reader_done(&r);
}

void
rec_schema_put(struct buf *b, const struct rec_schema *r)
{
	put_u16(b, r->written);
	put_u16(b, r->complete);
	put_span(b, r->table);
	put_span(b, r->key);
}

bool
rec_schema_get(struct span p, struct rec_schema *x)
{
	struct reader r;

	start(&r, p);
	x->written = get_u16(&r);
	x->complete = get_u16(&r);
	x->table = get_span(&r);
	x->key = get_span(&r);
	return reader_done(&r) && x->complete >= 1 && x->written >= x->complete;
}

void
rec_account_put(struct buf *b, const struct rec_account *r)
{
	bool sieve = r->script_modseq > 0 || r->sieve_keys > 0;
	bool other = sieve || r->delivery_modseq != r->thread_modseq;
	bool annotated = other || r->annotation_bytes > 0 || r->annlog_rows > 0;

	put_u64(b, r->modseq);
	put_u64(b, r->horizon);
	put_u64(b, r->mail_modseq);
	put_u64(b, r->mailbox_modseq);
	put_u64(b, r->thread_modseq);
	put_u32(b, r->uidvalidity);
	put_u8(b, r->keywords);
	put_u8(b, r->purged);
	put_u64(b, r->bytes);
	put_u64(b, r->messages);
	put_u64(b, r->mailboxes);
	put_u64(b, r->kept_bytes);
	put_u64(b, r->bytes_limit);
	put_u64(b, r->messages_limit);
	put_u64(b, r->mailboxes_limit);
	put_u64(b, (uint64_t)r->created_ms);
	put_u64(b, (uint64_t)r->deleted_ms);
	put_varint(b, r->uidls);
	put_varint(b, r->metadata_bytes);
	put_u8(b, r->stage);
	/* What follows came later: a record ends before what it has no need of, as older ones do. */
	if (!annotated && r->urls_told == 0)
		return;
	put_varint(b, r->urls_reset);
	put_varint(b, r->urls_told);
	if (!annotated)
		return;
	put_varint(b, r->annotation_bytes);
	put_varint(b, r->annotation_others);
	put_varint(b, r->annlog_rows);
	put_varint(b, r->annlog_bytes);
	if (other)
		put_varint(b, r->delivery_modseq);
	if (!sieve)
		return;
	put_varint(b, r->script_modseq);
	put_varint(b, r->sieve_keys);
}

bool
rec_account_get(struct span p, struct rec_account *a)
{
	struct reader r;

	start(&r, p);
	a->modseq = get_u64(&r);
	a->horizon = get_u64(&r);
	a->mail_modseq = get_u64(&r);
	a->mailbox_modseq = get_u64(&r);
	a->thread_modseq = get_u64(&r);
	a->uidvalidity = get_u32(&r);
	a->keywords = get_u8(&r);
	a->purged = get_u8(&r) != 0;
	a->bytes = get_u64(&r);
	a->messages = get_u64(&r);
	a->mailboxes = get_u64(&r);
	a->kept_bytes = get_u64(&r);
	a->bytes_limit = get_u64(&r);
	a->messages_limit = get_u64(&r);
	a->mailboxes_limit = get_u64(&r);
	a->created_ms = (int64_t)get_u64(&r);
	a->deleted_ms = (int64_t)get_u64(&r);
	a->uidls = get_varint(&r);
	a->metadata_bytes = get_varint(&r);
	a->stage = get_u8(&r) != 0;
	a->urls_reset = a->urls_told = 0;
	if (reader_left(&r) > 0) {
		a->urls_reset = get_varint(&r);
		a->urls_told = get_varint(&r);
	}
	a->annotation_bytes = a->annotation_others = a->annlog_rows = a->annlog_bytes = 0;
	if (reader_left(&r) > 0) {
		a->annotation_bytes = get_varint(&r);
		a->annotation_others = get_varint(&r);
		a->annlog_rows = get_varint(&r);
		a->annlog_bytes = get_varint(&r);
	}
	a->delivery_modseq = reader_left(&r) > 0 ? get_varint(&r) : a->thread_modseq;
	a->script_modseq = a->sieve_keys = 0;
	if (reader_left(&r) > 0) {
		a->script_modseq = get_varint(&r);
		a->sieve_keys = get_varint(&r);
	}
	return reader_done(&r) && a->keywords <= KEYWORD_MAX;
}

void
rec_mailbox_put(struct buf *b, const struct rec_mailbox *r)
{
	put_u64(b, r->parent);
	put_u8(b, r->role);
	put_u32(b, r->uidvalidity);
	put_u32(b, r->uidnext);
	put_u32(b, r->recent_from);
	put_u32(b, r->messages);
	put_u32(b, r->unseen);
	put_u32(b, r->deleted);
	put_u64(b, r->deleted_bytes);
	put_u64(b, r->bytes);
	put_u64(b, r->highestmodseq);
	put_u64(b, (uint64_t)r->created_ms);
	put_u64(b, (uint64_t)r->deleted_ms);
	put_span(b, r->name);
	if (r->annotations > 0 || r->undel_next > 0 || r->order > 0)
		put_varint(b, r->annotations);
	if (r->undel_next > 0 || r->order > 0)
		put_varint(b, r->undel_next);
	if (r->order > 0)
		put_varint(b, r->order);
}

bool
rec_mailbox_get(struct span p, struct rec_mailbox *m)
{
	struct reader r;

	start(&r, p);
	m->parent = get_u64(&r);
	m->role = get_u8(&r);
	m->uidvalidity = get_u32(&r);
	m->uidnext = get_u32(&r);
	m->recent_from = get_u32(&r);
	m->messages = get_u32(&r);
	m->unseen = get_u32(&r);
	m->deleted = get_u32(&r);
	m->deleted_bytes = get_u64(&r);
	m->bytes = get_u64(&r);
	m->highestmodseq = get_u64(&r);
	m->created_ms = (int64_t)get_u64(&r);
	m->deleted_ms = (int64_t)get_u64(&r);
	m->name = get_span(&r);
	m->annotations = reader_left(&r) > 0 ? get_varint(&r) : 0;
	m->undel_next = reader_left(&r) > 0 ? get_varint32(&r) : 0;
	m->order = reader_left(&r) > 0 ? get_varint32(&r) : 0;
	return reader_done(&r) && m->role <= MAILBOX_ROLE_MAX && m->name.len > 0 &&
	    m->name.len <= STORE_NAME_MAX;
}

/* With version and CRC 64 bytes: saved_s has five. */
void
rec_index_put(struct buf *b, const struct rec_index *r)
{
	put_u64(b, r->message);
	put_u64(b, r->modseq);
	put_u64(b, r->thread);
	put_flags(b, r->flags);
	put_u32(b, r->size);
	put_u64(b, (uint64_t)r->received_s);
	put_u16(b, (uint16_t)r->received_zone);
	put_u8(b, (uint8_t)(r->saved_s >> 32));
	put_u32(b, (uint32_t)r->saved_s);
}

#define INDEX_BYTES	59u

bool
rec_index_get(struct span p, struct rec_index *x)
{
	if (p.len != INDEX_BYTES)
		return false;
	/* Read by the thousand: one look at the length is enough. */
	x->message = get_be64(p.p);
	x->modseq = get_be64(p.p + 8);
	x->thread = get_be64(p.p + 16);
	x->flags.w[0] = get_be64(p.p + 24);
	x->flags.w[1] = get_be64(p.p + 32);
	x->size = get_be32(p.p + 40);
	x->received_s = (int64_t)get_be64(p.p + 44);
	x->received_zone = (int16_t)get_be16(p.p + 52);
	x->saved_s = (int64_t)((uint64_t)(unsigned char)p.p[54] << 32 | get_be32(p.p + 55));
	return true;
}

void
rec_undel_put(struct buf *b, const struct rec_undel *r)
{
	rec_index_put(b, &r->x);
	put_u32(b, r->uid);
}

bool
rec_undel_get(struct span p, struct rec_undel *u)
{
	if (p.len != INDEX_BYTES + 4 || !rec_index_get(span_sub(p, 0, INDEX_BYTES), &u->x))
		return false;
	u->uid = get_be32(p.p + INDEX_BYTES);
	return true;
}

void
rec_block_put(struct buf *b, const struct rec_block *r)
{
	put_u16(b, r->present);
	put_u16(b, r->unseen);
	put_u16(b, r->deleted);
	buf_add(b, r->bits, sizeof(r->bits));
}

bool
rec_block_get(struct span p, struct rec_block *k)
{
	struct reader r;
	struct span bits;

	start(&r, p);
	k->present = get_u16(&r);
	k->unseen = get_u16(&r);
	k->deleted = get_u16(&r);
	bits = get_raw(&r, sizeof(k->bits));
	if (!reader_done(&r))
		return false;
	memcpy(k->bits, bits.p, sizeof(k->bits));
	return true;
}

void
put_rec_member(struct buf *b, struct rec_member m)
{
	put_u64(b, m.mailbox);
	put_u32(b, m.uid);
}

struct rec_member
rec_member(struct span members, size_t i)
{
	const char *p = members.p + i * MEMBER_BYTES;

	return (struct rec_member){ get_be64(p), get_be32(p + 8) };
}

/* Version 2: ids without the shard they share, times as differences, nothing for what is
 * nought; the home is not said again when it is the first membership. */
enum { MSG_AT_HOME = 1, MSG_GONE = 2, MSG_SUBJECT = 4, MSG_KEPT = 8 };

static uint64_t
zigzag(int64_t v)
{
	return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

static int64_t
unzigzag(uint64_t v)
{
	return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}

#define SHARD_OF(id) ((id) & (uint64_t)0xffff << 48)

void
rec_message_put(struct buf *b, const struct rec_message *r)
{
	uint64_t shard = SHARD_OF(r->extent);
	unsigned what = (r->gone_modseq != 0 ? MSG_GONE : 0) |
	    (r->subject_hash != 0 ? MSG_SUBJECT : 0) | (r->kept_mailbox != 0 ? MSG_KEPT : 0);

	if (r->members.len > 0 && rec_member(r->members, 0).mailbox == r->home_mailbox &&
	    rec_member(r->members, 0).uid == r->home_uid)
		what |= MSG_AT_HOME;
	put_u8(b, (uint8_t)what);
	put_u16(b, (uint16_t)(shard >> 48));
	put_varint(b, r->extent ^ shard);
	put_varint(b, r->thread ^ shard);
	put_varint(b, r->size);
	if (what & MSG_SUBJECT)
		put_u64(b, r->subject_hash);
	buf_add(b, r->sha256, sizeof(r->sha256));
	put_varint(b, zigzag(r->received_s));
	put_varint(b, zigzag((int64_t)((uint64_t)r->saved_s - (uint64_t)r->received_s)));
	put_u16(b, (uint16_t)r->received_zone);
	if (!(what & MSG_AT_HOME)) {
		put_varint(b, r->home_mailbox ^ shard);
		put_varint(b, r->home_uid);
	}
	if (what & MSG_GONE)
		put_varint(b, r->gone_modseq);
	if (what & MSG_KEPT) {
		put_varint(b, r->kept_mailbox ^ shard);
		put_varint(b, r->kept_no);
	}
	put_span(b, r->thread_keys);
	put_span(b, r->members);
}

static bool
message_lists_good(const struct rec_message *m)
{
	return m->members.len % MEMBER_BYTES == 0 && m->thread_keys.len % 8 == 0;
}

static bool
message_get_1(struct span p, struct rec_message *m)
{
	struct reader r;
	struct span sha;

	start(&r, p);
	m->extent = get_u64(&r);
	m->thread = get_u64(&r);
	m->size = get_varint(&r);
	m->subject_hash = get_u64(&r);
	sha = get_raw(&r, sizeof(m->sha256));
	m->received_s = (int64_t)get_u64(&r);
	m->saved_s = (int64_t)get_u64(&r);
	m->received_zone = (int16_t)get_u16(&r);
	m->home_mailbox = get_u64(&r);
	m->home_uid = get_u32(&r);
	m->gone_modseq = get_u64(&r);
	m->kept_mailbox = 0;
	m->kept_no = 0;
	m->thread_keys = get_span(&r);
	m->members = get_span(&r);
	if (!reader_done(&r) || !message_lists_good(m))
		return false;
	memcpy(m->sha256, sha.p, sizeof(m->sha256));
	return true;
}

static bool
message_get_2(struct span p, struct rec_message *m)
{
	uint64_t shard, home_uid = 0;
	struct reader r;
	struct span sha;
	unsigned what;

	start(&r, p);
	what = get_u8(&r);
	shard = (uint64_t)get_u16(&r) << 48;
	m->extent = get_varint(&r) ^ shard;
	m->thread = get_varint(&r) ^ shard;
	m->size = get_varint(&r);
	m->subject_hash = what & MSG_SUBJECT ? get_u64(&r) : 0;
	sha = get_raw(&r, sizeof(m->sha256));
	m->received_s = unzigzag(get_varint(&r));
	m->saved_s = (int64_t)((uint64_t)unzigzag(get_varint(&r)) + (uint64_t)m->received_s);
	m->received_zone = (int16_t)get_u16(&r);
	if (!(what & MSG_AT_HOME)) {
		m->home_mailbox = get_varint(&r) ^ shard;
		home_uid = get_varint(&r);
	}
	m->gone_modseq = what & MSG_GONE ? get_varint(&r) : 0;
	m->kept_mailbox = what & MSG_KEPT ? get_varint(&r) ^ shard : 0;
	m->kept_no = what & MSG_KEPT ? get_varint32(&r) : 0;
	m->thread_keys = get_span(&r);
	m->members = get_span(&r);
	if (!reader_done(&r) || !message_lists_good(m) || home_uid > UINT32_MAX ||
	    ((what & MSG_AT_HOME) && m->members.len == 0))
		return false;
	m->home_uid = (uint32_t)home_uid;
	if (what & MSG_AT_HOME) {
		m->home_mailbox = rec_member(m->members, 0).mailbox;
		m->home_uid = rec_member(m->members, 0).uid;
	}
	memcpy(m->sha256, sha.p, sizeof(m->sha256));
	return true;
}

bool
rec_message_get(struct span p, struct rec_message *m)
{
	return rec_version(p) == 1 ? message_get_1(p, m) : message_get_2(p, m);
}

void
rec_extent_put(struct buf *b, const struct rec_extent *r)
{
	put_u32(b, r->refs);
	put_varint(b, r->stored);
	put_span(b, r->locs);
}

bool
rec_extent_get(struct span p, struct rec_extent *e)
{
	struct reader r;

	start(&r, p);
	e->refs = get_u32(&r);
	e->stored = get_varint(&r);
	e->locs = get_span(&r);
	return reader_done(&r) && e->locs.len % LOC_BYTES == 0;
}

/* In the byte of the kind, since version 2; nobody asks about the time before, for JMAP came with
 * it. */
#define CHANGE_WAS 0x80u

void
rec_change_put(struct buf *b, const struct rec_change *r)
{
	put_u8(b, (uint8_t)(r->kind | (r->was ? CHANGE_WAS : 0)));
	put_u64(b, r->message);
	put_u64(b, r->thread);
	if (r->kind != CHANGE_CREATED) {
		put_varint(b, r->old_modseq);
		put_varint(b, r->old_flags.w[0]);
		put_varint(b, r->old_flags.w[1]);
	}
	if (r->dated) {
		put_u64(b, (uint64_t)r->old_received_s);
		put_u16(b, (uint16_t)r->old_received_zone);
	}
}

bool
rec_change_get(struct span p, struct rec_change *c)
{
	struct reader r;
	uint8_t kind;

	start(&r, p);
	kind = get_u8(&r);
	*c = (struct rec_change){ .kind = kind & (uint8_t)~CHANGE_WAS,
		.was = (kind & CHANGE_WAS) != 0 };
	c->message = get_u64(&r);
	c->thread = get_u64(&r);
	if (c->kind != CHANGE_CREATED) {
		c->old_modseq = get_varint(&r);
		c->old_flags.w[0] = get_varint(&r);
		c->old_flags.w[1] = get_varint(&r);
	}
	if (c->kind == CHANGE_DESTROYED && reader_left(&r) > 0) {
		c->dated = true;
		c->old_received_s = (int64_t)get_u64(&r);
		c->old_received_zone = (int16_t)get_u16(&r);
	}
	return reader_done(&r) && c->kind >= CHANGE_CREATED && c->kind <= CHANGE_DESTROYED;
}

void
rec_mchange_put(struct buf *b, const struct rec_mchange *r)
{
	put_u8(b, r->kind);
	put_u64(b, r->old_parent);
	put_u8(b, r->old_role);
	put_span(b, r->old_name);
	if (r->old_order > 0)
		put_varint(b, r->old_order);
}

bool
rec_mchange_get(struct span p, struct rec_mchange *c)
{
	struct reader r;

	start(&r, p);
	c->kind = get_u8(&r);
	c->old_parent = get_u64(&r);
	c->old_role = get_u8(&r);
	c->old_name = get_span(&r);
	c->old_order = reader_left(&r) > 0 ? get_varint32(&r) : 0;
	return reader_done(&r) && c->kind >= CHANGE_CREATED && c->kind <= CHANGE_DESTROYED;
}

void
rec_stage_put(struct buf *b, const struct rec_stage *r)
{
	put_u8(b, r->phase);
	put_u8(b, r->move);
	put_u64(b, r->from);
	put_u64(b, r->to);
	put_u32(b, r->part);
	put_u32(b, r->base);
	put_u32(b, r->count);
	put_u32(b, r->unseen);
	put_u32(b, r->deleted);
	put_u64(b, r->deleted_bytes);
	put_u64(b, r->bytes);
	put_u64(b, r->modseq);
	put_span(b, r->uids);
}

bool
rec_stage_get(struct span p, struct rec_stage *s)
{
	struct reader r;

	start(&r, p);
	s->phase = get_u8(&r);
	s->move = get_u8(&r) != 0;
	s->from = get_u64(&r);
	s->to = get_u64(&r);
	s->part = get_u32(&r);
	s->base = get_u32(&r);
	s->count = get_u32(&r);
	s->unseen = get_u32(&r);
	s->deleted = get_u32(&r);
	s->deleted_bytes = get_u64(&r);
	s->bytes = get_u64(&r);
	s->modseq = get_u64(&r);
	s->uids = get_span(&r);
	return reader_done(&r) && (s->phase == STAGE_OPEN || s->phase == STAGE_MOVED);
}

void
rec_history_put(struct buf *b, const struct rec_history *r)
{
	put_u8(b, r->kind);
	put_u64(b, (uint64_t)r->time_ms);
	put_varint(b, r->who);
	put_span(b, r->mailboxes);
	if (r->kind == OP_METADATA_NOTED || r->names.p != NULL) {
		put_varint(b, r->noted);
		put_span(b, r->names);
	}
}

bool
rec_history_get(struct span p, struct rec_history *h)
{
	struct reader r;

	start(&r, p);
	h->kind = get_u8(&r);
	h->time_ms = (int64_t)get_u64(&r);
	h->who = get_varint(&r);
	h->mailboxes = get_span(&r);
	h->noted = 0;
	h->names = SPAN_NONE;
	if (h->kind == OP_METADATA_NOTED || reader_left(&r) > 0) {
		h->noted = get_varint(&r);
		h->names = get_span(&r);
	}
	return reader_done(&r) && h->mailboxes.len % 8 == 0;
}

void
rec_quarantine_put(struct buf *b, const struct rec_quarantine *r)
{
	put_u64(b, (uint64_t)r->time_ms);
	put_span(b, r->table);
	put_span(b, r->key);
	put_span(b, r->bytes);
	put_span(b, r->why);
}

bool
rec_quarantine_get(struct span p, struct rec_quarantine *q)
{
	struct reader r;

	start(&r, p);
	q->time_ms = (int64_t)get_u64(&r);
	q->table = get_span(&r);
	q->key = get_span(&r);
	q->bytes = get_span(&r);
	q->why = get_span(&r);
	return reader_done(&r);
}
