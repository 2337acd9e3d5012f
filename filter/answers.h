/* filter/answers.h
 * What scripts ask about the world, answered by the admin's lists, by the store and by authd.  Nothing waits in
 * here: a run is told that an answer is not known yet, the questions are asked, and it runs again. */
#ifndef FILTER_ANSWERS_H
#define FILTER_ANSWERS_H

#include "common/auth/auth_client.h"
#include "filter/cache.h"
#include "filter/globals.h"
#include "storage/client/store.h"

struct filter_answers;

/* The questions of filter_answers_ask() are answered (ST_OK), or the store could not be asked.
 * Never from inside a function of this header. */
typedef void (*filter_answered_fn)(void *arg, enum status st);

/* The store's channel is of the account whose scripts these are. */
struct filter_answers *filter_answers_new(struct store *store, struct filter_cache *cache,
    filter_answered_fn answered, void *arg);
void filter_answers_free(struct filter_answers **a);
/* Who knows to whom an address belongs; without it only the addresses that the run is told are own ones. */
struct filter_directory {
	struct auth_client	*auth;		/* NULL: nobody */
	const char		*conn;		/* id of the connection */
	uint64_t		account;
};
void filter_answers_directory(struct filter_answers *a, const struct filter_directory *d);
/* Before each run: the configuration may be another one by now. */
void filter_answers_rules(struct filter_answers *a, const struct filter_globals *globals,
    const struct sieve_options *options);
/* sieve_env.ask; arg: the answers. */
enum sieve_answer filter_answers_reply(void *arg, const struct sieve_question *q,
    struct sieve_reply *reply);
/* Asks the store what a run ended with.  false: nothing in it can be asked. */
bool filter_answers_ask(struct filter_answers *a, const struct sieve_question *v, size_t n);
/* What the store remembers of messages may be different now: keys are asked again. */
void filter_answers_forget_keys(struct filter_answers *a);

#endif
