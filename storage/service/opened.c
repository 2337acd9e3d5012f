/* The uids of the mailboxes that were opened last, of all channels together: the next SELECT reads
 * what changed since, whichever worker asks.  Whose mailbox it is was found out before. */
#include "storage/service/service_priv.h"

#include "common/util/mem.h"

#define MAILBOXES_MAX	256u
#define RUNS_MAX	(512u << 10)	/* of uids in all of them, 8 bytes each */
#define WORTH_UIDS	1024u		/* a smaller mailbox is walked in a moment */

struct opened {
	struct list		node;	/* of svc->opened, the last one first */
	struct state_known	known;
	size_t			runs;	/* counted in svc->opened_runs */
};

static void
forget(struct service *svc, struct opened *o)
{
	svc->opened_runs -= o->runs;
	svc->n_opened--;
	list_remove(&o->node);
	state_known_fini(&o->known);
	mem_free(&o);
}

static struct opened *
find(struct service *svc, uint64_t mailbox)
{
	for (struct list *n = svc->opened.next; n != &svc->opened; n = n->next) {
		struct opened *o = list_entry(n, struct opened, node);

		if (o->known.mailbox == mailbox)
			return o;
	}
	return NULL;
}

static void
keep(struct service *svc, struct opened *o)
{
	svc->opened_runs += o->known.uids.n - o->runs;
	o->runs = o->known.uids.n;
	list_push_front(&svc->opened, &o->node);
	while (svc->n_opened > MAILBOXES_MAX ||
	    (svc->opened_runs > RUNS_MAX && svc->n_opened > 1))
		forget(svc, list_entry(svc->opened.prev, struct opened, node));
}

enum status
opened_mailbox(struct service *svc, uint64_t account, uint64_t mailbox, struct store_opened *out,
    struct buf *uids, struct buf *keywords)
{
	struct opened *o = find(svc, mailbox);
	enum status st;

	if (o == NULL) {
		o = mem_zalloc(sizeof(*o));
		svc->n_opened++;
	} else {
		list_remove(&o->node);
	}
	st = state_open_mailbox(svc->state, account, mailbox, &o->known, out, uids, keywords);
	keep(svc, o);
	if (st != ST_OK || o->known.uidnext <= WORTH_UIDS || o->runs > RUNS_MAX)
		forget(svc, o);
	return st;
}

void
opened_fini(struct service *svc)
{
	while (!list_empty(&svc->opened))
		forget(svc, list_entry(svc->opened.next, struct opened, node));
}
