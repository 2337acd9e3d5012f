/* A search under way.  Messages go from stage to stage, each of which settles some:
 *
 *	todo    -- keys that are sets of uids (\Seen and \Deleted are, too; annotations become
 *	           some first) --> todo
 *	todo    -- the program alone --> left
 *	left    -- rows and columns, a chunk at once --> open; listed: only bytes are missing
 *	chunk   -- BODY and TEXT by the texts that the store keeps (searcher_texts.c): at once when
 *	           nothing else is asked for, else of what is open behind that
 *	open    -- LIST blobs, a group at once --> bodies
 *	bodies  -- streamed, one message after the other */
#include "storage/client/searcher_priv.h"

#include <stdlib.h>

#include "common/util/clock.h"
#include "common/util/mem.h"

#define CHUNK_MAX	65536u		/* messages whose rows or columns are asked for at once */
#define CHUNK_KEYS	400000u		/* messages times keys of a chunk */
#define GROUP		128u		/* LIST blobs asked for at once */
#define ANSWER_BYTES	(4u << 20)	/* of columns in one answer */

static void
on_task(void *arg)
{
	struct searcher *s = arg;

	s->step(s);
}

void
searcher_later(struct searcher *s, void (*step)(struct searcher *s))
{
	s->step = step;
	loop_task_post(s->task);
}

static int
by_uid(const void *a, const void *b)
{
	const struct score *x = a, *y = b;

	return x->uid < y->uid ? -1 : x->uid > y->uid;
}

void
searcher_finish(struct searcher *s)
{
	if (s->n_scores > 0) {
		qsort(s->scores, s->n_scores, sizeof(*s->scores), by_uid);
		s->found.scores = mem_alloc(s->n_scores);
		for (size_t i = 0; i < s->n_scores; i++)
			s->found.scores[i] = s->scores[i].score;
	}
	s->done(s->arg, s->failed);
}

/* ---- judging ---- */

const struct store_row *
searcher_row(const struct searcher *s, uint32_t uid)
{
	size_t lo = 0, hi = s->n_rows;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->rows[mid].uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->n_rows && s->rows[lo].uid == uid ? &s->rows[lo] : NULL;
}

static int32_t
local_day(const struct store_row *row)
{
	int64_t local = row->received_s + (int64_t)row->received_zone * 60;

	return (int32_t)(local / 86400 - (local % 86400 < 0));
}

static void
keep_found(struct searcher *s, uint32_t uid, uint64_t modseq, const struct search_message *m)
{
	uidset_add(&s->found.uids, uid);
	if (modseq > s->found.modseq)
		s->found.modseq = modseq;
	if (s->first == 0 || uid < s->first) {
		s->first = uid;
		s->found.first_modseq = modseq;
	}
	if (uid > s->last) {
		s->last = uid;
		s->found.last_modseq = modseq;
	}
	if (!s->job.scores)
		return;
	if (s->n_scores == s->score_room) {
		s->score_room = s->score_room > 0 ? s->score_room * 2 : 64;
		s->scores = mem_realloc_array(s->scores, s->score_room, sizeof(*s->scores));
	}
	s->scores[s->n_scores++] = (struct score){ uid,
	    (unsigned char)search_relevancy(s->p, m) };
}

/* m holds what else is known of the message. */
enum search_answer
searcher_judge(struct searcher *s, const struct store_row *row, uint32_t uid, struct search_message *m)
{
	enum search_answer a;

	m->uid = uid;
	m->recent = s->job.recent != NULL && uidset_has(s->job.recent, uid);
	if (row != NULL) {
		m->has |= SEARCH_HAS_ROW | (s->p->needs & SEARCH_HAS_IDS);
		m->flags = flags_get_system(row->flags);
		m->all_flags = &row->flags;
		m->modseq = row->modseq;
		m->size = row->size;
		m->received_s = row->received_s;
		m->received_day = local_day(row);
		m->email = row->message;
		m->thread = row->thread;
		m->saved_s = row->saved_s;
	}
	searcher_texts_hits(s, uid, m);
	a = search_judge(s->p, m);
	if (a == SEARCH_YES)
		keep_found(s, uid, row != NULL ? row->modseq : 0, m);
	return a;
}

/* ---- LIST blobs ---- */

static void
judge_list(struct searcher *s, const struct store_cache *c)
{
	struct search_message m = { .has = SEARCH_HAS_LIST };
	struct mime_list list;

	if (mime_list_read(c->list, &list) != ST_OK)
		return;
	m.list = &list;
	if (searcher_judge(s, searcher_row(s, c->uid), c->uid, &m) != SEARCH_UNKNOWN)
		uidset_remove_range(&s->bodies, c->uid, c->uid);
}

static void
group_listed(struct searcher *s)
{
	s->resume_uid = 0;
	s->resume_offset = 0;
	s->reading = s->over = 0;
	searcher_ask_bodies(s);
}

/* What a program of many keys does with 128 blobs is bounded; parts of a reply are smaller. */
static void
on_cache(void *arg, enum status st, bool more, const void *msg)
{
	struct searcher *s = arg;
	const struct store_cache_is *is = msg;
	struct store_cache c;
	struct reader r;

	if (!more)
		s->call = NULL;
	if (st == ST_OK && is != NULL) {
		reader_init(&r, is->entries.p, is->entries.len);
		while (is->entries.len > 0 && get_store_cache(&r, &c))
			judge_list(s, &c);
	}
	if (more)
		return;
	if (st != ST_OK) {
		s->failed = st;
		searcher_finish(s);
	} else {
		searcher_later(s, group_listed);
	}
}

static void
take_some(struct uidset *from, uint32_t max, struct uidset *some)
{
	size_t whole = 0;

	while (max > 0 && whole < from->n) {
		struct uidrange r = from->r[whole];

		if (r.hi - r.lo >= max)
			r.hi = r.lo + max - 1;
		max -= r.hi - r.lo + 1;
		uidset_add_range(some, r.lo, r.hi);
		if (r.hi < from->r[whole].hi)
			break;
		whole++;
	}
	if (some->n > 0)
		uidset_remove_range(from, 1, some->r[some->n - 1].hi);
}

/* LIST blobs of many keys' worth of work come in small groups. */
static uint32_t
group_size(const struct searcher *s)
{
	return s->p->n_nodes > 100 ? 8 : s->p->n_nodes > 10 ? 32 : GROUP;
}

void
searcher_next_group(struct searcher *s)
{
	struct store_cache_get rq = { .mailbox = s->job.mailbox, .want = CACHE_LIST };
	struct buf set = { 0 };

	if (!uidset_empty(&s->listed)) {
		take_some(&s->listed, group_size(s), &s->bodies);
		group_listed(s);
		return;
	}
	if (uidset_empty(&s->open)) {
		searcher_next_chunk(s);
		return;
	}
	take_some(&s->open, group_size(s), &s->bodies);
	if (!(s->p->needs & SEARCH_HAS_LIST)) {
		group_listed(s);
		return;
	}
	uidset_encode(&s->bodies, &set);
	rq.uids = buf_span(&set);
	s->call = store_do_cache(s->job.store, &rq, on_cache, s);
	buf_fini(&set);
}

/* ---- rows ---- */

static int
keyword_bit(void *arg, struct span name)
{
	const struct span *list = arg;
	struct span have;
	struct reader r;

	reader_init(&r, list->p, list->len);
	for (int i = 0; list->len > 0 && i < (int)KEYWORD_MAX && get_store_keyword(&r, &have); i++) {
		if (span_caseeq(have, name))
			return i;
	}
	return -1;
}

/* Rows may use keywords that were new to us: their list comes along. */
static void
learn_keywords(struct searcher *s, struct span list)
{
	if (list.len <= s->n_keywords)
		return;
	s->n_keywords = (uint32_t)list.len;
	search_resolve_keywords(s->p, keyword_bit, &list);
}

static void
keep_row(struct searcher *s, const struct store_row *row)
{
	if (s->n_rows == s->room) {
		s->room = s->room > 0 ? s->room * 2 : 64;
		s->rows = mem_realloc_array(s->rows, s->room, sizeof(*s->rows));
	}
	s->rows[s->n_rows++] = *row;
}

static unsigned
row_fields(const struct searcher *s)
{
	return ROW_FLAGS | ROW_SIZE | (s->p->needs & SEARCH_HAS_IDS ? ROW_IDS : 0u);
}

static void
stay_open(struct searcher *s, const struct store_row *row, uint32_t uid, struct uidset *set)
{
	uidset_add(set, uid);
	/* one that was open before, when its text was asked for, has its row here */
	if (row != NULL && searcher_row(s, uid) == NULL)
		keep_row(s, row);
}

/* By columns where they are known: what they leave open the LIST blob settles, or the bytes. */
static void
judge_columns(struct searcher *s, const struct store_columns_row *row)
{
	const struct store_row *fields = s->need_rows ? &row->row : NULL;
	struct span columns[MIME_COLUMNS] = { 0 };
	struct search_message m = { 0 };
	unsigned n = 0;

	for (uint32_t want = row->known ? s->p->columns : 0; want != 0; want &= want - 1)
		columns[__builtin_ctz(want)] = row->col[n++];
	if (row->known) {
		m.has = SEARCH_HAS_COLUMNS;
		m.columns = columns;
	}
	if (searcher_judge(s, fields, row->uid, &m) == SEARCH_UNKNOWN)
		stay_open(s, fields, row->uid,
		    row->known && (s->p->needs & SEARCH_HAS_TEXT) ? &s->listed : &s->open);
}

static void
chunk_read(struct searcher *s, enum status st)
{
	s->chunk_asked = s->resume_uid != 0;
	if (st != ST_OK) {
		s->failed = st;
		searcher_finish(s);
	} else if (s->resume_uid != 0) {
		searcher_later(s, searcher_ask_columns);
	} else {
		searcher_later(s, s->texts.asked ? searcher_next_group : searcher_texts_ask_open);
	}
}

static void
on_columns(void *arg, enum status st, bool more, const void *msg)
{
	struct searcher *s = arg;
	const struct store_columns_are *are = msg;
	struct store_columns_row row;
	struct reader r;

	if (!more)
		s->call = NULL;
	if (st == ST_OK && are != NULL) {
		learn_keywords(s, are->keywords);
		reader_init(&r, are->rows.p, are->rows.len);
		while (are->rows.len > 0 && get_store_columns_row(&r, &row,
		    s->need_rows ? row_fields(s) : 0, s->p->columns))
			judge_columns(s, &row);
		s->resume_uid = are->resume_uid;
	}
	if (!more)
		chunk_read(s, st);
}

void
searcher_ask_columns(struct searcher *s)
{
	struct store_columns rq = {
		.mailbox = s->job.mailbox, .want = s->p->columns, .version = MIME_COLUMNS_VERSION,
		.fields = (uint8_t)(s->need_rows ? row_fields(s) : 0), .budget = ANSWER_BYTES
	};
	struct buf set = { 0 };

	if (s->resume_uid > 1)
		uidset_remove_range(&s->chunk, 1, s->resume_uid - 1);
	s->resume_uid = 0;
	uidset_encode(&s->chunk, &set);
	rq.uids = buf_span(&set);
	s->call = store_do_columns(s->job.store, &rq, on_columns, s);
	buf_fini(&set);
}

static void
on_rows(void *arg, enum status st, bool more, const void *msg)
{
	struct searcher *s = arg;
	const struct store_rows_are *are = msg;
	struct store_row row;
	struct reader r;

	if (!more)
		s->call = NULL;
	if (st == ST_OK && are != NULL) {
		learn_keywords(s, are->keywords);
		reader_init(&r, are->rows.p, are->rows.len);
		while (are->rows.len > 0 && get_store_row(&r, &row, row_fields(s))) {
			struct search_message m = { 0 };

			if (searcher_judge(s, &row, row.uid, &m) == SEARCH_UNKNOWN)
				stay_open(s, &row, row.uid, &s->open);
		}
	}
	s->resume_uid = 0;
	if (!more)
		chunk_read(s, st);
}

static uint32_t
chunk_size(const struct searcher *s)
{
	uint32_t n = CHUNK_KEYS / (s->p->n_nodes > 0 ? s->p->n_nodes : 1);

	return n > CHUNK_MAX ? CHUNK_MAX : n;
}

/* What is known of the chunk without its texts. */
static void
ask_rows(struct searcher *s)
{
	struct store_rows rq = {
		.mailbox = s->job.mailbox, .fields = (uint8_t)row_fields(s)
	};
	struct buf set = { 0 };

	if (uidset_empty(&s->chunk)) {
		searcher_next_group(s);
	} else if (s->p->columns != 0) {
		s->chunk_asked = true;
		searcher_ask_columns(s);
	} else if (!s->need_rows) {
		uidset_add_set(&s->open, &s->chunk);
		searcher_next_group(s);
	} else {
		uidset_encode(&s->chunk, &set);
		rq.uids = buf_span(&set);
		s->chunk_asked = true;
		s->call = store_do_rows(s->job.store, &rq, on_rows, s);
		buf_fini(&set);
	}
}

void
searcher_next_chunk(struct searcher *s)
{
	if (uidset_empty(&s->left)) {
		searcher_finish(s);
		return;
	}
	s->n_rows = 0;
	s->resume_uid = 0;
	uidset_clear(&s->chunk);
	take_some(&s->left, chunk_size(s), &s->chunk);
	searcher_texts_begin(s);
	if (searcher_texts_first(s))
		searcher_texts_ask_first(s, ask_rows);
	else
		ask_rows(s);
}

/* ---- the program alone ---- */

void
searcher_judge_view(struct searcher *s)
{
	uint64_t until_us = clock_mono_us() + SEARCH_SLICE_US;
	uint32_t done = 0, n = 0, step = 1 + 20000 / (s->p->n_nodes + 1);

	for (uint32_t uid = uidset_next(&s->todo, 0); uid != 0; uid = uidset_next(&s->todo, uid)) {
		struct search_message m = { 0 };

		if (searcher_judge(s, NULL, uid, &m) == SEARCH_UNKNOWN)
			uidset_add(&s->left, uid);
		done = uid;
		if (++n % step == 0 && clock_mono_us() >= until_us)
			break;
	}
	if (done > 0)
		uidset_remove_range(&s->todo, 1, done);
	if (uidset_empty(&s->todo))
		searcher_next_chunk(s);
	else
		searcher_later(s, searcher_judge_view);
}

struct searcher *
searcher_start(const struct search_job *job, struct uidset *uids,
    void (*done)(void *arg, enum status st), void *arg)
{
	struct searcher *s = mem_zalloc(sizeof(*s));

	s->job = *job;
	s->p = job->program;
	s->done = done;
	s->arg = arg;
	s->todo = *uids;
	*uids = (struct uidset){ 0 };
	s->need_rows = job->modseqs || (s->p->needs & (SEARCH_HAS_ROW | SEARCH_HAS_TEXT)) != 0;
	s->task = loop_task_new(job->loop, on_task, s);
	search_resolve_keywords(s->p, keyword_bit, &s->job.keywords);
	s->n_keywords = (uint32_t)job->keywords.len;
	s->goal = uidset_count(&s->todo);
	searcher_later(s, searcher_ask_annotations);
	return s;
}

void
searcher_progress(const struct searcher *s, uint64_t *done, uint64_t *goal)
{
	uint64_t open = uidset_count(&s->todo) + uidset_count(&s->left) + uidset_count(&s->open) +
	    uidset_count(&s->listed) + uidset_count(&s->bodies) +
	    (s->chunk_asked ? uidset_count(&s->chunk) : 0);

	*goal = s->goal;
	*done = open < s->goal ? s->goal - open : 0;
}

void
searcher_free(struct searcher **sp)
{
	struct searcher *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	store_cancel(&s->call);
	loop_task_free(&s->task);
	search_found_fini(&s->found);
	uidset_fini(&s->here);
	uidset_fini(&s->unseen);
	uidset_fini(&s->deleted);
	uidset_fini(&s->todo);
	uidset_fini(&s->left);
	uidset_fini(&s->open);
	uidset_fini(&s->listed);
	uidset_fini(&s->bodies);
	uidset_fini(&s->chunk);
	searcher_texts_fini(s);
	mem_free(&s->scores);
	mem_free(&s->rows);
	search_scan_free(&s->scan);
	body_reader_free(&s->reader);
	buf_fini(&s->queue);
	buf_fini(&s->raw);
	mem_free(&s);
}

void
searcher_take(struct searcher *s, struct search_found *f)
{
	*f = s->found;
	s->found = (struct search_found){ 0 };
}

void
search_found_fini(struct search_found *f)
{
	uidset_fini(&f->uids);
	mem_free(&f->scores);
}
