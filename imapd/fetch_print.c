/* A message's items as text. */
#include "imapd/fetch.h"

#include "common/mail/object_id.h"
#include "common/mime/field.h"
#include "common/proto/imap_print.h"
#include "common/util/mem.h"
#include "imapd/annotations.h"
#include "imapd/sync.h"

void
fetch_put_head(struct imap_session *s, uint32_t uid, struct buf *out)
{
	imap_put_fetch_head(s, uid, out);
}

void
fetch_put_label(const struct fetch_item *it, struct buf *out)
{
	if (it->name != NULL) {
		buf_add_str(out, it->name);
		return;
	}
	buf_add_str(out, it->kind == FETCH_BINARY ? "BINARY" :
	    it->kind == FETCH_BINARY_SIZE ? "BINARY.SIZE" : "BODY");
	imap_put_section(out, &it->sec);
	if (it->partial) {
		buf_add_c(out, '<');
		buf_add_u64(out, it->from);
		buf_add_c(out, '>');
	}
}

void
fetch_put_literal(struct buf *out, uint64_t n, bool binary)
{
	buf_add_str(out, binary ? "~{" : "{");
	buf_add_u64(out, n);
	buf_add_str(out, "}\r\n");
}

void
fetch_cut(const struct fetch_item *it, uint64_t *from, uint64_t *len)
{
	uint64_t skip = it->partial ? it->from : 0;

	if (skip > *len)
		skip = *len;
	*from += skip;
	*len -= skip;
	if (it->partial && *len > it->length)
		*len = it->length;
}

static struct span
blob(const struct fetch *f, size_t at, size_t len)
{
	return len > 0 ? span(f->blobs.data + at, len) : SPAN_NONE;
}

static bool
open_structure(const struct fetch *f, const struct fetch_row *r, struct mime_structure *st)
{
	return r->structure_len > 0 &&
	    mime_structure_open(blob(f, r->structure, r->structure_len), st) == ST_OK;
}

bool
fetch_lacks_blobs(const struct fetch *f, const struct fetch_row *r)
{
	struct mime_structure st;
	struct mime_list list;

	if ((f->cache & CACHE_LIST) && (r->list_len == 0 ||
	    mime_list_read(blob(f, r->list, r->list_len), &list) != ST_OK))
		return true;
	if (!(f->cache & CACHE_STRUCTURE))
		return false;
	if (!open_structure(f, r, &st))
		return true;
	mime_structure_close(&st);
	return false;
}

void
fetch_keep_digest(struct fetch *f, struct fetch_row *r)
{
	struct mime_digest_result result;

	mime_digest_finish(f->digest, &result);
	r->list = f->blobs.len;
	r->list_len = result.list.len;
	buf_add_span(&f->blobs, result.list);
	r->structure = f->blobs.len;
	r->structure_len = result.structure.len;
	buf_add_span(&f->blobs, result.structure);
	mime_digest_free(&f->digest);
}

static void
put_envelope(const struct fetch *f, const struct fetch_row *r, struct buf *out)
{
	struct mime_list list;

	buf_add(out, "ENVELOPE ", 9);
	if (mime_list_read(blob(f, r->list, r->list_len), &list) == ST_OK)
		imap_put_envelope(out, &list.env);
	else
		buf_add_str(out, "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
}

static void
put_structure(const struct fetch *f, const struct fetch_row *r, bool extended, struct buf *out)
{
	struct mime_structure st;

	buf_add_str(out, extended ? "BODYSTRUCTURE " : "BODY ");
	if (open_structure(f, r, &st)) {
		imap_put_structure(out, &st, extended);
		mime_structure_close(&st);
	} else {
		buf_add_str(out, "(\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" ");
		buf_add_u64(out, r->row.size);
		buf_add_str(out, " 0)");
	}
}

static void
put_id(struct buf *out, const char *label, char kind, uint64_t id)
{
	buf_add_str(out, label);
	object_id_put(out, kind, id);
	buf_add_c(out, ')');
}

/* What cannot be shown in few words has an empty preview (RFC 8970 §3.2). */
static void
put_preview(struct imap_session *s, const struct fetch *f, const struct fetch_row *r,
    struct buf *out)
{
	struct mime_list list;
	struct span text = SPAN_LIT("");

	buf_add_str(out, "PREVIEW ");
	if (mime_list_read(blob(f, r->list, r->list_len), &list) == ST_OK && list.preview.len > 0)
		text = list.preview;
	if (s->utf8)
		imap_put_utf8_string(out, text);
	else
		imap_put_string(out, text);
}

void
fetch_put_item(struct imap_session *s, struct fetch *f, const struct fetch_row *r,
    const struct fetch_item *it, struct buf *out)
{
	switch (it->kind) {
	case FETCH_UID:
		buf_add(out, "UID ", 4);
		buf_add_u64(out, r->row.uid);
		break;
	case FETCH_FLAGS:
		buf_add(out, "FLAGS ", 6);
		imap_view_put_flags(s->view, r->row.uid, r->row.flags, out);
		break;
	case FETCH_DATE:
		buf_add_str(out, "INTERNALDATE ");
		imap_put_date_time(out, r->row.received_s, r->row.received_zone);
		break;
	case FETCH_SIZE:
		buf_add_str(out, "RFC822.SIZE ");
		buf_add_u64(out, r->row.size);
		break;
	case FETCH_MODSEQ:
		buf_add_str(out, "MODSEQ (");
		buf_add_u64(out, r->row.modseq);
		buf_add_c(out, ')');
		break;
	case FETCH_ENVELOPE:
		put_envelope(f, r, out);
		break;
	case FETCH_EMAILID:
		put_id(out, "EMAILID (", OBJECT_EMAIL, r->row.message);
		break;
	case FETCH_THREADID:
		put_id(out, "THREADID (", OBJECT_THREAD, r->row.thread);
		break;
	case FETCH_SAVEDATE:
		buf_add_str(out, "SAVEDATE ");
		imap_put_date_time(out, r->row.saved_s, 0);
		break;
	case FETCH_PREVIEW:
		put_preview(s, f, r, out);
		break;
	case FETCH_ANNOTATION:
		f->no_part |= !imap_annotation_parts_there(&it->note,
		    blob(f, r->structure, r->structure_len));
		imap_annotation_tell(&it->note,
		    r->notes_len > 0 ? span(f->notes.data + r->notes, r->notes_len) : SPAN_NONE, out);
		break;
	case FETCH_STRUCTURE:
		put_structure(f, r, true, out);
		break;
	case FETCH_STRUCTURE_BASIC:
		put_structure(f, r, false, out);
		break;
	case FETCH_BODY:
	case FETCH_BINARY:
	case FETCH_BINARY_SIZE:
		break;
	}
}

static bool
binary_range(const struct mime_structure *st, const struct fetch_item *it,
    struct mime_range *range, enum mime_coding *coding)
{
	struct mime_part_view part;
	uint32_t i;

	if (!mime_structure_find(st, it->sec.parts, it->sec.n_parts, &i))
		return false;
	mime_structure_part(st, i, &part);
	*range = (struct mime_range){ part.at.body_start, part.at.body_len };
	if (part.at.kind == MIME_LEAF)
		*coding = part.coding;
	return true;
}

bool
fetch_section_range(const struct mime_structure *st, const struct imap_section *sec,
    struct mime_range *range)
{
	static const enum mime_section sections[] = {
		[IMAP_SECTION_ALL] = MIME_SECTION_ALL, [IMAP_SECTION_HEADER] = MIME_SECTION_HEADER,
		[IMAP_SECTION_FIELDS] = MIME_SECTION_HEADER,
		[IMAP_SECTION_FIELDS_NOT] = MIME_SECTION_HEADER,
		[IMAP_SECTION_TEXT] = MIME_SECTION_TEXT, [IMAP_SECTION_MIME] = MIME_SECTION_MIME
	};

	return mime_structure_section(st, sec->parts, sec->n_parts, sections[sec->what], range);
}

bool
fetch_range(const struct fetch *f, const struct fetch_row *r, const struct fetch_item *it,
    struct mime_range *range, enum mime_coding *coding)
{
	struct mime_structure st;
	bool found;

	*coding = MIME_CODING_BINARY;
	if (it->sec.n_parts == 0 && it->sec.what == IMAP_SECTION_ALL) {
		*range = (struct mime_range){ 0, r->row.size };
		return true;
	}
	if (!open_structure(f, r, &st))
		return false;
	if (it->kind != FETCH_BODY)
		found = binary_range(&st, it, range, coding);
	else
		found = fetch_section_range(&st, &it->sec, range);
	mime_structure_close(&st);
	return found && range->start <= r->row.size && range->len <= r->row.size - range->start;
}

static bool
wants_field(const struct imap_section *sec, struct span name)
{
	for (size_t i = 0; i < sec->n_fields; i++) {
		if (span_caseeq(sec->fields[i], name))
			return sec->what == IMAP_SECTION_FIELDS;
	}
	return sec->what == IMAP_SECTION_FIELDS_NOT;
}

void
fetch_filter_header(struct span block, const struct imap_section *sec, struct buf *out)
{
	struct mime_field field;

	while (mime_field_next(&block, &field)) {
		if (wants_field(sec, field.name))
			buf_add_span(out, field.raw);
	}
	buf_add_str(out, "\r\n");
}

static void
put_bytes(const struct fetch_item *it, struct span bytes, struct buf *out)
{
	uint64_t from = 0, len = bytes.len;

	fetch_cut(it, &from, &len);
	bytes = span_sub(bytes, (size_t)from, (size_t)len);
	fetch_put_literal(out, bytes.len, it->kind == FETCH_BINARY && bytes.len > 0 &&
	    memchr(bytes.p, '\0', bytes.len) != NULL);
	if (it->kind == FETCH_BINARY)
		buf_add_span(out, bytes);
	else
		imap_put_literal_bytes(out, bytes);
}

static void
put_decoded(struct fetch *f, const struct fetch_item *it, struct span bytes,
    enum mime_coding coding, struct buf *out)
{
	struct mime_decoder d;
	struct buf plain = { 0 };

	if (coding == MIME_CODING_UNKNOWN) {
		f->unknown_cte = true;
		buf_add_str(out, it->kind == FETCH_BINARY ? "NIL" : "0");
		return;
	}
	mime_decoder_init(&d, coding);
	mime_decoder_feed(&d, bytes, &plain);
	mime_decoder_done(&d, &plain);
	mime_decoder_fini(&d);
	if (it->kind == FETCH_BINARY)
		put_bytes(it, buf_span(&plain), out);
	else
		buf_add_u64(out, plain.len);
	buf_fini(&plain);
}

static void
put_body_item(struct fetch *f, const struct fetch_row *r, const struct fetch_item *it,
    struct span raw, struct buf *out)
{
	enum mime_coding coding;
	struct mime_range range;
	struct span bytes;

	fetch_put_label(it, out);
	buf_add_c(out, ' ');
	if (!fetch_range(f, r, it, &range, &coding)) {
		buf_add_str(out, it->kind == FETCH_BINARY_SIZE ? "0" : "NIL");
		return;
	}
	bytes = span_sub(raw, (size_t)range.start, (size_t)range.len);
	if (it->kind != FETCH_BODY) {
		put_decoded(f, it, bytes, coding, out);
	} else if (it->sec.what == IMAP_SECTION_FIELDS || it->sec.what == IMAP_SECTION_FIELDS_NOT) {
		struct buf header = { 0 };

		fetch_filter_header(bytes, &it->sec, &header);
		put_bytes(it, buf_span(&header), out);
		buf_fini(&header);
	} else {
		put_bytes(it, bytes, out);
	}
}

static bool
asked_for(const struct fetch *f, enum fetch_kind kind)
{
	for (size_t i = 0; i < f->n_items; i++) {
		if (f->items[i].kind == kind)
			return true;
	}
	return false;
}

void
fetch_put_seen(struct imap_session *s, const struct fetch *f, const struct fetch_row *r,
    struct buf *out)
{
	if (!r->tell_flags)
		return;
	if (!asked_for(f, FETCH_FLAGS)) {
		buf_add_str(out, " FLAGS ");
		imap_view_put_flags(s->view, r->row.uid, r->row.flags, out);
	}
	/* RFC 7162 §3.1: once the client knows modseqs, every change tells its own. */
	if (s->condstore && !asked_for(f, FETCH_MODSEQ)) {
		buf_add_str(out, " MODSEQ (");
		buf_add_u64(out, r->row.modseq);
		buf_add_c(out, ')');
	}
}

void
fetch_put_message(struct imap_session *s, struct fetch *f, struct fetch_row *r, struct span raw,
    struct buf *out)
{
	size_t start, first;
	bool any = false;

	if (imap_view_seq(s->view, r->row.uid) == 0)
		return;
	if (f->cache != 0 && raw.p != NULL && fetch_lacks_blobs(f, r)) {
		f->digest = mime_digest_new(0);
		mime_digest_feed(f->digest, raw.p, raw.len);
		fetch_keep_digest(f, r);
	}
	start = out->len;
	fetch_put_head(s, r->row.uid, out);
	for (size_t i = 0; i < f->n_items; i++) {
		size_t before = out->len;

		if (i > 0 && any)
			buf_add_c(out, ' ');
		first = out->len;
		if (f->items[i].kind >= FETCH_BODY)
			put_body_item(f, r, &f->items[i], raw, out);
		else
			fetch_put_item(s, f, r, &f->items[i], out);
		if (out->len == first)
			buf_cut(out, before);
		else
			any = true;
	}
	fetch_put_seen(s, f, r, out);
	buf_add(out, ")\r\n", 3);
	if (!any)
		buf_cut(out, start);
	f->told++;
	s->n_fetched++;
}
