/* Which mailboxes of an account changed since a modseq: the history, not the mailboxes, is
 * walked, so that who watches thousands of them pays for the few that moved. */
#include <string.h>

#include "storage/state/state_priv.h"

#define MAILBOXES_MAX 500u	/* more: the list is no dearer */
#define NOTED_BYTES_MAX 16384u	/* of annotations' names; one more operation may follow */

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

/* The path of a mailbox; ST_NOT_FOUND: it is deleted. */
static enum status
put_path(struct state *s, uint64_t account, uint64_t id, struct buf *out)
{
	struct buf value = { 0 }, path = { 0 }, below = { 0 };
	struct rec_mailbox r;
	enum status st = ST_OK;

	for (unsigned depth = 0; st == ST_OK && id != 0 && depth <= STORE_DEPTH_MAX; depth++) {
		st = st_read_mailbox(s, NULL, account, id, &r, &value);
		if (st == ST_OK && r.deleted_ms != 0)
			st = ST_NOT_FOUND;
		if (st != ST_OK)
			break;
		buf_clear(&below);
		buf_add_span(&below, buf_span(&path));
		buf_clear(&path);
		buf_add_span(&path, r.name);
		if (below.len > 0)
			buf_add_c(&path, '/');
		buf_add_span(&path, buf_span(&below));
		id = r.parent;
	}
	if (st == ST_OK)
		put_span(out, buf_span(&path));
	buf_fini(&value);
	buf_fini(&path);
	buf_fini(&below);
	return st;
}

/* What one SETMETADATA changed, as far as the account itself may know of it. */
static enum status
put_noted(struct state *s, uint64_t account, const struct rec_history *h, struct buf *out)
{
	struct buf names = { 0 };
	struct reader r;
	enum status st = ST_OK;

	reader_init(&r, h->names.p, h->names.len);
	while (r.p < r.end && !r.bad) {
		struct span name = get_span(&r);

		if (h->who == account || !metadata_private(name))
			put_span(&names, name);
	}
	if (names.len > 0)
		st = put_path(s, account, h->noted, out);
	if (names.len > 0 && st == ST_OK)
		put_span(out, buf_span(&names));
	buf_fini(&names);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status
walk_history(struct state *s, uint64_t account, uint64_t since, uint32_t rows, struct touched *t,
    struct state_touched *to)
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
	for (uint32_t n = 0; (st = st_next(s, TAB_HISTORY, c, &key, &payload)) == ST_OK; n++) {
		if (!rec_history_get(payload, &h)) {
			st = st_damaged(s, TAB_HISTORY, key);
			break;
		}
		if (n == rows || to->noted.len > NOTED_BYTES_MAX) {
			t->all = to->not_noted = true;
			st = ST_NOT_FOUND;
			break;
		}
		if (h.kind == OP_METADATA_NOTED && (st = put_noted(s, account, &h, &to->noted)) != ST_OK)
			break;
		t->all |= h.kind == OP_SUBSCRIBE || h.kind == OP_MAILBOX_SET;
		for (size_t i = 0; i < h.mailboxes.len && !t->all; i += 8)
			touch(t, get_be64(h.mailboxes.p + i));
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
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

void
state_touched_fini(struct state_touched *t)
{
	buf_fini(&t->list);
	buf_fini(&t->noted);
}

enum status
state_touched(struct state *s, uint64_t account, uint64_t since, uint32_t rows,
    struct state_touched *to)
{
	struct touched t = { .n = 0 };
	struct rec_account a;

	*to = (struct state_touched){ .modseq = 0 };
	TRY(st_read_account(s, NULL, account, &a));
	if (a.deleted_ms != 0)
		return ST_NOT_FOUND;
	to->modseq = a.modseq;
	if (since >= a.modseq)
		return ST_OK;
	to->all = to->not_noted = since < a.horizon;
	if (to->all)
		return ST_OK;
	TRY(any_mchange(s, account, since, &t.all));
	TRY(walk_history(s, account, since, rows, &t, to));
	to->all = t.all;
	for (size_t i = 0; !t.all && i < t.n; i++)
		TRY(put_line(s, account, t.id[i], &to->list));
	return ST_OK;
}
