/* USER, PASS, APOP, AUTH, STLS, UTF8: how a session comes to its maildrop. */
#include "pop3d/session.h"

#include "common/proto/sasl.h"

/* Back to AUTHORIZATION: nothing of the login is left. */
static void
log_out(struct pop3_session *s)
{
	ahead_clear(&s->ahead);
	uidls_fini(&s->uidls);
	s->uidls = (struct uidls){ 0 };
	store_close(&s->store);
	drop_load_fini(&s->load);
	front_leave(&s->base);
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
	LOG(&s->log, INFO, "pop3.login", KV_STR("tls", front_tls_name(&s->base)),
	    KV_UINT("messages", s->drop.n), KV_UINT("bytes", s->drop.bytes));
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
on_granted(void *arg, const struct auth_granted *g)
{
	struct pop3_session *s = arg;

	if (!front_enter(&s->base, g, s->srv->conf->max_user_connections)) {
		pop3_err(s, "[SYS/TEMP] Too many connections of this user");
		return;
	}
	s->store = store_open_channel(s->srv->stores, g->shard, g->ticket, on_store_event, s);
	s->busy = true;
	s->load = (struct drop_load){ .drop = &s->drop, .store = s->store, .done = on_loaded,
		.arg = s };
	maildrop_load(&s->load, s->srv->conf, buf_span(&s->folder));
}

/* ---- SASL ---- */

/* Before the text of a refusal. */
static const char *const refusals[SASL_REFUSALS] = {
	[SASL_FAILED] = "[AUTH] ",
	[SASL_AWAY] = "[SYS/TEMP] ",
	[SASL_MALFORMED] = "",
	[SASL_NOT_OFFERED] = "",
	[SASL_TOO_MANY] = "[SYS/TEMP] ",
	[SASL_EXPIRED] = "[AUTH] ",
	[SASL_DISABLED] = "[AUTH] ",
	[SASL_CLEARTEXT] = "[AUTH] ",
	[SASL_REFERRED] = "[SYS/PERM] ",
	[SASL_NOT_ALLOWED] = "[AUTH] ",
};

static void
refuse(struct pop3_session *s, enum sasl_refusal why)
{
	struct buf text = { 0 };

	buf_add_str(&text, refusals[why]);
	buf_add_str(&text, sasl_refusal_text(why));
	pop3_err(s, buf_cstr(&text));
	buf_fini(&text);
}

static void
on_refused(void *arg, enum sasl_refusal why, struct span data)
{
	struct pop3_session *s = arg;

	buf_clear(&s->name);
	refuse(s, why);
	if (s->ending || ++s->failed_logins < s->srv->conf->max_logins)
		return;
	LOG(&s->log, INFO, "pop3.login-limit", KV_UINT("failed", s->failed_logins));
	pop3_session_end(s);
}

static void
on_challenge(void *arg, struct span base64)
{
	struct pop3_session *s = arg;
	struct buf *out = pop3_out(s);

	buf_add_str(out, "+ ");
	buf_add_span(out, base64);
	buf_add_str(out, "\r\n");
	s->answering = true;
	pop3_done(s);
}

static void
on_abandoned(void *arg, const char *text)
{
	pop3_bad(arg, text);
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
plain_message(void *arg, struct span in, struct buf *out)
{
	struct pop3_session *s = arg;
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

/* No data goes with success (RFC 5034 §4). */
const struct sasl_ops pop3_sasl = {
	.service = AUTH_POP3, .plain = plain_message, .challenge = on_challenge,
	.granted = on_granted, .refused = on_refused, .abandoned = on_abandoned
};

void
pop3_auth_answer(struct pop3_session *s, struct span line)
{
	s->answering = false;
	if (sasl_answer(&s->sasl, line))
		s->busy = true;
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
	struct buf initial = { 0 };
	bool with = text.len > 0;

	buf_clear(&s->folder);
	if (with && !sasl_initial(text, &initial)) {
		pop3_bad(s, "Malformed base64");
	} else if (sasl_is_exposed(&s->sasl, name)) {
		refuse(s, SASL_CLEARTEXT);
	} else {
		s->busy = true;
		sasl_start(&s->sasl, name, with ? &initial : NULL);
	}
	buf_fini_secret(&initial);
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
	if (!front_may_login(&s->base)) {
		refuse(s, SASL_CLEARTEXT);
		return;
	}
	pop3_split_login(s->srv->conf, rest, &s->name, &s->folder);
	pop3_ok(s, "Password?");
}

/* The password is all that stands behind the blank (RFC 1939 §7). */
static void
cmd_pass(struct pop3_session *s, struct span rest)
{
	if (s->name.len == 0)
		pop3_bad(s, "USER first");
	else if (rest.len == 0)
		on_refused(s, SASL_FAILED, SPAN_NONE);
	else if (sasl_password(&s->sasl, buf_span(&s->name), rest))
		s->busy = true;
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
	if (!front_may_starttls(&s->base) || s->utf8) {
		pop3_err(s, s->utf8 ? "Not after UTF8" : "STLS is not offered here");
		return;
	}
	pop3_ok(s, "Begin TLS negotiation now");
	if (s->ending)
		return;
	buf_clear(&s->name);	/* nothing is known from before */
	front_start_tls(&s->base);
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
