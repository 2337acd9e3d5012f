#include "common/compress/zstd.h"

#include <pthread.h>
#include <stdlib.h>

#define ZSTD_STATIC_LINKING_ONLY	/* dictionaries by reference */
#include <zstd.h>

#include "common/util/mem.h"

#define WINDOW_LOG_MAX 23	/* 8 MiB */
#define HASH_LOG_MAX 15		/* of a dictionary's long matches */

/* The halves are made when they are first needed: most processes need one or none. */
struct zstd_dict {
	ZSTD_CDict	*c;
	ZSTD_DDict	*d;
	pthread_mutex_t	 lock;		/* while they are made */
	struct span	 bytes;
	int		 level;
	uint32_t	 id;
};

struct zstd_reader {
	ZSTD_DCtx	*ctx;
	bool		 at_end;
	bool		 full;		/* the last call ended because out was full */
};

/* Contexts are large and costly to make; each thread keeps one of both kinds until it ends. */
static _Thread_local ZSTD_CCtx *cctx;
static _Thread_local ZSTD_DCtx *dctx;
static pthread_key_t at_end_of_thread;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void *
must(void *p)
{
	if (p == NULL)
		abort();
	return p;
}

static void
free_contexts(void *arg)
{
	ZSTD_freeCCtx(cctx);
	ZSTD_freeDCtx(dctx);
	cctx = NULL;
	dctx = NULL;
}

static void
make_key(void)
{
	if (pthread_key_create(&at_end_of_thread, free_contexts) != 0)
		abort();
}

static void
free_at_end(void)
{
	pthread_once(&once, make_key);
	(void)pthread_setspecific(at_end_of_thread, &once);
}

static void
need_compressor(void)
{
	if (cctx != NULL)
		return;
	cctx = must(ZSTD_createCCtx());
	free_at_end();
}

static ZSTD_DCtx *
decompressor(void)
{
	ZSTD_DCtx *ctx = must(ZSTD_createDCtx());

	ZSTD_DCtx_setParameter(ctx, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
	return ctx;
}

static void
need_decompressor(void)
{
	if (dctx != NULL)
		return;
	dctx = decompressor();
	free_at_end();
}

/* Small messages are packed out of caches that others used meanwhile: tables of half the size cost
 * half a per cent of what is saved and a fifth less time. */
static ZSTD_CDict *
make_packing_half(const struct zstd_dict *d)
{
	ZSTD_compressionParameters p = ZSTD_getCParams(d->level, 0, d->bytes.len);

	if (p.hashLog > HASH_LOG_MAX)
		p.hashLog = HASH_LOG_MAX;
	return must(ZSTD_createCDict_advanced(d->bytes.p, d->bytes.len, ZSTD_dlm_byRef,
	    ZSTD_dct_auto, p, ZSTD_defaultCMem));
}

static const ZSTD_CDict *
packing_half(const struct zstd_dict *dict)
{
	struct zstd_dict *d = (struct zstd_dict *)(uintptr_t)dict;

	pthread_mutex_lock(&d->lock);
	if (d->c == NULL)
		d->c = make_packing_half(d);
	pthread_mutex_unlock(&d->lock);
	return d->c;
}

static const ZSTD_DDict *
unpacking_half(const struct zstd_dict *dict)
{
	struct zstd_dict *d = (struct zstd_dict *)(uintptr_t)dict;

	pthread_mutex_lock(&d->lock);
	if (d->d == NULL)
		d->d = must(ZSTD_createDDict_byReference(d->bytes.p, d->bytes.len));
	pthread_mutex_unlock(&d->lock);
	return d->d;
}

struct zstd_dict *
zstd_dict_new(struct span bytes, int level)
{
	struct zstd_dict *d;
	/* 0: raw content, which any bytes would be. */
	uint32_t id = ZSTD_getDictID_fromDict(bytes.p, bytes.len);

	if (id == 0)
		return NULL;
	d = mem_zalloc(sizeof(*d));
	*d = (struct zstd_dict){ .bytes = bytes, .level = level, .id = id,
		.lock = PTHREAD_MUTEX_INITIALIZER };
	return d;
}

uint32_t
zstd_dict_id(const struct zstd_dict *d)
{
	return d->id;
}

void
zstd_dict_free(struct zstd_dict **dp)
{
	if (*dp == NULL)
		return;
	ZSTD_freeCDict((*dp)->c);
	ZSTD_freeDDict((*dp)->d);
	pthread_mutex_destroy(&(*dp)->lock);
	mem_free(dp);
}

/* One frame with the parameters of the moment, which are for this one. */
static void
compress_set(struct span in, int level, struct buf *out)
{
	size_t bound = ZSTD_compressBound(in.len), n;
	char *to = buf_reserve(out, bound);

	ZSTD_CCtx_setParameter(cctx, ZSTD_c_compressionLevel, level);
	n = ZSTD_compress2(cctx, to, bound, in.p, in.len);
	ZSTD_CCtx_reset(cctx, ZSTD_reset_session_and_parameters);
	if (ZSTD_isError(n))	/* with room enough, only for want of memory */
		abort();
	buf_added(out, n);
}

void
zstd_compress(struct span in, int level, const struct zstd_dict *dict, struct buf *out)
{
	need_compressor();
	if (dict != NULL)
		ZSTD_CCtx_refCDict(cctx, packing_half(dict));
	ZSTD_CCtx_setParameter(cctx, ZSTD_c_checksumFlag, 1);
	compress_set(in, level, out);
}

void
zstd_compress_quick(struct span in, int level, struct buf *out)
{
	need_compressor();
	ZSTD_CCtx_setParameter(cctx, ZSTD_c_literalCompressionMode, ZSTD_ps_disable);
	compress_set(in, level, out);
}

void
zstd_compress_behind(struct span before, struct span in, int level, struct buf *out)
{
	need_compressor();
	ZSTD_CCtx_refPrefix(cctx, before.p, before.len);
	compress_set(in, level, out);
}

enum status
zstd_decompress_behind(struct span before, struct span in, size_t max, struct buf *out)
{
	size_t frame = ZSTD_findFrameCompressedSize(in.p, in.len), n;
	uint64_t size;
	char *to;

	if (in.len == 0 || ZSTD_isError(frame) || frame != in.len || !zstd_content_size(in, &size))
		return ST_CORRUPT;
	if (size > max)
		return ST_LIMIT;
	to = buf_reserve(out, (size_t)size + 1);
	need_decompressor();
	ZSTD_DCtx_refPrefix(dctx, before.p, before.len);
	n = ZSTD_decompressDCtx(dctx, to, (size_t)size, in.p, in.len);
	ZSTD_DCtx_reset(dctx, ZSTD_reset_session_only);
	if (ZSTD_isError(n) || n != size)
		return ST_CORRUPT;
	buf_added(out, n);
	return ST_OK;
}

uint32_t
zstd_frame_dict(struct span in)
{
	return ZSTD_getDictID_fromFrame(in.p, in.len);
}

bool
zstd_content_size(struct span in, uint64_t *size)
{
	unsigned long long n = ZSTD_getFrameContentSize(in.p, in.len);

	if (in.len == 0 || n == ZSTD_CONTENTSIZE_UNKNOWN || n == ZSTD_CONTENTSIZE_ERROR)
		return false;
	*size = n;
	return true;
}

/* Frames of a stream do not say how large they are. */
static enum status
decompress_unsized(struct span in, size_t max, const struct zstd_dict *dict, struct buf *out)
{
	struct zstd_reader *r = zstd_reader_new(dict);
	size_t before = out->len;
	enum status st = zstd_reader_read(r, &in, max, out);

	if (st == ST_OK && !zstd_reader_at_end(r))
		st = r->full ? ST_LIMIT : ST_CORRUPT;
	else if (st == ST_OK && in.len > 0)
		st = ST_CORRUPT;
	zstd_reader_free(&r);
	if (st != ST_OK)
		buf_cut(out, before);
	return st;
}

enum status
zstd_decompress(struct span in, size_t max, const struct zstd_dict *dict, struct buf *out)
{
	size_t frame = ZSTD_findFrameCompressedSize(in.p, in.len), n;
	uint64_t size;
	char *to;

	if (in.len == 0 || ZSTD_isError(frame) || frame != in.len)
		return ST_CORRUPT;
	if (!zstd_content_size(in, &size))
		return decompress_unsized(in, max, dict, out);
	if (size > max)
		return ST_LIMIT;
	to = buf_reserve(out, (size_t)size + 1);
	need_decompressor();
	if (dict != NULL)
		n = ZSTD_decompress_usingDDict(dctx, to, (size_t)size, in.p, in.len,
		    unpacking_half(dict));
	else
		n = ZSTD_decompressDCtx(dctx, to, (size_t)size, in.p, in.len);
	if (ZSTD_isError(n) || n != size)
		return ST_CORRUPT;
	buf_added(out, n);
	return ST_OK;
}

struct zstd_reader *
zstd_reader_new(const struct zstd_dict *dict)
{
	struct zstd_reader *r = mem_zalloc(sizeof(*r));

	r->ctx = decompressor();
	r->at_end = true;
	if (dict != NULL)
		ZSTD_DCtx_refDDict(r->ctx, unpacking_half(dict));
	return r;
}

enum status
zstd_reader_read(struct zstd_reader *r, struct span *in, size_t max, struct buf *out)
{
	ZSTD_inBuffer from = { in->p, in->len, 0 };
	enum status st = ST_OK;
	size_t made = 0;

	/* One call more when the decoder may hold what did not fit before. */
	while (made < max && (from.pos < from.size || r->full)) {
		size_t step = ZSTD_DStreamOutSize(), n;
		ZSTD_outBuffer to;

		step = step < max - made ? step : max - made;
		to = (ZSTD_outBuffer){ buf_reserve(out, step), step, 0 };
		n = ZSTD_decompressStream(r->ctx, &to, &from);
		if (ZSTD_isError(n)) {
			st = ST_CORRUPT;
			break;
		}
		buf_added(out, to.pos);
		made += to.pos;
		r->at_end = n == 0;
		r->full = to.pos == to.size && n != 0;
	}
	*in = span_sub(*in, from.pos, from.size);
	return st;
}

bool
zstd_reader_at_end(const struct zstd_reader *r)
{
	return r->at_end;
}

void
zstd_reader_free(struct zstd_reader **rp)
{
	if (*rp == NULL)
		return;
	ZSTD_freeDCtx((*rp)->ctx);
	mem_free(rp);
}
