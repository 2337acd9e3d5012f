/* A segment of arbitrary bytes is opened and replayed.  The first byte says whether
 * headers are made valid, so that the fuzzer gets behind the checksums. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/journal/journal_format.h"
#include "t/crash/faultio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { SALT = 77, BYTES = 64 << 10 };

static void
put_file(struct faultio *f, const char *path, const char *p, size_t len)
{
	const struct jio *io = faultio_io(f);
	int fd = io->open(io->ctx, path, O_RDWR | O_CREAT, 0600);

	(void)jio_write_at(io, fd, p, len, 0);
	io->close(io->ctx, fd);
}

static void
seal_record(char *p, size_t left)
{
	uint32_t n = get_be32(p), crc;

	if (n > left - JOURNAL_RECORD_HDR)
		return;
	crc = crc32c(crc32c(0, p, 4), p + 8, JOURNAL_RECORD_HDR - 8);
	put_be32(p + 4, crc32c(crc, p + JOURNAL_RECORD_HDR, n));
}

/* Makes the checksums right where records seem to stand. */
static void
seal(char *p, size_t len)
{
	size_t at = JOURNAL_BLOCK;

	while (len - at >= JOURNAL_RECORD_HDR) {
		seal_record(p + at, len - at);
		if (get_be32(p + at) > len - at - JOURNAL_RECORD_HDR)
			break;
		at += JOURNAL_RECORD_HDR + get_be32(p + at);
	}
}

static enum status
look(const struct journal_record *r, void *arg)
{
	*(uint32_t *)arg = crc32c(*(uint32_t *)arg, r->payload.p, r->payload.len);
	return ST_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct journal_opts opts = { .segment_bytes = BYTES, .salt = SALT,
	    .inline_io = true };
	static const struct journal_pos none;
	struct jf_segment h = { .version = JOURNAL_VERSION, .segment = 1, .bytes = BYTES,
	    .generation = 1, .first_lsn = 1, .salt = SALT, .first_tick = 1 };
	struct jf_mark m = { .version = JOURNAL_VERSION, .sequence = 1, .salt = SALT };
	char *seg = mem_zalloc(BYTES), mark[JOURNAL_BLOCK];
	struct faultio *f = faultio_new();
	struct journal *j;
	uint32_t crc = 0;

	log_set_level(LOG_LEVEL_FATAL);
	if (len > BYTES - JOURNAL_BLOCK)
		len = BYTES - JOURNAL_BLOCK;
	if (len > 1)
		memcpy(seg + JOURNAL_BLOCK, data + 1, len - 1);
	jf_segment_put(seg, &h);
	jf_mark_put(mark, &m);
	if (len > 0 && data[0] % 2 == 0)
		seal(seg, BYTES);
	if (len > 0 && data[0] % 4 == 3)
		memcpy(seg, seg + JOURNAL_BLOCK, JOURNAL_BLOCK);
	put_file(f, "/j/0000000001.seg", seg, BYTES);
	put_file(f, "/j/mark", mark, sizeof(mark));
	if (journal_open("/j", faultio_io(f), &opts, NULL, &j, NULL) == ST_OK) {
		if (journal_replay(j, &none, look, &crc, NULL) != ST_OK)
			abort();
		journal_close(&j);
		/* What was opened once opens again: its end was cleared. */
		if (journal_open("/j", faultio_io(f), &opts, NULL, &j, NULL) != ST_OK)
			abort();
		journal_close(&j);
	}
	faultio_free(&f);
	mem_free(&seg);
	return 0;
}
