/* sieve/settings.h
 * What the admin may set for the extensions: given to the compiler and to each run.  An extension
 * adds its members here, with what zero means. */
#ifndef SIEVE_SETTINGS_H
#define SIEVE_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/util/span.h"

/* MAIL FROM of notifications: ":from" of the script or else the user's address; ":from" or else
 * postmaster; the message's sender; its recipient; the user's address. */
enum sieve_notify_sender {
	SIEVE_NOTIFY_FROM_SCRIPT, SIEVE_NOTIFY_FROM_POSTMASTER, SIEVE_NOTIFY_FROM_SENDER,
	SIEVE_NOTIFY_FROM_RECIPIENT, SIEVE_NOTIFY_FROM_USER
};

/* What a checker before us wrote into a field of its own, and how it is read (RFC 5235). */
enum sieve_verdict_kind { SIEVE_VERDICT_SCORE, SIEVE_VERDICT_LENGTH, SIEVE_VERDICT_TEXT };
struct sieve_verdict {
	/* "X-Spam-Score", or "X-Spam-Status: score=(-?[0-9.]+)": a regular expression (sieve/regex.h)
	 * whose group is the value.  NULL: nothing was tested. */
	const char			*header;
	enum sieve_verdict_kind		kind;
	/* Score or length that is certain: a number, or a field as above; NULL: 10. */
	const char			*max;
	/* TEXT: "1 clean", "10 spam"; NULL-terminated. */
	const char *const		*texts;
};

struct sieve_settings {
	const char	*address_separators;	/* subaddress; NULL: "+" */
	/* vacation; seconds.  No least time; zero: 7 days by default, 90 days at most. */
	uint32_t	vacation_min_s, vacation_default_s, vacation_max_s;
	const char	*vacation_subject;	/* where the message has none; NULL: "Automated reply" */
	const char	*vacation_template; /* %{subject} in it is the message's; NULL: "Auto: %{subject}" */
	bool		vacation_any_recipient;	/* also when no address of the user is in To, Cc, ... */
	bool		vacation_original_recipient; /* that before aliases is the user's address, too */
	bool		vacation_from_recipient; /* MAIL FROM is the recipient; false: <> */
	bool		vacation_to_header;	/* To is the address in Sender or From */
	/* duplicate; seconds.  Zero: 7 days, 90 days. */
	uint32_t	duplicate_default_s, duplicate_max_s;
	enum sieve_notify_sender notify_sender;
	/* editheader; fields that only the admin's scripts add and delete; NULL-terminated, NULL: none. */
	const char *const *protected_headers;
	struct sieve_verdict spam, virus;
};

#endif
