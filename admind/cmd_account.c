/* Accounts live in two places: authd's directory and the shard with the mail.  What must
 * be true in both is brought about in an order that may be cut off anywhere and started
 * again: deleting marks the directory first, undeleting the shard. */
#include "admind/commands.h"

#include "common/util/mem.h"

struct work {
	struct access		access;
	struct buf		result;		/* of the directory, to be the answer; secret */
	uint64_t		account;
	uint32_t		shard;
	struct store_account_limits limits;
};

static void
stop(struct request *rq)
{
	struct work *k = rq->state;

	access_end(&k->access);
	buf_fini_secret(&k->result);
	mem_free(&k);
}

static struct work *
work_new(struct request *rq)
{
	struct work *k = mem_zalloc(sizeof(*k));

	k->access.rq = rq;
	rq->state = k;
	rq->stop = stop;
	return k;
}

/* Keeps authd's result; false: it does not name an account. */
static bool
keep_result(struct work *k, struct span result)
{
	bool ok = parse_account(result, &k->account, &k->shard);

	buf_clear(&k->result);
	buf_add_span(&k->result, result);
	return ok;
}

/* Limits -------------------------------------------------------------------- */

static void
on_limits(void *arg, enum status st, bool more, const void *msg)
{
	struct request *rq = arg;
	struct work *k = rq->state;

	rq->ask = NULL;
	if (st == ST_OK)
		request_done(rq, ST_OK, buf_span(&k->result));
	else
		request_fail(rq, st, "the account is there, but its quota was not set (%s); "
		    "set it with: account set", status_name(st));
}

/* The account is in its shard now. */
static void
on_made(void *arg, enum status st, bool more, const void *msg)
{
	struct access *x = arg;
	struct request *rq = x->rq;
	struct work *k = rq->state;

	x->call = NULL;
	if (st != ST_OK) {
		on_limits(rq, st, false, NULL);
		return;
	}
	k->limits.account = x->account;
	rq->ask = store_ask_limits(rq->admind->pool, x->shard, &k->limits, on_limits, rq);
}

static void
on_access(struct access *x)
{
	x->call = store_do_quota(x->store, on_made, x);
}

/* One of its own, else its domain's; 0: neither has one. */
static uint64_t
limit(const struct json *v, const char *key)
{
	uint64_t n = 0;

	if (!json_get_uint(v, key, &n) || n == 0)
		(void)json_get_uint(json_member(v, "domain_limits"), key, &n);
	return n;
}

/* All limits as the directory has them now: the command may have named one of three. */
static void
on_shown(void *arg, enum status st, struct span result)
{
	struct request *rq = arg;
	struct work *k = rq->state;
	struct json_doc *doc = NULL;
	struct span address = SPAN_NONE;

	rq->lookup = NULL;
	if (st != ST_OK || json_parse(result, ADMIN_RESULT_MAX, &doc) != ST_OK) {
		on_limits(rq, st != ST_OK ? st : ST_BUG, false, NULL);
		return;
	}
	k->limits.bytes = limit(json_root(doc), "quota_bytes");
	k->limits.messages = limit(json_root(doc), "quota_messages");
	k->limits.mailboxes = limit(json_root(doc), "quota_mailboxes");
	(void)json_get_string(json_root(doc), "address", &address);
	access_start(&k->access, rq, address, on_access);
	json_free(&doc);
}

static bool
names_quota(const struct json *args)
{
	return json_member(args, "quota_bytes") != NULL ||
	    json_member(args, "quota_messages") != NULL ||
	    json_member(args, "quota_mailboxes") != NULL;
}

/* A new account in a domain that has limits. */
static bool
has_domain_limits(struct span result)
{
	struct json_doc *doc = NULL;
	bool has = false;

	if (json_parse(result, ADMIN_RESULT_MAX, &doc) == ST_OK)
		(void)json_get_bool(json_root(doc), "domain_limits", &has);
	json_free(&doc);
	return has;
}

static void
show_limits(struct request *rq, struct span result)
{
	struct work *k = rq->state;
	struct span address = SPAN_NONE;

	buf_clear(&k->result);
	buf_add_span(&k->result, result);
	(void)json_get_string(rq->args, "address", &address);
	ask_account(rq, address, on_shown);
}

static void
on_changed(void *arg, enum status st, struct span result)
{
	struct request *rq = arg;

	rq->lookup = NULL;
	if (st == ST_OK && (names_quota(rq->args) || has_domain_limits(result)))
		show_limits(rq, result);
	else
		answer_as_authd(rq, st, result);
}

/* account-add, account-set */
static void
change(struct request *rq)
{
	work_new(rq);
	ask_authd(rq, rq->command->name, buf_span(&rq->text), on_changed);
}

/* Delete -------------------------------------------------------------------- */

static void
on_store_deleted(void *arg, enum status st, bool more, const void *msg)
{
	struct request *rq = arg;
	struct work *k = rq->state;

	rq->ask = NULL;
	/* not found: no mail ever came, so the shard does not know it */
	if (st == ST_OK || st == ST_NOT_FOUND)
		request_done(rq, ST_OK, buf_span(&k->result));
	else
		request_fail(rq, st, "the account is closed, but its mail could not be marked "
		    "(%s): run the command again", status_name(st));
}

static void
store_delete(struct request *rq)
{
	struct work *k = rq->state;

	rq->ask = store_ask_delete(rq->admind->pool, k->shard, k->account, on_store_deleted, rq);
}

/* The directory does not know it, or it was deleted there before and the shard was away. */
static void
on_show_deleted(void *arg, enum status st, struct span result)
{
	struct request *rq = arg;
	struct work *k = rq->state;
	struct json_doc *doc = NULL;
	int64_t deleted = 0;

	rq->lookup = NULL;
	if (st == ST_OK && json_parse(result, ADMIN_RESULT_MAX, &doc) == ST_OK)
		(void)json_get_int(json_root(doc), "deleted", &deleted);
	json_free(&doc);
	if (deleted != 0 && keep_result(k, result))
		store_delete(rq);
	else
		request_fail(rq, ST_NOT_FOUND, "there is no account %s", rq->target);
}

static void
on_dir_deleted(void *arg, enum status st, struct span result)
{
	struct request *rq = arg;
	struct span address = SPAN_NONE;

	rq->lookup = NULL;
	if (st == ST_NOT_FOUND) {
		(void)json_get_string(rq->args, "address", &address);
		ask_account(rq, address, on_show_deleted);
	} else if (st != ST_OK) {
		answer_as_authd(rq, st, result);
	} else if (keep_result(rq->state, result)) {
		store_delete(rq);
	} else {
		fail_not_understood(rq);
	}
}

static void
account_delete(struct request *rq)
{
	struct span address;

	if (!need_address(rq, &address))
		return;
	work_new(rq);
	ask_authd(rq, "account-delete", buf_span(&rq->text), on_dir_deleted);
}

/* Undelete ------------------------------------------------------------------ */

static void
on_dir_undeleted(void *arg, enum status st, struct span result)
{
	struct request *rq = arg;

	rq->lookup = NULL;
	/* its domain's limits may be others meanwhile */
	if (st == ST_OK)
		show_limits(rq, result);
	else
		answer_as_authd(rq, st, result);
}

static void
on_store_undeleted(void *arg, enum status st, bool more, const void *msg)
{
	struct request *rq = arg;

	rq->ask = NULL;
	/* where the shard has nothing to bring back the directory decides */
	if (st == ST_OK || st == ST_NOT_FOUND || st == ST_CONFLICT || st == ST_EXISTS)
		ask_authd(rq, "account-undelete", buf_span(&rq->text), on_dir_undeleted);
	else
		request_fail(rq, st, "the store cannot bring the mail back: %s", status_name(st));
}

static void
on_show_gone(void *arg, enum status st, struct span result)
{
	struct request *rq = arg;
	struct work *k = rq->state;

	rq->lookup = NULL;
	if (st != ST_OK)
		answer_as_authd(rq, st, result);
	else if (!keep_result(k, result))
		fail_not_understood(rq);
	else
		rq->ask = store_ask_undelete(rq->admind->pool, k->shard, k->account,
		    on_store_undeleted, rq);
}

static void
account_undelete(struct request *rq)
{
	struct span address;

	if (!need_address(rq, &address))
		return;
	work_new(rq);
	ask_account(rq, address, on_show_gone);
}

const struct admin_command admin_cmds_account[] = {
	{ "account-add", change, NULL },
	{ "account-set", change, NULL },
	{ "account-delete", account_delete, NULL },
	{ "account-undelete", account_undelete, NULL },
	{ NULL, NULL, NULL }
};
