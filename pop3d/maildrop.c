#include "pop3d/maildrop.h"

#include <string.h>

#include "common/util/mem.h"

static void open_next(struct drop_load *l);
static void read_next(struct drop_load *l);

static void
finish(struct drop_load *l, enum status st)
{
	if (st != ST_OK)
		maildrop_fini(l->drop);
	l->done(l->arg, st);
}

/* ---- messages ---- */

static bool
needs_email(const struct conf_pop3 *conf)
{
	for (const char *p = strchr(conf->uidl_format, '%'); p != NULL; p = strchr(p + 1, '%'))
		if (p[strspn(p + 1, "0123456789Xx") + 1] == 'e')
			return true;
	return false;
}

static void
grow(struct maildrop *d, bool email)
{
	size_t room = d->room > 0 ? (size_t)d->room * 2 : 64;

	if (room > UINT32_MAX)
		room = UINT32_MAX;
	d->uid = mem_realloc_array(d->uid, room, sizeof(*d->uid));
	d->size = mem_realloc_array(d->size, room, sizeof(*d->size));
	d->marks = mem_realloc_array(d->marks, room, sizeof(*d->marks));
	if (email)
		d->email = mem_realloc_array(d->email, room, sizeof(*d->email));
	d->room = (uint32_t)room;
}

/* Deleted by POP3 before, where that only sets a flag. */
static bool
is_hidden(const struct drop_load *l, const struct store_row *row)
{
	if ((l->fields & ROW_FLAGS) == 0)
		return false;
	if (l->flag.data[0] == '\\')
		return (flags_get_system(row->flags) & FLAG_DELETED) != 0;
	return l->flag_bit < KEYWORD_MAX && flags_has_keyword(row->flags, l->flag_bit);
}

static void
add(struct drop_load *l, const struct store_row *row)
{
	struct maildrop *d = l->drop;

	if (is_hidden(l, row) || d->n >= l->max)
		return;
	if (d->n == d->room)
		grow(d, l->email);
	d->uid[d->n] = row->uid;
	d->size[d->n] = (uint32_t)row->size;
	d->marks[d->n] = 0;
	if (l->email)
		d->email[d->n] = row->message;
	d->bytes += row->size;
	d->boxes[l->at].n++;
	d->n++;
}

static void
find_keyword(struct drop_load *l, struct span names)
{
	struct reader r;
	struct span name;

	reader_init(&r, names.p, names.len);
	l->flag_bit = KEYWORD_MAX;
	for (uint32_t bit = 0; names.len > 0 && get_store_keyword(&r, &name); bit++)
		if (span_caseeq(name, buf_span(&l->flag)))
			l->flag_bit = bit;
}

static void
on_rows(void *arg, enum status st, bool more, const void *msg)
{
	struct drop_load *l = arg;
	const struct store_rows_are *are = msg;
	struct store_row row;
	struct reader r;

	if (are != NULL) {
		if ((l->fields & ROW_FLAGS) != 0)
			find_keyword(l, are->keywords);
		reader_init(&r, are->rows.p, are->rows.len);
		while (are->rows.len > 0 && get_store_row(&r, &row, l->fields))
			add(l, &row);
	}
	if (more)
		return;
	if (st != ST_OK && st != ST_NOT_FOUND) {
		finish(l, st);
		return;
	}
	l->at++;
	read_next(l);
}

static void
read_next(struct drop_load *l)
{
	struct maildrop *d = l->drop;
	struct store_rows rq = { .fields = (uint8_t)l->fields };
	struct uidset all = { 0 };
	struct buf set = { 0 };

	for (; l->at < d->n_boxes; l->at++) {
		d->boxes[l->at].first = d->n;
		if (d->boxes[l->at].uidnext > 1)
			break;
	}
	if (l->at == d->n_boxes) {
		finish(l, ST_OK);
		return;
	}
	rq.mailbox = d->boxes[l->at].mailbox;
	uidset_add_range(&all, 1, d->boxes[l->at].uidnext - 1);
	uidset_encode(&all, &set);
	rq.uids = buf_span(&set);
	store_do_rows(l->store, &rq, on_rows, l);
	buf_fini(&set);
	uidset_fini(&all);
}

/* ---- mailboxes, and the lease ---- */

static void
on_lease(void *arg, enum status st, bool more, const void *msg)
{
	struct drop_load *l = arg;

	if (st != ST_OK) {
		finish(l, st);
		return;
	}
	l->at = 0;
	read_next(l);
}

static void
take_lease(struct drop_load *l)
{
	const struct store_lease rq = { .on = true, .apart_s = l->apart_s,
		.what = l->one_folder ? l->drop->boxes[0].mailbox : 0 };

	l->lease = rq.what;
	store_do_lease(l->store, &rq, on_lease, l);
}

static bool
is_listed(const struct maildrop *d, uint64_t mailbox)
{
	for (size_t i = 0; i < d->n_boxes; i++)
		if (d->boxes[i].mailbox == mailbox)
			return true;
	return false;
}

static void
on_open(void *arg, enum status st, bool more, const void *msg)
{
	struct drop_load *l = arg;
	struct maildrop *d = l->drop;
	const struct store_opened *o = msg;

	if (more)
		return;
	if (st == ST_OK && o != NULL) {
		if (is_listed(d, o->mailbox)) {
			open_next(l);
			return;
		}
		d->boxes = mem_realloc_array(d->boxes, d->n_boxes + 1, sizeof(*d->boxes));
		d->boxes[d->n_boxes++] = (struct drop_box){ .mailbox = o->mailbox,
			.uidvalidity = o->uidvalidity, .uidnext = o->uidnext };
	} else if (st != ST_NOT_FOUND || l->one_folder) {
		finish(l, st);
		return;
	}
	open_next(l);
}

static void
open_next(struct drop_load *l)
{
	struct store_open rq = { 0 };
	struct reader r;

	reader_init(&r, l->paths.data, l->paths.len);
	if (l->at == l->paths.len) {
		take_lease(l);
		return;
	}
	r.p += l->at;
	rq.path = get_span(&r);
	l->at = l->paths.len - reader_left(&r);
	store_do_open(l->store, &rq, on_open, l);
}

void
maildrop_load(struct drop_load *l, const struct conf_pop3 *conf, struct span folder)
{
	bool hide = conf->delete_action == CONF_POP3_FLAG;

	l->one_folder = folder.len > 0;
	l->email = needs_email(conf);
	l->fields = ROW_SIZE | (hide ? ROW_FLAGS : 0) | (l->email ? ROW_IDS : 0);
	l->apart_s = conf->login_delay_s;
	l->max = conf->max_messages;
	l->flag_bit = KEYWORD_MAX;
	l->at = 0;
	buf_clear(&l->flag);
	buf_add_str(&l->flag, conf->delete_flag);
	buf_clear(&l->paths);
	if (l->one_folder)
		put_span(&l->paths, folder);
	for (size_t i = 0; i < conf->mailboxes.n && !l->one_folder; i++)
		put_span(&l->paths, span_str(conf->mailboxes.v[i]));
	open_next(l);
}

void
drop_load_fini(struct drop_load *l)
{
	buf_fini(&l->paths);
	buf_fini(&l->flag);
}

void
maildrop_fini(struct maildrop *d)
{
	mem_free(&d->boxes);
	mem_free(&d->uid);
	mem_free(&d->size);
	mem_free(&d->email);
	mem_free(&d->marks);
	*d = (struct maildrop){ 0 };
}

struct drop_box *
maildrop_box(const struct maildrop *d, uint32_t i)
{
	size_t k = 0;

	while (i - d->boxes[k].first >= d->boxes[k].n)
		k++;
	return &d->boxes[k];
}

/* ---- marks ---- */

void
maildrop_delete(struct maildrop *d, uint32_t i)
{
	d->marks[i] |= DROP_DELETED;
	d->n_deleted++;
	d->deleted_bytes += d->size[i];
}

void
maildrop_undelete_all(struct maildrop *d)
{
	for (uint32_t i = 0; d->n_deleted > 0 && i < d->n; i++)
		d->marks[i] &= (uint8_t)~DROP_DELETED;
	d->n_deleted = 0;
	d->deleted_bytes = 0;
}

/* Messages of one mailbox from *at on; count goes up to max. */
static void
collect(const struct maildrop *d, const struct drop_box *box, uint8_t have, uint8_t not,
    uint32_t max, uint32_t *at, uint32_t *count, struct uidset *uids)
{
	for (; *at < box->first + box->n && *count < max; ++*at) {
		uint8_t m = d->marks[*at];

		if ((m & have) != have || (m & not) != 0)
			continue;
		uidset_add(uids, d->uid[*at]);
		++*count;
	}
}

uint32_t
maildrop_marked(const struct maildrop *d, uint8_t have, uint8_t not, uint32_t max,
    uint32_t *at, struct buf *out)
{
	uint32_t count = 0;

	while (*at < d->n && count < max) {
		const struct drop_box *box = maildrop_box(d, *at);
		struct store_uids part = { .mailbox = box->mailbox };
		struct uidset uids = { 0 };
		struct buf set = { 0 };

		collect(d, box, have, not, max, at, &count, &uids);
		uidset_encode(&uids, &set);
		part.uids = buf_span(&set);
		if (!uidset_empty(&uids))
			put_store_uids(out, &part);
		uidset_fini(&uids);
		buf_fini(&set);
	}
	return count;
}
