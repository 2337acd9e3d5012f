/* All extensions of the language, in the order in which the hooks of their tags run. */
#include "sieve/ext.h"

const struct sieve_ext *const sieve_extensions[] = {
	NULL
};
