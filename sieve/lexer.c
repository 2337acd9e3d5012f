/* Tokens.  Line ends are CRLF or LF alone; both become CRLF in strings, as a script's lines end with
 * that (RFC 5228 2.1). */
#include <string.h>

#include "common/mail/unicode.h"
#include "sieve/syntax.h"

static void
tell(struct sieve_lexer *l, struct sieve_place at, const char *what)
{
	if (!l->quiet)
		sieve_problem(l->problems, false, at, "%s", what);
}

void
sieve_lexer_init(struct sieve_lexer *l, struct span text, struct arena *a,
    struct sieve_problems *problems, uint32_t string_bytes)
{
	*l = (struct sieve_lexer){ .arena = a, .problems = problems,
	    .string_bytes = string_bytes, .p = text.p, .end = text.p + text.len, .line = 1 };
	if (text.len >= 3 && memcmp(text.p, "\xEF\xBB\xBF", 3) == 0)
		l->p += 3;		/* byte order mark: editors */
	l->counted = l->p;
	l->column = 1;
}

static struct sieve_place
place(struct sieve_lexer *l)
{
	for (; l->counted < l->p; l->counted++)
		l->column += ((unsigned char)*l->counted & 0xC0) != 0x80;
	return (struct sieve_place){ l->line, l->column };
}

static void
newline(struct sieve_lexer *l)
{
	l->p++;
	l->line++;
	l->counted = l->p;
	l->column = 1;
}

static void
skip_to_line_end(struct sieve_lexer *l)
{
	const char *nl = memchr(l->p, '\n', (size_t)(l->end - l->p));

	l->p = nl != NULL ? nl : l->end;
}

static void
skip_bracket_comment(struct sieve_lexer *l)
{
	struct sieve_place at = place(l);

	for (l->p += 2; l->p < l->end;) {
		if (*l->p == '\n') {
			newline(l);
		} else if (*l->p == '*' && l->p + 1 < l->end && l->p[1] == '/') {
			l->p += 2;
			return;
		} else {
			l->p++;
		}
	}
	tell(l, at, "this comment is never closed: expected '*/'");
}

static void
skip_blanks(struct sieve_lexer *l)
{
	while (l->p < l->end) {
		if (*l->p == '\n')
			newline(l);
		else if (*l->p == ' ' || *l->p == '\t' || *l->p == '\r')
			l->p++;
		else if (*l->p == '#')
			skip_to_line_end(l);
		else if (*l->p == '/' && l->p + 1 < l->end && l->p[1] == '*')
			skip_bracket_comment(l);
		else
			return;
	}
}

static struct span
word(struct sieve_lexer *l)
{
	const char *from = l->p;

	while (l->p < l->end && (ascii_isalnum((unsigned char)*l->p) || *l->p == '_'))
		l->p++;
	return span(from, (size_t)(l->p - from));
}

static void
read_number(struct sieve_lexer *l)
{
	uint64_t v = 0, unit = 1;
	bool fits = true;

	for (; l->p < l->end && ascii_isdigit((unsigned char)*l->p); l->p++)
		fits = fits && !__builtin_mul_overflow(v, 10, &v) &&
		    !__builtin_add_overflow(v, (uint64_t)(*l->p - '0'), &v);
	l->token = SIEVE_T_NUMBER;
	if (l->p < l->end) {
		switch (ascii_lower(*l->p)) {
		case 'k': unit = 1u << 10; break;
		case 'm': unit = 1u << 20; break;
		case 'g': unit = 1u << 30; break;
		default: break;
		}
		l->p += unit > 1;
	}
	if (word(l).len > 0) {
		tell(l, l->at, "expected a number, perhaps with K, M or G behind it");
		l->token = SIEVE_T_BAD;
	} else if (!fits || __builtin_mul_overflow(v, unit, &v)) {
		tell(l, l->at, "this number is too large");
		l->token = SIEVE_T_BAD;
	}
	l->number = v;
}

/* Keeps the string if it is good. */
static void
string_done(struct sieve_lexer *l, struct buf *b)
{
	struct span s = buf_span(b);

	l->token = SIEVE_T_BAD;
	if (s.len > l->string_bytes) {
		if (!l->quiet)
			sieve_problem(l->problems, false, l->at, "this string is too long: "
			    "%zu bytes, at most %u are allowed", s.len, l->string_bytes);
	} else if (!unicode_is_utf8(s)) {
		if (!l->bad_utf8)
			tell(l, l->at, "this string is not UTF-8: save the script in that encoding");
		l->bad_utf8 = true;
	} else if (s.len > 0 && memchr(s.p, 0, s.len) != NULL) {
		tell(l, l->at, "this string holds a NUL character");
	} else {
		l->token = SIEVE_T_STRING;
		l->text = span(arena_strndup(l->arena, s.len > 0 ? s.p : "", s.len), s.len);
	}
}

static void
read_quoted(struct sieve_lexer *l)
{
	struct buf b = { 0 };

	for (l->p++; l->p < l->end && *l->p != '"';) {
		char c = *l->p;

		if (c == '\\' && l->p + 1 < l->end && l->p[1] != '\r' && l->p[1] != '\n') {
			buf_add_c(&b, l->p[1]);
			l->p += 2;
		} else if (c == '\n') {
			buf_add_str(&b, "\r\n");
			newline(l);
		} else {
			if (c != '\r' || l->p + 1 == l->end || l->p[1] != '\n')
				buf_add_c(&b, c);
			l->p++;
		}
	}
	if (l->p == l->end) {
		tell(l, l->at, "this string is never closed: expected '\"'");
		l->token = SIEVE_T_BAD;
	} else {
		l->p++;
		string_done(l, &b);
	}
	buf_fini(&b);
}

/* The next line without its end; false: there is none. */
static bool
take_line(struct sieve_lexer *l, struct span *line)
{
	const char *from = l->p;

	if (from == l->end)
		return false;
	skip_to_line_end(l);
	*line = span(from, (size_t)(l->p - from));
	if (l->p < l->end)
		newline(l);
	if (line->len > 0 && line->p[line->len - 1] == '\r')
		line->len--;
	return true;
}

/* Behind "text:". */
static void
read_multiline(struct sieve_lexer *l)
{
	struct buf b = { 0 };
	struct span line;
	bool ended = false, bad;

	while (l->p < l->end && (*l->p == ' ' || *l->p == '\t' || *l->p == '\r'))
		l->p++;
	bad = l->p < l->end && *l->p != '\n' && *l->p != '#';
	if (bad)
		tell(l, place(l), "expected the end of the line behind 'text:'");
	take_line(l, &line);
	while (!ended && take_line(l, &line)) {
		ended = span_eq_str(line, ".");
		if (ended)
			break;
		if (span_has_prefix(line, ".."))
			line = span(line.p + 1, line.len - 1);
		buf_add_span(&b, line);
		buf_add_str(&b, "\r\n");
	}
	if (ended && !bad) {
		string_done(l, &b);
	} else {
		l->token = SIEVE_T_BAD;
		if (!ended)
			tell(l, l->at, "this text is never closed: expected a line with a single '.'");
	}
	buf_fini(&b);
}

static void
read_word(struct sieve_lexer *l)
{
	l->text = word(l);
	l->token = SIEVE_T_WORD;
	if (l->p < l->end && *l->p == ':' && span_caseeq_str(l->text, "text")) {
		l->p++;
		read_multiline(l);
	}
}

static void
read_other(struct sieve_lexer *l)
{
	unsigned char c = (unsigned char)*l->p;

	l->p++;
	if (c != 0 && strchr("()[]{},;", c) != NULL) {
		l->token = SIEVE_T_CHAR;
		l->c = (char)c;
		return;
	}
	l->token = SIEVE_T_BAD;
	if (c == '\'')
		tell(l, l->at, "unexpected \"'\": strings stand between double quotes");
	else if (c <= 32 || c >= 127)
		tell(l, l->at, "unexpected character: what is not ASCII belongs into strings");
	else if (!l->quiet)
		sieve_problem(l->problems, false, l->at, "unexpected '%c'", c);
	while (c >= 0x80 && l->p < l->end && (unsigned char)*l->p >= 0x80)
		l->p++;		/* told once for the whole run */
}

void
sieve_lexer_next(struct sieve_lexer *l)
{
	const char *from;

	l->before = place(l);
	skip_blanks(l);
	l->at = place(l);
	l->text = SPAN_NONE;
	from = l->p;
	if (l->p == l->end) {
		l->token = SIEVE_T_END;
	} else if (ascii_isdigit((unsigned char)*l->p)) {
		read_number(l);
	} else if (ascii_isalpha((unsigned char)*l->p) || *l->p == '_') {
		read_word(l);
	} else if (*l->p == '"') {
		read_quoted(l);
	} else if (*l->p == ':' && l->p + 1 < l->end &&
	    (ascii_isalpha((unsigned char)l->p[1]) || l->p[1] == '_')) {
		l->p++;
		l->text = word(l);
		l->token = SIEVE_T_TAG;
	} else {
		read_other(l);
	}
	l->raw = span(from, (size_t)(l->p - from));
}
