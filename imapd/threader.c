/* Messages and the dummies between them are nodes by number.  All orders among siblings come from
 * one: messages by sent date, then by number.  Going through them in it and handing each
 * to its parent sorts every list of children at once. */
#include "imapd/threader.h"

#include "common/mime/charset.h"
#include "common/mime/thread.h"
#include "common/util/clock.h"
#include "common/util/mem.h"
#include "imapd/uid_index.h"
#include "storage/client/columns.h"

#define NONE	UINT32_MAX
#define WALK_MAX 100000u	/* ancestors looked through for a loop; deeper, there is no link */

struct node {
	uint32_t	parent, first, last, next, prev;	/* numbers or NONE */
	uint32_t	uid;		/* 0: a dummy */
	uint32_t	children;	/* while links are made; later, of a dummy: those it keeps */
	bool		reply;
	uint64_t	subject;	/* hash; 0: empty */
};

/* What was read of a message. */
struct source {
	bool		here, reply;
	int64_t		date;
	uint64_t	subject, id;
	uint32_t	refs, n_refs;	/* in the threader's */
};

struct slot {
	uint64_t	key;		/* 0: free */
	uint32_t	value;
};
struct map {
	struct slot	*slots;
	size_t		size, count;
};

struct threader {
	struct thread_job	job;
	void			(*done)(void *arg, enum status st);
	void			*arg;
	struct loop_task	*task;
	void			(*step)(struct threader *t);
	struct columns_reader	*columns;
	size_t			n;		/* messages */
	uint32_t		*uids;
	struct uidset		undated;	/* no valid Date: INTERNALDATE is read for them */
	bool			dating;
	size_t			next;		/* index that the next one read has, most likely */
	struct source		*sources;
	uint64_t		*refs;
	size_t			n_refs, refs_room;
	struct map		ids, subjects;
	struct node		*nodes;
	size_t			n_nodes, room;
	uint32_t		*order, *other;	/* of messages, by date */
	uint32_t		*of;		/* node of a message */
	unsigned		pass;
	uint32_t		counts[8][256];
	size_t			at;
	uint32_t		first_root, last_root;
	/* telling */
	uint32_t		root, here;
	size_t			open;
	bool			begun;
};

static void
on_task(void *arg)
{
	struct threader *t = arg;

	t->step(t);
}

static void
later(struct threader *t, void (*step)(struct threader *t))
{
	t->step = step;
	loop_task_post(t->task);
}

/* ---- numbers by hash ---- */

static struct slot *
find_slot(const struct map *m, uint64_t key)
{
	size_t i = (size_t)(key * UINT64_C(0x9e3779b97f4a7c15)) & (m->size - 1);

	while (m->slots[i].key != 0 && m->slots[i].key != key)
		i = (i + 1) & (m->size - 1);
	return &m->slots[i];
}

static void
map_grow(struct map *m)
{
	struct map old = *m;

	m->size = old.size > 0 ? old.size * 2 : 1024;
	m->slots = mem_array(m->size, sizeof(*m->slots));
	for (size_t i = 0; i < old.size; i++) {
		if (old.slots[i].key != 0)
			*find_slot(m, old.slots[i].key) = old.slots[i];
	}
	mem_free(&old.slots);
}

/* The slot of a key, which is not 0; its value is NONE when it is new. */
static struct slot *
map_slot(struct map *m, uint64_t key)
{
	struct slot *s;

	if ((m->count + 1) * 2 > m->size)
		map_grow(m);
	s = find_slot(m, key);
	if (s->key == 0) {
		*s = (struct slot){ key, NONE };
		m->count++;
	}
	return s;
}

/* ---- the tree ---- */

static uint32_t
new_node(struct threader *t)
{
	if (t->n_nodes == t->room) {
		t->room = t->room > 0 ? t->room * 2 : 1024;
		t->nodes = mem_realloc_array(t->nodes, t->room, sizeof(*t->nodes));
	}
	t->nodes[t->n_nodes] = (struct node){ .parent = NONE, .first = NONE, .last = NONE,
		.next = NONE, .prev = NONE };
	return (uint32_t)t->n_nodes++;
}

static void
link_last(struct threader *t, uint32_t parent, uint32_t child)
{
	struct node *p = &t->nodes[parent], *c = &t->nodes[child];

	c->parent = parent;
	c->next = NONE;
	c->prev = p->last;
	if (p->last != NONE)
		t->nodes[p->last].next = child;
	else
		p->first = child;
	p->last = child;
}

/* Links without lists: those are made when the order is known. */
static void
link_to(struct threader *t, uint32_t parent, uint32_t child)
{
	t->nodes[child].parent = parent;
	t->nodes[parent].children++;
}

static void
cut(struct threader *t, uint32_t child)
{
	struct node *c = &t->nodes[child];

	if (c->parent != NONE)
		t->nodes[c->parent].children--;
	c->parent = NONE;
}

/* Would making a the parent of b close a loop? */
static bool
loops(const struct threader *t, uint32_t a, uint32_t b)
{
	if (a == b)
		return true;
	if (t->nodes[b].children == 0)
		return false;
	for (unsigned n = 0; a != NONE; a = t->nodes[a].parent) {
		if (a == b || ++n == WALK_MAX)
			return true;
	}
	return false;
}

/* ---- REFERENCES, step 1 ---- */

static uint32_t
node_of_id(struct threader *t, uint64_t id)
{
	struct slot *s = map_slot(&t->ids, id);

	if (s->value == NONE)
		s->value = new_node(t);
	return s->value;
}

static void
add_message(struct threader *t, size_t i)
{
	const struct source *m = &t->sources[i];
	uint32_t own = NONE, before = NONE;

	if (m->id != 0)
		own = node_of_id(t, m->id);
	if (own == NONE || t->nodes[own].uid != 0)
		own = new_node(t);	/* no id, or another has it already */
	t->of[i] = own;
	t->nodes[own].uid = t->uids[i];
	t->nodes[own].reply = m->reply;
	t->nodes[own].subject = m->subject;
	for (uint32_t k = 0; k < m->n_refs; k++) {
		uint32_t ref = node_of_id(t, t->refs[m->refs + k]);

		if (before != NONE && t->nodes[ref].parent == NONE && !loops(t, before, ref))
			link_to(t, before, ref);
		before = ref;
	}
	cut(t, own);
	if (before != NONE && !loops(t, before, own))
		link_to(t, before, own);
}

/* ---- steps 2 and 3 ---- */

/* Dummies below the top give their children to what is above them: a message's parent becomes
 * the nearest message or the dummy at the top. */
static void
skip_dummies(struct threader *t, uint32_t i)
{
	uint32_t top = t->nodes[i].parent, next;

	while (top != NONE && t->nodes[top].uid == 0 && t->nodes[top].parent != NONE)
		top = t->nodes[top].parent;
	for (uint32_t c = i; c != NONE && c != top; c = next) {	/* the next one has it shorter */
		next = t->nodes[c].parent;
		if (c != i && t->nodes[c].uid != 0)
			break;
		t->nodes[c].parent = top;
	}
	if (top != NONE && t->nodes[top].uid == 0)
		t->nodes[top].children++;
}

/* ---- by date ---- */

static uint64_t
date_key(const struct threader *t, uint32_t i)
{
	return (uint64_t)t->sources[i].date ^ UINT64_C(1) << 63;
}

static void
count_bytes(struct threader *t)
{
	bool rising = true;

	for (size_t i = 0; i < t->n; i++) {
		uint64_t key = date_key(t, (uint32_t)i);

		rising &= i == 0 || key >= date_key(t, (uint32_t)i - 1);
		for (unsigned b = 0; b < 8; b++)
			t->counts[b][key >> b * 8 & 255]++;
	}
	if (rising)
		t->pass = 8;
}

static void
radix_pass(struct threader *t)
{
	uint32_t *counts = t->counts[t->pass], at = 0, *swap;
	unsigned shift = t->pass++ * 8;

	if (t->n == 0 || counts[date_key(t, t->order[0]) >> shift & 255] == t->n)
		return;
	for (unsigned b = 0; b < 256; b++) {
		uint32_t n = counts[b];

		counts[b] = at;
		at += n;
	}
	for (size_t i = 0; i < t->n; i++)
		t->other[counts[date_key(t, t->order[i]) >> shift & 255]++] = t->order[i];
	swap = t->order;
	t->order = t->other;
	t->other = swap;
}

static void
add_root(struct threader *t, uint32_t i)
{
	struct node *r = &t->nodes[i];

	r->prev = t->last_root;
	r->next = NONE;
	if (t->last_root != NONE)
		t->nodes[t->last_root].next = i;
	else
		t->first_root = i;
	t->last_root = i;
}

/* Steps 4 and 6: every list of siblings anew, in the order of the messages.  A dummy at the top
 * stands where its first child does. */
static void
clear_lists(struct threader *t)
{
	for (size_t i = 0; i < t->n_nodes; i++)
		t->nodes[i].first = t->nodes[i].last = t->nodes[i].next = t->nodes[i].prev = NONE;
	t->first_root = t->last_root = NONE;
}

static void
place(struct threader *t, uint32_t message)
{
	uint32_t i = t->of[message], parent;

	if (i == NONE)
		return;
	parent = t->nodes[i].parent;
	if (parent == NONE) {
		add_root(t, i);
		return;
	}
	if (t->nodes[parent].uid == 0 && t->nodes[parent].first == NONE)
		add_root(t, parent);
	link_last(t, parent, i);
}

/* ---- step 5 ---- */

static uint64_t
thread_subject(const struct threader *t, uint32_t root)
{
	const struct node *r = &t->nodes[root];

	return r->uid != 0 ? r->subject : r->first != NONE ? t->nodes[r->first].subject : 0;
}

static void
note_subject(struct threader *t, uint32_t root)
{
	uint64_t subject = thread_subject(t, root);
	const struct node *r = &t->nodes[root], *had;
	struct slot *s;

	if (subject == 0)
		return;
	s = map_slot(&t->subjects, subject);
	had = s->value != NONE ? &t->nodes[s->value] : NULL;
	if (had == NULL || (had->uid != 0 && (r->uid == 0 || (had->reply && !r->reply))))
		s->value = root;
}

/* Only parents change here; the lists are made again after it. */
static void
merge_subject(struct threader *t, uint32_t root)
{
	uint64_t subject = thread_subject(t, root);
	uint32_t top, dummy, next;
	struct slot *s;

	if (subject == 0)
		return;
	s = map_slot(&t->subjects, subject);
	top = s->value;
	if (top == root)
		return;
	if (t->nodes[top].uid == 0 && t->nodes[root].uid == 0) {
		for (uint32_t c = t->nodes[root].first; c != NONE; c = next) {
			next = t->nodes[c].next;
			t->nodes[c].parent = top;
		}
	} else if (t->nodes[top].uid == 0 || (t->nodes[root].reply && !t->nodes[top].reply)) {
		t->nodes[root].parent = top;
	} else {
		dummy = new_node(t);
		t->nodes[root].parent = t->nodes[top].parent = dummy;
		s->value = dummy;
	}
}

/* ---- the steps, sliced ---- */

static bool
over(uint64_t until_us, size_t n)
{
	return n % 512 == 511 && clock_mono_us() >= until_us;
}

static void
finish(struct threader *t)
{
	mem_free(&t->refs);
	mem_free(&t->ids.slots);
	mem_free(&t->subjects.slots);
	t->root = t->here = t->first_root;
	t->done(t->arg, ST_OK);
}

static void
step_place_last(struct threader *t)
{
	uint64_t until_us = clock_mono_us() + SEARCH_SLICE_US;

	if (t->at == 0)
		clear_lists(t);
	while (t->at < t->n) {
		place(t, t->order[t->at++]);
		if (over(until_us, t->at)) {
			later(t, step_place_last);
			return;
		}
	}
	finish(t);
}

static void
step_merge(struct threader *t)
{
	uint64_t until_us = clock_mono_us() + SEARCH_SLICE_US;
	size_t n = 0;

	while (t->root != NONE) {
		uint32_t next = t->nodes[t->root].next;

		merge_subject(t, t->root);
		t->root = next;
		if (over(until_us, n++)) {
			later(t, step_merge);
			return;
		}
	}
	t->at = 0;
	later(t, step_place_last);
}

static void
step_subjects(struct threader *t)
{
	uint64_t until_us = clock_mono_us() + SEARCH_SLICE_US;
	size_t n = 0;

	while (t->root != NONE) {
		note_subject(t, t->root);
		t->root = t->nodes[t->root].next;
		if (over(until_us, n++)) {
			later(t, step_subjects);
			return;
		}
	}
	t->root = t->first_root;
	later(t, step_merge);
}

static void
step_place(struct threader *t)
{
	uint64_t until_us = clock_mono_us() + SEARCH_SLICE_US;

	if (t->at == 0)
		clear_lists(t);
	while (t->at < t->n) {
		place(t, t->order[t->at++]);
		if (over(until_us, t->at)) {
			later(t, step_place);
			return;
		}
	}
	t->root = t->first_root;
	later(t, step_subjects);
}

/* A dummy at the top that has one child gives its place to it. */
static void
step_top(struct threader *t)
{
	uint64_t until_us = clock_mono_us() + SEARCH_SLICE_US;

	while (t->at < t->n) {
		uint32_t i = t->of[t->at++], parent = i != NONE ? t->nodes[i].parent : NONE;

		if (parent != NONE && t->nodes[parent].uid == 0 && t->nodes[parent].children == 1)
			t->nodes[i].parent = NONE;
		if (over(until_us, t->at)) {
			later(t, step_top);
			return;
		}
	}
	t->at = 0;
	later(t, step_place);
}

static void
step_prune(struct threader *t)
{
	uint64_t until_us = clock_mono_us() + SEARCH_SLICE_US;

	while (t->at < t->n) {
		uint32_t i = t->of[t->at++];

		if (i != NONE)
			skip_dummies(t, i);
		if (over(until_us, t->at)) {
			later(t, step_prune);
			return;
		}
	}
	t->at = 0;
	later(t, step_top);
}

static void
step_link(struct threader *t)
{
	uint64_t until_us = clock_mono_us() + SEARCH_SLICE_US;

	while (t->at < t->n) {
		if (t->sources[t->at].here)
			add_message(t, t->at);
		if (t->at++ % 64 == 63 && clock_mono_us() >= until_us) {
			later(t, step_link);
			return;
		}
	}
	for (size_t i = 0; i < t->n_nodes; i++)
		t->nodes[i].children = 0;
	t->at = 0;
	later(t, step_prune);
}

/* ORDEREDSUBJECT: in the order of dates, a message is the first of its subject or a child of
 * that one. */
static void
step_ordered(struct threader *t)
{
	uint64_t until_us = clock_mono_us() + SEARCH_SLICE_US;

	while (t->at < t->n) {
		uint32_t m = t->order[t->at++], i;
		struct slot *s;

		if (!t->sources[m].here)
			continue;
		i = new_node(t);
		t->nodes[i].uid = t->uids[m];
		s = map_slot(&t->subjects, t->sources[m].subject != 0 ? t->sources[m].subject : 1);
		if (s->value == NONE) {
			s->value = i;
			add_root(t, i);
		} else {
			link_last(t, s->value, i);
		}
		if (over(until_us, t->at)) {
			later(t, step_ordered);
			return;
		}
	}
	finish(t);
}

static void
step_radix(struct threader *t)
{
	uint64_t until_us = clock_mono_us() + SEARCH_SLICE_US;

	while (t->pass < 8) {
		radix_pass(t);
		if (t->pass < 8 && clock_mono_us() >= until_us) {
			later(t, step_radix);
			return;
		}
	}
	t->at = 0;
	t->first_root = t->last_root = NONE;
	later(t, t->job.by == IMAP_THREAD_ORDEREDSUBJECT ? step_ordered : step_link);
}

/* ---- reading ---- */

static void
add_ref(struct threader *t, struct source *m, uint64_t id)
{
	if (t->n_refs == t->refs_room) {
		t->refs_room = t->refs_room > 0 ? t->refs_room * 2 : 1024;
		t->refs = mem_realloc_array(t->refs, t->refs_room, sizeof(*t->refs));
	}
	t->refs[t->n_refs++] = id;
	m->n_refs++;
}

static void
take_column(struct threader *t, struct source *m, const struct span *col)
{
	struct mime_column_thread c;
	int zone;

	if (!mime_column_sent(col[MIME_COL_SENT], &m->date, &zone))
		uidset_add(&t->undated, t->uids[m - t->sources]);
	if (!mime_column_thread(col[MIME_COL_THREAD], &c))
		return;
	m->reply = c.reply;
	m->subject = c.subject_hash;
	m->id = c.id;
	m->refs = (uint32_t)t->n_refs;
	for (size_t i = 0; i < c.ancestors.len; i += 8)
		add_ref(t, m, get_be64(c.ancestors.p + i));
}

/* Base subjects by another collation than the columns'. */
static uint64_t
subject_hash(const struct threader *t, struct span base_subject)
{
	struct buf mapped = { 0 };
	uint64_t h = 0;

	search_map(t->job.collation, base_subject, &mapped);
	if (mapped.len > 0)
		h = mime_id_hash(buf_span(&mapped));
	buf_fini(&mapped);
	return h;
}

static void
take_list(struct threader *t, struct source *m, const struct mime_list *l)
{
	struct mime_seq ids = l->references.n > 0 ? l->references : l->in_reply_to;
	uint32_t n = l->references.n > 0 ? ids.n : ids.n > 0;
	struct span id;

	if (l->has_sent)
		m->date = l->sent_s;
	else
		uidset_add(&t->undated, t->uids[m - t->sources]);
	m->reply = l->is_reply;
	m->subject = subject_hash(t, l->base_subject);
	m->id = l->id.len > 0 ? mime_id_hash(l->id) : 0;
	m->refs = (uint32_t)t->n_refs;
	for (uint32_t i = 0; i < n && mime_seq_span(&ids, &id); i++)
		add_ref(t, m, mime_id_hash(id));
}

static void
on_message(void *arg, uint32_t uid, const struct store_row *row, const struct span *col,
    const struct mime_list *list)
{
	struct threader *t = arg;
	size_t i = uid_index(t->uids, t->n, uid, &t->next);
	struct source *m = &t->sources[i];

	if (i == t->n)
		return;
	m->here = true;
	if (row != NULL)
		m->date = row->received_s;
	else if (col != NULL)
		take_column(t, m, col);
	if (list != NULL)
		take_list(t, m, list);
}

static void on_read(void *arg, enum status st);

static void
read_dates(struct threader *t)
{
	struct columns_job read = {
		.loop = t->job.loop, .store = t->job.store, .mailbox = t->job.mailbox,
		.want = 0, .fields = ROW_SIZE
	};

	t->dating = true;
	t->columns = columns_read(&read, &t->undated, on_message, on_read, t);
}

static void
on_read(void *arg, enum status st)
{
	struct threader *t = arg;

	columns_reader_free(&t->columns);
	if (st != ST_OK) {
		t->done(t->arg, st);
		return;
	}
	if (!uidset_empty(&t->undated) && !t->dating) {
		read_dates(t);
		return;
	}
	for (size_t i = 0; i < t->n; i++) {
		t->order[i] = (uint32_t)i;
		t->of[i] = NONE;
	}
	count_bytes(t);
	later(t, step_radix);
}

static void
refuse(struct threader *t)
{
	t->done(t->arg, ST_LIMIT);
}

struct threader *
threader_start(const struct thread_job *job, const struct uidset *uids,
    void (*done)(void *arg, enum status st), void *arg)
{
	struct threader *t = mem_zalloc(sizeof(*t));
	size_t n = (size_t)uidset_count(uids), at = 0;
	struct columns_job read = {
		.loop = job->loop, .store = job->store, .mailbox = job->mailbox,
		.want = 1u << MIME_COL_SENT | 1u << MIME_COL_THREAD,
		.lists = job->collation != SEARCH_UNICODE_CASEMAP
	};

	t->job = *job;
	t->done = done;
	t->arg = arg;
	t->first_root = t->last_root = NONE;
	t->task = loop_task_new(job->loop, on_task, t);
	if (n > THREAD_MESSAGES_MAX) {
		later(t, refuse);
		return t;
	}
	t->n = n;
	t->uids = mem_array(n + 1, sizeof(*t->uids));
	t->sources = mem_array(n + 1, sizeof(*t->sources));
	t->order = mem_array(n + 1, sizeof(*t->order));
	t->other = mem_array(n + 1, sizeof(*t->other));
	t->of = mem_array(n + 1, sizeof(*t->of));
	for (size_t i = 0; i < uids->n; i++) {
		for (uint32_t k = 0; k <= uids->r[i].hi - uids->r[i].lo; k++)
			t->uids[at++] = uids->r[i].lo + k;
	}
	t->columns = columns_read(&read, uids, on_message, on_read, t);
	return t;
}

void
threader_free(struct threader **tp)
{
	struct threader *t = *tp;

	if (t == NULL)
		return;
	*tp = NULL;
	columns_reader_free(&t->columns);
	loop_task_free(&t->task);
	uidset_fini(&t->undated);
	mem_free(&t->uids);
	mem_free(&t->sources);
	mem_free(&t->refs);
	mem_free(&t->ids.slots);
	mem_free(&t->subjects.slots);
	mem_free(&t->nodes);
	mem_free(&t->order);
	mem_free(&t->other);
	mem_free(&t->of);
	mem_free(&t);
}

/* ---- telling ---- */

/* Of `here`, whose siblings are told in parentheses when it has any. */
static bool
is_split(const struct threader *t, uint32_t i)
{
	const struct node *n = &t->nodes[i];

	return n->parent == NONE || t->nodes[n->parent].first != t->nodes[n->parent].last;
}

/* Up and on: the next node behind the end of a branch. */
static uint32_t
behind(const struct threader *t, uint32_t i, struct buf *out)
{
	for (;;) {
		const struct node *n = &t->nodes[i];

		if (is_split(t, i))
			buf_add_c(out, ')');
		if (n->next != NONE)
			return n->next;
		if (n->parent == NONE)
			return NONE;
		i = n->parent;
	}
}

bool
threader_put(struct threader *t, uint32_t (*number)(void *arg, uint32_t uid), void *arg,
    struct buf *out)
{
	if (!t->begun && t->here != NONE)
		buf_add_c(out, ' ');
	t->begun = true;
	for (unsigned n = 0; n < 1000 && t->here != NONE; n++) {
		const struct node *x = &t->nodes[t->here];

		if (is_split(t, t->here)) {
			/* "(3 6 (4 23)(44 7 96))": a blank stands before the first only */
			if (x->parent != NONE && x->prev == NONE && t->nodes[x->parent].uid != 0)
				buf_add_c(out, ' ');
			buf_add_c(out, '(');
		} else {
			buf_add_c(out, ' ');
		}
		if (x->uid != 0)
			buf_add_u64(out, number(arg, x->uid));
		t->here = x->first != NONE ? x->first : behind(t, t->here, out);
	}
	return t->here == NONE;
}
