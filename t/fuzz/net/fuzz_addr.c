/* Addresses and networks: what is taken prints and parses to the same again. */
#include <assert.h>
#include <string.h>

#include "common/net/addr.h"
#include "common/net/cidr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = span(data, size);
	char text[NET_ADDR_STR];
	struct net_addr a, again;
	struct net_ip ip;
	struct cidr c;

	if (net_addr_parse(s, &a)) {
		/* A mapped address comes back as the IPv4 one it is. */
		net_addr_print(&a, text);
		assert(net_addr_parse(span_str(text), &again));
		assert(memcmp(&a, &again, sizeof(a)) == 0);
	}
	if (net_ip_parse(s, &ip)) {
		struct net_ip key = net_ip_throttle_key(&ip);

		assert(key.family == ip.family);
	}
	if (cidr_parse(s, &c))
		assert(cidr_match(&c, &c.ip));
	return 0;
}
