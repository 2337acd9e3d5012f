/* common/mime/flat.h
 * A message's parts as clients show them: what is read as text, what is read as HTML, and what is
 * attached, by the algorithm of RFC 8621 §4.1.4.  Messages inside are not looked into. */
#ifndef COMMON_MIME_FLAT_H
#define COMMON_MIME_FLAT_H

#include <stdbool.h>

#include "common/mime/summary.h"

struct mime_flat_list {
	uint32_t	*v;		/* numbers of parts in the structure */
	size_t		n, room;
};
struct mime_flat {
	struct mime_flat_list	text, html, attached;
};
/* flat zeroed. */
void mime_flat_make(const struct mime_structure *s, struct mime_flat *flat);
void mime_flat_fini(struct mime_flat *flat);

/* Is there something among the attached that is to be offered for download: not inline, no
 * signature, not an image that HTML shows? */
bool mime_flat_attachment(const struct mime_structure *s, const struct mime_flat *flat);

#endif
