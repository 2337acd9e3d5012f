/* The texts that admind and mansioctl read: byte 0 chooses.  What comes out of a report is
 * JSON, whatever went in. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "admind/report.h"
#include "common/json/json.h"
#include "ctl/args.h"
#include "ctl/batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
check_json(struct buf *out)
{
	struct json_doc *doc = NULL;

	if (json_parse(buf_span(out), out->len, &doc) != ST_OK)
		abort();
	json_free(&doc);
}

static void
report(struct span text)
{
	struct buf out = { 0 };
	struct json_writer w;

	json_writer_init(&w, &out);
	report_lines(&w, text);
	check_json(&out);
	buf_clear(&out);
	json_writer_init(&w, &out);
	json_begin_object(&w);
	(void)report_processes(&w, text);
	json_end_object(&w);
	check_json(&out);
	buf_fini(&out);
}

static void
batch(struct span text)
{
	struct span address, password;
	unsigned line = 0, before;

	while ((before = line, batch_next(&text, &line, &address, &password)))
		if (address.len == 0 || line <= before)
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct span text;
	uint64_t n;
	char *s;

	if (len == 0)
		return 0;
	text = span(data + 1, len - 1);
	if (data[0] % 3 == 0) {
		report(text);
	} else if (data[0] % 3 == 1) {
		batch(text);
	} else {
		s = span_dup(text);
		(void)ctl_size(s, &n);
		free(s);
	}
	return 0;
}
