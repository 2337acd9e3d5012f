/* common/proto/imap_url.h
 * IMAP URLs that name a message or a part of one (RFC 5092 §6), absolute or relative, with
 * ;PARTIAL (RFC 5550 §5.7.1) and ;EXPIRE, ;URLAUTH (RFC 4467).  Whole mailboxes, lists
 * and searches are none.  Grammar alone: nothing here knows whether it exists. */
#ifndef COMMON_PROTO_IMAP_URL_H
#define COMMON_PROTO_IMAP_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/proto/imap_args.h"
#include "common/util/arena.h"
#include "common/util/span.h"

#define IMAP_URL_MAX 4096u	/* bytes of a URL */

/* Whom a URL authorizes (RFC 4467 §3). */
enum imap_url_access {
	URL_ACCESS_NONE,		/* no URLAUTH */
	URL_ACCESS_ANONYMOUS, URL_ACCESS_AUTHUSER, URL_ACCESS_USER, URL_ACCESS_SUBMIT
};

struct imap_url {
	bool			absolute;	/* "imap://" */
	struct span		user, host;	/* decoded; empty: not there */
	uint32_t		port;		/* 0: none */
	/* Path of the mailbox; p NULL: the base's own (";UID=1").  relative: it starts at the
	 * base's last "/" (RFC 3986 §5.2.3). */
	struct span		mailbox;
	bool			relative;
	uint32_t		uidvalidity;	/* 0: none given */
	uint32_t		uid;
	struct imap_section	section;
	bool			partial;
	uint64_t		from, length;	/* length 0: to the end */
	/* URLAUTH: */
	int64_t			expires_s;	/* INT64_MAX: never */
	enum imap_url_access	access;
	struct span		access_user;	/* decoded; of USER and SUBMIT */
	struct span		rump;		/* the text that the token is over */
	struct span		mechanism;	/* empty: not authorized yet */
	struct span		token;		/* hex */
};

/* false: not such a URL.  Spans point into text or the arena. */
bool imap_url_parse(struct span text, struct arena *arena, struct imap_url *url);

#endif
