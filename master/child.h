/* master/child.h
 * A supervised process: started with a control socket as descriptor 3, started again
 * when it dies.  Used by the monitor for the helpers and the master, by the master for
 * its workers.
 *
 * Back-off: a process that dies within CHILD_STEADY_MS of its start is started again
 * after a delay that doubles from CHILD_DELAY_MS to CHILD_DELAY_MAX_MS; one that lived
 * longer, at once.  Every death is one loud line ("child.died"). */
#ifndef MASTER_CHILD_H
#define MASTER_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/ipc/ipc.h"
#include "common/worker/control_proto.h"
#include "common/worker/sandbox.h"

#define CHILD_STEADY_MS		2000
#define CHILD_DELAY_MS		20
#define CHILD_DELAY_MAX_MS	1000
/* Who is not ready by then hangs and is started again.  Not so stored, which may have a
 * journal to replay, and the master, which waits for its workers. */
#define CHILD_READY_MS		60000

struct child;

struct child_user {
	bool	drop;		/* false: stay who we are */
	uid_t	uid;
	gid_t	gid;
	gid_t	extra;		/* one more group, or (gid_t)-1 */
};

struct child_spec {
	enum program		program;
	uint32_t		slot, shard;
	const char		*exe;		/* path of the program; borrowed for the call */
	const char		*mode;		/* argv[1], or NULL */
	struct child_user	user;
	struct sandbox_limits	limits;
};

struct child_ops {
	/* It was started: send hello (filled in here but for the generation, which is
	 * the owner's to give), configuration, sockets, start. */
	void (*started)(struct child *c, void *arg);
	/* It can serve. */
	void (*ready)(struct child *c, void *arg);
	/* A message other than ready. */
	void (*message)(struct child *c, const struct ipc_message *m,
	    const struct ipc_head *h, const void *msg, void *arg);
	/* It died and will be started again, unless told to stop. */
	void (*died)(struct child *c, void *arg);
	void	*arg;
};

/* ops is borrowed for the life of the child. */
struct child *child_new(struct loop *l, const struct child_spec *spec,
    const struct child_ops *ops);
/* Forgets it: a process that still runs is killed. */
void child_free(struct child **c);
/* Not started again any more. */
void child_retire(struct child *c);
/* SIGCHLD arrived: every owner gives its children each pid that was reaped. */
bool child_reaped(struct child *c, pid_t pid, int wstatus);

struct ipc *child_ipc(struct child *c);		/* NULL while it does not run */
const struct child_spec *child_get_spec(const struct child *c);
pid_t child_pid(const struct child *c);		/* 0 while it does not run */
bool child_is_ready(const struct child *c);
uint32_t child_restarts(const struct child *c);
/* Unique for every process ever started; the owner sets it in `started`. */
void child_set_generation(struct child *c, uint64_t generation);
uint64_t child_generation(const struct child *c);
/* The owner's pointer. */
void child_set_data(struct child *c, void *data);
void *child_data(const struct child *c);

/* One sealed or listening descriptor in a message that has no more to it. */
void child_send(struct child *c, uint16_t no, const void *msg);
void child_send_fd(struct child *c, uint16_t no, const void *msg, int fd);

#endif
