/* SELECT, EXAMINE, CLOSE, UNSELECT. */
#include "imapd/session.h"

#include "common/mail/mailbox_name.h"

struct select {
	struct span	path;
	bool		readonly;
};

static void
put_code(struct buf *out, const char *name, uint64_t value)
{
	buf_add_str(out, "* OK [");
	buf_add_str(out, name);
	buf_add_c(out, ' ');
	buf_add_u64(out, value);
	buf_add_str(out, "] Noted\r\n");
}

static void
tell_selected(struct imap_session *s, const struct store_opened *o)
{
	struct imap_view *v = s->view;
	struct buf *out = imap_out(s);

	imap_view_tell_keywords(v, true, out);
	v->told_count = v->count;
	v->told_recent = imap_view_recent(v);
	buf_addf(out, "* %u EXISTS\r\n* %u RECENT\r\n", v->count, v->told_recent);
	if (o->unseen_first != 0 && imap_view_seq(v, o->unseen_first) != 0)
		put_code(out, "UNSEEN", imap_view_seq(v, o->unseen_first));
	put_code(out, "UIDVALIDITY", o->uidvalidity);
	put_code(out, "UIDNEXT", o->uidnext);
	put_code(out, "HIGHESTMODSEQ", o->highestmodseq);
}

static void
on_opened(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct imap_session *s = cmd->session;
	struct select *sel = cmd->data;
	const struct store_opened *o = msg;
	struct store_watch watch = { true };
	bool readonly;

	if (more)
		return;
	if (st != ST_OK || o == NULL) {
		imap_cmd_done(cmd, st != ST_OK ? st : ST_BUG);
		return;
	}
	readonly = sel->readonly || !(o->rights & (RIGHT_SEEN | RIGHT_WRITE | RIGHT_DELETE_MSG |
	    RIGHT_EXPUNGE | RIGHT_INSERT));
	s->view = imap_view_new(o, sel->path, readonly);
	s->state = IMAP_IN_SELECTED;
	tell_selected(s, o);
	store_do_watch(s->store, &watch, imap_ignore, NULL);
	/* Between the snapshot and the watch something may have happened: asked for by the
	 * next command. */
	s->view->dirty = true;
	cmd->no_sync = true;
	imap_cmd_end(cmd, readonly ? (sel->readonly ? "OK [READ-ONLY] EXAMINE completed" :
	    "OK [READ-ONLY] SELECT completed") : "OK [READ-WRITE] SELECT completed");
}

/* select = "SELECT" SP mailbox [SP "(" "CONDSTORE" ")"]  (RFC 7162 §3.1.8) */
static void
select_mailbox(struct imap_cmd *cmd, bool readonly)
{
	struct imap_session *s = cmd->session;
	struct select *sel = arena_zalloc(&cmd->arena, sizeof(*sel));
	struct store_open rq = { .claim_recent = !readonly };

	imap_args_sp(&cmd->args);
	rq.path = sel->path = imap_args_mailbox(&cmd->args);
	sel->readonly = readonly;
	if (imap_args_try(&cmd->args, ' ')) {
		imap_args_expect(&cmd->args, '(');
		if (!imap_args_word(&cmd->args, "CONDSTORE"))
			imap_args_fail(&cmd->args, "Only CONDSTORE may follow");
		imap_args_expect(&cmd->args, ')');
		if (imap_args_end(&cmd->args))
			s->condstore = true;
	}
	/* Whatever comes of it, the one selected before is left (RFC 3501 §6.3.1). */
	if (!imap_args_end(&cmd->args) && cmd->args.error == IMAP_ARGS_BAD) {
		imap_cmd_syntax(cmd);
		return;
	}
	if (s->view != NULL) {
		/* RFC 7162 §3.2.11: what follows is about another mailbox. */
		buf_add_str(imap_out(s), "* OK [CLOSED] The mailbox before is left\r\n");
		imap_session_set_state(s, IMAP_IN_AUTH);
	}
	if (!imap_args_end(&cmd->args)) {
		imap_cmd_done(cmd, ST_NOT_FOUND);
		return;
	}
	cmd->data = sel;
	store_do_open(s->store, &rq, on_opened, cmd);
}

static void
cmd_select(struct imap_cmd *cmd)
{
	select_mailbox(cmd, false);
}

static void
cmd_examine(struct imap_cmd *cmd)
{
	select_mailbox(cmd, true);
}

static void
on_closed(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;

	if (more)
		return;
	/* Closed in any case; what could not be expunged is still there. */
	imap_session_set_state(cmd->session, IMAP_IN_AUTH);
	imap_cmd_done(cmd, st == ST_DENIED ? ST_OK : st);
}

static void
cmd_close(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct store_expunge rq = { .mailbox = s->view->mailbox };

	if (!imap_args_end(&cmd->args)) {
		imap_cmd_syntax(cmd);
	} else if (s->view->readonly) {
		imap_session_set_state(s, IMAP_IN_AUTH);
		imap_cmd_done(cmd, ST_OK);
	} else {
		store_do_expunge(s->store, &rq, on_closed, cmd);
	}
}

static void
cmd_unselect(struct imap_cmd *cmd)
{
	if (!imap_args_end(&cmd->args)) {
		imap_cmd_syntax(cmd);
		return;
	}
	imap_session_set_state(cmd->session, IMAP_IN_AUTH);
	imap_cmd_done(cmd, ST_OK);
}

const struct imap_command imap_cmds_select[] = {
	/* name		allowed in		flags	capability	run */
	{ "SELECT",	IMAP_IN_LOGIN,		0,	NULL,		cmd_select },
	{ "EXAMINE",	IMAP_IN_LOGIN,		0,	NULL,		cmd_examine },
	{ "CLOSE",	IMAP_IN_SELECTED,	0,	NULL,		cmd_close },
	{ "UNSELECT",	IMAP_IN_SELECTED,	0,	"UNSELECT",	cmd_unselect },
	{ 0 }
};
