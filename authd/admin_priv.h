/* authd/admin_priv.h
 * One administrative request and what its commands share. */
#ifndef AUTHD_ADMIN_PRIV_H
#define AUTHD_ADMIN_PRIV_H

#include "authd/authd.h"
#include "common/json/json.h"
#include "common/json/writer.h"

#define ADMIN_LIST_MAX 1000u
#define ADMIN_SCAN_MAX 200000u
#define ADMIN_RESULT_SOFT (900u << 10)	/* lists end here and say where to go on */

struct admin_rq;
/* job is NULL for commands that need no directory. */
typedef enum status (*admin_run_fn)(struct dir_job *job, struct admin_rq *rq);

struct admin_command {
	const char		*name;
	const char		*members;	/* those that args may have, " a b " */
	admin_run_fn		run;
	bool			directory;	/* runs as a job of the directory */
	bool			password;	/* its password is hashed before */
	/* After it succeeded. */
	void			(*done)(struct admin_rq *rq);
};

struct admin_rq {
	struct authd			*a;
	uint64_t			peer;
	struct ipc_head			head;
	const struct admin_command	*cmd;
	struct json_doc			*doc;
	const struct json		*args;
	struct buf			out;		/* the result */
	struct json_writer		w;
	struct buf			error, folded[2], made, plain, label;
	uint64_t			account;	/* for `done` */
	uint32_t			shard, scram_iterations;
};

/* Notes the error's line; returns st. */
enum status admin_error(struct admin_rq *rq, enum status st, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A folded address; slot 0 or 1 holds it. */
enum status admin_address(struct admin_rq *rq, const char *member, unsigned slot, struct span *out);
enum status admin_domain_arg(struct admin_rq *rq, const char *member, unsigned slot,
    struct span *out);
/* The account that has the name of `member` as its own.  ST_OK also while the job waits. */
enum status admin_account(struct dir_job *job, struct admin_rq *rq, const char *member,
    struct dir_account *acc);
/* Optional members: what they hold replaces *v.  ST_SYNTAX: of another type. */
enum status admin_uint(struct admin_rq *rq, const char *member, uint64_t *v);
enum status admin_bool(struct admin_rq *rq, const char *member, bool *v);
enum status admin_string(struct admin_rq *rq, const char *member, struct span *v);
/* Not of an account that belongs to nobody. */
enum status admin_has_logins(struct admin_rq *rq, const struct dir_account *a);
void admin_revoke_account(struct admin_rq *rq);
/* The three limits that a domain's accounts have. */
void admin_write_limits(struct json_writer *w, const struct dir_domain *d);
void admin_kv_id(struct json_writer *w, const char *key, uint64_t id);

extern const struct admin_command admin_account_commands[];
extern const struct admin_command admin_domain_commands[];
extern const struct admin_command admin_group_commands[];
extern const struct admin_command admin_referral_commands[];

#endif
