/* What choosing entries (queue.c) and sending one (queue_send.c) share. */
#ifndef STORAGE_SERVICE_QUEUE_PRIV_H
#define STORAGE_SERVICE_QUEUE_PRIV_H

#include "common/out/out_proto.h"
#include "storage/service/queue.h"
#include "storage/state/queue.h"

struct queueing {
	struct service		*svc;
	struct ipc		*outd;		/* NULL: none */
	uint64_t		 away_ms;	/* since then */
	struct loop_timer	*timer;
	struct list		 flights;
	unsigned		 n_flights;
	uint32_t		 last_chan;
	bool			 stopped;
	struct table		 sent_today;	/* by account */
	int64_t			 day;
	uint64_t		 n_sent, n_later, n_given_up, n_returned, n_unknown;
};

/* An entry that something is done about: it is taken, on its way, or settled. */
struct flight {
	struct list		 node;
	struct queueing		*x;
	uint64_t		 account, id;
	uint8_t			 kind;
	int64_t			 created_ms;
	uint32_t		 attempt;	/* 0: not taken */
	/* on its way */
	uint32_t		 chan, req;	/* req 0: no answer is awaited */
	struct buf		 rcpts;		/* as they were sent */
	struct buf		 locs;		/* struct journal_loc...: where the body lies */
	uint64_t		 at, stored;	/* bytes of it that were read; of all */
	uint64_t		 credit;
	unsigned		 moves;
	bool			 given;		/* the last byte too */
	struct reader_job	*reading;
	/* settled */
	struct op_queue		 verdict;
	struct buf		 words;		/* of the verdict */
	struct loop_timer	*again;		/* the operation failed */
};

struct flight *flight_new(struct queueing *x, const struct store_queue_entry *e);
void flight_free(struct flight *f);
/* What becomes of it; rcpts, answer: copied. */
void flight_settle(struct flight *f, enum queue_how how, int64_t next_ms, struct span rcpts,
    struct span answer);
/* It could not be sent: again later, or given up when it is too old. */
void flight_later(struct flight *f, struct span rcpts, struct span answer);
/* Nobody will take it: never lost, if it was redirected. */
void flight_give_up(struct flight *f, const char *event, struct span answer);
/* Sends an entry that was taken.  It ends by one of the three. */
void flight_send(struct flight *f);
/* It is over without an answer. */
void flight_lost(struct flight *f);

#endif
