#include "common/proto/smtp_params.h"

#include "common/mail/unicode.h"
#include "common/mime/report.h"
#include "common/util/mem.h"

/* xtext ---------------------------------------------------------------------- */

static int
upper_hex(char c)
{
	if (ascii_isdigit(c))
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* s has a "+" at i: the octet, -1: it is malformed. */
static int
hexchar(struct span s, size_t i)
{
	int high, low;

	if (s.len - i < 3)
		return -1;
	high = upper_hex(s.p[i + 1]);
	low = upper_hex(s.p[i + 2]);
	return high < 0 || low < 0 ? -1 : high * 16 + low;
}

bool
smtp_xtext_valid(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (c < '!' || c > '~' || c == '=')
			return false;
		if (c == '+') {
			if (hexchar(s, i) < 0)
				return false;
			i += 2;
		}
	}
	return true;
}

bool
smtp_xtext_decode(struct span s, struct buf *out)
{
	size_t before = out->len;

	if (!smtp_xtext_valid(s))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		int c = s.p[i];

		if (c == '+') {
			c = hexchar(s, i);
			i += 2;
		}
		if ((c < ' ' && c != '\t') || c > '~') {
			buf_cut(out, before);
			return false;
		}
		buf_add_c(out, (char)c);
	}
	return true;
}

/* ORCPT ---------------------------------------------------------------------- */

static bool
is_type(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!ascii_isalnum(s.p[i]) && s.p[i] != '-')
			return false;
	return s.len > 0;
}

bool
smtp_orcpt_valid(struct span s)
{
	size_t n = span_find(s, ';');

	return n + 1 < s.len && is_type(span_sub(s, 0, n)) &&
	    smtp_xtext_valid(span_sub(s, n + 1, s.len));
}

/* What no parameter can have, and UTF-8. */
static bool
is_unitext(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f || s.p[i] == '=' || s.p[i] == '+')
			return false;
	return unicode_is_clean(s, false);
}

static bool
is_utf8_type(struct span type)
{
	return span_caseeq_str(type, "utf-8");
}

bool
smtp_orcpt_good(struct span s)
{
	size_t n = span_find(s, ';');
	struct span type = span_sub(s, 0, n), address = span_sub(s, n + 1, s.len);
	struct buf decoded = { 0 };
	bool good;

	if (s.len > SMTP_ORCPT_MAX || address.len == 0 || !is_type(type))
		return false;
	if (is_utf8_type(type) && is_unitext(address))
		return true;
	good = smtp_xtext_decode(address, &decoded);
	buf_fini(&decoded);
	return good;
}

/* "\x{E4}" at the start of s: its length, 0: there is none. */
static size_t
embedded(struct span s, uint32_t *c)
{
	size_t n = 3;

	*c = 0;
	if (!span_has_prefix(s, "\\x{"))
		return 0;
	for (; n < s.len && n < 9 && upper_hex(ascii_upper(s.p[n])) >= 0; n++)
		*c = *c * 16 + (uint32_t)upper_hex(ascii_upper(s.p[n]));
	return n > 3 && n < s.len && s.p[n] == '}' ? n + 1 : 0;
}

void
smtp_orcpt_decode(struct span s, struct buf *out)
{
	size_t n = span_find(s, ';');
	struct span rest = span_sub(s, n + 1, s.len);

	buf_add_span(out, span_sub(s, 0, n + 1));
	if (!is_utf8_type(span_sub(s, 0, n)) || !is_unitext(rest)) {
		(void)smtp_xtext_decode(rest, out);
		return;
	}
	while (rest.len > 0) {
		uint32_t c;
		size_t k = embedded(rest, &c);

		/* a control in disguise stays as it is written */
		if (k == 0 || c < ' ' || (c >= 0x7f && c < 0xa0) || !unicode_put(out, c)) {
			buf_add_c(out, rest.p[0]);
			k = 1;
		}
		rest = span_sub(rest, k, rest.len);
	}
}

bool
smtp_orcpt_ascii(struct span s, struct buf *out)
{
	size_t before = out->len;

	mime_put_unitext(out, s, false);
	if (out->len - before <= SMTP_ORCPT_MAX)
		return true;
	buf_cut(out, before);
	return false;
}

/* RET, NOTIFY, BY -------------------------------------------------------------- */

bool
smtp_ret_parse(struct span s, enum smtp_ret *ret)
{
	if (span_caseeq_str(s, "FULL"))
		*ret = SMTP_RET_FULL;
	else if (span_caseeq_str(s, "HDRS"))
		*ret = SMTP_RET_HDRS;
	else
		return false;
	return true;
}

static const struct { unsigned bit; const char *name; } conditions[] = {
	{ SMTP_NOTIFY_NEVER, "NEVER" }, { SMTP_NOTIFY_SUCCESS, "SUCCESS" },
	{ SMTP_NOTIFY_FAILURE, "FAILURE" }, { SMTP_NOTIFY_DELAY, "DELAY" },
};

bool
smtp_notify_parse(struct span s, unsigned *notify)
{
	bool more = true;

	*notify = 0;
	while (more) {
		struct span word = span_cut(&s, ',');
		unsigned bit = 0;

		more = s.p != NULL;
		for (size_t i = 0; i < ARRAY_LEN(conditions); i++)
			if (span_caseeq_str(word, conditions[i].name))
				bit = conditions[i].bit;
		if (bit == 0)
			return false;
		*notify |= bit;
	}
	return (*notify & SMTP_NOTIFY_NEVER) == 0 || *notify == SMTP_NOTIFY_NEVER;
}

void
smtp_notify_put(struct buf *out, unsigned notify)
{
	const char *between = "";

	if ((notify & SMTP_NOTIFY_NEVER) != 0)
		notify = SMTP_NOTIFY_NEVER;
	for (size_t i = 0; i < ARRAY_LEN(conditions); i++)
		if ((notify & conditions[i].bit) != 0) {
			buf_add_str(out, between);
			buf_add_str(out, conditions[i].name);
			between = ",";
		}
}

bool
smtp_by_parse(struct span s, struct smtp_by *by)
{
	struct span mode = s, number = span_cut(&mode, ';');
	bool minus = number.len > 0 && number.p[0] == '-';
	uint32_t v;

	if (number.len > 0 && (minus || number.p[0] == '+'))
		number = span_sub(number, 1, number.len);
	if (number.len == 0 || number.len > 9 || !span_u32(number, &v) || mode.len == 0 || mode.len > 2)
		return false;
	by->seconds = minus ? -(int32_t)v : (int32_t)v;
	by->by_notify = ascii_upper(mode.p[0]) == 'N';
	by->by_return = ascii_upper(mode.p[0]) == 'R';
	by->trace = mode.len == 2;
	return (by->by_notify || by->by_return) && (!by->trace || ascii_upper(mode.p[1]) == 'T') &&
	    (by->by_notify || by->seconds > 0);
}
