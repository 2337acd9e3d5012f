/* common/mail/flags.h
 * Flags of a message in a mailbox (a membership): the system flags of RFC 3501
 * §2.3.2 and keywords, as bits.  Keyword bits are numbered per account, in the
 * order of first use; the account's keyword table gives the names. */
#ifndef COMMON_MAIL_FLAGS_H
#define COMMON_MAIL_FLAGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/util/buf.h"
#include "common/util/span.h"

enum {
	FLAG_SEEN = 1, FLAG_ANSWERED = 2, FLAG_FLAGGED = 4, FLAG_DELETED = 8, FLAG_DRAFT = 16,
	FLAG_SYSTEM_ALL = 31
};

#define KEYWORD_MAX 120		/* keywords per account */
#define KEYWORD_LEN_MAX 100	/* bytes of a keyword's name */

/* System flags in the low byte of w[0], keyword k at bit 8 + k. */
struct flags {
	uint64_t	w[2];
};

static inline struct flags
flags_system(unsigned sys)
{
	return (struct flags){ { sys & 0xff, 0 } };
}

static inline unsigned
flags_get_system(struct flags f)
{
	return (unsigned)(f.w[0] & 0xff);
}

static inline void
flags_set_keyword(struct flags *f, unsigned k)
{
	f->w[(k + 8) / 64] |= (uint64_t)1 << (k + 8) % 64;
}

static inline bool
flags_has_keywords(struct flags f)
{
	return (f.w[0] >> 8) != 0 || f.w[1] != 0;
}

static inline bool
flags_has_keyword(struct flags f, unsigned k)
{
	return (f.w[(k + 8) / 64] >> (k + 8) % 64 & 1) != 0;
}

static inline struct flags
flags_or(struct flags a, struct flags b)
{
	return (struct flags){ { a.w[0] | b.w[0], a.w[1] | b.w[1] } };
}

static inline struct flags
flags_without(struct flags a, struct flags b)
{
	return (struct flags){ { a.w[0] & ~b.w[0], a.w[1] & ~b.w[1] } };
}

static inline bool
flags_eq(struct flags a, struct flags b)
{
	return a.w[0] == b.w[0] && a.w[1] == b.w[1];
}

static inline bool
flags_any(struct flags a)
{
	return (a.w[0] | a.w[1]) != 0;
}

/* "\Seen" (any case) to its bit, 0 when it is no system flag that may be stored. */
unsigned flag_system_parse(struct span name);
const char *flag_system_name(unsigned bit);
/* An IMAP flag-keyword: an atom, 1..KEYWORD_LEN_MAX bytes, no backslash. */
bool keyword_valid(struct span name);

#endif
