/* SELECT, EXAMINE, CLOSE, UNSELECT. */
#include "imapd/annotations.h"
#include "imapd/list.h"
#include "imapd/names.h"
#include "imapd/sync.h"

#include "common/mail/mailbox_name.h"
#include "common/mail/object_id.h"

struct select {
	struct store	*store;
	struct span	path, given;	/* given: as the client wrote it */
	bool		readonly;
	bool		annotate;	/* changes of annotations are told (RFC 5257 §4.2) */
	bool		qresync;	/* the rest was given (RFC 7162 §3.2.5) */
	uint32_t	uidvalidity;
	uint64_t	modseq;
	struct uidset	known;		/* uids; empty: all */
	struct uidset	seqs, uids;	/* pairs */
};

static void
select_release(struct imap_cmd *cmd)
{
	struct select *sel = cmd->data;

	uidset_fini(&sel->known);
	uidset_fini(&sel->seqs);
	uidset_fini(&sel->uids);
}

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
	buf_addf(out, "* %u EXISTS\r\n", v->count);
	/* RFC 9051 has neither of them. */
	if (!s->rev2)
		buf_addf(out, "* %u RECENT\r\n", v->told_recent);
	if (!s->rev2 && o->unseen_first != 0 && imap_view_seq(v, o->unseen_first) != 0)
		put_code(out, "UNSEEN", imap_view_seq(v, o->unseen_first));
	put_code(out, "UIDVALIDITY", o->uidvalidity);
	put_code(out, "UIDNEXT", o->uidnext);
	put_code(out, "HIGHESTMODSEQ", o->highestmodseq);
	/* Who may read may annotate for himself. */
	if (imap_cap_on(s, CAP_ANNOTATE) && v->examined)
		buf_add_str(out, "* OK [ANNOTATIONS READ-ONLY] Noted\r\n");
	else if (imap_cap_on(s, CAP_ANNOTATE))
		put_code(out, "ANNOTATIONS", STORE_ANNOTATION_VALUE_MAX);
	if (imap_cap_on(s, CAP_OBJECTID)) {
		buf_add_str(out, "* OK [MAILBOXID (");
		object_id_put(out, OBJECT_MAILBOX, o->mailbox);
		buf_add_str(out, ")] Noted\r\n");
	}
	v->url_reset = o->url_reset;
	imap_tell_url_mechanisms(s);
}

static void
selected(struct imap_cmd *cmd)
{
	const struct select *sel = cmd->data;

	cmd->no_sync = true;
	imap_cmd_end(cmd, sel->readonly ? "OK [READ-ONLY] EXAMINE completed" :
	    cmd->session->view->readonly ? "OK [READ-ONLY] SELECT completed" :
	    "OK [READ-WRITE] SELECT completed");
}

static void
on_earlier(struct imap_cmd *cmd, enum status st, struct uidset *changed)
{
	const struct select *sel = cmd->data;

	/* Selected it is; who was not told asks again, with the modseq that he has. */
	if (st != ST_OK) {
		imap_session_set_state(cmd->session, IMAP_IN_AUTH);
		imap_cmd_done(cmd, st);
		return;
	}
	imap_tell_changed(cmd, changed, sel->modseq, selected);
}

/* What happened since the client was here last. */
static void
resync(struct imap_cmd *cmd)
{
	const struct select *sel = cmd->data;
	struct imap_view *v = cmd->session->view;

	if (!sel->qresync || sel->uidvalidity != v->uidvalidity || sel->modseq >= v->modseq) {
		selected(cmd);
		return;
	}
	imap_earlier(cmd, sel->modseq, uidset_empty(&sel->known) ? NULL : &sel->known, true,
	    imap_view_match(v, &sel->seqs, &sel->uids), on_earlier);
}

static void
on_opened(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct imap_session *s = cmd->session;
	struct select *sel = cmd->data;
	const struct store_opened *o = msg;
	bool readonly;

	if (more)
		return;
	if (st != ST_OK || o == NULL) {
		imap_cmd_done(cmd, st != ST_OK ? st : ST_BUG);
		return;
	}
	readonly = sel->readonly || !(o->rights & (RIGHT_SEEN | RIGHT_WRITE | RIGHT_DELETE_MSG |
	    RIGHT_EXPUNGE | RIGHT_INSERT | RIGHT_ANNOTATE));
	imap_names_select(s, sel->store);
	s->view = imap_view_new(o, sel->path, readonly);
	s->view->examined = sel->readonly;
	if (sel->annotate)
		s->view->annotated = imap_annotated_new(s->view->modseq);
	if (s->rev2)
		imap_view_no_recent(s->view);
	s->state = IMAP_IN_SELECTED;
	tell_selected(s, o);
	imap_put_oldname(s, sel->path, sel->given, true);
	imap_watch(s);
	/* Between the snapshot and the watch something may have happened: asked for by the
	 * next command. */
	s->view->dirty = true;
	resync(cmd);
}

static void
args_set(struct imap_args *a, struct uidset *set)
{
	struct span text = imap_args_sequence_set(a);

	if (imap_args_good(a) && !uidset_parse(set, text, 0, IMAP_RANGES_MAX))
		imap_args_fail(a, "'*' may not stand in this set, nor more ranges than we take");
}

/* "QRESYNC" SP "(" uidvalidity SP modseq [SP known-uids] [SP "(" seqs SP uids ")"] ")" */
static void
args_qresync(struct imap_cmd *cmd, struct select *sel)
{
	struct imap_args *a = &cmd->args;
	bool more;

	sel->qresync = true;
	imap_args_sp(a);
	imap_args_expect(a, '(');
	sel->uidvalidity = imap_args_nz_number(a);
	imap_args_sp(a);
	sel->modseq = imap_args_number64(a);
	if (imap_args_good(a) && sel->modseq == 0)
		imap_args_fail(a, "A modseq is not 0");
	more = imap_args_try(a, ' ');
	if (more && !imap_args_peek(a, '(')) {
		args_set(a, &sel->known);
		more = imap_args_try(a, ' ');
	}
	if (more) {
		imap_args_expect(a, '(');
		args_set(a, &sel->seqs);
		imap_args_sp(a);
		args_set(a, &sel->uids);
		imap_args_expect(a, ')');
		if (imap_args_good(a) && uidset_count(&sel->seqs) != uidset_count(&sel->uids))
			imap_args_fail(a, "As many numbers as uids are needed");
		if (cmd->session->uidonly)
			imap_args_fail(a, "[UIDREQUIRED] Message numbers are not allowed once "
			    "UIDONLY is enabled");
	}
	imap_args_expect(a, ')');
	if (!cmd->session->qresync)
		imap_args_fail(a, "Enable QRESYNC first");
}

/* select-params = SP "(" ("CONDSTORE" / "ANNOTATE" / qresync) *(SP ...) ")" */
static void
args_params(struct imap_cmd *cmd, struct select *sel, bool *condstore)
{
	struct imap_args *a = &cmd->args;

	imap_args_expect(a, '(');
	do {
		if (imap_cap_on(cmd->session, CAP_CONDSTORE) && imap_args_word(a, "CONDSTORE"))
			*condstore = true;
		else if (imap_cap_on(cmd->session, CAP_ANNOTATE) && imap_args_word(a, "ANNOTATE"))
			sel->annotate = true;
		else if (!sel->qresync && imap_args_word(a, "QRESYNC"))
			args_qresync(cmd, sel);
		else
			imap_args_fail(a, "Only CONDSTORE, QRESYNC and ANNOTATE may follow");
	} while (imap_args_try(a, ' '));
	imap_args_expect(a, ')');
}

/* select = "SELECT" SP mailbox [select-params]  (RFC 7162 §3.1.8, §3.2.5) */
static void
select_mailbox(struct imap_cmd *cmd, bool readonly)
{
	struct imap_session *s = cmd->session;
	struct select *sel = arena_zalloc(&cmd->arena, sizeof(*sel));
	struct store_open rq = { .claim_recent = !readonly && !s->rev2 };
	bool condstore = false;

	cmd->data = sel;
	cmd->release = select_release;
	imap_args_sp(&cmd->args);
	rq.path = sel->path = imap_args_mailbox_as(&cmd->args, &sel->given);
	sel->readonly = readonly;
	if (imap_args_try(&cmd->args, ' '))
		args_params(cmd, sel, &condstore);
	/* Whatever comes of it, the one selected before is left (RFC 3501 §6.3.1). */
	if (!imap_args_end(&cmd->args) && cmd->args.error == IMAP_ARGS_BAD) {
		imap_cmd_syntax(cmd);
		return;
	}
	s->condstore |= condstore;
	if (s->view != NULL) {
		/* RFC 7162 §3.2.11: what follows is about another mailbox. */
		buf_add_str(imap_out(s), "* OK [CLOSED] The mailbox before is left\r\n");
		imap_session_set_state(s, IMAP_IN_AUTH);
	}
	if (!imap_args_end(&cmd->args)) {
		imap_cmd_done(cmd, ST_NOT_FOUND);
		return;
	}
	sel->store = imap_route(s, &rq.path);
	store_do_open(sel->store, &rq, on_opened, cmd);
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
	/* name		allowed in		flags	cap	run */
	{ "SELECT",	IMAP_IN_LOGIN,		0,	CAP_NONE,		cmd_select },
	{ "EXAMINE",	IMAP_IN_LOGIN,		0,	CAP_NONE,		cmd_examine },
	{ "CLOSE",	IMAP_IN_SELECTED,	0,	CAP_NONE,		cmd_close },
	{ "UNSELECT",	IMAP_IN_SELECTED,	0,	CAP_UNSELECT,	cmd_unselect },
	{ 0 }
};
