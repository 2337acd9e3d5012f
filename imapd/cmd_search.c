/* SEARCH (RFC 3501 §6.4.4), SORT and THREAD (RFC 5256) in the selected mailbox, with the
 * return options of RFC 4731, 5182, 5267, 6203 and 9394. */
#include "imapd/context.h"
#include "imapd/filters.h"
#include "imapd/finding.h"
#include "imapd/sorter.h"
#include "imapd/threader.h"

static void
told(struct imap_cmd *cmd)
{
	imap_cmd_done(cmd, ST_OK);
}

/* The result is complete and in its order. */
static void
answer(struct imap_cmd *cmd)
{
	struct imap_finding *f = cmd->data;

	imap_context_add(cmd);	/* before "$" changes */
	imap_finding_save(cmd);
	f->told = told;
	imap_finding_tell(cmd);
}

static void
searched(struct imap_cmd *cmd)
{
	imap_finding_in_order(cmd->data);
	answer(cmd);
}

static void
run_search(struct imap_cmd *cmd, void *arg)
{
	struct imap_finding *f = imap_finding_new(cmd, imap_search_parse);

	if (f == NULL || !imap_context_allowed(cmd))
		return;
	f->plain = "SEARCH";
	f->limited = true;
	if (cmd->session->rev2 && !f->q.extended) {	/* RFC 9051 §6.4.4 */
		f->q.extended = true;
		f->q.wants = IMAP_RETURN_ALL;
	}
	imap_finding_run(cmd, searched);
}

static void
cmd_search(struct imap_cmd *cmd)
{
	if (!imap_filters_expand(cmd, imap_search_parse, run_search, NULL))
		run_search(cmd, NULL);
}

/* ---- SORT ---- */

static void
on_sorted(void *arg, enum status st)
{
	struct imap_cmd *cmd = arg;
	struct imap_finding *f = cmd->data;

	if (st == ST_OK)
		sorter_take(f->sorter, &f->result.uids, &f->result.n, &f->result.scores);
	sorter_free(&f->sorter);
	if (st == ST_OK)
		answer(cmd);
	else
		imap_cmd_done(cmd, st);
}

static void
to_sort(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct imap_finding *f = cmd->data;
	struct sort_job job = {
		.loop = s->srv->loop, .store = s->store, .mailbox = s->view->mailbox,
		.criteria = f->q.criteria, .n_criteria = f->q.n_criteria,
		.collation = f->q.collation
	};

	f->sorter = sorter_start(&job, &f->found, on_sorted, cmd);
}

static void
run_sort(struct imap_cmd *cmd, void *arg)
{
	struct imap_finding *f = imap_finding_new(cmd, imap_sort_parse);

	if (f == NULL || !imap_context_allowed(cmd))
		return;
	f->plain = "SORT";
	imap_finding_run(cmd, to_sort);
}

static void
cmd_sort(struct imap_cmd *cmd)
{
	if (!imap_filters_expand(cmd, imap_sort_parse, run_sort, NULL))
		run_sort(cmd, NULL);
}

/* ---- THREAD ---- */

struct threading {
	struct imap_finding	*finding;	/* first: the release reads it */
	struct threader		*threader;
};

static void tell_threads(struct imap_cmd *cmd);

static void
thread_release(struct imap_cmd *cmd)
{
	struct threading *t = cmd->data;

	threader_free(&t->threader);
	cmd->data = t->finding;
	imap_finding_release(cmd);
}

static uint32_t
thread_number(void *arg, uint32_t uid)
{
	struct imap_cmd *cmd = arg;

	return cmd->uid ? uid : imap_view_seq(cmd->session->view, uid);
}

static void
tell_threads(struct imap_cmd *cmd)
{
	struct threading *t = cmd->data;

	do {
		if (conn_full(cmd->session->conn)) {
			cmd->drained = tell_threads;
			return;
		}
	} while (!threader_put(t->threader, thread_number, cmd, imap_out(cmd->session)));
	buf_add_str(imap_out(cmd->session), "\r\n");
	imap_cmd_done(cmd, ST_OK);
}

static void
on_threaded(void *arg, enum status st)
{
	struct imap_cmd *cmd = arg;

	if (st != ST_OK) {
		imap_cmd_done(cmd, st);
		return;
	}
	buf_add_str(imap_out(cmd->session), "* THREAD");
	tell_threads(cmd);
}

static void
to_thread(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct imap_finding *f = cmd->data;
	struct threading *t = arena_zalloc(&cmd->arena, sizeof(*t));
	struct thread_job job = {
		.loop = s->srv->loop, .store = s->store, .mailbox = s->view->mailbox,
		.by = f->q.thread, .collation = f->q.collation
	};

	t->finding = f;
	cmd->data = t;
	cmd->release = thread_release;
	t->threader = threader_start(&job, &f->found.uids, on_threaded, cmd);
}

static void
run_thread(struct imap_cmd *cmd, void *arg)
{
	if (imap_finding_new(cmd, imap_thread_parse) != NULL)
		imap_finding_run(cmd, to_thread);
}

static void
cmd_thread(struct imap_cmd *cmd)
{
	if (!imap_filters_expand(cmd, imap_thread_parse, run_thread, NULL))
		run_thread(cmd, NULL);
}

const struct imap_command imap_cmds_search[] = {
	/* name		allowed in		flags */
	{ "SEARCH",	IMAP_IN_SELECTED,	IMAP_CMD_UID | IMAP_CMD_NO_EXPUNGE | IMAP_CMD_LONG,
	    CAP_NONE, cmd_search },
	{ "SORT",	IMAP_IN_SELECTED,	IMAP_CMD_UID | IMAP_CMD_NO_EXPUNGE | IMAP_CMD_LONG,
	    CAP_SORT, cmd_sort },
	{ "THREAD",	IMAP_IN_SELECTED,	IMAP_CMD_UID | IMAP_CMD_NO_EXPUNGE | IMAP_CMD_LONG,
	    CAP_NONE, cmd_thread },
	{ 0 }
};
