#include "master/logsink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/util/fd.h"

static int
connect_syslog(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0)
		fd_close(&fd);
	return fd;
}

int
logsink_open(const struct mansio_conf *conf, bool to_stderr, enum log_sink *sink)
{
	bool journal = getenv("JOURNAL_STREAM") != NULL;
	int fd = -1;

	switch (to_stderr && conf->log.target != CONF_LOG_FILE ? CONF_LOG_STDERR : conf->log.target) {
	case CONF_LOG_FILE:
		*sink = LOG_SINK_FILE;
		fd = open(conf->log.file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
		if (fd < 0)
			fprintf(stderr, "mansiod: %s: %s\n", conf->log.file, strerror(errno));
		return fd;
	case CONF_LOG_STDERR:
		*sink = journal ? LOG_SINK_JOURNAL : LOG_SINK_STDERR;
		break;
	case CONF_LOG_JOURNAL:
		*sink = LOG_SINK_JOURNAL;
		break;
	case CONF_LOG_AUTO:
		if (journal) {
			*sink = LOG_SINK_JOURNAL;
			break;
		}
		/* fall through */
	default:
		*sink = LOG_SINK_SYSLOG;
		fd = connect_syslog();
		if (fd >= 0)
			return fd;
		/* no syslog runs: better there than nowhere */
		*sink = LOG_SINK_STDERR;
	}
	fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		fprintf(stderr, "mansiod: standard error: %s\n", strerror(errno));
	return fd;
}
