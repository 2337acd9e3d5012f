#include "sieve/core.h"

/* RFC 5228 2.10.5 and RFC 5229 6 ask for less. */
const struct sieve_limits sieve_limits_default = {
	.script_bytes = 1 << 20,
	.string_bytes = 65536,
	.list_items = 4096,
	.nodes = 20000,
	.nested_blocks = 32,
	.nested_tests = 32,
	.nested_loops = 4,
	.variables = 256,
	.variable_name_bytes = 64,
	.match_variables = 32,
	.variable_bytes = 8192,
	.steps = 100000,
	.memory_bytes = 16 << 20,
	.actions = 32,
	.redirects = 4,
	.outgoing = 8,
	.includes = 100,
	.nested_includes = 10,
	.header_bytes = 2048,
};

struct sieve_limits
sieve_limits_of(const struct sieve_limits *given)
{
	struct sieve_limits l = sieve_limits_default;
	const uint32_t *from = (const uint32_t *)(const void *)given;
	uint32_t *to = (uint32_t *)(void *)&l;

	_Static_assert(sizeof(l) % sizeof(uint32_t) == 0, "limits are all of one type");
	for (size_t i = 0; given != NULL && i < sizeof(l) / sizeof(uint32_t); i++)
		if (from[i] != 0)
			to[i] = from[i] != SIEVE_LIMIT_NONE ? from[i] : 0;
	return l;
}
