#include "storage/engine/lmdb_checkpoint.h"

#include <assert.h>
#include <string.h>

#include "common/crypto/digest.h"
#include "common/util/bytes.h"

#define MAGIC	"MANSIOLM"
#define VERSION	1u
#define HEAD	64u

bool
lmdb_checkpoint_parse(struct span file, struct lmdb_checkpoint *cp)
{
	const char *p = file.p;
	size_t page;

	if (file.len < HEAD + 4 || memcmp(p, MAGIC, 8) != 0 || get_be32(p + 8) != VERSION)
		return false;
	page = get_be32(p + 12);
	if (page == 0 || page > LMDB_PAGE_MAX || file.len != HEAD + page + 4 ||
	    crc32c(0, p, file.len - 4) != get_be32(p + file.len - 4))
		return false;
	cp->transaction = get_be64(p + 16);
	cp->boot_id = span(p + 24, LMDB_BOOT_ID_LEN);
	cp->meta = span(p + HEAD, page);
	return true;
}

void
lmdb_checkpoint_put(struct buf *out, const struct lmdb_checkpoint *cp)
{
	assert(cp->boot_id.len == LMDB_BOOT_ID_LEN);
	buf_clear(out);
	buf_add(out, MAGIC, 8);
	put_u32(out, VERSION);
	put_u32(out, (uint32_t)cp->meta.len);
	put_u64(out, cp->transaction);
	buf_add_span(out, cp->boot_id);
	put_u32(out, 0);
	buf_add_span(out, cp->meta);
	put_u32(out, crc32c(0, out->data, out->len));
}
