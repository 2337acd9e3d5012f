/* From the text of a script to its tree. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/util/mem.h"
#include "sieve/core.h"

/* --- for the check functions ----------------------------------------------------------------- */

void
sieve_error_at(struct sieve_compile *c, uint32_t line, uint32_t column, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	sieve_problem_v(c->problems, false, (struct sieve_place){ line, column }, fmt, ap);
	va_end(ap);
}

void
sieve_error(struct sieve_compile *c, const struct sieve_node *n, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	sieve_problem_v(c->problems, false, (struct sieve_place){ n->line, n->column }, fmt, ap);
	va_end(ap);
}

void
sieve_warn(struct sieve_compile *c, const struct sieve_node *n, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	sieve_problem_v(c->problems, true, (struct sieve_place){ n->line, n->column }, fmt, ap);
	va_end(ap);
}

void
sieve_c_lack(struct sieve_compile *c, struct sieve_node *n, struct sieve_place at,
    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (c->ihave) {
		struct buf b = { 0 };

		buf_vaddf(&b, fmt, ap);
		n->deferred = arena_strndup(&c->script->arena, b.data, b.len);
		buf_fini(&b);
	} else {
		sieve_problem_v(c->problems, false, at, fmt, ap);
	}
	va_end(ap);
}

void *
sieve_c_alloc(struct sieve_compile *c, size_t n)
{
	return arena_zalloc(&c->script->arena, n);
}

struct span
sieve_c_span(struct sieve_compile *c, struct span s)
{
	return span(arena_strndup(&c->script->arena, s.len > 0 ? s.p : "", s.len), s.len);
}

void
sieve_c_cleanup(struct sieve_compile *c, void (*fn)(void *data), void *data)
{
	struct sieve_cleanup *k = sieve_c_alloc(c, sizeof(*k));

	*k = (struct sieve_cleanup){ fn, data, c->script->cleanups };
	c->script->cleanups = k;
}

bool
sieve_c_required(const struct sieve_compile *c, const char *ext)
{
	size_t i = sieve_c_find(c, span_str(ext));

	return i < c->script->n_exts && (sieve_set_has(&c->script->required, i) ||
	    sieve_set_has(&c->script->possible, i));
}

bool
sieve_c_trusted(const struct sieve_compile *c)
{
	return c->options->trusted;
}

const struct sieve_settings *
sieve_settings_or_zero(const struct sieve_settings *s)
{
	static const struct sieve_settings zero;

	return s != NULL ? s : &zero;
}

const struct sieve_settings *
sieve_c_settings(const struct sieve_compile *c)
{
	return sieve_settings_or_zero(c->options->settings);
}

const struct sieve_limits *
sieve_c_limits(const struct sieve_compile *c)
{
	return &c->limits;
}

bool
sieve_c_constant(struct sieve_compile *c, const struct sieve_node *n,
    const struct sieve_string *s, const char *what)
{
	(void)n;
	if (sieve_constant(s))
		return true;
	sieve_error_at(c, s->line, s->column, "%s cannot have variables in it", what);
	return false;
}

bool
sieve_field_name_ok(struct span name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.p[i] <= 32 || name.p[i] >= 127 || name.p[i] == ':')
			return false;
	return name.len > 0;
}

bool
sieve_c_field_name(struct sieve_compile *c, const struct sieve_string *s)
{
	if (!sieve_constant(s) || sieve_field_name_ok(s->text))
		return true;
	sieve_problem(c->problems, true, (struct sieve_place){ s->line, s->column },
	    "\"%.*s\" is no name of a header field%s: no field matches",
	    (int)(s->text.len < 64 ? s->text.len : 64), s->text.p,
	    span_find(s->text, ':') < s->text.len ? ", which is written without the colon" : "");
	return false;
}

/* --- nodes ----------------------------------------------------------------------------------- */

void
sieve_c_need(struct sieve_compile *c, struct sieve_node *n, size_t ext)
{
	const struct sieve_ext **v;

	sieve_set_add(&c->used, ext);
	if (sieve_set_has(&c->script->required, ext))
		return;
	for (unsigned i = 0; i < n->n_needs; i++)
		if (n->needs[i] == c->script->exts[ext])
			return;
	v = sieve_c_alloc(c, (n->n_needs + 1u) * sizeof(*v));
	if (n->n_needs > 0)
		memcpy(v, n->needs, n->n_needs * sizeof(*v));
	v[n->n_needs++] = c->script->exts[ext];
	n->needs = v;
}

static struct sieve_node **
compile_tests(struct sieve_compile *c, const struct sieve_ast *ast, struct sieve_node *parent);

/* The word, its arguments, what it holds, then its own check.  Errors are told; the node stays, so
 * that what stands around it is looked at too. */
static struct sieve_node *
compile_node(struct sieve_compile *c, struct sieve_ast *ast, enum sieve_word_kind kind,
    struct sieve_node *parent)
{
	struct sieve_node *n = sieve_c_alloc(c, sizeof(*n)), *outer = c->node;
	size_t ext, errors = c->problems->errors;
	bool ok;

	n->line = ast->at.line;
	n->column = ast->at.column;
	n->parent = parent;
	n->word = sieve_c_word(c, ast->name, kind, &ext);
	if (n->word == NULL) {
		sieve_c_unknown_word(c, n, ast->name, kind);
		n->word = &sieve_word_unknown[kind == SIEVE_TEST];
		return n;
	}
	sieve_c_need(c, n, ext);
	c->node = n;
	if (c->head && kind == SIEVE_COMMAND && (n->word->flags & SIEVE_WORD_HEAD) == 0)
		c->head = false;
	ok = !ast->broken && sieve_c_arguments(c, n, ast);
	if (ok && n->match != NULL && n->deferred == NULL)
		ok = sieve_c_match(c, n);
	if ((n->word->flags & SIEVE_WORD_ADDRESS) != 0 && n->part == NULL)
		n->part = sieve_c_part(c, SPAN_LIT("all"), &ext);
	c->node = NULL;
	if (!ast->broken)
		n->tests = compile_tests(c, ast, n);
	if (ast->has_block) {
		n->has_block = true;
		n->block = sieve_c_block(c, ast->block, n, &n->n_block);
	}
	c->node = n;
	for (unsigned i = 0; ok && n->deferred == NULL && i < n->n_tags; i++)
		if (n->tags[i].tag != NULL && n->tags[i].tag->check != NULL)
			n->tags[i].tag->check(c, n, &n->tags[i]);
	if (ok && n->deferred == NULL && c->problems->errors == errors && n->word->check != NULL)
		n->word->check(c, n);
	c->node = outer;
	return n;
}

static struct sieve_node **
compile_tests(struct sieve_compile *c, const struct sieve_ast *ast, struct sieve_node *parent)
{
	struct sieve_node **v;
	uint32_t n = 0;
	size_t ext;

	for (struct sieve_ast *t = ast->tests; t != NULL; t = t->next)
		n++;
	/* Told already: a forgotten semicolon. */
	if (n == 0 || strpbrk(parent->word->args, "tT") == NULL)
		return NULL;
	v = sieve_c_alloc(c, n * sizeof(struct sieve_node *));
	n = 0;
	for (struct sieve_ast *t = ast->tests; t != NULL; t = t->next) {
		v[n++] = compile_node(c, t, SIEVE_TEST, parent);
		if (t->has_block && sieve_c_word(c, t->name, SIEVE_TEST, &ext) != NULL)
			sieve_error_at(c, t->block_at.line, t->block_at.column,
			    "a test has no block");
	}
	parent->n_tests = n;
	return v;
}

static void
check_after(struct sieve_compile *c, const struct sieve_node *n, const struct sieve_node *before)
{
	if (n->word->after == NULL)
		return;
	if (before == NULL || !sieve_word_in(n->word->after, before->word->name))
		sieve_error(c, n, "'%s' must stand directly behind the block of an 'if' or 'elsif'",
		    n->word->name);
}

static void
warn_unreached(struct sieve_compile *c, struct sieve_node *const *v, uint32_t n)
{
	for (uint32_t i = 0; i + 1 < n; i++) {
		if ((v[i]->word->flags & SIEVE_WORD_ENDS) != 0) {
			sieve_warn(c, v[i + 1], "this is never reached: '%s' stands before it",
			    v[i]->word->name);
			return;
		}
	}
}

/* Joins elsif and else to their if: the block holds the if alone. */
static uint32_t
join(struct sieve_node **v, uint32_t n)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (v[i]->word->after != NULL && i > 0)
			v[i - 1]->otherwise = v[i];
		else
			v[kept++] = v[i];
	}
	return kept;
}

struct sieve_node **
sieve_c_block(struct sieve_compile *c, struct sieve_ast *ast, struct sieve_node *parent,
    uint32_t *n)
{
	struct sieve_node **v;
	uint32_t many = 0;

	for (struct sieve_ast *a = ast; a != NULL; a = a->next)
		many++;
	v = sieve_c_alloc(c, (many + 1) * sizeof(struct sieve_node *));
	many = 0;
	for (struct sieve_ast *a = ast; a != NULL && c->problems->errors < SIEVE_ERRORS_MAX;
	    a = a->next) {
		v[many] = compile_node(c, a, SIEVE_COMMAND, parent);
		check_after(c, v[many], many > 0 ? v[many - 1] : NULL);
		many++;
	}
	warn_unreached(c, v, many);
	*n = join(v, many);
	return v;
}

/* --- the script ------------------------------------------------------------------------------ */

/* Has it anything that could be used without the compiler knowing? */
static bool
tells_use(const struct sieve_ext *e)
{
	return e->words != NULL || e->tags != NULL || e->match_types != NULL ||
	    e->address_parts != NULL || e->modifiers != NULL || e->namespaces != NULL ||
	    e->literal != NULL ||
	    (e->comparators != NULL && strncmp(e->name, "comparator-", 11) == 0);
}

static void
warn_unused(struct sieve_compile *c)
{
	for (size_t i = 0; i < c->script->n_exts; i++) {
		const struct sieve_ext *e = c->script->exts[i];

		if (c->required_at[i].line == 0 || sieve_set_has(&c->used, i) || !tells_use(e) ||
		    e->envelope_parts != NULL)
			continue;
		sieve_problem(c->problems, true, c->required_at[i],
		    "\"%s\" is required and not used", e->name);
	}
}

static void
warn_variables(struct sieve_compile *c)
{
	for (struct sieve_variable *v = c->script->variables; v != NULL; v = v->next)
		if (v->used && !v->defined && !v->global)
			sieve_problem(c->problems, true, v->at,
			    "the variable '${%.*s}' is never set", (int)v->name.len, v->name.p);
}

static void
finish(struct sieve_compile *c)
{
	for (size_t i = 0; i < c->script->n_exts; i++)
		if (c->script->exts[i]->finish != NULL &&
		    sieve_set_has(&c->script->required, i))
			c->script->exts[i]->finish(c);
	warn_unused(c);
	warn_variables(c);
}

static void
begin(struct sieve_compile *c, const struct sieve_options *o, struct sieve_problems *problems)
{
	struct sieve_script *s = mem_zalloc(sizeof(*s));

	c->script = s;
	c->options = o;
	c->problems = problems;
	c->limits = sieve_limits_of(o->limits);
	c->head = true;
	s->name = arena_strndup(&s->arena, o->name != NULL ? o->name : "",
	    o->name != NULL ? strlen(o->name) : 0);
	s->exts = arena_array(&s->arena, SIEVE_EXTS_MAX, sizeof(struct sieve_ext *));
	s->n_exts = sieve_available(o, s->exts);
	for (size_t i = 0; i < s->n_exts; i++)
		if ((s->exts[i]->flags & SIEVE_EXT_BASE) != 0)
			sieve_set_add(&s->required, i);
	c->required_at = arena_array(&c->scratch, s->n_exts + 1, sizeof(*c->required_at));
}

struct sieve_script *
sieve_compile(struct span text, const struct sieve_options *o, struct sieve_problems *problems)
{
	struct sieve_compile c = { 0 };
	struct sieve_ast *ast;

	begin(&c, o, problems);
	if (text.len > c.limits.script_bytes) {
		sieve_error_at(&c, 1, 1, "the script is too long: %zu bytes, at most %u are allowed",
		    text.len, c.limits.script_bytes);
	} else {
		ast = sieve_parse(text.p != NULL ? text : span("", 0), &c.script->arena,
		    &c.scratch, problems, &c.limits);
		c.script->block = sieve_c_block(&c, ast, NULL, &c.script->n_block);
		if (problems->errors == 0)
			finish(&c);
	}
	sieve_problems_sort(problems);
	arena_fini(&c.scratch);
	if (problems->errors > 0)
		sieve_script_free(&c.script);
	return c.script;
}

void
sieve_script_free(struct sieve_script **s)
{
	struct arena a;

	if (*s == NULL)
		return;
	for (struct sieve_cleanup *k = (*s)->cleanups; k != NULL; k = k->next)
		k->fn(k->data);
	a = (*s)->arena;
	arena_fini(&a);
	mem_free(s);
}

const char *
sieve_script_name(const struct sieve_script *s)
{
	return s->name;
}

const struct sieve_included *
sieve_script_includes(const struct sieve_script *s, size_t *n)
{
	*n = s->n_includes;
	return s->includes;
}
