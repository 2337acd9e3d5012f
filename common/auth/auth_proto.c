#include "common/auth/auth_proto.h"

#include "common/auth/voids.h"

#define DATA(type, m)	IPC_STR(type, m, 0, AUTH_DATA_MAX)
#define NAME(type, m)	IPC_STR(type, m, 0, AUTH_NAME_MAX)
#define TICKET(type, m)	IPC_STR(type, m, TICKET_LEN, TICKET_LEN)

static const struct ipc_field start[] = {
	IPC_STR(auth_start, mechanism, 1, 32), DATA(auth_start, initial),
	IPC_U8(auth_start, flags, 0, 15), IPC_U8(auth_start, service, 1, AUTH_SUBMIT),
	IPC_STR(auth_start, conn, 0, 64), IPC_STR(auth_start, peer, 0, 64),
	IPC_STR(auth_start, binding, 0, 64),
	IPC_STR(auth_start, identities, 0, AUTH_IDENTITIES_MAX), IPC_END };
static const struct ipc_field challenge[] = { DATA(auth_challenge, data), IPC_END };
static const struct ipc_field step[] = { DATA(auth_step, data), IPC_END };
static const struct ipc_field granted[] = {
	TICKET(auth_granted, ticket), NAME(auth_granted, user), IPC_U64(auth_granted, account),
	IPC_U32(auth_granted, shard), IPC_I64(auth_granted, expires_s),
	DATA(auth_granted, data), IPC_STR(auth_granted, referral, 0, AUTH_URL_MAX), IPC_END };
static const struct ipc_field failure[] = {
	IPC_U8(auth_failure, reason, 1, 255), DATA(auth_failure, data), IPC_END };
static const struct ipc_field mechanisms[] = {
	IPC_U8(auth_mechanisms, flags, 0, 15), IPC_END };
static const struct ipc_field mechanisms_are[] = {
	IPC_STR(auth_mechanisms_are, names, 0, 1024), IPC_END };
static const struct ipc_field renew[] = { TICKET(auth_renew, ticket), IPC_END };
static const struct ipc_field renewed[] = {
	TICKET(auth_renewed, ticket), IPC_I64(auth_renewed, expires_s), IPC_END };
static const struct ipc_field logout[] = { TICKET(auth_logout, ticket), IPC_END };
static const struct ipc_field revoked[] = {
	IPC_U64(auth_revoked, account),
	IPC_STR(auth_revoked, id, TICKET_ID_LEN, TICKET_ID_LEN), IPC_END };
static const struct ipc_field rcpt[] = {
	IPC_STR(auth_rcpt, address, 1, AUTH_NAME_MAX), IPC_STR(auth_rcpt, conn, 0, 64),
	IPC_BOOL(auth_rcpt, probe), IPC_U8(auth_rcpt, spares, 0, AUTH_SPARES_MAX), IPC_END };
static const struct ipc_field rcpt_is[] = {
	IPC_STR(auth_rcpt_is, ticket, 0, TICKET_LEN), NAME(auth_rcpt_is, user),
	NAME(auth_rcpt_is, detail), IPC_U64(auth_rcpt_is, account),
	IPC_U32(auth_rcpt_is, shard),
	IPC_STR(auth_rcpt_is, spares, 0, AUTH_SPARES_MAX * TICKET_LEN), IPC_END };
static const struct ipc_field known_voids[] = {
	IPC_STR(auth_known_voids, ids, 0, VOIDS_PAGE * VOID_LEN), IPC_I64(auth_known_voids, before_s),
	IPC_U64(auth_known_voids, epoch_from), IPC_BOOL(auth_known_voids, last), IPC_END };
static const struct ipc_field revocations[] = { IPC_U64(auth_revocations, after), IPC_END };
static const struct ipc_field revocations_are[] = {
	IPC_STR(auth_revocations_are, ids, 0, VOIDS_PAGE * VOID_LEN),
	IPC_I64(auth_revocations_are, before_s), IPC_U64(auth_revocations_are, epoch_from),
	IPC_U64(auth_revocations_are, last), IPC_BOOL(auth_revocations_are, more), IPC_END };
static const struct ipc_field void_before[] = { IPC_I64(auth_void_before, before_s), IPC_END };
static const struct ipc_field ticket_void[] = {
	IPC_STR(auth_ticket_void, id, 0, TICKET_ID_LEN),
	IPC_U64(auth_ticket_void, account), IPC_I64(auth_ticket_void, expires_s), IPC_END };
static const struct ipc_field who[] = {
	IPC_STR(auth_who, names, 0, 16384), IPC_STR(auth_who, ids, 0, 8192),
	IPC_STR(auth_who, ticket, 0, 232), IPC_END };
static const struct ipc_field who_is[] = {
	IPC_STR(auth_who_is, found, 0, 1u << 20), IPC_END };
static const struct ipc_field admin[] = {
	IPC_STR(auth_admin, command, 1, 64), IPC_STR(auth_admin, args, 0, 65536), IPC_END };
static const struct ipc_field admin_is[] = {
	IPC_STR(auth_admin_is, result, 0, 1u << 20), IPC_END };

#define LOGIN	AUTH_PEER_WORKER
#define REPLY	0, IPC_MSG_REPLY
#define OF(type, fields) sizeof(struct type), fields

/* Numbers are never reused. */
static const struct ipc_message messages[] = {
	{ AUTH_START, "start", LOGIN, IPC_MSG_SECRET, AUTH_DATA_MAX + 3072, OF(auth_start, start) },
	{ AUTH_CHALLENGE, "challenge", REPLY, AUTH_DATA_MAX + 16, OF(auth_challenge, challenge) },
	{ AUTH_STEP, "step", LOGIN, IPC_MSG_SECRET, AUTH_DATA_MAX + 16, OF(auth_step, step) },
	{ AUTH_CANCEL, "cancel", LOGIN, IPC_MSG_NOTE, 0, 0, NULL },
	{ AUTH_GRANTED, "granted", 0, IPC_MSG_REPLY | IPC_MSG_SECRET, AUTH_DATA_MAX + 2048,
	    OF(auth_granted, granted) },
	{ AUTH_FAILURE, "failure", REPLY, AUTH_DATA_MAX + 16, OF(auth_failure, failure) },
	{ AUTH_MECHANISMS, "mechanisms", LOGIN, 0, 16, OF(auth_mechanisms, mechanisms) },
	{ AUTH_MECHANISMS_ARE, "mechanisms-are", REPLY, 1040,
	    OF(auth_mechanisms_are, mechanisms_are) },
	{ AUTH_RENEW, "renew", LOGIN | AUTH_PEER_DELIVER | AUTH_PEER_ADMIN, IPC_MSG_SECRET, 256,
	    OF(auth_renew, renew) },
	{ AUTH_RENEWED, "renewed", 0, IPC_MSG_REPLY | IPC_MSG_SECRET, 256, OF(auth_renewed, renewed) },
	{ AUTH_LOGOUT, "logout", LOGIN | AUTH_PEER_DELIVER | AUTH_PEER_ADMIN,
	    IPC_MSG_NOTE | IPC_MSG_SECRET, 256, OF(auth_logout, logout) },
	{ AUTH_REVOKED, "revoked", 0, IPC_MSG_NOTE, 64, OF(auth_revoked, revoked) },
	{ AUTH_RCPT, "rcpt", AUTH_PEER_DELIVER | AUTH_PEER_ADMIN, 0, 1024, OF(auth_rcpt, rcpt) },
	{ AUTH_RCPT_IS, "rcpt-is", 0, IPC_MSG_REPLY | IPC_MSG_SECRET,
	    2048 + AUTH_SPARES_MAX * TICKET_LEN, OF(auth_rcpt_is, rcpt_is) },
	{ AUTH_REVOCATIONS, "revocations", AUTH_PEER_STORED, 0, 16,
	    OF(auth_revocations, revocations) },
	{ AUTH_REVOCATIONS_ARE, "revocations-are", REPLY, (1u << 20) + 64,
	    OF(auth_revocations_are, revocations_are) },
	{ AUTH_TICKET_VOID, "ticket-void", 0, IPC_MSG_NOTE, 64, OF(auth_ticket_void, ticket_void) },
	{ AUTH_ADMIN, "admin", AUTH_PEER_ADMIN, IPC_MSG_SECRET, 65536 + 256, OF(auth_admin, admin) },
	{ AUTH_ADMIN_IS, "admin-is", REPLY, (1u << 20) + 64, OF(auth_admin_is, admin_is) },
	{ AUTH_WHO, "who", LOGIN | AUTH_PEER_ADMIN, IPC_MSG_SECRET, 32768, OF(auth_who, who) },
	{ AUTH_WHO_IS, "who-is", REPLY, (1u << 20) + 64, OF(auth_who_is, who_is) },
	{ AUTH_KNOWN_VOIDS, "known-voids", AUTH_PEER_STORED, IPC_MSG_NOTE, (1u << 20) + 64,
	    OF(auth_known_voids, known_voids) },
	{ AUTH_CHANGED, "changed", 0, IPC_MSG_NOTE, 0, 0, NULL },
	{ AUTH_VOID_BEFORE, "void-before", 0, IPC_MSG_NOTE, 16, OF(auth_void_before, void_before) },
	{ 0 }
};

const struct ipc_protocol auth_protocol = {
	"auth", AUTH_PROTO_MAJOR, AUTH_PROTO_MINOR, messages
};
