/* body (RFC 5173): the body as it stands, its parts by type, or the text in it. */
#include <string.h>

#include "sieve/content.h"
#include "sieve/extensions.h"

static const struct sieve_tag tags[4];

/* One value at a time; a hit ends it. */
struct look {
	struct sieve_run	*run;
	const struct sieve_node	*node;
	struct sieve_matching	m;
	const struct mime_part	*parts;
	size_t			n;
};

static enum sieve_step
offer(struct look *l, struct span value)
{
	return l->m.hit ? SIEVE_NEXT : sieve_matching_value(&l->m, value);
}

static enum sieve_step
raw_body(struct look *l)
{
	struct sieve_message *m = sieve_message(l->run);
	uint64_t from = sieve_header_block(sieve_message_header(m)).len;
	struct span value;
	enum sieve_step step;

	step = sieve_content_raw(l->run, l->node, from, sieve_message_size(m) - from, &value);
	return step == SIEVE_NEXT ? offer(l, value) : step;
}

/* --- :content -------------------------------------------------------------------------------- */

/* Is it one of the types (5.2)? */
static bool
wanted(const struct span *types, size_t n, const struct sieve_content *c)
{
	for (size_t i = 0; i < n; i++) {
		size_t slash = span_find(types[i], '/');
		struct span sub = span_sub(types[i], slash + 1, types[i].len - slash);

		if (types[i].len == 0)
			return true;
		if (c->malformed || !span_caseeq(span_sub(types[i], 0, slash), c->type))
			continue;
		if (slash == types[i].len || (sub.len > 0 && span_caseeq(sub, c->subtype)))
			return true;
	}
	return false;
}

/* Before the first part: without the boundary's line and the line end before it. */
static struct span
prologue(struct span s)
{
	if (s.len > 0 && s.p[s.len - 1] == '\n')
		s.len--;
	while (s.len > 0 && s.p[s.len - 1] != '\n')
		s.len--;
	if (s.len > 0)
		s.len--;
	if (s.len > 0 && s.p[s.len - 1] == '\r')
		s.len--;
	return s;
}

/* Behind the last part: what follows the line of the last boundary. */
static struct span
epilogue(struct span s)
{
	size_t start = s.len > 0 && s.p[0] == '\r' ? 1 : 0;
	size_t end;

	if (start < s.len && s.p[start] == '\n')
		start++;
	s = span_sub(s, start, s.len - start);
	end = span_find(s, '\n');
	return end < s.len ? span_sub(s, end + 1, s.len - end - 1) : span("", 0);
}

static enum sieve_step
around_parts(struct look *l, const struct mime_part *p)
{
	const struct mime_part *first = &l->parts[p->first], *last = &l->parts[p->last];
	uint64_t end = last->body_start + last->body_len;
	struct span value;

	if (sieve_content_raw(l->run, l->node, p->body_start, first->header_start - p->body_start,
	    &value) != SIEVE_NEXT || offer(l, prologue(value)) != SIEVE_NEXT)
		return SIEVE_ERROR;
	if (sieve_content_raw(l->run, l->node, end, p->body_start + p->body_len - end, &value) !=
	    SIEVE_NEXT)
		return SIEVE_ERROR;
	return offer(l, epilogue(value));
}

/* A header as one string, without the empty line. */
static struct span
without_empty_line(struct span s)
{
	if (s.len >= 1 && s.p[s.len - 1] == '\n' && (s.len == 1 || s.p[s.len - 2] == '\n'))
		return span(s.p, s.len - 1);
	if (s.len >= 2 && s.p[s.len - 1] == '\n' && s.p[s.len - 2] == '\r' &&
	    (s.len == 2 || s.p[s.len - 3] == '\n'))
		return span(s.p, s.len - 2);
	return s;
}

/* A message that is encoded, which is not taken apart: up to its first empty line. */
static struct span
header_of(struct span s)
{
	for (size_t at = 0; at < s.len;) {
		struct span rest = span_sub(s, at, s.len - at);
		size_t end = span_find(rest, '\n');

		if (end == 0 || (end == 1 && rest.p[0] == '\r'))
			return span(s.p, at);
		at += end + 1;
	}
	return s;
}

static enum sieve_step
leaf(struct look *l, uint32_t i, enum sieve_content_form form, bool message)
{
	struct span value;
	bool known;

	if (sieve_content_leaf(l->run, l->node, i, form, &value, &known, NULL) != SIEVE_NEXT)
		return SIEVE_ERROR;
	if (!known)
		return SIEVE_NEXT;
	return offer(l, message ? header_of(value) : value);
}

static enum sieve_step
content_part(struct look *l, uint32_t i, const struct sieve_content *c)
{
	const struct mime_part *p = &l->parts[i];
	const struct mime_part *child = p->first != MIME_NONE ? &l->parts[p->first] : NULL;
	struct span value;

	if (p->kind == MIME_MULTIPART && child != NULL)
		return around_parts(l, p);
	if (p->kind == MIME_MESSAGE && child != NULL) {
		if (sieve_content_raw(l->run, l->node, child->header_start, child->header_len,
		    &value) != SIEVE_NEXT)
			return SIEVE_ERROR;
		return offer(l, without_empty_line(value));
	}
	return leaf(l, i, SIEVE_CONTENT_DECODED, span_caseeq_str(c->type, "message") &&
	    span_caseeq_str(c->subtype, "rfc822"));
}

static enum sieve_step
content(struct look *l, const struct sieve_tagged *t)
{
	const struct span *types = sieve_strings(l->run, &t->value.s);
	enum sieve_step step = sieve_parts(l->run, l->node, &l->parts, &l->n);

	for (uint32_t i = 0; step == SIEVE_NEXT && i < l->n && !l->m.hit; i++) {
		const struct sieve_content *c;

		step = sieve_content_of(l->run, l->node, i, &c);
		if (step == SIEVE_NEXT && wanted(types, t->value.s.n, c))
			step = content_part(l, i, c);
	}
	return step;
}

/* --- :text ----------------------------------------------------------------------------------- */

static enum sieve_step
text(struct look *l)
{
	enum sieve_step step = sieve_parts(l->run, l->node, &l->parts, &l->n);

	for (uint32_t i = 0; step == SIEVE_NEXT && i < l->n && !l->m.hit; i++) {
		const struct sieve_content *c;

		if (l->parts[i].kind != MIME_LEAF)
			continue;
		step = sieve_content_of(l->run, l->node, i, &c);
		if (step == SIEVE_NEXT && !c->malformed &&
		    (span_caseeq_str(c->type, "text") || sieve_content_is_html(c)))
			step = leaf(l, i, SIEVE_CONTENT_TEXT, false);
	}
	return step;
}

/* A header without an empty line behind it: there is no body, not even an empty one (4). */
static bool
no_body(struct sieve_run *r)
{
	struct sieve_message *m = sieve_message(r);
	struct span h = sieve_header_block(sieve_message_header(m));

	return sieve_message_size(m) == h.len && without_empty_line(h).len == h.len;
}

static enum sieve_step
body(struct sieve_run *r, const struct sieve_node *n, bool *yes)
{
	const struct sieve_tagged *by_type = sieve_tag(n, &tags[1]);
	struct look l = { .run = r, .node = n };
	enum sieve_step step = sieve_matching_begin(r, n, &l.m);

	if (no_body(r)) {
		*yes = false;
		return step;
	}
	if (step == SIEVE_NEXT && sieve_tag(n, &tags[0]) != NULL)
		step = raw_body(&l);
	else if (step == SIEVE_NEXT && by_type != NULL)
		step = content(&l, by_type);
	else if (step == SIEVE_NEXT)
		step = text(&l);
	return sieve_matching_end(&l.m, step, yes);
}

static const struct sieve_tag tags[4] = {
	{ .name = "raw", .on = "body", .group = 1 },
	{ .name = "content", .on = "body", .group = 1, .value = 'S' },
	{ .name = "text", .on = "body", .group = 1 },
	{ 0 }
};

static const struct sieve_word words[] = {
	{ .kind = SIEVE_TEST, .name = "body", .args = "S",
	    .flags = SIEVE_WORD_MATCH | SIEVE_WORD_NO_CAPTURES, .test = body },
	{ 0 }
};

const struct sieve_ext sieve_ext_body = {
	.name = "body", .words = words, .tags = tags
};
