#include "jmapd/push/subscription.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/crypto/encode.h"
#include "common/crypto/webpush.h"
#include "common/mail/object_id.h"
#include "common/util/mem.h"

#define NO_TYPES "-"		/* of a list without any: no type is called so */

const char *const push_properties[PUSH_PROPERTIES] = {
	[PUSH_P_ID] = "id", [PUSH_P_DEVICE] = "deviceClientId", [PUSH_P_CODE] = "verificationCode",
	[PUSH_P_EXPIRES] = "expires", [PUSH_P_TYPES] = "types", [PUSH_P_URL] = "url",
	[PUSH_P_KEYS] = "keys"
};

/* Of what is read at the moment. */
struct reading {
	struct arena		*arena;
	struct store_push	*p;
	struct push_wrong	*wrong;
};

static bool bad(const struct reading *r, enum push_property property, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static bool
bad(const struct reading *r, enum push_property property, const char *fmt, ...)
{
	va_list ap;

	r->wrong->type = "invalidProperties";
	r->wrong->property = push_properties[property];
	va_start(ap, fmt);
	vsnprintf(r->wrong->why, sizeof(r->wrong->why), fmt, ap);
	va_end(ap);
	return false;
}

static bool
read_url(const struct reading *r, const struct json *v)
{
	struct span url;

	if (!json_as_string(v, &url) || !span_has_caseprefix(url, "https://") || url.len < 9)
		return bad(r, PUSH_P_URL, "must be a URL of https");
	if (url.len > STORE_PUSH_URL_MAX)
		return bad(r, PUSH_P_URL, "longer than %u bytes", STORE_PUSH_URL_MAX);
	for (size_t i = 0; i < url.len; i++)
		if ((unsigned char)url.p[i] <= ' ' || (unsigned char)url.p[i] >= 0x7f)
			return bad(r, PUSH_P_URL, "must be printable ASCII without blanks");
	r->p->url = url;
	return true;
}

static bool
read_device(const struct reading *r, const struct json *v)
{
	struct span device;

	if (!json_as_string(v, &device) || device.len == 0 || device.len > STORE_PUSH_DEVICE_MAX)
		return bad(r, PUSH_P_DEVICE, "must be a string of 1 to %u bytes",
		    STORE_PUSH_DEVICE_MAX);
	r->p->device = device;
	return true;
}

/* With or without padding: browsers leave it out, some libraries do not. */
static bool
read_key(const struct reading *r, const struct json *keys, const char *name, size_t len,
    struct span *out)
{
	struct buf b = { 0 };
	struct span text;
	bool ok = json_get_string(keys, name, &text);

	while (ok && text.len > 0 && text.p[text.len - 1] == '=')
		text.len--;
	ok = ok && base64url_decode(text, len, &b) && b.len == len;
	if (ok)
		*out = arena_span(r->arena, buf_span(&b));
	buf_fini(&b);
	return ok || bad(r, PUSH_P_KEYS, "%s must be %zu bytes in base64url", name, len);
}

static bool
read_keys(const struct reading *r, const struct json *v)
{
	if (v == NULL)
		return true;
	if (!json_is_object(v))
		return bad(r, PUSH_P_KEYS, "must be an object with p256dh and auth");
	if (!read_key(r, v, "p256dh", WEBPUSH_POINT_LEN, &r->p->p256dh) ||
	    !read_key(r, v, "auth", WEBPUSH_AUTH_LEN, &r->p->auth))
		return false;
	return webpush_point_valid(r->p->p256dh) ||
	    bad(r, PUSH_P_KEYS, "p256dh is no point of the curve P-256");
}

static bool
read_expires(const struct reading *r, const struct json *v)
{
	struct span text;
	int64_t ms;

	r->p->expires_s = 0;
	if (v == NULL)
		return true;
	if (!json_as_string(v, &text) || !jmap_date_parse(text, &ms))
		return bad(r, PUSH_P_EXPIRES, "must be a UTCDate");
	r->p->expires_s = ms > 1000 ? ms / 1000 : 1;
	return true;
}

static bool
type_good(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!ascii_isalnum(s.p[i]))
			return false;
	return s.len > 0 && s.len <= 64;
}

static bool
read_types(const struct reading *r, const struct json *v)
{
	struct buf b = { 0 };
	struct span name;
	bool ok = v == NULL || json_is_array(v);

	for (size_t i = 0; ok && i < json_count(v); i++) {
		ok = json_as_string(json_item(v, i), &name) && type_good(name) &&
		    b.len + name.len < STORE_PUSH_TYPES_MAX;
		if (ok && i > 0)
			buf_add_c(&b, ' ');
		if (ok)
			buf_add_span(&b, name);
	}
	if (ok && v != NULL && b.len == 0)
		buf_add_str(&b, NO_TYPES);
	r->p->types = arena_span(r->arena, buf_span(&b));
	buf_fini(&b);
	return ok || bad(r, PUSH_P_TYPES, "must be null or names of types, %u bytes at most",
	    STORE_PUSH_TYPES_MAX);
}

static enum push_property
property_of(struct span name)
{
	unsigned i = 0;

	while (i < PUSH_PROPERTIES && !span_eq_str(name, push_properties[i]))
		i++;
	return (enum push_property)i;
}

static bool
unknown(struct push_wrong *wrong, const char *type, struct span name)
{
	wrong->type = type;
	wrong->property = NULL;
	snprintf(wrong->why, sizeof(wrong->why), "there is no property \"%.*s\"",
	    (int)(name.len < 60 ? name.len : 60), name.p);
	return false;
}

static bool
read_one(const struct reading *r, enum push_property property, const struct json *v)
{
	switch (property) {
	case PUSH_P_DEVICE: return read_device(r, v);
	case PUSH_P_URL: return read_url(r, v);
	case PUSH_P_KEYS: return read_keys(r, v);
	case PUSH_P_EXPIRES: return read_expires(r, v);
	case PUSH_P_TYPES: return read_types(r, v);
	case PUSH_P_CODE:
		return v == NULL || bad(r, PUSH_P_CODE, "comes by push, and is told in an update");
	default:
		return bad(r, property, "is set by the server");
	}
}

bool
push_read_create(const struct json *object, struct arena *arena, struct store_push *p,
    struct push_wrong *wrong)
{
	const struct reading r = { arena, p, wrong };
	const struct json *v;
	struct span name;
	void *pos = NULL;

	*p = (struct store_push){ 0 };
	while (json_next(object, &pos, &name, &v)) {
		enum push_property property = property_of(name);

		if (property == PUSH_PROPERTIES)
			return unknown(wrong, "invalidProperties", name);
		if (!read_one(&r, property, v))
			return false;
	}
	if (p->device.len == 0)
		return bad(&r, PUSH_P_DEVICE, "is required");
	if (p->url.len == 0)
		return bad(&r, PUSH_P_URL, "is required");
	return true;
}

static bool
read_code(const struct reading *r, const struct json *v)
{
	if (json_as_string(v, &r->p->code) && r->p->code.len <= STORE_PUSH_CODE)
		return true;
	return bad(r, PUSH_P_CODE, "is not the one that was pushed");
}

bool
push_read_update(const struct json *patch, struct arena *arena, struct store_push *p,
    uint8_t *what, struct push_wrong *wrong)
{
	const struct reading r = { arena, p, wrong };
	const struct json *v;
	struct span name;
	void *pos = NULL;
	bool ok = true;

	*p = (struct store_push){ 0 };
	*what = 0;
	while (ok && json_next(patch, &pos, &name, &v)) {
		switch (property_of(name)) {
		case PUSH_P_CODE:
			*what |= PUSH_CODE;
			ok = read_code(&r, v);
			break;
		case PUSH_P_EXPIRES:
			*what |= PUSH_EXPIRES;
			ok = read_expires(&r, v);
			break;
		case PUSH_P_TYPES:
			*what |= PUSH_TYPES;
			ok = read_types(&r, v);
			break;
		case PUSH_PROPERTIES:
			return unknown(wrong, "invalidPatch", name);
		default:
			return bad(&r, property_of(name), "cannot be changed");
		}
	}
	return ok;
}

static void
put_types(struct json_writer *w, struct span types)
{
	json_key(w, push_properties[PUSH_P_TYPES]);
	if (types.len == 0) {
		json_null(w);
		return;
	}
	json_begin_array(w);
	while (types.len > 0 && !span_eq_str(types, NO_TYPES))
		json_string(w, span_cut(&types, ' '));
	json_end_array(w);
}

void
push_put(struct json_writer *w, const struct store_push *p, uint64_t mask)
{
	struct buf id = { 0 };

	json_begin_object(w);
	object_id_put(&id, OBJECT_PUSH, p->id);
	json_kv_string(w, push_properties[PUSH_P_ID], buf_span(&id));
	buf_fini(&id);
	if (mask & 1u << PUSH_P_DEVICE)
		json_kv_string(w, push_properties[PUSH_P_DEVICE], p->device);
	if (mask & 1u << PUSH_P_CODE) {
		json_key(w, push_properties[PUSH_P_CODE]);
		if (p->code.len > 0)
			json_string(w, p->code);
		else
			json_null(w);
	}
	if (mask & 1u << PUSH_P_EXPIRES) {
		json_key(w, push_properties[PUSH_P_EXPIRES]);
		jmap_date_put(w, p->expires_s * 1000);
	}
	if (mask & 1u << PUSH_P_TYPES)
		put_types(w, p->types);
	json_end_object(w);
}
