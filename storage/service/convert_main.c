/* stored --convert ENGINE DIR: the database of a shard that nobody serves becomes another
 * engine's.  The old one stays where it is until the roots of all accounts are the same. */
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/util/fd.h"
#include "common/util/mem.h"
#include "storage/service/convert.h"
#include "storage/service/copy_files.h"
#include "storage/service/offline.h"

static int
failed(const char *dir, const char *what, enum status st)
{
	fprintf(stderr, "stored: %s: %s (%s)\n", dir, what, status_name(st));
	return 1;
}

/* Whoever owns the shard is to own what is made: root becomes him. */
static bool
become_owner(const char *dir)
{
	struct stat sb;

	if (stat(dir, &sb) != 0)
		return false;
	if (geteuid() != 0 || sb.st_uid == 0)
		return true;
	return setgroups(0, NULL) == 0 && setgid(sb.st_gid) == 0 && setuid(sb.st_uid) == 0;
}

static enum status
roots_of(const char *db, const struct engine_opts *opts, struct buf *out)
{
	uint16_t shard = 0;
	struct engine *e;
	struct state *s = NULL;
	enum status st = engine_open(db, opts, &e), closed;

	if (st == ST_OK)
		st = state_shard(e, &shard);
	if (st == ST_OK)
		st = state_open(e, shard, &s);
	if (st == ST_OK)
		st = offline_roots(s, out);
	state_close(&s);
	closed = engine_close(&e);
	return st == ST_OK ? closed : st;
}

/* Makes and proves the new one. */
static enum status
make(struct offline *o, const char *fresh, const struct engine_opts *opts,
    struct convert_count *count, struct buf *roots)
{
	struct buf is = { 0 };
	enum status st = offline_roots(offline_state(o), roots);

	if (st == ST_OK)
		st = convert_make(offline_engine(o), fresh, opts, count);
	if (st == ST_OK)
		st = roots_of(fresh, opts, &is);
	if (st == ST_OK && !span_eq(buf_span(roots), buf_span(&is)))
		st = ST_CORRUPT;
	buf_fini(&is);
	return st;
}

static int
convert(const char *dir, enum engine_kind kind, const char *db, const char *fresh)
{
	const struct engine_opts opts = { .kind = kind, .tables = state_tables,
	    .n_tables = state_n_tables, .page_bytes = state_page_bytes, .manual = true };
	const struct offline_opts how = { .dir = dir };
	struct convert_count count;
	struct buf roots = { 0 };
	struct offline *o;
	char why[200];
	enum status st = offline_open(&how, &o, why);

	if (st != ST_OK)
		return failed(dir, why, st);
	st = make(o, fresh, &opts, &count, &roots);
	offline_release(o);
	/* Behind the journal's lock: nobody can have begun to serve the old one. */
	if (st == ST_OK)
		st = convert_switch(db, fresh);
	else
		copy_files_remove(fresh);
	offline_close(&o);
	if (st == ST_OK)
		printf("%s%s: %s, %" PRIu64 " rows, %" PRIu64 " bytes\n", buf_cstr(&roots), dir,
		    engine_kind_name(kind), count.rows, count.bytes);
	buf_fini(&roots);
	return st == ST_OK ? 0 : failed(dir, "the database was not converted", st);
}

static int
convert_shard(const char *dir, enum engine_kind kind)
{
	char *db = fd_path(dir, "db"), *fresh = fd_path(dir, "db.convert");
	enum engine_kind made;
	int rc = 0;

	if (!become_owner(dir)) {
		fprintf(stderr, "stored: %s: %s\n", dir, strerror(errno));
		rc = 1;
	} else if (!engine_made_by(db, &made)) {
		rc = failed(dir, "there is no database", ST_NOT_FOUND);
	} else if (made == kind) {
		copy_files_remove(fresh);
		printf("%s: %s already\n", dir, engine_kind_name(kind));
	} else {
		rc = convert(dir, kind, db, fresh);
	}
	mem_free(&db);
	mem_free(&fresh);
	return rc;
}

int
convert_main(int argc, char **argv)
{
	enum engine_kind kind;

	if (argc != 4 || !engine_kind_parse(argv[2], &kind)) {
		fputs("usage: stored --convert berkeley-db|lmdb DIR\n", stderr);
		return 2;
	}
	if (!engine_kind_built(kind))
		return failed(argv[3], "this engine was not built in", ST_UNSUPPORTED);
	return convert_shard(argv[3], kind);
}
