/* common/proto/http.h
 * HTTP/1.1 as a server reads it (RFC 9112; fields and methods of RFC 9110), without I/O: heads of
 * requests, the framing of their bodies, chunks.
 *
 * Where two readers could disagree about where a request ends (RFC 9112 §11.2) it is refused and the
 * connection is over: Content-Length beside Transfer-Encoding, lengths that differ, a coding other
 * than chunked, folded fields, blanks around a field's name, line ends other than CRLF. */
#ifndef COMMON_PROTO_HTTP_H
#define COMMON_PROTO_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/util/buf.h"
#include "common/util/span.h"
#include "common/util/status.h"

#define HTTP_HEAD_MAX		(32u << 10)	/* of a request: its line and all fields */
#define HTTP_LINE_MAX		(8u << 10)	/* of the request line */
#define HTTP_FIELDS_MAX		100u
#define HTTP_CHUNK_LINE_MAX	256u		/* size and extensions */
#define HTTP_TRAILERS_MAX	(8u << 10)

enum http_body { HTTP_NO_BODY, HTTP_LENGTH, HTTP_CHUNKED };

struct http_field {
	struct span	name, value;	/* the value without blanks around it; it may hold 8-bit */
};

/* Spans point into what was parsed. */
struct http_head {
	struct span		method, target;
	unsigned		minor;		/* of HTTP/1; what is above 1 counts as 1 */
	struct http_field	fields[HTTP_FIELDS_MAX];
	size_t			n_fields;
	struct span		host;		/* empty: none, in HTTP/1.0 */
	enum http_body		body;
	uint64_t		length;		/* of HTTP_LENGTH */
	bool			keep;		/* the connection goes on behind it */
	bool			expects;	/* 100-continue */
	bool			upgrades;	/* Connection names Upgrade */
};

/* in: what came, from a request's first byte on; *scanned: how far it was looked at in vain, 0 at the
 * start.  ST_OK: *used bytes are the head; ST_UNAVAILABLE: more is needed; else *code is what to
 * answer (400, 414, 417, 431, 501, 505), and the connection ends. */
enum status http_head_parse(struct span in, size_t *scanned, struct http_head *h, size_t *used,
    unsigned *code);
/* The first one of this name, any case; false: none.  http_count(): how many. */
bool http_field(const struct http_field *f, size_t n, const char *name, struct span *value);
size_t http_count(const struct http_field *f, size_t n, const char *name);
/* Is the token among the comma-separated ones of all fields of this name, any case; what stands
 * behind ";" of it is passed over? */
bool http_has_token(const struct http_field *f, size_t n, const char *name, const char *token);
/* The next element of a comma-separated list, without blanks around it; false: no more. */
bool http_list_next(struct span *list, struct span *element);
/* Does an Accept-Encoding want this coding (RFC 9110 §12.5.3)?  "*" and "q=0" are heeded. */
bool http_accepts_coding(const struct http_field *f, size_t n, const char *coding);

/* A body in chunks, as it arrives in any pieces.  Zeroed: at its start. */
struct http_chunks {
	uint8_t		state;
	uint64_t	left;		/* of a chunk */
	uint32_t	line, trailers;	/* bytes so far */
	bool		done;
};
/* Takes from the front of *in.  *data: the next run of the body, inside in; empty: all was taken, or
 * c->done: the body ended, and what is left in *in is the next request's.  ST_SYNTAX: 400;
 * ST_LIMIT: 431. */
enum status http_chunks_next(struct http_chunks *c, struct span *in, struct span *data);

/* "/path?query": both without the mark; a target in absolute form loses what is before its path. */
void http_target(struct span target, struct span *path, struct span *query);
/* Undoes %XX; false: one that is none, or it makes a NUL. */
bool http_unescape(struct span s, struct buf *out);
/* %XX for all but the unreserved characters of RFC 3986. */
void http_escape(struct span s, struct buf *out);
/* The value of a name in a query "a=b&c=d", not yet unescaped; false: it is not there. */
bool http_query_get(struct span query, const char *name, struct span *value);

/* One range of a representation of `size` bytes (RFC 9110 §14): ST_OK: from, length; ST_NOT_FOUND: the
 * field asks for nothing that is understood (another unit, several ranges, bad grammar): send all of
 * it; ST_LIMIT: 416. */
enum status http_range(struct span value, uint64_t size, uint64_t *from, uint64_t *length);
/* Does an If-None-Match name this entity tag ("..." or W/"...", weak comparison), or any? */
bool http_etag_matches(struct span value, struct span etag);

/* "Not Found"; never NULL. */
const char *http_reason(unsigned code);
/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 §5.6.7). */
void http_date(int64_t seconds, struct buf *out);

#endif
