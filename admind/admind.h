/* admind/admind.h
 * What the parts of admind share. */
#ifndef ADMIND_ADMIND_H
#define ADMIND_ADMIND_H

#include "common/auth/auth_client.h"
#include "common/conf/settings.h"
#include "common/ipc/ipc.h"
#include "common/net/listener.h"
#include "common/util/list.h"
#include "common/worker/helper.h"
#include "storage/client/store.h"

#define CLIENTS_MAX	64
#define REQUEST_TIME_MS	60000	/* without a step forward */
#define CLIENT_IDLE_MS	60000

struct admind {
	struct loop		*loop;
	struct helper		helper;		/* the monitor speaks to it */
	struct control_hello	hello;
	struct mansio_conf	*conf;
	struct auth_client	*auth;
	struct store_pool	*pool;
	int			admin_fd;
	struct listener		*listener;
	struct loop_timer	*tick;
	struct list		clients;
	size_t			n_clients;
	uint64_t		ids;		/* of commands, for their connection id in logs */
	bool			started;
};

#endif
