/* common/conf/lex.c
 * The lexer.  A bad byte ends the text: a message about the first mistake is worth
 * more than many about what followed from it. */
#include "common/conf/lex.h"

#include <stdio.h>
#include <string.h>

#include "common/conf/conf.h"

void
lex_init(struct lex *l, struct span text, struct arena *mem)
{
	*l = (struct lex){ .p = text.p, .end = text.p + text.len, .line = 1, .mem = mem };
}

static bool
is_word_byte(char c)
{
	return (unsigned char)c > ' ' && c != 0x7f && strchr("{}[]=,#\"\\", c) == NULL;
}

static void
fail(struct lex *l, struct lex_token *t, const char *why)
{
	t->kind = LEX_ERROR;
	t->text = why;
	l->end = l->p;
}

/* Blanks and comments; control bytes are left for the caller to refuse. */
static void
skip(struct lex *l)
{
	for (; l->p < l->end; l->p++) {
		if (*l->p == '#')
			while (l->p < l->end && *l->p != '\n')
				l->p++;
		if (l->p == l->end)
			return;
		if (*l->p == '\n')
			l->line++;
		else if (*l->p != ' ' && *l->p != '\t' && *l->p != '\r')
			return;
	}
}

static void
word(struct lex *l, struct lex_token *t)
{
	const char *start = l->p;

	while (l->p < l->end && is_word_byte(*l->p))
		l->p++;
	if (l->p - start > CONF_VALUE_MAX) {
		fail(l, t, "a word is too long");
		return;
	}
	t->kind = LEX_WORD;
	t->text = arena_strndup(l->mem, start, (size_t)(l->p - start));
}

/* The byte that an escape stands for, or 0. */
static char
unescape(char c)
{
	switch (c) {
	case '"':
	case '\\':
		return c;
	case 'n':
		return '\n';
	case 't':
		return '\t';
	default:
		return 0;
	}
}

static void
string(struct lex *l, struct lex_token *t)
{
	char text[CONF_VALUE_MAX];
	size_t n = 0;

	for (l->p++; l->p < l->end && *l->p != '"'; l->p++) {
		char c = *l->p;

		if (c == '\n')
			break;
		if (((unsigned char)c < ' ' && c != '\t') || c == 0x7f) {
			fail(l, t, "a control character in a string; allowed are \\n and \\t");
			return;
		}
		if (c == '\\') {
			c = l->p + 1 < l->end ? unescape(l->p[1]) : 0;
			if (c == 0) {
				fail(l, t, "an unknown escape; allowed are \\\" \\\\ \\n \\t");
				return;
			}
			l->p++;
		}
		if (n == sizeof(text)) {
			fail(l, t, "a string is too long");
			return;
		}
		text[n++] = c;
	}
	if (l->p == l->end || *l->p != '"') {
		fail(l, t, "a string without its closing '\"' on the same line");
		return;
	}
	l->p++;
	t->kind = LEX_STRING;
	t->text = arena_strndup(l->mem, text, n);
}

void
lex_next(struct lex *l, struct lex_token *t)
{
	static const struct { char c; enum lex_kind kind; } marks[] = {
		{ '{', LEX_OPEN }, { '}', LEX_CLOSE }, { '[', LEX_LIST },
		{ ']', LEX_LIST_END }, { ',', LEX_COMMA }, { '=', LEX_EQUALS },
	};

	if (t->kind == LEX_ERROR && l->p == l->end)
		return;
	skip(l);
	*t = (struct lex_token){ .kind = LEX_END, .line = l->line };
	if (l->p == l->end)
		return;
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (*l->p == marks[i].c) {
			l->p++;
			t->kind = marks[i].kind;
			return;
		}
	if (*l->p == '"')
		string(l, t);
	else if (is_word_byte(*l->p))
		word(l, t);
	else
		fail(l, t, *l->p == '\\' ? "'\\' is allowed inside quotes alone" :
		    "a control character; a configuration is plain text");
}

const char *
lex_describe(const struct lex_token *t, char out[80])
{
	static const char *const names[] = {
		[LEX_END] = "the end of the file", [LEX_OPEN] = "'{'", [LEX_CLOSE] = "'}'",
		[LEX_LIST] = "'['", [LEX_LIST_END] = "']'", [LEX_COMMA] = "','",
		[LEX_EQUALS] = "'='",
	};

	if (t->kind == LEX_WORD || t->kind == LEX_STRING)
		snprintf(out, 80, "\"%.60s\"", t->text);
	else
		snprintf(out, 80, "%s", t->kind == LEX_ERROR ? t->text : names[t->kind]);
	return out;
}

bool
lex_is_word(const char *s)
{
	const char *p = s;

	while (*p != '\0' && is_word_byte(*p))
		p++;
	return *p == '\0' && p != s;
}

void
lex_quote(struct buf *out, const char *s)
{
	if (lex_is_word(s)) {
		buf_add_str(out, s);
		return;
	}
	buf_add_c(out, '"');
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			buf_add_c(out, '\\');
		if (*s == '\n')
			buf_add_str(out, "\\n");
		else if (*s == '\t')
			buf_add_str(out, "\\t");
		else
			buf_add_c(out, *s);
	}
	buf_add_c(out, '"');
}
