#include "common/mail/type_state.h"

#include <inttypes.h>

void
type_state_put(struct type_state s, struct buf *out)
{
	buf_addf(out, "%" PRIx64, s.modseq);
	if (s.after != 0)
		buf_addf(out, ".%" PRIx64, s.after);
	if (s.incarnation != 0)
		buf_addf(out, "-%" PRIx64, s.incarnation);
}

/* Takes the digits in front; no zero before another digit. */
static bool
take_hex(struct span *s, uint64_t *v)
{
	size_t n = 0;

	for (*v = 0; n < s->len && n < 16; n++) {
		char c = s->p[n];

		if (c >= '0' && c <= '9')
			*v = *v << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			*v = *v << 4 | (uint64_t)(c - 'a' + 10);
		else
			break;
	}
	if (n == 0 || (n > 1 && s->p[0] == '0'))
		return false;
	*s = span_sub(*s, n, s->len - n);
	return true;
}

/* "." or "-" and a number that is not 0, or nothing of it. */
static bool
take_part(struct span *s, char mark, uint64_t *v)
{
	*v = 0;
	if (s->len == 0 || s->p[0] != mark)
		return true;
	*s = span_sub(*s, 1, s->len - 1);
	return take_hex(s, v) && *v != 0;
}

bool
type_state_parse(struct span text, struct type_state *s)
{
	return take_hex(&text, &s->modseq) && take_part(&text, '.', &s->after) &&
	    take_part(&text, '-', &s->incarnation) && text.len == 0;
}
