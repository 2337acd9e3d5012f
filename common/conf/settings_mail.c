/* common/conf/settings_mail.c
 * Settings of the protocols that read and deliver mail. */
#include "common/conf/settings_priv.h"

static const char *const ids[] = { "nothing", "name", "version", NULL };

const struct conf_field conf_imap_fields[] = {
	CONF_TIME(conf_imap, login_timeout, "1min", "1s", "1h", CONF_RELOAD,
	    "Time a client has from connecting to a successful login."),
	CONF_TIME(conf_imap, idle_timeout, "30min", "30min", "7d", CONF_RELOAD,
	    "A logged-in client that says nothing for this long is sent away (RFC 9051, 5.4: "
	    "not before 30 minutes)."),
	CONF_TIME(conf_imap, idle_keepalive, "2min", "0", "1d", CONF_RELOAD,
	    "In IDLE, a line after this time keeps address translators awake.  0: never."),
	CONF_SIZE(conf_imap, max_append, "64M", "1K", "2G", CONF_RELOAD,
	    "Largest message a client may append."),
	CONF_SIZE(conf_imap, max_line, "64K", "8K", "1M", CONF_RELOAD,
	    "Longest command line, literals not counted (RFC 7162, 4: at least 8K)."),
	CONF_SIZE(conf_imap, max_literal, "256K", "4K", "16M", CONF_RELOAD,
	    "Bytes of literals in a command other than APPEND."),
	CONF_INT(conf_imap, max_bad_commands, "20", "1", "1000000", CONF_RELOAD,
	    "A client that sent this many commands in a row that make no sense is sent away."),
	CONF_INT(conf_imap, max_logins, "5", "1", "100", CONF_RELOAD,
	    "Failed logins on one connection before it is closed."),
	CONF_INT(conf_imap, max_user_connections, "64", "1", "100000", CONF_RELOAD,
	    "Connections of one account to one worker."),
	CONF_SIZE(conf_imap, max_output, "1M", "64K", "64M", CONF_RELOAD,
	    "Bytes kept for a client that reads slowly, before its commands wait."),
	CONF_INT(conf_imap, message_limit, "1000000", "0", "1000000000", CONF_RELOAD,
	    "Messages that one FETCH, SEARCH, STORE, MOVE or UID EXPUNGE takes, announced as "
	    "MESSAGELIMIT (RFC 9738); COPY and APPEND are refused above it.  Clients that do not "
	    "know of it see the newest alone.  0: no limit."),
	CONF_INT(conf_imap, save_limit, "1000000", "0", "1000000000", CONF_RELOAD,
	    "Messages that one COPY or APPEND takes, announced as SAVELIMIT.  0: no limit."),
	CONF_TIME(conf_imap, progress_interval, "10s", "0", "1h", CONF_RELOAD,
	    "A command that takes long tells how far it is after this time, and again "
	    "(INPROGRESS, RFC 9585).  0: never."),
	CONF_BOOL(conf_imap, literal_plus, "yes", CONF_RELOAD,
	    "Offer LITERAL+: literals without waiting for the server.  no: LITERAL- (RFC 7888)."),
	CONF_BOOL(conf_imap, login_referrals, "no", CONF_RELOAD,
	    "Announce LOGIN-REFERRALS (RFC 2221) and tell clients of accounts with a referral "
	    "(mansioctl account referral) where their mail is, once they have proven who they are; "
	    "those of ManageSieve learn the host too (REFERRAL, RFC 5804, 1.3).  no: such a login is "
	    "refused without the URL."),
	CONF_BOOL(conf_imap, append_8bit, "yes", CONF_RELOAD,
	    "Take messages with 8-bit bytes in their header by APPEND from clients that enabled "
	    "neither UTF8=ACCEPT nor IMAP4rev2: about one old mail in a hundred is like that, and "
	    "a client that copies it here would fail.  no: refused, as RFC 9755, 4 wants it."),
	CONF_ENUM(conf_imap, id, ids, "version", CONF_RELOAD,
	    "What ID tells of the server (RFC 2971): nothing, its name, or once logged in its "
	    "version too."),
	CONF_STRINGS(conf_imap, disabled_capabilities, "", CONF_RELOAD,
	    "Extensions that are neither announced nor understood, for clients that they trouble: "
	    "names as in CAPABILITY, IDLE for instance, or AUTH=PLAIN."),
	CONF_STRING(conf_imap, server_admin, "", CONF_RELOAD,
	    "Where users reach the admin, as a URI: mailto:postmaster@example.org.  Clients read it "
	    "as the annotation /shared/admin (RFC 5464, 6.2.2)."),
	CONF_STRING(conf_imap, server_comment, "", CONF_RELOAD,
	    "A note on the server, which clients read as the annotation /shared/comment."),
	CONF_STRING(conf_imap, other_users_prefix, "Other Users", CONF_RELOAD,
	    "Below this name are the mailboxes that other users share, as "
	    "\"Other Users/ADDRESS/PATH\"; one's own mailbox of this name is out of reach.  "
	    "Subscriptions are kept by name.  Empty: they are not shown."),
	CONF_STRING(conf_imap, shared_prefix, "Shared", CONF_RELOAD,
	    "The same for accounts that belong to nobody (mansioctl account add --shared)."),
	CONF_STRING(conf_imap, undelete_prefix, "#undelete", CONF_RELOAD,
	    "Below this name users find what they deleted, for as long as it is kept "
	    "(store.undelete-time): \"#undelete/INBOX\" is read-only, and who copies a message "
	    "out of it has it back.  Listed only for clients that ask for it by name.  Who has a "
	    "mailbox of this name keeps that instead.  Empty: there is none."),
	CONF_FOLDERS(conf_imap, default_folders,
	    "Drafts:drafts, Sent:sent, Junk:junk, Trash:trash, Archive:archive", CONF_RELOAD,
	    "Folders that a new account starts with, subscribed, and their special use."),
	CONF_END
};

static const char *const over_quota[] = { "452", "552", NULL };

const struct conf_field conf_lmtp_fields[] = {
	CONF_TIME(conf_lmtp, idle_timeout, "5min", "10s", "1h", CONF_RELOAD,
	    "A client that says nothing for this long is sent away."),
	CONF_SIZE(conf_lmtp, max_message, "64M", "64K", "2G", CONF_RELOAD,
	    "Largest message, announced as SIZE."),
	CONF_INT(conf_lmtp, max_recipients, "1000", "100", "100000", CONF_RELOAD,
	    "Recipients of one message."),
	CONF_ENUM(conf_lmtp, over_quota, over_quota, "452", CONF_RELOAD,
	    "Answer for a full mailbox.  452: the MTA tries again.  552: it sends a bounce."),
	CONF_BOOL(conf_lmtp, add_delivered_to, "yes", CONF_RELOAD,
	    "Put a Delivered-To header with the recipient in front of the message."),
	CONF_BOOL(conf_lmtp, add_return_path, "yes", CONF_RELOAD,
	    "Put a Return-Path header with the envelope sender in front of the message."),
	CONF_STRING(conf_lmtp, recipient_delimiter, "+", CONF_RELOAD,
	    "user+detail@domain goes to user@domain.  One character; empty: addresses are taken "
	    "as they are."),
	CONF_END
};

static const char *const pop3_delete[] = { "expunge", "flag", "trash", NULL };
static const char *const pop3_utf8[] = { "send", "surrogate", "refuse", NULL };

const struct conf_field conf_pop3_fields[] = {
	CONF_TIME(conf_pop3, login_timeout, "1min", "1s", "1h", CONF_RELOAD,
	    "Time a client has from connecting to a successful login."),
	CONF_TIME(conf_pop3, idle_timeout, "10min", "10min", "1d", CONF_RELOAD,
	    "A logged-in client that says nothing for this long is sent away, and deletes "
	    "nothing (RFC 1939, 3: not before 10 minutes)."),
	CONF_SIZE(conf_pop3, max_line, "1K", "255", "64K", CONF_RELOAD,
	    "Longest command line (RFC 2449, 4: at least 255).  SASL has its own limit."),
	CONF_INT(conf_pop3, max_bad_commands, "20", "1", "1000000", CONF_RELOAD,
	    "A client that sent this many commands in a row that make no sense is sent away."),
	CONF_INT(conf_pop3, max_logins, "5", "1", "100", CONF_RELOAD,
	    "Failed logins on one connection before it is closed."),
	CONF_INT(conf_pop3, max_user_connections, "16", "1", "100000", CONF_RELOAD,
	    "Connections of one account to one worker."),
	CONF_SIZE(conf_pop3, max_output, "256K", "64K", "64M", CONF_RELOAD,
	    "Bytes kept for a client that reads slowly, before its commands wait."),
	CONF_INT(conf_pop3, max_messages, "4000000", "1", "100000000", CONF_RELOAD,
	    "A maildrop shows at most this many messages, the oldest ones (8 bytes of memory "
	    "each)."),
	CONF_SIZE(conf_pop3, read_ahead, "512K", "0", "16M", CONF_RELOAD,
	    "Bytes of messages that are asked for before a client does that fetches one after "
	    "the other."),
	CONF_SIZE(conf_pop3, read_ahead_total, "128M", "0", "64G", CONF_RELOAD,
	    "The same of all connections of one worker; beyond it messages are read one by one."),
	CONF_STRINGS(conf_pop3, mailboxes, "INBOX", CONF_RELOAD,
	    "Mailboxes that make the maildrop, in this order.  One that is missing is empty."),
	CONF_BOOL(conf_pop3, folder_logins, "no", CONF_RELOAD,
	    "user+folder@domain logs in as user@domain to a maildrop that is the mailbox "
	    "folder.  With USER and PASS, and AUTH PLAIN."),
	CONF_STRING(conf_pop3, folder_delimiter, "+", CONF_RELOAD,
	    "What stands between user and folder.  One character."),
	CONF_ENUM(conf_pop3, delete_action, pop3_delete, "expunge", CONF_RELOAD,
	    "What QUIT does with deleted messages.  expunge: they go.  flag: they get "
	    "delete-flag and POP3 shows them no more.  trash: they move to the mailbox trash."),
	CONF_STRING(conf_pop3, delete_flag, "$POP3Deleted", CONF_RELOAD,
	    "For delete-action = flag: a keyword, or \\Deleted."),
	CONF_STRING(conf_pop3, trash, "Trash", CONF_RELOAD,
	    "For delete-action = trash: path of the mailbox, made when it is missing."),
	CONF_BOOL(conf_pop3, mark_seen, "no", CONF_RELOAD,
	    "QUIT sets \\Seen on messages that were retrieved."),
	CONF_STRING(conf_pop3, uidl_format, "%v.%u", CONF_RELOAD,
	    "How unique-ids are made: %u uid, %v uidvalidity, %m mailbox id, %e email id.  "
	    "%08Xu and the like: hexadecimal with leading zeros.  It needs %u, and %v or %m.  "
	    "Ids that were imported come first."),
	CONF_STRING(conf_pop3, expire, "never", CONF_RELOAD,
	    "What EXPIRE tells (RFC 2449, 6.7): never, or days that messages stay.  Mansio "
	    "deletes nothing because of it."),
	CONF_TIME(conf_pop3, login_delay, "0", "0", "1d", CONF_RELOAD,
	    "Time between two logins to a maildrop; who comes earlier gets [LOGIN-DELAY].  "
	    "0: no matter."),
	CONF_ENUM(conf_pop3, utf8_headers, pop3_utf8, "surrogate", CONF_RELOAD,
	    "Messages with UTF-8 in their header, for a client that did not say UTF8 "
	    "(RFC 6856).  send: as they are.  surrogate: with ? for each such byte.  refuse: "
	    "-ERR [UTF8]."),
	CONF_END
};

const struct conf_field conf_managesieve_fields[] = {
	CONF_TIME(conf_managesieve, login_timeout, "1min", "1s", "1h", CONF_RELOAD,
	    "Time a client has from connecting to a successful login."),
	CONF_TIME(conf_managesieve, idle_timeout, "30min", "30min", "1d", CONF_RELOAD,
	    "A logged-in client that says nothing for this long is sent away (RFC 5804, 1.2: not "
	    "before 30 minutes)."),
	CONF_SIZE(conf_managesieve, max_line, "8K", "4K", "32K", CONF_RELOAD,
	    "Longest command, not counting its literals."),
	CONF_INT(conf_managesieve, max_bad_commands, "20", "1", "1000000", CONF_RELOAD,
	    "A client that sent this many commands in a row that make no sense is sent away."),
	CONF_INT(conf_managesieve, max_logins, "5", "1", "100", CONF_RELOAD,
	    "Failed logins on one connection before it is closed."),
	CONF_INT(conf_managesieve, max_user_connections, "16", "1", "100000", CONF_RELOAD,
	    "Connections of one account to one worker."),
	CONF_END
};
