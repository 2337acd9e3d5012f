#include "jmapd/query/filter.h"

#include "common/mail/object_id.h"
#include "common/util/mem.h"
#include "jmapd/core/args.h"
#include "jmapd/core/query.h"
#include "jmapd/mirror/mirror_priv.h"

struct compiling {
	struct filter	*f;
	struct arena	*a;
	const char	**type;
	struct buf	*why;
	bool		bad;
};

static struct filter_node *
node_new(struct compiling *c, enum filter_op op)
{
	struct filter_node *n = arena_zalloc(c->a, sizeof(*n));

	n->op = op;
	return n;
}

static struct filter_node *
refuse(struct compiling *c, const char *type, struct span name, const char *what)
{
	if (!c->bad) {
		*c->type = type;
		buf_addf(c->why, "filter: %.*s %s", (int)(name.len > 64 ? 64 : name.len), name.p,
		    what);
	}
	c->bad = true;
	return NULL;
}

static void
append(struct filter_node *parent, struct filter_node *n)
{
	struct filter_node **at = &parent->first;

	while (*at != NULL)
		at = &(*at)->next;
	*at = n;
}

static struct filter_node *
negate(struct compiling *c, struct filter_node *n)
{
	struct filter_node *not = node_new(c, FILTER_NOT);

	append(not, n);
	return not;
}

/* ---- words ---- */

static bool
is_blank(char ch)
{
	return ch == ' ' || ch == '\t' || ch == '\r' || ch == '\n';
}

/* A phrase ends at its quote; one without an end is no phrase, and its quote a letter. */
static bool
take_phrase(struct span *text, struct buf *word)
{
	char quote = text->p[0];

	for (size_t i = 1; i < text->len; i++) {
		if (text->p[i] == '\\' && i + 1 < text->len && strchr("'\"\\", text->p[i + 1]) != NULL) {
			buf_add_c(word, text->p[++i]);
		} else if (text->p[i] == quote && (i + 1 == text->len || is_blank(text->p[i + 1]))) {
			*text = span_sub(*text, i + 1, SIZE_MAX);
			return true;
		} else {
			buf_add_c(word, text->p[i]);
		}
	}
	buf_clear(word);
	return false;
}

bool
filter_word(struct span *text, struct buf *word)
{
	size_t n = 0;

	for (;;) {
		buf_clear(word);
		while (text->len > 0 && is_blank(text->p[0]))
			*text = span_sub(*text, 1, SIZE_MAX);
		if (text->len == 0)
			return false;
		if ((text->p[0] != '"' && text->p[0] != '\'') || !take_phrase(text, word))
			break;
		if (word->len > 0)
			return true;
	}
	while (n < text->len && !is_blank(text->p[n]))
		n++;
	buf_add(word, text->p, n);
	*text = span_sub(*text, n, SIZE_MAX);
	return true;
}

/* ---- conditions ---- */

static struct search_node *
search_new(struct compiling *c, enum search_op op)
{
	struct search_node *s = arena_zalloc(c->a, sizeof(*s));

	s->op = op;
	s->bit = -1;
	return s;
}

static void
search_append(struct search_node *parent, struct search_node *s)
{
	struct search_node **at = &parent->first;

	while (*at != NULL)
		at = &(*at)->next;
	*at = s;
}

struct text_kind {
	const char		*name;
	enum search_op		op;
	enum mime_addr_list	list;
};

/* All words must be there. */
static struct filter_node *
text_of(struct compiling *c, const struct text_kind *k, struct span header, struct span text)
{
	struct search_node *all = search_new(c, SEARCH_AND);
	struct filter_node *n = node_new(c, FILTER_TEXT);
	struct buf word = { 0 }, mapped = { 0 };

	while (filter_word(&text, &word)) {
		struct search_node *s = search_new(c, k->op);

		buf_clear(&mapped);
		search_map(SEARCH_UNICODE_CASEMAP, buf_span(&word), &mapped);
		if (mapped.len == 0)
			continue;
		s->list = k->list;
		s->name = header;
		s->text = arena_span(c->a, buf_span(&mapped));
		search_append(all, s);
	}
	buf_fini(&word);
	buf_fini(&mapped);
	if (all->first == NULL && k->op == SEARCH_HEADER) {
		search_append(all, search_new(c, SEARCH_HEADER));
		all->first->name = header;
		all->first->text = SPAN_LIT("");
	}
	if (all->first == NULL)
		n->op = FILTER_ALL;
	n->search = all->first != NULL && all->first->next == NULL ? all->first : all;
	return n;
}

static struct filter_node *
put_text(struct compiling *c, struct span name, const struct json *v)
{
	static const struct text_kind kinds[] = {
		{ "text", SEARCH_TEXT, 0 }, { "body", SEARCH_BODY, 0 },
		{ "from", SEARCH_ADDRESS, MIME_FROM }, { "to", SEARCH_ADDRESS, MIME_TO },
		{ "cc", SEARCH_ADDRESS, MIME_CC }, { "bcc", SEARCH_ADDRESS, MIME_BCC },
		{ "subject", SEARCH_SUBJECT, 0 }
	};
	struct span text;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (!span_eq_str(name, kinds[i].name))
			continue;
		if (!json_as_string(v, &text))
			return refuse(c, "invalidArguments", name, "is not a string");
		return text_of(c, &kinds[i], SPAN_NONE, text);
	}
	return refuse(c, "unsupportedFilter", name, "is not known");
}

/* ftext (RFC 5322 §2.2): printable ASCII without a colon. */
static bool
is_field_name(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f || s.p[i] == ':')
			return false;
	}
	return s.len > 0;
}

static struct filter_node *
put_header(struct compiling *c, struct span name, const struct json *v)
{
	static const struct text_kind kind = { "header", SEARCH_HEADER, 0 };
	size_t n = json_count(v);
	struct span field, text = SPAN_LIT("");

	if (!json_is_array(v) || n < 1 || n > 2 || !json_as_string(json_item(v, 0), &field) ||
	    (n == 2 && !json_as_string(json_item(v, 1), &text)))
		return refuse(c, "invalidArguments", name, "is not an array of one or two strings");
	if (!is_field_name(field))
		return refuse(c, "invalidArguments", name, "does not begin with a field's name");
	return text_of(c, &kind, arena_span(c->a, field), text);
}

/* An id of ours, or one that no mailbox has. */
static bool
mailbox_id(const struct json *v, uint64_t *id)
{
	struct span text;

	if (!json_as_string(v, &text) || !jmap_id_syntax(text))
		return false;
	if (!object_id_parse(text, OBJECT_MAILBOX, id))
		*id = 0;
	return true;
}

static struct filter_node *
put_mailboxes(struct compiling *c, struct span name, const struct json *v)
{
	bool other = json_is_array(v);
	struct filter_node *n = node_new(c, other ? FILTER_IN_OTHER : FILTER_IN);

	n->n_ids = other ? json_count(v) : 1;
	n->ids = arena_array(c->a, n->n_ids + 1, sizeof(*n->ids));
	n->boxes = arena_array(c->a, n->n_ids + 1, sizeof(*n->boxes));
	for (size_t i = 0; i < n->n_ids; i++) {
		if (!mailbox_id(other ? json_item(v, i) : v, &n->ids[i]))
			return refuse(c, "invalidArguments", name, "holds what is no id");
	}
	c->f->depends |= FILTER_ON_MAILBOXES;
	return n;
}

static struct filter_node *
put_keyword(struct compiling *c, struct span name, const struct json *v, enum filter_op op)
{
	struct filter_node *n = node_new(c, op);

	if (!json_as_string(v, &n->keyword) || n->keyword.len == 0)
		return refuse(c, "invalidArguments", name, "is not a keyword");
	n->keyword = arena_span(c->a, n->keyword);
	c->f->depends |= FILTER_ON_KEYWORDS | (op != FILTER_KEYWORD ? FILTER_ON_THREADS : 0);
	return n;
}

static struct filter_node *
put_date(struct compiling *c, struct span name, const struct json *v, enum filter_op op)
{
	struct filter_node *n = node_new(c, op);
	struct span text;

	if (!json_as_string(v, &text) || !jmap_date_parse(text, &n->number))
		return refuse(c, "invalidArguments", name, "is not a UTCDate");
	return n;
}

static struct filter_node *
put_size(struct compiling *c, struct span name, const struct json *v, enum filter_op op)
{
	struct filter_node *n = node_new(c, op);
	uint64_t size;

	if (!jmap_json_uint(v, &size))
		return refuse(c, "invalidArguments", name, "is not an UnsignedInt");
	n->number = (int64_t)size;
	return n;
}

static struct filter_node *
put_attachment(struct compiling *c, struct span name, const struct json *v)
{
	struct filter_node *n = node_new(c, FILTER_ATTACHMENT);
	bool wanted;

	if (!json_as_bool(v, &wanted))
		return refuse(c, "invalidArguments", name, "is not a boolean");
	n->search = search_new(c, SEARCH_ATTACHMENT);
	return wanted ? n : negate(c, n);
}

static struct filter_node *
put_condition(struct compiling *c, struct span name, const struct json *v)
{
	struct filter_node *n;

	if (span_eq_str(name, "inMailbox") && !json_is_array(v))
		return put_mailboxes(c, name, v);
	if (span_eq_str(name, "inMailboxOtherThan") && json_is_array(v))
		return put_mailboxes(c, name, v);
	if (span_eq_str(name, "inMailbox") || span_eq_str(name, "inMailboxOtherThan"))
		return refuse(c, "invalidArguments", name, "is of the wrong type");
	if (span_eq_str(name, "before"))
		return put_date(c, name, v, FILTER_BEFORE);
	if (span_eq_str(name, "after"))
		return put_date(c, name, v, FILTER_AFTER);
	if (span_eq_str(name, "minSize"))
		return put_size(c, name, v, FILTER_MIN_SIZE);
	if (span_eq_str(name, "maxSize"))
		return put_size(c, name, v, FILTER_MAX_SIZE);
	if (span_eq_str(name, "allInThreadHaveKeyword"))
		return put_keyword(c, name, v, FILTER_THREAD_ALL);
	if (span_eq_str(name, "someInThreadHaveKeyword"))
		return put_keyword(c, name, v, FILTER_THREAD_SOME);
	if (span_eq_str(name, "noneInThreadHaveKeyword")) {
		n = put_keyword(c, name, v, FILTER_THREAD_SOME);
		return n != NULL ? negate(c, n) : NULL;
	}
	if (span_eq_str(name, "hasKeyword"))
		return put_keyword(c, name, v, FILTER_KEYWORD);
	if (span_eq_str(name, "notKeyword")) {
		n = put_keyword(c, name, v, FILTER_KEYWORD);
		return n != NULL ? negate(c, n) : NULL;
	}
	if (span_eq_str(name, "hasAttachment"))
		return put_attachment(c, name, v);
	if (span_eq_str(name, "header"))
		return put_header(c, name, v);
	return put_text(c, name, v);
}

/* ---- trees ---- */

static struct filter_node *
put_object(struct compiling *c, const struct json *json)
{
	struct filter_node *all = node_new(c, FILTER_AND), *n;
	const struct json *v;
	struct span name;
	void *pos = NULL;

	while (json_next(json, &pos, &name, &v)) {
		if (v == NULL)
			continue;
		n = put_condition(c, name, v);
		if (n == NULL)
			return NULL;
		append(all, n);
	}
	return all;
}

static struct filter_node *
put_filter(struct compiling *c, const struct json *json)
{
	const struct json *conditions = NULL;
	enum jmap_operator op = jmap_filter_operator(json, &conditions);
	struct filter_node *n;

	if (op == JMAP_CONDITION)
		return put_object(c, json);
	n = node_new(c, op == JMAP_AND ? FILTER_AND : FILTER_OR);
	for (size_t i = 0; i < json_count(conditions); i++) {
		struct filter_node *part = put_filter(c, json_item(conditions, i));

		if (part == NULL)
			return NULL;
		append(n, part);
	}
	return op == JMAP_NOT ? negate(c, n) : n;
}

/* Operands that are one search each become one together, so that messages are looked at once. */
static struct filter_node *
join(struct compiling *c, struct filter_node *n)
{
	struct filter_node *texts = NULL, **at = &n->first;

	if (n->op != FILTER_AND && n->op != FILTER_OR && n->op != FILTER_NOT)
		return n;
	while (*at != NULL) {
		struct filter_node *next = (*at)->next, *part = join(c, *at);

		part->next = next;
		*at = part;
		if (part->op != FILTER_TEXT || n->op == FILTER_NOT) {
			at = &part->next;
			continue;
		}
		if (texts == NULL) {
			texts = node_new(c, FILTER_TEXT);
			texts->search = search_new(c, n->op == FILTER_AND ? SEARCH_AND : SEARCH_OR);
		}
		*at = next;
		search_append(texts->search, part->search);
	}
	if (texts != NULL) {
		if (texts->search->first->next == NULL)
			texts->search = texts->search->first;
		append(n, texts);
	}
	if (n->op != FILTER_NOT && n->first != NULL && n->first->next == NULL)
		return n->first;
	if (n->op == FILTER_NOT && n->first->op == FILTER_TEXT) {
		struct search_node *not = search_new(c, SEARCH_NOT);

		not->first = n->first->search;
		n->first->search = not;
		return n->first;
	}
	return n;
}

/* ---- keys ---- */

static void
put_search_key(struct buf *key, const struct search_node *s)
{
	put_u8(key, (uint8_t)s->op);
	put_u8(key, (uint8_t)s->list);
	put_span(key, s->name);
	put_span(key, s->text);
	for (const struct search_node *c = s->first; c != NULL; c = c->next)
		put_search_key(key, c);
	put_u8(key, 0xff);
}

static void
number_node(struct compiling *c, struct filter_node *n)
{
	struct filter *f = c->f;

	put_u8(&f->key, (uint8_t)n->op);
	put_u64(&f->key, (uint64_t)n->number);
	put_span(&f->key, n->keyword);
	put_varint(&f->key, n->n_ids);
	for (size_t i = 0; i < n->n_ids; i++)
		put_u64(&f->key, n->ids[i]);
	if (n->op == FILTER_TEXT)
		put_search_key(&f->key, n->search);
	if (n->op == FILTER_TEXT || n->op == FILTER_ATTACHMENT) {
		n->program.root = n->search;
		n->program.collation = SEARCH_UNICODE_CASEMAP;
		search_prepare(&n->program, 0, c->a);
		n->lookup = f->n_lookups++;
	}
	for (struct filter_node *x = n->first; x != NULL; x = x->next)
		number_node(c, x);
	put_u8(&f->key, 0xff);
}

static void
list_lookups(struct filter *f, struct filter_node *n)
{
	if (n->op == FILTER_TEXT || n->op == FILTER_ATTACHMENT)
		f->lookups[n->lookup] = n;
	for (struct filter_node *x = n->first; x != NULL; x = x->next)
		list_lookups(f, x);
}

bool
filter_compile(struct filter *f, const struct json *json, struct arena *a, const char **type,
    struct buf *why)
{
	struct compiling c = { f, a, type, why, false };

	*f = (struct filter){ 0 };
	f->root = json == NULL ? node_new(&c, FILTER_ALL) : put_filter(&c, json);
	if (f->root == NULL) {
		filter_fini(f);
		return false;
	}
	f->root = join(&c, f->root);
	number_node(&c, f->root);
	f->lookups = arena_array(a, f->n_lookups + 1, sizeof(struct filter_node *));
	list_lookups(f, f->root);
	return true;
}

static void
fini_node(struct filter_node *n)
{
	if (n->program.root != NULL)
		search_fini(&n->program);
	table_fini(&n->threads, NULL, NULL);
	for (struct filter_node *x = n->first; x != NULL; x = x->next)
		fini_node(x);
}

void
filter_fini(struct filter *f)
{
	if (f->root != NULL)
		fini_node(f->root);
	buf_fini(&f->key);
	*f = (struct filter){ 0 };
}

/* ---- judging ---- */

static void
bind(struct filter_node *n, const struct mirror *m)
{
	if (n->keyword.len > 0)
		n->mask = mirror_keyword(m, n->keyword);
	table_fini(&n->threads, NULL, NULL);
	for (size_t i = 0; i < n->n_ids; i++)
		n->boxes[i] = rows_box_find(&m->rows, n->ids[i]);
	for (struct filter_node *x = n->first; x != NULL; x = x->next)
		bind(x, m);
}

void
filter_bind(struct filter *f, const struct mirror *m)
{
	bind(f->root, m);
}

bool
filter_thread_all(const struct rows *r, const struct row *row, struct flags mask)
{
	const struct row *at = row;

	do {
		if (!filter_has(rows_flags(r, at), mask))
			return false;
		at = rows_row(r, at->next);
	} while (at != row);
	return true;
}

bool
filter_thread_some(const struct rows *r, const struct row *row, struct flags mask)
{
	const struct row *at = row;

	do {
		if (filter_has(rows_flags(r, at), mask))
			return true;
		at = rows_row(r, at->next);
	} while (at != row);
	return false;
}

/* All emails of a thread have the same answer: threads of thousands are looked at once. */
static bool
judge_thread(struct filter_node *n, const struct rows *r, const struct row *row)
{
	uintptr_t known;
	bool yes;

	if (row == rows_row(r, row->next))
		return filter_has(rows_flags(r, row), n->mask);
	known = (uintptr_t)table_get_u64(&n->threads, row->thread);
	if (known != 0)
		return known == 2;
	yes = n->op == FILTER_THREAD_ALL ? filter_thread_all(r, row, n->mask) :
	    filter_thread_some(r, row, n->mask);
	table_put_u64(&n->threads, row->thread, (void *)(uintptr_t)(yes ? 2 : 1));
	return yes;
}

static bool
in_other(const struct filter_node *n, const struct rows *r, const struct row *row)
{
	struct rows_seen s;

	for (unsigned i = 0; rows_at(r, row, i, &s); i++) {
		bool listed = false;

		for (size_t k = 0; k < n->n_ids && !listed; k++)
			listed = n->boxes[k] == s.box;
		if (!listed)
			return true;
	}
	return false;
}

static enum filter_answer
looked_up(const struct filter_node *n, const struct row *row)
{
	uintptr_t known;

	if (n->op == FILTER_ATTACHMENT && row->attachment != ROW_ATTACHMENT_UNKNOWN)
		return row->attachment == ROW_ATTACHMENT_SOME ? FILTER_YES : FILTER_NO;
	known = n->found != NULL ? (uintptr_t)table_get_u64(n->found, row->id) : 0;
	return known == 0 ? FILTER_UNKNOWN : known == FILTER_FOUND ? FILTER_YES : FILTER_NO;
}

static enum filter_answer
judge(struct filter_node *n, const struct rows *r, const struct row *row)
{
	enum filter_answer a, unknown;

	switch (n->op) {
	case FILTER_ALL:
		return FILTER_YES;
	case FILTER_AND:
	case FILTER_OR:
		unknown = n->op == FILTER_AND ? FILTER_YES : FILTER_NO;
		for (struct filter_node *x = n->first; x != NULL; x = x->next) {
			a = judge(x, r, row);
			if (a == (n->op == FILTER_AND ? FILTER_NO : FILTER_YES))
				return a;
			if (a == FILTER_UNKNOWN)
				unknown = a;
		}
		return unknown;
	case FILTER_NOT:
		a = judge(n->first, r, row);
		return a == FILTER_UNKNOWN ? a : a == FILTER_NO ? FILTER_YES : FILTER_NO;
	case FILTER_IN:
		return rows_in(r, row, n->boxes[0]) ? FILTER_YES : FILTER_NO;
	case FILTER_IN_OTHER:
		return in_other(n, r, row) ? FILTER_YES : FILTER_NO;
	case FILTER_BEFORE:
		return row->received_s * 1000 < n->number ? FILTER_YES : FILTER_NO;
	case FILTER_AFTER:
		return row->received_s * 1000 >= n->number ? FILTER_YES : FILTER_NO;
	case FILTER_MIN_SIZE:
		return row->size >= n->number ? FILTER_YES : FILTER_NO;
	case FILTER_MAX_SIZE:
		return row->size < n->number ? FILTER_YES : FILTER_NO;
	case FILTER_THREAD_ALL:
	case FILTER_THREAD_SOME:
		return judge_thread(n, r, row) ? FILTER_YES : FILTER_NO;
	case FILTER_KEYWORD:
		return filter_has(rows_flags(r, row), n->mask) ? FILTER_YES : FILTER_NO;
	default:
		return looked_up(n, row);
	}
}

enum filter_answer
filter_judge(struct filter *f, const struct mirror *m, const struct row *row)
{
	return judge(f->root, &m->rows, row);
}
