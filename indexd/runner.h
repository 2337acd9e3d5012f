/* indexd/runner.h
 * The process that starts extractors: programs of others that read an attachment and write its text.
 * It begins before indexd gives up its rights, keeps nothing but the right to read and execute
 * programs (SANDBOX_RUN), and obeys two orders: run that program between these two pipes,
 * end it.  One runs at a time; it ends with indexd. */
#ifndef INDEXD_RUNNER_H
#define INDEXD_RUNNER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/conf/settings.h"

enum { RUNNER_RUN = 1, RUNNER_STOP = 2 };
struct runner_order { uint32_t what, index; };	/* run: with its input and its output, in this order */
/* Each run is answered once. */
enum { RUN_WELL = 1, RUN_FAILED = 2, RUN_LATE = 3 };
struct runner_answer { uint32_t how; };

struct runner_limits {
	uint32_t	time_s;
	uint64_t	memory_bytes;
};

/* Forks it.  Returns the socket to it, packets; -1: it did not come up, the log says why.  The
 * entries are copied by the fork. */
int runner_start(const struct conf_extractor *v, size_t n, const struct runner_limits *limits);

#endif
