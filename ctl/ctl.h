/* ctl/ctl.h
 * mansioctl: a table of commands.  A family of commands is a file cmd_<family>.c that
 * ends in its table; commands.c lists the tables.  Help, the check of the command's name and
 * the shell's completion come from the tables. */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <stdbool.h>

#include "common/util/buf.h"

/* Exit codes. */
enum {
	CTL_OK = 0,
	CTL_FAILED = 1,			/* the command was understood and failed */
	CTL_USAGE = 2,
	CTL_UNREACHABLE = 3		/* the server does not answer */
};

struct ctl {
	const char	*config;	/* --config: path of mansio.conf */
	const char	*socket;	/* --socket; NULL: ask ctl_socket() */
	bool		json;		/* --json */
};

struct ctl_command {
	const char	*name;		/* "config check": one or two words; NULL ends a table */
	const char	*args;		/* "[-x KEY]"; "" when it takes none */
	const char	*help;		/* one line */
	/* argv[0] is the first argument behind the name, argv[argc] is NULL; returns an exit
	 * code.  Messages go through ctl_error(), results to standard output. */
	int		(*run)(struct ctl *ctl, int argc, char **argv);
};

/* All families, NULL at the end. */
extern const struct ctl_command *const ctl_families[];
extern const struct ctl_command ctl_cmds_config[], ctl_cmds_copy[], ctl_cmds_account[], ctl_cmds_domain[], ctl_cmds_group[], ctl_cmds_fsck[],
    ctl_cmds_acl[], ctl_cmds_mailbox[], ctl_cmds_pop3[], ctl_cmds_queue[], ctl_cmds_sieve[], ctl_cmds_server[];
extern const struct ctl_command ctl_cmds_transfer[], ctl_cmds_store[], ctl_cmds_backup[], ctl_cmds_undelete[];

/* "mansioctl: ..." in one line on standard error; returns CTL_FAILED. */
int ctl_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same for wrong use of the command that runs, with its usage; returns CTL_USAGE. */
int ctl_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Writes all of b to standard output; CTL_FAILED when that cannot be. */
int ctl_print(const struct buf *b);
/* Path of the admin socket: --socket, else as configured, else the default (also when the
 * configuration cannot be read).  Appends to out. */
void ctl_socket(const struct ctl *ctl, struct buf *out);

#endif
