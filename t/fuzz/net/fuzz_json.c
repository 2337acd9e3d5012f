/* JSON: whatever our grammar takes, the parser behind it takes, but for UTF-8. */
#include <assert.h>
#include <stdint.h>

#include "common/json/json.h"
#include "common/json/writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
write_value(struct json_writer *w, const struct json *v)
{
	const struct json *member;
	struct span s;
	void *pos = NULL;
	int64_t n;
	bool b;

	if (json_is_object(v)) {
		json_begin_object(w);
		while (json_next(v, &pos, &s, &member)) {
			json_key_span(w, s);
			write_value(w, member);
		}
		json_end_object(w);
	} else if (json_is_array(v)) {
		json_begin_array(w);
		for (size_t i = 0; i < json_count(v); i++)
			write_value(w, json_item(v, i));
		json_end_array(w);
	} else if (json_as_string(v, &s)) {
		json_string(w, s);
	} else if (json_as_int(v, &n)) {
		json_int(w, n);
	} else if (json_as_bool(v, &b)) {
		json_bool(w, b);
	} else {
		json_null(w);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_doc *doc, *again;
	struct json_writer w;
	struct buf out = { 0 };

	if (json_parse(span(data, size), 10000, &doc) != ST_OK)
		return 0;
	json_writer_init(&w, &out);
	write_value(&w, json_root(doc));
	assert(json_parse(buf_span(&out), SIZE_MAX, &again) == ST_OK);
	json_free(&again);
	json_free(&doc);
	buf_fini(&out);
	return 0;
}
