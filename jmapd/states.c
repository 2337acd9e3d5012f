#include "jmapd/states.h"

#include "common/util/mem.h"
#include "jmapd/core/ids.h"
#include "storage/api/store_quota.h"

struct jmap_states {
	struct jmap_session	*session;
	struct jmap_watch	watch;
	struct list		subs;
	struct store_call	*call;
	bool			again;		/* more changed while it was asked */
	bool			watching, telling;
	struct jmap_known	now;
	struct store_quota_is	quota;
};

/* ---- words ---- */

void
jmap_known_put(const struct jmap_known *k, struct buf *out)
{
	for (unsigned t = 0; t < PUSH_TYPE_N; t++)
		buf_addf(out, "%llx.", (unsigned long long)k->states[t]);
	buf_addf(out, "%llx", (unsigned long long)k->incarnation);
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
	for (unsigned t = 0; t < PUSH_TYPE_N; t++)
		if (text.p == NULL || !parse_hex(span_cut(&text, '.'), &k->states[t]))
			return false;
	return text.p != NULL && parse_hex(span_cut(&text, '.'), &k->incarnation) &&
	    text.p == NULL;
}

static unsigned
differs(const struct jmap_sub *sub, const struct jmap_known *now)
{
	unsigned bits = 0;

	for (unsigned t = 0; t < PUSH_TYPE_N; t++)
		if (sub->known.incarnation != now->incarnation ||
		    sub->known.states[t] != now->states[t])
			bits |= 1u << t;
	return bits & sub->types;
}

bool
jmap_sub_put(struct jmap_sub *sub, bool push_state, struct buf *out)
{
	const struct jmap_states *st = sub->session->states;
	unsigned bits = differs(sub, &st->now);
	struct buf all = { 0 }, quota = { 0 };
	struct json_writer w;

	sub->known = st->now;
	if (bits == 0)
		return false;
	json_writer_init(&w, out);
	json_begin_object(&w);
	store_quota_state(&st->quota, &quota);
	state_change_put(&w, sub->session->account->id, st->now.states, st->now.incarnation,
	    buf_span(&quota), bits);
	buf_fini(&quota);
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

static bool
wants_quota(const struct jmap_states *st)
{
	for (struct list *n = st->subs.next; n != &st->subs; n = n->next)
		if (list_entry(n, struct jmap_sub, in)->types & 1u << PUSH_TYPE_QUOTA)
			return true;
	return false;
}

/* Everything was asked.  Of a store that was away a note comes when it is back. */
static void
answered(struct jmap_states *st, enum status status)
{
	bool again = st->again;

	st->again = false;
	if (again)
		ask(st);
	if (status == ST_OK)
		tell_all(st);
}

static void
on_quota(void *arg, enum status status, bool more, const void *msg)
{
	struct jmap_states *st = arg;

	st->call = NULL;
	if (status == ST_OK) {
		st->quota = *(const struct store_quota_is *)msg;
		st->now.states[PUSH_TYPE_QUOTA] = store_quota_mark(&st->quota);
	}
	answered(st, status);
}

static void
on_states(void *arg, enum status status, bool more, const void *msg)
{
	struct jmap_states *st = arg;
	const struct store_states_are *is = msg;
	struct store *store = st->session->account->store;

	st->call = NULL;
	if (status == ST_OK)
		st->now = (struct jmap_known){ .states = { [PUSH_TYPE_EMAIL] = is->email,
		    [PUSH_TYPE_MAILBOX] = is->mailbox, [PUSH_TYPE_THREAD] = is->thread,
		    [PUSH_TYPE_DELIVERY] = is->delivery,
		    [PUSH_TYPE_QUOTA] = st->now.states[PUSH_TYPE_QUOTA] },
		    .incarnation = is->incarnation };
	if (status == ST_OK && store != NULL && wants_quota(st))
		st->call = store_do_quota(store, on_quota, st);
	else
		answered(st, status);
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
