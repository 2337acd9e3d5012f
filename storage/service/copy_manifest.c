#include "storage/service/copy_manifest.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/crypto/encode.h"
#include "common/util/mem.h"

#define VERSION 1

void
copy_manifest_fini(struct copy_manifest *m)
{
	live_fini(&m->live);
	mem_free(&m->files);
	*m = (struct copy_manifest){ 0 };
}

void
copy_manifest_file(struct copy_manifest *m, const struct copy_file *f)
{
	if (m->n_files == m->room_files) {
		m->room_files = m->room_files == 0 ? 64 : m->room_files * 2;
		m->files = mem_realloc_array(m->files, m->room_files, sizeof(*m->files));
	}
	m->files[m->n_files++] = *f;
}

uint64_t
copy_manifest_bytes(const struct copy_manifest *m)
{
	uint64_t n = 0;

	for (size_t i = 0; i < m->n_files; i++)
		n += m->files[i].bytes;
	return n;
}

bool
copy_file_name_good(struct span name)
{
	if (name.len == 0 || name.len > COPY_FILE_NAME_MAX || name.p[0] == '.')
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.p[i];

		if (!ascii_isalnum((unsigned char)c) && c != '.' && c != '-' && c != '_')
			return false;
	}
	return true;
}

/* ---- writing ---- */

void
copy_manifest_put(struct buf *b, const struct copy_manifest *m)
{
	size_t from = b->len;

	buf_addf(b, "mansio-copy %d\nshard %" PRIu32 "\nincarnation %" PRIu64 "\n", VERSION,
	    m->shard, m->incarnation);
	buf_addf(b, "position %" PRIu64 " %" PRIu64 " %" PRIu32 " %" PRIu32 "\n", m->pos.lsn,
	    m->pos.tick_lsn, m->pos.segment, m->pos.offset);
	buf_addf(b, "stamp %" PRIu64 "\nmade %" PRIu64 "\n", (uint64_t)m->stamp_ms,
	    (uint64_t)m->made_ms);
	for (size_t i = 0; i < m->live.n; i++)
		buf_addf(b, "segment %" PRIu32 " %" PRIu64 " %" PRIu64 "\n", m->live.v[i].segment,
		    m->live.v[i].bytes, m->live.v[i].pieces);
	for (size_t i = 0; i < m->n_files; i++) {
		buf_addf(b, "file %s %" PRIu64 " ", m->files[i].name, m->files[i].bytes);
		hex_encode(span(m->files[i].sha256, SHA256_LEN), b);
		buf_add_c(b, '\n');
	}
	buf_addf(b, "end %08" PRIx32 "\n", crc32c(0, b->data + from, b->len - from));
}

/* ---- reading ---- */

struct lines {
	struct span	rest, line;	/* line: what is left of the one at hand */
	bool		bad;
};

/* The next line begins with this word. */
static bool
take_word(struct lines *l, const char *word)
{
	struct span rest = l->rest, line = span_cut(&rest, '\n');

	if (rest.p == NULL || !span_eq_str(span_cut(&line, ' '), word))
		return false;
	l->rest = rest;
	l->line = line;
	return true;
}

static void
need_word(struct lines *l, const char *word)
{
	if (!l->bad && !take_word(l, word))
		l->bad = true;
}

static uint64_t
take_u64(struct lines *l, uint64_t max)
{
	uint64_t v = 0;

	if (l->bad || !span_u64(span_cut(&l->line, ' '), &v) || v > max)
		l->bad = true;
	return l->bad ? 0 : v;
}

static void
need_end(struct lines *l)
{
	if (l->line.p != NULL)
		l->bad = true;
}

static void
get_head(struct lines *l, struct copy_manifest *m)
{
	need_word(l, "shard");
	m->shard = (uint32_t)take_u64(l, UINT32_MAX);
	need_end(l);
	need_word(l, "incarnation");
	m->incarnation = take_u64(l, UINT64_MAX);
	need_end(l);
	need_word(l, "position");
	m->pos.lsn = take_u64(l, UINT64_MAX);
	m->pos.tick_lsn = take_u64(l, UINT64_MAX);
	m->pos.segment = (uint32_t)take_u64(l, UINT32_MAX);
	m->pos.offset = (uint32_t)take_u64(l, UINT32_MAX);
	need_end(l);
	need_word(l, "stamp");
	m->stamp_ms = (int64_t)take_u64(l, INT64_MAX);
	need_end(l);
	need_word(l, "made");
	m->made_ms = (int64_t)take_u64(l, INT64_MAX);
	need_end(l);
}

static void
get_segments(struct lines *l, struct copy_manifest *m)
{
	while (!l->bad && take_word(l, "segment")) {
		struct live_segment s = { 0 };
		struct live *v = &m->live;

		s.segment = (uint32_t)take_u64(l, UINT32_MAX);
		s.bytes = take_u64(l, UINT64_MAX);
		s.pieces = take_u64(l, UINT64_MAX);
		need_end(l);
		if (s.segment == 0 || (v->n > 0 && v->v[v->n - 1].segment >= s.segment))
			l->bad = true;
		if (l->bad)
			break;
		live_add(v, s.segment, s.bytes);
		v->v[v->last].pieces = s.pieces;
	}
}

static void
get_files(struct lines *l, struct copy_manifest *m)
{
	while (!l->bad && take_word(l, "file")) {
		struct span name = span_cut(&l->line, ' ');
		struct copy_file f = { .name = "" };
		struct buf sum = { 0 };

		if (!copy_file_name_good(name)) {
			l->bad = true;
			break;
		}
		memcpy(f.name, name.p, name.len);
		f.bytes = take_u64(l, INT64_MAX);
		if (l->bad || !hex_decode(l->line, SHA256_LEN, &sum) || sum.len != SHA256_LEN)
			l->bad = true;
		else
			memcpy(f.sha256, sum.data, SHA256_LEN);
		buf_fini(&sum);
		if (!l->bad)
			copy_manifest_file(m, &f);
	}
}

/* The last line, over all before it. */
static bool
end_good(struct span text)
{
	char want[16];
	size_t n = text.len;

	if (n < 13)
		return false;
	n -= 13;
	snprintf(want, sizeof(want), "end %08" PRIx32 "\n", crc32c(0, text.p, n));
	return memcmp(text.p + n, want, 13) == 0;
}

enum status
copy_manifest_get(struct span text, struct copy_manifest *m)
{
	struct lines l = { .rest = text };
	uint64_t version;

	if (!end_good(text))
		return ST_CORRUPT;
	need_word(&l, "mansio-copy");
	version = take_u64(&l, UINT32_MAX);
	if (l.bad)
		return ST_CORRUPT;
	if (version != VERSION)
		return ST_UNSUPPORTED;
	need_end(&l);
	get_head(&l, m);
	get_segments(&l, m);
	get_files(&l, m);
	need_word(&l, "end");
	if (l.bad || l.rest.len > 0) {
		copy_manifest_fini(m);
		return ST_CORRUPT;
	}
	return ST_OK;
}
