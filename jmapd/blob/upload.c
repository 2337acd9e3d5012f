/* Blob/upload (RFC 9404 §4.1).  One blob after the other is made, source after source; those that are
 * ranges of other blobs are read no faster than the store takes them. */
#include "common/crypto/encode.h"
#include "common/util/mem.h"
#include "jmapd/blob/blob.h"
#include "jmapd/blob/blob_reader.h"
#include "jmapd/blob/blob_writer.h"
#include "jmapd/core/args.h"
#include "jmapd/core/set.h"

#define SLICE	(32u << 10)

struct upload {
	struct jmap_call	*call;
	const struct json	*create, *object;
	struct jmap_set		set;
	void			*pos;		/* in create */
	struct span		key;
	struct loop_task	*task;
	struct blob_writer	*writer;
	struct blob_reader	*reader;
	size_t			source;		/* which of the object's is at hand */
	struct buf		bytes;		/* of a source with its data in it */
	size_t			taken;
	uint64_t		wanted;		/* bytes of a range that did not come yet */
	size_t			dropped;
	bool			empty;
};

static void
drop(struct upload *u)
{
	blob_reader_free(&u->reader);
	blob_writer_free(&u->writer);
	buf_clear(&u->bytes);
	u->taken = 0;
	u->source = 0;
}

static void
on_ended(struct jmap_call *c)
{
	struct upload *u = c->state;

	drop(u);
	buf_fini(&u->bytes);
	loop_task_free(&u->task);
	jmap_set_fini(&u->set);
}

/* The object at hand is done with; the task takes the next. */
static void
go_on(struct upload *u)
{
	drop(u);
	u->object = NULL;
	loop_task_post(u->task);
}

static void
fail(struct upload *u, const char *type, const char *properties, const char *why)
{
	jmap_set_failed(&u->set, JMAP_CREATE, u->key, type, properties, "%s", why);
	go_on(u);
}

/* ---- into the store ---- */

static void
on_drained(void *arg)
{
	struct upload *u = arg;

	if (u->reader != NULL)
		blob_reader_resume(u->reader);
	else
		loop_task_post(u->task);
}

static void
tell_created(struct upload *u, uint64_t number)
{
	struct blob_id id = { .kind = BLOB_UPLOAD, .number = number };
	struct json_writer *w = jmap_set_created(&u->set, u->key);
	struct buf text = { 0 };
	struct span type;

	if (!json_get_string(u->object, "type", &type))
		type = SPAN_LIT("application/octet-stream");
	blob_id_put(&text, &id);
	json_begin_object(w);
	json_kv_string(w, "id", buf_span(&text));
	json_kv_string(w, "blobId", buf_span(&text));
	json_kv_string(w, "type", type);
	json_kv_uint(w, "size", blob_writer_size(u->writer));
	json_end_object(w);
	jmap_call_created(u->call, u->key, buf_span(&text));
	buf_fini(&text);
}

static void
on_put(void *arg, enum status st, uint64_t number)
{
	struct upload *u = arg;

	if (st == ST_OK)
		tell_created(u, number);
	else
		jmap_set_failed_status(&u->set, JMAP_CREATE, u->key, st);
	go_on(u);
}

static const struct blob_writer_ops writer_ops = { on_drained, on_put };

/* false: the blob is too large, and was refused. */
static bool
feed(struct upload *u, struct span raw)
{
	if (blob_writer_size(u->writer) + raw.len > u->call->host->limits->max_size_upload) {
		fail(u, "tooLarge", "data", "the blob would be larger than maxSizeBlobSet");
		return false;
	}
	blob_writer_feed(u->writer, raw);
	return true;
}

/* ---- a source that is a range of a blob ----
 * That a range lies whole within the blob is seen by its last byte, or, when it is empty or
 * open-ended, by the one before it, which is read and dropped then. */

static void
on_data(void *arg, struct span piece)
{
	struct upload *u = arg;
	size_t n = u->dropped < piece.len ? u->dropped : piece.len;

	u->wanted -= piece.len < u->wanted ? piece.len : u->wanted;
	u->dropped -= n;
	piece = span_sub(piece, n, piece.len);
	if (u->empty || piece.len == 0)
		return;
	if (feed(u, piece) && blob_writer_full(u->writer))
		blob_reader_pause(u->reader);
}

static void
on_read(void *arg, enum status st)
{
	struct upload *u = arg;

	blob_reader_free(&u->reader);
	if (st == ST_NOT_FOUND) {
		fail(u, "invalidProperties", "data", "blobId: there is no such blob");
	} else if (st != ST_OK) {
		jmap_set_failed_status(&u->set, JMAP_CREATE, u->key, st);
		go_on(u);
	} else if (u->wanted > 0) {
		fail(u, "invalidProperties", "data",
		    "offset and length: the range is not whole within the blob");
	} else {
		u->source++;
		loop_task_post(u->task);
	}
}

static const struct blob_reader_ops reader_ops = { NULL, on_data, on_read };

static void
read_range(struct upload *u, const struct blob_id *id, uint64_t offset, uint64_t length,
    bool to_end)
{
	u->empty = !to_end && length == 0;
	u->dropped = offset > 0 && (to_end || u->empty);
	u->wanted = to_end || u->empty ? u->dropped : length;
	u->reader = blob_reader_start(u->call->host, u->call->account, id, offset - u->dropped,
	    to_end ? 0 : u->empty ? 1 : length, &reader_ops, u);
}

/* NULL: it is under way; else what is wrong. */
static const char *
start_range(struct upload *u, const struct json *source)
{
	const struct json *offset = json_member(source, "offset");
	const struct json *length = json_member(source, "length");
	uint64_t from = 0, n = 0;
	struct span text;
	struct blob_id id;

	if (!json_get_string(source, "blobId", &text))
		return "blobId is an id";
	if ((offset != NULL && !jmap_json_uint(offset, &from)) ||
	    (length != NULL && !jmap_json_uint(length, &n)))
		return "offset and length are whole numbers, or null";
	text = jmap_call_resolve(u->call, text);
	if (text.p == NULL || !blob_id_parse(text, &id))
		return "blobId: there is no such blob";
	read_range(u, &id, from, n, length == NULL);
	return NULL;
}

/* ---- the sources ---- */

/* The source's own data into u->bytes; NULL, or what is wrong. */
static const char *
take_data(struct upload *u, const struct json *source)
{
	struct span text;

	if (json_get_string(source, "data:asText", &text)) {
		buf_add_span(&u->bytes, text);
		return NULL;
	}
	if (!json_get_string(source, "data:asBase64", &text))
		return "data:asText and data:asBase64 are strings";
	return base64_decode(text, text.len, &u->bytes) ? NULL :
	    "data:asBase64: this is no base64";
}

static const char *
start_source(struct upload *u, const struct json *source)
{
	bool text = json_member(source, "data:asText") != NULL;
	bool base64 = json_member(source, "data:asBase64") != NULL;
	bool blob = json_member(source, "blobId") != NULL;

	if (!json_is_object(source) || text + base64 + blob != 1)
		return "a source has one of data:asText, data:asBase64 and blobId";
	if (blob)
		return start_range(u, source);
	if (json_member(source, "offset") != NULL || json_member(source, "length") != NULL)
		return "offset and length go with a blobId";
	return take_data(u, source);
}

/* Feeds what a source holds; false: not all of it now. */
static bool
feed_bytes(struct upload *u)
{
	while (u->taken < u->bytes.len) {
		struct span slice = span_sub(buf_span(&u->bytes), u->taken, SLICE);

		if (blob_writer_full(u->writer))
			return false;
		if (!feed(u, slice))
			return false;
		u->taken += slice.len;
	}
	buf_clear(&u->bytes);
	u->taken = 0;
	return true;
}

static const char *
check_object(const struct json *object)
{
	const struct json *data = json_member(object, "data"), *v;
	struct span key;
	void *pos = NULL;

	if (!json_is_array(data) || json_count(data) > JMAP_BLOB_SOURCES_MAX)
		return "data is an array of at most maxDataSources sources";
	while (json_next(object, &pos, &key, &v)) {
		if (span_eq_str(key, "type") ? v != NULL && !json_is_string(v) :
		    !span_eq_str(key, "data"))
			return "an upload has data, and may have a type, which is a string";
	}
	return NULL;
}

/* Goes on with the object at hand until something has to be waited for. */
static void
work(struct upload *u)
{
	const struct json *data = json_member(u->object, "data");
	const char *why;

	for (;;) {
		if (u->bytes.len > 0) {
			if (!feed_bytes(u))
				return;
			u->source++;
		}
		if (u->source == json_count(data)) {
			blob_writer_finish(u->writer);
			return;
		}
		why = start_source(u, json_item(data, u->source));
		if (why != NULL) {
			fail(u, "invalidProperties", "data", why);
			return;
		}
		if (u->reader != NULL)
			return;
		if (u->bytes.len == 0)
			u->source++;		/* an empty one */
	}
}

static void
on_task(void *arg)
{
	struct upload *u = arg;
	const char *why;

	if (u->object != NULL) {
		work(u);
		return;
	}
	if (!json_next(u->create, &u->pos, &u->key, &u->object)) {
		jmap_set_end(u->call, &u->set, SPAN_NONE, SPAN_NONE);
		return;
	}
	why = check_object(u->object);
	if (why != NULL) {
		fail(u, "invalidProperties", "data", why);
		return;
	}
	u->writer = blob_writer_new(u->call->account, 0, &writer_ops, u);
	work(u);
}

void
blob_upload(struct jmap_call *c)
{
	struct upload *u = arena_zalloc(c->arena, sizeof(*u));

	u->call = c;
	c->state = u;
	c->ended = on_ended;
	u->create = jmap_arg_object(c, "create");
	if (u->create == NULL)
		jmap_arg_bad(c, "create", "an object is required");
	jmap_set_begin(&u->set);
	if (!jmap_args_end(c))
		return;
	if (json_members(u->create) > c->host->limits->max_objects_in_set) {
		jmap_call_error(c, "requestTooLarge", "create: more than maxObjectsInSet");
		return;
	}
	u->task = loop_task_new(c->host->loop, on_task, u);
	on_task(u);
}
