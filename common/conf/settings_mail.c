/* common/conf/settings_mail.c
 * Settings of the protocols that read and deliver mail. */
#include "common/conf/settings_priv.h"

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
	CONF_BOOL(conf_imap, literal_plus, "yes", CONF_RELOAD,
	    "Offer LITERAL+: literals without waiting for the server.  no: LITERAL- (RFC 7888)."),
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
