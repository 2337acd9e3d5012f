/* common/mime/field.h
 * A header block and what stands in its fields. */
#ifndef COMMON_MIME_FIELD_H
#define COMMON_MIME_FIELD_H

#include <stdbool.h>

#include "common/util/arena.h"
#include "common/util/buf.h"
#include "common/util/span.h"

/* One field as it stands in the block; borrowed. */
struct mime_field {
	struct span	name;		/* without blanks before the colon */
	struct span	value;		/* behind the colon, folded, without the last line end */
	struct span	raw;		/* the whole field with its last line end */
};
/* Takes the next field off *block.  false: no more.  An mbox "From " line at the start
 * is skipped; the block ends at an empty line or at a line that is no field. */
bool mime_field_next(struct span *block, struct mime_field *f);
/* Is the line (with or without line end) the start of a field? */
bool mime_field_starts(struct span line);
/* First field of the name, in any case; false: none. */
bool mime_field_find(struct span block, const char *name, struct mime_field *f);

/* Appends the value on one line: CR, LF and NUL taken out, blanks trimmed at both ends. */
void mime_unfold(struct span value, struct buf *out);
struct span mime_unfold_arena(struct arena *a, struct span value);

/* Appends unstructured text as UTF-8 (RFC 2047, RFC 2231 5): encoded words decoded, blanks
 * between two of them removed, a character cut between two words of one charset joined,
 * malformed words as they stand, raw 8-bit text as mime_charset does.  Control characters
 * that come out of a word become blanks. */
void mime_words_decode(struct span value, struct buf *out);

/* The same by the letter (RFC 8621 4.1.2.2): words stand between blanks and have none inside, their
 * charset is known, controls that come out of them are dropped; what is not so stays as it is.  The
 * result is in normalization form C.  words false: nothing is decoded. */
void mime_words_decode_strict(struct span value, bool words, struct buf *out);

/* One parameter, decoded: RFC 2231 (continuations, charset) to UTF-8, and RFC 2047 words where
 * senders wrongly put them. */
struct mime_param {
	struct span	name;		/* lower case */
	struct span	value;		/* UTF-8 */
};
#define MIME_PARAMS_MAX 64		/* further ones are ignored */
/* A parameter as it stands, quotes removed, nothing else decoded: what BODYSTRUCTURE shows. */
struct mime_params {
	struct mime_param	v[MIME_PARAMS_MAX];
	size_t			n;
};
/* "type/subtype; a=b": Content-Type.  false: absent or malformed, which RFC 2045 5.2 makes
 * text/plain; type and subtype are set to that then.  Memory is the arena's. */
bool mime_content_type(struct arena *a, struct span value, struct span *type, struct span *subtype,
    struct mime_params *raw);
/* "token; a=b": Content-Disposition.  false: no token; parameters are read all the same. */
bool mime_disposition(struct arena *a, struct span value, struct span *token,
    struct mime_params *raw);
/* The decoded value of one name ("filename") out of raw parameters; false: not there. */
bool mime_param_get(const struct mime_params *raw, const char *name, struct buf *out);
/* "a, b": Content-Language; at most max tags; returns how many. */
size_t mime_tokens(struct arena *a, struct span value, struct span *v, size_t max);

#endif
