/* What a name in a script stands for: looked for in the extensions that are in force, then in those
 * that ihave may bring; and what to say when it is in neither. */
#include <string.h>

#include "common/util/mem.h"
#include "sieve/core.h"

bool
sieve_word_in(const char *list, const char *word)
{
	struct span rest = span_str(list), w;

	while (rest.len > 0) {
		w = span_cut(&rest, ' ');
		if (span_caseeq_str(w, word))
			return true;
	}
	return false;
}

/* Runs found for each extension in force, then for each that may come to be: true ends it. */
#define EACH_EXT(c, i, stage)						\
	for (unsigned stage = 0; stage < 2; stage++)			\
		for (size_t i = 0; i < (c)->script->n_exts; i++)	\
			if (sieve_set_has(stage == 0 ? &(c)->script->required :	\
			    &(c)->script->possible, i))

/* The entry of that name in a table whose entries begin with their name. */
#define BY_NAME(table, name, found)					\
	do {								\
		for (found = (table); found != NULL && found->name != NULL; found++)	\
			if (span_caseeq_str((name), found->name))	\
				break;					\
		if (found != NULL && found->name == NULL)		\
			found = NULL;					\
	} while (0)

const struct sieve_word *
sieve_c_word(struct sieve_compile *c, struct span name, enum sieve_word_kind kind, size_t *ext)
{
	EACH_EXT(c, i, stage) {
		const struct sieve_word *w = c->script->exts[i]->words;

		for (; w != NULL && w->name != NULL; w++) {
			if (w->kind == kind && span_caseeq_str(name, w->name)) {
				*ext = i;
				return w;
			}
		}
	}
	return NULL;
}

static bool
takes(const struct sieve_tag *t, const struct sieve_word *w)
{
	return ((w->flags & SIEVE_WORD_MATCH) != 0 && sieve_word_in(t->on, "*match")) ||
	    ((w->flags & SIEVE_WORD_ADDRESS) != 0 && sieve_word_in(t->on, "*address")) ||
	    ((w->flags & SIEVE_WORD_FIELDS) != 0 && sieve_word_in(t->on, "*fields")) ||
	    sieve_word_in(t->on, w->name);
}

static const struct sieve_tag *
tag_of(const struct sieve_ext *e, const struct sieve_word *w, struct span name)
{
	for (const struct sieve_tag *t = e->tags; t != NULL && t->name != NULL; t++)
		if (span_caseeq_str(name, t->name) && takes(t, w))
			return t;
	return NULL;
}

const struct sieve_tag *
sieve_c_tag(struct sieve_compile *c, const struct sieve_word *w, struct span name, size_t *ext)
{
	EACH_EXT(c, i, stage) {
		const struct sieve_tag *t = tag_of(c->script->exts[i], w, name);

		if (t != NULL) {
			*ext = i;
			return t;
		}
	}
	return NULL;
}

#define LOOKUP(function, type, table)					\
const struct type *							\
function(struct sieve_compile *c, struct span name, size_t *ext)	\
{									\
	EACH_EXT(c, i, stage) {						\
		const struct type *v;					\
									\
		BY_NAME(c->script->exts[i]->table, name, v);		\
		if (v != NULL) {					\
			*ext = i;					\
			return v;					\
		}							\
	}								\
	return NULL;							\
}
LOOKUP(sieve_c_match_type, sieve_match_type, match_types)
LOOKUP(sieve_c_part, sieve_address_part, address_parts)
LOOKUP(sieve_c_comparator, sieve_comparator, comparators)
LOOKUP(sieve_c_modifier, sieve_modifier, modifiers)
LOOKUP(sieve_c_namespace, sieve_namespace, namespaces)

/* --- what is not known ----------------------------------------------------------------------- */

static bool
has_word(const struct sieve_ext *e, struct span name, enum sieve_word_kind kind)
{
	for (const struct sieve_word *w = e->words; w != NULL && w->name != NULL; w++)
		if (w->kind == kind && span_caseeq_str(name, w->name))
			return true;
	return false;
}

static bool
has_tag(const struct sieve_ext *e, const struct sieve_word *w, struct span name)
{
	const struct sieve_match_type *m;
	const struct sieve_address_part *p;
	const struct sieve_modifier *s;

	if (tag_of(e, w, name) != NULL)
		return true;
	BY_NAME(e->match_types, name, m);
	BY_NAME(e->address_parts, name, p);
	BY_NAME(e->modifiers, name, s);
	return (m != NULL && (w->flags & SIEVE_WORD_MATCH) != 0) ||
	    (p != NULL && (w->flags & SIEVE_WORD_ADDRESS) != 0) ||
	    (s != NULL && (w->flags & SIEVE_WORD_MODIFIERS) != 0);
}

bool
sieve_c_knows_tag(struct sieve_compile *c, const struct sieve_word *w, struct span name)
{
	for (size_t i = 0; i < c->script->n_exts; i++)
		if ((sieve_set_has(&c->script->required, i) ||
		    sieve_set_has(&c->script->possible, i)) &&
		    has_tag(c->script->exts[i], w, name))
			return true;
	return false;
}

/* The extension of an extension list that has the name, or NULL. */
static const struct sieve_ext *
owner(const struct sieve_ext *const *v, size_t n, const struct sieve_word *w, struct span name,
    enum sieve_word_kind kind)
{
	for (size_t i = 0; i < n && v[i] != NULL; i++)
		if (w != NULL ? has_tag(v[i], w, name) : has_word(v[i], name, kind))
			return v[i];
	return NULL;
}

/* Tells that an extension is missing; false: no extension has it. */
static bool
tell_owner(struct sieve_compile *c, struct sieve_node *n, struct sieve_place at,
    const struct sieve_word *w, struct span name, enum sieve_word_kind kind)
{
	const char *sign = w != NULL ? ":" : "";
	const struct sieve_ext *e;

	e = owner((const struct sieve_ext *const *)c->script->exts, c->script->n_exts, w, name,
	    kind);
	if (e != NULL) {
		sieve_c_lack(c, n, at, "'%s%.*s' needs require \"%s\" at the head of the script",
		    sign, (int)name.len, name.p, e->name);
		return true;
	}
	e = owner(sieve_extensions, SIZE_MAX, w, name, kind);
	if (e != NULL) {
		sieve_c_lack(c, n, at, "'%s%.*s' is part of the extension \"%s\", "
		    "which is not available here", sign, (int)name.len, name.p, e->name);
		return true;
	}
	return false;
}

#define NAMES_MAX 256

static void
add_name(const char **names, size_t *n, const char *name)
{
	if (*n < NAMES_MAX) {
		names[(*n)++] = name;
		names[*n] = NULL;
	}
}

void
sieve_c_unknown_word(struct sieve_compile *c, struct sieve_node *n, struct span name,
    enum sieve_word_kind kind)
{
	const char *what = kind == SIEVE_TEST ? "test" : "command", *near;
	const char *names[NAMES_MAX + 1] = { NULL };
	struct sieve_place at = { n->line, n->column };
	size_t ext, many = 0;
	int len = (int)(name.len < 64 ? name.len : 64);

	if (tell_owner(c, n, at, NULL, name, kind))
		return;
	if (sieve_c_word(c, name, kind == SIEVE_TEST ? SIEVE_COMMAND : SIEVE_TEST, &ext) != NULL) {
		sieve_c_lack(c, n, at, kind == SIEVE_TEST ?
		    "cannot use command '%.*s' as a test" :
		    "cannot use test '%.*s' as a command: tests stand behind 'if'",
		    len, name.p);
		return;
	}
	for (size_t i = 0; i < c->script->n_exts; i++) {
		const struct sieve_word *w = c->script->exts[i]->words;

		for (; w != NULL && w->name != NULL; w++)
			if (w->kind == kind)
				add_name(names, &many, w->name);
	}
	near = sieve_nearest(name, names);
	if (near != NULL)
		sieve_c_lack(c, n, at, "unknown %s '%.*s': did you mean '%s'?", what, len, name.p,
		    near);
	else
		sieve_c_lack(c, n, at, "unknown %s '%.*s'", what, len, name.p);
}

static void
tag_names(const struct sieve_ext *e, const struct sieve_word *w, const char **names, size_t *n)
{
	for (const struct sieve_tag *t = e->tags; t != NULL && t->name != NULL; t++)
		if (takes(t, w))
			add_name(names, n, t->name);
	if ((w->flags & SIEVE_WORD_MATCH) != 0) {
		const struct sieve_match_type *m = e->match_types;

		for (; m != NULL && m->name != NULL; m++)
			add_name(names, n, m->name);
	}
	if ((w->flags & SIEVE_WORD_ADDRESS) != 0) {
		const struct sieve_address_part *p = e->address_parts;

		for (; p != NULL && p->name != NULL; p++)
			add_name(names, n, p->name);
	}
	if ((w->flags & SIEVE_WORD_MODIFIERS) != 0) {
		const struct sieve_modifier *m = e->modifiers;

		for (; m != NULL && m->name != NULL; m++)
			add_name(names, n, m->name);
	}
}

void
sieve_c_unknown_tag(struct sieve_compile *c, struct sieve_node *n, struct span name,
    struct sieve_place at)
{
	const char *kind = n->word->kind == SIEVE_TEST ? "test" : "command";
	const char *names[NAMES_MAX + 1] = { NULL }, *near;
	size_t many = 0;
	int len = (int)(name.len < 64 ? name.len : 64);

	if (tell_owner(c, n, at, n->word, name, n->word->kind))
		return;
	for (size_t i = 0; i < c->script->n_exts; i++)
		tag_names(c->script->exts[i], n->word, names, &many);
	if ((n->word->flags & SIEVE_WORD_MATCH) != 0)
		add_name(names, &many, "comparator");
	near = sieve_nearest(name, names);
	if (near != NULL)
		sieve_c_lack(c, n, at, "unknown tagged argument ':%.*s' for the %s %s here: "
		    "did you mean ':%s'?", len, name.p, n->word->name, kind, near);
	else
		sieve_c_lack(c, n, at, "unknown tagged argument ':%.*s' for the %s %s here", len,
		    name.p, n->word->name, kind);
}
