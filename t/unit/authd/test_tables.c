/* The tables of authd: throttle, login cache, tickets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "authd/login_cache.h"
#include "authd/throttle.h"
#include "authd/tickets.h"
#include "common/crypto/random.h"
#include "common/util/mem.h"
#include "storage/api/store_proto.h"

#define U SPAN_LIT("alice@example.org")
#define P SPAN_LIT("192.0.2.1")

static struct throttle_config
conf(void)
{
	return (struct throttle_config){ .enabled = true, .free_failures = 2, .delay_ms = 100,
	    .max_delay_ms = 1000, .forget_s = 60 };
}

static uint64_t
attempt(struct throttle *t, uint64_t now, struct span user, struct span peer, enum throttle_end how)
{
	uint64_t d;

	assert_true(throttle_begin(t, now, user, peer, &d));
	throttle_end(t, now, user, peer, how);
	return d;
}

static void
each_failure_waits_longer(void **state)
{
	struct throttle_config cf = conf();
	struct throttle *t = throttle_new(&cf);
	static const uint64_t want[] = { 0, 0, 100, 200, 400, 800, 1000, 1000 };

	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_int_equal(attempt(t, i, U, P, THROTTLE_FAILED), want[i]);
	/* another name from that address, and that name from another one */
	assert_int_equal(attempt(t, 9, SPAN_LIT("bob"), P, THROTTLE_NEITHER), 1000);
	assert_int_equal(attempt(t, 9, U, SPAN_LIT("192.0.2.2"), THROTTLE_NEITHER), 1000);
	assert_int_equal(attempt(t, 9, SPAN_LIT("bob"), SPAN_LIT("192.0.2.2"), THROTTLE_NEITHER), 0);
	/* the right password clears the name, not the address */
	attempt(t, 10, U, SPAN_LIT("192.0.2.3"), THROTTLE_OK);
	assert_int_equal(attempt(t, 11, U, SPAN_LIT("192.0.2.3"), THROTTLE_NEITHER), 0);
	assert_int_equal(attempt(t, 11, U, P, THROTTLE_NEITHER), 1000);
	/* time forgets */
	assert_int_equal(attempt(t, 61000, U, P, THROTTLE_NEITHER), 0);
	assert_int_equal(throttle_known(t), 0);
	throttle_free(&t);
}

static void
an_ipv6_network_counts_as_one(void **state)
{
	struct throttle_config cf = conf();
	struct throttle *t = throttle_new(&cf);

	for (int i = 0; i < 3; i++) {
		char peer[40], user[20];

		snprintf(peer, sizeof(peer), "2001:db8:1:2::%x", i);
		snprintf(user, sizeof(user), "u%d", i);
		attempt(t, 0, span_str(user), span_str(peer), THROTTLE_FAILED);
	}
	assert_true(attempt(t, 0, U, SPAN_LIT("2001:db8:1:2:ffff::1"), THROTTLE_NEITHER) > 0);
	assert_int_equal(attempt(t, 0, U, SPAN_LIT("2001:db8:1:3::1"), THROTTLE_NEITHER), 0);
	throttle_free(&t);
}

static void
proxies_and_friends_are_exempt(void **state)
{
	struct throttle_config cf = conf();
	struct cidr friends, proxies;
	struct throttle *t;

	assert_true(cidr_parse(SPAN_LIT("192.0.2.0/24"), &friends));
	assert_true(cidr_parse(SPAN_LIT("198.51.100.1"), &proxies));
	cf.exempt = &friends;
	cf.proxies = &proxies;
	cf.n_exempt = cf.n_proxies = 1;
	t = throttle_new(&cf);
	for (int i = 0; i < 9; i++) {
		assert_int_equal(attempt(t, 0, U, P, THROTTLE_FAILED), 0);
		assert_int_equal(attempt(t, 0, U, SPAN_LIT("unix"), THROTTLE_FAILED), 0);
	}
	assert_int_equal(throttle_known(t), 0);
	for (int i = 0; i < 9; i++)
		attempt(t, 0, U, SPAN_LIT("198.51.100.1"), THROTTLE_FAILED);
	assert_int_equal(attempt(t, 0, SPAN_LIT("bob"), SPAN_LIT("198.51.100.1"), THROTTLE_NEITHER), 0);
	assert_true(attempt(t, 0, U, SPAN_LIT("198.51.100.1"), THROTTLE_NEITHER) > 0);
	throttle_free(&t);
}

static void
many_at_once_wait_longer_and_then_not_at_all(void **state)
{
	struct throttle_config cf = conf();
	struct throttle *t = throttle_new(&cf);
	uint64_t d, last = 0;
	int n = 0;

	attempt(t, 0, U, P, THROTTLE_FAILED);
	attempt(t, 0, U, P, THROTTLE_FAILED);
	while (throttle_begin(t, 0, U, P, &d)) {
		assert_true(d >= last && d > 0);
		last = d;
		n++;
	}
	assert_int_equal(n, THROTTLE_WAITING_MAX);
	assert_int_equal(last, 1000);
	while (n-- > 0)
		throttle_end(t, 0, U, P, THROTTLE_NEITHER);
	assert_true(throttle_begin(t, 0, U, P, &d));
	throttle_end(t, 0, U, P, THROTTLE_NEITHER);
	throttle_free(&t);
}

static void
the_throttle_is_bounded(void **state)
{
	struct throttle_config cf = conf();
	struct throttle *t = throttle_new(&cf);

	for (unsigned i = 0; i < 70000; i++) {
		char user[20];

		snprintf(user, sizeof(user), "u%u", i);
		attempt(t, i / 1000, span_str(user), P, THROTTLE_FAILED);
	}
	assert_true(throttle_known(t) <= 65540);
	throttle_free(&t);
}

static void
the_cache_knows_the_same_login_for_a_while(void **state)
{
	struct login_cache *c = login_cache_new(60000);
	uint64_t id = 0;
	struct buf app = { 0 };

	login_cache_put(c, 1000, U, SPAN_LIT("pw"), 1, 42, SPAN_LIT("phone"));
	assert_true(login_cache_get(c, 1001, U, SPAN_LIT("pw"), 1, &id, &app));
	assert_int_equal(id, 42);
	assert_true(span_eq_str(buf_span(&app), "phone"));
	assert_false(login_cache_get(c, 1001, U, SPAN_LIT("pv"), 1, &id, &app));
	assert_false(login_cache_get(c, 1001, U, SPAN_LIT("pw"), 2, &id, &app));
	assert_false(login_cache_get(c, 1001, SPAN_LIT("alice@example.orgp"), SPAN_LIT("w"), 1, &id, &app));
	assert_true(login_cache_get(c, 60999, U, SPAN_LIT("pw"), 1, &id, &app));
	assert_false(login_cache_get(c, 61000, U, SPAN_LIT("pw"), 1, &id, &app));
	login_cache_put(c, 70000, U, SPAN_LIT("pw"), 1, 42, SPAN_NONE);
	login_cache_put(c, 70000, SPAN_LIT("bob"), SPAN_LIT("pw"), 1, 43, SPAN_NONE);
	login_cache_drop_account(c, 42);
	assert_false(login_cache_get(c, 70001, U, SPAN_LIT("pw"), 1, &id, &app));
	assert_true(login_cache_get(c, 70001, SPAN_LIT("bob"), SPAN_LIT("pw"), 1, &id, &app));
	assert_int_equal(login_cache_flush(c), 1);
	login_cache_free(&c);
	c = login_cache_new(0);
	login_cache_put(c, 1, U, SPAN_LIT("pw"), 1, 42, SPAN_NONE);
	assert_false(login_cache_get(c, 1, U, SPAN_LIT("pw"), 1, &id, &app));
	login_cache_free(&c);
	buf_fini(&app);
}

struct heard { int voided, revoked; };

static void
on_void(void *arg, const unsigned char id[TICKET_ID_LEN], uint64_t account, int64_t expires_s)
{
	((struct heard *)arg)->voided++;
}

static void
on_revoked(void *arg, const struct login *l)
{
	((struct heard *)arg)->revoked++;
}

static bool
everybody(const struct login *l, void *arg)
{
	return true;
}

static void
tickets_live_are_renewed_and_die(void **state)
{
	struct heard heard = { 0 };
	struct ticket_keys keys = { .now = { .number = 1 } };
	struct tickets_config cf = { &keys, 3600, on_void, NULL, on_revoked, &heard };
	struct ticket_holder h = { 5, 1, 77 }, other = { 5, 2, 78 }, later = { 5, 1, 79 };
	struct login like = { .account = 9, .shard = 2, .user = "u", .peer = "p", .conn = "c" };
	struct tickets *t;
	struct ticket_made m, m2;
	struct ticket shown;
	struct buf ids = { 0 };
	uint64_t from, last;

	random_bytes(keys.now.key, sizeof(keys.now.key));
	t = tickets_new(&cf);
	tickets_set_epoch(t, 4);
	tickets_login(t, &h, &like, 1000, &m);
	assert_int_equal(m.expires_s, 4600);
	assert_int_equal(ticket_verify(&keys, span(m.bytes, TICKET_LEN), &shown), ST_OK);
	assert_int_equal(shown.role, STORE_ROLE_ACCESS);
	assert_int_equal(shown.rights, RIGHT_ALL);
	/* another worker, another generation, past its time */
	assert_int_equal(tickets_renew(t, &other, span(m.bytes, TICKET_LEN), 1001, &m2, &shown), ST_DENIED);
	assert_int_equal(tickets_renew(t, &later, span(m.bytes, TICKET_LEN), 1001, &m2, &shown), ST_DENIED);
	assert_int_equal(tickets_renew(t, &h, span(m.bytes, TICKET_LEN), 4600, &m2, &shown), ST_EXPIRED);
	for (int i = 0; i < 2 * TICKETS_KEPT; i++)
		assert_int_equal(tickets_renew(t, &h, span(m.bytes, TICKET_LEN), 1001 + i, &m2, &shown),
		    i < TICKETS_KEPT ? ST_OK : ST_DENIED);
	assert_int_equal(tickets_count(t), 1);
	/* another's logout changes nothing; one's own voids all of the login */
	tickets_logout(t, &other, span(m2.bytes, TICKET_LEN), 1100);
	assert_int_equal(tickets_count(t), 1);
	tickets_logout(t, &h, span(m2.bytes, TICKET_LEN), 1100);
	assert_int_equal(tickets_count(t), 0);
	assert_int_equal(heard.voided, TICKETS_KEPT + 1);
	assert_false(voids_page(tickets_voids(t, 1100, &from), 0, &ids, &last));
	assert_int_equal(ids.len, (TICKETS_KEPT + 1) * VOID_LEN);
	assert_int_equal(from, 4);
	buf_clear(&ids);
	assert_false(voids_page(tickets_voids(t, 99999, &from), 0, &ids, &last));
	assert_int_equal(ids.len, 0);
	tickets_login(t, &h, &like, 1000, &m);
	tickets_login(t, &other, &like, 1000, &m);
	tickets_holder_gone(t, &other);
	assert_int_equal(tickets_count(t), 1);
	assert_int_equal(tickets_revoke(t, everybody, NULL, 1000), 1);
	assert_int_equal(heard.revoked, 1);
	/* a valid one of no known login: authd was restarted */
	tickets_login(t, &h, &like, 1000, &m);
	tickets_holder_gone(t, &h);
	assert_int_equal(tickets_renew(t, &h, span(m.bytes, TICKET_LEN), 1001, &m2, &shown), ST_NOT_FOUND);
	assert_int_equal(shown.account, 9);
	tickets_deliver(t, &h, 9, 2, 1000, &m);
	assert_int_equal(ticket_verify(&keys, span(m.bytes, TICKET_LEN), &shown), ST_OK);
	assert_int_equal(shown.role, STORE_ROLE_DELIVER);
	assert_int_equal(shown.rights, 0);
	buf_fini(&ids);
	tickets_free(&t);
}

/* Two authds, one after the other, and what a stored between them tells. */
static void
what_one_authd_made_void_the_next_does_not_renew(void **state)
{
	struct heard heard = { 0 };
	struct ticket_keys keys = { .now = { .number = 1 } };
	struct tickets_config cf = { &keys, 3600, on_void, NULL, on_revoked, &heard };
	struct ticket_holder h = { 5, 1, 77 };
	struct login like = { .account = 9, .shard = 2, .user = "u", .peer = "p", .conn = "c" };
	struct tickets *one = tickets_new(&cf), *two = tickets_new(&cf);
	struct ticket_made gone, lives, m;
	struct ticket shown;
	struct buf page = { 0 };
	uint64_t from, last;

	tickets_set_epoch(one, 4);
	tickets_set_epoch(two, 6);
	tickets_login(one, &h, &like, 1000, &gone);
	tickets_login(one, &h, &like, 1000, &lives);
	tickets_logout(one, &h, span(gone.bytes, TICKET_LEN), 1001);
	assert_int_equal(tickets_renew(two, &h, span(gone.bytes, TICKET_LEN), 1002, &m, &shown), ST_CONFLICT);
	assert_int_equal(tickets_renew(two, &h, span(lives.bytes, TICKET_LEN), 1002, &m, &shown), ST_CONFLICT);
	assert_false(voids_page(tickets_voids(one, 1002, &from), 0, &page, &last));
	/* a stored that began under the second knows nothing of the first */
	tickets_inherited(two, 6);
	assert_int_equal(tickets_renew(two, &h, span(lives.bytes, TICKET_LEN), 1002, &m, &shown), ST_CONFLICT);
	assert_false(tickets_inherit(two, SPAN_LIT("short"), 0, 1002));
	assert_true(tickets_inherit(two, buf_span(&page), 0, 1002));
	tickets_inherited(two, 4);
	assert_int_equal(tickets_renew(two, &h, span(gone.bytes, TICKET_LEN), 1002, &m, &shown), ST_DENIED);
	assert_int_equal(tickets_renew(two, &h, span(lives.bytes, TICKET_LEN), 1002, &m, &shown), ST_NOT_FOUND);
	/* some were forgotten: what expires no later is as good as void */
	assert_true(tickets_inherit(two, SPAN_NONE, lives.expires_s, 1002));
	assert_int_equal(tickets_renew(two, &h, span(lives.bytes, TICKET_LEN), 1002, &m, &shown), ST_CONFLICT);
	buf_fini(&page);
	tickets_free(&one);
	tickets_free(&two);
}

static void
a_login_asks_about_others_at_a_pace(void **state)
{
	struct heard heard = { 0 };
	struct ticket_keys keys = { .now = { .number = 1 } };
	struct tickets_config cf = { &keys, 3600, on_void, NULL, on_revoked, &heard };
	struct ticket_holder h = { 5, 1, 77 }, other = { 5, 2, 78 };
	struct login like = { .account = 9, .user = "u", .peer = "p", .conn = "c" };
	struct tickets *t = tickets_new(&cf);
	struct ticket_made m, d;
	unsigned n = 0;

	tickets_set_epoch(t, 4);
	tickets_login(t, &h, &like, 1000, &m);
	tickets_deliver(t, &h, 9, 0, 1000, &d);
	assert_int_equal(tickets_ask(t, &other, span(m.bytes, TICKET_LEN), 1001, 5000, 1), ST_DENIED);
	assert_int_equal(tickets_ask(t, &h, span(d.bytes, TICKET_LEN), 1001, 5000, 1), ST_DENIED);
	assert_int_equal(tickets_ask(t, &h, SPAN_NONE, 1001, 5000, 1), ST_DENIED);
	assert_int_equal(tickets_ask(t, &h, span(m.bytes, TICKET_LEN), 4600, 5000, 1), ST_EXPIRED);
	while (tickets_ask(t, &h, span(m.bytes, TICKET_LEN), 1001, 5000, 100) == ST_OK && n < 1000)
		n++;
	assert_int_equal(n, 15);
	assert_int_equal(tickets_ask(t, &h, span(m.bytes, TICKET_LEN), 1001, 5000, 1), ST_LIMIT);
	/* a second later there is room for five more */
	assert_int_equal(tickets_ask(t, &h, span(m.bytes, TICKET_LEN), 1001, 6000, 6), ST_LIMIT);
	assert_int_equal(tickets_ask(t, &h, span(m.bytes, TICKET_LEN), 1001, 6000, 5), ST_OK);
	tickets_free(&t);
}

static void
groups_are_in_the_next_ticket(void **state)
{
	struct heard heard = { 0 };
	struct ticket_keys keys = { .now = { .number = 1 } };
	struct tickets_config cf = { &keys, 3600, on_void, NULL, on_revoked, &heard };
	struct ticket_holder h = { 5, 1, 77 };
	struct login like = { .account = 9, .user = "u", .peer = "p", .conn = "c" };
	struct tickets *t = tickets_new(&cf);
	struct ticket_made m;
	struct ticket shown;
	struct buf ids = { 0 };

	tickets_set_epoch(t, 4);
	put_u64(&ids, 5);
	put_u64(&ids, 6);
	login_set_groups(&like, buf_span(&ids));
	tickets_login(t, &h, &like, 1000, &m);
	assert_int_equal(ticket_verify(&keys, span(m.bytes, TICKET_LEN), &shown), ST_OK);
	assert_true(shown.n_groups == 2 && shown.groups[0] == 5 && shown.groups[1] == 6);
	buf_drop(&ids, 8);
	tickets_regroup(t, 8, SPAN_NONE);
	tickets_regroup(t, 9, buf_span(&ids));
	assert_int_equal(tickets_renew(t, &h, span(m.bytes, TICKET_LEN), 1001, &m, &shown), ST_OK);
	assert_int_equal(ticket_verify(&keys, span(m.bytes, TICKET_LEN), &shown), ST_OK);
	assert_true(shown.n_groups == 1 && shown.groups[0] == 6);
	buf_fini(&ids);
	tickets_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_failure_waits_longer),
		cmocka_unit_test(an_ipv6_network_counts_as_one),
		cmocka_unit_test(proxies_and_friends_are_exempt),
		cmocka_unit_test(many_at_once_wait_longer_and_then_not_at_all),
		cmocka_unit_test(the_throttle_is_bounded),
		cmocka_unit_test(the_cache_knows_the_same_login_for_a_while),
		cmocka_unit_test(tickets_live_are_renewed_and_die),
		cmocka_unit_test(a_login_asks_about_others_at_a_pace),
		cmocka_unit_test(groups_are_in_the_next_ticket),
		cmocka_unit_test(what_one_authd_made_void_the_next_does_not_renew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
