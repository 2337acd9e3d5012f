/* t/unit/jmapd/fake_mail.h
 * An account's mail that answers a mirror's questions (jmapd/mirror/source.h) as a store would: in
 * parts, later, with changes in between; and remembers every change, so that tests know what is
 * right. */
#ifndef T_UNIT_JMAPD_FAKE_MAIL_H
#define T_UNIT_JMAPD_FAKE_MAIL_H

#include "common/net/loop.h"
#include "jmapd/mirror/source.h"

#define FAKE_PLACES 6u

struct fake_place {
	uint64_t	mailbox;
	uint32_t	uid;
	struct flags	flags;
};
struct fake_message {
	uint64_t		id, thread, size;
	int64_t			received_s;
	struct fake_place	place[FAKE_PLACES];
	unsigned		n;
};
/* What a message was before a change. */
struct fake_change {
	uint64_t	modseq, id, thread;
	bool		was;
	uint8_t		what;
};
struct fake_call;
struct fake_mail {
	struct loop		*loop;
	struct loop_task	*task;
	struct fake_message	*v;
	size_t			n, room;
	struct fake_change	*log;
	size_t			n_log, log_room;
	uint64_t		modseq, email, thread, incarnation, horizon;
	uint64_t		next_id;
	uint32_t		next_uid;
	struct fake_call	*calls, *answering;
	unsigned		asked;		/* questions so far */
	unsigned		part;		/* messages of a part of an answer */
	bool			twice;		/* messages may be told twice */
	void			(*between)(struct fake_mail *f);	/* runs between parts */
};

struct fake_mail *fake_new(struct loop *l);
void fake_free(struct fake_mail **f);
struct mirror_source fake_source(struct fake_mail *f);

/* fake_begin() opens a change; all that follows has its modseq, until the next. */
void fake_begin(struct fake_mail *f);
/* thread 0: a new one.  Returns its id. */
uint64_t fake_add(struct fake_mail *f, uint64_t thread, uint64_t mailbox, int64_t received_s,
    uint64_t size, struct flags flags);
struct fake_message *fake_find(struct fake_mail *f, uint64_t id);
/* Replaces flags of all places; puts it into one more mailbox, takes it out of one. */
void fake_flags(struct fake_mail *f, uint64_t id, struct flags flags);
void fake_put(struct fake_mail *f, uint64_t id, uint64_t mailbox, struct flags flags);
void fake_take(struct fake_mail *f, uint64_t id, uint64_t mailbox);
void fake_destroy(struct fake_mail *f, uint64_t id);
bool fake_visible(const struct fake_message *m);
/* Email.keywords; of what is visible. */
struct flags fake_keywords(const struct fake_message *m);
bool fake_in(const struct fake_message *m, uint64_t mailbox);

#endif
