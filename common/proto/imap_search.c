/* Search keys. */
#include "common/proto/imap_search.h"

#include "common/mail/flags.h"
#include "common/mail/object_id.h"
#include "common/mime/charset.h"
#include "common/proto/imap_annotation.h"
#include "common/util/mem.h"

struct parse {
	struct imap_args	*a;
	struct imap_search	*out;
	struct span		charset;
	unsigned		depth, keys;
};

enum key_kind {
	KEY_PLAIN, KEY_FLAG, KEY_NOT_FLAG, KEY_KEYWORD, KEY_UNKEYWORD, KEY_DATE, KEY_SIZE,
	KEY_ADDRESS, KEY_TEXT, KEY_HEADER, KEY_NEW, KEY_OLD, KEY_NOT, KEY_OR, KEY_UID, KEY_UID_BOUND, KEY_MODSEQ,
	KEY_WITHIN, KEY_FUZZY, KEY_ID, KEY_FILTER, KEY_ANNOTATION
};

static const struct key {
	const char	*name;
	enum key_kind	kind;
	enum search_op	op;
	unsigned	arg;		/* flag, or address list */
	unsigned	needs;		/* IMAP_SEARCH_... */
} keys[] = {
	{ "ALL", KEY_PLAIN, SEARCH_ALL, 0, 0 },
	{ "ANNOTATION", KEY_ANNOTATION, SEARCH_ANNOTATION, 0, IMAP_SEARCH_ANNOTATION },
	{ "ANSWERED", KEY_FLAG, SEARCH_FLAG, FLAG_ANSWERED, 0 },
	{ "BCC", KEY_ADDRESS, SEARCH_ADDRESS, MIME_BCC, 0 },
	{ "BEFORE", KEY_DATE, SEARCH_BEFORE, 0, 0 },
	{ "BODY", KEY_TEXT, SEARCH_BODY, 0, 0 },
	{ "CC", KEY_ADDRESS, SEARCH_ADDRESS, MIME_CC, 0 },
	{ "DELETED", KEY_FLAG, SEARCH_FLAG, FLAG_DELETED, 0 },
	{ "DRAFT", KEY_FLAG, SEARCH_FLAG, FLAG_DRAFT, 0 },
	{ "EMAILID", KEY_ID, SEARCH_EMAIL_ID, 0, IMAP_SEARCH_OBJECTID },
	{ "FILTER", KEY_FILTER, SEARCH_ALL, 0, IMAP_SEARCH_FILTERS_KEY },
	{ "FLAGGED", KEY_FLAG, SEARCH_FLAG, FLAG_FLAGGED, 0 },
	{ "FROM", KEY_ADDRESS, SEARCH_ADDRESS, MIME_FROM, 0 },
	{ "FUZZY", KEY_FUZZY, SEARCH_FUZZY, 0, IMAP_SEARCH_FUZZY },
	{ "HEADER", KEY_HEADER, SEARCH_HEADER, 0, 0 },
	{ "KEYWORD", KEY_KEYWORD, SEARCH_KEYWORD, 0, 0 },
	{ "LARGER", KEY_SIZE, SEARCH_LARGER, 0, 0 },
	{ "MODSEQ", KEY_MODSEQ, SEARCH_MODSEQ, 0, IMAP_SEARCH_CONDSTORE },
	{ "NEW", KEY_NEW, SEARCH_RECENT, 0, 0 },
	{ "NOT", KEY_NOT, SEARCH_NOT, 0, 0 },
	{ "OLD", KEY_OLD, SEARCH_RECENT, 0, 0 },
	{ "OLDER", KEY_WITHIN, SEARCH_OLDER, 0, IMAP_SEARCH_WITHIN },
	{ "ON", KEY_DATE, SEARCH_ON, 0, 0 },
	{ "OR", KEY_OR, SEARCH_OR, 0, 0 },
	{ "RECENT", KEY_PLAIN, SEARCH_RECENT, 0, 0 },
	{ "SAVEDATESUPPORTED", KEY_PLAIN, SEARCH_ALL, 0, IMAP_SEARCH_SAVEDATE },
	{ "SAVEDBEFORE", KEY_DATE, SEARCH_SAVED_BEFORE, 0, IMAP_SEARCH_SAVEDATE },
	{ "SAVEDON", KEY_DATE, SEARCH_SAVED_ON, 0, IMAP_SEARCH_SAVEDATE },
	{ "SAVEDSINCE", KEY_DATE, SEARCH_SAVED_SINCE, 0, IMAP_SEARCH_SAVEDATE },
	{ "SEEN", KEY_FLAG, SEARCH_FLAG, FLAG_SEEN, 0 },
	{ "SENTBEFORE", KEY_DATE, SEARCH_SENT_BEFORE, 0, 0 },
	{ "SENTON", KEY_DATE, SEARCH_SENT_ON, 0, 0 },
	{ "SENTSINCE", KEY_DATE, SEARCH_SENT_SINCE, 0, 0 },
	{ "SINCE", KEY_DATE, SEARCH_SINCE, 0, 0 },
	{ "SMALLER", KEY_SIZE, SEARCH_SMALLER, 0, 0 },
	{ "SUBJECT", KEY_TEXT, SEARCH_SUBJECT, 0, 0 },
	{ "TEXT", KEY_TEXT, SEARCH_TEXT, 0, 0 },
	{ "THREADID", KEY_ID, SEARCH_THREAD_ID, 0, IMAP_SEARCH_OBJECTID },
	{ "TO", KEY_ADDRESS, SEARCH_ADDRESS, MIME_TO, 0 },
	{ "UID", KEY_UID, SEARCH_UIDS, 0, 0 },
	{ "UIDAFTER", KEY_UID_BOUND, SEARCH_UIDS, 1, IMAP_SEARCH_UID_BOUNDS },
	{ "UIDBEFORE", KEY_UID_BOUND, SEARCH_UIDS, 0, IMAP_SEARCH_UID_BOUNDS },
	{ "UNANSWERED", KEY_NOT_FLAG, SEARCH_FLAG, FLAG_ANSWERED, 0 },
	{ "UNDELETED", KEY_NOT_FLAG, SEARCH_FLAG, FLAG_DELETED, 0 },
	{ "UNDRAFT", KEY_NOT_FLAG, SEARCH_FLAG, FLAG_DRAFT, 0 },
	{ "UNFLAGGED", KEY_NOT_FLAG, SEARCH_FLAG, FLAG_FLAGGED, 0 },
	{ "UNKEYWORD", KEY_UNKEYWORD, SEARCH_KEYWORD, 0, 0 },
	{ "UNSEEN", KEY_NOT_FLAG, SEARCH_FLAG, FLAG_SEEN, 0 },
	{ "YOUNGER", KEY_WITHIN, SEARCH_YOUNGER, 0, IMAP_SEARCH_WITHIN },
};

static struct search_node *one_key(struct parse *p);

static struct search_node *
new_node(struct parse *p, enum search_op op)
{
	struct search_node *n = arena_zalloc(p->a->arena, sizeof(*n));

	n->op = op;
	if (++p->keys > SEARCH_KEYS_MAX)
		imap_args_fail(p->a, "The search is too long");
	return n;
}

static struct search_node *
negate(struct parse *p, struct search_node *n)
{
	struct search_node *not = new_node(p, SEARCH_NOT);

	not->first = n;
	return not;
}

/* In the charset of the command, made UTF-8 and mapped. */
static struct span
mapped_text(struct parse *p, struct span raw)
{
	struct span text;
	struct buf utf8 = { 0 }, mapped = { 0 };

	if (p->charset.len > 0 && !span_caseeq_str(p->charset, "UTF-8"))
		mime_charset_utf8(p->charset, raw, &utf8);
	else
		buf_add_span(&utf8, raw);
	search_map(p->out->collation, buf_span(&utf8), &mapped);
	text = arena_span(p->a->arena, buf_span(&mapped));
	buf_fini(&utf8);
	buf_fini(&mapped);
	return text;
}

static struct span
search_text(struct parse *p)
{
	return mapped_text(p, imap_args_astring(p->a));
}

/* "ANNOTATION" SP entry-match SP att-search SP value (RFC 5257 §4.8).  NIL is the value of what
 * is not there. */
static void
annotation_key(struct parse *p, struct search_node *n)
{
	unsigned bits = 0;
	struct span raw;
	bool nil;

	imap_args_annotation_key(p->a, &n->name, &bits);
	n->flag = (bits & IMAP_ANNOTATION_VALUE_PRIV ? SEARCH_ANNOTATION_PRIVATE : 0) |
	    (bits & IMAP_ANNOTATION_VALUE_SHARED ? SEARCH_ANNOTATION_SHARED : 0);
	imap_args_sp(p->a);
	raw = imap_args_nstring8(p->a, &nil);
	if (nil)
		n->flag |= SEARCH_ANNOTATION_NIL;
	else
		n->text = mapped_text(p, raw);
}

static struct search_node *
new_key(struct parse *p)
{
	struct search_node *both = new_node(p, SEARCH_AND), *seen = new_node(p, SEARCH_FLAG);

	seen->flag = FLAG_SEEN;
	both->first = new_node(p, SEARCH_RECENT);
	both->first->next = negate(p, seen);
	return both;
}

/* "MODSEQ" [SP entry-name SP entry-type] SP mod-sequence; the entry does not matter, all
 * flags share one number. */
static void
modseq_key(struct parse *p, struct search_node *n)
{
	if (imap_args_peek(p->a, '"')) {
		imap_args_string(p->a);
		imap_args_sp(p->a);
		if (!imap_args_word(p->a, "all") && !imap_args_word(p->a, "shared") &&
		    !imap_args_word(p->a, "priv"))
			imap_args_fail(p->a, "Malformed MODSEQ");
		imap_args_sp(p->a);
	}
	n->number = imap_args_number64(p->a);
	p->out->modseq = true;
}

/* Somebody else puts the filter's keys in its place. */
static void
filter_key(struct parse *p)
{
	struct imap_search *s = p->out;
	struct imap_search_filter *f = &s->filters[s->n_filters];
	const char *from = p->a->p - sizeof("FILTER") + 1;

	imap_args_sp(p->a);
	if (s->n_filters == IMAP_SEARCH_FILTERS) {
		imap_args_fail(p->a, "Too many filters");
		return;
	}
	f->name = imap_args_atom(p->a);
	if (span_find(f->name, '/') < f->name.len)
		imap_args_fail(p->a, "Malformed name of a filter");
	if (!imap_args_good(p->a))
		return;
	f->at = span(from, (size_t)(p->a->p - from));
	s->n_filters++;
}

/* UIDAFTER and UIDBEFORE (RFC 9738 §3.2): without '*', which would turn the range round. */
static struct search_node *
uid_bound(struct parse *p, const struct key *k, struct search_node *n)
{
	uint32_t uid = imap_args_nz_number(p->a);
	struct buf set = { 0 };

	if (uid == (k->arg ? UINT32_MAX : 1))
		return negate(p, new_node(p, SEARCH_ALL));
	if (k->arg)
		buf_addf(&set, "%u:%u", uid + 1, UINT32_MAX);
	else
		buf_addf(&set, "1:%u", uid - 1);
	n->set = arena_span(p->a->arena, buf_span(&set));
	buf_fini(&set);
	return n;
}

static struct search_node *
read_operands(struct parse *p, const struct key *k, struct search_node *n)
{
	struct imap_args *a = p->a;

	switch (k->kind) {
	case KEY_PLAIN:
	case KEY_FLAG:
	case KEY_NOT_FLAG:
	case KEY_NEW:
	case KEY_OLD:
		break;
	case KEY_KEYWORD:
	case KEY_UNKEYWORD:
		imap_args_sp(a);
		n->name = imap_args_atom(a);
		break;
	case KEY_DATE:
		imap_args_sp(a);
		n->day = imap_args_date(a);
		break;
	case KEY_SIZE:
		imap_args_sp(a);
		n->number = imap_args_number64(a);
		break;
	case KEY_HEADER:
		imap_args_sp(a);
		n->name = imap_args_astring(a);
		imap_args_sp(a);
		n->text = search_text(p);
		break;
	case KEY_ADDRESS:
	case KEY_TEXT:
		imap_args_sp(a);
		n->text = search_text(p);
		break;
	case KEY_UID:
		imap_args_sp(a);
		n->set = imap_args_sequence_set(a);
		break;
	case KEY_UID_BOUND:
		imap_args_sp(a);
		return uid_bound(p, k, n);
	case KEY_MODSEQ:
		imap_args_sp(a);
		modseq_key(p, n);
		break;
	case KEY_WITHIN:
		imap_args_sp(a);
		n->number = imap_args_nz_number(a);
		break;
	case KEY_ID:
		imap_args_sp(a);
		n->name = imap_args_astring(a);
		if (imap_args_good(a) && !object_id_syntax(n->name))
			imap_args_fail(a, "Not an id");
		/* What cannot be one of ours is 0, which nothing has. */
		if (!object_id_parse(n->name, n->op == SEARCH_EMAIL_ID ? OBJECT_EMAIL :
		    OBJECT_THREAD, &n->number))
			n->number = 0;
		break;
	case KEY_FUZZY:
		p->out->fuzzy = true;
		imap_args_sp(a);
		n->first = one_key(p);
		break;
	case KEY_FILTER:
		filter_key(p);
		break;
	case KEY_ANNOTATION:
		annotation_key(p, n);
		break;
	case KEY_NOT:
		imap_args_sp(a);
		n->first = one_key(p);
		break;
	case KEY_OR:
		imap_args_sp(a);
		n->first = one_key(p);
		imap_args_sp(a);
		n->first->next = one_key(p);
		break;
	}
	return n;
}

static struct search_node *
named_key(struct parse *p)
{
	struct span name = imap_args_atom(p->a);

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const struct key *k = &keys[i];
		struct search_node *n;

		if (!span_caseeq_str(name, k->name) || (k->needs & p->out->off) != 0)
			continue;
		if (k->kind == KEY_NEW)
			return new_key(p);
		n = new_node(p, k->op);
		n->flag = k->kind == KEY_FLAG || k->kind == KEY_NOT_FLAG ? k->arg : 0;
		n->list = k->kind == KEY_ADDRESS ? (enum mime_addr_list)k->arg : MIME_FROM;
		n = read_operands(p, k, n);
		return k->kind == KEY_NOT_FLAG || k->kind == KEY_UNKEYWORD || k->kind == KEY_OLD ?
		    negate(p, n) : n;
	}
	imap_args_fail(p->a, "No such search key");
	return new_node(p, SEARCH_ALL);
}

/* search-key *(SP search-key), up to `end`. */
static struct search_node *
key_list(struct parse *p)
{
	struct search_node *all = new_node(p, SEARCH_AND), **tail = &all->first;

	do {
		*tail = one_key(p);
		while (*tail != NULL)
			tail = &(*tail)->next;
	} while (imap_args_try(p->a, ' '));
	return all;
}

/* "$" alone: the saved result. */
static bool
at_saved(const struct parse *p)
{
	const struct imap_args *a = p->a;

	return !(p->out->off & IMAP_SEARCH_RES) && imap_args_peek(p->a, '$') &&
	    (a->p + 1 == a->end || a->p[1] == ' ' || a->p[1] == ')');
}

static struct search_node *
one_key(struct parse *p)
{
	struct search_node *n;

	if (p->depth++ >= SEARCH_DEPTH_MAX)
		imap_args_fail(p->a, "The search is nested too deeply");
	if (!imap_args_good(p->a)) {
		n = new_node(p, SEARCH_ALL);
	} else if (imap_args_try(p->a, '(')) {
		n = key_list(p);
		imap_args_expect(p->a, ')');
	} else if (at_saved(p) || (p->a->p < p->a->end && (ascii_isdigit(*p->a->p) || *p->a->p == '*'))) {
		n = new_node(p, SEARCH_SEQS);
		n->set = imap_args_sequence_set(p->a);
	} else {
		n = named_key(p);
	}
	p->depth--;
	return n;
}

static uint32_t
partial_number(struct imap_args *a, bool minus)
{
	if (minus)
		imap_args_expect(a, '-');
	return imap_args_nz_number(a);
}

void
imap_args_partial_range(struct imap_args *a, struct imap_partial *p)
{
	uint32_t swap;

	p->from_end = imap_args_peek(a, '-');
	p->lo = partial_number(a, p->from_end);
	imap_args_expect(a, ':');
	p->hi = partial_number(a, p->from_end);
	if (p->lo > p->hi) {
		swap = p->lo;
		p->lo = p->hi;
		p->hi = swap;
	}
}

static const struct option {
	const char	*name;
	unsigned	bit;
	unsigned	needs;		/* one of them is enough */
} options[] = {
	{ "MIN", IMAP_RETURN_MIN, IMAP_SEARCH_EXTENDED },
	{ "MAX", IMAP_RETURN_MAX, IMAP_SEARCH_EXTENDED },
	{ "ALL", IMAP_RETURN_ALL, IMAP_SEARCH_EXTENDED },
	{ "COUNT", IMAP_RETURN_COUNT, IMAP_SEARCH_EXTENDED },
	{ "SAVE", IMAP_RETURN_SAVE, IMAP_SEARCH_RES },
	{ "PARTIAL", IMAP_RETURN_PARTIAL, IMAP_SEARCH_PARTIAL | IMAP_SEARCH_CONTEXT },
	{ "CONTEXT", IMAP_RETURN_CONTEXT, IMAP_SEARCH_CONTEXT },
	{ "UPDATE", IMAP_RETURN_UPDATE, IMAP_SEARCH_CONTEXT },
	{ "RELEVANCY", IMAP_RETURN_RELEVANCY, IMAP_SEARCH_FUZZY }
};

/* ["(" fetch-att *(SP fetch-att) ")"]: with a blank before it in the RFC's example, without
 * one in its grammar (RFC 5465 §7, §8). */
static void
update_items(struct imap_args *a, struct imap_search *s)
{
	if (a->end - a->p > 1 && a->p[0] == ' ' && a->p[1] == '(')
		a->p++;
	if (imap_args_peek(a, '('))
		s->update_items = imap_args_parenthesized(a, IMAP_UPDATE_ITEMS_MAX);
}

static void
one_option(struct imap_args *a, struct imap_search *s)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		if ((options[i].needs & ~s->off) == 0 || !imap_args_word(a, options[i].name))
			continue;
		s->wants |= options[i].bit;
		if (options[i].bit == IMAP_RETURN_PARTIAL) {
			if (s->partial.lo != 0)
				imap_args_fail(a, "One PARTIAL at most");
			imap_args_sp(a);
			imap_args_partial_range(a, &s->partial);
			if (s->partial.from_end && (s->off & IMAP_SEARCH_PARTIAL))
				imap_args_fail(a, "Malformed PARTIAL");
		}
		if (options[i].bit == IMAP_RETURN_UPDATE && !(s->off & IMAP_SEARCH_UPDATE_ITEMS))
			update_items(a, s);
		return;
	}
	imap_args_fail(a, "No such return option");
}

/* ["RETURN" SP "(" ... ")" SP] */
static void
return_options(struct imap_args *a, struct imap_search *s)
{
	bool first = true;

	if ((s->off & IMAP_SEARCH_EXTENDED) || !imap_args_word(a, "RETURN"))
		return;
	s->extended = true;
	imap_args_sp(a);
	imap_args_expect(a, '(');
	for (; imap_args_good(a) && !imap_args_peek(a, ')'); first = false) {
		if (!first)
			imap_args_sp(a);
		one_option(a, s);
	}
	imap_args_expect(a, ')');
	imap_args_sp(a);
	if (s->wants == 0)
		s->wants = IMAP_RETURN_ALL;
	if ((s->wants & IMAP_RETURN_ALL) && (s->wants & IMAP_RETURN_PARTIAL))
		imap_args_fail(a, "PARTIAL and ALL exclude one another");
}

static void
read_charset(struct parse *p)
{
	p->charset = p->out->charset = imap_args_astring(p->a);
	imap_args_sp(p->a);
	if (p->out->no_charset && !span_caseeq_str(p->charset, "UTF-8"))
		imap_args_fail(p->a, "Only UTF-8 once UTF8=ACCEPT is enabled");
	if (imap_args_good(p->a) && !mime_charset_known(p->charset)) {
		p->out->bad_charset = true;
		p->charset = SPAN_NONE;
	}
}

static void
read_keys(struct parse *p)
{
	struct imap_search *s = p->out;

	s->root = key_list(p);
	if (imap_args_good(p->a) && (s->wants & IMAP_RETURN_RELEVANCY) && !s->fuzzy)
		imap_args_fail(p->a, "RELEVANCY needs FUZZY");
	for (size_t i = 0; i < s->n_criteria; i++) {
		if (s->criteria[i].key == IMAP_SORT_RELEVANCY && !s->fuzzy)
			imap_args_fail(p->a, "RELEVANCY needs FUZZY");
	}
}

bool
imap_search_criteria(struct span text, struct arena *arena, unsigned off)
{
	struct imap_search s = { .off = off };
	struct imap_args a;
	struct parse p = { .a = &a, .out = &s };

	imap_args_init(&a, text, arena);
	key_list(&p);
	return imap_args_end(&a);
}

void
imap_search_parse(struct imap_args *a, struct imap_search *s)
{
	struct parse p = { .a = a, .out = s };

	imap_args_sp(a);
	return_options(a, s);
	if (imap_args_word(a, "CHARSET")) {
		if (s->no_charset)
			imap_args_fail(a, "No CHARSET once UTF8=ACCEPT is enabled");
		imap_args_sp(a);
		read_charset(&p);
	}
	read_keys(&p);
}

static const struct {
	const char	*name;
	unsigned	needs;
} sort_keys[IMAP_SORT_KEYS] = {
	[IMAP_SORT_ARRIVAL] = { "ARRIVAL", 0 }, [IMAP_SORT_CC] = { "CC", 0 },
	[IMAP_SORT_DATE] = { "DATE", 0 }, [IMAP_SORT_FROM] = { "FROM", 0 },
	[IMAP_SORT_SIZE] = { "SIZE", 0 }, [IMAP_SORT_SUBJECT] = { "SUBJECT", 0 },
	[IMAP_SORT_TO] = { "TO", 0 },
	[IMAP_SORT_DISPLAY_FROM] = { "DISPLAYFROM", IMAP_SEARCH_DISPLAY },
	[IMAP_SORT_DISPLAY_TO] = { "DISPLAYTO", IMAP_SEARCH_DISPLAY },
	[IMAP_SORT_RELEVANCY] = { "RELEVANCY", IMAP_SEARCH_FUZZY },
	[IMAP_SORT_ANNOTATION] = { "ANNOTATION", IMAP_SEARCH_ANNOTATION }
};

static void
read_criterion(struct imap_args *a, struct imap_search *s)
{
	struct imap_sort_criterion c = { 0 };
	unsigned i = 0;

	c.reverse = imap_args_word(a, "REVERSE");
	if (c.reverse)
		imap_args_sp(a);
	while (i < IMAP_SORT_KEYS && ((sort_keys[i].needs & s->off) != 0 ||
	    !imap_args_word(a, sort_keys[i].name)))
		i++;
	if (i == IMAP_SORT_KEYS) {
		imap_args_fail(a, "No such sort criterion");
		return;
	}
	c.key = (enum imap_sort_key)i;
	if (c.key == IMAP_SORT_ANNOTATION)
		imap_args_annotation_sort(a, &c.entry, &c.shared);
	for (size_t k = 0; k < s->n_criteria; k++) {
		const struct imap_sort_criterion *o = &s->criteria[k];

		if (o->key == c.key && o->shared == c.shared && span_eq(o->entry, c.entry))
			return;
	}
	if (s->n_criteria == IMAP_SORT_MAX) {
		imap_args_fail(a, "Too many sort criteria");
		return;
	}
	s->criteria[s->n_criteria++] = c;
}

void
imap_sort_parse(struct imap_args *a, struct imap_search *s)
{
	struct parse p = { .a = a, .out = s };

	imap_args_sp(a);
	return_options(a, s);
	imap_args_expect(a, '(');
	do
		read_criterion(a, s);
	while (imap_args_try(a, ' '));
	imap_args_expect(a, ')');
	imap_args_sp(a);
	read_charset(&p);
	read_keys(&p);
}

void
imap_thread_parse(struct imap_args *a, struct imap_search *s)
{
	struct parse p = { .a = a, .out = s };

	imap_args_sp(a);
	if (!(s->off & IMAP_SEARCH_ORDEREDSUBJECT) && imap_args_word(a, "ORDEREDSUBJECT"))
		s->thread = IMAP_THREAD_ORDEREDSUBJECT;
	else if (!(s->off & IMAP_SEARCH_REFERENCES) && imap_args_word(a, "REFERENCES"))
		s->thread = IMAP_THREAD_REFERENCES;
	else
		imap_args_fail(a, "No such threading algorithm");
	imap_args_sp(a);
	read_charset(&p);
	read_keys(&p);
}
