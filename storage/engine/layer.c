/* A skip list a table, and a filter that knows of most keys that are not in any.  Rows and values
 * lie in chunks that go with the layer; a value that is put again and again takes turns in two
 * places.  What a search looks at lies together, apart from the rest. */
#include "storage/engine/layer.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "common/util/bytes.h"
#include "common/util/mem.h"

#define HEIGHT_MAX	10u
#define CHUNK		(64u << 10)
#define SEED		0x9e3779b97f4a7c15u
#define FILTER_BITS	(1u << 18)	/* two of them for a row */

struct slot {
	char		*p;
	uint32_t	len, room;
};

struct body {
	struct slot		slot[2];
	uint8_t			at;		/* which slot is what was committed */
	uint8_t			has, mine;	/* enum layer_has; mine NONE: not changed */
	struct body		*changed;	/* the next one that the transaction changed */
};

struct layer_row {
	struct body		*body;
	uint16_t		key_len;
	uint8_t			height;
	struct layer_row	*next[];	/* the key stands behind */
};

struct chunk {
	struct chunk	*next;
	size_t		used, room;
	alignas(max_align_t) char data[];
};

struct layer {
	struct chunk		*chunks, *spare;
	size_t			rows, bytes, tables;
	bool			used;
	uint64_t		random;
	struct body		*changed;
	uint64_t		filter[FILTER_BITS / 64];
	struct layer_row	*heads[][HEIGHT_MAX];
};

struct layer *
layer_new(size_t tables)
{
	struct layer *l = mem_zalloc(sizeof(*l) + tables * sizeof(l->heads[0]));

	l->tables = tables;
	l->random = SEED;
	return l;
}

static void
free_chunks(struct chunk *c)
{
	while (c != NULL) {
		struct chunk *next = c->next;

		mem_free(&c);
		c = next;
	}
}

void
layer_free(struct layer **lp)
{
	struct layer *l = *lp;

	if (l == NULL)
		return;
	free_chunks(l->chunks);
	free_chunks(l->spare);
	mem_free(lp);
}

void
layer_empty(struct layer *l, size_t keep)
{
	struct chunk *c, *next, *spare = NULL;
	const size_t tables = l->tables;

	for (c = l->chunks; c != NULL; c = next) {
		next = c->next;
		if (c->room != CHUNK || keep < CHUNK) {
			mem_free(&c);
			continue;
		}
		keep -= CHUNK;
		c->next = spare;
		spare = c;
	}
	free_chunks(l->spare);
	memset(l, 0, sizeof(*l) + tables * sizeof(l->heads[0]));
	l->tables = tables;
	l->random = SEED;
	l->spare = spare;
}

size_t
layer_rows(const struct layer *l)
{
	return l->rows;
}

size_t
layer_bytes(const struct layer *l)
{
	return l->bytes;
}

bool
layer_used(const struct layer *l)
{
	return l->used;
}

/* ---- memory ---- */

/* What is larger than a chunk has one of its own, behind the one in use. */
static void *
take(struct layer *l, size_t n)
{
	const size_t align = alignof(struct layer_row);
	struct chunk *c = l->chunks;
	void *p;

	n = (n + align - 1) & ~(align - 1);
	if (c == NULL || c->room - c->used < n) {
		size_t room = n > CHUNK / 4 ? n : CHUNK;

		c = room == CHUNK ? l->spare : NULL;
		if (c != NULL)
			l->spare = c->next;
		else
			c = mem_alloc(sizeof(*c) + room);
		c->room = room;
		c->used = 0;
		if (room != CHUNK && l->chunks != NULL) {
			c->next = l->chunks->next;
			l->chunks->next = c;
		} else {
			c->next = l->chunks;
			l->chunks = c;
		}
	}
	p = c->data + c->used;
	c->used += n;
	l->bytes += n;
	return p;
}

static void
fill(struct layer *l, struct slot *s, struct span value)
{
	assert(value.len <= UINT32_MAX);
	if (s->p == NULL || s->room < value.len) {
		s->p = take(l, value.len);
		s->room = (uint32_t)value.len;
	}
	s->len = (uint32_t)value.len;
	if (value.len > 0)
		memcpy(s->p, value.p, value.len);
}

/* ---- finding ---- */

static const char *
key_of(const struct layer_row *row)
{
	return (const char *)&row->next[row->height];
}

struct span
layer_key(const struct layer_row *row)
{
	return span(key_of(row), row->key_len);
}

/* The first row at or behind key.  links, unless NULL: the pointers to what is not before it, from
 * the lowest level on.  *before, unless NULL: the row in front of it. */
static struct layer_row *
find(const struct layer *l, unsigned table, struct span key, struct layer_row ***links,
    const struct layer_row **before)
{
	struct layer_row **at = (struct layer_row **)(uintptr_t)l->heads[table];
	struct layer_row *behind = NULL;	/* known not to be before key */

	assert(table < l->tables);
	if (before != NULL)
		*before = NULL;
	for (unsigned i = HEIGHT_MAX; i-- > 0;) {
		while (at[i] != NULL && at[i] != behind && span_cmp(layer_key(at[i]), key) < 0) {
			if (before != NULL)
				*before = at[i];
			at = at[i]->next;
		}
		behind = at[i];
		if (links != NULL)
			links[i] = &at[i];
	}
	return at[0];
}

static bool
is_key(const struct layer_row *row, struct span key)
{
	return row != NULL && row->key_len == key.len &&
	    memcmp(key_of(row), key.p, key.len) == 0;
}

const struct layer_row *
layer_at(const struct layer *l, unsigned table, struct span key)
{
	return find(l, table, key, NULL, NULL);
}

const struct layer_row *
layer_next(const struct layer_row *row)
{
	return row->next[0];
}

static const struct layer_row *
last_row(const struct layer *l, unsigned table)
{
	struct layer_row *const *at = l->heads[table];
	const struct layer_row *row = NULL;

	for (unsigned i = HEIGHT_MAX; i-- > 0;)
		while (at[i] != NULL) {
			row = at[i];
			at = at[i]->next;
		}
	return row;
}

const struct layer_row *
layer_before(const struct layer *l, unsigned table, const struct span *key)
{
	const struct layer_row *row;

	if (key == NULL)
		return last_row(l, table);
	(void)find(l, table, *key, NULL, &row);
	return row;
}

enum layer_has
layer_value(const struct layer_row *row, bool mine, struct span *value)
{
	const struct body *b = row->body;
	bool changed = mine && b->mine != LAYER_NONE;
	enum layer_has has = (enum layer_has)(changed ? b->mine : b->has);
	const struct slot *s = &b->slot[changed ? !b->at : b->at];

	if (has == LAYER_VALUE)
		*value = span(s->p, s->len);
	return has;
}

static void
filter_bits(unsigned table, struct span key, uint32_t bits[2])
{
	uint64_t h = (crc32c(table, key.p, key.len) + 1ull) * 0x9e3779b97f4a7c15u;

	bits[0] = (uint32_t)(h >> 32) % FILTER_BITS;
	bits[1] = (uint32_t)(h >> 12) % FILTER_BITS;
}

static bool
filter_has(const struct layer *l, uint32_t bit)
{
	return (l->filter[bit / 64] >> bit % 64 & 1) != 0;
}

enum layer_has
layer_get(const struct layer *l, unsigned table, struct span key, bool mine, struct span *value)
{
	const struct layer_row *row;
	uint32_t bits[2];

	filter_bits(table, key, bits);
	if (!filter_has(l, bits[0]) || !filter_has(l, bits[1]))
		return LAYER_NONE;
	row = find(l, table, key, NULL, NULL);
	return is_key(row, key) ? layer_value(row, mine, value) : LAYER_NONE;
}

/* ---- changing ---- */

/* Of four rows one is on the next level too. */
static unsigned
some_height(struct layer *l)
{
	unsigned h = 1;
	uint64_t r;

	l->random ^= l->random << 13;
	l->random ^= l->random >> 7;
	l->random ^= l->random << 17;
	for (r = l->random; h < HEIGHT_MAX && (r & 3) == 0; r >>= 2)
		h++;
	return h;
}

static struct layer_row *
insert(struct layer *l, unsigned table, struct span key, struct layer_row ***links)
{
	unsigned h = some_height(l);
	struct layer_row *row = take(l, sizeof(*row) + h * sizeof(row->next[0]) + key.len);
	uint32_t bits[2];

	filter_bits(table, key, bits);
	l->filter[bits[0] / 64] |= (uint64_t)1 << bits[0] % 64;
	l->filter[bits[1] / 64] |= (uint64_t)1 << bits[1] % 64;
	row->body = take(l, sizeof(*row->body));
	memset(row->body, 0, sizeof(*row->body));
	row->height = (uint8_t)h;
	row->key_len = (uint16_t)key.len;
	memcpy(&row->next[h], key.p, key.len);
	for (unsigned i = 0; i < h; i++) {
		row->next[i] = *links[i];
		*links[i] = row;
	}
	l->rows++;
	return row;
}

void
layer_put(struct layer *l, unsigned table, struct span key, const struct span *value)
{
	struct layer_row **links[HEIGHT_MAX], *row;
	struct body *b;

	assert(key.len <= UINT16_MAX);
	row = find(l, table, key, links, NULL);
	if (!is_key(row, key))
		row = insert(l, table, key, links);
	b = row->body;
	if (b->mine == LAYER_NONE) {
		b->changed = l->changed;
		l->changed = b;
	}
	b->mine = value != NULL ? LAYER_VALUE : LAYER_GONE;
	if (value != NULL)
		fill(l, &b->slot[!b->at], *value);
}

static void
end(struct layer *l, bool commit)
{
	for (struct body *b = l->changed; b != NULL; b = b->changed) {
		if (commit) {
			b->at = !b->at;
			b->has = b->mine;
			l->used = true;
		}
		b->mine = LAYER_NONE;
	}
	l->changed = NULL;
}

void
layer_commit(struct layer *l)
{
	end(l, true);
}

void
layer_abort(struct layer *l)
{
	end(l, false);
}
