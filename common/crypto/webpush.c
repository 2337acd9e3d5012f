#include "common/crypto/webpush.h"

#include <string.h>

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#include "common/crypto/digest.h"
#include "common/crypto/pkey_priv.h"
#include "common/crypto/random.h"
#include "common/util/bytes.h"
#include "common/util/mem.h"

#define CURVE		"prime256v1"
#define CEK_LEN		16u
#define NONCE_LEN	12u
#define TAG_LEN		16u
#define RECORD		4096u
#define LAST_RECORD	2	/* the delimiter behind its text, RFC 8188 §2 */

struct vapid {
	EVP_PKEY	*key;
	unsigned char	point[WEBPUSH_POINT_LEN];
};

/* Keys ------------------------------------------------------------------------- */

static EVP_PKEY *
from_params(OSSL_PARAM_BLD *b, int selection)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(b);
	EVP_PKEY *key = pkey_from_params("EC", params, selection);

	OSSL_PARAM_free(params);
	return key;
}

/* NULL: no point of the curve. */
static EVP_PKEY *
public_key(struct span point)
{
	OSSL_PARAM_BLD *b;
	EVP_PKEY_CTX *check;
	EVP_PKEY *key;

	if (point.len != WEBPUSH_POINT_LEN || point.p[0] != POINT_CONVERSION_UNCOMPRESSED)
		return NULL;
	b = OSSL_PARAM_BLD_new();
	crypto_must(b != NULL &&
	    OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, CURVE, 0) == 1 &&
	    OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, point.p, point.len) == 1);
	key = from_params(b, EVP_PKEY_PUBLIC_KEY);
	OSSL_PARAM_BLD_free(b);
	if (key == NULL)
		return NULL;
	check = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	crypto_must(check != NULL);
	if (EVP_PKEY_public_check(check) != 1) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	EVP_PKEY_CTX_free(check);
	ERR_clear_error();
	return key;
}

/* NULL: no number below the curve's order. */
static EVP_PKEY *
private_key(struct span scalar)
{
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	EC_POINT *point = group != NULL ? EC_POINT_new(group) : NULL;
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	unsigned char text[WEBPUSH_POINT_LEN];
	EVP_PKEY *key = NULL;
	BIGNUM *d = BN_secure_new();

	crypto_must(point != NULL && b != NULL && d != NULL &&
	    BN_bin2bn((const unsigned char *)scalar.p, (int)scalar.len, d) != NULL);
	if (scalar.len == WEBPUSH_SCALAR_LEN && !BN_is_zero(d) &&
	    BN_cmp(d, EC_GROUP_get0_order(group)) < 0) {
		crypto_must(EC_POINT_mul(group, point, d, NULL, NULL, NULL) == 1 &&
		    EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, text,
		    sizeof(text), NULL) == sizeof(text) &&
		    OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, CURVE, 0) == 1 &&
		    OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, text,
		    sizeof(text)) == 1 &&
		    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_PRIV_KEY, d) == 1);
		key = from_params(b, EVP_PKEY_KEYPAIR);
	}
	BN_clear_free(d);
	OSSL_PARAM_BLD_free(b);
	EC_POINT_free(point);
	EC_GROUP_free(group);
	return key;
}

static bool
point_of(EVP_PKEY *key, unsigned char out[WEBPUSH_POINT_LEN])
{
	size_t len = 0;

	return EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, out,
	    WEBPUSH_POINT_LEN, &len) == 1 && len == WEBPUSH_POINT_LEN &&
	    out[0] == POINT_CONVERSION_UNCOMPRESSED;
}

bool
webpush_point_valid(struct span point)
{
	EVP_PKEY *key = public_key(point);

	EVP_PKEY_free(key);
	return key != NULL;
}

/* Messages --------------------------------------------------------------------- */

static void
agree(EVP_PKEY *ours, EVP_PKEY *theirs, unsigned char secret[WEBPUSH_SCALAR_LEN])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, ours, NULL);
	size_t len = WEBPUSH_SCALAR_LEN;

	crypto_must(ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
	    EVP_PKEY_derive_set_peer(ctx, theirs) == 1 &&
	    EVP_PKEY_derive(ctx, secret, &len) == 1 && len == WEBPUSH_SCALAR_LEN);
	EVP_PKEY_CTX_free(ctx);
}

/* The key of the message, RFC 8291 §3.4 up to IKM. */
static void
combine(struct span auth, struct span secret, struct span theirs, struct span ours,
    unsigned char ikm[SHA256_LEN])
{
	unsigned char prk[SHA256_LEN];
	struct buf info = { 0 };

	hkdf_extract(DIGEST_SHA256, auth, secret, prk);
	buf_add(&info, "WebPush: info", sizeof("WebPush: info"));	/* its NUL too */
	buf_add_span(&info, theirs);
	buf_add_span(&info, ours);
	hkdf_expand(DIGEST_SHA256, span(prk, sizeof(prk)), buf_span(&info), ikm, SHA256_LEN);
	mem_wipe(prk, sizeof(prk));
	buf_fini(&info);
}

static void
seal(const unsigned char cek[CEK_LEN], const unsigned char nonce[NONCE_LEN], struct span text,
    struct buf *out)
{
	static const unsigned char last = LAST_RECORD;
	unsigned char *to = (unsigned char *)buf_reserve(out, text.len + 1 + TAG_LEN);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0, more = 0, end = 0;

	crypto_must(ctx != NULL && EVP_EncryptInit_ex(ctx, EVP_aes_128_gcm(), NULL, cek, nonce) == 1 &&
	    EVP_EncryptUpdate(ctx, to, &n, (const unsigned char *)text.p, (int)text.len) == 1 &&
	    EVP_EncryptUpdate(ctx, to + n, &more, &last, 1) == 1 &&
	    EVP_EncryptFinal_ex(ctx, to + n + more, &end) == 1 &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_LEN, to + n + more + end) == 1);
	buf_added(out, text.len + 1 + TAG_LEN);
	EVP_CIPHER_CTX_free(ctx);
}

static void
put_message(struct span salt, struct span ours, const unsigned char ikm[SHA256_LEN],
    struct span text, struct buf *out)
{
	static const char cek_info[] = "Content-Encoding: aes128gcm";
	static const char nonce_info[] = "Content-Encoding: nonce";
	unsigned char prk[SHA256_LEN], cek[CEK_LEN], nonce[NONCE_LEN];
	unsigned char head[5];

	hkdf_extract(DIGEST_SHA256, salt, span(ikm, SHA256_LEN), prk);
	hkdf_expand(DIGEST_SHA256, span(prk, sizeof(prk)), span(cek_info, sizeof(cek_info)), cek,
	    sizeof(cek));
	hkdf_expand(DIGEST_SHA256, span(prk, sizeof(prk)), span(nonce_info, sizeof(nonce_info)),
	    nonce, sizeof(nonce));
	put_be32(head, RECORD);
	head[4] = (unsigned char)ours.len;
	buf_add_span(out, salt);
	buf_add(out, head, sizeof(head));
	buf_add_span(out, ours);
	seal(cek, nonce, text, out);
	mem_wipe(prk, sizeof(prk));
	mem_wipe(cek, sizeof(cek));
}

static bool
encrypt(EVP_PKEY *ours, struct span salt, struct span p256dh, struct span auth,
    struct span text, struct buf *out)
{
	unsigned char secret[WEBPUSH_SCALAR_LEN], point[WEBPUSH_POINT_LEN], ikm[SHA256_LEN];
	EVP_PKEY *theirs;

	if (auth.len != WEBPUSH_AUTH_LEN || text.len > WEBPUSH_TEXT_MAX)
		return false;
	theirs = public_key(p256dh);
	if (theirs == NULL)
		return false;
	crypto_must(point_of(ours, point));
	agree(ours, theirs, secret);
	combine(auth, span(secret, sizeof(secret)), p256dh, span(point, sizeof(point)), ikm);
	put_message(salt, span(point, sizeof(point)), ikm, text, out);
	mem_wipe(secret, sizeof(secret));
	mem_wipe(ikm, sizeof(ikm));
	EVP_PKEY_free(theirs);
	return true;
}

bool
webpush_encrypt(struct span p256dh, struct span auth, struct span text, struct buf *out)
{
	unsigned char salt[WEBPUSH_SALT_LEN];
	EVP_PKEY *ours = EVP_EC_gen(CURVE);
	bool ok;

	crypto_must(ours != NULL);
	random_bytes(salt, sizeof(salt));
	ok = encrypt(ours, span(salt, sizeof(salt)), p256dh, auth, text, out);
	EVP_PKEY_free(ours);
	return ok;
}

bool
webpush_encrypt_with(struct span scalar, struct span salt, struct span p256dh, struct span auth,
    struct span text, struct buf *out)
{
	EVP_PKEY *ours = private_key(scalar);
	bool ok = ours != NULL && salt.len == WEBPUSH_SALT_LEN &&
	    encrypt(ours, salt, p256dh, auth, text, out);

	EVP_PKEY_free(ours);
	return ok;
}

/* VAPID ------------------------------------------------------------------------ */

static int
no_password(char *buf, int size, int rwflag, void *arg)
{
	return 0;
}

struct vapid *
vapid_read(struct span pem)
{
	BIO *bio = pem.len <= 64u << 10 ? BIO_new_mem_buf(pem.p, (int)pem.len) : NULL;
	struct vapid *v = NULL;
	EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
	char group[32];

	BIO_free(bio);
	if (key != NULL && EVP_PKEY_is_a(key, "EC") == 1 &&
	    EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group),
	    NULL) == 1 && strcmp(group, CURVE) == 0) {
		v = mem_zalloc(sizeof(*v));
		v->key = key;
		key = NULL;
		if (!point_of(v->key, v->point))
			vapid_free(&v);
	}
	EVP_PKEY_free(key);
	ERR_clear_error();
	return v;
}

void
vapid_free(struct vapid **v)
{
	if (*v != NULL)
		EVP_PKEY_free((*v)->key);
	mem_free(v);
}

void
vapid_generate(struct buf *pem)
{
	EVP_PKEY *key = EVP_EC_gen(CURVE);
	BIO *bio = BIO_new(BIO_s_secmem());
	char *text;
	long len;

	crypto_must(key != NULL && bio != NULL &&
	    PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
	len = BIO_get_mem_data(bio, &text);
	crypto_must(len > 0);
	buf_add(pem, text, (size_t)len);
	BIO_free(bio);
	EVP_PKEY_free(key);
}

struct span
vapid_public(const struct vapid *v)
{
	return span(v->point, sizeof(v->point));
}

void
vapid_sign(const struct vapid *v, struct span data, unsigned char out[VAPID_SIGNATURE_LEN])
{
	unsigned char der[80];
	const unsigned char *p = der;
	size_t len = sizeof(der);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	ECDSA_SIG *sig;

	crypto_must(ctx != NULL && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, v->key) == 1 &&
	    EVP_DigestSign(ctx, der, &len, (const unsigned char *)data.p, data.len) == 1);
	sig = d2i_ECDSA_SIG(NULL, &p, (long)len);
	crypto_must(sig != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, 32) == 32 &&
	    BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + 32, 32) == 32);
	ECDSA_SIG_free(sig);
	EVP_MD_CTX_free(ctx);
}
