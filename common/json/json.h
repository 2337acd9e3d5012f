/* common/json/json.h
 * Reading JSON text: parsed whole, asked by key.  Limits come before memory. */
#ifndef COMMON_JSON_JSON_H
#define COMMON_JSON_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/util/span.h"
#include "common/util/status.h"

struct json;			/* a value inside a document */
struct json_doc;

#define JSON_DEPTH_MAX 64

/* ST_LIMIT: longer than max bytes; ST_SYNTAX: not one strict JSON text (RFC 8259,
 * UTF-8, nothing behind it), or nested deeper than JSON_DEPTH_MAX. */
enum status json_parse(struct span text, size_t max, struct json_doc **doc);
/* The same for I-JSON (RFC 7493): ST_SYNTAX also for a member that stands twice in its object, and
 * for escapes of half a surrogate pair; and, as no name we know has one, for U+0000 in a name.
 * *why, when it fails: a phrase for whoever wrote it. */
enum status json_parse_interop(struct span text, size_t max, struct json_doc **doc,
    const char **why);
void json_free(struct json_doc **doc);
/* Everything below is borrowed from the document. */
const struct json *json_root(const struct json_doc *doc);

bool json_is_object(const struct json *v);
bool json_is_array(const struct json *v);
bool json_is_string(const struct json *v);
bool json_is_number(const struct json *v);
/* NULL: v is no object (or NULL), has no such member, or null there. */
const struct json *json_member(const struct json *v, const char *key);
/* Tells null (*value is NULL) from what is not there (false); value may be NULL. */
bool json_find(const struct json *v, const char *key, const struct json **value);
size_t json_members(const struct json *v);		/* of an object; 0 otherwise */
size_t json_count(const struct json *v);		/* of an array; 0 otherwise */
const struct json *json_item(const struct json *v, size_t i);

/* The value itself; false when it is of another type, missing (NULL), or does not
 * fit. */
bool json_as_string(const struct json *v, struct span *s);
bool json_as_int(const struct json *v, int64_t *n);
bool json_as_uint(const struct json *v, uint64_t *n);
bool json_as_bool(const struct json *v, bool *b);

/* Member of an object. */
bool json_get_string(const struct json *v, const char *key, struct span *s);
bool json_get_int(const struct json *v, const char *key, int64_t *n);
bool json_get_uint(const struct json *v, const char *key, uint64_t *n);
bool json_get_bool(const struct json *v, const char *key, bool *b);
/* Visits the members of an object; start with *pos = NULL.  A value that is null is NULL. */
bool json_next(const struct json *v, void **pos, struct span *key, const struct json **value);
/* A number that is whole, however it is written (1.0, 1e3), in the range of doubles that keep
 * whole numbers apart: -2^53+1 .. 2^53-1. */
bool json_as_whole(const struct json *v, int64_t *n);

/* As JSON shows it. */
bool json_number_text(const struct json *v, struct span *text);

#endif
