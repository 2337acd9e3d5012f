#include "filter/filter.h"

#include <string.h>

#include "common/mime/date.h"
#include "common/net/loop.h"
#include "common/util/clock.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "common/util/table.h"
#include "filter/answers.h"
#include "filter/cache.h"

#define CACHE_BYTES	(8u << 20)	/* of users' scripts that stay compiled */
#define ACTIVE_MAX	65536u		/* accounts whose active script is remembered */
#define ROUNDS_MAX	64u		/* a script asks, and asks again */

struct filter {
	const struct mansio_conf	*conf;
	struct sieve_conf		user;
	bool				configured, fresh;	/* fresh: other rules came */
	char				*blob;
	size_t				blob_len;
	struct filter_globals		*globals;	/* NULL: they have errors */
	struct filter_cache		*cache;
	struct table			active;		/* account -> hash of its script */
	uint64_t			kept;		/* octets of messages that events look at */
};

struct filter_run {
	struct filter		*f;
	struct filter_job	job;
	filter_done_fn		done;
	void			*arg;
	struct loop_task	*tell;
	struct filter_answers	*answers;
	struct store_call	*call;		/* for the active script */
	struct cached_script	*active;
	unsigned char		sha256[32];
	unsigned		rounds;
	bool			settled;	/* result says what is to be done */
	struct sieve_env	env;
	struct sieve_result	result;
	enum filter_outcome	outcome;
	struct filter_error	error;
};

/* What all runs share --------------------------------------------------------- */

struct filter *
filter_new(void)
{
	struct filter *f = mem_zalloc(sizeof(*f));

	f->cache = filter_cache_new(CACHE_BYTES);
	return f;
}

static void
hash_free(void *value, void *arg)
{
	mem_free(&value);
}

void
filter_free(struct filter **fp)
{
	struct filter *f = *fp;

	*fp = NULL;
	if (f == NULL)
		return;
	filter_globals_free(&f->globals);
	filter_cache_free(&f->cache);
	if (f->configured)
		sieve_conf_fini(&f->user);
	table_fini(&f->active, hash_free, NULL);
	mem_free(&f->blob);
	mem_free(&f);
}

void
filter_take_rules(struct filter *f, char *blob, size_t len)
{
	mem_free(&f->blob);
	f->blob = blob;
	f->blob_len = len;
	f->fresh = true;
}

void
filter_configure(struct filter *f, const struct mansio_conf *conf)
{
	struct conf_errors err = { .count = 0 };

	if (f->configured && f->conf == conf && !f->fresh)
		return;
	if (f->configured)
		sieve_conf_fini(&f->user);
	f->fresh = false;
	f->conf = conf;
	f->configured = true;
	sieve_conf_init(&f->user, conf, 0);
	filter_cache_clear(f->cache);
	filter_globals_free(&f->globals);
	f->globals = filter_globals_new(span(f->blob, f->blob_len), conf, &err);
	/* the monitor takes none that has errors: settings that go before their files, for a moment */
	if (f->globals == NULL)
		LOG(NULL, WARN, "sieve.rules", KV_SPAN("why", buf_span(&err.text)));
	conf_errors_fini(&err);
}

bool
filter_is_on(const struct filter *f)
{
	return f->conf != NULL && f->conf->sieve.enabled;
}

const struct mansio_conf *
filter_conf(const struct filter *f)
{
	return f->conf;
}

struct kept_limits
filter_kept_limits(struct filter *f)
{
	return (struct kept_limits){ f->conf->sieve.max_body_bytes, f->conf->sieve.body_memory_bytes,
		&f->kept };
}

struct cached_script *
filter_take_script(struct filter *f, const struct store_script_is *is, unsigned char sha256[32])
{
	struct cached_script *script;
	struct store_script s;
	struct reader rd;

	reader_init(&rd, is->script.p, is->script.len);
	if (!get_store_script(&rd, &s) || s.sha256.len != 32)
		return NULL;
	memcpy(sha256, s.sha256.p, 32);
	script = filter_cache_get(f->cache, sha256);
	if (script == NULL && !is->same)
		script = filter_cache_add(f->cache, sha256, is->text, &f->user.options);
	return script;
}

bool
filter_has_global(const struct filter *f, struct span name)
{
	return f->globals != NULL && filter_globals_script(f->globals, name) != NULL;
}

static struct span
domain_of(struct span user)
{
	size_t at = span_find(user, '@');

	return span_sub(user, at < user.len ? at + 1 : at, user.len);
}

bool
filter_is_idle(const struct filter *f, struct span user)
{
	return f->globals != NULL && filter_globals_idle(f->globals, domain_of(user));
}

static void
remember(struct filter *f, uint64_t account, const unsigned char sha256[32])
{
	unsigned char *known = table_get_u64(&f->active, account);

	if (known == NULL) {
		if (f->active.count >= ACTIVE_MAX)
			table_fini(&f->active, hash_free, NULL);
		known = mem_alloc(32);
		(void)table_put_u64(&f->active, account, known);
	}
	memcpy(known, sha256, 32);
}

/* One run --------------------------------------------------------------------- */

static void run_again(struct filter_run *r);

static void
end(struct filter_run *r, enum filter_outcome o)
{
	r->outcome = o;
	loop_task_post(r->tell);
}

static void
on_tell(void *arg)
{
	struct filter_run *r = arg;

	r->done(r->arg);
}

static void
on_answered(void *arg, enum status st)
{
	struct filter_run *r = arg;

	if (st != ST_OK)
		end(r, FILTER_AWAY);
	else
		run_again(r);
}

struct filter_run *
filter_run_new(struct filter *f, const struct filter_job *job, filter_done_fn done, void *arg)
{
	struct filter_run *r = mem_zalloc(sizeof(*r));

	r->f = f;
	r->job = *job;
	r->done = done;
	r->arg = arg;
	r->tell = loop_task_new(job->loop, on_tell, r);
	r->answers = filter_answers_new(job->store, f->cache, on_answered, r);
	filter_answers_directory(r->answers,
	    &(struct filter_directory){ job->auth, job->conn, job->account });
	return r;
}

void
filter_run_free(struct filter_run **rp)
{
	struct filter_run *r = *rp;

	*rp = NULL;
	if (r == NULL)
		return;
	store_cancel(&r->call);
	sieve_result_fini(&r->result);
	filter_answers_free(&r->answers);
	filter_cache_give_back(&r->active);
	loop_task_free(&r->tell);
	mem_free(&r);
}

static void
fail(struct filter_run *r, const char *script, uint32_t line, const char *text)
{
	r->error = (struct filter_error){ script, line, text };
	end(r, FILTER_FAILED);
}

static void
set_env(struct filter_run *r)
{
	struct sieve_env *e = &r->env;
	size_t most = sizeof(e->addresses) / sizeof(e->addresses[0]);

	*e = (struct sieve_env){ .envelope = r->job.envelope, .user = r->job.user,
	    .now = clock_wall_s(), .items = r->job.items, .n_items = r->job.n_items,
	    .limits = &r->f->user.limits, .settings = &r->f->user.settings,
	    .ask = filter_answers_reply, .ask_arg = r->answers };
	e->zone_min = mime_local_zone(e->now);
	if (r->job.event != NULL) {
		e->event = true;
		e->flags = r->job.event->flags;
		e->n_flags = r->job.event->n_flags;
	}
	e->asks_own = r->job.auth != NULL;
	for (size_t i = 0; i < r->job.n_addresses && i < most; i++)
		e->addresses[e->n_addresses++] = r->job.addresses[i];
}

/* The user's own script that is run. */
static const struct cached_script *
own_script(const struct filter_run *r)
{
	return r->job.event != NULL ? r->job.event->script : r->active;
}

/* The admin's, the user's own (or what stands for it), the admin's again; the first *before of them run
 * before the user's, which is left out when it cannot be compiled any more. */
static size_t
chain(struct filter_run *r, const struct sieve_script **v, size_t *before)
{
	const struct filter_globals *g = r->f->globals;
	const struct filter_event *event = r->job.event;
	struct span domain = domain_of(r->job.user);
	const struct sieve_script *own = r->active != NULL ? cached_script(r->active) :
	    filter_globals_default(g, domain);
	size_t n;

	*before = 0;
	if (event != NULL) {
		v[0] = event->script != NULL ? cached_script(event->script) :
		    filter_globals_script(g, event->name);
		return v[0] != NULL ? 1 : 0;
	}
	n = *before = filter_globals_chain(g, RULE_BEFORE, domain, v);
	if (own != NULL)
		v[n++] = own;
	return n + filter_globals_chain(g, RULE_AFTER, domain, v + n);
}

/* What ended no script, and is not told to the user. */
static void
log_warnings(const struct filter_run *r)
{
	for (size_t i = 0; i < r->result.n_warnings; i++)
		LOG(NULL, INFO, "sieve.warning", KV_SPAN("user", r->job.user),
		    KV_STR("script", r->result.warnings[i].script),
		    KV_UINT("line", r->result.warnings[i].line),
		    KV_STR("warning", r->result.warnings[i].text));
}

/* false: answers are awaited, or the run is over. */
static bool
run_chain(struct filter_run *r, const struct sieve_script **v, size_t n)
{
	r->settled = false;
	for (;;) {
		switch (sieve_run(v, n, r->job.message, &r->env, &r->result)) {
		case SIEVE_DONE:
			log_warnings(r);
			r->settled = true;
			return true;
		case SIEVE_FAILED:
			r->settled = true;
			fail(r, r->result.error_script != NULL ? r->result.error_script : "",
			    r->result.error_line, r->result.error);
			return false;
		default:
			break;
		}
		if (++r->rounds > ROUNDS_MAX) {
			fail(r, "", 0, "the scripts ask for more than can be found out");
			return false;
		}
		if (filter_answers_ask(r->answers, r->result.questions, r->result.n_questions))
			return false;
	}
}

/* The user's own script cannot be compiled any more: the admin's run as if it kept the message, and
 * when it was its turn that is an error of the user's. */
static void
run_without_own(struct filter_run *r, const struct sieve_script **v, size_t n, size_t before)
{
	uint32_t line;
	const char *text = cached_script_error(own_script(r), &line);

	if (r->job.event != NULL) {
		fail(r, "", line, text);
		return;
	}
	if (before > 0) {
		if (!run_chain(r, v, before))
			return;
		if (!sieve_result_keeps(&r->result)) {
			end(r, FILTER_ACTS);
			return;
		}
	}
	if (run_chain(r, v, n))
		fail(r, "", line, text);
}

static void
run_again(struct filter_run *r)
{
	const struct sieve_script *v[2 * FILTER_CHAIN_MAX + 1];
	size_t n, before;
	bool broken;

	if (r->f->globals == NULL) {
		end(r, FILTER_AWAY);
		return;
	}
	broken = own_script(r) != NULL && cached_script(own_script(r)) == NULL;
	n = chain(r, v, &before);
	if (n == 0 && !broken) {
		end(r, FILTER_PLAIN);
		return;
	}
	set_env(r);
	filter_answers_rules(r->answers, r->f->globals, &r->f->user.options);
	if (broken)
		run_without_own(r, v, n, before);
	else if (run_chain(r, v, n))
		end(r, FILTER_ACTS);
}

static void
take_active(struct filter_run *r, const struct store_script_is *is)
{
	r->active = filter_take_script(r->f, is, r->sha256);
	if (r->active == NULL && is->same) {	/* it was dropped meanwhile */
		memset(r->sha256, 0, 32);
		remember(r->f, r->job.account, r->sha256);
		filter_run_start(r);
		return;
	}
	if (r->active == NULL) {
		end(r, FILTER_AWAY);
		return;
	}
	remember(r->f, r->job.account, r->sha256);
	run_again(r);
}

static void
on_active(void *arg, enum status st, bool more, const void *msg)
{
	struct filter_run *r = arg;

	r->call = NULL;
	if (st == ST_OK) {
		take_active(r, msg);
		return;
	}
	memset(r->sha256, 0, 32);
	if (st != ST_NOT_FOUND) {
		end(r, FILTER_AWAY);
		return;
	}
	remember(r->f, r->job.account, r->sha256);
	run_again(r);
}

static void
begin(struct filter_run *r)
{
	r->rounds = 0;
	r->settled = false;
	r->error = (struct filter_error){ "", 0, "" };
	filter_cache_give_back(&r->active);
	filter_answers_forget_keys(r->answers);
}

void
filter_run_start_known(struct filter_run *r)
{
	static const unsigned char none[32];
	const unsigned char *known = table_get_u64(&r->f->active, r->job.account);

	begin(r);
	if (known != NULL && memcmp(known, none, 32) != 0)
		r->active = filter_cache_get(r->f->cache, known);
	if (known == NULL || (r->active == NULL && memcmp(known, none, 32) != 0)) {
		filter_run_start(r);
		return;
	}
	memcpy(r->sha256, known, 32);
	run_again(r);
}

void
filter_run_start(struct filter_run *r)
{
	struct store_script_get rq = { .name = SPAN_NONE };
	unsigned char *known = table_get_u64(&r->f->active, r->job.account);
	struct cached_script *s;

	begin(r);
	if (r->job.event != NULL) {
		run_again(r);
		return;
	}
	if (known != NULL && (s = filter_cache_get(r->f->cache, known)) != NULL) {
		rq.known = span(known, 32);
		filter_cache_give_back(&s);
	}
	r->call = store_do_script(r->job.store, &rq, on_active, r);
}

enum filter_outcome
filter_run_outcome(const struct filter_run *r)
{
	return r->outcome;
}

const struct sieve_result *
filter_run_result(const struct filter_run *r)
{
	return r->settled ? &r->result : NULL;
}

const struct sieve_env *
filter_run_env(const struct filter_run *r)
{
	return &r->env;
}

const unsigned char *
filter_run_script(const struct filter_run *r)
{
	return r->sha256;
}

struct filter_error
filter_run_error(const struct filter_run *r)
{
	return r->error;
}
