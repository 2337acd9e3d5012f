#include "sieve/mailto.h"

#include <string.h>

#include "common/mime/charset.h"
#include "common/util/buf.h"

#define ADDRESS_MAX 320u

/* Header fields that an URI may not set (RFC 5436 2.7, RFC 6068 4): those that tell where the
 * message comes from and goes to, and those that say how its body is written. */
static const char *const ignored[] = {
	"from", "sender", "reply-to", "auto-submitted", "received", "return-path", "date", "message-id",
	"bcc", "apparently-to", "mime-version", "x-sieve", "x-priority", "importance", "references",
	"in-reply-to", "delivered-to", "dkim-signature", "authentication-results", NULL
};
static const char *const ignored_prefixes[] = { "content-", "resent-", "arc-", "list-", NULL };

bool
sieve_address_ok(const struct mime_addr *a)
{
	if (a->kind != MIME_ADDR_MAILBOX || a->local.len == 0 || a->domain.len == 0 ||
	    a->local.len + a->domain.len > ADDRESS_MAX)
		return false;
	for (size_t i = 0; i < a->local.len; i++)
		if ((unsigned char)a->local.p[i] < 32 || a->local.p[i] == 127)
			return false;
	for (size_t i = 0; i < a->domain.len; i++)
		if ((unsigned char)a->domain.p[i] <= 32 || a->domain.p[i] == 127 ||
		    strchr("<>()@,;\"\\", a->domain.p[i]) != NULL)
			return false;
	return true;
}

/* RFC 6068 2: what stands for itself. */
static bool
plain(char c, bool in_query)
{
	if (ascii_isalnum((unsigned char)c))
		return true;
	return c != '\0' && (strchr("-._~!$'()*+,:@", c) != NULL || (in_query && strchr(";/?", c) != NULL));
}

/* false: a character that must be escaped, a broken escape, or one that gives what may not be there. */
static bool
unescape(struct arena *a, struct span s, bool in_query, bool lines, struct span *out)
{
	char *p = arena_alloc(a, s.len + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		int hi, lo;

		if (s.p[i] != '%') {
			if (!plain(s.p[i], in_query))
				return false;
			p[n++] = s.p[i];
			continue;
		}
		if (i + 2 >= s.len || (hi = ascii_hex(s.p[i + 1])) < 0 ||
		    (lo = ascii_hex(s.p[i + 2])) < 0)
			return false;
		p[n] = (char)(hi * 16 + lo);
		if (p[n] == '\0' || (!lines && ((unsigned char)p[n] < 32 || p[n] == 127)))
			return false;
		n++;
		i += 2;
	}
	*out = span(p, n);
	return true;
}

static bool
same_address(const struct mime_addr *a, const struct mime_addr *b)
{
	return span_eq(a->local, b->local) && span_caseeq(a->domain, b->domain);
}

static const char *
add_rcpts(struct arena *a, struct span text, bool cc, struct sieve_mailto *m)
{
	struct mime_addr *v = NULL;
	size_t n = mime_addresses(a, text, &v);

	if (n == 0)
		return "an address is missing";
	for (size_t i = 0; i < n; i++) {
		size_t k = 0;

		if (!sieve_address_ok(&v[i]))
			return "it has an invalid address";
		while (k < m->n_rcpts && !same_address(m->rcpts[k], &v[i]))
			k++;
		if (k < m->n_rcpts)
			continue;
		if (m->n_rcpts == SIEVE_MAILTO_RCPTS)
			return "it has too many addresses";
		m->rcpts[m->n_rcpts] = &v[i];
		m->cc[m->n_rcpts++] = cc;
	}
	return NULL;
}

static bool
is_ignored(struct span name)
{
	for (size_t i = 0; ignored[i] != NULL; i++)
		if (span_caseeq_str(name, ignored[i]))
			return true;
	for (size_t i = 0; ignored_prefixes[i] != NULL; i++)
		if (span_has_caseprefix(name, ignored_prefixes[i]))
			return true;
	return false;
}

static bool
is_field_name(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] <= 32 || s.p[i] >= 127 || s.p[i] == ':')
			return false;
	return s.len > 0 && s.len <= 100;
}

static const char *
add_field(struct arena *a, struct span name, struct span value, struct sieve_mailto *m)
{
	bool body = span_caseeq_str(name, "body"), cc = span_caseeq_str(name, "cc");

	if (!unescape(a, value, true, body, &value))
		return "a value has a character that is not allowed there";
	if (body)
		m->body = value;
	else if (cc || span_caseeq_str(name, "to"))
		return add_rcpts(a, value, cc, m);
	else if (span_caseeq_str(name, "subject"))
		m->subject = value;
	else if (!is_ignored(name)) {
		if (m->n_fields == SIEVE_MAILTO_FIELDS)
			return "it has too many header fields";
		m->fields[m->n_fields++] = (struct sieve_mailto_field){ name, value };
	}
	return NULL;
}

const char *
sieve_mailto_parse(struct arena *a, struct span uri, struct sieve_mailto *m)
{
	struct span to, query, rest, part, name;
	const char *why = NULL;

	*m = (struct sieve_mailto){ 0 };
	if (!span_has_caseprefix(uri, "mailto:"))
		return "it does not begin with \"mailto:\"";
	if (uri.len > SIEVE_MAILTO_MAX)
		return "it is too long";
	rest = span_sub(uri, strlen("mailto:"), uri.len);
	query = rest;
	part = span_cut(&query, '?');
	if (!unescape(a, part, false, false, &to))
		return "it has a character that is not allowed there";
	if (to.len > 0)
		why = add_rcpts(a, to, false, m);
	while (why == NULL && query.p != NULL) {
		struct span value = span_cut(&query, '&');

		name = span_cut(&value, '=');
		if (value.p == NULL)
			return "a header field has no \"=\"";
		if (!unescape(a, name, true, false, &name) || !is_field_name(name))
			return "the name of a header field is invalid";
		why = add_field(a, name, value, m);
	}
	if (why == NULL && m->n_rcpts == 0)
		return "it has no address";
	return why;
}
