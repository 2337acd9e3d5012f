/* common/net/loop.h
 * The event loop: descriptors, timers, signals, and calls put off until the stack
 * is empty.  One loop a process, one thread a loop.  The only header that stands
 * before libevent; nobody else sees it.
 *
 * A callback may free its own watcher or any other: no callback of a freed
 * watcher runs afterwards, also not in the same round. */
#ifndef COMMON_NET_LOOP_H
#define COMMON_NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_io;
struct loop_timer;
struct loop_signal;
struct loop_task;

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

typedef void (*loop_io_fn)(int fd, unsigned events, void *arg);
typedef void (*loop_fn)(void *arg);

struct loop *loop_new(void);
/* All watchers are freed before. */
void loop_free(struct loop **l);
/* Runs until loop_stop(); returns then. */
void loop_run(struct loop *l);
/* One round; waits for an event only when wait is true. */
void loop_once(struct loop *l, bool wait);
void loop_stop(struct loop *l);
/* Monotonic time at the start of the round, cheap. */
uint64_t loop_now_ms(const struct loop *l);

/* Level triggered.  fd stays the caller's.  events may be 0. */
struct loop_io *loop_io_new(struct loop *l, int fd, unsigned events, loop_io_fn fn, void *arg);
void loop_io_set(struct loop_io *io, unsigned events);
void loop_io_free(struct loop_io **io);

/* Not running until set.  One shot; setting it again moves it.  A timer costs no
 * system call to set, so idle time-outs may be moved with every command. */
struct loop_timer *loop_timer_new(struct loop *l, loop_fn fn, void *arg);
void loop_timer_set(struct loop_timer *t, uint64_t after_ms);
void loop_timer_clear(struct loop_timer *t);
bool loop_timer_is_set(const struct loop_timer *t);
void loop_timer_free(struct loop_timer **t);

struct loop_signal *loop_signal_new(struct loop *l, int sig, loop_fn fn, void *arg);
void loop_signal_free(struct loop_signal **s);

/* Runs fn once in the loop's next round after each post (posts before it ran are
 * one).  Breaks recursion and gathers work: write each connection once a round. */
struct loop_task *loop_task_new(struct loop *l, loop_fn fn, void *arg);
void loop_task_post(struct loop_task *t);
void loop_task_free(struct loop_task **t);

/* The process' loop.  After fork without exec: makes the kernel state anew. */
bool loop_reinit(struct loop *l);

#endif
