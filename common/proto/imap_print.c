/* IMAP values as text. */
#include "common/proto/imap_print.h"

#define QUOTED_MAX 1000		/* longer strings travel as literals */

/* Bytes that may not stand bare between quotes. */
static bool
needs_care(unsigned char c)
{
	return c == '"' || c == '\\' || c == '\r' || c == '\n' || c == '\0' || c >= 0x80;
}

void
imap_put_literal_bytes(struct buf *out, struct span s)
{
	size_t at = out->len;
	char *p;

	if (s.len == 0)
		return;
	buf_add_span(out, s);
	while ((p = memchr(out->data + at, '\0', out->len - at)) != NULL) {
		*p = (char)0x80;
		at = (size_t)(p - out->data) + 1;
	}
}

static void
put_literal(struct buf *out, struct span s)
{
	buf_add_c(out, '{');
	buf_add_u64(out, s.len);
	buf_add_str(out, "}\r\n");
	imap_put_literal_bytes(out, s);
}

static void
put_string(struct buf *out, struct span s, bool utf8)
{
	size_t care = 0;

	if (s.len > QUOTED_MAX) {
		put_literal(out, s);
		return;
	}
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (!needs_care(c) || (utf8 && c >= 0x80))
			continue;
		if (c != '"' && c != '\\') {
			put_literal(out, s);
			return;
		}
		care++;
	}
	buf_add_c(out, '"');
	if (care == 0) {
		buf_add_span(out, s);
	} else {
		for (size_t i = 0; i < s.len; i++) {
			if (s.p[i] == '"' || s.p[i] == '\\')
				buf_add_c(out, '\\');
			buf_add_c(out, s.p[i]);
		}
	}
	buf_add_c(out, '"');
}

void
imap_put_string(struct buf *out, struct span s)
{
	put_string(out, s, false);
}

void
imap_put_utf8_string(struct buf *out, struct span s)
{
	put_string(out, s, true);
}

void
imap_put_astring(struct buf *out, struct span s)
{
	bool atom = s.len > 0;

	for (size_t i = 0; i < s.len; i++)
		atom = atom && imap_is_atom_char((unsigned char)s.p[i]);
	if (atom)
		buf_add_span(out, s);
	else
		imap_put_string(out, s);
}

void
imap_put_nstring(struct buf *out, struct span s)
{
	if (s.p == NULL)
		buf_add(out, "NIL", 3);
	else
		imap_put_string(out, s);
}

static void
two_digits(char *p, unsigned v)
{
	p[0] = (char)('0' + v / 10 % 10);
	p[1] = (char)('0' + v % 10);
}

void
imap_put_date_time(struct buf *out, int64_t s, int16_t zone)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	int64_t local = s + (int64_t)zone * 60;
	int64_t days = local / 86400 - (local % 86400 < 0);
	uint32_t rest = (uint32_t)(local - days * 86400);
	unsigned off = (unsigned)(zone < 0 ? -zone : zone);
	char *p = buf_reserve(out, 28);
	uint32_t doe, yoe, doy, mp, day, month;
	int64_t era, year;

	/* Civil date of a day number, in 400-year eras that start in March. */
	days += 719468;
	era = (days >= 0 ? days : days - 146096) / 146097;
	doe = (uint32_t)(days - era * 146097);
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	day = doy - (153 * mp + 2) / 5 + 1;
	month = mp < 10 ? mp + 2 : mp - 10;
	year = (int64_t)yoe + era * 400 + (month <= 1);
	if (year < 0 || year > 9999)
		year = year < 0 ? 0 : 9999;
	p[0] = '"';
	two_digits(p + 1, day);
	p[3] = '-';
	memcpy(p + 4, months + (size_t)month * 3, 3);
	p[7] = '-';
	two_digits(p + 8, (unsigned)year / 100);
	two_digits(p + 10, (unsigned)year % 100);
	p[12] = ' ';
	two_digits(p + 13, rest / 3600);
	p[15] = ':';
	two_digits(p + 16, rest / 60 % 60);
	p[18] = ':';
	two_digits(p + 19, rest % 60);
	p[21] = ' ';
	p[22] = zone < 0 ? '-' : '+';
	two_digits(p + 23, off / 60);
	two_digits(p + 25, off % 60);
	p[27] = '"';
	buf_added(out, 28);
}

static void
put_address(struct buf *out, const struct mime_addr *a)
{
	static const struct span nil = { NULL, 0 };
	bool mailbox = a->kind == MIME_ADDR_MAILBOX;

	buf_add_c(out, '(');
	imap_put_nstring(out, mailbox ? a->name : nil);
	buf_add_c(out, ' ');
	imap_put_nstring(out, mailbox ? a->route : nil);
	buf_add_c(out, ' ');
	imap_put_nstring(out, a->kind == MIME_ADDR_GROUP_END ? nil : a->local);
	buf_add_c(out, ' ');
	imap_put_nstring(out, mailbox ? a->domain : nil);
	buf_add_c(out, ')');
}

static void
put_addresses(struct buf *out, struct mime_seq list)
{
	struct mime_addr a;
	size_t start = out->len;

	buf_add_c(out, '(');
	while (mime_seq_addr(&list, &a))
		put_address(out, &a);
	if (out->len == start + 1) {
		buf_cut(out, start);
		buf_add(out, "NIL", 3);
	} else {
		buf_add_c(out, ')');
	}
}

void
imap_put_envelope(struct buf *out, const struct mime_envelope *e)
{
	buf_add_c(out, '(');
	imap_put_nstring(out, e->date);
	buf_add_c(out, ' ');
	imap_put_nstring(out, e->subject);
	for (unsigned i = 0; i < MIME_ADDR_LISTS; i++) {
		buf_add_c(out, ' ');
		put_addresses(out, mime_envelope_list(e, (enum mime_addr_list)i));
	}
	buf_add_c(out, ' ');
	imap_put_nstring(out, e->in_reply_to);
	buf_add_c(out, ' ');
	imap_put_nstring(out, e->message_id);
	buf_add_c(out, ')');
}

static void
put_params(struct buf *out, struct mime_seq params)
{
	struct span name, value;
	char sep = '(';

	while (mime_seq_param(&params, &name, &value)) {
		buf_add_c(out, sep);
		imap_put_string(out, name);
		buf_add_c(out, ' ');
		imap_put_string(out, value);
		sep = ' ';
	}
	buf_add_str(out, sep == '(' ? "NIL" : ")");
}

/* What BODYSTRUCTURE has behind a part's own fields: disposition, language, location. */
static void
put_extension(struct buf *out, const struct mime_part_view *v)
{
	struct mime_seq languages = v->language;
	struct span tag;
	char sep = '(';

	buf_add_c(out, ' ');
	if (v->disposition.p == NULL) {
		buf_add_str(out, "NIL");
	} else {
		buf_add_c(out, '(');
		imap_put_string(out, v->disposition);
		buf_add_c(out, ' ');
		put_params(out, v->disposition_params);
		buf_add_c(out, ')');
	}
	buf_add_c(out, ' ');
	while (mime_seq_span(&languages, &tag)) {
		buf_add_c(out, sep);
		imap_put_string(out, tag);
		sep = ' ';
	}
	buf_add_str(out, sep == '(' ? "NIL " : ") ");
	imap_put_nstring(out, v->location);
}

static void put_part(struct buf *out, const struct mime_structure *s, uint32_t i, bool extended);

static void
put_multipart(struct buf *out, const struct mime_structure *s, const struct mime_part_view *v,
    bool extended)
{
	uint32_t i = v->at.first;

	while (i != MIME_NONE) {
		struct mime_part_view child;

		put_part(out, s, i, extended);
		mime_structure_part(s, i, &child);
		i = child.at.next;
	}
	buf_add_c(out, ' ');
	imap_put_string(out, v->subtype);
	if (extended) {
		buf_add_c(out, ' ');
		put_params(out, v->params);
		put_extension(out, v);
	}
}

/* The message inside a message/rfc822: envelope and structure. */
static void
put_inner(struct buf *out, const struct mime_structure *s, const struct mime_part_view *v,
    bool extended)
{
	static const struct mime_envelope none;
	struct mime_part_view inner;

	mime_structure_part(s, v->at.first, &inner);
	buf_add_c(out, ' ');
	imap_put_envelope(out, inner.has_env ? &inner.env : v->has_env ? &v->env : &none);
	buf_add_c(out, ' ');
	put_part(out, s, v->at.first, extended);
}

static void
put_leaf(struct buf *out, const struct mime_structure *s, const struct mime_part_view *v,
    bool extended)
{
	imap_put_string(out, v->type);
	buf_add_c(out, ' ');
	imap_put_string(out, v->subtype);
	buf_add_c(out, ' ');
	put_params(out, v->params);
	buf_add_c(out, ' ');
	imap_put_nstring(out, v->id);
	buf_add_c(out, ' ');
	imap_put_nstring(out, v->description);
	buf_add_c(out, ' ');
	imap_put_string(out, v->encoding);
	buf_add_c(out, ' ');
	buf_add_u64(out, v->at.body_len);
	if (v->at.kind == MIME_MESSAGE)
		put_inner(out, s, v, extended);
	if (v->at.kind == MIME_MESSAGE || span_caseeq_str(v->type, "text")) {
		buf_add_c(out, ' ');
		buf_add_u64(out, v->at.body_lines);
	}
	if (extended) {
		buf_add_c(out, ' ');
		imap_put_nstring(out, v->md5);
		put_extension(out, v);
	}
}

static void
put_view(struct buf *out, const struct mime_structure *s, const struct mime_part_view *v,
    bool extended)
{
	buf_add_c(out, '(');
	if (v->at.kind == MIME_MULTIPART && v->at.first != MIME_NONE)
		put_multipart(out, s, v, extended);
	else
		put_leaf(out, s, v, extended);
	buf_add_c(out, ')');
}

static void
put_part(struct buf *out, const struct mime_structure *s, uint32_t i, bool extended)
{
	struct mime_part_view v;

	mime_structure_part(s, i, &v);
	put_view(out, s, &v, extended);
}

void
imap_put_part(struct buf *out, const struct mime_structure *s, uint32_t i,
    const struct imap_decoded *as)
{
	struct mime_part_view v;

	mime_structure_part(s, i, &v);
	if (as != NULL) {
		v.encoding = SPAN_LIT("BINARY");
		v.at.body_len = as->size;
		v.at.body_lines = as->lines;
	}
	put_view(out, s, &v, true);
}

void
imap_put_structure(struct buf *out, const struct mime_structure *s, bool extended)
{
	put_part(out, s, 0, extended);
}

static void
put_field_names(struct buf *out, const struct imap_section *sec)
{
	buf_add_str(out, " (");
	for (size_t i = 0; i < sec->n_fields; i++) {
		bool atom = true;

		if (i > 0)
			buf_add_c(out, ' ');
		for (size_t k = 0; k < sec->fields[i].len && atom; k++)
			atom = imap_is_atom_char((unsigned char)sec->fields[i].p[k]);
		if (atom)
			buf_add_span(out, sec->fields[i]);
		else
			imap_put_string(out, sec->fields[i]);
	}
	buf_add_c(out, ')');
}

void
imap_put_section(struct buf *out, const struct imap_section *sec)
{
	static const char *const names[] = {
		[IMAP_SECTION_ALL] = "", [IMAP_SECTION_HEADER] = "HEADER",
		[IMAP_SECTION_FIELDS] = "HEADER.FIELDS",
		[IMAP_SECTION_FIELDS_NOT] = "HEADER.FIELDS.NOT",
		[IMAP_SECTION_TEXT] = "TEXT", [IMAP_SECTION_MIME] = "MIME"
	};

	buf_add_c(out, '[');
	for (size_t i = 0; i < sec->n_parts; i++) {
		if (i > 0)
			buf_add_c(out, '.');
		buf_add_u64(out, sec->parts[i]);
	}
	if (sec->n_parts > 0 && sec->what != IMAP_SECTION_ALL)
		buf_add_c(out, '.');
	buf_add_str(out, names[sec->what]);
	if (sec->n_fields > 0)
		put_field_names(out, sec);
	buf_add_c(out, ']');
}
