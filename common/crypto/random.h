/* common/crypto/random.h
 * Random bytes fit for secrets.  Without them nothing is safe: failure ends the
 * process. */
#ifndef COMMON_CRYPTO_RANDOM_H
#define COMMON_CRYPTO_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *p, size_t n);
uint64_t random_u64(void);
/* n characters of a-z0-9 (5.17 bits each) and a NUL: out has room for n + 1. */
void random_id(char *out, size_t n);

#endif
