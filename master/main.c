/* mansiod: the monitor, and with a hidden first argument the master it starts. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "master/master.h"
#include "master/monitor.h"

#define MASTER_MODE "--master"

static void
usage(FILE *f)
{
	fputs("usage: mansiod [-f] [-c FILE] [-l DIR] [-p FILE]\n"
	    "  -c, --config FILE   configuration [" MANSIO_SYSCONFDIR "/mansio.conf]\n"
	    "  -f, --foreground    stay in the foreground and log to standard error\n"
	    "  -l, --libexec DIR   where the other programs are [" MANSIO_LIBEXECDIR "]\n"
	    "  -p, --pid-file FILE write the process id there\n"
	    "  -V, --version       print the version\n", f);
}

/* The classical way into the background for init scripts; the service manager of
 * today starts us with -f.  The parent ends when the child says so. */
static bool
to_background(void)
{
	int null;
	pid_t pid = fork();

	if (pid < 0)
		return false;
	if (pid > 0)
		_exit(0);
	if (setsid() < 0)
		return false;
	null = open("/dev/null", O_RDWR);
	if (null < 0)
		return false;
	for (int fd = 0; fd < 3; fd++)
		if (dup2(null, fd) < 0)
			return false;
	if (null > 2)
		close(null);
	return true;
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "foreground", no_argument, NULL, 'f' },
		{ "libexec", required_argument, NULL, 'l' },
		{ "pid-file", required_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 }
	};
	struct monitor_opts o = { MANSIO_SYSCONFDIR "/mansio.conf", MANSIO_LIBEXECDIR, NULL,
	    NULL, false };
	char self[PATH_MAX], config[PATH_MAX];
	bool foreground = false;
	int c;

	if (argc == 2 && strncmp(argv[1], MASTER_MODE "=", sizeof(MASTER_MODE)) == 0)
		return master_main(argv[1] + sizeof(MASTER_MODE));
	while ((c = getopt_long(argc, argv, "c:fl:p:hV", longs, NULL)) >= 0) {
		switch (c) {
		case 'c':
			o.config = optarg;
			break;
		case 'f':
			foreground = true;
			break;
		case 'l':
			o.libexec = optarg;
			break;
		case 'p':
			o.pid_file = optarg;
			break;
		case 'h':
			usage(stdout);
			return 0;
		case 'V':
			puts(PACKAGE_STRING);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind < argc) {
		usage(stderr);
		return 2;
	}
	if (realpath("/proc/self/exe", self) == NULL || realpath(o.config, config) == NULL) {
		fprintf(stderr, "mansiod: %s: %s\n", o.config, strerror(errno));
		return 1;
	}
	o.self = self;
	o.config = config;
	o.log_stderr = foreground;
	if (!foreground) {
		/* mistakes are shown where the admin looks, before the terminal is left */
		if (!monitor_check(&o))
			return 1;
		if (!to_background()) {
			perror("mansiod");
			return 1;
		}
	}
	return monitor_main(&o);
}
