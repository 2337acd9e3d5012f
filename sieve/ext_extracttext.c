/* extracttext (RFC 5703 7): the text of the part that a loop is at, into a variable. */
#include "common/mime/charset.h"
#include "sieve/content.h"
#include "sieve/core.h"
#include "sieve/ext_foreverypart.h"
#include "sieve/extensions.h"

static const struct sieve_tag tags[2];

static void
check(struct sieve_compile *c, struct sieve_node *n)
{
	if (!sieve_c_required(c, "variables"))
		sieve_error(c, n, "'extracttext' needs require \"variables\" at the head of the "
		    "script");
	if (sieve_loop_around(n) == NULL)
		sieve_error(c, n, "'extracttext' stands outside of any 'foreverypart'");
	n->data = sieve_c_alloc(c, sizeof(const struct sieve_variable *));
	*(const struct sieve_variable **)n->data = sieve_c_variable(c, &n->args[0].s.v[0]);
}

/* Without the loop there is nothing to extract from. */
static void
finish(struct sieve_compile *c)
{
	if (!c->ihave && !sieve_c_required(c, "foreverypart"))
		sieve_error_at(c, 1, 1, "\"extracttext\" needs require \"foreverypart\" too");
}

static struct span
first_characters(struct span s, uint64_t n)
{
	size_t i = 0;

	for (; i < s.len; i++)
		if (((unsigned char)s.p[i] & 0xC0) != 0x80 && n-- == 0)
			break;
	return span(s.p, i);
}

/* The text of a leaf that is text, without markup; "" for what is none, or not what it says. */
static enum sieve_step
text_of(struct sieve_run *r, const struct sieve_node *n, struct span *text)
{
	const struct mime_part *parts;
	const struct sieve_content *c;
	uint32_t i = sieve_part(r);
	bool known, pure;
	size_t count;

	*text = span("", 0);
	if (sieve_parts(r, n, &parts, &count) != SIEVE_NEXT)
		return SIEVE_ERROR;
	if (i >= count || parts[i].kind != MIME_LEAF)
		return SIEVE_NEXT;
	if (sieve_content_of(r, n, i, &c) != SIEVE_NEXT)
		return SIEVE_ERROR;
	if (c->malformed || (!span_caseeq_str(c->type, "text") && !sieve_content_is_html(c)))
		return SIEVE_NEXT;
	if (sieve_content_leaf(r, n, i, SIEVE_CONTENT_TEXT, text, &known, &pure) != SIEVE_NEXT)
		return SIEVE_ERROR;
	if (!known || !pure)
		*text = span("", 0);
	return SIEVE_NEXT;
}

static enum sieve_step
run(struct sieve_run *r, const struct sieve_node *n)
{
	const struct sieve_tagged *first = sieve_tag(n, &tags[0]);
	struct span text;

	if (text_of(r, n, &text) != SIEVE_NEXT)
		return SIEVE_ERROR;
	text = mime_utf8_cut(text, sieve_limits(r)->string_bytes);
	if (first != NULL)
		text = first_characters(text, first->value.number);
	return sieve_set_modified(r, n, *(const struct sieve_variable *const *)n->data, text);
}

static const struct sieve_tag tags[2] = {
	{ .name = "first", .on = "extracttext", .value = 'n' },
	{ 0 }
};

static const struct sieve_word words[] = {
	{ .kind = SIEVE_COMMAND, .name = "extracttext", .args = "s", .flags = SIEVE_WORD_MODIFIERS,
	    .check = check, .run = run },
	{ 0 }
};

const struct sieve_ext sieve_ext_extracttext = {
	.name = "extracttext", .words = words, .tags = tags, .finish = finish
};
