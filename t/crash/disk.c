#include "t/crash/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/util/buf.h"
#include "common/util/mem.h"

#define SECTOR	512u
#define BLOCK	4096u
#define FDS	1024

enum what { MARK, CREATE, FOLDER, DATA, SIZE, SYNC, RENAME, REMOVE };

struct event {
	enum what	what;
	unsigned	file;		/* number of a file; of a mark: its number */
	uint64_t	off;		/* SIZE: the size */
	size_t		len, at;	/* of the data, in `bytes` */
	char		*path, *to;	/* below the folder */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static bool recording;
static struct event *events;
static size_t n_events, cap_events;
static struct buf bytes;
static unsigned changes, fail_from, fail_times, kill_at;
static int fail_errno, kill_code;
static bool fail_half;
static struct { unsigned file; bool folder; } fds[FDS];	/* file 0: not ours; folders have numbers too */
static unsigned n_files;
static struct { char *path; unsigned file; } *names;	/* as they are now */
static size_t n_names, cap_names;

/* Recording ------------------------------------------------------------------------- */

/* The path below the folder; NULL: elsewhere. */
static const char *
below(const char *path)
{
	size_t n = strlen(root);

	if (!recording || path == NULL || strncmp(path, root, n) != 0 || path[n] != '/')
		return NULL;
	return path + n + 1;
}

static struct event *
add(enum what what)
{
	if (n_events == cap_events) {
		cap_events = cap_events > 0 ? cap_events * 2 : 1024;
		events = mem_realloc_array(events, cap_events, sizeof(*events));
	}
	events[n_events] = (struct event){ .what = what };
	return &events[n_events++];
}

static unsigned
name_find(const char *path)
{
	for (size_t i = 0; i < n_names; i++)
		if (strcmp(names[i].path, path) == 0)
			return names[i].file;
	return 0;
}

static void
name_del(const char *path)
{
	for (size_t i = 0; i < n_names; i++) {
		if (strcmp(names[i].path, path) != 0)
			continue;
		mem_free(&names[i].path);
		names[i--] = names[--n_names];
	}
}

static void
name_put(const char *path, unsigned file)
{
	name_del(path);
	if (n_names == cap_names) {
		cap_names = cap_names > 0 ? cap_names * 2 : 64;
		names = mem_realloc_array(names, cap_names, sizeof(*names));
	}
	names[n_names].path = mem_strdup(path);
	names[n_names++].file = file;
}

/* A name of a folder takes what lies in it along. */
static void
name_move(const char *from, const char *to)
{
	size_t n = strlen(from);

	name_del(to);
	for (size_t i = 0; i < n_names; i++) {
		struct buf b = { 0 };

		if (strncmp(names[i].path, from, n) != 0 ||
		    (names[i].path[n] != '\0' && names[i].path[n] != '/'))
			continue;
		buf_addf(&b, "%s%s", to, names[i].path + n);
		buf_cstr(&b);
		mem_free(&names[i].path);
		names[i].path = buf_take(&b);
	}
}

/* Counts a change.  What is to happen to it: 0: nothing; else an errno, EINTR for a short write
 * that succeeds. */
static int
count_change(bool is_write)
{
	changes++;
	if (kill_at != 0 && changes == kill_at && !is_write)
		_exit(kill_code);
	if (fail_from == 0 || changes < fail_from || changes - fail_from >= fail_times)
		return 0;
	return fail_errno != 0 ? fail_errno : is_write ? EINTR : 0;
}

void
disk_record(const char *dir)
{
	disk_forget();
	snprintf(root, sizeof(root), "%s", dir);
	recording = true;
}

void
disk_stop(void)
{
	pthread_mutex_lock(&lock);
	recording = false;
	fail_from = kill_at = 0;
	memset(fds, 0, sizeof(fds));
	pthread_mutex_unlock(&lock);
}

void
disk_forget(void)
{
	disk_stop();
	for (size_t i = 0; i < n_events; i++) {
		mem_free(&events[i].path);
		mem_free(&events[i].to);
	}
	while (n_names > 0)
		mem_free(&names[--n_names].path);
	mem_free(&events);
	mem_free(&names);
	n_events = cap_events = cap_names = 0;
	n_files = changes = 0;
	buf_fini(&bytes);
}

void
disk_mark(unsigned n)
{
	pthread_mutex_lock(&lock);
	if (recording)
		add(MARK)->file = n;
	pthread_mutex_unlock(&lock);
}

unsigned
disk_changes(void)
{
	return changes;
}

void
disk_fail(unsigned n, unsigned times, int e, bool half)
{
	fail_from = n;
	fail_times = times;
	fail_errno = e;
	fail_half = half;
}

void
disk_kill(unsigned n, int code)
{
	kill_at = n;
	kill_code = code;
}

/* The calls ----------------------------------------------------------------------- */

static int
fails(int e)
{
	pthread_mutex_unlock(&lock);
	errno = e;
	return -1;
}

static int
do_open(int at, const char *path, int flags, mode_t mode)
{
	const char *sub = at == AT_FDCWD ? below(path) : NULL;
	struct stat st;
	bool is_new;
	int fd, e;

	if (sub == NULL)
		return (int)syscall(SYS_openat, at, path, flags, mode);
	pthread_mutex_lock(&lock);
	is_new = (flags & O_CREAT) != 0 && stat(path, &st) != 0;
	if (is_new && (e = count_change(false)) != 0)
		return fails(e);
	fd = (int)syscall(SYS_openat, at, path, flags, mode);
	if (fd < 0)
		return fails(errno);
	if (fd >= FDS)
		abort();
	if (is_new) {
		struct event *ev = add(CREATE);

		ev->file = ++n_files;
		ev->path = mem_strdup(sub);
		name_put(sub, n_files);
	}
	fds[fd].folder = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
	if (name_find(sub) == 0)
		name_put(sub, ++n_files);
	fds[fd].file = name_find(sub);
	if ((flags & O_TRUNC) != 0 && !is_new) {
		changes++;
		add(SIZE)->file = fds[fd].file;
	}
	pthread_mutex_unlock(&lock);
	return fd;
}

static unsigned
file_of(int fd)
{
	return recording && fd >= 0 && fd < FDS ? fds[fd].file : 0;
}

static void
note_data(unsigned file, uint64_t off, const struct iovec *iov, int n, size_t len)
{
	struct event *ev = add(DATA);

	ev->file = file;
	ev->off = off;
	ev->len = len;
	ev->at = bytes.len;
	for (int i = 0; i < n && len > 0; i++) {
		size_t part = iov[i].iov_len < len ? iov[i].iov_len : len;

		buf_add(&bytes, iov[i].iov_base, part);
		len -= part;
	}
}

static size_t
total(const struct iovec *iov, int n)
{
	size_t len = 0;

	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	return len;
}

/* The first `len` bytes of them alone. */
static ssize_t
write_part(int fd, const struct iovec *iov, int n, uint64_t off, size_t len)
{
	size_t done = 0;

	for (int i = 0; i < n && done < len; i++) {
		size_t part = iov[i].iov_len < len - done ? iov[i].iov_len : len - done;
		ssize_t got = syscall(SYS_pwrite64, fd, iov[i].iov_base, part, off + done);

		if (got < 0)
			return done > 0 ? (ssize_t)done : -1;
		done += (size_t)got;
		if ((size_t)got < part)
			break;
	}
	return (ssize_t)done;
}

static ssize_t
do_write(int fd, const struct iovec *iov, int n, uint64_t off)
{
	size_t len = total(iov, n);
	ssize_t got = -1;
	int e;

	pthread_mutex_lock(&lock);
	e = count_change(true);
	if (kill_at != 0 && changes == kill_at) {
		(void)write_part(fd, iov, n, off, len / 2);
		_exit(kill_code);
	}
	if (e != 0 && len > 1 && (fail_half || e == EINTR)) {
		got = write_part(fd, iov, n, off, len / 2);
		if (got > 0)
			note_data(fds[fd].file, off, iov, n, (size_t)got);
	}
	if (e != 0 && (e != EINTR || len <= 1))
		return e == EINTR ? fails(EIO) : fails(e);
	if (e == 0) {
		got = write_part(fd, iov, n, off, len);
		if (got > 0)
			note_data(fds[fd].file, off, iov, n, (size_t)got);
	}
	e = errno;
	pthread_mutex_unlock(&lock);
	errno = e;
	return got;
}

/* At the file's own place. */
static ssize_t
write_here(int fd, const struct iovec *iov, int n)
{
	int flags = fcntl(fd, F_GETFL);
	off_t off = lseek(fd, 0, (flags & O_APPEND) != 0 ? SEEK_END : SEEK_CUR);
	ssize_t got = do_write(fd, iov, n, (uint64_t)off);

	if (got > 0)
		(void)lseek(fd, off + got, SEEK_SET);
	return got;
}

static void
note_sync(unsigned file, bool folder)
{
	struct event *ev = add(SYNC);

	ev->file = file;
	for (size_t i = 0; folder && i < n_names; i++)
		if (names[i].file == file)
			ev->path = mem_strdup(names[i].path);
}

static int
do_sync(int fd, long call)
{
	int e, rc;

	pthread_mutex_lock(&lock);
	e = count_change(false);
	if (e != 0)
		return fails(e);
	rc = (int)syscall(call, fd);
	e = errno;
	if (rc == 0)
		note_sync(fds[fd].file, fds[fd].folder);
	pthread_mutex_unlock(&lock);
	errno = e;
	return rc;
}

static int
do_size(int fd, uint64_t size, bool shrinks)
{
	struct stat st;
	int e, rc = 0;

	pthread_mutex_lock(&lock);
	e = count_change(false);
	if (e != 0)
		return fails(e);
	if (fstat(fd, &st) == 0 && (shrinks || (uint64_t)st.st_size < size)) {
		struct event *ev = add(SIZE);

		rc = (int)syscall(SYS_ftruncate, fd, size);
		ev->file = fds[fd].file;
		ev->off = size;
	}
	e = errno;
	pthread_mutex_unlock(&lock);
	errno = e;
	return rc;
}

#define ALIAS(name) __attribute__((alias(#name)))

int open(const char *path, int flags, ...);
int
open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	va_start(ap, flags);
	if ((flags & (O_CREAT | O_TMPFILE)) != 0)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	return do_open(AT_FDCWD, path, flags, mode);
}
int open64(const char *path, int flags, ...) ALIAS(open);

int
openat(int at, const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	va_start(ap, flags);
	if ((flags & (O_CREAT | O_TMPFILE)) != 0)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	return do_open(path[0] == '/' ? AT_FDCWD : at, path, flags, mode);
}
int openat64(int at, const char *path, int flags, ...) ALIAS(openat);

int
close(int fd)
{
	if (fd >= 0 && fd < FDS)
		fds[fd].file = 0;
	return (int)syscall(SYS_close, fd);
}

ssize_t
write(int fd, const void *p, size_t n)
{
	struct iovec iov = { (void *)(uintptr_t)p, n };

	return file_of(fd) == 0 ? syscall(SYS_write, fd, p, n) : write_here(fd, &iov, 1);
}

ssize_t
writev(int fd, const struct iovec *iov, int n)
{
	return file_of(fd) == 0 ? syscall(SYS_writev, fd, iov, n) : write_here(fd, iov, n);
}

ssize_t
pwrite(int fd, const void *p, size_t n, off_t off)
{
	struct iovec iov = { (void *)(uintptr_t)p, n };

	return file_of(fd) == 0 ? syscall(SYS_pwrite64, fd, p, n, off) :
	    do_write(fd, &iov, 1, (uint64_t)off);
}
ssize_t pwrite64(int fd, const void *p, size_t n, off64_t off) ALIAS(pwrite);

ssize_t
pwritev(int fd, const struct iovec *iov, int n, off_t off)
{
	return file_of(fd) == 0 ? syscall(SYS_pwritev, fd, iov, n, off, 0) :
	    do_write(fd, iov, n, (uint64_t)off);
}
ssize_t pwritev64(int fd, const struct iovec *iov, int n, off64_t off) ALIAS(pwritev);

int
fsync(int fd)
{
	return file_of(fd) == 0 ? (int)syscall(SYS_fsync, fd) : do_sync(fd, SYS_fsync);
}

int
fdatasync(int fd)
{
	return file_of(fd) == 0 ? (int)syscall(SYS_fdatasync, fd) : do_sync(fd, SYS_fdatasync);
}

int
ftruncate(int fd, off_t size)
{
	return file_of(fd) == 0 ? (int)syscall(SYS_ftruncate, fd, size) :
	    do_size(fd, (uint64_t)size, true);
}
int ftruncate64(int fd, off64_t size) ALIAS(ftruncate);

int
posix_fallocate(int fd, off_t off, off_t len)
{
	if (file_of(fd) == 0)
		return syscall(SYS_fallocate, fd, 0, off, len) == 0 ? 0 : errno;
	return do_size(fd, (uint64_t)(off + len), false) == 0 ? 0 : errno;
}
int posix_fallocate64(int fd, off64_t off, off64_t len) ALIAS(posix_fallocate);

int
rename(const char *from, const char *to)
{
	const char *a = below(from), *b = below(to);
	struct event *ev;
	int e, rc;

	if (a == NULL || b == NULL)
		return (int)syscall(SYS_rename, from, to);
	pthread_mutex_lock(&lock);
	e = count_change(false);
	if (e != 0)
		return fails(e);
	rc = (int)syscall(SYS_rename, from, to);
	if (rc != 0)
		return fails(errno);
	ev = add(RENAME);
	ev->path = mem_strdup(a);
	ev->to = mem_strdup(b);
	name_move(a, b);
	pthread_mutex_unlock(&lock);
	return rc;
}

static int
do_remove(const char *path, long call)
{
	const char *sub = below(path);
	int e, rc;

	if (sub == NULL)
		return (int)syscall(call, path);
	pthread_mutex_lock(&lock);
	e = count_change(false);
	if (e != 0)
		return fails(e);
	rc = (int)syscall(call, path);
	if (rc != 0)
		return fails(errno);
	add(REMOVE)->path = mem_strdup(sub);
	name_del(sub);
	pthread_mutex_unlock(&lock);
	return rc;
}

int
unlink(const char *path)
{
	return do_remove(path, SYS_unlink);
}

int
rmdir(const char *path)
{
	return do_remove(path, SYS_rmdir);
}

int
mkdir(const char *path, mode_t mode)
{
	const char *sub = below(path);
	int e, rc;

	if (sub == NULL)
		return (int)syscall(SYS_mkdir, path, mode);
	pthread_mutex_lock(&lock);
	rc = (int)syscall(SYS_mkdir, path, mode);
	e = errno;
	if (rc == 0)
		add(FOLDER)->path = mem_strdup(sub);
	pthread_mutex_unlock(&lock);
	errno = e;
	return rc;
}

/* The walk -------------------------------------------------------------------------- */

struct piece {
	unsigned	order, block;
	bool		size;
	uint64_t	off;		/* or the size */
	size_t		len, at;
};

struct file {
	struct buf	durable;
	struct piece	*pieces;
	size_t		n, cap;
	char		*name, *kept_name;	/* now; after a power loss without names */
};

struct disk_walk {
	size_t		next;
	struct file	*files;		/* by number */
	unsigned	n_files;
	char		**folders;
	size_t		n_folders;
	unsigned	order, mark;
	bool		synced;
};

struct disk_walk *
disk_walk_new(void)
{
	struct disk_walk *w = mem_zalloc(sizeof(*w));

	w->n_files = n_files + 1;
	w->files = mem_array(w->n_files, sizeof(*w->files));
	return w;
}

void
disk_walk_free(struct disk_walk **wp)
{
	struct disk_walk *w = *wp;

	*wp = NULL;
	if (w == NULL)
		return;
	for (unsigned i = 0; i < w->n_files; i++) {
		buf_fini(&w->files[i].durable);
		mem_free(&w->files[i].pieces);
		mem_free(&w->files[i].name);
		mem_free(&w->files[i].kept_name);
	}
	for (size_t i = 0; i < w->n_folders; i++)
		mem_free(&w->folders[i]);
	mem_free(&w->folders);
	mem_free(&w->files);
	mem_free(&w);
}

static void
piece_add(struct disk_walk *w, struct file *f, struct piece p)
{
	if (f->n == f->cap) {
		f->cap = f->cap > 0 ? f->cap * 2 : 16;
		f->pieces = mem_realloc_array(f->pieces, f->cap, sizeof(*f->pieces));
	}
	p.order = w->order++;
	p.block = p.size ? 0 : (unsigned)(p.off / BLOCK);
	f->pieces[f->n++] = p;
}

static void
cut_data(struct disk_walk *w, struct file *f, const struct event *ev)
{
	size_t done = 0;

	while (done < ev->len) {
		uint64_t off = ev->off + done;
		size_t part = SECTOR - (size_t)(off % SECTOR);

		if (part > ev->len - done)
			part = ev->len - done;
		piece_add(w, f, (struct piece){ .off = off, .len = part, .at = ev->at + done });
		done += part;
	}
}

static void
resize(struct buf *b, uint64_t size)
{
	size_t more = size > b->len ? (size_t)size - b->len : 0;

	if (b->len > size)
		buf_cut(b, (size_t)size);
	if (more > 0) {
		memset(buf_reserve(b, more), 0, more);
		buf_added(b, more);
	}
}

static void
put_piece(struct buf *b, const struct piece *p)
{
	if (p->size) {
		resize(b, p->off);
		return;
	}
	if (b->len < p->off + p->len)
		resize(b, p->off + p->len);
	memcpy(b->data + p->off, bytes.data + p->at, p->len);
}

static void
set_name(char **name, const char *to)
{
	mem_free(name);
	*name = to != NULL ? mem_strdup(to) : NULL;
}

static bool
lies_in(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	return path != NULL && strncmp(path, folder, n) == 0 && path[n] == '/' &&
	    strchr(path + n + 1, '/') == NULL;
}

/* A file's sync makes its own name durable, a folder's the names in it, gone ones too. */
static void
sync_file(struct disk_walk *w, unsigned no, const char *folder)
{
	struct file *f = &w->files[no];

	for (size_t i = 0; i < f->n; i++)
		put_piece(&f->durable, &f->pieces[i]);
	f->n = 0;
	if (f->name != NULL)
		set_name(&f->kept_name, f->name);
	for (unsigned i = 0; folder != NULL && i < w->n_files; i++)
		if (lies_in(w->files[i].name, folder) || lies_in(w->files[i].kept_name, folder))
			set_name(&w->files[i].kept_name, w->files[i].name);
}

static void
rename_all(struct disk_walk *w, const char *from, const char *to)
{
	size_t n = strlen(from);

	for (unsigned i = 0; i < w->n_files; i++)
		if (w->files[i].name != NULL && strcmp(w->files[i].name, to) == 0)
			set_name(&w->files[i].name, NULL);
	for (unsigned i = 0; i < w->n_files; i++) {
		struct file *f = &w->files[i];
		struct buf b = { 0 };

		if (f->name == NULL || strncmp(f->name, from, n) != 0 ||
		    (f->name[n] != '\0' && f->name[n] != '/'))
			continue;
		buf_addf(&b, "%s%s", to, f->name + n);
		set_name(&f->name, buf_cstr(&b));
		/* A folder of another name has what was in it. */
		if (b.len > strlen(to) && f->kept_name != NULL)
			set_name(&f->kept_name, buf_cstr(&b));
		buf_fini(&b);
	}
	for (size_t i = 0; i < w->n_folders; i++)
		if (strcmp(w->folders[i], from) == 0)
			set_name(&w->folders[i], to);
}

static void
folder_add(struct disk_walk *w, const char *path)
{
	w->folders = mem_realloc_array(w->folders, w->n_folders + 1, sizeof(*w->folders));
	w->folders[w->n_folders++] = mem_strdup(path);
}

static void
take_in(struct disk_walk *w, const struct event *ev)
{
	struct file *f = &w->files[ev->what == MARK ? 0 : ev->file];

	switch (ev->what) {
	case MARK: w->mark = ev->file; break;
	case CREATE: set_name(&f->name, ev->path); break;
	case FOLDER: folder_add(w, ev->path); break;
	case DATA: cut_data(w, f, ev); break;
	case SIZE: piece_add(w, f, (struct piece){ .size = true, .off = ev->off }); break;
	case SYNC: sync_file(w, ev->file, ev->path); break;
	case RENAME: rename_all(w, ev->path, ev->to); break;
	case REMOVE:
		for (unsigned i = 0; i < w->n_files; i++)
			if (w->files[i].name != NULL && strcmp(w->files[i].name, ev->path) == 0)
				set_name(&w->files[i].name, NULL);
		break;
	}
}

bool
disk_walk_next(struct disk_walk *w, unsigned *mark)
{
	while (w->next < n_events) {
		const struct event *ev = &events[w->next++];

		take_in(w, ev);
		*mark = w->mark;
		w->synced = ev->what == SYNC;
		if (ev->what != MARK)
			return true;
	}
	return false;
}

bool
disk_walk_synced(const struct disk_walk *w)
{
	return w->synced;
}

unsigned
disk_walk_pending(const struct disk_walk *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->n_files; i++)
		for (size_t p = 0; p < w->files[i].n; p++)
			n += !w->files[i].pieces[p].size;
	return n;
}

/* Blocks are counted as they come, a file after the other. */
unsigned
disk_walk_blocks(const struct disk_walk *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->n_files; i++) {
		unsigned last = UINT_MAX;

		for (size_t p = 0; p < w->files[i].n; p++) {
			if (w->files[i].pieces[p].size)
				continue;
			n += w->files[i].pieces[p].block != last;
			last = w->files[i].pieces[p].block;
		}
	}
	return n;
}

static void
write_file(const char *to, const char *name, const struct buf *b)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", to, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, b->data, b->len) != (ssize_t)b->len)
		abort();
	close(fd);
}

static void
picture(const struct disk_walk *w, disk_keep_fn keep, void *arg, bool new_names, const char *to)
{
	unsigned n = disk_walk_pending(w), i = 0, blocks = 0;

	if (mkdir(to, 0700) != 0)
		abort();
	for (size_t k = 0; k < w->n_folders; k++) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s/%s", to, w->folders[k]);
		(void)mkdir(path, 0700);
	}
	for (unsigned k = 0; k < w->n_files; k++) {
		const struct file *f = &w->files[k];
		const char *name = new_names ? f->name : f->kept_name;
		unsigned last = UINT_MAX;
		struct buf b = { 0 };

		buf_add_span(&b, buf_span(&f->durable));
		for (size_t p = 0; p < f->n; p++) {
			const struct piece *pc = &f->pieces[p];

			if (!pc->size && pc->block != last)
				blocks++;
			last = pc->size ? last : pc->block;
			if (pc->size || keep == NULL || keep(i, n, blocks - 1, arg))
				put_piece(&b, pc);
			i += !pc->size;
		}
		if (name != NULL)
			write_file(to, name, &b);
		buf_fini(&b);
	}
}

void
disk_walk_after_kill(const struct disk_walk *w, const char *to)
{
	picture(w, NULL, NULL, true, to);
}

void
disk_walk_after_power_loss(const struct disk_walk *w, disk_keep_fn keep, void *arg,
    bool new_names, const char *to)
{
	picture(w, keep, arg, new_names, to);
}
