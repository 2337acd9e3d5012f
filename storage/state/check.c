/* The whole of a state that rests, in one go: for tests and for folders that nobody serves. */
#include <inttypes.h>

#include "storage/state/fsck.h"
#include "storage/state/state_priv.h"

#define REPORT_MAX (64u << 10)

struct check {
	struct buf	*report;
	uint64_t	wrong;
};

static void
on_found(void *arg, const struct fsck_finding *x)
{
	struct check *k = arg;

	if (x->cure == CURE_NOTE)
		return;
	k->wrong++;
	if (k->report->len > REPORT_MAX)
		return;
	buf_addf(k->report, "account %" PRIu64 ": %s ", x->account, x->table);
	for (size_t i = 0; i < x->key.len; i++)
		buf_addf(k->report, "%02x", (unsigned char)x->key.p[i]);
	buf_addf(k->report, ": %s\n", x->text);
}

enum status
state_check(struct state *s, struct buf *report, uint64_t *wrong)
{
	struct check k = { .report = report };
	const struct fsck_opts o = { .check = true, .found = on_found, .arg = &k };
	struct state_fsck *f = state_fsck_new(s, &o);
	enum fsck_step step;
	enum status st;

	if (f == NULL)
		return ST_CONFLICT;
	do
		step = state_fsck_step(f, 0, false);
	while (step == FSCK_MORE || step == FSCK_WAIT);
	st = state_fsck_status(f);
	state_fsck_free(&f);
	*wrong = k.wrong;
	return st;
}
