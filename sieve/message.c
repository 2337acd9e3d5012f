/* Views of messages. */
#include "sieve/message.h"

#include <string.h>

#include "common/mime/field.h"
#include "common/util/buf.h"
#include "common/util/mem.h"

/* --- a header -------------------------------------------------------------------------------- */

struct sieve_header {
	struct arena		*arena;
	struct span		block;
	struct sieve_field	*first;
	struct sieve_field	**slots;	/* by hash: the first field of a name */
	uint32_t		mask;
};

uint32_t
sieve_name_hash(struct span name)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < name.len; i++)
		h = (h ^ (unsigned char)ascii_lower(name.p[i])) * 16777619u;
	return h;
}

static struct sieve_field **
slot_of(const struct sieve_header *h, struct span name, uint32_t hash)
{
	uint32_t i = hash & h->mask;

	while (h->slots[i] != NULL && (h->slots[i]->hash != hash ||
	    !span_caseeq(h->slots[i]->name, name)))
		i = (i + 1) & h->mask;
	return &h->slots[i];
}

/* From the last to the first, so that each name's chain is in order. */
static void
index_fields(struct sieve_header *h, struct sieve_field *last, size_t n)
{
	uint32_t size = 16;

	while (size < 2 * n)
		size *= 2;
	h->slots = arena_array(h->arena, size, sizeof(struct sieve_field *));
	h->mask = size - 1;
	while (last != NULL) {
		struct sieve_field *f = last, **slot = slot_of(h, f->name, f->hash);

		last = f->same;
		f->same = *slot;
		*slot = f;
	}
}

struct sieve_header *
sieve_header_new(struct arena *a, struct span block)
{
	struct sieve_header *h = arena_zalloc(a, sizeof(*h));
	struct sieve_field **tail = &h->first, *before = NULL;
	struct mime_field mf;
	size_t n = 0;

	h->arena = a;
	h->block = block;
	if (block.len > MIME_HEADER_MAX)
		block.len = MIME_HEADER_MAX;
	while (mime_field_next(&block, &mf)) {
		struct sieve_field *f = arena_zalloc(a, sizeof(*f));

		f->name = mf.name;
		f->value = mf.value;
		f->raw = mf.raw;
		f->hash = sieve_name_hash(f->name);
		f->same = before;	/* until it is indexed */
		before = *tail = f;
		tail = &f->next;
		n++;
	}
	index_fields(h, before, n);
	return h;
}

struct span
sieve_header_block(const struct sieve_header *h)
{
	return h->block;
}

struct sieve_field *
sieve_header_fields(const struct sieve_header *h)
{
	return h->first;
}

struct sieve_field *
sieve_header_find(const struct sieve_header *h, struct span name, uint32_t hash)
{
	return *slot_of(h, name, hash);
}

/* Nothing in it to unfold or to decode. */
static bool
stands_as_is(struct span v)
{
	for (size_t i = 0; i < v.len; i++) {
		unsigned char c = (unsigned char)v.p[i];

		if (c >= 0x80 || c < 32) {
			if (c != '\t')
				return false;
		} else if (c == '=' && i + 1 < v.len && v.p[i + 1] == '?') {
			return false;
		}
	}
	return true;
}

struct span
sieve_field_text(struct sieve_header *h, struct sieve_field *f)
{
	struct buf b = { 0 };

	if (f->has_text)
		return f->text;
	f->has_text = true;
	f->text = span_trim(f->value);
	if (!stands_as_is(f->text)) {
		mime_words_decode(f->text, &b);
		f->text = span_trim(arena_span(h->arena, buf_span(&b)));
		buf_fini(&b);
	}
	if (f->text.len == 0)
		f->text = span("", 0);
	return f->text;
}

size_t
sieve_field_addrs(struct sieve_header *h, struct sieve_field *f, const struct mime_addr **addrs)
{
	if (!f->has_addrs)
		f->n_addrs = mime_addresses(h->arena, f->value, &f->addrs);
	f->has_addrs = true;
	*addrs = f->addrs;
	return f->n_addrs;
}

/* --- a message ------------------------------------------------------------------------------- */

#define READ_PIECE 65536u
#define PART_HEADERS_MAX (4 * MIME_HEADER_MAX)

struct sieve_message {
	struct arena		own;		/* of a root */
	struct arena		*arena;
	struct span		header;
	uint64_t		size;
	sieve_read_fn		read;
	void			*arg;
	struct sieve_message	*root;
	struct sieve_message	*plain;		/* before it was enclosed; NULL: it was not */
	struct sieve_piece	*pieces;
	size_t			n_pieces;
	struct sieve_header	*parsed;
	struct mime_part	*parts;
	size_t			n_parts;
	struct sieve_header	**part_headers;
	size_t			part_bytes;	/* of headers of parts, read so far */
};

struct sieve_message *
sieve_message_new(struct span header, uint64_t size, sieve_read_fn read, void *arg)
{
	struct sieve_message *m = mem_zalloc(sizeof(*m));

	m->arena = &m->own;
	m->header = header;
	m->size = size;
	m->read = read;
	m->arg = arg;
	m->root = m;
	m->pieces = arena_zalloc(m->arena, sizeof(*m->pieces));
	m->pieces[0] = (struct sieve_piece){ .len = size };
	m->n_pieces = 1;
	return m;
}

static bool
read_memory(void *arg, uint64_t from, void *to, size_t len)
{
	memcpy(to, (const char *)arg + from, len);
	return true;
}

/* Up to behind the empty line. */
static struct span
header_of(struct span whole)
{
	struct span rest = whole, block = whole;
	struct mime_field f;

	while (mime_field_next(&block, &f))
		rest = block;
	if (rest.len > 0 && rest.p[0] == '\r')
		rest = span_sub(rest, 1, rest.len - 1);
	if (rest.len > 0 && rest.p[0] == '\n')
		rest = span_sub(rest, 1, rest.len - 1);
	return span_sub(whole, 0, whole.len - rest.len);
}

struct sieve_message *
sieve_message_memory(struct span whole)
{
	union { const char *c; void *v; } p = { .c = whole.p };

	return sieve_message_new(header_of(whole), whole.len, read_memory, p.v);
}

void
sieve_message_free(struct sieve_message **m)
{
	if (*m == NULL)
		return;
	arena_fini(&(*m)->own);
	mem_free(m);
}

uint64_t
sieve_message_size(const struct sieve_message *m)
{
	return m->size;
}

struct sieve_header *
sieve_message_header(struct sieve_message *m)
{
	if (m->parsed == NULL)
		m->parsed = sieve_header_new(m->arena, m->header);
	return m->parsed;
}

struct sieve_message *
sieve_message_root(struct sieve_message *m)
{
	return m->root;
}

const struct sieve_piece *
sieve_message_pieces(const struct sieve_message *m, size_t *n)
{
	*n = m->n_pieces;
	return m->pieces;
}

static bool
read_root(struct sieve_message *m, uint64_t from, char *to, size_t len)
{
	size_t n = 0;

	if (from < m->header.len) {
		n = m->header.len - (size_t)from < len ? m->header.len - (size_t)from : len;
		memcpy(to, m->header.p + from, n);
	}
	return n == len || (m->read != NULL && m->read(m->arg, from + n, to + n, len - n));
}

bool
sieve_message_read(struct sieve_message *m, uint64_t from, void *to, size_t len)
{
	char *out = to;

	for (size_t i = 0; i < m->n_pieces && len > 0; i++) {
		const struct sieve_piece *p = &m->pieces[i];
		size_t n;

		if (from >= p->len) {
			from -= p->len;
			continue;
		}
		n = p->len - from < len ? (size_t)(p->len - from) : len;
		if (p->p != NULL)
			memcpy(out, p->p + from, n);
		else if (!read_root(m->root, p->from + from, out, n))
			return false;
		out += n;
		len -= n;
		from = 0;
	}
	return len == 0;
}

size_t
sieve_message_range(const struct sieve_message *m, uint64_t from, uint64_t len,
    struct sieve_piece *out)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_pieces && len > 0; i++) {
		struct sieve_piece p = m->pieces[i];

		if (from >= p.len) {
			from -= p.len;
			continue;
		}
		p.len = p.len - from < len ? p.len - from : len;
		if (p.p != NULL)
			p.p += from;
		else
			p.from += from;
		out[n++] = p;
		len -= p.len;
		from = 0;
	}
	return n;
}

struct sieve_message *
sieve_message_derive(struct arena *a, struct sieve_message *base, struct span header,
    const struct sieve_piece *body, size_t n_body)
{
	struct sieve_message *m = arena_zalloc(a, sizeof(*m));
	size_t room = (body != NULL ? n_body : base->n_pieces) + 1;

	m->arena = a;
	m->header = header;
	m->root = base->root;
	m->plain = base->plain;
	m->pieces = arena_array(a, room, sizeof(*m->pieces));
	m->pieces[0] = (struct sieve_piece){ .p = header.p, .len = header.len };
	m->n_pieces = 1;
	if (body == NULL) {
		m->n_pieces += sieve_message_range(base, base->header.len,
		    base->size - base->header.len, m->pieces + 1);
	} else if (n_body > 0) {
		memcpy(m->pieces + 1, body, n_body * sizeof(*body));
		m->n_pieces += n_body;
	}
	for (size_t i = 0; i < m->n_pieces; i++)
		m->size += m->pieces[i].len;
	return m;
}

struct sieve_message *
sieve_message_enclose(struct arena *a, struct sieve_message *base, struct span header,
    const struct sieve_piece *body, size_t n_body)
{
	struct sieve_message *m = sieve_message_derive(a, base, header, body, n_body);

	m->plain = sieve_message_plain(base);
	return m;
}

struct sieve_message *
sieve_message_plain(struct sieve_message *m)
{
	return m->plain != NULL ? m->plain : m;
}

/* --- parts ----------------------------------------------------------------------------------- */

static bool
feed(struct sieve_message *m, struct mime_parser *p)
{
	char *piece = mem_alloc(READ_PIECE);
	bool ok = true;

	for (uint64_t at = 0; ok && at < m->size;) {
		size_t n = m->size - at < READ_PIECE ? (size_t)(m->size - at) : READ_PIECE;

		ok = sieve_message_read(m, at, piece, n);
		if (ok)
			mime_parser_feed(p, piece, n);
		at += n;
	}
	mem_free(&piece);
	return ok;
}

const struct mime_part *
sieve_message_parts(struct sieve_message *m, size_t *n)
{
	static const struct mime_parser_ops none;
	const struct mime_part *parts;
	struct mime_parser *p;

	if (m->parts == NULL) {
		p = mime_parser_new(&none, NULL);
		if (feed(m, p)) {
			mime_parser_finish(p);
			parts = mime_parser_parts(p, &m->n_parts);
			m->parts = arena_dup(m->arena, parts, m->n_parts * sizeof(*parts));
			m->part_headers = arena_array(m->arena, m->n_parts,
			    sizeof(struct sieve_header *));
		}
		mime_parser_free(&p);
	}
	*n = m->n_parts;
	return m->parts;
}

struct sieve_header *
sieve_message_part_header(struct sieve_message *m, uint32_t i)
{
	const struct mime_part *part;
	uint64_t len;
	char *block;
	size_t n;

	if (i == 0)
		return sieve_message_header(m);
	part = sieve_message_parts(m, &n);
	if (part == NULL || i >= n)
		return NULL;
	if (m->part_headers[i] != NULL)
		return m->part_headers[i];
	len = part[i].header_len < MIME_HEADER_MAX ? part[i].header_len : MIME_HEADER_MAX;
	if (len > PART_HEADERS_MAX - m->part_bytes)
		len = PART_HEADERS_MAX - m->part_bytes;
	m->part_bytes += len;
	block = arena_alloc(m->arena, len > 0 ? len : 1);
	if (!sieve_message_read(m, part[i].header_start, block, len))
		return NULL;
	return m->part_headers[i] = sieve_header_new(m->arena, span(block, len));
}
