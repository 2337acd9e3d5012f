/* authd/scheme.h
 * Password hashes: checking and making them.  Slow on purpose: runs in the children of
 * the pool alone.  Stored form: "{SCHEME}text", or a bare crypt(3) string.
 *
 *   checked: {PLAIN} {CLEARTEXT} {CRYPT} {DES-CRYPT} {MD5-CRYPT} {SHA256-CRYPT}
 *   {SHA512-CRYPT} {BLF-CRYPT} {SHA} {SHA1} {SHA256} {SHA512} {SSHA} {SSHA256} {SSHA512}
 *   {PBKDF2} {ARGON2I} {ARGON2ID}; digests in base64 or, by length, hex; ".B64" and ".HEX"
 *   behind a digest's name are understood. */
#ifndef AUTHD_SCHEME_H
#define AUTHD_SCHEME_H

#include <stdbool.h>
#include <stdint.h>

#include "common/crypto/digest.h"
#include "common/util/buf.h"
#include "common/util/span.h"
#include "common/util/status.h"

#define PASSWORD_MAX 512	/* bytes */
#define HASH_MAX 1024
#define SCRAM_SALT_LEN 16

enum hash_kind { HASH_ARGON2ID, HASH_YESCRYPT };
struct hash_params {
	uint8_t		kind;		/* enum hash_kind */
	uint32_t	memory_kib, passes;	/* argon2id */
	uint32_t	cost;		/* yescrypt */
	uint32_t	scram_iterations;	/* 0: no SCRAM keys */
};

/* ST_OK, ST_DENIED, ST_UNSUPPORTED (scheme not known, text malformed). */
enum status scheme_verify(struct span hash, struct span password);
/* Appends a fresh hash.  false: the library refused the parameters. */
bool scheme_make(const struct hash_params *p, struct span password, struct buf *out);
/* A hash for app passwords, which are random and long: salted, fast.  Checked in place. */
void scheme_make_fast(struct span password, struct buf *out);
bool scheme_is_fast(struct span hash);
/* Can this hash be checked at all? */
bool scheme_known(struct span hash);

/* RFC 5802 section 3: StoredKey and ServerKey, digest_len() bytes each. */
void scram_keys(enum digest_alg alg, struct span password, struct span salt, uint32_t iterations,
    unsigned char *stored_key, unsigned char *server_key);
/* proof (decoded) against StoredKey over the AuthMessage; time tells nothing. */
bool scram_check(enum digest_alg alg, struct span stored_key, struct span auth_message,
    struct span proof);
/* ServerSignature, digest_len() bytes. */
void scram_server_signature(enum digest_alg alg, struct span server_key, struct span auth_message,
    unsigned char *out);

#endif
