#include "jmapd/email/object.h"

#include <string.h>

#include "common/mime/field.h"
#include "common/util/mem.h"
#include "jmapd/email/part.h"

void
email_object_init(struct email_object *o, size_t keep_max)
{
	pass_init(&o->pass, keep_max);
}

bool
email_open(struct email_object *o, struct span list, struct span structure)
{
	unsigned needs = o->want->needs;

	if (o->have_structure)
		mime_structure_close(&o->structure);
	o->have_structure = structure.len > 0 &&
	    mime_structure_open(structure, &o->structure) == ST_OK;
	o->have_list = list.len > 0 && mime_list_read(list, &o->list) == ST_OK;
	/* What the list does not tell stands in the header, whose place the structure knows. */
	if ((needs & WANT_STRUCTURE) || ((needs & WANT_LIST) && o->list.partial))
		if (!o->have_structure)
			return false;
	return !(needs & WANT_LIST) || o->have_list;
}

void
email_close(struct email_object *o)
{
	if (o->have_structure)
		mime_structure_close(&o->structure);
	o->have_structure = o->have_list = false;
	mime_flat_fini(&o->flat);
	o->have_flat = false;
	pass_fini(&o->pass);
}

/* --- the plan --- */

static void
plan_text(struct email_object *o, uint32_t i)
{
	struct mime_part_view v;
	struct pass_take *t;

	mime_structure_part(&o->structure, i, &v);
	if (v.at.kind != MIME_LEAF || !span_caseeq_str(v.type, "text") ||
	    pass_find(&o->pass, PASS_TEXT, i) != NULL)
		return;
	t = pass_add(&o->pass, PASS_TEXT, i, v.at.body_start, v.at.body_len);
	t->coding = v.coding;
	t->charset = part_charset(&v);
	t->html = span_caseeq_str(v.subtype, "html");
	t->max = o->want->max_value_bytes;
}

static void
plan_values(struct email_object *o)
{
	const struct email_want *w = o->want;

	if (!email_wants(w, EMAIL_BODY_VALUES))
		return;
	for (size_t i = 0; w->text_values && i < o->flat.text.n; i++)
		plan_text(o, o->flat.text.v[i]);
	for (size_t i = 0; w->html_values && i < o->flat.html.n; i++)
		plan_text(o, o->flat.html.v[i]);
	for (uint32_t i = 0; w->all_values && i != MIME_NONE;
	    i = part_next(&o->structure, i))
		plan_text(o, i);
}

/* Of the parts that are shown. */
static void
plan_parts(struct email_object *o)
{
	struct mime_part_view v;
	struct pass_take *t;

	for (uint32_t i = 0; i != MIME_NONE; i = part_next(&o->structure, i)) {
		mime_structure_part(&o->structure, i, &v);
		if ((o->want->needs & WANT_PART_HEADERS) && i > 0)
			pass_add(&o->pass, PASS_HEADER, i, v.at.header_start, v.at.header_len);
		if ((o->want->needs & WANT_SIZES) && !part_size_known(&v)) {
			t = pass_add(&o->pass, PASS_SIZE, i, v.at.body_start, v.at.body_len);
			t->coding = v.coding;
		}
	}
}

bool
email_plan(struct email_object *o)
{
	unsigned needs = o->want->needs;
	struct mime_part_view v;

	if (o->have_structure && (needs & WANT_STRUCTURE)) {
		mime_flat_make(&o->structure, &o->flat);
		o->have_flat = true;
	}
	if ((needs & (WANT_HEADER | WANT_PART_HEADERS)) ||
	    ((needs & WANT_LIST) && o->list.partial)) {
		mime_structure_part(&o->structure, 0, &v);
		pass_add(&o->pass, PASS_HEADER, 0, v.at.header_start, v.at.header_len);
	}
	if (o->have_flat) {
		plan_values(o);
		plan_parts(o);
	}
	pass_begin(&o->pass);
	return o->pass.n > 0;
}

/* --- printing --- */

static struct span
own_header(const struct email_object *o)
{
	const struct pass_take *t = pass_find(&o->pass, PASS_HEADER, 0);

	return t != NULL ? buf_span(&t->out) : SPAN_NONE;
}

static void
put_list_addresses(struct json_writer *w, struct mime_seq seq)
{
	struct mime_addr a;

	memset(&a, 0, sizeof(a));
	if (seq.n == 0) {
		json_null(w);
		return;
	}
	json_begin_array(w);
	while (mime_seq_addr(&seq, &a))
		if (a.kind == MIME_ADDR_MAILBOX)
			header_put_addr(w, &a);
	json_end_array(w);
}

static void
put_references(struct json_writer *w, struct mime_seq ids)
{
	struct span id;

	if (ids.n == 0) {
		json_null(w);
		return;
	}
	json_begin_array(w);
	while (mime_seq_span(&ids, &id))
		json_string(w, id);
	json_end_array(w);
}

/* A value that is kept as one line. */
static void
put_line(struct json_writer *w, struct arena *a, enum header_form form, struct span line)
{
	if (line.p == NULL)
		json_null(w);
	else
		header_put(w, a, form, line);
}

/* Out of the list. */
static void
put_kept(const struct email_object *o, struct json_writer *w, struct arena *a,
    enum email_property p)
{
	static const enum mime_addr_list lists[] = {
		[EMAIL_SENDER - EMAIL_SENDER] = MIME_SENDER, [EMAIL_FROM - EMAIL_SENDER] = MIME_FROM,
		[EMAIL_TO - EMAIL_SENDER] = MIME_TO, [EMAIL_CC - EMAIL_SENDER] = MIME_CC,
		[EMAIL_BCC - EMAIL_SENDER] = MIME_BCC, [EMAIL_REPLY_TO - EMAIL_SENDER] = MIME_REPLY_TO
	};
	const struct mime_list *l = &o->list;

	switch (p) {
	case EMAIL_MESSAGE_ID:
		put_line(w, a, HEADER_IDS, l->env.message_id);
		break;
	case EMAIL_IN_REPLY_TO:
		put_line(w, a, HEADER_IDS, l->env.in_reply_to);
		break;
	case EMAIL_REFERENCES:
		put_references(w, l->references);
		break;
	case EMAIL_SUBJECT:
		put_line(w, a, HEADER_TEXT, l->env.subject);
		break;
	case EMAIL_SENT_AT:
		if (l->has_sent)
			header_put_date(w, l->sent_s, l->sent_zone);
		else
			json_null(w);
		break;
	default:
		put_list_addresses(w, l->env.lists[lists[p - EMAIL_SENDER]]);
		break;
	}
}

static void
put_field(const struct email_object *o, struct json_writer *w, struct arena *a,
    enum email_property p)
{
	struct header_property h;

	if (!o->list.partial) {
		put_kept(o, w, a, p);
		return;
	}
	email_property_header(p, &h);
	header_put_property(w, a, &h, own_header(o));
}

static void
put_values(const struct email_object *o, struct json_writer *w)
{
	json_begin_object(w);
	for (size_t i = 0; i < o->pass.n; i++) {
		const struct pass_take *t = &o->pass.v[i];
		struct buf id = { 0 };

		if (t->kind != PASS_TEXT)
			continue;
		part_id_put(&o->structure, t->part, &id);
		json_key_span(w, buf_span(&id));
		json_begin_object(w);
		json_kv_string(w, "value", buf_span(&t->out));
		json_kv_bool(w, "isEncodingProblem", t->problem);
		json_kv_bool(w, "isTruncated", t->truncated);
		json_end_object(w);
		buf_fini(&id);
	}
	json_end_object(w);
}

static void
put_blob_id(const struct email_object *o, struct json_writer *w)
{
	struct buf id = { 0 };

	blob_id_put(&id, &o->blob);
	json_string(w, buf_span(&id));
	buf_fini(&id);
}

static void
put_parts(const struct email_object *o, struct json_writer *w, struct arena *a,
    const struct mime_flat_list *list)
{
	json_begin_array(w);
	for (size_t i = 0; i < list->n; i++)
		part_put(o, w, a, list->v[i], false);
	json_end_array(w);
}

static void
put_value(const struct email_object *o, struct json_writer *w, struct arena *a,
    const struct want_property *p)
{
	switch (p->what) {
	case EMAIL_BLOB_ID:
		put_blob_id(o, w);
		break;
	case EMAIL_HAS_ATTACHMENT:
		json_bool(w, o->list.has_attachment);
		break;
	case EMAIL_PREVIEW:
		json_string(w, o->list.preview);
		break;
	case EMAIL_BODY_VALUES:
		put_values(o, w);
		break;
	case EMAIL_TEXT_BODY:
		put_parts(o, w, a, &o->flat.text);
		break;
	case EMAIL_HTML_BODY:
		put_parts(o, w, a, &o->flat.html);
		break;
	case EMAIL_ATTACHMENTS:
		put_parts(o, w, a, &o->flat.attached);
		break;
	case EMAIL_BODY_STRUCTURE:
		part_put(o, w, a, 0, true);
		break;
	case EMAIL_HEADERS:
		header_put_all(w, a, own_header(o));
		break;
	case EMAIL_HEADER:
		header_put_property(w, a, &p->header, own_header(o));
		break;
	default:
		if (p->what >= EMAIL_MESSAGE_ID && p->what <= EMAIL_SENT_AT)
			put_field(o, w, a, p->what);
		else
			o->put_own(o->arg, w, p->what);
		break;
	}
}

void
email_put(const struct email_object *o, struct json_writer *w, struct arena *a)
{
	json_begin_object(w);
	for (size_t i = 0; i < o->want->n; i++) {
		json_key_span(w, o->want->v[i].key);
		put_value(o, w, a, &o->want->v[i]);
	}
	json_end_object(w);
}
