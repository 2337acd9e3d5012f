#include "filter/notice.h"

#include "common/crypto/digest.h"
#include "common/crypto/encode.h"
#include "common/crypto/random.h"
#include "common/mime/date.h"
#include "common/mime/write.h"
#include "common/util/mem.h"

/* A text of ours with words of the script's in it: one line. */
static void
put_line(const char *text, struct buf *out)
{
	for (; *text != '\0'; text++)
		buf_add_c(out, (unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text);
	buf_add_str(out, "\r\n");
}

static void
put_head(const char *host, const char *user, int64_t now, struct buf *out)
{
	unsigned char id[12];

	random_bytes(id, sizeof(id));
	buf_addf(out, "From: Mail rules <postmaster@%s>\r\nTo: <%s>\r\n"
	    "Subject: Your mail rules failed\r\n", host, user);
	buf_add_str(out, "Date: ");
	mime_date_put(out, now, mime_local_zone(now));
	buf_add_str(out, "\r\nMessage-ID: <");
	hex_encode(span((const char *)id, sizeof(id)), out);
	buf_addf(out, "@%s>\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
	    host);
}

static void
put_error(const struct filter_error *e, struct buf *out)
{
	if (e->line > 0)
		buf_addf(out, "\r\n    line %u: ", e->line);
	else
		buf_add_str(out, "\r\n    ");
	put_line(e->text, out);
}

void
notice_make(const char *host, const char *user, const struct filter_error *e, int64_t now,
    struct buf *out)
{
	put_head(host, user, now, out);
	buf_add_str(out, "Your mail rules (the active Sieve script) could not be run to their end:\r\n");
	put_error(e, out);
	buf_add_str(out, "\r\nThe message that they were run for is in your INBOX.  So is every other "
	    "one for\r\nwhich this happens, without being filed.\r\n\r\n"
	    "You are told this once for each version of the script.\r\n");
}

/* A name of the user's, in a line of its own. */
static void
put_name(const char *what, struct span name, struct buf *out)
{
	char *text = span_dup(name);

	buf_addf(out, "    %s: ", what);
	put_line(text, out);
	mem_free(&text);
}

void
notice_make_event(const char *host, const char *user, struct span script, struct span mailbox,
    const struct filter_error *e, int64_t now, struct buf *out)
{
	put_head(host, user, now, out);
	buf_add_str(out, "A Sieve script that a mailbox names (/shared/imapsieve/script) could not be run "
	    "to\r\nits end:\r\n\r\n");
	put_name("script", script, out);
	put_name("mailbox", mailbox, out);
	put_error(e, out);
	buf_add_str(out, "\r\nThe message that it was run for is as it was.  So is every other one for "
	    "which\r\nthis happens.\r\n\r\n"
	    "You are told this once for each version of the script.\r\n");
}

void
notice_key(const unsigned char script[32], unsigned char key[32])
{
	struct buf b = { 0 };

	buf_add_str(&b, "mansio: told of the error in script ");
	buf_add(&b, script, 32);
	sha256(buf_span(&b), key);
	buf_fini(&b);
}
