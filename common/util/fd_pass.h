/* common/util/fd_pass.h
 * Descriptors that travel with a packet, over a UNIX socket of packets. */
#ifndef COMMON_UTIL_FD_PASS_H
#define COMMON_UTIL_FD_PASS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#define FD_PASS_MAX 4u

/* Sends one packet, with n_fds descriptors, which stay the caller's.  flags: of sendmsg(2). */
bool fd_send(int sock, const struct iovec *iov, size_t n_iov, const int *fds, size_t n_fds,
    int flags);
/* Receives one of at most `room` bytes with n_fds descriptors, close-on-exec: all of fds are -1
 * where it did not bring just as many.  flags: of recvmsg(2), whose answer it is. */
ssize_t fd_receive(int sock, void *data, size_t room, int *fds, size_t n_fds, int flags);

#endif
