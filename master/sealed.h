/* master/sealed.h
 * What the monitor reads for those that may not: it goes to them as a descriptor of memory that cannot
 * be changed any more.  What cannot be read, or is none of what it should be, is logged. */
#ifndef MASTER_SEALED_H
#define MASTER_SEALED_H

#include <stdbool.h>

#include "common/conf/settings.h"

/* Each gives a descriptor; -1: an error. */
int sealed_config(const struct mansio_conf *conf);
/* All certificates and keys of the listeners. */
int sealed_certs(const struct mansio_conf *conf);
/* What outd needs; *fd: -1 when it needs nothing.  false: an error. */
bool sealed_secrets(const struct mansio_conf *conf, int *fd);
/* The same for outd in its role submit. */
bool sealed_submit(const struct mansio_conf *conf, int *fd);

#endif
