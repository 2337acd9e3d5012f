/* CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, LIST, LSUB, STATUS, NAMESPACE. */
#include "imapd/sync.h"

#include <string.h>

#include "common/mail/mailbox_name.h"
#include "common/util/mem.h"

/* create = "CREATE" SP mailbox [SP "(" "USE" SP "(" *use-attr ")" ")"]  (RFC 6154 §3, §6) */
static void
cmd_create(struct imap_cmd *cmd)
{
	struct imap_args *a = &cmd->args;
	struct store_create rq = { 0 };
	enum mailbox_role role = MAILBOX_ROLE_NONE;
	bool known = true;
	unsigned n = 0;

	imap_args_sp(a);
	rq.path = imap_args_mailbox(a);
	if (imap_cap_on(cmd->session, CAP_CREATE_SPECIAL_USE) && imap_args_try(a, ' ')) {
		imap_args_expect(a, '(');
		if (!imap_args_word(a, "USE"))
			imap_args_fail(a, "Only USE may follow");
		imap_args_sp(a);
		imap_args_expect(a, '(');
		while (imap_args_good(a) && !imap_args_peek(a, ')')) {
			if (n++ > 0)
				imap_args_sp(a);
			imap_args_expect(a, '\\');
			known &= mailbox_role_parse(imap_args_atom(a), &role);
		}
		imap_args_expect(a, ')');
		imap_args_expect(a, ')');
	}
	if (!imap_args_end(a)) {
		imap_cmd_syntax(cmd);
		return;
	}
	/* One use a mailbox; what shows mail that lies elsewhere cannot be made. */
	if (!known || n > 1 || role == MAILBOX_ROLE_INBOX || role == MAILBOX_ROLE_ALL ||
	    role == MAILBOX_ROLE_FLAGGED) {
		imap_cmd_end(cmd, "NO [USEATTR] A mailbox cannot be made for this use");
		return;
	}
	rq.role = (uint8_t)role;
	if (mailbox_name_is_inbox(rq.path))
		imap_cmd_done(cmd, ST_EXISTS);
	else
		store_do_create(cmd->session->store, &rq, imap_cmd_finish, cmd);
}

static void
on_deleted(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;

	if (st == ST_CONFLICT)
		imap_cmd_end(cmd, "NO [HASCHILDREN] The mailbox has mailboxes below it");
	else
		imap_cmd_done(cmd, st);
}

/* delete = "DELETE" SP mailbox */
static void
cmd_delete(struct imap_cmd *cmd)
{
	struct store_delete rq = { 0 };

	imap_args_sp(&cmd->args);
	rq.path = imap_args_mailbox(&cmd->args);
	if (!imap_args_end(&cmd->args))
		imap_cmd_syntax(cmd);
	else if (mailbox_name_is_inbox(rq.path))
		imap_cmd_end(cmd, "NO [CANNOT] INBOX cannot be deleted");
	else
		store_do_delete(cmd->session->store, &rq, on_deleted, cmd);
}

/* rename = "RENAME" SP mailbox SP mailbox */
static void
cmd_rename(struct imap_cmd *cmd)
{
	struct store_rename rq = { 0 };

	imap_args_sp(&cmd->args);
	rq.from = imap_args_mailbox(&cmd->args);
	imap_args_sp(&cmd->args);
	rq.to = imap_args_mailbox(&cmd->args);
	if (!imap_args_end(&cmd->args))
		imap_cmd_syntax(cmd);
	else if (mailbox_name_is_inbox(rq.to) || span_eq(rq.from, rq.to))
		imap_cmd_done(cmd, ST_EXISTS);
	else if (mailbox_name_is_below(rq.to, rq.from) && !mailbox_name_is_inbox(rq.from))
		imap_cmd_end(cmd, "NO [CANNOT] A mailbox cannot be moved below itself");
	else
		store_do_rename(cmd->session->store, &rq, imap_cmd_finish, cmd);
}

static void
subscribe(struct imap_cmd *cmd, bool on)
{
	struct store_subscribe rq = { .on = on };

	imap_args_sp(&cmd->args);
	rq.path = imap_args_mailbox(&cmd->args);
	if (!imap_args_end(&cmd->args))
		imap_cmd_syntax(cmd);
	else
		store_do_subscribe(cmd->session->store, &rq, imap_cmd_finish, cmd);
}

static void
cmd_subscribe(struct imap_cmd *cmd)
{
	subscribe(cmd, true);
}

static void
cmd_unsubscribe(struct imap_cmd *cmd)
{
	subscribe(cmd, false);
}

/* ---- LIST and LSUB ---- */

struct listing {
	struct span	pattern;	/* reference and pattern, one behind the other */
	bool		lsub;
	bool		seen;		/* of LSUB: see on_lsub */
	struct buf	last_parent;	/* told last by LSUB with \Noselect */
};

static void
list_release(struct imap_cmd *cmd)
{
	struct listing *l = cmd->data;

	buf_fini(&l->last_parent);
}

static const char *
use_attribute(enum mailbox_role role)
{
	switch (role) {
	case MAILBOX_ROLE_DRAFTS:
		return " \\Drafts";
	case MAILBOX_ROLE_SENT:
		return " \\Sent";
	case MAILBOX_ROLE_JUNK:
		return " \\Junk";
	case MAILBOX_ROLE_TRASH:
		return " \\Trash";
	case MAILBOX_ROLE_ARCHIVE:
		return " \\Archive";
	case MAILBOX_ROLE_FLAGGED:
		return " \\Flagged";
	case MAILBOX_ROLE_ALL:
		return " \\All";
	default:
		return "";
	}
}

static void
put_line(struct buf *out, const char *what, const char *attributes, const char *use,
    struct span path)
{
	buf_add_str(out, "* ");
	buf_add_str(out, what);
	buf_add_str(out, " (");
	buf_add_str(out, attributes);
	buf_add_str(out, use);
	buf_add_str(out, ") \"/\" ");
	imap_put_mailbox(out, path);
	buf_add_str(out, "\r\n");
}

/* RFC 3501 §6.3.9: with "%", a subscribed mailbox below one that matches shows that one. */
static void
lsub_parents(struct imap_cmd *cmd, struct listing *l, struct span path)
{
	struct span up;

	for (up = mailbox_name_parent(path); up.len > 0; up = mailbox_name_parent(up)) {
		if (!mailbox_pattern_match(l->pattern, up) || span_eq(up, buf_span(&l->last_parent)))
			continue;
		put_line(imap_out(cmd->session), "LSUB", "\\Noselect", "", up);
		buf_clear(&l->last_parent);
		buf_add_span(&l->last_parent, up);
		return;
	}
}

static void
list_line(struct imap_session *s, const struct store_mailbox *m)
{
	const char *children = m->has_children ? "\\HasChildren" : "\\HasNoChildren";
	const char *use = use_attribute(m->role);

	if (!imap_cap_on(s, CAP_CHILDREN))
		children = "";
	if (!imap_cap_on(s, CAP_SPECIAL_USE))
		use = "";
	put_line(imap_out(s), "LIST", children, *children == '\0' && *use != '\0' ? use + 1 : use,
	    m->path);
}

static void
on_list_line(struct imap_cmd *cmd, struct listing *l, const struct store_mailbox *m)
{
	struct buf *out = imap_out(cmd->session);
	bool matches = mailbox_pattern_match(l->pattern, m->path);

	if (!l->lsub) {
		if (m->id != 0 && matches)
			list_line(cmd->session, m);
		return;
	}
	if (!m->subscribed)
		return;
	if (matches) {
		put_line(out, "LSUB", m->id == 0 ? "\\Noselect" : "", "", m->path);
		buf_clear(&l->last_parent);
		buf_add_span(&l->last_parent, m->path);
	} else {
		lsub_parents(cmd, l, m->path);
	}
}

static void
on_list(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	const struct store_mailboxes *part = msg;
	struct store_mailbox m;
	struct reader r;

	if (st == ST_OK && part != NULL) {
		reader_init(&r, part->list.p, part->list.len);
		while (part->list.len > 0 && get_store_mailbox(&r, &m))
			on_list_line(cmd, cmd->data, &m);
	}
	if (!more)
		imap_cmd_done(cmd, st);
}

/* list = "LIST" SP mailbox SP list-mailbox; LSUB alike */
static void
list(struct imap_cmd *cmd, bool lsub)
{
	struct listing *l = arena_zalloc(&cmd->arena, sizeof(*l));
	struct store_list rq = { 0 };
	struct span reference, pattern;
	struct buf whole = { 0 };

	imap_args_sp(&cmd->args);
	reference = imap_args_list_mailbox(&cmd->args);
	imap_args_sp(&cmd->args);
	pattern = imap_args_list_mailbox(&cmd->args);
	if (!imap_args_end(&cmd->args)) {
		imap_cmd_syntax(cmd);
		return;
	}
	if (pattern.len == 0) {
		if (!lsub)
			put_line(imap_out(cmd->session), "LIST", "\\Noselect", "", SPAN_NONE);
		imap_cmd_done(cmd, ST_OK);
		return;
	}
	/* A pattern that starts at the root leaves the reference aside. */
	if (pattern.p[0] != MAILBOX_DELIMITER)
		buf_add_span(&whole, reference);
	buf_add_span(&whole, pattern);
	l->pattern = arena_span(&cmd->arena, buf_span(&whole));
	buf_fini(&whole);
	l->lsub = lsub;
	cmd->data = l;
	cmd->release = list_release;
	store_do_list(cmd->session->store, &rq, on_list, cmd);
}

static void
cmd_list(struct imap_cmd *cmd)
{
	list(cmd, false);
}

static void
cmd_lsub(struct imap_cmd *cmd)
{
	list(cmd, true);
}

/* ---- STATUS ---- */

enum {
	STATUS_MESSAGES = 1, STATUS_RECENT = 2, STATUS_UIDNEXT = 4, STATUS_UIDVALIDITY = 8,
	STATUS_UNSEEN = 16, STATUS_HIGHESTMODSEQ = 32
};
static const struct { const char *name; unsigned bit; } status_items[] = {
	{ "MESSAGES", STATUS_MESSAGES }, { "RECENT", STATUS_RECENT },
	{ "UIDNEXT", STATUS_UIDNEXT }, { "UIDVALIDITY", STATUS_UIDVALIDITY },
	{ "UNSEEN", STATUS_UNSEEN }, { "HIGHESTMODSEQ", STATUS_HIGHESTMODSEQ }
};

static uint64_t
status_value(const struct store_mailbox *m, unsigned bit)
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
	default:
		return m->highestmodseq;
	}
}

struct status_cmd {
	unsigned	items;
	bool		found;
};

static void
put_status(struct imap_cmd *cmd, const struct store_mailbox *m, unsigned items)
{
	struct buf *out = imap_out(cmd->session);
	const char *sep = " (";

	buf_add_str(out, "* STATUS ");
	imap_put_mailbox(out, m->path);
	for (size_t i = 0; i < ARRAY_LEN(status_items); i++) {
		if (!(items & status_items[i].bit))
			continue;
		buf_add_str(out, sep);
		buf_add_str(out, status_items[i].name);
		buf_add_c(out, ' ');
		buf_add_u64(out, status_value(m, status_items[i].bit));
		sep = " ";
	}
	buf_add_str(out, ")\r\n");
}

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
			put_status(cmd, &m, q->items);
		}
	}
	if (!more)
		imap_cmd_done(cmd, st == ST_OK && !q->found ? ST_NOT_FOUND : st);
}

static unsigned
status_item(struct imap_args *a)
{
	struct span name = imap_args_atom(a);

	for (size_t i = 0; i < ARRAY_LEN(status_items); i++) {
		if (span_caseeq_str(name, status_items[i].name))
			return status_items[i].bit;
	}
	imap_args_fail(a, "No such status item");
	return 0;
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
	imap_args_expect(&cmd->args, '(');
	do {
		q->items |= status_item(&cmd->args);
	} while (imap_args_try(&cmd->args, ' '));
	imap_args_expect(&cmd->args, ')');
	if (!imap_args_end(&cmd->args)) {
		imap_cmd_syntax(cmd);
		return;
	}
	if (q->items & STATUS_HIGHESTMODSEQ)
		imap_condstore(cmd->session);
	cmd->data = q;
	store_do_list(cmd->session->store, &rq, on_status, cmd);
}

static void
cmd_namespace(struct imap_cmd *cmd)
{
	if (!imap_args_end(&cmd->args)) {
		imap_cmd_syntax(cmd);
		return;
	}
	buf_add_str(imap_out(cmd->session), "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
	imap_cmd_done(cmd, ST_OK);
}

const struct imap_command imap_cmds_mailbox[] = {
	/* name			allowed in	flags			cap		run */
	{ "CREATE",		IMAP_IN_LOGIN,	IMAP_CMD_WRITES,	CAP_NONE,	cmd_create },
	{ "DELETE",		IMAP_IN_LOGIN,	IMAP_CMD_WRITES,	CAP_NONE,			cmd_delete },
	{ "RENAME",		IMAP_IN_LOGIN,	IMAP_CMD_WRITES,	CAP_NONE,			cmd_rename },
	{ "SUBSCRIBE",		IMAP_IN_LOGIN,	IMAP_CMD_WRITES,	CAP_NONE,			cmd_subscribe },
	{ "UNSUBSCRIBE",	IMAP_IN_LOGIN,	IMAP_CMD_WRITES,	CAP_NONE,			cmd_unsubscribe },
	{ "LIST",		IMAP_IN_LOGIN,	0,			CAP_NONE,			cmd_list },
	{ "LSUB",		IMAP_IN_LOGIN,	0,			CAP_NONE,			cmd_lsub },
	{ "STATUS",		IMAP_IN_LOGIN,	0,			CAP_NONE,			cmd_status },
	{ "NAMESPACE",		IMAP_IN_LOGIN,	0,			CAP_NAMESPACE,		cmd_namespace },
	{ 0 }
};
