/* common/json/writer.h
 * Writes JSON text (RFC 8259) straight into a buffer: commas, colons and escapes are
 * put here, nothing is kept.  Bytes that are not UTF-8 become U+FFFD, so that the
 * text is always valid.  Nesting deeper than JSON_WRITER_DEPTH is our own mistake. */
#ifndef COMMON_JSON_WRITER_H
#define COMMON_JSON_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/util/buf.h"
#include "common/util/span.h"

#define JSON_WRITER_DEPTH 192	/* the parts of a message lie 64 deep, two levels each */

struct json_writer {
	struct buf	*out;
	uint64_t	in_object[JSON_WRITER_DEPTH / 64];	/* bit n: level n is an object */
	uint64_t	not_first[JSON_WRITER_DEPTH / 64];	/* bit n: level n has a member */
	unsigned	depth;
	bool		after_key;
};

/* out is borrowed. */
void json_writer_init(struct json_writer *w, struct buf *out);
void json_begin_object(struct json_writer *w);
void json_end_object(struct json_writer *w);
void json_begin_array(struct json_writer *w);
void json_end_array(struct json_writer *w);
void json_key(struct json_writer *w, const char *key);
void json_key_span(struct json_writer *w, struct span key);
void json_string(struct json_writer *w, struct span s);
void json_str(struct json_writer *w, const char *s);	/* NULL: null */
void json_int(struct json_writer *w, int64_t v);
void json_uint(struct json_writer *w, uint64_t v);
void json_bool(struct json_writer *w, bool v);
void json_null(struct json_writer *w);
/* A value that is JSON text already. */
void json_raw(struct json_writer *w, struct span text);

/* key and value in one. */
void json_kv_string(struct json_writer *w, const char *key, struct span s);
void json_kv_str(struct json_writer *w, const char *key, const char *s);
void json_kv_int(struct json_writer *w, const char *key, int64_t v);
void json_kv_uint(struct json_writer *w, const char *key, uint64_t v);
void json_kv_bool(struct json_writer *w, const char *key, bool v);

#endif
