#include "common/compress/deflate.h"

#include <stdint.h>
#include <stdlib.h>

#include <zlib.h>

#include "common/util/mem.h"

#define LEVEL		4
#define MEM_LEVEL	8
#define WINDOW_BITS	15
#define WINDOW		(1u << WINDOW_BITS)
#define FLUSHED		0x0000ffffu	/* what stands at the end of a flush */

/* Large and costly to make; each thread keeps one. */
static _Thread_local z_stream *compressor;

struct inflater {
	z_stream	z;
	bool		active;		/* z is set up */
	bool		aligned;	/* stands between two blocks, at a byte's end */
	bool		ended;
	bool		full;		/* the last call ended for want of room */
	uint32_t	tail;		/* the four bytes taken last */
	struct buf	history;	/* while it rests */
};

static void
must(int result)
{
	if (result != Z_OK)	/* for want of memory only */
		abort();
}

void
deflate_add(struct span in, bool last, struct buf *out)
{
	z_stream *z = compressor;
	int flush = last ? Z_FINISH : Z_SYNC_FLUSH;

	if (z == NULL) {
		z = compressor = mem_zalloc(sizeof(*z));
		must(deflateInit2(z, LEVEL, Z_DEFLATED, -WINDOW_BITS, MEM_LEVEL,
		    Z_DEFAULT_STRATEGY));
	}
	must(deflateReset(z));
	z->next_in = (unsigned char *)in.p;
	z->avail_in = (uInt)in.len;
	do {
		size_t room = 256 + z->avail_in / 2;

		z->next_out = (unsigned char *)buf_reserve(out, room);
		z->avail_out = (uInt)room;
		deflate(z, flush);
		buf_added(out, room - z->avail_out);
	} while (z->avail_out == 0);
}

struct inflater *
inflater_new(void)
{
	struct inflater *z = mem_zalloc(sizeof(*z));

	z->aligned = true;
	return z;
}

void
inflater_free(struct inflater **zp)
{
	struct inflater *z = *zp;

	if (z == NULL)
		return;
	if (z->active)
		inflateEnd(&z->z);
	buf_fini(&z->history);
	mem_free(zp);
}

static void
wake(struct inflater *z)
{
	if (z->active)
		return;
	z->z = (z_stream){ 0 };
	must(inflateInit2(&z->z, -WINDOW_BITS));
	if (z->history.len > 0)
		must(inflateSetDictionary(&z->z, (const unsigned char *)z->history.data,
		    (uInt)z->history.len));
	buf_fini(&z->history);
	z->active = true;
}

void
inflater_rest(struct inflater *z)
{
	uInt n = WINDOW;

	if (!z->active || !z->aligned)
		return;
	inflateGetDictionary(&z->z, (unsigned char *)buf_reserve(&z->history, WINDOW), &n);
	buf_added(&z->history, n);
	buf_trim(&z->history);
	inflateEnd(&z->z);
	z->active = false;
}

size_t
inflater_kept(const struct inflater *z)
{
	return sizeof(*z) + z->history.len;
}

/* Up to the end of a block, or of what there is. */
static enum status
step(struct inflater *z, struct span *in, char *to, size_t room, size_t *made)
{
	size_t len = in->len < (1u << 30) ? in->len : (1u << 30), took;
	int r;

	wake(z);
	z->z.next_in = (unsigned char *)in->p;
	z->z.avail_in = (uInt)len;
	z->z.next_out = (unsigned char *)to;
	z->z.avail_out = (uInt)room;
	r = inflate(&z->z, Z_BLOCK);
	took = len - z->z.avail_in;
	for (size_t i = took > 4 ? took - 4 : 0; i < took; i++)
		z->tail = z->tail << 8 | (unsigned char)in->p[i];
	*in = span_sub(*in, took, in->len);
	*made = room - z->z.avail_out;
	z->ended = r == Z_STREAM_END;
	z->aligned = r == Z_OK && (z->z.data_type & (128 | 64 | 7)) == 128;
	z->full = room > 0 && *made == room;
	if (r == Z_MEM_ERROR)
		abort();
	return r == Z_OK || r == Z_STREAM_END || r == Z_BUF_ERROR ? ST_OK : ST_CORRUPT;
}

bool
inflater_more(const struct inflater *z)
{
	return z->full && !z->aligned;
}

static bool
at_block(const struct inflater *z)
{
	return z->ended || (z->z.data_type & 128) != 0;
}

enum status
inflater_read(struct inflater *z, struct span *in, size_t max, struct buf *out)
{
	size_t total = 0;

	while (total < max) {
		size_t room = max - total < 4096 ? max - total : 4096, had = in->len, made = 0;
		enum status st;

		if (z->ended) {
			z->full = false;
			return in->len > 0 ? ST_CORRUPT : ST_OK;
		}
		st = step(z, in, buf_reserve(out, room), room, &made);
		buf_added(out, made);
		total += made;
		if (st != ST_OK)
			return st;
		if (total > 0 && at_block(z))
			break;
		/* The decoder may hold what did not fit, with nothing left to take. */
		if (made < room && (in->len == 0 || (in->len == had && made == 0 && !at_block(z))))
			break;
	}
	return ST_OK;
}

enum status
inflater_end(struct inflater *z, struct span *in, bool *done)
{
	char none[1];

	*done = z->ended;
	while (!*done && in->len > 0) {
		size_t made = 0;
		enum status st = step(z, in, none, sizeof(none), &made);

		if (st != ST_OK || made > 0)
			return ST_CORRUPT;
		*done = z->ended || (z->aligned && z->tail == FLUSHED);
	}
	return ST_OK;
}

void
gzip_compress(struct span in, struct buf *out)
{
	static const unsigned char head[10] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255 };
	unsigned long sum = crc32(0, (const unsigned char *)in.p, (uInt)in.len);

	buf_add(out, head, sizeof(head));
	deflate_add(in, true, out);
	for (int i = 0; i < 32; i += 8)
		buf_add_c(out, (char)(sum >> i & 0xff));
	for (int i = 0; i < 32; i += 8)
		buf_add_c(out, (char)(in.len >> i & 0xff));
}
