/* What lmtpd remembers of recipients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "lmtpd/known.h"

#define NOW 1000000u

static const struct span who = SPAN_LIT("a@example.org");

static struct auth_rcpt_is
answer(char tickets[2 * TICKET_LEN], size_t n)
{
	memset(tickets, '1', TICKET_LEN);
	memset(tickets + TICKET_LEN, '2', TICKET_LEN);
	return (struct auth_rcpt_is){ .user = SPAN_LIT("A@example.org"), .detail = SPAN_LIT("d"),
	    .account = 7, .shard = 3, .spares = span(tickets, n * TICKET_LEN) };
}

static void
a_spare_is_given_away_once_and_not_when_it_is_old(void **state)
{
	struct known *k = known_new();
	unsigned char ticket[TICKET_LEN];
	char tickets[2 * TICKET_LEN];
	struct auth_rcpt_is in = answer(tickets, 2), is;

	assert_false(known_take(k, who, NOW, ticket, &is));
	assert_int_equal(known_wants(k, who, NOW), 0);
	known_add(k, who, &in, NOW);
	assert_true(known_wants(k, who, NOW) > 0);
	assert_int_equal(known_wants(k, SPAN_LIT("b@example.org"), NOW), 0);
	assert_true(known_take(k, who, NOW + 1, ticket, &is));
	assert_int_equal(ticket[0], '2');
	assert_true(span_eq_str(is.user, "A@example.org"));
	assert_true(span_eq_str(is.detail, "d"));
	assert_int_equal(is.account, 7);
	assert_int_equal(is.shard, 3);
	assert_false(known_take(k, who, NOW + KNOWN_MS, ticket, &is));
	assert_true(known_take(k, who, NOW + 2, ticket, &is));
	assert_int_equal(ticket[0], '1');
	assert_false(known_take(k, who, NOW + 2, ticket, &is));
	known_add(k, who, &in, NOW);
	known_forget(k);
	assert_false(known_take(k, who, NOW, ticket, &is));
	known_free(&k);
}

static void
room_is_believed_in_only_where_there_is_plenty(void **state)
{
	struct store_quota_is use = { .bytes = 100, .bytes_limit = 1000, .messages = 5 };
	struct known *k = known_new();

	assert_false(known_has_room(k, 7, 1, NOW));
	known_use(k, 7, NULL, 1, NOW);
	assert_false(known_has_room(k, 7, 1, NOW));
	known_use(k, 7, &use, 100, NOW);
	assert_true(known_has_room(k, 7, 600, NOW));
	assert_false(known_has_room(k, 7, 700, NOW));
	assert_false(known_has_room(k, 7, UINT64_MAX, NOW));
	assert_false(known_has_room(k, 8, 1, NOW));
	assert_false(known_has_room(k, 7, 1, NOW + KNOWN_MS));
	use.messages_limit = 50;
	known_use(k, 7, &use, 0, NOW);
	assert_false(known_has_room(k, 7, 1, NOW));
	use = (struct store_quota_is){ .bytes = 100 };
	known_use(k, 7, &use, 0, NOW);
	assert_true(known_has_room(k, 7, 1u << 30, NOW));
	known_free(&k);
}

static void
it_does_not_grow_without_end(void **state)
{
	struct known *k = known_new();
	unsigned char ticket[TICKET_LEN];
	char tickets[2 * TICKET_LEN], name[32];
	struct auth_rcpt_is in = answer(tickets, 1), is;
	const struct store_quota_is use = { .bytes = 1 };
	size_t left = 0;

	for (size_t i = 0; i < 3 * KNOWN_MAX; i++) {
		snprintf(name, sizeof(name), "u%zu@example.org", i);
		known_add(k, span_str(name), &in, NOW);
		known_use(k, i, &use, 0, NOW);
	}
	for (size_t i = 0; i < 3 * KNOWN_MAX; i++) {
		snprintf(name, sizeof(name), "u%zu@example.org", i);
		left += known_take(k, span_str(name), NOW, ticket, &is);
	}
	assert_in_range(left, 1, KNOWN_MAX);
	known_free(&k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_spare_is_given_away_once_and_not_when_it_is_old),
		cmocka_unit_test(room_is_believed_in_only_where_there_is_plenty),
		cmocka_unit_test(it_does_not_grow_without_end),
	};

	return cmocka_run_group_tests_name("known", tests, NULL, NULL);
}
