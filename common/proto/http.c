#include "common/proto/http.h"

#include <string.h>
#include <time.h>

#include "common/util/mem.h"

/* Characters ------------------------------------------------------------------------ */

/* RFC 9110 §5.6.2 */
static bool
is_tchar(unsigned char c)
{
	return ascii_isalnum(c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool
is_token(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_tchar((unsigned char)s.p[i]))
			return false;
	return s.len > 0;
}

/* Of a field's value: no controls but the tab. */
static bool
is_value(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

static struct span
trim_blanks(struct span s)
{
	while (s.len > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = span_sub(s, 1, s.len);
	while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* Heads ------------------------------------------------------------------------------- */

static enum status
refuse(unsigned *code, unsigned with)
{
	*code = with;
	return ST_SYNTAX;
}

static bool
good_target(struct span method, struct span t)
{
	for (size_t i = 0; i < t.len; i++)
		if ((unsigned char)t.p[i] <= ' ' || (unsigned char)t.p[i] >= 0x7f || t.p[i] == '#')
			return false;
	if (span_eq_str(t, "*"))
		return span_eq_str(method, "OPTIONS");
	return span_has_prefix(t, "/") || span_has_caseprefix(t, "http://") ||
	    span_has_caseprefix(t, "https://");
}

static enum status
parse_line(struct span line, struct http_head *h, unsigned *code)
{
	struct span rest = line;

	h->method = span_cut(&rest, ' ');
	if (rest.p == NULL)
		return refuse(code, 400);
	h->target = span_cut(&rest, ' ');
	if (rest.p == NULL || !is_token(h->method))
		return refuse(code, 400);
	if (rest.len != 8 || !span_has_prefix(rest, "HTTP/") || !ascii_isdigit(rest.p[5]) ||
	    rest.p[6] != '.' || !ascii_isdigit(rest.p[7]))
		return refuse(code, 400);
	if (rest.p[5] != '1')
		return refuse(code, 505);
	h->minor = rest.p[7] == '0' ? 0 : 1;
	if (span_eq_str(h->method, "CONNECT"))
		return refuse(code, 501);
	return good_target(h->method, h->target) ? ST_OK : refuse(code, 400);
}

static enum status
parse_field(struct span line, struct http_head *h, unsigned *code)
{
	struct span rest = line;
	struct http_field *f = &h->fields[h->n_fields];

	if (h->n_fields == HTTP_FIELDS_MAX)
		return refuse(code, 431);
	f->name = span_cut(&rest, ':');
	/* A line that begins with a blank goes on with the one before: its name is no token. */
	if (rest.p == NULL || !is_token(f->name) || !is_value(rest))
		return refuse(code, 400);
	f->value = trim_blanks(rest);
	h->n_fields++;
	return ST_OK;
}

bool
http_field(const struct http_field *f, size_t n, const char *name, struct span *value)
{
	for (size_t i = 0; i < n; i++)
		if (span_caseeq_str(f[i].name, name)) {
			*value = f[i].value;
			return true;
		}
	return false;
}

size_t
http_count(const struct http_field *f, size_t n, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += span_caseeq_str(f[i].name, name);
	return count;
}

bool
http_list_next(struct span *list, struct span *element)
{
	while (list->p != NULL && list->len > 0) {
		*element = trim_blanks(span_cut(list, ','));
		if (element->len > 0)
			return true;
	}
	return false;
}

bool
http_has_token(const struct http_field *f, size_t n, const char *name, const char *token)
{
	for (size_t i = 0; i < n; i++) {
		struct span list = f[i].value, e;

		if (!span_caseeq_str(f[i].name, name))
			continue;
		while (http_list_next(&list, &e)) {
			struct span rest = e;

			if (span_caseeq_str(trim_blanks(span_cut(&rest, ';')), token))
				return true;
		}
	}
	return false;
}

/* "q=0", "q=0.000": not at all. */
static bool
is_refused(struct span parameters)
{
	struct span q = trim_blanks(parameters);

	if (!span_has_caseprefix(q, "q=0"))
		return false;
	for (size_t i = 3; i < q.len; i++)
		if (q.p[i] != '.' && q.p[i] != '0')
			return false;
	return true;
}

bool
http_accepts_coding(const struct http_field *f, size_t n, const char *coding)
{
	bool any = false, named = false, good = false;

	for (size_t i = 0; i < n; i++) {
		struct span list = f[i].value, e;

		if (!span_caseeq_str(f[i].name, "Accept-Encoding"))
			continue;
		while (http_list_next(&list, &e)) {
			struct span name = trim_blanks(span_cut(&e, ';'));
			bool wanted = !is_refused(e);

			if (span_caseeq_str(name, coding)) {
				named = true;
				good = wanted;
			} else if (span_eq_str(name, "*")) {
				any = wanted;
			}
		}
	}
	return named ? good : any;
}

static enum status
judge_length(struct http_head *h, unsigned *code)
{
	uint64_t n = 0, one;
	bool any = false;

	for (size_t i = 0; i < h->n_fields; i++) {
		if (!span_caseeq_str(h->fields[i].name, "Content-Length"))
			continue;
		if (!span_u64(h->fields[i].value, &one) || (any && one != n))
			return refuse(code, 400);
		n = one;
		any = true;
	}
	if (!any)
		return ST_OK;
	h->body = n > 0 ? HTTP_LENGTH : HTTP_NO_BODY;
	h->length = n;
	return ST_OK;
}

static enum status
judge_coding(struct http_head *h, unsigned *code)
{
	struct span list, e;
	size_t n = http_count(h->fields, h->n_fields, "Transfer-Encoding");

	if (n == 0)
		return ST_OK;
	if (h->minor == 0 || n > 1 || http_count(h->fields, h->n_fields, "Content-Length") > 0 ||
	    !http_field(h->fields, h->n_fields, "Transfer-Encoding", &list))
		return refuse(code, 400);
	if (!http_list_next(&list, &e) || !span_caseeq_str(e, "chunked") || http_list_next(&list, &e))
		return refuse(code, 501);
	h->body = HTTP_CHUNKED;
	return ST_OK;
}

static enum status
judge_host(struct http_head *h, unsigned *code)
{
	size_t n = http_count(h->fields, h->n_fields, "Host");

	if (n > 1 || (n == 0 && h->minor > 0))
		return refuse(code, 400);
	if (n == 1)
		(void)http_field(h->fields, h->n_fields, "Host", &h->host);
	for (size_t i = 0; i < h->host.len; i++)
		if ((unsigned char)h->host.p[i] <= ' ' || strchr("/\\@?#\"<>", h->host.p[i]) != NULL)
			return refuse(code, 400);
	return ST_OK;
}

static enum status
judge(struct http_head *h, unsigned *code)
{
	struct span expect;
	enum status st = judge_host(h, code);

	if (st == ST_OK)
		st = judge_length(h, code);
	if (st == ST_OK)
		st = judge_coding(h, code);
	if (st != ST_OK)
		return st;
	h->keep = h->minor > 0 ? !http_has_token(h->fields, h->n_fields, "Connection", "close") :
	    http_has_token(h->fields, h->n_fields, "Connection", "keep-alive") &&
	    !http_has_token(h->fields, h->n_fields, "Connection", "close");
	h->upgrades = h->minor > 0 && http_has_token(h->fields, h->n_fields, "Connection", "upgrade");
	if (h->minor > 0 && http_field(h->fields, h->n_fields, "Expect", &expect)) {
		if (!span_caseeq_str(expect, "100-continue"))
			return refuse(code, 417);
		h->expects = h->body != HTTP_NO_BODY;
	}
	return ST_OK;
}

/* Empty lines in front of a request are passed over (RFC 9112 §2.2), two of them. */
static size_t
empty_lines(struct span in)
{
	size_t n = 0;

	while (n < 4 && in.len >= n + 2 && memcmp(in.p + n, "\r\n", 2) == 0)
		n += 2;
	return n;
}

/* A line end other than CRLF, or none where one would have to be by now. */
static enum status
judge_unfinished(struct span head, unsigned *code)
{
	const char *lf = memchr(head.p, '\n', head.len);

	if (lf != NULL && (lf == head.p || lf[-1] != '\r'))
		return refuse(code, 400);
	if (lf == NULL && head.len > HTTP_LINE_MAX)
		return refuse(code, 414);
	return head.len > HTTP_HEAD_MAX ? refuse(code, 431) : ST_UNAVAILABLE;
}

static enum status
parse(struct span head, struct http_head *h, unsigned *code)
{
	bool first = true;
	enum status st = ST_OK;

	while (st == ST_OK && head.len > 0) {
		const char *end = memchr(head.p, '\n', head.len);
		size_t n = end != NULL ? (size_t)(end - head.p) : 0;
		struct span line = span(head.p, n > 0 ? n - 1 : 0);

		if (n == 0 || head.p[n - 1] != '\r' || memchr(line.p, '\r', line.len) != NULL)
			return refuse(code, 400);
		if (first && line.len > HTTP_LINE_MAX)
			return refuse(code, 414);
		st = first ? parse_line(line, h, code) : parse_field(line, h, code);
		first = false;
		head = span_sub(head, n + 1, head.len);
	}
	return st == ST_OK ? judge(h, code) : st;
}

enum status
http_head_parse(struct span in, size_t *scanned, struct http_head *h, size_t *used, unsigned *code)
{
	size_t skip = empty_lines(in), from = *scanned > skip + 3 ? *scanned - 3 : skip;
	const char *end = in.len > from ? memmem(in.p + from, in.len - from, "\r\n\r\n", 4) : NULL;
	size_t n;

	*code = 0;
	if (end == NULL) {
		*scanned = in.len;
		return in.len == skip ? ST_UNAVAILABLE :
		    judge_unfinished(span_sub(in, skip, in.len), code);
	}
	n = (size_t)(end - in.p) + 2 - skip;
	if (n > HTTP_HEAD_MAX)
		return refuse(code, 431);
	memset(h, 0, offsetof(struct http_head, fields));
	h->n_fields = 0;
	h->host = SPAN_NONE;
	h->body = HTTP_NO_BODY;
	h->length = 0;
	h->keep = h->expects = h->upgrades = false;
	*used = skip + n + 2;
	*scanned = 0;
	return parse(span_sub(in, skip, n), h, code);
}

/* Chunks ----------------------------------------------------------------------------- */

enum {
	SIZE_FIRST, SIZE, EXTENSION, SIZE_LF, DATA, DATA_CR, DATA_LF, TRAILER_FIRST, TRAILER,
	TRAILER_LF, END_LF
};

/* A byte of the line with the size.  false: it cannot stand there. */
static bool
size_byte(struct http_chunks *c, char b)
{
	int digit = ascii_hex(b);

	if (c->state == EXTENSION) {
		if (b == '\r')
			c->state = SIZE_LF;
		return b == '\r' || b == '\t' || ((unsigned char)b >= ' ' && b != 0x7f);
	}
	if (digit >= 0) {
		if (c->left > UINT64_MAX >> 5)
			return false;
		c->left = c->left << 4 | (uint64_t)digit;
		c->state = SIZE;
		return true;
	}
	if (c->state == SIZE_FIRST)
		return false;
	c->state = b == '\r' ? SIZE_LF : EXTENSION;
	return b == '\r' || b == ';' || b == ' ' || b == '\t';
}

static bool
line_byte(struct http_chunks *c, char b)
{
	switch (c->state) {
	case SIZE_FIRST: case SIZE: case EXTENSION:
		return size_byte(c, b);
	case SIZE_LF:
		c->state = c->left > 0 ? DATA : TRAILER_FIRST;
		c->line = 0;
		return b == '\n';
	case DATA_CR:
		c->state = DATA_LF;
		return b == '\r';
	case DATA_LF:
		c->state = SIZE_FIRST;
		return b == '\n';
	case TRAILER_FIRST: case TRAILER:
		if (b == '\r')
			c->state = c->state == TRAILER_FIRST ? END_LF : TRAILER_LF;
		else
			c->state = TRAILER;
		return b == '\r' || b == '\t' || ((unsigned char)b >= ' ' && b != 0x7f);
	case TRAILER_LF:
		c->state = TRAILER_FIRST;
		return b == '\n';
	default:
		c->done = true;
		return b == '\n';
	}
}

enum status
http_chunks_next(struct http_chunks *c, struct span *in, struct span *data)
{
	*data = SPAN_NONE;
	while (in->len > 0 && !c->done) {
		if (c->state == DATA) {
			size_t n = c->left < in->len ? (size_t)c->left : in->len;

			*data = span_sub(*in, 0, n);
			*in = span_sub(*in, n, in->len);
			c->left -= n;
			if (c->left == 0)
				c->state = DATA_CR;
			return ST_OK;
		}
		if (c->state <= EXTENSION && ++c->line > HTTP_CHUNK_LINE_MAX)
			return ST_LIMIT;
		if (c->state >= TRAILER_FIRST && ++c->trailers > HTTP_TRAILERS_MAX)
			return ST_LIMIT;
		if (!line_byte(c, in->p[0]))
			return ST_SYNTAX;
		*in = span_sub(*in, 1, in->len);
	}
	return ST_OK;
}

/* Targets ------------------------------------------------------------------------------ */

void
http_target(struct span target, struct span *path, struct span *query)
{
	struct span rest = target;

	if (!span_has_prefix(target, "/") && target.len > 1) {
		size_t at = span_find(target, ':') + 3;		/* "http://" */

		rest = span_sub(target, at, target.len);
		at = span_find(rest, '/');
		if (span_find(rest, '?') < at)
			at = rest.len;
		rest = at < rest.len ? span_sub(rest, at, rest.len) : SPAN_LIT("/");
	}
	*path = span_cut(&rest, '?');
	*query = rest.p != NULL ? rest : SPAN_NONE;
}

bool
http_unescape(struct span s, struct buf *out)
{
	for (size_t i = 0; i < s.len; i++) {
		int hi, lo;

		if (s.p[i] != '%') {
			buf_add_c(out, s.p[i]);
			continue;
		}
		if (s.len - i < 3)
			return false;
		hi = ascii_hex(s.p[i + 1]);
		lo = ascii_hex(s.p[i + 2]);
		if (hi < 0 || lo < 0 || hi + lo == 0)
			return false;
		buf_add_c(out, (char)(hi << 4 | lo));
		i += 2;
	}
	return true;
}

void
http_escape(struct span s, struct buf *out)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (ascii_isalnum(c) || (c != '\0' && strchr("-._~", c) != NULL)) {
			buf_add_c(out, (char)c);
		} else {
			buf_add_c(out, '%');
			buf_add_c(out, hex[c >> 4]);
			buf_add_c(out, hex[c & 15]);
		}
	}
}

bool
http_query_get(struct span query, const char *name, struct span *value)
{
	while (query.p != NULL && query.len > 0) {
		struct span one = span_cut(&query, '&'), key = span_cut(&one, '=');

		if (!span_eq_str(key, name))
			continue;
		*value = one.p != NULL ? one : SPAN_NONE;
		return true;
	}
	return false;
}

/* Conditions and ranges ------------------------------------------------------------------ */

enum status
http_range(struct span value, uint64_t size, uint64_t *from, uint64_t *length)
{
	struct span first, last;
	uint64_t a = 0, b = 0;

	if (!span_has_caseprefix(value, "bytes="))
		return ST_NOT_FOUND;
	last = trim_blanks(span_sub(value, 6, value.len));
	if (span_find(last, ',') < last.len || span_find(last, '-') == last.len)
		return ST_NOT_FOUND;
	first = span_cut(&last, '-');
	if ((first.len > 0 && !span_u64(first, &a)) || (last.len > 0 && !span_u64(last, &b)) ||
	    (first.len == 0 && last.len == 0) || (first.len > 0 && last.len > 0 && b < a))
		return ST_NOT_FOUND;
	if (first.len == 0) {			/* the last b bytes */
		if (b == 0 || size == 0)
			return ST_LIMIT;
		*length = b < size ? b : size;
		*from = size - *length;
		return ST_OK;
	}
	if (a >= size)
		return ST_LIMIT;
	*from = a;
	*length = last.len > 0 && b < size - 1 ? b - a + 1 : size - a;
	return ST_OK;
}

static struct span
without_weak(struct span tag)
{
	return span_has_prefix(tag, "W/") ? span_sub(tag, 2, tag.len) : tag;
}

bool
http_etag_matches(struct span value, struct span etag)
{
	struct span one;

	if (span_eq_str(trim_blanks(value), "*"))
		return true;
	while (http_list_next(&value, &one))
		if (span_eq(without_weak(one), without_weak(etag)))
			return true;
	return false;
}

/* Answers --------------------------------------------------------------------------------- */

const char *
http_reason(unsigned code)
{
	static const struct { unsigned code; const char *text; } reasons[] = {
		{ 100, "Continue" }, { 101, "Switching Protocols" }, { 200, "OK" },
		{ 201, "Created" }, { 204, "No Content" }, { 206, "Partial Content" },
		{ 301, "Moved Permanently" }, { 304, "Not Modified" },
		{ 307, "Temporary Redirect" }, { 400, "Bad Request" }, { 401, "Unauthorized" },
		{ 403, "Forbidden" }, { 404, "Not Found" }, { 405, "Method Not Allowed" },
		{ 406, "Not Acceptable" }, { 408, "Request Timeout" }, { 409, "Conflict" },
		{ 411, "Length Required" }, { 412, "Precondition Failed" },
		{ 413, "Content Too Large" }, { 414, "URI Too Long" },
		{ 415, "Unsupported Media Type" }, { 416, "Range Not Satisfiable" },
		{ 417, "Expectation Failed" }, { 421, "Misdirected Request" },
		{ 426, "Upgrade Required" }, { 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" }, { 500, "Internal Server Error" },
		{ 501, "Not Implemented" }, { 503, "Service Unavailable" },
		{ 505, "HTTP Version Not Supported" }, { 507, "Insufficient Storage" }
	};

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].code == code)
			return reasons[i].text;
	return "Unknown";
}

void
http_date(int64_t seconds, struct buf *out)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t t = (time_t)seconds;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL)
		memset(&tm, 0, sizeof(tm));
	buf_addf(out, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", days + 3 * tm.tm_wday, tm.tm_mday,
	    months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}
