/* common/util/clock.h
 * Time.  Wall clock for what is shown and stored, monotonic for what is waited
 * for: a clock that jumps changes no timeout. */
#ifndef COMMON_UTIL_CLOCK_H
#define COMMON_UTIL_CLOCK_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

int64_t clock_wall_ms(void);	/* milliseconds since 1970-01-01 UTC */
int64_t clock_wall_s(void);
uint64_t clock_mono_ms(void);
uint64_t clock_mono_us(void);

/* A condition that is waited for by the monotonic clock, and a deadline for it. */
void clock_cond_init(pthread_cond_t *c);
struct timespec clock_mono_in(uint64_t ms);

#endif
