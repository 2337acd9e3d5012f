/* NOTIFY (RFC 5465).  Mailboxes are compared with what the client was told of them: the
 * store names those that moved, or says that the list is to be read again. */
#include "imapd/notify.h"

#include <ctype.h>
#include <string.h>

#include "common/mail/mailbox_name.h"
#include "common/proto/imap_print.h"
#include "common/util/mem.h"
#include "common/util/table.h"
#include "imapd/annotations.h"
#include "imapd/beside.h"
#include "imapd/metadata.h"
#include "imapd/sync.h"

#define GROUPS_MAX	100u
#define NAMES_MAX	1000u
#define MAILBOXES_MAX	10000u	/* watched by one session */
#define EVENTS_MAX	1000u	/* told at once; more is an overflow */
#define FETCH_TEXT_MAX	4096u

enum {
	EV_NEW = 1, EV_EXPUNGE = 2, EV_FLAG = 4, EV_NAME = 8, EV_SUBSCRIPTION = 16,
	EV_METADATA = 32, EV_SERVER = 64, EV_ANNOTATION = 128,
	EV_CHANGE = EV_FLAG | EV_ANNOTATION,	/* which of both is not known of other mailboxes */
	EV_MESSAGE = EV_NEW | EV_EXPUNGE | EV_CHANGE
};

static const struct { const char *name; unsigned bit; } event_names[] = {
	{ "MessageNew", EV_NEW }, { "MessageExpunge", EV_EXPUNGE }, { "FlagChange", EV_FLAG },
	{ "MailboxName", EV_NAME }, { "SubscriptionChange", EV_SUBSCRIPTION },
	{ "MailboxMetadataChange", EV_METADATA }, { "ServerMetadataChange", EV_SERVER },
	{ "AnnotationChange", EV_ANNOTATION }
};
#define SUPPORTED "MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange " \
	"MailboxMetadataChange ServerMetadataChange"
#define OWN_BYTES_MAX	65536u	/* names of annotations that the session set itself */
#define SUPPORTED_TOO " AnnotationChange"

enum notify_filter { F_SELECTED, F_DELAYED, F_PERSONAL, F_SUBSCRIBED, F_SUBTREE, F_MAILBOXES };

struct group {
	enum notify_filter	filter;
	struct span	*names;
	size_t		n_names;
	unsigned	events;
};

/* A mailbox as the client knows it; id 0: a subscribed name without one. */
struct known {
	uint64_t	id, highestmodseq;
	struct buf	path, old;
	uint32_t	uidvalidity, uidnext, messages, unseen, epoch;
	uint8_t		role;
	bool		subscribed, has_children;
	bool		created, renamed, resubscribed;
	unsigned	changed;	/* EV_... of messages */
};

struct imap_notify {
	struct arena	arena;
	struct group	*groups;
	size_t		n_groups;
	unsigned	selected;	/* events of the selected mailbox */
	bool		delayed, others;
	/* Not NOTIFY but ENABLE METADATA: `metadata` is all that is asked for. */
	bool		passive;
	unsigned	metadata;	/* EV_METADATA, EV_SERVER: of any group */
	unsigned	server_changed;	/* SERVER_... */
	struct buf	own_noted;	/* put_span() of path and name: set by the session */
	struct span	atts;		/* "(UID FLAGS)" of new messages; empty: none */
	uint64_t	mailbox;	/* `fresh` are uids of it */
	struct uidset	fresh;
	struct uidset	own;		/* not fetched: the client made them */
	bool		pending, running;
	void		(*done)(struct imap_cmd *cmd);
	/* other mailboxes */
	uint64_t	modseq;		/* of the account: told up to it */
	uint64_t	asked;
	uint32_t	epoch;
	struct table	by_id, by_path;
	struct known	**all;
	size_t		n_all, room;
	bool		overflow;
};

static void
known_free(struct known *k)
{
	buf_fini(&k->path);
	buf_fini(&k->old);
	mem_free(&k);
}

void
imap_notify_free(struct imap_notify **np)
{
	struct imap_notify *n = *np;

	if (n == NULL)
		return;
	for (size_t i = 0; i < n->n_all; i++)
		known_free(n->all[i]);
	mem_free(&n->all);
	table_fini(&n->by_id, NULL, NULL);
	table_fini(&n->by_path, NULL, NULL);
	uidset_fini(&n->fresh);
	uidset_fini(&n->own);
	buf_fini(&n->own_noted);
	arena_fini(&n->arena);
	mem_free(np);
}

static bool
uses_notify(const struct imap_session *s)
{
	return s->notify != NULL && !s->notify->passive;
}

bool
imap_notify_silent(const struct imap_session *s)
{
	return uses_notify(s) && s->notify->selected == 0;
}

bool
imap_notify_flags(const struct imap_session *s)
{
	return !uses_notify(s) || (s->notify->selected & EV_FLAG) != 0;
}

bool
imap_notify_annotations(struct imap_session *s)
{
	struct imap_view *v = s->view;

	if (s->notify != NULL && (s->notify->selected & EV_ANNOTATION) && v->annotated == NULL)
		v->annotated = imap_annotated_new(v->modseq);
	return v->annotated != NULL;
}

bool
imap_notify_expunges(const struct imap_session *s)
{
	return uses_notify(s) && !s->notify->delayed;
}

/* RFC 5465 §5.2 */
void
imap_notify_own(struct imap_session *s, uint64_t mailbox, const struct uidset *uids)
{
	struct imap_notify *n = s->notify;

	if (n != NULL && n->atts.len > 0 && s->view != NULL && s->view->mailbox == mailbox)
		uidset_add_set(&n->own, uids);
}

void
imap_notify_new(struct imap_session *s, uint32_t above)
{
	struct imap_notify *n = s->notify;

	if (n == NULL || n->atts.len == 0)
		return;
	if (n->mailbox != s->view->mailbox)
		uidset_clear(&n->fresh);
	n->mailbox = s->view->mailbox;
	if (above < UINT32_MAX)
		imap_view_add_uids(s->view, above + 1, UINT32_MAX, &n->fresh);
	uidset_remove_set(&n->fresh, &n->own);
	uidset_clear(&n->own);
	n->pending |= !uidset_empty(&n->fresh);
}

/* ---- what is asked for ---- */

static bool
matches(const struct group *g, struct span path, bool subscribed)
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

static unsigned
events_of(const struct imap_notify *n, struct span path, bool subscribed)
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
put_list(const struct imap_session *s, const struct known *k, bool gone, bool old, struct buf *out)
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
    const struct known *k, struct buf *out)
{
	struct span up = mailbox_name_parent(buf_span(&k->path));
	const struct known *p = up.len > 0 ? table_get(&n->by_path, up) : NULL;

	if (p != NULL && p->id != 0 && !p->created &&
	    (events_of(n, up, p->subscribed) & EV_NAME) != 0)
		put_list(s, p, false, false, out);
}

static void
put_status(const struct imap_session *s, const struct known *k, unsigned events, struct buf *out)
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

static bool
is_selected(const struct imap_session *s, const struct known *k)
{
	return s->view != NULL && s->view->mailbox == k->id;
}

static void
tell_known(struct imap_session *s, struct known *k)
{
	const struct imap_notify *n = s->notify;
	unsigned events = events_of(n, buf_span(&k->path), k->subscribed || k->resubscribed);
	struct buf *out = imap_out(s);

	if (k->renamed)
		events |= events_of(n, buf_span(&k->old), k->subscribed) & EV_NAME;
	if ((k->created || k->renamed) && (events & EV_NAME)) {
		put_list(s, k, false, k->renamed, out);
		if (k->created)
			tell_parent(s, n, k, out);
	} else if (k->resubscribed && (events & EV_SUBSCRIPTION)) {
		put_list(s, k, false, false, out);
	}
	if (k->id != 0 && (k->changed & events & EV_MESSAGE) && !is_selected(s, k))
		put_status(s, k, events, out);
	k->created = k->renamed = k->resubscribed = false;
	k->changed = 0;
}

static void
tell_gone(struct imap_session *s, struct known *k)
{
	struct imap_notify *n = s->notify;
	struct span path = buf_span(&k->path);
	const struct known *now = table_get(&n->by_path, path);
	unsigned events = events_of(n, path, k->subscribed);
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

static struct known *
add_known(struct imap_notify *n, const struct store_mailbox *m)
{
	struct known *k, *before;

	if (n->n_all >= MAILBOXES_MAX) {
		n->overflow = true;
		return NULL;
	}
	if (n->n_all == n->room) {
		n->room = n->room > 0 ? n->room * 2 : 16;
		n->all = mem_realloc_array(n->all, n->room, sizeof(struct known *));
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
went_along(const struct imap_notify *n, const struct known *k, struct span path)
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
rename_known(struct imap_notify *n, struct known *k, struct span path)
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
compare_messages(struct known *k, const struct store_mailbox *m)
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
	struct known *k = m->id != 0 ? table_get_u64(&n->by_id, m->id) :
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

static void
take_lines(struct imap_notify *n, struct span list, bool full)
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
		struct known *k = n->all[i];

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
		known_free(k);
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

static void
tell_all(struct imap_session *s, bool full)
{
	struct imap_notify *n = s->notify;
	size_t events = 0;

	for (size_t i = 0; i < n->n_all; i++) {
		const struct known *k = n->all[i];

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

/* ---- annotations ---- */

void
imap_notify_own_metadata(struct imap_session *s, struct span path, struct span entries)
{
	struct imap_notify *n = s->notify;
	struct store_metadata e;
	struct reader r;

	if (n == NULL || n->metadata == 0 || n->own_noted.len > OWN_BYTES_MAX)
		return;
	reader_init(&r, entries.p, entries.len);
	while (get_store_metadata(&r, &e)) {
		put_span(&n->own_noted, path);
		put_span(&n->own_noted, e.name);
	}
}

/* true: the session set it itself, and is told of it this once by its own command. */
static bool
take_own(struct imap_notify *n, struct span path, struct span name)
{
	struct buf left = { 0 };
	struct reader r;
	bool found = false;

	reader_init(&r, n->own_noted.data, n->own_noted.len);
	while (r.p < r.end) {
		struct span p = get_span(&r), e = get_span(&r);

		if (!found && span_eq(p, path) && span_eq(e, name)) {
			found = true;
			continue;
		}
		put_span(&left, p);
		put_span(&left, e);
	}
	buf_fini(&n->own_noted);
	n->own_noted = left;
	return found;
}

static bool
wants_noted(const struct imap_notify *n, struct span path)
{
	const struct known *k = table_get(&n->by_path, path);

	if (path.len == 0)
		return (n->metadata & EV_SERVER) != 0;
	if (n->passive)
		return (n->metadata & EV_METADATA) != 0;
	return (events_of(n, path, k != NULL && k->subscribed) & EV_METADATA) != 0;
}

static void
put_entry(struct buf *out, struct span name)
{
	bool atom = name.len > 0;

	for (size_t i = 0; i < name.len && atom; i++)
		atom = imap_is_atom_char((unsigned char)name.p[i]);
	buf_add_c(out, ' ');
	if (atom)
		buf_add_span(out, name);
	else
		imap_put_string(out, name);
}

/* Names alone, no values (RFC 5464 §4.4.2). */
static void
tell_noted(struct imap_session *s, struct span path, struct span names)
{
	struct imap_notify *n = s->notify;
	struct buf *out = imap_out(s);
	bool wanted = wants_noted(n, path), any = false;
	struct reader r;

	reader_init(&r, names.p, names.len);
	while (r.p < r.end && !r.bad) {
		struct span name = get_span(&r);

		if (take_own(n, path, name) || !wanted)
			continue;
		if (!any) {
			buf_add_str(out, "* METADATA ");
			if (path.len > 0)
				imap_put_mailbox(s, out, path);
			else
				buf_add_str(out, "\"\"");
		}
		put_entry(out, name);
		any = true;
	}
	if (any)
		buf_add_str(out, "\r\n");
}

/* The server's own annotations; changed: a bit for each. */
static void
tell_server(struct imap_session *s)
{
	unsigned changed = s->notify->server_changed;
	struct imap_server_entry own[IMAP_SERVER_ENTRIES];

	s->notify->server_changed = 0;
	if (changed == 0 || !(s->notify->metadata & EV_SERVER))
		return;
	imap_server_entries(s->srv, own);
	buf_add_str(imap_out(s), "* METADATA \"\"");
	for (unsigned i = 0; i < IMAP_SERVER_ENTRIES; i++)
		if ((changed & 1u << i) != 0)
			buf_addf(imap_out(s), " %s", own[i].name);
	buf_add_str(imap_out(s), "\r\n");
}

static void
server_changed(struct imap_session *s, unsigned changed)
{
	if (s->notify == NULL || s->ending || !(s->notify->metadata & EV_SERVER))
		return;
	s->notify->server_changed |= changed;
	imap_notify_note(s);
	if (s->cmd != NULL && imap_cmd_is_idle(s->cmd))
		imap_idle_dirty(s->cmd);
}

void
imap_notify_configured(struct imap_server *srv)
{
	struct imap_server_entry now[IMAP_SERVER_ENTRIES];
	struct list *n, *tmp;
	struct buf before = srv->server_entries;
	struct reader r;
	unsigned changed = 0;

	srv->server_entries = (struct buf){ 0 };
	reader_init(&r, before.data, before.len);
	imap_server_entries(srv, now);
	for (unsigned i = 0; i < IMAP_SERVER_ENTRIES; i++) {
		put_span(&srv->server_entries, now[i].value);
		if (before.len > 0 && !span_eq(get_span(&r), now[i].value))
			changed |= 1u << i;
	}
	buf_fini(&before);
	if (changed == 0)
		return;
	list_each(n, tmp, &srv->sessions)
		server_changed(list_entry(n, struct imap_session, node), changed);
}

static void
tell_metadata(struct imap_session *s, const struct store_touched_are *are)
{
	struct reader r;

	if (s->notify->metadata == 0)
		return;
	tell_server(s);
	if (are->not_noted && !s->notify->passive)
		s->notify->overflow = true;
	reader_init(&r, are->noted.p, are->noted.len);
	while (are->noted.len > 0 && r.p < r.end && !r.bad) {
		struct span path = get_span(&r);

		tell_noted(s, path, get_span(&r));
	}
}

/* ---- a round of telling: the selected mailbox, its new messages, the others ---- */

static void
round_end(struct imap_cmd *cmd)
{
	struct imap_notify *n = cmd->session->notify;
	void (*done)(struct imap_cmd *) = n->done;

	n->running = false;
	done(cmd);
}

static void
on_list(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct imap_notify *n = cmd->session->notify;
	const struct store_mailboxes *part = msg;

	if (st == ST_OK && part != NULL)
		take_lines(n, part->list, true);
	if (more)
		return;
	if (st == ST_OK) {
		n->modseq = n->asked;
		tell_all(cmd->session, true);
	} else {
		n->pending = st == ST_UNAVAILABLE;
	}
	round_end(cmd);
}

static void
on_touched(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct imap_notify *n = cmd->session->notify;
	const struct store_touched_are *are = msg;
	struct store_list rq = { 0 };

	if (more)
		return;
	if (st == ST_OK && are != NULL)
		tell_metadata(cmd->session, are);
	if (st == ST_OK && are != NULL && n->passive) {
		n->modseq = are->modseq;
		round_end(cmd);
		return;
	}
	if (st == ST_OK && are != NULL && are->all) {
		n->asked = are->modseq;
		n->epoch++;
		store_do_list(cmd->session->home, &rq, on_list, cmd);
		return;
	}
	if (st == ST_OK && are != NULL) {
		take_lines(n, are->list, false);
		n->modseq = are->modseq;
		tell_all(cmd->session, false);
	}
	round_end(cmd);
}

static void
ask_others(struct imap_cmd *cmd)
{
	struct imap_notify *n = cmd->session->notify;
	struct store_touched rq = { .since = n->modseq };

	if (!n->others && !n->passive) {
		round_end(cmd);
		return;
	}
	if (conn_full(cmd->session->conn)) {
		cmd->drained = ask_others;
		return;
	}
	store_do_touched(cmd->session->home, &rq, on_touched, cmd);
}

static void
fetch_new(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct imap_notify *n = s->notify;

	if (s->view == NULL || n->mailbox != s->view->mailbox)
		uidset_clear(&n->fresh);
	if (uidset_empty(&n->fresh) ||
	    !imap_beside_fetch(cmd, n->atts, true, &n->fresh, ask_others))
		ask_others(cmd);
}

static void
start_round(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct imap_notify *n = s->notify;

	n->pending = false;
	n->running = true;
	if (n->passive && (cmd->background || s->view == NULL))
		ask_others(cmd);
	else if (n->passive)
		imap_sync(cmd, ask_others);
	else if (s->view != NULL && n->selected != 0 && imap_sync_due(s->view))
		imap_sync(cmd, fetch_new);
	else
		fetch_new(cmd);
}

void
imap_notify_run(struct imap_cmd *cmd, void (*done)(struct imap_cmd *cmd))
{
	struct imap_session *s = cmd->session;

	if (s->notify == NULL) {
		imap_sync(cmd, done);
		return;
	}
	s->notify->done = done;
	start_round(cmd);
}

static void
told(struct imap_cmd *cmd)
{
	imap_session_background_end(cmd);
}

void
imap_notify_dirty(struct imap_session *s)
{
	struct imap_notify *n = s->notify;

	if (n == NULL || !n->pending || n->running || s->cmd != NULL || s->ending ||
	    conn_full(s->conn))
		return;
	imap_notify_run(imap_session_background(s), told);
}

void
imap_notify_note(struct imap_session *s)
{
	if (s->notify == NULL)
		return;
	s->notify->pending = s->notify->others || s->notify->passive || (s->notify->selected != 0 && s->view != NULL);
	imap_notify_dirty(s);
}

/* ---- the command ---- */

struct setting {
	struct imap_notify	*n;
	bool			status, unsupported;
};

static void
setting_release(struct imap_cmd *cmd)
{
	imap_notify_free(&((struct setting *)cmd->data)->n);
}

/* "(" fetch-att *(SP fetch-att) ")": kept as text, tried here. */
static void
read_atts(struct imap_cmd *cmd, struct imap_notify *n)
{
	struct imap_args *a = &cmd->args;
	struct fetch *f = arena_zalloc(&cmd->arena, sizeof(*f));
	struct span text = imap_args_parenthesized(a, FETCH_TEXT_MAX);
	struct imap_args sub;

	if (!imap_args_good(a))
		return;
	n->atts = arena_span(&n->arena, text);
	imap_args_init(&sub, n->atts, &cmd->arena);
	fetch_parse(&sub, f, true);
	if (!imap_args_end(&sub))
		imap_args_fail(a, "Malformed items of new messages");
	for (size_t i = 0; i < f->n_items; i++) {
		if (f->items[i].kind == FETCH_MODSEQ)
			imap_condstore(cmd->session);
		if (f->items[i].kind == FETCH_ANNOTATION && !imap_cap_on(cmd->session, CAP_ANNOTATE))
			imap_args_fail(a, "No such item");
	}
}

static unsigned
read_event(struct imap_cmd *cmd, struct setting *q)
{
	struct imap_args *a = &cmd->args;
	struct span name = imap_args_atom(a);

	for (size_t i = 0; i < sizeof(event_names) / sizeof(event_names[0]); i++) {
		if (!span_caseeq_str(name, event_names[i].name) ||
		    (event_names[i].bit == EV_ANNOTATION && !imap_cap_on(cmd->session, CAP_ANNOTATE)))
			continue;
		if (event_names[i].bit == EV_NEW && a->end - a->p > 1 && a->p[0] == ' ' &&
		    a->p[1] == '(') {
			a->p++;
			read_atts(cmd, q->n);
		}
		return event_names[i].bit;
	}
	q->unsupported |= imap_args_good(a);
	return 0;
}

static void
read_events(struct imap_cmd *cmd, struct setting *q, struct group *g)
{
	struct imap_args *a = &cmd->args;
	bool selected = g->filter == F_SELECTED || g->filter == F_DELAYED;
	struct span atts = q->n->atts;

	if (imap_args_word(a, "NONE"))
		return;
	imap_args_expect(a, '(');
	do {
		g->events |= read_event(cmd, q);
	} while (imap_args_try(a, ' '));
	imap_args_expect(a, ')');
	if (q->unsupported)
		return;
	if (((g->events & EV_NEW) != 0) != ((g->events & EV_EXPUNGE) != 0) ||
	    ((g->events & EV_CHANGE) && !(g->events & EV_NEW)))
		imap_args_fail(a, "MessageNew and MessageExpunge stand together, changes with both");
	if (selected && (g->events & ~(unsigned)EV_MESSAGE))
		imap_args_fail(a, "Only events of messages stand with SELECTED");
	if (!selected && q->n->atts.p != atts.p)
		imap_args_fail(a, "Items of new messages stand with SELECTED alone");
}

static void
read_names(struct imap_cmd *cmd, struct imap_notify *n, struct group *g)
{
	struct imap_args *a = &cmd->args;
	struct span names[NAMES_MAX];
	bool many;

	imap_args_sp(a);
	many = imap_args_try(a, '(');
	do {
		if (g->n_names == NAMES_MAX)
			imap_args_fail(a, "Too many names");
		else
			names[g->n_names++] = arena_span(&n->arena, imap_args_mailbox(a));
	} while (many && imap_args_try(a, ' '));
	if (many)
		imap_args_expect(a, ')');
	if (!imap_args_good(a))
		return;
	g->names = arena_alloc(&n->arena, g->n_names * sizeof(names[0]));
	memcpy(g->names, names, g->n_names * sizeof(names[0]));
}

static void
read_filter(struct imap_cmd *cmd, struct imap_notify *n, struct group *g)
{
	static const struct { const char *name; enum notify_filter filter; } filters[] = {
		{ "SELECTED", F_SELECTED }, { "SELECTED-DELAYED", F_DELAYED },
		/* where mail may be delivered is for scripts to say: RFC 5465 §6.3 */
		{ "INBOXES", F_PERSONAL }, { "PERSONAL", F_PERSONAL },
		{ "SUBSCRIBED", F_SUBSCRIBED }, { "SUBTREE", F_SUBTREE },
		{ "MAILBOXES", F_MAILBOXES }
	};
	struct span word = imap_args_atom(&cmd->args);

	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		if (!span_caseeq_str(word, filters[i].name))
			continue;
		g->filter = filters[i].filter;
		if (g->filter == F_SUBTREE || g->filter == F_MAILBOXES)
			read_names(cmd, n, g);
		return;
	}
	imap_args_fail(&cmd->args, "No such mailbox filter");
}

static void
read_groups(struct imap_cmd *cmd, struct setting *q)
{
	struct imap_args *a = &cmd->args;
	struct imap_notify *n = q->n;
	bool selected = false;

	n->groups = arena_zalloc(&n->arena, GROUPS_MAX * sizeof(*n->groups));
	do {
		struct group *g = &n->groups[n->n_groups];

		if (n->n_groups == GROUPS_MAX) {
			imap_args_fail(a, "Too many groups of events");
			return;
		}
		imap_args_expect(a, '(');
		read_filter(cmd, n, g);
		imap_args_sp(a);
		read_events(cmd, q, g);
		imap_args_expect(a, ')');
		if (g->filter == F_SELECTED || g->filter == F_DELAYED) {
			if (selected)
				imap_args_fail(a, "SELECTED stands once");
			selected = true;
			n->selected = g->events;
			n->delayed = g->filter == F_DELAYED;
		} else {
			n->n_groups++;
			n->others |= g->events != 0;
			n->metadata |= g->events & (EV_METADATA | EV_SERVER);
		}
	} while (imap_args_good(a) && imap_args_try(a, ' '));
}

static void
set_done(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct setting *q = cmd->data;

	imap_notify_free(&s->notify);
	s->notify = q->n;
	q->n = NULL;
	imap_watch(s);
	if (s->view != NULL)
		s->view->dirty = true;
	imap_cmd_done(cmd, ST_OK);
}

static void
first_told(struct imap_session *s, const struct setting *q)
{
	struct imap_notify *n = q->n;

	for (size_t i = 0; i < n->n_all; i++) {
		struct known *k = n->all[i];
		unsigned events = events_of(n, buf_span(&k->path), k->subscribed);

		k->created = k->resubscribed = false;
		if (q->status && k->id != 0 && (events & EV_MESSAGE) && !is_selected(s, k))
			put_status(s, k, events, imap_out(s));
	}
}

static void
on_first_list(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct setting *q = cmd->data;
	const struct store_mailboxes *part = msg;

	if (st == ST_OK && part != NULL)
		take_lines(q->n, part->list, true);
	if (more)
		return;
	if (st != ST_OK) {
		imap_cmd_done(cmd, st);
	} else if (q->n->overflow) {
		imap_cmd_end(cmd, "NO [NOTIFICATIONOVERFLOW] Too many mailboxes to watch");
	} else {
		first_told(cmd->session, q);
		set_done(cmd);
	}
}

static void
on_first_touched(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct setting *q = cmd->data;
	const struct store_touched_are *are = msg;
	struct store_list rq = { 0 };

	if (more)
		return;
	if (st != ST_OK || are == NULL) {
		imap_cmd_done(cmd, st != ST_OK ? st : ST_BUG);
		return;
	}
	q->n->modseq = are->modseq;
	store_do_list(cmd->session->home, &rq, on_first_list, cmd);
}

/* ---- ENABLE ---- */

void
imap_notify_enable(struct imap_session *s, struct span name, struct buf *out)
{
	unsigned events = span_caseeq_str(name, "METADATA") && imap_cap_on(s, CAP_METADATA) ?
	    EV_METADATA | EV_SERVER :
	    span_caseeq_str(name, "METADATA-SERVER") && imap_cap_on(s, CAP_METADATA_SERVER) ?
	    EV_SERVER : 0;

	if (events == 0 || (s->notify != NULL && (s->notify->metadata & events) == events))
		return;
	buf_addf(out, " %s", events & EV_METADATA ? "METADATA" : "METADATA-SERVER");
	if (s->notify == NULL) {
		s->notify = mem_zalloc(sizeof(*s->notify));
		s->notify->passive = true;
	}
	if (s->notify->passive)
		s->notify->metadata |= events;
}

static void
on_enabled(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	const struct store_touched_are *are = msg;

	if (more)
		return;
	if (st == ST_OK && are != NULL)
		cmd->session->notify->modseq = are->modseq;
	else
		imap_notify_free(&cmd->session->notify);
	imap_cmd_done(cmd, st);
}

void
imap_notify_enabled(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct store_touched rq = { 0 };

	if (s->notify == NULL || !s->notify->passive || s->notify->modseq != 0) {
		imap_cmd_done(cmd, ST_OK);
		return;
	}
	imap_watch(s);
	store_do_touched(s->home, &rq, on_enabled, cmd);
}

/* notify = "NOTIFY" SP ("SET" [SP "STATUS"] SP event-groups / "NONE") */
static void
cmd_notify(struct imap_cmd *cmd)
{
	struct setting *q = arena_zalloc(&cmd->arena, sizeof(*q));
	struct imap_args *a = &cmd->args;
	struct store_touched rq = { 0 };

	cmd->data = q;
	cmd->release = setting_release;
	q->n = mem_zalloc(sizeof(*q->n));
	imap_args_sp(a);
	if (!imap_args_word(a, "NONE")) {
		if (!imap_args_word(a, "SET"))
			imap_args_fail(a, "SET or NONE is missing");
		imap_args_sp(a);
		q->status = imap_args_word(a, "STATUS");
		if (q->status)
			imap_args_sp(a);
		read_groups(cmd, q);
	}
	if (!imap_args_end(a))
		imap_cmd_syntax(cmd);
	else if (q->unsupported)
		imap_cmd_end(cmd, imap_cap_on(cmd->session, CAP_ANNOTATE) ?
		    "NO [BADEVENT (" SUPPORTED SUPPORTED_TOO ")] There are no such events" :
		    "NO [BADEVENT (" SUPPORTED ")] There are no such events");
	else if (q->n->others)
		store_do_touched(cmd->session->home, &rq, on_first_touched, cmd);
	else
		set_done(cmd);
}

const struct imap_command imap_cmds_notify[] = {
	/* name		allowed in	flags		capability	run */
	{ "NOTIFY",	IMAP_IN_LOGIN,	IMAP_CMD_FRESH,	CAP_NOTIFY,	cmd_notify },
	{ 0 }
};
