/* What is asked when an event of IMAP runs a script (RFC 6785): which one the mailbox names, and what
 * a change did to the flags of its messages. */
#include "storage/state/read_priv.h"
#include "storage/state/sieve.h"

#define MAILBOXES_LOOKED 1000u	/* in search of one with the entry */
#define CHANGES_BACK 64u	/* of one message, behind the one that is asked for */
#define CHANGES_READ 1000u	/* for one part of an answer */

static void
entry_key(struct key *k, uint64_t account, uint64_t mailbox)
{
	key_3(k, account, mailbox, 0);
	key_add(k, SPAN_LIT(STORE_EVENT_ENTRY));
}

/* From one mailbox that has annotations to the next. */
static enum status
look(struct engine_cursor *c, uint64_t account, bool *any)
{
	uint64_t mailbox = 1, at;
	struct span key;
	struct key k;

	for (unsigned n = 0; n < MAILBOXES_LOOKED; n++) {
		entry_key(&k, account, mailbox);
		engine_cursor_seek(c, key_span(&k));
		TRY(engine_cursor_next(c, &key, NULL));
		if (span_eq(key, key_span(&k)))
			break;
		at = get_be64(key.p + 8);
		mailbox = at > mailbox ? at : mailbox + 1;
	}
	*any = true;
	return ST_OK;
}

enum status
state_event_any(struct state *s, uint64_t account, bool *any)
{
	struct engine_cursor *c = NULL;
	struct rec_account a;
	struct key k;
	enum status st;

	*any = false;
	TRY(st_read_account(s, NULL, account, &a));
	if (a.metadata_bytes == 0)
		return ST_OK;
	key_1(&k, account);
	TRY(engine_cursor_open(s->e, NULL, TAB_METADATA, key_span(&k), &c));
	st = look(c, account, any);
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status
state_event_script(struct state *s, uint64_t account, uint64_t mailbox, bool *entry,
    struct buf *script)
{
	struct buf value = { 0 };
	struct span payload;
	uint32_t last;
	struct key k;
	enum status st;

	*entry = false;
	TRY(read_live_mailbox(s, account, mailbox, &last));
	entry_key(&k, account, mailbox);
	st = st_get(s, NULL, TAB_METADATA, &k, &value, &payload);
	if (st == ST_OK) {
		*entry = true;
		if (script_name_valid(payload))
			buf_add_span(script, payload);
	}
	buf_fini(&value);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* *is false: that change did not change a message that was there, or it is forgotten. */
static enum status
update_at(const struct walk *w, uint64_t modseq, uint32_t uid, struct rec_change *c, bool *is)
{
	struct buf value = { 0 };
	struct span payload;
	struct key k;
	enum status st;

	*is = false;
	key_change(&k, w->account, w->mailbox, modseq, uid);
	st = st_get(w->s, NULL, TAB_CHANGE, &k, &value, &payload);
	if (st == ST_OK && !rec_change_get(payload, c))
		st = st_damaged(w->s, TAB_CHANGE, key_span(&k));
	if (st == ST_OK)
		*is = c->kind == CHANGE_UPDATED;
	buf_fini(&value);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* What it left is what the next change found.  *read: counts. */
static enum status
take_change(const struct walk *w, const struct rec_index *x, uint64_t modseq,
    struct store_event_row *row, unsigned *read)
{
	struct flags after = x->flags;
	uint64_t at = x->modseq;
	struct rec_change c;
	bool is = true;

	for (unsigned n = 0; at > modseq && n < CHANGES_BACK; n++, ++*read) {
		TRY(update_at(w, at, row->uid, &c, &is));
		if (!is)
			return ST_OK;
		after = c.old_flags;
		at = c.old_modseq;
	}
	if (at == modseq)
		TRY(update_at(w, at, row->uid, &c, &is));
	if (at != modseq || !is || flags_eq(after, c.old_flags))
		return ST_OK;
	row->before = c.old_flags;
	row->changed = flags_or(flags_without(after, c.old_flags),
	    flags_without(c.old_flags, after));
	return ST_OK;
}

enum status
state_event_rows(struct state *s, uint64_t account, uint64_t mailbox, const struct uidset *uids,
    uint64_t modseq, size_t budget, uint32_t *resume_uid, struct buf *out)
{
	struct walk w = { .s = s, .account = account, .mailbox = mailbox, .uids = uids };
	struct store_event_row row = { 0 };
	struct rec_index x;
	unsigned read = 0;
	enum status st;

	TRY(read_live_mailbox(s, account, mailbox, &w.last));
	st = walk_open(&w, *resume_uid);
	*resume_uid = 0;
	while (st == ST_OK && (st = walk_next(&w, &row.uid, &x)) == ST_OK) {
		if (out->len > budget || read > CHANGES_READ) {
			*resume_uid = row.uid;
			break;
		}
		row.modseq = x.modseq;
		row.flags = row.before = x.flags;
		row.changed = flags_system(0);
		if (modseq != 0)
			st = take_change(&w, &x, modseq, &row, &read);
		put_store_event_row(out, &row);
	}
	engine_cursor_close(&w.c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}
