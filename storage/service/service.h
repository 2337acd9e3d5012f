/* storage/service/service.h
 * The store service of one shard: sockets in, journal and applied state behind.  The
 * process around it (main.c) feeds it with what the control socket brings; tests do
 * the same without a process.
 *
 * The shard's folder holds journal/ and db/.  Operations are journaled, synced,
 * applied, answered, in this order; a tick of many at once (tick.c). */
#ifndef STORAGE_SERVICE_SERVICE_H
#define STORAGE_SERVICE_SERVICE_H

#include "common/auth/ticket.h"
#include "common/net/loop.h"
#include "storage/journal/journal.h"
#include "storage/state/state.h"

struct service;

/* What a shard needs of the configuration. */
struct service_conf {
	uint32_t	shard;
	enum engine_kind engine;
	const char	*boot_id;		/* see engine_opts; the caller's */
	uint32_t	segment_bytes;		/* 0: the journal's default */
	uint64_t	cache_bytes;
	uint32_t	checkpoint_bytes, checkpoint_s;
	uint64_t	min_free_bytes;
	uint64_t	tick_bytes;		/* of one tick */
	uint64_t	account_tick_bytes;	/* of one account in it */
	uint32_t	readers;
	uint32_t	index_wait_s;		/* for indexd, about a piece */
	bool		extracts;		/* indexd makes text of attachments */
	uint32_t	undelete_s, history_s;
	uint64_t	undelete_max_bytes;	/* of an account */
	uint32_t	history_max;		/* operations of an account; 0: no limit */
	uint32_t	recount_s;		/* 0: never */
	uint32_t	compact_s, compact_share;	/* 0: never; per cent of the time */
	uint32_t	upload_s, uploads;	/* uploads: of an account; 0: no limit */
	uint64_t	upload_bytes;		/* of an account; 0: no limit */
	uint32_t	scripts;		/* Sieve scripts of an account */
	uint64_t	script_bytes, scripts_bytes;	/* of one, of all of an account; 0: no limit */
	uint32_t	sieve_keys;		/* remembered of an account; 0: no limit */
	uint32_t	queue_max;		/* entries of an account in the queue; 0: no limit */
	uint64_t	queue_bytes;		/* octets in them; 0: no limit */
	uint32_t	queue_flights;		/* entries of it that are sent at a time */
	uint32_t	queue_retry_s, queue_retry_max_s;
	uint32_t	redirect_expiry_s, answer_expiry_s;
	uint32_t	queue_account_day;	/* that leave for an account in a day; 0: any number */
	uint32_t	staged_s;		/* a body that is staged waits so long for its next piece */
	uint32_t	retention_s[MAILBOX_ROLE_MAX + 1];	/* by role; 0: for ever */
	struct buf	retention_paths;	/* u32 seconds, put_span() of a path each */
	uint32_t	fsck_share;		/* per cent of the time */
	uint64_t	fsck_body_bytes;	/* a second */
	uint32_t	op_rows;		/* rows that one operation changes; tests make it small */
	uint64_t	whole_messages;		/* that one COPY, MOVE or APPEND may make */
	uint64_t	quota_bytes, quota_messages, quota_mailboxes;	/* 0: no limit */
	uint8_t		quota_warn[2];		/* per cent; 0: never */
	uint32_t	push_max;		/* subscriptions of an account; 0: none are served */
	uint32_t	push_expiry_s, push_interval_s;
	uint32_t	push_spread_ms;		/* of what is told after a start */
	struct buf	folders;		/* op_default_mailbox..., without INBOX */
	unsigned	copies;			/* hot copies kept */
	uint32_t	copy_time_s, copy_hour;	/* hour: of the day, UTC */
	uint64_t	copy_journal_bytes;
	unsigned	reclaim_share;		/* per cent: below it what lives in a segment is moved */
	uint64_t	reclaim_rate;		/* bytes moved in a second */
	const struct jio *io;			/* NULL: the real file system */
	bool		(*step)(void *arg);	/* tests: before each step on the files of copies; */
	void		*step_arg;		/* false: the process ends there */
	bool		small, inline_io;	/* tests: see engine_opts, journal_opts */
};
void service_conf_init(struct service_conf *cf);
void service_conf_fini(struct service_conf *cf);

/* Called when nothing can be promised any more (a sync failed, the applied state is damaged):
 * one FATAL line was written; the process ends, the next one recovers. */
typedef void (*service_fatal_fn)(void *arg);

/* Opens journal and applied state under dir, replays.  A damaged state is set aside and
 * rebuilt from the journal, which keeps every operation.  Not ST_OK: a line was logged. */
enum status service_open(struct loop *l, const struct service_conf *cf, const char *dir,
    service_fatal_fn fatal, void *arg, struct service **svc);
/* Finishes what is in the journal, answers it, checkpoints, closes. */
void service_close(struct service **svc);
/* New limits and quotas, from a reload. */
void service_configure(struct service *svc, const struct service_conf *cf);

/* A socket whose other end is this worker or daemon; takes fd over.  name is for the log. */
void service_peer(struct service *svc, int fd, unsigned roles, const char *name,
    uint32_t slot, uint64_t generation);
/* A socket to authd; takes fd over.  Tickets are refused (ST_UNAVAILABLE) until it said which
 * ones are void; those of an authd before it whose list nobody has any more are refused
 * for good (ST_EXPIRED). */
void service_authd(struct service *svc, int fd);
void service_ticket_key(struct service *svc, const struct ticket_key *key);
/* Void tickets; service_authd() does it by itself. */
void service_ticket_void(struct service *svc, struct span id, int64_t expires_s, uint64_t account);
/* All that is void of the tickets of these authds and later ones is known now. */
void service_revocations(struct service *svc, uint64_t epoch_from);

/* "name=value\n" */
void service_stats(struct service *svc, struct buf *out);
/* For tests and tools. */
struct state *service_state(struct service *svc);
struct journal *service_journal(struct service *svc);

/* Replays a journal into an empty or older state: the one way in which records become
 * state, used at start and by tests.  damage_what is filled when it is ST_CORRUPT. */
enum status service_replay(struct journal *j, struct state *st, char damage_what[160]);

#endif
