/* An extractor that means no good: its argument says what it tries.  It tells on its standard
 * output what it could do. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void
tell(const char *what, int could)
{
	printf("%s %s\n", what, could ? "could" : "refused");
}

static void
copy(void)
{
	char bytes[4096];
	size_t n;

	while ((n = fread(bytes, 1, sizeof(bytes), stdin)) > 0)
		fwrite(bytes, 1, n, stdout);
}

static void
processes(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	tell("fork", pid > 0);
	tell("system", system("exit 0") == 0);
	tell("kill", kill(getppid(), SIGKILL) == 0);
	tell("session", setsid() > 0);
}

static void
sockets(void)
{
	tell("inet", socket(AF_INET, SOCK_STREAM, 0) >= 0);
	tell("inet6", socket(AF_INET6, SOCK_DGRAM, 0) >= 0);
	tell("unix", socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
	tell("netlink", socket(AF_NETLINK, SOCK_RAW, 0) >= 0);
}

static void
files(void)
{
	int n = 0;

	for (int fd = 3; fd < 100; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	tell("descriptors", n > 0);
	tell("passwd", open("/etc/passwd", O_RDONLY) >= 0);
	tell("proc", open("/proc/self/environ", O_RDONLY) >= 0);
	tell("root", open("/", O_RDONLY | O_DIRECTORY) >= 0);
	tell("tmp", open("/tmp/mansio-hostile", O_WRONLY | O_CREAT, 0600) >= 0);
	tell("usr", open("/usr/mansio-hostile", O_WRONLY | O_CREAT, 0600) >= 0);
	tell("environment", getenv("MANSIO_HOSTILE") != NULL);
}

static void
memory(void)
{
	size_t had = 0;
	char *p;

	while (had < (size_t)4 << 30 && (p = malloc(1u << 20)) != NULL) {
		memset(p, 1, 1u << 20);
		had += 1u << 20;
	}
	tell("memory", had > (size_t)1 << 30);
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "copy") == 0)
		copy();
	else if (strcmp(what, "processes") == 0)
		processes();
	else if (strcmp(what, "sockets") == 0)
		sockets();
	else if (strcmp(what, "files") == 0)
		files();
	else if (strcmp(what, "memory") == 0)
		memory();
	else if (strcmp(what, "bytes") == 0)
		fputs("a\xff\xc3\xa4\xc3", stdout);
	else if (strcmp(what, "fail") == 0)
		return printf("said\n") > 0 ? 3 : 4;
	else if (strcmp(what, "flood") == 0)
		while (fputs("much more than anybody wants\n", stdout) >= 0)
			;
	else if (strcmp(what, "silent") == 0)
		for (;;)
			pause();
	else if (strcmp(what, "busy") == 0)
		for (volatile unsigned i = 0;; i++)
			;
	return 0;
}
