/* What became of the Emails of an account.  The history names the operations, their change rows
 * the messages; whether one was there before is said by the rows themselves (rec_change.was),
 * whether it is there now by its memberships.  A message's first operation after the point
 * asked for counts. */
#include "storage/state/emails.h"

#include <stdlib.h>

#include "common/util/mem.h"
#include "storage/state/read_priv.h"

enum status
state_states(struct state *s, uint64_t account, struct store_states_are *out)
{
	struct rec_account a;

	TRY(st_read_account(s, NULL, account, &a));
	if (a.deleted_ms != 0 || a.purged)
		return ST_NOT_FOUND;
	*out = (struct store_states_are){ .modseq = a.modseq, .email = a.mail_modseq,
		.mailbox = a.mailbox_modseq, .thread = a.thread_modseq, .script = a.script_modseq,
		.delivery = a.delivery_modseq, .incarnation = st_meta(s).incarnation, .horizon = a.horizon };
	return ST_OK;
}

/* ---- all of them ---- */

static void
put_member(struct buf *b, uint64_t mailbox, uint32_t uid, const struct rec_index *x)
{
	const struct store_member m = { mailbox, { .uid = uid, .modseq = x->modseq,
	    .flags = x->flags, .size = x->size, .received_s = x->received_s,
	    .received_zone = x->received_zone, .message = x->message, .thread = x->thread,
	    .saved_s = x->saved_s } };

	put_store_member(b, &m);
}

/* The first mailbox from `from` on that is there; 0: none. */
static enum status
next_mailbox(struct state *s, uint64_t account, uint64_t from, uint64_t *mailbox)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct rec_mailbox r;
	struct key k;
	enum status st;

	*mailbox = 0;
	key_1(&k, account);
	TRY(engine_cursor_open(s->e, NULL, TAB_MAILBOX, key_span(&k), &c));
	key_2(&k, account, from);
	engine_cursor_seek(c, key_span(&k));
	while (*mailbox == 0 && (st = st_next(s, TAB_MAILBOX, c, &key, &payload)) == ST_OK) {
		if (!rec_mailbox_get(payload, &r))
			st = st_damaged(s, TAB_MAILBOX, key);
		else if (r.deleted_ms == 0)
			*mailbox = get_be64(key.p + 8);
		if (st != ST_OK)
			break;
	}
	engine_cursor_close(&c);
	return *mailbox != 0 || st == ST_NOT_FOUND ? ST_OK : st;
}

/* *uid: where to begin, then where to go on; 0: the mailbox is done. */
static enum status
mailbox_members(struct state *s, uint64_t account, uint64_t mailbox, uint32_t *uid, size_t end,
    struct buf *out)
{
	struct uidset uids = { 0 };
	struct walk w = { .s = s, .account = account, .mailbox = mailbox, .uids = &uids };
	struct rec_index x;
	uint32_t at, from = *uid;
	enum status st;

	*uid = 0;
	st = read_live_mailbox(s, account, mailbox, &w.last);
	if (st == ST_OK)
		st = state_uids(s, account, mailbox, STATE_ALL, &uids);
	if (st == ST_OK)
		st = walk_open(&w, from);
	while (st == ST_OK && (st = walk_next(&w, &at, &x)) == ST_OK) {
		if (out->len >= end) {
			*uid = at;
			break;
		}
		put_member(out, mailbox, at, &x);
	}
	engine_cursor_close(&w.c);
	uidset_fini(&uids);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status
state_emails(struct state *s, uint64_t account, uint64_t *mailbox, uint32_t *uid, size_t budget,
    struct buf *out, uint64_t *modseq)
{
	struct store_states_are states;
	size_t end = out->len + budget;
	uint64_t from = *mailbox, at;

	TRY(state_states(s, account, &states));
	*modseq = states.modseq;
	do {
		TRY(next_mailbox(s, account, from, &at));
		if (at != *mailbox)
			*uid = 0;
		*mailbox = at;
		if (at == 0 || out->len >= end)
			return ST_OK;
		TRY(mailbox_members(s, account, at, uid, end, out));
		from = at + 1;
	} while (*uid == 0);
	return ST_OK;
}

enum status
state_email_rows(struct state *s, uint64_t account, uint64_t message, uint32_t *rows)
{
	struct buf record = { 0 };
	struct rec_message m;
	struct span payload;
	struct key k;
	enum status st;

	*rows = 0;
	key_2(&k, account, message);
	st = st_get(s, NULL, TAB_MESSAGE, &k, &record, &payload);
	if (st == ST_OK && !rec_message_get(payload, &m))
		st = st_damaged(s, TAB_MESSAGE, key_span(&k));
	if (st == ST_OK)
		*rows = (uint32_t)(m.members.len / MEMBER_BYTES);
	buf_fini(&record);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* ---- what changed ---- */

/* What an operation did to a message. */
struct touch {
	uint64_t	message, thread, mailbox;
	uint32_t	uid;
	uint8_t		kind;
	bool		was;
	struct flags	old;
};

struct walk_emails {
	struct state		*s;
	uint64_t		account;
	struct state_since	*q;
	struct rec_account	acct;
	struct rec_stage	stage;		/* phase 0: none */
	struct uidset		moved;
	struct table		mailboxes;	/* id -> uidnext + 1; 1: it is gone */
	struct table		told;		/* message -> 1 + offset in changes */
	struct store_email_change *changes;
	struct buf		*members;	/* of each */
	size_t			n, room, bytes;
	struct touch		*touches;	/* of one operation */
	size_t			n_touches, touch_room;
	uint32_t		rows;
	struct buf		value;
};

static enum status
uids_end(struct walk_emails *w, uint64_t id, uint64_t *end)
{
	struct buf value = { 0 };
	struct rec_mailbox r;
	void *known = table_get_u64(&w->mailboxes, id);
	enum status st;

	if (known != NULL) {
		*end = (uintptr_t)known - 1;
		return ST_OK;
	}
	st = st_read_mailbox(w->s, NULL, w->account, id, &r, &value);
	*end = st == ST_OK && r.deleted_ms == 0 ? r.uidnext : 0;
	buf_fini(&value);
	if (st != ST_OK && st != ST_NOT_FOUND)
		return st;
	table_put_u64(&w->mailboxes, id, (void *)(uintptr_t)(*end + 1));
	return ST_OK;
}

/* A membership as it is; *here false: it is none, or hidden by what is under way. */
static enum status
member_now(struct walk_emails *w, struct rec_member at, struct rec_index *x, bool *here)
{
	struct span payload;
	uint64_t end;
	struct key k;
	enum status st;

	*here = false;
	TRY(uids_end(w, at.mailbox, &end));
	if (at.uid >= end || (w->stage.phase == STAGE_MOVED && at.mailbox == w->stage.from &&
	    uidset_has(&w->moved, at.uid)))
		return ST_OK;
	key_uid(&k, w->account, at.mailbox, at.uid);
	st = st_get(w->s, NULL, TAB_MINDEX, &k, &w->value, &payload);
	if (st == ST_NOT_FOUND)
		return ST_OK;
	TRY(st);
	if (!rec_index_get(payload, x))
		return st_damaged(w->s, TAB_MINDEX, key_span(&k));
	*here = true;
	return ST_OK;
}

static enum status
email_now(struct walk_emails *w, uint64_t message, bool *is, struct buf *members)
{
	struct buf record = { 0 };
	struct rec_message m;
	struct rec_index x;
	struct span payload;
	struct key k;
	bool here;
	enum status st;

	*is = false;
	key_2(&k, w->account, message);
	st = st_get(w->s, NULL, TAB_MESSAGE, &k, &record, &payload);
	if (st == ST_OK && !rec_message_get(payload, &m))
		st = st_damaged(w->s, TAB_MESSAGE, key_span(&k));
	for (size_t i = 0; st == ST_OK && i < m.members.len / MEMBER_BYTES; i++) {
		struct rec_member at = rec_member(m.members, i);

		st = member_now(w, at, &x, &here);
		if (st != ST_OK || !here)
			continue;
		put_member(members, at.mailbox, at.uid, &x);
		*is |= (flags_get_system(x.flags) & FLAG_DELETED) == 0;
	}
	buf_fini(&record);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* How a membership differs now from what it was. */
static uint8_t
differs(const struct touch *t, struct span members)
{
	struct store_member m;
	struct reader r;
	uint8_t what = 0;

	if (t->kind != CHANGE_UPDATED)
		return EMAIL_KEYWORDS | EMAIL_MAILBOXES;
	reader_init(&r, members.p, members.len);
	while (get_store_member(&r, &m)) {
		if (m.mailbox != t->mailbox || m.row.uid != t->uid)
			continue;
		if (!flags_eq(m.row.flags, t->old))
			what |= EMAIL_KEYWORDS;
		if ((flags_get_system(m.row.flags) ^ flags_get_system(t->old)) & FLAG_DELETED)
			what |= EMAIL_MAILBOXES;
		return what;
	}
	return EMAIL_KEYWORDS | EMAIL_MAILBOXES;
}

static enum status
take_row(struct walk_emails *w, struct span key, struct span payload)
{
	struct rec_change c;

	if (!rec_change_get(payload, &c))
		return st_damaged(w->s, TAB_CHANGE, key);
	if (w->n_touches == w->touch_room) {
		w->touch_room = w->touch_room == 0 ? 64 : 2 * w->touch_room;
		w->touches = mem_realloc_array(w->touches, w->touch_room, sizeof(w->touches[0]));
	}
	w->touches[w->n_touches++] = (struct touch){ .message = c.message, .thread = c.thread,
		.mailbox = get_be64(key.p + 8), .uid = get_be32(key.p + 24), .kind = c.kind,
		.was = c.was, .old = c.old_flags };
	return ST_OK;
}

static int
by_message(const void *a, const void *b)
{
	const struct touch *x = a, *y = b;

	return x->message < y->message ? -1 : x->message > y->message;
}

/* The change rows of an operation, by message. */
static enum status
collect(void *arg, uint64_t modseq, const struct rec_history *h)
{
	struct walk_emails *w = arg;
	const struct span mailboxes = h->mailboxes;
	struct engine_cursor *c;
	struct span key, payload;
	struct key k;
	enum status st = ST_OK;

	w->n_touches = 0;
	for (size_t i = 0; st == ST_OK && i < mailboxes.len; i += 8) {
		c = NULL;
		key_3(&k, w->account, get_be64(mailboxes.p + i), modseq);
		st = engine_cursor_open(w->s->e, NULL, TAB_CHANGE, key_span(&k), &c);
		while (st == ST_OK && (st = st_next(w->s, TAB_CHANGE, c, &key, &payload)) == ST_OK)
			st = take_row(w, key, payload);
		engine_cursor_close(&c);
		if (st == ST_NOT_FOUND)
			st = ST_OK;
	}
	w->rows += 1 + (uint32_t)w->n_touches;
	if (w->n_touches > 1)
		qsort(w->touches, w->n_touches, sizeof(w->touches[0]), by_message);
	return st;
}

static bool
full(const void *arg)
{
	const struct walk_emails *w = arg;

	return w->n > 0 && w->bytes >= w->q->budget;
}

static uint64_t
object(const void *arg, size_t i)
{
	const struct walk_emails *w = arg;

	return i < w->n_touches ? w->touches[i].message : 0;
}

static enum status
tell(void *arg, size_t from, size_t n, bool *fits)
{
	struct walk_emails *w = arg;
	const struct touch *t = &w->touches[from];
	size_t at = (uintptr_t)table_get_u64(&w->told, t->message);
	struct store_email_change c = { .message = t->message, .thread = t->thread };
	struct buf members = { 0 };
	enum status st = ST_OK;
	bool counts;

	*fits = true;
	if (at > 0) {
		for (size_t i = 0; i < n; i++) {
			w->changes[at - 1].what |= differs(&t[i], buf_span(&w->members[at - 1]));
			c.was |= t[i].was;
		}
		w->changes[at - 1].what |= c.was ? 0 : EMAIL_AGAIN;
		return ST_OK;
	}
	st = email_now(w, t->message, &c.is, &members);
	for (size_t i = 0; i < n; i++) {
		c.was |= t[i].was;
		c.what |= differs(&t[i], buf_span(&members));
	}
	counts = c.was || c.is || w->q->limit == 1;
	*fits = !full(w) && (!counts || w->q->limit == 0 || w->q->told < w->q->limit);
	if (st != ST_OK || !*fits) {
		buf_fini(&members);
		return st;
	}
	w->q->told += counts;
	if (w->n == w->room) {
		w->room = w->room == 0 ? 64 : 2 * w->room;
		w->changes = mem_realloc_array(w->changes, w->room, sizeof(w->changes[0]));
		w->members = mem_realloc_array(w->members, w->room, sizeof(w->members[0]));
	}
	w->changes[w->n] = c;
	w->members[w->n++] = members;
	w->bytes += members.len + 32;
	table_put_u64(&w->told, t->message, (void *)(uintptr_t)w->n);
	return ST_OK;
}

static enum status
load_stage(struct walk_emails *w)
{
	struct span payload;
	struct reader r;
	struct key k;
	enum status st;

	if (!w->acct.stage)
		return ST_OK;
	key_1(&k, w->account);
	st = st_get(w->s, NULL, TAB_STAGE, &k, &w->value, &payload);
	if (st == ST_NOT_FOUND)
		return ST_OK;
	TRY(st);
	if (!rec_stage_get(payload, &w->stage))
		return st_damaged(w->s, TAB_STAGE, key_span(&k));
	reader_init(&r, w->stage.uids.p, w->stage.uids.len);
	return uidset_decode(&w->moved, &r, SIZE_MAX) ? ST_OK :
	    st_damaged(w->s, TAB_STAGE, key_span(&k));
}

static void
walk_fini(struct walk_emails *w)
{
	for (size_t i = 0; i < w->n; i++)
		buf_fini(&w->members[i]);
	mem_free(&w->members);
	mem_free(&w->changes);
	mem_free(&w->touches);
	uidset_fini(&w->moved);
	table_fini(&w->mailboxes, NULL, NULL);
	table_fini(&w->told, NULL, NULL);
	buf_fini(&w->value);
}

static const struct since_reader reader = { full, collect, object, tell };

enum status
state_email_changes(struct state *s, uint64_t account, struct state_since *q, struct buf *out)
{
	struct walk_emails w = { .s = s, .account = account, .q = q };
	enum status st = since_judge(s, account, q, &w.acct);

	q->more = false;
	if (st == ST_OK)
		st = load_stage(&w);
	if (st == ST_OK)
		st = since_walk(s, account, &w.acct, q, &w.rows, &reader, &w);
	for (size_t i = 0; st == ST_OK && i < w.n; i++) {
		w.changes[i].members = buf_span(&w.members[i]);
		put_store_email_change(out, &w.changes[i]);
	}
	walk_fini(&w);
	return st;
}
