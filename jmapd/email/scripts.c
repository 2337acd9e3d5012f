#include "jmapd/email/scripts.h"

#include "common/util/bytes.h"
#include "common/util/mem.h"

/* Messages of one mailbox to which the same happened. */
struct happened {
	enum event_cause	cause;
	uint64_t		mailbox;
	struct uidset		uids;
};

static bool
wanted(struct jmap_call *c)
{
	return c->host->filter != NULL && c->account->store != NULL &&
	    events_wanted(c->host->filter, c->account->store);
}

void
email_scripts_made(struct email_scripts *s, struct jmap_call *c, uint64_t id)
{
	if (wanted(c))
		put_u64(&s->made, id);
}

void
email_scripts_before(struct email_scripts *s, struct jmap_call *c, uint64_t id)
{
	const struct mirror *m = jmap_call_mirror(c);
	struct mirror_email e;
	uint64_t mailbox;
	uint32_t uid;

	if (!wanted(c) || !mirror_get(m, id, &e))
		return;
	for (unsigned i = 0; i < e.memberships; i++) {
		mirror_place(m, id, i, &mailbox, &uid);
		put_u64(&s->before, id);
		put_u64(&s->before, mailbox);
	}
}

void
email_scripts_changed(struct email_scripts *s, struct jmap_call *c, uint64_t id, uint64_t modseq)
{
	if (!wanted(c))
		return;
	put_u64(&s->changed, id);
	s->modseq = modseq;
}

/* before: stands at the places of this Email. */
static bool
was_there(struct reader before, uint64_t id, uint64_t mailbox)
{
	while (reader_left(&before) > 0 && get_u64(&before) == id)
		if (get_u64(&before) == mailbox)
			return true;
	return false;
}

/* To the places of this Email, if it has some behind those of the last one: both come in the order of
 * the changes. */
static void
skip_to(struct reader *before, uint64_t id)
{
	struct reader at = *before;

	while (reader_left(&at) > 0) {
		struct reader here = at;

		if (get_u64(&at) == id) {
			*before = here;
			return;
		}
		(void)get_u64(&at);
	}
}

static void
add(struct happened **v, size_t *n, enum event_cause cause, uint64_t mailbox, uint32_t uid)
{
	size_t i = 0;

	while (i < *n && ((*v)[i].cause != cause || (*v)[i].mailbox != mailbox))
		i++;
	if (i == *n) {
		*v = mem_realloc_array(*v, ++*n, sizeof(**v));
		(*v)[i] = (struct happened){ .cause = cause, .mailbox = mailbox };
	}
	uidset_add(&(*v)[i].uids, uid);
}

static void
collect(struct email_scripts *s)
{
	const struct mirror *m = jmap_call_mirror(s->c);
	struct reader made, changed, before;
	struct happened *v = NULL;
	struct mirror_email e;
	uint64_t id, mailbox;
	uint32_t uid;
	size_t n = 0;

	reader_init(&made, s->made.data, s->made.len);
	reader_init(&changed, s->changed.data, s->changed.len);
	reader_init(&before, s->before.data, s->before.len);
	while (reader_left(&made) > 0) {
		id = get_u64(&made);
		for (unsigned i = 0; mirror_get(m, id, &e) && i < e.memberships; i++) {
			mirror_place(m, id, i, &mailbox, &uid);
			add(&v, &n, EVENT_APPEND, mailbox, uid);
		}
	}
	while (reader_left(&changed) > 0) {
		id = get_u64(&changed);
		skip_to(&before, id);
		for (unsigned i = 0; mirror_get(m, id, &e) && i < e.memberships; i++) {
			mirror_place(m, id, i, &mailbox, &uid);
			add(&v, &n, was_there(before, id, mailbox) ? EVENT_FLAG : EVENT_COPY, mailbox, uid);
		}
	}
	for (size_t i = 0; i < n; i++) {
		events_add(s->events, v[i].cause, v[i].mailbox, v[i].cause == EVENT_FLAG ? s->modseq : 0,
		    &v[i].uids);
		uidset_fini(&v[i].uids);
	}
	mem_free(&v);
}

static void
on_events(void *arg)
{
	struct email_scripts *s = arg;

	events_free(&s->events);
	jmap_account_unwatch(&s->watch);
	s->done(s->arg);
}

/* The channel goes: what was asked ends without an answer, as the call does. */
static void
on_over(void *arg, enum jmap_account_event ev, uint64_t modseq)
{
	struct email_scripts *s = arg;

	if (ev == JMAP_ACCOUNT_OVER)
		events_free(&s->events);
}

static void
on_fresh(void *arg, enum status st)
{
	struct email_scripts *s = arg;
	struct jmap_account *a = s->c->account;
	const struct events_of of = { .filter = s->c->host->filter, .loop = s->c->host->loop,
		.store = a->store, .account = a->number, .user = a->user,
		.first_stage = jmap_account_stages(a, EVENTS_STAGES) };

	s->fresh = NULL;
	if (st != ST_OK || a->store == NULL) {
		LOG(NULL, WARN, "sieve.events-lost", KV_STR("user", a->user), KV_STATUS(st));
		s->done(s->arg);
		return;
	}
	s->watch = (struct jmap_watch){ .event = on_over, .arg = s };
	jmap_account_watch(a, &s->watch);
	s->events = events_new(&of, on_events, s);
	collect(s);
	events_start(s->events);
}

bool
email_scripts_run(struct email_scripts *s, struct jmap_call *c, void (*done)(void *arg), void *arg)
{
	if (s->made.len == 0 && s->changed.len == 0)
		return false;
	s->c = c;
	s->done = done;
	s->arg = arg;
	s->fresh = mirror_fresh(jmap_call_mirror(c), on_fresh, s);
	return true;
}

void
email_scripts_fini(struct email_scripts *s)
{
	mirror_cancel(&s->fresh);
	events_free(&s->events);
	jmap_account_unwatch(&s->watch);
	buf_fini(&s->made);
	buf_fini(&s->before);
	buf_fini(&s->changed);
}
