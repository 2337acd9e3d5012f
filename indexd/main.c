/* indexd: reads the mail of one shard anew for its stored, and can ask for nothing.  Everything it
 * has comes through its control socket: its configuration and one socket, stored's.  It ends when
 * its parent does. */
#include <stdlib.h>

#include "common/conf/settings.h"
#include "common/ipc/ipc.h"
#include "common/mime/charset.h"
#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "common/worker/control_proto.h"
#include "common/worker/sandbox.h"
#include "indexd/server.h"

struct control {
	struct loop		*loop;
	struct ipc		*ipc;
	struct indexd		*indexd;
	struct mansio_conf	*conf;
	bool			started;
};

static void
take_config(struct control *c, int fd)
{
	struct mansio_conf *conf = control_read_config(fd);

	if (conf == NULL)
		return;
	conf_free(&c->conf);
	c->conf = conf;
	log_set_level(conf_log_level(conf));
	indexd_limit_cpu(c->indexd, conf->indexd.cpu_time_s);
}

static void
start(struct control *c)
{
	if (c->started)
		return;
	mime_charset_preload();
	if (c->conf != NULL)
		indexd_extract(c->indexd, extract_new(&c->conf->indexd));
	if (c->conf == NULL || !sandbox_apply(SANDBOX_INDEX, NULL, 0)) {
		LOG(NULL, FATAL, "index.sandbox");
		exit(1);
	}
	c->started = true;
	ipc_note(c->ipc, 0, CONTROL_READY, NULL);
	LOG(NULL, DEBUG, "index.ready");
}

static void
on_status(struct control *c, const struct ipc_head *h)
{
	struct buf b = { 0 };

	indexd_status(c->indexd, &b);
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
	case CONTROL_LOG:
		control_take_log(msg, fd);
		fd = -1;
		break;
	case CONTROL_PEER:
		if (((const struct control_peer *)msg)->program == PROGRAM_STORED) {
			indexd_connect(c->indexd, fd);
			fd = -1;
		}
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
	default:		/* what does not concern indexd */
		break;
	}
	fd_close(&fd);
}

static void
on_closed(struct ipc *ipc, void *arg)
{
	loop_stop(((struct control *)arg)->loop);
}

int
main(void)
{
	struct control c = { 0 };
	struct ipc_config cf = { .protocol = &control_protocol, .peer = "monitor",
	    .allowed = CONTROL_PARENT, .fds = true, .request = on_control, .closed = on_closed,
	    .arg = &c };
	int rc;

	log_init("indexd");
	if ((rc = control_child_begin("indexd")) != 0)
		return rc;
	c.loop = loop_new();
	cf.loop = c.loop;
	c.indexd = indexd_new(c.loop);
	c.ipc = ipc_new(&cf, CONTROL_FD);
	loop_run(c.loop);
	indexd_free(&c.indexd);
	ipc_free(&c.ipc);
	conf_free(&c.conf);
	loop_free(&c.loop);
	return 0;
}
