/* jmapd/email/pass.h
 * One way through a message's bytes, which takes what is wanted of them: headers as they stand,
 * texts decoded, sizes counted.  The bytes come in order and in any pieces; memory does not grow
 * with the message, but with what is kept of it, which has a limit. */
#ifndef JMAPD_EMAIL_PASS_H
#define JMAPD_EMAIL_PASS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/mime/charset.h"
#include "common/mime/coding.h"
#include "common/util/buf.h"
#include "common/util/span.h"

enum pass_kind { PASS_HEADER, PASS_TEXT, PASS_SIZE };
struct pass_take {
	enum pass_kind		kind;
	uint32_t		part;		/* who wants it */
	uint64_t		start, len;	/* in the message */
	/* PASS_TEXT and PASS_SIZE */
	enum mime_coding	coding;
	struct span		charset;	/* of a text; borrowed */
	bool			html;
	uint64_t		max;		/* bytes of the text at most, 0: all */

	/* What came: */
	struct buf		out;
	uint64_t		size;		/* of the content */
	bool			problem, truncated;

	/* The rest is pass.c's. */
	bool			begun, cr;
	struct mime_decoder	decoder;
	struct mime_charset	*chars;
};

struct pass {
	struct pass_take	*v;		/* do not overlap but for the same start and length */
	size_t			n, room, at;
	uint64_t		offset;		/* of the next byte */
	size_t			kept, keep_max;
	bool			full;		/* keep_max was reached: what came is not whole */
};
/* keep_max: bytes that all takes may keep together. */
void pass_init(struct pass *p, size_t keep_max);
void pass_fini(struct pass *p);
/* Another one; begin before feeding. */
struct pass_take *pass_add(struct pass *p, enum pass_kind kind, uint32_t part, uint64_t start,
    uint64_t len);
void pass_begin(struct pass *p);
/* Where the last one ends: bytes behind it are not needed. */
uint64_t pass_end(const struct pass *p);
void pass_feed(struct pass *p, struct span raw);
/* All that there is of the message was fed. */
void pass_finish(struct pass *p);
/* What was wanted for a part; NULL: nothing of this kind. */
struct pass_take *pass_find(const struct pass *p, enum pass_kind kind, uint32_t part);

/* The longest beginning of text that has at most max bytes and cuts neither a character nor, in
 * HTML, a tag or comment. */
struct span pass_cut_text(struct span text, size_t max, bool html);

#endif
