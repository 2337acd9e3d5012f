/* What SELECT asks.  Walking the uid map of a large mailbox costs more than all the rest of it;
 * where the uids of a moment ago are known, the changes since then say the same. */
#include "storage/state/read_priv.h"

#define CHANGES_MAX 1000u	/* rows of changes that are cheaper than the walk */

void
state_known_fini(struct state_known *k)
{
	uidset_fini(&k->uids);
	*k = (struct state_known){ 0 };
}

/* The first unseen one at or behind uid. */
static enum status
find_unseen(struct state *s, uint64_t account, uint32_t uid, struct state_known *k)
{
	struct uidset among = { 0 }, first = { 0 };
	enum status st;

	uidset_add_range(&among, uid > 0 ? uid : 1, UINT32_MAX);
	st = state_first_uids(s, account, k->mailbox, STATE_UNSEEN, &among, 1, &first);
	k->unseen_first = uidset_next(&first, 0);
	uidset_fini(&among);
	uidset_fini(&first);
	return st;
}

static enum status
walk_all(struct state *s, uint64_t account, const struct rec_mailbox *rec, struct state_known *k)
{
	TRY(state_uids(s, account, k->mailbox, STATE_ALL, &k->uids));
	return rec->unseen > 0 ? find_unseen(s, account, 1, k) : ST_OK;
}

static enum status
take_changes(struct state *s, uint64_t account, const struct rec_mailbox *rec,
    const struct state_changes *c, struct state_known *k)
{
	uint32_t was = k->unseen_first;
	uint32_t low = was != 0 ? was : k->uidnext, first = uidset_next(&c->changed, 0);

	uidset_add_set(&k->uids, &c->changed);
	uidset_remove_set(&k->uids, &c->vanished);
	k->unseen_first = 0;
	if (rec->unseen == 0)
		return ST_OK;
	/* Below, nothing was unseen and nothing changed. */
	if (first != 0 && first < low)
		low = first;
	if (was == low && first != was && !uidset_has(&c->vanished, was)) {
		k->unseen_first = was;
		return ST_OK;
	}
	return find_unseen(s, account, low, k);
}

/* false: all is to be walked. */
static bool
go_on(struct state *s, uint64_t account, uint64_t mailbox, const struct rec_mailbox *rec,
    struct state_known *k, enum status *st)
{
	struct state_changes c = { .full = false };
	bool known;

	if (k->mailbox != mailbox || k->uidvalidity != rec->uidvalidity ||
	    k->modseq > rec->highestmodseq || k->uidnext > rec->uidnext)
		return false;
	if (k->modseq == rec->highestmodseq && k->uidnext == rec->uidnext)
		return true;
	*st = state_changes(s, account, mailbox, k->modseq, CHANGES_MAX, &c);
	known = *st != ST_OK || (!c.full && !c.more && !c.gone);
	if (known && *st == ST_OK)
		*st = take_changes(s, account, rec, &c, k);
	state_changes_fini(&c);
	return known;
}

static enum status
update(struct state *s, uint64_t account, uint64_t mailbox, const struct rec_mailbox *rec,
    struct state_known *k)
{
	enum status st = ST_OK;

	if (!go_on(s, account, mailbox, rec, k, &st)) {
		state_known_fini(k);
		k->mailbox = mailbox;
		st = walk_all(s, account, rec, k);
	}
	k->uidvalidity = rec->uidvalidity;
	k->uidnext = rec->uidnext;
	k->modseq = rec->highestmodseq;
	if (st != ST_OK)
		state_known_fini(k);
	return st;
}

enum status
state_open_mailbox(struct state *s, uint64_t account, uint64_t mailbox, struct state_known *k,
    struct store_opened *o, struct buf *uids, struct buf *keywords)
{
	struct rec_mailbox rec;
	struct buf value = { 0 };
	enum status st;

	*o = (struct store_opened){ .mailbox = mailbox };
	st = st_read_mailbox(s, NULL, account, mailbox, &rec, &value);
	if (st == ST_OK)
		st = update(s, account, mailbox, &rec, k);
	if (st == ST_OK) {
		o->uidvalidity = rec.uidvalidity;
		o->uidnext = rec.uidnext;
		o->highestmodseq = rec.highestmodseq;
		o->recent_from = rec.recent_from;
		o->role = rec.role;
		o->unseen_first = k->unseen_first;
		buf_clear(uids);
		uidset_encode(&k->uids, uids);
		o->uids = buf_span(uids);
		buf_clear(keywords);
		st = state_keywords(s, account, 0, keywords);
		o->keywords = buf_span(keywords);
	}
	buf_fini(&value);
	return st;
}
