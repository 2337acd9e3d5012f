#include "common/mime/write.h"

#include <string.h>

#include "common/mime/charset.h"
#include "common/mime/coding.h"
#include "common/mime/date.h"
#include "common/util/span.h"

#define LINE_SOFT	76u	/* columns that are filled */
#define LINE_HARD	MIME_LINE_WORD_MAX
#define WORD_MAX	75u	/* of RFC 2047, with all around it */

bool
mime_is_token(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= 32 || c >= 127 || strchr("()<>@,;:\\\"/[]?=", c) != NULL)
			return false;
	}
	return s.len > 0;
}

/* --- lines --- */

void
mime_line_begin(struct mime_line *l, struct buf *out, struct span name)
{
	l->out = out;
	buf_add_span(out, name);
	buf_add_c(out, ':');
	l->column = name.len + 1;
}

static void
fold(struct mime_line *l)
{
	buf_add(l->out, "\r\n", 2);
	l->column = 0;
}

void
mime_line_word(struct mime_line *l, struct span word)
{
	if (l->column + 1 + word.len > LINE_SOFT && l->out->len > 0 &&
	    l->out->data[l->out->len - 1] != ':')
		fold(l);
	buf_add_c(l->out, ' ');
	buf_add_span(l->out, word);
	l->column += 1 + word.len;
}

void
mime_line_end(struct mime_line *l)
{
	buf_add(l->out, "\r\n", 2);
}

/* --- words of RFC 2047 --- */

static bool
q_plain(unsigned char c)
{
	return ascii_isalnum(c) || c == '!' || c == '*' || c == '+' || c == '-' || c == '/';
}

static size_t
char_len(struct span s)
{
	unsigned char c = (unsigned char)s.p[0];
	size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	return n < s.len ? n : s.len;
}

/* How many columns a run needs in Q. */
static size_t
q_len(struct span s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += q_plain((unsigned char)s.p[i]) || s.p[i] == ' ' ? 1 : 3;
	return n;
}

static void
q_put(struct buf *out, struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == ' ')
			buf_add_c(out, '_');
		else if (q_plain(c))
			buf_add_c(out, (char)c);
		else
			buf_addf(out, "=%02X", c);
	}
}

/* As much of s, in whole characters, as a word with room for so many columns of text takes; at
 * least one character. */
static struct span
take_word(struct span s, bool q, size_t room)
{
	size_t used = 0;

	while (used < s.len) {
		size_t n = used + char_len(span_sub(s, used, s.len));
		size_t need = q ? q_len(span_sub(s, 0, n)) : (n + 2) / 3 * 4;

		if (used > 0 && need > room)
			break;
		used = n;
	}
	return span_sub(s, 0, used);
}

/* s as encoded words, the first of which begins where the line is, after a blank. */
static void
put_words(struct mime_line *l, struct span s)
{
	const size_t around = strlen("=?UTF-8?Q?" "?=");
	bool q = q_len(s) <= (s.len + 2) / 3 * 4;

	while (s.len > 0) {
		size_t line = LINE_SOFT > l->column + 1 + around + 12 ? LINE_SOFT - l->column - 1 : 0;
		size_t max = line > 0 && line < WORD_MAX ? line : WORD_MAX;
		struct span part = take_word(s, q, max - around);
		struct buf word = { 0 };

		buf_add_str(&word, q ? "=?UTF-8?Q?" : "=?UTF-8?B?");
		if (q)
			q_put(&word, part);
		else {	/* one line, without its end */
			mime_base64_lines(part, &word);
			buf_cut(&word, word.len - 2);
		}
		buf_add_str(&word, "?=");
		mime_line_word(l, buf_span(&word));
		buf_fini(&word);
		s = span_sub(s, part.len, s.len);
	}
}

/* --- text --- */

static bool
is_wsp(char c)
{
	return c == ' ' || c == '\t';
}

/* Words, by blanks, that cannot stand as they are. */
static bool
must_encode(struct span word)
{
	return !mime_is_ascii(word) || word.len > LINE_HARD ||
	    memmem(word.p, word.len, "=?", 2) != NULL;
}

/* What of the text must be encoded: from the first such word to the end of the last; blanks at the
 * ends of the text go with the word next to them.  from == to: nothing. */
static void
find_run(struct span s, size_t *from, size_t *to)
{
	size_t first = 0, last = s.len;

	*from = *to = 0;
	while (first < s.len && s.p[first] == ' ')
		first++;
	while (last > first && s.p[last - 1] == ' ')
		last--;
	for (size_t i = first, n; i < last; i += n + 1) {
		n = span_find(span_sub(s, i, last - i), ' ');
		if ((i == first && first > 0) || (i + n == last && last < s.len) ||
		    must_encode(span_sub(s, i, n))) {
			if (*to == 0)
				*from = i;
			*to = i + n;
		}
	}
	if (first > 0)
		*from = 0;
	if (last < s.len || first == last)
		*to = s.len;
}

/* Plain text with its blanks as they are; folds stand before a blank. */
static void
put_plain(struct mime_line *l, struct span s)
{
	for (size_t i = 0; i < s.len;) {
		size_t n = 0;

		while (i + n < s.len && is_wsp(s.p[i + n]))
			n++;
		while (i + n < s.len && !is_wsp(s.p[i + n]))
			n++;
		if (is_wsp(s.p[i]) && l->column + n > LINE_SOFT && l->column > 0)
			fold(l);
		buf_add(l->out, s.p + i, n);
		l->column += n;
		i += n;
	}
}

void
mime_line_text(struct mime_line *l, struct span given)
{
	struct buf text = { 0 };
	struct span s;
	size_t from, to;

	for (size_t i = 0; i < given.len; i++)
		buf_add_c(&text, given.p[i] == '\t' ? ' ' : given.p[i]);
	s = buf_span(&text);
	find_run(s, &from, &to);
	if (from == to || from > 0) {	/* the blank before the run comes with its first word */
		buf_add_c(l->out, ' ');
		l->column++;
		put_plain(l, from == to ? s : span_sub(s, 0, from - 1));
	}
	if (from < to) {
		put_words(l, span_sub(s, from, to - from));
		put_plain(l, span_sub(s, to, s.len));
	}
	buf_fini(&text);
}

/* --- names --- */

static bool
is_atoms(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c >= 127 || c < 32 || strchr("()<>[]:;@\\,.\"", c) != NULL ||
		    (c == ' ' && (i == 0 || i + 1 == s.len || s.p[i - 1] == ' ')))
			return false;
	}
	return s.len > 0 && memmem(s.p, s.len, "=?", 2) == NULL;
}

/* Each on a line, also when every character of it is escaped. */
static bool
words_fit(struct span s)
{
	size_t word = 0;

	for (size_t i = 0; i < s.len; i++) {
		word = s.p[i] == ' ' ? 0 : word + 1;
		if (word > LINE_HARD / 2)
			return false;
	}
	return true;
}

static bool
fits_quotes(struct span s)
{
	return mime_is_ascii(s) && s.len > 0 && s.p[0] != ' ' && s.p[s.len - 1] != ' ' &&
	    memmem(s.p, s.len, "=?", 2) == NULL;
}

/* Word by word, so that it can be folded; the blanks stay as they are. */
void
mime_line_phrase(struct mime_line *l, struct span name)
{
	struct buf quoted = { 0 };

	if (!words_fit(name) || (!is_atoms(name) && !fits_quotes(name))) {
		put_words(l, name);
		return;
	}
	if (!is_atoms(name)) {
		buf_add_c(&quoted, '"');
		for (size_t i = 0; i < name.len; i++) {
			if (name.p[i] == '"' || name.p[i] == '\\')
				buf_add_c(&quoted, '\\');
			buf_add_c(&quoted, name.p[i]);
		}
		buf_add_c(&quoted, '"');
		name = buf_span(&quoted);
	}
	if (l->column + 1 + name.len > LINE_SOFT && l->out->data[l->out->len - 1] != ':')
		fold(l);
	buf_add_c(l->out, ' ');
	l->column++;
	put_plain(l, name);
	buf_fini(&quoted);
}

void
mime_date_put(struct buf *out, int64_t sec, int zone_min)
{
	static const char days[] = "ThuFriSatSunMonTueWed";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	int64_t local = sec + (int64_t)zone_min * 60, day = local / 86400, rest = local % 86400;
	unsigned zone = (unsigned)(zone_min < 0 ? -zone_min : zone_min), m, d;
	int64_t y;

	if (rest < 0) {
		rest += 86400;
		day--;
	}
	mime_civil(day, &y, &m, &d);
	buf_addf(out, "%.3s, %u %.3s %04d %02u:%02u:%02u %c%02u%02u",
	    days + 3 * ((day % 7 + 7) % 7), d, months + (size_t)3 * (m - 1), (int)y,
	    (unsigned)(rest / 3600), (unsigned)(rest / 60 % 60), (unsigned)(rest % 60),
	    zone_min < 0 ? '-' : '+', zone / 60, zone % 60);
}

/* --- parameters --- */

static bool
param_plain(unsigned char c)
{
	return ascii_isalnum(c) || c == '-' || c == '.' || c == '_' || c == '+' || c == '$' ||
	    c == '#' || c == '!' || c == '&' || c == '~';
}

static size_t
param_len(struct span s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += param_plain((unsigned char)s.p[i]) ? 1 : 3;
	return n;
}

static void
param_put(struct buf *out, struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (param_plain((unsigned char)s.p[i]))
			buf_add_c(out, s.p[i]);
		else
			buf_addf(out, "%%%02X", (unsigned char)s.p[i]);
}

/* RFC 2231 3 and 4: as many sections as lines need. */
static void
put_extended(struct mime_line *l, const char *name, struct span value)
{
	const size_t room = LINE_SOFT - 24 - strlen(name);
	bool one = param_len(value) <= room;

	for (unsigned section = 0; value.len > 0; section++) {
		struct buf word = { 0 };
		size_t used = 0;

		while (used < value.len) {
			size_t n = used + char_len(span_sub(value, used, value.len));

			if (used > 0 && param_len(span_sub(value, 0, n)) > room)
				break;
			used = n;
		}
		if (one)
			buf_addf(&word, "%s*=", name);
		else
			buf_addf(&word, "%s*%u*=", name, section);
		if (section == 0)
			buf_add_str(&word, "UTF-8''");
		param_put(&word, span_sub(value, 0, used));
		buf_add_c(l->out, ';');
		l->column++;
		mime_line_word(l, buf_span(&word));
		buf_fini(&word);
		value = span_sub(value, used, value.len);
	}
}

void
mime_line_param(struct mime_line *l, const char *name, struct span value)
{
	struct buf word = { 0 };

	/* Readers take words of RFC 2047 for what they look like, and blanks away. */
	if (!mime_is_ascii(value) || value.len + strlen(name) + 6 > LINE_SOFT ||
	    span_trim(value).len < value.len ||
	    memmem(value.p, value.len, "=?", 2) != NULL) {
		put_extended(l, name, value);
		return;
	}
	buf_addf(&word, "%s=", name);
	if (mime_is_token(value) && span_find(value, '*') == value.len &&
	    span_find(value, '\'') == value.len && span_find(value, '%') == value.len)
		buf_add_span(&word, value);
	else {
		buf_add_c(&word, '"');
		for (size_t i = 0; i < value.len; i++) {
			if (value.p[i] == '"' || value.p[i] == '\\')
				buf_add_c(&word, '\\');
			buf_add_c(&word, value.p[i]);
		}
		buf_add_c(&word, '"');
	}
	buf_add_c(l->out, ';');
	l->column++;
	mime_line_word(l, buf_span(&word));
	buf_fini(&word);
}
