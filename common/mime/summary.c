/* LIST:      version u8, flags u8, sent u64, zone u16, envelope, id, in-reply-to, references, base
 *            subject, preview, kept fields.
 * STRUCTURE: version u8, parts, size, and each part's record as a run of bytes.  Behind a record's
 *            fields may stand what came to be counted later: decoded size + 1 (0: unknown), and u8
 *            (1 message/rfc822, 2 message/global). */
#include "common/mime/summary_priv.h"

#include <string.h>

#include "common/util/mem.h"

const char *const mime_kept_names[MIME_KEPT] = {
	"list-id", "list-post", "list-unsubscribe", "list-unsubscribe-post", "importance",
	"x-priority", "precedence", "auto-submitted", "disposition-notification-to"
};

void
put_opt(struct buf *b, struct span s)
{
	if (s.p == NULL) {
		put_varint(b, 0);
		return;
	}
	put_varint(b, (uint64_t)s.len + 1);
	buf_add_span(b, s);
}

struct span
get_opt(struct reader *r)
{
	uint64_t n = get_varint(r);

	if (n == 0)
		return SPAN_NONE;
	if (n - 1 > reader_left(r)) {
		r->bad = true;
		return SPAN_NONE;
	}
	return get_raw(r, (size_t)(n - 1));
}

void
put_seq(struct buf *b, uint32_t n, const struct buf *entries)
{
	put_varint(b, n);
	put_span(b, buf_span(entries));
}

void
put_addr(struct buf *b, const struct mime_addr *a)
{
	put_u8(b, (uint8_t)a->kind);
	put_opt(b, a->name);
	put_opt(b, a->route);
	put_opt(b, a->local);
	put_opt(b, a->domain);
}

bool
get_addr(struct reader *r, struct mime_addr *a)
{
	uint8_t kind = get_u8(r);

	if (kind > MIME_ADDR_GROUP_END)
		r->bad = true;
	a->kind = kind;
	a->name = get_opt(r);
	a->route = get_opt(r);
	a->local = get_opt(r);
	a->domain = get_opt(r);
	return !r->bad;
}

static bool
begin_entry(struct mime_seq *s, struct reader *r)
{
	if (s->n == 0)
		return false;
	reader_init(r, s->raw.p, s->raw.len);
	return true;
}

static bool
end_entry(struct mime_seq *s, const struct reader *r)
{
	if (r->bad) {
		s->n = 0;
		return false;
	}
	s->n--;
	s->raw = span(r->p, (size_t)(r->end - r->p));
	return true;
}

bool
mime_seq_addr(struct mime_seq *s, struct mime_addr *a)
{
	struct reader r;

	if (!begin_entry(s, &r))
		return false;
	get_addr(&r, a);
	return end_entry(s, &r);
}

bool
mime_seq_span(struct mime_seq *s, struct span *v)
{
	struct reader r;

	if (!begin_entry(s, &r))
		return false;
	*v = get_span(&r);
	return end_entry(s, &r);
}

bool
mime_seq_param(struct mime_seq *s, struct span *name, struct span *value)
{
	struct reader r;

	if (!begin_entry(s, &r))
		return false;
	*name = get_span(&r);
	*value = get_span(&r);
	return end_entry(s, &r);
}

/* per: what an entry is made of, to check that n of them fill the run. */
enum entry { ENTRY_ADDR, ENTRY_SPAN, ENTRY_PARAM };

static struct mime_seq
get_seq(struct reader *r, enum entry per)
{
	struct mime_seq s = { .n = get_varint32(r) };
	struct mime_addr a;
	struct reader walk;
	uint32_t n;

	s.raw = get_span(r);
	reader_init(&walk, s.raw.p, s.raw.len);
	for (n = s.n; n > 0 && !walk.bad; n--) {
		if (per == ENTRY_ADDR)
			get_addr(&walk, &a);
		else
			get_span(&walk);
		if (per == ENTRY_PARAM)
			get_span(&walk);
	}
	if (r->bad || !reader_done(&walk)) {
		r->bad = true;
		return (struct mime_seq){ .n = 0 };
	}
	return s;
}

static void
get_envelope(struct reader *r, struct mime_envelope *e)
{
	e->date = get_opt(r);
	e->subject = get_opt(r);
	e->in_reply_to = get_opt(r);
	e->message_id = get_opt(r);
	for (size_t i = 0; i < MIME_ADDR_LISTS; i++)
		e->lists[i] = get_seq(r, ENTRY_ADDR);
}

struct mime_seq
mime_envelope_list(const struct mime_envelope *e, enum mime_addr_list which)
{
	if ((which == MIME_SENDER || which == MIME_REPLY_TO) && e->lists[which].n == 0)
		return e->lists[MIME_FROM];
	return e->lists[which];
}

enum status
mime_list_read(struct span blob, struct mime_list *l)
{
	struct reader r;
	uint8_t flags;

	memset(l, 0, sizeof(*l));
	reader_init(&r, blob.p, blob.len);
	if (get_u8(&r) != MIME_LIST_VERSION)
		return blob.len > 0 ? ST_UNSUPPORTED : ST_CORRUPT;
	flags = get_u8(&r);
	l->has_attachment = flags & LIST_ATTACHMENT;
	l->is_reply = flags & LIST_REPLY;
	l->has_sent = flags & LIST_SENT;
	l->partial = flags & LIST_PARTIAL;
	l->sent_s = (int64_t)get_u64(&r);
	l->sent_zone = (int16_t)get_u16(&r);
	get_envelope(&r, &l->env);
	l->id = get_span(&r);
	l->in_reply_to = get_seq(&r, ENTRY_SPAN);
	l->references = get_seq(&r, ENTRY_SPAN);
	l->base_subject = get_span(&r);
	l->preview = get_span(&r);
	for (size_t i = 0; i < MIME_KEPT; i++)
		l->kept[i] = get_opt(&r);
	return reader_done(&r) ? ST_OK : ST_CORRUPT;
}

static uint32_t
get_index(struct reader *r)
{
	uint32_t i = get_varint32(r);

	return i == 0 ? MIME_NONE : i - 1;
}

/* The beginning of a record: where the part is.  false: an unknown kind. */
static bool
get_place(struct reader *r, struct mime_part_view *v)
{
	uint8_t kind = get_u8(r), flags = get_u8(r);

	v->at.kind = kind;
	v->at.in_digest = flags & PART_IN_DIGEST;
	v->has_env = flags & PART_ENVELOPE;
	v->at.parent = get_index(r);
	v->at.first = get_index(r);
	v->at.last = get_index(r);
	v->at.next = get_index(r);
	v->at.depth = get_varint32(r);
	v->at.header_start = get_varint(r);
	v->at.header_len = get_varint(r);
	v->at.body_start = get_varint(r);
	v->at.body_len = get_varint(r);
	v->at.header_lines = get_varint(r);
	v->at.body_lines = get_varint(r);
	return kind <= MIME_MESSAGE;
}

static void
get_counted(struct reader *r, struct mime_part_view *v)
{
	uint64_t decoded = get_varint(r);
	uint8_t message = get_u8(r);

	v->known = decoded > 0;
	v->decoded = decoded > 0 ? decoded - 1 : 0;
	if (message > 0)
		v->message = message == 1 ? SPAN_LIT("rfc822") : SPAN_LIT("global");
}

static bool
get_part(struct span record, struct mime_part_view *v)
{
	struct reader r;
	uint8_t coding;
	bool known;

	memset(v, 0, sizeof(*v));
	reader_init(&r, record.p, record.len);
	known = get_place(&r, v);
	v->type = get_span(&r);
	v->subtype = get_span(&r);
	v->params = get_seq(&r, ENTRY_PARAM);
	v->id = get_opt(&r);
	v->description = get_opt(&r);
	v->encoding = get_span(&r);
	coding = get_u8(&r);
	v->coding = coding;
	v->md5 = get_opt(&r);
	v->disposition = get_opt(&r);
	v->disposition_params = get_seq(&r, ENTRY_PARAM);
	v->language = get_seq(&r, ENTRY_SPAN);
	v->location = get_opt(&r);
	if (v->has_env)
		get_envelope(&r, &v->env);
	if (reader_left(&r) > 0)
		get_counted(&r, v);
	return reader_done(&r) && known && coding <= MIME_CODING_UNKNOWN &&
	    v->type.len > 0 && v->subtype.len > 0 && v->encoding.len > 0;
}

static struct span
record_of(const struct mime_structure *s, uint32_t i)
{
	struct reader r;

	reader_init(&r, s->blob.p + s->offsets[i], s->blob.len - s->offsets[i]);
	return get_span(&r);
}

/* Of a part that is judged whole when its turn comes. */
static bool
place_of(const struct mime_structure *s, uint32_t i, struct mime_part_view *v)
{
	struct span record = record_of(s, i);
	struct reader r;

	memset(v, 0, sizeof(*v));
	reader_init(&r, record.p, record.len);
	return get_place(&r, v) && !r.bad;
}

static bool
inside(uint64_t start, uint64_t len, uint64_t size)
{
	return start <= size && len <= size - start;
}

/* Links point forward, and a child names its parent: so every walk ends. */
static bool
part_fits(const struct mime_structure *s, uint32_t i)
{
	struct mime_part_view v, w;
	const struct mime_part *p = &v.at;

	if (!get_part(record_of(s, i), &v))
		return false;
	if ((p->first != MIME_NONE && (p->first <= i || p->first >= s->parts)) ||
	    (p->last != MIME_NONE && (p->last < p->first || p->last >= s->parts)) ||
	    (p->next != MIME_NONE && (p->next <= i || p->next >= s->parts)) ||
	    (p->first == MIME_NONE) != (p->last == MIME_NONE) ||
	    (p->first == MIME_NONE) != (p->kind == MIME_LEAF) ||
	    (i == 0 ? p->parent != MIME_NONE : p->parent >= i) || p->depth >= MIME_DEPTH_MAX)
		return false;
	if (i == 0 ? p->depth != 0 : !place_of(s, p->parent, &w) ||
	    p->depth != w.at.depth + 1)
		return false;
	if (p->first != MIME_NONE && (!place_of(s, p->first, &w) || w.at.parent != i ||
	    (p->kind == MIME_MESSAGE && !w.has_env)))
		return false;
	if (p->next != MIME_NONE && (!place_of(s, p->next, &w) ||
	    w.at.parent != p->parent))
		return false;
	return inside(p->header_start, p->header_len, s->size) &&
	    inside(p->body_start, p->body_len, s->size);
}

enum status
mime_structure_open(struct span blob, struct mime_structure *s)
{
	struct reader r;
	bool good;

	memset(s, 0, sizeof(*s));
	s->blob = blob;
	reader_init(&r, blob.p, blob.len);
	if (get_u8(&r) != MIME_STRUCTURE_VERSION)
		return blob.len > 0 ? ST_UNSUPPORTED : ST_CORRUPT;
	s->parts = get_varint32(&r);
	s->size = get_varint(&r);
	if (r.bad || s->parts == 0 || s->parts > MIME_PARTS_MAX)
		return ST_CORRUPT;
	s->offsets = s->parts <= ARRAY_LEN(s->offset_small) ? s->offset_small :
	    mem_array(s->parts, sizeof(*s->offsets));
	for (uint32_t i = 0; i < s->parts; i++) {
		s->offsets[i] = (uint32_t)(r.p - (const unsigned char *)blob.p);
		get_span(&r);
	}
	good = reader_done(&r);
	for (uint32_t i = 0; good && i < s->parts; i++)
		good = part_fits(s, i);
	if (!good)
		mime_structure_close(s);
	return good ? ST_OK : ST_CORRUPT;
}

void
mime_structure_close(struct mime_structure *s)
{
	if (s->offsets != s->offset_small)
		mem_free(&s->offsets);
	s->offsets = NULL;
	s->parts = 0;
}

void
mime_structure_part(const struct mime_structure *s, uint32_t i, struct mime_part_view *v)
{
	get_part(record_of(s, i), v);
}

bool
mime_structure_find(const struct mime_structure *s, const uint32_t *path, size_t n, uint32_t *i)
{
	struct mime_part_view v;
	uint32_t at = 0;
	bool message = true;	/* `at` is a message, whose parts are numbered */

	for (size_t k = 0; k < n; k++) {
		uint32_t want = path[k], child;

		mime_structure_part(s, at, &v);
		if (v.at.kind == MIME_MESSAGE && !message) {
			at = v.at.first;
			mime_structure_part(s, at, &v);
			message = true;
		}
		if (v.at.kind == MIME_MULTIPART) {
			child = v.at.first;
			while (--want > 0 && child != MIME_NONE) {
				mime_structure_part(s, child, &v);
				child = v.at.next;
			}
			if (child == MIME_NONE || path[k] == 0)
				return false;
			at = child;
		} else if (want != 1 || !message)
			return false;
		message = false;
	}
	*i = at;
	return true;
}

bool
mime_structure_section(const struct mime_structure *s, const uint32_t *path, size_t n,
    enum mime_section section, struct mime_range *r)
{
	struct mime_part_view v;
	uint32_t i;

	if (!mime_structure_find(s, path, n, &i))
		return false;
	mime_structure_part(s, i, &v);
	if (section == MIME_SECTION_ALL) {
		*r = n == 0 ? (struct mime_range){ 0, s->size } :
		    (struct mime_range){ v.at.body_start, v.at.body_len };
		return true;
	}
	if (section == MIME_SECTION_MIME) {
		*r = (struct mime_range){ v.at.header_start, v.at.header_len };
		return n > 0;
	}
	if (n > 0) {
		if (v.at.kind != MIME_MESSAGE)
			return false;
		mime_structure_part(s, v.at.first, &v);
	}
	*r = section == MIME_SECTION_HEADER ?
	    (struct mime_range){ v.at.header_start, v.at.header_len } :
	    (struct mime_range){ v.at.body_start, v.at.body_len };
	return true;
}
