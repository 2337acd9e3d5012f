/* common/net/addr.h
 * Addresses: what a peer is called, what a listener binds.  Numeric only: nothing
 * here asks a resolver. */
#ifndef COMMON_NET_ADDR_H
#define COMMON_NET_ADDR_H

#include <stdbool.h>
#include <stdint.h>

#include "common/util/span.h"

struct sockaddr;

#define NET_IP_STR	46	/* longest printed IP address, NUL counted */
#define NET_ADDR_STR	128	/* longest printed address, NUL counted */
#define NET_PATH_MAX	108	/* of a UNIX socket, NUL counted (sockaddr_un) */

enum net_family { NET_NONE = 0, NET_UNIX = 1, NET_IP4 = 4, NET_IP6 = 6 };

/* An IPv4 address mapped into IPv6 (::ffff:a.b.c.d) is always kept as IPv4, so
 * that one client has one name.  Comparable with memcmp: unused bytes are zero. */
struct net_ip {
	uint8_t	family;		/* enum net_family */
	uint8_t	b[16];		/* network order; IPv4 in the first four */
};

/* Decimal dotted quad or RFC 4291 text, no brackets, no zone. */
bool net_ip_parse(struct span s, struct net_ip *ip);
/* "192.0.2.1", "2001:db8::1", "unix", "none"; returns out. */
const char *net_ip_print(const struct net_ip *ip, char out[NET_IP_STR]);
bool net_ip_equal(const struct net_ip *a, const struct net_ip *b);
/* 127.0.0.0/8, ::1, and UNIX sockets. */
bool net_ip_is_local(const struct net_ip *ip);
/* The unit that is throttled and counted: an IPv4 address, an IPv6 /64 (one
 * customer commands a whole one). */
struct net_ip net_ip_throttle_key(const struct net_ip *ip);
/* Of a peer as accept() and getpeername() tell it; *port may be NULL. */
struct net_ip net_ip_of(const struct sockaddr *sa, uint16_t *port);

struct net_addr {
	struct net_ip	ip;			/* family NET_UNIX: path counts */
	uint16_t	port;
	char		path[NET_PATH_MAX];
};

/* "127.0.0.1:143", "[::1]:993", "unix:/run/mansio/lmtp" (absolute path).  Port 0 is
 * accepted: the kernel chooses one when bound. */
bool net_addr_parse(struct span s, struct net_addr *a);
const char *net_addr_print(const struct net_addr *a, char out[NET_ADDR_STR]);

#endif
