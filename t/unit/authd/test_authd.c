/* authd whole, over socket pairs, with a directory in memory. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "authd/scheme.h"
#include "common/crypto/encode.h"
#include "common/json/json.h"
#include "common/util/clock.h"
#include "common/util/mem.h"
#include "storage/api/store_proto.h"
#include "world.h"

static struct world w;

static void
start(void)
{
	world_start(&w, world_conf());
	assert_int_equal(world_admin(&w, "account-add",
	    "{\"address\":\"Alice@Example.ORG\",\"password\":\"secret\"}"), ST_OK);
	assert_int_equal(world_admin(&w, "account-add",
	    "{\"address\":\"bob@example.org\",\"password\":\"other\"}"), ST_OK);
}

static void
the_right_password_gets_a_ticket_and_a_wrong_one_does_not(void **state)
{
	struct ticket t;

	start();
	assert_int_equal(world_plain(&w, "", "alice@example.org", "secret"), ST_OK);
	assert_string_equal(w.user.data, "alice@example.org");
	assert_int_equal(ticket_verify(&w.a->keys, buf_span(&w.ticket), &t), ST_OK);
	assert_int_equal(t.account, 1);
	assert_int_equal(t.shard, 1);
	assert_int_equal(t.slot, 1);
	assert_int_equal(t.generation, 1001);
	assert_int_equal(world_plain(&w, "", "ALICE@example.org", "secret"), ST_OK);
	assert_int_equal(world_plain(&w, "", "alice@example.org", "Secret"), ST_DENIED);
	assert_int_equal(w.reason, AUTH_WHY_CREDENTIALS);
	assert_int_equal(world_plain(&w, "", "nobody@example.org", "secret"), ST_DENIED);
	assert_int_equal(w.reason, AUTH_WHY_CREDENTIALS);
	assert_int_equal(world_plain(&w, "", "no address", "secret"), ST_DENIED);
	assert_int_equal(w.reason, AUTH_WHY_CREDENTIALS);
	world_stop(&w);
}

static void
a_verified_login_is_remembered_until_the_password_changes(void **state)
{
	uint64_t hashed;

	start();
	assert_int_equal(world_plain(&w, "", "alice@example.org", "secret"), ST_OK);
	hashed = w.a->count.hashed;
	assert_int_equal(world_plain(&w, "", "alice@example.org", "secret"), ST_OK);
	assert_int_equal(w.a->count.hashed, hashed);
	assert_int_equal(world_admin(&w, "account-password",
	    "{\"address\":\"alice@example.org\",\"password\":\"new\"}"), ST_OK);
	world_spin(&w);
	assert_int_equal(w.revoked, 2);
	assert_int_equal(w.voided, 2);
	assert_int_equal(w.gone, 1);
	assert_int_equal(world_plain(&w, "", "alice@example.org", "secret"), ST_DENIED);
	assert_int_equal(world_plain(&w, "", "alice@example.org", "new"), ST_OK);
	world_stop(&w);
}

static void
passwords_are_not_taken_in_the_clear(void **state)
{
	start();
	assert_int_equal(world_start_exchange(&w, "PLAIN", "x", AUTH_IR, SPAN_NONE), ST_UNSUPPORTED);
	assert_int_equal(w.reason, AUTH_WHY_CLEARTEXT);
	assert_int_equal(world_start_exchange(&w, "LOGIN", "", 0, SPAN_NONE), ST_UNSUPPORTED);
	assert_int_equal(w.reason, AUTH_WHY_CLEARTEXT);
	assert_int_equal(world_start_exchange(&w, "LOGIN", "", AUTH_CLEAR_OK, SPAN_NONE), ST_OK);
	assert_string_equal(w.data.data, "Username:");
	assert_int_equal(world_step(&w, SPAN_LIT("alice@example.org")), ST_OK);
	assert_string_equal(w.data.data, "Password:");
	assert_int_equal(world_step(&w, SPAN_LIT("secret")), ST_OK);
	assert_string_equal(w.user.data, "alice@example.org");
	assert_int_equal(world_start_exchange(&w, "CRAM-MD5", "", AUTH_TLS, SPAN_NONE), ST_UNSUPPORTED);
	assert_int_equal(world_start_exchange(&w, "PLAIN", "junk", AUTH_TLS | AUTH_IR, SPAN_NONE),
	    ST_SYNTAX);
	world_stop(&w);
}

static void
on_names(void *arg, enum status st, struct span names)
{
	buf_clear(&w.names);
	buf_add_span(&w.names, names);
	buf_cstr(&w.names);
	w.answered = true;
}

static void
mechanisms_follow_the_connection(void **state)
{
	start();
	(void)auth_mechanisms(w.imap, AUTH_TLS, on_names, NULL);
	world_wait(&w, &w.answered);
	assert_string_equal(w.names.data, "SCRAM-SHA-256-PLUS SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN");
	(void)auth_mechanisms(w.imap, 0, on_names, NULL);
	world_wait(&w, &w.answered);
	assert_string_equal(w.names.data, "SCRAM-SHA-256 SCRAM-SHA-1");
	(void)auth_mechanisms(w.imap, AUTH_CLEAR_OK, on_names, NULL);
	world_wait(&w, &w.answered);
	assert_string_equal(w.names.data, "SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN");
	world_stop(&w);
}

/* The client's side of SCRAM; returns the status of the last step. */
static enum status
scram(const char *mech, const char *gs2, const char *user, const char *password, struct span binding,
    struct span said_binding, unsigned flags)
{
	enum digest_alg alg = strstr(mech, "256") != NULL ? DIGEST_SHA256 : DIGEST_SHA1;
	unsigned char stored[DIGEST_MAX], server[DIGEST_MAX], salted[DIGEST_MAX], ck[DIGEST_MAX];
	unsigned char sig[DIGEST_MAX];
	struct buf bare = { 0 }, first = { 0 }, message = { 0 }, final = { 0 }, salt = { 0 };
	struct buf b64 = { 0 }, want = { 0 };
	size_t n = digest_len(alg);
	struct span rest, nonce, s, i;
	uint32_t rounds;
	enum status st;

	buf_addf(&bare, "n=%s,r=clientnonce", user);
	buf_add_str(&first, gs2);
	buf_add_span(&first, buf_span(&bare));
	st = world_start_exchange(&w, mech, buf_cstr(&first), flags | AUTH_IR, binding);
	if (st != ST_OK)
		goto out;
	rest = buf_span(&w.data);
	nonce = span_cut(&rest, ',');
	s = span_cut(&rest, ',');
	i = rest;
	assert_true(span_has_prefix(nonce, "r=clientnonce"));
	assert_true(base64_decode(span_sub(s, 2, s.len), 64, &salt));
	assert_int_equal(salt.len, SCRAM_SALT_LEN);
	assert_true(span_u32(span_sub(i, 2, i.len), &rounds));
	buf_add_str(&b64, gs2);
	buf_add_span(&b64, said_binding);
	buf_add_str(&final, "c=");
	base64_encode(buf_span(&b64), &final);
	buf_add_c(&final, ',');
	buf_add_span(&final, nonce);
	buf_add_span(&message, buf_span(&bare));
	buf_add_c(&message, ',');
	buf_add_span(&message, buf_span(&w.data));
	buf_add_c(&message, ',');
	buf_add_span(&message, buf_span(&final));
	scram_keys(alg, span_str(password), buf_span(&salt), rounds, stored, server);
	pbkdf2(alg, span_str(password), buf_span(&salt), rounds, salted, n);
	hmac(alg, span(salted, n), SPAN_LIT("Client Key"), ck);
	hmac(alg, span(stored, n), buf_span(&message), sig);
	for (size_t k = 0; k < n; k++)
		ck[k] ^= sig[k];
	buf_add_str(&final, ",p=");
	base64_encode(span(ck, n), &final);
	st = world_step(&w, buf_span(&final));
	if (st == ST_OK) {
		scram_server_signature(alg, span(server, n), buf_span(&message), sig);
		buf_add_str(&want, "v=");
		base64_encode(span(sig, n), &want);
		assert_string_equal(w.data.data, buf_cstr(&want));
	}
out:
	buf_fini(&bare);
	buf_fini(&first);
	buf_fini(&message);
	buf_fini(&final);
	buf_fini(&salt);
	buf_fini(&b64);
	buf_fini(&want);
	return st;
}

static void
scram_proves_both_sides(void **state)
{
	struct span tls = SPAN_LIT("0123456789abcdef0123456789abcdef");

	start();
	assert_int_equal(scram("SCRAM-SHA-256", "n,,", "alice@example.org", "secret", SPAN_NONE,
	    SPAN_NONE, 0), ST_OK);
	assert_string_equal(w.user.data, "alice@example.org");
	assert_int_equal(scram("SCRAM-SHA-1", "n,,", "alice@example.org", "secret", SPAN_NONE,
	    SPAN_NONE, 0), ST_OK);
	assert_int_equal(scram("SCRAM-SHA-256", "n,,", "alice@example.org", "wrong", SPAN_NONE,
	    SPAN_NONE, 0), ST_DENIED);
	assert_string_equal(w.data.data, "e=invalid-proof");
	/* alike for nobody, with the same salt each time */
	assert_int_equal(scram("SCRAM-SHA-256", "n,,", "nobody@example.org", "wrong", SPAN_NONE,
	    SPAN_NONE, 0), ST_DENIED);
	assert_string_equal(w.data.data, "e=invalid-proof");
	/* bound to the channel */
	assert_int_equal(scram("SCRAM-SHA-256-PLUS", "p=tls-exporter,,", "alice@example.org", "secret",
	    tls, tls, AUTH_TLS), ST_OK);
	assert_int_equal(scram("SCRAM-SHA-256-PLUS", "p=tls-exporter,,", "alice@example.org", "secret",
	    tls, SPAN_LIT("another"), AUTH_TLS), ST_DENIED);
	assert_string_equal(w.data.data, "e=channel-bindings-dont-match");
	assert_int_equal(scram("SCRAM-SHA-256-PLUS", "p=tls-unique,,", "alice@example.org", "secret",
	    tls, tls, AUTH_TLS), ST_SYNTAX);
	assert_string_equal(w.data.data, "e=unsupported-channel-binding-type");
	assert_int_equal(scram("SCRAM-SHA-256-PLUS", "n,,", "alice@example.org", "secret", tls, tls,
	    AUTH_TLS), ST_SYNTAX);
	assert_int_equal(scram("SCRAM-SHA-256-PLUS", "p=tls-exporter,,", "alice@example.org", "secret",
	    SPAN_NONE, SPAN_NONE, 0), ST_UNSUPPORTED);
	/* somebody struck -PLUS from the list */
	assert_int_equal(scram("SCRAM-SHA-256", "y,,", "alice@example.org", "secret", tls, SPAN_NONE,
	    AUTH_TLS), ST_SYNTAX);
	assert_string_equal(w.data.data, "e=server-does-support-channel-binding");
	assert_int_equal(scram("SCRAM-SHA-256", "y,,", "alice@example.org", "secret", SPAN_NONE,
	    SPAN_NONE, 0), ST_OK);
	world_stop(&w);
}

static void
start_with_passwd_file(uint8_t scram, const char *path)
{
	static const uint8_t order[] = { CONF_BACKEND_INTERNAL, CONF_BACKEND_PASSWD_FILE };
	struct mansio_conf *c = world_conf();

	c->auth.backends = (struct conf_enums){ order, 2 };
	c->auth.scram = scram;
	c->passwd_file.path = path;
	world_start(&w, c);
	assert_int_equal(world_admin(&w, "account-add",
	    "{\"address\":\"alice@example.org\",\"password\":\"secret\"}"), ST_OK);
}

static void
scram_is_offered_where_all_users_have_its_keys(void **state)
{
	char path[] = "/tmp/mansio-passwd.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_true(write(fd, "carol@example.org:{PLAIN}pw\n", 28) == 28);
	close(fd);
	start_with_passwd_file(CONF_SCRAM_AUTO, path);
	(void)auth_mechanisms(w.imap, AUTH_TLS, on_names, NULL);
	world_wait(&w, &w.answered);
	assert_string_equal(w.names.data, "PLAIN LOGIN");
	assert_int_equal(scram("SCRAM-SHA-256", "n,,", "alice@example.org", "secret", SPAN_NONE,
	    SPAN_NONE, AUTH_TLS), ST_UNSUPPORTED);
	assert_int_equal(world_plain(&w, "", "carol@example.org", "pw"), ST_OK);
	world_stop(&w);
	start_with_passwd_file(CONF_SCRAM_ALWAYS, path);
	(void)auth_mechanisms(w.imap, AUTH_TLS, on_names, NULL);
	world_wait(&w, &w.answered);
	assert_string_equal(w.names.data, "SCRAM-SHA-256-PLUS SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN");
	assert_int_equal(scram("SCRAM-SHA-256", "n,,", "alice@example.org", "secret", SPAN_NONE,
	    SPAN_NONE, AUTH_TLS), ST_OK);
	/* another's user and nobody: as a wrong password */
	assert_int_equal(scram("SCRAM-SHA-256", "n,,", "carol@example.org", "pw", SPAN_NONE,
	    SPAN_NONE, AUTH_TLS), ST_DENIED);
	assert_string_equal(w.data.data, "e=invalid-proof");
	assert_int_equal(scram("SCRAM-SHA-256", "n,,", "nobody@example.org", "pw", SPAN_NONE,
	    SPAN_NONE, AUTH_TLS), ST_DENIED);
	assert_string_equal(w.data.data, "e=invalid-proof");
	world_stop(&w);
	unlink(path);
}

/* RFC 4013: U+2168 is IX, a soft hyphen is nothing, U+1680 is a space. */
static void
names_and_passwords_are_compared_prepared(void **state)
{
	start();
	assert_int_equal(world_admin(&w, "account-add",
	    "{\"address\":\"roman@example.org\",\"password\":\"\u2168\u00ad pw\"}"), ST_OK);
	assert_int_equal(world_plain(&w, "", "roman@example.org", "IX pw"), ST_OK);
	assert_int_equal(world_plain(&w, "", "ro\u00adman@example.org", "\u2168\u1680pw"), ST_OK);
	assert_string_equal(w.user.data, "roman@example.org");
	assert_int_equal(world_plain(&w, "", "roman@example.org", "IXpw"), ST_DENIED);
	assert_int_equal(world_plain(&w, "", "roman@example.org", "\xff"), ST_DENIED);
	assert_int_equal(scram("SCRAM-SHA-256", "n,,", "ro\u00adman@example.org", "IX pw", SPAN_NONE,
	    SPAN_NONE, 0), ST_OK);
	assert_int_equal(world_admin(&w, "account-password",
	    "{\"address\":\"roman@example.org\",\"password\":\"a\\u0007\"}"), ST_SYNTAX);
	assert_non_null(strstr(w.result.data, "RFC 4013"));
	assert_int_equal(world_admin(&w, "account-add", "{\"address\":\"\u2168@example.org\"}"),
	    ST_SYNTAX);
	world_stop(&w);
}

static enum status
external(const char *identities, const char *authzid)
{
	w.identities = span_str(identities);
	return world_start_exchange(&w, "EXTERNAL", authzid, AUTH_TLS | AUTH_IR, SPAN_NONE);
}

static void
start_with_certificates(uint8_t which)
{
	static const uint8_t mechs[] = { CONF_MECH_PLAIN, CONF_MECH_EXTERNAL };
	struct mansio_conf *c = world_conf();

	c->auth.mechanisms = (struct conf_enums){ mechs, 2 };
	c->auth.certificate_name = which;
	c->tls.client_ca = "/some/ca.pem";
	world_start(&w, c);
	assert_int_equal(world_admin(&w, "account-add", "{\"address\":\"alice@example.org\"}"), ST_OK);
	assert_int_equal(world_admin(&w, "account-add", "{\"address\":\"bob@example.org\"}"), ST_OK);
}

static void
the_name_in_a_good_certificate_opens_its_account(void **state)
{
	static const char alice[] = "email Alice@Example.ORG\ncn bob@example.org\nuid alice\n";

	start_with_certificates(CONF_CERT_EMAIL);
	(void)auth_mechanisms(w.imap, AUTH_TLS, on_names, NULL);
	world_wait(&w, &w.answered);
	assert_string_equal(w.names.data, "EXTERNAL PLAIN");
	(void)auth_mechanisms(w.imap, AUTH_CLEAR_OK, on_names, NULL);
	world_wait(&w, &w.answered);
	assert_string_equal(w.names.data, "PLAIN");
	assert_int_equal(external(alice, ""), ST_OK);
	assert_string_equal(w.user.data, "alice@example.org");
	assert_int_equal(external(alice, "alice@example.org"), ST_OK);
	assert_int_equal(external(alice, "bob@example.org"), ST_DENIED);
	assert_int_equal(w.reason, AUTH_WHY_AUTHZ);
	/* of two the one that is asked for */
	assert_int_equal(external("email alice@example.org\nemail bob@example.org\n", ""), ST_OK);
	assert_string_equal(w.user.data, "alice@example.org");
	assert_int_equal(external("email alice@example.org\nemail bob@example.org\n",
	    "bob@example.org"), ST_OK);
	assert_string_equal(w.user.data, "bob@example.org");
	/* no such name, nobody, no certificate, no encryption */
	assert_int_equal(external("cn alice@example.org\n", ""), ST_DENIED);
	assert_int_equal(external("email carol@example.org\n", ""), ST_DENIED);
	assert_int_equal(w.reason, AUTH_WHY_CREDENTIALS);
	assert_int_equal(external("", ""), ST_UNSUPPORTED);
	w.identities = span_str(alice);
	assert_int_equal(world_start_exchange(&w, "EXTERNAL", "", AUTH_CLEAR_OK | AUTH_IR, SPAN_NONE),
	    ST_UNSUPPORTED);
	/* without an initial response it is asked for */
	assert_int_equal(world_start_exchange(&w, "EXTERNAL", "", AUTH_TLS, SPAN_NONE), ST_OK);
	assert_int_equal(world_step(&w, SPAN_NONE), ST_OK);
	assert_string_equal(w.user.data, "alice@example.org");
	assert_int_equal(world_admin(&w, "account-set",
	    "{\"address\":\"alice@example.org\",\"disabled\":true}"), ST_OK);
	assert_int_equal(external(alice, ""), ST_DENIED);
	assert_int_equal(w.reason, AUTH_WHY_DISABLED);
	world_stop(&w);
	start_with_certificates(CONF_CERT_CN);
	assert_int_equal(external(alice, ""), ST_OK);
	assert_string_equal(w.user.data, "bob@example.org");
	world_stop(&w);
}

static void
the_salt_of_nobody_is_always_the_same(void **state)
{
	char first[256], *a, *b;

	start();
	assert_int_equal(world_start_exchange(&w, "SCRAM-SHA-256", "n,,n=nobody@example.org,r=x",
	    AUTH_IR, SPAN_NONE), ST_OK);
	snprintf(first, sizeof(first), "%s", w.data.data);
	assert_int_equal(world_start_exchange(&w, "SCRAM-SHA-256", "n,,n=NObody@example.org,r=x",
	    AUTH_IR, SPAN_NONE), ST_OK);
	a = strstr(first, ",s=");
	b = strstr(w.data.data, ",s=");
	assert_non_null(a);
	assert_string_equal(a, b);
	assert_string_not_equal(first, w.data.data);	/* the nonce is fresh */
	world_stop(&w);
}

static void
master_users_act_as_others_and_nobody_else_does(void **state)
{
	static const char *const masters[] = { "alice@example.org" };
	struct mansio_conf *c = world_conf();

	c->auth.master_users = (struct conf_strings){ masters, 1 };
	world_start(&w, c);
	world_admin(&w, "account-add", "{\"address\":\"alice@example.org\",\"password\":\"secret\"}");
	world_admin(&w, "account-add", "{\"address\":\"bob@example.org\",\"password\":\"other\"}");
	assert_int_equal(world_plain(&w, "bob@example.org", "alice@example.org", "secret"), ST_OK);
	assert_string_equal(w.user.data, "bob@example.org");
	assert_int_equal(w.account, 2);
	assert_int_equal(world_plain(&w, "bob@example.org", "bob@example.org", "other"), ST_OK);
	assert_int_equal(world_plain(&w, "alice@example.org", "bob@example.org", "other"), ST_DENIED);
	assert_int_equal(w.reason, AUTH_WHY_AUTHZ);
	assert_int_equal(world_plain(&w, "carol@example.org", "alice@example.org", "secret"), ST_DENIED);
	assert_int_equal(w.reason, AUTH_WHY_AUTHZ);
	world_stop(&w);
}

static void
addresses_lead_where_the_directory_says(void **state)
{
	static const struct { const char *address, *user, *detail; } table[] = {
		{ "alice@example.org", "alice@example.org", "" },
		{ "ALICE@EXAMPLE.org", "alice@example.org", "" },
		{ "al@example.org", "alice@example.org", "" },
		{ "alice+news@example.org", "alice@example.org", "news" },
		{ "al+news+x@example.org", "alice@example.org", "news+x" },
		{ "alice@alias.example", "alice@example.org", "" },
		{ "al+y@alias.example", "alice@example.org", "y" },
		{ "carol@example.org", NULL, NULL },
		{ "carol@caught.example", "bob@example.org", "" },
		{ "+x@example.org", NULL, NULL },
		{ "alice@other.example", NULL, NULL },
		{ "alice", NULL, NULL },
		{ "root", "root", "" },
		{ "two words@example.org", NULL, NULL },
	};

	start();
	assert_int_equal(world_admin(&w, "account-add", "{\"address\":\"root\"}"), ST_OK);
	assert_int_equal(world_admin(&w, "alias-add",
	    "{\"alias\":\"al@example.org\",\"address\":\"alice@example.org\"}"), ST_OK);
	assert_int_equal(world_admin(&w, "domain-alias",
	    "{\"alias\":\"alias.example\",\"domain\":\"example.org\"}"), ST_OK);
	assert_int_equal(world_admin(&w, "domain-add", "{\"domain\":\"caught.example\"}"), ST_OK);
	assert_int_equal(world_admin(&w, "catch-all",
	    "{\"domain\":\"caught.example\",\"address\":\"bob@example.org\"}"), ST_OK);
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		enum status st = world_rcpt(&w, table[i].address, false);

		if (table[i].user == NULL) {
			assert_int_equal(st, ST_NOT_FOUND);
			continue;
		}
		assert_int_equal(st, ST_OK);
		assert_string_equal(w.user.data, table[i].user);
		assert_string_equal(w.detail.data, table[i].detail);
		assert_int_equal(w.ticket.len, TICKET_LEN);
	}
	assert_int_equal(world_rcpt(&w, "alice@example.org", true), ST_OK);
	assert_int_equal(w.ticket.len, 0);
	/* an alias of a domain is good for logins, one of an address is not */
	assert_int_equal(world_plain(&w, "", "alice@alias.example", "secret"), ST_OK);
	assert_int_equal(world_plain(&w, "", "al@example.org", "secret"), ST_DENIED);
	assert_int_equal(world_plain(&w, "", "alice+x@example.org", "secret"), ST_DENIED);
	world_stop(&w);
}

static void
spares_are_tickets_of_their_own_and_taken_back_when_anything_changed(void **state)
{
	start();
	assert_int_equal(world_rcpt(&w, "alice@example.org", false), ST_OK);
	assert_int_equal(w.spares.len, 0);
	assert_int_equal(world_rcpt_spares(&w, "alice@example.org", 3), ST_OK);
	assert_int_equal(w.spares.len, 3 * TICKET_LEN);
	for (size_t i = 0; i < 3; i++) {
		assert_memory_not_equal(w.spares.data + i * TICKET_LEN, w.ticket.data, TICKET_LEN);
		assert_memory_not_equal(w.spares.data + i * TICKET_LEN,
		    w.spares.data + (i + 1) % 3 * TICKET_LEN, TICKET_LEN);
	}
	assert_int_equal(world_rcpt_spares(&w, "nobody@example.org", 3), ST_NOT_FOUND);
	world_spin(&w);
	assert_int_equal(w.lmtp_changed, 0);
	assert_int_equal(world_admin(&w, "account-delete", "{\"address\":\"alice@example.org\"}"), ST_OK);
	world_spin(&w);
	assert_int_equal(w.lmtp_changed, 1);
	/* who was given none since is told nothing */
	assert_int_equal(world_admin(&w, "account-undelete", "{\"address\":\"alice@example.org\"}"), ST_OK);
	world_spin(&w);
	assert_int_equal(w.lmtp_changed, 1);
	world_stop(&w);
}

static void
deleted_accounts_come_back_with_everything(void **state)
{
	start();
	assert_int_equal(world_plain(&w, "", "alice@example.org", "secret"), ST_OK);
	assert_int_equal(world_admin(&w, "account-delete", "{\"address\":\"alice@example.org\"}"), ST_OK);
	world_spin(&w);
	assert_int_equal(w.revoked, 1);
	assert_int_equal(world_renew(&w, buf_span(&w.ticket)), ST_DENIED);
	assert_int_equal(world_plain(&w, "", "alice@example.org", "secret"), ST_DENIED);
	assert_int_equal(w.reason, AUTH_WHY_CREDENTIALS);
	assert_int_equal(world_rcpt(&w, "alice@example.org", true), ST_NOT_FOUND);
	assert_int_equal(world_admin(&w, "account-add", "{\"address\":\"alice@example.org\"}"), ST_EXISTS);
	assert_int_equal(world_admin(&w, "account-undelete", "{\"address\":\"alice@example.org\"}"), ST_OK);
	assert_int_equal(world_plain(&w, "", "alice@example.org", "secret"), ST_OK);
	assert_int_equal(w.account, 1);
	assert_int_equal(world_admin(&w, "account-set",
	    "{\"address\":\"alice@example.org\",\"disabled\":true}"), ST_OK);
	world_spin(&w);
	assert_int_equal(w.revoked, 2);
	assert_int_equal(world_plain(&w, "", "alice@example.org", "secret"), ST_DENIED);
	assert_int_equal(w.reason, AUTH_WHY_DISABLED);
	assert_int_equal(world_rcpt(&w, "alice@example.org", true), ST_OK);	/* mail is taken */
	world_stop(&w);
}

static void
app_passwords_open_their_protocols_alone(void **state)
{
	char password[64], *p;

	start();
	assert_int_equal(world_admin(&w, "app-password-add",
	    "{\"address\":\"alice@example.org\",\"label\":\"phone\",\"protocols\":[\"imap\"]}"), ST_OK);
	p = strstr(w.result.data, "\"password\":\"");
	assert_non_null(p);
	snprintf(password, sizeof(password), "%.26s", p + 12);
	assert_int_equal(world_plain(&w, "", "alice@example.org", password), ST_OK);
	/* remembered from the cache it is the same */
	assert_int_equal(world_plain(&w, "", "alice@example.org", password), ST_OK);
	assert_int_equal(world_plain(&w, "", "alice@example.org", "secret"), ST_OK);
	assert_int_equal(world_admin(&w, "app-password-list", "{\"address\":\"alice@example.org\"}"), ST_OK);
	assert_non_null(strstr(w.result.data, "\"label\":\"phone\""));
	assert_null(strstr(w.result.data, "\"used\":0"));
	assert_null(strstr(w.result.data, "SSHA"));
	assert_int_equal(world_admin(&w, "app-password-add",
	    "{\"address\":\"alice@example.org\",\"label\":\"phone\"}"), ST_EXISTS);
	assert_int_equal(world_admin(&w, "app-password-revoke",
	    "{\"address\":\"alice@example.org\",\"label\":\"phone\"}"), ST_OK);
	/* those who came by it have to go, the other one stays */
	world_spin(&w);
	assert_int_equal(w.revoked, 2);
	assert_int_equal(tickets_count(w.a->tickets), 1);
	assert_int_equal(world_plain(&w, "", "alice@example.org", password), ST_DENIED);
	assert_int_equal(world_admin(&w, "app-password-add",
	    "{\"address\":\"alice@example.org\",\"label\":\"pop\",\"protocols\":[\"pop3\"]}"), ST_OK);
	p = strstr(w.result.data, "\"password\":\"");
	snprintf(password, sizeof(password), "%.26s", p + 12);
	assert_int_equal(world_plain(&w, "", "alice@example.org", password), ST_DENIED);
	world_stop(&w);
}

static void
who_is_in_can_be_listed_and_sent_away(void **state)
{
	struct buf ticket = { 0 };
	struct ticket t;

	start();
	assert_int_equal(world_plain(&w, "", "alice@example.org", "secret"), ST_OK);
	buf_add_span(&ticket, buf_span(&w.ticket));
	assert_int_equal(world_admin(&w, "who", "{}"), ST_OK);
	assert_non_null(strstr(w.result.data, "\"user\":\"alice@example.org\""));
	assert_non_null(strstr(w.result.data, "\"peer\":\"192.0.2.7\""));
	assert_non_null(strstr(w.result.data, "\"program\":\"imapd\""));
	assert_int_equal(world_renew(&w, buf_span(&ticket)), ST_OK);
	assert_int_equal(ticket_verify(&w.a->keys, buf_span(&w.ticket), &t), ST_OK);
	assert_int_equal(world_admin(&w, "kick", "{}"), ST_SYNTAX);
	assert_int_equal(world_admin(&w, "kick", "{\"user\":\"bob@example.org\"}"), ST_OK);
	assert_non_null(strstr(w.result.data, "\"kicked\":0"));
	assert_int_equal(world_admin(&w, "kick", "{\"user\":\"alice@example.org\"}"), ST_OK);
	assert_non_null(strstr(w.result.data, "\"kicked\":1"));
	world_spin(&w);
	assert_int_equal(w.revoked, 2);		/* the ticket and its renewal */
	assert_int_equal(w.voided, 2);
	assert_int_equal(world_renew(&w, buf_span(&ticket)), ST_DENIED);
	assert_int_equal(world_renew(&w, buf_span(&w.ticket)), ST_DENIED);
	buf_fini(&ticket);
	world_stop(&w);
}

static void
a_logout_makes_the_ticket_void(void **state)
{
	struct ticket t;

	start();
	assert_int_equal(world_plain(&w, "", "alice@example.org", "secret"), ST_OK);
	assert_int_equal(ticket_verify(&w.a->keys, buf_span(&w.ticket), &t), ST_OK);
	auth_logout(w.imap, buf_span(&w.ticket));
	world_spin(&w);
	assert_int_equal(w.voided, 1);
	assert_memory_equal(w.last_void, t.id, TICKET_ID_LEN);
	assert_int_equal(w.revoked, 0);
	assert_int_equal(world_renew(&w, buf_span(&w.ticket)), ST_DENIED);
	assert_int_equal(tickets_count(w.a->tickets), 0);
	world_stop(&w);
}

static void
the_directory_may_go_and_come_back(void **state)
{
	int reads;

	start();
	assert_int_equal(world_rcpt(&w, "alice@example.org", true), ST_OK);
	reads = w.store->reads;
	assert_int_equal(world_rcpt(&w, "alice@example.org", true), ST_OK);
	assert_int_equal(w.store->reads, reads);	/* cached */
	fake_store_cut(w.store);
	world_spin(&w);
	assert_false(directory_is_up(w.a->dir));
	/* what it is asked meanwhile waits, and is answered by the next */
	directory_set(w.a->dir, fake_store_connect(w.store));
	assert_int_equal(world_rcpt(&w, "alice@example.org", true), ST_OK);
	assert_true(w.store->reads > reads);
	fake_store_cut(w.store);
	world_spin(&w);
	directory_flush(w.a->dir);
	assert_int_equal(world_rcpt(&w, "alice@example.org", true), ST_UNAVAILABLE);
	assert_int_equal(world_plain(&w, "", "bob@example.org", "other"), ST_UNAVAILABLE);
	assert_int_equal(w.reason, AUTH_WHY_BACKEND);
	world_stop(&w);
}

static void
a_change_by_others_is_seen_at_once(void **state)
{
	struct dir_account acc = { .id = 1, .address = SPAN_LIT("alice@example.org"), .disabled = true };
	struct buf b = { 0 };

	start();
	assert_int_equal(world_plain(&w, "", "alice@example.org", "secret"), ST_OK);
	dir_account_encode(&acc, &b);
	fake_store_put(w.store, SPAN_LIT("account/0000000000000001"), buf_span(&b));
	buf_fini(&b);
	world_spin(&w);
	assert_int_equal(world_plain(&w, "", "alice@example.org", "secret"), ST_DENIED);
	assert_int_equal(w.reason, AUTH_WHY_DISABLED);
	world_stop(&w);
}

static void
a_write_that_others_were_faster_with_is_tried_again(void **state)
{
	start();
	w.store->conflicts = 3;
	assert_int_equal(world_admin(&w, "account-add", "{\"address\":\"carol@example.org\"}"), ST_OK);
	assert_non_null(strstr(w.result.data, "\"id\":\"0000000000000003\""));
	w.store->conflicts = 100;
	assert_int_equal(world_admin(&w, "account-add", "{\"address\":\"dave@example.org\"}"),
	    ST_CONFLICT);
	world_stop(&w);
}

static void
a_cheap_hash_lets_in_like_any_other(void **state)
{
	start();
	assert_int_equal(world_admin(&w, "account-add", "{\"address\":\"carol@example.org\","
	    "\"password\":\"pass\",\"cheap\":true}"), ST_OK);
	assert_int_equal(world_plain(&w, "", "carol@example.org", "pass"), ST_OK);
	assert_int_equal(world_plain(&w, "", "carol@example.org", "word"), ST_DENIED);
	assert_int_equal(world_admin(&w, "account-add", "{\"address\":\"dave@example.org\","
	    "\"password\":\"pass\",\"cheap\":1}"), ST_SYNTAX);
	world_stop(&w);
}

static void
admind_gets_a_ticket_of_its_own_for_an_account(void **state)
{
	struct json_doc *doc = NULL;
	struct buf raw = { 0 };
	struct span hex;
	struct ticket t;

	start();
	assert_int_equal(world_admin(&w, "ticket", "{\"address\":\"bob@example.org\"}"), ST_OK);
	assert_int_equal(json_parse(buf_span(&w.result), 4096, &doc), ST_OK);
	assert_true(json_get_string(json_root(doc), "ticket", &hex));
	assert_true(hex_decode(hex, TICKET_LEN, &raw));
	assert_int_equal(ticket_verify(&w.a->keys, buf_span(&raw), &t), ST_OK);
	assert_int_equal(t.account, 2);
	assert_int_equal(t.role, STORE_ROLE_ACCESS);
	assert_int_equal(tickets_count(w.a->tickets), 1);
	assert_int_equal(world_admin(&w, "ticket", "{\"address\":\"x@example.org\"}"), ST_NOT_FOUND);
	assert_int_equal(world_admin(&w, "account-delete", "{\"address\":\"bob@example.org\"}"), ST_OK);
	assert_int_equal(tickets_count(w.a->tickets), 0);
	assert_int_equal(world_admin(&w, "ticket", "{\"address\":\"bob@example.org\"}"), ST_NOT_FOUND);
	json_free(&doc);
	buf_fini(&raw);
	world_stop(&w);
}

static void
accounts_get_rising_ids_whatever_fails_between(void **state)
{
	start();
	for (int i = 0; i < 70; i++) {
		char args[80], want[40];

		snprintf(args, sizeof(args), "{\"address\":\"u%d@example.org\"}", i);
		snprintf(want, sizeof(want), "\"id\":\"%016x\"", i + 3);
		assert_int_equal(world_admin(&w, "account-add", args), ST_OK);
		assert_non_null(strstr(w.result.data, want));
		assert_int_equal(world_admin(&w, "account-add", args), ST_EXISTS);
	}
	world_stop(&w);
}

static void
admin_answers_errors_with_one_line(void **state)
{
	static const struct { const char *command, *args; enum status st; } table[] = {
		{ "no-such", "{}", ST_UNSUPPORTED },
		{ "account-add", "[]", ST_SYNTAX },
		{ "account-add", "{", ST_SYNTAX },
		{ "account-add", "{}", ST_SYNTAX },
		{ "account-add", "{\"address\":\"x y\"}", ST_SYNTAX },
		{ "account-add", "{\"address\":\"x@example.org\",\"colour\":1}", ST_SYNTAX },
		{ "account-add", "{\"address\":\"x@example.org\",\"password\":\"\"}", ST_SYNTAX },
		{ "account-add", "{\"address\":\"x@example.org\",\"shard\":99}", ST_SYNTAX },
		{ "account-add", "{\"address\":\"alice@example.org\"}", ST_EXISTS },
		{ "account-delete", "{\"address\":\"x@example.org\"}", ST_NOT_FOUND },
		{ "account-undelete", "{\"address\":\"alice@example.org\"}", ST_NOT_FOUND },
		{ "account-password", "{\"address\":\"alice@example.org\"}", ST_SYNTAX },
		{ "account-password", "{\"address\":\"x@example.org\",\"password\":\"p\"}", ST_NOT_FOUND },
		{ "account-list", "{\"limit\":0}", ST_SYNTAX },
		{ "domain-add", "{\"domain\":\"example.org\"}", ST_EXISTS },
		{ "domain-add", "{\"domain\":\"a@b\"}", ST_SYNTAX },
		{ "domain-delete", "{\"domain\":\"example.org\"}", ST_CONFLICT },
		{ "domain-delete", "{\"domain\":\"none.example\"}", ST_NOT_FOUND },
		{ "domain-alias", "{\"domain\":\"example.org\",\"alias\":\"example.org\"}", ST_CONFLICT },
		{ "catch-all", "{\"domain\":\"example.org\",\"address\":\"x@example.org\"}", ST_NOT_FOUND },
		{ "alias-add", "{\"alias\":\"a@none.example\",\"address\":\"bob@example.org\"}", ST_NOT_FOUND },
		{ "alias-add", "{\"alias\":\"bob@example.org\",\"address\":\"bob@example.org\"}", ST_EXISTS },
		{ "alias-delete", "{\"alias\":\"bob@example.org\"}", ST_NOT_FOUND },
		{ "app-password-revoke", "{\"address\":\"bob@example.org\",\"label\":\"x\"}", ST_NOT_FOUND },
	};

	start();
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		assert_int_equal(world_admin(&w, table[i].command, table[i].args), table[i].st);
		assert_true(strncmp(w.result.data, "{\"error\":\"", 10) == 0);
		assert_null(strchr(w.result.data, '\n'));
	}
	world_stop(&w);
}

static void
admin_lists_what_there_is(void **state)
{
	start();
	assert_int_equal(world_admin(&w, "alias-add",
	    "{\"alias\":\"al@example.org\",\"address\":\"alice@example.org\"}"), ST_OK);
	assert_int_equal(world_admin(&w, "account-list", "{}"), ST_OK);
	assert_non_null(strstr(w.result.data, "bob@example.org"));
	assert_non_null(strstr(w.result.data, "\"more\":null"));
	assert_int_equal(world_admin(&w, "account-list", "{\"limit\":1}"), ST_OK);
	assert_null(strstr(w.result.data, "bob@example.org"));
	assert_non_null(strstr(w.result.data, "\"more\":\"0000000000000001\""));
	assert_int_equal(world_admin(&w, "account-list", "{\"after\":\"0000000000000001\"}"), ST_OK);
	assert_non_null(strstr(w.result.data, "bob@example.org"));
	assert_null(strstr(w.result.data, "alice@example.org"));
	assert_int_equal(world_admin(&w, "account-list", "{\"domain\":\"none.example\"}"), ST_OK);
	assert_non_null(strstr(w.result.data, "\"accounts\":[]"));
	assert_int_equal(world_admin(&w, "account-show", "{\"address\":\"alice@example.org\"}"), ST_OK);
	assert_non_null(strstr(w.result.data, "\"aliases\":[\"al@example.org\"]"));
	assert_non_null(strstr(w.result.data, "\"password\":true"));
	assert_int_equal(world_admin(&w, "alias-list", "{}"), ST_OK);
	assert_string_equal(w.result.data,
	    "{\"aliases\":[{\"alias\":\"al@example.org\",\"address\":\"alice@example.org\"}]}");
	assert_int_equal(world_admin(&w, "domain-list", "{}"), ST_OK);
	assert_non_null(strstr(w.result.data, "\"domain\":\"example.org\""));
	assert_int_equal(world_admin(&w, "stats", "{}"), ST_OK);
	assert_non_null(strstr(w.result.data, "\"directory\":true"));
	assert_int_equal(world_admin(&w, "flush-cache", ""), ST_OK);
	world_stop(&w);
}

static void
users_of_a_passwd_file_get_an_account_when_they_first_come(void **state)
{
	static const uint8_t order[] = { CONF_BACKEND_INTERNAL, CONF_BACKEND_PASSWD_FILE };
	struct mansio_conf *c = world_conf();
	char path[] = "/tmp/mansio-passwd-XXXXXX";
	int fd = mkstemp(path);
	FILE *f = fdopen(fd, "w");

	assert_non_null(f);
	fputs("# comment\ncarol@example.org:{PLAIN}pw\ndave:{SSHA}bad\neve:{PLAIN}pw2:1:1\n", f);
	fclose(f);
	c->auth.backends = (struct conf_enums){ order, 2 };
	c->auth.default_domain = "example.org";
	c->passwd_file.path = path;
	world_start(&w, c);
	assert_int_equal(world_plain(&w, "", "carol@example.org", "nope"), ST_DENIED);
	assert_int_equal(world_plain(&w, "", "carol", "pw"), ST_OK);
	assert_string_equal(w.user.data, "carol@example.org");
	assert_int_equal(w.account, 1);
	assert_int_equal(world_plain(&w, "", "eve", "pw2"), ST_OK);
	assert_string_equal(w.user.data, "eve@example.org");
	assert_int_equal(world_plain(&w, "", "dave", "x"), ST_DENIED);
	/* the file changes */
	f = fopen(path, "w");
	fputs("carol@example.org:{PLAIN}other\n", f);
	fclose(f);
	usleep(1100 * 1000);
	assert_int_equal(world_plain(&w, "", "carol", "pw"), ST_DENIED);
	assert_int_equal(world_plain(&w, "", "carol", "other"), ST_OK);
	assert_int_equal(w.account, 1);
	world_stop(&w);
	unlink(path);
}

static void
guessing_gets_slower(void **state)
{
	struct mansio_conf *c = world_conf();
	uint64_t began, took[4];

	c->throttle.free_failures = 1;
	c->throttle.delay_ms = 100;
	c->throttle.max_delay_ms = 250;
	world_start(&w, c);
	for (size_t i = 0; i < ARRAY_LEN(took); i++) {
		began = clock_mono_ms();
		assert_int_equal(world_plain(&w, "", "nobody@example.org", "x"), ST_DENIED);
		took[i] = clock_mono_ms() - began;
	}
	assert_true(took[1] >= 100);
	assert_true(took[2] >= 200);
	assert_true(took[3] >= 250);
	world_stop(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_right_password_gets_a_ticket_and_a_wrong_one_does_not),
		cmocka_unit_test(a_verified_login_is_remembered_until_the_password_changes),
		cmocka_unit_test(passwords_are_not_taken_in_the_clear),
		cmocka_unit_test(mechanisms_follow_the_connection),
		cmocka_unit_test(scram_proves_both_sides),
		cmocka_unit_test(scram_is_offered_where_all_users_have_its_keys),
		cmocka_unit_test(names_and_passwords_are_compared_prepared),
		cmocka_unit_test(the_name_in_a_good_certificate_opens_its_account),
		cmocka_unit_test(the_salt_of_nobody_is_always_the_same),
		cmocka_unit_test(master_users_act_as_others_and_nobody_else_does),
		cmocka_unit_test(addresses_lead_where_the_directory_says),
		cmocka_unit_test(deleted_accounts_come_back_with_everything),
		cmocka_unit_test(app_passwords_open_their_protocols_alone),
		cmocka_unit_test(who_is_in_can_be_listed_and_sent_away),
		cmocka_unit_test(a_logout_makes_the_ticket_void),
		cmocka_unit_test(the_directory_may_go_and_come_back),
		cmocka_unit_test(a_change_by_others_is_seen_at_once),
		cmocka_unit_test(a_write_that_others_were_faster_with_is_tried_again),
		cmocka_unit_test(a_cheap_hash_lets_in_like_any_other),
		cmocka_unit_test(admind_gets_a_ticket_of_its_own_for_an_account),
		cmocka_unit_test(accounts_get_rising_ids_whatever_fails_between),
		cmocka_unit_test(admin_answers_errors_with_one_line),
		cmocka_unit_test(spares_are_tickets_of_their_own_and_taken_back_when_anything_changed),
		cmocka_unit_test(admin_lists_what_there_is),
		cmocka_unit_test(users_of_a_passwd_file_get_an_account_when_they_first_come),
		cmocka_unit_test(guessing_gets_slower),
	};

	log_set_level(LOG_LEVEL_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
