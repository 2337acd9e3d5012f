#include "storage/state/op.h"

#include <assert.h>
#include <string.h>

#include "common/util/bytes.h"
#include "common/util/mem.h"

/* A field of an operation's own part. */
enum kind { K_END, K_U8, K_BOOL, K_U32, K_VARINT, K_I64, K_SPAN, K_TICKET };
struct field {
	enum kind	kind;
	size_t		offset;
};

#define F(kind, type, member) { K_##kind, offsetof(struct op_##type, member) }

static const struct field no_fields[] = { { K_END, 0 } };
static const struct field account_create[] = { F(SPAN, account_create, mailboxes), { 0 } };
static const struct field account_limits[] = { F(VARINT, account_limits, bytes),
	F(VARINT, account_limits, messages), F(VARINT, account_limits, mailboxes), { 0 } };
static const struct field mailbox_create[] = { F(SPAN, mailbox_create, path),
	F(U8, mailbox_create, role), { 0 } };
static const struct field mailbox_delete[] = { F(SPAN, mailbox_delete, path), { 0 } };
static const struct field mailbox_rename[] = { F(SPAN, mailbox_rename, from),
	F(SPAN, mailbox_rename, to), { 0 } };
static const struct field subscribe[] = { F(SPAN, subscribe, path), F(BOOL, subscribe, on),
	{ 0 } };
static const struct field mailbox_purge[] = { F(VARINT, mailbox_purge, mailbox), { 0 } };
static const struct field recent[] = { F(VARINT, recent, mailbox), F(U32, recent, below),
	{ 0 } };
static const struct field append[] = { F(SPAN, append, path), F(BOOL, append, make),
	F(SPAN, append, keywords), F(SPAN, append, items),
	F(VARINT, append, replace_mailbox), F(U32, append, replace_uid), { 0 } };
static const struct field append_annotated[] = { F(SPAN, append, path), F(BOOL, append, make),
	F(SPAN, append, keywords), F(SPAN, append, items),
	F(VARINT, append, replace_mailbox), F(U32, append, replace_uid),
	F(SPAN, append, annotations), F(BOOL, append, carried), { 0 } };
static const struct field append_placed[] = { F(SPAN, append, path), F(SPAN, append, keywords),
	F(SPAN, append, items), F(SPAN, append, annotations), F(BOOL, append, carried),
	F(SPAN, append, uids), F(VARINT, append, modseq), { 0 } };
static const struct field uidvalidity[] = { F(VARINT, uidvalidity, mailbox),
	F(VARINT, uidvalidity, if_modseq), F(U32, uidvalidity, uidvalidity),
	F(U32, uidvalidity, uidnext), { 0 } };
static const struct field annotate[] = { F(VARINT, annotate, mailbox), F(SPAN, annotate, uids),
	F(SPAN, annotate, entries), F(VARINT, annotate, unchanged_since), { 0 } };
static const struct field flags[] = { F(VARINT, flags, mailbox), F(SPAN, flags, uids),
	F(U8, flags, how), F(U8, flags, system), F(SPAN, flags, keywords),
	F(VARINT, flags, unchanged_since), { 0 } };
static const struct field expunge[] = { F(VARINT, expunge, mailbox), F(SPAN, expunge, uids),
	{ 0 } };
static const struct field copy[] = { F(VARINT, copy, mailbox), F(SPAN, copy, uids),
	F(SPAN, copy, to), F(BOOL, copy, move), { 0 } };
static const struct field history_purge[] = { F(I64, history_purge, before_ms),
	F(U32, history_purge, rows), { 0 } };
static const struct field once_purge[] = { F(I64, once_purge, before_ms),
	F(TICKET, once_purge, from), F(U32, once_purge, rows), { 0 } };
static const struct field push[] = { F(U8, push, how), F(VARINT, push, id),
	F(U8, push, what), F(U32, push, most), F(SPAN, push, push), { 0 } };
static const struct field stage_end[] = { F(U32, stage_end, rows), { 0 } };
static const struct field dir_write[] = { F(SPAN, dir_write, steps), { 0 } };

static const struct field remove_[] = { F(U8, remove, how), F(U8, remove, system),
	F(SPAN, remove, keywords), F(SPAN, remove, to), F(SPAN, remove, what), { 0 } };
static const struct field uidl_put[] = { F(VARINT, uidl_put, mailbox),
	F(SPAN, uidl_put, list), { 0 } };
static const struct field acl_set[] = { F(SPAN, acl_set, path), F(U8, acl_set, kind),
	F(VARINT, acl_set, id), F(BOOL, acl_set, negative), F(U8, acl_set, how),
	F(U32, acl_set, rights), { 0 } };

static const struct field metadata[] = { F(VARINT, metadata, mailbox),
	F(SPAN, metadata, entries), { 0 } };

static const struct field url_key[] = { F(SPAN, url_key, path), F(BOOL, url_key, reset),
	F(SPAN, url_key, key), { 0 } };

static const struct field repair[] = { F(SPAN, repair, rows), { 0 } };
static const struct field incarnate[] = { F(VARINT, incarnate, after), { 0 } };
static const struct field relocate[] = { F(SPAN, relocate, moves), { 0 } };
static const struct field retention[] = { F(VARINT, retention, mailbox),
	F(I64, retention, before_s), F(U8, retention, role), F(SPAN, retention, uids), { 0 } };
static const struct field undelete[] = { F(VARINT, undelete, mailbox), F(SPAN, undelete, uids),
	F(SPAN, undelete, ids), F(SPAN, undelete, to), F(BOOL, undelete, make), { 0 } };
static const struct field restore[] = { F(SPAN, restore, steps), F(BOOL, restore, exact),
	{ 0 } };
static const struct field mailbox_revive[] = { F(VARINT, mailbox_revive, mailbox),
	F(SPAN, mailbox_revive, path), { 0 } };
static const struct field kept_purge[] = { F(VARINT, kept_purge, bytes),
	F(I64, kept_purge, before_ms), F(U32, kept_purge, rows), { 0 } };

static const struct field email_set[] = { F(VARINT, email_set, if_email),
	F(SPAN, email_set, keywords), F(SPAN, email_set, items), { 0 } };
static const struct field append_into[] = { F(SPAN, append, keywords), F(SPAN, append, items),
	F(SPAN, append, into), F(VARINT, append, if_email), { 0 } };
static const struct field mailbox_set[] = { F(VARINT, mailbox_set, if_mailbox),
	F(VARINT, mailbox_set, mailbox), F(VARINT, mailbox_set, parent),
	F(U8, mailbox_set, how), F(U8, mailbox_set, fields), F(U8, mailbox_set, role),
	F(SPAN, mailbox_set, name), F(U32, mailbox_set, order), F(BOOL, mailbox_set, subscribed),
	F(BOOL, mailbox_set, remove_emails), { 0 } };

static const struct field blob_put[] = { F(VARINT, blob_put, size), F(SPAN, blob_put, sha256),
	F(U32, blob_put, pieces), F(VARINT, blob_put, bytes_max), F(U32, blob_put, count_max),
	F(I64, blob_put, life_ms), F(I64, blob_put, hold_ms), { 0 } };
static const struct field script_set[] = { F(U8, script_set, how), F(SPAN, script_set, name),
	F(SPAN, script_set, to), F(SPAN, script_set, text), F(BOOL, script_set, activate),
	F(VARINT, script_set, if_state), F(VARINT, script_set, count_max),
	F(VARINT, script_set, size_max), F(VARINT, script_set, bytes_max), { 0 } };
static const struct field deliver[] = { F(SPAN, deliver, keywords), F(SPAN, deliver, bodies),
	F(SPAN, deliver, places), F(SPAN, deliver, keys), F(SPAN, deliver, queue),
	F(VARINT, deliver, keys_max), F(VARINT, deliver, queue_max),
	F(VARINT, deliver, queue_bytes), { 0 } };
static const struct field deliver_of[] = { F(SPAN, deliver, keywords), F(SPAN, deliver, bodies),
	F(SPAN, deliver, places), F(SPAN, deliver, keys), F(SPAN, deliver, queue),
	F(VARINT, deliver, keys_max), F(VARINT, deliver, queue_max),
	F(VARINT, deliver, queue_bytes), F(VARINT, deliver, of_mailbox), F(U32, deliver, of_uid),
	F(VARINT, deliver, flags_add.w[0]), F(VARINT, deliver, flags_add.w[1]),
	F(VARINT, deliver, flags_remove.w[0]), F(VARINT, deliver, flags_remove.w[1]), { 0 } };
static const struct field sieve_keys_purge[] = { F(U32, sieve_keys_purge, rows), { 0 } };
static const struct field queue[] = { F(U8, queue, how), F(VARINT, queue, id),
	F(U32, queue, attempt), F(I64, queue, next_ms), F(SPAN, queue, rcpts),
	F(SPAN, queue, answer), { 0 } };
static const struct field blob_purge[] = { F(U32, blob_purge, rows), { 0 } };

static const struct {
	const char		*name;
	const struct field	*fields;
} kinds[] = {
	[OP_ACCOUNT_CREATE] = { "account-create", account_create },
	[OP_ACCOUNT_LIMITS] = { "account-limits", account_limits },
	[OP_ACCOUNT_DELETE] = { "account-delete", no_fields },
	[OP_ACCOUNT_UNDELETE] = { "account-undelete", no_fields },
	[OP_ACCOUNT_PURGE] = { "account-purge", no_fields },
	[OP_MAILBOX_CREATE] = { "mailbox-create", mailbox_create },
	[OP_MAILBOX_DELETE] = { "mailbox-delete", mailbox_delete },
	[OP_MAILBOX_RENAME] = { "mailbox-rename", mailbox_rename },
	[OP_SUBSCRIBE] = { "subscribe", subscribe },
	[OP_MAILBOX_PURGE] = { "mailbox-purge", mailbox_purge },
	[OP_RECENT] = { "recent", recent },
	[OP_APPEND] = { "append", append },
	[OP_FLAGS] = { "flags", flags },
	[OP_EXPUNGE] = { "expunge", expunge },
	[OP_COPY] = { "copy", copy },
	[OP_ANNOTATE] = { "annotate", annotate },
	[OP_APPEND_ANNOTATED] = { "append-annotated", append_annotated },
	[OP_HISTORY_PURGE] = { "history-purge", history_purge },
	[OP_ONCE_PURGE] = { "once-purge", once_purge },
	[OP_INCARNATION] = { "incarnation", no_fields },
	[OP_DIR_WRITE] = { "dir-write", dir_write },
	[OP_REMOVE] = { "remove", remove_ },
	[OP_UIDL_PUT] = { "uidl-put", uidl_put },
	[OP_METADATA] = { "metadata", metadata },
	[OP_METADATA_NOTED] = { "metadata-noted", metadata },
	[OP_STAGE_COPY] = { "stage-copy", copy },
	[OP_STAGE_APPEND] = { "stage-append", append },
	[OP_STAGE_COMMIT] = { "stage-commit", no_fields },
	[OP_STAGE_END] = { "stage-end", stage_end },
	[OP_STAGE_APPEND_ANNOTATED] = { "stage-append-annotated", append_annotated },
	[OP_ACL_SET] = { "acl-set", acl_set },
	[OP_URL_KEY] = { "url-key", url_key },
	[OP_REPAIR] = { "repair", repair },
	[OP_INCARNATE] = { "incarnate", incarnate },
	[OP_RELOCATE] = { "relocate", relocate },
	[OP_RETENTION] = { "retention", retention },
	[OP_APPEND_PLACED] = { "append-placed", append_placed },
	[OP_UIDVALIDITY] = { "uidvalidity", uidvalidity },
	[OP_UNDELETE] = { "undelete", undelete },
	[OP_RESTORE] = { "restore", restore },
	[OP_MAILBOX_REVIVE] = { "mailbox-revive", mailbox_revive },
	[OP_PUSH] = { "push", push },
	[OP_KEPT_PURGE] = { "kept-purge", kept_purge },
	[OP_EMAIL_SET] = { "email-set", email_set },
	[OP_APPEND_INTO] = { "append-into", append_into },
	[OP_MAILBOX_SET] = { "mailbox-set", mailbox_set },
	[OP_BLOB_PUT] = { "blob-put", blob_put },
	[OP_BLOB_PURGE] = { "blob-purge", blob_purge },
	[OP_SCRIPT_SET] = { "script-set", script_set },
	[OP_DELIVER] = { "deliver", deliver },
	[OP_SIEVE_KEYS_PURGE] = { "sieve-keys-purge", sieve_keys_purge },
	[OP_QUEUE] = { "queue", queue },
	[OP_DELIVER_OF] = { "deliver-of", deliver_of },
};

static const struct field *
fields_of(unsigned kind)
{
	return kind < ARRAY_LEN(kinds) ? kinds[kind].fields : NULL;
}

const char *
op_kind_name(enum op_kind kind)
{
	return fields_of(kind) != NULL ? kinds[kind].name : "unknown";
}

static void
put_field(struct buf *b, const struct field *f, const void *base)
{
	const char *p = (const char *)base + f->offset;

	switch (f->kind) {
	case K_U8:
		put_u8(b, *(const uint8_t *)p);
		break;
	case K_BOOL:
		put_u8(b, *(const bool *)p);
		break;
	case K_U32:
		put_varint(b, *(const uint32_t *)(const void *)p);
		break;
	case K_VARINT:
		put_varint(b, *(const uint64_t *)(const void *)p);
		break;
	case K_I64:
		put_u64(b, *(const uint64_t *)(const void *)p);
		break;
	case K_SPAN:
		put_span(b, *(const struct span *)(const void *)p);
		break;
	case K_TICKET:
		buf_add(b, p, OP_TICKET_LEN);
		break;
	case K_END:
		break;
	}
}

static void
get_ticket(struct reader *r, unsigned char *out)
{
	struct span s = get_raw(r, OP_TICKET_LEN);

	if (s.p != NULL)
		memcpy(out, s.p, OP_TICKET_LEN);
}

static void
get_field(struct reader *r, const struct field *f, void *base)
{
	char *p = (char *)base + f->offset;

	switch (f->kind) {
	case K_U8:
		*(uint8_t *)p = get_u8(r);
		break;
	case K_BOOL:
		*(bool *)p = get_u8(r) != 0;
		break;
	case K_U32:
		*(uint32_t *)(void *)p = get_varint32(r);
		break;
	case K_VARINT:
		*(uint64_t *)(void *)p = get_varint(r);
		break;
	case K_I64:
		*(uint64_t *)(void *)p = get_u64(r);
		break;
	case K_SPAN:
		*(struct span *)(void *)p = get_span(r);
		break;
	case K_TICKET:
		get_ticket(r, (unsigned char *)p);
		break;
	case K_END:
		break;
	}
}

void
op_encode(const struct op *op, struct buf *out)
{
	const struct op_head *h = &op->head;
	const struct field *f = fields_of(op->kind);

	assert(f != NULL);
	put_u8(out, OP_VERSION);
	put_u8(out, (uint8_t)op->kind);
	put_u64(out, h->account);
	put_u64(out, h->who);
	put_u64(out, (uint64_t)h->time_ms);
	buf_add(out, h->ticket, OP_TICKET_LEN);
	put_varint(out, h->seq);
	put_varint(out, h->acked);
	put_varint(out, h->part);
	put_u8(out, h->last);
	put_varint(out, h->bytes_max);
	put_varint(out, h->messages_max);
	put_varint(out, h->mailboxes_max);
	for (; f->kind != K_END; f++)
		put_field(out, f, &op->u);
	if (h->groups.len > 0)
		put_span(out, h->groups);
}

bool
op_decode(struct op *op, struct span bytes)
{
	struct op_head *h = &op->head;
	const struct field *f;
	struct reader r;
	unsigned kind;

	memset(op, 0, sizeof(*op));
	reader_init(&r, bytes.p, bytes.len);
	if (get_u8(&r) != OP_VERSION)
		return false;
	kind = get_u8(&r);
	if ((f = fields_of(kind)) == NULL)
		return false;
	op->kind = (enum op_kind)kind;
	h->account = get_u64(&r);
	h->who = get_u64(&r);
	h->time_ms = (int64_t)get_u64(&r);
	get_ticket(&r, h->ticket);
	h->seq = get_varint(&r);
	h->acked = get_varint(&r);
	h->part = get_varint32(&r);
	h->last = get_u8(&r) != 0;
	h->bytes_max = get_varint(&r);
	h->messages_max = get_varint(&r);
	h->mailboxes_max = get_varint(&r);
	for (; f->kind != K_END; f++)
		get_field(&r, f, &op->u);
	if (!r.bad && r.p < r.end) {
		h->groups = get_span(&r);
		if (h->groups.len == 0 || h->groups.len % 8 != 0 ||
		    h->groups.len > STORE_GROUPS_MAX * 8)
			return false;
	}
	return reader_done(&r);
}

void
put_op_repair_row(struct buf *b, const struct op_repair_row *r)
{
	put_u8(b, r->how);
	put_span(b, r->table);
	put_span(b, r->key);
	if (r->how == REPAIR_PUT) {
		put_span(b, r->value);
		return;
	}
	put_u32(b, r->crc);
	put_span(b, r->why);
}

bool
get_op_repair_row(struct reader *r, struct op_repair_row *row)
{
	if (reader_left(r) == 0)
		return false;
	*row = (struct op_repair_row){ .how = get_u8(r) };
	row->table = get_span(r);
	row->key = get_span(r);
	if (row->how == REPAIR_PUT) {
		row->value = get_span(r);
	} else {
		row->crc = get_u32(r);
		row->why = get_span(r);
	}
	if (row->how < REPAIR_PUT || row->how > REPAIR_QUARANTINE)
		r->bad = true;
	return !r->bad;
}

void
put_op_default_mailbox(struct buf *b, const struct op_default_mailbox *m)
{
	put_span(b, m->path);
	put_u8(b, m->role);
	put_u8(b, m->subscribed);
}

bool
get_op_default_mailbox(struct reader *r, struct op_default_mailbox *m)
{
	if (reader_left(r) == 0)
		return false;
	m->path = get_span(r);
	m->role = get_u8(r);
	m->subscribed = get_u8(r) != 0;
	if (m->role > MAILBOX_ROLE_MAX)
		r->bad = true;
	return !r->bad;
}

void
put_op_append_item(struct buf *b, const struct op_append_item *it)
{
	put_varint(b, it->flags.w[0]);
	put_varint(b, it->flags.w[1]);
	put_u64(b, (uint64_t)it->received_s);
	put_u16(b, (uint16_t)it->received_zone);
	put_varint(b, it->size);
	put_span(b, it->sha256);
	put_span(b, it->list);
	put_span(b, it->structure);
	put_span(b, it->columns);
	put_span(b, it->thread_keys);
	put_u64(b, it->subject_hash);
	put_varint(b, it->stage);
	put_varint(b, it->pieces);
	put_varint(b, it->message);
	put_varint(b, it->thread);
}

bool
get_op_append_item(struct reader *r, struct op_append_item *it)
{
	if (reader_left(r) == 0)
		return false;
	it->flags.w[0] = get_varint(r);
	it->flags.w[1] = get_varint(r);
	it->received_s = (int64_t)get_u64(r);
	it->received_zone = (int16_t)get_u16(r);
	it->size = get_varint(r);
	it->sha256 = get_span(r);
	it->list = get_span(r);
	it->structure = get_span(r);
	it->columns = get_span(r);
	it->thread_keys = get_span(r);
	it->subject_hash = get_u64(r);
	it->stage = get_varint(r);
	it->pieces = get_varint32(r);
	it->message = get_varint(r);
	it->thread = get_varint(r);
	if ((flags_get_system(it->flags) & ~(unsigned)FLAG_SYSTEM_ALL) != 0 ||
	    it->size > STORE_SIZE_MAX || it->sha256.len != 32 ||
	    it->list.len > STORE_CACHE_MAX || it->structure.len > STORE_CACHE_MAX ||
	    it->columns.len > STORE_COLUMN_BYTES_MAX || it->thread_keys.len % 8 != 0 ||
	    it->thread_keys.len > STORE_THREAD_KEYS_MAX * 8 || it->pieces == 0 ||
	    it->pieces > OP_PIECES_MAX)
		r->bad = true;
	return !r->bad;
}

void
put_op_move(struct buf *b, const struct op_move *m)
{
	put_u64(b, m->extent);
	put_varint(b, m->index);
	put_u32(b, m->segment);
	put_u32(b, m->offset);
	put_u32(b, m->length);
}

bool
get_op_move(struct reader *r, struct op_move *m)
{
	if (reader_left(r) == 0)
		return false;
	m->extent = get_u64(r);
	m->index = get_varint32(r);
	m->segment = get_u32(r);
	m->offset = get_u32(r);
	m->length = get_u32(r);
	if (m->index >= OP_PIECES_MAX || m->segment == 0)
		r->bad = true;
	return !r->bad;
}

void
put_op_restore_step(struct buf *b, const struct op_restore_step *s)
{
	put_u8(b, s->kind);
	put_varint(b, s->mailbox);
	put_varint(b, s->log_mailbox);
	put_varint(b, s->log_modseq);
	put_varint(b, s->log_uid);
	put_varint(b, s->uid);
	put_varint(b, s->modseq);
}

bool
get_op_restore_step(struct reader *r, struct op_restore_step *s)
{
	if (reader_left(r) == 0)
		return false;
	s->kind = get_u8(r);
	s->mailbox = get_varint(r);
	s->log_mailbox = get_varint(r);
	s->log_modseq = get_varint(r);
	s->log_uid = get_varint32(r);
	s->uid = get_varint32(r);
	s->modseq = get_varint(r);
	if (s->kind < RESTORE_ADD || s->kind > RESTORE_REMOVE)
		r->bad = true;
	return !r->bad;
}

static bool
count_moves(const struct op *op, uint64_t *pieces)
{
	struct op_move m;
	struct reader r;

	reader_init(&r, op->u.relocate.moves.p, op->u.relocate.moves.len);
	while (get_op_move(&r, &m))
		++*pieces;
	return reader_done(&r) && *pieces <= OP_MOVES_MAX;
}

bool
op_pieces(const struct op *op, uint64_t *pieces)
{
	struct op_append_item it;
	struct reader r;

	*pieces = 0;
	if (op->kind == OP_RELOCATE)
		return count_moves(op, pieces);
	if (op->kind == OP_BLOB_PUT) {
		*pieces = op->u.blob_put.pieces;
		return *pieces >= 1 && *pieces <= OP_PIECES_MAX;
	}
	if (op->kind != OP_APPEND && op->kind != OP_STAGE_APPEND &&
	    op->kind != OP_APPEND_ANNOTATED && op->kind != OP_STAGE_APPEND_ANNOTATED &&
	    op->kind != OP_APPEND_PLACED && op->kind != OP_APPEND_INTO &&
	    op->kind != OP_DELIVER && op->kind != OP_DELIVER_OF)
		return true;
	if (op->kind == OP_DELIVER || op->kind == OP_DELIVER_OF)
		reader_init(&r, op->u.deliver.bodies.p, op->u.deliver.bodies.len);
	else
		reader_init(&r, op->u.append.items.p, op->u.append.items.len);
	while (get_op_append_item(&r, &it))
		*pieces += it.pieces;
	return reader_done(&r);
}
