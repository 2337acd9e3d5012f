/* Threads: messages that name a message-id in common and have the same base subject
 * (RFC 8621 §3).  The first of a message's keys that is known decides; threads are never
 * merged, so a THREADID stays for ever. */
#include "storage/state/state_priv.h"

static bool
seen_before(struct span keys, size_t i)
{
	for (size_t k = 0; k < i; k += 8)
		if (get_be64(keys.p + k) == get_be64(keys.p + i))
			return true;
	return false;
}

static enum status
key_row(struct apply *ap, struct span keys, size_t i, uint64_t subject, struct key *k,
    uint64_t *thread, uint32_t *refs)
{
	struct span payload;
	struct reader r;
	enum status st;

	*thread = 0;
	*refs = 0;
	key_3(k, ap->a->id, get_be64(keys.p + i), subject);
	st = st_get(ap->s, ap->s->txn, TAB_THREADKEY, k, &ap->s->value, &payload);
	if (st == ST_NOT_FOUND)
		return ST_OK;
	TRY(st);
	reader_init(&r, payload.p, payload.len);
	*thread = get_u64(&r);
	*refs = get_u32(&r);
	return reader_done(&r) ? ST_OK : st_damaged(ap->s, TAB_THREADKEY, key_span(k));
}

static enum status
key_write(struct apply *ap, const struct key *k, uint64_t thread, uint32_t refs)
{
	struct buf *b;

	if (refs == 0)
		return st_del(ap->s, TAB_THREADKEY, k);
	b = st_put_start(ap->s);
	put_u64(b, thread);
	put_u32(b, refs);
	return st_put(ap->s, TAB_THREADKEY, k);
}

enum status
thread_join(struct apply *ap, struct span keys, uint64_t subject, uint64_t message,
    uint64_t *thread)
{
	uint64_t row_thread[STORE_THREAD_KEYS_MAX];
	uint32_t refs[STORE_THREAD_KEYS_MAX];
	struct key k;

	for (size_t i = 0; i < keys.len; i += 8) {
		TRY(key_row(ap, keys, i, subject, &k, &row_thread[i / 8], &refs[i / 8]));
		if (*thread == 0)
			*thread = row_thread[i / 8];
	}
	if (*thread == 0)
		*thread = st_new_id(ap->s);
	for (size_t i = 0; i < keys.len; i += 8) {
		if (seen_before(keys, i))
			continue;
		key_3(&k, ap->a->id, get_be64(keys.p + i), subject);
		TRY(key_write(ap, &k, refs[i / 8] > 0 ? row_thread[i / 8] : *thread,
		    refs[i / 8] + 1));
	}
	key_3(&k, ap->a->id, *thread, message);
	st_put_start(ap->s);
	return st_put(ap->s, TAB_THREAD, &k);
}

enum status
thread_leave(struct apply *ap, const struct message *msg)
{
	struct span keys = msg->rec.thread_keys;
	uint64_t thread;
	uint32_t refs;
	struct key k;

	for (size_t i = 0; i < keys.len; i += 8) {
		if (seen_before(keys, i))
			continue;
		TRY(key_row(ap, keys, i, msg->rec.subject_hash, &k, &thread, &refs));
		if (refs == 0)
			return st_damaged(ap->s, TAB_THREADKEY, key_span(&k));
		TRY(key_write(ap, &k, thread, refs - 1));
	}
	key_3(&k, ap->a->id, msg->rec.thread, msg->id);
	return st_del(ap->s, TAB_THREAD, &k);
}
