/* admind/report.h
 * Turns what the processes tell of themselves, "name=value" lines, into JSON.  No I/O. */
#ifndef ADMIND_REPORT_H
#define ADMIND_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/json/writer.h"
#include "common/util/span.h"

/* A shard as it was asked: the directory's has the name "system". */
struct report_shard {
	char		name[16];
	bool		available;	/* it answered */
	struct span	stats;		/* its lines */
	uint64_t	disk_total, disk_free;	/* bytes; 0: not known */
};

/* "processes", "workers" and "listeners" out of the monitor's and master's lines, and
 * "version" and "pid", as members of the object that w is in.  Returns whether all of
 * them are ready. */
bool report_processes(struct json_writer *w, struct span lines);
/* "shards", and "total": what lies on the disk.  true when all answered. */
bool report_shards(struct json_writer *w, const struct report_shard *shards, size_t n);
/* An object with all lines as members: values of digits alone as numbers. */
void report_lines(struct json_writer *w, struct span lines);
/* Value of the line "name=..."; false: there is none. */
bool report_find(struct span lines, const char *name, struct span *value);

#endif
