/* A whole job of indexd: byte 0 its kind, byte 1 the size of a piece, the rest a stored body, or
 * (top bit of byte 0) the raw message of one.  What comes out keeps its limits. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/mime/summary.h"
#include "indexd/work.h"
#include "storage/client/body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define TEXT_MAX 5000u

static void
judge(struct work *w)
{
	struct index_hash_is h;
	struct index_digest_is d;
	struct index_text t;
	size_t text = 0;

	if (work_finish(w, &h, &d) != ST_OK)
		return;
	while (work_text(w, &t)) {
		if (t.data.len == 0 || t.data.len > INDEX_TEXT_BYTES)
			abort();
		text += t.data.len;
	}
	if (text > TEXT_MAX || d.list.len > MIME_LIST_MAX || d.structure.len > MIME_STRUCTURE_MAX ||
	    d.columns.len > STORE_COLUMN_BYTES_MAX || d.thread_keys.len > STORE_THREAD_KEYS_MAX * 8)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct index_job_rq rq = { .text_max = TEXT_MAX };
	struct buf stored = { 0 };
	struct work *w;
	size_t step;

	if (len < 2)
		return 0;
	rq.kind = data[0] & 1 ? INDEX_DIGEST : INDEX_HASH;
	step = (size_t)data[1] * 16 + 1;
	if (data[0] & 0x80) {
		struct body_writer *b = body_writer_new(SPAN_NONE, 0);

		body_writer_feed(b, data + 2, len - 2, &stored);
		body_writer_finish(b, &stored);
		body_writer_free(&b);
	} else {
		buf_add(&stored, data + 2, len - 2);
	}
	w = work_new(&rq, NULL);
	for (size_t at = 0; at < stored.len; at += step)
		(void)work_feed(w, span_sub(buf_span(&stored), at, step));
	judge(w);
	work_free(&w);
	buf_fini(&stored);
	return 0;
}
