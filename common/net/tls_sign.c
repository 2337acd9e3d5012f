/* Keys in another process: a provider inside this program whose keys know their public
 * half, and whose signatures are asked for and waited for on the stack of an
 * ASYNC_JOB.  Questions about a key are answered by its public half, which lives in
 * OpenSSL's own provider; the private half is never exported, so OpenSSL has to come
 * here to sign. */
#include "common/net/tls.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/async.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>

#include "common/net/tls_priv.h"
#include "common/util/mem.h"

#define PROVIDER "mansio"
#define KEY_PARAM "mansio-key"
#define DIGEST_NAME_MAX 32

struct tls_remote_key {
	EVP_PKEY		*pub;
	enum tls_scheme		 scheme;	/* RSA: the padding is chosen at signing */
	tls_sign_fn		 sign;
	tls_sign_cancel_fn	 cancel;
	void			*arg;
};

struct tls_sign {
	struct tls			*tls;
	const struct tls_remote_key	*key;
	struct buf			 sig;
	bool				 asking;	/* inside key->sign() */
	bool				 done;
};

static struct tls *current;

void
tls_sign_set_current(struct tls *t)
{
	current = t;
}

bool
tls_sign_is_done(const struct tls_sign *s)
{
	return s->done;
}

void
tls_sign_done(struct tls_sign *s, struct span sig)
{
	assert(!s->done);
	buf_add_span(&s->sig, sig);
	s->done = true;
	if (!s->asking)
		s->tls->resume(s->tls->arg);
}

void
tls_sign_cancel(struct tls *t)
{
	struct tls_sign *s = t->sign;

	if (s->done) {
		buf_clear(&s->sig);
		return;
	}
	s->key->cancel(s, s->key->arg);
	s->done = true;
}

/* ---- signatures ---- */

struct sig_ctx {
	const struct tls_remote_key	*key;
	enum tls_scheme			 scheme;
	char				 digest[DIGEST_NAME_MAX];
};

static void *
sig_new(void *provctx, const char *propq)
{
	return mem_zalloc(sizeof(struct sig_ctx));
}

static void
sig_free(void *vctx)
{
	mem_free(&vctx);
}

static int
sig_set_params(void *vctx, const OSSL_PARAM params[])
{
	struct sig_ctx *ctx = vctx;
	const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
	const char *mode = NULL;
	int number = 0;

	if (p == NULL || ctx->scheme == TLS_SIGN_ECDSA || ctx->scheme == TLS_SIGN_ED25519)
		return 1;
	if (p->data_type == OSSL_PARAM_UTF8_STRING)
		mode = p->data;
	else if (OSSL_PARAM_get_int(p, &number) != 1)
		return 0;
	if (number == RSA_PKCS1_PSS_PADDING ||
	    (mode != NULL && strcmp(mode, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0))
		ctx->scheme = TLS_SIGN_RSA_PSS;
	else if (number == RSA_PKCS1_PADDING ||
	    (mode != NULL && strcmp(mode, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) == 0))
		ctx->scheme = TLS_SIGN_RSA_PKCS1;
	else
		return 0;
	return 1;
}

static const OSSL_PARAM *
sig_settable_params(void *vctx, void *provctx)
{
	/* TLS asks for a salt as long as the digest and the same digest in MGF1, always
	 * (RFC 8446 4.2.3): nothing to be kept. */
	static const OSSL_PARAM settable[] = {
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, NULL, 0),
		OSSL_PARAM_END
	};

	return settable;
}

static int
sig_init(void *vctx, const char *digest_name, void *key, const OSSL_PARAM params[])
{
	struct sig_ctx *ctx = vctx;

	if (key != NULL)
		ctx->key = key;
	ctx->scheme = ctx->key->scheme;
	snprintf(ctx->digest, sizeof(ctx->digest), "%s",
	    digest_name != NULL ? digest_name : "");
	return params == NULL || sig_set_params(ctx, params);
}

/* Asks, and sleeps until the answer is there. */
static void
ask(struct tls_sign *s, const struct tls_sign_what *what)
{
	s->asking = true;
	s->tls->sign = s;
	s->key->sign(s, what, s->key->arg);
	s->asking = false;
	while (!s->done) {
		if (ASYNC_get_current_job() == NULL || ASYNC_pause_job() != 1)
			tls_sign_cancel(s->tls);
	}
	s->tls->sign = NULL;
}

static int
sig_sign(void *vctx, unsigned char *sig, size_t *len, size_t size,
    const unsigned char *tbs, size_t tbs_len)
{
	struct sig_ctx *ctx = vctx;
	struct tls_sign s = { .tls = current, .key = ctx->key };
	struct tls_sign_what what = {
		.scheme = ctx->scheme, .digest = ctx->digest, .tbs = span(tbs, tbs_len)
	};
	bool ok;

	if (sig == NULL) {
		*len = (size_t)EVP_PKEY_get_size(ctx->key->pub);
		return 1;
	}
	if (s.tls == NULL)
		return 0;
	ask(&s, &what);
	ok = s.sig.len > 0 && s.sig.len <= size;
	if (ok) {
		memcpy(sig, s.sig.data, s.sig.len);
		*len = s.sig.len;
	}
	buf_fini(&s.sig);
	return ok;
}

#define FN(id, f) { (id), (void (*)(void))(f) }

static const OSSL_DISPATCH sig_functions[] = {
	FN(OSSL_FUNC_SIGNATURE_NEWCTX, sig_new),
	FN(OSSL_FUNC_SIGNATURE_FREECTX, sig_free),
	FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, sig_init),
	FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, sig_sign),
	FN(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, sig_set_params),
	FN(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, sig_settable_params),
	{ 0, NULL }
};

/* ---- keys ---- */

/* OpenSSL's handle of a key is a copy of ours, which outlives it. */
static void *
key_new(void *provctx)
{
	return mem_zalloc(sizeof(struct tls_remote_key));
}

static void
key_free(void *vkey)
{
	mem_free(&vkey);
}

static int
key_has(const void *key, int selection)
{
	return key != NULL;
}

static int
key_import(void *vkey, int selection, const OSSL_PARAM params[])
{
	const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, KEY_PARAM);
	const void *from = NULL;
	size_t len = 0;

	if (p == NULL || OSSL_PARAM_get_octet_ptr(p, &from, &len) != 1 ||
	    len != sizeof(struct tls_remote_key))
		return 0;
	memcpy(vkey, from, len);
	return 1;
}

static const OSSL_PARAM *
key_import_types(int selection)
{
	static const OSSL_PARAM types[] = {
		OSSL_PARAM_octet_ptr(KEY_PARAM, NULL, 0),
		OSSL_PARAM_END
	};

	return types;
}

/* Only the public half, for comparing it with the certificate's. */
static int
key_export(void *vkey, int selection, OSSL_CALLBACK *cb, void *arg)
{
	const struct tls_remote_key *key = vkey;
	OSSL_PARAM *params = NULL;
	int ok;

	if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 ||
	    EVP_PKEY_todata(key->pub, EVP_PKEY_PUBLIC_KEY, &params) != 1)
		return 0;
	ok = cb(params, arg);
	OSSL_PARAM_free(params);
	return ok;
}

static const OSSL_PARAM *
key_export_types(int selection)
{
	static const OSSL_PARAM types[] = {
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
		OSSL_PARAM_END
	};

	return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 ? NULL : types;
}

static int
key_get_params(void *vkey, OSSL_PARAM params[])
{
	const struct tls_remote_key *key = vkey;

	return EVP_PKEY_get_params(key->pub, params);
}

static const OSSL_PARAM *
key_gettable_params(void *provctx)
{
	static const OSSL_PARAM gettable[] = {
		OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_END
	};

	return gettable;
}

static const char *
ec_operation(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "ECDSA" : NULL;
}

#define KEY_FUNCTIONS						\
	FN(OSSL_FUNC_KEYMGMT_NEW, key_new),				\
	FN(OSSL_FUNC_KEYMGMT_FREE, key_free),				\
	FN(OSSL_FUNC_KEYMGMT_HAS, key_has),				\
	FN(OSSL_FUNC_KEYMGMT_IMPORT, key_import),			\
	FN(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_import_types),		\
	FN(OSSL_FUNC_KEYMGMT_EXPORT, key_export),			\
	FN(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, key_export_types),		\
	FN(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get_params),		\
	FN(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable_params)

static const OSSL_DISPATCH key_functions[] = {
	KEY_FUNCTIONS,
	{ 0, NULL }
};
static const OSSL_DISPATCH ec_key_functions[] = {
	KEY_FUNCTIONS,
	FN(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, ec_operation),
	{ 0, NULL }
};

/* ---- the provider ---- */

static const OSSL_ALGORITHM keys[] = {
	{ "RSA:rsaEncryption:1.2.840.113549.1.1.1", "provider=" PROVIDER, key_functions, NULL },
	{ "EC:id-ecPublicKey:1.2.840.10045.2.1", "provider=" PROVIDER, ec_key_functions, NULL },
	{ "ED25519:1.3.101.112", "provider=" PROVIDER, key_functions, NULL },
	{ NULL, NULL, NULL, NULL }
};

static const OSSL_ALGORITHM signatures[] = {
	{ "RSA:rsaEncryption:1.2.840.113549.1.1.1", "provider=" PROVIDER, sig_functions, NULL },
	{ "ECDSA", "provider=" PROVIDER, sig_functions, NULL },
	{ "ED25519:1.3.101.112", "provider=" PROVIDER, sig_functions, NULL },
	{ NULL, NULL, NULL, NULL }
};

static const OSSL_ALGORITHM *
provider_query(void *provctx, int operation, int *no_cache)
{
	*no_cache = 0;
	if (operation == OSSL_OP_KEYMGMT)
		return keys;
	return operation == OSSL_OP_SIGNATURE ? signatures : NULL;
}

static const OSSL_DISPATCH provider_functions[] = {
	FN(OSSL_FUNC_PROVIDER_QUERY_OPERATION, provider_query),
	{ 0, NULL }
};

static int
provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
    const OSSL_DISPATCH **out, void **provctx)
{
	*out = provider_functions;
	*provctx = (void *)(uintptr_t)handle;
	return 1;
}

/* Loading one provider by hand ends the automatic loading of the default one; it
 * stays the preferred one for every key that is not ours. */
static bool
load_provider(void)
{
	static OSSL_PROVIDER *standard, *ours;

	if (ours != NULL)
		return true;
	if (standard == NULL)
		standard = OSSL_PROVIDER_load(NULL, "default");
	if (standard == NULL || EVP_set_default_properties(NULL, "?provider=default") != 1 ||
	    OSSL_PROVIDER_add_builtin(NULL, PROVIDER, provider_init) != 1)
		return false;
	ours = OSSL_PROVIDER_load(NULL, PROVIDER);
	return ours != NULL;
}

static EVP_PKEY *
make_pkey(struct tls_remote_key *key, const char *type)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_ptr(KEY_PARAM, (void **)&key, sizeof(*key)),
		OSSL_PARAM_construct_end()
	};
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, "provider=" PROVIDER);
	EVP_PKEY *pkey = NULL;

	if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params) != 1)
		pkey = NULL;
	EVP_PKEY_CTX_free(ctx);
	return pkey;
}

struct tls_remote_key *
tls_remote_key_new(EVP_PKEY *pub, tls_sign_fn sign, tls_sign_cancel_fn cancel, void *arg,
    EVP_PKEY **pkey)
{
	static const struct {
		const char	*type;
		enum tls_scheme	 scheme;
	} types[] = {
		{ "RSA", TLS_SIGN_RSA_PKCS1 }, { "EC", TLS_SIGN_ECDSA },
		{ "ED25519", TLS_SIGN_ED25519 },
	};
	struct tls_remote_key *key;
	size_t i = 0;

	while (i < ARRAY_LEN(types) && !EVP_PKEY_is_a(pub, types[i].type))
		i++;
	if (i == ARRAY_LEN(types) || !load_provider())
		return NULL;
	key = mem_zalloc(sizeof(*key));
	EVP_PKEY_up_ref(pub);
	*key = (struct tls_remote_key){ pub, types[i].scheme, sign, cancel, arg };
	*pkey = make_pkey(key, types[i].type);
	if (*pkey == NULL)
		tls_remote_key_free(&key);
	return key;
}

void
tls_remote_key_free(struct tls_remote_key **key)
{
	if (*key == NULL)
		return;
	EVP_PKEY_free((*key)->pub);
	mem_free(key);
}
