/* outd/address.h
 * Where outd may connect: to addresses of the public Internet, and to others only where the
 * configuration lists them.  Judged is the address that the kernel is about to be given, after
 * name resolution, so that no name leads inside, whatever it resolved to before. */
#ifndef OUTD_ADDRESS_H
#define OUTD_ADDRESS_H

#include <stdbool.h>

#include "common/conf/conf.h"

struct sockaddr;

/* Not loopback, private, link-local, shared, multicast, reserved or for documentation, nor an
 * IPv6 address that holds an IPv4 one (mapped, compatible, NAT64, 6to4, Teredo). */
bool address_is_public(const struct net_ip *ip);
/* Public, or within one of allow.  Families other than IPv4 and IPv6 never. */
bool address_allowed(const struct sockaddr *sa, const struct conf_cidrs *allow);

#endif
