/* t/sieve/suite.h
 * sieve-testsuite: runs scripts that test scripts.  Their language is Sieve with the words of
 * "vnd.dovecot.testsuite", in which the public tests of the field are written.  The library runs
 * them; what they do to the world happens in a store in memory. */
#ifndef T_SIEVE_SUITE_H
#define T_SIEVE_SUITE_H

#include "sieve/compose.h"
#include "sieve/ext.h"

/* --- the world (suite_store.c) ---------------------------------------------------------------- */

struct kept_message {
	struct span		text;
	const char		**flags;
	size_t			n_flags;
	struct kept_message	*next;
};
struct annotation {
	struct span		name, value;
	struct annotation	*next;
};
struct mailbox {
	struct span		name, use;
	struct kept_message	*messages;	/* in order */
	struct annotation	*annotations;
	struct mailbox		*next;
};
struct sent {
	struct span		from, to, text;
	struct sent		*next;
};
struct mark {
	unsigned char		key[32];
	struct mark		*next;
};
struct list {
	struct span		name;		/* whole URI */
	const char		*path;		/* of the file that has it; NULL: empty */
	struct list		*next;
};
struct world {
	struct arena		arena;
	struct mailbox		*mailboxes;
	struct annotation	*annotations;	/* of the server */
	struct sent		*outbox;
	struct mark		*marks;
	struct list		*lists;
	bool			keep_marks;
};
struct mailbox *world_mailbox(struct world *w, struct span name, bool create);
struct kept_message *world_message(struct world *w, struct span mailbox, uint64_t n);
void world_store(struct world *w, struct mailbox *m, struct span text, const struct span *flags,
    size_t n_flags);
void world_send(struct world *w, struct span from, struct span to, struct span text);
struct sent *world_sent(struct world *w, uint64_t n);
void world_annotate(struct world *w, struct mailbox *m, struct span name, struct span value);
void world_mark(struct world *w, const unsigned char key[32]);
/* Answers all but scripts. */
bool world_ask(struct world *w, const struct sieve_question *q, struct sieve_reply *reply);

/* --- a test run ------------------------------------------------------------------------------- */

struct compiled {
	const char		*path;
	struct sieve_script	*script;
	const char		*error;		/* when script is NULL */
	struct compiled		*next;
};
struct kept_result {
	struct sieve_result	result;
	struct kept_result	*next;
};
struct kept_view {
	struct sieve_message	*message;
	struct kept_view	*next;
};
struct binary {
	struct span			name;
	struct sieve_script		*script;
	struct binary			*next;
};
#define SUITE_ACTIONS 256u
#define SUITE_ITEMS 20u

struct suite {
	struct arena		arena;
	struct world		world;
	const char		*dir;		/* of the test's file */
	/* Of the scripts that are tested. */
	struct sieve_options	options;
	struct sieve_limits	limits;
	struct sieve_settings	settings;
	struct sieve_env	env;
	struct sieve_item	items[SUITE_ITEMS];	/* env's */
	/* Of the script that tests: the same with wider limits. */
	struct sieve_limits	outer_limits;
	struct sieve_env	outer;
	struct span		redirect_from;	/* how MAIL FROM of redirect is found */
	struct compiled		*compiled;	/* all, to be freed */
	struct sieve_script	*script;	/* the one compiled last */
	struct binary		*binaries;
	struct kept_result	*results;
	struct kept_view	*views;
	/* What scripts that were run want done; done: how many of them were. */
	const struct sieve_action *actions[SUITE_ACTIONS];
	size_t			n_actions, done;
	size_t			inline_done;	/* of the testing script's own */
	bool			ran;		/* a script: the implicit keep is its own */
	const char		**errors;
	size_t			n_errors;
	unsigned		letters;
	bool			verbose;	/* errors of scripts are printed */
	/* Counting. */
	const char		*test;		/* name of the running one; NULL: none */
	bool			failed;		/* it has */
	unsigned		nested;		/* in test_script_run */
	unsigned		n_tests, n_failed;
};

/* suite_words.c */
extern const struct sieve_ext suite_ext, suite_ext_debug, suite_ext_environment;
extern struct suite suite;

/* suite_run.c */
bool suite_read(const char *path, struct buf *out);
const char *suite_path(struct span name);
/* NULL: the errors are noted. */
struct sieve_script *suite_compile(const char *path);
/* With all that it includes. */
struct sieve_script *suite_compile_all(const char *path);
void suite_error(const char *text);
enum sieve_answer suite_ask(void *arg, const struct sieve_question *q, struct sieve_reply *reply);
/* LF to CRLF; a view of it that lives to the end. */
struct sieve_message *suite_message(struct span text);
void suite_envelope_of(struct sieve_message *m);
bool suite_run_script(struct sieve_run *r, bool append);
bool suite_run_many(struct sieve_run *r, const struct sieve_strings *names);
bool suite_execute(struct sieve_run *r);
void suite_reset(struct sieve_run *r);
/* One of all actions, from 1; NULL: no more. */
const struct sieve_action *suite_action(struct sieve_run *r, size_t i);
const char *suite_action_name(const struct sieve_action *a);

/* suite_settings.c */
void suite_settings_init(void);
/* One more item of the environment; name lives as long. */
void suite_item(const char *name, struct span value);
void suite_set(struct span name, struct span value);
void suite_unset(struct span name);
void suite_reload(struct sieve_run *r);

#endif
