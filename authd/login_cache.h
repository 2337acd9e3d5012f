/* authd/login_cache.h
 * Remembers for a while that a user, a password and a service belonged together: as a
 * keyed MAC under a key of this process, never the password.  Bounded. */
#ifndef AUTHD_LOGIN_CACHE_H
#define AUTHD_LOGIN_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/util/buf.h"
#include "common/util/span.h"

struct login_cache;
/* ttl_ms 0: remembers nothing. */
struct login_cache *login_cache_new(uint64_t ttl_ms);
void login_cache_free(struct login_cache **c);
void login_cache_put(struct login_cache *c, uint64_t now_ms, struct span user, struct span password,
    uint8_t service, uint64_t account, struct span app);
/* Appends to app the label of the app password that it was; none: nothing. */
bool login_cache_get(struct login_cache *c, uint64_t now_ms, struct span user, struct span password,
    uint8_t service, uint64_t *account, struct buf *app);
void login_cache_drop_account(struct login_cache *c, uint64_t account);
/* Returns how many there were. */
uint32_t login_cache_flush(struct login_cache *c);

#endif
