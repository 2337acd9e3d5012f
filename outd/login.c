#include "outd/login.h"

#include <string.h>

#include "common/crypto/digest.h"
#include "common/crypto/encode.h"
#include "common/crypto/random.h"
#include "common/proto/sasl.h"
#include "common/proto/smtp_client.h"
#include "common/util/mem.h"

struct login {
	unsigned	how;		/* SMTP_AUTH_... */
	struct span	user, password;
	unsigned	steps;
	struct buf	nonce, bare;	/* of SCRAM: ours, client-first-message-bare */
	unsigned char	signature[SHA256_LEN];	/* that the server must show */
	bool		signed_;
};

struct login *
login_new(unsigned offered, struct span user, struct span password)
{
	static const unsigned best[] = { SMTP_AUTH_SCRAM_SHA_256, SMTP_AUTH_PLAIN, SMTP_AUTH_LOGIN };

	for (size_t i = 0; i < ARRAY_LEN(best); i++)
		if (offered & best[i]) {
			struct login *l = mem_zalloc(sizeof(*l));

			l->how = best[i];
			l->user = user;
			l->password = password;
			return l;
		}
	return NULL;
}

void
login_free(struct login **lp)
{
	struct login *l = *lp;

	if (l == NULL)
		return;
	buf_fini(&l->nonce);
	buf_fini(&l->bare);
	mem_wipe(l->signature, sizeof(l->signature));
	mem_free(lp);
}

const char *
login_name(const struct login *l)
{
	return l->how == SMTP_AUTH_PLAIN ? "PLAIN" : l->how == SMTP_AUTH_LOGIN ? "LOGIN" :
	    "SCRAM-SHA-256";
}

/* SCRAM ------------------------------------------------------------------------ */

static void
put_saslname(struct span s, struct buf *out)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == ',')
			buf_add_str(out, "=2C");
		else if (s.p[i] == '=')
			buf_add_str(out, "=3D");
		else
			buf_add_c(out, s.p[i]);
	}
}

static void
scram_first(struct login *l, struct buf *out)
{
	unsigned char random[18];

	random_bytes(random, sizeof(random));
	base64_encode(span(random, sizeof(random)), &l->nonce);
	buf_add_str(&l->bare, "n=");
	put_saslname(l->user, &l->bare);
	buf_add_str(&l->bare, ",r=");
	buf_add_span(&l->bare, buf_span(&l->nonce));
	buf_add_str(out, "n,,");
	buf_add_span(out, buf_span(&l->bare));
}

/* "r=nonce,s=salt,i=rounds", cut at commas. */
static bool
read_server_first(struct span in, struct span *nonce, struct buf *salt, uint32_t *rounds)
{
	struct span r = span_cut(&in, ','), s = span_cut(&in, ','), i = span_cut(&in, ',');

	if (!span_has_prefix(r, "r=") || !span_has_prefix(s, "s=") || !span_has_prefix(i, "i="))
		return false;
	*nonce = span_sub(r, 2, r.len);
	return base64_decode(span_sub(s, 2, s.len), 256, salt) &&
	    span_u32(span_sub(i, 2, i.len), rounds) && *rounds > 0 && *rounds <= LOGIN_ROUNDS_MAX;
}

/* The proof, and what the server will have to show. */
static void
prove(struct login *l, struct span salt, uint32_t rounds, struct span auth, unsigned char proof[SHA256_LEN])
{
	unsigned char salted[SHA256_LEN], key[SHA256_LEN], stored[SHA256_LEN];

	pbkdf2(DIGEST_SHA256, l->password, salt, rounds, salted, sizeof(salted));
	hmac_sha256(span(salted, sizeof(salted)), SPAN_LIT("Server Key"), key);
	hmac_sha256(span(key, sizeof(key)), auth, l->signature);
	hmac_sha256(span(salted, sizeof(salted)), SPAN_LIT("Client Key"), key);
	sha256(span(key, sizeof(key)), stored);
	hmac_sha256(span(stored, sizeof(stored)), auth, proof);
	for (size_t i = 0; i < SHA256_LEN; i++)
		proof[i] ^= key[i];
	mem_wipe(salted, sizeof(salted));
	mem_wipe(key, sizeof(key));
}

static bool
scram_final(struct login *l, struct span in, struct buf *out)
{
	struct buf salt = { 0 }, auth = { 0 }, end = { 0 };
	unsigned char proof[SHA256_LEN];
	struct span nonce, ours = buf_span(&l->nonce);
	uint32_t rounds;
	bool ok = read_server_first(in, &nonce, &salt, &rounds) && nonce.len > ours.len &&
	    span_eq(span_sub(nonce, 0, ours.len), ours);

	if (ok) {
		buf_add_str(&end, "c=biws,r=");
		buf_add_span(&end, nonce);
		buf_add_span(&auth, buf_span(&l->bare));
		buf_add_c(&auth, ',');
		buf_add_span(&auth, in);
		buf_add_c(&auth, ',');
		buf_add_span(&auth, buf_span(&end));
		prove(l, buf_span(&salt), rounds, buf_span(&auth), proof);
		buf_add_span(out, buf_span(&end));
		buf_add_str(out, ",p=");
		base64_encode(span(proof, sizeof(proof)), out);
	}
	buf_fini(&salt);
	buf_fini(&auth);
	buf_fini(&end);
	return ok;
}

static bool
scram_verify(struct login *l, struct span in)
{
	struct span v = span_cut(&in, ',');
	struct buf got = { 0 };

	l->signed_ = span_has_prefix(v, "v=") && base64_decode(span_sub(v, 2, v.len), SHA256_LEN, &got) &&
	    span_eq(buf_span(&got), span(l->signature, SHA256_LEN));
	buf_fini(&got);
	return l->signed_;
}

/* The exchange ----------------------------------------------------------------- */

bool
login_first(struct login *l, struct buf *out)
{
	const struct sasl_plain plain = { .authcid = l->user, .password = l->password };

	if (l->how == SMTP_AUTH_LOGIN)
		return false;
	if (l->how == SMTP_AUTH_PLAIN)
		sasl_plain_put(out, &plain);
	else
		scram_first(l, out);
	return true;
}

bool
login_step(struct login *l, struct span challenge, struct buf *out)
{
	unsigned step = l->steps++;

	if (l->how == SMTP_AUTH_PLAIN || step > 1)
		return false;
	if (l->how == SMTP_AUTH_LOGIN)
		buf_add_span(out, step == 0 ? l->user : l->password);
	else
		return step == 0 ? scram_final(l, challenge, out) : scram_verify(l, challenge);
	return true;
}

bool
login_good(const struct login *l)
{
	return l->how != SMTP_AUTH_SCRAM_SHA_256 || l->signed_;
}
