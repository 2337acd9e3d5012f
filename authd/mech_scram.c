/* SCRAM, the server's side (RFC 5802, RFC 7677, RFC 9266 for tls-exporter).  For a user whom
 * nobody knows the exchange runs to its end like any other: its salt is a MAC of the name
 * under a key of the installation, so that asking twice tells nothing. */
#include <string.h>

#include "authd/exchange_priv.h"
#include "authd/saslprep.h"
#include "common/crypto/encode.h"
#include "common/crypto/random.h"
#include "common/proto/sasl.h"
#include "common/util/clock.h"
#include "common/util/mem.h"

#define NONCE_LEN 28

void
scram_fini(struct scram *s)
{
	buf_fini(&s->gs2);
	buf_fini(&s->bare);
	buf_fini(&s->server_first);
	buf_fini(&s->nonce);
	buf_fini(&s->salt);
	buf_fini_secret(&s->stored_key);
	buf_fini_secret(&s->server_key);
}

static void
set(struct buf *b, struct span s)
{
	buf_clear(b);
	buf_add_span(b, s);
}

static void
fake(struct exchange *x)
{
	struct scram *s = &x->scram;
	unsigned char mac[SHA256_LEN];
	struct buf name = { 0 };

	s->fake = true;
	buf_add_str(&name, x->mech->alg == DIGEST_SHA1 ? "1" : "256");
	buf_add_span(&name, buf_span(&x->key));
	hmac_sha256(span(x->o->a->fake_key, sizeof(x->o->a->fake_key)), buf_span(&name), mac);
	set(&s->salt, span(mac, SCRAM_SALT_LEN));
	random_bytes(mac, sizeof(mac));
	/* keys of the right length, so that the check runs all the same */
	buf_clear(&s->stored_key);
	buf_clear(&s->server_key);
	memset(buf_reserve(&s->stored_key, DIGEST_MAX), mac[0], DIGEST_MAX);
	buf_added(&s->stored_key, digest_len(x->mech->alg));
	memset(buf_reserve(&s->server_key, DIGEST_MAX), mac[1], DIGEST_MAX);
	buf_added(&s->server_key, digest_len(x->mech->alg));
	s->iterations = x->o->a->conf->auth.scram_iterations;
	buf_fini(&name);
}

static enum status
run_keys(struct dir_job *job, void *arg)
{
	struct exchange *x = arg;
	struct resolve_rules rules = authd_rules(x->o->a);
	struct dir_verifier v = { 0 };
	const struct dir_scram *keys = x->mech->alg == DIGEST_SHA1 ? &v.sha1 : &v.sha256;
	struct resolved res;
	enum status st = dir_resolve(job, &rules, RESOLVE_LOGIN, buf_span(&x->user), &res);
	size_t n = digest_len(x->mech->alg);
	bool found;

	if (dir_waits(job) || !dir_get_verifier(job, st == ST_OK ? res.account.id : 0, &v, &found))
		return ST_UNAVAILABLE;
	if (st != ST_OK || !found || keys->stored_key.len != n || keys->server_key.len != n ||
	    keys->iterations == 0) {
		fake(x);
		return ST_OK;
	}
	x->scram.fake = false;
	found_take(&x->found, &res.account);
	set(&x->scram.salt, keys->salt);
	set(&x->scram.stored_key, keys->stored_key);
	set(&x->scram.server_key, keys->server_key);
	x->scram.iterations = keys->iterations;
	return ST_OK;
}

void
scram_delay_over(struct exchange *x)
{
	exchange_challenge(x, buf_span(&x->scram.server_first));
}

static void
end_keys(void *arg, enum status st)
{
	struct exchange *x = arg;
	struct scram *s = &x->scram;
	uint64_t delay;

	x->dir = NULL;
	if (st != ST_OK) {
		exchange_fail(x, ST_UNAVAILABLE, AUTH_WHY_BACKEND, SPAN_NONE);
		return;
	}
	x->throttled = throttle_begin(x->o->a->throttle, clock_mono_ms(), buf_span(&x->key),
	    buf_span(&x->peer), &delay);
	if (!x->throttled) {
		exchange_fail(x, ST_LIMIT, AUTH_WHY_THROTTLED, SPAN_LIT("e=other-error"));
		return;
	}
	buf_add_str(&s->server_first, "r=");
	buf_add_span(&s->server_first, buf_span(&s->nonce));
	buf_add_str(&s->server_first, ",s=");
	base64_encode(buf_span(&s->salt), &s->server_first);
	buf_addf(&s->server_first, ",i=%u", s->iterations);
	s->challenged = true;
	if (delay == 0) {
		scram_delay_over(x);
		return;
	}
	x->waits = true;
	loop_timer_set(x->timer, delay);
}

static void
bad(struct exchange *x, const char *error)
{
	exchange_fail(x, ST_SYNTAX, AUTH_WHY_PROTOCOL, span_str(error));
}

/* Whoever stands between us and the client must not talk it out of the binding. */
static const char *
binding_error(const struct exchange *x, const struct scram_first *f)
{
	bool offered = (x->flags & AUTH_TLS) != 0 && x->binding.len > 0 &&
	    exchange_has_mechanism(x->o->a, CONF_MECH_SCRAM_SHA_256_PLUS);

	if (x->mech->plus && f->binding != 'p')
		return "e=channel-bindings-dont-match";
	if (f->binding == 'y' && offered)
		return "e=server-does-support-channel-binding";
	if (f->binding == 'p' && !x->mech->plus)
		return "e=channel-binding-not-supported";
	if (f->binding == 'p' && !span_eq_str(f->binding_name, "tls-exporter"))
		return "e=unsupported-channel-binding-type";
	return NULL;
}

static void
take_first(struct exchange *x, struct span data)
{
	struct scram *s = &x->scram;
	char nonce[NONCE_LEN + 1];
	struct scram_first f;
	struct buf user = { 0 }, authzid = { 0 };
	const char *error;
	bool good = scram_first_parse(data, &f) && scram_name_decode(f.user, &user) &&
	    scram_name_decode(f.authzid, &authzid) && user.len <= AUTH_NAME_MAX &&
	    authzid.len <= AUTH_NAME_MAX && f.nonce.len <= 512;

	exchange_name(x, buf_span(&user));
	if (authzid.len > 0)
		saslprep_or_raw(buf_span(&authzid), &x->authzid);
	buf_fini(&user);
	buf_fini(&authzid);
	if (!good) {
		bad(x, "e=invalid-encoding");
		return;
	}
	error = binding_error(x, &f);
	if (error != NULL) {
		bad(x, error);
		return;
	}
	set(&s->gs2, f.gs2);
	set(&s->bare, f.bare);
	set(&s->nonce, f.nonce);
	random_id(nonce, NONCE_LEN);
	buf_add_str(&s->nonce, nonce);
	x->dir = dir_job_start(x->o->a->dir, run_keys, end_keys, x);
}

/* c= is the header of the first message and the binding's data. */
static bool
same_binding(const struct exchange *x, struct span sent)
{
	struct buf want = { 0 }, text = { 0 };
	bool same;

	buf_add_span(&want, buf_span(&x->scram.gs2));
	if (x->mech->plus)
		buf_add_span(&want, buf_span(&x->binding));
	base64_encode(buf_span(&want), &text);
	same = text.len == sent.len && mem_equal_ct(text.data, sent.p, sent.len);
	buf_fini(&want);
	buf_fini(&text);
	return same;
}

static void
take_final(struct exchange *x, struct span data)
{
	struct scram *s = &x->scram;
	enum digest_alg alg = x->mech->alg;
	struct buf message = { 0 }, proof = { 0 };
	unsigned char sig[DIGEST_MAX];
	struct scram_final f;
	bool good;

	if (!scram_final_parse(data, &f) || !span_eq(f.nonce, buf_span(&s->nonce)) ||
	    !base64_decode(f.proof, DIGEST_MAX, &proof)) {
		buf_fini(&proof);
		bad(x, "e=invalid-encoding");
		return;
	}
	if (!same_binding(x, f.binding)) {
		buf_fini(&proof);
		exchange_fail(x, ST_DENIED, AUTH_WHY_CREDENTIALS,
		    SPAN_LIT("e=channel-bindings-dont-match"));
		return;
	}
	buf_add_span(&message, buf_span(&s->bare));
	buf_add_c(&message, ',');
	buf_add_span(&message, buf_span(&s->server_first));
	buf_add_c(&message, ',');
	buf_add_span(&message, f.without_proof);
	good = scram_check(alg, buf_span(&s->stored_key), buf_span(&message), buf_span(&proof));
	scram_server_signature(alg, buf_span(&s->server_key), buf_span(&message), sig);
	buf_add_str(&x->data, "v=");
	base64_encode(span(sig, digest_len(alg)), &x->data);
	mem_wipe(sig, sizeof(sig));
	buf_fini(&message);
	buf_fini_secret(&proof);
	if (!good || s->fake)
		exchange_fail(x, ST_DENIED, AUTH_WHY_CREDENTIALS, SPAN_LIT("e=invalid-proof"));
	else if (x->found.disabled)
		exchange_fail(x, ST_DENIED, AUTH_WHY_DISABLED, SPAN_LIT("e=other-error"));
	else
		exchange_proven(x);
}

void
mech_scram(struct exchange *x, struct span data)
{
	if (!x->scram.challenged)
		take_first(x, data);
	else
		take_final(x, data);
}
