/* Lines: fed whole and in pieces of the first byte's size, the lines are the same. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "common/net/linebuf.h"
#include "common/util/buf.h"

#define MAX 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* All lines, each behind its length, and the last verdict. */
static enum linebuf_result
collect(const uint8_t *p, size_t size, size_t step, struct buf *out)
{
	struct linebuf *lb = linebuf_new(MAX);
	enum linebuf_result r = LINEBUF_MORE;
	const char *line;
	size_t len;

	for (size_t at = 0; at < size && r == LINEBUF_MORE; at += step) {
		linebuf_feed(lb, p + at, size - at < step ? size - at : step);
		while ((r = linebuf_next(lb, &line, &len)) == LINEBUF_LINE) {
			assert(len <= MAX);
			buf_add_c(out, (char)len);
			buf_add(out, line, len);
		}
	}
	linebuf_free(&lb);
	return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = { 0 }, pieces = { 0 };

	if (size < 2 || data[0] == 0)
		return 0;
	assert(collect(data + 1, size - 1, size, &whole) ==
	    collect(data + 1, size - 1, data[0], &pieces));
	assert(span_eq(buf_span(&whole), buf_span(&pieces)));
	buf_fini(&whole);
	buf_fini(&pieces);
	return 0;
}
