#include "common/mime/digest.h"

#include <string.h>

#include "common/mime/address.h"
#include "common/mime/charset.h"
#include "common/mime/coding.h"
#include "common/mime/columns.h"
#include "common/mime/date.h"
#include "common/mime/field.h"
#include "common/mime/flat.h"
#include "common/mime/summary_priv.h"
#include "common/mime/thread.h"
#include "common/util/arena.h"
#include "common/util/mem.h"

#define FIELD_TEXT_MAX	8192u		/* bytes kept of one field */
#define KEPT_TEXT_MAX	1024u
#define IDS_BYTES_MAX	16384u
#define ADDR_BYTES_MAX	65536u		/* of one message's address lists, encoded */
#define NESTED_ADDR_MAX	8192u		/* of a message in a message */
#define META_BYTES_MAX	(96u << 10)	/* of all parts' descriptions; then they get short */
#define PREVIEW_CHARS	200
#define PREVIEW_SOURCE	4096u		/* bytes of text a preview is made of */
#define PIECE_MAX	4096u

/* Fields that are looked for, each found once in a walk over the header. */
enum found {
	F_DATE, F_SUBJECT, F_IN_REPLY_TO, F_MESSAGE_ID, F_FROM, F_SENDER, F_REPLY_TO, F_TO, F_CC,
	F_BCC, F_REFERENCES, F_CONTENT_TYPE, F_ENCODING, F_CONTENT_ID, F_DESCRIPTION, F_MD5,
	F_DISPOSITION, F_LANGUAGE, F_LOCATION, F_KEPT, F_MAX = F_KEPT + MIME_KEPT
};
static const char *const found_names[F_KEPT] = {
	"date", "subject", "in-reply-to", "message-id", "from", "sender", "reply-to", "to", "cc",
	"bcc", "references", "content-type", "content-transfer-encoding", "content-id",
	"content-description", "content-md5", "content-disposition", "content-language",
	"content-location"
};

struct part_meta {
	struct buf	type, rest, env;	/* encoded pieces of the record */
	bool		multipart, message, global;	/* what Content-Type says */
	bool		known;		/* decoded is */
	uint64_t	decoded;	/* bytes of content, the transfer encoding undone */
};

struct mime_digest {
	struct mime_parser *parser;
	struct part_meta *parts;
	size_t		n, room, meta_bytes;
	struct arena	arena;		/* of one header */
	struct buf	list, structure, header, header_more;

	/* of the message's own header */
	struct buf	root_env, ids, base_subject, kept;
	uint64_t	thread_keys[MIME_THREAD_KEYS];
	size_t		n_thread_keys;
	int64_t		sent_s;
	int		sent_zone;
	bool		has_sent, reply, attachment, partial;
	bool		cut;		/* since it was cleared: a value did not fit, or reads otherwise */

	/* the text part that runs */
	struct mime_text_part part;
	const struct mime_part_ops *watch;	/* NULL: nobody */
	bool			other, watched;	/* watched: the part at hand */
	struct mime_decoder	content;	/* of it, or of a part that is counted alone */
	struct mime_base64_count base64;
	enum { COUNT_NOT, COUNT_BESIDE, COUNT_ALONE } counted;	/* the part at hand; beside: as text
						 * or by who watches it is decoded anyway */
	uint64_t		n_content;	/* bytes of it so far */
	struct buf	plain;
	bool		to_preview;

	struct buf	preview;	/* text it is made of */
	bool		preview_done;
	struct buf	text;
	size_t		text_max, text_header;
	bool		text_cut;
};

/* repeated: one of those of the list is. */
static void
find_fields(struct span block, struct span v[F_MAX], bool *repeated)
{
	struct mime_field f;

	memset(v, 0, F_MAX * sizeof(*v));
	*repeated = false;
	while (mime_field_next(&block, &f)) {
		for (size_t i = 0; i < F_MAX; i++) {
			const char *name = i < F_KEPT ? found_names[i] : mime_kept_names[i - F_KEPT];

			if (f.name.len == 0 || ascii_lower(f.name.p[0]) != name[0] ||
			    !span_caseeq_str(f.name, name))
				continue;
			if (v[i].p == NULL)
				v[i] = f.value;
			else
				*repeated |= i <= F_REFERENCES;
			break;
		}
	}
}

/* One line of text, cut to max. */
static struct span
flat(struct mime_digest *d, struct span value, size_t max)
{
	if (value.p == NULL)
		return SPAN_NONE;
	value = mime_unfold_arena(&d->arena, value);
	d->cut |= value.len > max;
	return mime_utf8_cut(value, max);
}

/* Could an encoded word stand in it? */
static bool
has_word(struct span s)
{
	return s.len > 0 && memmem(s.p, s.len, "=?", 2) != NULL;
}

static void
put_list(struct mime_digest *d, struct buf *b, struct span value, size_t *room)
{
	struct buf entries = { 0 };
	struct mime_addr *v = NULL;
	size_t n = value.p != NULL ? mime_addresses(&d->arena, value, &v) : 0;
	uint32_t put = 0;

	for (size_t i = 0; i < n && entries.len < *room; i++) {
		size_t was = entries.len;

		put_addr(&entries, &v[i]);
		if (entries.len > *room) {
			buf_cut(&entries, was);
			break;
		}
		d->cut |= v[i].quoted && (has_word(v[i].name) || has_word(v[i].local));
		put++;
	}
	d->cut |= put < n || n >= MIME_ADDR_MAX - 2 || (n == 0 && value.p != NULL);
	*room -= entries.len;
	put_seq(b, put, &entries);
	buf_fini(&entries);
}

static void
put_envelope(struct mime_digest *d, struct buf *b, const struct span v[F_MAX], size_t room)
{
	size_t text_max = room < FIELD_TEXT_MAX ? room / 4 : FIELD_TEXT_MAX;

	for (size_t i = F_DATE; i <= F_MESSAGE_ID; i++)
		put_opt(b, flat(d, v[i], text_max));
	for (size_t i = F_FROM; i <= F_BCC; i++)
		put_list(d, b, v[i], &room);
}

static void
put_params(struct buf *b, const struct mime_params *raw)
{
	struct buf entries = { 0 };
	uint32_t n = 0;

	for (size_t i = 0; i < raw->n && entries.len < FIELD_TEXT_MAX; i++, n++) {
		put_span(&entries, mime_utf8_cut(raw->v[i].name, 256));
		put_span(&entries, mime_utf8_cut(raw->v[i].value, 2048));
	}
	put_seq(b, n, &entries);
	buf_fini(&entries);
}

static void
put_tokens(struct mime_digest *d, struct buf *b, struct span value)
{
	struct buf entries = { 0 };
	struct span v[32];
	size_t n = value.p != NULL ? mime_tokens(&d->arena, value, v, ARRAY_LEN(v)) : 0;

	for (size_t i = 0; i < n; i++)
		put_span(&entries, mime_utf8_cut(v[i], 64));
	put_seq(b, (uint32_t)n, &entries);
	buf_fini(&entries);
}

/* The token as BODYSTRUCTURE shows it. */
static struct span
encoding_of(struct mime_digest *d, struct span value)
{
	struct span t = value.p != NULL ? span_trim(flat(d, value, 64)) : SPAN_NONE;

	t = span(t.p, span_find(t, ';'));
	return t.len > 0 ? t : SPAN_LIT("7BIT");
}

static bool
is_attachment(struct span type, struct span subtype, struct span disposition,
    const struct mime_params *ct, const struct mime_params *cd, bool has_id)
{
	bool named = false;

	if (span_caseeq_str(disposition, "attachment"))
		return true;
	if (span_caseeq_str(type, "multipart") || span_caseeq_str(type, "text") || has_id ||
	    span_caseeq_str(subtype, "pgp-signature") || span_caseeq_str(subtype, "pkcs7-signature") ||
	    span_caseeq_str(subtype, "x-pkcs7-signature"))
		return false;
	for (size_t i = 0; i < ct->n; i++)
		named |= span_has_prefix(ct->v[i].name, "name");
	for (size_t i = 0; i < cd->n; i++)
		named |= span_has_prefix(cd->v[i].name, "filename");
	return named;
}

/* Decoded fields belong to the text of a message. */
static void
header_text(struct mime_digest *d, struct span block)
{
	struct buf line = { 0 };

	while (d->text.len < d->text_max && mime_text_field(&block, &line))
		mime_casemap(buf_span(&line), &d->text);
	buf_fini(&line);
}

static void
put_ids(struct mime_digest *d, struct span value, bool keys)
{
	struct buf entries = { 0 };
	struct span v[MIME_IDS_MAX];
	size_t n = value.p != NULL ? mime_message_ids(&d->arena, value, v) : 0, put = 0;

	for (size_t i = 0; i < n && entries.len + v[i].len < IDS_BYTES_MAX; i++, put++)
		put_span(&entries, v[i]);
	/* Quotes and comments were taken out of ids. */
	d->cut |= put < n || n == MIME_IDS_MAX || span_find(value, '"') < value.len ||
	    span_find(value, '(') < value.len;
	/* Of many, the latest ancestors tell most. */
	for (size_t i = n; keys && i-- > 0 && d->n_thread_keys < MIME_THREAD_KEYS;) {
		uint64_t key = mime_id_hash(v[i]);
		bool known = false;

		for (size_t k = 0; k < d->n_thread_keys; k++)
			known |= d->thread_keys[k] == key;
		if (!known)
			d->thread_keys[d->n_thread_keys++] = key;
	}
	put_seq(&d->ids, (uint32_t)put, &entries);
	buf_fini(&entries);
}

static void
own_header(struct mime_digest *d, const struct span v[F_MAX])
{
	struct span ids[MIME_IDS_MAX], id = SPAN_NONE;

	d->cut = false;
	put_envelope(d, &d->root_env, v, ADDR_BYTES_MAX);
	if (v[F_MESSAGE_ID].p != NULL && mime_message_ids(&d->arena, v[F_MESSAGE_ID], ids) > 0)
		id = ids[0];
	d->thread_keys[0] = id.len > 0 ? mime_id_hash(id) : 0;
	d->n_thread_keys = 1;
	put_span(&d->ids, id);
	put_ids(d, v[F_IN_REPLY_TO], true);
	put_ids(d, v[F_REFERENCES], true);
	d->partial |= d->cut;
	if (v[F_SUBJECT].p != NULL)
		mime_base_subject(span_sub(v[F_SUBJECT], 0, FIELD_TEXT_MAX), &d->base_subject, &d->reply);
	buf_cut(&d->base_subject, mime_utf8_cut(buf_span(&d->base_subject), FIELD_TEXT_MAX).len);
	d->has_sent = v[F_DATE].p != NULL && mime_date_parse(v[F_DATE], &d->sent_s, &d->sent_zone);
	for (size_t i = 0; i < MIME_KEPT; i++)
		put_opt(&d->kept, flat(d, v[F_KEPT + i], KEPT_TEXT_MAX));
}

static struct part_meta *
add_meta(struct mime_digest *d)
{
	if (d->n == d->room) {
		d->room = d->room == 0 ? 8 : d->room * 2;
		d->parts = mem_realloc_array(d->parts, d->room, sizeof(*d->parts));
	}
	memset(&d->parts[d->n], 0, sizeof(*d->parts));
	return &d->parts[d->n++];
}

/* What a record needs at least. */
static void
short_meta(struct part_meta *m, bool env)
{
	static const struct buf none = { 0 };

	buf_clear(&m->rest);
	buf_clear(&m->env);
	put_opt(&m->rest, SPAN_NONE);
	put_opt(&m->rest, SPAN_NONE);
	put_span(&m->rest, SPAN_LIT("BINARY"));
	put_u8(&m->rest, MIME_CODING_UNKNOWN);
	put_opt(&m->rest, SPAN_NONE);
	put_opt(&m->rest, SPAN_NONE);
	put_seq(&m->rest, 0, &none);
	put_seq(&m->rest, 0, &none);
	put_opt(&m->rest, SPAN_NONE);
	for (size_t i = 0; env && i < 4; i++)
		put_opt(&m->env, SPAN_NONE);
	for (size_t i = 0; env && i < MIME_ADDR_LISTS; i++)
		put_seq(&m->env, 0, &none);
}

static void
put_type(struct part_meta *m, struct span type, struct span subtype, const struct mime_params *ct)
{
	buf_clear(&m->type);
	put_span(&m->type, mime_utf8_cut(type, 64));
	put_span(&m->type, mime_utf8_cut(subtype, 128));
	put_params(&m->type, ct);
}

static void
watch_part(struct mime_digest *d, struct span type, struct span subtype, enum mime_coding coding)
{
	d->other = true;
	d->watched = d->watch != NULL && d->watch->begin(d->watch->arg, type, subtype);
	if (d->watched)
		mime_decoder_init(&d->content, coding);
}

static void
watched_out(struct mime_digest *d)
{
	if (d->plain.len > 0)
		d->watch->data(d->watch->arg, buf_span(&d->plain));
	d->n_content += d->plain.len;
	buf_clear(&d->plain);
}

static void
watch_over(struct mime_digest *d)
{
	mime_decoder_done(&d->content, &d->plain);
	watched_out(d);
	mime_decoder_fini(&d->content);
	d->watched = false;
	d->watch->end(d->watch->arg);
}

static void
count_begin(struct mime_digest *d, enum mime_kind kind, enum mime_coding coding)
{
	d->n_content = 0;
	d->counted = kind != MIME_LEAF ||
	    (coding != MIME_CODING_BASE64 && coding != MIME_CODING_QP) ? COUNT_NOT :
	    d->watched || d->part.runs ? COUNT_BESIDE : COUNT_ALONE;
	if (d->counted == COUNT_ALONE)
		mime_decoder_init(&d->content, coding);
	d->base64 = (struct mime_base64_count){ .n = 0 };
}

/* Content that nobody wants to see. */
static void
count_only(struct mime_digest *d, struct span data)
{
	struct mime_decoder *decoder = d->part.runs ? &d->part.decoder : &d->content;

	if (d->counted == COUNT_ALONE && decoder->coding == MIME_CODING_BASE64) {
		mime_base64_count(&d->base64, data);
		return;
	}
	while (data.len > 0) {
		struct span piece = span_sub(data, 0, PIECE_MAX);

		mime_decoder_feed(decoder, piece, &d->plain);
		d->n_content += d->plain.len;
		buf_clear(&d->plain);
		data = span_sub(data, piece.len, data.len);
	}
}

static void
count_end(struct mime_digest *d, uint32_t i)
{
	if (d->counted == COUNT_ALONE) {
		if (d->content.coding == MIME_CODING_BASE64)
			d->n_content = mime_base64_counted(&d->base64);
		mime_decoder_done(&d->content, &d->plain);
		d->n_content += d->plain.len;
		buf_clear(&d->plain);
		mime_decoder_fini(&d->content);
	}
	d->parts[i].known = d->counted != COUNT_NOT;
	d->parts[i].decoded = d->n_content;
	d->counted = COUNT_NOT;
}

static bool
on_header(void *arg, uint32_t i, struct span block)
{
	struct mime_digest *d = arg;
	const struct mime_part *p;
	struct part_meta *m = add_meta(d);
	struct span v[F_MAX], type, subtype, disposition = SPAN_NONE;
	struct mime_params ct, cd = { .n = 0 };
	enum mime_coding coding;
	bool is_root, text, attached, given, repeated;
	size_t n;

	arena_reset(&d->arena);
	find_fields(block, v, &repeated);
	p = &mime_parser_parts(d->parser, &n)[i];
	is_root = p->parent == MIME_NONE;
	bool nested = !is_root && mime_parser_parts(d->parser, &n)[p->parent].kind == MIME_MESSAGE;

	given = v[F_CONTENT_TYPE].p != NULL && mime_content_type(&d->arena, v[F_CONTENT_TYPE],
	    &type, &subtype, &ct);
	if (!given) {
		type = SPAN_LIT("text");
		subtype = SPAN_LIT("plain");
		ct = (struct mime_params){ .v[0] = { SPAN_LIT("charset"), SPAN_LIT("us-ascii") }, .n = 1 };
		if (v[F_CONTENT_TYPE].p == NULL && p->in_digest) {
			type = SPAN_LIT("message");
			subtype = SPAN_LIT("rfc822");
			ct.n = 0;
		}
	}
	if (v[F_DISPOSITION].p != NULL)
		mime_disposition(&d->arena, v[F_DISPOSITION], &disposition, &cd);
	coding = mime_coding_parse(v[F_ENCODING].p != NULL ? encoding_of(d, v[F_ENCODING]) :
	    SPAN_NONE);
	m->multipart = span_caseeq_str(type, "multipart");
	m->message = span_caseeq_str(type, "message") &&
	    (span_caseeq_str(subtype, "rfc822") || span_caseeq_str(subtype, "global"));
	m->global = span_caseeq_str(subtype, "global");
	attached = is_attachment(type, subtype, disposition, &ct, &cd, v[F_CONTENT_ID].p != NULL);
	d->attachment |= attached;

	put_type(m, type, subtype, &ct);
	put_opt(&m->rest, flat(d, v[F_CONTENT_ID], 2048));
	put_opt(&m->rest, flat(d, v[F_DESCRIPTION], 2048));
	put_span(&m->rest, encoding_of(d, v[F_ENCODING]));
	put_u8(&m->rest, (uint8_t)coding);
	put_opt(&m->rest, flat(d, v[F_MD5], 128));
	put_opt(&m->rest, disposition.len > 0 ? mime_utf8_cut(disposition, 128) : SPAN_NONE);
	put_params(&m->rest, &cd);
	put_tokens(d, &m->rest, v[F_LANGUAGE]);
	put_opt(&m->rest, flat(d, v[F_LOCATION], 2048));
	if (nested)
		put_envelope(d, &m->env, v, NESTED_ADDR_MAX);
	d->meta_bytes += m->type.len + m->rest.len + m->env.len;
	if (d->meta_bytes > META_BYTES_MAX) {
		d->meta_bytes -= m->type.len + m->rest.len + m->env.len;
		short_meta(m, nested);
		put_type(m, span_sub(type, 0, 16), span_sub(subtype, 0, 32),
		    &(struct mime_params){ .n = 0 });
	}
	if (is_root) {
		d->partial = repeated;
		(void)buf_reserve(&d->header, block.len);
		if (d->text_max > 0)
			(void)buf_reserve(&d->text, block.len + PIECE_MAX);
		own_header(d, v);
		mime_header_columns(block, &d->header, &d->header_more);
	}
	if (d->text_max > 0 && (is_root || nested))
		header_text(d, block);

	if (is_root)
		d->text_header = d->text.len;

	text = p->kind == MIME_LEAF && mime_text_is(given, p->in_digest, type);
	d->to_preview = text && !d->preview_done && !attached;
	if (text && (d->to_preview || d->text.len < d->text_max))
		mime_text_begin(&d->part, type, subtype, given ? &ct : NULL,
		    v[F_ENCODING].p != NULL ? mime_unfold_arena(&d->arena, v[F_ENCODING]) :
		    SPAN_NONE);
	if (p->kind == MIME_LEAF && !text)
		watch_part(d, type, subtype, coding);
	count_begin(d, p->kind, coding);
	return d->part.runs || d->watched || d->counted != COUNT_NOT;
}

static void
text_out(struct mime_digest *d, struct span s)
{
	if (d->to_preview)
		buf_add_span(&d->preview, span_sub(s, 0, PREVIEW_SOURCE - d->preview.len));
	if (d->text.len < d->text_max)
		mime_casemap(s, &d->text);
}

static bool
text_wanted(const struct mime_digest *d)
{
	return d->text.len < d->text_max || (d->to_preview && d->preview.len < PREVIEW_SOURCE);
}

static bool
on_body(void *arg, uint32_t i, struct span data)
{
	struct mime_digest *d = arg;

	while (data.len > 0 && d->watched) {
		struct span piece = span_sub(data, 0, PIECE_MAX);

		mime_decoder_feed(&d->content, piece, &d->plain);
		watched_out(d);
		data = span_sub(data, piece.len, data.len);
	}
	while (data.len > 0 && d->part.runs && text_wanted(d)) {
		struct span piece = span_sub(data, 0, PIECE_MAX);

		mime_text_feed(&d->part, piece, &d->plain);
		text_out(d, buf_span(&d->plain));
		buf_clear(&d->plain);
		data = span_sub(data, piece.len, data.len);
	}
	if (d->counted != COUNT_NOT && data.len > 0)
		count_only(d, data);
	return d->watched || d->counted != COUNT_NOT || text_wanted(d);
}

static void
on_end(void *arg, uint32_t i)
{
	struct mime_digest *d = arg;

	if (d->watched)
		watch_over(d);
	if (!d->part.runs) {
		count_end(d, i);
		return;
	}
	mime_text_end(&d->part, &d->plain);
	d->n_content += d->part.n_decoded;
	count_end(d, i);
	text_out(d, buf_span(&d->plain));
	buf_clear(&d->plain);
	if (d->text.len < d->text_max)
		buf_add_c(&d->text, '\n');
	if (d->to_preview && span_trim(buf_span(&d->preview)).len > 0)
		d->preview_done = true;
	d->to_preview = false;
}

static const struct mime_parser_ops ops = { on_header, on_body, on_end };

struct mime_digest *
mime_digest_new(size_t text_max)
{
	struct mime_digest *d = mem_zalloc(sizeof(*d));

	d->text_max = text_max;
	d->parser = mime_parser_new(&ops, d);
	return d;
}

void
mime_digest_free(struct mime_digest **dp)
{
	struct mime_digest *d = *dp;

	if (d == NULL)
		return;
	mime_parser_free(&d->parser);
	for (size_t i = 0; i < d->n; i++) {
		buf_fini(&d->parts[i].type);
		buf_fini(&d->parts[i].rest);
		buf_fini(&d->parts[i].env);
	}
	mem_free(&d->parts);
	arena_fini(&d->arena);
	mime_text_fini(&d->part);
	mime_decoder_fini(&d->content);
	struct buf *all[] = { &d->list, &d->structure, &d->header, &d->header_more, &d->root_env, &d->ids,
	    &d->base_subject, &d->kept, &d->plain, &d->preview, &d->text };
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		buf_fini(all[i]);
	mem_free(dp);
}

void
mime_digest_watch(struct mime_digest *d, const struct mime_part_ops *watch)
{
	d->watch = watch;
}

void
mime_digest_feed(struct mime_digest *d, const void *data, size_t len)
{
	mime_parser_feed(d->parser, data, len);
}

/* Blanks run together, 200 characters. */
static void
put_preview(struct mime_digest *d)
{
	struct buf out = { 0 };
	size_t chars = 0;
	bool blank = false;

	/* The source may have been cut inside a character, which is long after 200 of them, but
	 * for text that is mostly blanks. */
	while (d->preview.len == PREVIEW_SOURCE && (d->preview.data[d->preview.len - 1] & 0x80) != 0)
		d->preview.len--;
	for (size_t i = 0; i < d->preview.len; i++) {
		unsigned char c = (unsigned char)d->preview.data[i];

		if (c <= 32 || c == 127) {
			blank = out.len > 0;
			continue;
		}
		if ((c & 0xc0) != 0x80) {
			if (chars + blank >= PREVIEW_CHARS)
				break;
			chars += 1 + blank;
			if (blank)
				buf_add_c(&out, ' ');
			blank = false;
		}
		buf_add_c(&out, (char)c);
	}
	put_span(&d->list, buf_span(&out));
	buf_fini(&out);
}

static void
make_list(struct mime_digest *d)
{
	struct buf *b = &d->list;

	put_u8(b, MIME_LIST_VERSION);
	put_u8(b, (uint8_t)((d->attachment ? LIST_ATTACHMENT : 0) | (d->reply ? LIST_REPLY : 0) |
	    (d->has_sent ? LIST_SENT : 0) | (d->partial ? LIST_PARTIAL : 0)));
	put_u64(b, (uint64_t)(d->has_sent ? d->sent_s : 0));
	put_u16(b, (uint16_t)(int16_t)(d->has_sent ? d->sent_zone : 0));
	buf_add_span(b, buf_span(&d->root_env));
	buf_add_span(b, buf_span(&d->ids));
	put_span(b, buf_span(&d->base_subject));
	put_preview(d);
	buf_add_span(b, buf_span(&d->kept));
}

static void
put_index(struct buf *b, uint32_t i)
{
	put_varint(b, i == MIME_NONE ? 0 : (uint64_t)i + 1);
}

static void
put_part(struct buf *b, const struct mime_part *p, struct part_meta *m)
{
	/* What IMAP cannot show as it is called: see parser.h. */
	if (p->kind == MIME_LEAF && m->multipart)
		put_type(m, SPAN_LIT("text"), SPAN_LIT("plain"), &(struct mime_params){ .n = 0 });
	else if (p->kind == MIME_LEAF && m->message)
		put_type(m, SPAN_LIT("application"), SPAN_LIT("octet-stream"),
		    &(struct mime_params){ .n = 0 });
	put_u8(b, (uint8_t)p->kind);
	put_u8(b, (uint8_t)((m->env.len > 0 ? PART_ENVELOPE : 0) |
	    (p->in_digest ? PART_IN_DIGEST : 0)));
	put_index(b, p->parent);
	put_index(b, p->first);
	put_index(b, p->last);
	put_index(b, p->next);
	put_varint(b, p->depth);
	put_varint(b, p->header_start);
	put_varint(b, p->header_len);
	put_varint(b, p->body_start);
	put_varint(b, p->body_len);
	put_varint(b, p->header_lines);
	put_varint(b, p->body_lines);
	buf_add_span(b, buf_span(&m->type));
	buf_add_span(b, buf_span(&m->rest));
	buf_add_span(b, buf_span(&m->env));
	if (!m->known && !(p->kind == MIME_LEAF && m->message))
		return;
	put_varint(b, m->known ? m->decoded + 1 : 0);
	put_u8(b, p->kind != MIME_LEAF || !m->message ? 0 : m->global ? 2 : 1);
}

static void
make_structure(struct mime_digest *d)
{
	struct buf record = { 0 };
	size_t n;
	const struct mime_part *parts = mime_parser_parts(d->parser, &n);

	put_u8(&d->structure, MIME_STRUCTURE_VERSION);
	put_varint(&d->structure, n);
	put_varint(&d->structure, mime_parser_size(d->parser));
	for (size_t i = 0; i < n; i++) {
		buf_clear(&record);
		put_part(&record, &parts[i], &d->parts[i]);
		put_span(&d->structure, buf_span(&record));
	}
	buf_fini(&record);
}

static bool
has_attachment(const struct mime_digest *d)
{
	struct mime_flat flat = { .text.n = 0 };
	struct mime_structure s;
	bool has;

	if (mime_structure_open(buf_span(&d->structure), &s) != ST_OK)
		return d->attachment;
	mime_flat_make(&s, &flat);
	has = mime_flat_attachment(&s, &flat);
	mime_flat_fini(&flat);
	mime_structure_close(&s);
	return has;
}

void
mime_digest_finish(struct mime_digest *d, struct mime_digest_result *r)
{
	mime_parser_finish(d->parser);
	make_structure(d);
	d->attachment = has_attachment(d);
	make_list(d);
	d->text_cut = d->text_max > 0 && d->text.len >= d->text_max;
	memset(r, 0, sizeof(*r));
	r->list = buf_span(&d->list);
	r->structure = buf_span(&d->structure);
	r->header = buf_span(&d->header);
	r->header_more = buf_span(&d->header_more);
	r->subject_hash = mime_subject_hash(buf_span(&d->base_subject));
	memcpy(r->thread_keys, d->thread_keys, sizeof(r->thread_keys));
	r->n_thread_keys = d->n_thread_keys;
	r->text = mime_utf8_cut(buf_span(&d->text), d->text_max);
	r->text_header = d->text_header < r->text.len ? d->text_header : r->text.len;
	r->text_cut = d->text_cut;
	r->other = d->other;
	r->size = mime_parser_size(d->parser);
}

void
mime_digest_keys(const struct mime_digest_result *r, struct buf *out)
{
	for (size_t i = 0; i < r->n_thread_keys; i++)
		if (r->thread_keys[i] != 0)
			put_u64(out, r->thread_keys[i]);
}
