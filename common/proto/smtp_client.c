#include "common/proto/smtp_client.h"

#include <string.h>

/* Replies ---------------------------------------------------------------------- */

/* What people read: one line of printable ASCII. */
static void
keep_text(struct smtp_reply *r, struct span words)
{
	size_t n = 0;

	words = span_trim(words);
	for (size_t i = 0; i < words.len && n < SMTP_REPLY_TEXT_MAX; i++) {
		unsigned char c = (unsigned char)words.p[i];

		r->text[n++] = c >= ' ' && c < 0x7f ? (char)c : '?';
	}
	r->text[n] = '\0';
}

enum smtp_reply_is
smtp_reply_line(struct smtp_reply *r, struct span line, struct span *words)
{
	unsigned code = 0;

	*words = SPAN_NONE;
	if (line.len < 3 || line.p[0] < '2' || line.p[0] > '5' || r->lines >= SMTP_REPLY_LINES_MAX)
		return SMTP_REPLY_BAD;
	for (int i = 0; i < 3; i++) {
		if (!ascii_isdigit(line.p[i]))
			return SMTP_REPLY_BAD;
		code = code * 10 + (unsigned)(line.p[i] - '0');
	}
	if (line.len > 3 && line.p[3] != ' ' && line.p[3] != '-')
		return SMTP_REPLY_BAD;
	if (r->lines > 0 && code != r->code)
		return SMTP_REPLY_BAD;
	*words = span_sub(line, 4, line.len);
	r->code = code;
	r->lines++;
	if (r->text[0] == '\0')
		keep_text(r, *words);
	return line.len > 3 && line.p[3] == '-' ? SMTP_REPLY_MORE : SMTP_REPLY_WHOLE;
}

/* Offers ----------------------------------------------------------------------- */

static void
offers_auth(struct smtp_offers *o, struct span names)
{
	while (names.p != NULL) {
		struct span name = span_cut(&names, ' ');

		if (span_caseeq_str(name, "PLAIN"))
			o->auth |= SMTP_AUTH_PLAIN;
		else if (span_caseeq_str(name, "LOGIN"))
			o->auth |= SMTP_AUTH_LOGIN;
		else if (span_caseeq_str(name, "SCRAM-SHA-256"))
			o->auth |= SMTP_AUTH_SCRAM_SHA_256;
	}
}

void
smtp_offers_line(struct smtp_offers *o, struct span words)
{
	struct span rest = span_trim(words), word = span_cut(&rest, ' ');
	uint64_t n;

	if (span_caseeq_str(word, "PIPELINING")) {
		o->pipelining = true;
	} else if (span_caseeq_str(word, "8BITMIME")) {
		o->eight_bit = true;
	} else if (span_caseeq_str(word, "SMTPUTF8")) {
		o->utf8 = true;
	} else if (span_caseeq_str(word, "DSN")) {
		o->dsn = true;
	} else if (span_caseeq_str(word, "STARTTLS")) {
		o->starttls = true;
	} else if (span_caseeq_str(word, "SIZE")) {
		o->size = true;
		if (span_u64(span_trim(rest), &n))
			o->size_max = n;
	} else if (span_caseeq_str(word, "DELIVERBY")) {
		o->deliver_by = true;
		if (span_u64(span_trim(rest), &n) && n <= 999999999)
			o->by_least_s = (int64_t)n;
	} else if (span_caseeq_str(word, "AUTH")) {
		offers_auth(o, rest);
	} else if (span_has_caseprefix(word, "AUTH=")) {
		/* as before RFC 2554; some still write both */
		offers_auth(o, span_sub(word, 5, word.len));
		offers_auth(o, rest);
	}
}

/* Commands --------------------------------------------------------------------- */

void
smtp_put_mail(struct buf *out, const struct smtp_mail *m, const struct smtp_offers *o)
{
	buf_add_str(out, "MAIL FROM:<");
	buf_add_span(out, m->from);
	buf_add_c(out, '>');
	if (o->size && m->size > 0)
		buf_addf(out, " SIZE=%llu", (unsigned long long)m->size);
	if (o->eight_bit)
		buf_add_str(out, " BODY=8BITMIME");
	if (o->utf8 && m->utf8)
		buf_add_str(out, " SMTPUTF8");
	if (o->dsn && m->ret != SMTP_RET_NONE)
		buf_add_str(out, m->ret == SMTP_RET_FULL ? " RET=FULL" : " RET=HDRS");
	if (o->dsn && m->envid.len > 0) {
		buf_add_str(out, " ENVID=");
		buf_add_span(out, m->envid);
	}
	if (o->deliver_by && (m->by_return || m->by_notify))
		buf_addf(out, " BY=%lld;%c%s", (long long)m->by_s, m->by_return ? 'R' : 'N',
		    m->by_trace ? "T" : "");
	buf_add_str(out, "\r\n");
}

void
smtp_put_rcpt(struct buf *out, const struct smtp_rcpt *r, const struct smtp_offers *o)
{
	buf_add_str(out, "RCPT TO:<");
	buf_add_span(out, r->address);
	buf_add_c(out, '>');
	if (o->dsn && r->notify != 0) {
		buf_add_str(out, " NOTIFY=");
		smtp_notify_put(out, r->notify);
	}
	if (o->dsn && r->orcpt.len > 0) {
		buf_add_str(out, " ORCPT=");
		buf_add_span(out, r->orcpt);
	}
	buf_add_str(out, "\r\n");
}

/* Text ------------------------------------------------------------------------- */

enum { S_START, S_INSIDE, S_CR };	/* CR: one came, and was not written yet */

static size_t
run_length(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && p[i] != '\r' && p[i] != '\n')
		i++;
	return i;
}

static void
line_end(struct smtp_send *t, struct buf *out)
{
	buf_add(out, "\r\n", 2);
	t->state = S_START;
	t->column = 0;
}

/* Bytes without a line's end among them. */
static void
add_run(struct smtp_send *t, const char *p, size_t n, struct buf *out)
{
	if (t->state == S_START && *p == '.')
		buf_add_c(out, '.');
	t->state = S_INSIDE;
	for (size_t i = 0; i < n && !t->eight_bit; i++)
		t->eight_bit = (unsigned char)p[i] > 127;
	while (n > 0) {
		size_t room = SMTP_TEXT_LINE_MAX - t->column, part = n < room ? n : room;

		buf_add(out, p, part);
		t->column += (unsigned)part;
		p += part;
		n -= part;
		if (n > 0) {
			buf_add(out, "\r\n ", 3);
			t->column = 1;
		}
	}
}

void
smtp_send_feed(struct smtp_send *t, struct span in, struct buf *out)
{
	size_t i = 0;

	while (i < in.len) {
		char c = in.p[i];
		size_t run;

		if (t->state == S_CR) {
			line_end(t, out);
			i += c == '\n';
			continue;
		}
		run = run_length(in.p + i, in.len - i);
		if (run > 0)
			add_run(t, in.p + i, run, out);
		else if (c == '\n')
			line_end(t, out);
		else
			t->state = S_CR;
		i += run > 0 ? run : 1;
	}
}

void
smtp_send_end(struct smtp_send *t, struct buf *out)
{
	if (t->state != S_START)
		line_end(t, out);
	buf_add(out, ".\r\n", 3);
}
