/* What the helper process says to mansioctl of folders and messages: what is taken is said the
 * same again. */
#include <assert.h>

#include "common/transfer/transfer.h"
#include "storage/api/store_types.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
folder(struct span text)
{
	struct transfer_folder f = { 0 }, again = { 0 };
	struct buf a = { 0 }, b = { 0 };
	struct reader r;

	reader_init(&r, text.p, text.len);
	if (get_transfer_folder(&r, &f)) {
		put_transfer_folder(&a, &f);
		reader_init(&r, a.data, a.len);
		assert(get_transfer_folder(&r, &again) && reader_done(&r));
		put_transfer_folder(&b, &again);
		assert(span_eq(buf_span(&a), buf_span(&b)));
	}
	transfer_folder_fini(&f);
	transfer_folder_fini(&again);
	buf_fini(&a);
	buf_fini(&b);
}

static void
message(struct span text)
{
	struct transfer_message m = { 0 }, again = { 0 };
	struct store_append_item it;
	struct buf a = { 0 }, b = { 0 };
	struct reader r;

	reader_init(&r, text.p, text.len);
	if (get_transfer_message(&r, &m)) {
		(void)get_store_append_item(&r, &it);
		put_transfer_message(&a, &m);
		reader_init(&r, a.data, a.len);
		assert(get_transfer_message(&r, &again) && reader_done(&r));
		put_transfer_message(&b, &again);
		assert(span_eq(buf_span(&a), buf_span(&b)));
	}
	transfer_message_fini(&m);
	transfer_message_fini(&again);
	buf_fini(&a);
	buf_fini(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	folder(span(data, size));
	message(span(data, size));
	return 0;
}
