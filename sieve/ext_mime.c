/* mime (RFC 5703 4): header, address and exists look at the header of a part, or of all parts in it,
 * and at what Content-Type and Content-Disposition consist of. */
#include <string.h>

#include "sieve/content.h"
#include "sieve/extensions.h"

static const struct sieve_tag tags[7];
enum { MIME, ANYCHILD };

static void
check_needs_mime(struct sieve_compile *c, struct sieve_node *n, struct sieve_tagged *t)
{
	if (sieve_tag(n, &tags[MIME]) == NULL)
		sieve_error_at(c, t->line, t->column,
		    "the :%s tag cannot be specified without the :mime tag", t->tag->name);
}

/* The part that a loop is at, else the message; with :anychild all in it too. */
static enum sieve_step
headers(struct sieve_run *r, const struct sieve_node *n, const struct sieve_tagged *t,
    struct sieve_headers *h)
{
	bool all = sieve_tag(n, &tags[ANYCHILD]) != NULL;
	uint32_t from = sieve_part(r), end = from + 1;
	const struct mime_part *parts;
	size_t count;

	(void)t;
	if (!all && from == 0)
		return SIEVE_NEXT;		/* needs no look at the body */
	if (sieve_parts(r, n, &parts, &count) != SIEVE_NEXT)
		return SIEVE_ERROR;
	h->n = 0;
	if (from >= count)
		return SIEVE_NEXT;
	if (all)
		end = sieve_parts_end(parts, count, from);
	if (sieve_work(r, n, end - from) != SIEVE_NEXT)
		return SIEVE_ERROR;
	h->v = sieve_alloc(r, (end - from) * sizeof(struct sieve_header *));
	for (uint32_t i = from; i < end; i++) {
		h->v[h->n] = sieve_message_part_header(sieve_message(r), i);
		if (h->v[h->n++] == NULL)
			return sieve_fail(r, n, "'%s': the parts of this message cannot be "
			    "looked into", n->word->name);
	}
	return SIEVE_NEXT;
}

/* --- what fields consist of ------------------------------------------------------------------- */

/* :type, :subtype and :contenttype differ in what of the two parts they are. */
enum { TYPE = 1, SUBTYPE = 2 };

/* false: the field cannot be read. */
static bool
type_value(struct arena *a, const struct sieve_field *f, unsigned what, struct buf *out)
{
	struct span type, subtype;
	struct mime_params params;

	if (span_caseeq_str(f->name, "Content-Disposition")) {
		if (!mime_disposition(a, f->value, &type, &params))
			return false;
		if ((what & TYPE) != 0)
			buf_add_span(out, type);
		return true;
	}
	if (!span_caseeq_str(f->name, "Content-Type"))
		return true;
	if (!mime_content_type(a, f->value, &type, &subtype, &params))
		return false;
	if ((what & TYPE) != 0)
		buf_add_span(out, type);
	if (what == (TYPE | SUBTYPE))
		buf_add_c(out, '/');
	if ((what & SUBTYPE) != 0)
		buf_add_span(out, subtype);
	return true;
}

static size_t
type_values(struct sieve_run *r, const struct sieve_field *f, unsigned what, struct span **v)
{
	struct arena a = { 0 };
	struct buf b = { 0 };
	size_t n = 0;

	if (type_value(&a, f, what, &b)) {
		*v = sieve_alloc(r, sizeof(**v));
		(*v)[n++] = sieve_span(r, buf_span(&b));
	}
	arena_fini(&a);
	buf_fini(&b);
	return n;
}

#define VALUES(name, what)							\
static size_t									\
name(struct sieve_run *r, const struct sieve_node *n, const struct sieve_tagged *t,	\
    struct sieve_header *h, struct sieve_field *f, struct span **v)		\
{										\
	(void)n;								\
	(void)t;								\
	(void)h;								\
	return type_values(r, f, what, v);					\
}
VALUES(type, TYPE)
VALUES(subtype, SUBTYPE)
VALUES(contenttype, TYPE | SUBTYPE)

#define PARAM_VALUES 256u		/* of one field that are looked at */

/* The parameters of those names, decoded. */
static size_t
param(struct sieve_run *r, const struct sieve_node *n, const struct sieve_tagged *t,
    struct sieve_header *h, struct sieve_field *f, struct span **v)
{
	const struct span *names = sieve_strings(r, &t->value.s);
	size_t many = 0, room = t->value.s.n < PARAM_VALUES ? t->value.s.n : PARAM_VALUES;
	struct arena a = { 0 };
	struct mime_params params;
	struct buf value = { 0 }, name = { 0 };
	struct span x, y;

	(void)h;
	if (span_caseeq_str(f->name, "Content-Type"))
		mime_content_type(&a, f->value, &x, &y, &params);
	else
		mime_disposition(&a, f->value, &x, &params);
	*v = sieve_alloc(r, (room + 1) * sizeof(**v));
	for (size_t i = 0; i < t->value.s.n && many < room; i++) {
		buf_clear(&name);
		buf_clear(&value);
		buf_add_span(&name, names[i]);
		if (mime_param_get(&params, buf_cstr(&name), &value))
			(*v)[many++] = sieve_span(r, buf_span(&value));
	}
	buf_fini(&value);
	buf_fini(&name);
	arena_fini(&a);
	/* Too much of it fails the run at its next step. */
	sieve_work(r, n, t->value.s.n * params.n / 64);
	return many;
}

#define ALL "header address exists"

static const struct sieve_tag tags[7] = {
	[MIME] = { .name = "mime", .on = ALL, .headers = headers },
	[ANYCHILD] = { .name = "anychild", .on = ALL, .check = check_needs_mime },
	{ .name = "type", .on = "header", .group = 1, .check = check_needs_mime, .values = type },
	{ .name = "subtype", .on = "header", .group = 1, .check = check_needs_mime,
	    .values = subtype },
	{ .name = "contenttype", .on = "header", .group = 1, .check = check_needs_mime,
	    .values = contenttype },
	{ .name = "param", .on = "header", .group = 1, .value = 'S', .check = check_needs_mime,
	    .values = param },
	{ 0 }
};

const struct sieve_ext sieve_ext_mime = {
	.name = "mime", .tags = tags
};
