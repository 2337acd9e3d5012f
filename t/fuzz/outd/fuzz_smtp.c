/* First byte: where the rest is cut.  The rest is read as the lines of replies, and as a text that
 * leaves: however it was cut it must leave the same, with no line too long, and be read back by our own
 * server up to its end and not before. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/proto/smtp.h"
#include "common/out/out_proto.h"
#include "common/proto/smtp_client.h"
#include "outd/login.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
replies(struct span in)
{
	struct smtp_reply r = { 0 };
	struct smtp_offers o = { 0 };
	struct buf out = { 0 };

	while (in.p != NULL) {
		struct span line = span_cut(&in, '\n'), words;
		enum smtp_reply_is is = smtp_reply_line(&r, line, &words);

		if (is != SMTP_REPLY_BAD && (r.code < 200 || r.code > 599))
			abort();
		if (strlen(r.text) > SMTP_REPLY_TEXT_MAX)
			abort();
		smtp_offers_line(&o, words);
		if (is == SMTP_REPLY_WHOLE)
			r = (struct smtp_reply){ 0 };
		if (smtp_xtext_valid(words) && smtp_orcpt_valid(line)) {
			const struct smtp_mail m = { .envid = words, .ret = SMTP_RET_FULL, .by_notify = true };
			const struct smtp_rcpt to = { .address = SPAN_LIT("a@b"), .orcpt = line, .notify = 3 };

			buf_clear(&out);
			smtp_put_mail(&out, &m, &o);
			smtp_put_rcpt(&out, &to, &o);
			if ((size_t)((char *)memchr(out.data, '\n', out.len) - out.data) + 1 >= out.len)
				abort();
		}
	}
	buf_fini(&out);
}

static void
text(struct span in, size_t cut)
{
	struct smtp_send whole = { 0 }, parts = { 0 };
	struct smtp_text back = { 0 };
	struct buf a = { 0 }, b = { 0 }, got = { 0 };
	struct span rest;

	smtp_send_feed(&whole, in, &a);
	smtp_send_end(&whole, &a);
	smtp_send_feed(&parts, span_sub(in, 0, cut), &b);
	smtp_send_feed(&parts, span_sub(in, cut, in.len), &b);
	smtp_send_end(&parts, &b);
	if (!span_eq(buf_span(&a), buf_span(&b)) || whole.eight_bit != parts.eight_bit)
		abort();
	rest = buf_span(&a);
	while (rest.p != NULL)
		if (span_cut(&rest, '\n').len > SMTP_TEXT_LINE_MAX + 2)	/* CR, and a doubled dot */
			abort();
	if (smtp_text_feed(&back, buf_span(&a), &got) != a.len || !back.done)
		abort();
	buf_fini(&a);
	buf_fini(&b);
	buf_fini(&got);
}

/* What a server says in a login: our own nonce stands where it says "N". */
static void
challenges(struct span in)
{
	struct login *l = login_new(SMTP_AUTH_SCRAM_SHA_256, SPAN_LIT("u"), SPAN_LIT("p"));
	struct buf first = { 0 }, challenge = { 0 }, answer = { 0 };
	struct span rest = in;

	(void)login_first(l, &first);
	while (rest.p != NULL && challenge.len < 4096) {
		buf_add_span(&challenge, span_cut(&rest, 'N'));
		if (rest.p != NULL)
			buf_add_span(&challenge, span_sub(buf_span(&first), 8, first.len));
	}
	if (login_step(l, buf_span(&challenge), &answer) && login_step(l, in, &answer) && login_good(l))
		abort();	/* nobody guesses a signature */
	login_free(&l);
	buf_fini(&first);
	buf_fini(&challenge);
	buf_fini(&answer);
}

static void
lists(struct span in)
{
	struct out_recipient to;
	struct out_result result;
	struct reader r;

	reader_init(&r, in.p, in.len);
	while (get_out_recipient(&r, &to))
		if (to.address.len > OUT_ADDRESS_MAX || to.orcpt.len > OUT_ORCPT_MAX)
			abort();
	reader_init(&r, in.p, in.len);
	while (get_out_result(&r, &result))
		if (result.why.len > OUT_WHY_MAX)
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct span in;

	if (len == 0)
		return 0;
	in = span(data + 1, len - 1);
	replies(in);
	if (in.len < 300)	/* its key is dear */
		challenges(in);
	lists(in);
	text(in, in.len > 0 ? data[0] % in.len : 0);
	return 0;
}
