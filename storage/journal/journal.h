/* storage/journal/journal.h
 * The truth of a shard: an append-only run of records in segment files.  What is
 * in it and synced happened; the database behind it is derived.
 *
 * Records are written in ticks.  A tick is one write and one sync, and is atomic:
 * after a crash it is there whole or not at all.  A segment is the final place
 * of the message bodies inside it; a location (segment, offset, length) names one.
 *
 * One thread (the owner) builds, writes and replays; the read functions may be
 * called from any thread.  The sync runs in a thread of its own: the owner waits
 * for journal_flush_fd() to become readable and goes on collecting meanwhile.
 *
 *	journal_tick_begin(j);
 *	journal_add(j, &what, iov, n, &lsn, &loc);	... as often as it fits
 *	journal_tick_write(j, &end);
 *	journal_flush_start(j);
 *	(readable)  journal_flush_done(j, &end);	now it happened: apply, answer
 *
 * After a crash journal_open() tells damage from a torn end.  A record that is bad
 * although the journal was known durable up to it is damage: the open fails with
 * ST_CORRUPT and names the place, nothing is changed.  What is bad and was never
 * known durable is what a power loss leaves of the last tick: it is discarded, and
 * cleared before the first new write.  "Known durable" is the highest of: the
 * durable LSN in the header of any later tick, the first LSN of a later segment,
 * the mark file (written every second, when idle, and on close), the position
 * given to open.
 *
 * The bytes on disk are described in journal_format.h. */
#ifndef STORAGE_JOURNAL_JOURNAL_H
#define STORAGE_JOURNAL_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "common/util/buf.h"
#include "common/util/bytes.h"
#include "common/util/span.h"
#include "common/util/status.h"
#include "storage/journal/jio.h"

/* Numbers on disk: never reused. */
enum journal_type {
	JOURNAL_TICK = 1,	/* header of a tick; never handed out */
	JOURNAL_OP = 2,		/* an operation */
	JOURNAL_BODY = 3,	/* a message body; its final place */
	JOURNAL_CHUNK = 4,	/* a piece of something staged, adopted by a later operation */
	JOURNAL_OUTCOME = 5,	/* what the previous tick's operations came to */
	JOURNAL_PAD = 6		/* fills a tick's last sector; never handed out */
};

#define JOURNAL_SEGMENT_BYTES	(64u << 20)
#define JOURNAL_SEGMENT_MIN	(64u << 10)
#define JOURNAL_SEGMENT_MAX	(1u << 30)
#define JOURNAL_TICK_MAX	(16u << 20)
/* Longest payload of a record.  Keep bodies and chunks far below: a record is the
 * unit in which journal_read_checked() verifies. */
#define JOURNAL_RECORD_MAX	(4u << 20)

struct journal;

/* Where a payload lies.  0 is no segment. */
struct journal_loc {
	uint32_t	segment, offset, length;
};

/* How far something (the applied state, a hot copy) has come.  Zeroed: nothing
 * yet.  lsn is the last record taken in; the rest is where to go on reading: a
 * tick whose first record is tick_lsn begins, or will begin, at (segment, offset),
 * or at the start of the next segment.
 * A position inside a tick is the position before that tick with lsn raised. */
struct journal_pos {
	uint64_t	lsn, tick_lsn;
	uint32_t	segment, offset;
};

#define JOURNAL_POS_BYTES 24
void journal_pos_put(struct buf *b, const struct journal_pos *pos);
/* Leaves the error in r. */
void journal_pos_get(struct reader *r, struct journal_pos *pos);

/* Zeroed members mean the default. */
struct journal_opts {
	uint32_t	shard;		/* must agree with the segments' */
	uint32_t	segment_bytes;	/* of new segments; a multiple of 4096 */
	uint32_t	tick_max;	/* longest tick */
	uint32_t	mark_ms;	/* mark at most this often; default 1000 */
	uint64_t	reserve_bytes;	/* kept free beside two segments: checkpoint, database log */
	uint64_t	salt;		/* 0: random; makes a new journal's bytes repeatable */
	bool		cut;		/* with damage behind applied: go on in front of it, what stands
					 * behind is gone; see journal_damage.lost */
	bool		read_only;	/* tools: nothing is written, the end is not cleared */
	bool		inline_io;	/* tests: no threads; flush_start syncs before it returns,
					 * segments are made when needed, a mark at every flush */
};

/* What journal_open found wrong (ST_CORRUPT), or cut off (ST_OK). */
struct journal_damage {
	uint32_t	segment, offset;	/* first bad byte run: record, tick or header */
	uint64_t	lsn;			/* LSN expected there */
	uint64_t	durable;		/* highest LSN known durable */
	uint64_t	cut_bytes;		/* ST_OK: nonzero bytes discarded behind the end */
	bool		lost;			/* ST_OK with opts.cut: durable records were discarded */
	char		what[160];		/* one English line, no line end */
};

/* io NULL: the real file system.  Makes the journal when dir holds none and applied
 * is zero (dir exists).  applied: the position of the state, zeroed for none;
 * everything from there on is verified.  damage may be NULL.
 * ST_CORRUPT: see damage; ST_NO_SPACE; ST_CONFLICT: another process has it open (not
 * asked for read_only); ST_UNAVAILABLE: the disk or another journal
 * format version (damage->what says).  *j is NULL unless ST_OK. */
enum status journal_open(const char *dir, const struct jio *io,
    const struct journal_opts *opts, const struct journal_pos *applied,
    struct journal **j, struct journal_damage *damage);
/* Waits for a running flush, writes the mark.  A tick being built is dropped. */
void journal_close(struct journal **j);

/* The end of what is durable. */
void journal_end(const struct journal *j, struct journal_pos *end);
/* The lowest LSN that the segments still go back to without a gap, at their head. */
uint64_t journal_first_lsn(const struct journal *j);

struct journal_record {
	enum journal_type	type;
	uint32_t		epoch;
	uint64_t		account;
	uint64_t		lsn;
	uint64_t		tick;		/* number of its tick */
	bool			last;		/* of its tick */
	struct journal_loc	loc;		/* of the payload */
	struct span		payload;	/* borrowed until the callback returns */
	struct journal_pos	pos;		/* to store when this record is applied */
};

/* Any other value than ST_OK ends the replay and is returned by it. */
typedef enum status (*journal_replay_fn)(const struct journal_record *r, void *arg);

/* Hands out every durable record above from->lsn, in order.  Before the first tick
 * is written, or at any time from the owner's thread.  ST_CORRUPT: damage found
 * (damage may be NULL). */
enum status journal_replay(struct journal *j, const struct journal_pos *from,
    journal_replay_fn fn, void *arg, struct journal_damage *damage);

/* ---- building a tick ---- */

struct journal_what {
	enum journal_type	type;		/* OP, BODY, CHUNK or OUTCOME */
	uint32_t		epoch;
	uint64_t		account;
};

/* Starts a tick; one is built at a time, also while a flush runs. */
void journal_tick_begin(struct journal *j);
/* Adds a record.  Payload pieces above 2 KiB are not copied: they stay unchanged
 * until journal_tick_write() or _cancel().  lsn and loc (either may be NULL) are
 * final when the tick is written.
 * ST_LIMIT: does not fit into this tick (or, with an empty tick, into any): write
 * this one and begin another.  ST_UNAVAILABLE: the journal has failed, or the tick is
 * void because the flush before it ended in ST_NO_SPACE: cancel it and begin again. */
enum status journal_add(struct journal *j, const struct journal_what *what,
    const struct iovec *iov, int n, uint64_t *lsn, struct journal_loc *loc);
/* Whether records with payloads of `bytes` altogether still fit, for records that have to
 * stand in one tick.  An empty tick moves to the next segment for them. */
bool journal_tick_room(struct journal *j, uint32_t records, uint64_t bytes);
/* Records in the tick being built, and its bytes so far. */
uint32_t journal_tick_count(const struct journal *j);
size_t journal_tick_bytes(const struct journal *j);
/* Writes the tick; no flush may be running.  *end (may be NULL) is the position behind it.
 * ST_NO_SPACE: nothing was written, the tick is dropped, its LSNs are given out again.
 * ST_UNAVAILABLE: the disk failed; the process must end.
 * An empty tick is dropped: ST_OK. */
enum status journal_tick_write(struct journal *j, struct journal_pos *end);
void journal_tick_cancel(struct journal *j);

/* ---- making it durable ---- */

/* Readable when a flush is done. */
int journal_flush_fd(const struct journal *j);
/* After journal_tick_write() returned ST_OK.  Without a written tick: nothing happens. */
void journal_flush_start(struct journal *j);
/* A tick is written and journal_flush_done() has not taken its flush yet. */
bool journal_flush_running(const struct journal *j);
/* Takes the result; waits when it is not there yet.  *durable (may be NULL): the
 * end of what is durable.
 * ST_NO_SPACE: the tick was undone as if never written (see journal_add for the tick
 * being built).  ST_UNAVAILABLE: the sync failed: nothing that was not durable before
 * may be answered, the process must end. */
enum status journal_flush_done(struct journal *j, struct journal_pos *durable);

/* ---- reading bodies: any thread ---- */

/* Exactly loc.length bytes.  ST_NOT_FOUND: no such segment; ST_CORRUPT: beyond its
 * end; ST_UNAVAILABLE: I/O error. */
enum status journal_read(struct journal *j, struct journal_loc loc, void *p);
/* As journal_read(), but ST_UNAVAILABLE with *would_block true when the bytes are
 * not in memory: hand the request to a reader thread. */
enum status journal_read_nowait(struct journal *j, struct journal_loc loc, void *p,
    bool *would_block);
/* Reads a whole payload and checks the record around it (type BODY, CHUNK, OP or
 * OUTCOME, length, CRC-32C): ST_CORRUPT if it is not what was written.  loc must be
 * a location as journal_add() gave it.  A record has one CRC over all of it, so a
 * range inside cannot be verified alone: verify the record, or keep a digest. */
enum status journal_read_checked(struct journal *j, struct journal_loc loc, void *p);

/* ---- space ---- */

struct journal_segment {
	uint32_t	segment;
	uint32_t	bytes;		/* size of the file */
	uint32_t	used;		/* bytes in use; of all but the last: the size */
	uint64_t	first_lsn;
	bool		writing;	/* the last one */
};

/* Segments in rising order; the array is the caller's.  Gaps are what was released. */
void journal_segments(struct journal *j, struct journal_segment **list, size_t *n);
/* Nothing refers to the segment any more, and nobody will replay it: its file is used
 * for a later segment, or removed.  The caller counts live bytes and makes sure that
 * no read of it is under way.  ST_CONFLICT: it is being written. */
enum status journal_segment_release(struct journal *j, uint32_t segment);
/* Files of released segments that wait for their next life go. */
void journal_drop_free(struct journal *j);
/* Room for `bytes` more on the disk, above the reserve of two segments and
 * opts.reserve_bytes.  Asks the file system at most every second. */
bool journal_has_room(struct journal *j, uint64_t bytes);
/* Room for `bytes` more above half of the reserve: for what makes room in the end. */
bool journal_has_spare(struct journal *j, uint64_t bytes);
/* Half of the reserve is there: below it nothing is to be changed at all, for the database's
 * own files must not meet a full disk. */
bool journal_can_change(struct journal *j);

struct journal_stats {
	uint64_t	ticks, records, bytes;		/* since open */
	uint64_t	flushes, flush_us_sum, flush_us_max;
	uint64_t	segments_made, segments_recycled;
	uint64_t	waits;		/* a tick had to wait for its segment */
};
void journal_stats(struct journal *j, struct journal_stats *st);

#endif
