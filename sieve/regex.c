/* Patterns: read into a tree, then written out as a program. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sieve/regex_priv.h"

enum kind { EMPTY, CHAR, ANY, SET, LINE_START, LINE_END, GROUP, CONCAT, ALTERNATIVE, REPEAT };

struct node {
	enum kind		kind;
	uint32_t		c;		/* CHAR; GROUP: its number, 0: not remembered */
	const struct regex_set	*set;
	struct node		*a, *b;
	uint32_t		min, max;	/* REPEAT; UINT32_MAX: without end */
};

struct parser {
	struct arena	*arena;		/* of the expression */
	struct arena	tree;
	struct span	in;
	size_t		at;
	bool		fold;
	uint32_t	groups, depth;
	char		*error;		/* room for 120 */
	bool		failed, limit;
};

/* The first error stays.  NULL. */
__attribute__((format(printf, 2, 3)))
static struct node *
error(struct parser *p, const char *fmt, ...)
{
	va_list ap;

	if (!p->failed) {
		va_start(ap, fmt);
		vsnprintf(p->error, 120, fmt, ap);
		va_end(ap);
	}
	p->failed = true;
	return NULL;
}

uint32_t
sieve_regex_char(struct span s, size_t *len)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	unsigned char c = (unsigned char)s.p[0];
	size_t more = c >= 0xF0 && c < 0xF5 ? 3 : c >= 0xE0 ? 2 : 1;
	uint32_t v;

	*len = 1;
	if (c < 0x80)
		return c;
	if (c < 0xC2 || c >= 0xF5 || s.len <= more)
		return 0x110000u + c;
	v = c & (0x3Fu >> more);
	for (size_t i = 1; i <= more; i++) {
		unsigned char d = (unsigned char)s.p[i];

		if ((d & 0xC0) != 0x80)
			return 0x110000u + c;
		v = v << 6 | (d & 0x3Fu);
	}
	if (v < least[more] || v > 0x10FFFF || (v >= 0xD800 && v <= 0xDFFF))
		return 0x110000u + c;
	*len = more + 1;
	return v;
}

static bool
more(const struct parser *p)
{
	return p->at < p->in.len;
}

static bool
next_is(const struct parser *p, char c)
{
	return more(p) && p->in.p[p->at] == c;
}

static uint32_t
take_char(struct parser *p)
{
	size_t len;
	uint32_t c = sieve_regex_char(span_sub(p->in, p->at, p->in.len - p->at), &len);

	p->at += len;
	return c;
}

static struct node *
new_node(struct parser *p, enum kind kind)
{
	struct node *n = arena_zalloc(&p->tree, sizeof(*n));

	n->kind = kind;
	return n;
}

/* --- [...] ----------------------------------------------------------------------------------- */

static void
add_range(struct parser *p, struct regex_set *s, uint32_t from, uint32_t to)
{
	if ((s->n & (s->n - 1)) == 0) {		/* grows at powers of two */
		struct regex_range *v = arena_array(p->arena, s->n == 0 ? 1 : 2 * s->n, sizeof(*v));

		if (s->n > 0)
			memcpy(v, s->ranges, s->n * sizeof(*v));
		s->ranges = v;
	}
	s->ranges[s->n++] = (struct regex_range){ from, to };
}

/* Classes of the C locale. */
static const struct {
	const char		*name;
	struct regex_range	ranges[4];	/* ended by to 0 */
} classes[] = {
	{ "alnum", { { '0', '9' }, { 'A', 'Z' }, { 'a', 'z' } } },
	{ "alpha", { { 'A', 'Z' }, { 'a', 'z' } } },
	{ "blank", { { ' ', ' ' }, { '\t', '\t' } } },
	{ "cntrl", { { 0, 31 }, { 127, 127 } } },
	{ "digit", { { '0', '9' } } },
	{ "graph", { { 33, 126 } } },
	{ "lower", { { 'a', 'z' } } },
	{ "print", { { 32, 126 } } },
	{ "punct", { { 33, 47 }, { 58, 64 }, { 91, 96 }, { 123, 126 } } },
	{ "space", { { ' ', ' ' }, { '\t', '\r' } } },
	{ "upper", { { 'A', 'Z' } } },
	{ "xdigit", { { '0', '9' }, { 'A', 'F' }, { 'a', 'f' } } }
};

static bool
add_class(struct parser *p, struct regex_set *s, struct span name)
{
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		if (!span_eq_str(name, classes[i].name))
			continue;
		for (size_t k = 0; k < 4 && classes[i].ranges[k].to != 0; k++)
			add_range(p, s, classes[i].ranges[k].from, classes[i].ranges[k].to);
		return true;
	}
	error(p, "'[:%.*s:]' is no class of characters", (int)(name.len < 32 ? name.len : 32),
	    name.p);
	return false;
}

/* What stands between "[:", "[=" or "[." and its end. */
static bool
bracketed(struct parser *p, char sign, struct span *inner)
{
	size_t from = p->at + 2;

	for (size_t i = from; i + 1 < p->in.len; i++) {
		if (p->in.p[i] == sign && p->in.p[i + 1] == ']') {
			*inner = span_sub(p->in, from, i - from);
			p->at = i + 2;
			return true;
		}
	}
	error(p, "'[%c' has no '%c]'", sign, sign);
	return false;
}

/* One end of a range; false: it was a class, which is added, or an error. */
static bool
set_char(struct parser *p, struct regex_set *s, uint32_t *c)
{
	char sign = next_is(p, '[') && p->at + 1 < p->in.len ? p->in.p[p->at + 1] : '\0';
	struct span inner;
	size_t len;

	if (sign != ':' && sign != '=' && sign != '.') {
		*c = take_char(p);
		return true;
	}
	if (!bracketed(p, sign, &inner))
		return false;
	if (sign == ':') {
		add_class(p, s, inner);
		return false;
	}
	if (inner.len == 0 || (*c = sieve_regex_char(inner, &len), len != inner.len)) {
		error(p, "'[%c%.*s%c]' is not supported: expected one character", sign,
		    (int)(inner.len < 32 ? inner.len : 32), inner.p, sign);
		return false;
	}
	return true;
}

static bool
set_item(struct parser *p, struct regex_set *s)
{
	uint32_t from, to;

	if (!set_char(p, s, &from))
		return !p->failed;
	to = from;
	if (next_is(p, '-') && p->at + 1 < p->in.len && p->in.p[p->at + 1] != ']') {
		p->at++;
		if (!set_char(p, s, &to)) {
			error(p, "a range in '[...]' cannot end with a class");
			return false;
		}
		if (to < from) {
			error(p, "a range in '[...]' ends before it begins");
			return false;
		}
	}
	add_range(p, s, from, to);
	return true;
}

static bool
in_ranges(const struct regex_set *s, uint32_t c)
{
	for (size_t i = 0; i < s->n; i++)
		if (c >= s->ranges[i].from && c <= s->ranges[i].to)
			return true;
	return false;
}

bool
sieve_regex_in_set(const struct regex_set *s, uint32_t c)
{
	if (c < 128)
		return (s->ascii[c / 64] >> (c % 64) & 1) != 0;
	return in_ranges(s, c) != s->negated;
}

static void
fill_ascii(const struct parser *p, struct regex_set *s)
{
	for (uint32_t c = 0; c < 128; c++) {
		bool in = in_ranges(s, c);

		if (p->fold && ascii_isalpha((int)c))
			in = in || in_ranges(s, c ^ 32);
		if (in != s->negated)
			s->ascii[c / 64] |= UINT64_C(1) << (c % 64);
	}
}

/* Behind the "[". */
static struct node *
bracket(struct parser *p)
{
	struct regex_set *s = arena_zalloc(p->arena, sizeof(*s));
	struct node *n = new_node(p, SET);
	bool first = true;

	n->set = s;
	if (next_is(p, '^')) {
		s->negated = true;
		p->at++;
	}
	for (; more(p) && (first || !next_is(p, ']')); first = false)
		if (!set_item(p, s))
			return NULL;
	if (!more(p))
		return error(p, "'[' has no ']'");
	p->at++;
	fill_ascii(p, s);
	return n;
}

/* --- the rest -------------------------------------------------------------------------------- */

static struct node *alternatives(struct parser *p);

static struct node *
one_char(struct parser *p, uint32_t c)
{
	struct node *n = new_node(p, CHAR);

	n->c = p->fold && c < 128 ? (uint32_t)ascii_lower((char)c) : c;
	return n;
}

static struct node *
escape(struct parser *p)
{
	uint32_t c;

	if (!more(p))
		return error(p, "'\\' has nothing behind it");
	c = take_char(p);
	if (c >= 128 || c < 32 || ascii_isalnum((int)c)) {
		if (c == 'd' || c == 's' || c == 'w')
			return error(p, "'\\%c' is not supported: use '[[:%s:]]'", (char)c,
			    c == 'd' ? "digit" : c == 's' ? "space" : "alnum");
		if (c >= '1' && c <= '9')
			return error(p, "back-references like '\\%c' are not supported", (char)c);
		if (ascii_isalnum((int)c))
			return error(p, "'\\%c' is not supported", (char)c);
		return error(p, "'\\' stands before a character that needs none");
	}
	return one_char(p, c);
}

static struct node *
group(struct parser *p)
{
	struct node *n = new_node(p, GROUP);

	if (next_is(p, '?'))
		return error(p, "'(?' is not supported");
	if (++p->depth > SIEVE_REGEX_NESTED) {
		p->limit = true;
		return error(p, "groups are nested too deeply: at most %u are allowed",
		    SIEVE_REGEX_NESTED);
	}
	if (p->groups < SIEVE_REGEX_GROUPS)
		n->c = ++p->groups;
	n->a = alternatives(p);
	p->depth--;
	if (n->a == NULL)
		return NULL;
	if (!next_is(p, ')'))
		return error(p, "'(' has no ')'");
	p->at++;
	return n;
}

static struct node *
atom(struct parser *p)
{
	uint32_t c = take_char(p);

	switch (c) {
	case '.': return new_node(p, ANY);
	case '^': return new_node(p, LINE_START);
	case '$': return new_node(p, LINE_END);
	case '[': return bracket(p);
	case '(': return group(p);
	case '\\': return escape(p);
	case '*':
	case '+':
	case '?':
		return error(p, "'%c' has nothing before it to repeat", (char)c);
	case '{':
		return error(p, "'{' has nothing before it to repeat: write '\\{' for the character");
	default: return one_char(p, c);
	}
}

static bool
bound(struct parser *p, uint32_t *v)
{
	bool any = false;

	for (*v = 0; more(p) && ascii_isdigit((unsigned char)p->in.p[p->at]); p->at++) {
		*v = *v * 10 + (uint32_t)(p->in.p[p->at] - '0');
		any = true;
		if (*v > SIEVE_REGEX_REPEAT) {
			p->limit = true;
			error(p, "'{...}' repeats too often: at most %u times is allowed",
			    SIEVE_REGEX_REPEAT);
			return false;
		}
	}
	return any;
}

/* Behind the "{". */
static bool
bounds(struct parser *p, struct node *n)
{
	bool ok = bound(p, &n->min);

	n->max = n->min;
	if (ok && next_is(p, ',')) {
		p->at++;
		if (next_is(p, '}'))
			n->max = UINT32_MAX;
		else
			ok = bound(p, &n->max);
	}
	if (ok && next_is(p, '}') && n->max >= n->min) {
		p->at++;
		return true;
	}
	error(p, "expected '{n}', '{n,}' or '{n,m}': write '\\{' for the character");
	return false;
}

static bool
is_repeat(const struct parser *p)
{
	return more(p) && strchr("*+?{", p->in.p[p->at]) != NULL && p->in.p[p->at] != '\0';
}

static struct node *
repeated(struct parser *p)
{
	struct node *a = atom(p), *n;
	char c;

	if (a == NULL || !is_repeat(p))
		return a;
	n = new_node(p, REPEAT);
	n->a = a;
	c = p->in.p[p->at++];
	n->min = c == '+';
	n->max = c == '?' ? 1 : UINT32_MAX;
	if (c == '{' && !bounds(p, n))
		return NULL;
	if (is_repeat(p))
		return error(p, "'%c' stands behind another repeat: use '(...)' around the first",
		    p->in.p[p->at]);
	return n;
}

static struct node *
concatenation(struct parser *p)
{
	struct node *n = NULL;

	while (more(p) && !next_is(p, '|') && !(next_is(p, ')') && p->depth > 0)) {
		struct node *next, *both;

		if (next_is(p, ')'))
			return error(p, "')' has no '('");
		next = repeated(p);
		if (next == NULL)
			return NULL;
		if (n == NULL) {
			n = next;
			continue;
		}
		both = new_node(p, CONCAT);
		both->a = n;
		both->b = next;
		n = both;
	}
	return n != NULL ? n : new_node(p, EMPTY);
}

static struct node *
alternatives(struct parser *p)
{
	struct node *n = concatenation(p);

	while (n != NULL && next_is(p, '|')) {
		struct node *both = new_node(p, ALTERNATIVE);

		p->at++;
		both->a = n;
		both->b = concatenation(p);
		n = both->b != NULL ? both : NULL;
	}
	return n;
}

/* --- the program ----------------------------------------------------------------------------- */

struct writer {
	struct arena		*arena;
	struct sieve_regex	*re;
	uint32_t		room;
	bool			full;
};

static uint32_t
emit(struct writer *w, struct regex_inst i)
{
	if (w->re->n == SIEVE_REGEX_MAX) {
		w->full = true;
		return 0;
	}
	if (w->re->n == w->room) {
		struct regex_inst *v;

		w->room = w->room == 0 ? 32 : 2 * w->room;
		v = arena_array(w->arena, w->room, sizeof(*v));
		if (w->re->n > 0)
			memcpy(v, w->re->insts, w->re->n * sizeof(*v));
		w->re->insts = v;
	}
	w->re->insts[w->re->n] = i;
	return w->re->n++;
}

static void write_node(struct writer *w, const struct node *n);

/* Left-hand chains are long: they are walked, not recursed into. */
static void
write_chain(struct writer *w, const struct node *n)
{
	const struct node *k, **v;
	size_t len = 1, i;

	for (k = n; k->kind == CONCAT; k = k->a)
		len++;
	v = arena_array(w->arena, len, sizeof(const struct node *));
	for (k = n, i = len; k->kind == CONCAT; k = k->a)
		v[--i] = k->b;
	v[0] = k;
	for (i = 0; i < len && !w->full; i++)
		write_node(w, v[i]);
}

static void
write_alternatives(struct writer *w, const struct node *n)
{
	const struct node *k, **v;
	uint32_t *jumps;
	size_t len = 1, i;

	for (k = n; k->kind == ALTERNATIVE; k = k->a)
		len++;
	v = arena_array(w->arena, len, sizeof(const struct node *));
	jumps = arena_array(w->arena, len, sizeof(*jumps));
	for (k = n, i = len; k->kind == ALTERNATIVE; k = k->a)
		v[--i] = k->b;
	v[0] = k;
	for (i = 0; i < len && !w->full; i++) {
		uint32_t split = 0;

		if (i + 1 < len)
			split = emit(w, (struct regex_inst){ .op = RE_SPLIT });
		if (i + 1 < len && !w->full)
			w->re->insts[split].x = w->re->n;
		write_node(w, v[i]);
		if (i + 1 < len) {
			jumps[i] = emit(w, (struct regex_inst){ .op = RE_JUMP });
			w->re->insts[split].y = w->re->n;
		}
	}
	for (i = 0; i + 1 < len && !w->full; i++)
		w->re->insts[jumps[i]].x = w->re->n;
}

static void
write_repeat(struct writer *w, const struct node *n)
{
	uint32_t split, from;

	for (uint32_t i = 0; i < n->min && !w->full; i++)
		write_node(w, n->a);
	if (n->max == UINT32_MAX) {
		from = emit(w, (struct regex_inst){ .op = RE_SPLIT });
		write_node(w, n->a);
		emit(w, (struct regex_inst){ .op = RE_JUMP, .x = from });
		if (!w->full) {
			w->re->insts[from].x = from + 1;
			w->re->insts[from].y = w->re->n;
		}
		return;
	}
	for (uint32_t i = n->min; i < n->max && !w->full; i++) {
		split = emit(w, (struct regex_inst){ .op = RE_SPLIT });
		write_node(w, n->a);
		if (!w->full) {
			w->re->insts[split].x = split + 1;
			w->re->insts[split].y = w->re->n;
		}
	}
}

static void
write_node(struct writer *w, const struct node *n)
{
	switch (n->kind) {
	case EMPTY: break;
	case CHAR: emit(w, (struct regex_inst){ .op = RE_CHAR, .c = n->c }); break;
	case ANY: emit(w, (struct regex_inst){ .op = RE_ANY }); break;
	case SET: emit(w, (struct regex_inst){ .op = RE_SET, .set = n->set }); break;
	case LINE_START: emit(w, (struct regex_inst){ .op = RE_LINE_START }); break;
	case LINE_END: emit(w, (struct regex_inst){ .op = RE_LINE_END }); break;
	case CONCAT: write_chain(w, n); break;
	case ALTERNATIVE: write_alternatives(w, n); break;
	case REPEAT: write_repeat(w, n); break;
	case GROUP:
		if (n->c > 0)
			emit(w, (struct regex_inst){ .op = RE_SAVE, .c = 2 * n->c });
		write_node(w, n->a);
		if (n->c > 0)
			emit(w, (struct regex_inst){ .op = RE_SAVE, .c = 2 * n->c + 1 });
		break;
	}
}

/* --- the first byte -------------------------------------------------------------------------- */

static void
add_first(struct sieve_regex *re, unsigned char c)
{
	re->first[c / 64] |= UINT64_C(1) << (c % 64);
}

static void
first_of_char(struct sieve_regex *re, uint32_t c)
{
	if (c >= 128) {
		for (unsigned b = 128; b < 256; b++)
			add_first(re, (unsigned char)b);
		return;
	}
	add_first(re, (unsigned char)c);
	if (re->fold)
		add_first(re, (unsigned char)ascii_upper((char)c));
}

static void
first_bytes(struct sieve_regex *re, struct arena *a)
{
	bool *seen = arena_array(a, re->n, sizeof(*seen));
	uint32_t *stack = arena_array(a, 2 * (size_t)re->n + 1, sizeof(*stack));
	size_t n = 1;

	while (n > 0) {
		uint32_t pc = stack[--n];
		const struct regex_inst *i = &re->insts[pc];

		if (seen[pc])
			continue;
		seen[pc] = true;
		switch (i->op) {
		case RE_CHAR:
			first_of_char(re, i->c);
			break;
		case RE_SET:
			for (uint32_t c = 0; c < 128; c++)
				if (sieve_regex_in_set(i->set, c))
					add_first(re, (unsigned char)c);
			first_of_char(re, 128);
			break;
		case RE_SPLIT:
			stack[n++] = i->x;
			stack[n++] = i->y;
			break;
		case RE_JUMP:
			stack[n++] = i->x;
			break;
		case RE_SAVE:
			stack[n++] = pc + 1;
			break;
		case RE_ANY:
		case RE_LINE_START:
		case RE_LINE_END:
		case RE_MATCH:
			re->any_first = true;
			break;
		}
	}
}

struct sieve_regex *
sieve_regex_new(struct arena *a, struct span pattern, bool fold, char why[static 120],
    bool *limit)
{
	struct sieve_regex *re = arena_zalloc(a, sizeof(*re));
	struct parser p = { .arena = a, .in = pattern, .fold = fold, .error = why };
	struct writer w = { .arena = &p.tree, .re = re };
	struct node *n = alternatives(&p);

	if (n != NULL) {
		re->fold = fold;
		re->groups = p.groups;
		write_node(&w, n);
		emit(&w, (struct regex_inst){ .op = RE_MATCH });
		p.limit = w.full;
		if (w.full)
			error(&p, "it is too long: at most %u characters are allowed, repeats "
			    "written out", SIEVE_REGEX_MAX);
	}
	if (!p.failed) {
		re->insts = arena_dup(a, re->insts, re->n * sizeof(*re->insts));
		first_bytes(re, &p.tree);
	}
	arena_fini(&p.tree);
	if (limit != NULL)
		*limit = p.limit;
	return p.failed ? NULL : re;
}

size_t
sieve_regex_groups(const struct sieve_regex *re)
{
	return re->groups;
}
