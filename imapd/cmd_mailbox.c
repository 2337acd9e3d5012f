/* CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, NAMESPACE. */
#include "imapd/list.h"
#include "imapd/names.h"

#include <string.h>

#include "common/mail/mailbox_name.h"
#include "common/mail/object_id.h"
#include "common/util/mem.h"

struct creating {
	struct span	path, given;
	uint8_t		role;
};

static void
on_created(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	const struct creating *q = cmd->data;
	const struct store_created *made = msg;

	if (more)
		return;
	if (st == ST_CONFLICT && q->role != MAILBOX_ROLE_NONE) {
		imap_cmd_end(cmd, "NO [USEATTR] Another mailbox has this use");
		return;
	}
	if (st != ST_OK || made == NULL) {
		imap_cmd_done(cmd, st != ST_OK ? st : ST_BUG);
		return;
	}
	imap_put_oldname(cmd->session, q->path, q->given, false);
	if (!imap_cap_on(cmd->session, CAP_OBJECTID)) {
		imap_cmd_done(cmd, ST_OK);
		return;
	}
	buf_clear(&cmd->result);
	buf_add_str(&cmd->result, "OK [MAILBOXID (");
	object_id_put(&cmd->result, OBJECT_MAILBOX, made->mailbox);
	buf_add_str(&cmd->result, ")] CREATE completed");
	imap_cmd_end_result(cmd);
}

/* create = "CREATE" SP mailbox [SP "(" "USE" SP "(" *use-attr ")" ")"]  (RFC 6154 §3, §6) */
static void
cmd_create(struct imap_cmd *cmd)
{
	struct imap_args *a = &cmd->args;
	struct store_create rq = { 0 };
	struct creating *q = arena_zalloc(&cmd->arena, sizeof(*q));
	enum mailbox_role role = MAILBOX_ROLE_NONE;
	bool known = true;
	unsigned n = 0;

	cmd->data = q;
	imap_args_sp(a);
	rq.path = imap_args_mailbox_as(a, &q->given);
	q->path = rq.path;
	if (imap_cap_on(cmd->session, CAP_CREATE_SPECIAL_USE) && imap_args_try(a, ' ')) {
		imap_args_expect(a, '(');
		if (!imap_args_word(a, "USE"))
			imap_args_fail(a, "Only USE may follow");
		imap_args_sp(a);
		imap_args_expect(a, '(');
		while (imap_args_good(a) && !imap_args_peek(a, ')')) {
			if (n++ > 0)
				imap_args_sp(a);
			imap_args_expect(a, '\\');
			known &= mailbox_role_parse(imap_args_atom(a), &role);
		}
		imap_args_expect(a, ')');
		imap_args_expect(a, ')');
	}
	if (!imap_args_end(a)) {
		imap_cmd_syntax(cmd);
		return;
	}
	/* One use for a mailbox; what shows mail that lies elsewhere cannot be made. */
	if (!known || n > 1 || role == MAILBOX_ROLE_INBOX || role == MAILBOX_ROLE_ALL ||
	    role == MAILBOX_ROLE_FLAGGED) {
		imap_cmd_end(cmd, "NO [USEATTR] A mailbox cannot be made for this use");
		return;
	}
	rq.role = q->role = (uint8_t)role;
	if (mailbox_name_is_inbox(rq.path))
		imap_cmd_done(cmd, ST_EXISTS);
	else
		store_do_create(imap_route(cmd->session, &rq.path), &rq, on_created, cmd);
}

static void
on_deleted(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;

	if (st == ST_CONFLICT)
		imap_cmd_end(cmd, "NO [HASCHILDREN] The mailbox has mailboxes below it");
	else
		imap_cmd_done(cmd, st);
}

/* delete = "DELETE" SP mailbox */
static void
cmd_delete(struct imap_cmd *cmd)
{
	struct store_delete rq = { 0 };

	imap_args_sp(&cmd->args);
	rq.path = imap_args_mailbox(&cmd->args);
	if (!imap_args_end(&cmd->args))
		imap_cmd_syntax(cmd);
	else if (mailbox_name_is_inbox(rq.path))
		imap_cmd_end(cmd, "NO [CANNOT] INBOX cannot be deleted");
	else
		store_do_delete(imap_route(cmd->session, &rq.path), &rq, on_deleted, cmd);
}

struct renaming {
	struct span	from, to;
};

static void
on_renamed(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	const struct renaming *q = cmd->data;

	if (more)
		return;
	/* Of INBOX the messages were moved, not the mailbox. */
	if (st == ST_OK)
		imap_put_oldname(cmd->session, q->to,
		    mailbox_name_is_inbox(q->from) ? SPAN_NONE : q->from, true);
	imap_cmd_done(cmd, st);
}

/* Messages and their history belong to an account: none of it moves to another one. */
static void
rename_at(struct imap_cmd *cmd, struct store_rename *rq)
{
	struct store *from = imap_route(cmd->session, &rq->from);
	struct store *to = imap_route(cmd->session, &rq->to);

	if (from != to)
		imap_cmd_end(cmd, "NO [CANNOT] A mailbox cannot move to another account");
	else
		store_do_rename(from, rq, on_renamed, cmd);
}

/* rename = "RENAME" SP mailbox SP mailbox */
static void
cmd_rename(struct imap_cmd *cmd)
{
	struct store_rename rq = { 0 };
	struct renaming *q = arena_zalloc(&cmd->arena, sizeof(*q));

	imap_args_sp(&cmd->args);
	rq.from = imap_args_mailbox(&cmd->args);
	imap_args_sp(&cmd->args);
	rq.to = imap_args_mailbox(&cmd->args);
	*q = (struct renaming){ rq.from, rq.to };
	cmd->data = q;
	if (!imap_args_end(&cmd->args))
		imap_cmd_syntax(cmd);
	else if (mailbox_name_is_inbox(rq.to) || span_eq(rq.from, rq.to))
		imap_cmd_done(cmd, ST_EXISTS);
	else if (mailbox_name_is_below(rq.to, rq.from) && !mailbox_name_is_inbox(rq.from))
		imap_cmd_end(cmd, "NO [CANNOT] A mailbox cannot be moved below itself");
	else
		rename_at(cmd, &rq);
}

static void
subscribe(struct imap_cmd *cmd, bool on)
{
	struct store_subscribe rq = { .on = on };

	imap_args_sp(&cmd->args);
	rq.path = imap_args_mailbox(&cmd->args);
	if (!imap_args_end(&cmd->args))
		imap_cmd_syntax(cmd);
	else if (on && imap_is_undelete(cmd->session, rq.path))
		imap_cmd_end(cmd, "NO [CANNOT] What was deleted is not subscribed to");
	else
		store_do_subscribe(cmd->session->home, &rq, imap_cmd_finish, cmd);
}

static void
cmd_subscribe(struct imap_cmd *cmd)
{
	subscribe(cmd, true);
}

static void
cmd_unsubscribe(struct imap_cmd *cmd)
{
	subscribe(cmd, false);
}

static void
put_prefix(struct imap_session *s, struct span prefix)
{
	if (prefix.len == 0)
		return;
	buf_add_str(imap_out(s), "(\"");
	buf_add_span(imap_out(s), prefix);
	buf_add_str(imap_out(s), "/\" \"/\")");
}

/* What was deleted stands with the shared ones: it is no place for a client's own mailboxes, and
 * nobody's mail. */
static void
put_namespace(struct imap_session *s, bool shared)
{
	struct span prefix = imap_cap_on(s, CAP_ACL) ? imap_namespace(s, shared) : SPAN_NONE;
	struct span undelete = imap_undelete_prefix(s);

	if (prefix.len == 0 && (!shared || undelete.len == 0)) {
		buf_add_str(imap_out(s), " NIL");
		return;
	}
	buf_add_str(imap_out(s), " (");
	put_prefix(s, prefix);
	if (shared)
		put_prefix(s, undelete);
	buf_add_c(imap_out(s), ')');
}

/* RFC 2342 */
static void
cmd_namespace(struct imap_cmd *cmd)
{
	if (!imap_args_end(&cmd->args)) {
		imap_cmd_syntax(cmd);
		return;
	}
	buf_add_str(imap_out(cmd->session), "* NAMESPACE ((\"\" \"/\"))");
	put_namespace(cmd->session, false);
	put_namespace(cmd->session, true);
	buf_add_str(imap_out(cmd->session), "\r\n");
	imap_cmd_done(cmd, ST_OK);
}

const struct imap_command imap_cmds_mailbox[] = {
	/* name			allowed in	flags			cap		run */
	{ "CREATE",		IMAP_IN_LOGIN,	IMAP_CMD_WRITES,	CAP_NONE,	cmd_create },
	{ "DELETE",		IMAP_IN_LOGIN,	IMAP_CMD_WRITES,	CAP_NONE,	cmd_delete },
	{ "RENAME",		IMAP_IN_LOGIN,	IMAP_CMD_WRITES,	CAP_NONE,	cmd_rename },
	{ "SUBSCRIBE",		IMAP_IN_LOGIN,	IMAP_CMD_WRITES,	CAP_NONE,	cmd_subscribe },
	{ "UNSUBSCRIBE",	IMAP_IN_LOGIN,	IMAP_CMD_WRITES,	CAP_NONE,	cmd_unsubscribe },
	{ "NAMESPACE",		IMAP_IN_LOGIN,	0,			CAP_NAMESPACE,	cmd_namespace },
	{ 0 }
};
