#include "common/json/writer.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

void
json_writer_init(struct json_writer *w, struct buf *out)
{
	memset(w, 0, sizeof(*w));
	w->out = out;
}

/* Of the level at hand; level 0 is none. */
static bool
level_get(const struct json_writer *w, const uint64_t *bits)
{
	unsigned n = w->depth - 1;

	return w->depth > 0 && (bits[n / 64] >> n % 64 & 1) != 0;
}

static void
level_set(const struct json_writer *w, uint64_t *bits, bool on)
{
	unsigned n = w->depth - 1;
	uint64_t bit = UINT64_C(1) << n % 64;

	if (w->depth > 0)
		bits[n / 64] = on ? bits[n / 64] | bit : bits[n / 64] & ~bit;
}

/* What stands before a value. */
static void
before_value(struct json_writer *w)
{
	assert(w->after_key || !level_get(w, w->in_object));
	if (!w->after_key && level_get(w, w->not_first))
		buf_add_c(w->out, ',');
	level_set(w, w->not_first, true);
	w->after_key = false;
}

static void
begin(struct json_writer *w, char open, bool object)
{
	before_value(w);
	assert(w->depth < JSON_WRITER_DEPTH);
	buf_add_c(w->out, open);
	w->depth++;
	level_set(w, w->not_first, false);
	level_set(w, w->in_object, object);
}

static void
end(struct json_writer *w, char close, bool object)
{
	assert(w->depth > 0 && !w->after_key);
	assert(object == level_get(w, w->in_object));
	w->depth--;
	buf_add_c(w->out, close);
}

void
json_begin_object(struct json_writer *w)
{
	begin(w, '{', true);
}

void
json_end_object(struct json_writer *w)
{
	end(w, '}', true);
}

void
json_begin_array(struct json_writer *w)
{
	begin(w, '[', false);
}

void
json_end_array(struct json_writer *w)
{
	end(w, ']', false);
}

/* Length of the UTF-8 character at p (RFC 3629: no surrogates, nothing overlong), or
 * 0. */
static size_t
utf8_len(const unsigned char *p, size_t left)
{
	size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] <= 0xdf ? 2 :
	    (p[0] & 0xf0) == 0xe0 ? 3 : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4 : 0;

	if (n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

static bool
is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void
escape(struct buf *out, unsigned char c)
{
	static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";
	const char *at = NULL;

	for (size_t i = 0; i + 1 < sizeof(letters); i += 2)
		if (letters[i] == (char)c)
			at = &letters[i + 1];
	if (at != NULL)
		buf_addf(out, "\\%c", *at);
	else if (c < 0x20 || c == 0x7f)
		buf_addf(out, "\\u%04x", c);
	else
		buf_add_c(out, (char)c);
}

static void
quoted(struct buf *out, struct span s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t i = 0;

	buf_add_c(out, '"');
	while (i < s.len) {
		size_t run = 0, n;

		while (i + run < s.len && is_plain(p[i + run]))
			run++;
		buf_add(out, p + i, run);
		i += run;
		if (i == s.len)
			break;
		n = utf8_len(p + i, s.len - i);
		if (n == 1)
			escape(out, p[i]);
		else if (n > 1)
			buf_add(out, p + i, n);
		else
			buf_add_str(out, "\xef\xbf\xbd");
		i += n > 0 ? n : 1;
	}
	buf_add_c(out, '"');
}

void
json_key_span(struct json_writer *w, struct span key)
{
	assert(level_get(w, w->in_object) && !w->after_key);
	if (level_get(w, w->not_first))
		buf_add_c(w->out, ',');
	level_set(w, w->not_first, true);
	quoted(w->out, key);
	buf_add_c(w->out, ':');
	w->after_key = true;
}

void
json_key(struct json_writer *w, const char *key)
{
	json_key_span(w, span_str(key));
}

void
json_string(struct json_writer *w, struct span s)
{
	before_value(w);
	quoted(w->out, s);
}

void
json_str(struct json_writer *w, const char *s)
{
	if (s == NULL)
		json_null(w);
	else
		json_string(w, span_str(s));
}

void
json_int(struct json_writer *w, int64_t v)
{
	before_value(w);
	buf_addf(w->out, "%" PRId64, v);
}

void
json_uint(struct json_writer *w, uint64_t v)
{
	before_value(w);
	buf_add_u64(w->out, v);
}

void
json_bool(struct json_writer *w, bool v)
{
	before_value(w);
	buf_add_str(w->out, v ? "true" : "false");
}

void
json_null(struct json_writer *w)
{
	before_value(w);
	buf_add_str(w->out, "null");
}

void
json_raw(struct json_writer *w, struct span text)
{
	before_value(w);
	buf_add_span(w->out, text);
}

void
json_kv_string(struct json_writer *w, const char *key, struct span s)
{
	json_key(w, key);
	json_string(w, s);
}

void
json_kv_str(struct json_writer *w, const char *key, const char *s)
{
	json_key(w, key);
	json_str(w, s);
}

void
json_kv_int(struct json_writer *w, const char *key, int64_t v)
{
	json_key(w, key);
	json_int(w, v);
}

void
json_kv_uint(struct json_writer *w, const char *key, uint64_t v)
{
	json_key(w, key);
	json_uint(w, v);
}

void
json_kv_bool(struct json_writer *w, const char *key, bool v)
{
	json_key(w, key);
	json_bool(w, v);
}
