/* storage/engine/roster.h
 * The list of the tables that a folder holds, beside them in a file of its own.  An engine that makes a
 * file for each table makes one that is missing anew, empty: whoever lost a file would read
 * it as one without rows.  So the list is asked first.
 *
 * The file "tables": the line "mansio tables 1", a line for each name, the line "end". */
#ifndef STORAGE_ENGINE_ROSTER_H
#define STORAGE_ENGINE_ROSTER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/util/status.h"

/* ST_OK: the file of every table on the list is there (NAME followed by suffix), or there is no
 * list, as in a new folder.  ST_CORRUPT: one is missing, which was logged; or the list is none. */
enum status roster_check(const char *dir, const char *suffix);
/* *yes: all of these are on the list. */
enum status roster_has(const char *dir, const char *const *tables, size_t n, bool *yes);
/* These tables were made, and are on the disk: those that the list lacks are added. */
enum status roster_write(const char *dir, const char *const *tables, size_t n);

#endif
