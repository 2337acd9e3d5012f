/* t/unit/sieve/sieve_test.h
 * A script and a message in, a line for each action out. */
#ifndef T_UNIT_SIEVE_SIEVE_TEST_H
#define T_UNIT_SIEVE_SIEVE_TEST_H

#include "sieve/ext.h"
#include "sieve/sieve.h"

struct sieve_case {
	struct sieve_options	options;
	struct sieve_env	env;
	struct sieve_limits	limits;		/* both of them use it */
	struct sieve_problems	problems;
	struct sieve_result	result;
	enum sieve_outcome	outcome;
	struct sieve_script	*scripts[8];
	size_t			n;
	struct sieve_message	*message;
	struct buf		out;
};
void sieve_case_init(struct sieve_case *c);
void sieve_case_fini(struct sieve_case *c);
/* Compiles one more; false: problems. */
bool sieve_case_add(struct sieve_case *c, const char *text);
/* Runs all over the message; the result in words, borrowed until the next call: "keep",
 * "fileinto Lists, redirect a@example.com", "discard", "asks mailbox Lists", "error 3: ... (keep)". */
const char *sieve_case_run(struct sieve_case *c, const char *message);
/* All at once, with nothing kept between; borrowed until the next call.  Errors of the compiler:
 * "line 1, column 2: error: ..." */
const char *sieve_once(const char *script, const char *message);
/* Errors and warnings of the compiler, a line each. */
const char *sieve_told(const char *script);

#endif
