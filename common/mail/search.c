/* Judging a message by a search tree, with three answers. */
#include "common/mail/search.h"

#include "common/mime/columns.h"
#include "common/mime/field.h"
#include "common/util/buf.h"

bool
search_contains(struct span text, struct span needle)
{
	return needle.len == 0 || (text.len >= needle.len &&
	    memmem(text.p, text.len, needle.p, needle.len) != NULL);
}

static enum search_answer
answer(bool yes)
{
	return yes ? SEARCH_YES : SEARCH_NO;
}

static bool
value_contains(struct span value, struct span needle)
{
	struct buf text = { 0 };
	bool yes;

	if (needle.len == 0)
		return true;
	mime_search_value(value, &text);
	yes = search_contains(buf_span(&text), needle);
	buf_fini(&text);
	return yes;
}

static bool
addresses_contain(struct mime_seq list, struct span needle)
{
	struct buf text = { 0 };
	bool yes;

	mime_search_addresses(list, &text);
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

static enum search_answer
judge_header(const struct search_node *n, const struct search_message *m)
{
	struct span block = m->header, value;
	struct mime_field field;

	if ((m->has & SEARCH_HAS_LIST) && kept_value(m->list, n->name, &value))
		return answer(value.p != NULL && value_contains(value, n->text));
	if (!(m->has & SEARCH_HAS_TEXT))
		return SEARCH_UNKNOWN;
	while (mime_field_next(&block, &field)) {
		if (span_caseeq(field.name, n->name) && value_contains(field.value, n->text))
			return SEARCH_YES;
	}
	return SEARCH_NO;
}

static int32_t
day_of(int64_t s, int zone)
{
	int64_t local = s + (int64_t)zone * 60;

	return (int32_t)(local / 86400 - (local % 86400 < 0));
}

static enum search_answer
judge_list(const struct search_node *n, const struct search_message *m)
{
	const struct mime_list *l = m->list;
	int32_t day;

	if (!(m->has & SEARCH_HAS_LIST))
		return SEARCH_UNKNOWN;
	if (n->op == SEARCH_ADDRESS)
		return answer(l->env.lists[n->list].n > 0 &&
		    addresses_contain(l->env.lists[n->list], n->text));
	if (n->op == SEARCH_SUBJECT)
		return answer(value_contains(l->env.subject, n->text));
	if (!l->has_sent)
		return SEARCH_NO;
	day = day_of(l->sent_s, l->sent_zone);
	if (n->op == SEARCH_SENT_BEFORE)
		return answer(day < n->day);
	return answer(n->op == SEARCH_SENT_ON ? day == n->day : day >= n->day);
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
		return answer(m->keyword(m->arg, n->name));
	case SEARCH_MODSEQ:
		return answer(m->modseq >= n->number);
	case SEARCH_BEFORE:
		return answer(m->received_day < n->day);
	case SEARCH_ON:
		return answer(m->received_day == n->day);
	case SEARCH_SINCE:
		return answer(m->received_day >= n->day);
	case SEARCH_LARGER:
		return answer(m->size > n->number);
	default:
		return answer(m->size < n->number);
	}
}

static enum search_answer
judge_all(const struct search_node *n, const struct search_message *m, enum search_answer ends,
    enum search_answer otherwise)
{
	enum search_answer result = otherwise;

	for (const struct search_node *c = n->first; c != NULL; c = c->next) {
		enum search_answer a = search_judge(c, m);

		if (a == ends)
			return a;
		if (a == SEARCH_UNKNOWN)
			result = SEARCH_UNKNOWN;
	}
	return result;
}

enum search_answer
search_judge(const struct search_node *n, const struct search_message *m)
{
	enum search_answer a;

	switch (n->op) {
	case SEARCH_ALL:
		return SEARCH_YES;
	case SEARCH_AND:
		return judge_all(n, m, SEARCH_NO, SEARCH_YES);
	case SEARCH_OR:
		return judge_all(n, m, SEARCH_YES, SEARCH_NO);
	case SEARCH_NOT:
		a = search_judge(n->first, m);
		return a == SEARCH_UNKNOWN ? a : answer(a == SEARCH_NO);
	case SEARCH_UIDS:
	case SEARCH_SEQS:
		return answer(uidset_has(&n->uids, m->uid));
	case SEARCH_RECENT:
		return answer(m->recent);
	case SEARCH_FLAG:
	case SEARCH_KEYWORD:
	case SEARCH_MODSEQ:
	case SEARCH_BEFORE:
	case SEARCH_ON:
	case SEARCH_SINCE:
	case SEARCH_LARGER:
	case SEARCH_SMALLER:
		return judge_row(n, m);
	case SEARCH_SENT_BEFORE:
	case SEARCH_SENT_ON:
	case SEARCH_SENT_SINCE:
	case SEARCH_ADDRESS:
	case SEARCH_SUBJECT:
		return judge_list(n, m);
	case SEARCH_HEADER:
		return judge_header(n, m);
	case SEARCH_BODY:
		return !(m->has & SEARCH_HAS_TEXT) ? SEARCH_UNKNOWN :
		    answer(search_contains(m->body_text, n->text));
	case SEARCH_TEXT:
		return !(m->has & SEARCH_HAS_TEXT) ? SEARCH_UNKNOWN :
		    answer(search_contains(m->header_text, n->text) ||
		    search_contains(m->body_text, n->text));
	}
	return SEARCH_NO;
}

void
search_each(struct search_node *n, void (*fn)(struct search_node *n, void *arg), void *arg)
{
	fn(n, arg);
	for (struct search_node *c = n->first; c != NULL; c = c->next)
		search_each(c, fn, arg);
}

static void
add_need(struct search_node *n, void *arg)
{
	unsigned *needs = arg;

	if (n->op >= SEARCH_FLAG && n->op <= SEARCH_SMALLER)
		*needs |= SEARCH_HAS_ROW;
	else if (n->op >= SEARCH_SENT_BEFORE && n->op <= SEARCH_SUBJECT)
		*needs |= SEARCH_HAS_LIST;
	else if (n->op == SEARCH_HEADER)
		*needs |= SEARCH_HAS_LIST | SEARCH_HAS_TEXT;
	else if (n->op > SEARCH_HEADER)
		*needs |= SEARCH_HAS_TEXT;
}

unsigned
search_needs(const struct search_node *n)
{
	unsigned needs = 0;

	search_each((struct search_node *)n, add_need, &needs);
	return needs;
}

static void
fini_node(struct search_node *n, void *arg)
{
	uidset_fini(&n->uids);
}

void
search_fini(struct search_node *n)
{
	if (n != NULL)
		search_each(n, fini_node, NULL);
}
