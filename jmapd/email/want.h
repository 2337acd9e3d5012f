/* jmapd/email/want.h
 * What Email/get and Email/parse are asked to tell: properties of Emails and of their parts, and
 * which bodies with them. */
#ifndef JMAPD_EMAIL_WANT_H
#define JMAPD_EMAIL_WANT_H

#include <stdbool.h>

#include "common/json/json.h"
#include "common/util/arena.h"
#include "jmapd/email/header.h"

enum email_property {
	EMAIL_ID, EMAIL_BLOB_ID, EMAIL_THREAD_ID, EMAIL_MAILBOX_IDS, EMAIL_KEYWORDS_, EMAIL_SIZE,
	EMAIL_RECEIVED_AT,
	EMAIL_MESSAGE_ID, EMAIL_IN_REPLY_TO, EMAIL_REFERENCES, EMAIL_SENDER, EMAIL_FROM, EMAIL_TO,
	EMAIL_CC, EMAIL_BCC, EMAIL_REPLY_TO, EMAIL_SUBJECT, EMAIL_SENT_AT,
	EMAIL_HAS_ATTACHMENT, EMAIL_PREVIEW,
	EMAIL_BODY_VALUES, EMAIL_TEXT_BODY, EMAIL_HTML_BODY, EMAIL_ATTACHMENTS, EMAIL_BODY_STRUCTURE,
	EMAIL_HEADERS,
	EMAIL_NAMED,			/* those above have a name of their own */
	EMAIL_HEADER = EMAIL_NAMED	/* "header:..." */
};
/* "messageId" */
const char *email_property_name(enum email_property p);
/* The field and form that messageId .. sentAt are. */
bool email_property_header(enum email_property p, struct header_property *h);

enum part_property {
	PART_ID, PART_BLOB_ID, PART_SIZE, PART_NAME, PART_TYPE, PART_CHARSET, PART_DISPOSITION,
	PART_CID, PART_LANGUAGE, PART_LOCATION, PART_SUB_PARTS, PART_HEADERS, PART_NAMED,
	PART_HEADER = PART_NAMED
};
const char *part_property_name(enum part_property p);

struct want_property {
	unsigned		what;		/* enum email_property, enum part_property */
	struct span		key;		/* as it was asked for */
	struct header_property	header;		/* EMAIL_HEADER, PART_HEADER */
};
#define WANT_PROPERTIES_MAX 256u

/* What of the store's knowledge is needed. */
enum { WANT_LIST = 1, WANT_STRUCTURE = 2, WANT_HEADER = 4, WANT_PART_HEADERS = 8, WANT_SIZES = 16 };

struct email_want {
	struct want_property	*v, *parts;	/* each once; "id" is the first of Email/get's */
	size_t			n, n_parts;
	bool			text_values, html_values, all_values;
	uint64_t		max_value_bytes;	/* 0: no limit */
	unsigned		needs;
};

/* properties, part_properties: arrays, or NULL for the default.  parse: Email/parse's, without an id.
 * false: *why says what is wrong (invalidArguments), *argument with which of them. */
bool email_want_read(struct arena *a, const struct json *properties,
    const struct json *part_properties, bool parse, struct email_want *w, const char **argument,
    struct span *why);
/* After the rest was set: what is needed. */
void email_want_needs(struct email_want *w);
bool email_wants(const struct email_want *w, enum email_property p);

#endif
