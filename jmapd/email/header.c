#include "jmapd/email/header.h"

#include <string.h>

#include "common/mime/date.h"
#include "common/mime/field.h"
#include "common/util/buf.h"
#include "common/util/mem.h"

#define FORM(f)	(1u << HEADER_##f)
#define ADDRS	(FORM(ADDRESSES) | FORM(GROUPED))

/* The fields of RFC 5322 and RFC 2369, and List-Id: which forms they have beside the raw one. */
static const struct { const char *name; unsigned forms; } known[] = {
	{ "Subject", FORM(TEXT) }, { "Comments", FORM(TEXT) }, { "Keywords", FORM(TEXT) },
	{ "List-Id", FORM(TEXT) },
	{ "From", ADDRS }, { "Sender", ADDRS }, { "Reply-To", ADDRS }, { "To", ADDRS },
	{ "Cc", ADDRS }, { "Bcc", ADDRS }, { "Resent-From", ADDRS }, { "Resent-Sender", ADDRS },
	{ "Resent-Reply-To", ADDRS }, { "Resent-To", ADDRS }, { "Resent-Cc", ADDRS },
	{ "Resent-Bcc", ADDRS },
	{ "Message-ID", FORM(IDS) }, { "In-Reply-To", FORM(IDS) }, { "References", FORM(IDS) },
	{ "Resent-Message-ID", FORM(IDS) },
	{ "Date", FORM(DATE) }, { "Resent-Date", FORM(DATE) },
	{ "List-Help", FORM(URLS) }, { "List-Unsubscribe", FORM(URLS) },
	{ "List-Subscribe", FORM(URLS) }, { "List-Post", FORM(URLS) }, { "List-Owner", FORM(URLS) },
	{ "List-Archive", FORM(URLS) },
	{ "Return-Path", 0 }, { "Received", 0 }
};

static const char *const form_names[HEADER_FORMS] = {
	"asRaw", "asText", "asAddresses", "asGroupedAddresses", "asMessageIds", "asDate", "asURLs"
};

bool
header_form_allowed(struct span name, enum header_form form)
{
	if (form == HEADER_RAW)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (span_caseeq_str(name, known[i].name))
			return (known[i].forms >> form & 1) != 0;
	return true;
}

const char *
header_form_name(enum header_form form)
{
	return form_names[form];
}

static bool
form_read(struct span text, enum header_form *form)
{
	for (int f = 0; f < HEADER_FORMS; f++)
		if (span_eq_str(text, form_names[f])) {
			*form = (enum header_form)f;
			return true;
		}
	return false;
}

enum header_read
header_property_read(struct span property, struct header_property *p)
{
	struct span rest = property, step;

	*p = (struct header_property){ .form = HEADER_RAW };
	if (!span_has_prefix(rest, "header:"))
		return HEADER_BAD;
	rest = span_sub(rest, 7, rest.len);
	p->name = span_cut(&rest, ':');
	if (p->name.len == 0)
		return HEADER_BAD;
	for (size_t i = 0; i < p->name.len; i++)
		if ((unsigned char)p->name.p[i] < 33 || (unsigned char)p->name.p[i] > 126)
			return HEADER_BAD;
	if (rest.p == NULL)
		return HEADER_OK;
	step = span_cut(&rest, ':');
	if (form_read(step, &p->form)) {
		if (!header_form_allowed(p->name, p->form))
			return HEADER_FORBIDDEN;
		if (rest.p == NULL)
			return HEADER_OK;
		step = span_cut(&rest, ':');
	}
	p->all = true;
	return span_eq_str(step, "all") && rest.p == NULL ? HEADER_OK : HEADER_BAD;
}

/* --- forms --- */

static void
put_raw(struct json_writer *w, struct span value)
{
	struct buf clean = { 0 };

	if (value.len == 0 || memchr(value.p, 0, value.len) == NULL) {
		json_string(w, value);
		return;
	}
	for (size_t i = 0; i < value.len; i++)
		if (value.p[i] != 0)
			buf_add_c(&clean, value.p[i]);
	json_string(w, buf_span(&clean));
	buf_fini(&clean);
}

static bool
is_simple(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] < 32 || (unsigned char)s.p[i] > 126 || s.p[i] == '=')
			return false;
	return true;
}

static void
put_words(struct json_writer *w, struct span text, bool words)
{
	struct buf out = { 0 };

	text = span_trim(text);
	if (is_simple(text)) {
		json_string(w, text);
		return;
	}
	mime_words_decode_strict(text, words, &out);
	json_string(w, buf_span(&out));
	buf_fini(&out);
}

void
header_put_text(struct json_writer *w, struct span text)
{
	put_words(w, text, true);
}

static void
put_name(struct json_writer *w, struct span name, bool quoted)
{
	if (span_trim(name).len == 0)
		json_null(w);
	else
		put_words(w, name, !quoted);
}

static bool
is_dot_atom(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= 32 || c == 127 || strchr("()<>[]:;@\\,\"", c) != NULL ||
		    (c == '.' && (i == 0 || i + 1 == s.len || s.p[i + 1] == '.')))
			return false;
	}
	return s.len > 0;
}

/* The reader of addresses takes quotes away that a local part needs. */
void
header_addr_spec(const struct mime_addr *a, struct buf *out)
{
	if (a->domain.len == 0 || is_dot_atom(a->local))
		buf_add_span(out, a->local);
	else {
		buf_add_c(out, '"');
		for (size_t i = 0; i < a->local.len; i++) {
			if (a->local.p[i] == '"' || a->local.p[i] == '\\')
				buf_add_c(out, '\\');
			buf_add_c(out, a->local.p[i]);
		}
		buf_add_c(out, '"');
	}
	if (a->domain.len > 0) {
		buf_add_c(out, '@');
		buf_add_span(out, a->domain);
	}
}

static void
put_addr_spec(struct json_writer *w, const struct mime_addr *a)
{
	struct buf out = { 0 };

	header_addr_spec(a, &out);
	put_words(w, buf_span(&out), false);
	buf_fini(&out);
}

void
header_put_addr(struct json_writer *w, const struct mime_addr *a)
{
	json_begin_object(w);
	json_key(w, "name");
	put_name(w, a->name, a->quoted);
	json_key(w, "email");
	put_addr_spec(w, a);
	json_end_object(w);
}

static void
put_addresses(struct json_writer *w, struct arena *a, struct span value)
{
	struct mime_addr *v = NULL;
	size_t n = mime_addresses(a, value, &v);

	json_begin_array(w);
	for (size_t i = 0; i < n; i++)
		if (v[i].kind == MIME_ADDR_MAILBOX)
			header_put_addr(w, &v[i]);
	json_end_array(w);
}

static void
begin_group(struct json_writer *w, const struct mime_addr *group)
{
	json_begin_object(w);
	json_key(w, "name");
	if (group != NULL)
		put_words(w, group->local, !group->quoted);
	else
		json_null(w);
	json_key(w, "addresses");
	json_begin_array(w);
}

static void
end_group(struct json_writer *w, bool *open)
{
	if (*open) {
		json_end_array(w);
		json_end_object(w);
	}
	*open = false;
}

static void
put_grouped(struct json_writer *w, struct arena *a, struct span value)
{
	struct mime_addr *v = NULL;
	size_t n = mime_addresses(a, value, &v);
	bool open = false;

	json_begin_array(w);
	for (size_t i = 0; i < n; i++) {
		if (v[i].kind == MIME_ADDR_GROUP_END) {
			end_group(w, &open);
			continue;
		}
		if (v[i].kind == MIME_ADDR_GROUP)
			end_group(w, &open);
		if (!open)
			begin_group(w, v[i].kind == MIME_ADDR_GROUP ? &v[i] : NULL);
		open = true;
		if (v[i].kind == MIME_ADDR_MAILBOX)
			header_put_addr(w, &v[i]);
	}
	end_group(w, &open);
	json_end_array(w);
}

/* Comments and blanks at the front of s taken off. */
static struct span
skip_comments(struct span s)
{
	size_t depth = 0, i;

	for (i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (c == '\\' && depth > 0)
			i++;
		else if (depth == 0 && c != ' ' && c != '\t')
			break;
	}
	return span_sub(s, i, s.len);
}

/* What stands between "<", at the start of *s, and ">", without blanks and comments; p NULL: there is
 * no end.  quotes: a quoted string may hold anything, and comments may stand inside. */
static struct span
take_angle(struct arena *a, struct span *s, bool quotes)
{
	char *to = arena_alloc(a, s->len + 1);
	size_t n = 0, depth = 0, i;
	bool quoted = false;

	for (i = 1; i < s->len; i++) {
		char c = s->p[i];

		if (quotes && c == '\\' && (quoted || depth > 0) && i + 1 < s->len) {
			if (depth == 0)
				to[n++] = c;
			c = s->p[++i];
		} else if (quotes && c == '"' && depth == 0)
			quoted = !quoted;
		else if (quotes && !quoted && c == '(') {
			depth++;
			continue;
		} else if (quotes && !quoted && c == ')' && depth > 0) {
			depth--;
			continue;
		} else if (!quoted && depth == 0 && (c == '>' || (quotes && c == '<')))
			break;
		else if (!quoted && (c == ' ' || c == '\t'))
			continue;
		if (depth == 0)
			to[n++] = c;
	}
	if (i >= s->len || s->p[i] != '>') {
		*s = span_sub(*s, 1, s->len);
		return SPAN_NONE;
	}
	*s = span_sub(*s, i + 1, s->len);
	return span(to, n);
}

/* Obsolete phrases between ids are passed over; without any id it is no list of them. */
static void
put_ids(struct json_writer *w, struct arena *a, struct span value)
{
	struct span s = mime_unfold_arena(a, value), id;
	size_t n = 0;

	while (s.len > 0) {
		s = skip_comments(s);
		if (s.len == 0)
			break;
		if (s.p[0] != '<') {
			s = span_sub(s, 1, s.len);
			continue;
		}
		id = take_angle(a, &s, true);
		if (id.len == 0)
			continue;
		if (n++ == 0)
			json_begin_array(w);
		put_words(w, id, false);
	}
	if (n == 0)
		json_null(w);
	else
		json_end_array(w);
}

/* RFC 2369 2: URLs in angle brackets, commas and comments between them; what follows something
 * else is not read, and nothing else but it is no list. */
static void
put_urls(struct json_writer *w, struct arena *a, struct span value)
{
	struct span s = skip_comments(mime_unfold_arena(a, value)), url;
	size_t n = 0;

	while (s.len > 0 && s.p[0] == '<') {
		url = take_angle(a, &s, false);
		if (url.p == NULL)
			break;
		if (n++ == 0)
			json_begin_array(w);
		put_words(w, url, false);
		s = skip_comments(s);
		while (s.len > 0 && s.p[0] == ',')
			s = skip_comments(span_sub(s, 1, s.len));
	}
	if (n == 0)
		json_null(w);
	else
		json_end_array(w);
}

void
header_put_date(struct json_writer *w, int64_t sec, int zone_min)
{
	int64_t local = sec + (int64_t)zone_min * 60, days = local / 86400, rest = local % 86400, y;
	unsigned m, d, zone = (unsigned)(zone_min < 0 ? -zone_min : zone_min);
	struct buf out = { 0 };

	if (rest < 0) {
		rest += 86400;
		days--;
	}
	mime_civil(days, &y, &m, &d);
	if (y < 0 || y > 9999 || zone >= 24 * 60) {
		json_null(w);
		return;
	}
	buf_addf(&out, "%04d-%02u-%02uT%02u:%02u:%02u", (int)y, m, d, (unsigned)(rest / 3600),
	    (unsigned)(rest / 60 % 60), (unsigned)(rest % 60));
	if (zone_min == 0)
		buf_add_c(&out, 'Z');
	else
		buf_addf(&out, "%c%02u:%02u", zone_min < 0 ? '-' : '+', zone / 60, zone % 60);
	json_string(w, buf_span(&out));
	buf_fini(&out);
}

static void
put_date(struct json_writer *w, struct span value)
{
	int64_t sec;
	int zone;

	if (mime_date_parse(value, &sec, &zone))
		header_put_date(w, sec, zone);
	else
		json_null(w);
}

void
header_put(struct json_writer *w, struct arena *a, enum header_form form, struct span value)
{
	switch (form) {
	case HEADER_TEXT:
		put_words(w, value, true);
		break;
	case HEADER_ADDRESSES:
		put_addresses(w, a, value);
		break;
	case HEADER_GROUPED:
		put_grouped(w, a, value);
		break;
	case HEADER_IDS:
		put_ids(w, a, value);
		break;
	case HEADER_DATE:
		put_date(w, value);
		break;
	case HEADER_URLS:
		put_urls(w, a, value);
		break;
	default:
		put_raw(w, value);
		break;
	}
}

void
header_put_property(struct json_writer *w, struct arena *a, const struct header_property *p,
    struct span block)
{
	struct mime_field f;
	struct span last = SPAN_NONE;

	if (p->all)
		json_begin_array(w);
	while (mime_field_next(&block, &f)) {
		if (!span_caseeq(f.name, p->name))
			continue;
		if (p->all)
			header_put(w, a, p->form, f.value);
		last = span(f.value.p, f.value.len);
	}
	if (p->all)
		json_end_array(w);
	else if (last.p != NULL)
		header_put(w, a, p->form, last);
	else
		json_null(w);
}

void
header_put_all(struct json_writer *w, struct arena *a, struct span block)
{
	struct mime_field f;

	json_begin_array(w);
	while (mime_field_next(&block, &f)) {
		json_begin_object(w);
		json_kv_string(w, "name", f.name);
		json_key(w, "value");
		put_raw(w, f.value);
		json_end_object(w);
	}
	json_end_array(w);
}
