/* storage/service/convert.h
 * A database made by one engine becomes one of the other.  Every row is copied, as it is, into a
 * folder beside it; that is synced, closed, opened again and compared byte by byte before it
 * takes the old one's place. */
#ifndef STORAGE_SERVICE_CONVERT_H
#define STORAGE_SERVICE_CONVERT_H

#include "storage/engine/engine.h"

struct convert_count {
	uint64_t	rows, bytes;
};

/* Copies all tables of the engine into the folder `to`, made or emptied, and compares.  opts:
 * how to open that one.  Nothing else writes meanwhile.  ST_CORRUPT: they differ, or one of them
 * is damaged. */
enum status convert_make(struct engine *from, const char *to, const struct engine_opts *opts,
    struct convert_count *count);
/* The folder `fresh` takes the place of `db`, at once where the system can exchange folders, and what
 * was db goes.  Neither is open.  A crash leaves one or the other whole in db's place, and
 * perhaps a folder `fresh` that the next convert_make() empties. */
enum status convert_switch(const char *db, const char *fresh);

/* stored --convert ENGINE DIR: the exit code: 0 done, or it was that already; 1 failed, nothing
 * was changed; 2 usage. */
int convert_main(int argc, char **argv);

#endif
