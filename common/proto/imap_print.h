/* common/proto/imap_print.h
 * IMAP values as text (RFC 3501 §9), appended to a buffer.  Nothing here formats:
 * these run for every message of a FETCH. */
#ifndef COMMON_PROTO_IMAP_PRINT_H
#define COMMON_PROTO_IMAP_PRINT_H

#include <stdint.h>

#include "common/mime/summary.h"
#include "common/proto/imap_args.h"
#include "common/util/buf.h"

/* Quoted when it may be, else a literal.  nstring: p NULL is NIL. */
void imap_put_string(struct buf *out, struct span s);
void imap_put_nstring(struct buf *out, struct span s);
/* The same where the client enabled UTF-8 in quoted strings (RFC 9755).  s: UTF-8. */
void imap_put_utf8_string(struct buf *out, struct span s);
/* An atom when it may be one, else as imap_put_string(). */
void imap_put_astring(struct buf *out, struct span s);
/* The bytes of a literal.  None may be NUL (RFC 3501 §9, CHAR8): 0x80 takes its place. */
void imap_put_literal_bytes(struct buf *out, struct span s);
/* "01-Feb-1994 21:52:25 -0800", quotes included. */
void imap_put_date_time(struct buf *out, int64_t s, int16_t zone);
void imap_put_envelope(struct buf *out, const struct mime_envelope *e);
/* extended: BODYSTRUCTURE, else BODY. */
void imap_put_structure(struct buf *out, const struct mime_structure *s, bool extended);
/* Part i as BODYSTRUCTURE shows it.  as: of a leaf whose encoding was taken away, what is left of
 * it; NULL: as it stands. */
struct imap_decoded {
	uint64_t	size, lines;
};
void imap_put_part(struct buf *out, const struct mime_structure *s, uint32_t i,
    const struct imap_decoded *as);
/* "[1.2.HEADER.FIELDS (To)]" */
void imap_put_section(struct buf *out, const struct imap_section *sec);

#endif
