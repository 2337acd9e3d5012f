/* A FETCH of what columns tell: messages are printed as they come from the store, without
 * their blobs or bytes.  Those whose columns do not do are left for the long way. */
#include "imapd/fetch.h"

#include <string.h>

#include "common/mime/columns.h"
#include "common/util/mem.h"

#define BUDGET	(512u << 10)	/* of one request: what may wait for the client */
#define ROOM	256u		/* for the small items of a message */

/* The column that an item is; -1: none, it is of the row; -2: it cannot be. */
static int
column_of(const struct fetch_item *it)
{
	switch (it->kind) {
	case FETCH_UID: case FETCH_FLAGS: case FETCH_DATE: case FETCH_SIZE: case FETCH_MODSEQ:
		return -1;
	case FETCH_ENVELOPE:
		return MIME_COL_ENVELOPE;
	case FETCH_STRUCTURE:
		return MIME_COL_BODYSTRUCTURE;
	case FETCH_BODY:
		return it->sec.what == IMAP_SECTION_FIELDS && it->sec.n_parts == 0 &&
		    !it->partial ? MIME_COL_HEADER : -2;
	default:
		return -2;
	}
}

static bool
plan_header(struct fetch *f, struct fetch_item *it)
{
	for (size_t i = 0; i < it->sec.n_fields; i++)
		if (!mime_header_names_add(&it->names, it->sec.fields[i]))
			return false;
	it->label = f->labels.len;
	fetch_put_label(it, &f->labels);
	buf_add_c(&f->labels, ' ');
	it->label_len = f->labels.len - it->label;
	return true;
}

bool
fetch_columns_plan(struct fetch *f)
{
	if (f->seen)
		return false;
	f->want = 0;
	f->column_fields = f->filtered ? ROW_FLAGS : 0;
	for (size_t i = 0; i < f->n_items; i++) {
		struct fetch_item *it = &f->items[i];
		int c = column_of(it);

		if (c == -2 || (c == MIME_COL_HEADER && !plan_header(f, it)))
			return false;
		if (c >= 0)
			f->want |= MIME_COLUMN(c);
		if (c == MIME_COL_HEADER && mime_header_names_more(&it->names))
			f->want |= MIME_COLUMN(MIME_COL_HEADER_MORE);
		if (it->kind == FETCH_FLAGS || it->kind == FETCH_MODSEQ)
			f->column_fields |= ROW_FLAGS;
		if (it->kind == FETCH_DATE || it->kind == FETCH_SIZE)
			f->column_fields |= ROW_SIZE;
	}
	for (size_t i = 0; i < f->n_items; i++) {
		int c = column_of(&f->items[i]);

		if (c >= 0)
			f->items[i].column = (unsigned)__builtin_popcount(f->want & (MIME_COLUMN(c) - 1));
		f->items[i].more = f->items[i].column + 1;	/* is the next one, if it is asked for */
	}
	return f->want != 0;
}

static void
put_bytes(char **to, const void *p, size_t n)
{
	memcpy(*to, p, n);
	*to += n;
}

static bool
open_header(const struct fetch_item *it, const struct store_columns_row *r,
    struct mime_header_walk *w)
{
	return mime_header_open(r->col[it->column],
	    mime_header_names_more(&it->names) ? r->col[it->more] : SPAN_NONE, &it->names, w);
}

/* "BODY[HEADER.FIELDS (DATE)] {12}" and the fields. */
static void
put_header(const struct fetch *f, const struct fetch_item *it,
    const struct store_columns_row *r, struct buf *out)
{
	struct mime_header_walk w;
	struct span field;
	size_t len = 2;
	char *to;

	if (!open_header(it, r, &w))
		return;
	while (mime_header_next(&w, &it->names, &field))
		len += field.len;
	buf_add(out, f->labels.data + it->label, it->label_len);
	fetch_put_literal(out, len, false);
	open_header(it, r, &w);
	to = buf_reserve(out, len);
	while (mime_header_next(&w, &it->names, &field))
		put_bytes(&to, field.p, field.len);
	put_bytes(&to, "\r\n", 2);
	buf_added(out, len);
}

static bool
will_do(const struct fetch *f, const struct store_columns_row *r, size_t *room)
{
	struct mime_header_walk w;

	*room = ROOM;
	for (size_t i = 0; i < f->n_items && r->known; i++) {
		const struct fetch_item *it = &f->items[i];

		if (it->kind < FETCH_ENVELOPE)
			continue;
		*room += r->col[it->column].len + it->label_len + 32;
		if (it->kind == FETCH_BODY ? !open_header(it, r, &w) :
		    r->col[it->column].len == 0)
			return false;
	}
	return r->known;
}

static void
put_row(struct imap_cmd *cmd, const struct store_columns_row *r)
{
	struct fetch *f = cmd->data;
	struct imap_session *s = cmd->session;
	struct fetch_row row = { .row = r->row };
	struct buf *out = imap_out(s);
	size_t room;

	if (f->filtered && r->row.modseq <= f->changed_since)
		return;
	if (!will_do(f, r, &room)) {
		uidset_add(&f->slow, r->uid);
		return;
	}
	if (imap_view_seq(s->view, r->uid) == 0)
		return;
	row.row.uid = r->uid;
	buf_reserve(out, room);
	fetch_put_head(s, r->uid, out);
	for (size_t i = 0; i < f->n_items; i++) {
		const struct fetch_item *it = &f->items[i];

		if (i > 0)
			buf_add_c(out, ' ');
		if (it->kind == FETCH_ENVELOPE)
			buf_add(out, "ENVELOPE ", 9);
		else if (it->kind == FETCH_STRUCTURE)
			buf_add(out, "BODYSTRUCTURE ", 14);
		if (it->kind == FETCH_BODY)
			put_header(f, it, r, out);
		else if (it->kind >= FETCH_ENVELOPE)
			buf_add_span(out, r->col[it->column]);
		else
			fetch_put_item(s, f, &row, it, out);
	}
	buf_add(out, ")\r\n", 3);
	f->told++;
	s->n_fetched++;
}

static void
on_columns(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct fetch *f = cmd->data;
	const struct store_columns_are *are = msg;
	struct store_columns_row row = { .uid = 0 };
	struct reader r;

	if (st == ST_OK && are != NULL) {
		imap_view_learn(cmd->session->view, are->keywords, imap_out(cmd->session));
		reader_init(&r, are->rows.p, are->rows.len);
		while (are->rows.len > 0 && get_store_columns_row(&r, &row, f->column_fields, f->want))
			put_row(cmd, &row);
		f->resume_uid = are->resume_uid;
	}
	if (more)
		return;
	if (st != ST_OK) {
		f->failed = st;
		uidset_clear(&f->todo);
	} else if (f->resume_uid != 0) {
		uidset_remove_range(&f->todo, 1, f->resume_uid - 1);
	} else {
		/* the long way for those left over */
		uidset_clear(&f->todo);
		uidset_add_set(&f->todo, &f->slow);
		uidset_clear(&f->slow);
		f->columns = false;
	}
	fetch_next_group(cmd);
}

void
fetch_columns(struct imap_cmd *cmd)
{
	struct fetch *f = cmd->data;
	struct store_columns rq = { .mailbox = cmd->session->view->mailbox, .want = f->want,
		.version = MIME_COLUMNS_VERSION, .fields = (uint8_t)f->column_fields,
		.budget = BUDGET };
	struct buf set = { 0 };

	uidset_encode(&f->todo, &set);
	rq.uids = buf_span(&set);
	store_do_columns(cmd->session->store, &rq, on_columns, cmd);
	buf_fini(&set);
}
