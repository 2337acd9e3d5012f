/* The value of a header field, read in every way there is. */
#include <stdint.h>

#include "common/mime/address.h"
#include "common/mime/date.h"
#include "common/mime/field.h"
#include "common/mime/thread.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct span s = span(data, len), type, sub, ids[MIME_IDS_MAX];
	struct arena a = { 0 };
	struct buf out = { 0 };
	struct mime_params raw;
	struct mime_addr *v;
	struct mime_field f;
	int64_t sec;
	int zone;

	while (mime_field_next(&s, &f))
		;
	s = span(data, len);
	mime_words_decode(s, &out);
	mime_addresses(&a, s, &v);
	mime_message_ids(&a, s, ids);
	mime_date_parse(s, &sec, &zone);
	mime_base_subject(s, &out, NULL);
	mime_content_type(&a, s, &type, &sub, &raw);
	mime_param_get(&raw, "name", &out);
	mime_disposition(&a, s, &type, &raw);
	mime_param_get(&raw, "filename", &out);
	mime_tokens(&a, s, ids, MIME_IDS_MAX);
	buf_fini(&out);
	arena_fini(&a);
	return 0;
}
