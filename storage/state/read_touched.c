/* Which mailboxes of an account changed since a modseq: the history, not the mailboxes, is
 * walked, so that who watches thousands of them pays for the few that moved. */
#include <string.h>

#include "storage/state/state_priv.h"

#define MAILBOXES_MAX 500u	/* more: the list is no dearer */

struct touched {
	uint64_t	id[MAILBOXES_MAX];
	size_t		n;
	bool		all;
};

static void
touch(struct touched *t, uint64_t id)
{
	for (size_t i = t->n; i > 0; i--) {
		if (t->id[i - 1] == id)
			return;
	}
	if (t->n == MAILBOXES_MAX)
		t->all = true;
	else
		t->id[t->n++] = id;
}

static enum status
walk_history(struct state *s, uint64_t account, uint64_t since, uint32_t rows, struct touched *t)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct rec_history h;
	struct key k;
	enum status st;

	key_1(&k, account);
	TRY(engine_cursor_open(s->e, NULL, TAB_HISTORY, key_span(&k), &c));
	key_2(&k, account, since + 1);
	engine_cursor_seek(c, key_span(&k));
	for (uint32_t n = 0; !t->all && (st = st_next(s, TAB_HISTORY, c, &key, &payload)) == ST_OK; n++) {
		if (!rec_history_get(payload, &h)) {
			st = st_damaged(s, TAB_HISTORY, key);
			break;
		}
		if (n == rows || h.kind == OP_SUBSCRIBE)
			t->all = true;
		for (size_t i = 0; i < h.mailboxes.len; i += 8)
			touch(t, get_be64(h.mailboxes.p + i));
	}
	engine_cursor_close(&c);
	return t->all || st == ST_NOT_FOUND ? ST_OK : st;
}

/* Mailboxes that came, went or got another name. */
static enum status
any_mchange(struct state *s, uint64_t account, uint64_t since, bool *any)
{
	struct engine_cursor *c = NULL;
	struct key k;
	enum status st;

	key_1(&k, account);
	TRY(engine_cursor_open(s->e, NULL, TAB_MCHANGE, key_span(&k), &c));
	key_2(&k, account, since + 1);
	engine_cursor_seek(c, key_span(&k));
	st = engine_cursor_next(c, NULL, NULL);
	engine_cursor_close(&c);
	*any = st == ST_OK;
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status
put_line(struct state *s, uint64_t account, uint64_t id, struct buf *out)
{
	struct store_mailbox m = { .id = id };	/* its name alone: who asks knows paths by id */
	struct buf value = { 0 };
	struct rec_mailbox r;
	enum status st = st_read_mailbox(s, NULL, account, id, &r, &value);

	if (st == ST_OK) {
		m.path = r.name;
		m.uidvalidity = r.uidvalidity;
		m.uidnext = r.uidnext;
		m.highestmodseq = r.highestmodseq;
		m.messages = r.messages;
		m.unseen = r.unseen;
		m.deleted = r.deleted;
		m.bytes = r.bytes;
		put_store_mailbox(out, &m);
	}
	buf_fini(&value);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status
state_touched(struct state *s, uint64_t account, uint64_t since, uint32_t rows,
    uint64_t *modseq, bool *all, struct buf *out)
{
	struct touched t = { .n = 0 };
	struct rec_account a;

	*all = false;
	TRY(st_read_account(s, NULL, account, &a));
	if (a.deleted_ms != 0)
		return ST_NOT_FOUND;
	*modseq = a.modseq;
	if (since >= a.modseq)
		return ST_OK;
	*all = since < a.horizon;
	if (!*all)
		TRY(any_mchange(s, account, since, all));
	if (*all)
		return ST_OK;
	TRY(walk_history(s, account, since, rows, &t));
	*all = t.all;
	for (size_t i = 0; !t.all && i < t.n; i++)
		TRY(put_line(s, account, t.id[i], out));
	return ST_OK;
}
