/* storage/service/background.h
 * One thread for what takes long and nobody waits for: hot copies, walks over everything, reading
 * what is to be moved.  Jobs run one after the other.  The disk serves it last, and it rests as
 * long as it works; it is no slower than others to run, for it may hold what they wait for. */
#ifndef STORAGE_SERVICE_BACKGROUND_H
#define STORAGE_SERVICE_BACKGROUND_H

#include <stdbool.h>

#include "common/net/loop.h"

struct background;

/* run: in the thread.  done: in the loop, then; both once.  When the service closes before
 * it ran, run is left out (ran false). */
typedef void (*background_run_fn)(void *arg);
typedef void (*background_done_fn)(void *arg, bool ran);

/* in_loop: tests: run happens in the loop's next round instead of in a thread. */
struct background *background_new(struct loop *l, bool in_loop);
/* Waits for the job that runs; calls done of all. */
void background_free(struct background **b);
void background_submit(struct background *b, background_run_fn run, background_done_fn done,
    void *arg);
/* For jobs that take long: give up, the service closes.  Any thread. */
bool background_stopping(const struct background *b);
/* Rests, if it worked for a while since it did last.  Called often, from run. */
void background_pace(struct background *b);
/* Sleeps, but not longer than until the service closes. */
void background_sleep(struct background *b, unsigned ms);

#endif
