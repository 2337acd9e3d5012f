#include "imapd/context.h"

#include "common/util/clock.h"
#include "common/util/mem.h"
#include "imapd/beside.h"
#include "imapd/finding.h"
#include "imapd/sorter.h"
#include "imapd/sync.h"

struct context {
	char			*tag;
	bool			uid;
	struct buf		text;		/* the command's arguments, which the program points into */
	struct arena		arena;
	struct imap_search	q;
	struct search_program	program;
	struct uidset		found;
	uint32_t		*order;		/* SORT: the result in its order */
	size_t			n;
};

struct imap_contexts {
	struct context	*v[CONTEXTS_MAX];
	size_t		n;
	struct uidset	touched, fresh;	/* fresh: those of them that are new */
	/* an update under way */
	struct imap_cmd	*cmd;
	void		(*done)(struct imap_cmd *cmd);
	struct uidset	todo, fresh_todo, added;
	size_t		at;
	struct searcher	*searcher;
	struct sorter	*sorter;
};

static void
context_free(struct context *x)
{
	search_fini(&x->program);
	uidset_fini(&x->found);
	buf_fini(&x->text);
	arena_fini(&x->arena);
	mem_free(&x->tag);
	mem_free(&x->order);
	mem_free(&x);
}

void
imap_contexts_free(struct imap_contexts **cp)
{
	struct imap_contexts *c = *cp;

	if (c == NULL)
		return;
	searcher_free(&c->searcher);
	sorter_free(&c->sorter);
	for (size_t i = 0; i < c->n; i++)
		context_free(c->v[i]);
	uidset_fini(&c->touched);
	uidset_fini(&c->fresh);
	uidset_fini(&c->todo);
	uidset_fini(&c->fresh_todo);
	uidset_fini(&c->added);
	mem_free(cp);
}

/* ---- beginning and end of a context ---- */

static size_t
find_tag(const struct imap_contexts *c, struct span tag)
{
	size_t i = 0;

	while (i < c->n && !span_eq_str(tag, c->v[i]->tag))
		i++;
	return i;
}

/* What is to be told of new messages must be items of FETCH. */
static void
judge_items(struct imap_cmd *cmd, const struct imap_finding *f)
{
	struct fetch *items;

	if (f->q.update_items.len == 0)
		return;
	items = imap_beside_items(cmd->session, f->q.update_items, f->uid, &cmd->arena);
	if (items == NULL)
		imap_args_fail(&cmd->args, "Malformed items behind UPDATE");
	for (size_t i = 0; items != NULL && i < items->n_items; i++) {
		if (items->items[i].kind == FETCH_MODSEQ)
			imap_condstore(cmd->session);
	}
}

bool
imap_context_allowed(struct imap_cmd *cmd)
{
	const struct imap_finding *f = cmd->data;
	const struct imap_contexts *c = cmd->session->view->contexts;

	if (!(f->q.wants & IMAP_RETURN_UPDATE))
		return true;
	if (c != NULL && find_tag(c, cmd->tag) < c->n)
		imap_args_fail(&cmd->args, "The tag is used by another search with UPDATE");
	judge_items(cmd, f);
	if (imap_args_good(&cmd->args))
		return true;
	imap_cmd_syntax(cmd);
	return false;
}

static bool
has_room(const struct imap_contexts *c, const struct imap_finding *f)
{
	size_t sorted = 0;

	for (size_t i = 0; c != NULL && i < c->n; i++)
		sorted += c->v[i]->q.n_criteria > 0;
	for (size_t i = 0; i < f->q.n_criteria; i++) {
		if (f->q.criteria[i].key == IMAP_SORT_RELEVANCY)
			return false;	/* its order would not stay */
	}
	return (c == NULL || c->n < CONTEXTS_MAX) &&
	    (f->q.n_criteria == 0 || sorted < CONTEXTS_SORTED_MAX);
}

void
imap_context_add(struct imap_cmd *cmd)
{
	struct imap_finding *f = cmd->data;
	struct imap_view *v = cmd->session->view;
	struct context *x;
	struct imap_args args;

	if (!(f->q.wants & IMAP_RETURN_UPDATE))
		return;
	if (!has_room(v->contexts, f)) {
		buf_add_str(imap_out(cmd->session), "* NO [NOUPDATE \"");
		buf_add_span(imap_out(cmd->session), cmd->tag);
		buf_add_str(imap_out(cmd->session), "\"] No updates of so many searches\r\n");
		return;
	}
	if (v->contexts == NULL)
		v->contexts = mem_zalloc(sizeof(*v->contexts));
	x = mem_zalloc(sizeof(*x));
	v->contexts->v[v->contexts->n++] = x;
	x->tag = span_dup(cmd->tag);
	x->uid = f->uid;
	buf_add_span(&x->text, f->text);
	imap_session_args(cmd->session, buf_span(&x->text), &x->arena, &args);
	x->q.off = f->q.off;
	x->q.no_charset = f->q.no_charset;
	x->q.collation = f->q.collation;
	f->parse(&args, &x->q);
	x->program.root = x->q.root;
	x->program.collation = x->q.collation;
	search_prepare(&x->program, clock_wall_s(), &x->arena);
	imap_search_resolve(&x->program, v);
	uidset_copy(&x->found, &f->found.uids);
	if (x->q.n_criteria > 0) {
		x->order = mem_dup(f->result.uids, (f->result.n + 1) * sizeof(*x->order));
		x->n = f->result.n;
	}
}

static void
cmd_cancelupdate(struct imap_cmd *cmd)
{
	struct imap_contexts *c = cmd->session->view->contexts;
	struct imap_args *a = &cmd->args;

	do {
		struct span tag;
		size_t i;

		imap_args_sp(a);
		tag = imap_args_string(a);
		i = c != NULL && imap_args_good(a) ? find_tag(c, tag) : 0;
		if (!imap_args_good(a))
			break;
		if (c == NULL || i == c->n) {
			imap_args_fail(a, "No search with UPDATE has this tag");
			break;
		}
		context_free(c->v[i]);
		memmove(c->v + i, c->v + i + 1, (c->n - i - 1) * sizeof(*c->v));
		c->n--;
	} while (!imap_args_at_end(a));
	if (!imap_args_good(a))
		imap_cmd_syntax(cmd);
	else
		imap_cmd_done(cmd, ST_OK);
}

/* ---- telling ---- */

static void
put_begin(const struct context *x, const char *what, struct buf *out)
{
	buf_add_str(out, "* ESEARCH (TAG \"");
	buf_add_str(out, x->tag);
	buf_add_str(out, x->uid ? "\") UID " : "\") ");
	buf_add_str(out, what);
	buf_add_str(out, " (");
}

static uint32_t
number_of(const struct imap_view *v, const struct context *x, uint32_t uid)
{
	return x->uid ? uid : imap_view_seq(v, uid);
}

static void
put_change(const struct imap_view *v, const struct context *x, const char *what,
    const struct uidset *uids, struct buf *out)
{
	struct imap_set_printer p = { 0 };

	if (uidset_empty(uids))
		return;
	put_begin(x, what, out);
	buf_add_str(out, "0 ");
	for (uint32_t uid = uidset_next(uids, 0); uid != 0; uid = uidset_next(uids, uid)) {
		if (number_of(v, x, uid) != 0)
			imap_set_add(&p, number_of(v, x, uid), out);
	}
	imap_set_end(&p, out);
	buf_add_str(out, ")\r\n");
}

/* "(1 5,7 3 9)": runs of neighbours, each at the place where it is. */
struct runs {
	struct imap_set_printer	p;
	size_t			next;	/* place behind the run; 0: none is open */
	bool			any;
};

static void
put_placed(struct runs *r, size_t place, bool grows, uint32_t number, struct buf *out)
{
	if (r->next != place) {
		imap_set_end(&r->p, out);
		if (r->any)
			buf_add_c(out, ' ');
		buf_add_u64(out, place);
		buf_add_c(out, ' ');
		r->p = (struct imap_set_printer){ 0 };
	}
	imap_set_add(&r->p, number, out);
	r->next = grows ? place + 1 : place;
	r->any = true;
}

static void
remove_sorted(const struct imap_view *v, struct context *x, const struct uidset *gone,
    struct buf *out)
{
	struct runs r = { 0 };
	size_t kept = 0;

	if (uidset_empty(gone))
		return;
	put_begin(x, "REMOVEFROM", out);
	for (size_t i = 0; i < x->n; i++) {
		if (!uidset_has(gone, x->order[i])) {
			x->order[kept++] = x->order[i];
			continue;
		}
		put_placed(&r, kept + 1, false, number_of(v, x, x->order[i]), out);
	}
	imap_set_end(&r.p, out);
	buf_add_str(out, ")\r\n");
	x->n = kept;
}

/* sorted: all that the store has of the result, in order.  What it has not any more stays
 * where it was: its EXPUNGE is still to come. */
static void
add_sorted(const struct imap_view *v, struct context *x, const struct uidset *added,
    const uint32_t *sorted, size_t n, struct buf *out)
{
	struct runs r = { 0 };
	uint32_t *order = mem_array(x->n + n + 1, sizeof(*order));
	size_t at = 0, m = 0;

	put_begin(x, "ADDTO", out);
	for (size_t i = 0; i < n; i++) {
		if (uidset_has(added, sorted[i])) {
			put_placed(&r, m + 1, true, number_of(v, x, sorted[i]), out);
			order[m++] = sorted[i];
			continue;
		}
		while (at < x->n) {
			order[m++] = x->order[at];
			if (x->order[at++] == sorted[i])
				break;
		}
	}
	imap_set_end(&r.p, out);
	buf_add_str(out, ")\r\n");
	while (at < x->n)
		order[m++] = x->order[at++];
	mem_free(&x->order);
	x->order = order;
	x->n = m;
}

static void
take_out(const struct imap_view *v, struct context *x, const struct uidset *gone, struct buf *out)
{
	if (x->q.n_criteria > 0)
		remove_sorted(v, x, gone, out);
	else
		put_change(v, x, "REMOVEFROM", gone, out);
	uidset_remove_set(&x->found, gone);
}

void
imap_contexts_expunged(const struct imap_view *v, const struct uidset *uids, struct buf *out)
{
	struct imap_contexts *c = v->contexts;

	for (size_t i = 0; c != NULL && i < c->n; i++) {
		struct uidset gone = { 0 };

		uidset_copy(&gone, &c->v[i]->found);
		uidset_intersect(&gone, uids);
		take_out(v, c->v[i], &gone, out);
		uidset_fini(&gone);
	}
}

/* ---- judging what was touched ---- */

void
imap_contexts_touch(struct imap_contexts *c, uint32_t uid)
{
	if (c != NULL && c->n > 0)
		uidset_add(&c->touched, uid);
}

void
imap_contexts_new(struct imap_contexts *c, uint32_t uid)
{
	if (c != NULL && c->n > 0)
		uidset_add(&c->fresh, uid);
}

bool
imap_contexts_due(const struct imap_contexts *c)
{
	return c != NULL && c->n > 0 && !uidset_empty(&c->touched);
}

static void next_context(struct imap_contexts *c);

static void
on_sorted(void *arg, enum status st)
{
	struct imap_contexts *c = arg;
	struct imap_session *s = c->cmd->session;
	unsigned char *scores = NULL;
	uint32_t *uids = NULL;
	size_t n = 0;

	if (st == ST_OK)
		sorter_take(c->sorter, &uids, &n, &scores);
	sorter_free(&c->sorter);
	if (st == ST_OK)
		add_sorted(s->view, c->v[c->at], &c->added, uids, n, imap_out(s));
	mem_free(&uids);
	mem_free(&scores);
	uidset_clear(&c->added);
	c->at++;
	next_context(c);
}

static void
sort_anew(struct imap_contexts *c)
{
	struct imap_session *s = c->cmd->session;
	const struct context *x = c->v[c->at];
	struct search_found all = { .uids = x->found };
	struct sort_job job = {
		.loop = s->srv->loop, .store = s->store, .mailbox = s->view->mailbox,
		.criteria = x->q.criteria, .n_criteria = x->q.n_criteria,
		.collation = x->q.collation
	};

	c->sorter = sorter_start(&job, &all, on_sorted, c);
}

static void
tell_added(struct imap_contexts *c)
{
	struct imap_session *s = c->cmd->session;
	struct context *x = c->v[c->at];

	if (!uidset_empty(&c->added) && x->q.n_criteria > 0) {
		sort_anew(c);
		return;
	}
	put_change(s->view, x, "ADDTO", &c->added, imap_out(s));
	uidset_clear(&c->added);
	c->at++;
	next_context(c);
}

static void
on_fetched(struct imap_cmd *cmd)
{
	tell_added(cmd->session->view->contexts);
}

static void
on_judged(void *arg, enum status st)
{
	struct imap_contexts *c = arg;
	struct imap_session *s = c->cmd->session;
	struct context *x = c->v[c->at];
	struct search_found now = { 0 };
	struct uidset gone = { 0 }, fresh = { 0 };

	if (st == ST_OK)
		searcher_take(c->searcher, &now);
	searcher_free(&c->searcher);
	if (st == ST_OK) {
		uidset_copy(&gone, &x->found);
		uidset_intersect(&gone, &c->todo);
		uidset_remove_set(&gone, &now.uids);
		take_out(s->view, x, &gone, imap_out(s));
		uidset_copy(&c->added, &now.uids);
		uidset_remove_set(&c->added, &x->found);
		uidset_add_set(&x->found, &c->added);
	}
	search_found_fini(&now);
	uidset_fini(&gone);
	uidset_copy(&fresh, &c->added);
	uidset_intersect(&fresh, &c->fresh_todo);
	if (x->q.update_items.len == 0 || uidset_empty(&fresh) ||
	    !imap_beside_fetch(c->cmd, x->q.update_items, x->uid, &fresh, on_fetched))
		tell_added(c);
	uidset_fini(&fresh);
}

static void
next_context(struct imap_contexts *c)
{
	struct imap_session *s = c->cmd->session;
	struct imap_cmd *cmd = c->cmd;
	struct uidset todo = { 0 };
	struct search_job job = {
		.loop = s->srv->loop, .store = s->store, .mailbox = s->view->mailbox,
		.keywords = buf_span(&s->view->keywords), .recent = &s->view->recent
	};

	if (c->at == c->n) {
		c->cmd = NULL;
		uidset_clear(&c->todo);
		c->done(cmd);
		return;
	}
	job.program = &c->v[c->at]->program;
	uidset_copy(&todo, &c->todo);
	c->searcher = searcher_start(&job, &todo, on_judged, c);
}

void
imap_contexts_update(struct imap_cmd *cmd, void (*done)(struct imap_cmd *cmd))
{
	struct imap_view *v = cmd->session->view;
	struct imap_contexts *c = v->contexts;
	struct uidset all = { 0 };

	if (!imap_contexts_due(c)) {
		done(cmd);
		return;
	}
	imap_search_universe(v, &all);
	uidset_intersect(&c->touched, &all);
	uidset_fini(&all);
	uidset_copy(&c->todo, &c->touched);
	uidset_clear(&c->touched);
	uidset_copy(&c->fresh_todo, &c->fresh);
	uidset_clear(&c->fresh);
	c->cmd = cmd;
	c->done = done;
	c->at = 0;
	next_context(c);
}

const struct imap_command imap_cmds_context[] = {
	/* name			allowed in		flags	*/
	{ "CANCELUPDATE",	IMAP_IN_SELECTED,	0, CAP_CONTEXT_SEARCH, cmd_cancelupdate },
	{ 0 }
};
