/* USER, PASS, APOP, AUTH, STLS, UTF8: how a session comes to its maildrop. */
#include "pop3d/session.h"

#include <string.h>

#include "common/crypto/encode.h"
#include "common/proto/sasl.h"
#include "common/util/mem.h"

/* ---- the ticket ---- */

static void
on_renewed(void *arg, struct span ticket)
{
	struct pop3_session *s = arg;

	if (ticket.len == 0)
		pop3_session_end(s);
	else
		store_renew(s->store, ticket);
}

void
pop3_server_renew(struct pop3_server *srv)
{
	struct list *node, *tmp;
	uint64_t n = 0;

	list_each(node, tmp, &srv->sessions)
		login_renew(&list_entry(node, struct pop3_session, node)->login, n++);
}

/* ---- into the maildrop ---- */

/* Back to AUTHORIZATION: nothing of the login is left. */
static void
log_out(struct pop3_session *s)
{
	ahead_clear(&s->ahead);
	uidls_fini(&s->uidls);
	s->uidls = (struct uidls){ 0 };
	store_close(&s->store);
	drop_load_fini(&s->load);
	login_end(&s->login);
	counts_leave_account(&s->srv->counts, s->account);
	s->counted = false;
	s->log.user = NULL;
	mem_free(&s->user);
	buf_clear(&s->name);
}

static const char *
load_error(enum status st)
{
	switch (st) {
	case ST_EXISTS: return "[IN-USE] Another POP3 session has this maildrop";
	case ST_LIMIT: return "[LOGIN-DELAY] Too soon after the last login";
	case ST_NOT_FOUND: return "[AUTH] No such folder";
	case ST_CORRUPT: case ST_BUG: return "[SYS/PERM] The maildrop cannot be read";
	default: return "[SYS/TEMP] The mail store is away for a moment, try again";
	}
}

static void
on_loaded(void *arg, enum status st)
{
	struct pop3_session *s = arg;

	if (st != ST_OK) {
		LOG(&s->log, INFO, "pop3.refused", KV_STATUS(st));
		log_out(s);
		pop3_err(s, load_error(st));
		return;
	}
	s->state = POP3_IN_TRANS;
	loop_timer_clear(s->timer);
	uidls_init(&s->uidls, &s->drop, s->store, s->srv->conf->uidl_format);
	s->ahead.drop = &s->drop;
	s->ahead.store = s->store;
	LOG(&s->log, INFO, "pop3.login", KV_STR("tls", conn_tls(s->conn) != NULL ?
	    tls_version_name(conn_tls(s->conn)) : "no"), KV_UINT("messages", s->drop.n),
	    KV_UINT("bytes", s->drop.bytes));
	pop3_ok(s, "Logged in, %u messages", (unsigned)s->drop.n);
}

static void
on_lease_again(void *arg, enum status st, bool more, const void *msg)
{
	struct pop3_session *s = arg;

	if (st == ST_EXISTS) {
		LOG(&s->log, WARN, "pop3.lease-lost");
		s->lease_lost = true;
	}
}

void
pop3_lease_again(struct pop3_session *s)
{
	const struct store_lease rq = { .on = true, .what = s->load.lease };

	store_do_lease(s->store, &rq, on_lease_again, s);
}

static void
on_store_event(void *arg, enum store_event ev, uint64_t modseq)
{
	struct pop3_session *s = arg;

	if (s->ending)
		return;
	if (ev == STORE_EV_REVOKED) {
		pop3_session_end(s);
		return;
	}
	pop3_retr_stale(s);
	if (ev == STORE_EV_LOST && s->state == POP3_IN_TRANS)
		pop3_lease_again(s);
}

static void
enter(struct pop3_session *s, const struct auth_granted *g)
{
	if (!counts_enter_account(&s->srv->counts, g->account, s->srv->conf->max_user_connections)) {
		auth_logout(s->srv->auth, g->ticket);
		LOG(&s->log, WARN, "pop3.too-many-connections", KV_SPAN("user", g->user));
		pop3_err(s, "[SYS/TEMP] Too many connections of this user");
		return;
	}
	s->counted = true;
	s->account = g->account;
	s->user = span_dup(g->user);
	s->log.user = s->user;
	s->store = store_open_channel(s->srv->stores, g->shard, g->ticket, on_store_event, s);
	login_begin(&s->login, s->srv->loop, s->srv->auth, g, on_renewed, s);
	s->busy = true;
	s->load = (struct drop_load){ .drop = &s->drop, .store = s->store, .done = on_loaded,
		.arg = s };
	maildrop_load(&s->load, s->srv->conf, buf_span(&s->folder));
}

/* ---- SASL ---- */

static const char *
failure_text(enum status st, const struct auth_failure *f)
{
	if (st == ST_UNAVAILABLE)
		return "[SYS/TEMP] Logins cannot be checked at the moment";
	if (st == ST_SYNTAX)
		return "Malformed authentication data";
	if (st == ST_UNSUPPORTED)
		return "This mechanism is not offered";
	if (st == ST_LIMIT)
		return "[SYS/TEMP] Too many attempts, try later";
	switch (f != NULL ? f->reason : AUTH_WHY_CREDENTIALS) {
	case AUTH_WHY_EXPIRED:
		return "[AUTH] The password has expired";
	case AUTH_WHY_DISABLED:
		return "[AUTH] The account is disabled";
	case AUTH_WHY_CLEARTEXT:
		return "[AUTH] Not without encryption";
	case AUTH_WHY_THROTTLED:
		return "[SYS/TEMP] Too many attempts, try later";
	case AUTH_WHY_BACKEND:
		return "[SYS/TEMP] Logins cannot be checked at the moment";
	case AUTH_WHY_REFERRED:
		return "[SYS/PERM] The account is kept on another server";
	case AUTH_WHY_AUTHZ:
		return "[AUTH] Not allowed to act for this user";
	}
	return "[AUTH] Login failed";
}

static void
failed(struct pop3_session *s, enum status st, const struct auth_failure *f)
{
	buf_clear(&s->name);
	pop3_err(s, failure_text(st, f));
	if (s->ending || ++s->failed_logins < s->srv->conf->max_logins)
		return;
	LOG(&s->log, INFO, "pop3.login-limit", KV_UINT("failed", s->failed_logins));
	pop3_session_end(s);
}

static void
challenge(struct pop3_session *s, struct span data)
{
	struct buf *out = pop3_out(s);

	buf_add_str(out, "+ ");
	base64_encode(data, out);
	buf_add_str(out, "\r\n");
	s->answering = true;
	pop3_done(s);
}

/* Remembers the grant until the client has acknowledged the data. */
static void
keep(struct pop3_session *s, const struct auth_granted *g)
{
	s->grant = *g;
	buf_clear(&s->grant_ticket);
	buf_add_span(&s->grant_ticket, g->ticket);
	buf_clear(&s->grant_user);
	buf_add_span(&s->grant_user, g->user);
	s->grant.ticket = buf_span(&s->grant_ticket);
	s->grant.user = buf_span(&s->grant_user);
	s->granted_waits = true;
}

static void
on_auth(void *arg, const struct auth_result *r)
{
	struct pop3_session *s = arg;

	if (r->challenge != NULL) {
		challenge(s, r->challenge->data);
		return;
	}
	s->exchange = NULL;
	if (r->granted == NULL) {
		failed(s, r->st, r->failure);
	} else if (r->granted->data.len > 0) {
		/* RFC 5034 §4: no data goes with success; it is one more challenge. */
		keep(s, r->granted);
		challenge(s, r->granted->data);
	} else {
		enter(s, r->granted);
	}
}

static void
start_exchange(struct pop3_session *s, struct span mechanism, struct span initial, unsigned flags)
{
	struct auth_start start = {
		.mechanism = mechanism, .initial = initial, .flags = (uint8_t)flags,
		.service = AUTH_POP3, .conn = span_str(s->id), .peer = span_str(s->peer)
	};

	s->busy = true;
	s->exchange = login_start(s->srv->auth, s->conn, s->clear_ok, &start, on_auth, s);
}

void
pop3_split_login(const struct conf_pop3 *conf, struct span login, struct buf *user,
    struct buf *folder)
{
	size_t at = span_find(login, '@'), cut;
	struct span local = span_sub(login, 0, at);

	buf_clear(user);
	buf_clear(folder);
	cut = conf->folder_logins ? span_find(local, conf->folder_delimiter[0]) : local.len;
	if (cut == 0 || cut + 1 >= local.len) {
		buf_add_span(user, login);
		return;
	}
	buf_add_span(user, span_sub(local, 0, cut));
	buf_add_span(user, span_sub(login, at, login.len));
	buf_add_span(folder, span_sub(local, cut + 1, local.len));
}

/* The message of PLAIN, with user+folder made user: out. */
static void
plain_message(struct pop3_session *s, struct span in, struct buf *out)
{
	struct buf authzid = { 0 }, authcid = { 0 }, folder = { 0 };
	struct sasl_plain p;

	if (!s->srv->conf->folder_logins || !sasl_plain_parse(in, &p)) {
		buf_add_span(out, in);
		return;
	}
	pop3_split_login(s->srv->conf, p.authcid, &authcid, &s->folder);
	pop3_split_login(s->srv->conf, p.authzid, &authzid, &folder);
	if (folder.len > 0) {
		buf_clear(&s->folder);
		buf_add_span(&s->folder, buf_span(&folder));
	}
	p.authzid = buf_span(&authzid);
	p.authcid = buf_span(&authcid);
	sasl_plain_put(out, &p);
	buf_fini(&authzid);
	buf_fini(&authcid);
	buf_fini(&folder);
}

static void
abandon(struct pop3_session *s, const char *text)
{
	auth_exchange_cancel(&s->exchange);
	if (s->granted_waits)
		auth_logout(s->srv->auth, buf_span(&s->grant_ticket));
	s->granted_waits = false;
	pop3_bad(s, text);
}

void
pop3_auth_answer(struct pop3_session *s, struct span line)
{
	struct buf data = { 0 }, message = { 0 };

	s->answering = false;
	if (span_eq_str(line, "*")) {
		abandon(s, "Authentication was cancelled");
	} else if (!base64_decode(line, AUTH_DATA_MAX, &data)) {
		abandon(s, "Malformed base64");
	} else if (s->granted_waits) {
		s->granted_waits = false;
		enter(s, &s->grant);
	} else {
		if (s->plain)
			plain_message(s, buf_span(&data), &message);
		s->busy = true;
		auth_exchange_step(s->exchange, buf_span(s->plain ? &message : &data));
	}
	buf_fini_secret(&data);
	buf_fini_secret(&message);
}

/* Without a mechanism: which ones there are, as some old clients ask. */
static void
list_mechanisms(struct pop3_session *s)
{
	struct span names = pop3_mechanisms(s);
	struct buf *out = pop3_out(s);

	buf_add_str(out, "+OK\r\n");
	while (names.len > 0) {
		buf_add_span(out, span_cut(&names, ' '));
		buf_add_str(out, "\r\n");
	}
	buf_add_str(out, ".\r\n");
	pop3_done(s);
}

static void
start_auth(struct pop3_session *s, struct span name, struct span text)
{
	struct buf mechanism = { 0 }, initial = { 0 }, message = { 0 };
	bool with = text.len > 0;

	for (size_t i = 0; i < name.len; i++)
		buf_add_c(&mechanism, ascii_upper(name.p[i]));
	s->plain = span_eq_str(buf_span(&mechanism), "PLAIN");
	buf_clear(&s->folder);
	if (with && !span_eq_str(text, "=") && !base64_decode(text, AUTH_DATA_MAX, &initial)) {
		pop3_bad(s, "Malformed base64");
	} else if (!pop3_session_may_login(s) &&
	    (s->plain || span_eq_str(buf_span(&mechanism), "LOGIN"))) {
		pop3_err(s, "[AUTH] Not without encryption");
	} else {
		if (s->plain && with)
			plain_message(s, buf_span(&initial), &message);
		start_exchange(s, buf_span(&mechanism), buf_span(s->plain ? &message : &initial),
		    with ? AUTH_IR : 0);
	}
	buf_fini(&mechanism);
	buf_fini_secret(&initial);
	buf_fini_secret(&message);
}

/* "AUTH" SP mechanism [SP (base64 / "=")]  (RFC 5034 §5) */
static void
cmd_auth(struct pop3_session *s, struct span rest)
{
	struct span name = pop3_word(&rest), text = pop3_word(&rest);

	if (name.len == 0)
		list_mechanisms(s);
	else if (!pop3_end(rest) || name.len > 40)
		pop3_bad(s, "Malformed arguments");
	else
		start_auth(s, name, text);
}

static void
cmd_user(struct pop3_session *s, struct span rest)
{
	if (rest.len == 0 || rest.len > AUTH_NAME_MAX || pop3_end(rest)) {
		pop3_bad(s, "Malformed name");
		return;
	}
	if (!pop3_session_may_login(s)) {
		pop3_err(s, "[AUTH] Not without encryption");
		return;
	}
	pop3_split_login(s->srv->conf, rest, &s->name, &s->folder);
	pop3_ok(s, "Password?");
}

/* The password is all that stands behind the blank (RFC 1939 §7). */
static void
cmd_pass(struct pop3_session *s, struct span rest)
{
	struct buf plain = { 0 };

	if (s->name.len == 0) {
		pop3_bad(s, "USER first");
		return;
	}
	if (rest.len == 0 || rest.len > AUTH_DATA_MAX - AUTH_NAME_MAX - 2) {
		failed(s, ST_DENIED, NULL);
		return;
	}
	sasl_plain_put(&plain, &(struct sasl_plain){ .authcid = buf_span(&s->name),
	    .password = rest });
	start_exchange(s, SPAN_LIT("PLAIN"), buf_span(&plain), AUTH_IR | AUTH_LOGIN_CMD);
	buf_fini_secret(&plain);
}

/* It rests on a secret that the server can read; there is none. */
static void
cmd_apop(struct pop3_session *s, struct span rest)
{
	pop3_err(s, "APOP is not offered here");
}

static void
cmd_stls(struct pop3_session *s, struct span rest)
{
	if (!pop3_end(rest)) {
		pop3_bad(s, "Malformed arguments");
		return;
	}
	if (conn_tls(s->conn) != NULL || !s->stls || s->utf8) {
		pop3_err(s, s->utf8 ? "Not after UTF8" : "STLS is not offered here");
		return;
	}
	pop3_ok(s, "Begin TLS negotiation now");
	if (s->ending)
		return;
	/* What came in clear behind the command is nobody's, and nothing is known from before
	 * (RFC 2595 §4, RFC 9051 §6.2.1). */
	buf_clear(conn_in(s->conn));
	buf_clear(&s->name);
	if (!conn_start_tls(s->conn, s->srv->tls))
		pop3_session_end(s);
}

static void
cmd_utf8(struct pop3_session *s, struct span rest)
{
	if (!pop3_end(rest)) {
		pop3_bad(s, "Malformed arguments");
		return;
	}
	s->utf8 = true;
	pop3_ok(s, "UTF-8 mode");
}

const struct pop3_command pop3_cmds_auth[] = {
	{ "USER",	POP3_IN_AUTH,	cmd_user },
	{ "PASS",	POP3_IN_AUTH,	cmd_pass },
	{ "AUTH",	POP3_IN_AUTH,	cmd_auth },
	{ "APOP",	POP3_IN_AUTH,	cmd_apop },
	{ "STLS",	POP3_IN_AUTH,	cmd_stls },
	{ "UTF8",	POP3_IN_AUTH,	cmd_utf8 },
	{ 0 }
};
