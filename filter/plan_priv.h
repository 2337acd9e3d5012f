/* filter/plan_priv.h
 * What the files of a plan share. */
#ifndef FILTER_PLAN_PRIV_H
#define FILTER_PLAN_PRIV_H

#include "filter/plan.h"

enum plan_body_kind {
	BODY_AS_IT_CAME,	/* the copy's */
	BODY_EDITED,		/* by scripts */
	BODY_SENT,		/* on to somebody else: without our Return-Path, with our trace */
	BODY_OURS		/* made here */
};

struct plan_body {
	enum plan_body_kind		kind;
	const struct sieve_message	*message;	/* of EDITED and SENT */
	bool				cut;		/* the Return-Path is still to be left out */
	struct packer			*packer;	/* these are not of AS_IT_CAME */
	struct stager			*stager;
	struct store_append_item	item;
};

/* A message that an action sends. */
struct plan_letter {
	const struct sieve_action	*of;
	uint8_t				body;
};

struct plan {
	struct plan_of		of;
	struct plan_body	bodies[STORE_DELIVER_BODIES];
	size_t			n_bodies;
	struct plan_letter	letters[STORE_DELIVER_QUEUE];
	size_t			n_letters;
	const struct sieve_env	*env;		/* while a result is being planned */
	struct buf		keywords, places, keys, queue, words;
	unsigned		n_places, n_keys, n_queue, stores, redirects;
	struct dsn_fate		fate;
	bool			filed;		/* something goes elsewhere than INBOX */
	struct flags		flags_add, flags_remove;	/* of the message of an event */
	bool			stays;		/* what could not be done leaves it there */
	char			*refusal;
	unsigned		waiting;	/* bodies that are being staged */
	bool			sending;
	struct loop_task	*end;
	struct store_call	*call;
	plan_done_fn		done;
	void			*arg;
	enum status		st;
};

static inline bool
plan_is_event(const struct plan *p)
{
	return p->of.copy == NULL;
}
/* A message that was made here, whole; which body it is.  UINT8_MAX: there is no room. */
uint8_t plan_our_body(struct plan *p, struct span raw);
/* What vacation, notify or reject sends; in the queue once, whoever asks for it.  false: there is nobody
 * to send it to. */
bool plan_letter(struct plan *p, const struct sieve_action *a, uint8_t *body);
/* The reports that are due when all else is planned; what is refused the MTA reports. */
void plan_reports(struct plan *p);
void plan_queue(struct plan *p, uint8_t kind, uint8_t body, const struct store_envelope *env);

#endif
