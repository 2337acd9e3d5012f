/* Looking into a mirror. */
#include "jmapd/mirror/mirror_priv.h"

#include <stdlib.h>

#include "common/util/mem.h"

struct type_state
mirror_state(const struct mirror *m, enum mirror_type t)
{
	return (struct type_state){ .modseq = m->states[t], .incarnation = m->incarnation };
}

static const struct row *
row_of(const struct mirror *m, uint64_t id)
{
	uint32_t i = rows_find(&m->rows, id);

	return i == ROWS_NONE ? NULL : rows_row(&m->rows, i);
}

bool
mirror_get(const struct mirror *m, uint64_t id, struct mirror_email *e)
{
	const struct row *row = row_of(m, id);

	if (row == NULL)
		return false;
	*e = (struct mirror_email){ row->id, row->thread, row->received_s, row->size,
	    rows_memberships(&m->rows, row), rows_flags(&m->rows, row) };
	return true;
}

void
mirror_place(const struct mirror *m, uint64_t id, unsigned i, uint64_t *mailbox, uint32_t *uid)
{
	const struct row *row = row_of(m, id);
	struct rows_seen s = { 0 };

	*mailbox = 0;
	*uid = 0;
	if (row == NULL || !rows_at(&m->rows, row, i, &s))
		return;
	*mailbox = rows_box_id(&m->rows, s.box);
	*uid = s.uid;
}

bool
mirror_find(const struct mirror *m, uint64_t mailbox, uint32_t uid, uint64_t *id)
{
	uint32_t box = rows_box_find(&m->rows, mailbox);
	struct rows_seen s;

	for (uint32_t i = 0; box != UINT32_MAX && i < m->rows.n; i++) {
		const struct row *row = rows_row(&m->rows, i);

		for (unsigned k = 0; row->used && rows_at(&m->rows, row, k, &s); k++) {
			if (s.box == box && s.uid == uid) {
				*id = row->id;
				return true;
			}
		}
	}
	return false;
}

/* ---- keywords ---- */

static const struct {
	const char	*name;
	unsigned	flag;
} system_keywords[] = {
	{ "$seen", FLAG_SEEN }, { "$answered", FLAG_ANSWERED }, { "$flagged", FLAG_FLAGGED },
	{ "$draft", FLAG_DRAFT }
};

struct flags
mirror_keyword(const struct mirror *m, struct span name)
{
	struct flags f = { { 0 } };
	struct span have;
	struct reader r;

	for (size_t i = 0; i < ARRAY_LEN(system_keywords); i++) {
		if (span_caseeq_str(name, system_keywords[i].name))
			return flags_system(system_keywords[i].flag);
	}
	reader_init(&r, m->keywords.data, m->keywords.len);
	for (unsigned k = 0; m->keywords.len > 0 && k < KEYWORD_MAX && get_store_keyword(&r, &have);
	    k++) {
		if (span_caseeq(have, name)) {
			flags_set_keyword(&f, k);
			break;
		}
	}
	return f;
}

bool
mirror_keyword_next(const struct mirror *m, struct flags f, unsigned *at, struct span *name)
{
	struct reader r;

	for (; *at < ARRAY_LEN(system_keywords); (*at)++) {
		if (flags_get_system(f) & system_keywords[*at].flag) {
			*name = span_str(system_keywords[(*at)++].name);
			return true;
		}
	}
	if (!flags_has_keywords(f))
		return false;
	reader_init(&r, m->keywords.data, m->keywords.len);
	for (unsigned k = 0; m->keywords.len > 0 && k < KEYWORD_MAX && get_store_keyword(&r, name); k++) {
		if (k + ARRAY_LEN(system_keywords) >= *at && flags_has_keyword(f, k)) {
			*at = k + (unsigned)ARRAY_LEN(system_keywords) + 1;
			return true;
		}
	}
	return false;
}

/* ---- threads, counts ---- */

struct member {
	int64_t		received_s;
	uint64_t	id;
};

static int
by_received(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	if (x->received_s != y->received_s)
		return x->received_s < y->received_s ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

size_t
mirror_thread(const struct mirror *m, uint64_t thread, uint64_t **ids)
{
	uint32_t head = rows_find_thread(&m->rows, thread), i = head;
	struct member *v;
	size_t n = 0, room = 0;

	*ids = NULL;
	if (head == ROWS_NONE)
		return 0;
	v = NULL;
	do {
		const struct row *row = rows_row(&m->rows, i);

		if (n == room) {
			room = room > 0 ? room * 2 : 8;
			v = mem_realloc_array(v, room, sizeof(*v));
		}
		v[n++] = (struct member){ row->received_s, row->id };
		i = row->next;
	} while (i != head);
	qsort(v, n, sizeof(*v), by_received);
	*ids = mem_array(n, sizeof(**ids));
	for (size_t k = 0; k < n; k++)
		(*ids)[k] = v[k].id;
	mem_free(&v);
	return n;
}

void
mirror_counts(struct mirror *m, uint64_t mailbox, uint64_t trash, struct mirror_counts *c)
{
	rows_counts(&m->rows, mailbox, trash, c);
}
