#include "authd/jwt.h"

#include "common/crypto/encode.h"
#include "common/crypto/jwk.h"
#include "common/json/json.h"
#include "common/util/mem.h"

struct set_key {
	struct jwk	*key;
	struct buf	kid;		/* empty: none */
	int		alg;		/* the only one it is for; -1: any of its kind */
};

struct jwk_set {
	struct set_key	keys[JWKS_KEYS_MAX];
	size_t		n;
};

/* ---- keys ---- */

/* A member in base64url; false: not there, or not so. */
static bool
bytes(const struct json *v, const char *name, struct buf *out)
{
	struct span text;

	return json_get_string(v, name, &text) && base64url_decode(text, 2048, out) && out->len > 0;
}

static struct jwk *
read_key(const struct json *v)
{
	struct buf a = { 0 }, b = { 0 };
	struct span kty, crv = SPAN_NONE;
	struct jwk *k = NULL;

	if (!json_get_string(v, "kty", &kty))
		return NULL;
	(void)json_get_string(v, "crv", &crv);
	if (span_eq_str(kty, "RSA") && bytes(v, "n", &a) && bytes(v, "e", &b))
		k = jwk_rsa(buf_span(&a), buf_span(&b));
	else if (span_eq_str(kty, "EC") && bytes(v, "x", &a) && bytes(v, "y", &b))
		k = jwk_ec(crv, buf_span(&a), buf_span(&b));
	else if (span_eq_str(kty, "OKP") && bytes(v, "x", &a))
		k = jwk_okp(crv, buf_span(&a));
	buf_fini(&a);
	buf_fini(&b);
	return k;
}

static void
add_key(struct jwk_set *set, const struct json *v)
{
	struct span use, alg, kid = SPAN_NONE;
	struct set_key *k = &set->keys[set->n];
	enum jws_alg a = JWS_ALGS;

	if (set->n == JWKS_KEYS_MAX || !json_is_object(v))
		return;
	if (json_get_string(v, "use", &use) && !span_eq_str(use, "sig"))
		return;
	if (json_get_string(v, "alg", &alg) && !jws_alg_parse(alg, &a))
		return;
	k->key = read_key(v);
	if (k->key == NULL)
		return;
	k->alg = a < JWS_ALGS ? (int)a : -1;
	if (json_get_string(v, "kid", &kid))
		buf_add_span(&k->kid, kid);
	set->n++;
}

enum status
jwk_set_parse(struct span text, struct jwk_set **out)
{
	struct json_doc *doc = NULL;
	const struct json *keys;
	struct jwk_set *set;

	*out = NULL;
	if (json_parse(text, JWKS_MAX, &doc) != ST_OK)
		return ST_SYNTAX;
	keys = json_member(json_root(doc), "keys");
	if (!json_is_array(keys)) {
		json_free(&doc);
		return ST_SYNTAX;
	}
	set = mem_zalloc(sizeof(*set));
	for (size_t i = 0; i < json_count(keys); i++)
		add_key(set, json_item(keys, i));
	json_free(&doc);
	if (set->n == 0) {
		jwk_set_free(&set);
		return ST_NOT_FOUND;
	}
	*out = set;
	return ST_OK;
}

void
jwk_set_free(struct jwk_set **set)
{
	for (size_t i = 0; *set != NULL && i < (*set)->n; i++) {
		jwk_free(&(*set)->keys[i].key);
		buf_fini(&(*set)->keys[i].kid);
	}
	mem_free(set);
}

size_t
jwk_set_count(const struct jwk_set *set)
{
	return set->n;
}

/* ---- tokens ---- */

/* What the header says decides which key is tried, never how far it is trusted: a key serves
 * algorithms of its own kind alone, and there is none for "none". */
static enum jwt_verdict
prove(const struct jwk_set *set, const struct json *header, struct span data,
    struct span signature)
{
	struct span name, kid = SPAN_NONE;
	enum jws_alg alg;
	bool named = json_get_string(header, "kid", &kid), known = false;

	/* RFC 7515 §4.1.11: what must be understood and is not. */
	if (json_member(header, "crit") != NULL || !json_get_string(header, "alg", &name) ||
	    !jws_alg_parse(name, &alg))
		return JWT_UNSIGNED;
	for (size_t i = 0; i < set->n; i++) {
		const struct set_key *k = &set->keys[i];

		if (named && k->kid.len > 0 && !span_eq(buf_span(&k->kid), kid))
			continue;
		known = known || (named && k->kid.len > 0);
		if (k->alg >= 0 && k->alg != (int)alg)
			continue;
		if (jwk_verify(k->key, alg, data, signature))
			return JWT_GOOD;
	}
	return known ? JWT_UNSIGNED : JWT_UNKNOWN_KEY;
}

static bool
has_string(const struct conf_strings *list, struct span s)
{
	for (size_t i = 0; i < list->n; i++) {
		if (span_eq_str(s, list->v[i]))
			return true;
	}
	return false;
}

/* "aud" is a string or an array of them (RFC 7519 §4.1.3). */
static bool
audience_fits(const struct json *claims, const struct conf_strings *wanted)
{
	const struct json *aud = json_member(claims, "aud");
	struct span s;

	if (wanted->n == 0)
		return true;
	if (json_as_string(aud, &s))
		return has_string(wanted, s);
	for (size_t i = 0; i < json_count(aud); i++) {
		if (json_as_string(json_item(aud, i), &s) && has_string(wanted, s))
			return true;
	}
	return false;
}

/* "scope" is a list with blanks (RFC 8693 §4.2). */
static bool
scopes_fit(const struct json *claims, const struct conf_strings *wanted)
{
	for (size_t i = 0; i < wanted->n; i++) {
		struct span rest;
		bool has = false;

		if (!json_get_string(claims, "scope", &rest))
			return false;
		while (rest.p != NULL && !has)
			has = span_eq_str(span_cut(&rest, ' '), wanted->v[i]);
		if (!has)
			return false;
	}
	return true;
}

enum jwt_verdict
jwt_judge(const struct json *claims, const struct jwt_rules *r, bool told, struct buf *user)
{
	struct span s;
	int64_t t;

	if (json_member(claims, "exp") == NULL && told)
		t = r->now_s;
	else if (!json_get_int(claims, "exp", &t))
		return JWT_MALFORMED;
	if (t < r->now_s - r->leeway_s)
		return JWT_EXPIRED;
	if (json_get_int(claims, "nbf", &t) && t > r->now_s + r->leeway_s)
		return JWT_NOT_YET;
	if (r->issuer[0] != '\0' && !(told && json_member(claims, "iss") == NULL) &&
	    (!json_get_string(claims, "iss", &s) || !span_eq_str(s, r->issuer)))
		return JWT_OTHERS;
	if (!audience_fits(claims, r->audience))
		return JWT_OTHERS;
	if (!scopes_fit(claims, r->scopes))
		return JWT_SCOPE;
	if (!json_get_string(claims, r->claim, &s) || s.len == 0)
		return JWT_NO_USER;
	buf_add_span(user, s);
	return JWT_GOOD;
}

bool
jwt_is_one(struct span token)
{
	struct span rest = token;

	(void)span_cut(&rest, '.');
	if (rest.p != NULL)
		(void)span_cut(&rest, '.');
	return rest.p != NULL && span_find(rest, '.') == rest.len;
}

enum jwt_verdict
jwt_check(const struct jwk_set *set, struct span token, const struct jwt_rules *rules,
    struct buf *user)
{
	struct json_doc *header = NULL, *claims = NULL;
	struct buf head = { 0 }, body = { 0 }, signature = { 0 };
	struct span rest = token, one, two;
	enum jwt_verdict v = JWT_MALFORMED;

	one = span_cut(&rest, '.');
	two = rest.p != NULL ? span_cut(&rest, '.') : SPAN_NONE;
	if (token.len <= JWT_MAX && rest.p != NULL && span_find(rest, '.') == rest.len &&
	    base64url_decode(one, JWT_MAX, &head) && base64url_decode(two, JWT_MAX, &body) &&
	    base64url_decode(rest, JWT_MAX, &signature) &&
	    json_parse(buf_span(&head), JWT_MAX, &header) == ST_OK &&
	    json_parse(buf_span(&body), JWT_MAX, &claims) == ST_OK) {
		v = prove(set, json_root(header), span(token.p, one.len + 1 + two.len),
		    buf_span(&signature));
		if (v == JWT_GOOD)
			v = jwt_judge(json_root(claims), rules, false, user);
	}
	json_free(&header);
	json_free(&claims);
	buf_fini(&head);
	buf_fini_secret(&body);
	buf_fini_secret(&signature);
	return v;
}

const char *
jwt_verdict_name(enum jwt_verdict v)
{
	static const char *const names[] = {
		[JWT_GOOD] = "good", [JWT_MALFORMED] = "malformed", [JWT_UNSIGNED] = "signature",
		[JWT_EXPIRED] = "expired", [JWT_NOT_YET] = "not-yet", [JWT_OTHERS] = "audience",
		[JWT_SCOPE] = "scope", [JWT_NO_USER] = "no-user",
		[JWT_UNKNOWN_KEY] = "unknown-key", [JWT_INACTIVE] = "inactive"
	};

	return names[v];
}
