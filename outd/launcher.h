/* outd/launcher.h
 * The process that runs the submission program.  It begins before outd gives up its rights, for sendmail(8) is
 * often setuid or setgid, which whoever may gain no rights cannot use.  It opens no socket, reads no
 * mail, and knows one program: an order names the arguments behind it and brings the pipes that are its
 * standard input and output.
 *
 * A program must not take half a message for a whole one, so the launcher holds the writing end of its
 * input too: the input ends when both have closed it.  When outd is gone it kills the program instead. */
#ifndef OUTD_LAUNCHER_H
#define OUTD_LAUNCHER_H

#include <stdbool.h>
#include <stdint.h>

enum { LAUNCH_RUN = 1, LAUNCH_END_INPUT = 2, LAUNCH_KILL = 3 };
#define LAUNCH_RUNS_MAX	64u		/* at a time */
#define LAUNCH_ARGS_MAX	128u
#define LAUNCH_BYTES	(64u << 10)	/* of an order */

/* One packet.  run: behind it the arguments, each with its NUL; with three descriptors: its input, the
 * writing end of that, its output. */
struct launch_order {
	uint32_t	what, id;
	uint32_t	time_s;		/* run: then it is killed */
};
enum { LAUNCH_EXITED = 1, LAUNCH_KILLED = 2, LAUNCH_LATE = 3 };
/* Each run is answered once. */
struct launch_answer {
	uint32_t	id, how;
	uint32_t	code;		/* exited: what it said */
};

/* Forks it.  Returns the socket to it, packets, which does not block; -1: it did not come up. */
int launcher_start(const char *program);

#endif
