#include "jmapd/email/want.h"

#include <string.h>

#include "common/mime/charset.h"
#include "common/util/buf.h"
#include "common/util/mem.h"

static const struct {
	const char		*name;
	const char		*field;		/* NULL: of no header field */
	enum header_form	form;
	unsigned		needs;
} named[EMAIL_NAMED] = {
	[EMAIL_ID] = { .name = "id" }, [EMAIL_BLOB_ID] = { .name = "blobId" },
	[EMAIL_THREAD_ID] = { .name = "threadId" }, [EMAIL_MAILBOX_IDS] = { .name = "mailboxIds" },
	[EMAIL_KEYWORDS_] = { .name = "keywords" }, [EMAIL_SIZE] = { .name = "size" },
	[EMAIL_RECEIVED_AT] = { .name = "receivedAt" },
	[EMAIL_MESSAGE_ID] = { "messageId", "Message-ID", HEADER_IDS, WANT_LIST },
	[EMAIL_IN_REPLY_TO] = { "inReplyTo", "In-Reply-To", HEADER_IDS, WANT_LIST },
	[EMAIL_REFERENCES] = { "references", "References", HEADER_IDS, WANT_LIST },
	[EMAIL_SENDER] = { "sender", "Sender", HEADER_ADDRESSES, WANT_LIST },
	[EMAIL_FROM] = { "from", "From", HEADER_ADDRESSES, WANT_LIST },
	[EMAIL_TO] = { "to", "To", HEADER_ADDRESSES, WANT_LIST },
	[EMAIL_CC] = { "cc", "Cc", HEADER_ADDRESSES, WANT_LIST },
	[EMAIL_BCC] = { "bcc", "Bcc", HEADER_ADDRESSES, WANT_LIST },
	[EMAIL_REPLY_TO] = { "replyTo", "Reply-To", HEADER_ADDRESSES, WANT_LIST },
	[EMAIL_SUBJECT] = { "subject", "Subject", HEADER_TEXT, WANT_LIST },
	[EMAIL_SENT_AT] = { "sentAt", "Date", HEADER_DATE, WANT_LIST },
	[EMAIL_HAS_ATTACHMENT] = { .name = "hasAttachment", .needs = WANT_LIST },
	[EMAIL_PREVIEW] = { .name = "preview", .needs = WANT_LIST },
	[EMAIL_BODY_VALUES] = { .name = "bodyValues", .needs = WANT_STRUCTURE },
	[EMAIL_TEXT_BODY] = { .name = "textBody", .needs = WANT_STRUCTURE },
	[EMAIL_HTML_BODY] = { .name = "htmlBody", .needs = WANT_STRUCTURE },
	[EMAIL_ATTACHMENTS] = { .name = "attachments", .needs = WANT_STRUCTURE },
	[EMAIL_BODY_STRUCTURE] = { .name = "bodyStructure", .needs = WANT_STRUCTURE },
	[EMAIL_HEADERS] = { .name = "headers", .needs = WANT_HEADER | WANT_STRUCTURE }
};

static const char *const part_names[PART_NAMED] = {
	"partId", "blobId", "size", "name", "type", "charset", "disposition", "cid", "language",
	"location", "subParts", "headers"
};

const char *
email_property_name(enum email_property p)
{
	return named[p].name;
}

bool
email_property_header(enum email_property p, struct header_property *h)
{
	if (p >= EMAIL_NAMED || named[p].field == NULL)
		return false;
	*h = (struct header_property){ .name = span_str(named[p].field), .form = named[p].form };
	return true;
}

const char *
part_property_name(enum part_property p)
{
	return part_names[p];
}

static bool
complain(struct arena *a, struct span *why, const char *text, struct span name)
{
	struct buf b = { 0 };

	buf_add_span(&b, mime_utf8_cut(name, 100));
	buf_add_str(&b, text);
	*why = arena_span(a, buf_span(&b));
	buf_fini(&b);
	return false;
}

static bool
find_name(bool of_part, struct span name, unsigned *what)
{
	for (unsigned i = 0; i < (of_part ? PART_NAMED : EMAIL_NAMED); i++)
		if (span_eq_str(name, of_part ? part_names[i] : named[i].name)) {
			*what = i;
			return true;
		}
	return false;
}

/* A header property that is one of the named ones by another name. */
static void
rename_header(struct want_property *p)
{
	for (unsigned i = 0; i < EMAIL_NAMED; i++)
		if (named[i].field != NULL && !p->header.all && p->header.form == named[i].form &&
		    span_caseeq_str(p->header.name, named[i].field))
			p->what = i;
}

static bool
read_one(struct arena *a, bool of_part, struct span name, struct want_property *p,
    struct span *why)
{
	p->key = name;
	if (find_name(of_part, name, &p->what))
		return true;
	p->what = of_part ? (unsigned)PART_HEADER : (unsigned)EMAIL_HEADER;
	switch (header_property_read(name, &p->header)) {
	case HEADER_FORBIDDEN:
		return complain(a, why, ": this header field has no such form", name);
	case HEADER_BAD:
		return complain(a, why, ": there is no such property", name);
	default:
		if (!of_part)
			rename_header(p);
		return true;
	}
}

static bool
is_known(const struct want_property *v, size_t n, struct span key)
{
	for (size_t i = 0; i < n; i++)
		if (span_eq(v[i].key, key))
			return true;
	return false;
}

static bool
read_list(struct arena *a, const struct json *list, bool of_part, struct want_property *v,
    size_t *n, struct span *why)
{
	for (size_t i = 0; i < json_count(list); i++) {
		struct span name;

		if (!json_as_string(json_item(list, i), &name))
			return complain(a, why, "a property is a string", SPAN_NONE);
		if (is_known(v, *n, name))
			continue;
		if (*n == WANT_PROPERTIES_MAX)
			return complain(a, why, "too many properties", SPAN_NONE);
		if (!read_one(a, of_part, name, &v[*n], why))
			return false;
		(*n)++;
	}
	return true;
}

static void
take_named(struct want_property *v, size_t *n, bool of_part, unsigned from, unsigned to)
{
	for (unsigned i = from; i <= to; i++)
		v[(*n)++] = (struct want_property){ .what = i,
		    .key = span_str(of_part ? part_names[i] : named[i].name) };
}

bool
email_want_read(struct arena *a, const struct json *properties,
    const struct json *part_properties, bool parse, struct email_want *w, const char **argument,
    struct span *why)
{
	w->v = arena_array(a, WANT_PROPERTIES_MAX, sizeof(*w->v));
	w->parts = arena_array(a, WANT_PROPERTIES_MAX, sizeof(*w->parts));
	w->n = w->n_parts = 0;
	*argument = "properties";
	if (!parse)
		take_named(w->v, &w->n, false, EMAIL_ID, EMAIL_ID);
	if (properties != NULL && !read_list(a, properties, false, w->v, &w->n, why))
		return false;
	if (properties == NULL)
		take_named(w->v, &w->n, false, parse ? EMAIL_MESSAGE_ID : EMAIL_BLOB_ID,
		    EMAIL_ATTACHMENTS);
	*argument = "bodyProperties";
	if (part_properties == NULL)
		take_named(w->parts, &w->n_parts, true, PART_ID, PART_LOCATION);
	else if (!read_list(a, part_properties, true, w->parts, &w->n_parts, why))
		return false;
	return true;
}

bool
email_wants(const struct email_want *w, enum email_property p)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->v[i].what == p)
			return true;
	return false;
}

void
email_want_needs(struct email_want *w)
{
	bool parts = false;

	w->needs = 0;
	for (size_t i = 0; i < w->n; i++) {
		w->needs |= w->v[i].what < EMAIL_NAMED ? named[w->v[i].what].needs :
		    WANT_HEADER | WANT_STRUCTURE;
		parts |= w->v[i].what >= EMAIL_TEXT_BODY && w->v[i].what <= EMAIL_BODY_STRUCTURE;
	}
	for (size_t i = 0; parts && i < w->n_parts; i++) {
		if (w->parts[i].what == PART_SIZE)
			w->needs |= WANT_SIZES;
		if (w->parts[i].what == PART_HEADERS || w->parts[i].what == PART_HEADER)
			w->needs |= WANT_PART_HEADERS;
	}
}
