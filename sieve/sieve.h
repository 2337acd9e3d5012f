/* sieve/sieve.h
 * The Sieve language (RFC 5228 and its extensions): a script is compiled once and run against any
 * number of messages.  No I/O: what a script wants done comes out as a list of actions, and what it
 * must know of the world is asked through one function that may say "not known yet".
 *
 *	script = sieve_compile(text, &options, &problems);
 *	outcome = sieve_run(&script, 1, message, &env, &result);
 *
 * On SIEVE_ASKS the caller finds the answers to result.questions and runs again from the beginning:
 * runs are cheap and have no effects.  One thread at a time for a message or a result; a script
 * never changes and may be shared. */
#ifndef SIEVE_SIEVE_H
#define SIEVE_SIEVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/util/arena.h"
#include "common/util/buf.h"
#include "common/util/span.h"
#include "sieve/message.h"
#include "sieve/settings.h"

struct sieve_ext;
struct sieve_script;

/* Zero in a member: its default.  sieve_limits_default tells them. */
#define SIEVE_LIMIT_NONE UINT32_MAX		/* none at all, not even one */
struct sieve_limits {
	/* Checked by the compiler. */
	uint32_t	script_bytes;
	uint32_t	string_bytes;		/* one string; also what is made of one at run time */
	uint32_t	list_items;
	uint32_t	nodes;			/* commands and tests of a script */
	uint32_t	nested_blocks, nested_tests, nested_loops;
	uint32_t	variables;		/* of a script; global ones as many again */
	uint32_t	variable_name_bytes;
	uint32_t	match_variables;
	/* Checked when it runs. */
	uint32_t	variable_bytes;		/* a longer value is cut, at a character */
	uint32_t	steps;			/* commands, tests, and work in proportion to size */
	uint32_t	memory_bytes;		/* of a run, not counting the message */
	uint32_t	actions;
	uint32_t	redirects;
	uint32_t	outgoing;		/* redirects, answers, notifications together */
	uint32_t	includes, nested_includes;
	uint32_t	header_bytes;		/* of a field that a script adds */
};
extern const struct sieve_limits sieve_limits_default;

/* What the caller can keep: extensions that need what is not offered do not exist for it. */
enum sieve_offer {
	SIEVE_OFFER_MAILBOXES	= 1 << 0,	/* answers about mailboxes: mailbox, special-use, ... */
	SIEVE_OFFER_ANNOTATIONS	= 1 << 1,	/* mboxmetadata, servermetadata */
	SIEVE_OFFER_OUTGOING	= 1 << 2,	/* redirect's parts, vacation, enotify, reject */
	SIEVE_OFFER_MARKS	= 1 << 3,	/* duplicate, vacation */
	SIEVE_OFFER_SCRIPTS	= 1 << 4,	/* include */
	SIEVE_OFFER_LISTS	= 1 << 5,	/* extlists */
	SIEVE_OFFER_ENVELOPE	= 1 << 6,
	SIEVE_OFFER_IMAP	= 1 << 7,	/* imapsieve: the script may be one for events, too */
	SIEVE_OFFER_DSN		= 1 << 8,	/* the envelope's parameters of RFC 3461 and 2852 */
	SIEVE_OFFER_DELIVERY	= 0x17f		/* all that a delivery can */
};

struct sieve_options {
	const char			*name;		/* of the script, for errors; may be NULL */
	unsigned			offers;		/* enum sieve_offer; 0: SIEVE_OFFER_DELIVERY */
	const char *const		*off;		/* extensions switched off; NULL-terminated */
	const struct sieve_ext *const	*more;		/* extensions of the caller; NULL-terminated */
	bool				trusted;	/* the admin's: may use what users may not */
	const struct sieve_limits	*limits;	/* NULL: the defaults */
	const struct sieve_settings	*settings;	/* NULL: all zero */
};

/* The value of ManageSieve's SIEVE capability: what may be required, in alphabetical order. */
void sieve_capabilities(const struct sieve_options *o, struct buf *out);

struct sieve_problem {
	bool		warning;		/* the script is compiled all the same */
	uint32_t	line, column;		/* from 1; column counts characters */
	const char	*text;
};
/* Zeroed: empty.  In the order of lines. */
struct sieve_problems {
	struct sieve_problem	*v;
	size_t			n, errors;
	struct arena		arena;
};
#define SIEVE_PROBLEMS_MAX 50			/* further ones are not told */
void sieve_problems_fini(struct sieve_problems *p);
/* "script: line 3, column 7: error: ...", a line for each; name may be NULL. */
void sieve_problems_print(const struct sieve_problems *p, const char *name, struct buf *out);

/* NULL: it has errors.  text is not needed afterwards. */
struct sieve_script *sieve_compile(struct span text, const struct sieve_options *o,
    struct sieve_problems *problems);
void sieve_script_free(struct sieve_script **s);
const char *sieve_script_name(const struct sieve_script *s);	/* "" without one */
/* What include names, in order, each once: they can be fetched before the first run. */
struct sieve_included {
	bool		global, optional;
	struct span	name;
};
const struct sieve_included *sieve_script_includes(const struct sieve_script *s, size_t *n);
/* The tree as text, a line for each command and test: what `mansioctl sieve check` shows. */
void sieve_script_print(const struct sieve_script *s, struct buf *out);

/* --- what a run is told --------------------------------------------------------------------- */

/* p NULL: there is none, and a test of it is false. */
struct sieve_envelope {
	struct span	from;			/* "" is the null reverse-path */
	struct span	to;			/* this recipient, as given in RCPT TO */
	struct span	auth;			/* MAIL FROM's AUTH= */
	struct span	orig_to;		/* before aliases */
	struct span	envid, ret;		/* RFC 3461, of MAIL FROM */
	struct span	notify, orcpt;		/* of RCPT TO */
	struct span	by;			/* RFC 2852: "120;R" */
	int64_t		by_time;		/* the moment it stands for; 0: none */
};

enum sieve_ask {
	SIEVE_ASK_MAILBOX,		/* name: exists, and mail may be put there -> yes; text its id */
	SIEVE_ASK_MAILBOX_ID,		/* name: an id -> yes; text the name */
	SIEVE_ASK_SPECIAL_USE,		/* name: a use ("\\Junk"); in: a mailbox or p NULL for any
					 * -> yes; text the mailbox's name */
	SIEVE_ASK_MAILBOX_ANNOTATION,	/* in: mailbox, name: entry -> yes, text its value */
	SIEVE_ASK_SERVER_ANNOTATION,	/* name: entry -> yes, text its value */
	SIEVE_ASK_DUPLICATE,		/* name: 32 bytes -> yes: seen before */
	SIEVE_ASK_VACATION,		/* name: 32 bytes -> yes: answered already */
	SIEVE_ASK_LIST,			/* name: list -> yes: there is such a list */
	SIEVE_ASK_MEMBER,		/* in: list, name: value -> yes: it is in it */
	SIEVE_ASK_PERSONAL_SCRIPT,	/* name -> yes, and script, or with script NULL text: why
					 * it cannot be compiled */
	SIEVE_ASK_GLOBAL_SCRIPT,
	SIEVE_ASK_OWN			/* name: an address -> yes: what is sent to it comes to this user */
};
struct sieve_question {
	enum sieve_ask	ask;
	struct span	name, in;
};
/* Zeroed before the call.  What it points to lives to the end of the run. */
struct sieve_reply {
	bool				yes;
	struct span			text;
	const struct sieve_script	*script;
};
enum sieve_answer {
	SIEVE_KNOWN,			/* *reply is it */
	SIEVE_NOT_KNOWN,		/* not yet: the run ends with SIEVE_ASKS */
	SIEVE_CANNOT			/* the run ends with an error */
};
typedef enum sieve_answer (*sieve_ask_fn)(void *arg, const struct sieve_question *q,
    struct sieve_reply *reply);

/* An item of RFC 5183: "domain", "host", "location", "phase", "remote-ip", "imap.user", ... */
struct sieve_item {
	const char	*name;
	struct span	value;
};

enum sieve_traced { SIEVE_TRACE_TRUE, SIEVE_TRACE_FALSE, SIEVE_TRACE_DONE, SIEVE_TRACE_FAILED };
struct sieve_trace {
	const char		*script;	/* name, may be "" */
	uint32_t		line, column;
	unsigned		depth;		/* of blocks, tests and includes */
	const char		*word;		/* the command or test */
	bool			test;
	enum sieve_traced	outcome;
	struct span		value, key;	/* what matched; p NULL: nothing to tell */
};
/* After each test and command, in the order in which they end. */
typedef void (*sieve_trace_fn)(void *arg, const struct sieve_trace *t);

struct sieve_env {
	struct sieve_envelope		envelope;
	struct span			user;		/* account name */
	struct span			addresses[32];	/* the user's own (vacation), the first is the main one */
	size_t				n_addresses;
	bool				asks_own;	/* of others SIEVE_ASK_OWN can be asked */
	int64_t				now;		/* seconds since 1970 */
	int				zone_min;	/* local time, minutes east */
	const struct sieve_item		*items;
	size_t				n_items;
	const struct sieve_limits	*limits;	/* NULL: the defaults */
	const struct sieve_settings	*settings;	/* NULL: all zero */
	/* An event of IMAP (RFC 6785): the message is there already, with these flags, and is not to
	 * be delivered.  Items "imap.user" and so on tell of it. */
	bool				event;
	const struct span		*flags;
	size_t				n_flags;
	sieve_ask_fn			ask;		/* NULL: all is SIEVE_CANNOT */
	void				*ask_arg;
	sieve_trace_fn			trace;		/* NULL: none */
	void				*trace_arg;
};

/* --- what comes out ------------------------------------------------------------------------- */

enum sieve_action_kind {
	SIEVE_STORE,			/* keep, fileinto, fcc */
	SIEVE_REDIRECT,
	SIEVE_REJECT,
	SIEVE_VACATION,
	SIEVE_NOTIFY
};

struct sieve_action {
	enum sieve_action_kind	kind;
	const char		*script;	/* name */
	uint32_t		line;
	/* The message it is about: the one given to sieve_run(), or an edited one. */
	struct sieve_message	*message;
	bool			copy;		/* :copy: the implicit keep stayed */
	union {
		struct sieve_store {
			bool			keep;		/* keep or implicit keep: mailbox is "INBOX" */
			bool			implicit;
			bool			create;
			struct span		mailbox;	/* UTF-8 name */
			struct span		mailbox_id;	/* p NULL: none; goes before mailbox */
			struct span		special_use;	/* p NULL: none; goes before mailbox */
			const struct span	*flags;
			size_t			n_flags;
			/* Not NULL: what is stored is not message but what this action sends. */
			const struct sieve_action *fcc_of;
		} store;
		struct sieve_redirect {
			struct span		address;
			struct span		notify, ret;	/* :notify, :ret; p NULL: not given */
			struct span		by_mode;	/* p NULL: no deliverby */
			int64_t			by_time;	/* seconds since 1970 */
			bool			by_trace;
		} redirect;
		struct sieve_reject {
			struct span		reason;
			bool			ereject;
		} reject;
		struct sieve_vacation {
			struct span		to;		/* who gets it */
			struct span		from;		/* p NULL: the main address */
			struct span		subject;	/* whole */
			struct span		text;
			bool			mime;		/* text is a MIME entity */
			struct span		sender;		/* MAIL FROM; p NULL: <> */
			struct span		header_to;	/* of the field To; p NULL: to */
		} vacation;
		struct sieve_notify {
			struct span		method;		/* URI */
			struct span		from;		/* p NULL: not given */
			struct span		importance;	/* "1".."3" */
			struct span		message;	/* p NULL: default */
			const struct span	*options;
			size_t			n_options;
			struct span		sender;		/* MAIL FROM; p NULL: from's, or the
								 * main address */
		} notify;
	};
};

/* What the run relied on: judged again by the store, in the operation that does the actions. */
struct sieve_condition {
	enum sieve_ask	ask;			/* SIEVE_ASK_DUPLICATE or SIEVE_ASK_VACATION */
	unsigned char	key[32];
	bool		present;		/* what was assumed */
	uint32_t	remember_s;		/* to be noted for so long from now; 0: not */
};

/* What went wrong while a script ran, and did not end it. */
struct sieve_warning {
	const char	*script, *text;
	uint32_t	line;
};
#define SIEVE_WARNINGS_MAX 10u			/* further ones are not told */

/* Zeroed: empty.  May serve many runs, one after another: the memory is kept. */
struct sieve_result {
	/* In order, implicit keep settled.  None at all: discarded. */
	struct sieve_action		**actions;
	size_t				n_actions;
	struct sieve_condition		*conditions;
	size_t				n_conditions;
	struct sieve_question		*questions;	/* of SIEVE_ASKS */
	size_t				n_questions;
	bool				event;		/* the run's was one */
	/* Of an event, if the script said something of flags: those that the message is to have. */
	bool				flagged;
	const struct span		*flags;
	size_t				n_flags;
	/* Of SIEVE_FAILED. */
	const char			*error;
	const char			*error_script;
	uint32_t			error_line, error_column;
	struct sieve_warning		*warnings;
	size_t				n_warnings;
	uint32_t			steps;		/* used */
	struct arena			arena;		/* all of it */
};
void sieve_result_fini(struct sieve_result *r);
/* There is a keep, explicit or implicit.  Of an event: the message is not marked as deleted. */
bool sieve_result_keeps(const struct sieve_result *r);

enum sieve_outcome {
	SIEVE_DONE,
	SIEVE_ASKS,		/* no actions: find answers, run again */
	SIEVE_FAILED		/* error is set; actions: those of the scripts before, and an implicit
				 * keep of the message as it was given */
};
/* Scripts run in order; the next one runs only when the one before left the message to be kept
 * (implicitly or by keep, which then means just that) and did not fail.  m, env and the scripts
 * live at least as long as the result is used. */
enum sieve_outcome sieve_run(const struct sieve_script *const *scripts, size_t n,
    struct sieve_message *m, const struct sieve_env *env, struct sieve_result *result);

#endif
