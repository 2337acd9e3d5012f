#include "storage/api/store_quota.h"

#include <inttypes.h>

#include "common/util/mem.h"

void
store_quota_state(const struct store_quota_is *q, struct buf *out)
{
	const uint64_t v[][2] = { { q->bytes, q->bytes_limit }, { q->messages, q->messages_limit },
		{ q->mailboxes, q->mailboxes_limit } };

	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		buf_addf(out, "%s%" PRIx64 ".%" PRIx64, i > 0 ? "." : "", v[i][1] > 0 ? v[i][0] : 0,
		    v[i][1]);
}

static bool
hex(struct span text, uint64_t *v)
{
	*v = 0;
	if (text.len == 0 || text.len > 16)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (ascii_hex(text.p[i]) < 0)
			return false;
		*v = *v << 4 | (uint64_t)ascii_hex(text.p[i]);
	}
	return true;
}

bool
store_quota_parse(struct span state, struct store_quota_is *q)
{
	uint64_t *v[] = { &q->bytes, &q->bytes_limit, &q->messages, &q->messages_limit,
		&q->mailboxes, &q->mailboxes_limit };

	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		if (!hex(span_cut(&state, '.'), v[i]))
			return false;
	return state.p == NULL;
}

/* FNV-1a. */
uint64_t
store_quota_mark(const struct store_quota_is *q)
{
	uint64_t mark = UINT64_C(0xcbf29ce484222325);
	struct buf text = { 0 };

	store_quota_state(q, &text);
	for (size_t i = 0; i < text.len; i++)
		mark = (mark ^ (unsigned char)text.data[i]) * UINT64_C(0x100000001b3);
	buf_fini(&text);
	return mark;
}
