#include "jmapd/email/field_out.h"

#include <string.h>

#include "common/mime/address.h"
#include "common/mime/charset.h"
#include "common/mime/date.h"
#include "common/mime/write.h"
#include "common/util/mem.h"

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

/* --- text --- */

static bool
is_wsp(char c)
{
	return c == ' ' || c == '\t';
}

static bool
put_text(struct mime_line *l, struct span s, const char **why)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] != '\t' && !field_is_clean(span(s.p + i, 1)))
			return fails(why, "a control character");
	mime_line_text(l, s);
	return true;
}

/* --- addresses --- */

static void
put_comma(struct mime_line *l)
{
	buf_add_c(l->out, ',');
	l->column++;
}

static bool
put_address(struct mime_line *l, const struct json *v, bool more, const char **why)
{
	struct span name = SPAN_NONE, email;
	const struct json *given = NULL;
	struct buf spec = { 0 };

	if (!json_get_string(v, "email", &email) ||
	    (json_find(v, "name", &given) && given != NULL && !json_as_string(given, &name)))
		return fails(why, "an address is an object with a name (or null) and an email");
	if (!field_is_clean(name) || !field_is_clean(email) || email.len == 0 ||
	    email.len > MIME_LINE_WORD_MAX || span_find(email, '<') < email.len ||
	    span_find(email, '>') < email.len)
		return fails(why, "an address has a control character, or no email");
	if (name.len > 0)
		mime_line_phrase(l, name);
	if (name.len > 0)
		buf_add_c(&spec, '<');
	buf_add_span(&spec, email);
	if (name.len > 0)
		buf_add_c(&spec, '>');
	if (more)
		buf_add_c(&spec, ',');
	mime_line_word(l, buf_span(&spec));
	buf_fini(&spec);
	return true;
}

static bool
put_addresses(struct mime_line *l, const struct json *list, const char **why)
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
put_groups(struct mime_line *l, const struct json *list, const char **why)
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
			mime_line_phrase(l, name);
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
put_ids(struct mime_line *l, const struct json *list, const char **why)
{
	size_t n = json_count(list);

	if (!json_is_array(list) || n == 0)
		return fails(why, "it is not an array of message ids");
	for (size_t i = 0; i < n; i++) {
		struct buf word = { 0 };
		struct span id;
		bool good = json_as_string(json_item(list, i), &id) && id.len > 0 &&
		    id.len < MIME_LINE_WORD_MAX && field_is_clean(id);

		for (size_t k = 0; good && k < id.len; k++)
			good = strchr(" <>()\\", id.p[k]) == NULL;
		if (!good)
			return fails(why, "something that is no message id");
		buf_add_c(&word, '<');
		buf_add_span(&word, id);
		buf_add_c(&word, '>');
		mime_line_word(l, buf_span(&word));
		buf_fini(&word);
	}
	return true;
}

static bool
put_urls(struct mime_line *l, const struct json *list, const char **why)
{
	size_t n = json_count(list);

	if (!json_is_array(list) || n == 0)
		return fails(why, "it is not an array of URLs");
	for (size_t i = 0; i < n; i++) {
		struct buf word = { 0 };
		struct span url;

		if (!json_as_string(json_item(list, i), &url) || url.len == 0 ||
		    url.len > MIME_LINE_WORD_MAX || !field_is_clean(url) || !mime_is_ascii(url) ||
		    span_find(url, ' ') < url.len || span_find(url, '<') < url.len ||
		    span_find(url, '>') < url.len)
			return fails(why, "something that is no URL");
		buf_add_c(&word, '<');
		buf_add_span(&word, url);
		buf_add_str(&word, i + 1 < n ? ">," : ">");
		mime_line_word(l, buf_span(&word));
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

static bool
put_date(struct mime_line *l, const struct json *v, const char **why)
{
	struct span text;
	int64_t sec;
	int zone;

	if (!json_as_string(v, &text) || !field_date_read(text, &sec, &zone))
		return fails(why, "it is not a Date");
	buf_add_c(l->out, ' ');
	mime_date_put(l->out, sec, zone);
	return true;
}

/* --- raw --- */

/* Line ends only where a blank follows, no line too long, and something on every line. */
static bool
put_raw(struct mime_line *l, struct span s, const char **why)
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
put_value(struct mime_line *l, struct arena *a, enum header_form form, const struct json *v,
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
	struct mime_line l;
	size_t was = out->len;

	mime_line_begin(&l, out, p->name);
	if (!put_value(&l, a, p->form, v, why)) {
		buf_cut(out, was);
		return false;
	}
	mime_line_end(&l);
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
