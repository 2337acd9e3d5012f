/* filter/filter.h
 * Mail rules in a daemon: what all runs of a process share, and one run over one message, which finds
 * in the store what the scripts ask and runs them again until all is known.
 *
 *	run = filter_run_new(filter, &job, done, arg);
 *	... done(arg): filter_run_outcome(run), filter_run_result(run)
 *
 * What comes out is used at once, before anything else is waited for: a new configuration may end
 * the scripts that it points into.  filter_run_start() begins again at any time. */
#ifndef FILTER_FILTER_H
#define FILTER_FILTER_H

#include "filter/cache.h"
#include "filter/globals.h"
#include "filter/kept.h"
#include "sieve/sieve.h"
#include "storage/client/store.h"

struct auth_client;
struct filter;

struct filter *filter_new(void);
void filter_free(struct filter **f);
/* What worker_ops.rules gives; takes blob over. */
void filter_take_rules(struct filter *f, char *blob, size_t len);
/* A configuration is in force; it stays until the next one is, which is not the same struct.  Said
 * again without other rules it costs nothing. */
void filter_configure(struct filter *f, const struct mansio_conf *conf);
/* Scripts are run at all. */
bool filter_is_on(const struct filter *f);
/* The configuration in force; NULL: none yet. */
const struct mansio_conf *filter_conf(const struct filter *f);
/* What messages may be kept of, all of those that events look at counted together. */
struct kept_limits filter_kept_limits(struct filter *f);
/* A script of the user's that the store sent whole, compiled once; to be given back.  NULL: the
 * answer is damaged. */
struct cached_script *filter_take_script(struct filter *f, const struct store_script_is *is,
    unsigned char sha256[32]);
/* One of the admin's global scripts has that name. */
bool filter_has_global(const struct filter *f, struct span name);
/* The admin's rules are none for this user: whoever has no script gets plain mail. */
bool filter_is_idle(const struct filter *f, struct span user);

/* An event of IMAP (RFC 6785): one script alone is run. */
struct filter_event {
	const struct cached_script	*script;	/* the user's; NULL: the admin's of that name */
	struct span			name;
	const struct span		*flags;		/* of the message */
	size_t				n_flags;
};

/* All of it stays until the run is freed. */
struct filter_job {
	struct store			*store;		/* a channel of the account */
	struct loop			*loop;
	uint64_t			account;
	struct span			user;		/* canonical address */
	struct sieve_envelope		envelope;
	const struct span		*addresses;	/* the user's own, the first is the main one */
	size_t				n_addresses;
	struct auth_client		*auth;		/* knows of further ones; may be NULL */
	const char			*conn;		/* id of the connection, for that */
	struct sieve_message		*message;
	const struct sieve_item		*items;
	size_t				n_items;
	const struct filter_event	*event;		/* NULL: a delivery */
};

enum filter_outcome {
	FILTER_PLAIN,		/* there is no script: into the INBOX */
	FILTER_ACTS,		/* the result says what is to be done */
	FILTER_FAILED,		/* the same: what scripts before and behind wanted, and to keep it but for
				 * these; filter_run_error() */
	FILTER_AWAY		/* the store cannot be asked: later */
};

struct filter_run;
typedef void (*filter_done_fn)(void *arg);

/* done runs once after each start, never from inside a function of this header. */
struct filter_run *filter_run_new(struct filter *f, const struct filter_job *job,
    filter_done_fn done, void *arg);
void filter_run_start(struct filter_run *r);
/* The same with the active script that the account had a while ago: whoever acts on that says so in
 * the request (SIEVE_KEY_SCRIPT, filter_run_script()), and starts as above on ST_CONFLICT. */
void filter_run_start_known(struct filter_run *r);
void filter_run_free(struct filter_run **r);

enum filter_outcome filter_run_outcome(const struct filter_run *r);
/* NULL: it failed before there was one: the message is kept. */
const struct sieve_result *filter_run_result(const struct filter_run *r);
const struct sieve_env *filter_run_env(const struct filter_run *r);
/* SHA-256 of the user's active script, 32 bytes; all 0: there is none. */
const unsigned char *filter_run_script(const struct filter_run *r);
struct filter_error {
	const char	*script;	/* "": the user's active one */
	uint32_t	line;
	const char	*text;
};
struct filter_error filter_run_error(const struct filter_run *r);

#endif
