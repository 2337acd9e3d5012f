#include "t/unit/jmapd/email/compose_text.h"

#include "jmapd/email/compose.h"

static void
put_pieces(const struct compose *c, struct span blob, struct buf *out)
{
	for (size_t i = 0; i < c->n_pieces; i++) {
		const struct compose_piece *p = &c->pieces[i];
		struct compose_encoder e = { .base64 = p->base64 };

		buf_add(out, c->text.data + p->text, p->text_len);
		if (p->blob == NULL)
			continue;
		for (size_t k = 0; k < blob.len; k += 100)
			compose_encode(&e, span_sub(blob, k, 100), out);
		compose_encode_end(&e, out);
	}
}

bool
compose_text(struct span email, struct span blob, struct buf *out)
{
	struct json_doc *doc = NULL;
	struct compose c = { .n_blobs = 0 };
	struct arena a = { 0 };
	bool ok;

	if (json_parse(email, 8 << 20, &doc) != ST_OK)
		return false;
	ok = compose_read(&c, &a, json_root(doc));
	for (size_t i = 0; i < c.n_blobs; i++) {
		compose_look(&c.blobs[i].seen, blob);
		compose_look_end(&c.blobs[i].seen);
	}
	if (ok) {
		compose_write(&c, 1531184591, SPAN_LIT("example.com"));
		put_pieces(&c, blob, out);
	} else
		buf_addf(out, "%s| %s", buf_cstr(&c.bad), buf_cstr(&c.why));
	compose_fini(&c);
	json_free(&doc);
	arena_fini(&a);
	return ok;
}
