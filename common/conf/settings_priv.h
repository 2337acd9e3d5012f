/* common/conf/settings_priv.h
 * What the tables, the reader and the printer share. */
#ifndef COMMON_CONF_SETTINGS_PRIV_H
#define COMMON_CONF_SETTINGS_PRIV_H

#include "common/conf/settings.h"

extern const struct conf_field conf_imap_fields[], conf_lmtp_fields[], conf_pop3_fields[],
    conf_jmap_fields[], conf_managesieve_fields[];
extern const struct conf_field conf_sieve_fields[], conf_sieve_domain_fields[];
extern const struct conf_field conf_auth_fields[], conf_throttle_fields[], conf_pam_fields[],
    conf_passwd_file_fields[], conf_oauth_fields[], conf_outd_fields[], conf_push_fields[],
    conf_outgoing_fields[],
    conf_indexd_fields[],
    conf_retention_fields[];
extern const struct conf_field conf_store_fields[], conf_quota_fields[], conf_shard_fields[];

/* Number of entries. */
size_t conf_fields_count(const struct conf_field *f);
/* The section's struct number i (0 when it is not named); NULL behind the last. */
void *conf_section_at(const struct mansio_conf *c, const struct conf_section *s, size_t i);

/* What one entry alone cannot tell: fills what follows from other settings, then says
 * what does not fit together. */
void conf_complete(struct mansio_conf *c);
void conf_check(const struct mansio_conf *c, struct conf_errors *err);

#endif
