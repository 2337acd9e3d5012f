#include "t/crash/faultio.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "common/util/buf.h"
#include "common/util/mem.h"

enum { SECTOR = 512, BLOCK = 4096, FILES_MAX = 256, FDS_MAX = 256, FD_BASE = 1000 };

struct file {
	struct buf	now, synced;
};

struct name {
	char		*path;
	unsigned	file;
};

struct names {
	struct name	list[FILES_MAX];
	unsigned	n;
};

struct sector {
	unsigned	file, len, block;
	uint64_t	off;
	char		data[SECTOR];
};

struct faultio {
	struct jio	io;
	struct file	files[FILES_MAX];
	unsigned	n_files;
	struct names	now, synced;
	struct sector	*pending;
	unsigned	n_pending, room_pending;
	int		fds[FDS_MAX];		/* file + 1, 0: free */
	unsigned	ops, stop, fail, n_fail;
	int		fail_errno;
	bool		fail_half, dead;
};

/* ---- names and files ---- */

static struct name *
name_find(struct names *ns, const char *path)
{
	for (unsigned i = 0; i < ns->n; i++)
		if (strcmp(ns->list[i].path, path) == 0)
			return &ns->list[i];
	return NULL;
}

static void
name_add(struct names *ns, const char *path, unsigned file)
{
	ns->list[ns->n++] = (struct name){ mem_strdup(path), file };
}

static void
name_remove(struct names *ns, struct name *nm)
{
	mem_free(&nm->path);
	*nm = ns->list[--ns->n];
}

static void
names_clear(struct names *ns)
{
	while (ns->n > 0)
		name_remove(ns, &ns->list[ns->n - 1]);
}

static void
names_copy(struct names *to, const struct names *from)
{
	names_clear(to);
	for (unsigned i = 0; i < from->n; i++)
		name_add(to, from->list[i].path, from->list[i].file);
}

static void
file_write(struct buf *b, uint64_t off, const char *p, size_t len)
{
	if (b->len < off + len) {
		size_t more = (size_t)(off + len - b->len);

		memset(buf_reserve(b, more), 0, more);
		buf_added(b, more);
	}
	memcpy(b->data + off, p, len);
}

/* ---- faults ---- */

enum verdict { GO, HALF, NO };

static enum verdict
operation(struct faultio *f)
{
	errno = EIO;
	if (f->dead)
		return NO;
	f->ops++;
	if (f->ops == f->stop) {
		f->dead = true;
		return HALF;
	}
	if (f->fail != 0 && f->ops >= f->fail && f->ops < f->fail + f->n_fail) {
		errno = f->fail_errno;
		return f->fail_half ? HALF : NO;
	}
	return GO;
}

/* ---- the table ---- */

static int
f_open(void *ctx, const char *path, int flags, mode_t mode)
{
	struct faultio *f = ctx;
	struct name *nm = name_find(&f->now, path);
	int fd = 0;

	if (f->dead) {
		errno = EIO;
		return -1;
	}
	if (nm == NULL && !(flags & O_CREAT)) {
		errno = ENOENT;
		return -1;
	}
	if (nm == NULL) {
		if (operation(f) != GO)
			return -1;
		name_add(&f->now, path, f->n_files++);
		nm = name_find(&f->now, path);
	} else if (flags & O_TRUNC) {
		buf_clear(&f->files[nm->file].now);
	}
	while (f->fds[fd] != 0)
		fd++;
	f->fds[fd] = (int)nm->file + 1;
	return fd + FD_BASE;
}

static unsigned
fd_file(const struct faultio *f, int fd)
{
	return (unsigned)f->fds[fd - FD_BASE] - 1;
}

static void
f_close(void *ctx, int fd)
{
	((struct faultio *)ctx)->fds[fd - FD_BASE] = 0;
}

static ssize_t
f_pread(void *ctx, int fd, void *p, size_t n, uint64_t off, bool nowait)
{
	struct faultio *f = ctx;
	const struct buf *b = &f->files[fd_file(f, fd)].now;

	if (f->dead) {
		errno = EIO;
		return -1;
	}
	if (off >= b->len)
		return 0;
	if (n > b->len - off)
		n = (size_t)(b->len - off);
	memcpy(p, b->data + off, n);
	return (ssize_t)n;
}

static void
pend(struct faultio *f, unsigned file, uint64_t off, const char *p, size_t len)
{
	while (len > 0) {
		size_t n = SECTOR - off % SECTOR;
		struct sector *s;

		if (n > len)
			n = len;
		if (f->n_pending == f->room_pending) {
			f->room_pending = f->room_pending * 2 + 64;
			f->pending = mem_realloc_array(f->pending, f->room_pending,
			    sizeof(*f->pending));
		}
		s = &f->pending[f->n_pending];
		s->file = file;
		s->off = off;
		s->len = (unsigned)n;
		s->block = 0;
		if (f->n_pending > 0)
			s->block = s[-1].block + (s[-1].file != file ||
			    s[-1].off / BLOCK != off / BLOCK);
		memcpy(s->data, p, n);
		f->n_pending++;
		off += n;
		p += n;
		len -= n;
	}
}

static ssize_t
f_pwritev(void *ctx, int fd, const struct iovec *iov, int n, uint64_t off)
{
	struct faultio *f = ctx;
	unsigned file = fd_file(f, fd);
	enum verdict v = operation(f);
	size_t total = 0, done = 0;

	for (int i = 0; i < n; i++)
		total += iov[i].iov_len;
	if (v == NO)
		return -1;
	if (v == HALF)
		total /= 2;
	for (int i = 0; i < n && done < total; i++) {
		size_t len = iov[i].iov_len < total - done ? iov[i].iov_len : total - done;

		file_write(&f->files[file].now, off + done, iov[i].iov_base, len);
		pend(f, file, off + done, iov[i].iov_base, len);
		done += len;
	}
	/* A short write tells no reason: the next call does. */
	return v == HALF && done == 0 ? -1 : (ssize_t)done;
}

static int
f_fdatasync(void *ctx, int fd)
{
	struct faultio *f = ctx;
	unsigned file = fd_file(f, fd), kept = 0;

	if (operation(f) != GO)
		return -1;
	buf_clear(&f->files[file].synced);
	buf_add_span(&f->files[file].synced, buf_span(&f->files[file].now));
	for (unsigned i = 0; i < f->n_pending; i++)
		if (f->pending[i].file != file)
			f->pending[kept++] = f->pending[i];
	f->n_pending = kept;
	return 0;
}

static int
f_fallocate(void *ctx, int fd, uint64_t off, uint64_t len)
{
	return operation(ctx) == GO ? 0 : -1;
}

static int
f_ftruncate(void *ctx, int fd, uint64_t len)
{
	struct faultio *f = ctx;

	if (operation(f) != GO)
		return -1;
	buf_cut(&f->files[fd_file(f, fd)].now, (size_t)len);
	return 0;
}

static int
f_size(void *ctx, int fd, uint64_t *bytes)
{
	struct faultio *f = ctx;

	*bytes = f->files[fd_file(f, fd)].now.len;
	return 0;
}

static int
f_unlink(void *ctx, const char *path)
{
	struct faultio *f = ctx;
	struct name *nm = name_find(&f->now, path);

	if (nm == NULL) {
		errno = ENOENT;
		return -1;
	}
	if (operation(f) != GO)
		return -1;
	name_remove(&f->now, nm);
	return 0;
}

static int
f_rename(void *ctx, const char *from, const char *to)
{
	struct faultio *f = ctx;
	struct name *nm = name_find(&f->now, from), *old;
	unsigned file;

	if (nm == NULL) {
		errno = ENOENT;
		return -1;
	}
	if (operation(f) != GO)
		return -1;
	file = nm->file;
	name_remove(&f->now, nm);
	old = name_find(&f->now, to);
	if (old != NULL)
		name_remove(&f->now, old);
	name_add(&f->now, to, file);
	return 0;
}

static int
f_fsync_dir(void *ctx, const char *path)
{
	struct faultio *f = ctx;

	if (operation(f) != GO)
		return -1;
	names_copy(&f->synced, &f->now);
	return 0;
}

static int
f_list(void *ctx, const char *path, jio_name_fn fn, void *arg)
{
	struct faultio *f = ctx;

	for (unsigned i = 0; i < f->now.n; i++)
		fn(strrchr(f->now.list[i].path, '/') + 1, arg);
	return 0;
}

static int
f_free_bytes(void *ctx, const char *path, uint64_t *bytes)
{
	*bytes = 1 << 30;
	return 0;
}

static int
f_lock(void *ctx, int fd)
{
	return 0;
}

/* ---- the outside ---- */

struct faultio *
faultio_new(void)
{
	struct faultio *f = mem_zalloc(sizeof(*f));

	f->io = (struct jio){ .open = f_open, .close = f_close, .pread = f_pread,
	    .pwritev = f_pwritev, .fdatasync = f_fdatasync, .fallocate = f_fallocate,
	    .ftruncate = f_ftruncate, .size = f_size, .rename = f_rename,
	    .unlink = f_unlink, .fsync_dir = f_fsync_dir, .list = f_list,
	    .free_bytes = f_free_bytes, .lock = f_lock, .ctx = f };
	return f;
}

void
faultio_free(struct faultio **fp)
{
	struct faultio *f = *fp;

	if (f == NULL)
		return;
	for (unsigned i = 0; i < f->n_files; i++) {
		buf_fini(&f->files[i].now);
		buf_fini(&f->files[i].synced);
	}
	names_clear(&f->now);
	names_clear(&f->synced);
	mem_free(&f->pending);
	mem_free(fp);
}

const struct jio *
faultio_io(struct faultio *f)
{
	return &f->io;
}

unsigned
faultio_ops(const struct faultio *f)
{
	return f->ops;
}

void
faultio_stop_at(struct faultio *f, unsigned n)
{
	f->stop = n;
}

void
faultio_fail_at(struct faultio *f, unsigned n, unsigned n_ops, int e, bool half)
{
	f->fail = n;
	f->n_fail = n_ops;
	f->fail_errno = e;
	f->fail_half = half;
}

struct faultio *
faultio_after_kill(const struct faultio *f)
{
	struct faultio *to = faultio_new();

	to->n_files = f->n_files;
	for (unsigned i = 0; i < f->n_files; i++) {
		buf_add_span(&to->files[i].now, buf_span(&f->files[i].now));
		buf_add_span(&to->files[i].synced, buf_span(&f->files[i].synced));
	}
	names_copy(&to->now, &f->now);
	names_copy(&to->synced, &f->synced);
	to->pending = mem_array(f->n_pending + 1, sizeof(*to->pending));
	to->room_pending = f->n_pending + 1;
	to->n_pending = f->n_pending;
	if (f->n_pending > 0)
		memcpy(to->pending, f->pending, f->n_pending * sizeof(*to->pending));
	return to;
}

struct faultio *
faultio_after_power_loss(const struct faultio *f, faultio_keep_fn keep, void *arg, bool names)
{
	struct faultio *to = faultio_new();

	to->n_files = f->n_files;
	for (unsigned i = 0; i < f->n_files; i++)
		buf_add_span(&to->files[i].now, buf_span(&f->files[i].synced));
	for (unsigned i = 0; i < f->n_pending; i++) {
		const struct sector *s = &f->pending[i];

		if (keep(i, f->n_pending, s->block, arg))
			file_write(&to->files[s->file].now, s->off, s->data, s->len);
	}
	for (unsigned i = 0; i < f->n_files; i++)
		buf_add_span(&to->files[i].synced, buf_span(&to->files[i].now));
	names_copy(&to->now, names ? &f->now : &f->synced);
	names_copy(&to->synced, &to->now);
	return to;
}

unsigned
faultio_pending(const struct faultio *f)
{
	return f->n_pending;
}

unsigned
faultio_pending_blocks(const struct faultio *f)
{
	return f->n_pending > 0 ? f->pending[f->n_pending - 1].block + 1 : 0;
}

char *
faultio_byte(struct faultio *f, const char *path, size_t off)
{
	struct name *nm = name_find(&f->now, path);

	return nm != NULL && off < f->files[nm->file].now.len ?
	    f->files[nm->file].now.data + off : NULL;
}
