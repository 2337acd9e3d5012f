/* master/rules.h
 * The admin's scripts and lists, for the workers. */
#ifndef MASTER_RULES_H
#define MASTER_RULES_H

#include "common/conf/settings.h"

/* Reads and compiles them, and puts them into a sealed memory file (common/worker/rules.h).  -1: err says what is wrong. */
int rules_seal(const struct mansio_conf *conf, struct conf_errors *err);

#endif
