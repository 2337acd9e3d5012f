/* IDLE (RFC 2177): nothing is kept but the connection and the view; a dirty note of
 * the store is answered with the same question that every command asks at its end. */
#include "imapd/session.h"

#include "imapd/notify.h"

struct idling {
	bool	asking;		/* a sync is under way */
	bool	again;		/* dirty meanwhile */
	bool	done;		/* the client said DONE meanwhile */
};

static void
arm(struct imap_session *s)
{
	uint32_t still_s = s->srv->conf->idle_keepalive_s;

	if (still_s == 0)
		still_s = s->srv->conf->idle_timeout_s;
	loop_timer_set(s->timer, (uint64_t)still_s * 1000);
}

static void
idle_done(struct imap_cmd *cmd)
{
	conn_set_idle(cmd->session->conn,
	    ((uint64_t)cmd->session->srv->conf->idle_timeout_s + 60) * 1000);
	imap_cmd_done(cmd, ST_OK);
}

static void
synced(struct imap_cmd *cmd)
{
	struct idling *q = cmd->data;

	q->asking = false;
	if (q->done) {
		idle_done(cmd);
	} else if (q->again) {
		q->again = false;
		imap_idle_dirty(cmd);
	}
}

void
imap_idle_dirty(struct imap_cmd *cmd)
{
	struct idling *q = cmd->data;

	/* Who does not read what was told is told no more until he does. */
	if (!q->asking && conn_full(cmd->session->conn)) {
		cmd->drained = imap_idle_dirty;
		return;
	}
	if (q->asking) {
		q->again = true;
		return;
	}
	q->asking = true;
	imap_notify_run(cmd, synced);
}

void
imap_idle_still_here(struct imap_cmd *cmd)
{
	if (conn_full(cmd->session->conn)) {
		imap_session_cut(cmd->session);
		return;
	}
	buf_add_str(imap_out(cmd->session), "* OK Still here\r\n");
	arm(cmd->session);
}

static void
take_line(struct imap_cmd *cmd, bool done)
{
	struct idling *q = cmd->data;

	imap_reader_next(&cmd->session->reader);
	if (!done) {
		imap_session_bye(cmd->session, "[CLIENTBUG] Only DONE may end IDLE");
		return;
	}
	cmd->input = NULL;
	q->done = true;
	if (!q->asking)
		idle_done(cmd);
}

static bool
read_done(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;

	switch (imap_reader_read(&s->reader, conn_in(s->conn))) {
	case IMAP_READ_COMMAND:
		take_line(cmd, span_caseeq_str(buf_span(&s->reader.text), "DONE"));
		return true;
	case IMAP_READ_MORE:
		return false;
	default:
		take_line(cmd, false);
		return false;
	}
}

static void
cmd_idle(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;

	if (!imap_args_end(&cmd->args)) {
		imap_cmd_syntax(cmd);
		return;
	}
	cmd->data = arena_zalloc(&cmd->arena, sizeof(struct idling));
	cmd->input = read_done;
	buf_add_str(imap_out(s), "+ idling\r\n");
	imap_reader_next(&s->reader);
	conn_set_idle(s->conn, 0);
	arm(s);
	if (s->view != NULL || s->notify != NULL)
		imap_idle_dirty(cmd);
}

bool
imap_cmd_is_idle(const struct imap_cmd *cmd)
{
	return cmd->def != NULL && cmd->def->run == cmd_idle && !cmd->ended && cmd->input != NULL;
}

const struct imap_command imap_cmds_idle[] = {
	/* name		allowed in	flags	cap	run */
	{ "IDLE",	IMAP_IN_LOGIN,	0,	CAP_IDLE,		cmd_idle },
	{ 0 }
};
