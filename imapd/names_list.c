/* LIST over all namespaces. */
#include "imapd/names_priv.h"

#include "common/mail/mailbox_name.h"
#include "common/util/bytes.h"

struct listing {
	struct imap_cmd		*cmd;
	store_done_fn		fn;
	struct span		path;
	struct list		*at;		/* of session->owners */
	bool			shared;		/* of the two namespaces the second is told */
	bool			own_root[2];	/* the account has a mailbox of its name */
	bool			gone_told;	/* what was deleted */
};

static void
tell(struct listing *l, const struct buf *lines, bool more)
{
	const struct store_mailboxes are = { buf_span(lines) };

	l->fn(l->cmd, ST_OK, more, &are);
}

/* A subscribed name of another's mailbox is told where that is listed. */
static bool
take_subscribed(struct listing *l, struct span path)
{
	struct buf left = { 0 };
	struct reader r;
	bool found = false;

	reader_init(&r, l->cmd->session->list_subscribed.data, l->cmd->session->list_subscribed.len);
	while (r.p < r.end) {
		struct span one = get_span(&r);

		if (span_eq(one, path))
			found = true;
		else
			put_span(&left, one);
	}
	buf_fini(&l->cmd->session->list_subscribed);
	l->cmd->session->list_subscribed = left;
	return found;
}

static void
put_root(struct buf *out, struct span path)
{
	const struct store_mailbox m = { .path = path, .has_children = true };

	put_store_mailbox(out, &m);
}

static void
renamed_lines(struct listing *l, struct span list, struct buf *out)
{
	struct buf path = { 0 };
	struct store_mailbox m;
	struct reader r;

	reader_init(&r, list.p, list.len);
	while (list.len > 0 && get_store_mailbox(&r, &m)) {
		buf_clear(&path);
		buf_add_span(&path, buf_span(&l->cmd->session->list_prefix));
		buf_add_span(&path, m.path);
		m.path = buf_span(&path);
		m.role = MAILBOX_ROLE_NONE;	/* of the owner, not of who looks */
		m.subscribed = take_subscribed(l, m.path);
		put_store_mailbox(out, &m);
	}
	buf_fini(&path);
}

static void next_owner(struct listing *l);
static void on_owner_list(void *arg, enum status st, bool more, const void *msg);

static void
tell_gone(struct listing *l)
{
	struct imap_session *s = l->cmd->session;
	const struct store_list rq = { SPAN_NONE };
	struct buf out = { 0 };

	l->gone_told = true;
	buf_clear(&s->list_prefix);
	buf_add_span(&s->list_prefix, imap_undelete_prefix(s));
	put_root(&out, buf_span(&s->list_prefix));
	tell(l, &out, true);
	buf_fini(&out);
	buf_add_c(&s->list_prefix, MAILBOX_DELIMITER);
	store_do_list(imap_undeleted(s), &rq, on_owner_list, l);
}

static void
listing_end(struct listing *l)
{
	struct buf out = { 0 };
	struct reader r;

	if (l->cmd->session->undelete_named && !l->gone_told) {
		tell_gone(l);
		return;
	}
	reader_init(&r, l->cmd->session->list_subscribed.data, l->cmd->session->list_subscribed.len);
	while (r.p < r.end) {
		const struct store_mailbox m = { .path = get_span(&r), .subscribed = true };

		put_store_mailbox(&out, &m);
	}
	buf_fini(&l->cmd->session->list_prefix);
	buf_fini(&l->cmd->session->list_subscribed);
	tell(l, &out, false);
	buf_fini(&out);
}

static void
on_owner_list(void *arg, enum status st, bool more, const void *msg)
{
	struct listing *l = arg;
	const struct store_mailboxes *are = msg;
	struct buf out = { 0 };

	if (st == ST_OK && are != NULL) {
		renamed_lines(l, are->list, &out);
		if (out.len > 0)
			tell(l, &out, true);
	}
	buf_fini(&out);
	if (!more)
		next_owner(l);
}

/* In LIST, in that of the two namespaces. */
static bool
is_told(const struct imap_session *s, const struct imap_owner *o, bool shared)
{
	return o->listed && o->store != s->home && o->shared == shared;
}

/* The next one of the namespace that is told; NULL: that was all of them. */
static struct imap_owner *
take_owner(struct listing *l)
{
	struct imap_session *s = l->cmd->session;

	while (l->at != &s->owners) {
		struct imap_owner *o = list_entry(l->at, struct imap_owner, node);

		l->at = l->at->next;
		if (is_told(s, o, l->shared))
			return o;
	}
	return NULL;
}

static void
next_owner(struct listing *l)
{
	struct imap_session *s = l->cmd->session;
	const struct store_list rq = { SPAN_NONE };
	struct imap_owner *o = NULL;
	struct buf out = { 0 };

	while (o == NULL) {
		if (imap_namespace(s, l->shared).len > 0)
			o = take_owner(l);
		if (o == NULL && l->shared) {
			listing_end(l);
			return;
		}
		if (o == NULL) {
			l->shared = true;
			l->at = s->owners.next;
			buf_clear(&s->list_prefix);
		}
	}
	if (s->list_prefix.len == 0 && !l->own_root[l->shared])
		put_root(&out, imap_namespace(s, l->shared));
	buf_clear(&s->list_prefix);
	buf_add_span(&s->list_prefix, imap_namespace(s, l->shared));
	buf_add_c(&s->list_prefix, MAILBOX_DELIMITER);
	buf_add_span(&s->list_prefix, buf_span(&o->name));
	put_root(&out, buf_span(&s->list_prefix));
	tell(l, &out, true);
	buf_fini(&out);
	buf_add_c(&s->list_prefix, MAILBOX_DELIMITER);
	store_do_list(o->store, &rq, on_owner_list, l);
}

/* An own mailbox called as a namespace has what is in that below it. */
static void
own_root(struct listing *l, struct store_mailbox *m)
{
	struct imap_session *s = l->cmd->session;
	struct list *node, *tmp;

	for (unsigned shared = 0; shared < 2; shared++) {
		if (!span_eq(m->path, imap_namespace(s, shared != 0)))
			continue;
		l->own_root[shared] = true;
		list_each(node, tmp, &s->owners)
			m->has_children |= is_told(s, list_entry(node, struct imap_owner, node),
			    shared != 0);
	}
}

static void
on_own_list(void *arg, enum status st, bool more, const void *msg)
{
	struct listing *l = arg;
	const struct store_mailboxes *are = msg;
	struct store_mailbox m;
	struct buf out = { 0 };
	struct reader r;

	if (st == ST_OK && are != NULL) {
		reader_init(&r, are->list.p, are->list.len);
		while (are->list.len > 0 && get_store_mailbox(&r, &m)) {
			if (m.id == 0 && imap_space_of(l->cmd->session, m.path) != SPACE_OWN) {
				put_span(&l->cmd->session->list_subscribed, m.path);
				continue;
			}
			own_root(l, &m);
			put_store_mailbox(&out, &m);
		}
		tell(l, &out, true);
		buf_fini(&out);
	}
	if (more)
		return;
	if (st == ST_OK) {
		l->at = l->cmd->session->owners.next;
		next_owner(l);
		return;
	}
	buf_fini(&l->cmd->session->list_subscribed);
	l->fn(l->cmd, st, false, NULL);
}

/* One path: its line, with the name that was asked for. */
static void
on_one(void *arg, enum status st, bool more, const void *msg)
{
	struct listing *l = arg;
	const struct store_mailboxes *are = msg;
	struct store_mailbox m;
	struct buf out = { 0 };
	struct reader r;

	if (st != ST_OK || are == NULL || are->list.len == 0) {
		l->fn(l->cmd, st, more, msg);
		return;
	}
	reader_init(&r, are->list.p, are->list.len);
	while (get_store_mailbox(&r, &m)) {
		m.path = l->path;
		put_store_mailbox(&out, &m);
	}
	tell(l, &out, more);
	buf_fini(&out);
}

void
imap_list(struct imap_cmd *cmd, const struct store_list *rq, store_done_fn fn)
{
	struct imap_session *s = cmd->session;
	struct listing *l = arena_zalloc(&cmd->arena, sizeof(*l));
	struct store_list at = *rq;
	struct store *store;

	l->cmd = cmd;
	l->fn = fn;
	if (!imap_cap_on(s, CAP_ACL) && !s->undelete_named) {
		store_do_list(s->home, rq, fn, cmd);
		return;
	}
	if (rq->path.len == 0) {
		store_do_list(s->home, rq, on_own_list, l);
		return;
	}
	l->path = arena_span(&cmd->arena, rq->path);
	store = imap_route(s, &at.path);
	store_do_list(store, &at, store == s->home ? fn : on_one, store == s->home ? (void *)cmd : l);
}
