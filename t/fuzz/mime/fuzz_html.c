/* HTML to text, in pieces and whole, must be the same. */
#include <stdint.h>
#include <stdlib.h>

#include "common/mime/html.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
run(const uint8_t *data, size_t len, size_t step, struct buf *out)
{
	struct mime_html *h = mime_html_new();

	for (size_t i = 0; i < len; i += step)
		mime_html_feed(h, span(data + i, len - i < step ? len - i : step), out);
	mime_html_done(h, out);
	mime_html_free(&h);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buf a = { 0 }, b = { 0 };

	run(data, len, 3, &a);
	run(data, len, len + 1, &b);
	if (!span_eq(buf_span(&a), buf_span(&b)))
		abort();
	buf_fini(&a);
	buf_fini(&b);
	return 0;
}
