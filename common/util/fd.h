/* common/util/fd.h
 * Descriptors: close-on-exec always, helpers that finish what a system call left
 * half done. */
#ifndef COMMON_UTIL_FD_H
#define COMMON_UTIL_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Closes *fd when it is >= 0 and sets it to -1; errno survives. */
void fd_close(int *fd);
bool fd_nonblock(int fd);
bool fd_cloexec(int fd, bool on);
/* A connected pair of non-blocking close-on-exec UNIX stream sockets. */
bool fd_socketpair(int sv[2]);
/* "dir/name", the caller's. */
char *fd_path(const char *dir, const char *name);
/* What was made, renamed and removed in a folder is on the disk; false with errno. */
bool fd_sync_folder(const char *path);
/* Whole amount or false with errno; 0 bytes early sets errno ENODATA. */
bool fd_read_full(int fd, void *p, size_t n);
bool fd_write_full(int fd, const void *p, size_t n);
/* A memory file sealed against every change, holding n bytes: -1 with errno. */
int fd_sealed(const char *name, const void *p, size_t n);
/* Reads a file from its start, refusing more than max bytes (errno EFBIG); *data is
 * NUL-terminated (not counted), the caller frees it. */
bool fd_slurp(int fd, size_t max, char **data, size_t *len);
bool fd_slurp_path(const char *path, size_t max, char **data, size_t *len);

#endif
