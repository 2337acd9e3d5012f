/* jmapd/mirror/mirror_priv.h
 * What the files of the mirror share. */
#ifndef JMAPD_MIRROR_MIRROR_PRIV_H
#define JMAPD_MIRROR_MIRROR_PRIV_H

#include "common/net/loop.h"
#include "common/util/list.h"
#include "jmapd/mirror/rows.h"
#include "jmapd/mirror/source.h"

#define RECENT_MAX 2048u

struct mirror_pool {
	struct loop	*loop;
	size_t		limit, used;
	struct list	mirrors;	/* the least recently used first */
};

/* Something happened to a message in the mirror. */
struct recent {
	uint64_t	id, thread;
	uint8_t		what;		/* RECENT_... */
};
enum { RECENT_KEYWORDS = 1, RECENT_MAILBOXES = 2, RECENT_CAME = 4, RECENT_GONE = 8 };

enum mirror_kind { MIRROR_CALL_FRESH, MIRROR_CALL_HISTORY, MIRROR_CALL_THREADS, MIRROR_CALL_EMAILS };

struct touched_list {
	struct mirror_touched	*v;
	size_t			n, room;
	struct table		by_id;		/* index + 1 */
};

struct mirror_call {
	struct list		in_list;
	struct mirror		*m;
	enum mirror_kind	kind;
	bool			served;		/* by the question under way */
	bool			tried;		/* the mirror was renewed, and has not reached since */
	struct type_state	since, point;	/* point: where the next question goes on */
	size_t			max, limit;	/* limit: of a question */
	bool			single;		/* the first point is behind one message, whatever it did */
	size_t			batch;		/* touched ones up to the first point */
	bool			cut;		/* there are others behind it */
	struct type_state	first;		/* that point */
	struct touched_list	list;
	void			*ask;		/* its own question */
	struct loop_task	*task;		/* where there can be none */
	struct type_state	upto;		/* of its answer */
	union {
		mirror_done_fn		fresh;
		mirror_history_fn	history;
		mirror_changes_fn	changes;
	} done;
	void			*arg;
};

struct results;
struct mirror {
	struct mirror_pool	*pool;
	struct list		in_pool;
	struct mirror_source	source;
	struct rows		rows;
	size_t			bytes;		/* as the pool counts them */
	struct buf		keywords;	/* put_store_keyword()... */
	bool			loaded;
	uint64_t		modseq, incarnation;
	uint64_t		states[MIRROR_TYPES];
	struct list		calls, direct;	/* direct: with questions of their own */
	struct mirror_call	*asker;		/* whose history is asked for, if any */
	bool			busy;
	void			*ask;
	struct loop_task	*task;
	enum status		failed;
	struct rows_place	*places;	/* of the message being read */
	size_t			place_room;
	struct recent		*recent;	/* a ring of RECENT_MAX */
	uint64_t		version;	/* counts what went into it */
	struct results		*results;	/* jmapd/query/results.h */
	void			(*results_free)(struct results **r);
	size_t			results_bytes;
};

/* mirror.c */
void mirror_weigh(struct mirror *m);	/* bytes changed */
/* history.c */
void touched_take(struct touched_list *t, const struct store_email_change *c, bool later);
void touched_fini(struct touched_list *t);
void history_tell(struct mirror_call *c);
bool threads_too_many(struct mirror_call *c);
void threads_tell(struct mirror_call *c);
void emails_ask(struct mirror_call *c);

#endif
