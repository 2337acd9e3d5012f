#include "common/mime/field.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uninorm.h>

#include "common/mime/charset.h"
#include "common/mime/coding.h"
#include "common/util/mem.h"

#define FIELD_NAME_MAX 1000
#define CHARSET_MAX 64
#define WORD_MAX 2048	/* RFC 2047 says 75 */

static bool
is_wsp(char c)
{
	return c == ' ' || c == '\t';
}

/* Of a field's name: all but controls, blanks and the colon. */
static const bool in_name[256] = {
	[33 ... ':' - 1] = true, [':' + 1 ... 126] = true, [128 ... 255] = true
};

bool
mime_field_starts(struct span line)
{
	size_t i = 0, max = line.len < FIELD_NAME_MAX ? line.len : FIELD_NAME_MAX;

	while (i < max && in_name[(unsigned char)line.p[i]])
		i++;
	if (i == 0 || i == FIELD_NAME_MAX)
		return false;
	while (i < max && is_wsp(line.p[i]))
		i++;
	return i < line.len && line.p[i] == ':';
}

static size_t
line_len(struct span s)
{
	size_t n = span_find(s, '\n');

	return n < s.len ? n + 1 : n;
}

static struct span
chomp(struct span s)
{
	if (s.len > 0 && s.p[s.len - 1] == '\n')
		s.len--;
	if (s.len > 0 && s.p[s.len - 1] == '\r')
		s.len--;
	return s;
}

bool
mime_field_next(struct span *block, struct mime_field *f)
{
	struct span line, rest = *block;
	size_t n = line_len(rest), colon;

	/* Continuation lines without a field, and the mbox line. */
	while (n > 0 && strchr("F> \t", rest.p[0]) != NULL && (span_has_prefix(rest, "From ") || span_has_prefix(rest, ">From ") ||
	    (is_wsp(rest.p[0]) && span_trim(span(rest.p, n)).len > 0))) {
		rest = span_sub(rest, n, rest.len - n);
		n = line_len(rest);
	}
	line = span(rest.p, n);
	if (!mime_field_starts(line)) {
		*block = SPAN_NONE;
		return false;
	}
	colon = span_find(line, ':');
	f->name = span_trim(span(line.p, colon));
	while (n < rest.len && is_wsp(rest.p[n]))
		n += line_len(span_sub(rest, n, rest.len - n));
	f->raw = span(rest.p, n);
	f->value = chomp(span(rest.p + colon + 1, n - colon - 1));
	*block = span_sub(rest, n, rest.len - n);
	return true;
}

bool
mime_field_find(struct span block, const char *name, struct mime_field *f)
{
	while (mime_field_next(&block, f))
		if (span_caseeq_str(f->name, name))
			return true;
	return false;
}

/* Nothing in it is to be left out. */
static bool
is_flat(struct span s)
{
	return s.len == 0 || (memchr(s.p, '\n', s.len) == NULL && memchr(s.p, '\r', s.len) == NULL &&
	    memchr(s.p, 0, s.len) == NULL);
}

void
mime_unfold(struct span value, struct buf *out)
{
	size_t i = 0, from;

	value = span_trim(value);
	if (is_flat(value)) {
		buf_add_span(out, value);
		return;
	}
	while (i < value.len) {
		for (from = i; i < value.len && value.p[i] != '\r' && value.p[i] != '\n' &&
		    value.p[i] != 0; i++)
			;
		buf_add(out, value.p + from, i - from);
		while (i < value.len && (value.p[i] == '\r' || value.p[i] == '\n' || value.p[i] == 0))
			i++;
	}
}

struct span
mime_unfold_arena(struct arena *a, struct span value)
{
	char *to;
	size_t n = 0;

	value = span_trim(value);
	to = arena_alloc(a, value.len + 1);
	if (value.len > 0 && is_flat(value)) {
		memcpy(to, value.p, value.len);
		return span(to, value.len);
	}
	for (size_t i = 0; i < value.len; i++)
		if (value.p[i] != '\r' && value.p[i] != '\n' && value.p[i] != 0)
			to[n++] = value.p[i];
	return span(to, n);
}

/* An encoded word at the start of s, RFC 2047 2. */
struct word {
	struct span	charset, text;
	char		how;		/* 'q' or 'b' */
	size_t		len;
};

static bool
word_at(struct span s, struct word *w)
{
	size_t q1, q2, i;

	if (s.len < 8 || s.p[0] != '=' || s.p[1] != '?')
		return false;
	for (q1 = 2; q1 < s.len && q1 < CHARSET_MAX && s.p[q1] != '?' && !is_wsp(s.p[q1]) &&
	    s.p[q1] != '\r' && s.p[q1] != '\n'; q1++)
		;
	if (q1 == 2 || q1 + 2 >= s.len || s.p[q1] != '?' || s.p[q1 + 2] != '?')
		return false;
	w->how = ascii_lower(s.p[q1 + 1]);
	if (w->how != 'q' && w->how != 'b')
		return false;
	q2 = q1 + 3;
	/* Blanks inside a Q word are wrong and common. */
	for (i = q2; i + 1 < s.len && i < WORD_MAX && !(s.p[i] == '?' && s.p[i + 1] == '='); i++)
		if (s.p[i] == '?' && w->how == 'b')
			return false;
	if (i + 1 >= s.len || i == WORD_MAX)
		return false;
	w->charset = span(s.p + 2, q1 - 2);
	w->charset.len = span_find(w->charset, '*');	/* RFC 2231 5: the language */
	w->text = span(s.p + q2, i - q2);
	w->len = i + 2;
	return true;
}

static void
word_bytes(const struct word *w, struct buf *out)
{
	if (w->how == 'b') {
		struct mime_decoder d;

		mime_decoder_init(&d, MIME_CODING_BASE64);
		mime_decoder_feed(&d, w->text, out);
		mime_decoder_done(&d, out);
		mime_decoder_fini(&d);
		return;
	}
	for (size_t i = 0; i < w->text.len; i++) {
		const char *p = w->text.p + i;

		if (*p == '_')
			buf_add_c(out, ' ');
		else if (*p == '=' && i + 2 < w->text.len && ascii_hex(p[1]) >= 0 &&
		    ascii_hex(p[2]) >= 0) {
			buf_add_c(out, (char)(ascii_hex(p[1]) << 4 | ascii_hex(p[2])));
			i += 2;
		} else
			buf_add_c(out, *p);
	}
}

static void
blank_controls(struct buf *b, size_t from)
{
	for (size_t i = from; i < b->len; i++)
		if ((unsigned char)b->data[i] < 32 || b->data[i] == 127)
			b->data[i] = ' ';
}

/* Decodes a run of words of one charset together; returns the bytes taken of s. */
static size_t
words_run(struct span s, struct word *w, struct buf *out)
{
	struct buf bytes = { 0 };
	struct span charset = w->charset;
	size_t used = 0, start = out->len;

	for (;;) {
		size_t gap;
		struct span rest;

		word_bytes(w, &bytes);
		used += w->len;
		rest = span_sub(s, used, s.len - used);
		for (gap = 0; gap < rest.len && is_wsp(rest.p[gap]); gap++)
			;
		/* Blanks between two words are not text, whatever their charsets. */
		if (!word_at(span_sub(rest, gap, rest.len - gap), w))
			break;
		used += gap;
		if (!span_caseeq(w->charset, charset))
			break;
	}
	mime_charset_utf8(charset, buf_span(&bytes), out);
	blank_controls(out, start);
	buf_fini(&bytes);
	return used;
}

/* Most values are so: they hold no word that is to be decoded, and nothing to be converted. */
static bool
is_plain(struct span value)
{
	size_t at = span_find(value, '=');

	if (!mime_is_ascii(value))
		return false;
	/* what stands in two lines is together when it is unfolded */
	return at == value.len || (is_flat(span_trim(value)) &&
	    memmem(value.p + at, value.len - at, "=?", 2) == NULL);
}

void
mime_words_decode(struct span value, struct buf *out)
{
	struct buf flat = { 0 };
	struct span s;

	if (is_plain(value)) {
		mime_unfold(value, out);
		return;
	}
	mime_unfold(value, &flat);
	s = buf_span(&flat);
	for (size_t i = 0; i < s.len;) {
		struct word w;
		size_t from = i;

		if (word_at(span_sub(s, i, s.len - i), &w)) {
			i += words_run(span_sub(s, i, s.len - i), &w, out);
			continue;
		}
		for (i++; i < s.len && s.p[i] != '='; i++)
			;
		mime_charset_utf8(SPAN_NONE, span(s.p + from, i - from), out);
	}
	buf_fini(&flat);
}

/* A word between blanks, without blanks, of a known charset. */
static bool
strict_word_at(struct span s, struct word *w)
{
	if (!word_at(s, w) || (w->len < s.len && !is_wsp(s.p[w->len])) ||
	    !mime_charset_known(w->charset))
		return false;
	for (size_t i = 0; i < w->text.len; i++)
		if (is_wsp(w->text.p[i]))
			return false;
	return true;
}

static void
drop_controls(struct buf *b, size_t from)
{
	size_t n = from;

	for (size_t i = from; i < b->len; i++)
		if ((unsigned char)b->data[i] >= 32 && b->data[i] != 127)
			b->data[n++] = b->data[i];
	buf_cut(b, n);
}

/* Words one after the other; returns the bytes taken of s. */
static size_t
strict_words(struct span s, struct word w, struct buf *out)
{
	struct buf bytes = { 0 };
	size_t used = 0, gap = 0, start = out->len;
	bool more = true;

	while (more) {
		struct span charset = w.charset, rest;

		/* A character may be cut between two words of a charset. */
		word_bytes(&w, &bytes);
		used += gap + w.len;
		rest = span_sub(s, used, s.len - used);
		for (gap = 0; gap < rest.len && is_wsp(rest.p[gap]); gap++)
			;
		more = gap > 0 && strict_word_at(span_sub(rest, gap, rest.len - gap), &w);
		if (!more || !span_caseeq(w.charset, charset)) {
			mime_charset_utf8(charset, buf_span(&bytes), out);
			buf_clear(&bytes);
		}
	}
	drop_controls(out, start);
	buf_fini(&bytes);
	return used;
}

static void
add_composed(struct span s, struct buf *out)
{
	size_t len = 0;
	uint8_t *nfc = NULL;
	bool ascii = true;

	for (size_t i = 0; i < s.len && ascii; i++)
		ascii = (unsigned char)s.p[i] < 0x80;
	if (!ascii)
		nfc = u8_normalize(UNINORM_NFC, (const uint8_t *)s.p, s.len, NULL, &len);
	if (nfc != NULL)
		buf_add(out, nfc, len);
	else
		buf_add_span(out, s);
	free(nfc);
}

void
mime_words_decode_strict(struct span value, bool words, struct buf *out)
{
	struct buf flat = { 0 }, text = { 0 };
	struct span s;
	struct word w;

	mime_unfold(value, &flat);
	s = buf_span(&flat);
	for (size_t i = 0; i < s.len;) {
		size_t from = i;

		if (words && (i == 0 || is_wsp(s.p[i - 1])) &&
		    strict_word_at(span_sub(s, i, s.len - i), &w)) {
			i += strict_words(span_sub(s, i, s.len - i), w, &text);
			continue;
		}
		for (i++; i < s.len && s.p[i] != '='; i++)
			;
		mime_charset_utf8(SPAN_NONE, span(s.p + from, i - from), &text);
	}
	add_composed(buf_span(&text), out);
	buf_fini(&flat);
	buf_fini(&text);
}

/* --- tokens and parameters --- */

static struct span
lower(struct arena *a, struct span s)
{
	char *p = arena_strndup(a, s.p != NULL ? s.p : "", s.len);

	for (size_t i = 0; i < s.len; i++)
		p[i] = ascii_lower(p[i]);
	return span(p, s.len);
}

static void
skip_blanks(struct span *s)
{
	size_t depth = 0, i;

	for (i = 0; i < s->len; i++) {
		char c = s->p[i];

		if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (c == '\\' && depth > 0 && i + 1 < s->len)
			i++;
		else if (depth == 0 && !is_wsp(c))
			break;
	}
	*s = span_sub(*s, i, s->len - i);
}

/* RFC 2045 5.1 token, 8-bit bytes allowed. */
static struct span
take_token(struct span *s)
{
	size_t i;

	for (i = 0; i < s->len; i++) {
		unsigned char c = (unsigned char)s->p[i];

		if (c <= 32 || c == 127 || strchr("()<>@,;:\\\"/[]?=", c) != NULL)
			break;
	}
	struct span t = span(s->p, i);

	*s = span_sub(*s, i, s->len - i);
	return t;
}

/* A value: quoted, or everything up to a blank or ";", as senders forget quotes. */
static struct span
take_value(struct arena *a, struct span *s)
{
	size_t i = 0, n = 0, end;
	char *to;

	if (s->len > 0 && s->p[0] == '"')
		for (end = 1; end < s->len && s->p[end] != '"'; end++)
			end += s->p[end] == '\\';
	else
		for (end = 0; end < s->len && s->p[end] != ';' && !is_wsp(s->p[end]); end++)
			;
	to = arena_alloc(a, end + 2);

	if (s->len > 0 && s->p[0] == '"') {
		for (i = 1; i < s->len && s->p[i] != '"'; i++) {
			if (s->p[i] == '\\' && i + 1 < s->len)
				i++;
			to[n++] = s->p[i];
		}
		i += i < s->len;
	} else
		for (; i < s->len && s->p[i] != ';' && !is_wsp(s->p[i]); i++)
			to[n++] = s->p[i];
	*s = span_sub(*s, i, s->len - i);
	return span(to, n);
}

static void
read_params(struct arena *a, struct span s, struct mime_params *raw)
{
	raw->n = 0;
	while (s.len > 0 && raw->n < MIME_PARAMS_MAX) {
		struct span name;

		skip_blanks(&s);
		name = take_token(&s);
		skip_blanks(&s);
		if (name.len == 0 || s.len == 0 || s.p[0] != '=') {
			/* ";", or something unexpected before the next name */
			if (name.len == 0 && s.len > 0)
				s = span_sub(s, 1, s.len - 1);
			continue;
		}
		s = span_sub(s, 1, s.len - 1);
		skip_blanks(&s);
		raw->v[raw->n].name = lower(a, name);
		raw->v[raw->n++].value = take_value(a, &s);
	}
}

bool
mime_content_type(struct arena *a, struct span value, struct span *type, struct span *subtype,
    struct mime_params *raw)
{
	struct span s = mime_unfold_arena(a, value), t, sub = SPAN_NONE;

	skip_blanks(&s);
	t = take_token(&s);
	skip_blanks(&s);
	if (s.len > 0 && s.p[0] == '/') {
		s = span_sub(s, 1, s.len - 1);
		skip_blanks(&s);
		sub = take_token(&s);
	}
	if (t.len == 0 || sub.len == 0) {
		*type = SPAN_LIT("text");
		*subtype = SPAN_LIT("plain");
		raw->n = 0;
		return false;
	}
	*type = t;
	*subtype = sub;
	read_params(a, s, raw);
	return true;
}

bool
mime_disposition(struct arena *a, struct span value, struct span *token,
    struct mime_params *raw)
{
	struct span s = mime_unfold_arena(a, value);

	skip_blanks(&s);
	*token = take_token(&s);
	read_params(a, s, raw);
	return token->len > 0;
}

size_t
mime_tokens(struct arena *a, struct span value, struct span *v, size_t max)
{
	struct span s = mime_unfold_arena(a, value);
	size_t n = 0;

	while (s.len > 0 && n < max) {
		skip_blanks(&s);
		v[n] = take_token(&s);
		if (v[n].len > 0)
			n++;
		else if (s.len > 0)
			s = span_sub(s, 1, s.len - 1);
	}
	return n;
}

static void
percent_decode(struct span s, struct buf *out)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '%' && i + 2 < s.len && ascii_hex(s.p[i + 1]) >= 0 &&
		    ascii_hex(s.p[i + 2]) >= 0) {
			buf_add_c(out, (char)(ascii_hex(s.p[i + 1]) << 4 | ascii_hex(s.p[i + 2])));
			i += 2;
		} else
			buf_add_c(out, s.p[i]);
	}
}

/* Is the parameter "name*section" or "name*section*" (RFC 2231 3, 4.1)? */
static const struct mime_param *
find_section(const struct mime_params *raw, const char *name, size_t section, bool *extended)
{
	char want[80];
	size_t n;

	n = (size_t)snprintf(want, sizeof(want), "%.60s*%zu", name, section);
	for (size_t i = 0; i < raw->n; i++) {
		struct span s = raw->v[i].name;

		*extended = s.len == n + 1 && s.p[n] == '*';
		if (*extended)
			s.len--;
		if (s.len == n && span_caseeq_str(s, want))
			return &raw->v[i];
	}
	return NULL;
}

/* charset'language'rest */
static struct span
cut_charset(struct span *value)
{
	struct span v = *value, charset = span_cut(&v, '\'');

	if (v.p == NULL)
		return SPAN_NONE;
	span_cut(&v, '\'');
	if (v.p == NULL)
		return SPAN_NONE;
	*value = v;
	return charset;
}

static bool
continued(const struct mime_params *raw, const char *name, struct buf *out)
{
	struct buf bytes = { 0 };
	struct span charset = SPAN_NONE;
	const struct mime_param *p;
	bool extended;
	size_t i;

	for (i = 0; i < MIME_PARAMS_MAX && (p = find_section(raw, name, i, &extended)) != NULL; i++) {
		struct span v = p->value;

		if (i == 0 && extended)
			charset = cut_charset(&v);
		if (extended)
			percent_decode(v, &bytes);
		else
			buf_add_span(&bytes, v);
	}
	mime_charset_utf8(charset, buf_span(&bytes), out);
	buf_fini(&bytes);
	return i > 0;
}

bool
mime_param_get(const struct mime_params *raw, const char *name, struct buf *out)
{
	const struct mime_param *plain = NULL;
	size_t n = strlen(name);

	for (size_t i = 0; i < raw->n; i++) {
		struct span pn = raw->v[i].name;

		if (pn.len == n + 1 && pn.p[n] == '*' && span_caseeq_str(span(pn.p, n), name)) {
			struct buf bytes = { 0 };
			struct span v = raw->v[i].value, charset = cut_charset(&v);

			percent_decode(v, &bytes);
			mime_charset_utf8(charset, buf_span(&bytes), out);
			buf_fini(&bytes);
			return true;
		}
		if (plain == NULL && span_caseeq_str(pn, name))
			plain = &raw->v[i];
	}
	if (continued(raw, name, out))
		return true;
	if (plain == NULL)
		return false;
	mime_words_decode(plain->value, out);
	return true;
}
