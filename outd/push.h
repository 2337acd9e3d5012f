/* outd/push.h
 * The POST by which a subscriber of push hears that something changed (RFC 8620 §7.2, RFC 8030): its
 * fields, its body encrypted where there are keys (RFC 8291), and who sends it (RFC 8292). */
#ifndef OUTD_PUSH_H
#define OUTD_PUSH_H

#include "common/conf/settings.h"
#include "common/crypto/webpush.h"
#include "common/out/out_proto.h"
#include "outd/fetch.h"

#define PUSH_TOKEN_S (12 * 3600)	/* for which a token is good; at most a day */

struct push_rq {			/* zeroed first */
	struct fetch_rq	fetch;
	struct buf	url, body, authorization, ttl;
	const char	*fields[4];
};

/* false: the URL is not https (or http, where outd cleartext allows it), or the keys are none.  Call
 * push_request_fini() in any case.  vapid NULL: it is not signed. */
bool push_request(const struct out_push *m, const struct vapid *vapid,
    const struct mansio_conf *conf, struct push_rq *rq);
void push_request_fini(struct push_rq *rq);

/* The value of Authorization for a POST to url, appended; contact: a URI of who runs the server, "": none.
 * false: see above. */
bool push_authorization(const struct vapid *v, struct span url, const char *contact, int64_t now_s,
    struct buf *out);
/* The origin of a URL as RFC 6454 §6.2 writes it, appended. */
bool push_origin(struct span url, struct buf *out);

#endif
