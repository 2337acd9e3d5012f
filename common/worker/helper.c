#include "common/worker/helper.h"

#include <unistd.h>

#include "common/util/log.h"

static void
take_config(struct helper *h, int fd)
{
	struct mansio_conf *conf = control_read_config(fd);

	close(fd);
	if (conf == NULL)
		return;
	log_set_level(conf_log_level(conf));
	h->ops->configured(h->arg, conf);
}

static void
answer_status(struct helper *h, const struct ipc_head *head)
{
	struct buf lines = { 0 };

	h->ops->status(h->arg, &lines);
	control_answer_status(h->control, head, &lines);
}

static void
on_control(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *head,
    const void *msg, void *arg)
{
	struct helper *h = arg;

	if (m->no == CONTROL_CONFIG)
		take_config(h, head->fd);
	else if (m->no == CONTROL_LOG)
		control_take_log(msg, head->fd);
	else if (m->no == CONTROL_START)
		h->ops->start(h->arg);
	else if (m->no == CONTROL_STATUS && h->ops->status != NULL)
		answer_status(h, head);
	else if (m->no == CONTROL_DRAIN || m->no == CONTROL_STOP)
		helper_end(h, 0);
	else if (h->ops->message == NULL || !h->ops->message(h->arg, m->no, msg, head->fd))
		ipc_refuse(ipc, head, ST_UNSUPPORTED);
}

static void
on_closed(struct ipc *ipc, void *arg)
{
	struct helper *h = arg;

	helper_end(h, h->ops->orphaned);
}

void
helper_open(struct helper *h, struct loop *loop, const struct helper_ops *ops, void *arg)
{
	struct ipc_config cf = { .loop = loop, .protocol = &control_protocol, .peer = "monitor",
	    .allowed = CONTROL_PARENT, .fds = true, .request = on_control, .closed = on_closed,
	    .arg = h };

	*h = (struct helper){ .ops = ops, .arg = arg, .loop = loop };
	h->control = ipc_new(&cf, CONTROL_FD);
}

void
helper_close(struct helper *h)
{
	ipc_free(&h->control);
}

void
helper_ready(struct helper *h)
{
	ipc_note(h->control, 0, CONTROL_READY, NULL);
}

void
helper_end(struct helper *h, int code)
{
	if (h->code == 0)
		h->code = code;
	loop_stop(h->loop);
}
