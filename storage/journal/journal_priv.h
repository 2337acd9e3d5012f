/* storage/journal/journal_priv.h
 * What the files of the journal share.
 *
 * journal.c	open, close, the folder
 * scan.c	reading ticks: verify, find the end, replay
 * tick.c	building and writing a tick, flush and mark
 * segment.c	the table of segments, making and recycling files, reads
 *
 * Threads: the owner; the flusher (sync, mark); the maker (segments made ahead);
 * readers.  `lock` guards what the comment below says. */
#ifndef STORAGE_JOURNAL_JOURNAL_PRIV_H
#define STORAGE_JOURNAL_JOURNAL_PRIV_H

#include <pthread.h>

#include "common/util/buf.h"
#include "storage/journal/journal.h"
#include "storage/journal/journal_format.h"

struct seg {
	uint32_t	number, bytes;
	uint64_t	generation, first_lsn, first_tick;
	bool		valid;		/* its header is; always, once open is done */
	int		fd;		/* -1: opened when needed */
	unsigned	refs;		/* who uses fd now */
	uint64_t	used_at;	/* order of use, to close the oldest */
};

/* A run of bytes of the tick being built: inside small when p is NULL. */
struct piece {
	const void	*p;
	size_t		off, len;
};

struct tick {
	bool		open, voided;
	uint32_t	segment, offset;	/* where it will stand */
	uint32_t	limit;			/* end of that segment */
	uint64_t	first_lsn;
	uint32_t	records;
	uint64_t	bytes;			/* with its header, without pad */
	struct buf	small;
	struct piece	*pieces;
	size_t		n_pieces, room_pieces;
};

enum flush_state { FLUSH_IDLE, FLUSH_WRITTEN, FLUSH_ASKED, FLUSH_DONE };
enum make_state { MAKE_IDLE, MAKE_ASKED, MAKE_READY, MAKE_FAILED };

struct journal {
	char			*dir;
	struct jio		io;
	struct journal_opts	opts;
	int			lock_fd, mark_fd, event_fd;

	/* The owner's. */
	uint64_t		salt, generation, tick_no;
	struct journal_pos	written, durable;
	struct tick		tick;
	bool			flushing;	/* flush is not FLUSH_IDLE */
	bool			failed;		/* the disk did: only close is left */
	uint64_t		room_asked_ms, room_bytes;
	bool			tight;		/* less room than is asked for new mail */
	struct seg		*cur;		/* the segment written; seg_get holds it */
	struct journal_stats	stats;

	pthread_mutex_t		lock;
	pthread_cond_t		wake, made;	/* flusher; owner that waits */
	pthread_cond_t		make_wake;
	pthread_t		flusher, maker;
	bool			threads, stop;

	/* Guarded by lock. */
	struct seg		**segs;		/* rising numbers */
	size_t			n_segs, room_segs;
	unsigned		open_fds;
	uint64_t		use_clock;
	uint32_t		*free_files;	/* old numbers of files that may be reused */
	size_t			n_free;
	enum flush_state	flush;
	int			flush_fd_seg, flush_errno;
	uint64_t		flush_lsn, flush_us;
	uint64_t		marked_lsn, mark_lsn, marked_ms;
	uint64_t		mark_sequence;	/* flusher's, owner's when there is none */
	bool			mark_failed;
	enum make_state		make;
	uint32_t		make_number;
	int			make_errno;
	bool			make_recycled;
};

enum { FREE_FILES_MAX = 2, OPEN_FDS_MAX = 256 };

/* ---- segment.c ---- */
/* "dir/0000000001.seg"; the caller frees. */
char *seg_path(const struct journal *j, uint32_t number);
char *seg_free_path(const struct journal *j, uint32_t number);
char *dir_path(const struct journal *j, const char *name);
/* The lock is held or there are no threads yet. */
struct seg *seg_find(struct journal *j, uint32_t number);
struct seg *seg_insert(struct journal *j, uint32_t number, uint32_t bytes);
void seg_forget(struct journal *j, struct seg *s);
/* Opens the file when needed and keeps it open until seg_put. NULL with errno. */
struct seg *seg_get(struct journal *j, uint32_t number);
void seg_put(struct journal *j, struct seg *s);
void seg_put_locked(struct seg *s);
/* Makes the file of segment `number`: 0, or -1 with errno. */
int seg_make(struct journal *j, uint32_t number, bool *recycled);
void *seg_maker(void *journal);
/* Asks the maker for cur's successor. */
void seg_make_ahead(struct journal *j);
/* The successor is there when it returns 0; -1 with errno. */
int seg_make_wait(struct journal *j, uint32_t number);

/* ---- scan.c ---- */
struct scan {
	uint32_t	segment, offset;	/* the next tick, or the end */
	uint64_t	lsn;			/* expected there */
	uint64_t	durable;		/* highest seen */
	uint64_t	tick;			/* number expected there */
	uint32_t	bad_offset;		/* first bad bytes, in the tick at offset */
	uint64_t	bad_lsn;
	const char	*why;
	enum status	stopped;		/* what a callback said instead of ST_OK */
};

/* Reads the header of an opened segment into s. -1 with errno. */
int scan_header(struct journal *j, struct seg *s, struct jf_segment *h, bool *ok);
/* Walks the ticks from pos to the end or to stop_lsn (0: none), calls fn (may be
 * NULL) for records above from.  ST_OK: sc is the end found. */
enum status scan_run(struct journal *j, const struct journal_pos *from,
    uint64_t stop_lsn, journal_replay_fn fn, void *arg, struct scan *sc);
/* Looks behind the end for signs that more was durable: raises sc->durable. */
enum status scan_evidence(struct journal *j, struct scan *sc);
void scan_damage(const struct scan *sc, struct journal_damage *damage);
/* Zeroes what is not zero behind the end. */
enum status scan_clear(struct journal *j, const struct scan *sc, uint64_t *cleared);

/* ---- tick.c ---- */
void *flush_thread(void *journal);
/* Writes the mark now: 0, or -1 with errno. */
int mark_write(struct journal *j, uint64_t durable);
void tick_fini(struct tick *t);

#endif
