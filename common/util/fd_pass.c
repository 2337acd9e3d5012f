#include "common/util/fd_pass.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
	struct cmsghdr	h;
	char		room[CMSG_SPACE(FD_PASS_MAX * sizeof(int))];
};

bool
fd_send(int sock, const struct iovec *iov, size_t n_iov, const int *fds, size_t n_fds, int flags)
{
	union control u = { .room = { 0 } };
	struct msghdr m = { .msg_iov = (struct iovec *)iov, .msg_iovlen = n_iov };
	ssize_t n;

	assert(n_fds <= FD_PASS_MAX);
	if (n_fds > 0) {
		m.msg_control = u.room;
		m.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		u.h.cmsg_level = SOL_SOCKET;
		u.h.cmsg_type = SCM_RIGHTS;
		u.h.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(&u.h), fds, n_fds * sizeof(int));
	}
	do {
		n = sendmsg(sock, &m, flags | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n >= 0;
}

static void
take(struct cmsghdr *c, int *fds, size_t n_fds)
{
	int came[FD_PASS_MAX];
	size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

	memcpy(came, CMSG_DATA(c), n * sizeof(int));
	if (n == n_fds)
		memcpy(fds, came, n * sizeof(int));
	for (size_t i = 0; i < n && n != n_fds; i++)
		close(came[i]);
}

ssize_t
fd_receive(int sock, void *data, size_t room, int *fds, size_t n_fds, int flags)
{
	union control u;
	struct iovec iov = { data, room };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.room,
	    .msg_controllen = sizeof(u.room) };
	struct cmsghdr *c;
	ssize_t n;

	for (size_t i = 0; i < n_fds; i++)
		fds[i] = -1;
	n = recvmsg(sock, &m, flags | MSG_CMSG_CLOEXEC);
	c = n >= 0 ? CMSG_FIRSTHDR(&m) : NULL;
	if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		take(c, fds, n_fds);
	return n;
}
