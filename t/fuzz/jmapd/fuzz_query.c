/* A filter of Email/query, a NUL, and a message: the filter is compiled and judges emails, and what
 * it finds in the message is shown. */
#include <assert.h>
#include <string.h>

#include "jmapd/mirror/mirror_priv.h"
#include "jmapd/query/filter.h"
#include "jmapd/query/snippet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
judge(struct filter *f)
{
	static const struct rows_place places[] = {
		{ 1, 1, { { FLAG_SEEN, 0 } } }, { 2, 7, { { FLAG_FLAGGED, 0 } } }
	};
	const struct rows_message m[] = {
		{ 5, 3, 1000000, 500, places, 2 }, { 6, 3, 2000000, 70000, places, 1 }
	};
	struct mirror mirror = { 0 };

	rows_init(&mirror.rows);
	for (size_t i = 0; i < 2; i++)
		assert(rows_put(&mirror.rows, &m[i]));
	filter_bind(f, &mirror);
	for (uint32_t i = 0; i < 2; i++) {
		enum filter_answer a = filter_judge(f, &mirror, rows_row(&mirror.rows, i));

		assert(a != FILTER_UNKNOWN || f->n_lookups > 0);
	}
	rows_fini(&mirror.rows);
}

/* The subject and the preview, however the message was cut. */
static void
show(const struct snippet_words *w, struct span message, size_t step, struct buf *out)
{
	struct snippet *s = snippet_new(w);
	size_t before;

	for (size_t at = 0; at < message.len; at += step)
		snippet_feed(s, span_sub(message, at, step));
	snippet_finish(s);
	snippet_subject(s, out);
	buf_add_c(out, '\n');
	before = out->len;
	snippet_preview(s, out);
	assert(out->len - before <= SNIPPET_MAX);
	snippet_free(&s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct span message = span(data, len), text = span_cut(&message, '\0');
	struct buf why = { 0 }, out = { 0 };
	struct arena a = { 0 };
	struct json_doc *doc;
	struct snippet_words w;
	struct filter f;
	const char *type = NULL;

	if (json_parse(text, 10000, &doc) != ST_OK)
		return 0;
	if (json_is_object(json_root(doc)) && filter_compile(&f, json_root(doc), &a, &type, &why)) {
		judge(&f);
		snippet_words(&f, &a, &w);
		show(&w, message, message.len + 1, &out);
		show(&w, message, 7, &out);
		filter_fini(&f);
	} else {
		assert(!json_is_object(json_root(doc)) || (type != NULL && why.len > 0));
	}
	json_free(&doc);
	arena_fini(&a);
	buf_fini(&why);
	buf_fini(&out);
	return 0;
}
