#include "storage/api/store_push.h"

void
put_store_push(struct buf *b, const struct store_push *p)
{
	put_varint(b, p->id);
	put_span(b, p->device);
	put_span(b, p->url);
	put_span(b, p->p256dh);
	put_span(b, p->auth);
	put_span(b, p->types);
	put_span(b, p->code);
	put_u8(b, p->verified);
	put_u64(b, (uint64_t)p->expires_s);
}

static struct span
get(struct reader *r, size_t max)
{
	struct span s = get_span(r);

	if (s.len > max)
		r->bad = true;
	return r->bad ? SPAN_NONE : s;
}

bool
get_store_push(struct reader *r, struct store_push *p)
{
	if (r->bad || r->p == r->end)
		return false;
	p->id = get_varint(r);
	p->device = get(r, STORE_PUSH_DEVICE_MAX);
	p->url = get(r, STORE_PUSH_URL_MAX);
	p->p256dh = get(r, STORE_PUSH_KEY_MAX);
	p->auth = get(r, STORE_PUSH_KEY_MAX);
	p->types = get(r, STORE_PUSH_TYPES_MAX);
	p->code = get(r, STORE_PUSH_CODE);
	p->verified = get_u8(r) == 1;
	p->expires_s = (int64_t)get_u64(r);
	return !r->bad;
}
