/* Where outd may connect. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "common/util/mem.h"
#include "outd/address.h"

static struct net_ip
ip(const char *text)
{
	struct net_ip a;

	if (!net_ip_parse(span_str(text), &a))
		fail_msg("%s is no address", text);
	return a;
}

static void
what_is_not_plainly_on_the_internet_is_refused(void **state)
{
	static const char *const inside[] = {
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255",
		"127.0.0.1", "127.255.255.255", "169.254.169.254", "172.16.0.1", "172.31.255.255",
		"192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.0.1", "192.168.255.255",
		"198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1",
		"239.255.255.250", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::2", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
		"::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "fc00::1",
		"fd12:3456::1", "fe80::1", "febf::1", "fec0::1", "ff02::1", "ff0e::1",
		"2001::1", "2001:0:7f00:1::", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1",
		"2002:7f00:1::1", "2002:c0a8:101::1", "3ffe::1", "3fff::1", "3fff:fff::1", "4000::1",
		"5f00::1", "8000::1",
	};

	for (size_t i = 0; i < ARRAY_LEN(inside); i++) {
		struct net_ip a = ip(inside[i]);

		if (address_is_public(&a))
			fail_msg("%s was taken for public", inside[i]);
	}
}

static void
hosts_of_the_internet_are_public(void **state)
{
	static const char *const outside[] = {
		"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
		"126.255.255.255", "128.0.0.1", "169.253.255.255", "172.15.255.255", "172.32.0.0",
		"192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255",
		"::ffff:8.8.8.8", "2001:200::1", "2001:4860:4860::8888", "2003::1", "2606:4700::1111",
		"2a00:1450::1", "3ffd:ffff::1",
	};

	for (size_t i = 0; i < ARRAY_LEN(outside); i++) {
		struct net_ip a = ip(outside[i]);

		if (!address_is_public(&a))
			fail_msg("%s was refused", outside[i]);
	}
}

static bool
allowed(const char *text, const struct conf_cidrs *list)
{
	struct net_ip a = ip(text);
	struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
	struct sockaddr_in four = { .sin_family = AF_INET };

	if (a.family == NET_IP4) {
		memcpy(&four.sin_addr, a.b, 4);
		return address_allowed((const struct sockaddr *)&four, list);
	}
	memcpy(&six.sin6_addr, a.b, 16);
	return address_allowed((const struct sockaddr *)&six, list);
}

static void
the_configuration_opens_what_it_lists_and_no_more(void **state)
{
	struct cidr c[2];
	const struct conf_cidrs none = { 0 }, list = { c, 2 };
	struct sockaddr_in6 mapped = { .sin6_family = AF_INET6 };
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	assert_true(cidr_parse(SPAN_LIT("127.0.0.1/32"), &c[0]));
	assert_true(cidr_parse(SPAN_LIT("fd00::/8"), &c[1]));
	assert_false(allowed("127.0.0.1", &none));
	assert_true(allowed("127.0.0.1", &list));
	assert_false(allowed("127.0.0.2", &list));
	assert_true(allowed("fd00::1", &list));
	assert_false(allowed("::1", &list));
	assert_true(allowed("8.8.8.8", &none));
	/* the same address in IPv6's clothes */
	mapped.sin6_addr = (struct in6_addr){ { { [10] = 0xff, 0xff, 127, 0, 0, 1 } } };
	assert_false(address_allowed((const struct sockaddr *)&mapped, &none));
	assert_true(address_allowed((const struct sockaddr *)&mapped, &list));
	assert_false(address_allowed((const struct sockaddr *)&un, &list));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_plainly_on_the_internet_is_refused),
		cmocka_unit_test(hosts_of_the_internet_are_public),
		cmocka_unit_test(the_configuration_opens_what_it_lists_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
