/* AUTHENTICATE, STARTTLS, UNAUTHENTICATE: how a session comes to its account. */
#include "sieved/session.h"

#include "common/crypto/encode.h"
#include "common/util/mem.h"

void
sieved_log_out(struct sieved_session *s)
{
	store_close(&s->store);
	if (s->user != NULL)
		LOG(&s->log, INFO, "sieve.logout", KV_UINT("put", s->n_put), KV_UINT("got", s->n_got),
		    KV_UINT("in", conn_bytes_in(s->conn)), KV_UINT("out", conn_bytes_out(s->conn)));
	s->n_put = s->n_got = 0;
	front_leave(&s->base);
	s->state = SIEVED_IN_START;
}

static void
on_store_event(void *arg, enum store_event ev, uint64_t modseq)
{
	if (ev == STORE_EV_REVOKED)
		sieved_bye(arg, NULL, "The login was ended by the server");
}

/* RFC 5804 §2.1: data that goes with success stands in the answer. */
static void
welcome(struct sieved_session *s, struct span data)
{
	struct buf code = { 0 }, text = { 0 };

	if (data.len > 0) {
		base64_encode(data, &text);
		buf_add_str(&code, "SASL ");
		managesieve_put_string(&code, buf_span(&text));
	}
	sieved_answer(s, true, buf_span(&code), SPAN_LIT("Logged in"));
	buf_fini(&code);
	buf_fini(&text);
}

/* "imap://[user[;AUTH=...]@]host[:port]/": the same user and host by this protocol, whose port is
 * another one. */
static void
put_sieve_url(struct span imap, struct buf *out)
{
	struct span rest = span_sub(imap, strlen("imap://"), imap.len);
	struct span authority = span_cut(&rest, '/'), user = SPAN_NONE;

	if (span_find(authority, '@') < authority.len)
		user = span_cut(&authority, '@');
	user = span_cut(&user, ';');
	buf_add_str(out, "sieve://");
	if (user.len > 0) {
		buf_add_span(out, user);
		buf_add_c(out, '@');
	}
	buf_add_span(out, span_cut(&authority, ':'));
}

/* RFC 5804 §1.3: where his scripts are, to who has proven who he is. */
static void
refer(struct sieved_session *s, struct span url)
{
	struct buf code = { 0 };

	buf_add_str(&code, "REFERRAL ");
	put_sieve_url(url, &code);
	LOG(&s->log, INFO, "sieve.referred", KV_SPAN("to", buf_span(&code)));
	sieved_bye(s, buf_cstr(&code), sasl_refusal_text(SASL_REFERRED));
	buf_fini(&code);
}

static void
on_granted(void *arg, const struct auth_granted *g)
{
	struct sieved_session *s = arg;
	uint32_t most = s->srv->conf->managesieve.max_user_connections;

	/* He may log in for what others share, and nobody shares scripts. */
	if (g->referral.len > 0 && s->srv->conf->imap.login_referrals) {
		auth_logout(s->srv->auth, g->ticket);
		refer(s, g->referral);
		return;
	}
	if (!front_enter(&s->base, g, most)) {
		sieved_no(s, "TRYLATER", "Too many connections of this user");
		return;
	}
	s->store = store_open_channel(s->srv->stores, g->shard, g->ticket, on_store_event, s);
	s->state = SIEVED_IN_AUTH;
	LOG(&s->log, INFO, "sieve.login", KV_STR("tls", front_tls_name(&s->base)));
	welcome(s, g->data);
}

/* ---- SASL ---- */

static const char *const codes[SASL_REFUSALS] = {
	[SASL_AWAY] = "TRYLATER", [SASL_TOO_MANY] = "TRYLATER", [SASL_CLEARTEXT] = "ENCRYPT-NEEDED"
};

static void
refuse(struct sieved_session *s, enum sasl_refusal why)
{
	sieved_no(s, codes[why], sasl_refusal_text(why));
}

static void
on_refused(void *arg, enum sasl_refusal why, struct span data)
{
	struct sieved_session *s = arg;

	if (why == SASL_REFERRED && s->srv->conf->imap.login_referrals) {
		refer(s, data);
		return;
	}
	if (++s->failed_logins < s->srv->conf->managesieve.max_logins) {
		refuse(s, why);
		return;
	}
	LOG(&s->log, INFO, "sieve.login-limit", KV_UINT("failed", s->failed_logins));
	sieved_bye(s, codes[why], "Too many failed authentication attempts");
}

static void
on_challenge(void *arg, struct span base64)
{
	struct sieved_session *s = arg;

	managesieve_put_string(sieved_out(s), base64);
	buf_add_str(sieved_out(s), "\r\n");
	s->answering = true;
	sieved_done(s);
}

static void
on_abandoned(void *arg, const char *text)
{
	sieved_bad(arg, text);
}

const struct sasl_ops sieved_sasl = {
	.service = AUTH_SIEVE, .data_with_success = true, .challenge = on_challenge,
	.granted = on_granted, .refused = on_refused, .abandoned = on_abandoned
};

void
sieved_auth_answer(struct sieved_session *s, char *text, size_t len)
{
	struct span answer;

	s->answering = false;
	if (!managesieve_parse_string(text, len, &answer))
		sasl_abandon(&s->sasl, "The answer to a challenge is a string");
	else if (sasl_answer(&s->sasl, answer))
		s->busy = true;
}

/* ENCRYPT-NEEDED where TLS would help, AUTH-TOO-WEAK for what we know and do not take. */
static void
refuse_mechanism(struct sieved_session *s, struct span name)
{
	static const char *const weak[] = {
		"PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-1", "ANONYMOUS"
	};

	if (!front_may_login(&s->base) &&
	    login_mechanisms_has(&s->srv->mechanisms, true, s->clear_ok, name)) {
		refuse(s, SASL_CLEARTEXT);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(weak); i++)
		if (span_caseeq_str(name, weak[i])) {
			sieved_no(s, "AUTH-TOO-WEAK", sasl_refusal_text(SASL_NOT_OFFERED));
			return;
		}
	refuse(s, SASL_NOT_OFFERED);
}

static void
start(struct sieved_session *s, struct span name, const struct buf *initial)
{
	s->busy = true;
	sasl_start(&s->sasl, name, initial);
}

/* "AUTHENTICATE" SP mechanism [SP string], the string in base64, "" an empty response. */
static void
cmd_authenticate(struct sieved_session *s, const struct managesieve_arg *args, size_t n)
{
	struct span name = args[0].text;
	struct buf initial = { 0 };

	if (!login_mechanisms_has(&s->srv->mechanisms, conn_tls(s->conn) != NULL, s->clear_ok, name))
		refuse_mechanism(s, name);
	else if (n > 1 && span_caseeq_str(name, "LOGIN"))	/* the server begins (RFC 5804 §2.1) */
		sieved_bad(s, "This mechanism takes no initial response");
	else if (n > 1 && !base64_decode(args[1].text, AUTH_DATA_MAX, &initial))
		sieved_bad(s, "Malformed base64");
	else
		start(s, name, n > 1 ? &initial : NULL);
	buf_fini_secret(&initial);
}

static void
cmd_starttls(struct sieved_session *s, const struct managesieve_arg *args, size_t n)
{
	if (!front_may_starttls(&s->base)) {
		sieved_no(s, NULL, "STARTTLS is not offered here");
		return;
	}
	sieved_ok(s, NULL, "Begin TLS negotiation now");
	if (s->ending)
		return;
	/* until the capabilities were told again */
	s->busy = true;
	s->greeted = false;
	front_start_tls(&s->base);
}

static void
cmd_unauthenticate(struct sieved_session *s, const struct managesieve_arg *args, size_t n)
{
	sieved_log_out(s);
	sieved_session_restart_timer(s);
	sieved_ok(s, NULL, "Logged out");
}

const struct sieved_command sieved_cmds_auth[] = {
	{ "AUTHENTICATE",	SIEVED_IN_START,	"s?s",	cmd_authenticate },
	{ "STARTTLS",		SIEVED_IN_START,	"",	cmd_starttls },
	{ "UNAUTHENTICATE",	SIEVED_IN_AUTH,		"",	cmd_unauthenticate },
	{ 0 }
};
