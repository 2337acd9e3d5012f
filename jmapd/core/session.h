/* jmapd/core/session.h
 * The session object (RFC 8620 §2). */
#ifndef JMAPD_CORE_SESSION_H
#define JMAPD_CORE_SESSION_H

#include "jmapd/core/method.h"

/* Absolute URLs of this client's way to the server; base without a trailing "/":
 * "https://mail.example.org".  websocket: empty: not offered. */
struct jmap_urls {
	struct span	base;
	struct span	websocket;	/* "wss://mail.example.org/jmap/ws" */
};

#define JMAP_PATH_API		"/jmap/api/"
#define JMAP_PATH_DOWNLOAD	"/jmap/download/"
#define JMAP_PATH_UPLOAD	"/jmap/upload/"
#define JMAP_PATH_EVENTS	"/jmap/events/"
#define JMAP_PATH_SESSION	"/jmap/session"
#define JMAP_PATH_WEBSOCKET	"/jmap/ws"

/* Appends the object. */
void jmap_session_put(struct buf *out, const struct jmap_host *h, const struct jmap_account *a,
    const struct jmap_urls *urls);
/* Its `state`, for sessionState: changes when anything in it does but the URLs. */
#define JMAP_SESSION_STATE_MAX 24u
struct span jmap_session_state(char out[JMAP_SESSION_STATE_MAX], const struct jmap_host *h,
    const struct jmap_account *a);

#endif
