#include "common/auth/voids.h"

#include <string.h>

#include "common/util/bytes.h"
#include "common/util/mem.h"

struct entry {
	struct list	in;
	unsigned char	id[TICKET_ID_LEN];
	int64_t		expires_s;
	uint64_t	no;
};

static struct span
id_span(const unsigned char *id)
{
	return span(id, TICKET_ID_LEN);
}

void
voids_init(struct voids *v, size_t max)
{
	*v = (struct voids){ .max = max };
	list_init(&v->entries);
}

static void
drop(struct voids *v, struct entry *e)
{
	table_del(&v->by_id, id_span(e->id));
	list_remove(&e->in);
	mem_free(&e);
}

static struct entry *
oldest(struct voids *v)
{
	return list_empty(&v->entries) ? NULL : list_entry(v->entries.next, struct entry, in);
}

void
voids_fini(struct voids *v)
{
	struct entry *e;

	while ((e = oldest(v)) != NULL)
		drop(v, e);
	table_fini(&v->by_id, NULL, NULL);
}

void
voids_raise(struct voids *v, int64_t before_s)
{
	if (before_s > v->before_s)
		v->before_s = before_s;
}

void
voids_purge(struct voids *v, int64_t now_s)
{
	struct entry *e;

	while ((e = oldest(v)) != NULL) {
		if (e->expires_s > now_s) {
			if (v->by_id.count <= v->max)
				return;
			voids_raise(v, e->expires_s);
		}
		drop(v, e);
	}
}

bool
voids_add(struct voids *v, const unsigned char id[TICKET_ID_LEN], int64_t expires_s, int64_t now_s)
{
	struct entry *e;

	if (expires_s <= now_s || voids_has(v, id))
		return false;
	e = mem_zalloc(sizeof(*e));
	memcpy(e->id, id, TICKET_ID_LEN);
	e->expires_s = expires_s;
	e->no = ++v->last;
	table_put(&v->by_id, id_span(e->id), e);
	list_push_back(&v->entries, &e->in);
	voids_purge(v, now_s);
	return true;
}

bool
voids_has(const struct voids *v, const unsigned char id[TICKET_ID_LEN])
{
	return table_get(&v->by_id, id_span(id)) != NULL;
}

size_t
voids_count(const struct voids *v)
{
	return v->by_id.count;
}

bool
voids_page(struct voids *v, uint64_t after, struct buf *out, uint64_t *last)
{
	struct list *n = v->entries.prev;
	size_t count = 0;

	*last = v->last;
	while (n != &v->entries && list_entry(n, struct entry, in)->no > after)
		n = n->prev;
	for (n = n->next; n != &v->entries; n = n->next) {
		const struct entry *e = list_entry(n, const struct entry, in);

		if (count++ == VOIDS_PAGE)
			return true;
		buf_add(out, e->id, TICKET_ID_LEN);
		put_u64(out, (uint64_t)e->expires_s);
		*last = e->no;
	}
	return false;
}

bool
voids_take_page(struct voids *v, struct span page, int64_t now_s)
{
	if (page.len % VOID_LEN != 0)
		return false;
	for (const char *p = page.p; p < page.p + page.len; p += VOID_LEN)
		(void)voids_add(v, (const unsigned char *)p, (int64_t)get_be64(p + TICKET_ID_LEN), now_s);
	return true;
}
