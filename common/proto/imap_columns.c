#include "common/proto/imap_columns.h"

#include "common/proto/imap_print.h"

/* 8-bit text is shown to some clients in one way and to others in another. */
static void
add_wire(struct mime_columns *c, const struct buf *text)
{
	unsigned char all = 0;

	for (size_t i = 0; i < text->len; i++)
		all |= (unsigned char)text->data[i];
	mime_columns_add(c, all < 0x80 ? buf_span(text) : SPAN_NONE);
}

void
imap_columns_make(const struct mime_digest_result *d, struct buf *out)
{
	struct mime_columns c = { .n = 0 };
	struct mime_structure st;
	struct mime_list list;
	struct buf text = { 0 };

	if (mime_list_read(d->list, &list) != ST_OK ||
	    mime_structure_open(d->structure, &st) != ST_OK)
		return;
	mime_columns_add_list(&c, &list);
	imap_put_envelope(&text, &list.env);
	add_wire(&c, &text);
	mime_columns_add(&c, d->header);
	mime_columns_add(&c, d->header_more);
	buf_clear(&text);
	imap_put_structure(&text, &st, true);
	add_wire(&c, &text);
	mime_structure_close(&st);
	buf_fini(&text);
	mime_columns_finish(&c, out);
}
