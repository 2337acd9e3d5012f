#include "storage/client/packer.h"

#include "common/mime/digest.h"
#include "common/proto/imap_columns.h"
#include "common/util/mem.h"
#include "storage/client/body.h"

struct packer {
	struct body_writer	*writer;
	struct mime_digest	*digest;
	struct buf		columns, keys, text;
	unsigned char		sha256[32];
};

struct packer *
packer_new(uint64_t size)
{
	struct packer *p = mem_zalloc(sizeof(*p));

	p->writer = body_writer_new(SPAN_NONE, size);
	p->digest = mime_digest_new(STORE_TEXT_MAX);
	return p;
}

void
packer_free(struct packer **pp)
{
	struct packer *p = *pp;

	if (p == NULL)
		return;
	body_writer_free(&p->writer);
	mime_digest_free(&p->digest);
	buf_fini(&p->columns);
	buf_fini(&p->keys);
	buf_fini(&p->text);
	mem_free(pp);
}

void
packer_feed(struct packer *p, struct span raw, struct buf *stored)
{
	mime_digest_feed(p->digest, raw.p, raw.len);
	body_writer_feed(p->writer, raw.p, raw.len, stored);
}

uint64_t
packer_size(const struct packer *p)
{
	return body_writer_size(p->writer);
}

static void
put_text(const struct mime_digest_result *d, struct buf *out)
{
	const struct store_text t = { .version = MIME_TEXT_VERSION, .cut = d->text_cut,
		.other = d->other,
		.header = span_sub(d->text, 0, d->text_header),
		.body = span_sub(d->text, d->text_header, d->text.len) };

	put_store_text(out, &t);
}

void
packer_finish(struct packer *p, struct buf *stored, struct store_append_item *it)
{
	struct mime_digest_result d;

	body_writer_finish(p->writer, stored);
	body_writer_sha256(p->writer, p->sha256);
	mime_digest_finish(p->digest, &d);
	imap_columns_make(&d, &p->columns);
	mime_digest_keys(&d, &p->keys);
	put_text(&d, &p->text);
	*it = (struct store_append_item){ .received_s = INT64_MIN,
	    .size = body_writer_size(p->writer), .sha256 = span(p->sha256, sizeof(p->sha256)),
	    .list = d.list, .structure = d.structure, .columns = buf_span(&p->columns),
	    .thread_keys = buf_span(&p->keys), .subject_hash = d.subject_hash,
	    .text = buf_span(&p->text) };
}
