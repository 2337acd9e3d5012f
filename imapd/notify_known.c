/* Mailboxes other than the selected one, compared with what the client was told of them. */
#include "imapd/notify_priv.h"

#include <ctype.h>

#include "common/mail/mailbox_name.h"
#include "common/util/mem.h"

#define MAILBOXES_MAX	10000u	/* watched by one session */
#define EVENTS_MAX	1000u	/* told at once; more is an overflow */

void
notify_known_free(struct notify_known *k)
{
	buf_fini(&k->path);
	buf_fini(&k->old);
	mem_free(&k);
}

/* ---- what is asked for ---- */

static bool
matches(const struct notify_group *g, struct span path, bool subscribed)
{
	switch (g->filter) {
	case F_PERSONAL:
		return true;
	case F_SUBSCRIBED:
		return subscribed;
	case F_SUBTREE:
	case F_MAILBOXES:
		for (size_t i = 0; i < g->n_names; i++) {
			struct span name = g->names[i];

			if (span_eq(path, name))
				return true;
			if (g->filter == F_SUBTREE && path.len > name.len &&
			    path.p[name.len] == MAILBOX_DELIMITER &&
			    span_eq(span_sub(path, 0, name.len), name))
				return true;
		}
		return false;
	default:
		return false;
	}
}

unsigned
notify_events_of(const struct imap_notify *n, struct span path, bool subscribed)
{
	unsigned events = 0;

	for (size_t i = 0; i < n->n_groups; i++) {
		if (matches(&n->groups[i], path, subscribed))
			events |= n->groups[i].events;
	}
	return events;
}

/* ---- telling of mailboxes ---- */

static void
put_list(const struct imap_session *s, const struct notify_known *k, bool gone, bool old,
    struct buf *out)
{
	const char *role = mailbox_role_name((enum mailbox_role)k->role);

	buf_add_str(out, "* LIST (");
	buf_add_str(out, gone || k->id == 0 ? "\\NonExistent" :
	    k->has_children ? "\\HasChildren" : "\\HasNoChildren");
	if (k->subscribed)
		buf_add_str(out, " \\Subscribed");
	if (!gone && k->role > MAILBOX_ROLE_INBOX) {
		buf_add_str(out, " \\");
		buf_add_c(out, (char)toupper((unsigned char)role[0]));
		buf_add_str(out, role + 1);
	}
	buf_add_str(out, ") \"/\" ");
	imap_put_mailbox(s, out, buf_span(&k->path));
	if (old) {
		buf_add_str(out, " (\"OLDNAME\" (");
		imap_put_mailbox(s, out, buf_span(&k->old));
		buf_add_str(out, "))");
	}
	buf_add_str(out, "\r\n");
}

/* A mailbox that came or went changed the one above it too. */
static void
tell_parent(const struct imap_session *s, const struct imap_notify *n,
    const struct notify_known *k, struct buf *out)
{
	struct span up = mailbox_name_parent(buf_span(&k->path));
	const struct notify_known *p = up.len > 0 ? table_get(&n->by_path, up) : NULL;

	if (p != NULL && p->id != 0 && !p->created &&
	    (notify_events_of(n, up, p->subscribed) & EV_NAME) != 0)
		put_list(s, p, false, false, out);
}

void
notify_put_status(const struct imap_session *s, const struct notify_known *k, unsigned events,
    struct buf *out)
{
	buf_add_str(out, "* STATUS ");
	imap_put_mailbox(s, out, buf_span(&k->path));
	buf_addf(out, " (MESSAGES %u UIDNEXT %u UIDVALIDITY %u", k->messages, k->uidnext,
	    k->uidvalidity);
	if (events & EV_CHANGE)
		buf_addf(out, " UNSEEN %u", k->unseen);
	if (s->condstore || (events & EV_CHANGE))
		buf_addf(out, " HIGHESTMODSEQ %llu", (unsigned long long)k->highestmodseq);
	buf_add_str(out, ")\r\n");
}

bool
notify_is_selected(const struct imap_session *s, const struct notify_known *k)
{
	return s->view != NULL && s->view->mailbox == k->id;
}

static void
tell_known(struct imap_session *s, struct notify_known *k)
{
	const struct imap_notify *n = s->notify;
	unsigned events = notify_events_of(n, buf_span(&k->path), k->subscribed || k->resubscribed);
	struct buf *out = imap_out(s);

	if (k->renamed)
		events |= notify_events_of(n, buf_span(&k->old), k->subscribed) & EV_NAME;
	if ((k->created || k->renamed) && (events & EV_NAME)) {
		put_list(s, k, false, k->renamed, out);
		if (k->created)
			tell_parent(s, n, k, out);
	} else if (k->resubscribed && (events & EV_SUBSCRIPTION)) {
		put_list(s, k, false, false, out);
	}
	if (k->id != 0 && (k->changed & events & EV_MESSAGE) && !notify_is_selected(s, k))
		notify_put_status(s, k, events, out);
	k->created = k->renamed = k->resubscribed = false;
	k->changed = 0;
}

static void
tell_gone(struct imap_session *s, struct notify_known *k)
{
	struct imap_notify *n = s->notify;
	struct span path = buf_span(&k->path);
	const struct notify_known *now = table_get(&n->by_path, path);
	unsigned events = notify_events_of(n, path, k->subscribed);
	bool other = now != NULL && now != k;

	if (other && (now->id != 0 || k->id == 0))
		return;			/* the name lives on, and is told where it changed */
	if (k->id != 0) {
		k->subscribed = other;
		if (events & EV_NAME) {
			put_list(s, k, true, false, imap_out(s));
			tell_parent(s, n, k, imap_out(s));
		}
	} else if (events & EV_SUBSCRIPTION) {
		k->subscribed = false;
		put_list(s, k, true, false, imap_out(s));
	}
}

/* ---- comparing ---- */

static struct notify_known *
add_known(struct imap_notify *n, const struct store_mailbox *m)
{
	struct notify_known *k, *before;

	if (n->n_all >= MAILBOXES_MAX) {
		n->overflow = true;
		return NULL;
	}
	if (n->n_all == n->room) {
		n->room = n->room > 0 ? n->room * 2 : 16;
		n->all = mem_realloc_array(n->all, n->room, sizeof(struct notify_known *));
	}
	k = n->all[n->n_all++] = mem_zalloc(sizeof(*k));
	k->id = m->id;
	buf_add_span(&k->path, m->path);
	k->uidvalidity = m->uidvalidity;
	k->uidnext = m->uidnext;
	k->messages = m->messages;
	k->highestmodseq = m->highestmodseq;
	k->unseen = m->unseen;
	if (m->id != 0)
		table_put_u64(&n->by_id, m->id, k);
	before = table_put(&n->by_path, m->path, k);
	k->created = m->id != 0;
	k->resubscribed = m->subscribed && (before == NULL || !before->subscribed);
	k->subscribed = m->subscribed;
	return k;
}

/* Below another that was renamed: its name changed with that one's. */
static bool
went_along(const struct imap_notify *n, const struct notify_known *k, struct span path)
{
	struct span old = buf_span(&k->path);

	for (size_t i = 0; i < n->n_all; i++) {
		struct span from = buf_span(&n->all[i]->old), to = buf_span(&n->all[i]->path);

		if (n->all[i]->renamed && old.len > from.len && path.len > to.len &&
		    old.p[from.len] == MAILBOX_DELIMITER && span_eq(span_sub(old, 0, from.len), from) &&
		    span_eq(span_sub(path, 0, to.len), to) &&
		    span_eq(span_sub(old, from.len, old.len), span_sub(path, to.len, path.len)))
			return true;
	}
	return false;
}

static void
rename_known(struct imap_notify *n, struct notify_known *k, struct span path)
{
	bool along = went_along(n, k, path);

	if (table_get(&n->by_path, buf_span(&k->path)) == k)
		table_del(&n->by_path, buf_span(&k->path));
	buf_clear(&k->old);
	if (!along)
		buf_add_span(&k->old, buf_span(&k->path));
	k->renamed = !along;
	buf_clear(&k->path);
	buf_add_span(&k->path, path);
	table_put(&n->by_path, path, k);
}

static void
compare_messages(struct notify_known *k, const struct store_mailbox *m)
{
	if (m->uidnext != k->uidnext || m->uidvalidity != k->uidvalidity)
		k->changed |= EV_NEW;
	if (m->messages != k->messages)
		k->changed |= EV_EXPUNGE | EV_NEW;
	else if (m->highestmodseq != k->highestmodseq && m->uidnext == k->uidnext)
		k->changed |= EV_CHANGE;
	k->uidvalidity = m->uidvalidity;
	k->uidnext = m->uidnext;
	k->messages = m->messages;
	k->highestmodseq = m->highestmodseq;
	k->unseen = m->unseen;
}

/* full: of the list, which alone knows names. */
static void
take_line(struct imap_notify *n, const struct store_mailbox *m, bool full)
{
	struct notify_known *k = m->id != 0 ? table_get_u64(&n->by_id, m->id) :
	    table_get(&n->by_path, m->path);

	if (k != NULL && k->id != m->id)
		k = NULL;
	if (k == NULL) {
		k = full ? add_known(n, m) : NULL;
		if (k == NULL)
			return;
	} else {
		if (full && !span_eq(buf_span(&k->path), m->path))
			rename_known(n, k, m->path);
		if (full && k->subscribed != m->subscribed) {
			k->subscribed = m->subscribed;
			k->resubscribed = true;
		}
		if (m->id != 0)
			compare_messages(k, m);
	}
	k->epoch = n->epoch;
	if (full) {
		k->has_children = m->has_children;
		k->role = (uint8_t)m->role;
	}
}

void
notify_take_lines(struct imap_notify *n, struct span list, bool full)
{
	struct store_mailbox m;
	struct reader r;

	reader_init(&r, list.p, list.len);
	while (list.len > 0 && get_store_mailbox(&r, &m))
		take_line(n, &m, full);
}

static void
drop_gone(struct imap_session *s, bool tell)
{
	struct imap_notify *n = s->notify;
	size_t kept = 0;

	for (size_t i = 0; i < n->n_all; i++) {
		struct notify_known *k = n->all[i];

		if (k->epoch == n->epoch) {
			n->all[kept++] = k;
			continue;
		}
		if (tell)
			tell_gone(s, k);
		if (k->id != 0)
			table_del_u64(&n->by_id, k->id);
		if (table_get(&n->by_path, buf_span(&k->path)) == k)
			table_del(&n->by_path, buf_span(&k->path));
		notify_known_free(k);
	}
	n->n_all = kept;
}

/* From now on as if NOTIFY NONE had been said (RFC 5465 §5.8). */
static void
overflow(struct imap_session *s)
{
	buf_add_str(imap_out(s), "* OK [NOTIFICATIONOVERFLOW] Too much changes; nothing is told "
	    "from now on\r\n");
	s->notify->n_groups = 0;
	s->notify->selected = 0;
	s->notify->others = false;
}

void
notify_tell_all(struct imap_session *s, bool full)
{
	struct imap_notify *n = s->notify;
	size_t events = 0;

	for (size_t i = 0; i < n->n_all; i++) {
		const struct notify_known *k = n->all[i];

		events += k->created || k->renamed || k->resubscribed || k->changed != 0 ||
		    (full && k->epoch != n->epoch);
	}
	if (n->overflow || events > EVENTS_MAX) {
		overflow(s);
		return;
	}
	if (full)
		drop_gone(s, true);
	for (size_t i = 0; events > 0 && i < n->n_all; i++)
		tell_known(s, n->all[i]);
}
