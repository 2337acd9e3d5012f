/* The world of a test: mailboxes, annotations, marks, lists and what was sent. */
#include <string.h>

#include "common/mail/mailbox_name.h"
#include "t/sieve/suite.h"

struct mailbox *
world_mailbox(struct world *w, struct span name, bool create)
{
	struct mailbox **at = &w->mailboxes;
	struct buf path = { 0 };
	struct mailbox *m;

	if (!mailbox_name_from_utf8(name, &path)) {
		buf_fini(&path);
		return NULL;
	}
	if (span_has_caseprefix(buf_span(&path), "INBOX."))
		memcpy(path.data, "INBOX", 5);
	while (*at != NULL && !span_eq((*at)->name, buf_span(&path)))
		at = &(*at)->next;
	m = *at;
	if (m == NULL && create) {
		*at = m = arena_zalloc(&w->arena, sizeof(*m));
		m->name = arena_span(&w->arena, buf_span(&path));
	}
	buf_fini(&path);
	return m;
}

struct kept_message *
world_message(struct world *w, struct span mailbox, uint64_t n)
{
	struct mailbox *m = world_mailbox(w, mailbox, false);
	struct kept_message *k = m != NULL ? m->messages : NULL;

	while (k != NULL && n-- > 0)
		k = k->next;
	return k;
}

void
world_store(struct world *w, struct mailbox *m, struct span text, const struct span *flags,
    size_t n_flags)
{
	struct kept_message **at = &m->messages, *k = arena_zalloc(&w->arena, sizeof(*k));

	while (*at != NULL)
		at = &(*at)->next;
	*at = k;
	k->text = text;
	k->flags = arena_array(&w->arena, n_flags + 1, sizeof(*k->flags));
	k->n_flags = n_flags;
	for (size_t i = 0; i < n_flags; i++)
		k->flags[i] = arena_strndup(&w->arena, flags[i].p, flags[i].len);
}

void
world_send(struct world *w, struct span from, struct span to, struct span text)
{
	struct sent **at = &w->outbox, *s = arena_zalloc(&w->arena, sizeof(*s));

	while (*at != NULL)
		at = &(*at)->next;
	*at = s;
	*s = (struct sent){ .from = from.len > 0 ? arena_span(&w->arena, from) : span("", 0),
	    .to = arena_span(&w->arena, to), .text = text };
}

struct sent *
world_sent(struct world *w, uint64_t n)
{
	struct sent *s = w->outbox;

	while (s != NULL && n-- > 0)
		s = s->next;
	return s;
}

void
world_annotate(struct world *w, struct mailbox *m, struct span name, struct span value)
{
	struct annotation **at = m != NULL ? &m->annotations : &w->annotations;
	struct annotation *a = arena_zalloc(&w->arena, sizeof(*a));

	a->name = arena_span(&w->arena, name);
	a->value = arena_span(&w->arena, value);
	a->next = *at;
	*at = a;
}

void
world_mark(struct world *w, const unsigned char key[32])
{
	struct mark *m = arena_zalloc(&w->arena, sizeof(*m));

	memcpy(m->key, key, sizeof(m->key));
	m->next = w->marks;
	w->marks = m;
}

static bool
is_marked(const struct world *w, struct span key)
{
	for (const struct mark *m = w->marks; m != NULL; m = m->next)
		if (span_eq(key, span(m->key, sizeof(m->key))))
			return true;
	return false;
}

static void
find_annotation(const struct annotation *a, struct span name, struct sieve_reply *reply)
{
	while (a != NULL && !span_caseeq(a->name, name))
		a = a->next;
	if (a != NULL) {
		reply->yes = true;
		reply->text = a->value;
	}
}

static void
find_use(struct world *w, const struct sieve_question *q, struct sieve_reply *reply)
{
	for (struct mailbox *m = w->mailboxes; m != NULL && !reply->yes; m = m->next) {
		if (m->use.len > 0 && span_caseeq(m->use, q->name) &&
		    (q->in.p == NULL || world_mailbox(w, q->in, false) == m)) {
			reply->yes = true;
			reply->text = m->name;
		}
	}
}

/* Files of two lines for each entry: "priv/.../ADDRESS" and "1". */
static bool
file_has(const char *path, struct span value)
{
	struct buf text = { 0 };
	struct span rest;
	bool yes = false;

	if (!suite_read(path, &text))
		return false;
	for (rest = buf_span(&text); rest.len > 0 && !yes;) {
		struct span line = span_trim(span_cut(&rest, '\n'));
		size_t slash = line.len;

		while (slash > 0 && line.p[slash - 1] != '/')
			slash--;
		yes = slash > 0 && span_caseeq(span_sub(line, slash, line.len), value);
	}
	buf_fini(&text);
	return yes;
}

static struct list *
find_list(struct world *w, struct span name)
{
	struct list *l = w->lists;

	while (l != NULL && !span_eq(l->name, name))
		l = l->next;
	return l;
}

bool
world_ask(struct world *w, const struct sieve_question *q, struct sieve_reply *reply)
{
	struct mailbox *m;
	struct list *l;

	switch (q->ask) {
	case SIEVE_ASK_MAILBOX:
		reply->yes = world_mailbox(w, q->name, false) != NULL;
		return true;
	case SIEVE_ASK_MAILBOX_ID:	/* an id here is "id-" and the name */
		reply->yes = span_has_prefix(q->name, "id-") && (m = world_mailbox(w,
		    span_sub(q->name, 3, q->name.len), false)) != NULL;
		if (reply->yes)
			reply->text = m->name;
		return true;
	case SIEVE_ASK_SPECIAL_USE:
		find_use(w, q, reply);
		return true;
	case SIEVE_ASK_MAILBOX_ANNOTATION:
		m = world_mailbox(w, q->in, false);
		find_annotation(m != NULL ? m->annotations : NULL, q->name, reply);
		return true;
	case SIEVE_ASK_SERVER_ANNOTATION:
		find_annotation(w->annotations, q->name, reply);
		return true;
	case SIEVE_ASK_DUPLICATE:
	case SIEVE_ASK_VACATION:
		reply->yes = is_marked(w, q->name);
		return true;
	case SIEVE_ASK_LIST:
		reply->yes = find_list(w, q->name) != NULL;
		return true;
	case SIEVE_ASK_MEMBER:
		l = find_list(w, q->in);
		reply->yes = l != NULL && l->path != NULL && file_has(l->path, q->name);
		return true;
	case SIEVE_ASK_OWN:
		return true;
	case SIEVE_ASK_PERSONAL_SCRIPT:
	case SIEVE_ASK_GLOBAL_SCRIPT:
		break;
	}
	return false;
}
