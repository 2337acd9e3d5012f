/* Counters counted anew.  Rows are read in slices while others write: what was counted of a
 * mailbox is compared only when nothing changed in it from its first row to its last. */
#include "storage/state/housekeeping.h"

#include <inttypes.h>

#include "storage/state/read_priv.h"

#define TRIES_MAX 3u

static void
differs(struct state_recount *r, uint64_t mailbox, const char *what, uint64_t recorded,
    uint64_t counted)
{
	if (recorded == counted)
		return;
	r->wrong++;
	buf_addf(&r->report, "mailbox %" PRIx64 ": %s %" PRIu64 ", counted %" PRIu64 "\n", mailbox,
	    what, recorded, counted);
}

static void
begin_mailbox(struct state_recount *r, const struct rec_mailbox *m)
{
	r->open = true;
	r->modseq = m->highestmodseq;
	r->uid = 0;
	r->messages = r->unseen = r->deleted = 0;
	r->bytes = r->deleted_bytes = 0;
}

static void
end_mailbox(struct state_recount *r)
{
	r->open = false;
	r->tries = 0;
}

/* The next one that is there. */
static enum status
next_mailbox(struct state *s, struct state_recount *r)
{
	struct state_mailbox_brief b;
	struct rec_mailbox m;
	struct buf value = { 0 };
	enum status st = state_mailbox_next(s, r->account, r->mailbox, UINT32_MAX, &b);

	if (st != ST_OK)
		return st;
	r->mailbox = b.id;
	st = st_read_mailbox(s, NULL, r->account, b.id, &m, &value);
	if (st == ST_OK)
		begin_mailbox(r, &m);
	buf_fini(&value);
	return st;
}

static void
count(struct state_recount *r, const struct rec_index *x)
{
	r->rows++;
	r->messages++;
	r->bytes += x->size;
	r->unseen += (x->flags.w[0] & FLAG_SEEN) == 0;
	if (x->flags.w[0] & FLAG_DELETED) {
		r->deleted++;
		r->deleted_bytes += x->size;
	}
}

/* ST_NOT_FOUND: that was the last of the mailbox. */
static enum status
slice(struct state *s, struct state_recount *r, unsigned rows)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct rec_index x;
	uint32_t last;
	struct key k;
	enum status st;

	TRY(read_live_mailbox(s, r->account, r->mailbox, &last));
	key_2(&k, r->account, r->mailbox);
	TRY(engine_cursor_open(s->e, NULL, TAB_MINDEX, key_span(&k), &c));
	key_uid(&k, r->account, r->mailbox, r->uid + 1);
	engine_cursor_seek(c, key_span(&k));
	st = r->uid >= last ? ST_NOT_FOUND : ST_OK;
	while (st == ST_OK && rows-- > 0) {
		st = st_next(s, TAB_MINDEX, c, &key, &payload);
		if (st == ST_OK && get_be32(key.p + 16) > last)
			st = ST_NOT_FOUND;	/* hidden, being staged */
		if (st != ST_OK)
			break;
		if (!rec_index_get(payload, &x)) {
			st = st_damaged(s, TAB_MINDEX, key);
			break;
		}
		r->uid = get_be32(key.p + 16);
		count(r, &x);
		if (r->uid >= last)
			st = ST_NOT_FOUND;
	}
	engine_cursor_close(&c);
	return st;
}

static enum status
compare(struct state *s, struct state_recount *r)
{
	struct rec_mailbox m;
	struct buf value = { 0 };
	enum status st = st_read_mailbox(s, NULL, r->account, r->mailbox, &m, &value);

	if (st != ST_OK || m.deleted_ms != 0) {
		end_mailbox(r);		/* gone meanwhile */
	} else if (m.highestmodseq != r->modseq) {
		if (++r->tries < TRIES_MAX) {
			begin_mailbox(r, &m);
		} else {
			r->left_out++;
			end_mailbox(r);
		}
	} else {
		r->mailboxes++;
		differs(r, r->mailbox, "messages", m.messages, r->messages);
		differs(r, r->mailbox, "unseen", m.unseen, r->unseen);
		differs(r, r->mailbox, "deleted", m.deleted, r->deleted);
		differs(r, r->mailbox, "bytes", m.bytes, r->bytes);
		differs(r, r->mailbox, "bytes of deleted ones", m.deleted_bytes, r->deleted_bytes);
		end_mailbox(r);
	}
	buf_fini(&value);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* The account's own counters are the sums of its mailboxes'. */
static enum status
sum(struct state *s, struct state_recount *r)
{
	struct rec_account before, after;
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct rec_mailbox m;
	uint64_t bytes = 0, messages = 0, mailboxes = 0;
	struct key k;
	enum status st;

	TRY(st_read_account(s, NULL, r->account, &before));
	key_1(&k, r->account);
	TRY(engine_cursor_open(s->e, NULL, TAB_MAILBOX, key_span(&k), &c));
	while ((st = st_next(s, TAB_MAILBOX, c, &key, &payload)) == ST_OK) {
		if (!rec_mailbox_get(payload, &m)) {
			st = st_damaged(s, TAB_MAILBOX, key);
			break;
		}
		if (m.deleted_ms != 0)
			continue;
		bytes += m.bytes;
		messages += m.messages;
		mailboxes++;
	}
	engine_cursor_close(&c);
	if (st != ST_NOT_FOUND)
		return st;
	TRY(st_read_account(s, NULL, r->account, &after));
	if (after.modseq != before.modseq || after.stage) {
		r->left_out++;
		return ST_OK;
	}
	differs(r, 0, "bytes", after.bytes, bytes);
	differs(r, 0, "messages", after.messages, messages);
	differs(r, 0, "mailboxes", after.mailboxes, mailboxes);
	return ST_OK;
}

enum status
state_recount(struct state *s, struct state_recount *r, unsigned rows)
{
	struct rec_account a;
	enum status st = ST_OK;

	TRY(st_read_account(s, NULL, r->account, &a));
	if (a.deleted_ms != 0 || a.purged)
		return ST_NOT_FOUND;
	r->more = true;
	if (!r->open)
		st = next_mailbox(s, r);
	if (st == ST_NOT_FOUND && !r->open) {
		r->more = false;
		return sum(s, r);
	}
	TRY(st);
	st = slice(s, r, rows);
	return st == ST_NOT_FOUND ? compare(s, r) : st;
}

void
state_recount_fini(struct state_recount *r)
{
	buf_fini(&r->report);
}
