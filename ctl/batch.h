/* ctl/batch.h
 * Many accounts from standard input, a line "ADDRESS PASSWORD" each, asked for many at a
 * time. */
#ifndef CTL_BATCH_H
#define CTL_BATCH_H

#include "common/util/span.h"
#include "ctl/ctl.h"

struct batch_opts {
	bool	cheap_hash;
	bool	if_missing;	/* one that is there already is fine */
};

/* The next line with an account; blank lines and those that start with '#' are skipped.
 * *line counts all.  false: no more.  password without address: the line has one word. */
bool batch_next(struct span *rest, unsigned *line, struct span *address, struct span *password);
/* Reads all of standard input. */
int batch_run(struct ctl *ctl, const struct batch_opts *opts);

#endif
