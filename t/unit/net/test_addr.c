#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/net/addr.h"
#include "common/net/cidr.h"
#include "common/net/listener.h"
#include "common/util/fd.h"
#include "common/util/mem.h"

static void
addresses_print_as_they_were_written(void **state)
{
	static const char *const good[] = {
		"127.0.0.1:143", "0.0.0.0:0", "[::1]:993", "[::]:65535", "[2001:db8::1]:25",
		"unix:/run/mansio/lmtp",
	};
	static const char *const bad[] = {
		"", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
		"127.0.0.1:+1", "127.0.0.1: 1", "::1:993", "[::1]", "[::1]993", "[::1]:",
		"[127.0.0.1]:143", "[::1", "localhost:143", "unix:", "unix:run/x", "*:143",
		"1.2.3:4", "01.2.3.4:5",
	};
	char text[NET_ADDR_STR];
	char path[200] = "unix:/";
	struct net_addr a;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_true(net_addr_parse(span_str(good[i]), &a));
		assert_string_equal(net_addr_print(&a, text), good[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(net_addr_parse(span_str(bad[i]), &a));
	memset(path + 6, 'x', 106);
	assert_true(net_addr_parse(span_str(path), &a));
	assert_string_equal(net_addr_print(&a, text), path);
	strcat(path, "x");
	assert_false(net_addr_parse(span_str(path), &a));
	assert_false(net_addr_parse(SPAN_LIT("unix:/a\0b"), &a));
	assert_false(net_addr_parse(SPAN_LIT("1.2.3.4\0:1"), &a));
}

static void
a_mapped_address_is_the_ipv4_one(void **state)
{
	struct net_ip a, b, k;
	char text[NET_IP_STR];

	assert_true(net_ip_parse(SPAN_LIT("::ffff:192.0.2.7"), &a));
	assert_true(net_ip_parse(SPAN_LIT("192.0.2.7"), &b));
	assert_true(net_ip_equal(&a, &b));
	assert_string_equal(net_ip_print(&a, text), "192.0.2.7");
	k = net_ip_throttle_key(&a);
	assert_true(net_ip_equal(&k, &b));
	assert_true(net_ip_parse(SPAN_LIT("2001:db8:1:2:3:4:5:6"), &a));
	k = net_ip_throttle_key(&a);
	assert_string_equal(net_ip_print(&k, text), "2001:db8:1:2::");
	assert_false(net_ip_is_local(&a));
	assert_true(net_ip_parse(SPAN_LIT("::1"), &a) && net_ip_is_local(&a));
	assert_true(net_ip_parse(SPAN_LIT("127.3.2.1"), &a) && net_ip_is_local(&a));
	assert_false(net_ip_parse(SPAN_LIT("fe80::1%eth0"), &a));
}

static bool
matches(const char *net, const char *address)
{
	struct cidr c;
	struct net_ip ip;

	assert_true(cidr_parse(span_str(net), &c));
	assert_true(net_ip_parse(span_str(address), &ip));
	return cidr_match(&c, &ip);
}

static void
networks_match_their_addresses_only(void **state)
{
	static const char *const bad[] = {
		"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.1/8", "10.0.0.0/8/8",
		"::/129", "::1/64", "::ffff:10.0.0.0/95", "example.org", "10.0.0/8",
	};
	struct net_ip unix_peer = { .family = NET_UNIX };
	struct cidr c;

	assert_true(matches("10.0.0.0/8", "10.255.1.2"));
	assert_false(matches("10.0.0.0/8", "11.0.0.0"));
	assert_true(matches("192.0.2.128/25", "192.0.2.129"));
	assert_false(matches("192.0.2.128/25", "192.0.2.127"));
	assert_true(matches("0.0.0.0/0", "8.8.8.8"));
	assert_false(matches("0.0.0.0/0", "::1"));
	assert_true(matches("::/0", "::1"));
	assert_true(matches("::1", "::1"));
	assert_false(matches("::1", "::2"));
	assert_true(matches("2001:db8::/33", "2001:db8:7fff::1"));
	assert_false(matches("2001:db8::/33", "2001:db8:8000::1"));
	assert_true(matches("::ffff:10.0.0.0/104", "10.1.1.1"));
	assert_true(matches("10.0.0.0/8", "::ffff:10.9.9.9"));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(cidr_parse(span_str(bad[i]), &c));
	assert_true(cidr_parse(SPAN_LIT("unix"), &c));
	assert_true(cidr_match(&c, &unix_peer));
	assert_true(cidr_match_any(&c, 1, &unix_peer));
	assert_false(cidr_match_any(&c, 0, &unix_peer));
}

/* ---- listeners ---- */

struct guests {
	struct listener	*ln;
	int		 fd[64];
	int		 n, free_at;
	struct net_ip	 peer;
	uint16_t	 port;
};

static void
on_guest(int fd, const struct net_ip *peer, uint16_t port, void *arg)
{
	struct guests *g = arg;

	g->fd[g->n++] = fd;
	g->peer = *peer;
	g->port = port;
	if (g->n == g->free_at)
		listener_free(&g->ln);
}

static const struct listener_opts opts = { .uid = (uid_t)-1, .gid = (gid_t)-1 };

static int
dial(const struct net_addr *a)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(a->port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	memcpy(&in.sin_addr, a->ip.b, 4);
	assert_int_equal(connect(fd, (void *)&in, sizeof(in)), 0);
	return fd;
}

static int
option(int fd, int level, int name)
{
	int v = -1;
	socklen_t len = sizeof(v);

	getsockopt(fd, level, name, &v, &len);
	return v;
}

static void
tcp_guests_are_let_in_a_few_at_a_time(void **state)
{
	struct guests g = { 0 };
	struct loop *l = loop_new();
	struct net_addr a;
	int fd, clients[20];

	assert_true(net_addr_parse(SPAN_LIT("127.0.0.1:0"), &a));
	assert_true(listener_bind(&a, &opts, &fd));
	assert_true(listener_addr(fd, &a));
	assert_true(a.port != 0);
	g.ln = listener_new(l, fd, on_guest, &g);
	for (int i = 0; i < 20; i++)
		clients[i] = dial(&a);
	listener_pause(g.ln);
	loop_once(l, false);
	assert_int_equal(g.n, 0);
	listener_resume(g.ln);
	loop_once(l, false);
	assert_int_equal(g.n, 16);
	g.free_at = 18;
	loop_once(l, false);
	loop_once(l, false);
	assert_int_equal(g.n, 18);
	assert_null(g.ln);
	assert_true(net_ip_is_local(&g.peer));
	assert_true(g.port != 0);
	assert_int_equal(option(g.fd[0], IPPROTO_TCP, TCP_NODELAY), 1);
	assert_int_equal(option(g.fd[0], SOL_SOCKET, SO_KEEPALIVE), 1);
	for (int i = 0; i < 20; i++)
		fd_close(&clients[i]);
	for (int i = 0; i < g.n; i++)
		fd_close(&g.fd[i]);
	fd_close(&fd);
	loop_free(&l);
}

static void
without_descriptors_the_listener_rests(void **state)
{
	struct guests g = { 0 };
	struct loop *l = loop_new();
	struct rlimit old, low;
	struct net_addr a;
	int fd, client, next;

	assert_true(net_addr_parse(SPAN_LIT("127.0.0.1:0"), &a));
	assert_true(listener_bind(&a, &opts, &fd));
	assert_true(listener_addr(fd, &a));
	g.ln = listener_new(l, fd, on_guest, &g);
	client = dial(&a);
	next = dup(0);
	close(next);
	getrlimit(RLIMIT_NOFILE, &old);
	low = old;
	low.rlim_cur = (rlim_t)next;
	setrlimit(RLIMIT_NOFILE, &low);
	loop_once(l, false);
	loop_once(l, false);
	setrlimit(RLIMIT_NOFILE, &old);
	assert_int_equal(g.n, 0);
	loop_once(l, false);
	assert_int_equal(g.n, 0);
	while (g.n == 0)
		loop_once(l, true);
	listener_free(&g.ln);
	fd_close(&g.fd[0]);
	fd_close(&client);
	fd_close(&fd);
	loop_free(&l);
}

static void
a_unix_socket_left_behind_is_replaced_and_a_live_one_is_not(void **state)
{
	char dir[] = "/tmp/mansio-net-XXXXXX", text[100];
	struct listener_opts mode = opts;
	struct net_addr a, b;
	struct stat st;
	int first, second = -1;

	assert_non_null(mkdtemp(dir));
	snprintf(text, sizeof(text), "unix:%s/s", dir);
	assert_true(net_addr_parse(span_str(text), &a));
	mode.mode = 0666;
	assert_true(listener_bind(&a, &mode, &first));
	assert_int_equal(stat(a.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0666);
	assert_true(listener_addr(first, &b));
	assert_string_equal(a.path, b.path);
	assert_false(listener_bind(&a, &opts, &second));
	assert_int_equal(errno, EADDRINUSE);
	fd_close(&first);
	assert_true(listener_bind(&a, &opts, &second));
	assert_int_equal(stat(a.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	fd_close(&second);
	unlink(a.path);
	rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_print_as_they_were_written),
		cmocka_unit_test(a_mapped_address_is_the_ipv4_one),
		cmocka_unit_test(networks_match_their_addresses_only),
		cmocka_unit_test(tcp_guests_are_let_in_a_few_at_a_time),
		cmocka_unit_test(without_descriptors_the_listener_rests),
		cmocka_unit_test(a_unix_socket_left_behind_is_replaced_and_a_live_one_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
