/* Addresses in scripts (sieve-address of RFC 5228 2.4.2.3) and in the envelope.  Local parts with dots
 * at odd places are in use, so they are taken. */
#include <string.h>

#include "common/mail/unicode.h"
#include "sieve/ext.h"

static bool
is_atom(unsigned char c)
{
	return ascii_isalnum(c) || (c != 0 && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* How many bytes of s are atom characters, dots, and if utf8 those above 127. */
static size_t
dotted(struct span s, bool utf8)
{
	size_t n = 0;

	while (n < s.len && (s.p[n] == '.' || is_atom((unsigned char)s.p[n]) ||
	    (utf8 && (unsigned char)s.p[n] >= 0x80)))
		n++;
	return n;
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

/* A literal, or labels: none of them empty. */
static size_t
domain(struct span s, bool utf8)
{
	size_t n, label = 0;

	if (s.len > 2 && s.p[0] == '[') {
		for (n = 1; n < s.len && s.p[n] != ']'; n++)
			if (!ascii_isalnum((unsigned char)s.p[n]) && s.p[n] != '.' && s.p[n] != ':' &&
			    s.p[n] != '-')
				return 0;
		return n < s.len ? n + 1 : 0;
	}
	for (n = 0; n < s.len; n++) {
		unsigned char c = (unsigned char)s.p[n];

		if (c == '.' && label == 0)
			return 0;
		if (c != '.' && !ascii_isalnum(c) && c != '-' && c != '_' && !(utf8 && c >= 0x80))
			break;
		label = c == '.' ? 0 : label + 1;
	}
	return label > 0 ? n : 0;
}

/* addr-spec, with blanks where RFC 5322 allows them; no other addresses behind it. */
static bool
addr_spec(struct span s, bool utf8, struct span *local, struct span *host)
{
	size_t n;

	s = span_trim(s);
	n = s.len > 0 && s.p[0] == '"' ? quoted(s) : dotted(s, utf8);
	*local = span_sub(s, 0, n);
	s = span_trim(span_sub(s, n, s.len - n));
	if (n == 0 || n > 256 || s.len == 0 || s.p[0] != '@')
		return false;
	s = span_trim(span_sub(s, 1, s.len - 1));
	*host = s;
	return s.len > 0 && s.len <= 255 && domain(s, utf8) == s.len;
}

/* Words and quoted strings before the "<". */
static bool
phrase(struct span s)
{
	s = span_trim(s);
	while (s.len > 0) {
		size_t n = s.p[0] == '"' ? quoted(s) : dotted(s, true);

		if (n == 0)
			return false;
		s = span_trim(span_sub(s, n, s.len - n));
	}
	return true;
}

static bool
parse(struct span text, struct span *whole, struct span *local, struct span *host)
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
		s = span_trim(span_sub(s, open + 1, s.len - open - 2));
	}
	*whole = s;
	return addr_spec(s, false, local, host);
}

bool
sieve_address(struct span text, struct span *address)
{
	struct span local, host;

	return parse(text, address, &local, &host);
}

static struct span
unquoted(struct arena *a, struct span s)
{
	char *p;
	size_t n = 0;

	if (s.len < 2 || s.p[0] != '"')
		return s;
	p = arena_alloc(a, s.len);
	for (size_t i = 1; i + 1 < s.len; i++) {
		if (s.p[i] == '\\' && i + 2 < s.len)
			i++;
		p[n++] = s.p[i];
	}
	return span(p, n);
}

struct span
sieve_local_part(struct arena *a, struct span local)
{
	char *p;
	size_t n = 0;

	if (dotted(local, true) == local.len && local.len > 0)
		return local;
	p = arena_alloc(a, 2 * local.len + 2);
	p[n++] = '"';
	for (size_t i = 0; i < local.len; i++) {
		if (local.p[i] == '"' || local.p[i] == '\\')
			p[n++] = '\\';
		p[n++] = local.p[i];
	}
	p[n++] = '"';
	return span(p, n);
}

bool
sieve_address_plain(struct arena *a, struct span text, struct span *address)
{
	struct span whole, local, host;
	char *p;

	if (!parse(text, &whole, &local, &host))
		return false;
	local = sieve_local_part(a, unquoted(a, local));
	p = arena_alloc(a, local.len + host.len + 1);
	memcpy(p, local.p, local.len);
	p[local.len] = '@';
	memcpy(p + local.len + 1, host.p, host.len);
	*address = span(p, local.len + 1 + host.len);
	return true;
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

/* "@a,@b:" at the start of a path: how long it is, or SIZE_MAX: it is wrong. */
static size_t
route(struct span s)
{
	size_t n = 0;

	if (s.len == 0 || s.p[0] != '@')
		return 0;
	for (;;) {
		size_t len;

		if (n == s.len || s.p[n] != '@')
			return SIZE_MAX;
		len = domain(span_sub(s, n + 1, s.len - n - 1), true);
		n += 1 + len;
		if (len == 0 || n == s.len || (s.p[n] != ',' && s.p[n] != ':'))
			return SIZE_MAX;
		n++;
		if (s.p[n - 1] == ':')
			return n;
	}
}

bool
sieve_path(struct arena *a, struct span path, struct mime_addr *addr)
{
	struct span s = path, local, host = span("", 0);
	size_t n;

	*addr = (struct mime_addr){ .kind = MIME_ADDR_MAILBOX, .local = span("", 0),
	    .domain = span("", 0) };
	if (s.len >= 2 && s.p[0] == '<' && s.p[s.len - 1] == '>')
		s = span_sub(s, 1, s.len - 2);
	if (s.len == 0)
		return true;
	n = route(s);
	if (n == SIZE_MAX)
		return false;
	s = span_sub(s, n, s.len - n);
	if (!addr_spec(s, true, &local, &host)) {
		/* "postmaster" alone */
		n = s.len > 0 && s.p[0] == '"' ? quoted(s) : dotted(s, true);
		if (n == 0 || n != s.len)
			return false;
		local = s;
		host = SPAN_NONE;
	}
	addr->local = unquoted(a, local);
	addr->domain = host;
	return true;
}
