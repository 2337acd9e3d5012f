/* Reads, in parts: a part of one, then a part of the next, so that a long answer holds
 * nobody up; a socket that does not take its answers is passed over until it does. */
#include "storage/service/reads_priv.h"

#include "common/util/clock.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/service/push.h"
#include "storage/state/undelete.h"

#define ROUND_US	1000		/* of reads, before the loop looks around */
#define COLUMNS_PART	(256u << 10)
#define SUMS_PART	(16u << 10)
#define CHANGE_ROWS	5000
#define TOUCHED_ROWS	2000
#define DIR_STEP	64

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
	union read_any msg;
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
