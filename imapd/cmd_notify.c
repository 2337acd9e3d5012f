/* NOTIFY and ENABLE METADATA: what a client asks to be told of (RFC 5465, RFC 5464). */
#include "imapd/notify_priv.h"

#include <string.h>

#include "common/util/mem.h"
#include "imapd/fetch.h"
#include "imapd/sync.h"

#define GROUPS_MAX	100u
#define NAMES_MAX	1000u
#define FETCH_TEXT_MAX	4096u

static const struct { const char *name; unsigned bit; } event_names[] = {
	{ "MessageNew", EV_NEW }, { "MessageExpunge", EV_EXPUNGE }, { "FlagChange", EV_FLAG },
	{ "MailboxName", EV_NAME }, { "SubscriptionChange", EV_SUBSCRIPTION },
	{ "MailboxMetadataChange", EV_METADATA }, { "ServerMetadataChange", EV_SERVER },
	{ "AnnotationChange", EV_ANNOTATION }
};

#define SUPPORTED "MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange " \
	"MailboxMetadataChange ServerMetadataChange"
#define SUPPORTED_TOO " AnnotationChange"

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
read_events(struct imap_cmd *cmd, struct setting *q, struct notify_group *g)
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
read_names(struct imap_cmd *cmd, struct imap_notify *n, struct notify_group *g)
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
read_filter(struct imap_cmd *cmd, struct imap_notify *n, struct notify_group *g)
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
		struct notify_group *g = &n->groups[n->n_groups];

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
		struct notify_known *k = n->all[i];
		unsigned events = notify_events_of(n, buf_span(&k->path), k->subscribed);

		k->created = k->resubscribed = false;
		if (q->status && k->id != 0 && (events & EV_MESSAGE) && !notify_is_selected(s, k))
			notify_put_status(s, k, events, imap_out(s));
	}
}

static void
on_first_list(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct setting *q = cmd->data;
	const struct store_mailboxes *part = msg;

	if (st == ST_OK && part != NULL)
		notify_take_lines(q->n, part->list, true);
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
