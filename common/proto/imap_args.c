/* The argument grammar of IMAP. */
#include "common/proto/imap_args.h"

#include "common/mail/flags.h"
#include "common/mail/mailbox_name.h"
#include "common/mail/unicode.h"
#include "common/util/buf.h"

void
imap_args_init(struct imap_args *a, struct span text, struct arena *arena)
{
	if (text.p == NULL)
		text = SPAN_LIT("");
	*a = (struct imap_args){ .p = text.p, .end = text.p + text.len, .arena = arena };
}

void
imap_args_fail(struct imap_args *a, const char *why)
{
	if (a->error != IMAP_ARGS_GOOD)
		return;
	a->error = IMAP_ARGS_BAD;
	a->why = why;
}

static size_t
left(const struct imap_args *a)
{
	return imap_args_good(a) ? (size_t)(a->end - a->p) : 0;
}

bool
imap_args_at_end(const struct imap_args *a)
{
	return a->p == a->end;
}

bool
imap_args_end(struct imap_args *a)
{
	if (left(a) > 0)
		imap_args_fail(a, "Unexpected words after the command");
	return imap_args_good(a);
}

bool
imap_args_peek(const struct imap_args *a, char c)
{
	return left(a) > 0 && *a->p == c;
}

bool
imap_args_try(struct imap_args *a, char c)
{
	if (!imap_args_peek(a, c))
		return false;
	a->p++;
	return true;
}

void
imap_args_expect(struct imap_args *a, char c)
{
	if (!imap_args_try(a, c))
		imap_args_fail(a, c == ' ' ? "Arguments are missing" : "Malformed arguments");
}

void
imap_args_sp(struct imap_args *a)
{
	imap_args_expect(a, ' ');
}

/* RFC 3501 atom-specials: ( ) { SP CTL % * " \ ]. */
bool
imap_is_atom_char(unsigned char c)
{
	return c > 0x20 && c < 0x7f && strchr("(){%*\"\\]", c) == NULL;
}

static bool
is_astring_char(unsigned char c)
{
	return imap_is_atom_char(c) || c == ']';
}

static bool
is_list_char(unsigned char c)
{
	return is_astring_char(c) || c == '%' || c == '*';
}

static bool
is_tag_char(unsigned char c)
{
	return is_astring_char(c) && c != '+';
}

static struct span
run_of(struct imap_args *a, bool (*is)(unsigned char c), const char *why)
{
	const char *from = a->p;

	if (!imap_args_good(a))
		return SPAN_NONE;
	while (a->p < a->end && is((unsigned char)*a->p))
		a->p++;
	if (a->p == from)
		imap_args_fail(a, why);
	return span(from, (size_t)(a->p - from));
}

struct span
imap_args_atom(struct imap_args *a)
{
	return run_of(a, imap_is_atom_char, "A word is missing");
}

struct span
imap_args_tag(struct imap_args *a)
{
	return run_of(a, is_tag_char, "Malformed tag");
}

bool
imap_args_word(struct imap_args *a, const char *word)
{
	size_t n = strlen(word);

	if (left(a) < n || !span_caseeq(span(a->p, n), span(word, n)))
		return false;
	if (left(a) > n && imap_is_atom_char((unsigned char)a->p[n]) && a->p[n] != '[')
		return false;
	a->p += n;
	return true;
}

static struct span
quoted(struct imap_args *a)
{
	const char *from = ++a->p;
	bool escaped = false, high = false;
	char *copy;
	size_t n = 0;

	for (; a->p < a->end && *a->p != '"'; a->p++) {
		if (*a->p == '\\') {
			escaped = true;
			if (++a->p == a->end || (*a->p != '"' && *a->p != '\\')) {
				imap_args_fail(a, "Malformed quoted string");
				return SPAN_NONE;
			}
		}
		if (*a->p == '\r' || *a->p == '\n' || *a->p == '\0')
			break;
		high |= ((unsigned char)*a->p & 0x80) != 0;
	}
	if (a->p == a->end || *a->p != '"') {
		imap_args_fail(a, "Malformed quoted string");
		return SPAN_NONE;
	}
	a->p++;
	if (high && a->utf8_quoted && !unicode_is_utf8(span(from, (size_t)(a->p - 1 - from)))) {
		imap_args_fail(a, "Not UTF-8");
		return SPAN_NONE;
	}
	if (!escaped)
		return span(from, (size_t)(a->p - 1 - from));
	copy = arena_alloc(a->arena, (size_t)(a->p - from));
	for (const char *q = from; q < a->p - 1; q++) {
		if (*q == '\\')
			q++;
		copy[n++] = *q;
	}
	return span(copy, n);
}

/* "{n}" or "{n+}" CRLF; the bytes behind it.  nul: it may hold NUL (literal8). */
static struct span
literal(struct imap_args *a, bool nul)
{
	struct span rest = span(a->p + 1, (size_t)(a->end - a->p - 1));
	struct span digits = span(rest.p, span_find(rest, '}')), value;
	uint64_t n = 0;

	rest = span_sub(rest, digits.len, rest.len);
	if (digits.len > 0 && digits.p[digits.len - 1] == '+')
		digits.len--;
	if (!span_has_prefix(rest, "}\r\n") || !span_u64(digits, &n) || n > rest.len - 3) {
		imap_args_fail(a, "Malformed literal");
		return SPAN_NONE;
	}
	value = span_sub(rest, 3, (size_t)n);
	a->p = rest.p + 3 + n;
	if (!nul && memchr(value.p, '\0', value.len) != NULL)
		imap_args_fail(a, "NUL in a literal");
	return value;
}

bool
imap_args_at_literal(const struct imap_args *a)
{
	const char *q = a->p;
	size_t n = left(a);

	if (n > 0 && *q == '~') {
		q++;
		n--;
	}
	return n > 3 && *q == '{' && memchr(q, '\n', n) == a->end - 1;
}

struct span
imap_args_string(struct imap_args *a)
{
	if (imap_args_peek(a, '"'))
		return quoted(a);
	if (imap_args_peek(a, '{'))
		return literal(a, false);
	imap_args_fail(a, "A string is missing");
	return SPAN_NONE;
}

struct span
imap_args_astring(struct imap_args *a)
{
	if (imap_args_peek(a, '"') || imap_args_peek(a, '{'))
		return imap_args_string(a);
	return run_of(a, is_astring_char, "A string is missing");
}

struct span
imap_args_nstring(struct imap_args *a, bool *nil)
{
	*nil = imap_args_word(a, "NIL");
	return *nil ? SPAN_NONE : imap_args_string(a);
}

struct span
imap_args_nstring8(struct imap_args *a, bool *nil)
{
	*nil = false;
	if (left(a) > 1 && a->p[0] == '~' && a->p[1] == '{') {
		a->p++;
		return literal(a, true);
	}
	return imap_args_nstring(a, nil);
}

static bool
is_digit(unsigned char c)
{
	return ascii_isdigit(c);
}

uint32_t
imap_args_number(struct imap_args *a)
{
	uint32_t v = 0;

	if (!span_u32(run_of(a, is_digit, "A number is missing"), &v))
		imap_args_fail(a, "A number is too large");
	return imap_args_good(a) ? v : 0;
}

uint32_t
imap_args_nz_number(struct imap_args *a)
{
	uint32_t v = imap_args_number(a);

	if (v == 0)
		imap_args_fail(a, "A number must not be zero");
	return v;
}

uint64_t
imap_args_number64(struct imap_args *a)
{
	uint64_t v = 0;

	if (!span_u64(run_of(a, is_digit, "A number is missing"), &v) || v > INT64_MAX)
		imap_args_fail(a, "A number is too large");
	return imap_args_good(a) ? v : 0;
}

static struct span
in_arena(struct imap_args *a, struct buf *b)
{
	struct span s = arena_span(a->arena, buf_span(b));

	buf_fini(b);
	return s;
}

/* A name in modified UTF-7 is ASCII: what is not is UTF-8, whatever was enabled (RFC 9755 §3). */
static bool
is_8bit(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if ((unsigned char)s.p[i] >= 0x80)
			return true;
	}
	return false;
}

struct span
imap_args_mailbox(struct imap_args *a)
{
	struct span given;

	return imap_args_mailbox_as(a, &given);
}

struct span
imap_args_mailbox_as(struct imap_args *a, struct span *given)
{
	struct span name = imap_args_astring(a);
	struct buf path = { 0 }, plain = { 0 };

	bool utf8 = a->utf8 || is_8bit(name);

	*given = SPAN_NONE;
	if (!imap_args_good(a))
		return SPAN_NONE;
	if (utf8)
		*given = name;
	else if (mailbox_utf7_decode(name, &plain))
		*given = arena_span(a->arena, buf_span(&plain));
	buf_fini(&plain);
	if (!(utf8 ? mailbox_name_from_utf8(name, &path) : mailbox_name_from_utf7(name, &path))) {
		imap_args_fail(a, "Not the name of a mailbox");
		a->error = IMAP_ARGS_NAME;
	}
	return in_arena(a, &path);
}

struct span
imap_args_pattern(struct imap_args *a)
{
	if (imap_args_peek(a, '"') || imap_args_peek(a, '{'))
		return imap_args_string(a);
	return run_of(a, is_list_char, "A pattern is missing");
}

struct span
imap_args_list_mailbox(struct imap_args *a)
{
	struct span name = imap_args_pattern(a);
	struct buf utf8 = { 0 };

	/* What is no name matches none: shown as it is. */
	if (a->utf8 || is_8bit(name) || !mailbox_utf7_decode(name, &utf8))
		buf_add_span(&utf8, name);
	return in_arena(a, &utf8);
}

static bool
seq_number(const char **p, const char *end)
{
	uint64_t v = 0;

	if (*p < end && **p == '*') {
		(*p)++;
		return true;
	}
	if (*p == end || **p < '1' || **p > '9')
		return false;
	for (; *p < end && ascii_isdigit(**p); (*p)++) {
		v = v * 10 + (uint64_t)(**p - '0');
		if (v > UINT32_MAX)
			return false;
	}
	return true;
}

struct span
imap_args_sequence_set(struct imap_args *a)
{
	const char *from = a->p, *p = a->p;
	size_t n = 0;

	if (!imap_args_good(a))
		return SPAN_NONE;
	if (imap_args_try(a, '$'))
		return span(from, 1);
	do {
		if (p > from)
			p++;
		if (!seq_number(&p, a->end) || ++n > IMAP_RANGES_MAX ||
		    (p < a->end && *p == ':' && (p++, !seq_number(&p, a->end)))) {
			imap_args_fail(a, "Malformed sequence set");
			return SPAN_NONE;
		}
	} while (p < a->end && *p == ',');
	a->p = p;
	return span(from, (size_t)(p - from));
}

static void
add_keyword(struct imap_args *a, struct imap_flags *flags, struct span name)
{
	for (size_t i = 0; i < flags->n_keywords; i++) {
		if (span_caseeq(flags->keywords[i], name))
			return;
	}
	if (flags->n_keywords == IMAP_KEYWORDS_MAX) {
		imap_args_fail(a, "Too many keywords");
		return;
	}
	if (flags->keywords == NULL)
		flags->keywords = arena_array(a->arena, IMAP_KEYWORDS_MAX, sizeof(struct span));
	flags->keywords[flags->n_keywords++] = name;
}

struct span
imap_args_keyword(struct imap_args *a)
{
	struct span name = imap_args_atom(a);

	if (imap_args_good(a) && !keyword_valid(name))
		imap_args_fail(a, "Malformed keyword");
	return name;
}

static void
one_flag(struct imap_args *a, struct imap_flags *flags)
{
	const char *from = a->p;
	unsigned bit;

	if (!imap_args_try(a, '\\')) {
		add_keyword(a, flags, imap_args_keyword(a));
		return;
	}
	imap_args_atom(a);
	if (!imap_args_good(a))
		return;
	bit = flag_system_parse(span(from, (size_t)(a->p - from)));
	if (bit == 0)
		imap_args_fail(a, "No such system flag, or it cannot be set");
	flags->system |= bit;
}

void
imap_args_flags(struct imap_args *a, bool bare, struct imap_flags *flags)
{
	bool listed = imap_args_try(a, '(');

	*flags = (struct imap_flags){ 0 };
	if (!listed && !bare)
		imap_args_fail(a, "A list of flags is missing");
	if (listed && imap_args_try(a, ')'))
		return;
	do {
		one_flag(a, flags);
	} while (imap_args_try(a, ' '));
	if (listed)
		imap_args_expect(a, ')');
}

static const char months[12][4] = {
	"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
};

/* Days since 1970-01-01 of the Gregorian calendar (proleptic). */
static int32_t
days_from_civil(int32_t y, unsigned m, unsigned d)
{
	int32_t era;
	uint32_t yoe, doy;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = (uint32_t)(y - era * 400);
	doy = (153 * (m + (m > 2 ? -3u : 9u)) + 2) / 5 + d - 1;
	return era * 146097 + (int32_t)(yoe * 365 + yoe / 4 - yoe / 100 + doy) - 719468;
}

static unsigned
digits(struct imap_args *a, unsigned least, unsigned most)
{
	unsigned v = 0, n = 0;

	while (n < most && left(a) > 0 && ascii_isdigit(*a->p)) {
		v = v * 10 + (unsigned)(*a->p++ - '0');
		n++;
	}
	if (n < least)
		imap_args_fail(a, "Malformed date");
	return v;
}

/* "-Feb-1994" behind the day. */
static int32_t
month_and_year(struct imap_args *a, unsigned day)
{
	static const unsigned char lengths[12] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	unsigned m = 0, year;

	imap_args_expect(a, '-');
	while (m < 12 && (left(a) < 3 || !span_caseeq(span(a->p, 3), span(months[m], 3))))
		m++;
	if (m == 12) {
		imap_args_fail(a, "Malformed date");
		return 0;
	}
	a->p += 3;
	imap_args_expect(a, '-');
	year = digits(a, 4, 4);
	if (day < 1 || day > lengths[m] ||
	    (m == 1 && day == 29 && (year % 4 != 0 || (year % 100 == 0 && year % 400 != 0))))
		imap_args_fail(a, "There is no such day");
	return imap_args_good(a) ? days_from_civil((int32_t)year, m + 1, day) : 0;
}

int32_t
imap_args_date(struct imap_args *a)
{
	bool quotes = imap_args_try(a, '"');
	unsigned day = digits(a, 1, 2);
	int32_t days = month_and_year(a, day);

	if (quotes)
		imap_args_expect(a, '"');
	return days;
}

void
imap_args_date_time(struct imap_args *a, int64_t *s, int16_t *zone)
{
	unsigned day, h, m, sec, zh, zm;
	int32_t days;
	bool west;

	imap_args_expect(a, '"');
	day = imap_args_try(a, ' ') ? digits(a, 1, 1) : digits(a, 1, 2);
	days = month_and_year(a, day);
	imap_args_sp(a);
	h = digits(a, 2, 2);
	imap_args_expect(a, ':');
	m = digits(a, 2, 2);
	imap_args_expect(a, ':');
	sec = digits(a, 2, 2);
	imap_args_sp(a);
	west = imap_args_try(a, '-');
	if (!west)
		imap_args_expect(a, '+');
	zh = digits(a, 2, 2);
	zm = digits(a, 2, 2);
	imap_args_expect(a, '"');
	if (h > 23 || m > 59 || sec > 60 || zm > 59)
		imap_args_fail(a, "There is no such time");
	*zone = (int16_t)(west ? -(int)(zh * 60 + zm) : (int)(zh * 60 + zm));
	*s = (int64_t)days * 86400 + h * 3600 + m * 60 + sec - (int64_t)*zone * 60;
}

static void
section_fields(struct imap_args *a, struct imap_section *sec)
{
	imap_args_sp(a);
	imap_args_expect(a, '(');
	sec->fields = arena_array(a->arena, IMAP_SECTION_FIELDS_MAX, sizeof(struct span));
	do {
		struct span name = imap_args_astring(a);

		if (imap_args_good(a) && name.len == 0)
			imap_args_fail(a, "A header's name is empty");
		if (sec->n_fields == IMAP_SECTION_FIELDS_MAX)
			imap_args_fail(a, "Too many header names");
		if (imap_args_good(a))
			sec->fields[sec->n_fields++] = name;
	} while (imap_args_try(a, ' '));
	imap_args_expect(a, ')');
}

static void
section_text(struct imap_args *a, struct imap_section *sec)
{
	if (imap_args_word(a, "HEADER.FIELDS.NOT")) {
		sec->what = IMAP_SECTION_FIELDS_NOT;
		section_fields(a, sec);
	} else if (imap_args_word(a, "HEADER.FIELDS")) {
		sec->what = IMAP_SECTION_FIELDS;
		section_fields(a, sec);
	} else if (imap_args_word(a, "HEADER")) {
		sec->what = IMAP_SECTION_HEADER;
	} else if (imap_args_word(a, "TEXT")) {
		sec->what = IMAP_SECTION_TEXT;
	} else if (sec->n_parts > 0 && imap_args_word(a, "MIME")) {
		sec->what = IMAP_SECTION_MIME;
	} else {
		imap_args_fail(a, "Malformed section");
	}
}

void
imap_args_section(struct imap_args *a, bool numbers, struct imap_section *sec)
{
	bool more;

	*sec = (struct imap_section){ .what = IMAP_SECTION_ALL };
	imap_args_expect(a, '[');
	if (imap_args_try(a, ']'))
		return;
	more = left(a) > 0;
	while (more && left(a) > 0 && ascii_isdigit(*a->p)) {
		uint32_t n = 0;

		while (left(a) > 0 && ascii_isdigit(*a->p)) {
			if (n > (UINT32_MAX - 9) / 10)
				imap_args_fail(a, "A part number is too large");
			n = n * 10 + (uint32_t)(*a->p++ - '0');
		}
		if (sec->parts == NULL)
			sec->parts = arena_array(a->arena, IMAP_SECTION_DEPTH_MAX, sizeof(uint32_t));
		if (n == 0 || sec->n_parts == IMAP_SECTION_DEPTH_MAX)
			imap_args_fail(a, "Malformed section");
		else
			sec->parts[sec->n_parts++] = n;
		more = imap_args_try(a, '.');
	}
	if (more && numbers)
		imap_args_fail(a, "Malformed section");
	else if (more)
		section_text(a, sec);
	imap_args_expect(a, ']');
}

bool
imap_args_partial(struct imap_args *a, uint64_t *from, uint64_t *length)
{
	if (!imap_args_try(a, '<'))
		return false;
	/* RFC 9051 counts with 63 bits here. */
	*from = imap_args_number64(a);
	imap_args_expect(a, '.');
	*length = imap_args_number64(a);
	if (*length == 0)
		imap_args_fail(a, "A number must not be zero");
	imap_args_expect(a, '>');
	return imap_args_good(a);
}

/* "{3}" CRLF and three bytes; end where it is none. */
static const char *
behind_literal(const char *p, const char *end)
{
	size_t n = 0, room = (size_t)(end - p);

	for (p++; p < end && ascii_isdigit(*p) && n <= room; p++)
		n = n * 10 + (size_t)(*p - '0');
	if (p < end && *p == '+')
		p++;
	if (n > room || (size_t)(end - p) < 3 + n || memcmp(p, "}\r\n", 3) != 0)
		return end;
	return p + 3 + n;
}

struct span
imap_args_parenthesized(struct imap_args *a, size_t max)
{
	const char *from = a->p, *p = from;
	unsigned depth = 0;
	bool quoted = false;

	for (; p < a->end; p++) {
		if (*p == '"')
			quoted = !quoted;
		else if (quoted && *p == '\\' && p + 1 < a->end)
			p++;
		else if (!quoted && *p == '{')
			p = behind_literal(p, a->end) - 1;
		else if (!quoted && *p == '(')
			depth++;
		else if (!quoted && *p == ')' && --depth == 0)
			break;
	}
	if (!imap_args_good(a) || from == a->end || *from != '(' || p >= a->end ||
	    (size_t)(p - from) >= max) {
		imap_args_fail(a, "Malformed list in parentheses");
		return SPAN_NONE;
	}
	a->p = p + 1;
	return span(from, (size_t)(a->p - from));
}
