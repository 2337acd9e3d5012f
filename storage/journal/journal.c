/* storage/journal/journal.c
 * The folder: opening, with the verdict on what stands there, and closing. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>

#include "common/util/clock.h"
#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/journal/journal_priv.h"

/* ---- what the folder holds ---- */

static bool
name_number(const char *name, const char *prefix, const char *suffix, uint32_t *number)
{
	struct span s = span_str(name);
	size_t pre = strlen(prefix), suf = strlen(suffix);

	if (s.len != pre + 10 + suf || !span_has_prefix(s, prefix) ||
	    strcmp(name + pre + 10, suffix) != 0)
		return false;
	return span_u32(span_sub(s, pre, 10), number) && *number > 0;
}

static void
found_name(const char *name, void *arg)
{
	struct journal *j = arg;
	uint32_t number;

	if (name_number(name, "", ".seg", &number))
		seg_insert(j, number, 0);
	else if (name_number(name, "free-", "", &number) && j->n_free < FREE_FILES_MAX)
		j->free_files[j->n_free++] = number;
}

static enum status
fail(struct journal_damage *d, enum status st, const char *what, uint32_t number)
{
	if (d != NULL) {
		d->segment = number;
		snprintf(d->what, sizeof(d->what), "%s (segment %" PRIu32 ")", what, number);
	}
	return st;
}

/* Takes the higher slot; *found: one is good. */
static enum status
mark_read(struct journal *j, struct jf_mark *mark, bool *found, struct journal_damage *d)
{
	for (uint64_t slot = 0; slot < 2; slot++) {
		char block[JOURNAL_BLOCK];
		struct jf_mark m;
		ssize_t n = jio_read_full(&j->io, j->mark_fd, block, sizeof(block),
		    slot * JOURNAL_BLOCK);

		if (n < 0)
			return fail(d, ST_UNAVAILABLE, "the mark cannot be read", 0);
		if (n < (ssize_t)sizeof(block) || !jf_mark_get(block, &m))
			continue;
		if (m.version != JOURNAL_VERSION || m.shard != j->opts.shard)
			return fail(d, ST_UNAVAILABLE,
			    "the mark is of another version or shard", 0);
		if (!*found || m.sequence > mark->sequence)
			*mark = m;
		*found = true;
	}
	return ST_OK;
}

/* Opens the mark if there is one. */
static enum status
mark_open(struct journal *j, struct jf_mark *mark, bool *found, struct journal_damage *d)
{
	char *path = dir_path(j, "mark");

	j->mark_fd = j->io.open(j->io.ctx, path, j->opts.read_only ? O_RDONLY : O_RDWR, 0);
	mem_free(&path);
	if (j->mark_fd >= 0)
		return mark_read(j, mark, found, d);
	return errno == ENOENT ? ST_OK :
	    fail(d, ST_UNAVAILABLE, "the mark cannot be opened", 0);
}

/* Reads one segment's header; the first one of all tells the salt if the mark did not. */
static enum status
segment_load(struct journal *j, struct seg *s, bool *salted, struct journal_damage *d)
{
	struct seg *got = seg_get(j, s->number);
	struct jf_segment h;
	uint64_t bytes = 0;
	bool ok = false;
	int rc;

	if (got == NULL)
		return fail(d, ST_UNAVAILABLE, "cannot be opened", s->number);
	rc = j->io.size(j->io.ctx, s->fd, &bytes);
	if (rc == 0)
		rc = scan_header(j, s, &h, &ok);
	seg_put(j, s);
	if (rc != 0)
		return fail(d, ST_UNAVAILABLE, "cannot be read", s->number);
	s->bytes = bytes > JOURNAL_SEGMENT_MAX ? JOURNAL_SEGMENT_MAX : (uint32_t)bytes;
	if (ok && (h.version != JOURNAL_VERSION || h.shard != j->opts.shard))
		return fail(d, ST_UNAVAILABLE, "is of another version or shard", s->number);
	if (ok && !*salted) {
		j->salt = h.salt;
		*salted = true;
	}
	if (!ok || h.salt != j->salt)
		return ST_OK;
	s->valid = true;
	s->bytes = h.bytes;
	s->generation = h.generation;
	s->first_lsn = h.first_lsn;
	s->first_tick = h.first_tick;
	if (h.generation > j->generation)
		j->generation = h.generation;
	return ST_OK;
}

static enum status
folder_load(struct journal *j, struct scan *sc, bool *salted, struct journal_damage *d)
{
	struct jf_mark mark = { 0 };
	enum status st;

	if (j->io.list(j->io.ctx, j->dir, found_name, j) != 0)
		return fail(d, errno == ENOENT ? ST_NOT_FOUND : ST_UNAVAILABLE,
		    "the folder cannot be read", 0);
	st = mark_open(j, &mark, salted, d);
	if (*salted) {
		j->salt = mark.salt;
		sc->durable = j->marked_lsn = j->mark_lsn = mark.durable;
		j->mark_sequence = mark.sequence;
	}
	for (size_t i = 0; i < j->n_segs && st == ST_OK; i++)
		st = segment_load(j, j->segs[i], salted, d);
	return st;
}

/* ---- making ---- */

static enum status
failed_make(struct journal_damage *d, uint32_t number)
{
	return fail(d, errno == ENOSPC || errno == EDQUOT ? ST_NO_SPACE : ST_UNAVAILABLE,
	    "cannot be made", number);
}

/* Deletes segments from the highest down to above `keep`. */
static enum status
drop_segments(struct journal *j, uint32_t keep)
{
	while (j->n_segs > 0 && j->segs[j->n_segs - 1]->number > keep) {
		struct seg *s = j->segs[j->n_segs - 1];
		char *path = seg_path(j, s->number);
		int rc = j->io.unlink(j->io.ctx, path);

		mem_free(&path);
		if (rc != 0)
			return ST_UNAVAILABLE;
		seg_forget(j, s);
	}
	return ST_OK;
}

/* Under its name when both slots are whole, so a mark that is there and bad is damage. */
static enum status
mark_make(struct journal *j)
{
	char *path = dir_path(j, "mark"), *tmp = dir_path(j, "mark.tmp");
	int rc = 0;

	if (j->mark_fd < 0) {
		j->mark_fd = j->io.open(j->io.ctx, tmp, O_RDWR | O_CREAT | O_TRUNC, 0600);
		if (j->mark_fd < 0 || mark_write(j, j->mark_lsn) != 0 ||
		    mark_write(j, j->mark_lsn) != 0 ||
		    j->io.rename(j->io.ctx, tmp, path) != 0 ||
		    j->io.fsync_dir(j->io.ctx, j->dir) != 0)
			rc = -1;
	} else if (mark_write(j, j->mark_lsn) != 0) {
		rc = -1;
	}
	mem_free(&path);
	mem_free(&tmp);
	j->marked_lsn = j->mark_lsn;
	return rc == 0 ? ST_OK : failed_make(NULL, 0);
}

/* The first segment's header is durable before there is a mark, and the mark before
 * anything is written. */
static enum status
create(struct journal *j, struct journal_damage *d)
{
	struct jf_segment h = { .version = JOURNAL_VERSION, .shard = j->opts.shard,
	    .segment = 1, .bytes = j->opts.segment_bytes, .generation = 1,
	    .first_lsn = 1, .first_tick = 1 };
	char block[JOURNAL_BLOCK];
	enum status st = drop_segments(j, 0);
	struct seg *s;
	bool recycled;
	int rc;

	j->salt = j->opts.salt;
	while (j->salt == 0)
		if (getrandom(&j->salt, sizeof(j->salt), 0) < 0)
			return fail(d, ST_UNAVAILABLE, "no random numbers", 0);
	h.salt = j->salt;
	j->n_free = 0;
	if (st != ST_OK || seg_make(j, 1, &recycled) != 0)
		return failed_make(d, 1);
	s = seg_insert(j, 1, h.bytes);
	s->generation = j->generation = 1;
	s->first_lsn = s->first_tick = 1;
	s->valid = true;
	s = seg_get(j, 1);
	if (s == NULL)
		return failed_make(d, 1);
	jf_segment_put(block, &h);
	rc = jio_write_at(&j->io, s->fd, block, sizeof(block), 0);
	if (rc == 0)
		rc = j->io.fdatasync(j->io.ctx, s->fd);
	seg_put(j, s);
	return rc == 0 ? ST_OK : failed_make(d, 1);
}

/* ---- opening ---- */

static enum status
lock_folder(struct journal *j, struct journal_damage *d)
{
	char *path = dir_path(j, "lock");
	enum status st = ST_OK;

	j->lock_fd = j->io.open(j->io.ctx, path, O_RDWR | O_CREAT, 0600);
	mem_free(&path);
	if (j->lock_fd < 0)
		return fail(d, errno == ENOENT ? ST_NOT_FOUND :
		    errno == ENOSPC || errno == EDQUOT ? ST_NO_SPACE : ST_UNAVAILABLE,
		    "the lock cannot be opened", 0);
	if (j->io.lock(j->io.ctx, j->lock_fd) != 0)
		st = fail(d, errno == EAGAIN ? ST_CONFLICT : ST_UNAVAILABLE,
		    "the journal is open in another process", 0);
	return st;
}

/* Finds the end from the applied position on: sc. */
static enum status
find_end(struct journal *j, const struct journal_pos *applied, struct scan *sc,
    struct journal_damage *d)
{
	enum status st = scan_run(j, applied, 0, NULL, NULL, sc);
	struct scan end = *sc;
	bool walked = st == ST_OK;

	if (st == ST_OK)
		st = scan_evidence(j, sc);
	if (st == ST_OK && (sc->durable >= sc->lsn || sc->offset == 0))
		st = ST_CORRUPT;
	if (st == ST_CORRUPT)
		scan_damage(sc, d);
	if (st == ST_CORRUPT && walked && j->opts.cut && end.offset != 0 &&
	    end.lsn > applied->lsn) {
		*sc = end;
		if (d != NULL)
			d->lost = true;
		return ST_OK;
	}
	if (st == ST_CORRUPT)
		return st;
	if (st != ST_OK)
		fail(d, st, "cannot be read", sc->segment);
	return st;
}

/* What stands behind the end goes, what stands before it becomes durable. */
static enum status
settle(struct journal *j, const struct scan *sc, struct journal_damage *d)
{
	uint64_t cleared = 0;
	char *tmp = dir_path(j, "new.tmp");
	enum status st = drop_segments(j, sc->segment);

	(void)j->io.unlink(j->io.ctx, tmp);
	mem_free(&tmp);
	if (st == ST_OK)
		st = scan_clear(j, sc, &cleared);
	if (st == ST_OK && j->io.fsync_dir(j->io.ctx, j->dir) != 0)
		st = ST_UNAVAILABLE;
	if (st != ST_OK)
		return fail(d, st, "its end cannot be cleared", sc->segment);
	if (d != NULL)
		d->cut_bytes = cleared;
	j->mark_lsn = sc->lsn - 1;
	st = mark_make(j);
	return st == ST_OK ? ST_OK : fail(d, st, "the mark cannot be written", 0);
}

static enum status
start_threads(struct journal *j, struct journal_damage *d)
{
	j->threads = !j->opts.inline_io && !j->opts.read_only;
	if (!j->threads)
		return ST_OK;
	if (pthread_create(&j->flusher, NULL, flush_thread, j) == 0) {
		if (pthread_create(&j->maker, NULL, seg_maker, j) == 0)
			return ST_OK;
		pthread_mutex_lock(&j->lock);
		j->stop = true;
		pthread_cond_broadcast(&j->wake);
		pthread_mutex_unlock(&j->lock);
		pthread_join(j->flusher, NULL);
	}
	j->threads = false;
	return fail(d, ST_UNAVAILABLE, "no thread", 0);
}

/* All that is decided from the folder's content. */
static enum status
open_folder(struct journal *j, const struct journal_pos *applied, struct journal_damage *d)
{
	struct scan sc = { 0 };
	bool salted = false;
	enum status st = folder_load(j, &sc, &salted, d);

	if (st != ST_OK)
		return st;
	if (!salted && j->mark_fd < 0 && j->n_segs <= 1 && applied->lsn == 0 &&
	    !j->opts.read_only) {
		/* Nothing here, or a making that was cut short before its end. */
		st = create(j, d);
		if (st != ST_OK)
			return st;
	} else if (!salted || j->n_segs == 0) {
		return fail(d, ST_CORRUPT, "there is no readable segment", 0);
	}
	st = find_end(j, applied, &sc, d);
	if (st == ST_OK && !j->opts.read_only)
		st = settle(j, &sc, d);
	if (st != ST_OK)
		return st;
	j->durable = (struct journal_pos){ .lsn = sc.lsn - 1, .tick_lsn = sc.lsn,
	    .segment = sc.segment, .offset = sc.offset };
	j->written = j->durable;
	j->tick_no = sc.tick;
	j->cur = seg_get(j, sc.segment);
	if (j->cur == NULL)
		return fail(d, ST_UNAVAILABLE, "cannot be opened", sc.segment);
	return start_threads(j, d);
}

static void
set_defaults(struct journal_opts *o)
{
	if (o->segment_bytes == 0)
		o->segment_bytes = JOURNAL_SEGMENT_BYTES;
	if (o->segment_bytes < JOURNAL_SEGMENT_MIN)
		o->segment_bytes = JOURNAL_SEGMENT_MIN;
	if (o->segment_bytes > JOURNAL_SEGMENT_MAX)
		o->segment_bytes = JOURNAL_SEGMENT_MAX;
	o->segment_bytes -= o->segment_bytes % JOURNAL_BLOCK;
	if (o->tick_max == 0)
		o->tick_max = JOURNAL_TICK_MAX;
	if (o->tick_max > o->segment_bytes - JOURNAL_BLOCK)
		o->tick_max = o->segment_bytes - JOURNAL_BLOCK;
	if (o->mark_ms == 0)
		o->mark_ms = 1000;
}

enum status
journal_open(const char *dir, const struct jio *io, const struct journal_opts *opts,
    const struct journal_pos *applied, struct journal **out, struct journal_damage *damage)
{
	static const struct journal_pos none;
	struct journal *j = mem_zalloc(sizeof(*j));
	enum status st = ST_OK;

	*out = NULL;
	if (damage != NULL)
		*damage = (struct journal_damage){ 0 };
	j->dir = mem_strdup(dir);
	j->io = io != NULL ? *io : jio_files;
	if (opts != NULL)
		j->opts = *opts;
	set_defaults(&j->opts);
	j->lock_fd = j->mark_fd = -1;
	j->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	j->free_files = mem_array(FREE_FILES_MAX, sizeof(*j->free_files));
	pthread_mutex_init(&j->lock, NULL);
	clock_cond_init(&j->wake);
	clock_cond_init(&j->made);
	clock_cond_init(&j->make_wake);

	if (j->event_fd < 0)
		st = fail(damage, ST_UNAVAILABLE, "no descriptor", 0);
	if (st == ST_OK && !j->opts.read_only)
		st = lock_folder(j, damage);
	if (st == ST_OK)
		st = open_folder(j, applied != NULL ? applied : &none, damage);
	if (st != ST_OK) {
		j->failed = true;	/* nothing is written on the way out */
		journal_close(&j);
	}
	*out = j;
	return st;
}

static void
stop_threads(struct journal *j)
{
	if (!j->threads)
		return;
	pthread_mutex_lock(&j->lock);
	j->stop = true;
	pthread_cond_broadcast(&j->wake);
	pthread_cond_broadcast(&j->make_wake);
	pthread_mutex_unlock(&j->lock);
	pthread_join(j->flusher, NULL);
	pthread_join(j->maker, NULL);
}

void
journal_close(struct journal **jp)
{
	struct journal *j = *jp;

	if (j == NULL)
		return;
	*jp = NULL;
	stop_threads(j);
	if (!j->failed && !j->mark_failed && j->mark_lsn > j->marked_lsn)
		(void)mark_write(j, j->mark_lsn);
	if (j->cur != NULL)
		seg_put(j, j->cur);
	while (j->n_segs > 0)
		seg_forget(j, j->segs[j->n_segs - 1]);
	if (j->mark_fd >= 0)
		j->io.close(j->io.ctx, j->mark_fd);
	if (j->lock_fd >= 0)
		j->io.close(j->io.ctx, j->lock_fd);
	fd_close(&j->event_fd);
	pthread_cond_destroy(&j->wake);
	pthread_cond_destroy(&j->made);
	pthread_cond_destroy(&j->make_wake);
	pthread_mutex_destroy(&j->lock);
	tick_fini(&j->tick);
	mem_free(&j->segs);
	mem_free(&j->free_files);
	mem_free(&j->dir);
	mem_free(&j);
}

/* ---- asking ---- */

void
journal_end(const struct journal *j, struct journal_pos *end)
{
	*end = j->durable;
}

uint64_t
journal_first_lsn(const struct journal *j)
{
	uint64_t lsn = j->cur->first_lsn;

	/* A number left out is a segment released: what is before it cannot be
	 * replayed into what is behind. */
	for (size_t i = j->n_segs - 1; i > 0 &&
	    j->segs[i - 1]->number + 1 == j->segs[i]->number; i--)
		lsn = j->segs[i - 1]->first_lsn;
	return lsn;
}

/* Asked once a second; *need: below which no new mail comes. */
static void
look_at_room(struct journal *j, uint64_t *need)
{
	uint64_t now = clock_mono_ms();

	if (j->room_asked_ms == 0 || now - j->room_asked_ms >= 1000) {
		if (j->io.free_bytes(j->io.ctx, j->dir, &j->room_bytes) != 0)
			j->room_bytes = 0;
		j->room_asked_ms = now;
	}
	*need = 2 * (uint64_t)j->opts.segment_bytes + j->opts.reserve_bytes;
	j->tight = j->room_bytes < *need;
}

bool
journal_can_change(struct journal *j)
{
	uint64_t need;

	look_at_room(j, &need);
	return j->room_bytes >= need / 2;
}

bool
journal_has_spare(struct journal *j, uint64_t bytes)
{
	uint64_t need;

	look_at_room(j, &need);
	return j->room_bytes >= need / 2 && j->room_bytes - need / 2 >= bytes;
}

bool
journal_has_room(struct journal *j, uint64_t bytes)
{
	uint64_t need;

	look_at_room(j, &need);
	return j->room_bytes >= need && j->room_bytes - need >= bytes;
}

void
journal_stats(struct journal *j, struct journal_stats *st)
{
	pthread_mutex_lock(&j->lock);
	*st = j->stats;
	pthread_mutex_unlock(&j->lock);
}
