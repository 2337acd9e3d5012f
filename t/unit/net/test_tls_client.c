/* Our client and our server, in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/util/mem.h"
#include "t/unit/net/tlskit.h"

static struct kit_cert here, old, stranger;

static int
make_certs(void **state)
{
	kit_cert_make(&here, "EC", "DNS:relay.example.org,DNS:*.wild.example.org,IP:192.0.2.7", 10);
	kit_cert_make(&old, "EC", "DNS:relay.example.org", -1);
	kit_cert_make(&stranger, "EC", "DNS:relay.example.org", 10);
	return 0;
}

static int
free_certs(void **state)
{
	kit_cert_free(&here);
	kit_cert_free(&old);
	kit_cert_free(&stranger);
	return 0;
}

static void
resume(void *arg)
{
}

struct pair {
	struct tls	*client, *server;
	struct buf	 to_client, to_server, client_got, server_got;
};

static void
talk(struct pair *p)
{
	bool moved;

	do {
		size_t had = p->to_client.len + p->to_server.len;

		(void)tls_read(p->client, &p->to_client, &p->client_got, 1 << 20, &p->to_server);
		(void)tls_read(p->server, &p->to_server, &p->server_got, 1 << 20, &p->to_client);
		moved = p->to_client.len + p->to_server.len != had || p->to_client.len > 0;
	} while (moved && tls_state(p->client) != TLS_FAILED && tls_state(p->server) != TLS_FAILED);
}

static void
pair_end(struct pair *p)
{
	tls_free(&p->client);
	tls_free(&p->server);
	buf_fini(&p->to_client);
	buf_fini(&p->to_server);
	buf_fini(&p->client_got);
	buf_fini(&p->server_got);
}

/* How the client's handshake ends; `why` gets its words. */
static enum tls_state
meet(const struct kit_cert *shown, const char *name, const char *ca, bool verify, const char **why)
{
	char err[TLS_ERROR_MAX];
	struct tls_ctx *server = kit_ctx(shown, NULL);
	struct tls_ctx *client = tls_ctx_new_client(name, span_str(ca), verify, err);
	struct pair p = { 0 };
	enum tls_state s;

	assert_non_null(client);
	p.client = tls_new(client, resume, NULL);
	p.server = tls_new(server, resume, NULL);
	assert_true(tls_speaks_first(p.client));
	assert_false(tls_speaks_first(p.server));
	talk(&p);
	s = tls_state(p.client);
	if (s == TLS_OPEN) {
		tls_write(p.client, SPAN_LIT("hello"), &p.to_server);
		tls_write(p.server, SPAN_LIT("world"), &p.to_client);
		talk(&p);
		assert_true(span_eq_str(buf_span(&p.server_got), "hello"));
		assert_true(span_eq_str(buf_span(&p.client_got), "world"));
	}
	if (why != NULL)
		*why = tls_error(p.client);
	pair_end(&p);
	tls_ctx_free(&client);
	tls_ctx_free(&server);
	return s;
}

static void
the_certificate_must_be_for_the_server_that_was_meant(void **state)
{
	const char *why;

	assert_int_equal(meet(&here, "relay.example.org", here.pem, true, NULL), TLS_OPEN);
	assert_int_equal(meet(&here, "a.wild.example.org", here.pem, true, NULL), TLS_OPEN);
	assert_int_equal(meet(&here, "192.0.2.7", here.pem, true, NULL), TLS_OPEN);
	assert_int_equal(meet(&here, "other.example.org", here.pem, true, &why), TLS_FAILED);
	assert_string_equal(why, "hostname mismatch");
	assert_int_equal(meet(&here, "192.0.2.8", here.pem, true, &why), TLS_FAILED);
	assert_string_equal(why, "IP address mismatch");
}

static void
it_must_be_by_an_authority_and_in_its_time(void **state)
{
	const char *why;

	assert_int_equal(meet(&stranger, "relay.example.org", here.pem, true, &why), TLS_FAILED);
	assert_true(why[0] != '\0');
	assert_int_equal(meet(&old, "relay.example.org", old.pem, true, &why), TLS_FAILED);
	assert_string_equal(why, "certificate has expired");
}

static void
any_will_do_where_nothing_is_verified(void **state)
{
	assert_int_equal(meet(&stranger, "elsewhere.example", "", false, NULL), TLS_OPEN);
	assert_int_equal(meet(&old, "elsewhere.example", "", false, NULL), TLS_OPEN);
}

static void
authorities_that_are_none_are_refused(void **state)
{
	char err[TLS_ERROR_MAX];

	assert_null(tls_ctx_new_client("relay.example.org", SPAN_LIT("nothing"), true, err));
	assert_string_equal(err, "no authorities can be read");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_certificate_must_be_for_the_server_that_was_meant),
		cmocka_unit_test(it_must_be_by_an_authority_and_in_its_time),
		cmocka_unit_test(any_will_do_where_nothing_is_verified),
		cmocka_unit_test(authorities_that_are_none_are_refused),
	};

	return cmocka_run_group_tests(tests, make_certs, free_certs);
}
