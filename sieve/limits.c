#include "sieve/sieve.h"

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
