/* Annotations that changed: those of mailboxes, the account's, the server's own. */
#include "imapd/notify_priv.h"

#include "common/proto/imap_print.h"
#include "common/util/mem.h"
#include "imapd/metadata.h"

#define OWN_BYTES_MAX	65536u	/* names of annotations that the session set itself */

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
	const struct notify_known *k = table_get(&n->by_path, path);

	if (path.len == 0)
		return (n->metadata & EV_SERVER) != 0;
	if (n->passive)
		return (n->metadata & EV_METADATA) != 0;
	return (notify_events_of(n, path, k != NULL && k->subscribed) & EV_METADATA) != 0;
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

void
notify_tell_metadata(struct imap_session *s, const struct store_touched_are *are)
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
