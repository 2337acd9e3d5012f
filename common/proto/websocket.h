/* common/proto/websocket.h
 * WebSocket as a server sees it (RFC 6455), without I/O: the handshake's key, frames in and out. The
 * first reserved bit belongs to permessage-deflate (RFC 7692); what inflates is the caller's. */
#ifndef COMMON_PROTO_WEBSOCKET_H
#define COMMON_PROTO_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/util/buf.h"
#include "common/util/span.h"
#include "common/util/status.h"

#define WS_CONTROL_MAX	125u	/* payload of a control frame */

enum ws_op {
	WS_MORE = 0, WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10
};

/* Reasons to close (RFC 6455 §7.4.1). */
enum {
	WS_NORMAL = 1000, WS_GOING_AWAY = 1001, WS_PROTOCOL = 1002, WS_UNACCEPTABLE = 1003,
	WS_NO_REASON = 1005, WS_NOT_UTF8 = 1007, WS_POLICY = 1008, WS_TOO_BIG = 1009,
	WS_INTERNAL = 1011
};

/* Sec-WebSocket-Key -> Sec-WebSocket-Accept; false: it is not the base64 of 16 bytes. */
bool ws_accept(struct span key, struct buf *out);

struct ws_reader {		/* zeroed but for these two */
	uint64_t	message_max;	/* of the payload of a message as it comes */
	bool		deflate;	/* was agreed on */
	/* the reader's own */
	bool		in_frame, fin, deflated;
	uint8_t		op, message;	/* of the frame; of the message, 0: none under way */
	bool		began;		/* something of the message was handed out */
	unsigned char	mask[4];
	unsigned	phase;
	uint64_t	left, sum;
};

/* A piece of a message, or a control frame, which may stand between two of them, whole. */
struct ws_piece {
	enum ws_op	op;		/* never WS_MORE */
	bool		first, last;	/* of the message */
	bool		deflated;	/* the message is */
	struct span	data;		/* in what was read, unmasked */
};

/* Takes from the front of p, which it changes; *used bytes of it are done with when the piece is.
 * ST_UNAVAILABLE: more is needed.  ST_SYNTAX: WS_PROTOCOL; ST_LIMIT: WS_TOO_BIG. */
enum status ws_read(struct ws_reader *r, char *p, size_t len, size_t *used,
    struct ws_piece *piece);
/* The payload of a close frame; WS_NO_REASON for none.  false: WS_PROTOCOL. */
bool ws_close_code(struct span data, unsigned *code);

/* The head of a frame that is a message in itself, or a control frame; its payload follows. */
void ws_put_head(struct buf *out, enum ws_op op, bool deflated, uint64_t len);
void ws_put_close(struct buf *out, unsigned code, struct span reason);

#endif
