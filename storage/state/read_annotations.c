/* Questions about annotations of messages: what there is, and what changed. */
#include "storage/state/read_priv.h"

#include "common/mail/mailbox_name.h"

#define ROWS_STEP 512u		/* looked at for one part of an answer */
#define WORK_STEP 4000000u	/* of comparing names with patterns, for one part */
#define LOG_STEP 4000u

/* *last: see read_live_mailbox(); *any: there are rows. */
static enum status
look(struct state *s, uint64_t account, uint64_t mailbox, uint32_t *last, bool *any)
{
	struct buf value = { 0 };
	struct rec_mailbox m;
	enum status st;

	TRY(read_live_mailbox(s, account, mailbox, last));
	st = st_read_mailbox(s, NULL, account, mailbox, &m, &value);
	*any = st == ST_OK && m.annotations > 0;
	buf_fini(&value);
	return st;
}

static bool
wanted(struct span entry, struct span patterns)
{
	struct reader r;

	reader_init(&r, patterns.p, patterns.len);
	while (reader_left(&r) > 0) {
		if (mailbox_pattern_match(get_span(&r), entry))
			return true;
	}
	return false;
}

static void
keep_place(struct buf *resume, struct span key)
{
	buf_clear(resume);
	buf_add_span(resume, key);
}

/* Where the walk goes on when this row is not asked for; false: it is. */
static bool
skip(const struct state_annotations *q, uint64_t account, struct span key, struct key *to)
{
	uint32_t uid = get_be32(key.p + 16), next;
	uint64_t reader = get_be64(key.p + 20);

	next = uidset_has(q->uids, uid) && reader <= q->reader ? uid : uidset_next(q->uids, uid);
	if (next == uid && (reader == 0 || reader == q->reader))
		return false;
	to->len = 0;
	if (next == 0)
		return true;
	key_uid(to, account, q->mailbox, next);
	if (next == uid)
		key_add64(to, q->reader);
	return true;
}

static void
tell(const struct state_annotations *q, struct span key, struct span value, struct buf *out)
{
	struct store_annotation a = { .uid = get_be32(key.p + 16),
		.shared = get_be64(key.p + 20) == 0, .entry = span_sub(key, 28, key.len),
		.size = (uint32_t)value.len, .given = value.len <= q->max_size };

	if (a.given)
		a.value = value;
	put_store_annotation(out, &a);
}

static enum status
walk(struct state *s, uint64_t account, struct state_annotations *q, struct engine_cursor *c,
    uint32_t last, struct buf *out)
{
	struct span key, value;
	uint64_t work = 0;
	struct key to;
	enum status st;

	for (unsigned n = 0; (st = st_next(s, TAB_ANNOTATION, c, &key, &value)) == ST_OK; n++) {
		uint32_t uid = get_be32(key.p + 16);

		if (uid > last)
			return ST_NOT_FOUND;
		if (n == ROWS_STEP || work > WORK_STEP || (out->len > 0 && out->len + value.len > q->part_bytes)) {
			q->next_uid = uid;
			keep_place(q->resume, key);
			return ST_OK;
		}
		if (skip(q, account, key, &to)) {
			if (to.len == 0)
				return ST_NOT_FOUND;
			engine_cursor_seek(c, key_span(&to));
			continue;
		}
		work += key.len * q->patterns.len;
		if ((q->which & (get_be64(key.p + 20) == 0 ? ANNOTATIONS_SHARED :
		    ANNOTATIONS_PRIVATE)) && wanted(span_sub(key, 28, key.len), q->patterns)) {
			tell(q, key, value, out);
			q->last_uid = uid;
		}
	}
	return st;
}

enum status
state_annotations(struct state *s, uint64_t account, struct state_annotations *q, struct buf *out)
{
	struct engine_cursor *c = NULL;
	struct key k;
	uint32_t last;
	enum status st;
	bool any;

	q->next_uid = 0;
	TRY(look(s, account, q->mailbox, &last, &any));
	if (!any || uidset_empty(q->uids)) {
		buf_clear(q->resume);
		return ST_OK;
	}
	key_2(&k, account, q->mailbox);
	TRY(engine_cursor_open(s->e, NULL, TAB_ANNOTATION, key_span(&k), &c));
	if (q->resume->len == 0) {
		key_add32(&k, uidset_next(q->uids, 0));
		engine_cursor_seek(c, key_span(&k));
	} else {
		engine_cursor_seek(c, buf_span(q->resume));
	}
	buf_clear(q->resume);
	st = walk(s, account, q, c, last, out);
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status
state_annotated(struct state *s, uint64_t account, uint64_t reader,
    const struct store_annotated_get *rq, const struct uidset *uids, size_t budget,
    struct buf *resume, struct buf *out)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	uint32_t last;
	struct key k;
	enum status st;

	TRY(read_live_mailbox(s, account, rq->mailbox, &last));
	key_2(&k, account, rq->mailbox);
	TRY(engine_cursor_open(s->e, NULL, TAB_ANNLOG, key_span(&k), &c));
	key_add64(&k, rq->since + 1);
	engine_cursor_seek(c, resume->len > 0 ? buf_span(resume) : key_span(&k));
	for (unsigned n = 0; (st = st_next(s, TAB_ANNLOG, c, &key, &payload)) == ST_OK; n++) {
		struct store_annotated a = { .uid = get_be32(key.p + 24),
			.modseq = get_be64(key.p + 16), .entry = span_sub(key, 36, key.len) };
		uint64_t whose = get_be64(key.p + 28);

		if (n == LOG_STEP || out->len >= budget) {
			keep_place(resume, key);
			break;
		}
		if (uidset_has(uids, a.uid) && (whose == 0 || whose == reader))
			put_store_annotated(out, &a);
	}
	engine_cursor_close(&c);
	if (st == ST_NOT_FOUND)
		buf_clear(resume);
	return st == ST_NOT_FOUND ? ST_OK : st;
}
