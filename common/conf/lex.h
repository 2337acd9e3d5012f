/* common/conf/lex.h
 * Cuts a configuration text into tokens (grammar in conf.h). */
#ifndef COMMON_CONF_LEX_H
#define COMMON_CONF_LEX_H

#include <stdbool.h>

#include "common/util/arena.h"
#include "common/util/buf.h"
#include "common/util/span.h"

enum lex_kind {
	LEX_END, LEX_WORD, LEX_STRING, LEX_OPEN, LEX_CLOSE, LEX_LIST, LEX_LIST_END, LEX_COMMA,
	LEX_EQUALS, LEX_ERROR
};

struct lex_token {
	enum lex_kind	kind;
	unsigned	line;
	const char	*text;		/* of word and string; what is wrong of an error */
};

struct lex {
	const char	*p, *end;
	unsigned	line;
	struct arena	*mem;		/* where texts go */
};

/* text is borrowed until the last token was taken. */
void lex_init(struct lex *l, struct span text, struct arena *mem);
/* After LEX_END or LEX_ERROR it gives the same again. */
void lex_next(struct lex *l, struct lex_token *t);
/* "'{'", "the word \"imap\"", for messages; out is returned. */
const char *lex_describe(const struct lex_token *t, char out[80]);
/* true: s may stand in a file as a word, without quotes. */
bool lex_is_word(const char *s);
/* Appends s as a word when it is one, else quoted. */
void lex_quote(struct buf *out, const char *s);

#endif
