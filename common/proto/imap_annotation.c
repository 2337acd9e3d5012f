#include "common/proto/imap_annotation.h"

#include "common/mail/annotation.h"

/* ---- names ---- */

static struct span
judged(struct imap_args *a, struct span entry, bool pattern, bool *part)
{
	uint32_t parts[ANNOTATION_PART_DEPTH_MAX];
	enum annotation_of of = ANNOTATION_MESSAGE;
	size_t n;

	if (!imap_args_good(a))
		return SPAN_NONE;
	if (entry.len > IMAP_ANNOTATION_NAME ||
	    !(pattern ? annotation_pattern_valid(entry) : annotation_entry_valid(entry)))
		imap_args_fail(a, "Malformed name of an entry");
	else if (!annotation_is_pattern(entry))
		of = annotation_of(entry, parts, &n);
	if (of == ANNOTATION_PART_BAD)
		imap_args_fail(a, "Malformed part specifier");
	*part |= of == ANNOTATION_PART;
	return imap_args_good(a) ? entry : SPAN_NONE;
}

static struct span
entry_name(struct imap_args *a, bool *part)
{
	return judged(a, imap_args_astring(a), false, part);
}

static struct span
entry_match(struct imap_args *a, bool *part)
{
	return judged(a, imap_args_pattern(a), true, part);
}

static const struct { const char *name; unsigned bits; } attribs[] = {
	{ "value", IMAP_ANNOTATION_VALUE_PRIV | IMAP_ANNOTATION_VALUE_SHARED },
	{ "value.priv", IMAP_ANNOTATION_VALUE_PRIV },
	{ "value.shared", IMAP_ANNOTATION_VALUE_SHARED },
	{ "size", IMAP_ANNOTATION_SIZE_PRIV | IMAP_ANNOTATION_SIZE_SHARED },
	{ "size.priv", IMAP_ANNOTATION_SIZE_PRIV },
	{ "size.shared", IMAP_ANNOTATION_SIZE_SHARED }
};
#define VALUES (IMAP_ANNOTATION_VALUE_PRIV | IMAP_ANNOTATION_VALUE_SHARED)

/* Names of attributes tell upper from lower case (§3.2). */
static unsigned
attrib(struct imap_args *a)
{
	struct span name = imap_args_astring(a);

	for (size_t i = 0; i < sizeof(attribs) / sizeof(attribs[0]); i++) {
		if (span_eq_str(name, attribs[i].name))
			return attribs[i].bits;
	}
	imap_args_fail(a, "No such attribute");
	return 0;
}

/* ---- STORE, APPEND ---- */

static bool
is_set(const struct imap_annotations *l, const struct imap_annotation *x)
{
	for (size_t i = 0; i < l->n; i++) {
		if (l->list[i].shared == x->shared && span_eq(l->list[i].entry, x->entry))
			return true;
	}
	return false;
}

static void
att_value(struct imap_args *a, struct imap_annotations *out, struct span entry)
{
	struct imap_annotation x = { .entry = entry };
	unsigned bits = attrib(a);
	bool nil;

	imap_args_sp(a);
	x.value = imap_args_nstring8(a, &nil);
	x.given = !nil;
	x.shared = bits == IMAP_ANNOTATION_VALUE_SHARED;
	if (imap_args_good(a) && !x.shared && bits != IMAP_ANNOTATION_VALUE_PRIV)
		imap_args_fail(a, "Only value.priv and value.shared can be set");
	if (imap_args_good(a) && is_set(out, &x))
		imap_args_fail(a, "An entry is set twice");
	if (!imap_args_good(a))
		return;
	if (out->n == IMAP_ANNOTATIONS_MAX) {
		out->too_many = true;
		return;
	}
	out->shared |= x.shared;
	out->not_settable |= !annotation_settable(entry);
	out->bad_value |= x.given && !annotation_value_fits(entry, x.value);
	if (x.value.len > out->longest)
		out->longest = x.value.len;
	out->list[out->n++] = x;
}

void
imap_args_annotations(struct imap_args *a, struct imap_annotations *out)
{
	*out = (struct imap_annotations){ 0 };
	out->list = arena_array(a->arena, IMAP_ANNOTATIONS_MAX, sizeof(*out->list));
	imap_args_expect(a, '(');
	do {
		struct span entry = entry_name(a, &out->parts);

		imap_args_sp(a);
		imap_args_expect(a, '(');
		do
			att_value(a, out, entry);
		while (imap_args_try(a, ' '));
		imap_args_expect(a, ')');
	} while (imap_args_try(a, ' '));
	imap_args_expect(a, ')');
}

/* Reads as far as it can: every step is bounded by the text. */
bool
imap_args_annotation_literal(struct imap_args a)
{
	bool part = false, nil;

	imap_args_expect(&a, '(');
	do {
		if (imap_args_good(&a) && imap_args_at_literal(&a))
			return true;
		entry_name(&a, &part);
		imap_args_sp(&a);
		imap_args_expect(&a, '(');
		do {
			if (imap_args_good(&a) && imap_args_at_literal(&a))
				return true;
			attrib(&a);
			imap_args_sp(&a);
			if (imap_args_good(&a) && imap_args_at_literal(&a))
				return true;
			imap_args_nstring8(&a, &nil);
		} while (imap_args_try(&a, ' '));
		imap_args_expect(&a, ')');
	} while (imap_args_try(&a, ' '));
	return false;
}

/* ---- FETCH, SEARCH, SORT ---- */

static void
one_match(struct imap_args *a, struct imap_annotation_item *out)
{
	struct span entry = entry_match(a, &out->parts);

	if (out->n == IMAP_ANNOTATION_NAMES)
		imap_args_fail(a, "Too many entries");
	if (imap_args_good(a))
		out->entries[out->n++] = entry;
}

void
imap_args_annotation_item(struct imap_args *a, struct imap_annotation_item *out)
{
	*out = (struct imap_annotation_item){ 0 };
	out->entries = arena_array(a->arena, IMAP_ANNOTATION_NAMES, sizeof(*out->entries));
	imap_args_expect(a, '(');
	if (imap_args_try(a, '(')) {
		do
			one_match(a, out);
		while (imap_args_try(a, ' '));
		imap_args_expect(a, ')');
	} else {
		one_match(a, out);
	}
	imap_args_sp(a);
	if (imap_args_try(a, '(')) {
		do
			out->attribs |= attrib(a);
		while (imap_args_try(a, ' '));
		imap_args_expect(a, ')');
	} else {
		out->attribs = attrib(a);
	}
	imap_args_expect(a, ')');
}

void
imap_args_annotation_key(struct imap_args *a, struct span *entry, unsigned *bits)
{
	bool part = false;

	imap_args_sp(a);
	*entry = entry_match(a, &part);
	imap_args_sp(a);
	*bits = attrib(a);
	if (imap_args_good(a) && (*bits & ~(unsigned)VALUES) != 0)
		imap_args_fail(a, "Only values can be searched");
}

void
imap_args_annotation_sort(struct imap_args *a, struct span *entry, bool *shared)
{
	bool part = false;
	unsigned bits;

	imap_args_sp(a);
	*entry = entry_name(a, &part);
	imap_args_sp(a);
	bits = attrib(a);
	*shared = bits == IMAP_ANNOTATION_VALUE_SHARED;
	if (imap_args_good(a) && !*shared && bits != IMAP_ANNOTATION_VALUE_PRIV)
		imap_args_fail(a, "Only value.priv and value.shared can be sorted by");
}
