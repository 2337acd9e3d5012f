/* common/util/span.h
 * A borrowed run of bytes: no ending NUL, may contain NUL.  Lives as long as
 * what it points into. */
#ifndef COMMON_UTIL_SPAN_H
#define COMMON_UTIL_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const char	*p;
	size_t		len;
};

#define SPAN_LIT(s)	((struct span){ (s), sizeof(s) - 1 })
#define SPAN_NONE	((struct span){ NULL, 0 })

static inline struct span
span(const void *p, size_t len)
{
	return (struct span){ p, len };
}

static inline struct span
span_str(const char *s)
{
	return (struct span){ s, s != NULL ? strlen(s) : 0 };
}

bool span_eq(struct span a, struct span b);
/* ASCII letters only. */
bool span_caseeq(struct span a, struct span b);
bool span_eq_str(struct span a, const char *s);
bool span_caseeq_str(struct span a, const char *s);
bool span_has_prefix(struct span s, const char *prefix);
bool span_has_caseprefix(struct span s, const char *prefix);
int span_cmp(struct span a, struct span b);	/* bytes, shorter first */
/* Index of c, or s.len. */
size_t span_find(struct span s, char c);
/* Bytes from..from+len, cut to what there is. */
struct span span_sub(struct span s, size_t from, size_t len);
/* Without blanks, tabs, CR, LF on both ends. */
struct span span_trim(struct span s);
/* Cuts off and returns what stands before c; *rest becomes what stands behind it.
 * Without c: returns all, *rest becomes empty with p NULL. */
struct span span_cut(struct span *rest, char c);
/* Decimal digits only, the whole span, no sign; false also when it does not fit. */
bool span_u64(struct span s, uint64_t *v);
bool span_u32(struct span s, uint32_t *v);
/* A NUL-terminated copy on the heap; the caller frees it. */
char *span_dup(struct span s);

/* ASCII only, whatever the locale says. */
static inline bool
ascii_isdigit(int c)
{
	return c >= '0' && c <= '9';
}

static inline bool
ascii_isalpha(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool
ascii_isalnum(int c)
{
	return ascii_isalpha(c) || ascii_isdigit(c);
}

static inline char
ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static inline char
ascii_upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : c;
}

/* 0..15, or -1. */
int ascii_hex(char c);

#endif
