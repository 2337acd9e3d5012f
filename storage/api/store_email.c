#include "storage/api/store_email.h"

/* More than a message can be in, and an account can have. */
#define MAILBOXES_BYTES (STORE_MAILBOX_MAX * 8u)

static void
put_flags(struct buf *b, struct flags f)
{
	put_u64(b, f.w[0]);
	put_u64(b, f.w[1]);
}

static struct flags
get_flags(struct reader *r)
{
	struct flags f;

	f.w[0] = get_u64(r);
	f.w[1] = get_u64(r);
	return f;
}

void
put_store_member(struct buf *b, const struct store_member *m)
{
	put_varint(b, m->mailbox);
	put_store_row(b, &m->row, ROW_ALL);
}

bool
get_store_member(struct reader *r, struct store_member *m)
{
	if (reader_left(r) == 0)
		return false;
	m->mailbox = get_varint(r);
	return reader_check(r, get_store_row(r, &m->row, ROW_ALL) && m->mailbox != 0);
}

void
put_store_email_change(struct buf *b, const struct store_email_change *c)
{
	put_varint(b, c->message);
	put_varint(b, c->thread);
	put_u8(b, (uint8_t)((c->was ? 1 : 0) | (c->is ? 2 : 0)));
	put_u8(b, c->what);
	put_span(b, c->members);
}

bool
get_store_email_change(struct reader *r, struct store_email_change *c)
{
	uint8_t when;

	if (reader_left(r) == 0)
		return false;
	c->message = get_varint(r);
	c->thread = get_varint(r);
	when = get_u8(r);
	c->was = (when & 1) != 0;
	c->is = (when & 2) != 0;
	c->what = get_u8(r);
	c->members = get_span(r);
	return reader_check(r, c->message != 0 && when <= 3 &&
	    c->what <= (EMAIL_KEYWORDS | EMAIL_MAILBOXES | EMAIL_AGAIN));
}

void
put_store_mailbox_change(struct buf *b, const struct store_mailbox_change *c)
{
	put_varint(b, c->mailbox);
	put_u8(b, (uint8_t)((c->was ? 1 : 0) | (c->is ? 2 : 0)));
	put_u8(b, c->what);
}

bool
get_store_mailbox_change(struct reader *r, struct store_mailbox_change *c)
{
	uint8_t when;

	if (reader_left(r) == 0)
		return false;
	c->mailbox = get_varint(r);
	when = get_u8(r);
	c->was = (when & 1) != 0;
	c->is = (when & 2) != 0;
	c->what = get_u8(r);
	return reader_check(r, c->mailbox != 0 && when <= 3 && c->what < 2 * MAILBOX_CHANGED_COUNTS);
}

void
put_store_email_item(struct buf *b, const struct store_email_item *it)
{
	put_varint(b, it->message);
	put_u8(b, it->how);
	put_u8(b, it->keywords_how);
	put_u8(b, it->mailboxes_how);
	if (it->keywords_how != EMAIL_KEEP) {
		put_flags(b, it->keywords_add);
		put_flags(b, it->keywords_remove);
	}
	if (it->mailboxes_how != EMAIL_KEEP) {
		put_span(b, it->mailboxes_add);
		put_span(b, it->mailboxes_remove);
	}
}

static bool
keywords_good(struct flags f)
{
	return (flags_get_system(f) & ~(FLAG_SYSTEM_ALL & ~(unsigned)FLAG_DELETED)) == 0;
}

static bool
mailboxes_good(struct span s)
{
	return s.len % 8 == 0 && s.len <= MAILBOXES_BYTES;
}

bool
get_store_email_item(struct reader *r, struct store_email_item *it)
{
	if (reader_left(r) == 0)
		return false;
	*it = (struct store_email_item){ .message = get_varint(r) };
	it->how = get_u8(r);
	it->keywords_how = get_u8(r);
	it->mailboxes_how = get_u8(r);
	if (it->keywords_how != EMAIL_KEEP) {
		it->keywords_add = get_flags(r);
		it->keywords_remove = get_flags(r);
	}
	if (it->mailboxes_how != EMAIL_KEEP) {
		it->mailboxes_add = get_span(r);
		it->mailboxes_remove = get_span(r);
	}
	return reader_check(r, it->message != 0 &&
	    (it->how == EMAIL_UPDATE || it->how == EMAIL_DESTROY) &&
	    it->keywords_how <= EMAIL_REPLACE && it->mailboxes_how <= EMAIL_REPLACE &&
	    keywords_good(it->keywords_add) && keywords_good(it->keywords_remove) &&
	    mailboxes_good(it->mailboxes_add) && mailboxes_good(it->mailboxes_remove));
}

void
put_store_blob(struct buf *b, const struct store_blob *x)
{
	put_varint(b, x->id);
	put_varint(b, x->size);
	buf_add_span(b, x->sha256);
	put_u64(b, (uint64_t)x->created_ms);
	put_u64(b, (uint64_t)x->expires_ms);
}

bool
get_store_blob(struct reader *r, struct store_blob *x)
{
	if (reader_left(r) == 0)
		return false;
	x->id = get_varint(r);
	x->size = get_varint(r);
	x->sha256 = get_raw(r, 32);
	x->created_ms = (int64_t)get_u64(r);
	x->expires_ms = (int64_t)get_u64(r);
	return reader_check(r, x->id != 0);
}
