#include "storage/service/copy_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"

#define PIECE (256u << 10)

static enum status
failed(const char *event, const char *dir, const char *name)
{
	int e = errno;

	LOG(NULL, ERROR, event, KV_STR("dir", dir), KV_STR("file", name), KV_ERRNO(e));
	return e == ENOSPC || e == EDQUOT ? ST_NO_SPACE : ST_UNAVAILABLE;
}

static int
open_in(const char *dir, const char *name, int flags)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* ---- one file ---- */

/* What is not on the disk yet goes there a piece at a time: synced at once it would keep the
 * journal's syncs waiting for all of it. */
static void
write_out(int fd, uint64_t from, size_t n)
{
	(void)sync_file_range(fd, (off_t)from, (off_t)n, SYNC_FILE_RANGE_WAIT_BEFORE |
	    SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
}

/* Through f, into out when it is not -1; what was read is not kept in memory. */
static enum status
run_through(int in, int out, struct copy_file *f, copy_step_fn step, void *arg)
{
	struct digest *d = digest_new(DIGEST_SHA256);
	char *mem = mem_alloc(PIECE);
	enum status st = ST_OK;
	ssize_t n = 0;
	int e;

	f->bytes = 0;
	while (st == ST_OK && (n = read(in, mem, PIECE)) > 0) {
		digest_add(d, mem, (size_t)n);
		if (out >= 0 && !fd_write_full(out, mem, (size_t)n))
			n = -1;
		if (n < 0)
			break;
		write_out(out >= 0 ? out : in, f->bytes, (size_t)n);
		f->bytes += (uint64_t)n;
		if (!step(arg))
			st = ST_CANCELLED;
	}
	e = errno;
	digest_done(d, f->sha256);
	digest_free(&d);
	mem_free(&mem);
	(void)posix_fadvise(in, 0, 0, POSIX_FADV_DONTNEED);
	errno = e;
	return st == ST_OK && n < 0 ? ST_UNAVAILABLE : st;
}

static enum status
hash_file(const char *dir, struct copy_file *f, copy_step_fn step, void *arg)
{
	int fd = open_in(dir, f->name, O_RDWR);
	enum status st = ST_UNAVAILABLE;

	if (fd >= 0)
		st = run_through(fd, -1, f, step, arg);
	if (st == ST_OK && fsync(fd) != 0)
		st = ST_UNAVAILABLE;
	if (st == ST_UNAVAILABLE)
		st = failed("copy.read", dir, f->name);
	fd_close(&fd);
	return st;
}

static enum status
copy_file(const char *from, const char *to, const struct copy_file *want, copy_step_fn step,
    void *arg)
{
	int in = open_in(from, want->name, O_RDONLY);
	int out = to != NULL ? open_in(to, want->name, O_WRONLY | O_CREAT | O_EXCL) : -1;
	struct copy_file is = *want;
	enum status st = ST_UNAVAILABLE;

	if (in >= 0 && (to == NULL || out >= 0))
		st = run_through(in, out, &is, step, arg);
	if (st == ST_OK && out >= 0 && fsync(out) != 0)
		st = ST_UNAVAILABLE;
	if (st == ST_UNAVAILABLE) {
		st = in < 0 && errno == ENOENT ? ST_CORRUPT :
		    failed("copy.file", to != NULL ? to : from, want->name);
	}
	if (st == ST_OK && (is.bytes != want->bytes ||
	    memcmp(is.sha256, want->sha256, SHA256_LEN) != 0))
		st = ST_CORRUPT;
	if (st == ST_CORRUPT)
		LOG(NULL, ERROR, "copy.damaged", KV_STR("dir", from), KV_STR("file", want->name));
	fd_close(&in);
	fd_close(&out);
	return st;
}

/* ---- folders ---- */

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct copy_file *)a)->name, ((const struct copy_file *)b)->name);
}

static enum status
list_files(const char *dir, struct copy_manifest *m)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	enum status st = ST_OK;

	if (d == NULL)
		return failed("copy.read", dir, "");
	while (st == ST_OK && (e = readdir(d)) != NULL) {
		struct copy_file f = { .name = "" };

		if (e->d_name[0] == '.' || strcmp(e->d_name, COPY_MANIFEST_NAME) == 0)
			continue;
		if (!copy_file_name_good(span_str(e->d_name))) {
			errno = EINVAL;
			st = failed("copy.read", dir, e->d_name);
			break;
		}
		memcpy(f.name, e->d_name, strlen(e->d_name) + 1);
		copy_manifest_file(m, &f);
	}
	closedir(d);
	if (m->n_files > 0)
		qsort(m->files, m->n_files, sizeof(*m->files), by_name);
	return st;
}

enum status
copy_files_hash(const char *dir, struct copy_manifest *m, copy_step_fn step, void *arg)
{
	enum status st = list_files(dir, m);

	for (size_t i = 0; i < m->n_files && st == ST_OK; i++)
		st = hash_file(dir, &m->files[i], step, arg);
	return st;
}

enum status
copy_files_seal(const char *dir, const struct copy_manifest *m)
{
	int fd = open_in(dir, COPY_MANIFEST_NAME, O_WRONLY | O_CREAT | O_TRUNC);
	struct buf b = { 0 };
	enum status st = ST_OK;

	copy_manifest_put(&b, m);
	if (fd < 0 || !fd_write_full(fd, b.data, b.len) || fsync(fd) != 0 ||
	    !fd_sync_folder(dir))
		st = failed("copy.write", dir, COPY_MANIFEST_NAME);
	fd_close(&fd);
	buf_fini(&b);
	return st;
}

enum status
copy_files_manifest(const char *dir, struct copy_manifest *m)
{
	int fd = open_in(dir, COPY_MANIFEST_NAME, O_RDONLY);
	char *text = NULL;
	size_t len = 0;
	enum status st;

	if (fd < 0)
		return errno == ENOENT ? ST_NOT_FOUND :
		    failed("copy.read", dir, COPY_MANIFEST_NAME);
	st = fd_slurp(fd, COPY_MANIFEST_MAX, &text, &len) ?
	    copy_manifest_get(span(text, len), m) : failed("copy.read", dir, COPY_MANIFEST_NAME);
	fd_close(&fd);
	mem_free(&text);
	return st;
}

enum status
copy_files_copy(const char *from, const char *to, const struct copy_manifest *m,
    copy_step_fn step, void *arg)
{
	enum status st = ST_OK;

	if (to != NULL && mkdir(to, 0700) != 0)
		return failed("copy.folder", to, "");
	for (size_t i = 0; i < m->n_files && st == ST_OK; i++)
		st = copy_file(from, to, &m->files[i], step, arg);
	if (st == ST_OK && to != NULL && !fd_sync_folder(to))
		st = failed("copy.folder", to, "");
	return st;
}

void
copy_files_remove(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			(void)unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	(void)rmdir(dir);
}

uint64_t
copy_files_bytes(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	struct stat st;
	uint64_t n = 0;

	if (d == NULL)
		return 0;
	while ((e = readdir(d)) != NULL)
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode))
			n += (uint64_t)st.st_size;
	closedir(d);
	return n;
}

bool
copy_files_any(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	bool any = false;

	if (d == NULL)
		return false;
	while (!any && (e = readdir(d)) != NULL)
		any = e->d_name[0] != '.';
	closedir(d);
	return any;
}

bool
copy_files_sync(const char *dir)
{
	return fd_sync_folder(dir);
}

enum status
copy_files_rename(const char *dir, const char *from, const char *to)
{
	if (rename(from, to) != 0 || !fd_sync_folder(dir))
		return failed("copy.rename", dir, to);
	return ST_OK;
}
