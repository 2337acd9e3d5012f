/* common/mime/parser.h
 * The structure of a message as it streams by: a tree of parts with byte-exact places.
 * Every run of bytes is a message, and how it was cut on its way makes no difference.
 *
 * How malformed mail is read:
 * - A header ends at an empty line (part of the header), or before the first line that is no field
 *   and no continuation (RFC 5322 3.6.8 names, blanks allowed before the colon; an mbox "From " line
 *   in front is part of the header), or before a boundary, or at the end.
 * - Lines end with LF or CRLF; a CR alone is text.
 * - A boundary line is "--", the boundary, perhaps "--", blanks to the line's end; nothing else.  Open
 *   multiparts are asked from the innermost out.  The line end before it belongs to it.
 * - What is not closed ends with what is around it.
 * - A multipart without boundary, or in which none was found, is a leaf.  So is a message/rfc822
 *   in base64 or quoted-printable, and whatever lies deeper or comes later than the limits.
 * - Header fields behind MIME_HEADER_MAX count as header but are not read. */
#ifndef COMMON_MIME_PARSER_H
#define COMMON_MIME_PARSER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/util/span.h"

#define MIME_DEPTH_MAX		64u		/* parts inside one another */
#define MIME_PARTS_MAX		1000u		/* of one message */
#define MIME_HEADER_MAX		262144u		/* bytes of one part's header that are read */
#define MIME_BOUNDARY_MAX	1000u		/* a longer one is none */
#define MIME_NONE		UINT32_MAX

enum mime_kind {
	MIME_LEAF,
	MIME_MULTIPART,		/* children: the parts */
	MIME_MESSAGE		/* one child: the message inside, whose header is its own */
};

struct mime_part {
	enum mime_kind	kind;
	uint32_t	parent, first, last, next;	/* indexes or MIME_NONE */
	uint32_t	depth;
	uint64_t	header_start, header_len;	/* with the empty line */
	uint64_t	body_start, body_len;		/* in the message, from its first byte */
	uint64_t	header_lines, body_lines;	/* LF in them */
	bool		in_digest;	/* default type is message/rfc822 */
};

/* header: what was read of part i's header, when it ended; returns whether the body of a leaf
 * is wanted.  The kind is not settled before the end.  body: bytes of the leaf's body, in order;
 * returns whether more is wanted.  end: the part is complete.  All may be NULL. */
struct mime_parser_ops {
	bool (*header)(void *arg, uint32_t i, struct span block);
	bool (*body)(void *arg, uint32_t i, struct span data);
	void (*end)(void *arg, uint32_t i);
};

struct mime_parser;
struct mime_parser *mime_parser_new(const struct mime_parser_ops *ops, void *arg);
void mime_parser_free(struct mime_parser **p);
void mime_parser_feed(struct mime_parser *p, const void *data, size_t len);
/* Once, after the last byte. */
void mime_parser_finish(struct mime_parser *p);
/* Parts in the order in which they begin; 0 is the message.  Borrowed until the parser is fed. */
const struct mime_part *mime_parser_parts(const struct mime_parser *p, size_t *n);
uint64_t mime_parser_size(const struct mime_parser *p);

#endif
