#include "jmapd/email/field_out.h"

#include <string.h>

#include "common/crypto/encode.h"
#include "common/mime/address.h"
#include "common/mime/date.h"
#include "common/util/mem.h"

#define LINE_SOFT	76u	/* columns that are filled */
#define LINE_HARD	990u	/* of 998, for what stands around a word */
#define WORD_MAX	75u	/* of RFC 2047, with all around it */

static bool
fails(const char **why, const char *text)
{
	*why = text;
	return false;
}

bool
field_is_clean(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] < 32 || s.p[i] == 127)
			return false;
	return true;
}

bool
field_is_token(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= 32 || c >= 127 || strchr("()<>@,;:\\\"/[]?=", c) != NULL)
			return false;
	}
	return s.len > 0;
}

static bool
is_ascii(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] >= 128)
			return false;
	return true;
}

/* --- lines --- */

void
field_line_begin(struct field_line *l, struct buf *out, struct span name)
{
	l->out = out;
	buf_add_span(out, name);
	buf_add_c(out, ':');
	l->column = name.len + 1;
}

static void
fold(struct field_line *l)
{
	buf_add(l->out, "\r\n", 2);
	l->column = 0;
}

void
field_line_word(struct field_line *l, struct span word)
{
	if (l->column + 1 + word.len > LINE_SOFT && l->out->len > 0 &&
	    l->out->data[l->out->len - 1] != ':')
		fold(l);
	buf_add_c(l->out, ' ');
	buf_add_span(l->out, word);
	l->column += 1 + word.len;
}

void
field_line_end(struct field_line *l)
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
put_words(struct field_line *l, struct span s)
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
		else
			base64_encode(part, &word);
		buf_add_str(&word, "?=");
		field_line_word(l, buf_span(&word));
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
	return !is_ascii(word) || word.len > LINE_HARD ||
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
put_plain(struct field_line *l, struct span s)
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

static bool
put_text(struct field_line *l, struct span given, const char **why)
{
	struct buf text = { 0 };
	struct span s;
	size_t from, to;

	for (size_t i = 0; i < given.len; i++)
		buf_add_c(&text, given.p[i] == '\t' ? ' ' : given.p[i]);
	s = buf_span(&text);
	if (!field_is_clean(s)) {
		buf_fini(&text);
		return fails(why, "a control character");
	}
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
	return true;
}

/* --- addresses --- */

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

static bool
fits_quotes(struct span s)
{
	size_t word = 0;

	for (size_t i = 0; i < s.len; i++) {
		word = s.p[i] == ' ' ? 0 : word + 1;
		if (word > LINE_HARD / 2)
			return false;
	}
	return is_ascii(s) && s.len > 0 && s.p[0] != ' ' && s.p[s.len - 1] != ' ' &&
	    memmem(s.p, s.len, "=?", 2) == NULL;
}

/* Word by word, so that it can be folded; the blanks stay as they are. */
static void
put_phrase(struct field_line *l, struct span name)
{
	struct buf quoted = { 0 };

	if (!is_atoms(name) && !fits_quotes(name)) {
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

static void
put_comma(struct field_line *l)
{
	buf_add_c(l->out, ',');
	l->column++;
}

static bool
put_address(struct field_line *l, const struct json *v, bool more, const char **why)
{
	struct span name = SPAN_NONE, email;
	const struct json *given = NULL;
	struct buf spec = { 0 };

	if (!json_get_string(v, "email", &email) ||
	    (json_find(v, "name", &given) && given != NULL && !json_as_string(given, &name)))
		return fails(why, "an address is an object with a name (or null) and an email");
	if (!field_is_clean(name) || !field_is_clean(email) || email.len == 0 ||
	    email.len > LINE_HARD || span_find(email, '<') < email.len ||
	    span_find(email, '>') < email.len)
		return fails(why, "an address has a control character, or no email");
	if (name.len > 0)
		put_phrase(l, name);
	if (name.len > 0)
		buf_add_c(&spec, '<');
	buf_add_span(&spec, email);
	if (name.len > 0)
		buf_add_c(&spec, '>');
	if (more)
		buf_add_c(&spec, ',');
	field_line_word(l, buf_span(&spec));
	buf_fini(&spec);
	return true;
}

static bool
put_addresses(struct field_line *l, const struct json *list, const char **why)
{
	size_t n = json_count(list);

	if (!json_is_array(list))
		return fails(why, "it is not an array of addresses");
	for (size_t i = 0; i < n; i++)
		if (!put_address(l, json_item(list, i), i + 1 < n, why))
			return false;
	return true;
}

static bool
put_groups(struct field_line *l, const struct json *list, const char **why)
{
	size_t n = json_count(list);

	if (!json_is_array(list))
		return fails(why, "it is not an array of groups");
	for (size_t i = 0; i < n; i++) {
		const struct json *group = json_item(list, i), *given = NULL;
		struct span name = SPAN_NONE;

		if (!json_is_object(group) || (json_find(group, "name", &given) && given != NULL &&
		    !json_as_string(given, &name)) || !field_is_clean(name))
			return fails(why, "a group is an object with a name (or null) and addresses");
		if (given != NULL && name.len == 0)
			return fails(why, "a group has an empty name");
		if (given != NULL) {
			put_phrase(l, name);
			buf_add_c(l->out, ':');
			l->column++;
		}
		if (!put_addresses(l, json_member(group, "addresses"), why))
			return false;
		if (given != NULL) {
			buf_add_c(l->out, ';');
			l->column++;
		}
		if (i + 1 < n && (given != NULL || json_count(json_member(group, "addresses")) > 0))
			put_comma(l);
	}
	return true;
}

/* Emails of addresses, in order, of a value in either form. */
static bool
same_addresses(const struct json *value, bool grouped, const struct mime_addr *v, size_t n,
    size_t *at)
{
	for (size_t i = 0; i < json_count(value); i++) {
		const struct json *item = json_item(value, i);
		struct buf got = { 0 };
		struct span email;
		bool same;

		if (grouped) {
			if (!same_addresses(json_member(item, "addresses"), false, v, n, at))
				return false;
			continue;
		}
		while (*at < n && v[*at].kind != MIME_ADDR_MAILBOX)
			(*at)++;
		if (*at == n || !json_get_string(item, "email", &email))
			return false;
		header_addr_spec(&v[(*at)++], &got);
		same = span_eq(buf_span(&got), email);
		buf_fini(&got);
		if (!same)
			return false;
	}
	return true;
}

/* Does the field name whom it was to name?  Half an address is allowed in a draft, but none that
 * reads as another one. */
static bool
reads_back(struct arena *a, const struct json *value, bool grouped, struct span field,
    const char **why)
{
	struct mime_addr *v = NULL;
	size_t n = mime_addresses(a, field, &v), at = 0;

	if (!same_addresses(value, grouped, v, n, &at))
		return fails(why, "an email that cannot stand in an address");
	while (at < n && v[at].kind != MIME_ADDR_MAILBOX)
		at++;
	return at == n ? true : fails(why, "an email that reads as more than one");
}

/* --- lists of words --- */

static bool
put_ids(struct field_line *l, const struct json *list, const char **why)
{
	size_t n = json_count(list);

	if (!json_is_array(list) || n == 0)
		return fails(why, "it is not an array of message ids");
	for (size_t i = 0; i < n; i++) {
		struct buf word = { 0 };
		struct span id;
		bool good = json_as_string(json_item(list, i), &id) && id.len > 0 &&
		    id.len < LINE_HARD && field_is_clean(id);

		for (size_t k = 0; good && k < id.len; k++)
			good = strchr(" <>()\\", id.p[k]) == NULL;
		if (!good)
			return fails(why, "something that is no message id");
		buf_add_c(&word, '<');
		buf_add_span(&word, id);
		buf_add_c(&word, '>');
		field_line_word(l, buf_span(&word));
		buf_fini(&word);
	}
	return true;
}

static bool
put_urls(struct field_line *l, const struct json *list, const char **why)
{
	size_t n = json_count(list);

	if (!json_is_array(list) || n == 0)
		return fails(why, "it is not an array of URLs");
	for (size_t i = 0; i < n; i++) {
		struct buf word = { 0 };
		struct span url;

		if (!json_as_string(json_item(list, i), &url) || url.len == 0 ||
		    url.len > LINE_HARD || !field_is_clean(url) || !is_ascii(url) ||
		    span_find(url, ' ') < url.len || span_find(url, '<') < url.len ||
		    span_find(url, '>') < url.len)
			return fails(why, "something that is no URL");
		buf_add_c(&word, '<');
		buf_add_span(&word, url);
		buf_add_str(&word, i + 1 < n ? ">," : ">");
		field_line_word(l, buf_span(&word));
		buf_fini(&word);
	}
	return true;
}

/* --- dates --- */

static bool
digits(struct span *s, size_t n, int *v)
{
	*v = 0;
	if (s->len < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!ascii_isdigit((unsigned char)s->p[i]))
			return false;
		*v = *v * 10 + (s->p[i] - '0');
	}
	*s = span_sub(*s, n, s->len);
	return true;
}

static bool
sign(struct span *s, char c)
{
	if (s->len == 0 || s->p[0] != c)
		return false;
	*s = span_sub(*s, 1, s->len);
	return true;
}

static int
month_days(int y, int m)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[m - 1] + (m == 2 && ((y % 4 == 0 && y % 100 != 0) || y % 400 == 0));
}

bool
field_date_read(struct span s, int64_t *sec, int *zone_min)
{
	int y, m, d, hh, mm, ss, zh = 0, zm = 0, east = 1, n;

	if (!digits(&s, 4, &y) || !sign(&s, '-') || !digits(&s, 2, &m) || !sign(&s, '-') ||
	    !digits(&s, 2, &d) || !sign(&s, 'T') || !digits(&s, 2, &hh) || !sign(&s, ':') ||
	    !digits(&s, 2, &mm) || !sign(&s, ':') || !digits(&s, 2, &ss))
		return false;
	if (sign(&s, '.')) {
		if (!digits(&s, 1, &n))
			return false;
		while (digits(&s, 1, &n))
			;
	}
	if (!sign(&s, 'Z')) {
		east = sign(&s, '+') ? 1 : sign(&s, '-') ? -1 : 0;
		if (east == 0 || !digits(&s, 2, &zh) || !sign(&s, ':') || !digits(&s, 2, &zm))
			return false;
	}
	if (s.len > 0 || y < 1 || m < 1 || m > 12 || d < 1 || d > month_days(y, m) || hh > 23 ||
	    mm > 59 || ss > 60 || zh > 23 || zm > 59)
		return false;
	*zone_min = east * (zh * 60 + zm);
	*sec = mime_days(y, m, d) * 86400 + hh * 3600 + mm * 60 + (ss > 59 ? 59 : ss) -
	    (int64_t)*zone_min * 60;
	return true;
}

void
field_date_put(struct buf *out, int64_t sec, int zone_min)
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
	header_civil(day, &y, &m, &d);
	buf_addf(out, "%.3s, %u %.3s %04d %02u:%02u:%02u %c%02u%02u",
	    days + 3 * ((day % 7 + 7) % 7), d, months + (size_t)3 * (m - 1), (int)y,
	    (unsigned)(rest / 3600), (unsigned)(rest / 60 % 60), (unsigned)(rest % 60),
	    zone_min < 0 ? '-' : '+', zone / 60, zone % 60);
}

static bool
put_date(struct field_line *l, const struct json *v, const char **why)
{
	struct span text;
	int64_t sec;
	int zone;

	if (!json_as_string(v, &text) || !field_date_read(text, &sec, &zone))
		return fails(why, "it is not a Date");
	buf_add_c(l->out, ' ');
	field_date_put(l->out, sec, zone);
	return true;
}

/* --- raw --- */

/* Line ends only where a blank follows, no line too long, and something on every line. */
static bool
put_raw(struct field_line *l, struct span s, const char **why)
{
	size_t column = l->column;
	bool text = true;

	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '\r' && i + 2 < s.len && s.p[i + 1] == '\n' && is_wsp(s.p[i + 2])) {
			if (!text)
				return fails(why, "a line of blanks");
			i++;
			column = 0;
			text = false;
			continue;
		}
		if (!field_is_clean(span(s.p + i, 1)) && s.p[i] != '\t')
			return fails(why, "a control character, or a line end that folds nothing");
		text |= !is_wsp(s.p[i]);
		if (++column > 998)
			return fails(why, "a line is too long");
	}
	if (!text && l->column == 0)
		return fails(why, "a line of blanks");
	buf_add_span(l->out, s);
	return true;
}

/* --- fields --- */

static bool
put_value(struct field_line *l, struct arena *a, enum header_form form, const struct json *v,
    const char **why)
{
	size_t start = l->out->len;
	struct span text;

	switch (form) {
	case HEADER_ADDRESSES:
	case HEADER_GROUPED:
		return (form == HEADER_GROUPED ? put_groups(l, v, why) : put_addresses(l, v, why)) &&
		    reads_back(a, v, form == HEADER_GROUPED,
		    span(l->out->data + start, l->out->len - start), why);
	case HEADER_IDS:
		return put_ids(l, v, why);
	case HEADER_URLS:
		return put_urls(l, v, why);
	case HEADER_DATE:
		return put_date(l, v, why);
	default:
		if (!json_as_string(v, &text))
			return fails(why, "it is not a string");
		return form == HEADER_RAW ? put_raw(l, text, why) : put_text(l, text, why);
	}
}

static bool
put_one(struct buf *out, struct arena *a, const struct header_property *p, const struct json *v,
    const char **why)
{
	struct field_line l;
	size_t was = out->len;

	field_line_begin(&l, out, p->name);
	if (!put_value(&l, a, p->form, v, why)) {
		buf_cut(out, was);
		return false;
	}
	field_line_end(&l);
	return true;
}

bool
field_out(struct buf *out, struct arena *a, const struct header_property *p,
    const struct json *value, const char **why)
{
	size_t was = out->len;

	if (p->name.len > 200)
		return fails(why, "the name of the field is too long");
	if (value == NULL || (!p->all && json_is_array(value) && json_count(value) == 0))
		return true;
	if (!p->all)
		return put_one(out, a, p, value, why);
	if (!json_is_array(value))
		return fails(why, "it is not an array");
	for (size_t i = 0; i < json_count(value); i++)
		if (!put_one(out, a, p, json_item(value, i), why)) {
			buf_cut(out, was);
			return false;
		}
	return true;
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
put_extended(struct field_line *l, const char *name, struct span value)
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
		field_line_word(l, buf_span(&word));
		buf_fini(&word);
		value = span_sub(value, used, value.len);
	}
}

void
field_line_param(struct field_line *l, const char *name, struct span value)
{
	struct buf word = { 0 };

	/* Readers take words of RFC 2047 for what they look like, and blanks away. */
	if (!is_ascii(value) || value.len + strlen(name) + 6 > LINE_SOFT ||
	    span_trim(value).len < value.len ||
	    memmem(value.p, value.len, "=?", 2) != NULL) {
		put_extended(l, name, value);
		return;
	}
	buf_addf(&word, "%s=", name);
	if (field_is_token(value) && span_find(value, '*') == value.len &&
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
	field_line_word(l, buf_span(&word));
	buf_fini(&word);
}
