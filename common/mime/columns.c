#include "common/mime/columns.h"

#include <string.h>

#include "common/mime/charset.h"
#include "common/mime/field.h"
#include "common/mime/parser.h"
#include "common/mime/thread.h"

/* ---- search texts ---- */

void
mime_search_value(struct span raw_value, struct buf *out)
{
	struct buf line = { 0 }, utf8 = { 0 };

	mime_unfold(raw_value, &line);
	mime_words_decode(buf_span(&line), &utf8);
	mime_casemap(buf_span(&utf8), out);
	buf_fini(&line);
	buf_fini(&utf8);
}

/* "Name <local@domain>, ..." as a reader would see it. */
void
mime_search_addresses(struct mime_seq list, struct buf *out)
{
	struct buf plain = { 0 };
	struct mime_addr a;

	while (mime_seq_addr(&list, &a)) {
		mime_search_value(a.name, out);
		buf_clear(&plain);
		buf_add_str(&plain, " <");
		buf_add_span(&plain, a.local);
		if (a.domain.len > 0) {
			buf_add_c(&plain, '@');
			buf_add_span(&plain, a.domain);
		}
		buf_add_str(&plain, ">, ");
		mime_casemap(buf_span(&plain), out);
	}
	buf_fini(&plain);
}

/* ---- making ---- */

void
mime_columns_add(struct mime_columns *c, struct span column)
{
	if (column.len > MIME_COL_MAX)
		column = SPAN_NONE;
	c->len[c->n++] = (uint16_t)column.len;
	buf_add_span(&c->bytes, column);
}

static void
add_text(struct mime_columns *c, struct span utf8, size_t max)
{
	struct span s = mime_utf8_cut(utf8, max);

	buf_add_c(&c->bytes, s.len < utf8.len);
	buf_add_span(&c->bytes, s);
	c->len[c->n++] = (uint16_t)(1 + s.len);
}

/* utf8: not case-mapped yet. */
static void
add_key(struct mime_columns *c, struct span utf8)
{
	struct buf folded = { 0 };

	mime_casemap(utf8, &folded);
	add_text(c, buf_span(&folded), MIME_COL_KEY_MAX);
	buf_fini(&folded);
}

static void
add_sent(struct mime_columns *c, const struct mime_list *l)
{
	char b[10];

	put_be64(b, (uint64_t)l->sent_s);
	put_be16(b + 8, (uint16_t)l->sent_zone);
	mime_columns_add(c, l->has_sent ? span(b, sizeof(b)) : SPAN_NONE);
}

static void
add_thread(struct mime_columns *c, const struct mime_list *l)
{
	struct mime_seq ids = l->references.n > 0 ? l->references : l->in_reply_to;
	uint32_t n = l->references.n > 0 ? ids.n : ids.n > 0;
	struct buf b = { 0 };
	struct span id;

	put_u8(&b, l->is_reply);
	put_u64(&b, mime_subject_hash(l->base_subject));
	put_u64(&b, l->id.len > 0 ? mime_id_hash(l->id) : 0);
	/* of too many, the root and the nearest */
	for (uint32_t i = 0; i < n && mime_seq_span(&ids, &id); i++)
		if (n < MIME_COL_IDS_MAX || i == 0 || i + MIME_COL_IDS_MAX > n + 1)
			put_u64(&b, mime_id_hash(id));
	mime_columns_add(c, buf_span(&b));
	buf_fini(&b);
}

static bool
first_address(struct mime_seq list, struct mime_addr *a)
{
	while (mime_seq_addr(&list, a))
		if (a->kind != MIME_ADDR_GROUP_END)
			return true;
	return false;
}

static void
add_mailbox_key(struct mime_columns *c, struct mime_seq list)
{
	struct mime_addr a;

	if (first_address(list, &a))
		add_key(c, a.local);
	else
		mime_columns_add(c, SPAN_NONE);
}

/* RFC 5957 3: the name of the first address, or else mailbox@host. */
static void
add_display_key(struct mime_columns *c, struct mime_seq list)
{
	struct buf text = { 0 };
	struct mime_addr a;

	if (!first_address(list, &a)) {
		mime_columns_add(c, SPAN_NONE);
		return;
	}
	if (a.name.len > 0) {
		mime_words_decode(a.name, &text);
	} else {
		buf_add_span(&text, a.local);
		if (a.domain.len > 0) {
			buf_add_c(&text, '@');
			buf_add_span(&text, a.domain);
		}
	}
	add_key(c, buf_span(&text));
	buf_fini(&text);
}

static void
add_value(struct mime_columns *c, struct span raw, struct buf *scratch)
{
	if (raw.p == NULL) {
		mime_columns_add(c, SPAN_NONE);
		return;
	}
	buf_clear(scratch);
	mime_search_value(raw, scratch);
	add_text(c, buf_span(scratch), MIME_COL_TEXT_MAX);
}

static void
add_addresses(struct mime_columns *c, struct mime_seq list, struct buf *scratch)
{
	if (list.n == 0) {
		mime_columns_add(c, SPAN_NONE);
		return;
	}
	buf_clear(scratch);
	mime_search_addresses(list, scratch);
	add_text(c, buf_span(scratch), MIME_COL_TEXT_MAX);
}

void
mime_columns_add_list(struct mime_columns *c, const struct mime_list *l)
{
	static const enum mime_addr_list searched[] = { MIME_FROM, MIME_TO, MIME_CC, MIME_BCC,
		MIME_SENDER, MIME_REPLY_TO };
	const struct mime_envelope *e = &l->env;
	struct buf scratch = { 0 };

	add_sent(c, l);
	add_thread(c, l);
	add_key(c, l->base_subject);
	add_mailbox_key(c, e->lists[MIME_FROM]);
	add_mailbox_key(c, e->lists[MIME_TO]);
	add_mailbox_key(c, e->lists[MIME_CC]);
	add_display_key(c, e->lists[MIME_FROM]);
	add_display_key(c, e->lists[MIME_TO]);
	add_value(c, e->subject, &scratch);
	for (size_t i = 0; i < sizeof(searched) / sizeof(searched[0]); i++)
		add_addresses(c, e->lists[searched[i]], &scratch);
	add_value(c, e->message_id, &scratch);
	add_value(c, e->in_reply_to, &scratch);
	buf_fini(&scratch);
}

void
mime_columns_finish(struct mime_columns *c, struct buf *blob)
{
	put_u8(blob, MIME_COLUMNS_VERSION);
	put_u8(blob, (uint8_t)c->n);
	for (unsigned i = 0; i < c->n; i++)
		put_u16(blob, c->len[i]);
	buf_add_span(blob, buf_span(&c->bytes));
	buf_fini(&c->bytes);
	c->n = 0;
}

/* ---- reading ---- */

bool
mime_column_text(struct span column, struct span *text, bool *cut)
{
	*cut = column.len > 0 && column.p[0] != 0;
	*text = column.len > 0 ? span(column.p + 1, column.len - 1) : SPAN_NONE;
	return column.len > 0;
}

bool
mime_column_sent(struct span column, int64_t *sent_s, int *zone)
{
	if (column.len != 10)
		return false;
	*sent_s = (int64_t)get_be64(column.p);
	*zone = (int16_t)get_be16(column.p + 8);
	return true;
}

bool
mime_column_thread(struct span column, struct mime_column_thread *t)
{
	if (column.len < 17 || (column.len - 17) % 8 != 0)
		return false;
	t->reply = column.p[0] != 0;
	t->subject_hash = get_be64(column.p + 1);
	t->id = get_be64(column.p + 9);
	t->ancestors = span(column.p + 17, column.len - 17);
	return true;
}

/* ---- header fields ---- */

#define HEADER_HEAD	9u		/* bytes in front of the fields */
#define MORE_HEAD	1u
#define FIELD_HEAD	4u
#define HEADER_MAX	16384u

/* By number, which is in columns. */
static const char *const kept_names[] = {
	"date", "from", "sender", "reply-to", "to", "cc", "bcc", "subject", "message-id",
	"in-reply-to", "references", "content-type", "priority", "x-priority", "importance",
	"newsgroups", "x-label",
#define FREQUENT 17
	"content-transfer-encoding", "content-description", "mime-version", "list-id",
	"list-post", "list-subscribe", "list-unsubscribe", "list-unsubscribe-post", "list-help",
	"list-archive", "x-msmail-priority", "precedence", "auto-submitted", "followup-to",
	"lines", "x-original-to", "delivered-to", "disposition-notification-to",
	"x-confirm-reading-to", "mail-followup-to", "mail-reply-to", "x-draft-info",
	"x-mozilla-draft-info", "user-agent", "x-mailer", "organization",
	"x-uniform-type-identifier", "x-universally-unique-identifier", "x-k9mail-identity",
	"chat-version", "autocrypt-setup-message", "x-spam-flag", "x-spam-score",
	"x-spam-level", "resent-from", "resent-to", "resent-date", "return-path", "keywords",
	"comments", "bimi-indicator", "bimi-location", "x-bimi-indicator-hash"
};
#define KEPT (sizeof(kept_names) / sizeof(kept_names[0]))
_Static_assert(KEPT <= MIME_HEADER_NAMES_MAX, "a word of bits");

/* Number of a kept name in any case, or -1. */
static int
name_number(struct span name)
{
	char first = name.len > 0 ? ascii_lower(name.p[0]) : 0;

	for (size_t i = 0; i < KEPT; i++)
		if (kept_names[i][0] == first && span_caseeq_str(name, kept_names[i]))
			return (int)i;
	return -1;
}

/* Two bits of 64 for a name; FNV-1a. */
static uint64_t
other_bits(struct span name)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < name.len; i++)
		h = (h ^ (unsigned char)ascii_lower(name.p[i])) * 16777619u;
	return (uint64_t)1 << (h >> 26) | (uint64_t)1 << (h >> 20 & 63);
}

void
mime_header_columns(struct span block, struct buf *header, struct buf *more)
{
	bool complete[2] = { true, true };
	size_t start[2] = { header->len, more->len };
	struct mime_field f;
	uint64_t others = 0;
	unsigned place = 0;

	if (block.len >= MIME_HEADER_MAX)	/* longer ones were cut */
		complete[0] = complete[1] = false;
	put_u8(header, 0);
	put_u64(header, 0);
	put_u8(more, 0);
	while (mime_field_next(&block, &f)) {
		int no = name_number(f.name);
		unsigned which = no >= FREQUENT;
		struct buf *b = which ? more : header;

		if (no < 0) {
			others |= other_bits(f.name);
			continue;
		}
		/* what is shown otherwise than it stands, or is too much, is left to the body */
		if (f.raw.len == 0 || f.raw.p[f.raw.len - 1] != '\n' || place > UINT8_MAX ||
		    memchr(f.raw.p, '\0', f.raw.len) != NULL ||
		    b->len - start[which] + FIELD_HEAD + f.raw.len > HEADER_MAX) {
			complete[which] = false;
			continue;
		}
		put_u8(b, (uint8_t)no);
		put_u8(b, (uint8_t)place++);
		put_u16(b, (uint16_t)f.raw.len);
		buf_add_span(b, f.raw);
	}
	header->data[start[0]] = complete[0];
	put_be64(header->data + start[0] + 1, others);
	more->data[start[1]] = complete[1];
}

bool
mime_header_names_add(struct mime_header_names *names, struct span name)
{
	int no = name_number(name);

	if (no >= 0) {
		names->kept |= (uint64_t)1 << no;
		return true;
	}
	if (names->n_others == sizeof(names->other) / sizeof(names->other[0]))
		return false;
	names->other[names->n_others++] = other_bits(name);
	return true;
}

bool
mime_header_names_more(const struct mime_header_names *names)
{
	return names->kept >> FREQUENT != 0;
}

bool
mime_header_open(struct span header, struct span more, const struct mime_header_names *names,
    struct mime_header_walk *w)
{
	uint64_t others;

	if (header.len < HEADER_HEAD || header.p[0] != 1)
		return false;
	others = get_be64(header.p + 1);
	for (unsigned i = 0; i < names->n_others; i++)
		if ((others & names->other[i]) == names->other[i])
			return false;
	w->rest[0] = span(header.p + HEADER_HEAD, header.len - HEADER_HEAD);
	w->rest[1] = SPAN_NONE;
	if (!mime_header_names_more(names))
		return true;
	if (more.len < MORE_HEAD || more.p[0] != 1)
		return false;
	w->rest[1] = span(more.p + MORE_HEAD, more.len - MORE_HEAD);
	return true;
}

/* The next field of one column that is among the names; it is not taken off. */
static bool
peek(struct span *rest, const struct mime_header_names *names)
{
	while (rest->len >= FIELD_HEAD) {
		unsigned no = (unsigned char)rest->p[0];
		size_t len = FIELD_HEAD + get_be16(rest->p + 2);

		if (no >= MIME_HEADER_NAMES_MAX || len > rest->len)
			break;
		if (names->kept >> no & 1)
			return true;
		*rest = span(rest->p + len, rest->len - len);
	}
	*rest = SPAN_NONE;
	return false;
}

bool
mime_header_next(struct mime_header_walk *w, const struct mime_header_names *names,
    struct span *field)
{
	bool a = peek(&w->rest[0], names), b = w->rest[1].len > 0 && peek(&w->rest[1], names);
	struct span *from = &w->rest[b && (!a ||
	    (unsigned char)w->rest[1].p[1] < (unsigned char)w->rest[0].p[1])];
	size_t len;

	if (!a && !b)
		return false;
	len = get_be16(from->p + 2);
	*field = span(from->p + FIELD_HEAD, len);
	*from = span(from->p + FIELD_HEAD + len, from->len - FIELD_HEAD - len);
	return true;
}
