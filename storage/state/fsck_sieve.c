/* Judges of scripts, remembered keys and the outgoing queue. */
#include <inttypes.h>
#include <string.h>

#include "common/crypto/digest.h"
#include "storage/api/store_sieve.h"
#include "storage/state/fsck_judges.h"
#include "storage/state/queue.h"

static bool
whole_script(struct span payload, struct store_script *x)
{
	struct reader r;

	reader_init(&r, payload.p, payload.len);
	return get_store_script(&r, x) && reader_done(&r);
}

/* Is there an earlier script that is active, or has this name? */
static void
look_before(struct state_fsck *f, const struct store_script *x, bool *active, bool *name)
{
	struct engine_cursor *c = NULL;
	struct span key, value, payload;
	struct store_script other;
	struct key k;

	*active = *name = false;
	key_1(&k, f->account);
	if (engine_cursor_open(f->s->e, NULL, TAB_SCRIPT, key_span(&k), &c) != ST_OK)
		return;
	while (engine_cursor_next(c, &key, &value) == ST_OK && key.len == 16 &&
	    get_be64(key.p + 8) < x->id) {
		if (!rec_open(TAB_SCRIPT, key, value, &payload) || !whole_script(payload, &other))
			continue;
		*active |= other.active;
		*name |= span_eq(other.name, x->name);
	}
	engine_cursor_close(&c);
}

static void
judge_text(struct state_fsck *f, struct span key, const struct store_script *x)
{
	unsigned char sum[SHA256_LEN];
	struct span text;
	struct key k;
	enum seen seen;

	key_text(&k, key);
	seen = fsck_look(f, TAB_SCRIPTTEXT, &k, &f->v1, &text);
	if (seen == ROW_GOOD) {
		sha256(text, sum);
		if (text.len == x->size && memcmp(sum, x->sha256.p, sizeof(sum)) == 0)
			return;
	}
	fsck_orphan(f, TAB_SCRIPT, key, seen == ROW_NONE ? "a script without its text" :
	    seen == ROW_BAD ? "a script whose text cannot be read" :
	    "a script whose text is another one");
}

void
fsck_script(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	bool other_active, same_name;
	struct store_script x;
	struct key k;

	if (key.len != 16 || !whole_script(payload, &x) || x.id != get_be64(key.p + 8)) {
		fsck_malformed(f, t, key, CURE_QUARANTINE);
		return;
	}
	look_before(f, &x, &other_active, &same_name);
	if (same_name) {
		fsck_orphan(f, t, key, "a second script of one name");
		return;
	}
	judge_text(f, key, &x);
	if (f->n_rows > 0)
		return;
	key_text(&k, key);
	if (x.active && other_active) {
		fsck_found(f, t, key, CURE_ROWS, "a second active script");
		x.active = false;
		put_store_script(fsck_put_start(f), &x);
		fsck_put(f, t, &k);
	}
	if (x.modseq > f->acct.script_modseq)
		fsck_found(f, t, key, CURE_REBUILD, "modseq %" PRIu64 " above that of the "
		    "account's scripts", x.modseq);
}

/* A row beside one of `of` with the same key. */
static void
judge_part(struct state_fsck *f, enum tab t, struct span key, enum tab of, const char *orphan)
{
	struct span row;
	struct key k;

	if (key.len != 16) {
		fsck_malformed(f, t, key, CURE_QUARANTINE);
		return;
	}
	key_text(&k, key);
	if (fsck_look(f, of, &k, &f->v1, &row) == ROW_NONE)
		fsck_orphan(f, t, key, orphan);
}

void
fsck_scripttext(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	(void)payload;
	judge_part(f, t, key, TAB_SCRIPT, "a text of no script");
}

void
fsck_sievekey(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	uint8_t kind = key.len > 8 ? (uint8_t)key.p[8] : 0;

	if (key.len != 9 + STORE_SIEVE_KEY || payload.len != 16 ||
	    (kind != SIEVE_KEY_DUPLICATE && kind != SIEVE_KEY_VACATION))
		fsck_malformed(f, t, key, CURE_QUARANTINE);
}

/* ---- the queue ---- */

static bool
whole_entry(struct span key, struct span payload, struct store_queue_entry *e)
{
	struct reader r;

	reader_init(&r, payload.p, payload.len);
	return key.len == 16 && get_store_queue_entry(&r, e) && reader_done(&r) &&
	    e->account == get_be64(key.p) && e->id == get_be64(key.p + 8);
}

static void
key_due(struct key *k, const struct store_queue_entry *e)
{
	key_3(k, (uint64_t)(e->taken_ms != 0 ? QUEUE_DUE_TAKEN : e->next_ms), e->account, e->id);
}

/* Without it the entry would never be sent. */
static void
judge_due(struct state_fsck *f, const struct store_queue_entry *e)
{
	struct span row;
	struct key k;

	key_due(&k, e);
	if (fsck_look(f, TAB_QUEUEDUE, &k, &f->v1, &row) == ROW_GOOD && row.len == 0)
		return;
	fsck_found(f, TAB_QUEUEDUE, key_span(&k), CURE_ROWS, "an entry that is in no order");
	fsck_put_start(f);
	fsck_put(f, TAB_QUEUEDUE, &k);
}

/* What lists read of it is made anew when it comes back. */
static void
judge_message(struct state_fsck *f, struct span key, const struct store_queue_entry *e)
{
	struct op_append_item it;
	struct span row;
	struct reader r;
	struct key k;

	key_text(&k, key);
	if (fsck_look(f, TAB_QUEUEMSG, &k, &f->v1, &row) == ROW_GOOD) {
		reader_init(&r, row.p, row.len);
		if (get_op_append_item(&r, &it) && reader_done(&r))
			return;
	}
	fsck_found(f, TAB_QUEUEMSG, key, CURE_ROWS, "an entry of no message");
	it = (struct op_append_item){ .size = e->size, .sha256 = e->sha256, .pieces = 1,
		.received_s = e->created_ms / 1000 };
	put_op_append_item(fsck_put_start(f), &it);
	fsck_put(f, TAB_QUEUEMSG, &k);
}

void
fsck_queue(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	struct store_queue_entry e;
	struct key k;

	if (!whole_entry(key, payload, &e)) {
		fsck_malformed(f, t, key, CURE_REBUILD);
		return;
	}
	key_1(&k, e.extent);
	if (engine_get(f->s->e, NULL, TAB_EXTENT, key_span(&k), NULL) == ST_NOT_FOUND) {
		fsck_orphan(f, t, key, "of no body");
		return;
	}
	judge_due(f, &e);
	judge_message(f, key, &e);
}

void
fsck_queuemsg(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	(void)payload;
	judge_part(f, t, key, TAB_QUEUE, "a message of no entry");
}

void
fsck_queuedue(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	struct store_queue_entry e;
	struct span row;
	struct key k, due;
	enum seen seen;

	if (key.len == 24 && payload.len == 0) {
		key_2(&k, get_be64(key.p + 8), get_be64(key.p + 16));
		seen = fsck_look(f, TAB_QUEUE, &k, &f->v1, &row);
		if (seen == ROW_BAD)
			return;
		if (seen == ROW_GOOD && whole_entry(key_span(&k), row, &e)) {
			key_due(&due, &e);
			if (span_eq(key_span(&due), key))
				return;
		}
	}
	fsck_found(f, t, key, CURE_ROWS, "the order of no entry");
	fsck_del(f, t, key, false, "the order of no entry");
}
