/* outd: the only program that connects outwards, in the role that its argument names.  Everything it has comes through its control
 * socket: its configuration, the secrets that the monitor read for it, and the sockets of authd and the stores.
 * It ends when its parent does. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "common/worker/certs.h"
#include "common/worker/helper.h"
#include "outd/role.h"

#define STACK_BYTES	(512u << 10)	/* of a thread that resolves a name */

struct control {
	struct helper		helper;
	const struct role	*role;
	void			*x;		/* the role's */
	bool			started;
};

static void
on_configured(void *arg, struct mansio_conf *conf)
{
	struct control *c = arg;

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
on_start(void *arg)
{
	struct control *c = arg;

	if (c->started)
		return;
	if (!c->role->confine(c->x)) {
		LOG(NULL, FATAL, "out.sandbox");
		exit(1);
	}
	c->started = true;
	helper_ready(&c->helper);
	LOG(NULL, INFO, "out.ready");
}

static void
on_status(void *arg, struct buf *lines)
{
	const struct control *c = arg;

	c->role->status(c->x, lines);
}

static bool
on_message(void *arg, uint16_t no, const void *msg, int fd)
{
	struct control *c = arg;

	if (no == CONTROL_CERTS)
		take_secrets(c, fd);
	return no == CONTROL_PEER && c->role->connect(c->x, msg, fd);
}

static const struct helper_ops ops = {
	.configured = on_configured, .message = on_message, .start = on_start, .status = on_status
};

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
	struct loop *loop;
	int rc;

	c.role = argc > 1 && strcmp(argv[1], CONTROL_MODE_SUBMIT) == 0 ? &role_submit : &role_fetch;
	log_init(c.role->name);
	if ((rc = control_child_begin("outd")) != 0)
		return rc;
	if (!prepare() || !c.role->prepare()) {
		LOG(NULL, FATAL, "out.curl", KV_STR("why", "this libcurl cannot do what is needed"));
		return 1;
	}
	loop = loop_new();
	c.x = c.role->make(loop);
	helper_open(&c.helper, loop, &ops, &c);
	loop_run(loop);
	c.role->free(c.x);
	helper_close(&c.helper);
	loop_free(&loop);
	return c.helper.code;
}
