/* Blob/get (RFC 9404 §4.2).  One blob after the other is read, piece by piece; what is kept of it is
 * what the answer will hold. */
#include <string.h>

#include "common/crypto/digest.h"
#include "common/crypto/encode.h"
#include "common/mail/unicode.h"
#include "common/util/mem.h"
#include "jmapd/blob/blob.h"
#include "jmapd/blob/blob_reader.h"
#include "jmapd/core/args.h"
#include "jmapd/core/get.h"

enum { WANT_DATA = 1, WANT_TEXT = 2, WANT_BASE64 = 4, WANT_SIZE = 8, DIGESTS = 3 };

static const struct {
	const char	*name;
	enum digest_alg	alg;
} digests[DIGESTS] = {
	{ "digest:sha", DIGEST_SHA1 }, { "digest:sha-256", DIGEST_SHA256 },
	{ "digest:sha-512", DIGEST_SHA512 }
};

struct get {
	struct jmap_call	*call;
	struct jmap_get		get;
	struct blobs_known	known;
	unsigned		want, want_digests;
	uint64_t		offset, length;		/* length UINT64_MAX: to the end */

	size_t			at;			/* the blob that is read */
	struct blob_reader	*reader;
	struct loop_task	*task;			/* starts the next one */
	bool			whole;			/* it is read from its start */
	uint64_t		size, place;		/* of it; where the reader is */
	struct buf		data;
	struct digest		*sums[DIGESTS];
};

static void
on_ended(struct jmap_call *c)
{
	struct get *g = c->state;

	blob_reader_free(&g->reader);
	blobs_known_fini(&g->known);
	loop_task_free(&g->task);
	buf_fini(&g->data);
	for (int i = 0; i < DIGESTS; i++)
		digest_free(&g->sums[i]);
}

/* ---- an object of the answer ---- */

static void
put_base64(struct get *g)
{
	struct buf text = { 0 };

	base64_encode(buf_span(&g->data), &text);
	json_key(g->call->out, "data:asBase64");
	json_string(g->call->out, buf_span(&text));
	buf_fini(&text);
}

static void
put_data(struct get *g)
{
	struct json_writer *w = g->call->out;
	bool utf8 = unicode_is_utf8(buf_span(&g->data));

	if ((g->want & WANT_TEXT) || ((g->want & WANT_DATA) && utf8)) {
		json_key(w, "data:asText");
		if (utf8)
			json_string(w, buf_span(&g->data));
		else
			json_null(w);
	}
	if ((g->want & WANT_BASE64) || ((g->want & WANT_DATA) && !utf8))
		put_base64(g);
	if (!utf8 && (g->want & (WANT_DATA | WANT_TEXT)))
		json_kv_bool(w, "isEncodingProblem", true);
}

static void
put_digests(struct get *g)
{
	unsigned char sum[DIGEST_MAX];
	struct buf text = { 0 };

	for (int i = 0; i < DIGESTS; i++) {
		if (!(g->want_digests >> i & 1))
			continue;
		digest_done(g->sums[i], sum);
		buf_clear(&text);
		base64_encode(span(sum, digest_len(digests[i].alg)), &text);
		json_kv_string(g->call->out, digests[i].name, buf_span(&text));
	}
	buf_fini(&text);
}

static bool
is_truncated(const struct get *g)
{
	if (g->length == UINT64_MAX)
		return g->offset > g->size;
	return g->offset > g->size || g->length > g->size - g->offset;
}

static void
put_blob(struct get *g)
{
	struct json_writer *w = g->call->out;

	json_begin_object(w);
	json_kv_string(w, "id", g->get.ids[g->at]);
	if (g->want & (WANT_DATA | WANT_TEXT | WANT_BASE64))
		put_data(g);
	put_digests(g);
	if (is_truncated(g) && ((g->want & ~WANT_SIZE) || g->want_digests))
		json_kv_bool(w, "isTruncated", true);
	if (g->want & WANT_SIZE)
		json_kv_uint(w, "size", g->size);
	json_end_object(w);
}

/* ---- reading ---- */

static void next(void *arg);

static void
on_begin(void *arg, uint64_t size)
{
	struct get *g = arg;

	if (size != BLOB_SIZE_UNKNOWN)
		g->size = size;
}

static bool
wants_octets(const struct get *g)
{
	return (g->want & ~WANT_SIZE) || g->want_digests;
}

/* The part of a piece that lies in the range. */
static void
on_data(void *arg, struct span piece)
{
	struct get *g = arg;
	uint64_t from = g->place, end = g->length > UINT64_MAX - g->offset ? UINT64_MAX :
	    g->offset + g->length;

	g->place += piece.len;
	if (!wants_octets(g) || end <= from || g->place <= g->offset)
		return;
	if (from < g->offset)
		piece = span_sub(piece, (size_t)(g->offset - from), piece.len);
	if (g->place > end)
		piece.len -= (size_t)(g->place - end);
	for (int i = 0; i < DIGESTS; i++)
		if (g->want_digests >> i & 1)
			digest_add(g->sums[i], piece.p, piece.len);
	if (!(g->want & (WANT_DATA | WANT_TEXT | WANT_BASE64)))
		return;
	buf_add_span(&g->data, piece);
	if (g->data.len > g->call->host->limits->max_size_answer)
		jmap_call_too_large(g->call);
}

static void
on_done(void *arg, enum status st)
{
	struct get *g = arg;

	blob_reader_free(&g->reader);
	if (st == ST_NOT_FOUND) {
		jmap_get_missing(&g->get, g->get.ids[g->at]);
	} else if (st != ST_OK) {
		jmap_call_status(g->call, st, "reading a blob");
		return;
	} else {
		if (g->whole)
			g->size = g->place;
		put_blob(g);
	}
	g->at++;
	if (jmap_call_full(g->call))
		jmap_call_too_large(g->call);
	else
		loop_task_post(g->task);
}

static const struct blob_reader_ops reader_ops = { on_begin, on_data, on_done };

/* Where an encoding is undone only reading tells how long it is. */
static bool
size_is_unknown(const struct blob_id *id)
{
	return id->n_places > 1 ||
	    (id->n_places == 1 && id->place[0].coding != MIME_CODING_7BIT);
}

static void
start(struct get *g, const struct blob_id *id)
{
	uint64_t from = g->offset, length = g->length;

	g->whole = size_is_unknown(id);
	buf_clear(&g->data);
	for (int i = 0; i < DIGESTS; i++)
		if (g->want_digests >> i & 1) {
			digest_free(&g->sums[i]);
			g->sums[i] = digest_new(digests[i].alg);
		}
	if (g->whole)
		from = length = 0;
	else if (!wants_octets(g) || length == 0)
		from = 0, length = 1;		/* for its size alone */
	else if (length == UINT64_MAX)
		length = 0;
	g->size = 0;
	g->place = from;
	g->reader = blob_reader_start(g->call->host, g->call->account, id, from, length, &reader_ops, g);
}

static void
next(void *arg)
{
	struct get *g = arg;
	struct blob_id id;

	for (; g->at < g->get.count; g->at++) {
		if (blobs_known_has(&g->known, g->get.ids[g->at], &id)) {
			start(g, &id);
			return;
		}
		jmap_get_missing(&g->get, g->get.ids[g->at]);
	}
	jmap_get_end(g->call, &g->get);
}

static void
on_ready(struct jmap_call *c)
{
	struct get *g = c->state;

	json_begin_object(c->out);
	json_kv_string(c->out, "accountId", c->account->id);
	json_key(c->out, "list");
	json_begin_array(c->out);
	next(g);
}

/* ---- arguments ---- */

static bool
read_property(struct get *g, struct span name)
{
	static const struct {
		const char	*name;
		unsigned	want;
	} names[] = {
		{ "id", 0 }, { "data", WANT_DATA }, { "data:asText", WANT_TEXT },
		{ "data:asBase64", WANT_BASE64 }, { "size", WANT_SIZE },
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (span_eq_str(name, names[i].name)) {
			g->want |= names[i].want;
			return true;
		}
	}
	for (int i = 0; i < DIGESTS; i++) {
		if (span_eq_str(name, digests[i].name)) {
			g->want_digests |= 1u << i;
			return true;
		}
	}
	return false;
}

static void
read_properties(struct jmap_call *c, struct get *g)
{
	const struct json *list = jmap_arg_array(c, "properties");
	struct span name = SPAN_NONE;

	if (list == NULL)
		g->want = WANT_DATA | WANT_SIZE;
	for (size_t i = 0; i < json_count(list); i++) {
		if (!json_as_string(json_item(list, i), &name))
			jmap_arg_bad(c, "properties", "must be an array of strings");
		else if (!read_property(g, name))
			jmap_arg_bad(c, "properties", "there is no property \"%.*s\"",
			    (int)(name.len < 100 ? name.len : 100), name.p);
	}
}

void
blob_get(struct jmap_call *c)
{
	struct get *g = arena_zalloc(c->arena, sizeof(*g));

	g->call = c;
	if (!jmap_get_ids(c, &g->get, false))
		return;
	read_properties(c, g);
	g->offset = jmap_arg_uint(c, "offset", 0);
	g->length = jmap_arg_uint(c, "length", UINT64_MAX);
	if (!jmap_args_end(c))
		return;
	c->state = g;
	c->ended = on_ended;
	g->task = loop_task_new(c->host->loop, next, g);
	blobs_known_load(&g->known, c, g->get.ids, g->get.count, on_ready);
}
