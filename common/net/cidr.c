#include "common/net/cidr.h"

#include <string.h>

static unsigned
family_bits(const struct net_ip *ip)
{
	return ip->family == NET_IP4 ? 32 : ip->family == NET_IP6 ? 128 : 0;
}

static bool
same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

static bool
host_bits_clear(const struct cidr *c)
{
	for (unsigned i = c->bits; i < family_bits(&c->ip); i++)
		if (c->ip.b[i / 8] >> (7 - i % 8) & 1)
			return false;
	return true;
}

bool
cidr_parse(struct span s, struct cidr *c)
{
	struct span rest = s, host = span_cut(&rest, '/');
	bool colons = span_find(host, ':') < host.len;
	uint32_t bits;

	memset(c, 0, sizeof(*c));
	if (span_eq_str(s, "unix")) {
		c->ip.family = NET_UNIX;
		return true;
	}
	if (!net_ip_parse(host, &c->ip))
		return false;
	bits = colons ? 128 : 32;
	if (rest.p != NULL && (!span_u32(rest, &bits) || bits > (colons ? 128 : 32)))
		return false;
	if (colons && c->ip.family == NET_IP4) {	/* mapped */
		if (bits < 96)
			return false;
		bits -= 96;
	}
	c->bits = (uint8_t)bits;
	return host_bits_clear(c);
}

bool
cidr_match(const struct cidr *c, const struct net_ip *ip)
{
	return c->ip.family == ip->family && ip->family != NET_NONE &&
	    same_bits(c->ip.b, ip->b, c->bits);
}

bool
cidr_match_any(const struct cidr *list, size_t n, const struct net_ip *ip)
{
	for (size_t i = 0; i < n; i++)
		if (cidr_match(&list[i], ip))
			return true;
	return false;
}
