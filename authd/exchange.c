#include "authd/exchange_priv.h"

#include <assert.h>
#include <string.h>

#include "authd/saslprep.h"
#include "common/proto/sasl.h"
#include "common/util/clock.h"
#include "common/util/log.h"
#include "common/util/mem.h"

/* Best first: this order is what clients are shown. */
static const struct mechanism mechanisms[] = {
	{ .name = "EXTERNAL", .conf = CONF_MECH_EXTERNAL, .certificate = true, .take = mech_external },
	{ .name = "SCRAM-SHA-256-PLUS", .conf = CONF_MECH_SCRAM_SHA_256_PLUS, .plus = true,
	    .alg = DIGEST_SHA256, .take = mech_scram, .later = scram_delay_over },
	{ .name = "SCRAM-SHA-256", .conf = CONF_MECH_SCRAM_SHA_256, .alg = DIGEST_SHA256,
	    .take = mech_scram, .later = scram_delay_over },
	{ .name = "SCRAM-SHA-1", .conf = CONF_MECH_SCRAM_SHA_1, .alg = DIGEST_SHA1,
	    .take = mech_scram, .later = scram_delay_over },
	{ .name = "OAUTHBEARER", .conf = CONF_MECH_OAUTHBEARER, .shows_password = true,
	    .take = mech_bearer, .later = bearer_ask_now },
	{ .name = "XOAUTH2", .conf = CONF_MECH_XOAUTH2, .shows_password = true,
	    .take = mech_bearer, .later = bearer_ask_now },
	{ .name = "PLAIN", .conf = CONF_MECH_PLAIN, .shows_password = true, .take = mech_plain },
	{ .name = "LOGIN", .conf = CONF_MECH_LOGIN, .shows_password = true, .server_first = true,
	    .take = mech_login },
};

static const char *
reason_name(uint8_t reason)
{
	static const char *const names[] = {
		[AUTH_WHY_CREDENTIALS] = "credentials", [AUTH_WHY_EXPIRED] = "expired",
		[AUTH_WHY_DISABLED] = "disabled", [AUTH_WHY_CLEARTEXT] = "cleartext",
		[AUTH_WHY_THROTTLED] = "throttled", [AUTH_WHY_BACKEND] = "backend",
		[AUTH_WHY_PROTOCOL] = "protocol", [AUTH_WHY_AUTHZ] = "authorization",
	};

	return reason < ARRAY_LEN(names) && names[reason] != NULL ? names[reason] : "other";
}

const char *
auth_service_name(uint8_t service)
{
	switch (service) {
	case AUTH_IMAP:
		return "imap";
	case AUTH_POP3:
		return "pop3";
	case AUTH_JMAP:
		return "jmap";
	case AUTH_SIEVE:
		return "sieve";
	case AUTH_SUBMIT:
		return "submit";
	default:
		return "other";
	}
}

static bool
is_clear_refused(const struct mechanism *m, uint8_t flags)
{
	return m->shows_password && (flags & (AUTH_TLS | AUTH_CLEAR_OK)) == 0;
}

/* A client takes the best that is offered and does not come back with another: where users
 * of other back ends may come, who have no keys for SCRAM, it is not offered unless the
 * settings say so. */
bool
exchange_has_mechanism(const struct authd *a, uint8_t conf)
{
	const struct conf_enums *b = &a->conf->auth.backends;

	if (!conf_has_mechanism(a->conf, conf))
		return false;
	if (conf == CONF_MECH_PLAIN || conf == CONF_MECH_LOGIN)
		return true;
	if (conf == CONF_MECH_EXTERNAL)
		return a->conf->tls.client_ca[0] != '\0';
	if (conf == CONF_MECH_OAUTHBEARER || conf == CONF_MECH_XOAUTH2)
		return conf_has_bearer(a->conf);
	return a->conf->auth.scram == CONF_SCRAM_ALWAYS ||
	    (b->n == 1 && b->v[0] == CONF_BACKEND_INTERNAL);
}

void
exchange_mechanisms(const struct authd *a, uint8_t flags, struct buf *out)
{
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++) {
		const struct mechanism *m = &mechanisms[i];

		if (!exchange_has_mechanism(a, m->conf) || is_clear_refused(m, flags) ||
		    ((m->plus || m->certificate) && (flags & AUTH_TLS) == 0))
			continue;
		if (out->len > 0)
			buf_add_c(out, ' ');
		buf_add_str(out, m->name);
	}
}

static void
exchange_free(struct exchange *x)
{
	if (x->throttled)
		throttle_end(x->o->a->throttle, clock_mono_ms(), buf_span(&x->key),
		    buf_span(&x->peer), THROTTLE_NEITHER);
	table_del_u64(&x->o->exchanges, x->chan);
	verify_cancel(&x->verify);
	dir_job_cancel(&x->dir);
	loop_timer_free(&x->timer);
	scram_fini(&x->scram);
	bearer_fini(x);
	found_fini(&x->found);
	buf_fini(&x->conn);
	buf_fini(&x->peer);
	buf_fini(&x->binding);
	buf_fini(&x->identities);
	buf_fini(&x->user);
	buf_fini(&x->key);
	buf_fini(&x->authzid);
	buf_fini(&x->acts_as);
	buf_fini(&x->app);
	buf_fini_secret(&x->data);
	mem_free(&x);
}

/* A client that talks ahead while we think breaks the protocol; so does a silent one. */
static void
on_timer(void *arg)
{
	struct exchange *x = arg;

	if (x->waits) {
		x->waits = false;
		x->mech->later(x);
	} else {
		exchange_free(x);
	}
}

void
exchange_challenge(struct exchange *x, struct span data)
{
	assert(x->asked);
	x->asked = false;
	loop_timer_set(x->timer, EXCHANGE_MS);
	x->o->to->challenge(x->o->arg, &x->head, data);
}

void
exchange_fail(struct exchange *x, enum status st, uint8_t reason, struct span data)
{
	struct authd *a = x->o->a;

	if (x->throttled)
		throttle_end(a->throttle, clock_mono_ms(), buf_span(&x->key), buf_span(&x->peer),
		    st == ST_DENIED ? THROTTLE_FAILED : THROTTLE_NEITHER);
	x->throttled = false;
	if (st == ST_UNAVAILABLE)
		a->count.unavailable++;
	else
		a->count.failed++;
	LOG(NULL, WARN, "auth.fail", KV_SPAN("conn", buf_span(&x->conn)),
	    KV_SPAN("user", buf_span(&x->user)), KV_SPAN("peer", buf_span(&x->peer)),
	    KV_STR("service", auth_service_name(x->service)), KV_STR("reason", reason_name(reason)),
	    KV_STR("mechanism", x->mech != NULL ? x->mech->name : "unknown"));
	if (x->asked)
		x->o->to->failed(x->o->arg, &x->head, st, reason, buf_span(&x->user), data);
	exchange_free(x);
}

/* Proven, and told where the mail is (RFC 2221): nothing here is his. */
static void
refer(struct exchange *x)
{
	struct authd *a = x->o->a;

	if (x->throttled)
		throttle_end(a->throttle, clock_mono_ms(), buf_span(&x->key), buf_span(&x->peer),
		    THROTTLE_OK);
	x->throttled = false;
	LOG(NULL, INFO, "auth.referred", KV_SPAN("conn", buf_span(&x->conn)),
	    KV_SPAN("user", buf_span(&x->found.address)), KV_SPAN("peer", buf_span(&x->peer)),
	    KV_STR("service", auth_service_name(x->service)));
	x->o->to->failed(x->o->arg, &x->head, ST_DENIED, AUTH_WHY_REFERRED, buf_span(&x->user),
	    buf_span(&x->found.referral));
	exchange_free(x);
}

/* Whoever submits mail needs no mailbox here. */
static bool
is_elsewhere(const struct exchange *x)
{
	return x->found.referral.len > 0 && !x->found.referral_stays &&
	    x->service != AUTH_SUBMIT;
}

static bool
is_one_of(const struct conf_strings *m, struct span address)
{
	bool is = false;

	for (size_t i = 0; i < m->n && !is; i++) {
		struct buf b = { 0 };

		is = dir_fold_address(span_str(m->v[i]), &b) && span_eq(buf_span(&b), address);
		buf_fini(&b);
	}
	return is;
}

static void
grant(struct exchange *x)
{
	struct authd *a = x->o->a;
	struct exchange_grant g = { &x->found, buf_span(&x->peer), buf_span(&x->conn),
	    buf_span(&x->app), buf_span(&x->data), x->service, x->acts_as.len > 0,
	    is_one_of(&a->conf->auth.submission_users, buf_span(&x->found.address)) };
	struct span who = buf_span(x->acts_as.len > 0 ? &x->acts_as : &x->found.address);

	if (is_elsewhere(x)) {
		refer(x);
		return;
	}
	if (x->throttled)
		throttle_end(a->throttle, clock_mono_ms(), buf_span(&x->key), buf_span(&x->peer),
		    THROTTLE_OK);
	x->throttled = false;
	if (!x->o->to->granted(x->o->arg, &x->head, &g)) {
		exchange_fail(x, ST_LIMIT, AUTH_WHY_THROTTLED, SPAN_NONE);
		return;
	}
	a->count.granted++;
	LOG(NULL, INFO, "auth.ok", KV_SPAN("conn", buf_span(&x->conn)), KV_SPAN("user", who),
	    KV_SPAN("peer", buf_span(&x->peer)), KV_STR("service", auth_service_name(x->service)),
	    KV_STR("mechanism", x->mech->name));
	if (x->acts_as.len > 0)
		LOG(NULL, INFO, "auth.as", KV_SPAN("conn", buf_span(&x->conn)), KV_SPAN("user", who),
		    KV_SPAN("peer", buf_span(&x->peer)),
		    KV_STR("service", auth_service_name(x->service)),
		    KV_SPAN("as", buf_span(&x->found.address)));
	exchange_free(x);
}

/* Authorisation ------------------------------------------------------------------- */

static enum status
run_authz(struct dir_job *job, void *arg)
{
	struct exchange *x = arg;
	struct resolve_rules rules = authd_rules(x->o->a);
	struct resolved res;
	enum status st = dir_resolve(job, &rules, RESOLVE_LOGIN, buf_span(&x->authzid), &res);
	uint64_t self = x->found.id;

	if (dir_waits(job))
		return ST_UNAVAILABLE;
	if (st == ST_OK && res.account.id == self)
		return ST_OK;
	if (st == ST_SYNTAX || !is_one_of(&x->o->a->conf->auth.master_users,
	    buf_span(&x->found.address)))
		st = ST_DENIED;
	if (st != ST_OK)
		return st;
	buf_clear(&x->acts_as);
	buf_add_span(&x->acts_as, buf_span(&x->found.address));
	found_take(&x->found, &res.account);
	return ST_OK;
}

static void
end_authz(void *arg, enum status st)
{
	struct exchange *x = arg;

	x->dir = NULL;
	if (st == ST_OK && x->found.disabled)
		exchange_fail(x, ST_DENIED, AUTH_WHY_DISABLED, SPAN_NONE);
	else if (st == ST_OK)
		grant(x);
	else if (st == ST_NOT_FOUND || st == ST_DENIED)
		exchange_fail(x, ST_DENIED, AUTH_WHY_AUTHZ, SPAN_NONE);
	else
		exchange_fail(x, ST_UNAVAILABLE, AUTH_WHY_BACKEND, SPAN_NONE);
}

void
exchange_proven(struct exchange *x)
{
	if (x->authzid.len == 0)
		grant(x);
	else
		x->dir = dir_job_start(x->o->a->dir, run_authz, end_authz, x);
}

static void
on_verified(void *arg, const struct verify_result *r)
{
	struct exchange *x = arg;

	x->verify = NULL;
	if (r->st != ST_OK) {
		exchange_fail(x, r->st, r->reason, SPAN_NONE);
		return;
	}
	found_copy(&x->found, r->found);
	buf_add_span(&x->app, r->app);
	exchange_proven(x);
}

void
exchange_verify(struct exchange *x, struct span user, struct span password)
{
	struct verify_rq rq = { user, password, buf_span(&x->peer), x->service };

	loop_timer_clear(x->timer);
	x->verify = verify_start(x->o->a, &rq, on_verified, x);
}

void
exchange_name(struct exchange *x, struct span name)
{
	buf_clear(&x->user);
	buf_clear(&x->key);
	saslprep_or_raw(span_sub(name, 0, AUTH_NAME_MAX), &x->user);
	buf_cut(&x->user, x->user.len < AUTH_NAME_MAX ? x->user.len : AUTH_NAME_MAX);
	if (!dir_fold_address(buf_span(&x->user), &x->key)) {
		buf_clear(&x->key);
		buf_add_span(&x->key, buf_span(&x->user));
	}
}

/* PLAIN and LOGIN ------------------------------------------------------------------ */

void
mech_plain(struct exchange *x, struct span data)
{
	struct sasl_plain p;

	if (!sasl_plain_parse(data, &p)) {
		exchange_fail(x, ST_SYNTAX, AUTH_WHY_PROTOCOL, SPAN_NONE);
		return;
	}
	exchange_name(x, p.authcid);
	if (p.authzid.len > 0)
		saslprep_or_raw(p.authzid, &x->authzid);
	exchange_verify(x, p.authcid, p.password);
}

/* draft-murchison-sasl-login: two prompts that nobody reads. */
void
mech_login(struct exchange *x, struct span data)
{
	if (x->user.len == 0) {
		if (data.len == 0 || data.len > AUTH_NAME_MAX || span_find(data, '\0') < data.len) {
			exchange_fail(x, ST_SYNTAX, AUTH_WHY_PROTOCOL, SPAN_NONE);
			return;
		}
		exchange_name(x, data);
		exchange_challenge(x, SPAN_LIT("Password:"));
		return;
	}
	if (data.len == 0)
		exchange_fail(x, ST_SYNTAX, AUTH_WHY_PROTOCOL, SPAN_NONE);
	else
		exchange_verify(x, buf_span(&x->user), data);
}

/* Beginning ------------------------------------------------------------------------ */

static const struct mechanism *
find_mechanism(const struct authd *a, const struct auth_start *s)
{
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++) {
		const struct mechanism *m = &mechanisms[i];

		if (!span_eq_str(s->mechanism, m->name))
			continue;
		if (!exchange_has_mechanism(a, m->conf))
			return NULL;
		if (m->plus && ((s->flags & AUTH_TLS) == 0 || s->binding.len == 0))
			return NULL;
		if (m->certificate && ((s->flags & AUTH_TLS) == 0 || s->identities.len == 0))
			return NULL;
		return m;
	}
	return NULL;
}

void
exchange_start(struct exchange_owner *o, const struct ipc_head *head, const struct auth_start *s)
{
	struct exchange *x = table_get_u64(&o->exchanges, head->chan);

	if (x != NULL)
		exchange_free(x);
	x = mem_zalloc(sizeof(*x));
	x->o = o;
	x->chan = head->chan;
	x->head = *head;
	x->asked = true;
	x->flags = s->flags;
	x->service = s->service;
	buf_add_span(&x->conn, s->conn);
	buf_add_span(&x->peer, s->peer);
	buf_add_span(&x->binding, s->binding);
	buf_add_span(&x->identities, s->identities);
	x->timer = loop_timer_new(o->a->loop, on_timer, x);
	x->mech = find_mechanism(o->a, s);
	if (o->exchanges.count >= EXCHANGES_MAX) {
		table_put_u64(&o->exchanges, x->chan, x);
		exchange_fail(x, ST_LIMIT, AUTH_WHY_THROTTLED, SPAN_NONE);
		return;
	}
	table_put_u64(&o->exchanges, x->chan, x);
	if (x->mech == NULL)
		exchange_fail(x, ST_UNSUPPORTED, AUTH_WHY_PROTOCOL, SPAN_NONE);
	else if (is_clear_refused(x->mech, x->flags))
		exchange_fail(x, ST_UNSUPPORTED, AUTH_WHY_CLEARTEXT, SPAN_NONE);
	else if ((s->flags & AUTH_IR) != 0)
		x->mech->take(x, s->initial);
	else
		exchange_challenge(x, x->mech->server_first ? SPAN_LIT("Username:") : SPAN_NONE);
}

void
exchange_step(struct exchange_owner *o, const struct ipc_head *head, const struct auth_step *step)
{
	struct exchange *x = table_get_u64(&o->exchanges, head->chan);

	if (x == NULL) {	/* it took too long */
		o->to->failed(o->arg, head, ST_CANCELLED, AUTH_WHY_PROTOCOL, SPAN_NONE, SPAN_NONE);
		return;
	}
	if (x->asked) {
		o->to->failed(o->arg, head, ST_SYNTAX, AUTH_WHY_PROTOCOL, SPAN_NONE, SPAN_NONE);
		return;
	}
	loop_timer_clear(x->timer);
	x->head = *head;
	x->asked = true;
	x->mech->take(x, step->data);
}

void
exchange_cancel(struct exchange_owner *o, uint32_t chan)
{
	struct exchange *x = table_get_u64(&o->exchanges, chan);

	if (x != NULL)
		exchange_free(x);
}

void
exchange_free_all(struct exchange_owner *o)
{
	size_t pos = 0;
	void *x;

	while (table_next(&o->exchanges, &pos, NULL, &x))
		exchange_free(x);
	table_fini(&o->exchanges, NULL, NULL);
}
