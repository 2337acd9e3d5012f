/* authd/dovecot.h
 * Serves Dovecot's authentication protocol (auth-client, 1.2) on UNIX sockets, so that an MTA
 * asks us who may submit mail.  Whoever can open the socket may guess passwords at the pace
 * of throttle {}: its permissions are the listener's.  No ticket comes of it. */
#ifndef AUTHD_DOVECOT_H
#define AUTHD_DOVECOT_H

#include "authd/authd.h"

/* A listening socket of the section `name`; takes fd over. */
void dovecot_add(struct authd *a, struct span name, int fd);
/* Closes those of the section; connections stay. */
void dovecot_drop(struct authd *a, struct span name);
/* All of it. */
void dovecot_end(struct authd *a);

#endif
