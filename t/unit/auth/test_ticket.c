#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/auth/ticket.h"
#include "common/crypto/random.h"

static struct ticket_key
key(uint32_t number)
{
	struct ticket_key k = { .number = number };

	random_bytes(k.key, sizeof(k.key));
	return k;
}

static struct ticket
sample(void)
{
	struct ticket t = { .account = 0x1122334455667788, .shard = 3, .role = 1, .rights = 2047,
	    .slot = 9, .generation = 77, .expires_s = 1900000000, .epoch = 5 };

	random_bytes(t.id, sizeof(t.id));
	return t;
}

static void
a_ticket_comes_back_as_it_was_signed(void **state)
{
	struct ticket_keys keys = { .now = key(1) };
	struct ticket t = sample(), got;
	unsigned char w[TICKET_LEN];

	ticket_sign(&keys, &t, w);
	assert_int_equal(ticket_verify(&keys, span(w, sizeof(w)), &got), ST_OK);
	assert_memory_equal(got.id, t.id, TICKET_ID_LEN);
	assert_int_equal(got.account, t.account);
	assert_int_equal(got.shard, t.shard);
	assert_int_equal(got.role, t.role);
	assert_int_equal(got.rights, t.rights);
	assert_int_equal(got.slot, t.slot);
	assert_int_equal(got.generation, t.generation);
	assert_int_equal(got.expires_s, t.expires_s);
	assert_int_equal(got.epoch, t.epoch);
}

static void
every_flipped_bit_is_denied(void **state)
{
	struct ticket_keys keys = { .now = key(1), .before = key(2) };
	struct ticket t = sample(), got;
	unsigned char w[TICKET_LEN];

	ticket_sign(&keys, &t, w);
	for (size_t i = 0; i < sizeof(w) * 8; i++) {
		w[i / 8] ^= (unsigned char)(1 << i % 8);
		assert_int_equal(ticket_verify(&keys, span(w, sizeof(w)), &got), ST_DENIED);
		w[i / 8] ^= (unsigned char)(1 << i % 8);
	}
	for (size_t n = 0; n < sizeof(w); n++)
		assert_int_equal(ticket_verify(&keys, span(w, n), &got), ST_DENIED);
}

static void
another_key_is_denied(void **state)
{
	struct ticket_keys keys = { .now = key(1) }, other = { .now = key(1) }, none = { 0 };
	struct ticket t = sample(), got;
	unsigned char w[TICKET_LEN];

	ticket_sign(&keys, &t, w);
	assert_int_equal(ticket_verify(&other, span(w, sizeof(w)), &got), ST_DENIED);
	assert_int_equal(ticket_verify(&none, span(w, sizeof(w)), &got), ST_DENIED);
	ticket_sign(&none, &t, w);	/* number 0 never verifies */
	assert_int_equal(ticket_verify(&none, span(w, sizeof(w)), &got), ST_DENIED);
}

static void
a_rotated_key_verifies_once_more(void **state)
{
	struct ticket_keys keys = { .now = key(1) };
	struct ticket t = sample(), got;
	struct ticket_key two = key(2), three = key(3);
	unsigned char w[TICKET_LEN];

	ticket_sign(&keys, &t, w);
	ticket_keys_rotate(&keys, &two);
	assert_int_equal(ticket_verify(&keys, span(w, sizeof(w)), &got), ST_OK);
	ticket_keys_rotate(&keys, &two);	/* said twice: nothing is lost */
	assert_int_equal(ticket_verify(&keys, span(w, sizeof(w)), &got), ST_OK);
	ticket_keys_rotate(&keys, &three);
	assert_int_equal(ticket_verify(&keys, span(w, sizeof(w)), &got), ST_DENIED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ticket_comes_back_as_it_was_signed),
		cmocka_unit_test(every_flipped_bit_is_denied),
		cmocka_unit_test(another_key_is_denied),
		cmocka_unit_test(a_rotated_key_verifies_once_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
