/* The engine that a measurement is of: MANSIO_ENGINE=lmdb in the environment, or the default; and what
 * its folder takes. */
#ifndef CONTRIB_BENCH_STORAGE_ENGINE_ENV_H
#define CONTRIB_BENCH_STORAGE_ENGINE_ENV_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "storage/engine/engine.h"

static inline enum engine_kind
engine_from_env(void)
{
	enum engine_kind kind = ENGINE_BDB;
	const char *name = getenv("MANSIO_ENGINE");

	if (name != NULL && !engine_kind_parse(name, &kind)) {
		fprintf(stderr, "no engine %s\n", name);
		exit(2);
	}
	return kind;
}

/* Allocated bytes; the database's log apart. */
static inline void
engine_disk(const char *dir)
{
	double data = 0, log = 0;
	DIR *d = opendir(dir);
	const struct dirent *f;
	struct stat sb;

	while (d != NULL && (f = readdir(d)) != NULL)
		if (f->d_name[0] != '.' && fstatat(dirfd(d), f->d_name, &sb, 0) == 0)
			*(f->d_name[0] == 'l' && f->d_name[3] == '.' ? &log : &data) += (double)sb.st_blocks * 512;
	if (d != NULL)
		closedir(d);
	printf("on disk: %.1f MB, and a log of %.1f MB\n", data / 1e6, log / 1e6);
}

#endif
