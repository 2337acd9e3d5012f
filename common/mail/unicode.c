#include "common/mail/unicode.h"

#include <stdint.h>
#include <stdlib.h>

#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

#include "common/util/mem.h"

#define LABEL_MAX 63		/* octets of a domain label, RFC 1035 §2.3.4 */

bool
unicode_is_utf8(struct span s)
{
	return s.len == 0 || u8_check((const uint8_t *)s.p, s.len) == NULL;
}

bool
unicode_put(struct buf *out, uint32_t c)
{
	uint8_t utf8[6];
	int n = u8_uctomb(utf8, c, sizeof(utf8));

	if (n > 0)
		buf_add(out, utf8, (size_t)n);
	return n > 0;
}

bool
unicode_is_clean(struct span s, bool blanks)
{
	const uint8_t *p = (const uint8_t *)s.p;
	size_t left = s.len;

	while (left > 0) {
		ucs4_t c;
		int n = u8_mbtoucr(&c, p, left);

		if (n <= 0 || c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029)
			return false;
		if (!blanks && (c == ' ' || uc_is_property_white_space(c)))
			return false;
		p += n;
		left -= (size_t)n;
	}
	return true;
}

bool
unicode_nfc(struct span s, bool lower, struct buf *out)
{
	const uint8_t *in = (const uint8_t *)s.p;
	uint8_t *made;
	size_t len = 0;

	if (s.len == 0)
		return true;
	if (u8_check(in, s.len) != NULL)
		return false;
	if (lower)
		made = u8_tolower(in, s.len, NULL, UNINORM_NFC, NULL, &len);
	else
		made = u8_normalize(UNINORM_NFC, in, s.len, NULL, &len);
	if (made == NULL)
		return false;
	buf_add(out, made, len);
	free(made);
	return true;
}

/* RFC 3492 §6.1 */
static uint32_t
adapt(uint32_t delta, uint32_t points, bool first)
{
	uint32_t k = 0;

	delta = first ? delta / 700 : delta / 2;
	delta += delta / points;
	while (delta > 35 * 26 / 2) {
		delta /= 35;
		k += 36;
	}
	return k + 36 * delta / (delta + 38);
}

static int
digit(char c)
{
	if (ascii_isdigit(c))
		return c - '0' + 26;
	if (ascii_isalpha(c))
		return ascii_lower(c) - 'a';
	return -1;
}

/* One variable-length number (RFC 3492 §3.3) added to *i. */
static bool
take_delta(struct span *in, uint32_t bias, uint32_t *i)
{
	uint32_t w = 1;

	for (uint32_t k = 36;; k += 36) {
		uint32_t t = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias, add;
		int d;

		if (in->len == 0 || (d = digit(in->p[0])) < 0)
			return false;
		*in = span_sub(*in, 1, in->len);
		if (__builtin_mul_overflow((uint32_t)d, w, &add) ||
		    __builtin_add_overflow(*i, add, i))
			return false;
		if ((uint32_t)d < t)
			return true;
		if (__builtin_mul_overflow(w, 36 - t, &w))
			return false;
	}
}

/* RFC 3492 §6.2; points has room for LABEL_MAX. */
static bool
decode_points(struct span in, uint32_t *points, uint32_t *count)
{
	uint32_t n = 128, bias = 72, i = 0, made = 0;
	size_t basic = in.len;

	while (basic > 0 && in.p[basic - 1] != '-')
		basic--;
	for (size_t k = 0; k + 1 < basic; k++) {
		if ((unsigned char)in.p[k] >= 0x80)
			return false;
		points[made++] = (unsigned char)in.p[k];
	}
	in = span_sub(in, basic, in.len);
	if (in.len == 0)
		return false;
	while (in.len > 0) {
		uint32_t old = i;

		if (made >= LABEL_MAX || !take_delta(&in, bias, &i))
			return false;
		bias = adapt(i - old, made + 1, old == 0);
		if (__builtin_add_overflow(n, i / (made + 1), &n) || n > 0x10ffff)
			return false;
		i %= made + 1;
		memmove(points + i + 1, points + i, (made - i) * sizeof(*points));
		points[i++] = n;
		made++;
	}
	*count = made;
	return true;
}

bool
punycode_decode(struct span label, struct buf *out)
{
	uint32_t points[LABEL_MAX], n;
	size_t was = out->len;

	if (label.len == 0 || label.len > LABEL_MAX || !decode_points(label, points, &n))
		return false;
	for (uint32_t k = 0; k < n; k++) {
		uint8_t utf8[4];
		int len = u8_uctomb(utf8, points[k], sizeof(utf8));

		if (len <= 0) {		/* a surrogate */
			buf_cut(out, was);
			return false;
		}
		buf_add(out, utf8, (size_t)len);
	}
	return true;
}
