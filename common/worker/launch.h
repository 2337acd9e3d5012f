/* common/worker/launch.h
 * A process that is forked before another gives its rights up, to start programs for it: it sits
 * at the other end of a socket of packets, takes orders, and ends with the one that made it.
 * What the orders are is its owner's business (outd/launcher.h, indexd/runner.h). */
#ifndef COMMON_WORKER_LAUNCH_H
#define COMMON_WORKER_LAUNCH_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

/* orders: the socket, the only descriptor above 2 that it has.  waiting: the signals for
 * ppoll(), the only place where the end of a child (SIGCHLD) interrupts it.  Returns when its
 * owner is gone, or when it cannot serve. */
typedef void (*launch_serve_fn)(void *arg, int orders, const sigset_t *waiting);

/* Forks it.  Returns the owner's end of the socket, which blocks; -1: it did not come up. */
int launch_start(launch_serve_fn serve, void *arg);
/* In serve(), once, before orders are taken: it has what it needs. */
bool launch_up(int orders);

/* Between fork and exec of a program: signals as they are by default. */
void launch_signals(void);
/* The same, and it dies with parent, and has but these three descriptors.  false: _exit(). */
bool launch_become(pid_t parent, int input, int output, int error);

#endif
