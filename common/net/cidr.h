/* common/net/cidr.h
 * Networks, for lists of who may connect. */
#ifndef COMMON_NET_CIDR_H
#define COMMON_NET_CIDR_H

#include <stdbool.h>
#include <stddef.h>

#include "common/net/addr.h"

struct cidr {
	struct net_ip	ip;		/* host bits are zero */
	uint8_t		bits;
};

/* "10.0.0.0/8", "2001:db8::/32", "::1" (a single host), "unix" (any UNIX peer).  Host
 * bits that are set are refused: they show a mistake.  ::ffff:10.0.0.0/104 is
 * 10.0.0.0/8. */
bool cidr_parse(struct span s, struct cidr *c);
bool cidr_match(const struct cidr *c, const struct net_ip *ip);
bool cidr_match_any(const struct cidr *list, size_t n, const struct net_ip *ip);

#endif
