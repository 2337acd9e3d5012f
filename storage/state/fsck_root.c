/* The root of an account whose mail changes meanwhile: what was hashed and changed since is hashed
 * again, until all of it is as of one moment. */
#include "storage/state/fsck_priv.h"

#include <stdlib.h>
#include <string.h>

#include "common/crypto/digest.h"
#include "common/util/mem.h"

#define AGAIN_FACTOR	8u	/* blocks hashed again, for each that there is, until it is given up */
#define AGAIN_LEAST	10000u

struct leaf {
	uint32_t	no;
	bool		dirty, none;
	unsigned char	hash[SHA256_LEN];
};

struct limb {				/* a mailbox */
	uint64_t		id;
	bool			dirty, gone, walked;
	uint32_t		next;	/* block to go on from */
	struct hash_what	what;
	unsigned char		head[SHA256_LEN];
	struct leaf		*leaves;
	size_t			n, room;
};

struct fsck_tree {
	struct limb	**limbs;	/* by id */
	size_t		n, room;
	size_t		at;		/* of the sweep over them */
	bool		busy;		/* this sweep had something to do */
	bool		listed;		/* all mailboxes are in it */
	bool		again;		/* from the start: what is staged came or went */
	uint64_t	blocks, rehashed;
};

static void
limb_free(struct limb **l)
{
	mem_free(&(*l)->leaves);
	mem_free(l);
}

static void
clear(struct fsck_tree *t)
{
	for (size_t i = 0; i < t->n; i++)
		limb_free(&t->limbs[i]);
	t->n = t->at = 0;
	t->listed = t->again = false;
}

void
fsck_tree_free(struct fsck_tree **tp)
{
	struct fsck_tree *t = *tp;

	if (t == NULL)
		return;
	clear(t);
	mem_free(&t->limbs);
	mem_free(tp);
}

/* Where it is, or would be. */
static size_t
limb_at(const struct fsck_tree *t, uint64_t id, bool *there)
{
	size_t lo = 0, hi = t->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (t->limbs[mid]->id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	*there = lo < t->n && t->limbs[lo]->id == id;
	return lo;
}

static struct limb *
limb_add(struct fsck_tree *t, uint64_t id)
{
	bool there;
	size_t at = limb_at(t, id, &there);

	if (there)
		return t->limbs[at];
	if (t->n == t->room) {
		t->room = t->room == 0 ? 16 : t->room * 2;
		t->limbs = mem_realloc_array(t->limbs, t->room, sizeof(*t->limbs));
	}
	memmove(t->limbs + at + 1, t->limbs + at, (t->n - at) * sizeof(*t->limbs));
	t->n++;
	t->limbs[at] = mem_zalloc(sizeof(**t->limbs));
	t->limbs[at]->id = id;
	t->limbs[at]->dirty = true;
	return t->limbs[at];
}

static struct leaf *
leaf_of(struct limb *l, uint32_t no)
{
	size_t lo = 0, hi = l->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (l->leaves[mid].no < no)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < l->n && l->leaves[lo].no == no)
		return &l->leaves[lo];
	if (l->n == l->room) {
		l->room = l->room == 0 ? 4 : l->room * 2;
		l->leaves = mem_realloc_array(l->leaves, l->room, sizeof(*l->leaves));
	}
	memmove(l->leaves + lo + 1, l->leaves + lo, (l->n - lo) * sizeof(*l->leaves));
	l->n++;
	l->leaves[lo] = (struct leaf){ .no = no };
	return &l->leaves[lo];
}

/* ---- what changes ---- */

static void
touch_block(struct limb *l, uint32_t no)
{
	if (l->walked || no < l->next)
		leaf_of(l, no)->dirty = true;
}

void
fsck_tree_row(struct fsck_tree *t, enum tab tab, struct span key)
{
	size_t at;
	bool there;

	switch (tab) {
	case TAB_STAGE:
		t->again = true;
		return;
	case TAB_MAILBOX: case TAB_METADATA: case TAB_ACL: case TAB_URLKEY: case TAB_RSEEN:
	case TAB_MINDEX: case TAB_UIDL: case TAB_ANNOTATION:
		break;
	default:
		return;
	}
	at = limb_at(t, get_be64(key.p + 8), &there);
	if (!there && tab == TAB_MAILBOX && t->listed)
		limb_add(t, get_be64(key.p + 8));
	if (!there)
		return;
	if (tab == TAB_MINDEX || tab == TAB_UIDL || tab == TAB_ANNOTATION)
		touch_block(t->limbs[at], get_be32(key.p + 16) / BLOCK_UIDS);
	/* Whether there are annotations at all stands in the mailbox's record. */
	t->limbs[at]->dirty = true;
}

/* ---- a unit of work ---- */

static enum status
list(struct state_fsck *f, struct fsck_tree *t)
{
	struct engine_cursor *c = NULL;
	struct span key;
	struct key k;
	enum status st;

	key_1(&k, f->account);
	TRY(engine_cursor_open(f->s->e, NULL, TAB_MAILBOX, key_span(&k), &c));
	while ((st = engine_cursor_next(c, &key, NULL)) == ST_OK)
		limb_add(t, get_be64(key.p + 8));
	engine_cursor_close(&c);
	t->listed = true;
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status
hash_limb(struct state_fsck *f, struct limb *l)
{
	bool had = l->what.annotations;
	enum status st;

	l->what.account = f->account;
	st = hash_head(f->s, f->account, l->id, &l->what, l->head);
	l->gone = st == ST_NOT_FOUND;
	if (st != ST_OK && st != ST_NOT_FOUND)
		return st;
	l->dirty = false;
	if (had != l->what.annotations)
		for (size_t i = 0; i < l->n; i++)
			l->leaves[i].dirty = true;
	return ST_OK;
}

static enum status
hash_leaf(struct state_fsck *f, struct limb *l, struct leaf *x)
{
	uint32_t no = x->no;
	enum status st = hash_block(f->s, &l->what, x->no, &no, x->hash);

	if (st != ST_OK && st != ST_NOT_FOUND)
		return st;
	x->none = st == ST_NOT_FOUND || no != x->no;
	x->dirty = false;
	f->tree->rehashed++;
	return ST_OK;
}

/* *idle: nothing of it was to do. */
static enum status
limb_unit(struct state_fsck *f, struct limb *l, bool *idle)
{
	unsigned char hash[SHA256_LEN];
	uint32_t no = 0;
	enum status st;

	*idle = false;
	if (l->dirty)
		return hash_limb(f, l);
	if (!l->walked && !l->gone) {
		st = hash_block(f->s, &l->what, l->next, &no, hash);
		l->walked = st == ST_NOT_FOUND;
		if (st != ST_OK)
			return st == ST_NOT_FOUND ? ST_OK : st;
		memcpy(leaf_of(l, no)->hash, hash, sizeof(hash));
		l->next = no + 1;
		f->tree->blocks++;
		return ST_OK;
	}
	for (size_t i = 0; i < l->n && !l->gone; i++)
		if (l->leaves[i].dirty)
			return hash_leaf(f, l, &l->leaves[i]);
	*idle = true;
	return ST_OK;
}

static enum status
join(struct state_fsck *f, struct fsck_tree *t)
{
	unsigned char hash[SHA256_LEN];
	struct digest *root, *d;
	struct hash_what w;

	TRY(hash_account_begin(f->s, f->account, &w, &root));
	for (size_t i = 0; i < t->n; i++) {
		const struct limb *l = t->limbs[i];

		if (l->gone)
			continue;
		d = hash_mailbox_begin(l->head);
		for (size_t k = 0; k < l->n; k++)
			if (!l->leaves[k].none)
				hash_mailbox_block(d, l->leaves[k].no, l->leaves[k].hash);
		digest_done(d, hash);
		digest_free(&d);
		hash_account_mailbox(root, l->id, hash);
	}
	digest_done(root, hash);
	digest_free(&root);
	f->o.root(f->o.arg, f->account, hash);
	return ST_OK;
}

/* What is staged changes what blocks hold; so does the first unique-id. */
static enum status
begin(struct state_fsck *f, struct fsck_tree *t)
{
	struct rec_account a;

	clear(t);
	TRY(st_read_account(f->s, NULL, f->account, &a));
	TRY(list(f, t));
	for (size_t i = 0; i < t->n; i++) {
		t->limbs[i]->what.uidls = true;
		t->limbs[i]->what.staged = true;
	}
	return ST_OK;
}

enum status
fsck_tree_step(struct state_fsck *f, bool *done)
{
	struct fsck_tree *t = f->tree;
	bool idle;

	if (t == NULL)
		t = f->tree = mem_zalloc(sizeof(*t));
	if (!t->listed || t->again)
		return begin(f, t);
	if (t->rehashed > AGAIN_LEAST + AGAIN_FACTOR * t->blocks)
		return ST_CONFLICT;
	/* All of it is as of one moment when one sweep, from the first on, finds nothing to do. */
	for (t->busy |= t->at > 0; t->at < t->n; t->at++) {
		t->limbs[t->at]->what.uidls = t->limbs[t->at]->what.staged = true;
		TRY(limb_unit(f, t->limbs[t->at], &idle));
		if (!idle) {
			t->busy = true;
			return ST_OK;
		}
	}
	t->at = 0;
	if (t->busy) {
		t->busy = false;
		return ST_OK;
	}
	*done = true;
	return join(f, t);
}
