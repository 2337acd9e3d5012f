/* fetch-att (RFC 3501 §9, RFC 3516, RFC 7162). */
#include "imapd/fetch.h"

static struct fetch_item *
add_item(struct imap_args *a, struct fetch *f, enum fetch_kind kind)
{
	static struct fetch_item spare;

	if (f->n_items == FETCH_ITEMS_MAX) {
		imap_args_fail(a, "Too many items");
		return &spare;
	}
	f->items[f->n_items] = (struct fetch_item){ .kind = kind };
	return &f->items[f->n_items++];
}

static void
add_plain(struct imap_args *a, struct fetch *f, enum fetch_kind kind)
{
	for (size_t i = 0; i < f->n_items; i++) {
		if (f->items[i].kind == kind)
			return;
	}
	add_item(a, f, kind);
}

static void
add_rfc822(struct imap_args *a, struct fetch *f, const char *name, enum imap_section_what what,
    bool seen)
{
	struct fetch_item *it = add_item(a, f, FETCH_BODY);

	it->name = name;
	it->sec.what = what;
	f->seen |= seen;
}

static void
add_section(struct imap_args *a, struct fetch *f, enum fetch_kind kind, bool peek)
{
	struct fetch_item *it = add_item(a, f, kind);

	imap_args_section(a, kind != FETCH_BODY, &it->sec);
	if (kind != FETCH_BINARY_SIZE)
		it->partial = imap_args_partial(a, &it->from, &it->length);
	f->seen |= !peek;
}

static void
body_item(struct imap_args *a, struct fetch *f)
{
	if (imap_args_peek(a, '['))
		add_section(a, f, FETCH_BODY, false);
	else
		add_plain(a, f, FETCH_STRUCTURE_BASIC);
}

/* "PREVIEW" [SP "(" [modifiers] ")"] (RFC 8970 §6).  All previews were made when the messages
 * came, so none is waited for. */
static void
preview_item(struct imap_args *a, struct fetch *f)
{
	add_plain(a, f, FETCH_PREVIEW);
	if (a->end - a->p < 2 || a->p[0] != ' ' || a->p[1] != '(')
		return;
	a->p += 2;
	if (!imap_args_word(a, "LAZY"))
		imap_args_fail(a, "Only LAZY may stand here");
	imap_args_expect(a, ')');
}

/* "ANNOTATION" SP "(" entries SP attribs ")" (RFC 5257 §4.3) */
static void
annotation_item(struct imap_args *a, struct fetch *f)
{
	struct fetch_item *it;

	/* So the store's choice of entries is the item's. */
	for (size_t i = 0; i < f->n_items; i++) {
		if (f->items[i].kind == FETCH_ANNOTATION)
			imap_args_fail(a, "One ANNOTATION at most");
	}
	it = add_item(a, f, FETCH_ANNOTATION);
	imap_args_sp(a);
	imap_args_annotation_item(a, &it->note);
}

/* It may come to nothing, so another item begins the answer if there is any. */
static void
annotation_last(struct fetch *f)
{
	struct fetch_item note = { .kind = FETCH_UID };
	size_t kept = 0;

	if (!f->annotated)
		return;
	for (size_t i = 0; i < f->n_items; i++) {
		if (f->items[i].kind == FETCH_ANNOTATION)
			note = f->items[i];
		else
			f->items[kept++] = f->items[i];
	}
	f->items[kept] = note;
}

/* Words before "[": longer ones first where one begins the other. */
static void
one_item(struct imap_args *a, struct fetch *f)
{
	static const struct { const char *name; enum fetch_kind kind; } plain[] = {
		{ "FLAGS", FETCH_FLAGS }, { "UID", FETCH_UID }, { "INTERNALDATE", FETCH_DATE },
		{ "RFC822.SIZE", FETCH_SIZE }, { "ENVELOPE", FETCH_ENVELOPE },
		{ "BODYSTRUCTURE", FETCH_STRUCTURE }, { "MODSEQ", FETCH_MODSEQ },
		{ "EMAILID", FETCH_EMAILID }, { "THREADID", FETCH_THREADID },
		{ "SAVEDATE", FETCH_SAVEDATE }
	};

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		if (imap_args_word(a, plain[i].name)) {
			add_plain(a, f, plain[i].kind);
			return;
		}
	}
	if (imap_args_word(a, "PREVIEW"))
		preview_item(a, f);
	else if (imap_args_word(a, "ANNOTATION"))
		annotation_item(a, f);
	else if (imap_args_word(a, "RFC822.HEADER"))
		add_rfc822(a, f, "RFC822.HEADER", IMAP_SECTION_HEADER, false);
	else if (imap_args_word(a, "RFC822.TEXT"))
		add_rfc822(a, f, "RFC822.TEXT", IMAP_SECTION_TEXT, true);
	else if (imap_args_word(a, "RFC822"))
		add_rfc822(a, f, "RFC822", IMAP_SECTION_ALL, true);
	else if (imap_args_word(a, "BODY.PEEK"))
		add_section(a, f, FETCH_BODY, true);
	else if (imap_args_word(a, "BODY"))
		body_item(a, f);
	else if (imap_args_word(a, "BINARY.PEEK"))
		add_section(a, f, FETCH_BINARY, true);
	else if (imap_args_word(a, "BINARY.SIZE"))
		add_section(a, f, FETCH_BINARY_SIZE, true);
	else if (imap_args_word(a, "BINARY"))
		add_section(a, f, FETCH_BINARY, false);
	else
		imap_args_fail(a, "No such item");
}

static bool
macro(struct imap_args *a, struct fetch *f)
{
	static const enum fetch_kind all[] = { FETCH_FLAGS, FETCH_DATE, FETCH_SIZE,
	    FETCH_ENVELOPE, FETCH_STRUCTURE_BASIC };
	size_t n = 0;

	if (imap_args_word(a, "FAST"))
		n = 3;
	else if (imap_args_word(a, "ALL"))
		n = 4;
	else if (imap_args_word(a, "FULL"))
		n = 5;
	for (size_t i = 0; i < n; i++)
		add_plain(a, f, all[i]);
	return n > 0;
}

/* What of the store the items ask for. */
static void
derive_needs(struct fetch *f)
{
	for (size_t i = 0; i < f->n_items; i++) {
		const struct fetch_item *it = &f->items[i];

		switch (it->kind) {
		case FETCH_UID:
			break;
		case FETCH_FLAGS:
		case FETCH_MODSEQ:
			f->fields |= ROW_FLAGS;
			break;
		case FETCH_DATE:
		case FETCH_SIZE:
			f->fields |= ROW_SIZE;
			break;
		case FETCH_EMAILID:
		case FETCH_THREADID:
		case FETCH_SAVEDATE:
			f->fields |= ROW_IDS;
			break;
		case FETCH_PREVIEW:
		case FETCH_ENVELOPE:
			f->cache |= CACHE_LIST;
			break;
		case FETCH_STRUCTURE:
		case FETCH_STRUCTURE_BASIC:
			f->cache |= CACHE_STRUCTURE;
			break;
		case FETCH_ANNOTATION:
			f->annotated = true;
			f->fields |= ROW_FLAGS;
			if (it->note.parts)
				f->cache |= CACHE_STRUCTURE;
			break;
		case FETCH_BODY:
			f->body = true;
			if (it->sec.n_parts > 0 || it->sec.what != IMAP_SECTION_ALL)
				f->cache |= CACHE_STRUCTURE;
			break;
		case FETCH_BINARY:
		case FETCH_BINARY_SIZE:
			f->body = true;
			f->cache |= CACHE_STRUCTURE;
			break;
		}
	}
	if (f->cache != 0 || f->body)
		f->fields |= ROW_SIZE;
	if (f->seen)
		f->fields |= ROW_FLAGS;
}

static void
modifiers(struct imap_args *a, struct fetch *f, bool uid)
{
	if (!imap_args_try(a, ' '))
		return;
	imap_args_expect(a, '(');
	do {
		if (!f->filtered && imap_args_word(a, "CHANGEDSINCE")) {
			imap_args_sp(a);
			f->changed_since = imap_args_number64(a);
			f->filtered = true;
		} else if (uid && f->partial.lo == 0 && imap_args_word(a, "PARTIAL")) {
			imap_args_sp(a);
			imap_args_partial_range(a, &f->partial);
		} else if (!f->vanished && imap_args_word(a, "VANISHED")) {
			f->vanished = true;
		} else {
			imap_args_fail(a, "No such modifier");
		}
	} while (imap_args_try(a, ' '));
	imap_args_expect(a, ')');
	if (f->vanished && (!uid || !f->filtered))
		imap_args_fail(a, "VANISHED stands with CHANGEDSINCE in UID FETCH");
	if (f->filtered) {
		f->fields |= ROW_FLAGS;
		add_plain(a, f, FETCH_MODSEQ);
	}
}

void
fetch_parse(struct imap_args *a, struct fetch *f, bool uid)
{
	if (uid)
		add_plain(a, f, FETCH_UID);
	if (imap_args_try(a, '(')) {
		do {
			one_item(a, f);
		} while (imap_args_try(a, ' '));
		imap_args_expect(a, ')');
	} else if (!macro(a, f)) {
		one_item(a, f);
	}
	modifiers(a, f, uid);
	derive_needs(f);
	annotation_last(f);
}
