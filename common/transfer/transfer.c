#include "common/transfer/transfer.h"

static const char from_[] = "From ";
#define FROM_LEN 5u

/* Values ------------------------------------------------------------------------ */

void
transfer_folder_clear(struct transfer_folder *f)
{
	buf_clear(&f->path);
	buf_clear(&f->role);
	buf_clear(&f->acl);
	buf_clear(&f->metadata);
	buf_clear(&f->scripts);
	buf_clear(&f->active);
	f->exists = f->subscribed = false;
	f->uidvalidity = f->uidnext = 0;
	f->modseq = 0;
}

void
transfer_folder_fini(struct transfer_folder *f)
{
	buf_fini(&f->path);
	buf_fini(&f->role);
	buf_fini(&f->acl);
	buf_fini(&f->metadata);
	buf_fini(&f->scripts);
	buf_fini(&f->active);
}

void
put_transfer_folder(struct buf *b, const struct transfer_folder *f)
{
	put_span(b, buf_span(&f->path));
	put_span(b, buf_span(&f->role));
	put_u8(b, f->exists);
	put_u8(b, f->subscribed);
	put_u32(b, f->uidvalidity);
	put_u32(b, f->uidnext);
	put_u64(b, f->modseq);
	put_span(b, buf_span(&f->acl));
	put_span(b, buf_span(&f->metadata));
	put_span(b, buf_span(&f->scripts));
	put_span(b, buf_span(&f->active));
}

bool
get_transfer_folder(struct reader *r, struct transfer_folder *f)
{
	transfer_folder_clear(f);
	buf_add_span(&f->path, get_span(r));
	buf_add_span(&f->role, get_span(r));
	f->exists = get_u8(r) != 0;
	f->subscribed = get_u8(r) != 0;
	f->uidvalidity = get_u32(r);
	f->uidnext = get_u32(r);
	f->modseq = get_u64(r);
	buf_add_span(&f->acl, get_span(r));
	buf_add_span(&f->metadata, get_span(r));
	buf_add_span(&f->scripts, get_span(r));
	buf_add_span(&f->active, get_span(r));
	return !r->bad;
}

void
transfer_message_clear(struct transfer_message *m)
{
	buf_clear(&m->keywords);
	buf_clear(&m->uidl);
	buf_clear(&m->annotations);
	m->uid = m->uidvalidity = m->uidnext = 0;
	m->system = 0;
	m->received_s = TRANSFER_NOT_KNOWN;
	m->received_zone = 0;
	m->message = m->thread = m->size = 0;
	m->summed = false;
}

void
transfer_message_fini(struct transfer_message *m)
{
	buf_fini(&m->keywords);
	buf_fini(&m->uidl);
	buf_fini(&m->annotations);
}

void
put_transfer_message(struct buf *b, const struct transfer_message *m)
{
	put_u32(b, m->uid);
	put_u32(b, m->uidvalidity);
	put_u32(b, m->uidnext);
	put_u8(b, (uint8_t)m->system);
	put_span(b, buf_span(&m->keywords));
	put_u64(b, (uint64_t)m->received_s);
	put_u16(b, (uint16_t)m->received_zone);
	put_u64(b, m->message);
	put_u64(b, m->thread);
	put_span(b, buf_span(&m->uidl));
	put_span(b, buf_span(&m->annotations));
	put_u64(b, m->size);
	put_u8(b, m->summed);
	if (m->summed)
		buf_add(b, m->sha256, sizeof(m->sha256));
}

bool
get_transfer_message(struct reader *r, struct transfer_message *m)
{
	struct span sum;

	transfer_message_clear(m);
	m->uid = get_u32(r);
	m->uidvalidity = get_u32(r);
	m->uidnext = get_u32(r);
	m->system = get_u8(r);
	buf_add_span(&m->keywords, get_span(r));
	m->received_s = (int64_t)get_u64(r);
	m->received_zone = (int16_t)get_u16(r);
	m->message = get_u64(r);
	m->thread = get_u64(r);
	buf_add_span(&m->uidl, get_span(r));
	buf_add_span(&m->annotations, get_span(r));
	m->size = get_u64(r);
	m->summed = get_u8(r) != 0;
	if (m->summed) {
		sum = get_raw(r, sizeof(m->sha256));
		if (sum.p != NULL)
			memcpy(m->sha256, sum.p, sizeof(m->sha256));
	}
	return !r->bad;
}

ssize_t
transfer_read(const struct transfer_source *s, void *p, size_t n)
{
	size_t have = 0;

	while (have < n) {
		ssize_t r = s->read(s->arg, (char *)p + have, n - have);

		if (r < 0)
			return -1;
		if (r == 0)
			break;
		have += (size_t)r;
	}
	return (ssize_t)have;
}

/* Lines -------------------------------------------------------------------------- */

/* What was held back at the beginning of a line, as it came. */
static void
give_back(struct transfer_lines *l, struct buf *out)
{
	for (; l->gts > 0; l->gts--)
		buf_add_c(out, '>');
	buf_add(out, from_, l->matched);
	l->matched = 0;
	l->inside = l->open = true;
}

static void
put_byte(struct transfer_lines *l, char c, struct buf *out)
{
	if (l->quote && !l->inside) {
		if (c == '>' && l->matched == 0) {
			l->gts++;
			return;
		}
		if (c == from_[l->matched]) {
			if (++l->matched == FROM_LEN) {
				l->gts++;
				give_back(l, out);
			}
			return;
		}
		give_back(l, out);
	}
	buf_add_c(out, c);
	if (c == '\n')
		l->inside = false;
	l->open = c != '\n';
}

static void
end_cr(struct transfer_lines *l, struct buf *out)
{
	if (!l->cr)
		return;
	l->cr = false;
	l->dirty = true;
	put_byte(l, '\r', out);
}

void
transfer_lines_feed(struct transfer_lines *l, struct span in, struct buf *out)
{
	for (size_t i = 0; i < in.len; i++) {
		char c = in.p[i];

		if (l->raw) {
			put_byte(l, c, out);
			continue;
		}
		if (c == '\n') {
			l->dirty |= !l->cr;
			l->cr = false;
		} else {
			end_cr(l, out);
		}
		if (c == '\r')
			l->cr = true;
		else
			put_byte(l, c, out);
	}
}

void
transfer_lines_end(struct transfer_lines *l, struct buf *out)
{
	end_cr(l, out);
	if (l->gts > 0 || l->matched > 0)
		give_back(l, out);
}

void
transfer_crlf_feed(struct transfer_crlf *c, struct span in, struct buf *out)
{
	for (size_t i = 0; i < in.len; i++) {
		if (in.p[i] == '\n' && !c->known) {
			c->known = true;
			c->raw = c->cr;
		}
		if (in.p[i] == '\n' && !c->cr && !c->raw)
			buf_add_c(out, '\r');
		c->cr = in.p[i] == '\r';
		buf_add_c(out, in.p[i]);
	}
}
