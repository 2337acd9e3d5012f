#include "outd/address.h"

#include <sys/socket.h>

#include "common/util/mem.h"

/* The IANA registries of special-purpose addresses (RFC 6890 and what came since) and of
 * multicast, rounded up: what is not plainly a host of the Internet is not reached. */
static const struct cidr not_public[] = {
#define V4(a, b, c, d, n) { { NET_IP4, { a, b, c, d } }, n }
	V4(0, 0, 0, 0, 8), V4(10, 0, 0, 0, 8), V4(100, 64, 0, 0, 10), V4(127, 0, 0, 0, 8),
	V4(169, 254, 0, 0, 16), V4(172, 16, 0, 0, 12), V4(192, 0, 0, 0, 24), V4(192, 0, 2, 0, 24),
	V4(192, 31, 196, 0, 24), V4(192, 52, 193, 0, 24), V4(192, 88, 99, 0, 24),
	V4(192, 168, 0, 0, 16), V4(192, 175, 48, 0, 24), V4(198, 18, 0, 0, 15),
	V4(198, 51, 100, 0, 24), V4(203, 0, 113, 0, 24),
	V4(224, 0, 0, 0, 3),	/* multicast, reserved, broadcast */
#undef V4
	/* within 2000::/3, the only part of IPv6 that is global unicast */
	{ { NET_IP6, { 0x20, 0x01, 0x00 } }, 23 },	/* Teredo, ORCHID, benchmarks, ... */
	{ { NET_IP6, { 0x20, 0x01, 0x0d, 0xb8 } }, 32 },
	{ { NET_IP6, { 0x20, 0x02 } }, 16 },		/* 6to4 */
	{ { NET_IP6, { 0x26, 0x20, 0x00, 0x4f, 0x80 } }, 48 },
	{ { NET_IP6, { 0x3f, 0xfe } }, 16 },
	{ { NET_IP6, { 0x3f, 0xff } }, 20 },
};

bool
address_is_public(const struct net_ip *ip)
{
	static const struct cidr unicast = { { NET_IP6, { 0x20 } }, 3 };

	if (ip->family != NET_IP4 && (ip->family != NET_IP6 || !cidr_match(&unicast, ip)))
		return false;
	return !cidr_match_any(not_public, ARRAY_LEN(not_public), ip);
}

bool
address_allowed(const struct sockaddr *sa, const struct conf_cidrs *allow)
{
	struct net_ip ip;

	if (sa->sa_family != AF_INET && sa->sa_family != AF_INET6)
		return false;
	ip = net_ip_of(sa, NULL);
	return address_is_public(&ip) || cidr_match_any(allow->v, allow->n, &ip);
}
