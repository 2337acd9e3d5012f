#include "outd/taken.h"

bool
taken_differs(const struct mansio_conf *a, const struct mansio_conf *b,
    const char *const names[])
{
	struct buf changed = { 0 };
	struct span rest;
	bool found = false;

	(void)conf_changed(a, b, 0, &changed);
	rest = buf_span(&changed);
	while (rest.len > 0 && !found) {
		struct span line = span_cut(&rest, '\n');

		for (size_t i = 0; names[i] != NULL && !found; i++)
			found = span_has_prefix(line, names[i]);
	}
	buf_fini(&changed);
	return found;
}

bool
taken_keep(struct buf *mine, struct span fresh)
{
	if (span_eq(fresh, buf_span(mine)))
		return false;
	buf_fini_secret(mine);
	buf_add_span(mine, fresh);
	return true;
}
