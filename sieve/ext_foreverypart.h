/* sieve/ext_foreverypart.h
 * Loops over parts, for what works on the part that a loop is at. */
#ifndef SIEVE_EXT_FOREVERYPART_H
#define SIEVE_EXT_FOREVERYPART_H

#include "sieve/ext.h"

/* The innermost loop in the script that n stands in; NULL: none. */
const struct sieve_node *sieve_loop_around(const struct sieve_node *n);
/* Does a loop run, be it of a script that includes this one? */
bool sieve_in_loop(struct sieve_run *r);
/* The message has become another one whose parts are not those of the loops that run: they end. */
void sieve_leave_loops(struct sieve_run *r);

#endif
