/* Matching: all ways through the program are followed side by side, one character after the other,
 * so that the work is at most the program's length times the text's. */
#include <string.h>

#include "common/util/mem.h"
#include "sieve/regex_priv.h"

#define NOT_SET UINT32_MAX

/* Ways that wait for the next character, in the order of preference. */
struct ways {
	uint32_t	n;
	uint32_t	*pc;
	uint32_t	*places;	/* n_places for each */
};

struct find {
	const struct sieve_regex *re;
	struct span	text;
	uint32_t	at;
	uint32_t	n_places;	/* 2 for the match and each group that is asked for; 0: none */
	struct ways	now, next;
	uint32_t	*seen;		/* by instruction: round in which a way came by */
	uint32_t	round;
	uint32_t	*places;	/* of the way that is followed */
	uint32_t	*best;
	bool		found;
	uint64_t	work;
};

static bool
line_start(const struct find *f)
{
	return f->at == 0 || f->text.p[f->at - 1] == '\n';
}

static bool
line_end(const struct find *f)
{
	const char *p = f->text.p + f->at;
	size_t left = f->text.len - f->at;

	return left == 0 || p[0] == '\n' || (left > 1 && p[0] == '\r' && p[1] == '\n');
}

static void
add_way(struct find *f, struct ways *w, uint32_t pc)
{
	w->pc[w->n] = pc;
	if (f->n_places > 0)
		memcpy(w->places + (size_t)w->n * f->n_places, f->places,
		    f->n_places * sizeof(*f->places));
	w->n++;
}

/* Follows what needs no character; as deep as the program is long. */
static void
follow(struct find *f, struct ways *w, uint32_t pc)
{
	const struct regex_inst *i;
	uint32_t old;

	for (;;) {
		if (f->seen[pc] == f->round)
			return;
		f->seen[pc] = f->round;
		f->work++;
		i = &f->re->insts[pc];
		switch (i->op) {
		case RE_JUMP:
			pc = i->x;
			continue;
		case RE_SPLIT:
			follow(f, w, i->x);
			pc = i->y;
			continue;
		case RE_SAVE:
			if (i->c >= f->n_places) {
				pc++;
				continue;
			}
			old = f->places[i->c];
			f->places[i->c] = f->at;
			follow(f, w, pc + 1);
			f->places[i->c] = old;
			return;
		case RE_LINE_START:
			if (!line_start(f))
				return;
			pc++;
			continue;
		case RE_LINE_END:
			if (!line_end(f))
				return;
			pc++;
			continue;
		case RE_CHAR:
		case RE_ANY:
		case RE_SET:
		case RE_MATCH:
			add_way(f, w, pc);
			return;
		}
	}
}

static bool
takes(const struct find *f, const struct regex_inst *i, uint32_t c)
{
	switch (i->op) {
	case RE_CHAR:
		return i->c == c || (f->re->fold && c < 128 &&
		    i->c == (uint32_t)(unsigned char)ascii_lower((char)c));
	case RE_ANY:
		return c != '\n';
	case RE_SET:
		return sieve_regex_in_set(i->set, c);
	case RE_SPLIT:
	case RE_JUMP:
	case RE_SAVE:
	case RE_LINE_START:
	case RE_LINE_END:
	case RE_MATCH:
		break;
	}
	return false;
}

/* A way arrived: it is the best when it is longer than the one before, which began as early. */
static void
arrived(struct find *f, const uint32_t *places)
{
	f->found = true;
	if (f->n_places == 0)
		return;
	memcpy(f->best, places, f->n_places * sizeof(*places));
	f->best[1] = f->at;
}

/* Passes the character c, len bytes long, or (len 0) only looks who arrived. */
static void
step(struct find *f, uint32_t c, uint32_t len)
{
	struct ways was = f->now;
	uint32_t here = f->at;

	f->next.n = 0;
	f->round++;
	for (uint32_t i = 0; i < was.n; i++) {
		const struct regex_inst *inst = &f->re->insts[was.pc[i]];
		const uint32_t *places = f->n_places > 0 ? was.places + (size_t)i * f->n_places : NULL;

		f->work++;
		/* What began later than a match is of no interest. */
		if (f->found && places != NULL && places[0] > f->best[0])
			break;
		if (inst->op == RE_MATCH) {
			arrived(f, places);
			if (f->n_places == 0)
				return;
			continue;
		}
		if (len == 0 || !takes(f, inst, c))
			continue;
		if (f->n_places > 0)
			memcpy(f->places, places, f->n_places * sizeof(*places));
		f->at = here + len;
		follow(f, &f->next, was.pc[i] + 1);
		f->at = here;
	}
	f->now = f->next;
	f->next = was;
}

/* A match may begin here: behind all that began before. */
static void
begin(struct find *f)
{
	for (uint32_t i = 0; i < f->n_places; i++)
		f->places[i] = NOT_SET;
	if (f->n_places > 0)
		f->places[0] = f->at;
	follow(f, &f->now, 0);
}

static bool
may_begin(const struct find *f)
{
	unsigned char c;

	if (f->re->any_first)
		return true;
	if (f->at == f->text.len)
		return false;
	c = (unsigned char)f->text.p[f->at];
	return (f->re->first[c / 64] >> (c % 64) & 1) != 0;
}

static enum sieve_regex_found
run(struct find *f, uint64_t max_work)
{
	for (;;) {
		uint32_t c = 0;
		size_t len = 0;

		if (f->work > max_work)
			return SIEVE_REGEX_LIMIT;
		if (f->now.n == 0)
			f->round++;	/* nobody came by here */
		if (!f->found && may_begin(f))
			begin(f);
		if (f->now.n == 0 && f->found)
			break;
		if (f->at < f->text.len)
			c = sieve_regex_char(span(f->text.p + f->at, f->text.len - f->at), &len);
		if (f->now.n > 0) {
			step(f, c, (uint32_t)len);
			if (f->found && f->n_places == 0)
				break;
		}
		if (len == 0)
			break;
		f->at += (uint32_t)len;
		f->work++;
	}
	return f->found ? SIEVE_REGEX_YES : SIEVE_REGEX_NO;
}

static void
tell(const struct find *f, struct span *captures, size_t max)
{
	for (size_t i = 0; i < max; i++) {
		uint32_t from = NOT_SET, to = NOT_SET;

		if (2 * i + 1 < f->n_places) {
			from = f->best[2 * i];
			to = f->best[2 * i + 1];
		}
		captures[i] = from == NOT_SET || to == NOT_SET || to < from ? SPAN_NONE :
		    span(f->text.p + from, to - from);
	}
}

enum sieve_regex_found
sieve_regex_find(const struct sieve_regex *re, struct span text, struct span *captures, size_t max,
    uint64_t *work)
{
	struct find f = { .re = re, .text = text };
	size_t n = re->n, groups = re->groups + 1u < max ? re->groups + 1u : max, ways;
	enum sieve_regex_found found;
	uint32_t *memory;

	if (text.p == NULL)
		f.text = span("", 0);
	if (text.len >= NOT_SET)
		return SIEVE_REGEX_LIMIT;
	f.n_places = (uint32_t)(2 * groups);
	ways = n + n * f.n_places;
	memory = mem_array(2 * ways + n + 2 * (size_t)f.n_places + 1, sizeof(*memory));
	f.now = (struct ways){ .pc = memory, .places = memory + n };
	f.next = (struct ways){ .pc = memory + ways, .places = memory + ways + n };
	f.seen = memory + 2 * ways;
	f.places = f.seen + n;
	f.best = f.places + f.n_places;
	found = run(&f, *work);
	*work = f.work < *work ? *work - f.work : 0;
	if (found == SIEVE_REGEX_YES)
		tell(&f, captures, max);
	mem_free(&memory);
	return found;
}
