#include "filter/dsn.h"

#include "common/crypto/encode.h"
#include "common/crypto/random.h"
#include "common/mime/charset.h"
#include "common/mime/date.h"
#include "common/mime/report.h"
#include "common/mime/write.h"
#include "common/proto/smtp_params.h"
#include "common/util/mem.h"

#define HEADER_MAX	65536u		/* of the message, in a report */

/* What is due ----------------------------------------------------------------------- */

bool
dsn_is_alias(const struct dsn_fate *f)
{
	return f->passed == 1 && !f->ended;
}

static bool
may_tell(const struct dsn *d, uint8_t condition)
{
	return d->notify == 0 || (d->notify & condition) != 0;
}

unsigned
dsn_due(const struct dsn *d, const struct dsn_fate *f, int64_t now_ms)
{
	bool late = d->by_ms <= now_ms;
	unsigned due = 0;

	if ((d->notify & QUEUE_NOTIFY_SUCCESS) != 0 && !dsn_is_alias(f))
		due |= f->ended || f->passed == 0 ? DSN_DELIVERED : DSN_EXPANDED;
	else if ((d->notify & QUEUE_NOTIFY_SUCCESS) != 0 && f->deaf)	/* §5.2.2 (b), §5.2.4 (b) */
		due |= DSN_RELAYED;
	/* RFC 2852 §4.1.3: of a time that was over before somebody else has told */
	if ((d->by & QUEUE_BY_NOTIFY) != 0 && !d->by_over && late &&
	    may_tell(d, QUEUE_NOTIFY_DELAY))
		due |= DSN_DELAYED;
	/* §4.1.4, and §4.1.4.2: whether the next one can keep the time nobody knows yet */
	if (((d->by & QUEUE_BY_TRACE) != 0 || ((d->by & QUEUE_BY_NOTIFY) != 0 && !late)) && f->passed > 0 && d->notify != QUEUE_NOTIFY_NEVER)
		due |= DSN_RELAYED;
	return due;
}

bool
dsn_wants(const struct dsn *d)
{
	return (d->notify & QUEUE_NOTIFY_SUCCESS) != 0 || d->by != 0;
}

/* RFC 3461 §5.2.7.3 (c): of several addresses none is to report a success that was reported here. */
static uint8_t
notify_on(const struct dsn *d, bool alias)
{
	uint8_t n = d->notify;

	if (alias || (n & QUEUE_NOTIFY_SUCCESS) == 0)
		return n;
	n &= (uint8_t)~QUEUE_NOTIFY_SUCCESS;
	return n != 0 ? n : QUEUE_NOTIFY_NEVER;
}

void
dsn_pass_on(const struct dsn *d, const struct dsn_fate *f, int64_t now_ms,
    struct store_envelope *env, struct store_queue_rcpt *to, struct buf *orcpt)
{
	env->envid = d->envid;
	env->ret = d->ret;
	env->by = d->by;
	env->by_ms = d->by != 0 ? d->by_ms - now_ms : 0;
	to->notify = notify_on(d, dsn_is_alias(f));
	if (d->orcpt.len > 0 && smtp_orcpt_ascii(d->orcpt, orcpt))
		to->orcpt = buf_span(orcpt);
}

/* Reports --------------------------------------------------------------------------- */

static const struct wording {
	unsigned	bit;
	const char	*action, *status, *subject, *before, *behind;
} wordings[] = {
	{ DSN_DELIVERED, "delivered", "2.0.0", "Your message was delivered",
	    "Your message was delivered to", "That does not say that it has been read." },
	{ DSN_EXPANDED, "expanded", "2.0.0", "Your message was sent on",
	    "Your message was sent on to several addresses by",
	    "Nobody tells you when it is delivered there." },
	{ DSN_RELAYED, "relayed", "2.0.0", "Your message was sent on",
	    "Your message was sent on to another address by",
	    "That does not say that it has been delivered there." },
	{ DSN_DELAYED, "delayed", "4.4.7", "Your message was late",
	    "Your message could not be delivered within the time that was given, to",
	    "It is delivered late; there is nothing that you must do." },
};

static const struct wording *
wording_of(unsigned action)
{
	size_t i = 0;

	while (i + 1 < ARRAY_LEN(wordings) && wordings[i].bit != action)
		i++;
	return &wordings[i];
}

/* Text of others in a line of ours. */
static char *
clean(struct span s)
{
	char *p = span_dup(s);

	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)p[i] < ' ' || p[i] == 0x7f)
			p[i] = ' ';
	return p;
}

static void
put_date(struct buf *out, const char *field, int64_t sec)
{
	buf_addf(out, "%s: ", field);
	mime_date_put(out, sec, mime_local_zone(sec));
	buf_add_str(out, "\r\n");
}

static void
put_field(struct buf *out, const char *name, const char *value)
{
	struct span rest = span_str(value);
	struct mime_line line;

	mime_line_begin(&line, out, span_str(name));
	while (rest.len > 0) {
		struct span word = span_cut(&rest, ' ');

		if (word.len > 0)
			mime_line_word(&line, word);
	}
	mime_line_end(&line);
}

/* §6.3 (d): as it was given, but for xtext; what is UTF-8 in it as in a report of 7 bits. */
static void
put_orcpt(struct buf *out, struct span orcpt)
{
	struct buf decoded = { 0 }, ascii = { 0 };
	size_t type = span_find(orcpt, ';');
	char *text;

	smtp_orcpt_decode(orcpt, &decoded);
	if (mime_is_ascii(buf_span(&decoded))) {
		text = clean(buf_span(&decoded));
		put_field(out, "Original-Recipient", text);
		mem_free(&text);
	} else {
		buf_add_span(&ascii, span_sub(orcpt, 0, type + 1));
		mime_put_unitext(&ascii, span_sub(buf_span(&decoded), type + 1, decoded.len), true);
		put_field(out, "Original-Recipient", buf_cstr(&ascii));
	}
	buf_fini(&decoded);
	buf_fini(&ascii);
}

static void
put_status(const struct dsn *d, const struct dsn_about *about, const struct wording *w,
    struct buf *out)
{
	struct buf envid = { 0 };
	char *to = clean(about->to);

	buf_add_str(out, "Content-Type: message/delivery-status\r\n\r\n");
	if (d->envid.len > 0 && smtp_xtext_decode(d->envid, &envid))
		put_field(out, "Original-Envelope-Id", buf_cstr(&envid));
	buf_addf(out, "Reporting-MTA: dns; %s\r\n", about->host);
	put_date(out, "Arrival-Date", d->arrived_s);
	if (d->by != 0)
		put_date(out, "Deliver-By-Date", d->by_ms / 1000);
	buf_add_str(out, "\r\n");
	if (d->orcpt.len > 0)
		put_orcpt(out, d->orcpt);
	mime_put_recipient(out, "Final-Recipient", span_str(to));
	buf_addf(out, "Action: %s\r\nStatus: %s\r\n", w->action, w->status);
	buf_fini(&envid);
	mem_free(&to);
}

/* §6.2: nothing has failed, so the header alone, whatever RET is. */
static void
put_header(const struct dsn_about *about, struct buf *out)
{
	struct span header = span_sub(about->header, 0, HEADER_MAX);
	bool global = about->utf8 && !mime_is_ascii(header);

	mime_put_text(out, global ? "message/global-headers" : "text/rfc822-headers", header);
}

static void
put_text(const struct dsn_about *about, const struct wording *w, struct buf *out)
{
	struct buf text = { 0 };
	char *to = clean(about->to);

	buf_addf(&text, "%s\r\n\r\n    <%s>\r\n\r\n%s\r\n", w->before, to, w->behind);
	mime_put_text(out, "text/plain; charset=utf-8", buf_span(&text));
	buf_fini(&text);
	mem_free(&to);
}

void
dsn_report(const struct dsn *d, const struct dsn_about *about, unsigned action, struct buf *out)
{
	const struct wording *w = wording_of(action);
	unsigned char random[12];
	struct buf unique = { 0 };
	char *from = clean(about->from);

	random_bytes(random, sizeof(random));
	hex_encode(span((const char *)random, sizeof(random)), &unique);
	put_date(out, "Date", about->now_s);
	buf_addf(out, "Message-ID: <%s@%s>\r\nFrom: Mail delivery <postmaster@%s>\r\n",
	    buf_cstr(&unique), about->host, about->host);
	buf_addf(out, "To: <%s>\r\nSubject: %s\r\nAuto-Submitted: auto-replied\r\n", from, w->subject);
	buf_addf(out, "MIME-Version: 1.0\r\nContent-Type: multipart/report; "
	    "report-type=delivery-status;\r\n boundary=\"=_%s\"\r\n\r\n", buf_cstr(&unique));
	buf_addf(out, "--=_%s\r\n", buf_cstr(&unique));
	put_text(about, w, out);
	buf_addf(out, "\r\n--=_%s\r\n", buf_cstr(&unique));
	put_status(d, about, w, out);
	buf_addf(out, "\r\n--=_%s\r\n", buf_cstr(&unique));
	put_header(about, out);
	buf_addf(out, "\r\n--=_%s--\r\n", buf_cstr(&unique));
	buf_fini(&unique);
	mem_free(&from);
}
