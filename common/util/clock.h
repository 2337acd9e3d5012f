/* common/util/clock.h
 * Time.  Wall clock for what is shown and stored, monotonic for what is waited
 * for: a clock that jumps changes no timeout. */
#ifndef COMMON_UTIL_CLOCK_H
#define COMMON_UTIL_CLOCK_H

#include <stdint.h>

int64_t clock_wall_ms(void);	/* milliseconds since 1970-01-01 UTC */
int64_t clock_wall_s(void);
uint64_t clock_mono_ms(void);
uint64_t clock_mono_us(void);

#endif
