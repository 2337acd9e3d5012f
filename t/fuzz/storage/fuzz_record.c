/* Records of the database, of every table and version, as a damaged or a crafted file could hold them:
 * whatever has a good CRC reaches the decoders.  What is understood is written anew in today's form
 * and means the same.  The first byte chooses the decoder; the file of LMDB's checkpoint is one of
 * them. */
#include <stdlib.h>
#include <string.h>

#include "common/crypto/digest.h"
#include "storage/engine/lmdb_checkpoint.h"
#include "storage/state/schema.h"

static const struct span key = SPAN_LIT("key");

/* Another's rec_..._put() comes behind; both forms decode to equal bytes. */
#define KIND(type, tab) \
static void \
type##_again(struct span payload) \
{ \
	struct rec_##type r, again; \
	struct buf one = { 0 }, two = { 0 }; \
	struct span p; \
\
	memset(&r, 0, sizeof(r)); \
	memset(&again, 0, sizeof(again)); \
	if (!rec_##type##_get(payload, &r)) \
		return; \
	rec_start(&one); \
	rec_##type##_put(&one, &r); \
	rec_end(&one, tab, key); \
	if (!rec_open(tab, key, buf_span(&one), &p) || !rec_##type##_get(p, &again)) \
		abort(); \
	rec_start(&two); \
	rec_##type##_put(&two, &again); \
	rec_end(&two, tab, key); \
	if (!span_eq(buf_span(&one), buf_span(&two))) \
		abort(); \
	buf_fini(&one); \
	buf_fini(&two); \
}
KIND(meta, TAB_META)
KIND(schema, TAB_META)
KIND(account, TAB_ACCOUNT)
KIND(mailbox, TAB_MAILBOX)
KIND(index, TAB_MINDEX)
KIND(block, TAB_UIDMAP)
KIND(message, TAB_MESSAGE)
KIND(extent, TAB_EXTENT)
KIND(change, TAB_CHANGE)
KIND(mchange, TAB_MCHANGE)
KIND(stage, TAB_STAGE)
KIND(history, TAB_HISTORY)
KIND(blob, TAB_BLOB)

static const struct {
	enum tab	tab;
	void		(*again)(struct span payload);
} kinds[] = {
	{ TAB_META, meta_again }, { TAB_META, schema_again }, { TAB_ACCOUNT, account_again },
	{ TAB_MAILBOX, mailbox_again }, { TAB_MINDEX, index_again }, { TAB_UIDMAP, block_again },
	{ TAB_MESSAGE, message_again }, { TAB_EXTENT, extent_again },
	{ TAB_CHANGE, change_again }, { TAB_MCHANGE, mchange_again }, { TAB_STAGE, stage_again },
	{ TAB_HISTORY, history_again }, { TAB_BLOB, blob_again },
};
#define N_KINDS (sizeof(kinds) / sizeof(*kinds))

static void
record(unsigned kind, struct span bytes)
{
	struct buf b = { 0 };
	struct span payload;

	buf_add_span(&b, bytes);
	put_u32(&b, crc32c(crc32c(0, key.p, key.len), b.data, b.len));
	if (rec_open(kinds[kind].tab, key, buf_span(&b), &payload))
		kinds[kind].again(payload);
	buf_fini(&b);
}

static void
checkpoint(struct span bytes)
{
	struct lmdb_checkpoint cp;
	struct buf b = { 0 }, again = { 0 };

	(void)lmdb_checkpoint_parse(bytes, &cp);
	buf_add_span(&b, bytes);
	put_u32(&b, crc32c(0, b.data, b.len));
	if (lmdb_checkpoint_parse(buf_span(&b), &cp))
		lmdb_checkpoint_put(&again, &cp);
	buf_fini(&b);
	buf_fini(&again);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t len);

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t len)
{
	struct span bytes;

	if (len < 2)
		return 0;
	bytes = span(data + 1, len - 1);
	if (data[0] % (N_KINDS + 1) == N_KINDS)
		checkpoint(bytes);
	else
		record(data[0] % (N_KINDS + 1), bytes);
	return 0;
}
