/* Reads, in parts: a part of one, then a part of the next, so that a long answer holds
 * nobody up; a socket that does not take its answers is passed over until it does. */
#include "storage/service/service_priv.h"

#include "common/util/clock.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/service/push.h"
#include "storage/state/emails.h"
#include "storage/state/undelete.h"

#define ROUND_US	1000		/* of reads, before the loop looks around */
#define COLUMNS_PART	(256u << 10)
#define BODY_PART	(512u << 10)
#define BODY_PIECE	(256u << 10)
#define BODY_PIECES	256
#define BODY_GAP	2048		/* bytes between two bodies that are read with them */
#define BODY_RUN	(256u << 10)	/* read at once, if it is more than one piece */
#define SUMS_PART	(16u << 10)
#define CHANGE_ROWS	5000
#define TOUCHED_ROWS	2000
#define DIR_STEP	64

union any {
	struct store_list	list;
	struct store_open	open;
	struct store_rows	rows;
	struct store_cache_get	cache;
	struct store_columns	columns;
	struct store_marks	marks;
	struct store_body	body;
	struct store_changes	changes;
	struct store_touched	touched;
	struct store_dir_read	dir_read;
	struct store_uidls	uidls;
	struct store_sums	sums;
	struct store_acl_get	acl;
	struct store_shared	shared;
	struct store_metadata_get metadata;
	struct store_url_sign	url_sign;
	struct store_url_find	url_find;
	struct store_url_body	url_body;
	struct store_annotations annotations;
	struct store_annotated_get annotated;
	struct store_restore	restore;
	struct store_text_find	text_find;
	struct store_emails	emails;
	struct store_blob_read	blob;
	max_align_t		align;
	char			room[IPC_STRUCT_MAX];
};

bool
read_is(uint16_t no)
{
	switch (no) {
	case STORE_LIST: case STORE_OPEN: case STORE_ROWS: case STORE_CACHE: case STORE_COLUMNS: case STORE_BODY:
	case STORE_MARKS:
	case STORE_ACL: case STORE_SHARED:
	case STORE_CHANGES: case STORE_TOUCHED: case STORE_QUOTA: case STORE_DIR_READ: case STORE_UIDLS:
	case STORE_METADATA_GET: case STORE_SUMS:
	case STORE_URL_SIGN: case STORE_URL_FIND: case STORE_URL_BODY:
	case STORE_ANNOTATIONS: case STORE_ANNOTATED:
	case STORE_RESTORE: case STORE_TEXT_FIND:
	case STORE_STATES: case STORE_EMAILS: case STORE_EMAIL_CHANGES:
	case STORE_MAILBOX_CHANGES: case STORE_BLOB_READ: case STORE_BLOBS: case STORE_PUSHES:
	case STORE_SCRIPTS: case STORE_SCRIPT: case STORE_SCRIPT_ROOM: case STORE_SIEVE_KEYS:
	case STORE_EVENT:
		return true;
	default:
		return false;
	}
}

void
read_begin(struct request *rq)
{
	list_push_back(&rq->svc->reads, &rq->node);
	loop_task_post(rq->svc->reads_task);
}

void
read_drop(struct request *rq)
{
	if (!rq->busy)			/* else when the thread is done with it */
		request_free(rq);
	else if (rq->find != NULL)
		text_find_cancel(rq->find);
}

static struct ipc *
ipc_of(struct request *rq)
{
	return rq->chan->peer->ipc;
}

enum read_step
read_fail(struct request *rq, enum status st)
{
	request_answer(rq, service_judge(rq->svc, st, rq->m->name), 0, NULL);
	return READ_DONE;
}

enum read_step
read_part(struct request *rq, bool more, uint16_t no, const void *msg)
{
	if (more)
		ipc_reply_more(ipc_of(rq), &rq->head, no, msg);
	else
		request_answer(rq, ST_OK, no, msg);
	return more ? READ_MORE : READ_DONE;
}

bool
read_uids(struct request *rq, struct span uids)
{
	struct reader r;

	if (rq->begun)
		return true;
	rq->begun = true;
	reader_init(&r, uids.p, uids.len);
	return uidset_decode(&rq->set, &r, STORE_RANGES_MAX) && reader_done(&r);
}

/* Of another account, or of what was deleted: whole in rq->items, which is told in parts. */
static enum read_step
read_shared_list(struct request *rq, const struct store_list *msg)
{
	const struct state_asker by = channel_asker(rq->chan);
	struct store_mailboxes are;
	struct store_mailbox m;
	struct span rest;
	struct reader r;
	enum status st = ST_OK;

	if (!rq->begun && rq->chan->undeleted)
		st = state_undeleted_list(rq->svc->state, rq->account->id, msg->path, &rq->items);
	else if (!rq->begun)
		st = state_reader_list(rq->svc->state, rq->account->id, &by, msg->path, &rq->items);
	rq->begun = true;
	if (st == ST_NOT_FOUND)
		st = ST_OK;
	if (st != ST_OK)
		return read_fail(rq, st);
	rest = span_sub(buf_span(&rq->items), rq->offset, rq->items.len);
	reader_init(&r, rest.p, rest.len);
	while (r.p < r.end && rest.len - (size_t)(r.end - r.p) < PART_BYTES)
		if (!get_store_mailbox(&r, &m))
			return read_fail(rq, ST_BUG);
	are.list = span_sub(rest, 0, rest.len - (size_t)(r.end - r.p));
	rq->offset += are.list.len;
	return read_part(rq, rq->offset < rq->items.len, STORE_MAILBOXES, &are);
}

static enum read_step
read_acl(struct request *rq, const struct store_acl_get *msg)
{
	struct service *svc = rq->svc;
	const struct state_asker by = channel_asker(rq->chan);
	struct store_acl_is is = { 0 };
	struct buf out = { 0 };
	enum status st = state_find_mailbox(svc->state, rq->account->id, msg->path, &is.mailbox);
	enum read_step step;

	if (st == ST_OK)
		st = state_rights(svc->state, rq->account->id, is.mailbox, &by, &is.rights);
	if (st == ST_OK)
		st = state_acl(svc->state, rq->account->id, is.mailbox, &out);
	is.entries = buf_span(&out);
	step = st != ST_OK ? read_fail(rq, st) : read_part(rq, false, STORE_ACL_IS, &is);
	buf_fini(&out);
	return step;
}

static enum read_step
read_shared(struct request *rq, const struct store_shared *msg)
{
	const struct state_asker by = channel_asker(rq->chan);
	struct store_shared_are are = { 0 };
	struct buf out = { 0 };
	uint64_t after = rq->begun ? rq->offset : msg->after;
	enum status st = share_list(rq->svc, &by, &after, &out);
	enum read_step step;

	rq->begun = true;
	rq->offset = after;
	are.owners = buf_span(&out);
	are.more = after != 0;
	step = st != ST_OK ? read_fail(rq, st) : read_part(rq, are.more, STORE_SHARED_ARE, &are);
	buf_fini(&out);
	return step;
}

static enum read_step
read_list(struct request *rq, const struct store_list *msg)
{
	struct buf out = { 0 };
	struct store_mailboxes are;
	enum status st = state_mailboxes(rq->svc->state, rq->account->id, msg->path, PART_BYTES,
	    &rq->resume, &out);
	enum read_step step;

	are.list = buf_span(&out);
	step = st != ST_OK ? read_fail(rq, st) :
	    read_part(rq, rq->resume != UINT32_MAX, STORE_MAILBOXES, &are);
	buf_fini(&out);
	return step;
}

/* Recent messages ----------------------------------------------------------------------- */

static void
recent_kept(struct request *rq, const struct state_result *res)
{
	state_recent_kept(rq->svc->state, rq->op.u.recent.mailbox, rq->op.u.recent.below);
}

/* The first uid that is recent for who asks; claimed, it is so for nobody else: at once, and
 * in the journal a tick later. */
static uint32_t
recent(struct request *rq, uint64_t mailbox, uint32_t from, uint32_t uidnext, bool claim)
{
	struct service *svc = rq->svc;

	from = state_recent(svc->state, mailbox, from);
	if (claim && from < uidnext) {
		struct op op = { .kind = OP_RECENT, .head.account = rq->account->id,
		    .u.recent = { mailbox, uidnext } };

		state_recent_claim(svc->state, mailbox, uidnext);
		tick_own(svc, &op, recent_kept);
	}
	return from;
}

static enum read_step
open_undeleted(struct request *rq, const struct store_open *msg)
{
	struct store_opened o = { 0 };
	struct buf uids = { 0 }, keywords = { 0 };
	uint64_t mailbox = 0;
	enum status st = state_undeleted_find(rq->svc->state, rq->account->id, msg->path, &mailbox);
	enum read_step step;

	if (st == ST_OK)
		st = state_undeleted_open(rq->svc->state, rq->account->id, mailbox, &o, &uids,
		    &keywords);
	o.rights &= rq->chan->ticket.rights;
	step = st != ST_OK ? read_fail(rq, st) : read_part(rq, false, STORE_OPENED, &o);
	buf_fini(&uids);
	buf_fini(&keywords);
	return step;
}

static enum read_step
read_open(struct request *rq, const struct store_open *msg)
{
	struct store_opened o = { 0 };
	struct buf uids = { 0 }, keywords = { 0 };
	uint64_t mailbox;
	enum status st = state_find_mailbox(rq->svc->state, rq->account->id, msg->path, &mailbox);
	enum read_step step;

	if (st == ST_OK)
		st = opened_mailbox(rq->svc, rq->account->id, mailbox, &o, &uids, &keywords);
	if (st == ST_OK) {
		const struct state_asker by = channel_asker(rq->chan);

		st = state_rights(rq->svc->state, rq->account->id, o.mailbox, &by, &o.rights);
		o.rights &= rq->chan->ticket.rights;
		if (st == ST_OK && channel_foreign(rq->chan))
			st = state_reader_open(rq->svc->state, rq->account->id, by.account, &o);
		o.recent_from = recent(rq, o.mailbox, o.recent_from, o.uidnext,
		    msg->claim_recent);
		if (st == ST_OK && !channel_foreign(rq->chan))
			st = state_url_reset(rq->svc->state, rq->account->id, o.mailbox,
			    &o.url_reset);
	}
	step = st != ST_OK ? read_fail(rq, st) : read_part(rq, false, STORE_OPENED, &o);
	buf_fini(&uids);
	buf_fini(&keywords);
	return step;
}

static enum read_step
read_rows(struct request *rq, const struct store_rows *msg)
{
	struct buf out = { 0 }, keywords = { 0 };
	struct store_rows_are are;
	enum status st;
	enum read_step step;

	if (!read_uids(rq, msg->uids))
		return read_fail(rq, ST_SYNTAX);
	st = state_rows(rq->svc->state, rq->account->id, msg->mailbox, &rq->set, msg->fields,
	    PART_BYTES, &rq->resume, &out);
	if (st == ST_OK)
		st = share_rows(rq, msg->mailbox, msg->fields, &out);
	if (st == ST_OK && (msg->fields & ROW_FLAGS) != 0)
		st = state_keywords(rq->svc->state, rq->account->id, 0, &keywords);
	are.rows = buf_span(&out);
	are.keywords = buf_span(&keywords);
	step = st != ST_OK ? read_fail(rq, st) : read_part(rq, rq->resume != 0, STORE_ROWS_ARE, &are);
	buf_fini(&out);
	buf_fini(&keywords);
	return step;
}

static enum read_step
read_cache(struct request *rq, const struct store_cache_get *msg)
{
	struct buf out = { 0 };
	struct store_cache_is is;
	enum status st;
	enum read_step step;

	if (!read_uids(rq, msg->uids))
		return read_fail(rq, ST_SYNTAX);
	st = state_caches(rq->svc->state, rq->account->id, msg->mailbox, &rq->set, msg->want,
	    PART_BYTES, &rq->resume, &out);
	is.entries = buf_span(&out);
	step = st != ST_OK ? read_fail(rq, st) : read_part(rq, rq->resume != 0, STORE_CACHE_IS, &is);
	buf_fini(&out);
	return step;
}

/* The walk lasts over all parts. */
static enum read_step
read_columns(struct request *rq, const struct store_columns *msg)
{
	struct buf out = { 0 }, keywords = { 0 };
	struct store_columns_are are = { 0 };
	bool first = !rq->begun;
	size_t budget = COLUMNS_PART;
	uint32_t resume = 0;
	enum status st = ST_OK;
	enum read_step step;
	bool more;

	if (!read_uids(rq, msg->uids))
		return read_fail(rq, ST_SYNTAX);
	if (first)
		st = state_columns_open(rq->svc->state, rq->account->id, msg->mailbox, &rq->set,
		    msg->want, msg->version, msg->fields,
		    channel_foreign(rq->chan) ? rq->chan->ticket.account : 0, &rq->columns);
	if (st == ST_OK && (msg->fields & ROW_FLAGS) != 0)
		st = state_keywords(rq->svc->state, rq->account->id, 0, &keywords);
	if (msg->budget > 0 && msg->budget - rq->sent < budget)
		budget = (size_t)(msg->budget - rq->sent);
	/* a part ends at an entry: the last one may pass the limit of a part, not of a frame */
	if (st == ST_OK)
		st = state_columns_next(rq->columns, budget, true, &out, &resume);
	rq->sent += out.len;
	more = resume != 0 && (msg->budget == 0 || rq->sent < msg->budget);
	are.rows = buf_span(&out);
	are.keywords = buf_span(&keywords);
	are.resume_uid = resume;
	step = st != ST_OK ? read_fail(rq, st) : read_part(rq, more, STORE_COLUMNS_ARE, &are);
	buf_fini(&out);
	buf_fini(&keywords);
	return step;
}

static enum read_step
read_marks(struct request *rq, const struct store_marks *msg)
{
	struct uidset sets[STATE_DELETED + 1] = { 0 };
	struct buf out[STATE_DELETED + 1] = { 0 };
	struct store_marks_are are;
	enum status st = state_marks(rq->svc->state, rq->account->id, msg->mailbox, sets);
	enum read_step step;

	for (unsigned i = STATE_ALL; i <= STATE_DELETED; i++) {
		uidset_encode(&sets[i], &out[i]);
		uidset_fini(&sets[i]);
		if (st == ST_OK && out[i].len > PART_BYTES)
			st = ST_LIMIT;
	}
	are.here = buf_span(&out[STATE_ALL]);
	are.unseen = buf_span(&out[STATE_UNSEEN]);
	are.deleted = buf_span(&out[STATE_DELETED]);
	step = st != ST_OK ? read_fail(rq, st) : read_part(rq, false, STORE_MARKS_ARE, &are);
	for (unsigned i = STATE_ALL; i <= STATE_DELETED; i++)
		buf_fini(&out[i]);
	return step;
}

/* Changes ------------------------------------------------------------------------------- */

/* Uids that were known and are not there. */
static void
full_vanished(struct request *rq, const struct store_changes *msg, struct uidset *out)
{
	struct state_changes *c = &rq->changes;
	struct reader r;

	reader_init(&r, msg->known.p, msg->known.len);
	if (msg->known.len == 0 || !uidset_decode(out, &r, STORE_RANGES_MAX)) {
		uidset_clear(out);
		if (c->uidnext > 1)
			uidset_add_range(out, 1, c->uidnext - 1);
	}
	uidset_remove_set(out, &c->changed);
}

static enum status
changes_head(struct request *rq, const struct store_changes *msg, struct store_changes_are *are,
    struct buf *vanished, struct buf *changed, struct buf *keywords)
{
	struct state_changes *c = &rq->changes;
	struct uidset gone = { 0 };
	uint64_t since = rq->begun ? c->highestmodseq : msg->since;
	enum status st = state_changes(rq->svc->state, rq->account->id, msg->mailbox, since,
	    CHANGE_ROWS, c);

	rq->begun = true;
	rq->resume = 0;
	if (st == ST_OK && channel_foreign(rq->chan))
		st = state_reader_changes(rq->svc->state, rq->account->id, msg->mailbox,
		    rq->chan->ticket.account, since, c);
	if (st == ST_OK && !msg->uids_only)
		st = state_keywords(rq->svc->state, rq->account->id, 0, keywords);
	if (st != ST_OK)
		return st;
	if (!c->gone && !rq->chan->undeleted)
		c->recent_from = recent(rq, msg->mailbox, c->recent_from, c->uidnext,
		    msg->claim_recent);
	if (c->full)
		full_vanished(rq, msg, &gone);
	/* All that is there says what is not; told is what came. */
	if (c->full && rq->chan->undeleted)
		st = state_undeleted_since(rq->svc->state, rq->account->id, msg->mailbox, since,
		    &c->changed);
	uidset_encode(c->full ? &gone : &c->vanished, vanished);
	uidset_fini(&gone);
	if (msg->uids_only)
		uidset_encode(&c->changed, changed);
	are->vanished = buf_span(vanished);
	are->changed = buf_span(changed);
	are->keywords = buf_span(keywords);
	return st;
}

static enum read_step
read_changes(struct request *rq, const struct store_changes *msg)
{
	struct state_changes *c = &rq->changes;
	struct store_changes_are are = { 0 };
	struct buf vanished = { 0 }, changed = { 0 }, keywords = { 0 }, rows = { 0 };
	enum status st = ST_OK;
	enum read_step step;

	if (!rq->begun || rq->resume == 0)
		st = changes_head(rq, msg, &are, &vanished, &changed, &keywords);
	if (st == ST_OK && !c->gone && !msg->uids_only && !uidset_empty(&c->changed))
		st = state_rows(rq->svc->state, rq->account->id, msg->mailbox, &c->changed,
		    ROW_FLAGS, PART_BYTES, &rq->resume, &rows);
	if (st == ST_OK)
		st = share_rows(rq, msg->mailbox, ROW_FLAGS, &rows);
	if (st == ST_NOT_FOUND && rq->begun && rq->resume != 0)
		st = ST_UNAVAILABLE;	/* deleted between two parts: ask again */
	if (st == ST_OK && !c->gone && c->urls_told != 0 && !channel_foreign(rq->chan) &&
	    !rq->chan->undeleted)
		st = state_url_reset(rq->svc->state, rq->account->id, msg->mailbox, &are.url_reset);
	are.highestmodseq = c->highestmodseq;
	are.uidnext = c->uidnext;
	are.recent_from = c->recent_from;
	are.full = c->full;
	are.gone = c->gone;
	are.rows = buf_span(&rows);
	step = st != ST_OK ? read_fail(rq, st) :
	    read_part(rq, rq->resume != 0 || c->more, STORE_CHANGES_ARE, &are);
	buf_fini(&vanished);
	buf_fini(&changed);
	buf_fini(&keywords);
	buf_fini(&rows);
	return step;
}

static enum read_step
read_touched(struct request *rq, const struct store_touched *msg)
{
	struct state_touched t;
	uint64_t since = msg->since > 0 ? msg->since : UINT64_MAX;
	enum status st = state_touched(rq->svc->state, rq->account->id, since, TOUCHED_ROWS,
	    &t);
	const struct store_touched_are are = { t.modseq, t.all, buf_span(&t.list),
		buf_span(&t.noted), t.not_noted };
	enum read_step step = st != ST_OK ? read_fail(rq, st) : read_part(rq, false, STORE_TOUCHED_ARE, &are);

	state_touched_fini(&t);
	return step;
}

/* Bodies -------------------------------------------------------------------------------- */

/* Where this read stands in the body at hand. */
struct body_at {
	uint64_t	from, to;		/* of the stored body, to exclusive */
};

/* Bytes that the job's data has so far. */
static size_t
job_bytes(const struct reader_job *job)
{
	const struct reader_run *last;

	if (job->n_runs == 0)
		return 0;
	last = &job->runs[job->n_runs - 1];
	return last->at + last->loc.length;
}

/* Where a piece will lie in the job's data.  It goes with the last run when it lies right
 * behind it: one read costs more than the bytes between. */
static size_t
add_run(struct reader_job *job, struct journal_loc loc)
{
	struct reader_run *last = job->n_runs > 0 ? &job->runs[job->n_runs - 1] : NULL;
	size_t bytes = job_bytes(job);

	if (last != NULL && last->loc.segment == loc.segment) {
		uint32_t end = last->loc.offset + last->loc.length;

		if (loc.offset >= end && loc.offset - end <= BODY_GAP &&
		    loc.offset - last->loc.offset + loc.length <= BODY_RUN) {
			last->loc.length = loc.offset - last->loc.offset + loc.length;
			return bytes + loc.offset - end;
		}
	}
	job->runs[job->n_runs++] = (struct reader_run){ loc, bytes };
	return bytes;
}

static void
add_piece(struct reader_job *job, const struct state_body *b, uint64_t offset,
    struct journal_loc loc, size_t *bytes)
{
	size_t at = loc.length > 0 ? add_run(job, loc) : 0;

	job->pieces[job->n++] = (struct reader_piece){ b->uid, b->stored_size, offset, at,
	    loc.length };
	*bytes += loc.length;
}

/* Pieces of at->from..to, as far as the part goes; returns the offset reached. */
static uint64_t
plan_body(struct reader_job *job, const struct state_body *b, const struct journal_loc *locs,
    const struct body_at *at, size_t budget, size_t *bytes)
{
	uint64_t pos = at->from, base = 0;

	for (size_t i = 0; i < b->n_locs && pos < at->to; base += locs[i++].length) {
		while (pos < at->to && pos < base + locs[i].length) {
			uint64_t n = base + locs[i].length - pos;
			struct journal_loc loc = locs[i];

			if (job->n == BODY_PIECES || (*bytes > 0 && *bytes >= budget))
				return pos;
			if (n > at->to - pos)
				n = at->to - pos;
			if (n > BODY_PIECE)
				n = BODY_PIECE;
			loc.offset += (uint32_t)(pos - base);
			loc.length = (uint32_t)n;
			add_piece(job, b, pos, loc, bytes);
			pos += n;
		}
	}
	if (at->from >= at->to && job->n < BODY_PIECES)
		add_piece(job, b, at->from, (struct journal_loc){ 0 }, bytes);
	return pos;
}

/* Fills job; rq->resume and offset are where the next part begins, resume 0: nowhere. */
static enum status
plan(struct request *rq, const struct store_body *msg, struct reader_job *job, size_t *bytes)
{
	size_t budget = BODY_PART;
	uint32_t first = uidset_next(&rq->set, 0);
	struct state_bodies *bodies;
	struct buf locs = { 0 };
	enum status st;

	st = state_bodies_open(rq->svc->state, rq->account->id, msg->mailbox, &rq->set,
	    rq->resume, &bodies);
	if (msg->budget < budget + rq->sent)
		budget = msg->budget > rq->sent ? (size_t)(msg->budget - rq->sent) : 1;
	while (st == ST_OK && job->n < BODY_PIECES && *bytes < budget) {
		struct state_body b;
		struct body_at at;
		uint64_t start, end;

		st = state_bodies_next(bodies, &b, &locs);
		if (st != ST_OK)
			break;
		if (b.uid != rq->resume)
			rq->offset = b.uid == first ? msg->offset : 0;
		start = b.uid == first ? msg->offset : 0;
		end = b.stored_size;
		if (msg->length > 0 && start < end && msg->length < end - start)
			end = start + msg->length;
		at = (struct body_at){ rq->offset < end ? rq->offset : end, end };
		rq->offset = plan_body(job, &b, (const void *)locs.data, &at, budget, bytes);
		rq->resume = b.uid;
		if (rq->offset >= end) {
			rq->offset = 0;
			if (b.uid == UINT32_MAX || uidset_next(&rq->set, b.uid) == 0) {
				rq->resume = 0;
				break;
			}
			rq->resume = b.uid + 1;
		}
	}
	state_bodies_close(&bodies);
	buf_fini(&locs);
	if (st != ST_NOT_FOUND)
		return st;
	/* None left.  (That of a mailbox that is not there was told with the first one.) */
	if (job->n == 0 && rq->sent == 0 && rq->resume == 0)
		return st;
	rq->resume = 0;
	return ST_OK;
}

static bool
body_budget(const struct request *rq, uint32_t *budget)
{
	union any msg;

	if (ipc_decode(rq->m, buf_span(&rq->body), &msg) != ST_OK)
		return false;
	*budget = rq->m->no == STORE_URL_BODY ? msg.url_body.budget :
	    rq->m->no == STORE_BLOB_READ ? msg.blob.budget : msg.body.budget;
	return true;
}

static enum read_step
send_bodies(struct request *rq, const struct reader_job *job)
{
	struct store_body_is is = { 0 };
	struct buf out = { 0 };
	uint64_t bytes = 0;
	uint32_t budget;
	enum read_step step;
	bool more;

	if (job->status != ST_OK) {
		LOG(NULL, ERROR, "body.read", KV_UINT("account", rq->account->id),
		    KV_UINT("segment", job->n_runs > 0 ? job->runs[0].loc.segment : 0),
		    KV_STATUS(job->status));
		request_answer(rq, job->status == ST_NOT_FOUND ? ST_CORRUPT : job->status, 0, NULL);
		return READ_DONE;
	}
	if (!body_budget(rq, &budget))
		return read_fail(rq, ST_BUG);
	for (size_t i = 0; i < job->n; i++) {
		const struct reader_piece *p = &job->pieces[i];
		const struct store_body_piece piece = { p->uid, p->stored_size, p->offset,
		    span(job->data + p->at, p->len) };

		put_store_body_piece(&out, &piece);
		bytes += p->len;
	}
	rq->sent += bytes;
	more = rq->resume != 0 && rq->sent < budget;
	is.pieces = buf_span(&out);
	if (!more) {
		is.resume_uid = rq->resume;
		is.resume_offset = rq->offset;
	}
	step = read_part(rq, more, STORE_BODY_IS, &is);
	buf_fini(&out);
	return step;
}

static void
bodies_came(struct reader_job *job, void *arg)
{
	struct request *rq = arg;

	rq->busy = false;
	if (rq->chan == NULL || send_bodies(rq, job) == READ_DONE)
		request_free(rq);
	else
		read_begin(rq);
	reader_job_free(&job);
}

/* false: some are not in memory. */
static bool
read_now(struct service *svc, struct reader_job *job)
{
	for (size_t i = 0; i < job->n_runs; i++) {
		bool block = false;

		job->status = journal_read_nowait(svc->journal, job->runs[i].loc,
		    job->data + job->runs[i].at, &block);
		if (job->status != ST_OK)
			return !block;
	}
	return true;
}

/* Fetches what was planned and sends it. */
static enum read_step
run_job(struct request *rq, struct reader_job *job, enum status st)
{
	enum read_step step;

	if (st != ST_OK) {
		reader_job_free(&job);
		return read_fail(rq, st);
	}
	job->data = mem_alloc(job_bytes(job) + 1);
	if (!read_now(rq->svc, job)) {
		job->done = bodies_came;
		job->arg = rq;
		rq->busy = true;
		readers_submit(rq->svc->readers, job);
		return READ_BUSY;
	}
	step = send_bodies(rq, job);
	reader_job_free(&job);
	return step;
}

static struct reader_job *
job_new(void)
{
	struct reader_job *job = mem_zalloc(sizeof(*job));

	job->pieces = mem_array(BODY_PIECES, sizeof(*job->pieces));
	job->runs = mem_array(BODY_PIECES, sizeof(*job->runs));
	return job;
}

static enum read_step
read_body(struct request *rq, const struct store_body *msg)
{
	struct reader_job *job;
	size_t bytes = 0;

	if (!read_uids(rq, msg->uids))
		return read_fail(rq, ST_SYNTAX);
	job = job_new();
	return run_job(rq, job, plan(rq, msg, job, &bytes));
}

/* An upload, as a body of uid 1. */
static enum read_step
read_blob(struct request *rq, const struct store_blob_read *msg)
{
	struct reader_job *job = job_new();
	struct buf locs = { 0 };
	struct state_body b;
	struct body_at at;
	size_t budget = BODY_PART, bytes = 0;
	enum status st = state_blob_body(rq->svc->state, rq->account->id, msg->id, &b, &locs);

	if (st == ST_OK) {
		at.to = b.stored_size;
		if (msg->length > 0 && msg->offset < at.to && msg->length < at.to - msg->offset)
			at.to = msg->offset + msg->length;
		at.from = rq->begun ? rq->offset : msg->offset < at.to ? msg->offset : at.to;
		if (msg->budget < budget + rq->sent)
			budget = msg->budget > rq->sent ? (size_t)(msg->budget - rq->sent) : 1;
		rq->begun = true;
		rq->offset = plan_body(job, &b, (const void *)locs.data, &at, budget, &bytes);
		rq->resume = rq->offset < at.to;
		if (rq->resume == 0)
			rq->offset = 0;
	}
	buf_fini(&locs);
	return run_job(rq, job, st);
}

/* URLs that authorize --------------------------------------------------------------------- */

static enum read_step
read_url_sign(struct request *rq, const struct store_url_sign *msg)
{
	struct store_url_signed is;
	struct buf token = { 0 };
	enum status st = state_url_sign(rq->svc->state, rq->account->id, msg->rump, msg->who, &token);
	enum read_step step;

	is.token = buf_span(&token);
	step = st != ST_OK ? read_fail(rq, st) : read_part(rq, false, STORE_URL_SIGNED, &is);
	buf_fini_secret(&token);
	return step;
}

/* What the URL lets be read; rq->set is that message. */
static enum status
judge_url(struct request *rq, struct span url, uint64_t *mailbox)
{
	const struct ticket *t = &rq->chan->ticket;
	const struct state_url_asker by = { t->account, (t->rights & RIGHT_SUBMIT) != 0,
	    clock_wall_s() };
	struct state_url u;
	enum status st = state_url_judge(rq->svc->state, rq->account->id, url, &by, &u);

	if (st == ST_OK) {
		*mailbox = u.mailbox;
		uidset_clear(&rq->set);
		uidset_add(&rq->set, u.uid);
		rq->begun = true;
	}
	return st;
}

static enum status
url_row(struct request *rq, uint64_t mailbox, uint64_t *size)
{
	struct store_row row;
	struct buf out = { 0 };
	struct reader r;
	uint32_t resume = 0;
	enum status st = state_rows(rq->svc->state, rq->account->id, mailbox, &rq->set, ROW_SIZE,
	    PART_BYTES, &resume, &out);

	reader_init(&r, out.data, out.len);
	if (st == ST_OK && !get_store_row(&r, &row, ROW_SIZE))
		st = ST_NOT_FOUND;
	if (st == ST_OK)
		*size = row.size;
	buf_fini(&out);
	return st;
}

static enum read_step
read_url_find(struct request *rq, const struct store_url_find *msg)
{
	struct store_url_found found = { 0 };
	struct store_cache cache = { 0 };
	struct buf out = { 0 };
	struct reader r;
	uint64_t mailbox = 0;
	uint32_t resume = 0;
	enum status st = judge_url(rq, msg->url, &mailbox);
	enum read_step step;

	if (st == ST_OK)
		st = url_row(rq, mailbox, &found.size);
	if (st == ST_OK)
		st = state_caches(rq->svc->state, rq->account->id, mailbox, &rq->set,
		    CACHE_STRUCTURE, PART_BYTES, &resume, &out);
	reader_init(&r, out.data, out.len);
	if (st == ST_OK && get_store_cache(&r, &cache))
		found.structure = cache.structure;
	step = st != ST_OK ? read_fail(rq, st) : read_part(rq, false, STORE_URL_FOUND, &found);
	buf_fini(&out);
	return step;
}

static enum read_step
read_url_body(struct request *rq, const struct store_url_body *msg)
{
	struct store_body body = { .offset = msg->offset, .budget = msg->budget };
	enum status st = judge_url(rq, msg->url, &body.mailbox);

	return st != ST_OK ? read_fail(rq, st) : read_body(rq, &body);
}

/* The rest ------------------------------------------------------------------------------ */

static enum read_step
read_quota(struct request *rq)
{
	struct op_head limits = { 0 };
	struct store_quota_is is;
	enum status st;

	service_limits(rq->svc, &limits);
	st = state_quota(rq->svc->state, rq->account->id, &limits, &is);
	return st != ST_OK ? read_fail(rq, st) : read_part(rq, false, STORE_QUOTA_IS, &is);
}

static enum read_step
read_uidls(struct request *rq, const struct store_uidls *msg)
{
	struct buf out = { 0 };
	struct store_uidls_are are = { .resume = msg->from };
	enum status st = state_uidls(rq->svc->state, rq->account->id, msg->mailbox, msg->limit,
	    PART_BYTES, &are.resume, &out);
	enum read_step step;

	are.list = buf_span(&out);
	step = st != ST_OK ? read_fail(rq, st) : read_part(rq, false, STORE_UIDLS_ARE, &are);
	buf_fini(&out);
	return step;
}

static enum read_step
read_sums(struct request *rq, const struct store_sums *msg)
{
	struct buf out = { 0 };
	struct store_sums_are are;
	enum status st;
	enum read_step step;

	if (!read_uids(rq, msg->uids))
		return read_fail(rq, ST_SYNTAX);
	st = state_sums(rq->svc->state, rq->account->id, msg->mailbox, &rq->set, SUMS_PART,
	    &rq->resume, &out);
	are.sums = buf_span(&out);
	step = st != ST_OK ? read_fail(rq, st) : read_part(rq, rq->resume != 0, STORE_SUMS_ARE, &are);
	buf_fini(&out);
	return step;
}

static enum read_step
read_metadata(struct request *rq, const struct store_metadata_get *msg)
{
	struct buf out = { 0 };
	struct store_metadata_is is = { .resume = 0 };
	enum status st = state_metadata(rq->svc->state, rq->account->id,
	    rq->chan->ticket.account, msg, PART_BYTES - STORE_METADATA_VALUE_MAX - 1024,
	    &is.resume, &out);
	enum read_step step;

	is.entries = buf_span(&out);
	step = st != ST_OK ? read_fail(rq, st) : read_part(rq, false, STORE_METADATA_IS, &is);
	buf_fini(&out);
	return step;
}

/* Where the walk goes on is kept in rq->items. */
static enum read_step
read_annotations(struct request *rq, const struct store_annotations *msg)
{
	struct state_annotations q = { .mailbox = msg->mailbox, .uids = &rq->set,
		.reader = rq->chan->ticket.account, .patterns = msg->names, .which = msg->which,
		.max_size = msg->max_size, .part_bytes = PART_BYTES - STORE_ANNOTATION_VALUE_MAX -
		1024, .resume = &rq->items, .last_uid = (uint32_t)rq->offset };
	struct store_annotations_are are = { 0 };
	struct buf out = { 0 };
	enum status st;
	enum read_step step;
	bool more;

	if (!read_uids(rq, msg->uids))
		return read_fail(rq, ST_SYNTAX);
	st = state_annotations(rq->svc->state, rq->account->id, &q, &out);
	rq->sent += out.len;
	rq->offset = q.last_uid;
	more = rq->items.len > 0;
	/* Cut between two messages. */
	if (more && msg->budget > 0 && rq->sent >= msg->budget && q.next_uid != q.last_uid) {
		are.resume_uid = q.next_uid;
		more = false;
	}
	are.entries = buf_span(&out);
	step = st != ST_OK ? read_fail(rq, st) : read_part(rq, more, STORE_ANNOTATIONS_ARE, &are);
	buf_fini(&out);
	return step;
}

static enum read_step
read_annotated(struct request *rq, const struct store_annotated_get *msg)
{
	struct store_annotated_are are;
	struct buf out = { 0 };
	enum status st;
	enum read_step step;

	if (!read_uids(rq, msg->uids))
		return read_fail(rq, ST_SYNTAX);
	st = state_annotated(rq->svc->state, rq->account->id, rq->chan->ticket.account, msg,
	    &rq->set, PART_BYTES - 1024, &rq->items, &out);
	are.entries = buf_span(&out);
	step = st != ST_OK ? read_fail(rq, st) :
	    read_part(rq, rq->items.len > 0, STORE_ANNOTATED_ARE, &are);
	buf_fini(&out);
	return step;
}

/* How many records lie in out, and the key of the last one. */
static uint32_t
count_records(struct span records, struct span *last)
{
	struct store_dir_record rec;
	struct reader r;
	uint32_t n = 0;

	reader_init(&r, records.p, records.len);
	while (get_store_dir_record(&r, &rec)) {
		*last = rec.key;
		n++;
	}
	return n;
}

/* The place to go on from is kept in rq->items, how many came in rq->sent. */
static enum read_step
read_dir(struct request *rq, const struct store_dir_read *msg)
{
	struct buf out = { 0 };
	struct store_dir_records are = { 0 };
	uint64_t left = msg->limit > rq->sent ? msg->limit - rq->sent : 0;
	uint32_t ask = left < DIR_STEP ? (uint32_t)left : DIR_STEP, n;
	struct span last = SPAN_NONE;
	enum status st;
	enum read_step step;

	if (!rq->begun)
		buf_add_span(&rq->items, msg->from);
	rq->begun = true;
	if (msg->to.len == 0)
		ask = 1;
	st = state_dir_read(rq->svc->state, buf_span(&rq->items), msg->to, ask, &out,
	    &are.modseq);
	n = count_records(buf_span(&out), &last);
	rq->sent += n;
	are.records = buf_span(&out);
	buf_clear(&rq->items);
	buf_add_span(&rq->items, last);
	buf_add_c(&rq->items, '\0');	/* the least key above the last one */
	step = st != ST_OK ? read_fail(rq, st) :
	    read_part(rq, msg->to.len > 0 && n == ask && n < left, STORE_DIR_RECORDS, &are);
	buf_fini_secret(&out);
	return step;
}

static enum read_step
read_texts(struct request *rq, const struct store_text_find *msg)
{
	switch (text_find_step(rq, msg)) {
	case TEXT_FIND_DONE: return READ_DONE;
	case TEXT_FIND_MORE: return READ_MORE;
	default: return READ_BUSY;
	}
}

static enum read_step
read_step(struct request *rq)
{
	union any msg;
	enum status st;

	if (ipc_is_cancelled(ipc_of(rq), rq->head.req)) {
		request_answer(rq, ST_CANCELLED, 0, NULL);
		return READ_DONE;
	}
	st = channel_judge(rq->chan);	/* also between two parts */
	if (st != ST_OK) {
		request_answer(rq, st, 0, NULL);
		return READ_DONE;
	}
	if (rq->m->size > 0 && ipc_decode(rq->m, buf_span(&rq->body), &msg) != ST_OK)
		return read_fail(rq, ST_BUG);
	st = share_read(rq, &msg);
	if (st != ST_OK)
		return read_fail(rq, st);
	switch (rq->m->no) {
	case STORE_ACL: return read_acl(rq, &msg.acl);
	case STORE_SHARED: return read_shared(rq, &msg.shared);
	case STORE_LIST:
		return channel_foreign(rq->chan) || rq->chan->undeleted ?
		    read_shared_list(rq, &msg.list) : read_list(rq, &msg.list);
	case STORE_OPEN:
		return rq->chan->undeleted ? open_undeleted(rq, &msg.open) : read_open(rq, &msg.open);
	case STORE_ROWS: return read_rows(rq, &msg.rows);
	case STORE_CACHE: return read_cache(rq, &msg.cache);
	case STORE_COLUMNS: return read_columns(rq, &msg.columns);
	case STORE_MARKS: return read_marks(rq, &msg.marks);
	case STORE_BODY: return read_body(rq, &msg.body);
	case STORE_CHANGES: return read_changes(rq, &msg.changes);
	case STORE_TOUCHED: return read_touched(rq, &msg.touched);
	case STORE_QUOTA: return read_quota(rq);
	case STORE_DIR_READ: return read_dir(rq, &msg.dir_read);
	case STORE_UIDLS: return read_uidls(rq, &msg.uidls);
	case STORE_SUMS: return read_sums(rq, &msg.sums);
	case STORE_METADATA_GET: return read_metadata(rq, &msg.metadata);
	case STORE_URL_SIGN: return read_url_sign(rq, &msg.url_sign);
	case STORE_URL_FIND: return read_url_find(rq, &msg.url_find);
	case STORE_URL_BODY: return read_url_body(rq, &msg.url_body);
	case STORE_BLOB_READ: return read_blob(rq, &msg.blob);
	case STORE_ANNOTATIONS: return read_annotations(rq, &msg.annotations);
	case STORE_ANNOTATED: return read_annotated(rq, &msg.annotated);
	case STORE_RESTORE:
		restore_begin(rq, &msg.restore);
		return READ_BUSY;
	case STORE_TEXT_FIND: return read_texts(rq, &msg.text_find);
	case STORE_PUSHES: return push_read(rq);
	case STORE_SCRIPTS: case STORE_SCRIPT: case STORE_SCRIPT_ROOM: case STORE_SIEVE_KEYS:
	case STORE_EVENT:
		return read_sieve(rq, &msg);
	default: return read_jmap(rq, &msg);
	}
}

void
reads_run(void *arg)
{
	struct service *svc = arg;
	uint64_t end = clock_mono_us() + ROUND_US;
	struct list full;

	list_init(&full);
	while (!svc->dead && !list_empty(&svc->reads) && clock_mono_us() < end) {
		struct request *rq = list_entry(svc->reads.next, struct request, node);
		enum read_step step;

		list_remove(&rq->node);
		if (ipc_out_full(ipc_of(rq))) {
			list_push_back(&full, &rq->node);
			continue;
		}
		step = read_step(rq);
		if (step == READ_DONE)
			request_free(rq);
		else if (step == READ_MORE)
			list_push_back(&svc->reads, &rq->node);
	}
	if (!svc->dead && !list_empty(&svc->reads))
		loop_task_post(svc->reads_task);
	while (!list_empty(&full)) {	/* on_drained() posts for these */
		struct list *n = full.next;

		list_remove(n);
		list_push_back(&svc->reads, n);
	}
}
