/* Result references (RFC 8620 §3.7): the arguments are written anew, with what the references
 * name taken out of the answer's text, and read again.  Earlier answers are never read as a
 * whole, so that what a reference costs does not depend on what is not asked for. */
#include <string.h>

#include "common/json/pointer.h"
#include "common/json/put.h"
#include "common/util/mem.h"
#include "jmapd/core/request_priv.h"

bool
jmap_has_references(const struct json *args)
{
	const struct json *v;
	struct span key;
	void *pos = NULL;

	while (json_next(args, &pos, &key, &v))
		if (key.len > 0 && key.p[0] == '#')
			return true;
	return false;
}

static const struct jmap_response *
find_response(const struct jmap_request *rq, struct span call_id)
{
	for (size_t i = 0; i < rq->response_count; i++)
		if (span_eq(rq->responses[i].call_id, call_id))
			return &rq->responses[i];
	return NULL;
}

/* Appends what the reference names; NULL, or why it cannot be resolved. */
static const char *
resolve_one(struct jmap_request *rq, const struct json *ref, struct buf *out)
{
	const struct jmap_response *r;
	struct span of, name, path;

	if (++rq->references > JMAP_REFERENCES_MAX)
		return "the request has too many references";
	if (!json_get_string(ref, "resultOf", &of) || !json_get_string(ref, "name", &name) ||
	    !json_get_string(ref, "path", &path))
		return "a ResultReference has resultOf, name and path, all of them strings";
	r = find_response(rq, of);
	if (r == NULL)
		return "no earlier call of this request has the id that resultOf names";
	if (!span_eq(r->name, name))
		return span_eq_str(r->name, "error") ? "the call that resultOf names failed" :
		    "the first response to the call that resultOf names has another name";
	if (!json_pointer(span(rq->out.data + r->from, r->to - r->from), path, out))
		return "the path leads to nothing in that response";
	return NULL;
}

static bool
put_member(struct jmap_request *rq, struct json_writer *w, struct span key, const struct json *v,
    const struct json *args)
{
	struct buf value = { 0 };
	const char *why;
	char *name;
	bool twice;

	if (key.len == 0 || key.p[0] != '#') {
		json_key_span(w, key);
		json_put(w, v);
		return true;
	}
	name = mem_strndup(key.p + 1, key.len - 1);
	twice = json_find(args, name, NULL);
	why = twice ? NULL : resolve_one(rq, v, &value);
	if (twice)
		jmap_call_error(&rq->call, "invalidArguments",
		    "%s: given both as it is and as a reference", name);
	else if (why != NULL)
		jmap_call_error(&rq->call, "invalidResultReference", "#%s: %s", name, why);
	else if (rq->host->limits->max_size_request - value.len < w->out->len ||
	    value.len > rq->host->limits->max_size_request)
		jmap_call_error(&rq->call, "requestTooLarge",
		    "#%s: what the reference names is longer than a request may be", name);
	if (rq->open) {
		json_key_span(w, span_str(name));
		json_raw(w, buf_span(&value));
	}
	mem_free(&name);
	buf_fini(&value);
	return rq->open;
}

bool
jmap_resolve(struct jmap_request *rq, const struct json *args, const struct json **resolved)
{
	struct json_writer w;
	struct buf text = { 0 };
	const struct json *v;
	struct span key;
	void *pos = NULL;
	bool ok = true;

	json_writer_init(&w, &text);
	/* As deep as they would stand in a request, so that an answer can hold them. */
	json_begin_array(&w);
	json_begin_object(&w);
	while (ok && json_next(args, &pos, &key, &v))
		ok = put_member(rq, &w, key, v, args);
	if (ok) {
		json_end_object(&w);
		json_end_array(&w);
		ok = json_parse(buf_span(&text), SIZE_MAX, &rq->resolved) == ST_OK;
		if (!ok)
			jmap_call_error(&rq->call, "invalidArguments",
			    "with their references the arguments are nested too deep");
		else
			*resolved = json_item(json_root(rq->resolved), 0);
	}
	buf_fini(&text);
	return ok;
}
