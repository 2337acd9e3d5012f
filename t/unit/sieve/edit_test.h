/* t/unit/sieve/edit_test.h
 * What a script made of a message. */
#ifndef T_UNIT_SIEVE_EDIT_TEST_H
#define T_UNIT_SIEVE_EDIT_TEST_H

#include "sieve/message.h"

/* All of it; borrowed until the next call. */
const char *message_text(struct sieve_message *m);
/* The message of the last action, or what went wrong; borrowed until the next call. */
const char *edited(const char *script, const char *message);

#endif
