#include "ctl/when.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/util/mem.h"

static bool
ago(const char *text, int64_t now_s, int64_t *at_s)
{
	static const struct { const char *name; int64_t s; } units[] = {
		{ "s", 1 }, { "sec", 1 }, { "second", 1 }, { "m", 60 }, { "min", 60 },
		{ "minute", 60 }, { "h", 3600 }, { "hour", 3600 }, { "d", 86400 },
		{ "day", 86400 }, { "w", 7 * 86400 }, { "week", 7 * 86400 },
	};
	char unit[16], rest[8];
	unsigned n;
	int used = 0;

	if (!isdigit((unsigned char)text[0]) ||
	    sscanf(text, "%9u %15[a-z] %7s%n", &n, unit, rest, &used) != 3 ||
	    strcmp(rest, "ago") != 0 || text[used] != '\0')
		return false;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		size_t len = strlen(units[i].name);

		if (strncmp(unit, units[i].name, len) == 0 && (unit[len] == '\0' ||
		    (len > 1 && strcmp(unit + len, "s") == 0))) {
			*at_s = now_s - (int64_t)n * units[i].s;
			return true;
		}
	}
	return false;
}

static bool
unix_seconds(const char *text, int64_t *at_s)
{
	char *end;

	text += text[0] == '@';
	if (strlen(text) < 6 || strlen(text) > 12 || strspn(text, "0123456789") != strlen(text))
		return false;
	*at_s = strtoll(text, &end, 10);
	return true;
}

/* "Z", "+01:00", "+0100"; false: neither. */
static bool
zone(const char *text, int64_t *east_s)
{
	unsigned h, m;
	int used = 0;

	*east_s = 0;
	if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0)
		return true;
	if ((text[0] != '+' && text[0] != '-') ||
	    ((sscanf(text + 1, "%2u:%2u%n", &h, &m, &used) != 2 || text[1 + used] != '\0') &&
	    (sscanf(text + 1, "%2u%2u%n", &h, &m, &used) != 2 || text[1 + used] != '\0')))
		return false;
	*east_s = (text[0] == '-' ? -1 : 1) * (int64_t)(h * 3600 + m * 60);
	return h < 24 && m < 60;
}

static bool
iso(const char *text, int64_t *at_s)
{
	struct tm tm = { .tm_isdst = -1 };
	unsigned y, mo, d, h = 0, mi = 0, s = 0;
	int64_t east;
	int used = 0, more = 0;
	char t;

	if (sscanf(text, "%4u-%2u-%2u%n", &y, &mo, &d, &used) != 3)
		return false;
	text += used;
	if (sscanf(text, "%c%2u:%2u%n", &t, &h, &mi, &more) == 3 && (t == 'T' || t == ' ')) {
		text += more;
		more = 0;
		if (sscanf(text, ":%2u%n", &s, &more) == 1)
			text += more;
	}
	if (y < 1970 || mo < 1 || mo > 12 || d < 1 || d > 31 || h > 23 || mi > 59 || s > 60)
		return false;
	tm.tm_year = (int)y - 1900;
	tm.tm_mon = (int)mo - 1;
	tm.tm_mday = (int)d;
	tm.tm_hour = (int)h;
	tm.tm_min = (int)mi;
	tm.tm_sec = (int)s;
	if (text[0] == '\0') {
		*at_s = mktime(&tm);
		return *at_s != -1;
	}
	if (!zone(text, &east))
		return false;
	*at_s = timegm(&tm) - east;
	return true;
}

bool
ctl_when(const char *text, int64_t now_s, int64_t *at_s)
{
	return unix_seconds(text, at_s) || ago(text, now_s, at_s) || iso(text, at_s);
}
