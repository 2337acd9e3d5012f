/* sieve/core.h
 * What the compiler and the interpreter know and extensions do not. */
#ifndef SIEVE_CORE_H
#define SIEVE_CORE_H

#include "sieve/ext.h"
#include "sieve/syntax.h"

/* Extensions by their place in a script's list. */
#define SIEVE_EXTS_MAX 128u
struct sieve_set {
	uint64_t	w[SIEVE_EXTS_MAX / 64];
};
static inline bool
sieve_set_has(const struct sieve_set *s, size_t i)
{
	return (s->w[i / 64] >> (i % 64) & 1) != 0;
}
static inline void
sieve_set_add(struct sieve_set *s, size_t i)
{
	s->w[i / 64] |= UINT64_C(1) << (i % 64);
}

struct sieve_variable {
	struct span		name;		/* lower case; behind "namespace." */
	const struct sieve_namespace *ns;	/* NULL: of the script */
	uint32_t		slot;
	bool			global;		/* slot is bound to the run's global one */
	bool			defined;	/* a set of it was seen */
	bool			used;
	struct sieve_place	at;		/* where it was first named */
	struct sieve_variable	*next;
};

enum sieve_piece_kind { SIEVE_P_TEXT, SIEVE_P_VARIABLE, SIEVE_P_MATCH, SIEVE_P_NAMESPACE };
struct sieve_var_piece {
	enum sieve_piece_kind		kind;
	struct span			text;	/* TEXT; NAMESPACE: behind the dot */
	const struct sieve_variable	*variable;
	const struct sieve_namespace	*ns;
	uint32_t			index;	/* MATCH */
};

struct sieve_cleanup {
	void			(*fn)(void *data);
	void			*data;
	struct sieve_cleanup	*next;
};

struct sieve_script {
	struct arena		arena;
	const char		*name;
	struct sieve_node	**block;
	uint32_t		n_block;
	/* All that there are for its writer; those in force at its start; those that ihave may
	 * bring into force. */
	const struct sieve_ext	**exts;
	size_t			n_exts;
	struct sieve_set	required, possible;
	struct sieve_variable	*variables;
	uint32_t		n_variables;
	bool			captures;	/* match variables are read */
	struct sieve_included	*includes;
	size_t			n_includes;
	struct sieve_cleanup	*cleanups;
};

/* Of so many errors nobody reads the rest, and each costs a search for what was meant. */
#define SIEVE_ERRORS_MAX 500u

struct sieve_compile {
	struct sieve_script		*script;
	struct arena			scratch;
	struct sieve_problems		*problems;
	const struct sieve_options	*options;
	struct sieve_limits		limits;
	struct sieve_set		used;		/* extensions whose words appeared */
	struct sieve_place		*required_at;	/* by extension */
	bool				ihave;
	bool				head;		/* require may still come */
	bool				told_variables;	/* that there are too many */
	struct sieve_node		*node;		/* being compiled */
};

/* extensions.c: those that there are under these options. */
size_t sieve_available(const struct sieve_options *o, const struct sieve_ext **v);
struct sieve_limits sieve_limits_of(const struct sieve_limits *given);

/* compile.c */
struct sieve_node **sieve_c_block(struct sieve_compile *c, struct sieve_ast *ast,
    struct sieve_node *parent, uint32_t *n);
/* Is its extension in force, or might ihave bring it; marks it as used. */
bool sieve_c_force(struct sieve_compile *c, size_t ext);
void sieve_c_need(struct sieve_compile *c, struct sieve_node *n, size_t ext);
/* An error, or with ihave one that is told when the node is run. */
void sieve_c_lack(struct sieve_compile *c, struct sieve_node *n, struct sieve_place at,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* What an unknown word is compiled to; a command, a test. */
extern const struct sieve_word sieve_word_unknown[2];

/* compile_args.c */
bool sieve_c_arguments(struct sieve_compile *c, struct sieve_node *n, const struct sieve_ast *ast);
bool sieve_c_match(struct sieve_compile *c, struct sieve_node *n);

/* compile_require.c */
void sieve_c_require(struct sieve_compile *c, struct sieve_node *n, const struct sieve_strings *s);
/* One at a wrong place: so that no further errors come of it. */
void sieve_c_require_late(struct sieve_compile *c, const struct sieve_strings *s);
/* Place in the script's list, or its n_exts. */
size_t sieve_c_find(const struct sieve_compile *c, struct span name);
/* Words that errors name. */
const char *sieve_c_guess_ext(const struct sieve_compile *c, struct span name);

/* compile_string.c */
void sieve_c_strings(struct sieve_compile *c, const struct sieve_ast_string *in, uint32_t n,
    bool list, bool raw, struct sieve_strings *out);
struct sieve_variable *sieve_c_local(struct sieve_compile *c, struct span name,
    struct sieve_place at);
bool sieve_c_variable_name(struct span name);

/* words.c: what a name stands for.  *ext: its extension's place. */
bool sieve_word_in(const char *list, const char *word);
const struct sieve_word *sieve_c_word(struct sieve_compile *c, struct span name,
    enum sieve_word_kind kind, size_t *ext);
const struct sieve_tag *sieve_c_tag(struct sieve_compile *c, const struct sieve_word *w,
    struct span name, size_t *ext);
const struct sieve_match_type *sieve_c_match_type(struct sieve_compile *c, struct span name,
    size_t *ext);
const struct sieve_address_part *sieve_c_part(struct sieve_compile *c, struct span name,
    size_t *ext);
const struct sieve_comparator *sieve_c_comparator(struct sieve_compile *c, struct span name,
    size_t *ext);
const struct sieve_modifier *sieve_c_modifier(struct sieve_compile *c, struct span name,
    size_t *ext);
const struct sieve_namespace *sieve_c_namespace(struct sieve_compile *c, struct span name,
    size_t *ext);
/* Is it a tag, a match type, ... that the word takes here? */
bool sieve_c_knows_tag(struct sieve_compile *c, const struct sieve_word *w, struct span name);
/* What to say of a word or tag that is not known here. */
void sieve_c_unknown_word(struct sieve_compile *c, struct sieve_node *n, struct span name,
    enum sieve_word_kind kind);
void sieve_c_unknown_tag(struct sieve_compile *c, struct sieve_node *n, struct span name,
    struct sieve_place at);

/* --- running --------------------------------------------------------------------------------- */

struct sieve_value {
	struct span		text;
};
struct sieve_global {
	struct span		name;
	struct sieve_value	value;
	struct sieve_global	*next;
};

/* A script that runs, and the one that includes it. */
struct sieve_frame {
	const struct sieve_script	*script;
	struct sieve_value		**slots;
	struct sieve_set		force;
	const struct span		*captures;
	size_t				n_captures;
	struct sieve_frame		*up;
};

struct sieve_state {
	const struct sieve_ext	*ext;
	void			*data;
	struct sieve_state	*next;
};

struct sieve_run {
	struct sieve_result		*result;
	struct arena			*arena;		/* result's */
	const struct sieve_env		*env;
	struct sieve_limits		limits;
	struct sieve_message		*message, *given;
	struct sieve_header		*header;	/* of message */
	struct sieve_frame		*frame;
	unsigned			depth, includes;
	bool				keep;		/* implicit keep in effect */
	uint32_t			part;
	const struct sieve_node		*node;		/* that runs, for errors */
	const struct sieve_node		*break_to;
	struct sieve_state		*states;
	struct sieve_global		*globals;
	sieve_flags_fn			flags;
	size_t				room_actions, room_conditions, room_questions;
	uint32_t			redirects, outgoing, resets;
	uint64_t			steps;
	uint32_t			compared;	/* bytes, not yet a step */
	struct buf			scratch;	/* of one comparison */
	/* Of the trace: what matched last. */
	struct span			hit_value, hit_key;
	bool				failed, asked;
};

enum sieve_step sieve_nodes(struct sieve_run *r, struct sieve_node *const *v, uint32_t n);
const struct sieve_settings *sieve_settings_or_zero(const struct sieve_settings *s);
/* actions.c: false: the message is not kept; otherwise what keeps it becomes the implicit keep. */
bool sieve_actions_rekeep(struct sieve_run *r);
/* values.c */
struct sieve_value *sieve_global(struct sieve_run *r, struct span name);
/* ihave: can the extension be had; now: from here on it is in force. */
bool sieve_bring(struct sieve_run *r, struct span ext, bool now);
void sieve_frame_push(struct sieve_run *r, struct sieve_frame *f, const struct sieve_script *s);

/* glob.c: :matches.  captures may be NULL; room for max. */
struct sieve_glob {
	const struct sieve_comparator	*comparator;
	struct span			*captures;
	size_t				max, n;
	/* Characters looked at; more than work_max: it gave up. */
	uint64_t			work, work_max;
};
bool sieve_glob(struct sieve_glob *g, struct span pattern, struct span value,
    struct arena *scratch);

/* comparators.c, matching.c, fields.c */
extern const struct sieve_comparator sieve_base_comparators[3];
#define sieve_octet (sieve_base_comparators[0])
#define sieve_ascii_casemap (sieve_base_comparators[1])
extern const struct sieve_match_type sieve_base_match_types[];
extern const struct sieve_address_part sieve_base_address_parts[];

#endif
