/* First byte: where the rest is cut, second: lines of TOP.  The rest is read as a command
 * line and as a message: however it was cut the same must be sent; and what a client makes
 * of it, undoing the dots, must be the message. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/proto/pop3.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
send_part(struct pop3_stuffer *s, struct pop3_top *t, struct pop3_header *h, struct span raw,
    struct buf *out, size_t *header)
{
	size_t from = out->len;

	*header += pop3_header_take(h, raw);
	buf_add_span(out, span_sub(raw, 0, pop3_top_take(t, raw)));
	pop3_stuff(s, out, from);
}

static void
dots(struct span in, size_t cut)
{
	struct pop3_stuffer whole = { 0 }, parts = { 0 };
	struct buf a = { 0 }, b = { 0 };
	bool start = true;
	size_t k = 0;

	buf_add_span(&a, in);
	pop3_stuff(&whole, &a, 0);
	buf_add_span(&b, span_sub(in, 0, cut));
	pop3_stuff(&parts, &b, 0);
	k = b.len;
	buf_add_span(&b, span_sub(in, cut, in.len));
	pop3_stuff(&parts, &b, k);
	if (!span_eq(buf_span(&a), buf_span(&b)))
		abort();
	k = 0;
	for (size_t i = 0; i < a.len; i++) {
		if (start && a.data[i] == '.') {
			if (i + 1 >= a.len || a.data[++i] != '.')
				abort();
		}
		if (k >= in.len || a.data[i] != in.p[k++])
			abort();
		start = a.data[i] == '\n';
	}
	if (k != in.len)
		abort();
	pop3_stuff_end(&whole, &a);
	if (a.len < 3 || memcmp(a.data + a.len - 3, ".\r\n", 3) != 0 ||
	    (a.len > 3 && a.data[a.len - 4] != '\n'))
		abort();
	buf_fini(&a);
	buf_fini(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct pop3_stuffer s1 = { 0 }, s2 = { 0 };
	struct pop3_header h1 = { 0 }, h2 = { 0 };
	struct pop3_top t1 = { 0 }, t2 = { 0 };
	struct buf a = { 0 }, b = { 0 };
	size_t cut, head1 = 0, head2 = 0;
	struct pop3_line line;
	struct span in, rest;
	uint32_t n;

	if (len < 2)
		return 0;
	in = span(data + 2, len - 2);
	cut = in.len > 0 ? data[0] % in.len : 0;
	t1.lines = t2.lines = data[1] % 8;
	if (pop3_line_parse(in, &line)) {
		rest = line.rest;
		while (pop3_number(&rest, &n))
			;
		(void)pop3_end(rest);
	}
	dots(in, cut);
	send_part(&s1, &t1, &h1, in, &a, &head1);
	send_part(&s2, &t2, &h2, span_sub(in, 0, cut), &b, &head2);
	send_part(&s2, &t2, &h2, span_sub(in, cut, in.len), &b, &head2);
	if (!span_eq(buf_span(&a), buf_span(&b)) || head1 != head2 || h1.over != h2.over)
		abort();
	if (pop3_is_utf8(in) && pop3_is_ascii(in))
		abort();
	buf_fini(&a);
	buf_fini(&b);
	return 0;
}
