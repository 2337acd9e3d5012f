/* The section `outgoing`. */
#include "common/conf/settings_priv.h"

static const char *const relay_tls[] = { "none", "may", "starttls", "implicit", NULL };

const struct conf_field conf_outgoing_fields[] = {
	CONF_STRING(conf_outgoing, relay, "", CONF_RELOAD,
	    "The mail server that takes it: HOST or HOST:PORT; without a port 587, or 465 for "
	    "tls = implicit.  Its address may be any, also of this host or a private network."),
	CONF_PATH(conf_outgoing, program, "", CONF_RELOAD | CONF_FILE,
	    "Instead of a relay: a program that takes a message as sendmail(8) does, run as "
	    "PROGRAM -oi -f SENDER -- RECIPIENT... with the message on its standard input, "
	    "by the user of outd.  /usr/sbin/sendmail."),
	CONF_ENUM(conf_outgoing, tls, relay_tls, "starttls", CONF_RELOAD,
	    "none: clear text.  may: TLS where the relay offers it.  starttls: no message without "
	    "it.  implicit: TLS from the first byte."),
	CONF_BOOL(conf_outgoing, verify, "yes", CONF_RELOAD,
	    "Whether the relay's certificate must be good."),
	CONF_PATH(conf_outgoing, ca_file, "", CONF_RELOAD | CONF_FILE,
	    "PEM file with the authorities that are trusted for that.  Empty: those that the system "
	    "trusts."),
	CONF_STRING(conf_outgoing, tls_name, "", CONF_RELOAD,
	    "The name that its certificate must have.  Empty: that of relay."),
	CONF_STRING(conf_outgoing, user, "", CONF_RELOAD,
	    "Log in there as (AUTH SCRAM-SHA-256, PLAIN or LOGIN, inside TLS alone).  Empty: no login."),
	CONF_PATH(conf_outgoing, password_file, "", CONF_RELOAD | CONF_FILE,
	    "File with the password, one line.  Only the monitor reads it, so root may own it and "
	    "nobody else need read it."),
	CONF_INT(conf_outgoing, connections, "4", "1", "64", CONF_RELOAD,
	    "Connections to the relay, or programs, at a time."),
	CONF_TIME(conf_outgoing, connect_time, "30s", "1s", "10min", CONF_RELOAD,
	    "In which the relay's name has to resolve and one of its addresses to answer."),
	CONF_TIME(conf_outgoing, reply_time, "5min", "1s", "1h", CONF_RELOAD,
	    "How long a reply of the relay is waited for (RFC 5321 4.5.3.2)."),
	CONF_TIME(conf_outgoing, data_time, "3min", "1s", "1h", CONF_RELOAD,
	    "How long the relay may take no byte of a message."),
	CONF_TIME(conf_outgoing, final_time, "10min", "1s", "1h", CONF_RELOAD,
	    "How long its word on a whole message is waited for.  A shorter time makes more "
	    "duplicates."),
	CONF_TIME(conf_outgoing, program_time, "5min", "1s", "1h", CONF_RELOAD,
	    "How long the program may run."),
	CONF_TIME(conf_outgoing, retry_time, "2min", "1s", "1d", CONF_RELOAD,
	    "What could not be sent is tried again after this time, then after twice as long, and so on."),
	CONF_TIME(conf_outgoing, retry_max_time, "2h", "1s", "7d", CONF_RELOAD,
	    "The longest time from one attempt to the next."),
	CONF_TIME(conf_outgoing, expiry, "5d", "1min", "60d", CONF_RELOAD,
	    "A redirected message that could not be sent for so long goes into the user's INBOX."),
	CONF_TIME(conf_outgoing, answer_expiry, "1d", "1min", "60d", CONF_RELOAD,
	    "Vacation answers, refusals and notifications are given up after so long."),
	CONF_INT(conf_outgoing, account_day, "1000", "0", "1000000000", CONF_RELOAD,
	    "Messages that leave for one account in a day (UTC); further ones wait for the next.  A "
	    "restart of stored counts anew.  0: any number."),
	CONF_END
};
