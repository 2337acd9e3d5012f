#include "outd/unpack.h"

#include <string.h>

#include "common/crypto/digest.h"
#include "common/util/mem.h"
#include "storage/client/body.h"

struct unpack {
	struct body_reader	*reader;
	struct digest		*digest;
	uint64_t		size, got;
	unsigned char		sha256[SHA256_LEN];
	struct buf		stored, raw;
	bool			fed, bad;	/* fed: all of it came */
};

struct unpack *
unpack_new(uint64_t size, struct span sha256)
{
	struct unpack *u = mem_zalloc(sizeof(*u));

	u->reader = body_reader_new(0, 0);
	u->digest = digest_new(DIGEST_SHA256);
	u->size = size;
	u->bad = sha256.len != SHA256_LEN;
	if (!u->bad)
		memcpy(u->sha256, sha256.p, SHA256_LEN);
	return u;
}

void
unpack_free(struct unpack **up)
{
	struct unpack *u = *up;

	if (u == NULL)
		return;
	body_reader_free(&u->reader);
	digest_free(&u->digest);
	buf_fini(&u->stored);
	buf_fini(&u->raw);
	mem_free(up);
}

void
unpack_feed(struct unpack *u, struct span stored, bool last)
{
	buf_add_span(&u->stored, stored);
	u->fed = last;
}

static bool
is_right(struct unpack *u)
{
	unsigned char sum[SHA256_LEN];

	digest_done(u->digest, sum);
	return body_reader_done(u->reader) && u->got == u->size &&
	    memcmp(sum, u->sha256, sizeof(sum)) == 0;
}

enum unpack_is
unpack_take(struct unpack *u, size_t most, struct buf *out)
{
	struct span stored = buf_span(&u->stored);
	size_t n;

	while (!u->bad && u->raw.len < most && stored.len > 0)
		u->bad = body_reader_take(u->reader, &stored, most - u->raw.len, &u->raw) != ST_OK;
	buf_drop(&u->stored, u->stored.len - stored.len);
	if (u->bad)
		return UNPACK_BAD;
	n = u->raw.len < most ? u->raw.len : most;
	digest_add(u->digest, u->raw.data, n);
	u->got += n;
	buf_add(out, u->raw.data, n);
	buf_drop(&u->raw, n);
	if (u->raw.len > 0 || u->stored.len > 0)
		return UNPACK_FULL;
	if (!u->fed)
		return UNPACK_HUNGRY;
	u->bad = !is_right(u);
	return u->bad ? UNPACK_BAD : UNPACK_LAST;
}
