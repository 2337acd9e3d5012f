/* jmapd/query/snippet.h
 * What a search found in a message, as a reader is shown it (RFC 8621 §5): HTML text in which
 * only <mark> is markup.  Memory is bounded, however long the message is. */
#ifndef JMAPD_QUERY_SNIPPET_H
#define JMAPD_QUERY_SNIPPET_H

#include "common/util/arena.h"
#include "common/util/buf.h"
#include "jmapd/query/filter.h"

#define SNIPPET_MAX 255u	/* octets of a preview */

/* Mapped by i;unicode-casemap, not empty. */
struct snippet_words {
	struct span	*subject, *body;
	size_t		n_subject, n_body;
};
/* Those that messages are to have, not those that they are not to have. */
void snippet_words(const struct filter *f, struct arena *a, struct snippet_words *w);

/* Appends the text, with what matches marked; max > 0: at most so many octets around the first
 * match.  false, out as it was: nothing matches. */
bool snippet_mark(struct span text, const struct span *words, size_t n, size_t max, struct buf *out);

struct snippet;
struct snippet *snippet_new(const struct snippet_words *w);	/* borrowed */
void snippet_free(struct snippet **s);
void snippet_feed(struct snippet *s, struct span raw);
/* The message is over, or enough of it was seen.  Appends; false: null. */
void snippet_finish(struct snippet *s);
bool snippet_subject(const struct snippet *s, struct buf *out);
bool snippet_preview(const struct snippet *s, struct buf *out);

#endif
