#include "indexd/work.h"

#include <string.h>

#include "common/crypto/digest.h"
#include "common/mime/digest.h"
#include "common/proto/imap_columns.h"
#include "common/util/mem.h"
#include "storage/client/body.h"

#define EXTRACTS_MAX 32u		/* attachments of a message */
#define RAW_STEP (64u << 10)	/* raw octets at a time: few stored bytes may hold very many */

struct work {
	struct index_job_rq	rq;
	struct body_reader	*reader;
	struct digest		*sha256;
	struct mime_digest	*digest;	/* of INDEX_DIGEST */
	uint64_t		size;
	unsigned char		sum[SHA256_LEN];
	struct buf		raw, columns, keys;
	struct span		text, more;	/* what was not told of it yet; and of extracted */
	struct extract		*extract;
	struct mime_part_ops	watch;
	bool			extracting;
	struct buf		extracted;
	uint32_t		n_extracted, n_failed;
	enum status		st;
};

static bool
part_begins(void *arg, struct span type, struct span subtype)
{
	struct work *w = arg;

	w->extracting = w->n_extracted < EXTRACTS_MAX && w->extracted.len < INDEX_TEXT_MAX / 2 &&
	    extract_begin(w->extract, type, subtype);
	w->n_extracted += w->extracting;
	return w->extracting;
}

static void
part_goes_on(void *arg, struct span content)
{
	extract_feed(((struct work *)arg)->extract, content);
}

static void
part_ends(void *arg)
{
	struct work *w = arg;

	w->n_failed += !extract_end(w->extract, &w->extracted);
	w->extracting = false;
}

struct work *
work_new(const struct index_job_rq *rq, struct extract *extract)
{
	struct work *w = mem_zalloc(sizeof(*w));

	w->rq = *rq;
	w->reader = body_reader_new(0, 0);
	w->sha256 = digest_new(DIGEST_SHA256);
	if (rq->kind == INDEX_DIGEST)
		w->digest = mime_digest_new(rq->text_max);
	if (w->digest != NULL && rq->extract && extract != NULL) {
		w->extract = extract;
		extract_next(extract);
		w->watch = (struct mime_part_ops){ part_begins, part_goes_on, part_ends, w };
		mime_digest_watch(w->digest, &w->watch);
	}
	return w;
}

void
work_free(struct work **wp)
{
	struct work *w = *wp;

	*wp = NULL;
	if (w == NULL)
		return;
	if (w->extracting)
		extract_abort(w->extract);
	body_reader_free(&w->reader);
	digest_free(&w->sha256);
	mime_digest_free(&w->digest);
	buf_fini(&w->raw);
	buf_fini(&w->columns);
	buf_fini(&w->keys);
	buf_fini(&w->extracted);
	mem_free(&w);
}

enum status
work_feed(struct work *w, struct span stored)
{
	while (w->st == ST_OK && stored.len > 0) {
		buf_clear(&w->raw);
		w->st = body_reader_take(w->reader, &stored, RAW_STEP, &w->raw);
		if (w->st != ST_OK)
			break;
		w->size += w->raw.len;
		if (w->size > STORE_SIZE_MAX)
			w->st = ST_CORRUPT;
		digest_add(w->sha256, w->raw.data, w->raw.len);
		if (w->digest != NULL)
			mime_digest_feed(w->digest, w->raw.data, w->raw.len);
	}
	return w->st;
}

/* The same as of a message that is appended: see storage/client/packer.c. */
static void
finish_digest(struct work *w, struct index_digest_is *is)
{
	struct mime_digest_result d;

	mime_digest_finish(w->digest, &d);
	imap_columns_make(&d, &w->columns);
	mime_digest_keys(&d, &w->keys);
	is->size = w->size;
	is->sha256 = span(w->sum, sizeof(w->sum));
	is->list = d.list;
	is->structure = d.structure;
	is->columns = buf_span(&w->columns);
	is->thread_keys = buf_span(&w->keys);
	is->subject_hash = d.subject_hash;
	is->text_version = MIME_TEXT_VERSION;
	is->text_cut = d.text_cut;
	is->extracted = w->n_extracted;
	is->failed = w->n_failed;
	is->text_header = (uint32_t)d.text_header;
	w->text = d.text;
	w->more = mime_utf8_cut(buf_span(&w->extracted), INDEX_TEXT_MAX);
}

enum status
work_finish(struct work *w, struct index_hash_is *hash, struct index_digest_is *digest)
{
	memset(hash, 0, sizeof(*hash));
	memset(digest, 0, sizeof(*digest));
	if (w->st == ST_OK && !body_reader_done(w->reader))
		w->st = ST_CORRUPT;
	if (w->st != ST_OK)
		return w->st;
	digest_done(w->sha256, w->sum);
	hash->size = w->size;
	hash->sha256 = span(w->sum, sizeof(w->sum));
	if (w->rq.kind == INDEX_DIGEST)
		finish_digest(w, digest);
	return ST_OK;
}

bool
work_text(struct work *w, struct index_text *t)
{
	struct span *from = w->text.len > 0 ? &w->text : &w->more;

	if (from->len == 0)
		return false;
	t->of = from == &w->text ? INDEX_TEXT_CANONICAL : INDEX_TEXT_EXTRACTED;
	t->data = span_sub(*from, 0, INDEX_TEXT_BYTES);
	*from = span_sub(*from, t->data.len, from->len);
	return true;
}
