#include "jmapd/email/part.h"

#include <string.h>

#include "common/mime/field.h"
#include "common/util/mem.h"

uint32_t
part_next(const struct mime_structure *s, uint32_t i)
{
	struct mime_part_view v;

	mime_structure_part(s, i, &v);
	if (v.at.kind == MIME_MULTIPART)
		return v.at.first;
	while (v.at.next == MIME_NONE && v.at.parent != MIME_NONE)
		mime_structure_part(s, v.at.parent, &v);
	return v.at.next;
}

/* Which of its parent's parts, from 1. */
static uint32_t
place_among(const struct mime_structure *s, uint32_t parent, uint32_t i)
{
	struct mime_part_view v;
	uint32_t n = 1;

	mime_structure_part(s, parent, &v);
	for (uint32_t k = v.at.first; k != i && k != MIME_NONE; k = v.at.next, n++)
		mime_structure_part(s, k, &v);
	return n;
}

void
part_id_put(const struct mime_structure *s, uint32_t i, struct buf *out)
{
	uint32_t numbers[MIME_DEPTH_MAX];
	struct mime_part_view v;
	size_t n = 0;

	mime_structure_part(s, i, &v);
	for (; v.at.parent != MIME_NONE && n < MIME_DEPTH_MAX; i = v.at.parent,
	    mime_structure_part(s, i, &v))
		numbers[n++] = place_among(s, v.at.parent, i);
	if (n == 0)
		numbers[n++] = 1;
	while (n-- > 0)
		buf_addf(out, n > 0 ? "%u." : "%u", numbers[n]);
}

struct span
part_charset(const struct mime_part_view *v)
{
	struct mime_seq params = v->params;
	struct span name, value;

	while (mime_seq_param(&params, &name, &value))
		if (span_caseeq_str(name, "charset"))
			return value;
	return SPAN_NONE;
}

static bool
is_coded(const struct mime_part_view *v)
{
	return v->at.kind == MIME_LEAF &&
	    (v->coding == MIME_CODING_BASE64 || v->coding == MIME_CODING_QP);
}

bool
part_size_known(const struct mime_part_view *v)
{
	return !is_coded(v) || v->known;
}

/* --- properties --- */

static void
put_blob_id(const struct email_object *o, struct json_writer *w, const struct mime_part_view *v)
{
	struct blob_id id = o->blob;
	struct buf text = { 0 };

	if (v->at.kind == MIME_MULTIPART || !blob_id_enter(&id, v->at.body_start, v->at.body_len,
	    is_coded(v) ? v->coding : MIME_CODING_7BIT)) {
		json_null(w);
		return;
	}
	blob_id_put(&text, &id);
	json_string(w, buf_span(&text));
	buf_fini(&text);
}

static void
put_size(const struct email_object *o, struct json_writer *w, uint32_t i,
    const struct mime_part_view *v)
{
	const struct pass_take *t = pass_find(&o->pass, PASS_SIZE, i);

	json_uint(w, !is_coded(v) ? v->at.body_len : v->known ? v->decoded :
	    t != NULL ? t->size : 0);
}

static void
take_params(struct mime_seq seq, struct mime_params *raw)
{
	raw->n = 0;
	while (raw->n < MIME_PARAMS_MAX &&
	    mime_seq_param(&seq, &raw->v[raw->n].name, &raw->v[raw->n].value))
		raw->n++;
}

static void
put_name(struct json_writer *w, const struct mime_part_view *v)
{
	struct mime_params raw;
	struct buf name = { 0 };
	bool given;

	take_params(v->disposition_params, &raw);
	given = mime_param_get(&raw, "filename", &name);
	if (!given) {
		take_params(v->params, &raw);
		given = mime_param_get(&raw, "name", &name);
	}
	if (given)
		json_string(w, buf_span(&name));
	else
		json_null(w);
	buf_fini(&name);
}

static void
put_lower(struct json_writer *w, struct span a, struct span b)
{
	struct buf out = { 0 };

	for (size_t i = 0; i < a.len; i++)
		buf_add_c(&out, ascii_lower(a.p[i]));
	if (b.len > 0)
		buf_add_c(&out, '/');
	for (size_t i = 0; i < b.len; i++)
		buf_add_c(&out, ascii_lower(b.p[i]));
	json_string(w, buf_span(&out));
	buf_fini(&out);
}

static void
put_charset(struct json_writer *w, const struct mime_part_view *v)
{
	struct span charset = part_charset(v);

	if (charset.len > 0)
		json_string(w, charset);
	else if (span_caseeq_str(v->type, "text"))
		json_str(w, "us-ascii");
	else
		json_null(w);
}

/* Without comments and angle brackets. */
static void
put_cid(struct json_writer *w, struct span id)
{
	size_t open = span_find(id, '<');
	struct span in = span_sub(id, open + 1, id.len);

	if (id.p == NULL)
		json_null(w);
	else if (open < id.len && span_find(in, '>') < in.len)
		json_string(w, span_trim(span(in.p, span_find(in, '>'))));
	else
		json_string(w, span_trim(id));
}

static void
put_language(struct json_writer *w, struct mime_seq tags)
{
	struct span tag;

	if (tags.n == 0) {
		json_null(w);
		return;
	}
	json_begin_array(w);
	while (mime_seq_span(&tags, &tag))
		json_string(w, tag);
	json_end_array(w);
}

static void
put_text_or_null(struct json_writer *w, struct span text)
{
	if (text.p == NULL)
		json_null(w);
	else
		json_string(w, span_trim(text));
}

static void
put_sub_parts(const struct email_object *o, struct json_writer *w, struct arena *a,
    const struct mime_part_view *v)
{
	struct mime_part_view child;

	if (v->at.kind != MIME_MULTIPART) {
		json_null(w);
		return;
	}
	json_begin_array(w);
	for (uint32_t i = v->at.first; i != MIME_NONE; i = child.at.next) {
		mime_structure_part(&o->structure, i, &child);
		part_put(o, w, a, i, true);
	}
	json_end_array(w);
}

static struct span
header_of(const struct email_object *o, uint32_t i)
{
	const struct pass_take *t = pass_find(&o->pass, PASS_HEADER, i);

	return t != NULL ? buf_span(&t->out) : SPAN_NONE;
}

static void
put_part_id(const struct email_object *o, struct json_writer *w, uint32_t i,
    const struct mime_part_view *v)
{
	struct buf id = { 0 };

	if (v->at.kind == MIME_MULTIPART) {
		json_null(w);
		return;
	}
	part_id_put(&o->structure, i, &id);
	json_string(w, buf_span(&id));
	buf_fini(&id);
}

static void
put_property(const struct email_object *o, struct json_writer *w, struct arena *a, uint32_t i,
    const struct mime_part_view *v, const struct want_property *p)
{
	switch (p->what) {
	case PART_ID:
		put_part_id(o, w, i, v);
		break;
	case PART_BLOB_ID:
		put_blob_id(o, w, v);
		break;
	case PART_SIZE:
		put_size(o, w, i, v);
		break;
	case PART_NAME:
		put_name(w, v);
		break;
	case PART_TYPE:
		put_lower(w, v->message.p != NULL ? SPAN_LIT("message") : v->type,
		    v->message.p != NULL ? v->message : v->subtype);
		break;
	case PART_CHARSET:
		put_charset(w, v);
		break;
	case PART_DISPOSITION:
		if (v->disposition.len > 0)
			put_lower(w, v->disposition, SPAN_NONE);
		else
			json_null(w);
		break;
	case PART_CID:
		put_cid(w, v->id);
		break;
	case PART_LANGUAGE:
		put_language(w, v->language);
		break;
	case PART_LOCATION:
		put_text_or_null(w, v->location);
		break;
	case PART_HEADERS:
		header_put_all(w, a, header_of(o, i));
		break;
	default:
		header_put_property(w, a, &p->header, header_of(o, i));
		break;
	}
}

/* subParts stand in the tree whether they are named or not: it is none without them. */
void
part_put(const struct email_object *o, struct json_writer *w, struct arena *a, uint32_t i,
    bool deep)
{
	struct mime_part_view v;
	bool parts = false;

	mime_structure_part(&o->structure, i, &v);
	json_begin_object(w);
	for (size_t k = 0; k < o->want->n_parts; k++) {
		const struct want_property *p = &o->want->parts[k];

		if (p->what == PART_SUB_PARTS) {
			parts = true;
			continue;
		}
		json_key_span(w, p->key);
		put_property(o, w, a, i, &v, p);
	}
	if (parts || (deep && v.at.kind == MIME_MULTIPART)) {
		json_key(w, "subParts");
		if (deep)
			put_sub_parts(o, w, a, &v);
		else
			json_null(w);
	}
	json_end_object(w);
}
