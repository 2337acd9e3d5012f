/* ctl/when.h
 * A time as people write it. */
#ifndef CTL_WHEN_H
#define CTL_WHEN_H

#include <stdbool.h>
#include <stdint.h>

#define CTL_WHEN_FORMS "2026-01-31T18:30:00Z, \"2026-01-31 18:30\" (local time), \"2h ago\", " \
	"@1769884200"

/* ISO 8601 with a zone, or in local time without one, down to a day; "N UNIT ago", UNIT from
 * seconds to weeks; Unix seconds, with or without "@".  false: none of these. */
bool ctl_when(const char *text, int64_t now_s, int64_t *at_s);

#endif
