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

bool
get_store_push(struct reader *r, struct store_push *p)
{
	if (reader_left(r) == 0)
		return false;
	p->id = get_varint(r);
	p->device = get_span_max(r, STORE_PUSH_DEVICE_MAX);
	p->url = get_span_max(r, STORE_PUSH_URL_MAX);
	p->p256dh = get_span_max(r, STORE_PUSH_KEY_MAX);
	p->auth = get_span_max(r, STORE_PUSH_KEY_MAX);
	p->types = get_span_max(r, STORE_PUSH_TYPES_MAX);
	p->code = get_span_max(r, STORE_PUSH_CODE);
	p->verified = get_u8(r) == 1;
	p->expires_s = (int64_t)get_u64(r);
	return !r->bad;
}
