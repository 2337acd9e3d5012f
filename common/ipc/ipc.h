/* common/ipc/ipc.h
 * A connection between two of our processes: frames over a UNIX stream socket,
 * pipelined, each request with an id that its replies carry.  Requests may flow
 * both ways.  What is written in one round of the loop goes out in one call.
 *
 * Frame: u32 body length, u16 message number, u8 flags, u8 status, u32 request id,
 * u32 channel; big-endian; then the body.  The first frame each way is a greeting
 * (number 0) with the protocol's name and version: another major version, or any
 * malformed or forbidden frame, closes the connection with one log line
 * ("ipc.malformed"); it never ends the process.
 *
 * `channel` separates sessions on one socket (a worker's logins on its store
 * socket); this layer only carries it. */
#ifndef COMMON_IPC_IPC_H
#define COMMON_IPC_IPC_H

#include <stdbool.h>
#include <stdint.h>

#include "common/ipc/message.h"
#include "common/net/loop.h"

struct ipc;

struct ipc_head {
	uint32_t	req;		/* 0: a note */
	uint32_t	chan;
	enum status	status;		/* of a reply */
	bool		more;		/* of a reply: further frames follow */
	int		fd;		/* -1, or taken over by the handler: it closes it */
};

/* A request or note from the peer.  msg: the decoded struct, borrowed. */
typedef void (*ipc_request_fn)(struct ipc *ipc, const struct ipc_message *m,
    const struct ipc_head *head, const void *msg, void *arg);
/* A frame that answers our request: called once or more with head->more, and once
 * without.  m and msg are NULL when the reply has only a status, and when the
 * connection ended first (ST_UNAVAILABLE). */
typedef void (*ipc_reply_fn)(void *arg, const struct ipc_head *head,
    const struct ipc_message *m, const void *msg);
/* The peer is gone; all replies were delivered before.  ipc is still valid: free
 * it here or later. */
typedef void (*ipc_closed_fn)(struct ipc *ipc, void *arg);
/* What waits to be written fell below half of the limit again. */
typedef void (*ipc_drained_fn)(struct ipc *ipc, void *arg);

struct ipc_config {
	struct loop			*loop;
	const struct ipc_protocol	*protocol;
	const char			*peer;		/* for the log; borrowed for its life */
	uint32_t			allowed;	/* mask the peer's messages must meet */
	bool				fds;		/* descriptors may travel */
	ipc_request_fn			request;	/* NULL: the peer may only reply */
	ipc_closed_fn			closed;
	ipc_drained_fn			drained;	/* may be NULL */
	void				*arg;
};

/* Takes fd over. */
struct ipc *ipc_new(const struct ipc_config *cf, int fd);
/* Pending requests are forgotten: their callbacks do not run. */
void ipc_free(struct ipc **ipc);
bool ipc_is_open(const struct ipc *ipc);
void ipc_set_allowed(struct ipc *ipc, uint32_t allowed);

/* Sends a request, returns its id (never 0).  msg may be NULL when m has no fields.
 * fd -1 or sent with it (IPC_MSG_FD; a duplicate is made, the caller keeps its own). */
uint32_t ipc_request(struct ipc *ipc, uint32_t chan, uint16_t no, const void *msg,
    ipc_reply_fn reply, void *arg);
/* Leaves with what is sent next, or a little later: for what nobody waits for. */
void ipc_reply_later(struct ipc *ipc, const struct ipc_head *head, enum status st, uint16_t no,
    const void *msg);
uint32_t ipc_request_later(struct ipc *ipc, uint32_t chan, uint16_t no, const void *msg,
    ipc_reply_fn reply, void *arg);
uint32_t ipc_request_fd(struct ipc *ipc, uint32_t chan, uint16_t no, const void *msg,
    int fd, ipc_reply_fn reply, void *arg);
/* The callback will not run any more.  The peer is told (number 0xffff), so that it
 * can stop a long reply; it need not. */
void ipc_cancel(struct ipc *ipc, uint32_t req);
void ipc_note(struct ipc *ipc, uint32_t chan, uint16_t no, const void *msg);
void ipc_note_fd(struct ipc *ipc, uint32_t chan, uint16_t no, const void *msg, int fd);

/* Answers head; no 0 and msg NULL: the status alone. */
void ipc_reply(struct ipc *ipc, const struct ipc_head *head, enum status st,
    uint16_t no, const void *msg);
/* A message that has no place here: closes the descriptor that came with it, and answers
 * with the status alone when it was a request. */
void ipc_refuse(struct ipc *ipc, const struct ipc_head *head, enum status st);
/* A part of the answer; more follows. */
void ipc_reply_more(struct ipc *ipc, const struct ipc_head *head, uint16_t no, const void *msg);
/* true after the peer cancelled that request of its; ask between the parts of a long reply.
 * Forgotten by ipc_reply(), which ends a cancelled request too. */
bool ipc_is_cancelled(const struct ipc *ipc, uint32_t req);



/* Bytes that wait to be written; when full stop producing until drained. */
size_t ipc_out_pending(const struct ipc *ipc);
bool ipc_out_full(const struct ipc *ipc);
/* Stops reading from the peer (back-pressure), or goes on. */
void ipc_pause(struct ipc *ipc, bool pause);
/* Writes what waits, now and blocking for at most timeout_ms; for a process about to end. */
void ipc_flush(struct ipc *ipc, unsigned timeout_ms);

#endif
