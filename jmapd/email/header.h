/* jmapd/email/header.h
 * Header fields as JMAP shows them (RFC 8621 §4.1.2, §4.1.3): which forms a field has, and each
 * form as JSON out of the field's value as it stands in the message. */
#ifndef JMAPD_EMAIL_HEADER_H
#define JMAPD_EMAIL_HEADER_H

#include <stdbool.h>

#include "common/json/writer.h"
#include "common/mime/address.h"
#include "common/util/arena.h"
#include "common/util/buf.h"
#include "common/util/span.h"

enum header_form {
	HEADER_RAW, HEADER_TEXT, HEADER_ADDRESSES, HEADER_GROUPED, HEADER_IDS, HEADER_DATE,
	HEADER_URLS, HEADER_FORMS
};

/* A property "header:Name:asForm:all". */
struct header_property {
	struct span		name;		/* of the field, as written */
	enum header_form	form;
	bool			all;
};
/* HEADER_BAD: no such property; HEADER_FORBIDDEN: one with a form that this field does not
 * have. */
enum header_read { HEADER_OK, HEADER_BAD, HEADER_FORBIDDEN };
enum header_read header_property_read(struct span property, struct header_property *p);
bool header_form_allowed(struct span name, enum header_form form);
/* "asText" */
const char *header_form_name(enum header_form form);

/* The value of a field (behind the colon, without the last line end) in a form. */
void header_put(struct json_writer *w, struct arena *a, enum header_form form, struct span value);
/* The property out of a header block: its last field of the name, or all of them. */
void header_put_property(struct json_writer *w, struct arena *a, const struct header_property *p,
    struct span block);
/* EmailHeader[]: all fields of the block. */
void header_put_all(struct json_writer *w, struct arena *a, struct span block);

/* What lists keep, printed in the same way.  text: one line, not decoded. */
void header_put_text(struct json_writer *w, struct span text);
void header_put_addr(struct json_writer *w, const struct mime_addr *a);
void header_put_date(struct json_writer *w, int64_t sec, int zone_min);
/* "local@domain" as it stands in a message, appended. */
void header_addr_spec(const struct mime_addr *a, struct buf *out);

#endif
