/* filter/cache.h
 * Users' scripts, compiled, by the hash of their text: of those that were used last, within a limit.
 * One that is in use stays; whoever got it gives it back. */
#ifndef FILTER_CACHE_H
#define FILTER_CACHE_H

#include "sieve/sieve.h"

struct filter_cache;
struct cached_script;

/* bytes: of the texts of all that are kept. */
struct filter_cache *filter_cache_new(size_t bytes);
/* All that is kept goes: the options are others now.  What is in use goes when it is given back. */
void filter_cache_clear(struct filter_cache *c);
void filter_cache_free(struct filter_cache **c);

/* NULL: it is not there. */
struct cached_script *filter_cache_get(struct filter_cache *c, const unsigned char sha256[32]);
/* Compiles it; what cannot be compiled is kept too, so that it is not tried at every message. */
struct cached_script *filter_cache_add(struct filter_cache *c, const unsigned char sha256[32],
    struct span text, const struct sieve_options *o);
void filter_cache_give_back(struct cached_script **s);

/* NULL: it has an error, the first of which is told. */
const struct sieve_script *cached_script(const struct cached_script *s);
const char *cached_script_error(const struct cached_script *s, uint32_t *line);

#endif
