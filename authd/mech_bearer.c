/* OAUTHBEARER (RFC 7628) and XOAUTH2: a token that somebody else gave (authd/bearer.h). */
#include "authd/bearer.h"
#include "authd/exchange_priv.h"
#include "authd/saslprep.h"
#include "common/proto/sasl.h"
#include "common/util/clock.h"
#include "common/util/log.h"

/* The client is told what was wrong, answers with a lone ^A, and then it is over (RFC 7628
 * §3.2.2, §3.2.3). */
static void
refuse(struct exchange *x, enum jwt_verdict why)
{
	const struct conf_oauth *c = &x->o->a->conf->oauth;
	struct buf json = { 0 };

	x->bearer_refused = true;
	LOG(NULL, INFO, "auth.token", KV_SPAN("conn", buf_span(&x->conn)),
	    KV_SPAN("user", buf_span(&x->user)), KV_STR("verdict", jwt_verdict_name(why)));
	buf_addf(&json, "{\"status\":\"%s\",\"schemes\":\"bearer\"",
	    why == JWT_SCOPE ? "insufficient_scope" : "invalid_token");
	if (c->scopes.n > 0) {
		buf_add_str(&json, ",\"scope\":\"");
		for (size_t i = 0; i < c->scopes.n; i++)
			buf_addf(&json, "%s%s", i > 0 ? " " : "", c->scopes.v[i]);
		buf_add_c(&json, '"');
	}
	if (c->discovery_url[0] != '\0')
		buf_addf(&json, ",\"openid-configuration\":\"%s\"", c->discovery_url);
	buf_add_c(&json, '}');
	exchange_challenge(x, buf_span(&json));
	buf_fini(&json);
}

static enum status
run_user(struct dir_job *job, void *arg)
{
	struct exchange *x = arg;
	struct resolve_rules rules = authd_rules(x->o->a);
	struct resolved res;
	enum status st = dir_resolve(job, &rules, RESOLVE_LOGIN, buf_span(&x->user), &res);

	if (dir_waits(job))
		return ST_UNAVAILABLE;
	if (st == ST_OK)
		found_take(&x->found, &res.account);
	return st;
}

static void
end_user(void *arg, enum status st)
{
	struct exchange *x = arg;

	x->dir = NULL;
	if (st == ST_NOT_FOUND || st == ST_SYNTAX)
		refuse(x, JWT_NO_USER);
	else if (st != ST_OK)
		exchange_fail(x, ST_UNAVAILABLE, AUTH_WHY_BACKEND, SPAN_NONE);
	else if (x->found.disabled)
		exchange_fail(x, ST_DENIED, AUTH_WHY_DISABLED, SPAN_NONE);
	else
		exchange_proven(x);
}

static void
pace_end(struct exchange *x, enum throttle_end how)
{
	if (x->bearer_paced)
		throttle_end(x->o->a->throttle, clock_mono_ms(), SPAN_NONE, buf_span(&x->peer), how);
	x->bearer_paced = false;
}

void
bearer_fini(struct exchange *x)
{
	bearer_cancel(&x->bearer);
	pace_end(x, THROTTLE_NEITHER);
	buf_fini_secret(&x->token);
}

static void
judged(void *arg, const struct bearer_result *r)
{
	struct exchange *x = arg;

	x->bearer = NULL;
	buf_fini_secret(&x->token);
	pace_end(x, r->st != ST_OK ? THROTTLE_NEITHER :
	    r->verdict == JWT_GOOD ? THROTTLE_OK : THROTTLE_FAILED);
	if (r->st != ST_OK) {
		exchange_fail(x, ST_UNAVAILABLE, AUTH_WHY_BACKEND, SPAN_NONE);
	} else if (r->verdict != JWT_GOOD) {
		refuse(x, r->verdict);
	} else if (r->user.len > AUTH_NAME_MAX) {
		refuse(x, JWT_NO_USER);
	} else {
		/* From here on the name is the one that was proven. */
		exchange_name(x, r->user);
		x->dir = dir_job_start(x->o->a->dir, run_user, end_user, x);
	}
}

void
bearer_ask_now(struct exchange *x)
{
	struct bearer_result now = { 0 };
	struct buf user = { 0 };

	x->bearer = bearer_ask(x->o->a->bearer, buf_span(&x->token), judged, x, &now, &user);
	if (x->bearer == NULL)
		judged(x, &now);
	buf_fini(&user);
}

/* Each token that a server must be asked about costs somebody else something: an address that
 * sends bad ones waits longer and longer. */
static void
check_token(struct exchange *x, struct span token)
{
	struct authd *a = x->o->a;
	uint64_t delay = 0;

	buf_add_span(&x->token, token);
	if (bearer_asks_server(a->bearer, token)) {
		x->bearer_paced = throttle_begin(a->throttle, clock_mono_ms(), SPAN_NONE,
		    buf_span(&x->peer), &delay);
		if (!x->bearer_paced) {
			exchange_fail(x, ST_LIMIT, AUTH_WHY_THROTTLED, SPAN_NONE);
			return;
		}
	}
	if (delay > 0) {
		x->waits = true;
		loop_timer_set(x->timer, delay);
	} else {
		bearer_ask_now(x);
	}
}

void
mech_bearer(struct exchange *x, struct span data)
{
	bool google = x->mech->conf == CONF_MECH_XOAUTH2, good;
	struct sasl_bearer b;
	struct buf name = { 0 };

	if (x->bearer_refused) {
		exchange_fail(x, ST_DENIED, AUTH_WHY_CREDENTIALS, SPAN_NONE);
		return;
	}
	good = google ? sasl_xoauth2_parse(data, &b) : sasl_oauthbearer_parse(data, &b);
	if (good && google)
		buf_add_span(&name, b.authzid);
	else if (good)
		good = scram_name_decode(b.authzid, &name);
	if (!good || name.len > AUTH_NAME_MAX) {
		buf_fini(&name);
		exchange_fail(x, ST_SYNTAX, AUTH_WHY_PROTOCOL, SPAN_NONE);
		return;
	}
	exchange_name(x, buf_span(&name));
	if (name.len > 0)
		saslprep_or_raw(buf_span(&name), &x->authzid);
	buf_fini(&name);
	if (b.token.len == 0)
		refuse(x, JWT_MALFORMED);
	else
		check_token(x, b.token);
}
