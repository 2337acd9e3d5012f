/* Running a search and telling what it found. */
#include "imapd/finding.h"

#include "common/util/clock.h"
#include "common/util/mem.h"
#include "imapd/limits.h"
#include "imapd/sorter.h"
#include "imapd/sync.h"

/* ---- reading ---- */

unsigned
imap_search_off(const struct imap_session *s, bool sort)
{
	const struct {
		enum imap_cap	cap;
		unsigned	word;
	} words[] = {
		{ CAP_SEARCHRES, IMAP_SEARCH_RES }, { CAP_WITHIN, IMAP_SEARCH_WITHIN },
		{ sort ? CAP_CONTEXT_SORT : CAP_CONTEXT_SEARCH, IMAP_SEARCH_CONTEXT },
		{ CAP_PARTIAL, IMAP_SEARCH_PARTIAL }, { CAP_SEARCH_FUZZY, IMAP_SEARCH_FUZZY },
		{ CAP_CONDSTORE, IMAP_SEARCH_CONDSTORE }, { CAP_SORT_DISPLAY, IMAP_SEARCH_DISPLAY },
		{ sort ? CAP_ESORT : CAP_ESEARCH, IMAP_SEARCH_EXTENDED },
		{ CAP_OBJECTID, IMAP_SEARCH_OBJECTID }, { CAP_SAVEDATE, IMAP_SEARCH_SAVEDATE },
		{ CAP_THREAD_ORDEREDSUBJECT, IMAP_SEARCH_ORDEREDSUBJECT },
		{ CAP_THREAD_REFERENCES, IMAP_SEARCH_REFERENCES },
		{ CAP_FILTERS, IMAP_SEARCH_FILTERS_KEY },
		{ CAP_MESSAGELIMIT, IMAP_SEARCH_UID_BOUNDS },
		{ CAP_NOTIFY, IMAP_SEARCH_UPDATE_ITEMS },
		{ CAP_ANNOTATE, IMAP_SEARCH_ANNOTATION }
	};
	unsigned off = 0;

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (!imap_cap_on(s, words[i].cap))
			off |= words[i].word;
	}
	return off;
}

struct resolving {
	const struct imap_view	*view;
};

static void
resolve_set(struct search_node *n, void *arg)
{
	const struct imap_view *v = ((struct resolving *)arg)->view;
	bool uid = n->op == SEARCH_UIDS;
	uint32_t star = uid ? imap_view_last_uid(v) : v->count;
	struct uidset named = { 0 };

	if (n->set.p == NULL)
		return;
	uidset_clear(&n->uids);
	if (span_eq_str(n->set, "$")) {
		uidset_add_set(&n->uids, &v->saved);
		return;
	}
	if (star == 0)
		star = uid ? v->uidnext : UINT32_MAX;
	/* A number that is not there names nothing: no error in a search (RFC 7377 §2). */
	uidset_parse(&named, n->set, star, IMAP_RANGES_MAX);
	for (size_t i = 0; i < named.n; i++) {
		if (uid)
			imap_view_add_uids(v, named.r[i].lo, named.r[i].hi, &n->uids);
		else
			imap_view_add_seqs(v, named.r[i].lo, named.r[i].hi, &n->uids);
	}
	uidset_fini(&named);
}

void
imap_search_resolve(struct search_program *p, const struct imap_view *v)
{
	struct resolving r = { v };

	search_each(p->root, resolve_set, &r);
}

void
imap_search_universe(const struct imap_view *v, struct uidset *uids)
{
	imap_view_add_uids(v, 1, UINT32_MAX, uids);
	uidset_remove_set(uids, &v->expunged);
}

struct imap_finding *
imap_finding_new(struct imap_cmd *cmd, void (*parse)(struct imap_args *a, struct imap_search *s))
{
	struct imap_session *s = cmd->session;
	struct imap_finding *f = arena_zalloc(&cmd->arena, sizeof(*f));

	f->uid = cmd->uid;
	f->q.off = imap_search_off(s, parse == imap_sort_parse);
	f->q.collation = s->collation;
	f->q.no_charset = s->utf8_accept;
	f->text = span(cmd->args.p, (size_t)(cmd->args.end - cmd->args.p));
	f->parse = parse;
	parse(&cmd->args, &f->q);
	if (!imap_args_end(&cmd->args)) {
		imap_cmd_syntax(cmd);
		return NULL;
	}
	if ((f->q.wants & IMAP_RETURN_SAVE) && s->view != NULL)
		uidset_clear(&s->view->saved);	/* a NO leaves it empty, RFC 5182 §2.1 */
	if (f->q.bad_charset) {
		imap_cmd_end(cmd, "NO [BADCHARSET (US-ASCII UTF-8)] The charset is not known");
		return NULL;
	}
	f->program.root = f->q.root;
	f->program.collation = f->q.collation;
	search_prepare(&f->program, clock_wall_s(), &cmd->arena);
	cmd->data = f;
	cmd->release = imap_finding_release;
	return f;
}

void
imap_finding_release(struct imap_cmd *cmd)
{
	struct imap_finding *f = cmd->data;

	searcher_free(&f->searcher);
	sorter_free(&f->sorter);
	search_found_fini(&f->found);
	search_fini(&f->program);
	mem_free(&f->result.uids);
	mem_free(&f->result.scores);
}

/* ---- running ---- */

static void
on_found(void *arg, enum status st)
{
	struct imap_cmd *cmd = arg;
	struct imap_finding *f = cmd->data;

	if (st == ST_OK)
		searcher_take(f->searcher, &f->found);
	searcher_free(&f->searcher);
	if (st == ST_OK)
		f->then(cmd);
	else
		imap_cmd_done(cmd, st);
}

static void
finding_progress(const struct imap_cmd *cmd, uint64_t *done, uint64_t *goal)
{
	const struct imap_finding *f = cmd->data;

	if (f->searcher != NULL)
		searcher_progress(f->searcher, done, goal);
}

void
imap_finding_run_view(struct imap_cmd *cmd, const struct imap_view *v,
    void (*then)(struct imap_cmd *cmd))
{
	struct imap_session *s = cmd->session;
	struct imap_finding *f = cmd->data;
	struct search_job job = {
		.loop = s->srv->loop, .store = v == s->view ? s->store : s->home,
		.mailbox = v->mailbox,
		.program = &f->program, .keywords = buf_span(&v->keywords),
		.recent = &v->recent, .modseqs = f->q.modseq,
		.scores = (f->q.wants & IMAP_RETURN_RELEVANCY) != 0
	};
	struct uidset all = { 0 };

	for (size_t i = 0; i < f->q.n_criteria; i++)
		job.scores |= f->q.criteria[i].key == IMAP_SORT_RELEVANCY;
	if (f->q.modseq)
		imap_condstore(s);
	imap_search_resolve(&f->program, v);
	imap_search_universe(v, &all);
	if (f->limited) {
		searcher_narrow(&f->program, &all);
		imap_limit_uids(cmd, &all);
	}
	f->then = then;
	cmd->progress = finding_progress;
	f->searcher = searcher_start(&job, &all, on_found, cmd);
}

void
imap_finding_run(struct imap_cmd *cmd, void (*then)(struct imap_cmd *cmd))
{
	imap_finding_run_view(cmd, cmd->session->view, then);
}

void
imap_finding_in_order(struct imap_finding *f)
{
	size_t n = (size_t)uidset_count(&f->found.uids), at = 0;

	f->result.uids = mem_array(n + 1, sizeof(*f->result.uids));
	for (size_t i = 0; i < f->found.uids.n; i++) {
		for (uint32_t uid = f->found.uids.r[i].lo; ; uid++) {
			f->result.uids[at++] = uid;
			if (uid == f->found.uids.r[i].hi)
				break;
		}
	}
	f->result.n = n;
	f->result.scores = f->found.scores;
	f->found.scores = NULL;
}

/* ---- "$" ---- */

/* The part of the result that PARTIAL asks for. */
static void
partial_bounds(const struct imap_finding *f, size_t *from, size_t *to)
{
	const struct imap_partial *p = &f->q.partial;
	size_t n = f->result.n, lo = p->lo - 1, hi = p->hi;

	if (hi > n)
		hi = n;
	if (lo > hi)
		lo = hi;
	*from = p->from_end ? n - hi : lo;
	*to = p->from_end ? n - lo : hi;
}

void
imap_finding_save(struct imap_cmd *cmd)
{
	struct imap_finding *f = cmd->data;
	struct uidset *saved = &cmd->session->view->saved;
	const struct imap_result *r = &f->result;
	size_t from, to;

	if (!(f->q.wants & IMAP_RETURN_SAVE))
		return;
	uidset_clear(saved);
	if ((f->q.wants & (IMAP_RETURN_ALL | IMAP_RETURN_COUNT)) ||
	    !(f->q.wants & (IMAP_RETURN_MIN | IMAP_RETURN_MAX | IMAP_RETURN_PARTIAL))) {
		uidset_add_set(saved, &f->found.uids);
		return;
	}
	if ((f->q.wants & IMAP_RETURN_MIN) && r->n > 0)
		uidset_add(saved, r->uids[0]);
	if ((f->q.wants & IMAP_RETURN_MAX) && r->n > 0)
		uidset_add(saved, r->uids[r->n - 1]);
	if (f->q.wants & IMAP_RETURN_PARTIAL) {
		partial_bounds(f, &from, &to);
		for (size_t i = from; i < to; i++)
			uidset_add(saved, r->uids[i]);
	}
}

/* ---- telling ---- */

void
imap_set_end(struct imap_set_printer *p, struct buf *out)
{
	if (p->lo == 0)
		return;
	if (p->any)
		buf_add_c(out, ',');
	buf_add_u64(out, p->lo);
	if (p->hi > p->lo) {
		buf_add_c(out, ':');
		buf_add_u64(out, p->hi);
	}
	p->any = true;
	p->lo = 0;
}

void
imap_set_add(struct imap_set_printer *p, uint32_t n, struct buf *out)
{
	if (p->lo != 0 && n == p->hi + 1) {
		p->hi = n;
		return;
	}
	imap_set_end(p, out);
	p->lo = p->hi = n;
}

static uint32_t
number_of(const struct imap_cmd *cmd, uint32_t uid)
{
	const struct imap_finding *f = cmd->data;

	return f->uid ? uid : imap_view_seq(cmd->session->view, uid);
}

/* What one round of telling puts out before it looks whether the client takes it. */
#define TELL_AT_ONCE 2000u

static bool
full(struct imap_cmd *cmd, void (*on)(struct imap_cmd *cmd))
{
	if (!conn_full(cmd->session->conn))
		return false;
	cmd->drained = on;
	return true;
}

/* " 1 2 3" from f->at on.  false: not yet all. */
static bool
put_numbers(struct imap_cmd *cmd)
{
	struct imap_finding *f = cmd->data;
	struct buf *out = imap_out(cmd->session);

	for (size_t n = 0; f->at < f->result.n; f->at++) {
		uint32_t number = number_of(cmd, f->result.uids[f->at]);

		if (n++ == TELL_AT_ONCE)
			return false;
		if (number == 0)
			continue;
		buf_add_c(out, ' ');
		buf_add_u64(out, number);
	}
	return true;
}

/* As a set, result[f->at .. to).  A run never is cut by the pieces in which it is told: they
 * begin anew with a comma. */
static bool
put_set(struct imap_cmd *cmd, size_t to)
{
	struct imap_finding *f = cmd->data;
	struct imap_set_printer p = { .any = f->open };
	struct buf *out = imap_out(cmd->session);

	for (size_t n = 0; f->at < to && n < TELL_AT_ONCE; f->at++) {
		uint32_t number = number_of(cmd, f->result.uids[f->at]);

		n += number != p.hi + 1;
		if (number != 0)
			imap_set_add(&p, number, out);
	}
	imap_set_end(&p, out);
	f->open = p.any;
	return f->at >= to;
}

static bool
put_scores(struct imap_cmd *cmd, size_t to)
{
	struct imap_finding *f = cmd->data;
	struct buf *out = imap_out(cmd->session);

	for (size_t n = 0; f->at < to && n < TELL_AT_ONCE; f->at++, n++) {
		if (f->open)
			buf_add_c(out, ' ');
		buf_add_u64(out, f->result.scores[f->at]);
		f->open = true;
	}
	return f->at >= to;
}

static uint64_t
told_modseq(const struct imap_finding *f)
{
	bool min = (f->q.wants & IMAP_RETURN_MIN) != 0, max = (f->q.wants & IMAP_RETURN_MAX) != 0;
	const struct search_found *r = &f->found;

	if (f->plain != NULL || f->q.n_criteria > 0 || (!min && !max) ||
	    (f->q.wants & (IMAP_RETURN_ALL | IMAP_RETURN_COUNT | IMAP_RETURN_PARTIAL)))
		return r->modseq;
	if (min && max)
		return r->first_modseq > r->last_modseq ? r->first_modseq : r->last_modseq;
	return min ? r->first_modseq : r->last_modseq;
}

static void
tell_plain(struct imap_cmd *cmd)
{
	struct imap_finding *f = cmd->data;
	struct buf *out = imap_out(cmd->session);

	if (f->item == 0) {
		buf_add_str(out, "* ");
		buf_add_str(out, f->plain);
		f->item = 1;
	}
	do {
		if (full(cmd, tell_plain))
			return;
	} while (!put_numbers(cmd));
	if (f->q.modseq && f->result.n > 0)
		buf_addf(out, " (MODSEQ %llu)", (unsigned long long)told_modseq(f));
	buf_add_str(out, "\r\n");
	f->told(cmd);
}

/* The items of ESEARCH in their order. */
enum item { ITEM_HEAD, ITEM_ALL, ITEM_PARTIAL, ITEM_RELEVANCY, ITEM_END };

static void
put_head(struct imap_cmd *cmd)
{
	struct imap_finding *f = cmd->data;
	struct imap_result *r = &f->result;
	struct buf *out = imap_out(cmd->session);

	buf_add_str(out, "* ESEARCH (TAG \"");
	buf_add_span(out, cmd->tag);
	buf_add_c(out, '"');
	if (f->head != NULL)
		buf_add_span(out, buf_span(f->head));
	buf_add_str(out, f->uid ? ") UID" : ")");
	if ((f->q.wants & IMAP_RETURN_MIN) && r->n > 0) {
		buf_add_str(out, " MIN ");
		buf_add_u64(out, number_of(cmd, r->uids[0]));
	}
	if ((f->q.wants & IMAP_RETURN_MAX) && r->n > 0) {
		buf_add_str(out, " MAX ");
		buf_add_u64(out, number_of(cmd, r->uids[r->n - 1]));
	}
	if (f->q.wants & IMAP_RETURN_COUNT) {
		buf_add_str(out, " COUNT ");
		buf_add_u64(out, r->n);
	}
}

/* One item; false: it goes on. */
static bool
put_item(struct imap_cmd *cmd)
{
	struct imap_finding *f = cmd->data;
	struct buf *out = imap_out(cmd->session);
	size_t from = 0, to = f->result.n;
	bool begins = !f->open && f->at == 0, over;

	if (f->q.wants & IMAP_RETURN_PARTIAL)
		partial_bounds(f, &from, &to);
	switch (f->item) {
	case ITEM_HEAD:
		put_head(cmd);
		return true;
	case ITEM_ALL:
		if (!(f->q.wants & IMAP_RETURN_ALL) || f->result.n == 0)
			return true;
		if (begins)
			buf_add_str(out, " ALL ");
		return put_set(cmd, to);
	case ITEM_PARTIAL:
		if (!(f->q.wants & IMAP_RETURN_PARTIAL))
			return true;
		if (begins) {
			const char *minus = f->q.partial.from_end ? "-" : "";

			buf_addf(out, " PARTIAL (%s%u:%s%u ", minus, f->q.partial.lo, minus,
			    f->q.partial.hi);
			f->at = from;
		}
		over = put_set(cmd, to);
		if (over)
			buf_add_str(out, f->open ? ")" : "NIL)");
		return over;
	case ITEM_RELEVANCY:
		if (!(f->q.wants & IMAP_RETURN_RELEVANCY) || f->result.scores == NULL)
			return true;
		if (begins) {
			buf_add_str(out, " RELEVANCY (");
			f->at = from;
		}
		over = put_scores(cmd, to);
		if (over)
			buf_add_c(out, ')');
		return over;
	default:
		if (f->result.n > 0 && f->q.modseq)
			buf_addf(out, " MODSEQ %llu", (unsigned long long)told_modseq(f));
		buf_add_str(out, "\r\n");
		return true;
	}
}

static void
tell_items(struct imap_cmd *cmd)
{
	struct imap_finding *f = cmd->data;

	while (f->item <= ITEM_END) {
		if (full(cmd, tell_items))
			return;
		if (!put_item(cmd))
			continue;
		f->item++;
		f->at = 0;
		f->open = false;
	}
	f->told(cmd);
}

void
imap_finding_tell(struct imap_cmd *cmd)
{
	struct imap_finding *f = cmd->data;

	f->at = 0;
	f->item = 0;
	f->open = false;
	if (f->q.extended && f->q.wants == IMAP_RETURN_SAVE) {
		f->told(cmd);	/* RFC 5182: nothing is told */
		return;
	}
	if (f->q.extended)
		f->plain = NULL;
	if (f->plain != NULL)
		tell_plain(cmd);
	else
		tell_items(cmd);
}
