/* jmapd/core/args.h
 * Reads a call's arguments.  The first thing wrong is remembered: read all, then ask
 * jmap_args_end() once.  An argument that is null counts as missing.  Every argument that a
 * method knows must be asked for, also when it does not matter: what was never asked for is
 * refused as unknown. */
#ifndef JMAPD_CORE_ARGS_H
#define JMAPD_CORE_ARGS_H

#include "jmapd/core/method.h"

#define JMAP_INT_MAX	9007199254740991	/* 2^53 - 1: RFC 8620 §1.3 */

/* NULL: missing. */
const struct json *jmap_arg(struct jmap_call *c, const char *name);
const struct json *jmap_arg_object(struct jmap_call *c, const char *name);
const struct json *jmap_arg_array(struct jmap_call *c, const char *name);
bool jmap_arg_bool(struct jmap_call *c, const char *name, bool missing);
/* UnsignedInt, Int */
uint64_t jmap_arg_uint(struct jmap_call *c, const char *name, uint64_t missing);
int64_t jmap_arg_int(struct jmap_call *c, const char *name, int64_t missing);
/* p NULL: missing. */
struct span jmap_arg_string(struct jmap_call *c, const char *name);
/* An id by its syntax (RFC 8620 §1.2); "#name" is resolved. */
struct span jmap_arg_id(struct jmap_call *c, const char *name);
/* The ids of an array, each once, "#name" resolved where something was created under it; ids: room
 * for all of them.  false: one is no string, which is remembered as wrong. */
bool jmap_ids_once(struct jmap_call *c, const char *name, const struct json *list,
    struct span *ids, size_t *count);
/* A required one is missing, or an argument is wrong in a way the caller knows. */
void jmap_arg_bad(struct jmap_call *c, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* false: something was wrong: the call is over with invalidArguments. */
bool jmap_args_end(struct jmap_call *c);

/* Id of RFC 8620 §1.2: 1-255 of A-Z a-z 0-9 - _ */
bool jmap_id_syntax(struct span text);
/* UTCDate "2014-10-30T06:12:00Z" in milliseconds; false: not one. */
bool jmap_date_parse(struct span text, int64_t *ms);
/* As the wire shows it, without fractions of zero. */
void jmap_date_put(struct json_writer *w, int64_t ms);
bool jmap_json_uint(const struct json *v, uint64_t *n);		/* at most JMAP_INT_MAX */
bool jmap_json_int(const struct json *v, int64_t *n);

#endif
