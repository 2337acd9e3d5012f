#include "master/sealed.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "common/crypto/encode.h"
#include "common/crypto/webpush.h"
#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "common/worker/certs.h"

#define PEM_MAX		(256u << 10)
#define CA_MAX		(2u << 20)
#define SECRET_MAX	4096

int
sealed_config(const struct mansio_conf *conf)
{
	struct buf text = { 0 };
	int fd;

	conf_effective_encode(conf, &text);
	fd = fd_sealed("config", text.data, text.len);
	buf_fini(&text);
	return fd;
}

static bool
slurp_secret(const char *path, char **text, size_t *len)
{
	struct stat st;

	if (stat(path, &st) == 0 && (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		LOG(NULL, WARN, "secret.open", KV_STR("path", path),
		    KV_STR("why", "others than its owner may read it"));
	if (!fd_slurp_path(path, SECRET_MAX, text, len)) {
		LOG(NULL, ERROR, "secret", KV_STR("path", path), KV_ERRNO(errno));
		return false;
	}
	return true;
}

/* public_text: the public half in base64url is added to it; may be NULL. */
static bool
read_vapid(const char *path, char **pem, size_t *len, struct buf *public_text)
{
	struct vapid *v;

	if (!slurp_secret(path, pem, len))
		return false;
	v = vapid_read(span(*pem, *len));
	if (v == NULL) {
		LOG(NULL, ERROR, "push.key", KV_STR("path", path),
		    KV_STR("error", "no private key of the curve P-256 in PEM"));
		return false;
	}
	if (public_text != NULL)
		base64url_encode(vapid_public(v), public_text);
	vapid_free(&v);
	return true;
}

/* The public half of the key that signs pushes is for everybody. */
static bool
put_push_key(const struct conf_push *c, struct buf *blob)
{
	struct cert_pem key = { .name = SPAN_LIT(CERTS_PUSH_KEY) };
	struct buf text = { 0 };
	char *pem = NULL;
	size_t len = 0;
	bool ok;

	if (!c->enabled || c->vapid_key_file[0] == '\0')
		return true;
	ok = read_vapid(c->vapid_key_file, &pem, &len, &text);
	if (ok) {
		key.chain = buf_span(&text);
		cert_pem_put(blob, &key);
	}
	if (pem != NULL)
		mem_wipe(pem, len);
	mem_free(&pem);
	buf_fini(&text);
	return ok;
}

int
sealed_certs(const struct mansio_conf *conf)
{
	struct buf blob = { 0 };
	bool ok = true;
	int fd = -1;

	if (conf->tls.client_ca[0] != '\0') {
		struct cert_pem ca = { .name = SPAN_LIT("client-ca") };
		char *pem = NULL;
		size_t n = 0;

		ok = fd_slurp_path(conf->tls.client_ca, PEM_MAX, &pem, &n);
		if (!ok)
			LOG(NULL, ERROR, "certificate", KV_STR("path", conf->tls.client_ca), KV_ERRNO(errno));
		ca.chain = span(pem, n);
		if (ok)
			cert_pem_put(&blob, &ca);
		mem_free(&pem);
	}
	ok = ok && put_push_key(&conf->push, &blob);
	for (size_t i = 0; i < conf->n_certificates && ok; i++) {
		const struct conf_certificate *c = &conf->certificates[i];
		struct cert_pem pem = { .name = span_str(c->head.name) };
		char *chain = NULL, *key = NULL;
		size_t n, k;

		ok = fd_slurp_path(c->chain, PEM_MAX, &chain, &n);
		if (!ok)
			LOG(NULL, ERROR, "certificate", KV_STR("path", c->chain), KV_ERRNO(errno));
		if (ok && !(ok = fd_slurp_path(c->key, PEM_MAX, &key, &k)))
			LOG(NULL, ERROR, "certificate", KV_STR("path", c->key), KV_ERRNO(errno));
		if (ok) {
			pem.chain = span(chain, n);
			pem.key = span(key, k);
			cert_pem_put(&blob, &pem);
			mem_wipe(key, k);
		}
		mem_free(&chain);
		mem_free(&key);
	}
	if (ok && blob.len > CERTS_BLOB_MAX)
		LOG(NULL, ERROR, "certificate", KV_STR("error", "all together are too large"));
	else if (ok)
		fd = fd_sealed("certs", blob.data, blob.len);
	buf_fini_secret(&blob);
	return fd;
}

/* A secret in a file: one line of printable ASCII. */
static bool
read_secret(const char *path, char **text, size_t *len)
{
	struct span s;

	if (!slurp_secret(path, text, len))
		return false;
	s = span_trim(span(*text, *len));
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] < ' ' || (unsigned char)s.p[i] >= 0x7f)
			s.len = 0;
	if (s.len == 0) {
		LOG(NULL, ERROR, "secret", KV_STR("path", path),
		    KV_STR("error", "not one line of printable ASCII"));
		return false;
	}
	memmove(*text, s.p, s.len);
	*len = s.len;
	return true;
}

/* A file of none is refused: it would mean those that the system trusts. */
static bool
read_authorities(const char *path, char **pem, size_t *len)
{
	if (!fd_slurp_path(path, CA_MAX, pem, len)) {
		LOG(NULL, ERROR, "certificate", KV_STR("path", path), KV_ERRNO(errno));
		return false;
	}
	if (memmem(*pem, *len, "-----BEGIN ", 11) == NULL) {
		LOG(NULL, ERROR, "certificate", KV_STR("path", path),
		    KV_STR("error", "no certificate in PEM"));
		return false;
	}
	return true;
}

bool
sealed_secrets(const struct mansio_conf *conf, int *fd)
{
	struct cert_pem authorities = { .name = SPAN_LIT("ca") }, oauth = { .name = SPAN_LIT("oauth") };
	struct cert_pem push = { .name = SPAN_LIT("push") };
	char *ca = NULL, *secret = NULL, *vapid = NULL;
	struct buf blob = { 0 };
	size_t ca_len = 0, secret_len = 0, vapid_len = 0;
	bool ok = true;

	*fd = -1;
	if (!conf_needs_outd(conf))
		return true;
	if (conf->outd.ca_file[0] != '\0')
		ok = read_authorities(conf->outd.ca_file, &ca, &ca_len);
	if (ok && conf->oauth.client_secret_file[0] != '\0')
		ok = read_secret(conf->oauth.client_secret_file, &secret, &secret_len);
	if (ok && conf->push.vapid_key_file[0] != '\0')
		ok = read_vapid(conf->push.vapid_key_file, &vapid, &vapid_len, NULL);
	if (ok) {
		authorities.chain = span(ca, ca_len);
		oauth.key = span(secret, secret_len);
		push.key = span(vapid, vapid_len);
		cert_pem_put(&blob, &authorities);
		cert_pem_put(&blob, &oauth);
		cert_pem_put(&blob, &push);
		*fd = fd_sealed("secrets", blob.data, blob.len);
		ok = *fd >= 0;
	}
	if (secret != NULL)
		mem_wipe(secret, secret_len);
	if (vapid != NULL)
		mem_wipe(vapid, vapid_len);
	mem_free(&ca);
	mem_free(&secret);
	mem_free(&vapid);
	buf_fini_secret(&blob);
	return ok;
}

bool
sealed_submit(const struct mansio_conf *conf, int *fd)
{
	struct cert_pem authorities = { .name = SPAN_LIT("ca") }, login = { .name = SPAN_LIT("password") };
	char *ca = NULL, *password = NULL;
	struct buf blob = { 0 };
	size_t ca_len = 0, password_len = 0;
	bool ok = true;

	*fd = -1;
	if (!conf_sends(conf))
		return true;
	if (conf->outgoing.ca_file[0] != '\0')
		ok = read_authorities(conf->outgoing.ca_file, &ca, &ca_len);
	if (ok && conf->outgoing.password_file[0] != '\0')
		ok = read_secret(conf->outgoing.password_file, &password, &password_len);
	if (ok) {
		authorities.chain = span(ca, ca_len);
		login.key = span(password, password_len);
		cert_pem_put(&blob, &authorities);
		cert_pem_put(&blob, &login);
		*fd = fd_sealed("submit", blob.data, blob.len);
		ok = *fd >= 0;
	}
	if (password != NULL)
		mem_wipe(password, password_len);
	mem_free(&ca);
	mem_free(&password);
	buf_fini_secret(&blob);
	return ok;
}
