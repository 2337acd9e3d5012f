#include "storage/service/rebuild.h"

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
#include "storage/service/convert.h"
#include "storage/service/copy_files.h"
#include "storage/service/record.h"
#include "storage/service/service_priv.h"
#include "storage/state/upgrade.h"

/* What one way of opening came to. */
struct attempt {
	bool	state_bad;	/* it is the state that is to blame, not the journal */
	bool	empty;		/* the state held nothing */
	bool	cut;		/* the journal lost its end */
	char	what[200];
};

struct opening {
	struct service	*svc;
	char		*db, *fresh, *journal, *copies;
	uint32_t	*numbers;	/* of copies, the newest first */
	size_t		n;
	bool		accept;		/* the admin's word is there */
	bool		cut;		/* ... and is needed */
	struct attempt	first, last;	/* those told when nothing goes */
};

/* ---- files ---- */

static bool
make_dir(const char *path)
{
	if (mkdir(path, 0700) == 0 || errno == EEXIST)
		return true;
	LOG(NULL, ERROR, "store.folder", KV_STR("path", path), KV_ERRNO(errno));
	return false;
}

static bool
file_there(const struct opening *o, const char *name)
{
	char *path = fd_path(o->svc->dir, name);
	bool there = access(path, F_OK) == 0;

	mem_free(&path);
	return there;
}

/* On the disk before what it owes begins. */
static bool
file_make(const struct opening *o, const char *name)
{
	char *path = fd_path(o->svc->dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	bool ok = fd >= 0 && fsync(fd) == 0 && fd_sync_folder(o->svc->dir);

	if (!ok)
		LOG(NULL, ERROR, "store.folder", KV_STR("path", path), KV_ERRNO(errno));
	fd_close(&fd);
	mem_free(&path);
	return ok;
}

static void
file_drop(const struct opening *o, const char *name)
{
	char *path = fd_path(o->svc->dir, name);

	if (unlink(path) == 0)
		(void)fd_sync_folder(o->svc->dir);
	mem_free(&path);
}

static int
falling(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? 1 : x > y ? -1 : 0;
}

static void
find_copies(struct opening *o)
{
	DIR *d = opendir(o->copies);
	struct dirent *e;
	size_t room = 0;
	uint32_t number;

	while (d != NULL && (e = readdir(d)) != NULL) {
		if (!span_u32(span_str(e->d_name), &number) || number == 0)
			continue;
		if (o->n == room) {
			room = room == 0 ? 8 : room * 2;
			o->numbers = mem_realloc_array(o->numbers, room, sizeof(*o->numbers));
		}
		o->numbers[o->n++] = number;
	}
	if (d != NULL)
		closedir(d);
	if (o->n > 1)
		qsort(o->numbers, o->n, sizeof(*o->numbers), falling);
}

/* ---- one way ---- */

static struct engine_opts
engine_options(const struct service *svc)
{
	return (struct engine_opts){ .kind = svc->cf.engine, .boot_id = svc->cf.boot_id,
	    .tables = state_tables, .n_tables = state_n_tables, .page_bytes = state_page_bytes,
	    .cache_bytes = svc->cf.cache_bytes, .checkpoint_bytes = svc->cf.checkpoint_bytes,
	    .checkpoint_s = svc->cf.checkpoint_s, .small = svc->cf.small };
}

static enum status
open_engine(struct service *svc, const char *db)
{
	const struct engine_opts opts = engine_options(svc);
	enum status st = engine_open(db, &opts, &svc->engine);

	if (st != ST_OK)
		return st;
	st = state_open(svc->engine, (uint16_t)svc->cf.shard, &svc->state);
	if (st == ST_UNSUPPORTED)
		LOG(NULL, ERROR, "store.newer", KV_UINT("shard", svc->cf.shard), KV_STR("dir", db),
		    KV_UINT("known_schema", SCHEMA_VERSION), KV_STR("why", "a newer Mansio wrote "
		    "this database: start that one, or move the folder away to have it made "
		    "anew from the journal"));
	return st;
}

void
rebuild_close(struct service *svc)
{
	state_close(&svc->state);
	if (svc->engine != NULL)
		engine_close(&svc->engine);
	journal_close(&svc->journal);
}

static enum status
open_journal(struct opening *o, bool cut, struct attempt *a)
{
	struct service *svc = o->svc;
	struct journal_opts opts = { .shard = svc->cf.shard, .cut = cut,
	    .segment_bytes = svc->cf.segment_bytes, .inline_io = svc->cf.inline_io,
	    .reserve_bytes = svc->cf.min_free_bytes + engine_log_most(svc->cf.checkpoint_bytes) };
	struct journal_damage damage = { 0 };
	struct journal_pos at;
	enum status st;

	state_position(svc->state, &at);
	st = journal_open(o->journal, svc->cf.io, &opts, &at, &svc->journal, &damage);
	if (st != ST_OK) {
		snprintf(a->what, sizeof(a->what), "journal: %s", damage.what);
		LOG(NULL, ERROR, "journal.open", KV_UINT("shard", svc->cf.shard), KV_STATUS(st),
		    KV_STR("what", damage.what), KV_UINT("segment", damage.segment),
		    KV_UINT("offset", damage.offset), KV_UINT("lsn", damage.lsn));
	} else if (damage.lost) {
		a->cut = true;
		LOG(NULL, WARN, "journal.cut", KV_UINT("shard", svc->cf.shard),
		    KV_STR("what", damage.what), KV_UINT("lsn", damage.lsn),
		    KV_UINT("durable", damage.durable));
	} else if (damage.cut_bytes > 0) {
		LOG(NULL, INFO, "journal.torn_end", KV_UINT("shard", svc->cf.shard),
		    KV_UINT("bytes", damage.cut_bytes));
	}
	return st;
}

static enum status
replay(struct service *svc, struct attempt *a)
{
	char what[160];
	enum status st = service_replay(svc->journal, svc->state, what);

	svc->last_ms = state_stamp(svc->state);
	/* Without a word about the journal it is the applied state that is damaged. */
	a->state_bad = st == ST_CORRUPT && what[0] == '\0';
	if (st != ST_OK) {
		snprintf(a->what, sizeof(a->what), "%s", what);
		LOG(NULL, ERROR, "store.replay", KV_UINT("shard", svc->cf.shard), KV_STATUS(st),
		    KV_STR("what", what));
	}
	return st;
}

/* With the state that lies in o->db.  leave_empty: one that holds nothing is not worth a try. */
static enum status
attempt(struct opening *o, bool leave_empty, bool cut, struct attempt *a)
{
	struct service *svc = o->svc;
	struct journal_pos at;
	enum status st = open_engine(svc, o->db);

	*a = (struct attempt){ .state_bad = st == ST_CORRUPT };
	if (st == ST_CORRUPT)
		snprintf(a->what, sizeof(a->what), "the database is damaged");
	if (st == ST_OK) {
		state_position(svc->state, &at);
		a->empty = at.lsn == 0;
		if (a->empty && leave_empty)
			st = ST_NOT_FOUND;
	}
	if (st == ST_OK)
		st = open_journal(o, cut, a);
	if (st == ST_OK)
		st = replay(svc, a);
	if (st != ST_OK)
		rebuild_close(svc);
	return st;
}

/* On a full disk what was set aside goes first. */
static enum status
try(struct opening *o, bool leave_empty, bool cut, struct attempt *a)
{
	enum status st = attempt(o, leave_empty, cut, a);

	if (st == ST_NO_SPACE && engine_drop_aside(o->db) > 0)
		st = attempt(o, leave_empty, cut, a);
	return st;
}

/* ---- from a copy ---- */

static bool
always(void *arg)
{
	return true;
}

static bool
step(void *arg)
{
	const struct service *svc = arg;

	return svc->cf.step == NULL || svc->cf.step(svc->cf.step_arg);
}

/* Empties o->db. */
static enum status
clear(struct opening *o)
{
	copy_files_remove(o->db);
	return make_dir(o->db) ? ST_OK : ST_UNAVAILABLE;
}

/* A copy that the other engine made, from before the configuration changed. */
static enum status
of_our_engine(struct opening *o)
{
	struct engine_opts opts = engine_options(o->svc), theirs = opts;
	struct convert_count count;
	struct engine *e = NULL;
	char *made = fd_path(o->svc->dir, "db.convert");
	enum status st, closed;

	theirs.copy = true;
	theirs.manual = true;
	st = engine_made_by(o->fresh, &theirs.kind) && theirs.kind != opts.kind ?
	    engine_open(o->fresh, &theirs, &e) : ST_OK;
	if (e != NULL) {
		st = convert_make(e, made, &opts, &count);
		closed = engine_close(&e);
		st = st == ST_OK ? closed : st;
		copy_files_remove(o->fresh);
		if (st == ST_OK)
			st = copy_files_rename(o->svc->dir, made, o->fresh);
		LOG(NULL, INFO, "copy.convert", KV_UINT("shard", o->svc->cf.shard),
		    KV_UINT("rows", count.rows), KV_STATUS(st));
	}
	mem_free(&made);
	return st;
}

/* The copy's files become o->db's. */
static enum status
bring_back(struct opening *o, uint32_t number)
{
	struct copy_manifest m = { 0 };
	struct buf path = { 0 };
	const char *from;
	enum status st;

	buf_addf(&path, "%s/%u", o->copies, number);
	from = buf_cstr(&path);
	copy_files_remove(o->fresh);
	st = copy_files_manifest(from, &m);
	if (st == ST_OK && m.shard != o->svc->cf.shard)
		st = ST_UNSUPPORTED;
	if (st == ST_OK)
		st = copy_files_copy(from, o->fresh, &m, o->svc->cf.step != NULL ? step : always,
		    o->svc);
	if (st == ST_OK)
		st = of_our_engine(o);
	if (st == ST_OK) {
		copy_files_remove(o->db);
		st = copy_files_rename(o->svc->dir, o->fresh, o->db);
	}
	copy_manifest_fini(&m);
	buf_fini(&path);
	return st;
}

static void
took(struct opening *o, enum status st, const struct attempt *a)
{
	o->cut |= st == ST_OK && a->cut;
	if (st != ST_OK && a->what[0] != '\0')
		o->last = *a;
}

/* There is a journal at all: one that is gone must not be begun anew in silence. */
static bool
has_segments(const struct opening *o)
{
	DIR *d = opendir(o->journal);
	struct dirent *e;
	bool has = false;

	while (d != NULL && !has && (e = readdir(d)) != NULL) {
		size_t n = strlen(e->d_name);

		has = n > 4 && strcmp(e->d_name + n - 4, ".seg") == 0;
	}
	if (d != NULL)
		closedir(d);
	return has;
}

static enum status
from_copy(struct opening *o, uint32_t number, bool cut)
{
	struct attempt a = { .what = "" };
	enum status st = bring_back(o, number);

	if (st == ST_NO_SPACE && engine_drop_aside(o->db) > 0)
		st = bring_back(o, number);
	if (st == ST_OK)
		st = try(o, false, cut, &a);
	LOG(NULL, WARN, "store.rebuild", KV_UINT("shard", o->svc->cf.shard),
	    KV_UINT("copy", number), KV_STATUS(st));
	took(o, st, &a);
	return st;
}

/* Worth another way? */
static bool
goes_on(enum status st)
{
	return st == ST_CORRUPT || st == ST_NOT_FOUND || st == ST_UNSUPPORTED;
}

static enum status
from_any(struct opening *o, bool cut)
{
	struct attempt a = { .what = "" };
	enum status st = ST_NOT_FOUND;

	for (size_t i = 0; i < o->n && goes_on(st); i++)
		st = from_copy(o, o->numbers[i], cut);
	if (!goes_on(st))
		return st;
	st = clear(o);
	if (st == ST_OK && o->svc->cf.io == NULL && !has_segments(o)) {
		snprintf(a.what, sizeof(a.what), "there is no journal");
		st = ST_CORRUPT;
	}
	if (st == ST_OK)
		st = try(o, false, cut, &a);
	LOG(NULL, WARN, "store.rebuild", KV_UINT("shard", o->svc->cf.shard),
	    KV_STR("from", "the whole journal"), KV_STATUS(st));
	took(o, st, &a);
	/* What is half made must not pass for the state at the next start. */
	if (st != ST_OK)
		(void)clear(o);
	return st;
}

/* ---- all ways ---- */

static enum status
set_aside(struct opening *o)
{
	char *aside = NULL;
	enum status st = engine_set_aside(o->db, &aside);

	LOG(NULL, WARN, "store.rebuild", KV_UINT("shard", o->svc->cf.shard),
	    KV_STR("aside", aside != NULL ? aside : ""), KV_STATUS(st));
	mem_free(&aside);
	return st;
}

/* The journal is damaged where it is needed; the admin said that it may lose its end. */
static enum status
with_loss(struct opening *o, bool present)
{
	struct attempt a;
	enum status st = ST_NOT_FOUND;

	if (!file_make(o, REBUILD_INCARNATE))
		return ST_UNAVAILABLE;
	if (present) {
		st = try(o, false, true, &a);
		took(o, st, &a);
		if (!goes_on(st))
			return st;
		/* The state is ahead of what the journal still has. */
		st = set_aside(o);
		if (st != ST_OK)
			return st;
	}
	return from_any(o, true);
}

static enum status
open_any(struct opening *o)
{
	struct attempt a;
	bool present = true;
	enum status st = try(o, o->n > 0, false, &a);

	if (st != ST_OK)
		o->first = a;
	if (st == ST_CORRUPT && a.state_bad) {
		present = false;
		st = set_aside(o);
		if (st == ST_OK)
			st = from_any(o, false);
	} else if (st == ST_NOT_FOUND && a.empty) {
		present = false;
		o->first.what[0] = '\0';
		st = from_any(o, false);
	} else if (st == ST_CORRUPT && a.empty) {
		present = false;
	}
	if (st == ST_CORRUPT && o->accept)
		st = with_loss(o, present);
	return st;
}

/* ---- incarnations ---- */

/* An operation before anybody is served: in the journal, on the disk, applied. */
static enum status
run_now(struct service *svc, struct op *op, struct state_result *res)
{
	const struct journal_what what = { JOURNAL_OP, 0, 0 };
	struct journal_pos pos;
	struct outcome out;
	struct buf b = { 0 };
	struct iovec iov;
	uint64_t lsn = 0;
	enum status st;

	op->head.time_ms = service_stamp(svc);
	service_limits(svc, &op->head);
	record_op_head(&b, NULL, 0);
	op_encode(op, &b);
	iov = (struct iovec){ b.data, b.len };
	journal_tick_begin(svc->journal);
	if (svc->outcomes.len > 0) {
		struct iovec was = { svc->outcomes.data, svc->outcomes.len };

		(void)journal_add(svc->journal, &(struct journal_what){ JOURNAL_OUTCOME, 0, 0 },
		    &was, 1, NULL, NULL);
		buf_clear(&svc->outcomes);
	}
	st = journal_add(svc->journal, &what, &iov, 1, &lsn, NULL);
	if (st == ST_OK)
		st = journal_tick_write(svc->journal, NULL);
	else
		journal_tick_cancel(svc->journal);
	if (st == ST_OK) {
		journal_flush_start(svc->journal);
		st = journal_flush_done(svc->journal, &pos);
	}
	if (st == ST_OK)
		st = state_begin(svc->state);
	if (st == ST_OK) {
		st = state_apply(svc->state, op, NULL, 0, res);
		if (st == ST_OK)
			st = state_commit(svc->state, &pos);
		else
			state_abort(svc->state);
	}
	if (st == ST_OK) {
		out = outcome_of(lsn, res);
		outcome_put(&svc->outcomes, &out);
	}
	buf_fini(&b);
	return st == ST_OK ? res->status : st;
}

static enum status
incarnate(struct opening *o)
{
	struct service *svc = o->svc;
	struct op op = { .kind = OP_INCARNATE };
	struct state_result res = { 0 };
	enum status st;

	do {
		st = run_now(svc, &op, &res);
		op.u.incarnate.after = res.mailbox;
	} while (st == ST_OK && res.more);
	state_result_fini(&res);
	LOG(NULL, WARN, "store.incarnation", KV_UINT("shard", svc->cf.shard),
	    KV_UINT("incarnation", state_incarnation(svc->state)), KV_STATUS(st));
	return st;
}

/* Copies of what came after the cut hold what never happened. */
static void
drop_ahead(struct opening *o)
{
	struct journal_pos end;

	journal_end(o->svc->journal, &end);
	for (size_t i = 0; i < o->n; i++) {
		struct copy_manifest m = { 0 };
		struct buf path = { 0 };

		buf_addf(&path, "%s/%u", o->copies, o->numbers[i]);
		if (copy_files_manifest(buf_cstr(&path), &m) == ST_OK && m.pos.lsn > end.lsn) {
			LOG(NULL, WARN, "copy.dropped", KV_UINT("shard", o->svc->cf.shard),
			    KV_UINT("copy", o->numbers[i]),
			    KV_STR("why", "it is ahead of the journal"));
			copy_files_remove(buf_cstr(&path));
		}
		copy_manifest_fini(&m);
		buf_fini(&path);
	}
}

static enum status
settle(struct opening *o)
{
	enum status st = ST_OK;

	drop_ahead(o);
	if (file_there(o, REBUILD_INCARNATE))
		st = incarnate(o);
	if (st == ST_OK) {
		file_drop(o, REBUILD_ACCEPT_LOSS);
		file_drop(o, REBUILD_INCARNATE);
		if (o->accept && !o->cut)
			LOG(NULL, WARN, "store.accept-loss", KV_UINT("shard", o->svc->cf.shard),
			    KV_STR("why", "there was nothing to accept; the file is gone"));
	}
	return st;
}

static void
refuse(const struct opening *o, enum status st)
{
	LOG(NULL, FATAL, "store.refused", KV_UINT("shard", o->svc->cf.shard), KV_STATUS(st),
	    KV_STR("why", o->first.what[0] != '\0' ? o->first.what : "it cannot be opened"),
	    KV_STR("rebuild", o->last.what[0] != '\0' ? o->last.what : "not tried"),
	    KV_UINT("copies", o->n), KV_STR("manual", "mansio-stored(8), RECOVERY"));
}

enum status
rebuild_open(struct service *svc)
{
	struct opening o = { .svc = svc };
	enum status st = ST_UNAVAILABLE;

	o.db = fd_path(svc->dir, "db");
	o.fresh = fd_path(svc->dir, "db.new");
	o.journal = fd_path(svc->dir, "journal");
	o.copies = fd_path(svc->dir, "copies");
	o.accept = file_there(&o, REBUILD_ACCEPT_LOSS);
	copy_files_remove(o.fresh);
	find_copies(&o);
	if (make_dir(o.db) && make_dir(o.journal))
		st = open_any(&o);
	if (st == ST_OK)
		st = settle(&o);
	if (st != ST_OK) {
		refuse(&o, st);
		rebuild_close(svc);
	}
	mem_free(&o.db);
	mem_free(&o.fresh);
	mem_free(&o.journal);
	mem_free(&o.copies);
	mem_free(&o.numbers);
	return st;
}
