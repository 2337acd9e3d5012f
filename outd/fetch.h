/* outd/fetch.h
 * HTTPS requests, many at a time, on our loop: libcurl's only home.  Certificates are checked,
 * redirects and proxies are not followed, the environment and .netrc are not looked at, names are
 * resolved in a thread, and each address is judged when its socket is made (outd/address.h). */
#ifndef OUTD_FETCH_H
#define OUTD_FETCH_H

#include "common/conf/settings.h"
#include "common/net/loop.h"
#include "common/util/buf.h"

#define FETCHES_MAX 256u	/* at a time; further ones are refused */

struct fetcher;
struct fetch;

/* Before the sandbox and the first thread: what the libraries read once. */
bool fetch_init(void);
/* conf is borrowed; ca: PEM text of the authorities, copied; empty: the system's. */
struct fetcher *fetcher_new(struct loop *l, const struct conf_outd *conf, struct span ca);
/* Fetches under way are forgotten: cancel them before. */
void fetcher_free(struct fetcher **f);

struct fetch_rq {
	const char	*url;
	struct span	body;		/* of a POST; p NULL: GET */
	struct span	authorization;	/* value of the header field; empty: none */
	/* Further fields, "Name: value" each; Content-Type among them unless body is a form. */
	const char	*const *fields;
	size_t		n_fields;
};
struct fetch_result {
	enum status	st;		/* ST_OK: 200, whole */
	bool		refused;	/* outd may not connect there */
	uint32_t	http;		/* the server's status; 0: it gave none */
	uint32_t	retry_after_s;	/* RFC 9110 §10.2.3, in seconds; 0: not said */
	struct span	body;
	int64_t		max_age_s;	/* -1: not said */
	const char	*why;		/* of another status */
};
/* Never runs inside fetch_start(); the fetch is gone after it. */
typedef void (*fetch_done_fn)(void *arg, const struct fetch_result *r);
/* NULL: too many are under way.  The request is copied. */
struct fetch *fetch_start(struct fetcher *f, const struct fetch_rq *rq, fetch_done_fn fn, void *arg);
void fetch_cancel(struct fetch **f);

#endif
