/* authd/throttle.h
 * Slows guessing down: failures are counted per account name and per client address (an
 * IPv6 /64 is one), and each further attempt waits longer.  Attempts that wait already
 * count as failed, so that many at once are no way around it.  The tables are bounded;
 * what was not seen for the forget time is forgotten, the longest unseen first. */
#ifndef AUTHD_THROTTLE_H
#define AUTHD_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/net/addr.h"
#include "common/net/cidr.h"
#include "common/util/span.h"

#define THROTTLE_WAITING_MAX 64		/* attempts of one address or account that may wait */

struct throttle_config {
	bool			enabled;
	uint32_t		free_failures;
	uint32_t		delay_ms, max_delay_ms;
	uint32_t		forget_s;
	const struct cidr	*exempt, *proxies;	/* copied */
	size_t			n_exempt, n_proxies;
};

struct throttle;
struct throttle *throttle_new(const struct throttle_config *cf);
void throttle_free(struct throttle **t);
/* Keeps what was counted. */
void throttle_configure(struct throttle *t, const struct throttle_config *cf);

/* An attempt comes; it counts as waiting until its end.  peer: text; what is no address is
 * exempt (a UNIX socket).  false: too many wait already, refuse it (no end follows). */
bool throttle_begin(struct throttle *t, uint64_t now_ms, struct span user, struct span peer,
    uint64_t *delay_ms);
enum throttle_end { THROTTLE_FAILED, THROTTLE_OK, THROTTLE_NEITHER };
void throttle_end(struct throttle *t, uint64_t now_ms, struct span user, struct span peer,
    enum throttle_end how);
/* How many names and addresses are counted. */
uint32_t throttle_known(const struct throttle *t);

#endif
