#include "jmapd/account.h"

#include <stdio.h>

#include "common/util/mem.h"
#include "jmapd/core/ids.h"

static void
nothing(void *arg, enum status st, bool more, const void *msg)
{
}

/* Watchers may take themselves or others out while they are told: those that are still to be
 * told stand in a list of their own. */
static void
tell(struct jmap_account *a, enum jmap_account_event ev, uint64_t modseq)
{
	struct list todo;

	if (list_empty(&a->watches))
		return;
	todo = a->watches;
	todo.next->prev = todo.prev->next = &todo;
	list_init(&a->watches);
	jmap_account_hold(a);
	while (!list_empty(&todo)) {
		struct jmap_watch *w = list_entry(todo.next, struct jmap_watch, in_account);

		list_remove(&w->in_account);
		list_push_back(&a->watches, &w->in_account);
		if (ev == JMAP_ACCOUNT_OVER || w->changes)
			w->event(w->arg, ev, modseq);
	}
	jmap_account_release(&a);
}

void
jmap_account_changed(struct jmap_account *a)
{
	tell(a, JMAP_ACCOUNT_CHANGED, 0);
}

static void
on_store_event(void *arg, enum store_event ev, uint64_t modseq)
{
	struct jmap_account *a = arg;

	if (ev == STORE_EV_REVOKED)
		jmap_account_end(a);
	else if (ev == STORE_EV_DIRTY)
		tell(a, JMAP_ACCOUNT_CHANGED, modseq);
	else if (ev == STORE_EV_LOST)
		tell(a, JMAP_ACCOUNT_CHANGED, 0);
}

static void
on_renewed(void *arg, struct span ticket)
{
	struct jmap_account *a = arg;

	if (ticket.len == 0)
		jmap_account_end(a);
	else if (a->store != NULL)
		store_renew(a->store, ticket);
}

static void
account_free(struct jmap_account *a)
{
	loop_timer_free(&a->linger);
	mem_free(&a->user);
	mem_free(&a);
}

static void
on_linger(void *arg)
{
	struct jmap_account *a = arg;

	jmap_account_end(a);
	if (a->gone != NULL)
		a->gone(a, a->gone_arg);
	account_free(a);
}

struct jmap_account *
jmap_account_bare(struct loop *loop, struct store *store, uint64_t number, struct span user)
{
	struct jmap_account *a = mem_zalloc(sizeof(*a));

	a->number = number;
	a->loop = loop;
	a->store = store;
	a->user = span_dup(user);
	a->id = jmap_id(a->id_text, JMAP_ID_ACCOUNT, number);
	a->held = 1;
	a->linger = loop_timer_new(loop, on_linger, a);
	list_init(&a->watches);
	return a;
}

struct jmap_account *
jmap_account_new(struct loop *loop, struct auth_client *auth, struct store_pool *stores,
    const struct auth_granted *g, void (*gone)(struct jmap_account *a, void *arg), void *arg)
{
	struct jmap_account *a = jmap_account_bare(loop, NULL, g->account, g->user);

	a->shard = g->shard;
	a->gone = gone;
	a->gone_arg = arg;
	a->store = store_open_channel(stores, g->shard, g->ticket, on_store_event, a);
	login_begin(&a->login, loop, auth, g, on_renewed, a);
	return a;
}

struct jmap_account *
jmap_account_hold(struct jmap_account *a)
{
	a->held++;
	loop_timer_clear(a->linger);
	return a;
}

void
jmap_account_release(struct jmap_account **pa)
{
	struct jmap_account *a = *pa;

	if (a == NULL)
		return;
	*pa = NULL;
	if (--a->held == 0)
		loop_timer_set(a->linger, a->over ? 0 : JMAP_ACCOUNT_LINGER_MS);
}

void
jmap_account_end(struct jmap_account *a)
{
	bool first = !a->over;

	a->over = true;
	if (first)
		tell(a, JMAP_ACCOUNT_OVER, 0);
	/* also one that somebody made behind the end: it would wait in the loop for ever */
	if (a->mirror != NULL)
		a->mirror_free(&a->mirror);
	if (!first)
		return;
	if (a->store != NULL)
		store_close(&a->store);
	if (a->login.auth != NULL)
		login_end(&a->login);
	if (a->held == 0)
		loop_timer_set(a->linger, 0);
}

void
jmap_account_renew(struct jmap_account *a, uint64_t nth)
{
	if (!a->over && a->login.auth != NULL)
		login_renew(&a->login, nth);
}

void
jmap_account_watch(struct jmap_account *a, struct jmap_watch *w)
{
	w->account = a;
	list_push_back(&a->watches, &w->in_account);
	if (w->changes && a->listening++ == 0 && a->store != NULL)
		store_do_watch(a->store, &(struct store_watch){ true }, nothing, NULL);
}

void
jmap_account_unwatch(struct jmap_watch *w)
{
	struct jmap_account *a = w->account;

	if (a == NULL)
		return;
	w->account = NULL;
	list_remove(&w->in_account);
	if (w->changes && --a->listening == 0 && a->store != NULL)
		store_do_watch(a->store, &(struct store_watch){ false }, nothing, NULL);
}
