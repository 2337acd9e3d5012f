/* outd/letter.h
 * A message on its way out: its envelope, and what became of each of its recipients.  It belongs to who
 * was asked for it (submit.c), and is lent to a carrier (relay.c, sender.c), which tells the owner how much of the
 * body it can take, and in the end, once, what became of it. */
#ifndef OUTD_LETTER_H
#define OUTD_LETTER_H

#include "common/out/out_proto.h"
#include "common/util/list.h"

struct letter;

/* Of who carries it.  body() may end it. */
struct carrier {
	/* A part of the body, as much as was wanted at most. */
	void	(*body)(struct letter *l, struct span bytes, bool last, bool bad);
	/* Nobody waits for it any more.  Nothing of it may go out that can still be kept back. */
	void	(*drop)(struct letter *l);
};

struct letter_rcpt {
	struct out_recipient	to;
	uint8_t			how;	/* enum out_how; 0: open */
	char			why[OUT_WHY_MAX + 1];
};

struct letter {
	struct list		in;		/* the carrier's */
	struct buf		bytes;		/* of m */
	struct out_submit	m;
	struct letter_rcpt	*rcpts;
	size_t			n_rcpts;
	const struct carrier	*carrier;	/* NULL: nobody carries it */
	void			*vehicle;	/* the carrier's */
	bool			tried;		/* the carrier's: a reused connection was of no use */
	/* the owner's */
	void			(*wants)(struct letter *l, uint32_t bytes);
	/* unsent: surely nobody got it.  why: of those that are open. */
	void			(*done)(struct letter *l, enum out_how how, bool unsent, const char *why);
	void			*owner;
};

/* Copies m.  false: a list is malformed, or something in it cannot stand in a command of SMTP. */
bool letter_init(struct letter *l, const struct out_submit *m);
void letter_fini(struct letter *l);
void letter_settle(struct letter_rcpt *r, enum out_how how, const char *why);
/* Ends it: those that are open get this; then done(). */
void letter_end(struct letter *l, enum out_how how, bool unsent, const char *why);
/* Of all recipients: sent to one at least; else again later, if that helps one; else refused. */
enum out_how letter_how(const struct letter *l);

#endif
