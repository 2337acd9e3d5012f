/* Names and lists of a Maildir: what is read of a folder's name is written as one that is read
 * the same. */
#include <assert.h>

#include "common/transfer/maildir.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
folder(struct span name)
{
	struct buf path = { 0 }, again = { 0 }, path2 = { 0 };

	if (maildir_folder_read(name, &path)) {
		maildir_folder(buf_span(&path), &again);
		if (again.len > 0) {
			assert(maildir_folder_read(buf_span(&again), &path2));
			assert(span_eq(buf_span(&path), buf_span(&path2)));
		}
	}
	buf_fini(&path);
	buf_fini(&again);
	buf_fini(&path2);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct maildir_keywords k = { 0 };
	struct transfer_message m = { 0 };
	struct span text = span(data, size), line;
	uint32_t validity, next;
	struct maildir_uid u;

	maildir_keywords_read(&k, text);
	while (text.len > 0) {
		line = span_cut(&text, '\n');
		folder(line);
		transfer_message_clear(&m);
		maildir_name_read(line, &k, &m);
		(void)maildir_uidlist_head(line, &validity, &next);
		if (maildir_uidlist_line(line, &u))
			assert(u.uid > 0 && u.base.len > 0);
	}
	maildir_keywords_fini(&k);
	transfer_message_fini(&m);
	return 0;
}
