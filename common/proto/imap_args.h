/* common/proto/imap_args.h
 * Reads the arguments of an IMAP command (RFC 3501 §9) from the text that imap_reader
 * gathered.  It remembers its first error: read all fields, ask once at the end with
 * imap_args_end().  After an error every function gives an empty value and moves no
 * further.  Results live in the arena or in the text. */
#ifndef COMMON_PROTO_IMAP_ARGS_H
#define COMMON_PROTO_IMAP_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/util/arena.h"
#include "common/util/span.h"

enum imap_args_error {
	IMAP_ARGS_GOOD,
	IMAP_ARGS_BAD,		/* not the grammar */
	IMAP_ARGS_NAME,		/* the grammar, but no mailbox may be called so */
	IMAP_ARGS_CTE		/* binary where text is due */
};

struct imap_args {
	const char		*p, *end;
	struct arena		*arena;
	enum imap_args_error	error;
	const char		*why;		/* a sentence for the client */
	bool			utf8;		/* names are UTF-8, not modified UTF-7 */
	bool			utf8_quoted;	/* what is 8-bit in quotes must be UTF-8 (RFC 9755 §3) */
};

void imap_args_init(struct imap_args *a, struct span text, struct arena *arena);
void imap_args_fail(struct imap_args *a, const char *why);
static inline bool
imap_args_good(const struct imap_args *a)
{
	return a->error == IMAP_ARGS_GOOD;
}
/* All was read and all was well. */
bool imap_args_end(struct imap_args *a);
bool imap_args_at_end(const struct imap_args *a);

bool imap_args_peek(const struct imap_args *a, char c);
bool imap_args_try(struct imap_args *a, char c);	/* takes it if it is next */
void imap_args_expect(struct imap_args *a, char c);
void imap_args_sp(struct imap_args *a);
/* Takes word (any case) when it is next and ends there. */
bool imap_args_word(struct imap_args *a, const char *word);
/* true: a literal's bytes are not in the text: it is the one that imap_reader reports. */
bool imap_args_at_literal(const struct imap_args *a);

struct span imap_args_atom(struct imap_args *a);
struct span imap_args_tag(struct imap_args *a);
struct span imap_args_string(struct imap_args *a);
struct span imap_args_astring(struct imap_args *a);
/* *nil tells NIL from the empty string. */
struct span imap_args_nstring(struct imap_args *a, bool *nil);
/* The same, or a literal8. */
struct span imap_args_nstring8(struct imap_args *a, bool *nil);
uint32_t imap_args_number(struct imap_args *a);
uint32_t imap_args_nz_number(struct imap_args *a);
/* At most 2^63 - 1 (RFC 7162 §7). */
uint64_t imap_args_number64(struct imap_args *a);

/* A mailbox as a path (common/mail/mailbox_name.h). */
struct span imap_args_mailbox(struct imap_args *a);
/* *given: the name as it was written, in UTF-8. */
struct span imap_args_mailbox_as(struct imap_args *a, struct span *given);
/* list-mailbox as it stands there. */
struct span imap_args_pattern(struct imap_args *a);
/* A pattern of LIST, in UTF-8. */
struct span imap_args_list_mailbox(struct imap_args *a);
/* Text of a sequence-set, its grammar checked; for uidset_parse(), or "$" (RFC 5182). */
struct span imap_args_sequence_set(struct imap_args *a);
/* Parses it once '*' is known; at most IMAP_RANGES_MAX ranges. */
#define IMAP_RANGES_MAX 20000u

#define IMAP_KEYWORDS_MAX 120
struct imap_flags {
	unsigned	system;			/* FLAG_... */
	struct span	*keywords;
	size_t		n_keywords;
};
/* "(" flags ")"; bare: the parentheses may be missing (STORE).  \Recent is refused. */
void imap_args_flags(struct imap_args *a, bool bare, struct imap_flags *flags);
struct span imap_args_keyword(struct imap_args *a);

/* date: days since 1970-01-01.  date-time: seconds UTC and the zone in minutes. */
int32_t imap_args_date(struct imap_args *a);
void imap_args_date_time(struct imap_args *a, int64_t *s, int16_t *zone);

/* section of BODY[...]: the part numbers, what of the part, and header names. */
enum imap_section_what {
	IMAP_SECTION_ALL, IMAP_SECTION_HEADER, IMAP_SECTION_FIELDS, IMAP_SECTION_FIELDS_NOT,
	IMAP_SECTION_TEXT, IMAP_SECTION_MIME
};
#define IMAP_SECTION_DEPTH_MAX 100
#define IMAP_SECTION_FIELDS_MAX 200
struct imap_section {
	enum imap_section_what	what;
	uint32_t		*parts;
	size_t			n_parts;
	struct span		*fields;
	size_t			n_fields;
};
/* "[" ... "]"; numbers: only part numbers may stand in it (BINARY). */
void imap_args_section(struct imap_args *a, bool numbers, struct imap_section *sec);
/* "<" from "." length ">", or for BINARY and BODY nothing: false. */
bool imap_args_partial(struct imap_args *a, uint64_t *from, uint64_t *length);

/* "(" ... ")" with what is nested in it, strings and literals passed over: the text of it, for
 * who reads it later; at most `max` bytes. */
struct span imap_args_parenthesized(struct imap_args *a, size_t max);

/* Bytes of the character classes, for others that print or read tokens. */
bool imap_is_atom_char(unsigned char c);

#endif
