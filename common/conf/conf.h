/* common/conf/conf.h
 * Settings tables: all that is known of a setting stands in one entry, from which it
 * is parsed, checked, printed and documented.  The name in the file is the member's
 * with '-' for '_', without the unit that the member's name ends in.
 *
 *     static const struct conf_field imap_fields[] = {
 *             CONF_SIZE(conf_imap, max_append, "64M", "1K", "2G", CONF_RELOAD,
 *                 "Largest message a client may append."),
 *             CONF_END
 *     };
 *
 * reads `max-append = 64M` into the member max_append_bytes.  The file's grammar:
 *
 *     file      = { key "=" value | section [ name ] "{" { key "=" value } "}"
 *                 | "include" path }
 *     value     = word | "quoted \"string\"" | "[" [ value { "," value } ] "]"
 *
 * '#' starts a comment.  A word has none of the characters {}[]=,#" and no blank.
 * Quoted strings know \" \\ \n \t and stay on one line.  The environment is never looked
 * at.  Whoever adds a setting adds a member in settings.h and an entry in settings_*.c. */
#ifndef COMMON_CONF_CONF_H
#define COMMON_CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/net/addr.h"
#include "common/net/cidr.h"
#include "common/util/arena.h"
#include "common/util/buf.h"
#include "common/util/span.h"

#define CONF_FILE_MAX (1u << 20)	/* bytes of one file */
#define CONF_TEXT_MAX (4u << 20)	/* bytes of an effective configuration */
#define CONF_FILES_MAX 256		/* files read for one configuration */
#define CONF_INCLUDE_DEPTH_MAX 8
#define CONF_LIST_MAX 256		/* values in a list */
#define CONF_VALUE_MAX 4096		/* bytes of a word or string */
#define CONF_NAME_MAX 64		/* bytes of a section's name */
#define CONF_ERRORS_MAX 50		/* further ones are counted, not kept */

/* ---- values of more than one part ---- */

struct conf_strings { const char *const *v; size_t n; };
struct conf_addrs { const struct net_addr *v; size_t n; };
struct conf_cidrs { const struct cidr *v; size_t n; };
struct conf_folder { const char *name, *role; };	/* role: "" for none, else "drafts" */
struct conf_folders { const struct conf_folder *v; size_t n; };
struct conf_enums { const uint8_t *v; size_t n; };	/* in the order written */

/* ---- entries ---- */

enum conf_type {
	CONF_T_BOOL, CONF_T_INT, CONF_T_COUNT, CONF_T_SIZE, CONF_T_TIME, CONF_T_TIME_MS,
	CONF_T_MODE, CONF_T_ENUM, CONF_T_ENUMS, CONF_T_STRING, CONF_T_PATH, CONF_T_STRINGS,
	CONF_T_ADDRS, CONF_T_CIDRS, CONF_T_FOLDERS
};

enum {
	CONF_RELOAD = 0,	/* SIGHUP puts a change in force */
	CONF_RESTART = 1,	/* only a restart does */
	CONF_REQUIRED = 2,	/* must be set in every such section */
	CONF_FILE = 4		/* of a path: the file must exist when the configuration is read */
};

struct conf_field {
	const char		*name;		/* the member's; NULL ends a table */
	enum conf_type		type;
	size_t			offset;
	const char		*def;		/* as it would be written; list: without [] */
	const char		*min, *max;	/* numbers, sizes, times: as written */
	const char *const	*words;		/* enums: the values in order, NULL at the end */
	unsigned		flags;
	const char		*doc;
};

#define CONF_FIELD_(t, s, m, n, d, lo, hi, w, f, doc) \
	{ (n), (t), offsetof(struct s, m), (d), (lo), (hi), (w), (f), (doc) }
#define CONF_BOOL(s, m, d, f, doc)	/* bool m */ \
	CONF_FIELD_(CONF_T_BOOL, s, m, #m, d, NULL, NULL, NULL, f, doc)
#define CONF_INT(s, m, d, lo, hi, f, doc)	/* uint32_t m */ \
	CONF_FIELD_(CONF_T_INT, s, m, #m, d, lo, hi, NULL, f, doc)
#define CONF_COUNT(s, m, d, lo, hi, f, doc)	/* uint32_t m, or "auto": 0 */ \
	CONF_FIELD_(CONF_T_COUNT, s, m, #m, d, lo, hi, NULL, f, doc)
#define CONF_SIZE(s, m, d, lo, hi, f, doc)	/* uint64_t m_bytes */ \
	CONF_FIELD_(CONF_T_SIZE, s, m##_bytes, #m, d, lo, hi, NULL, f, doc)
#define CONF_TIME(s, m, d, lo, hi, f, doc)	/* uint32_t m_s */ \
	CONF_FIELD_(CONF_T_TIME, s, m##_s, #m, d, lo, hi, NULL, f, doc)
#define CONF_TIME_MS(s, m, d, lo, hi, f, doc)	/* uint32_t m_ms */ \
	CONF_FIELD_(CONF_T_TIME_MS, s, m##_ms, #m, d, lo, hi, NULL, f, doc)
#define CONF_MODE(s, m, d, f, doc)		/* uint32_t m: 0660 */ \
	CONF_FIELD_(CONF_T_MODE, s, m, #m, d, NULL, NULL, NULL, f, doc)
#define CONF_ENUM(s, m, w, d, f, doc)		/* uint8_t m: index into w */ \
	CONF_FIELD_(CONF_T_ENUM, s, m, #m, d, NULL, NULL, w, f, doc)
#define CONF_ENUMS(s, m, w, d, f, doc)		/* struct conf_enums m, none twice */ \
	CONF_FIELD_(CONF_T_ENUMS, s, m, #m, d, NULL, NULL, w, f, doc)
#define CONF_STRING(s, m, d, f, doc)		/* const char *m, never NULL */ \
	CONF_FIELD_(CONF_T_STRING, s, m, #m, d, NULL, NULL, NULL, f, doc)
#define CONF_PATH(s, m, d, f, doc)		/* const char *m: absolute, or "" */ \
	CONF_FIELD_(CONF_T_PATH, s, m, #m, d, NULL, NULL, NULL, f, doc)
#define CONF_STRINGS(s, m, d, f, doc)		/* struct conf_strings m */ \
	CONF_FIELD_(CONF_T_STRINGS, s, m, #m, d, NULL, NULL, NULL, f, doc)
#define CONF_ADDRS(s, m, d, f, doc)		/* struct conf_addrs m */ \
	CONF_FIELD_(CONF_T_ADDRS, s, m, #m, d, NULL, NULL, NULL, f, doc)
#define CONF_CIDRS(s, m, d, f, doc)		/* struct conf_cidrs m */ \
	CONF_FIELD_(CONF_T_CIDRS, s, m, #m, d, NULL, NULL, NULL, f, doc)
#define CONF_FOLDERS(s, m, d, f, doc)		/* struct conf_folders m */ \
	CONF_FIELD_(CONF_T_FOLDERS, s, m, #m, d, NULL, NULL, NULL, f, doc)
#define CONF_END { .name = NULL }

/* Where a value was written; file NULL: it is the default. */
struct conf_origin {
	const char	*file;
	unsigned	line;
};

/* Every section's struct starts with this. */
struct conf_head {
	const char		*name;		/* of this listener, pool ...; "" for others */
	struct conf_origin	at;		/* the section itself */
	struct conf_origin	*origins;	/* one for each field */
};

struct mansio_conf;
struct conf_errors;

struct conf_section {
	const char		*name;		/* "listener"; "": keys outside of sections; NULL ends */
	const struct conf_field	*fields;
	size_t			size;		/* of the struct */
	size_t			offset;		/* in struct mansio_conf: the struct, or the pointer to an array of them */
	size_t			count_offset;	/* named sections: of the array's size_t count */
	size_t			max;		/* named sections: how many; 0: not named, once */
	const char *const	*names;		/* the only names; each exists even when not written */
	const char		*doc;
	const char		*example;	/* named sections: what the sample shows, commented out */
};

/* ---- errors: one line each, "FILE:LINE: what is wrong; what is allowed" ---- */

struct conf_errors {		/* zeroed: none */
	struct buf	text;		/* lines, each with its '\n' */
	unsigned	count;
};

void conf_errors_fini(struct conf_errors *e);
/* line 0: of the file as a whole. */
void conf_error(struct conf_errors *e, const char *file, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
