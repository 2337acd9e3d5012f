/* What sets tell: uids, the mailbox's marks, annotations. */
#include "storage/client/searcher_priv.h"

#define SET_WORK	1000000u	/* ranges walked at once */

/* Sets among the keys of which all must match spare us the other messages. */
void
searcher_narrow(const struct search_program *p, struct uidset *uids)
{
	const struct search_node *root = p->root;

	if (root->op != SEARCH_AND)
		return;
	for (const struct search_node *n = root->first; n != NULL; n = n->next) {
		if (n->op == SEARCH_UIDS || n->op == SEARCH_SEQS)
			uidset_intersect(uids, &n->uids);
	}
}

static bool
is_mark(const struct search_node *n)
{
	return n->op == SEARCH_FLAG && (n->flag == FLAG_SEEN || n->flag == FLAG_DELETED);
}

/* Can it be answered by sets alone?  Counts the work, and whether marks are needed. */
static bool
is_set(const struct search_node *n, uint64_t ranges, uint64_t *work, bool *marks)
{
	*work += ranges + n->uids.n;
	switch (n->op) {
	case SEARCH_ALL: case SEARCH_UIDS: case SEARCH_SEQS: case SEARCH_ANNOTATION: case SEARCH_RECENT:
		return true;
	case SEARCH_FLAG:
		*marks = true;
		return is_mark(n);
	case SEARCH_AND: case SEARCH_OR: case SEARCH_NOT: case SEARCH_FUZZY:
		for (const struct search_node *c = n->first; c != NULL; c = c->next) {
			if (!is_set(c, ranges, work, marks))
				return false;
		}
		return true;
	default:
		return false;
	}
}

/* Keeps those of set that match. */
static void
keep_set(const struct searcher *s, const struct search_node *n, struct uidset *set)
{
	struct uidset all = { 0 }, some = { 0 };

	switch (n->op) {
	case SEARCH_UIDS: case SEARCH_SEQS: case SEARCH_ANNOTATION:
		uidset_intersect(set, &n->uids);
		break;
	case SEARCH_RECENT:
		uidset_intersect(set, s->job.recent != NULL ? s->job.recent : &all);
		break;
	case SEARCH_FLAG:
		if (n->flag == FLAG_SEEN)
			uidset_remove_set(set, &s->unseen);
		else
			uidset_intersect(set, &s->deleted);
		break;
	case SEARCH_AND: case SEARCH_FUZZY:
		for (const struct search_node *c = n->first; c != NULL; c = c->next)
			keep_set(s, c, set);
		break;
	case SEARCH_OR:
		for (const struct search_node *c = n->first; c != NULL; c = c->next) {
			uidset_copy(&some, set);
			keep_set(s, c, &some);
			uidset_add_set(&all, &some);
		}
		uidset_intersect(set, &all);
		break;
	case SEARCH_NOT:
		uidset_copy(&some, set);
		keep_set(s, n->first, &some);
		uidset_remove_set(set, &some);
		break;
	default:
		break;		/* SEARCH_ALL */
	}
	uidset_fini(&all);
	uidset_fini(&some);
}

/* The first of the keys of which all must match. */
static const struct search_node *
keys(const struct searcher *s)
{
	return s->p->root->op == SEARCH_AND ? s->p->root->first : s->p->root;
}

static const struct search_node *
next_key(const struct searcher *s, const struct search_node *n)
{
	return n == s->p->root ? NULL : n->next;
}

/* Sets among the keys of which all must match spare us the other messages.  true: there are
 * no other keys. */
static bool
narrow(struct searcher *s)
{
	bool others = false;

	for (const struct search_node *n = keys(s); n != NULL; n = next_key(s, n)) {
		uint64_t work = 0;
		bool marks = false;

		if (is_set(n, s->todo.n + s->unseen.n + s->deleted.n, &work, &marks) &&
		    work <= SET_WORK && (!marks || s->marked))
			keep_set(s, n, &s->todo);
		else
			others = true;
	}
	return !others;
}

static void
begin(struct searcher *s)
{
	bool settled = narrow(s);

	s->goal = uidset_count(&s->todo);
	if (settled && !s->job.modseqs && !s->job.scores) {
		uidset_add_set(&s->found.uids, &s->todo);
		searcher_finish(s);
		return;
	}
	if (s->p->sets && !s->job.modseqs) {
		searcher_judge_view(s);
		return;
	}
	uidset_add_set(&s->left, &s->todo);
	uidset_clear(&s->todo);
	searcher_next_chunk(s);
}

/* ---- marks ---- */

static bool
take_set(struct span encoded, struct uidset *set)
{
	struct reader r;

	reader_init(&r, encoded.p, encoded.len);
	return uidset_decode(set, &r, SIZE_MAX);
}

/* What cannot be had this way the rows tell. */
static void
on_marks(void *arg, enum status st, bool more, const void *msg)
{
	struct searcher *s = arg;
	const struct store_marks_are *are = msg;

	s->call = NULL;
	if (st == ST_OK && are != NULL && take_set(are->here, &s->here) &&
	    take_set(are->unseen, &s->unseen) && take_set(are->deleted, &s->deleted)) {
		s->marked = true;
		uidset_intersect(&s->todo, &s->here);
	}
	searcher_later(s, begin);
}

static bool
wants_marks(const struct searcher *s)
{
	for (const struct search_node *n = keys(s); n != NULL; n = next_key(s, n)) {
		uint64_t work = 0;
		bool marks = false;

		if (is_set(n, s->todo.n, &work, &marks) && marks && work <= SET_WORK)
			return true;
	}
	return false;
}

static void
ask_marks(struct searcher *s)
{
	struct store_marks rq = { .mailbox = s->job.mailbox };

	s->goal = uidset_count(&s->todo);
	if (wants_marks(s))
		s->call = store_do_marks(s->job.store, &rq, on_marks, s);
	else
		begin(s);
}

/* ---- annotations ---- */

struct counting {
	unsigned		at, wanted;
	struct search_node	*found;
};

static void
count_annotation(struct search_node *n, void *arg)
{
	struct counting *c = arg;

	if (n->op == SEARCH_ANNOTATION && c->at++ == c->wanted)
		c->found = n;
}

static void
take_annotation(struct searcher *s, const struct store_annotation *a)
{
	struct search_node *n = s->noted;
	struct buf text = { 0 };

	if (!(n->flag & SEARCH_ANNOTATION_NIL))
		search_map(s->p->collation, a->value, &text);
	if ((n->flag & SEARCH_ANNOTATION_NIL) || search_contains(buf_span(&text), n->text))
		uidset_add(&n->uids, a->uid);
	buf_fini(&text);
}

static void
on_annotations(void *arg, enum status st, bool more, const void *msg)
{
	struct searcher *s = arg;
	const struct store_annotations_are *are = msg;
	struct search_node *n = s->noted;
	struct store_annotation a;
	struct uidset none = { 0 };
	struct reader r;

	if (!more)
		s->call = NULL;
	if (st == ST_OK && are != NULL && are->entries.len > 0) {
		reader_init(&r, are->entries.p, are->entries.len);
		while (get_store_annotation(&r, &a))
			take_annotation(s, &a);
	}
	if (more)
		return;
	if (st != ST_OK) {
		s->failed = st;
		searcher_finish(s);
		return;
	}
	if (n->flag & SEARCH_ANNOTATION_NIL) {
		uidset_copy(&none, &s->todo);
		uidset_remove_set(&none, &n->uids);
		uidset_copy(&n->uids, &none);
		uidset_fini(&none);
	}
	s->notes_read++;
	searcher_later(s, searcher_ask_annotations);
}

/* Each key becomes the set of those that match, one after the other. */
void
searcher_ask_annotations(struct searcher *s)
{
	struct counting c = { .wanted = s->notes_read };
	struct store_annotations rq = { .mailbox = s->job.mailbox, .max_size = UINT32_MAX };
	struct buf set = { 0 }, names = { 0 };

	search_each(s->p->root, count_annotation, &c);
	if (c.found == NULL || uidset_empty(&s->todo)) {
		ask_marks(s);
		return;
	}
	s->noted = c.found;
	uidset_clear(&s->noted->uids);
	put_span(&names, s->noted->name);
	uidset_encode(&s->todo, &set);
	rq.uids = buf_span(&set);
	rq.names = buf_span(&names);
	rq.which = (s->noted->flag & SEARCH_ANNOTATION_PRIVATE ? ANNOTATIONS_PRIVATE : 0) |
	    (s->noted->flag & SEARCH_ANNOTATION_SHARED ? ANNOTATIONS_SHARED : 0);
	if (s->noted->flag & SEARCH_ANNOTATION_NIL)
		rq.max_size = 0;
	s->call = store_do_annotations(s->job.store, &rq, on_annotations, s);
	buf_fini(&names);
	buf_fini(&set);
}
