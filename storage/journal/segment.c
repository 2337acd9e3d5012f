/* storage/journal/segment.c
 * The table of segments, the making and recycling of their files, and reads.
 *
 * A file is written full of zeros, or has lived before: its blocks exist, so a
 * sync after writing a tick has no metadata to write. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/journal/journal_priv.h"

#define ZERO_BYTES (1u << 20)

char *
dir_path(const struct journal *j, const char *name)
{
	size_t n = strlen(j->dir) + strlen(name) + 2;
	char *path = mem_alloc(n);

	snprintf(path, n, "%s/%s", j->dir, name);
	return path;
}

char *
seg_path(const struct journal *j, uint32_t number)
{
	char name[32];

	snprintf(name, sizeof(name), "%010u.seg", number);
	return dir_path(j, name);
}

char *
seg_free_path(const struct journal *j, uint32_t number)
{
	char name[32];

	snprintf(name, sizeof(name), "free-%010u", number);
	return dir_path(j, name);
}

/* Index of the first segment numbered `number` or higher. */
static size_t
seg_index(const struct journal *j, uint32_t number)
{
	size_t lo = 0, hi = j->n_segs;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (j->segs[mid]->number < number)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct seg *
seg_find(struct journal *j, uint32_t number)
{
	size_t i = seg_index(j, number);

	return i < j->n_segs && j->segs[i]->number == number ? j->segs[i] : NULL;
}

struct seg *
seg_insert(struct journal *j, uint32_t number, uint32_t bytes)
{
	size_t i = seg_index(j, number);
	struct seg *s = mem_zalloc(sizeof(*s));

	assert(i == j->n_segs || j->segs[i]->number != number);
	s->number = number;
	s->bytes = bytes;
	s->fd = -1;
	if (j->n_segs == j->room_segs) {
		j->room_segs = j->room_segs == 0 ? 16 : j->room_segs * 2;
		j->segs = mem_realloc_array(j->segs, j->room_segs, sizeof(struct seg *));
	}
	memmove(j->segs + i + 1, j->segs + i, (j->n_segs - i) * sizeof(struct seg *));
	j->segs[i] = s;
	j->n_segs++;
	return s;
}

static void
seg_close(struct journal *j, struct seg *s)
{
	if (s->fd < 0)
		return;
	j->io.close(j->io.ctx, s->fd);
	s->fd = -1;
	j->open_fds--;
}

void
seg_forget(struct journal *j, struct seg *s)
{
	size_t i = seg_index(j, s->number);

	seg_close(j, s);
	memmove(j->segs + i, j->segs + i + 1, (j->n_segs - i - 1) * sizeof(struct seg *));
	j->n_segs--;
	mem_free(&s);
}

static void
close_oldest(struct journal *j)
{
	struct seg *oldest = NULL;

	for (size_t i = 0; i < j->n_segs; i++) {
		struct seg *s = j->segs[i];

		if (s->fd >= 0 && s->refs == 0 &&
		    (oldest == NULL || s->used_at < oldest->used_at))
			oldest = s;
	}
	if (oldest != NULL)
		seg_close(j, oldest);
}

struct seg *
seg_get(struct journal *j, uint32_t number)
{
	struct seg *s;

	pthread_mutex_lock(&j->lock);
	s = seg_find(j, number);
	if (s == NULL) {
		errno = ENOENT;
	} else if (s->fd < 0) {
		char *path = seg_path(j, number);

		if (j->open_fds >= OPEN_FDS_MAX)
			close_oldest(j);
		s->fd = j->io.open(j->io.ctx, path, j->opts.read_only ? O_RDONLY : O_RDWR, 0);
		mem_free(&path);
		if (s->fd < 0)
			s = NULL;
		else
			j->open_fds++;
	}
	if (s != NULL) {
		s->refs++;
		s->used_at = ++j->use_clock;
	}
	pthread_mutex_unlock(&j->lock);
	return s;
}

void
seg_put_locked(struct seg *s)
{
	assert(s->refs > 0);
	s->refs--;
}

void
seg_put(struct journal *j, struct seg *s)
{
	pthread_mutex_lock(&j->lock);
	seg_put_locked(s);
	pthread_mutex_unlock(&j->lock);
}

/* ---- making files ---- */

static int
write_zeros(struct journal *j, int fd, uint32_t bytes)
{
	uint32_t piece = bytes < ZERO_BYTES ? bytes : ZERO_BYTES;
	char *zeros = mem_zalloc(piece);
	int rc = 0;

	for (uint32_t off = 0; rc == 0 && off < bytes; off += piece) {
		if (piece > bytes - off)
			piece = bytes - off;
		rc = jio_write_at(&j->io, fd, zeros, piece, off);
		/* In small steps, so that the journal's own syncs need not wait
		 * behind all of it. */
		if (rc == 0 && off % (4 * ZERO_BYTES) == 3 * ZERO_BYTES)
			rc = j->io.fdatasync(j->io.ctx, fd);
	}
	mem_free(&zeros);
	return rc;
}

static int
make_new(struct journal *j, const char *tmp)
{
	int fd = j->io.open(j->io.ctx, tmp, O_RDWR | O_CREAT | O_TRUNC, 0600);
	int rc = -1, e;

	if (fd < 0)
		return -1;
	if (j->io.fallocate(j->io.ctx, fd, 0, j->opts.segment_bytes) == 0 &&
	    write_zeros(j, fd, j->opts.segment_bytes) == 0)
		rc = j->io.fdatasync(j->io.ctx, fd);
	e = errno;
	j->io.close(j->io.ctx, fd);
	errno = e;
	return rc;
}

/* A file of an earlier life, renamed; false: none fits. */
static bool
make_recycled(struct journal *j, const char *path)
{
	bool ok = false;

	while (!ok) {
		uint64_t bytes = 0;
		uint32_t number;
		char *old;
		int fd;

		pthread_mutex_lock(&j->lock);
		number = j->n_free > 0 ? j->free_files[--j->n_free] : 0;
		pthread_mutex_unlock(&j->lock);
		if (number == 0)
			break;
		old = seg_free_path(j, number);
		fd = j->io.open(j->io.ctx, old, O_RDWR, 0);
		if (fd >= 0) {
			if (j->io.size(j->io.ctx, fd, &bytes) != 0)
				bytes = 0;
			j->io.close(j->io.ctx, fd);
		}
		ok = bytes == j->opts.segment_bytes &&
		    j->io.rename(j->io.ctx, old, path) == 0;
		if (!ok)
			(void)j->io.unlink(j->io.ctx, old);
		mem_free(&old);
	}
	return ok;
}

int
seg_make(struct journal *j, uint32_t number, bool *recycled)
{
	char *path = seg_path(j, number), *tmp = dir_path(j, "new.tmp");
	int rc = 0, e;

	*recycled = make_recycled(j, path);
	if (!*recycled) {
		rc = make_new(j, tmp);
		if (rc == 0)
			rc = j->io.rename(j->io.ctx, tmp, path);
		if (rc != 0) {
			e = errno;
			(void)j->io.unlink(j->io.ctx, tmp);
			errno = e;
		}
	}
	if (rc == 0)
		rc = j->io.fsync_dir(j->io.ctx, j->dir);
	e = errno;
	mem_free(&path);
	mem_free(&tmp);
	errno = e;
	return rc;
}

/* The result goes into make_*; the lock is held, and let go meanwhile. */
static void
make_locked(struct journal *j)
{
	uint32_t number = j->make_number;
	bool recycled;
	int rc, e;

	pthread_mutex_unlock(&j->lock);
	rc = seg_make(j, number, &recycled);
	e = errno;
	pthread_mutex_lock(&j->lock);
	j->make_errno = rc == 0 ? 0 : e;
	j->make_recycled = recycled;
	j->make = rc == 0 ? MAKE_READY : MAKE_FAILED;
}

void *
seg_maker(void *arg)
{
	struct journal *j = arg;

	pthread_mutex_lock(&j->lock);
	while (!j->stop) {
		if (j->make != MAKE_ASKED) {
			pthread_cond_wait(&j->make_wake, &j->lock);
			continue;
		}
		make_locked(j);
		pthread_cond_broadcast(&j->made);
	}
	pthread_mutex_unlock(&j->lock);
	return NULL;
}

static void
make_ask(struct journal *j, uint32_t number)
{
	j->make = MAKE_ASKED;
	j->make_number = number;
	pthread_cond_signal(&j->make_wake);
}

void
seg_make_ahead(struct journal *j)
{
	if (!j->threads)
		return;
	pthread_mutex_lock(&j->lock);
	/* After a failure only seg_make_wait() tries again: when it must. */
	if (j->make == MAKE_IDLE)
		make_ask(j, j->cur->number + 1);
	pthread_mutex_unlock(&j->lock);
}

int
seg_make_wait(struct journal *j, uint32_t number)
{
	int e;

	pthread_mutex_lock(&j->lock);
	if (j->make == MAKE_IDLE || j->make == MAKE_FAILED) {
		j->make_number = number;
		if (j->threads)
			make_ask(j, number);
		else
			make_locked(j);
	}
	if (j->make == MAKE_ASKED)
		j->stats.waits++;
	while (j->make == MAKE_ASKED)
		pthread_cond_wait(&j->made, &j->lock);
	assert(j->make_number == number);
	e = j->make_errno;
	pthread_mutex_unlock(&j->lock);
	errno = e;
	return e == 0 ? 0 : -1;
}

/* ---- reading ---- */

static enum status
read_bytes(struct journal *j, struct journal_loc loc, uint32_t before, char *hdr,
    void *p, bool nowait, bool *would_block)
{
	struct seg *s = seg_get(j, loc.segment);
	enum status st = ST_OK;
	ssize_t n;

	if (s == NULL)
		return errno == ENOENT ? ST_NOT_FOUND : ST_UNAVAILABLE;
	if (loc.offset < JOURNAL_BLOCK + before || loc.offset > s->bytes ||
	    loc.length > s->bytes - loc.offset) {
		st = ST_CORRUPT;
	} else if (nowait) {
		n = j->io.pread(j->io.ctx, s->fd, p, loc.length, loc.offset, true);
		/* Less than all: the rest is not in memory. */
		*would_block = (n < 0 && errno == EAGAIN) ||
		    (n >= 0 && (size_t)n < loc.length);
		if (n < 0 || (size_t)n < loc.length)
			st = ST_UNAVAILABLE;
	} else {
		n = before == 0 ? 0 : jio_read_full(&j->io, s->fd, hdr, before,
		    loc.offset - before);
		if (n >= 0)
			n = jio_read_full(&j->io, s->fd, p, loc.length, loc.offset);
		if (n < 0)
			st = ST_UNAVAILABLE;
		else if ((size_t)n < loc.length)
			st = ST_CORRUPT;
	}
	seg_put(j, s);
	return st;
}

enum status
journal_read(struct journal *j, struct journal_loc loc, void *p)
{
	return read_bytes(j, loc, 0, NULL, p, false, NULL);
}

enum status
journal_read_nowait(struct journal *j, struct journal_loc loc, void *p, bool *would_block)
{
	*would_block = false;
	return read_bytes(j, loc, 0, NULL, p, true, would_block);
}

enum status
journal_read_checked(struct journal *j, struct journal_loc loc, void *p)
{
	char hdr[JOURNAL_RECORD_HDR] = { 0 };
	struct jf_record h;
	enum status st = read_bytes(j, loc, sizeof(hdr), hdr, p, false, NULL);

	if (st != ST_OK)
		return st;
	if (!jf_record_get(hdr, &h) || h.type == JOURNAL_TICK || h.type == JOURNAL_PAD ||
	    h.length != loc.length || !jf_record_check(hdr, &h, p))
		return ST_CORRUPT;
	return ST_OK;
}

/* ---- space ---- */

void
journal_segments(struct journal *j, struct journal_segment **list, size_t *n)
{
	pthread_mutex_lock(&j->lock);
	*n = j->n_segs;
	*list = mem_array(*n + 1, sizeof(**list));
	for (size_t i = 0; i < *n; i++) {
		const struct seg *s = j->segs[i];
		bool writing = s == j->cur;

		(*list)[i] = (struct journal_segment){ .segment = s->number,
		    .bytes = s->bytes, .used = writing ? j->written.offset : s->bytes,
		    .first_lsn = s->first_lsn, .writing = writing };
	}
	pthread_mutex_unlock(&j->lock);
}

enum status
journal_segment_release(struct journal *j, uint32_t segment)
{
	char *path = seg_path(j, segment), *old = seg_free_path(j, segment);
	enum status st = ST_OK;
	struct seg *s;
	bool keep;

	pthread_mutex_lock(&j->lock);
	s = seg_find(j, segment);
	if (s == NULL)
		st = ST_NOT_FOUND;
	else if (s == j->cur || s->refs > 0)
		st = ST_CONFLICT;
	if (st == ST_OK) {
		keep = s->bytes == j->opts.segment_bytes && j->n_free < FREE_FILES_MAX &&
		    !j->tight;
		if ((keep ? j->io.rename(j->io.ctx, path, old) :
		    j->io.unlink(j->io.ctx, path)) != 0)
			st = ST_UNAVAILABLE;
		else if (keep)
			j->free_files[j->n_free++] = segment;
		if (st == ST_OK)
			seg_forget(j, s);
	}
	pthread_mutex_unlock(&j->lock);
	mem_free(&path);
	mem_free(&old);
	return st;
}

void
journal_drop_free(struct journal *j)
{
	pthread_mutex_lock(&j->lock);
	while (j->n_free > 0) {
		char *path = seg_free_path(j, j->free_files[--j->n_free]);

		(void)j->io.unlink(j->io.ctx, path);
		mem_free(&path);
	}
	j->room_asked_ms = 0;
	pthread_mutex_unlock(&j->lock);
}
