/* Search keys. */
#include "common/proto/imap_search.h"

#include "common/mail/flags.h"
#include "common/mime/charset.h"
#include "common/util/mem.h"

struct parse {
	struct imap_args	*a;
	struct imap_search	*out;
	struct span		charset;
	unsigned		depth, keys;
};

enum key_kind {
	KEY_PLAIN, KEY_FLAG, KEY_NOT_FLAG, KEY_KEYWORD, KEY_UNKEYWORD, KEY_DATE, KEY_SIZE,
	KEY_ADDRESS, KEY_TEXT, KEY_HEADER, KEY_NEW, KEY_OLD, KEY_NOT, KEY_OR, KEY_UID, KEY_MODSEQ
};

static const struct key {
	const char	*name;
	enum key_kind	kind;
	enum search_op	op;
	unsigned	arg;		/* flag, or address list */
} keys[] = {
	{ "ALL", KEY_PLAIN, SEARCH_ALL, 0 },
	{ "ANSWERED", KEY_FLAG, SEARCH_FLAG, FLAG_ANSWERED },
	{ "BCC", KEY_ADDRESS, SEARCH_ADDRESS, MIME_BCC },
	{ "BEFORE", KEY_DATE, SEARCH_BEFORE, 0 },
	{ "BODY", KEY_TEXT, SEARCH_BODY, 0 },
	{ "CC", KEY_ADDRESS, SEARCH_ADDRESS, MIME_CC },
	{ "DELETED", KEY_FLAG, SEARCH_FLAG, FLAG_DELETED },
	{ "DRAFT", KEY_FLAG, SEARCH_FLAG, FLAG_DRAFT },
	{ "FLAGGED", KEY_FLAG, SEARCH_FLAG, FLAG_FLAGGED },
	{ "FROM", KEY_ADDRESS, SEARCH_ADDRESS, MIME_FROM },
	{ "HEADER", KEY_HEADER, SEARCH_HEADER, 0 },
	{ "KEYWORD", KEY_KEYWORD, SEARCH_KEYWORD, 0 },
	{ "LARGER", KEY_SIZE, SEARCH_LARGER, 0 },
	{ "MODSEQ", KEY_MODSEQ, SEARCH_MODSEQ, 0 },
	{ "NEW", KEY_NEW, SEARCH_RECENT, 0 },
	{ "NOT", KEY_NOT, SEARCH_NOT, 0 },
	{ "OLD", KEY_OLD, SEARCH_RECENT, 0 },
	{ "ON", KEY_DATE, SEARCH_ON, 0 },
	{ "OR", KEY_OR, SEARCH_OR, 0 },
	{ "RECENT", KEY_PLAIN, SEARCH_RECENT, 0 },
	{ "SEEN", KEY_FLAG, SEARCH_FLAG, FLAG_SEEN },
	{ "SENTBEFORE", KEY_DATE, SEARCH_SENT_BEFORE, 0 },
	{ "SENTON", KEY_DATE, SEARCH_SENT_ON, 0 },
	{ "SENTSINCE", KEY_DATE, SEARCH_SENT_SINCE, 0 },
	{ "SINCE", KEY_DATE, SEARCH_SINCE, 0 },
	{ "SMALLER", KEY_SIZE, SEARCH_SMALLER, 0 },
	{ "SUBJECT", KEY_TEXT, SEARCH_SUBJECT, 0 },
	{ "TEXT", KEY_TEXT, SEARCH_TEXT, 0 },
	{ "TO", KEY_ADDRESS, SEARCH_ADDRESS, MIME_TO },
	{ "UID", KEY_UID, SEARCH_UIDS, 0 },
	{ "UNANSWERED", KEY_NOT_FLAG, SEARCH_FLAG, FLAG_ANSWERED },
	{ "UNDELETED", KEY_NOT_FLAG, SEARCH_FLAG, FLAG_DELETED },
	{ "UNDRAFT", KEY_NOT_FLAG, SEARCH_FLAG, FLAG_DRAFT },
	{ "UNFLAGGED", KEY_NOT_FLAG, SEARCH_FLAG, FLAG_FLAGGED },
	{ "UNKEYWORD", KEY_UNKEYWORD, SEARCH_KEYWORD, 0 },
	{ "UNSEEN", KEY_NOT_FLAG, SEARCH_FLAG, FLAG_SEEN },
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

/* In the charset of the command, made UTF-8 and case-mapped. */
static struct span
search_text(struct parse *p)
{
	struct span raw = imap_args_astring(p->a), text;
	struct buf utf8 = { 0 }, mapped = { 0 };

	if (p->charset.len > 0 && !span_caseeq_str(p->charset, "UTF-8"))
		mime_charset_utf8(p->charset, raw, &utf8);
	else
		buf_add_span(&utf8, raw);
	mime_casemap(buf_span(&utf8), &mapped);
	text = arena_span(p->a->arena, buf_span(&mapped));
	buf_fini(&utf8);
	buf_fini(&mapped);
	return text;
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
	case KEY_MODSEQ:
		imap_args_sp(a);
		modseq_key(p, n);
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

		if (!span_caseeq_str(name, k->name))
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
	} else if (p->a->p < p->a->end && (ascii_isdigit(*p->a->p) || *p->a->p == '*')) {
		n = new_node(p, SEARCH_SEQS);
		n->set = imap_args_sequence_set(p->a);
	} else {
		n = named_key(p);
	}
	p->depth--;
	return n;
}

static void
return_options(struct imap_args *a, struct imap_search *s)
{
	static const struct { const char *name; unsigned bit; } options[] = {
		{ "MIN", IMAP_RETURN_MIN }, { "MAX", IMAP_RETURN_MAX },
		{ "ALL", IMAP_RETURN_ALL }, { "COUNT", IMAP_RETURN_COUNT }
	};

	s->extended = true;
	imap_args_sp(a);
	imap_args_expect(a, '(');
	while (imap_args_good(a) && !imap_args_peek(a, ')')) {
		size_t i = 0;

		if (s->wants != 0)
			imap_args_sp(a);
		while (i < ARRAY_LEN(options) && !imap_args_word(a, options[i].name))
			i++;
		if (i == ARRAY_LEN(options))
			imap_args_fail(a, "No such return option");
		else
			s->wants |= options[i].bit;
	}
	imap_args_expect(a, ')');
	if (s->wants == 0)
		s->wants = IMAP_RETURN_ALL;
	imap_args_sp(a);
}

void
imap_search_parse(struct imap_args *a, struct imap_search *s)
{
	struct parse p = { .a = a, .out = s };

	imap_args_sp(a);
	if (imap_args_word(a, "RETURN"))
		return_options(a, s);
	if (imap_args_word(a, "CHARSET")) {
		imap_args_sp(a);
		p.charset = imap_args_astring(a);
		imap_args_sp(a);
		if (imap_args_good(a) && !mime_charset_known(p.charset)) {
			s->bad_charset = true;
			p.charset = SPAN_NONE;
		}
	}
	s->root = key_list(&p);
}
