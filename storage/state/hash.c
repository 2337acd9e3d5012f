/* The root of an account: a tree of SHA-256 over what it holds, in a fixed order and of logical
 * fields only, so that two copies can be compared down to a block of 256 uids of a mailbox.
 * doc/storage.md says it byte for byte.
 *
 *	root		"mansio account 1"; limits, keywords by bit, subscriptions sorted by path,
 *			annotations; scripts, remembered keys and the outgoing queue, where there are any;
 *			of each mailbox by id: id, its hash
 *	mailbox		"mansio mailbox 1"; its head; of each block with members: number, its hash
 *	head		"mansio head 1"; id, parent, name, role, uidvalidity, uidnext, sort order if
 *			there is one; annotations, ACL, access key, \Seen of readers
 *	block		"mansio block 1"; of each member by uid: uid, message, thread, modseq,
 *			flags, size, received, zone, saved, SHA-256 of the message; its unique-id of
 *			POP3; its annotations
 *
 * Not in it: counters (fsck recounts them), positions of bodies, caches, history, uploads. */
#include <stdlib.h>

#include "common/crypto/digest.h"
#include "common/util/mem.h"
#include "storage/state/state_priv.h"

static void
add(struct digest *d, struct buf *b)
{
	digest_add(d, b->data, b->len);
	buf_clear(b);
}

static enum status
message_sha(struct state *s, uint64_t account, uint64_t id, struct buf *value, struct buf *out)
{
	struct rec_message m;
	struct span payload;
	struct key k;

	key_2(&k, account, id);
	TRY(st_get(s, NULL, TAB_MESSAGE, &k, value, &payload));
	if (!rec_message_get(payload, &m))
		return st_damaged(s, TAB_MESSAGE, key_span(&k));
	buf_add(out, m.sha256, sizeof(m.sha256));
	return ST_OK;
}

/* ---- a block ---- */

/* What is staged, or left behind by a move, is no membership. */
struct hidden {
	struct rec_stage	rec;		/* phase 0: nothing is staged */
	struct uidset		uids;
};

static enum status
hidden_load(struct state *s, uint64_t account, bool staged, struct hidden *h)
{
	struct buf value = { 0 };
	struct span payload;
	struct reader r;
	struct key k;
	enum status st;

	*h = (struct hidden){ .rec.phase = 0 };
	if (!staged)
		return ST_OK;
	key_1(&k, account);
	st = st_get(s, NULL, TAB_STAGE, &k, &value, &payload);
	if (st == ST_OK && !rec_stage_get(payload, &h->rec))
		st = st_damaged(s, TAB_STAGE, key_span(&k));
	if (st == ST_OK) {
		reader_init(&r, h->rec.uids.p, h->rec.uids.len);
		if (!uidset_decode(&h->uids, &r, SIZE_MAX))
			st = st_damaged(s, TAB_STAGE, key_span(&k));
	}
	h->rec.uids = SPAN_NONE;
	buf_fini(&value);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static bool
is_hidden(const struct hidden *h, uint64_t mailbox, uint32_t uid)
{
	if (h->rec.phase == STAGE_OPEN)
		return mailbox == h->rec.to && uid >= h->rec.base;
	return h->rec.phase == STAGE_MOVED && mailbox == h->rec.from && uidset_has(&h->uids, uid);
}

/* Values of a membership that are rows of their own, below its key. */
static enum status
add_rows(struct state *s, enum tab t, struct span member, struct buf *out)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	enum status st;

	TRY(engine_cursor_open(s->e, NULL, t, member, &c));
	engine_cursor_bulk(c, 4096);
	while ((st = st_next(s, t, c, &key, &payload)) == ST_OK) {
		put_span(out, span_sub(key, member.len, key.len));
		put_span(out, payload);
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status
add_member(struct state *s, const struct hash_what *w, struct span key,
    const struct rec_index *x, struct buf *value, struct buf *out)
{
	struct buf rows = { 0 };
	enum status st;

	put_u32(out, get_be32(key.p + 16));
	put_u64(out, x->message);
	put_u64(out, x->thread);
	put_u64(out, x->modseq);
	put_u64(out, x->flags.w[0]);
	put_u64(out, x->flags.w[1]);
	put_u32(out, x->size);
	put_u64(out, (uint64_t)x->received_s);
	put_u16(out, (uint16_t)x->received_zone);
	put_u64(out, (uint64_t)x->saved_s);
	st = message_sha(s, w->account, x->message, value, out);
	if (st == ST_OK && w->uidls)
		st = add_rows(s, TAB_UIDL, key, &rows);
	put_span(out, buf_span(&rows));
	buf_clear(&rows);
	if (st == ST_OK && w->annotations)
		st = add_rows(s, TAB_ANNOTATION, key, &rows);
	put_span(out, buf_span(&rows));
	buf_fini(&rows);
	return st;
}

/* From the cursor to the end of the first block that has members. */
static enum status
hash_cursor(struct state *s, const struct hash_what *w, const struct hidden *h,
    struct engine_cursor *c, uint32_t *block, struct digest *d)
{
	struct buf b = { 0 }, value = { 0 };
	struct span key, payload;
	struct rec_index x;
	bool some = false;
	enum status st;

	while ((st = st_next(s, TAB_MINDEX, c, &key, &payload)) == ST_OK) {
		uint32_t uid = get_be32(key.p + 16);

		if (some && uid / BLOCK_UIDS != *block)
			break;
		if (is_hidden(h, w->mailbox, uid))
			continue;
		if (!rec_index_get(payload, &x))
			st = st_damaged(s, TAB_MINDEX, key);
		some = true;
		*block = uid / BLOCK_UIDS;
		if (st == ST_OK)
			st = add_member(s, w, key, &x, &value, &b);
		if (st != ST_OK)
			break;
		add(d, &b);
	}
	buf_fini(&b);
	buf_fini(&value);
	return st == ST_NOT_FOUND && some ? ST_OK : st;
}

enum status
hash_block(struct state *s, const struct hash_what *w, uint32_t from, uint32_t *block,
    unsigned char out[SHA256_LEN])
{
	static const char tag[] = "mansio block 1";
	struct engine_cursor *c = NULL;
	struct digest *d;
	struct hidden h;
	struct key k;
	enum status st;

	TRY(hidden_load(s, w->account, w->staged, &h));
	key_2(&k, w->account, w->mailbox);
	st = engine_cursor_open(s->e, NULL, TAB_MINDEX, key_span(&k), &c);
	if (st != ST_OK) {
		uidset_fini(&h.uids);
		return st;
	}
	engine_cursor_bulk(c, 32u << 10);
	key_uid(&k, w->account, w->mailbox, from * BLOCK_UIDS);
	engine_cursor_seek(c, key_span(&k));
	d = digest_new(DIGEST_SHA256);
	digest_add(d, tag, sizeof(tag) - 1);
	st = hash_cursor(s, w, &h, c, block, d);
	digest_done(d, out);
	digest_free(&d);
	engine_cursor_close(&c);
	uidset_fini(&h.uids);
	return st;
}

/* ---- a mailbox ---- */

/* Rows of a mailbox as they are, with what follows it in their keys. */
static enum status
hash_table(struct state *s, enum tab t, uint64_t account, uint64_t mailbox, struct digest *d)
{
	struct engine_cursor *c = NULL;
	struct buf b = { 0 };
	struct span key, payload;
	struct key k;
	enum status st;

	key_2(&k, account, mailbox);
	TRY(engine_cursor_open(s->e, NULL, t, key_span(&k), &c));
	while ((st = st_next(s, t, c, &key, &payload)) == ST_OK) {
		put_span(&b, span_sub(key, 16, key.len));
		put_span(&b, payload);
		add(d, &b);
	}
	engine_cursor_close(&c);
	buf_fini(&b);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* With whom it is shared. */
static enum status
hash_acl(struct state *s, uint64_t account, uint64_t mailbox, struct digest *d)
{
	struct buf b = { 0 };
	enum status st = state_acl(s, account, mailbox, &b);

	add(d, &b);
	buf_fini(&b);
	return st;
}

/* By what its key makes of nothing: what is printed must not hold the key. */
static enum status
hash_url_key(struct state *s, uint64_t account, uint64_t mailbox, struct digest *d)
{
	unsigned char sum[SHA256_LEN];
	struct buf b = { 0 };
	enum status st = state_url_key_sum(s, account, mailbox, sum);

	if (st == ST_OK) {
		buf_add(&b, sum, sizeof(sum));
		add(d, &b);
	}
	buf_fini(&b);
	return st == ST_EXPIRED ? ST_OK : st;
}

enum status
hash_head(struct state *s, uint64_t account, uint64_t id, struct hash_what *w,
    unsigned char out[SHA256_LEN])
{
	static const char tag[] = "mansio head 1";
	struct buf b = { 0 }, value = { 0 };
	struct rec_mailbox m;
	struct digest *d;
	enum status st = st_read_mailbox(s, NULL, account, id, &m, &value);

	if (st == ST_OK && m.deleted_ms != 0)
		st = ST_NOT_FOUND;
	if (st != ST_OK) {
		buf_fini(&value);
		return st;
	}
	w->mailbox = id;
	w->annotations = m.annotations > 0;
	d = digest_new(DIGEST_SHA256);
	buf_add_str(&b, tag);
	put_u64(&b, id);
	put_u64(&b, m.parent);
	put_span(&b, m.name);
	put_u8(&b, m.role);
	put_u32(&b, m.uidvalidity);
	put_u32(&b, m.uidnext);
	if (m.order != 0) {
		put_span(&b, SPAN_LIT("order"));
		put_u32(&b, m.order);
	}
	add(d, &b);
	st = hash_table(s, TAB_METADATA, account, id, d);
	if (st == ST_OK)
		st = hash_acl(s, account, id, d);
	if (st == ST_OK)
		st = hash_url_key(s, account, id, d);
	if (st == ST_OK)
		st = hash_table(s, TAB_RSEEN, account, id, d);
	digest_done(d, out);
	digest_free(&d);
	buf_fini(&b);
	buf_fini(&value);
	return st;
}

struct digest *
hash_mailbox_begin(const unsigned char head[SHA256_LEN])
{
	static const char tag[] = "mansio mailbox 1";
	struct digest *d = digest_new(DIGEST_SHA256);

	digest_add(d, tag, sizeof(tag) - 1);
	digest_add(d, head, SHA256_LEN);
	return d;
}

void
hash_mailbox_block(struct digest *d, uint32_t block, const unsigned char hash[SHA256_LEN])
{
	unsigned char no[4];

	put_be32(no, block);
	digest_add(d, no, sizeof(no));
	digest_add(d, hash, SHA256_LEN);
}

void
hash_account_mailbox(struct digest *root, uint64_t id, const unsigned char hash[SHA256_LEN])
{
	unsigned char be[8];

	put_be64(be, id);
	digest_add(root, be, sizeof(be));
	digest_add(root, hash, SHA256_LEN);
}

/* ST_NOT_FOUND: it is deleted. */
static enum status
hash_mailbox(struct state *s, struct hash_what *w, uint64_t id, struct digest *root)
{
	unsigned char hash[SHA256_LEN];
	struct digest *d;
	uint32_t block = 0;
	enum status st;

	TRY(hash_head(s, w->account, id, w, hash));
	d = hash_mailbox_begin(hash);
	for (uint32_t from = 0; (st = hash_block(s, w, from, &block, hash)) == ST_OK;
	    from = block + 1)
		hash_mailbox_block(d, block, hash);
	digest_done(d, hash);
	digest_free(&d);
	if (st == ST_NOT_FOUND) {
		hash_account_mailbox(root, id, hash);
		st = ST_OK;
	}
	return st;
}

static enum status
hash_mailboxes(struct state *s, struct hash_what *w, struct digest *root)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct key k;
	enum status st;

	key_1(&k, w->account);
	TRY(engine_cursor_open(s->e, NULL, TAB_MAILBOX, key_span(&k), &c));
	while ((st = st_next(s, TAB_MAILBOX, c, &key, &payload)) == ST_OK) {
		st = hash_mailbox(s, w, get_be64(key.p + 8), root);
		if (st != ST_OK && st != ST_NOT_FOUND)
			break;
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* ---- an account ---- */

static int
by_bytes(const void *a, const void *b)
{
	return span_cmp(*(const struct span *)a, *(const struct span *)b);
}

/* Rows of a table below the account, by value. */
static enum status
hash_sorted(struct state *s, uint64_t account, enum tab t, struct digest *root)
{
	struct engine_cursor *c = NULL;
	struct buf all = { 0 }, out = { 0 };
	struct span key, payload, *list;
	struct reader r;
	struct key k;
	size_t n = 0;
	enum status st;

	key_1(&k, account);
	TRY(engine_cursor_open(s->e, NULL, t, key_span(&k), &c));
	while ((st = st_next(s, t, c, &key, &payload)) == ST_OK) {
		put_span(&all, payload);
		n++;
	}
	engine_cursor_close(&c);
	list = mem_array(n + 1, sizeof(*list));
	reader_init(&r, all.data, all.len);
	for (size_t i = 0; i < n; i++)
		list[i] = get_span(&r);
	qsort(list, n, sizeof(*list), by_bytes);
	put_u64(&out, n);
	for (size_t i = 0; i < n; i++)
		put_span(&out, list[i]);
	add(root, &out);
	mem_free(&list);
	buf_fini(&all);
	buf_fini(&out);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* Rows of a table below the account, when there are any: its name, then of each what follows the
 * account in its key, and the value. */
static enum status
hash_named(struct state *s, uint64_t account, enum tab t, struct digest *root)
{
	struct engine_cursor *c = NULL;
	struct store_queue_entry e;
	struct buf b = { 0 };
	struct span key, payload;
	struct reader r;
	bool some = false;
	struct key k;
	enum status st;

	key_1(&k, account);
	TRY(engine_cursor_open(s->e, NULL, t, key_span(&k), &c));
	while ((st = st_next(s, t, c, &key, &payload)) == ST_OK) {
		if (!some)
			put_span(&b, span_str(state_tables[t]));
		some = true;
		put_span(&b, span_sub(key, 8, key.len));
		reader_init(&r, payload.p, payload.len);
		if (t == TAB_QUEUE && get_store_queue_entry(&r, &e)) {
			e.extent = 0;		/* which of the shard's bodies it is */
			put_store_queue_entry(&b, &e);
		} else {
			put_span(&b, payload);
		}
		add(root, &b);
	}
	engine_cursor_close(&c);
	buf_fini(&b);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status
hash_account_begin(struct state *s, uint64_t account, struct hash_what *w, struct digest **root)
{
	static const char tag[] = "mansio account 1";
	struct rec_account a;
	struct buf b = { 0 };
	enum status st;

	TRY(st_read_account(s, NULL, account, &a));
	*w = (struct hash_what){ .account = account, .uidls = a.uidls > 0, .staged = a.stage };
	*root = digest_new(DIGEST_SHA256);
	buf_add_str(&b, tag);
	put_u64(&b, a.bytes_limit);
	put_u64(&b, a.messages_limit);
	put_u64(&b, a.mailboxes_limit);
	st = state_keywords(s, account, 0, &b);
	add(*root, &b);
	if (st == ST_OK)
		st = hash_sorted(s, account, TAB_SUBSCR, *root);
	if (st == ST_OK)
		st = hash_table(s, TAB_METADATA, account, 0, *root);
	if (st == ST_OK)
		st = hash_named(s, account, TAB_SCRIPT, *root);
	if (st == ST_OK)
		st = hash_named(s, account, TAB_SIEVEKEY, *root);
	if (st == ST_OK)
		st = hash_named(s, account, TAB_QUEUE, *root);
	if (st != ST_OK)
		digest_free(root);
	buf_fini(&b);
	return st;
}

enum status
state_hash(struct state *s, uint64_t account, unsigned char out[32])
{
	struct digest *root = NULL;
	struct hash_what w;
	enum status st;

	TRY(hash_account_begin(s, account, &w, &root));
	st = hash_mailboxes(s, &w, root);
	digest_done(root, out);
	digest_free(&root);
	return st;
}
