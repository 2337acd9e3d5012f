/* t/fuzz/conf/fuzz_conf.c
 * Any text is refused with a message or gives a configuration whose effective text is
 * read back to the same. */
#include <stdint.h>
#include <stdlib.h>

#include "common/conf/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct conf_errors err = { .count = 0 };
	struct buf a = { 0 }, b = { 0 };
	struct mansio_conf *c, *again;

	if (conf_parse(span(data, len), "f", &c, &err)) {
		conf_effective_encode(c, &a);
		again = conf_effective_decode(buf_span(&a));
		if (again == NULL)
			abort();
		conf_effective_encode(again, &b);
		if (!span_eq(buf_span(&a), buf_span(&b)))
			abort();
		conf_free(&again);
		conf_free(&c);
	} else if (err.count == 0) {
		abort();
	}
	conf_errors_fini(&err);
	buf_fini(&a);
	buf_fini(&b);
	return 0;
}
