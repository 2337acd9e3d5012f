/* What the files of storage/service share. */
#ifndef STORAGE_SERVICE_SERVICE_PRIV_H
#define STORAGE_SERVICE_SERVICE_PRIV_H

#include "common/auth/voids.h"
#include "common/ipc/ipc.h"
#include "common/util/list.h"
#include "common/util/table.h"
#include "storage/service/background.h"
#include "storage/service/copies.h"
#include "storage/service/readers.h"
#include "storage/service/service.h"
#include "storage/service/texts.h"

#define QUEUED_MAX	(16u << 20)	/* bytes of requests waiting from one socket */
#define CHANNELS_MAX	65536u		/* of one socket */
#define STAGES_MAX	65536u		/* bodies being staged through one socket */
#define STAGED_MAX	((uint64_t)16 << 30)	/* their bytes on the disk */
#define PEER_TICK_STAGE	(1u << 20)	/* staged bytes taken from a socket in one tick */
#define STAMP_BACK_MS	(86400 * (int64_t)1000)	/* more than that back is believed */
#define PART_BYTES	(256u << 10)	/* an answer's part, without its last entry */

/* An account with channels or requests. */
struct account {
	uint64_t	id;
	struct list	channels;
	struct list	queue;		/* requests that change, first come first */
	struct list	ready;		/* of service->ready while the queue is not empty */
	bool		blocked;	/* a part of a chain is under way */
	bool		staging;	/* somebody sees to what is staged */
	bool		events, events_known;	/* events.c */
	unsigned	refs;		/* channels and requests */
	uint64_t	staged[2];	/* bytes of bodies that no operation has adopted; 1: of uploads */
};

/* A body being staged. */
struct stage {
	struct peer	*peer;
	uint32_t	no;
	uint64_t	bytes, total;
	uint32_t	chunks;
	uint64_t	counted;	/* of bytes, in account->staged and peer->stage_bytes */
	bool		upload;
	enum status	status;		/* not ST_OK: it cannot be adopted */
	struct buf	locs;		/* struct journal_loc... */
	uint64_t	used_ms;	/* when its last piece came */
};

struct channel {
	struct peer	*peer;
	uint32_t	 no;
	struct account	*account;
	struct list	 node;		/* of account->channels */
	struct ticket	 ticket;	/* role 0: a socket's channel 0, without a ticket */
	unsigned char	 groups[STORE_GROUPS_MAX * 8];	/* of the ticket, for state_asker */
	size_t		 groups_len;
	uint64_t	 opened;	/* of another account: the mailbox opened last */
	bool		 attached, revoked, watching, told, leased;
	bool		 undeleted;	/* reads what was deleted */
	uint64_t	 lease;
	uint64_t	 made, answered;	/* changes */
	struct list	 waiting;	/* reads behind changes */
	struct table	 stages;
	struct list	 requests;	/* all of them, by chan_node */
};

struct peer {
	struct service	*svc;
	struct list	 node;		/* of service->peers */
	struct ipc	*ipc;
	unsigned	 roles;
	char		 name[32];
	uint32_t	 slot;
	uint64_t	 generation;
	struct table	 channels;
	struct channel	*zero;		/* requests without a channel */
	size_t		 queued;	/* bytes */
	bool		 paused, dir_watch, limit_told;
	uint32_t	 pinned[4];	/* hot copies that it reads; 0: none */
	size_t		 staged;	/* bytes in the tick being built */
	uint32_t	 stages;	/* bodies that no operation has adopted */
	uint64_t	 stage_bytes;	/* of them */
};

/* A request from the moment it cannot be answered on the spot. */
struct request {
	struct list	 node;		/* of the queue it stands in */
	struct list	 chan_node;
	struct service	*svc;
	struct channel	*chan;		/* NULL: gone, or made by the service */
	struct account	*account;
	size_t		 counted;	/* bytes of peer->queued */
	struct ipc_head	 head;
	const struct ipc_message *m;	/* NULL: made by the service */
	struct buf	 body;		/* encoded message; the bodies of a tick point into it */
	uint64_t	 after;		/* reads: changes of the channel to wait for; changes: own number */
	/* changes */
	struct op	 op;		/* made by the service: given; else for this tick */
	struct buf	 op_bytes, items, locs, uids;
	bool		 change, prepared, chain, last, is_chunk;
	unsigned char	 groups[STORE_GROUPS_MAX * 8];	/* op.head.groups */
	bool		 recall;	/* asks whether it happened before, no more */
	bool		 asked_memory;	/* what is remembered of a chain was looked up */
	bool		 again;		/* a part was applied before: its rows are read and told */
	bool		 stages;	/* the chain's rows are hidden until its last operation */
	bool		 ends;		/* the part under way stages the last rows */
	bool		 all_staged;
	bool		 finished;	/* every part is remembered */
	bool		 blocks;	/* the account waits for it */
	bool		 in_tick;
	uint32_t	 rows;		/* that its operation changes, at most */
	uint32_t	 part;		/* how many are done */
	uint32_t	 chain_from, chain_to;	/* uids up to it are done; with the part under way */
	uint32_t	 told_to;	/* uids up to it were told again */
	uint64_t	 memo_modseq;
	size_t		 items_at, items_to;	/* of an append: the items of the part under way */
	struct uidset	 merged;	/* uids expunged so far */
	struct state_result res;
	uint64_t	 lsn;		/* of its operation; 0: none in this tick */
	struct stage	*stage;		/* of a chunk */
	enum status	 status;	/* not ST_OK: refused without an operation */
	void		(*done)(struct request *rq, const struct state_result *res);
	void		*own;		/* for done */
	/* reads */
	bool		 begun, busy;	/* busy: with a reader thread */
	uint32_t	 resume;
	uint64_t	 offset, sent;
	struct uidset	 set;
	struct state_changes changes;
	struct state_columns *columns;
	struct text_find *find;
};

struct service {
	struct loop		*loop;
	struct service_conf	 cf;
	char			*dir;
	service_fatal_fn	 fatal;
	void			*fatal_arg;
	bool			 dead;		/* fatal was called */
	bool			 closing;
	bool			 set_aside;	/* the applied state is damaged: the next start rebuilds it */
	struct engine		*engine;
	struct state		*state;
	struct journal		*journal;
	int64_t			 last_ms;	/* stamp of the last operation */
	struct list		 peers;
	struct table		 accounts;
	struct list		 ready;		/* accounts with queued requests, in turn */
	struct loop_task	*tick_task;
	struct loop_io		*flush_io;
	struct list		 tick;		/* in the journal, not known durable */
	struct buf		 outcomes;	/* of the tick applied last */
	uint64_t		 outcome_count;
	struct list		 reads;		/* long reads, in turn */
	struct loop_task	*reads_task;
	struct readers		*readers;
	struct list		 restores;	/* restore.c */
	struct texts		*texts;
	struct list		 finds;		/* searches of texts that wait for their turn */
	unsigned		 n_finds;	/* under way */
	struct list		 opened;	/* opened.c */
	size_t			 n_opened, opened_runs;
	struct table		 leased;	/* account, lease -> when, where that matters */
	/* tickets */
	struct ticket_keys	 keys;
	struct ipc		*authd;
	struct loop_timer	*authd_again;
	bool			 revocations_known;
	struct voids		 voids;
	uint64_t		 voids_from;	/* epochs whose void tickets are known; 0: none */
	uint64_t		 voids_after;	/* page asked for */
	struct fsck_run		*fsck;		/* fsck.c; NULL: none runs */
	bool			 hold;		/* no tick is built, until nothing is under way */
	/* chores */
	struct chores		*chores;
	struct loop_timer	*upgrade_timer;	/* while records are renewed */
	struct stock		*stock;
	struct compact		*compact;
	/* packing */
	struct loop_timer	*packing_timer;
	struct state_packing	 packing_at;
	bool			 packing;	/* a walk is under way */
	uint64_t		 packing_ops;	/* n_ops when it was looked at last */
	uint64_t		 packing_left;	/* operations since the last walk */
	struct indexing		*indexing;	/* index.c */
	struct pushing		*pushing;	/* push.c */
	struct queueing		*queueing;	/* queue.c */
	struct background	*background;
	struct copies		*copies;
	struct reclaim		*reclaim;
	int64_t			 squeeze_ms;	/* what is kept for undelete from before goes; 0: none */
	/* counted */
	uint64_t		 held;		/* bytes of requests that are there */
	uint64_t		 n_ticks, n_ops, n_requests, n_refused_tickets, n_dirty;
};

/* service.c */
void service_die(struct service *svc, const char *why, enum status st);
/* A status of the applied state: ST_CORRUPT of a failed engine ends the process. */
enum status service_judge(struct service *svc, enum status st, const char *where);
int64_t service_stamp(struct service *svc);
/* Did anybody ask for anything since *seen was filled here last? */
bool service_asked(const struct service *svc, uint64_t *seen);
void service_limits(const struct service *svc, struct op_head *head);

/* peer.c */
/* Counts a reference. */
struct account *account_get(struct service *svc, uint64_t id);
void account_unref(struct service *svc, struct account *a);
struct channel *channel_new(struct peer *p, uint32_t no, struct account *a);
void channel_end(struct channel *c);
void channel_revoke(struct channel *c);
void peer_free(struct peer **p);
/* Reads on from sockets whose requests were worked off. */
void peers_go_on(struct service *svc);
/* Sends what is left of a change, counts it answered, lets reads behind it run. */
void request_answer(struct request *rq, enum status st, uint16_t no, const void *msg);
struct request *request_new(struct channel *c, const struct ipc_message *m,
    const struct ipc_head *h, const void *msg);
void request_free(struct request *rq);
/* Tells who watches the account what a change did, but who made it. */
void note_dirty(struct service *svc, const struct request *rq);
void note_dir(struct service *svc, const struct state_result *res);

/* attach.c */
void channel_attach(struct peer *p, const struct ipc_message *m, const struct ipc_head *h,
    const struct store_attach *msg);
void channel_renew(struct peer *p, struct channel *c, const struct ipc_head *h,
    const struct store_attach *msg);

/* staging.c */
/* Adopted or given up: its bytes are no longer the account's staged ones. */
void stage_uncount(struct account *a, struct stage *sg);
/* Those that nobody added to for long can be adopted no more; how many. */
size_t stages_expire(struct service *svc);
void stage_chunk(struct channel *c, const struct ipc_message *m, const struct ipc_head *h,
    const struct store_stage *msg);
void stage_drop(struct channel *c, const struct store_stage_drop *msg);
/* Of a table of stages; arg: their account. */
void stage_free(void *value, void *arg);

/* share.c: channels attached to another account than the ticket's. */
bool channel_foreign(const struct channel *c);
struct state_asker channel_asker(const struct channel *c);
void channel_take_groups(struct channel *c);
/* What another account may be asked for at all; changes. */
enum status share_judge(struct channel *c, const struct ipc_message *m);
/* May this part of a read be answered? */
enum status share_read(struct request *rq, const void *msg);
/* Rows as the reader sees them. */
enum status share_rows(struct request *rq, uint64_t mailbox, unsigned fields, struct buf *rows);
/* Is a change news for this channel? */
bool share_tells(const struct channel *c, const struct request *rq);
enum status share_list(struct service *svc, const struct state_asker *by, uint64_t *after,
    struct buf *out);

/* backup.c: each takes rq over. */
void backup_begin(struct request *rq, const struct store_backup_begin *msg);
void backup_read(struct request *rq, const struct store_backup_read *msg);
/* copy 0: all that the socket holds. */
void backup_end(struct peer *p, uint32_t copy);

/* events.c: what attached tells; ST_OK or the state's failure. */
enum status events_judge(const struct channel *c, bool *any);
/* Before the operation is answered. */
void events_note(const struct request *rq);

/* lease.c */
enum status lease_judge(struct channel *c, const struct store_lease *msg);
void leases_fini(struct service *svc);

/* tickets.c */
/* shared: for an account of this shard, whatever shard the ticket's own is on. */
enum status ticket_judge(struct peer *p, struct span bytes, bool shared, struct ticket *t);
/* Still good?  One log line when it is not. */
enum status channel_judge(struct channel *c);
/* Forgets void tickets that are past their time. */
void tickets_age(struct service *svc);
void tickets_fini(struct service *svc);

/* ops.c: fills rq->op from the message; not ST_OK: the verdict without an operation.
 * ST_UNAVAILABLE with *wait: not in this tick. */
enum status op_prepare(struct request *rq, bool *wait);
uint64_t op_size(const struct request *rq);

/* tick.c */
void tick_queue(struct request *rq);
void tick_start(struct service *svc);
void tick_finish_all(struct service *svc);
/* Ends what the account has staged, before anything else of it. */
void tick_stage_end(struct service *svc, uint64_t account);
/* An operation of the service's own; done may be NULL. */
void tick_own(struct service *svc, const struct op *op,
    void (*done)(struct request *rq, const struct state_result *res));

/* The same with an OP_RELOCATE's moves, and put_span() of the bodies; both are taken. */
void tick_own_bodies(struct service *svc, struct op *op, struct buf *moves, struct buf *bodies,
    void (*done)(struct request *rq, const struct state_result *res));
void tick_own_for(struct service *svc, const struct op *op,
    void (*done)(struct request *rq, const struct state_result *res), void *arg);

/* restore.c: answers and frees the request, later. */
void restore_begin(struct request *rq, const struct store_restore *msg);
void restores_fini(struct service *svc);

/* reads.c */
/* What became of a part of a read. */
enum read_step { READ_DONE, READ_MORE, READ_BUSY };
bool read_is(uint16_t no);
/* Ends it; or tells a part, the last one without `more`. */
enum read_step read_fail(struct request *rq, enum status st);
enum read_step read_part(struct request *rq, bool more, uint16_t no, const void *msg);
/* Fills rq->set, once; false: malformed. */
bool read_uids(struct request *rq, struct span uids);
void read_begin(struct request *rq);
/* The request is over without its answer. */
void read_drop(struct request *rq);
void reads_run(void *arg);

/* reads_emails.c: what JMAP asks of the account; ST_BUG: none of that. */
enum read_step read_jmap(struct request *rq, const void *msg);
/* reads_sieve.c */
enum read_step read_sieve(struct request *rq, const void *msg);
void script_limits(const struct service_conf *cf, struct op_script_set *to);

/* read_texts.c: a part of a search of texts: answered; there is more; read_begin() follows. */
enum text_find_step { TEXT_FIND_DONE, TEXT_FIND_MORE, TEXT_FIND_BUSY };
enum text_find_step text_find_step(struct request *rq, const struct store_text_find *msg);
/* Nobody waits for it any more: its thread ends soon. */
void text_find_cancel(struct text_find *f);
void text_find_free(struct text_find **f);

/* opened.c: state_open_mailbox() */
enum status opened_mailbox(struct service *svc, uint64_t account, uint64_t mailbox,
    struct store_opened *o, struct buf *uids, struct buf *keywords);
void opened_fini(struct service *svc);

/* packing.c */
void packing_start(struct service *svc);
/* Something was delivered. */
void packing_wanted(struct service *svc);
void packing_stop(struct service *svc);

/* stock.c */
void stock_start(struct service *svc);
void stock_stats(struct service *svc, struct buf *out);
void stock_stop(struct service *svc);

/* compact.c */
void compact_start(struct service *svc);
/* Another compact-time may be in force. */
void compact_wanted(struct service *svc);
/* No more of it; compact_free() follows when the background thread has ended. */
void compact_stop(struct service *svc);
void compact_free(struct service *svc);
void compact_stats(const struct service *svc, struct buf *out);

/* upgrades.c */
void upgrades_start(struct service *svc);
void upgrades_stop(struct service *svc);
/* copies.c */
struct copies;
void copies_start(struct service *svc);
/* What is under way ends unfinished; who waits is told. */
void copies_stop(struct service *svc);
void copies_stats(struct service *svc, struct buf *out);
/* All copies can do without the segment, whose last record is lsn; least: so many of them there
 * must be. */
bool copies_spare(struct service *svc, uint32_t segment, uint64_t lsn, size_t least);
/* All copies hold the record lsn. */
bool copies_hold(struct service *svc, uint64_t lsn, size_t least);
/* For want of space: all but the newest go, if nobody pinned them. */
void copies_shrink(struct service *svc);
bool copies_making(const struct service *svc);

/* reclaim.c */
void reclaim_start(struct service *svc);
void reclaim_stop(struct service *svc);
/* Looks what can be freed, unless it is at it. */
void reclaim_round(struct service *svc);
void reclaim_stats(struct service *svc, struct buf *out);

/* Before everything that waits, in a tick of which it is the first; rows are copied. */
void tick_repair(struct service *svc, uint64_t account, struct span rows,
    void (*done)(struct request *rq, const struct state_result *res));

/* fsck.c */
void fsck_start(struct peer *p, const struct ipc_head *h, const struct store_fsck *msg);
void fsck_peer_gone(struct peer *p);
void fsck_stop(struct service *svc);

/* chores.c */
void chores_start(struct service *svc);
void chores_wanted(struct service *svc);
/* svc->squeeze_ms rose: history is gone through at once.  Which round that is, and is it over? */
uint64_t chores_squeeze(struct service *svc);
bool chores_squeezed(const struct service *svc, uint64_t round);
/* No more of them; chores_free() follows when nothing is under way. */
void chores_stop(struct service *svc);
void chores_free(struct service *svc);
/* "name=value\n", appended. */
void chores_stats(const struct service *svc, struct buf *out);

#endif
