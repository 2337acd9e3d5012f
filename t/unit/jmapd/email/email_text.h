/* t/unit/jmapd/email/email_text.h
 * A message's text to its Email as JSON, without a server. */
#ifndef T_UNIT_JMAPD_EMAIL_EMAIL_TEXT_H
#define T_UNIT_JMAPD_EMAIL_EMAIL_TEXT_H

#include "common/util/buf.h"
#include "common/util/span.h"

struct email_text {
	const char	*properties, *body_properties;	/* JSON arrays, or NULL */
	bool		text, html, all;
	uint64_t	max;
	size_t		piece;		/* bytes fed at a time; 0: all at once */
};
/* Appends the Email; "id" and the like are null.  false: the properties are refused: out has why. */
bool email_text(struct span message, const struct email_text *t, struct buf *out);

#endif
