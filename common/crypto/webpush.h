/* common/crypto/webpush.h
 * What Web Push asks of cryptography: a message that its subscriber alone can read (RFC 8291: one
 * record of RFC 8188's aes128gcm), and the key by which a sender is known (VAPID, RFC 8292). */
#ifndef COMMON_CRYPTO_WEBPUSH_H
#define COMMON_CRYPTO_WEBPUSH_H

#include <stdbool.h>

#include "common/util/buf.h"
#include "common/util/span.h"

#define WEBPUSH_POINT_LEN	65u	/* of a P-256 public key, uncompressed */
#define WEBPUSH_AUTH_LEN	16u	/* of a subscriber's authentication secret */
#define WEBPUSH_SALT_LEN	16u
#define WEBPUSH_SCALAR_LEN	32u
/* A body of 4,096 bytes is what every push service takes (RFC 8030 §7.2). */
#define WEBPUSH_TEXT_MAX	(4096u - 86u - 17u)

/* Is it a point of the curve, in the uncompressed form? */
bool webpush_point_valid(struct span point);

/* The body for the subscriber whose keys these are, appended; each has a key and a salt of its own.
 * false, with out as it was: the keys are none, or text is too long. */
bool webpush_encrypt(struct span p256dh, struct span auth, struct span text, struct buf *out);
/* The same with a given private key and salt, for a comparison with published values. */
bool webpush_encrypt_with(struct span scalar, struct span salt, struct span p256dh,
    struct span auth, struct span text, struct buf *out);

struct vapid;

/* A P-256 private key in PEM, without a password; NULL: it is none. */
struct vapid *vapid_read(struct span pem);
void vapid_free(struct vapid **v);
/* A new one as PEM, appended; secret. */
void vapid_generate(struct buf *pem);
/* The public key, as a point. */
struct span vapid_public(const struct vapid *v);
/* ES256: r and s side by side (RFC 7518 §3.4). */
#define VAPID_SIGNATURE_LEN 64u
void vapid_sign(const struct vapid *v, struct span data, unsigned char out[VAPID_SIGNATURE_LEN]);

#endif
