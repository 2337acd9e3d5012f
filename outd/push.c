#include "outd/push.h"

#include <string.h>

#include "common/crypto/encode.h"
#include "common/json/writer.h"
#include "common/util/clock.h"
#include "common/util/mem.h"

static const char *const schemes[] = { "https://", "http://" };
static const char *const ports[] = { ":443", ":80" };

bool
push_origin(struct span url, struct buf *out)
{
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		size_t from = strlen(schemes[i]), end = from, port = strlen(ports[i]);

		if (!span_has_caseprefix(url, schemes[i]))
			continue;
		while (end < url.len && strchr("/?#", url.p[end]) == NULL && url.p[end] != '\0')
			end++;
		if (end == from || memchr(url.p + from, '@', end - from) != NULL)
			return false;
		if (end - from > port && span_eq_str(span_sub(url, end - port, port), ports[i]))
			end -= port;
		for (size_t k = 0; k < end; k++)
			buf_add_c(out, ascii_lower(url.p[k]));
		return true;
	}
	return false;
}

static void
put_claims(struct buf *origin, const char *contact, int64_t now_s, struct buf *out)
{
	struct buf text = { 0 };
	struct json_writer w;

	json_writer_init(&w, &text);
	json_begin_object(&w);
	json_kv_string(&w, "aud", buf_span(origin));
	json_kv_int(&w, "exp", now_s + PUSH_TOKEN_S);
	if (contact[0] != '\0')
		json_kv_str(&w, "sub", contact);
	json_end_object(&w);
	base64url_encode(buf_span(&text), out);
	buf_fini(&text);
}

bool
push_authorization(const struct vapid *v, struct span url, const char *contact, int64_t now_s,
    struct buf *out)
{
	unsigned char signature[VAPID_SIGNATURE_LEN];
	struct buf origin = { 0 };
	size_t from;
	bool ok = push_origin(url, &origin);

	if (ok) {
		buf_add_str(out, "vapid t=");
		from = out->len;
		base64url_encode(span_str("{\"typ\":\"JWT\",\"alg\":\"ES256\"}"), out);
		buf_add_c(out, '.');
		put_claims(&origin, contact, now_s, out);
		vapid_sign(v, span_sub(buf_span(out), from, out->len - from), signature);
		buf_add_c(out, '.');
		base64url_encode(span(signature, sizeof(signature)), out);
		buf_add_str(out, ", k=");
		base64url_encode(vapid_public(v), out);
	}
	buf_fini(&origin);
	return ok;
}

/* What curl is given has no NUL, no control character and no blank. */
static bool
url_good(struct span url, bool cleartext)
{
	for (size_t i = 0; i < url.len; i++)
		if ((unsigned char)url.p[i] <= ' ' || (unsigned char)url.p[i] == 0x7f)
			return false;
	return span_has_caseprefix(url, schemes[0]) ||
	    (cleartext && span_has_caseprefix(url, schemes[1]));
}

static bool
put_body(const struct out_push *m, struct push_rq *rq)
{
	if (m->p256dh.len > 0 || m->auth.len > 0) {
		rq->fields[rq->fetch.n_fields++] = "Content-Encoding: aes128gcm";
		return webpush_encrypt(m->p256dh, m->auth, m->text, &rq->body);
	}
	buf_add_span(&rq->body, m->text);
	return true;
}

bool
push_request(const struct out_push *m, const struct vapid *vapid, const struct mansio_conf *conf,
    struct push_rq *rq)
{
	if (!url_good(m->url, conf->outd.cleartext) || !put_body(m, rq))
		return false;
	if (vapid != NULL && !push_authorization(vapid, m->url, conf->push.contact,
	    clock_wall_ms() / 1000, &rq->authorization))
		return false;
	buf_add_span(&rq->url, m->url);
	buf_addf(&rq->ttl, "TTL: %u", (unsigned)m->ttl_s);
	rq->fields[rq->fetch.n_fields++] = buf_cstr(&rq->ttl);
	rq->fields[rq->fetch.n_fields++] = "Content-Type: application/json";
	rq->fetch.url = buf_cstr(&rq->url);
	rq->fetch.body = buf_span(&rq->body);
	rq->fetch.authorization = buf_span(&rq->authorization);
	rq->fetch.fields = rq->fields;
	return true;
}

void
push_request_fini(struct push_rq *rq)
{
	buf_fini_secret(&rq->url);
	buf_fini_secret(&rq->body);
	buf_fini_secret(&rq->authorization);
	buf_fini(&rq->ttl);
}
