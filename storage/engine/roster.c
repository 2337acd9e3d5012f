#include "storage/engine/roster.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/util/buf.h"
#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"

#define HEAD		"mansio tables 1\n"
#define END		"end\n"
#define FILE_MAX	(64u << 10)

static const char *
path_in(struct buf *b, const char *dir, const char *name, const char *suffix)
{
	buf_clear(b);
	buf_addf(b, "%s/%s%s", dir, name, suffix);
	return buf_cstr(b);
}

/* The names, each behind the LF of the line before and with its own; ST_NOT_FOUND: no list. */
static enum status
list_read(const char *dir, struct buf *list)
{
	struct buf path = { 0 };
	char *text = NULL;
	size_t len = 0;
	struct stat st;
	enum status rc = ST_CORRUPT;

	if (stat(path_in(&path, dir, "tables", ""), &st) != 0)
		rc = errno == ENOENT ? ST_NOT_FOUND : ST_UNAVAILABLE;
	else if (!fd_slurp_path(path.data, FILE_MAX, &text, &len))
		rc = ST_UNAVAILABLE;
	else if (len >= strlen(HEAD END) && memcmp(text, HEAD, strlen(HEAD)) == 0 &&
	    memcmp(text + len - strlen(END), END, strlen(END)) == 0)
		rc = ST_OK;
	if (rc == ST_OK)
		buf_add(list, text + strlen(HEAD) - 1, len - strlen(HEAD END) + 1);
	if (rc != ST_OK && rc != ST_NOT_FOUND)
		LOG(NULL, ERROR, "engine.tables", KV_STR("file", path.data), KV_STATUS(rc));
	mem_free(&text);
	buf_fini(&path);
	return rc;
}

enum status
roster_check(const char *dir, const char *suffix)
{
	struct buf list = { 0 }, path = { 0 };
	enum status rc = list_read(dir, &list);
	char *name, *save = NULL;
	struct stat st;

	if (rc == ST_OK)
		buf_cstr(&list);
	name = rc == ST_OK ? strtok_r(list.data, "\n", &save) : NULL;
	for (; name != NULL; name = strtok_r(NULL, "\n", &save)) {
		if (stat(path_in(&path, dir, name, suffix), &st) == 0)
			continue;
		LOG(NULL, ERROR, "engine.table_lost", KV_STR("file", path.data), KV_ERRNO(errno));
		rc = ST_CORRUPT;
	}
	buf_fini(&list);
	buf_fini(&path);
	return rc == ST_NOT_FOUND ? ST_OK : rc;
}

static bool
has(struct buf *list, const char *name)
{
	char line[80];

	snprintf(line, sizeof(line), "\n%s\n", name);
	return strstr(buf_cstr(list), line) != NULL;
}

static bool
write_all(const char *dir, const struct buf *list)
{
	struct buf path = { 0 }, temp = { 0 }, text = { 0 };
	int fd;
	bool ok;

	buf_add_str(&text, HEAD);
	buf_add(&text, list->data + 1, list->len - 1);
	buf_add_str(&text, END);
	fd = open(path_in(&temp, dir, "tables", ".new"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
	    0600);
	ok = fd >= 0 && fd_write_full(fd, text.data, text.len) && fsync(fd) == 0;
	fd_close(&fd);
	ok = ok && rename(temp.data, path_in(&path, dir, "tables", "")) == 0;
	ok = ok && fd_sync_folder(dir);
	buf_fini(&path);
	buf_fini(&temp);
	buf_fini(&text);
	return ok;
}

/* Adds what is missing; how many. */
static size_t
fill_up(struct buf *list, const char *const *tables, size_t n)
{
	size_t more = 0;

	if (list->len == 0)
		buf_add_c(list, '\n');
	for (size_t i = 0; i < n; i++) {
		if (has(list, tables[i]))
			continue;
		buf_addf(list, "%s\n", tables[i]);
		more++;
	}
	return more;
}

enum status
roster_has(const char *dir, const char *const *tables, size_t n, bool *yes)
{
	struct buf list = { 0 };
	enum status rc = list_read(dir, &list);

	if (rc == ST_OK || rc == ST_NOT_FOUND)
		*yes = fill_up(&list, tables, n) == 0;
	buf_fini(&list);
	return rc == ST_NOT_FOUND ? ST_OK : rc;
}

enum status
roster_write(const char *dir, const char *const *tables, size_t n)
{
	struct buf list = { 0 };
	enum status rc = list_read(dir, &list);

	if (rc == ST_OK || rc == ST_NOT_FOUND)
		rc = fill_up(&list, tables, n) == 0 || write_all(dir, &list) ? ST_OK :
		    errno == ENOSPC ? ST_NO_SPACE : ST_UNAVAILABLE;
	if (rc != ST_OK)
		LOG(NULL, ERROR, "engine.tables", KV_STR("dir", dir), KV_STATUS(rc));
	buf_fini(&list);
	return rc;
}
