/* master/logsink.h
 * Opens where the log goes, for all processes: the workers have no files and no way to
 * connect to syslog, so they inherit this descriptor. */
#ifndef MASTER_LOGSINK_H
#define MASTER_LOGSINK_H

#include <stdbool.h>

#include "common/conf/settings.h"
#include "common/util/log.h"

/* -1 when it cannot be opened; says why on standard error.  to_stderr: whatever the
 * configuration says. */
int logsink_open(const struct mansio_conf *conf, bool to_stderr, enum log_sink *sink);

#endif
