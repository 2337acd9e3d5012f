#include "authd/saslprep.h"

#include <string.h>
#include <stringprep.h>

#include "common/util/mem.h"

/* NFKC makes at most 11 bytes of one (U+FDFA). */
#define GROWTH_MAX 11u
#define IN_MAX 16384u

static bool
is_plain(struct span in)
{
	for (size_t i = 0; i < in.len; i++)
		if ((unsigned char)in.p[i] < 0x20 || (unsigned char)in.p[i] > 0x7e)
			return false;
	return true;
}

bool
saslprep(struct span in, enum saslprep_for purpose, struct buf *out)
{
	size_t room = in.len * GROWTH_MAX + 1;
	Stringprep_profile_flags flags = purpose == SASLPREP_STORED ? STRINGPREP_NO_UNASSIGNED : 0;
	char *s;
	bool ok;

	if (in.len == 0 || in.len > IN_MAX || memchr(in.p, '\0', in.len) != NULL)
		return false;
	if (is_plain(in)) {
		buf_add_span(out, in);
		return true;
	}
	s = mem_alloc(room);
	memcpy(s, in.p, in.len);
	s[in.len] = '\0';
	ok = stringprep(s, room, flags, stringprep_saslprep) == STRINGPREP_OK && s[0] != '\0';
	if (ok)
		buf_add_str(out, s);
	mem_wipe(s, room);
	mem_free(&s);
	return ok;
}

void
saslprep_or_raw(struct span in, struct buf *out)
{
	if (!saslprep(in, SASLPREP_QUERY, out))
		buf_add_span(out, in);
}
