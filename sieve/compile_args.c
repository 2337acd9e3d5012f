/* Tags and positional arguments of a command or test, against the tables. */
#include <stdio.h>
#include <string.h>

#include "sieve/core.h"

struct tags {
	struct sieve_compile	*c;
	struct sieve_node	*n;
	const struct sieve_ast_arg *at;		/* the next argument */
	const struct sieve_comparator *comparator;
	bool			ok;
	bool			lost;		/* a tag misses its value: what follows is not looked at */
};

static const char *
kind_words(char letter)
{
	switch (letter) {
	case 'n': return "a number";
	case 's': return "a string";
	default: return "a string or a list of strings";
	}
}

static const char *
arg_words(const struct sieve_ast_arg *a)
{
	switch (a->kind) {
	case SIEVE_A_TAG: return "a tag";
	case SIEVE_A_NUMBER: return "a number";
	case SIEVE_A_STRINGS: return a->list ? "a list of strings" : "a string";
	}
	return "";
}

static bool
fits(const struct sieve_ast_arg *a, char letter)
{
	switch (letter) {
	case 'n': return a->kind == SIEVE_A_NUMBER;
	case 's': return a->kind == SIEVE_A_STRINGS && !a->list;
	case 'S': return a->kind == SIEVE_A_STRINGS;
	default: return false;
	}
}

static void
take(struct sieve_compile *c, const struct sieve_ast_arg *a, bool raw, struct sieve_arg *out)
{
	out->line = a->at.line;
	out->column = a->at.column;
	out->is_number = a->kind == SIEVE_A_NUMBER;
	out->number = a->number;
	if (a->kind == SIEVE_A_STRINGS)
		sieve_c_strings(c, a->strings, a->n, a->list, raw, &out->s);
}

/* The argument behind the tag at t->at. */
static bool
tag_value(struct tags *t, const struct sieve_ast_arg *tag, char letter, bool constant,
    struct sieve_arg *out)
{
	const struct sieve_ast_arg *a = t->at;

	if (letter == 0)
		return true;
	if (a == NULL || !fits(a, letter)) {
		sieve_error_at(t->c, tag->at.line, tag->at.column,
		    "expected %s behind ':%.*s', found %s", kind_words(letter),
		    (int)tag->text.len, tag->text.p, a != NULL ? arg_words(a) : "nothing");
		t->lost = true;
		return t->ok = false;
	}
	t->at = a->next;
	take(t->c, a, false, out);
	for (size_t i = 0; constant && i < out->s.n; i++)
		if (!sieve_c_constant(t->c, t->n, &out->s.v[i], "what stands behind this tag"))
			t->ok = false;
	return true;
}

static bool
take_comparator(struct tags *t, const struct sieve_ast_arg *tag)
{
	struct sieve_arg v = { 0 };
	struct span name;
	size_t ext;

	if (t->comparator != NULL) {
		sieve_error_at(t->c, tag->at.line, tag->at.column,
		    "there is a ':comparator' already");
		t->ok = false;
	}
	if (!tag_value(t, tag, 's', true, &v) || !t->ok)
		return false;
	name = v.s.v[0].text;
	t->comparator = sieve_c_comparator(t->c, name, &ext);
	if (t->comparator == NULL) {
		const char *names[SIEVE_EXTS_MAX + 1], *near;
		struct sieve_place at = { v.line, v.column };
		size_t n = 0;

		for (size_t i = 0; i < t->c->script->n_exts; i++) {
			const struct sieve_comparator *k = t->c->script->exts[i]->comparators;

			for (; k != NULL && k->name != NULL && n < SIEVE_EXTS_MAX; k++) {
				names[n++] = k->name;
				if (span_eq_str(name, k->name)) {
					sieve_c_lack(t->c, t->n, at,
					    "the comparator \"%s\" needs require \"%s\"", k->name,
					    t->c->script->exts[i]->name);
					return false;
				}
			}
		}
		names[n] = NULL;
		near = sieve_nearest(name, names);
		sieve_c_lack(t->c, t->n, at, "unknown comparator \"%.*s\"%s%s%s",
		    (int)(name.len < 64 ? name.len : 64), name.p,
		    near != NULL ? ": did you mean \"" : "", near != NULL ? near : "",
		    near != NULL ? "\"?" : "");
		return false;
	}
	sieve_c_need(t->c, t->n, ext);
	return true;
}

/* The match type, the address part: true when the tag was one. */
static bool
take_match_type(struct tags *t, const struct sieve_ast_arg *tag)
{
	struct sieve_match *m = t->n->match;
	struct sieve_arg v = { 0 };
	const struct sieve_match_type *type;
	size_t ext;

	if (m == NULL)
		return false;
	type = sieve_c_match_type(t->c, tag->text, &ext);
	if (type == NULL)
		return false;
	if (m->type != NULL) {
		sieve_error_at(t->c, tag->at.line, tag->at.column,
		    "':%s' and ':%s' cannot stand together", m->type->name, type->name);
		t->ok = false;
	}
	m->type = type;
	sieve_c_need(t->c, t->n, ext);
	if (type->param && tag_value(t, tag, 's', false, &v))
		m->param = v.s;
	return true;
}

static bool
take_part(struct tags *t, const struct sieve_ast_arg *tag)
{
	const struct sieve_address_part *part;
	size_t ext;

	if ((t->n->word->flags & SIEVE_WORD_ADDRESS) == 0)
		return false;
	part = sieve_c_part(t->c, tag->text, &ext);
	if (part == NULL)
		return false;
	if (t->n->part != NULL) {
		sieve_error_at(t->c, tag->at.line, tag->at.column,
		    "':%s' and ':%s' cannot stand together", t->n->part->name, part->name);
		t->ok = false;
	}
	t->n->part = part;
	t->n->part_given = true;
	sieve_c_need(t->c, t->n, ext);
	return true;
}

static struct sieve_tagged *
add_tagged(struct tags *t, const struct sieve_ast_arg *tag)
{
	struct sieve_tagged *g = &t->n->tags[t->n->n_tags++];

	g->line = tag->at.line;
	g->column = tag->at.column;
	return g;
}

/* Modifiers stand in the order in which they apply. */
static bool
take_modifier(struct tags *t, const struct sieve_ast_arg *tag)
{
	const struct sieve_modifier *m;
	struct sieve_tagged *g, one;
	size_t ext;

	if ((t->n->word->flags & SIEVE_WORD_MODIFIERS) == 0)
		return false;
	m = sieve_c_modifier(t->c, tag->text, &ext);
	if (m == NULL)
		return false;
	sieve_c_need(t->c, t->n, ext);
	for (unsigned i = 0; i < t->n->n_tags; i++) {
		const struct sieve_modifier *o = t->n->tags[i].modifier;

		if (o != NULL && o->precedence == m->precedence) {
			sieve_error_at(t->c, tag->at.line, tag->at.column, o == m ?
			    "':%s' is given twice" : "':%s' and ':%s' cannot stand together",
			    o->name, m->name);
			t->ok = false;
			return true;
		}
	}
	g = add_tagged(t, tag);
	g->modifier = m;
	tag_value(t, tag, m->value, false, &g->value);
	for (one = *g; g > t->n->tags && (g[-1].modifier == NULL ||
	    g[-1].modifier->precedence < m->precedence); g--)
		g[0] = g[-1];
	*g = one;
	return true;
}

/* Tags of one group of one extension exclude one another, and so does a tag itself. */
static bool
clash(struct tags *t, const struct sieve_ast_arg *at, const struct sieve_tag *tag, size_t ext)
{
	const struct sieve_ext *e = t->c->script->exts[ext];

	for (unsigned i = 0; i < t->n->n_tags; i++) {
		const struct sieve_tag *o = t->n->tags[i].tag;
		bool same_ext = false;

		if (o == tag && !tag->repeats) {
			sieve_error_at(t->c, at->at.line, at->at.column, "':%s' is given twice",
			    tag->name);
			return true;
		}
		for (const struct sieve_tag *k = e->tags; k->name != NULL; k++)
			same_ext = same_ext || k == o;
		if (o != NULL && o != tag && tag->group != 0 && o->group == tag->group &&
		    same_ext) {
			sieve_error_at(t->c, at->at.line, at->at.column,
			    "':%s' and ':%s' cannot stand together", o->name, tag->name);
			return true;
		}
	}
	return false;
}

static bool
take_tag(struct tags *t, const struct sieve_ast_arg *at)
{
	struct sieve_tagged *g;
	const struct sieve_tag *tag;
	size_t ext;

	tag = sieve_c_tag(t->c, t->n->word, at->text, &ext);
	if (tag == NULL)
		return false;
	sieve_c_need(t->c, t->n, ext);
	if (clash(t, at, tag, ext))
		t->ok = false;
	g = add_tagged(t, at);
	g->tag = tag;
	tag_value(t, at, tag->value, tag->constant, &g->value);
	if (tag->headers != NULL || tag->select != NULL || tag->values != NULL)
		t->n->hooks = true;
	return true;
}

static size_t
count_tags(const struct sieve_ast *ast)
{
	size_t n = 0;

	for (const struct sieve_ast_arg *a = ast->args; a != NULL; a = a->next)
		n += a->kind == SIEVE_A_TAG;
	return n;
}

/* Takes tags from the front, with what they take. */
static void
take_tags(struct tags *t)
{
	while (t->at != NULL && t->at->kind == SIEVE_A_TAG && t->n->deferred == NULL &&
	    !t->lost) {
		const struct sieve_ast_arg *tag = t->at;

		t->at = tag->next;
		if (t->n->match != NULL && span_caseeq_str(tag->text, "comparator")) {
			if (!take_comparator(t, tag)) {
				t->ok = t->n->deferred != NULL;
				return;
			}
		} else if (!take_match_type(t, tag) && !take_part(t, tag) && !take_tag(t, tag) &&
		    !take_modifier(t, tag)) {
			sieve_c_unknown_tag(t->c, t->n, tag->text, tag->at);
			t->ok = t->n->deferred != NULL;
			/* What it may take cannot be told from other arguments. */
			if (t->ok)
				return;
		}
	}
}

/* --- positional arguments -------------------------------------------------------------------- */

static size_t
letters(const char *args, const char *which)
{
	size_t n = 0;

	for (; *args != '\0' && *args != '|'; args++)
		n += strchr(which, *args) != NULL;
	return n;
}

/* The variant with that many positional arguments, or NULL. */
static const char *
variant(const char *args, size_t n)
{
	for (;;) {
		if (letters(args, "nsS") == n)
			return args;
		args = strchr(args, '|');
		if (args == NULL)
			return NULL;
		args++;
	}
}

/* "a string and a list of strings" for an error. */
static void
describe(const char *args, char *out, size_t room)
{
	size_t n = letters(args, "nsS"), seen = 0, at = 0;

	out[0] = '\0';
	if (n == 0)
		snprintf(out, room, "no arguments");
	for (; *args != '\0' && *args != '|' && at < room; args++) {
		if (strchr("nsS", *args) == NULL)
			continue;
		at += (size_t)snprintf(out + at, room - at, "%s%s",
		    seen == 0 ? "" : seen + 1 == n ? " and " : ", ",
		    *args == 'n' ? "a number" : *args == 's' ? "a string" : "a list of strings");
		seen++;
	}
}

static const char *
word_kind(const struct sieve_word *w)
{
	return w->kind == SIEVE_TEST ? "test" : "command";
}

static void
wrong_number(struct sieve_compile *c, const struct sieve_node *n, size_t have)
{
	const char *fewer = strchr(n->word->args, '|');
	size_t most = letters(n->word->args, "nsS");
	char what[120], less[120] = "", or[32] = "";

	describe(n->word->args, what, sizeof(what));
	if (fewer != NULL) {
		describe(fewer + 1, less, sizeof(less) - 5);
		strcat(less, ", or ");
		snprintf(or, sizeof(or), "%zu or ", letters(fewer + 1, "nsS"));
	}
	sieve_error(c, n, "the %s %s requires %s%zu positional argument%s (%s%s), "
	    "but %zu %s specified", n->word->name, word_kind(n->word), or, most,
	    most == 1 ? "" : "s", less, what, have, have == 1 ? "is" : "are");
}

/* The name of argument i in words, for errors: " (header names)". */
static void
arg_name(const struct sieve_word *w, unsigned i, char *out, size_t room)
{
	struct span rest = span_str(w->arg_names), name = SPAN_NONE;

	out[0] = '\0';
	for (unsigned k = 0; k <= i; k++)
		name = rest.len > 0 ? span_cut(&rest, ',') : SPAN_NONE;
	if (name.len > 0)
		snprintf(out, room, " (%.*s)", (int)name.len, name.p);
}

static void
wrong_kind(struct sieve_compile *c, const struct sieve_node *n, const struct sieve_ast_arg *a,
    char letter)
{
	char name[64];

	arg_name(n->word, n->n_args, name, sizeof(name));
	sieve_error_at(c, a->at.line, a->at.column,
	    "the %s %s expects %s as argument %u%s, but %s was found", n->word->name,
	    word_kind(n->word), letter == 'n' ? "a number" : letter == 's' ? "a string" :
	    "a string list", n->n_args + 1u, name, arg_words(a));
}

static bool
is_tag_of(struct sieve_compile *c, const struct sieve_word *w, struct span name)
{
	size_t ext;

	return sieve_c_knows_tag(c, w, name) ||
	    ((w->flags & SIEVE_WORD_MATCH) != 0 && span_caseeq_str(name, "comparator")) ||
	    sieve_c_tag(c, w, name, &ext) != NULL;
}

/* A tag behind the other arguments. */
static void
late_tag(struct tags *t, const struct sieve_ast_arg *a)
{
	const struct sieve_word *w = t->n->word;

	if (is_tag_of(t->c, w, a->text))
		sieve_error_at(t->c, a->at.line, a->at.column, "unexpected tag ':%.*s' behind the "
		    "arguments of the %s %s: tags stand before them", (int)a->text.len, a->text.p,
		    w->name, word_kind(w));
	else
		sieve_c_unknown_tag(t->c, t->n, a->text, a->at);
}

static bool
take_positional(struct tags *t)
{
	const struct sieve_word *w = t->n->word;
	bool raw = (w->flags & SIEVE_WORD_CONSTANT) != 0;
	const struct sieve_ast_arg *a;
	const char *letter;
	size_t have = 0;

	for (a = t->at; a != NULL; a = a->next) {
		if (a->kind == SIEVE_A_TAG) {
			late_tag(t, a);
			return t->n->deferred != NULL;
		}
		have++;
	}
	letter = variant(w->args, have);
	if (letter == NULL) {
		wrong_number(t->c, t->n, have);
		return false;
	}
	t->n->args = sieve_c_alloc(t->c, (have + 1) * sizeof(*t->n->args));
	for (a = t->at; a != NULL; a = a->next, letter++) {
		while (strchr("nsS", *letter) == NULL)
			letter++;
		if (!fits(a, *letter)) {
			wrong_kind(t->c, t->n, a, *letter);
			return false;
		}
		take(t->c, a, raw, &t->n->args[t->n->n_args++]);
	}
	return true;
}

/* A word where none belongs: a ";" was forgotten before the next command, a ":" before a tag, or it is
 * a test too many. */
static void
extra_test(struct sieve_compile *c, const struct sieve_node *n, const struct sieve_ast *ast)
{
	const struct sieve_ast *t = ast->tests;
	struct span name = t->name;
	int len = (int)(name.len < 64 ? name.len : 64);
	size_t ext;

	if (!ast->list && sieve_c_knows_tag(c, n->word, name))
		sieve_error_at(c, t->at.line, t->at.column, "missing colon before the '%.*s' tag "
		    "of the %s %s", len, name.p, n->word->name, word_kind(n->word));
	else if (n->word->kind == SIEVE_COMMAND && !ast->list &&
	    sieve_c_word(c, name, SIEVE_TEST, &ext) == NULL)
		sieve_error_at(c, t->at.line, t->at.column, "missing semicolon at the end of the "
		    "%s command, before '%.*s'", n->word->name, len, name.p);
	else
		sieve_error_at(c, t->at.line, t->at.column, "the %s %s accepts no sub-tests, "
		    "but '%.*s' is specified", n->word->name, word_kind(n->word), len, name.p);
}

/* What is missing behind a test with a tag that nobody knows may come of that. */
static bool
strange_tag(struct sieve_compile *c, const struct sieve_ast *test)
{
	size_t ext;
	const struct sieve_word *w = test != NULL ? sieve_c_word(c, test->name, SIEVE_TEST, &ext) :
	    NULL;

	for (const struct sieve_ast_arg *a = w != NULL ? test->args : NULL; a != NULL; a = a->next)
		if (a->kind == SIEVE_A_TAG && !is_tag_of(c, w, a->text))
			return true;
	return false;
}

static bool
check_shape(struct sieve_compile *c, const struct sieve_node *n, const struct sieve_ast *ast)
{
	bool one = letters(n->word->args, "t") > 0, many = letters(n->word->args, "T") > 0;
	bool block = letters(n->word->args, "b") > 0;

	if (!one && !many && ast->tests != NULL) {
		extra_test(c, n, ast);
		return false;
	}
	if (one && (ast->tests == NULL || ast->list)) {
		sieve_error(c, n, ast->list ?
		    "'%s' takes one test: use 'allof (...)' or 'anyof (...)' for several" :
		    "expected a test behind '%s'", n->word->name);
		return false;
	}
	if (many && !ast->list) {
		sieve_error(c, n, "expected a list of tests in '(' and ')' behind '%s'",
		    n->word->name);
		return false;
	}
	if (block != ast->has_block && n->word->kind == SIEVE_COMMAND) {
		if (block && strange_tag(c, ast->tests))
			return false;
		sieve_error(c, n, block ? "expected a block in '{' and '}' behind '%s', found ';'" :
		    "expected ';' behind '%s', found a block", n->word->name);
		return false;
	}
	return true;
}

bool
sieve_c_arguments(struct sieve_compile *c, struct sieve_node *n, const struct sieve_ast *ast)
{
	struct tags t = { .c = c, .n = n, .at = ast->args, .ok = true };
	size_t many = count_tags(ast);

	if (many > 0)
		n->tags = sieve_c_alloc(c, many * sizeof(*n->tags));
	if ((n->word->flags & SIEVE_WORD_MATCH) != 0)
		n->match = sieve_c_alloc(c, sizeof(*n->match));
	take_tags(&t);
	if (n->deferred != NULL)
		return true;
	if (!t.ok) {
		if (t.lost && ast->tests != NULL)
			check_shape(c, n, ast);
		return false;
	}
	if (n->match != NULL) {
		n->match->comparator = t.comparator;
		n->match->comparator_given = t.comparator != NULL;
	}
	if (take_positional(&t))
		return check_shape(c, n, ast);
	/* What was told may come of a word that does not belong there. */
	if (ast->tests == NULL || ast->args != NULL ||
	    sieve_c_knows_tag(c, n->word, ast->tests->name))
		check_shape(c, n, ast);
	return false;
}

/* --- the match ------------------------------------------------------------------------------- */

static void
fold_keys(struct sieve_compile *c, struct sieve_match *m)
{
	struct span *v;

	if (!m->keys->constant || m->comparator->fold == NULL)
		return;
	v = sieve_c_alloc(c, (m->keys->n + 1) * sizeof(*v));
	for (size_t i = 0; i < m->keys->n; i++) {
		struct buf b = { 0 };

		m->comparator->fold(m->keys->values[i], &b);
		v[i] = arena_span(&c->script->arena, buf_span(&b));
		buf_fini(&b);
	}
	m->folded = v;
}

bool
sieve_c_match(struct sieve_compile *c, struct sieve_node *n)
{
	struct sieve_match *m = n->match;
	size_t ext;

	if (m->type == NULL)
		m->type = sieve_c_match_type(c, SPAN_LIT("is"), &ext);
	if (m->comparator == NULL)
		m->comparator = &sieve_ascii_casemap;
	m->keys = &n->args[n->n_args - 1].s;
	if (m->type->substrings && !m->comparator->substrings) {
		sieve_error(c, n, "':%s' cannot be used with the comparator \"%s\", "
		    "which compares whole values only", m->type->name, m->comparator->name);
		return false;
	}
	if (m->keys->n == 0)
		sieve_warn(c, n, "the list of keys is empty: this test is never true");
	fold_keys(c, m);
	if (m->type->check != NULL)
		m->type->check(c, n, m);
	return true;
}
