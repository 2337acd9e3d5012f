#include "t/unit/storage/shard_dump.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define OK(expr) assert_int_equal((expr), ST_OK)
#define U(x) ((unsigned long long)(x))

static void
dump_rows(struct state *s, uint64_t account, uint64_t mailbox, const struct uidset *uids,
    struct buf *out)
{
	struct buf rows = { 0 };
	struct store_row r;
	struct reader in;
	uint32_t resume = 0;

	do
		OK(state_rows(s, account, mailbox, uids, ROW_ALL, 65536, &resume, &rows));
	while (resume != 0);
	reader_init(&in, rows.data, rows.len);
	while (rows.len > 0 && get_store_row(&in, &r, ROW_ALL))
		buf_addf(out, "  uid %u modseq %llu flags %llx.%llx size %llu received %lld %d message %llx "
		    "thread %llx saved %lld\n", r.uid, U(r.modseq), U(r.flags.w[0]), U(r.flags.w[1]),
		    U(r.size), (long long)r.received_s, r.received_zone, U(r.message), U(r.thread),
		    (long long)r.saved_s);
	buf_fini(&rows);
}

static void
dump_bodies(struct state *s, uint64_t account, uint64_t mailbox, const struct uidset *uids,
    struct buf *out)
{
	struct state_bodies *b;
	struct state_body body;
	struct buf locs = { 0 };

	OK(state_bodies_open(s, account, mailbox, uids, 0, &b));
	while (state_bodies_next(b, &body, &locs) == ST_OK)
		buf_addf(out, "  body %u stored %llu pieces %zu\n", body.uid, U(body.stored_size),
		    body.n_locs);
	state_bodies_close(&b);
	buf_fini(&locs);
}

static void
dump_notes(struct state *s, uint64_t account, uint64_t mailbox, const struct uidset *uids,
    struct buf *out)
{
	struct buf names = { 0 }, resume = { 0 }, notes = { 0 };
	struct state_annotations q = { .mailbox = mailbox, .reader = account, .uids = uids,
	    .which = ANNOTATIONS_PRIVATE | ANNOTATIONS_SHARED, .max_size = 100, .part_bytes = 65536,
	    .resume = &resume };
	struct store_annotation a;
	struct reader in;

	put_span(&names, SPAN_LIT("*"));
	q.patterns = buf_span(&names);
	OK(state_annotations(s, account, &q, &notes));
	reader_init(&in, notes.data, notes.len);
	while (notes.len > 0 && get_store_annotation(&in, &a))
		buf_addf(out, "  note %u %d %.*s = %.*s\n", a.uid, a.shared, (int)a.entry.len, a.entry.p,
		    (int)a.value.len, a.value.p);
	buf_fini(&names);
	buf_fini(&resume);
	buf_fini(&notes);
}

/* What workers made of a message: the two blobs, and all columns of the version that make_shard
 * gives. */
static void
dump_caches(struct state *s, uint64_t account, uint64_t mailbox, const struct uidset *uids,
    struct buf *out)
{
	struct buf rows = { 0 };
	struct store_cache c;
	struct reader in;
	uint32_t resume = 0;

	do
		OK(state_caches(s, account, mailbox, uids, CACHE_LIST | CACHE_STRUCTURE, 65536, &resume,
		    &rows));
	while (resume != 0);
	reader_init(&in, rows.data, rows.len);
	while (rows.len > 0 && get_store_cache(&in, &c))
		buf_addf(out, "  cache %u list %.*s structure %.*s\n", c.uid, (int)c.list.len, c.list.p,
		    (int)c.structure.len, c.structure.p);
	buf_fini(&rows);
}

static void
dump_columns(struct state *s, uint64_t account, uint64_t mailbox, const struct uidset *uids,
    struct buf *out)
{
	const unsigned n = store_column_groups[STORE_COLUMN_GROUPS];
	const uint32_t want = (1u << n) - 1;
	struct state_columns *c;
	struct store_columns_row row;
	struct buf rows = { 0 };
	struct reader in;
	uint32_t resume = 1;

	if (uidset_count(uids) == 0)
		return;
	OK(state_columns_open(s, account, mailbox, uids, want, SHARD_COLUMNS_VERSION, 0, 0, &c));
	for (bool first = true; resume != 0; first = false)
		OK(state_columns_next(c, 65536, first, &rows, &resume));
	state_columns_close(&c);
	reader_init(&in, rows.data, rows.len);
	while (rows.len > 0 && get_store_columns_row(&in, &row, 0, want)) {
		buf_addf(out, "  columns %u %d", row.uid, row.known);
		for (unsigned i = 0; row.known && i < n; i++)
			buf_addf(out, " %.*s", (int)row.col[i].len, row.col[i].p);
		buf_addf(out, "\n");
	}
	buf_fini(&rows);
}

static void
dump_metadata(struct state *s, uint64_t account, uint64_t mailbox, struct buf *out)
{
	struct buf names = { 0 }, list = { 0 };
	struct store_metadata_get rq = { .mailbox = mailbox, .depth = 255, .max_size = 1000 };
	struct store_metadata m;
	struct reader in;
	uint32_t resume = 0;

	put_span(&names, SPAN_LIT("/shared"));
	put_span(&names, SPAN_LIT("/private"));
	rq.names = buf_span(&names);
	OK(state_metadata(s, account, account, &rq, 65536, &resume, &list));
	reader_init(&in, list.data, list.len);
	while (list.len > 0 && get_store_metadata(&in, &m))
		buf_addf(out, "  entry %.*s = %.*s\n", (int)m.name.len, m.name.p, (int)m.value.len,
		    m.value.p);
	buf_fini(&names);
	buf_fini(&list);
}

static void
dump_mailbox(struct state *s, uint64_t account, const struct store_mailbox *m, struct buf *out)
{
	struct buf list = { 0 };
	struct uidset all = { 0 };
	struct store_uidl u;
	struct reader in;
	uint32_t resume = 0;

	buf_addf(out, " mailbox %llx %.*s role %d subscribed %d uidvalidity %u uidnext %u modseq %llu "
	    "messages %u unseen %u deleted %u bytes %llu %llu\n", U(m->id), (int)m->path.len, m->path.p,
	    (int)m->role, m->subscribed, m->uidvalidity, m->uidnext, U(m->highestmodseq), m->messages,
	    m->unseen, m->deleted, U(m->bytes), U(m->deleted_bytes));
	if (m->id == 0)
		return;
	OK(state_uids(s, account, m->id, STATE_ALL, &all));
	dump_rows(s, account, m->id, &all, out);
	dump_bodies(s, account, m->id, &all, out);
	dump_caches(s, account, m->id, &all, out);
	dump_columns(s, account, m->id, &all, out);
	dump_notes(s, account, m->id, &all, out);
	dump_metadata(s, account, m->id, out);
	OK(state_uidls(s, account, m->id, 1000, 65536, &resume, &list));
	reader_init(&in, list.data, list.len);
	while (list.len > 0 && get_store_uidl(&in, &u))
		buf_addf(out, "  uidl %u %.*s\n", u.uid, (int)u.text.len, u.text.p);
	buf_clear(&list);
	OK(state_acl(s, account, m->id, &list));
	buf_addf(out, "  acl %zu\n", list.len);
	uidset_fini(&all);
	buf_fini(&list);
}

void
shard_dump(struct state *s, const uint64_t *ids, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		struct state_account a;
		struct store_mailbox m;
		struct buf lines = { 0 };
		uint32_t resume = 0;
		struct reader in;

		OK(state_account(s, ids[i], &a));
		buf_addf(out, "account %llu modseq %llu bytes %llu messages %llu mailboxes %llu limit %llu\n",
		    U(a.id), U(a.modseq), U(a.bytes), U(a.messages), U(a.mailboxes), U(a.bytes_limit));
		dump_metadata(s, ids[i], 0, out);
		while (resume != UINT32_MAX)
			OK(state_mailboxes(s, ids[i], SPAN_NONE, 65536, &resume, &lines));
		reader_init(&in, lines.data, lines.len);
		while (get_store_mailbox(&in, &m))
			dump_mailbox(s, ids[i], &m, out);
		buf_fini(&lines);
	}
}
