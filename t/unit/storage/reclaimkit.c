#include "t/unit/storage/reclaimkit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/crypto/digest.h"
#include "common/util/clock.h"
#include "common/util/mem.h"
#include "storage/service/copies.h"
#include "storage/service/reclaim.h"

uint64_t
rig_inbox(struct rig *r, uint64_t account)
{
	uint64_t id = 0;

	assert_int_equal(state_find_mailbox(service_state(r->svc), account, SPAN_LIT("INBOX"),
	    &id), ST_OK);
	return id;
}

static void
add_body(struct rig *r, const struct state_body *is, const struct journal_loc *l,
    struct digest *d)
{
	for (size_t i = 0; i < is->n_locs; i++) {
		char *p = mem_alloc(l[i].length + 1u);

		if (journal_read_checked(service_journal(r->svc), l[i], p) != ST_OK)
			fail_msg("the body of uid %u is not in segment %u", is->uid, l[i].segment);
		digest_add(d, p, l[i].length);
		mem_free(&p);
	}
}

void
rig_bodies(struct rig *r, uint64_t account, unsigned char out[32], unsigned *count)
{
	struct digest *d = digest_new(DIGEST_SHA256);
	struct state_bodies *b = NULL;
	struct buf locs = { 0 };
	struct state_body is;
	struct uidset all = { 0 };
	unsigned n = 0;

	uidset_add_range(&all, 1, UINT32_MAX);
	assert_int_equal(state_bodies_open(service_state(r->svc), account, rig_inbox(r, account),
	    &all, 1, &b), ST_OK);
	for (; state_bodies_next(b, &is, &locs) == ST_OK; n++)
		add_body(r, &is, (const void *)locs.data, d);
	state_bodies_close(&b);
	digest_done(d, out);
	digest_free(&d);
	buf_fini(&locs);
	uidset_fini(&all);
	if (count != NULL)
		*count = n;
}

static void
on_made(void *arg, enum status st, uint32_t number)
{
	assert_int_equal(st, ST_OK);
	*(bool *)arg = true;
}

void
rig_copy(struct rig *r)
{
	uint64_t end = clock_mono_ms() + PATIENCE_MS;
	struct reclaim_counts c;
	bool done = false;

	copies_make(r->svc, on_made, &done);
	do {
		assert_true(clock_mono_ms() < end);
		loop_once(r->loop, true);
		reclaim_counts(r->svc, &c);
	} while (!done || c.busy);
}

void
rig_forget_deleted(struct rig *r, uint64_t account)
{
	uint64_t end = clock_mono_ms() + PATIENCE_MS;
	struct state_account acc;

	rig_stop(r);
	rig_start(r);
	do {
		assert_true(clock_mono_ms() < end);
		loop_once(r->loop, true);
		assert_int_equal(state_account(service_state(r->svc), account, &acc), ST_OK);
	} while (acc.kept_bytes > 0);
}

void
rig_check(struct rig *r)
{
	struct buf report = { 0 };
	uint64_t wrong = 0;

	assert_int_equal(state_check(service_state(r->svc), &report, &wrong), ST_OK);
	if (wrong > 0)
		fail_msg("%.*s", (int)report.len, report.data);
	buf_fini(&report);
}
