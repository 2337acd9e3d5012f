/* imapd/url_source.h
 * The bytes that an IMAP URL names (RFC 5092), in pieces: for CATENATE what the session may
 * read itself, for URLFETCH what a URL with its token authorizes, in whosever account.  Memory
 * does not grow with the message. */
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

/* What is wanted of an authorized URL (RFC 5524). */
struct url_want {
	bool	data;		/* else the size is the end */
	bool	decode;		/* without the content transfer encoding */
	bool	structure;	/* of its part */
};

/* The base of a relative URL is the selected mailbox.  url stays the caller's, as it is. */
struct url_source *url_source_new(struct imap_session *s, const struct imap_url *url,
    const struct url_source_ops *ops, void *arg);
/* text: the whole URL, judged by the store; at: its owner's.  ST_UNSUPPORTED: it cannot be
 * decoded, and nothing came. */
struct url_source *url_source_new_authorized(struct imap_session *s, struct store *at,
    const struct imap_url *url, struct span text, struct url_want want,
    const struct url_source_ops *ops, void *arg);
/* From `size` on: the part as BODYSTRUCTURE shows it, and whether decoded bytes have a NUL
 * among them. */
void url_source_put_structure(const struct url_source *u, struct buf *out);
bool url_source_has_nul(const struct url_source *u);
void url_source_go_on(struct url_source *u);
/* No callback any more. */
void url_source_free(struct url_source **u);

#endif
