/* sieve/regex_priv.h
 * What an expression is compiled to; for its compiler and its matcher. */
#ifndef SIEVE_REGEX_PRIV_H
#define SIEVE_REGEX_PRIV_H

#include "sieve/regex.h"

enum regex_op { RE_CHAR, RE_ANY, RE_SET, RE_SPLIT, RE_JUMP, RE_SAVE, RE_LINE_START, RE_LINE_END,
    RE_MATCH };

struct regex_range {
	uint32_t	from, to;
};
/* [...] */
struct regex_set {
	uint64_t		ascii[2];	/* negated already */
	bool			negated;
	struct regex_range	*ranges;
	size_t			n;
};
struct regex_inst {
	enum regex_op		op;
	uint32_t		c;		/* CHAR; SAVE: which */
	uint32_t		x, y;		/* SPLIT: x is preferred; JUMP: x */
	const struct regex_set	*set;
};
struct sieve_regex {
	struct regex_inst	*insts;
	uint32_t		n;
	uint32_t		groups;
	bool			fold;
	bool			any_first;	/* a match may begin with any byte, or be empty */
	uint64_t		first[4];	/* bytes a match may begin with */
};

/* One character from s, which is not empty; a byte that is no UTF-8 is one of its own, above all
 * others. */
uint32_t sieve_regex_char(struct span s, size_t *len);
bool sieve_regex_in_set(const struct regex_set *set, uint32_t c);

#endif
