#include "jmapd/states.h"

#include "common/util/mem.h"
#include "jmapd/core/ids.h"

struct jmap_states {
	struct jmap_session	*session;
	struct jmap_watch	watch;
	struct list		subs;
	struct store_call	*call;
	bool			again;		/* more changed while it was asked */
	bool			watching, telling;
	struct jmap_known	now;
};

/* ---- words ---- */

void
jmap_known_put(const struct jmap_known *k, struct buf *out)
{
	buf_addf(out, "%llx.%llx.%llx.%llx.%llx", (unsigned long long)k->email,
	    (unsigned long long)k->mailbox, (unsigned long long)k->thread,
	    (unsigned long long)k->delivery, (unsigned long long)k->incarnation);
}

static bool
parse_hex(struct span s, uint64_t *n)
{
	*n = 0;
	for (size_t i = 0; i < s.len; i++) {
		int digit = ascii_hex(s.p[i]);

		if (digit < 0 || *n >> 60 != 0)
			return false;
		*n = *n << 4 | (uint64_t)digit;
	}
	return s.len > 0;
}

bool
jmap_known_parse(struct span text, struct jmap_known *k)
{
	uint64_t *parts[] = { &k->email, &k->mailbox, &k->thread, &k->delivery, &k->incarnation };

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (text.p == NULL || !parse_hex(span_cut(&text, '.'), parts[i]))
			return false;
	return text.p == NULL;
}

static const struct { const char *name; unsigned bit; } types[] = {
	{ "Email", PUSH_EMAIL }, { "Mailbox", PUSH_MAILBOX }, { "Thread", PUSH_THREAD },
	{ "EmailDelivery", PUSH_DELIVERY }
};

unsigned
jmap_push_type(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (span_eq_str(name, types[i].name))
			return types[i].bit;
	return 0;
}

static uint64_t
state_of(const struct jmap_known *k, unsigned bit)
{
	switch (bit) {
	case PUSH_EMAIL: return k->email;
	case PUSH_MAILBOX: return k->mailbox;
	case PUSH_THREAD: return k->thread;
	default: return k->delivery;
	}
}

static unsigned
differs(const struct jmap_sub *sub, const struct jmap_known *now)
{
	unsigned bits = 0;

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (sub->known.incarnation != now->incarnation ||
		    state_of(&sub->known, types[i].bit) != state_of(now, types[i].bit))
			bits |= types[i].bit;
	return bits & sub->types;
}

bool
jmap_sub_put(struct jmap_sub *sub, bool push_state, struct buf *out)
{
	const struct jmap_states *st = sub->session->states;
	unsigned bits = differs(sub, &st->now);
	char text[JMAP_STATE_MAX];
	struct buf all = { 0 };
	struct json_writer w;

	sub->known = st->now;
	if (bits == 0)
		return false;
	json_writer_init(&w, out);
	json_begin_object(&w);
	json_kv_str(&w, "@type", "StateChange");
	json_key(&w, "changed");
	json_begin_object(&w);
	json_key_span(&w, sub->session->account->id);
	json_begin_object(&w);
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (bits & types[i].bit)
			json_kv_string(&w, types[i].name, jmap_state(text,
			    state_of(&st->now, types[i].bit), st->now.incarnation));
	json_end_object(&w);
	json_end_object(&w);
	if (push_state) {
		jmap_known_put(&st->now, &all);
		json_kv_string(&w, "pushState", buf_span(&all));
	}
	json_end_object(&w);
	buf_fini(&all);
	return true;
}

/* ---- asking ---- */

static void ask(struct jmap_states *st);

/* Nobody waits. */
static void
rest(struct jmap_states *st)
{
	if (st->session->account->store != NULL)
		store_cancel(&st->call);
	st->call = NULL;
	st->again = false;
	jmap_account_unwatch(&st->watch);
	st->watching = false;
}

/* Those that are told may end, others too: they stand in a list of their own meanwhile. */
static void
tell_all(struct jmap_states *st)
{
	struct list todo, *n;

	st->telling = true;
	list_init(&todo);
	while (!list_empty(&st->subs)) {
		n = st->subs.next;
		list_remove(n);
		list_push_back(&todo, n);
	}
	while (!list_empty(&todo)) {
		struct jmap_sub *sub = list_entry(todo.next, struct jmap_sub, in);

		list_remove(&sub->in);
		list_push_back(&st->subs, &sub->in);
		if (!sub->began && !sub->resumes)
			sub->known = st->now;
		sub->began = true;
		sub->news(sub);
	}
	st->telling = false;
	if (list_empty(&st->subs))
		rest(st);
}

static void
on_states(void *arg, enum status status, bool more, const void *msg)
{
	struct jmap_states *st = arg;
	const struct store_states_are *is = msg;
	bool again = st->again;

	st->call = NULL;
	st->again = false;
	if (again)
		ask(st);
	/* Of a store that was away a note comes when it is back. */
	if (status != ST_OK)
		return;
	st->now = (struct jmap_known){ is->email, is->mailbox, is->thread, is->delivery,
	    is->incarnation };
	tell_all(st);
}

/* The question also asks for the next note. */
static void
ask(struct jmap_states *st)
{
	struct jmap_account *a = st->session->account;

	if (st->call != NULL)
		st->again = true;
	else if (a->store != NULL)
		st->call = store_do_states(a->store, on_states, st);
}

static void
on_event(void *arg, enum jmap_account_event ev, uint64_t modseq)
{
	struct jmap_states *st = arg;

	if (ev == JMAP_ACCOUNT_CHANGED)
		ask(st);
	else
		store_cancel(&st->call);
}

/* ---- clients ---- */

/* Watching comes before the question, so nothing is missed between them. */
void
jmap_sub_begin(struct jmap_session *s, struct jmap_sub *sub)
{
	struct jmap_states *st = s->states;

	if (st == NULL) {
		st = s->states = mem_zalloc(sizeof(*st));
		st->session = s;
		list_init(&st->subs);
	}
	if (!st->watching) {
		st->watching = true;
		st->watch = (struct jmap_watch){ .changes = true, .event = on_event, .arg = st };
		jmap_account_watch(s->account, &st->watch);
	}
	sub->session = s;
	list_push_back(&st->subs, &sub->in);
	ask(st);
}

void
jmap_sub_end(struct jmap_sub *sub)
{
	struct jmap_states *st;

	if (sub->session == NULL)
		return;
	st = sub->session->states;
	list_remove(&sub->in);
	sub->session = NULL;
	if (!st->telling && list_empty(&st->subs))
		rest(st);
}

void
jmap_states_free(struct jmap_session *s)
{
	if (s->states == NULL)
		return;
	rest(s->states);
	mem_free(&s->states);
}
