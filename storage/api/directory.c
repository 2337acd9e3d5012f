/* Values start with a version byte; a decoder takes exactly what its encoder makes. */
#include "storage/api/directory.h"

#include <inttypes.h>

#include "common/mail/unicode.h"
#include "common/util/bytes.h"
#include "common/util/mem.h"

#define VERSION		1
#define ACCOUNT_VERSION	2	/* 1: without what stands behind the groups */
#define DOMAIN_VERSION	2	/* 1: without the limits */
#define DOMAIN_MAX	255
#define LABEL_MAX	63
#define TEXT_MAX	1024
#define KEY_MAX		64		/* salts, SCRAM keys, labels */

static bool
begin(struct reader *r, struct span value)
{
	reader_init(r, value.p, value.len);
	if (value.len > DIR_VALUE_MAX || get_u8(r) != VERSION)
		r->bad = true;
	return !r->bad;
}

static struct span
text(struct reader *r, size_t max)
{
	struct span s = get_span(r);

	if (s.len > max)
		r->bad = true;
	return r->bad ? SPAN_NONE : s;
}

static bool
truth(struct reader *r)
{
	uint8_t v = get_u8(r);

	if (v > 1)
		r->bad = true;
	return v != 0;
}

void
dir_account_encode(const struct dir_account *a, struct buf *out)
{
	put_u8(out, ACCOUNT_VERSION);
	put_u64(out, a->id);
	put_span(out, a->address);
	put_span(out, a->description);
	put_u32(out, a->shard);
	put_u8(out, a->disabled);
	put_u64(out, (uint64_t)a->created_s);
	put_u64(out, (uint64_t)a->deleted_s);
	put_varint(out, a->quota_bytes);
	put_varint(out, a->quota_messages);
	put_varint(out, a->quota_mailboxes);
	put_span(out, a->groups);
	put_u8(out, a->shared);
	put_span(out, a->referral);
	put_u8(out, a->referral_stays);
}

bool
dir_account_decode(struct dir_account *a, struct span value)
{
	struct reader r;
	uint8_t version;

	*a = (struct dir_account){ 0 };
	reader_init(&r, value.p, value.len);
	version = get_u8(&r);
	if (value.len > DIR_VALUE_MAX || version < VERSION || version > ACCOUNT_VERSION)
		return false;
	a->id = get_u64(&r);
	a->address = text(&r, DIR_ADDRESS_MAX);
	a->description = text(&r, TEXT_MAX);
	a->shard = get_u32(&r);
	a->disabled = truth(&r);
	a->created_s = (int64_t)get_u64(&r);
	a->deleted_s = (int64_t)get_u64(&r);
	a->quota_bytes = get_varint(&r);
	a->quota_messages = get_varint(&r);
	a->quota_mailboxes = get_varint(&r);
	a->groups = text(&r, 8 * DIR_GROUPS_MAX);
	if (version >= 2) {
		a->shared = truth(&r);
		a->referral = text(&r, DIR_REFERRAL_MAX);
		a->referral_stays = truth(&r);
	}
	return reader_done(&r) && a->groups.len % 8 == 0;
}

void
dir_group_encode(const struct dir_group *g, struct buf *out)
{
	put_u8(out, VERSION);
	put_u64(out, g->id);
	put_span(out, g->name);
	put_span(out, g->description);
	put_u64(out, (uint64_t)g->created_s);
}

bool
dir_group_decode(struct dir_group *g, struct span value)
{
	struct reader r;

	*g = (struct dir_group){ 0 };
	if (!begin(&r, value))
		return false;
	g->id = get_u64(&r);
	g->name = text(&r, KEY_MAX);
	g->description = text(&r, TEXT_MAX);
	g->created_s = (int64_t)get_u64(&r);
	return reader_done(&r) && g->id != 0 && g->name.len > 0;
}

void
dir_name_encode(const struct dir_name *n, struct buf *out)
{
	put_u8(out, VERSION);
	put_u8(out, n->kind);
	put_u64(out, n->account);
}

bool
dir_name_decode(struct dir_name *n, struct span value)
{
	struct reader r;

	*n = (struct dir_name){ 0 };
	if (!begin(&r, value))
		return false;
	n->kind = get_u8(&r);
	n->account = get_u64(&r);
	return reader_done(&r) && (n->kind == DIR_NAME_ACCOUNT || n->kind == DIR_NAME_ALIAS);
}

void
dir_domain_encode(const struct dir_domain *d, struct buf *out)
{
	put_u8(out, DOMAIN_VERSION);
	put_span(out, d->name);
	put_span(out, d->alias_of);
	put_span(out, d->catch_all);
	put_u8(out, d->plus);
	put_u64(out, (uint64_t)d->created_s);
	put_varint(out, d->quota_bytes);
	put_varint(out, d->quota_messages);
	put_varint(out, d->quota_mailboxes);
}

bool
dir_domain_decode(struct dir_domain *d, struct span value)
{
	struct reader r;
	uint8_t version;

	*d = (struct dir_domain){ 0 };
	reader_init(&r, value.p, value.len);
	version = get_u8(&r);
	if (value.len > DIR_VALUE_MAX || version < VERSION || version > DOMAIN_VERSION)
		return false;
	d->name = text(&r, DOMAIN_MAX);
	d->alias_of = text(&r, DOMAIN_MAX);
	d->catch_all = text(&r, DIR_ADDRESS_MAX);
	d->plus = truth(&r);
	d->created_s = (int64_t)get_u64(&r);
	if (version >= 2) {
		d->quota_bytes = get_varint(&r);
		d->quota_messages = get_varint(&r);
		d->quota_mailboxes = get_varint(&r);
	}
	return reader_done(&r);
}

void
dir_referral_encode(const struct dir_referral *f, struct buf *out)
{
	put_u8(out, VERSION);
	put_span(out, f->url);
	put_u8(out, f->stays);
}

bool
dir_referral_decode(struct dir_referral *f, struct span value)
{
	struct reader r;

	*f = (struct dir_referral){ .stays = false };
	if (!begin(&r, value))
		return false;
	f->url = text(&r, DIR_REFERRAL_MAX);
	f->stays = truth(&r);
	return reader_done(&r);
}

static void
put_scram(struct buf *out, const struct dir_scram *s)
{
	put_span(out, s->salt);
	put_span(out, s->stored_key);
	put_span(out, s->server_key);
	put_varint(out, s->iterations);
}

static void
get_scram(struct reader *r, struct dir_scram *s)
{
	s->salt = text(r, KEY_MAX);
	s->stored_key = text(r, KEY_MAX);
	s->server_key = text(r, KEY_MAX);
	s->iterations = get_varint32(r);
}

void
dir_verifier_encode(const struct dir_verifier *v, struct buf *out)
{
	put_u8(out, VERSION);
	put_span(out, v->hash);
	put_scram(out, &v->sha1);
	put_scram(out, &v->sha256);
	put_u64(out, (uint64_t)v->changed_s);
}

bool
dir_verifier_decode(struct dir_verifier *v, struct span value)
{
	struct reader r;

	*v = (struct dir_verifier){ 0 };
	if (!begin(&r, value))
		return false;
	v->hash = text(&r, TEXT_MAX);
	get_scram(&r, &v->sha1);
	get_scram(&r, &v->sha256);
	v->changed_s = (int64_t)get_u64(&r);
	return reader_done(&r);
}

void
dir_app_encode(const struct dir_app *a, struct buf *out)
{
	put_u8(out, VERSION);
	put_span(out, a->label);
	put_span(out, a->hash);
	put_u32(out, a->protocols);
	put_u64(out, (uint64_t)a->created_s);
	put_u64(out, (uint64_t)a->used_s);
}

bool
dir_app_decode(struct dir_app *a, struct span value)
{
	struct reader r;

	*a = (struct dir_app){ 0 };
	if (!begin(&r, value))
		return false;
	a->label = text(&r, KEY_MAX);
	a->hash = text(&r, TEXT_MAX);
	a->protocols = get_u32(&r);
	a->created_s = (int64_t)get_u64(&r);
	a->used_s = (int64_t)get_u64(&r);
	return reader_done(&r);
}

void
dir_key_account(struct buf *out, uint64_t id)
{
	buf_addf(out, "account/%016" PRIx64, id);
}

void
dir_key_name(struct buf *out, struct span folded_address)
{
	buf_add_str(out, "name/");
	buf_add_span(out, folded_address);
}

void
dir_key_domain(struct buf *out, struct span folded_domain)
{
	buf_add_str(out, "domain/");
	buf_add_span(out, folded_domain);
}

void
dir_key_referral(struct buf *out, struct span folded_domain)
{
	buf_add_str(out, "referral/");
	buf_add_span(out, folded_domain);
}

void
dir_key_verifier(struct buf *out, uint64_t id)
{
	buf_addf(out, "verifier/%016" PRIx64, id);
}

void
dir_key_app(struct buf *out, uint64_t id, struct span label)
{
	buf_addf(out, "app/%016" PRIx64 "/", id);
	buf_add_span(out, label);
}

void
dir_key_group(struct buf *out, struct span folded_name)
{
	buf_add_str(out, "group/");
	buf_add_span(out, folded_name);
}

void
dir_key_group_id(struct buf *out, uint64_t id)
{
	buf_addf(out, "groupid/%016" PRIx64, id);
}

void
dir_key_member(struct buf *out, uint64_t group, uint64_t account)
{
	buf_addf(out, "member/%016" PRIx64 "/", group);
	if (account != 0)
		buf_addf(out, "%016" PRIx64, account);
}

/* RFC 5322 atext with the dot, and everything of RFC 6532. */
static bool
is_dot_text(char c)
{
	return (unsigned char)c >= 0x80 || ascii_isalnum(c) ||
	    (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~.", c) != NULL);
}

static bool
is_dot_string(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (!is_dot_text(s.p[i]))
			return false;
		if (s.p[i] == '.' && (i == 0 || i + 1 == s.len || s.p[i + 1] == '.'))
			return false;
	}
	return s.len > 0;
}

/* Takes the quoted string that *in begins with and gives its content. */
static bool
take_quoted(struct span *in, struct buf *content)
{
	for (size_t i = 1; i < in->len; i++) {
		char c = in->p[i];

		if (c == '"') {
			*in = span_sub(*in, i + 1, in->len);
			return true;
		}
		if (c == '\\' && (c = ++i < in->len ? in->p[i] : '\0') == '\0')
			return false;
		buf_add_c(content, c);
	}
	return false;
}

/* Quotes only what needs it, so that one mailbox has one key (RFC 5321 §4.1.2: the
 * quoted and the plain form are the same). */
static void
add_local(struct buf *out, struct span content)
{
	if (is_dot_string(content)) {
		buf_add_span(out, content);
		return;
	}
	buf_add_c(out, '"');
	for (size_t i = 0; i < content.len; i++) {
		if (content.p[i] == '"' || content.p[i] == '\\')
			buf_add_c(out, '\\');
		buf_add_c(out, content.p[i]);
	}
	buf_add_c(out, '"');
}

static bool
fold_local(struct span *in, struct buf *out)
{
	struct buf content = { 0 }, folded = { 0 };
	bool quoted = in->len > 0 && in->p[0] == '"', ok = true;

	if (quoted) {
		ok = take_quoted(in, &content);
	} else {
		size_t n = 0;

		while (n < in->len && in->p[n] != '@')
			n++;
		buf_add(&content, in->p, n);
		*in = span_sub(*in, n, in->len);
		/* Names of other systems may hold dots anywhere, but nothing special. */
		for (size_t i = 0; i < content.len; i++)
			ok = ok && is_dot_text(content.data[i]);
	}
	ok = ok && content.len > 0 && unicode_nfc(buf_span(&content), true, &folded);
	if (ok && quoted)
		add_local(out, buf_span(&folded));
	else if (ok)
		buf_add_span(out, buf_span(&folded));
	buf_fini(&content);
	buf_fini(&folded);
	return ok;
}

static bool
fold_label(struct span label, struct buf *out)
{
	struct buf decoded = { 0 };
	size_t was = out->len;
	bool ok;

	if (label.len == 0 || label.len > 4 * LABEL_MAX)
		return false;
	for (size_t i = 0; i < label.len; i++) {
		char c = label.p[i];

		if (!((unsigned char)c >= 0x80 || ascii_isalnum(c) || c == '-' || c == '_'))
			return false;
	}
	if (span_has_caseprefix(label, "xn--")) {
		ok = punycode_decode(span_sub(label, 4, label.len), &decoded) &&
		    unicode_is_clean(buf_span(&decoded), false);
		label = buf_span(&decoded);
	} else {
		ok = true;
	}
	ok = ok && unicode_nfc(label, true, out);
	/* What only looks encoded after folding would be decoded the next time. */
	ok = ok && (label.p != decoded.data || !span_has_prefix(
	    span(out->data + was, out->len - was), "xn--"));
	buf_fini(&decoded);
	return ok;
}

static bool
fold_domain(struct span in, struct buf *out)
{
	size_t was = out->len;

	if (in.len == 0 || in.len > DOMAIN_MAX)
		return false;
	if (in.p[0] == '[') {		/* an address literal */
		for (size_t i = 1; i + 1 < in.len; i++) {
			char c = in.p[i];

			if (!ascii_isalnum(c) && c != '.' && c != ':' && c != '-')
				return false;
			if (i == 1)
				buf_add_c(out, '[');
			buf_add_c(out, ascii_lower(c));
		}
		buf_add_c(out, ']');
		return in.len > 2 && in.p[in.len - 1] == ']';
	}
	while (in.p != NULL) {
		if (!fold_label(span_cut(&in, '.'), out))
			return false;
		if (in.p != NULL)
			buf_add_c(out, '.');
	}
	return out->len - was <= DOMAIN_MAX;
}

bool
dir_fold_address(struct span in, struct buf *out)
{
	size_t was = out->len;
	bool ok;

	if (in.len == 0 || in.len > DIR_ADDRESS_MAX || !unicode_is_clean(in, false))
		return false;
	ok = fold_local(&in, out);
	if (ok && in.len > 0) {
		ok = in.p[0] == '@';
		buf_add_c(out, '@');
		ok = ok && fold_domain(span_sub(in, 1, in.len), out);
	}
	ok = ok && out->len - was <= DIR_ADDRESS_MAX;
	if (!ok)
		buf_cut(out, was);
	return ok;
}

bool
dir_fold_group(struct span in, struct buf *out)
{
	size_t was = out->len;
	bool ok = in.len > 0 && in.len <= LABEL_MAX && unicode_is_clean(in, false);

	for (size_t i = 0; ok && i < in.len; i++)
		ok = is_dot_text(in.p[i]) && in.p[i] != '/';
	ok = ok && unicode_nfc(in, true, out) && out->len - was <= LABEL_MAX;
	if (!ok)
		buf_cut(out, was);
	return ok;
}
