/* domain-quota: the limits of a domain's accounts.  The directory keeps them; every account that
 * has none of its own gets them in its shard, where they are judged, page after page of accounts.
 * Cut off anywhere it can be started again.  Result: domain and limits, accounts (how many have
 * them now). */
#include <string.h>

#include "admind/commands.h"
#include "common/json/writer.h"
#include "common/util/mem.h"

#define PAGE 200	/* accounts; their shards are asked about all of a page at once */

struct spread;

struct target {
	struct spread		*s;
	struct store_ask	*ask;		/* NULL: answered, or not asked */
	uint64_t		account;
	uint32_t		shard;
	struct store_account_limits limits;
	char			*address;
	bool			missing;	/* the shard does not know it yet */
};

struct spread {
	struct request		*rq;
	struct access		access;
	struct buf		args;		/* of the next page */
	struct span		domain;		/* in rq->args */
	uint64_t		bytes, messages, mailboxes;
	struct target		targets[PAGE];
	size_t			n, at, waiting;
	uint64_t		done, failed;
	enum status		why;		/* of the last that failed */
	bool			more;
};

static void
drop_page(struct spread *s)
{
	for (size_t i = 0; i < s->n; i++) {
		store_ask_cancel(&s->targets[i].ask);
		mem_free(&s->targets[i].address);
	}
	memset(s->targets, 0, sizeof(s->targets));
	s->n = s->at = 0;
}

static void
stop(struct request *rq)
{
	struct spread *s = rq->state;

	access_end(&s->access);
	drop_page(s);
	buf_fini(&s->args);
	mem_free(&s);
}

static void
finish(struct spread *s)
{
	struct request *rq = s->rq;
	struct buf out = { 0 };
	struct json_writer w;

	if (s->failed > 0) {
		request_fail(rq, s->why, "the limits are kept, but %llu of %llu accounts did not get "
		    "them (%s): run the command again", (unsigned long long)s->failed,
		    (unsigned long long)(s->failed + s->done), status_name(s->why));
		return;
	}
	json_writer_init(&w, &out);
	json_begin_object(&w);
	json_kv_string(&w, "domain", s->domain);
	json_kv_uint(&w, "quota_bytes", s->bytes);
	json_kv_uint(&w, "quota_messages", s->messages);
	json_kv_uint(&w, "quota_mailboxes", s->mailboxes);
	json_kv_uint(&w, "accounts", s->done);
	json_end_object(&w);
	request_done(rq, ST_OK, buf_span(&out));
	buf_fini(&out);
}

/* Accounts that their shards did not know --------------------------------------- */

static void next_missing(struct spread *s);
static void ask_page(struct spread *s);

static void
count(struct spread *s, enum status st)
{
	if (st == ST_OK) {
		s->done++;
	} else {
		s->failed++;
		s->why = st;
	}
}

static void
on_missing_limits(void *arg, enum status st, bool more, const void *msg)
{
	struct target *t = arg;
	struct spread *s = t->s;

	t->ask = NULL;
	count(s, st);
	access_end(&s->access);
	memset(&s->access, 0, sizeof(s->access));
	next_missing(s);
}

/* It is there now. */
static void
on_made(void *arg, enum status st, bool more, const void *msg)
{
	struct access *x = arg;
	struct spread *s = x->rq->state;
	struct target *t = &s->targets[s->at - 1];

	x->call = NULL;
	if (st != ST_OK)
		on_missing_limits(t, st, false, NULL);
	else
		t->ask = store_ask_limits(s->rq->admind->pool, t->shard, &t->limits, on_missing_limits, t);
}

static void
on_access(struct access *x)
{
	x->call = store_do_quota(x->store, on_made, x);
}

static void
next_missing(struct spread *s)
{
	request_touch(s->rq);
	while (s->at < s->n) {
		struct target *t = &s->targets[s->at++];

		if (t->missing) {
			access_start(&s->access, s->rq, span_str(t->address), on_access);
			return;
		}
	}
	drop_page(s);
	if (s->more)
		ask_page(s);
	else
		finish(s);
}

/* A page ------------------------------------------------------------------------- */

static void
on_limits(void *arg, enum status st, bool more, const void *msg)
{
	struct target *t = arg;
	struct spread *s = t->s;

	t->ask = NULL;
	if (st == ST_NOT_FOUND)
		t->missing = true;
	else
		count(s, st);
	if (--s->waiting == 0)
		next_missing(s);
}

static uint64_t
limit(const struct json *v, const char *key, uint64_t of_domain)
{
	uint64_t own = 0;

	(void)json_get_uint(v, key, &own);
	return own != 0 ? own : of_domain;
}

static void
add_target(struct spread *s, const struct json *v)
{
	struct target *t = &s->targets[s->n];
	struct span address;

	if (s->n == PAGE || !read_account(v, &t->account, &t->shard) ||
	    !json_get_string(v, "address", &address))
		return;
	t->s = s;
	t->address = span_dup(address);
	t->limits.account = t->account;
	t->limits.bytes = limit(v, "quota_bytes", s->bytes);
	t->limits.messages = limit(v, "quota_messages", s->messages);
	t->limits.mailboxes = limit(v, "quota_mailboxes", s->mailboxes);
	s->n++;
}

static void
put_page_args(struct spread *s, struct span after)
{
	struct json_writer w;

	buf_clear(&s->args);
	json_writer_init(&w, &s->args);
	json_begin_object(&w);
	json_kv_string(&w, "domain", s->domain);
	json_kv_uint(&w, "limit", PAGE);
	if (after.len > 0)
		json_kv_string(&w, "after", after);
	json_end_object(&w);
}

static void
on_page(void *arg, enum status st, struct span result)
{
	struct request *rq = arg;
	struct spread *s = rq->state;
	struct json_doc *doc = NULL;
	const struct json *list;
	struct span after = SPAN_NONE;

	rq->lookup = NULL;
	if (st != ST_OK || json_parse(result, ADMIN_RESULT_MAX, &doc) != ST_OK) {
		request_fail(rq, st != ST_OK ? st : ST_BUG, "the limits are kept, but the accounts "
		    "cannot be listed (%s): run the command again", status_name(st));
		return;
	}
	request_touch(rq);
	list = json_member(json_root(doc), "accounts");
	for (size_t i = 0; i < json_count(list); i++)
		add_target(s, json_item(list, i));
	s->more = json_get_string(json_root(doc), "more", &after);
	if (s->more)
		put_page_args(s, after);
	json_free(&doc);
	s->waiting = s->n;
	for (size_t i = 0; i < s->n; i++) {
		struct target *t = &s->targets[i];

		t->ask = store_ask_limits(rq->admind->pool, t->shard, &t->limits, on_limits, t);
	}
	if (s->n == 0)
		next_missing(s);
}

static void
ask_page(struct spread *s)
{
	ask_authd(s->rq, "account-list", buf_span(&s->args), on_page);
}

static void
on_kept(void *arg, enum status st, struct span result)
{
	struct request *rq = arg;
	struct spread *s = rq->state;
	struct json_doc *doc = NULL;

	rq->lookup = NULL;
	if (st != ST_OK || json_parse(result, ADMIN_RESULT_MAX, &doc) != ST_OK) {
		answer_as_authd(rq, st != ST_OK ? st : ST_BUG, result);
		return;
	}
	(void)json_get_uint(json_root(doc), "quota_bytes", &s->bytes);
	(void)json_get_uint(json_root(doc), "quota_messages", &s->messages);
	(void)json_get_uint(json_root(doc), "quota_mailboxes", &s->mailboxes);
	json_free(&doc);
	put_page_args(s, SPAN_NONE);
	ask_page(s);
}

static void
domain_quota(struct request *rq)
{
	struct spread *s;
	struct span domain;

	if (!json_get_string(rq->args, "domain", &domain)) {
		request_fail(rq, ST_SYNTAX, "a domain is needed");
		return;
	}
	s = mem_zalloc(sizeof(*s));
	s->rq = rq;
	s->domain = domain;
	rq->state = s;
	rq->stop = stop;
	ask_authd(rq, "domain-quota", buf_span(&rq->text), on_kept);
}

const struct admin_command admin_cmds_domain[] = {
	{ "domain-quota", domain_quota, NULL },
	{ NULL, NULL, NULL }
};
