/* jmapd/email/asked.h
 * mailboxIds and keywords as clients give them, to what the store takes. */
#ifndef JMAPD_EMAIL_ASKED_H
#define JMAPD_EMAIL_ASKED_H

#include "common/mail/flags.h"
#include "common/util/buf.h"
#include "jmapd/core/method.h"

/* The keywords that a request names, each once: bit k of flags is the k-th. */
struct asked_keywords {
	struct span	names[KEYWORD_MAX];	/* the arena's */
	unsigned	n;
	struct buf	text;			/* store_keyword... */
};
void asked_keywords_fini(struct asked_keywords *k);

enum asked { ASKED_OK, ASKED_BAD, ASKED_TOO_MANY };
/* "$seen" or "Work": into *f. */
enum asked asked_keyword(struct asked_keywords *k, struct arena *a, struct span name,
    struct flags *f);
/* {"$seen": true}; NULL: none. */
enum asked asked_keywords(struct asked_keywords *k, struct arena *a, const struct json *map,
    struct flags *f);

/* An id of a mailbox, or "#" and what created it: u64 big-endian, appended.  ASKED_BAD: there is
 * none. */
enum asked asked_mailbox(struct jmap_call *c, struct span id, struct buf *out);
/* {"F1": true}: at least one. */
enum asked asked_mailboxes(struct jmap_call *c, const struct json *map, struct buf *out);

#endif
