#include "storage/client/columns.h"

#include "common/mime/digest.h"
#include "common/util/mem.h"
#include "storage/client/body.h"

#define ANSWER_BYTES	(4u << 20)	/* of one answer; the rest is asked for then */
#define GROUP		128u		/* LIST blobs asked for at once */
#define BODY_BUDGET	(256u << 10)

struct columns_reader {
	struct columns_job	job;
	columns_fn		each;
	void			(*done)(void *arg, enum status st);
	void			*arg;
	struct loop_task	*task;
	void			(*step)(struct columns_reader *r);
	struct store_call	*call;
	enum status		failed;
	struct uidset		todo, unknown, group;
	struct span		col[MIME_COLUMNS];	/* of the row at hand; those not wanted are empty */
	uint32_t		resume_uid;
	/* bytes of the message that has no LIST blob */
	struct mime_digest	*digest;
	struct body_reader	*reader;
	struct buf		raw;
	uint64_t		resume_offset;
};

static void ask_columns(struct columns_reader *r);
static void next_group(struct columns_reader *r);
static void next_body(struct columns_reader *r);

static void
on_task(void *arg)
{
	struct columns_reader *r = arg;

	r->step(r);
}

static void
later(struct columns_reader *r, void (*step)(struct columns_reader *r))
{
	r->step = step;
	loop_task_post(r->task);
}

static void
finish(struct columns_reader *r)
{
	r->done(r->arg, r->failed);
}

static void
give_list(struct columns_reader *r, uint32_t uid, const struct mime_list *list)
{
	struct mime_columns made = { 0 };
	struct span col[MIME_COLUMNS] = { 0 };
	size_t at = 0;

	if (r->job.lists) {
		r->each(r->arg, uid, NULL, NULL, list);
		return;
	}
	mime_columns_add_list(&made, list);
	for (unsigned i = 0; i < made.n; i++) {
		col[i] = span_sub(buf_span(&made.bytes), at, made.len[i]);
		at += made.len[i];
	}
	r->each(r->arg, uid, NULL, col, NULL);
	buf_fini(&made.bytes);
}

/* ---- bytes ---- */

static void
take_piece(struct columns_reader *r, const struct store_body_piece *p)
{
	struct mime_digest_result d;
	struct mime_list list;

	if (r->reader == NULL) {
		r->reader = body_reader_new(0, STORE_SIZE_MAX);
		r->digest = mime_digest_new(0);
	}
	for (size_t at = 0; at < p->data.len && r->failed == ST_OK; at += 1024) {
		if (body_reader_feed(r->reader, span_sub(p->data, at, 1024), &r->raw) != ST_OK)
			r->failed = ST_CORRUPT;
		mime_digest_feed(r->digest, r->raw.data, r->raw.len);
		buf_clear(&r->raw);
	}
	if (p->offset + p->data.len < p->stored_size || r->failed != ST_OK)
		return;
	mime_digest_finish(r->digest, &d);
	if (mime_list_read(d.list, &list) == ST_OK)
		give_list(r, p->uid, &list);
	mime_digest_free(&r->digest);
	body_reader_free(&r->reader);
}

static void
on_body(void *arg, enum status st, bool more, const void *msg)
{
	struct columns_reader *r = arg;
	const struct store_body_is *is = msg;
	struct store_body_piece p;
	struct reader in;

	if (!more)
		r->call = NULL;
	if (st == ST_OK && is != NULL) {
		reader_init(&in, is->pieces.p, is->pieces.len);
		while (is->pieces.len > 0 && get_store_body_piece(&in, &p))
			take_piece(r, &p);
		r->resume_uid = is->resume_uid;
		r->resume_offset = is->resume_offset;
	}
	if (more)
		return;
	if (st != ST_OK)
		r->failed = st;
	if (r->failed != ST_OK)
		finish(r);
	else
		later(r, next_body);
}

/* Those of the group that had no blob, one after the other. */
static void
next_body(struct columns_reader *r)
{
	struct store_body rq = { .mailbox = r->job.mailbox, .budget = BODY_BUDGET };
	struct uidset one = { 0 };
	struct buf set = { 0 };
	uint32_t uid = r->resume_uid;

	if (uid == 0) {
		mime_digest_free(&r->digest);
		body_reader_free(&r->reader);
		uid = uidset_next(&r->group, 0);
		r->resume_offset = 0;
	}
	if (uid == 0) {
		next_group(r);
		return;
	}
	uidset_remove_range(&r->group, uid, uid);
	r->resume_uid = 0;
	rq.offset = r->resume_offset;
	uidset_add(&one, uid);
	uidset_encode(&one, &set);
	rq.uids = buf_span(&set);
	r->call = store_do_body(r->job.store, &rq, on_body, r);
	uidset_fini(&one);
	buf_fini(&set);
}

/* ---- LIST blobs ---- */

static void
on_cache(void *arg, enum status st, bool more, const void *msg)
{
	struct columns_reader *r = arg;
	const struct store_cache_is *is = msg;
	struct store_cache c;
	struct mime_list list;
	struct reader in;

	if (!more)
		r->call = NULL;
	if (st == ST_OK && is != NULL) {
		reader_init(&in, is->entries.p, is->entries.len);
		while (is->entries.len > 0 && get_store_cache(&in, &c)) {
			if (mime_list_read(c.list, &list) != ST_OK)
				continue;
			give_list(r, c.uid, &list);
			uidset_remove_range(&r->group, c.uid, c.uid);
		}
	}
	if (more)
		return;
	r->failed = st;
	r->resume_uid = 0;
	if (st != ST_OK)
		finish(r);
	else
		later(r, next_body);
}

static void
next_group(struct columns_reader *r)
{
	struct store_cache_get rq = { .mailbox = r->job.mailbox, .want = CACHE_LIST };
	struct buf set = { 0 };
	uint32_t uid = 0;

	if (uidset_empty(&r->unknown)) {
		finish(r);
		return;
	}
	for (unsigned n = 0; n < GROUP && (uid = uidset_next(&r->unknown, uid)) != 0; n++)
		uidset_add(&r->group, uid);
	uidset_remove_range(&r->unknown, 1, r->group.r[r->group.n - 1].hi);
	uidset_encode(&r->group, &set);
	rq.uids = buf_span(&set);
	r->call = store_do_cache(r->job.store, &rq, on_cache, r);
	buf_fini(&set);
}

/* ---- columns ---- */

static void
take_row(struct columns_reader *r, const struct store_columns_row *row)
{
	const struct store_row *fields = r->job.fields != 0 ? &row->row : NULL;
	unsigned n = 0;

	if (!row->known || r->job.lists) {
		uidset_add(&r->unknown, row->uid);
		if (fields != NULL)
			r->each(r->arg, row->uid, fields, NULL, NULL);
		return;
	}
	for (uint32_t want = r->job.want; want != 0; want &= want - 1)
		r->col[__builtin_ctz(want)] = row->col[n++];
	r->each(r->arg, row->uid, fields, r->col, NULL);
}

static void
on_columns(void *arg, enum status st, bool more, const void *msg)
{
	struct columns_reader *r = arg;
	const struct store_columns_are *are = msg;
	struct store_columns_row row;
	struct reader in;

	if (!more)
		r->call = NULL;
	if (st == ST_OK && are != NULL) {
		reader_init(&in, are->rows.p, are->rows.len);
		while (are->rows.len > 0 && get_store_columns_row(&in, &row, r->job.fields, r->job.want))
			take_row(r, &row);
		r->resume_uid = are->resume_uid;
	}
	if (more)
		return;
	r->failed = st;
	if (st != ST_OK)
		finish(r);
	else
		later(r, r->resume_uid != 0 ? ask_columns : next_group);
}

static void
ask_columns(struct columns_reader *r)
{
	struct store_columns rq = {
		.mailbox = r->job.mailbox, .want = r->job.want, .version = MIME_COLUMNS_VERSION,
		.fields = (uint8_t)r->job.fields, .budget = ANSWER_BYTES
	};
	struct buf set = { 0 };

	if (r->resume_uid > 1)
		uidset_remove_range(&r->todo, 1, r->resume_uid - 1);
	r->resume_uid = 0;
	uidset_encode(&r->todo, &set);
	rq.uids = buf_span(&set);
	r->call = store_do_columns(r->job.store, &rq, on_columns, r);
	buf_fini(&set);
}

struct columns_reader *
columns_read(const struct columns_job *job, const struct uidset *uids, columns_fn each,
    void (*done)(void *arg, enum status st), void *arg)
{
	struct columns_reader *r = mem_zalloc(sizeof(*r));

	r->job = *job;
	r->each = each;
	r->done = done;
	r->arg = arg;
	uidset_copy(&r->todo, uids);
	r->task = loop_task_new(job->loop, on_task, r);
	later(r, uidset_empty(uids) ? finish : ask_columns);
	return r;
}

void
columns_reader_free(struct columns_reader **rp)
{
	struct columns_reader *r = *rp;

	if (r == NULL)
		return;
	*rp = NULL;
	store_cancel(&r->call);
	loop_task_free(&r->task);
	uidset_fini(&r->todo);
	uidset_fini(&r->unknown);
	uidset_fini(&r->group);
	mime_digest_free(&r->digest);
	body_reader_free(&r->reader);
	buf_fini(&r->raw);
	mem_free(&r);
}
