#include "imapd/annotations.h"

#include <string.h>

#include "common/mail/annotation.h"
#include "common/mime/summary.h"
#include "common/proto/imap_print.h"
#include "common/util/bytes.h"
#include "common/util/mem.h"
#include "storage/api/store_proto.h"

_Static_assert(IMAP_ANNOTATION_NAME == STORE_ANNOTATION_NAME_MAX &&
    IMAP_ANNOTATIONS_MAX == STORE_ANNOTATION_SET_MAX &&
    IMAP_ANNOTATION_NAMES == STORE_ANNOTATION_PATTERNS_MAX, "limits of grammar and store agree");

/* As much as the store takes of one message? */
static bool
sides_fit(const struct imap_annotations *l)
{
	size_t n[2] = { 0 }, bytes[2] = { 0 };

	for (size_t i = 0; i < l->n; i++) {
		const struct imap_annotation *x = &l->list[i];

		if (!x->given)
			continue;
		n[x->shared]++;
		bytes[x->shared] += x->entry.len + x->value.len;
	}
	return n[0] <= STORE_ANNOTATIONS_MAX && n[1] <= STORE_ANNOTATIONS_MAX &&
	    bytes[0] <= STORE_ANNOTATION_SIDE_BYTES && bytes[1] <= STORE_ANNOTATION_SIDE_BYTES;
}

const char *
imap_annotations_refusal(const struct imap_annotations *l)
{
	if (l->not_settable)
		return "NO [CANNOT] There can be no such entry";
	if (l->longest > STORE_ANNOTATION_VALUE_MAX)
		return "NO [ANNOTATE TOOBIG] A value is too large";
	if (l->too_many || !sides_fit(l))
		return "NO [ANNOTATE TOOMANY] Too many annotations at once";
	if (l->bad_value)
		return "NO [CANNOT] A flag of a part is \"0\" or \"1\"";
	return NULL;
}

void
imap_annotations_put(const struct imap_annotations *l, uint32_t uid, bool fresh, struct buf *out)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct imap_annotation *x = &l->list[i];
		struct store_annotation a = { .uid = uid, .shared = x->shared, .given = x->given,
			.entry = x->entry, .value = x->value };

		if (x->given || !fresh)
			put_store_annotation(out, &a);
	}
}

/* ---- parts ---- */

static bool
part_there(const struct mime_structure *st, struct span entry)
{
	uint32_t parts[ANNOTATION_PART_DEPTH_MAX], at;
	size_t n;

	return annotation_is_pattern(entry) ||
	    annotation_of(entry, parts, &n) != ANNOTATION_PART ||
	    mime_structure_find(st, parts, n, &at);
}

bool
imap_annotations_parts_there(const struct imap_annotations *l, struct span structure)
{
	struct mime_structure st;
	bool there = true;

	if (!l->parts || structure.len == 0 || mime_structure_open(structure, &st) != ST_OK)
		return true;
	for (size_t i = 0; i < l->n; i++)
		there &= part_there(&st, l->list[i].entry);
	mime_structure_close(&st);
	return there;
}

bool
imap_annotation_parts_there(const struct imap_annotation_item *it, struct span structure)
{
	struct mime_structure st;
	bool there = true;

	if (!it->parts || structure.len == 0 || mime_structure_open(structure, &st) != ST_OK)
		return true;
	for (size_t i = 0; i < it->n; i++)
		there &= part_there(&st, it->entries[i]);
	mime_structure_close(&st);
	return there;
}

/* ---- FETCH ---- */

#define PRIVATE (IMAP_ANNOTATION_VALUE_PRIV | IMAP_ANNOTATION_SIZE_PRIV)
#define SHARED (IMAP_ANNOTATION_VALUE_SHARED | IMAP_ANNOTATION_SIZE_SHARED)

unsigned
imap_annotation_which(const struct imap_annotation_item *it)
{
	return (it->attribs & PRIVATE ? ANNOTATIONS_PRIVATE : 0u) |
	    (it->attribs & SHARED ? ANNOTATIONS_SHARED : 0u);
}

static bool
find(struct span rows, struct span entry, bool shared, struct store_annotation *a)
{
	struct reader r;

	reader_init(&r, rows.p, rows.len);
	while (rows.len > 0 && get_store_annotation(&r, a)) {
		if (a->shared == shared && span_eq(a->entry, entry))
			return true;
	}
	return false;
}

static void
put_attrib(const char *name, bool shared, char *sep, struct buf *out)
{
	buf_add_c(out, *sep);
	*sep = ' ';
	buf_add_str(out, name);
	buf_add_str(out, shared ? ".shared " : ".priv ");
}

static void
put_value(const struct store_annotation *a, struct buf *out)
{
	if (a == NULL) {
		buf_add_str(out, "NIL");
	} else if (a->value.len > 0 && memchr(a->value.p, '\0', a->value.len) != NULL) {
		buf_addf(out, "~{%zu}\r\n", a->value.len);
		buf_add_span(out, a->value);
	} else {
		imap_put_string(out, a->value.len > 0 ? a->value : SPAN_LIT(""));
	}
}

static void
put_entry(const struct imap_annotation_item *it, struct span rows, struct span entry,
    struct buf *out)
{
	static const struct { unsigned bit; bool size, shared; } order[] = {
		{ IMAP_ANNOTATION_VALUE_PRIV, false, false },
		{ IMAP_ANNOTATION_VALUE_SHARED, false, true },
		{ IMAP_ANNOTATION_SIZE_PRIV, true, false },
		{ IMAP_ANNOTATION_SIZE_SHARED, true, true }
	};
	struct store_annotation sides[2];
	bool there[2];
	char sep = '(';

	there[0] = find(rows, entry, false, &sides[0]);
	there[1] = find(rows, entry, true, &sides[1]);
	imap_put_astring(out, entry);
	buf_add_c(out, ' ');
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		bool shared = order[i].shared;

		if (!(it->attribs & order[i].bit))
			continue;
		put_attrib(order[i].size ? "size" : "value", shared, &sep, out);
		if (order[i].size)
			buf_addf(out, "\"%u\"", there[shared] ? sides[shared].size : 0);
		else
			put_value(there[shared] ? &sides[shared] : NULL, out);
	}
	buf_add_c(out, ')');
}

static bool
is_named(const struct imap_annotation_item *it, struct span entry)
{
	for (size_t i = 0; i < it->n; i++) {
		if (span_eq(it->entries[i], entry))
			return true;
	}
	return false;
}

static void
between(bool *any, struct buf *out)
{
	buf_add_str(out, *any ? " " : "ANNOTATION (");
	*any = true;
}

static bool
asked_before(const struct imap_annotation_item *it, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (span_eq(it->entries[k], it->entries[i]))
			return true;
	}
	return false;
}

void
imap_annotation_tell(const struct imap_annotation_item *it, struct span rows, struct buf *out)
{
	struct store_annotation a, other;
	struct reader r;
	bool any = false;

	for (size_t i = 0; i < it->n; i++) {
		if (annotation_is_pattern(it->entries[i]) || asked_before(it, i))
			continue;
		between(&any, out);
		put_entry(it, rows, it->entries[i], out);
	}
	/* What matches a pattern; the shared ones come first in rows. */
	reader_init(&r, rows.p, rows.len);
	while (rows.len > 0 && get_store_annotation(&r, &a)) {
		if (is_named(it, a.entry) || (!a.shared && find(rows, a.entry, true, &other)))
			continue;
		between(&any, out);
		put_entry(it, rows, a.entry, out);
	}
	if (any)
		buf_add_c(out, ')');
}

/* ---- changes by others ---- */

#define CHANGED_MAX	(1u << 20)	/* bytes of names of some messages; more are not told */

struct imap_annotated *
imap_annotated_new(uint64_t since)
{
	struct imap_annotated *a = mem_zalloc(sizeof(*a));

	a->since = since;
	return a;
}

void
imap_annotated_free(struct imap_annotated **ap)
{
	if (*ap == NULL)
		return;
	buf_fini(&(*ap)->own);
	imap_annotated_clear(*ap);
	mem_free(ap);
}

void
imap_annotated_clear(struct imap_annotated *a)
{
	buf_fini(&a->changed);
	table_fini(&a->kept, NULL, NULL);
}

#define OWN_BYTES 2048u		/* modseqs remembered; older ones are told, which harms nobody */

void
imap_annotated_own(struct imap_annotated *a, uint64_t modseq)
{
	if (a->own.len >= OWN_BYTES)
		buf_drop(&a->own, 8);
	put_u64(&a->own, modseq);
}

static bool
is_own(const struct imap_annotated *a, uint64_t modseq)
{
	for (size_t i = 0; i < a->own.len; i += 8) {
		if (get_be64(a->own.data + i) == modseq)
			return true;
	}
	return false;
}

/* The first time that an entry of a message comes? */
static bool
is_new(struct imap_annotated *a, const struct store_annotated *x)
{
	struct buf key = { 0 };
	bool known;

	put_u32(&key, x->uid);
	buf_add_span(&key, x->entry);
	known = table_put(&a->kept, buf_span(&key), a) != NULL;
	buf_fini(&key);
	return !known;
}

void
imap_annotated_keep(struct imap_annotated *a, struct span entries)
{
	struct store_annotated x;
	struct reader r;

	reader_init(&r, entries.p, entries.len);
	while (entries.len > 0 && a->changed.len < CHANGED_MAX && get_store_annotated(&r, &x)) {
		if (!is_own(a, x.modseq) && is_new(a, &x))
			put_store_annotated(&a->changed, &x);
	}
}

void
imap_annotated_put(const struct imap_annotated *a, uint32_t uid, struct buf *out)
{
	struct store_annotated x;
	struct reader r;
	bool any = false;

	reader_init(&r, a->changed.data, a->changed.len);
	while (a->changed.len > 0 && get_store_annotated(&r, &x)) {
		if (x.uid != uid)
			continue;
		between(&any, out);
		imap_put_astring(out, x.entry);
	}
	if (any)
		buf_add_c(out, ')');
}

void
imap_annotated_told(struct imap_annotated *a, uint64_t modseq)
{
	struct buf left = { 0 };

	for (size_t i = 0; i < a->own.len; i += 8) {
		if (get_be64(a->own.data + i) > modseq)
			buf_add(&left, a->own.data + i, 8);
	}
	buf_fini(&a->own);
	imap_annotated_clear(a);
	a->own = left;
	a->since = modseq;
}
