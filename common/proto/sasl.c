#include "common/proto/sasl.h"

#include <string.h>

#include "common/mail/unicode.h"

static bool
is_name(struct span s)
{
	return unicode_is_clean(s, true);
}

bool
sasl_plain_parse(struct span in, struct sasl_plain *out)
{
	size_t a = span_find(in, '\0'), b;
	struct span rest;

	if (a == in.len)
		return false;
	rest = span_sub(in, a + 1, in.len);
	b = span_find(rest, '\0');
	if (b == rest.len)
		return false;
	out->authzid = span_sub(in, 0, a);
	out->authcid = span_sub(rest, 0, b);
	out->password = span_sub(rest, b + 1, rest.len);
	return out->authcid.len > 0 && out->password.len > 0 &&
	    span_find(out->password, '\0') == out->password.len && is_name(out->authzid) &&
	    is_name(out->authcid);
}

void
sasl_plain_put(struct buf *out, const struct sasl_plain *p)
{
	buf_add_span(out, p->authzid);
	buf_add_c(out, '\0');
	buf_add_span(out, p->authcid);
	buf_add_c(out, '\0');
	buf_add_span(out, p->password);
}

/* The next attribute "X=value" up to a comma or the end; false: it is another one. */
static bool
take(struct span *in, char name, struct span *value)
{
	struct span s = *in;
	size_t n;

	if (s.len < 2 || s.p[0] != name || s.p[1] != '=')
		return false;
	n = span_find(s, ',');
	*value = span_sub(s, 2, n - 2);
	*in = n < s.len ? span_sub(s, n + 1, s.len) : span(s.p + s.len, 0);
	/* a comma promises more */
	return n == s.len || in->len > 0;
}

/* printable = %x21-2B / %x2D-7E */
static bool
is_nonce(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < 0x21 || s.p[i] > 0x7e || s.p[i] == ',')
			return false;
	return s.len > 0;
}

/* Extensions: attr-val = ALPHA "=" value; they are read over. */
static bool
is_extensions(struct span s)
{
	while (s.len > 0) {
		size_t n = span_find(s, ',');

		if (n < 3 || !ascii_isalpha((unsigned char)s.p[0]) || s.p[1] != '=' ||
		    n + 1 == s.len)
			return false;
		s = n < s.len ? span_sub(s, n + 1, s.len) : SPAN_NONE;
	}
	return true;
}

/* cb-name = 1*(ALPHA / DIGIT / "." / "-") */
static bool
is_binding_name(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!ascii_isalpha((unsigned char)s.p[i]) && !ascii_isdigit((unsigned char)s.p[i]) &&
		    s.p[i] != '.' && s.p[i] != '-')
			return false;
	return s.len > 0;
}

/* gs2-header = gs2-cbind-flag "," [ "a=" saslname ] "," */
static bool
take_gs2(struct span *in, struct scram_first *out)
{
	struct span s = *in;
	size_t n = span_find(s, ',');
	struct span flag = span_sub(s, 0, n);

	if (n == s.len || flag.len == 0)
		return false;
	out->binding = flag.p[0];
	if (flag.p[0] == 'p') {
		if (flag.len < 3 || flag.p[1] != '=')
			return false;
		out->binding_name = span_sub(flag, 2, flag.len);
		if (!is_binding_name(out->binding_name))
			return false;
	} else if (flag.len != 1 || (flag.p[0] != 'n' && flag.p[0] != 'y')) {
		return false;
	}
	s = span_sub(s, n + 1, s.len);
	n = span_find(s, ',');
	if (n == s.len)
		return false;
	if (n > 0) {
		if (n < 3 || s.p[0] != 'a' || s.p[1] != '=')
			return false;
		out->authzid = span_sub(s, 2, n - 2);
		if (!is_name(out->authzid))
			return false;
	}
	*in = span_sub(s, n + 1, s.len);
	out->gs2 = span(out->gs2.p, (size_t)(in->p - out->gs2.p));
	return true;
}

bool
scram_first_parse(struct span in, struct scram_first *out)
{
	*out = (struct scram_first){ .gs2 = span(in.p, 0) };
	if (!take_gs2(&in, out))
		return false;
	out->bare = in;
	return take(&in, 'n', &out->user) && out->user.len > 0 && is_name(out->user) &&
	    take(&in, 'r', &out->nonce) && is_nonce(out->nonce) && is_extensions(in);
}

bool
scram_name_decode(struct span in, struct buf *out)
{
	for (size_t i = 0; i < in.len; i++) {
		struct span esc = span_sub(in, i, 3);

		if (in.p[i] != '=') {
			buf_add_c(out, in.p[i]);
			continue;
		}
		if (span_eq_str(esc, "=2C"))
			buf_add_c(out, ',');
		else if (span_eq_str(esc, "=3D"))
			buf_add_c(out, '=');
		else
			return false;
		i += 2;
	}
	return true;
}

bool
scram_final_parse(struct span in, struct scram_final *out)
{
	struct span whole = in, ext;
	size_t p;

	*out = (struct scram_final){ 0 };
	if (!take(&in, 'c', &out->binding) || !take(&in, 'r', &out->nonce) || !is_nonce(out->nonce))
		return false;
	/* the proof is the last attribute */
	for (p = in.len; p > 0 && in.p[p - 1] != ','; p--)
		;
	ext = span_sub(in, 0, p > 0 ? p - 1 : 0);
	in = span_sub(in, p, in.len);
	if (!is_extensions(ext) || !take(&in, 'p', &out->proof) || in.len > 0)
		return false;
	out->without_proof = span(whole.p, (size_t)(out->proof.p - 3 - whole.p));
	return out->binding.len > 0 && out->proof.len > 0;
}

/* ---- bearer tokens ---- */

#define KV_SEP '\x01'

static bool
is_token(struct span s)
{
	size_t i = 0;

	while (i < s.len && (ascii_isalnum(s.p[i]) || (s.p[i] != '\0' &&
	    strchr("-._~+/", s.p[i]) != NULL)))
		i++;
	if (i == 0)
		return false;
	while (i < s.len && s.p[i] == '=')
		i++;
	return i == s.len;
}

static bool
no_controls(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	}
	return true;
}

/* *(key "=" value ^A) ^A, "user" is the name in XOAUTH2. */
static bool
read_pairs(struct span rest, const char *user, struct sasl_bearer *out)
{
	bool auth = false;

	while (rest.len > 0 && rest.p[0] != KV_SEP) {
		size_t n = span_find(rest, KV_SEP), eq;
		struct span pair = span_sub(rest, 0, n), key, value;

		if (n == rest.len)
			return false;
		rest = span_sub(rest, n + 1, rest.len);
		eq = span_find(pair, '=');
		if (eq == 0 || eq == pair.len)
			return false;
		key = span_sub(pair, 0, eq);
		value = span_sub(pair, eq + 1, pair.len);
		if (user != NULL && span_eq_str(key, user)) {
			out->authzid = value;
		} else if (span_eq_str(key, "auth")) {
			if (auth)
				return false;
			auth = true;
			/* Without a token the client asks what is needed (RFC 7628 §4.3). */
			if (value.len == 0)
				continue;
			if (!span_has_caseprefix(value, "Bearer "))
				return false;
			out->token = span_trim(span_sub(value, 7, value.len));
			if (!is_token(out->token))
				return false;
		}
	}
	return auth && rest.len == 1 && no_controls(out->authzid);
}

bool
sasl_oauthbearer_parse(struct span in, struct sasl_bearer *out)
{
	size_t end = span_find(in, KV_SEP);
	struct span header = span_sub(in, 0, end);

	*out = (struct sasl_bearer){ 0 };
	/* No channel binding goes with it: "p" is not understood. */
	if (end == in.len || header.len < 3 || (header.p[0] != 'n' && header.p[0] != 'y') ||
	    header.p[1] != ',' || header.p[header.len - 1] != ',')
		return false;
	header = span_sub(header, 2, header.len - 3);
	if (header.len > 0) {
		if (!span_has_prefix(header, "a=") || span_find(header, ',') < header.len)
			return false;
		out->authzid = span_sub(header, 2, header.len);
	}
	return read_pairs(span_sub(in, end + 1, in.len), NULL, out);
}

bool
sasl_xoauth2_parse(struct span in, struct sasl_bearer *out)
{
	*out = (struct sasl_bearer){ 0 };
	return read_pairs(in, "user", out);
}
