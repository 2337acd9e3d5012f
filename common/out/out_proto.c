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
static const struct ipc_field submit[] = {
	IPC_U64(out_submit, account), IPC_U64(out_submit, entry),
	IPC_STR(out_submit, from, 0, OUT_ADDRESS_MAX),
	IPC_STR(out_submit, recipients, 1, OUT_RECIPIENTS_BYTES),
	IPC_STR(out_submit, envid, 0, OUT_ENVID_MAX), IPC_U8(out_submit, ret, 0, OUT_RET_HDRS),
	IPC_U8(out_submit, by, 0, OUT_BY_RETURN), IPC_BOOL(out_submit, by_trace),
	IPC_I64(out_submit, by_s), IPC_U64(out_submit, size), IPC_STR(out_submit, sha256, 32, 32), IPC_BOOL(out_submit, utf8),
	IPC_BOOL(out_submit, eight_bit), IPC_END };
static const struct ipc_field submit_body[] = {
	IPC_STR(out_submit_body, bytes, 0, OUT_SUBMIT_PART), IPC_BOOL(out_submit_body, last),
	IPC_BOOL(out_submit_body, bad), IPC_END };
static const struct ipc_field submit_wants[] = { IPC_U32(out_submit_wants, bytes), IPC_END };
static const struct ipc_field submitted[] = {
	IPC_U8(out_submitted, how, OUT_SENT, OUT_REFUSED), IPC_BOOL(out_submitted, unsent),
	IPC_STR(out_submitted, results, 0, OUT_SUBMIT_RECIPIENTS_MAX * (OUT_WHY_MAX + 8u)),
	IPC_STR(out_submitted, why, 0, OUT_WHY_MAX), IPC_END };
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
	{ OUT_SUBMIT, "submit", OUT_PEER_QUEUE, 0,
	    OUT_RECIPIENTS_BYTES + OUT_ADDRESS_MAX + OUT_ENVID_MAX + 128, OF(out_submit, submit) },
	{ OUT_SUBMIT_BODY, "submit-body", OUT_PEER_QUEUE, IPC_MSG_NOTE | IPC_MSG_SECRET,
	    OUT_SUBMIT_PART + 16, OF(out_submit_body, submit_body) },
	{ OUT_SUBMIT_WANTS, "submit-wants", 0, IPC_MSG_REPLY, 16,
	    OF(out_submit_wants, submit_wants) },
	{ OUT_SUBMITTED, "submitted", 0, IPC_MSG_REPLY,
	    OUT_SUBMIT_RECIPIENTS_MAX * (OUT_WHY_MAX + 8u) + OUT_WHY_MAX + 32,
	    OF(out_submitted, submitted) },
	{ 0 }
};

const struct ipc_protocol out_protocol = { "out", OUT_PROTO_MAJOR, OUT_PROTO_MINOR, messages };

void
put_out_recipient(struct buf *out, const struct out_recipient *r)
{
	put_span(out, r->address);
	put_span(out, r->orcpt);
	put_u8(out, r->notify);
}

bool
get_out_recipient(struct reader *r, struct out_recipient *to)
{
	if (r->bad || r->p == r->end)
		return false;
	to->address = get_span(r);
	to->orcpt = get_span(r);
	to->notify = get_u8(r);
	r->bad |= to->address.len == 0 || to->address.len > OUT_ADDRESS_MAX ||
	    to->orcpt.len > OUT_ORCPT_MAX || to->notify > 15;
	return !r->bad;
}

void
put_out_result(struct buf *out, const struct out_result *r)
{
	put_u8(out, r->how);
	put_span(out, r->why);
}

bool
get_out_result(struct reader *r, struct out_result *to)
{
	if (r->bad || r->p == r->end)
		return false;
	to->how = get_u8(r);
	to->why = get_span(r);
	r->bad |= to->how < OUT_SENT || to->how > OUT_REFUSED || to->why.len > OUT_WHY_MAX;
	return !r->bad;
}
