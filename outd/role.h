/* outd/role.h
 * outd is one program with several roles, each in a process of its own that can do what its role needs
 * and no more: `fetch` asks for keys and tokens, and pushes (server.h); `submit` hands mail over (submit.h). */
#ifndef OUTD_ROLE_H
#define OUTD_ROLE_H

#include "common/conf/settings.h"
#include "common/net/loop.h"
#include "common/worker/certs.h"
#include "common/worker/control_proto.h"

struct role {
	const char	*name;				/* of the process, in the log */
	bool		(*prepare)(void);		/* first of all; false: it cannot work here */
	void		*(*make)(struct loop *l);
	void		(*configure)(void *x, struct mansio_conf *conf);	/* takes it over */
	/* What the monitor read for it: entries of common/worker/certs.h. */
	void		(*secrets)(void *x, struct span blob);
	/* Configured: gives up its rights.  false: it may not run. */
	bool		(*confine)(void *x);
	/* A socket of a process that asks; taken over.  false: not of those, and left alone. */
	bool		(*connect)(void *x, const struct control_peer *p, int fd);
	void		(*status)(const void *x, struct buf *out);
	void		(*free)(void *x);
};

extern const struct role role_fetch, role_submit;

/* Connects outwards and reads what the resolver and TLS read. */
bool role_confine_out(void);

#endif
