/* OAUTHBEARER (RFC 7628) and XOAUTH2: a token that somebody else gave, here a JSON Web Token
 * which the configured keys prove.  The key file is read again when it changed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "authd/exchange_priv.h"
#include "authd/jwt.h"
#include "authd/saslprep.h"
#include "common/proto/sasl.h"
#include "common/util/clock.h"
#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"

#define LOOK_MS 1000

struct key_file {
	struct jwk_set	*set;		/* NULL: none that can be used */
	char		*path;
	uint64_t	looked_ms;
	struct stat	st;
	bool		looked;
};

void
key_file_free(struct key_file **fp)
{
	struct key_file *f = *fp;

	if (f == NULL)
		return;
	jwk_set_free(&f->set);
	mem_free(&f->path);
	mem_free(fp);
}

/* A file that went bad leaves the keys in force, and a line in the log. */
static void
load(struct key_file *f)
{
	struct jwk_set *fresh = NULL;
	enum status st;
	char *text;
	size_t len;

	if (!fd_slurp_path(f->path, JWKS_MAX, &text, &len)) {
		LOG(NULL, ERROR, "auth.jwks-file", KV_STR("file", f->path), KV_ERRNO(errno));
		return;
	}
	st = jwk_set_parse(span(text, len), &fresh);
	free(text);
	if (st != ST_OK) {
		LOG(NULL, ERROR, "auth.jwks-file", KV_STR("file", f->path),
		    KV_STR("error", st == ST_SYNTAX ? "not a JSON Web Key set" : "no usable key"));
		return;
	}
	jwk_set_free(&f->set);
	f->set = fresh;
	LOG(NULL, INFO, "auth.jwks-file.read", KV_STR("file", f->path),
	    KV_UINT("keys", jwk_set_count(fresh)));
}

static const struct jwk_set *
keys(struct authd *a)
{
	uint64_t now = clock_mono_ms();
	struct stat st = { 0 };
	struct key_file *f = a->oauth_keys;

	if (f != NULL && strcmp(f->path, a->conf->oauth.jwks_file) != 0)
		key_file_free(&a->oauth_keys);
	if (a->oauth_keys == NULL) {
		f = a->oauth_keys = mem_zalloc(sizeof(*f));
		f->path = mem_strdup(a->conf->oauth.jwks_file);
	}
	if (f->looked && now - f->looked_ms < LOOK_MS)
		return f->set;
	f->looked_ms = now;
	if (stat(f->path, &st) == 0 && f->looked && st.st_ino == f->st.st_ino &&
	    st.st_dev == f->st.st_dev && st.st_size == f->st.st_size &&
	    st.st_mtim.tv_sec == f->st.st_mtim.tv_sec &&
	    st.st_mtim.tv_nsec == f->st.st_mtim.tv_nsec)
		return f->set;
	f->looked = true;
	f->st = st;
	load(f);
	return f->set;
}

/* ---- the exchange ---- */

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
check_token(struct exchange *x, struct span token)
{
	struct authd *a = x->o->a;
	const struct conf_oauth *c = &a->conf->oauth;
	const struct jwt_rules rules = { c->issuer, &c->audience, &c->scopes, c->user_claim,
		clock_wall_s(), c->leeway_s };
	const struct jwk_set *set = keys(a);
	struct buf user = { 0 };
	enum jwt_verdict v;

	if (set == NULL) {
		exchange_fail(x, ST_UNAVAILABLE, AUTH_WHY_BACKEND, SPAN_NONE);
		return;
	}
	v = jwt_check(set, token, &rules, &user);
	if (v == JWT_GOOD) {
		/* From here on the name is the one that was proven. */
		exchange_name(x, buf_span(&user));
		x->dir = dir_job_start(a->dir, run_user, end_user, x);
	} else {
		refuse(x, v);
	}
	buf_fini(&user);
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
