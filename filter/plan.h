/* filter/plan.h
 * What becomes of a message for one recipient, as one request to the store: the bodies (the message
 * as it came, as scripts edited it, what is sent because of it), where each of them goes, what the
 * scripts relied on.  Bodies are packed, and staged where they are long, before the request goes. */
#ifndef FILTER_PLAN_H
#define FILTER_PLAN_H

#include "common/conf/settings.h"
#include "common/net/loop.h"
#include "common/util/log.h"
#include "filter/dsn.h"
#include "filter/filter.h"
#include "filter/kept.h"
#include "storage/client/copy.h"

struct plan;

#define PLAN_STAGES	STORE_DELIVER_BODIES
#define PLAN_COPY_STAGE	2u		/* behind the one of the copy */

/* All of it stays until the plan is freed. */
struct plan_of {
	const struct mansio_conf	*conf;
	struct loop			*loop;
	const struct log_ctx		*log;
	/* The message as it came: a copy, held; or (copy NULL: an event, RFC 6785) one that is in the
	 * store.  It stays where it is then, with other flags or as \Deleted. */
	struct copy			*copy;
	struct store			*store;		/* of an event */
	uint64_t			of_mailbox;
	uint32_t			of_uid;
	uint32_t			first_stage;	/* of PLAN_STAGES that are the plan's */
	struct sieve_message		*message;	/* the same, as scripts see it */
	const struct kept		*kept;
	size_t				prefix;		/* bytes of the message that came before kept */
	const char			*user, *from;
	const char			*address;	/* RCPT TO */
	const struct dsn		*dsn;		/* what was said of reports; NULL: nothing */
	bool				utf8;		/* SMTPUTF8 was said */
};

/* ST_OK: done as planned; ST_CONFLICT: run the scripts again.  Never from inside a function of this
 * header. */
typedef void (*plan_done_fn)(void *arg, enum status st);

struct plan *plan_new(const struct plan_of *of);
/* The message as it came goes into INBOX.  Not of an event. */
void plan_inbox(struct plan *p);
/* All that the scripts of that run want; neither is needed afterwards. */
void plan_result(struct plan *p, const struct sieve_result *r, const struct sieve_env *env);
/* A message of ours (raw, whole) goes into INBOX, unless `key` is known; and is known from then on
 * for remember_s. */
void plan_notice(struct plan *p, struct span raw, const unsigned char key[32],
    uint64_t remember_s);
/* The user's active script is the one with this SHA-256, or (all 0) there is none. */
void plan_rests_on(struct plan *p, const unsigned char script[32]);
void plan_send(struct plan *p, plan_done_fn done, void *arg);
/* The message is refused with this text, whatever else was done: lines, "\n" between them; NULL: it
 * is not. */
const char *plan_refusal(const struct plan *p);
/* "store=1 redirect=2" of what was planned, for the log; "" when it is the INBOX alone, or nothing at
 * all of an event. */
const char *plan_words(struct plan *p);
void plan_free(struct plan **p);

#endif
