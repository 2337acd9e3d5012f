/* Commands and strings of ManageSieve. */
#include "common/proto/managesieve.h"

#include "common/mail/unicode.h"

/* Where a text is read, and why it could not be. */
struct scan {
	char		*p, *end;
	const char	*why;
};

/* RFC 5804 §4: any CHAR but ATOM-SPECIALS. */
static bool
is_atom_char(char c)
{
	return c > ' ' && c < 0x7f && c != '"' && c != '(' && c != ')' && c != '{' && c != '}' &&
	    c != '\\';
}

static bool
fail(struct scan *s, const char *why)
{
	s->why = why;
	return false;
}

static void
blanks(struct scan *s)
{
	while (s->p < s->end && *s->p == ' ')
		s->p++;
}

/* quoted = DQUOTE *1024QUOTED-CHAR DQUOTE; longer ones are read too. */
static bool
quoted(struct scan *s, struct span *out)
{
	char *from = ++s->p, *to = from;

	for (; s->p < s->end && *s->p != '"'; s->p++) {
		if (*s->p == '\r' || *s->p == '\n' || *s->p == '\0')
			return fail(s, "A quoted string must not hold CR, LF or NUL; send a literal");
		if (*s->p == '\\' && (++s->p == s->end || (*s->p != '"' && *s->p != '\\')))
			return fail(s, "In a quoted string only \" and \\ may stand behind \\");
		*to++ = *s->p;
	}
	if (s->p == s->end)
		return fail(s, "A quoted string has no end");
	s->p++;
	*out = span(from, (size_t)(to - from));
	return unicode_is_utf8(*out) || fail(s, "A string is not UTF-8");
}

/* Behind "{n}" or "{n+}" and CRLF stand n octets: the reader gathered them. */
static bool
literal(struct scan *s, struct span *out)
{
	char *digits = ++s->p;
	uint32_t n;

	while (s->p < s->end && ascii_isdigit(*s->p))
		s->p++;
	if (!span_u32(span(digits, (size_t)(s->p - digits)), &n))
		return fail(s, "A literal needs its length");
	if (s->p < s->end && *s->p == '+')
		s->p++;
	if (s->end - s->p < 3 || s->p[0] != '}' || s->p[1] != '\r' || s->p[2] != '\n')
		return fail(s, "The length of a literal must end its line");
	s->p += 3;
	if ((size_t)(s->end - s->p) < n)
		return fail(s, "A literal is shorter than it was said to be");
	*out = span(s->p, n);
	s->p += n;
	return true;
}

static bool
string(struct scan *s, struct span *out)
{
	if (s->p < s->end && *s->p == '"')
		return quoted(s, out);
	if (s->p < s->end && *s->p == '{')
		return literal(s, out);
	return fail(s, "A string in quotes, or a literal, is expected");
}

/* number = (NZDIGIT *DIGIT) / "0" */
static bool
number(struct scan *s, uint32_t *n)
{
	char *from = s->p;

	while (s->p < s->end && ascii_isdigit(*s->p))
		s->p++;
	if (s->p - from > 1 && *from == '0')
		return fail(s, "A number begins with 0");
	return span_u32(span(from, (size_t)(s->p - from)), n) ||
	    fail(s, "A number is not below 4294967296");
}

static bool
argument(struct scan *s, struct managesieve_command *c)
{
	struct managesieve_arg *a = &c->args[c->n];

	if (c->n == MANAGESIEVE_ARGS)
		return fail(s, "Too many arguments");
	a->is_number = ascii_isdigit(*s->p);
	if (a->is_number ? !number(s, &a->number) : !string(s, &a->text))
		return false;
	c->n++;
	return s->p == s->end || *s->p == ' ' || fail(s, "Arguments are parted by a blank");
}

struct span
managesieve_word(struct span text)
{
	size_t n = 0;

	while (n < text.len && is_atom_char(text.p[n]))
		n++;
	return n < text.len && text.p[n] != ' ' ? SPAN_NONE : span(text.p, n);
}

const char *
managesieve_parse(char *text, size_t len, struct managesieve_command *c)
{
	struct scan s = { text, text != NULL ? text + len : text, NULL };

	*c = (struct managesieve_command){ .word = managesieve_word(span(text, len)) };
	if (c->word.len == 0)
		return "A command is expected";
	s.p += c->word.len;
	for (blanks(&s); s.p < s.end; blanks(&s))
		if (!argument(&s, c))
			return s.why;
	return NULL;
}

bool
managesieve_parse_string(char *text, size_t len, struct span *out)
{
	struct scan s = { text, text != NULL ? text + len : text, NULL };

	blanks(&s);
	if (!string(&s, out))
		return false;
	blanks(&s);
	return s.p == s.end;
}

/* ---- writing ---- */

static bool
may_be_quoted(struct span s)
{
	size_t octets = s.len;

	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == '\0')
			return false;
		octets += s.p[i] == '"' || s.p[i] == '\\';
	}
	return octets <= MANAGESIEVE_QUOTED_MAX && unicode_is_utf8(s);
}

void
managesieve_put_string(struct buf *out, struct span s)
{
	if (!may_be_quoted(s)) {
		managesieve_put_literal(out, s);
		return;
	}
	buf_add_c(out, '"');
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_add_c(out, '\\');
		buf_add_c(out, s.p[i]);
	}
	buf_add_c(out, '"');
}

void
managesieve_put_literal(struct buf *out, struct span s)
{
	buf_add_c(out, '{');
	buf_add_u64(out, s.len);
	buf_add_str(out, "}\r\n");
	buf_add_span(out, s);
}
