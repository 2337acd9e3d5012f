/* ASCII, UTF-8, iso-8859-1 and windows-1252 are read here, for speed and because a sandbox may
 * have no converters; the rest is iconv's. */
#include "common/mime/charset.h"

#include <errno.h>
#include <iconv.h>
#include <string.h>
#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

#include "common/util/mem.h"

#define CHARSET_NAME_MAX 40
#define REPLACEMENT "\xef\xbf\xbd"

struct mime_charset {
	iconv_t		cd;		/* (iconv_t)-1: read here as UTF-8 or windows-1252 */
	unsigned char	held[16];
	size_t		n_held;
	bool		ascii;		/* us-ascii: no 8-bit byte is expected */
	bool		single;		/* iso-8859-1, windows-1252: each byte is one */
	bool		problem;
};

static const uint16_t cp1252[32] = {
	0x20AC, 0xFFFD, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
	0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0xFFFD, 0x017D, 0xFFFD,
	0xFFFD, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
	0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0xFFFD, 0x017E, 0x0178
};

static const char *const own_names[] = {
	"", "utf-8", "utf8", "us-ascii", "ascii", "ansi_x3.4-1968", "iso-8859-1", "iso8859-1",
	"latin1", "windows-1252", "cp1252", "unknown-8bit", "default", "x-unknown", "unicode-1-1-utf-8"
};
/* Names that mail uses and iconv does not know. */
static const char *const aliases[][2] = {
	{ "ks_c_5601-1987", "CP949" }, { "ks_c_5601", "CP949" }, { "euc-kr", "CP949" },
	{ "gb2312", "GB18030" }, { "gbk", "GB18030" }, { "x-gbk", "GB18030" },
	{ "shift_jis", "CP932" }, { "shift-jis", "CP932" }, { "x-sjis", "CP932" },
	{ "iso-2022-jp", "ISO-2022-JP-2" }, { "iso-8859-8-i", "ISO-8859-8" },
	{ "x-mac-roman", "MACINTOSH" }, { "x-euc-jp", "EUC-JP" }, { "utf-16", "UTF-16" },
	{ "cp-850", "CP850" }, { "unicode", "UTF-16" }
};

void
mime_charset_preload(void)
{
	static const char *const common[] = {
		"ISO-8859-2", "ISO-8859-3", "ISO-8859-4", "ISO-8859-5", "ISO-8859-6", "ISO-8859-7",
		"ISO-8859-8", "ISO-8859-9", "ISO-8859-10", "ISO-8859-13", "ISO-8859-14", "ISO-8859-15",
		"ISO-8859-16", "CP1250", "CP1251", "CP1253", "CP1254", "CP1255", "CP1256",
		"CP1257", "CP1258", "KOI8-R", "KOI8-U", "GB18030", "BIG5", "BIG5-HKSCS", "CP949",
		"EUC-KR", "EUC-JP", "CP932", "ISO-2022-JP-2", "ISO-2022-KR", "ISO-2022-CN", "TIS-620",
		"VISCII", "UTF-7", "UTF-16", "UTF-16LE", "UTF-16BE", "UTF-32", "MACINTOSH", "CP437",
		"CP850", "CP866", "CP874", "HZ"
	};
	static bool done;

	/* Never closed: an open descriptor keeps its converter loaded. */
	for (size_t i = 0; !done && i < ARRAY_LEN(common); i++)
		(void)iconv_open("UTF-8", common[i]);
	done = true;
}

static bool
clean_name(struct span name, char out[CHARSET_NAME_MAX])
{
	size_t i;

	if (name.len >= CHARSET_NAME_MAX)
		return false;
	for (i = 0; i < name.len; i++) {
		char c = ascii_lower(name.p[i]);

		if (!ascii_isalnum((unsigned char)c) && strchr("-_.:()+", c) == NULL)
			return false;
		if (c == 0)
			return false;
		out[i] = c;
	}
	out[i] = 0;
	return true;
}

static bool
is_own(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(own_names); i++)
		if (strcmp(name, own_names[i]) == 0)
			return true;
	return false;
}

static iconv_t
open_outside(struct span name)
{
	char s[CHARSET_NAME_MAX];
	const char *iconv_name = s;

	name = span_trim(name);
	if (!clean_name(name, s) || is_own(s))
		return (iconv_t)-1;
	for (size_t i = 0; i < ARRAY_LEN(aliases); i++)
		if (strcmp(s, aliases[i][0]) == 0)
			iconv_name = aliases[i][1];
	return iconv_open("UTF-8", iconv_name);
}

bool
mime_charset_known(struct span name)
{
	char s[CHARSET_NAME_MAX];
	iconv_t cd;

	name = span_trim(name);
	if (clean_name(name, s) && is_own(s))
		return strcmp(s, "x-unknown") != 0 && strcmp(s, "default") != 0;
	cd = open_outside(name);
	if (cd == (iconv_t)-1)
		return false;
	iconv_close(cd);
	return true;
}

struct mime_charset *
mime_charset_new(struct span name)
{
	struct mime_charset *c = mem_zalloc(sizeof(*c));

	c->cd = open_outside(name);
	name = span_trim(name);
	c->ascii = span_caseeq_str(name, "us-ascii") || span_caseeq_str(name, "ascii");
	c->single = span_caseeq_str(name, "iso-8859-1") || span_caseeq_str(name, "iso8859-1") ||
	    span_caseeq_str(name, "latin1") || span_caseeq_str(name, "windows-1252") ||
	    span_caseeq_str(name, "cp1252");
	c->problem = c->cd == (iconv_t)-1 && name.len > 0 && !mime_charset_known(name);
	return c;
}

bool
mime_charset_problem(const struct mime_charset *c)
{
	return c->problem;
}

void
mime_charset_free(struct mime_charset **c)
{
	if (*c != NULL && (*c)->cd != (iconv_t)-1)
		iconv_close((*c)->cd);
	mem_free(c);
}

static void
add_1252(struct buf *out, unsigned char b)
{
	uint32_t u = b >= 0x80 && b < 0xa0 ? cp1252[b - 0x80] : b;
	uint8_t utf8[6];
	int n = u8_uctomb(utf8, u, sizeof(utf8));

	if (n > 0)
		buf_add(out, utf8, (size_t)n);
}

/* Length of the sequence at p; 0: malformed; -1: cut at the end. */
static int
sequence(const unsigned char *p, size_t n)
{
	ucs4_t u;
	int len = u8_mbtoucr(&u, p, n);

	return len > 0 ? len : len == -2 ? -1 : 0;
}

/* How many bytes in front are ASCII. */
static size_t
ascii_run(const unsigned char *p, size_t n)
{
	size_t i = 0;

	for (uint64_t v; i + sizeof(v) <= n; i += sizeof(v)) {
		memcpy(&v, p + i, sizeof(v));
		if (v & 0x8080808080808080u)
			break;
	}
	while (i < n && p[i] < 0x80)
		i++;
	return i;
}

/* How many bytes in front are ASCII and not NUL. */
static size_t
ascii_text(const unsigned char *p, size_t n)
{
	const unsigned char *nul;
	size_t run = ascii_run(p, n);

	nul = run > 0 ? memchr(p, 0, run) : NULL;
	return nul != NULL ? (size_t)(nul - p) : run;
}

/* Appends what is complete; returns bytes used. */
static size_t
own_feed(struct mime_charset *c, const unsigned char *p, size_t n, struct buf *out)
{
	size_t i = 0, from;

	while (i < n) {
		int len;

		from = i;
		i += ascii_text(p + i, n - i);
		buf_add(out, p + from, i - from);
		if (i == n)
			break;
		if (p[i] == 0) {
			i++;
			continue;
		}
		len = sequence(p + i, n - i);
		if (len < 0)
			break;
		c->problem |= c->ascii || (len == 0 && !c->single);
		if (len == 0)
			add_1252(out, p[i++]);
		else {
			buf_add(out, p + i, (size_t)len);
			i += (size_t)len;
		}
	}
	return i;
}

static void
add_no_nul(struct buf *out, const char *p, size_t n)
{
	const char *nul;

	while ((nul = memchr(p, 0, n)) != NULL) {
		buf_add(out, p, (size_t)(nul - p));
		n -= (size_t)(nul + 1 - p);
		p = nul + 1;
	}
	buf_add(out, p, n);
}

/* As own_feed. */
static size_t
iconv_feed(struct mime_charset *c, const unsigned char *p, size_t n, struct buf *out)
{
	char tmp[1024], *in = (char *)(uintptr_t)p;
	size_t left = n;

	while (left > 0) {
		char *o = tmp;
		size_t room = sizeof(tmp);
		size_t r = iconv(c->cd, &in, &left, &o, &room);

		add_no_nul(out, tmp, (size_t)(o - tmp));
		if (r != (size_t)-1 || (errno == E2BIG && o != tmp))
			continue;
		if (errno == EINVAL && left < sizeof(((struct mime_charset *)0)->held))
			break;
		c->problem = true;
		buf_add(out, REPLACEMENT, 3);
		if (left > 0) {
			in++;
			left--;
		}
	}
	return n - left;
}

static size_t
any_feed(struct mime_charset *c, const unsigned char *p, size_t n, struct buf *out)
{
	return c->cd == (iconv_t)-1 ? own_feed(c, p, n, out) : iconv_feed(c, p, n, out);
}

void
mime_charset_feed(struct mime_charset *c, struct span in, struct buf *out)
{
	const unsigned char *p = (const unsigned char *)in.p;
	size_t n = in.len, used;

	/* A held beginning grows byte by byte until it is read. */
	while (c->n_held > 0 && n > 0) {
		c->held[c->n_held++] = *p++;
		n--;
		used = any_feed(c, c->held, c->n_held, out);
		memmove(c->held, c->held + used, c->n_held - used);
		c->n_held -= used;
	}
	if (n == 0)
		return;
	used = any_feed(c, p, n, out);
	memcpy(c->held, p + used, n - used);
	c->n_held = n - used;
}

void
mime_charset_done(struct mime_charset *c, struct buf *out)
{
	c->problem |= c->n_held > 0 && !c->single;
	if (c->cd == (iconv_t)-1) {
		for (size_t i = 0; i < c->n_held; i++)
			add_1252(out, c->held[i]);
	} else {
		char tmp[64], *o = tmp;
		size_t room = sizeof(tmp);

		if (c->n_held > 0)
			buf_add(out, REPLACEMENT, 3);
		(void)iconv(c->cd, NULL, NULL, &o, &room);
		add_no_nul(out, tmp, (size_t)(o - tmp));
	}
	c->n_held = 0;
}

bool
mime_is_ascii(struct span s)
{
	return ascii_run((const unsigned char *)s.p, s.len) == s.len;
}

void
mime_charset_utf8(struct span name, struct span in, struct buf *out)
{
	struct mime_charset *c;

	if (name.len == 0 && ascii_text((const unsigned char *)in.p, in.len) == in.len) {
		buf_add_span(out, in);
		return;
	}
	c = mime_charset_new(name);
	mime_charset_feed(c, in, out);
	mime_charset_done(c, out);
	mime_charset_free(&c);
}

struct span
mime_utf8_cut(struct span s, size_t max)
{
	if (s.len <= max)
		return s;
	for (size_t back = 0; back < 4 && max > 0 && ((unsigned char)s.p[max] & 0xc0) == 0x80; back++)
		max--;
	return span(s.p, max);
}

/* Compatibility decompositions count as well, RFC 5051 2 step 2. */
static void
decompose(ucs4_t u, unsigned depth, struct buf *out)
{
	ucs4_t parts[UC_DECOMPOSITION_MAX_LENGTH];
	int tag, n = depth < 8 ? uc_decomposition(u, &tag, parts) : -1;
	uint8_t utf8[6];

	if (n < 0) {
		n = u8_uctomb(utf8, u, sizeof(utf8));
		if (n > 0)
			buf_add(out, utf8, (size_t)n);
		return;
	}
	for (int i = 0; i < n; i++)
		decompose(parts[i], depth + 1, out);
}

#define EACH(byte) (0x0101010101010101u * (byte))

/* The ASCII bytes in front, as capitals, eight at a time; returns how many. */
static size_t
upper_run(char *restrict to, const unsigned char *restrict p, size_t n)
{
	size_t i = 0;

	for (uint64_t v; i + sizeof(v) <= n; i += sizeof(v)) {
		memcpy(&v, p + i, sizeof(v));
		if (v & EACH(0x80u))
			break;
		/* the top bit of a sum tells who is at least 'a', and who is above 'z' */
		v -= ((v + EACH(0x80u - 'a')) & ~(v + EACH(0x7fu - 'z')) & EACH(0x80u)) >> 2;
		memcpy(to + i, &v, sizeof(v));
	}
	for (; i < n && p[i] < 0x80; i++)
		to[i] = (char)(p[i] - ((unsigned char)(p[i] - 'a') < 26) * 32);
	return i;
}

void
mime_casemap(struct span in, struct buf *out)
{
	const unsigned char *p = (const unsigned char *)in.p;

	for (size_t i = 0; i < in.len;) {
		ucs4_t u;
		int len;

		if (p[i] < 0x80) {
			size_t n = upper_run(buf_reserve(out, in.len - i), p + i, in.len - i);

			buf_added(out, n);
			i += n;
			continue;
		}
		len = u8_mbtoucr(&u, p + i, in.len - i);
		if (len <= 0) {
			buf_add_c(out, (char)p[i++]);
			continue;
		}
		decompose(uc_totitle(u), 0, out);
		i += (size_t)len;
	}
}
