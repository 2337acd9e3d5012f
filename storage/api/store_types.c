/* Lists inside store messages.  Writing asserts what this process vouches for; reading
 * judges every bound, because the bytes come from another process. */
#include "storage/api/store_types.h"

#include <assert.h>

#include "common/util/mem.h"

#define ZONE_MAX 5999		/* minutes: "+9959", the widest that RFC 3501 can write */

static const char *const role_names[] = {
	[MAILBOX_ROLE_NONE] = "", [MAILBOX_ROLE_INBOX] = "inbox",
	[MAILBOX_ROLE_DRAFTS] = "drafts", [MAILBOX_ROLE_SENT] = "sent",
	[MAILBOX_ROLE_JUNK] = "junk", [MAILBOX_ROLE_TRASH] = "trash",
	[MAILBOX_ROLE_ARCHIVE] = "archive", [MAILBOX_ROLE_FLAGGED] = "flagged",
	[MAILBOX_ROLE_ALL] = "all", [MAILBOX_ROLE_IMPORTANT] = "important",
	[MAILBOX_ROLE_MEMOS] = "memos", [MAILBOX_ROLE_SCHEDULED] = "scheduled",
	[MAILBOX_ROLE_SNOOZED] = "snoozed",
};

const char *
mailbox_role_name(enum mailbox_role role)
{
	return (unsigned)role <= MAILBOX_ROLE_MAX ? role_names[role] : "";
}

bool
mailbox_role_parse(struct span name, enum mailbox_role *role)
{
	if (name.len > 0 && name.p[0] == '\\')
		name = span_sub(name, 1, name.len);
	for (unsigned i = 0; i <= MAILBOX_ROLE_MAX; i++) {
		if (span_caseeq_str(name, role_names[i])) {
			*role = (enum mailbox_role)i;
			return true;
		}
	}
	return false;
}

void
put_store_flags(struct buf *b, struct flags f)
{
	put_varint(b, f.w[0]);
	put_varint(b, f.w[1]);
}

struct flags
get_store_flags(struct reader *r)
{
	struct flags f;

	f.w[0] = get_varint(r);
	f.w[1] = get_varint(r);
	if ((flags_get_system(f) & ~(unsigned)FLAG_SYSTEM_ALL) != 0)
		r->bad = true;
	return f;
}

static void
put_zone(struct buf *b, int16_t zone)
{
	assert(zone >= -ZONE_MAX && zone <= ZONE_MAX);
	put_u16(b, (uint16_t)zone);
}

static int16_t
get_zone(struct reader *r)
{
	int16_t zone = (int16_t)get_u16(r);

	if (zone < -ZONE_MAX || zone > ZONE_MAX)
		r->bad = true;
	return zone;
}

enum { MAILBOX_SUBSCRIBED = 1, MAILBOX_CHILDREN = 2 };

void
put_store_mailbox(struct buf *b, const struct store_mailbox *m)
{
	put_varint(b, m->id);
	put_span(b, m->path);
	put_u8(b, (uint8_t)m->role);
	put_u8(b, (uint8_t)((m->subscribed ? MAILBOX_SUBSCRIBED : 0) |
	    (m->has_children ? MAILBOX_CHILDREN : 0)));
	put_varint(b, m->uidvalidity);
	put_varint(b, m->uidnext);
	put_varint(b, m->highestmodseq);
	put_varint(b, m->messages);
	put_varint(b, m->unseen);
	put_varint(b, m->deleted);
	put_varint(b, m->deleted_bytes);
	put_varint(b, m->recent);
	put_varint(b, m->bytes);
	put_varint(b, m->rights);
	put_varint(b, m->order);
}

bool
get_store_mailbox(struct reader *r, struct store_mailbox *m)
{
	uint8_t role, bits;

	if (reader_left(r) == 0)
		return false;
	*m = (struct store_mailbox){ .id = get_varint(r) };
	m->path = get_span_max(r, STORE_PATH_MAX);
	role = get_u8(r);
	m->role = (enum mailbox_role)role;
	bits = get_u8(r);
	m->subscribed = (bits & MAILBOX_SUBSCRIBED) != 0;
	m->has_children = (bits & MAILBOX_CHILDREN) != 0;
	m->uidvalidity = get_varint32(r);
	m->uidnext = get_varint32(r);
	m->highestmodseq = get_varint(r);
	m->messages = get_varint32(r);
	m->unseen = get_varint32(r);
	m->deleted = get_varint32(r);
	m->deleted_bytes = get_varint(r);
	m->recent = get_varint32(r);
	m->bytes = get_varint(r);
	m->rights = get_varint32(r);
	m->order = get_varint32(r);
	return reader_check(r, role <= MAILBOX_ROLE_MAX && m->path.len > 0 &&
	    bits <= (MAILBOX_SUBSCRIBED | MAILBOX_CHILDREN));
}

void
put_store_row(struct buf *b, const struct store_row *row, unsigned fields)
{
	put_varint(b, row->uid);
	if (fields & ROW_FLAGS) {
		put_varint(b, row->modseq);
		put_store_flags(b, row->flags);
	}
	if (fields & ROW_SIZE) {
		put_varint(b, row->size);
		put_u64(b, (uint64_t)row->received_s);
		put_zone(b, row->received_zone);
	}
	if (fields & ROW_IDS) {
		put_varint(b, row->message);
		put_varint(b, row->thread);
		put_u64(b, (uint64_t)row->saved_s);
	}
}

bool
get_store_row(struct reader *r, struct store_row *row, unsigned fields)
{
	if (reader_left(r) == 0)
		return false;
	*row = (struct store_row){ .uid = get_varint32(r) };
	if (fields & ROW_FLAGS) {
		row->modseq = get_varint(r);
		row->flags = get_store_flags(r);
	}
	if (fields & ROW_SIZE) {
		row->size = get_varint(r);
		row->received_s = (int64_t)get_u64(r);
		row->received_zone = get_zone(r);
	}
	if (fields & ROW_IDS) {
		row->message = get_varint(r);
		row->thread = get_varint(r);
		row->saved_s = (int64_t)get_u64(r);
	}
	return reader_check(r, row->uid != 0);
}

void
put_store_cache(struct buf *b, const struct store_cache *c)
{
	put_varint(b, c->uid);
	put_span(b, c->list);
	put_span(b, c->structure);
}

bool
get_store_cache(struct reader *r, struct store_cache *c)
{
	if (reader_left(r) == 0)
		return false;
	*c = (struct store_cache){ .uid = get_varint32(r) };
	c->list = get_span_max(r, STORE_CACHE_MAX);
	c->structure = get_span_max(r, STORE_CACHE_MAX);
	return reader_check(r, c->uid != 0);
}

/* By table; see storage/state. */
const uint8_t store_column_groups[STORE_COLUMN_GROUPS + 1] = { 0, 2, 8, 17, 18, 19, 20, 21 };

bool
store_columns_cut(struct span blob, unsigned n, struct span *col)
{
	struct reader r;
	uint16_t len[STORE_COLUMNS_MAX];

	reader_init(&r, blob.p, blob.len);
	get_u8(&r);
	if (get_u8(&r) != n || n > STORE_COLUMNS_MAX)
		return false;
	for (unsigned i = 0; i < n; i++)
		len[i] = get_u16(&r);
	for (unsigned i = 0; i < n; i++)
		col[i] = get_raw(&r, len[i]);
	return reader_done(&r);
}

/* u32 uid, the row, u8 known, then for each column u16 length and bytes: made by the store
 * (storage/state), which copies columns as they lie. */
bool
get_store_columns_row(struct reader *r, struct store_columns_row *row, unsigned fields,
    uint32_t want)
{
	size_t n = 0;

	if (reader_left(r) == 0)
		return false;
	row->uid = get_u32(r);
	if (fields != 0)
		get_store_row(r, &row->row, fields);
	row->known = get_u8(r) != 0;
	for (want &= (1u << STORE_COLUMNS_MAX) - 1; want != 0 && row->known; want &= want - 1)
		row->col[n++] = get_raw(r, get_u16(r));
	return reader_check(r, row->uid != 0);
}

void
put_store_append_item(struct buf *b, const struct store_append_item *it)
{
	put_store_flags(b, it->flags);
	put_u64(b, (uint64_t)it->received_s);
	put_zone(b, it->received_zone);
	put_varint(b, it->size);
	put_span(b, it->sha256);
	put_span(b, it->list);
	put_span(b, it->structure);
	put_span(b, it->columns);
	put_span(b, it->thread_keys);
	put_u64(b, it->subject_hash);
	put_varint(b, it->stage);
	put_span(b, it->body);
	put_varint(b, it->message);
	put_varint(b, it->thread);
	put_span(b, it->text);
}

bool
get_store_append_item(struct reader *r, struct store_append_item *it)
{
	if (reader_left(r) == 0)
		return false;
	*it = (struct store_append_item){ .flags = get_store_flags(r) };
	it->received_s = (int64_t)get_u64(r);
	it->received_zone = get_zone(r);
	it->size = get_varint(r);
	it->sha256 = get_span_max(r, 32);
	it->list = get_span_max(r, STORE_CACHE_MAX);
	it->structure = get_span_max(r, STORE_CACHE_MAX);
	it->columns = get_span_max(r, STORE_COLUMN_BYTES_MAX);
	it->thread_keys = get_span_max(r, STORE_THREAD_KEYS_MAX * 8);
	it->subject_hash = get_u64(r);
	it->stage = get_varint32(r);
	it->body = get_span_max(r, STORE_INLINE_MAX);
	it->message = get_varint(r);
	it->thread = get_varint(r);
	it->text = get_span_max(r, STORE_TEXT_MAX + 32);
	return reader_check(r, it->sha256.len == 32 && it->thread_keys.len % 8 == 0 &&
	    it->size <= STORE_SIZE_MAX && (it->stage == 0) == (it->body.len > 0));
}

void
put_store_text(struct buf *b, const struct store_text *t)
{
	put_u8(b, t->version);
	put_u8(b, (uint8_t)(t->cut | t->other << 1));
	put_span(b, t->header);
	put_span(b, t->body);
}

bool
get_store_text(struct reader *r, struct store_text *t)
{
	uint8_t bits;

	if (reader_left(r) == 0)
		return false;
	*t = (struct store_text){ .version = get_u8(r) };
	bits = get_u8(r);
	t->cut = (bits & 1) != 0;
	t->other = (bits & 2) != 0;
	t->header = get_span_max(r, STORE_TEXT_MAX);
	t->body = get_span_max(r, STORE_TEXT_MAX);
	return reader_check(r, bits <= 3 && t->version > 0 &&
	    t->header.len + t->body.len <= STORE_TEXT_MAX);
}

void
put_store_needle(struct buf *b, const struct store_needle *n)
{
	put_u8(b, n->body_only);
	put_span(b, n->text);
}

bool
get_store_needle(struct reader *r, struct store_needle *n)
{
	uint8_t body_only;

	if (reader_left(r) == 0)
		return false;
	body_only = get_u8(r);
	*n = (struct store_needle){ body_only != 0, get_span_max(r, STORE_NEEDLE_MAX) };
	return reader_check(r, body_only <= 1 && n->text.len > 0);
}

void
put_store_acl(struct buf *b, const struct store_acl *a)
{
	put_u8(b, a->kind);
	put_varint(b, a->id);
	put_varint(b, a->rights);
	put_varint(b, a->minus);
}

bool
get_store_acl(struct reader *r, struct store_acl *a)
{
	if (reader_left(r) == 0)
		return false;
	*a = (struct store_acl){ .kind = get_u8(r) };
	a->id = get_varint(r);
	a->rights = get_varint32(r);
	a->minus = get_varint32(r);
	return reader_check(r, a->kind >= ACL_USER && a->kind <= ACL_ANYONE &&
	    (a->id == 0) == (a->kind == ACL_ANYONE) && (a->rights & ~(uint32_t)RIGHT_ALL) == 0 &&
	    (a->minus & ~(uint32_t)RIGHT_ALL) == 0 && (a->rights | a->minus) != 0);
}

void
put_store_body_piece(struct buf *b, const struct store_body_piece *p)
{
	put_varint(b, p->uid);
	put_varint(b, p->stored_size);
	put_varint(b, p->offset);
	put_span(b, p->data);
}

bool
get_store_body_piece(struct reader *r, struct store_body_piece *p)
{
	if (reader_left(r) == 0)
		return false;
	*p = (struct store_body_piece){ .uid = get_varint32(r) };
	p->stored_size = get_varint(r);
	p->offset = get_varint(r);
	p->data = get_span(r);
	return reader_check(r, p->uid != 0 && p->stored_size <= STORE_BODY_MAX &&
	    p->offset <= p->stored_size && p->data.len <= p->stored_size - p->offset);
}

void
put_store_keyword(struct buf *b, struct span name)
{
	put_span(b, name);
}

bool
get_store_keyword(struct reader *r, struct span *name)
{
	if (reader_left(r) == 0)
		return false;
	*name = get_span_max(r, KEYWORD_LEN_MAX);
	return reader_check(r, name->len > 0);
}

void
put_store_uids(struct buf *b, const struct store_uids *u)
{
	put_u64(b, u->mailbox);
	put_span(b, u->uids);
}

bool
get_store_uids(struct reader *r, struct store_uids *u)
{
	if (reader_left(r) == 0)
		return false;
	*u = (struct store_uids){ .mailbox = get_u64(r) };
	u->uids = get_span(r);
	return reader_check(r, u->mailbox != 0);
}

void
put_store_sum(struct buf *b, const struct store_sum *s)
{
	put_u32(b, s->uid);
	buf_add_span(b, s->sha256);
}

bool
get_store_sum(struct reader *r, struct store_sum *s)
{
	if (reader_left(r) == 0)
		return false;
	s->uid = get_u32(r);
	s->sha256 = get_raw(r, 32);
	return !r->bad;
}

void
put_store_uidl(struct buf *b, const struct store_uidl *u)
{
	put_varint(b, u->uid);
	put_span(b, u->text);
}

bool
get_store_uidl(struct reader *r, struct store_uidl *u)
{
	bool good = true;

	if (reader_left(r) == 0)
		return false;
	*u = (struct store_uidl){ .uid = get_varint32(r) };
	u->text = get_span_max(r, STORE_UIDL_MAX);
	for (size_t i = 0; i < u->text.len; i++)
		good = good && u->text.p[i] > 0x20 && u->text.p[i] < 0x7f;
	return reader_check(r, good && u->uid != 0);
}

void
put_store_copy_entry(struct buf *b, const struct store_copy_entry *c)
{
	put_varint(b, c->number);
	put_u64(b, (uint64_t)c->made_ms);
	put_varint(b, c->lsn);
	put_varint(b, c->incarnation);
	put_varint(b, c->bytes);
	put_varint(b, c->pins);
}

bool
get_store_copy_entry(struct reader *r, struct store_copy_entry *c)
{
	if (reader_left(r) == 0)
		return false;
	*c = (struct store_copy_entry){ .number = get_varint32(r) };
	c->made_ms = (int64_t)get_u64(r);
	c->lsn = get_varint(r);
	c->incarnation = get_varint(r);
	c->bytes = get_varint(r);
	c->pins = get_varint32(r);
	return reader_check(r, c->number != 0);
}

void
put_store_dir_record(struct buf *b, const struct store_dir_record *rec)
{
	put_span(b, rec->key);
	put_varint(b, rec->version);
	put_span(b, rec->value);
}

bool
get_store_dir_record(struct reader *r, struct store_dir_record *rec)
{
	if (reader_left(r) == 0)
		return false;
	*rec = (struct store_dir_record){ .key = get_span_max(r, STORE_DIR_KEY_MAX) };
	rec->version = get_varint(r);
	rec->value = get_span_max(r, STORE_DIR_VALUE_MAX);
	return reader_check(r, rec->key.len > 0);
}

void
put_store_dir_step(struct buf *b, const struct store_dir_step *s)
{
	put_u8(b, s->check);
	put_varint(b, s->version);
	put_u8(b, s->change);
	put_span(b, s->key);
	put_span(b, s->value);
}

bool
get_store_dir_step(struct reader *r, struct store_dir_step *s)
{
	if (reader_left(r) == 0)
		return false;
	*s = (struct store_dir_step){ .check = get_u8(r) };
	s->version = get_varint(r);
	s->change = get_u8(r);
	s->key = get_span_max(r, STORE_DIR_KEY_MAX);
	s->value = get_span_max(r, STORE_DIR_VALUE_MAX);
	return reader_check(r, s->key.len > 0 && s->check <= DIR_VERSION && s->change <= 2);
}

void
put_store_metadata(struct buf *b, const struct store_metadata *m)
{
	put_span(b, m->name);
	put_u8(b, m->given ? 1 : 0);
	put_u32(b, m->size);
	put_span(b, m->value);
}

bool
get_store_metadata(struct reader *r, struct store_metadata *m)
{
	uint8_t given;

	if (reader_left(r) == 0)
		return false;
	*m = (struct store_metadata){ .name = get_span_max(r, STORE_METADATA_NAME_MAX) };
	given = get_u8(r);
	m->given = given == 1;
	m->size = get_u32(r);
	m->value = get_span_max(r, STORE_METADATA_VALUE_MAX);
	return reader_check(r, m->name.len > 0 && given <= 1);
}

void
put_store_annotation(struct buf *b, const struct store_annotation *a)
{
	put_varint(b, a->uid);
	put_u8(b, (uint8_t)((a->shared ? 1 : 0) | (a->given ? 2 : 0)));
	put_span(b, a->entry);
	put_varint(b, a->size);
	put_span(b, a->value);
}

bool
get_store_annotation(struct reader *r, struct store_annotation *a)
{
	uint8_t how;

	if (reader_left(r) == 0)
		return false;
	*a = (struct store_annotation){ .uid = get_varint32(r) };
	how = get_u8(r);
	a->shared = (how & 1) != 0;
	a->given = (how & 2) != 0;
	a->entry = get_span_max(r, STORE_ANNOTATION_NAME_MAX);
	a->size = get_varint32(r);
	a->value = get_span_max(r, STORE_ANNOTATION_VALUE_MAX);
	return reader_check(r, a->entry.len > 0 && how <= 3);
}

void
put_store_annotated(struct buf *b, const struct store_annotated *a)
{
	put_varint(b, a->uid);
	put_varint(b, a->modseq);
	put_span(b, a->entry);
}

bool
get_store_annotated(struct reader *r, struct store_annotated *a)
{
	if (reader_left(r) == 0)
		return false;
	*a = (struct store_annotated){ .uid = get_varint32(r) };
	a->modseq = get_varint(r);
	a->entry = get_span_max(r, STORE_ANNOTATION_NAME_MAX);
	return reader_check(r, a->uid > 0 && a->entry.len > 0);
}

void
put_store_fsck_found(struct buf *b, const struct store_fsck_found *x)
{
	put_varint(b, x->account);
	put_u8(b, x->cure);
	put_u8(b, x->mended);
	put_span(b, x->table);
	put_span(b, x->key);
	put_span(b, x->text);
}

bool
get_store_fsck_found(struct reader *r, struct store_fsck_found *x)
{
	if (reader_left(r) == 0)
		return false;
	x->account = get_varint(r);
	x->cure = get_u8(r);
	x->mended = get_u8(r) != 0;
	x->table = get_span(r);
	x->key = get_span(r);
	x->text = get_span(r);
	return !r->bad;
}

void
put_store_fsck_root(struct buf *b, const struct store_fsck_root *x)
{
	put_varint(b, x->account);
	put_span(b, x->hash);
}

bool
get_store_fsck_root(struct reader *r, struct store_fsck_root *x)
{
	if (reader_left(r) == 0)
		return false;
	x->account = get_varint(r);
	x->hash = get_span(r);
	if (x->hash.len != 0 && x->hash.len != 32)
		r->bad = true;
	return !r->bad;
}

const char *
restore_does_name(uint8_t does)
{
	static const char *const names[] = {
		[RESTORE_DOES_MAILBOX_BACK] = "mailbox-back", [RESTORE_DOES_RENAME] = "rename",
		[RESTORE_DOES_ADD] = "add", [RESTORE_DOES_FLAGS] = "flags",
		[RESTORE_DOES_REMOVE] = "remove", [RESTORE_DOES_DELETE] = "delete",
		[RESTORE_DOES_SUBSCRIBE] = "subscribe",
		[RESTORE_DOES_UNSUBSCRIBE] = "unsubscribe", [RESTORE_DOES_ACL] = "acl",
	};

	return does < ARRAY_LEN(names) && names[does] != NULL ? names[does] : "?";
}

void
put_store_restore_line(struct buf *b, const struct store_restore_line *l)
{
	put_u8(b, l->does);
	put_varint(b, l->messages);
	put_span(b, l->path);
	put_span(b, l->to);
	put_span(b, l->uids);
}

bool
get_store_restore_line(struct reader *r, struct store_restore_line *l)
{
	if (reader_left(r) == 0)
		return false;
	l->does = get_u8(r);
	l->messages = get_varint32(r);
	l->path = get_span(r);
	l->to = get_span(r);
	l->uids = get_span(r);
	if (l->does < 1 || l->does > RESTORE_DOES_MAX || l->path.len > STORE_PATH_MAX ||
	    l->to.len > STORE_PATH_MAX)
		r->bad = true;
	return !r->bad;
}
