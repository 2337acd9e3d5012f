/* Mailbox names: modified UTF-7, validity, and LIST patterns. */
#include "common/mail/mailbox_name.h"

#include "common/mail/unicode.h"
#include "common/util/mem.h"

static const char base64[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static int
base64_value(char c)
{
	const char *at = c != '\0' ? strchr(base64, c) : NULL;

	return at != NULL ? (int)(at - base64) : -1;
}

static bool
is_plain(unsigned char c)
{
	return c >= 0x20 && c <= 0x7e;
}

/* One UTF-16 unit of a shifted run; *high holds the first half of a pair. */
static bool
add_utf16(struct buf *out, uint32_t unit, uint32_t *high)
{
	if (*high != 0) {
		if (unit < 0xdc00 || unit > 0xdfff)
			return false;
		unit = 0x10000 + ((*high - 0xd800) << 10) + (unit - 0xdc00);
		*high = 0;
		return unicode_put(out, unit);
	}
	if (unit >= 0xd800 && unit <= 0xdbff) {
		*high = unit;
		return true;
	}
	/* What has a plain form must not be shifted: one name, one spelling. */
	if ((unit >= 0xdc00 && unit <= 0xdfff) || unit == 0 || (unit < 0x80 && is_plain((unsigned char)unit)))
		return false;
	return unicode_put(out, unit);
}

/* Between "&" and "-". */
static bool
decode_shifted(struct span run, struct buf *out)
{
	uint32_t bits = 0, high = 0;
	unsigned have = 0;

	for (size_t i = 0; i < run.len; i++) {
		int v = base64_value(run.p[i]);

		if (v < 0)
			return false;
		bits = bits << 6 | (uint32_t)v;
		have += 6;
		if (have >= 16) {
			have -= 16;
			if (!add_utf16(out, bits >> have & 0xffff, &high))
				return false;
			bits &= (1u << have) - 1;
		}
	}
	return high == 0 && have < 6 && bits == 0;
}

bool
mailbox_utf7_decode(struct span in, struct buf *out)
{
	size_t start = out->len;
	bool after_shift = false;

	for (size_t i = 0; i < in.len; i++) {
		struct span run;

		if (!is_plain((unsigned char)in.p[i]))
			goto bad;
		if (in.p[i] != '&') {
			buf_add_c(out, in.p[i]);
			after_shift = false;
			continue;
		}
		run = span_sub(in, i + 1, in.len);
		run.len = span_find(run, '-');
		if (i + 1 + run.len >= in.len)
			goto bad;
		if (run.len == 0) {
			buf_add_c(out, '&');
			after_shift = false;
		} else if (after_shift || !decode_shifted(run, out)) {
			goto bad;
		} else {
			after_shift = true;
		}
		i += run.len + 1;
	}
	return true;
bad:
	buf_cut(out, start);
	return false;
}

struct shift {
	struct buf	*out;
	uint32_t	bits;
	unsigned	have;
	bool		open;
};

static void
shift_unit(struct shift *s, uint32_t unit)
{
	if (!s->open) {
		buf_add_c(s->out, '&');
		s->open = true;
	}
	s->bits = s->bits << 16 | unit;
	s->have += 16;
	while (s->have >= 6) {
		s->have -= 6;
		buf_add_c(s->out, base64[s->bits >> s->have & 0x3f]);
	}
	s->bits &= (1u << s->have) - 1;
}

static void
shift_close(struct shift *s)
{
	if (!s->open)
		return;
	if (s->have > 0)
		buf_add_c(s->out, base64[s->bits << (6 - s->have) & 0x3f]);
	buf_add_c(s->out, '-');
	*s = (struct shift){ .out = s->out };
}

/* The code point at *i of well-formed UTF-8; moves on. */
static uint32_t
next_utf8(struct span s, size_t *i)
{
	unsigned char c = (unsigned char)s.p[(*i)++];
	unsigned more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;
	uint32_t u = more == 3 ? c & 7 : more == 2 ? c & 15 : more == 1 ? c & 31 : c;

	for (; more > 0 && *i < s.len; more--)
		u = u << 6 | ((unsigned char)s.p[(*i)++] & 0x3f);
	return u;
}

void
mailbox_name_to_utf7(struct span path, struct buf *out)
{
	struct shift s = { .out = out };

	for (size_t i = 0; i < path.len; ) {
		uint32_t u = next_utf8(path, &i);

		if (u < 0x80 && is_plain((unsigned char)u)) {
			shift_close(&s);
			buf_add_c(out, (char)u);
			if (u == '&')
				buf_add_c(out, '-');
		} else if (u >= 0x10000) {
			shift_unit(&s, 0xd800 + ((u - 0x10000) >> 10));
			shift_unit(&s, 0xdc00 + ((u - 0x10000) & 0x3ff));
		} else {
			shift_unit(&s, u);
		}
	}
	shift_close(&s);
}

bool
mailbox_name_is_inbox(struct span path)
{
	return span_caseeq_str(path, "INBOX");
}

struct span
mailbox_name_parent(struct span path)
{
	size_t n = path.len;

	while (n > 0 && path.p[n - 1] != MAILBOX_DELIMITER)
		n--;
	return span(path.p, n > 0 ? n - 1 : 0);
}

bool
mailbox_name_is_below(struct span path, struct span above)
{
	return path.len > above.len && path.p[above.len] == MAILBOX_DELIMITER &&
	    memcmp(path.p, above.p, above.len) == 0;
}

static bool
part_valid(struct span part)
{
	if (part.len == 0 || part.len > MAILBOX_PART_MAX)
		return false;
	if (span_eq_str(part, ".") || span_eq_str(part, ".."))
		return false;
	return span_find(part, '%') == part.len && span_find(part, '*') == part.len;
}

bool
mailbox_name_valid(struct span path)
{
	struct span rest = path, part;
	unsigned depth = 0;

	if (path.len == 0 || path.len > MAILBOX_NAME_MAX || !unicode_is_clean(path, true))
		return false;
	if (path.p[path.len - 1] == MAILBOX_DELIMITER)
		return false;
	while (rest.p != NULL) {
		part = span_cut(&rest, MAILBOX_DELIMITER);
		if (!part_valid(part) || ++depth > MAILBOX_DEPTH_MAX)
			return false;
	}
	return true;
}

bool
mailbox_name_from_utf8(struct span name, struct buf *out)
{
	size_t start = out->len;
	struct span path;

	if (name.len > MAILBOX_NAME_MAX * 2)
		return false;
	if (name.len > 1 && name.p[name.len - 1] == MAILBOX_DELIMITER)
		name.len--;
	if (!unicode_nfc(name, false, out))
		return false;
	path = span_sub(buf_span(out), start, out->len - start);
	if (path.len >= 5 && mailbox_name_is_inbox(span(path.p, 5)) &&
	    (path.len == 5 || path.p[5] == MAILBOX_DELIMITER))
		memcpy(out->data + start, "INBOX", 5);
	if (!mailbox_name_valid(path)) {
		buf_cut(out, start);
		return false;
	}
	return true;
}

bool
mailbox_name_from_utf7(struct span name, struct buf *out)
{
	struct buf utf8 = { 0 };
	bool ok;

	ok = name.len <= MAILBOX_NAME_MAX * 4 && mailbox_utf7_decode(name, &utf8) &&
	    mailbox_name_from_utf8(buf_span(&utf8), out);
	buf_fini(&utf8);
	return ok;
}

#define PATTERN_MAX (MAILBOX_NAME_MAX + 64)

/* Wildcards also match nothing: who stands before one stands behind it as well. */
static void
pass_wildcards(struct span pat, bool *at)
{
	for (size_t p = 0; p < pat.len; p++) {
		if (at[p] && (pat.p[p] == '*' || pat.p[p] == '%'))
			at[p + 1] = true;
	}
}

/* All places of the pattern at which one may stand after each byte of s, at once: no
 * pattern makes it go back. */
static bool
match(struct span pat, struct span s)
{
	bool at[PATTERN_MAX + 1] = { true };

	if (pat.len > PATTERN_MAX)
		return false;
	pass_wildcards(pat, at);
	for (size_t i = 0; i < s.len; i++) {
		for (size_t p = pat.len; p < SIZE_MAX; p--) {
			bool stays = p < pat.len && at[p] && (pat.p[p] == '*' ||
			    (pat.p[p] == '%' && s.p[i] != MAILBOX_DELIMITER));
			bool comes = p > 0 && at[p - 1] && pat.p[p - 1] == s.p[i] &&
			    pat.p[p - 1] != '*' && pat.p[p - 1] != '%';

			at[p] = stays || comes;
		}
		pass_wildcards(pat, at);
	}
	return at[pat.len];
}

bool
mailbox_pattern_match(struct span pattern, struct span path)
{
	struct buf folded = { 0 };
	bool yes;

	if (match(pattern, path))
		return true;
	/* "inb%" names INBOX: letters of the first part in upper case, both sides. */
	if (path.len < 5 || memcmp(path.p, "INBOX", 5) != 0 ||
	    (path.len > 5 && path.p[5] != MAILBOX_DELIMITER))
		return false;
	buf_add_span(&folded, pattern);
	for (size_t i = 0; i < folded.len && i < 5 && folded.data[i] != MAILBOX_DELIMITER; i++)
		folded.data[i] = ascii_upper(folded.data[i]);
	yes = match(buf_span(&folded), path);
	buf_fini(&folded);
	return yes;
}
