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

#define JSON_DEPTH_MAX 32

/* ST_LIMIT: longer than max bytes; ST_SYNTAX: not one strict JSON text (RFC 8259,
 * UTF-8, nothing behind it), or nested deeper than JSON_DEPTH_MAX. */
enum status json_parse(struct span text, size_t max, struct json_doc **doc);
void json_free(struct json_doc **doc);
/* Everything below is borrowed from the document. */
const struct json *json_root(const struct json_doc *doc);

bool json_is_object(const struct json *v);
bool json_is_array(const struct json *v);
/* NULL: v is no object (or NULL), has no such member, or null there. */
const struct json *json_member(const struct json *v, const char *key);
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
/* Visits the members of an object; start with *pos = NULL. */
bool json_next(const struct json *v, void **pos, struct span *key, const struct json **value);

#endif
