/* ESEARCH (RFC 7377): one search over many mailboxes, one after the other. */
#include "imapd/filters.h"
#include "imapd/context.h"
#include "imapd/finding.h"

#include "common/util/mem.h"

#define SOURCES_MAX 1000u	/* words of the source options */

enum source_kind {
	SOURCE_SELECTED, SOURCE_INBOX, SOURCE_PERSONAL, SOURCE_SUBSCRIBED, SOURCE_SUBTREE,
	SOURCE_SUBTREE_ONE, SOURCE_MAILBOX
};

struct source {
	enum source_kind	kind;
	struct span		path;
	struct source		*next;
};

struct multi {
	struct imap_finding	*finding;
	struct source		*sources;
	bool			elsewhere;	/* another source than "selected" */
	struct buf		paths;		/* u16 length, path; of those to search */
	size_t			at;
	struct buf		path, head;
	struct imap_view	*view;		/* of the one that is searched */
};

static void next_mailbox(struct imap_cmd *cmd);

static void
multi_release(struct imap_cmd *cmd)
{
	struct imap_finding *f = cmd->data;
	struct multi *m = f->multi;

	imap_finding_release(cmd);
	imap_view_free(&m->view);
	buf_fini(&m->paths);
	buf_fini(&m->path);
	buf_fini(&m->head);
}

/* ---- sources ---- */

static void
add_source(struct imap_cmd *cmd, struct multi *m, enum source_kind kind, struct span path,
    unsigned *n)
{
	struct source *src = arena_zalloc(&cmd->arena, sizeof(*src));

	if (++*n > SOURCES_MAX)
		imap_args_fail(&cmd->args, "Too many mailboxes are named");
	*src = (struct source){ kind, path, m->sources };
	m->sources = src;
	m->elsewhere |= kind != SOURCE_SELECTED;
}

/* mailbox / "(" mailbox *(SP mailbox) ")" */
static void
named_sources(struct imap_cmd *cmd, struct multi *m, enum source_kind kind, unsigned *n)
{
	struct imap_args *a = &cmd->args;

	imap_args_sp(a);
	if (!imap_args_try(a, '(')) {
		add_source(cmd, m, kind, imap_args_mailbox(a), n);
		return;
	}
	do
		add_source(cmd, m, kind, imap_args_mailbox(a), n);
	while (imap_args_try(a, ' '));
	imap_args_expect(a, ')');
}

static void
one_source(struct imap_cmd *cmd, struct multi *m, unsigned *n)
{
	struct imap_args *a = &cmd->args;

	if (imap_args_word(a, "selected"))
		add_source(cmd, m, SOURCE_SELECTED, SPAN_NONE, n);
	else if (imap_args_word(a, "inboxes"))
		add_source(cmd, m, SOURCE_INBOX, SPAN_NONE, n);
	else if (imap_args_word(a, "personal"))
		add_source(cmd, m, SOURCE_PERSONAL, SPAN_NONE, n);
	else if (imap_args_word(a, "subscribed"))
		add_source(cmd, m, SOURCE_SUBSCRIBED, SPAN_NONE, n);
	else if (imap_args_word(a, "subtree-one"))
		named_sources(cmd, m, SOURCE_SUBTREE_ONE, n);
	else if (imap_args_word(a, "subtree"))
		named_sources(cmd, m, SOURCE_SUBTREE, n);
	else if (imap_args_word(a, "mailboxes"))
		named_sources(cmd, m, SOURCE_MAILBOX, n);
	else
		imap_args_fail(a, "No such source of mailboxes");
}

/* [SP "IN" SP "(" source *(SP source) ")"]; scope options are not defined by anybody. */
static void
read_sources(struct imap_cmd *cmd, struct multi *m)
{
	struct imap_args *a = &cmd->args;
	const char *from = a->p;
	unsigned n = 0;

	imap_args_sp(a);
	if (!imap_args_word(a, "IN")) {
		a->p = from;
		add_source(cmd, m, SOURCE_SELECTED, SPAN_NONE, &n);
		return;
	}
	imap_args_sp(a);
	imap_args_expect(a, '(');
	do
		one_source(cmd, m, &n);
	while (imap_args_try(a, ' '));
	imap_args_expect(a, ')');
}

static bool
below(struct span path, struct span top, bool one)
{
	if (path.len <= top.len || path.p[top.len] != '/' || !span_eq(span(path.p, top.len), top))
		return false;
	return !one || memchr(path.p + top.len + 1, '/', path.len - top.len - 1) == NULL;
}

static bool
is_meant(const struct imap_cmd *cmd, const struct multi *m, const struct store_mailbox *b)
{
	const struct imap_view *v = cmd->session->view;

	for (const struct source *src = m->sources; src != NULL; src = src->next) {
		bool same = span_eq(b->path, src->path);

		if ((src->kind == SOURCE_SELECTED && v != NULL && b->id == v->mailbox) ||
		    (src->kind == SOURCE_INBOX && b->role == MAILBOX_ROLE_INBOX) ||
		    src->kind == SOURCE_PERSONAL ||
		    (src->kind == SOURCE_SUBSCRIBED && b->subscribed) ||
		    (src->kind >= SOURCE_SUBTREE && same) ||
		    (src->kind == SOURCE_SUBTREE && below(b->path, src->path, false)) ||
		    (src->kind == SOURCE_SUBTREE_ONE && below(b->path, src->path, true)))
			return true;
	}
	return false;
}

/* ---- one mailbox after the other ---- */

static void
told(struct imap_cmd *cmd)
{
	struct imap_finding *f = cmd->data;

	search_found_fini(&f->found);
	mem_free(&f->result.uids);
	mem_free(&f->result.scores);
	f->found = (struct search_found){ 0 };
	f->result.n = 0;
	next_mailbox(cmd);
}

static void
searched(struct imap_cmd *cmd)
{
	struct imap_finding *f = cmd->data;
	struct multi *m = f->multi;
	const struct imap_view *v = m->view != NULL ? m->view : cmd->session->view;

	imap_finding_in_order(f);
	if (!m->elsewhere) {
		imap_context_add(cmd);
		imap_finding_save(cmd);
	}
	f->told = told;
	if (f->result.n == 0) {		/* no answer, also where a COUNT is asked for */
		told(cmd);
		return;
	}
	buf_clear(&m->head);
	buf_add_str(&m->head, " MAILBOX ");
	imap_put_mailbox(cmd->session, &m->head, buf_span(&v->path));
	buf_addf(&m->head, " UIDVALIDITY %u", v->uidvalidity);
	f->head = &m->head;
	imap_finding_tell(cmd);
}

static void
on_open(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct imap_finding *f = cmd->data;
	struct multi *m = f->multi;
	const struct store_opened *o = msg;

	if (more)
		return;
	if (st == ST_NOT_FOUND || st == ST_DENIED || (st == ST_OK && !(o->rights & RIGHT_READ))) {
		next_mailbox(cmd);	/* gone meanwhile, or never to be known of */
		return;
	}
	if (st != ST_OK) {
		imap_cmd_done(cmd, st);
		return;
	}
	imap_view_free(&m->view);
	m->view = imap_view_new(o, buf_span(&m->path), true);
	imap_finding_run_view(cmd, m->view, searched);
}

static void
next_mailbox(struct imap_cmd *cmd)
{
	struct imap_finding *f = cmd->data;
	struct multi *m = f->multi;
	struct store_open rq = { 0 };
	size_t len;

	if (m->at == m->paths.len) {
		imap_cmd_done(cmd, ST_OK);
		return;
	}
	len = get_be16(m->paths.data + m->at);
	buf_clear(&m->path);
	buf_add(&m->path, m->paths.data + m->at + 2, len);
	m->at += 2 + len;
	rq.path = buf_span(&m->path);
	store_do_open(cmd->session->home, &rq, on_open, cmd);
}

static void
on_list(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct imap_finding *f = cmd->data;
	struct multi *m = f->multi;
	const struct store_mailboxes *boxes = msg;
	struct store_mailbox b;
	struct reader r;

	if (st == ST_OK && boxes != NULL) {
		reader_init(&r, boxes->list.p, boxes->list.len);
		while (boxes->list.len > 0 && get_store_mailbox(&r, &b)) {
			if (b.id == 0 || !(b.rights & RIGHT_READ) || !is_meant(cmd, m, &b))
				continue;
			put_u16(&m->paths, (uint16_t)b.path.len);
			buf_add_span(&m->paths, b.path);
		}
	}
	if (more)
		return;
	if (st != ST_OK)
		imap_cmd_done(cmd, st);
	else
		next_mailbox(cmd);
}

/* What RFC 7377 §2.2 asks of the options and the session; NULL: all is well. */
static const char *
refusal(const struct imap_cmd *cmd, const struct multi *m, const struct imap_search *q)
{
	bool selected = false;

	for (const struct source *src = m->sources; src != NULL; src = src->next)
		selected |= src->kind == SOURCE_SELECTED;
	if (selected && cmd->session->view == NULL)
		return "No mailbox is selected";
	if ((q->wants & (IMAP_RETURN_SAVE | IMAP_RETURN_UPDATE)) && (m->elsewhere || !selected))
		return "SAVE and UPDATE are for the selected mailbox alone";
	return NULL;
}

static void
run_esearch(struct imap_cmd *cmd, void *arg)
{
	struct multi *m = arg;
	struct store_list all = { 0 };
	struct imap_finding *f;
	const char *why;

	f = imap_finding_new(cmd, imap_search_parse);
	if (f == NULL)
		return;
	f->multi = m;
	cmd->release = multi_release;
	why = refusal(cmd, m, &f->q);
	if (why != NULL) {
		imap_args_fail(&cmd->args, why);
		imap_cmd_syntax(cmd);
		return;
	}
	f->uid = true;
	if (!f->q.extended) {
		f->q.extended = true;
		f->q.wants = IMAP_RETURN_ALL;
	}
	if (m->elsewhere)
		store_do_list(cmd->session->home, &all, on_list, cmd);
	else if (imap_context_allowed(cmd))
		imap_finding_run(cmd, searched);
}

static void
cmd_esearch(struct imap_cmd *cmd)
{
	struct multi *m = arena_zalloc(&cmd->arena, sizeof(*m));

	read_sources(cmd, m);
	if (!imap_filters_expand(cmd, imap_search_parse, run_esearch, m))
		run_esearch(cmd, m);
}

const struct imap_command imap_cmds_esearch[] = {
	/* name		allowed in		flags */
	{ "ESEARCH",	IMAP_IN_LOGIN,		IMAP_CMD_LONG, CAP_MULTISEARCH, cmd_esearch },
	{ 0 }
};
