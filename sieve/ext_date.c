/* date (RFC 5260 4, 5): parts of a date in a header field, or of the time at which the script runs. */
#include <stdio.h>
#include <string.h>

#include "common/mime/date.h"
#include "common/mime/write.h"
#include "sieve/ext.h"
#include "sieve/extensions.h"

static const struct sieve_tag tags[3];

/* A moment in a zone, taken apart. */
struct moment {
	int64_t		sec;		/* since 1970, UTC */
	int		zone;		/* minutes east */
	int64_t		days;		/* since 1970, in the zone */
	int64_t		year;
	unsigned	month, day, hour, minute, second;
};

static void
take_apart(struct moment *t, int64_t sec, int zone)
{
	int64_t local = sec + (int64_t)zone * 60;
	unsigned rest;

	t->sec = sec;
	t->zone = zone;
	t->days = local / 86400 - (local % 86400 < 0);
	rest = (unsigned)(local - t->days * 86400);
	mime_civil(t->days, &t->year, &t->month, &t->day);
	t->hour = rest / 3600;
	t->minute = rest / 60 % 60;
	t->second = rest % 60;
}

/* --- parts ----------------------------------------------------------------------------------- */

static const char *const parts[] = { "year", "month", "day", "date", "julian", "hour", "minute",
    "second", "time", "iso8601", "std11", "zone", "weekday", NULL };
enum part { YEAR, MONTH, DAY, DATE, JULIAN, HOUR, MINUTE, SECOND, TIME, ISO8601, STD11, ZONE,
    WEEKDAY, NO_PART };

static enum part
part_of(struct span name)
{
	unsigned i = 0;

	while (parts[i] != NULL && !span_caseeq_str(name, parts[i]))
		i++;
	return (enum part)i;
}

static void
put_zone(struct buf *out, int zone, const char *between)
{
	int abs = zone < 0 ? -zone : zone;

	buf_addf(out, "%c%02d%s%02d", zone < 0 ? '-' : '+', abs / 60, between, abs % 60);
}

static void
put_iso8601(struct buf *out, const struct moment *t)
{
	buf_addf(out, "%04d-%02u-%02uT%02u:%02u:%02u", (int)t->year, t->month, t->day, t->hour,
	    t->minute, t->second);
	if (t->zone == 0)
		buf_add_c(out, 'Z');
	else
		put_zone(out, t->zone, ":");
}

static void
put_part(struct buf *out, enum part part, const struct moment *t)
{
	switch (part) {
	case YEAR: buf_addf(out, "%04d", (int)t->year); break;
	case MONTH: buf_addf(out, "%02u", t->month); break;
	case DAY: buf_addf(out, "%02u", t->day); break;
	case DATE: buf_addf(out, "%04d-%02u-%02u", (int)t->year, t->month, t->day); break;
	/* Days since 1858-11-17; of the date in the zone, as the other parts. */
	case JULIAN: buf_addf(out, "%lld", (long long)t->days + 40587); break;
	case HOUR: buf_addf(out, "%02u", t->hour); break;
	case MINUTE: buf_addf(out, "%02u", t->minute); break;
	case SECOND: buf_addf(out, "%02u", t->second); break;
	case TIME: buf_addf(out, "%02u:%02u:%02u", t->hour, t->minute, t->second); break;
	case ISO8601: put_iso8601(out, t); break;
	case STD11: mime_date_put(out, t->sec, t->zone); break;
	case ZONE: put_zone(out, t->zone, ""); break;
	/* 1970-01-01 was a Thursday. */
	case WEEKDAY: buf_addf(out, "%d", (int)(((t->days + 4) % 7 + 7) % 7)); break;
	case NO_PART: break;
	}
}

/* --- arguments ------------------------------------------------------------------------------- */

static bool
read_zone(struct span s, int *minutes)
{
	uint32_t v;

	if (s.len != 5 || (s.p[0] != '+' && s.p[0] != '-') || !span_u32(span_sub(s, 1, 4), &v) ||
	    v / 100 > 23 || v % 100 > 59)
		return false;
	*minutes = (int)(v / 100 * 60 + v % 100) * (s.p[0] == '-' ? -1 : 1);
	return true;
}

static void
check_zone(struct sieve_compile *c, struct sieve_node *n, struct sieve_tagged *t)
{
	const struct sieve_string *s = &t->value.s.v[0];
	int zone;

	(void)n;
	if (sieve_constant(s) && !read_zone(s->text, &zone))
		sieve_error_at(c, s->line, s->column, "\"%.*s\" is no time zone: expected one "
		    "like \"+0100\" or \"-0500\"", (int)(s->text.len < 32 ? s->text.len : 32),
		    s->text.p);
}

static void
check_part(struct sieve_compile *c, const struct sieve_string *s)
{
	const char *near;

	if (!sieve_constant(s) || part_of(s->text) != NO_PART)
		return;
	near = sieve_nearest(s->text, parts);
	sieve_error_at(c, s->line, s->column, "\"%.*s\" is no part of a date: %s \"%s\"%s",
	    (int)(s->text.len < 32 ? s->text.len : 32), s->text.p,
	    near != NULL ? "did you mean" : "expected one like", near != NULL ? near : "date",
	    near != NULL ? "?" : ", \"time\" or \"weekday\"");
}

static void
check_date(struct sieve_compile *c, struct sieve_node *n)
{
	sieve_c_field_name(c, &n->args[0].s.v[0]);
	check_part(c, &n->args[1].s.v[0]);
}

static void
check_currentdate(struct sieve_compile *c, struct sieve_node *n)
{
	check_part(c, &n->args[0].s.v[0]);
}

/* The zone that :zone names, else the local one. */
static enum sieve_step
the_zone(struct sieve_run *r, const struct sieve_node *n, int *zone)
{
	const struct sieve_tagged *t = sieve_tag(n, &tags[0]);
	struct span s;

	*zone = sieve_env(r)->zone_min;
	if (t == NULL)
		return SIEVE_NEXT;
	s = sieve_string(r, &t->value.s.v[0]);
	if (!read_zone(s, zone))
		return sieve_fail(r, n, "\"%.*s\" is no time zone",
		    (int)(s.len < 32 ? s.len : 32), s.p);
	return SIEVE_NEXT;
}

static enum sieve_step
match_part(struct sieve_matching *m, const struct sieve_string *name, const struct moment *t)
{
	struct span s = sieve_string(m->run, name);
	enum part part = part_of(s);
	struct buf b = { 0 };
	struct span value;

	if (part == NO_PART)
		return sieve_fail(m->run, m->node, "\"%.*s\" is no part of a date",
		    (int)(s.len < 32 ? s.len : 32), s.p);
	put_part(&b, part, t);
	value = sieve_span(m->run, buf_span(&b));
	buf_fini(&b);
	return sieve_matching_value(m, value);
}

/* --- tests ----------------------------------------------------------------------------------- */

/* 29 February of other years reads as 1 March; it is no date (RFC 5260 4). */
static bool
is_no_leap_day(struct span text, const struct moment *t)
{
	if (t->month != 3 || t->day != 1)
		return false;
	for (size_t i = 0; i + 3 <= text.len; i++)
		if (span_caseeq_str(span(text.p + i, 3), "feb"))
			return true;
	return false;
}

/* The date that the field is, or that stands behind its last ";". */
static bool
read_date(struct span text, struct moment *t)
{
	int64_t sec;
	int zone;

	for (size_t i = text.len; i > 0; i--) {
		if (text.p[i - 1] == ';') {
			text = span_sub(text, i, text.len - i);
			break;
		}
	}
	if (!mime_date_parse(text, &sec, &zone))
		return false;
	take_apart(t, sec, zone);
	return !is_no_leap_day(text, t);
}

static enum sieve_step
date(struct sieve_run *r, const struct sieve_node *n, bool *yes)
{
	struct sieve_matching m;
	struct sieve_values v;
	struct sieve_found f;
	struct moment t;
	int zone = 0;
	enum sieve_step step = sieve_matching_begin(r, n, &m);

	if (step == SIEVE_NEXT)
		step = sieve_values_begin(r, n, &n->args[0].s, &v);
	if (step == SIEVE_NEXT)
		step = the_zone(r, n, &zone);
	if (step == SIEVE_NEXT && sieve_values_next(&v, &f) &&
	    read_date(sieve_field_text(f.header, f.field), &t)) {
		if (sieve_tag(n, &tags[1]) == NULL)
			take_apart(&t, t.sec, zone);
		step = match_part(&m, &n->args[1].s.v[0], &t);
	}
	return sieve_matching_end(&m, step, yes);
}

static enum sieve_step
currentdate(struct sieve_run *r, const struct sieve_node *n, bool *yes)
{
	struct sieve_matching m;
	struct moment t;
	int zone = 0;
	enum sieve_step step = sieve_matching_begin(r, n, &m);

	if (step == SIEVE_NEXT)
		step = the_zone(r, n, &zone);
	if (step == SIEVE_NEXT) {
		take_apart(&t, sieve_env(r)->now, zone);
		step = match_part(&m, &n->args[0].s.v[0], &t);
	}
	return sieve_matching_end(&m, step, yes);
}

static const struct sieve_tag tags[3] = {
	{ .name = "zone", .on = "date currentdate", .value = 's', .group = 1, .check = check_zone },
	{ .name = "originalzone", .on = "date", .group = 1 },
	{ 0 }
};

static const struct sieve_word words[] = {
	{ .kind = SIEVE_TEST, .name = "date", .args = "ssS",
	    .flags = SIEVE_WORD_MATCH | SIEVE_WORD_FIELDS, .check = check_date, .test = date },
	{ .kind = SIEVE_TEST, .name = "currentdate", .args = "sS", .flags = SIEVE_WORD_MATCH,
	    .check = check_currentdate, .test = currentdate },
	{ 0 }
};

const struct sieve_ext sieve_ext_date = {
	.name = "date", .words = words, .tags = tags
};
