/* Tells clients that their commands are under way. */
#include "imapd/progress.h"

#include "common/util/clock.h"

/* Between two looks at the sessions, in parts of the interval. */
#define LOOKS 4u

static bool
watched(const struct imap_cmd *cmd)
{
	return cmd != NULL && cmd->def != NULL && (cmd->def->flags & IMAP_CMD_LONG) && !cmd->ended;
}

/* The tag may not end the response code (RFC 9585 §4). */
static void
put_tag(struct span tag, struct buf *out)
{
	for (size_t i = 0; i < tag.len; i++) {
		if (tag.p[i] == ']') {
			buf_add_str(out, "NIL");
			return;
		}
	}
	buf_add_c(out, '"');
	buf_add_span(out, tag);
	buf_add_c(out, '"');
}

static void
tell(struct imap_cmd *cmd)
{
	struct buf *out = imap_out(cmd->session);
	uint64_t done = 0, goal = 0;

	if (cmd->progress != NULL)
		cmd->progress(cmd, &done, &goal);
	buf_add_str(out, "* OK [INPROGRESS (");
	put_tag(cmd->tag, out);
	if (goal == 0)
		buf_add_str(out, " NIL NIL)] Still at it\r\n");
	else
		buf_addf(out, " %llu %llu)] Still at it\r\n",
		    (unsigned long long)(done < goal ? done : goal - 1), (unsigned long long)goal);
}

static void
on_look(void *arg)
{
	struct imap_server *srv = arg;
	uint64_t now = clock_mono_ms(), interval = (uint64_t)srv->conf->progress_interval_s * 1000;
	struct list *node, *tmp;
	bool any = false;

	if (interval == 0)
		return;
	list_each(node, tmp, &srv->sessions) {
		struct imap_session *s = list_entry(node, struct imap_session, node);
		struct imap_cmd *cmd = s->cmd;

		if (s->ending || !watched(cmd))
			continue;
		any = true;
		/* Who waits for the client may stand in the middle of a line. */
		if (now - cmd->told_ms < interval || cmd->drained != NULL || conn_full(s->conn) ||
		    !imap_cap_on(s, CAP_INPROGRESS))
			continue;
		cmd->told_ms = now;
		tell(cmd);
	}
	if (any)
		loop_timer_set(srv->progress, interval / LOOKS);
}

void
imap_progress_watch(struct imap_cmd *cmd)
{
	struct imap_server *srv = cmd->session->srv;
	uint64_t interval = (uint64_t)srv->conf->progress_interval_s * 1000;

	if (interval == 0 || !watched(cmd))
		return;
	cmd->told_ms = clock_mono_ms();
	if (srv->progress == NULL)
		srv->progress = loop_timer_new(srv->loop, on_look, srv);
	if (!loop_timer_is_set(srv->progress))
		loop_timer_set(srv->progress, interval / LOOKS);
}
