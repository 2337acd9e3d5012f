/* admind/commands.h
 * Steps that several commands share, and the commands of the other files. */
#ifndef ADMIND_COMMANDS_H
#define ADMIND_COMMANDS_H

#include "admind/client.h"

/* Asks authd for another command than the one that runs, with arguments of ours; fn gets
 * the request as its argument and clears rq->lookup. */
void ask_authd(struct request *rq, const char *command, struct span args, auth_admin_fn fn);
/* Hands authd's answer on. */
void answer_as_authd(struct request *rq, enum status st, struct span result);
/* {"address": ADDRESS} into out. */
void put_address_args(struct buf *out, struct span address);
/* The argument "address"; false: answered that it is missing. */
bool need_address(struct request *rq, struct span *address);

/* Asks authd to show the account of this address; fn as with ask_authd(). */
void ask_account(struct request *rq, struct span address, auth_admin_fn fn);
/* What fn got: clears rq->lookup.  false: the request was answered. */
bool take_account(struct request *rq, enum status st, struct span result, uint64_t *id,
    uint32_t *shard);
/* Ends the request: authd's answer makes no sense; the store refused, and no more is to be
 * said of it. */
void fail_not_understood(struct request *rq);
void fail_as_store(struct request *rq, enum status st);

/* An account's mail under a ticket of our own, with the rights of its owner. */
struct access;
/* Only when it worked; otherwise the request is answered. */
typedef void (*access_fn)(struct access *x);
struct access {
	struct request		*rq;
	struct store		*store;
	struct store_call	*call;		/* cancelled with it */
	struct buf		ticket;		/* secret */
	uint64_t		account;
	uint32_t		shard;
	access_fn		fn;
};
/* x is zeroed and becomes part of the request's state. */
void access_start(struct access *x, struct request *rq, struct span address, access_fn fn);
/* Gives the ticket back. */
void access_end(struct access *x);

/* An account in a result of authd: {"id": 16 hex digits, "shard": n}. */
bool read_account(const struct json *v, uint64_t *id, uint32_t *shard);
bool parse_account(struct span result, uint64_t *id, uint32_t *shard);

extern const struct admin_command admin_cmds_account[], admin_cmds_acl[], admin_cmds_copy[],
    admin_cmds_deliver[],
    admin_cmds_domain[], admin_cmds_fsck[], admin_cmds_mailbox[], admin_cmds_pop3[], admin_cmds_queue[], admin_cmds_relay[], admin_cmds_status[],
    admin_cmds_undelete[];

extern const struct admin_command admin_cmds_backup[];

#endif
