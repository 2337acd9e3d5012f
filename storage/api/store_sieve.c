#include "storage/api/store_sieve.h"

#include "common/mail/unicode.h"

bool
script_name_valid(struct span name)
{
	return name.len > 0 && name.len <= STORE_SCRIPT_NAME_MAX && unicode_is_clean(name, true);
}

void
put_store_script(struct buf *b, const struct store_script *s)
{
	put_varint(b, s->id);
	put_span(b, s->name);
	put_u8(b, s->active);
	put_varint(b, s->size);
	put_varint(b, s->modseq);
	put_u64(b, (uint64_t)s->changed_ms);
	put_span(b, s->sha256);
}

bool
get_store_script(struct reader *r, struct store_script *s)
{
	if (reader_left(r) == 0)
		return false;
	s->id = get_varint(r);
	s->name = get_span(r);
	s->active = get_u8(r) == 1;
	s->size = get_varint32(r);
	s->modseq = get_varint(r);
	s->changed_ms = (int64_t)get_u64(r);
	s->sha256 = get_span(r);
	return reader_check(r, s->size <= STORE_SCRIPT_MAX && s->sha256.len == 32 &&
	    script_name_valid(s->name));
}

static bool
kind_good(uint8_t kind)
{
	return kind == SIEVE_KEY_DUPLICATE || kind == SIEVE_KEY_VACATION;
}

void
put_store_sieve_key(struct buf *b, const struct store_sieve_key *k)
{
	put_u8(b, k->kind);
	buf_add_span(b, k->key);
}

bool
get_store_sieve_key(struct reader *r, struct store_sieve_key *k)
{
	if (reader_left(r) == 0)
		return false;
	k->kind = get_u8(r);
	k->key = get_raw(r, STORE_SIEVE_KEY);
	return reader_check(r, kind_good(k->kind));
}

static bool
condition_good(const struct store_deliver_key *k)
{
	if (k->kind == SIEVE_KEY_SCRIPT)
		return k->known && k->remember_s == 0;
	return kind_good(k->kind) && k->remember_s <= STORE_SIEVE_REMEMBER_MAX;
}

void
put_store_deliver_key(struct buf *b, const struct store_deliver_key *k)
{
	put_u8(b, k->kind);
	buf_add_span(b, k->key);
	put_u8(b, k->known);
	put_varint(b, k->remember_s);
}

bool
get_store_deliver_key(struct reader *r, struct store_deliver_key *k)
{
	if (reader_left(r) == 0)
		return false;
	k->kind = get_u8(r);
	k->key = get_raw(r, STORE_SIEVE_KEY);
	k->known = get_u8(r) == 1;
	k->remember_s = get_varint(r);
	return reader_check(r, condition_good(k));
}

void
put_store_deliver_place(struct buf *b, const struct store_deliver_place *p)
{
	put_u8(b, p->body);
	put_varint(b, p->mailbox);
	put_u8(b, p->role);
	put_span(b, p->path);
	put_u8(b, (uint8_t)((p->create ? 1 : 0) | (p->subscribe ? 2 : 0)));
	put_varint(b, p->flags.w[0]);
	put_varint(b, p->flags.w[1]);
}

bool
get_store_deliver_place(struct reader *r, struct store_deliver_place *p)
{
	uint8_t bits;

	if (reader_left(r) == 0)
		return false;
	p->body = get_u8(r);
	p->mailbox = get_varint(r);
	p->role = get_u8(r);
	p->path = get_span(r);
	bits = get_u8(r);
	p->create = (bits & 1) != 0;
	p->subscribe = (bits & 2) != 0;
	p->flags.w[0] = get_varint(r);
	p->flags.w[1] = get_varint(r);
	return reader_check(r, p->body < STORE_DELIVER_BODIES && p->role <= MAILBOX_ROLE_MAX &&
	    p->path.len <= STORE_PATH_MAX &&
	    (flags_get_system(p->flags) & ~(unsigned)FLAG_SYSTEM_ALL) == 0);
}

void
put_store_delivered_place(struct buf *b, const struct store_delivered_place *p)
{
	put_u8(b, p->how);
	put_varint(b, p->mailbox);
	put_u32(b, p->uidvalidity);
	put_u32(b, p->uid);
	put_varint(b, p->message);
	put_varint(b, p->thread);
}

bool
get_store_delivered_place(struct reader *r, struct store_delivered_place *p)
{
	if (reader_left(r) == 0)
		return false;
	p->how = get_u8(r);
	p->mailbox = get_varint(r);
	p->uidvalidity = get_u32(r);
	p->uid = get_u32(r);
	p->message = get_varint(r);
	p->thread = get_varint(r);
	return reader_check(r, p->how <= PLACED_INBOX && p->mailbox != 0 && p->uid != 0);
}

void
put_store_event_row(struct buf *b, const struct store_event_row *row)
{
	put_varint(b, row->uid);
	put_varint(b, row->modseq);
	put_store_flags(b, row->flags);
	put_store_flags(b, row->before);
	put_store_flags(b, row->changed);
}

bool
get_store_event_row(struct reader *r, struct store_event_row *row)
{
	if (reader_left(r) == 0)
		return false;
	row->uid = get_varint32(r);
	row->modseq = get_varint(r);
	row->flags = get_store_flags(r);
	row->before = get_store_flags(r);
	row->changed = get_store_flags(r);
	return reader_check(r, row->uid != 0);
}
