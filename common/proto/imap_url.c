#include "common/proto/imap_url.h"

#include <string.h>

#include "common/mail/mailbox_name.h"

struct cursor {
	struct span	rest;
	struct arena	*arena;
	bool		bad;
};

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undoes percent encoding; NUL, CR and LF cannot be in anything that a URL names. */
static struct span
decoded(struct cursor *c, struct span in)
{
	struct buf out = { 0 };
	struct span s;

	for (size_t i = 0; i < in.len; i++) {
		int byte = (unsigned char)in.p[i];

		if (byte == '%') {
			int hi = i + 2 < in.len ? hex_value(in.p[i + 1]) : -1;
			int lo = hi >= 0 ? hex_value(in.p[i + 2]) : -1;

			byte = lo >= 0 ? hi * 16 + lo : 0;
			i += 2;
		}
		if (byte == 0 || byte == '\r' || byte == '\n')
			c->bad = true;
		else
			buf_add_c(&out, (char)byte);
	}
	s = arena_span(c->arena, buf_span(&out));
	buf_fini(&out);
	return s;
}

/* Takes a word (any case) from the front. */
static bool
take(struct cursor *c, const char *word)
{
	size_t n = strlen(word);

	if (c->rest.len < n || !span_caseeq(span_sub(c->rest, 0, n), span(word, n)))
		return false;
	c->rest = span_sub(c->rest, n, c->rest.len);
	return true;
}

/* Where a word stands (any case); the whole length: nowhere. */
static size_t
position(struct span s, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; n <= s.len && i <= s.len - n; i++) {
		if (span_caseeq(span_sub(s, i, n), span(word, n)))
			return i;
	}
	return s.len;
}

/* The run before any byte of `stops`. */
static struct span
until(struct cursor *c, const char *stops)
{
	size_t n = 0;
	struct span s;

	while (n < c->rest.len && strchr(stops, c->rest.p[n]) == NULL)
		n++;
	s = span_sub(c->rest, 0, n);
	c->rest = span_sub(c->rest, n, c->rest.len);
	return s;
}

static uint64_t
number(struct cursor *c)
{
	struct span s = until(c, ";/.");
	uint64_t v = 0;

	if (!span_u64(s, &v))
		c->bad = true;
	return v;
}

static uint32_t
nz_number(struct cursor *c)
{
	uint64_t v = number(c);

	if (v == 0 || v > UINT32_MAX)
		c->bad = true;
	return (uint32_t)v;
}

/* [user[;AUTH=mechanism]@]host[:port] */
static void
read_server(struct cursor *c, struct imap_url *u)
{
	struct span server = until(c, "/"), user;
	size_t at = span_find(server, '@'), colon;

	if (at < server.len) {
		user = span_sub(server, 0, at);
		server = span_sub(server, at + 1, server.len);
		user = span_sub(user, 0, position(user, ";AUTH="));
		u->user = decoded(c, user);
	}
	colon = server.len;
	while (colon > 0 && server.p[colon - 1] != ':' && server.p[colon - 1] != ']')
		colon--;
	if (colon > 0 && server.p[colon - 1] == ':') {
		if (!span_u32(span_sub(server, colon, server.len), &u->port) || u->port == 0 ||
		    u->port > UINT16_MAX)
			c->bad = true;
		server = span_sub(server, 0, colon - 1);
	}
	u->host = decoded(c, server);
	if (u->host.len == 0)
		c->bad = true;
}

static void
read_mailbox(struct cursor *c, struct imap_url *u)
{
	struct span name, raw = span_sub(c->rest, 0, position(c->rest, ";UID"));
	struct buf path = { 0 };

	c->rest = span_sub(c->rest, raw.len, c->rest.len);
	/* "/;UID" and ";UIDVALIDITY=1/;UID" both end the name. */
	if (raw.len > 0 && raw.p[raw.len - 1] == '/')
		raw.len--;
	if (take(c, ";UIDVALIDITY=")) {
		u->uidvalidity = nz_number(c);
		take(c, "/");
	}
	if (raw.len == 0)
		return;
	name = decoded(c, raw);
	if (c->bad || !mailbox_name_from_utf8(name, &path))
		c->bad = true;
	else
		u->mailbox = arena_span(c->arena, buf_span(&path));
	buf_fini(&path);
}

static void
read_section(struct cursor *c, struct imap_url *u)
{
	/* It may hold ";" and "/" only when encoded (RFC 5092 §11). */
	struct span text = decoded(c, until(c, ";/"));
	struct buf bracketed = { 0 };
	struct imap_args a;

	buf_add_c(&bracketed, '[');
	buf_add_span(&bracketed, text);
	buf_add_c(&bracketed, ']');
	imap_args_init(&a, arena_span(c->arena, buf_span(&bracketed)), c->arena);
	imap_args_section(&a, false, &u->section);
	if (text.len == 0 || !imap_args_end(&a))
		c->bad = true;
	buf_fini(&bracketed);
}

static void
read_partial(struct cursor *c, struct imap_url *u)
{
	u->partial = true;
	u->from = number(c);
	if (take(c, "."))
		u->length = nz_number(c);
}

/* "2026-11-21T10:00:00Z" (RFC 3339 §5.6), fractions of a second allowed. */
static int64_t
read_expiry(struct cursor *c)
{
	struct span date = until(c, ";");
	struct buf text = { 0 };
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct imap_args a;
	uint32_t month = 0;
	int64_t s = INT64_MIN;
	int16_t zone;
	size_t end;

	/* As the date-time of IMAP, whose reader knows the calendar. */
	if (date.len < 20 || (date.p[10] != 'T' && date.p[10] != 't') ||
	    !span_u32(span_sub(date, 5, 2), &month) || month < 1 || month > 12) {
		c->bad = true;
		return 0;
	}
	buf_addf(&text, "\"%.2s-%.3s-%.4s %.8s ", date.p + 8, months + (month - 1) * 3, date.p,
	    date.p + 11);
	end = 19;
	if (date.p[end] == '.') {
		end++;
		while (end < date.len && ascii_isdigit(date.p[end]))
			end++;
	}
	if (end + 1 == date.len && (date.p[end] == 'Z' || date.p[end] == 'z'))
		buf_add_str(&text, "+0000\"");
	else if (end + 6 == date.len && date.p[end + 3] == ':')
		buf_addf(&text, "%.3s%.2s\"", date.p + end, date.p + end + 4);
	imap_args_init(&a, buf_span(&text), c->arena);
	imap_args_date_time(&a, &s, &zone);
	if (!imap_args_end(&a))
		c->bad = true;
	buf_fini(&text);
	return s;
}

/* access = ("submit+" enc-user) / ("user+" enc-user) / "authuser" / "anonymous" */
static void
read_access(struct cursor *c, struct imap_url *u)
{
	struct cursor who = { .rest = until(c, ":"), .arena = c->arena };

	if (take(&who, "submit+"))
		u->access = URL_ACCESS_SUBMIT;
	else if (take(&who, "user+"))
		u->access = URL_ACCESS_USER;
	else if (take(&who, "authuser"))
		u->access = URL_ACCESS_AUTHUSER;
	else if (take(&who, "anonymous"))
		u->access = URL_ACCESS_ANONYMOUS;
	if (u->access == URL_ACCESS_SUBMIT || u->access == URL_ACCESS_USER) {
		u->access_user = decoded(&who, who.rest);
		who.bad |= u->access_user.len == 0;
		who.rest = SPAN_NONE;
	}
	c->bad |= who.bad || who.rest.len > 0 || u->access == URL_ACCESS_NONE;
}

static void
read_auth(struct cursor *c, struct imap_url *u, struct span whole)
{
	if (take(c, ";EXPIRE="))
		u->expires_s = read_expiry(c);
	if (!take(c, ";URLAUTH=")) {
		if (u->expires_s != INT64_MAX)
			c->bad = true;
		return;
	}
	read_access(c, u);
	u->rump = span(whole.p, whole.len - c->rest.len);
	if (c->rest.len == 0)
		return;
	c->rest = span_sub(c->rest, 1, c->rest.len);
	u->mechanism = until(c, ":");
	c->rest = span_sub(c->rest, 1, c->rest.len);
	u->token = c->rest;
	c->rest = SPAN_NONE;
	if (u->mechanism.len == 0 || u->token.len < 32)
		c->bad = true;
}

bool
imap_url_parse(struct span text, struct arena *arena, struct imap_url *u)
{
	struct cursor c = { .rest = text, .arena = arena };

	*u = (struct imap_url){ .expires_s = INT64_MAX, .section.what = IMAP_SECTION_ALL };
	if (text.len == 0 || text.len > IMAP_URL_MAX)
		return false;
	u->absolute = take(&c, "imap://");
	if (u->absolute)
		read_server(&c, u);
	u->relative = !take(&c, "/") && c.rest.len > 0 && c.rest.p[0] != ';';
	if (u->absolute && u->relative)
		return false;
	read_mailbox(&c, u);
	take(&c, "/");
	if (!take(&c, ";UID="))
		return false;
	u->uid = nz_number(&c);
	if (take(&c, "/;SECTION=") || take(&c, ";SECTION="))
		read_section(&c, u);
	if (take(&c, "/;PARTIAL=") || take(&c, ";PARTIAL="))
		read_partial(&c, u);
	take(&c, "/");
	read_auth(&c, u, text);
	return !c.bad && c.rest.len == 0 && (u->mailbox.p != NULL || !u->absolute);
}
