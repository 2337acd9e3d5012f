/* common/conf/value.h
 * One setting's value: from text to the member and back, by its table entry. */
#ifndef COMMON_CONF_VALUE_H
#define COMMON_CONF_VALUE_H

#include "common/conf/conf.h"

/* Texts as the lexer gave them. */
struct conf_text {
	const char	*v[CONF_LIST_MAX];
	size_t		n;
	bool		list;		/* was written in [] */
};

/* Stores into the member of the section's struct at `section`; memory comes from mem.
 * false: `why` got a sentence, without what is allowed. */
bool conf_value_parse(const struct conf_field *f, void *section, const struct conf_text *t,
    struct arena *mem, struct buf *why);
/* Parses the entry's own default: always right. */
void conf_value_default(const struct conf_field *f, void *section, struct arena *mem);
/* Appends what conf_value_parse() reads back to the same. */
void conf_value_print(const struct conf_field *f, const void *section, struct buf *out);
/* The same as one text without quotes and brackets: for JSON. */
void conf_value_plain(const struct conf_field *f, const void *section, struct buf *out);
/* "90d" as in a setting that is a time.  false: it is none, or more than 2^32 seconds. */
bool conf_time_parse(const char *text, uint32_t *seconds);
/* Appends "a size from 1K to 2G". */
void conf_value_allowed(const struct conf_field *f, struct buf *out);
bool conf_value_is_list(const struct conf_field *f);
/* The name as written in files: '-' for '_'; borrowed from out. */
const char *conf_key(const struct conf_field *f, char out[CONF_NAME_MAX]);
/* Of the words given by next() (NULL at the end), the nearest one to `to`, or NULL when none
 * is near: for "did you mean". */
const char *conf_nearest(const char *to, const char *(*next)(void *arg), void *arg);

#endif
