/* LIST with its extensions, LSUB, XLIST, STATUS.
 *
 * The account's mailboxes are fetched whole, which their number bounds, and then told
 * as fast as the client takes them. */
#include "imapd/list.h"

#include <string.h>

#include "common/mail/mailbox_name.h"
#include "common/mail/object_id.h"
#include "common/proto/imap_print.h"
#include "common/util/mem.h"
#include "common/util/table.h"
#include "imapd/metadata.h"
#include "imapd/names.h"
#include "imapd/sync.h"

#define PATTERNS_MAX 100

/* ---- STATUS items ---- */

enum {
	STATUS_MESSAGES = 1, STATUS_RECENT = 2, STATUS_UIDNEXT = 4, STATUS_UIDVALIDITY = 8,
	STATUS_UNSEEN = 16, STATUS_HIGHESTMODSEQ = 32, STATUS_DELETED = 64, STATUS_SIZE = 128,
	STATUS_MAILBOXID = 256, STATUS_APPENDLIMIT = 512, STATUS_DELETED_STORAGE = 1024
};
static const struct {
	const char	*name;
	unsigned	bit;
	enum imap_cap	cap;
} status_items[] = {
	{ "MESSAGES", STATUS_MESSAGES, CAP_NONE },
	{ "RECENT", STATUS_RECENT, CAP_NONE },
	{ "UIDNEXT", STATUS_UIDNEXT, CAP_NONE },
	{ "UIDVALIDITY", STATUS_UIDVALIDITY, CAP_NONE },
	{ "UNSEEN", STATUS_UNSEEN, CAP_NONE },
	{ "DELETED", STATUS_DELETED, CAP_NONE },		/* RFC 9051 */
	{ "SIZE", STATUS_SIZE, CAP_STATUS_SIZE },
	{ "HIGHESTMODSEQ", STATUS_HIGHESTMODSEQ, CAP_CONDSTORE },
	{ "MAILBOXID", STATUS_MAILBOXID, CAP_OBJECTID },
	{ "APPENDLIMIT", STATUS_APPENDLIMIT, CAP_APPENDLIMIT },
	{ "DELETED-STORAGE", STATUS_DELETED_STORAGE, CAP_QUOTA_STORAGE },
};

static unsigned
status_item(struct imap_session *s, struct imap_args *a)
{
	struct span name = imap_args_atom(a);

	for (size_t i = 0; i < ARRAY_LEN(status_items); i++) {
		if (!span_caseeq_str(name, status_items[i].name) ||
		    !imap_cap_on(s, status_items[i].cap))
			continue;
		/* RFC 9051 has no RECENT. */
		if (status_items[i].bit == STATUS_RECENT && s->rev2)
			continue;
		return status_items[i].bit;
	}
	imap_args_fail(a, "No such status item");
	return 0;
}

unsigned
imap_args_status(struct imap_session *s, struct imap_args *a)
{
	unsigned items = 0;

	imap_args_expect(a, '(');
	do {
		items |= status_item(s, a);
	} while (imap_args_try(a, ' '));
	imap_args_expect(a, ')');
	return items;
}

static uint64_t
status_value(const struct imap_session *s, const struct store_mailbox *m, unsigned bit)
{
	switch (bit) {
	case STATUS_MESSAGES:
		return m->messages;
	case STATUS_RECENT:
		return m->recent;
	case STATUS_UIDNEXT:
		return m->uidnext;
	case STATUS_UIDVALIDITY:
		return m->uidvalidity;
	case STATUS_UNSEEN:
		return m->unseen;
	case STATUS_DELETED:
		return m->deleted;
	case STATUS_DELETED_STORAGE:
		return m->deleted_bytes;
	case STATUS_SIZE:
		return m->bytes;
	case STATUS_APPENDLIMIT:
		return s->srv->conf->max_append_bytes;
	default:
		return m->highestmodseq;
	}
}

void
imap_put_status(struct imap_session *s, const struct store_mailbox *m, unsigned items)
{
	struct buf *out = imap_out(s);
	const char *sep = " (";

	buf_add_str(out, "* STATUS ");
	imap_put_mailbox(s, out, m->path);
	for (size_t i = 0; i < ARRAY_LEN(status_items); i++) {
		if (!(items & status_items[i].bit))
			continue;
		buf_add_str(out, sep);
		buf_add_str(out, status_items[i].name);
		buf_add_c(out, ' ');
		if (status_items[i].bit == STATUS_MAILBOXID) {
			buf_add_c(out, '(');
			object_id_put(out, OBJECT_MAILBOX, m->id);
			buf_add_c(out, ')');
		} else {
			buf_add_u64(out, status_value(s, m, status_items[i].bit));
		}
		sep = " ";
	}
	buf_add_str(out, ")\r\n");
}

struct status_cmd {
	unsigned	items;
	bool		found;
};

static void
on_status(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct status_cmd *q = cmd->data;
	const struct store_mailboxes *part = msg;
	struct store_mailbox m;
	struct reader r;

	if (st == ST_OK && part != NULL && part->list.len > 0) {
		reader_init(&r, part->list.p, part->list.len);
		if (get_store_mailbox(&r, &m) && m.id != 0) {
			q->found = true;
			imap_put_status(cmd->session, &m, q->items);
		}
	}
	if (!more)
		imap_cmd_done(cmd, st == ST_OK && !q->found ? ST_NOT_FOUND : st);
}

/* status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")" */
static void
cmd_status(struct imap_cmd *cmd)
{
	struct status_cmd *q = arena_zalloc(&cmd->arena, sizeof(*q));
	struct store_list rq = { 0 };

	imap_args_sp(&cmd->args);
	rq.path = imap_args_mailbox(&cmd->args);
	imap_args_sp(&cmd->args);
	q->items = imap_args_status(cmd->session, &cmd->args);
	if (!imap_args_end(&cmd->args)) {
		imap_cmd_syntax(cmd);
		return;
	}
	if (q->items & STATUS_HIGHESTMODSEQ)
		imap_condstore(cmd->session);
	cmd->data = q;
	imap_list(cmd, &rq, on_status);
}

/* ---- lines of LIST ---- */

const char *
imap_use_attribute(enum mailbox_role role)
{
	static const char *const words[] = {
		[MAILBOX_ROLE_DRAFTS] = " \\Drafts", [MAILBOX_ROLE_SENT] = " \\Sent",
		[MAILBOX_ROLE_JUNK] = " \\Junk", [MAILBOX_ROLE_TRASH] = " \\Trash",
		[MAILBOX_ROLE_ARCHIVE] = " \\Archive", [MAILBOX_ROLE_FLAGGED] = " \\Flagged",
		[MAILBOX_ROLE_ALL] = " \\All", [MAILBOX_ROLE_IMPORTANT] = " \\Important",
		[MAILBOX_ROLE_MEMOS] = " \\Memos", [MAILBOX_ROLE_SCHEDULED] = " \\Scheduled",
		[MAILBOX_ROLE_SNOOZED] = " \\Snoozed"
	};

	return role < ARRAY_LEN(words) && words[role] != NULL ? words[role] : "";
}

/* The words of XLIST, which came before RFC 6154. */
static const char *
xlist_attribute(enum mailbox_role role)
{
	switch (role) {
	case MAILBOX_ROLE_INBOX:
		return " \\Inbox";
	case MAILBOX_ROLE_JUNK:
		return " \\Spam";
	case MAILBOX_ROLE_FLAGGED:
		return " \\Starred";
	case MAILBOX_ROLE_ALL:
		return " \\AllMail";
	default:
		return imap_use_attribute(role);
	}
}

void
imap_put_list(struct imap_session *s, const char *what, const char *attributes, struct span path)
{
	struct buf *out = imap_out(s);

	buf_add_str(out, "* ");
	buf_add_str(out, what);
	buf_add_str(out, " (");
	buf_add_str(out, *attributes == ' ' ? attributes + 1 : attributes);
	buf_add_str(out, ") \"/\" ");
	imap_put_mailbox(s, out, path);
}

void
imap_put_oldname(struct imap_session *s, struct span path, struct span given, bool always)
{
	struct buf *out = imap_out(s);

	if (!s->rev2 || (!always && (given.p == NULL || span_eq(path, given))))
		return;
	imap_put_list(s, "LIST", "", path);
	if (given.p != NULL && !span_eq(path, given)) {
		buf_add_str(out, " (\"OLDNAME\" (");
		imap_put_mailbox(s, out, given);
		buf_add_str(out, "))");
	}
	buf_add_str(out, "\r\n");
}

/* ---- LIST, LSUB, XLIST ---- */

enum { LIST_PLAIN, LIST_LSUB, LIST_XLIST };
enum {
	SELECT_SUBSCRIBED = 1, SELECT_REMOTE = 2, SELECT_RECURSIVE = 4, SELECT_USE = 8,
	RETURN_SUBSCRIBED = 16, RETURN_CHILDREN = 32, RETURN_USE = 64, RETURN_STATUS = 128,
	RETURN_RIGHTS = 256, RETURN_METADATA = 512
};
struct list_option {
	const char	*name;
	unsigned	bits;		/* an option of selection implies what is returned */
	enum imap_cap	cap;
};
static const struct list_option selections[] = {
	{ "SUBSCRIBED", SELECT_SUBSCRIBED | RETURN_SUBSCRIBED, CAP_LIST_EXTENDED },
	{ "REMOTE", SELECT_REMOTE, CAP_LIST_EXTENDED },
	{ "RECURSIVEMATCH", SELECT_RECURSIVE, CAP_LIST_EXTENDED },
	{ "SPECIAL-USE", SELECT_USE | RETURN_USE, CAP_SPECIAL_USE },
	{ NULL, 0, CAP_NONE }
};
static const struct list_option returns[] = {
	{ "SUBSCRIBED", RETURN_SUBSCRIBED, CAP_LIST_EXTENDED },
	{ "CHILDREN", RETURN_CHILDREN, CAP_LIST_EXTENDED },
	{ "SPECIAL-USE", RETURN_USE, CAP_SPECIAL_USE },
	{ "STATUS", RETURN_STATUS, CAP_LIST_STATUS },
	{ "MYRIGHTS", RETURN_RIGHTS, CAP_LIST_MYRIGHTS },
	{ "METADATA", RETURN_METADATA, CAP_LIST_METADATA },
	{ NULL, 0, CAP_NONE }
};

struct listed {
	struct store_mailbox	m;
	bool			children_match;	/* below it something is selected and not told */
};

struct listing {
	unsigned	kind, options, status;
	bool		extended;
	struct span	patterns[PATTERNS_MAX];	/* reference and pattern, one behind the other */
	size_t		n_patterns;
	struct buf	all;		/* put_store_mailbox() of the account's mailboxes */
	struct reader	r;		/* what is told next */
	struct table	by_path;	/* with RECURSIVEMATCH: struct listed */
	struct span	last_parent;	/* told last by LSUB with \Noselect */
	struct imap_metadata	*metadata;
};

static void
list_release(struct imap_cmd *cmd)
{
	struct listing *l = cmd->data;

	imap_metadata_free(&l->metadata);
	buf_fini(&l->all);
	table_fini(&l->by_path, NULL, NULL);
}

static bool
list_matches(const struct listing *l, struct span path)
{
	for (size_t i = 0; i < l->n_patterns; i++) {
		if (mailbox_pattern_match(l->patterns[i], path))
			return true;
	}
	return false;
}

/* RFC 3501 §6.3.9: with "%", a subscribed mailbox below one that matches shows that one. */
static void
lsub_parents(struct imap_cmd *cmd, struct listing *l, struct span path)
{
	struct span up;

	for (up = mailbox_name_parent(path); up.len > 0; up = mailbox_name_parent(up)) {
		if (!list_matches(l, up) || span_eq(up, l->last_parent))
			continue;
		imap_put_list(cmd->session, "LSUB", "\\Noselect", up);
		buf_add_str(imap_out(cmd->session), "\r\n");
		l->last_parent = up;
		return;
	}
}

static void
lsub_line(struct imap_cmd *cmd, struct listing *l, const struct store_mailbox *m)
{
	if (!m->subscribed)
		return;
	if (list_matches(l, m->path)) {
		imap_put_list(cmd->session, "LSUB", m->id == 0 ? "\\Noselect" : "", m->path);
		buf_add_str(imap_out(cmd->session), "\r\n");
		l->last_parent = m->path;
	} else {
		lsub_parents(cmd, l, m->path);
	}
}

static bool
selected(const struct listing *l, const struct store_mailbox *m)
{
	/* Without an id, not subscribed: a superior of what others share. */
	if (m->id == 0 && !(l->options & SELECT_SUBSCRIBED))
		return m->has_children && !m->subscribed && !(l->options & SELECT_USE);
	return (!(l->options & SELECT_SUBSCRIBED) || m->subscribed) &&
	    (!(l->options & SELECT_USE) || imap_use_attribute(m->role)[0] != '\0');
}

static void
list_attributes(const struct imap_session *s, const struct listing *l,
    const struct store_mailbox *m, struct buf *b)
{
	bool all = !l->extended;	/* LIST of RFC 3501 tells these unasked */

	if (m->id == 0)
		buf_add_str(b, all && m->has_children ? " \\Noselect" : " \\NonExistent");
	if ((l->options & RETURN_SUBSCRIBED) && m->subscribed)
		buf_add_str(b, " \\Subscribed");
	if ((l->options & RETURN_CHILDREN) || (all && (m->id != 0 || m->has_children) &&
	    imap_cap_on(s, CAP_CHILDREN)))
		buf_add_str(b, m->has_children ? " \\HasChildren" : " \\HasNoChildren");
	if (l->kind == LIST_XLIST)
		buf_add_str(b, xlist_attribute(m->role));
	else if ((l->options & RETURN_USE) || (all && imap_cap_on(s, CAP_SPECIAL_USE)))
		buf_add_str(b, imap_use_attribute(m->role));
}

static void
put_myrights(struct imap_session *s, const struct store_mailbox *m)
{
	struct buf *out = imap_out(s);

	buf_add_str(out, "* MYRIGHTS ");
	imap_put_mailbox(s, out, m->path);
	buf_add_c(out, ' ');
	imap_put_rights(m->rights, out);
	buf_add_str(out, "\r\n");
}

/* true: its annotations are to be told too.  Of one that is told for the sake of those
 * below it there is no more than that (RFC 5819 §2, RFC 8440 §4, RFC 9590 §4). */
static bool
list_line(struct imap_cmd *cmd, const struct listing *l, const struct store_mailbox *m,
    bool children_match)
{
	struct imap_session *s = cmd->session;
	struct buf attributes = { 0 };

	list_attributes(s, l, m, &attributes);
	imap_put_list(s, l->kind == LIST_XLIST ? "XLIST" : "LIST", buf_cstr(&attributes), m->path);
	buf_fini(&attributes);
	buf_add_str(imap_out(s), children_match ? " (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n" : "\r\n");
	if (m->id == 0 || !selected(l, m))
		return false;
	if (l->options & RETURN_RIGHTS)
		put_myrights(s, m);
	if (l->status != 0 && (m->rights & RIGHT_READ))
		imap_put_status(s, m, l->status);
	return (m->rights & RIGHT_READ) != 0;
}

/* true: as list_line() says. */
static bool
tell_line(struct imap_cmd *cmd, struct listing *l, const struct store_mailbox *m)
{
	const struct listed *x;
	bool children_match, matches;

	if (l->kind == LIST_LSUB) {
		lsub_line(cmd, l, m);
		return false;
	}
	x = table_get(&l->by_path, m->path);
	children_match = x != NULL && x->children_match;
	matches = list_matches(l, m->path);
	return matches && (selected(l, m) || children_match) &&
	    list_line(cmd, l, m, children_match);
}

/* ---- RECURSIVEMATCH ---- */

static struct listed *
listed_at(struct imap_cmd *cmd, struct listing *l, struct span path)
{
	struct listed *x = table_get(&l->by_path, path);

	if (x == NULL) {
		x = arena_zalloc(&cmd->arena, sizeof(*x));
		table_put(&l->by_path, path, x);
	}
	return x;
}

/* Marks those above a selected mailbox that is not told itself (RFC 5258 §3.5); what is
 * above and does not exist has a line of its own then. */
static void
mark_above(struct imap_cmd *cmd, struct listing *l, const struct store_mailbox *m)
{
	struct span up = m->path;

	if (!selected(l, m) || list_matches(l, m->path))
		return;
	for (up = mailbox_name_parent(up); up.len > 0; up = mailbox_name_parent(up))
		listed_at(cmd, l, up)->children_match = true;
}

static void
mark_all(struct imap_cmd *cmd, struct listing *l)
{
	struct store_mailbox m;
	struct reader r;
	struct span path;
	void *value;
	size_t pos = 0;

	reader_init(&r, l->all.data, l->all.len);
	while (get_store_mailbox(&r, &m))
		mark_above(cmd, l, &m);
	reader_init(&r, l->all.data, l->all.len);
	while (get_store_mailbox(&r, &m)) {
		struct listed *x = table_get(&l->by_path, m.path);

		if (x != NULL)
			x->m = m;
	}
	while (table_next(&l->by_path, &pos, &path, &value)) {
		struct listed *x = value;

		if (x->m.path.len > 0 || !list_matches(l, path))
			continue;
		x->m = (struct store_mailbox){ .path = path, .has_children = true };
		list_line(cmd, l, &x->m, true);
	}
}

/* ---- telling ---- */

static void
tell(struct imap_cmd *cmd)
{
	struct listing *l = cmd->data;
	struct store_mailbox m;

	while (!conn_full(cmd->session->conn)) {
		if (!get_store_mailbox(&l->r, &m)) {
			imap_cmd_done(cmd, ST_OK);
			return;
		}
		if (tell_line(cmd, l, &m) && l->metadata != NULL) {
			imap_metadata_tell(l->metadata, m.path, m.id, tell);
			return;
		}
	}
	cmd->drained = tell;
}

static void
tell_more(struct imap_cmd *cmd)
{
	struct listing *l = cmd->data;

	imap_metadata_more(l->metadata);
}

static void
on_list(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct listing *l = cmd->data;
	const struct store_mailboxes *part = msg;

	if (st == ST_OK && part != NULL)
		buf_add_span(&l->all, part->list);
	if (more)
		return;
	if (st != ST_OK || l->all.len == 0) {
		imap_cmd_done(cmd, st);
		return;
	}
	if (l->options & SELECT_RECURSIVE)
		mark_all(cmd, l);
	reader_init(&l->r, l->all.data, l->all.len);
	tell(cmd);
}

/* ---- arguments ---- */

static unsigned
list_option(struct imap_session *s, struct imap_args *a, const struct list_option *table)
{
	struct span name = imap_args_atom(a);

	for (; table->name != NULL; table++) {
		if (span_caseeq_str(name, table->name) && imap_cap_on(s, table->cap))
			return table->bits;
	}
	imap_args_fail(a, "No such option of LIST");
	return 0;
}

/* list-select-opts (RFC 5258 §6) */
static void
select_options(struct imap_session *s, struct imap_args *a, struct listing *l)
{
	l->extended = true;
	imap_args_expect(a, '(');
	for (unsigned n = 0; imap_args_good(a) && !imap_args_peek(a, ')'); n++) {
		if (n > 0)
			imap_args_sp(a);
		l->options |= list_option(s, a, selections);
	}
	imap_args_expect(a, ')');
	if ((l->options & SELECT_RECURSIVE) && !(l->options & SELECT_SUBSCRIBED))
		imap_args_fail(a, "RECURSIVEMATCH needs another option");
	imap_args_sp(a);
}

static void
return_options(struct imap_cmd *cmd, struct imap_args *a, struct listing *l)
{
	struct imap_session *s = cmd->session;

	l->extended = true;
	if (!imap_args_word(a, "RETURN"))
		imap_args_fail(a, "Only RETURN may follow");
	imap_args_sp(a);
	imap_args_expect(a, '(');
	for (unsigned n = 0; imap_args_good(a) && !imap_args_peek(a, ')'); n++) {
		unsigned option;

		if (n > 0)
			imap_args_sp(a);
		option = list_option(s, a, returns);
		l->options |= option;
		if (option != RETURN_STATUS && option != RETURN_METADATA)
			continue;
		imap_args_sp(a);
		if (option == RETURN_STATUS)
			l->status |= imap_args_status(s, a);
		else if (l->metadata == NULL)
			l->metadata = imap_args_metadata(cmd, tell_more);
		else
			imap_args_fail(a, "METADATA stands there twice");
	}
	imap_args_expect(a, ')');
}

static void
add_pattern(struct imap_cmd *cmd, struct listing *l, struct span reference)
{
	struct span pattern = imap_args_list_mailbox(&cmd->args);
	struct buf whole = { 0 };

	if (l->n_patterns == PATTERNS_MAX)
		imap_args_fail(&cmd->args, "Too many patterns");
	if (!imap_args_good(&cmd->args))
		return;
	/* A pattern that starts at the root leaves the reference aside. */
	if (pattern.len > 0 && pattern.p[0] != MAILBOX_DELIMITER)
		buf_add_span(&whole, reference);
	buf_add_span(&whole, pattern);
	l->patterns[l->n_patterns++] = pattern.len > 0 ?
	    arena_span(&cmd->arena, buf_span(&whole)) : SPAN_NONE;
	buf_fini(&whole);
}

static void
list_args(struct imap_cmd *cmd, struct listing *l)
{
	struct imap_args *a = &cmd->args;
	bool extended = l->kind == LIST_PLAIN && imap_cap_on(cmd->session, CAP_LIST_EXTENDED);
	struct span reference;

	imap_args_sp(a);
	if (extended && imap_args_peek(a, '('))
		select_options(cmd->session, a, l);
	reference = imap_args_list_mailbox(a);
	imap_args_sp(a);
	if (extended && imap_args_try(a, '(')) {
		l->extended = true;
		do {
			add_pattern(cmd, l, reference);
		} while (imap_args_try(a, ' '));
		imap_args_expect(a, ')');
	} else {
		add_pattern(cmd, l, reference);
	}
	if (extended && imap_args_try(a, ' '))
		return_options(cmd, a, l);
}

static void
list(struct imap_cmd *cmd, unsigned kind)
{
	struct listing *l = arena_zalloc(&cmd->arena, sizeof(*l));
	struct store_list rq = { 0 };

	l->kind = kind;
	cmd->data = l;
	cmd->release = list_release;
	list_args(cmd, l);
	if (!imap_args_end(&cmd->args)) {
		imap_cmd_syntax(cmd);
		return;
	}
	if (l->status & STATUS_HIGHESTMODSEQ)
		imap_condstore(cmd->session);
	if (l->n_patterns == 1 && l->patterns[0].len == 0) {
		/* Only asks for the delimiter. */
		if (kind != LIST_LSUB && !(l->options & (SELECT_SUBSCRIBED | SELECT_USE))) {
			imap_put_list(cmd->session, kind == LIST_XLIST ? "XLIST" : "LIST",
			    "\\Noselect", SPAN_NONE);
			buf_add_str(imap_out(cmd->session), "\r\n");
		}
		imap_cmd_done(cmd, ST_OK);
		return;
	}
	imap_list(cmd, &rq, on_list);
}

static void
cmd_list(struct imap_cmd *cmd)
{
	list(cmd, LIST_PLAIN);
}

static void
cmd_lsub(struct imap_cmd *cmd)
{
	list(cmd, LIST_LSUB);
}

static void
cmd_xlist(struct imap_cmd *cmd)
{
	list(cmd, LIST_XLIST);
}

const struct imap_command imap_cmds_list[] = {
	/* name		allowed in	flags	cap		run */
	{ "LIST",	IMAP_IN_LOGIN,	0,	CAP_NONE,	cmd_list },
	{ "LSUB",	IMAP_IN_LOGIN,	0,	CAP_NONE,	cmd_lsub },
	{ "XLIST",	IMAP_IN_LOGIN,	0,	CAP_XLIST,	cmd_xlist },
	{ "STATUS",	IMAP_IN_LOGIN,	0,	CAP_NONE,	cmd_status },
	{ 0 }
};
