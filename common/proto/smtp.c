#include "common/proto/smtp.h"

#include <string.h>

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

static enum smtp_error
mail_param(struct span p, struct smtp_command *c)
{
	struct span value = p, key = span_cut(&value, '=');

	if (span_caseeq_str(key, "SIZE"))
		return value.p != NULL && span_u64(value, &c->size) ? SMTP_OK : SMTP_BAD_SYNTAX;
	if (span_caseeq_str(key, "SMTPUTF8")) {
		c->utf8 = true;
		return value.p == NULL ? SMTP_OK : SMTP_BAD_SYNTAX;
	}
	if (span_caseeq_str(key, "BODY")) {
		if (span_caseeq_str(value, "7BIT"))
			c->body = SMTP_7BIT;
		else if (span_caseeq_str(value, "8BITMIME"))
			c->body = SMTP_8BITMIME;
		else if (span_caseeq_str(value, "BINARYMIME"))
			c->body = SMTP_BINARYMIME;
		else
			return SMTP_BAD_SYNTAX;
		return SMTP_OK;
	}
	return SMTP_BAD_PARAM;
}

static enum smtp_error
parse_path(struct span rest, const char *word, bool utf8_allowed, struct smtp_command *c)
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
		e = c->verb == SMTP_MAIL ? mail_param(p, c) : SMTP_BAD_PARAM;
		if (e != SMTP_OK)
			return e;
	}
	if (c->path.len == 0)
		return c->verb == SMTP_MAIL ? SMTP_OK : SMTP_BAD_ADDRESS;
	if (is_8bit(c->path) && !c->utf8 && !utf8_allowed)
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
smtp_parse(struct span line, bool utf8_allowed, struct smtp_command *c)
{
	struct span rest = line, verb = span_cut(&rest, ' ');

	memset(c, 0, sizeof(*c));
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (span_caseeq_str(span_trim(verb), verbs[i].name))
			c->verb = verbs[i].verb;
	c->arg = rest = span_trim(rest);
	switch (c->verb) {
	case SMTP_MAIL:
		c->error = parse_path(rest, "FROM:", utf8_allowed, c);
		break;
	case SMTP_RCPT:
		c->error = parse_path(rest, "TO:", utf8_allowed, c);
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
