#include "authd/scheme.h"

#include <argon2.h>
#include <crypt.h>
#include <string.h>

#include "common/crypto/encode.h"
#include "common/crypto/random.h"
#include "common/util/mem.h"

#define SALT_MAX	64
#define ARGON2_SALT	16
#define ARGON2_OUT	32
#define PBKDF2_ROUNDS_MAX 10000000u

typedef enum status (*verify_fn)(struct span text, struct span password, unsigned arg);

static enum status
verdict(bool same)
{
	return same ? ST_OK : ST_DENIED;
}

/* Digests of both sides first, so that neither length nor place of a difference shows. */
static enum status
verify_plain(struct span text, struct span password, unsigned arg)
{
	unsigned char a[SHA256_LEN], b[SHA256_LEN];
	bool same;

	sha256(text, a);
	sha256(password, b);
	same = mem_equal_ct(a, b, sizeof(a));
	mem_wipe(a, sizeof(a));
	mem_wipe(b, sizeof(b));
	return verdict(same);
}

static enum status
verify_crypt(struct span text, struct span password, unsigned arg)
{
	struct crypt_data *cd;
	char *setting, *phrase;
	const char *got;
	enum status st = ST_UNSUPPORTED;

	if (text.len == 0 || span_find(text, '\0') < text.len)
		return ST_UNSUPPORTED;
	if (span_find(password, '\0') < password.len)
		return ST_DENIED;
	cd = mem_zalloc(sizeof(*cd));
	setting = span_dup(text);
	phrase = span_dup(password);
	got = crypt_r(phrase, setting, cd);
	if (got != NULL && got[0] != '*')
		st = verdict(strlen(got) == text.len && mem_equal_ct(got, text.p, text.len));
	mem_wipe(cd, sizeof(*cd));
	mem_wipe(phrase, password.len);
	mem_free(&cd);
	mem_free(&setting);
	mem_free(&phrase);
	return st;
}

/* arg: algorithm; the text is digest(password + salt) and the salt behind it. */
static enum status
verify_digest(struct span text, struct span password, unsigned arg)
{
	enum digest_alg alg = (enum digest_alg)arg;
	size_t n = digest_len(alg);
	struct buf raw = { 0 };
	unsigned char got[DIGEST_MAX];
	enum status st = ST_UNSUPPORTED;
	struct digest *d;

	if (text.len != n * 2 || !hex_decode(text, n, &raw))
		(void)base64_decode(text, n + SALT_MAX, &raw);
	if (raw.len >= n) {
		d = digest_new(alg);
		digest_add(d, password.p, password.len);
		digest_add(d, raw.data + n, raw.len - n);
		digest_done(d, got);
		digest_free(&d);
		st = verdict(mem_equal_ct(got, raw.data, n));
		mem_wipe(got, sizeof(got));
	}
	buf_fini_secret(&raw);
	return st;
}

/* $1$salt$rounds$hex: PBKDF2 with HMAC-SHA-1, 20 bytes. */
static enum status
verify_pbkdf2(struct span text, struct span password, unsigned arg)
{
	struct span salt, rounds;
	uint32_t n;
	struct buf raw = { 0 };
	unsigned char got[SHA1_LEN];
	enum status st = ST_UNSUPPORTED;

	if (!span_has_prefix(text, "$1$"))
		return ST_UNSUPPORTED;
	text = span_sub(text, 3, text.len);
	salt = span_cut(&text, '$');
	rounds = span_cut(&text, '$');
	if (span_u32(rounds, &n) && n > 0 && n <= PBKDF2_ROUNDS_MAX &&
	    hex_decode(text, SHA1_LEN, &raw) && raw.len == SHA1_LEN) {
		pbkdf2(DIGEST_SHA1, password, salt, n, got, sizeof(got));
		st = verdict(mem_equal_ct(got, raw.data, SHA1_LEN));
		mem_wipe(got, sizeof(got));
	}
	buf_fini_secret(&raw);
	return st;
}

static enum status
verify_argon2(struct span text, struct span password, unsigned arg)
{
	char *encoded;
	int rc;

	if (text.len == 0 || span_find(text, '\0') < text.len)
		return ST_UNSUPPORTED;
	encoded = span_dup(text);
	rc = argon2_verify(encoded, password.p, password.len, (argon2_type)arg);
	mem_free(&encoded);
	if (rc == ARGON2_OK)
		return ST_OK;
	return rc == ARGON2_VERIFY_MISMATCH ? ST_DENIED : ST_UNSUPPORTED;
}

static const struct scheme {
	const char	*name;
	verify_fn	verify;
	unsigned	arg;
} schemes[] = {
	{ "PLAIN", verify_plain, 0 },
	{ "CLEARTEXT", verify_plain, 0 },
	{ "CLEAR", verify_plain, 0 },
	{ "CRYPT", verify_crypt, 0 },
	{ "DES-CRYPT", verify_crypt, 0 },
	{ "MD5-CRYPT", verify_crypt, 0 },
	{ "SHA256-CRYPT", verify_crypt, 0 },
	{ "SHA512-CRYPT", verify_crypt, 0 },
	{ "BLF-CRYPT", verify_crypt, 0 },
	{ "SHA", verify_digest, DIGEST_SHA1 },
	{ "SHA1", verify_digest, DIGEST_SHA1 },
	{ "SHA256", verify_digest, DIGEST_SHA256 },
	{ "SHA512", verify_digest, DIGEST_SHA512 },
	{ "SSHA", verify_digest, DIGEST_SHA1 },
	{ "SSHA256", verify_digest, DIGEST_SHA256 },
	{ "SSHA512", verify_digest, DIGEST_SHA512 },
	{ "PBKDF2", verify_pbkdf2, 0 },
	{ "ARGON2I", verify_argon2, Argon2_i },
	{ "ARGON2ID", verify_argon2, Argon2_id },
};

/* *text becomes what stands behind the scheme's name. */
static const struct scheme *
find_scheme(struct span *text)
{
	size_t end = span_find(*text, '}');
	struct span name;
	size_t dot;

	if (text->len == 0 || text->p[0] != '{')
		return text->len > 0 ? &schemes[3] : NULL;
	if (end == text->len)
		return NULL;
	name = span_sub(*text, 1, end - 1);
	dot = span_find(name, '.');
	*text = span_sub(*text, end + 1, text->len);
	if (dot < name.len) {
		struct span how = span_sub(name, dot + 1, name.len);

		if (!span_caseeq_str(how, "B64") && !span_caseeq_str(how, "HEX"))
			return NULL;
		name.len = dot;
	}
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (span_caseeq_str(name, schemes[i].name))
			return &schemes[i];
	return NULL;
}

bool
scheme_known(struct span hash)
{
	return find_scheme(&hash) != NULL;
}

enum status
scheme_verify(struct span hash, struct span password)
{
	const struct scheme *s;

	if (password.len > PASSWORD_MAX)
		return ST_DENIED;
	s = hash.len <= HASH_MAX ? find_scheme(&hash) : NULL;
	return s != NULL ? s->verify(hash, password, s->arg) : ST_UNSUPPORTED;
}

static bool
make_argon2(const struct hash_params *p, struct span password, struct buf *out)
{
	unsigned char salt[ARGON2_SALT];
	char text[256];

	random_bytes(salt, sizeof(salt));
	if (argon2id_hash_encoded(p->passes, p->memory_kib, 1, password.p, password.len, salt,
	    sizeof(salt), ARGON2_OUT, text, sizeof(text)) != ARGON2_OK)
		return false;
	buf_add_str(out, "{ARGON2ID}");
	buf_add_str(out, text);
	mem_wipe(text, sizeof(text));
	return true;
}

static bool
make_yescrypt(const struct hash_params *p, struct span password, struct buf *out)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE], random[32];
	struct crypt_data *cd;
	char *phrase;
	const char *got;
	bool ok;

	if (span_find(password, '\0') < password.len)
		return false;
	random_bytes(random, sizeof(random));
	if (crypt_gensalt_rn("$y$", p->cost, random, sizeof(random), setting, sizeof(setting)) == NULL)
		return false;
	cd = mem_zalloc(sizeof(*cd));
	phrase = span_dup(password);
	got = crypt_r(phrase, setting, cd);
	ok = got != NULL && got[0] != '*';
	if (ok) {
		buf_add_str(out, "{CRYPT}");
		buf_add_str(out, got);
	}
	mem_wipe(cd, sizeof(*cd));
	mem_wipe(phrase, password.len);
	mem_free(&cd);
	mem_free(&phrase);
	return ok;
}

bool
scheme_make(const struct hash_params *p, struct span password, struct buf *out)
{
	if (password.len > PASSWORD_MAX)
		return false;
	return p->kind == HASH_YESCRYPT ? make_yescrypt(p, password, out) :
	    make_argon2(p, password, out);
}

void
scheme_make_fast(struct span password, struct buf *out)
{
	unsigned char raw[SHA256_LEN + 16];
	struct digest *d = digest_new(DIGEST_SHA256);

	random_bytes(raw + SHA256_LEN, 16);
	digest_add(d, password.p, password.len);
	digest_add(d, raw + SHA256_LEN, 16);
	digest_done(d, raw);
	digest_free(&d);
	buf_add_str(out, "{SSHA256}");
	base64_encode(span(raw, sizeof(raw)), out);
	mem_wipe(raw, sizeof(raw));
}

bool
scheme_is_fast(struct span hash)
{
	return span_has_prefix(hash, "{SSHA256}");
}

/* SCRAM ---------------------------------------------------------------------- */

void
scram_keys(enum digest_alg alg, struct span password, struct span salt, uint32_t iterations,
    unsigned char *stored_key, unsigned char *server_key)
{
	size_t n = digest_len(alg);
	unsigned char salted[DIGEST_MAX], client[DIGEST_MAX];

	pbkdf2(alg, password, salt, iterations, salted, n);
	hmac(alg, span(salted, n), SPAN_LIT("Client Key"), client);
	digest(alg, span(client, n), stored_key);
	hmac(alg, span(salted, n), SPAN_LIT("Server Key"), server_key);
	mem_wipe(salted, sizeof(salted));
	mem_wipe(client, sizeof(client));
}

bool
scram_check(enum digest_alg alg, struct span stored_key, struct span auth_message, struct span proof)
{
	size_t n = digest_len(alg);
	unsigned char key[DIGEST_MAX], again[DIGEST_MAX];
	bool same;

	if (stored_key.len != n || proof.len != n)
		return false;
	hmac(alg, stored_key, auth_message, key);
	for (size_t i = 0; i < n; i++)
		key[i] ^= (unsigned char)proof.p[i];
	digest(alg, span(key, n), again);
	same = mem_equal_ct(again, stored_key.p, n);
	mem_wipe(key, sizeof(key));
	mem_wipe(again, sizeof(again));
	return same;
}

void
scram_server_signature(enum digest_alg alg, struct span server_key, struct span auth_message,
    unsigned char *out)
{
	hmac(alg, server_key, auth_message, out);
}
