/* Any bytes as a message, under a script that looks at all of it; and a pattern and a value, the bytes
 * before and behind the first NUL: what a pattern leaves out of the value are its captures. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/mime/charset.h"
#include "sieve/core.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char script[] =
    "require [\"variables\", \"relational\", \"comparator-i;ascii-numeric\","
    "    \"comparator-i;unicode-casemap\", \"fileinto\"];"
    "if header :matches [\"subject\", \"from\", \"to\"] \"*a*b?\" { set \"x\" \"${1}${2}${3}\"; }"
    "if header :comparator \"i;unicode-casemap\" :matches \"subject\" \"*\xC3\xBC?*\" {"
    "    set \"x\" \"${1}-${2}\"; }"
    "if address :domain :contains [\"from\", \"to\", \"cc\"] \"example\" { set \"x\" \"y\"; }"
    "if address :localpart :matches [\"from\", \"to\", \"cc\"] \"*\" { set \"x\" \"${0}\"; }"
    "if header :value \"gt\" :comparator \"i;ascii-numeric\" \"x-n\" \"10\" { set \"y\" \"1\"; }"
    "if address :count \"gt\" :comparator \"i;ascii-numeric\" \"to\" \"3\" { set \"y\" \"2\"; }"
    "if allof (exists \"list-id\", size :over 10) { fileinto \"${x}.${y}\"; }";

static void
as_message(struct span text)
{
	static struct sieve_script *s;
	static const struct sieve_env env;
	struct sieve_message *m = sieve_message_memory(text);
	struct sieve_result r = { 0 };
	const struct sieve_script *one;
	size_t n;
	const struct mime_part *parts;
	char byte;

	if (s == NULL) {
		struct sieve_options o = { 0 };
		struct sieve_problems p = { 0 };

		s = sieve_compile(SPAN_LIT(script), &o, &p);
		assert(s != NULL);
		sieve_problems_fini(&p);
	}
	one = s;
	sieve_run(&one, 1, m, &env, &r);
	parts = sieve_message_parts(m, &n);
	for (uint32_t i = 0; parts != NULL && i < n; i++)
		assert(sieve_message_part_header(m, i) != NULL);
	if (text.len > 0)
		assert(sieve_message_read(m, text.len - 1, &byte, 1) &&
		    byte == text.p[text.len - 1]);
	sieve_result_fini(&r);
	sieve_message_free(&m);
}

static void
as_pattern(struct span pattern, struct span value, const struct sieve_comparator *c)
{
	struct span captures[8];
	struct sieve_glob g = { .comparator = c, .captures = captures, .max = 8,
	    .work_max = 100000 };
	struct arena a = { 0 };

	if (sieve_glob(&g, pattern, value, &a)) {
		assert(g.n > 0);
		for (size_t i = 0; i < g.n && i < g.max; i++)
			assert(captures[i].len <= value.len);
	}
	arena_fini(&a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct sieve_comparator unicode = {
		.name = "u", .substrings = true, .fold = mime_casemap
	};
	const uint8_t *nul = len > 0 ? memchr(data, 0, len) : NULL;

	as_message(span(data, len));
	if (nul != NULL && len < 4096) {
		struct span pattern = span(data, (size_t)(nul - data));
		struct span value = span(nul + 1, len - pattern.len - 1);

		as_pattern(pattern, value, &sieve_octet);
		as_pattern(pattern, value, &sieve_ascii_casemap);
		as_pattern(pattern, value, &unicode);
	}
	return 0;
}
