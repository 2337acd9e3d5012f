#include "jmapd/core/args.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/mail/object_id.h"
#include "common/util/mem.h"
#include "common/util/table.h"

/* The value, NULL when it is missing; remembers that the name is known. */
const struct json *
jmap_arg(struct jmap_call *c, const char *name)
{
	struct jmap_args_seen *s = &c->seen;

	if (s->count < ARRAY_LEN(s->asked))
		s->asked[s->count++] = name;
	return json_member(c->args, name);
}

void
jmap_arg_bad(struct jmap_call *c, const char *name, const char *fmt, ...)
{
	struct jmap_args_seen *s = &c->seen;
	va_list ap;

	if (s->bad)
		return;
	s->bad = true;
	snprintf(s->name, sizeof(s->name), "%s", name);
	va_start(ap, fmt);
	vsnprintf(s->why, sizeof(s->why), fmt, ap);
	va_end(ap);
}

const struct json *
jmap_arg_object(struct jmap_call *c, const char *name)
{
	const struct json *v = jmap_arg(c, name);

	if (v != NULL && !json_is_object(v)) {
		jmap_arg_bad(c, name, "must be an object");
		return NULL;
	}
	return v;
}

const struct json *
jmap_arg_array(struct jmap_call *c, const char *name)
{
	const struct json *v = jmap_arg(c, name);

	if (v != NULL && !json_is_array(v)) {
		jmap_arg_bad(c, name, "must be an array");
		return NULL;
	}
	return v;
}

bool
jmap_arg_bool(struct jmap_call *c, const char *name, bool missing)
{
	const struct json *v = jmap_arg(c, name);

	if (v != NULL && !json_as_bool(v, &missing))
		jmap_arg_bad(c, name, "must be true or false");
	return missing;
}

bool
jmap_json_uint(const struct json *v, uint64_t *n)
{
	int64_t i;

	if (!json_as_whole(v, &i) || i < 0)
		return false;
	*n = (uint64_t)i;
	return true;
}

bool
jmap_json_int(const struct json *v, int64_t *n)
{
	return json_as_whole(v, n);
}

uint64_t
jmap_arg_uint(struct jmap_call *c, const char *name, uint64_t missing)
{
	const struct json *v = jmap_arg(c, name);

	if (v != NULL && !jmap_json_uint(v, &missing))
		jmap_arg_bad(c, name, "must be a whole number from 0 to 2^53-1");
	return missing;
}

int64_t
jmap_arg_int(struct jmap_call *c, const char *name, int64_t missing)
{
	const struct json *v = jmap_arg(c, name);

	if (v != NULL && !jmap_json_int(v, &missing))
		jmap_arg_bad(c, name, "must be a whole number from -2^53+1 to 2^53-1");
	return missing;
}

struct span
jmap_arg_string(struct jmap_call *c, const char *name)
{
	const struct json *v = jmap_arg(c, name);
	struct span s = SPAN_NONE;

	if (v != NULL && !json_as_string(v, &s))
		jmap_arg_bad(c, name, "must be a string");
	return s;
}

struct span
jmap_arg_id(struct jmap_call *c, const char *name)
{
	struct span s = jmap_arg_string(c, name);

	if (s.p == NULL)
		return s;
	s = jmap_call_resolve(c, s);
	if (!jmap_id_syntax(s)) {
		jmap_arg_bad(c, name, "must be an id");
		return SPAN_NONE;
	}
	return s;
}

bool
jmap_ids_once(struct jmap_call *c, const char *name, const struct json *list, struct span *ids,
    size_t *count)
{
	struct table seen = { 0 };
	struct span id, real;
	bool ok = true;

	*count = 0;
	for (size_t i = 0; ok && i < json_count(list); i++) {
		ok = json_as_string(json_item(list, i), &id);
		if (!ok)
			break;
		real = jmap_call_resolve(c, id);
		if (real.p != NULL)
			id = real;
		if (table_put(&seen, id, ids) == NULL)
			ids[(*count)++] = id;
	}
	table_fini(&seen, NULL, NULL);
	if (!ok)
		jmap_arg_bad(c, name, "must be an array of ids");
	return ok;
}

static bool
was_asked(const struct jmap_args_seen *s, struct span name)
{
	for (unsigned i = 0; i < s->count; i++)
		if (span_eq_str(name, s->asked[i]))
			return true;
	return false;
}

bool
jmap_args_end(struct jmap_call *c)
{
	const struct json *v;
	struct span name;
	void *pos = NULL;

	while (!c->seen.bad && json_next(c->args, &pos, &name, &v)) {
		if (!was_asked(&c->seen, name)) {
			char text[64];

			snprintf(text, sizeof(text), "%.*s", (int)(name.len < 60 ? name.len : 60),
			    name.p);
			jmap_arg_bad(c, text, "this method has no such argument");
		}
	}
	if (c->seen.bad) {
		jmap_call_error(c, "invalidArguments", "%s: %s", c->seen.name, c->seen.why);
		return false;
	}
	return true;
}

bool
jmap_id_syntax(struct span text)
{
	return object_id_syntax(text);
}

/* ---- dates ---- */

static bool
digits(struct span *s, size_t n, int *v)
{
	uint32_t u;

	if (s->len < n || !span_u32(span_sub(*s, 0, n), &u))
		return false;
	*s = span_sub(*s, n, s->len);
	*v = (int)u;
	return true;
}

static bool
letter(struct span *s, char c)
{
	if (s->len == 0 || s->p[0] != c)
		return false;
	*s = span_sub(*s, 1, s->len);
	return true;
}

/* Days since 1970-01-01 of the proleptic Gregorian calendar, whose years begin in March here so
 * that the leap day is the last one. */
static int64_t
days_from(int year, int month, int day)
{
	int64_t y = month > 2 ? year : year - 1, m = (month + 9) % 12;

	return 365 * y + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

static int
days_in(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && year % 4 == 0 && (year % 100 != 0 ||
	    year % 400 == 0));
}

static bool
fraction(struct span *s, int *ms)
{
	int unit = 100;

	*ms = 0;
	if (!letter(s, '.'))
		return true;
	if (s->len == 0 || !ascii_isdigit(s->p[0]))
		return false;
	while (s->len > 0 && ascii_isdigit(s->p[0])) {
		*ms += unit * (s->p[0] - '0');
		unit /= 10;
		*s = span_sub(*s, 1, s->len);
	}
	return true;
}

bool
jmap_date_parse(struct span s, int64_t *ms)
{
	int y, mo, d, h, mi, sec, frac;

	if (!digits(&s, 4, &y) || !letter(&s, '-') || !digits(&s, 2, &mo) || !letter(&s, '-') ||
	    !digits(&s, 2, &d) || !letter(&s, 'T') || !digits(&s, 2, &h) || !letter(&s, ':') ||
	    !digits(&s, 2, &mi) || !letter(&s, ':') || !digits(&s, 2, &sec) ||
	    !fraction(&s, &frac) || !letter(&s, 'Z') || s.len > 0)
		return false;
	if (mo < 1 || mo > 12 || d < 1 || d > days_in(y, mo) || h > 23 || mi > 59 || sec > 60)
		return false;
	*ms = ((days_from(y, mo, d) * 24 + h) * 60 + mi) * 60000 + sec * 1000 + frac;
	return true;
}

void
jmap_date_put(struct json_writer *w, int64_t ms)
{
	int64_t day = ms / 86400000, in_day = ms % 86400000, era, of_era, of_year, year, m;
	char text[64];
	int n;

	if (in_day < 0) {
		in_day += 86400000;
		day--;
	}
	day += 719468;
	era = (day >= 0 ? day : day - 146096) / 146097;
	of_era = day - era * 146097;
	year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	of_year = of_era - (365 * year + year / 4 - year / 100);
	m = (5 * of_year + 2) / 153;
	year += era * 400 + (m >= 10);
	n = snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d", (int)year,
	    (int)(m < 10 ? m + 3 : m - 9), (int)(of_year - (153 * m + 2) / 5 + 1),
	    (int)(in_day / 3600000), (int)(in_day / 60000 % 60), (int)(in_day / 1000 % 60));
	if (in_day % 1000 != 0)
		n += snprintf(text + n, sizeof(text) - (size_t)n, ".%03d", (int)(in_day % 1000));
	text[n++] = 'Z';
	json_string(w, span(text, (size_t)n));
}
