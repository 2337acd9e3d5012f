#include "common/net/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static void
set_ip6(struct net_ip *ip, const unsigned char b[16])
{
	static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

	memset(ip, 0, sizeof(*ip));
	if (memcmp(b, mapped, sizeof(mapped)) == 0) {
		ip->family = NET_IP4;
		memcpy(ip->b, b + sizeof(mapped), 4);
	} else {
		ip->family = NET_IP6;
		memcpy(ip->b, b, 16);
	}
}

static void
set_ip4(struct net_ip *ip, const void *b)
{
	memset(ip, 0, sizeof(*ip));
	ip->family = NET_IP4;
	memcpy(ip->b, b, 4);
}

bool
net_ip_parse(struct span s, struct net_ip *ip)
{
	unsigned char b[16];
	char text[NET_IP_STR];

	if (s.len == 0 || s.len >= sizeof(text) || memchr(s.p, 0, s.len) != NULL)
		return false;
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	if (inet_pton(AF_INET, text, b) == 1)
		set_ip4(ip, b);
	else if (inet_pton(AF_INET6, text, b) == 1)
		set_ip6(ip, b);
	else
		return false;
	return true;
}

const char *
net_ip_print(const struct net_ip *ip, char out[NET_IP_STR])
{
	if (ip->family == NET_IP4)
		inet_ntop(AF_INET, ip->b, out, NET_IP_STR);
	else if (ip->family == NET_IP6)
		inet_ntop(AF_INET6, ip->b, out, NET_IP_STR);
	else
		strcpy(out, ip->family == NET_UNIX ? "unix" : "none");
	return out;
}

bool
net_ip_equal(const struct net_ip *a, const struct net_ip *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

bool
net_ip_is_local(const struct net_ip *ip)
{
	static const uint8_t loopback6[16] = { [15] = 1 };

	if (ip->family == NET_IP6)
		return memcmp(ip->b, loopback6, 16) == 0;
	return ip->family == NET_UNIX || (ip->family == NET_IP4 && ip->b[0] == 127);
}

struct net_ip
net_ip_throttle_key(const struct net_ip *ip)
{
	struct net_ip key = *ip;

	if (key.family == NET_IP6)
		memset(key.b + 8, 0, 8);
	return key;
}

struct net_ip
net_ip_of(const struct sockaddr *sa, uint16_t *port)
{
	struct net_ip ip = { 0 };
	uint16_t p = 0;

	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)sa;

		set_ip4(&ip, &in->sin_addr);
		p = ntohs(in->sin_port);
	} else if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)sa;

		set_ip6(&ip, in6->sin6_addr.s6_addr);
		p = ntohs(in6->sin6_port);
	} else if (sa->sa_family == AF_UNIX) {
		ip.family = NET_UNIX;
	}
	if (port != NULL)
		*port = p;
	return ip;
}

static bool
parse_path(struct span s, struct net_addr *a)
{
	if (s.len == 0 || s.len >= sizeof(a->path) || s.p[0] != '/' ||
	    memchr(s.p, 0, s.len) != NULL)
		return false;
	a->ip.family = NET_UNIX;
	memcpy(a->path, s.p, s.len);
	return true;
}

bool
net_addr_parse(struct span s, struct net_addr *a)
{
	bool bracket = s.len > 0 && s.p[0] == '[';
	struct span host, rest;
	uint32_t port;

	memset(a, 0, sizeof(*a));
	if (span_has_prefix(s, "unix:"))
		return parse_path(span_sub(s, 5, s.len), a);
	rest = bracket ? span_sub(s, 1, s.len) : s;
	host = span_cut(&rest, bracket ? ']' : ':');
	if (bracket) {
		if (rest.len == 0 || rest.p[0] != ':')
			return false;
		rest = span_sub(rest, 1, rest.len);
	}
	if (!span_u32(rest, &port) || port > 65535 || !net_ip_parse(host, &a->ip))
		return false;
	/* Brackets are for the notation with colons, and only for that. */
	if (bracket != (span_find(host, ':') < host.len))
		return false;
	a->port = (uint16_t)port;
	return true;
}

const char *
net_addr_print(const struct net_addr *a, char out[NET_ADDR_STR])
{
	char ip[NET_IP_STR];

	if (a->ip.family == NET_UNIX)
		snprintf(out, NET_ADDR_STR, "unix:%.107s", a->path);
	else
		snprintf(out, NET_ADDR_STR, a->ip.family == NET_IP6 ? "[%s]:%u" : "%s:%u",
		    net_ip_print(&a->ip, ip), a->port);
	return out;
}
