/* common/mime/summary.h
 * What is kept of a message beside its bytes, as two flat blobs made by common/mime/digest.h and
 * read here without copying: LIST (envelope, thread keys, preview) and STRUCTURE (parts).
 * Both begin with a version byte; another version reads as ST_UNSUPPORTED and the message is digested anew. */
#ifndef COMMON_MIME_SUMMARY_H
#define COMMON_MIME_SUMMARY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/mime/address.h"
#include "common/mime/coding.h"
#include "common/mime/parser.h"
#include "common/util/bytes.h"
#include "common/util/span.h"
#include "common/util/status.h"

#define MIME_LIST_VERSION	1
#define MIME_STRUCTURE_VERSION	1
#define MIME_LIST_MAX		163840u		/* bytes of the blobs; see the digest for what gives way */
#define MIME_STRUCTURE_MAX	262144u

/* A list inside a blob; iterate a copy of it. */
struct mime_seq {
	struct span	raw;
	uint32_t	n;
};
bool mime_seq_addr(struct mime_seq *s, struct mime_addr *a);
bool mime_seq_span(struct mime_seq *s, struct span *v);
/* Name and value, both as in the message. */
bool mime_seq_param(struct mime_seq *s, struct span *name, struct span *value);

enum mime_addr_list {
	MIME_FROM, MIME_SENDER, MIME_REPLY_TO, MIME_TO, MIME_CC, MIME_BCC, MIME_ADDR_LISTS
};
/* ENVELOPE, RFC 3501 7.4.2.  Text is the field on one line, not decoded; p NULL is NIL
 * (no such field), "" an empty one. */
struct mime_envelope {
	struct span	date, subject, in_reply_to, message_id;
	struct mime_seq	lists[MIME_ADDR_LISTS];
};
/* The list as ENVELOPE shows it: Sender and Reply-To that are missing or empty are From. */
struct mime_seq mime_envelope_list(const struct mime_envelope *e, enum mime_addr_list which);

/* Fields kept whole (first of each, on one line, not decoded), for lists and for search without
 * the message. */
enum mime_kept {
	MIME_LIST_ID, MIME_LIST_POST, MIME_LIST_UNSUBSCRIBE, MIME_LIST_UNSUBSCRIBE_POST,
	MIME_IMPORTANCE, MIME_X_PRIORITY, MIME_PRECEDENCE, MIME_AUTO_SUBMITTED,
	MIME_DISPOSITION_TO, MIME_KEPT
};
extern const char *const mime_kept_names[MIME_KEPT];

struct mime_list {
	struct mime_envelope	env;
	bool			has_attachment;
	bool			is_reply;	/* the base subject lost "Re:" or "Fwd:" */
	bool			has_sent;
	/* The header has more to tell of these fields: one was cut, or is repeated, or reads
	 * differently by the letter. */
	bool			partial;
	int64_t			sent_s;		/* Date field, UTC */
	int16_t			sent_zone;
	struct span		id;		/* of Message-ID, bare; empty: none */
	struct mime_seq		in_reply_to, references;	/* bare ids */
	struct span		base_subject;	/* UTF-8 */
	struct span		preview;	/* UTF-8, at most 200 characters (RFC 8970) */
	struct span		kept[MIME_KEPT];	/* p NULL: no such field */
};
/* ST_CORRUPT: not a blob of ours.  Everything points into blob. */
enum status mime_list_read(struct span blob, struct mime_list *l);

/* One part as BODYSTRUCTURE shows it.  Text as in the message; p NULL is NIL. */
struct mime_part_view {
	struct mime_part	at;		/* kind, tree and places */
	struct span		type, subtype;	/* never empty; what a leaf cannot be shown as was replaced */
	struct mime_seq		params;
	struct span		id, description;
	struct span		encoding;	/* the token, "7BIT" when none */
	enum mime_coding	coding;
	struct span		md5;
	struct span		disposition;
	struct mime_seq		disposition_params;
	struct mime_seq		language;
	struct span		location;
	/* Bytes of a leaf's content, its transfer encoding undone; known false: not counted. */
	bool			known;
	uint64_t		decoded;
	/* A leaf that is a message all the same, in a transfer encoding: its subtype is "rfc822"
	 * or "global", while type and subtype are what IMAP may show.  p NULL: it is none. */
	struct span		message;
	bool			has_env;	/* the header of a message inside a MIME_MESSAGE */
	struct mime_envelope	env;
};

struct mime_structure {
	struct span	blob;
	uint32_t	parts;		/* at least 1 */
	uint64_t	size;		/* of the message */
	uint32_t	*offsets;	/* of the parts in blob */
	uint32_t	offset_small[32];
};
/* Checks the tree and every record once.  On ST_OK close it; the blob stays the caller's. */
enum status mime_structure_open(struct span blob, struct mime_structure *s);
void mime_structure_close(struct mime_structure *s);
/* i < parts; 0 is the message.  Children: at.first, then at.next. */
void mime_structure_part(const struct mime_structure *s, uint32_t i, struct mime_part_view *v);

/* IMAP section numbers to a part (RFC 3501 6.4.5): path 1.2, n = 0 is the message.  A message that
 * is no multipart has one part, 1, which is *i = the message itself.  false: no such part. */
bool mime_structure_find(const struct mime_structure *s, const uint32_t *path, size_t n, uint32_t *i);

enum mime_section { MIME_SECTION_ALL, MIME_SECTION_HEADER, MIME_SECTION_TEXT, MIME_SECTION_MIME };
struct mime_range {
	uint64_t	start, len;
};
/* The bytes of BODY[path.section] in the message.  HEADER and TEXT with a path need a message/rfc822
 * there, MIME needs a path.  false: no such section (BODY shows NIL). */
bool mime_structure_section(const struct mime_structure *s, const uint32_t *path, size_t n,
    enum mime_section section, struct mime_range *r);

#endif
