/* Rows lie in blocks, so that growing copies nothing; two tables of row numbers find them, by id
 * and (one of the ring) by thread.  The first membership stands in the row, others in a list. */
#include "jmapd/mirror/rows.h"

#include <string.h>

#include "common/util/mem.h"

#define BOXES_MAX UINT16_MAX

struct rows_more {
	uint32_t	uid, set, next;		/* next: index + 1, 0: none */
	uint16_t	box;
};

struct rows_box {
	uint64_t		id;
	uint32_t		places;		/* 0: the slot is free */
	uint64_t		stamp, stamp_email;
	struct mirror_counts	counts;
};

void
rows_init(struct rows *r)
{
	*r = (struct rows){ .free = ROWS_NONE };
}

void
rows_fini(struct rows *r)
{
	for (uint32_t i = 0; i * ROWS_CHUNK < r->n; i++)
		mem_free(&r->chunk[i]);
	mem_free(&r->chunk);
	mem_free(&r->by_id);
	mem_free(&r->by_thread);
	mem_free(&r->more);
	mem_free(&r->sets);
	mem_free(&r->by_flags);
	mem_free(&r->boxes);
	table_fini(&r->by_mailbox, NULL, NULL);
	rows_init(r);
}

size_t
rows_bytes(const struct rows *r)
{
	size_t chunks = (r->n + ROWS_CHUNK - 1) / ROWS_CHUNK;

	return sizeof(*r) + chunks * (ROWS_CHUNK * sizeof(struct row) + sizeof(struct row *)) +
	    ((size_t)r->id_size + r->thread_size + r->sets_size) * sizeof(uint32_t) +
	    (size_t)r->more_room * sizeof(struct rows_more) +
	    (size_t)r->sets_size * sizeof(struct flags) +
	    (size_t)r->box_room * sizeof(struct rows_box) +
	    r->by_mailbox.size * 48;
}

/* ---- finding ---- */

static uint32_t
hash(uint64_t v)
{
	v ^= v >> 30;
	v *= UINT64_C(0xbf58476d1ce4e5b9);
	v ^= v >> 27;
	v *= UINT64_C(0x94d049bb133111eb);
	return (uint32_t)(v >> 32);
}

static uint64_t
key_of(const struct rows *r, uint32_t i, bool thread)
{
	const struct row *row = rows_row(r, i);

	return thread ? row->thread : row->id;
}

/* Where the key is, or where it would be. */
static uint32_t
slot_of(const struct rows *r, const uint32_t *t, uint32_t size, uint64_t key, bool thread)
{
	uint32_t at = hash(key) & (size - 1);

	while (t[at] != ROWS_NONE && key_of(r, t[at], thread) != key)
		at = (at + 1) & (size - 1);
	return at;
}

static uint32_t
find(const struct rows *r, uint64_t key, bool thread)
{
	const uint32_t *t = thread ? r->by_thread : r->by_id;
	uint32_t size = thread ? r->thread_size : r->id_size;

	return size == 0 ? ROWS_NONE : t[slot_of(r, t, size, key, thread)];
}

uint32_t
rows_find(const struct rows *r, uint64_t id)
{
	return find(r, id, false);
}

uint32_t
rows_find_thread(const struct rows *r, uint64_t thread)
{
	return find(r, thread, true);
}

/* At most two thirds are in use. */
static void
make_room(const struct rows *r, uint32_t **t, uint32_t *size, uint32_t used, bool thread)
{
	uint32_t *old = *t, old_size = *size;

	if ((uint64_t)(used + 1) * 3 <= (uint64_t)old_size * 2)
		return;
	*size = old_size == 0 ? 16 : old_size * 2;
	*t = mem_alloc(*size * sizeof(**t));
	memset(*t, 0xff, *size * sizeof(**t));
	for (uint32_t i = 0; i < old_size; i++) {
		if (old[i] != ROWS_NONE)
			(*t)[slot_of(r, *t, *size, key_of(r, old[i], thread), thread)] = old[i];
	}
	mem_free(&old);
}

/* Those behind it move up, so that no search ends too early. */
static void
empty_slot(const struct rows *r, uint32_t *t, uint32_t size, uint32_t at, bool thread)
{
	uint32_t next = at;

	for (;;) {
		uint32_t home;

		next = (next + 1) & (size - 1);
		if (t[next] == ROWS_NONE)
			break;
		home = hash(key_of(r, t[next], thread)) & (size - 1);
		if (((next - home) & (size - 1)) >= ((next - at) & (size - 1))) {
			t[at] = t[next];
			at = next;
		}
	}
	t[at] = ROWS_NONE;
}

/* ---- flags ---- */

static uint32_t
flags_slot(const struct rows *r, struct flags f)
{
	uint32_t at = hash(f.w[0] ^ f.w[1] * UINT64_C(0x9e3779b97f4a7c15)) & (r->sets_size - 1);

	while (r->by_flags[at] != ROWS_NONE && !flags_eq(r->sets[r->by_flags[at]], f))
		at = (at + 1) & (r->sets_size - 1);
	return at;
}

static uint32_t
set_of(struct rows *r, struct flags f)
{
	uint32_t at;

	if ((uint64_t)(r->n_sets + 1) * 3 > (uint64_t)r->sets_size * 2) {
		mem_free(&r->by_flags);
		r->sets_size = r->sets_size == 0 ? 16 : r->sets_size * 2;
		r->sets = mem_realloc_array(r->sets, r->sets_size, sizeof(*r->sets));
		r->by_flags = mem_alloc(r->sets_size * sizeof(*r->by_flags));
		memset(r->by_flags, 0xff, r->sets_size * sizeof(*r->by_flags));
		for (uint32_t i = 0; i < r->n_sets; i++)
			r->by_flags[flags_slot(r, r->sets[i])] = i;
	}
	at = flags_slot(r, f);
	if (r->by_flags[at] == ROWS_NONE) {
		r->by_flags[at] = r->n_sets;
		r->sets[r->n_sets++] = f;
	}
	return r->by_flags[at];
}

bool
rows_stale(const struct rows *r)
{
	return r->n_sets > 4096 && r->n_sets / 2 > r->count;
}

/* ---- memberships ---- */

bool
rows_at(const struct rows *r, const struct row *row, unsigned i, struct rows_seen *s)
{
	const struct rows_more *m = NULL;

	if (i == 0) {
		*s = (struct rows_seen){ row->mailbox, row->uid, r->sets[row->set] };
		return true;
	}
	for (uint32_t at = row->more; at != 0; at = m->next) {
		m = &r->more[at - 1];
		if (--i == 0) {
			*s = (struct rows_seen){ m->box, m->uid, r->sets[m->set] };
			return true;
		}
	}
	return false;
}

unsigned
rows_memberships(const struct rows *r, const struct row *row)
{
	unsigned n = 1;

	for (uint32_t at = row->more; at != 0; at = r->more[at - 1].next)
		n++;
	return n;
}

bool
rows_in(const struct rows *r, const struct row *row, uint32_t box)
{
	if (row->mailbox == box)
		return true;
	for (uint32_t at = row->more; at != 0; at = r->more[at - 1].next) {
		if (r->more[at - 1].box == box)
			return true;
	}
	return false;
}

struct flags
rows_flags(const struct rows *r, const struct row *row)
{
	struct flags f = r->sets[row->set];
	bool seen = (f.w[0] & FLAG_SEEN) != 0;

	for (uint32_t at = row->more; at != 0; at = r->more[at - 1].next) {
		struct flags other = r->sets[r->more[at - 1].set];

		seen = seen && (other.w[0] & FLAG_SEEN) != 0;
		f = flags_or(f, other);
	}
	if (!seen)
		f.w[0] &= ~(uint64_t)FLAG_SEEN;
	return f;
}

uint64_t
rows_box_id(const struct rows *r, uint32_t box)
{
	return r->boxes[box].id;
}

uint32_t
rows_box_find(const struct rows *r, uint64_t mailbox)
{
	uintptr_t v = (uintptr_t)table_get_u64(&r->by_mailbox, mailbox);

	return v == 0 ? UINT32_MAX : (uint32_t)(v - 1);
}

/* One more in that mailbox.  false: there are too many. */
static bool
box_take(struct rows *r, uint64_t mailbox, uint16_t *box)
{
	uint32_t at = rows_box_find(r, mailbox);

	if (at == UINT32_MAX && r->n_boxes == BOXES_MAX) {
		for (at = 0; at < r->n_boxes && r->boxes[at].places > 0; at++)
			;
		if (at == r->n_boxes)
			return false;
		table_del_u64(&r->by_mailbox, r->boxes[at].id);
		r->boxes[at] = (struct rows_box){ .id = mailbox };
		table_put_u64(&r->by_mailbox, mailbox, (void *)(uintptr_t)(at + 1));
	} else if (at == UINT32_MAX) {
		if (r->n_boxes == r->box_room) {
			r->box_room = r->box_room > 0 ? r->box_room * 2 : 16;
			r->boxes = mem_realloc_array(r->boxes, r->box_room, sizeof(*r->boxes));
		}
		at = r->n_boxes++;
		r->boxes[at] = (struct rows_box){ .id = mailbox };
		table_put_u64(&r->by_mailbox, mailbox, (void *)(uintptr_t)(at + 1));
	}
	r->boxes[at].places++;
	*box = (uint16_t)at;
	return true;
}

static uint32_t
more_new(struct rows *r)
{
	uint32_t at = r->more_free;

	if (at != 0) {
		r->more_free = r->more[at - 1].next;
		return at;
	}
	if (r->n_more == r->more_room) {
		r->more_room = r->more_room > 0 ? r->more_room + r->more_room / 2 : 64;
		r->more = mem_realloc_array(r->more, r->more_room, sizeof(*r->more));
	}
	return ++r->n_more;
}

static void
drop_places(struct rows *r, struct row *row)
{
	uint32_t next;

	r->boxes[row->mailbox].places--;
	for (uint32_t at = row->more; at != 0; at = next) {
		struct rows_more *m = &r->more[at - 1];

		next = m->next;
		r->boxes[m->box].places--;
		m->next = r->more_free;
		r->more_free = at;
	}
	row->more = 0;
}

static bool
add_place(struct rows *r, struct row *row, const struct rows_place *p)
{
	uint32_t at;
	uint16_t box;

	if (!box_take(r, p->mailbox, &box))
		return false;
	at = more_new(r);
	r->more[at - 1] = (struct rows_more){ p->uid, set_of(r, p->flags), row->more, box };
	row->more = at;
	return true;
}

static bool
set_places(struct rows *r, struct row *row, const struct rows_place *p, size_t n)
{
	if (!box_take(r, p[0].mailbox, &row->mailbox))
		return false;
	row->uid = p[0].uid;
	row->set = set_of(r, p[0].flags);
	for (size_t i = n; i-- > 1; ) {
		if (!add_place(r, row, &p[i]))
			return false;
	}
	return true;
}

/* ---- counts ---- */

static bool
unread(struct flags f)
{
	return (f.w[0] & (FLAG_SEEN | FLAG_DRAFT)) == 0;
}

/* What a mailbox shows of this thread, added or taken away.  Emails that are only in the trash do
 * not make the thread unread elsewhere, and those outside it not there (RFC 8621 §2). */
static void
tally(struct rows *r, uint32_t head, int sign)
{
	uint32_t trash = r->trash != 0 ? rows_box_find(r, r->trash) : UINT32_MAX, i = head;
	bool outside = false, inside = false;
	uint64_t thread_stamp = ++r->stamp;
	struct rows_seen s;

	do {
		const struct row *row = rows_row(r, i);
		bool fresh = unread(rows_flags(r, row));
		bool in_trash = trash != UINT32_MAX && rows_in(r, row, trash);
		uint64_t stamp = ++r->stamp;

		for (unsigned k = 0; rows_at(r, row, k, &s); k++) {
			struct rows_box *b = &r->boxes[s.box];

			if (b->stamp_email == stamp)
				continue;
			b->stamp_email = stamp;
			b->counts.total_emails += (uint32_t)sign;
			b->counts.unread_emails += fresh ? (uint32_t)sign : 0;
			outside |= fresh && s.box != trash;
		}
		inside |= fresh && in_trash;
		i = row->next;
	} while (i != head);
	do {
		const struct row *row = rows_row(r, i);

		for (unsigned k = 0; rows_at(r, row, k, &s); k++) {
			struct rows_box *b = &r->boxes[s.box];

			if (b->stamp == thread_stamp)
				continue;
			b->stamp = thread_stamp;
			b->counts.total_threads += (uint32_t)sign;
			if (s.box == trash ? inside : outside)
				b->counts.unread_threads += (uint32_t)sign;
		}
		i = row->next;
	} while (i != head);
}

void
rows_counts(struct rows *r, uint64_t mailbox, uint64_t trash, struct mirror_counts *c)
{
	uint32_t box;

	if (!r->counted || r->trash != trash) {
		for (uint32_t i = 0; i < r->n_boxes; i++)
			r->boxes[i].counts = (struct mirror_counts){ 0 };
		r->trash = trash;
		r->counted = true;
		for (uint32_t i = 0; i < r->thread_size; i++) {
			if (r->by_thread[i] != ROWS_NONE)
				tally(r, r->by_thread[i], 1);
		}
	}
	box = rows_box_find(r, mailbox);
	*c = box == UINT32_MAX ? (struct mirror_counts){ 0 } : r->boxes[box].counts;
}

static void
tally_thread(struct rows *r, uint64_t thread, int sign)
{
	uint32_t head = r->counted ? rows_find_thread(r, thread) : ROWS_NONE;

	if (head != ROWS_NONE)
		tally(r, head, sign);
}

/* ---- rows ---- */

static uint32_t
row_new(struct rows *r)
{
	uint32_t i = r->free;

	if (i != ROWS_NONE) {
		r->free = rows_row(r, i)->next;
		return i;
	}
	if (r->n % ROWS_CHUNK == 0) {
		r->chunk = mem_realloc_array(r->chunk, r->n / ROWS_CHUNK + 1, sizeof(*r->chunk));
		r->chunk[r->n / ROWS_CHUNK] = mem_array(ROWS_CHUNK, sizeof(struct row));
	}
	return r->n++;
}

static void
link_row(struct rows *r, uint32_t i)
{
	struct row *row = rows_row(r, i);
	uint32_t at;

	make_room(r, &r->by_id, &r->id_size, r->count, false);
	make_room(r, &r->by_thread, &r->thread_size, r->threads, true);
	r->by_id[slot_of(r, r->by_id, r->id_size, row->id, false)] = i;
	r->count++;
	at = slot_of(r, r->by_thread, r->thread_size, row->thread, true);
	if (r->by_thread[at] == ROWS_NONE) {
		r->by_thread[at] = i;
		r->threads++;
		row->next = i;
	} else {
		struct row *head = rows_row(r, r->by_thread[at]);

		row->next = head->next;
		head->next = i;
	}
}

static void
unlink_row(struct rows *r, uint32_t i)
{
	struct row *row = rows_row(r, i);
	uint32_t at = slot_of(r, r->by_thread, r->thread_size, row->thread, true), before = i;

	while (rows_row(r, before)->next != i)
		before = rows_row(r, before)->next;
	if (before == i) {
		empty_slot(r, r->by_thread, r->thread_size, at, true);
		r->threads--;
	} else {
		rows_row(r, before)->next = row->next;
		r->by_thread[at] = before;
	}
	empty_slot(r, r->by_id, r->id_size, slot_of(r, r->by_id, r->id_size, row->id, false), false);
	r->count--;
}

static bool
put(struct rows *r, const struct rows_message *m)
{
	uint32_t i = rows_find(r, m->id);
	struct row *row;

	if (i != ROWS_NONE) {
		row = rows_row(r, i);
		drop_places(r, row);
		if (m->n > 0)
			return set_places(r, row, m->places, m->n);
		unlink_row(r, i);
		*row = (struct row){ .next = r->free };
		r->free = i;
		return true;
	}
	if (m->n == 0)
		return true;
	i = row_new(r);
	row = rows_row(r, i);
	*row = (struct row){ .id = m->id, .thread = m->thread, .received_s = m->received_s,
	    .size = m->size > UINT32_MAX ? UINT32_MAX : (uint32_t)m->size, .used = 1 };
	if (!set_places(r, row, m->places, m->n))
		return false;
	link_row(r, i);
	return true;
}

bool
rows_put(struct rows *r, const struct rows_message *m)
{
	uint32_t i = rows_find(r, m->id);
	uint64_t thread = i != ROWS_NONE ? rows_row(r, i)->thread : m->thread;
	bool ok;

	tally_thread(r, thread, -1);
	ok = put(r, m);
	tally_thread(r, thread, 1);
	return ok;
}

bool
rows_add(struct rows *r, const struct rows_message *m)
{
	uint32_t i = rows_find(r, m->id);

	if (i == ROWS_NONE)
		return rows_put(r, m);
	r->counted = false;
	for (size_t k = 0; k < m->n; k++) {
		if (!add_place(r, rows_row(r, i), &m->places[k]))
			return false;
	}
	return true;
}
