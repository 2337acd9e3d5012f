/* A hash over what an account holds, in a fixed order and of logical fields only:
 *
 *	account		limits, keywords by bit, subscriptions sorted by path
 *	mailbox		by id: id, parent, name, role, uidvalidity, uidnext
 *	membership	by uid: uid, message, thread, modseq, flags, size, received, zone, saved
 *	message		once for each membership: SHA-256
 *	annotation	of the account and of each mailbox: reader, name, value; of each
 *			membership: uid, reader, entry, value
 *	unique-id	of POP3, brought along: uid, text
 *	ACL, \Seen	of each mailbox: its entries; by reader, the marks
 *
 * A mailbox's hash covers its memberships; the root covers the mailboxes' hashes.  Not
 * in it: counters (state_check() recounts them), positions of bodies, caches, history. */
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

/* Those that are there: rows that are staged, or left behind by a move, are no memberships. */
static enum status
hash_rows(struct state *s, uint64_t account, uint64_t mailbox, struct digest *d)
{
	struct engine_cursor *c = NULL;
	struct buf b = { 0 }, value = { 0 };
	struct span key, payload;
	struct uidset there = { 0 };
	struct rec_index x;
	struct key k;
	enum status st;

	st = state_uids(s, account, mailbox, STATE_ALL, &there);
	key_2(&k, account, mailbox);
	if (st == ST_OK)
		st = engine_cursor_open(s->e, NULL, TAB_MINDEX, key_span(&k), &c);
	if (st != ST_OK) {
		uidset_fini(&there);
		return st;
	}
	while ((st = st_next(s, TAB_MINDEX, c, &key, &payload)) == ST_OK) {
		if (!uidset_has(&there, get_be32(key.p + 16)))
			continue;
		if (!rec_index_get(payload, &x)) {
			st = st_damaged(s, TAB_MINDEX, key);
			break;
		}
		put_u32(&b, get_be32(key.p + 16));
		put_u64(&b, x.message);
		put_u64(&b, x.thread);
		put_u64(&b, x.modseq);
		put_u64(&b, x.flags.w[0]);
		put_u64(&b, x.flags.w[1]);
		put_u32(&b, x.size);
		put_u64(&b, (uint64_t)x.received_s);
		put_u16(&b, (uint16_t)x.received_zone);
		put_u64(&b, (uint64_t)x.saved_s);
		st = message_sha(s, account, x.message, &value, &b);
		if (st != ST_OK)
			break;
		add(d, &b);
	}
	engine_cursor_close(&c);
	uidset_fini(&there);
	buf_fini(&b);
	buf_fini(&value);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

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

/* Of messages: those that are there, as hash_rows() has them. */
static enum status
hash_annotations(struct state *s, uint64_t account, uint64_t mailbox, struct digest *d)
{
	struct engine_cursor *c = NULL;
	struct buf b = { 0 };
	struct span key, payload;
	struct uidset there = { 0 };
	struct key k;
	enum status st = state_uids(s, account, mailbox, STATE_ALL, &there);

	key_2(&k, account, mailbox);
	if (st == ST_OK)
		st = engine_cursor_open(s->e, NULL, TAB_ANNOTATION, key_span(&k), &c);
	while (st == ST_OK && (st = st_next(s, TAB_ANNOTATION, c, &key, &payload)) == ST_OK) {
		if (!uidset_has(&there, get_be32(key.p + 16)))
			continue;
		put_span(&b, span_sub(key, 16, key.len));
		put_span(&b, payload);
		add(d, &b);
	}
	engine_cursor_close(&c);
	uidset_fini(&there);
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

static enum status
hash_mailbox(struct state *s, uint64_t account, uint64_t id, const struct rec_mailbox *m,
    struct digest *root)
{
	unsigned char leaf[SHA256_LEN];
	struct digest *d = digest_new(DIGEST_SHA256);
	struct buf b = { 0 };
	enum status st;

	put_u64(&b, id);
	put_u64(&b, m->parent);
	put_span(&b, m->name);
	put_u8(&b, m->role);
	put_u32(&b, m->uidvalidity);
	put_u32(&b, m->uidnext);
	add(d, &b);
	st = hash_rows(s, account, id, d);
	if (st == ST_OK)
		st = hash_table(s, TAB_METADATA, account, id, d);
	if (st == ST_OK)
		st = hash_table(s, TAB_UIDL, account, id, d);
	if (st == ST_OK)
		st = hash_acl(s, account, id, d);
	if (st == ST_OK)
		st = hash_url_key(s, account, id, d);
	if (st == ST_OK)
		st = hash_table(s, TAB_RSEEN, account, id, d);
	if (st == ST_OK && m->annotations > 0)
		st = hash_annotations(s, account, id, d);
	digest_done(d, leaf);
	digest_add(root, leaf, sizeof(leaf));
	digest_free(&d);
	buf_fini(&b);
	return st;
}

static enum status
hash_mailboxes(struct state *s, uint64_t account, struct digest *root)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct rec_mailbox m;
	struct key k;
	enum status st;

	key_1(&k, account);
	TRY(engine_cursor_open(s->e, NULL, TAB_MAILBOX, key_span(&k), &c));
	while ((st = st_next(s, TAB_MAILBOX, c, &key, &payload)) == ST_OK) {
		if (!rec_mailbox_get(payload, &m))
			st = st_damaged(s, TAB_MAILBOX, key);
		else if (m.deleted_ms == 0)
			st = hash_mailbox(s, account, get_be64(key.p + 8), &m, root);
		if (st != ST_OK)
			break;
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

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

enum status
state_hash(struct state *s, uint64_t account, unsigned char out[32])
{
	struct digest *root;
	struct rec_account a;
	struct buf b = { 0 };
	enum status st;

	TRY(st_read_account(s, NULL, account, &a));
	root = digest_new(DIGEST_SHA256);
	put_u64(&b, a.bytes_limit);
	put_u64(&b, a.messages_limit);
	put_u64(&b, a.mailboxes_limit);
	state_keywords(s, account, 0, &b);
	add(root, &b);
	st = hash_sorted(s, account, TAB_SUBSCR, root);
	if (st == ST_OK)
		st = hash_table(s, TAB_METADATA, account, 0, root);
	if (st == ST_OK)
		st = hash_mailboxes(s, account, root);
	digest_done(root, out);
	digest_free(&root);
	buf_fini(&b);
	return st;
}
