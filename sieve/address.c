/* Addresses in scripts: sieve-address of RFC 5228 2.4.2.3. */
#include <string.h>

#include "common/mail/unicode.h"
#include "sieve/ext.h"

static bool
is_atom(unsigned char c)
{
	return ascii_isalnum(c) || c >= 0x80 || (c != 0 && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* dot-atom: the length of it. */
static size_t
dot_atom(struct span s)
{
	size_t n = 0;

	for (;;) {
		size_t from = n;

		while (n < s.len && is_atom((unsigned char)s.p[n]))
			n++;
		if (n == from)
			return 0;
		if (n == s.len || s.p[n] != '.')
			return n;
		n++;
	}
}

static size_t
quoted(struct span s)
{
	for (size_t n = 1; n < s.len; n++) {
		if ((unsigned char)s.p[n] < 32 || s.p[n] == 127)
			return 0;
		if (s.p[n] == '"')
			return n + 1;
		if (s.p[n] == '\\')
			n++;
	}
	return 0;
}

static size_t
domain(struct span s)
{
	size_t n;

	if (s.len < 3 || s.p[0] != '[') {
		n = dot_atom(s);
		for (size_t i = 0; i < n; i++)
			if (!ascii_isalnum((unsigned char)s.p[i]) && (unsigned char)s.p[i] < 0x80 &&
			    s.p[i] != '-' && s.p[i] != '.' && s.p[i] != '_')
				return 0;
		return n;
	}
	for (n = 1; n < s.len && s.p[n] != ']'; n++)
		if (!ascii_isalnum((unsigned char)s.p[n]) && s.p[n] != '.' && s.p[n] != ':')
			return 0;
	return n < s.len ? n + 1 : 0;
}

static bool
addr_spec(struct span s)
{
	size_t n = s.len > 0 && s.p[0] == '"' ? quoted(s) : dot_atom(s);

	if (n == 0 || n > 64 || n >= s.len || s.p[n] != '@' || s.len > 320)
		return false;
	n++;
	return s.len > n && domain(span_sub(s, n, s.len - n)) == s.len - n;
}

/* Words and quoted strings before the "<". */
static bool
phrase(struct span s)
{
	s = span_trim(s);
	while (s.len > 0) {
		size_t n = s.p[0] == '"' ? quoted(s) : dot_atom(s);

		if (n == 0)
			return false;
		s = span_trim(span_sub(s, n, s.len - n));
	}
	return true;
}

bool
sieve_address(struct span text, struct span *address)
{
	struct span s = span_trim(text);
	size_t open;

	if (!unicode_is_utf8(s))
		return false;
	if (s.len > 2 && s.p[s.len - 1] == '>') {
		for (open = s.len - 1; open > 0 && s.p[open] != '<'; open--)
			;
		if (s.p[open] != '<' || !phrase(span_sub(s, 0, open)))
			return false;
		s = span_sub(s, open + 1, s.len - open - 2);
	}
	*address = s;
	return addr_spec(s);
}

bool
sieve_c_address(struct sieve_compile *c, const struct sieve_string *s)
{
	struct span a;

	if (!sieve_constant(s) || sieve_address(s->text, &a))
		return true;
	sieve_error_at(c, s->line, s->column,
	    "\"%.*s\" is no address: expected one like \"name@example.com\"",
	    (int)(s->text.len < 80 ? s->text.len : 80), s->text.p);
	return false;
}
