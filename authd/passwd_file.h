/* authd/passwd_file.h
 * The back end of a text file: "user:hash" lines, further fields (as in Dovecot's or the
 * system's files) are read over; '#' starts a comment line.  Read again when it changed,
 * looked at most once a second. */
#ifndef AUTHD_PASSWD_FILE_H
#define AUTHD_PASSWD_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/util/span.h"

struct passwd_line { struct span user, hash; };
enum passwd_result { PASSWD_LINE, PASSWD_NOTHING, PASSWD_BAD };
/* One line without its end.  NOTHING: blank or comment. */
enum passwd_result passwd_line_parse(struct span line, struct passwd_line *out);

struct passwd_file;
/* path is copied.  A file that cannot be read holds nobody, and is tried again. */
struct passwd_file *passwd_file_new(const char *path);
void passwd_file_free(struct passwd_file **f);
/* Looks whether the file changed; true: it did, what was remembered of it is void.  now_ms
 * is monotonic. */
bool passwd_file_refresh(struct passwd_file *f, uint64_t now_ms);
/* user: folded.  hash: borrowed until the next refresh. */
bool passwd_file_find(const struct passwd_file *f, struct span user, struct span *hash);
/* Some hash of the file, to spend the same time on an unknown user; false: none. */
bool passwd_file_any(const struct passwd_file *f, struct span *hash);

#endif
