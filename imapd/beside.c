/* A FETCH beside a command that nobody sent: new messages whose items NOTIFY or a search's UPDATE
 * asked for.  The command whose end, or whose IDLE, tells them goes on as it is. */
#include "imapd/beside.h"

#include "common/util/mem.h"

struct imap_beside {
	struct imap_cmd	part;		/* of the session, though not its cmd */
	struct imap_cmd	*outer;
	void		(*then)(struct imap_cmd *outer);
};

void
imap_beside_free(struct imap_session *s)
{
	struct imap_beside *b = s->beside;

	s->beside = NULL;
	if (b == NULL)
		return;
	if (b->part.release != NULL)
		b->part.release(&b->part);
	buf_fini(&b->part.result);
	arena_fini(&b->part.arena);
	mem_free(&b);
}

static void
on_end(struct imap_cmd *part)
{
	struct imap_session *s = part->session;
	struct imap_cmd *outer = s->beside->outer;
	void (*then)(struct imap_cmd *) = s->beside->then;

	outer->drained = NULL;
	imap_beside_free(s);
	then(outer);
}

/* The client took output: the fetch may wait for that. */
static void
on_drained(struct imap_cmd *outer)
{
	struct imap_cmd *part = &outer->session->beside->part;
	void (*fn)(struct imap_cmd *) = part->drained;

	outer->drained = on_drained;
	part->drained = NULL;
	if (fn != NULL)
		fn(part);
}

struct fetch *
imap_beside_items(const struct imap_session *s, struct span text, bool uid, struct arena *arena)
{
	struct fetch *f = arena_zalloc(arena, sizeof(*f));
	struct imap_args a;

	imap_session_args(s, text, arena, &a);
	fetch_parse(&a, f, uid);
	if (f->annotated && !imap_cap_on(s, CAP_ANNOTATE))
		imap_args_fail(&a, "No such item");
	return imap_args_end(&a) ? f : NULL;
}

bool
imap_beside_fetch(struct imap_cmd *outer, struct span items, bool uid, struct uidset *uids,
    void (*then)(struct imap_cmd *outer))
{
	struct imap_session *s = outer->session;
	struct imap_beside *b = mem_zalloc(sizeof(*b));
	struct fetch *f;

	s->beside = b;
	b->outer = outer;
	b->then = then;
	b->part.session = s;
	b->part.def = imap_command_find(s, SPAN_LIT("FETCH"), true);
	b->part.uid = true;		/* one that is gone is no failure */
	b->part.after = on_end;
	f = imap_beside_items(s, items, uid, &b->part.arena);
	if (f == NULL) {
		imap_beside_free(s);
		return false;
	}
	f->todo = *uids;
	*uids = (struct uidset){ 0 };
	outer->drained = on_drained;
	fetch_start(&b->part, f);
	return true;
}
