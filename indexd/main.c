/* indexd: reads the mail of one shard anew for its stored, and can ask for nothing.  Everything it
 * has comes through its control socket: its configuration and one socket, stored's.  It ends when
 * its parent does. */
#include <stdlib.h>

#include "common/mime/charset.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "common/worker/helper.h"
#include "common/worker/sandbox.h"
#include "indexd/server.h"

struct control {
	struct helper		helper;
	struct indexd		*indexd;
	struct mansio_conf	*conf;
	bool			started;
};

static void
on_configured(void *arg, struct mansio_conf *conf)
{
	struct control *c = arg;

	conf_free(&c->conf);
	c->conf = conf;
	indexd_limit_cpu(c->indexd, conf->indexd.cpu_time_s);
}

static void
on_start(void *arg)
{
	struct control *c = arg;

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
	helper_ready(&c->helper);
	LOG(NULL, DEBUG, "index.ready");
}

static void
on_status(void *arg, struct buf *lines)
{
	indexd_status(((struct control *)arg)->indexd, lines);
}

static bool
on_message(void *arg, uint16_t no, const void *msg, int fd)
{
	if (no != CONTROL_PEER || ((const struct control_peer *)msg)->program != PROGRAM_STORED)
		return false;
	indexd_connect(((struct control *)arg)->indexd, fd);
	return true;
}

static const struct helper_ops ops = {
	.configured = on_configured, .message = on_message, .start = on_start, .status = on_status
};

int
main(void)
{
	struct control c = { 0 };
	struct loop *loop;
	int rc;

	log_init("indexd");
	if ((rc = control_child_begin("indexd")) != 0)
		return rc;
	loop = loop_new();
	c.indexd = indexd_new(loop);
	helper_open(&c.helper, loop, &ops, &c);
	loop_run(loop);
	indexd_free(&c.indexd);
	helper_close(&c.helper);
	conf_free(&c.conf);
	loop_free(&loop);
	return c.helper.code;
}
