/* jmapd/core/request.h
 * The request engine: from the text of a Request object (RFC 8620 §3.3) to the text of its
 * Response, or of the problem that refuses all of it.  Knows no HTTP: whoever has the text
 * from wherever (POST, WebSocket) starts one, and sends what comes. */
#ifndef JMAPD_CORE_REQUEST_H
#define JMAPD_CORE_REQUEST_H

#include "common/util/buf.h"
#include "jmapd/core/method.h"

struct jmap_request;

/* status 200: a Response; else an RFC 7807 problem.  body is the callback's to take (buf_take(),
 * or moved and cleared); what it leaves is freed. */
struct jmap_answer {
	unsigned	status;
	const char	*type;		/* "application/json", "application/problem+json" */
	struct buf	*body;
	unsigned	calls, errors;	/* for the log */
};
typedef void (*jmap_request_done_fn)(void *arg, struct jmap_answer *a);

enum {
	JMAP_OVER_WEBSOCKET = 1	/* "@type", "id" of RFC 8887 §4.3; problems are RequestErrors */
};
/* text: borrowed for the call.  The account is held meanwhile.  session_state: as the session
 * object's state; copied.  done runs once, later, never before this returned, unless cancelled:
 * *r is gone then. */
struct jmap_request *jmap_request_start(const struct jmap_host *h, struct jmap_account *account,
    struct span text, struct span session_state, unsigned flags, jmap_request_done_fn done,
    void *arg);
/* Clears *r; NULL is fine.  The call under way ends by its `ended`; a change that the store got
 * may still happen. */
void jmap_request_cancel(struct jmap_request **r);

/* A problem of the request level (RFC 8620 §3.6.1) for who refuses it before there is one:
 * type is "notJSON", "limit", ...; limit: the limit's name, or NULL. */
void jmap_problem(struct buf *out, unsigned status, const char *type, const char *limit,
    const char *detail);

#endif
