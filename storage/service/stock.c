/* What lies in the shard, for `mansioctl stats`: counted row by row in a thread of low priority when
 * somebody asks; told is what was counted last. */
#include "storage/service/service_priv.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/util/clock.h"
#include "common/util/mem.h"
#include "storage/service/background.h"

#define FRESH_MS	10000

struct stock {
	struct service		*svc;
	struct background	*thread;
	bool			running, known;
	int64_t			counted_ms;
	struct state_stock	now, next;
	enum status		st;
};

static bool
stopping(void *arg)
{
	const struct stock *k = arg;

	return background_stopping(k->thread);
}

static void
run(void *arg)
{
	struct stock *k = arg;

	k->st = state_stock(k->svc->state, stopping, k, &k->next);
}

static void
done(void *arg, bool ran)
{
	struct stock *k = arg;

	k->running = false;
	if (!ran || k->st != ST_OK)
		return;
	k->now = k->next;
	k->known = true;
	k->counted_ms = clock_wall_ms();
}

static bool
ends_with(const char *s, const char *tail)
{
	size_t n = strlen(s), m = strlen(tail);

	return n >= m && strcmp(s + n - m, tail) == 0;
}

/* Bytes that the files of a folder take on the disk: all of them, or those whose names begin so
 * and end so. */
static uint64_t
folder_bytes(const char *dir, const char *name, const char *begin, const char *end, int depth)
{
	struct buf path = { 0 };
	uint64_t sum = 0;
	struct dirent *e;
	struct stat st;
	size_t len;
	DIR *d;

	buf_addf(&path, "%s/%s", dir, name);
	len = path.len;
	d = opendir(buf_cstr(&path));
	while (d != NULL && (e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		buf_cut(&path, len);
		buf_addf(&path, "/%s", e->d_name);
		if (lstat(buf_cstr(&path), &st) != 0)
			continue;
		if (S_ISDIR(st.st_mode) && depth > 0)
			sum += folder_bytes(buf_cstr(&path), ".", begin, end, depth - 1);
		else if (S_ISREG(st.st_mode) && strncmp(e->d_name, begin, strlen(begin)) == 0 &&
		    ends_with(e->d_name, end))
			sum += (uint64_t)st.st_blocks * 512;
	}
	if (d != NULL)
		closedir(d);
	buf_fini(&path);
	return sum;
}

static void
put(struct buf *out, const char *name, uint64_t v)
{
	buf_addf(out, "%s=%llu\n", name, (unsigned long long)v);
}

static void
put_journal(struct service *svc, struct buf *out)
{
	struct journal_segment *list = NULL;
	uint64_t allocated = 0, used = 0;
	size_t n = 0;

	journal_segments(svc->journal, &list, &n);
	for (size_t i = 0; i < n; i++) {
		allocated += list[i].bytes;
		used += list[i].used;
	}
	mem_free(&list);
	put(out, "journal_allocated_bytes", allocated);
	put(out, "journal_used_bytes", used);
}

void
stock_stats(struct service *svc, struct buf *out)
{
	struct stock *k = svc->stock;
	const struct state_stock *s = &k->now;
	uint64_t records = 0;
	char name[64];

	put_journal(svc, out);
	put(out, "db_log_files_bytes", folder_bytes(svc->dir, "db", "log.", "", 0));
	put(out, "db_table_files_bytes", folder_bytes(svc->dir, "db", "", ".db", 0) +
	    folder_bytes(svc->dir, "db", "", ".mdb", 0));
	put(out, "text_bytes", folder_bytes(svc->dir, "text", "", "", 1));
	put(out, "stock_counted_ms", (uint64_t)k->counted_ms);
	for (size_t i = 0; k->known && i < s->n_tables; i++) {
		if (s->table[i].rows == 0)
			continue;
		snprintf(name, sizeof(name), "rows_%s", state_tables[i]);
		put(out, name, s->table[i].rows);
		snprintf(name, sizeof(name), "bytes_%s", state_tables[i]);
		put(out, name, s->table[i].bytes);
		records += s->table[i].bytes;
	}
	if (k->known) {
		put(out, "records_bytes", records);
		put(out, "mail_messages", s->messages);
		put(out, "mail_bytes", s->mail_bytes);
		put(out, "body_bytes", s->body_bytes);
		put(out, "retained_messages", s->retained_messages);
		put(out, "retained_mail_bytes", s->retained_mail_bytes);
		put(out, "retained_body_bytes", s->retained_body_bytes);
	}
	if (!k->running && clock_wall_ms() - k->counted_ms >= FRESH_MS) {
		k->running = true;
		background_submit(k->thread, run, done, k);
	}
}

void
stock_start(struct service *svc)
{
	struct stock *k = mem_zalloc(sizeof(*k));

	k->svc = svc;
	k->thread = background_new(svc->loop, false);
	svc->stock = k;
}

void
stock_stop(struct service *svc)
{
	if (svc->stock == NULL)
		return;
	background_free(&svc->stock->thread);
	mem_free(&svc->stock);
}
