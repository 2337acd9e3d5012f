/* Sums over rows, kept exact while rows change, and what is compared with them.
 *
 * Who refers to a thread key or an extent is not listed anywhere but in the messages.  Each
 * reference adds a hash of what it names to one of 1,024 sums, each row takes it away as
 * often as it counts: what is not nought then is counted exactly in a second walk. */
#include "storage/state/cold.h"
#include "storage/state/fsck_priv.h"

#include <inttypes.h>

#include "common/util/mem.h"
#include "storage/api/store_queue.h"

static uint64_t
mix(uint64_t a, uint64_t b)
{
	static const unsigned char key[16] = "mansio fsck sums";
	unsigned char p[16];

	put_be64(p, a);
	put_be64(p + 8, b);
	return siphash24(key, p, sizeof(p)) | 1;
}

static void
free_value(void *value, void *arg)
{
	(void)arg;
	mem_free(&value);
}

void
fsck_sums_clear(struct state_fsck *f)
{
	for (size_t i = 0; i < N_COUNTS; i++)
		f->n[i] = 0;
	for (size_t i = 0; i < FSCK_BUCKETS; i++)
		f->keys[i] = 0;
	table_fini(&f->boxes, free_value, NULL);
	table_fini(&f->homes, free_value, NULL);
	table_fini(&f->tallies, free_value, NULL);
	f->named = NULL;
}

static struct box_sum *
box_sum(struct state_fsck *f, uint64_t id)
{
	struct box_sum *b = table_get_u64(&f->boxes, id);

	if (b == NULL) {
		b = mem_zalloc(sizeof(*b));
		b->id = id;
		table_put_u64(&f->boxes, id, b);
	}
	return b;
}

/* ---- references ---- */

/* delta of them to (a, b): thread 0: by the row that counts. */
static void
refer(struct state_fsck *f, uint64_t *sums, bool exact, uint64_t a, uint64_t b, uint64_t thread,
    uint64_t delta, bool row)
{
	uint64_t h = mix(a, b);
	struct tally *t;

	if (!exact) {
		sums[h / 2 % FSCK_BUCKETS] += row ? 0 - h * delta : h * delta;
		return;
	}
	if (sums[h / 2 % FSCK_BUCKETS] == 0)
		return;
	t = table_get_u64(&f->tallies, h);
	if (t == NULL) {
		t = mem_zalloc(sizeof(*t));
		t->a = a;
		t->b = b;
		table_put_u64(&f->tallies, h, t);
	}
	if (thread != 0 && t->thread == 0)
		t->thread = thread;
	if (row)
		t->have += delta;
	else
		t->need += delta;
}

static void
sum_thread_keys(struct state_fsck *f, const struct rec_message *m, uint64_t sign)
{
	for (size_t i = 0; i < m->thread_keys.len; i += 8) {
		bool again = false;

		for (size_t j = 0; j < i; j += 8)
			again |= get_be64(m->thread_keys.p + i) == get_be64(m->thread_keys.p + j);
		if (!again)
			refer(f, f->keys, f->at == AT_KEYS, get_be64(m->thread_keys.p + i),
			    m->subject_hash, m->thread, sign, false);
	}
}

void
fsck_sum_shard(struct state_fsck *f, enum tab t, struct span key, struct span payload, int sign)
{
	struct rec_message m;
	struct rec_extent e;
	struct store_queue_entry q;
	struct rec_blob x;
	struct reader r;

	reader_init(&r, payload.p, payload.len);
	if (t == TAB_MESSAGE && rec_message_get(payload, &m))
		refer(f, f->extents, f->at == AT_EXTENTS, m.extent, 0, 0, (uint64_t)(int64_t)sign,
		    false);
	else if (t == TAB_BLOB && rec_blob_get(payload, &x))
		refer(f, f->extents, f->at == AT_EXTENTS, x.extent, 0, 0, (uint64_t)(int64_t)sign,
		    false);
	else if (t == TAB_QUEUE && get_store_queue_entry(&r, &q))
		refer(f, f->extents, f->at == AT_EXTENTS, q.extent, 0, 0, (uint64_t)(int64_t)sign,
		    false);
	else if (t == TAB_EXTENT && rec_extent_get(payload, &e))
		refer(f, f->extents, f->at == AT_EXTENTS, get_be64(key.p), 0, 0,
		    (uint64_t)(int64_t)sign * e.refs, true);
}

static bool
differ(const uint64_t *sums)
{
	bool yes = false;

	for (size_t i = 0; i < FSCK_BUCKETS; i++)
		yes |= sums[i] != 0;
	return yes;
}

bool
fsck_keys_differ(const struct state_fsck *f)
{
	return differ(f->keys);
}

bool
fsck_extents_differ(const struct state_fsck *f)
{
	return differ(f->extents);
}

static struct tally *
first_wrong(struct state_fsck *f)
{
	size_t pos = 0;
	void *v;

	while (table_next(&f->tallies, &pos, NULL, &v)) {
		struct tally *t = v;

		if (t->need != t->have && !t->told)
			return f->named = t;
	}
	return NULL;
}

bool
fsck_name_key(struct state_fsck *f)
{
	struct tally *t = first_wrong(f);
	uint64_t thread;
	struct span p;
	struct buf *b;
	struct key k;

	if (t == NULL)
		return false;
	key_3(&k, f->account, t->a, t->b);
	thread = fsck_look(f, TAB_THREADKEY, &k, &f->v1, &p) == ROW_GOOD && p.len == 12 ?
	    get_be64(p.p) : t->thread;
	fsck_found(f, TAB_THREADKEY, key_span(&k), CURE_ROWS, "counts %" PRIu64
	    " messages that name it, there are %" PRIu64, t->have, t->need);
	if (t->need == 0) {
		fsck_del(f, TAB_THREADKEY, key_span(&k), false, "nobody names it");
		return true;
	}
	b = fsck_put_start(f);
	put_u64(b, thread);
	put_u32(b, (uint32_t)t->need);
	fsck_put(f, TAB_THREADKEY, &k);
	return true;
}

bool
fsck_name_extent(struct state_fsck *f)
{
	struct tally *t = first_wrong(f);
	struct rec_extent e;
	struct span p;
	struct key k;

	if (t == NULL)
		return false;
	key_1(&k, t->a);
	if (fsck_look(f, TAB_EXTENT, &k, &f->v1, &p) != ROW_GOOD || !rec_extent_get(p, &e)) {
		fsck_found(f, TAB_EXTENT, key_span(&k), CURE_REBUILD,
		    "is missing: %" PRIu64 " messages have their body there", t->need);
		return true;
	}
	fsck_found(f, TAB_EXTENT, key_span(&k), CURE_ROWS, "counts %" PRIu64
	    " messages with this body, there are %" PRIu64, t->have, t->need);
	if (t->need == 0) {
		fsck_del(f, TAB_EXTENT, key_span(&k), true, "a body of no message");
		return true;
	}
	e.refs = (uint32_t)t->need;
	rec_extent_put(fsck_put_start(f), &e);
	fsck_put(f, TAB_EXTENT, &k);
	return true;
}

/* ---- rows of an account ---- */

static void
sum_index(struct state_fsck *f, struct span key, struct span payload, uint64_t sign)
{
	struct box_sum *b = box_sum(f, get_be64(key.p + 8));
	struct rec_index x;

	if (!rec_index_get(payload, &x))
		return;
	b->messages += sign;
	b->bytes += sign * x.size;
	if (!(x.flags.w[0] & FLAG_SEEN))
		b->unseen += sign;
	if (x.flags.w[0] & FLAG_DELETED) {
		b->deleted += sign;
		b->deleted_bytes += sign * x.size;
	}
}

static void
sum_mailbox(struct state_fsck *f, struct span payload, uint64_t sign)
{
	struct rec_mailbox m;

	if (!rec_mailbox_get(payload, &m) || m.deleted_ms != 0)
		return;
	f->n[N_MAILBOXES] += sign;
	f->n[N_BYTES] += sign * m.bytes;
	f->n[N_MESSAGES] += sign * m.messages;
}

static void
sum_home(struct state_fsck *f, const struct rec_message *m, int sign)
{
	uint64_t h = mix(m->home_mailbox, m->home_uid);
	uint32_t *n = table_get_u64(&f->homes, h);

	if (n == NULL) {
		n = mem_zalloc(sizeof(*n));
		table_put_u64(&f->homes, h, n);
	}
	*n += (uint32_t)sign;
	if (*n == 0) {
		table_del_u64(&f->homes, h);
		mem_free(&n);
	}
}

bool
fsck_has_home(const struct state_fsck *f, uint64_t mailbox, uint32_t uid)
{
	return table_get_u64(&f->homes, mix(mailbox, uid)) != NULL;
}

static void
sum_message(struct state_fsck *f, struct span payload, int sign)
{
	struct rec_message m;

	if (!rec_message_get(payload, &m))
		return;
	sum_thread_keys(f, &m, (uint64_t)(int64_t)sign);
	if (f->at == AT_KEYS)
		return;
	if (m.gone_modseq != 0)
		f->n[N_KEPT] += (uint64_t)(int64_t)sign * m.size;
	f->n[N_EMAILS] += (uint64_t)(int64_t)sign;
	sum_home(f, &m, sign);
}

static void
sum_annotation(struct state_fsck *f, struct span key, struct span payload, uint64_t sign)
{
	uint64_t bytes = key.len - 28 + payload.len, reader;

	if (key.len <= 28)
		return;
	reader = get_be64(key.p + 20);
	f->n[N_NOTES] += sign * bytes;
	if (reader != 0 && reader != f->account)
		f->n[N_NOTES_OTHERS] += sign * bytes;
	box_sum(f, get_be64(key.p + 8))->notes += sign;
}

static void
sum_old(struct state_fsck *f, struct span payload, uint64_t sign)
{
	uint64_t bytes;

	if (!annotation_old_good(payload, &bytes))
		return;
	f->n[N_OLD_ROWS] += sign;
	f->n[N_OLD_BYTES] += sign * bytes;
}

static void
sum_fresh(struct state_fsck *f, struct span payload, uint64_t s)
{
	struct span row;

	if (cold_in_fresh(payload, COLD_LIST, &row) && row.len > 0)
		f->n[N_LISTS] += s;
	if (cold_in_fresh(payload, COLD_STRUCTURE, &row) && row.len > 0)
		f->n[N_STRUCTS] += s;
}

/* Of the block's messages as its head tells them. */
static void
sum_pack(struct state_fsck *f, struct span key, struct span payload, uint64_t s)
{
	if (key.len != 21 || (uint8_t)key.p[16] != COLD_HEAD || payload.len != 8)
		return;
	f->n[N_LISTS] += s * (uint64_t)__builtin_popcount(get_be32(payload.p));
	f->n[N_STRUCTS] += s * (uint64_t)__builtin_popcount(get_be32(payload.p));
}

void
fsck_sum(struct state_fsck *f, enum tab t, struct span key, struct span payload, int sign)
{
	uint64_t s = (uint64_t)(int64_t)sign;

	switch (t) {
	case TAB_MAILBOX: sum_mailbox(f, payload, s); break;
	case TAB_MINDEX: sum_index(f, key, payload, s); break;
	case TAB_MESSAGE: sum_message(f, payload, sign); break;
	case TAB_THREADKEY:
		if (payload.len == 12)
			refer(f, f->keys, f->at == AT_KEYS, get_be64(key.p + 8),
			    get_be64(key.p + 16), 0, s * get_be32(payload.p + 8), true);
		break;
	case TAB_MBOXNAME: f->n[N_NAMES] += s; break;
	case TAB_KEYWORD: f->n[N_KEYWORDS] += s; break;
	case TAB_UIDL: f->n[N_UIDLS] += s; break;
	case TAB_METADATA: f->n[N_METADATA] += s * (key.len - 24 + payload.len); break;
	case TAB_STAGE: f->n[N_STAGES] += s; break;
	case TAB_SIEVEKEY: f->n[N_SIEVE_KEYS] += s; break;
	case TAB_MLIST: f->n[N_LISTS] += s; break;
	case TAB_FRESH: sum_fresh(f, payload, s); break;
	case TAB_PACK: sum_pack(f, key, payload, s); break;
	case TAB_MSTRUCT: f->n[N_STRUCTS] += s; break;
	case TAB_ANNOTATION: sum_annotation(f, key, payload, s); break;
	case TAB_ANNLOG: sum_old(f, payload, s); break;
	default: break;
	}
}

/* ---- what is kept beside what it counts ---- */

void
fsck_compare_mailbox(struct state_fsck *f, struct span key, struct span payload)
{
	static const struct box_sum nothing = { .id = 0 };
	const struct box_sum *n = table_get_u64(&f->boxes, get_be64(key.p + 8));
	struct rec_mailbox m;

	if (n == NULL)
		n = &nothing;
	if (!rec_mailbox_get(payload, &m))
		return;
	if (n->messages == m.messages && n->unseen == m.unseen && n->deleted == m.deleted &&
	    n->bytes == m.bytes && n->deleted_bytes == m.deleted_bytes && n->notes == m.annotations)
		return;
	fsck_found(f, TAB_MAILBOX, key, n->lost ? CURE_REBUILD : CURE_ROWS,
	    "counters: messages %u/%" PRIu64 ", unseen %u/%" PRIu64 ", deleted %u/%" PRIu64
	    ", bytes %" PRIu64 "/%" PRIu64 ", of deleted %" PRIu64 "/%" PRIu64
	    ", annotations %" PRIu64 "/%" PRIu64, m.messages, n->messages, m.unseen, n->unseen,
	    m.deleted, n->deleted, m.bytes, n->bytes, m.deleted_bytes, n->deleted_bytes,
	    m.annotations, n->notes);
	if (n->lost)
		return;
	m.messages = (uint32_t)n->messages;
	m.unseen = (uint32_t)n->unseen;
	m.deleted = (uint32_t)n->deleted;
	m.bytes = n->bytes;
	m.deleted_bytes = n->deleted_bytes;
	m.annotations = n->notes;
	fsck_put_mailbox(f, get_be64(key.p + 8), &m);
}

static bool
one(struct buf *why, const char *what, uint64_t *kept, uint64_t found)
{
	if (*kept == found)
		return false;
	buf_addf(why, "%s%s %" PRIu64 "/%" PRIu64, why->len > 0 ? ", " : "", what, *kept, found);
	*kept = found;
	return true;
}

/* What is derived from bodies and missing is named. */
static void
note_caches(struct state_fsck *f, struct span key)
{
	static const struct { enum tab t; enum fsck_count n; } caches[] = {
		{ TAB_MLIST, N_LISTS }, { TAB_MSTRUCT, N_STRUCTS },
	};

	for (size_t i = 0; i < ARRAY_LEN(caches); i++)
		if (f->n[caches[i].n] < f->n[N_EMAILS])
			fsck_found(f, caches[i].t, key, CURE_NOTE, "%" PRIu64 " messages without it: "
			    "they are read anew when it is asked for",
			    f->n[N_EMAILS] - f->n[caches[i].n]);
}

void
fsck_compare_account(struct state_fsck *f)
{
	struct rec_account a = f->acct;
	struct buf why = { 0 };
	struct key k;
	uint64_t names = f->n[N_NAMES], keywords = a.keywords;
	bool wrong = false;

	key_1(&k, f->account);
	note_caches(f, key_span(&k));
	wrong |= one(&why, "bytes", &a.bytes, f->n[N_BYTES]);
	wrong |= one(&why, "messages", &a.messages, f->n[N_MESSAGES]);
	wrong |= one(&why, "mailboxes", &a.mailboxes, f->n[N_MAILBOXES]);
	wrong |= one(&why, "kept bytes", &a.kept_bytes, f->n[N_KEPT]);
	wrong |= one(&why, "unique-ids", &a.uidls, f->n[N_UIDLS]);
	wrong |= one(&why, "bytes of annotations", &a.metadata_bytes, f->n[N_METADATA]);
	wrong |= one(&why, "bytes of messages' annotations", &a.annotation_bytes, f->n[N_NOTES]);
	wrong |= one(&why, "of others", &a.annotation_others, f->n[N_NOTES_OTHERS]);
	wrong |= one(&why, "old annotations", &a.annlog_rows, f->n[N_OLD_ROWS]);
	wrong |= one(&why, "their bytes", &a.annlog_bytes, f->n[N_OLD_BYTES]);
	wrong |= one(&why, "remembered keys", &a.sieve_keys, f->n[N_SIEVE_KEYS]);
	/* A stage without its mark is no row to keep: it is named, and not guessed at. */
	if (f->n[N_STAGES] != 0 && !f->acct.stage)
		fsck_found(f, TAB_STAGE, key_span(&k), CURE_REBUILD,
		    "the account does not know that something is under way");
	if (wrong)
		fsck_found(f, TAB_ACCOUNT, key_span(&k), f->lost ? CURE_REBUILD : CURE_ROWS,
		    "counters: %s", buf_cstr(&why));
	if (wrong && !f->lost) {
		rec_account_put(fsck_put_start(f), &a);
		fsck_put(f, TAB_ACCOUNT, &k);
	}
	buf_clear(&why);
	if (one(&why, "names", &names, f->n[N_MAILBOXES]) && !f->lost)
		fsck_found(f, TAB_MBOXNAME, key_span(&k), CURE_REBUILD, "%s", buf_cstr(&why));
	buf_clear(&why);
	if (one(&why, "keywords", &keywords, f->n[N_KEYWORDS]))
		fsck_found(f, TAB_KEYWORD, key_span(&k), CURE_REBUILD, "%s", buf_cstr(&why));
	buf_fini(&why);
}
