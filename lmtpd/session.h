/* lmtpd/session.h
 * An LMTP session (RFC 2033) on one connection. */
#ifndef LMTPD_SESSION_H
#define LMTPD_SESSION_H

#include "common/util/list.h"
#include "common/worker/worker.h"
#include "filter/filter.h"
#include "lmtpd/known.h"
#include "storage/client/store.h"

/* What all sessions of the process share. */
struct lmtpd {
	struct worker		*worker;
	struct store_pool	*pool;
	struct list		sessions;
	struct known		*known;
	struct filter		*filter;
	uint64_t		kept_bytes;	/* of messages under way, for scripts */
};

/* Takes fd over. */
void session_start(struct lmtpd *d, const struct worker_listener *l, int fd, const char *peer);
/* Says 421 to those that are between two messages; the others end after theirs. */
void session_drain_all(struct lmtpd *d);
void session_free_all(struct lmtpd *d);

#endif
