#include "common/proto/smtp.h"

#include <string.h>

#include "common/util/mem.h"

static const struct {
	const char	*name;
	enum smtp_verb	verb;
} verbs[] = {
	{ "LHLO", SMTP_LHLO }, { "HELO", SMTP_HELO }, { "EHLO", SMTP_EHLO },
	{ "MAIL", SMTP_MAIL }, { "RCPT", SMTP_RCPT }, { "DATA", SMTP_DATA },
	{ "BDAT", SMTP_BDAT }, { "RSET", SMTP_RSET }, { "NOOP", SMTP_NOOP },
	{ "QUIT", SMTP_QUIT }, { "VRFY", SMTP_VRFY }, { "HELP", SMTP_HELP },
	{ "STARTTLS", SMTP_STARTTLS },
};

const char *
smtp_verb_name(enum smtp_verb v)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (verbs[i].verb == v)
			return verbs[i].name;
	return "unknown";
}

/* Addresses ------------------------------------------------------------------ */

static bool
is_atext(unsigned char c, bool utf8)
{
	return ascii_isalnum(c) || (c >= 0x80 ? utf8 : c != 0 && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* Length of the local part at the start of s, 0 when there is none. */
static size_t
local_part(struct span s, bool utf8)
{
	size_t n = 0;

	if (s.len > 0 && s.p[0] == '"') {
		for (n = 1; n < s.len && s.p[n] != '"'; n++) {
			if (s.p[n] == '\\' && ++n >= s.len)
				return 0;
			if ((unsigned char)s.p[n] < 0x20 || (unsigned char)s.p[n] == 0x7f ||
			    ((unsigned char)s.p[n] >= 0x80 && !utf8))
				return 0;
		}
		return n < s.len ? n + 1 : 0;
	}
	/* dots anywhere: what other servers once gave out must still get its mail */
	while (n < s.len && (s.p[n] == '.' || is_atext((unsigned char)s.p[n], utf8)))
		n++;
	return n;
}

static bool
domain_valid(struct span d, bool utf8)
{
	if (d.len == 0 || d.len > 255)
		return false;
	if (d.p[0] == '[') {
		for (size_t i = 1; i + 1 < d.len; i++)
			if (!ascii_isalnum(d.p[i]) && strchr(".:-", d.p[i]) == NULL)
				return false;
		return d.len > 2 && d.p[d.len - 1] == ']';
	}
	for (size_t i = 0; i < d.len; i++) {
		unsigned char c = (unsigned char)d.p[i];

		if (c == '.' && (i == 0 || i + 1 == d.len || d.p[i - 1] == '.'))
			return false;
		if (c != '.' && c != '-' && c != '_' && !ascii_isalnum(c) && !(c >= 0x80 && utf8))
			return false;
	}
	return true;
}

bool
smtp_address_valid(struct span a, bool utf8)
{
	size_t n = local_part(a, utf8);

	if (n == 0 || a.len > SMTP_PATH_MAX)
		return false;
	if (n == a.len)
		return true;
	return a.p[n] == '@' && domain_valid(span_sub(a, n + 1, a.len), utf8);
}

/* "<" [ source-route ":" ] address ">" at the start of *rest; cut off it. */
static enum smtp_error
take_path(struct span *rest, struct span *path)
{
	size_t n = 1;
	bool quoted = false;

	if (rest->len == 0 || rest->p[0] != '<')
		return SMTP_BAD_SYNTAX;
	for (; n < rest->len; n++) {
		if (rest->p[n] == '"')
			quoted = !quoted;
		else if (rest->p[n] == '\\' && quoted)
			n++;
		else if (rest->p[n] == '>' && !quoted)
			break;
	}
	if (n >= rest->len)
		return SMTP_BAD_SYNTAX;
	*path = span(rest->p + 1, n - 1);
	*rest = span_sub(*rest, n + 1, rest->len);
	if (path->len > 0 && path->p[0] == '@') {
		size_t colon = span_find(*path, ':');

		if (colon == path->len)
			return SMTP_BAD_ADDRESS;
		*path = span_sub(*path, colon + 1, path->len);
	}
	return SMTP_OK;
}

/* Commands ------------------------------------------------------------------- */

static bool
is_8bit(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return true;
	return false;
}

static bool
take_size(struct span v, struct smtp_command *c)
{
	return span_u64(v, &c->size);
}

static bool
take_utf8(struct span v, struct smtp_command *c)
{
	c->utf8 = true;
	return v.p == NULL;
}

static bool
take_body(struct span v, struct smtp_command *c)
{
	static const char *const names[] = { [SMTP_7BIT] = "7BIT", [SMTP_8BITMIME] = "8BITMIME",
	    [SMTP_BINARYMIME] = "BINARYMIME" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (span_caseeq_str(v, names[i])) {
			c->body = (enum smtp_body)i;
			return true;
		}
	return false;
}

static bool
take_auth(struct span v, struct smtp_command *c)
{
	struct buf b = { 0 };
	bool good = span_eq_str(v, "<>") || (v.len > 0 && smtp_xtext_decode(v, &b));

	c->auth = v;
	buf_fini(&b);
	return good;
}

static bool
take_ret(struct span v, struct smtp_command *c)
{
	return smtp_ret_parse(v, &c->ret);
}

static bool
take_envid(struct span v, struct smtp_command *c)
{
	struct buf b = { 0 };
	bool good = v.len > 0 && v.len <= SMTP_ENVID_MAX && smtp_xtext_decode(v, &b);

	c->envid = v;
	buf_fini(&b);
	return good;
}

static bool
take_by(struct span v, struct smtp_command *c)
{
	return smtp_by_parse(v, &c->by);
}

static bool
take_notify(struct span v, struct smtp_command *c)
{
	return smtp_notify_parse(v, &c->notify);
}

static bool
take_orcpt(struct span v, struct smtp_command *c)
{
	c->orcpt = v;
	return smtp_orcpt_good(v);
}

static const struct param {
	const char	*name;
	enum smtp_verb	of;
	unsigned	offer;		/* enum smtp_may; 0: always */
	/* v: what stands behind "=", p NULL without one. */
	bool		(*take)(struct span v, struct smtp_command *c);
	const char	*expected;
} params[] = {
	{ "SIZE", SMTP_MAIL, 0, take_size, "SIZE is a number of octets" },
	{ "BODY", SMTP_MAIL, 0, take_body, "BODY is 7BIT, 8BITMIME or BINARYMIME" },
	{ "SMTPUTF8", SMTP_MAIL, 0, take_utf8, "SMTPUTF8 has no value" },
	{ "AUTH", SMTP_MAIL, 0, take_auth, "AUTH is <> or an address as xtext" },
	{ "RET", SMTP_MAIL, SMTP_MAY_DSN, take_ret, "RET is FULL or HDRS" },
	{ "ENVID", SMTP_MAIL, SMTP_MAY_DSN, take_envid,
	    "ENVID is xtext of printable ASCII, 100 characters at most" },
	{ "BY", SMTP_MAIL, SMTP_MAY_BY, take_by,
	    "BY is seconds;N or seconds;R (a time to come), with a T behind it for a trace" },
	{ "NOTIFY", SMTP_RCPT, SMTP_MAY_DSN, take_notify,
	    "NOTIFY is NEVER, or of SUCCESS, FAILURE, DELAY with commas between them" },
	{ "ORCPT", SMTP_RCPT, SMTP_MAY_DSN, take_orcpt,
	    "ORCPT is a type, a semicolon and an address as xtext, 500 characters at most" },
};

static enum smtp_error
bad(struct smtp_command *c, enum smtp_error e, const char *why)
{
	c->why = why;
	return e;
}

static enum smtp_error
take_param(struct span p, unsigned may, struct smtp_command *c)
{
	struct span value = p, key = span_cut(&value, '=');

	for (size_t i = 0; i < ARRAY_LEN(params); i++) {
		const struct param *k = &params[i];

		if (k->of != c->verb || !span_caseeq_str(key, k->name))
			continue;
		if ((k->offer & ~may) != 0)
			return bad(c, SMTP_BAD_PARAM, "Parameter is not offered here");
		if ((c->seen & 1u << i) != 0)
			return bad(c, SMTP_BAD_SYNTAX, "A parameter is given twice");
		c->seen |= 1u << i;
		return k->take(value, c) ? SMTP_OK : bad(c, SMTP_BAD_SYNTAX, k->expected);
	}
	return SMTP_BAD_PARAM;
}

static enum smtp_error
parse_path(struct span rest, const char *word, unsigned may, struct smtp_command *c)
{
	enum smtp_error e;

	if (!span_has_caseprefix(rest, word))
		return SMTP_BAD_SYNTAX;
	rest = span_sub(rest, strlen(word), rest.len);
	while (rest.len > 0 && rest.p[0] == ' ')
		rest = span_sub(rest, 1, rest.len);
	if ((e = take_path(&rest, &c->path)) != SMTP_OK)
		return e;
	if (rest.len > 0 && rest.p[0] != ' ')
		return SMTP_BAD_SYNTAX;
	rest = span_trim(rest);
	while (rest.len > 0) {
		struct span p = span_cut(&rest, ' ');

		if (p.len == 0)
			continue;
		e = take_param(p, may, c);
		if (e != SMTP_OK)
			return e;
	}
	if (c->path.len == 0)
		return c->verb == SMTP_MAIL ? SMTP_OK : SMTP_BAD_ADDRESS;
	if (is_8bit(c->path) && !c->utf8 && (may & SMTP_MAY_UTF8) == 0)
		return SMTP_NEEDS_UTF8;
	return smtp_address_valid(c->path, true) ? SMTP_OK : SMTP_BAD_ADDRESS;
}

static enum smtp_error
parse_bdat(struct span rest, struct smtp_command *c)
{
	struct span number = span_cut(&rest, ' ');

	rest = span_trim(rest);
	c->last = span_caseeq_str(rest, "LAST");
	return span_u64(number, &c->size) && (rest.len == 0 || c->last) ? SMTP_OK : SMTP_BAD_SYNTAX;
}

void
smtp_parse(struct span line, unsigned may, struct smtp_command *c)
{
	struct span rest = line, verb = span_cut(&rest, ' ');

	memset(c, 0, sizeof(*c));
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (span_caseeq_str(span_trim(verb), verbs[i].name))
			c->verb = verbs[i].verb;
	c->arg = rest = span_trim(rest);
	switch (c->verb) {
	case SMTP_MAIL:
		c->error = parse_path(rest, "FROM:", may, c);
		break;
	case SMTP_RCPT:
		c->error = parse_path(rest, "TO:", may, c);
		break;
	case SMTP_BDAT:
		c->error = parse_bdat(rest, c);
		break;
	case SMTP_LHLO:
	case SMTP_HELO:
	case SMTP_EHLO:
		c->error = rest.len > 0 ? SMTP_OK : SMTP_BAD_SYNTAX;
		break;
	case SMTP_DATA:
	case SMTP_RSET:
	case SMTP_QUIT:
	case SMTP_STARTTLS:
		c->error = rest.len == 0 ? SMTP_OK : SMTP_BAD_SYNTAX;
		break;
	default:
		break;
	}
}

/* Text ----------------------------------------------------------------------- */

enum {
	T_LINE_START,	/* after a true CRLF, or at the very start */
	T_INSIDE,
	T_CR,		/* a CR inside; not written yet */
	T_DOT,		/* a dot at the start; not written yet */
	T_DOT_CR	/* and a CR behind it */
};

static void
add_plain(struct buf *out, char c)
{
	buf_add_c(out, c == '\0' ? (char)0x80 : c);
}

/* One byte in a state where nothing is held back. */
static uint8_t
plain_byte(char c, struct buf *out)
{
	if (c == '\r')
		return T_CR;
	if (c == '\n') {
		buf_add(out, "\r\n", 2);	/* bare LF: a line end, but no true one */
		return T_INSIDE;
	}
	add_plain(out, c);
	return T_INSIDE;
}

/* Most bytes are neither CR, LF nor NUL: they go in one piece. */
static size_t
run_length(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && p[i] != '\r' && p[i] != '\n' && p[i] != '\0')
		i++;
	return i;
}

size_t
smtp_text_feed(struct smtp_text *t, struct span in, struct buf *out)
{
	size_t i = 0;

	while (i < in.len && !t->done) {
		char c = in.p[i];
		size_t run;

		switch (t->state) {
		case T_INSIDE:
			run = run_length(in.p + i, in.len - i);
			if (run > 0) {
				buf_add(out, in.p + i, run);
				i += run;
				continue;
			}
			t->state = plain_byte(c, out);
			break;
		case T_LINE_START:
			t->state = c == '.' ? T_DOT : plain_byte(c, out);
			break;
		case T_CR:
			if (c == '\n') {
				buf_add(out, "\r\n", 2);
				t->state = T_LINE_START;
			} else {
				buf_add_c(out, '\r');
				t->state = plain_byte(c, out);
			}
			break;
		case T_DOT:
			/* a dot alone may be the end; before anything else it is dropped */
			t->state = c == '\r' ? T_DOT_CR : plain_byte(c, out);
			break;
		default:
			if (c == '\n') {
				t->done = true;
			} else {
				buf_add_c(out, '\r');
				t->state = plain_byte(c, out);
			}
		}
		i++;
	}
	return i;
}

void
smtp_chunk_feed(bool *cr, struct span in, struct buf *out)
{
	size_t i = 0;

	while (i < in.len) {
		size_t run = run_length(in.p + i, in.len - i);

		if (run > 0) {
			buf_add(out, in.p + i, run);
			*cr = false;
			i += run;
			continue;
		}
		if (in.p[i] == '\n' && !*cr)
			buf_add_c(out, '\r');
		add_plain(out, in.p[i]);
		*cr = in.p[i] == '\r';
		i++;
	}
}
