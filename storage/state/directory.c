/* The directory: text keys with versions, written all steps or none.  A version is the
 * directory's modseq at the last change of a record; a key that was deleted and made
 * again so never shows an old version. */
#include "storage/state/state_priv.h"

static enum status
dir_get(struct state *s, struct engine_txn *txn, struct span name, struct buf *value,
    struct store_dir_record *rec)
{
	struct span payload;
	struct key k;
	enum status st;

	*rec = (struct store_dir_record){ .key = name };
	key_text(&k, name);
	st = st_get(s, txn, TAB_DIR, &k, value, &payload);
	if (st == ST_NOT_FOUND)
		return ST_OK;
	TRY(st);
	if (payload.len < 8)
		return st_damaged(s, TAB_DIR, name);
	rec->version = get_be64(payload.p);
	rec->value = span_sub(payload, 8, payload.len);
	return ST_OK;
}

static enum status
judge(struct apply *ap, const struct store_dir_step *step, enum status *verdict)
{
	struct store_dir_record rec;

	if (step->change == 1 && step->value.len > STORE_DIR_VALUE_MAX)
		*verdict = ST_LIMIT;
	if (step->key.len > STORE_DIR_KEY_MAX)
		*verdict = ST_LIMIT;
	if (step->check == DIR_ANY || *verdict != ST_OK)
		return ST_OK;
	TRY(dir_get(ap->s, ap->s->txn, step->key, &ap->s->value, &rec));
	if (step->check == DIR_ABSENT ? rec.version != 0 : rec.version != step->version)
		*verdict = ST_CONFLICT;
	return ST_OK;
}

static enum status
execute(struct apply *ap, const struct store_dir_step *step, uint64_t modseq)
{
	struct buf *b;
	struct key k;

	put_span(&ap->r->keys, step->key);
	key_text(&k, step->key);
	if (step->change == 2)
		return st_del_any(ap->s, TAB_DIR, &k);
	b = st_put_start(ap->s);
	put_u64(b, modseq);
	buf_add_span(b, step->value);
	return st_put(ap->s, TAB_DIR, &k);
}

enum status
apply_dir_write(struct apply *ap)
{
	struct span steps = ap->op->u.dir_write.steps;
	struct store_dir_written reply;
	struct rec_meta *meta = &ap->s->meta;
	struct store_dir_step step;
	enum status verdict = ST_OK;
	bool writes = false;
	struct reader r;
	uint32_t n = 0;

	reader_init(&r, steps.p, steps.len);
	while (verdict == ST_OK && get_store_dir_step(&r, &step)) {
		TRY(judge(ap, &step, &verdict));
		writes |= step.change != 0;
		if (++n > OP_ROWS)
			verdict = ST_LIMIT;
	}
	if (verdict == ST_OK && !reader_done(&r))
		verdict = ST_SYNTAX;
	ap->r->modseq = meta->dir_modseq;
	if (verdict != ST_OK)
		return refuse(ap, verdict);
	if (writes) {
		meta->dir_modseq++;
		ap->s->meta_dirty = true;
		ap->r->changed = true;
	}
	reader_init(&r, steps.p, steps.len);
	while (get_store_dir_step(&r, &step))
		if (step.change != 0)
			TRY(execute(ap, &step, meta->dir_modseq));
	reply.modseq = ap->r->modseq = meta->dir_modseq;
	ap_reply(ap, STORE_DIR_WRITTEN, &reply);
	return ST_OK;
}

static enum status
dir_scan(struct state *s, struct span from, struct span to, uint32_t limit, struct buf *out)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	enum status st = ST_OK;

	TRY(engine_cursor_open(s->e, NULL, TAB_DIR, SPAN_NONE, &c));
	engine_cursor_seek(c, from);
	for (uint32_t n = 0; n < limit; n++) {
		struct store_dir_record rec;

		st = st_next(s, TAB_DIR, c, &key, &payload);
		if (st != ST_OK || span_cmp(key, to) >= 0)
			break;
		if (payload.len < 8) {
			st = st_damaged(s, TAB_DIR, key);
			break;
		}
		rec = (struct store_dir_record){ .key = key, .version = get_be64(payload.p),
			.value = span_sub(payload, 8, payload.len) };
		put_store_dir_record(out, &rec);
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status
state_dir_read(struct state *s, struct span from, struct span to, uint32_t limit,
    struct buf *out, uint64_t *modseq)
{
	struct store_dir_record rec;
	struct buf value = { 0 };
	enum status st;

	*modseq = st_meta(s).dir_modseq;
	if (from.len > STORE_DIR_KEY_MAX || to.len > STORE_DIR_KEY_MAX)
		return ST_LIMIT;
	if (to.len > 0)
		return dir_scan(s, from, to, limit, out);
	st = dir_get(s, NULL, from, &value, &rec);
	if (st == ST_OK)
		put_store_dir_record(out, &rec);
	buf_fini(&value);
	return st;
}
