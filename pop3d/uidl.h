/* pop3d/uidl.h
 * Unique-ids (RFC 1939 §7): made from numbers that never change, as the configuration
 * says, or brought along from another server.  The latter are asked of the store a page at a
 * time, as the listing comes to them. */
#ifndef POP3D_UIDL_H
#define POP3D_UIDL_H

#include "pop3d/maildrop.h"

struct uidls {				/* zeroed, then uidls_init() */
	struct maildrop		*drop;
	struct store		*store;
	char			*format;
	void			(*came)(void *arg, enum status st);
	void			*arg;
	/* The page at hand: of which messages it speaks, and what it says. */
	uint64_t		mailbox;
	uint32_t		from, to, last;	/* last: asked for */
	struct buf		list;
	size_t			pos;
	struct store_uidl	at;		/* uid 0: the list is at its end */
	struct store_call	*call;
};

/* format: checked by the configuration. */
void uidls_init(struct uidls *u, struct maildrop *drop, struct store *store, const char *format);
void uidls_fini(struct uidls *u);
/* Appends a message's unique-id.  false: it is being asked for (`many`: and those behind
 * it): call again when came() said so. */
bool uidls_put(struct uidls *u, uint32_t index, bool many, struct buf *out);

/* For tests: numbers in, id out. */
struct uidl_numbers { uint64_t mailbox, email; uint32_t uidvalidity, uid; };
void uidl_format(const char *format, const struct uidl_numbers *n, struct buf *out);

#endif
