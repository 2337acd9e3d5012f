/* common/crypto/encode.h
 * Base64 and hex, strict: one text for one run of bytes, nothing ignored.  (Mail
 * bodies are decoded by common/mime, which forgives.) */
#ifndef COMMON_CRYPTO_ENCODE_H
#define COMMON_CRYPTO_ENCODE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/util/buf.h"
#include "common/util/span.h"

/* RFC 4648 4, with padding, no line breaks; appended. */
void base64_encode(struct span in, struct buf *out);
/* false, with out as it was: a byte outside the alphabet, wrong padding, bits set
 * behind the end, or more than max bytes decoded. */
bool base64_decode(struct span in, size_t max, struct buf *out);
/* RFC 4648 5 (- and _), without padding. */
void base64url_encode(struct span in, struct buf *out);
bool base64url_decode(struct span in, size_t max, struct buf *out);

/* Lower case; decoding takes both cases. */
void hex_encode(struct span in, struct buf *out);
bool hex_decode(struct span in, size_t max, struct buf *out);

#endif
