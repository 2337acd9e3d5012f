#include "common/mime/flat.h"

#include <string.h>

#include "common/util/mem.h"

/* A branch of the walk; a list is NULL where its kind of text is not looked for any more. */
struct walk {
	const struct mime_structure *s;
	struct mime_flat	*flat;
};
struct branch {
	struct mime_flat_list	*text, *html;
	bool			alternative, related;	/* what the multipart at hand is */
	bool			in_alternative;
};

static void
push(struct mime_flat_list *l, uint32_t part)
{
	if (l->n == l->room) {
		l->room = l->room == 0 ? 8 : l->room * 2;
		l->v = mem_realloc_array(l->v, l->room, sizeof(*l->v));
	}
	l->v[l->n++] = part;
}

static bool
is_media(const struct mime_part_view *v)
{
	return span_caseeq_str(v->type, "image") || span_caseeq_str(v->type, "audio") ||
	    span_caseeq_str(v->type, "video");
}

static bool
is_text(const struct mime_part_view *v, const char *subtype)
{
	return span_caseeq_str(v->type, "text") && span_caseeq_str(v->subtype, subtype);
}

static bool
has_param(struct mime_seq params, const char *name)
{
	struct span n, value;
	size_t len = strlen(name);

	while (mime_seq_param(&params, &n, &value))
		if (value.len > 0 && n.len >= len && span_caseeq_str(span(n.p, len), name) &&
		    (n.len == len || n.p[len] == '*'))
			return true;
	return false;
}

static bool
is_inline(const struct mime_part_view *v, bool first, bool related)
{
	if (v->at.kind != MIME_LEAF || span_caseeq_str(v->disposition, "attachment") ||
	    (!is_text(v, "plain") && !is_text(v, "html") && !is_media(v)))
		return false;
	return first || (!related && (is_media(v) ||
	    (!has_param(v->disposition_params, "filename") && !has_param(v->params, "name"))));
}

/* A part that is shown. */
static void
show(struct walk *w, struct branch *b, uint32_t i, const struct mime_part_view *v)
{
	if (b->alternative) {
		struct mime_flat_list *to = is_text(v, "plain") ? b->text :
		    is_text(v, "html") ? b->html : &w->flat->attached;

		/* One inside the other kind's branch has no list to go to. */
		push(to != NULL ? to : &w->flat->attached, i);
		return;
	}
	if (b->in_alternative && is_text(v, "plain"))
		b->html = NULL;
	if (b->in_alternative && is_text(v, "html"))
		b->text = NULL;
	if (b->text != NULL)
		push(b->text, i);
	if (b->html != NULL)
		push(b->html, i);
	if ((b->text == NULL || b->html == NULL) && is_media(v))
		push(&w->flat->attached, i);
}

static void
copy_rest(struct mime_flat_list *to, const struct mime_flat_list *from, size_t at)
{
	for (size_t i = at; i < from->n; i++)
		push(to, from->v[i]);
}

/* The parts from `first` on, which are all of a multipart. */
static void
walk_parts(struct walk *w, uint32_t first, struct branch b)
{
	size_t text = b.text != NULL ? b.text->n : 0, html = b.html != NULL ? b.html->n : 0;
	struct mime_part_view v;

	for (uint32_t i = first; i != MIME_NONE; i = v.at.next) {
		mime_structure_part(w->s, i, &v);
		if (v.at.kind == MIME_MULTIPART) {
			bool alternative = span_caseeq_str(v.subtype, "alternative");

			walk_parts(w, v.at.first, (struct branch){ .text = b.text, .html = b.html,
			    .alternative = alternative,
			    .related = span_caseeq_str(v.subtype, "related"),
			    .in_alternative = b.in_alternative || alternative });
		} else if (is_inline(&v, i == first, b.related))
			show(w, &b, i, &v);
		else
			push(&w->flat->attached, i);
	}
	if (!b.alternative || b.text == NULL || b.html == NULL)
		return;
	if (text == b.text->n && html != b.html->n)
		copy_rest(b.text, b.html, html);
	else if (html == b.html->n && text != b.text->n)
		copy_rest(b.html, b.text, text);
}

void
mime_flat_make(const struct mime_structure *s, struct mime_flat *flat)
{
	struct walk w = { .s = s, .flat = flat };

	walk_parts(&w, 0, (struct branch){ .text = &flat->text, .html = &flat->html });
}

void
mime_flat_fini(struct mime_flat *flat)
{
	mem_free(&flat->text.v);
	mem_free(&flat->html.v);
	mem_free(&flat->attached.v);
	memset(flat, 0, sizeof(*flat));
}

static bool
is_offered(const struct mime_structure *s, uint32_t i)
{
	struct mime_part_view v, parent;

	mime_structure_part(s, i, &v);
	if (span_caseeq_str(v.disposition, "attachment"))
		return true;
	if (span_caseeq_str(v.disposition, "inline") ||
	    span_caseeq_str(v.subtype, "pgp-signature") ||
	    span_caseeq_str(v.subtype, "pkcs7-signature") ||
	    span_caseeq_str(v.subtype, "x-pkcs7-signature"))
		return false;
	if (!is_media(&v) || v.id.len == 0 || v.at.parent == MIME_NONE)
		return true;
	mime_structure_part(s, v.at.parent, &parent);
	return !span_caseeq_str(parent.subtype, "related");
}

bool
mime_flat_attachment(const struct mime_structure *s, const struct mime_flat *flat)
{
	for (size_t i = 0; i < flat->attached.n; i++)
		if (is_offered(s, flat->attached.v[i]))
			return true;
	return false;
}
