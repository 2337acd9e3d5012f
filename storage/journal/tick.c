/* storage/journal/tick.c
 * Building a tick, writing it, and the flusher's thread.
 *
 * Headers and small payloads are gathered in one buffer, large payloads are written
 * from where they are.  Where a tick will stand is known from its first record on. */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/util/clock.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/journal/journal_priv.h"

#define COPY_MAX 2048u		/* payload pieces up to here are copied */

/* ---- building ---- */

static void
piece_add(struct tick *t, const void *p, size_t off, size_t len)
{
	struct piece *last = t->n_pieces > 0 ? &t->pieces[t->n_pieces - 1] : NULL;

	if (p == NULL && last != NULL && last->p == NULL && last->off + last->len == off) {
		last->len += len;
		return;
	}
	if (t->n_pieces == t->room_pieces) {
		t->room_pieces = t->room_pieces == 0 ? 64 : t->room_pieces * 2;
		t->pieces = mem_realloc_array(t->pieces, t->room_pieces,
		    sizeof(*t->pieces));
	}
	t->pieces[t->n_pieces++] = (struct piece){ p, off, len };
}

static void
piece_copy(struct tick *t, const void *p, size_t len)
{
	piece_add(t, NULL, t->small.len, len);
	buf_add(&t->small, p, len);
}

void
tick_fini(struct tick *t)
{
	buf_fini(&t->small);
	mem_free(&t->pieces);
}

void
journal_tick_begin(struct journal *j)
{
	struct tick *t = &j->tick;
	static const char header[JOURNAL_TICK_HDR];

	assert(!t->open && !j->opts.read_only);
	t->open = true;
	t->voided = false;
	t->segment = j->cur->number;
	t->offset = j->written.offset;
	t->limit = j->cur->bytes;
	t->first_lsn = j->written.lsn + 1;
	t->records = 0;
	t->bytes = JOURNAL_TICK_HDR;
	t->n_pieces = 0;
	buf_clear(&t->small);
	piece_copy(t, header, sizeof(header));
}

void
journal_tick_cancel(struct journal *j)
{
	j->tick.open = false;
}

uint32_t
journal_tick_count(const struct journal *j)
{
	return j->tick.open ? j->tick.records : 0;
}

size_t
journal_tick_bytes(const struct journal *j)
{
	return j->tick.open ? j->tick.bytes : 0;
}

/* Whether n more bytes fit; an empty tick may move to the next segment for it. */
static bool
tick_fits(const struct journal *j, struct tick *t, uint64_t n)
{
	uint64_t padded = jf_tick_padded(t->bytes + n);

	if (padded > j->opts.tick_max)
		return false;
	if (padded <= t->limit - t->offset)
		return true;
	if (t->records > 0 || padded > j->opts.segment_bytes - JOURNAL_BLOCK)
		return false;
	t->segment = j->cur->number + 1;
	t->offset = JOURNAL_BLOCK;
	t->limit = j->opts.segment_bytes;
	return true;
}

bool
journal_tick_room(struct journal *j, uint32_t records, uint64_t bytes)
{
	assert(j->tick.open);
	return bytes <= JOURNAL_SEGMENT_MAX &&
	    tick_fits(j, &j->tick, (uint64_t)records * JOURNAL_RECORD_HDR + bytes);
}

enum status
journal_add(struct journal *j, const struct journal_what *what, const struct iovec *iov,
    int n, uint64_t *lsn, struct journal_loc *loc)
{
	struct tick *t = &j->tick;
	char hdr[JOURNAL_RECORD_HDR];
	struct jf_record h;
	size_t length = 0;

	assert(t->open && what->type > JOURNAL_TICK && what->type < JOURNAL_PAD);
	if (j->failed || t->voided)
		return ST_UNAVAILABLE;
	for (int i = 0; i < n; i++)
		if (!size_add(length, iov[i].iov_len, &length))
			return ST_LIMIT;
	if (length > JOURNAL_RECORD_MAX || !tick_fits(j, t, JOURNAL_RECORD_HDR + length))
		return ST_LIMIT;

	h = (struct jf_record){ .length = (uint32_t)length, .epoch = what->epoch,
	    .account = what->account, .type = (uint8_t)what->type,
	    .lsn = t->first_lsn + t->records };
	jf_record_put(hdr, &h, iov, n);
	piece_copy(t, hdr, sizeof(hdr));
	for (int i = 0; i < n; i++) {
		if (iov[i].iov_len == 0)
			continue;
		if (iov[i].iov_len <= COPY_MAX)
			piece_copy(t, iov[i].iov_base, iov[i].iov_len);
		else
			piece_add(t, iov[i].iov_base, 0, iov[i].iov_len);
	}
	if (lsn != NULL)
		*lsn = h.lsn;
	if (loc != NULL)
		*loc = (struct journal_loc){ t->segment,
		    (uint32_t)(t->offset + t->bytes + JOURNAL_RECORD_HDR), h.length };
	t->records++;
	t->bytes += JOURNAL_RECORD_HDR + length;
	return ST_OK;
}

/* ---- writing ---- */

/* Pads, and fills in the tick's header. */
static void
tick_finish(struct journal *j, struct tick *t, uint64_t generation)
{
	static const char zeros[2 * JOURNAL_SECTOR];
	uint64_t padded = jf_tick_padded(t->bytes);
	char hdr[JOURNAL_RECORD_HDR];
	struct jf_tick jt = { .salt = j->salt, .generation = generation,
	    .tick = j->tick_no, .first_lsn = t->first_lsn,
	    .last_lsn = t->first_lsn + t->records - 1, .durable = j->durable.lsn,
	    .segment = t->segment, .records = t->records };

	if (padded > t->bytes) {
		struct jf_record h = { .type = JOURNAL_PAD, .lsn = jt.last_lsn,
		    .length = (uint32_t)(padded - t->bytes - JOURNAL_RECORD_HDR) };
		struct iovec iov = { (void *)(uintptr_t)zeros, h.length };

		jf_record_put(hdr, &h, &iov, 1);
		piece_copy(t, hdr, sizeof(hdr));
		piece_copy(t, zeros, h.length);
		t->bytes = padded;
	}
	jt.bytes = (uint32_t)t->bytes;
	jf_tick_put(t->small.data, &jt);
}

/* The segment's header goes in front of its first tick. */
static int
tick_pwrite(struct journal *j, const struct tick *t, const struct seg *s)
{
	struct iovec *iov = mem_array(t->n_pieces + 1, sizeof(*iov));
	char block[JOURNAL_BLOCK];
	uint64_t off = t->offset;
	int n = 0, rc, e;

	if (off == JOURNAL_BLOCK) {
		struct jf_segment h = { .version = JOURNAL_VERSION,
		    .shard = j->opts.shard, .segment = s->number, .bytes = s->bytes,
		    .generation = s->generation, .first_lsn = s->first_lsn,
		    .salt = j->salt, .first_tick = s->first_tick };

		jf_segment_put(block, &h);
		iov[n++] = (struct iovec){ block, sizeof(block) };
		off = 0;
	}
	for (size_t i = 0; i < t->n_pieces; i++) {
		const struct piece *p = &t->pieces[i];
		const char *at = p->p != NULL ? p->p : t->small.data + p->off;

		iov[n++] = (struct iovec){ (void *)(uintptr_t)at, p->len };
	}
	rc = jio_write_full(&j->io, s->fd, iov, n, off);
	e = errno;
	mem_free(&iov);
	errno = e;
	return rc;
}

/* After ENOSPC: what was written of the tick at (s, offset) must not turn up after a
 * crash.  Its header goes, with that of a segment begun by it, and that is durable
 * before anybody hears of it. */
static enum status
tick_undo(struct journal *j, const struct seg *s, uint32_t offset)
{
	static const char zeros[JOURNAL_SECTOR];

	if (jio_write_at(&j->io, s->fd, zeros, sizeof(zeros), offset) == 0 &&
	    (offset != JOURNAL_BLOCK || s->number == j->durable.segment ||
	    jio_write_at(&j->io, s->fd, zeros, sizeof(zeros), 0) == 0) &&
	    j->io.fdatasync(j->io.ctx, s->fd) == 0)
		return ST_NO_SPACE;
	LOG(NULL, FATAL, "journal.undo", KV_STR("dir", j->dir), KV_ERRNO(errno));
	j->failed = true;
	return ST_UNAVAILABLE;
}

static bool
is_no_space(int e)
{
	return e == ENOSPC || e == EDQUOT;
}

/* The segment where the tick stands, opened; made current if it is a new one. */
static enum status
tick_segment(struct journal *j, const struct tick *t, struct seg **out)
{
	struct seg *s;

	if (t->segment == j->cur->number) {
		*out = seg_get(j, t->segment);
		return *out != NULL ? ST_OK : ST_UNAVAILABLE;
	}
	if (seg_make_wait(j, t->segment) != 0) {
		LOG(NULL, ERROR, "journal.segment", KV_STR("dir", j->dir),
		    KV_UINT("segment", t->segment), KV_ERRNO(errno));
		return is_no_space(errno) ? ST_NO_SPACE : ST_UNAVAILABLE;
	}
	pthread_mutex_lock(&j->lock);
	s = seg_insert(j, t->segment, j->opts.segment_bytes);
	s->first_lsn = t->first_lsn;
	s->first_tick = j->tick_no;
	s->generation = ++j->generation;
	s->valid = true;
	pthread_mutex_unlock(&j->lock);
	*out = seg_get(j, t->segment);
	return *out != NULL ? ST_OK : ST_UNAVAILABLE;
}

/* The write of t into s failed with errno e. */
static enum status
tick_failed(struct journal *j, const struct tick *t, struct seg *s, int e)
{
	enum status st = ST_UNAVAILABLE;

	LOG(NULL, ERROR, "journal.write", KV_STR("dir", j->dir),
	    KV_UINT("segment", s->number), KV_UINT("offset", t->offset), KV_ERRNO(e));
	if (is_no_space(e))
		st = tick_undo(j, s, t->offset);
	seg_put(j, s);
	if (s != j->cur) {
		/* Its file stays, made ahead for the next try. */
		pthread_mutex_lock(&j->lock);
		seg_forget(j, s);
		pthread_mutex_unlock(&j->lock);
	}
	return st;
}

static void
tick_written(struct journal *j, const struct tick *t, struct seg *s)
{
	pthread_mutex_lock(&j->lock);
	if (s != j->cur) {
		seg_put_locked(j->cur);
		j->cur = s;
		if (j->make_recycled)
			j->stats.segments_recycled++;
		else
			j->stats.segments_made++;
		j->make = MAKE_IDLE;
	} else {
		seg_put_locked(s);	/* j->cur holds one of its own */
	}
	j->flush = FLUSH_WRITTEN;
	j->flushing = true;
	pthread_mutex_unlock(&j->lock);
	j->written = (struct journal_pos){ .lsn = t->first_lsn + t->records - 1,
	    .tick_lsn = t->first_lsn + t->records, .segment = s->number,
	    .offset = (uint32_t)(t->offset + t->bytes) };
	j->tick_no++;
	j->stats.ticks++;
	j->stats.records += t->records;
	j->stats.bytes += t->bytes;
	if (j->written.offset > s->bytes / 2)
		seg_make_ahead(j);
}

enum status
journal_tick_write(struct journal *j, struct journal_pos *end)
{
	struct tick *t = &j->tick;
	struct seg *s = NULL;
	enum status st = ST_OK;

	assert(t->open && !journal_flush_running(j));
	t->open = false;
	if (j->failed || t->voided)
		return ST_UNAVAILABLE;
	if (t->records > 0)
		st = tick_segment(j, t, &s);
	if (s != NULL) {
		tick_finish(j, t, s->generation);
		if (tick_pwrite(j, t, s) == 0)
			tick_written(j, t, s);
		else
			st = tick_failed(j, t, s, errno);
	}
	if (st == ST_UNAVAILABLE)
		j->failed = true;
	if (st == ST_OK && end != NULL)
		*end = j->written;
	return st;
}

/* ---- the mark ---- */

int
mark_write(struct journal *j, uint64_t durable)
{
	char block[JOURNAL_BLOCK];
	struct jf_mark m = { .version = JOURNAL_VERSION, .shard = j->opts.shard,
	    .sequence = ++j->mark_sequence, .salt = j->salt, .durable = durable };

	jf_mark_put(block, &m);
	if (jio_write_at(&j->io, j->mark_fd, block, sizeof(block),
	    m.sequence % 2 * JOURNAL_BLOCK) != 0)
		return -1;
	return j->io.fdatasync(j->io.ctx, j->mark_fd);
}

/* The lock is held, and let go meanwhile.  A mark that cannot be written for want of
 * space is a smaller net; after any other error nothing can be believed. */
static void
mark_locked(struct journal *j)
{
	uint64_t lsn = j->mark_lsn;
	int rc, e;

	j->marked_ms = clock_mono_ms();
	pthread_mutex_unlock(&j->lock);
	rc = mark_write(j, lsn);
	e = errno;
	pthread_mutex_lock(&j->lock);
	if (rc == 0)
		j->marked_lsn = lsn;
	else if (!is_no_space(e))
		j->mark_failed = true;
}

/* ---- the flusher ---- */

static void
flush_signal(struct journal *j)
{
	uint64_t one = 1;
	ssize_t n = write(j->event_fd, &one, sizeof(one));

	assert(n == (ssize_t)sizeof(one));
	(void)n;
}

/* The lock is held, and let go meanwhile. */
static void
flush_locked(struct journal *j)
{
	uint64_t start, lsn = j->flush_lsn;
	int fd = j->flush_fd_seg, rc, e;

	pthread_mutex_unlock(&j->lock);
	start = clock_mono_us();
	rc = j->io.fdatasync(j->io.ctx, fd);
	e = rc == 0 ? 0 : errno;
	pthread_mutex_lock(&j->lock);
	j->flush_us = clock_mono_us() - start;
	j->flush_errno = e;
	if (e == 0)
		j->mark_lsn = lsn;
	j->flush = FLUSH_DONE;
	pthread_cond_broadcast(&j->made);
	flush_signal(j);
}

static void
sleep_locked(struct journal *j, uint64_t ms)
{
	struct timespec ts = clock_mono_in(ms);

	pthread_cond_timedwait(&j->wake, &j->lock, &ts);
}

void *
flush_thread(void *arg)
{
	struct journal *j = arg;

	pthread_mutex_lock(&j->lock);
	while (!j->stop || j->flush == FLUSH_ASKED) {
		bool unmarked = j->mark_lsn > j->marked_lsn && !j->mark_failed;
		uint64_t since = clock_mono_ms() - j->marked_ms;

		if (j->flush == FLUSH_ASKED)
			flush_locked(j);
		else if (unmarked && since >= j->opts.mark_ms)
			mark_locked(j);
		else if (unmarked)
			sleep_locked(j, j->opts.mark_ms - since);
		else
			pthread_cond_wait(&j->wake, &j->lock);
	}
	pthread_mutex_unlock(&j->lock);
	return NULL;
}

int
journal_flush_fd(const struct journal *j)
{
	return j->event_fd;
}

void
journal_flush_start(struct journal *j)
{
	pthread_mutex_lock(&j->lock);
	if (j->flush == FLUSH_WRITTEN) {
		j->flush = FLUSH_ASKED;
		j->flush_fd_seg = j->cur->fd;
		j->flush_lsn = j->written.lsn;
		if (j->threads) {
			pthread_cond_signal(&j->wake);
		} else {
			flush_locked(j);
			if (j->flush_errno == 0)
				mark_locked(j);
		}
	}
	pthread_mutex_unlock(&j->lock);
}

bool
journal_flush_running(const struct journal *j)
{
	return j->flushing;
}

/* The written tick never happened. */
static enum status
flush_undo(struct journal *j)
{
	uint32_t offset = JOURNAL_BLOCK;
	enum status st;

	if (j->cur->number == j->durable.segment)
		offset = j->durable.offset;
	st = tick_undo(j, j->cur, offset);
	j->written = j->durable;
	/* A new segment stays the current one, empty. */
	j->written.segment = j->cur->number;
	j->written.offset = offset;
	j->tick_no--;
	j->tick.voided = j->tick.open;
	return st;
}

enum status
journal_flush_done(struct journal *j, struct journal_pos *durable)
{
	uint64_t count;
	bool mark_failed;
	int e = 0;

	pthread_mutex_lock(&j->lock);
	assert(j->flush != FLUSH_WRITTEN);
	while (j->flush == FLUSH_ASKED)
		pthread_cond_wait(&j->made, &j->lock);
	if (j->flush == FLUSH_DONE) {
		e = j->flush_errno;
		j->flush = FLUSH_IDLE;
		j->flushing = false;
		j->stats.flushes++;
		j->stats.flush_us_sum += j->flush_us;
		if (j->flush_us > j->stats.flush_us_max)
			j->stats.flush_us_max = j->flush_us;
		if (read(j->event_fd, &count, sizeof(count)) < 0)
			assert(errno == EAGAIN);
		if (e == 0)
			j->durable = j->written;
	}
	mark_failed = j->mark_failed;
	pthread_mutex_unlock(&j->lock);

	if (is_no_space(e) && flush_undo(j) == ST_NO_SPACE)
		return ST_NO_SPACE;
	if (e != 0 || mark_failed) {
		LOG(NULL, FATAL, "journal.sync", KV_STR("dir", j->dir),
		    KV_ERRNO(e != 0 ? e : EIO));
		j->failed = true;
	}
	if (durable != NULL)
		*durable = j->durable;
	return j->failed ? ST_UNAVAILABLE : ST_OK;
}
