/* common/conf/settings_sieve.c
 * Settings of mail rules: what runs at delivery beside the users' scripts, and how much a script
 * may do. */
#include "common/conf/settings_priv.h"

static const char *const spam_kinds[] = { "score", "length", "text", NULL };
static const char *const reject_modes[] = { "refuse", "message", NULL };
/* In the order of enum sieve_notify_sender. */
static const char *const notify_senders[] = { "user", "postmaster", "sender", "recipient", "owner",
    NULL };

const struct conf_field conf_sieve_fields[] = {
	CONF_BOOL(conf_sieve, enabled, "yes", CONF_RELOAD,
	    "Run scripts at delivery.  no: all mail goes into the INBOX; scripts are kept."),
	CONF_STRINGS(conf_sieve, before, "", CONF_RELOAD,
	    "Files with scripts that run before the user's, in this order; what they do is the "
	    "admin's word.  Read at start and reload: a script with an error stops both."),
	CONF_STRINGS(conf_sieve, after, "", CONF_RELOAD,
	    "The same behind the user's, for mail that is still to be kept."),
	CONF_PATH(conf_sieve, default_script, "", CONF_RELOAD | CONF_FILE,
	    "File with the script of users who have none that is active.  Empty: none."),
	CONF_STRINGS(conf_sieve, global_scripts, "", CONF_RELOAD,
	    "What users' scripts may include by name (include :global, RFC 6609): "
	    "\"spam /etc/mansio/spam.sieve\", a name, a blank and a file."),
	CONF_STRINGS(conf_sieve, lists, "", CONF_RELOAD,
	    "Lists that scripts may ask for members (extlists, RFC 6134): "
	    "\"tag:example.org,2026:partners /etc/mansio/partners\", a name, a blank and a file "
	    "with one address or other text on each line; # starts a comment."),
	CONF_STRINGS(conf_sieve, disabled_extensions, "", CONF_RELOAD,
	    "Extensions that users' scripts cannot require: vacation, regex."),
	CONF_SIZE(conf_sieve, max_script, "128K", "1K", "1M", CONF_RELOAD,
	    "Largest script."),
	CONF_INT(conf_sieve, max_scripts, "100", "1", "1000", CONF_RELOAD,
	    "Scripts of an account."),
	CONF_SIZE(conf_sieve, max_scripts_total, "2M", "1K", "1G", CONF_RELOAD,
	    "All scripts of an account together."),
	CONF_INT(conf_sieve, max_steps, "200000", "1000", "1000000000", CONF_RELOAD,
	    "Work that the scripts of one delivery may do: tests, commands, and what grows with the "
	    "text that they look at."),
	CONF_SIZE(conf_sieve, max_memory, "16M", "256K", "1G", CONF_RELOAD,
	    "Memory that the scripts of one delivery may take, the message not counted."),
	CONF_INT(conf_sieve, max_actions, "32", "1", "60", CONF_RELOAD,
	    "Actions of one delivery."),
	CONF_INT(conf_sieve, max_redirects, "4", "0", "30", CONF_RELOAD,
	    "Redirections of one delivery."),
	CONF_INT(conf_sieve, max_outgoing, "8", "0", "30", CONF_RELOAD,
	    "Messages that one delivery may send: redirections, answers and notifications."),
	CONF_INT(conf_sieve, max_includes, "32", "1", "255", CONF_RELOAD,
	    "Scripts that one delivery may include."),
	CONF_INT(conf_sieve, max_nested_includes, "8", "1", "32", CONF_RELOAD,
	    "How deep included scripts may include others."),
	CONF_INT(conf_sieve, max_variables, "128", "128", "4096", CONF_RELOAD,
	    "Variables of a script."),
	CONF_SIZE(conf_sieve, max_variable, "8K", "4000", "1M", CONF_RELOAD,
	    "Longest value of a variable; what is longer is cut."),
	CONF_SIZE(conf_sieve, max_body, "4M", "64K", "1G", CONF_RELOAD,
	    "Messages up to this size can be looked into and edited in whole by scripts that want "
	    "it, and are kept in memory meanwhile.  In longer ones only the header can."),
	CONF_SIZE(conf_sieve, body_memory, "128M", "1M", "64G", CONF_RELOAD,
	    "Memory of a worker for that; while it is used up, messages count as longer."),
	CONF_BOOL(conf_sieve, create_mailboxes, "yes", CONF_RELOAD,
	    "A mailbox that fileinto names and that is missing is made, and subscribed.  no: such "
	    "mail goes into the INBOX, unless the script says :create."),
	CONF_TIME(conf_sieve, vacation_min_time, "1d", "0", "30d", CONF_RELOAD,
	    "Shortest time between two vacation answers to the same sender; shorter ones that a "
	    "script asks for become this."),
	CONF_TIME(conf_sieve, vacation_default_time, "7d", "1s", "365d", CONF_RELOAD,
	    "The time of scripts that ask for none."),
	CONF_TIME(conf_sieve, vacation_max_time, "90d", "7d", "365d", CONF_RELOAD,
	    "The longest; longer ones become this."),
	CONF_STRING(conf_sieve, vacation_subject, "Automated reply", CONF_RELOAD,
	    "Subject of answers to messages without one."),
	CONF_STRING(conf_sieve, vacation_template, "Auto: %{subject}", CONF_RELOAD,
	    "Subject of answers when the script says none; %{subject} is that of the message."),
	CONF_BOOL(conf_sieve, vacation_check_recipient, "yes", CONF_RELOAD,
	    "Only mail with an address of the user in To or Cc is answered (RFC 5230 wants it).  no: "
	    "also what came another way, such as by an alias."),
	CONF_BOOL(conf_sieve, vacation_from_recipient, "no", CONF_RELOAD,
	    "The envelope sender of answers is the recipient's address, and not <>."),
	CONF_BOOL(conf_sieve, vacation_to_header, "no", CONF_RELOAD,
	    "The field To of answers has the address in Sender or From, and not that of the envelope; "
	    "for a server that rewrites senders.  The answer goes to that of the envelope."),
	CONF_TIME(conf_sieve, duplicate_default_time, "7d", "1s", "365d", CONF_RELOAD,
	    "How long the test duplicate remembers a message when the script does not say."),
	CONF_TIME(conf_sieve, duplicate_max_time, "90d", "1d", "365d", CONF_RELOAD,
	    "The longest time that it does."),
	CONF_ENUM(conf_sieve, reject_mode, reject_modes, "refuse", CONF_RELOAD,
	    "What reject does.  refuse: the MTA is told 550 with the script's text, and tells the "
	    "sender.  message: the mail is taken, and the answer sent by us.  ereject is always "
	    "told to the MTA; what LMTP cannot carry is a message in either case."),
	CONF_ENUM(conf_sieve, notify_sender, notify_senders, "user", CONF_RELOAD,
	    "Envelope sender of notifications.  user: what the script says by :from, or else the "
	    "user's address; postmaster: the same, or else the postmaster of the user's domain; sender, "
	    "recipient: that of the message, whatever the script says; owner: always the user's "
	    "address."),
	CONF_INT(conf_sieve, max_hops, "50", "10", "200", CONF_RELOAD,
	    "A message with more Received fields is not redirected any more."),
	CONF_BOOL(conf_sieve, imap_events, "yes", CONF_RELOAD,
	    "Run scripts that mailboxes name when messages come into them or are flagged by IMAP or "
	    "JMAP (imapsieve, RFC 6785).  no: the capability IMAPSIEVE and the extension are gone."),
	CONF_STRING(conf_sieve, event_script, "", CONF_RELOAD,
	    "Script of mailboxes without an entry of their own: the server's annotation "
	    "/shared/imapsieve/script.  The user's script of that name, else one of global-scripts.  "
	    "Empty: none."),
	CONF_STRINGS(conf_sieve, protected_headers,
	    "Received, Auto-Submitted, Delivered-To, Return-Path", CONF_RELOAD,
	    "Fields that the users' scripts can neither add nor delete (editheader, RFC 5293)."),
	CONF_STRING(conf_sieve, spam_header, "", CONF_RELOAD,
	    "Where the spam checker before us tells what it thinks (spamtest, RFC 5235): a field, "
	    "\"X-Spam-Score\", or one with a POSIX extended regular expression whose group is the "
	    "value: \"X-Spam-Status: score=(-?[0-9.]+)\".  The checker must remove such fields that "
	    "come from outside.  Empty: nothing was tested."),
	CONF_ENUM(conf_sieve, spam_kind, spam_kinds, "score", CONF_RELOAD,
	    "What that value is.  score: a number; length: as many characters (\"*****\"); text: one "
	    "of spam-texts."),
	CONF_STRING(conf_sieve, spam_max, "10", CONF_RELOAD,
	    "The score or length that is spam for certain: a number, or a field as in spam-header "
	    "(\"X-Spam-Status: required=([0-9.]+)\")."),
	CONF_STRINGS(conf_sieve, spam_texts, "", CONF_RELOAD,
	    "\"1 clean\", \"10 spam\": what a text stands for, from 1 to 10, a blank, and the text."),
	CONF_STRING(conf_sieve, virus_header, "", CONF_RELOAD,
	    "The same of the virus checker (virustest), whose value is one of virus-texts."),
	CONF_STRINGS(conf_sieve, virus_texts, "", CONF_RELOAD,
	    "\"1 clean\", \"5 infected\": from 1 (no known virus) to 5 (a virus for certain)."),
	CONF_END
};

const struct conf_field conf_sieve_domain_fields[] = {
	CONF_STRINGS(conf_sieve_domain, before, "", CONF_RELOAD,
	    "Scripts that run before the users' of this domain, behind those of the section sieve."),
	CONF_STRINGS(conf_sieve_domain, after, "", CONF_RELOAD,
	    "Scripts that run behind them, before those of the section sieve."),
	CONF_PATH(conf_sieve_domain, default_script, "", CONF_RELOAD | CONF_FILE,
	    "In place of sieve.default-script."),
	CONF_END
};
