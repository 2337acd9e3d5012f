/* Which backups a folder holds, and those that go. */
#include "ctl/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/util/fd.h"
#include "common/util/mem.h"
#include "common/util/table.h"
#include "ctl/output.h"

static uint64_t
bytes_of(const struct json *list)
{
	uint64_t sum = 0, n;

	for (size_t i = 0; i < json_count(list); i++)
		if (json_get_uint(json_item(list, i), "bytes", &n))
			sum += n;
	return sum;
}

static void
put_backup(struct json_writer *w, const struct backup *b)
{
	const struct json *root = json_root(b->doc), *shards = json_member(root, "shards");
	uint64_t bytes = 0;
	int64_t made = 0;

	for (size_t i = 0; i < json_count(shards); i++)
		bytes += bytes_of(json_member(json_item(shards, i), "files")) +
		    bytes_of(json_member(json_item(shards, i), "segments"));
	(void)json_get_int(root, "made", &made);
	json_begin_object(w);
	json_kv_uint(w, "backup", b->number);
	json_kv_int(w, "made", made);
	json_kv_uint(w, "shards", json_count(shards));
	json_kv_uint(w, "bytes", bytes);
	json_end_object(w);
}

static int
print_list(struct ctl *ctl, struct span text)
{
	static const struct ctl_column columns[] = {
		{ "backup", "BACKUP", CTL_CELL_NUMBER }, { "made", "MADE", CTL_CELL_TIME },
		{ "shards", "SHARDS", CTL_CELL_NUMBER }, { "bytes", "SIZE", CTL_CELL_SIZE },
		{ NULL, NULL, CTL_CELL_TEXT }
	};
	struct json_doc *doc = NULL;
	struct buf out = { 0 };
	int rc;

	if (ctl->json)
		return ctl_print_json(text);
	if (json_parse(text, text.len, &doc) == ST_OK)
		ctl_table(&out, columns, json_member(json_root(doc), "backups"));
	if (out.len == 0)
		buf_add_str(&out, "there is no backup in that folder\n");
	rc = ctl_print(&out);
	json_free(&doc);
	buf_fini(&out);
	return rc;
}

int
backup_list(struct ctl *ctl, const char *path)
{
	int dir = backup_open_dir(path, false, false), rc = CTL_OK;
	struct buf text = { 0 };
	struct json_writer w;
	unsigned *list = NULL;
	size_t n = 0;

	if (dir < 0 || !backup_numbers(dir, &list, &n)) {
		fd_close(&dir);
		return CTL_FAILED;
	}
	json_writer_init(&w, &text);
	json_begin_object(&w);
	json_key(&w, "backups");
	json_begin_array(&w);
	for (size_t i = 0; i < n; i++) {
		struct backup b = { 0 };

		if (backup_load(dir, list[i], false, &b) == CTL_OK)
			put_backup(&w, &b);
		else
			rc = CTL_FAILED;
		backup_fini(&b);
	}
	json_end_array(&w);
	json_end_object(&w);
	if (print_list(ctl, buf_span(&text)) != CTL_OK)
		rc = CTL_FAILED;
	buf_fini(&text);
	mem_free(&list);
	fd_close(&dir);
	return rc;
}

/* Going ------------------------------------------------------------------------------ */

/* "shard-0/copy-1-abc" and "shard-0/0000000001-abc.seg" of a backup that stays. */
static void
note(struct table *kept, struct span shard, struct span name)
{
	struct buf b = { 0 };

	buf_addf(&b, "shard-%.*s/%.*s", (int)shard.len, shard.p, (int)name.len, name.p);
	table_put(kept, buf_span(&b), kept);
	buf_fini(&b);
}

static void
note_all(struct table *kept, const struct backup *b)
{
	const struct json *shards = json_member(json_root(b->doc), "shards");
	struct span shard, name;

	for (size_t i = 0; i < json_count(shards); i++) {
		const struct json *s = json_item(shards, i), *list = json_member(s, "segments");

		if (!json_get_string(s, "shard", &shard))
			continue;
		if (json_get_string(s, "copy", &name))
			note(kept, shard, name);
		for (size_t k = 0; k < json_count(list); k++)
			if (json_get_string(json_item(list, k), "file", &name))
				note(kept, shard, name);
	}
}

static void
sweep_shard(int dir, const char *path, const char *shard, const struct table *kept)
{
	int fd = openat(dir, shard, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	if (d == NULL)
		fd_close(&fd);
	while (d != NULL && (e = readdir(d)) != NULL) {
		struct buf name = { 0 }, full = { 0 };

		buf_addf(&name, "%s/%s", shard, e->d_name);
		buf_addf(&full, "%s/%s", path, buf_cstr(&name));
		if (e->d_name[0] != '.' && table_get(kept, buf_span(&name)) == NULL)
			backup_remove_tree(buf_cstr(&full));
		buf_fini(&name);
		buf_fini(&full);
	}
	if (d != NULL)
		closedir(d);
}

static void
sweep(int dir, const char *path, const struct table *kept)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	if (d == NULL)
		fd_close(&fd);
	while (d != NULL && (e = readdir(d)) != NULL)
		if (strncmp(e->d_name, "shard-", 6) == 0)
			sweep_shard(dir, path, e->d_name, kept);
	if (d != NULL)
		closedir(d);
}

static bool
remove_manifest(int dir, unsigned number)
{
	char name[48];

	snprintf(name, sizeof(name), "backup-%06u.json", number);
	if (unlinkat(dir, name, 0) != 0)
		return ctl_error("%s: %s", name, strerror(errno)) == CTL_OK;
	snprintf(name, sizeof(name), "backup-%06u.json.sha256", number);
	(void)unlinkat(dir, name, 0);
	return true;
}

int
backup_prune(struct ctl *ctl, const char *path, unsigned keep)
{
	int dir = backup_open_dir(path, false, true);
	struct table kept = { 0 };
	unsigned *list = NULL;
	size_t n = 0, gone;
	bool ok = dir >= 0 && backup_numbers(dir, &list, &n);

	gone = n > keep ? n - keep : 0;
	/* what cannot be read might need anything: nothing goes then */
	for (size_t i = gone; ok && i < n; i++) {
		struct backup b = { 0 };

		ok = backup_load(dir, list[i], false, &b) == CTL_OK;
		if (ok)
			note_all(&kept, &b);
		backup_fini(&b);
	}
	for (size_t i = 0; ok && i < gone; i++)
		ok = remove_manifest(dir, list[i]);
	if (ok && fsync(dir) == 0)
		sweep(dir, path, &kept);
	if (ok && ctl->json)
		printf("{\"removed\":%zu,\"kept\":%zu}\n", gone, n - gone);
	else if (ok)
		printf("%zu backups are gone, %zu are kept\n", gone, n - gone);
	table_fini(&kept, NULL, NULL);
	mem_free(&list);
	fd_close(&dir);
	return ok ? CTL_OK : CTL_FAILED;
}
