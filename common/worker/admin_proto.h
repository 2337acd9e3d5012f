/* common/worker/admin_proto.h
 * What mansioctl asks of admind on the admin socket, over common/ipc.
 *
 * A command is a name and one JSON object of arguments, answered by a status and one
 * JSON object; a status other than ST_OK comes with {"error":"one line"}.  The names
 * are listed in admind/commands.c.  Requests may be pipelined: ADMIN_REQUESTS_MAX of a
 * client run at a time, what is more waits unread.  They end in no order.
 *
 * Long work tells how far it is with `progress` parts before the answer.
 *
 * A command that takes a file (deliver) is sent on a channel, not 0, free again after
 * its answer; the file follows as `data` on that channel, one at a time: each is answered
 * when it was taken.
 *
 * account-open goes on as long as it is wanted: a `progress` part tells that the account is
 * there, then each `store` on its channel is a request to the store service about that account's
 * mail, of the kinds that admind/relay.c lists, and its parts come back as they come from there;
 * what says how much it wants at a time is the request's own budget.  A last `data` ends it. */
#ifndef COMMON_WORKER_ADMIN_PROTO_H
#define COMMON_WORKER_ADMIN_PROTO_H

#include "common/ipc/message.h"

#define ADMIN_PROTO_MAJOR 1
#define ADMIN_PROTO_MINOR 0
#define ADMIN_LISTENER "admin"		/* name of the socket among a process' listeners */
#define ADMIN_COMMAND_MAX 64
#define ADMIN_ARGS_MAX 65536
#define ADMIN_RESULT_MAX (1u << 20)
#define ADMIN_DATA_MAX (128u << 10)
#define ADMIN_STORE_MAX (2u << 20)
#define ADMIN_REQUESTS_MAX 64

enum { ADMIN_CLIENT = 1 };		/* who may send */

enum admin_no {
	ADMIN_RUN = 1, ADMIN_RESULT = 2, ADMIN_PROGRESS = 3, ADMIN_DATA = 4,
	ADMIN_STORE = 5, ADMIN_STORE_IS = 6
};

/* run -> (progress or result)*, result: a long answer comes in several results.  args may hold passwords. */
struct admin_run { struct span command, args; };
struct admin_result { struct span json; };
struct admin_progress { uint64_t done, total; };	/* total 0: not known */
/* data -> status: ST_OK, or the command is over and its own answer tells why. */
struct admin_data { struct span data; bool last; };

/* store -> store_is..., or a status: a message of storage/api/store_proto.h, encoded. */
struct admin_store { uint32_t no; struct span body; };
struct admin_store_is { uint32_t no; struct span body; };

extern const struct ipc_protocol admin_protocol;

#endif
