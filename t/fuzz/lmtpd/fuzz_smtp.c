/* First byte: where the rest is cut; the rest is read as a command line and as a text,
 * and however it was cut the text must come out the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/proto/smtp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What was taken can be decoded, and said to others, without a line's end in it. */
static void
check_params(const struct smtp_command *c)
{
	struct buf b = { 0 };
	bool good = c->error == SMTP_OK && (c->verb == SMTP_MAIL || c->verb == SMTP_RCPT);

	if (good && c->envid.p != NULL && !smtp_xtext_decode(c->envid, &b))
		abort();
	if (good && c->orcpt.p != NULL) {
		smtp_orcpt_decode(c->orcpt, &b);
		buf_clear(&b);
		if (smtp_orcpt_ascii(c->orcpt, &b) && !smtp_orcpt_valid(buf_span(&b)))
			abort();
	}
	smtp_notify_put(&b, c->notify);
	for (size_t i = 0; i < b.len; i++)
		if (good && ((unsigned char)b.data[i] < 0x20 && b.data[i] != '\t'))
			abort();
	buf_fini(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct smtp_command c;
	struct smtp_text whole = { 0 }, parts = { 0 };
	struct buf a = { 0 }, b = { 0 };
	bool cr = false;
	size_t cut, used, used2;
	struct span in;

	if (len == 0)
		return 0;
	in = span(data + 1, len - 1);
	cut = in.len > 0 ? data[0] % in.len : 0;
	smtp_parse(in, data[0] & 7, &c);
	check_params(&c);
	used = smtp_text_feed(&whole, in, &a);
	used2 = smtp_text_feed(&parts, span_sub(in, 0, cut), &b);
	if (!parts.done)
		used2 += smtp_text_feed(&parts, span_sub(in, cut, in.len), &b);
	if (used != used2 || !span_eq(buf_span(&a), buf_span(&b)) || whole.done != parts.done ||
	    (a.len > 0 && memchr(a.data, 0, a.len) != NULL))
		abort();
	buf_clear(&a);
	smtp_chunk_feed(&cr, in, &a);
	buf_fini(&a);
	buf_fini(&b);
	return 0;
}
