/* Recounts everything that is kept beside what it counts, and follows every reference,
 * both ways.  Memory: what is being counted, a few bytes for each message and extent. */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "common/mail/annotation.h"
#include "common/util/mem.h"
#include "storage/state/state_priv.h"

struct check {
	struct state	*s;
	struct buf	*report;
	uint64_t	wrong;
	struct table	extents;	/* id to uint32_t *: references found */
	/* Of the account being walked. */
	uint64_t	account;
	uint64_t	bytes, messages, mailboxes, kept, memberships, rows;
	uint64_t	key_refs, key_refs_due;
	uint64_t	blocks;
};

static void __attribute__((format(printf, 2, 3)))
wrong(struct check *k, const char *fmt, ...)
{
	va_list ap;

	k->wrong++;
	if (k->report->len > (64u << 10))
		return;
	buf_addf(k->report, "account %" PRIu64 ": ", k->account);
	va_start(ap, fmt);
	buf_vaddf(k->report, fmt, ap);
	va_end(ap);
	buf_add_c(k->report, '\n');
}

/* ---- a walk over the rows of a table below a prefix ---- */

typedef enum status (*row_fn)(struct check *k, struct span key, struct span payload, void *arg);

static enum status
each(struct check *k, enum tab t, struct span prefix, row_fn fn, void *arg)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	enum status st;

	TRY(engine_cursor_open(k->s->e, NULL, t, prefix, &c));
	while ((st = st_next(k->s, t, c, &key, &payload)) == ST_OK) {
		st = fn(k, key, payload, arg);
		if (st != ST_OK)
			break;
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status
count_row(struct check *k, struct span key, struct span payload, void *arg)
{
	uint64_t *n = arg;

	(void)k;
	(void)key;
	(void)payload;
	++*n;
	return ST_OK;
}

/* ---- messages ---- */

struct recount {
	uint64_t		mailbox;
	uint32_t		messages, unseen, deleted, uidnext;
	uint64_t		bytes, deleted_bytes, highestmodseq;
	struct uidset		sets[3];
};

static bool
has_member(struct span members, uint64_t mailbox, uint32_t uid)
{
	for (size_t i = 0; i < members.len / MEMBER_BYTES; i++) {
		struct rec_member m = rec_member(members, i);

		if (m.mailbox == mailbox && m.uid == uid)
			return true;
	}
	return false;
}

static enum status
check_index_message(struct check *k, struct recount *n, uint32_t uid, const struct rec_index *x)
{
	struct rec_message m;
	struct buf value = { 0 };
	struct span payload;
	struct key key;
	enum status st;

	key_2(&key, k->account, x->message);
	st = st_get(k->s, NULL, TAB_MESSAGE, &key, &value, &payload);
	if (st == ST_NOT_FOUND || (st == ST_OK && !rec_message_get(payload, &m)))
		wrong(k, "mailbox %" PRIx64 " uid %u: no message", n->mailbox, uid);
	else if (st == ST_OK && (!has_member(m.members, n->mailbox, uid) ||
	    m.thread != x->thread || m.size != x->size))
		wrong(k, "mailbox %" PRIx64 " uid %u: its message disagrees", n->mailbox, uid);
	buf_fini(&value);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status
count_index(struct check *k, struct span key, struct span payload, void *arg)
{
	struct recount *n = arg;
	uint32_t uid = get_be32(key.p + 16);
	struct rec_index x;

	if (!rec_index_get(payload, &x))
		return st_damaged(k->s, TAB_MINDEX, key);
	n->messages++;
	n->bytes += x.size;
	uidset_add(&n->sets[0], uid);
	if (!(x.flags.w[0] & FLAG_SEEN)) {
		n->unseen++;
		uidset_add(&n->sets[1], uid);
	}
	if (x.flags.w[0] & FLAG_DELETED) {
		n->deleted++;
		n->deleted_bytes += x.size;
		uidset_add(&n->sets[2], uid);
	}
	if (x.modseq > n->highestmodseq)
		n->highestmodseq = x.modseq;
	if (uid >= n->uidnext)
		n->uidnext = uid + 1;
	k->rows++;
	return check_index_message(k, n, uid, &x);
}

struct maps {
	struct uidset	sets[3];
};

static enum status
read_block(struct check *k, struct span key, struct span payload, void *arg)
{
	uint32_t no = get_be32(key.p + 16);
	struct maps *m = arg;
	struct rec_block b;

	if (!rec_block_get(payload, &b))
		return st_damaged(k->s, TAB_UIDMAP, key);
	k->blocks++;
	for (int i = 0; i < 3; i++)
		uidmap_bits(b.bits[i], no, 1, UINT32_MAX, &m->sets[i]);
	return ST_OK;
}

static void
compare_maps(struct check *k, struct recount *n, struct maps *m)
{
	for (int i = 0; i < 3; i++) {
		if (!uidset_eq(&n->sets[i], &m->sets[i]))
			wrong(k, "mailbox %" PRIx64 ": uid map %d disagrees", n->mailbox, i);
		uidset_fini(&n->sets[i]);
		uidset_fini(&m->sets[i]);
	}
}

static enum status
check_mailbox(struct check *k, struct span key, struct span payload, void *arg)
{
	struct recount n = { .mailbox = get_be64(key.p + 8) };
	struct maps maps = { 0 };
	struct rec_mailbox m;
	uint64_t notes = 0;
	enum status st;

	(void)arg;
	if (!rec_mailbox_get(payload, &m))
		return st_damaged(k->s, TAB_MAILBOX, key);
	st = each(k, TAB_MINDEX, span(key.p, 16), count_index, &n);
	if (st == ST_OK)
		st = each(k, TAB_UIDMAP, span(key.p, 16), read_block, &maps);
	if (n.messages != m.messages || n.unseen != m.unseen || n.deleted != m.deleted ||
	    n.bytes != m.bytes || n.deleted_bytes != m.deleted_bytes || n.uidnext > m.uidnext || n.highestmodseq > m.highestmodseq)
		wrong(k, "mailbox %" PRIx64 ": counters: %u/%u %u/%u %u/%u %" PRIu64 "/%" PRIu64,
		    n.mailbox, m.messages, n.messages, m.unseen, n.unseen, m.deleted, n.deleted,
		    m.bytes, n.bytes);
	if (st == ST_OK)
		st = each(k, TAB_ANNOTATION, span(key.p, 16), count_row, &notes);
	if (notes != m.annotations)
		wrong(k, "mailbox %" PRIx64 ": annotations: %" PRIu64 "/%" PRIu64, n.mailbox,
		    m.annotations, notes);
	compare_maps(k, &n, &maps);
	if (m.deleted_ms == 0) {
		k->mailboxes++;
		k->bytes += m.bytes;
		k->messages += m.messages;
	}
	return st;
}

static enum status
check_name(struct check *k, struct span key, struct span payload, void *arg)
{
	struct rec_mailbox m;
	struct buf value = { 0 };
	uint64_t *names = arg;
	enum status st;

	if (payload.len != 8)
		return st_damaged(k->s, TAB_MBOXNAME, key);
	st = st_read_mailbox(k->s, NULL, k->account, get_be64(payload.p), &m, &value);
	if (st == ST_NOT_FOUND || (st == ST_OK && (m.deleted_ms != 0 ||
	    m.parent != get_be64(key.p + 8) || !span_eq(m.name, span_sub(key, 16, key.len)))))
		wrong(k, "mailbox %" PRIx64 ": its name disagrees", get_be64(payload.p));
	++*names;
	buf_fini(&value);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static void
count_extent(struct check *k, uint64_t id)
{
	uint32_t *n = table_get_u64(&k->extents, id);

	if (n == NULL) {
		n = mem_zalloc(sizeof(*n));
		table_put_u64(&k->extents, id, n);
	}
	++*n;
}

static enum status
check_message(struct check *k, struct span key, struct span payload, void *arg)
{
	struct rec_message m;
	struct key t;
	enum status st;

	(void)arg;
	if (!rec_message_get(payload, &m))
		return st_damaged(k->s, TAB_MESSAGE, key);
	k->memberships += m.members.len / MEMBER_BYTES;
	if ((m.members.len == 0) != (m.gone_modseq != 0))
		wrong(k, "message %" PRIx64 ": gone and not gone", get_be64(key.p + 8));
	if (m.gone_modseq != 0)
		k->kept += m.size;
	count_extent(k, m.extent);
	for (size_t i = 0; i < m.thread_keys.len; i += 8) {
		bool again = false;

		for (size_t j = 0; j < i; j += 8)
			again |= memcmp(m.thread_keys.p + i, m.thread_keys.p + j, 8) == 0;
		k->key_refs_due += !again;
	}
	key_3(&t, k->account, m.thread, get_be64(key.p + 8));
	st = engine_get(k->s->e, NULL, TAB_THREAD, key_span(&t), NULL);
	if (st == ST_NOT_FOUND)
		wrong(k, "message %" PRIx64 ": not in its thread", get_be64(key.p + 8));
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status
count_thread_key(struct check *k, struct span key, struct span payload, void *arg)
{
	(void)arg;
	if (payload.len != 12)
		return st_damaged(k->s, TAB_THREADKEY, key);
	k->key_refs += get_be32(payload.p + 8);
	return ST_OK;
}

/* A unique-id belongs to a membership. */
static enum status
check_uidl(struct check *k, struct span key, struct span payload, void *arg)
{
	uint64_t *n = arg;
	enum status st = engine_get(k->s->e, NULL, TAB_MINDEX, key, NULL);

	++*n;
	if (st == ST_NOT_FOUND || payload.len == 0 || payload.len > STORE_UIDL_MAX)
		wrong(k, "a unique-id without a message, or none");
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status
check_metadata(struct check *k, struct span key, struct span payload, void *arg)
{
	uint64_t *bytes = arg;
	struct span name = span_sub(key, 24, key.len);

	*bytes += name.len + payload.len;
	if (!metadata_name_valid(name) || payload.len > STORE_METADATA_VALUE_MAX)
		wrong(k, "an annotation that cannot be");
	return ST_OK;
}

static enum status
check_url_key(struct check *k, struct span key, struct span payload, void *arg)
{
	struct rec_mailbox m;
	struct buf value = { 0 };
	enum status st = st_read_mailbox(k->s, NULL, k->account, get_be64(key.p + 8), &m, &value);

	(void)arg;
	if (st == ST_NOT_FOUND || payload.len != 16 + STORE_URL_KEY)
		wrong(k, "mailbox %" PRIx64 ": an access key without a mailbox, or none",
		    get_be64(key.p + 8));
	buf_fini(&value);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* ---- annotations of messages ---- */

struct annotations {
	uint64_t	bytes, others, old_rows, old_bytes;
};

/* One of a mailbox: belongs to a membership.  Counted by check_mailbox(). */
static enum status
check_annotation(struct check *k, struct span key, struct span payload, void *arg)
{
	struct annotations *n = arg;
	uint64_t bytes, reader;
	enum status st;

	if (key.len <= 28)
		return st_damaged(k->s, TAB_ANNOTATION, key);
	bytes = key.len - 28 + payload.len;
	reader = get_be64(key.p + 20);
	n->bytes += bytes;
	if (reader != 0 && reader != k->account)
		n->others += bytes;
	if (!annotation_entry_valid(span_sub(key, 28, key.len)) ||
	    payload.len > STORE_ANNOTATION_VALUE_MAX)
		wrong(k, "an annotation of a message that cannot be");
	st = engine_get(k->s->e, NULL, TAB_MINDEX, span_sub(key, 0, 20), NULL);
	if (st == ST_NOT_FOUND)
		wrong(k, "mailbox %" PRIx64 ": an annotation without a message", get_be64(key.p + 8));
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* An old value goes with the history of its modseq. */
static enum status
check_old_annotation(struct check *k, struct span key, struct span payload, void *arg)
{
	struct annotations *n = arg;
	uint64_t bytes;
	struct key history;
	enum status st;

	if (key.len <= 36 || !annotation_old_good(payload, &bytes))
		return st_damaged(k->s, TAB_ANNLOG, key);
	n->old_rows++;
	n->old_bytes += bytes;
	key_2(&history, k->account, get_be64(key.p + 16));
	st = engine_get(k->s->e, NULL, TAB_HISTORY, key_span(&history), NULL);
	if (st == ST_NOT_FOUND)
		wrong(k, "mailbox %" PRIx64 ": an old annotation without history",
		    get_be64(key.p + 8));
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status
check_annotations(struct check *k, struct span account, const struct rec_account *a)
{
	struct annotations n = { 0 };

	TRY(each(k, TAB_ANNOTATION, account, check_annotation, &n));
	TRY(each(k, TAB_ANNLOG, account, check_old_annotation, &n));
	if (n.bytes != a->annotation_bytes || n.others != a->annotation_others)
		wrong(k, "bytes of messages' annotations: %" PRIu64 "/%" PRIu64 ", of others %"
		    PRIu64 "/%" PRIu64, a->annotation_bytes, n.bytes, a->annotation_others, n.others);
	if (n.old_rows != a->annlog_rows || n.old_bytes != a->annlog_bytes)
		wrong(k, "old annotations: %" PRIu64 "/%" PRIu64 ", bytes %" PRIu64 "/%" PRIu64,
		    a->annlog_rows, n.old_rows, a->annlog_bytes, n.old_bytes);
	return ST_OK;
}

/* ---- what is shared ---- */

static enum status
check_acl(struct check *k, struct span key, struct span payload, void *arg)
{
	uint64_t mailbox = get_be64(key.p + 8), *entries = arg;
	struct rec_mailbox m;
	struct buf value = { 0 };
	struct store_acl e;
	struct reader r;
	enum status st = st_read_mailbox(k->s, NULL, k->account, mailbox, &m, &value);

	if (st == ST_NOT_FOUND)
		wrong(k, "mailbox %" PRIx64 ": an ACL without a mailbox", mailbox);
	reader_init(&r, payload.p, payload.len);
	while (st == ST_OK && get_store_acl(&r, &e)) {
		if (e.rights == 0 || m.deleted_ms != 0)
			continue;
		++*entries;
	}
	if (st == ST_OK && r.bad)
		st = st_damaged(k->s, TAB_ACL, key);
	buf_fini(&value);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status
check_aclby(struct check *k, struct span key, struct span payload, void *arg)
{
	uint64_t *entries = arg;
	struct store_acl e;
	struct buf acl = { 0 };
	struct reader r;
	bool found = false;
	enum status st;

	if (key.len != 25 || payload.len != 4)
		return st_damaged(k->s, TAB_ACLBY, key);
	if (get_be64(key.p + 9) != k->account)
		return ST_OK;
	++*entries;
	st = state_acl(k->s, k->account, get_be64(key.p + 17), &acl);
	reader_init(&r, acl.data, acl.len);
	while (st == ST_OK && !found && get_store_acl(&r, &e))
		found = e.kind == (uint8_t)key.p[0] && e.id == get_be64(key.p + 1) &&
		    e.rights == get_be32(payload.p);
	if (!found)
		wrong(k, "mailbox %" PRIx64 ": shared without an entry", get_be64(key.p + 17));
	buf_fini(&acl);
	return st;
}

/* What a reader is told to be his highest modseq covers all of his marks. */
static enum status
check_marks(struct check *k, struct span key, struct span payload, void *arg)
{
	struct buf value = { 0 };
	struct span highest;
	struct key reader;
	uint64_t modseq;
	enum status st;

	(void)arg;
	if (key.len != 28 || !reader_marks_highest(payload, &modseq))
		return st_damaged(k->s, TAB_RSEEN, key);
	key_text(&reader, span_sub(key, 0, 24));
	st = st_get(k->s, NULL, TAB_READER, &reader, &value, &highest);
	if (st == ST_NOT_FOUND || (st == ST_OK &&
	    (highest.len != 8 || get_be64(highest.p) < modseq)))
		wrong(k, "mailbox %" PRIx64 ": marks of a reader above his modseq",
		    get_be64(key.p + 8));
	buf_fini(&value);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status
check_shared(struct check *k, struct span account)
{
	uint64_t entries = 0, rows = 0;

	TRY(each(k, TAB_RSEEN, account, check_marks, NULL));
	TRY(each(k, TAB_ACL, account, check_acl, &entries));
	if (entries > 0)
		TRY(each(k, TAB_ACLBY, SPAN_NONE, check_aclby, &rows));
	if (entries != rows)
		wrong(k, "%" PRIu64 " entries of ACLs, %" PRIu64 " found by", entries, rows);
	return ST_OK;
}

/* Rows under mailboxes that are not there were not visited. */
static enum status
check_orphans(struct check *k, struct span account)
{
	uint64_t rows = 0, blocks = 0;

	TRY(each(k, TAB_MINDEX, account, count_row, &rows));
	TRY(each(k, TAB_UIDMAP, account, count_row, &blocks));
	if (rows != k->rows || blocks != k->blocks)
		wrong(k, "rows without a mailbox: %" PRIu64 ", uid maps: %" PRIu64,
		    rows - k->rows, blocks - k->blocks);
	return ST_OK;
}

/* An account that is marked has something staged, and no other. */
static enum status
check_stage(struct check *k, struct span account, bool marked)
{
	uint64_t rows = 0;

	TRY(each(k, TAB_STAGE, account, count_row, &rows));
	if (rows != (marked ? 1 : 0))
		wrong(k, "%" PRIu64 " stages, marked %d", rows, marked);
	return ST_OK;
}

static enum status
check_account(struct check *k, struct span key, struct span payload, void *arg)
{
	struct rec_account a;
	uint64_t names = 0, uidls = 0, metadata = 0;

	(void)arg;
	if (!rec_account_get(payload, &a))
		return st_damaged(k->s, TAB_ACCOUNT, key);
	k->account = get_be64(key.p);
	k->bytes = k->messages = k->mailboxes = k->kept = k->memberships = k->rows = 0;
	k->key_refs = k->key_refs_due = k->blocks = 0;
	if (!a.purged)
		TRY(check_stage(k, key, a.stage));
	/* may be half removed, or half staged; its extents count */
	if (a.deleted_ms != 0 || a.stage)
		return each(k, TAB_MESSAGE, key, check_message, NULL);
	TRY(each(k, TAB_MAILBOX, key, check_mailbox, NULL));
	TRY(each(k, TAB_MBOXNAME, key, check_name, &names));
	TRY(each(k, TAB_MESSAGE, key, check_message, NULL));
	TRY(each(k, TAB_THREADKEY, key, count_thread_key, NULL));
	TRY(check_orphans(k, key));
	TRY(each(k, TAB_UIDL, key, check_uidl, &uidls));
	TRY(check_shared(k, key));
	TRY(each(k, TAB_URLKEY, key, check_url_key, NULL));
	TRY(check_annotations(k, key, &a));
	if (uidls != a.uidls)
		wrong(k, "unique-ids: %" PRIu64 "/%" PRIu64, a.uidls, uidls);
	TRY(each(k, TAB_METADATA, key, check_metadata, &metadata));
	if (metadata != a.metadata_bytes)
		wrong(k, "bytes of annotations: %" PRIu64 "/%" PRIu64, a.metadata_bytes, metadata);
	if (names != k->mailboxes)
		wrong(k, "%" PRIu64 " names, %" PRIu64 " mailboxes", names, k->mailboxes);
	if (k->memberships != k->rows)
		wrong(k, "%" PRIu64 " memberships, %" PRIu64 " rows", k->memberships, k->rows);
	if (k->key_refs != k->key_refs_due)
		wrong(k, "thread keys: %" PRIu64 "/%" PRIu64, k->key_refs, k->key_refs_due);
	if (a.bytes != k->bytes || a.messages != k->messages || a.mailboxes != k->mailboxes ||
	    a.kept_bytes != k->kept)
		wrong(k, "used: bytes %" PRIu64 "/%" PRIu64 ", messages %" PRIu64 "/%" PRIu64
		    ", mailboxes %" PRIu64 "/%" PRIu64 ", kept %" PRIu64 "/%" PRIu64, a.bytes,
		    k->bytes, a.messages, k->messages, a.mailboxes, k->mailboxes, a.kept_bytes,
		    k->kept);
	return ST_OK;
}

static enum status
check_extent(struct check *k, struct span key, struct span payload, void *arg)
{
	struct rec_extent e;
	uint32_t *n = table_get_u64(&k->extents, get_be64(key.p));

	(void)arg;
	if (!rec_extent_get(payload, &e))
		return st_damaged(k->s, TAB_EXTENT, key);
	if (n == NULL || *n != e.refs)
		wrong(k, "extent %" PRIx64 ": %u references, %u found", get_be64(key.p), e.refs,
		    n != NULL ? *n : 0);
	if (n != NULL)
		*n = 0;
	return ST_OK;
}

static void
free_count(void *value, void *arg)
{
	struct check *k = arg;
	uint32_t *n = value;

	if (*n != 0)
		k->wrong++;
	mem_free(&n);
}

enum status
state_check(struct state *s, struct buf *report, uint64_t *n_wrong)
{
	struct check k = { .s = s, .report = report };
	enum status st;

	st = each(&k, TAB_ACCOUNT, SPAN_NONE, check_account, NULL);
	k.account = 0;
	if (st == ST_OK)
		st = each(&k, TAB_EXTENT, SPAN_NONE, check_extent, NULL);
	table_fini(&k.extents, free_count, &k);
	*n_wrong = k.wrong;
	return st;
}
