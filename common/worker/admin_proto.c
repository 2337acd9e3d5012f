#include "common/worker/admin_proto.h"

static const struct ipc_field run[] = {
	IPC_STR(admin_run, command, 1, ADMIN_COMMAND_MAX),
	IPC_STR(admin_run, args, 0, ADMIN_ARGS_MAX), IPC_END };
static const struct ipc_field result[] = {
	IPC_STR(admin_result, json, 0, ADMIN_RESULT_MAX), IPC_END };
static const struct ipc_field progress[] = {
	IPC_U64(admin_progress, done), IPC_U64(admin_progress, total), IPC_END };
static const struct ipc_field data[] = {
	IPC_STR(admin_data, data, 0, ADMIN_DATA_MAX), IPC_BOOL(admin_data, last), IPC_END };

static const struct ipc_field store[] = {
	IPC_U32(admin_store, no), IPC_STR(admin_store, body, 0, ADMIN_STORE_MAX), IPC_END };
static const struct ipc_field store_is[] = {
	IPC_U32(admin_store_is, no), IPC_STR(admin_store_is, body, 0, IPC_SIZE_MAX - 64), IPC_END };

#define OF(type, fields) sizeof(struct type), fields

/* Numbers are never reused. */
static const struct ipc_message messages[] = {
	{ ADMIN_RUN, "run", ADMIN_CLIENT, IPC_MSG_SECRET,
	    ADMIN_COMMAND_MAX + ADMIN_ARGS_MAX + 16, OF(admin_run, run) },
	{ ADMIN_RESULT, "result", 0, IPC_MSG_REPLY | IPC_MSG_SECRET, ADMIN_RESULT_MAX + 16,
	    OF(admin_result, result) },
	{ ADMIN_PROGRESS, "progress", 0, IPC_MSG_REPLY, 32, OF(admin_progress, progress) },
	{ ADMIN_DATA, "data", ADMIN_CLIENT, IPC_MSG_SECRET, ADMIN_DATA_MAX + 16,
	    OF(admin_data, data) },
	{ ADMIN_STORE, "store", ADMIN_CLIENT, IPC_MSG_SECRET, ADMIN_STORE_MAX + 16,
	    OF(admin_store, store) },
	{ ADMIN_STORE_IS, "store-is", 0, IPC_MSG_REPLY | IPC_MSG_SECRET, IPC_SIZE_MAX,
	    OF(admin_store_is, store_is) },
	{ 0 }
};

const struct ipc_protocol admin_protocol = {
	"admin", ADMIN_PROTO_MAJOR, ADMIN_PROTO_MINOR, messages
};
