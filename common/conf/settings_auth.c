/* common/conf/settings_auth.c
 * Settings of the authentication helper and its back ends. */
#include "common/conf/settings_priv.h"

static const char *const backends[] = { "internal", "passwd-file", "pam", NULL };
static const char *const mechanisms[] = {
	"PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS",
	"EXTERNAL", "OAUTHBEARER", "XOAUTH2", NULL
};
static const char *const certificate_names[] = { "email", "subject-email", "cn", "uid", NULL };
static const char *const scram_offers[] = { "auto", "always", NULL };
static const char *const hash_schemes[] = { "argon2id", "yescrypt", NULL };

static const char *const introspection_auths[] = { "basic", "bearer", "none", NULL };

const struct conf_field conf_auth_fields[] = {
	CONF_ENUMS(conf_auth, backends, backends, "internal", CONF_RESTART,
	    "Where passwords are checked, in this order; the first that knows the user decides."),
	CONF_ENUMS(conf_auth, mechanisms, mechanisms,
	    "PLAIN, LOGIN, SCRAM-SHA-1, SCRAM-SHA-256, SCRAM-SHA-256-PLUS, OAUTHBEARER, XOAUTH2", CONF_RELOAD,
	    "SASL mechanisms.  PLAIN and LOGIN are offered over TLS, or where cleartext-login "
	    "says so; EXTERNAL to clients whose certificate is good (tls client-ca)."),
	CONF_ENUM(conf_auth, scram, scram_offers, "auto", CONF_RELOAD,
	    "When the SCRAM mechanisms are offered.  auto: when internal is the only back end, since "
	    "users of the others have no keys for it, and a client that sees SCRAM tries nothing "
	    "else.  always: a user of another back end who tries it is answered like one with a "
	    "wrong password."),
	CONF_ENUM(conf_auth, certificate_name, certificate_names, "email", CONF_RELOAD,
	    "Which name in a client's certificate is its login name.  email: an address among the "
	    "alternative names; the others: that field of the subject.  Whoever can get a "
	    "certificate from those authorities with somebody's name can read his mail; and a "
	    "worker that is taken over could say that it saw one."),
	CONF_STRING(conf_auth, default_domain, "", CONF_RELOAD,
	    "Domain of login names without one.  Empty: none."),
	CONF_TIME(conf_auth, cache_time, "60s", "0", "1h", CONF_RELOAD,
	    "A verified password is remembered this long, as a keyed digest, so that a client "
	    "with many connections is hashed once.  0: never."),
	CONF_TIME(conf_auth, ticket_time, "1h", "1min", "1d", CONF_RELOAD,
	    "Life of a login's ticket for the store; workers renew it."),
	CONF_ENUM(conf_auth, hash_scheme, hash_schemes, "argon2id", CONF_RELOAD,
	    "How new passwords are hashed."),
	CONF_SIZE(conf_auth, hash_memory, "64M", "64K", "4G", CONF_RELOAD,
	    "argon2id: memory of one hash.  64K and one pass are for tests."),
	CONF_INT(conf_auth, hash_passes, "2", "1", "100", CONF_RELOAD,
	    "argon2id: passes over the memory."),
	CONF_INT(conf_auth, hash_cost, "5", "1", "11", CONF_RELOAD,
	    "yescrypt: cost; each step doubles it."),
	CONF_INT(conf_auth, scram_iterations, "10000", "4096", "10000000", CONF_RELOAD,
	    "Iterations of the SCRAM keys derived from new passwords."),
	CONF_COUNT(conf_auth, workers, "auto", "1", "64", CONF_RESTART,
	    "Processes that hash passwords.  auto: one for each CPU."),
	CONF_INT(conf_auth, queue, "1000", "1", "100000", CONF_RELOAD,
	    "Logins that may wait for one of them; further ones are told to come later."),
	CONF_STRINGS(conf_auth, master_users, "", CONF_RELOAD,
	    "Accounts that may log in as any other (SASL authorisation identity); each use is "
	    "logged."),
	CONF_STRINGS(conf_auth, submission_users, "", CONF_RELOAD,
	    "Accounts that submission servers log in with: they may fetch by URLs whose owner "
	    "authorized submission (\"submit+\", RFC 4467; BURL, RFC 4468)."),
	CONF_END
};

const struct conf_field conf_throttle_fields[] = {
	CONF_BOOL(conf_throttle, enabled, "yes", CONF_RELOAD,
	    "Slow down guessing."),
	CONF_INT(conf_throttle, free_failures, "3", "0", "1000", CONF_RELOAD,
	    "Failures without a delay."),
	CONF_TIME_MS(conf_throttle, delay, "1s", "0", "1h", CONF_RELOAD,
	    "The first delay; every further failure doubles it."),
	CONF_TIME_MS(conf_throttle, max_delay, "30s", "0", "1h", CONF_RELOAD,
	    "The longest delay."),
	CONF_TIME(conf_throttle, forget_time, "15min", "1s", "7d", CONF_RELOAD,
	    "Failures are forgotten after this time."),
	CONF_CIDRS(conf_throttle, allow, "", CONF_RELOAD,
	    "Networks that are never slowed down."),
	CONF_CIDRS(conf_throttle, proxies, "", CONF_RELOAD,
	    "Trusted proxies and webmail servers: not slowed down as an address, since many "
	    "users share it; their accounts are."),
	CONF_END
};

const struct conf_field conf_pam_fields[] = {
	CONF_STRING(conf_pam, service, "mansio", CONF_RESTART,
	    "Name of the service, a file in /etc/pam.d.  It is asked about the name as typed; "
	    "without the domain where that is default-domain."),
	CONF_BOOL(conf_pam, as_root, "no", CONF_RESTART,
	    "Run the PAM processes, and nothing else of the authentication helper, as root: "
	    "pam_unix checks the passwords of other users for root alone."),
	CONF_INT(conf_pam, workers, "4", "1", "64", CONF_RESTART,
	    "Processes that wait for PAM."),
	CONF_TIME_MS(conf_pam, fail_time, "2s", "0", "1min", CONF_RELOAD,
	    "A refusal is not answered before this time, whatever was wrong."),
	CONF_TIME(conf_pam, timeout, "30s", "1s", "10min", CONF_RELOAD,
	    "A PAM process that takes longer is ended."),
	CONF_END
};

const struct conf_field conf_passwd_file_fields[] = {
	CONF_PATH(conf_passwd_file, path, "", CONF_RELOAD | CONF_FILE,
	    "File with lines of user:hash; crypt(3) and {SCHEME} hashes.  The user of the "
	    "authentication helper must be able to read it."),
	CONF_END
};

const struct conf_field conf_oauth_fields[] = {
	CONF_PATH(conf_oauth, jwks_file, "", CONF_RELOAD | CONF_FILE,
	    "File with the public keys of the token issuer, a JSON Web Key set (RFC 7517).  Tokens "
	    "are JSON Web Tokens signed with one of them.  Read again when it changed.  Empty: "
	    "jwks-url tells, or there are no such tokens."),
	CONF_STRING(conf_oauth, jwks_url, "", CONF_RELOAD,
	    "URL of the same, at the token issuer.  mansio-outd(8) fetches it and nothing else may."),
	CONF_TIME(conf_oauth, jwks_min_time, "5min", "1s", "1d", CONF_RELOAD,
	    "Fetched keys are kept at least this long, whatever the server says (Cache-Control: "
	    "max-age)."),
	CONF_TIME(conf_oauth, jwks_max_time, "1d", "1s", "30d", CONF_RELOAD,
	    "And at most this long; without a word of the server, an hour."),
	CONF_TIME(conf_oauth, jwks_stale_time, "1d", "0", "30d", CONF_RELOAD,
	    "How much longer they serve while the server is away."),
	CONF_TIME(conf_oauth, jwks_refetch_time, "30s", "1s", "1h", CONF_RELOAD,
	    "A token that names a key we do not know makes us fetch them again, not more often than "
	    "this."),
	CONF_STRING(conf_oauth, introspection_url, "", CONF_RELOAD,
	    "URL of a server that is asked about tokens (RFC 7662).  Where keys are configured too, "
	    "JSON Web Tokens are judged by the keys and others by this server."),
	CONF_ENUM(conf_oauth, introspection_auth, introspection_auths, "basic", CONF_RELOAD,
	    "How we prove who we are to that server.  basic: client-id and the secret.  bearer: the "
	    "secret is a token."),
	CONF_STRING(conf_oauth, client_id, "", CONF_RELOAD,
	    "Our name there."),
	CONF_PATH(conf_oauth, client_secret_file, "", CONF_RELOAD | CONF_FILE,
	    "File with the secret, one line.  Only the monitor reads it, so root may own it and "
	    "nobody else need read it; only outd is told."),
	CONF_STRING(conf_oauth, introspection_claim, "username", CONF_RELOAD,
	    "The member of the answer that holds the account's address: username, sub, email."),
	CONF_TIME(conf_oauth, introspection_time, "60s", "0", "1h", CONF_RELOAD,
	    "A token that is good is not asked about again for this long, nor longer than it lives."),
	CONF_TIME(conf_oauth, introspection_refused_time, "5s", "0", "1min", CONF_RELOAD,
	    "Likewise one that is not."),
	CONF_STRING(conf_oauth, issuer, "", CONF_RELOAD,
	    "The claim iss of a token must be this; an answer about a token may leave it out.  Empty: "
	    "any issuer whose key we have."),
	CONF_STRINGS(conf_oauth, audience, "", CONF_RELOAD,
	    "The claim aud must name one of these.  Set it: else a token that was given for another "
	    "service opens the mailbox."),
	CONF_STRINGS(conf_oauth, scopes, "", CONF_RELOAD,
	    "The claim scope must have all of these."),
	CONF_STRING(conf_oauth, user_claim, "email", CONF_RELOAD,
	    "The claim of a JSON Web Token that holds the account's address."),
	CONF_STRING(conf_oauth, discovery_url, "", CONF_RELOAD,
	    "URL of the issuer's OpenID configuration, told to clients whose token was refused (RFC "
	    "7628, 3.2.2)."),
	CONF_TIME(conf_oauth, leeway, "30s", "0", "10min", CONF_RELOAD,
	    "Allowed difference of the issuer's clock from ours."),
	CONF_END
};

const struct conf_field conf_push_fields[] = {
	CONF_BOOL(conf_push, enabled, "yes", CONF_RELOAD,
	    "Whether JMAP clients may have changes pushed to a URL (PushSubscription).  mansio-outd(8) "
	    "sends them, to public addresses and those in outd allow."),
	CONF_PATH(conf_push, vapid_key_file, "", CONF_RELOAD | CONF_FILE,
	    "PEM file with a private key of the curve P-256, by which push services know this server "
	    "(VAPID, RFC 8292); many of them want one.  Make it by: openssl genpkey -algorithm EC "
	    "-pkeyopt ec_paramgen_curve:P-256.  With another key all subscriptions begin anew."),
	CONF_STRING(conf_push, contact, "", CONF_RELOAD,
	    "URI by which a push service reaches whoever runs this server: mailto:ADDRESS."),
	CONF_INT(conf_push, subscriptions, "20", "1", "1000", CONF_RELOAD, "Of an account, at most."),
	CONF_TIME(conf_push, expiry, "30d", "2d", "366d", CONF_RELOAD,
	    "A subscription ends after this time unless its client renews it."),
	CONF_TIME(conf_push, interval, "1s", "0", "1h", CONF_RELOAD,
	    "From one push of a subscription to the next; changes in between go together."),
	CONF_END
};

const struct conf_field conf_outd_fields[] = {
	CONF_CIDRS(conf_outd, allow, "", CONF_RELOAD,
	    "Networks it may connect to beside the public Internet: list here what is reached by a "
	    "loopback, private or link-local address."),
	CONF_BOOL(conf_outd, cleartext, "no", CONF_RELOAD,
	    "Take http: URLs too.  Whoever stands between can then log in as anybody."),
	CONF_PATH(conf_outd, ca_file, "", CONF_RELOAD | CONF_FILE,
	    "PEM file with the authorities that the servers' certificates must come from.  Empty: "
	    "those the system trusts."),
	CONF_TIME(conf_outd, timeout, "10s", "1s", "2min", CONF_RELOAD,
	    "A request that takes longer has failed."),
	CONF_SIZE(conf_outd, max_answer, "256K", "1K", "256K", CONF_RELOAD,
	    "A longer answer is not read."),
	CONF_END
};
