#include "lmtpd/judged.h"

#include "config.h"

#include <string.h>

#include "common/util/clock.h"
#include "common/util/mem.h"
#include "filter/notice.h"
#include "filter/view.h"
#include "lmtpd/envelope.h"

#define TRIES_MAX	3u

struct judged {
	struct judged_of	of;
	judged_done_fn		done;
	void			*arg;
	struct filter_view	*view;
	struct arena		words;		/* of the envelope, decoded */
	struct span		addresses[2];
	struct sieve_item	items[8];
	struct filter_run	*run;
	struct plan		*plan;
	struct store_call	*call;		/* was the user told? */
	unsigned char		key[32];
	unsigned		waiting;	/* for the run, and for the copy */
	unsigned		tries;
	bool			plain_inbox;	/* the last resort is under way */
	enum status		held;
};

/* What scripts see -------------------------------------------------------------- */

static void
add_item(struct judged *j, size_t *n, const char *name, struct span value)
{
	j->items[*n].name = name;
	j->items[(*n)++].value = value;
}

static struct filter_job
make_job(struct judged *j)
{
	struct filter_job job = { .store = copy_store(j->of.copy), .loop = j->of.loop,
	    .account = j->of.account, .user = span_str(j->of.user), .message = filter_view_message(j->view),
	    .addresses = j->addresses, .items = j->items, .auth = j->of.auth, .conn = j->of.conn };
	struct span host = span_str(j->of.conf(j->of.conf_arg)->global.hostname);
	const struct envelope_said said = { j->of.from, j->of.address, j->of.envelope_auth, j->of.dsn };
	size_t dot = span_find(host, '.');

	j->addresses[job.n_addresses++] = job.user;
	if (!span_caseeq_str(job.user, j->of.address))
		j->addresses[job.n_addresses++] = span_str(j->of.address);
	add_item(j, &job.n_items, "host", host);
	add_item(j, &job.n_items, "domain", span_sub(host, dot < host.len ? dot + 1 : 0, host.len));
	add_item(j, &job.n_items, "location", SPAN_LIT("MDA"));
	add_item(j, &job.n_items, "phase", SPAN_LIT("during"));
	add_item(j, &job.n_items, "name", SPAN_LIT("Mansio"));
	add_item(j, &job.n_items, "version", span_str(PACKAGE_VERSION));
	envelope_view(&said, &j->words, &job.envelope);
	return job;
}

/* What comes of it -------------------------------------------------------------- */

static void on_planned(void *arg, enum status st);

static void
new_plan(struct judged *j)
{
	const struct plan_of of = { .conf = j->of.conf(j->of.conf_arg), .loop = j->of.loop,
	    .log = j->of.log, .copy = j->of.copy, .message = filter_view_message(j->view), .kept = j->of.kept,
	    .prefix = j->of.prefix.len, .user = j->of.user, .from = j->of.from, .utf8 = j->of.utf8,
	    .address = j->of.address, .dsn = j->of.dsn, .first_stage = PLAN_COPY_STAGE };

	plan_free(&j->plan);
	j->plan = plan_new(&of);
}

/* What was worked out holds for the script that is active; without scripts for all. */
static void
send_plan(struct judged *j)
{
	if (j->run != NULL)
		plan_rests_on(j->plan, filter_run_script(j->run));
	plan_send(j->plan, on_planned, j);
}

static void
into_inbox(struct judged *j, const char *why)
{
	LOG(j->of.log, ERROR, "sieve.inbox", KV_STR("user", j->of.user), KV_STR("why", why));
	j->plain_inbox = true;
	new_plan(j);
	plan_inbox(j->plan);
	plan_send(j->plan, on_planned, j);
}

static void
on_planned(void *arg, enum status st)
{
	struct judged *j = arg;

	if (st == ST_CONFLICT && j->run != NULL && ++j->tries < TRIES_MAX) {
		j->waiting = 1;
		filter_run_start(j->run);
		return;
	}
	if (!j->plain_inbox && st != ST_OK && st != ST_OVER_QUOTA && st != ST_NO_SPACE &&
	    st != ST_UNAVAILABLE && st != ST_CORRUPT) {
		into_inbox(j, status_name(st));
		return;
	}
	j->done(j->arg, st);
}

/* What the scripts want, or just the INBOX.  At once: what a run points to may end with the configuration. */
static void
plan_run(struct judged *j)
{
	const struct sieve_result *r = filter_run_result(j->run);

	new_plan(j);
	if (r != NULL)
		plan_result(j->plan, r, filter_run_env(j->run));
	else
		plan_inbox(j->plan);
}

/* What failed is told in the request that keeps the message. */
static void
on_told(void *arg, enum status st, bool more, const void *msg)
{
	struct judged *j = arg;
	const struct store_sieve_keys_are *are = msg;
	struct filter_error e = filter_run_error(j->run);
	struct buf raw = { 0 };

	j->call = NULL;
	if (st == ST_OK && are->known.len == 1 && are->known.p[0] == 0) {
		notice_make(j->of.conf(j->of.conf_arg)->global.hostname, j->of.user, &e, clock_wall_s(),
		    &raw);
		plan_notice(j->plan, buf_span(&raw), j->key, NOTICE_SECONDS);
	}
	send_plan(j);
	buf_fini(&raw);
}

/* Errors of the user's own are the user's to know, once; the admin reads the log. */
static void
failed(struct judged *j)
{
	struct filter_error e = filter_run_error(j->run);
	struct store_sieve_key k = { .kind = SIEVE_KEY_DUPLICATE, .key = span(j->key, 32) };
	struct store_sieve_keys rq;
	struct buf keys = { 0 };

	plan_run(j);
	if (e.script[0] != '\0') {
		LOG(j->of.log, ERROR, "sieve.global-failed", KV_STR("user", j->of.user),
		    KV_STR("script", e.script), KV_UINT("line", e.line), KV_STR("error", e.text));
		send_plan(j);
		return;
	}
	LOG(j->of.log, INFO, "sieve.failed", KV_STR("user", j->of.user), KV_UINT("line", e.line),
	    KV_STR("error", e.text));
	notice_key(filter_run_script(j->run), j->key);
	put_store_sieve_key(&keys, &k);
	rq.keys = buf_span(&keys);
	j->call = store_do_sieve_keys(copy_store(j->of.copy), &rq, on_told, j);
	buf_fini(&keys);
}

static void
act(struct judged *j)
{
	switch (j->run != NULL ? filter_run_outcome(j->run) : FILTER_PLAIN) {
	case FILTER_PLAIN:
		new_plan(j);
		plan_inbox(j->plan);
		send_plan(j);
		return;
	case FILTER_ACTS:
		plan_run(j);
		send_plan(j);
		return;
	case FILTER_FAILED:
		failed(j);
		return;
	default:
		j->done(j->arg, ST_UNAVAILABLE);
	}
}

static void
joined(struct judged *j)
{
	if (--j->waiting > 0)
		return;
	if (j->held != ST_OK)
		j->done(j->arg, j->held);
	else
		act(j);
}

static void
on_ran(void *arg)
{
	joined(arg);
}

void
judged_held(struct judged *j, enum status st)
{
	j->held = st;
	joined(j);
}

static void
start_run(struct judged *j)
{
	struct filter_job job = make_job(j);

	j->run = filter_run_new(j->of.filter, &job, on_ran, j);
	/* after a conflict all that was staged is still there: whatever its size, it is tried again */
	filter_run_start_known(j->run);
}

struct judged *
judged_new(const struct judged_of *of, judged_done_fn done, void *arg)
{
	struct judged *j = mem_zalloc(sizeof(*j));

	j->of = *of;
	j->done = done;
	j->arg = arg;
	j->waiting = of->filter != NULL ? 2 : 1;
	j->view = filter_view_new(of->kept, of->prefix);
	if (of->filter != NULL)
		start_run(j);
	return j;
}

void
judged_free(struct judged **jp)
{
	struct judged *j = *jp;

	*jp = NULL;
	if (j == NULL)
		return;
	store_cancel(&j->call);
	plan_free(&j->plan);
	filter_run_free(&j->run);
	filter_view_free(&j->view);
	arena_fini(&j->words);
	mem_free(&j);
}

const char *
judged_refusal(const struct judged *j)
{
	return j->plan != NULL ? plan_refusal(j->plan) : NULL;
}

const char *
judged_words(const struct judged *j)
{
	return j->plan != NULL ? plan_words(j->plan) : "";
}
