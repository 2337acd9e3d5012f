/* Whole IMAP sessions against a real store service in the same loop, with an authd that
 * lets everybody in.
 *
 * First byte: bit 0: both sessions are logged in already and have two messages selected.
 * The rest goes to two sessions of one account in turn, cut where a byte 0xff stands.
 * Whatever comes, both sessions must have ended soon after the client's end of file. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/conf/settings.h"
#include "common/util/clock.h"
#include "common/util/fd.h"
#include "imapd/events.h"
#include "imapd/session.h"
#include "t/unit/storage/rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define IN_MAX		16384u		/* bytes for a session: a socket takes them at once */
#define FRESH_EVERY	2000u		/* accounts, before the store starts anew */
#define PATIENCE_MS	10000u

static struct world {
	struct rig		rig;
	struct mansio_conf	*conf;
	struct conf_listener	listener;
	struct imap_server	srv;
	struct ipc		*authd;
	uint64_t		account;
	int			open;
	bool			started;
} w;

/* Berkeley DB links its pages by offsets: its memory looks lost while the store is open. */
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
	return "leak:libdb-5.3\n";
}

static void
serve_auth(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *h,
    const void *msg, void *arg)
{
	unsigned char bytes[TICKET_LEN];
	struct ticket t;

	if (m->no == AUTH_START || m->no == AUTH_STEP) {
		struct auth_granted g = { .user = SPAN_LIT("u@example.org"),
			.account = w.account, .shard = RIG_SHARD,
			.expires_s = clock_wall_s() + 600 };

		t = rig_ticket(&w.rig, w.account);
		g.ticket = rig_sign(&w.rig, &t, bytes);
		ipc_reply(ipc, h, ST_OK, AUTH_GRANTED, &g);
	} else if (m->no == AUTH_RENEW) {
		struct auth_renewed r = { .expires_s = clock_wall_s() + 600 };

		t = rig_ticket(&w.rig, w.account);
		r.ticket = rig_sign(&w.rig, &t, bytes);
		ipc_reply(ipc, h, ST_OK, AUTH_RENEWED, &r);
	} else if (m->no == AUTH_MECHANISMS) {
		struct auth_mechanisms_are are = { SPAN_LIT("PLAIN SCRAM-SHA-256") };

		ipc_reply(ipc, h, ST_OK, AUTH_MECHANISMS_ARE, &are);
	} else if (h->req != 0) {
		ipc_reply(ipc, h, ST_UNSUPPORTED, 0, NULL);
	}
}

static void
on_session_closed(void *arg, const struct net_ip *peer)
{
	w.open--;
}

static void
world_end(void)
{
	if (!w.started)
		return;
	w.started = false;
	front_fini(&w.srv.front);	/* the pool, too */
	w.rig.pool = NULL;
	auth_client_free(&w.srv.auth);
	ipc_free(&w.authd);
	conf_free(&w.conf);
	rig_fini(&w.rig);
}

static void
world_begin(void)
{
	struct ipc_config cf = { .protocol = &auth_protocol, .peer = "worker",
	    .allowed = AUTH_PEER_WORKER, .request = serve_auth };
	uint64_t account = w.account;
	int sv[2];

	memset(&w, 0, sizeof(w));
	w.account = account;
	rig_init(&w.rig);
	rig_start(&w.rig);
	w.conf = conf_new_default();
	w.conf->imap.max_append_bytes = 1u << 20;
	w.listener = (struct conf_listener){ .head.name = "fuzz", .cleartext_login = true };
	if (w.conf == NULL || !fd_socketpair(sv))
		abort();
	cf.loop = w.rig.loop;
	w.authd = ipc_new(&cf, sv[0]);
	w.srv = (struct imap_server){ .conf = &w.conf->imap, .jmap_url = w.conf->jmap.url,
	    .closed = on_session_closed };
	imap_events_configured(&w.srv, w.conf);
	front_init(&w.srv.front, &imap_front, w.rig.loop, auth_client_new(w.rig.loop, NULL, NULL));
	store_pool_free(&w.srv.stores);
	w.srv.stores = w.rig.pool;
	auth_client_set(w.srv.auth, sv[1]);
	w.started = true;
}

static void
drain(const int fd[2])
{
	char out[65536];

	for (int i = 0; i < 2; i++) {
		while (recv(fd[i], out, sizeof(out), MSG_DONTWAIT) > 0)
			;
	}
}

/* A command is under way that waits for the server, not for the client. */
static bool
busy(void)
{
	struct list *node, *tmp;

	list_each(node, tmp, &w.srv.sessions) {
		const struct imap_session *s = list_entry(node, struct imap_session, node);

		if (s->cmd != NULL && s->cmd->input == NULL)
			return true;
	}
	return false;
}

static void
spin(const int fd[2], bool to_the_end)
{
	uint64_t end = clock_mono_ms() + PATIENCE_MS;

	for (int quiet = 0; quiet < 3 && (w.open > 0 || !to_the_end);) {
		bool was = busy();

		loop_once(w.rig.loop, was || to_the_end);
		drain(fd);
		quiet = was || to_the_end || busy() ? 0 : quiet + 1;
		if (clock_mono_ms() > end)
			abort();	/* hangs */
	}
}

static void
say(const int fd[2], int who, struct span text)
{
	if (text.len > 0)
		(void)!send(fd[who], text.p, text.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	spin(fd, false);
}

static void
log_in(const int fd[2])
{
	static const char first[] = "a LOGIN u p\r\n"
	    "b APPEND INBOX (\\Seen one) {107+}\r\n"
	    "From: A <a@example.org>\r\nTo: b@example.org\r\nSubject: Hello\r\n"
	    "Message-ID: <1@example.org>\r\n\r\nSome words here\r\n\r\n"
	    "c APPEND INBOX {144+}\r\n"
	    "Subject: Re: Hello\r\nReferences: <1@example.org>\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n\r\n"
	    "d SELECT INBOX\r\n";

	say(fd, 0, SPAN_LIT(first));
	say(fd, 1, SPAN_LIT("a LOGIN u p\r\nd SELECT INBOX\r\n"));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static bool ready;
	int mine[2], sv[2];
	struct span rest;

	if (len == 0 || len > IN_MAX)
		return 0;
	if (!ready) {
		ready = true;
		log_set_level(LOG_LEVEL_FATAL);
		atexit(world_end);
		world_begin();
	}
	if (++w.account % FRESH_EVERY == 0) {
		world_end();
		world_begin();
	}
	for (int i = 0; i < 2; i++) {
		if (!fd_socketpair(sv))
			abort();
		mine[i] = sv[1];
		w.open++;
		imap_session_new(&w.srv, sv[0], i == 0 ? "one" : "two", "192.0.2.1", &w.listener);
	}
	if (data[0] & 1)
		log_in(mine);
	rest = span(data + 1, len - 1);
	for (int who = 0; rest.p != NULL && rest.len > 0; who ^= 1)
		say(mine, who, span_cut(&rest, '\xff'));
	shutdown(mine[0], SHUT_WR);
	shutdown(mine[1], SHUT_WR);
	spin(mine, true);
	close(mine[0]);
	close(mine[1]);
	return 0;
}
