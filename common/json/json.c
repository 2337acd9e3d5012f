/* A struct json is json-c's object under our name; nobody else sees json-c. */
#include "common/json/json.h"

#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "common/util/mem.h"

struct json_doc {
	struct json_object	*root;
};

static struct json_object *
obj(const struct json *v)
{
	return (struct json_object *)(uintptr_t)v;
}

static const struct json *
ours(struct json_object *o)
{
	return (const struct json *)o;
}

/* ---- the grammar of RFC 8259 ----
 * json-c's strict mode takes NaN, single quotes, comments and more.  It only sees
 * what was found to be JSON here (but for UTF-8, which it checks). */

struct scan {
	const char	*p, *end;
	size_t		members;	/* of all objects, so far */
	bool		half;		/* half a surrogate pair was met */
	bool		nul_name;	/* U+0000 in a name */
	bool		nul;		/* in the string read last */
};

static int
peek(const struct scan *s)
{
	return s->p < s->end ? (unsigned char)*s->p : -1;
}

static bool
take(struct scan *s, char c)
{
	if (peek(s) != c)
		return false;
	s->p++;
	return true;
}

static void
skip_blanks(struct scan *s)
{
	while (take(s, ' ') || take(s, '\t') || take(s, '\n') || take(s, '\r'))
		;
}

static bool
scan_word(struct scan *s, const char *word)
{
	while (*word != '\0')
		if (!take(s, *word++))
			return false;
	return true;
}

static bool
scan_digits(struct scan *s)
{
	const char *from = s->p;

	while (ascii_isdigit(peek(s)))
		s->p++;
	return s->p > from;
}

static bool
scan_number(struct scan *s)
{
	take(s, '-');
	if (!take(s, '0') && !scan_digits(s))
		return false;
	if (take(s, '.') && !scan_digits(s))
		return false;
	if (take(s, 'e') || take(s, 'E')) {
		if (!take(s, '+'))
			take(s, '-');
		return scan_digits(s);
	}
	return true;
}

/* The four digits behind \u. */
static bool
scan_unit(struct scan *s, unsigned *unit)
{
	*unit = 0;
	for (int i = 0; i < 4; i++) {
		if (peek(s) < 0 || ascii_hex(*s->p) < 0)
			return false;
		*unit = *unit * 16 + (unsigned)ascii_hex(*s->p++);
	}
	return true;
}

static bool
scan_escape(struct scan *s)
{
	unsigned unit, low;
	int c = peek(s);

	if (c <= 0 || strchr("\"\\/bfnrtu", c) == NULL)
		return false;
	s->p++;
	if (c != 'u')
		return true;
	if (!scan_unit(s, &unit))
		return false;
	s->nul |= unit == 0;
	if (unit < 0xd800 || unit > 0xdfff)
		return true;
	if (unit > 0xdbff || s->end - s->p < 2 || s->p[0] != '\\' || s->p[1] != 'u') {
		s->half = true;
		return true;
	}
	s->p += 2;
	if (!scan_unit(s, &low))
		return false;
	s->half |= low < 0xdc00 || low > 0xdfff;
	return true;
}

static bool
scan_string(struct scan *s)
{
	s->nul = false;
	if (!take(s, '"'))
		return false;
	while (!take(s, '"')) {
		if (peek(s) < 0x20)		/* control, or the end */
			return false;
		if (*s->p++ == '\\' && !scan_escape(s))
			return false;
	}
	return true;
}

static bool scan_value(struct scan *s, unsigned depth);

static bool
scan_members(struct scan *s, bool object, unsigned depth)
{
	const char close = object ? '}' : ']';

	s->p++;
	skip_blanks(s);
	if (take(s, close))
		return true;
	do {
		skip_blanks(s);
		if (object) {
			if (!scan_string(s))
				return false;
			s->members++;
			s->nul_name |= s->nul;
			skip_blanks(s);
			if (!take(s, ':'))
				return false;
		}
		if (!scan_value(s, depth))
			return false;
	} while (take(s, ','));
	return take(s, close);
}

/* With the blanks on both sides.  Recursion is bounded by depth. */
static bool
scan_value(struct scan *s, unsigned depth)
{
	bool ok;

	skip_blanks(s);
	switch (peek(s)) {
	case '{':
	case '[':
		ok = depth < JSON_DEPTH_MAX && scan_members(s, peek(s) == '{', depth + 1);
		break;
	case '"':
		ok = scan_string(s);
		break;
	case 't':
		ok = scan_word(s, "true");
		break;
	case 'f':
		ok = scan_word(s, "false");
		break;
	case 'n':
		ok = scan_word(s, "null");
		break;
	default:
		ok = scan_number(s);
	}
	skip_blanks(s);
	return ok;
}

static bool
is_json(struct scan *s, struct span text)
{
	s->p = text.p;
	s->end = text.p + text.len;
	return scan_value(s, 0) && s->p == s->end;
}

/* ---- parsing ---- */

static enum status
parse(struct span text, size_t max, struct scan *s, struct json_doc **doc)
{
	struct json_tokener *tok;
	struct json_object *root;
	bool ok;

	*doc = NULL;
	if (text.len > max || text.len >= INT32_MAX)
		return ST_LIMIT;
	if (text.len == 0 || !is_json(s, text))
		return ST_SYNTAX;
	tok = json_tokener_new_ex(JSON_DEPTH_MAX + 1);
	if (tok == NULL)
		abort();
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	root = json_tokener_parse_ex(tok, text.p, (int)text.len);
	if (json_tokener_get_error(tok) == json_tokener_continue)	/* a number may go on */
		root = json_tokener_parse_ex(tok, "", 1);
	ok = json_tokener_get_error(tok) == json_tokener_success;
	json_tokener_free(tok);
	if (!ok) {
		json_object_put(root);
		return ST_SYNTAX;
	}
	*doc = mem_zalloc(sizeof(**doc));
	(*doc)->root = root;
	return ST_OK;
}

enum status
json_parse(struct span text, size_t max, struct json_doc **doc)
{
	struct scan s = { 0 };

	return parse(text, max, &s, doc);
}

/* Members of all objects; recursion is bounded by JSON_DEPTH_MAX. */
static size_t
members_within(const struct json *v)
{
	const struct json *member;
	struct span key;
	void *pos = NULL;
	size_t n = 0;

	while (json_next(v, &pos, &key, &member))
		n += 1 + members_within(member);
	for (size_t i = 0; i < json_count(v); i++)
		n += members_within(json_item(v, i));
	return n;
}

enum status
json_parse_interop(struct span text, size_t max, struct json_doc **doc, const char **why)
{
	struct scan s = { 0 };
	enum status st = parse(text, max, &s, doc);

	*why = st == ST_LIMIT ? "it is too long" : "it is no JSON text in UTF-8, or nested too deep";
	if (st != ST_OK)
		return st;
	/* json-c keeps the last of two members with one name, so that some are missing then. */
	*why = s.half ? "it has half a surrogate pair" :
	    s.nul_name ? "a member's name has U+0000" :
	    members_within(json_root(*doc)) != s.members ? "a member stands twice in its object" :
	    NULL;
	if (*why == NULL)
		return ST_OK;
	json_free(doc);
	return ST_SYNTAX;
}

void
json_free(struct json_doc **doc)
{
	if (*doc == NULL)
		return;
	json_object_put((*doc)->root);
	mem_free(doc);
}

const struct json *
json_root(const struct json_doc *doc)
{
	return ours(doc->root);
}

bool
json_is_object(const struct json *v)
{
	return json_object_is_type(obj(v), json_type_object);
}

bool
json_is_array(const struct json *v)
{
	return json_object_is_type(obj(v), json_type_array);
}

bool
json_is_string(const struct json *v)
{
	return json_object_is_type(obj(v), json_type_string);
}

bool
json_is_number(const struct json *v)
{
	return json_object_is_type(obj(v), json_type_int) ||
	    json_object_is_type(obj(v), json_type_double);
}

bool
json_find(const struct json *v, const char *key, const struct json **value)
{
	struct json_object *o = NULL;

	if (!json_is_object(v) || !json_object_object_get_ex(obj(v), key, &o))
		return false;
	if (value != NULL)
		*value = ours(o);
	return true;
}

size_t
json_members(const struct json *v)
{
	return json_is_object(v) ? (size_t)json_object_object_length(obj(v)) : 0;
}

const struct json *
json_member(const struct json *v, const char *key)
{
	struct json_object *o = NULL;

	if (!json_is_object(v) || !json_object_object_get_ex(obj(v), key, &o))
		return NULL;
	return ours(o);
}

size_t
json_count(const struct json *v)
{
	return json_is_array(v) ? json_object_array_length(obj(v)) : 0;
}

const struct json *
json_item(const struct json *v, size_t i)
{
	return i < json_count(v) ? ours(json_object_array_get_idx(obj(v), i)) : NULL;
}

bool
json_as_string(const struct json *v, struct span *s)
{
	if (!json_object_is_type(obj(v), json_type_string))
		return false;
	*s = span(json_object_get_string(obj(v)), (size_t)json_object_get_string_len(obj(v)));
	return true;
}

/* json-c cuts what does not fit to the limits; those two numbers are lost with it. */
bool
json_as_int(const struct json *v, int64_t *n)
{
	int64_t i;

	if (!json_object_is_type(obj(v), json_type_int))
		return false;
	i = json_object_get_int64(obj(v));
	if (i == INT64_MAX || i == INT64_MIN)
		return false;
	*n = i;
	return true;
}

bool
json_as_uint(const struct json *v, uint64_t *n)
{
	uint64_t u;

	if (!json_object_is_type(obj(v), json_type_int) || json_object_get_int64(obj(v)) < 0)
		return false;
	u = json_object_get_uint64(obj(v));
	if (u == UINT64_MAX)
		return false;
	*n = u;
	return true;
}

bool
json_as_whole(const struct json *v, int64_t *n)
{
	const int64_t max = INT64_C(9007199254740991);
	double d;

	if (json_object_is_type(obj(v), json_type_double)) {
		d = json_object_get_double(obj(v));
		if (!(d >= -(double)max && d <= (double)max) || d != (double)(int64_t)d)
			return false;
		*n = (int64_t)d;
		return true;
	}
	return json_as_int(v, n) && *n >= -max && *n <= max;
}

bool
json_as_bool(const struct json *v, bool *b)
{
	if (!json_object_is_type(obj(v), json_type_boolean))
		return false;
	*b = json_object_get_boolean(obj(v));
	return true;
}

bool
json_get_string(const struct json *v, const char *key, struct span *s)
{
	return json_as_string(json_member(v, key), s);
}

bool
json_get_int(const struct json *v, const char *key, int64_t *n)
{
	return json_as_int(json_member(v, key), n);
}

bool
json_get_uint(const struct json *v, const char *key, uint64_t *n)
{
	return json_as_uint(json_member(v, key), n);
}

bool
json_get_bool(const struct json *v, const char *key, bool *b)
{
	return json_as_bool(json_member(v, key), b);
}

bool
json_next(const struct json *v, void **pos, struct span *key, const struct json **value)
{
	struct lh_entry *e;

	if (!json_is_object(v))
		return false;
	e = *pos != NULL ? lh_entry_next((struct lh_entry *)*pos) :
	    json_object_get_object(obj(v))->head;
	if (e == NULL)
		return false;
	*pos = e;
	*key = span_str(lh_entry_k(e));
	*value = ours((struct json_object *)lh_entry_v(e));
	return true;
}

/* A double keeps the text it was read from. */
bool
json_number_text(const struct json *v, struct span *text)
{
	if (!json_is_number(v))
		return false;
	*text = span_str(json_object_to_json_string_ext(obj(v), JSON_C_TO_STRING_PLAIN));
	return true;
}
