/* STORE: flags of messages, and annotations. */
#include "imapd/session.h"

#include "common/util/mem.h"
#include "imapd/annotations.h"
#include "imapd/context.h"
#include "imapd/events.h"
#include "imapd/limits.h"
#include "imapd/sync.h"
#include "imapd/together.h"

struct storing {
	bool		silent, conditional;
	uint64_t	asked, answered;
	struct uidset	modified;
	/* STORE ANNOTATION */
	bool		annotates, no_part;
	struct imap_annotations	notes;
	uint64_t	unchanged_since;
	struct uidset	uids;
};

static void cmd_store(struct imap_cmd *cmd);

static void
store_release(struct imap_cmd *cmd)
{
	struct storing *q = cmd->data;

	uidset_fini(&q->modified);
	uidset_fini(&q->uids);
}

/* Numbers of uids in the words of the command: sequence numbers, or uids. */
static void
put_numbers(struct imap_cmd *cmd, const struct uidset *uids, struct buf *out)
{
	struct uidset seqs = { 0 };

	if (cmd->uid) {
		uidset_print(uids, out);
		return;
	}
	for (uint32_t uid = uidset_next(uids, 0); uid != 0; uid = uidset_next(uids, uid))
		uidset_add(&seqs, imap_view_seq(cmd->session->view, uid));
	uidset_print(&seqs, out);
	uidset_fini(&seqs);
}

static void
store_end(struct imap_cmd *cmd, enum status st)
{
	struct storing *q = cmd->data;

	/* Why it was refused: what they are now is told at once. */
	uidset_add_set(&cmd->session->view->changed, &q->modified);
	if (st == ST_OK && !uidset_empty(&q->modified)) {
		buf_clear(&cmd->result);
		buf_add_str(&cmd->result, "OK [MODIFIED ");
		put_numbers(cmd, &q->modified, &cmd->result);
		buf_add_str(&cmd->result, "] Changed by another");
		imap_cmd_end_result(cmd);
	} else if (st == ST_OK && !cmd->uid && q->answered < q->asked) {
		/* RFC 2180 §4.2.1 */
		imap_cmd_end(cmd, "NO [EXPUNGEISSUED] Some of the messages are gone");
	} else if (st == ST_LIMIT) {
		imap_cmd_end(cmd, q->annotates ? "NO [ANNOTATE TOOMANY] Too many annotations" :
		    "NO [LIMIT] Too many keywords");
	} else {
		imap_cmd_done(cmd, st);
	}
}

static void
tell_row(struct imap_cmd *cmd, const struct store_row *row)
{
	struct imap_session *s = cmd->session;
	struct storing *q = cmd->data;

	q->answered++;
	if (!q->silent || s->condstore)
		imap_put_flags_row(s, row, cmd->uid, !q->silent, imap_out(s));
}

static void
on_flags(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct storing *q = cmd->data;
	const struct store_flags_are *are = msg;
	struct store_row row;
	struct imap_view *v = cmd->session->view;
	struct uidset modified = { 0 };
	struct reader r;
	bool next;

	if (st == ST_OK && are != NULL) {
		next = are->modseq == v->settled + 1;
		imap_view_learn(v, are->keywords, imap_out(cmd->session));
		if (!q->annotates)
			imap_event_rows(cmd, cmd->session->store, v->mailbox, are);
		reader_init(&r, are->rows.p, are->rows.len);
		while (are->rows.len > 0 && get_store_row(&r, &row, ROW_FLAGS)) {
			tell_row(cmd, &row);
			imap_contexts_touch(v->contexts, row.uid);
			if (!q->silent || (next && row.modseq == are->modseq))
				imap_view_own(v, row.uid, row.modseq);
		}
		if (q->annotates && v->annotated != NULL)
			imap_annotated_own(v->annotated, are->modseq);
		if (next)
			v->settled = are->modseq;
		reader_init(&r, are->modified.p, are->modified.len);
		if (are->modified.len > 0 && uidset_decode(&modified, &r, SIZE_MAX))
			uidset_add_set(&q->modified, &modified);
		uidset_fini(&modified);
	}
	if (!more)
		store_end(cmd, st);
}

/* ("+" / "-" / nothing) "FLAGS" [".SILENT"] */
static uint8_t
store_how(struct imap_args *a, bool *silent)
{
	uint8_t how = FLAGS_REPLACE;

	if (imap_args_try(a, '+'))
		how = FLAGS_ADD;
	else if (imap_args_try(a, '-'))
		how = FLAGS_REMOVE;
	*silent = imap_args_word(a, "FLAGS.SILENT");
	if (!*silent && !imap_args_word(a, "FLAGS"))
		imap_args_fail(a, "FLAGS is missing");
	return how;
}

static void
send_store(struct imap_cmd *cmd, const struct uidset *uids, const struct imap_flags *flags,
    struct store_flags *rq)
{
	struct storing *q = cmd->data;
	struct buf list = { 0 }, set = { 0 };

	q->asked = uidset_count(uids);
	uidset_encode(uids, &set);
	for (size_t i = 0; i < flags->n_keywords; i++)
		put_store_keyword(&list, flags->keywords[i]);
	rq->mailbox = cmd->session->view->mailbox;
	rq->uids = buf_span(&set);
	rq->system = (uint8_t)flags->system;
	rq->keywords = buf_span(&list);
	store_do_flags(cmd->session->store, rq, on_flags, cmd);
	buf_fini(&list);
	buf_fini(&set);
}

static void
store_progress(const struct imap_cmd *cmd, uint64_t *done, uint64_t *goal)
{
	const struct storing *q = cmd->data;

	*done = q->answered;
	*goal = q->asked;
}

/* ---- annotations (RFC 5257 §4.5) ---- */

static void
send_annotate(struct imap_cmd *cmd)
{
	struct storing *q = cmd->data;
	struct store_annotate rq = { .mailbox = cmd->session->view->mailbox,
		.unchanged_since = q->unchanged_since };
	struct buf entries = { 0 }, set = { 0 };

	q->asked = uidset_count(&q->uids);
	uidset_encode(&q->uids, &set);
	imap_annotations_put(&q->notes, 0, false, &entries);
	rq.uids = buf_span(&set);
	rq.entries = buf_span(&entries);
	store_do_annotate(cmd->session->store, &rq, on_flags, cmd);
	buf_fini(&entries);
	buf_fini(&set);
}

static void
on_structures(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct storing *q = cmd->data;
	const struct store_cache_is *is = msg;
	struct store_cache c;
	struct reader r;

	if (st == ST_OK && is != NULL) {
		reader_init(&r, is->entries.p, is->entries.len);
		while (is->entries.len > 0 && get_store_cache(&r, &c))
			q->no_part |= !imap_annotations_parts_there(&q->notes, c.structure);
	}
	if (more)
		return;
	if (st != ST_OK)
		imap_cmd_done(cmd, st);
	else if (q->no_part)
		imap_cmd_end(cmd, "BAD A message has no such part");
	else
		send_annotate(cmd);
}

/* Every message must have the parts that are named (§3.2.1). */
static void
check_parts(struct imap_cmd *cmd)
{
	struct storing *q = cmd->data;
	struct store_cache_get rq = { .mailbox = cmd->session->view->mailbox,
		.want = CACHE_STRUCTURE };
	struct buf set = { 0 };

	uidset_encode(&q->uids, &set);
	rq.uids = buf_span(&set);
	store_do_cache(cmd->session->store, &rq, on_structures, cmd);
	buf_fini(&set);
}

/* Private ones may be set wherever one may read, so long as the mailbox was not examined. */
static void
store_annotations(struct imap_cmd *cmd)
{
	const char *why = imap_annotations_refusal(&((struct storing *)cmd->data)->notes);

	if (why != NULL)
		imap_cmd_end(cmd, why);
	else if (((struct storing *)cmd->data)->notes.parts)
		check_parts(cmd);
	else
		send_annotate(cmd);
}

/* store = "STORE" SP sequence-set [SP "(" "UNCHANGEDSINCE" SP modseq ")"] SP
 *         (store-att-flags / "ANNOTATION" SP "(" entry-att *(SP entry-att) ")")
 *         (RFC 7162 §3.1.3) */
static struct span
read_store(struct imap_cmd *cmd, struct storing *q, struct store_flags *rq,
    struct imap_flags *flags)
{
	struct imap_args *a = &cmd->args;
	struct span set;

	*rq = (struct store_flags){ .unchanged_since = UINT64_MAX };
	imap_args_sp(a);
	set = imap_args_sequence_set(a);
	imap_args_sp(a);
	if (imap_args_try(a, '(')) {
		if (!imap_cap_on(cmd->session, CAP_CONDSTORE) ||
		    !imap_args_word(a, "UNCHANGEDSINCE"))
			imap_args_fail(a, "Only UNCHANGEDSINCE may stand here");
		imap_args_sp(a);
		rq->unchanged_since = imap_args_number64(a);
		q->conditional = true;
		imap_args_expect(a, ')');
		imap_args_sp(a);
	}
	q->annotates = imap_cap_on(cmd->session, CAP_ANNOTATE) && imap_args_word(a, "ANNOTATION");
	if (q->annotates) {
		q->silent = true;
		q->unchanged_since = rq->unchanged_since;
		imap_args_sp(a);
		imap_args_annotations(a, &q->notes);
	} else {
		rq->how = store_how(a, &q->silent);
		imap_args_sp(a);
		imap_args_flags(a, true, flags);
	}
	return set;
}

static void
begin(struct imap_cmd *cmd, struct storing *q)
{
	cmd->data = q;
	cmd->release = store_release;
	cmd->progress = store_progress;
}

/* What may be at the store together with others. */
static bool
is_plain(const struct imap_cmd *cmd, const struct storing *q, const struct uidset *uids)
{
	return !q->conditional && !q->annotates && !cmd->session->view->readonly &&
	    cmd->limit == 0 && uidset_count(uids) <= TOGETHER_MESSAGES;
}

bool
imap_store_join(struct imap_cmd *cmd)
{
	struct storing *q;
	struct store_flags rq;
	struct imap_flags flags;
	struct uidset uids = { 0 };
	struct span set;
	bool ok;

	if (cmd->def->run != cmd_store)
		return false;
	q = arena_zalloc(&cmd->arena, sizeof(*q));
	set = read_store(cmd, q, &rq, &flags);
	ok = imap_args_end(&cmd->args) && imap_session_uids(cmd->session, set, cmd->uid, &uids) &&
	    !uidset_empty(&uids) && is_plain(cmd, q, &uids) &&
	    uidset_count(&uids) <= imap_message_limit(cmd->session);
	if (ok) {
		begin(cmd, q);
		send_store(cmd, &uids, &flags, &rq);
	}
	uidset_fini(&uids);
	return ok;
}

static void
cmd_store(struct imap_cmd *cmd)
{
	struct storing *q = arena_zalloc(&cmd->arena, sizeof(*q));
	struct store_flags rq;
	struct imap_flags flags;
	struct uidset uids = { 0 };
	struct span set = read_store(cmd, q, &rq, &flags);

	if (!imap_args_end(&cmd->args)) {
		imap_cmd_syntax(cmd);
		return;
	}
	if (q->conditional)
		imap_condstore(cmd->session);
	if (!imap_cmd_uids(cmd, set, &uids))
		return;
	imap_limit_uids(cmd, &uids);
	begin(cmd, q);
	if (q->annotates ? cmd->session->view->examined : cmd->session->view->readonly) {
		imap_cmd_end(cmd, "NO [NOPERM] The mailbox is selected read-only");
	} else if (uidset_empty(&uids)) {
		imap_cmd_done(cmd, ST_OK);
	} else if (q->annotates) {
		uidset_copy(&q->uids, &uids);
		store_annotations(cmd);
	} else {
		send_store(cmd, &uids, &flags, &rq);
		if (is_plain(cmd, q, &uids))
			imap_together_begin(cmd);
	}
	uidset_fini(&uids);
}

const struct imap_command imap_cmds_store[] = {
	/* name		allowed in		flags */
	{ "STORE",	IMAP_IN_SELECTED,	IMAP_CMD_UID | IMAP_CMD_NO_EXPUNGE |
	    IMAP_CMD_LONG, CAP_NONE, cmd_store },
	{ 0 }
};
