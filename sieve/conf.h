/* sieve/conf.h
 * What the configuration says of users' scripts, as the library wants it: the one place that every
 * program takes it from, so that a script that is accepted also runs.  Apart from this the
 * library knows no configuration. */
#ifndef SIEVE_CONF_H
#define SIEVE_CONF_H

#include "common/conf/settings.h"
#include "sieve/sieve.h"

struct sieve_conf {
	struct sieve_options	options;	/* points to the others */
	struct sieve_limits	limits;
	struct sieve_settings	settings;
	const char		**off, **protected_headers, **spam_texts, **virus_texts;
};
/* A script of a delivery may be one for events of IMAP, too. */
#define SIEVE_CONF_OFFERS (SIEVE_OFFER_DELIVERY | SIEVE_OFFER_IMAP)
/* conf stays at least as long as c, which is not to be moved.  offers: enum sieve_offer, 0:
 * SIEVE_CONF_OFFERS.  A limit of the configuration takes the place of the default. */
void sieve_conf_init(struct sieve_conf *c, const struct mansio_conf *conf, unsigned offers);
void sieve_conf_fini(struct sieve_conf *c);

#endif
