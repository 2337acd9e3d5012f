#include <assert.h>
#include <stdint.h>

#include "common/proto/dovecot_auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
is_within(struct span part, struct span line)
{
	assert(part.len == 0 || (part.p >= line.p && part.p + part.len <= line.p + line.len));
}

/* What comes out of a line lies in it; what is put stays one word of one line. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct span rest = span(data, len);
	struct buf b = { 0 };

	while (rest.len > 0) {
		struct span line = span_cut(&rest, '\n');
		struct dovecot_line l;

		if (!dovecot_line_parse(line, &l))
			continue;
		is_within(l.mechanism, line);
		is_within(l.service, line);
		is_within(l.rip, line);
		is_within(l.session, line);
		is_within(l.data, line);
		assert(l.word != DOVECOT_AUTH || (l.mechanism.len > 0 && l.service.len > 0));
	}
	dovecot_put(&b, span(data, len));
	for (size_t i = 0; i < b.len; i++)
		assert(b.data[i] != '\t' && b.data[i] != '\n' && b.data[i] != '\r' && b.data[i] != '\0');
	buf_fini(&b);
	return 0;
}
