#include "filter/globals.h"

#include <string.h>

#include "common/util/bytes.h"
#include "common/util/mem.h"
#include "common/util/table.h"

struct rule {
	uint8_t			kind;
	struct span		domain, name;		/* in text */
	struct sieve_script	*script;
	struct table		members;		/* of a list: lower case -> the rule */
};

struct filter_globals {
	struct rule		*rules;
	size_t			n, room;
	struct arena		mem;
	struct sieve_conf	conf;
};

static struct span
lower(struct span s, struct buf *b)
{
	buf_clear(b);
	buf_add_span(b, s);
	for (size_t i = 0; i < b->len; i++)
		b->data[i] = (char)ascii_lower((unsigned char)b->data[i]);
	return buf_span(b);
}

/* One on each line; # starts a comment at the start of a line or behind a blank. */
static void
take_list(struct rule *r, struct span text)
{
	struct buf b = { 0 };

	while (text.len > 0) {
		size_t n = span_find(text, '\n');
		struct span line = span_sub(text, 0, n);

		for (size_t i = 0; i < line.len; i++)
			if (line.p[i] == '#' && (i == 0 || line.p[i - 1] == ' ' || line.p[i - 1] == '\t'))
				line.len = i;
		line = span_trim(line);
		if (line.len > 0)
			(void)table_put(&r->members, lower(line, &b), r);
		text = span_sub(text, n < text.len ? n + 1 : n, text.len);
	}
	buf_fini(&b);
}

static void
tell(const struct sieve_problems *p, struct span path, struct conf_errors *err)
{
	char *name = span_dup(path);

	for (size_t i = 0; i < p->n; i++)
		if (!p->v[i].warning)
			conf_error(err, name, p->v[i].line, "column %u: %s", p->v[i].column, p->v[i].text);
	mem_free(&name);
}

static void
take_script(struct filter_globals *g, struct rule *r, const struct rule_file *f,
    struct conf_errors *err)
{
	struct sieve_options o = g->conf.options;
	struct sieve_problems p = { 0 };

	o.trusted = true;
	o.off = NULL;
	o.name = arena_strndup(&g->mem, f->path.p, f->path.len);
	r->script = sieve_compile(f->text, &o, &p);
	if (r->script == NULL)
		tell(&p, f->path, err);
	sieve_problems_fini(&p);
}

static struct span
keep(struct filter_globals *g, struct span s)
{
	return span(arena_strndup(&g->mem, s.p, s.len), s.len);
}

static void
take_rule(struct filter_globals *g, const struct rule_file *f, struct conf_errors *err)
{
	struct rule *r;

	if (g->n == g->room) {
		g->room = g->room * 2 + 8;
		g->rules = mem_realloc_array(g->rules, g->room, sizeof(*g->rules));
	}
	r = &g->rules[g->n++];
	*r = (struct rule){ .kind = f->kind, .domain = keep(g, f->domain), .name = keep(g, f->name) };
	if (f->kind == RULE_LIST)
		take_list(r, f->text);
	else
		take_script(g, r, f, err);
}

struct filter_globals *
filter_globals_new(struct span blob, const struct mansio_conf *conf, struct conf_errors *err)
{
	struct filter_globals *g = mem_zalloc(sizeof(*g));
	unsigned before = err->count;
	struct rule_file f;
	struct reader r;

	sieve_conf_init(&g->conf, conf, 0);
	/* The admin's own may be longer. */
	g->conf.limits.script_bytes = RULES_SCRIPT_MAX;
	reader_init(&r, blob.p, blob.len);
	while (rule_file_get(&r, &f))
		take_rule(g, &f, err);
	if (r.bad)
		conf_error(err, "sieve", 0, "what came of the admin's scripts is damaged");
	if (err->count != before)
		filter_globals_free(&g);
	return g;
}

bool
filter_globals_good(struct span blob, const struct mansio_conf *conf, struct conf_errors *err)
{
	struct filter_globals *g = filter_globals_new(blob, conf, err);
	bool good = g != NULL;

	filter_globals_free(&g);
	return good;
}

void
filter_globals_free(struct filter_globals **gp)
{
	struct filter_globals *g = *gp;

	*gp = NULL;
	if (g == NULL)
		return;
	for (size_t i = 0; i < g->n; i++) {
		sieve_script_free(&g->rules[i].script);
		table_fini(&g->rules[i].members, NULL, NULL);
	}
	mem_free(&g->rules);
	sieve_conf_fini(&g->conf);
	arena_fini(&g->mem);
	mem_free(&g);
}

static size_t
add_chain(const struct filter_globals *g, enum rule_kind kind, struct span domain,
    const struct sieve_script **v, size_t n)
{
	for (size_t i = 0; i < g->n && n < FILTER_CHAIN_MAX; i++)
		if (g->rules[i].kind == kind && span_caseeq(g->rules[i].domain, domain))
			v[n++] = g->rules[i].script;
	return n;
}

size_t
filter_globals_chain(const struct filter_globals *g, enum rule_kind kind, struct span domain,
    const struct sieve_script **v)
{
	size_t n = 0;

	if (kind == RULE_BEFORE)	/* the whole server's are the outermost on both sides */
		n = add_chain(g, kind, SPAN_NONE, v, n);
	if (domain.len > 0)
		n = add_chain(g, kind, domain, v, n);
	if (kind == RULE_AFTER)
		n = add_chain(g, kind, SPAN_NONE, v, n);
	return n;
}

const struct sieve_script *
filter_globals_default(const struct filter_globals *g, struct span domain)
{
	const struct sieve_script *v[FILTER_CHAIN_MAX];

	if (domain.len > 0 && add_chain(g, RULE_DEFAULT, domain, v, 0) > 0)
		return v[0];
	return add_chain(g, RULE_DEFAULT, SPAN_NONE, v, 0) > 0 ? v[0] : NULL;
}

bool
filter_globals_idle(const struct filter_globals *g, struct span domain)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->rules[i].kind <= RULE_AFTER && (g->rules[i].domain.len == 0 ||
		    span_caseeq(g->rules[i].domain, domain)))
			return false;
	return true;
}

static const struct rule *
find_named(const struct filter_globals *g, uint8_t kind, struct span name)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->rules[i].kind == kind && span_eq(g->rules[i].name, name))
			return &g->rules[i];
	return NULL;
}

const struct sieve_script *
filter_globals_script(const struct filter_globals *g, struct span name)
{
	const struct rule *r = find_named(g, RULE_GLOBAL, name);

	return r != NULL ? r->script : NULL;
}

bool
filter_globals_has_list(const struct filter_globals *g, struct span name)
{
	return find_named(g, RULE_LIST, name) != NULL;
}

bool
filter_globals_member(const struct filter_globals *g, struct span list, struct span value)
{
	const struct rule *r = find_named(g, RULE_LIST, list);
	struct buf b = { 0 };
	bool yes;

	if (r == NULL)
		return false;
	yes = table_get(&r->members, lower(value, &b)) != NULL;
	buf_fini(&b);
	return yes;
}
