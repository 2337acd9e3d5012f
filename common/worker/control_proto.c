#include "common/worker/control_proto.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/auth/ticket.h"
#include "common/conf/settings.h"
#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"

static const struct ipc_field hello[] = {
	IPC_U8(control_hello, program, 1, PROGRAM_MAX), IPC_U32(control_hello, slot),
	IPC_U64(control_hello, generation), IPC_U32(control_hello, shard), IPC_END };
static const struct ipc_field config[] = { IPC_U64(control_config, version), IPC_END };
static const struct ipc_field log_[] = {
	IPC_U8(control_log, sink, 0, 3), IPC_U8(control_log, level, 0, 5), IPC_END };
static const struct ipc_field listener[] = {
	IPC_STR(control_listener, name, 1, 64), IPC_STR(control_listener, address, 0, 128),
	IPC_END };
static const struct ipc_field listener_gone[] = {
	IPC_STR(control_listener_gone, name, 1, 64), IPC_END };
static const struct ipc_field server[] = {
	IPC_U8(control_server, program, 1, PROGRAM_MAX), IPC_U32(control_server, shard), IPC_END };
static const struct ipc_field peer[] = {
	IPC_U8(control_peer, program, 1, PROGRAM_MAX), IPC_U32(control_peer, slot),
	IPC_U64(control_peer, generation), IPC_END };
static const struct ipc_field ticket_key[] = {
	IPC_U32(control_ticket_key, number),
	IPC_STR(control_ticket_key, key, TICKET_KEY_LEN, TICKET_KEY_LEN), IPC_END };
static const struct ipc_field drain[] = { IPC_U32(control_drain, seconds), IPC_END };
static const struct ipc_field load[] = {
	IPC_U32(control_load, connections), IPC_U64(control_load, served), IPC_END };
static const struct ipc_field relay[] = {
	IPC_U8(control_relay, to, 1, PROGRAM_MAX), IPC_U32(control_relay, shard),
	IPC_U8(control_relay, program, 1, PROGRAM_MAX), IPC_U32(control_relay, slot),
	IPC_U64(control_relay, generation), IPC_END };
static const struct ipc_field restarted[] = {
	IPC_U8(control_restarted, program, 1, PROGRAM_MAX), IPC_U32(control_restarted, shard),
	IPC_END };
static const struct ipc_field status_is[] = {
	IPC_STR(control_status_is, text, 0, 65536), IPC_END };
static const struct ipc_field reload_is[] = {
	IPC_STR(control_reload_is, text, 0, 65536), IPC_END };

#define DOWN	CONTROL_PARENT
#define UP	CONTROL_CHILD
#define NOTE	IPC_MSG_NOTE
#define OF(type, fields) sizeof(struct type), fields

/* Numbers are never reused. */
static const struct ipc_message messages[] = {
	{ CONTROL_HELLO, "hello", DOWN, NOTE, 64, OF(control_hello, hello) },
	{ CONTROL_CONFIG, "config", DOWN, NOTE | IPC_MSG_FD, 16, OF(control_config, config) },
	{ CONTROL_CERTS, "certs", DOWN, NOTE | IPC_MSG_FD, 16, OF(control_config, config) },
	{ CONTROL_RULES, "rules", DOWN, NOTE | IPC_MSG_FD, 16, OF(control_config, config) },
	{ CONTROL_LOG, "log", DOWN, NOTE | IPC_MSG_FD, 16, OF(control_log, log_) },
	{ CONTROL_LISTENER, "listener", DOWN, NOTE | IPC_MSG_FD, 256,
	    OF(control_listener, listener) },
	{ CONTROL_LISTENER_GONE, "listener-gone", DOWN, NOTE, 128,
	    OF(control_listener_gone, listener_gone) },
	{ CONTROL_SERVER, "server", DOWN, NOTE | IPC_MSG_FD, 16, OF(control_server, server) },
	{ CONTROL_PEER, "peer", DOWN, NOTE | IPC_MSG_FD, 32, OF(control_peer, peer) },
	{ CONTROL_TICKET_KEY, "ticket-key", DOWN, NOTE | IPC_MSG_SECRET, 64,
	    OF(control_ticket_key, ticket_key) },
	{ CONTROL_DIR, "dir", DOWN, NOTE | IPC_MSG_FD, 0, 0, NULL },
	{ CONTROL_START, "start", DOWN, NOTE, 0, 0, NULL },
	{ CONTROL_READY, "ready", UP, NOTE, 0, 0, NULL },
	{ CONTROL_DRAIN, "drain", DOWN, NOTE, 16, OF(control_drain, drain) },
	{ CONTROL_STOP, "stop", DOWN, NOTE, 0, 0, NULL },
	{ CONTROL_LOAD, "load", UP, NOTE, 32, OF(control_load, load) },
	{ CONTROL_RELAY, "relay", UP, NOTE | IPC_MSG_FD, 64, OF(control_relay, relay) },
	{ CONTROL_RESTARTED, "restarted", DOWN, NOTE, 16, OF(control_restarted, restarted) },
	{ CONTROL_STATUS, "status", DOWN | UP, 0, 0, 0, NULL },
	{ CONTROL_STATUS_IS, "status-is", 0, IPC_MSG_REPLY, 65536 + 16,
	    OF(control_status_is, status_is) },
	{ CONTROL_RELOAD, "reload", UP, 0, 0, 0, NULL },
	{ CONTROL_RELOAD_IS, "reload-is", 0, IPC_MSG_REPLY, 65536 + 16,
	    OF(control_reload_is, reload_is) },
	{ CONTROL_REPLACE_INDEXD, "replace-indexd", UP, NOTE, 0, 0, NULL },
	{ 0 }
};

const struct ipc_protocol control_protocol = {
	"control", CONTROL_PROTO_MAJOR, CONTROL_PROTO_MINOR, messages
};

const char *
program_name(enum program p)
{
	static const char *const names[] = {
		[PROGRAM_MASTER] = "master", [PROGRAM_AUTHD] = "authd",
		[PROGRAM_STORED] = "stored", [PROGRAM_ADMIND] = "admind",
		[PROGRAM_IMAPD] = "imapd", [PROGRAM_LMTPD] = "lmtpd",
		[PROGRAM_POP3D] = "pop3d", [PROGRAM_JMAPD] = "jmapd",
		[PROGRAM_SIEVED] = "sieved", [PROGRAM_KEYD] = "keyd",
		[PROGRAM_OUTD] = "outd", [PROGRAM_INDEXD] = "indexd",
		[PROGRAM_OUTD_SUBMIT] = "outd-submit",
	};

	if (p < 1 || p > PROGRAM_MAX)
		return "unknown";
	return names[p];
}

void
control_child_signals(void)
{
	static const int ignored[] = { SIGPIPE, SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGUSR1, SIGUSR2,
	    SIGTERM };

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
}

int
control_child_begin(const char *program)
{
	struct rlimit none = { 0, 0 };
	struct stat st;

	if (fstat(CONTROL_FD, &st) != 0 || !S_ISSOCK(st.st_mode))
		return dprintf(STDERR_FILENO, "%s is started by mansiod, see mansiod(8)\n",
		    program) < 0 ? 2 : 64;
	control_child_signals();
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)fd_cloexec(CONTROL_FD, true);
	return 0;
}

void
control_answer_status(struct ipc *ipc, const struct ipc_head *h, struct buf *lines)
{
	const struct control_status_is is = { .text = buf_span(lines) };

	ipc_reply(ipc, h, ST_OK, CONTROL_STATUS_IS, &is);
	buf_fini(lines);
}

void
control_take_log(const struct control_log *l, int fd)
{
	static int held = -1;

	log_set_sink((enum log_sink)l->sink, fd);
	log_set_level((enum log_level)l->level);
	if (held >= 0)
		close(held);
	held = fd;
}

struct mansio_conf *
control_read_config(int fd)
{
	struct mansio_conf *conf = NULL;
	char *text;
	size_t len;

	if (fd_slurp(fd, CONF_TEXT_MAX, &text, &len)) {
		conf = conf_effective_decode(span(text, len));
		mem_free(&text);
	}
	if (conf == NULL)
		LOG(NULL, ERROR, "config.unreadable");
	return conf;
}
