/* authd/spawner.h
 * A small process that starts the children of the PAM pool.  It begins before authd gives up
 * its rights, and keeps what PAM modules ask for and nobody else here needs: root, where
 * pam { as-root } says so, set-uid helpers, files to write.  It knows no passwords and obeys
 * two orders: start a child that serves from this socket, end that child and what it
 * started.  It ends them all and itself when authd ends; without it authd cannot go on. */
#ifndef AUTHD_SPAWNER_H
#define AUTHD_SPAWNER_H

#include <stdbool.h>
#include <stdint.h>

#define SPAWNER_ARG "--pam-spawner"

struct spawner;

/* exec: it executes the program anew, so that it holds none of its memory.  NULL: no fork. */
struct spawner *spawner_start(bool exec);
void spawner_free(struct spawner **s);
/* A child that serves from fd, which stays the caller's.  Returns its number; 0: not now. */
uint32_t spawner_child(struct spawner *s, int fd);
void spawner_stop(struct spawner *s, uint32_t no);

/* What the process does: serves orders from fd until it closes. */
void spawner_main(int fd);

#endif
