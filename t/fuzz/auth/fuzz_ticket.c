#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "common/auth/ticket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Verifies whatever comes; what verifies signs to the same bytes. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct ticket_keys keys = { .now = { .number = 1, .key = "a fixed key" } };
	unsigned char again[TICKET_LEN];
	struct ticket t = { 0 };

	if (ticket_verify(&keys, span(data, len), &t) == ST_OK) {
		ticket_sign(&keys, &t, again);
		assert(memcmp(again, data, TICKET_LEN) == 0);
	}
	if (len >= TICKET_LEN) {
		/* the same bytes as fields: signing and verifying agree */
		memcpy(t.id, data, TICKET_ID_LEN);
		memcpy(&t.account, data + 24, 8);
		t.role = data[1];
		ticket_sign(&keys, &t, again);
		assert(ticket_verify(&keys, span(again, TICKET_LEN), &t) == ST_OK);
	}
	return 0;
}
