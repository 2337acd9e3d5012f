/* common/worker/counts.h
 * How many connections of this worker an account or a client's address has, for limits
 * that every protocol sets.  An address is what is throttled as one: an IPv4 address, an
 * IPv6 /64; UNIX sockets are not counted. */
#ifndef COMMON_WORKER_COUNTS_H
#define COMMON_WORKER_COUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/net/addr.h"
#include "common/util/table.h"

struct counts {			/* zeroed: none */
	struct table	by_address, by_account;
};

void counts_fini(struct counts *c);
/* One more, unless there are `max` already: false then.  Each true needs its leave. */
bool counts_enter_address(struct counts *c, const struct net_ip *ip, uint32_t max);
/* It was refused, and is for the first time since it had no connections: worth a line. */
bool counts_is_news(struct counts *c, const struct net_ip *ip);
void counts_leave_address(struct counts *c, const struct net_ip *ip);
bool counts_enter_account(struct counts *c, uint64_t account, uint32_t max);
void counts_leave_account(struct counts *c, uint64_t account);

#endif
