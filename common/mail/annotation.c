#include "common/mail/annotation.h"

static bool
valid(struct span entry, bool pattern)
{
	if (entry.len == 0 || (entry.p[0] != '/' && !pattern) || entry.p[entry.len - 1] == '/')
		return false;
	for (size_t i = 0; i < entry.len; i++) {
		unsigned char c = (unsigned char)entry.p[i];

		if (c == 0 || c >= 0x80 || (c == '/' && i > 0 && entry.p[i - 1] == '/') ||
		    (!pattern && (c == '*' || c == '%')))
			return false;
	}
	return true;
}

bool
annotation_entry_valid(struct span entry)
{
	return valid(entry, false);
}

bool
annotation_pattern_valid(struct span pattern)
{
	return valid(pattern, true) && (pattern.p[0] == '/' || pattern.p[0] == '*' ||
	    pattern.p[0] == '%');
}

bool
annotation_is_pattern(struct span entry)
{
	return span_find(entry, '*') < entry.len || span_find(entry, '%') < entry.len;
}

/* The first part of a name, its "/" left out; *rest begins with the next "/". */
static struct span
first_part(struct span entry, struct span *rest)
{
	struct span name = span_sub(entry, 1, entry.len);
	size_t end = span_find(name, '/');

	*rest = span_sub(name, end, name.len);
	return span_sub(name, 0, end);
}

enum annotation_of
annotation_of(struct span entry, uint32_t *parts, size_t *n)
{
	struct span rest, part = first_part(entry, &rest);

	*n = 0;
	if (part.len == 0 || !ascii_isdigit((unsigned char)part.p[0]))
		return ANNOTATION_MESSAGE;
	for (;;) {
		size_t dot = span_find(part, '.');
		struct span number = span_sub(part, 0, dot);

		if (*n == ANNOTATION_PART_DEPTH_MAX || number.len == 0 || number.p[0] == '0' ||
		    !span_u32(number, &parts[*n]))
			return ANNOTATION_PART_BAD;
		++*n;
		if (dot == part.len)
			return ANNOTATION_PART;
		part = span_sub(part, dot + 1, part.len);
	}
}

/* What follows "/1.2", or the whole entry. */
static struct span
below_part(struct span entry, bool *of_part)
{
	struct span rest, part = first_part(entry, &rest);

	*of_part = part.len > 0 && ascii_isdigit((unsigned char)part.p[0]);
	return *of_part ? rest : entry;
}

static bool
is_part_flag(struct span entry)
{
	static const char *const flags[] = { "/flags/seen", "/flags/answered", "/flags/flagged",
		"/flags/forwarded" };
	bool of_part;
	struct span below = below_part(entry, &of_part);

	for (size_t i = 0; of_part && i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (span_eq_str(below, flags[i]))
			return true;
	}
	return false;
}

bool
annotation_settable(struct span entry)
{
	bool of_part;
	struct span below = below_part(entry, &of_part);

	if (span_eq_str(below, "/comment") || (span_has_prefix(below, "/vendor/") && below.len > 8))
		return true;
	return of_part ? is_part_flag(entry) : span_eq_str(below, "/altsubject");
}

bool
annotation_value_fits(struct span entry, struct span value)
{
	return !is_part_flag(entry) || span_eq_str(value, "0") || span_eq_str(value, "1");
}
