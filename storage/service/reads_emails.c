/* Reads of JMAP's objects.  Where a walk stands is kept in the request between two parts: the
 * mailbox or the modseq in rq->offset, the uid in rq->resume, the message in rq->sent. */
#include "storage/service/service_priv.h"
#include "storage/state/emails.h"

#define CHANGE_ROWS	2000
#define HISTORY_ROWS	20000
#define BLOBS_BYTES	(1000u << 10)	/* of one answer */

static enum read_step
read_states(struct request *rq)
{
	struct store_states_are are;
	enum status st = state_states(rq->svc->state, rq->account->id, &are);

	return st != ST_OK ? read_fail(rq, st) : read_part(rq, false, STORE_STATES_ARE, &are);
}

static enum read_step
read_emails(struct request *rq, const struct store_emails *msg)
{
	struct store_emails_are are = { 0 };
	struct buf out = { 0 }, keywords = { 0 };
	enum status st;
	enum read_step step;

	if (!rq->begun) {
		rq->offset = msg->mailbox;
		rq->resume = msg->uid;
	}
	rq->begun = true;
	st = state_emails(rq->svc->state, rq->account->id, &rq->offset, &rq->resume, PART_BYTES,
	    &out, &are.modseq);
	if (st == ST_OK)
		st = state_keywords(rq->svc->state, rq->account->id, 0, &keywords);
	are.members = buf_span(&out);
	are.keywords = buf_span(&keywords);
	step = st != ST_OK ? read_fail(rq, st) :
	    read_part(rq, rq->offset != 0, STORE_EMAILS_ARE, &are);
	buf_fini(&out);
	buf_fini(&keywords);
	return step;
}

static enum read_step
read_email_changes(struct request *rq, const struct store_email_changes *msg)
{
	struct service *svc = rq->svc;
	struct state_since q = { .since = rq->begun ? rq->offset : msg->since,
		.after = rq->begun ? rq->sent : msg->after, .limit = msg->limit,
		.told = rq->told_to, .rows = CHANGE_ROWS, .budget = PART_BYTES };
	struct store_email_changes_are are = { 0 };
	struct store_states_are states;
	struct buf out = { 0 }, keywords = { 0 };
	enum status st = msg->incarnation == state_incarnation(svc->state) ? ST_OK : ST_EXPIRED;
	enum read_step step;

	rq->begun = true;
	if (st == ST_OK)
		st = state_states(svc->state, rq->account->id, &states);
	if (st == ST_OK)
		st = state_email_changes(svc->state, rq->account->id, &q, &out);
	if (st == ST_OK && out.len > 0)
		st = state_keywords(svc->state, rq->account->id, 0, &keywords);
	rq->offset = are.upto = q.since;
	rq->sent = are.upto_after = q.after;
	rq->told_to = q.told;
	if (st == ST_OK) {
		are.email = states.email;
		are.thread = states.thread;
	}
	are.changes = buf_span(&out);
	are.keywords = buf_span(&keywords);
	are.more = q.more;
	step = st != ST_OK ? read_fail(rq, st) : read_part(rq,
	    q.more && (msg->limit == 0 || q.told < msg->limit), STORE_EMAIL_CHANGES_ARE, &are);
	buf_fini(&out);
	buf_fini(&keywords);
	return step;
}

static enum read_step
read_mailbox_changes(struct request *rq, const struct store_mailbox_changes *msg)
{
	struct service *svc = rq->svc;
	struct state_since q = { .since = msg->since, .after = msg->after, .limit = msg->limit,
		.rows = HISTORY_ROWS, .budget = PART_BYTES };
	struct store_mailbox_changes_are are = { 0 };
	struct store_states_are states;
	struct buf out = { 0 };
	enum status st = msg->incarnation == state_incarnation(svc->state) ? ST_OK : ST_EXPIRED;
	enum read_step step;

	if (st == ST_OK)
		st = state_states(svc->state, rq->account->id, &states);
	if (st == ST_OK)
		st = state_mailbox_changes(svc->state, rq->account->id, &q, &out);
	if (st == ST_OK)
		are.mailbox = states.mailbox;
	are.upto = q.since;
	are.upto_after = q.after;
	are.more = q.more;
	are.changes = buf_span(&out);
	step = st != ST_OK ? read_fail(rq, st) :
	    read_part(rq, false, STORE_MAILBOX_CHANGES_ARE, &are);
	buf_fini(&out);
	return step;
}

static enum read_step
read_blobs(struct request *rq, const struct store_blobs *msg)
{
	struct store_blobs_are are;
	struct buf out = { 0 };
	enum status st = msg->ids.len % 8 != 0 ? ST_SYNTAX :
	    state_blobs(rq->svc->state, rq->account->id, msg->ids, BLOBS_BYTES, &out);
	enum read_step step;

	are.blobs = buf_span(&out);
	step = st != ST_OK ? read_fail(rq, st) : read_part(rq, false, STORE_BLOBS_ARE, &are);
	buf_fini(&out);
	return step;
}

enum read_step
read_jmap(struct request *rq, const void *msg)
{
	switch (rq->m->no) {
	case STORE_STATES: return read_states(rq);
	case STORE_EMAILS: return read_emails(rq, msg);
	case STORE_EMAIL_CHANGES: return read_email_changes(rq, msg);
	case STORE_MAILBOX_CHANGES: return read_mailbox_changes(rq, msg);
	case STORE_BLOBS: return read_blobs(rq, msg);
	default: return read_fail(rq, ST_BUG);
	}
}
