#include "lmtpd/replies.h"

#include <stdio.h>

#include "common/mime/charset.h"

#define REFUSAL_LINE	400u		/* octets of a line (RFC 5321 §4.5.3.1.5: 512 with all) */
#define REFUSAL_LINES	40u

void
replies_refusal(struct buf *out, const char *text)
{
	struct span rest = span_trim(span_str(text));

	for (unsigned i = 1;; i++) {
		size_t n = span_find(rest, '\n');
		struct span line = span_sub(rest, 0, n);
		bool last = n >= rest.len || i == REFUSAL_LINES;

		if (line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
		line = mime_utf8_cut(line, REFUSAL_LINE);
		buf_addf(out, "550%c5.7.1 ", last ? ' ' : '-');
		for (size_t k = 0; k < line.len; k++)
			buf_add_c(out, (unsigned char)line.p[k] < ' ' || line.p[k] == 0x7f ? ' ' : line.p[k]);
		buf_add(out, "\r\n", 2);
		if (last)
			return;
		rest = span_sub(rest, n + 1, rest.len);
	}
}

const char *
replies_status(const struct conf_lmtp *conf, enum status st)
{
	switch (st) {
	case ST_OK:
		return "250 2.1.5 Delivered";
	case ST_NOT_FOUND:
		return "550 5.1.1 No such user";
	case ST_OVER_QUOTA:
		return conf->over_quota == CONF_OVER_QUOTA_552 ?
		    "552 5.2.2 Mailbox is full" : "452 4.2.2 Mailbox is full";
	case ST_LIMIT:
		return "552 5.3.4 Message is too big";
	case ST_NO_SPACE:
		return "452 4.3.1 No room for new mail";
	case ST_SYNTAX:
		return "553 5.1.3 Address is not understood";
	case ST_CORRUPT:
	case ST_BUG:
		return "451 4.3.0 Internal error";
	default:
		return "451 4.3.0 Mail store is not available";
	}
}

const char *
replies_mistake(const struct smtp_command *c, char text[REPLIES_MISTAKE])
{
	switch (c->error) {
	case SMTP_BAD_ADDRESS:
		return c->verb == SMTP_MAIL ? "553 5.1.7 Address is not understood" :
		    "553 5.1.3 Address is not understood";
	case SMTP_NEEDS_UTF8:
		return "553 5.6.7 Address needs SMTPUTF8";
	case SMTP_BAD_PARAM:
		snprintf(text, REPLIES_MISTAKE, "555 5.5.4 %s",
		    c->why != NULL ? c->why : "Parameter is not known");
		return text;
	default:
		snprintf(text, REPLIES_MISTAKE, "501 5.5.4 %s",
		    c->why != NULL ? c->why : "Syntax error in arguments");
		return text;
	}
}
