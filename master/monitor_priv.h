/* master/monitor_priv.h
 * What the files of the monitor share: monitor.c starts, reloads and ends, doors.c has the listening
 * sockets, helpers.c the processes. */
#ifndef MASTER_MONITOR_PRIV_H
#define MASTER_MONITOR_PRIV_H

#include "common/auth/ticket.h"
#include "common/conf/settings.h"
#include "common/net/addr.h"
#include "common/net/loop.h"
#include "common/util/list.h"
#include "common/worker/control_proto.h"
#include "master/child.h"
#include "master/monitor.h"

#define SHARDS_MAX	64

/* One bound address of a listener. */
struct door {
	struct list	in;
	char		*name;			/* of its section */
	char		address[NET_ADDR_STR];
	int		fd;
	bool		fresh;			/* bound by the reload under way */
};

/* A process of ours that is not a worker. */
struct helper {
	struct monitor	*m;
	struct child	*child;
	enum program	program;
	uint32_t	shard;
	bool		done;			/* stopped for good */
};

struct monitor {
	const struct monitor_opts *o;
	struct loop		*loop;
	struct loop_signal	*sigs[4];
	struct loop_timer	*rotate, *limit;
	struct mansio_conf	*conf;
	struct mansio_conf	*started;	/* what needs a restart is as it says; may be conf */
	int			config_fd, certs_fd, rules_fd, log_fd;
	int			secrets_fd, submit_fd;	/* of outd, of its role submit; -1: it is not needed */
	struct control_log	log;
	bool			root;
	struct child_user	worker_user, store_user, auth_user, admin_user, out_user,
				index_user;
	struct list		doors;
	int			admin_fd;	/* the admin socket, kept for every admind */
	struct net_addr		admin_addr;
	/* stored ..., indexd ..., authd, admind, master, outd in two roles */
	struct helper		helpers[2 * SHARDS_MAX + 6];
	size_t			n_helpers;
	struct helper		*authd, *admind, *master;
	struct helper		*outd, *submit;	/* NULL: it was never needed */
	struct ticket_key	key;
	uint64_t		generation;
	bool			stopping, ready;
	int			code;
};

/* ---- monitor.c ---- */

bool monitor_find_user(const char *name, const char *extra_group, struct child_user *u);
/* Reads the files again; why: lines for the one who asked. */
bool monitor_reload(struct monitor *m, struct buf *why);

/* ---- doors.c ---- */

/* Binds what conf lists and is not bound yet.  All or nothing. */
bool monitor_bind_doors(struct monitor *m, const struct mansio_conf *conf);
bool monitor_bind_admin(struct monitor *m);
void monitor_door_free(struct door *d);
/* All that it accepts from, or hands to those who do. */
void monitor_send_doors(struct helper *h);
/* After a reload. */
void monitor_send_door_changes(struct monitor *m);

/* ---- helpers.c ---- */

void monitor_start_all(struct monitor *m);
void monitor_send_config(struct helper *h);
void monitor_send_key(struct helper *h);
/* outd runs in the roles that the configuration needs. */
void monitor_keep_outd(struct monitor *m);
/* With another program to hand mail to, its role starts anew. */
void monitor_replace_submit(struct monitor *m, const struct mansio_conf *fresh);

#endif
