/* An account's keywords: names to bits, in the order of first use. */
#include "storage/state/state_priv.h"

enum status
keywords_load(struct state *s, struct acct *a)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct key prefix;
	unsigned n = 0;
	enum status st;

	if (a->keywords_here)
		return ST_OK;
	buf_clear(&a->keywords);
	a->keywords_here = true;
	if (a->rec.keywords == 0)
		return ST_OK;
	key_1(&prefix, a->id);
	TRY(engine_cursor_open(s->e, s->txn, TAB_KEYWORD, key_span(&prefix), &c));
	while ((st = st_next(s, TAB_KEYWORD, c, &key, &payload)) == ST_OK) {
		put_store_keyword(&a->keywords, payload);
		n++;
	}
	engine_cursor_close(&c);
	if (st != ST_NOT_FOUND)
		return st;
	return n == a->rec.keywords ? ST_OK : st_damaged(s, TAB_KEYWORD, key_span(&prefix));
}

static unsigned
find(const struct buf *table, struct span name)
{
	struct reader r;
	struct span have;
	unsigned i = 0;

	reader_init(&r, table->data, table->len);
	while (get_store_keyword(&r, &have)) {
		if (span_caseeq(have, name))
			return i;
		i++;
	}
	return i;
}

static enum status
write_new(struct apply *ap, unsigned bit, struct span name)
{
	struct key k;

	key_1(&k, ap->a->id);
	k.b[k.len++] = (unsigned char)bit;
	buf_add_span(st_put_start(ap->s), name);
	return st_put(ap->s, TAB_KEYWORD, &k);
}

/* New names are tried in a longer copy of the table first, so that a refusal leaves it. */
enum status
keywords_bits(struct apply *ap, struct span names, bool add, unsigned *bits, size_t *n,
    enum status *verdict)
{
	struct acct *a = ap->a;
	size_t before;
	unsigned count = a->rec.keywords;
	struct reader r;
	struct span name;
	enum status st = ST_OK;

	*n = 0;
	*verdict = ST_OK;
	TRY(keywords_load(ap->s, a));
	before = a->keywords.len;
	reader_init(&r, names.p, names.len);
	while (*verdict == ST_OK && get_store_keyword(&r, &name)) {
		unsigned bit = find(&a->keywords, name);

		if (*n > KEYWORD_MAX || !keyword_valid(name)) {
			*verdict = ST_SYNTAX;
		} else if (bit < count) {
			bits[(*n)++] = bit;
		} else if (!add) {
			bits[(*n)++] = UINT32_MAX;
		} else if (count == KEYWORD_MAX) {
			*verdict = ST_LIMIT;
		} else {
			put_store_keyword(&a->keywords, name);
			bits[(*n)++] = count++;
		}
	}
	if (*verdict == ST_OK && !reader_done(&r))
		*verdict = ST_SYNTAX;
	if (*verdict != ST_OK) {
		buf_cut(&a->keywords, before);
		return ST_OK;
	}
	if (count == a->rec.keywords)
		return ST_OK;
	reader_init(&r, a->keywords.data + before, a->keywords.len - before);
	while (st == ST_OK && count > a->rec.keywords && get_store_keyword(&r, &name)) {
		st = write_new(ap, a->rec.keywords++, name);
		a->dirty = true;
	}
	return st;
}
