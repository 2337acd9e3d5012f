/* Judging a message by a search tree, with three answers. */
#include "common/mail/search.h"

#include "common/mime/charset.h"
#include "common/mime/field.h"
#include "common/util/buf.h"

bool
search_contains(struct span text, struct span needle)
{
	return needle.len == 0 || (text.len >= needle.len &&
	    memmem(text.p, text.len, needle.p, needle.len) != NULL);
}

void
search_map(enum search_collation c, struct span utf8, struct buf *out)
{
	char *to;

	if (c == SEARCH_UNICODE_CASEMAP) {
		mime_casemap(utf8, out);
	} else if (c == SEARCH_OCTET) {
		buf_add_span(out, utf8);
	} else if (utf8.len > 0) {
		to = buf_reserve(out, utf8.len);
		for (size_t i = 0; i < utf8.len; i++)
			to[i] = ascii_upper(utf8.p[i]);
		buf_added(out, utf8.len);
	}
}

static enum search_answer
answer(bool yes)
{
	return yes ? SEARCH_YES : SEARCH_NO;
}

void
search_add_value(enum search_collation c, struct span value, struct buf *out)
{
	struct buf line = { 0 }, utf8 = { 0 };

	mime_unfold(value, &line);
	mime_words_decode(buf_span(&line), &utf8);
	search_map(c, buf_span(&utf8), out);
	buf_fini(&line);
	buf_fini(&utf8);
}

static bool
value_contains(enum search_collation c, struct span value, struct span needle)
{
	struct buf text = { 0 };
	bool yes;

	if (needle.len == 0)
		return true;
	search_add_value(c, value, &text);
	yes = search_contains(buf_span(&text), needle);
	buf_fini(&text);
	return yes;
}

/* "Name <local@domain>, ..." as a reader would see it. */
static bool
addresses_contain(enum search_collation c, struct mime_seq list, struct span needle)
{
	struct buf text = { 0 };
	struct mime_addr a;
	bool yes;

	while (mime_seq_addr(&list, &a)) {
		struct buf plain = { 0 };

		search_add_value(c, a.name, &text);
		buf_add_str(&plain, " <");
		buf_add_span(&plain, a.local);
		if (a.domain.len > 0) {
			buf_add_c(&plain, '@');
			buf_add_span(&plain, a.domain);
		}
		buf_add_str(&plain, ">, ");
		search_map(c, buf_span(&plain), &text);
		buf_fini(&plain);
	}
	yes = search_contains(buf_span(&text), needle);
	buf_fini(&text);
	return yes;
}

/* Fields of which a message has one at most, as kept in the LIST blob. */
static bool
kept_value(const struct mime_list *l, struct span name, struct span *value)
{
	if (span_caseeq_str(name, "Message-ID"))
		*value = l->env.message_id;
	else if (span_caseeq_str(name, "In-Reply-To"))
		*value = l->env.in_reply_to;
	else if (span_caseeq_str(name, "Subject"))
		*value = l->env.subject;
	else
		return false;
	return true;
}

static const struct {
	const char		*name;
	enum mime_column	col;
} column_names[] = {
	{ "Subject", MIME_COL_SUBJECT }, { "Message-ID", MIME_COL_MESSAGE_ID },
	{ "In-Reply-To", MIME_COL_IN_REPLY_TO }
};

static const enum mime_column address_columns[MIME_ADDR_LISTS] = {
	[MIME_FROM] = MIME_COL_FROM, [MIME_SENDER] = MIME_COL_SENDER,
	[MIME_REPLY_TO] = MIME_COL_REPLY_TO, [MIME_TO] = MIME_COL_TO, [MIME_CC] = MIME_COL_CC,
	[MIME_BCC] = MIME_COL_BCC
};

/* The column that tells of a key; MIME_COLUMNS: none does. */
static enum mime_column
column_of(const struct search_node *n)
{
	if (n->op == SEARCH_ADDRESS)
		return address_columns[n->list];
	if (n->op == SEARCH_SUBJECT)
		return MIME_COL_SUBJECT;
	if (n->op == SEARCH_SENT_BEFORE || n->op == SEARCH_SENT_ON || n->op == SEARCH_SENT_SINCE)
		return MIME_COL_SENT;
	for (size_t i = 0; n->op == SEARCH_HEADER && i < sizeof(column_names) / sizeof(column_names[0]); i++) {
		if (span_caseeq_str(n->name, column_names[i].name))
			return column_names[i].col;
	}
	return MIME_COLUMNS;
}

static enum search_answer
judge_text_column(const struct search_node *n, struct span column)
{
	struct span text;
	bool cut;

	if (!mime_column_text(column, &text, &cut))
		return SEARCH_NO;
	if (search_contains(text, n->text))
		return SEARCH_YES;
	return cut ? SEARCH_UNKNOWN : SEARCH_NO;
}

static int32_t
day_of(int64_t s, int zone)
{
	int64_t local = s + (int64_t)zone * 60;

	return (int32_t)(local / 86400 - (local % 86400 < 0));
}

static enum search_answer
judge_sent(const struct search_node *n, int64_t sent_s, int zone)
{
	int32_t day = day_of(sent_s, zone);

	if (n->op == SEARCH_SENT_BEFORE)
		return answer(day < n->day);
	return answer(n->op == SEARCH_SENT_ON ? day == n->day : day >= n->day);
}

static enum search_answer
judge_column(const struct search_node *n, const struct search_message *m)
{
	enum mime_column c = column_of(n);
	int64_t sent_s;
	int zone;

	if (c == MIME_COLUMNS)
		return SEARCH_UNKNOWN;
	if (c != MIME_COL_SENT)
		return judge_text_column(n, m->columns[c]);
	if (!mime_column_sent(m->columns[c], &sent_s, &zone))
		return SEARCH_NO;
	return judge_sent(n, sent_s, zone);
}

static enum search_answer
judge_hit(const struct search_node *n, const struct search_message *m)
{
	if (m->hits != NULL && m->hits[n->slot] != 0)
		return SEARCH_YES;
	if ((m->has & SEARCH_HAS_PLAIN) && n->op != SEARCH_HEADER)
		return SEARCH_NO;
	return (m->has & SEARCH_HAS_TEXT) ? SEARCH_NO : SEARCH_UNKNOWN;
}

static enum search_answer
judge_header(const struct search_program *p, const struct search_node *n,
    const struct search_message *m)
{
	enum search_answer a = SEARCH_UNKNOWN;
	struct span value;

	if (m->has & SEARCH_HAS_COLUMNS)
		a = judge_column(n, m);
	if (a == SEARCH_UNKNOWN && (m->has & SEARCH_HAS_LIST) && kept_value(m->list, n->name, &value))
		a = answer(value.p != NULL && value_contains(p->collation, value, n->text));
	return a != SEARCH_UNKNOWN ? a : judge_hit(n, m);
}

static enum search_answer
judge_list(const struct search_program *p, const struct search_node *n,
    const struct search_message *m)
{
	const struct mime_list *l = m->list;
	enum search_answer a = SEARCH_UNKNOWN;

	if (m->has & SEARCH_HAS_COLUMNS)
		a = judge_column(n, m);
	if (a != SEARCH_UNKNOWN || !(m->has & SEARCH_HAS_LIST))
		return a;
	if (n->op == SEARCH_ATTACHMENT)
		return answer(l->has_attachment);
	if (n->op == SEARCH_ADDRESS)
		return answer(l->env.lists[n->list].n > 0 &&
		    addresses_contain(p->collation, l->env.lists[n->list], n->text));
	if (n->op == SEARCH_SUBJECT)
		return answer(l->env.subject.p != NULL &&
		    value_contains(p->collation, l->env.subject, n->text));
	return l->has_sent ? judge_sent(n, l->sent_s, l->sent_zone) : SEARCH_NO;
}

static enum search_answer
judge_ids(const struct search_node *n, const struct search_message *m)
{
	int32_t day = day_of(m->saved_s, 0);

	if (!(m->has & SEARCH_HAS_IDS))
		return SEARCH_UNKNOWN;
	switch (n->op) {
	case SEARCH_EMAIL_ID:
		return answer(m->email == n->number);
	case SEARCH_THREAD_ID:
		return answer(m->thread == n->number);
	case SEARCH_SAVED_BEFORE:
		return answer(day < n->day);
	case SEARCH_SAVED_ON:
		return answer(day == n->day);
	default:
		return answer(day >= n->day);
	}
}

static enum search_answer
judge_row(const struct search_node *n, const struct search_message *m)
{
	if (!(m->has & SEARCH_HAS_ROW))
		return SEARCH_UNKNOWN;
	switch (n->op) {
	case SEARCH_FLAG:
		return answer((m->flags & n->flag) != 0);
	case SEARCH_KEYWORD:
		return answer(n->bit >= 0 && flags_has_keyword(*m->all_flags, (unsigned)n->bit));
	case SEARCH_MODSEQ:
		return answer(m->modseq >= n->number);
	case SEARCH_BEFORE:
		return answer(m->received_day < n->day);
	case SEARCH_ON:
		return answer(m->received_day == n->day);
	case SEARCH_SINCE:
		return answer(m->received_day >= n->day);
	case SEARCH_OLDER:
		return answer(m->received_s <= n->when);
	case SEARCH_YOUNGER:
		return answer(m->received_s >= n->when);
	case SEARCH_LARGER:
		return answer(m->size > n->number);
	default:
		return answer(m->size < n->number);
	}
}

static enum search_answer judge(const struct search_program *p, const struct search_node *n,
    const struct search_message *m);

static enum search_answer
judge_all(const struct search_program *p, const struct search_node *n,
    const struct search_message *m, enum search_answer ends, enum search_answer otherwise)
{
	enum search_answer result = otherwise;

	for (const struct search_node *c = n->first; c != NULL; c = c->next) {
		enum search_answer a = judge(p, c, m);

		if (a == ends)
			return a;
		if (a == SEARCH_UNKNOWN)
			result = SEARCH_UNKNOWN;
	}
	return result;
}

static enum search_answer
judge(const struct search_program *p, const struct search_node *n, const struct search_message *m)
{
	enum search_answer a;

	switch (n->op) {
	case SEARCH_ALL:
		return SEARCH_YES;
	case SEARCH_AND:
		return judge_all(p, n, m, SEARCH_NO, SEARCH_YES);
	case SEARCH_OR:
		return judge_all(p, n, m, SEARCH_YES, SEARCH_NO);
	case SEARCH_NOT:
		a = judge(p, n->first, m);
		return a == SEARCH_UNKNOWN ? a : answer(a == SEARCH_NO);
	case SEARCH_FUZZY:
		return judge(p, n->first, m);
	case SEARCH_UIDS:
	case SEARCH_SEQS:
	case SEARCH_ANNOTATION:
		return answer(uidset_has(&n->uids, m->uid));
	case SEARCH_RECENT:
		return answer(m->recent);
	case SEARCH_SAVED_BEFORE:
	case SEARCH_SAVED_ON:
	case SEARCH_SAVED_SINCE:
	case SEARCH_EMAIL_ID:
	case SEARCH_THREAD_ID:
		return judge_ids(n, m);
	case SEARCH_SENT_BEFORE:
	case SEARCH_SENT_ON:
	case SEARCH_SENT_SINCE:
	case SEARCH_ATTACHMENT:
	case SEARCH_ADDRESS:
	case SEARCH_SUBJECT:
		return judge_list(p, n, m);
	case SEARCH_HEADER:
		return judge_header(p, n, m);
	case SEARCH_BODY:
	case SEARCH_TEXT:
		return judge_hit(n, m);
	default:
		return judge_row(n, m);
	}
}

enum search_answer
search_judge(const struct search_program *p, const struct search_message *m)
{
	return judge(p, p->root, m);
}

/* What is found in the header says more of a message than what is found in its text. */
static unsigned
relevancy(const struct search_program *p, const struct search_node *n,
    const struct search_message *m)
{
	unsigned best = 0, sum = 0, count = 0;

	switch (n->op) {
	case SEARCH_AND:
		for (const struct search_node *c = n->first; c != NULL; c = c->next, count++)
			sum += relevancy(p, c, m);
		return count > 0 ? sum / count : 100;
	case SEARCH_OR:
		for (const struct search_node *c = n->first; c != NULL; c = c->next) {
			unsigned r = judge(p, c, m) == SEARCH_YES ? relevancy(p, c, m) : 0;

			best = r > best ? r : best;
		}
		return best > 0 ? best : 1;
	case SEARCH_FUZZY:
		return relevancy(p, n->first, m);
	case SEARCH_BODY:
	case SEARCH_TEXT:
		return m->hits != NULL && (m->hits[n->slot] & SEARCH_HIT_HEADER) ? 90 : 50;
	default:
		return 100;
	}
}

unsigned
search_relevancy(const struct search_program *p, const struct search_message *m)
{
	return relevancy(p, p->root, m);
}

void
search_each(struct search_node *n, void (*fn)(struct search_node *n, void *arg), void *arg)
{
	fn(n, arg);
	for (struct search_node *c = n->first; c != NULL; c = c->next)
		search_each(c, fn, arg);
}

struct preparing {
	struct search_program	*p;
	int64_t			now_s;
	bool			no_column;	/* some LIST key has none */
};

static void
count_node(struct search_node *n, void *arg)
{
	struct preparing *pr = arg;
	struct search_program *p = pr->p;
	enum mime_column c;

	p->n_nodes++;
	if (n->op == SEARCH_HEADER || n->op == SEARCH_BODY || n->op == SEARCH_TEXT)
		n->slot = p->n_slots++;
	if (n->op == SEARCH_FUZZY)
		p->fuzzy = true;
	if (n->op >= SEARCH_SENT_BEFORE && n->op <= SEARCH_HEADER) {
		c = column_of(n);
		if (c != MIME_COLUMNS)
			p->columns |= 1u << c;
		if (c != MIME_COLUMNS || n->op != SEARCH_HEADER)
			p->needs |= SEARCH_HAS_LIST;
	}
	if (n->op >= SEARCH_HEADER && (n->op != SEARCH_HEADER || column_of(n) == MIME_COLUMNS))
		p->needs |= SEARCH_HAS_TEXT;
	if (n->op >= SEARCH_FLAG && n->op <= SEARCH_YOUNGER)
		p->needs |= SEARCH_HAS_ROW;
	if (n->op >= SEARCH_SAVED_BEFORE && n->op <= SEARCH_THREAD_ID)
		p->needs |= SEARCH_HAS_ROW | SEARCH_HAS_IDS;
	if (n->op == SEARCH_ALL || (n->op >= SEARCH_UIDS && n->op <= SEARCH_RECENT))
		p->sets = true;
	if (n->op == SEARCH_OLDER || n->op == SEARCH_YOUNGER)
		n->when = pr->now_s - (int64_t)n->number;
}

static void
take_slot(struct search_node *n, void *arg)
{
	struct search_program *p = arg;

	if (n->op == SEARCH_HEADER || n->op == SEARCH_BODY || n->op == SEARCH_TEXT)
		p->slots[n->slot] = n;
}

void
search_prepare(struct search_program *p, int64_t now_s, struct arena *a)
{
	struct preparing pr = { .p = p, .now_s = now_s };

	p->needs = p->n_nodes = p->n_slots = 0;
	p->columns = 0;
	p->sets = p->fuzzy = false;
	search_each(p->root, count_node, &pr);
	p->slots = arena_array(a, p->n_slots + 1, sizeof(*p->slots));
	search_each(p->root, take_slot, p);
	if (p->collation != SEARCH_UNICODE_CASEMAP)	/* columns are mapped by that one */
		p->columns &= 1u << MIME_COL_SENT;
}

struct resolving {
	int	(*bit)(void *arg, struct span name);
	void	*arg;
};

static void
resolve_keyword(struct search_node *n, void *arg)
{
	struct resolving *r = arg;

	if (n->op == SEARCH_KEYWORD)
		n->bit = r->bit(r->arg, n->name);
}

void
search_resolve_keywords(struct search_program *p, int (*bit)(void *arg, struct span name),
    void *arg)
{
	struct resolving r = { bit, arg };

	search_each(p->root, resolve_keyword, &r);
}

static void
fini_node(struct search_node *n, void *arg)
{
	uidset_fini(&n->uids);
}

void
search_fini(struct search_program *p)
{
	if (p->root != NULL)
		search_each(p->root, fini_node, NULL);
}
