/* common/conf/settings.c
 * The list of sections, and the sections of the server as a whole: where it listens,
 * under which users it runs, its logs, TLS and the admin socket. */
#include "common/conf/settings_priv.h"

static const struct conf_field global_fields[] = {
	CONF_STRING(conf_global, hostname, "", CONF_RELOAD,
	    "Name of this server, in greetings and trace headers.  Empty: what the system "
	    "calls itself."),
	CONF_PATH(conf_global, state_dir, MANSIO_STATEDIR, CONF_RESTART,
	    "Folder of all mail and accounts."),
	CONF_PATH(conf_global, run_dir, MANSIO_RUNDIR, CONF_RESTART,
	    "Folder of sockets and of the pid file."),
	CONF_END
};

static const char *const log_targets[] = {
	"auto", "syslog", "journal", "stderr", "file", NULL
};
static const char *const log_levels[] = {
	"fatal", "error", "warn", "info", "debug", "trace", NULL
};

static const struct conf_field log_fields[] = {
	CONF_ENUM(conf_log, target, log_targets, "auto", CONF_RELOAD,
	    "Where log lines go.  auto: the journal when systemd started the server, else "
	    "syslog (facility mail)."),
	CONF_PATH(conf_log, file, "", CONF_RELOAD,
	    "The file of target = file; opened anew on reload, for logrotate."),
	CONF_ENUM(conf_log, level, log_levels, "info", CONF_RELOAD,
	    "The least important lines that are written."),
	CONF_END
};

static const struct conf_field users_fields[] = {
	CONF_STRING(conf_users, worker, "mansio", CONF_RESTART,
	    "User of the master and the workers: owns no file and no right."),
	CONF_STRING(conf_users, store, "mansio-store", CONF_RESTART,
	    "User of the store service: owns the mail."),
	CONF_STRING(conf_users, auth, "mansio-auth", CONF_RESTART,
	    "User of the authentication helper."),
	CONF_STRING(conf_users, admin, "mansio-adm", CONF_RESTART,
	    "User of the process behind the admin socket."),
	CONF_STRING(conf_users, out, "mansio-out", CONF_RESTART,
	    "User of the process that connects outwards."),
	CONF_STRING(conf_users, index, "mansio-index", CONF_RESTART,
	    "User of the processes that read mail anew."),
	CONF_END
};

static const char *const protocols[] = { "imap", "lmtp", "pop3", "dovecot-auth", "jmap",
	"managesieve", NULL };
static const char *const tls_modes[] = { "none", "starttls", "implicit", NULL };

static const struct conf_field listener_fields[] = {
	CONF_ENUM(conf_listener, protocol, protocols, "imap", CONF_REQUIRED,
	    "What is spoken here.  dovecot-auth: an MTA asks who may submit mail, as it would "
	    "ask Dovecot; UNIX sockets alone."),
	CONF_ADDRS(conf_listener, bind, "", CONF_REQUIRED,
	    "Addresses and ports, or UNIX sockets.  [::] takes IPv6 alone: list 0.0.0.0 too."),
	CONF_ENUM(conf_listener, tls, tls_modes, "none", CONF_RELOAD,
	    "none: clear text.  starttls: clear text until the client asks for TLS.  "
	    "implicit: TLS from the first byte."),
	CONF_BOOL(conf_listener, cleartext_login, "no", CONF_RELOAD,
	    "Take passwords without TLS.  For loopback addresses and test networks.  For "
	    "dovecot-auth: when the MTA does not say that its client's connection is encrypted."),
	CONF_CIDRS(conf_listener, allow, "", CONF_RELOAD,
	    "Networks that may connect.  Empty: every address; for lmtp over TCP: this host "
	    "alone."),
	CONF_MODE(conf_listener, mode, "0660", CONF_RELOAD,
	    "Permissions of UNIX sockets."),
	CONF_STRING(conf_listener, owner, "", CONF_RELOAD,
	    "Owner of UNIX sockets.  Empty: the user of the monitor."),
	CONF_STRING(conf_listener, group, "", CONF_RELOAD,
	    "Group of UNIX sockets: that of the MTA, for lmtp.  Empty: as for the owner."),
	CONF_END
};

static const struct conf_field pool_fields[] = {
	CONF_COUNT(conf_pool, workers, "auto", "1", "256", CONF_RELOAD,
	    "Processes of this pool.  auto: one for each CPU."),
	CONF_INT(conf_pool, connections, "8192", "1", "1000000", CONF_RELOAD,
	    "Connections that one worker serves at a time."),
	CONF_INT(conf_pool, address_connections, "256", "1", "1000000", CONF_RELOAD,
	    "Connections of one client's address (IPv6: of one /64) to one worker; further ones "
	    "are refused before anything is read."),
	CONF_CIDRS(conf_pool, exempt, "127.0.0.0/8, ::1/128", CONF_RELOAD,
	    "Networks without that limit: proxies, webmail and mail servers of ours, an office "
	    "behind one address."),
	CONF_SIZE(conf_pool, memory, "1G", "0", "1T", CONF_RESTART,
	    "Memory one worker may take.  0: no limit."),
	CONF_TIME(conf_pool, drain_time, "30s", "0", "1d", CONF_RELOAD,
	    "How long a worker that has to go waits for its clients to finish."),
	CONF_END
};

static const char *const tls_versions[] = { "1.2", "1.3", NULL };

static const struct conf_field tls_fields[] = {
	CONF_ENUM(conf_tls, min_version, tls_versions, "1.2", CONF_RELOAD,
	    "Oldest TLS version that is accepted."),
	CONF_STRING(conf_tls, ciphers12, "", CONF_RELOAD,
	    "Ciphers for TLS 1.2 as OpenSSL writes them.  Empty: ECDHE with AES-GCM or "
	    "ChaCha20-Poly1305."),
	CONF_PATH(conf_tls, client_ca, "", CONF_RELOAD | CONF_FILE,
	    "PEM file with the authorities whose certificates clients may show (SASL EXTERNAL, see "
	    "auth), and their revocation lists.  Empty: clients are not asked."),
	CONF_TIME(conf_tls, ticket_time, "12h", "0", "7d", CONF_RELOAD,
	    "Age at which keys of session tickets are replaced.  0: no session tickets."),
	CONF_END
};

static const struct conf_field certificate_fields[] = {
	CONF_PATH(conf_certificate, chain, "", CONF_REQUIRED | CONF_FILE,
	    "PEM file: the certificate, then the intermediate ones."),
	CONF_PATH(conf_certificate, key, "", CONF_REQUIRED | CONF_FILE,
	    "PEM file: the private key.  Only the monitor reads it, so root may own it."),
	CONF_END
};

static const struct conf_field admin_fields[] = {
	CONF_PATH(conf_admin, socket, "", CONF_RESTART,
	    "The socket that mansioctl talks to.  Empty: admin.sock in run-dir."),
	CONF_STRING(conf_admin, group, "mansio-admin", CONF_RESTART,
	    "Group whose members may use it, besides root."),
	CONF_END
};

static const char *const pool_names[] = { "imapd", "lmtpd", "pop3d", "jmapd", "sieved", NULL };

#define ONCE(n, type, member, f, d) \
	{ (n), (f), sizeof(struct type), offsetof(struct mansio_conf, member), 0, 0, NULL, \
	    (d), NULL }
#define NAMED(n, type, member, most, names, f, d, ex) \
	{ (n), (f), sizeof(struct type), offsetof(struct mansio_conf, member), \
	    offsetof(struct mansio_conf, n_##member), (most), (names), (d), (ex) }

const struct conf_section conf_sections[] = {
	ONCE("", conf_global, global, global_fields,
	    "The server as a whole; these keys stand outside of any section."),
	ONCE("log", conf_log, log, log_fields, "The log: one event, one line."),
	ONCE("users", conf_users, users, users_fields,
	    "System users of the processes, when root starts the server.  Started by another "
	    "user, all processes are that user's."),
	NAMED("listener", conf_listener, listeners, 64, NULL, listener_fields,
	    "A place where clients connect; as many as wanted, with a name of your choice.",
	    "listener imap {\n"
	    "\tprotocol = imap\n"
	    "\tbind     = [\"0.0.0.0:143\", \"[::]:143\"]\n"
	    "\ttls      = starttls\n"
	    "}\n"
	    "listener imaps {\n"
	    "\tprotocol = imap\n"
	    "\tbind     = [\"0.0.0.0:993\", \"[::]:993\"]\n"
	    "\ttls      = implicit\n"
	    "}\n"
	    "listener pop3 {\n"
	    "\tprotocol = pop3\n"
	    "\tbind     = [\"0.0.0.0:110\", \"[::]:110\"]\n"
	    "\ttls      = starttls\n"
	    "}\n"
	    "listener pop3s {\n"
	    "\tprotocol = pop3\n"
	    "\tbind     = [\"0.0.0.0:995\", \"[::]:995\"]\n"
	    "\ttls      = implicit\n"
	    "}\n"
	    "listener jmap {\n"
	    "\tprotocol = jmap\n"
	    "\tbind     = [\"0.0.0.0:443\", \"[::]:443\"]\n"
	    "\ttls      = implicit\n"
	    "}\n"
	    "listener sieve {\n"
	    "\tprotocol = managesieve\n"
	    "\tbind     = [\"0.0.0.0:4190\", \"[::]:4190\"]\n"
	    "\ttls      = starttls\n"
	    "}\n"
	    "listener lmtp {\n"
	    "\tprotocol = lmtp\n"
	    "\tbind     = unix:/run/mansio/lmtp\n"
	    "\tgroup    = postfix\n"
	    "}\n"),
	NAMED("pool", conf_pool, pools, 5, pool_names, pool_fields,
	    "The processes that serve a protocol: imapd, pop3d, jmapd, sieved or lmtpd.",
	    "pool imapd {\n"
	    "\tworkers     = auto\n"
	    "\tconnections = 8192\n"
	    "}\n"),
	ONCE("imap", conf_imap, imap, conf_imap_fields, "IMAP."),
	ONCE("lmtp", conf_lmtp, lmtp, conf_lmtp_fields,
	    "LMTP: how the MTA hands mail over."),
	ONCE("pop3", conf_pop3, pop3, conf_pop3_fields,
	    "POP3: for those who collect their mail."),
	ONCE("jmap", conf_jmap, jmap, conf_jmap_fields, "JMAP, over HTTP/1.1 and HTTP/2."),
	ONCE("managesieve", conf_managesieve, managesieve, conf_managesieve_fields,
	    "ManageSieve: how clients edit the scripts that sort mail (RFC 5804)."),
	ONCE("sieve", conf_sieve, sieve, conf_sieve_fields,
	    "Mail rules (Sieve) at delivery: scripts of the admin, and limits of all scripts."),
	NAMED("sieve-domain", conf_sieve_domain, sieve_domains, 256, NULL, conf_sieve_domain_fields,
	    "Scripts of the admin for the users of one domain, which is its name.",
	    "sieve-domain example.org {\n"
	    "\tbefore = /etc/mansio/sieve/example.org.sieve\n"
	    "}\n"),
	ONCE("tls", conf_tls, tls, tls_fields, "TLS on all listeners."),
	NAMED("certificate", conf_certificate, certificates, 256, NULL, certificate_fields,
	    "A certificate.  Clients get the one whose names contain the server name they ask "
	    "for, else the first.  Read again on reload.",
	    "certificate main {\n"
	    "\tchain = /etc/letsencrypt/live/mail.example.org/fullchain.pem\n"
	    "\tkey   = /etc/letsencrypt/live/mail.example.org/privkey.pem\n"
	    "}\n"),
	ONCE("auth", conf_auth, auth, conf_auth_fields, "Logins."),
	ONCE("throttle", conf_throttle, throttle, conf_throttle_fields,
	    "Delays after failed logins, per account and per address (IPv6: per /64)."),
	ONCE("pam", conf_pam, pam, conf_pam_fields, "The back end pam."),
	ONCE("passwd-file", conf_passwd_file, passwd_file, conf_passwd_file_fields,
	    "The back end passwd-file."),
	ONCE("oauth", conf_oauth, oauth, conf_oauth_fields,
	    "Logins with bearer tokens: the mechanisms OAUTHBEARER and XOAUTH2."),
	ONCE("outd", conf_outd, outd, conf_outd_fields,
	    "The only process that connects outwards, for keys and tokens (oauth) and for push."),
	ONCE("push", conf_push, push, conf_push_fields,
	    "Changes of mail pushed to the devices and applications of JMAP users."),
	ONCE("outgoing", conf_outgoing, outgoing, conf_outgoing_fields,
	    "Mail that leaves: what users' filters redirect, answer, refuse and notify of.  It goes to one "
	    "relay, or to one program, and nowhere else; without either nothing leaves."),
	ONCE("store", conf_store, store, conf_store_fields, "The store service."),
	ONCE("indexd", conf_indexd, indexd, conf_indexd_fields,
	    "The processes, one for each shard, that read mail anew for the store service: to "
	    "prove that it is whole, and for the text of what has none."),
	ONCE("retention", conf_retention, retention, conf_retention_fields,
	    "How long messages stay in a mailbox, counted from when they came into it.  Then they "
	    "go as if the user had expunged them, and can be restored as long as those.  0: for "
	    "ever."),
	ONCE("quota", conf_quota, quota, conf_quota_fields,
	    "Limits of accounts that have none of their own.  0: no limit."),
	NAMED("shard", conf_shard, shards, 257, NULL, conf_shard_fields,
	    "Puts a shard elsewhere, on another disk: its name is its number, from 0, or "
	    "system for the directory of accounts.",
	    "shard 1 {\n"
	    "\tpath = /srv/mail2/shard-1\n"
	    "}\n"),
	ONCE("admin", conf_admin, admin, admin_fields,
	    "The socket of mansioctl: no password, so guard the group."),
	{ .name = NULL }
};

const char *
conf_protocol_name(enum conf_protocol p)
{
	return protocols[p];
}
