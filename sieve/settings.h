/* sieve/settings.h
 * What the admin may set for the extensions: given to the compiler and to each run.  An extension
 * adds its members here, with what zero means. */
#ifndef SIEVE_SETTINGS_H
#define SIEVE_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/util/span.h"

struct sieve_settings {
	const char	*address_separators;	/* subaddress; NULL: "+" */
};

#endif
