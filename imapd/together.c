#include "imapd/together.h"

#include "imapd/sync.h"

#define AT_ONCE	64u		/* under way together */

void
imap_together_begin(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;

	cmd->together = true;
	s->n_together = 1;
	imap_reader_next(&s->reader);
}

/* Where something is to be told, a client that goes on and on must hear of it. */
bool
imap_together_may(const struct imap_session *s)
{
	return s->cmd != NULL && s->cmd->together && !s->cmd->ended &&
	    s->held == IMAP_READ_MORE && s->n_behind + 1 < AT_ONCE && !s->srv->draining &&
	    (s->n_together < AT_ONCE || !imap_sync_due(s->view));
}

static bool
join(struct imap_session *s)
{
	struct imap_cmd *cmd = imap_session_take(s);

	if (cmd == NULL)
		return false;
	if (!imap_store_join(cmd)) {
		imap_cmd_free(&cmd);
		return false;
	}
	cmd->together = true;
	list_push_back(&s->behind, &cmd->node);
	s->n_behind++;
	s->n_together++;
	s->n_commands++;
	imap_reader_next(&s->reader);
	return true;
}

bool
imap_together_read(struct imap_session *s, struct buf *in)
{
	enum imap_read what = imap_reader_read(&s->reader, in);

	if (what != IMAP_READ_COMMAND || !join(s))
		s->held = what;
	return what != IMAP_READ_MORE;
}

bool
imap_together_next(struct imap_session *s)
{
	struct imap_cmd *cmd;

	if (list_empty(&s->behind))
		return false;
	cmd = list_entry(s->behind.next, struct imap_cmd, node);
	list_remove(&cmd->node);
	s->n_behind--;
	imap_session_promote(s, cmd);
	return true;
}

void
imap_together_free(struct imap_session *s)
{
	struct list *node, *tmp;

	list_each(node, tmp, &s->behind) {
		struct imap_cmd *cmd = list_entry(node, struct imap_cmd, node);

		list_remove(node);
		imap_cmd_free(&cmd);
	}
	s->n_behind = 0;
}
