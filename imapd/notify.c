/* NOTIFY (RFC 5465): telling between commands.  Mailboxes are compared with what the client was
 * told of them: the store names those that moved, or says that the list is to be read again. */
#include "imapd/notify_priv.h"

#include "common/util/mem.h"
#include "imapd/annotations.h"
#include "imapd/beside.h"
#include "imapd/sync.h"

void
imap_notify_free(struct imap_notify **np)
{
	struct imap_notify *n = *np;

	if (n == NULL)
		return;
	for (size_t i = 0; i < n->n_all; i++)
		notify_known_free(n->all[i]);
	mem_free(&n->all);
	table_fini(&n->by_id, NULL, NULL);
	table_fini(&n->by_path, NULL, NULL);
	uidset_fini(&n->fresh);
	uidset_fini(&n->own);
	buf_fini(&n->own_noted);
	arena_fini(&n->arena);
	mem_free(np);
}

static bool
uses_notify(const struct imap_session *s)
{
	return s->notify != NULL && !s->notify->passive;
}

bool
imap_notify_silent(const struct imap_session *s)
{
	return uses_notify(s) && s->notify->selected == 0;
}

bool
imap_notify_flags(const struct imap_session *s)
{
	return !uses_notify(s) || (s->notify->selected & EV_FLAG) != 0;
}

bool
imap_notify_annotations(struct imap_session *s)
{
	struct imap_view *v = s->view;

	if (s->notify != NULL && (s->notify->selected & EV_ANNOTATION) && v->annotated == NULL)
		v->annotated = imap_annotated_new(v->modseq);
	return v->annotated != NULL;
}

bool
imap_notify_expunges(const struct imap_session *s)
{
	return uses_notify(s) && !s->notify->delayed;
}

/* RFC 5465 §5.2 */
void
imap_notify_own(struct imap_session *s, uint64_t mailbox, const struct uidset *uids)
{
	struct imap_notify *n = s->notify;

	if (n != NULL && n->atts.len > 0 && s->view != NULL && s->view->mailbox == mailbox)
		uidset_add_set(&n->own, uids);
}

void
imap_notify_new(struct imap_session *s, uint32_t above)
{
	struct imap_notify *n = s->notify;

	if (n == NULL || n->atts.len == 0)
		return;
	if (n->mailbox != s->view->mailbox)
		uidset_clear(&n->fresh);
	n->mailbox = s->view->mailbox;
	if (above < UINT32_MAX)
		imap_view_add_uids(s->view, above + 1, UINT32_MAX, &n->fresh);
	uidset_remove_set(&n->fresh, &n->own);
	uidset_clear(&n->own);
	n->pending |= !uidset_empty(&n->fresh);
}

/* ---- a round of telling: the selected mailbox, its new messages, the others ---- */

static void
round_end(struct imap_cmd *cmd)
{
	struct imap_notify *n = cmd->session->notify;
	void (*done)(struct imap_cmd *) = n->done;

	n->running = false;
	done(cmd);
}

static void
on_list(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct imap_notify *n = cmd->session->notify;
	const struct store_mailboxes *part = msg;

	if (st == ST_OK && part != NULL)
		notify_take_lines(n, part->list, true);
	if (more)
		return;
	if (st == ST_OK) {
		n->modseq = n->asked;
		notify_tell_all(cmd->session, true);
	} else {
		n->pending = st == ST_UNAVAILABLE;
	}
	round_end(cmd);
}

static void
on_touched(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct imap_notify *n = cmd->session->notify;
	const struct store_touched_are *are = msg;
	struct store_list rq = { 0 };

	if (more)
		return;
	if (st == ST_OK && are != NULL)
		notify_tell_metadata(cmd->session, are);
	if (st == ST_OK && are != NULL && n->passive) {
		n->modseq = are->modseq;
		round_end(cmd);
		return;
	}
	if (st == ST_OK && are != NULL && are->all) {
		n->asked = are->modseq;
		n->epoch++;
		store_do_list(cmd->session->home, &rq, on_list, cmd);
		return;
	}
	if (st == ST_OK && are != NULL) {
		notify_take_lines(n, are->list, false);
		n->modseq = are->modseq;
		notify_tell_all(cmd->session, false);
	}
	round_end(cmd);
}

static void
ask_others(struct imap_cmd *cmd)
{
	struct imap_notify *n = cmd->session->notify;
	struct store_touched rq = { .since = n->modseq };

	if (!n->others && !n->passive) {
		round_end(cmd);
		return;
	}
	if (conn_full(cmd->session->conn)) {
		cmd->drained = ask_others;
		return;
	}
	store_do_touched(cmd->session->home, &rq, on_touched, cmd);
}

static void
fetch_new(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct imap_notify *n = s->notify;

	if (s->view == NULL || n->mailbox != s->view->mailbox)
		uidset_clear(&n->fresh);
	if (uidset_empty(&n->fresh) ||
	    !imap_beside_fetch(cmd, n->atts, true, &n->fresh, ask_others))
		ask_others(cmd);
}

static void
start_round(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct imap_notify *n = s->notify;

	n->pending = false;
	n->running = true;
	if (n->passive && (cmd->background || s->view == NULL))
		ask_others(cmd);
	else if (n->passive)
		imap_sync(cmd, ask_others);
	else if (s->view != NULL && n->selected != 0 && imap_sync_due(s->view))
		imap_sync(cmd, fetch_new);
	else
		fetch_new(cmd);
}

void
imap_notify_run(struct imap_cmd *cmd, void (*done)(struct imap_cmd *cmd))
{
	struct imap_session *s = cmd->session;

	if (s->notify == NULL) {
		imap_sync(cmd, done);
		return;
	}
	s->notify->done = done;
	start_round(cmd);
}

static void
told(struct imap_cmd *cmd)
{
	imap_session_background_end(cmd);
}

void
imap_notify_dirty(struct imap_session *s)
{
	struct imap_notify *n = s->notify;

	if (n == NULL || !n->pending || n->running || s->cmd != NULL || s->ending ||
	    conn_full(s->conn))
		return;
	imap_notify_run(imap_session_background(s), told);
}

void
imap_notify_note(struct imap_session *s)
{
	if (s->notify == NULL)
		return;
	s->notify->pending = s->notify->others || s->notify->passive ||
	    (s->notify->selected != 0 && s->view != NULL);
	imap_notify_dirty(s);
}
