/* master/monitor.h
 * The monitor: the only part that may stay root.  Reads the configuration and the TLS
 * files, binds, keeps the sockets, starts stored, authd, admind and the master under
 * their own users and starts again what dies.  Parses no byte from the network. */
#ifndef MASTER_MONITOR_H
#define MASTER_MONITOR_H

#include <stdbool.h>

struct monitor_opts {
	const char	*config;	/* path of mansio.conf */
	const char	*libexec;	/* where the programs are */
	const char	*self;		/* our own program, to start the master */
	const char	*pid_file;	/* NULL: none */
	bool		log_stderr;	/* whatever the configuration says */
};

/* Reads the configuration and says on standard error what is wrong with it. */
bool monitor_check(const struct monitor_opts *opts);
/* Returns the exit code: 0 after SIGTERM, 1 when the start failed. */
int monitor_main(const struct monitor_opts *opts);

#endif
