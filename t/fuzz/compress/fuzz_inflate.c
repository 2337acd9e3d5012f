/* Inflating: whole and in pieces of the first byte's size with a rest after each, the
 * same bytes come out and the verdict is the same; what is asked for is never exceeded. */
#include <assert.h>
#include <stdint.h>

#include "common/compress/deflate.h"

#define OUT_MAX	(1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum status
collect(struct span in, size_t piece, size_t room, struct buf *out)
{
	struct inflater *z = inflater_new();
	enum status st = ST_OK;
	bool done = false;

	while (st == ST_OK && in.len > 0 && out->len < OUT_MAX) {
		struct span part = span_sub(in, 0, piece < in.len ? piece : in.len);

		in = span_sub(in, part.len, in.len);
		while (st == ST_OK && (part.len > 0 || inflater_more(z)) && out->len < OUT_MAX) {
			size_t had = out->len;

			st = inflater_read(z, &part, room, out);
			assert(out->len - had <= room);
		}
		inflater_rest(z);
		assert(inflater_kept(z) <= 32768 + 256);
	}
	/* What is wrong in the last bits may be seen only with what comes behind them. */
	if (st == ST_OK) {
		struct span end = SPAN_LIT("\x03\x00" "a");

		st = inflater_end(z, &end, &done);
	}
	inflater_free(&z);
	return st;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = { 0 }, pieces = { 0 };
	enum status a, b;
	size_t n;

	if (size < 2 || data[0] == 0)
		return 0;
	a = collect(span(data + 1, size - 1), size, 65536, &whole);
	b = collect(span(data + 1, size - 1), data[0], data[0], &pieces);
	n = whole.len < pieces.len ? whole.len : pieces.len;
	/* How much comes before an error is found is the decoder's affair. */
	if (n < OUT_MAX)
		assert(a == b);
	if (a == ST_OK && n < OUT_MAX)
		assert(whole.len == pieces.len);
	assert(span_eq(span(whole.data, n), span(pieces.data, n)));
	buf_fini(&whole);
	buf_fini(&pieces);
	return 0;
}
