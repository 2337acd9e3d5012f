/* t/unit/storage/rig.h
 * A store service in a temporary folder with clients on socketpairs, all in one loop or
 * the service in a process of its own. */
#ifndef T_UNIT_STORAGE_RIG_H
#define T_UNIT_STORAGE_RIG_H

#include <sys/types.h>

#include "storage/client/store.h"
#include "storage/service/service.h"

#define RIG_SHARD 3

struct rig {
	struct loop		*loop;
	struct loop_timer	*clock;
	struct service		*svc;		/* NULL: in the process pid, or not running */
	struct service_conf	 cf;
	struct ticket_keys	 keys;
	char			 dir[128];
	struct store_pool	*pool;		/* of the worker with slot 1, generation 1 */
	pid_t			 pid;
	bool			 fatal;
	uint64_t		 last_ticket;
	unsigned		 more_roles;	/* of the pool's socket, beside access and deliver */
};

void rig_init(struct rig *r);
void rig_fini(struct rig *r);
/* Opens the service here and connects the pool. */
void rig_start(struct rig *r);
/* What service_open() says; nothing is open when it is not ST_OK. */
enum status rig_try_start(struct rig *r);
void rig_stop(struct rig *r);
/* The same in a child; rig_kill() is kill -9. */
void rig_fork(struct rig *r);
void rig_kill(struct rig *r);
/* A socket to the service with these words about the other end. */
int rig_socket(struct rig *r, unsigned roles, uint32_t slot, uint64_t generation);
/* A good ticket for the pool's worker; change and sign with rig_sign(). */
struct ticket rig_ticket(struct rig *r, uint64_t account);
struct span rig_sign(struct rig *r, const struct ticket *t, unsigned char out[TICKET_LEN]);
struct store *rig_channel(struct rig *r, uint64_t account, store_event_fn event, void *arg);

/* What a call came to. */
struct answer {
	struct buf	body;		/* the last message, encoded */
	struct buf	parts;		/* lists of all parts, one after the other */
	enum status	st, bad;	/* of the last call; the last that was not ST_OK */
	unsigned	n;		/* callbacks that ended a call */
	union {
		struct store_opened	opened;
		struct store_appended	appended;
		struct store_created	created;
		struct store_expunged	expunged;
		struct store_copied	copied;
		struct store_flags_are	flags_are;
		struct store_changes_are changes;
		struct store_body_is	body_is;
		struct store_quota_is	quota;
	} u;				/* numbers only: spans are gone */
	struct uidset	uids;		/* of the message that has some */
};
void answer_fini(struct answer *a);
/* For store_do_...: arg is a struct answer. */
void rig_done(void *arg, enum status st, bool more, const void *msg);
/* Tells rig_done what the next calls answer. */
void rig_expect(uint16_t no);
/* Runs the loop until a->n reaches n. */
void rig_wait(struct rig *r, struct answer *a, unsigned n);
/* Some rounds. */
void rig_run(struct rig *r, unsigned ms);
/* Encodes one item with a stored body of this text. */
void rig_item(struct buf *items, struct span text, uint32_t stage, struct flags flags);
enum status rig_append(struct rig *r, struct store *s, const char *path, struct span text,
    struct answer *a);
enum status rig_open(struct rig *r, struct store *s, const char *path, struct answer *a);

#endif
