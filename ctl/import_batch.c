/* Messages are brought many at a time: under their uids as long as that goes, else appended. */
#include "ctl/import_store_priv.h"

/* Above the modseqs of servers that do not tell theirs: clients that knew messages there by one
 * see all of them as changed. */
#define MODSEQ_ABOVE	((uint64_t)1 << 40)

static void
on_appended(void *arg, const void *msg)
{
	const struct store_appended *is = msg;
	struct import_store *s = arg;
	struct reader r;

	uidset_clear(&s->given);
	reader_init(&r, is->uids.p, is->uids.len);
	(void)uidset_decode(&s->given, &r, SIZE_MAX);
}

static uint64_t
modseq_above(const struct import_store *s)
{
	return s->folder.modseq > 0 ? s->folder.modseq : MODSEQ_ABOVE;
}

/* The annotations of `n` messages from `from` on, counted from 1. */
static void
put_notes(const struct import_store *s, unsigned from, unsigned n, struct buf *out)
{
	for (unsigned i = from; i < from + n; i++) {
		const struct import_one *k = &s->one[i];
		struct reader r;

		reader_init(&r, s->notes.data + k->notes_from, k->notes_to - k->notes_from);
		while (k->notes_to > k->notes_from && !r.bad && r.p < r.end) {
			struct store_annotation a = { .uid = i - from + 1, .given = true };

			a.entry = get_span(&r);
			a.shared = get_u8(&r) != 0;
			a.value = get_span(&r);
			a.size = (uint32_t)a.value.len;
			if (!r.bad && a.entry.len <= STORE_ANNOTATION_NAME_MAX &&
			    a.value.len <= STORE_ANNOTATION_VALUE_MAX)
				put_store_annotation(out, &a);
		}
	}
}

static enum status
append(struct import_store *s, unsigned from, unsigned n)
{
	const size_t at = s->one[from].from, to = s->one[from + n - 1].to;
	struct store_append rq = { .path = buf_span(&s->path), .carried = true,
	    .keywords = buf_span(&s->keywords), .items = span(s->items.data + at, to - at) };
	struct buf notes = { 0 };
	enum status st;

	put_notes(s, from, n, &notes);
	rq.annotations = buf_span(&notes);
	st = import_ask(s, STORE_APPEND, &rq, on_appended);
	buf_fini(&notes);
	return st;
}

static enum status
place(struct import_store *s, unsigned from, unsigned n)
{
	const size_t at = s->one[from].from, to = s->one[from + n - 1].to;
	struct store_place rq = { .path = buf_span(&s->path), .keywords = buf_span(&s->keywords),
	    .items = span(s->items.data + at, to - at), .modseq = modseq_above(s) };
	struct buf notes = { 0 }, uids = { 0 };
	struct uidset set = { 0 };
	enum status st;

	for (unsigned i = from; i < from + n; i++)
		uidset_add(&set, s->one[i].uid);
	uidset_encode(&set, &uids);
	put_notes(s, from, n, &notes);
	rq.uids = buf_span(&uids);
	rq.annotations = buf_span(&notes);
	st = import_ask(s, STORE_PLACE, &rq, on_appended);
	uidset_fini(&set);
	buf_fini(&uids);
	buf_fini(&notes);
	return st;
}

static enum status
bring(struct import_store *s, unsigned from, unsigned n)
{
	enum status st = ST_CONFLICT;

	if (s->place)
		st = place(s, from, n);
	if (st != ST_CONFLICT)
		return st;
	s->place = s->exact = false;
	return append(s, from, n);
}

static void
put_uidls(struct import_store *s, unsigned from, unsigned n)
{
	struct store_uidl_put rq = { .mailbox = s->now.mailbox };
	struct buf list = { 0 };
	uint32_t uid = 0;

	for (unsigned i = from; i < from + n; i++) {
		uid = uidset_next(&s->given, uid);
		if (uid != 0 && s->one[i].uidl.len > 0)
			put_store_uidl(&list, &(struct store_uidl){ uid,
			    buf_span(&s->one[i].uidl) });
	}
	rq.list = buf_span(&list);
	if (list.len > 0 && import_ask(s, STORE_UIDL_PUT, &rq, NULL) != ST_OK)
		ctl_error("%s: POP3 unique-ids are left out", buf_cstr(&s->path));
	buf_fini(&list);
}

void
import_drop_stage(struct import_store *s, uint32_t stage)
{
	const struct store_stage_drop rq = { stage };

	if (stage != 0)
		(void)import_ask(s, STORE_STAGE_DROP, &rq, NULL);
}

static void
brought(struct import_store *s, unsigned from, unsigned n)
{
	put_uidls(s, from, n);
	for (unsigned i = from; i < from + n; i++) {
		s->n++;
		s->owed++;
		import_set_have(s, s->one[i].owed, import_have(s, s->one[i].owed) + 1);
		import_set_have(s, s->one[i].same, import_have(s, s->one[i].same) + 1);
	}
}

static void
clear_batch(struct import_store *s)
{
	for (unsigned i = 0; i < s->n_one; i++) {
		import_drop_stage(s, s->one[i].stage);
		buf_fini(&s->one[i].uidl);
		mem_free(&s->one[i].name);
	}
	s->n_one = 0;
	buf_clear(&s->items);
	buf_clear(&s->notes);
	ctl_mail_keep(s->mail, false);
}

/* A batch that is refused for one of its messages goes one by one. */
static void
one_by_one(struct import_store *s)
{
	for (unsigned i = 0; i < s->n_one && s->rc == CTL_OK; i++) {
		enum status st = bring(s, i, 1);

		if (st == ST_OK) {
			brought(s, i, 1);
		} else if (st == ST_SYNTAX || st == ST_LIMIT) {
			s->exact = false;
			s->n_dropped++;
			ctl_error("%s: %s: the store does not take it: %s", buf_cstr(&s->path),
			    s->one[i].name, status_name(st));
		} else {
			import_failed(s, st, buf_cstr(&s->path));
		}
	}
}

void
import_flush(struct import_store *s)
{
	enum status st;

	if (s->n_one == 0)
		return;
	if (s->rc == CTL_OK && s->o->dry_run) {
		s->n += s->n_one;
	} else if (s->rc == CTL_OK) {
		st = bring(s, 0, s->n_one);
		if (st == ST_OK)
			brought(s, 0, s->n_one);
		else if (st == ST_SYNTAX || st == ST_LIMIT)
			one_by_one(s);
		else
			import_failed(s, st, buf_cstr(&s->path));
	}
	clear_batch(s);
}
