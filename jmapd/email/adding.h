/* jmapd/email/adding.h
 * A message on its way into an account: packed as it is fed, staged with the store where it is more
 * than a small body, and added to its mailboxes by one operation at the end. */
#ifndef JMAPD_EMAIL_ADDING_H
#define JMAPD_EMAIL_ADDING_H

#include "common/mail/flags.h"
#include "common/util/span.h"
#include "common/util/status.h"
#include "jmapd/account.h"

struct adding;
struct added {
	uint64_t	message, thread, size;
	uint64_t	old_email, email;	/* the states before and after */
};
struct adding_ops {
	/* adding_full() is false again. */
	void	(*drained)(void *arg);
	/* Once, after adding_finish(), or earlier when it failed.  a: NULL unless ST_OK. */
	void	(*done)(void *arg, enum status st, const struct added *a);
};
struct adding_to {
	struct span	mailboxes;	/* u64 big-endian each */
	struct span	keywords;	/* store_keyword... */
	struct flags	flags;
	int64_t		received_s;	/* INT64_MIN: now */
	uint64_t	if_email;	/* 0: any */
};

struct adding *adding_new(struct jmap_account *a, const struct adding_ops *ops, void *arg);
void adding_feed(struct adding *ad, struct span raw);
bool adding_full(const struct adding *ad);
uint64_t adding_size(const struct adding *ad);
/* All was fed.  Spans of `to` are copied. */
void adding_finish(struct adding *ad, const struct adding_to *to);
void adding_free(struct adding **ad);

#endif
