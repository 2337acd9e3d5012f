/* Which engine the tests of the store use: MANSIO_ENGINE=lmdb in the environment, or both
 * in turn. */
#ifndef T_UNIT_STORAGE_ENGINES_H
#define T_UNIT_STORAGE_ENGINES_H

#include <stdio.h>
#include <stdlib.h>

#include "storage/engine/engine.h"

static inline enum engine_kind
engines_kind(void)
{
	const char *name = getenv("MANSIO_ENGINE");
	enum engine_kind kind = ENGINE_BDB;

	if (name != NULL && (!engine_kind_parse(name, &kind) || !engine_kind_built(kind))) {
		fprintf(stderr, "no engine %s\n", name);
		exit(1);
	}
	return kind;
}

/* run, with each engine, or with the one that the environment names; how many tests failed. */
static inline int
engines_each(int (*run)(void))
{
	int failed;

	if (getenv("MANSIO_ENGINE") != NULL || !engine_kind_built(ENGINE_LMDB))
		return run();
	failed = run();
	setenv("MANSIO_ENGINE", engine_kind_name(ENGINE_LMDB), 1);
	failed += run();
	unsetenv("MANSIO_ENGINE");
	return failed;
}

#endif
