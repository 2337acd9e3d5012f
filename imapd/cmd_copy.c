/* COPY and MOVE (RFC 6851), with their UID forms. */
#include "imapd/names.h"

#include "common/util/mem.h"
#include "imapd/events.h"
#include "imapd/limits.h"
#include "imapd/notify.h"
#include "imapd/sync.h"

struct copying {
	bool	move;
};

/* "[COPYUID v from to] " (RFC 4315 §3). */
static void
put_copyuid(struct buf *out, const struct store_copied *c, const struct uidset *from)
{
	struct uidset to = { 0 };
	struct reader r;

	reader_init(&r, c->to.p, c->to.len);
	uidset_decode(&to, &r, SIZE_MAX);
	buf_addf(out, "OK [COPYUID %u ", c->uidvalidity);
	uidset_print(from, out);
	buf_add_c(out, ' ');
	uidset_print(&to, out);
	buf_add_str(out, "] ");
	uidset_fini(&to);
}

static void
own_copies(struct imap_session *s, const struct store_copied *c)
{
	struct uidset to = { 0 };
	struct reader r;

	reader_init(&r, c->to.p, c->to.len);
	if (c->to.len > 0 && uidset_decode(&to, &r, SIZE_MAX))
		imap_notify_own(s, c->target, &to);
	uidset_fini(&to);
}

/* What is brought back out of what was deleted is no copy. */
static void
tell_event(struct imap_cmd *cmd, const struct store_copied *c)
{
	struct uidset to = { 0 };
	struct reader r;

	reader_init(&r, c->to.p, c->to.len);
	if (c->to.len > 0 && uidset_decode(&to, &r, SIZE_MAX))
		imap_event(cmd, cmd->session->store, EVENT_COPY, c->target, 0, &to);
	uidset_fini(&to);
}

static void
copied(struct imap_cmd *cmd, const struct store_copied *c)
{
	struct imap_session *s = cmd->session;
	struct copying *q = cmd->data;
	struct uidset from = { 0 };
	struct reader r;

	reader_init(&r, c->from.p, c->from.len);
	if (c->from.len > 0)
		uidset_decode(&from, &r, SIZE_MAX);
	tell_event(cmd, c);
	if (imap_store_is_undelete(s, s->store)) {
		s->view->dirty = true;	/* what is brought back leaves */
	} else if (c->target == s->view->mailbox) {
		s->view->dirty = true;
		own_copies(s, c);
	}
	buf_clear(&cmd->result);
	if (uidset_empty(&from)) {
		buf_add_str(&cmd->result, "OK Nothing to do");
	} else if (q->move) {
		/* RFC 6851 §4.3: before the EXPUNGEs. */
		buf_add_str(imap_out(s), "* ");
		put_copyuid(imap_out(s), c, &from);
		buf_add_str(imap_out(s), "Moved\r\n");
		imap_tell_expunged(s, &from);
		buf_add_str(&cmd->result, "OK MOVE completed");
	} else {
		put_copyuid(&cmd->result, c, &from);
		buf_add_str(&cmd->result, "COPY completed");
	}
	uidset_fini(&from);
	imap_cmd_end_result(cmd);
}

static void
on_copied(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;

	if (more)
		return;
	if (st == ST_OK && msg != NULL && !imap_cap_on(cmd->session, CAP_UIDPLUS))
		tell_event(cmd, msg);
	if (st == ST_OK && msg != NULL && imap_cap_on(cmd->session, CAP_UIDPLUS))
		copied(cmd, msg);
	else if (st == ST_NOT_FOUND)
		imap_cmd_end(cmd, "NO [TRYCREATE] No such mailbox");
	else
		imap_cmd_done(cmd, st);
}

static void
copy(struct imap_cmd *cmd, bool move)
{
	struct imap_session *s = cmd->session;
	struct copying *q = arena_zalloc(&cmd->arena, sizeof(*q));
	struct store_copy rq = { .move = move };
	struct uidset uids = { 0 }, gone = { 0 };
	struct buf set = { 0 };
	struct span text, path;
	struct store *to;

	imap_args_sp(&cmd->args);
	text = imap_args_sequence_set(&cmd->args);
	imap_args_sp(&cmd->args);
	rq.to = imap_args_mailbox(&cmd->args);
	if (!imap_args_end(&cmd->args)) {
		imap_cmd_syntax(cmd);
		return;
	}
	if (!imap_cmd_uids(cmd, text, &uids))
		return;
	if (!move && imap_limit_refuse(cmd, uidset_count(&uids), imap_save_limit(s), &uids)) {
		uidset_fini(&uids);
		return;
	}
	if (move)
		imap_limit_uids(cmd, &uids);
	q->move = move;
	cmd->data = q;
	uidset_copy(&gone, &uids);
	uidset_intersect(&gone, &s->view->expunged);
	if (!cmd->uid && !uidset_empty(&gone)) {
		/* RFC 2180 §4.4.1 */
		imap_cmd_end(cmd, "NO [EXPUNGEISSUED] Some of the messages are gone");
	} else if (uidset_empty(&uids)) {
		imap_cmd_done(cmd, ST_OK);
	} else {
		uidset_encode(&uids, &set);
		rq.mailbox = s->view->mailbox;
		rq.uids = buf_span(&set);
		path = rq.to;
		to = imap_route(s, &rq.to);
		if (imap_store_is_undelete(s, to))
			imap_cmd_end(cmd, "NO [CANNOT] What was deleted is kept there, and nothing else");
		/* Out of it messages are brought back, which needs no copy. */
		else if (to == s->store || (to == s->home && imap_store_is_undelete(s, s->store)))
			store_do_copy(s->store, &rq, on_copied, cmd);
		else
			imap_append_across(cmd, &uids, path, move);
	}
	buf_fini(&set);
	uidset_fini(&gone);
	uidset_fini(&uids);
}

static void
cmd_copy(struct imap_cmd *cmd)
{
	copy(cmd, false);
}

static void
cmd_move(struct imap_cmd *cmd)
{
	copy(cmd, true);
}

const struct imap_command imap_cmds_copy[] = {
	/* name		allowed in		flags				cap	run */
	{ "COPY",	IMAP_IN_SELECTED,	IMAP_CMD_UID | IMAP_CMD_LONG,	CAP_NONE,		cmd_copy },
	{ "MOVE",	IMAP_IN_SELECTED,	IMAP_CMD_UID | IMAP_CMD_WRITES | IMAP_CMD_LONG,	CAP_MOVE,		cmd_move },
	{ 0 }
};
