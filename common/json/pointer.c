#include "common/json/pointer.h"

#include <string.h>

struct steps {
	struct span	of[JSON_POINTER_STEPS];
	size_t		count;
	struct buf	text;
};

bool
json_pointer_unescape(struct span step, struct buf *out)
{
	for (size_t i = 0; i < step.len; i++) {
		if (step.p[i] != '~') {
			buf_add_c(out, step.p[i]);
			continue;
		}
		if (++i == step.len || (step.p[i] != '0' && step.p[i] != '1'))
			return false;
		buf_add_c(out, step.p[i] == '0' ? '~' : '/');
	}
	return true;
}

static bool
read_steps(struct steps *s, struct span pointer)
{
	size_t from[JSON_POINTER_STEPS + 1];

	if (pointer.len == 0)
		return true;
	buf_reserve(&s->text, 1);
	if (*pointer.p != '/')
		return false;
	pointer = span_sub(pointer, 1, pointer.len);
	do {
		if (s->count == JSON_POINTER_STEPS)
			return false;
		from[s->count++] = s->text.len;
		if (!json_pointer_unescape(span_cut(&pointer, '/'), &s->text))
			return false;
	} while (pointer.p != NULL);
	from[s->count] = s->text.len;
	for (size_t i = 0; i < s->count; i++)
		s->of[i] = span(s->text.data + from[i], from[i + 1] - from[i]);
	return true;
}

/* ---- walking over text ---- */

/* Behind the string that starts at p. */
static const char *
skip_string(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		if (*p == '\\')
			p++;
	return p < end ? p + 1 : end;
}

static const char *
skip_value(const char *p, const char *end)
{
	size_t depth = 0;

	if (p < end && *p == '"')
		return skip_string(p, end);
	while (p < end) {
		if (*p == '"') {
			p = skip_string(p, end);
			continue;
		}
		if (depth == 0 && (*p == ',' || *p == ']' || *p == '}'))
			break;
		depth += *p == '[' || *p == '{';
		if ((*p == ']' || *p == '}') && --depth == 0)
			return p + 1;
		p++;
	}
	return p;
}

static bool
is_blank_array(struct span v)
{
	return v.len == 2 && v.p[0] == '[';
}

/* Names are compared as written: our writer escapes one name in one way. */
static void
quote_name(struct span name, struct buf *out)
{
	buf_add_c(out, '"');
	for (size_t i = 0; i < name.len; i++) {
		if (name.p[i] == '"' || name.p[i] == '\\')
			buf_add_c(out, '\\');
		buf_add_c(out, name.p[i]);
	}
	buf_add_c(out, '"');
}

static bool
find_member(struct span object, struct span name, struct span *value)
{
	const char *p = object.p + 1, *end = object.p + object.len, *key;
	struct buf wanted = { 0 };
	bool found = false;

	quote_name(name, &wanted);
	while (!found && p < end && *p == '"') {
		key = p;
		p = skip_string(p, end);
		found = span_eq(span(key, (size_t)(p - key)), buf_span(&wanted));
		if (p == end)
			break;
		p++;			/* the colon */
		value->p = p;
		p = skip_value(p, end);
		value->len = (size_t)(p - value->p);
		if (p < end)
			p++;		/* the comma, or the end */
	}
	buf_fini(&wanted);
	return found;
}

/* The next item of an array; *at starts behind the bracket. */
static bool
next_item(const char **at, const char *end, struct span *item)
{
	const char *p = *at;

	if (p >= end || *p == ']')
		return false;
	*at = skip_value(p, end);
	*item = span(p, (size_t)(*at - p));
	if (*at < end && **at == ',')
		++*at;
	return item->len > 0;
}

static bool
find_item(struct span array, struct span step, struct span *item)
{
	const char *at = array.p + 1, *end = array.p + array.len;
	uint64_t n;

	if (!span_u64(step, &n) || (step.len > 1 && step.p[0] == '0'))
		return false;
	while (next_item(&at, end, item))
		if (n-- == 0)
			return true;
	return false;
}

/* ---- evaluation ---- */

/* flat: an array's items are wanted, without its brackets. */
static bool
evaluate(struct span v, const struct span *steps, size_t count, bool flat, struct buf *out)
{
	const char *at = v.p + 1, *end = v.p + v.len;
	struct span item;
	size_t start, before;

	if (v.len == 0)
		return false;
	if (count == 0) {
		if (flat && v.p[0] == '[')
			v = is_blank_array(v) ? SPAN_NONE : span_sub(v, 1, v.len - 2);
		buf_add_span(out, v);
		return true;
	}
	if (v.p[0] == '{')
		return find_member(v, steps[0], &item) &&
		    evaluate(item, steps + 1, count - 1, flat, out);
	if (v.p[0] != '[')
		return false;
	if (!span_eq_str(steps[0], "*"))
		return find_item(v, steps[0], &item) &&
		    evaluate(item, steps + 1, count - 1, flat, out);
	if (!flat)
		buf_add_c(out, '[');
	start = out->len;
	while (next_item(&at, end, &item)) {
		before = out->len;
		if (before > start)
			buf_add_c(out, ',');
		if (!evaluate(item, steps + 1, count - 1, true, out))
			return false;
		if (before > start && out->len == before + 1)
			buf_cut(out, before);
	}
	if (!flat)
		buf_add_c(out, ']');
	return true;
}

bool
json_pointer(struct span text, struct span pointer, struct buf *out)
{
	struct steps s = { .count = 0 };
	bool ok = read_steps(&s, pointer) && evaluate(text, s.of, s.count, false, out);

	buf_fini(&s.text);
	return ok;
}
