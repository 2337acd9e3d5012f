/* A pattern and a text, the bytes before and behind the first NUL: what is found lies in the text, in
 * bounds of work, with and without captures and case. */
#include <assert.h>
#include <string.h>

#include "sieve/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
try_one(struct span pattern, struct span text, bool fold)
{
	struct arena a = { 0 };
	struct span captures[6];
	char why[120] = "";
	struct sieve_regex *re = sieve_regex_new(&a, pattern, fold, why, NULL);
	uint64_t work = 2000000, left = work;
	enum sieve_regex_found with, without;

	assert((re == NULL) == (why[0] != '\0'));
	if (re != NULL) {
		with = sieve_regex_find(re, text, captures, 6, &left);
		assert(left <= work);
		for (size_t i = 0; with == SIEVE_REGEX_YES && i < 6; i++)
			assert(captures[i].p == NULL || (captures[i].p >= text.p &&
			    captures[i].p + captures[i].len <= text.p + text.len));
		assert(with != SIEVE_REGEX_YES || captures[0].p != NULL);
		left = work;
		without = sieve_regex_find(re, text, NULL, 0, &left);
		assert(with == without || with == SIEVE_REGEX_LIMIT || without == SIEVE_REGEX_LIMIT);
	}
	arena_fini(&a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint8_t *nul = len > 0 ? memchr(data, 0, len) : NULL;
	size_t n = nul != NULL ? (size_t)(nul - data) : len;
	struct span text = n < len ? span(data + n + 1, len - n - 1) : span("", 0);

	try_one(span(data, n), text, false);
	try_one(span(data, n), text, true);
	return 0;
}
