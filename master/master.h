/* master/master.h
 * The master: unprivileged, owns the listening sockets and the pools of workers.  It
 * reads no byte from the network and no file: what it knows comes from the monitor over
 * its control socket (descriptor 3). */
#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H

/* Returns the exit code. */
int master_main(const char *libexec);

#endif
