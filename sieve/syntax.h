/* sieve/syntax.h
 * A script as text: tokens and their grammar (RFC 5228 8).  What words mean is not known here. */
#ifndef SIEVE_SYNTAX_H
#define SIEVE_SYNTAX_H

#include "sieve/sieve.h"

enum sieve_token {
	SIEVE_T_END,
	SIEVE_T_WORD,			/* text */
	SIEVE_T_TAG,			/* text, without the colon */
	SIEVE_T_NUMBER,			/* number */
	SIEVE_T_STRING,			/* text, escapes and dots undone */
	SIEVE_T_CHAR,			/* c: one of ( ) [ ] { } , ; */
	SIEVE_T_BAD			/* an error was told; what it was is skipped */
};

struct sieve_place {
	uint32_t	line, column;
};

struct sieve_lexer {
	struct arena		*arena;
	struct sieve_problems	*problems;
	uint32_t		string_bytes;	/* limit */
	const char		*p, *end;
	uint32_t		line, column;
	const char		*counted;	/* how far column goes */
	bool			bad_utf8;	/* told already */
	bool			quiet;		/* errors are not told */
	/* The token. */
	enum sieve_token	token;
	struct sieve_place	at;
	struct span		text, raw;	/* raw: as it stands */
	uint64_t		number;
	char			c;
	struct sieve_place	before;		/* end of the token before */
};
void sieve_lexer_init(struct sieve_lexer *l, struct span text, struct arena *a,
    struct sieve_problems *problems, uint32_t string_bytes);
void sieve_lexer_next(struct sieve_lexer *l);

/* --- the tree -------------------------------------------------------------------------------- */

enum sieve_ast_arg_kind { SIEVE_A_TAG, SIEVE_A_NUMBER, SIEVE_A_STRINGS };
struct sieve_ast_string {
	struct span		text;
	struct sieve_place	at;
};
struct sieve_ast_arg {
	enum sieve_ast_arg_kind	kind;
	struct sieve_place	at;
	struct sieve_ast_arg	*next;
	struct span		text;		/* of a tag */
	uint64_t		number;
	struct sieve_ast_string	*strings;
	uint32_t		n;
	bool			list;		/* written with brackets */
};
struct sieve_ast {
	struct span		name;
	struct sieve_place	at;
	struct sieve_ast	*next;		/* the next command or test */
	struct sieve_ast_arg	*args;
	struct sieve_ast	*tests;
	bool			list;		/* tests stand in ( ) */
	bool			has_block;
	bool			broken;		/* an error in it was told */
	struct sieve_ast	*block;
	struct sieve_place	block_at;
};

/* The commands of the script, as far as they could be read; problems tells the errors.  The tree is
 * a's, its strings are those of strings; names are borrowed from text. */
struct sieve_ast *sieve_parse(struct span text, struct arena *strings, struct arena *a,
    struct sieve_problems *problems, const struct sieve_limits *limits);

/* --- problems -------------------------------------------------------------------------------- */

void sieve_problem(struct sieve_problems *p, bool warning, struct sieve_place at, const char *fmt,
    ...) __attribute__((format(printf, 4, 5)));
void sieve_problem_v(struct sieve_problems *p, bool warning, struct sieve_place at,
    const char *fmt, va_list ap) __attribute__((format(printf, 4, 0)));
void sieve_problems_sort(struct sieve_problems *p);

#endif
