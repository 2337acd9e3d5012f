/* common/conf/settings.h
 * All settings of all programs: the monitor reads the files once and gives every
 * process the whole as effective text, where each value is written out.  The
 * tables that fill these structs are in settings_*.c. */
#ifndef COMMON_CONF_SETTINGS_H
#define COMMON_CONF_SETTINGS_H

#include "common/conf/conf.h"
#include "common/util/log.h"

/* ---- the sections ---- */

struct conf_global {			/* keys outside of any section */
	struct conf_head	head;
	const char		*hostname;	/* never "" once loaded */
	const char		*state_dir;
	const char		*run_dir;
};

enum conf_log_target {			/* in the order of the words in settings.c */
	CONF_LOG_AUTO,			/* the journal when started by systemd, else syslog */
	CONF_LOG_SYSLOG, CONF_LOG_JOURNAL, CONF_LOG_STDERR, CONF_LOG_FILE
};

struct conf_log {
	struct conf_head	head;
	uint8_t			target;		/* enum conf_log_target */
	const char		*file;		/* set when target is CONF_LOG_FILE */
	uint8_t			level;		/* enum log_level, by conf_log_level() */
};

struct conf_users {			/* not used when the server was not started by root */
	struct conf_head	head;
	const char		*worker;	/* of master and workers */
	const char		*store;
	const char		*auth;
	const char		*admin;		/* of admind */
	const char		*out;		/* of outd */
	const char		*index;		/* of indexd */
};

enum conf_protocol { CONF_IMAP, CONF_LMTP, CONF_POP3, CONF_DOVECOT_AUTH, CONF_JMAP,
	CONF_MANAGESIEVE };
enum conf_tls_mode { CONF_TLS_NONE, CONF_TLS_STARTTLS, CONF_TLS_IMPLICIT };

struct conf_listener {
	struct conf_head	head;
	uint8_t			protocol;	/* enum conf_protocol */
	struct conf_addrs	bind;
	uint8_t			tls;		/* enum conf_tls_mode */
	bool			cleartext_login;
	struct conf_cidrs	allow;		/* who may connect; none: everyone */
	uint32_t		mode;		/* of UNIX sockets */
	const char		*owner, *group;	/* of UNIX sockets; "": as created */
};

struct conf_pool {			/* head.name: "imapd", "lmtpd", "pop3d", "jmapd", "sieved" */
	struct conf_head	head;
	uint32_t		workers;	/* 0: one for each CPU */
	uint32_t		connections;	/* of one worker */
	uint32_t		address_connections;	/* of one address to one worker */
	struct conf_cidrs	exempt;		/* from that */
	uint64_t		memory_bytes;	/* RLIMIT_DATA; 0: no limit */
	uint32_t		drain_time_s;
};

enum conf_id { CONF_ID_NOTHING, CONF_ID_NAME, CONF_ID_VERSION };

struct conf_imap {
	struct conf_head	head;
	uint32_t		login_timeout_s;
	uint32_t		idle_timeout_s;
	uint32_t		idle_keepalive_s;	/* 0: never */
	uint64_t		max_append_bytes;
	uint64_t		max_line_bytes;
	uint64_t		max_literal_bytes;	/* of a command other than APPEND */
	uint32_t		max_bad_commands;
	uint32_t		max_logins;		/* failed ones on a connection */
	uint32_t		max_user_connections;	/* in one worker */
	uint64_t		max_output_bytes;	/* waiting for a client that does not read */
	uint32_t		message_limit, save_limit;	/* of one command; 0: none */
	uint32_t		progress_interval_s;	/* 0: never */
	bool			literal_plus;
	bool			login_referrals;
	bool			append_8bit;	/* headers that nobody said are UTF-8 */
	uint8_t			id;			/* enum conf_id */
	struct conf_strings	disabled_capabilities;
	const char		*server_admin, *server_comment;	/* "": none */
	const char		*other_users_prefix, *shared_prefix, *undelete_prefix;	/* "": no such namespace */
	struct conf_folders	default_folders;
};

enum conf_over_quota { CONF_OVER_QUOTA_452, CONF_OVER_QUOTA_552 };

struct conf_lmtp {
	struct conf_head	head;
	uint32_t		idle_timeout_s;
	uint64_t		max_message_bytes;
	uint32_t		max_recipients;
	uint8_t			over_quota;		/* enum conf_over_quota */
	bool			add_delivered_to;
	bool			add_return_path;
	const char		*recipient_delimiter;	/* one character, or "" */
};

enum conf_pop3_delete { CONF_POP3_EXPUNGE, CONF_POP3_FLAG, CONF_POP3_TRASH };
enum conf_pop3_utf8 { CONF_POP3_UTF8_SEND, CONF_POP3_UTF8_SURROGATE, CONF_POP3_UTF8_REFUSE };

struct conf_pop3 {
	struct conf_head	head;
	uint32_t		login_timeout_s;
	uint32_t		idle_timeout_s;
	uint64_t		max_line_bytes;
	uint32_t		max_bad_commands;
	uint32_t		max_logins;		/* failed ones on a connection */
	uint32_t		max_user_connections;	/* in one worker */
	uint64_t		max_output_bytes;
	uint32_t		max_messages;		/* of a maildrop */
	uint64_t		read_ahead_bytes;
	uint64_t		read_ahead_total_bytes;	/* of one worker */
	struct conf_strings	mailboxes;		/* paths that make the maildrop */
	bool			folder_logins;
	const char		*folder_delimiter;	/* one character */
	uint8_t			delete_action;		/* enum conf_pop3_delete */
	const char		*delete_flag, *trash;
	bool			mark_seen;
	const char		*uidl_format;
	const char		*expire;		/* "never" or days */
	uint32_t		login_delay_s;
	uint8_t			utf8_headers;		/* enum conf_pop3_utf8 */
};

struct conf_jmap {
	struct conf_head	head;
	const char		*url;			/* "": none */
	uint32_t		idle_timeout_s, head_timeout_s, body_timeout_s;
	uint32_t		max_requests, max_streams;	/* of a connection */
	uint32_t		max_logins;		/* failed ones on a connection */
	bool			compress;
	uint32_t		hsts_s;			/* 0: not sent */
	struct conf_strings	origins;
	struct conf_cidrs	trusted_proxies;
	uint64_t		max_size_upload_bytes, max_size_request_bytes, max_size_answer_bytes;
	uint64_t		mirror_memory_bytes;
	uint32_t		max_concurrent_upload, max_concurrent_requests;
	uint32_t		max_push_connections;
	uint32_t		websocket_ping_s;	/* 0: never */
	uint32_t		max_calls_in_request, max_objects_in_get, max_objects_in_set;
};

enum conf_spam_kind { CONF_SPAM_SCORE, CONF_SPAM_LENGTH, CONF_SPAM_TEXT };
enum conf_reject_mode { CONF_REJECT_REFUSE, CONF_REJECT_MESSAGE };

struct conf_sieve {
	struct conf_head	head;
	bool			enabled;
	struct conf_strings	before, after;		/* absolute paths */
	const char		*default_script;	/* "": none */
	struct conf_strings	global_scripts, lists;	/* "NAME PATH": conf_named_file() */
	struct conf_strings	disabled_extensions;
	uint64_t		max_script_bytes, max_scripts_total_bytes;
	uint32_t		max_scripts;
	uint32_t		max_steps;
	uint64_t		max_memory_bytes;
	uint32_t		max_actions, max_redirects, max_outgoing;
	uint32_t		max_includes, max_nested_includes, max_variables;
	uint64_t		max_variable_bytes;
	uint64_t		max_body_bytes, body_memory_bytes;
	bool			create_mailboxes;
	uint32_t		vacation_min_time_s, vacation_default_time_s, vacation_max_time_s;
	const char		*vacation_subject, *vacation_template;
	bool			vacation_check_recipient, vacation_from_recipient;
	bool			vacation_to_header;
	uint32_t		duplicate_default_time_s, duplicate_max_time_s;
	uint8_t			notify_sender;		/* enum sieve_notify_sender */
	uint8_t			reject_mode;		/* enum conf_reject_mode */
	uint32_t		max_hops;
	bool			imap_events;
	const char		*event_script;		/* "": none */
	struct conf_strings	protected_headers;
	const char		*spam_header;
	uint8_t			spam_kind;		/* enum conf_spam_kind */
	const char		*spam_max;
	struct conf_strings	spam_texts;
	const char		*virus_header;
	struct conf_strings	virus_texts;
};

struct conf_sieve_domain {		/* head.name: the domain */
	struct conf_head	head;
	struct conf_strings	before, after;
	const char		*default_script;
};

struct conf_managesieve {
	struct conf_head	head;
	uint32_t		login_timeout_s;
	uint32_t		idle_timeout_s;
	uint64_t		max_line_bytes;
	uint32_t		max_bad_commands;
	uint32_t		max_logins;		/* failed ones on a connection */
	uint32_t		max_user_connections;	/* in one worker */
};

enum conf_tls_version { CONF_TLS_1_2, CONF_TLS_1_3 };	/* equal to enum tls_version */

struct conf_tls {
	struct conf_head	head;
	uint8_t			min_version;	/* enum conf_tls_version */
	const char		*ciphers12;	/* "": ours */
	const char		*client_ca;	/* "": no certificates of clients */
	uint32_t		ticket_time_s;	/* session tickets: life of a key; 0: none given */
};

struct conf_certificate {		/* the first serves clients that name no known server */
	struct conf_head	head;
	const char		*chain, *key;
};

enum conf_backend { CONF_BACKEND_INTERNAL, CONF_BACKEND_PASSWD_FILE, CONF_BACKEND_PAM };
enum conf_mechanism {
	CONF_MECH_PLAIN, CONF_MECH_LOGIN, CONF_MECH_SCRAM_SHA_1, CONF_MECH_SCRAM_SHA_256,
	CONF_MECH_SCRAM_SHA_256_PLUS, CONF_MECH_EXTERNAL, CONF_MECH_OAUTHBEARER, CONF_MECH_XOAUTH2
};
enum conf_certificate_name { CONF_CERT_EMAIL, CONF_CERT_SUBJECT_EMAIL, CONF_CERT_CN, CONF_CERT_UID };
enum conf_scram { CONF_SCRAM_AUTO, CONF_SCRAM_ALWAYS };
enum conf_hash_scheme { CONF_HASH_ARGON2ID, CONF_HASH_YESCRYPT };

struct conf_auth {
	struct conf_head	head;
	struct conf_enums	backends;	/* enum conf_backend, asked in this order */
	struct conf_enums	mechanisms;	/* enum conf_mechanism */
	uint8_t			scram;		/* enum conf_scram */
	uint8_t			certificate_name;	/* enum conf_certificate_name */
	const char		*default_domain;	/* added to a login name without '@'; "": none */
	uint32_t		cache_time_s;	/* a verified password is remembered; 0: never */
	uint32_t		ticket_time_s;
	uint8_t			hash_scheme;	/* enum conf_hash_scheme */
	uint64_t		hash_memory_bytes;	/* argon2id */
	uint32_t		hash_passes;		/* argon2id */
	uint32_t		hash_cost;		/* yescrypt */
	uint32_t		scram_iterations;
	uint32_t		workers;	/* children that hash; 0: one for each CPU */
	uint32_t		queue;		/* logins that may wait for one */
	struct conf_strings	master_users;	/* may act as others: authorisation identity */
	struct conf_strings	submission_users;	/* may use URLs with "submit+" */
};

struct conf_throttle {
	struct conf_head	head;
	bool			enabled;
	uint32_t		free_failures;	/* before the first delay */
	uint32_t		delay_ms;	/* then doubled */
	uint32_t		max_delay_ms;
	uint32_t		forget_time_s;
	struct conf_cidrs	allow;		/* exempt addresses */
	struct conf_cidrs	proxies;	/* exempt: many users share them */
};

struct conf_pam {
	struct conf_head	head;
	const char		*service;
	bool			as_root;
	uint32_t		workers;
	uint32_t		fail_time_ms;	/* a refusal is never answered earlier */
	uint32_t		timeout_s;
};

struct conf_passwd_file {
	struct conf_head	head;
	const char		*path;		/* set when the back end is used */
};

enum conf_introspection_auth { CONF_INTROSPECT_BASIC, CONF_INTROSPECT_BEARER, CONF_INTROSPECT_NONE };

struct conf_oauth {
	struct conf_head	head;
	const char		*jwks_file;	/* "": not by a file */
	const char		*jwks_url;	/* "": not by a server */
	uint32_t		jwks_min_time_s, jwks_max_time_s;	/* that keys are kept */
	uint32_t		jwks_stale_time_s;	/* and longer, while the server is away */
	uint32_t		jwks_refetch_time_s;	/* between two on unknown keys */
	const char		*introspection_url;	/* "": nobody is asked */
	uint8_t			introspection_auth;	/* enum conf_introspection_auth */
	const char		*client_id, *client_secret_file;
	const char		*introspection_claim;
	uint32_t		introspection_time_s, introspection_refused_time_s;
	const char		*issuer;	/* "": any */
	struct conf_strings	audience;	/* none: any */
	struct conf_strings	scopes;		/* all are needed */
	const char		*user_claim;
	const char		*discovery_url;	/* "": none told */
	uint32_t		leeway_s;
};

struct conf_outd {
	struct conf_head	head;
	struct conf_cidrs	allow;		/* beside public addresses */
	bool			cleartext;
	const char		*ca_file;	/* "": the system's */
	uint32_t		timeout_s;
	uint64_t		max_answer_bytes;
};

struct conf_push {
	struct conf_head	head;
	bool			enabled;
	const char		*vapid_key_file;	/* "": pushes are not signed */
	const char		*contact;	/* URI, "": none */
	uint32_t		subscriptions;	/* of an account */
	uint32_t		expiry_s;
	uint32_t		interval_s;	/* between two pushes to one subscription */
};

enum conf_relay_tls { CONF_RELAY_NONE, CONF_RELAY_MAY, CONF_RELAY_STARTTLS, CONF_RELAY_IMPLICIT };

struct conf_outgoing {
	struct conf_head	head;
	const char		*relay;		/* conf_relay(); "": none */
	const char		*program;	/* "": none */
	uint8_t			tls;		/* enum conf_relay_tls */
	bool			verify;
	const char		*ca_file;	/* "": the system's */
	const char		*tls_name;	/* "": the relay's */
	const char		*user, *password_file;	/* "": no login */
	uint32_t		connections;
	uint32_t		connect_time_s, reply_time_s, data_time_s, final_time_s, program_time_s;
	uint32_t		retry_time_s, retry_max_time_s;
	uint32_t		expiry_s, answer_expiry_s;
	uint32_t		account_day;	/* messages; 0: any number */
};

/* 0: kept for ever. */
struct conf_retention {
	struct conf_head	head;
	uint32_t		inbox_s, drafts_s, sent_s, archive_s, junk_s, trash_s;
	struct conf_strings	mailboxes;	/* "90d Lists/News": conf_retention_entry() */
};

struct conf_indexd {
	struct conf_head	head;
	uint64_t		memory_bytes;
	uint32_t		cpu_time_s;	/* of one message of stored */
	uint32_t		timeout_s;
	struct conf_strings	extractors;	/* conf_extractor() */
	uint32_t		extractor_time_s;
	uint64_t		extractor_memory_bytes, extractor_output_bytes;
};

struct conf_store {
	struct conf_head	head;
	uint32_t		shards;
	uint8_t			engine;		/* enum engine_kind */
	uint64_t		segment_bytes;
	uint64_t		cache_bytes;	/* the database's, per shard */
	uint64_t		checkpoint_bytes;	/* of database log */
	uint32_t		checkpoint_time_s;
	uint64_t		tick_bytes;	/* of one tick */
	uint64_t		account_tick_bytes;	/* of one account in one tick */
	uint32_t		whole_messages;	/* that one COPY, MOVE or APPEND makes */
	uint32_t		readers;	/* threads of the reader pool */
	uint32_t		undelete_time_s;
	uint64_t		undelete_max_bytes;	/* retained, per account */
	uint32_t		history_time_s;	/* of the change log */
	uint32_t		history_max;	/* operations of an account */
	uint32_t		compact_time_s;	/* 0: never */
	uint32_t		compact_share;	/* per cent of the process' time */
	uint32_t		recount_time_s;	/* 0: never */
	uint32_t		staged_time_s;
	uint32_t		upload_time_s;
	uint64_t		upload_max_bytes;	/* of uploads, per account */
	uint32_t		uploads;
	uint32_t		sieve_keys, queue_max;		/* per account */
	uint64_t		queue_size_bytes;
	uint64_t		min_free_bytes;
	uint32_t		copy_time_s;	/* between hot copies */
	uint32_t		copy_hour;	/* of the day, UTC */
	uint64_t		copy_journal_bytes;	/* or after so much journal */
	uint32_t		copies;		/* that are kept */
	uint32_t		fsck_share;	/* per cent of the process' time */
	uint64_t		fsck_body_rate_bytes;	/* a second */
	uint32_t		reclaim_share;	/* per cent */
	uint64_t		reclaim_rate_bytes;	/* in a second */
	uint32_t		request_retry_ms;	/* how long requests wait for a store that restarts */
};

struct conf_quota {			/* of accounts without their own; 0: no limit */
	struct conf_head	head;
	uint64_t		storage_bytes;
	uint32_t		messages;
	uint32_t		mailboxes;
	uint32_t		warn, warn_again;	/* per cent; 0: never */
};

struct conf_shard {			/* head.name: "0", "1" ... or "system" */
	struct conf_head	head;
	const char		*path;
};

struct conf_admin {
	struct conf_head	head;
	const char		*socket;	/* never "" once loaded */
	const char		*group;
};

/* ---- the whole ---- */

struct mansio_conf {
	struct arena		mem;		/* holds all below */
	struct conf_global	global;
	struct conf_log		log;
	struct conf_users	users;
	struct conf_listener	*listeners;
	size_t			n_listeners;
	struct conf_pool	*pools;
	size_t			n_pools;
	struct conf_imap	imap;
	struct conf_lmtp	lmtp;
	struct conf_pop3	pop3;
	struct conf_jmap	jmap;
	struct conf_managesieve	managesieve;
	struct conf_sieve	sieve;
	struct conf_sieve_domain *sieve_domains;
	size_t			n_sieve_domains;
	struct conf_tls		tls;
	struct conf_certificate	*certificates;
	size_t			n_certificates;
	struct conf_auth	auth;
	struct conf_throttle	throttle;
	struct conf_pam		pam;
	struct conf_passwd_file	passwd_file;
	struct conf_oauth	oauth;
	struct conf_outd	outd;
	struct conf_push	push;
	struct conf_outgoing	outgoing;
	struct conf_store	store;
	struct conf_indexd	indexd;
	struct conf_retention	retention;
	struct conf_quota	quota;
	struct conf_shard	*shards;	/* those with a section of their own */
	size_t			n_shards;
	struct conf_admin	admin;
};

extern const struct conf_section conf_sections[];

/* Reads path, then conf.d/ beside it: every *.conf there, in order of their names.  false: err
 * has lines that name file and line, *conf is NULL. */
bool conf_load(const char *path, struct mansio_conf **conf, struct conf_errors *err);
/* One text, without includes and conf.d; name stands for the file in messages.  Files
 * that are named in it need not exist. */
bool conf_parse(struct span text, const char *name, struct mansio_conf **conf,
    struct conf_errors *err);
/* Appends a line for each thing that is allowed and hardly meant. */
void conf_warnings(const struct mansio_conf *conf, struct buf *out);
/* All defaults. */
struct mansio_conf *conf_new_default(void);
void conf_free(struct mansio_conf **conf);

/* The effective configuration as text with every value written out: for the processes
 * that have no files.  Decoding gives an equal one; NULL: it is not such text. */
void conf_effective_encode(const struct mansio_conf *conf, struct buf *out);
struct mansio_conf *conf_effective_decode(struct span text);

/* Appends "section.name.key" lines of all values that differ and whose flags have all
 * of `flags` (CONF_RESTART: those that a reload cannot put in force); counts them.
 * Sections that came or went count as one line, for flags 0 alone. */
size_t conf_changed(const struct mansio_conf *a, const struct mansio_conf *b, unsigned flags,
    struct buf *out);

/* ---- printing ---- */

/* For people: each value, behind it a comment that names where it comes from. */
void conf_print(const struct mansio_conf *conf, struct buf *out);
/* [{"key":"imap.max-append","value":"64M","origin":"FILE:LINE"|"default"}, ...] as JSON text. */
void conf_print_json(const struct mansio_conf *conf, struct buf *out);
/* One setting: "imap.max-append", "listener.imaps.bind", "hostname"; a section's name alone gives
 * all of it.  false: there is no such key. */
bool conf_print_key(const struct mansio_conf *conf, const char *key, bool json, struct buf *out);
/* The commented sample; the manual's list of keys in man(7) macros. */
void conf_print_sample(struct buf *out);
void conf_print_man(struct buf *out);

/* ---- questions ---- */

const struct conf_listener *conf_listener_find(const struct mansio_conf *conf, const char *name);
/* program: "imapd"; NULL: no such pool. */
const struct conf_pool *conf_pool_find(const struct mansio_conf *conf, const char *program);
/* 0 when there is no such pool. */
uint32_t conf_pool_connections(const struct mansio_conf *conf, const char *program);
/* `workers` with auto made a number: CPUs that this process may use, at least 1. */
uint32_t conf_workers(uint32_t configured);
/* The program that serves a protocol: "imapd"; "authd" has no pool. */
const char *conf_protocol_program(enum conf_protocol p);
const char *conf_protocol_name(enum conf_protocol p);
/* 12 or 13. */
unsigned conf_tls_min_version(const struct mansio_conf *conf);
enum log_level conf_log_level(const struct mansio_conf *conf);
/* Folder of a shard (UINT32_MAX: the directory's): its section's path, or below state-dir
 * "shard-0", "shard-system". */
void conf_shard_path(const struct mansio_conf *conf, uint32_t shard, struct buf *out);
bool conf_has_backend(const struct mansio_conf *conf, enum conf_backend b);
bool conf_has_mechanism(const struct mansio_conf *conf, enum conf_mechanism m);
/* "application/pdf /usr/bin/pdftotext - -": a type, a program, its arguments; words of `mem`. */
#define CONF_EXTRACTOR_ARGS 16u
struct conf_extractor {
	struct span	type;			/* "application/pdf", "image/" and a star */
	char		*argv[CONF_EXTRACTOR_ARGS + 1];
};
bool conf_extractor(const char *entry, struct arena *mem, struct conf_extractor *e);
/* "90d Lists/News": a time, blanks, a path.  false: it is none. */
bool conf_retention_entry(const char *entry, uint32_t *seconds, const char **path);
/* "NAME PATH": a name, blanks, an absolute path.  false: it is none. */
bool conf_named_file(const char *entry, struct span *name, const char **path);
/* Something can judge bearer tokens. */
bool conf_has_bearer(const struct mansio_conf *conf);
/* JMAP clients may have changes pushed. */
bool conf_pushes(const struct mansio_conf *conf);
/* For one of the two. */
bool conf_needs_outd(const struct mansio_conf *conf);
/* Mail can leave: there is a relay or a program. */
bool conf_sends(const struct mansio_conf *conf);
/* "relay.example.org", "192.0.2.1:25", "[2001:db8::1]:587": a host, whose text is in entry, and a port, 0:
 * none was named. */
bool conf_relay(const char *entry, struct span *host, uint16_t *port);

#endif
