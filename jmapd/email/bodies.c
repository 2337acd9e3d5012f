#include "jmapd/email/bodies.h"

#include "common/util/mem.h"
#include "storage/client/body.h"

#define BUDGET	(1u << 20)	/* stored bytes asked for at a time */

struct bodies {
	struct store		*store;
	uint64_t		mailbox;
	struct uidset		todo;		/* not asked for, or not whole */
	const struct bodies_ops	*ops;
	void			*arg;
	struct store_call	*call;
	uint32_t		uid;		/* at hand; 0: none */
	struct body_reader	*reader;	/* NULL: nothing more of it is wanted */
	uint32_t		resume_uid;
	uint64_t		resume_offset;
};

static void
begin(struct bodies *b, uint32_t uid)
{
	if (uid > 1)			/* those that are not there */
		uidset_remove_range(&b->todo, 1, uid - 1);
	b->uid = uid;
	b->reader = body_reader_new(0, b->ops->wanted(b->arg, uid));
}

/* The message at hand is over; whole: nothing of it is missing. */
static void
over(struct bodies *b, bool whole)
{
	if (b->uid == 0)
		return;
	uidset_remove_range(&b->todo, 1, b->uid);
	if (b->reader != NULL && whole)
		b->ops->end(b->arg, b->uid);
	body_reader_free(&b->reader);
	b->uid = 0;
}

static void
feed(struct bodies *b, struct span stored)
{
	struct buf raw = { 0 };
	enum status st = ST_OK;

	while (b->reader != NULL && stored.len > 0) {
		st = body_reader_take(b->reader, &stored, 64u << 10, &raw);
		if (st == ST_OK && raw.len > 0)
			b->ops->data(b->arg, b->uid, buf_span(&raw));
		buf_clear(&raw);
		if (st == ST_OK && body_reader_done(b->reader))
			b->ops->end(b->arg, b->uid);
		if (st != ST_OK || body_reader_done(b->reader))
			body_reader_free(&b->reader);
	}
	buf_fini(&raw);
}

static void
take(struct bodies *b, struct span pieces)
{
	struct store_body_piece p;
	struct reader r;

	reader_init(&r, pieces.p, pieces.len);
	while (pieces.len > 0 && get_store_body_piece(&r, &p)) {
		if (p.uid != b->uid)
			over(b, true);
		if (b->uid == 0)
			begin(b, p.uid);
		feed(b, p.data);
	}
}

static void next(struct bodies *b);

static void
on_body(void *arg, enum status st, bool more, const void *msg)
{
	struct bodies *b = arg;
	const struct store_body_is *is = msg;

	if (st == ST_OK && is != NULL) {
		take(b, is->pieces);
		b->resume_uid = is->resume_uid;
		b->resume_offset = is->resume_offset;
	}
	if (more)
		return;
	b->call = NULL;
	if (st != ST_OK) {
		b->ops->done(b->arg, st);
		return;
	}
	/* Goes on in the one at hand, unless that is enough of it. */
	if (b->resume_uid != b->uid || b->reader == NULL)
		over(b, true);
	if (b->resume_uid == 0)
		uidset_clear(&b->todo);
	else if (b->uid == 0 && b->resume_uid > 1)
		uidset_remove_range(&b->todo, 1, b->resume_uid - 1);
	next(b);
}

static void
next(struct bodies *b)
{
	struct store_body rq = { .mailbox = b->mailbox, .budget = BUDGET,
	    .offset = b->uid != 0 ? b->resume_offset : 0 };
	struct buf set = { 0 };

	if (uidset_empty(&b->todo)) {
		b->ops->done(b->arg, ST_OK);
		return;
	}
	uidset_encode(&b->todo, &set);
	rq.uids = buf_span(&set);
	b->resume_uid = 0;
	b->call = store_do_body(b->store, &rq, on_body, b);
	buf_fini(&set);
}

struct bodies *
bodies_start(struct store *s, uint64_t mailbox, const struct uidset *uids,
    const struct bodies_ops *ops, void *arg)
{
	struct bodies *b = mem_zalloc(sizeof(*b));

	b->store = s;
	b->mailbox = mailbox;
	uidset_add_set(&b->todo, uids);
	b->ops = ops;
	b->arg = arg;
	next(b);
	return b;
}

void
bodies_free(struct bodies **bp)
{
	struct bodies *b = *bp;

	if (b == NULL)
		return;
	store_cancel(&b->call);
	body_reader_free(&b->reader);
	uidset_fini(&b->todo);
	mem_free(bp);
}
