#include "common/util/table.h"

#include <stdlib.h>
#include <sys/random.h>

#include "common/util/mem.h"

/* Open addressing with linear probing; a deleted slot keeps key NULL and
 * gone = true until the next growth. */
struct table_slot {
	char		*key;
	size_t		len;
	uint64_t	hash;
	void		*value;
	bool		gone;
};

static unsigned char hash_key[16];
static bool have_key;

#define ROTL(x, b) ((x) << (b) | (x) >> (64 - (b)))
#define SIPROUND do {						\
	v0 += v1; v1 = ROTL(v1, 13); v1 ^= v0; v0 = ROTL(v0, 32); \
	v2 += v3; v3 = ROTL(v3, 16); v3 ^= v2;			\
	v0 += v3; v3 = ROTL(v3, 21); v3 ^= v0;			\
	v2 += v1; v1 = ROTL(v1, 17); v1 ^= v2; v2 = ROTL(v2, 32); \
} while (0)

static uint64_t
le64(const unsigned char *p, size_t n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | p[n];
	return v;
}

uint64_t
siphash24(const unsigned char key[16], const void *in, size_t len)
{
	const unsigned char *p = in;
	uint64_t k0 = le64(key, 8), k1 = le64(key + 8, 8);
	uint64_t v0 = 0x736f6d6570736575ull ^ k0, v1 = 0x646f72616e646f6dull ^ k1;
	uint64_t v2 = 0x6c7967656e657261ull ^ k0, v3 = 0x7465646279746573ull ^ k1;
	uint64_t b = (uint64_t)len << 56, m;

	for (; len >= 8; p += 8, len -= 8) {
		m = le64(p, 8);
		v3 ^= m;
		SIPROUND;
		SIPROUND;
		v0 ^= m;
	}
	b |= le64(p, len);
	v3 ^= b;
	SIPROUND;
	SIPROUND;
	v0 ^= b;
	v2 ^= 0xff;
	SIPROUND;
	SIPROUND;
	SIPROUND;
	SIPROUND;
	return v0 ^ v1 ^ v2 ^ v3;
}

static uint64_t
hash_of(struct span key)
{
	if (!have_key) {
		if (getrandom(hash_key, sizeof(hash_key), 0) != sizeof(hash_key))
			abort();
		have_key = true;
	}
	return siphash24(hash_key, key.p, key.len);
}

static struct table_slot *
find(const struct table *t, struct span key, uint64_t hash)
{
	if (t->size == 0)
		return NULL;
	for (size_t i = hash & (t->size - 1);; i = (i + 1) & (t->size - 1)) {
		struct table_slot *s = &t->slots[i];

		if (s->key == NULL && !s->gone)
			return NULL;
		if (s->key != NULL && s->hash == hash &&
		    span_eq(span(s->key, s->len), key))
			return s;
	}
}

static void
place(struct table_slot *slots, size_t size, struct table_slot s)
{
	size_t i = s.hash & (size - 1);

	while (slots[i].key != NULL)
		i = (i + 1) & (size - 1);
	slots[i] = s;
}

static void
grow(struct table *t)
{
	size_t size = 16;
	struct table_slot *slots;

	while (size < t->count * 2 + 16)
		size *= 2;
	slots = mem_array(size, sizeof(*slots));
	for (size_t i = 0; i < t->size; i++)
		if (t->slots[i].key != NULL)
			place(slots, size, t->slots[i]);
	mem_free(&t->slots);
	t->slots = slots;
	t->size = size;
	t->filled = t->count;
}

void
table_fini(struct table *t, table_each_fn each, void *arg)
{
	for (size_t i = 0; i < t->size; i++) {
		if (t->slots[i].key == NULL)
			continue;
		if (each != NULL)
			each(t->slots[i].value, arg);
		mem_free(&t->slots[i].key);
	}
	mem_free(&t->slots);
	t->size = t->count = t->filled = 0;
}

void *
table_get(const struct table *t, struct span key)
{
	struct table_slot *s;

	if (t->count == 0)
		return NULL;
	s = find(t, key, hash_of(key));
	return s != NULL ? s->value : NULL;
}

void *
table_put(struct table *t, struct span key, void *value)
{
	uint64_t hash = hash_of(key);
	struct table_slot *s = find(t, key, hash);
	void *old;

	if (s != NULL) {
		old = s->value;
		s->value = value;
		return old;
	}
	if ((t->filled + 1) * 4 > t->size * 3)
		grow(t);
	place(t->slots, t->size, (struct table_slot){
	    .key = mem_strndup(key.p, key.len), .len = key.len, .hash = hash,
	    .value = value });
	t->count++;
	t->filled++;
	return NULL;
}

void *
table_del(struct table *t, struct span key)
{
	struct table_slot *s = t->count > 0 ? find(t, key, hash_of(key)) : NULL;
	void *old;

	if (s == NULL)
		return NULL;
	old = s->value;
	mem_free(&s->key);
	s->value = NULL;
	s->gone = true;
	t->count--;
	return old;
}

void *
table_get_u64(const struct table *t, uint64_t key)
{
	return table_get(t, span(&key, sizeof(key)));
}

void *
table_put_u64(struct table *t, uint64_t key, void *value)
{
	return table_put(t, span(&key, sizeof(key)), value);
}

void *
table_del_u64(struct table *t, uint64_t key)
{
	return table_del(t, span(&key, sizeof(key)));
}

bool
table_next(const struct table *t, size_t *pos, struct span *key, void **value)
{
	while (*pos < t->size) {
		struct table_slot *s = &t->slots[(*pos)++];

		if (s->key == NULL)
			continue;
		if (key != NULL)
			*key = span(s->key, s->len);
		if (value != NULL)
			*value = s->value;
		return true;
	}
	return false;
}
