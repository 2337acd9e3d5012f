/* storage/journal/jio.c
 * The real files behind the table, and loops around short transfers. */
#include "storage/journal/jio.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/util/fd.h"

/* Below every system's IOV_MAX. */
#define IOV_BATCH 512

static int
file_open(void *ctx, const char *path, int flags, mode_t mode)
{
	return open(path, flags | O_CLOEXEC | O_NOFOLLOW, mode);
}

static void
file_close(void *ctx, int fd)
{
	fd_close(&fd);
}

static ssize_t
file_pread(void *ctx, int fd, void *p, size_t n, uint64_t off, bool nowait)
{
	struct iovec iov = { p, n };
	ssize_t got;

	if (nowait) {
		got = preadv2(fd, &iov, 1, (off_t)off, RWF_NOWAIT);
		/* A file system without it keeps its files in memory or is
		 * rare: reading may block then. */
		if (got >= 0 || errno != EOPNOTSUPP)
			return got;
	}
	return pread(fd, p, n, (off_t)off);
}

static ssize_t
file_pwritev(void *ctx, int fd, const struct iovec *iov, int n, uint64_t off)
{
	return pwritev(fd, iov, n, (off_t)off);
}

static int
file_fdatasync(void *ctx, int fd)
{
	return fdatasync(fd);
}

static int
file_fallocate(void *ctx, int fd, uint64_t off, uint64_t len)
{
	int e = posix_fallocate(fd, (off_t)off, (off_t)len);

	errno = e;
	return e == 0 ? 0 : -1;
}

static int
file_ftruncate(void *ctx, int fd, uint64_t len)
{
	return ftruncate(fd, (off_t)len);
}

static int
file_size(void *ctx, int fd, uint64_t *bytes)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return -1;
	*bytes = (uint64_t)st.st_size;
	return 0;
}

static int
file_rename(void *ctx, const char *from, const char *to)
{
	return rename(from, to);
}

static int
file_unlink(void *ctx, const char *path)
{
	return unlink(path);
}

static int
file_fsync_dir(void *ctx, const char *path)
{
	return fd_sync_folder(path) ? 0 : -1;
}

static int
file_list(void *ctx, const char *path, jio_name_fn fn, void *arg)
{
	DIR *dir = opendir(path);
	struct dirent *d;
	int e;

	if (dir == NULL)
		return -1;
	while (errno = 0, (d = readdir(dir)) != NULL)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			fn(d->d_name, arg);
	e = errno;
	closedir(dir);
	errno = e;
	return e == 0 ? 0 : -1;
}

static int
file_free_bytes(void *ctx, const char *path, uint64_t *bytes)
{
	struct statvfs st;

	if (statvfs(path, &st) != 0)
		return -1;
	*bytes = (uint64_t)st.f_bavail * st.f_frsize;
	return 0;
}

static int
file_lock(void *ctx, int fd)
{
	struct flock lk = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_OFD_SETLK, &lk) == 0)
		return 0;
	if (errno == EACCES)
		errno = EAGAIN;
	return -1;
}

const struct jio jio_files = {
	.open = file_open, .close = file_close, .pread = file_pread,
	.pwritev = file_pwritev, .fdatasync = file_fdatasync,
	.fallocate = file_fallocate, .ftruncate = file_ftruncate,
	.size = file_size, .rename = file_rename, .unlink = file_unlink,
	.fsync_dir = file_fsync_dir, .list = file_list,
	.free_bytes = file_free_bytes, .lock = file_lock,
};

ssize_t
jio_read_full(const struct jio *io, int fd, void *p, size_t n, uint64_t off)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = io->pread(io->ctx, fd, (char *)p + done, n - done,
		    off + done, false);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

int
jio_write_full(const struct jio *io, int fd, struct iovec *iov, int n, uint64_t off)
{
	while (n > 0) {
		int batch = n < IOV_BATCH ? n : IOV_BATCH;
		ssize_t put = io->pwritev(io->ctx, fd, iov, batch, off);
		size_t left;

		if (put < 0 && errno == EINTR)
			continue;
		if (put == 0)
			errno = EIO;
		if (put <= 0)
			return -1;
		off += (uint64_t)put;
		for (left = (size_t)put; n > 0 && left >= iov->iov_len; n--)
			left -= (iov++)->iov_len;
		if (left > 0) {
			iov->iov_base = (char *)iov->iov_base + left;
			iov->iov_len -= left;
		}
	}
	return 0;
}

int
jio_write_at(const struct jio *io, int fd, const void *p, size_t n, uint64_t off)
{
	struct iovec iov = { (void *)(uintptr_t)p, n };

	return jio_write_full(io, fd, &iov, 1, off);
}
