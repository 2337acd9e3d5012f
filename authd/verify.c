#include "authd/verify.h"

#include "authd/saslprep.h"

#include <string.h>

#include "common/util/clock.h"
#include "common/util/log.h"
#include "common/util/mem.h"

#define APPS_MAX	64
#define USED_EVERY_S	3600

struct verify {
	struct authd		*a;
	struct buf		user;		/* folded, or raw when it is no name */
	struct buf		password, peer;
	struct buf		prepared;	/* the password by RFC 4013; ours are kept so */
	uint8_t			service;
	verify_done_fn		fn;
	void			*arg;
	struct loop_timer	*timer;
	void			(*later)(struct verify *v);
	struct dir_job		*dir;
	struct pool_job		*pool;
	size_t			backend;	/* index of the next one */
	bool			throttled;	/* throttle_begin() was called */
	bool			hashed, asked_pam, finished;
	uint64_t		began_ms;
	struct found		found;
	bool			known;		/* found is an account */
	struct buf		hash;
	uint64_t		id;		/* the cache's word */
	bool			app_matches;
	struct buf		app;		/* its label */
	struct verify_result	result;
};

static void next_backend(struct verify *v);
static void check_apps(struct verify *v);

static void
verify_free(struct verify *v)
{
	dir_job_cancel(&v->dir);
	pool_cancel(&v->pool);
	loop_timer_free(&v->timer);
	buf_fini(&v->user);
	buf_fini(&v->peer);
	buf_fini(&v->app);
	buf_fini_secret(&v->password);
	buf_fini_secret(&v->prepared);
	buf_fini_secret(&v->hash);
	found_fini(&v->found);
	mem_free(&v);
}

static void
end_throttle(struct verify *v, enum throttle_end how)
{
	if (v->throttled)
		throttle_end(v->a->throttle, clock_mono_ms(), buf_span(&v->user), buf_span(&v->peer), how);
	v->throttled = false;
}

void
verify_cancel(struct verify **vp)
{
	struct verify *v = *vp;

	*vp = NULL;
	if (v == NULL || v->finished)
		return;
	/* who does not wait for the answer has failed: else leaving early would be free */
	end_throttle(v, v->hashed || v->asked_pam ? THROTTLE_FAILED : THROTTLE_NEITHER);
	verify_free(v);
}

static void
tell(struct verify *v)
{
	v->finished = true;
	v->fn(v->arg, &v->result);
	verify_free(v);
}

static void
on_timer(void *arg)
{
	struct verify *v = arg;

	v->later(v);
}

static void
after(struct verify *v, uint64_t ms, void (*fn)(struct verify *v))
{
	v->later = fn;
	loop_timer_set(v->timer, ms);
}

static void
finish(struct verify *v, enum status st, uint8_t reason)
{
	uint64_t now = clock_mono_ms(), floor_ms = v->a->conf->pam.fail_time_ms;

	v->result = (struct verify_result){ st, reason, st == ST_OK ? &v->found : NULL,
	    buf_span(&v->app) };
	end_throttle(v, st == ST_OK ? THROTTLE_OK : st == ST_DENIED ? THROTTLE_FAILED :
	    THROTTLE_NEITHER);
	if (st == ST_DENIED && v->asked_pam && now - v->began_ms < floor_ms)
		after(v, floor_ms - (now - v->began_ms), tell);
	else
		tell(v);
}

static void
away(struct verify *v)
{
	finish(v, ST_UNAVAILABLE, AUTH_WHY_BACKEND);
}

/* The password is right. */
static void
granted(struct verify *v)
{
	if (v->found.disabled) {
		finish(v, ST_DENIED, AUTH_WHY_DISABLED);
		return;
	}
	login_cache_put(v->a->cache, clock_mono_ms(), buf_span(&v->user), buf_span(&v->password),
	    v->service, v->found.id, buf_span(&v->app));
	finish(v, ST_OK, 0);
}

/* Remembered ------------------------------------------------------------------ */

static enum status
run_cached(struct dir_job *job, void *arg)
{
	struct verify *v = arg;
	struct dir_account acc;
	bool found;

	if (!dir_get_account(job, v->id, &acc, &found))
		return ST_UNAVAILABLE;
	if (!found || acc.deleted_s != 0)
		return ST_NOT_FOUND;
	if (!dir_apply_referral(job, &acc))
		return ST_UNAVAILABLE;
	found_take(&v->found, &acc);
	return ST_OK;
}

static void
end_cached(void *arg, enum status st)
{
	struct verify *v = arg;

	v->dir = NULL;
	if (st == ST_OK) {
		v->a->count.cached++;
		if (v->found.disabled)
			finish(v, ST_DENIED, AUTH_WHY_DISABLED);
		else
			finish(v, ST_OK, 0);
	} else if (st == ST_NOT_FOUND) {
		finish(v, ST_DENIED, AUTH_WHY_CREDENTIALS);
	} else {
		away(v);
	}
}

/* The internal directory --------------------------------------------------------- */

static enum status
run_internal(struct dir_job *job, void *arg)
{
	struct verify *v = arg;
	struct resolve_rules rules = authd_rules(v->a);
	struct dir_verifier ver = { 0 };
	struct resolved res;
	enum status st = dir_resolve(job, &rules, RESOLVE_LOGIN, buf_span(&v->user), &res);
	bool found;

	if (dir_waits(job))
		return ST_UNAVAILABLE;
	v->known = st == ST_OK;
	/* for nobody too: the same reads */
	if (!dir_get_verifier(job, v->known ? res.account.id : 0, &ver, &found))
		return ST_UNAVAILABLE;
	buf_clear(&v->hash);
	if (v->known) {
		found_take(&v->found, &res.account);
		if (found)
			buf_add_span(&v->hash, ver.hash);
	}
	return ST_OK;
}

static void
on_verdict(struct verify *v, enum status st)
{
	switch (st) {
	case ST_OK:
		granted(v);
		break;
	case ST_UNSUPPORTED:
		LOG(NULL, ERROR, "auth.hash", KV_SPAN("user", buf_span(&v->user)));
		check_apps(v);
		break;
	case ST_DENIED:
		check_apps(v);
		break;
	default:
		away(v);
	}
}

static void
on_internal_hash(void *arg, enum status st, struct span reply)
{
	struct verify *v = arg;

	v->pool = NULL;
	on_verdict(v, st);
}

static void
hash_it(struct verify *v, struct span hash, const struct buf *password, pool_done_fn fn)
{
	v->hashed = true;
	v->a->count.hashed++;
	v->pool = pool_verify(v->a->hashers, hash, buf_span(password), fn, v);
	if (v->pool == NULL)
		away(v);
}

static void
end_internal(void *arg, enum status st)
{
	struct verify *v = arg;

	v->dir = NULL;
	if (st != ST_OK)
		away(v);
	else if (v->known && v->hash.len > 0)
		hash_it(v, buf_span(&v->hash), &v->prepared, on_internal_hash);
	else
		next_backend(v);
}

/* Those outside of it ------------------------------------------------------------ */

static enum status
run_external(struct dir_job *job, void *arg)
{
	struct verify *v = arg;
	struct resolve_rules rules = authd_rules(v->a);
	struct mansio_conf *cf = v->a->conf;
	struct dir_account acc = { .shard = UINT32_MAX };
	struct resolved res;
	enum status st = dir_resolve(job, &rules, RESOLVE_LOGIN, buf_span(&v->user), &res);

	if (dir_waits(job))
		return ST_UNAVAILABLE;
	if (st == ST_NOT_FOUND) {
		acc.address = res.address;
		st = dir_add_account(job, &acc, cf->store.shards, cf->store.undelete_time_s,
		    clock_wall_s());
		res.account = acc;
		if (!dir_apply_referral(job, &res.account))
			return ST_UNAVAILABLE;
	}
	if (st == ST_OK && !dir_waits(job))
		found_take(&v->found, &res.account);
	return st;
}

static void
end_external(void *arg, enum status st)
{
	struct verify *v = arg;

	v->dir = NULL;
	if (st == ST_OK)
		granted(v);
	else if (st == ST_EXISTS)	/* an account of this name was deleted, or it is an alias */
		finish(v, ST_DENIED, AUTH_WHY_DISABLED);
	else if (st == ST_SYNTAX)
		finish(v, ST_DENIED, AUTH_WHY_CREDENTIALS);
	else
		away(v);
}

static void
external_ok(struct verify *v)
{
	v->dir = dir_job_start(v->a->dir, run_external, end_external, v);
}

static void
on_external_hash(void *arg, enum status st, struct span reply)
{
	struct verify *v = arg;

	v->pool = NULL;
	if (st == ST_OK)
		external_ok(v);
	else
		on_verdict(v, st);
}

static void
on_pam(void *arg, enum status st, struct span reply)
{
	struct verify *v = arg;

	v->pool = NULL;
	if (st == ST_OK)
		external_ok(v);
	else if (st == ST_DENIED)
		next_backend(v);	/* PAM does not tell whether it knows him */
	else if (st == ST_EXPIRED)
		finish(v, ST_DENIED, AUTH_WHY_EXPIRED);
	else
		away(v);
}

/* As typed; then with and without the default domain. */
static bool
in_passwd_file(struct verify *v, struct span *hash)
{
	struct span user = buf_span(&v->user), domain = address_domain(user);
	struct span def = span_str(v->a->conf->auth.default_domain);
	struct buf with = { 0 };
	bool found;

	if (passwd_file_find(v->a->passwd, user, hash))
		return true;
	if (def.len == 0)
		return false;
	if (domain.len > 0)
		return span_caseeq(domain, def) &&
		    passwd_file_find(v->a->passwd, span_sub(user, 0, user.len - domain.len - 1), hash);
	buf_add_span(&with, user);
	buf_add_c(&with, '@');
	buf_add_span(&with, def);
	found = passwd_file_find(v->a->passwd, buf_span(&with), hash);
	buf_fini(&with);
	return found;
}

static void
on_dummy(void *arg, enum status st, struct span reply)
{
	struct verify *v = arg;

	v->pool = NULL;
	if (st == ST_UNAVAILABLE)
		away(v);
	else
		check_apps(v);
}

/* Nobody knows him.  The work is done all the same. */
static void
nobody(struct verify *v)
{
	struct span hash = buf_span(&v->a->dummy);

	if (!conf_has_backend(v->a->conf, CONF_BACKEND_INTERNAL) && v->a->passwd != NULL)
		(void)passwd_file_any(v->a->passwd, &hash);
	if (v->hashed || v->asked_pam || hash.len == 0)
		check_apps(v);
	else
		hash_it(v, hash, &v->prepared, on_dummy);
}

/* A user of the default domain is a user of this system. */
static struct span
pam_user(const struct verify *v)
{
	struct span user = buf_span(&v->user), domain = address_domain(user);
	const char *def = v->a->conf->auth.default_domain;

	if (def[0] == '\0' || !span_caseeq(domain, span_str(def)))
		return user;
	return span_sub(user, 0, user.len - domain.len - 1);
}

static void
next_backend(struct verify *v)
{
	const struct conf_enums *order = &v->a->conf->auth.backends;
	struct span hash;

	while (v->backend < order->n) {
		switch (order->v[v->backend++]) {
		case CONF_BACKEND_INTERNAL:
			v->dir = dir_job_start(v->a->dir, run_internal, end_internal, v);
			return;
		case CONF_BACKEND_PASSWD_FILE:
			if (v->a->passwd == NULL || !in_passwd_file(v, &hash))
				continue;
			hash_it(v, hash, &v->password, on_external_hash);
			return;
		default:
			if (v->a->pam == NULL)
				continue;
			v->asked_pam = true;
			v->pool = pool_pam(v->a->pam, v->a->conf->pam.service, pam_user(v),
			    buf_span(&v->password), buf_span(&v->peer), on_pam, v);
			if (v->pool == NULL)
				away(v);
			return;
		}
	}
	nobody(v);
}

/* App passwords ------------------------------------------------------------------- */

static void
note_use(struct dir_job *job, const struct dir_rec *rec, struct dir_app *app)
{
	struct buf value = { 0 };
	int64_t now = clock_wall_s();

	if (now - app->used_s < USED_EVERY_S || dir_get(job, rec->key) == NULL)
		return;
	app->used_s = now;
	dir_app_encode(app, &value);
	dir_put(job, rec->key, buf_span(&value));
	buf_fini_secret(&value);
}

static enum status
run_apps(struct dir_job *job, void *arg)
{
	struct verify *v = arg;
	struct resolve_rules rules = authd_rules(v->a);
	struct buf from = { 0 }, to = { 0 };
	const struct dir_rec *recs;
	struct resolved res;
	enum status st = dir_resolve(job, &rules, RESOLVE_LOGIN, buf_span(&v->user), &res);
	uint64_t id = st == ST_OK ? res.account.id : 0;
	size_t n;

	if (dir_waits(job))
		return ST_UNAVAILABLE;
	dir_key_app(&from, id, SPAN_NONE);
	buf_add_span(&to, buf_span(&from));
	to.data[to.len - 1] = '/' + 1;
	recs = dir_scan(job, buf_span(&from), buf_span(&to), APPS_MAX, &n);
	buf_fini(&from);
	buf_fini(&to);
	if (recs == NULL)
		return ST_UNAVAILABLE;
	v->app_matches = false;
	buf_clear(&v->app);
	for (size_t i = 0; i < n; i++) {
		struct dir_app app;

		if (!dir_app_decode(&app, recs[i].value) || !scheme_is_fast(app.hash) ||
		    (app.protocols != 0 && (app.protocols & v->service) == 0) ||
		    scheme_verify(app.hash, buf_span(&v->prepared)) != ST_OK)
			continue;
		v->app_matches = true;
		buf_clear(&v->app);
		buf_add_span(&v->app, app.label);
		found_take(&v->found, &res.account);
		note_use(job, &recs[i], &app);
	}
	return ST_OK;
}

static void
end_apps(void *arg, enum status st)
{
	struct verify *v = arg;

	v->dir = NULL;
	/* that the last use could not be written keeps nobody out */
	if (v->app_matches && (st == ST_OK || st == ST_CONFLICT))
		granted(v);
	else if (st == ST_OK)
		finish(v, ST_DENIED, AUTH_WHY_CREDENTIALS);
	else
		away(v);
}

static void
check_apps(struct verify *v)
{
	v->dir = dir_job_start(v->a->dir, run_apps, end_apps, v);
}

/* Beginning ----------------------------------------------------------------------- */

static void
refuse_many(struct verify *v)
{
	finish(v, ST_LIMIT, AUTH_WHY_THROTTLED);
}

static void
begin(struct verify *v)
{
	struct authd *a = v->a;
	uint64_t now = clock_mono_ms(), delay;

	v->began_ms = now;
	if (a->passwd != NULL && passwd_file_refresh(a->passwd, now))
		login_cache_flush(a->cache);
	if (login_cache_get(a->cache, now, buf_span(&v->user), buf_span(&v->password), v->service,
	    &v->id, &v->app)) {
		v->dir = dir_job_start(a->dir, run_cached, end_cached, v);
		return;
	}
	v->throttled = throttle_begin(a->throttle, now, buf_span(&v->user), buf_span(&v->peer), &delay);
	if (!v->throttled)
		refuse_many(v);
	else if (delay > 0)
		after(v, delay, next_backend);
	else
		next_backend(v);
}

struct verify *
verify_start(struct authd *a, const struct verify_rq *rq, verify_done_fn fn, void *arg)
{
	struct verify *v = mem_zalloc(sizeof(*v));
	struct buf name = { 0 };

	v->a = a;
	v->fn = fn;
	v->arg = arg;
	v->service = rq->service;
	saslprep_or_raw(span_sub(rq->user, 0, AUTH_NAME_MAX + 1), &name);
	if (name.len > AUTH_NAME_MAX || !dir_fold_address(buf_span(&name), &v->user)) {
		buf_clear(&v->user);
		buf_add_span(&v->user, span_sub(buf_span(&name), 0, AUTH_NAME_MAX));
	}
	buf_fini(&name);
	/* other back ends keep what was once typed; they get it as it is */
	buf_add_span(&v->password, span_sub(rq->password, 0, PASSWORD_MAX + 1));
	saslprep_or_raw(buf_span(&v->password), &v->prepared);
	buf_add_span(&v->peer, rq->peer);
	v->timer = loop_timer_new(a->loop, on_timer, v);
	after(v, 0, begin);
	return v;
}
