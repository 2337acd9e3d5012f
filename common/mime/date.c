#include "common/mime/date.h"

#include <string.h>
#include <time.h>

#include "common/util/mem.h"

int64_t
mime_days(int year, int month, int day)
{
	/* March begins the year, so that the leap day is its last. */
	int64_t y = year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400;
	int64_t yoe = y - era * 400, doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

/* Next run of letters or digits, or one sign; comments and the rest are passed over. */
static struct span
next_token(struct span *s)
{
	size_t depth = 0, i, from;

	for (i = 0; i < s->len; i++) {
		unsigned char c = (unsigned char)s->p[i];

		if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (c == '\\' && depth > 0)
			i++;
		else if (depth == 0 && (ascii_isalnum(c) || c == '+' || c == '-' || c == ':'))
			break;
	}
	if (i >= s->len) {
		*s = SPAN_NONE;
		return SPAN_NONE;
	}
	from = i++;
	if (ascii_isdigit((unsigned char)s->p[from]))
		while (i < s->len && ascii_isdigit((unsigned char)s->p[i]))
			i++;
	else if (ascii_isalpha((unsigned char)s->p[from]))
		while (i < s->len && ascii_isalpha((unsigned char)s->p[i]))
			i++;
	struct span t = span(s->p + from, i - from);

	*s = span_sub(*s, i, s->len - i);
	return t;
}

static int
month_of(struct span t)
{
	static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";

	if (t.len < 3)
		return 0;
	for (int i = 0; i < 12; i++)
		if (span_caseeq(span(t.p, 3), span(names + 3 * i, 3)))
			return i + 1;
	return 0;
}

static bool
number(struct span t, uint32_t max, int *v)
{
	uint32_t u;

	if (t.len == 0 || t.len > 5 || !span_u32(t, &u) || u > max)
		return false;
	*v = (int)u;
	return true;
}

static int
zone_name(struct span t)
{
	static const struct { const char *name; int min; } zones[] = {
		{ "est", -300 }, { "edt", -240 }, { "cst", -360 }, { "cdt", -300 },
		{ "mst", -420 }, { "mdt", -360 }, { "pst", -480 }, { "pdt", -420 },
		{ "bst", 60 }, { "cet", 60 }, { "cest", 120 }, { "met", 60 }, { "mest", 120 },
		{ "eet", 120 }, { "eest", 180 }, { "msk", 180 }, { "jst", 540 }
	};

	for (size_t i = 0; i < ARRAY_LEN(zones); i++)
		if (span_caseeq_str(t, zones[i].name))
			return zones[i].min;
	return 0;	/* UT, GMT, Z, military letters and unknown names: RFC 5322 4.3 */
}

static int
zone(struct span *s)
{
	struct span t = next_token(s), digits;
	int v, sign;

	if (t.len == 0)
		return 0;
	if (t.p[0] != '+' && t.p[0] != '-') {
		/* "GMT+0100" */
		struct span rest = *s, sig = next_token(&rest);

		if (!span_caseeq_str(t, "gmt") || sig.len == 0 || (sig.p[0] != '+' && sig.p[0] != '-'))
			return zone_name(t);
		t = next_token(s);
	}
	sign = t.p[0] == '-' ? -1 : 1;
	digits = next_token(s);
	if (digits.len == 2) {
		struct span rest = *s, colon = next_token(&rest), min = next_token(&rest);
		int h, m = 0;

		if (!number(digits, 23, &h))
			return 0;
		if (span_eq_str(colon, ":") && min.len == 2 && !number(min, 59, &m))
			m = 0;
		return sign * (h * 60 + m);
	}
	if (digits.len != 4 || !number(digits, 9959, &v) || v / 100 > 23 || v % 100 > 59)
		return 0;
	return sign * (v / 100 * 60 + v % 100);
}

static bool
time_of_day(struct span *s, int *sec)
{
	int h, m, ss = 0;
	struct span rest;

	if (!number(next_token(s), 24, &h) || !span_eq_str(next_token(s), ":") ||
	    !number(next_token(s), 59, &m))
		return false;
	rest = *s;
	if (span_eq_str(next_token(&rest), ":")) {
		if (!number(next_token(&rest), 60, &ss))
			return false;
		*s = rest;
	}
	*sec = h * 3600 + m * 60 + ss;
	return true;
}

static bool
year_of(struct span t, int *year)
{
	if (!number(t, 9999, year))
		return false;
	if (t.len == 2)		/* RFC 5322 4.3 */
		*year += *year < 50 ? 2000 : 1900;
	else if (t.len == 3)
		*year += 1900;
	return *year >= 1;
}

bool
mime_date_parse(struct span value, int64_t *sec, int *zone_min)
{
	static const int month_days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	struct span t = next_token(&value);
	int day, month, year, tod;
	bool asctime;

	*zone_min = 0;
	if (t.len > 0 && ascii_isalpha((unsigned char)t.p[0]) && month_of(t) == 0)
		t = next_token(&value);		/* the weekday */
	/* "Nov 6 08:49:37 1994" has its month first and its year last */
	asctime = month_of(t) != 0;
	if (asctime) {
		month = month_of(t);
		if (!number(next_token(&value), 31, &day) || !time_of_day(&value, &tod))
			return false;
		struct span rest = value;

		if (!year_of(next_token(&rest), &year)) {	/* a zone before the year */
			*zone_min = zone(&value);
			if (!year_of(next_token(&value), &year))
				return false;
		} else {
			value = rest;
			*zone_min = zone(&value);
		}
	} else {
		if (!number(t, 31, &day))
			return false;
		t = next_token(&value);
		if (span_eq_str(t, "-"))		/* 6-Nov-1994 */
			t = next_token(&value);
		month = month_of(t);
		if (month == 0)
			return false;
		t = next_token(&value);
		if (span_eq_str(t, "-"))
			t = next_token(&value);
		if (!year_of(t, &year) || !time_of_day(&value, &tod))
			return false;
		*zone_min = zone(&value);
	}
	if (day < 1 || day > month_days[month - 1])
		return false;
	*sec = mime_days(year, month, day) * 86400 + tod - (int64_t)*zone_min * 60;
	return true;
}

void
mime_civil(int64_t days, int64_t *y, unsigned *m, unsigned *d)
{
	int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
	uint64_t doe = (uint64_t)(z - era * 146097);
	uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	uint64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;

	*d = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
	*m = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
	*y = (int64_t)yoe + era * 400 + (*m <= 2);
}

int
mime_local_zone(int64_t sec)
{
	time_t t = (time_t)sec;
	struct tm tm;

	return localtime_r(&t, &tm) != NULL ? (int)(tm.tm_gmtoff / 60) : 0;
}
