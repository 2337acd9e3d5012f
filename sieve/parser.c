/* The grammar.  An error is told once, then reading goes on behind the command that it is in, so that
 * a user sees all errors of a script together. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sieve/syntax.h"

struct parser {
	struct sieve_lexer		lex;
	struct arena			*arena;
	struct sieve_problems		*problems;
	const struct sieve_limits	*limits;
	uint32_t			blocks, tests;	/* open ones */
	uint32_t			nodes;
	bool				full;		/* a limit was met: reading ends */
};

static void
next(struct parser *p)
{
	sieve_lexer_next(&p->lex);
}

static bool
is_char(const struct parser *p, char c)
{
	return p->lex.token == SIEVE_T_CHAR && p->lex.c == c;
}

static bool
at_end(const struct parser *p)
{
	return p->lex.token == SIEVE_T_END || p->full;
}

/* The token as an error shows it. */
static const char *
found(const struct parser *p, char *out, size_t room)
{
	struct span raw = p->lex.raw;
	int n = (int)(raw.len < 24 ? raw.len : 24);

	switch (p->lex.token) {
	case SIEVE_T_END:
		return "the end of the script";
	case SIEVE_T_STRING:
		return "a string";
	case SIEVE_T_NUMBER:
	case SIEVE_T_WORD:
	case SIEVE_T_TAG:
	case SIEVE_T_CHAR:
	case SIEVE_T_BAD:
		snprintf(out, room, "'%.*s'", n, raw.p);
		return out;
	}
	return "";
}

static void
expected(struct parser *p, struct sieve_place at, const char *what)
{
	char text[40];

	/* The lexer has told what is wrong with a token that is none. */
	if (p->lex.token == SIEVE_T_BAD)
		return;
	sieve_problem(p->problems, false, at, "expected %s, found %s", what,
	    found(p, text, sizeof(text)));
}

static void
too_many(struct parser *p, const char *what, uint32_t max)
{
	if (!p->full)
		sieve_problem(p->problems, false, p->lex.at, "too many %s: at most %u are allowed",
		    what, max);
}

/* Of what cannot be skipped. */
static void
limit(struct parser *p, const char *what, uint32_t max)
{
	too_many(p, what, max);
	p->full = true;
}

/* To behind the ";" or the block that ends this command, or before the "}" of the one around it. */
static void
recover(struct parser *p)
{
	unsigned open = 0;
	bool closed = false;

	p->lex.quiet = true;
	for (; !at_end(p); next(p)) {
		if (is_char(p, '{')) {
			open++;
		} else if (is_char(p, '}')) {
			closed = open > 0;
			if (open == 0 || --open == 0)
				break;
		} else if (is_char(p, ';') && open == 0) {
			break;
		}
	}
	p->lex.quiet = false;
	if (!at_end(p) && (!is_char(p, '}') || closed))
		next(p);
}

static struct sieve_ast_arg *
new_arg(struct parser *p, enum sieve_ast_arg_kind kind)
{
	struct sieve_ast_arg *a = arena_zalloc(p->arena, sizeof(*a));

	a->kind = kind;
	a->at = p->lex.at;
	return a;
}

/* Strings of a list, chained while their number is not known. */
struct string_link {
	struct sieve_ast_string	s;
	struct string_link	*next;
};

static void
add_string(struct parser *p, struct string_link ***tail, uint32_t *n)
{
	struct string_link *l = arena_zalloc(p->arena, sizeof(*l));

	l->s = (struct sieve_ast_string){ p->lex.text, p->lex.at };
	**tail = l;
	*tail = &l->next;
	if (++*n > p->limits->list_items)
		limit(p, "strings in a list", p->limits->list_items);
	next(p);
}

static struct sieve_ast_arg *
take_strings(struct parser *p, struct sieve_ast_arg *a, const struct string_link *l, uint32_t n)
{
	a->strings = arena_array(p->arena, n > 0 ? n : 1, sizeof(*a->strings));
	a->n = n;
	for (uint32_t i = 0; l != NULL; l = l->next, i++)
		a->strings[i] = l->s;
	return a;
}

static struct sieve_ast_arg *
read_list(struct parser *p)
{
	struct sieve_ast_arg *a = new_arg(p, SIEVE_A_STRINGS);
	struct string_link *first = NULL, **tail = &first;
	uint32_t n = 0;

	a->list = true;
	next(p);
	if (is_char(p, ']')) {
		/* The grammar wants one; an empty list says what it means all the same. */
		next(p);
		return take_strings(p, a, NULL, 0);
	}
	for (;;) {
		if (p->lex.token != SIEVE_T_STRING) {
			expected(p, p->lex.at, "a string in double quotes in this list");
			return NULL;
		}
		add_string(p, &tail, &n);
		if (is_char(p, ']') || p->full)
			break;
		if (!is_char(p, ',')) {
			expected(p, p->lex.before, "',' or ']' in this list of strings");
			return NULL;
		}
		next(p);
	}
	next(p);
	return take_strings(p, a, first, n);
}

/* *arg NULL: no (further) argument.  false: an error was told. */
static bool
read_arg(struct parser *p, struct sieve_ast_arg **arg)
{
	struct string_link one = { .s = { p->lex.text, p->lex.at } };

	*arg = NULL;
	switch (p->lex.token) {
	case SIEVE_T_TAG:
		*arg = new_arg(p, SIEVE_A_TAG);
		(*arg)->text = p->lex.text;
		break;
	case SIEVE_T_NUMBER:
		*arg = new_arg(p, SIEVE_A_NUMBER);
		(*arg)->number = p->lex.number;
		break;
	case SIEVE_T_STRING:
		*arg = take_strings(p, new_arg(p, SIEVE_A_STRINGS), &one, 1);
		break;
	case SIEVE_T_CHAR:
		if (p->lex.c != '[')
			return true;
		*arg = read_list(p);
		return *arg != NULL;
	case SIEVE_T_BAD:
		return false;
	case SIEVE_T_END:
	case SIEVE_T_WORD:
		return true;
	}
	next(p);
	return true;
}

static bool
read_args(struct parser *p, struct sieve_ast *n)
{
	struct sieve_ast_arg **tail = &n->args;

	do {
		if (!read_arg(p, tail))
			return false;
		if (*tail != NULL)
			tail = &(*tail)->next;
		else
			return true;
	} while (!p->full);
	return false;
}

static struct sieve_ast *
new_node(struct parser *p)
{
	struct sieve_ast *n = arena_zalloc(p->arena, sizeof(*n));

	n->name = p->lex.text;
	n->at = p->lex.at;
	if (++p->nodes > p->limits->nodes)
		limit(p, "commands and tests", p->limits->nodes);
	next(p);
	return n;
}

static bool read_tests(struct parser *p, struct sieve_ast *n);

static bool
read_test(struct parser *p, struct sieve_ast **t)
{
	bool ok;

	if (p->lex.token != SIEVE_T_WORD) {
		expected(p, p->lex.at, "a test");
		return false;
	}
	if (p->tests == p->limits->nested_tests) {
		too_many(p, "tests inside one another", p->limits->nested_tests);
		return false;
	}
	p->tests++;
	*t = new_node(p);
	ok = read_args(p, *t) && read_tests(p, *t);
	p->tests--;
	return ok;
}

static bool
read_test_list(struct parser *p, struct sieve_ast *n)
{
	struct sieve_ast **tail = &n->tests;

	n->list = true;
	do {
		next(p);
		if (!read_test(p, tail))
			return false;
		tail = &(*tail)->next;
	} while (is_char(p, ',') && !p->full);
	if (!is_char(p, ')')) {
		expected(p, p->lex.before, "',' or ')' in this list of tests");
		return false;
	}
	next(p);
	return true;
}

static bool
read_tests(struct parser *p, struct sieve_ast *n)
{
	if (is_char(p, '('))
		return read_test_list(p, n);
	if (p->lex.token == SIEVE_T_WORD)
		return read_test(p, &n->tests);
	return true;
}

static struct sieve_ast *read_commands(struct parser *p);

static bool
read_block(struct parser *p, struct sieve_ast *n)
{
	n->has_block = true;
	n->block_at = p->lex.at;
	if (p->blocks == p->limits->nested_blocks) {
		too_many(p, "blocks inside one another", p->limits->nested_blocks);
		return false;
	}
	p->blocks++;
	next(p);
	n->block = read_commands(p);
	p->blocks--;
	if (p->full)
		return false;
	if (!is_char(p, '}')) {
		sieve_problem(p->problems, false, n->block_at,
		    "this '{' is never closed: expected '}'");
		return false;
	}
	next(p);
	return true;
}

static bool
read_end(struct parser *p, struct sieve_ast *n)
{
	char what[80];

	if (is_char(p, '{'))
		return read_block(p, n);
	if (is_char(p, ';')) {
		next(p);
		return true;
	}
	snprintf(what, sizeof(what), "';' at the end of the command '%.*s'",
	    (int)(n->name.len < 32 ? n->name.len : 32), n->name.p);
	if (n->tests != NULL)
		snprintf(what, sizeof(what), "'{' or ';' behind the test%s", n->list ? "s" : "");
	expected(p, p->lex.before, what);
	return false;
}

static bool
read_command(struct parser *p, struct sieve_ast **slot)
{
	struct sieve_ast *n;

	if (p->lex.token != SIEVE_T_WORD) {
		expected(p, p->lex.at, "a command");
		return false;
	}
	n = *slot = new_node(p);
	return read_args(p, n) && read_tests(p, n) && read_end(p, n);
}

static struct sieve_ast *
read_commands(struct parser *p)
{
	struct sieve_ast *first = NULL, **tail = &first;

	while (!at_end(p) && !is_char(p, '}')) {
		if (!read_command(p, tail)) {
			if (*tail != NULL)
				(*tail)->broken = true;
			recover(p);
		}
		if (*tail != NULL)
			tail = &(*tail)->next;
	}
	return first;
}

struct sieve_ast *
sieve_parse(struct span text, struct arena *strings, struct arena *a,
    struct sieve_problems *problems, const struct sieve_limits *limits)
{
	struct parser p = { .arena = a, .problems = problems, .limits = limits };
	struct sieve_ast *first = NULL, **tail = &first;

	sieve_lexer_init(&p.lex, text, strings, problems, limits->string_bytes);
	next(&p);
	for (;;) {
		*tail = read_commands(&p);
		if (at_end(&p))
			return first;
		expected(&p, p.lex.at, "a command; there is no '{' that this closes");
		next(&p);
		while (*tail != NULL)
			tail = &(*tail)->next;
	}
}
