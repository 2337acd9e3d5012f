#include "jmapd/blob/blob.h"
#include "storage/api/store_email.h"

static void
part_ready(struct blobs_known *k)
{
	if (--k->waiting == 0)
		k->ready(k->call);
}

static void
on_fresh(void *arg, enum status st)
{
	struct blobs_known *k = arg;

	k->fresh = NULL;
	if (st != ST_OK)
		jmap_call_status(k->call, st, "looking for messages");
	else
		part_ready(k);
}

static void
on_blobs(void *arg, enum status st, bool more, const void *msg)
{
	struct blobs_known *k = arg;
	const struct store_blobs_are *are = msg;
	struct store_blob one;
	struct reader r;

	if (!more)
		k->asking = NULL;
	if (st != ST_OK) {
		jmap_call_status(k->call, st, "looking for uploads");
		return;
	}
	if (are != NULL) {
		reader_init(&r, are->blobs.p, are->blobs.len);
		while (reader_left(&r) > 0 && get_store_blob(&r, &one))
			table_put_u64(&k->uploads, one.id, k);
	}
	if (!more)
		part_ready(k);
}

void
blobs_known_load(struct blobs_known *k, struct jmap_call *c, const struct span *ids,
    size_t count, void (*ready)(struct jmap_call *c))
{
	struct buf uploads = { 0 };
	struct blob_id id;

	k->call = c;
	k->ready = ready;
	k->waiting = 1;
	for (size_t i = 0; i < count; i++)
		if (blob_id_parse(ids[i], &id) && id.kind == BLOB_UPLOAD)
			put_u64(&uploads, id.number);
	if (uploads.len > 0) {
		k->waiting++;
		k->asking = store_do_blobs(c->account->store,
		    &(struct store_blobs){ .ids = buf_span(&uploads) }, on_blobs, k);
	}
	buf_fini(&uploads);
	k->fresh = mirror_fresh(jmap_call_mirror(c), on_fresh, k);
}

bool
blobs_known_has(const struct blobs_known *k, struct span text, struct blob_id *id)
{
	struct mirror_email e;

	if (!blob_id_parse(text, id))
		return false;
	return id->kind == BLOB_UPLOAD ? table_get_u64(&k->uploads, id->number) != NULL :
	    mirror_get(jmap_call_mirror(k->call), id->number, &e);
}

void
blobs_known_fini(struct blobs_known *k)
{
	if (k->fresh != NULL)
		mirror_cancel(&k->fresh);
	if (k->asking != NULL)
		store_cancel(&k->asking);
	table_fini(&k->uploads, NULL, NULL);
}
