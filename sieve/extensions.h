/* sieve/extensions.h
 * The entries that the files sieve/ext_*.c define. */
#ifndef SIEVE_EXTENSIONS_H
#define SIEVE_EXTENSIONS_H

#include "sieve/ext.h"

extern const struct sieve_ext sieve_ext_base;
extern const struct sieve_ext sieve_ext_comparator_octet, sieve_ext_comparator_casemap,
    sieve_ext_comparator_numeric, sieve_ext_comparator_unicode;
extern const struct sieve_ext sieve_ext_envelope;
extern const struct sieve_ext sieve_ext_fileinto;
extern const struct sieve_ext sieve_ext_copy;
extern const struct sieve_ext sieve_ext_relational;
extern const struct sieve_ext sieve_ext_variables;
extern const struct sieve_ext sieve_ext_ihave;
extern const struct sieve_ext sieve_ext_include;

extern const struct sieve_ext sieve_ext_date, sieve_ext_index;
extern const struct sieve_ext sieve_ext_encoded_character;
extern const struct sieve_ext sieve_ext_environment;
extern const struct sieve_ext sieve_ext_regex;
extern const struct sieve_ext sieve_ext_subaddress;

#endif
