/* common/worker/helper.h
 * A program that the monitor starts and that is no worker: all it has comes through its control
 * socket, and it ends with its parent. */
#ifndef COMMON_WORKER_HELPER_H
#define COMMON_WORKER_HELPER_H

#include "common/conf/settings.h"
#include "common/ipc/ipc.h"
#include "common/util/buf.h"
#include "common/worker/control_proto.h"

struct helper_ops {
	/* Takes conf over.  The log's level is set already. */
	void (*configured)(void *arg, struct mansio_conf *conf);
	/* What is for this program alone: hello, keys, sockets.  true: fd was taken over.  NULL:
	 * nothing is. */
	bool (*message)(void *arg, uint16_t no, const void *msg, int fd);
	/* All that it starts with has come: helper_ready() when it serves. */
	void (*start)(void *arg);
	/* Adds "name=value\n" lines.  NULL: it has none to tell. */
	void (*status)(void *arg, struct buf *lines);
	int orphaned;		/* what main() returns when the monitor is gone */
};

struct helper {
	const struct helper_ops	*ops;
	void			*arg;
	struct loop		*loop;
	struct ipc		*control;
	int			code;		/* what main() returns */
};

/* Listens on the control socket; the loop is the caller's. */
void helper_open(struct helper *h, struct loop *loop, const struct helper_ops *ops, void *arg);
void helper_close(struct helper *h);
void helper_ready(struct helper *h);
/* The loop ends.  The first code that is not 0 stays. */
void helper_end(struct helper *h, int code);

#endif
