/* The manifests of a backup folder: backup-000001.json and its SHA-256 as sha256sum writes it. */
#include "ctl/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/crypto/digest.h"
#include "common/crypto/encode.h"
#include "common/util/fd.h"
#include "common/util/mem.h"

#define MANIFEST_MAX (256u << 20)

void
backup_fini(struct backup *b)
{
	json_free(&b->doc);
	buf_fini(&b->text);
	b->number = 0;
}

int
backup_open_dir(const char *path, bool make, bool write)
{
	int fd;

	if (make && mkdir(path, 0700) != 0 && errno != EEXIST) {
		ctl_error("%s: %s", path, strerror(errno));
		return -1;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		ctl_error("%s: %s", path, strerror(errno));
	} else if (flock(fd, (write ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0) {
		ctl_error("%s: somebody else is at work in it", path);
		fd_close(&fd);
	}
	return fd;
}

static int
by_number(const void *a, const void *b)
{
	const unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

	return (x > y) - (x < y);
}

bool
backup_numbers(int dir, unsigned **list, size_t *n)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;
	size_t room = 0;

	*list = NULL;
	*n = 0;
	if (d == NULL) {
		ctl_error("the backup cannot be read: %s", strerror(errno));
		fd_close(&fd);
		return false;
	}
	while ((e = readdir(d)) != NULL) {
		unsigned no;
		char tail[8];

		if (sscanf(e->d_name, "backup-%6u.%7s", &no, tail) != 2 || no == 0 ||
		    strcmp(tail, "json") != 0)
			continue;
		if (*n == room) {
			room = room > 0 ? 2 * room : 16;
			*list = mem_realloc(*list, room * sizeof(**list));
		}
		(*list)[(*n)++] = no;
	}
	closedir(d);
	if (*n > 0)
		qsort(*list, *n, sizeof(**list), by_number);
	return true;
}

static void
names(unsigned number, char name[32], char sum[48])
{
	snprintf(name, 32, "backup-%06u.json", number);
	snprintf(sum, 48, "backup-%06u.json.sha256", number);
}

static void
sum_line(const struct buf *text, const char *name, struct buf *out)
{
	unsigned char sum[SHA256_LEN];

	sha256(buf_span(text), sum);
	hex_encode(span(sum, sizeof(sum)), out);
	buf_addf(out, "  %s\n", name);
}

static bool
slurp(int dir, const char *name, struct buf *out)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char *text;
	size_t len;
	bool ok = fd >= 0 && fd_slurp(fd, MANIFEST_MAX, &text, &len);

	if (ok) {
		buf_add(out, text, len);
		mem_free(&text);
	} else {
		ctl_error("%s: %s", name, strerror(errno));
	}
	fd_close(&fd);
	return ok;
}

static bool
judge(struct backup *b)
{
	struct span format;
	uint64_t version;

	return json_parse(buf_span(&b->text), MANIFEST_MAX, &b->doc) == ST_OK &&
	    json_get_string(json_root(b->doc), "format", &format) &&
	    span_eq_str(format, BACKUP_FORMAT) &&
	    json_get_uint(json_root(b->doc), "version", &version) && version == 1 &&
	    json_is_array(json_member(json_root(b->doc), "shards"));
}

static int
load(int dir, unsigned number, struct backup *b)
{
	char name[32], sum_name[48];
	struct buf sum = { 0 }, want = { 0 };
	int rc = CTL_FAILED;

	names(number, name, sum_name);
	b->number = number;
	if (slurp(dir, name, &b->text) && slurp(dir, sum_name, &sum)) {
		sum_line(&b->text, name, &want);
		if (!span_eq(buf_span(&sum), buf_span(&want)))
			ctl_error("%s is damaged: it is not what %s says", name, sum_name);
		else if (!judge(b))
			ctl_error("%s is no manifest of a version known here", name);
		else
			rc = CTL_OK;
	}
	buf_fini(&sum);
	buf_fini(&want);
	if (rc != CTL_OK)
		backup_fini(b);
	return rc;
}

int
backup_load(int dir, unsigned number, bool none_is_fine, struct backup *b)
{
	unsigned *list;
	size_t n;

	if (number != 0)
		return load(dir, number, b);
	if (!backup_numbers(dir, &list, &n))
		return CTL_FAILED;
	number = n > 0 ? list[n - 1] : 0;
	mem_free(&list);
	if (number != 0)
		return load(dir, number, b);
	return none_is_fine ? CTL_OK : ctl_error("there is no backup in that folder");
}

static bool
write_synced(int dir, const char *name, const struct buf *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	bool ok = fd >= 0 && fd_write_full(fd, text->data, text->len) && fsync(fd) == 0;

	if (!ok)
		ctl_error("%s: %s", name, strerror(errno));
	fd_close(&fd);
	return ok;
}

int
backup_store(int dir, unsigned number, const struct buf *text)
{
	char name[32], sum_name[48];
	struct buf sum = { 0 };
	bool ok;

	names(number, name, sum_name);
	sum_line(text, name, &sum);
	ok = write_synced(dir, sum_name, &sum) && write_synced(dir, "manifest.tmp", text) &&
	    syncfs(dir) == 0 && renameat(dir, "manifest.tmp", dir, name) == 0 && fsync(dir) == 0;
	buf_fini(&sum);
	return ok ? CTL_OK : ctl_error("%s: %s", name, strerror(errno));
}
