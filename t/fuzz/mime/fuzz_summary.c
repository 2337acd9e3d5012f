/* Blobs as they might come back damaged: every accessor stays inside them. */
#include <stdint.h>

#include "common/mime/columns.h"
#include "common/mime/digest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
walk(const struct mime_structure *s)
{
	static const uint32_t paths[][3] = { { 1, 1, 1 }, { 2, 1, 3 }, { 0, 1, 1 }, { 1, 2, 2 } };
	struct mime_part_view v;
	struct mime_range r;

	for (uint32_t i = 0; i < s->parts; i++) {
		struct span name, value;

		mime_structure_part(s, i, &v);
		while (mime_seq_param(&v.params, &name, &value))
			;
		while (mime_seq_span(&v.language, &name))
			;
	}
	for (size_t i = 0; i < 4; i++)
		for (size_t n = 0; n <= 3; n++)
			for (int k = MIME_SECTION_ALL; k <= MIME_SECTION_MIME; k++)
				mime_structure_section(s, paths[i], n, (enum mime_section)k, &r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct span blob = span(data, len);
	struct mime_structure s;
	struct mime_header_names names = { .kept = UINT64_MAX };
	struct mime_header_walk w;
	struct mime_column_thread t;
	struct span field;
	int64_t sent;
	bool cut;
	int zone;
	struct mime_list l;
	struct mime_addr a;

	if (mime_list_read(blob, &l) == ST_OK)
		for (int i = 0; i < MIME_ADDR_LISTS; i++) {
			struct mime_seq seq = mime_envelope_list(&l.env, (enum mime_addr_list)i);

			while (mime_seq_addr(&seq, &a))
				;
		}
	if (mime_structure_open(blob, &s) == ST_OK) {
		walk(&s);
		mime_structure_close(&s);
	}
	mime_column_text(blob, &field, &cut);
	mime_column_sent(blob, &sent, &zone);
	mime_column_thread(blob, &t);
	if (mime_header_open(blob, blob, &names, &w))
		while (mime_header_next(&w, &names, &field))
			;
	return 0;
}
