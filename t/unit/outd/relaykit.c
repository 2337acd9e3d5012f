#include "t/unit/outd/relaykit.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct {
	pthread_t		thread;
	int			door;
	FILE			*in;
	int			fd;
	const char *const	*steps;
	char			wrong[600];
	char			text[1 << 20];
	size_t			n;
} kit;

static void
join(void)
{
	struct timeval tv = { 30, 0 };

	if (kit.in != NULL)
		fclose(kit.in);
	kit.fd = accept(kit.door, NULL, NULL);
	assert(kit.fd >= 0);
	setsockopt(kit.fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	kit.in = fdopen(kit.fd, "r");
}

static void
say(const char *words)
{
	char line[2048];
	size_t n = 0;

	for (; *words != '\0' && n + 3 < sizeof(line); words++) {
		if (*words == '|') {
			line[n++] = '\r';
			line[n++] = '\n';
		} else {
			line[n++] = *words;
		}
	}
	line[n++] = '\r';
	line[n++] = '\n';
	(void)!send(kit.fd, line, n, MSG_NOSIGNAL);
}

static void
want(const char *words)
{
	char line[2048] = "(the end)";

	if (fgets(line, sizeof(line), kit.in) == NULL || strncmp(line, words, strlen(words)) != 0)
		snprintf(kit.wrong, sizeof(kit.wrong), "wanted \"%.200s\", got \"%.200s\"", words, line);
}

static void
take_text(void)
{
	char line[4096];

	kit.n = 0;
	while (fgets(line, sizeof(line), kit.in) != NULL && strcmp(line, ".\r\n") != 0) {
		size_t n = strlen(line);

		assert(kit.n + n < sizeof(kit.text));
		memcpy(kit.text + kit.n, line, n);
		kit.n += n;
	}
	kit.text[kit.n] = '\0';
}

static void
step(const char *s)
{
	char line[256];

	switch (*s) {
	case 'S':
		say(s + 2);
		break;
	case 'C':
		want(s + 2);
		break;
	case 'T':
		take_text();
		break;
	case 'E':
		while (fgets(line, sizeof(line), kit.in) != NULL && strcmp(line, ".\r\n") != 0)
			;
		if (!feof(kit.in))
			snprintf(kit.wrong, sizeof(kit.wrong), "the text came to an end");
		break;
	case 'X':
		shutdown(kit.fd, SHUT_RDWR);
		break;
	default:
		join();
	}
}

static void *
play(void *arg)
{
	join();
	for (; *kit.steps != NULL && kit.wrong[0] == '\0'; kit.steps++)
		step(*kit.steps);
	fclose(kit.in);
	kit.in = NULL;
	return NULL;
}

uint16_t
relaykit_play(const char *const *steps)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);

	kit.steps = steps;
	kit.wrong[0] = kit.text[0] = '\0';
	kit.door = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(kit.door, (struct sockaddr *)&sin, len) != 0 || listen(kit.door, 8) != 0 ||
	    getsockname(kit.door, (struct sockaddr *)&sin, &len) != 0 ||
	    pthread_create(&kit.thread, NULL, play, NULL) != 0)
		abort();
	return ntohs(sin.sin_port);
}

const char *
relaykit_end(void)
{
	pthread_join(kit.thread, NULL);
	close(kit.door);
	return kit.wrong[0] != '\0' ? kit.wrong : NULL;
}

const char *
relaykit_text(void)
{
	return kit.text;
}
