/* Sequence numbers never lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "imapd/view.h"

static struct imap_view *
make_view(const struct uidset *uids, uint32_t uidnext)
{
	struct store_opened o = { .mailbox = 1, .uidnext = uidnext, .recent_from = uidnext,
	    .highestmodseq = 10, .rights = RIGHT_ALL };
	struct buf b = { 0 };
	struct imap_view *v;

	uidset_encode(uids, &b);
	o.uids = buf_span(&b);
	v = imap_view_new(&o, SPAN_LIT("INBOX"), false);
	v->told_count = v->count;
	buf_fini(&b);
	return v;
}

static void
numbers_and_uids_agree_with_a_plain_list(void **state)
{
	srand(7);
	for (int round = 0; round < 200; round++) {
		struct uidset set = { 0 }, gone = { 0 };
		uint32_t list[400], n = 0, seq = 0;
		struct imap_view *v;

		for (uint32_t uid = 1; uid < 400; uid++) {
			if (rand() % 3 != 0) {
				uidset_add(&set, uid);
				list[n++] = uid;
			}
		}
		v = make_view(&set, 400);
		for (uint32_t i = 0; i < n; i++) {
			if (rand() % 4 == 0)
				uidset_add(&gone, list[i]);
		}
		imap_view_remove(v, &gone);
		for (uint32_t i = 0; i < n; i++) {
			if (uidset_has(&gone, list[i])) {
				assert_int_equal(imap_view_seq(v, list[i]), 0);
				continue;
			}
			seq++;
			assert_int_equal(imap_view_seq(v, list[i]), seq);
			assert_int_equal(imap_view_uid(v, seq), list[i]);
		}
		assert_int_equal(v->count, seq);
		assert_int_equal(imap_view_uid(v, seq + 1), 0);
		imap_view_free(&v);
		uidset_fini(&set);
		uidset_fini(&gone);
	}
}

static void
merge(struct imap_view *v, uint32_t appeared, uint32_t vanished)
{
	struct store_changes_are c = { .highestmodseq = 20, .uidnext = 12, .recent_from = 12 };
	struct store_row row = { .uid = appeared, .modseq = 20 };
	struct uidset gone = { 0 };
	struct buf rows = { 0 }, set = { 0 };

	if (appeared != 0)
		put_store_row(&rows, &row, ROW_FLAGS);
	if (vanished != 0)
		uidset_add(&gone, vanished);
	uidset_encode(&gone, &set);
	c.rows = buf_span(&rows);
	c.vanished = buf_span(&set);
	imap_view_merge(v, &c);
	buf_fini(&rows);
	buf_fini(&set);
	uidset_fini(&gone);
}

static void
expunges_wait_until_they_may_be_told(void **state)
{
	struct uidset set = { 0 };
	struct buf out = { 0 };
	struct imap_view *v;

	uidset_add_range(&set, 1, 10);
	v = make_view(&set, 11);
	merge(v, 11, 4);
	imap_view_tell(v, false, false, &out);
	assert_string_equal(buf_cstr(&out), "* 11 EXISTS\r\n* 0 RECENT\r\n");
	assert_int_equal(imap_view_seq(v, 5), 5);
	buf_clear(&out);
	imap_view_tell(v, true, false, &out);
	assert_string_equal(buf_cstr(&out), "* 4 EXPUNGE\r\n");
	assert_int_equal(imap_view_seq(v, 5), 4);
	imap_view_free(&v);
	uidset_fini(&set);
	buf_fini(&out);
}

static void
what_came_and_went_untold_was_never_there(void **state)
{
	struct uidset set = { 0 };
	struct buf out = { 0 };
	struct imap_view *v;

	uidset_add_range(&set, 1, 3);
	v = make_view(&set, 11);
	merge(v, 11, 0);
	merge(v, 0, 11);
	imap_view_tell(v, true, false, &out);
	assert_string_equal(buf_cstr(&out), "");
	assert_int_equal(v->count, 3);
	imap_view_free(&v);
	uidset_fini(&set);
	buf_fini(&out);
}

static void
own_changes_are_no_news(void **state)
{
	struct uidset set = { 0 };
	struct imap_view *v;

	uidset_add_range(&set, 1, 3);
	v = make_view(&set, 11);
	imap_view_own(v, 2, 20);
	merge(v, 2, 0);
	assert_true(uidset_empty(&v->changed));
	merge(v, 3, 0);
	assert_true(uidset_has(&v->changed, 3));
	imap_view_free(&v);
	uidset_fini(&set);
}

#define SHARING 4u		/* sessions on the same mailbox */
#define UIDS	400u

/* A session and what it must show. */
struct seer {
	struct imap_view	*v;
	bool			here[UIDS + 1];
	uint32_t		known;		/* changes of the mailbox it was told of */
};

struct event {
	uint32_t	appeared, vanished;
};

static void
look(const struct seer *s)
{
	uint32_t seq = 0;

	for (uint32_t uid = 1; uid <= UIDS; uid++) {
		assert_int_equal(imap_view_seq(s->v, uid), s->here[uid] ? seq + 1 : 0);
		if (s->here[uid])
			assert_int_equal(imap_view_uid(s->v, ++seq), uid);
	}
	assert_int_equal(s->v->count, seq);
}

static void
open_view(struct seer *s, const bool *here, uint32_t uidnext, uint32_t known)
{
	struct uidset set = { 0 };

	for (uint32_t uid = 1; uid < uidnext; uid++) {
		if (here[uid])
			uidset_add(&set, uid);
	}
	imap_view_free(&s->v);
	s->v = make_view(&set, uidnext);
	memcpy(s->here, here, sizeof(s->here));
	s->known = known;
	uidset_fini(&set);
}

/* All up to now is merged; told, it is seen. */
static void
catch_up(struct seer *s, const struct event *events, uint32_t n, bool expunges)
{
	struct buf out = { 0 };

	for (; s->known < n; s->known++) {
		merge(s->v, events[s->known].appeared, events[s->known].vanished);
		if (events[s->known].appeared != 0)
			s->here[events[s->known].appeared] = true;
	}
	imap_view_tell(s->v, expunges, false, &out);
	for (uint32_t i = 0; expunges && i < n; i++)
		s->here[events[i].vanished] = false;
	buf_fini(&out);
}

static void
sessions_that_share_uids_do_not_see_what_another_was_told(void **state)
{
	static struct event events[4000];
	struct seer seers[SHARING] = { 0 };
	bool here[UIDS + 1] = { false };
	uint32_t n = 0, uidnext = 201, shared = 0;

	srand(5);
	for (uint32_t uid = 1; uid < uidnext; uid++)
		here[uid] = uid % 2 == 0;	/* many runs */
	for (unsigned i = 0; i < SHARING; i++)
		open_view(&seers[i], here, uidnext, 0);
	assert_int_equal(imap_view_sharers(seers[0].v), SHARING);
	for (int step = 0; step < 3000; step++) {
		struct seer *s = &seers[rand() % SHARING];
		uint32_t uid = 1 + (uint32_t)rand() % (uidnext - 1);

		if (rand() % 4 == 0 && uidnext < UIDS) {
			here[uidnext] = true;
			events[n++].appeared = uidnext++;
		} else if (rand() % 4 == 0 && here[uid] && uid > 20) {
			here[uid] = false;
			events[n++].vanished = uid;
		} else if (rand() % 30 == 0) {
			open_view(s, here, uidnext, n);
		} else {
			catch_up(s, events, n, rand() % 2 == 0);
		}
		for (unsigned i = 0; i < SHARING; i++)
			look(&seers[i]);
		shared += imap_view_sharers(s->v) > 1;
	}
	assert_true(shared > 0);
	for (unsigned i = 0; i < SHARING; i++)
		catch_up(&seers[i], events, n, true);
	assert_int_equal(imap_view_sharers(seers[0].v), SHARING);
	for (unsigned i = 0; i < SHARING; i++)
		imap_view_free(&seers[i].v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_and_uids_agree_with_a_plain_list),
		cmocka_unit_test(expunges_wait_until_they_may_be_told),
		cmocka_unit_test(what_came_and_went_untold_was_never_there),
		cmocka_unit_test(own_changes_are_no_news),
		cmocka_unit_test(sessions_that_share_uids_do_not_see_what_another_was_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
