/* authd/directory.h
 * The directory as authd sees it: records of the system shard, cached until stored says
 * they changed, and the one place that turns an address into an account.
 *
 * Work on it is a job: a plain function that reads records with dir_get() as if they were
 * at hand.  When one is not, dir_get() returns NULL, the function returns, and it runs
 * again from its start when the record has come; what it read before stays as it was.  It
 * may prepare steps of a write, which happen when it returns ST_OK: all or none, each
 * checked against the version read, and the function runs again when others were
 * faster.  So it must be free of side effects. */
#ifndef AUTHD_DIRECTORY_H
#define AUTHD_DIRECTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/net/loop.h"
#include "common/util/arena.h"
#include "common/util/span.h"
#include "common/util/status.h"
#include "storage/api/directory.h"

#define DIRECTORY_WAIT_MS 2500		/* jobs wait so long for a store that is away */

struct directory;
struct dir_job;

struct directory_config {
	struct loop	*loop;
	/* Records of this account changed; 0: perhaps of any. */
	void		(*changed)(void *arg, uint64_t account);
	/* Any record did: what was made of them may be wrong. */
	void		(*touched)(void *arg);
	/* The store answers for the first time, or again. */
	void		(*up)(void *arg);
	void		*arg;
};
struct directory *directory_new(const struct directory_config *cf);
/* Jobs end with ST_CANCELLED. */
void directory_free(struct directory **d);
/* A (new) socket to the stored of the system shard; takes fd over. */
void directory_set(struct directory *d, int fd);
bool directory_is_up(const struct directory *d);
uint32_t directory_cached(const struct directory *d);
void directory_flush(struct directory *d);

struct dir_rec {
	uint64_t	version;	/* 0: there is none */
	struct span	key, value;	/* live as long as the job */
};

/* Returns ST_OK or why not; meaningless while a read is missing. */
typedef enum status (*dir_run_fn)(struct dir_job *job, void *arg);
/* The job is gone after it.  Never runs inside dir_job_start(). */
typedef void (*dir_end_fn)(void *arg, enum status st);
struct dir_job *dir_job_start(struct directory *d, dir_run_fn run, dir_end_fn end, void *arg);
void dir_job_cancel(struct dir_job **job);

/* For run functions.  NULL: not here yet, return. */
const struct dir_rec *dir_get(struct dir_job *job, struct span key);
/* All records with from <= key < to, at most max; never cached.  NULL: not here yet. */
const struct dir_rec *dir_scan(struct dir_job *job, struct span from, struct span to, size_t max,
    size_t *n);
struct arena *dir_arena(struct dir_job *job);
/* Steps: the record must be as dir_get() told. */
void dir_put(struct dir_job *job, struct span key, struct span value);
void dir_del(struct dir_job *job, struct span key);
/* An account id for this job: ids are taken from the directory in blocks, so that jobs that
 * make accounts at the same time do not conflict.  false: not here yet. */
bool dir_take_id(struct dir_job *job, uint64_t *id);

/* Typed reads; *found false: there is none (or it is damaged: logged).  Return false: not
 * here yet. */
bool dir_get_account(struct dir_job *job, uint64_t id, struct dir_account *a, bool *found);
bool dir_get_name(struct dir_job *job, struct span folded, struct dir_name *n, bool *found);
bool dir_get_domain(struct dir_job *job, struct span folded, struct dir_domain *d, bool *found);
bool dir_get_verifier(struct dir_job *job, uint64_t id, struct dir_verifier *v, bool *found);
bool dir_get_group(struct dir_job *job, struct span folded, struct dir_group *g, bool *found);
bool dir_get_group_name(struct dir_job *job, uint64_t id, struct span *name, bool *found);
/* A referral of the account's domain becomes its own, where it has none; its memory is the
 * job's.  false: not here yet. */
bool dir_apply_referral(struct dir_job *job, struct dir_account *a);
void dir_put_account(struct dir_job *job, const struct dir_account *a);

/* Resolving ------------------------------------------------------------------ */

/* RESOLVE_WHO: as for a login, also accounts that belong to nobody. */
enum resolve_for { RESOLVE_LOGIN, RESOLVE_MAIL, RESOLVE_WHO };
struct resolve_rules {
	const char	*default_domain;	/* of a bare name that is none itself; "": none */
	const char	*delimiter;		/* one character: everywhere; "": where domain.plus, '+' */
};
struct resolved {
	struct dir_account	account;
	struct span		detail;		/* of user+detail */
	/* Login: the address in the form in which an account of it is made. */
	struct span		address;
};
/* ST_OK; ST_NOT_FOUND; ST_SYNTAX (no address).  Meaningless while dir_waits(job).
 *
 * In this order: a bare name as it is, then with the default domain; the domain's alias is
 * followed (once: an alias of an alias is none); the address itself; for mail the address
 * without +detail, then the domain's catch-all.  Aliases of addresses take mail and no
 * logins, and for a login the domain's referral is applied; accounts that belong to nobody take no logins, deleted accounts neither. */
enum status dir_resolve(struct dir_job *job, const struct resolve_rules *rules,
    enum resolve_for purpose, struct span address, struct resolved *out);
bool dir_waits(const struct dir_job *job);

/* Makes an account with its name and, when missing, its domain.  a->id is set; shard
 * UINT32_MAX: chosen by id.  ST_EXISTS: the address is taken. */
enum status dir_add_account(struct dir_job *job, struct dir_account *a, uint32_t shards,
    uint32_t undelete_s, int64_t now_s);
/* "user@domain" -> domain; none: empty. */
struct span address_domain(struct span address);

#endif
