/* Writing gathers one frame of raw bytes; the head is written with the first frame,
 * so that the length of a small message is always in it.  Reading is a machine over
 * the fields of the format that keeps at most one compressed frame. */
#include "storage/client/body.h"

#include <assert.h>

#include "common/compress/dictionary.h"
#include "common/crypto/digest.h"
#include "common/util/bytes.h"
#include "common/util/mem.h"

#define VERSION 1
#define LEVEL 3			/* of zstd, where the dictionary is no help */

struct body_writer {
	struct buf	 prefix, raw;
	uint64_t	 promised, size;
	size_t		 frame;
	struct digest	*sha256;
	unsigned char	 sum[SHA256_LEN];
	bool		 begun, ended;
};

struct body_writer *
body_writer_new(struct span prefix, uint64_t raw_size)
{
	struct body_writer *w = mem_zalloc(sizeof(*w));

	assert(prefix.len <= BODY_PREFIX_MAX);
	buf_add_span(&w->prefix, prefix);
	w->promised = raw_size;
	w->frame = BODY_FRAME_NEW;
	w->size = prefix.len;
	w->sha256 = digest_new(DIGEST_SHA256);
	digest_add(w->sha256, prefix.p, prefix.len);
	return w;
}

void
body_writer_free(struct body_writer **wp)
{
	struct body_writer *w = *wp;

	if (w == NULL)
		return;
	buf_fini(&w->prefix);
	buf_fini(&w->raw);
	digest_free(&w->sha256);
	mem_free(wp);
}

static void
write_head(struct body_writer *w, uint64_t length, struct buf *out)
{
	if (w->begun)
		return;
	w->begun = true;
	put_u8(out, VERSION);
	put_span(out, buf_span(&w->prefix));
	put_varint(out, length);
}

static void
write_frame(struct body_writer *w, struct buf *out)
{
	struct buf packed = { 0 };
	struct span raw = buf_span(&w->raw);
	const struct zstd_dict *dict = raw.len <= DICTIONARY_MAIL_MAX ? dictionary_mail() : NULL;

	zstd_compress(raw, LEVEL, dict, &packed);
	put_varint(out, raw.len);
	if (packed.len < raw.len) {
		put_varint(out, (uint64_t)packed.len << 1 | 1);
		buf_add_span(out, buf_span(&packed));
	} else {
		put_varint(out, (uint64_t)raw.len << 1);
		buf_add_span(out, raw);
	}
	buf_fini(&packed);
	buf_clear(&w->raw);
}

void
body_writer_set_frame(struct body_writer *w, size_t n)
{
	assert(n >= 1024 && n <= BODY_FRAME_RAW && w->size == w->prefix.len);
	w->frame = n;
}

void
body_writer_feed(struct body_writer *w, const void *p, size_t n, struct buf *out)
{
	const char *at = p;

	assert(!w->ended);
	digest_add(w->sha256, p, n);
	w->size += n;
	while (n > 0) {
		size_t take = w->frame - w->raw.len;

		/* A full frame waits until more comes: a message of exactly one frame is
		 * then still known whole when its head is written. */
		if (take == 0) {
			write_head(w, w->promised, out);
			write_frame(w, out);
			continue;
		}
		if (take > n)
			take = n;
		buf_add(&w->raw, at, take);
		at += take;
		n -= take;
	}
}

void
body_writer_finish(struct body_writer *w, struct buf *out)
{
	bool unknown = w->begun && w->promised == 0;

	assert(!w->ended);
	assert(w->promised == 0 || w->promised == w->size - w->prefix.len);
	w->ended = true;
	digest_done(w->sha256, w->sum);
	write_head(w, w->raw.len, out);
	if (w->raw.len > 0)
		write_frame(w, out);
	if (unknown || w->size == w->prefix.len)
		put_varint(out, 0);
}

uint64_t
body_writer_size(const struct body_writer *w)
{
	return w->size;
}

void
body_writer_sha256(const struct body_writer *w, unsigned char out[32])
{
	assert(w->ended);
	memcpy(out, w->sum, SHA256_LEN);
}

enum field {
	AT_VERSION, AT_PREFIX_LEN, AT_PREFIX, AT_LENGTH, AT_FRAME_RAW, AT_FRAME_STORED,
	AT_PLAIN, AT_PACKED, AT_END
};

struct body_reader {
	enum field	field;
	bool		bad;
	uint64_t	from, to;	/* range of raw octets, to exclusive */
	uint64_t	at;		/* raw octets passed so far */
	uint64_t	number;		/* varint being read */
	unsigned	shift;
	uint64_t	left;		/* raw octets of the frames to come, when known */
	bool		known;
	uint64_t	frame_raw;
	size_t		need;		/* stored bytes of this run still to come */
	struct buf	packed;
};

struct body_reader *
body_reader_new(uint64_t from, uint64_t length)
{
	struct body_reader *r = mem_zalloc(sizeof(*r));

	r->from = from;
	if (length == 0 || __builtin_add_overflow(from, length, &r->to))
		r->to = UINT64_MAX;
	return r;
}

void
body_reader_free(struct body_reader **rp)
{
	if (*rp == NULL)
		return;
	buf_fini(&(*rp)->packed);
	mem_free(rp);
}

bool
body_reader_done(const struct body_reader *r)
{
	return !r->bad && (r->field == AT_END || (r->field > AT_PREFIX_LEN && r->at >= r->to));
}

/* true: *v is whole. */
static bool
take_number(struct body_reader *r, struct span *in, uint64_t max, uint64_t *v)
{
	while (in->len > 0) {
		unsigned char c = (unsigned char)in->p[0];

		*in = span(in->p + 1, in->len - 1);
		r->number |= (uint64_t)(c & 0x7f) << r->shift;
		r->shift += 7;
		if (c & 0x80) {
			if (r->shift >= 56)
				break;
			continue;
		}
		*v = r->number;
		r->number = 0;
		r->shift = 0;
		r->bad = *v > max;
		return !r->bad;
	}
	r->bad = in->len > 0 || r->shift >= 56;
	return false;
}

/* Passes raw octets on, as far as they are wanted. */
static void
pass(struct body_reader *r, struct span raw, struct buf *out)
{
	uint64_t lo = r->from > r->at ? r->from - r->at : 0;
	uint64_t hi = r->to > r->at ? r->to - r->at : 0;

	if (hi > raw.len)
		hi = raw.len;
	if (lo < hi)
		buf_add(out, raw.p + lo, (size_t)(hi - lo));
	r->at += raw.len;
}

static struct span
take(struct body_reader *r, struct span *in)
{
	struct span got = span(in->p, in->len < r->need ? in->len : r->need);

	*in = span(in->p + got.len, in->len - got.len);
	r->need -= got.len;
	return got;
}

static bool
frame_wanted(const struct body_reader *r)
{
	return r->at < r->to && r->at + r->frame_raw > r->from;
}

static void
next_frame(struct body_reader *r)
{
	r->field = r->known && r->left == 0 ? AT_END : AT_FRAME_RAW;
}

/* A frame that is wanted as a whole goes where it is wanted at once. */
static void
unpack(struct body_reader *r, struct span packed, struct buf *out)
{
	bool whole = r->at >= r->from && r->frame_raw <= r->to - r->at;
	struct buf raw = { 0 }, *to = whole ? out : &raw;
	size_t before = to->len;

	if (zstd_decompress(packed, (size_t)r->frame_raw, dictionary_of(packed), to) != ST_OK ||
	    to->len - before != r->frame_raw) {
		r->bad = true;
		buf_cut(to, before);
	} else if (whole) {
		r->at += r->frame_raw;
	} else {
		pass(r, buf_span(&raw), out);
	}
	buf_fini(&raw);
}

static void
take_packed(struct body_reader *r, struct span *in, struct buf *out)
{
	bool wanted = frame_wanted(r);
	struct span got = take(r, in);

	/* a frame that came in one piece need not be gathered */
	if (wanted && (r->need > 0 || r->packed.len > 0)) {
		buf_add_span(&r->packed, got);
		got = buf_span(&r->packed);
	}
	if (r->need > 0)
		return;
	if (wanted)
		unpack(r, got, out);
	else
		r->at += r->frame_raw;
	buf_clear(&r->packed);
	next_frame(r);
}

static void
take_frame_raw(struct body_reader *r, struct span *in)
{
	if (!take_number(r, in, BODY_FRAME_RAW, &r->frame_raw))
		return;
	if (r->frame_raw == 0) {
		r->bad = r->known;
		r->field = AT_END;
		return;
	}
	if (r->known) {
		r->bad = r->frame_raw > r->left;
		r->left -= r->frame_raw;
	}
	r->field = AT_FRAME_STORED;
}

static void
take_frame_stored(struct body_reader *r, struct span *in)
{
	uint64_t v;

	if (!take_number(r, in, 2 * BODY_FRAME_RAW, &v))
		return;
	r->need = (size_t)(v >> 1);
	if (v & 1) {
		r->bad = r->need == 0 || r->need >= r->frame_raw;
		r->field = AT_PACKED;
	} else {
		r->bad = r->need != r->frame_raw;
		r->field = AT_PLAIN;
	}
}

static void
step(struct body_reader *r, struct span *in, struct buf *out)
{
	uint64_t v;

	switch (r->field) {
	case AT_VERSION:
		r->bad = in->p[0] != VERSION;
		*in = span(in->p + 1, in->len - 1);
		r->field = AT_PREFIX_LEN;
		break;
	case AT_PREFIX_LEN:
		if (!take_number(r, in, BODY_PREFIX_MAX, &v))
			break;
		r->need = (size_t)v;
		r->field = v > 0 ? AT_PREFIX : AT_LENGTH;
		break;
	case AT_PREFIX:
		pass(r, take(r, in), out);
		if (r->need == 0)
			r->field = AT_LENGTH;
		break;
	case AT_LENGTH:
		if (!take_number(r, in, UINT64_MAX >> 9, &r->left))
			break;
		r->known = r->left > 0;
		r->field = AT_FRAME_RAW;
		break;
	case AT_FRAME_RAW:
		take_frame_raw(r, in);
		break;
	case AT_FRAME_STORED:
		take_frame_stored(r, in);
		break;
	case AT_PLAIN:
		pass(r, take(r, in), out);
		if (r->need == 0)
			next_frame(r);
		break;
	case AT_PACKED:
		take_packed(r, in, out);
		break;
	case AT_END:
		r->bad = true;		/* bytes behind the end */
		break;
	}
}

enum status
body_reader_feed(struct body_reader *r, struct span stored, struct buf *raw_out)
{
	while (!r->bad && stored.len > 0) {
		if (r->at >= r->to && r->field > AT_PREFIX_LEN)
			return ST_OK;
		step(r, &stored, raw_out);
	}
	return r->bad ? ST_CORRUPT : ST_OK;
}

enum status
body_reader_take(struct body_reader *r, struct span *stored, size_t enough, struct buf *raw_out)
{
	size_t before = raw_out->len;

	while (!r->bad && stored->len > 0 && raw_out->len - before < enough) {
		if (r->at >= r->to && r->field > AT_PREFIX_LEN)
			*stored = SPAN_NONE;
		else
			step(r, stored, raw_out);
	}
	return r->bad ? ST_CORRUPT : ST_OK;
}

/* ---- at once ---- */

static enum status
unpack_frame(struct reader *r, uint64_t raw, uint64_t *left, struct buf *out)
{
	uint64_t stored = get_varint(r);
	size_t before = out->len;
	struct span data;

	if (raw > BODY_FRAME_RAW || raw > *left || (stored >> 1) > BODY_FRAME_RAW)
		return ST_CORRUPT;
	data = get_raw(r, (size_t)(stored >> 1));
	if (r->bad)
		return ST_CORRUPT;
	*left -= raw;
	if ((stored & 1) == 0) {
		buf_add_span(out, data);
		return data.len == raw ? ST_OK : ST_CORRUPT;
	}
	if (zstd_decompress(data, (size_t)raw, dictionary_of(data), out) != ST_OK)
		return ST_CORRUPT;
	return out->len - before == raw ? ST_OK : ST_CORRUPT;
}

enum status
body_unpack(struct span stored, uint64_t max, struct buf *out)
{
	struct reader r;
	struct span prefix;
	uint64_t length, left, raw;

	reader_init(&r, stored.p, stored.len);
	if (get_u8(&r) != VERSION)
		return ST_CORRUPT;
	prefix = get_span(&r);
	length = get_varint(&r);
	if (r.bad || prefix.len > BODY_PREFIX_MAX || prefix.len > max ||
	    length > max - prefix.len)
		return ST_CORRUPT;
	buf_add_span(out, prefix);
	left = length > 0 ? length : max - prefix.len;
	while (length == 0 || left > 0) {
		raw = get_varint(&r);
		if (r.bad || (raw == 0 && length > 0))
			return ST_CORRUPT;
		if (raw == 0)
			break;
		if (unpack_frame(&r, raw, &left, out) != ST_OK)
			return ST_CORRUPT;
	}
	return reader_done(&r) ? ST_OK : ST_CORRUPT;
}
