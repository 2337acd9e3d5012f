/* Each message is a row of keys (order.h); what is equal stays in the mailbox's order.
 *
 * Texts come from columns and may be cut there: where that could matter, the LIST blobs
 * give the whole ones before anything is sorted. */
#include "imapd/sorter.h"

#include "common/util/clock.h"
#include "common/util/mem.h"
#include "imapd/uid_index.h"
#include "storage/client/columns.h"
#include "storage/client/sort_texts.h"

struct sorter {
	struct sort_job		job;
	struct imap_sort_criterion criteria[IMAP_SORT_MAX];
	enum mime_column	column[IMAP_SORT_MAX];	/* where they are */
	bool			is_text[IMAP_SORT_MAX], reverse[IMAP_SORT_MAX];
	bool			compares[IMAP_SORT_MAX];	/* texts; annotations are, too */
	void			(*done)(void *arg, enum status st);
	void			*arg;
	struct loop_task	*task;
	void			(*step)(struct sorter *s);
	struct columns_reader	*columns;
	size_t			n, nc;
	uint32_t		*uids;
	size_t			next;		/* index that the next one read has, most likely */
	unsigned char		*scores;
	bool			*here;		/* the store still has it */
	struct sort_texts	keys;		/* nc of each for every message */
	struct uidset		undated;	/* no valid Date: INTERNALDATE is read for them */
	bool			whole;		/* the second reading: LIST blobs */
	bool			dating;		/* the last reading: rows of the undated */
	struct store_call	*call;		/* of annotations */
	size_t			noted;		/* criteria whose annotations were read */
	struct order		*order;
};

static void
on_task(void *arg)
{
	struct sorter *s = arg;

	s->step(s);
}

static void
later(struct sorter *s, void (*step)(struct sorter *s))
{
	s->step = step;
	loop_task_post(s->task);
}

/* ---- keys ---- */

/* Numbers that may be negative, in the order of unsigned ones. */
static uint64_t
ordered(int64_t v)
{
	return (uint64_t)v ^ UINT64_C(1) << 63;
}

static enum mime_column
key_column(enum imap_sort_key key)
{
	switch (key) {
	case IMAP_SORT_CC:
		return MIME_COL_CC_KEY;
	case IMAP_SORT_FROM:
		return MIME_COL_FROM_KEY;
	case IMAP_SORT_TO:
		return MIME_COL_TO_KEY;
	case IMAP_SORT_SUBJECT:
		return MIME_COL_SUBJECT_KEY;
	case IMAP_SORT_DISPLAY_FROM:
		return MIME_COL_FROM_DISPLAY;
	case IMAP_SORT_DISPLAY_TO:
		return MIME_COL_TO_DISPLAY;
	case IMAP_SORT_DATE:
		return MIME_COL_SENT;
	default:
		return MIME_COLUMNS;
	}
}

static void
know_criteria(struct sorter *s)
{
	for (size_t c = 0; c < s->nc; c++) {
		s->column[c] = key_column(s->criteria[c].key);
		s->is_text[c] = s->column[c] != MIME_COLUMNS && s->criteria[c].key != IMAP_SORT_DATE;
		s->compares[c] = s->is_text[c] || s->criteria[c].key == IMAP_SORT_ANNOTATION;
		s->reverse[c] = s->criteria[c].reverse;
	}
}

static void
take_list(struct sorter *s, size_t i, const struct mime_list *l)
{
	for (size_t c = 0; c < s->nc; c++) {
		enum imap_sort_key key = s->criteria[c].key;
		size_t k = i * s->nc + c;
		struct buf text = { 0 };

		if (key == IMAP_SORT_DATE && l->has_sent)
			s->keys.prefix[k] = ordered(l->sent_s);
		else if (key == IMAP_SORT_DATE)
			uidset_add(&s->undated, s->uids[i]);
		if (!s->is_text[c])
			continue;
		sort_list_text(s->column[c], s->job.collation, l, &text);
		sort_texts_set(&s->keys, k, buf_span(&text), false);
		buf_fini(&text);
	}
}

static void
take_columns(struct sorter *s, size_t i, const struct span *col)
{
	for (size_t c = 0; c < s->nc; c++) {
		enum imap_sort_key key = s->criteria[c].key;
		size_t k = i * s->nc + c;
		struct span text;
		int64_t sent_s;
		bool cut;
		int zone;

		if (key == IMAP_SORT_DATE) {
			if (mime_column_sent(col[MIME_COL_SENT], &sent_s, &zone))
				s->keys.prefix[k] = ordered(sent_s);
			else
				uidset_add(&s->undated, s->uids[i]);
		} else if (s->is_text[c]) {
			mime_column_text(col[s->column[c]], &text, &cut);
			sort_texts_set(&s->keys, k, text, cut);
		}
	}
}

/* Of INTERNALDATE and size; that of messages without a valid Date comes in a reading of its own
 * (RFC 5256 §2.2). */
static void
take_row(struct sorter *s, size_t i, const struct store_row *row)
{
	for (size_t c = 0; c < s->nc; c++) {
		enum imap_sort_key key = s->criteria[c].key;
		size_t k = i * s->nc + c;

		if (key == IMAP_SORT_ARRIVAL || (key == IMAP_SORT_DATE && s->dating))
			s->keys.prefix[k] = ordered(row->received_s);
		else if (key == IMAP_SORT_SIZE)
			s->keys.prefix[k] = row->size;
	}
}

static void
on_message(void *arg, uint32_t uid, const struct store_row *row, const struct span *col,
    const struct mime_list *list)
{
	struct sorter *s = arg;
	size_t i = uid_index(s->uids, s->n, uid, &s->next);

	if (i == s->n)
		return;
	s->here[i] = true;
	if (row != NULL)
		take_row(s, i, row);
	if (col != NULL && !s->dating)
		take_columns(s, i, col);
	if (list != NULL)
		take_list(s, i, list);
}

/* ---- order ---- */

static void
end(struct sorter *s)
{
	size_t n = 0;
	uint32_t *uids = mem_array(s->n + 1, sizeof(*uids));
	unsigned char *scores = s->scores != NULL ? mem_alloc(s->n + 1) : NULL;

	for (size_t i = 0; i < s->n; i++) {
		size_t row = order_at(s->order, i);

		if (!s->here[row])
			continue;
		if (scores != NULL)
			scores[n] = s->scores[row];
		uids[n++] = s->uids[row];
	}
	mem_free(&s->uids);
	mem_free(&s->scores);
	s->uids = uids;
	s->scores = scores;
	s->n = n;
	s->done(s->arg, ST_OK);
}

static void
put_in_order(struct sorter *s)
{
	if (order_run(s->order, clock_mono_us() + SEARCH_SLICE_US))
		end(s);
	else
		later(s, put_in_order);
}

static void
start_order(struct sorter *s)
{
	const struct order_keys keys = { s->n, s->nc, s->keys.prefix, s->keys.text, s->keys.texts.data,
	    s->compares, s->reverse };

	s->order = order_new(&keys);
	later(s, put_in_order);
}

/* ---- cut texts ---- */

struct cut_ones {
	const struct sorter	*s;
	struct uidset		*uids;
};

static void
add_cut(void *arg, size_t row)
{
	struct cut_ones *c = arg;

	uidset_add(c->uids, c->s->uids[row]);
}

static void on_read(void *arg, enum status st);

/* ---- annotations ---- */

static void
take_annotation(struct sorter *s, const struct store_annotation *a)
{
	size_t i = uid_index(s->uids, s->n, a->uid, &s->next);
	struct buf text = { 0 };

	if (i == s->n)
		return;
	search_map(s->job.collation, a->value, &text);
	sort_texts_set(&s->keys, i * s->nc + s->noted, buf_span(&text), false);
	buf_fini(&text);
}

static void
on_annotations(void *arg, enum status st, bool more, const void *msg)
{
	struct sorter *s = arg;
	const struct store_annotations_are *are = msg;
	struct store_annotation a;
	struct reader r;

	if (st == ST_OK && are != NULL && are->entries.len > 0) {
		reader_init(&r, are->entries.p, are->entries.len);
		while (get_store_annotation(&r, &a))
			take_annotation(s, &a);
	}
	if (more)
		return;
	s->call = NULL;
	s->noted++;
	on_read(s, st);
}

/* Those of the next criterion that is one; false: all were read.  What has none comes first. */
static bool
read_annotations(struct sorter *s)
{
	struct store_annotations rq = { .mailbox = s->job.mailbox, .max_size = UINT32_MAX };
	struct uidset uids = { 0 };
	struct buf set = { 0 }, names = { 0 };

	while (s->noted < s->nc && s->criteria[s->noted].key != IMAP_SORT_ANNOTATION)
		s->noted++;
	if (s->noted == s->nc || s->n == 0)
		return false;
	for (size_t i = 0; i < s->n; i++)
		uidset_add(&uids, s->uids[i]);
	put_span(&names, s->criteria[s->noted].entry);
	uidset_encode(&uids, &set);
	rq.uids = buf_span(&set);
	rq.names = buf_span(&names);
	rq.which = s->criteria[s->noted].shared ? ANNOTATIONS_SHARED : ANNOTATIONS_PRIVATE;
	s->next = 0;
	s->call = store_do_annotations(s->job.store, &rq, on_annotations, s);
	uidset_fini(&uids);
	buf_fini(&set);
	buf_fini(&names);
	return true;
}

static void
read_whole(struct sorter *s, const struct uidset *uids)
{
	struct columns_job job = {
		.loop = s->job.loop, .store = s->job.store, .mailbox = s->job.mailbox,
		.want = 1u << MIME_COL_SENT, .lists = true
	};

	s->whole = true;
	s->columns = columns_read(&job, uids, on_message, on_read, s);
}

static void
read_dates(struct sorter *s)
{
	struct columns_job job = {
		.loop = s->job.loop, .store = s->job.store, .mailbox = s->job.mailbox,
		.want = 0, .fields = ROW_SIZE
	};

	s->dating = true;
	s->columns = columns_read(&job, &s->undated, on_message, on_read, s);
}

static void
on_read(void *arg, enum status st)
{
	struct sorter *s = arg;
	struct uidset cut = { 0 };
	struct cut_ones cutting = { s, &cut };

	columns_reader_free(&s->columns);
	if (st == ST_OK && s->keys.over)
		st = ST_LIMIT;
	if (st != ST_OK) {
		s->done(s->arg, st);
		return;
	}
	for (size_t c = 0; c < s->nc && !s->whole && !s->dating && s->noted == 0; c++) {
		if (s->is_text[c])
			sort_texts_alike(&s->keys, c, add_cut, &cutting);
	}
	if (!uidset_empty(&cut)) {
		read_whole(s, &cut);
	} else if (!uidset_empty(&s->undated) && !s->dating && s->noted == 0) {
		read_dates(s);
	} else if (!read_annotations(s)) {
		start_order(s);
	}
	uidset_fini(&cut);
}

/* ---- outside ---- */

static void
refuse(struct sorter *s)
{
	s->done(s->arg, ST_LIMIT);
}

static void
read_keys(struct sorter *s, const struct uidset *uids)
{
	struct columns_job job = {
		.loop = s->job.loop, .store = s->job.store, .mailbox = s->job.mailbox
	};
	bool texts = false;

	for (size_t c = 0; c < s->nc; c++) {
		enum imap_sort_key key = s->criteria[c].key;

		texts |= s->is_text[c];
		if (key == IMAP_SORT_ARRIVAL || key == IMAP_SORT_SIZE)
			job.fields |= ROW_SIZE;
		if (s->column[c] != MIME_COLUMNS)
			job.want |= 1u << s->column[c];
	}
	job.lists = texts && s->job.collation != SEARCH_UNICODE_CASEMAP;
	s->whole = job.lists;
	s->columns = columns_read(&job, uids, on_message, on_read, s);
}

struct sorter *
sorter_start(const struct sort_job *job, const struct search_found *found,
    void (*done)(void *arg, enum status st), void *arg)
{
	struct sorter *s = mem_zalloc(sizeof(*s));
	size_t n = (size_t)uidset_count(&found->uids), at = 0;

	s->job = *job;
	s->nc = job->n_criteria;
	memcpy(s->criteria, job->criteria, s->nc * sizeof(*s->criteria));
	know_criteria(s);
	s->done = done;
	s->arg = arg;
	s->task = loop_task_new(job->loop, on_task, s);
	if (n > SORT_BYTES_MAX / (s->nc * 20 + 8 + ORDER_ROW_BYTES)) {
		later(s, refuse);
		return s;
	}
	s->n = n;
	s->uids = mem_array(n + 1, sizeof(*s->uids));
	s->here = mem_array(n + 1, sizeof(*s->here));
	sort_texts_init(&s->keys, n, s->nc);
	for (size_t i = 0; i < found->uids.n; i++) {
		const struct uidrange *r = &found->uids.r[i];

		for (uint32_t k = 0; k <= r->hi - r->lo; k++)
			s->uids[at++] = r->lo + k;
	}
	if (found->scores != NULL)
		s->scores = mem_dup(found->scores, n);
	for (size_t c = 0; c < s->nc; c++) {
		/* the highest score comes first */
		for (size_t i = 0; s->criteria[c].key == IMAP_SORT_RELEVANCY && i < n; i++)
			s->keys.prefix[i * s->nc + c] = 100u - (s->scores != NULL ? s->scores[i] : 0u);
	}
	read_keys(s, &found->uids);
	return s;
}

void
sorter_free(struct sorter **sp)
{
	struct sorter *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	columns_reader_free(&s->columns);
	store_cancel(&s->call);
	loop_task_free(&s->task);
	uidset_fini(&s->undated);
	mem_free(&s->uids);
	mem_free(&s->scores);
	mem_free(&s->here);
	sort_texts_fini(&s->keys);
	order_free(&s->order);
	mem_free(&s);
}

void
sorter_take(struct sorter *s, uint32_t **uids, size_t *n, unsigned char **scores)
{
	*uids = s->uids;
	*n = s->n;
	*scores = s->scores;
	s->uids = NULL;
	s->scores = NULL;
}
