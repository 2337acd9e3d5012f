#include "common/util/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/util/buf.h"
#include "common/util/mem.h"

void
fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

bool
fd_nonblock(int fd)
{
	int fl = fcntl(fd, F_GETFL);

	return fl >= 0 && fcntl(fd, F_SETFL, fl | O_NONBLOCK) == 0;
}

bool
fd_cloexec(int fd, bool on)
{
	return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) == 0;
}

bool
fd_socketpair(int sv[2])
{
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv) == 0;
}

bool
fd_read_full(int fd, void *p, size_t n)
{
	char *at = p;

	while (n > 0) {
		ssize_t r = read(fd, at, n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r == 0)
			errno = ENODATA;
		if (r <= 0)
			return false;
		at += r;
		n -= (size_t)r;
	}
	return true;
}

char *
fd_path(const char *dir, const char *name)
{
	size_t n = strlen(dir) + strlen(name) + 2;
	char *path = mem_alloc(n);

	snprintf(path, n, "%s/%s", dir, name);
	return path;
}

bool
fd_sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;

	fd_close(&fd);
	return ok;
}

bool
fd_write_full(int fd, const void *p, size_t n)
{
	const char *at = p;

	while (n > 0) {
		ssize_t r = write(fd, at, n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return false;
		at += r;
		n -= (size_t)r;
	}
	return true;
}

int
fd_sealed(const char *name, const void *p, size_t n)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -1;
	if (!fd_write_full(fd, p, n) || fcntl(fd, F_ADD_SEALS,
	    F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		fd_close(&fd);
	return fd;
}

bool
fd_slurp(int fd, size_t max, char **data, size_t *len)
{
	struct buf b = { 0 };
	off_t at = 0;

	for (;;) {
		ssize_t r = pread(fd, buf_reserve(&b, 4096), 4096, at);

		if (r < 0 && errno == ESPIPE)
			r = read(fd, buf_reserve(&b, 4096), 4096);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			break;
		if (r == 0) {
			*len = b.len;
			*data = buf_take(&b);
			return true;
		}
		buf_added(&b, (size_t)r);
		at += r;
		if (b.len > max) {
			errno = EFBIG;
			break;
		}
	}
	buf_fini(&b);
	return false;
}

bool
fd_slurp_path(const char *path, size_t max, char **data, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	bool ok;

	if (fd < 0)
		return false;
	ok = fd_slurp(fd, max, data, len);
	fd_close(&fd);
	return ok;
}
