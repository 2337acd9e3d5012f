#include "filter/cache.h"

#include <string.h>

#include "common/util/list.h"
#include "common/util/mem.h"
#include "common/util/table.h"

/* A tree is some times as long as its text. */
#define TREE_FACTOR	8u
#define ENTRY_COST	512u

struct cached_script {
	struct list		in;		/* of the cache, the latest first */
	struct filter_cache	*cache;		/* NULL: no longer in it */
	unsigned char		sha256[32];
	struct sieve_script	*script;
	char			*error;
	uint32_t		line;
	size_t			cost;
	unsigned		users;
};

struct filter_cache {
	struct table	by_hash;
	struct list	latest;
	size_t		room, used;
};

struct filter_cache *
filter_cache_new(size_t bytes)
{
	struct filter_cache *c = mem_zalloc(sizeof(*c));

	c->room = bytes * TREE_FACTOR;
	list_init(&c->latest);
	return c;
}

static void
drop(struct cached_script *s)
{
	if (s->cache == NULL && s->users == 0) {
		sieve_script_free(&s->script);
		mem_free(&s->error);
		mem_free(&s);
	}
}

static void
leave(struct cached_script *s)
{
	struct filter_cache *c = s->cache;

	(void)table_del(&c->by_hash, span(s->sha256, sizeof(s->sha256)));
	list_remove(&s->in);
	c->used -= s->cost;
	s->cache = NULL;
	drop(s);
}

void
filter_cache_clear(struct filter_cache *c)
{
	while (!list_empty(&c->latest))
		leave(list_entry(c->latest.next, struct cached_script, in));
}

void
filter_cache_free(struct filter_cache **cp)
{
	struct filter_cache *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	filter_cache_clear(c);
	table_fini(&c->by_hash, NULL, NULL);
	mem_free(&c);
}

struct cached_script *
filter_cache_get(struct filter_cache *c, const unsigned char sha256[32])
{
	struct cached_script *s = table_get(&c->by_hash, span(sha256, 32));

	if (s == NULL)
		return NULL;
	s->users++;
	list_remove(&s->in);
	list_push_front(&c->latest, &s->in);
	return s;
}

static void
take_error(struct cached_script *s, const struct sieve_problems *p)
{
	for (size_t i = 0; i < p->n; i++) {
		if (p->v[i].warning)
			continue;
		s->error = mem_strdup(p->v[i].text);
		s->line = p->v[i].line;
		return;
	}
	s->error = mem_strdup("it cannot be compiled");
}

struct cached_script *
filter_cache_add(struct filter_cache *c, const unsigned char sha256[32], struct span text,
    const struct sieve_options *o)
{
	struct cached_script *s = mem_zalloc(sizeof(*s)), *before;
	struct sieve_problems p = { 0 };

	memcpy(s->sha256, sha256, 32);
	s->script = sieve_compile(text, o, &p);
	if (s->script == NULL)
		take_error(s, &p);
	sieve_problems_fini(&p);
	s->cost = text.len * TREE_FACTOR + ENTRY_COST;
	s->users = 1;
	s->cache = c;
	before = table_get(&c->by_hash, span(sha256, 32));
	if (before != NULL)
		leave(before);
	(void)table_put(&c->by_hash, span(sha256, 32), s);
	list_push_front(&c->latest, &s->in);
	c->used += s->cost;
	while (c->used > c->room && c->latest.prev != &s->in)
		leave(list_entry(c->latest.prev, struct cached_script, in));
	return s;
}

void
filter_cache_give_back(struct cached_script **sp)
{
	struct cached_script *s = *sp;

	*sp = NULL;
	if (s == NULL)
		return;
	s->users--;
	drop(s);
}

const struct sieve_script *
cached_script(const struct cached_script *s)
{
	return s->script;
}

const char *
cached_script_error(const struct cached_script *s, uint32_t *line)
{
	*line = s->line;
	return s->error != NULL ? s->error : "";
}
