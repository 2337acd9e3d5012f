/* storage/service/readers.h
 * A few threads that read message bodies which are not in memory, and other things that take
 * long, so that the loop never waits for the disk. */
#ifndef STORAGE_SERVICE_READERS_H
#define STORAGE_SERVICE_READERS_H

#include "common/util/list.h"
#include "common/util/status.h"
#include "storage/journal/journal.h"
#include "storage/service/pool.h"

struct readers;

struct reader_piece {
	uint32_t		uid;
	uint64_t		stored_size, offset;
	size_t			at, len;	/* in the data of the job */
};

/* What is read at once: pieces that lie near each other, with what is between them. */
struct reader_run {
	struct journal_loc	loc;
	size_t			at;		/* in the data of the job */
};

/* Made by the caller, his again when done ran.  done runs in the loop. */
struct reader_job {
	struct pool_job		job;		/* these three: the readers' */
	struct list		flying;
	struct journal		*journal;
	struct reader_piece	*pieces;
	size_t			n;
	struct reader_run	*runs;
	size_t			n_runs;
	char			*data;
	bool			checked;	/* whole records, and their CRCs */
	enum status		status;
	/* Instead of reading: in the thread.  NULL: the runs are read. */
	void			(*work)(struct reader_job *job, void *arg);
	void			(*done)(struct reader_job *job, void *arg);
	void			*arg;
};

struct readers *readers_new(struct loop *l, struct journal *j, unsigned threads);
/* Does what was submitted, calls done for each. */
void readers_free(struct readers **r);
void readers_submit(struct readers *r, struct reader_job *job);
/* Is one under way that reads of this segment?  From the loop. */
bool readers_use(const struct readers *r, uint32_t segment);
void reader_job_free(struct reader_job **job);

#endif
