/* replace (RFC 5703 5): a part, or the whole message, becomes a text or a MIME entity of the
 * script. */
#include <string.h>

#include "common/mime/field.h"
#include "common/mime/write.h"
#include "common/util/mem.h"
#include "sieve/content.h"
#include "sieve/edit.h"
#include "sieve/ext_foreverypart.h"
#include "sieve/extensions.h"

static const struct sieve_tag tags[4];
enum { MIME, SUBJECT, FROM };

/* --- :from ----------------------------------------------------------------------------------- */

static bool
add_address(struct mime_line *l, const struct mime_addr *a, bool last)
{
	struct buf b = { 0 };
	struct span same;
	bool ok;

	buf_addf(&b, "%.*s@%.*s", (int)a->local.len, a->local.p, (int)a->domain.len, a->domain.p);
	ok = a->kind == MIME_ADDR_MAILBOX && sieve_address(buf_span(&b), &same);
	if (ok && a->name.len > 0) {
		mime_line_phrase(l, a->name);
		buf_clear(&b);
		buf_addf(&b, "<%.*s@%.*s>", (int)a->local.len, a->local.p, (int)a->domain.len,
		    a->domain.p);
	}
	if (!last)
		buf_add_c(&b, ',');
	if (ok)
		mime_line_word(l, buf_span(&b));
	buf_fini(&b);
	return ok;
}

/* A mailbox-list as a field; false: it is none. */
static bool
from_field(struct span list, struct buf *out)
{
	struct arena a = { 0 };
	struct mime_addr *v;
	struct mime_line l;
	bool one_line = span_find(list, '\n') == list.len && span_find(list, '\r') == list.len;
	size_t n = one_line && sieve_edit_value_ok(list) ? mime_addresses(&a, list, &v) : 0;
	bool ok = n > 0;

	mime_line_begin(&l, out, SPAN_LIT("From"));
	for (size_t i = 0; ok && i < n; i++)
		ok = add_address(&l, &v[i], i + 1 == n);
	mime_line_end(&l);
	arena_fini(&a);
	return ok;
}

/* --- what is put in ---------------------------------------------------------------------------- */

/* An entity: fields without an empty line, and a body. */
struct entity {
	struct buf	fields, body;
};

static void
entity_fini(struct entity *e)
{
	buf_fini(&e->fields);
	buf_fini(&e->body);
}

/* The entity that the script wrote; mime_only: only fields that tell of the content. */
static void
read_entity(struct sieve_run *r, struct span text, bool mime_only, struct entity *e)
{
	struct buf lines = { 0 };
	struct span rest, block;
	struct mime_field f;

	sieve_edit_lines(text, &lines);
	rest = block = sieve_span(r, buf_span(&lines));
	buf_fini(&lines);
	while (mime_field_next(&block, &f)) {
		rest = block;
		if (mime_only && !sieve_edit_is_mime_field(f.name))
			continue;
		if (span_caseeq_str(f.name, "MIME-Version"))
			continue;
		buf_add_span(&e->fields, f.raw);
		if (f.raw.p[f.raw.len - 1] != '\n')
			buf_add_str(&e->fields, "\r\n");
	}
	if (rest.len >= 2 && memcmp(rest.p, "\r\n", 2) == 0)
		rest = span_sub(rest, 2, rest.len - 2);
	buf_add_span(&e->body, rest);
}

/* A line of the new text must not end the part that it stands in. */
static bool
has_boundary(struct sieve_run *r, const struct mime_part *parts, uint32_t i, struct span text)
{
	struct arena a = { 0 };
	bool found = false;

	for (i = parts[i].parent; i != MIME_NONE && !found; i = parts[i].parent) {
		struct sieve_header *h = sieve_message_part_header(sieve_message(r), i);
		struct span name = SPAN_LIT("Content-Type"), type, subtype, rest = text;
		struct sieve_field *f = h != NULL ?
		    sieve_header_find(h, name, sieve_name_hash(name)) : NULL;
		struct mime_params params;

		if (f == NULL || !mime_content_type(&a, f->value, &type, &subtype, &params))
			continue;
		for (size_t k = 0; k < params.n; k++) {
			if (!span_caseeq_str(params.v[k].name, "boundary"))
				continue;
			for (rest = text; rest.len > 0 && !found;) {
				struct span line = span_cut(&rest, '\n'), b = params.v[k].value;

				found = line.len >= b.len + 2 && span_has_prefix(line, "--") &&
				    span_eq(span_sub(line, 2, b.len), b);
			}
		}
	}
	arena_fini(&a);
	return found;
}

/* --- the whole message, or one inside -------------------------------------------------------------- */

struct kept {
	bool	subject, from;		/* are replaced, too */
};

static bool
goes(void *arg, const struct sieve_field *f)
{
	const struct kept *k = arg;

	return sieve_edit_is_mime_field(f->name) ||
	    (k->subject && span_caseeq_str(f->name, "Subject")) ||
	    (k->from && span_caseeq_str(f->name, "From"));
}

/* "Original-Subject" in place of "Subject", its value as it stands. */
static void
keep_original(struct sieve_header *h, const char *name, struct buf *out)
{
	struct span s = span_str(name);
	struct sieve_field *f = sieve_header_find(h, s, sieve_name_hash(s));

	for (; f != NULL; f = f->same) {
		struct span tail = span_sub(f->raw, s.len, f->raw.len - s.len);

		buf_addf(out, "Original-%s", name);
		buf_add_span(out, tail);
		if (tail.len == 0 || tail.p[tail.len - 1] != '\n')
			buf_add_str(out, "\r\n");
	}
}

static enum sieve_step
subject_and_from(struct sieve_run *r, const struct sieve_node *n, struct kept *k, struct buf *out)
{
	const struct sieve_tagged *subject = sieve_tag(n, &tags[SUBJECT]);
	const struct sieve_tagged *from = sieve_tag(n, &tags[FROM]);
	struct sieve_header *h = sieve_message_header(sieve_message(r));
	struct buf field = { 0 };
	uint32_t max = sieve_limits(r)->header_bytes;
	bool ok = true;

	if (subject != NULL) {
		ok = sieve_edit_field(SPAN_LIT("Subject"),
		    sieve_string(r, &subject->value.s.v[0]), out) && out->len <= max;
		k->subject = true;
		keep_original(h, "Subject", out);
	}
	/* One that is none is ignored. */
	if (from != NULL && from_field(sieve_string(r, &from->value.s.v[0]), &field) &&
	    field.len <= max) {
		k->from = true;
		buf_add_span(out, buf_span(&field));
		keep_original(h, "From", out);
	}
	buf_fini(&field);
	if (!ok)
		return sieve_fail(r, n, "the subject has control characters, or is longer than %u "
		    "bytes", max);
	return SIEVE_NEXT;
}

/* The header of a message: all stays that does not tell of the content. */
static struct span
message_header(struct sieve_run *r, struct sieve_header *h, struct kept *k, struct buf *more,
    const struct entity *e)
{
	struct sieve_header_edit edit = { .drop = goes, .arg = k, .has_body = true };

	buf_add_str(more, "MIME-Version: 1.0\r\n");
	buf_add_span(more, buf_span(&e->fields));
	edit.last = buf_span(more);
	return sieve_edit_header(r, h, &edit);
}

static enum sieve_step
replace_all(struct sieve_run *r, const struct sieve_node *n, const struct entity *e)
{
	struct sieve_message *m = sieve_message(r);
	struct kept k = { 0 };
	struct buf more = { 0 };
	struct sieve_piece body = { 0 };
	struct span header, text;
	enum sieve_step step = SIEVE_NEXT;

	if (sieve_tag(n, &tags[MIME]) == NULL)
		step = subject_and_from(r, n, &k, &more);
	if (step == SIEVE_NEXT) {
		header = message_header(r, sieve_message_header(m), &k, &more, e);
		text = sieve_span(r, buf_span(&e->body));
		body = (struct sieve_piece){ .p = text.p, .len = text.len };
		sieve_set_message(r, sieve_message_derive(sieve_arena(r), m, header, &body, 1));
	}
	buf_fini(&more);
	return step;
}

/* --- a part ---------------------------------------------------------------------------------- */

static enum sieve_step
replace_part(struct sieve_run *r, const struct sieve_node *n, const struct mime_part *parts,
    uint32_t i, const struct entity *e)
{
	struct sieve_message *m = sieve_message(r);
	struct span header = sieve_header_block(sieve_message_header(m)), part;
	uint64_t end = parts[i].body_start + parts[i].body_len, size = sieve_message_size(m);
	struct kept k = { 0 };
	struct buf b = { 0 }, more = { 0 };
	struct sieve_piece *v;
	size_t many, n_old;

	if (parts[parts[i].parent].kind == MIME_MESSAGE) {
		struct sieve_header *h = sieve_message_part_header(m, i);

		if (h == NULL)
			return sieve_fail(r, n, "'replace': the parts of this message cannot be "
			    "looked into");
		buf_add_span(&b, message_header(r, h, &k, &more, e));
	} else {
		buf_add_span(&b, buf_span(&e->fields));
		buf_add_str(&b, "\r\n");
	}
	buf_add_span(&b, buf_span(&e->body));
	part = sieve_span(r, buf_span(&b));
	buf_fini(&b);
	buf_fini(&more);
	sieve_message_pieces(m, &n_old);
	v = sieve_alloc(r, (2 * n_old + 1) * sizeof(*v));
	many = sieve_message_range(m, header.len, parts[i].header_start - header.len, v);
	v[many++] = (struct sieve_piece){ .p = part.p, .len = part.len };
	many += sieve_message_range(m, end, size - end, v + many);
	sieve_set_message(r, sieve_message_derive(sieve_arena(r), m, header, v, many));
	return SIEVE_NEXT;
}

static enum sieve_step
run_in(struct sieve_run *r, const struct sieve_node *n, uint32_t i, struct entity *e)
{
	const struct mime_part *parts = NULL;
	size_t count = 0;
	bool message = i == 0;

	if (i > 0 && sieve_parts(r, n, &parts, &count) != SIEVE_NEXT)
		return SIEVE_ERROR;
	if (i > 0 && i >= count)
		return SIEVE_NEXT;
	message = message || parts[parts[i].parent].kind == MIME_MESSAGE;
	if (sieve_tag(n, &tags[MIME]) != NULL)
		read_entity(r, sieve_string(r, &n->args[0].s.v[0]), message, e);
	else
		sieve_edit_text(sieve_string(r, &n->args[0].s.v[0]), &e->fields, &e->body);
	if (i == 0)
		return replace_all(r, n, e);
	if (has_boundary(r, parts, i, buf_span(&e->fields)) ||
	    has_boundary(r, parts, i, buf_span(&e->body)))
		return sieve_fail(r, n, "'replace': a line of the replacement is a boundary of the "
		    "message");
	return replace_part(r, n, parts, i, e);
}

static enum sieve_step
run(struct sieve_run *r, const struct sieve_node *n)
{
	struct entity e = { 0 };
	enum sieve_step step;

	step = run_in(r, n, sieve_in_loop(r) ? sieve_part(r) : 0, &e);
	entity_fini(&e);
	return step == SIEVE_NEXT ? sieve_work(r, n, 1) : step;
}

static void
check(struct sieve_compile *c, struct sieve_node *n)
{
	const struct sieve_tagged *from = sieve_tag(n, &tags[FROM]);
	bool fields = from != NULL || sieve_tag(n, &tags[SUBJECT]) != NULL;
	struct buf b = { 0 };

	if (sieve_tag(n, &tags[MIME]) != NULL && fields)
		sieve_error(c, n, "':mime' cannot stand beside ':subject' or ':from': "
		    "they are fields of the message");
	if (from != NULL && sieve_constant(&from->value.s.v[0]) &&
	    !from_field(from->value.s.v[0].text, &b))
		sieve_error_at(c, from->value.line, from->value.column, "\"%.*s\" is no list of "
		    "addresses: expected one like \"name@example.com\"",
		    (int)(from->value.s.v[0].text.len < 80 ? from->value.s.v[0].text.len : 80),
		    from->value.s.v[0].text.p);
	buf_fini(&b);
}

static const struct sieve_tag tags[4] = {
	[MIME] = { .name = "mime", .on = "replace" },
	[SUBJECT] = { .name = "subject", .on = "replace", .value = 's' },
	[FROM] = { .name = "from", .on = "replace", .value = 's' },
	{ 0 }
};

static const struct sieve_word words[] = {
	{ .kind = SIEVE_COMMAND, .name = "replace", .args = "s", .check = check, .run = run },
	{ 0 }
};

const struct sieve_ext sieve_ext_replace = {
	.name = "replace", .words = words, .tags = tags
};
