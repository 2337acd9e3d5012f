/* storage/client/store_priv.h
 * What the files of the channels share. */
#ifndef STORAGE_CLIENT_STORE_PRIV_H
#define STORAGE_CLIENT_STORE_PRIV_H

#include "common/util/list.h"
#include "common/util/table.h"
#include "storage/client/store.h"

/* A socket to a shard, or the place for one. */
struct shard {
	struct store_pool	*pool;
	uint32_t		 no;
	struct ipc		*ipc;		/* NULL: away */
	struct list		 stores;
	struct table		 by_chan;
	uint32_t		 last_chan;
	uint64_t		 epoch;		/* counts sockets */
	struct loop_timer	*away;
};

struct store_pool {
	struct loop		*loop;
	struct table		 shards;
	struct list		 failed;	/* calls whose callback is due */
	struct list		 asks;
	struct loop_task	*task;
};

enum attach { ATTACH_NO, ATTACH_SENT, ATTACH_OK, ATTACH_REFUSED };

struct store {
	struct list		 node;		/* of shard->stores */
	struct shard		*shard;
	uint32_t		 chan;
	store_event_fn		 event;
	uint64_t		 incarnation;	/* of the shard, when it was attached */
	void			*arg;
	enum attach		 attach;
	enum status		 refused;
	uint32_t		 attach_req;
	bool			 attached_once, watching;
	bool			 idle;		/* nothing was asked yet: it is not attached */
	bool			 use_told;
	struct store_quota_is	 use;		/* as it was when it was attached */
	struct store_dirty	 noted;		/* the last one */
	bool			 events;
	struct buf		 ticket, old_ticket;
	uint64_t		 owner;		/* 0: the ticket's own account */
	uint64_t		 gen;		/* counts tickets */
	bool			 with_old;	/* attached or attaching with old_ticket */
	uint64_t		 last_seq;
	struct list		 calls;
	struct table		 stages;	/* stage -> struct stage */
};

/* A staged body lives in one process of stored: what was begun with one that is gone
 * cannot be gone on with. */
struct stage { uint64_t epoch; };

struct store_call {
	struct list		 node;		/* of store->calls */
	struct list		 failed;	/* of pool->failed, or in no list */
	struct store		*store;
	const struct ipc_message *m;
	uint16_t		 reply_no;	/* 0: a status alone */
	bool			 early;		/* sent behind the attaching, unanswered then */
	struct buf		 body;		/* encoded; empty once it is not needed */
	store_done_fn		 fn;
	void			*arg;
	enum status		 status;	/* when failed */
	struct store_quota_is	*quota;		/* its answer came with that to attach */
	uint32_t		 req;		/* 0: not on its way */
	uint64_t		 seq;		/* of a change */
	uint64_t		 gen;		/* ticket it was first sent under; 0: never sent */
	uint64_t		 deadline_ms;	/* 0: none while the service is there */
	uint64_t		 stage_epoch;	/* of a chunk */
};

/* A request without a channel. */
struct store_ask {
	struct list		 node;		/* of pool->asks */
	struct store_pool	*pool;
	struct shard		*shard;
	uint16_t		 reply_no;
	bool			 parts;		/* fn hears of each */
	uint32_t		 req;		/* 0: failed, its callback is due */
	store_done_fn		 fn;
	void			*arg;
};

/* store.c */
struct shard *store_shard_get(struct store_pool *p, uint32_t no);
void store_shard_go(struct shard *sh);
void store_send_attach(struct store *s, bool idly);
void store_send_call(struct store_call *c);
/* It is over without an answer of its own.  The callback runs from the loop. */
void store_call_fail(struct store_call *c, enum status st);
void store_call_free(struct store_call *c);
void store_ignore(void *arg, const struct ipc_head *h, const struct ipc_message *m, const void *msg);

/* asks.c */
/* One whose callback is due. */
struct store_ask *store_failed_ask(struct store_pool *p);
void store_ask_done(struct store_ask *a, enum status st, const void *msg);
/* The socket was replaced: nobody answers any more. */
void store_asks_lost(struct shard *sh);

#endif
