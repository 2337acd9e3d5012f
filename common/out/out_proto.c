#include "common/out/out_proto.h"

static const struct ipc_field keys[] = { IPC_STR(out_keys, url, 1, OUT_URL_MAX), IPC_END };
static const struct ipc_field introspect[] = {
	IPC_STR(out_introspect, url, 1, OUT_URL_MAX),
	IPC_STR(out_introspect, token, 1, OUT_TOKEN_MAX), IPC_END };
static const struct ipc_field fetched[] = {
	IPC_STR(out_fetched, body, 0, OUT_BODY_MAX), IPC_I64(out_fetched, max_age_s), IPC_END };
static const struct ipc_field push[] = {
	IPC_STR(out_push, url, 1, OUT_URL_MAX), IPC_STR(out_push, p256dh, 0, OUT_PUSH_KEY_MAX),
	IPC_STR(out_push, auth, 0, OUT_PUSH_KEY_MAX), IPC_STR(out_push, text, 1, OUT_PUSH_TEXT_MAX),
	IPC_U32(out_push, ttl_s), IPC_END };
static const struct ipc_field pushed[] = {
	IPC_U32(out_pushed, status), IPC_U32(out_pushed, retry_after_s), IPC_END };
static const struct ipc_field failed[] = { IPC_STR(out_failed, why, 1, 256), IPC_END };

#define OF(type, fields) sizeof(struct type), fields

/* Numbers are never reused. */
static const struct ipc_message messages[] = {
	{ OUT_KEYS, "keys", OUT_PEER_AUTHD, 0, OUT_URL_MAX + 16, OF(out_keys, keys) },
	{ OUT_INTROSPECT, "introspect", OUT_PEER_AUTHD, IPC_MSG_SECRET,
	    OUT_URL_MAX + OUT_TOKEN_MAX + 16, OF(out_introspect, introspect) },
	{ OUT_FETCHED, "fetched", 0, IPC_MSG_REPLY | IPC_MSG_SECRET, OUT_BODY_MAX + 32,
	    OF(out_fetched, fetched) },
	{ OUT_FAILED, "failed", 0, IPC_MSG_REPLY, 320, OF(out_failed, failed) },
	{ OUT_PUSH, "push", OUT_PEER_STORED, IPC_MSG_SECRET,
	    OUT_URL_MAX + 2 * OUT_PUSH_KEY_MAX + OUT_PUSH_TEXT_MAX + 32, OF(out_push, push) },
	{ OUT_PUSHED, "pushed", 0, IPC_MSG_REPLY, 16, OF(out_pushed, pushed) },
	{ 0 }
};

const struct ipc_protocol out_protocol = { "out", OUT_PROTO_MAJOR, OUT_PROTO_MINOR, messages };
