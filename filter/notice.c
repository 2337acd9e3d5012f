#include "filter/notice.h"

#include "common/crypto/digest.h"
#include "common/crypto/encode.h"
#include "common/crypto/random.h"
#include "common/mime/date.h"
#include "common/mime/write.h"

/* A text of ours with words of the script's in it: one line. */
static void
put_line(const char *text, struct buf *out)
{
	for (; *text != '\0'; text++)
		buf_add_c(out, (unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text);
	buf_add_str(out, "\r\n");
}

void
notice_make(const char *host, const char *user, const struct filter_error *e, int64_t now,
    struct buf *out)
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
	buf_add_str(out, "Your mail rules (the active Sieve script) could not be run to their end:\r\n"
	    "\r\n");
	if (e->line > 0)
		buf_addf(out, "    line %u: ", e->line);
	else
		buf_add_str(out, "    ");
	put_line(e->text, out);
	buf_add_str(out, "\r\nThe message that they were run for is in your INBOX.  So is every other "
	    "one for\r\nwhich this happens, without being filed.\r\n\r\n"
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
