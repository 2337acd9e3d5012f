/* The file of an account's texts: opened, searched, checked, added to.  What only checks bytes
 * against each other (places, lengths, CRCs) is put right first, so that the rest is reached.
 * The first byte chooses needles, and whether anything is put right. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <fcntl.h>

#include "common/util/bytes.h"
#include "common/util/fd.h"
#include "common/util/mem.h"
#include "storage/search/text_priv.h"

#define ACCOUNT 5u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int
folder(void)
{
	static int dir = -1;
	static char path[] = "/tmp/fuzz-text-XXXXXX";

	if (dir < 0) {
		if (mkdtemp(path) == NULL)
			abort();
		dir = open(path, O_RDONLY | O_DIRECTORY);
	}
	return dir;
}

/* Lengths as the head says, cut to what there is. */
static void
mend_block(struct buf *b, size_t at)
{
	unsigned char *h = (unsigned char *)b->data + at;
	size_t left = b->len - at - TEXT_HEAD_BYTES, part[4];
	static const size_t place[4] = { 12, 16, 20, 28 };
	unsigned char *p = h + TEXT_HEAD_BYTES;

	for (size_t i = 0; i < 4; i++) {
		part[i] = get_be32(h + place[i]) % (left + 1);
		if (i == 1)
			while (part[i] & (part[i] - 1))
				part[i] &= part[i] - 1;
		put_be32(h + place[i], (uint32_t)part[i]);
		left -= part[i];
	}
	memcpy(h, TEXT_BLOCK_MAGIC, 4);
	put_be32(h + 4, (uint32_t)(TEXT_HEAD_BYTES + part[0] + part[1] + part[2] + part[3]));
	put_be32(h + 36, crc32c(0, p, part[0] + part[1]));
	put_be32(h + 40, crc32c(0, p + part[0] + part[1], part[2]));
	put_be32(h + 44, crc32c(0, p + part[0] + part[1] + part[2], part[3]));
	put_be64(h + 48, at);
	put_be64(h + 56, h[63] & 1 ? TEXT_FILE_HEADER : at);
	put_be32(h + 68, crc32c(0, h, 68));
}

static void
mend(struct buf *b)
{
	size_t at = TEXT_FILE_HEADER;

	while (at + TEXT_HEAD_BYTES <= b->len) {
		mend_block(b, at);
		at += get_be32(b->data + at + 4);
	}
}

static void
search(struct text_view *v, unsigned which)
{
	const struct text_needle needles[] = {
		{ which & 1, SPAN_LIT("A") }, { false, SPAN_LIT("SUBJECT") }
	};
	struct text_wanted *wanted = mem_array(8, sizeof(*wanted));
	struct text_search *s;
	size_t n;

	for (uint32_t i = 0; i < 8; i++)
		wanted[i] = (struct text_wanted){ .message = i, .uid = i + 1 };
	s = text_search_new(needles, 1 + (which >> 1 & 1), 2, wanted, 8);
	text_search_add_view(s, v);
	n = text_search_steps(s);
	for (size_t i = 0; i < n; i++)
		(void)text_search_step(s, i);
	text_search_free(&s);
}

static void
add(struct text_view **v)
{
	struct text_docs docs = { 0 };
	struct text_view *next;

	(void)text_docs_add(&docs, 3, 2, false, SPAN_LIT("SUBJECT: A\n"), SPAN_LIT("BODY"));
	(void)text_append(*v, &docs, &next);
	text_view_unref(v);
	*v = next;
	text_docs_fini(&docs);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buf b = { 0 }, report = { 0 };
	struct text_view *v;
	uint64_t wrong = 0;
	int fd;

	if (len < 1)
		return 0;
	text_file_header(&b, 1, ACCOUNT);
	buf_add(&b, data + 1, len - 1);
	if (!(data[0] & 128))
		mend(&b);
	fd = openat(folder(), "0000000000000005", O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || !fd_write_full(fd, b.data, b.len))
		abort();
	close(fd);
	v = text_open(folder(), 1, ACCOUNT);
	search(v, data[0]);
	text_check(folder(), 1, ACCOUNT, NULL, NULL, &report, &wrong);
	for (unsigned i = 0; i < (data[0] >> 2 & 15u); i++)
		add(&v);
	search(v, data[0]);
	text_view_unref(&v);
	buf_fini(&b);
	buf_fini(&report);
	return 0;
}
