/* sieve/regex.h
 * POSIX extended regular expressions over UTF-8, for patterns and texts that strangers write: no
 * pattern takes more than its length times that of the text, nothing recurses with the text, NUL is
 * a character like others.
 *
 * What is not POSIX is refused: \d, \b, (?:...), lazy repeats, back-references.  "^" and "$" match at
 * lines as well as at both ends, "." is any character but a line feed.  Of all matches the leftmost
 * is taken, and of these the longest; groups in it take as much as they can from left to right. */
#ifndef SIEVE_REGEX_H
#define SIEVE_REGEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/util/arena.h"
#include "common/util/span.h"

#define SIEVE_REGEX_MAX		5000u	/* instructions: about characters, repeats written out */
#define SIEVE_REGEX_REPEAT	255u	/* of {n,m}: POSIX's RE_DUP_MAX */
#define SIEVE_REGEX_NESTED	50u	/* groups inside one another */
#define SIEVE_REGEX_GROUPS	99u	/* that are remembered; further ones only group */

struct sieve_regex;
/* fold: ASCII letters without case.  All memory is the arena's.  NULL: why tells it, as the end
 * of a sentence; *limit: it meets one of the limits above.  limit may be NULL. */
struct sieve_regex *sieve_regex_new(struct arena *a, struct span pattern, bool fold,
    char why[static 120], bool *limit);
/* Groups in it that are remembered. */
size_t sieve_regex_groups(const struct sieve_regex *re);

enum sieve_regex_found { SIEVE_REGEX_NO, SIEVE_REGEX_YES, SIEVE_REGEX_LIMIT };
/* captures: the match, then its groups, at most max of them (p NULL: not part of it); max 0: only
 * whether there is a match.  work is lowered by what was done; when it is used up: LIMIT. */
enum sieve_regex_found sieve_regex_find(const struct sieve_regex *re, struct span text,
    struct span *captures, size_t max, uint64_t *work);

#endif
