/* filter/globals.h
 * The admin's scripts and lists, compiled: what the monitor checks before a configuration is taken,
 * and what the workers run.  Made from the blob of common/worker/rules.h. */
#ifndef FILTER_GLOBALS_H
#define FILTER_GLOBALS_H

#include "common/conf/settings.h"
#include "common/worker/rules.h"
#include "sieve/conf.h"

struct filter_globals;

/* NULL: err has a line for each error, with file and line.  The blob is not needed afterwards,
 * conf stays. */
struct filter_globals *filter_globals_new(struct span blob, const struct mansio_conf *conf,
    struct conf_errors *err);
/* The same question alone. */
bool filter_globals_good(struct span blob, const struct mansio_conf *conf, struct conf_errors *err);
void filter_globals_free(struct filter_globals **g);

#define FILTER_CHAIN_MAX 64u
/* The scripts of that kind (RULE_BEFORE, RULE_AFTER) for a domain, in the order in which they run;
 * returns how many, at most FILTER_CHAIN_MAX. */
size_t filter_globals_chain(const struct filter_globals *g, enum rule_kind kind,
    struct span domain, const struct sieve_script **v);
/* NULL: there is none. */
const struct sieve_script *filter_globals_default(const struct filter_globals *g,
    struct span domain);
/* What include :global names; NULL: there is none. */
const struct sieve_script *filter_globals_script(const struct filter_globals *g, struct span name);
/* Nothing of the admin's runs for this domain. */
bool filter_globals_idle(const struct filter_globals *g, struct span domain);

bool filter_globals_has_list(const struct filter_globals *g, struct span name);
/* Without regard to the case of ASCII letters. */
bool filter_globals_member(const struct filter_globals *g, struct span list, struct span value);

#endif
