/* redirect-dsn, redirect-deliverby, envelope-dsn and envelope-deliverby (RFC 6009): the parameters of
 * RFC 3461 and RFC 2852, of what is sent on and of what has come. */
#include <string.h>

#include "common/mime/date.h"
#include "sieve/ext.h"
#include "sieve/extensions.h"

/* --- redirect-dsn ----------------------------------------------------------------------------- */

static bool
is_word(struct span s, const char *const *words)
{
	for (size_t i = 0; words[i] != NULL; i++)
		if (span_caseeq_str(s, words[i]))
			return true;
	return false;
}

/* RFC 3461 4.1: NEVER, or a list of the others. */
static bool
is_notify(struct span s)
{
	static const char *const words[] = { "success", "failure", "delay", NULL };

	if (span_caseeq_str(s, "never"))
		return true;
	if (s.len == 0 || s.p[s.len - 1] == ',')
		return false;
	while (s.len > 0)
		if (!is_word(span_cut(&s, ','), words))
			return false;
	return true;
}

static bool
is_ret(struct span s)
{
	static const char *const words[] = { "full", "hdrs", NULL };

	return is_word(s, words);
}

static bool
is_mode(struct span s)
{
	static const char *const words[] = { "notify", "return", NULL };

	return is_word(s, words);
}

static void
check_value(struct sieve_compile *c, const struct sieve_tagged *t, bool (*good)(struct span),
    const char *expected)
{
	const struct sieve_string *s = &t->value.s.v[0];

	if (sieve_constant(s) && !good(s->text))
		sieve_error_at(c, s->line, s->column, "\"%.*s\" is no value of ':%s': expected %s",
		    (int)(s->text.len < 64 ? s->text.len : 64), s->text.p, t->tag->name, expected);
}

static void
check_notify(struct sieve_compile *c, struct sieve_node *n, struct sieve_tagged *t)
{
	(void)n;
	check_value(c, t, is_notify, "\"NEVER\" or a list of \"SUCCESS\", \"FAILURE\", \"DELAY\"");
}

static void
check_ret(struct sieve_compile *c, struct sieve_node *n, struct sieve_tagged *t)
{
	(void)n;
	check_value(c, t, is_ret, "\"FULL\" or \"HDRS\"");
}

static struct span
upper(struct sieve_run *r, struct span s)
{
	char *p = sieve_alloc(r, s.len + 1);

	for (size_t i = 0; i < s.len; i++)
		p[i] = ascii_upper(s.p[i]);
	return span(p, s.len);
}

static enum sieve_step
act_dsn(struct sieve_run *r, const struct sieve_node *n, const struct sieve_tagged *t,
    struct sieve_action *a)
{
	struct span s = sieve_string(r, &t->value.s.v[0]);
	bool notify = t->tag->name[0] == 'n';

	if (!(notify ? is_notify : is_ret)(s))
		return sieve_fail(r, n, "\"%.*s\" is no value of ':%s'",
		    (int)(s.len < 64 ? s.len : 64), s.p, t->tag->name);
	if (notify)
		a->redirect.notify = upper(r, s);
	else
		a->redirect.ret = upper(r, s);
	return SIEVE_NEXT;
}

static const struct sieve_tag dsn_tags[] = {
	{ .name = "notify", .on = "redirect", .value = 's', .check = check_notify, .act = act_dsn },
	{ .name = "ret", .on = "redirect", .value = 's', .check = check_ret, .act = act_dsn },
	{ 0 }
};

const struct sieve_ext sieve_ext_redirect_dsn = {
	.name = "redirect-dsn", .needs = SIEVE_OFFER_OUTGOING, .tags = dsn_tags
};

/* --- redirect-deliverby ----------------------------------------------------------------------- */

enum { RELATIVE, ABSOLUTE, MODE, TRACE };

static bool
digits(struct span s, size_t from, size_t n, int *v)
{
	*v = 0;
	for (size_t i = from; i < from + n; i++) {
		if (i >= s.len || !ascii_isdigit((unsigned char)s.p[i]))
			return false;
		*v = *v * 10 + (s.p[i] - '0');
	}
	return true;
}

/* RFC 3339 5.6, with capital "T" and "Z"; the zone also without its colon, as ${zone} has it. */
static bool
read_time(struct span s, int64_t *sec)
{
	int y, m, d, hh, mm, ss, zh = 0, zm = 0;
	size_t at = 19;

	if (!digits(s, 0, 4, &y) || !digits(s, 5, 2, &m) || !digits(s, 8, 2, &d) ||
	    !digits(s, 11, 2, &hh) || !digits(s, 14, 2, &mm) || !digits(s, 17, 2, &ss) ||
	    s.p[4] != '-' || s.p[7] != '-' || s.p[10] != 'T' || s.p[13] != ':' || s.p[16] != ':' ||
	    y < 1 || m < 1 || m > 12 || d < 1 || d > 31 || hh > 23 || mm > 59 || ss > 60)
		return false;
	*sec = mime_days(y, m, d) * 86400 + hh * 3600 + mm * 60 + ss;
	if (at < s.len && s.p[at] == '.')
		for (at++; at < s.len && ascii_isdigit((unsigned char)s.p[at]); at++)
			;
	if (at + 1 == s.len && s.p[at] == 'Z')
		return true;
	if (at >= s.len || (s.p[at] != '+' && s.p[at] != '-') || !digits(s, at + 1, 2, &zh))
		return false;
	if (at + 3 < s.len && s.p[at + 3] == ':' ? !digits(s, at + 4, 2, &zm) || s.len != at + 6 :
	    !digits(s, at + 3, 2, &zm) || s.len != at + 5)
		return false;
	if (zh > 23 || zm > 59)
		return false;
	*sec -= (s.p[at] == '-' ? -1 : 1) * (zh * 3600 + zm * 60);
	return true;
}

static bool
is_time(struct span s)
{
	int64_t sec;

	return read_time(s, &sec);
}

static void
check_absolute(struct sieve_compile *c, struct sieve_node *n, struct sieve_tagged *t)
{
	(void)n;
	check_value(c, t, is_time, "a time like \"2026-01-31T10:00:00Z\"");
}

static bool limited(const struct sieve_node *n);

static void
check_limited(struct sieve_compile *c, struct sieve_node *n, struct sieve_tagged *t)
{
	if (!limited(n))
		sieve_error_at(c, t->line, t->column, "':%s' can only stand beside "
		    "':bytimerelative' or ':bytimeabsolute'", t->tag->name);
}

static void
check_mode(struct sieve_compile *c, struct sieve_node *n, struct sieve_tagged *t)
{
	check_limited(c, n, t);
	check_value(c, t, is_mode, "\"notify\" or \"return\"");
}

static enum sieve_step
act_relative(struct sieve_run *r, const struct sieve_node *n, const struct sieve_tagged *t,
    struct sieve_action *a)
{
	(void)n;
	a->redirect.by_time = sieve_env(r)->now + (int64_t)t->value.number;
	if (a->redirect.by_mode.p == NULL)
		a->redirect.by_mode = SPAN_LIT("return");
	return SIEVE_NEXT;
}

static enum sieve_step
act_absolute(struct sieve_run *r, const struct sieve_node *n, const struct sieve_tagged *t,
    struct sieve_action *a)
{
	struct span s = sieve_string(r, &t->value.s.v[0]);

	if (!read_time(s, &a->redirect.by_time))
		return sieve_fail(r, n, "\"%.*s\" is no time", (int)(s.len < 64 ? s.len : 64), s.p);
	if (a->redirect.by_mode.p == NULL)
		a->redirect.by_mode = SPAN_LIT("return");
	return SIEVE_NEXT;
}

static enum sieve_step
act_mode(struct sieve_run *r, const struct sieve_node *n, const struct sieve_tagged *t,
    struct sieve_action *a)
{
	struct span s = sieve_string(r, &t->value.s.v[0]);

	if (!is_mode(s))
		return sieve_fail(r, n, "\"%.*s\" is no value of ':bymode'",
		    (int)(s.len < 64 ? s.len : 64), s.p);
	a->redirect.by_mode = ascii_lower(s.p[0]) == 'n' ? SPAN_LIT("notify") : SPAN_LIT("return");
	return SIEVE_NEXT;
}

static enum sieve_step
act_trace(struct sieve_run *r, const struct sieve_node *n, const struct sieve_tagged *t,
    struct sieve_action *a)
{
	(void)r;
	(void)n;
	(void)t;
	a->redirect.by_trace = true;
	return SIEVE_NEXT;
}

static const struct sieve_tag by_tags[] = {
	[RELATIVE] = { .name = "bytimerelative", .on = "redirect", .value = 'n', .group = 1,
	    .act = act_relative },
	[ABSOLUTE] = { .name = "bytimeabsolute", .on = "redirect", .value = 's', .group = 1,
	    .check = check_absolute, .act = act_absolute },
	[MODE] = { .name = "bymode", .on = "redirect", .value = 's', .check = check_mode,
	    .act = act_mode },
	[TRACE] = { .name = "bytrace", .on = "redirect", .check = check_limited, .act = act_trace },
	{ 0 }
};

static bool
limited(const struct sieve_node *n)
{
	return sieve_tag(n, &by_tags[RELATIVE]) != NULL || sieve_tag(n, &by_tags[ABSOLUTE]) != NULL;
}

const struct sieve_ext sieve_ext_redirect_deliverby = {
	.name = "redirect-deliverby", .needs = SIEVE_OFFER_OUTGOING, .tags = by_tags
};

/* --- envelope-dsn ----------------------------------------------------------------------------- */

/* Each condition is a value of its own (RFC 6009 4). */
static size_t
get_notify(struct sieve_run *r, const struct sieve_node *n, struct span *v, size_t max)
{
	struct span rest = sieve_env(r)->envelope.notify;
	size_t count = 0;

	(void)n;
	while (rest.len > 0 && count < max)
		v[count++] = span_cut(&rest, ',');
	return count;
}

static size_t
one(struct span s, struct span *v)
{
	*v = s;
	return s.p != NULL ? 1 : 0;
}

static size_t
get_orcpt(struct sieve_run *r, const struct sieve_node *n, struct span *v, size_t max)
{
	(void)n;
	(void)max;
	return one(sieve_env(r)->envelope.orcpt, v);
}

static size_t
get_ret(struct sieve_run *r, const struct sieve_node *n, struct span *v, size_t max)
{
	(void)n;
	(void)max;
	return one(sieve_env(r)->envelope.ret, v);
}

static size_t
get_envid(struct sieve_run *r, const struct sieve_node *n, struct span *v, size_t max)
{
	(void)n;
	(void)max;
	return one(sieve_env(r)->envelope.envid, v);
}

static const struct sieve_envelope_part dsn_parts[] = {
	{ .name = "notify", .values = get_notify },
	{ .name = "orcpt", .values = get_orcpt },
	{ .name = "ret", .values = get_ret },
	{ .name = "envid", .values = get_envid },
	{ 0 }
};

const struct sieve_ext sieve_ext_envelope_dsn = {
	.name = "envelope-dsn", .needs = SIEVE_OFFER_ENVELOPE | SIEVE_OFFER_DSN,
	.envelope_parts = dsn_parts
};

/* --- envelope-deliverby ----------------------------------------------------------------------- */

static bool
is_zone(struct span s)
{
	int v;

	return s.len == 5 && (s.p[0] == '+' || s.p[0] == '-') && digits(s, 1, 4, &v) &&
	    v % 100 < 60 && v / 100 < 24;
}

static void
check_zone(struct sieve_compile *c, struct sieve_node *n, struct sieve_tagged *t)
{
	(void)n;
	check_value(c, t, is_zone, "a zone like \"+0100\"");
}

static const struct sieve_tag zone_tags[] = {
	{ .name = "zone", .on = "envelope", .value = 's', .check = check_zone },
	{ 0 }
};

static int
zone_of(struct sieve_run *r, const struct sieve_node *n)
{
	const struct sieve_tagged *t = sieve_tag(n, &zone_tags[0]);
	struct span s = t != NULL ? sieve_string(r, &t->value.s.v[0]) : SPAN_NONE;
	int v;

	if (!is_zone(s) || !digits(s, 1, 4, &v))
		return sieve_env(r)->zone_min;
	v = v / 100 * 60 + v % 100;
	return s.p[0] == '-' ? -v : v;
}

/* "120;RT": p NULL when there was no BY. */
static struct span
by_flags(struct sieve_run *r)
{
	struct span by = sieve_env(r)->envelope.by;

	if (by.p == NULL)
		return by;
	span_cut(&by, ';');
	return by.p != NULL ? by : span("", 0);
}

static size_t
get_absolute(struct sieve_run *r, const struct sieve_node *n, struct span *v, size_t max)
{
	int zone = zone_of(r, n);
	int64_t at = sieve_env(r)->envelope.by_time + (int64_t)zone * 60, day, rest, y;
	unsigned m, d, z = (unsigned)(zone < 0 ? -zone : zone);
	struct buf b = { 0 };

	(void)max;
	if (sieve_env(r)->envelope.by_time == 0)
		return 0;
	day = at / 86400;
	rest = at % 86400;
	mime_civil(day, &y, &m, &d);
	buf_addf(&b, "%04d-%02u-%02uT%02d:%02d:%02d", (int)y, m, d, (int)(rest / 3600),
	    (int)(rest / 60 % 60), (int)(rest % 60));
	if (zone == 0)
		buf_add_c(&b, 'Z');
	else
		buf_addf(&b, "%c%02u:%02u", zone < 0 ? '-' : '+', z / 60, z % 60);
	*v = sieve_span(r, buf_span(&b));
	buf_fini(&b);
	return 1;
}

static size_t
get_relative(struct sieve_run *r, const struct sieve_node *n, struct span *v, size_t max)
{
	struct buf b = { 0 };

	(void)n;
	(void)max;
	if (sieve_env(r)->envelope.by_time == 0)
		return 0;
	buf_addf(&b, "%lld", (long long)(sieve_env(r)->envelope.by_time - sieve_env(r)->now));
	*v = sieve_span(r, buf_span(&b));
	buf_fini(&b);
	return 1;
}

static size_t
get_mode(struct sieve_run *r, const struct sieve_node *n, struct span *v, size_t max)
{
	struct span flags = by_flags(r);

	(void)n;
	(void)max;
	if (flags.p == NULL)
		return 0;
	*v = flags.len > 0 && ascii_lower(flags.p[0]) == 'n' ? SPAN_LIT("notify") :
	    SPAN_LIT("return");
	return 1;
}

static size_t
get_trace(struct sieve_run *r, const struct sieve_node *n, struct span *v, size_t max)
{
	struct span flags = by_flags(r);

	(void)n;
	(void)max;
	if (flags.p == NULL)
		return 0;
	*v = flags.len > 1 && ascii_lower(flags.p[1]) == 't' ? SPAN_LIT("trace") : span("", 0);
	return 1;
}

static const struct sieve_envelope_part by_parts[] = {
	{ .name = "bytimeabsolute", .values = get_absolute },
	{ .name = "bytimerelative", .values = get_relative },
	{ .name = "bymode", .values = get_mode },
	{ .name = "bytrace", .values = get_trace },
	{ 0 }
};

const struct sieve_ext sieve_ext_envelope_deliverby = {
	.name = "envelope-deliverby", .needs = SIEVE_OFFER_ENVELOPE | SIEVE_OFFER_DSN,
	.tags = zone_tags,
	.envelope_parts = by_parts
};
