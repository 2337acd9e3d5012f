#include "jmapd/core/ids.h"

#include <inttypes.h>
#include <stdio.h>

struct span
jmap_id(char out[JMAP_ID_MAX], char kind, uint64_t number)
{
	int n = snprintf(out, JMAP_ID_MAX, "%c%" PRIx64, kind, number);

	return span(out, (size_t)n);
}

struct span
jmap_state(char out[JMAP_STATE_MAX], uint64_t modseq, uint64_t incarnation)
{
	int n = incarnation == 0 ? snprintf(out, JMAP_STATE_MAX, "%" PRIu64, modseq) :
	    snprintf(out, JMAP_STATE_MAX, "%" PRIu64 "-%" PRIu64, modseq, incarnation);

	return span(out, (size_t)n);
}

/* Only the spelling of jmap_state(): no zeros in front, no incarnation 0. */
static bool
number(struct span s, uint64_t *v)
{
	return span_u64(s, v) && (s.len == 1 || s.p[0] != '0');
}

bool
jmap_state_parse(struct span text, uint64_t *modseq, uint64_t *incarnation)
{
	struct span rest = text, first = span_cut(&rest, '-');

	*incarnation = 0;
	if (!number(first, modseq))
		return false;
	return rest.p == NULL || (number(rest, incarnation) && *incarnation != 0);
}
