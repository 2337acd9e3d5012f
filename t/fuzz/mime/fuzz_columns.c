/* Columns: by the first byte made of a message, of which every one must read as what it is, or a
 * blob as a worker might hand it in, cut as the store cuts it. */
#include <stdint.h>
#include <stdlib.h>

#include "common/mime/digest.h"
#include "common/proto/imap_columns.h"
#include "storage/api/store_types.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct span names[] = {
	{ "Subject", 7 }, { "List-Id", 7 }, { "X-Priority", 10 }, { "Received", 8 }, { "x-a", 3 }
};

static size_t
walk_header(struct span header, struct span more, const struct mime_header_names *n)
{
	struct mime_header_walk w;
	struct span field;
	size_t bytes = 0;

	if (mime_header_open(header, more, n, &w))
		while (mime_header_next(&w, n, &field))
			bytes += field.len;
	return bytes;
}

static void
read_all(const struct span *col, bool made)
{
	struct mime_header_names n = { .kept = 0 };
	struct mime_column_thread t;
	struct span text;
	int64_t sent;
	bool cut, good;
	int zone;

	(void)mime_column_sent(col[MIME_COL_SENT], &sent, &zone);
	good = mime_column_thread(col[MIME_COL_THREAD], &t);
	if (good && t.ancestors.len % 8 != 0)
		abort();
	for (int i = MIME_COL_SUBJECT_KEY; i < MIME_COL_ENVELOPE; i++) {
		good = mime_column_text(col[i], &text, &cut);
		if (made && (good != (col[i].len > 0) || (good && text.len > MIME_COL_TEXT_MAX)))
			abort();
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!mime_header_names_add(&n, names[i]))
			abort();
	(void)walk_header(col[MIME_COL_HEADER], mime_header_names_more(&n) ?
	    col[MIME_COL_HEADER_MORE] : SPAN_NONE, &n);
	n = (struct mime_header_names){ .kept = UINT64_MAX };
	if (walk_header(col[MIME_COL_HEADER], col[MIME_COL_HEADER_MORE], &n) >
	    col[MIME_COL_HEADER].len + col[MIME_COL_HEADER_MORE].len)
		abort();
}

static void
make(const uint8_t *data, size_t len, struct buf *blob)
{
	struct mime_digest *d = mime_digest_new(2000);
	struct mime_digest_result r;

	mime_digest_feed(d, data, len);
	mime_digest_finish(d, &r);
	imap_columns_make(&r, blob);
	mime_digest_free(&d);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct span col[STORE_COLUMNS_MAX] = { 0 };
	struct buf blob = { 0 };
	bool made;

	if (len == 0)
		return 0;
	made = (data[0] & 1) != 0;
	if (made)
		make(data + 1, len - 1, &blob);
	else
		buf_add(&blob, data + 1, len - 1);
	if (store_columns_cut(buf_span(&blob), MIME_COLUMNS, col))
		read_all(col, made);
	else if (made)
		abort();
	buf_fini(&blob);
	return 0;
}
