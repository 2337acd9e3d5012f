/* storage/journal/scan.c
 * Reads ticks in order: to find the end when a journal is opened, and to replay.
 *
 * The end is where no valid tick follows.  Whether that is the torn end or damage is
 * decided by evidence: anything behind it that says more was durable. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/util/mem.h"
#include "storage/journal/journal_priv.h"

#define SCAN_BYTES (1u << 20)

int
scan_header(struct journal *j, struct seg *s, struct jf_segment *h, bool *ok)
{
	char block[JOURNAL_BLOCK];
	ssize_t n = jio_read_full(&j->io, s->fd, block, sizeof(block), 0);

	if (n < 0)
		return -1;
	*ok = n == (ssize_t)sizeof(block) && jf_segment_get(block, h) &&
	    h->segment == s->number;
	return 0;
}

static void
scan_raise(struct scan *sc, uint64_t durable)
{
	if (durable > sc->durable)
		sc->durable = durable;
}

static void
scan_bad(struct scan *sc, uint64_t offset, uint64_t lsn, const char *why)
{
	sc->bad_offset = (uint32_t)offset;
	sc->bad_lsn = lsn;
	sc->why = why;
}

/* ---- one tick ---- */

struct tick_view {
	struct jf_tick	t;
	struct buf	bytes;
};

/* ST_NOT_FOUND: no valid header of the expected tick at the scan's place. */
static enum status
tick_header(struct journal *j, const struct seg *s, struct scan *sc, struct jf_tick *t)
{
	char hdr[JOURNAL_TICK_HDR];
	ssize_t n;

	scan_bad(sc, sc->offset, sc->lsn, "no valid tick header");
	if (sc->offset > s->bytes || s->bytes - sc->offset < sizeof(hdr))
		return ST_NOT_FOUND;
	n = jio_read_full(&j->io, s->fd, hdr, sizeof(hdr), sc->offset);
	if (n < 0)
		return ST_UNAVAILABLE;
	if (n < (ssize_t)sizeof(hdr) || !jf_tick_get(hdr, t) || t->salt != j->salt ||
	    t->segment != s->number || t->generation != s->generation)
		return ST_NOT_FOUND;
	if (t->first_lsn != sc->lsn || t->tick != sc->tick ||
	    t->bytes > s->bytes - sc->offset) {
		scan_bad(sc, sc->offset, sc->lsn, "tick header out of sequence");
		return ST_NOT_FOUND;
	}
	return ST_OK;
}

/* Takes the record at *at out of the tick's bytes, checked but for its sequence. */
static bool
record_at(struct span bytes, uint64_t *at, struct jf_record *h, struct span *payload)
{
	const char *p = bytes.p + *at;

	if (bytes.len - *at < JOURNAL_RECORD_HDR || !jf_record_get(p, h) ||
	    h->length > bytes.len - *at - JOURNAL_RECORD_HDR)
		return false;
	*payload = span(p + JOURNAL_RECORD_HDR, h->length);
	if (!jf_record_check(p, h, payload->p))
		return false;
	*at += JOURNAL_RECORD_HDR + h->length;
	return true;
}

static bool
payload_type(uint8_t type)
{
	return type > JOURNAL_TICK && type < JOURNAL_PAD;
}

/* All records of the tick at the scan's place: ST_NOT_FOUND when one is bad. */
static enum status
tick_load(struct journal *j, const struct seg *s, struct scan *sc, struct tick_view *v)
{
	enum status st = tick_header(j, s, sc, &v->t);
	uint64_t at = JOURNAL_TICK_HDR;
	struct span payload, bytes;
	struct jf_record h;
	ssize_t n;

	if (st != ST_OK)
		return st;
	buf_clear(&v->bytes);
	n = jio_read_full(&j->io, s->fd, buf_reserve(&v->bytes, v->t.bytes), v->t.bytes,
	    sc->offset);
	if (n < 0)
		return ST_UNAVAILABLE;
	buf_added(&v->bytes, (size_t)n);
	bytes = buf_span(&v->bytes);
	if (bytes.len < v->t.bytes)
		return ST_NOT_FOUND;
	for (uint32_t i = 0; i < v->t.records; i++) {
		uint64_t lsn = v->t.first_lsn + i;

		scan_bad(sc, sc->offset + at, lsn, "bad record");
		if (!record_at(bytes, &at, &h, &payload) || h.lsn != lsn ||
		    !payload_type(h.type))
			return ST_NOT_FOUND;
	}
	if (at == bytes.len)
		return ST_OK;
	scan_bad(sc, sc->offset + at, v->t.last_lsn, "bad padding");
	if (!record_at(bytes, &at, &h, &payload) || h.type != JOURNAL_PAD ||
	    h.lsn != v->t.last_lsn || at != bytes.len)
		return ST_NOT_FOUND;
	return ST_OK;
}

/* The tick was checked: its records parse. */
static enum status
tick_deliver(const struct tick_view *v, const struct scan *sc, uint64_t above,
    journal_replay_fn fn, void *arg)
{
	struct span bytes = buf_span(&v->bytes);
	uint64_t at = JOURNAL_TICK_HDR;
	enum status st = ST_OK;

	for (uint32_t i = 0; i < v->t.records && st == ST_OK; i++) {
		struct journal_record r = { .tick = v->t.tick };
		struct jf_record h;

		(void)record_at(bytes, &at, &h, &r.payload);
		if (h.lsn <= above)
			continue;
		r.type = h.type;
		r.epoch = h.epoch;
		r.account = h.account;
		r.lsn = h.lsn;
		r.last = h.lsn == v->t.last_lsn;
		r.loc = (struct journal_loc){ sc->segment,
		    (uint32_t)(sc->offset + at - h.length), h.length };
		r.pos = (struct journal_pos){ .lsn = h.lsn,
		    .tick_lsn = r.last ? h.lsn + 1 : v->t.first_lsn,
		    .segment = sc->segment,
		    .offset = sc->offset + (r.last ? v->t.bytes : 0) };
		st = fn(&r, arg);
	}
	return st;
}

/* ---- the walk ---- */

/* To the next segment, if it goes on with the expected record. */
static bool
next_segment(struct journal *j, struct scan *sc)
{
	struct seg *next = NULL;

	pthread_mutex_lock(&j->lock);
	for (size_t i = j->n_segs; i-- > 0 && j->segs[i]->number > sc->segment;)
		next = j->segs[i];
	pthread_mutex_unlock(&j->lock);
	if (next == NULL || !next->valid || next->first_lsn != sc->lsn)
		return false;
	sc->segment = next->number;
	sc->offset = JOURNAL_BLOCK;
	sc->tick = next->first_tick;
	return true;
}

/* Sets the scan on the first tick of from's segment. */
static bool
scan_start(struct journal *j, const struct journal_pos *from, struct scan *sc)
{
	struct seg *s;

	if (from->lsn > sc->durable)
		sc->durable = from->lsn;
	sc->lsn = from->tick_lsn != 0 ? from->tick_lsn : 1;
	sc->segment = from->tick_lsn != 0 ? from->segment : j->segs[0]->number;
	sc->offset = 0;
	scan_bad(sc, 0, sc->lsn, "segment header");
	pthread_mutex_lock(&j->lock);
	s = seg_find(j, sc->segment);
	pthread_mutex_unlock(&j->lock);
	if (s == NULL) {
		scan_bad(sc, 0, sc->lsn, "segment is missing");
		return next_segment(j, sc);
	}
	if (!s->valid)
		return false;
	if (s->first_lsn > sc->lsn) {
		scan_bad(sc, 0, sc->lsn, "the journal does not go back to this record");
		scan_raise(sc, s->first_lsn - 1);
		return false;
	}
	sc->lsn = s->first_lsn;
	sc->tick = s->first_tick;
	sc->offset = JOURNAL_BLOCK;
	return true;
}

/* One tick further.  Ticks before from were applied long ago: their headers alone
 * are followed, up to from, where the numbers must agree. */
static enum status
scan_step(struct journal *j, const struct journal_pos *from, struct scan *sc,
    struct tick_view *v, journal_replay_fn fn, void *arg)
{
	struct seg *s = seg_get(j, sc->segment);
	bool before = sc->segment == from->segment && sc->offset < from->offset;
	enum status st;

	if (s == NULL)
		return ST_UNAVAILABLE;
	if (sc->segment == from->segment && sc->offset == from->offset &&
	    from->tick_lsn != 0 && sc->lsn != from->tick_lsn) {
		scan_bad(sc, sc->offset, sc->lsn, "the position given is not this journal's");
		st = ST_CORRUPT;
	} else {
		st = before ? tick_header(j, s, sc, &v->t) : tick_load(j, s, sc, v);
	}
	seg_put(j, s);
	if (st != ST_OK)
		return st;
	if (before && v->t.bytes > from->offset - sc->offset) {
		scan_bad(sc, sc->offset, sc->lsn, "the position given is inside this tick");
		return ST_CORRUPT;
	}
	if (!before && fn != NULL)
		sc->stopped = tick_deliver(v, sc, from->lsn, fn, arg);
	scan_raise(sc, v->t.durable);
	sc->lsn = v->t.last_lsn + 1;
	sc->tick++;
	sc->offset += v->t.bytes;
	return ST_OK;
}

enum status
scan_run(struct journal *j, const struct journal_pos *from, uint64_t stop_lsn,
    journal_replay_fn fn, void *arg, struct scan *sc)
{
	struct tick_view v = { 0 };
	enum status st = ST_OK;

	if (!scan_start(j, from, sc))
		return ST_OK;
	while (sc->stopped == ST_OK && (stop_lsn == 0 || sc->lsn <= stop_lsn)) {
		st = scan_step(j, from, sc, &v, fn, arg);
		if (st == ST_NOT_FOUND && next_segment(j, sc))
			continue;
		if (st != ST_OK)
			break;
	}
	buf_fini(&v.bytes);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* ---- behind the end ---- */

/* Any tick header of this file's present life tells how far things were durable. */
static enum status
evidence_in(struct journal *j, struct seg *s, uint32_t from, char *mem, struct scan *sc)
{
	struct jf_tick t;
	char salt[8];

	put_be64(salt, j->salt);
	for (uint64_t off = from; off < s->bytes && sc->durable < sc->lsn; off += SCAN_BYTES) {
		ssize_t n = jio_read_full(&j->io, s->fd, mem, SCAN_BYTES, off);

		if (n < 0)
			return ST_UNAVAILABLE;
		for (ssize_t i = 0; i + (ssize_t)JOURNAL_TICK_HDR <= n; i += JOURNAL_SECTOR) {
			if (memcmp(mem + i + JOURNAL_RECORD_HDR, salt, 8) != 0 ||
			    !jf_tick_get(mem + i, &t) || t.segment != s->number ||
			    (s->valid && t.generation != s->generation))
				continue;
			scan_raise(sc, t.durable);
		}
	}
	return ST_OK;
}

/* The walk stopped at a segment's end and more was durable: where a tick follows that
 * would go on, it is the next segment's header that is bad. */
static void
blame_header(struct journal *j, struct scan *sc)
{
	char hdr[JOURNAL_TICK_HDR];
	struct jf_tick t;
	struct seg *next = seg_get(j, sc->segment + 1);

	if (next == NULL)
		return;
	if (!next->valid && jio_read_full(&j->io, next->fd, hdr, sizeof(hdr),
	    JOURNAL_BLOCK) == (ssize_t)sizeof(hdr) && jf_tick_get(hdr, &t) &&
	    t.salt == j->salt && t.segment == next->number && t.first_lsn == sc->lsn) {
		sc->segment = next->number;
		scan_bad(sc, 0, sc->lsn, "segment header");
	}
	seg_put(j, next);
}

enum status
scan_evidence(struct journal *j, struct scan *sc)
{
	char *mem = mem_alloc(SCAN_BYTES);
	enum status st = ST_OK;

	for (size_t i = 0; i < j->n_segs && st == ST_OK && sc->durable < sc->lsn; i++) {
		uint32_t from = JOURNAL_BLOCK, number = j->segs[i]->number;
		struct seg *s;

		if (number < sc->segment)
			continue;
		if (number == sc->segment && sc->offset > from)
			from = sc->offset;
		if (number > sc->segment && j->segs[i]->valid)
			scan_raise(sc, j->segs[i]->first_lsn - 1);
		s = seg_get(j, number);
		if (s == NULL) {
			st = ST_UNAVAILABLE;
			break;
		}
		st = evidence_in(j, s, from, mem, sc);
		seg_put(j, s);
	}
	if (st == ST_OK && sc->durable >= sc->lsn)
		blame_header(j, sc);
	mem_free(&mem);
	return st;
}

void
scan_damage(const struct scan *sc, struct journal_damage *d)
{
	if (d == NULL)
		return;
	d->segment = sc->segment;
	d->offset = sc->bad_offset;
	d->lsn = sc->bad_lsn;
	d->durable = sc->durable;
	snprintf(d->what, sizeof(d->what), "%s: segment %" PRIu32 " offset %" PRIu32
	    " lsn %" PRIu64 ", known durable up to lsn %" PRIu64, sc->why, sc->segment,
	    sc->bad_offset, sc->bad_lsn, sc->durable);
}

/* First and last nonzero byte of mem; false: none. */
static bool
nonzero(const char *mem, size_t n, size_t *first, size_t *last)
{
	size_t a = 0;

	while (a < n && mem[a] == 0)
		a++;
	if (a == n)
		return false;
	while (mem[n - 1] == 0)
		n--;
	*first = a;
	*last = n - 1;
	return true;
}

enum status
scan_clear(struct journal *j, const struct scan *sc, uint64_t *cleared)
{
	char *mem = mem_alloc(SCAN_BYTES);
	struct seg *s = seg_get(j, sc->segment);
	enum status st = s != NULL ? ST_OK : ST_UNAVAILABLE;

	for (uint64_t off = sc->offset; st == ST_OK && off < s->bytes; off += SCAN_BYTES) {
		ssize_t n = jio_read_full(&j->io, s->fd, mem, SCAN_BYTES, off);
		size_t first, last;

		if (n < 0) {
			st = ST_UNAVAILABLE;
		} else if (nonzero(mem, (size_t)n, &first, &last)) {
			*cleared += last - first + 1;
			memset(mem + first, 0, last - first + 1);
			if (jio_write_at(&j->io, s->fd, mem + first, last - first + 1,
			    off + first) != 0)
				st = errno == ENOSPC ? ST_NO_SPACE : ST_UNAVAILABLE;
		}
	}
	/* Also when nothing was cleared: what a killed process wrote may stand in
	 * the page cache only, and is about to be taken as durable. */
	if (st == ST_OK && j->io.fdatasync(j->io.ctx, s->fd) != 0)
		st = ST_UNAVAILABLE;
	if (s != NULL)
		seg_put(j, s);
	mem_free(&mem);
	return st;
}

enum status
journal_replay(struct journal *j, const struct journal_pos *from, journal_replay_fn fn,
    void *arg, struct journal_damage *damage)
{
	struct scan sc = { .durable = j->durable.lsn };
	enum status st;

	if (from->lsn >= j->durable.lsn && from->lsn > 0)
		return ST_OK;
	st = scan_run(j, from, j->durable.lsn, fn, arg, &sc);
	if (st == ST_OK && sc.stopped != ST_OK)
		return sc.stopped;
	if (st == ST_OK && sc.lsn <= j->durable.lsn)
		st = ST_CORRUPT;
	if (st == ST_CORRUPT)
		scan_damage(&sc, damage);
	return st;
}
