/* Sieve scripts: a row for what is told of each, and one for its bytes.  An account has few of them:
 * names, the active one and the limits are judged over all. */
#include <stdlib.h>

#include "common/crypto/digest.h"
#include "common/util/mem.h"
#include "storage/state/sieve.h"
#include "storage/state/state_priv.h"

struct scripts {
	struct buf		rows;		/* spans of v point into it */
	struct store_script	*v;
	size_t			n;
	uint64_t		bytes;
};

static void
scripts_fini(struct scripts *all)
{
	buf_fini(&all->rows);
	mem_free(&all->v);
}

/* All rows, copied. */
static enum status
read_rows(struct state *s, struct engine_txn *txn, uint64_t account, struct scripts *all)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct store_script one;
	struct reader r;
	struct key k;
	enum status st;

	key_1(&k, account);
	TRY(engine_cursor_open(s->e, txn, TAB_SCRIPT, key_span(&k), &c));
	while ((st = st_next(s, TAB_SCRIPT, c, &key, &payload)) == ST_OK) {
		reader_init(&r, payload.p, payload.len);
		if (!get_store_script(&r, &one) || !reader_done(&r)) {
			st = st_damaged(s, TAB_SCRIPT, key);
			break;
		}
		buf_add_span(&all->rows, payload);
		all->bytes += one.size;
		all->n++;
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status
scripts_load(struct state *s, struct engine_txn *txn, uint64_t account, struct scripts *all)
{
	struct reader r;

	*all = (struct scripts){ .n = 0 };
	TRY(read_rows(s, txn, account, all));
	all->v = mem_array(all->n + 1, sizeof(*all->v));
	reader_init(&r, all->rows.data, all->rows.len);
	for (size_t i = 0; i < all->n; i++)
		(void)get_store_script(&r, &all->v[i]);
	return ST_OK;
}

static struct store_script *
by_name(const struct scripts *all, struct span name)
{
	for (size_t i = 0; i < all->n; i++)
		if (name.len == 0 ? all->v[i].active : span_eq(all->v[i].name, name))
			return &all->v[i];
	return NULL;
}

/* Room for one of this size, in the place of `old`? */
static enum status
judge_room(const struct op_script_set *limits, const struct scripts *all,
    const struct store_script *old, uint64_t size)
{
	uint64_t count = limits->count_max, most = limits->size_max;
	uint64_t bytes = all->bytes - (old != NULL ? old->size : 0);

	if (count == 0 || count > STORE_SCRIPTS_MAX)
		count = STORE_SCRIPTS_MAX;
	if (most == 0 || most > STORE_SCRIPT_MAX)
		most = STORE_SCRIPT_MAX;
	if (size > most)
		return ST_OVER_QUOTA;
	if (old == NULL && all->n >= count)
		return ST_LIMIT;
	return limits->bytes_max != 0 && bytes + size > limits->bytes_max ? ST_OVER_QUOTA : ST_OK;
}

/* ---- applying ---- */

/* It is another one from this operation on. */
static enum status
save(struct apply *ap, struct store_script *x)
{
	struct key k;

	x->modseq = ap->a->rec.script_modseq = ap_modseq(ap);
	x->changed_ms = ap->op->head.time_ms;
	ap->shared_changed = true;
	key_2(&k, ap->a->id, x->id);
	put_store_script(st_put_start(ap->s), x);
	return st_put(ap->s, TAB_SCRIPT, &k);
}

/* The one that is active from now on; NULL: none. */
static enum status
activate(struct apply *ap, const struct scripts *all, struct store_script *which)
{
	for (size_t i = 0; i < all->n; i++) {
		struct store_script *x = &all->v[i];

		if (!x->active || x == which)
			continue;
		x->active = false;
		TRY(save(ap, x));
	}
	if (which == NULL || which->active)
		return ST_OK;
	which->active = true;
	return save(ap, which);
}

static enum status
put(struct apply *ap, struct scripts *all, struct store_script_set_is *is)
{
	const struct op_script_set *p = &ap->op->u.script_set;
	struct store_script *old = by_name(all, p->name), made = { .name = p->name };
	struct store_script *x = old != NULL ? old : &made;
	unsigned char sha[SHA256_LEN];
	enum status verdict = judge_room(p, all, old, p->text.len);
	struct key k;

	if (verdict != ST_OK)
		return refuse(ap, verdict);
	is->made = old == NULL;
	if (old == NULL)
		made.id = st_new_id(ap->s);
	is->id = x->id;
	sha256(p->text, sha);
	x->sha256 = span(sha, sizeof(sha));
	x->size = (uint32_t)p->text.len;
	key_2(&k, ap->a->id, x->id);
	buf_add_span(st_put_start(ap->s), p->text);
	TRY(st_put(ap->s, TAB_SCRIPTTEXT, &k));
	TRY(save(ap, x));
	return p->activate ? activate(ap, all, x) : ST_OK;
}

static enum status
delete(struct apply *ap, struct store_script *x)
{
	struct key k;

	if (x->active)
		return refuse(ap, ST_DENIED);
	ap->a->rec.script_modseq = ap_modseq(ap);
	ap->shared_changed = true;
	key_2(&k, ap->a->id, x->id);
	TRY(st_del(ap->s, TAB_SCRIPTTEXT, &k));
	return st_del(ap->s, TAB_SCRIPT, &k);
}

static enum status
rename_(struct apply *ap, const struct scripts *all, struct store_script *x)
{
	struct span to = ap->op->u.script_set.to;

	if (!script_name_valid(to))
		return refuse(ap, ST_SYNTAX);
	if (span_eq(to, x->name))
		return ST_OK;
	if (by_name(all, to) != NULL)
		return refuse(ap, ST_EXISTS);
	x->name = to;
	return save(ap, x);
}

static enum status
change(struct apply *ap, struct scripts *all, struct store_script_set_is *is)
{
	const struct op_script_set *p = &ap->op->u.script_set;
	struct store_script *x = p->name.len > 0 ? by_name(all, p->name) : NULL;

	if (p->how == SCRIPT_PUT)
		return put(ap, all, is);
	if (x == NULL && (p->how != SCRIPT_ACTIVATE || p->name.len > 0))
		return refuse(ap, ST_NOT_FOUND);
	if (x != NULL)
		is->id = x->id;
	switch (p->how) {
	case SCRIPT_DELETE: return delete(ap, x);
	case SCRIPT_RENAME: return rename_(ap, all, x);
	default: return activate(ap, all, x);
	}
}

enum status
apply_script_set(struct apply *ap)
{
	const struct op_script_set *p = &ap->op->u.script_set;
	struct store_script_set_is is = { .old_state = ap->a->rec.script_modseq };
	struct scripts all;
	enum status st;

	if (p->how < SCRIPT_PUT || p->how > SCRIPT_ACTIVATE ||
	    (!script_name_valid(p->name) && (p->how != SCRIPT_ACTIVATE || p->name.len > 0)))
		return refuse(ap, ST_SYNTAX);
	if (p->if_state != 0 && p->if_state != is.old_state)
		return refuse(ap, ST_CONFLICT);
	st = scripts_load(ap->s, ap->s->txn, ap->a->id, &all);
	if (st == ST_OK)
		st = change(ap, &all, &is);
	is.state = ap->a->rec.script_modseq;
	if (st == ST_OK && ap->r->status == ST_OK)
		ap_reply(ap, STORE_SCRIPT_SET_IS, &is);
	scripts_fini(&all);
	return st;
}

/* ---- reading ---- */

enum status
script_is_active(struct apply *ap, struct span sha256, bool *yes)
{
	static const char none[SHA256_LEN];
	const struct store_script *x;
	struct scripts all;
	enum status st;

	*yes = span_eq(sha256, span(none, sizeof(none)));
	if (ap->a->rec.script_modseq == 0)	/* there never was one */
		return ST_OK;
	st = scripts_load(ap->s, ap->s->txn, ap->a->id, &all);
	x = st == ST_OK ? by_name(&all, SPAN_NONE) : NULL;
	if (x != NULL)
		*yes = span_eq(x->sha256, sha256);
	scripts_fini(&all);
	return st;
}

static int
sorted(const void *a, const void *b)
{
	return span_cmp(((const struct store_script *)a)->name,
	    ((const struct store_script *)b)->name);
}

/* ST_NOT_FOUND: the account is not there, or deleted. */
static enum status
read_all(struct state *s, uint64_t account, struct scripts *all, uint64_t *state)
{
	struct rec_account a;

	*all = (struct scripts){ .n = 0 };
	TRY(st_read_account(s, NULL, account, &a));
	if (a.deleted_ms != 0 || a.purged)
		return ST_NOT_FOUND;
	*state = a.script_modseq;
	return scripts_load(s, NULL, account, all);
}

enum status
state_scripts(struct state *s, uint64_t account, struct buf *out, uint64_t *state,
    uint64_t *bytes)
{
	struct scripts all;
	enum status st = read_all(s, account, &all, state);

	if (st == ST_OK)
		qsort(all.v, all.n, sizeof(*all.v), sorted);
	for (size_t i = 0; st == ST_OK && i < all.n; i++)
		put_store_script(out, &all.v[i]);
	*bytes = all.bytes;
	scripts_fini(&all);
	return st;
}

static enum status
read_text(struct state *s, uint64_t account, uint64_t id, struct buf *out)
{
	struct buf value = { 0 };
	struct span payload;
	struct key k;
	enum status st;

	key_2(&k, account, id);
	st = st_get(s, NULL, TAB_SCRIPTTEXT, &k, &value, &payload);
	if (st == ST_OK)
		buf_add_span(out, payload);
	else if (st == ST_NOT_FOUND)
		st = st_damaged(s, TAB_SCRIPTTEXT, key_span(&k));
	buf_fini(&value);
	return st;
}

enum status
state_script(struct state *s, uint64_t account, const struct store_script_get *rq,
    struct buf *script, struct buf *text, bool *same)
{
	const struct store_script *x = NULL;
	struct scripts all;
	uint64_t state;
	enum status st = read_all(s, account, &all, &state);

	if (st == ST_OK)
		x = by_name(&all, rq->name);
	if (st == ST_OK && x == NULL)
		st = ST_NOT_FOUND;
	if (st == ST_OK) {
		*same = span_eq(x->sha256, rq->known);
		put_store_script(script, x);
		st = *same ? ST_OK : read_text(s, account, x->id, text);
	}
	scripts_fini(&all);
	return st;
}

enum status
state_script_room(struct state *s, uint64_t account, struct span name, uint64_t size,
    const struct op_script_set *limits)
{
	struct scripts all;
	uint64_t state;
	enum status st = read_all(s, account, &all, &state);

	if (st == ST_OK)
		st = script_name_valid(name) ? judge_room(limits, &all, by_name(&all, name), size) :
		    ST_SYNTAX;
	scripts_fini(&all);
	return st;
}
