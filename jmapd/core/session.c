#include "jmapd/core/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/util/table.h"
#include "jmapd/core/capability.h"

static void
put_limits(struct json_writer *w, const struct jmap_limits *l)
{
	json_begin_object(w);
	json_kv_uint(w, "maxSizeUpload", l->max_size_upload);
	json_kv_uint(w, "maxConcurrentUpload", l->max_concurrent_upload);
	json_kv_uint(w, "maxSizeRequest", l->max_size_request);
	json_kv_uint(w, "maxConcurrentRequests", l->max_concurrent_requests);
	json_kv_uint(w, "maxCallsInRequest", l->max_calls_in_request);
	json_kv_uint(w, "maxObjectsInGet", l->max_objects_in_get);
	json_kv_uint(w, "maxObjectsInSet", l->max_objects_in_set);
	json_key(w, "collationAlgorithms");
	json_begin_array(w);
	for (const char *const *name = jmap_collations; *name != NULL; name++)
		json_str(w, *name);
	json_end_array(w);
	json_end_object(w);
}

static void
put_websocket(struct json_writer *w, const struct jmap_urls *urls)
{
	json_begin_object(w);
	json_kv_string(w, "url", urls->websocket);
	json_kv_bool(w, "supportsPush", true);
	json_end_object(w);
}

static bool
is_there(const struct jmap_host *h, const struct jmap_capability *cap)
{
	return jmap_capability_there(h->methods, cap->name);
}

/* The capabilities as the session, or one account, has them. */
static void
put_capabilities(struct json_writer *w, const struct jmap_host *h, const struct jmap_urls *urls,
    bool of_account)
{
	json_begin_object(w);
	for (const struct jmap_capability *cap = jmap_capability_table; cap->name != NULL; cap++) {
		if (!is_there(h, cap))
			continue;
		json_key(w, cap->name);
		if (!of_account && span_eq_str(span_str(cap->name), JMAP_CORE)) {
			put_limits(w, h->limits);
			continue;
		}
		json_begin_object(w);
		if (of_account && cap->put_account != NULL)
			cap->put_account(w, h);
		json_end_object(w);
	}
	if (!of_account && h->websocket && urls->websocket.len > 0) {
		json_key(w, JMAP_WEBSOCKET);
		put_websocket(w, urls);
	}
	if (!of_account && jmap_host_signs(h)) {
		json_key(w, JMAP_VAPID);
		json_begin_object(w);
		json_kv_str(w, "applicationServerKey", h->push_key);
		json_end_object(w);
	}
	json_end_object(w);
}

static void
put_url(struct json_writer *w, const char *key, struct span base, const char *path)
{
	struct buf url = { 0 };

	buf_add_span(&url, base);
	buf_add_str(&url, path);
	json_kv_string(w, key, buf_span(&url));
	buf_fini(&url);
}

static void
put_account(struct json_writer *w, const struct jmap_host *h, const struct jmap_account *a,
    const struct jmap_urls *urls)
{
	json_key(w, "accounts");
	json_begin_object(w);
	json_key_span(w, a->id);
	json_begin_object(w);
	json_kv_str(w, "name", a->user);
	json_kv_bool(w, "isPersonal", true);
	json_kv_bool(w, "isReadOnly", false);
	json_key(w, "accountCapabilities");
	put_capabilities(w, h, urls, true);
	json_end_object(w);
	json_end_object(w);
	json_key(w, "primaryAccounts");
	json_begin_object(w);
	for (const struct jmap_capability *cap = jmap_capability_table; cap->name != NULL; cap++) {
		if (is_there(h, cap)) {
			json_key(w, cap->name);
			json_string(w, a->id);
		}
	}
	json_end_object(w);
}

void
jmap_session_put(struct buf *out, const struct jmap_host *h, const struct jmap_account *a,
    const struct jmap_urls *urls)
{
	char state[JMAP_SESSION_STATE_MAX];
	struct json_writer w;

	json_writer_init(&w, out);
	json_begin_object(&w);
	json_key(&w, "capabilities");
	put_capabilities(&w, h, urls, false);
	put_account(&w, h, a, urls);
	json_kv_str(&w, "username", a->user);
	put_url(&w, "apiUrl", urls->base, JMAP_PATH_API);
	put_url(&w, "downloadUrl", urls->base,
	    JMAP_PATH_DOWNLOAD "{accountId}/{blobId}/{name}?type={type}");
	put_url(&w, "uploadUrl", urls->base, JMAP_PATH_UPLOAD "{accountId}/");
	put_url(&w, "eventSourceUrl", urls->base,
	    JMAP_PATH_EVENTS "?types={types}&closeafter={closeafter}&ping={ping}");
	json_kv_string(&w, "state", jmap_session_state(state, h, a));
	json_end_object(&w);
}

/* Of what is in the object and may be another one after a reload, an update of the server, or a
 * rename of the account; the same in all workers. */
struct span
jmap_session_state(char out[JMAP_SESSION_STATE_MAX], const struct jmap_host *h,
    const struct jmap_account *a)
{
	static const unsigned char key[16] = "session object";
	uint64_t there = h->websocket, sums[4];
	int n;

	for (const struct jmap_capability *cap = jmap_capability_table; cap->name != NULL; cap++)
		there = there << 1 | is_there(h, cap);
	sums[0] = siphash24(key, h->limits, sizeof(*h->limits));
	sums[1] = siphash24(key, a->user, span_str(a->user).len);
	sums[2] = there;
	sums[3] = jmap_host_signs(h) ? siphash24(key, h->push_key, strlen(h->push_key)) : 0;
	n = snprintf(out, JMAP_SESSION_STATE_MAX, "%016" PRIx64,
	    siphash24(key, sums, sizeof(sums)));
	return span(out, (size_t)n);
}
