#include "common/worker/certs.h"

void
cert_pem_put(struct buf *out, const struct cert_pem *c)
{
	put_span(out, c->name);
	put_span(out, c->chain);
	put_span(out, c->key);
}

bool
cert_pem_get(struct reader *r, struct cert_pem *c)
{
	if (r->bad || reader_left(r) == 0)
		return false;
	c->name = get_span(r);
	c->chain = get_span(r);
	c->key = get_span(r);
	return !r->bad;
}
