/* ctl/args.h
 * The options of a command, by table, and the numbers in them. */
#ifndef CTL_ARGS_H
#define CTL_ARGS_H

#include <stdbool.h>
#include <stdint.h>

enum ctl_kind { CTL_FLAG, CTL_TEXT, CTL_SIZE, CTL_COUNT };

struct ctl_number { bool given; uint64_t v; };

struct ctl_option {
	const char	*name;		/* "--json"; NULL ends a table */
	enum ctl_kind	kind;
	void		*to;		/* bool, const char *, struct ctl_number */
};

/* Takes the options out of argv, wherever they stand: "--name VALUE" or "--name=VALUE".
 * What is left are at least `least` and at most `most` operands, in *argc and argv.
 * CTL_OK, or CTL_USAGE after saying what is wrong. */
int ctl_options(const struct ctl_option *options, int *argc, char **argv, int least, int most);

/* "500M", "2G", or "default" (0); false: it is none. */
bool ctl_size(const char *text, uint64_t *bytes);

#endif
