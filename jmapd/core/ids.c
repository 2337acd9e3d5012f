#include "jmapd/core/ids.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/mail/type_state.h"

struct span
jmap_id(char out[JMAP_ID_MAX], char kind, uint64_t number)
{
	int n = snprintf(out, JMAP_ID_MAX, "%c%" PRIx64, kind, number);

	return span(out, (size_t)n);
}

struct span
jmap_state(char out[JMAP_STATE_MAX], uint64_t modseq, uint64_t incarnation)
{
	struct buf text = { 0 };
	size_t n;

	type_state_put((struct type_state){ .modseq = modseq, .incarnation = incarnation }, &text);
	n = text.len;
	memcpy(out, buf_cstr(&text), n + 1);
	buf_fini(&text);
	return span(out, n);
}

bool
jmap_state_parse(struct span text, uint64_t *modseq, uint64_t *incarnation)
{
	struct type_state s;

	if (!type_state_parse(text, &s) || s.after != 0)
		return false;
	*modseq = s.modseq;
	*incarnation = s.incarnation;
	return true;
}
