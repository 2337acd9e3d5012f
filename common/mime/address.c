/* One pass over tokens: atoms, quoted strings, comments, domain literals and specials are collected
 * until a comma, a colon or an angle bracket tells what they were. */
#include "common/mime/address.h"

#include <string.h>

#include "common/mime/field.h"
#include "common/util/mem.h"

struct state {
	struct arena	*a;
	struct span	s;		/* what is left */
	struct mime_addr *v;
	size_t		n, room;
	char		*words;		/* collected text, quotes removed; in one run of memory */
	size_t		n_words;
	char		*comments;	/* where the next comment's text goes */
	size_t		at;		/* where "@" stands in words, or SIZE_MAX */
	struct span	comment;	/* the last one */
	bool		blank;		/* blanks since the last word */
	bool		quoted;		/* words hold a quoted string */
	bool		group;
};

static void
push(struct state *st, struct mime_addr addr)
{
	if (st->n == MIME_ADDR_MAX)
		return;
	if (st->n == st->room) {
		size_t room = st->room == 0 ? 4 : st->room * 2;
		struct mime_addr *v = arena_array(st->a, room, sizeof(*v));

		if (st->n > 0)
			memcpy(v, st->v, st->n * sizeof(*v));
		st->v = v;
		st->room = room;
	}
	st->v[st->n++] = addr;
}

static void
reset_words(struct state *st)
{
	st->words += st->n_words;
	st->n_words = 0;
	st->at = SIZE_MAX;
	st->comment = SPAN_NONE;
	st->blank = false;
	st->quoted = false;
}

static void
take_comment(struct state *st)
{
	char *to = st->comments;
	size_t depth = 0, i, n = 0;

	for (i = 0; i < st->s.len; i++) {
		char c = st->s.p[i];

		if (c == '\\' && i + 1 < st->s.len)
			c = st->s.p[++i];
		else if (c == '(') {
			if (depth++ == 0)
				continue;
		} else if (c == ')' && --depth == 0) {
			i++;
			break;
		}
		to[n++] = c;
	}
	st->comments += n;
	st->comment = span_trim(span(to, n));
	st->s = span_sub(st->s, i, st->s.len - i);
}

/* A word of a phrase is parted from the one before by one blank, unless a dot or "@" joins them. */
static void
join(struct state *st, char first)
{
	char last = st->n_words > 0 ? st->words[st->n_words - 1] : 0;

	if (st->blank && st->n_words > 0 && last != '@' && first != '@' &&
	    !(last == '.' && st->at != SIZE_MAX) && !(first == '.' && st->at != SIZE_MAX))
		st->words[st->n_words++] = ' ';
	st->blank = false;
}

/* The words hold at most one byte more for each byte read: join() adds for a blank it has seen. */
static void
take_quoted(struct state *st)
{
	size_t i;

	join(st, '"');
	st->quoted = true;
	for (i = 1; i < st->s.len && st->s.p[i] != '"'; i++) {
		if (st->s.p[i] == '\\' && i + 1 < st->s.len)
			i++;
		st->words[st->n_words++] = st->s.p[i];
	}
	i += i < st->s.len;
	st->s = span_sub(st->s, i, st->s.len - i);
}

static void
take_atom(struct state *st)
{
	size_t i;

	join(st, st->s.p[0]);
	for (i = 0; i < st->s.len; i++) {
		char c = st->s.p[i];

		if (i > 0 && (c == ' ' || c == '\t' || strchr("()<>,;:\"[", c) != NULL))
			break;
		if (c == '@')		/* the last one parts, so that a@b@c keeps what it has */
			st->at = st->n_words;
		st->words[st->n_words++] = c;
	}
	st->s = span_sub(st->s, i, st->s.len - i);
}

static void
take_literal(struct state *st)
{
	size_t n = span_find(st->s, ']');

	n += n < st->s.len;
	join(st, '[');
	memcpy(st->words + st->n_words, st->s.p, n);
	st->n_words += n;
	st->s = span_sub(st->s, n, st->s.len - n);
}

static struct span
or_none(struct span s)
{
	return s.len > 0 ? s : SPAN_NONE;
}

/* What was collected is an address without angle brackets. */
static void
end_bare(struct state *st)
{
	struct mime_addr addr = { .kind = MIME_ADDR_MAILBOX };
	struct span w = span(st->words, st->n_words);

	addr.name = or_none(st->comment);
	if (st->at != SIZE_MAX) {
		addr.local = span_trim(span_sub(w, 0, st->at));
		addr.domain = span_trim(span_sub(w, st->at + 1, w.len));
	} else {
		addr.local = w;
		addr.domain = span("", 0);
	}
	if (w.len > 0)
		push(st, addr);
	reset_words(st);
}

/* Behind "<": "@a,@b:local@domain>". */
static void
take_angle(struct state *st)
{
	struct mime_addr addr = { .kind = MIME_ADDR_MAILBOX };
	struct span name = span(st->words, st->n_words), comment = st->comment;

	addr.quoted = st->quoted && name.len > 0;
	st->s = span_sub(st->s, 1, st->s.len - 1);
	reset_words(st);
	while (st->s.len > 0 && st->s.p[0] != '>') {
		char c = st->s.p[0];

		if (c == '(')
			take_comment(st);
		else if (c == '"')
			take_quoted(st);
		else if (c == '[')
			take_literal(st);
		else if (c == ':' && st->n_words > 0 && st->words[0] == '@') {
			addr.route = span(st->words, st->n_words);
			st->s = span_sub(st->s, 1, st->s.len - 1);
			comment = st->comment.len > 0 ? st->comment : comment;
			reset_words(st);
		} else if (c == ' ' || c == '\t') {
			st->blank = true;
			st->s = span_sub(st->s, 1, st->s.len - 1);
		} else
			take_atom(st);
	}
	st->s = span_sub(st->s, 1, st->s.len);
	if (st->at != SIZE_MAX) {
		addr.local = span_trim(span(st->words, st->at));
		addr.domain = span_trim(span(st->words + st->at + 1, st->n_words - st->at - 1));
	} else {
		addr.local = span(st->words, st->n_words);
		addr.domain = span("", 0);
	}
	/* Comments may follow; they name who has no name. */
	if (st->comment.len > 0)
		comment = st->comment;
	reset_words(st);
	while (st->s.len > 0 && st->s.p[0] != ',' && st->s.p[0] != ';' && st->s.p[0] != '<') {
		if (st->s.p[0] == '(')
			take_comment(st);
		else
			st->s = span_sub(st->s, 1, st->s.len - 1);
	}
	if (comment.len == 0)
		comment = st->comment;
	addr.name = or_none(name.len > 0 ? name : comment);
	push(st, addr);
	reset_words(st);
}

static void
end_group(struct state *st)
{
	end_bare(st);
	if (st->group)
		push(st, (struct mime_addr){ .kind = MIME_ADDR_GROUP_END });
	st->group = false;
}

size_t
mime_addresses(struct arena *a, struct span value, struct mime_addr **v)
{
	struct state st = { .a = a, .s = mime_unfold_arena(a, value) };

	/* Each byte read gives at most itself and a blank. */
	st.words = arena_alloc(a, 2 * st.s.len + 2);
	st.comments = arena_alloc(a, st.s.len + 1);
	reset_words(&st);
	while (st.s.len > 0 && st.n < MIME_ADDR_MAX - 2) {
		char c = st.s.p[0];

		if (c == '(')
			take_comment(&st);
		else if (c == '"')
			take_quoted(&st);
		else if (c == '[')
			take_literal(&st);
		else if (c == '<')
			take_angle(&st);
		else if (c == ':' && !st.group && st.at == SIZE_MAX) {
			struct mime_addr g = { .kind = MIME_ADDR_GROUP };

			g.local = span(st.words, st.n_words);
			g.quoted = st.quoted;
			push(&st, g);
			st.group = true;
			st.s = span_sub(st.s, 1, st.s.len - 1);
			reset_words(&st);
		} else if (c == ',' || c == ';') {
			st.s = span_sub(st.s, 1, st.s.len - 1);
			if (c == ';')
				end_group(&st);
			else
				end_bare(&st);
		} else if (c == ' ' || c == '\t') {
			st.blank = true;
			st.s = span_sub(st.s, 1, st.s.len - 1);
		} else if (c == '>' || c == ')')
			st.s = span_sub(st.s, 1, st.s.len - 1);
		else
			take_atom(&st);
	}
	end_group(&st);
	*v = st.v;
	return st.n;
}
