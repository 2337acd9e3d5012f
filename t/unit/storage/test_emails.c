/* What JMAP is told of an account, and does to it.  Random operations, IMAP's and JMAP's, beside snapshots of all
 * Emails and Mailboxes after each: from every earlier one what email_changes and mailbox_changes
 * tell must lead to the present, in pages of any size.  MANSIO_SEED sets another seed, MANSIO_OPS
 * another number of operations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/util/mem.h"
#include "storage/state/emails.h"
#include "t/unit/storage/engines.h"
#include "t/unit/storage/statekit.h"

static struct kit *const k = &kit_one;

#define EMAILS_MAX	600
#define BOXES_MAX	64
#define SNAPS_MAX	700

/* An Email as a client knows it: derived from the rows of its mailboxes. */
struct email {
	uint64_t	id, thread;
	struct flags	all, any;	/* of the visible memberships */
	uint64_t	boxes;		/* bits of the snapshot's list */
};
struct known_box {
	uint64_t	id, parent;
	uint8_t		role;
	uint32_t	order;
	bool		subscribed;
	char		name[64];
	unsigned	total, unread;
};
struct snap {
	uint64_t		modseq;
	struct email		*e;
	size_t			n;
	struct known_box	box[BOXES_MAX];
	size_t			n_boxes;
};

static struct snap *snaps[SNAPS_MAX];
static size_t n_snaps;
static uint64_t rnd_state;

static uint32_t
rnd(uint32_t below)
{
	rnd_state = rnd_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(rnd_state >> 33) % below;
}

static struct store_states_are
states(void)
{
	struct store_states_are s;

	OK(state_states(k->s, 7, &s));
	return s;
}

/* ---- the model: everything read the other way, by mailbox ---- */

static int
by_id(const void *a, const void *b)
{
	const struct email *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static struct email *
email_of(const struct snap *s, uint64_t id)
{
	const struct email want = { .id = id };

	return s->n == 0 ? NULL : bsearch(&want, s->e, s->n, sizeof(*s->e), by_id);
}

static struct known_box *
box_of(struct snap *s, uint64_t id)
{
	for (size_t i = 0; i < s->n_boxes; i++)
		if (s->box[i].id == id)
			return &s->box[i];
	return NULL;
}

static void
see_row(struct snap *s, const struct store_row *row, size_t box)
{
	struct email *e = NULL;

	if (flags_get_system(row->flags) & FLAG_DELETED)
		return;
	for (size_t i = 0; i < s->n && e == NULL; i++)
		if (s->e[i].id == row->message)
			e = &s->e[i];
	if (e == NULL) {
		assert_true(s->n < EMAILS_MAX);
		e = &s->e[s->n++];
		*e = (struct email){ .id = row->message, .thread = row->thread,
			.all = row->flags, .any = row->flags };
	}
	e->all = flags_without(e->all, flags_without(e->all, row->flags));
	e->any = flags_or(e->any, row->flags);
	e->boxes |= (uint64_t)1 << box;
}

static void
see_mailbox(struct snap *s, size_t box)
{
	struct uidset all = { 0 };
	struct buf b = { 0 };
	struct store_row row;
	struct reader r;
	uint32_t resume = 0;

	OK(state_uids(k->s, 7, s->box[box].id, STATE_ALL, &all));
	OK(state_rows(k->s, 7, s->box[box].id, &all, ROW_ALL, 1u << 20, &resume, &b));
	assert_int_equal(resume, 0);
	reader_init(&r, b.data, b.len);
	while (get_store_row(&r, &row, ROW_ALL))
		see_row(s, &row, box);
	buf_fini(&b);
	uidset_fini(&all);
}

static void
see_list(struct snap *s)
{
	struct buf b = { 0 };
	struct store_mailbox m;
	struct reader r;
	uint32_t resume = 0;

	OK(state_mailboxes(k->s, 7, SPAN_NONE, 1u << 20, &resume, &b));
	reader_init(&r, b.data, b.len);
	while (get_store_mailbox(&r, &m)) {
		struct known_box *x = &s->box[s->n_boxes];
		struct span path = m.path;
		size_t cut = path.len;
		char up[300];

		if (m.id == 0)
			continue;
		assert_true(s->n_boxes < BOXES_MAX);
		s->n_boxes++;
		*x = (struct known_box){ .id = m.id, .role = (uint8_t)m.role, .order = m.order,
			.subscribed = m.subscribed };
		while (cut > 0 && path.p[cut - 1] != '/')
			cut--;
		snprintf(x->name, sizeof(x->name), "%.*s", (int)(path.len - cut), path.p + cut);
		if (cut > 0) {
			snprintf(up, sizeof(up), "%.*s", (int)cut - 1, path.p);
			x->parent = kit_mailbox(k, up);
		}
	}
	buf_fini(&b);
}

static int
by_box(const void *a, const void *b)
{
	const struct known_box *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static void
count(struct snap *s)
{
	for (size_t i = 0; i < s->n; i++) {
		bool unread = (flags_get_system(s->e[i].all) & FLAG_SEEN) == 0 &&
		    (flags_get_system(s->e[i].any) & FLAG_DRAFT) == 0;

		for (size_t j = 0; j < s->n_boxes; j++)
			if (s->e[i].boxes >> j & 1) {
				s->box[j].total++;
				s->box[j].unread += unread;
			}
	}
}

static struct snap *
see(void)
{
	struct snap *s = mem_zalloc(sizeof(*s));

	s->e = mem_array(EMAILS_MAX, sizeof(*s->e));
	s->modseq = states().modseq;
	see_list(s);
	qsort(s->box, s->n_boxes, sizeof(s->box[0]), by_box);
	for (size_t i = 0; i < s->n_boxes; i++)
		see_mailbox(s, i);
	qsort(s->e, s->n, sizeof(s->e[0]), by_id);
	count(s);
	return s;
}

static void
forget(void)
{
	for (size_t i = 0; i < n_snaps; i++) {
		mem_free(&snaps[i]->e);
		mem_free(&snaps[i]);
	}
	n_snaps = 0;
}

/* The same mailboxes: bits mean others in another snapshot. */
static bool
same_boxes(struct snap *a, const struct email *x, struct snap *b, const struct email *y)
{
	for (size_t i = 0; i < a->n_boxes; i++) {
		size_t j = 0;

		while (j < b->n_boxes && b->box[j].id != a->box[i].id)
			j++;
		if ((x->boxes >> i & 1) != (j < b->n_boxes ? y->boxes >> j & 1 : 0))
			return false;
	}
	for (size_t j = 0; j < b->n_boxes; j++)
		if ((y->boxes >> j & 1) && box_of(a, b->box[j].id) == NULL)
			return false;
	return true;
}

static bool
same_keywords(const struct email *x, const struct email *y)
{
	const struct flags seen = flags_system(FLAG_SEEN);

	return flags_eq(flags_without(x->any, seen), flags_without(y->any, seen)) &&
	    (flags_get_system(x->all) & FLAG_SEEN) == (flags_get_system(y->all) & FLAG_SEEN);
}

/* ---- what is told ---- */

struct told {
	uint64_t	id;
	bool		was, is;
	uint8_t		what;
};
static struct told told[4 * EMAILS_MAX];
static size_t n_told;

static void
take(uint64_t id, bool was, bool is, uint8_t what)
{
	for (size_t i = 0; i < n_told; i++)
		if (told[i].id == id) {
			told[i].is = is;
			told[i].what |= what;
			return;
		}
	assert_true(n_told < ARRAY_LEN(told));
	told[n_told++] = (struct told){ id, was, is, what };
}

static const struct told *
told_of(uint64_t id)
{
	for (size_t i = 0; i < n_told; i++)
		if (told[i].id == id)
			return &told[i];
	return NULL;
}

/* The members told are all there are. */
static void
check_members(struct snap *now, const struct store_email_change *c)
{
	struct email e = { .id = c->message };
	struct email *have = email_of(now, c->message);
	struct store_member m;
	struct reader r;
	bool first = true;

	assert_int_equal(c->is, have != NULL);
	reader_init(&r, c->members.p, c->members.len);
	while (get_store_member(&r, &m)) {
		assert_true(m.row.message == c->message);
		if (flags_get_system(m.row.flags) & FLAG_DELETED)
			continue;
		e.all = first ? m.row.flags :
		    flags_without(e.all, flags_without(e.all, m.row.flags));
		e.any = flags_or(e.any, m.row.flags);
		first = false;
		for (size_t i = 0; i < now->n_boxes; i++)
			if (now->box[i].id == m.mailbox)
				e.boxes |= (uint64_t)1 << i;
	}
	assert_true(reader_done(&r));
	assert_int_equal(!first, c->is);
	if (have != NULL)
		assert_true(e.boxes == have->boxes && flags_eq(e.all, have->all) &&
		    flags_eq(e.any, have->any) && c->thread == have->thread);
}

static void
ask_emails(struct snap *now, uint64_t since)
{
	struct state_since q = { .since = since };
	struct buf b = { 0 };
	struct store_email_change c;
	struct reader r;
	unsigned pages = 0;

	n_told = 0;
	do {
		uint32_t n = 0;

		q.limit = rnd(2) ? 1 + rnd(5) : 0;
		q.told = 0;
		q.rows = rnd(2) ? 1 + rnd(20) : 5000;
		q.budget = rnd(3) ? 100000 : 1;
		buf_clear(&b);
		OK(state_email_changes(k->s, 7, &q, &b));
		reader_init(&r, b.data, b.len);
		while (get_store_email_change(&r, &c)) {
			check_members(now, &c);
			take(c.message, c.was, c.is, c.what);
			n += c.was || c.is || q.limit == 1;	/* as store_proto.h says */
		}
		assert_true(reader_done(&r));
		assert_true(q.limit == 0 || n <= q.limit);
		assert_int_equal(q.told, n);
		assert_true(pages++ < 100000);
	} while (q.more);
	assert_true(q.since == now->modseq && q.after == 0);
	buf_fini(&b);
}

static void
ask_mailboxes(const struct snap *now, uint64_t since)
{
	struct state_since q = { .since = since };
	struct buf b = { 0 };
	struct store_mailbox_change c;
	struct reader r;
	unsigned pages = 0;

	n_told = 0;
	do {
		uint32_t n = 0;

		q.limit = rnd(2) ? 1 + rnd(3) : 0;
		q.told = 0;
		q.rows = rnd(2) ? 1 + rnd(5) : 5000;
		q.budget = rnd(3) ? 100000 : 1;
		buf_clear(&b);
		OK(state_mailbox_changes(k->s, 7, &q, &b));
		reader_init(&r, b.data, b.len);
		while (get_store_mailbox_change(&r, &c)) {
			take(c.mailbox, c.was, c.is, c.what);
			n += c.was || c.is;
		}
		assert_true(reader_done(&r));
		assert_true(q.limit == 0 || n <= q.limit);
		assert_true(pages++ < 100000);
	} while (q.more);
	assert_true(q.since == now->modseq);
	buf_fini(&b);
}

static void
check_emails(struct snap *then, struct snap *now)
{
	ask_emails(now, then->modseq);
	for (size_t i = 0; i < n_told; i++) {
		assert_int_equal(told[i].was, email_of(then, told[i].id) != NULL);
		assert_int_equal(told[i].is, email_of(now, told[i].id) != NULL);
	}
	for (size_t i = 0; i < then->n; i++) {
		const struct email *x = &then->e[i], *y = email_of(now, x->id);
		const struct told *t = told_of(x->id);

		if (y == NULL) {
			assert_true(t != NULL);
		} else if (!same_keywords(x, y)) {
			assert_true(t != NULL && (t->what & EMAIL_KEYWORDS));
		} else if (!same_boxes(then, x, now, y)) {
			assert_true(t != NULL && (t->what & EMAIL_MAILBOXES));
		}
	}
	for (size_t i = 0; i < now->n; i++)
		assert_true(email_of(then, now->e[i].id) != NULL ||
		    told_of(now->e[i].id) != NULL);
}

/* Properties that differ are said to. */
static uint8_t
box_differs(const struct known_box *x, const struct known_box *y)
{
	return (uint8_t)((strcmp(x->name, y->name) != 0 ? MAILBOX_CHANGED_NAME : 0) |
	    (x->parent != y->parent ? MAILBOX_CHANGED_PARENT : 0) |
	    (x->role != y->role ? MAILBOX_CHANGED_ROLE : 0) |
	    (x->order != y->order ? MAILBOX_CHANGED_ORDER : 0) |
	    (x->subscribed != y->subscribed ? MAILBOX_CHANGED_SUBSCRIBED : 0));
}

static void
check_mailboxes(struct snap *then, struct snap *now)
{
	ask_mailboxes(now, then->modseq);
	for (size_t i = 0; i < n_told; i++) {
		assert_int_equal(told[i].was, box_of(then, told[i].id) != NULL);
		assert_int_equal(told[i].is, box_of(now, told[i].id) != NULL);
	}
	for (size_t i = 0; i < then->n_boxes; i++) {
		const struct known_box *x = &then->box[i], *y = box_of(now, x->id);
		const struct told *t = told_of(x->id);

		if (y == NULL || box_differs(x, y) != 0)
			assert_true(t != NULL);
		if (y != NULL && t != NULL)
			assert_int_equal(box_differs(x, y) & ~t->what, 0);
	}
	for (size_t i = 0; i < now->n_boxes; i++)
		assert_true(box_of(then, now->box[i].id) != NULL ||
		    told_of(now->box[i].id) != NULL);
}

/* What the states of the types promise. */
static void
check_states(struct snap *then, struct snap *now, const struct store_states_are *before)
{
	struct store_states_are s = states();
	bool emails = then->n != now->n, threads = emails, boxes = then->n_boxes != now->n_boxes;
	bool came = false;

	assert_true(s.email <= s.modseq && s.mailbox <= s.modseq && s.thread <= s.email);
	for (size_t i = 0; i < then->n; i++) {
		const struct email *y = email_of(now, then->e[i].id);

		threads = threads || y == NULL;
		emails = emails || y == NULL || !same_keywords(&then->e[i], y) ||
		    !same_boxes(then, &then->e[i], now, y);
	}
	for (size_t i = 0; i < now->n; i++)
		came = came || email_of(then, now->e[i].id) == NULL;
	for (size_t i = 0; i < then->n_boxes; i++) {
		const struct known_box *x = &then->box[i], *y = box_of(now, x->id);

		boxes = boxes || y == NULL || box_differs(x, y) != 0 || x->total != y->total ||
		    x->unread != y->unread;
	}
	assert_true(!emails || s.email > before->email);
	assert_true(!threads || s.thread > before->thread);
	assert_true(!boxes || s.mailbox > before->mailbox);
	assert_true(s.delivery <= s.thread && came == (s.delivery > before->delivery));
}

/* All memberships at once are what the mailboxes say. */
static void
check_all(const struct snap *now)
{
	struct snap s = { .modseq = 0 };
	uint64_t mailbox = 0, modseq;
	uint32_t uid = 0;
	struct buf b = { 0 };
	struct store_member m;
	struct reader r;
	size_t box;

	s.e = mem_array(EMAILS_MAX, sizeof(*s.e));
	memcpy(s.box, now->box, sizeof(s.box));
	s.n_boxes = now->n_boxes;
	do {
		OK(state_emails(k->s, 7, &mailbox, &uid, rnd(2) ? 1 : 3000, &b, &modseq));
		assert_true(modseq == now->modseq);
	} while (mailbox != 0);
	reader_init(&r, b.data, b.len);
	while (get_store_member(&r, &m)) {
		for (box = 0; s.box[box].id != m.mailbox; box++)
			assert_true(box < s.n_boxes);
		see_row(&s, &m.row, box);
	}
	assert_true(reader_done(&r));
	qsort(s.e, s.n, sizeof(s.e[0]), by_id);
	assert_int_equal(s.n, now->n);
	for (size_t i = 0; i < s.n; i++)
		assert_true(s.e[i].id == now->e[i].id && s.e[i].boxes == now->e[i].boxes &&
		    flags_eq(s.e[i].all, now->e[i].all));
	mem_free(&s.e);
	buf_fini(&b);
}

/* ---- operations ---- */

static const char *const paths[] = { "INBOX", "Drafts", "Trash", "Work", "Work/Sub",
	"Work/Sub/Low", "Old", "New" };
static const char *const keywords[] = { "$One", "$Two", "$Three" };

static const char *
any_path(void)
{
	return paths[rnd(ARRAY_LEN(paths))];
}

static void
any_uids(char *text, size_t size)
{
	uint32_t lo = 1 + rnd(25);

	snprintf(text, size, "%u:%u", lo, lo + rnd(4));
}

static void
do_append(void)
{
	unsigned kw = rnd(6);

	if (snaps[n_snaps - 1]->n > EMAILS_MAX / 3)
		return;
	(void)kit_append(k, any_path(), 1 + rnd(3), 10 + rnd(100), rnd(32),
	    kw < 3 ? keywords[kw] : NULL, rnd(20));
}

static void
do_flags(void)
{
	char uids[40];
	unsigned kw = rnd(6);
	uint64_t id = kit_mailbox(k, any_path());

	any_uids(uids, sizeof(uids));
	if (id != 0)
		OK(kit_flags(k, id, uids, (uint8_t)(FLAGS_ADD + rnd(3)), rnd(32),
		    kw < 3 ? keywords[kw] : NULL, UINT64_MAX));
}

static void
do_expunge(void)
{
	char uids[40];
	uint64_t id = kit_mailbox(k, any_path());

	any_uids(uids, sizeof(uids));
	if (id != 0)
		OK(kit_expunge(k, id, rnd(3) ? uids : "1:200"));
}

static void
do_copy(void)
{
	char uids[40];
	uint64_t id = kit_mailbox(k, any_path());
	const char *to = any_path();

	any_uids(uids, sizeof(uids));
	if (id == 0 || snaps[n_snaps - 1]->n > EMAILS_MAX / 2)
		return;
	(void)kit_copy(k, id, uids, to, rnd(2));
}

static enum status
stage_op(enum op_kind kind, uint32_t rows)
{
	struct op op;

	k->stages = false;
	k->head.part = 0;
	op = kit_op(k, kind);
	if (kind == OP_STAGE_END)
		op.u.stage_end.rows = rows;
	return kit_apply(k, &op);
}

/* A copy, a move or an append in parts; what it shows is seen in each of its phases. */
static void
do_staged(void (*look)(void))
{
	unsigned how = rnd(3), parts = 1 + rnd(3);
	uint64_t from = kit_mailbox(k, any_path());
	const char *to = any_path();
	bool any = false;

	if (from == 0 || kit_mailbox(k, to) == 0)
		return;
	for (unsigned i = 0; i < parts; i++) {
		char uids[20];

		k->stages = true;
		k->head.part = i + 1;
		snprintf(uids, sizeof(uids), "%u:%u", 1 + 5 * i, 4 + 5 * i);
		if (how == 0)
			any |= kit_append(k, to, 2, 20, rnd(32), NULL, rnd(20)) == ST_OK;
		else
			any |= kit_copy(k, from, uids, to, how == 1) == ST_OK;
		look();
	}
	if (any && rnd(4) != 0)
		(void)stage_op(OP_STAGE_COMMIT, 0);
	k->stages = false;
	k->head.part = 0;
	look();
	do {
		OK(stage_op(OP_STAGE_END, 1 + rnd(4)));
		look();
	} while (k->r.more);
}

static void
do_mailbox(void)
{
	switch (rnd(6)) {
	case 0:
	case 1:
		(void)kit_create(k, any_path());
		break;
	case 2:
		(void)kit_delete(k, any_path());
		break;
	case 3:
		(void)kit_rename(k, any_path(), any_path());
		break;
	default:
		OK(kit_subscribe(k, any_path(), rnd(2)));
	}
}

/* Brings messages back that are gone, and mailboxes. */
static void
do_undelete(void)
{
	struct snap *then = snaps[rnd((uint32_t)n_snaps)];
	struct op op = kit_op(k, OP_UNDELETE);
	struct buf ids = { 0 };

	for (size_t i = 0; i < then->n; i++)
		if (rnd(3) == 0 && ids.len < 80)
			put_u64(&ids, then->e[i].id);
	op.u.undelete.ids = buf_span(&ids);
	op.u.undelete.make = true;
	if (ids.len > 0)
		(void)kit_apply(k, &op);
	buf_fini(&ids);
	if (then->n_boxes > 0 && rnd(2)) {
		op = kit_op(k, OP_MAILBOX_REVIVE);
		op.u.mailbox_revive.mailbox = then->box[rnd((uint32_t)then->n_boxes)].id;
		op.u.mailbox_revive.path = span_str(any_path());
		(void)kit_apply(k, &op);
	}
}

static void
do_remove(void)
{
	struct op op = kit_op(k, OP_REMOVE);
	struct buf what = { 0 }, uids = { 0 };
	struct uidset set = { 0 };

	uidset_add_range(&set, 1 + rnd(10), 12);
	uidset_encode(&set, &uids);
	for (unsigned i = 0; i < 2; i++) {
		struct store_uids u = { kit_mailbox(k, paths[3 * rnd(2) + i]), buf_span(&uids) };

		if (u.mailbox != 0)
			put_store_uids(&what, &u);
	}
	op.u.remove = (struct op_remove){ .how = (uint8_t)(REMOVE_EXPUNGE + rnd(3)),
		.system = rnd(2) ? FLAG_DELETED : FLAG_SEEN, .to = span_str(any_path()),
		.what = buf_span(&what) };
	if (op.u.remove.how == REMOVE_MOVE)
		op.u.remove.system = 0;
	(void)kit_apply(k, &op);
	buf_fini(&what);
	buf_fini(&uids);
	uidset_fini(&set);
}

static void
do_retention(void)
{
	struct op op = kit_op(k, OP_RETENTION);
	struct uidset set = { 0 };
	struct buf uids = { 0 };

	uidset_add_range(&set, 1, 6);
	uidset_encode(&set, &uids);
	op.u.retention = (struct op_retention){ .mailbox = kit_mailbox(k, any_path()),
		.before_s = k->time_ms / 1000 + 1000, .uids = buf_span(&uids) };
	if (op.u.retention.mailbox != 0)
		(void)kit_apply(k, &op);
	buf_fini(&uids);
	uidset_fini(&set);
}

static void
look_in_between(void)
{
	struct snap *now = see();

	check_all(now);
	check_emails(snaps[rnd((uint32_t)n_snaps)], now);
	check_mailboxes(snaps[rnd((uint32_t)n_snaps)], now);
	mem_free(&now->e);
	mem_free(&now);
}

/* ---- JMAP's operations, each held against what it should come to ---- */

static struct flags
any_keywords(void)
{
	struct flags f = flags_system(rnd(32) & ~(unsigned)FLAG_DELETED);

	if (rnd(2))
		flags_set_keyword(&f, rnd(3));
	return f;
}

/* The account's bits of the three names, in their places. */
static struct flags
as_bits(struct flags f)
{
	struct flags out = flags_system(flags_get_system(f));
	struct buf b = { 0 };
	struct span name;
	struct reader r;
	unsigned bit = 0;

	OK(state_keywords(k->s, 7, 0, &b));
	reader_init(&r, b.data, b.len);
	for (; get_store_keyword(&r, &name); bit++)
		for (unsigned i = 0; i < 3; i++)
			if (span_eq_str(name, keywords[i]) && flags_has_keyword(f, i))
				flags_set_keyword(&out, bit);
	buf_fini(&b);
	return out;
}

static void
put_names(struct buf *b)
{
	for (unsigned i = 0; i < 3; i++)
		put_store_keyword(b, span_str(keywords[i]));
}

/* The mailboxes that an Email is in, as bits of `s`, after an item. */
static uint64_t
boxes_after(const struct snap *s, const struct email *e, const struct store_email_item *it)
{
	uint64_t boxes = it->mailboxes_how == EMAIL_REPLACE ? 0 : e->boxes;

	if (it->mailboxes_how == EMAIL_KEEP)
		return boxes;
	for (size_t i = 0; i < s->n_boxes; i++)
		for (size_t j = 0; j < it->mailboxes_remove.len; j += 8)
			if (s->box[i].id == get_be64(it->mailboxes_remove.p + j) &&
			    it->mailboxes_how == EMAIL_PATCH)
				boxes &= ~((uint64_t)1 << i);
	for (size_t i = 0; i < s->n_boxes; i++)
		for (size_t j = 0; j < it->mailboxes_add.len; j += 8)
			if (s->box[i].id == get_be64(it->mailboxes_add.p + j))
				boxes |= (uint64_t)1 << i;
	return boxes;
}

static void
check_item(struct snap *then, struct snap *now, const struct store_email_item *it,
    enum status outcome)
{
	const struct email *x = email_of(then, it->message), *y = email_of(now, it->message);
	struct flags add = as_bits(it->keywords_add), remove = as_bits(it->keywords_remove);
	struct email want;

	if (x == NULL || outcome != ST_OK) {
		IS(outcome, x == NULL ? ST_NOT_FOUND : boxes_after(then, x, it) == 0 ||
		    it->mailboxes_add.len % 16 != 0 ? ST_SYNTAX : ST_OK);
		return;
	}
	if (it->how == EMAIL_DESTROY) {
		assert_null(y);
		return;
	}
	want = *x;
	if (it->keywords_how == EMAIL_REPLACE) {
		want.all = want.any = add;
	} else if (it->keywords_how == EMAIL_PATCH) {
		want.all = flags_or(flags_without(x->all, remove), add);
		want.any = flags_or(flags_without(x->any, remove), add);
	}
	want.boxes = boxes_after(then, x, it);
	assert_non_null(y);
	assert_true(same_keywords(&want, y));
	assert_true(same_boxes(then, &want, now, y));
}

/* At most two items; a mailbox that is not there makes an odd number of them. */
static void
any_item(struct snap *s, struct store_email_item *it, struct buf *add, struct buf *remove)
{
	struct snap *from = rnd(8) ? s : snaps[rnd((uint32_t)n_snaps)];

	*it = (struct store_email_item){ .message = from->n > 0 ?
	    from->e[rnd((uint32_t)from->n)].id : 12345, .how = EMAIL_UPDATE };
	if (rnd(8) == 0) {
		it->how = EMAIL_DESTROY;
		return;
	}
	it->keywords_how = (uint8_t)rnd(3);
	it->mailboxes_how = (uint8_t)rnd(3);
	if (it->keywords_how != EMAIL_KEEP)
		it->keywords_add = any_keywords();
	if (it->keywords_how == EMAIL_PATCH)
		it->keywords_remove = any_keywords();
	if (it->mailboxes_how == EMAIL_KEEP)
		return;
	for (unsigned n = rnd(3); n > 0; n--) {
		uint64_t id = s->box[rnd((uint32_t)s->n_boxes)].id;

		put_u64(add, id);
		put_u64(add, id);	/* twice is once */
	}
	if (rnd(12) == 0)
		put_u64(add, 99999);
	for (unsigned n = rnd(3); n > 0; n--)
		put_u64(remove, s->box[rnd((uint32_t)s->n_boxes)].id);
	it->mailboxes_add = buf_span(add);
	it->mailboxes_remove = buf_span(remove);
}

static void
do_email_set(void)
{
	struct snap *then = snaps[n_snaps - 1], *now;
	struct op op = kit_op(k, OP_EMAIL_SET);
	struct buf items = { 0 }, names = { 0 }, add[2] = { { 0 } }, remove[2] = { { 0 } };
	struct store_email_item it[2];
	struct store_email_set_is is;
	uint64_t state = states().email;
	unsigned n = 1 + rnd(2);

	for (unsigned i = 0; i < n; i++) {
		any_item(then, &it[i], &add[i], &remove[i]);
		put_store_email_item(&items, &it[i]);
	}
	put_names(&names);
	op.u.email_set = (struct op_email_set){ rnd(4) == 0 ? state + 1 : rnd(2) ? state : 0,
		buf_span(&names), buf_span(&items) };
	if (op.u.email_set.if_email == state + 1) {
		IS(kit_apply(k, &op), ST_CONFLICT);
	} else if (then->n < EMAILS_MAX / 2) {
		OK(kit_apply(k, &op));
		kit_reply(k, STORE_EMAIL_SET_IS, &is);
		assert_int_equal(is.outcomes.len, n);
		assert_true(is.old_email == state && is.email == states().email);
		now = see();
		for (unsigned i = 0; i < n; i++) {
			if (i == 1 && it[0].message == it[1].message)
				IS(is.outcomes.p[1], ST_CONFLICT);
			else
				check_item(then, now, &it[i], (enum status)is.outcomes.p[i]);
		}
		mem_free(&now->e);
		mem_free(&now);
	}
	for (unsigned i = 0; i < 2; i++) {
		buf_fini(&add[i]);
		buf_fini(&remove[i]);
	}
	buf_fini(&items);
	buf_fini(&names);
}

static void
do_append_into(void)
{
	struct snap *then = snaps[n_snaps - 1], *now;
	struct op op = kit_op(k, OP_APPEND_INTO);
	struct buf items = { 0 }, names = { 0 }, into = { 0 };
	unsigned char sha[32] = { 1 };
	struct op_append_item it = { .flags = any_keywords(), .received_s = INT64_MIN, .size = 50,
		.sha256 = span(sha, 32), .pieces = 1 };
	uint64_t want = 0;
	struct store_appended is;
	struct reader r;

	for (size_t i = 0; i < then->n_boxes && into.len < 24; i++)
		if (rnd(3) == 0) {
			want |= (uint64_t)1 << i;
			put_u64(&into, then->box[i].id);
		}
	put_op_append_item(&items, &it);
	put_op_append_item(&items, &it);
	put_names(&names);
	op.u.append = (struct op_append){ .keywords = buf_span(&names),
		.items = buf_span(&items), .into = buf_span(&into) };
	if (into.len == 0) {
		IS(kit_apply(k, &op), ST_SYNTAX);
	} else if (then->n < EMAILS_MAX / 3) {
		OK(kit_apply(k, &op));
		kit_reply(k, STORE_APPENDED, &is);
		assert_int_equal(is.ids.len, 32);
		now = see();
		reader_init(&r, is.ids.p, is.ids.len);
		while (reader_left(&r) > 0) {
			const struct email *e = email_of(now, get_u64(&r));

			assert_non_null(e);
			assert_true(e->thread == get_u64(&r) && e->boxes == want);
			assert_true(flags_eq(e->all, as_bits(it.flags)));
		}
		mem_free(&now->e);
		mem_free(&now);
	}
	buf_fini(&items);
	buf_fini(&names);
	buf_fini(&into);
}

static bool
is_below(struct snap *s, uint64_t id, uint64_t top)
{
	for (unsigned depth = 0; id != 0 && depth < 30; depth++) {
		if (id == top)
			return true;
		id = box_of(s, id)->parent;
	}
	return false;
}

static void
do_mailbox_set(void)
{
	static const char *const parts[] = { "Work", "Sub", "Low", "Old", "inbox", "a/b", "" };
	struct snap *then = snaps[n_snaps - 1], *now;
	struct known_box *old = &then->box[rnd((uint32_t)then->n_boxes)], *is_now, want;
	struct op op = kit_op(k, OP_MAILBOX_SET);
	struct op_mailbox_set *p = &op.u.mailbox_set;
	uint64_t state = states().mailbox;
	struct store_mailbox_set_is is;

	*p = (struct op_mailbox_set){ .how = (uint8_t)(MAILBOX_SET_CREATE + rnd(3)),
		.mailbox = rnd(20) ? old->id : 4711, .fields = (uint8_t)rnd(32),
		.parent = rnd(2) ? 0 : then->box[rnd((uint32_t)then->n_boxes)].id,
		.name = span_str(parts[rnd(ARRAY_LEN(parts))]),
		.role = rnd(3) ? 0 : (uint8_t)rnd(MAILBOX_ROLE_MAX + 1), .order = rnd(5),
		.subscribed = rnd(2), .remove_emails = rnd(2),
		.if_mailbox = rnd(10) == 0 ? state + 1 : 0 };
	OK(kit_apply(k, &op));
	kit_reply(k, STORE_MAILBOX_SET_IS, &is);
	assert_true(is.old_mailbox == state && is.state == states().mailbox);
	now = see();
	want = *old;
	if (is.verdict != MAILBOX_SET_DONE) {
		assert_true(now->modseq == then->modseq);
		assert_int_equal(is.verdict == MAILBOX_SET_STATE, p->if_mailbox != 0);
	} else if (p->how == MAILBOX_SET_DESTROY) {
		assert_null(box_of(now, p->mailbox));
		assert_true(p->remove_emails || old->total == 0);
	} else {
		is_now = box_of(now, is.mailbox);
		assert_non_null(is_now);
		if (p->how == MAILBOX_SET_CREATE) {
			assert_null(box_of(then, is.mailbox));
			p->fields = 31;
		}
		if (p->fields & MAILBOX_CHANGED_PARENT) {
			assert_false(p->how == MAILBOX_SET_UPDATE && is_below(then, p->parent, old->id));
			want.parent = p->parent;
		}
		if (p->fields & MAILBOX_CHANGED_NAME)
			snprintf(want.name, sizeof(want.name), "%.*s", (int)p->name.len,
			    p->name.p);
		if (p->fields & MAILBOX_CHANGED_ROLE)
			want.role = p->role;
		if (p->fields & MAILBOX_CHANGED_ORDER)
			want.order = p->order;
		if (p->fields & MAILBOX_CHANGED_SUBSCRIBED)
			want.subscribed = p->subscribed;
		if (want.parent != 0 || strcmp(want.name, "inbox") != 0)
			assert_string_equal(want.name, is_now->name);
		assert_true(want.parent == is_now->parent && want.role == is_now->role &&
		    want.order == is_now->order);
		/* a name that was subscribed before there was a mailbox may be met */
		assert_true(want.subscribed == is_now->subscribed ||
		    !(p->fields & MAILBOX_CHANGED_SUBSCRIBED) ||
		    (p->how == MAILBOX_SET_CREATE && !p->subscribed));
	}
	mem_free(&now->e);
	mem_free(&now);
}

static void
operate(void)
{
	uint32_t n = rnd(130);

	if (n < 25)
		do_append();
	else if (n < 45)
		do_flags();
	else if (n < 52)
		do_expunge();
	else if (n < 65)
		do_copy();
	else if (n < 70)
		do_staged(look_in_between);
	else if (n < 80)
		do_mailbox();
	else if (n < 85)
		do_undelete();
	else if (n < 88)
		do_remove();
	else if (n < 90)
		do_retention();
	else if (n < 110)
		do_email_set();
	else if (n < 115)
		do_append_into();
	else
		do_mailbox_set();
}

static void
changes_since_every_earlier_state_lead_to_the_present(void **state)
{
	const char *ops = getenv("MANSIO_OPS");
	unsigned n = ops != NULL ? (unsigned)strtoul(ops, NULL, 10) : 400;

	snaps[n_snaps++] = see();
	for (unsigned i = 0; i < n && n_snaps < SNAPS_MAX; i++) {
		struct store_states_are before = states();
		struct snap *now;

		operate();
		now = see();
		check_states(snaps[n_snaps - 1], now, &before);
		for (unsigned j = 0; j < 3; j++) {
			struct snap *then = j == 0 ? snaps[n_snaps - 1] :
			    snaps[rnd((uint32_t)n_snaps)];

			check_emails(then, now);
			check_mailboxes(then, now);
		}
		if (i % 16 == 0)
			check_all(now);
		snaps[n_snaps++] = now;
	}
	for (size_t i = 0; i < n_snaps; i++) {
		check_emails(snaps[i], snaps[n_snaps - 1]);
		check_mailboxes(snaps[i], snaps[n_snaps - 1]);
	}
}

static int
setup(void **state)
{
	const char *seed = getenv("MANSIO_SEED");

	rnd_state = seed != NULL ? strtoull(seed, NULL, 10) : 20261121;
	kit_open(k);
	OK(kit_account(k, 7));
	OK(kit_create(k, "Work/Sub"));
	return 0;
}

static int
teardown(void **state)
{
	forget();
	kit_end(k);
	return 0;
}

static int
run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    changes_since_every_earlier_state_lead_to_the_present, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int
main(void)
{
	return engines_each(run);
}
