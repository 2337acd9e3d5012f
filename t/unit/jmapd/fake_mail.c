#include "t/unit/jmapd/fake_mail.h"

#include <stdlib.h>

#include "common/util/mem.h"
#include "storage/api/store_email.h"

enum kind { STATES, EMAILS, CHANGES };

struct fake_call {
	struct fake_call		*next;
	enum kind			kind;
	struct store_email_changes	changes;
	uint64_t			at;		/* ids up to it were told */
	bool				begun;
	store_done_fn			fn;
	void				*arg;
};

static void
keywords(struct buf *b)
{
	put_store_keyword(b, SPAN_LIT("$Forwarded"));
	put_store_keyword(b, SPAN_LIT("work"));
	put_store_keyword(b, SPAN_LIT("$mdnsent"));
}

/* ---- changes ---- */

void
fake_begin(struct fake_mail *f)
{
	f->modseq++;
}

struct fake_message *
fake_find(struct fake_mail *f, uint64_t id)
{
	for (size_t i = 0; i < f->n; i++) {
		if (f->v[i].id == id)
			return &f->v[i];
	}
	return NULL;
}

static bool
hidden(struct flags f)
{
	return (flags_get_system(f) & FLAG_DELETED) != 0;
}

bool
fake_visible(const struct fake_message *m)
{
	for (unsigned i = 0; i < m->n; i++) {
		if (!hidden(m->place[i].flags))
			return true;
	}
	return false;
}

struct flags
fake_keywords(const struct fake_message *m)
{
	struct flags all = { { 0 } };
	bool seen = true;

	for (unsigned i = 0; i < m->n; i++) {
		if (hidden(m->place[i].flags))
			continue;
		all = flags_or(all, m->place[i].flags);
		seen = seen && (flags_get_system(m->place[i].flags) & FLAG_SEEN);
	}
	if (!seen)
		all.w[0] &= ~(uint64_t)FLAG_SEEN;
	return all;
}

bool
fake_in(const struct fake_message *m, uint64_t mailbox)
{
	for (unsigned i = 0; i < m->n; i++) {
		if (m->place[i].mailbox == mailbox && !hidden(m->place[i].flags))
			return true;
	}
	return false;
}

static void
note(struct fake_mail *f, const struct fake_message *m, uint8_t what)
{
	for (size_t i = f->n_log; i > 0 && f->log[i - 1].modseq == f->modseq; i--) {
		if (f->log[i - 1].id == m->id) {
			f->log[i - 1].what |= what;
			return;
		}
	}
	if (f->n_log == f->log_room) {
		f->log_room = f->log_room > 0 ? f->log_room * 2 : 64;
		f->log = mem_realloc_array(f->log, f->log_room, sizeof(*f->log));
	}
	f->log[f->n_log++] = (struct fake_change){ f->modseq, m->id, m->thread, fake_visible(m), what };
	f->email = f->modseq;
}

static void
place(struct fake_mail *f, struct fake_message *m, uint64_t mailbox, struct flags flags)
{
	if (m->n < FAKE_PLACES)
		m->place[m->n++] = (struct fake_place){ mailbox, ++f->next_uid, flags };
}

static void
came_or_went(struct fake_mail *f, const struct fake_message *m, bool was)
{
	if (was != fake_visible(m))
		f->thread = f->modseq;
}

uint64_t
fake_add(struct fake_mail *f, uint64_t thread, uint64_t mailbox, int64_t received_s, uint64_t size,
    struct flags flags)
{
	struct fake_message *m;

	if (f->n == f->room) {
		f->room = f->room > 0 ? f->room * 2 : 64;
		f->v = mem_realloc_array(f->v, f->room, sizeof(*f->v));
	}
	m = &f->v[f->n++];
	*m = (struct fake_message){ .id = ++f->next_id, .thread = thread, .size = size,
	    .received_s = received_s };
	if (thread == 0)
		m->thread = m->id;
	note(f, m, 0);
	place(f, m, mailbox, flags);
	came_or_went(f, m, false);
	return m->id;
}

void
fake_flags(struct fake_mail *f, uint64_t id, struct flags flags)
{
	struct fake_message *m = fake_find(f, id);
	bool was = fake_visible(m);

	note(f, m, EMAIL_KEYWORDS);
	for (unsigned i = 0; i < m->n; i++)
		m->place[i].flags = flags;
	came_or_went(f, m, was);
}

void
fake_put(struct fake_mail *f, uint64_t id, uint64_t mailbox, struct flags flags)
{
	struct fake_message *m = fake_find(f, id);
	bool was = fake_visible(m);

	note(f, m, EMAIL_MAILBOXES | EMAIL_KEYWORDS);
	place(f, m, mailbox, flags);
	came_or_went(f, m, was);
}

void
fake_take(struct fake_mail *f, uint64_t id, uint64_t mailbox)
{
	struct fake_message *m = fake_find(f, id);
	bool was = fake_visible(m);
	unsigned n = 0;

	note(f, m, EMAIL_MAILBOXES | EMAIL_KEYWORDS);
	for (unsigned i = 0; i < m->n; i++) {
		if (m->place[i].mailbox != mailbox)
			m->place[n++] = m->place[i];
	}
	m->n = n;
	came_or_went(f, m, was);
}

void
fake_destroy(struct fake_mail *f, uint64_t id)
{
	struct fake_message *m = fake_find(f, id);
	bool was = fake_visible(m);

	note(f, m, 0);
	m->n = 0;
	came_or_went(f, m, was);
}

/* ---- answers ---- */

static void
put_members(const struct fake_message *m, struct buf *b)
{
	for (unsigned i = 0; i < m->n; i++) {
		const struct store_member s = {
			.mailbox = m->place[i].mailbox,
			.row = { .uid = m->place[i].uid, .modseq = 1, .flags = m->place[i].flags,
			    .size = m->size, .received_s = m->received_s, .message = m->id,
			    .thread = m->thread }
		};

		put_store_member(b, &s);
	}
}

static bool
answer_states(struct fake_mail *f, struct fake_call *c)
{
	const struct store_states_are are = { .modseq = f->modseq, .email = f->email,
	    .thread = f->thread, .incarnation = f->incarnation, .horizon = f->horizon };

	c->fn(c->arg, ST_OK, false, &are);
	return true;
}

/* In parts, by id: what changes meanwhile may be told as it was or as it is. */
static bool
answer_emails(struct fake_mail *f, struct fake_call *c)
{
	struct buf members = { 0 }, names = { 0 };
	struct store_emails_are are = { .modseq = f->modseq };
	unsigned n = 0;
	bool more = false;

	for (size_t i = 0; i < f->n; i++) {
		if (f->v[i].id <= c->at)
			continue;
		if (n++ == f->part) {
			more = true;
			break;
		}
		put_members(&f->v[i], &members);
		c->at = f->v[i].id;
	}
	keywords(&names);
	are.members = buf_span(&members);
	are.keywords = buf_span(&names);
	c->fn(c->arg, ST_OK, more, &are);
	buf_fini(&members);
	buf_fini(&names);
	return !more;
}

static bool
behind(const struct fake_change *x, uint64_t since, uint64_t after)
{
	return x->modseq > since + 1 || (x->modseq == since + 1 && (after == 0 || x->id > after));
}

static void
put_change(struct fake_mail *f, const struct fake_change *first, struct buf *b)
{
	const struct fake_message *m = fake_find(f, first->id);
	struct store_email_change c = { .message = m->id, .thread = m->thread, .was = first->was,
	    .is = fake_visible(m) };
	struct buf members = { 0 };

	for (const struct fake_change *x = first; x < f->log + f->n_log; x++) {
		if (x->id == first->id && c.was && c.is)
			c.what |= x->what != 0 ? x->what : EMAIL_KEYWORDS | EMAIL_MAILBOXES;
	}
	put_members(m, &members);
	c.members = buf_span(&members);
	put_store_email_change(b, &c);
	buf_fini(&members);
}

/* Was it told already, by this answer? */
static bool
told(const struct fake_mail *f, const struct fake_call *c, const struct fake_change *x)
{
	for (const struct fake_change *y = f->log; y < x; y++) {
		if (y->id == x->id && behind(y, c->changes.since, c->changes.after))
			return true;
	}
	return false;
}

static int
in_order(const void *a, const void *b)
{
	const struct fake_change *x = a, *y = b;

	if (x->modseq != y->modseq)
		return x->modseq < y->modseq ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static bool
answer_changes(struct fake_mail *f, struct fake_call *c)
{
	struct buf changes = { 0 }, names = { 0 };
	struct store_email_changes_are are = { .upto = f->modseq };
	uint32_t n = 0;

	if (c->changes.incarnation != f->incarnation || c->changes.since < f->horizon ||
	    c->changes.since > f->modseq) {
		c->fn(c->arg, ST_EXPIRED, false, NULL);
		return true;
	}
	qsort(f->log, f->n_log, sizeof(*f->log), in_order);
	for (size_t i = 0; i < f->n_log; i++) {
		const struct fake_change *x = &f->log[i];

		if (!behind(x, c->changes.since, c->changes.after) || (!f->twice && told(f, c, x)))
			continue;
		if (c->changes.limit > 0 && n == c->changes.limit) {
			are.more = true;
			break;
		}
		put_change(f, x, &changes);
		are.upto = x->modseq - 1;
		are.upto_after = x->id;
		if (x->was || fake_visible(fake_find(f, x->id)))
			n++;
	}
	if (!are.more) {
		are.upto = f->modseq;
		are.upto_after = 0;
	}
	keywords(&names);
	are.email = f->email;
	are.thread = f->thread;
	are.changes = buf_span(&changes);
	are.keywords = buf_span(&names);
	c->fn(c->arg, ST_OK, false, &are);
	buf_fini(&changes);
	buf_fini(&names);
	return true;
}

static void
on_task(void *arg)
{
	struct fake_mail *f = arg;
	struct fake_call *c = f->calls;
	bool over;

	if (c == NULL)
		return;
	if (c->begun && f->between != NULL)
		f->between(f);
	c->begun = true;
	/* taken out first: the callback may ask again, or cancel */
	f->calls = c->next;
	f->answering = c;
	over = c->kind == STATES ? answer_states(f, c) : c->kind == EMAILS ? answer_emails(f, c) :
	    answer_changes(f, c);
	if (over || f->answering == NULL) {
		mem_free(&c);
	} else {
		c->next = f->calls;
		f->calls = c;
	}
	if (f->calls != NULL)
		loop_task_post(f->task);
}

static void *
ask(struct fake_mail *f, enum kind kind, store_done_fn fn, void *fn_arg)
{
	struct fake_call *c = mem_zalloc(sizeof(*c)), **at = &f->calls;

	c->kind = kind;
	c->fn = fn;
	c->arg = fn_arg;
	while (*at != NULL)
		at = &(*at)->next;
	*at = c;
	f->asked++;
	loop_task_post(f->task);
	return c;
}

static void *
ask_states(void *arg, store_done_fn fn, void *fn_arg)
{
	return ask(arg, STATES, fn, fn_arg);
}

static void *
ask_emails(void *arg, const struct store_emails *rq, store_done_fn fn, void *fn_arg)
{
	(void)rq;
	return ask(arg, EMAILS, fn, fn_arg);
}

static void *
ask_changes(void *arg, const struct store_email_changes *rq, store_done_fn fn, void *fn_arg)
{
	struct fake_call *c = ask(arg, CHANGES, fn, fn_arg);

	c->changes = *rq;
	return c;
}

static void
cancel(void *arg, void **call)
{
	struct fake_mail *f = arg;
	struct fake_call *c = *call, **at = &f->calls;

	*call = NULL;
	while (*at != NULL && *at != c)
		at = &(*at)->next;
	if (*at != NULL) {
		*at = c->next;
		mem_free(&c);
	} else if (f->answering == c) {
		f->answering = NULL;
	}
}

struct mirror_source
fake_source(struct fake_mail *f)
{
	return (struct mirror_source){ f, ask_states, ask_emails, ask_changes, cancel };
}

struct fake_mail *
fake_new(struct loop *l)
{
	struct fake_mail *f = mem_zalloc(sizeof(*f));

	f->loop = l;
	f->task = loop_task_new(l, on_task, f);
	f->part = 7;
	f->modseq = 1;
	f->incarnation = 0;
	return f;
}

void
fake_free(struct fake_mail **fp)
{
	struct fake_mail *f = *fp;

	while (f->calls != NULL) {
		void *c = f->calls;

		cancel(f, &c);
	}
	loop_task_free(&f->task);
	mem_free(&f->v);
	mem_free(&f->log);
	mem_free(fp);
}
