/* Changes by others: asked for when the store said "dirty", told in the next place
 * where the protocol lets us. */
#include "imapd/sync.h"

#include "imapd/annotations.h"
#include "imapd/notify.h"

#include "common/util/mem.h"
#include "imapd/context.h"

#define TELL_ROWS 2000u		/* rows asked for at once; between them the client may fall behind */
#define TELL_BYTES (512u << 10)	/* what their flags may come to */
#define TELL_ANNOTATED 100u	/* rows asked for at once where annotations are told as well */

bool
imap_sync_due(const struct imap_view *v)
{
	return v->dirty || v->gone || !uidset_empty(&v->expunged) || !uidset_empty(&v->changed) ||
	    imap_contexts_due(v->contexts);
}

void
imap_sync_later(struct imap_session *s)
{
	if (s->condstore && s->view != NULL && imap_sync_due(s->view))
		buf_addf(imap_out(s), "* OK [HIGHESTMODSEQ %llu] Changes are to come\r\n",
		    (unsigned long long)s->view->safe);
}

void
imap_watch(struct imap_session *s)
{
	const struct store_watch watch = { true };

	if (!s->watching)
		store_do_watch(s->home, &watch, imap_ignore, NULL);
	s->watching = true;
	if (s->store != s->home)
		store_do_watch(s->store, &watch, imap_ignore, NULL);
}

void
imap_condstore(struct imap_session *s)
{
	if (s->condstore)
		return;
	s->condstore = true;
	if (s->view != NULL)
		buf_addf(imap_out(s), "* OK [HIGHESTMODSEQ %llu] Noted\r\n",
		    (unsigned long long)s->view->safe);
}

bool
imap_sync_enable(struct imap_session *s, struct span name, struct buf *out)
{
	bool was;

	if (span_caseeq_str(name, "CONDSTORE") && imap_cap_on(s, CAP_CONDSTORE)) {
		was = s->condstore;
		imap_condstore(s);
		if (!was)
			buf_add_str(out, " CONDSTORE");
	} else if (span_caseeq_str(name, "QRESYNC") && imap_cap_on(s, CAP_QRESYNC)) {
		if (!s->qresync)
			buf_add_str(out, " QRESYNC");
		s->qresync = true;
		imap_condstore(s);
	} else if (span_caseeq_str(name, "UIDONLY") && imap_cap_on(s, CAP_UIDONLY)) {
		if (!s->uidonly)
			buf_add_str(out, " UIDONLY");
		s->uidonly = true;
	} else if (span_caseeq_str(name, "IMAP4rev2") && imap_cap_on(s, CAP_REV2)) {
		if (!s->rev2)
			buf_add_str(out, " IMAP4rev2");
		s->rev2 = s->utf8 = true;
		if (s->view != NULL)
			imap_view_no_recent(s->view);
	} else if (span_caseeq_str(name, "UTF8=ACCEPT") && imap_cap_on(s, CAP_UTF8)) {
		if (!s->utf8_accept)
			buf_add_str(out, " UTF8=ACCEPT");
		s->utf8_accept = s->utf8 = true;
	} else {
		return false;
	}
	return true;
}

void
imap_tell_url_mechanisms(struct imap_session *s)
{
	if (imap_cap_on(s, CAP_URLAUTH) && s->store == s->home)
		buf_add_str(imap_out(s), "* OK [URLMECH INTERNAL] Noted\r\n");
}

void
imap_tell_expunged(struct imap_session *s, const struct uidset *uids)
{
	imap_view_tell_expunged(s->view, uids, imap_vanished(s), imap_out(s));
}

void
imap_put_fetch_head(const struct imap_session *s, uint32_t uid, struct buf *out)
{
	buf_add(out, "* ", 2);
	buf_add_u64(out, s->uidonly ? uid : imap_view_seq(s->view, uid));
	buf_add_str(out, s->uidonly ? " UIDFETCH (" : " FETCH (");
}

/* notes: "ANNOTATION (/comment)", or nothing. */
static void
put_row(struct imap_session *s, const struct store_row *row, bool uid, bool flags,
    struct span notes, struct buf *out)
{
	const char *sep = "";

	if (imap_view_seq(s->view, row->uid) == 0)
		return;
	imap_put_fetch_head(s, row->uid, out);
	if (!s->uidonly && (uid || s->condstore)) {
		buf_add_str(out, "UID ");
		buf_add_u64(out, row->uid);
		sep = " ";
	}
	if (flags) {
		buf_add_str(out, sep);
		buf_add_str(out, "FLAGS ");
		imap_view_put_flags(s->view, row->uid, row->flags, out);
		sep = " ";
	}
	if (notes.len > 0) {
		buf_add_str(out, sep);
		buf_add_span(out, notes);
		sep = " ";
	}
	if (s->condstore) {
		buf_add_str(out, sep);
		buf_add_str(out, "MODSEQ (");
		buf_add_u64(out, row->modseq);
		buf_add_c(out, ')');
	}
	buf_add_str(out, ")\r\n");
}

void
imap_put_flags_row(struct imap_session *s, const struct store_row *row, bool uid, bool flags,
    struct buf *out)
{
	put_row(s, row, uid, flags, SPAN_NONE, out);
}

/* ---- messages that changed: flags, and which annotations ---- */

struct imap_telling {
	struct uidset	*changed;
	uint64_t	since, high;	/* high: of the modseqs told */
	uint32_t	upto;		/* uids asked for now: those of `changed` up to it */
	bool		uid, again;
	bool		annotated, asked;	/* annotations are told; are known of those up to it */
	void		(*done)(struct imap_cmd *cmd);
};

static void tell_more(struct imap_cmd *cmd);

static void
tell_row(struct imap_cmd *cmd, const struct store_row *row)
{
	struct imap_session *s = cmd->session;
	const struct imap_telling *t = cmd->telling;
	bool flags = imap_notify_flags(s) || !t->annotated;
	struct buf notes = { 0 };

	if (t->annotated)
		imap_annotated_put(s->view->annotated, row->uid, &notes);
	if (flags || notes.len > 0)
		put_row(s, row, cmd->uid || t->uid, flags, buf_span(&notes), imap_out(s));
	buf_fini(&notes);
}

static void
on_rows(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct imap_session *s = cmd->session;
	const struct store_rows_are *rows = msg;
	struct store_row row;
	struct reader r;

	if (st == ST_OK && rows != NULL) {
		imap_view_learn(s->view, rows->keywords, imap_out(s));
		reader_init(&r, rows->rows.p, rows->rows.len);
		while (get_store_row(&r, &row, ROW_FLAGS)) {
			if (row.modseq <= cmd->telling->since)
				continue;
			tell_row(cmd, &row);
			if (row.modseq > cmd->telling->high)
				cmd->telling->high = row.modseq;
		}
	}
	if (more)
		return;
	cmd->telling->asked = false;
	/* What could not be read is still to be told.  A store that went away is waited for once;
	 * the tagged line of this command would say that all was told. */
	if (st == ST_OK) {
		uidset_remove_range(cmd->telling->changed, 1, cmd->telling->upto);
		cmd->telling->again = false;
	} else if (cmd->telling->again) {
		imap_session_bye(s, "[UNAVAILABLE] The mail store is away for a moment, connect again");
		return;
	} else {
		cmd->telling->again = true;
	}
	tell_more(cmd);
}

/* The first of the changed messages, as many as are asked for at once; returns the last. */
static uint32_t
first_some(const struct uidset *from, struct uidset *some, size_t keywords, bool annotated)
{
	uint32_t left = annotated ? TELL_ANNOTATED : TELL_ROWS, last = 0;

	if (!annotated && keywords > TELL_BYTES / TELL_ROWS)
		left = (uint32_t)(TELL_BYTES / keywords) + 1;
	for (size_t i = 0; left > 0 && i < from->n; i++) {
		struct uidrange r = from->r[i];

		if (r.hi - r.lo + 1 > left)
			r.hi = r.lo + left - 1;
		left -= r.hi - r.lo + 1;
		uidset_add_range(some, r.lo, r.hi);
		last = r.hi;
	}
	return last;
}

static void
on_annotated(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	const struct store_annotated_are *are = msg;

	if (st == ST_OK && are != NULL)
		imap_annotated_keep(cmd->session->view->annotated, are->entries);
	/* That they changed is told in any case. */
	if (!more)
		tell_more(cmd);
}

static void
ask_annotated(struct imap_cmd *cmd, const struct buf *uids)
{
	struct imap_session *s = cmd->session;
	struct store_annotated_get rq = { .mailbox = s->view->mailbox,
		.since = s->view->annotated->since, .uids = buf_span(uids) };

	cmd->telling->asked = true;
	imap_annotated_clear(s->view->annotated);
	store_do_annotated(s->store, &rq, on_annotated, cmd);
}

static void
tell_more(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct imap_telling *t = cmd->telling;
	struct store_rows rq = { .mailbox = s->view->mailbox, .fields = ROW_FLAGS };
	struct uidset some = { 0 };
	struct buf uids = { 0 };

	if (uidset_empty(t->changed)) {
		/* A row is told as it is now; what else happened since it was asked for is not
		 * known here yet, and the client must not think that it was told. */
		if (s->condstore && t->high > s->view->safe && uidset_empty(&s->view->expunged))
			buf_addf(imap_out(s), "* OK [HIGHESTMODSEQ %llu] Changes are to come\r\n",
			    (unsigned long long)s->view->safe);
		if (t->annotated)
			imap_annotated_told(s->view->annotated, s->view->modseq);
		t->done(cmd);
		return;
	}
	if (conn_full(s->conn)) {
		cmd->drained = tell_more;
		return;
	}
	t->upto = first_some(t->changed, &some, s->view->keywords.len, t->annotated);
	uidset_encode(&some, &uids);
	rq.uids = buf_span(&uids);
	if (t->annotated && !t->asked)
		ask_annotated(cmd, &uids);
	else
		store_do_rows(s->store, &rq, on_rows, cmd);
	buf_fini(&uids);
	uidset_fini(&some);
}

void
imap_tell_changed(struct imap_cmd *cmd, struct uidset *changed, uint64_t since,
    void (*done)(struct imap_cmd *cmd))
{
	if (cmd->telling == NULL)
		cmd->telling = arena_zalloc(&cmd->arena, sizeof(*cmd->telling));
	*cmd->telling = (struct imap_telling){ .changed = changed, .since = since, .done = done,
	    .annotated = since == 0 && imap_notify_annotations(cmd->session),
	    .uid = cmd->session->rev2 || cmd->session->condstore || cmd->session->notify != NULL };
	tell_more(cmd);
}

/* ---- at the end of a command ---- */

static void
update_contexts(struct imap_cmd *cmd)
{
	imap_contexts_update(cmd, cmd->synced);
}

static void
tell(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct imap_view *v = s->view;
	bool expunges = cmd->background ? imap_notify_expunges(s) : cmd->def == NULL ||
	    !(cmd->def->flags & IMAP_CMD_NO_EXPUNGE) || cmd->uid;
	uint32_t last = v->told_count > 0 ? imap_view_uid(v, v->told_count) : 0;

	if (v->gone) {
		LOG(&s->log, INFO, "imap.mailbox-gone", KV_SPAN("mailbox", buf_span(&v->path)));
		imap_session_bye(s, "The selected mailbox was deleted");
		return;
	}
	if (v->url_news)
		imap_tell_url_mechanisms(s);
	v->url_news = false;
	imap_view_tell(v, expunges, imap_vanished(s), imap_out(s));
	imap_notify_new(s, last);
	if (!imap_notify_flags(s) && !imap_notify_annotations(s))
		uidset_clear(&v->changed);
	/* RFC 7162 §3.2: a client lost after the modseqs below must not miss the expunges that
	 * it was not told yet. */
	if (s->condstore && !uidset_empty(&v->expunged))
		buf_addf(imap_out(s), "* OK [HIGHESTMODSEQ %llu] Expunges are to come\r\n",
		    (unsigned long long)v->safe);
	imap_tell_changed(cmd, &v->changed, 0, update_contexts);
}

static void
on_changes(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct imap_view *v = cmd->session->view;

	if (st == ST_OK && msg != NULL) {
		const struct store_changes_are *are = msg;

		imap_view_merge(v, are);
		v->url_news |= are->url_reset > v->url_reset;
		if (are->url_reset > v->url_reset)
			v->url_reset = are->url_reset;
	} else if (st == ST_NOT_FOUND || st == ST_DENIED)
		v->gone = true;		/* or not shared with us any more */
	if (st != ST_OK) {
		v->dirty = true;
		v->settling = 0;
	}
	if (!more)
		tell(cmd);
}

void
imap_sync(struct imap_cmd *cmd, void (*done)(struct imap_cmd *cmd))
{
	struct imap_session *s = cmd->session;
	struct store_changes rq = {
		.mailbox = s->view->mailbox, .since = s->view->modseq,
		.claim_recent = !s->view->readonly && !s->rev2
	};

	cmd->synced = done;
	s->view->dirty = false;
	s->view->settling = s->dirty_modseq;
	store_do_changes(s->store, &rq, on_changes, cmd);
}

/* ---- since a modseq that the client names ---- */

struct imap_earlier {
	uint64_t	since;
	struct uidset	known;		/* empty: all */
	struct uidset	gone, changed;
	uint32_t	matched;
	bool		vanished;
	imap_earlier_fn	done;
};

void
imap_earlier_free(struct imap_earlier **ep)
{
	if (*ep == NULL)
		return;
	uidset_fini(&(*ep)->known);
	uidset_fini(&(*ep)->gone);
	uidset_fini(&(*ep)->changed);
	mem_free(ep);
}

static void
take_changed(struct imap_earlier *e, const struct store_changes_are *are)
{
	struct uidset part = { 0 };
	struct reader r;

	reader_init(&r, are->changed.p, are->changed.len);
	if (are->changed.len > 0 && uidset_decode(&part, &r, SIZE_MAX))
		uidset_add_set(&e->changed, &part);
	reader_init(&r, are->vanished.p, are->vanished.len);
	if (are->vanished.len > 0 && uidset_decode(&part, &r, SIZE_MAX)) {
		uidset_add_set(&e->gone, &part);
		uidset_remove_set(&e->changed, &part);
	}
	uidset_fini(&part);
}

static void
earlier_end(struct imap_cmd *cmd, enum status st)
{
	struct imap_earlier *e = cmd->earlier;
	struct imap_view *v = cmd->session->view;

	if (st == ST_OK && e->vanished) {
		struct uidset here = { 0 };

		/* What this client counts in vanishes later, by a VANISHED of the other kind. */
		imap_view_add_seqs(v, 1, v->count, &here);
		uidset_remove_set(&e->gone, &here);
		uidset_fini(&here);
		if (e->matched > 0)
			uidset_remove_range(&e->gone, 1, e->matched);
		if (!uidset_empty(&e->known))
			uidset_intersect(&e->gone, &e->known);
		imap_put_vanished(&e->gone, true, imap_out(cmd->session));
	}
	if (!uidset_empty(&e->known))
		uidset_intersect(&e->changed, &e->known);
	e->done(cmd, st, &e->changed);
}

static void
on_earlier(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;

	if (st == ST_OK && msg != NULL)
		take_changed(cmd->earlier, msg);
	if (!more)
		earlier_end(cmd, st);
}

void
imap_earlier(struct imap_cmd *cmd, uint64_t since, const struct uidset *uids, bool vanished,
    uint32_t matched, imap_earlier_fn done)
{
	struct store_changes rq = { .mailbox = cmd->session->view->mailbox, .since = since,
		.uids_only = true };
	struct imap_earlier *e;
	struct buf known = { 0 };

	imap_earlier_free(&cmd->earlier);
	e = cmd->earlier = mem_zalloc(sizeof(*e));
	e->since = since;
	e->matched = matched;
	e->vanished = vanished;
	e->done = done;
	if (uids != NULL) {
		uidset_copy(&e->known, uids);
		uidset_encode(uids, &known);
		rq.known = buf_span(&known);
	}
	store_do_changes(cmd->session->store, &rq, on_earlier, cmd);
	buf_fini(&known);
}
