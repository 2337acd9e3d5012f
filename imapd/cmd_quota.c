/* GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208).  An account is one quota root, called "".  Limits
 * are set by a master user who acts as the account.  What another has left is not told: his
 * mailboxes have no root here. */
#include "imapd/names.h"

#include "common/proto/imap_print.h"

static void
put_resource(struct buf *out, const char *name, uint64_t used, uint64_t limit, bool *any)
{
	if (limit == 0)
		return;
	buf_addf(out, "%s%s ", *any ? " " : "", name);
	buf_add_u64(out, used);
	buf_add_c(out, ' ');
	buf_add_u64(out, limit);
	*any = true;
}

/* STORAGE counts units of 1,024 octets: what is used rounds up, what is allowed down. */
static void
on_quota(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	const struct store_quota_is *q = msg;
	struct buf *out = imap_out(cmd->session);
	bool any = false;

	if (st == ST_OK && q != NULL) {
		uint64_t kib = q->bytes_limit / 1024;

		buf_add_str(out, "* QUOTA \"\" (");
		if (imap_cap_on(cmd->session, CAP_QUOTA_STORAGE))
			put_resource(out, "STORAGE", (q->bytes + 1023) / 1024,
			    q->bytes_limit > 0 && kib == 0 ? 1 : kib, &any);
		if (imap_cap_on(cmd->session, CAP_QUOTA_MESSAGE))
			put_resource(out, "MESSAGE", q->messages, q->messages_limit, &any);
		if (imap_cap_on(cmd->session, CAP_QUOTA_MAILBOX))
			put_resource(out, "MAILBOX", q->mailboxes, q->mailboxes_limit, &any);
		buf_add_str(out, ")\r\n");
	}
	imap_cmd_done(cmd, st);
}

static void
cmd_getquota(struct imap_cmd *cmd)
{
	struct span root;

	imap_args_sp(&cmd->args);
	root = imap_args_astring(&cmd->args);
	if (!imap_args_end(&cmd->args))
		imap_cmd_syntax(cmd);
	else if (root.len > 0)
		imap_cmd_end(cmd, "NO [NONEXISTENT] No such quota root");
	else
		store_do_quota(cmd->session->home, on_quota, cmd);
}

struct quotaroot {
	struct span	path;
	uint32_t	rights;
};

static void
put_quotaroot(struct imap_cmd *cmd, struct span path, const char *root)
{
	struct buf *out = imap_out(cmd->session);

	buf_add_str(out, "* QUOTAROOT ");
	imap_put_mailbox(cmd->session, out, path);
	buf_add_str(out, root);
	buf_add_str(out, "\r\n");
}

static void
on_others(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct quotaroot *q = cmd->data;
	const struct store_mailboxes *part = msg;
	struct store_mailbox m;
	struct reader r;

	if (st == ST_OK && part != NULL && part->list.len > 0) {
		reader_init(&r, part->list.p, part->list.len);
		if (get_store_mailbox(&r, &m) && m.id != 0)
			q->rights = m.rights;
	}
	if (more)
		return;
	if (st == ST_OK && q->rights == 0)
		st = ST_NOT_FOUND;
	else if (st == ST_OK && !(q->rights & RIGHT_READ))
		st = ST_DENIED;
	if (st == ST_OK)
		put_quotaroot(cmd, q->path, "");
	imap_cmd_done(cmd, st);
}

/* A mailbox of one's own need not exist. */
static void
cmd_getquotaroot(struct imap_cmd *cmd)
{
	struct quotaroot *q = arena_zalloc(&cmd->arena, sizeof(*q));
	struct store_list rq = { 0 };
	struct span path;

	imap_args_sp(&cmd->args);
	path = imap_args_mailbox(&cmd->args);
	if (!imap_args_end(&cmd->args)) {
		imap_cmd_syntax(cmd);
		return;
	}
	rq.path = q->path = arena_span(&cmd->arena, path);
	cmd->data = q;
	if (imap_route(cmd->session, &path) != cmd->session->home) {
		imap_list(cmd, &rq, on_others);
		return;
	}
	put_quotaroot(cmd, q->path, " \"\"");
	store_do_quota(cmd->session->home, on_quota, cmd);
}

static void
on_quota_set(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;

	if (st == ST_OK)
		store_do_quota(cmd->session->home, on_quota, cmd);
	else
		imap_cmd_done(cmd, st);
}

/* setquota_list = "(" [setquota_resource *(SP setquota_resource)] ")".  false: a resource or
 * a limit that cannot be set. */
static bool
read_limits(struct imap_args *a, struct store_quota_set *rq)
{
	bool known = true;

	imap_args_expect(a, '(');
	if (imap_args_try(a, ')'))
		return true;
	do {
		struct span name = imap_args_atom(a);
		uint64_t limit;

		imap_args_sp(a);
		limit = imap_args_number64(a);
		/* None at all cannot be said to the store: 0 is its default. */
		if (limit == 0 || limit > INT64_MAX / 1024)
			known = false;
		else if (span_caseeq_str(name, "STORAGE"))
			rq->bytes = limit * 1024;
		else if (span_caseeq_str(name, "MESSAGE"))
			rq->messages = limit;
		else if (span_caseeq_str(name, "MAILBOX"))
			rq->mailboxes = limit;
		else
			known = false;
	} while (imap_args_try(a, ' '));
	imap_args_expect(a, ')');
	return known;
}

static void
cmd_setquota(struct imap_cmd *cmd)
{
	struct imap_args *a = &cmd->args;
	struct store_quota_set rq = { 0 };
	struct span root;
	bool known;

	imap_args_sp(a);
	root = imap_args_astring(a);
	imap_args_sp(a);
	known = read_limits(a, &rq);
	if (!imap_args_end(a))
		imap_cmd_syntax(cmd);
	else if (root.len > 0)
		imap_cmd_end(cmd, "NO [NONEXISTENT] No such quota root");
	else if (!known)
		imap_cmd_end(cmd, "NO [CANNOT] No such limit can be set");
	else
		store_do_quota_set(cmd->session->home, &rq, on_quota_set, cmd);
}

const struct imap_command imap_cmds_quota[] = {
	/* name			allowed in	flags	cap		run */
	{ "GETQUOTA",		IMAP_IN_LOGIN,	0,	CAP_QUOTA,	cmd_getquota },
	{ "GETQUOTAROOT",	IMAP_IN_LOGIN,	0,	CAP_QUOTA,	cmd_getquotaroot },
	{ "SETQUOTA",		IMAP_IN_LOGIN,	0,	CAP_QUOTASET,	cmd_setquota },
	{ 0 }
};
