/* Which commands there are.  Most of them are authd's (authd/admin.h) and only pass through
 * here, where they are bounded and leave their audit line. */
#include "admind/commands.h"

#include "common/crypto/encode.h"
#include "common/json/writer.h"
#include "common/util/bytes.h"
#include "common/util/mem.h"

static void
on_forwarded(void *arg, enum status st, struct span result)
{
	struct request *rq = arg;

	rq->lookup = NULL;
	answer_as_authd(rq, st, result);
}

static void
forward(struct request *rq)
{
	ask_authd(rq, rq->command->name, buf_span(&rq->text), on_forwarded);
}

static const struct admin_command passed_on[] = {
	{ "account-password", forward, NULL },
	{ "account-referral", forward, NULL },
	{ "domain-referral", forward, NULL },
	{ "account-show", forward, NULL },
	{ "account-list", forward, NULL },
	{ "domain-add", forward, NULL },
	{ "domain-set", forward, NULL },
	{ "domain-delete", forward, NULL },
	{ "domain-list", forward, NULL },
	{ "domain-alias", forward, NULL },
	{ "catch-all", forward, NULL },
	{ "alias-add", forward, NULL },
	{ "alias-delete", forward, NULL },
	{ "alias-list", forward, NULL },
	{ "app-password-add", forward, NULL },
	{ "app-password-list", forward, NULL },
	{ "app-password-revoke", forward, NULL },
	{ "group-add", forward, NULL },
	{ "group-delete", forward, NULL },
	{ "group-member", forward, NULL },
	{ "group-list", forward, NULL },
	{ "group-show", forward, NULL },
	{ "who", forward, NULL },
	{ "kick", forward, NULL },
	{ "flush-cache", forward, NULL },
	{ NULL, NULL, NULL }
};

static const struct admin_command *const families[] = {
	admin_cmds_account, admin_cmds_acl, admin_cmds_copy, admin_cmds_deliver, admin_cmds_domain, admin_cmds_fsck,
	admin_cmds_backup,
	admin_cmds_mailbox, admin_cmds_pop3, admin_cmds_queue, admin_cmds_relay, admin_cmds_status, admin_cmds_undelete, passed_on
};

const struct admin_command *
command_find(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		for (const struct admin_command *c = families[i]; c->name != NULL; c++)
			if (span_eq_str(name, c->name))
				return c;
	return NULL;
}

/* Shared steps -------------------------------------------------------------- */

void
ask_authd(struct request *rq, const char *command, struct span args, auth_admin_fn fn)
{
	struct auth_admin a = { span_str(command), args };

	rq->lookup = auth_admin(rq->admind->auth, &a, fn, rq);
}

void
answer_as_authd(struct request *rq, enum status st, struct span result)
{
	if (result.len > 0)
		request_done(rq, st, result);
	else if (st == ST_UNAVAILABLE)
		request_fail(rq, st, "authd does not answer: the change may have happened or not");
	else
		request_fail(rq, st, "authd says: %s", status_name(st));
}

void
put_address_args(struct buf *out, struct span address)
{
	struct json_writer w;

	json_writer_init(&w, out);
	json_begin_object(&w);
	json_kv_string(&w, "address", address);
	json_end_object(&w);
}

bool
need_address(struct request *rq, struct span *address)
{
	if (json_get_string(rq->args, "address", address))
		return true;
	request_fail(rq, ST_SYNTAX, "an address is needed");
	return false;
}

bool
read_account(const struct json *v, uint64_t *id, uint32_t *shard)
{
	struct buf raw = { 0 };
	struct span hex;
	uint64_t n;
	bool ok = json_get_string(v, "id", &hex) && hex_decode(hex, 8, &raw) && raw.len == 8 &&
	    json_get_uint(v, "shard", &n) && n <= UINT32_MAX;

	if (ok) {
		*id = get_be64(raw.data);
		*shard = (uint32_t)n;
	}
	buf_fini(&raw);
	return ok;
}

bool
parse_account(struct span result, uint64_t *id, uint32_t *shard)
{
	struct json_doc *doc = NULL;
	bool ok = json_parse(result, ADMIN_RESULT_MAX, &doc) == ST_OK &&
	    read_account(json_root(doc), id, shard);

	json_free(&doc);
	return ok;
}

void
ask_account(struct request *rq, struct span address, auth_admin_fn fn)
{
	struct buf args = { 0 };

	put_address_args(&args, address);
	ask_authd(rq, "account-show", buf_span(&args), fn);
	buf_fini(&args);
}

bool
take_account(struct request *rq, enum status st, struct span result, uint64_t *id,
    uint32_t *shard)
{
	rq->lookup = NULL;
	if (st != ST_OK)
		answer_as_authd(rq, st, result);
	else if (parse_account(result, id, shard))
		return true;
	else
		fail_not_understood(rq);
	return false;
}

void
fail_not_understood(struct request *rq)
{
	request_fail(rq, ST_BUG, "authd's answer is not understood");
}

void
fail_as_store(struct request *rq, enum status st)
{
	request_fail(rq, st, "the store says: %s", status_name(st));
}

/* An account's mail --------------------------------------------------------- */

static void
on_event(void *arg, enum store_event ev, uint64_t modseq)
{
	/* the call under way hears what matters */
}

static void
on_ticket(void *arg, enum status st, struct span result)
{
	struct access *x = arg;
	struct request *rq = x->rq;
	struct json_doc *doc = NULL;
	struct span hex;
	bool ok;

	rq->lookup = NULL;
	if (st != ST_OK) {
		answer_as_authd(rq, st, result);
		return;
	}
	ok = json_parse(result, ADMIN_RESULT_MAX, &doc) == ST_OK &&
	    read_account(json_root(doc), &x->account, &x->shard) &&
	    json_get_string(json_root(doc), "ticket", &hex) &&
	    hex_decode(hex, TICKET_LEN, &x->ticket);
	json_free(&doc);
	if (!ok) {
		fail_not_understood(rq);
		return;
	}
	request_touch(rq);
	x->store = store_open_channel(rq->admind->pool, x->shard, buf_span(&x->ticket), on_event,
	    x);
	x->fn(x);
}

void
access_start(struct access *x, struct request *rq, struct span address, access_fn fn)
{
	struct auth_admin a = { SPAN_LIT("ticket"), SPAN_NONE };
	struct buf args = { 0 };

	x->rq = rq;
	x->fn = fn;
	put_address_args(&args, address);
	a.args = buf_span(&args);
	rq->lookup = auth_admin(rq->admind->auth, &a, on_ticket, x);
	buf_fini(&args);
}

void
access_end(struct access *x)
{
	store_cancel(&x->call);
	store_close(&x->store);
	if (x->ticket.len > 0)
		auth_logout(x->rq->admind->auth, buf_span(&x->ticket));
	buf_fini_secret(&x->ticket);
}
