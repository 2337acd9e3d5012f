/* storage/state/compact.h
 * Which tables hold gaps that are worth closing (engine_compact()): those of accounts that changed
 * much since it was done last.  How they were then is kept in meta, in rows that are no part of
 * what is proved: nothing is lost with them but some reading. */
#ifndef STORAGE_STATE_COMPACT_H
#define STORAGE_STATE_COMPACT_H

#include "storage/engine/engine.h"
#include "storage/state/state.h"

/* How an account was: what grows with the rows that came and went. */
struct state_compact_mark {
	uint64_t	modseq, horizon, messages;
};

/* A walk over all accounts, and then over what is not of an account.  Zeroed to begin. */
struct state_compact {
	uint64_t	account;	/* UINT64_MAX: the rest */
	uint64_t	accounts;	/* that changed enough */
	struct engine_compacted did;
	/* its own */
	bool		in_account;
	unsigned	table;		/* enum tab, of the account */
	struct state_compact_mark mark;
	struct buf	at;
};
void state_compact_fini(struct state_compact *c);
/* Goes on for about us, but one call of engine_compact() at least.  By the thread that applies, outside
 * of its transactions.  *more false: everything was gone through. */
enum status state_compact(struct state *s, struct state_compact *c, uint64_t us, bool *more);
/* When the last walk began, and what of it is done: for the next process. */
enum status state_compact_load(struct state *s, int64_t *begun_s, struct state_compact *c);
enum status state_compact_save(struct state *s, int64_t begun_s, const struct state_compact *c);

#endif
