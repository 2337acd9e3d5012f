/* jmapd/email/compose_priv.h
 * The tree of parts between reading (compose_read.c) and writing (compose.c). */
#ifndef JMAPD_EMAIL_COMPOSE_PRIV_H
#define JMAPD_EMAIL_COMPOSE_PRIV_H

#include "jmapd/email/compose.h"

enum compose_coding { COMPOSE_7BIT, COMPOSE_8BIT, COMPOSE_BINARY, COMPOSE_QP, COMPOSE_BASE64 };

struct compose_part {
	struct compose_part	*first, *next;	/* children; of the same parent */
	struct span		type;		/* "text/plain", lower case */
	struct span		content_type;	/* header:Content-Type as written; p NULL: made */
	struct span		charset, name, disposition, boundary;
	struct buf		fields;		/* its other fields, written */
	bool			has_disposition;	/* among fields */
	bool			multipart, message;
	struct span		value;		/* out of bodyValues */
	bool			has_value;
	struct compose_blob	*blob;
	enum compose_coding	coding;
};

static inline bool
compose_type_is(const struct compose_part *p, const char *prefix)
{
	return span_has_prefix(p->type, prefix);
}

/* The part of another one; type borrowed. */
struct compose_part *compose_part_new(struct compose *c, const char *type);

#endif
