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
	/* An exclusive lock that ends with the descriptor; EAGAIN: another has it. */
	int	(*lock)(void *ctx, int fd);
	void	*ctx;
};

/* The real file system. */
extern const struct jio jio_files;

/* Finish what the calls may leave half done.  The first returns how many bytes
 * there were up to n, -1 with errno.  The second changes iov on its way. */
ssize_t jio_read_full(const struct jio *io, int fd, void *p, size_t n, uint64_t off);
int jio_write_full(const struct jio *io, int fd, struct iovec *iov, int n, uint64_t off);
/* One run of bytes. */
int jio_write_at(const struct jio *io, int fd, const void *p, size_t n, uint64_t off);

#endif
