/* What happened to an account behind a point of its history. */
#include "storage/state/emails.h"
#include "storage/state/read_priv.h"

enum status
since_judge(struct state *s, uint64_t account, const struct state_since *q,
    struct rec_account *a)
{
	TRY(st_read_account(s, NULL, account, a));
	if (a->deleted_ms != 0 || a->purged)
		return ST_NOT_FOUND;
	return q->since < a->horizon || q->since > a->modseq ? ST_EXPIRED : ST_OK;
}

/* *fits false: the point is where to go on. */
static enum status
operation(struct state_since *q, const struct since_reader *r, void *w, uint64_t modseq,
    const struct rec_history *h, bool *fits)
{
	uint64_t after = q->after, object;

	*fits = true;
	TRY(r->collect(w, modseq, h));
	for (size_t i = 0, n; (object = r->object(w, i)) != 0; i += n) {
		for (n = 1; r->object(w, i + n) == object;)
			n++;
		if (object <= after)
			continue;
		TRY(r->tell(w, i, n, fits));
		if (!*fits)
			return ST_OK;
		q->since = modseq - 1;
		q->after = object;
	}
	q->since = modseq;
	q->after = 0;
	return ST_OK;
}

enum status
since_walk(struct state *s, uint64_t account, const struct rec_account *a, struct state_since *q,
    const uint32_t *rows, const struct since_reader *r, void *w)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct rec_history h;
	struct key k;
	bool fits = true;
	enum status st;

	key_1(&k, account);
	TRY(engine_cursor_open(s->e, NULL, TAB_HISTORY, key_span(&k), &c));
	key_2(&k, account, q->since + 1);
	engine_cursor_seek(c, key_span(&k));
	q->more = false;
	while ((st = st_next(s, TAB_HISTORY, c, &key, &payload)) == ST_OK) {
		q->more = true;
		if (*rows >= q->rows || r->full(w))
			break;
		if (!rec_history_get(payload, &h))
			st = st_damaged(s, TAB_HISTORY, key);
		if (st == ST_OK)
			st = operation(q, r, w, get_be64(key.p + 8), &h, &fits);
		if (st != ST_OK || !fits)
			break;
		q->more = false;
	}
	engine_cursor_close(&c);
	if (st != ST_OK && st != ST_NOT_FOUND)
		return st;
	/* What came behind the last operation with a row is nothing. */
	if (!q->more) {
		q->since = a->modseq;
		q->after = 0;
	}
	return ST_OK;
}
