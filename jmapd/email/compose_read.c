#include "jmapd/email/compose_priv.h"

#include <stdarg.h>
#include <string.h>

#include "common/mime/field.h"
#include "common/mime/write.h"
#include "common/util/mem.h"
#include "jmapd/email/field_out.h"
#include "jmapd/email/want.h"

/* What has been given of the fields of a header, by their names. */
struct names {
	struct span	field[WANT_PROPERTIES_MAX], property[WANT_PROPERTIES_MAX];
	size_t		n;
};

/* Remembers what is wrong: the property of the Email, and where in it. */
static void
complain(struct compose *c, struct span property, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void
complain(struct compose *c, struct span property, const char *fmt, ...)
{
	struct span rest = buf_span(&c->bad), one;
	va_list ap;

	if (c->why.len == 0) {
		buf_add_span(&c->why, span_sub(property, 0, 200));
		buf_add_str(&c->why, ": ");
		va_start(ap, fmt);
		buf_vaddf(&c->why, fmt, ap);
		va_end(ap);
	}
	while (rest.len > 0) {
		one = span_cut(&rest, ' ');
		if (span_eq(one, property))
			return;
	}
	if (span_find(property, ' ') < property.len || c->bad.len > 8192)
		return;
	buf_add_span(&c->bad, property);
	buf_add_c(&c->bad, ' ');
}

/* --- fields --- */

/* A field stands once, whatever its properties are called. */
static bool
claim(struct compose *c, struct names *names, struct span property, struct span field)
{
	for (size_t i = 0; i < names->n; i++)
		if (span_caseeq(names->field[i], field)) {
			complain(c, property, "the field %.*s is given twice",
			    (int)(field.len < 100 ? field.len : 100), field.p);
			complain(c, names->property[i], "the same");
			return false;
		}
	if (names->n == WANT_PROPERTIES_MAX) {
		complain(c, property, "too many fields");
		return false;
	}
	names->field[names->n] = field;
	names->property[names->n++] = property;
	return true;
}

static void
put_field(struct compose *c, struct buf *out, struct span property,
    const struct header_property *h, const struct json *value)
{
	const char *why = "";

	if (!field_out(out, c->arena, h, value, &why))
		complain(c, property, "%s", why);
}

static bool
is_content(struct span field)
{
	return span_has_caseprefix(field, "content-");
}

static void
note_field(struct compose *c, struct span field)
{
	c->has_id |= span_caseeq_str(field, "message-id");
	c->has_date |= span_caseeq_str(field, "date");
	c->has_version |= span_caseeq_str(field, "mime-version");
}

/* "header:..." of the Email or of its top part. */
static void
read_header(struct compose *c, struct names *names, struct span property,
    const struct json *value)
{
	struct header_property h;
	enum header_read got = header_property_read(property, &h);

	if (got != HEADER_OK) {
		complain(c, property, got == HEADER_BAD ? "there is no such property" :
		    "this field has no such form");
		return;
	}
	if (is_content(h.name)) {
		complain(c, property, "fields of the content belong to a part");
		return;
	}
	if (value == NULL || !claim(c, names, property, h.name))
		return;
	if (h.all ? json_count(value) > 0 : true)
		note_field(c, h.name);
	put_field(c, &c->header, property, &h, value);
}

/* --- parts --- */

struct compose_part *
compose_part_new(struct compose *c, const char *type)
{
	struct compose_part *p = arena_zalloc(c->arena, sizeof(*p));

	p->type = span_str(type);
	c->n_parts++;
	return p;
}

static struct span
lower(struct compose *c, struct span s)
{
	char *to = arena_strndup(c->arena, s.p, s.len);

	for (size_t i = 0; i < s.len; i++)
		to[i] = ascii_lower(to[i]);
	return span(to, s.len);
}

/* Where in the Email a part is, for complaints. */
struct at {
	struct span	property;	/* of the Email */
	unsigned	depth;
	bool		top;		/* the message's own part: bodyStructure itself */
};

static bool
is_type(struct span s)
{
	size_t slash = span_find(s, '/');

	return slash < s.len && mime_is_token(span_sub(s, 0, slash)) &&
	    mime_is_token(span_sub(s, slash + 1, s.len)) && s.len <= 127;
}

/* A string or null of a part; false: neither, and complained of. */
static bool
part_string(struct compose *c, const struct at *at, const struct json *part, const char *name,
    struct span *s)
{
	const struct json *v = json_member(part, name);

	*s = SPAN_NONE;
	if (v == NULL || (json_as_string(v, s) && field_is_clean(*s)))
		return true;
	complain(c, at->property, "%s of a part is not a string that a header can hold", name);
	*s = SPAN_NONE;
	return false;
}

static struct compose_blob *
add_blob(struct compose *c, struct span text)
{
	struct compose_blob *b = &c->blobs[c->n_blobs++];

	*b = (struct compose_blob){ .text = text };
	if (c->resolve != NULL)
		text = c->resolve(c->arg, text);
	b->valid = text.p != NULL && blob_id_parse(text, &b->id);
	return b;
}

/* bodyValues[partId] */
static void
read_value(struct compose *c, const struct at *at, struct compose_part *p, struct span part_id)
{
	const struct json *values = json_member(c->email, "bodyValues"), *v, *found = NULL, *given;
	struct span key;
	void *pos = NULL;
	bool flag = false;

	while (json_next(values, &pos, &key, &v))
		if (span_eq(key, part_id))
			found = v;
	if (!json_is_object(found) || !json_get_string(found, "value", &p->value)) {
		complain(c, at->property, "partId names nothing in bodyValues");
		complain(c, SPAN_LIT("bodyValues"), "a value is missing");
		return;
	}
	p->has_value = true;
	pos = NULL;
	while (json_next(found, &pos, &key, &given)) {
		if (span_eq_str(key, "value"))
			continue;
		if ((!span_eq_str(key, "isEncodingProblem") && !span_eq_str(key, "isTruncated")) ||
		    (given != NULL && (!json_as_bool(given, &flag) || flag)))
			complain(c, SPAN_LIT("bodyValues"), "isEncodingProblem and isTruncated must be "
			    "false, and there is nothing else");
	}
}

static void
read_content(struct compose *c, const struct at *at, const struct json *part,
    struct compose_part *p)
{
	struct span part_id, blob_id;

	if (!part_string(c, at, part, "partId", &part_id) ||
	    !part_string(c, at, part, "blobId", &blob_id))
		return;
	if (p->multipart) {
		if (part_id.p != NULL || blob_id.p != NULL)
			complain(c, at->property, "a multipart has neither partId nor blobId");
		return;
	}
	if ((part_id.p == NULL) == (blob_id.p == NULL)) {
		complain(c, at->property, "a part has a partId or a blobId, one of them");
		return;
	}
	if (blob_id.p != NULL) {
		p->blob = add_blob(c, blob_id);
		p->blob->look = compose_type_is(p, "text/") || compose_type_is(p, "message/");
		return;
	}
	if (json_member(part, "charset") != NULL)
		complain(c, at->property, "charset is not given with a partId");
	if (json_member(part, "size") != NULL)
		complain(c, at->property, "size is not given with a partId");
	read_value(c, at, p, part_id);
}

static struct compose_part *read_part(struct compose *c, struct at at, const struct json *part,
    const char *type);

static void
read_sub_parts(struct compose *c, const struct at *at, const struct json *part,
    struct compose_part *p)
{
	const struct json *list = json_member(part, "subParts");
	struct compose_part **to = &p->first;
	struct at below = { .property = at->property, .depth = at->depth + 1 };

	if (!p->multipart) {
		if (list != NULL && !(json_is_array(list) && json_count(list) == 0))
			complain(c, at->property, "subParts of a part that is no multipart");
		return;
	}
	if (!json_is_array(list) || json_count(list) == 0) {
		complain(c, at->property, "a multipart without subParts");
		return;
	}
	if (at->depth >= COMPOSE_DEPTH_MAX) {
		complain(c, at->property, "parts too deep in one another");
		return;
	}
	for (size_t i = 0; i < json_count(list) && c->n_parts < COMPOSE_PARTS_MAX; i++) {
		*to = read_part(c, below, json_item(list, i), NULL);
		to = &(*to)->next;
	}
}

/* --- the properties of a part --- */

/* header:Content-Type: what it says decides what the part is. */
static void
given_type(struct compose *c, const struct at *at, struct compose_part *p, struct span value)
{
	struct span type, subtype;
	struct mime_params raw;
	struct buf text = { 0 };

	if (!mime_content_type(c->arena, value, &type, &subtype, &raw)) {
		complain(c, at->property, "the field Content-Type names no type");
		return;
	}
	buf_add_span(&text, type);
	buf_add_c(&text, '/');
	buf_add_span(&text, subtype);
	p->type = lower(c, buf_span(&text));
	buf_clear(&text);
	if (mime_param_get(&raw, "boundary", &text) && text.len > 0 && text.len <= 70)
		p->boundary = arena_span(c->arena, buf_span(&text));
	else if (span_caseeq_str(type, "multipart"))
		complain(c, at->property, "the field Content-Type of a multipart has no boundary");
	buf_clear(&text);
	if (mime_param_get(&raw, "charset", &text))
		p->charset = arena_span(c->arena, buf_span(&text));
	buf_fini(&text);
}

static void
part_header(struct compose *c, const struct at *at, struct compose_part *p,
    struct names *names, struct span property, const struct json *value)
{
	struct header_property h;
	struct buf *out = at->top ? &c->header : &p->fields;
	size_t was;

	if (header_property_read(property, &h) != HEADER_OK) {
		complain(c, at->property, "%.*s: no such property or form",
		    (int)(property.len < 100 ? property.len : 100), property.p);
		return;
	}
	if (span_caseeq_str(h.name, "content-transfer-encoding")) {
		complain(c, at->property, "the server chooses the Content-Transfer-Encoding");
		return;
	}
	if (value == NULL || !claim(c, names, at->property, h.name))
		return;
	if (is_content(h.name))
		out = &p->fields;
	else if (at->top)
		note_field(c, h.name);
	was = out->len;
	put_field(c, out, at->property, &h, value);
	p->has_disposition |= span_caseeq_str(h.name, "content-disposition");
	if (span_caseeq_str(h.name, "content-type") && out->len > was + 13) {
		p->content_type = arena_span(c->arena, span(out->data + was + 13, out->len - was - 13));
		buf_cut(out, was);
		given_type(c, at, p, p->content_type);
	}
}

static void
put_cid(struct compose *c, const struct at *at, struct compose_part *p, struct span cid)
{
	struct mime_line l;

	for (size_t i = 0; i < cid.len; i++)
		if (strchr(" <>", cid.p[i]) != NULL || cid.len > 900) {
			complain(c, at->property, "a cid that is none");
			return;
		}
	if (cid.len == 0)
		return;
	mime_line_begin(&l, &p->fields, SPAN_LIT("Content-ID"));
	buf_add_str(&p->fields, " <");
	buf_add_span(&p->fields, cid);
	buf_add_c(&p->fields, '>');
	mime_line_end(&l);
}

static void
put_language(struct compose *c, const struct at *at, struct compose_part *p,
    const struct json *list)
{
	struct mime_line l;
	size_t was = p->fields.len;

	if (list == NULL || (json_is_array(list) && json_count(list) == 0))
		return;
	mime_line_begin(&l, &p->fields, SPAN_LIT("Content-Language"));
	for (size_t i = 0; i < json_count(list) || i == 0; i++) {
		struct buf word = { 0 };
		struct span tag;

		if (!json_as_string(json_item(list, i), &tag) || !mime_is_token(tag) || tag.len > 64) {
			complain(c, at->property, "language is not a list of language tags");
			buf_cut(&p->fields, was);
			return;
		}
		buf_add_span(&word, tag);
		if (i + 1 < json_count(list))
			buf_add_c(&word, ',');
		mime_line_word(&l, buf_span(&word));
		buf_fini(&word);
	}
	mime_line_end(&l);
}

static void
put_location(struct compose *c, const struct at *at, struct compose_part *p, struct span url)
{
	struct mime_line l;

	for (size_t i = 0; i < url.len; i++)
		if ((unsigned char)url.p[i] <= 32 || (unsigned char)url.p[i] >= 127 || url.len > 900) {
			complain(c, at->property, "a location that is no URI");
			return;
		}
	if (url.len == 0)
		return;
	mime_line_begin(&l, &p->fields, SPAN_LIT("Content-Location"));
	mime_line_word(&l, url);
	mime_line_end(&l);
}

static const struct { const char *property, *field; } part_fields[] = {
	{ "type", "Content-Type" }, { "charset", "Content-Type" }, { "cid", "Content-ID" },
	{ "disposition", "Content-Disposition" }, { "language", "Content-Language" },
	{ "location", "Content-Location" }
};

/* Its named properties as the fields that they stand for. */
static void
claim_named(struct compose *c, const struct at *at, const struct json *part, struct names *names)
{
	struct span last = SPAN_NONE;

	for (size_t i = 0; i < ARRAY_LEN(part_fields); i++) {
		struct span field = span_str(part_fields[i].field);

		if (json_member(part, part_fields[i].property) == NULL || span_eq(field, last))
			continue;
		claim(c, names, at->property, field);
		last = field;
	}
}

static bool
is_part_property(struct span name)
{
	for (int i = 0; i < PART_NAMED; i++)
		if (i != PART_HEADERS && span_eq_str(name, part_property_name(i)))
			return true;
	return false;
}

static void
read_named(struct compose *c, const struct at *at, const struct json *part,
    struct compose_part *p)
{
	struct span s;

	if (part_string(c, at, part, "type", &s) && s.p != NULL) {
		if (is_type(s))
			p->type = lower(c, s);
		else
			complain(c, at->property, "a type that is none");
	}
	if (part_string(c, at, part, "charset", &s) && s.p != NULL) {
		if (mime_is_token(s) && s.len <= 64)
			p->charset = s;
		else
			complain(c, at->property, "a charset that is none");
	}
	if (part_string(c, at, part, "disposition", &s) && s.p != NULL) {
		if (mime_is_token(s) && s.len <= 64)
			p->disposition = s;
		else
			complain(c, at->property, "a disposition that is none");
	}
	part_string(c, at, part, "name", &p->name);
	if (part_string(c, at, part, "cid", &s))
		put_cid(c, at, p, s);
	put_language(c, at, p, json_member(part, "language"));
	if (part_string(c, at, part, "location", &s))
		put_location(c, at, p, s);
}

/* type: when none is given; NULL: by what is in it. */
static struct compose_part *
read_part_with(struct compose *c, struct at at, const struct json *part, const char *type,
    struct names *names)
{
	struct compose_part *p = compose_part_new(c, type != NULL ? type : "text/plain");
	const struct json *v;
	struct span key;
	void *pos = NULL;

	if (!json_is_object(part)) {
		complain(c, at.property, "a part is an object");
		return p;
	}
	if (c->n_parts >= COMPOSE_PARTS_MAX)
		complain(c, at.property, "too many parts");
	if (json_member(part, "subParts") != NULL && json_count(json_member(part, "subParts")) > 0)
		p->type = SPAN_LIT("multipart/mixed");
	else if (type == NULL && json_member(part, "blobId") != NULL)
		p->type = SPAN_LIT("application/octet-stream");
	claim_named(c, &at, part, names);
	read_named(c, &at, part, p);
	while (json_next(part, &pos, &key, &v)) {
		if (is_part_property(key))
			continue;
		if (span_has_prefix(key, "header:"))
			part_header(c, &at, p, names, key, v);
		else
			complain(c, at.property, "%.*s: there is no such property of a part",
			    (int)(key.len < 100 ? key.len : 100), key.p);
	}
	p->multipart = compose_type_is(p, "multipart/");
	p->message = span_eq_str(p->type, "message/rfc822") || span_eq_str(p->type, "message/global");
	if (p->name.p != NULL && p->content_type.p != NULL && p->disposition.p == NULL)
		complain(c, at.property, "name has no place beside the fields that are given");
	read_content(c, &at, part, p);
	read_sub_parts(c, &at, part, p);
	return p;
}

static struct compose_part *
read_part(struct compose *c, struct at at, const struct json *part, const char *type)
{
	struct names *names = mem_zalloc(sizeof(*names));
	struct compose_part *p = read_part_with(c, at, part, type, names);

	mem_free(&names);
	return p;
}

/* --- textBody, htmlBody, attachments --- */

static struct compose_part *
read_single(struct compose *c, const char *property, const char *type)
{
	const struct json *list = json_member(c->email, property);
	struct at at = { .property = span_str(property), .depth = 1 };
	struct compose_part *p;

	if (list == NULL)
		return NULL;
	if (!json_is_array(list) || json_count(list) != 1) {
		complain(c, at.property, "it has exactly one part");
		return NULL;
	}
	p = read_part(c, at, json_item(list, 0), type);
	if (!span_eq_str(p->type, type))
		complain(c, at.property, "its part is of type %s", type);
	return p;
}

static struct compose_part *
wrap(struct compose *c, const char *type, struct compose_part *first)
{
	struct compose_part *p = compose_part_new(c, type);

	p->multipart = true;
	p->first = first;
	return p;
}

/* Is it shown within HTML? */
static bool
is_embedded(const struct json *part)
{
	struct span disposition, cid;

	return json_get_string(part, "cid", &cid) && cid.len > 0 &&
	    json_get_string(part, "disposition", &disposition) &&
	    span_caseeq_str(disposition, "inline");
}

/* The attached of one kind, in order; NULL: none. */
static struct compose_part *
read_attached(struct compose *c, const struct json *list, bool html, bool embedded)
{
	struct at at = { .property = SPAN_LIT("attachments"), .depth = 2 };
	struct compose_part *first = NULL, **to = &first;

	for (size_t i = 0; i < json_count(list) && c->n_parts < COMPOSE_PARTS_MAX; i++) {
		const struct json *item = json_item(list, i);

		if ((html && is_embedded(item)) != embedded)
			continue;
		*to = read_part(c, at, item, NULL);
		if ((*to)->disposition.p == NULL && !(*to)->has_disposition && !(*to)->multipart)
			(*to)->disposition = SPAN_LIT("attachment");
		to = &(*to)->next;
	}
	return first;
}

static void
read_lists(struct compose *c)
{
	const struct json *list = json_member(c->email, "attachments");
	struct compose_part *text = read_single(c, "textBody", "text/plain");
	struct compose_part *html = read_single(c, "htmlBody", "text/html"), *body;
	struct compose_part *embedded, *attached;

	if (list != NULL && !json_is_array(list))
		complain(c, SPAN_LIT("attachments"), "it is not an array of parts");
	embedded = read_attached(c, list, html != NULL, true);
	attached = read_attached(c, list, html != NULL, false);
	if (html != NULL && embedded != NULL) {
		html->next = embedded;
		html = wrap(c, "multipart/related", html);
	}
	body = text != NULL ? text : html;
	if (text != NULL && html != NULL) {
		text->next = html;
		body = wrap(c, "multipart/alternative", text);
	}
	if (attached != NULL && body != NULL)
		body->next = attached;
	if (attached != NULL)
		body = wrap(c, "multipart/mixed", body != NULL ? body : attached);
	c->root = body != NULL ? body : compose_part_new(c, "text/plain");
	c->root->has_value |= body == NULL;
}

/* --- the Email --- */

static bool
is_other(struct span name)
{
	static const char *const others[] = {
		"mailboxIds", "keywords", "receivedAt", "bodyStructure", "textBody", "htmlBody",
		"attachments", "bodyValues"
	};

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (span_eq_str(name, others[i]))
			return true;
	return false;
}

/* Named properties in the order in which the fields usually stand, then the others. */
static void
read_fields(struct compose *c, struct names *names)
{
	static const enum email_property order[] = {
		EMAIL_SENT_AT, EMAIL_FROM, EMAIL_SENDER, EMAIL_REPLY_TO, EMAIL_TO, EMAIL_CC, EMAIL_BCC,
		EMAIL_SUBJECT, EMAIL_MESSAGE_ID, EMAIL_IN_REPLY_TO, EMAIL_REFERENCES
	};
	const struct json *v;
	struct span key;
	void *pos = NULL;

	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		struct header_property h;
		struct span name = span_str(email_property_name(order[i]));

		v = json_member(c->email, email_property_name(order[i]));
		email_property_header(order[i], &h);
		if (v == NULL || !claim(c, names, name, h.name))
			continue;
		note_field(c, h.name);
		put_field(c, &c->header, name, &h, v);
	}
	while (json_next(c->email, &pos, &key, &v)) {
		bool named = is_other(key);

		for (size_t i = 0; i < ARRAY_LEN(order); i++)
			named |= span_eq_str(key, email_property_name(order[i]));
		if (span_has_prefix(key, "header:"))
			read_header(c, names, key, v);
		else if (!named && v != NULL)
			complain(c, key, "it cannot be set");
	}
}

/* How many blobs there can be, so that they stay in place. */
static size_t
count_blobs(const struct json *part, unsigned depth)
{
	const struct json *list = json_member(part, "subParts");
	size_t n = 1;

	for (size_t i = 0; i < json_count(list) && depth <= COMPOSE_DEPTH_MAX; i++)
		n += count_blobs(json_item(list, i), depth + 1);
	return n;
}

static void
read_body(struct compose *c, struct names *names)
{
	static const char *const lists[] = { "textBody", "htmlBody", "attachments" };
	const struct json *structure = json_member(c->email, "bodyStructure");
	const struct json *values = json_member(c->email, "bodyValues");
	size_t n = 1 + count_blobs(structure, 0);

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		const struct json *list = json_member(c->email, lists[i]);

		for (size_t k = 0; k < json_count(list); k++)
			n += count_blobs(json_item(list, k), 0);
		if (structure != NULL && list != NULL)
			complain(c, span_str(lists[i]), "it is not given beside bodyStructure");
	}
	if (values != NULL && !json_is_object(values))
		complain(c, SPAN_LIT("bodyValues"), "it is not an object");
	c->blobs = arena_array(c->arena, n, sizeof(*c->blobs));
	if (structure == NULL)
		read_lists(c);
	else
		c->root = read_part_with(c, (struct at){ .property = SPAN_LIT("bodyStructure"),
		    .top = true }, structure, NULL, names);
}

bool
compose_read(struct compose *c, struct arena *a, const struct json *email)
{
	struct names *names = mem_zalloc(sizeof(*names));

	c->arena = a;
	c->email = email;
	read_fields(c, names);
	read_body(c, names);
	mem_free(&names);
	return c->bad.len == 0 && c->why.len == 0;
}
