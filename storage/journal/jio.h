/* storage/journal/jio.h
 * The file operations of the journal as a table, so that tests can stand between
 * it and the disk (t/crash/faultio.h).  Every function follows its system call:
 * -1 with errno on failure.  Names are paths.  Functions may be called by several
 * threads. */
#ifndef STORAGE_JOURNAL_JIO_H
#define STORAGE_JOURNAL_JIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

typedef void (*jio_name_fn)(const char *name, void *arg);

struct jio {
	int	(*open)(void *ctx, const char *path, int flags, mode_t mode);
	void	(*close)(void *ctx, int fd);
	/* May read less.  nowait: only what is in memory, else EAGAIN. */
	ssize_t	(*pread)(void *ctx, int fd, void *p, size_t n, uint64_t off, bool nowait);
	/* May write less, as the system call may. */
	ssize_t	(*pwritev)(void *ctx, int fd, const struct iovec *iov, int n, uint64_t off);
	int	(*fdatasync)(void *ctx, int fd);
	int	(*fallocate)(void *ctx, int fd, uint64_t off, uint64_t len);
	int	(*ftruncate)(void *ctx, int fd, uint64_t len);
	int	(*size)(void *ctx, int fd, uint64_t *bytes);
	int	(*rename)(void *ctx, const char *from, const char *to);
	int	(*unlink)(void *ctx, const char *path);
	int	(*fsync_dir)(void *ctx, const char *path);
	/* Calls fn for each plain name in the folder, "." and ".." left out. */
	int	(*list)(void *ctx, const char *path, jio_name_fn fn, void *arg);
	/* Bytes an unprivileged process may still allocate there. */
	int	(*free_bytes)(void *ctx, const char *path, uint64_t *bytes);
	void	*ctx;
};

/* The real file system. */
extern const struct jio jio_files;

#endif
