/* A shard that lost what it may have promised begins anew: nothing that was seen of it may be
 * taken for what comes now.  Every mailbox gets another UIDVALIDITY, modseqs and ids leap.
 *
 * How far matters when the same old state is brought back twice: what was given out in between
 * must not be given out again.  So OP_INCARNATE leaps to where the clock stands, which is ahead
 * of everything that was ever given out, whatever is remembered of it: ids at most ID_RATE a
 * second since EPOCH, modseqs MODSEQ_RATE of each account.  Where that is not ahead, it leaps as
 * OP_INCARNATION does, whose journals stay what they were, and further by what tells one second
 * from the next. */
#include "storage/state/state_priv.h"

#define JUMP		((uint64_t)1 << 32)
#define EPOCH_S		((int64_t)1735689600)	/* 2025-01-01 */
#define ID_RATE		15			/* as powers of two */
#define MODSEQ_RATE	24
#define SECONDS		0xffffu		/* those told apart where the clock is behind */
#define MAILBOXES_PART	5000u			/* of one operation, but one account */

struct leap {
	bool		by_clock;
	uint64_t	seconds;	/* since EPOCH */
	uint32_t	clock;		/* since 1970; 0: not known */
};

static struct leap
leap_of(const struct apply *ap, bool by_clock)
{
	int64_t s = ap->op->head.time_ms / 1000;
	struct leap l = { .by_clock = by_clock };

	if (by_clock && s > EPOCH_S && s < EPOCH_S + ((int64_t)1 << 33))
		l.seconds = (uint64_t)(s - EPOCH_S);
	if (by_clock && s > 0 && s < UINT32_MAX)
		l.clock = (uint32_t)s;
	return l;
}

static uint64_t
leap(const struct leap *l, uint64_t at, unsigned rate)
{
	uint64_t clock = l->seconds << rate;

	if (!l->by_clock)
		return at + JUMP;
	return clock > at + (1u << 20) ? clock :
	    at + JUMP + ((l->seconds & SECONDS) << ID_RATE);
}

/* The last one given out, before each mailbox gets the next. */
static uint32_t
leap_uidvalidity(const struct leap *l, uint32_t at)
{
	uint32_t more = (uint32_t)(l->seconds & SECONDS);

	if (!l->by_clock)
		return at;
	if (l->clock > at)
		return l->clock;
	return at < UINT32_MAX / 16 * 15 ? at + more : at;
}

static enum status
renew_account(struct apply *ap, const struct leap *l, uint64_t id, uint32_t *mailboxes)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct mbox *m;
	struct acct *a;
	struct key prefix;
	enum status st;

	TRY(st_acct(ap->s, id, &a));
	a->rec.modseq = leap(l, a->rec.modseq, MODSEQ_RATE);
	a->rec.mail_modseq = a->rec.mailbox_modseq = a->rec.thread_modseq = a->rec.modseq;
	a->rec.delivery_modseq = a->rec.modseq;
	if (a->rec.script_modseq != 0)
		a->rec.script_modseq = a->rec.modseq;
	a->rec.horizon = a->rec.modseq;
	a->rec.uidvalidity = leap_uidvalidity(l, a->rec.uidvalidity);
	a->dirty = true;
	key_1(&prefix, id);
	TRY(engine_cursor_open(ap->s->e, ap->s->txn, TAB_MAILBOX, key_span(&prefix), &c));
	while ((st = engine_cursor_next(c, &key, &payload)) == ST_OK) {
		st = st_mbox(ap->s, a, get_be64(key.p + 8), &m);
		if (st != ST_OK)
			break;
		m->rec.uidvalidity = ++a->rec.uidvalidity;
		m->rec.highestmodseq = a->rec.modseq;
		m->dirty = true;
		++*mailboxes;
	}
	engine_cursor_close(&c);
	/* What was sent since nobody knows any more; what goes out at most once has been. */
	return st == ST_NOT_FOUND ? queue_forget_once(ap, id) : st;
}

static void
renew_shard(struct apply *ap, const struct leap *l)
{
	struct rec_meta *m = &ap->s->meta;

	m->incarnation++;
	m->next_id = leap(l, m->next_id, ID_RATE);
	m->dir_modseq = leap(l, m->dir_modseq, MODSEQ_RATE);
	ap->s->meta_dirty = true;
}

/* The accounts above `after`, at most so many mailboxes of them. */
static enum status
renew_accounts(struct apply *ap, const struct leap *l, uint64_t after, uint32_t most)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	uint32_t mailboxes = 0;
	struct key k;
	enum status st;

	TRY(st_flush(ap->s));
	TRY(engine_cursor_open(ap->s->e, ap->s->txn, TAB_ACCOUNT, SPAN_NONE, &c));
	key_1(&k, after);
	engine_cursor_seek(c, key_span(&k));
	while ((st = engine_cursor_next(c, &key, &payload)) == ST_OK) {
		uint64_t id = get_be64(key.p);

		if (after != 0 && id <= after)
			continue;
		if (most != 0 && mailboxes >= most) {
			ap->r->more = true;
			break;
		}
		st = renew_account(ap, l, id, &mailboxes);
		if (st != ST_OK)
			break;
		ap->r->mailbox = most != 0 ? id : 0;
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* Unbounded. */
enum status
apply_incarnation(struct apply *ap)
{
	const struct leap l = leap_of(ap, false);

	renew_shard(ap, &l);
	return renew_accounts(ap, &l, 0, 0);
}

/* The first part renews the shard too; result.mailbox: the last account renewed. */
enum status
apply_incarnate(struct apply *ap)
{
	const struct leap l = leap_of(ap, true);
	uint64_t after = ap->op->u.incarnate.after;

	if (after == 0)
		renew_shard(ap, &l);
	return renew_accounts(ap, &l, after, MAILBOXES_PART);
}
