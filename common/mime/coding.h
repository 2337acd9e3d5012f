/* common/mime/coding.h
 * Content-Transfer-Encodings (RFC 2045 6), piece by piece and forgiving: bytes
 * outside the alphabet are skipped, wrong escapes are kept as they stand. */
#ifndef COMMON_MIME_CODING_H
#define COMMON_MIME_CODING_H

#include <stdbool.h>

#include "common/util/buf.h"
#include "common/util/span.h"

enum mime_coding {
	MIME_CODING_7BIT, MIME_CODING_8BIT, MIME_CODING_BINARY,
	MIME_CODING_BASE64, MIME_CODING_QP,
	MIME_CODING_UNKNOWN		/* bytes pass unchanged; BINARY[] answers UNKNOWN-CTE */
};
/* The value of the header field; empty means 7bit, and so do "7-bit" and "7bits". */
enum mime_coding mime_coding_parse(struct span value);

/* Zeroed but for coding: at the start. */
struct mime_decoder {
	enum mime_coding	coding;
	uint32_t		bits;		/* base64: collected */
	uint8_t			n;		/* base64: characters in bits; qp: bytes in held */
	char			held[2];	/* qp: "=" and what followed */
	struct buf		blanks;		/* qp: blanks that may stand at a line's end */
};
void mime_decoder_init(struct mime_decoder *d, enum mime_coding coding);
void mime_decoder_fini(struct mime_decoder *d);
void mime_decoder_feed(struct mime_decoder *d, struct span in, struct buf *out);
void mime_decoder_done(struct mime_decoder *d, struct buf *out);

/* How many bytes a base64 text decodes to, without doing it.  Zeroed: at the start. */
struct mime_base64_count {
	uint64_t	n;		/* characters since the last padding */
	uint64_t	bytes;		/* before it */
};
void mime_base64_count(struct mime_base64_count *c, struct span in);
uint64_t mime_base64_counted(const struct mime_base64_count *c);

/* base64 in lines of 76, each ended by CRLF, the last one too; appended. */
void mime_base64_lines(struct span in, struct buf *out);
/* Quoted-printable for text whose line ends are CRLF or LF; lines at most 76; appended. */
void mime_qp_lines(struct span in, struct buf *out);

#endif
