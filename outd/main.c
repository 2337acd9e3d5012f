/* outd: the only program that connects outwards, in the role that its argument names.  Everything it has comes through its control
 * socket: its configuration, the secrets that the monitor read for it, and the sockets of authd and the stores.
 * It ends when its parent does. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/ipc/ipc.h"
#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "common/worker/certs.h"
#include "common/worker/control_proto.h"
#include "outd/role.h"

#define STACK_BYTES	(512u << 10)	/* of a thread that resolves a name */

struct control {
	struct loop		*loop;
	struct ipc		*ipc;
	const struct role	*role;
	void			*x;		/* the role's */
	bool			started;
};

static void
take_config(struct control *c, int fd)
{
	struct mansio_conf *conf = control_read_config(fd);

	if (conf == NULL)
		return;
	log_set_level(conf_log_level(conf));
	c->role->configure(c->x, conf);
}

static void
take_secrets(struct control *c, int fd)
{
	char *blob;
	size_t len;

	if (!fd_slurp(fd, CERTS_BLOB_MAX, &blob, &len))
		return;
	c->role->secrets(c->x, span(blob, len));
	mem_wipe(blob, len);
	free(blob);
}

static void
start(struct control *c)
{
	if (c->started)
		return;
	if (!c->role->confine(c->x)) {
		LOG(NULL, FATAL, "out.sandbox");
		exit(1);
	}
	c->started = true;
	ipc_note(c->ipc, 0, CONTROL_READY, NULL);
	LOG(NULL, INFO, "out.ready");
}

static void
on_status(struct control *c, const struct ipc_head *h)
{
	struct buf b = { 0 };

	c->role->status(c->x, &b);
	control_answer_status(c->ipc, h, &b);
}

static void
on_control(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *h,
    const void *msg, void *arg)
{
	struct control *c = arg;
	int fd = h->fd;

	switch (m->no) {
	case CONTROL_CONFIG:
		take_config(c, fd);
		break;
	case CONTROL_CERTS:
		take_secrets(c, fd);
		break;
	case CONTROL_LOG:
		control_take_log(msg, fd);
		fd = -1;
		break;
	case CONTROL_PEER:
		if (c->role->connect(c->x, msg, fd))	/* taken over */
			fd = -1;
		break;
	case CONTROL_START:
		start(c);
		break;
	case CONTROL_STATUS:
		on_status(c, h);
		break;
	case CONTROL_DRAIN:
	case CONTROL_STOP:
		loop_stop(c->loop);
		break;
	default:		/* what does not concern outd */
		break;
	}
	fd_close(&fd);
}

static void
on_closed(struct ipc *ipc, void *arg)
{
	loop_stop(((struct control *)arg)->loop);
}

/* Nothing of the caller's environment leads a connection astray; a name server that is away is
 * not waited for long, and each wait costs a thread with a small stack. */
static bool
prepare(void)
{
	pthread_attr_t small;

	(void)clearenv();
	(void)setenv("RES_OPTIONS", "timeout:2 attempts:2", 1);
	if (pthread_attr_init(&small) != 0 || pthread_attr_setstacksize(&small, STACK_BYTES) != 0 ||
	    pthread_setattr_default_np(&small) != 0)
		return false;
	(void)pthread_attr_destroy(&small);
	return true;
}

int
main(int argc, char **argv)
{
	struct control c = { 0 };
	struct ipc_config cf = { .protocol = &control_protocol, .peer = "monitor",
	    .allowed = CONTROL_PARENT, .fds = true, .request = on_control, .closed = on_closed,
	    .arg = &c };
	int rc;

	c.role = argc > 1 && strcmp(argv[1], CONTROL_MODE_SUBMIT) == 0 ? &role_submit : &role_fetch;
	log_init(c.role->name);
	if ((rc = control_child_begin("outd")) != 0)
		return rc;
	if (!prepare() || !c.role->prepare()) {
		LOG(NULL, FATAL, "out.curl", KV_STR("why", "this libcurl cannot do what is needed"));
		return 1;
	}
	c.loop = loop_new();
	cf.loop = c.loop;
	c.x = c.role->make(c.loop);
	c.ipc = ipc_new(&cf, CONTROL_FD);
	loop_run(c.loop);
	c.role->free(c.x);
	ipc_free(&c.ipc);
	loop_free(&c.loop);
	return 0;
}
