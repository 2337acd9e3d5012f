/* common/ipc/message.h
 * Message tables: each protocol between our processes (auth, store, control) is
 * one const table of messages, each message a table of fields over a plain
 * struct.  Both ends, the trace and the round-trip test read the same table.
 *
 *     struct store_open { struct span path; bool readonly; };
 *     static const struct ipc_field open_fields[] = {
 *             IPC_STR(store_open, path, 1, 1024),
 *             IPC_BOOL(store_open, readonly),
 *             IPC_END
 *     };
 *
 * Spans in a decoded struct are borrowed from the received frame: valid only
 * while the handler runs.  Every bound of a field is checked before a handler
 * sees it; fields that a newer peer added last are ignored by an older one
 * (the length of the known ones is what counts). */
#ifndef COMMON_IPC_MESSAGE_H
#define COMMON_IPC_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "common/util/buf.h"
#include "common/util/span.h"
#include "common/util/status.h"

enum ipc_kind { IPC_K_END, IPC_K_BOOL, IPC_K_U8, IPC_K_U32, IPC_K_U64, IPC_K_I64, IPC_K_STR };

struct ipc_field {
	const char	*name;
	enum ipc_kind	kind;
	size_t		offset;
	uint64_t	min, max;	/* of the value, or of the length for STR */
};

#define IPC_BOOL(type, m)	{ #m, IPC_K_BOOL, offsetof(struct type, m), 0, 1 }
#define IPC_U8(type, m, lo, hi)	{ #m, IPC_K_U8, offsetof(struct type, m), (lo), (hi) }
#define IPC_U32(type, m)	{ #m, IPC_K_U32, offsetof(struct type, m), 0, UINT32_MAX }
#define IPC_U64(type, m)	{ #m, IPC_K_U64, offsetof(struct type, m), 0, UINT64_MAX }
#define IPC_I64(type, m)	{ #m, IPC_K_I64, offsetof(struct type, m), 0, UINT64_MAX }
/* Bytes of any value, length within lo..hi; the member is a struct span. */
#define IPC_STR(type, m, lo, hi) { #m, IPC_K_STR, offsetof(struct type, m), (lo), (hi) }
#define IPC_END			{ NULL, IPC_K_END, 0, 0, 0 }

/* Flags of a message. */
enum {
	IPC_MSG_FD = 1,		/* one descriptor travels with it */
	IPC_MSG_REPLY = 2,	/* answers a request; never a request itself */
	IPC_MSG_NOTE = 4,	/* one way, no reply */
	IPC_MSG_SECRET = 8	/* the trace shows only its name; wiped after use */
};

struct ipc_message {
	uint16_t			no;		/* 1..; never reused; 0 ends a table */
	const char			*name;
	uint32_t			allowed;	/* states or roles; who may send it */
	uint32_t			flags;
	uint32_t			body_max;	/* bytes on the wire */
	size_t				size;		/* of the struct; 0: no fields */
	const struct ipc_field		*fields;
};

#define IPC_SIZE_MAX (4u << 20)		/* no body is larger; sizeof any struct is below IPC_STRUCT_MAX */
#define IPC_STRUCT_MAX 512

struct ipc_protocol {
	const char			*name;
	uint16_t			major, minor;
	const struct ipc_message	*messages;
};

const struct ipc_message *ipc_find(const struct ipc_protocol *p, uint16_t no);
/* Appends the body.  A value outside its bounds is our own mistake: assert. */
void ipc_encode(const struct ipc_message *m, const void *msg, struct buf *out);
/* out: m->size bytes, cleared first.  ST_SYNTAX: malformed or out of bounds. */
enum status ipc_decode(const struct ipc_message *m, struct span body, void *out);
/* "store-open path=\"INBOX\" readonly=1", for traces; cut at max bytes. */
void ipc_describe(const struct ipc_message *m, const void *msg, struct buf *out, size_t max);

#endif
