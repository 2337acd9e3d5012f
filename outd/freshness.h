/* outd/freshness.h
 * How long an answer may be kept, from the lines of its header (RFC 9111 §5.2.2: max-age,
 * no-store, no-cache; §5.1: Age), and when to ask again (RFC 9110 §10.2.3).  No I/O. */
#ifndef OUTD_FRESHNESS_H
#define OUTD_FRESHNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/util/span.h"

struct freshness {		/* zeroed: nothing was said */
	bool		known, never;
	uint32_t	max_age_s, age_s;
	uint32_t	retry_after_s;	/* 0: not said, or as a date */
};

/* One line as it came, line end or not.  A new status line forgets what stood before it. */
void freshness_line(struct freshness *f, struct span line);
/* -1: the server did not say. */
int64_t freshness_s(const struct freshness *f);

#endif
