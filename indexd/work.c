#include "indexd/work.h"

#include <string.h>

#include "common/crypto/digest.h"
#include "common/mime/digest.h"
#include "common/proto/imap_columns.h"
#include "common/util/mem.h"
#include "storage/client/body.h"

#define RAW_STEP (64u << 10)	/* raw octets at a time: few stored bytes may hold very many */

struct work {
	struct index_job_rq	rq;
	struct body_reader	*reader;
	struct digest		*sha256;
	struct mime_digest	*digest;	/* of INDEX_DIGEST */
	uint64_t		size;
	unsigned char		sum[SHA256_LEN];
	struct buf		raw, columns, keys;
	struct span		text;		/* what was not told of it yet */
	enum status		st;
};

struct work *
work_new(const struct index_job_rq *rq)
{
	struct work *w = mem_zalloc(sizeof(*w));

	w->rq = *rq;
	w->reader = body_reader_new(0, 0);
	w->sha256 = digest_new(DIGEST_SHA256);
	if (rq->kind == INDEX_DIGEST)
		w->digest = mime_digest_new(rq->text_max);
	return w;
}

void
work_free(struct work **wp)
{
	struct work *w = *wp;

	*wp = NULL;
	if (w == NULL)
		return;
	body_reader_free(&w->reader);
	digest_free(&w->sha256);
	mime_digest_free(&w->digest);
	buf_fini(&w->raw);
	buf_fini(&w->columns);
	buf_fini(&w->keys);
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

/* The same as of a message that is appended: see storage/client/copy.c. */
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
	w->text = d.text;
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
	if (w->text.len == 0)
		return false;
	t->of = INDEX_TEXT_CANONICAL;
	t->data = span_sub(w->text, 0, INDEX_TEXT_BYTES);
	w->text = span_sub(w->text, t->data.len, w->text.len);
	return true;
}
