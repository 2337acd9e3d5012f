#include "storage/service/offline.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/util/fd.h"
#include "common/util/mem.h"
#include "storage/journal/journal_format.h"
#include "storage/service/service.h"

struct offline {
	struct offline_opts	 opts;
	char			*db, *journal_dir, *scratch;
	struct engine		*engine;
	struct state		*state;
	struct journal		*journal;
	bool			 rebuilt;
	char			*why;		/* the caller's, 200 bytes, while it opens */
};

static enum status
say(struct offline *o, enum status st, const char *what, const char *about)
{
	if (o->why[0] == '\0')
		snprintf(o->why, 200, "%s: %s", about, what);
	return st;
}

/* ---- files ---- */

static bool
has_files(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	bool some = false;

	while (d != NULL && !some && (e = readdir(d)) != NULL)
		some = e->d_name[0] != '.';
	if (d != NULL)
		closedir(d);
	return some;
}

/* The files in a folder that holds nothing else. */
static bool
empty_folder(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	bool ok = d != NULL;

	while (ok && (e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			ok = unlinkat(dirfd(d), e->d_name, 0) == 0;
	if (d != NULL)
		closedir(d);
	return ok;
}

static bool
copy_bytes(int from, int to)
{
	static char chunk[256u << 10];
	ssize_t n;

	while ((n = read(from, chunk, sizeof(chunk))) > 0)
		if (!fd_write_full(to, chunk, (size_t)n))
			return false;
	return n == 0;
}

static bool
copy_file(int dir, const char *name, const char *to_dir)
{
	char *to = fd_path(to_dir, name);
	int from_fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	int to_fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool ok = from_fd >= 0 && to_fd >= 0 && copy_bytes(from_fd, to_fd);

	fd_close(&from_fd);
	fd_close(&to_fd);
	mem_free(&to);
	return ok;
}

static bool
copy_folder(const char *from, const char *to)
{
	DIR *d = opendir(from);
	struct dirent *e;
	bool ok = d != NULL;

	while (ok && (e = readdir(d)) != NULL) {
		struct stat sb;

		if (fstatat(dirfd(d), e->d_name, &sb, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(sb.st_mode))
			ok = copy_file(dirfd(d), e->d_name, to);
	}
	if (d != NULL)
		closedir(d);
	return ok;
}

/* ---- opening ---- */

/* Whoever writes the journal holds this. */
static bool
is_served(const struct offline *o)
{
	struct flock lk = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char *path = fd_path(o->journal_dir, "lock");
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool held = fd >= 0 && fcntl(fd, F_OFD_GETLK, &lk) == 0 && lk.l_type != F_UNLCK;

	fd_close(&fd);
	mem_free(&path);
	return held;
}

/* The shard's number, out of any segment's header. */
static bool
shard_of_journal(const struct offline *o, uint32_t *shard)
{
	DIR *d = opendir(o->journal_dir);
	struct dirent *e;
	bool found = false;

	while (d != NULL && !found && (e = readdir(d)) != NULL) {
		size_t n = strlen(e->d_name);
		char block[JOURNAL_BLOCK];
		struct jf_segment h;
		int fd;

		if (n < 4 || strcmp(e->d_name + n - 4, ".seg") != 0)
			continue;
		fd = openat(dirfd(d), e->d_name, O_RDONLY | O_CLOEXEC);
		found = fd >= 0 && fd_read_full(fd, block, sizeof(block)) && jf_segment_get(block, &h);
		if (found)
			*shard = h.shard;
		fd_close(&fd);
	}
	if (d != NULL)
		closedir(d);
	return found;
}

static void
close_all(struct offline *o)
{
	offline_release(o);
	if (o->journal != NULL)
		journal_close(&o->journal);
}

static enum status
open_state(struct offline *o, bool copy)
{
	struct engine_opts opts = { .tables = state_tables, .n_tables = state_n_tables,
		.page_bytes = state_page_bytes, .cache_bytes = o->opts.cache_bytes, .copy = copy,
		.manual = true };
	const char *dir = o->scratch != NULL ? o->scratch : o->db;
	uint32_t shard = 0;
	uint16_t is;
	enum status st;

	/* An empty one, to be filled from the journal, is of the engine that is always there. */
	(void)engine_made_by(dir, &opts.kind);
	st = engine_open(dir, &opts, &o->engine);
	if (st != ST_OK)
		return say(o, st, "the database cannot be opened", o->db);
	st = state_shard(o->engine, &is);
	if (st == ST_OK)
		shard = is;
	else if (st == ST_NOT_FOUND && !shard_of_journal(o, &shard))
		return say(o, st, "no shard is in it", o->opts.dir);
	if (st == ST_OK || st == ST_NOT_FOUND)
		st = state_open(o->engine, (uint16_t)shard, &o->state);
	return st != ST_OK ? say(o, st, "the database cannot be read", o->db) : ST_OK;
}

static enum status
open_journal(struct offline *o)
{
	struct journal_opts opts = { .read_only = o->scratch != NULL, .inline_io = true };
	struct journal_damage damage = { 0 };
	struct journal_pos at;
	char what[160];
	enum status st;

	if (!shard_of_journal(o, &opts.shard))
		return ST_OK;
	state_position(o->state, &at);
	st = journal_open(o->journal_dir, NULL, &opts, &at, &o->journal, &damage);
	if (st != ST_OK)
		return say(o, st, damage.what, o->journal_dir);
	st = service_replay(o->journal, o->state, what);
	return st != ST_OK ? say(o, st, what[0] != '\0' ? what : "it cannot be replayed",
	    o->journal_dir) : ST_OK;
}

static enum status
open_all(struct offline *o, bool copy)
{
	enum status st = open_state(o, copy);

	return st == ST_OK ? open_journal(o) : st;
}

/* An empty state and the whole journal, if that is there from its first record. */
static enum status
rebuild(struct offline *o)
{
	enum status st;

	close_all(o);
	if (!empty_folder(o->scratch))
		return say(o, ST_UNAVAILABLE, strerror(errno), o->scratch);
	st = open_all(o, false);
	if (st == ST_OK && (o->journal == NULL || journal_first_lsn(o->journal) > 1))
		st = say(o, ST_CORRUPT, "the journal does not go back to its beginning",
		    o->journal_dir);
	o->rebuilt = st == ST_OK;
	return st;
}

static enum status
open_scratch(struct offline *o)
{
	enum status st;

	if (is_served(o))
		return say(o, ST_CONFLICT, "a running server has it: ask it with mansioctl fsck",
		    o->opts.dir);
	if ((mkdir(o->scratch, 0700) != 0 && errno != EEXIST) || !empty_folder(o->scratch))
		return say(o, ST_UNAVAILABLE, strerror(errno), o->scratch);
	if (has_files(o->db) && !copy_folder(o->db, o->scratch))
		return say(o, ST_UNAVAILABLE, strerror(errno), o->db);
	st = open_all(o, o->opts.copy);
	if (st != ST_CORRUPT)
		return st;
	o->why[0] = '\0';
	return rebuild(o);
}

enum status
offline_open(const struct offline_opts *opts, struct offline **out, char why[200])
{
	struct offline *o = mem_zalloc(sizeof(*o));
	enum status st;

	*out = NULL;
	why[0] = '\0';
	o->opts = *opts;
	o->why = why;
	o->db = fd_path(opts->dir, "db");
	o->journal_dir = fd_path(opts->dir, "journal");
	if (opts->scratch != NULL)
		o->scratch = mem_strdup(opts->scratch);
	if (!has_files(o->db) && !has_files(o->journal_dir))
		st = say(o, ST_NOT_FOUND, "no shard is in it", opts->dir);
	else if (o->scratch != NULL)
		st = open_scratch(o);
	else
		st = open_all(o, opts->copy);
	if (st != ST_OK)
		offline_close(&o);
	*out = o;
	return st;
}

void
offline_close(struct offline **op)
{
	struct offline *o = *op;

	if (o == NULL)
		return;
	close_all(o);
	if (o->scratch != NULL && empty_folder(o->scratch))
		rmdir(o->scratch);
	mem_free(&o->db);
	mem_free(&o->journal_dir);
	mem_free(&o->scratch);
	mem_free(op);
}

void
offline_release(struct offline *o)
{
	state_close(&o->state);
	if (o->engine != NULL)
		engine_close(&o->engine);
}

struct engine *
offline_engine(struct offline *o)
{
	return o->engine;
}

struct state *
offline_state(struct offline *o)
{
	return o->state;
}

struct journal *
offline_journal(struct offline *o)
{
	return o->journal;
}

bool
offline_rebuilt(const struct offline *o)
{
	return o->rebuilt;
}
