/* Strings: what extensions make of their text, then the variables in them (RFC 5229 3). */
#include <stdlib.h>
#include <string.h>

#include "common/util/mem.h"
#include "sieve/core.h"

/* identifier (RFC 5228 8.1). */
static size_t
identifier(struct span s)
{
	size_t n = 0;

	if (s.len == 0 || (!ascii_isalpha((unsigned char)s.p[0]) && s.p[0] != '_'))
		return 0;
	while (n < s.len && (ascii_isalnum((unsigned char)s.p[n]) || s.p[n] == '_'))
		n++;
	return n;
}

static size_t
digits(struct span s)
{
	size_t n = 0;

	while (n < s.len && ascii_isdigit((unsigned char)s.p[n]))
		n++;
	return n;
}

bool
sieve_c_variable_name(struct span name)
{
	return name.len > 0 && identifier(name) == name.len;
}

/* "a.b.1" behind "${": the length of such a name, 0: it is none.  *dot: where its first dot is. */
static size_t
reference(struct span s, size_t *dot)
{
	size_t at = 0, n;

	*dot = SIZE_MAX;
	for (;;) {
		struct span rest = span_sub(s, at, s.len - at);

		n = identifier(rest);
		if (n == 0 && (at > 0 || *dot == SIZE_MAX))
			n = digits(rest);
		if (n == 0)
			return 0;
		at += n;
		if (at == s.len || s.p[at] != '.')
			return at;
		if (*dot == SIZE_MAX)
			*dot = at;
		at++;
	}
}

static struct span
lower(struct sieve_compile *c, struct span s)
{
	char *p = arena_strndup(&c->script->arena, s.p, s.len);

	for (size_t i = 0; i < s.len; i++)
		p[i] = ascii_lower(p[i]);
	return span(p, s.len);
}

struct sieve_variable *
sieve_c_local(struct sieve_compile *c, struct span name, struct sieve_place at)
{
	struct sieve_variable **slot = &c->script->variables;

	for (; *slot != NULL; slot = &(*slot)->next)
		if ((*slot)->ns == NULL && span_caseeq((*slot)->name, name))
			return *slot;
	if (name.len > c->limits.variable_name_bytes) {
		sieve_error_at(c, at.line, at.column,
		    "this variable's name is too long: at most %u characters are allowed",
		    c->limits.variable_name_bytes);
		return NULL;
	}
	if (c->script->n_variables == c->limits.variables) {
		if (!c->told_variables)
			sieve_error_at(c, at.line, at.column,
			    "too many variables: at most %u are allowed", c->limits.variables);
		c->told_variables = true;
		return NULL;
	}
	*slot = sieve_c_alloc(c, sizeof(**slot));
	(*slot)->name = lower(c, name);
	(*slot)->slot = c->script->n_variables++;
	(*slot)->at = at;
	return *slot;
}

static void
use_ext(struct sieve_compile *c, size_t ext)
{
	sieve_set_add(&c->used, ext);
	if (c->node != NULL)
		sieve_c_need(c, c->node, ext);
}

static bool
namespace_piece(struct sieve_compile *c, struct span name, size_t dot, struct sieve_place at,
    struct sieve_var_piece *p)
{
	struct span ns = span(name.p, dot), rest = span_sub(name, dot + 1, name.len - dot - 1);
	size_t ext;

	p->ns = sieve_c_namespace(c, ns, &ext);
	if (p->ns == NULL) {
		sieve_error_at(c, at.line, at.column,
		    "unknown namespace '%.*s' in the variable '${%.*s}': is a require missing?",
		    (int)ns.len, ns.p, (int)name.len, name.p);
		return false;
	}
	use_ext(c, ext);
	if (p->ns->check != NULL && !p->ns->check(c, rest)) {
		sieve_error_at(c, at.line, at.column, "'${%.*s}' is no variable of '%.*s'",
		    (int)name.len, name.p, (int)ns.len, ns.p);
		return false;
	}
	p->kind = SIEVE_P_NAMESPACE;
	p->text = lower(c, rest);
	return true;
}

static bool
match_piece(struct sieve_compile *c, struct span name, struct sieve_place at,
    struct sieve_var_piece *p)
{
	while (name.len > 1 && name.p[0] == '0')
		name = span_sub(name, 1, name.len - 1);
	p->kind = SIEVE_P_MATCH;
	c->script->captures = true;
	if (span_u32(name, &p->index) && p->index <= c->limits.match_variables)
		return true;
	sieve_error_at(c, at.line, at.column,
	    "there is no match variable '${%.*s}': they go up to ${%u}", (int)name.len, name.p,
	    c->limits.match_variables);
	return false;
}

/* Of "${name}"; false: it is text, or an error was told. */
static bool
variable_piece(struct sieve_compile *c, struct span name, size_t dot, struct sieve_place at,
    struct sieve_var_piece *p)
{
	struct sieve_variable *v;

	if (dot != SIZE_MAX)
		return namespace_piece(c, name, dot, at, p);
	if (ascii_isdigit((unsigned char)name.p[0]))
		return match_piece(c, name, at, p);
	v = sieve_c_local(c, name, at);
	if (v == NULL)
		return false;
	v->used = true;
	p->kind = SIEVE_P_VARIABLE;
	p->variable = v;
	return true;
}

struct pieces {
	struct sieve_var_piece	*v;
	uint32_t		n, room;
};

static void
add_piece(struct pieces *p, struct sieve_var_piece piece)
{
	if (piece.kind == SIEVE_P_TEXT && piece.text.len == 0)
		return;
	if (p->n == p->room) {
		p->room = p->room == 0 ? 8 : 2 * p->room;
		p->v = mem_realloc_array(p->v, p->room, sizeof(*p->v));
	}
	p->v[p->n++] = piece;
}

static void
find_variables(struct sieve_compile *c, struct sieve_string *s)
{
	struct sieve_place at = { s->line, s->column };
	struct pieces ps = { 0 };
	struct span t = s->text;
	size_t from = 0, dot;

	for (size_t i = 0; i + 2 < t.len; i++) {
		struct sieve_var_piece piece = { 0 };
		size_t n;

		if (t.p[i] != '$' || t.p[i + 1] != '{')
			continue;
		n = reference(span_sub(t, i + 2, t.len - i - 2), &dot);
		/* A namespace is an identifier (RFC 5229 3). */
		if (n == 0 || i + 2 + n == t.len || t.p[i + 2 + n] != '}' ||
		    (dot != SIZE_MAX && ascii_isdigit((unsigned char)t.p[i + 2])) ||
		    !variable_piece(c, span(t.p + i + 2, n), dot, at, &piece))
			continue;
		add_piece(&ps, (struct sieve_var_piece){ .text = span_sub(t, from, i - from) });
		add_piece(&ps, piece);
		i += 2 + n;
		from = i + 1;
	}
	if (ps.n > 0) {
		add_piece(&ps, (struct sieve_var_piece){ .text = span_sub(t, from, t.len - from) });
		s->pieces = arena_dup(&c->script->arena, ps.v, ps.n * sizeof(*ps.v));
		s->n_pieces = ps.n;
	}
	free(ps.v);
}

/* Gives each extension that rewrites text its turn. */
static void
rewrite(struct sieve_compile *c, struct sieve_string *s)
{
	for (size_t i = 0; i < c->script->n_exts; i++) {
		const struct sieve_ext *e = c->script->exts[i];
		struct buf b = { 0 };

		if (e->literal == NULL || !sieve_set_has(&c->script->required, i))
			continue;
		if (e->literal(c, s->text, &b)) {
			sieve_set_add(&c->used, i);
			s->text = span(arena_strndup(&c->script->arena, b.len > 0 ? b.data : "",
			    b.len), b.len);
		}
		buf_fini(&b);
	}
}

static void
one_string(struct sieve_compile *c, const struct sieve_ast_string *in, bool raw,
    struct sieve_string *s)
{
	*s = (struct sieve_string){ .text = in->text, .line = in->at.line,
	    .column = in->at.column };
	if (!raw && memchr(s->text.p, '$', s->text.len) != NULL) {
		rewrite(c, s);
		if (sieve_c_required(c, "variables"))
			find_variables(c, s);
	}
	s->hash = sieve_name_hash(s->text);
}

void
sieve_c_strings(struct sieve_compile *c, const struct sieve_ast_string *in, uint32_t n, bool list,
    bool raw, struct sieve_strings *out)
{
	struct sieve_string *v = arena_array(&c->script->arena, n > 0 ? n : 1, sizeof(*v));
	struct span *values;

	*out = (struct sieve_strings){ .v = v, .n = n, .constant = true, .list = list };
	for (uint32_t i = 0; i < n; i++) {
		one_string(c, &in[i], raw, &v[i]);
		out->constant = out->constant && sieve_constant(&v[i]);
	}
	if (!out->constant)
		return;
	values = arena_array(&c->script->arena, n > 0 ? n : 1, sizeof(*values));
	for (uint32_t i = 0; i < n; i++)
		values[i] = v[i].text;
	out->values = values;
}

const struct sieve_variable *
sieve_c_variable(struct sieve_compile *c, const struct sieve_string *name)
{
	struct span t = name->text;
	struct sieve_place at = { name->line, name->column };
	size_t dot = span_find(t, '.');
	struct sieve_var_piece p = { 0 };
	struct sieve_variable *v;

	if (!sieve_constant(name)) {
		sieve_error_at(c, at.line, at.column,
		    "the name of a variable cannot have variables in it");
		return NULL;
	}
	if (dot < t.len) {
		if (!namespace_piece(c, t, dot, at, &p))
			return NULL;
		if (p.ns->set == NULL) {
			sieve_error_at(c, at.line, at.column, "'%.*s' cannot be set",
			    (int)t.len, t.p);
			return NULL;
		}
		v = sieve_c_alloc(c, sizeof(*v));
		v->name = p.text;
		v->ns = p.ns;
		return v;
	}
	if (!sieve_c_variable_name(t)) {
		sieve_error_at(c, at.line, at.column, "'%.*s' is no name of a variable: expected "
		    "letters, digits and '_', not beginning with a digit",
		    (int)(t.len < 64 ? t.len : 64), t.p);
		return NULL;
	}
	v = sieve_c_local(c, t, at);
	if (v != NULL)
		v->defined = true;
	return v;
}
