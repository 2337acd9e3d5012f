/* sieve/ext.h
 * How the language is extended; for the files of this library and for programs that bring words of
 * their own (sieve_options.more).  One extension is one file sieve/ext_<name>.c with one const
 * struct sieve_ext, listed in sieve/extensions.c.  All that is known of it stands in its tables:
 * parsing, the checks of arguments, the capability string, "ihave" and the words of errors are
 * derived from them.
 *
 * A script is compiled to a tree of nodes, one for each command and test, and the tree is walked.
 * What can be known when the script is compiled is worked out by the check functions and kept in
 * node->data (memory of the script, sieve_c_alloc()); it never changes afterwards: what changes
 * belongs to the run (sieve_run_state()). */
#ifndef SIEVE_EXT_H
#define SIEVE_EXT_H

#include "sieve/sieve.h"

struct sieve_compile;		/* a script being compiled */
struct sieve_run;		/* one run */
struct sieve_node;
struct sieve_tagged;

/* --- what the compiler made of a script ------------------------------------------------------ */

/* A string as written.  Constant (n_pieces 0): text is its value, NUL-terminated behind its end.
 * Otherwise it has variables in it: ask sieve_string() for its value, during a run. */
struct sieve_string {
	struct span			text;
	const struct sieve_var_piece	*pieces;
	uint32_t			n_pieces;
	uint32_t			hash;		/* sieve_name_hash() of a constant one */
	uint32_t			line, column;
};
static inline bool
sieve_constant(const struct sieve_string *s)
{
	return s->n_pieces == 0;
}

struct sieve_strings {
	const struct sieve_string	*v;
	const struct span		*values;	/* when all are constant, else NULL */
	size_t				n;
	bool				constant;	/* all of them */
	bool				list;		/* written in [ ] */
};

/* A positional argument, or what stands behind a tag. */
struct sieve_arg {
	bool			is_number;
	uint64_t		number;
	struct sieve_strings	s;		/* one element for a string */
	uint32_t		line, column;
};

/* A tag that was given. */
struct sieve_tagged {
	const struct sieve_tag	*tag;		/* NULL: it is a modifier */
	const struct sieve_modifier *modifier;
	struct sieve_arg	value;		/* if the tag takes one */
	uint32_t		line, column;
	void			*data;		/* the tag's check function's */
};

/* How values are compared with keys; of words with SIEVE_WORD_MATCH. */
struct sieve_match {
	const struct sieve_match_type	*type;
	const struct sieve_comparator	*comparator;
	bool				comparator_given;
	struct sieve_strings		param;		/* of :count and :value: one string */
	const struct sieve_strings	*keys;		/* the node's last argument */
	void				*data;		/* the match type's check function's */
	/* Folded keys for constant ones, else NULL; private. */
	const struct span		*folded;
};

struct sieve_node {
	const struct sieve_word		*word;
	struct sieve_arg		*args;
	struct sieve_tagged		*tags;
	struct sieve_node		**tests;	/* arguments that are tests */
	struct sieve_node		**block;	/* the commands in { } */
	void				*data;		/* the word's check function's */
	struct sieve_match		*match;
	const struct sieve_address_part	*part;		/* of words with SIEVE_WORD_ADDRESS */
	struct sieve_node		*parent;	/* that it stands in; NULL: none */
	struct sieve_node		*otherwise;	/* if, elsif: the elsif or else behind it */
	/* Of scripts with ihave: what must have been tested before this runs, and what is wrong
	 * with it if it ever runs; private. */
	const struct sieve_ext		**needs;
	const char			*deferred;
	uint32_t			line, column;
	uint16_t			n_args, n_tags, n_needs;
	uint32_t			n_tests, n_block;
	bool				has_block;
	bool				part_given;
	bool				hooks;		/* a tag has headers, select or values */
};
/* The tag if it was given, or NULL. */
const struct sieve_tagged *sieve_tag(const struct sieve_node *n, const struct sieve_tag *tag);

/* --- the tables ------------------------------------------------------------------------------ */

/* What a command or test gives back.  Anything but SIEVE_NEXT ends the commands around it; only
 * what is meant to goes on from there. */
enum sieve_step {
	SIEVE_NEXT,
	SIEVE_STOP,		/* stop: the script ends */
	SIEVE_RETURN,		/* return: the included script ends */
	SIEVE_BREAK,		/* break: a loop ends (sieve_run's break_to) */
	SIEVE_ERROR,		/* sieve_fail() was called */
	SIEVE_WAIT		/* sieve_ask() said so */
};

enum sieve_word_kind { SIEVE_COMMAND = 1, SIEVE_TEST };
enum sieve_word_flag {
	SIEVE_WORD_MATCH	= 1 << 0,	/* takes match type and comparator; last argument: keys */
	SIEVE_WORD_ADDRESS	= 1 << 1,	/* takes :all, :localpart, ... */
	SIEVE_WORD_FIELDS	= 1 << 2,	/* looks at header fields: :index, :mime, ... (sieve_values_*) */
	SIEVE_WORD_ACTION	= 1 << 3,	/* an action: fails the run when there are too many */
	SIEVE_WORD_HEAD		= 1 << 4,	/* only at the head of the script (require) */
	SIEVE_WORD_CONSTANT	= 1 << 5,	/* strings are taken as they stand: no variables in them */
	SIEVE_WORD_ENDS		= 1 << 6,	/* what follows it in a block is never reached */
	SIEVE_WORD_QUIET	= 1 << 7,	/* not traced by the core */
	SIEVE_WORD_MODIFIERS	= 1 << 8,	/* takes :lower, :length, ... (sieve_set_modified()) */
	SIEVE_WORD_NO_CAPTURES	= 1 << 9	/* a match leaves ${1} as it was */
};

struct sieve_word {
	enum sieve_word_kind	kind;
	const char		*name;
	/* Positional arguments, a letter each: n number, s string, S string list (a string will do),
	 * t test, T list of tests, b block.  Variants are parted by "|" and told apart by their
	 * number: "sS|S" is an optional string before a list. */
	const char		*args;
	unsigned		flags;		/* enum sieve_word_flag */
	/* After the arguments were checked against args, the tags and the match.  Errors by
	 * sieve_error().  NULL: nothing to do. */
	void (*check)(struct sieve_compile *c, struct sieve_node *n);
	enum sieve_step (*run)(struct sieve_run *r, const struct sieve_node *n);	/* a command */
	enum sieve_step (*test)(struct sieve_run *r, const struct sieve_node *n, bool *yes);
	/* Commands: the words one of which must stand directly before it, parted by blanks ("if
	 * elsif" of else); NULL: anything. */
	const char		*after;
	/* What the positional arguments are, parted by commas, for errors: "header names,key list".
	 * May be NULL. */
	const char		*arg_names;
};

/* What a tag with hooks does to the fields that a test looks at; see sieve_values_begin(). */
struct sieve_headers {
	struct sieve_header	**v;
	uint32_t		*part;		/* which part each is of; may be NULL */
	size_t			n;
};
struct sieve_tag {
	const char	*name;			/* without the colon */
	/* Words that take it, parted by blanks, where an extension that defines them is in force;
	 * "*match", "*address", "*fields": all with that flag. */
	const char	*on;
	char		value;			/* 0: takes none; 'n', 's', 'S' */
	/* Tags of the same group (not 0) exclude one another; the number is one's own choice within
	 * an extension. */
	int		group;
	bool		constant;		/* the value is a constant string */
	bool		repeats;		/* may be given more than once */
	void (*check)(struct sieve_compile *c, struct sieve_node *n, struct sieve_tagged *t);
	/* Of tags on actions: changes the action before it is added (sieve_act()).  May ask. */
	enum sieve_step (*act)(struct sieve_run *r, const struct sieve_node *n,
	    const struct sieve_tagged *t, struct sieve_action *a);
	/* Hooks, of tags on SIEVE_WORD_FIELDS; any may be NULL.  They run in the order in which the
	 * tags' extensions are listed. */
	/* Which headers are looked at, instead of the message's: fill *h (sieve_alloc()). */
	enum sieve_step (*headers)(struct sieve_run *r, const struct sieve_node *n,
	    const struct sieve_tagged *t, struct sieve_headers *h);
	/* The fields of all names in one header, in the order of the names: keep some of v (in place),
	 * return how many. */
	size_t (*select)(struct sieve_run *r, const struct sieve_node *n,
	    const struct sieve_tagged *t, struct sieve_field **v, size_t count);
	/* The values of one field instead of its text: *v (sieve_alloc()), return how many. */
	size_t (*values)(struct sieve_run *r, const struct sieve_node *n,
	    const struct sieve_tagged *t, struct sieve_header *h, struct sieve_field *f,
	    struct span **v);
};

struct sieve_comparator {
	const char	*name;			/* "i;octet"; required as "comparator-i;octet" */
	bool		substrings;		/* :contains and :matches */
	/* The form whose bytes are compared; NULL: the bytes themselves, or compare. */
	void (*fold)(struct span in, struct buf *out);
	/* NULL: by the folded bytes.  <0, 0, >0. */
	int (*compare)(struct span a, struct span b);
};

/* A run's work on one test: filled by sieve_matching_begin(). */
struct sieve_matching {
	struct sieve_run		*run;
	const struct sieve_node		*node;
	const struct sieve_match	*match;
	const struct span		*keys;		/* their values */
	const struct span		*folded;	/* private */
	size_t				n_keys;
	uint64_t			count;		/* values so far */
	bool				hit;
};

struct sieve_match_type {
	const char	*name;			/* of the tag, without the colon */
	bool		param;			/* takes a string: :count "ge" */
	bool		substrings;		/* needs a comparator with substrings */
	bool		any_comparator;		/* does not use the comparator itself */
	/* Looks at param and at constant keys. */
	void (*check)(struct sieve_compile *c, struct sieve_node *n, struct sieve_match *m);
	/* One value against all keys: sets m->hit.  NULL: all is done by end. */
	enum sieve_step (*value)(struct sieve_matching *m, struct span value);
	/* After the last value, when there was no hit; m->count is their number.  May be NULL. */
	enum sieve_step (*end)(struct sieve_matching *m);
};

struct sieve_address_part {
	const char	*name;			/* of the tag */
	/* false: this address has none, it is not compared at all. */
	bool (*get)(struct sieve_run *r, const struct mime_addr *a, struct span *part);
};

/* A modifier of "set", of extracttext and of what else makes variables (RFC 5229 4.1). */
struct sieve_modifier {
	const char	*name;
	int		precedence;
	char		value;			/* as of a tag; 0 mostly */
	void (*apply)(struct sieve_run *r, const struct sieve_tagged *t, struct span in,
	    struct buf *out);
};

/* "${name.rest}".  check: is rest (all behind the first dot) good?  NULL set: read only.  Values
 * live to the end of the run. */
struct sieve_namespace {
	const char	*name;
	bool (*check)(struct sieve_compile *c, struct span rest);
	enum sieve_step (*get)(struct sieve_run *r, struct span rest, struct span *value);
	enum sieve_step (*set)(struct sieve_run *r, struct span rest, struct span value);
};

/* A part of the envelope test.  false: there is none. */
struct sieve_envelope_part {
	const char	*name;
	bool		address;		/* address parts (:localpart) apply */
	bool (*get)(struct sieve_run *r, struct span *value);
	/* In place of get: the values, at most max; returns how many. */
	size_t (*values)(struct sieve_run *r, const struct sieve_node *n, struct span *v, size_t max);
};

enum sieve_ext_flag {
	SIEVE_EXT_BASE		= 1 << 0,	/* always there, never required nor announced */
	SIEVE_EXT_TRUSTED	= 1 << 1,	/* only in scripts of the admin */
	SIEVE_EXT_SYNTAX	= 1 << 2,	/* changes how text is read: ihave cannot bring it */
	SIEVE_EXT_HIDDEN	= 1 << 3,	/* may be required, is not announced */
	SIEVE_EXT_DELIVERY	= 1 << 4	/* answers a delivery: none in an event (RFC 6785 3.11) */
};

struct sieve_ext {
	const char				*name;
	unsigned				flags;		/* enum sieve_ext_flag */
	unsigned				needs;		/* enum sieve_offer: all of them */
	const char				*implies;	/* extensions that come with it, blanks */
	/* All end with an entry whose name is NULL; NULL: none. */
	const struct sieve_word			*words;
	const struct sieve_tag			*tags;
	const struct sieve_comparator		*comparators;
	const struct sieve_match_type		*match_types;
	const struct sieve_address_part		*address_parts;
	const struct sieve_modifier		*modifiers;
	const struct sieve_namespace		*namespaces;
	const struct sieve_envelope_part	*envelope_parts;
	/* The script requires it.  Once for a script; errors by sieve_error().  May be NULL. */
	void (*required)(struct sieve_compile *c);
	/* Every string of a script that requires it, before variables are looked for: appends what
	 * it stands for to out; false: nothing in it to change. */
	bool (*literal)(struct sieve_compile *c, struct span in, struct buf *out);
	/* The whole script was compiled without error. */
	void (*finish)(struct sieve_compile *c);
};

/* sieve/extensions.c: all extensions, NULL-terminated; the base language is the first. */
extern const struct sieve_ext *const sieve_extensions[];

/* --- while compiling ------------------------------------------------------------------------- */

/* What is wrong, at the node (at: or at a string, an argument, ... by line and column). */
void sieve_error(struct sieve_compile *c, const struct sieve_node *n, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void sieve_error_at(struct sieve_compile *c, uint32_t line, uint32_t column, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void sieve_warn(struct sieve_compile *c, const struct sieve_node *n, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Memory of the script; cleared. */
void *sieve_c_alloc(struct sieve_compile *c, size_t n);
struct span sieve_c_span(struct sieve_compile *c, struct span s);
/* Called with data when the script is freed: for what is not memory of the script. */
void sieve_c_cleanup(struct sieve_compile *c, void (*fn)(void *data), void *data);
bool sieve_c_required(const struct sieve_compile *c, const char *ext);
bool sieve_c_trusted(const struct sieve_compile *c);
const struct sieve_settings *sieve_c_settings(const struct sieve_compile *c);
const struct sieve_limits *sieve_c_limits(const struct sieve_compile *c);
/* false, and an error was told: the string has variables, or is no valid ... */
bool sieve_c_constant(struct sieve_compile *c, const struct sieve_node *n,
    const struct sieve_string *s, const char *what);
bool sieve_field_name_ok(struct span name);
/* Of tests: what is no name of a field is a warning (RFC 5228 2.4.2.2). */
bool sieve_c_field_name(struct sieve_compile *c, const struct sieve_string *s);
bool sieve_c_address(struct sieve_compile *c, const struct sieve_string *s);
/* An address in a script (RFC 5228 2.4.2.3): addr-spec or "phrase <addr-spec>"; *address is the
 * addr-spec in it, as it stands.  false: it is none. */
bool sieve_address(struct span text, struct span *address);
/* The same as it goes on the wire: no blanks, quotes only where they are needed. */
bool sieve_address_plain(struct arena *a, struct span text, struct span *address);
/* A local part without its quotes: as it is, or quoted if that is needed. */
struct span sieve_local_part(struct arena *a, struct span local);
/* A path of SMTP, with or without "<>" and a route.  false: it is none.  An empty one is empty; one
 * without a domain has its p NULL. */
bool sieve_path(struct arena *a, struct span path, struct mime_addr *addr);
/* A variable that a command sets, named by a constant string; NULL: an error was told. */
struct sieve_variable;
const struct sieve_variable *sieve_c_variable(struct sieve_compile *c,
    const struct sieve_string *name);
/* "did you mean": the nearest of names (NULL-terminated), or NULL. */
const char *sieve_nearest(struct span word, const char *const *names);
/* Is it "name" of RFC 5804 1.6? */
bool sieve_script_name_ok(struct span name);

/* --- while running --------------------------------------------------------------------------- */

/* The script that runs, and not one that it includes. */
const struct sieve_script *sieve_top_script(const struct sieve_run *r);
/* The run ends with this error. */
enum sieve_step sieve_fail(struct sieve_run *r, const struct sieve_node *n, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same of what does not end it. */
void sieve_warn_run(struct sieve_run *r, const struct sieve_node *n, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Memory to the end of the result; NULL never: too much fails the run at its next step.  Sizes from
 * the message meet a limit before. */
void *sieve_alloc(struct sieve_run *r, size_t n);
struct span sieve_span(struct sieve_run *r, struct span s);
struct arena *sieve_arena(struct sieve_run *r);
/* Work beyond a plain test, in steps; SIEVE_ERROR when there were too many. */
enum sieve_step sieve_work(struct sieve_run *r, const struct sieve_node *n, uint64_t steps);

struct span sieve_string(struct sieve_run *r, const struct sieve_string *s);
/* All values; constant ones are not copied. */
const struct span *sieve_strings(struct sieve_run *r, const struct sieve_strings *s);
enum sieve_step sieve_block(struct sieve_run *r, const struct sieve_node *n);
enum sieve_step sieve_test(struct sieve_run *r, const struct sieve_node *test, bool *yes);

const struct sieve_env *sieve_env(const struct sieve_run *r);
/* Another one from now on; lives as long as the result. */
void sieve_set_env(struct sieve_run *r, const struct sieve_env *env);
const struct sieve_limits *sieve_limits(const struct sieve_run *r);
const struct sieve_settings *sieve_settings(const struct sieve_run *r);
/* The message as it is now, and another one from now on (an edited one). */
struct sieve_message *sieve_message(struct sieve_run *r);
void sieve_set_message(struct sieve_run *r, struct sieve_message *m);
/* The part that foreverypart is at: its index in sieve_message_parts(), 0 outside of a loop. */
uint32_t sieve_part(const struct sieve_run *r);
void sieve_set_part(struct sieve_run *r, uint32_t part);
/* The loop that SIEVE_BREAK means: set by break, looked at and cleared by the loop. */
void sieve_set_break(struct sieve_run *r, const struct sieve_node *loop);
const struct sieve_node *sieve_break(const struct sieve_run *r);
/* In force here: required, or tested by ihave. */
bool sieve_required(const struct sieve_run *r, const char *ext);

/* A zeroed block of the extension's own, made when first asked; lives to the end of the run. */
void *sieve_run_state(struct sieve_run *r, const struct sieve_ext *ext, size_t size);

/* SIEVE_NEXT: *reply is the answer.  Otherwise return what it says; a test with several questions
 * asks them all before it does. */
enum sieve_step sieve_ask(struct sieve_run *r, const struct sieve_node *n, enum sieve_ask ask,
    struct span in, struct span name, struct sieve_reply *reply);
/* The result relies on it. */
void sieve_condition(struct sieve_run *r, const struct sieve_condition *c);

/* Variables. */
enum sieve_step sieve_set_variable(struct sieve_run *r, const struct sieve_node *n,
    const struct sieve_variable *v, struct span value);
struct span sieve_get_variable(struct sieve_run *r, const struct sieve_variable *v);
/* Applies the modifiers among n's tags, in their order, and sets. */
enum sieve_step sieve_set_modified(struct sieve_run *r, const struct sieve_node *n,
    const struct sieve_variable *v, struct span value);
/* Does the script read ${1}?  Otherwise nobody need fill them in. */
bool sieve_captures(const struct sieve_run *r);
/* ${0}, ${1}, ... after a match; the values are copied. */
void sieve_set_captures(struct sieve_run *r, const struct span *v, size_t n);

/* A new action of that kind about the current message; fill it, then sieve_act(). */
struct sieve_action *sieve_action_new(struct sieve_run *r, const struct sieve_node *n,
    enum sieve_action_kind kind);
/* Adds it: the tags of n change it first; then limits, what excludes what (reject), and the same
 * thing twice (once: *a becomes the action that is there already).  The implicit keep is cancelled
 * by a store, a redirect and a reject, unless the action is a copy. */
enum sieve_step sieve_act(struct sieve_run *r, const struct sieve_node *n, struct sieve_action **a);
/* The message is not kept any more unless something says so. */
void sieve_cancel_keep(struct sieve_run *r);
/* Fills in the flags of every store that no tag gave (flags NULL): when it is added, and of the
 * implicit keep at the end (imap4flags). */
typedef void (*sieve_flags_fn)(struct sieve_run *r, struct sieve_store *store);
void sieve_set_flags_fn(struct sieve_run *r, sieve_flags_fn fn);
/* The actions so far, for programs that look while a script runs; sieve_actions_settle() adds the
 * implicit keep, sieve_actions_reset() forgets all and begins anew. */
struct sieve_action **sieve_actions(struct sieve_run *r, size_t *n);
void sieve_actions_settle(struct sieve_run *r);
void sieve_actions_reset(struct sieve_run *r);
/* How often that was: what an extension remembers of its actions is void then. */
uint32_t sieve_actions_resets(const struct sieve_run *r);
/* Runs another script inside of this run, as include does: its own variables, the same actions.
 * SIEVE_STOP: it stopped.  On SIEVE_ERROR sieve_error_text() tells why; sieve_clear_error() lets
 * the run go on. */
enum sieve_step sieve_run_script(struct sieve_run *r, const struct sieve_node *n,
    const struct sieve_script *s);
const char *sieve_error_text(const struct sieve_run *r, uint32_t *line, uint32_t *column);
void sieve_clear_error(struct sieve_run *r);

/* Comparing: begin; value for each until hit; end.
 *	step = sieve_matching_begin(r, n, &m);
 *	while (step == SIEVE_NEXT && !m.hit && there is a value)
 *		step = sieve_matching_value(&m, value);
 *	step = sieve_matching_end(&m, step, yes);
 */
enum sieve_step sieve_matching_begin(struct sieve_run *r, const struct sieve_node *n,
    struct sieve_matching *m);
enum sieve_step sieve_matching_value(struct sieve_matching *m, struct span value);
enum sieve_step sieve_matching_end(struct sieve_matching *m, enum sieve_step step, bool *yes);

/* For match types: value and key number i in the order of the comparator. */
int sieve_matching_compare(struct sieve_matching *m, struct span value, size_t i);
/* For match types: is ${1} to be set by a hit of this test? */
bool sieve_matching_captures(const struct sieve_matching *m);
/* For match types: there is a hit by key i; remembers it for the trace. */
void sieve_matching_hit(struct sieve_matching *m, struct span value, size_t i);

/* The fields that a test with SIEVE_WORD_FIELDS means: names is one of its arguments.  Hooks of
 * tags are applied.
 *	step = sieve_values_begin(r, n, names, &v);
 *	while (sieve_values_next(&v, &field)) ...
 */
struct sieve_values {
	struct sieve_run		*run;
	const struct sieve_node		*node;
	const struct sieve_strings	*names;
	struct sieve_headers		headers;
	struct sieve_header		*one, *current;
	size_t				name, header, at, n;
	struct sieve_field		**found;
	struct sieve_field		*next;
};
struct sieve_found {
	struct sieve_header	*header;
	struct sieve_field	*field;
};
enum sieve_step sieve_values_begin(struct sieve_run *r, const struct sieve_node *n,
    const struct sieve_strings *names, struct sieve_values *v);
bool sieve_values_next(struct sieve_values *v, struct sieve_found *f);
/* The values of one such field: its text (put into *one), or what a tag's values hook makes of it. */
size_t sieve_values_of(struct sieve_values *v, const struct sieve_found *f, struct span *one,
    struct span **values);
/* An address as tests compare it: local@domain, quotes removed; of a part, see address_parts. */
struct span sieve_address_text(struct sieve_run *r, const struct mime_addr *a);
bool sieve_address_value(struct sieve_run *r, const struct sieve_node *n,
    const struct mime_addr *a, struct span *value);

#endif
