/* The mailboxes of an account:
 *   mailbox-list   address from? limit?    mailboxes: [{path role exists subscribed
 *                                          messages unseen bytes uidvalidity uidnext}], more
 * exists: false for a subscribed name without a mailbox.  more: the next `from`, or null. */
#include "admind/commands.h"

#include "common/json/writer.h"
#include "common/util/mem.h"

#define LIST_MAX 1000		/* lines of an answer, far below ADMIN_RESULT_MAX */

struct listing {
	struct access		access;
	struct buf		out;
	struct json_writer	w;
	uint64_t		from, limit, n;	/* lines */
};

static void
stop(struct request *rq)
{
	struct listing *l = rq->state;

	access_end(&l->access);
	buf_fini(&l->out);
	mem_free(&l);
}

static void
put_mailbox(struct listing *l, const struct store_mailbox *m)
{
	struct json_writer *w = &l->w;

	json_begin_object(w);
	json_kv_string(w, "path", m->path);
	json_kv_str(w, "role", mailbox_role_name(m->role));
	json_kv_bool(w, "exists", m->id != 0);
	json_kv_bool(w, "subscribed", m->subscribed);
	json_kv_uint(w, "messages", m->messages);
	json_kv_uint(w, "unseen", m->unseen);
	json_kv_uint(w, "bytes", m->bytes);
	json_kv_uint(w, "uidvalidity", m->uidvalidity);
	json_kv_uint(w, "uidnext", m->uidnext);
	json_end_object(w);
}

static void
on_list(void *arg, enum status st, bool more, const void *msg)
{
	struct listing *l = arg;
	struct request *rq = l->access.rq;
	const struct store_mailboxes *part = msg;
	struct store_mailbox m;
	struct reader r;

	if (!more)
		l->access.call = NULL;
	if (part != NULL) {
		reader_init(&r, part->list.p, part->list.len);
		while (get_store_mailbox(&r, &m)) {
			if (l->n >= l->from && l->n - l->from < l->limit)
				put_mailbox(l, &m);
			l->n++;
		}
	}
	request_touch(rq);
	if (more)
		return;
	if (st != ST_OK) {
		fail_as_store(rq, st);
		return;
	}
	json_end_array(&l->w);
	json_key(&l->w, "more");
	if (l->n > l->from && l->n - l->from > l->limit)
		json_uint(&l->w, l->from + l->limit);
	else
		json_null(&l->w);
	json_end_object(&l->w);
	request_done(rq, ST_OK, buf_span(&l->out));
}

static void
on_access(struct access *x)
{
	struct listing *l = x->rq->state;
	const struct store_list all = { SPAN_NONE };

	x->call = store_do_list(x->store, &all, on_list, l);
}

static void
mailbox_list(struct request *rq)
{
	struct span address;
	struct listing *l;

	if (!need_address(rq, &address))
		return;
	l = mem_zalloc(sizeof(*l));
	rq->state = l;
	rq->stop = stop;
	l->limit = LIST_MAX;
	(void)json_get_uint(rq->args, "from", &l->from);
	if (json_get_uint(rq->args, "limit", &l->limit) && (l->limit < 1 || l->limit > LIST_MAX))
		l->limit = LIST_MAX;
	json_writer_init(&l->w, &l->out);
	json_begin_object(&l->w);
	json_key(&l->w, "mailboxes");
	json_begin_array(&l->w);
	access_start(&l->access, rq, address, on_access);
}

const struct admin_command admin_cmds_mailbox[] = {
	{ "mailbox-list", mailbox_list, NULL },
	{ NULL, NULL, NULL }
};
