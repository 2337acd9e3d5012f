/* EXTERNAL (RFC 4422, appendix A): the client showed a certificate that the worker verified;
 * the name in it that the settings choose is the user. */
#include <string.h>

#include "authd/exchange_priv.h"
#include "authd/saslprep.h"
#include "common/util/mem.h"

/* The next name of the chosen kind; empty at the end. */
static struct span
next_name(const struct exchange *x, struct span *rest)
{
	static const char *const kinds[] = {
		[CONF_CERT_EMAIL] = "email", [CONF_CERT_SUBJECT_EMAIL] = "subject-email",
		[CONF_CERT_CN] = "cn", [CONF_CERT_UID] = "uid"
	};
	const char *kind = kinds[x->o->a->conf->auth.certificate_name];

	while (rest->len > 0) {
		struct span name = span_cut(rest, '\n'), is = span_cut(&name, ' ');

		if (span_eq_str(is, kind) && name.len > 0)
			return name;
	}
	return SPAN_NONE;
}

static enum status
resolve(struct dir_job *job, const struct exchange *x, struct span name, struct resolved *res)
{
	struct resolve_rules rules = authd_rules(x->o->a);
	struct buf prepared = { 0 };
	enum status st;

	saslprep_or_raw(span_sub(name, 0, AUTH_NAME_MAX), &prepared);
	st = dir_resolve(job, &rules, RESOLVE_LOGIN, buf_span(&prepared), res);
	buf_fini(&prepared);
	return st;
}

/* The first name that is an account; of several, the one that is asked for. */
static enum status
run_names(struct dir_job *job, void *arg)
{
	struct exchange *x = arg;
	struct span rest = buf_span(&x->identities), name;
	struct resolved wanted, res;
	uint64_t want = 0;
	bool any = false;

	if (x->authzid.len > 0 && resolve(job, x, buf_span(&x->authzid), &wanted) == ST_OK)
		want = wanted.account.id;
	while (!dir_waits(job) && (name = next_name(x, &rest)).len > 0) {
		if (resolve(job, x, name, &res) != ST_OK || dir_waits(job) ||
		    (any && res.account.id != want))
			continue;
		found_take(&x->found, &res.account);
		any = true;
	}
	if (dir_waits(job))
		return ST_UNAVAILABLE;
	return any ? ST_OK : ST_NOT_FOUND;
}

static void
end_names(void *arg, enum status st)
{
	struct exchange *x = arg;

	x->dir = NULL;
	if (st == ST_OK && x->found.disabled)
		exchange_fail(x, ST_DENIED, AUTH_WHY_DISABLED, SPAN_NONE);
	else if (st == ST_OK)
		exchange_proven(x);
	else if (st == ST_NOT_FOUND)
		exchange_fail(x, ST_DENIED, AUTH_WHY_CREDENTIALS, SPAN_NONE);
	else
		exchange_fail(x, ST_UNAVAILABLE, AUTH_WHY_BACKEND, SPAN_NONE);
}

void
mech_external(struct exchange *x, struct span data)
{
	struct span rest = buf_span(&x->identities);

	if (data.len > AUTH_NAME_MAX || span_find(data, '\0') < data.len) {
		exchange_fail(x, ST_SYNTAX, AUTH_WHY_PROTOCOL, SPAN_NONE);
		return;
	}
	exchange_name(x, next_name(x, &rest));
	if (data.len > 0)
		saslprep_or_raw(data, &x->authzid);
	loop_timer_clear(x->timer);
	x->dir = dir_job_start(x->o->a->dir, run_names, end_names, x);
}
