#include "common/mail/flags.h"

static const struct {
	unsigned	bit;
	const char	*name;
} names[] = {
	{ FLAG_SEEN, "\\Seen" }, { FLAG_ANSWERED, "\\Answered" },
	{ FLAG_FLAGGED, "\\Flagged" }, { FLAG_DELETED, "\\Deleted" },
	{ FLAG_DRAFT, "\\Draft" },
};

unsigned
flag_system_parse(struct span name)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_caseeq_str(name, names[i].name))
			return names[i].bit;
	return 0;
}

const char *
flag_system_name(unsigned bit)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].bit == bit)
			return names[i].name;
	return "";
}

/* RFC 3501 §9: flag-keyword = atom; ATOM-CHAR is any CHAR but atom-specials. */
bool
keyword_valid(struct span name)
{
	if (name.len == 0 || name.len > KEYWORD_LEN_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.p[i];

		if (c <= ' ' || c >= 0x7f || c == '(' || c == ')' || c == '{' || c == '%' ||
		    c == '*' || c == '"' || c == '\\' || c == ']')
			return false;
	}
	return true;
}
