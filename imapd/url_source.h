/* imapd/url_source.h
 * The bytes that an IMAP URL names (RFC 5092), read from the session's own account, in
 * pieces: for CATENATE and URLFETCH.  Memory does not grow with the message. */
#ifndef IMAPD_URL_SOURCE_H
#define IMAPD_URL_SOURCE_H

#include "common/proto/imap_url.h"
#include "imapd/session.h"

#define URL_HEADER_MAX (1u << 20)	/* of a header of which some fields are asked for */

struct url_source;

/* Called from the loop, never from inside a function of this header. */
struct url_source_ops {
	void	(*size)(void *arg, uint64_t n);		/* once, before the bytes: how many */
	void	(*feed)(void *arg, struct span bytes);
	bool	(*full)(void *arg);	/* enough for now: call url_source_go_on() later */
	/* The end; free the source here or later.  ST_NOT_FOUND: no such message or part. */
	void	(*done)(void *arg, enum status st);
};

/* The base of a relative URL is the selected mailbox.  url stays the caller's, as it is. */
struct url_source *url_source_new(struct imap_session *s, const struct imap_url *url,
    const struct url_source_ops *ops, void *arg);
void url_source_go_on(struct url_source *u);
/* No callback any more. */
void url_source_free(struct url_source **u);

#endif
