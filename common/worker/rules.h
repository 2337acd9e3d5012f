/* common/worker/rules.h
 * The admin's scripts and lists (sections sieve and sieve-domain) on their way from the monitor,
 * which reads the files, to the workers, which have none: one blob in a sealed memory file. */
#ifndef COMMON_WORKER_RULES_H
#define COMMON_WORKER_RULES_H

#include <stdbool.h>

#include "common/conf/settings.h"
#include "common/util/buf.h"
#include "common/util/bytes.h"

#define RULES_SCRIPT_MAX (1u << 20)	/* bytes of a script */
#define RULES_LIST_MAX (16u << 20)	/* bytes of a list */
#define RULES_BLOB_MAX (64u << 20)	/* bytes of all of them */

enum rule_kind {
	RULE_BEFORE = 1, RULE_DEFAULT, RULE_AFTER,	/* in the order of the configuration */
	RULE_GLOBAL,					/* to be included by name */
	RULE_LIST,
	RULE_KIND_MAX = RULE_LIST
};

struct rule_file {
	uint8_t		kind;		/* enum rule_kind */
	struct span	domain;		/* empty: for all */
	struct span	name;		/* of RULE_GLOBAL and RULE_LIST */
	struct span	path;		/* for messages */
	struct span	text;
};
void rule_file_put(struct buf *out, const struct rule_file *f);
/* false at the end, or with r->bad. */
bool rule_file_get(struct reader *r, struct rule_file *f);

/* Reads all of them; out is the blob.  false: err says which cannot be read, and why. */
bool rules_read(const struct mansio_conf *conf, struct buf *out, struct conf_errors *err);

#endif
